package wire

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// arrayBody returns the messages and payloads of a body.
type arrayBody struct {
	messages, payloads []string
	foreign            bool
}

// cutArray cuts a body at the given offsets and reads its messages as they
// become whole.
func cutArray(body string, at ...int) arrayBody {
	f := NewFramer(Array, noRules)
	var out arrayBody
	var rest []byte
	message := func() {
		m := f.Parse(rest)
		out.messages = append(out.messages, string(rest))
		if len(m.Payload) > 0 {
			out.payloads = append(out.payloads, string(m.Payload))
			if got := string(rest[m.At : m.At+len(m.Payload)]); got != string(m.Payload) {
				panic(got)
			}
		}
		out.foreign = out.foreign || m.Foreign
		rest = rest[:0]
	}
	from := 0
	for _, to := range append(slices.Clone(at), len(body)) {
		for p := []byte(body[from:to]); len(p) > 0; {
			n, ends := f.Scan(p)
			rest = append(rest, p[:n]...)
			p = p[n:]
			if ends {
				message()
			}
		}
		from = to
	}
	if len(rest) > 0 {
		message()
	}
	return out
}

func (b arrayBody) equal(o arrayBody) bool {
	return slices.Equal(b.messages, o.messages) && slices.Equal(b.payloads, o.payloads) && b.foreign == o.foreign
}

func TestArray(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		messages   []string
		payloads   []string
		foreign    bool
	}{
		{"compact", `[{"a":1},{"b":2}]`, []string{`[{"a":1}`, `,{"b":2}`, `]`}, []string{`{"a":1}`, `{"b":2}`}, false},
		{"as Google writes it", "[{\n  \"a\": 1\n}\n,\r\n{\n  \"b\": 2\n}\n]\n", []string{"[{\n  \"a\": 1\n}", "\n,\r\n{\n  \"b\": 2\n}", "\n]\n"}, []string{"{\n  \"a\": 1\n}", "{\n  \"b\": 2\n}"}, false},
		{"white space first", " \n[ {} ]", []string{" \n[ {}", " ]"}, []string{"{}"}, false},
		{"none", "[]", []string{"[]"}, nil, false},
		{"none, with space", " [ ] ", []string{" [ ] "}, nil, false},
		{"brackets in strings", `[{"a":"]}[{,\"\\"},{"b":["}"]}]`, []string{`[{"a":"]}[{,\"\\"}`, `,{"b":["}"]}`, `]`}, []string{`{"a":"]}[{,\"\\"}`, `{"b":["}"]}`}, false},
		{"one document", `{"error":{"code":400}}`, []string{`{"error":{"code":400}}`}, []string{`{"error":{"code":400}}`}, false},
		{"no JSON", "<html>[{}]", []string{"<html>[{}]"}, []string{"<html>[{}]"}, false},
		{"cut behind an element", `[{"a":1}, `, []string{`[{"a":1}`, `, `}, []string{`{"a":1}`}, false},
		{"cut in an element", `[{"a":1},{"b`, []string{`[{"a":1}`, `,{"b`}, []string{`{"a":1}`, `{"b`}, false},
		{"cut at once", `[`, []string{`[`}, nil, false},
		{"something behind", `[{}] [{}]`, []string{`[{}`, `] [{}]`}, []string{`{}`}, true},
		{"no comma", `[{"a":1}{"b":2}]`, []string{`[{"a":1}`, `{"b":2}]`}, []string{`{"a":1}`}, true},
		{"two commas", `[{},,{}]`, []string{`[{}`, `,,{}]`}, []string{`{}`}, true},
		{"comma first", `[,{}]`, []string{`[,{}]`}, nil, true},
		{"comma last", `[{},]`, []string{`[{}`, `,]`}, []string{`{}`}, true},
		{"a string", `["a",{}]`, []string{`["a",{}]`}, nil, true},
		{"array in the array", `[{},[{}]]`, []string{`[{}`, `,[{}]]`}, []string{`{}`}, true},
		{"array begun again and cut", `[{}[`, []string{`[{}`, `[`}, []string{`{}`}, true},
		{"array begun again", `[{}[{}]]`, []string{`[{}`, `[{}]]`}, []string{`{}`}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := arrayBody{tt.messages, tt.payloads, tt.foreign}
			for i := range len(tt.body) + 1 {
				for j := i; j <= len(tt.body); j++ {
					if got := cutArray(tt.body, i, j); !got.equal(want) {
						t.Fatalf("cut at %d and %d:\ngot  %q\nwant %q", i, j, got.messages, want.messages)
					}
				}
			}
		})
	}
}

