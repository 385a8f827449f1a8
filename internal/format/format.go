// Package format encodes events as other programs expect them: webhooks of Falco, Alertmanager
// and Slack, the schemas OCSF and ECS, messages of syslog, and log records of OpenTelemetry.
//
// Each function appends one event. The package knows the fields of these formats and those of
// an event. It knows nothing of sinks and networks, and an event has no text of an answer, so
// no format has any.
package format

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"noecho/proxy/alert"
)

// Encode appends one event to dst.
type Encode func(dst []byte, ev *alert.Event) []byte

// Named returns the encoder of a format by its name in a configuration; ok is false if there
// is none. The empty name is that of native.
func Named(name string) (e Encode, ok bool) {
	switch name {
	case "", "native":
		return alert.AppendLine, true
	case "ocsf":
		return OCSF, true
	case "ecs":
		return ECS, true
	case "falco":
		return Falco, true
	case "alertmanager":
		return Alertmanager, true
	case "slack":
		return Slack, true
	}
	return nil, false
}

// id returns the id of an event that stays the same when it is sent again.
func id(ev *alert.Event) string { return ev.Boot + ":" + strconv.FormatUint(ev.Seq, 10) }

// summary says in one sentence what an event is about.
func summary(ev *alert.Event) string {
	switch ev.Type {
	case alert.TypeFinding:
		s := fmt.Sprintf("Training data in an answer, %s: %s", ev.Action, thing(ev))
		if len(ev.Records) > 0 {
			s += " of record " + ev.Records[0].ID
			if more := max(ev.RecordCount, len(ev.Records)) - 1; more > 0 {
				s += fmt.Sprintf(" and %d more", more)
			}
		}
		return s + from(ev)
	case alert.TypeUnscanned:
		return fmt.Sprintf("%d bytes of an answer could not be scanned and were %s: %s", ev.Bytes, ev.Action, ev.Reason) + from(ev)
	case alert.TypeProbing:
		return fmt.Sprintf("A caller tests which texts are in the training data: %d findings, %d probes", ev.Findings, ev.Probes) + from(ev)
	case alert.TypeDrip:
		s := fmt.Sprintf("Several requests drew %d words of one record", ev.Words)
		if len(ev.Records) > 0 {
			s += ", " + ev.Records[0].ID
		}
		return s + from(ev)
	case alert.TypeGap:
		return fmt.Sprintf("%d events did not reach %s: %s", ev.Lost, ev.Sink, ev.Reason)
	case alert.TypeDigest:
		return fmt.Sprintf("Digest of %d lines", ev.Lines)
	case alert.TypeTally:
		return "Counts of answers"
	case alert.TypeAccess:
		return "Data of noecho was " + strings.ReplaceAll(string(ev.Action), "_", " ") + ": " + ev.Path
	case alert.TypeMismatch:
		return "An index is of another model than the configuration names: " + ev.Reason
	}
	return strings.TrimSpace(fmt.Sprintf("noecho: %s %s %s", ev.Type, ev.Action, ev.Reason))
}

// thing names a finding without its text.
func thing(ev *alert.Event) string {
	s := strconv.Itoa(ev.Words) + " words"
	switch {
	case ev.Kind == alert.Phrase:
		s = cmp.Or(ev.Identifier, alert.PlainPhrase)
	case ev.Kind == alert.Stuffing:
		s = string(ev.Kind)
	case ev.Kind == alert.Near:
		s += " with small changes"
	}
	if ev.Lane != "" && ev.Lane != alert.LanePlain {
		s += ", disguised as " + ev.Lane
	}
	return s
}

// from names the caller and the model.
func from(ev *alert.Event) (s string) {
	if who := cmp.Or(ev.User, ev.Principal, ev.Forwarded, ev.Client); who != "" {
		s = ", caller " + who
	}
	if ev.Model != "" {
		s += ", model " + ev.Model
	}
	return s
}
