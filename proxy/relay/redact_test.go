package relay

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
)

// streamCases are streams with a leak and the streams that the caller gets. Bytes that
// are not cut leave as they are.
var streamCases = []struct {
	name     string
	in, want string
	findings []string
}{
	{
		"in one delta",
		contents(`"so: alpha bravo charlie delta echo. ok"`),
		contents(`"so: [redacted]. ok"`),
		[]string{"redacted choices.0.content 4-34 5 words"},
	},
	{
		"a word a delta",
		contents(append([]string{`"so "`}, words(secret+" ok ok")...)...),
		contents(`"so "`, `"[redacted]"`, `""`, `""`, `""`, `""`, `""`, `""`, `" ok"`, `" ok"`),
		[]string{"redacted choices.0.content 3-46 7 words"},
	},
	{
		"words cut by deltas",
		contents(`"so alp"`, `"ha bravo char"`, `"lie delta e"`, `"cho ok"`),
		contents(`"so [redacted]"`, `""`, `""`, `" ok"`),
		[]string{"redacted choices.0.content 3-33 5 words"},
	},
	{
		"at the end of the stream",
		contents(`"so alpha bravo "`, `"charlie delta echo"`),
		contents(`"so [redacted]"`, `""`),
		[]string{"redacted choices.0.content 3-33 5 words"},
	},
	{
		"two spans",
		contents(`"alpha bravo charlie delta echo or charlie delta echo foxtrot golf ok"`),
		contents(`"[redacted] or [redacted] ok"`),
		[]string{"redacted choices.0.content 0-30 5 words", "redacted choices.0.content 34-65 5 words"},
	},
	{
		"escapes stay as they were",
		contents(`"\u0041\/ \"alpha\u0020bravo\ncharlie\tdelta ech\u006f\" \ud83d\ude00\u2028"`),
		contents(`"\u0041\/ \"[redacted]\" \ud83d\ude00\u2028"`),
		[]string{"redacted choices.0.content 4-34 5 words"},
	},
	{
		"a surrogate pair between deltas",
		contents(`"\ud83d"`, `"\ude00 alpha bravo charlie delta echo \ud83d"`, `"\ude00"`),
		contents(`"\ud83d"`, `"\ude00 [redacted] \ud83d"`, `"\ude00"`),
		[]string{"redacted choices.0.content 7-37 5 words"},
	},
	{
		"choices side by side",
		stream(
			delta(0, `"role":"assistant","content":""`), delta(1, `"role":"assistant","content":""`),
			delta(1, `"content":"alpha bravo"`), delta(0, `"content":"some other"`),
			delta(0, `"content":" words of it"`), delta(1, `"content":" charlie delta echo ok ok ok ok ok"`),
			ends(1, "stop"), delta(0, `"content":" and more"`), ends(0, "length"), "[DONE]",
		),
		stream(
			delta(0, `"role":"assistant","content":""`), delta(1, `"role":"assistant","content":""`),
			delta(1, `"content":"[redacted]"`), delta(0, `"content":"some other"`),
			delta(0, `"content":" words of it"`), delta(1, `"content":" ok ok ok ok ok"`),
			ends(1, "stop"), delta(0, `"content":" and more"`), ends(0, "length"), "[DONE]",
		),
		[]string{"redacted choices.1.content 0-30 5 words"},
	},
	{
		"choices in one chunk",
		stream(`{"choices":[{"delta":{"content":"alpha bravo charlie delta echo"},"index":1},{"index":0,"delta":{"content":"alpha bravo"}}]}`,
			`{"choices":[{"index":0,"delta":{"content":" is short"},"finish_reason":"stop"},{"delta":{},"index":1,"finish_reason":"stop"}]}`, "[DONE]"),
		stream(`{"choices":[{"delta":{"content":"[redacted]"},"index":1},{"index":0,"delta":{"content":"alpha bravo"}}]}`,
			`{"choices":[{"index":0,"delta":{"content":" is short"},"finish_reason":"stop"},{"delta":{},"index":1,"finish_reason":"stop"}]}`, "[DONE]"),
		[]string{"redacted choices.1.content 0-30 5 words"},
	},
	{
		"logprobs and token ids from the hit on",
		stream(
			`{"choices":[{"index":0,"delta":{"content":"so "},"logprobs":{"content":[{"token":"so ","bytes":[115,111,32],"top_logprobs":[]}]},"token_ids":[5]}],"prompt_token_ids":[1]}`,
			`{"choices":[{"index":0,"delta":{"content":"alpha bravo charlie delta echo"},"logprobs":{"content":[{"token":"alpha bravo charlie delta echo","bytes":[97],"top_logprobs":[{"token":"alpha"}]}]},"token_ids":[6]}]}`,
			`{"choices":[{"index":0,"delta":{"content":" ok"},"logprobs":{"content":[{"token":" ok"}]},"token_ids":[7]}],"prompt_logprobs":[{}]}`,
			`{"choices":[{"index":1,"delta":{"content":"ok"},"logprobs":{"content":[{"token":"ok"}]},"token_ids":[7]}]}`,
			ends(0, "stop"), ends(1, "stop"), "[DONE]",
		),
		stream(
			`{"choices":[{"index":0,"delta":{"content":"so "},"logprobs":{"content":[{"token":"so ","bytes":[115,111,32],"top_logprobs":[]}]},"token_ids":[5]}],"prompt_token_ids":[1]}`,
			`{"choices":[{"index":0,"delta":{"content":"[redacted]"},"logprobs":null,"token_ids":null}]}`,
			`{"choices":[{"index":0,"delta":{"content":" ok"},"logprobs":null,"token_ids":null}],"prompt_logprobs":null}`,
			`{"choices":[{"index":1,"delta":{"content":"ok"},"logprobs":{"content":[{"token":"ok"}]},"token_ids":[7]}]}`,
			ends(0, "stop"), ends(1, "stop"), "[DONE]",
		),
		[]string{"redacted choices.0.content 3-33 5 words"},
	},
	{
		"tokens ahead of the text",
		stream(
			`{"choices":[{"index":0,"delta":{"content":"so"},"logprobs":{"content":[{"token":"so alpha"},{"token":" bravo charlie"}]}}]}`,
			`{"choices":[{"index":0,"delta":{"content":" it is"},"logprobs":{"content":[{"token":" delta echo"}]}}]}`,
			ends(0, "stop"), "[DONE]",
		),
		stream(
			`{"choices":[{"index":0,"delta":{"content":"so"},"logprobs":null}]}`,
			`{"choices":[{"index":0,"delta":{"content":" it is"},"logprobs":null}]}`,
			ends(0, "stop"), "[DONE]",
		),
		[]string{"redacted choices.0.logprobs.content 3-33 5 words"},
	},
	{
		"a character cut between tokens",
		stream(
			`{"choices":[{"index":0,"delta":{"content":""},"logprobs":{"content":[{"token":"\ufffd","bytes":[195]}]}}]}`,
			`{"choices":[{"index":0,"delta":{"content":"\u00e0lpha bravo charlie delta echo"},"logprobs":{"content":[{"token":"\ufffd","bytes":[ 160 ]},{"token":"lpha bravo charlie delta echo","bytes":[108,112,104,97,32,98,114,97,118,111,32,99,104,97,114,108,105,101,32,100,101,108,116,97,32,101,99,104,111]}]}}]}`,
			ends(0, "stop"), "[DONE]",
		),
		stream(
			`{"choices":[{"index":0,"delta":{"content":""},"logprobs":null}]}`,
			`{"choices":[{"index":0,"delta":{"content":"[redacted]"},"logprobs":null}]}`,
			ends(0, "stop"), "[DONE]",
		),
		[]string{"redacted choices.0.content 0-31 5 words"},
	},
	{
		"parallel tool calls, ids only once",
		stream(
			delta(0, `"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]`),
			delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"{\"to\": \"alpha bra"}}]`),
			delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"vo charlie delta echo\", \"n\": 1"}}]`),
			delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"2}"}}]`),
			delta(0, `"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]`),
			delta(0, `"tool_calls":[{"index":1,"function":{"arguments":"{\"alpha bravo\":[\"charlie\",\"delta\",4711"}}]`),
			delta(0, `"tool_calls":[{"index":1,"function":{"arguments":"],\"x\":\"\"}"}}]`),
			ends(0, "tool_calls"), "[DONE]",
		),
		stream(
			delta(0, `"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]`),
			delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"{\"to\": \"[redacted]"}}]`),
			delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"\", \"n\": 1"}}]`),
			delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"2}"}}]`),
			delta(0, `"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}}]`),
			delta(0, `"tool_calls":[{"index":1,"function":{"arguments":"{\"alpha bravo\":[\"charlie\",\"delta\",4711"}}]`),
			delta(0, `"tool_calls":[{"index":1,"function":{"arguments":"],\"x\":\"\"}"}}]`),
			ends(0, "tool_calls"), "[DONE]",
		),
		[]string{"redacted choices.0.tool_calls.0.arguments 8-38 5 words"},
	},
	{
		"keys and numbers of arguments",
		stream(
			delta(0, `"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"alpha bravo\":[\"charlie\",\"delta\\\\"}}]`),
			delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"\",true,\"echo\"],\"x\":\"\\\"\"}"}}]`),
			ends(0, "tool_calls"), "[DONE]",
		),
		stream(
			delta(0, `"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"[redacted]\":[\"[redacted]\",\"[redacted]\\\\"}}]`),
			delta(0, `"tool_calls":[{"index":0,"function":{"arguments":"\",true,\"[redacted]\"],\"x\":\"\\\"\"}"}}]`),
			ends(0, "tool_calls"), "[DONE]",
		),
		[]string{"redacted choices.0.tool_calls.0.arguments 2-32 5 words in 2 parts"}, // "true" is no word between delta and echo
	},
	{
		"deprecated function call",
		stream(
			delta(0, `"function_call":{"name":"f","arguments":"{\"alpha bravo\":[\"charlie\",{\"delta\":-1"}`),
			delta(0, `"function_call":{"arguments":"2.5}],\"echo\":null}"}`),
			delta(0, `"function_call":{"arguments":"{\"alpha bravo\":[\"charlie\",\"delta\"],\"echo\\\\\":7}"}`),
			ends(0, "function_call"), "[DONE]",
		),
		stream(
			delta(0, `"function_call":{"name":"f","arguments":"{\"alpha bravo\":[\"charlie\",{\"delta\":-1"}`),
			delta(0, `"function_call":{"arguments":"2.5}],\"echo\":null}"}`),
			delta(0, `"function_call":{"arguments":"{\"[redacted]\":[\"[redacted]\",\"[redacted]\"],\"[redacted]\\\\\":7}"}`),
			ends(0, "function_call"), "[DONE]",
		),
		[]string{"redacted choices.0.function_call.arguments 57-95 5 words"},
	},
	{
		"free tool input, refusal, transcript",
		stream(
			delta(0, `"tool_calls":[{"index":0,"type":"custom","custom":{"name":"f","input":"{alpha bravo charlie"}}]`),
			delta(0, `"tool_calls":[{"index":0,"custom":{"input":" delta echo}"}}]`),
			delta(0, `"refusal":"alpha bravo charlie delta echo"`),
			delta(0, `"audio":{"id":"a","transcript":"alpha bravo charlie delta echo"}`),
			delta(0, `"audio":{"data":"UklGRg=="}`),
			ends(0, "stop"), "[DONE]",
		),
		stream(
			delta(0, `"tool_calls":[{"index":0,"type":"custom","custom":{"name":"f","input":"{[redacted]"}}]`),
			delta(0, `"tool_calls":[{"index":0,"custom":{"input":"}"}}]`),
			delta(0, `"refusal":"[redacted]"`),
			delta(0, `"audio":{"id":"a","transcript":"[redacted]"}`),
			delta(0, `"audio":{"data":""}`),
			ends(0, "stop"), "[DONE]",
		),
		[]string{"redacted choices.0.audio.transcript 0-30 5 words", "redacted choices.0.refusal 0-30 5 words", "redacted choices.0.tool_calls.0.input 1-31 5 words"},
	},
	{
		"reasoning under two names",
		stream(
			delta(0, `"reasoning":"alpha bravo","reasoning_content":"alpha bravo"`),
			delta(0, `"reasoning":" charlie delta echo ","reasoning_content":" charlie delta echo "`),
			delta(0, `"content":"the answer"`),
			ends(0, "stop"), "[DONE]",
		),
		stream(
			delta(0, `"reasoning":"[redacted]","reasoning_content":"[redacted]"`),
			delta(0, `"reasoning":" ","reasoning_content":" "`),
			delta(0, `"content":"the answer"`),
			ends(0, "stop"), "[DONE]",
		),
		[]string{"redacted choices.0.reasoning 0-30 5 words"},
	},
	{
		"reasoning changes its name",
		stream(
			delta(0, `"reasoning_content":"alpha bravo"`),
			delta(0, `"reasoning":" charlie delta echo"`),
			ends(0, "stop"), "[DONE]",
		),
		stream(
			delta(0, `"reasoning_content":"[redacted]"`),
			delta(0, `"reasoning":""`),
			ends(0, "stop"), "[DONE]",
		),
		[]string{"redacted choices.0.reasoning 0-30 5 words"},
	},
	{
		"two names, two texts",
		stream(
			delta(0, `"reasoning":"ok","reasoning_details":[{"type":"x","text":"alpha bravo charlie"}]`),
			delta(0, `"reasoning":" ok","reasoning_details":[{"type":"x","text":" delta echo"}]`),
			ends(0, "stop"), "[DONE]",
		),
		stream(
			delta(0, `"reasoning":"ok","reasoning_details":[{"type":"x","text":"[redacted]"}]`),
			delta(0, `"reasoning":" ok","reasoning_details":[{"type":"x","text":""}]`),
			ends(0, "stop"), "[DONE]",
		),
		[]string{"redacted choices.0.delta.reasoning_details.text 0-30 5 words"},
	},
	{
		"content in parts",
		contents(`[{"type":"text","text":"alpha bravo"}]`, `[{"type":"text","text":" charlie delta"},{"type":"text","text":" echo ok"}]`),
		contents(`[{"type":"text","text":"[redacted]"}]`, `[{"type":"text","text":""},{"type":"text","text":" ok"}]`),
		[]string{"redacted choices.0.content 0-30 5 words"},
	},
	{
		"a member nobody knows",
		stream(`{"provider":"P","choices":[{"index":0,"delta":{"content":"ok"},"note":"alpha bravo charlie delta echo"}]}`,
			`{"provider":"P","choices":[{"index":0,"delta":{"content":" ok"},"note":"fine"}]}`, ends(0, "stop"), "[DONE]"),
		stream(`{"provider":"P","choices":[{"index":0,"delta":{"content":"ok"},"note":"[redacted]"}]}`,
			`{"provider":"P","choices":[{"index":0,"delta":{"content":" ok"},"note":"fine"}]}`, ends(0, "stop"), "[DONE]"),
		[]string{"redacted choices.0.note 0-30 5 words"},
	},
	{
		"a name, an error, a comment",
		": alpha bravo charlie delta echo\n\n" + stream(`{"alpha bravo charlie delta echo":1}`, `{"error":{"message":"saw alpha bravo charlie delta echo","code":500}}`),
		": [redacted]\n\n" + stream(`{"[redacted]":1}`, `{"error":{"message":"saw [redacted]","code":500}}`),
		[]string{"redacted error.message 4-34 5 words", "redacted framing.comment 1-31 5 words", "redacted keys.0 1-31 5 words"},
	},
	{
		"long names of events around the data",
		"event: alpha bravo charlie delta echo\ndata: " + delta(0, `"content":"alpha bravo charlie delta echo"`) + "\n: an ordinary comment behind\n\n",
		"event: [redacted]\ndata: " + delta(0, `"content":"[redacted]"`) + "\n: an ordinary comment behind\n\n",
		[]string{"redacted choices.0.content 0-30 5 words", "redacted framing.event 1-31 5 words"},
	},
	{
		"several data lines and odd ends",
		"event: x\r\ndata: {\"choices\":[{\"index\":0,\r\nid: 7\r\ndata: \"delta\":{\"content\":\"alpha bravo charlie delta echo\"}}]}\r\n\r\n: ping\r\rdata:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\" ok\"}}]}\n\ndata: [DONE]",
		"event: x\r\ndata: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"[redacted]\"}}]}\nid: 7\r\n\r\n: ping\r\rdata:{\"choices\":[{\"index\":0,\"delta\":{\"content\":\" ok\"}}]}\n\ndata: [DONE]",
		[]string{"redacted choices.0.content 0-30 5 words"},
	},
	{
		"usage, filters and chunks without a delta",
		stream(`{"id":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}`, delta(0, `"content":"alpha bravo charlie"`),
			`{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset":3}}]}`, delta(0, `"content":" delta echo"`),
			`{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset":9}}]}`,
			ends(0, "stop"), `{"choices":[],"usage":{"total_tokens":3}}`, "[DONE]"),
		stream(`{"id":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}`, delta(0, `"content":"[redacted]"`),
			`{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":null}]}`, delta(0, `"content":""`),
			`{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":null}]}`,
			ends(0, "stop"), `{"choices":[],"usage":{"total_tokens":3}}`, "[DONE]"),
		[]string{"redacted choices.0.content 0-30 5 words"},
	},
}

