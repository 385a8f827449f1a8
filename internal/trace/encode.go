package trace

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// How spans are written.
//
// The messages of opentelemetry/proto/trace/v1 are small and do not change, so they are written
// by hand; tests read them by the published types. An answer is one span of the kind server. If
// the model server was asked, the span has two children: "upstream" until the head of the model
// server's answer, and "answer" from there to the end.

// The numbers of fields.
const (
	requestSpans = 1 // of ExportTraceServiceRequest

	resourceSelf  = 1 // of ResourceSpans
	resourceScope = 2
	resourceAttrs = 1 // of Resource

	scopeSelf  = 1 // of ScopeSpans
	scopeSpans = 2
	scopeName  = 1 // of InstrumentationScope

	spanTrace  = 1 // of Span, from here on
	spanID     = 2
	spanState  = 3
	spanParent = 4
	spanName   = 5
	spanKind   = 6
	spanBegin  = 7
	spanEnd    = 8
	spanAttrs  = 9
	spanStatus = 15
	spanFlags  = 16

	statusCode = 3 // of Status
	attrKey    = 1 // of KeyValue
	attrValue  = 2
	valueText  = 1 // of AnyValue
	valueInt   = 3
)

// Kinds of spans, and the status of one that failed.
const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
	statusError  = 2
)

// appendRequest appends an ExportTraceServiceRequest with the spans of answers.
func appendRequest(dst, resource []byte, answers []Answer) []byte {
	spans := appendField(nil, scopeSelf, appendText(nil, scopeName, "noecho"))
	for i := range answers {
		spans = answers[i].appendSpans(spans)
	}
	body := appendField(nil, resourceSelf, resource)
	body = appendField(body, resourceScope, spans)
	return appendField(dst, requestSpans, body)
}

// appendResource appends the attributes of a Resource message.
func appendResource(dst []byte, instance, version string) []byte {
	for _, a := range [...][2]string{{"service.name", "noecho"}, {"service.instance.id", instance}, {"service.version", version}} {
		dst = appendAttr(dst, resourceAttrs, a[0], a[1])
	}
	return dst
}

// appendSpans appends the spans of an answer as fields of a ScopeSpans message.
func (a *Answer) appendSpans(dst []byte) []byte {
	c := &a.Context
	name := a.Method
	if a.Route != "" {
		name += " " + a.Route
	}
	s := a.appendSpan(nil, span{c.Span, c.Caller, name, kindServer, a.Begun, a.Ended})
	for _, at := range [...][2]string{
		{"http.request.method", a.Method}, {"http.route", a.Route}, {"noecho.api", a.API}, {"noecho.mode", a.Mode}, {"noecho.action", a.Action}, {"noecho.request_id", a.RequestID},
	} {
		s = appendAttr(s, spanAttrs, at[0], at[1])
	}
	s = appendInt(s, "http.response.status_code", a.Status)
	if a.Status >= 500 || a.Failed {
		s = appendError(s)
	}
	dst = appendField(dst, scopeSpans, s)
	if a.Asked.IsZero() {
		return dst
	}
	head := a.Head
	if head.IsZero() { // it did not come
		head = a.Ended
	}
	s = a.appendSpan(nil, span{c.Asked, c.Span, "upstream", kindClient, a.Asked, head})
	s = appendAttr(s, spanAttrs, "http.request.method", a.Method)
	s = appendAttr(s, spanAttrs, "server.address", a.Upstream)
	if a.Head.IsZero() {
		return appendField(dst, scopeSpans, appendError(s))
	}
	dst = appendField(dst, scopeSpans, appendInt(s, "http.response.status_code", a.Answered))
	s = a.appendSpan(nil, span{newSpan(), c.Span, "answer", kindInternal, head, a.Ended})
	s = appendInt(s, "noecho.bytes", int(a.Bytes))
	return appendField(dst, scopeSpans, s)
}

// span is the part of a span that each has.
type span struct {
	id, parent [8]byte
	name       string
	kind       uint64
	begun      time.Time
	ended      time.Time
}

func (a *Answer) appendSpan(dst []byte, s span) []byte {
	dst = appendField(dst, spanTrace, a.Context.Trace[:])
	dst = appendField(dst, spanID, s.id[:])
	if a.Context.State != "" {
		dst = appendText(dst, spanState, a.Context.State)
	}
	if s.parent != [8]byte{} {
		dst = appendField(dst, spanParent, s.parent[:])
	}
	dst = appendText(dst, spanName, s.name)
	dst = protowire.AppendVarint(protowire.AppendTag(dst, spanKind, protowire.VarintType), s.kind)
	dst = protowire.AppendFixed64(protowire.AppendTag(dst, spanBegin, protowire.Fixed64Type), uint64(s.begun.UnixNano()))
	dst = protowire.AppendFixed64(protowire.AppendTag(dst, spanEnd, protowire.Fixed64Type), uint64(s.ended.UnixNano()))
	return protowire.AppendFixed32(protowire.AppendTag(dst, spanFlags, protowire.Fixed32Type), flagSampled)
}

func appendError(dst []byte) []byte {
	return appendField(dst, spanStatus, protowire.AppendVarint(protowire.AppendTag(nil, statusCode, protowire.VarintType), statusError))
}

// appendAttr appends a KeyValue message with a text; none if the text is empty.
func appendAttr(dst []byte, number protowire.Number, key, value string) []byte {
	if value == "" {
		return dst
	}
	return appendField(dst, number, appendField(appendText(nil, attrKey, key), attrValue, appendText(nil, valueText, value)))
}

func appendInt(dst []byte, key string, n int) []byte {
	value := protowire.AppendVarint(protowire.AppendTag(nil, valueInt, protowire.VarintType), uint64(n))
	return appendField(dst, spanAttrs, appendField(appendText(nil, attrKey, key), attrValue, value))
}

// appendField appends a field that has a length: a message, a text or bytes.
func appendField(dst []byte, number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), content)
}

func appendText(dst []byte, number protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(dst, number, protowire.BytesType), s)
}
