package eval

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"slices"
	"unicode"
)

// packed writes so many bytes at a time in a code, and breaks lines.
func packed(unit int, code func([]byte) string, line int) func(w *encoder) {
	return func(w *encoder) {
		column := 0
		for lo := 0; lo < len(w.p.text); lo += unit {
			if line > 0 && column == line {
				w.put("\n")
				column = 0
			}
			hi := min(lo+unit, len(w.p.text))
			s := code(w.p.text[lo:hi])
			w.as(lo, hi, s)
			column += len(s)
		}
	}
}

func base64Text(w *encoder)  { packed(3, base64.StdEncoding.EncodeToString, 0)(w) }
func base64Lines(w *encoder) { packed(3, base64.StdEncoding.EncodeToString, 76)(w) }
func base64URL(w *encoder)   { packed(3, base64.RawURLEncoding.EncodeToString, 0)(w) }
func base32Text(w *encoder)  { packed(5, base32.StdEncoding.EncodeToString, 0)(w) }

// rot13 moves the letters of ASCII by half the alphabet.
func rot13(r rune) string {
	switch {
	case r >= 'a' && r <= 'z':
		r = 'a' + (r-'a'+13)%26
	case r >= 'A' && r <= 'Z':
		r = 'A' + (r-'A'+13)%26
	}
	return string(r)
}

// leetDigits are the digits that stand for letters.
var leetDigits = pairs("a4A4e3E3i1I1o0O0s5S5t7T7")

func leet(r rune) string { return imitate(leetDigits)(r) }

// reversedText writes the characters from the last to the first.
func reversedText(w *encoder) { w.backwards(0, len(w.p.text)) }

// backwards writes a range from its last character to its first.
func (w *encoder) backwards(lo, hi int) {
	var all []extent
	w.runes(lo, hi, func(_ rune, lo, hi int) { all = append(all, extent{lo, hi}) })
	for _, e := range slices.Backward(all) {
		w.as(e.lo, e.hi, string(w.p.text[e.lo:e.hi]))
	}
}

// reversedWords writes the tokens from the last to the first.
func reversedWords(w *encoder) {
	all := w.tokens()
	for i, t := range slices.Backward(all) {
		w.keep(t.lo, t.hi)
		if i > 0 {
			w.put(" ")
		}
	}
}

// reversedInPlace writes each token from its end.
func reversedInPlace(w *encoder) {
	for i, t := range w.tokens() {
		if i > 0 {
			w.put(" ")
		}
		w.backwards(t.lo, t.hi)
	}
}

// spread puts something between the characters of each token, and something else
// between tokens.
func spread(in, out string) func(w *encoder) {
	return func(w *encoder) {
		for i, t := range w.tokens() {
			if i > 0 {
				w.put(out)
			}
			w.runes(t.lo, t.hi, func(r rune, lo, hi int) {
				if lo > t.lo {
					w.put(in)
				}
				w.as(lo, hi, string(r))
			})
		}
	}
}

// hyphenLine is the width of a line that breaks inside of a word.
const hyphenLine = 60

// hyphenated fills lines and breaks the word at their end.
func hyphenated(w *encoder) {
	column := 0
	for i, t := range w.tokens() {
		n := t.hi - t.lo
		if i > 0 {
			w.put(" ")
			column++
		}
		if middle := w.middle(t.lo, t.hi); column+n > hyphenLine && middle > t.lo && w.lettered(middle) {
			w.keep(t.lo, middle)
			w.put("-\n")
			w.keep(middle, t.hi)
			column = t.hi - middle
			continue
		}
		w.keep(t.lo, t.hi)
		column += n
	}
}

// lettered reports whether letters stand on both sides of a place.
func (w *encoder) lettered(at int) bool {
	before, after := false, false
	w.runes(0, len(w.p.text), func(r rune, lo, hi int) {
		before = before || hi == at && unicode.IsLetter(r)
		after = after || lo == at && unicode.IsLetter(r)
	})
	return before && after
}

// camelCase writes letters and digits alone, words with a large letter first.
func camelCase(w *encoder) {
	begun := false
	w.runes(0, len(w.p.text), func(r rune, lo, hi int) {
		switch {
		case unicode.IsMark(r):
			w.as(lo, hi, string(r))
		case r == '\'' || r == '’': // inside of a word
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			begun = false
		case begun:
			w.as(lo, hi, lower(r))
		default:
			begun = true
			w.as(lo, hi, upper(r))
		}
	})
}

// pigLatin moves the consonants that a word begins with to its end, and "ay"
// behind them.
func pigLatin(w *encoder) {
	at := 0
	for _, word := range w.p.words {
		lo, hi := int(word.Span.Lo), int(word.Span.Hi)
		w.keep(at, lo)
		vowel := max(0, bytes.IndexAny(w.p.text[lo:hi], "aeiouAEIOU"))
		w.keep(lo+vowel, hi)
		w.keep(lo, lo+vowel)
		w.put("ay")
		at = hi
	}
	w.keep(at, len(w.p.text))
}
