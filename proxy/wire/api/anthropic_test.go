package api

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"noecho/proxy/wire"
)

func TestAnthropicLocate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		family  *wire.Family
		framing wire.Framing
		payload string
		want    string
	}{
		{
			"start of a message",
			anthropic,
			wire.SSE,
			`{"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","content":[{"type":"text","text":"a"}],"model":"claude-opus-4","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1,"service_tier":"standard"}}}`,
			"begin 0 \ntext 0.0 content.text a\n",
		},
		{
			"start of a tool's input",
			anthropic,
			wire.SSE,
			`{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}}`,
			"begin 0 \nmetadata 0.3 ids toolu_1\nmetadata 0.3 content.name get_weather\n",
		},
		{
			"input in pieces, number behind",
			anthropic,
			wire.SSE,
			`{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"a\""},"index":2}`,
			"begin 0 \ntext 0.2 content.#.input {\"a\"\n",
		},
		{
			"text",
			anthropic,
			wire.SSE,
			`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"b"}}`,
			"begin 0 \ntext 0.1 content.text b\n",
		},
		{
			"thought",
			anthropic,
			wire.SSE,
			`{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
			"begin 0 \ntext 0.0 content.#.thinking hm\n",
		},
		{
			"signature",
			anthropic,
			wire.SSE,
			`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}`,
			"begin 0 \ndrop 0.0 -> \"\" \"EqQB\"\nmetadata 0.0 delta.signature EqQB\n",
		},
		{
			"citation",
			anthropic,
			wire.SSE,
			`{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"type":"page_location","cited_text":"c","document_title":"d","start_page_number":1}}}`,
			"begin 0 \ndrop message 0.0 {\"type\":\"page_location\",\"cited_text\":\"c\",\"document_title\":\"d\",\"start_page_number\":1}\nmetadata 0.0 content.citation c\nmetadata 0.0 content.citation d\n",
		},
		{"end of a block", anthropic, wire.SSE, `{"type":"content_block_stop","index":0}`, "begin 0 \nend 0.0 \"content_block_stop\"\n"},
		{
			"end of a message",
			anthropic,
			wire.SSE,
			`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":"x y","stop_details":{"type":"refusal","explanation":"e"}},"usage":{"output_tokens":15}}`,
			"begin 0 \nend 0.0 \"refusal\"\nmetadata 0.0 delta.stop_sequence x y\nmetadata 0.0 delta.stop_details.type refusal\nmetadata 0.0 delta.stop_details.explanation e\n",
		},
		{"end", anthropic, wire.SSE, `{"type":"message_stop"}`, "begin 0 \n"},
		{"ping", anthropic, wire.SSE, `{"type": "ping"}`, "begin 0 \n"},
		{"error", anthropic, wire.SSE, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, "begin 0 \nmetadata 0.0 error.message Overloaded\n"},
		{
			"delta of a kind that nobody knows",
			anthropic,
			wire.SSE,
			`{"type":"content_block_delta","index":0,"delta":{"type":"new_delta","new":"n"}}`,
			"begin 0 \nmetadata 0.1 keys.# new\nmetadata 0.0 delta.new n\n",
		},
		{
			"deltas of an event without a type",
			anthropic,
			wire.SSE,
			`{"index":1,"delta":{"text":"b"}}`,
			"begin 0 \ntext 0.1 content.text b\n",
		},
		{
			"whole message",
			anthropic,
			wire.JSON,
			`{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"h","signature":""},{"type":"redacted_thinking","data":"EmwK"},{"type":"text","text":"a","citations":null},{"type":"tool_use","id":"t","name":"f","input":{"a":"b"}},{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","title":"T"}]},{"type":"mcp_tool_result","tool_use_id":"s","content":"r"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1}}`,
			"begin 0 \ntext 0.0 content.#.thinking h\nmetadata 0.1 content.#.data EmwK\ntext 0.2 content.text a\nmetadata 0.3 ids t\nmetadata 0.3 content.name f\ntext 0.3 content.#.input {\"a\":\"b\"}\nmetadata 0.4 ids s\nmetadata 0.4 content.result T\nmetadata 0.5 ids s\ntext 0.5 content.#.content r\nend 0.0 \"end_turn\"\n",
		},
		{"completion in pieces", anthropicComplete, wire.SSE, `{"type":"completion","completion":" a","stop_reason":null,"model":"m"}`, "begin 0 \ntext 0 text  a\n"},
		{"completion, cumulative", anthropicComplete, wire.SSE, `{"completion":" a b","stop_reason":"max_tokens","truncated":false,"log_id":"1","exception":null}`, "begin 0 \ncumulative 0 text  a b\nend 0 \"max_tokens\"\n"},
		{"end of cumulative ones", anthropicComplete, wire.SSE, `[DONE]`, "done -1 \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			fields, err := wire.NewLocator(tt.family, tt.framing).Locate([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(tt.payload, fields); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestAnthropicRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, body string
		family           *wire.Family
		want             wire.Request // Messages apart
		messages         []string
	}{
		{
			"strings", "/v1/messages",
			`{"model":"m","max_tokens":5,"stream":true,"system":"be kind","messages":[{"role":"user","content":"caf\u00e9?"},{"role":"assistant","content":"Once up"}],"metadata":{"user_id":"u"}}`,
			anthropic,
			wire.Request{Model: "m", Stream: true, N: 1, Tail: []byte("Once up")},
			[]string{"be kind", "café?", "Once up"},
		},
		{
			"blocks", "/v1/messages",
			`{"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"text","text":"b"}],"messages":[{"role":"user","content":[{"type":"text","text":"look "},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}},{"type":"document","source":{"type":"text","media_type":"text/plain","data":"doc text"},"title":"doc","context":"ctx","citations":{"enabled":true}},{"type":"document","source":{"type":"content","content":[{"type":"text","text":"part"}]}},{"type":"search_result","source":"src","title":"st","content":[{"type":"text","text":"found"}]},{"type":"text","text":"here"}]}]}`,
			anthropic,
			wire.Request{N: 1, Tail: []byte("look foundhere")},
			[]string{"a\nb", "look \ndoc text\ndoc\nctx\npart\nsrc\nst\nfound\nhere"},
		},
		{
			"tools and history", "/v1/messages",
			`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqQB"},{"type":"redacted_thinking","data":"EmwK"},{"type":"tool_use","id":"t","name":"f","input":{"a": "b c"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"result"}]}]}],"tools":[{"name":"f","description":"does f","input_schema":{"type":"object","properties":{"a":{"type":"string","description":"the a"}}}},{"name":"g"}],"stop_sequences":["end here"]}`,
			anthropic,
			wire.Request{N: 1, Tail: []byte("result")},
			[]string{"hm\nf\n{\"a\": \"b c\"}", "result", "f\ndoes f\nthe a", "g", "end here"},
		},
		{
			"structured output", "/v1/messages",
			`{"messages":[],"output_config":{"format":{"type":"json_schema","schema":{"description":"d"}}}}`,
			anthropic,
			wire.Request{N: 1, Schema: true},
			[]string{"d"},
		},
		{"structured output, as it was", "/v1/messages", `{"messages":[],"output_format":{"type":"json_schema","schema":{}}}`, anthropic, wire.Request{N: 1, Schema: true}, nil},
		{
			"Vertex", "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4@20250514:streamRawPredict",
			`{"anthropic_version":"vertex-2023-10-16","messages":[{"role":"user","content":"hi"}]}`,
			anthropic,
			wire.Request{Model: "claude-sonnet-4@20250514", Stream: true, N: 1, Tail: []byte("hi")},
			[]string{"vertex-2023-10-16", "hi"},
		},
		{
			"completion", "/v1/complete",
			`{"model":"m","prompt":"\n\nHuman: hi\n\nAssistant: We","stop_sequences":["\n\nHuman:"],"metadata":{"user_id":"u"},"stream":true}`,
			anthropicComplete,
			wire.Request{Model: "m", Stream: true, N: 1, Tail: []byte("\n\nHuman: hi\n\nAssistant: We")},
			[]string{"\n\nHuman: hi\n\nAssistant: We", "\n\nHuman:"},
		},
		{"odd values", "/v1/messages", `{"messages":"hi","model":7,"system":5,"output_config":"x"}`, anthropic, wire.Request{N: 1}, []string{"x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.family.Request(tt.path, []byte(tt.body))
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
			if got.Model != w.Model || got.Stream != w.Stream || got.N != w.N || got.Schema != w.Schema || string(got.Tail) != string(w.Tail) {
				t.Errorf("got %+v, want %+v", got, w)
			}
		})
	}
	for _, f := range []*wire.Family{anthropic, anthropicComplete} {
		for _, body := range []string{``, `[]`, `{"model":"a","model":"b"}`, `{"messages":[{"content":"a","content":"b"}]}`} {
			if _, err := f.Request("", []byte(body)); !errors.Is(err, wire.ErrRequest) {
				t.Errorf("%s: %q: error = %v", f.Name, body, err)
			}
		}
	}
}

