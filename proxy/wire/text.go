package wire

// textFramer takes a body as text that is no JSON: its bytes are the answer. So
// that it can leave as it comes, it is cut behind every space and every
// character beyond ASCII.
type textFramer struct {
	size int // of the piece being read
	more int // bytes that its last character still has
	note [1]Extra
}

// maxPiece is the length of text that is one piece without a space in it.
const maxPiece = 4 << 10

// Scan implements [Framer].
func (f *textFramer) Scan(p []byte) (int, Progress) {
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
			return i + 1, Ends
		}
	}
	return len(p), Continues
}

// Parse implements [Framer].
func (f *textFramer) Parse(raw []byte) Message {
	f.note[0] = Extra{Name: "text", Role: Text, Hi: len(raw)}
	return Message{Extras: f.note[:]}
}

// AppendMessage implements [Framer]: the payload stands on a line of its own.
func (f *textFramer) AppendMessage(dst []byte, _ string, payload []byte, begun Begun) []byte {
	if begun == HasBegun {
		dst = append(dst, '\n')
	}
	return append(append(dst, payload...), '\n')
}

// AppendClose implements [Framer].
func (*textFramer) AppendClose(dst []byte, _ Begun) []byte { return dst }

// Rewrite implements [Framer]. No payload stands on several lines.
func (*textFramer) Rewrite(dst, _, payload []byte) []byte { return append(dst, payload...) }

// AppendEnd implements [Framer].
func (*textFramer) AppendEnd(raw []byte) []byte { return raw }

var _ Framer = (*textFramer)(nil)
