package ngram

import "unicode/utf8"

// decoder assembles code points. Sequences that are not UTF-8 become separators, except
// surrogates written in three bytes: a JSON stream may cut a pair in two, and the next
// machine joins it.
type decoder struct {
	lo   int64
	need uint8 // continuation bytes still to come; 0: between code points
	min  uint8 // bounds of the next one
	max  uint8
	r    rune
}

// decode reads the byte at s.offset.
func (s *Scanner) decode(c byte) {
	d := &s.code
	if d.need > 0 {
		if c >= d.min && c <= d.max {
			d.r = d.r<<6 | rune(c&0x3f)
			d.min, d.max = 0x80, 0xBF
			d.need--
			if d.need == 0 {
				s.escaped(d.r, Span{d.lo, s.offset + 1})
			}
			return
		}
		d.need = 0
		s.escaped(separator, Span{d.lo, s.offset})
	}
	d.lo, d.min, d.max = s.offset, 0x80, 0xBF
	switch {
	case c < utf8.RuneSelf:
		s.escaped(rune(c), Span{s.offset, s.offset + 1})
	case c >= 0xC2 && c <= 0xDF:
		d.need, d.r = 1, rune(c&0x1f)
	case c >= 0xE0 && c <= 0xEF:
		d.need, d.r = 2, rune(c&0x0f)
		if c == 0xE0 {
			d.min = 0xA0
		}
	case c >= 0xF0 && c <= 0xF4:
		d.need, d.r = 3, rune(c&0x07)
		if c == 0xF0 {
			d.min = 0x90
		} else if c == 0xF4 {
			d.max = 0x8F
		}
	default:
		s.escaped(separator, Span{s.offset, s.offset + 1})
	}
}

// finishDecode ends a text inside a code point.
func (s *Scanner) finishDecode() {
	if s.code.need > 0 {
		s.code.need = 0
		s.escaped(separator, Span{s.code.lo, s.offset})
	}
}

// appendOpen appends the bytes of the code point that is not complete.
func (d *decoder) appendOpen(dst []byte, offset int64) []byte {
	if d.need == 0 {
		return dst
	}
	n := int(offset - d.lo) // bytes read
	first := byte(0xff) << (8 - n - int(d.need))
	for i := range n {
		c := byte(d.r>>(6*(n-1-i)))&0x3f | 0x80
		if i == 0 {
			c = first | byte(d.r>>(6*(n-1)))
		}
		dst = append(dst, c)
	}
	return dst
}

// Backslash escapes are read as the text that they encode, so that a JSON string gives the
// same words raw, escaped or escaped twice. A run of backslashes is read together with the
// character behind it:
//
//	n r t b f          white space; n and r begin a line
//	u and four hex     that code point; two surrogate halves are one
//	other ASCII letter the run separates
//	or digit
//	any other          the run vanishes and the character is read as usual
//
// The last two differ because an encoder may escape every character but ASCII letters and
// digits: `\é`, `\\é` and `\\\u00e9` are one text at three depths and must not differ.

// separator is read in the place of a code point that only separates words.
const separator rune = -1

// escState is the state of the escape machine.
type escState uint8

const (
	escNone escState = iota
	escRun           // in a run of backslashes
	escHex           // behind the u, digits of four read
)

// escape keeps a run of backslashes, and a high surrogate, until their meaning is known.
type escape struct {
	state    escState
	digits   int8
	value    rune
	lo       int64 // of the run
	uLo      int64 // of the u
	high     rune  // a high surrogate that waits for its low half; 0: none
	highSpan Span
}

// escaped reads one code point of the raw text.
func (s *Scanner) escaped(r rune, at Span) {
	e := &s.esc
	switch e.state {
	case escNone:
		if r == '\\' {
			e.state, e.lo = escRun, at.Lo
			return
		}
		s.join(r, at)
	case escRun:
		s.afterRun(r, at)
	case escHex:
		v, ok := hexDigit(r)
		if !ok {
			s.notHex()
			s.escaped(r, at)
			return
		}
		e.value = e.value<<4 | v
		e.digits++
		if e.digits == 4 {
			e.state = escNone
			s.join(e.value, Span{e.lo, at.Hi})
		}
	}
}

// afterRun reads the first code point behind a run of backslashes.
func (s *Scanner) afterRun(r rune, at Span) {
	e := &s.esc
	whole := Span{e.lo, at.Hi}
	switch {
	case r == '\\':
		return
	case r == 'u':
		e.state, e.digits, e.value, e.uLo = escHex, 0, 0, at.Lo
		return
	case r == 'n':
		r, at = '\n', whole
	case r == 'r':
		r, at = '\r', whole
	case r == 't':
		r, at = '\t', whole
	case r == 'b':
		r, at = '\b', whole
	case r == 'f':
		r, at = '\f', whole
	case isASCIILetter(r) || isASCIIDigit(r):
		s.join(separator, Span{e.lo, at.Lo})
	}
	e.state = escNone
	s.join(r, at)
}

// notHex reads a u and the digits behind it, fewer than four, as text.
func (s *Scanner) notHex() {
	e := &s.esc
	e.state = escNone
	s.join(separator, Span{e.lo, e.uLo})
	s.join('u', Span{e.uLo, e.uLo + 1})
	for i := range int64(e.digits) {
		v := e.value >> (4 * (int64(e.digits) - 1 - i)) & 0xf
		// The case of a hex digit is folded away anyway.
		s.join(rune("0123456789abcdef"[v]), Span{e.uLo + 1 + i, e.uLo + 2 + i})
	}
}

// join passes code points on and makes one of two surrogate halves.
func (s *Scanner) join(r rune, at Span) {
	e := &s.esc
	if e.high != 0 {
		high := e.high
		e.high = 0
		if r >= 0xDC00 && r <= 0xDFFF {
			s.marked((high-0xD800)<<10|(r-0xDC00)+0x10000, Span{e.highSpan.Lo, at.Hi})
			return
		}
		s.marked(separator, e.highSpan)
	}
	switch {
	case r >= 0xD800 && r <= 0xDBFF:
		e.high, e.highSpan = r, at
	case r >= 0xDC00 && r <= 0xDFFF:
		s.marked(separator, at)
	default:
		s.marked(r, at)
	}
}

// finishEscape ends a text inside an escape.
func (s *Scanner) finishEscape() {
	if s.esc.state == escHex {
		s.notHex()
	}
	s.esc.state = escNone
	if s.esc.high != 0 {
		s.esc.high = 0
		s.marked(separator, s.esc.highSpan)
	}
}

func hexDigit(r rune) (rune, bool) {
	switch {
	case r >= '0' && r <= '9':
		return r - '0', true
	case r >= 'a' && r <= 'f':
		return r - 'a' + 10, true
	case r >= 'A' && r <= 'F':
		return r - 'A' + 10, true
	default:
		return 0, false
	}
}

func isASCIILetter(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }

func isASCIIDigit(r rune) bool { return r >= '0' && r <= '9' }
