package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// stays fails unless the answer is told in every mode, however it arrives, and
// no five words of the secret leave.
func stays(t *testing.T, family *wire.Family, in string) {
	t.Helper()
	cfg := testConfig(t)
	cfg.Family = family
	for _, mode := range []Decision{redacting, blocking, observing} {
		cfg.Decision = mode
		got := everySplit(t, cfg, in)
		if len(got.findings) == 0 {
			t.Errorf("%v: nothing found in %s", mode, in)
		}
		if mode == observing {
			if got.out != in {
				t.Errorf("%v: got %s", mode, got.out)
			}
			continue
		}
		if strings.Contains(got.out, "golf") {
			t.Errorf("%v: left in %s", mode, got.out)
		}
		if mode == blocking && !errors.Is(got.err, ErrBlocked) {
			t.Errorf("%v: error = %v", mode, got.err)
		}
		valid(t, got.out)
	}
}

// TestRelayPlaces: places that ought to hold a word of the protocol are read as
// soon as they hold anything else.
func TestRelayPlaces(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(secret+" ", 40)
	rest := []string{ends(0, "stop"), "[DONE]"}
	for _, text := range []string{secret, long} {
		q := string(mustJSON(text))
		for name, payload := range map[string]string{
			"finish_reason":  `{"choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":` + q + `}]}`,
			"stop_reason":    `{"choices":[{"index":0,"delta":{"content":"ok"},"stop_reason":` + q + `,"native_finish_reason":` + q + `}]}`,
			"id":             `{"id":` + q + `,"choices":[{"index":0,"delta":{"content":"ok"}}]}`,
			"model":          `{"model":` + q + `,"choices":[{"index":0,"delta":{"content":"ok"}}]}`,
			"obfuscation":    `{"choices":[{"index":0,"delta":{"content":"ok"}}],"obfuscation":` + q + `}`,
			"role":           delta(0, `"role":`+q+`,"content":"ok"`),
			"tool id":        delta(0, `"tool_calls":[{"index":0,"id":`+q+`,"function":{"name":"f"}}]`),
			"tool type":      delta(0, `"tool_calls":[{"index":0,"type":`+q+`,"function":{"name":"f"}}]`),
			"part type":      delta(0, `"content":[{"type":`+q+`,"text":"ok"}]`),
			"format":         delta(0, `"reasoning_details":[{"format":`+q+`,"text":"ok"}]`),
			"severity":       `{"choices":[{"index":0,"delta":{"content":"ok"},"content_filter_results":{"hate":{"severity":` + q + `}}}]}`,
			"filter":         `{"choices":[{"index":0,"delta":{"content":"ok"},"content_filter_results":{` + q + `:{}}}]}`,
			"prompt's token": `{"choices":[],"prompt_logprobs":[null,{` + q + `:{}}]}`,
		} {
			t.Run(fmt.Sprint(name, len(text)), func(t *testing.T) {
				t.Parallel()
				stays(t, api.ByName("openai.chat"), stream(append([]string{payload}, rest...)...))
			})
		}
	}
	t.Run("as they are", func(t *testing.T) {
		t.Parallel()
		in := stream(`{"id":"chatcmpl-9f1c2b7e4d5a4c0f8e6b3a2d1c0f9e8d","model":"org/model-3.1:free@v1","choices":[{"index":0,"delta":{"role":"assistant","content":"ok"},"finish_reason":"tool_calls"}]}`)
		if got := everySplit(t, testConfig(t), in); got.out != in || len(got.findings) > 0 {
			t.Errorf("got %s, %q", got.out, got.findings)
		}
	})
}

