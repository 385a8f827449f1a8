package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

const blockedBody = `{"error":{"message":"withheld: the answer would repeat training data","type":"invalid_request_error","param":null,"code":"content_filter"}}`

func TestWhole(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		family   *wire.Family
		in, want string
		findings string
	}{
		{
			"chat",
			api.ByName("openai.chat"),
			` {"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"so alpha bravo\ncharlie delta echo!","refusal":null,"annotations":[{"url_citation":{"start_index":3}}]},"logprobs":{"content":[{"token":"so"}]},"finish_reason":"stop"},{"index":1,"message":{"content":"fine"},"logprobs":{"content":[]},"finish_reason":"stop"}],"prompt_token_ids":[1],"usage":{"total_tokens":9}} `,
			` {"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"so [redacted]!","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"},{"index":1,"message":{"content":"fine"},"logprobs":{"content":[]},"finish_reason":"stop"}],"prompt_token_ids":null,"usage":{"total_tokens":9}} `,
			"redacted choices.0.content 3-33 5 words",
		},
		{
			"arguments",
			api.ByName("openai.chat"),
			`{"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"q\":\"alpha bravo\",\"r\":[\"charlie\",\"delta\\u0020echo\"]}"}},{"function":{"arguments":{"q" : "alpha bravo charlie delta echo", "n" : 5}}}]}}]}`,
			`{"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"q\":\"[redacted]\",\"r\":[\"[redacted]\",\"[redacted]\"]}"}},{"function":{"arguments":{"q" : "[redacted]", "n" : 5}}}]}}]}`,
			"redacted choices.0.tool_calls.1.arguments 8-38 5 words\nredacted choices.0.tool_calls.0.arguments 6-17 5 words in 2 parts",
		},
		{
			"a completion",
			api.ByName("openai.completions"),
			`{"choices":[{"text":"alpha bravo charlie delta echo","index":0,"logprobs":{"tokens":["alpha"],"top_logprobs":[{"alpha":-1}]}}]}`,
			`{"choices":[{"text":"[redacted]","index":0,"logprobs":null}]}`,
			"redacted choices.0.text 0-30 5 words",
		},
		{
			"all of an array",
			api.ByName("openai.chat"),
			`{"citations":["alpha bravo charlie","delta echo foxtrot","or alpha bravo charlie delta echo"]}`,
			`{"citations":["[redacted]","","or [redacted]"]}`,
			"redacted citations.[] 1-39 6 words\nredacted citations.[] 43-73 5 words",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			cfg.Family = tt.family
			got, status := whole(cfg, tt.in)
			if got.out != tt.want || status != 0 || got.err != nil || strings.Join(got.findings, "\n") != tt.findings {
				t.Errorf("status %d, error %v, findings %q\ngot  %s\nwant %s", status, got.err, got.findings, got.out, tt.want)
			}
			if !json.Valid([]byte(got.out)) {
				t.Errorf("%s is no JSON", got.out)
			}
			cfg.Decision = blocking
			got, status = whole(cfg, tt.in)
			if got.out != blockedBody || status != 400 || !errors.Is(got.err, ErrBlocked) || !strings.HasPrefix(got.findings[0], "blocked ") {
				t.Errorf("block: status %d, error %v, findings %q\n%s", status, got.err, got.findings, got.out)
			}
			cfg.Decision = observing
			got, status = whole(cfg, tt.in)
			if got.out != tt.in || status != 0 || got.err != nil || !strings.HasPrefix(got.findings[0], "observed ") {
				t.Errorf("observe: status %d, error %v, findings %q\n%s", status, got.err, got.findings, got.out)
			}
			if got.counts.Scanned != int64(len(tt.in)) {
				t.Errorf("counts = %+v", got.counts)
			}
		})
	}
}

