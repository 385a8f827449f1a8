package wire

import "bytes"

// lineFramer cuts a body into lines, each of which is a JSON document: NDJSON, JSON
// Lines. A line ends with LF, and a CR before the LF belongs to the end. An empty line
// is a message without a payload.
type lineFramer struct{ wholeFramer }

// Scan implements [Framer].
func (*lineFramer) Scan(p []byte) (int, bool) {
	if lf := bytes.IndexByte(p, '\n'); lf >= 0 {
		return lf + 1, true
	}
	return len(p), false
}

// Parse implements [Framer].
func (*lineFramer) Parse(raw []byte) Message {
	at := len(raw) - len(bytes.TrimLeft(raw, " \t\r\n"))
	return Message{Payload: bytes.TrimRight(raw[at:], " \t\r\n"), At: at}
}

// appendMessage implements [Framer].
func (*lineFramer) appendMessage(dst []byte, _ string, payload []byte, _ bool) []byte {
	return append(append(dst, payload...), '\n')
}

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
