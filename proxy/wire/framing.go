package wire

import "bytes"

// MaxMessage is the number of bytes that one message may have.
const MaxMessage = 16 << 20

// Framing is how a body is cut into messages.
type Framing uint8

// The framings. The zero value is one JSON document.
const (
	JSON Framing = iota
	SSE
)

// Framer cuts a body into messages and keeps every byte of it: the messages
// put together are the body. It keeps no bytes itself. Not safe for concurrent
// use.
type Framer interface {
	// Scan reads on in the body. It returns how many bytes of p belong to the
	// message that is being read, and whether it ends with them.
	Scan(p []byte) (n int, state Progress)
	// Parse finds the payload of a whole message. The result is valid until
	// raw is changed or Parse is called again.
	Parse(raw []byte) Message
	// AppendMessage appends a message that carries payload.
	AppendMessage(dst, payload []byte) []byte
	// Rewrite appends raw with another payload. It is for payloads that stand
	// on several lines.
	Rewrite(dst, raw, payload []byte) []byte
	// AppendEnd makes raw, the last message, one that can be followed by
	// another: at the end of a body the last one may be cut short.
	AppendEnd(raw []byte) []byte
}

// Progress says how far a message was read.
type Progress uint8

// The answers of [Framer.Scan].
const (
	Partial Progress = iota
	Complete
)

// Message is a whole message, taken apart.
type Message struct {
	Payload []byte // the JSON document it carries; empty if none
	At      int    // where Payload begins in the raw message; -1: it stands on several lines
	Asides  []Note // text of the raw message outside the payload, in order
	Foreign bool   // something stands in it that the framing has no place for
}

// Note is a range of a raw message that holds text outside the payload.
type Note struct {
	Name   string // of the channel
	Lo, Hi int
}

// NewFramer returns the framer for a body.
func NewFramer(f Framing) Framer {
	if f == SSE {
		return &sseFramer{}
	}
	return &wholeFramer{}
}

// wholeFramer takes the body as one message.
type wholeFramer struct{}

func (*wholeFramer) Scan(p []byte) (int, Progress) { return len(p), Partial }

func (*wholeFramer) Parse(raw []byte) Message {
	at := len(raw) - len(bytes.TrimLeft(raw, " \t\r\n"))
	return Message{Payload: raw[at:], At: at}
}

func (*wholeFramer) AppendMessage(dst, payload []byte) []byte { return append(dst, payload...) }

func (*wholeFramer) Rewrite(dst, _, payload []byte) []byte { return append(dst, payload...) }

func (*wholeFramer) AppendEnd(raw []byte) []byte { return raw }

var _ Framer = (*wholeFramer)(nil)
