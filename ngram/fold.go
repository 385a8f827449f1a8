package ngram

// Folding a rune is one look-up in foldPages, which internal/gentables wrote: compatibility
// decomposition, marks and invisible characters dropped, full case folding, ASCII digits,
// look-alike letters. Since marks are dropped, no step depends on the runes around it, so
// one table is enough. Only Hangul syllables are taken apart by arithmetic.

//go:generate go run ./internal/gentables

// class is the effect of a folded rune on the word that is read.
type class uint8

// The classes, as internal/gentables writes them.
const (
	classSeparator  class = iota // ends the word
	classDrop                    // part of the word it follows, but not of its hash
	classApostrophe              // dropped; belongs to the word only if letters follow
	classWord                    // letter or digit
	classChar                    // character of an unspaced script: a word of its own
	classSeq                     // several folded runes
)

const (
	classShift = 24
	runeMask   = 1<<classShift - 1
	maxRune    = 0x10FFFF
)

// lookup returns the class of r, and its folded rune if that is classWord or classChar, its
// position in foldSeqs if that is classSeq.
func lookup(r rune) (class, rune) {
	e := foldPages[foldPage[r>>8]][r&0xff]
	c, v := class(e>>classShift), rune(e&runeMask)
	if v == 0 && c != classSeq {
		v = r
	}
	return c, v
}

// sequence returns the entries of a classSeq expansion.
func sequence(at rune) []uint32 {
	n := foldSeqs[at]
	return foldSeqs[at+1 : at+1+rune(n)]
}

// Hangul syllables, The Unicode Standard, section 3.12.
const (
	hangulBase  = 0xAC00
	hangulCount = 11172
	jamoLBase   = 0x1100
	jamoVBase   = 0x1161
	jamoTBase   = 0x11A7
	jamoVCount  = 21
	jamoTCount  = 28
)

// isHangul reports whether r is a precomposed syllable.
func isHangul(r rune) bool { return r >= hangulBase && r < hangulBase+hangulCount }

// jamo takes a syllable apart; t is 0 if it has no final consonant.
func jamo(r rune) (l, v, t rune) {
	i := r - hangulBase
	l = jamoLBase + i/(jamoVCount*jamoTCount)
	v = jamoVBase + i%(jamoVCount*jamoTCount)/jamoTCount
	if i%jamoTCount != 0 {
		t = jamoTBase + i%jamoTCount
	}
	return l, v, t
}

// isSpace reports whether r is white space that does not end a line: behind it a line start
// is still one.
func isSpace(r rune) bool {
	switch r {
	case ' ', '\b', '\t', '\v', '\f', 0xA0, 0x1680, 0x202F, 0x205F, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200A
}

// The classes of bytes on the fast path.
const (
	asciiSlow uint8 = iota // takes the slow path
	asciiLetter
	asciiDigit
	asciiQuote  // apostrophe: dropped inside a word
	asciiSep    // ends a word and a line start
	asciiMarker // ends a word and keeps a line start: blanks and > - * + | #
	asciiLine   // ends a word and a line
)

// asciiTable is the class of every byte. Backslash, ampersand, less-than,
// control characters and all non-ASCII bytes are slow.
var asciiTable = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			t[c] = asciiLetter
		case c >= '0' && c <= '9':
			t[c] = asciiDigit
		case c == '\'':
			t[c] = asciiQuote
		case c == '\n' || c == '\r':
			t[c] = asciiLine
		case c == ' ' || c == '\t' || c == '>' || c == '-' || c == '*' || c == '+' || c == '|' || c == '#':
			t[c] = asciiMarker
		case c > ' ' && c < 0x7f && c != '\\' && c != '&' && c != '<':
			t[c] = asciiSep
		}
	}
	return t
}()

// asciiFold is the small letter or digit of every ASCII letter or digit, zero
// for every other byte.
var asciiFold = func() (t [256]byte) {
	for c := range t {
		switch asciiTable[c] {
		case asciiLetter:
			t[c] = byte(c) | 0x20
		case asciiDigit:
			t[c] = byte(c)
		}
	}
	return t
}()
