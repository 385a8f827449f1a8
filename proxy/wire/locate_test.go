package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

var roleNames = [...]string{Metadata: "aside", Text: "text", Alias: "alias", Token: "token", Final: "recap", Cumulative: "sofar", Drop: "drop", Begin: "begin", End: "end", Done: "done"}

// show writes fields one a line, as in `text 0.1 tool_calls.#.arguments {"a"`.
func show(payload string, fields []Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%s %d", roleNames[f.Role], f.Choice)
		if f.Item >= 0 {
			fmt.Fprintf(&b, ".%d", f.Item)
		}
		text := payload[f.Lo:f.Hi]
		switch f.Role {
		case Metadata, Text, Alias, Token, Final, Cumulative:
			text = string(AppendForm(nil, []byte(text), f.Form))
			fmt.Fprintf(&b, " %s", f.Name)
		case Drop:
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
		family  Family
		framing Framing
		payload string
		want    string
	}{
		{
			"chat chunk",
			Chat{},
			SSE,
			`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"f","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi \u0041"},"logprobs":null,"finish_reason":null}],"obfuscation":"x9"}`,
			"begin 0 \ntext 0 content Hi A\n",
		},
		{
			"number behind its text",
			Chat{},
			SSE,
			`{"choices":[{"delta":{"content":"b"},"index":7},{"delta":{"content":"a"},"index":3,"finish_reason":"stop"}]}`,
			"begin 7 \ntext 7 content b\nbegin 3 \ntext 3 content a\nend 3 \"stop\"\n",
		},
		{
			"tool calls in pieces",
			Chat{},
			SSE,
			`{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"t","type":"function","function":{"name":"f","arguments":""}},{"function":{"arguments":"{\"a\""},"index":0},{"function":{"arguments":"x"}}]}}]}`,
			"begin 0 \naside 0.1 tool_calls.#.name f\ntext 0.0 tool_calls.#.arguments {\"a\"\ntext 0.2 tool_calls.#.arguments x\n",
		},
		{
			"other tool calls",
			Chat{},
			JSON,
			`{"choices":[{"message":{"content":null,"tool_calls":[{"function":{"name":"f","arguments":{"a":["b",1]}}},{"type":"custom","custom":{"name":"g","input":"free text"}}],"function_call":{"name":"h","arguments":"{}"}}}]}`,
			"begin 0 \naside 0.0 tool_calls.#.name f\ntext 0.0 tool_calls.#.arguments {\"a\":[\"b\",1]}\naside 0.1 tool_calls.#.name g\ntext 0.1 tool_calls.#.input free text\naside 0 function_call.name h\ntext 0 function_call.arguments {}\n",
		},
		{
			"all the texts of a message",
			Chat{},
			JSON,
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
aside 0 message.annotations.[].type url_citation
aside 0 message.annotations.[].url_citation.title T
aside 0 message.annotations.[].url_citation.url U
aside 0 message.context.intent i
aside 0 message.context.citations.[].content q
`,
		},
		{
			"content in parts",
			Chat{},
			SSE,
			`{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"a"},"b",{"type":"reference","reference_ids":[1],"note":"n"}]}}]}`,
			"begin 0 \ntext 0 reasoning hm\ntext 0 content a\ntext 0 content b\naside 0 delta.content.note n\n",
		},
		{
			"logprobs",
			Chat{},
			SSE,
			`{"choices":[{"index":0,"delta":{"content":"ab"},"logprobs":{"content":[{"token":"a","bytes":[97],"top_logprobs":[{"token":"a","bytes":[97]},{"token":"x"}]},{"token":"b","top_logprobs":[]}],"refusal":null}}]}`,
			"begin 0 \ntext 0 content ab\ndrop 0 -> null {\"content\":[{\"token\":\"a\",\"bytes\":[97],\"top_logprobs\":[{\"token\":\"a\",\"bytes\":[97]},{\"token\":\"x\"}]},{\"token\":\"b\",\"top_logprobs\":[]}],\"refusal\":null}\ntoken 0 logprobs.content a\ntoken 0 logprobs.content.bytes a\ntoken 0.0 logprobs.content.top.# a\ntoken 0.0 logprobs.content.top.#.bytes a\ntoken 0.1 logprobs.content.top.# x\ntoken 0 logprobs.content b\n",
		},
		{
			"servers' extras",
			Chat{},
			SSE,
			`{"provider":"P","prompt_logprobs":[null,{"12":{"logprob":-1,"rank":1,"decoded_token":"w"}}],"prompt_token_ids":[1,2],"choices":[{"index":0,"delta":{},"token_ids":[3],"stop_reason":"s","matched_stop":null,"native_finish_reason":"x"}],"__verbose":{"content":"v"}}`,
			"aside -1 provider P\ndrop -1 -> null [null,{\"12\":{\"logprob\":-1,\"rank\":1,\"decoded_token\":\"w\"}}]\ntoken -1.0 prompt_logprobs.# w\ndrop -1 -> null [1,2]\nbegin 0 \ndrop 0 -> null [3]\naside 0 stop_reason s\naside 0 native_finish_reason x\ndrop -1 -> null {\"content\":\"v\"}\naside -1 __verbose.content v\n",
		},
		{
			"azure",
			Chat{},
			SSE,
			`{"id":"","choices":[],"prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}`, "",
		},
		{
			"azure's filter",
			Chat{},
			SSE,
			`{"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset":1},"content_filter_results":{"protected_material_code":{"citation":{"URL":"u"}}}}]}`,
			"begin 0 \ndrop 0 -> null {\"check_offset\":1}\naside 0 content_filter_results.*.citation.URL u\n",
		},
		{"usage", Chat{}, SSE, `{"choices":[],"usage":{"prompt_tokens":1}}`, ""},
		{"done", Chat{}, SSE, `[DONE]`, "done -1 \n"},
		{"empty strings", Chat{}, SSE, `{"choices":[{"index":0,"delta":{"content":""},"finish_reason":""}]}`, "begin 0 \n"},
		{"error in a stream", Chat{}, SSE, `{"error":{"message":"m","code":1}}`, "aside -1 error.message m\n"},
		{"flat error", Chat{}, JSON, `{"object":"error","message":"m","type":"t"}`, "aside -1 message m\naside -1 type t\n"},
		{"not an object", Chat{}, JSON, `["a",{"b":"c"}]`, "aside -1 [] a\naside -1 [].b c\n"},
		{"elements in a stream", Chat{}, SSE, `{"x":["a","b"]}`, "aside -1 x.0 a\naside -1 x.1 b\n"},
		{"name that is text", Chat{}, JSON, `{"the patient was seen by":1,"caf\u00e9":{"content_filter_results":2}}`, "aside -1 keys the patient was seen by\naside -1 keys café\n"},
		{"name that must not be logged", Chat{}, JSON, `{"Sarah Hale":{"a":"b"},"` + strings.Repeat("a", 65) + `":"c"}`, "aside -1 keys Sarah Hale\naside -1 ~d340aa8635508268.a b\naside -1 keys " + strings.Repeat("a", 65) + "\naside -1 ~8087e9a889f8a14c c\n"},
		{"escaped name", Chat{}, SSE, `{"choices":[{"index":0,"delta":{"con\u0074ent":"a"}}]}`, "begin 0 \ntext 0 content a\n"},
		{"ignored but long", Chat{}, SSE, `{"model":"` + strings.Repeat("m", 300) + `"}`, "aside -1 model " + strings.Repeat("m", 300) + "\n"},
		{"content that is an object", Chat{}, SSE, `{"choices":[{"index":0,"delta":{"content":{"text":"a"}}}]}`, "begin 0 \naside 0 delta.content.text a\n"},
		{
			"completion",
			Completions{},
			SSE,
			`{"id":"c","object":"text_completion","choices":[{"text":"a b","index":2,"logprobs":{"tokens":["a"," b"],"token_logprobs":[-1,-2],"top_logprobs":[{"a":-1,"the quick brown fox jumps over":-3},null],"text_offset":[0,1]},"finish_reason":"length"}]}`,
			"begin 2 \ntext 2 text a b\ndrop 2 -> null {\"tokens\":[\"a\",\" b\"],\"token_logprobs\":[-1,-2],\"top_logprobs\":[{\"a\":-1,\"the quick brown fox jumps over\":-3},null],\"text_offset\":[0,1]}\ntoken 2 logprobs.tokens a\ntoken 2 logprobs.tokens  b\ntoken 2.0 logprobs.top.# a\ntoken 2.1 logprobs.top.# the quick brown fox jumps over\nend 2 \"length\"\n",
		},
		{
			"completion with chat's logprobs",
			Completions{},
			SSE,
			`{"choices":[{"text":"a","index":0,"logprobs":{"content":[{"token":"a"}]}}]}`,
			"begin 0 \ntext 0 text a\ndrop 0 -> null {\"content\":[{\"token\":\"a\"}]}\ntoken 0 logprobs.content a\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := NewLocator(tt.family.Paths(), tt.framing)
			for range 2 { // a locator is used again
				fields, err := l.Locate([]byte(tt.payload))
				if err != nil {
					t.Fatal(err)
				}
				if got := show(tt.payload, fields); got != tt.want {
					t.Fatalf("got\n%swant\n%s", got, tt.want)
				}
			}
		})
	}
}

