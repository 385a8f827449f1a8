// Package identify finds identifiers in text: e-mail addresses, telephone numbers,
// IBANs, payment cards, US social security numbers, API keys and other random tokens,
// and matches of patterns that the caller gives. It also lists the other usual ways to
// write each of them.
//
// It knows the form of identifiers. It knows nothing of words, hashes, records or
// indexes, and it runs when an index is built, never on traffic.
//
// An identifier is on one line. Text arrives in pieces, and the matches do not depend
// on where the pieces end. A table classifies each byte once, and most bytes need no
// more: only a digit, an "@" or the end of a long token is examined closely.
//
// For example "Call +44 20 7946 0958 or write to jo@example.org" contains the phone
// "+44 20 7946 0958" and the e-mail "jo@example.org".
package identify

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
)

// The kinds that are built in.
const (
	Email = "email"
	Phone = "phone"
	IBAN  = "iban"
	Card  = "card"
	SSN   = "ssn"
	Key   = "key"
)

// Kinds lists the kinds that are built in.
func Kinds() []string { return []string{Card, Email, IBAN, Key, Phone, SSN} }

// Match is an identifier in a text.
type Match struct {
	Kind   string // one of the kinds, or the name of a pattern
	Lo, Hi int64  // bytes, counted from the beginning of the text
	Text   string // the identifier as the text writes it
}

// Finder finds identifiers in a text that arrives in pieces. Not safe for
// concurrent use; Reset makes it ready for another text.
type Finder struct {
	builtIn  bool
	patterns []Pattern
	line     []byte // the unfinished line, from the first byte that may still be needed
	at       int64  // offset of its first byte
	from     int    // bytes of it that were searched
}

// New returns a finder of the built-in kinds and the patterns.
func New(patterns []Pattern) *Finder { return &Finder{builtIn: true, patterns: patterns} }

// NewPatterns returns a finder of the patterns alone.
func NewPatterns(patterns []Pattern) *Finder { return &Finder{patterns: patterns} }

// A line longer than maxLine is searched in parts: an identifier that begins in the
// last overlap bytes of a part is found in the next part, which starts with context
// bytes of the part before it.
const (
	maxLine = 64 << 10
	overlap = 1 << 10
	context = 64
)

// Reset begins another text.
func (f *Finder) Reset() { f.line, f.at, f.from = f.line[:0], 0, 0 }

// Frontier is an offset: every match that is found from now on begins there or later.
func (f *Finder) Frontier() int64 { return f.at + int64(f.from) }

// Append reads p, the next bytes of the text, and appends the matches in lines that are
// complete.
func (f *Finder) Append(dst []Match, p []byte) []Match {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if len(f.line) == 0 && end >= 0 && end <= maxLine {
			dst = f.find(dst, p[:end], f.at, 0, end)
			f.at += int64(end) + 1
			p = p[end+1:]
			continue
		}
		take := len(p)
		if end >= 0 {
			take = end
		}
		room := maxLine - len(f.line)
		if take > room {
			f.line = append(f.line, p[:room]...)
			p = p[room:]
			dst = f.part(dst)
			continue
		}
		f.line = append(f.line, p[:take]...)
		p = p[take:]
		if end >= 0 {
			p = p[1:]
			dst = f.find(dst, f.line, f.at, f.from, len(f.line))
			f.at += int64(len(f.line)) + 1
			f.line, f.from = f.line[:0], 0
		}
	}
	return dst
}

// part searches the beginning of a long line and keeps the end.
func (f *Finder) part(dst []Match) []Match {
	limit := maxLine - overlap
	before := len(dst)
	dst = f.find(dst, f.line, f.at, f.from, limit)
	next := limit
	for _, m := range dst[before:] {
		next = max(next, int(m.Hi-f.at))
	}
	keep := next - context
	f.line = f.line[:copy(f.line, f.line[keep:])]
	f.at += int64(keep)
	f.from = context
	return dst
}

