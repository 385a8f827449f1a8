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