func TestWholeUnscannable(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"<html>", `{"choices":[`, `{"a":"b"} c`, `{"a":1,"a":2}`, "\x00", `{"choices":[{"index":0},{"index":0}]}`,
		`[1.]`, `[-]`, `["\u00zz"]`, "[\"\t\"]", `{"a"}`, `nul`, `{"a":"b",}`, "\xEF\xBB\xBF{}", `[1,,2]`, `"`, strings.Repeat("[", 1e6),
	} {
		cfg := testConfig(t)
		got, status := whole(cfg, body)
		want := strings.TrimSuffix(strings.TrimPrefix(refusedEvent, "data: "), "\n\n")
		if got.out != want || status != 400 || !errors.Is(got.err, ErrRefused) || got.counts.Refused != int64(len(body)) || got.counts.Scanned+got.counts.Passed != 0 {
			t.Errorf("%.20q refused: %d, %v, %+v, %s", body, status, got.err, got.counts, got.out)
		}
		cfg.Pass = true
		got, status = whole(cfg, body)
		if got.out != body || status != 0 || got.err != nil || got.counts.Passed != int64(len(body)) || got.counts.Scanned+got.counts.Refused != 0 {
			t.Errorf("%.20q passed: %d, %v, %+v, %.20s", body, status, got.err, got.counts, got.out)
		}
	}
}

// TestWholeError: error bodies are read too, JSON or not.
func TestWholeError(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Status = 502
	for in, want := range map[string]string{
		"":                "",
		"<h1>Bad gateway": "<h1>Bad gateway",
		"cannot parse alpha bravo charlie delta echo":                         "cannot parse [redacted]",
		`{"error":{"message":"cannot parse alpha bravo charlie delta echo"}}`: `{"error":{"message":"cannot parse [redacted]"}}`,
	} {
		got, status := whole(cfg, in)
		if got.out != want || status != 0 || got.err != nil || got.counts.Scanned != int64(len(in)) {
			t.Errorf("%q: %d, %v, %+v, %q", in, status, got.err, got.counts, got.out)
		}
	}
	cfg.Status = 200
	if got, status := whole(cfg, ""); got.out != "" || status != 0 || got.err != nil {
		t.Errorf("empty: %d, %v, %q", status, got.err, got.out)
	}
}

// answer is an answer in random words, streamed and not.
type answer struct {
	text, stream, body string
}

// randomAnswer mixes clean words with pieces of the secret and writes them as a
// stream of random deltas and as one body.
func randomAnswer(rnd *rand.Rand) answer {
	vocabulary := append(strings.Fields(secret), "one", "two", "né", "\"", "\\", "日本", "3.5", ",", "don't")
	all := strings.Fields(secret)
	var parts []string
	for range rnd.IntN(30) {
		if rnd.IntN(6) == 0 {
			lo := rnd.IntN(len(all))
			parts = append(parts, all[lo:lo+1+rnd.IntN(len(all)-lo)]...)
		}
		parts = append(parts, vocabulary[rnd.IntN(len(vocabulary))])
	}
	text := strings.Join(parts, " ")
	var payloads []string
	for runes := []rune(text); len(runes) > 0; {
		n := min(len(runes), 1+rnd.IntN(12))
		payloads = append(payloads, delta(0, `"content":`+string(mustJSON(string(runes[:n])))))
		if rnd.IntN(5) == 0 {
			payloads = append(payloads, `{"choices":[]}`)
		}
		runes = runes[n:]
	}
	payloads = append(payloads, ends(0, "stop"), "[DONE]")
	return answer{text, stream(payloads...), fmt.Sprintf(`{"choices":[{"index":0,"message":{"content":%s}}]}`, mustJSON(text))}
}

// contentOf joins the content of a stream's choice 0, or reads it from a body.
func contentOf(t *testing.T, out string) string {
	t.Helper()
	type message struct{ Content string }
	var chunk struct {
		Choices []struct{ Delta, Message message }
	}
	var b strings.Builder
	for event := range strings.SplitSeq(out, "\n\n") {
		payload := strings.TrimPrefix(event, "data: ")
		if payload == "" || payload == "[DONE]" {
			continue
		}
		chunk.Choices = nil
		if err := json.Unmarshal([]byte(payload), &chunk); err != nil {
			t.Fatalf("%v in %q", err, payload)
		}
		for _, c := range chunk.Choices {
			b.WriteString(c.Delta.Content + c.Message.Content)
		}
	}
	return b.String()
}