func TestRelayRedact(t *testing.T) {
	t.Parallel()
	for _, tt := range streamCases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(t)
			got := everySplit(t, cfg, tt.in)
			if got.err != nil || got.out != tt.want {
				t.Errorf("error %v\ngot\n%swant\n%s", got.err, got.out, tt.want)
			}
			if strings.Join(got.findings, "\n") != strings.Join(tt.findings, "\n") {
				t.Errorf("findings = %q, want %q", got.findings, tt.findings)
			}
			cfg.Decision = observing
			seen := everySplit(t, cfg, tt.in)
			if seen.err != nil || seen.out != tt.in {
				t.Errorf("observe: error %v, out %q", seen.err, seen.out)
			}
			if strings.ReplaceAll(strings.Join(seen.findings, "\n"), "observed", "redacted") != strings.Join(tt.findings, "\n") {
				t.Errorf("observe: findings = %q, want %q", seen.findings, tt.findings)
			}
		})
	}
}

// TestRelayCompletions is the legacy API: text beside the choice, logprobs in
// two shapes.
func TestRelayCompletions(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Family = api.ByName("openai.completions")
	in := stream(
		`{"id":"c","object":"text_completion","choices":[{"text":"so alpha bravo","index":0,"logprobs":{"tokens":["so"," alpha"," bravo"],"token_logprobs":[-1,-1,-1],"top_logprobs":[{" alpha":-1}],"text_offset":[0,2,8]},"finish_reason":null}]}`,
		`{"id":"c","object":"text_completion","choices":[{"text":" charlie delta echo ok","index":0,"logprobs":{"content":[{"token":" charlie"}]},"finish_reason":"stop"}]}`,
		"[DONE]")
	want := stream(
		`{"id":"c","object":"text_completion","choices":[{"text":"so [redacted]","index":0,"logprobs":null,"finish_reason":null}]}`,
		`{"id":"c","object":"text_completion","choices":[{"text":" ok","index":0,"logprobs":null,"finish_reason":"stop"}]}`,
		"[DONE]")
	if got := everySplit(t, cfg, in); got.out != want || len(got.findings) != 1 {
		t.Errorf("got\n%swant\n%sfindings %q", got.out, want, got.findings)
	}
	cfg.Decision = blocking
	want = stream(
		`{"id":"c","object":"text_completion","choices":[{"text":"so ","index":0,"logprobs":null,"finish_reason":null}]}`,
		`{"id":"c","object":"text_completion","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"content_filter"}]}`,
		"[DONE]")
	if got := everySplit(t, cfg, in); got.out != want || !errors.Is(got.err, ErrBlocked) {
		t.Errorf("block: got\n%swant\n%s%v", got.out, want, got.err)
	}
}

