package wire

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// quote writes text as a JSON string literal in which about one character in
// n is written as \uXXXX though it need not be.
func quote(text []byte, rnd *rand.Rand, n int) []byte {
	lit := []byte{'"'}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if rnd.IntN(n) == 0 && r != utf8.RuneError {
			if r > 0xFFFF {
				lit = append(lit, `\u`+hex(0xD800+(r-0x10000)>>10)+`\u`+hex(0xDC00+(r-0x10000)&0x3FF)...)
			} else {
				lit = append(lit, `\u`+hex(r)...)
			}
		} else {
			lit = AppendEscaped(lit, text[:size])
		}
		text = text[size:]
	}
	return append(lit, '"')
}

func hex(r rune) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", 4-len(s)) + s
}

func TestText(t *testing.T) {
	t.Parallel()
	for lit, want := range map[string]string{
		`""`:                   "",
		`"a b"`:                "a b",
		`"\"\\\/\b\f\n\r\t"`:   "\"\\/\b\f\n\r\t",
		`"\u0041\u00e9\u20AC"`: "Aé€",
		`"\ud83d\ude00"`:       "😀",
		`"\ud83d"`:             "\xED\xA0\xBD",
		`"\ude00"`:             "\xED\xB8\x80",
		`"\ud83d\ud83d\ude00"`: "\xED\xA0\xBD😀",
		`"\ud83d\n"`:           "\xED\xA0\xBD\n",
		"\"a\xffb\xc3\"":       "a\xffb\xc3",
		"\"\u2028\"":           "\u2028",
	} {
		if got := string(AppendText(nil, []byte(lit))); got != want {
			t.Errorf("text of %s = %q, want %q", lit, got, want)
		}
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	lit := append(AppendEscaped([]byte{'"'}, all), '"')
	if got := AppendText(nil, lit); !bytes.Equal(got, all) {
		t.Errorf("text of %s = %q", lit, got)
	}
}

// cutsOf turns a text in which «» marks spans into the text and its cuts.
func cutsOf(marked string) (text string, cuts []Cut) {
	for {
		i := strings.Index(marked, "«")
		if i < 0 {
			return text + marked, cuts
		}
		j := strings.Index(marked, "»")
		text += marked[:i]
		lo := int64(len(text))
		text += marked[i+len("«") : j]
		cuts = append(cuts, Cut{Lo: lo, Hi: int64(len(text)), Seq: uint64(len(cuts) + 1)})
		marked = marked[j+len("»"):]
	}
}

func TestCutter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		form Form
		in   string
		want string
	}{
		{"plain", Plain, `a «b c» d`, `a [redacted] d`},
		{"plain, all", Plain, `«b c»`, `[redacted]`},
		{"plain, two spans", Plain, `«b» «c»`, `[redacted] [redacted]`},
		{"one string", Nested, `{"a":"x «y z» w"}`, `{"a":"x [redacted] w"}`},
		{"end of a string", Nested, `{"a":"x «y z»"}`, `{"a":"x [redacted]"}`},
		{"before an escaped quote", Nested, `{"a":"«y z»\" w"}`, `{"a":"[redacted]\" w"}`},
		{"before an escaped backslash", Nested, `{"a":"«y z»\\"}`, `{"a":"[redacted]\\"}`},
		{"over keys and values", Nested, `{"to":"«Sarah Hale","no":4711,"ok»":true}`, `{"to":"[redacted]","[redacted]":0,"[redacted]":true}`},
		{"literals stay", Nested, `["«a",true,false,null,"b»"]`, `["[redacted]",true,false,null,"[redacted]"]`},
		{"numbers", Nested, `["«a",12,-1.5e+3,0.25,"b»"]`, `["[redacted]",0,0,0,"[redacted]"]`},
		{"number at the end", Nested, `["«a",12.5»,7]`, `["[redacted]",0,7]`},
		{"number from its fraction", Nested, `[12.«5,"a»"]`, `[12.0,"[redacted]"]`},
		{"number from its sign", Nested, `[-«5,"a»"]`, `[-0,"[redacted]"]`},
		{"number whose fraction stays", Nested, `["«a",12».75]`, `["[redacted]",0]`},
		{"escapes within", Nested, `{"a":"«b\nc\u00e9\\d»"}`, `{"a":"[redacted]"}`},
		{"begins within an escape", Nested, `{"a":"\«nb»"}`, `{"a":"\\[redacted]"}`},
		{"begins within hex digits", Nested, `{"a":"\u00«e9b»"}`, `{"a":"\u0000[redacted]"}`},
		{"ends within an escape", Nested, `{"a":"«b\»nc"}`, `{"a":"[redacted]c"}`},
		{"ends within hex digits", Nested, `{"a":"«b\u00»e9c"}`, `{"a":"[redacted]c"}`},
		{"white space and nesting", Nested, "{ \"a\" : [ { \"«b\" : 1 } , [ ] ]\n, \"c»\" : \"\" }", "{ \"a\" : [ { \"[redacted]\" : 0 } , [ ] ]\n, \"[redacted]\" : \"\" }"},
		{"no JSON", Nested, `write to «Sarah Hale» now`, `write to [redacted] now`},
		{"no JSON inside", Nested, `{to «Sarah Hale»}`, `{to [redacted]}`},
		{"a word like a literal", Nested, `[«nullable and void»]`, `[[redacted]]`},
		{"a literal and a quote", Nested, `[«true»'x]`, `[[redacted]'x]`},
		{"a number like a word", Nested, `[«12th of May»]`, `[0[redacted]]`},
		{"a string alone", Nested, `"a «b» c"`, `"a [redacted] c"`},
		{"one document behind another", Nested, `{"a":"«b»"}{"a":"«c»"}`, `{"a":"[redacted]"}{"a":"[redacted]"}`},
		{"document", Document, `{"a": "x «y\u0041z»", "n": «1»}`, `{"a": "x [redacted]", "n": 0}`},
		{"raw", Raw, `a «b» \u0041`, `a [redacted] \u0041`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, cuts := cutsOf(tt.in)
			for i := range len(text) + 1 {
				for j := i; j <= len(text); j++ {
					c := NewCutter([]byte("[redacted]"))
					var got []byte
					for _, p := range [][2]int{{0, i}, {i, j}, {j, len(text)}} {
						piece := []byte(text[p[0]:p[1]])
						if tt.form == Document || tt.form == Raw {
							got = c.Append(got, piece, tt.form, int64(p[0]), cuts)
							continue
						}
						lit := append(AppendEscaped([]byte{'"'}, piece), '"')
						got = AppendText(got, c.Append(nil, lit, tt.form, int64(p[0]), cuts))
					}
					if string(got) != tt.want {
						t.Fatalf("cut at %d and %d: got %s, want %s", i, j, got, tt.want)
					}
				}
			}
		})
	}
}

