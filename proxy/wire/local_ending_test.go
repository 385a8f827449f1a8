package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// ended is how a stream of lines or events ends of which the given messages
// have left, one a line.
func ended(f Family, framing Framing, sent string, open ...int32) string {
	e := f.NewEnding()
	for line := range strings.Lines(sent) {
		e.Sent([]byte(strings.TrimSpace(line)))
	}
	w := Writer{Framer: NewFramer(framing, f.Paths()), Begun: HasBegun}
	e.Write(&w, open)
	w.Close()
	return string(w.Out)
}

func TestLocalEnding(t *testing.T) {
	t.Parallel()
	const first = `{"model":"llama3.2","created_at":"2026-03-04T10:20:30Z","message":{"content":"a"},"done":false}` + "\n"
	const token = `{"index":1,"token":{"id":3,"text":"a \"b","logprob":-1,"special":false},"generated_text":null}` + "\n"
	const special = `{"index":2,"token":{"id":1,"text":"<s>","special":true},"generated_text":null}` + "\n"
	tests := []struct {
		name    string
		family  Family
		framing Framing
		sent    string
		open    []int32
		want    string
	}{
		{"ollama chat", OllamaChat{}, Lines, first, []int32{0}, `{"model":"llama3.2","created_at":"2026-03-04T10:20:30Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"content_filter"}` + "\n"},
		{"ollama generate", OllamaGenerate{}, Lines, `{"model":"a b","response":"c"}`, []int32{0}, `{"response":"","done":true,"done_reason":"content_filter"}` + "\n"},
		{"ollama, done", OllamaChat{}, Lines, first + `{"model":"m","done":true}`, []int32{0}, ""},
		{
			"llama.cpp",
			LlamaCPP{},
			SSE, `{"index":0,"content":"a"}` + "\n" + `{"index":2,"content":"a"}`,
			[]int32{0, 2},
			`data: {"index":0,"content":"","tokens":[],"stop":true,"stop_type":"word","stopping_word":""}` + "\n\n" + `data: {"index":2,"content":"","tokens":[],"stop":true,"stop_type":"word","stopping_word":""}` + "\n\n",
		},
		{
			"OpenAI's choices",
			LlamaCPP{},
			SSE, `{"id":"c","choices":[{"index":0,"text":"a"}]}`,
			[]int32{0},
			`data: {"id":"c","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"content_filter"}]}` + "\n\ndata: [DONE]\n\n",
		},
		{
			"tgi",
			TGI{},
			SSE, token + special,
			[]int32{0},
			`data: {"index":3,"token":{"id":0,"text":"","logprob":0,"special":true},"generated_text":"a \"b","details":{"finish_reason":"stop_sequence","generated_tokens":2,"seed":null}}` + "\n\n",
		},
		{"tgi, over", Generate{}, SSE, token + `{"token":{"text":""},"generated_text":"a","details":{}}`, nil, ""},
		{
			"tgi, long",
			TGI{},
			SSE, `{"index":1,"token":{"text":"` + strings.Repeat("a", maxLastText+1) + `"}}`,
			[]int32{0},
			`data: {"index":2,"token":{"id":0,"text":"","logprob":0,"special":true},"generated_text":null,"details":{"finish_reason":"stop_sequence","generated_tokens":1,"seed":null}}` + "\n\n",
		},
		{
			"sglang",
			SGLang{},
			SSE, `{"text":"a","output_ids":[1],"meta_info":{"id":"x1","finish_reason":null,"prompt_tokens":3,"note":"b c"}}` + "\n" + `{"text":"a b","meta_info":{"id":"x1","prompt_tokens":3}}`,
			[]int32{0},
			`data: {"text":"a b","output_ids":[],"meta_info":{"id":"x1","prompt_tokens":3,"finish_reason":{"type":"content_filter"}}}` + "\n\ndata: [DONE]\n\n",
		},
		{
			"sglang, pieces",
			Generate{},
			SSE, `{"text":"a","meta_info":{},"index":1}` + "\n" + `{"text":" b","meta_info":{},"index":1}`,
			[]int32{0, 1},
			`data: {"text":"","output_ids":[],"meta_info":{"finish_reason":{"type":"content_filter"}},"index":0}` + "\n\n" + `data: {"text":"","output_ids":[],"meta_info":{"finish_reason":{"type":"content_filter"}},"index":1}` + "\n\ndata: [DONE]\n\n",
		},
		{"vllm", Generate{}, Lines, `{"text":["p a"]}`, []int32{0}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ended(tt.family, tt.framing, tt.sent, tt.open...); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestSGLangKeeps: an ending keeps no more of an answer than it may.
func TestSGLangKeeps(t *testing.T) {
	t.Parallel()
	e := &sglangEnding{}
	for i := range 300 {
		e.Sent([]byte(`{"text":"` + strings.Repeat("a", maxLastText/100+i) + `","meta_info":{},"index":` + string(rune('0'+i%10)) + `}`))
		kept := 0
		for _, a := range e.answers {
			kept += len(a.text) + len(a.meta)
		}
		if kept != e.kept || kept > maxLastText {
			t.Fatalf("%d bytes are kept, %d counted", kept, e.kept)
		}
	}
	e.Sent([]byte(`{"text":"` + strings.Repeat("a", maxLastText+1) + `","meta_info":{},"index":0}`))
	if len(e.answers[0].text) != 0 || e.kept > maxLastText {
		t.Errorf("%d bytes are kept of %d", len(e.answers[0].text), e.kept)
	}
}

func TestLocalFailure(t *testing.T) {
	t.Parallel()
	f := Failure{Message: `say "no"`, Code: "content_filter"}
	for _, tt := range []struct {
		family  Family
		framing Framing
		want    string
		stream  string
	}{
		{OllamaChat{}, Lines, `{"error":"say \"no\""}`, `{"error":"say \"no\""}` + "\n"},
		{OllamaGenerate{}, Lines, `{"error":"say \"no\""}`, `{"error":"say \"no\""}` + "\n"},
		{LlamaCPP{}, SSE, `{"error":{"code":400,"message":"say \"no\"","type":"content_filter"}}`, `data: {"error":{"code":400,"message":"say \"no\"","type":"content_filter"}}` + "\n\n"},
		{Generate{}, Lines, `{"error":"say \"no\"","error_type":"content_filter"}`, `{"error":"say \"no\"","error_type":"content_filter"}` + "\n"},
		{TGI{}, SSE, `{"error":"say \"no\"","error_type":"content_filter"}`, `data: {"error":"say \"no\"","error_type":"content_filter"}` + "\n\n"},
		{SGLang{}, SSE, `{"error":{"message":"say \"no\"","type":"invalid_request_error","param":null,"code":"content_filter"}}`, `data: {"error":{"message":"say \"no\"","type":"invalid_request_error","param":null,"code":"content_filter"}}` + "\n\n"},
	} {
		if got := string(tt.family.AppendFailure(nil, f)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.family.Name(), got, tt.want)
		}
		w := Writer{Framer: NewFramer(tt.framing, tt.family.Paths())}
		tt.family.Fail(&w, f)
		if string(w.Out) != tt.stream {
			t.Errorf("%s: got %s, want %s", tt.family.Name(), w.Out, tt.stream)
		}
	}
}

// FuzzLocal: whatever a caller or a server of one's own sends, requests are
// read or refused, places are values in order, and endings are valid.
func FuzzLocal(f *testing.F) {
	f.Add([]byte(`{"inputs":"a","text":["b"],"prompt":{"prompt_string":"c"},"parameters":{"grammar":{"type":"json"}},"sampling_params":[{"n":2}],"input_prefix":"d"}`))
	f.Add([]byte(`{"index":1,"token":{"id":1,"text":"a","special":true},"generated_text":"a","details":{"tokens":[{"text":"a"}],"best_of_sequences":[{"generated_text":"b"}]}}`))
	f.Add([]byte(`{"text":"a","output_ids":[1],"meta_info":{"id":"x","finish_reason":{"type":"stop"},"output_top_logprobs":[[[-1,2,"a"]]]},"index":0}`))
	f.Add([]byte(`[{"index":1,"content":"a","completion_probabilities":[{"bytes":[97],"probs":[{"tok_str":"a"}]}]},{"text":["a"]}]`))
	f.Add([]byte(`{"model":"m","message":{"content":"a","tool_calls":[{"function":{"index":1,"arguments":{"a":1}}}]},"logprobs":[{"bytes":[1]}],"done":true}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, family := range localFamilies() {
			if _, err := family.Request("", payload); err != nil && !errors.Is(err, ErrRequest) {
				t.Fatal(err)
			}
			l := NewLocator(family.Paths(), SSE)
			fields, err := l.Locate(payload)
			if err != nil {
				if !errors.Is(err, ErrUnscannable) {
					t.Fatal(err)
				}
				continue
			}
			last := 0
			for _, f := range fields {
				if f.Lo < last || f.Hi < f.Lo || f.Hi > len(payload) {
					t.Fatalf("%s: %q: place %d to %d behind %d", family.Name(), payload, f.Lo, f.Hi, last)
				}
				last = f.Lo
				if v := jsontext.Value(payload[f.Lo:f.Hi]); f.Role != Begin && f.Role != Done && !v.IsValid(jsontext.AllowInvalidUTF8(true)) {
					t.Fatalf("%s: %q: %q is no value", family.Name(), payload, v)
				}
			}
			e := family.NewEnding()
			e.Sent(payload)
			w := Writer{Framer: NewFramer(Lines, family.Paths())}
			e.Write(&w, []int32{0, 7})
			for line := range strings.Lines(string(w.Out)) {
				if v := jsontext.Value(line); line != "[DONE]\n" && !v.IsValid(jsontext.AllowInvalidUTF8(true)) {
					t.Fatalf("%s: %q ends with %q", family.Name(), payload, line)
				}
			}
		}
	})
}