func TestAnthropicFailure(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		failure wire.Failure
		want    string
	}{
		{wire.Failure{Message: `no "x"`, Code: "content_filter"}, `{"type":"error","error":{"type":"invalid_request_error","message":"no \"x\""}}`},
		{wire.Failure{Message: "m", Status: 400}, `{"type":"error","error":{"type":"invalid_request_error","message":"m"}}`},
		{wire.Failure{Message: "m", Status: 404}, `{"type":"error","error":{"type":"not_found_error","message":"m"}}`},
		{wire.Failure{Message: "m", Status: 413}, `{"type":"error","error":{"type":"request_too_large","message":"m"}}`},
		{wire.Failure{Message: "m", Status: 429}, `{"type":"error","error":{"type":"rate_limit_error","message":"m"}}`},
		{wire.Failure{Message: "m", Status: 502}, `{"type":"error","error":{"type":"api_error","message":"m"}}`},
		{wire.Failure{Message: "m", Status: 503}, `{"type":"error","error":{"type":"overloaded_error","message":"m"}}`},
		{wire.Failure{Message: "m", Code: "upstream_error"}, `{"type":"error","error":{"type":"api_error","message":"m"}}`},
	} {
		for _, f := range []*wire.Family{anthropic, anthropicComplete} {
			if got := string(f.Failure(nil, tt.failure)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			w := wire.Writer{Framer: wire.NewFramer(wire.SSE, f)}
			f.StreamFailure(&w, tt.failure)
			if got := string(w.Out); got != "event: error\ndata: "+tt.want+"\n\n" {
				t.Errorf("got %s", got)
			}
		}
	}
}