// TestCutterKeepsBytes: bytes that are not cut keep their spelling.
func TestCutterKeepsBytes(t *testing.T) {
	t.Parallel()
	c := NewCutter([]byte("\"x\"\n\u2028"))
	lit := "\"\\u0041\u2028\\/ b \\ud83d\\ude00\\ud83d \xff\""
	got := string(c.Append(nil, []byte(lit), Plain, 0, []Cut{{Lo: 6, Hi: 7, Seq: 1}}))
	want := "\"\\u0041\u2028\\/ \\\"x\\\"\\n\u2028 \\ud83d\\ude00\\ud83d \xff\""
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzArguments: JSON text stays JSON text after any cut; without a cut no byte changes;
// and the result does not depend on the pieces in which the text comes.
func FuzzArguments(f *testing.F) {
	f.Add([]byte(`{"to":"Sarah \"Hale\"","no":-47.11e+2,"ok":[true,false,null,{}]}`), uint64(1))
	f.Add([]byte(`"\ud83d\ude00\\"`), uint64(2))
	f.Add([]byte(`[nullable`), uint64(3))
	f.Fuzz(func(t *testing.T, text []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		cuts := randomCuts(rnd, text)
		whole := NewCutter([]byte("[x]"))
		lit := quote(text, rnd, 4)
		if got := whole.Append(nil, lit, Nested, 0, nil); !bytes.Equal(got, lit) {
			t.Fatalf("without a cut %s became %s", lit, got)
		}
		whole = NewCutter([]byte("[x]"))
		want := AppendText(nil, whole.Append(nil, lit, Nested, 0, cuts))

		pieces := NewCutter([]byte("[x]"))
		var got []byte
		for from := 0; from < len(text); {
			to := min(len(text), from+1+rnd.IntN(9))
			for to < len(text) && !utf8.RuneStart(text[to]) {
				to++
			}
			got = AppendText(got, pieces.Append(nil, quote(text[from:to], rnd, 4), Nested, int64(from), cuts))
			from = to
		}
		if utf8.Valid(text) && !bytes.Equal(got, want) {
			t.Fatalf("%s with %v: %s in pieces, %s at once", text, cuts, got, want)
		}
		if isJSON(text) && !isJSON(want) && bytes.IndexByte([]byte(`{["`), bytes.TrimLeft(text, " \t\r\n")[0]) >= 0 {
			t.Fatalf("%s with %v became %s", text, cuts, want)
		}
	})
}

func isJSON(text []byte) bool {
	return jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// randomCuts cuts between characters, as words do.
func randomCuts(rnd *rand.Rand, text []byte) []Cut {
	var at []int64
	for range 2 * rnd.IntN(4) {
		i := rnd.IntN(len(text) + 1)
		for i < len(text) && !utf8.RuneStart(text[i]) {
			i++
		}
		at = append(at, int64(i))
	}
	slices.Sort(at)
	var cuts []Cut
	for i := 0; i < len(at); i += 2 {
		if at[i] < at[i+1] {
			cuts = append(cuts, Cut{Lo: at[i], Hi: at[i+1], Seq: uint64(i + 1)})
		}
	}
	return cuts
}
