// Package decode reads encoded text as it arrives: base64, codes of characters, letters
// that were moved or turned round. Every decoded byte comes with the range of bytes that
// it was made from. The result does not depend on how the text was cut.
//
// The package knows encodings. It knows nothing of words, of an index or of findings. It
// does not find encoded text: a caller looks for signs of it. From text that is not
// encoded a decoder returns little or the text itself.
package decode

// Byte is a decoded byte and the bytes of the text that it was made from: Lo to Hi, half
// open, never before those of the byte before. Bytes that are made from one group of
// characters, or from one turned word, all have its range. An empty range means a
// separator that is not in the text.
type Byte struct {
	Value  byte
	Coded  bool // it was written in the code; false if it was written as itself
	Lo, Hi int64
}

// Decoder reads one encoding. It is not safe for concurrent use. Reset makes it ready for
// another text. It allocates nothing but to grow dst.
type Decoder interface {
	// Reset begins a text whose first byte is at offset at.
	Reset(at int64)
	// Append reads the next bytes and appends the bytes that are decoded by now.
	Append(dst []Byte, p []byte) []Byte
	// Finish appends the bytes that are decoded at the end. Only Reset may follow.
	Finish(dst []Byte) []Byte
	// Frontier is the offset below which every byte has been decoded, or is no encoded
	// text.
	Frontier() int64
}

// gap is put between decoded texts to separate their words.
const gap = ','

// separate appends a separator at an offset.
func separate(dst []Byte, at int64) []Byte {
	return append(dst, Byte{Value: gap, Lo: at, Hi: at})
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
