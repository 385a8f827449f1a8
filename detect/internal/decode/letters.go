package decode

import (
	"unicode"
	"unicode/utf8"
)

// rot13 moves the letters of ASCII by half the alphabet.
type rot13 struct{ at int64 }

// NewRot13 returns a decoder of text whose letters were moved by half the
// alphabet.
func NewRot13() Decoder { return &rot13{} }

// Reset implements Decoder.
func (r *rot13) Reset(at int64) { r.at = at }

// Append implements Decoder.
func (r *rot13) Append(dst []Byte, p []byte) []Byte {
	for _, c := range p {
		letter := isLetter(c)
		if letter {
			small := c | 0x20
			if small < 'n' {
				c += 13
			} else {
				c -= 13
			}
		}
		dst = append(dst, Byte{Value: c, Coded: letter, Lo: r.at, Hi: r.at + 1})
		r.at++
	}
	return dst
}

// Finish implements Decoder.
func (r *rot13) Finish(dst []Byte) []Byte { return dst }

// Frontier implements Decoder.
func (r *rot13) Frontier() int64 { return r.at }

// maxTurn is the longest word that is turned, in bytes. A longer one is turned in
// parts.
const maxTurn = 256

// turned turns words.
type turned struct {
	ends   func(r rune) bool
	at     int64
	n      int // bytes of the open word
	word   [maxTurn]byte
	runeLo int // where the last, unfinished character of the word begins
}

// NewMirrored returns a decoder of text of which each word was written from its end. A
// word is the characters between white space.
func NewMirrored() Decoder { return &turned{ends: unicode.IsSpace} }

// NewTurned returns a decoder of text that was written from its end: it turns each
// sequence of letters and digits round, in its place. The words of the decoded text come
// from the last to the first.
func NewTurned() Decoder {
	return &turned{ends: func(r rune) bool {
		return r != '\'' && r != '’' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && !unicode.Is(unicode.Cf, r)
	}}
}

// Reset implements Decoder.
func (t *turned) Reset(at int64) { t.at, t.n, t.runeLo = at, 0, 0 }

// Append implements Decoder.
func (t *turned) Append(dst []Byte, p []byte) []Byte {
	for _, c := range p {
		if t.n == maxTurn {
			dst = t.turn(dst)
		}
		t.word[t.n] = c
		t.n++
		t.at++
		for t.runeLo < t.n && utf8.FullRune(t.word[t.runeLo:t.n]) {
			r, size := utf8.DecodeRune(t.word[t.runeLo:t.n])
			if !t.ends(r) {
				t.runeLo += size
				continue
			}
			dst = t.space(dst, size)
		}
	}
	return dst
}

// space turns the word before the separator that begins at runeLo, and appends the
// separator.
func (t *turned) space(dst []Byte, size int) []Byte {
	var rest [utf8.UTFMax]byte
	tail := rest[:copy(rest[:], t.word[t.runeLo:t.n])]
	lo := t.at - int64(len(tail))
	t.n = t.runeLo
	dst = t.turnTo(dst, lo)
	for i, c := range tail[:size] {
		dst = append(dst, Byte{Value: c, Lo: lo + int64(i), Hi: lo + int64(i) + 1})
	}
	t.n = copy(t.word[:], tail[size:])
	t.runeLo = 0
	return dst
}

// turn turns all bytes of the open word.
func (t *turned) turn(dst []Byte) []Byte { return t.turnTo(dst, t.at) }

// turnTo turns the open word, which ends at offset hi.
func (t *turned) turnTo(dst []Byte, hi int64) []Byte {
	lo := hi - int64(t.n)
	for w := t.word[:t.n]; len(w) > 0; {
		_, size := utf8.DecodeLastRune(w)
		for _, c := range w[len(w)-size:] {
			dst = append(dst, Byte{Value: c, Coded: true, Lo: lo, Hi: hi})
		}
		w = w[:len(w)-size]
	}
	t.n, t.runeLo = 0, 0
	return dst
}

// Finish implements Decoder.
func (t *turned) Finish(dst []Byte) []Byte { return t.turn(dst) }

// Frontier implements Decoder.
func (t *turned) Frontier() int64 { return t.at - int64(t.n) }
