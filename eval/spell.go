package eval

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
)

// between writes the tokens with sep in place of white space.
func between(sep string) func(w *encoder) {
	return lines(math.MaxInt, "", sep, "")
}

// lines writes so many tokens a line.
func lines(tokens int, begin, sep, end string) func(w *encoder) {
	return func(w *encoder) {
		all := w.tokens()
		for i, t := range all {
			if i%tokens == 0 {
				w.put(begin)
			} else {
				w.put(sep)
			}
			w.keep(t.lo, t.hi)
			if i%tokens == tokens-1 || i == len(all)-1 {
				w.put(end)
			}
		}
	}
}

// numbered writes the tokens as a numbered list.
func numbered(w *encoder) {
	for i, t := range w.tokens() {
		w.put(fmt.Sprintf("\n%d. ", i+1))
		w.keep(t.lo, t.hi)
	}
}

// eachRune writes f(r) for each character r.
func eachRune(f func(r rune) string) func(w *encoder) {
	return func(w *encoder) {
		w.runes(0, len(w.p.text), func(r rune, lo, hi int) { w.as(lo, hi, f(r)) })
	}
}

// eachByte writes each byte in a format of package fmt.
func eachByte(format string) func(w *encoder) {
	return func(w *encoder) {
		for i, c := range w.p.text {
			code := fmt.Sprintf(format, c)
			body := strings.TrimRight(code, " ")
			w.as(i, i+1, body)
			w.put(code[len(body):])
		}
	}
}

func upper(r rune) string { return strings.ToUpper(string(r)) }
func lower(r rune) string { return strings.ToLower(string(r)) }

// titleCase writes the first letter of each token large and the others small.
func titleCase(w *encoder) {
	begun := false
	w.runes(0, len(w.p.text), func(r rune, lo, hi int) {
		switch {
		case unicode.IsSpace(r):
			begun = false
			w.as(lo, hi, string(r))
		case unicode.IsLetter(r) && !begun:
			begun = true
			w.as(lo, hi, upper(r))
		default:
			w.as(lo, hi, lower(r))
		}
	})
}

// entities writes every character as a numeric entity, decimal and hexadecimal
// in turn.
func entities(w *encoder) {
	n := 0
	w.runes(0, len(w.p.text), func(r rune, lo, hi int) {
		format := "&#%d;"
		if n++; n%2 == 0 {
			format = "&#x%x;"
		}
		w.as(lo, hi, fmt.Sprintf(format, r))
	})
}

// backslashU writes every character as an escape of JSON.
func backslashU(w *encoder) {
	w.runes(0, len(w.p.text), func(r rune, lo, hi int) {
		s := ""
		for _, u := range utf16.Encode([]rune{r}) {
			s += fmt.Sprintf(`\u%04x`, u)
		}
		w.as(lo, hi, s)
	})
}

// boldInside puts the second half of each word in bold.
func boldInside(w *encoder) {
	at := 0
	for _, word := range w.p.words {
		lo, hi := int(word.Span.Lo), int(word.Span.Hi)
		middle := w.middle(lo, hi)
		w.keep(at, middle)
		if middle > lo {
			w.put("**")
			w.keep(middle, hi)
			w.put("**")
		} else {
			w.keep(middle, hi)
		}
		at = hi
	}
	w.keep(at, len(w.p.text))
}

// sprinkle puts one of the marks, in turn, behind every letter and digit.
func sprinkle(marks ...string) func(w *encoder) {
	return func(w *encoder) {
		n := 0
		w.runes(0, len(w.p.text), func(r rune, lo, hi int) {
			w.as(lo, hi, string(r))
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				w.put(marks[n%len(marks)])
				n++
			}
		})
	}
}

// fullwidth writes ASCII as its wide forms.
func fullwidth(r rune) string {
	if r > ' ' && r < 0x7f {
		r += 0xfee0
	}
	return string(r)
}

