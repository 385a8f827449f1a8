package alert

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// noon is a moment with trailing zeros in its nanoseconds.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 120_000_000, time.UTC)

// finding is an event with every member of its type set.
func finding() Event {
	return Event{
		V: 1, Type: TypeFinding, ID: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Seq: 7, Boot: "01ARZ3NDEKTSV4RRFFQ69G5FAA",
		Time: noon, Severity: Medium, Action: Redacted, Mode: "redact", Route: "/v1/chat/completions",
		API: "openai.chat", Path: "/v1/chat/completions", Model: "support-v3", Stream: true,
		RequestID: "req-1", Client: "10.0.0.7:5123", Principal: "00112233445566ff",
		Channel: "choices.0.content", Kind: Verbatim, Start: 12, End: 90, Words: 14, Windows: 5,
		Digests: []Digest{1, 0xfedcba9876543210}, Index: Index{BuildID: "abc", Generation: 2}, Suppressed: 3,
		User: "ann", Forwarded: "192.0.2.7", Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Rule: "rule 1", RecordCount: 16, Signal: []Signal{SignalDisguise, SignalBudget}, Instance: "pod-0",
	}
}

func TestLineOfEachType(t *testing.T) {
	t.Parallel()
	f := func(name string, ev Event, want string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want+"\n", string(AppendLine(nil, &ev))); diff != "" {
				t.Error(diff)
			}
		})
	}
	head := `"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","seq":7,"boot":"01ARZ3NDEKTSV4RRFFQ69G5FAA","time":"2026-03-04T12:00:00.120000000Z",`
	f("finding", finding(), `{"v":1,"type":"finding",`+head+`"severity":"medium","action":"redacted","mode":"redact","route":"/v1/chat/completions","api":"openai.chat","path":"/v1/chat/completions","model":"support-v3","stream":true,"request_id":"req-1","client":"10.0.0.7:5123","principal":"00112233445566ff","channel":"choices.0.content","kind":"verbatim","lane":"plain","identifier":"","start":12,"end":90,"words":14,"windows":5,"resumed":false,"digests":["0000000000000001","fedcba9876543210"],"records":[],"index":{"build_id":"abc","generation":2},"suppressed":3,"user":"ann","forwarded":"192.0.2.7","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","rule":"rule 1","record_count":16,"signal":["disguise","budget"],"instance":"pod-0"}`)

	bare := finding()
	bare.Digests, bare.Resumed = nil, true
	bare.Records = []Record{{ID: "a", Dataset: "d"}, {ID: "b", Dataset: "d", Labels: []string{"pii", "eu"}}}
	f("finding with records", bare, `{"v":1,"type":"finding",`+head+`"severity":"medium","action":"redacted","mode":"redact","route":"/v1/chat/completions","api":"openai.chat","path":"/v1/chat/completions","model":"support-v3","stream":true,"request_id":"req-1","client":"10.0.0.7:5123","principal":"00112233445566ff","channel":"choices.0.content","kind":"verbatim","lane":"plain","identifier":"","start":12,"end":90,"words":14,"windows":5,"resumed":true,"digests":[],"records":[{"id":"a","dataset":"d","labels":[]},{"id":"b","dataset":"d","labels":["pii","eu"]}],"index":{"build_id":"abc","generation":2},"suppressed":3,"user":"ann","forwarded":"192.0.2.7","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","rule":"rule 1","record_count":16,"signal":["disguise","budget"],"instance":"pod-0"}`)

	several := finding()
	several.Records, several.Channels = nil, []string{"choices.0.content", "choices.0.tool_calls.0.arguments"}
	f("finding over several texts", several, `{"v":1,"type":"finding",`+head+`"severity":"medium","action":"redacted","mode":"redact","route":"/v1/chat/completions","api":"openai.chat","path":"/v1/chat/completions","model":"support-v3","stream":true,"request_id":"req-1","client":"10.0.0.7:5123","principal":"00112233445566ff","channel":"choices.0.content","kind":"verbatim","lane":"plain","identifier":"","start":12,"end":90,"words":14,"windows":5,"resumed":false,"digests":["0000000000000001","fedcba9876543210"],"records":[],"index":{"build_id":"abc","generation":2},"suppressed":3,"user":"ann","forwarded":"192.0.2.7","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","rule":"rule 1","record_count":16,"signal":["disguise","budget"],"channels":["choices.0.content","choices.0.tool_calls.0.arguments"],"instance":"pod-0"}`)

	un := finding()
	un.Type, un.Action, un.Reason, un.Bytes = TypeUnscanned, Passed, "unknown content type", 512
	f("unscanned", un, `{"v":1,"type":"unscanned",`+head+`"severity":"medium","action":"passed","mode":"redact","route":"/v1/chat/completions","api":"openai.chat","path":"/v1/chat/completions","model":"support-v3","stream":true,"request_id":"req-1","client":"10.0.0.7:5123","principal":"00112233445566ff","channel":"choices.0.content","index":{"build_id":"abc","generation":2},"reason":"unknown content type","bytes":512,"user":"ann","forwarded":"192.0.2.7","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","instance":"pod-0"}`)

	probing := finding()
	probing.Type, probing.Action, probing.Findings, probing.Period = TypeProbing, Blocked, 1001, 3600
	f("membership_probing", probing, `{"v":1,"type":"membership_probing",`+head+`"severity":"medium","action":"blocked","mode":"redact","route":"/v1/chat/completions","api":"openai.chat","path":"/v1/chat/completions","model":"support-v3","stream":true,"request_id":"req-1","client":"10.0.0.7:5123","principal":"00112233445566ff","channel":"choices.0.content","index":{"build_id":"abc","generation":2},"findings":1001,"probes":0,"period":3600,"user":"ann","forwarded":"192.0.2.7","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","instance":"pod-0"}`)

	drip := finding()
	drip.Type, drip.Words, drip.RecordWords, drip.Requests, drip.Several, drip.Period = TypeDrip, 60, 80, 3, true, 86400
	drip.Records = []Record{{ID: "a", Dataset: "d", Labels: []string{"pii"}}}
	f("slow_drip", drip, `{"v":1,"type":"slow_drip",`+head+`"severity":"medium","action":"redacted","mode":"redact","route":"/v1/chat/completions","api":"openai.chat","path":"/v1/chat/completions","model":"support-v3","stream":true,"request_id":"req-1","client":"10.0.0.7:5123","principal":"00112233445566ff","channel":"choices.0.content","words":60,"record_words":80,"requests":3,"several":true,"period":86400,"records":[{"id":"a","dataset":"d","labels":["pii"]}],"index":{"build_id":"abc","generation":2},"user":"ann","forwarded":"192.0.2.7","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","instance":"pod-0"}`)

	re := finding()
	re.Type, re.Action, re.Reason, re.Build = TypeReload, Failed, "index is damaged", "v1.2.3"
	f("reload", re, `{"v":1,"type":"reload",`+head+`"severity":"medium","action":"failed","mode":"redact","index":{"build_id":"abc","generation":2},"reason":"index is damaged","version":"v1.2.3","instance":"pod-0"}`)

	gap := finding()
	gap.Type, gap.Severity, gap.Reason, gap.Sink, gap.Lost, gap.Since = TypeGap, High, "sink failed", "stdout", 4, noon.Add(-time.Second)
	f("gap", gap, `{"v":1,"type":"gap",`+head+`"severity":"high","reason":"sink failed","sink":"stdout","lost":4,"first":4,"last":7,"since":"2026-03-04T11:59:59.120000000Z","instance":"pod-0"}`)

	tally := finding()
	tally.Type, tally.Severity, tally.Since, tally.Period = TypeTally, Low, noon.Add(-time.Minute), 60
	tally.Answers, tally.Fates = []Answers{{"/v1/messages", map[string]uint64{"redacted": 1, "clean": 7}}}, map[string]int64{"scanned": 900, "passed": 0, "refused": 0}
	f("tally", tally, `{"v":1,"type":"tally",`+head+`"severity":"low","mode":"redact","index":{"build_id":"abc","generation":2},"since":"2026-03-04T11:59:00.120000000Z","period":60,"answers":[{"route":"/v1/messages","actions":{"clean":7,"redacted":1}}],"body_bytes":{"passed":0,"refused":0,"scanned":900},"instance":"pod-0"}`)

	access := finding()
	access.Type, access.Severity, access.Action, access.Path, access.Reason = TypeAccess, Low, LookedUp, "/console/api/v1/lookup", "request 7"
	f("access", access, `{"v":1,"type":"access",`+head+`"severity":"low","action":"looked_up","user":"ann","client":"10.0.0.7:5123","path":"/console/api/v1/lookup","reason":"request 7","instance":"pod-0"}`)
}

