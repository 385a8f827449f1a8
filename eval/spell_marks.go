package eval

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

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

// middle returns where the second half of a range begins, lo if it has one
// character.
func (w *encoder) middle(lo, hi int) int {
	var starts []int
	w.runes(lo, hi, func(_ rune, at, _ int) { starts = append(starts, at) })
	return starts[len(starts)/2]
}

// sprinkle puts marks behind all letters and digits, in turn.
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

// Letters that look like those of ASCII.
var (
	cyrillic = pairs("AАBВCСEЕHНIІJЈKКMМOОPРSЅTТXХaаcсeеiіjјoоpрsѕxхyу")
	greek    = pairs("AΑBΒEΕHΗIΙKΚMΜNΝOΟPΡTΤXΧYΥZΖoο")
)

// pairs reads a list of a letter and what imitates it.
func pairs(list string) map[rune]rune {
	m := map[rune]rune{}
	all := []rune(list)
	for i := 0; i < len(all); i += 2 {
		m[all[i]] = all[i+1]
	}
	return m
}

// imitate writes letters as those that look like them.
func imitate(by map[rune]rune) func(r rune) string {
	return func(r rune) string {
		if like, ok := by[r]; ok {
			r = like
		}
		return string(r)
	}
}

// noBreak writes spaces that do not break.
func noBreak(r rune) string {
	if r == ' ' {
		return "\u00a0"
	}
	return string(r)
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
