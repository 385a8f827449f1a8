package api

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// localFamilies are the APIs of servers that people run themselves.
func localFamilies() []*wire.Family {
	return []*wire.Family{ollamaChat, ollamaGenerate, llamaCPP, generate, tgi, sglang, invocations}
}

func TestLocalRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		family   *wire.Family
		body     string
		want     wire.Request // Messages apart
		messages []string
	}{
		{
			"ollama chat",
			ollamaChat,
			`{"model":"m","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"look","images":["AAAA"]},{"role":"assistant","thinking":"hm","tool_calls":[{"function":{"name":"f","arguments":{"a":"b"}}}]},{"role":"tool","tool_name":"f","content":"r"}],"tools":[{"function":{"description":"does f"}}],"options":{"stop":["end here"]},"keep_alive":"5m"}`,
			wire.Request{Model: "m", Stream: true, N: 1, Tail: []byte("r")},
			[]string{"be kind", "look", "hm\nf\n{\"a\":\"b\"}", "f\nr", "does f", "end here"},
		},
		{"ollama, one piece", ollamaChat, `{"stream":false,"messages":[]}`, wire.Request{N: 1}, nil},
		{"ollama, null", ollamaGenerate, `{"stream":null}`, wire.Request{N: 1, Stream: true}, nil},
		{"ollama, json", ollamaGenerate, `{"prompt":"p","format":"json"}`, wire.Request{N: 1, Stream: true, Schema: true, Tail: []byte("p")}, []string{"p", "json"}},
		{"ollama, schema", ollamaChat, `{"format":{"type":"object","description":"d"}}`, wire.Request{N: 1, Stream: true, Schema: true}, []string{"d"}},
		{"ollama, no format", ollamaChat, `{"format":""}`, wire.Request{N: 1, Stream: true}, nil},
		{
			"ollama generate",
			ollamaGenerate,
			`{"model":"m","prompt":"once upon","suffix":"the end","system":"s","template":"{{ .Prompt }}","context":[1,2],"images":["AAAA"],"raw":true}`,
			wire.Request{Model: "m", Stream: true, N: 1, Tail: []byte("once upon"), Suffix: []byte("the end")},
			[]string{"once upon", "the end", "s", "{{ .Prompt }}"},
		},
		{"llama.cpp", llamaCPP, `{"prompt":"once","n_cmpl":3,"stream":true,"stop":["x y"]}`, wire.Request{N: 3, Stream: true, Tail: []byte("once")}, []string{"once", "x y"}},
		{"llama.cpp, token ids", llamaCPP, `{"prompt":[1,2]}`, wire.Request{N: 1}, nil},
		{"llama.cpp, mixed", llamaCPP, `{"prompt":[1,"once",2,"upon"]}`, wire.Request{N: 1, Tail: []byte("upon")}, []string{"once", "upon"}},
		{"llama.cpp, several", llamaCPP, `{"prompt":["a",[1,"b"]]}`, wire.Request{N: 1, Tail: []byte("b")}, []string{"a", "b"}},
		{"llama.cpp, media", llamaCPP, `{"prompt":{"prompt_string":"see <__media__>","multimodal_data":["AAAA"]}}`, wire.Request{N: 1, Tail: []byte("see <__media__>")}, []string{"see <__media__>"}},
		{"llama.cpp, schema", llamaCPP, `{"json_schema":{"title":"t"}}`, wire.Request{N: 1, Schema: true}, []string{"t"}},
		{"llama.cpp, grammar", llamaCPP, `{"grammar":"root ::= x"}`, wire.Request{N: 1, Schema: true}, []string{"root ::= x"}},
		{"llama.cpp, no grammar", llamaCPP, `{"grammar":""}`, wire.Request{N: 1}, nil},
		{
			"infill",
			llamaCPP,
			`{"prompt":"return","input_suffix":"}\n","input_prefix":"func f() {\n\t","input_extra":[{"filename":"a.go","text":"package a"}]}`,
			wire.Request{N: 1, Tail: []byte("func f() {\n\treturn"), Suffix: []byte("}\n")},
			[]string{"return", "}\n", "func f() {\n\t", "a.go\npackage a"},
		},
		{"infill, no prompt", llamaCPP, `{"input_prefix":"a","input_suffix":"b"}`, wire.Request{N: 1, Tail: []byte("a"), Suffix: []byte("b")}, []string{"a", "b"}},
		{"tgi", tgi, `{"inputs":"once","parameters":{"stop":["x y"],"best_of":2,"details":true}}`, wire.Request{N: 2, Tail: []byte("once")}, []string{"once", "x y"}},
		{"tgi, schema", tgi, `{"inputs":"p","parameters":{"grammar":{"type":"json","value":{"description":"d"}}}}`, wire.Request{N: 1, Schema: true, Tail: []byte("p")}, []string{"p", "d"}},
		{"tgi, stream", generate, `{"inputs":"p","stream":true}`, wire.Request{N: 1, Stream: true, Tail: []byte("p")}, []string{"p"}},
		{"sglang", sglang, `{"text":"once","stream":true,"sampling_params":{"n":2,"stop":"x y","json_schema":"{\"title\":1}"},"image_data":"AAAA"}`, wire.Request{N: 2, Stream: true, Schema: true, Tail: []byte("once")}, []string{"once", "x y", `{"title":1}`}},
		{"sglang, several", sglang, `{"text":["a","b"],"sampling_params":[{"regex":"a+"},{"n":3}]}`, wire.Request{N: 3, Tail: []byte("b")}, []string{"a", "b", "a+"}},
		{"sglang, ids", sglang, `{"input_ids":[1,2],"input_embeds":[[0.5]]}`, wire.Request{N: 1}, nil},
		{"invocations, chat", invocations, `{"messages":[{"role":"user","content":"hi"}],"stream":true,"n":2}`, wire.Request{N: 2, Stream: true, Tail: []byte("hi")}, []string{"hi"}},
		{"invocations, completion", invocations, `{"prompt":"once","suffix":"end"}`, wire.Request{N: 1, Tail: []byte("once"), Suffix: []byte("end")}, []string{"once", "end"}},
		{"invocations, tgi", invocations, `{"inputs":"once","parameters":{"best_of":2}}`, wire.Request{N: 2, Tail: []byte("once")}, []string{"once"}},
		{"vllm", generate, `{"prompt":"once","n":2,"stream":true}`, wire.Request{N: 2, Stream: true, Tail: []byte("once")}, []string{"once"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.family.Request("", []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			var messages []string
			for _, m := range got.Messages {
				messages = append(messages, string(m))
			}
			if !slices.Equal(messages, tt.messages) {
				t.Errorf("messages = %q, want %q", messages, tt.messages)
			}
			w := tt.want
			if got.Model != w.Model || got.Stream != w.Stream || got.N != w.N || got.Schema != w.Schema ||
				string(got.Tail) != string(w.Tail) || string(got.Suffix) != string(w.Suffix) {
				t.Errorf("got %+v, want %+v", got, w)
			}
		})
	}
}

func TestLocalRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `[]`, `{} {}`, `{"prompt":"a","prompt":"b"}`, `{"parameters":{"stop":"a","stop":"b"}}`} {
		for _, f := range localFamilies() {
			if _, err := f.Request("", []byte(body)); !errors.Is(err, wire.ErrRequest) {
				t.Errorf("%s: %q: error = %v", f.Name, body, err)
			}
		}
	}
}

func TestLocalFraming(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		family      *wire.Family
		contentType string
		stream      bool
		want        wire.Framing
	}{
		{ollamaChat, "application/x-ndjson", true, wire.Lines},
		{ollamaChat, "application/json", false, wire.JSON},
		{ollamaGenerate, "application/json", true, wire.JSON},
		{ollamaGenerate, "", true, wire.Lines},
		{llamaCPP, "text/event-stream", true, wire.SSE},
		{llamaCPP, "application/json", true, wire.JSON},
		{generate, "", true, wire.Lines},
		{generate, "", false, wire.JSON},
		{generate, "application/json", true, wire.JSON},
		{tgi, "text/event-stream", false, wire.SSE},
		{sglang, "text/event-stream", true, wire.SSE},
	} {
		if got := tt.family.Framing(tt.contentType, wire.Request{Stream: tt.stream}); got != tt.want {
			t.Errorf("%s, %q, %v: %v, want %v", tt.family.Name, tt.contentType, tt.stream, got, tt.want)
		}
	}
}

