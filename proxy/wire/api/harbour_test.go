package api

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/detect"
	"noecho/internal/windowset"
	"noecho/ngram"
	"noecho/proxy/relay"
	"noecho/proxy/wire"
)

// harbour is the API of Harbour, which does not exist: docs/adding-an-api.md quotes
// this file. An answer is one object with a reply; a stream is events with a delta
// each, and the last event has the complete reply once more.
var harbour = wire.NewFamily(wire.Family{
	Name:    "harbour",
	Request: harbourRequest,
	Ending:  func() wire.Ending { return harbourEnding{} },
	Rules: []wire.Rule{
		wire.NoText("id"),
		wire.TextAt("delta", "reply").As(wire.Reply),
		wire.FinalAt("reply", "reply").As(wire.Reply),
		wire.ElementNumber("calls[#].index"),
		wire.MetadataAt("calls[#].tool", "calls.#.tool").Label(),
		wire.TextAt("calls[#].input", "calls.#.input").As(wire.Nested),
		wire.DropWhenWithheld("logprobs").Else(`[]`),
		wire.TokensAt("logprobs[].token", "logprobs"),
		wire.EndReason("stop", `"filter"`),
	},
})

// harbourRequest takes the text of every other member for text that the client sent.
func harbourRequest(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		if !r.common(name, v) {
			r.visible(v)
		}
		return nil
	})
}

// harbourEnding ends a blocked stream with the event that Harbour sends when its own
// filter stops an answer.
type harbourEnding struct{}

// Sent implements [wire.Ending]. The messages before the end do not change the end.
func (harbourEnding) Sent([]byte) {}

// Write implements [wire.Ending].
func (harbourEnding) Write(w *wire.Writer, _ []int32) { w.Message("", []byte(`{"stop":"filter"}`)) }

// TestHarbour reads answers of Harbour, and sends them through a relay whose index
// has the text "one two three four five".
func TestHarbour(t *testing.T) {
	t.Parallel()
	const withheld = `{"error":{"message":"withheld: the answer would repeat training data","type":"invalid_request_error","code":"content_filter"}}`
	for _, tt := range []struct{ name, answer, places, redacted, blocked string }{
		{
			name:     "in one piece",
			answer:   `{"id":"r1","reply":"So one two three four five."}`,
			places:   "begin 0 \nfinal 0 reply So one two three four five.\n",
			redacted: `{"id":"r1","reply":"So [redacted]."}`,
			blocked:  withheld,
		},
		{
			name:     "streamed",
			answer:   `{"delta":"So one two"} {"delta":" three four five."} {"reply":"So one two three four five.","stop":"end"}`,
			places:   "begin 0 \ntext 0 reply So one two\nbegin 0 \ntext 0 reply  three four five.\nbegin 0 \nfinal 0 reply So one two three four five.\nend 0 \"end\"\n",
			redacted: `{"delta":"So [redacted]"} {"delta":"."} {"reply":"So [redacted].","stop":"end"}`,
			blocked:  `{"delta":"So "} {"stop":"filter"}`,
		},
		{
			name:     "a call in pieces",
			answer:   `{"calls":[{"index":1,"tool":"note","input":"{\"text\":\"one two"}]} {"calls":[{"index":1,"input":" three four five\"}"}]} {"stop":"end"}`,
			places:   "begin 0 \nmetadata 0.1 calls.#.tool note\ntext 0.1 calls.#.input {\"text\":\"one two\nbegin 0 \ntext 0.1 calls.#.input  three four five\"}\nbegin 0 \nend 0 \"end\"\n",
			redacted: `{"calls":[{"index":1,"tool":"note","input":"{\"text\":\"[redacted]"}]} {"calls":[{"index":1,"input":"\"}"}]} {"stop":"end"}`,
			blocked:  `{"calls":[{"index":1,"tool":"note","input":"{\"text\":\""}]} {"stop":"filter"}`,
		},
		{
			name:     "with tokens",
			answer:   `{"reply":"one two three four five","logprobs":[{"token":"one"},{"token":" two"}]}`,
			places:   "begin 0 \nfinal 0 reply one two three four five\ndrop 0 -> [] [{\"token\":\"one\"},{\"token\":\" two\"}]\ntoken 0 logprobs one\ntoken 0 logprobs  two\n",
			redacted: `{"reply":"[redacted]","logprobs":[]}`,
			blocked:  withheld,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := placesOf(t, harbour, tt.answer); got != tt.places {
				t.Errorf("places:\n%swant\n%s", got, tt.places)
			}
			if got := relayed(harbour, tt.answer, detect.Redact); got != tt.redacted {
				t.Errorf("redacted: %s\nwant      %s", got, tt.redacted)
			}
			if got := relayed(harbour, tt.answer, detect.Block); got != tt.blocked {
				t.Errorf("blocked: %s\nwant     %s", got, tt.blocked)
			}
		})
	}
}

