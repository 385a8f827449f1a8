package wire

import (
	"reflect"
	"testing"
)

// TestChatDialects: what Mistral and Azure OpenAI make of chat.
func TestChatDialects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		framing Framing
		payload string
		want    string
	}{
		{
			"mistral's thoughts",
			SSE,
			`{"id":"m","object":"chat.completion.chunk","model":"magistral","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm "},{"type":"reference","reference_ids":[1]}],"closed":true}]},"finish_reason":null}],"p":"abcdefgh"}`,
			"begin 0 \ntext 0 reasoning hm \n",
		},
		{
			"mistral's parts",
			JSON,
			`{"choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"text","text":"a "},{"type":"reference","reference_ids":[0,"x"]},{"type":"text","text":"b"}],"tool_calls":null},"finish_reason":"model_length"}]}`,
			"begin 0 \ntext 0 content a \naside 0 message.content.reference_ids.[] x\ntext 0 content b\nend 0 \"model_length\"\n",
		},
		{
			"mistral's agents",
			JSON,
			`{"choices":[{"index":0,"messages":[{"role":"assistant","content":"a","tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"b"}],"finish_reason":"stop"}]}`,
			"begin 0 \ntext 0 content a\naside 0.0 tool_calls.#.name f\ntext 0.0 tool_calls.#.arguments {}\ntext 0 content b\nend 0 \"stop\"\n",
		},
		{"azure's first", SSE, `{"id":"","object":"","created":0,"model":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},"jailbreak":{"filtered":false,"detected":false}}}],"choices":[]}`, ""},
		{"azure's older first", SSE, `{"prompt_annotations":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}],"choices":[]}`, "aside -1 prompt_annotations.0.content_filter_results.hate.severity safe\n"},
		{
			"azure's annotation",
			SSE,
			`{"id":"","choices":[{"index":0,"finish_reason":null,"content_filter_results":{"protected_material_text":{"filtered":false,"detected":false},"protected_material_code":{"filtered":false,"detected":true,"citation":{"URL":"u","license":"MIT"}},"custom_blocklists":{"filtered":false,"details":[{"id":"b"}]},"error":{"code":"content_filter_error","message":"too slow"}},"content_filter_offsets":{"check_offset":40,"start_offset":40,"end_offset":90}}]}`,
			"begin 0 \naside 0 content_filter_results.*.citation.URL u\naside 0 content_filter_results.*.citation.license MIT\naside 0 content_filter_results.*.details.0.id b\naside 0 content_filter_results.*.code content_filter_error\naside 0 content_filter_results.*.message too slow\ndrop 0 -> null {\"check_offset\":40,\"start_offset\":40,\"end_offset\":90}\n",
		},
		{
			"azure on one's own data",
			SSE,
			`{"choices":[{"index":0,"delta":{"role":"assistant","context":{"citations":[{"content":"c d","title":"t u","url":null,"chunk_id":"0"}],"intent":"[\"i j\"]"}},"end_turn":false}]}`,
			"begin 0 \naside 0 delta.context.citations.0.content c d\naside 0 delta.context.citations.0.title t u\naside 0 delta.context.citations.0.chunk_id 0\naside 0 delta.context.intent [\"i j\"]\n",
		},
		{
			"azure on one's own data, before",
			SSE,
			`{"choices":[{"index":0,"messages":[{"index":0,"delta":{"role":"tool","content":"{\"citations\":[]}"},"end_turn":false}]}]}`,
			"begin 0 \ntext 0 content {\"citations\":[]}\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fields, err := NewLocator(Chat{}.Paths(), tt.framing).Locate([]byte(tt.payload))
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
	got, err := FIM{}.Request("/v1/fim/completions", []byte(`{"model":"codestral-latest","prompt":"def f(","suffix":"return a","stream":true,"stop":["s"]}`))
	want := Request{Model: "codestral-latest", Stream: true, N: 1, Messages: texts("def f(", "return a", "s"), Tail: []byte("def f("), Suffix: []byte("return a")}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
}