// Finish appends the matches in the last line.
func (f *Finder) Finish(dst []Match) []Match {
	dst = f.find(dst, f.line, f.at, f.from, len(f.line))
	f.line, f.from = f.line[:0], 0
	return dst
}

// find appends the identifiers that begin at byte from of a line or later and
// before limit. at is the offset of the line in the text.
func (f *Finder) find(dst []Match, line []byte, at int64, from, limit int) []Match {
	add := func(kind string, lo, hi int) {
		dst = append(dst, Match{Kind: kind, Lo: at + int64(lo), Hi: at + int64(hi), Text: string(line[lo:hi])})
	}
	if f.builtIn {
		s := lineScan{line: line, from: from, limit: limit}
		for s.next() {
			add(s.kind, s.lo, s.hi)
		}
	}
	for _, p := range f.patterns {
		for rest := from; rest <= len(line); {
			lo, hi, ok := p.find(line, rest)
			if !ok || lo >= limit {
				break
			}
			if hi > lo {
				add(p.Name, lo, hi)
			}
			rest = max(hi, lo+1)
		}
	}
	return dst
}

// lineScan finds the built-in kinds in one line.
type lineScan struct {
	line        []byte
	from, limit int
	started     bool
	i           int // the next byte to classify
	token       int // first byte of the token that i is in
	email       int // end of the newest address

	kind   string // the newest match
	lo, hi int
}

// next finds the next identifier. Identifiers come in the order of the byte that
// reveals them: the first digit of a number, the "@" of an address, the end of a key.
func (s *lineScan) next() bool {
	if !s.started {
		s.started, s.i, s.token, s.email = true, s.from, s.from, s.from
	}
	line, i, token := s.line, s.i, s.token
	for {
		if i, token = s.skip(i, token); i >= len(line) {
			break
		}
		switch classes[line[i]] {
		case letter, dash:
			i++
			continue
		case other:
			if i-token < keyLeast {
				i++
				token = i
				continue
			}
		}
		s.i, s.token = i, token
		if s.look() {
			return true
		}
		i, token = s.i, s.token
	}
	s.i, s.token = len(line), len(line)
	return len(line)-token >= keyLeast && s.key(token, len(line))
}

// skip goes on from i, eight bytes at a time, to the next byte that look examines, or to
// the last seven bytes of the line.
func (s *lineScan) skip(i, token int) (next, newToken int) {
	for i+8 <= len(s.line) {
		telling, others := sort(binary.LittleEndian.Uint64(s.line[i:]))
		if before := others & (telling&-telling - 1); before != 0 {
			if first := bits.TrailingZeros64(before) / 8; i+first-token >= keyLeast {
				return i + first, token
			}
			token = i + 8 - bits.LeadingZeros64(before)/8
		}
		if telling != 0 {
			return i + bits.TrailingZeros64(telling)/8, token
		}
		i += 8
	}
	return i, token
}

// sort finds the digits and at signs, and the bytes of class other, among eight bytes. The
// upper bit of each byte of the results tells of one byte.
func sort(b uint64) (telling, others uint64) {
	const ones, upper = 0x0101010101010101, 0x8080808080808080
	// A byte of high minus c keeps its upper bit if the lower seven bits are at least c.
	high, small := b|upper, b|upper|0x20*ones
	letter := (small - 'a'*ones) &^ (small - ('z'+1)*ones)
	telling = (high-'0'*ones)&^(high-('9'+1)*ones) | (high-'@'*ones)&^(high-('@'+1)*ones)
	dashes := (high-'-'*ones)&^(high-('-'+1)*ones) | (high-'_'*ones)&^(high-('_'+1)*ones)
	ascii := ^b & upper
	return telling & ascii, upper &^ ((letter | telling | dashes) & ascii)
}

