package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/internal/raced"
	"noecho/internal/windowset"
	"noecho/ngram"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// secret is the text that the model was trained on. Windows have five words.
const secret = "alpha bravo charlie delta echo foxtrot golf"

// memory is an exact set of windows and their short grams.
type memory struct {
	windowset.Index
	gate2, gate4, window map[ngram.Hash]bool
}

func (m memory) Gate2(h ngram.Hash) bool  { return m.gate2[h] }
func (m memory) Gate4(h ngram.Hash) bool  { return m.gate4[h] }
func (m memory) Window(h ngram.Hash) bool { return m.window[h] }

func newMemory(spec ngram.Spec, texts ...string) memory {
	m := memory{windowset.Index{}, map[ngram.Hash]bool{}, map[ngram.Hash]bool{}, map[ngram.Hash]bool{}}
	for _, text := range texts {
		s := ngram.NewScanner(spec.Suite)
		words := s.Finish(s.Append(nil, []byte(text)))
		prefix := make([]uint64, len(words)+1)
		for i, w := range words {
			prefix[i+1] = ngram.Roll(prefix[i], w.Hash)
		}
		add := func(set map[ngram.Hash]bool, k int) {
			for i := 0; i+k <= len(words); i++ {
				set[ngram.Gram(prefix[i], prefix[i+k], k)] = true
			}
		}
		if len(words) >= spec.N {
			add(m.gate2, 2)
			add(m.gate4, 4)
			add(m.window, spec.N)
		}
	}
	return m
}

// The decisions, named as the modes of a configuration.
var (
	observing = Decision{Judge: always(detect.Observe)}
	redacting = Decision{Judge: always(detect.Redact), Hold: true}
	blocking  = Decision{Judge: always(detect.Block), Hold: true, Block: true}
)

// always is a judge that gives all findings one action.
type always detect.Action

// Judge implements [Judge].
func (a always) Judge(*detect.Finding) detect.Action { return detect.Action(a) }

// Closed implements [Judge].
func (always) Closed(*detect.Finding) {}

// String returns the mode that a decision is made of.
func (d Decision) String() string {
	return d.Judge.Judge(nil).String()
}

// testConfig is a chat stream in redact mode against an index of secret.
func testConfig(t testing.TB) Config {
	t.Helper()
	spec, err := ngram.NewSpec(5, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Family: api.ByName("openai.chat"), Framing: wire.SSE, Decision: redacting, Mask: "[redacted]",
		Set: newMemory(spec, secret), Spec: spec,
	}
}

// outcome has the bytes, findings and counts of an answer that went through a relay.
type outcome struct {
	out      string
	err      error
	findings []string // "redacted choices.0.content 5-47 7 words"
	counts   Counts
}

// relayed sends a streamed body through a relay in pieces that end at the
// given offsets.
func relayed(cfg Config, body string, at ...int) outcome {
	var o outcome
	r := New(cfg)
	var out []byte
	from := 0
	for _, to := range append(at, len(body)) {
		out, o.err = r.Append(out, []byte(body[from:to]))
		o.take(r)
		if o.err != nil {
			out, _ = r.Append(out, []byte(body[to:])) // bytes after the end count too
			break
		}
		from = to
	}
	if o.err == nil {
		out, o.err = r.Finish(out)
	}
	o.take(r)
	o.out, o.counts = string(out), r.Counts()
	return o
}

// whole sends an unstreamed body through a relay.
func whole(cfg Config, body string) (outcome, int) {
	var o outcome
	cfg.Framing = wire.JSON
	r := New(cfg)
	out, status, err := r.Whole(nil, []byte(body))
	o.take(r)
	o.out, o.err, o.counts = string(out), err, r.Counts()
	return o, status
}