// TestHarbourPage makes sure that the code in docs/adding-an-api.md is the code above.
func TestHarbourPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/adding-an-api.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("harbour_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.+?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 4 {
		t.Errorf("the page has %d blocks of code, want 4", len(blocks))
	}
	for _, b := range blocks {
		if !bytes.Contains(source, b[1]) {
			t.Errorf("harbour_test.go has no such lines:\n%s", b[1])
		}
	}
}

// payloads are the messages of an answer in the table above, which are separated by
// "} {". An answer of several is a stream.
func payloads(answer string) []string {
	all := strings.SplitAfter(answer, "} ")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	return all
}

// placesOf writes the places of every message of an answer.
func placesOf(t *testing.T, family *wire.Family, answer string) string {
	t.Helper()
	l := wire.NewLocator(family, wire.SSE)
	var places strings.Builder
	for _, payload := range payloads(answer) {
		fields, err := l.Locate([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		places.WriteString(show(payload, fields))
	}
	return places.String()
}

// relayed sends an answer through a relay and returns the messages that leave.
func relayed(family *wire.Family, answer string, act detect.Action) string {
	spec, err := ngram.NewSpec(5, ngram.XXH64)
	if err != nil {
		return err.Error()
	}
	cfg := relay.Config{
		Family: family, Decision: relay.Decision{Judge: always(act), Hold: true, Block: act == detect.Block}, Mask: "[redacted]",
		Set: windowset.Index{Set: onlyRecord(spec, "one two three four five")}, Spec: spec,
	}
	messages := payloads(answer)
	if len(messages) == 1 {
		out, _, _ := relay.New(cfg).Whole(nil, []byte(answer)) // a blocked answer is an error too
		return string(out)
	}
	cfg.Framing = wire.SSE
	r := relay.New(cfg)
	out, err := r.Append(nil, []byte("data: "+strings.Join(messages, "\n\ndata: ")+"\n\n"))
	if err == nil {
		out, _ = r.Finish(out)
	}
	left := strings.ReplaceAll(strings.TrimPrefix(string(out), "data: "), "\n\ndata: ", " ")
	return strings.TrimSuffix(left, "\n\n")
}

// always is a judge that gives all findings one action.
type always detect.Action

// Judge implements [relay.Judge].
func (a always) Judge(*detect.Finding) detect.Action { return detect.Action(a) }

// Closed implements [relay.Judge].
func (always) Closed(*detect.Finding) {}

// record is the index of one text that is exactly one window long.
type record struct{ window ngram.Hash }

func onlyRecord(spec ngram.Spec, text string) record {
	s := ngram.NewScanner(spec.Suite)
	prefix := []uint64{0}
	for _, w := range s.Finish(s.Append(nil, []byte(text))) {
		prefix = append(prefix, ngram.Roll(prefix[len(prefix)-1], w.Hash))
	}
	return record{ngram.Gram(0, prefix[spec.N], spec.N)}
}

func (record) Gate2(ngram.Hash) bool      { return true }
func (record) Gate4(ngram.Hash) bool      { return true }
func (r record) Window(h ngram.Hash) bool { return h == r.window }