// look examines the identifier that the byte at i reveals, and moves i behind the bytes
// that it used.
func (s *lineScan) look() (ok bool) {
	switch classes[s.line[s.i]] {
	case digit:
		ok = s.number()
		s.i++
		if ok {
			s.token = s.i
		}
	case atSign:
		ok = s.address()
		s.i++
		s.token = s.i
	default:
		ok = s.key(s.token, s.i)
		if s.i++; ok {
			s.i = max(s.i, s.hi)
		}
		s.token = s.i
	}
	return ok
}

// found stores a match and reports whether it begins within from and limit.
func (s *lineScan) found(kind string, lo, hi int) bool {
	s.kind, s.lo, s.hi = kind, lo, hi
	return lo >= s.from && lo < s.limit
}

// number looks for an identifier whose first digit is at i, and moves i to the last
// byte that it used.
func (s *lineScan) number() bool {
	i := s.i
	for s.i+1 < len(s.line) && isDigit(s.line[s.i+1]) {
		s.i++
	}
	if lo, hi, ok := iban(s.line, i); ok {
		s.i = hi - 1
		return s.found(IBAN, lo, hi)
	}
	if !many(s.line[i:]) || !begins(s.line, i) || i > 1 && (s.line[i-1] == '.' || s.line[i-1] == ',') && isDigit(s.line[i-2]) {
		return false
	}
	kind, lo, hi, ok := number(s.line, i)
	if !ok {
		return false
	}
	s.i = max(s.i, hi-1)
	return s.found(kind, lo, hi)
}

// many reports whether a text begins with enough digits for a number, separators
// between them included. It rules most numbers out early: they are short.
func many(text []byte) bool {
	n := 0
	for _, c := range text {
		switch {
		case isDigit(c):
			if n++; n == phoneLeast {
				return true
			}
		case isLetter(c) || c == '\n':
			return false
		}
	}
	return false
}

// address looks for the e-mail address around the "@" at i.
func (s *lineScan) address() bool {
	lo, hi, ok := email(s.line, s.i)
	if !ok || lo < s.email {
		return false
	}
	s.email = hi
	return s.found(Email, lo, hi)
}

// key looks for a key in a token.
func (s *lineScan) key(lo, hi int) bool {
	lo, hi, ok := key(s.line, lo, hi)
	return ok && s.found(Key, lo, hi)
}

// class is the class of a byte.
type class uint8

const (
	other  class = iota
	letter       // ASCII
	digit
	dash // - and _
	atSign
)

// classes is the class of every byte.
var classes = func() (t [256]class) {
	for c := range t {
		switch {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			t[c] = letter
		case c >= '0' && c <= '9':
			t[c] = digit
		case c == '-' || c == '_':
			t[c] = dash
		case c == '@':
			t[c] = atSign
		}
	}
	return t
}()

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return classes[c] == letter }

func isAlnum(c byte) bool { return classes[c] == letter || classes[c] == digit }

// begins reports whether an identifier may begin at i: the character before it is no
// letter and no digit, or belongs to an escape such as \n.
func begins(line []byte, i int) bool {
	return i == 0 || !isAlnum(line[i-1]) && line[i-1] < 0x80 || escaped(line, i-1) || line[i-1] >= 0x80 && !wordBefore(line, i)
}

// escaped reports whether the letter at i follows a backslash, as in \n.
func escaped(line []byte, i int) bool {
	switch line[i] {
	case 'n', 'r', 't', 'b', 'f':
		return i > 0 && line[i-1] == '\\'
	}
	return false
}

// Whole returns the kind of a text that consists of one identifier, and the identifier
// itself.
func Whole(text string) (kind, identifier string, ok bool) {
	f := New(nil)
	text = strings.TrimSpace(text)
	found := f.Finish(f.Append(nil, []byte(text)))
	if len(found) != 1 {
		return "", "", false
	}
	m := found[0]
	rest := text[:m.Lo] + text[m.Hi:]
	if strings.ContainsFunc(rest, func(r rune) bool { return isWordRune(r) }) {
		return "", "", false
	}
	return m.Kind, m.Text, true
}
