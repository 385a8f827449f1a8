package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/internal/raced"
	"noecho/proxy/wire/api"
)

// TestKnownFailures are failures of other proxies and clients, each named after
// the report of it.
func TestKnownFailures(t *testing.T) {
	t.Parallel()
	leak := "so " + secret + " ok"
	t.Run("BerriAI/litellm#41611: a text cut between two deltas", func(t *testing.T) {
		t.Parallel()
		for i := range len(leak) + 1 {
			in := contents(string(mustJSON(leak[:i])), string(mustJSON(leak[i:])))
			if got := contentOf(t, relayed(testConfig(t), in).out); got != "so [redacted] ok" {
				t.Errorf("cut at %d: %q", i, got)
			}
		}
	})
	t.Run("api7/aisix#204: only one of streamed and unstreamed is read", func(t *testing.T) {
		t.Parallel()
		body, _ := whole(testConfig(t), fmt.Sprintf(`{"choices":[{"message":{"content":%q}}]}`, leak))
		if s, b := contentOf(t, relayed(testConfig(t), contents(string(mustJSON(leak)))).out), contentOf(t, body.out); s != b || strings.Contains(s, "bravo") {
			t.Errorf("streamed %q, unstreamed %q", s, b)
		}
	})
	t.Run("api7/aisix#1106: reasoning is never masked", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"reasoning", "reasoning_content", "reasoning_text"} {
			in := stream(delta(0, fmt.Sprintf(`%q:%q`, name, leak)), "[DONE]")
			if out := relayed(testConfig(t), in).out; !strings.Contains(out, "so [redacted] ok") {
				t.Errorf("%s: %s", name, out)
			}
		}
	})
	t.Run("BerriAI/litellm#20027: chunks vanish without a hit", func(t *testing.T) {
		t.Parallel()
		text := strings.Repeat("some words of no record, ", 15)
		if got := everySplit(t, testConfig(t), contents(words(text)...)); contentOf(t, got.out) != strings.TrimRight(strings.Join(strings.Fields(text), " "), " ") {
			t.Error("text was lost")
		}
	})
	t.Run("praxis-proxy/ai#266: tool deltas of two calls in turn", func(t *testing.T) {
		t.Parallel()
		var in []string
		for i, a := range []string{`{\"q\":\"alpha`, ` bravo charlie`, ` delta echo`, ` ok\"}`} {
			in = append(in, delta(0, fmt.Sprintf(`"tool_calls":[{"index":0,"function":{"arguments":"%s"}},{"index":1,"function":{"arguments":"%d"}}]`, a, i)))
		}
		got := everySplit(t, testConfig(t), stream(append(in, ends(0, "tool_calls"), "[DONE]")...))
		var args [2]string
		for event := range strings.SplitSeq(got.out, "\n\n") {
			var chunk struct {
				Choices []struct {
					Delta struct {
						ToolCalls []struct {
							Index    int
							Function struct{ Arguments string }
						} `json:"tool_calls"`
					}
				}
			}
			if json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &chunk) == nil && len(chunk.Choices) > 0 {
				for _, c := range chunk.Choices[0].Delta.ToolCalls {
					args[c.Index] += c.Function.Arguments
				}
			}
		}
		if args != [2]string{`{"q":"[redacted] ok"}`, "0123"} {
			t.Errorf("arguments = %q", args)
		}
	})
	t.Run("NousResearch/hermes-agent#42846: a closing quote is eaten", func(t *testing.T) {
		t.Parallel()
		for _, end := range []string{`"}`, `\""}`, `\\"}`, `\n"}`, `","x":1}`} {
			arguments := `{"q":"` + secret + end
			in := fmt.Sprintf(`{"choices":[{"message":{"tool_calls":[{"function":{"arguments":%s}}]}}]}`, mustJSON(arguments))
			want := fmt.Sprintf(`{"choices":[{"message":{"tool_calls":[{"function":{"arguments":%s}}]}}]}`, mustJSON(`{"q":"[redacted]`+end))
			if got, _ := whole(testConfig(t), in); got.out != want {
				t.Errorf("got %s, want %s", got.out, want)
			}
		}
	})
	t.Run("api7/aisix#1008: masking writes the body anew", func(t *testing.T) {
		t.Parallel()
		in := "{\n  \"z\": 1.0e+02, \"choices\" : [{\"message\":{\"content\":\"" + secret + "\"}, \"index\":0}], \"a\": \"\\u00e9\\/\", \"big\": 12345678901234567890 }\n"
		if got, _ := whole(testConfig(t), in); got.out != strings.Replace(in, secret, "[redacted]", 1) {
			t.Errorf("got %s", got.out)
		}
	})
	t.Run("sgl-project/sglang#19611: empty lists for logprobs", func(t *testing.T) {
		t.Parallel()
		in := fmt.Sprintf(`{"choices":[{"text":%q,"logprobs":{"tokens":["so"],"token_logprobs":[0],"text_offset":[0]}}]}`, leak)
		cfg := testConfig(t)
		cfg.Family = api.ByName("openai.completions")
		if got, _ := whole(cfg, in); got.out != `{"choices":[{"text":"so [redacted] ok","logprobs":null}]}` {
			t.Errorf("got %s", got.out)
		}
	})
	t.Run("katanemo/plano#980: characters cut by the network", func(t *testing.T) {
		t.Parallel()
		in := contents(`"日本語 😀 é `+secret+` 中文"`, `"ไทย"`)
		if got := everySplit(t, testConfig(t), in); contentOf(t, got.out) != "日本語 😀 é [redacted] 中文ไทย" {
			t.Errorf("got %s", got.out)
		}
	})
	t.Run("mnfst/llm-gateway#2053 and theopenco/llmgateway#2334: comments and meta blocks", func(t *testing.T) {
		t.Parallel()
		in := ": keep-alive\n\nid: 1\n\nretry: 10\n\n: x\nid: 2\n\n" + contents(`"so "`) + ": bye\n\n"
		if got := everySplit(t, testConfig(t), in); got.out != in {
			t.Errorf("got %q", got.out)
		}
	})
	t.Run("modelcontextprotocol/typescript-sdk#1926: U+2028 ends a line", func(t *testing.T) {
		t.Parallel()
		in := contents("\"a\u2028b " + secret + "\u2029c\"")
		if got := everySplit(t, testConfig(t), in); got.out != contents("\"a\u2028b [redacted]\u2029c\"") {
			t.Errorf("got %q", got.out)
		}
	})
	t.Run("pydantic/pydantic-ai#164: chunks without choices", func(t *testing.T) {
		t.Parallel()
		in := stream(`{"choices":[]}`, `{"choices":[{"index":0}]}`, `{}`, `{"choices":[],"usage":{}}`, "[DONE]")
		if got := everySplit(t, testConfig(t), in); got.out != in {
			t.Errorf("got %q", got.out)
		}
	})
}