func TestLocalLocate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		family  *wire.Family
		framing wire.Framing
		payload string
		want    string
	}{
		{
			"ollama chat",
			ollamaChat,
			wire.Lines,
			`{"model":"llama3.2:3b","created_at":"2026-03-04T10:20:30.123456789+01:00","message":{"role":"assistant","content":"a","thinking":"b","tool_calls":[{"id":"call_1","function":{"index":2,"name":"f","arguments":{"a":["b",1]}}}]},"logprobs":[{"token":"a","logprob":-1,"bytes":[97],"top_logprobs":[{"token":"a","bytes":[97]},{"token":"c"}]}],"done":false}`,
			"begin 0 \ntext 0 content a\ntext 0 thinking b\nmetadata 0.2 ids call_1\nmetadata 0.2 tool_calls.#.name f\ntext 0.2 tool_calls.#.arguments {\"a\":[\"b\",1]}\n" +
				"drop 0 -> null [{\"token\":\"a\",\"logprob\":-1,\"bytes\":[97],\"top_logprobs\":[{\"token\":\"a\",\"bytes\":[97]},{\"token\":\"c\"}]}]\n" +
				"token 0 logprobs a\ntoken 0 logprobs.bytes a\ntoken 0.0 logprobs.top.# a\ntoken 0.0 logprobs.top.#.bytes a\ntoken 0.1 logprobs.top.# c\n",
		},
		{
			"ollama generate",
			ollamaGenerate,
			wire.Lines,
			`{"model":"m","response":"a","thinking":"b","done":true,"done_reason":"length","context":[1,2],"_debug_info":{"rendered_template":"<s>hi"},"image":"AAAA"}`,
			"begin 0 \ntext 0 response a\ntext 0 thinking b\nend 0 \"length\"\ndrop 0 -> [] [1,2]\ndrop 0 -> null {\"rendered_template\":\"<s>hi\"}\nmetadata 0 _debug_info.rendered_template <s>hi\ndrop 0 -> null \"AAAA\"\n",
		},
		{"ollama, error", ollamaChat, wire.Lines, `{"error":"no model"}`, "begin 0 \nmetadata 0 error no model\n"},
		{
			"llama.cpp",
			llamaCPP,
			wire.SSE,
			`{"index":3,"content":"a","tokens":[5],"stop":false,"id_slot":0,"completion_probabilities":[{"id":5,"token":"a","bytes":[97],"logprob":-1,"top_probs":[{"id":5,"token":"a"},{"id":6,"token":"b"}]}]}`,
			"begin 3 \ntext 3 content a\ndrop 3 -> [] [5]\ndrop 3 -> [] [{\"id\":5,\"token\":\"a\",\"bytes\":[97],\"logprob\":-1,\"top_probs\":[{\"id\":5,\"token\":\"a\"},{\"id\":6,\"token\":\"b\"}]}]\n" +
				"token 3 probabilities a\ntoken 3 probabilities.bytes a\ntoken 3.0 probabilities.top_probs.# a\ntoken 3.1 probabilities.top_probs.# b\n",
		},
		{
			"llama.cpp, last",
			llamaCPP,
			wire.SSE,
			`{"index":0,"content":"","stop":true,"model":"/m/a.gguf","stop_type":"eos","stopping_word":"","prompt":"<s>hi","generation_settings":{"grammar":"root ::= x"}}`,
			"begin 0 \nend 0 \"eos\"\nmetadata 0 prompt <s>hi\nmetadata 0 generation_settings.grammar root ::= x\n",
		},
		{"llama.cpp, some members", llamaCPP, wire.JSON, `{"tokens":[1],"generation_settings/stop":["x y"]}`, "begin 0 \ndrop 0 -> [] [1]\nmetadata 0.0 keys.# generation_settings/stop\nmetadata 0 ~80cf0582e5925fd6.[] x y\n"},
		{"llama.cpp, several", llamaCPP, wire.JSON, `[{"index":1,"content":"b","stop_type":"limit"},{"content":"a","index":0}]`, "begin 1 \ntext 1 content b\nend 1 \"limit\"\nbegin 0 \ntext 0 content a\n"},
		{"OpenAI's choices", llamaCPP, wire.JSON, `{"id":"c","index":4,"choices":[{"index":0,"text":"a","finish_reason":"stop"}]}`, "begin 0 \ntext 0 text a\nend 0 \"stop\"\n"},
		{
			"tgi, token",
			tgi,
			wire.SSE,
			`{"index":5,"token":{"id":12,"text":"a","logprob":-1,"special":false},"top_tokens":[{"id":12,"text":"a"},{"id":13,"text":"b"}],"generated_text":null,"details":null}`,
			"begin 0 \ndrop 0 -> 0 12\ntext 0 text a\ndrop 0 -> [] [{\"id\":12,\"text\":\"a\"},{\"id\":13,\"text\":\"b\"}]\ntoken 0.0 top_tokens.# a\ntoken 0.1 top_tokens.# b\n",
		},
		{
			"tgi, last",
			generate,
			wire.SSE,
			`{"index":6,"token":{"id":2,"text":"</s>","special":true},"generated_text":"a b","details":{"finish_reason":"eos_token","generated_tokens":6}}`,
			"begin 0 \ndrop 0 -> 0 2\ntext 0 special </s>\nfinal 0 text a b\nend 0 \"eos_token\"\n",
		},
		{
			"tgi, whole",
			tgi,
			wire.JSON,
			`[{"generated_text":"a b","details":{"finish_reason":"length","prefill":[{"id":1,"text":"p"}],"tokens":[{"id":2,"text":"a"},{"id":3,"text":" b"}],"top_tokens":[[{"id":2,"text":"a"}]],"best_of_sequences":[{"finish_reason":"length","generated_text":"c","tokens":[{"text":"c"}]}]}}]`,
			"begin 0 \nfinal 0 text a b\nend 0 \"length\"\ndrop 0 -> [] [{\"id\":1,\"text\":\"p\"}]\ntoken 0 prefill p\ndrop 0 -> [] [{\"id\":2,\"text\":\"a\"},{\"id\":3,\"text\":\" b\"}]\ntoken 0 tokens a\ntoken 0 tokens  b\ndrop 0 -> [] [[{\"id\":2,\"text\":\"a\"}]]\ntoken 0.0 top_tokens.# a\ntext 0.0 best_of_sequences.#.text c\ndrop 0 -> [] [{\"text\":\"c\"}]\ntoken 0.0 best_of_sequences.tokens c\n",
		},
		{"tgi, error", tgi, wire.SSE, `{"error":"Request failed","error_type":"generation"}`, "metadata -1 error Request failed\n"},
		{
			"sglang",
			sglang,
			wire.SSE,
			`{"text":"a","output_ids":[5],"meta_info":{"id":"x1","finish_reason":{"type":"stop","matched":"end here"},"output_token_logprobs":[[-1,5,"a"]],"output_top_logprobs":[[[-1,5,"a"],[-2,6,"b"]],null],"hidden_states":[[1]],"routed_experts":"AAAA"},"index":2}`,
			"begin 2 \ncumulative 2 text a\ndrop 2 -> [] [5]\nend 2 \"stop\"\nmetadata 2 meta_info.finish_reason.matched end here\ndrop 2 -> [] [[-1,5,\"a\"]]\ntoken 2 output_token_logprobs a\n" +
				"drop 2 -> [] [[[-1,5,\"a\"],[-2,6,\"b\"]],null]\ntoken 2.0 output_top_logprobs.# a\ntoken 2.1 output_top_logprobs.# b\ndrop 2 -> null [[1]]\ndrop 2 -> null \"AAAA\"\n",
		},
		{"sglang, batch", generate, wire.JSON, `[{"text":"a","meta_info":{"finish_reason":"length"}},{"text":"b","meta_info":{}}]`, "begin 0 \ncumulative 0 text a\nend 0 \"length\"\nbegin 1 \ncumulative 1 text b\n"},
		{"invocations, chat", invocations, wire.SSE, `{"choices":[{"index":1,"delta":{"content":"a"}}]}`, "begin 1 \ntext 1 content a\n"},
		{"invocations, completion", invocations, wire.JSON, `{"choices":[{"index":0,"text":"a","logprobs":{"tokens":["a"],"top_logprobs":[{"a":-1}]}}]}`, "begin 0 \ntext 0 text a\ndrop 0 -> null {\"tokens\":[\"a\"],\"top_logprobs\":[{\"a\":-1}]}\ntoken 0 logprobs.tokens a\ntoken 0.0 logprobs.top.# a\n"},
		{"invocations, tgi", invocations, wire.JSON, `[{"generated_text":"a"}]`, "begin 0 \nfinal 0 text a\n"},
		{"vllm", generate, wire.Lines, `{"text":["p a","p b"]}`, "begin 0 \ncumulative 0 text p a\nbegin 1 \ncumulative 1 text p b\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := wire.NewLocator(tt.family, tt.framing)
			fields, err := l.Locate([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(tt.payload, fields); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// ended returns the end of a stream of lines or events, given the messages that have
// left, one a line.
func ended(f *wire.Family, framing wire.Framing, sent string, open ...int32) string {
	e := f.Ending()
	for line := range strings.Lines(sent) {
		e.Sent([]byte(strings.TrimSpace(line)))
	}
	w := wire.Writer{Framer: wire.NewFramer(framing, f), Begun: true}
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
		family  *wire.Family
		framing wire.Framing
		sent    string
		open    []int32
		want    string
	}{
		{"ollama chat", ollamaChat, wire.Lines, first, []int32{0}, `{"model":"llama3.2","created_at":"2026-03-04T10:20:30Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"content_filter"}` + "\n"},
		{"ollama generate", ollamaGenerate, wire.Lines, `{"model":"a b","response":"c"}`, []int32{0}, `{"response":"","done":true,"done_reason":"content_filter"}` + "\n"},
		{"ollama, done", ollamaChat, wire.Lines, first + `{"model":"m","done":true}`, []int32{0}, ""},
		{
			"llama.cpp",
			llamaCPP,
			wire.SSE, `{"index":0,"content":"a"}` + "\n" + `{"index":2,"content":"a"}`,
			[]int32{0, 2},
			`data: {"index":0,"content":"","tokens":[],"stop":true,"stop_type":"word","stopping_word":""}` + "\n\n" + `data: {"index":2,"content":"","tokens":[],"stop":true,"stop_type":"word","stopping_word":""}` + "\n\n",
		},
		{
			"OpenAI's choices",
			llamaCPP,
			wire.SSE, `{"id":"c","choices":[{"index":0,"text":"a"}]}`,
			[]int32{0},
			`data: {"id":"c","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"content_filter"}]}` + "\n\ndata: [DONE]\n\n",
		},
		{
			"tgi",
			tgi,
			wire.SSE, token + special,
			[]int32{0},
			`data: {"index":3,"token":{"id":0,"text":"","logprob":0,"special":true},"generated_text":"a \"b","details":{"finish_reason":"stop_sequence","generated_tokens":2,"seed":null}}` + "\n\n",
		},
		{"tgi, over", generate, wire.SSE, token + `{"token":{"text":""},"generated_text":"a","details":{}}`, nil, ""},
		{
			"tgi, long",
			tgi,
			wire.SSE, `{"index":1,"token":{"text":"` + strings.Repeat("a", maxLastText+1) + `"}}`,
			[]int32{0},
			`data: {"index":2,"token":{"id":0,"text":"","logprob":0,"special":true},"generated_text":null,"details":{"finish_reason":"stop_sequence","generated_tokens":1,"seed":null}}` + "\n\n",
		},
		{
			"sglang",
			sglang,
			wire.SSE, `{"text":"a","output_ids":[1],"meta_info":{"id":"x1","finish_reason":null,"prompt_tokens":3,"note":"b c"}}` + "\n" + `{"text":"a b","meta_info":{"id":"x1","prompt_tokens":3}}`,
			[]int32{0},
			`data: {"text":"a b","output_ids":[],"meta_info":{"id":"x1","prompt_tokens":3,"finish_reason":{"type":"content_filter"}}}` + "\n\ndata: [DONE]\n\n",
		},
		{
			"sglang, pieces",
			generate,
			wire.SSE, `{"text":"a","meta_info":{},"index":1}` + "\n" + `{"text":" b","meta_info":{},"index":1}`,
			[]int32{0, 1},
			`data: {"text":"","output_ids":[],"meta_info":{"finish_reason":{"type":"content_filter"}},"index":0}` + "\n\n" + `data: {"text":"","output_ids":[],"meta_info":{"finish_reason":{"type":"content_filter"}},"index":1}` + "\n\ndata: [DONE]\n\n",
		},
		{"vllm", generate, wire.Lines, `{"text":["p a"]}`, []int32{0}, ""},
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
	f := wire.Failure{Message: `say "no"`, Code: "content_filter"}
	for _, tt := range []struct {
		family  *wire.Family
		framing wire.Framing
		want    string
		stream  string
	}{
		{ollamaChat, wire.Lines, `{"error":"say \"no\""}`, `{"error":"say \"no\""}` + "\n"},
		{ollamaGenerate, wire.Lines, `{"error":"say \"no\""}`, `{"error":"say \"no\""}` + "\n"},
		{llamaCPP, wire.SSE, `{"error":{"code":400,"message":"say \"no\"","type":"content_filter"}}`, `data: {"error":{"code":400,"message":"say \"no\"","type":"content_filter"}}` + "\n\n"},
		{generate, wire.Lines, `{"error":"say \"no\"","error_type":"content_filter"}`, `{"error":"say \"no\"","error_type":"content_filter"}` + "\n"},
		{tgi, wire.SSE, `{"error":"say \"no\"","error_type":"content_filter"}`, `data: {"error":"say \"no\"","error_type":"content_filter"}` + "\n\n"},
		{sglang, wire.SSE, `{"error":{"message":"say \"no\"","type":"invalid_request_error","param":null,"code":"content_filter"}}`, `data: {"error":{"message":"say \"no\"","type":"invalid_request_error","param":null,"code":"content_filter"}}` + "\n\n"},
	} {
		if got := string(tt.family.Failure(nil, f)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.family.Name, got, tt.want)
		}
		w := wire.Writer{Framer: wire.NewFramer(tt.framing, tt.family)}
		tt.family.StreamFailure(&w, f)
		if string(w.Out) != tt.stream {
			t.Errorf("%s: got %s, want %s", tt.family.Name, w.Out, tt.stream)
		}
	}
}

// FuzzLocal: any request is read or refused, places are values in order, and endings
// are valid.
func FuzzLocal(f *testing.F) {
	f.Add([]byte(`{"inputs":"a","text":["b"],"prompt":{"prompt_string":"c"},"parameters":{"grammar":{"type":"json"}},"sampling_params":[{"n":2}],"input_prefix":"d"}`))
	f.Add([]byte(`{"index":1,"token":{"id":1,"text":"a","special":true},"generated_text":"a","details":{"tokens":[{"text":"a"}],"best_of_sequences":[{"generated_text":"b"}]}}`))
	f.Add([]byte(`{"text":"a","output_ids":[1],"meta_info":{"id":"x","finish_reason":{"type":"stop"},"output_top_logprobs":[[[-1,2,"a"]]]},"index":0}`))
	f.Add([]byte(`[{"index":1,"content":"a","completion_probabilities":[{"bytes":[97],"probs":[{"tok_str":"a"}]}]},{"text":["a"]}]`))
	f.Add([]byte(`{"model":"m","message":{"content":"a","tool_calls":[{"function":{"index":1,"arguments":{"a":1}}}]},"logprobs":[{"bytes":[1]}],"done":true}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, family := range localFamilies() {
			if _, err := family.Request("", payload); err != nil && !errors.Is(err, wire.ErrRequest) {
				t.Fatal(err)
			}
			l := wire.NewLocator(family, wire.SSE)
			fields, err := l.Locate(payload)
			if err != nil {
				if !errors.Is(err, wire.ErrUnscannable) {
					t.Fatal(err)
				}
				continue
			}
			last := 0
			for _, f := range fields {
				if f.Lo < last || f.Hi < f.Lo || f.Hi > len(payload) {
					t.Fatalf("%s: %q: place %d to %d behind %d", family.Name, payload, f.Lo, f.Hi, last)
				}
				last = f.Lo
				if v := jsontext.Value(payload[f.Lo:f.Hi]); f.Role != wire.Begin && f.Role != wire.Done && !v.IsValid(jsontext.AllowInvalidUTF8(true)) {
					t.Fatalf("%s: %q: %q is no value", family.Name, payload, v)
				}
			}
			e := family.Ending()
			e.Sent(payload)
			w := wire.Writer{Framer: wire.NewFramer(wire.Lines, family)}
			e.Write(&w, []int32{0, 7})
			for line := range strings.Lines(string(w.Out)) {
				if v := jsontext.Value(line); line != "[DONE]\n" && !v.IsValid(jsontext.AllowInvalidUTF8(true)) {
					t.Fatalf("%s: %q ends with %q", family.Name, payload, line)
				}
			}
		}
	})
}