func TestAnthropicEnding(t *testing.T) {
	t.Parallel()
	const (
		start   = `{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1,"service_tier":"standard","cache_creation":{"x":1}}}}`
		begun   = `{"type":"message_start","message":{"id":"","type":"message","role":"assistant","model":"","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}`
		judged  = `{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":{"input_tokens":3,"output_tokens":1}}`
		nothing = `{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":{"output_tokens":0}}`
		stopped = `{"type":"message_stop"}`
	)
	event := func(name, payload string) string { return "event: " + name + "\ndata: " + payload + "\n\n" }
	block := func(n string) string {
		return event("content_block_stop", `{"type":"content_block_stop","index":`+n+`}`)
	}
	end := event("message_delta", judged) + event("message_stop", stopped)
	for _, tt := range []struct {
		name   string
		family *wire.Family
		sent   []string
		want   string
	}{
		{"in a block", anthropic, []string{start, `{"type":"content_block_start","index":2}`, `{"type":"content_block_delta","index":2}`}, block("2") + end},
		{"between blocks", anthropic, []string{start, `{"index":0,"type":"content_block_start"}`, `{"type":"content_block_stop","index":0}`, `{"type":"ping"}`}, end},
		{"in two blocks", anthropic, []string{start, `{"type":"content_block_start","index":1}`, `{"type":"content_block_start","index":0}`}, block("0") + block("1") + end},
		{"before the start", anthropic, nil, event("message_start", begun) + event("message_delta", nothing) + event("message_stop", stopped)},
		{"usage without the answer's", anthropic, []string{`{"type":"message_start","message":{"usage":null}}`}, event("message_delta", nothing) + event("message_stop", stopped)},
		{"after the reason", anthropic, []string{start, `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}`}, event("message_stop", stopped)},
		{"after the end", anthropic, []string{start, stopped}, ""},
		{"after an error", anthropic, []string{start, `{"type":"content_block_start","index":1}`, `{"type":"error"}`}, ""},
		{"broken messages", anthropic, []string{start, `{"type":`, `[]`, `{"type":7,"index":"x"}`, `{"type":"content_block_start","index":"x"}`}, end},
		{"piece", anthropicComplete, []string{`{"type":"completion","completion":"a"}`}, event("completion", `{"type":"completion","completion":"","stop_reason":"refusal","stop":null}`)},
		{"last piece", anthropicComplete, []string{`{"type":"completion","completion":"a","stop_reason":"refusal"}`}, ""},
		{"cumulative", anthropicComplete, []string{`{"completion":"a\u0041"}`}, "data: {\"completion\":\"a\\u0041\",\"stop_reason\":\"refusal\",\"stop\":null}\n\ndata: [DONE]\n\n"},
		{"last cumulative", anthropicComplete, []string{`{"completion":"a","stop_reason":"refusal"}`}, "data: [DONE]\n\n"},
		{"error of a completion", anthropicComplete, []string{`{"type":"error"}`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := tt.family.Ending()
			for _, s := range tt.sent {
				e.Sent([]byte(s))
			}
			w := wire.Writer{Framer: wire.NewFramer(wire.SSE, tt.family), Begun: true}
			e.Write(&w, nil)
			if got := string(w.Out); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestAnthropicAllocs(t *testing.T) {
	l := wire.NewLocator(anthropic, wire.SSE)
	e := anthropic.Ending()
	payload := []byte(`{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi \u0041"}}`)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := l.Locate(payload); err != nil {
			t.Fatal(err)
		}
		e.Sent(payload)
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

// FuzzAnthropic: every request is read or refused, and an ending ends a stream in
// messages that are JSON.
func FuzzAnthropic(f *testing.F) {
	f.Add([]byte(`{"system":[{"type":"text","text":"a"}],"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"d"}},{"type":"tool_result","content":"r"}]}]}`))
	f.Add([]byte(`{"type":"message_start","message":{"usage":{"input_tokens":3,"a b":1}}}`))
	f.Add([]byte(`{"type":"content_block_start","index":1e9}`))
	f.Add([]byte(`{"completion":"a\u0041"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, family := range []*wire.Family{anthropic, anthropicComplete} {
			if _, err := family.Request("/models/a:b", body); err != nil && !errors.Is(err, wire.ErrRequest) {
				t.Fatal(err)
			}
			l := wire.NewLocator(family, wire.SSE)
			if _, err := l.Locate(body); err != nil {
				if !errors.Is(err, wire.ErrUnscannable) {
					t.Fatal(err)
				}
				continue // such a message never leaves
			}
			e := family.Ending()
			e.Sent(body)
			w := wire.Writer{Framer: wire.NewFramer(wire.SSE, family), Begun: true}
			e.Write(&w, nil)
			for out := w.Out; len(out) > 0; {
				n, _ := w.Framer.Scan(out)
				m := w.Framer.Parse(out[:n])
				if _, err := l.Locate(m.Payload); err != nil || m.Foreign || len(m.Extras) > 0 {
					t.Fatalf("%q became %q: %v", body, w.Out, err)
				}
				out = out[n:]
			}
			if bytes.Contains(w.Out, []byte("\n\n\n")) {
				t.Fatalf("%q became %q", body, w.Out)
			}
		}
	})
}
