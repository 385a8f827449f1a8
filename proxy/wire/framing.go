package wire

import "bytes"

// MaxMessage is the number of bytes that one message may have.
const MaxMessage = 16 << 20

// Framing is how a body is cut into messages.
type Framing uint8

// The framings. The zero value is one JSON document.
const (
	JSON        Framing = iota
	SSE                 // text/event-stream
	Lines               // JSON documents, one a line
	Records             // the same, but each line is an answer of its own
	PlainText           // the text itself
	Array               // a JSON array of objects, element by element
	Events              // application/vnd.amazon.eventstream
	EventChunks         // the same, with the JSON documents in base64
)

// ByContentType returns the framing that a Content-Type stands for: the part
// before the parameters, in lower case.
func ByContentType(contentType string) Framing {
	switch contentType {
	case "text/event-stream":
		return SSE
	case "application/vnd.amazon.eventstream":
		return Events
	case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines",
		"application/jsonlines", "application/stream+json", "application/json-lines":
		return Lines
	}
	return JSON
}

// Framer cuts a body into messages and keeps every byte of it: the messages
// put together are the body. It keeps no bytes itself. Not safe for concurrent
// use.
type Framer interface {
	// Scan reads on in the body. It returns how many bytes of p belong to the
	// message that is being read, and whether it ends with them.
	Scan(p []byte) (n int, ends bool)
	// Parse finds the payload of a whole message. The result is valid until
	// raw is changed or Parse is called again.
	Parse(raw []byte) Message
	// appendMessage appends a message that carries payload. event is what the
	// framing calls it, where framings have names. begun says whether
	// a message has left before it.
	appendMessage(dst []byte, event string, payload []byte, begun bool) []byte
	// appendClose appends what ends a body behind its last message.
	appendClose(dst []byte, begun bool) []byte
	// Rewrite appends raw with another payload. It is for payloads that stand
	// on several lines.
	Rewrite(dst, raw, payload []byte) []byte
	// AppendEnd makes raw, the last message, one that can be followed by
	// another: at the end of a body the last one may be cut short.
	AppendEnd(raw []byte) []byte
}

// Message is a whole message, taken apart.
type Message struct {
	Payload []byte  // the JSON document it carries; empty if none
	At      int     // where Payload begins in the raw message; -1: it stands on several lines
	Extras  []Field // texts outside the payload, as places of the raw message, in order
	Foreign bool    // something stands in it that the framing has no place for
}

// outside returns the place of a text outside the payload: the bytes lo to hi of the
// raw message.
func outside(channel string, role Role, lo, hi int) Field {
	return Field{Name: channel, Role: role, Form: Raw, Separate: role == Metadata, Choice: -1, Item: -1, Part: -1, Rule: -1, object: -1, Lo: lo, Hi: hi}
}

// NewFramer returns the framer for a body of a family.
func NewFramer(f Framing, family *Family) Framer {
	switch f {
	case SSE:
		return &sseFramer{paths: family.paths}
	case Events:
		return newEventFramer(documents)
	case EventChunks:
		return newEventFramer(chunks)
	case Lines, Records:
		return &lineFramer{}
	case Array:
		return &arrayFramer{}
	case PlainText:
		return &textFramer{}
	}
	return &wholeFramer{}
}

// Writer writes messages of a stream that are not the upstream's.
type Writer struct {
	Framer Framer
	Begun  bool  // whether a message has left
	Next   int64 // number of the next message, for APIs that count them
	Out    []byte
}

// Message writes one message. event is its name where the framing has names.
func (w *Writer) Message(event string, payload []byte) {
	w.Out = w.Framer.appendMessage(w.Out, event, payload, w.Begun)
	w.Begun = true
}

// Close writes what ends the body.
func (w *Writer) Close() { w.Out = w.Framer.appendClose(w.Out, w.Begun) }

// wholeFramer takes the body as one message. The other framers embed it for the
// methods that they do not need.
type wholeFramer struct{}

func (*wholeFramer) Scan(p []byte) (int, bool) { return len(p), false }

func (*wholeFramer) Parse(raw []byte) Message {
	at := len(raw) - len(bytes.TrimLeft(raw, " \t\r\n"))
	return Message{Payload: raw[at:], At: at}
}

func (*wholeFramer) appendMessage(dst []byte, _ string, payload []byte, _ bool) []byte {
	return append(dst, payload...)
}

func (*wholeFramer) appendClose(dst []byte, _ bool) []byte { return dst }

func (*wholeFramer) Rewrite(dst, _, payload []byte) []byte { return append(dst, payload...) }

func (*wholeFramer) AppendEnd(raw []byte) []byte { return raw }

var _ Framer = (*wholeFramer)(nil)
