package relay

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"noecho/proxy/wire/api"
)

// TestConditions: clean streams leave byte for byte in every form that servers and gateways
// send, as bug reports of clients show them.
func TestConditions(t *testing.T) {
	t.Parallel()
	text := contents(words("some words of an answer that nobody has ever read before")...)
	open := strings.TrimSuffix(text, stream("[DONE]"))
	call := func(members string) string { return stream(delta(0, `"tool_calls":[`+members+`]`)) }
	toolEnd := stream(ends(0, "tool_calls"), "[DONE]")
	picture := "data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x89PNG\x00\xff", 3000)))
	for name, bodies := range map[string][]string{
		"comments": {": OPENROUTER PROCESSING\n\n:\n\n: keep-alive\n:comment\n\n" + text},
		"line ends": {
			strings.ReplaceAll(text, "\n", "\r\n"), strings.ReplaceAll(text, "\n", "\r"),
		},
		"forms of events": {
			strings.ReplaceAll(text, "data: ", "data:"), "retry: 3000\nid: 1\n" + text, "\xEF\xBB\xBF" + text, strings.ReplaceAll(text, "data: ", "event: message\ndata: "),
			"event: ping\ndata: {}\n\n" + open + "event: ping\ndata: {\"type\": \"ping\"}\n\n", "data: \n\ndata:\n\n" + text, "data: null\n\n" + text,
			open + "data: [DONE]", open + "data: [DONE]\n", open, text + stream("[DONE]"), open + "event: done\ndata: [DONE]\n\n", "data: ping\n\n" + text,
			text + ": cost=0.1\n\n" + stream(`{"cost":"0.1","choices":[]}`), "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"ok \"}}]}\n\n" + text,
		},
		"odd chunks": {
			stream(`{"choices":[]}`, `{"choices":null}`, `{"choices":[{"index":0,"delta":null,"finish_reason":null}]}`, delta(0, `"content":null,"tool_calls":null,"role":null`),
				`{"id":"a","created":1e3,"cost":0.00012300,"choices":[{"delta":{"content":"so "},"index":0}],"x_unknown":{"a":[1,2,{"b":null}]},"usage":{"prompt_tokens":3}}`,
				delta(1, `"content":"two "`), delta(0, `"content":"one "`), ends(0, "length"), ends(1, "stop"),
				`{"error":{"message":"provider broke","code":502},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}`, "[DONE]"),
			text[:len(text)-len(stream("[DONE]"))] + stream(`{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`, "[DONE]"),
		},
		"tool calls": {
			call(`{"index":0,"id":"call_a","type":"function","function":{"name":"weather","arguments":""}}`) + call(`{"index":0,"function":{"arguments":"{\"city\": \"Ro"}}`) +
				call(`{"index":0,"function":{"arguments":"me\"}"}}`) + call(`{"index":1,"id":"call_b","function":{"name":"weather","arguments":"{\"city\": \"Oslo\"}"}}`) + toolEnd,
			call(`{"index":0,"id":"a","function":{"name":"w","arguments":"{\"city\": \"Ro"}},{"index":1,"id":"b","function":{"name":"w","arguments":"{\"city\": "}}`) +
				call(`{"index":1,"function":{"arguments":"\"Oslo\"}"}},{"index":0,"function":{"arguments":"me\"}"}}`) + toolEnd,
			call(`{"id":"a","function":{"name":"w","arguments":"{\"city\": \"Rome\"}"}}`) + call(`{"id":"b","function":{"name":"w","arguments":"{\"city\": \"Oslo\"}"}}`) + toolEnd,
			call(`{"index":0,"id":"a","function":{"name":"w","arguments":"{}"}}`) + call(`{"index":0,"id":"b","function":{"name":"w","arguments":"{}"}}`) + toolEnd,
			call(`{"index":0,"id":"a","function":{"name":"w","arguments":{"city":"Rome"}}}`) + toolEnd,
			call(`{"index":0,"id":"a","function":{"name":"w","arguments":null}}`) + call(`{"index":0,"id":null,"type":null,"function":{"name":null,"arguments":"{}"}}`) +
				stream(delta(0, `"tool_calls":[]`)) + toolEnd,
		},
		"reasoning": {
			stream(delta(0, `"role":"assistant","reasoning_content":"well, "`), delta(0, `"reasoning":"so ","reasoning_details":[{"type":"reasoning.text","text":"so ","signature":"sig==","index":0,"format":"anthropic-claude-v1"}]`),
				delta(0, `"reasoning_details":[{"type":"reasoning.encrypted","data":"gAAAA`+strings.Repeat("Qx9", 50)+`","id":"rs_1"}]`)) + text,
		},
		"characters": {
			contents(`"안녕하세요 "`, `"👩`+"\u200d"+`"`, `"❤️`+"\u200d"+`"`, `"👨 مرحبا "`, `"`+"\u202eabc\u202c"+` "`, `"e`+"\u0301"+` "`, `"🇩"`, `"🇪 "`, `"\ud83d"`, `"\ude00 ok"`, `"\u00e9\/ \ufffd \u0000"`, `"\udcaf"`),
		},
		"media": {
			stream(delta(0, `"role":"assistant","audio":{"id":"au","data":"UklGR`+strings.Repeat("x8K", 300)+`"}`), delta(0, `"audio":{"transcript":"hello "}`),
				delta(0, `"content":"here ","images":[{"type":"image_url","image_url":{"url":"`+picture+`"},"index":0}]`), ends(0, "stop"), "[DONE]"),
		},
	} {
		for i, body := range bodies {
			for _, mode := range []Decision{redacting, blocking, observing} {
				t.Run(fmt.Sprintf("%s/%d/%v", name, i, mode), func(t *testing.T) {
					t.Parallel()
					cfg := testConfig(t)
					cfg.Decision = mode
					if got := tellingSplits(t, cfg, body); got.out != body || got.err != nil || len(got.findings) > 0 {
						t.Errorf("error %v, findings %q\ngot  %q\nwant %q", got.err, got.findings, got.out, body)
					}
				})
			}
		}
	}
}

