package wire

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tmaxmax/go-sse"
)

// noRules is a family without rules.
var noRules = NewFamily(Family{})

// cut cuts a body at the given offsets and returns its messages.
func cut(body string, at ...int) []string {
	f := NewFramer(SSE, noRules)
	var messages []string
	var rest strings.Builder
	for from, i := 0, 0; i <= len(at); i++ {
		to := len(body)
		if i < len(at) {
			to = at[i]
		}
		p := []byte(body[from:to])
		for len(p) > 0 {
			n, ends := f.Scan(p)
			rest.Write(p[:n])
			p = p[n:]
			if ends {
				messages = append(messages, rest.String())
				rest.Reset()
			}
		}
		from = to
	}
	if rest.Len() > 0 {
		messages = append(messages, rest.String())
	}
	return messages
}

// payloads returns the payloads of a body's messages that have one.
func payloads(messages []string) []string {
	f := NewFramer(SSE, noRules)
	var out []string
	for _, raw := range messages {
		if m := f.Parse([]byte(raw)); len(m.Payload) > 0 {
			out = append(out, string(m.Payload))
		}
	}
	return out
}

func TestSSE(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		payloads   []string
	}{
		{"lf", "data: a\n\ndata: b\n\n", []string{"a", "b"}},
		{"crlf", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"a", "b"}},
		{"cr", "data: a\r\rdata: b\r\r", []string{"a", "b"}},
		{"mixed ends", "data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", []string{"a", "b", "c"}},
		{"no space", "data:a\n\ndata:  b\n\n", []string{"a", " b"}},
		{"byte order mark", "\xEF\xBB\xBFdata: a\n\n", []string{"a"}},
		{"comment apart", ": ping\n\ndata: a\n\n", []string{"a"}},
		{"comment within", ": ping\ndata: a\n: pong\n\n", []string{"a"}},
		{"name and id", "event: x\nid: 1\nretry: 3\ndata: a\n\n", []string{"a"}},
		{"id and retry only", "id: 1\nretry: 3\n\ndata: a\n\n", []string{"a"}},
		{"several data lines", "data: {\ndata: \"a\":1}\n\n", []string{"{\n\"a\":1}"}},
		{"several data lines, crlf", "data: {\r\nevent: x\r\ndata: }\r\n\r\n", []string{"{\n}"}},
		{"empty data", "data:\n\ndata\n\ndata: a\n\n", []string{"a"}},
		{"no last blank line", "data: a\n\ndata: b", []string{"a", "b"}},
		{"half a blank line", "data: a\r\n\r", []string{"a"}},
		{"line separator is text", "data: \"a\u2028b\u2029c\u0085d\"\n\n", []string{"\"a\u2028b\u2029c\u0085d\""}},
		{"blank lines", "\n\n\r\n\rdata: a\n\n\n\n", []string{"a"}},
		{"other fields", "dat: a\ndata : b\n data: c\ndata: d\n\n", []string{"d"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := cut(tt.body)
			if got := payloads(want); !slices.Equal(got, tt.payloads) {
				t.Errorf("payloads = %q, want %q", got, tt.payloads)
			}
			if got := strings.Join(want, ""); got != tt.body {
				t.Errorf("messages hold %q", got)
			}
			for i := range len(tt.body) + 1 {
				for j := i; j <= len(tt.body); j++ {
					if got := cut(tt.body, i, j); !slices.Equal(payloads(got), tt.payloads) {
						t.Fatalf("cut at %d and %d: messages = %q, want %q", i, j, got, want)
					}
				}
			}
		})
	}
}

// TestSSELeavesAtOnce: the end of an event is known with its last byte.
func TestSSELeavesAtOnce(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"data: a\n\n", "data: a\r\n\r\n", "data: a\r\r", ": ping\n\n"} {
		f := NewFramer(SSE, noRules)
		if n, ends := f.Scan([]byte(body)); n != len(body) || !ends {
			t.Errorf("%q: read %d bytes, ends %t", body, n, ends)
		}
	}
}

func TestSSERewrite(t *testing.T) {
	t.Parallel()
	f := NewFramer(SSE, noRules)
	raw := "event: x\r\ndata: {\r\n: a comment that is long enough\r\ndata: }\r\nid: 7\r\n\r\n"
	want := "event: x\r\ndata: [\ndata: ]\n: a comment that is long enough\r\nid: 7\r\n\r\n"
	if got := string(f.Rewrite(nil, []byte(raw), []byte("[\n]"))); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for raw, want := range map[string]string{
		"data: a": "data: a\n\n", "data: a\n": "data: a\n\n\n", "data: a\n\n": "data: a\n\n",
		"data: a\r\n\r\n": "data: a\r\n\r\n", "data: a\r\r": "data: a\r\r",
	} {
		if got := string(f.AppendEnd([]byte(raw))); got != want {
			t.Errorf("end of %q: %q, want %q", raw, got, want)
		}
	}
}

// FuzzSSE: cutting keeps every byte, does not depend on how the body arrives,
// and finds the payloads that another parser finds.
func FuzzSSE(f *testing.F) {
	f.Add([]byte("data: a\n\n: x\r\n\r\ndata:b\rdata: c\r\r"), uint64(1))
	f.Add([]byte("\xEF\xBB\xBFdata: a\n\nid: 1\n\n"), uint64(2))
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var at []int
		for range rnd.IntN(8) {
			at = append(at, rnd.IntN(len(body)+1))
		}
		slices.Sort(at)
		whole := cut(string(body))
		if strings.Join(whole, "") != string(body) {
			t.Fatalf("messages of %q hold %q", body, whole)
		}
		got, want := payloads(cut(string(body), at...)), payloads(whole)
		if !slices.Equal(got, want) {
			t.Fatalf("%q cut at %v: %q, want %q", body, at, got, want)
		}
		if bytes.Contains(body, []byte("\xEF\xBB\xBF")) || bytes.IndexByte(body, 0) >= 0 {
			return // elsewhere than at the start the oracle reads on differently
		}
		var oracle []string
		closed := string(NewFramer(SSE, noRules).AppendEnd(slices.Clone(body)))
		for e, err := range sse.Read(strings.NewReader(closed), &sse.ReadConfig{MaxEventSize: 1 << 20}) {
			if err != nil {
				return
			}
			if e.Data != "" {
				oracle = append(oracle, e.Data)
			}
		}
		if got := payloads(cut(closed)); !slices.Equal(got, oracle) {
			t.Fatalf("%q: %q, oracle %q", closed, got, oracle)
		}
	})
}
