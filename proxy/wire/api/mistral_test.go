package api

import (
	"errors"
	"reflect"
	"testing"

	"noecho/proxy/wire"
)

// TestChatDialects reads the answers of Mistral and Azure OpenAI that differ from those
// of chat.
func TestChatDialects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		framing wire.Framing
		payload string
		want    string
	}{
		{
			"mistral's thoughts",
			wire.SSE,
			`{"id":"m","object":"chat.completion.chunk","model":"magistral","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm "},{"type":"reference","reference_ids":[1]}],"closed":true}]},"finish_reason":null}],"p":"abcdefgh"}`,
			"begin 0 \ntext 0 reasoning hm \n",
		},
		{
			"mistral's parts",
			wire.JSON,
			`{"choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"text","text":"a "},{"type":"reference","reference_ids":[0,"x"]},{"type":"text","text":"b"}],"tool_calls":null},"finish_reason":"model_length"}]}`,
			"begin 0 \ntext 0 content a \nmetadata 0 message.content.reference_ids.[] x\ntext 0 content b\nend 0 \"model_length\"\n",
		},
		{
			"mistral's agents",
			wire.JSON,
			`{"choices":[{"index":0,"messages":[{"role":"assistant","content":"a","tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"b"}],"finish_reason":"stop"}]}`,
			"begin 0 \ntext 0 content a\nmetadata 0.0 ids t\nmetadata 0.0 tool_calls.#.name f\ntext 0.0 tool_calls.#.arguments {}\ntext 0 content b\nend 0 \"stop\"\n",
		},
		{"azure's first", wire.SSE, `{"id":"","object":"","created":0,"model":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},"jailbreak":{"filtered":false,"detected":false}}}],"choices":[]}`, ""},
		{"azure's older first", wire.SSE, `{"prompt_annotations":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}],"choices":[]}`, "metadata -1 prompt_annotations.0.content_filter_results.hate.severity safe\n"},
		{
			"azure's annotation",
			wire.SSE,
			`{"id":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{"protected_material_text":{"filtered":false,"detected":false},"protected_material_code":{"filtered":false,"detected":true,"citation":{"URL":"u","license":"MIT"}},"custom_blocklists":{"filtered":false,"details":[{"id":"b"}]},"error":{"code":"content_filter_error","message":"too slow"}},"content_filter_offsets":{"check_offset":40,"start_offset":40,"end_offset":90}}]}`,
			"begin 0 \nmetadata 0 content_filter_results.*.citation.URL u\nmetadata 0 content_filter_results.*.citation.license MIT\nmetadata 0 content_filter_results.*.details.0.id b\nmetadata 0 content_filter_results.*.code content_filter_error\nmetadata 0 content_filter_results.*.message too slow\ndrop 0 -> null {\"check_offset\":40,\"start_offset\":40,\"end_offset\":90}\n",
		},
		{
			"azure on one's own data",
			wire.SSE,
			`{"choices":[{"index":0,"delta":{"role":"assistant","context":{"citations":[{"content":"c d","title":"t u","url":null,"chunk_id":"0"}],"intent":"[\"i j\"]"}},"end_turn":false}]}`,
			"begin 0 \nmetadata 0 delta.context.citations.0.content c d\nmetadata 0 delta.context.citations.0.title t u\nmetadata 0 delta.context.citations.0.chunk_id 0\nmetadata 0 delta.context.intent [\"i j\"]\n",
		},
		{
			"azure on one's own data, before",
			wire.SSE,
			`{"choices":[{"index":0,"messages":[{"index":0,"delta":{"role":"tool","content":"{\"citations\":[]}"},"end_turn":false}]}]}`,
			"begin 0 \ntext 0 content {\"citations\":[]}\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fields, err := wire.NewLocator(chat, tt.framing).Locate([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(tt.payload, fields); got != tt.want {
				t.Fatalf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestFIMRequest(t *testing.T) {
	t.Parallel()
	got, err := fim.Request("/v1/fim/completions", []byte(`{"model":"codestral-latest","prompt":"def f(","suffix":"return a","stream":true,"stop":["s"]}`))
	want := wire.Request{Model: "codestral-latest", Stream: true, N: 1, Stops: true, Messages: texts("def f(", "return a", "s"), Tail: []byte("def f("), Suffix: []byte("return a")}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
}

func TestMistralConversations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		framing wire.Framing
		payload string
		want    string
	}{
		{"started", wire.SSE, `{"type":"conversation.response.started","created_at":"2025-01-01T00:00:00Z","conversation_id":"conv_1"}`, "begin 0 \n"},
		{"text", wire.SSE, `{"type":"message.output.delta","output_index":2,"id":"m","content_index":0,"model":"m","role":"assistant","content":"a b"}`, "begin 0 \ntext 0.2 outputs.#.content a b\n"},
		{"part", wire.SSE, `{"type":"message.output.delta","output_index":2,"content_index":1,"content":{"type":"text","text":"a b"}}`, "begin 0 \ntext 0.2 outputs.#.content a b\n"},
		{"thought", wire.SSE, `{"type":"message.output.delta","output_index":0,"content":{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}}`, "begin 0 \ntext 0.0 outputs.#.thinking hm\n"},
		{"reference", wire.SSE, `{"type":"message.output.delta","output_index":0,"content":{"type":"tool_reference","tool":"web_search","title":"a title","url":"u"}}`, "begin 0 \nmetadata 0.0 content.tool web_search\nmetadata 0.0 content.title a title\nmetadata 0.0 content.url u\n"},
		{"call", wire.SSE, `{"type":"function.call.delta","output_index":1,"id":"f","name":"g","tool_call_id":"t","arguments":"{\"a\""}`, "begin 0 \nmetadata 0.1 outputs.#.name g\nmetadata 0.1 tool_call_ids t\ntext 0.1 outputs.#.arguments {\"a\"\n"},
		{"done", wire.SSE, `{"type":"conversation.response.done","usage":{"total_tokens":1}}`, "begin 0 \nend 0 \"conversation.response.done\"\n"},
		{"error", wire.SSE, `{"type":"conversation.response.error","message":"not so","code":500}`, "begin 0 \nmetadata 0 message not so\n"},
		{
			"in one piece",
			wire.JSON,
			`{"object":"conversation.response","conversation_id":"c","outputs":[{"object":"entry","type":"message.output","content":"a"},{"type":"function.call","name":"f","arguments":{"a":1}},{"content":[{"type":"text","text":"b"},{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]},{"type":"tool.execution","name":"code","arguments":"{}","info":{"code":"x y"}}],"usage":{}}`,
			"begin 0 \ntext 0.0 outputs.#.content a\nmetadata 0.1 outputs.#.name f\ntext 0.1 outputs.#.arguments {\"a\":1}\ntext 0.2 outputs.#.content b\ntext 0.2 outputs.#.thinking hm\nmetadata 0.3 outputs.#.name code\ntext 0.3 outputs.#.arguments {}\nmetadata 0.3 outputs.#.info.code x y\n",
		},
		{"a new conversation", wire.JSON, `{"object":"conversation","id":"conv_1","metadata":{},"created_at":1}`, "begin 0 \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fields, err := wire.NewLocator(mistralConversations, tt.framing).Locate([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(tt.payload, fields); got != tt.want {
				t.Fatalf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestMistralConversationsRequest(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]wire.Request{
		`{"model":"m","inputs":"hi","instructions":"be","stream":true}`: {Model: "m", Stream: true, N: 1, Messages: texts("hi", "be"), Tail: []byte("hi")},
		`{"agent_id":"ag","inputs":[{"role":"user","content":"a"},{"type":"function.result","tool_call_id":"t","result":"r"}],"completion_args":{"stop":"s","response_format":{"type":"json_schema"}}}`: {
			N: 1, Schema: true, Stored: true, Stops: true, Messages: texts("ag", "a", "r", "s"),
		},
		`{"items":[{"type":"message","role":"user","content":"a"}]}`: {N: 1, Messages: texts("a")},
	} {
		got, err := mistralConversations.Request("/v1/conversations", []byte(body))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", body, err, got, want)
		}
	}
}

func TestMistralConversationsEndings(t *testing.T) {
	t.Parallel()
	w := wire.Writer{Framer: wire.NewFramer(wire.SSE, mistralConversations)}
	mistralConversations.StreamFailure(&w, wire.Failure{Message: `a "b"`})
	mistralConversations.Ending().Write(&w, []int32{0})
	mistralConversations.Ending().Write(&w, nil)
	const want = "event: conversation.response.error\ndata: {\"type\":\"conversation.response.error\",\"message\":\"a \\\"b\\\"\",\"code\":400}\n\n" +
		"event: conversation.response.error\ndata: {\"type\":\"conversation.response.error\",\"message\":\"content_filter\",\"code\":400}\n\n"
	if string(w.Out) != want {
		t.Errorf("got  %q\nwant %q", w.Out, want)
	}
	if got := string(mistralConversations.Failure(nil, wire.Failure{Message: `a "b"`, Code: "c"})); got != `{"object":"error","message":"a \"b\"","type":"invalid_request_error","param":null,"code":"c"}` {
		t.Errorf("got %s", got)
	}
}

// FuzzMistralConversations: any body is an error or a request, any message is an error
// or has places inside of it.
func FuzzMistralConversations(f *testing.F) {
	f.Add([]byte(`{"inputs":[{"role":"user","content":"a"}],"completion_args":{"response_format":{"type":"json_object"}},"outputs":[{"content":[{"text":"a"}],"arguments":{"a":1}}]}`))
	f.Add([]byte(`{"type":"function.call.delta","output_index":1,"name":"f","arguments":"{","content":{"thinking":[{"text":"a"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := mistralConversations.Request("", body); err != nil && !errors.Is(err, wire.ErrRequest) {
			t.Fatal(err)
		}
		fields, err := wire.NewLocator(mistralConversations, wire.SSE).Locate(body)
		if err != nil && !errors.Is(err, wire.ErrUnscannable) {
			t.Fatal(err)
		}
		last := 0
		for _, p := range fields {
			if err == nil && (p.Lo < last || p.Hi < p.Lo || p.Hi > len(body)) {
				t.Fatalf("%q: place %d to %d behind %d", body, p.Lo, p.Hi, last)
			}
			last = p.Lo
		}
	})
}
