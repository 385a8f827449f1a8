package format

import (
	"bytes"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"noecho/proxy/alert"
)

// How log records of OpenTelemetry are written.
//
// An event is the field log_records of a ScopeLogs message of opentelemetry/proto/logs/v1. Such
// fields one after the other are a message, so that a receiver joins events by appending them.
// The messages are small and do not change, so they are written by hand; tests read them by
// the published types.

// The numbers of fields.
const (
	otlpResource = 1 // of ResourceLogs
	otlpScope    = 1 // of ScopeLogs
	otlpRecords  = 2 // of ScopeLogs

	otlpAttributes = 1 // of Resource
	otlpName       = 1 // of InstrumentationScope

	otlpTime         = 1 // of LogRecord, from here on
	otlpSeverity     = 2
	otlpSeverityText = 3
	otlpBody         = 5
	otlpRecordAttrs  = 6
	otlpFlags        = 8
	otlpTraceID      = 9
	otlpSpanID       = 10
	otlpObserved     = 11
	otlpEventName    = 12

	otlpKey    = 1 // of KeyValue
	otlpValue  = 2
	otlpString = 1 // of AnyValue
	otlpInt    = 3
)

// OTLP returns an encoder of log records, whose body is the text that inner makes.
func OTLP(inner Encode) Encode {
	return func(dst []byte, ev *alert.Event) []byte {
		return appendMessage(dst, otlpRecords, record(ev, bytes.TrimSuffix(inner(nil, ev), []byte("\n"))))
	}
}

// OTLPResource returns the fields of a ResourceLogs message that say which program sends.
func OTLPResource(instance, version string) []byte {
	var attributes []byte
	for _, a := range [...][2]string{{"service.name", "noecho"}, {"service.instance.id", instance}, {"service.version", version}} {
		if a[1] != "" {
			attributes = appendAttribute(attributes, otlpAttributes, a[0], a[1])
		}
	}
	return appendMessage(nil, otlpResource, attributes)
}

// OTLPScope returns the fields of a ScopeLogs message that come before its records.
func OTLPScope() []byte {
	return appendMessage(nil, otlpScope, appendText(nil, otlpName, "noecho/alerts"))
}

// record returns a LogRecord message.
func record(ev *alert.Event, body []byte) []byte {
	number := map[alert.Severity]uint64{alert.Low: 9, alert.Medium: 13, alert.High: 17, alert.Critical: 21}[ev.Severity]
	at := uint64(ev.Time.UnixNano())
	b := protowire.AppendFixed64(protowire.AppendTag(nil, otlpTime, protowire.Fixed64Type), at)
	b = protowire.AppendVarint(protowire.AppendTag(b, otlpSeverity, protowire.VarintType), number)
	b = appendText(b, otlpSeverityText, string(ev.Severity))
	b = appendMessage(b, otlpBody, appendMessage(nil, otlpString, body))
	b = appendAttribute(b, otlpRecordAttrs, "noecho.id", id(ev))
	named := labels(ev)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		b = appendAttribute(b, otlpRecordAttrs, "noecho."+name, strings.ToValidUTF8(named[name], "\ufffd"))
	}
	if ev.Words > 0 {
		value := protowire.AppendVarint(protowire.AppendTag(nil, otlpInt, protowire.VarintType), uint64(ev.Words))
		b = appendMessage(b, otlpRecordAttrs, appendMessage(appendText(nil, otlpKey, "noecho.words"), otlpValue, value))
	}
	b = appendTrace(b, ev.Traceparent)
	b = protowire.AppendFixed64(protowire.AppendTag(b, otlpObserved, protowire.Fixed64Type), at)
	return appendText(b, otlpEventName, "noecho."+string(ev.Type))
}

// appendTrace appends the trace, span and flags of a traceparent.
func appendTrace(b []byte, traceparent string) []byte {
	parts := strings.Split(traceparent, "-")
	if len(parts) != 4 {
		return b
	}
	trace, errTrace := hex.DecodeString(parts[1])
	span, errSpan := hex.DecodeString(parts[2])
	flags, errFlags := hex.DecodeString(parts[3])
	if errTrace != nil || errSpan != nil || errFlags != nil || len(trace) != 16 || len(span) != 8 || len(flags) != 1 {
		return b
	}
	b = protowire.AppendFixed32(protowire.AppendTag(b, otlpFlags, protowire.Fixed32Type), uint32(flags[0]))
	return appendMessage(appendMessage(b, otlpTraceID, trace), otlpSpanID, span)
}

// appendMessage appends a field that has a length: a message, a text or bytes.
func appendMessage(b []byte, number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), message)
}

func appendText(b []byte, number protowire.Number, s string) []byte {
	return appendMessage(b, number, []byte(s))
}

// appendAttribute appends a KeyValue message with a text.
func appendAttribute(b []byte, number protowire.Number, key, value string) []byte {
	return appendMessage(b, number, appendMessage(appendText(nil, otlpKey, key), otlpValue, appendText(nil, otlpString, value)))
}
