package decode

import "unicode/utf8"

// decimal decodes numbers that are codes of bytes or characters: "72, 101" and "233".
// Numbers from 128 to 255 are bytes if some in a row are UTF-8, and characters otherwise.
type decimal struct {
	at     int64
	digits int // of the open number; -1: it touches a letter and is none
	value  rune
	lo     int64 // of the open number
	skips  int
	fresh  bool // the last byte was a separator, or there is none

	n    int // bytes so far of a character in UTF-8
	need int
	lead [utf8.UTFMax]Byte
}

const (
	maxDigits = 7 // of the largest character
	maxBlanks = 6 // between two numbers
)

// NewDecimal returns a decoder of decimal codes with something between them.
func NewDecimal() Decoder { return &decimal{} }

// Reset implements Decoder.
func (d *decimal) Reset(at int64) { *d = decimal{at: at, lo: at, fresh: true} }

// Append implements Decoder.
func (d *decimal) Append(dst []Byte, p []byte) []Byte {
	for _, c := range p {
		dst = d.next(dst, c)
		d.at++
	}
	return dst
}

func (d *decimal) next(dst []Byte, c byte) []Byte {
	switch {
	case isDigit(c) && d.digits >= 0 && d.digits < maxDigits:
		if d.digits == 0 {
			d.lo, d.value = d.at, 0
		}
		d.value = d.value*10 + rune(c-'0')
		d.digits++
		return dst
	case isDigit(c) || isLetter(c) || c >= 0x80:
		dst = d.part(dst)
		d.digits = -1
		return dst
	}
	if d.digits > 0 {
		dst = d.code(dst)
		d.skips = 0
	}
	d.digits = 0
	if d.skips++; d.skips > maxBlanks {
		dst = d.part(dst)
	}
	return dst
}

// code reads a number.
func (d *decimal) code(dst []Byte) []Byte {
	v, lo, hi := d.value, d.lo, d.at
	if d.n > 0 {
		if v >= 0x80 && v <= 0xbf {
			d.lead[d.n] = Byte{Value: byte(v), Coded: true, Lo: lo, Hi: hi}
			if d.n++; d.n < d.need {
				return dst
			}
			for i := range d.n {
				dst = append(dst, Byte{Value: d.lead[i].Value, Coded: true, Lo: d.lead[0].Lo, Hi: hi})
			}
			d.n, d.fresh = 0, false
			return dst
		}
		dst = d.single(dst)
	}
	switch {
	case v < ' ' && v != '\n' && v != '\t' && v != '\r', v == 0x7f, !utf8.ValidRune(v):
		return d.part(dst)
	case v >= 0xc2 && v <= 0xf4:
		d.lead[0] = Byte{Value: byte(v), Coded: true, Lo: lo, Hi: hi}
		d.n, d.need = 1, 2
		if v >= 0xe0 {
			d.need++
		}
		if v >= 0xf0 {
			d.need++
		}
		return dst
	}
	return d.character(dst, v, lo, hi)
}

// single appends the bytes of a character that is not complete as characters.
func (d *decimal) single(dst []Byte) []Byte {
	for _, b := range d.lead[:d.n] {
		dst = d.character(dst, rune(b.Value), b.Lo, b.Hi)
	}
	d.n = 0
	return dst
}

// character appends a character in UTF-8.
func (d *decimal) character(dst []Byte, r rune, lo, hi int64) []Byte {
	var b [utf8.UTFMax]byte
	for _, c := range b[:utf8.EncodeRune(b[:], r)] {
		dst = append(dst, Byte{Value: c, Coded: true, Lo: lo, Hi: hi})
	}
	d.fresh = false
	return dst
}

// part ends a decoded text with a separator.
func (d *decimal) part(dst []Byte) []Byte {
	dst = d.single(dst)
	d.digits = 0
	if d.fresh {
		return dst
	}
	d.fresh = true
	return separate(dst, d.at)
}

// Finish implements Decoder.
func (d *decimal) Finish(dst []Byte) []Byte {
	if d.digits > 0 {
		dst = d.code(dst)
	}
	return d.part(dst)
}

// Frontier implements Decoder.
func (d *decimal) Frontier() int64 {
	switch {
	case d.n > 0:
		return d.lead[0].Lo
	case d.digits > 0:
		return d.lo
	}
	return d.at
}
