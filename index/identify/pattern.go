package identify

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern is a kind of identifier that the caller describes.
type Pattern struct {
	Name string
	expr *regexp.Regexp
}

// ParsePattern reads NAME=REGEX. The name is a small letter and then small letters,
// digits, dashes or underscores, and is none of the built-in kinds. The expression has
// the syntax of RE2 (package regexp); each line of a text is matched alone.
func ParsePattern(text string) (Pattern, error) {
	name, expr, ok := strings.Cut(text, "=")
	if !ok || expr == "" {
		return Pattern{}, fmt.Errorf("pattern %q is not NAME=REGEX", text)
	}
	if !isName(name) {
		return Pattern{}, fmt.Errorf("pattern name %q: begin with a small letter and use at most 32 small letters, digits, - and _", name)
	}
	if slices.Contains(Kinds(), name) || name == "subject" || name == "phrase" {
		return Pattern{}, fmt.Errorf("pattern name %q is taken: choose another", name)
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return Pattern{}, fmt.Errorf("pattern %s: %w", name, err)
	}
	if re.MatchString("") {
		return Pattern{}, fmt.Errorf("pattern %s matches an empty text: demand at least one character", name)
	}
	return Pattern{Name: name, expr: re}, nil
}

// isName reports whether a pattern may have that name.
func isName(s string) bool {
	if s == "" || len(s) > 32 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

// String is the pattern as ParsePattern reads it.
func (p Pattern) String() string { return p.Name + "=" + p.expr.String() }

// find returns the first match that begins at byte from of a line or later. The
// expression does not see the bytes before from.
func (p Pattern) find(line []byte, from int) (lo, hi int, ok bool) {
	at := p.expr.FindIndex(line[from:])
	if at == nil {
		return 0, 0, false
	}
	return from + at[0], from + at[1], true
}

// wordBefore reports whether the rune that ends before i is a letter, a digit or
// a mark.
func wordBefore(line []byte, i int) bool {
	r, _ := utf8.DecodeLastRune(line[:i])
	return isWordRune(r)
}

// isWordRune reports whether a rune is part of a word.
func isWordRune(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// ends reports whether an identifier may end before i: no letter and no digit
// follows.
func ends(line []byte, i int) bool {
	if i >= len(line) {
		return true
	}
	if line[i] < utf8.RuneSelf {
		return !isAlnum(line[i])
	}
	r, _ := utf8.DecodeRune(line[i:])
	return !isWordRune(r)
}
