package api

import (
	"fmt"
	"strings"
	"testing"

	"noecho/proxy/wire"
)

var roleNames = [...]string{wire.Metadata: "metadata", wire.Text: "text", wire.Alias: "alias", wire.Token: "token", wire.Final: "final", wire.Cumulative: "cumulative", wire.Drop: "drop", wire.DropMessage: "drop message", wire.Begin: "begin", wire.End: "end", wire.Done: "done"}

// show writes fields one a line, as in `text 0.1 tool_calls.#.arguments {"a"`.
func show(payload string, fields []wire.Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%s %d", roleNames[f.Role], f.Choice)
		if f.Item >= 0 {
			fmt.Fprintf(&b, ".%d", f.Item)
		}
		text := payload[f.Lo:f.Hi]
		switch f.Role {
		case wire.Metadata, wire.Text, wire.Alias, wire.Token, wire.Final, wire.Cumulative:
			text = string(wire.AppendForm(nil, []byte(text), f.Form))
			fmt.Fprintf(&b, " %s", f.Name)
		case wire.Drop:
			fmt.Fprintf(&b, " -> %s", f.With)
		}
		fmt.Fprintf(&b, " %s\n", text)
	}
	return b.String()
}

func TestLocate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		family  *wire.Family
		framing wire.Framing
		payload string
		want    string
	}{
		{
			"chat chunk",
			chat,
			wire.SSE,
			`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"f","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi \u0041"},"logprobs":null,"finish_reason":null}],"obfuscation":"x9"}`,
			"begin 0 \ntext 0 content Hi A\n",
		},
		{
			"number behind its text",
			chat,
			wire.SSE,
			`{"choices":[{"delta":{"content":"b"},"index":7},{"delta":{"content":"a"},"index":3,"finish_reason":"stop"}]}`,
			"begin 7 \ntext 7 content b\nbegin 3 \ntext 3 content a\nend 3 \"stop\"\n",
		},
		{
			"tool calls in pieces",
			chat,
			wire.SSE,
			`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"t","type":"function","function":{"name":"f","arguments":""}},{"function":{"arguments":"{\"a\""},"index":0},{"function":{"arguments":"x"}}]}}]}`,
			"begin 0 \nmetadata 0.1 ids t\nmetadata 0.1 tool_calls.#.name f\ntext 0.0 tool_calls.#.arguments {\"a\"\ntext 0.2 tool_calls.#.arguments x\n",
		},
		{
			"other tool calls",
			chat,
			wire.JSON,
			`{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":{"a":["b",1]}}},{"type":"custom","custom":{"name":"g","input":"free text"}}],"function_call":{"name":"h","arguments":"{}"}}}]}`,
			"begin 0 \nmetadata 0.0 tool_calls.#.name f\ntext 0.0 tool_calls.#.arguments {\"a\":[\"b\",1]}\nmetadata 0.1 tool_calls.#.name g\ntext 0.1 tool_calls.#.input free text\nmetadata 0 function_call.name h\ntext 0 function_call.arguments {}\n",
		},
		{
			"all the texts of a message",
			chat,
			wire.JSON,
			`{"choices":[{"message":{"content":"c","refusal":"r","reasoning":"x","reasoning_content":"x","reasoning_details":[{"type":"t","format":"f","text":"x","summary":"y"}],"audio":{"id":"a","data":"AAAA","transcript":"t"},"annotations":[{"type":"url_citation","url_citation":{"title":"T","url":"U","start_index":1}}],"context":{"intent":"i","citations":[{"content":"q"}]}}}]}`,
			`begin 0 
text 0 content c
text 0 refusal r
alias 0 reasoning x
alias 0 reasoning x
alias 0 reasoning x
alias 0 reasoning y
drop 0 -> "" "AAAA"
text 0 audio.transcript t
drop 0 -> [] [{"type":"url_citation","url_citation":{"title":"T","url":"U","start_index":1}}]
metadata 0 message.annotations.url_citation.title T
metadata 0 message.annotations.url_citation.url U
metadata 0 message.context.intent i
metadata 0 message.context.citations.[].content q
`,
		},
		{
			"content in parts",
			chat,
			wire.SSE,
			`{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},"b",{"type":"reference","reference_ids":[1],"note":"n"}]}}]}`,
			"begin 0 \ntext 0 reasoning hm\ntext 0 content a\ntext 0 content b\nmetadata 0.5 keys.# note\nmetadata 0 delta.content.note n\n",
		},
		{
			"logprobs",
			chat,
			wire.SSE,
			`{"choices":[{"index":0,"delta":{"content":"ab"},"logprobs":{"content":[{"token":"a","bytes":[97],"top_logprobs":[{"token":"a","bytes":[97]},{"token":"x"}]},{"token":"b","top_logprobs":[]}],"refusal":null}}]}`,
			"begin 0 \ntext 0 content ab\ndrop 0 -> null {\"content\":[{\"token\":\"a\",\"bytes\":[97],\"top_logprobs\":[{\"token\":\"a\",\"bytes\":[97]},{\"token\":\"x\"}]},{\"token\":\"b\",\"top_logprobs\":[]}],\"refusal\":null}\ntoken 0 logprobs.content a\ntoken 0 logprobs.content.bytes a\ntoken 0.0 logprobs.content.top.# a\ntoken 0.0 logprobs.content.top.#.bytes a\ntoken 0.1 logprobs.content.top.# x\ntoken 0 logprobs.content b\n",
		},
		{
			"servers' extras",
			chat,
			wire.SSE,
			`{"provider":"P","prompt_logprobs":[null,{"12":{"logprob":-1,"rank":1,"decoded_token":"w"}}],"prompt_token_ids":[1,2],"choices":[{"index":0,"delta":{},"token_ids":[3],"stop_reason":"s","matched_stop":null,"native_finish_reason":"x"}],"__verbose":{"content":"v"}}`,
			"metadata -1 provider P\ndrop -1 -> null [null,{\"12\":{\"logprob\":-1,\"rank\":1,\"decoded_token\":\"w\"}}]\ntoken -1.0 prompt_logprobs.# w\ndrop -1 -> null [1,2]\nbegin 0 \ndrop 0 -> null [3]\nmetadata 0 stop_reason s\nmetadata 0 native_finish_reason x\ndrop -1 -> null {\"content\":\"v\"}\nmetadata -1 __verbose.content v\n",
		},
		{
			"azure",
			chat,
			wire.SSE,
			`{"id":"","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}`, "",
		},
		{
			"azure's filter",
			chat,
			wire.SSE,
			`{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset":1},"content_filter_results":{"protected_material_code":{"citation":{"URL":"u"}}}}]}`,
			"begin 0 \ndrop 0 -> null {\"check_offset\":1}\nmetadata 0 content_filter_results.*.citation.URL u\n",
		},
		{"usage", chat, wire.SSE, `{"choices":[],"usage":{"prompt_tokens":1}}`, ""},
		{"done", chat, wire.SSE, `[DONE]`, "done -1 \n"},
		{"empty strings", chat, wire.SSE, `{"choices":[{"index":0,"delta":{"content":""},"finish_reason":""}]}`, "begin 0 \n"},
		{"error in a stream", chat, wire.SSE, `{"error":{"message":"m","code":1}}`, "metadata -1 error.message m\n"},
		{"flat error", chat, wire.JSON, `{"object":"error","message":"m","type":"t"}`, "metadata -1 message m\nmetadata -1 type t\n"},
		{"not an object", chat, wire.JSON, `["a",{"b":"c"}]`, "metadata -1 [] a\nmetadata -1.1 keys.# b\nmetadata -1 [].b c\n"},
		{"elements in a stream", chat, wire.SSE, `{"x":["a","b"]}`, "metadata -1.0 keys.# x\nmetadata -1 x.0 a\nmetadata -1 x.1 b\n"},
		{"name that is text", chat, wire.JSON, `{"the patient was seen by":1,"caf\u00e9":{"content_filter_results":2}}`, "metadata -1.0 keys.# the patient was seen by\nmetadata -1.0 keys.# café\n"},
		{"name that must not be logged", chat, wire.JSON, `{"Sarah Hale":{"a":"b"},"` + strings.Repeat("a", 65) + `":"c"}`, "metadata -1.0 keys.# Sarah Hale\nmetadata -1.1 keys.# a\nmetadata -1 ~d340aa8635508268.a b\nmetadata -1.0 keys.# " + strings.Repeat("a", 65) + "\nmetadata -1 ~8087e9a889f8a14c c\n"},
		{"escaped name", chat, wire.SSE, `{"choices":[{"index":0,"delta":{"con\u0074ent":"a"}}]}`, "begin 0 \ntext 0 content a\n"},
		{"ignored but long", chat, wire.SSE, `{"model":"` + strings.Repeat("m", 300) + `"}`, "metadata -1 model " + strings.Repeat("m", 300) + "\n"},
		{"content that is an object", chat, wire.SSE, `{"choices":[{"index":0,"delta":{"content":{"text":"a"}}}]}`, "begin 0 \nmetadata 0 delta.content.text a\n"},
		{
			"completion",
			completions,
			wire.SSE,
			`{"id":"c","object":"text_completion","choices":[{"text":"a b","index":2,"logprobs":{"tokens":["a"," b"],"token_logprobs":[-1,-2],"top_logprobs":[{"a":-1,"the quick brown fox jumps over":-3},null],"text_offset":[0,1]},"finish_reason":"length"}]}`,
			"begin 2 \ntext 2 text a b\ndrop 2 -> null {\"tokens\":[\"a\",\" b\"],\"token_logprobs\":[-1,-2],\"top_logprobs\":[{\"a\":-1,\"the quick brown fox jumps over\":-3},null],\"text_offset\":[0,1]}\ntoken 2 logprobs.tokens a\ntoken 2 logprobs.tokens  b\ntoken 2.0 logprobs.top.# a\ntoken 2.1 logprobs.top.# the quick brown fox jumps over\nend 2 \"length\"\n",
		},
		{
			"completion with chat's logprobs",
			completions,
			wire.SSE,
			`{"choices":[{"text":"a","index":0,"logprobs":{"content":[{"token":"a"}]}}]}`,
			"begin 0 \ntext 0 text a\ndrop 0 -> null {\"content\":[{\"token\":\"a\"}]}\ntoken 0 logprobs.content a\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := wire.NewLocator(tt.family, tt.framing)
			for range 2 { // a locator is used again
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

// once returns fields as they are in the first message with such names of members.
func once(shown string) string { return strings.ReplaceAll(shown, " keys.again ", " keys.# ") }
