package wire

import "bytes"

// lineFramer cuts a body into lines, each of which is a JSON document: NDJSON,
// JSON Lines. Lines end with LF; a CR before it belongs to the end. An empty
// line is a message without a payload.
type lineFramer struct{}

// Scan implements [Framer].
func (*lineFramer) Scan(p []byte) (int, Progress) {
	if lf := bytes.IndexByte(p, '\n'); lf >= 0 {
		return lf + 1, Ends
	}
	return len(p), Continues
}

// Parse implements [Framer].
func (*lineFramer) Parse(raw []byte) Message {
	at := len(raw) - len(bytes.TrimLeft(raw, " \t\r\n"))
	return Message{Payload: bytes.TrimRight(raw[at:], " \t\r\n"), At: at}
}

// AppendMessage implements [Framer].
func (*lineFramer) AppendMessage(dst []byte, _ string, payload []byte, _ Begun) []byte {
	return append(append(dst, payload...), '\n')
}

// AppendClose implements [Framer].
func (*lineFramer) AppendClose(dst []byte, _ Begun) []byte { return dst }

// Rewrite implements [Framer].
func (*lineFramer) Rewrite(dst, _, payload []byte) []byte {
	return append(append(dst, payload...), '\n')
}

// AppendEnd implements [Framer].
func (*lineFramer) AppendEnd(raw []byte) []byte {
	if bytes.HasSuffix(raw, []byte{'\n'}) || len(raw) == 0 {
		return raw
	}
	return append(raw, '\n')
}

var _ Framer = (*lineFramer)(nil)