// TestRelayAlternatives: the alternatives of one rank are a text like the
// tokens that were chosen.
func TestRelayAlternatives(t *testing.T) {
	t.Parallel()
	tokens := strings.Split(strings.ReplaceAll(secret, " ", "| "), "|")
	chat := func(token string, at func(q string) string) string {
		return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"content":" x"},"logprobs":{"content":[{"token":" x",%s}]}}]}`, at(string(mustJSON(token))))
	}
	for name, write := range map[string]func(string) string{
		"rank 1": func(s string) string {
			return chat(s, func(q string) string { return `"top_logprobs":[{"token":` + q + `}]` })
		},
		"rank 2": func(s string) string {
			return chat(s, func(q string) string { return `"top_logprobs":[{"token":"banana"},{"token":` + q + `}]` })
		},
		"rank 20": func(s string) string {
			return chat(s, func(q string) string {
				return `"top_logprobs":[` + strings.Repeat(`{"token":"a"},`, 19) + `{"token":` + q + `}]`
			})
		},
		"bytes": func(s string) string {
			return chat(s, func(string) string {
				return `"top_logprobs":[{"token":"a"},{"token":"?","bytes":` + strings.ReplaceAll(fmt.Sprint([]byte(s)), " ", ",") + `}]`
			})
		},
		"completion": func(s string) string {
			return fmt.Sprintf(`{"choices":[{"index":0,"text":" x","logprobs":{"tokens":[" x"],"top_logprobs":[{" x":-1,%s:-2}]}}]}`, mustJSON(s))
		},
		"prompt": func(s string) string {
			return fmt.Sprintf(`{"choices":[{"index":0,"text":" x","prompt_logprobs":[{"5":{"decoded_token":"a"},"6":{"decoded_token":%s}}]}]}`, mustJSON(s))
		},
		"sglang": func(s string) string {
			return fmt.Sprintf(`{"choices":[{"index":0,"text":" x","meta_info":{"output_top_logprobs":[[[-1,5,"a"],[-2,6,%s]]]}}]}`, mustJSON(s))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var payloads []string
			for _, s := range tokens {
				payloads = append(payloads, write(s))
			}
			family := api.ByName("openai.completions")
			if strings.Contains(payloads[0], "delta") {
				family = api.ByName("openai.chat")
			}
			if name == "bytes" { // digits: no words to look for
				cfg := testConfig(t)
				if got := everySplit(t, cfg, stream(payloads...)); strings.Contains(got.out, "103,111,108,102") {
					t.Errorf("left in %s", got.out)
				}
				return
			}
			stays(t, family, stream(append(payloads, ends(0, "stop"), "[DONE]")...))
			stays(t, family, stream(`{"choices":[{"index":0,"text":"ok"}]}`, write(secret)))
		})
	}
	t.Run("clean", func(t *testing.T) {
		t.Parallel()
		var payloads []string
		for i := range 20 {
			payloads = append(payloads, chat(fmt.Sprint(" w", i), func(q string) string {
				return `"top_logprobs":[{"token":` + q + `},{"token":" alpha"},{"token":"bravo"}]`
			}))
		}
		in := stream(append(payloads, ends(0, "stop"), "[DONE]")...)
		if got := everySplit(t, testConfig(t), in); got.out != in || len(got.findings) > 0 {
			t.Errorf("got %s, %q", got.out, got.findings)
		}
	})
	t.Run("after the prompt", func(t *testing.T) {
		t.Parallel()
		cfg := testConfig(t)
		cfg.Detect.Prompt = &detect.Prompt{Messages: []*detect.Message{detect.NewMessage(cfg.Set, cfg.Spec, []byte("alpha bravo charlie delta"))}}
		in := stream(chat(" x", func(string) string { return `"top_logprobs":[{"token":" banana"},{"token":" echo"}]` }), ends(0, "stop"), "[DONE]")
		if got := everySplit(t, cfg, in); strings.Contains(got.out, "echo") {
			t.Errorf("left in %s", got.out)
		}
	})
}

// TestRelayAlternativesAllocs: a clean message with alternatives allocates
// nothing.
func TestRelayAlternativesAllocs(t *testing.T) {
	r := New(testConfig(t))
	var events [][]byte
	for i := range 64 {
		events = append(events, []byte(stream(fmt.Sprintf(`{"choices":[{"index":0,"delta":{"content":" w%d"},"logprobs":{"content":[{"token":" w%d","top_logprobs":[{"token":" w%d"},{"token":" alpha","bytes":[32,97]},{"token":" it"}]}]}}]}`, i, i, i))))
	}
	out := make([]byte, 0, 1<<20)
	i := 0
	next := func() {
		var err error
		if out, err = r.Append(out[:0], events[i%len(events)]); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range 256 {
		next()
	}
	if n := testing.AllocsPerRun(1000, next); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

// TestRelayFraming: the text around the payloads is one channel for each kind of line,
// however short the lines are.
func TestRelayFraming(t *testing.T) {
	t.Parallel()
	data := "data: " + delta(0, `"content":"ok"`) + "\n"
	joined := "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1\"}}]}}]}\n"
	for name, line := range map[string]string{
		"comments": ": %s\n\n", "comments, keep-alive": ": %s\n: ping\n\n:\n\n", "comments with data": ": %s\n" + data + "\n",
		"events": "event: %s\nevent: message\n" + data + "\n", "ids": "id: %s\n\n", "retry": "retry: %s\n\n",
		"events of joined data": "event: %s\n" + joined + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var in strings.Builder
			for _, w := range strings.Fields(secret) {
				fmt.Fprintf(&in, line, w)
			}
			stays(t, api.ByName("openai.chat"), in.String()+stream(ends(0, "stop"), "[DONE]"))
		})
	}
	for _, lines := range []string{
		strings.ReplaceAll(secret, " ", "\n") + "\n", "{\"alpha\":1}\n{\"bravo\":2}\n", "dat: alpha\n\n", " data: alpha\n\n", "data: alpha\n\n", "data: ping alpha\n\n", "data: ping\ndata: alpha\n\n", "alpha", "data : {}\n\n", "DATA: {}\n\n",
	} {
		t.Run(lines, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			in := contents(`"so "`) + lines
			if got := everySplit(t, cfg, in); !errors.Is(got.err, ErrRefused) || strings.Contains(got.out, "alpha") {
				t.Errorf("refuse: %v, %s", got.err, got.out)
			}
			cfg.Pass = true
			if got := everySplit(t, cfg, in); got.out != in || got.counts.Passed == 0 {
				t.Errorf("pass: %+v, %s", got.counts, got.out)
			}
			cfg.Decision = observing
			if got := everySplit(t, cfg, in); got.out != in || len(got.findings) > 0 != strings.Contains(lines, "golf") {
				t.Errorf("observe: %q, %s", got.findings, got.out)
			}
		})
	}
}

// TestRelayKeepAlives: comments and words that servers send to keep a connection alive
// leave at once.
func TestRelayKeepAlives(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		": ping\n\n", ":\n\n", ": OPENROUTER PROCESSING\n\n", "event: x\nid: 7\n\n", ": some other comment\r\n\r\n",
		"data: ping\n\n", "data:PING\r\n\r\n", "event: ping\ndata: keep-alive\n\n", "data: heartbeat \n\n", "data: [ping]\n\n", "data: \n\n",
	} {
		r := New(testConfig(t))
		for range 20 {
			if out, err := r.Append(nil, []byte(in)); err != nil || string(out) != in {
				t.Fatalf("%q became %q, %v", in, out, err)
			}
		}
	}
}

// TestRelayDoneLine: gateways end the streams of every API with [DONE].
func TestRelayDoneLine(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"openai.chat", "openai.responses", "anthropic.messages", "anthropic.complete", "gemini", "bedrock.invoke", "cohere.chat", "cohere.v1",
		"mistral.conversations", "ollama.chat", "tgi", "sglang.generate", "llamacpp.completion", "generic",
	} {
		cfg := testConfig(t)
		cfg.Family = api.ByName(name)
		const in = "data: {\"type\":\"ping\"}\n\ndata: [DONE]\n\n"
		for _, cfg.Decision = range []Decision{redacting, blocking} {
			if got := everySplit(t, cfg, in); got.out != in || got.err != nil {
				t.Errorf("%s: %q, %v", name, got.out, got.err)
			}
		}
	}
}

// TestIdentifiersInPlaces: an identifier is withheld where a family expects none, also as a
// number, and other ids and numbers stay.
func TestIdentifiersInPlaces(t *testing.T) {
	t.Parallel()
	const mail, card, phone = "ann.ray@example.net", "4111111111111111", "4155550100"
	call := func(id string) string {
		return `{"id":"c","created":1796000000,"choices":[{"index":0,"message":{"content":"ok","tool_calls":[{"id":` + id + `,"type":"function","function":{"name":"f","arguments":"{}"}}]}}],"usage":{"prompt_tokens":4155550101,"cost":0.4155550100}}`
	}
	for _, tt := range []struct{ family, value, other, body string }{
		{"openai.chat", `"` + mail + `"`, `"call_9f1c2b7e4d5a"`, call("VALUE")},
		{"openai.chat", card, "4111111111111112", `{"choices":[{"index":0,"message":{"content":"ok"}}],"zz":VALUE}`},
		{"openai.chat", card, "1796000000123456", `{"choices":[{"index":0,"message":{"content":VALUE}}]}`},
		{"openai.chat", phone, "1796000000", `{"choices":[{"index":0,"message":{"content":"ok","zz":[{"n":VALUE}]}}]}`},
		{"openai.chat", `"` + phone + `":1`, `"4155550101":1`, `{"choices":[],"zz":{VALUE}}`},
		{"anthropic.messages", `"` + mail + `"`, `"toolu_01A09q90qw90lq917835lq9"`, `{"type":"message","role":"assistant","content":[{"type":"tool_use","id":VALUE,"name":"f","input":{}}]}`},
		{"generic", card, "4111111111111112", `{"output":{"c":VALUE,"d":[VALUE]}}`},
		{"generic", phone, "4155550101", `{"output":{"text":"call","number":VALUE}}`},
		{"generic", card + ".0", "4111111111111112.0", `{"output":[VALUE]}`},
		{"bedrock.invoke", card, "4111111111111112", `{"c":VALUE}`},
		{"gemini", phone, "4155550101", `{"candidates":[{"index":0,"content":{"parts":[{"text":"ok","zz":VALUE}]}}]}`},
	} {
		cfg := testConfig(t)
		cfg.Family = api.ByName(tt.family)
		known := strings.TrimSuffix(strings.Trim(strings.TrimSuffix(tt.value, ":1"), `"`), ".0")
		cfg.Set = newBook(cfg.Spec, known)
		body := strings.ReplaceAll(tt.body, "VALUE", tt.value)
		o, _ := whole(cfg, body)
		if o.err != nil || len(o.findings) == 0 || strings.Contains(o.out, known) {
			t.Errorf("%s: %s leaves of %s, findings %q, %v", tt.family, o.out, body, o.findings, o.err)
		}
		if !json.Valid([]byte(o.out)) {
			t.Errorf("%s: %s is no JSON", tt.family, o.out)
		}
		clean := strings.ReplaceAll(tt.body, "VALUE", tt.other)
		if o, _ := whole(cfg, clean); o.out != clean || len(o.findings) > 0 {
			t.Errorf("%s: %s leaves of %s, findings %q", tt.family, o.out, clean, o.findings)
		}
	}
}