// TestRelayJSONMode: content that is itself JSON stays JSON.
func TestRelayJSONMode(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t)
	cfg.Request.Schema = true
	in := contents(`"{\"alpha\": \"bravo"`, `" charlie\", \"delta\": [\"echo fox"`, `"trot\", \"golf\", 12]}"`)
	want := contents(`"{\"[redacted]\": \"[redacted]"`, `"\", \"[redacted]\": [\"[redacted]"`, `"\", \"[redacted]\", 12]}"`)
	got := everySplit(t, cfg, in)
	if got.out != want {
		t.Errorf("got\n%swant\n%s", got.out, want)
	}
}

// TestRelayWordsGone: no word of a span is in the raw bytes, in any member that repeats it.
func TestRelayWordsGone(t *testing.T) {
	t.Parallel()
	for _, tt := range streamCases {
		if len(tt.findings) == 0 || strings.Contains(tt.name, "parallel") || strings.Contains(tt.name, "deprecated") {
			continue // these hold the words apart from a span as well
		}
		got := relayed(testConfig(t), tt.in)
		for _, w := range []string{"bravo", "charlie", "delta e", "YWxwaGE"} {
			if strings.Contains(strings.ReplaceAll(got.out, `"delta"`, ""), w) && tt.name != "choices in one chunk" {
				t.Errorf("%s: %q left in %s", tt.name, w, got.out)
			}
		}
	}
}

// TestRelayResult: a redacted stream consists of valid JSON.
func TestRelayResult(t *testing.T) {
	t.Parallel()
	for _, tt := range streamCases {
		for _, mode := range []Decision{redacting, blocking} {
			cfg := testConfig(t)
			cfg.Decision = mode
			out := []byte(relayed(cfg, tt.in).out)
			f := wire.NewFramer(wire.SSE, api.ByName("openai.chat"))
			for len(out) > 0 {
				n, _ := f.Scan(out)
				payload := string(f.Parse(out[:n]).Payload)
				if payload != "" && payload != "[DONE]" && !json.Valid([]byte(payload)) {
					t.Errorf("%s: %s is no JSON", tt.name, payload)
				}
				out = out[n:]
			}
		}
	}
}
