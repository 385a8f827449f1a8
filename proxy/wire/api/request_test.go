package api

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		family   *wire.Family
		body     string
		want     wire.Request // Messages apart
		messages []string
	}{
		{
			"chat",
			chat,
			`{"model":"m","stream":true,"n":3,"messages":[{"role":"system","content":"be kind"},{"role":"user","name":"ann","content":"caf\u00e9?"}],"temperature":0.5,"user":"u-1"}`,
			wire.Request{Model: "m", Stream: true, N: 3, Tail: []byte("café?")},
			[]string{"be kind", "ann\ncafé?"},
		},
		{
			"parts",
			chat,
			`{"messages":[{"role":"user","content":[{"type":"text","text":"look "},{"type":"image_url","image_url":{"url":"data:x"}},{"type":"text","text":"here"},{"type":"file","file":{"file_data":"AAAA","filename":"f.pdf"}}]}]}`,
			wire.Request{N: 1, Tail: []byte("look here")},
			[]string{"look \nhere\nf.pdf"},
		},
		{
			"tools and history",
			chat,
			`{"messages":[{"role":"assistant","content":null,"reasoning_content":"r","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":\"b c\"}"}},{"function":{"name":"g","arguments":{"d":"e"}}}]},{"role":"tool","tool_call_id":"1","content":"result"}],"tools":[{"type":"function","function":{"name":"f","description":"does f","parameters":{"properties":{"a":{"description":"the a"}}}}},{"type":"custom","custom":{"name":"h","format":{"grammar":{"definition":"start: x"}}}}]}`,
			wire.Request{N: 1, Tail: []byte("result")},
			[]string{"r\nf\n{\"a\":\"b c\"}\ng\n{\"d\":\"e\"}", "result", "f\ndoes f\nthe a", "h\nstart: x"},
		},
		{
			"other texts",
			chat,
			`{"messages":[],"stop":["end here"],"prediction":{"type":"content","content":"old file"},"documents":[{"text":"doc"}],"chat_template":"{{ x }}","guided_regex":"a+"}`,
			wire.Request{N: 1},
			[]string{"end here", "old file", "doc", "{{ x }}", "a+"},
		},
		{
			"JSON mode",
			chat,
			`{"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"description":"d"}}}}`,
			wire.Request{N: 1, Schema: true},
			[]string{"s\nd"},
		},
		{"text mode", chat, `{"messages":[],"response_format":{"type":"text"}}`, wire.Request{N: 1}, nil},
		{"guided", completions, `{"prompt":"p","guided_json":{"type":"object"}}`, wire.Request{N: 1, Schema: true, Tail: []byte("p")}, []string{"p"}},
		{
			"several conversations",
			chat,
			`{"messages":[[{"role":"user","content":"a"}],[{"role":"user","content":"b"}]]}`,
			wire.Request{N: 1, Tail: []byte("b")},
			[]string{"a", "b"},
		},
		{
			"completion",
			completions,
			`{"model":"m","prompt":"once upon","suffix":"the end","n":2,"echo":true}`,
			wire.Request{Model: "m", N: 2, Tail: []byte("once upon"), Suffix: []byte("the end")},
			[]string{"once upon", "the end"},
		},
		{"several prompts", completions, `{"prompt":["a","b"]}`, wire.Request{N: 1, Tail: []byte("b")}, []string{"a", "b"}},
		{"token ids", completions, `{"prompt":[[1,2],[3]]}`, wire.Request{N: 1}, nil},
		{"odd values", chat, `{"messages":"hi","model":7,"n":0,"stream":"true"}`, wire.Request{Stream: true, N: 1}, nil}, // a lax server streams,
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

func TestRequestRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `{`, `[]`, `"a"`, `null`, `{} {}`, `{"a":}`, "\xFE\xFF",
		`{"model":"a","model":"b"}`, `{"messages":[{"content":"a","content":"b"}]}`,
		strings.Repeat(`{"a":`, 20000),
	} {
		for _, f := range []*wire.Family{chat, completions} {
			if _, err := f.Request("", []byte(body)); !errors.Is(err, wire.ErrRequest) {
				t.Errorf("%s: %.40q: error = %v", f.Name, body, err)
			}
		}
	}
}

func TestByName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"openai.chat", "openai.completions"} {
		if f := ByName(name); f == nil || f.Name != name {
			t.Errorf("%s: %v", name, f)
		}
	}
	if ByName("openai") != nil {
		t.Error("an unknown name is known")
	}
}