// TestCleanNumbers: times, prices, counts and random ids are no identifiers, though an index
// has many telephone numbers, among them all that look like times.
func TestCleanNumbers(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(8, 8))
	cfg := testConfig(t)
	var phones []string
	const now = 1_796_000_000
	for i := range 2000 {
		phones = append(phones, strconv.Itoa(now+i), strconv.Itoa(2_000_000_000+rnd.IntN(8_000_000_000)))
	}
	cfg.Set = newBook(cfg.Spec, phones...)
	for range 2000 {
		second := now + rnd.IntN(2000)
		id := fmt.Sprintf("%016x-%08x", rnd.Uint64(), rnd.Uint32())
		for family, body := range map[string]string{
			"openai.chat":        fmt.Sprintf(`{"id":"chatcmpl-%[1]s","created":%[2]d,"choices":[{"index":0,"message":{"content":"ok","tool_calls":[{"id":"call_%[1]s","function":{"name":"f","arguments":"{}"}}]}}],"usage":{"prompt_tokens":%[3]d},"zz":{"at":%[2]d123,"ns":%[2]d123456789,"price":%[4]f}}`, id, second, rnd.IntN(1e6), rnd.Float64()*1e9),
			"anthropic.messages": fmt.Sprintf(`{"type":"message","role":"assistant","content":[{"type":"tool_use","id":"toolu_%[1]s","name":"f","input":{}}],"zz":%[2]d}`, id, second),
			"generic":            fmt.Sprintf(`{"uuid":"%[1]s","time":%[2]d,"price":%[4]f,"rows":[[%[3]d,%[2]d,%[2]d.5]],"%[1]s":%[3]d}`, id, second, rnd.IntN(1e9), rnd.Float64()*1e9),
		} {
			cfg.Family = api.ByName(family)
			if o, _ := whole(cfg, body); o.out != body || len(o.findings) > 0 {
				t.Fatalf("%s: %s leaves of %s, findings %q", family, o.out, body, o.findings)
			}
		}
	}
}

// book is an index of phrases that begin nothing else.
type book struct {
	memory
	starts, phrases map[ngram.Hash]bool
}

func (b *book) Has() (ledger, phrases, words bool)             { return false, true, false }
func (b *book) Start(h ngram.Hash) bool                        { return b.starts[h] }
func (b *book) Phrase(h ngram.Hash) (p ngram.Phrase, has bool) { return p, b.phrases[h] }

func newBook(spec ngram.Spec, phrases ...string) *book {
	b := &book{memory: newMemory(spec, ""), starts: map[ngram.Hash]bool{}, phrases: map[ngram.Hash]bool{}}
	for _, text := range phrases {
		s := ngram.NewScanner(spec.Suite)
		words, prefix := s.Finish(s.Append(nil, []byte(text))), uint64(0)
		for k, w := range words {
			prefix = ngram.Roll(prefix, w.Hash)
			h := ngram.Gram(0, prefix, k+1)
			b.starts[h] = true
			b.phrases[h] = k == len(words)-1
		}
	}
	return b
}