// TestConditionsOfMessages does the same for streams of messages: pings, thoughts with
// signatures, citations, an error, and blocks that nobody knows yet.
func TestConditionsOfMessages(t *testing.T) {
	t.Parallel()
	event := func(kind, members string) string {
		return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + members + "}\n\n"
	}
	start := event("message_start", `,"message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"cache_read_input_tokens":9,"cache_creation":{"ephemeral_5m_input_tokens":1},"output_tokens":1,"service_tier":"standard"}}`) + event("ping", "")
	end := event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null,"container":null},"usage":{"output_tokens":22},"context_management":{"applied_edits":[]}`) + event("message_stop", "")
	block := func(i int, content string, deltas ...string) string {
		out := event("content_block_start", fmt.Sprintf(`,"index":%d,"content_block":%s`, i, content))
		for _, d := range deltas {
			out += event("content_block_delta", fmt.Sprintf(`,"index":%d,"delta":%s`, i, d))
		}
		return out + event("content_block_stop", fmt.Sprintf(`,"index":%d`, i))
	}
	for i, body := range []string{
		start + block(0, `{"type":"thinking","thinking":"","signature":""}`, `{"type":"thinking_delta","thinking":"well then"}`, `{"type":"signature_delta","signature":"EqQB`+strings.Repeat("x9", 40)+`"}`) +
			block(1, `{"type":"text","text":"","citations":[]}`, `{"type":"text_delta","text":"so it is"}`, `{"type":"citations_delta","citation":{"type":"char_location","cited_text":"a b c","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":5}}`) +
			block(2, `{"type":"tool_use","id":"t1","name":"w","input":{}}`, `{"type":"input_json_delta","partial_json":""}`, `{"type":"input_json_delta","partial_json":"{\"a\": \"b"}`, `{"type":"input_json_delta","partial_json":"\"}"}`) +
			block(3, `{"type":"redacted_thinking","data":"Emw`+strings.Repeat("Zz0", 30)+`"}`) + end,
		start + block(0, `{"type":"text","text":""}`, `{"type":"text_delta","text":"so"}`) + event("error", `,"error":{"type":"overloaded_error","message":"Overloaded"}`),
		start + block(0, `{"type":"brand_new_block","data":{"x":"y"}}`, `{"type":"brand_new_delta","value":"abc def"}`) + end,
		start + block(0, `{"type":"text","text":""}`, `{"type":"text_delta","text":"so"}`) + end + stream("[DONE]"),
	} {
		for _, mode := range []Decision{redacting, blocking, observing} {
			cfg := testConfig(t)
			cfg.Family, cfg.Decision = api.ByName("anthropic.messages"), mode
			if got := tellingSplits(t, cfg, body); got.out != body || got.err != nil || len(got.findings) > 0 {
				t.Errorf("%d, %v: error %v, findings %q\ngot  %q\nwant %q", i, mode, got.err, got.findings, got.out, body)
			}
		}
	}
}
