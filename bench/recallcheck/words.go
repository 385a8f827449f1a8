package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// letter is one character of a text and the bytes of the file it is made of.
type letter struct {
	r      rune
	lo, hi int
}

// word is one word of a text and the bytes of the file it is made of.
type word struct {
	text   string
	lo, hi int
}

// reading is one way to make words of a text: rules that are applied first, and the
// treatment of punctuation.
type reading struct {
	name  string
	rules []rule
	punct punctuation
}

// punctuation says how a punctuation mark changes the word around it.
type punctuation uint8

const (
	apart punctuation = iota // it ends the word
	glued                    // it is taken out of the word; blanks end it
)

// words cuts a text into words.
func (rd reading) words(text []letter) []word {
	for _, r := range rd.rules {
		text = r(text)
	}
	var out []word
	var b strings.Builder
	cur := word{lo: -1}
	end := func() {
		if cur.lo >= 0 {
			cur.text = b.String()
			out = append(out, cur)
		}
		b.Reset()
		cur = word{lo: -1}
	}
	for i, l := range text {
		switch {
		case unicode.IsLetter(l.r) || unicode.IsNumber(l.r):
			if cur.lo < 0 {
				cur.lo = l.lo
			}
			cur.hi = l.hi
			b.WriteString(plain(l.r))
		case unicode.IsMark(l.r):
		case unicode.IsSpace(l.r):
			end()
		case rd.punct == glued:
		case isApostrophe(l.r) && i+1 < len(text) && unicode.IsLetter(text[i+1].r):
		default:
			end()
		}
	}
	end()
	return out
}

// isApostrophe reports the apostrophes, typed and typeset. An apostrophe at the
// beginning of a word is not part of it; one before a letter does not end the word.
func isApostrophe(r rune) bool { return strings.ContainsRune("'’‘ʼ", r) }

// plain returns a character in lower case without its marks.
func plain(r rune) string {
	if r < 0x80 {
		return string(unicode.ToLower(r))
	}
	var b strings.Builder
	for _, c := range norm.NFKD.String(string(r)) {
		if unicode.IsLetter(c) || unicode.IsNumber(c) {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// letters returns the characters of a text with their places in it.
func letters(text string) []letter {
	out := make([]letter, 0, len(text))
	for i, r := range text {
		out = append(out, letter{r, i, i + len(string(r))})
	}
	for i := range out { // a byte of invalid UTF-8 is one byte long
		if i+1 < len(out) {
			out[i].hi = out[i+1].lo
		} else {
			out[i].hi = len(text)
		}
	}
	return out
}