func TestLineReadsBack(t *testing.T) {
	t.Parallel()
	want := finding()
	want.Lane = LanePlain
	want.Records = []Record{{ID: "a", Dataset: "d", Labels: []string{}}}
	var got Event
	if err := json.Unmarshal(AppendLine(nil, &want), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStringEscapes(t *testing.T) {
	t.Parallel()
	f := func(in, want string) {
		t.Helper()
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	f("", `""`)
	f("plain <b> & 'x'", `"plain <b> & 'x'"`)
	f("a\"b\\c", `"a\"b\\c"`)
	f("one\ntwo\r\n\tthree", `"one\ntwo\r\n\tthree"`)
	f("\x00\x1b[31m\x7f", `"\u0000\u001b[31m\u007f"`)
	f("\u0085\u009b", `"\u0085\u009b"`)
	f("a\u2028b\u2029c", `"a\u2028b\u2029c"`)
	f("\u202egnp\u200b\ufeff", `"\u202egnp\u200b\ufeff"`)
	f("\U000e0041", `"\udb40\udc41"`)
	f("\xff\xc3(", `"\ufffd\ufffd("`)
	f("\ufffd", "\"\ufffd\"")
	f("日本 Größe 😀", `"日本 Größe 😀"`)
	f(strings.Repeat("a", 1024), `"`+strings.Repeat("a", 1024)+`"`)
	f(strings.Repeat("a", 1025), `"`+strings.Repeat("a", 1021)+`…"`)
	f(strings.Repeat("é", 600), `"`+strings.Repeat("é", 510)+`…"`)
}

func TestDigestReadsBack(t *testing.T) {
	t.Parallel()
	var d Digest
	for _, bad := range []string{"", "12", "zzzzzzzzzzzzzzzz", "00000000000000001"} {
		if d.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q was read as a digest", bad)
		}
	}
	if got := Digests(make([]uint64, 65)); len(got) != 64 {
		t.Errorf("%d digests, want 64", len(got))
	}
}

func TestSeverity(t *testing.T) {
	t.Parallel()
	f := func(ev Event, want Severity) {
		t.Helper()
		if got := SeverityOf(&ev); got != want {
			t.Errorf("%+v: got %s, want %s", ev, got, want)
		}
	}
	f(Event{Type: TypeFinding, Kind: Verbatim, Action: Redacted, Words: 9}, Low)
	f(Event{Type: TypeFinding, Kind: Verbatim, Action: Redacted, Words: 10}, Medium)
	f(Event{Type: TypeFinding, Kind: Verbatim, Action: Blocked, Words: 49}, Medium)
	f(Event{Type: TypeFinding, Kind: Verbatim, Action: Observed, Words: 50}, High)
	f(Event{Type: TypeFinding, Kind: Near, Action: Observed, Words: 50}, High)
	f(Event{Type: TypeFinding, Kind: Verbatim, Action: Echo, Words: 500}, Low)
	f(Event{Type: TypeFinding, Kind: Phrase, Action: Redacted, Words: 60}, Low)
	f(Event{Type: TypeFinding, Kind: Phrase, Identifier: PlainPhrase, Action: Redacted, Words: 60}, Low)
	f(Event{Type: TypeFinding, Kind: Phrase, Identifier: "email", Action: Observed, Words: 3}, Critical)
	f(Event{Type: TypeFinding, Kind: Phrase, Identifier: "subject", Action: Blocked, Words: 2}, Critical)
	f(Event{Type: TypeFinding, Kind: Phrase, Identifier: "order-id", Action: Redacted, Words: 1}, Critical)
	f(Event{Type: TypeFinding, Kind: Phrase, Identifier: "email", Action: Echo, Words: 3}, Low)
	f(Event{Type: TypeFinding, Kind: Near, Action: Redacted, Words: 49}, Medium)
	f(Event{Type: TypeProbing, Action: Blocked}, High)
	f(Event{Type: TypeDrip, Action: Redacted}, High)
	f(Event{Type: TypeFinding, Kind: Stuffing, Action: Redacted}, Medium)
	f(Event{Type: TypeGap}, High)
	f(Event{Type: TypeUnscanned, Action: Passed}, Medium)
	f(Event{Type: TypeUnscanned, Action: Refused}, Low)
	f(Event{Type: TypeReload, Action: Failed}, Medium)
	f(Event{Type: TypeReload, Action: Applied}, Low)
	f(Event{Type: TypeStart}, Low)
	for i, s := range []Severity{"", Low, Medium, High, Critical} {
		if s.Rank() != i {
			t.Errorf("rank of %q is %d, want %d", s, s.Rank(), i)
		}
	}
}

// FuzzLine checks that an event with any strings is one line of JSON with the same values,
// and that no character of it could end the line or steer a terminal.
func FuzzLine(f *testing.F) {
	f.Add("gpt\n{\"v\":1}", "a\u2028b", int64(3))
	f.Add("\xff\xfe", "\u202e", int64(-1))
	f.Add(strings.Repeat("é", 700), "\"\\", int64(0))
	f.Fuzz(func(t *testing.T, model, path string, start int64) {
		ev := finding()
		ev.Model, ev.Path, ev.RequestID, ev.Start = model, path, model+path, start
		ev.Records = []Record{{ID: path, Dataset: model, Labels: []string{path, model}}}
		line := AppendLine(nil, &ev)
		body := line[:len(line)-1]
		if line[len(line)-1] != '\n' || bytes.ContainsRune(body, '\n') || !utf8.Valid(line) {
			t.Fatalf("not one line: %q", line)
		}
		for _, r := range string(body) {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
				t.Fatalf("%U stands in the line %q", r, line)
			}
		}
		var got Event
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if want := strings.ToValidUTF8(model, "\ufffd"); len(model) <= MaxString && utf8.ValidString(model) && got.Model != want {
			t.Fatalf("model %q came back as %q", want, got.Model)
		}
		if len(path) <= MaxString && utf8.ValidString(path) && got.Records[0].Labels[0] != path {
			t.Fatalf("label %q came back as %q", path, got.Records[0].Labels[0])
		}
		if got.Start != start {
			t.Fatalf("start %d came back as %d", start, got.Start)
		}
	})
}

func BenchmarkOffer(b *testing.B) {
	l, err := open(Options{})
	if err != nil {
		b.Fatal(err)
	}
	ev := finding()
	b.ReportAllocs()
	for b.Loop() {
		l.Offer(ev)
	}
}

func BenchmarkLine(b *testing.B) {
	ev := finding()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendLine(dst[:0], &ev)
	}
	b.SetBytes(int64(len(dst)))
}
