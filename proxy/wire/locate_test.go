package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
	"noecho/proxy/wire/api"
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

// chat is the family of Chat Completions.
func chat(t testing.TB) *wire.Family {
	t.Helper()
	f := api.ByName("openai.chat")
	if f == nil {
		t.Fatal("openai.chat is not known")
	}
	return f
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
			l := wire.NewLocator(chat(t), wire.JSON)
			if _, err := l.Locate([]byte(tt.payload)); !errors.Is(err, wire.ErrUnscannable) {
				t.Errorf("error = %v", err)
			}
			if _, err := l.Locate([]byte(`{"a":"b"}`)); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
	t.Run("many names", func(t *testing.T) {
		t.Parallel()
		l := wire.NewLocator(chat(t), wire.SSE)
		var err error
		for i := 0; err == nil && i < 1000; i++ {
			_, err = l.Locate(fmt.Appendf(nil, `{"k%d":"v"}`, i))
		}
		if !errors.Is(err, wire.ErrUnscannable) {
			t.Errorf("error = %v", err)
		}
	})
}

func TestLocateAllocs(t *testing.T) {
	l := wire.NewLocator(chat(t), wire.SSE)
	payload := []byte(`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","provider":"P","choices":[{"index":0,"delta":{"content":"Hi \u0041","x":["y"],"tool_calls":[{"index":1,"function":{"arguments":"{"}}]},"logprobs":{"content":[{"token":"a"}]},"finish_reason":null}]}`)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := l.Locate(payload); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
}

// FuzzLocate: places are JSON values in ascending order, every string is a place unless a
// rule says otherwise, and a splice that cuts nothing changes nothing.
func FuzzLocate(f *testing.F) {
	f.Add([]byte(`{"choices":[{"index":0,"delta":{"content":"a\u0041","tool_calls":[{"index":1,"function":{"arguments":"{\"a\":1}"}}]},"logprobs":{"content":[{"token":"a"}]}}],"x":[["y"]]}`))
	f.Add([]byte(`{"choices":[{"message":{"tool_calls":[{"function":{"arguments":{"a":[1]}}}]}}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, framing := range []wire.Framing{wire.JSON, wire.SSE} {
			l := wire.NewLocator(chat(t), framing)
			fields, err := l.Locate(payload)
			if err != nil {
				if !errors.Is(err, wire.ErrUnscannable) {
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
				if f.Role == wire.Begin || f.Role == wire.Done {
					continue
				}
				if v := jsontext.Value(payload[f.Lo:f.Hi]); !v.IsValid(jsontext.AllowInvalidUTF8(true)) {
					t.Fatalf("%q: %q is no value", payload, v)
				}
				covered[f.Lo] = true
				if f.Role == wire.Drop || f.Role == wire.End || f.Lo < pos {
					continue
				}
				if f.Form == wire.Bytes {
					continue
				}
				c := wire.NewCutter(nil)
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
	dec := jsontext.NewDecoder(bytes.NewBuffer(payload), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(true))
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
		if len(lit) > 64+2 && !covered[lo] {
			t.Fatalf("%q: the string at %d is no place", payload, lo)
		}
	}
}

// TestMarks: the presence of a member decides the kind of a message, wherever it is and
// however its name is escaped.
func TestMarks(t *testing.T) {
	t.Parallel()
	family := wire.NewFamily(wire.Family{Choices: "choices", Marks: []string{"token", "meta"}, Rules: []wire.Rule{
		wire.ChoiceMessage("token"),
		wire.ChoiceNumber("index").For("meta"),
		wire.TextAt("text", "text"),
		wire.DropWhenWithheld("token.id").Else("0"),
		wire.ElementNumber("choices[#].calls[#].function.index"),
		wire.TextAt("choices[#].calls[#].function.name", "calls.#.name"),
	}})
	for _, tt := range []struct{ name, payload, want string }{
		{"a choice", `{"index":7,"token":{"id":12,"x":"y"}}`, "begin 0 \ndrop 0 -> 0 12\nmetadata 0.1 keys.# x\nmetadata 0 token.x y\n"},
		{"a choice with a number", `{"index":7,"text":"a","meta":{}}`, "begin 7 \ntext 7 text a\n"},
		{"the first counts", `{"meta":{},"index":7,"token":{}}`, "begin 7 \n"},
		{"escaped", `{"index":7,"m\u0065ta":null}`, "begin 7 \n"},
		{"neither", `{"index":7,"text":"a"}`, "text -1 text a\n"},
		{"number within an element", `{"choices":[{"calls":[{"function":{"name":"f","index":3}},{"function":{"name":"g"}}]}]}`, "begin 0 \ntext 0.3 calls.#.name f\ntext 0.1 calls.#.name g\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := wire.NewLocator(family, wire.SSE)
			fields, err := l.Locate([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(tt.payload, fields); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// TestNamesOfMembers: names that are not those of an API are places, and in a stream those
// that the message before had are a text of their own.
func TestNamesOfMembers(t *testing.T) {
	t.Parallel()
	l := wire.NewLocator(chat(t), wire.SSE)
	for i, tt := range []struct{ payload, want string }{
		{`{"zz":{"one":1,"":2},"usage":{"prompt_tokens":1}}`, "metadata -1.0 keys.# zz\nmetadata -1.1 keys.# one\n"},
		{`{"zz":{"two":1}}`, "metadata -1.0 keys.again zz\nmetadata -1.1 keys.# two\n"},
		{`{"zz":{"one":{"zz":1}}}`, "metadata -1.0 keys.again zz\nmetadata -1.1 keys.again one\nmetadata -1.2 keys.# zz\n"},
		{`{"id":"m","model":"n"}`, ""},
		{`{"id":"m","model":"n"}`, ""},
		{`{"zz":{"\u0061 b":1}}`, "metadata -1.0 keys.# zz\nmetadata -1.1 keys.# a b\n"},
	} {
		fields, err := l.Locate([]byte(tt.payload))
		if got := show(tt.payload, fields); err != nil || got != tt.want {
			t.Errorf("%d: got\n%swant\n%s%v", i, got, tt.want, err)
		}
	}
}