// FuzzRelaySplit: the same answer gives the same bytes and findings however it arrives,
// and the same text as unstreamed. A clean answer is untouched, and a blocked one is the
// clean text before the span.
func FuzzRelaySplit(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, uint8(i))
	}
	f.Fuzz(func(t *testing.T, seed uint64, mode uint8) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		a := randomAnswer(rnd)
		cfg := testConfig(t)
		want := relayed(cfg, a.stream)
		redactedText := contentOf(t, want.out)
		unstreamed, _ := whole(cfg, a.body)
		if got := contentOf(t, unstreamed.out); got != redactedText {
			t.Fatalf("%q: streamed %q, unstreamed %q", a.text, redactedText, got)
		}
		if len(want.findings) == 0 && want.out != a.stream || len(want.findings) != len(unstreamed.findings) {
			t.Fatalf("%q: %q, findings %q and %q", a.text, want.out, want.findings, unstreamed.findings)
		}
		cfg.Decision = []Decision{redacting, blocking, observing}[mode%3]
		want = relayed(cfg, a.stream)
		if cfg.Decision == blocking {
			clean, _, _ := strings.Cut(redactedText, "[redacted]")
			if got := contentOf(t, want.out); got != clean {
				t.Fatalf("%q: blocked after %q, clean is %q", a.text, got, clean)
			}
		}
		for range 4 {
			at := randomCuts(rnd, len(a.stream))
			check(t, relayed(cfg, a.stream, at...), want, "cut at", at, a.text)
		}
	})
}

// FuzzRelayBytes: every byte of any body is accounted for, and in observe mode the body
// leaves as it came.
func FuzzRelayBytes(f *testing.F) {
	for _, tt := range streamCases {
		f.Add([]byte(tt.in), uint64(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		at := randomCuts(rnd, len(body))
		for _, mode := range []Decision{redacting, blocking, observing} {
			for _, pass := range []bool{false, true} {
				cfg := testConfig(t)
				cfg.Decision = mode
				cfg.Pass = pass
				want := relayed(cfg, string(body))
				check(t, relayed(cfg, string(body), at...), want, "cut at", at)
				c := want.counts
				if c.Scanned+c.Passed+c.Refused != int64(len(body)) || c.Held != 0 {
					t.Fatalf("%q: %+v", body, c)
				}
				clean := len(want.findings) == 0 && want.err == nil
				if (mode == observing || clean) && want.out != string(body) {
					t.Fatalf("%q became %q", body, want.out)
				}
				got, _ := whole(cfg, string(body))
				if c := got.counts; c.Scanned+c.Passed+c.Refused != int64(len(body)) {
					t.Fatalf("whole %q: %+v", body, c)
				}
			}
		}
	})
}

// TestRelayErrorInPieces: an error whose body is a stream with another label is
// not read as the text of a page: its messages carry a text in pieces.
func TestRelayErrorInPieces(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"data: {\"text\":\"alpha bra\"}\n\ndata: {\"text\":\"vo charlie delta echo\"}\n\n",
		"event: a\rdata:{\"text\":\"alpha bra\"}\r\rdata:{\"text\":\"vo charlie delta echo\"}\r\r",
		"{\"text\":\"alpha bra\"}\r\n{\"text\":\"vo charlie delta echo\"}\r\n",
	} {
		cfg := testConfig(t)
		cfg.Status = 500
		o, status := whole(cfg, body)
		if !errors.Is(o.err, ErrRefused) || status != 400 || strings.Contains(o.out, "charlie") {
			t.Errorf("%q: %d, %v, %s", body, status, o.err, o.out)
		}
	}
	cfg := testConfig(t)
	cfg.Status = 502
	const page = "<html>\n{'detail': 'no model'}\n</html>"
	if o, status := whole(cfg, page); o.out != page || status != 0 || o.err != nil {
		t.Errorf("%d, %v, %s", status, o.err, o.out)
	}
}
