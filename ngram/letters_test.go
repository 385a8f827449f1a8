package ngram

import (
	"slices"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// fromStart returns a reader at the start of a text.
func fromStart() *Letters {
	l := LettersFrom(0)
	l.scan.mark.lineStart = true
	return &l
}

// spelled returns the letters of a text that is read in pieces of that size.
func spelled(text string, size int) []Letter {
	l := fromStart()
	var all []Letter
	for p := []byte(text); len(p) > 0; {
		n := min(size, len(p))
		all = l.Append(all, p[:n])
		p = p[n:]
	}
	return l.Finish(all)
}

// checkLetters checks that the letters of a text and their spans are those of a Scanner's
// words, for every size of the pieces.
func checkLetters(t interface {
	Fatalf(format string, args ...any)
}, text string,
) {
	s := &spy{}
	sc := NewScanner(s)
	words := sc.Finish(sc.Append(nil, []byte(text)))
	letters := spelled(text, max(1, len(text)))
	for _, size := range []int{1, 2, 3, 7} {
		if got := spelled(text, size); !slices.Equal(got, letters) {
			t.Fatalf("%q in pieces of %d: %v, in one %v", text, size, got, letters)
		}
	}
	at := 0
	for i, w := range words {
		var word []byte
		first := at
		for {
			if at == len(letters) || letters[at].First != (at == first) || letters[at].Weight != w.Weight {
				t.Fatalf("%q: word %d ends after letter %d of %v", text, i, at, letters)
			}
			word = utf8.AppendRune(word, letters[at].Rune)
			at++
			if letters[at-1].Last {
				break
			}
		}
		if span := (Span{letters[first].Span.Lo, letters[at-1].Span.Hi}); string(word) != s.words[i] || span != w.Span {
			t.Fatalf("%q: word %d is %q at %v, of letters %q at %v", text, i, s.words[i], w.Span, word, span)
		}
	}
	if at != len(letters) {
		t.Fatalf("%q: %d letters, %d of words", text, len(letters), at)
	}
}

func TestLetters(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a", "Hello, world", "h.e.l.l.o", "don't", "dogs'", "<b>bo</b>ld<br>x", "1. one 2. two\n3. three",
		`caf\u00e9 \n x`, "&eacute;a&amp;b", "na\u0308ive\u0301", "office of\ufb01ce \u1e9e", "漢字かな kana", "각 한글 a",
		"\ud55c", "a\xffb", "a\u200bb", "<", "&am", `\u00`, string(make([]byte, 3)), "wo\u00adrd\u0301 x",
	} {
		checkLetters(t, text)
	}
	long := make([]byte, 0, 2000)
	for i := range 2000 {
		long = append(long, 'a'+byte(i%26))
	}
	checkLetters(t, string(long))
	checkLetters(t, "x\u0301"+string(long[:maxWordBytes])+"ü"+string(long[:maxWordBytes-1])+"ü")
}

func TestLettersOfAnyText(t *testing.T) {
	t.Parallel()
	pieces := rapid.SampledFrom([]string{
		"a", "B", "z", "7", "1.", " ", "\n", "'", "’", "-", "<b>", "</b>", "<br>", "&amp;", "&#65;", "&", "<", `\n`, `\u00e9`, `\ud835\udc00`,
		`\`, "é", "e\u0301", "\u0301", "ﬁ", "ﷺ", "漢", "か", "한", "\u200b", "\xff", "\xe2\x80", "ß", "İ", "½",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := ""
		for _, p := range rapid.SliceOfN(pieces, 0, 40).Draw(t, "pieces") {
			text += p
		}
		checkLetters(t, text)
	})
}

// TestLettersResume reads a text from a word on: the letters are those of the whole text,
// also if the word is a number that would be a list number at the start of a text.
func TestLettersResume(t *testing.T) {
	t.Parallel()
	const text = "one 2. two three"
	whole := spelled(text, len(text))
	l := LettersFrom(4)
	if got := l.Finish(l.Append(nil, []byte(text[4:]))); !slices.Equal(got, whole[3:]) {
		t.Errorf("%v, want %v", got, whole[3:])
	}
	if l.scan.Offset() != int64(len(text)) {
		t.Errorf("offset %d", l.scan.Offset())
	}
}

func TestLettersDoNotAllocate(t *testing.T) {
	l := fromStart()
	text := []byte("Plain text, c.a.f.é and <b>mark</b>up &amp; more.\n")
	dst := make([]Letter, 0, len(text))
	if n := testing.AllocsPerRun(100, func() {
		*l = LettersFrom(0)
		dst = l.Finish(l.Append(dst[:0], text))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzLetters(f *testing.F) {
	f.Add("h.e.l.l.o <b>wor</b>ld &eacute; \\u0041 漢字")
	f.Fuzz(func(t *testing.T, text string) { checkLetters(t, text) })
}

// BenchmarkLetters reads the letters of plain text.
func BenchmarkLetters(b *testing.B) {
	l := fromStart()
	text := []byte("It was a dull autumn day and Jill Pole was crying behind the gym. ")
	dst := make([]Letter, 0, len(text))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		dst = l.Append(dst[:0], text)
	}
}
