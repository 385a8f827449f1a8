package ngram

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// spy is a suite that remembers the normalised words.
type spy struct{ words []string }

func (*spy) ID() SuiteID { return 0 }

func (s *spy) Sum(w []byte) uint64 {
	s.words = append(s.words, string(w))
	return uint64(len(s.words))
}

func (s *spy) Ends(dst []uint64, text []byte, from []uint8) {
	for i, lo := range from {
		dst[i] = s.Sum(text[lo:])
	}
}

// wordsOf returns the normalised words of a text.
func wordsOf(text string) []string {
	s := &spy{}
	sc := NewScanner(s)
	sc.Finish(sc.Append(nil, []byte(text)))
	return s.words
}

func TestNormV1(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"case", "The QUICK Brown", "the quick brown"},
		{"digits", "order 4711, v2", "order 4711 v2"},
		{"separators", "a-b_c/d.e,f;g:h!i?j(k)[l]{m}|n=o+p*q", "a b c d e f g h i j k l m n o p q"},
		{"acute composed", "caf\u00e9 cr\u00e8me", "cafe creme"},
		{"acute decomposed", "cafe\u0301 cre\u0300me", "cafe creme"},
		{"many marks", "z\u0300\u0301\u0302\u0303a\u0334lgo", "zalgo"},
		{"sharp s", "Stra\u00dfe STRASSE \u1e9e", "strasse strasse ss"},
		{"ligatures", "o\ufb03ce \ufb02ow \u01c6", "office flow dz"},
		{"fullwidth", "\uff26\uff55\uff4c\uff4c \uff11\uff12", "full 12"},
		{"mathematical bold", "\U0001d407\U0001d41e\U0001d425\U0001d425\U0001d428 \U0001d7d7", "hello 9"},
		{"circled", "\u24b8\u24d0\u24e3 \u2460", "cat 1"},
		{"roman numeral", "\u2167", "viii"},
		{"superscript", "x\u00b2", "x2"},
		{"fraction", "1\u00bd", "11 2"},
		{"soft hyphen", "in\u00adfor\u00adma\u00adtion", "information"},
		{"zero width", "s\u200be\u200cc\u200dr\u2060e\ufefft", "secret"},
		{"bidi marks", "\u202esecret\u202c \u2066x\u2069", "secret x"},
		{"tag characters", "se\U000e0063\U000e0072cret", "secret"},
		{"variation selectors", "a\ufe0fb\U000e0101c", "abc"},
		{"no-break space", "two\u00a0words\u202fthree", "two words three"},
		{"controls", "a\x00b\x01c\x7fd\x1fe", "abcde"},
		{"backspace separates", "a\bb", "a b"},
		{"vertical tab, form feed", "a\vb\fc", "a b c"},
		{"line separators", "a\u2028b\u2029c\u0085d", "a b c d"},

		{"apostrophes", "don't don\u2019t don\u2018t don\u02bct don\uff07t", "dont dont dont dont dont"},
		{"quotes around", "'quoted' \u2018curly\u2019 \u201cdouble\u201d", "quoted curly double"},
		{"plural possessive", "dogs' bones", "dogs bones"},

		{"Greek", "Καλημέρα Κόσμε ΣΊΣΥΦΟΣ σίσυφος", "kaλhmepa koome oiouφoo oiouφoo"},
		{"Cyrillic", "Привет мир ЁЛКА", "пpиbet mиp eлka"},
		{"Cyrillic look-alikes", "\u0440\u0430\u0443\u0440\u0430l", "paypal"},
		{"capital look-alikes", "\u0422\u041d\u0412\u0406 \u0442\u043d\u0432\u0456", "thbi thbi"},
		{"Armenian", "Բարև", "բwրեւ"},
		{"Hebrew", "שָׁלוֹם", "שלlם"},
		{"Arabic", "السَّلَامُ عَلَيْكُم", "lلسلlم عليكم"},
		{"Arabic digits", "\u0661\u0662\u0663 \u06f4\u06f5", "123 45"},
		{"Devanagari", "नमस्ते दुनिया", "नमसत दनिया"},
		{"Devanagari digits", "१२३", "123"},
		{"Tamil", "வணக்கம் உலகம்", "வணககம உலகம"},
		{"Bengali", "ওহে বিশ্ব", "ওহে বিশব"},
		{"Thai", "สวัสดี", "ส ว ส ด"},
		{"Lao", "ສະບາຍ", "ສ ະ ບ າ ຍ"},
		{"Khmer", "កម្ពុជា", "ក ម ព ជ ា"},
		{"Myanmar", "မြန်မာ", "မ ြ န မ ာ"},
		{"Han", "我喜欢abc茶", "我 喜 欢 abc 茶"},
		{"Han compatibility", "\uf900", "\u8c48"},
		{"kana", "ありがとうコーヒー", "あ り か と う コ ー ヒ ー"},
		{"halfwidth kana", "\uff76\uff9e\uff85", "カ ナ"},
		{"square word", "\u337f", "株 式 会 社"},
		{"Hangul", "안녕하세요 세계", "\u110b\u1161\u11ab\u1102\u1167\u11bc\u1112\u1161\u1109\u1166\u110b\u116d \u1109\u1166\u1100\u1168"},
		{"Hangul filler", "a\u3164b\u115fc\uffa0d", "abcd"},
		{"Cherokee", "\u13a0\uab70", "dd"},
		{"Deseret", "\U00010400\U00010428", "\U00010428\U00010428"},
		{"emoji", "hi\U0001f600there", "hi there"},

		{"entities", "fish &amp; chips &lt;b&gt; caf&eacute; it&#39;s &#x41;&#66; a&nbsp;b", "fish chips b cafe its ab a b"},
		{"entity once", "&amp;lt;x", "lt x"},
		{"entity windows-1252", "don&#146;t &#128;5", "dont 5"},
		{"entity soft hyphen", "in&shy;fo", "info"},
		{"entity two runes", "a&bne;b", "a b"},
		{"not an entity", "AT&T &nosuch; &amp &; &#; &#x; &#123456789; a&b", "at t nosuch amp x 123456789 a b"},
		{"entity beyond Unicode", "a&#x110000;b&#0;c&#xd800;d", "a b c d"},
		{"entity in a row", "&&amp;x", "x"},

		{"joining tags", "wo<b>r</b>d <i>it</i>alic x<sup>2</sup> <custom1/>y", "word italic x2 y"},
		{"block tags", "one<br>two<BR/>three</p>four<li>five<H1>six<div>seven", "one two three four five six seven"},
		{
			"not tags", "a < b <Dear Sarah your order> <a href=\"x\"> <1> <> </> <abcdefghijk> <b//>",
			"a b dear sarah your order a href x 1 abcdefghijk b",
		},
		{"tags closed with a space", "one<br />two wo<i />rd three<BR /> four", "one two word three four"},
		{"no tags for the space", "a<b >c a<b  />d a</ >e a<br /x", "a b c a b d a e a br x"},
		{"tag not closed", "x <b", "x b"},

		{"list numbers", "1. one\n2) two\n  12. three\n> 3. four\n- 4) five\n123. six", "one two three four five six"},
		{"not list numbers", "a 1. b\n1.c\n1234. d\n5.\n6 e\n7", "a 1 b 1 c 1234 d 5 6 e 7"},
		{"one list number only", "1. 2. x", "2 x"},
		{"markdown", "# head\n**bold** _it_ `code` ~~no~~\n| a | b |", "head bold it code no a b"},

		{"escapes", `one\ntwo\tthree\u0041\u00e9 it\'s \"q\" a\/b`, "one two threeae its q a b"},
		{"escapes twice", `one\\ntwo\\u00e9 it\\'s \\\"q\\\"`, "one twoe its q"},
		{"escaped pair", `\ud835\udc07i \\ud835\\udc07i`, "hi hi"},
		{"lone halves", `a\ud835b a\udc07b a\ud835\ud835\udc07b`, "a b a b a hb"},
		{"not an escape", `\u12 \uxyz \x41 C:\Windows\System32`, "u12 uxyz x41 c windows system32"},
		{"escape at the end", `abc\`, "abc"},
		{"half an escape at the end", `abc\u00`, "abc u00"},
		{"escaped markup", `wo\u003cb\u003er\u003c/b\u003ed fish \u0026amp; chips`, "word fish chips"},
		{"escaped list", `x\n1. one\n2. two`, "x one two"},

		{"surrogates in bytes", "\xed\xa0\xb5\xed\xb0\x87i", "hi"},
		{"lone surrogate in bytes", "a\xed\xa0\xb5b\xed\xb0\x87c", "a b c"},
		{"invalid UTF-8", "a\xffb\xc3(c\xe2\x82d\xf0\x9f\x98e\xc0\xaff", "a b c d e f"},
		{"cut code point at the end", "abc\xe2\x82", "abc"},
		{"empty", "", ""},
		{"nothing but separators", " \n\t...\u3002", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(wordsOf(tt.text), " ")
			if got != tt.want {
				t.Errorf("%q\n got %q\nwant %q", tt.text, got, tt.want)
			}
		})
	}
}

// scan returns the words of a text given in pieces.
func scan(suite Suite, pieces ...string) []Word {
	sc := NewScanner(suite)
	var out []Word
	for _, p := range pieces {
		out = sc.Append(out, []byte(p))
	}
	return sc.Finish(out)
}

// tricky is a text that visits every state of every machine.
const tricky = "1. It\u2019s a Caf\u00e9 \\u00e9\\\\n &amp; <b>bo</b>ld &#x41;\xed\xa0\xb5\xed\xb0\x87 \uac00\u304b\u3099 12) x\n 3. \\ud835\\udc07 <br/> \U0001f600 o\ufb03ce \xff\xe2\x82 &nosuch \\u12 a\u0301\u0301 <not a> &#"

func TestEverySplit(t *testing.T) {
	t.Parallel()
	want := scan(xxh64Suite{}, tricky)
	for i := 0; i <= len(tricky); i++ {
		for j := i; j <= len(tricky); j++ {
			if got := scan(xxh64Suite{}, tricky[:i], tricky[i:j], tricky[j:]); !slices.Equal(got, want) {
				t.Fatalf("cut at %d and %d:\n got %v\nwant %v", i, j, got, want)
			}
		}
	}
}

// checkScan checks the properties that the words of every text have.
func checkScan(t interface{ Fatalf(string, ...any) }, text string, cut int) {
	s := xxh64Suite{}
	want := scan(s, text)
	sc := NewScanner(s)
	var got []Word
	frontier := int64(0)
	for p := []byte(text); len(p) > 0; {
		n := min(cut, len(p))
		peeked, open := sc.Peek(slices.Clone(got))
		if sc.code.need > 0 && open != nil { // bytes of a code point are behind the word
			part := text[sc.code.lo:sc.offset]
			if !strings.HasSuffix(string(open), part) {
				t.Fatalf("%q: %q does not end with %q", text, open, part)
			}
			open = open[:len(open)-len(part)]
		}
		if len(open) > 0 && s.Sum(open) != peeked[len(peeked)-1].Hash {
			t.Fatalf("%q: %q is not the open word", text, open)
		}
		if again, _ := sc.Peek(slices.Clone(got)); !slices.Equal(peeked, again) {
			t.Fatalf("%q: two peeks differ", text)
		}
		before := len(got)
		got = sc.Append(got, p[:n])
		p = p[n:]
		for _, w := range got[before:] {
			if w.Span.Lo < frontier {
				t.Fatalf("%q: word %v below the frontier %d", text, w, frontier)
			}
		}
		if f := sc.Frontier(); f < frontier || f > sc.Offset() {
			t.Fatalf("%q: frontier went from %d to %d of %d", text, frontier, f, sc.Offset())
		}
		frontier = sc.Frontier()
	}
	// The fast path gives the words of the slow one.
	slow := NewScanner(s)
	for _, c := range []byte(text) {
		slow.decode(c)
		slow.offset++
	}
	if plain := slow.Finish(slow.dst); !slices.Equal(plain, want) {
		t.Fatalf("%q without the fast path:\n got %v\nwant %v", text, plain, want)
	}
	if peeked, _ := sc.Peek(slices.Clone(got)); !slices.Equal(peeked, want) {
		t.Fatalf("%q: peek at the end: got %v, want %v", text, peeked, want)
	}
	got = sc.Finish(got)
	if !slices.Equal(got, want) {
		t.Fatalf("%q in pieces of %d:\n got %v\nwant %v", text, cut, got, want)
	}
	for i, w := range got {
		if w.Span.Lo < 0 || w.Span.Hi > int64(len(text)) || w.Span.Hi <= w.Span.Lo {
			t.Fatalf("%q: span %v", text, w.Span)
		}
		// Two words overlap only in one rune that folds to both.
		if i > 0 && (w.Span.Lo < got[i-1].Span.Lo || w.Span.Hi < got[i-1].Span.Hi) {
			t.Fatalf("%q: spans %v and %v", text, got[i-1].Span, w.Span)
		}
		if i > 0 && w.Span.Lo < got[i-1].Span.Hi {
			if n := utf8.RuneCountInString(text[w.Span.Lo:got[i-1].Span.Hi]); n > 1 && !strings.ContainsAny(text[w.Span.Lo:got[i-1].Span.Hi], "\\&") {
				t.Fatalf("%q: spans %v and %v share %d runes", text, got[i-1].Span, w.Span, n)
			}
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(tricky, 1)
	f.Add("a\\\\\\u00", 3)
	f.Add("&CounterClockwiseContourIntegral;&#99999999;</abcdefghij/>", 2)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		checkScan(t, text, 1)
		checkScan(t, text, max(1, cut&0xff))
		words := wordsOf(text)
		for _, w := range words {
			if len(w) == 0 || len(w) > maxWordBytes || !utf8.ValidString(w) {
				t.Fatalf("%q: word %q", text, w)
			}
		}
		// Folding a folded word does not change it.
		if again := wordsOf(strings.Join(words, " ")); !slices.Equal(again, words) {
			t.Fatalf("%q: words %q become %q", text, words, again)
		}
	})
}

// escapeASCII is a JSON encoder that escapes everything but ASCII.
func escapeASCII(s string) string {
	var b strings.Builder
	for _, r := range escapeJSON(s, false) {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, "\\u%04x", r)
		default:
			r1, r2 := utf16.EncodeRune(r)
			fmt.Fprintf(&b, "\\u%04X\\u%04x", r1, r2)
		}
	}
	return b.String()
}

// escapeJSON is encoding/json's string escaping without the quotes around.
func escapeJSON(s string, html bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(html)
	_ = e.Encode(s)
	out := strings.TrimSuffix(b.String(), "\n")
	return out[1 : len(out)-1]
}

// TestEscapedAlike: a text gives the same words raw, escaped and escaped twice, by an
// encoder that escapes little and by one that escapes much.
func TestEscapedAlike(t *testing.T) {
	t.Parallel()
	alphabet := []rune("aZé\u0301ß漢か한𝐇😀19.)\n\r\t\b\f\v\x00\x7f '\u2019\"\\/<>b&amp;#u0ndr-*|\u2028\u00ad\u00a0")
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.SampledFrom(alphabet)).Draw(t, "text"))
		want := wordsOf(text)
		for name, enc := range map[string]func(string) string{
			"plain": func(s string) string { return escapeJSON(s, false) },
			"html":  func(s string) string { return escapeJSON(s, true) },
			"ascii": escapeASCII,
		} {
			once := enc(text)
			if got := wordsOf(once); !slices.Equal(got, want) {
				t.Fatalf("%s: %q escaped as %q:\n got %q\nwant %q", name, text, once, got, want)
			}
			twice := enc(once)
			if got := wordsOf(twice); !slices.Equal(got, want) {
				t.Fatalf("%s: %q escaped twice as %q:\n got %q\nwant %q", name, text, twice, got, want)
			}
		}
	})
}

func TestWordCut(t *testing.T) {
	t.Parallel()
	// 300 letters: cut at 256; e with acute folds to one byte; ж stays two.
	for _, tt := range []struct {
		text string
		want []int
	}{
		{strings.Repeat("a", 300), []int{256, 44}},
		{strings.Repeat("\u00e9", 300), []int{256, 44}},
		{strings.Repeat("\u0436", 200), []int{256, 144}},
		{"a" + strings.Repeat("\u0436", 200), []int{255, 146}},
		{strings.Repeat("a", 255) + "\ufb03", []int{256, 2}},
	} {
		var got []int
		for _, w := range wordsOf(tt.text) {
			got = append(got, len(w))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%.10q…: got words of %v bytes, want %v", tt.text, got, tt.want)
		}
	}
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"  caf\u00e9, ok", []string{"caf\u00e9", "ok"}},
		{"e\u0301\u0301 x", []string{"e\u0301\u0301", "x"}},
		{"dogs' don't", []string{"dogs", "don't"}},
		{"wo<b>r</b>d</i> x", []string{"wo<b>r</b>d", "x"}},
		{"&eacute;t&eacute;&shy; x", []string{"&eacute;t&eacute;&shy;", "x"}},
		{`a\u00e9\n\ud835\udc07`, []string{`a\u00e9`, `\ud835\udc07`}},
		{"\u304b\u3099\u304d", []string{"\u304b\u3099", "\u304d"}},
		{"\u337f", []string{"\u337f", "\u337f", "\u337f", "\u337f"}},
	} {
		var got []string
		for _, w := range scan(xxh64Suite{}, tt.text) {
			got = append(got, tt.text[w.Span.Lo:w.Span.Hi])
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q: got spans %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	var got []Weight
	for _, w := range scan(xxh64Suite{}, "\u6f22abc \u304b\u0e01 \uac00 x") {
		got = append(got, w.Weight)
	}
	want := []Weight{charWeight, WordWeight, charWeight, charWeight, WordWeight, WordWeight}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestScannerDoesNotAllocate(t *testing.T) {
	text := []byte(strings.Repeat(tricky+" plain words in between, and more of them. ", 20))
	sc := NewScanner(xxh64Suite{})
	dst := make([]Word, 0, 1<<14)
	if n := testing.AllocsPerRun(50, func() {
		sc.Reset()
		out := dst[:0]
		for p := text; len(p) > 0; {
			k := min(7, len(p))
			out = sc.Append(out, p[:k])
			out, _ = sc.Peek(out)
			p = p[k:]
			if len(out) > 1<<13 {
				out = out[:0]
			}
		}
		sc.Finish(out)
	}); n != 0 {
		t.Errorf("%v allocations a text, want none", n)
	}
}

// TestASCIIRun compares with the table, for every byte at every place.
func TestASCIIRun(t *testing.T) {
	t.Parallel()
	for _, fill := range []byte{'a', 'z', 'A', 'Z', '0', '9', 0, '@', '[', '`', '{', '/', ':', 0x80, 0xe1, 0xff} {
		for at := range 8 {
			for c := range 256 {
				p := bytes.Repeat([]byte{'m'}, at)
				p = append(append(p, byte(c)), bytes.Repeat([]byte{fill}, 8)...)[:8]
				want := 0
				for want < 8 && asciiFold[p[want]] != 0 {
					want++
				}
				if got := asciiRun(binary.LittleEndian.Uint64(p)); got != want {
					t.Fatalf("%q: %d, want %d", p, got, want)
				}
				if c := p[0]; want > 0 && c|0x20 != asciiFold[c] {
					t.Fatalf("%q folds to %q", c, asciiFold[c])
				}
			}
		}
	}
}

