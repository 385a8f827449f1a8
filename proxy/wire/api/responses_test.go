package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

func TestResponsesLocate(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, payload, want string }{
		{
			"a piece",
			`{"type":"response.output_text.delta","item_id":"msg_1","output_index":2,"content_index":5,"delta":"Hi","logprobs":[{"token":"Hi","bytes":[72,105],"top_logprobs":[{"token":"Ho"}]}],"obfuscation":"x1","sequence_number":4}`,
			"begin 0 \ntext 0.2 output.#.content Hi\ndrop 0.2 -> [] [{\"token\":\"Hi\",\"bytes\":[72,105],\"top_logprobs\":[{\"token\":\"Ho\"}]}]\n" +
				"token 0.2 output.#.logprobs Hi\ntoken 0.2 output.#.logprobs.bytes Hi\ntoken 0.0 logprobs.top.# Ho\n",
		},
		{
			"kind and numbers behind the text",
			`{"delta":"hm","content_index":7,"output_index":1,"type":"response.reasoning_text.delta"}`,
			"begin 0 \ntext 0.1 output.#.reasoning hm\n",
		},
		{
			"summary",
			`{"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":3,"text":"so"}`,
			"begin 0 \nfinal 0.0 output.#.summary.# so\n",
		},
		{
			"part of a reasoning",
			`{"type":"response.content_part.done","output_index":1,"part":{"text":"hm","type":"reasoning_text"}}`,
			"begin 0 \nfinal 0.1 output.#.reasoning hm\n",
		},
		{
			"item that ends",
			`{"type":"response.output_item.done","output_index":1,"item":{"id":"m","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"a","annotations":[{"type":"url_citation","url":"https://e.org/","title":"T"}],"logprobs":[]},{"type":"refusal","refusal":"b"}]}}`,
			"begin 0 \nmetadata 0.1 ids m\nfinal 0.1 output.#.content a\ndrop 0.1 -> [] [{\"type\":\"url_citation\",\"url\":\"https://e.org/\",\"title\":\"T\"}]\nmetadata 0.1 output.#.annotations https://e.org/\nmetadata 0.1 output.#.annotations T\ndrop 0.1 -> [] []\nfinal 0.1 output.#.refusal b\n",
		},
		{
			"item that begins",
			`{"type":"response.output_item.added","output_index":1,"item":{"id":"m","type":"function_call","name":"f","call_id":"c","arguments":"{"}}`,
			"begin 0 \nmetadata 0.1 ids m\nmetadata 0.1 output.#.name f\nmetadata 0.1 call_ids c\ncumulative 0.1 output.#.arguments {\n",
		},
		{
			"end",
			`{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","incomplete_details":null,"instructions":"Be kind.","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"gAAA"},{"type":"tool_search_call","arguments":{"a":["b",1]}}],"output_text":"x"}}`,
			"begin 0 \nend 0.0 \"response.completed\"\nend 0.0 \"completed\"\nend 0.0 null\nmetadata 0.0 instructions Be kind.\ncumulative 0.0 output.#.summary.# s\ndrop 0.0 -> \"\" \"gAAA\"\ncumulative 0.1 output.#.arguments {\"a\":[\"b\",1]}\nfinal 0.0 output_text x\n",
		},
		{
			"failed",
			`{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"m"}}}`,
			"begin 0 \nend 0.0 \"response.failed\"\nmetadata 0.0 error {\"code\":\"server_error\",\"message\":\"m\"}\n",
		},
		{"error", `{"type":"error","code":"server_error","message":"m","param":null,"sequence_number":3}`, "begin 0 \nmetadata 0.0 message m\n"},
		{"speech", `{"type":"response.audio.delta","delta":"AAAA"}`, "begin 0 \ndrop 0.0 -> \"\" \"AAAA\"\n"},
		{"picture", `{"type":"response.image_generation_call.partial_image","output_index":0,"partial_image_b64":"iVBO"}`, "begin 0 \ndrop 0.0 -> \"\" \"iVBO\"\n"},
		{
			"in one piece",
			`{"id":"r","object":"response","status":"completed","output":[{"id":"m","type":"message","content":[{"type":"output_text","text":"a"}]},{"type":"mcp_call","name":"f","arguments":"{}","output":"o","error":null}],"content_filters":[{"blocked":false,"source_type":"prompt","content_filter_results":{"hate":{"severity":"safe"}},"content_filter_offsets":{"start_offset":1}}],"output_messages":[{"message":"m","tokens":[1,2]}]}`,
			"begin 0 \nmetadata 0.0 ids m\ntext 0.0 output.#.content a\nmetadata 0.1 output.#.name f\ntext 0.1 output.#.arguments {}\nmetadata 0.1 output.#.output o\nmetadata 0.2 keys.# blocked\ndrop 0.0 -> null {\"start_offset\":1}\ndrop 0.0 -> [] [{\"message\":\"m\",\"tokens\":[1,2]}]\nmetadata 0.0 output_messages {\"message\":\"m\",\"tokens\":[1,2]}\n",
		},
		{"item alone", `{"id":"m","type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}`, "begin 0 \ntext 0.0 output.#.content a\n"},
		{"list", `{"object":"list","data":[{"type":"message","role":"user","content":"a"},{"type":"custom_tool_call","input":"b"}],"first_id":"x"}`, "begin 0 \ntext 0.0 output.#.content a\ntext 0.1 output.#.input b\n"},
		{"unknown kind", `{"type":"response.song.delta","delta":"la"}`, "begin 0 \ntext 0.0 delta la\n"},
		{"done", `[DONE]`, "done -1 \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := wire.NewLocator(responses, wire.SSE)
			fields, err := l.Locate([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(tt.payload, fields); got != tt.want {
				t.Fatalf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestResponsesRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       wire.Request // Messages apart
		messages   []string
	}{
		{"text", `{"model":"m","stream":true,"instructions":"be kind","input":"hi","previous_response_id":"resp_secret","conversation":{"id":"conv_1"},"include":["reasoning.encrypted_content"],"user":"u"}`, wire.Request{Model: "m", Stream: true, N: 1, Tail: []byte("hi")}, []string{"be kind", "hi"}},
		{
			"items",
			`{"input":[{"role":"user","content":[{"type":"input_text","text":"look "},{"type":"input_image","image_url":"data:x"},{"type":"input_text","text":"here"}]},{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}]},{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":\"b\"}"},{"type":"function_call_output","call_id":"c1","output":"done it"}]}`,
			wire.Request{N: 1, Tail: []byte("done it")},
			[]string{"look \nhere", "s", "c1\nf\n{\"a\":\"b\"}", "c1\ndone it"},
		},
		{"last item without text", `{"input":[{"role":"user","content":"a"},{"type":"item_reference","id":"x"}]}`, wire.Request{N: 1}, []string{"a"}},
		{"schema", `{"input":"a","text":{"format":{"type":"json_schema","name":"s","schema":{"description":"d"}},"verbosity":"low"}}`, wire.Request{N: 1, Schema: true, Tail: []byte("a")}, []string{"a", "s\nd\nlow", `{"format":{"type":"json_schema","name":"s","schema":{"description":"d"}},"verbosity":"low"}`}},
		{"no schema", `{"input":"a","text":{"format":{"type":"text"}}}`, wire.Request{N: 1, Tail: []byte("a")}, []string{"a", `{"format":{"type":"text"}}`}},
		{"stored prompt", `{"prompt":{"id":"p","variables":{"a":"x y","b":{"type":"input_text","text":"z"}}}}`, wire.Request{N: 1}, []string{"x y\nz", `{"id":"p","variables":{"a":"x y","b":{"type":"input_text","text":"z"}}}`}},
		{"items of a conversation", `{"items":[{"type":"message","role":"user","content":"a b"}]}`, wire.Request{N: 1, Tail: []byte("a b")}, []string{"a b"}},
		{"nothing", ``, wire.Request{N: 1}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := responses.Request("/v1/responses", []byte(tt.body))
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
			if got.Model != tt.want.Model || got.Stream != tt.want.Stream || got.N != tt.want.N || got.Schema != tt.want.Schema || string(got.Tail) != string(tt.want.Tail) {
				t.Errorf("got %+v, tail %q", got, got.Tail)
			}
		})
	}
	for _, body := range []string{`[]`, `{"input":"a","input":"b"}`, `{`, `{} {}`} {
		if _, err := responses.Request("", []byte(body)); !errors.Is(err, wire.ErrRequest) {
			t.Errorf("%s: error = %v", body, err)
		}
	}
}

// responsesEnded returns the end that an ending writes behind the given messages.
func responsesEnded(t testing.TB, e wire.Ending, sent ...string) string {
	t.Helper()
	for _, payload := range sent {
		e.Sent([]byte(payload))
	}
	w := wire.Writer{Framer: wire.NewFramer(wire.SSE, responses), Begun: true}
	e.Write(&w, []int32{0})
	for line := range strings.Lines(string(w.Out)) {
		if data, ok := strings.CutPrefix(line, "data: "); ok && !json.Valid([]byte(data)) {
			t.Fatalf("no JSON: %s", data)
		}
	}
	return string(w.Out)
}

func TestResponsesEnding(t *testing.T) {
	t.Parallel()
	const created = `{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","status":"in_progress","incomplete_details":null,"output":[],"model":"m","output_text":""}}`
	const last = `"response":{"id":"r","object":"response","model":"m","status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[`
	tests := []struct {
		name string
		sent []string
		want []string // type and members behind sequence_number
	}{
		{"nothing", nil, []string{`response.incomplete 0 "response":{"object":"response","error":null,"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]}`}},
		{"no item", []string{created}, []string{`response.incomplete 1 ` + last + `]}`}},
		{
			"call",
			[]string{created, `{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"fc","type":"function_call","call_id":"c","name":"f","arguments":"","status":"in_progress"}}`, `{"type":"response.function_call_arguments.delta","sequence_number":2,"output_index":0,"item_id":"fc","delta":"{\"a\":\"\ud83d"}`, `{"type":"response.function_call_arguments.delta","sequence_number":3,"output_index":0,"item_id":"fc","delta":"\ude00 b "}`},
			[]string{
				`response.function_call_arguments.done 4 "item_id":"fc","output_index":0,"arguments":"{\"a\":\"\ud83d\ude00 b "`,
				`response.output_item.done 5 "output_index":0,"item":{"id":"fc","type":"function_call","call_id":"c","name":"f","status":"incomplete","arguments":"{\"a\":\"\ud83d\ude00 b "}`,
				`response.incomplete 6 ` + last + `{"id":"fc","type":"function_call","call_id":"c","name":"f","status":"incomplete","arguments":"{\"a\":\"\ud83d\ude00 b "}]}`,
			},
		},
		{
			"text that was said",
			[]string{created, `{"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant","content":[]}}`, `{"type":"response.content_part.added","output_index":0,"content_index":0,"part":{"type":"output_text","text":"a"}}`, `{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"a b"}`},
			[]string{
				`response.content_part.done 4 "item_id":"m","output_index":0,"content_index":0,"part":{"type":"output_text","text":"a b","annotations":[],"logprobs":[]}`,
				`response.output_item.done 5 "output_index":0,"item":{"id":"m","type":"message","role":"assistant","status":"incomplete","content":[{"type":"output_text","text":"a b","annotations":[],"logprobs":[]}]}`,
				`response.incomplete 6 ` + last + `{"id":"m","type":"message","role":"assistant","status":"incomplete","content":[{"type":"output_text","text":"a b","annotations":[],"logprobs":[]}]}]}`,
			},
		},
		{
			"item that nobody announced",
			[]string{`{"type":"response.output_text.delta","item_id":"m","output_index":3,"content_index":0,"delta":"a","sequence_number":8}`},
			[]string{
				`response.output_text.done 9 "item_id":"m","output_index":3,"content_index":0,"text":"a","logprobs":[]`,
				`response.content_part.done 10 "item_id":"m","output_index":3,"content_index":0,"part":{"type":"output_text","text":"a","annotations":[],"logprobs":[]}`,
				`response.output_item.done 11 "output_index":3,"item":{"type":"message","role":"assistant","id":"m","status":"incomplete","content":[{"type":"output_text","text":"a","annotations":[],"logprobs":[]}]}`,
				`response.incomplete 12 "response":{"object":"response","error":null,"status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[{"type":"message","role":"assistant","id":"m","status":"incomplete","content":[{"type":"output_text","text":"a","annotations":[],"logprobs":[]}]}]}`,
			},
		},
		{"items that ended", []string{created, `{"type":"response.output_item.done","output_index":0,"item":{"id":"x","type":"web_search_call","status":"completed"}}`}, []string{`response.incomplete 2 ` + last + `{"id":"x","type":"web_search_call","status":"completed"}]}`}},
		{"stream that ended", []string{created, `{"type":"response.completed","response":{}}`}, nil},
		{"stream that failed", []string{created, `{"type":"error","message":"m"}`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := ""
			for _, e := range tt.want {
				kind, rest, _ := strings.Cut(e, " ")
				n, members, _ := strings.Cut(rest, " ")
				want += fmt.Sprintf("event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%s,%s}\n\n", kind, kind, n, members)
			}
			if got := responsesEnded(t, responses.Ending(), tt.sent...); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestResponsesEndingBound: an ending keeps a bounded number of bytes. Beyond the bound
// it writes no text.
func TestResponsesEndingBound(t *testing.T) {
	t.Parallel()
	e := &responsesEnding{}
	e.Sent([]byte(`{"type":"response.created","response":{"id":"r","instructions":"` + strings.Repeat("i", maxResponse) + `","model":"m"}}`))
	long := strings.Repeat("word ", 1000)
	for n := range 400 {
		e.Sent(fmt.Appendf(nil, `{"type":"response.output_item.added","output_index":%d,"item":{"id":"m%d","type":"message","role":"assistant","content":[]}}`, n, n))
		e.Sent(fmt.Appendf(nil, `{"type":"response.content_part.added","output_index":%d,"content_index":0,"part":{"type":"output_text","text":""}}`, n))
		e.Sent(fmt.Appendf(nil, `{"type":"response.output_text.delta","output_index":%d,"content_index":0,"delta":"%s"}`, n, long))
		kept := len(e.response)
		for _, it := range e.items {
			kept += len(it.raw) + len(it.id)
			for _, p := range it.parts {
				kept += len(p.said)
			}
		}
		if kept > maxResponse+maxEnding+len(long) {
			t.Fatalf("%d bytes kept", kept)
		}
		if n%2 == 0 {
			e.Sent(fmt.Appendf(nil, `{"type":"response.output_item.done","output_index":%d,"item":{"id":"m%d","type":"message","content":[{"type":"output_text","text":"%s"}]}}`, n, n, long))
		}
	}
	got := responsesEnded(t, e)
	if e.state != endingOver || len(e.items) > maxOutline || strings.Contains(got, "word") || strings.Contains(got, "output_text.done") {
		t.Errorf("%d items, %d bytes: %.500s", len(e.items), len(got), got)
	}
	if want := `event: response.output_item.done` + "\n" + `data: {"type":"response.output_item.done","sequence_number":1401,`; !strings.HasPrefix(got, want) {
		t.Errorf("begins with %.300s", got)
	}
	if !strings.Contains(got, `"item":{"id":"m399","type":"message","role":"assistant","content":[],"status":"incomplete"}`) || !strings.Contains(got, `{"id":"r","model":"m","status":"incomplete"`) {
		t.Errorf("ends with %.900s", got[len(got)-900:])
	}
}

// TestResponsesEndingAllocs: following a stream allocates nothing but the growth of
// kept texts.
func TestResponsesEndingAllocs(t *testing.T) {
	e := &responsesEnding{}
	e.Sent([]byte(`{"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message"}}`))
	piece := []byte(`{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"word ","logprobs":[],"sequence_number":4}`)
	e.Sent(piece)
	e.items[0].parts[0].said = slices.Grow(e.items[0].parts[0].said, 1<<16)
	if n := testing.AllocsPerRun(100, func() { e.Sent(piece) }); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

// FuzzResponses: behind any messages, the ending of a stream is JSON in events, and a
// locator that accepted the messages accepts the ending.
func FuzzResponses(f *testing.F) {
	f.Add([]byte(`{"type":"response.created","response":{"id":"r"}}` + "\n" + `{"type":"response.output_item.added","item":{"id":"m","content":[]}}` + "\n" + `{"type":"response.content_part.added","part":{"type":"output_text","text":"a"}}` + "\n" + `{"type":"response.output_text.delta","delta":"b\ud83d"}`))
	f.Add([]byte(`{"type":"response.output_item.done","output_index":1,"item":{"id":"m"}}` + "\n" + `{"delta":"x","type":"response.refusal.delta","content_index":3}` + "\n" + `{"type":"response.reasoning_part.added","part":{"type":"reasoning_text"}}`))
	f.Add([]byte(`{"input":[{"content":[{"text":"a"}]},{"output":"b"}],"text":{"format":{"type":"json_object"}},"tools":[{"a":1}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := responses.Request("", body); err != nil && !errors.Is(err, wire.ErrRequest) {
			t.Fatal(err)
		}
		l := wire.NewLocator(responses, wire.SSE)
		e := responses.Ending()
		for payload := range bytes.SplitSeq(body, []byte("\n")) {
			fields, err := l.Locate(payload)
			if err != nil {
				if !errors.Is(err, wire.ErrUnscannable) {
					t.Fatal(err)
				}
				continue
			}
			for _, f := range fields {
				if f.Lo > f.Hi || f.Hi > len(payload) {
					t.Fatalf("place %d to %d of %d bytes", f.Lo, f.Hi, len(payload))
				}
			}
			e.Sent(payload)
		}
		responsesEnded(t, e)
	})
}
