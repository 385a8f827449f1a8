// Package decode reads encoded text as it arrives: base64, codes of characters,
// letters moved or turned round. Every byte that comes out tells which bytes of
// the text it was made from, and none of it depends on how the text was cut.
//
// It knows encodings. It knows nothing of words, of an index, or of what is done
// with what it reads, and it does not find encoded text: whoever uses it does, and
// a decoder makes of anything else what little it can.
package decode

// Byte is a decoded byte and the bytes of the text that it was made from: Lo to
// Hi, half open, never before those of the byte before. Bytes that come out of one
// group of characters, or of one turned word, carry the whole of it. An empty
// range means a separator that the text does not hold.
type Byte struct {
	Value  byte
	Coded  bool // it was written in the code; not so where text stands as it is
	Lo, Hi int64
}

// Decoder reads one encoding. Not safe for concurrent use; Reset makes it ready
// for another text. It allocates nothing but to grow dst.
type Decoder interface {
	// Reset begins a text whose first byte stands at offset at.
	Reset(at int64)
	// Append reads the next bytes and appends what they decode to.
	Append(dst []Byte, p []byte) []Byte
	// Finish appends what the end of the text decides. Only Reset may follow.
	Finish(dst []Byte) []Byte
	// Frontier is the offset below which everything has been appended or is no
	// encoded text.
	Frontier() int64
}

// gap is what stands between decoded texts: it separates words and nothing else.
const gap = ','

// separate appends a separator at an offset.
func separate(dst []Byte, at int64) []Byte {
	return append(dst, Byte{Value: gap, Lo: at, Hi: at})
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