// take notes the findings that a relay has closed.
func (o *outcome) take(r *Relay) {
	for _, f := range r.Take(nil) {
		action := [...]string{"observed", "redacted", "blocked"}[f.Action]
		if f.Finding.Echo {
			action = "echo"
		}
		line := fmt.Sprintf("%s %s %d-%d %d words", action, f.Channel, f.Finding.Span.Lo, f.Finding.Span.Hi, f.Finding.Words)
		if f.Finding.Resumed {
			line += " resumed"
		}
		if n := len(f.Finding.Parts); n > 0 {
			line += fmt.Sprintf(" in %d parts", n)
		}
		o.findings = append(o.findings, line)
	}
}

// check fails if two ways to send one body differ.
func check(t *testing.T, got, want outcome, how ...any) {
	t.Helper()
	slices.Sort(got.findings)
	slices.Sort(want.findings)
	if got.out != want.out || !errors.Is(got.err, want.err) || !slices.Equal(got.findings, want.findings) {
		t.Fatalf("%v:\ngot  %q, %v, %q\nwant %q, %v, %q", how, got.out, got.err, got.findings, want.out, want.err, want.findings)
	}
	if got.counts.Scanned != want.counts.Scanned || got.counts.Passed != want.counts.Passed || got.counts.Refused != want.counts.Refused {
		t.Fatalf("%v: counts = %+v, want %+v", how, got.counts, want.counts)
	}
}

// everySplit sends a body in every two pieces, byte by byte and in random
// pieces, and returns the outcome, which has to be the same each time.
func everySplit(t *testing.T, cfg Config, body string) outcome {
	t.Helper()
	want := relayed(cfg, body)
	sum := want.counts.Scanned + want.counts.Passed + want.counts.Refused
	if sum != int64(len(body)) {
		t.Fatalf("%d bytes received, %+v", len(body), want.counts)
	}
	splits, rounds := 400, 50
	if len(body) > splits { // too large for every split
		splits, rounds = 250, 200
	}
	if raced.On {
		splits, rounds = 6, 1 // all of them run without the detector
	}
	step := max(1, len(body)/splits)
	for i := 0; i <= len(body); i += step {
		check(t, relayed(cfg, body, i), want, "cut at", i)
	}
	var each []int
	for i := range len(body) {
		each = append(each, i)
	}
	check(t, relayed(cfg, body, each...), want, "byte by byte")
	rnd := rand.New(rand.NewPCG(1, uint64(len(body))))
	for range rounds {
		at := randomCuts(rnd, len(body))
		check(t, relayed(cfg, body, at...), want, "cut at", at)
	}
	return want
}

func randomCuts(rnd *rand.Rand, n int) []int {
	var at []int
	for range 1 + rnd.IntN(12) {
		at = append(at, rnd.IntN(n+1))
	}
	slices.Sort(at)
	return at
}

// stream writes payloads as the events of a stream.
func stream(payloads ...string) string {
	var b strings.Builder
	for _, p := range payloads {
		b.WriteString("data: " + p + "\n\n")
	}
	return b.String()
}

// delta writes a chunk of one choice.
func delta(choice int, members string) string {
	return fmt.Sprintf(`{"id":"c","created":7,"model":"m","choices":[{"index":%d,"delta":{%s},"finish_reason":null}]}`, choice, members)
}

// ends writes the chunk that ends a choice.
func ends(choice int, reason string) string {
	return fmt.Sprintf(`{"id":"c","created":7,"model":"m","choices":[{"index":%d,"delta":{},"finish_reason":%q}]}`, choice, reason)
}

// contents writes a stream of one choice whose content comes in pieces.
func contents(pieces ...string) string {
	var payloads []string
	for _, p := range pieces {
		payloads = append(payloads, delta(0, `"content":`+p))
	}
	return stream(append(payloads, ends(0, "stop"), "[DONE]")...)
}

// words cuts a text into JSON strings of one word each, spaces in front.
func words(text string) []string {
	var out []string
	for i, w := range strings.Fields(text) {
		if i > 0 {
			w = " " + w
		}
		out = append(out, string(mustJSON(w)))
	}
	return out
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
