package decode

// Base64, base32, hexadecimal and binary are one encoding with different tables: each
// character is the code of so many bits, and a group of characters is whole bytes.
//
// The first character of a group is not certain: in "x=SGVsbG8" the x is not part of the
// code. So characters wait until they are enough to see whether they decode to text; as
// long as they do not, the oldest is dropped. Then each group is decoded as it comes, until
// one is no text; from there on characters wait again. The 12 bytes of 16 characters of
// base64 are text by chance about once in 10⁵, as are those of 24 hexadecimal digits.

// Characters of a table that are no code of bits.
const (
	charBreak  = 0xff - iota // ends the encoded text
	charSkip                 // may be between groups
	charPad                  // fills the last group
	charPrefix               // makes the digit before it none: the x of 0x41
	charLine                 // a line break: may be between groups
)

// maxWait is the most characters that wait.
const maxWait = 32

// radix decodes one of these encodings.
type radix struct {
	table *[256]byte
	bits  uint // in a character
	size  int  // characters in a group
	wait  int  // characters that are enough to see whether they are text

	at     int64
	state  radixState
	n      int // characters that wait, or of the open group
	chars  [maxWait]radixChar
	pads   int
	skips  int
	utf8   text
	fresh  bool // the last byte was a separator, or there is none
	joined bool // the characters that wait follow the last group of the line before
}

type radixState uint8

const (
	radixSeek radixState = iota // characters wait
	radixRead                   // groups are decoded as they come
	radixPad                    // behind the first padding of a group
)

type radixChar struct {
	bits byte
	lo   int64
}

// NewBase64 returns a decoder of base64: the standard alphabet and the one for
// URLs, padded or not, lines broken or not.
func NewBase64() Decoder { return &radix{table: &base64Table, bits: 6, size: 4, wait: 16} }

// NewBase32 returns a decoder of base32 in either case.
func NewBase32() Decoder { return &radix{table: &base32Table, bits: 5, size: 8, wait: 16} }

// NewHex returns a decoder of bytes in hexadecimal digits, with or without
// something between them: 48656c6c, 48 65, 0x48, 0x65, \x48\x65.
func NewHex() Decoder { return &radix{table: &hexTable, bits: 4, size: 2, wait: 24} }

// NewBinary returns a decoder of bytes in groups of eight binary digits.
func NewBinary() Decoder { return &radix{table: &binaryTable, bits: 1, size: 8, wait: 32} }

