package ngram

import "sort"

// Three kinds of markup are taken out of a text.
//
// Entities: HTML5 names with a semicolon, and numbers of up to eight digits. They are
// decoded once; the result is text and never markup again.
//
// Tags: `<`, an optional `/`, 1 to 10 ASCII letters or digits beginning with a letter, an
// optional `/` with or without one space before it, `>`. Block tags separate words; the
// letters on both sides of any other tag are one word. Anything else with a space in it is
// text.
//
// List numbers: 1 to 3 ASCII digits, `.` or `)` and a blank, at the start of a
// line (behind blanks and the Markdown marks > - * + | #).

// markState is the state of the markup machine.
type markState uint8

const (
	markNone   markState = iota
	markEntity           // behind an ampersand
	markTag              // behind a less-than
	markNumber           // in the digits of a list number
	markDot              // behind its dot or bracket
)

// Bounds of the markup that is read.
const (
	maxEntityName   = 31 // CounterClockwiseContourIntegral
	maxEntityDigits = 8
	maxTagName      = 10
	maxListDigits   = 3
	maxOpen         = maxEntityName + 2
)

// codePoint is a code point and its bytes in the text.
type codePoint struct {
	r    rune
	span Span
}

// markup keeps code points that may become an entity, a tag or a list number.
type markup struct {
	state     markState
	lineStart bool // nothing but blanks and marks since the line began
	n         int
	open      [maxOpen]codePoint
}

// marked reads one code point of the unescaped text.
func (s *Scanner) marked(r rune, at Span) {
	m := &s.mark
	switch m.state {
	case markEntity:
		s.entity(r, at)
		return
	case markTag:
		s.tag(r, at)
		return
	case markNumber, markDot:
		s.listNumber(r, at)
		return
	}
	switch {
	case r == '&':
		s.keep(markEntity, r, at)
		m.lineStart = false
	case r == '<':
		s.keep(markTag, r, at)
		m.lineStart = false
	case m.lineStart && isASCIIDigit(r):
		s.keep(markNumber, r, at)
	default:
		m.lineStart = s.keepsLineStart(r)
		s.text(r, at)
	}
}

// keepsLineStart reports whether a line start is still one behind r.
func (s *Scanner) keepsLineStart(r rune) bool {
	switch r {
	case '\n', '\r':
		return true
	case '>', '-', '*', '+', '|', '#':
		return s.mark.lineStart
	case separator:
		return false
	}
	if !s.mark.lineStart {
		return false
	}
	if isSpace(r) {
		return true
	}
	if isHangul(r) {
		return false
	}
	c, _ := lookup(r)
	return c == classDrop
}

// keep adds a code point to the open markup and moves to the given state.
func (s *Scanner) keep(st markState, r rune, at Span) {
	s.mark.state = st
	s.mark.open[s.mark.n] = codePoint{r, at}
	s.mark.n++
}

// release reads the open markup as text: it is none.
func (s *Scanner) release() {
	m := &s.mark
	n := m.n
	m.state, m.n, m.lineStart = markNone, 0, false
	for i := range n {
		s.text(m.open[i].r, m.open[i].span)
	}
}

// entity reads a code point behind an ampersand.
func (s *Scanner) entity(r rune, at Span) {
	m := &s.mark
	body := m.open[1:m.n]
	switch {
	case r == ';':
		r1, r2, ok := decodeEntity(body)
		if !ok {
			break
		}
		whole := Span{m.open[0].span.Lo, at.Hi}
		m.state, m.n = markNone, 0
		s.text(r1, whole)
		if r2 != 0 {
			s.text(r2, whole)
		}
		return
	case entityMayGoOn(body, r):
		s.keep(markEntity, r, at)
		return
	}
	s.release()
	s.marked(r, at)
}

// entityMayGoOn reports whether body and r can begin an entity.
func entityMayGoOn(body []codePoint, r rune) bool {
	n := len(body)
	if n == 0 {
		return r == '#' || isASCIILetter(r)
	}
	if body[0].r != '#' {
		return n < maxEntityName && (isASCIILetter(r) || isASCIIDigit(r))
	}
	if n == 1 {
		return r == 'x' || r == 'X' || isASCIIDigit(r)
	}
	if body[1].r == 'x' || body[1].r == 'X' {
		_, hex := hexDigit(r)
		return hex && n-2 < maxEntityDigits
	}
	return isASCIIDigit(r) && n-1 < maxEntityDigits
}

// entity is an HTML5 name and its one or two runes.
type entity struct {
	name   string
	r1, r2 rune
}

// decodeEntity decodes the code points between ampersand and semicolon.
func decodeEntity(body []codePoint) (r1, r2 rune, ok bool) {
	if len(body) == 0 {
		return 0, 0, false
	}
	if body[0].r == '#' {
		return decodeNumber(body[1:])
	}
	i := sort.Search(len(entities), func(i int) bool { return compareName(entities[i].name, body) >= 0 })
	if i == len(entities) || compareName(entities[i].name, body) != 0 {
		return 0, 0, false
	}
	return entities[i].r1, entities[i].r2, true
}

