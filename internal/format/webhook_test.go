package format

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"noecho/proxy/alert"
)

// samples are an event of each type and of each action, as a log fills them.
func samples() []alert.Event {
	var all []alert.Event
	actions := map[alert.Type][]alert.Action{
		alert.TypeFinding:   {alert.Observed, alert.Redacted, alert.Blocked, alert.Echo, alert.Ignored},
		alert.TypeUnscanned: {alert.Refused, alert.Passed},
		alert.TypeProbing:   {alert.Observed, alert.Blocked},
		alert.TypeDrip:      {alert.Observed, alert.Redacted, alert.Blocked},
		alert.TypeReload:    {alert.Applied, alert.Failed},
		alert.TypeAccess:    {alert.LookedUp, alert.Exported},
	}
	for _, kind := range alert.Types() {
		list := actions[kind]
		if list == nil {
			list = []alert.Action{""}
		}
		for _, action := range list {
			ev := sample(kind)
			ev.Action, ev.Seq = action, uint64(len(all)+1)
			if kind == alert.TypeFinding {
				ev.Kind = []alert.Kind{alert.Verbatim, alert.Phrase, alert.Near, alert.Stuffing, alert.Verbatim}[len(all)%5]
				ev.Identifier = map[alert.Kind]string{alert.Phrase: "email"}[ev.Kind]
			}
			ev.Severity = alert.SeverityOf(&ev)
			all = append(all, ev)
			bare := alert.Event{V: 1, Type: kind, ID: ev.ID, Seq: ev.Seq, Boot: ev.Boot, Time: ev.Time, Severity: ev.Severity, Action: action}
			all = append(all, bare)
		}
	}
	return all
}

// sample is an event with a value of its own in each member.
func sample(kind alert.Type) alert.Event {
	return alert.Event{
		V: 1, Type: kind, ID: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Seq: 7, Boot: "01ARZ3NDEKTSV4RRFFQ69G5FAA",
		Time: time.Date(2026, 3, 4, 12, 0, 0, 120000000, time.UTC), Mode: "redact", Route: "/v1/", API: "openai.chat", Path: "/v1/chat/completions",
		Model: "<!channel> m\u202e&\x1b", Stream: true, RequestID: "req-1", Client: "192.0.2.7", Principal: "0123456789abcdef", Channel: "choices.0.content",
		Kind: alert.Verbatim, Lane: "base64", Start: 11, End: 222, Words: 63, Windows: 54, Resumed: true, Digests: []alert.Digest{1, 2},
		Records: []alert.Record{{ID: "train.jsonl:7", Dataset: "support", Labels: []string{"pii", "restricted"}}, {ID: "b", Dataset: "d", Labels: []string{}}},
		Index:   alert.Index{BuildID: "build-1", Generation: 3}, Suppressed: 5, User: "ann", Forwarded: "198.51.100.9",
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Rule: "rule 1", RecordCount: 16, Signal: []alert.Signal{alert.SignalDisguise},
		Channels: []string{"choices.0.content", "choices.0.reasoning"}, Instance: "pod-0", Reason: "why", Bytes: 4321, Build: "v1.2.3", Sink: "webhook h", Lost: 4,
		Since: time.Date(2026, 3, 4, 11, 0, 0, 0, time.UTC), First: 4, Lines: 9, Counts: map[alert.Type]uint64{"finding": 9}, SHA256: "ab12",
		Answers: []alert.Answers{{Route: "/v1/", Actions: map[string]uint64{"clean": 77}}}, Fates: map[string]int64{"scanned": 88},
		Findings: 101, Probes: 21, Period: 3600, Requests: 6, RecordWords: 80, Several: true,
	}
}

// TestLines: in each format an event is one line of JSON without characters that steer a
// terminal or hide text, and has an id that stays the same.
func TestLines(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"native", "ocsf", "ecs", "falco", "alertmanager", "slack"} {
		encode, ok := Named(name)
		if !ok {
			t.Fatalf("no format %s", name)
		}
		for _, ev := range samples() {
			line := string(encode([]byte("before"), &ev))
			text, ok := strings.CutPrefix(line, "before")
			if !ok || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") || strings.ContainsAny(text, "\u202e\x1b") || !json.Valid([]byte(text)) {
				t.Errorf("%s of %s: %q", name, ev.Type, text)
			}
			if name != "native" && !strings.Contains(text, id(&ev)) {
				t.Errorf("%s of %s has no id: %s", name, ev.Type, text)
			}
		}
	}
	if _, ok := Named("toml"); ok {
		t.Error("toml is a format")
	}
}

func TestFalco(t *testing.T) {
	t.Parallel()
	ev := sample(alert.TypeFinding)
	ev.Action, ev.Severity = alert.Redacted, alert.Critical
	var got falco
	if err := json.Unmarshal(Falco(nil, &ev), &got); err != nil {
		t.Fatal(err)
	}
	if got.UUID != "01563e3a-b5d3-d676-4c61-efb99302bd5b" || got.Rule != "noecho finding" || got.Priority != "Critical" || got.Source != "noecho" || got.Hostname != "pod-0" {
		t.Errorf("%+v", got)
	}
	if got.OutputFields["noecho.record"] != "train.jsonl:7" || !strings.HasPrefix(got.Output, "Training data in an answer, redacted: 63 words, disguised as base64 of record train.jsonl:7 and 15 more, caller ann, model ") {
		t.Errorf("%+v", got)
	}
}

func TestAlertmanager(t *testing.T) {
	t.Parallel()
	label := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
	for _, ev := range samples() {
		var got []amAlert
		if err := json.Unmarshal(Alertmanager(nil, &ev), &got); err != nil || len(got) != 1 {
			t.Fatal(err)
		}
		a := got[0]
		if a.Labels["alertname"] != "noecho_"+string(ev.Type) || a.Labels["severity"] != string(ev.Severity) || !a.StartsAt.Equal(ev.Time) || a.Annotations["summary"] == "" {
			t.Errorf("%+v", a)
		}
		for name, value := range a.Labels {
			if !label.MatchString(name) || value == "" || name == "request_id" || name == "principal" {
				t.Errorf("label %s=%q", name, value)
			}
		}
	}
}

func TestSlack(t *testing.T) {
	t.Parallel()
	ev := sample(alert.TypeFinding)
	ev.Action, ev.Severity = alert.Redacted, alert.High
	var got slack
	if err := json.Unmarshal(Slack(nil, &ev), &got); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got.Text, "<!channel>") || !strings.Contains(got.Text, "&lt;!channel&gt; m") || !strings.Contains(got.Text, "request req-1") {
		t.Errorf("%q", got.Text)
	}
}