// TestRelayEcho: words that the caller sent are reported and leave.
func TestRelayEcho(t *testing.T) {
	t.Parallel()
	for _, mode := range []Decision{redacting, blocking, observing} {
		cfg := testConfig(t)
		cfg.Decision = mode
		cfg.Detect.Prompt = &detect.Prompt{Messages: []*detect.Message{detect.NewMessage(cfg.Set, cfg.Spec, []byte("you said: "+secret))}}
		in := contents(words("you said " + secret + " and more")...)
		got := everySplit(t, cfg, in)
		if got.out != in || got.err != nil || len(got.findings) != 1 || !strings.HasPrefix(got.findings[0], "echo choices.0.content") {
			t.Errorf("%v: %v, findings %q\n%s", mode, got.err, got.findings, got.out)
		}
	}
}

// TestRelayStrict: the strict release gives the same bytes.
func TestRelayStrict(t *testing.T) {
	t.Parallel()
	for _, tt := range streamCases {
		cfg := testConfig(t)
		cfg.Detect.Release = detect.Strict
		if got := relayed(cfg, tt.in); got.out != tt.want {
			t.Errorf("%s: got\n%swant\n%s", tt.name, got.out, tt.want)
		}
	}
}

// TestRelayMemory: the memory of a relay does not grow with the answer, for answers of
// many shapes.
func TestRelayMemory(t *testing.T) {
	shapes := map[string]func(i int) string{
		"words":        func(i int) string { return delta(0, `"content":" some words of it"`) },
		"no space":     func(i int) string { return delta(0, `"content":"abcdefghijklmnopqrstuvwxyz"`) },
		"no letter":    func(i int) string { return delta(0, `"content":"........................ "`) },
		"leaks":        func(i int) string { return delta(0, `"content":" `+secret+`"`) },
		"other member": func(i int) string { return fmt.Sprintf(`{"x":"word %d","y":[["z"]]}`, i) },
		"arguments":    func(i int) string { return delta(0, `"tool_calls":[{"index":3,"function":{"arguments":"[[\"\\\\ "}}]`) },
		"alternating":  func(i int) string { return delta(0, [...]string{`"content":"a "`, `"reasoning":"b "`}[i%2]) },
		"comments":     func(i int) string { return "" },
	}
	for name, shape := range shapes {
		for _, mode := range []Decision{redacting, observing} {
			cfg := testConfig(t)
			cfg.Decision = mode
			r := New(cfg)
			var out []byte
			grow := func(n int) {
				for i := range n {
					var err error
					if out, err = r.Append(out[:0], []byte(stream(shape(i)))); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					r.Take(nil)
				}
			}
			heap := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			grow(1000)
			before := heap()
			grow(raced.Fewer(10_000))
			after := heap()
			for range 5 { // garbage of other tests may still have to be collected
				if after <= before+256<<10 {
					break
				}
				after = heap()
			}
			if after > before+256<<10 {
				t.Errorf("%s, %v: %d KiB more after ten times as much", name, mode, (after-before)>>10)
			}
			runtime.KeepAlive(r)
		}
	}
}

// TestRelayDone: of an answer that nobody waits for any more nothing leaves, and it does
// not look complete.
func TestRelayDone(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	close(done)
	for _, decision := range []Decision{redacting, blocking} {
		cfg := testConfig(t)
		cfg.Decision, cfg.Detect.Done = decision, done
		body := `{"choices":[{"index":0,"message":{"content":"it is clean"}}]}`
		if o, status := whole(cfg, body); !errors.Is(o.err, ErrRefused) || status != 400 || strings.Contains(o.out, "clean") {
			t.Errorf("%v: %d %q, %v", decision, status, o.out, o.err)
		}
		stream := "data: " + strings.Replace(body, "message", "delta", 1) + "\n\ndata: [DONE]\n\n"
		if o := relayed(cfg, stream); !errors.Is(o.err, ErrRefused) || strings.Contains(o.out, "clean") || strings.Contains(o.out, "DONE") {
			t.Errorf("%v: %q, %v", decision, o.out, o.err)
		}
	}
}