func BenchmarkScanner(b *testing.B) {
	for name, text := range map[string]string{
		"ascii":    strings.Repeat("The quick brown fox jumps over the lazy dog, and then it sleeps for a while. ", 1000),
		"prose":    lengths(200_000),
		"french":   strings.Repeat("L\u2019\u00e9t\u00e9 dernier, nous avons d\u00e9jeun\u00e9 pr\u00e8s de la rivi\u00e8re; c\u2019\u00e9tait tr\u00e8s agr\u00e9able. ", 1000),
		"japanese": strings.Repeat("\u3044\u3064\u3082\u304a\u4e16\u8a71\u306b\u306a\u3063\u3066\u304a\u308a\u307e\u3059\u3002", 1000),
		"escaped":  strings.Repeat("one line\\nand \\u00e9t\\u00e9 &amp; <b>more</b> \\\"quoted\\\" words\\n", 1000),
	} {
		b.Run(name, func(b *testing.B) {
			sc := NewScanner(xxh64Suite{})
			p := []byte(text)
			dst := make([]Word, 0, len(p))
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				sc.Reset()
				dst = sc.Finish(sc.Append(dst[:0], p))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(dst)), "ns/word")
		})
	}
}

// lengths returns words of lengths that a processor cannot foresee.
func lengths(words int) string {
	rng := rand.New(rand.NewPCG(5, 6))
	var b strings.Builder
	for range words {
		b.WriteString("abcdefghijklm"[:1+min(rng.IntN(7)+rng.IntN(7), 12)])
		b.WriteByte(' ')
	}
	return b.String()
}
