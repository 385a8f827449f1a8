package format

import (
	"maps"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"noecho/proxy/alert"
)

// falco is an event as Falco writes it and Falcosidekick takes it.
type falco struct {
	UUID         string         `json:"uuid"`
	Time         time.Time      `json:"time"`
	Rule         string         `json:"rule"`
	Priority     string         `json:"priority"`
	Source       string         `json:"source"`
	Output       string         `json:"output"`
	OutputFields map[string]any `json:"output_fields"`
	Tags         []string       `json:"tags"`
	Hostname     string         `json:"hostname"`
}

// Falco appends an event as Falco would, for Falcosidekick.
func Falco(dst []byte, ev *alert.Event) []byte {
	priority := map[alert.Severity]string{
		alert.Low: "Informational", alert.Medium: "Warning", alert.High: "Error", alert.Critical: "Critical",
	}[ev.Severity]
	fields := map[string]any{}
	for name, value := range labels(ev) {
		fields["noecho."+name] = value
	}
	fields["noecho.id"], fields["noecho.words"], fields["noecho.event"] = id(ev), ev.Words, ev.ID
	return alert.AppendJSON(dst, falco{
		UUID: uuid(ev.ID), Time: ev.Time.UTC(), Rule: "noecho " + string(ev.Type), Priority: priority, Source: "noecho",
		Output: summary(ev), OutputFields: fields, Tags: []string{"noecho", string(ev.Type)}, Hostname: ev.Instance,
	})
}

// uuid writes a ULID in the form of a UUID: the same 16 bytes.
func uuid(s string) string {
	u, err := ulid.Parse(s)
	if err != nil {
		return ""
	}
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i, c := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b.WriteByte('-')
		}
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// labels are the members by which people sort alerts, without the empty ones.
func labels(ev *alert.Event) map[string]string {
	all := map[string]string{
		"type": string(ev.Type), "severity": string(ev.Severity), "action": string(ev.Action), "mode": ev.Mode, "route": ev.Route,
		"kind": string(ev.Kind), "lane": ev.Lane, "identifier": ev.Identifier, "instance": ev.Instance, "model": ev.Model,
		"principal": ev.Principal, "user": ev.User, "client": ev.Client, "request_id": ev.RequestID, "rule": ev.Rule, "sink": ev.Sink,
		"reason": ev.Reason,
	}
	if len(ev.Records) > 0 {
		all["record"], all["dataset"] = ev.Records[0].ID, ev.Records[0].Dataset
	}
	maps.DeleteFunc(all, func(_, value string) bool { return value == "" })
	return all
}

// amAlert is an alert of the API v2 of Alertmanager.
type amAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
}

// grouping are the labels by which Alertmanager tells alerts apart. Those with many values are
// annotations, so that one leak that a hundred answers repeat is one alert.
func grouping(label string) bool {
	switch label {
	case "type", "severity", "action", "route", "kind", "lane", "identifier", "dataset", "instance", "sink":
		return true
	}
	return false
}

// Alertmanager appends a list with one alert, for POST /api/v2/alerts of Alertmanager.
func Alertmanager(dst []byte, ev *alert.Event) []byte {
	a := amAlert{
		Labels:      map[string]string{"alertname": "noecho_" + string(ev.Type), "job": "noecho"},
		Annotations: map[string]string{"summary": summary(ev), "event_id": id(ev)},
		StartsAt:    ev.Time.UTC(),
	}
	for name, value := range labels(ev) {
		if grouping(name) {
			a.Labels[name] = value
		} else {
			a.Annotations[name] = value
		}
	}
	return alert.AppendJSON(dst, []amAlert{a})
}

// slack is a message for an incoming webhook of Slack, and of the programs that take the same.
type slack struct {
	Text string `json:"text"`
}

// Slack appends an event as a message. Names from requests cannot mention people or channels
// in it.
func Slack(dst []byte, ev *alert.Event) []byte {
	mark := map[alert.Severity]string{
		alert.Low: ":white_circle:", alert.Medium: ":large_yellow_circle:", alert.High: ":large_orange_circle:", alert.Critical: ":red_circle:",
	}[ev.Severity]
	plain := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	text := mark + " *noecho, " + string(ev.Severity) + "*: " + plain(summary(ev))
	for _, more := range [...]struct{ name, value string }{
		{"request", ev.RequestID}, {"instance", ev.Instance}, {"event", id(ev)},
	} {
		if more.value != "" {
			text += "\n" + more.name + " " + plain(more.value)
		}
	}
	return alert.AppendJSON(dst, slack{Text: text})
}
