package api

import (
	"errors"
	"reflect"
	"testing"

	"noecho/proxy/wire"
)

func TestCohereLocate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		family  *wire.Family
		framing wire.Framing
		payload string
		want    string
	}{
		{"start", cohereChat, wire.SSE, `{"id":"c-1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`, "begin 0 \ndrop 0 -> {} []\n"},
		{"block", cohereChat, wire.SSE, `{"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":"Hi"}}}}`, "begin 0 \ntext 0.1 content.#.text Hi\n"},
		{"text", cohereChat, wire.SSE, `{"type":"content-delta","delta":{"message":{"content":{"text":"a \u0041"}}},"index":1,"logprobs":{"text":"a A","token_ids":[1],"logprobs":[-0.1]}}`, "begin 0 \ntext 0.1 content.#.text a A\ndrop 0.1 -> null {\"text\":\"a A\",\"token_ids\":[1],\"logprobs\":[-0.1]}\ntoken 0.1 logprobs a A\n"},
		{"thinking", cohereChat, wire.SSE, `{"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}`, "begin 0 \ntext 0.0 content.#.thinking hm\n"},
		{"plan", cohereChat, wire.SSE, `{"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will"}}}`, "begin 0 \ntext 0 tool_plan I will\n"},
		{"call", cohereChat, wire.SSE, `{"type":"tool-call-start","index":2,"delta":{"message":{"tool_calls":{"id":"f_1","type":"function","function":{"name":"f","arguments":""}}}}}`, "begin 0 \nmetadata 0.2 ids f_1\nmetadata 0.2 tool_calls.#.name f\n"},
		{"arguments", cohereChat, wire.SSE, `{"type":"tool-call-delta","index":2,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\""}}}}}`, "begin 0 \ntext 0.2 tool_calls.#.arguments {\"a\"\n"},
		{
			"citation",
			cohereChat,
			wire.SSE,
			`{"type":"citation-start","index":9,"delta":{"message":{"citations":{"start":0,"end":3,"text":"a b","type":"TEXT_CONTENT","sources":[{"type":"document","id":"doc:0","document":{"id":"d","title":"a title","snippet":"some text"}},{"type":"tool","tool_output":{"x":"an output"}}]}}}}`,
			"begin 0 \ndrop 0 -> {} {\"start\":0,\"end\":3,\"text\":\"a b\",\"type\":\"TEXT_CONTENT\",\"sources\":[{\"type\":\"document\",\"id\":\"doc:0\",\"document\":{\"id\":\"d\",\"title\":\"a title\",\"snippet\":\"some text\"}},{\"type\":\"tool\",\"tool_output\":{\"x\":\"an output\"}}]}\n" +
				"token 0 citations.text a b\nmetadata 0 delta.message.citations.sources.document.* a title\nmetadata 0 delta.message.citations.sources.document.* some text\nmetadata 0.6 keys.# x\nmetadata 0 delta.message.citations.sources.tool_output.* an output\n",
		},
		{"end", cohereChat, wire.SSE, `{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"output_tokens":1}}}}`, "begin 0 \nend 0 \"COMPLETE\"\n"},
		{"prompt", cohereChat, wire.SSE, `{"type":"debug","prompt":"the prompt"}`, "begin 0 \ndrop 0 -> null \"the prompt\"\nmetadata 0 prompt the prompt\n"},
		{"done", cohereChat, wire.SSE, `[DONE]`, "done -1 \n"},
		{
			"in one piece",
			cohereChat,
			wire.JSON,
			`{"id":"c-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a b"}],"tool_plan":"p q","tool_calls":[{"id":"f_1","type":"function","function":{"name":"f","arguments":"{}"}}],"citations":[{"text":"b"}]},"logprobs":[{"text":"a","token_ids":[1]}]}`,
			"begin 0 \nend 0 \"COMPLETE\"\ntext 0.0 content.#.thinking hm\ntext 0.1 content.#.text a b\ntext 0 tool_plan p q\nmetadata 0.0 ids f_1\nmetadata 0.0 tool_calls.#.name f\ntext 0.0 tool_calls.#.arguments {}\n" +
				"drop 0 -> [] [{\"text\":\"b\"}]\ntoken 0 citations.text b\ndrop 0 -> null [{\"text\":\"a\",\"token_ids\":[1]}]\ntoken 0 logprobs a\n",
		},
		{"v1 text", cohereV1, wire.Lines, `{"is_finished":false,"event_type":"text-generation","text":"a b"}`, "begin 0 \ntext 0.0 text a b\n"},
		{"v1 call", cohereV1, wire.Lines, `{"event_type":"tool-calls-chunk","tool_call_delta":{"name":"f","index":1,"parameters":"{\"a\""},"text":"p"}`, "begin 0 \nmetadata 0.1 tool_calls.#.name f\ntext 0.1 tool_calls.#.parameters {\"a\"\ntext 0.1 tool_plan p\n"},
		{"v1 in one piece", cohereV1, wire.JSON, `{"response_id":"r","text":"a b","generation_id":"g","finish_reason":"COMPLETE","meta":{"api_version":{"version":"1"}}}`, "begin 0 \ntext 0 text a b\nend 0 \"COMPLETE\"\n"},
		{"generations", cohereV1, wire.JSON, `{"id":"i","prompt":"","generations":[{"id":"g","text":"a","finish_reason":"COMPLETE"},{"text":"b","token_likelihoods":[{"token":"b","likelihood":-1}]}]}`, "begin 0 \ntext 0.0 text a\ntext 0.1 text b\ndrop 0.1 -> null [{\"token\":\"b\",\"likelihood\":-1}]\ntoken 0.1 token_likelihoods b\n"},
		{"v1 citations", cohereV1, wire.Lines, `{"event_type":"citation-generation","citations":[{"start":0,"text":"a","document_ids":["d_0"]}]}`, "begin 0 \ndrop 0 -> [] [{\"start\":0,\"text\":\"a\",\"document_ids\":[\"d_0\"]}]\ntoken 0 citations.text a\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := wire.NewLocator(tt.family, tt.framing)
			for range 2 {
				fields, err := l.Locate([]byte(tt.payload))
				if err != nil {
					t.Fatal(err)
				}
				if got := once(show(tt.payload, fields)); got != tt.want {
					t.Fatalf("got\n%swant\n%s", got, tt.want)
				}
			}
		})
	}
}

func TestCohereRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		family *wire.Family
		body   string
		want   wire.Request
	}{
		{"chat", cohereChat, `{"model":"command-a","stream":true,"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],"documents":["d",{"id":"1","data":{"t":"e"}}],"tools":[{"type":"function","function":{"name":"f","description":"g"}}]}`, wire.Request{
			Model: "command-a", Stream: true, N: 1, Messages: texts("s", "a\nb", "d", "e", "f\ng"), Tail: []byte("ab"),
		}},
		{"calls", cohereChat, `{"messages":[{"role":"assistant","tool_plan":"p","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"1","content":[{"type":"document","document":{"data":"{\"b\":2}"}}]}]}`, wire.Request{
			N: 1, Messages: texts("p\nf\n{\"a\":1}", "{\"b\":2}"),
		}},
		{"schema", cohereChat, `{"response_format":{"type":"json_object","schema":{"description":"x y"}}}`, wire.Request{N: 1, Schema: true, Messages: texts("json_object\nx y")}},
		{"v1", cohereV1, `{"model":"command-r","message":"m","preamble":"p","chat_history":[{"role":"USER","message":"h"},{"role":"CHATBOT","message":"i"}],"stream":true}`, wire.Request{
			Model: "command-r", Stream: true, N: 1, Messages: texts("m", "p", "h", "i"), Tail: []byte("m"),
		}},
		{"generate", cohereV1, `{"prompt":"once","num_generations":2}`, wire.Request{N: 1, Messages: texts("once"), Tail: []byte("once")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.family.Request("/v2/chat", []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if tt.name == "schema" { // the name of its kind is of no interest
				got.Messages, tt.want.Messages = nil, nil
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestCohereEndings(t *testing.T) {
	t.Parallel()
	const done = "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\"}}\n\ndata: [DONE]\n\n"
	tests := []struct {
		name string
		sent []string
		open []int32
		want string
	}{
		{"in a text", []string{`{"type":"message-start"}`, `{"type":"content-start","index":0}`, `{"type":"content-end","index":0}`, `{"index":1,"type":"content-start"}`, `{"type":"content-delta","index":1}`}, []int32{0}, "event: content-end\ndata: {\"type\":\"content-end\",\"index\":1}\n\n" + done},
		{"in a call", []string{`{"type":"tool-call-start","index":3}`, `{"type":"tool-call-delta","index":3}`}, []int32{0}, "event: tool-call-end\ndata: {\"type\":\"tool-call-end\",\"index\":3}\n\n" + done},
		{"between blocks", []string{`{"type":"content-start","index":0}`, `{"type":"content-end","index":0}`, `{"type":"citation-start","index":0}`}, []int32{0}, done},
		{"behind the end", []string{`{"type":"message-end"}`}, nil, "data: [DONE]\n\n"},
		{"no JSON", []string{`{"type"`}, []int32{0}, done},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := cohereChat.Ending()
			for _, s := range tt.sent {
				e.Sent([]byte(s))
			}
			w := wire.Writer{Framer: wire.NewFramer(wire.SSE, cohereChat)}
			if e.Write(&w, tt.open); string(w.Out) != tt.want {
				t.Errorf("got  %q\nwant %q", w.Out, tt.want)
			}
		})
	}
	failures := map[string]func(w *wire.Writer){
		"event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"a \\\"b\\\"\"}}\n\ndata: [DONE]\n\n": func(w *wire.Writer) {
			cohereChat.StreamFailure(w, wire.Failure{Message: `a "b"`})
		},
		"{\"event_type\":\"stream-error\",\"is_finished\":true,\"finish_reason\":\"ERROR\",\"err\":\"a \\\"b\\\"\"}\n": func(w *wire.Writer) {
			w.Framer = wire.NewFramer(wire.Lines, cohereV1)
			cohereV1.StreamFailure(w, wire.Failure{Message: `a "b"`})
		},
		`{"id":"","message":"a \"b\"","code":"c"}`: func(w *wire.Writer) {
			w.Out = cohereV1.Failure(nil, wire.Failure{Message: `a "b"`, Code: "c"})
		},
	}
	for want, write := range failures {
		w := wire.Writer{Framer: wire.NewFramer(wire.SSE, cohereChat)}
		if write(&w); string(w.Out) != want {
			t.Errorf("got  %q\nwant %q", w.Out, want)
		}
	}
}

func TestCohereFraming(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		contentType string
		stream      bool
		want        wire.Framing
	}{{"application/stream+json", true, wire.Lines}, {"application/json", true, wire.Lines}, {"application/json", false, wire.JSON}, {"text/event-stream", true, wire.SSE}} {
		if got := cohereV1.Framing(tt.contentType, wire.Request{Stream: tt.stream}); got != tt.want {
			t.Errorf("%q, stream %v: %d, want %d", tt.contentType, tt.stream, got, tt.want)
		}
	}
}

// FuzzCohere: any body is an error or a request, any message is an error or has places
// inside of it, and an ending can follow any message.
func FuzzCohere(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"a"}],"documents":["d"],"message":"m","prompt":"p"}`))
	f.Add([]byte(`{"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"function":{"name":"f","arguments":"{"}},"citations":{"sources":[{"document":{"a":"b"}}]}}}}`))
	f.Add([]byte(`{"event_type":"stream-end","response":{"text":"a","chat_history":[{"message":"a"}],"generations":[{"text":"b"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, family := range []*wire.Family{cohereChat, cohereV1} {
			if _, err := family.Request("", body); err != nil && !errors.Is(err, wire.ErrRequest) {
				t.Fatal(err)
			}
			fields, err := wire.NewLocator(family, wire.SSE).Locate(body)
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
			e := family.Ending()
			e.Sent(body)
			w := wire.Writer{Framer: wire.NewFramer(wire.SSE, family)}
			e.Write(&w, []int32{0})
			if len(w.Out) == 0 {
				t.Fatal("no ending")
			}
		}
	})
}
