package main

import (
	"html"
	"strings"
	"unicode"
)

// rule changes a text before it is cut into words. It keeps the places of the letters.
type rule func([]letter) []letter

// looser are the readings that explain a run which the reference does not have, in the
// order they are tried: the reference with one rule more, and last with all of them.
var looser = []reading{
	{name: "backslash escape", rules: []rule{escapes}},
	{name: "entity", rules: []rule{entities}},
	{name: "tag", rules: []rule{noTags}},
	{name: "list number", rules: []rule{noListNumbers}},
	{name: "invisible character", rules: []rule{visible}},
	{name: "several of these", rules: []rule{escapes, entities, noTags, noListNumbers, visible}},
}

// visible removes invisible characters.
func visible(text []letter) []letter {
	out := make([]letter, 0, len(text))
	for _, l := range text {
		if !unicode.Is(unicode.Cf, l.r) {
			out = append(out, l)
		}
	}
	return out
}

// noListNumbers removes "12. " and "3) " at the start of lines.
func noListNumbers(text []letter) []letter {
	out := make([]letter, 0, len(text))
	for i := 0; i < len(text); i++ {
		if i == 0 || text[i-1].r == '\n' {
			i = behindNumber(text, i)
		}
		if i < len(text) {
			out = append(out, text[i])
		}
	}
	return out
}

// behindNumber returns the offset behind the marks and the number at the start of a
// line.
func behindNumber(text []letter, i int) int {
	at := func(j int) rune {
		if j < len(text) {
			return text[j].r
		}
		return 0
	}
	j := i
	for strings.ContainsRune(" \t>-*+|#", at(j)) && j < len(text) {
		j++
	}
	digits := j
	for at(digits) >= '0' && at(digits) <= '9' {
		digits++
	}
	if digits > j && digits-j <= 3 && (at(digits) == '.' || at(digits) == ')') && unicode.IsSpace(at(digits+1)) {
		return digits + 1
	}
	return i
}

// noTags removes tags without attributes. Tags that break lines become a blank.
func noTags(text []letter) []letter {
	out := make([]letter, 0, len(text))
	for i := 0; i < len(text); i++ {
		name, end := tag(text, i)
		switch {
		case end < 0:
			out = append(out, text[i])
			continue
		case strings.Contains(" br p div li ul ol tr td th hr h1 h2 h3 h4 h5 h6 ", " "+name+" "):
			out = append(out, letter{' ', text[i].lo, text[end].hi})
		}
		i = end
	}
	return out
}

// tag returns the name of a tag that begins at i, in lower case, and the index of its
// last character, -1 if there is none.
func tag(text []letter, i int) (name string, end int) {
	if text[i].r != '<' {
		return "", -1
	}
	var b strings.Builder
	for j := i + 1; j < len(text) && j < i+16; j++ {
		switch r := text[j].r; {
		case r == '>' && b.Len() > 0:
			return b.String(), j
		case r == '/' || r == ' ' && j+2 < len(text) && text[j+1].r == '/':
		case r < 0x80 && (unicode.IsLetter(r) || b.Len() > 0 && unicode.IsDigit(r)):
			b.WriteRune(unicode.ToLower(r))
		default:
			return "", -1
		}
	}
	return "", -1
}

// entities replaces &amp; and other entities.
func entities(text []letter) []letter {
	out := make([]letter, 0, len(text))
	for i := 0; i < len(text); i++ {
		end := i
		var b strings.Builder
		if text[i].r == '&' {
			for end = i; end < len(text) && end < i+34 && text[end].r != ';'; end++ {
				b.WriteRune(text[end].r)
			}
		}
		name := b.String() + ";"
		if read := html.UnescapeString(name); end > i && end < len(text) && text[end].r == ';' && read != name {
			for _, r := range read {
				out = append(out, letter{r, text[i].lo, text[end].hi})
			}
			i = end
			continue
		}
		out = append(out, text[i])
	}
	return out
}

// escapes replaces backslash escapes: \n and the like become blanks, other backslashes
// vanish.
func escapes(text []letter) []letter {
	out := make([]letter, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i].r != '\\' {
			out = append(out, text[i])
			continue
		}
		for i+1 < len(text) && text[i+1].r == '\\' {
			i++
		}
		if i+1 < len(text) && strings.ContainsRune("nrtbf", text[i+1].r) {
			i++
			out = append(out, letter{' ', text[i].lo, text[i].hi})
		}
	}
	return out
}