func TestFiltered(t *testing.T) {
	t.Parallel()
	last := `{"id":"c1","object":"chat.completion.chunk","created":7,"model":"m\u0041","choices":[{"index":1}],"system_fingerprint":null}`
	want := `data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"","system_fingerprint":null,"choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"content_filter"}]}` + "\n\n" +
		`data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"","system_fingerprint":null,"choices":[{"index":1,"delta":{},"logprobs":null,"finish_reason":"content_filter"}]}` + "\n\n" +
		"data: [DONE]\n\n"
	if got := ending(chat, last, 0, 1); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `data: {"choices":[{"index":2,"text":"","logprobs":null,"finish_reason":"content_filter"}]}` + "\n\ndata: [DONE]\n\n"
	if got := ending(completions, `{}`, 2); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `{"error":{"message":"withheld: the answer would repeat training data","type":"invalid_request_error","param":null,"code":"content_filter"}}`
	if got := string(chat.Failure(nil, wire.Failure{Message: "withheld: the answer would repeat training data", Code: "content_filter"})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// ending returns the end of a stream of the family, given its last message.
func ending(f *wire.Family, last string, open ...int32) string {
	e := f.Ending()
	e.Sent([]byte(last))
	w := wire.Writer{Framer: wire.NewFramer(wire.SSE, f), Begun: true}
	e.Write(&w, open)
	w.Close()
	return string(w.Out)
}

// TestNesting: a request may be nested as deep as honest ones are, and no deeper, because
// the work on it would grow with its depth.
func TestNesting(t *testing.T) {
	t.Parallel()
	deep := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	for _, family := range []string{"openai.chat", "openai.completions", "openai.responses", "anthropic.messages", "bedrock.converse", "gemini", "cohere.chat", "generic", "mistral.conversations"} {
		for _, member := range []string{"messages", "prompt", "input", "tools", "contents", "system"} {
			for _, value := range []string{
				deep(120, "[", `"deep text"`, "]"),
				deep(60, `[{"content":`, `"deep text"`, "}]"),
				deep(60, `{"content":[`, `{"type":"text","text":"deep text"}`, "]}"),
			} {
				r, err := ByName(family).Request("/", []byte(`{"`+member+`":`+value+`}`))
				if err != nil {
					t.Errorf("%s %s: %v", family, member, err)
				}
				if got := string(bytes.Join(r.Messages, []byte("\n"))); strings.Count(got, "deep text") > 2 {
					t.Errorf("%s %s: %q", family, member, got)
				}
			}
			body := []byte(`{"` + member + `":` + deep(maxNesting, "[", "", "]") + "}")
			if _, err := ByName(family).Request("/", body); !errors.Is(err, wire.ErrRequest) {
				t.Errorf("%s %s: %v for a body that is nested too deep", family, member, err)
			}
		}
	}
	if n := nesting(jsontext.Value(`{"a":["[[\"[[",{"b":"{"}]}`)); n != 3 {
		t.Errorf("nested %d deep, want 3", n)
	}
}

// TestStops: every API has its own place for the sequences that end an answer.
func TestStops(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		family, path, body string
		want               bool
	}{
		{"openai.chat", "/v1/chat/completions", `{"messages":[],"stop":"@"}`, true},
		{"openai.chat", "/v1/chat/completions", `{"messages":[],"stop":["@"]}`, true},
		{"openai.chat", "/v1/chat/completions", `{"messages":[],"stop_token_ids":[31]}`, true},
		{"openai.chat", "/v1/chat/completions", `{"messages":[],"guided_regex":"[a-z ]{9}"}`, true},
		{"openai.chat", "/v1/chat/completions", `{"messages":[],"stop":null,"stop_token_ids":[]}`, false},
		{"openai.chat", "/v1/chat/completions", `{"messages":[{"role":"user","content":"stop","stop":"x"}]}`, false},
		{"openai.completions", "/v1/completions", `{"prompt":"a","stop":[" "]}`, true},
		{"anthropic.messages", "/v1/messages", `{"messages":[],"stop_sequences":["@"]}`, true},
		{"gemini", "/v1beta/models/m:generateContent", `{"generationConfig":{"stopSequences":["@"]}}`, true},
		{"bedrock.converse", "/model/m/converse", `{"inferenceConfig":{"stopSequences":["@"]}}`, true},
		{"bedrock.invoke", "/model/m/invoke", `{"inputText":"a","textGenerationConfig":{"stopSequences":["@"]}}`, true},
		{"bedrock.invoke", "/model/m/invoke", `{"anthropic_version":"b","messages":[],"stop_sequences":["@"]}`, true},
		{"cohere.chat", "/v2/chat", `{"messages":[],"stop_sequences":["@"]}`, true},
		{"ollama.chat", "/api/chat", `{"messages":[],"options":{"stop":["@"]}}`, true},
		{"ollama.generate", "/api/generate", `{"prompt":"a","options":{"temperature":0}}`, false},
		{"llamacpp.completion", "/completion", `{"prompt":"a","grammar":"root ::= \"a\""}`, true},
		{"tgi", "/generate", `{"inputs":"a","parameters":{"stop":["@"]}}`, true},
		{"sglang.generate", "/generate", `{"text":["a","b"],"sampling_params":[{},{"stop":"@"}]}`, true},
		{"mistral.conversations", "/v1/conversations", `{"inputs":"a","completion_args":{"stop":"@"}}`, true},
		{"generic", "/x", `{"prompt":"a","stop":"@"}`, true},
	} {
		got, err := ByName(tt.family).Request(tt.path, []byte(tt.body))
		if err != nil || got.Stops != tt.want {
			t.Errorf("%s: %s: stops %v, %v", tt.family, tt.body, got.Stops, err)
		}
	}
}