// fill returns a table of an alphabet.
func fill(alphabet, skip, line, pad, prefix string) (t [256]byte) {
	for i := range t {
		t[i] = charBreak
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	for class, list := range map[byte]string{charSkip: skip, charLine: line, charPad: pad, charPrefix: prefix} {
		for i := range len(list) {
			t[list[i]] = class
		}
	}
	return t
}

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

var (
	base64Table = func() [256]byte {
		t := fill(upper+"abcdefghijklmnopqrstuvwxyz0123456789+/", "", "\r\n", "=", "")
		t['-'], t['_'] = 62, 63
		return t
	}()
	base32Table = func() [256]byte {
		t := fill(upper+"234567", "", "\r\n", "=", "")
		for c := byte('a'); c <= 'z'; c++ {
			t[c] = c - 'a'
		}
		return t
	}()
	hexTable = func() [256]byte {
		t := fill("0123456789abcdef", " \t,;:-", "\r\n", "", "xX\\")
		for c := byte('A'); c <= 'F'; c++ {
			t[c] = c - 'A' + 10
		}
		return t
	}()
	binaryTable = fill("01", " \t,;:-|", "\r\n", "", "")
)

// Reset implements Decoder.
func (r *radix) Reset(at int64) {
	*r = radix{table: r.table, bits: r.bits, size: r.size, wait: r.wait, at: at, fresh: true}
}

// Append implements Decoder.
func (r *radix) Append(dst []Byte, p []byte) []Byte {
	for _, c := range p {
		v := r.table[c]
		if r.state == radixPad && v != charPad {
			dst = r.stop(dst)
		}
		switch v {
		case charBreak:
			dst = r.stop(dst)
		case charSkip, charLine:
			dst = r.between(dst, v)
		case charPad:
			dst = r.pad(dst)
		case charPrefix:
			dst = r.prefix(dst, c)
		default:
			dst = r.char(dst, v)
		}
		r.at++
	}
	return dst
}

// Finish implements Decoder.
func (r *radix) Finish(dst []Byte) []Byte { return r.stop(dst) }

// Frontier implements Decoder.
func (r *radix) Frontier() int64 {
	if r.n > 0 {
		return r.chars[0].lo
	}
	return r.at
}

// char reads a character that is a code of bits.
func (r *radix) char(dst []Byte, bits byte) []Byte {
	r.chars[r.n] = radixChar{bits, r.at}
	r.n++
	r.skips = 0
	if r.state == radixRead {
		if r.n < r.size {
			return dst
		}
		if r.text(r.utf8, r.n) {
			return r.emit(dst, r.n, r.at+1)
		}
		r.state = radixSeek
		dst = r.part(dst)
		if r.n < r.wait {
			return dst
		}
	}
	for r.n >= r.wait {
		if r.text(r.utf8, r.n-r.n%r.size) {
			return r.lock(dst)
		}
		if r.joined {
			r.joined = false
			dst = r.part(dst)
		}
		r.forget(1)
	}
	return dst
}

// lock begins to read groups as they come.
func (r *radix) lock(dst []Byte) []Byte {
	if !r.joined {
		dst = r.part(dst)
	}
	r.joined = false
	r.state = radixRead
	for r.n >= r.size {
		dst = r.emit(dst, r.size, r.chars[r.size-1].lo+1)
	}
	return dst
}

// between reads a character that may be between groups.
func (r *radix) between(dst []Byte, v byte) []Byte {
	if r.skips++; r.skips > maxSkips {
		return r.stop(dst)
	}
	if v == charLine && r.bits >= 5 {
		// Lines end with a whole group. The next line may be ordinary text, so its
		// characters wait.
		switch {
		case r.state == radixRead && r.n == 0:
			r.state, r.joined = radixSeek, true
			return dst
		case r.state == radixSeek && r.n%r.size == 0:
			return dst
		}
		return r.stop(dst)
	}
	if r.n%r.size != 0 {
		return r.stop(dst)
	}
	return dst
}

// maxSkips is the most characters between two groups.
const maxSkips = 4

// pad reads a padding character.
func (r *radix) pad(dst []Byte) []Byte {
	if r.state == radixSeek {
		dst = r.short(dst)
	}
	if r.state == radixSeek || r.n == 0 {
		return r.stop(dst)
	}
	r.state = radixPad
	if r.pads++; r.n+r.pads < r.size {
		return dst
	}
	dst = r.tail(dst, r.at+1)
	return r.stop(dst)
}

// prefix reads the x of 0x41 or the backslash before it.
func (r *radix) prefix(dst []Byte, c byte) []Byte {
	switch {
	case r.skips > maxSkips:
	case c != '\\' && r.n%r.size == 1 && r.chars[r.n-1].bits == 0:
		r.n--
		r.skips++
		return dst
	case r.n%r.size == 0:
		r.skips++
		return dst
	}
	return r.stop(dst)
}

// stop ends the encoded text.
func (r *radix) stop(dst []Byte) []Byte {
	switch r.state {
	case radixSeek:
		dst = r.short(dst)
		if r.state == radixRead {
			dst = r.tail(dst, r.at)
		}
	case radixRead:
		dst = r.tail(dst, r.at)
	case radixPad:
		dst = r.tail(dst, r.at)
	}
	r.state, r.n, r.pads, r.skips, r.joined = radixSeek, 0, 0, 0, false
	return r.part(dst)
}

// short decodes the characters that wait, fewer than are enough, if they are text.
func (r *radix) short(dst []Byte) []Byte {
	n := r.n - r.n%r.size
	if (n > 0 || r.joined && r.n > 1) && r.text(r.utf8, n) {
		return r.lock(dst)
	}
	return dst
}

// tail decodes a group that is not complete.
func (r *radix) tail(dst []Byte, hi int64) []Byte {
	if int(r.bits)*r.n >= 8 && r.bits > 4 && r.text(r.utf8, r.n) {
		dst = r.emit(dst, r.n, min(hi, r.chars[r.n-1].lo+1+int64(r.pads)))
	}
	r.n = 0
	return dst
}

// emit decodes the first n characters, at most a group.
func (r *radix) emit(dst []Byte, n int, hi int64) []Byte {
	lo := r.chars[0].lo
	r.each(n, func(b byte) bool {
		r.utf8.next(b)
		dst = append(dst, Byte{Value: b, Coded: true, Lo: lo, Hi: hi})
		return true
	})
	r.fresh = false
	r.forget(n)
	return dst
}

// each calls f for the whole bytes of the first n characters until f returns false, and
// reports whether f never did.
func (r *radix) each(n int, f func(b byte) bool) bool {
	var acc, have uint
	for _, c := range r.chars[:n] {
		acc = acc<<r.bits | uint(c.bits)
		if have += r.bits; have >= 8 {
			have -= 8
			if !f(byte(acc >> have)) {
				return false
			}
		}
	}
	return true
}

// text reports whether the first n characters decode to text that may follow t.
func (r *radix) text(t text, n int) bool { return r.each(n, t.next) }

// part ends a decoded text with a separator.
func (r *radix) part(dst []Byte) []Byte {
	r.utf8 = text{}
	if r.fresh {
		return dst
	}
	r.fresh = true
	return separate(dst, r.Frontier())
}

// forget drops the first n characters.
func (r *radix) forget(n int) {
	copy(r.chars[:], r.chars[n:r.n])
	r.n -= n
}

// text tells text in UTF-8 from other bytes. It may begin and end inside a character.
type text struct {
	need  int8 // continuation bytes to come
	begun bool
	lead  int8 // continuation bytes before the first character
}

// next reports whether a byte may follow in the text.
func (t *text) next(b byte) bool {
	switch {
	case b&0xc0 == 0x80:
		if !t.begun {
			t.lead++
			return t.lead <= 3
		}
		t.need--
		return t.need >= 0
	case t.need > 0:
		return false
	case b < 0x80:
		t.begun = true
		return b >= ' ' && b != 0x7f || b == '\n' || b == '\t' || b == '\r'
	case b >= 0xc2 && b <= 0xdf:
		t.need = 1
	case b >= 0xe0 && b <= 0xef:
		t.need = 2
	case b >= 0xf0 && b <= 0xf4:
		t.need = 3
	default:
		return false
	}
	t.begun = true
	return true
}