// TestArrayEnds: after any part of an array has left, the framer can complete the array.
func TestArrayEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, sent, read string
		begun            bool
		message, closed  string
	}{
		{"nothing has left", "", "", false, `[{"e":1}]`, `[]`},
		{"nothing has left of what was read", "", `[{"a":1`, false, `[{"e":1}]`, `[]`},
		{"an element", `[{"a":1}`, `[{"a":1}`, true, `[{"a":1},{"e":1}]`, `[{"a":1}]`},
		{"all but the end", `[{"a":1}`, "[{\"a\":1}\n]", true, `[{"a":1},{"e":1}]`, `[{"a":1}]`},
		{"a document", `{"a":1}`, `{"a":1}`, true, `{"a":1}`, `{"a":1}`},
		{"nothing of a document", ``, `{"a":1}`, false, `{"e":1}`, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := NewFramer(Array, noRules)
			for p := []byte(tt.read); len(p) > 0; {
				n, _ := f.Scan(p)
				p = p[n:]
			}
			w := Writer{Framer: f, Begun: tt.begun, Out: []byte(tt.sent)}
			w.Message("", []byte(`{"e":1}`))
			w.Close()
			if string(w.Out) != tt.message {
				t.Errorf("message: got %s, want %s", w.Out, tt.message)
			}
			w = Writer{Framer: f, Begun: tt.begun, Out: []byte(tt.sent)}
			if w.Close(); string(w.Out) != tt.closed {
				t.Errorf("close: got %s, want %s", w.Out, tt.closed)
			}
		})
	}
}

func TestArrayRewrite(t *testing.T) {
	t.Parallel()
	f := NewFramer(Array, noRules)
	if got := string(f.Rewrite(nil, []byte("\n,\r\n{\"a\":1}"), []byte(`{"b":2}`))); got != "\n,\r\n{\"b\":2}" {
		t.Errorf("got %q", got)
	}
}

// FuzzArray: cutting keeps every byte and does not depend on how the body
// arrives. If another parser reads the body as an array of objects, its elements are the
// payloads; any other body is foreign or one document.
func FuzzArray(f *testing.F) {
	f.Add([]byte("[{\"a\":\"]\\\"\"}\n,\r\n{}]\n"), uint64(1))
	f.Add([]byte(`{"error":[{}]}`), uint64(2))
	f.Add([]byte(`[{},[{}]]`), uint64(3))
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var at []int
		for range rnd.IntN(8) {
			at = append(at, rnd.IntN(len(body)+1))
		}
		slices.Sort(at)
		want := cutArray(string(body))
		if strings.Join(want.messages, "") != string(body) {
			t.Fatalf("messages of %q hold %q", body, want.messages)
		}
		if got := cutArray(string(body), at...); !got.equal(want) {
			t.Fatalf("%q cut at %v: %q, want %q", body, at, got.messages, want.messages)
		}
		valid := true
		for _, p := range want.payloads {
			valid = valid && json.Valid([]byte(p))
		}
		var list []json.RawMessage
		switch err := json.Unmarshal(body, &list); {
		case err == nil && list != nil:
			objects := !slices.ContainsFunc(list, func(m json.RawMessage) bool { return m[0] != '{' })
			if objects == want.foreign {
				t.Fatalf("%q: foreign is %v", body, want.foreign)
			}
			got := slices.Collect(func(yield func(string) bool) {
				for _, m := range list {
					if !yield(string(m)) {
						return
					}
				}
			})
			if objects && !slices.Equal(got, want.payloads) {
				t.Fatalf("%q: payloads %q, want %q", body, want.payloads, got)
			}
		case valid && !want.foreign && len(want.payloads) > 0 && !json.Valid(body):
			// Only the end may be missing.
			closed := strings.TrimRight(string(body), ", \t\r\n") + "]"
			if !json.Valid([]byte(closed)) {
				t.Fatalf("%q was read as whole: %q", body, want.messages)
			}
		}
	})
}
