package decode

import "math/bits"

// Sign is a set of encodings of which the newest characters may be the first.
type Sign uint8

// The encodings that a probe looks for.
const (
	SignBase64 Sign = 1 << iota
	SignBase32
	SignHex
	SignBinary

	signs = 4
)

// Sure returns the encodings of s of which so many characters are text, of so many different
// bytes, that the bytes of a picture hardly ever are: about one in a hundred thousand.
func (s Sign) Sure() Sign { return s >> signs }

// Characters in a row.
const (
	ProbeBytes = 16 // that a probe needs for a sign
	SureBytes  = 32 // that it needs at most to be sure
)

// Different bytes in the characters that give a sign, and in those of which the probe is
// sure. A picture of one colour may decode to text, but to the same few bytes all along.
const (
	signDistinct = 3
	sureDistinct = 5
)

// Probe tells whether the newest 16 characters of a text may be code of text: whether they
// are characters of an encoding and decode to text, wherever its groups begin. Most bytes
// of a picture cost a probe a few shifts and one comparison. So a caller decodes only code
// of text, and not every long run of letters and digits.
//
// For example "SGVsbG8sIHdvcmxk" is the code of "Hello, world", and the last character
// gives SignBase64. "iVBORw0KGgoAAAAN", the first characters of a picture, decode to no
// text and give no sign.
//
// The zero value is a probe at the beginning of a text.
type Probe struct{ base64, base32, hex, binary probed }

// probed is the newest characters in a row of one encoding.
type probed struct {
	n      uint32 // of them
	seen   uint32 // a bit for each of them that gave a sign, the newest in bit 0
	hi, lo uint64 // their bits
}

// probeCodes are the bits of a character in each encoding.
var probeCodes = func() (t [256]struct{ base64, base32, hex, binary byte }) {
	for c := range t {
		t[c].base64, t[c].base32, t[c].hex, t[c].binary = base64Table[c], base32Table[c], hexTable[c], binaryTable[c]
	}
	return t
}()

// textPairs has a bit for every two bytes in a row that text may have.
var textPairs = func() (t [1 << 10]uint64) {
	for pair := range 1 << 16 {
		var x text
		if x.next(byte(pair>>8)) && x.next(byte(pair)) {
			t[pair>>6] |= 1 << (pair & 63)
		}
	}
	return t
}()

// Next reads a character and returns the encodings that the newest characters may be.
func (p *Probe) Next(c byte) (s Sign) {
	codes := &probeCodes[c]
	if codes.base64 >= 64 {
		p.base64.n, p.base32.n, p.hex.n, p.binary.n = 0, 0, 0, 0
		return 0
	}
	// The other three alphabets are part of the first one.
	if b := &p.base64; b.add(codes.base64, 6) && maybeText(b.hi<<32|b.lo>>32) {
		s |= b.sign(SignBase64, ProbeBytes*6/8, 4)
	}
	if b := &p.base32; codes.base32 >= 32 {
		b.n = 0
	} else if b.add(codes.base32, 5) && maybeText(b.hi<<48|b.lo>>16) {
		s |= b.sign(SignBase32, ProbeBytes*5/8, 8)
	}
	if codes.hex >= 16 {
		p.hex.n, p.binary.n = 0, 0
		return s
	}
	if b := &p.hex; b.add(codes.hex, 4) && maybeText(b.lo) {
		s |= b.sign(SignHex, ProbeBytes*4/8, SureBytes-ProbeBytes)
	}
	if b := &p.binary; codes.binary >= 2 {
		b.n = 0
	} else if b.add(codes.binary, 1) && isText(0, b.lo, ProbeBytes/8) > 0 {
		s |= SignBinary
	}
	return s
}

// add adds the bits of a character and reports whether there are enough characters.
func (p *probed) add(code byte, bits uint) bool {
	p.hi, p.lo = p.hi<<bits|p.lo>>(64-bits), p.lo<<bits|uint64(code)
	p.n++
	p.seen <<= 1
	return p.n >= ProbeBytes
}

// sign returns the sign of an encoding if the newest n bytes are text. The probe is sure if
// the characters up to the one so many before were text too.
func (p *probed) sign(s Sign, n int, before uint32) Sign {
	distinct := isText(p.hi, p.lo, n)
	if distinct < signDistinct {
		return 0
	}
	if distinct >= sureDistinct {
		p.seen |= 1
		s |= s << signs & -Sign(p.seen>>before&1)
	}
	return s
}

// maybeText reports whether the first five of eight bytes may be text. It looks up every
// two bytes in a row, without a branch that random bytes take now and then.
func maybeText(b uint64) bool {
	return textPair(b>>48)&textPair(b>>40)&textPair(b>>32)&textPair(b>>24)&1 != 0
}

// textPair returns the bit of two bytes, the lowest of b.
func textPair(b uint64) uint64 { return textPairs[b>>6&0x3ff] >> (b & 63) }

// isText returns how many of the last n bytes of two numbers, n > 0, are different, as far
// as their low bits tell; 0 if the bytes are no text.
func isText(hi, lo uint64, n int) int {
	var t text
	seen := uint32(0)
	for n--; n >= 0; n-- {
		b := byte(lo >> (8 * (n & 7)))
		if n >= 8 {
			b = byte(hi >> (8 * (n & 7)))
		}
		if !t.next(b) {
			return 0
		}
		seen |= 1 << (b & 31)
	}
	return bits.OnesCount32(seen)
}