// compareName compares a name of the table with ASCII code points.
func compareName(name string, body []codePoint) int {
	for i := 0; i < len(name) && i < len(body); i++ {
		if d := int(name[i]) - int(body[i].r); d != 0 {
			return d
		}
	}
	return len(name) - len(body)
}

// decodeNumber decodes a numeric reference as HTML5 does: zero, surrogates and numbers
// beyond Unicode only separate, 128 to 159 are characters of windows-1252.
func decodeNumber(digits []codePoint) (r1, r2 rune, ok bool) {
	base := rune(10)
	if len(digits) > 0 && digits[0].r|0x20 == 'x' {
		base, digits = 16, digits[1:]
	}
	if len(digits) == 0 {
		return 0, 0, false
	}
	var v int64
	for _, h := range digits {
		d, _ := hexDigit(h.r)
		v = v*int64(base) + int64(d)
	}
	switch {
	case v == 0 || v > maxRune || v >= 0xD800 && v <= 0xDFFF:
		return separator, 0, true
	case v >= 0x80 && v <= 0x9F:
		return windows1252[v-0x80], 0, true
	default:
		return rune(v), 0, true
	}
}

// windows1252 is the characters of numeric references 128 to 159,
// https://html.spec.whatwg.org/multipage/parsing.html#numeric-character-reference-end-state.
var windows1252 = [32]rune{
	0x20AC, 0x81, 0x201A, 0x192, 0x201E, 0x2026, 0x2020, 0x2021,
	0x2C6, 0x2030, 0x160, 0x2039, 0x152, 0x8D, 0x17D, 0x8F,
	0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
	0x2DC, 0x2122, 0x161, 0x203A, 0x153, 0x9D, 0x17E, 0x178,
}

// tag reads a code point behind a less-than.
func (s *Scanner) tag(r rune, at Span) {
	m := &s.mark
	body := m.open[1:m.n]
	name := tagName(body)
	closed := len(name) > 0 && body[len(body)-1].r == '/'
	spaced := len(name) > 0 && body[len(body)-1].r == ' '
	switch {
	case r == '>' && len(name) > 0 && !spaced:
		separates := isBlockTag(name)
		m.state, m.n = markNone, 0
		if separates {
			s.endWord()
		}
		return
	case closed:
	case r == '/' && (len(body) == 0 || len(name) > 0):
		s.keep(markTag, r, at)
		return
	case spaced:
	case r == ' ' && len(name) > 0:
		s.keep(markTag, r, at)
		return
	case isASCIILetter(r) || len(name) > 0 && isASCIIDigit(r):
		if len(name) < maxTagName {
			s.keep(markTag, r, at)
			return
		}
	}
	s.release()
	s.marked(r, at)
}

// tagName returns the name in the code points behind a less-than.
func tagName(body []codePoint) []codePoint {
	if len(body) > 0 && body[0].r == '/' {
		body = body[1:]
	}
	if n := len(body); n > 0 && body[n-1].r == '/' {
		body = body[:n-1]
	}
	if n := len(body); n > 0 && body[n-1].r == ' ' {
		body = body[:n-1]
	}
	return body
}

// isBlockTag reports whether a tag separates words.
func isBlockTag(name []codePoint) bool {
	var b [2]byte
	if len(name) == 3 {
		return name[0].r|0x20 == 'd' && name[1].r|0x20 == 'i' && name[2].r|0x20 == 'v'
	}
	if len(name) > 2 {
		return false
	}
	for i, h := range name {
		b[i] = byte(h.r)
		if isASCIILetter(h.r) {
			b[i] |= 0x20
		}
	}
	switch string(b[:len(name)]) {
	case "p", "br", "li", "ul", "ol", "tr", "td", "th", "hr", "h1", "h2", "h3", "h4", "h5", "h6":
		return true
	}
	return false
}

// listNumber reads a code point behind a digit at the start of a line.
func (s *Scanner) listNumber(r rune, at Span) {
	m := &s.mark
	switch {
	case m.state == markDot && (r == ' ' || r == '\t'):
		m.state, m.n, m.lineStart = markNone, 0, false
		s.endWord()
		return
	case m.state == markNumber && isASCIIDigit(r) && m.n < maxListDigits:
		s.keep(markNumber, r, at)
		return
	case m.state == markNumber && (r == '.' || r == ')'):
		s.keep(markDot, r, at)
		return
	}
	s.release()
	s.marked(r, at)
}

// finishMarkup ends a text inside markup.
func (s *Scanner) finishMarkup() {
	if s.mark.state != markNone {
		s.release()
	}
}