// mathBold writes letters and digits of ASCII as mathematical symbols.
func mathBold(r rune) string {
	switch {
	case r >= 'A' && r <= 'Z':
		r += 0x1d400 - 'A'
	case r >= 'a' && r <= 'z':
		r += 0x1d41a - 'a'
	case r >= '0' && r <= '9':
		r += 0x1d7ce - '0'
	}
	return string(r)
}

// Characters that replace those of ASCII.
var (
	noBreak  = pairs(" \u00a0")
	leet     = pairs("a4A4e3E3i1I1o0O0s5S5t7T7")
	cyrillic = pairs("AАBВCСEЕHНIІJЈKКMМOОPРSЅTТXХaаcсeеiіjјoоpрsѕxхyу")
	greek    = pairs("AΑBΒEΕHΗIΙKΚMΜNΝOΟPΡTΤXΧYΥZΖoο")
)

// pairs reads a list of characters, each followed by its replacement.
func pairs(list string) map[rune]rune {
	m := map[rune]rune{}
	all := []rune(list)
	for i := 0; i < len(all); i += 2 {
		m[all[i]] = all[i+1]
	}
	return m
}

// imitate replaces characters by those of a table.
func imitate(by map[rune]rune) func(r rune) string {
	return func(r rune) string {
		if like, ok := by[r]; ok {
			r = like
		}
		return string(r)
	}
}

// tagged writes ASCII in the invisible characters that once tagged languages.
func tagged(r rune) string {
	if r >= ' ' && r < 0x7f {
		r += 0xe0000
	}
	return string(r)
}

// curly puts each token into quotation marks and bends apostrophes.
func curly(w *encoder) {
	for i, t := range w.tokens() {
		if i > 0 {
			w.put(" ")
		}
		w.put("“")
		w.runes(t.lo, t.hi, func(r rune, lo, hi int) {
			switch r {
			case '\'':
				r = '’'
			case '"':
				r = '”'
			}
			w.as(lo, hi, string(r))
		})
		w.put("”")
	}
}

// packed writes unit bytes at a time in a code, and breaks lines at a width.
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

// reversedText writes the characters from the last to the first.
func reversedText(w *encoder) { w.backwards(0, len(w.p.text)) }

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

// spread puts in between the characters of each token, and out between tokens.
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

// hyphenLine is the width of a line of hyphenated text.
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

// camelCase writes letters and digits only, and begins each word with a capital.
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

// pigLatin moves the consonants at the beginning of a word to its end and appends "ay".
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

// edit changes one word in so many, from a random one on.
func edit(every int, change func(w *encoder, lo, hi int) (next int)) func(w *encoder) {
	return func(w *encoder) {
		phase := w.rng.IntN(every)
		at := 0
		for i, word := range w.p.words {
			lo, hi := int(word.Span.Lo), int(word.Span.Hi)
			if i%every != phase {
				continue
			}
			w.keep(at, lo)
			at = change(w, lo, hi)
		}
		w.keep(at, len(w.p.text))
	}
}

// swap writes a word of filler instead of the word.
func swap(w *encoder, _, hi int) int {
	w.put(w.fill.word())
	return hi
}

// drop leaves the word out, and white space behind it.
func drop(w *encoder, _, hi int) int {
	for hi < len(w.p.text) && w.p.text[hi] == ' ' {
		hi++
	}
	return hi
}

// insert writes a word of filler before the word.
func insert(w *encoder, lo, _ int) int {
	w.put(w.fill.word() + " ")
	return lo
}

// fillerAfter writes the same word of filler behind each word.
func fillerAfter(w *encoder) {
	same := w.fill.word()
	lines(1, "", "", " "+same+" ")(w)
}

// interleaved writes a word of filler behind each word, so that two texts alternate.
func interleaved(w *encoder) {
	for _, t := range w.tokens() {
		w.keep(t.lo, t.hi)
		w.put(" " + w.fill.word() + " ")
	}
}
