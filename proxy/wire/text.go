package wire

// textFramer is for a body that is plain text: its bytes are the answer. The body is cut
// after every space and every character beyond ASCII, so that it can leave as it comes.
type textFramer struct {
	wholeFramer
	size int // of the piece being read
	more int // bytes still to come of its last character
	note [1]Field
}

// maxPiece is the largest size of a piece without a space, in bytes.
const maxPiece = 4 << 10

// Scan implements [Framer].
func (f *textFramer) Scan(p []byte) (int, bool) {
	for i, c := range p {
		f.size++
		done := c <= ' ' || f.size == maxPiece
		switch {
		case c >= 0xF0:
			f.more = 3
		case c >= 0xE0:
			f.more = 2
		case c >= 0xC0:
			f.more = 1
		case c >= 0x80 && f.more > 0:
			f.more--
			done = done || f.more == 0
		default:
			f.more = 0
		}
		if done {
			f.size, f.more = 0, 0
			return i + 1, true
		}
	}
	return len(p), false
}

// Parse implements [Framer].
func (f *textFramer) Parse(raw []byte) Message {
	f.note[0] = outside("text", Text, 0, len(raw))
	return Message{Extras: f.note[:]}
}

// appendMessage implements [Framer]: the payload gets a line of its own.
func (f *textFramer) appendMessage(dst []byte, _ string, payload []byte, begun bool) []byte {
	if begun {
		dst = append(dst, '\n')
	}
	return append(append(dst, payload...), '\n')
}

var _ Framer = (*textFramer)(nil)