func TestUnscannable(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, payload string }{
		{"empty", ``},
		{"no JSON", `{"choices":[`},
		{"two documents", `{}{}`},
		{"text behind", `{} x`},
		{"single quotes", `{'a':1}`},
		{"trailing comma", `{"a":"b",}`},
		{"comment", `{"a":"b"/*c*/}`},
		{"not a number", `{"a":NaN}`},
		{"control character", "{\"a\":\"b\nc\"}"},
		{"bad escape", `{"a":"\x41"}`},
		{"half an escape", `{"a":"\u12"}`},
		{"UTF-16", "\xFE\xFF\x00{\x00}"},
		{"content twice", `{"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]}`},
		{"content twice, spelled differently", `{"choices":[{"index":0,"delta":{"content":"a","con\u0074ent":"b"}}]}`},
		{"delta twice", `{"choices":[{"index":0,"delta":{"content":"a"},"delta":{"content":"b"}}]}`},
		{"choices twice", `{"choices":[],"choices":[]}`},
		{"deep", strings.Repeat(`[`, 65) + strings.Repeat(`]`, 65)},
		{"very deep", strings.Repeat(`{"a":`, 1e5)},
		{"negative number", `{"choices":[{"index":-1}]}`},
		{"huge number", `{"choices":[{"index":4294967296}]}`},
		{"fraction", `{"choices":[{"index":1.5}]}`},
		{"exponent", `{"choices":[{"index":1e9}]}`},
		{"number as a string", `{"choices":[{"index":"0"}]}`},
		{"tool number", `{"choices":[{"index":0,"delta":{"tool_calls":[{"index":-5}]}}]}`},
		{"many choices", `{"choices":[` + strings.Repeat(`{},`, 300) + `{}]}`},
		{"many elements", `{"choices":[{"delta":{"tool_calls":[` + strings.Repeat(`{},`, 5000) + `{}]}}]}`},
		{"many alternatives", `{"choices":[{"logprobs":{"content":[{"top_logprobs":[` + strings.Repeat(`{},`, 32) + `{}]}]}}]}`},
		{"one number, two choices", `{"choices":[{"index":1},{"index":1}]}`},
		{"long names", strings.Repeat(`{"`+strings.Repeat("a", 60)+`":`, 40) + `"x"` + strings.Repeat("}", 40)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := NewLocator(Chat{}.Paths(), JSON)
			if _, err := l.Locate([]byte(tt.payload)); !errors.Is(err, ErrUnscannable) {
				t.Errorf("error = %v", err)
			}
			if _, err := l.Locate([]byte(`{"a":"b"}`)); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
	t.Run("many names", func(t *testing.T) {
		t.Parallel()
		l := NewLocator(Chat{}.Paths(), SSE)
		var err error
		for i := 0; err == nil && i < 1000; i++ {
			_, err = l.Locate(fmt.Appendf(nil, `{"k%d":"v"}`, i))
		}
		if !errors.Is(err, ErrUnscannable) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestLocateAllocs(t *testing.T) {
	l := NewLocator(Chat{}.Paths(), SSE)
	payload := []byte(`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","provider":"P","choices":[{"index":0,"delta":{"content":"Hi \u0041","x":["y"],"tool_calls":[{"index":1,"function":{"arguments":"{"}}]},"logprobs":{"content":[{"token":"a"}]},"finish_reason":null}]}`)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := l.Locate(payload); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

// FuzzLocate: places ascend and are JSON values, every string is a place but
// for those the table knows, and a splice that cuts nothing changes nothing.
func FuzzLocate(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"delta":{"content":"a\u0041","tool_calls":[{"index":1,"function":{"arguments":"{\"a\":1}"}}]},"logprobs":{"content":[{"token":"a"}]}}],"x":[["y"]]}`))
	f.Add([]byte(`{"choices":[{"message":{"tool_calls":[{"function":{"arguments":{"a":[1]}}}]}}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, framing := range []Framing{JSON, SSE} {
			l := NewLocator(Chat{}.Paths(), framing)
			fields, err := l.Locate(payload)
			if err != nil {
				if !errors.Is(err, ErrUnscannable) {
					t.Fatal(err)
				}
				continue
			}
			var out []byte
			pos, last := 0, 0
			covered := make(map[int]bool)
			for _, f := range fields {
				if f.Lo < last || f.Hi < f.Lo || f.Hi > len(payload) {
					t.Fatalf("%q: place %d to %d behind %d", payload, f.Lo, f.Hi, last)
				}
				last = f.Lo
				if f.Role == Begin || f.Role == Done {
					continue
				}
				if v := jsontext.Value(payload[f.Lo:f.Hi]); !v.IsValid(jsontext.AllowInvalidUTF8(true)) {
					t.Fatalf("%q: %q is no value", payload, v)
				}
				covered[f.Lo] = true
				if f.Role == Drop || f.Role == End || f.Lo < pos {
					continue
				}
				if f.Form == Bytes {
					continue
				}
				c := NewCutter(nil)
				out = append(out, payload[pos:f.Lo]...)
				out = c.Append(out, payload[f.Lo:f.Hi], f.Form, 0, nil)
				pos = f.Hi
			}
			if out = append(out, payload[pos:]...); !bytes.Equal(out, payload) {
				t.Fatalf("%q became %q", payload, out)
			}
			uncovered(t, payload, covered)
		}
	})
}

// uncovered checks that long strings are places.
func uncovered(t *testing.T, payload []byte, covered map[int]bool) {
	if string(bytes.TrimSpace(payload)) == "[DONE]" {
		return
	}
	dec := newDecoder(payload)
	for {
		kind := dec.PeekKind()
		if kind == '{' && covered[int(dec.InputOffset())] {
			return
		}
		if kind != '"' {
			if _, err := dec.ReadToken(); err != nil {
				return
			}
			if kind == '{' && covered[int(dec.InputOffset())-1] {
				return // a document: its strings are its own
			}
			continue
		}
		_, n := dec.StackIndex(dec.StackDepth())
		parent, _ := dec.StackIndex(dec.StackDepth())
		lit, _ := dec.ReadValue()
		lo := int(dec.InputOffset()) - len(lit)
		if parent == '{' && n%2 == 0 {
			continue // a name
		}
		if len(lit) > maxIdentifier+2 && !covered[lo] {
			t.Fatalf("%q: the string at %d is no place", payload, lo)
		}
	}
}
