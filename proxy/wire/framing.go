package wire

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxMessage is the largest size of one message, in bytes.
const MaxMessage = 16 << 20

// StreamEnd is the payload that ends a stream of many APIs. Gateways add it to those of others.
const StreamEnd = "[DONE]"

// byteOrderMark may begin a text.
const byteOrderMark = "\xEF\xBB\xBF"

// Framing is the way in which a body is cut into messages.
type Framing uint8

// The framings. The zero value is one JSON document.
const (
	JSON        Framing = iota
	SSE                 // text/event-stream
	Lines               // one JSON document a line
	Records             // the same, but each line is an answer of its own
	PlainText           // the body is the text
	Array               // a JSON array of objects, element by element
	Events              // application/vnd.amazon.eventstream
	EventChunks         // the same, with the JSON documents in base64
)

// ByContentType returns the framing for a Content-Type without its parameters, in
// lower case. Unknown types are one JSON document.
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

// Sniff returns the framing of a body that begins with head and has the framing labelled by
// its content type: servers send event streams and lines with any type or none, and documents
// as event streams. sure is false if more bytes may change the result.
func Sniff(head []byte, labelled Framing) (f Framing, sure bool) {
	switch labelled {
	case JSON, Lines, Array, SSE, PlainText:
	default:
		return labelled, true
	}
	p := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	events, sure := sniffEvents(p, labelled == PlainText)
	switch {
	case events:
		return SSE, true
	case !sure || bytes.HasPrefix([]byte(byteOrderMark), p):
		return labelled, false
	case labelled == Lines || p[0] != '{' && (labelled != SSE || p[0] != '['):
		return labelled, true
	}
	if f = labelled; f == SSE {
		f = JSON
	}
	line, rest, _ := bytes.Cut(p, []byte{'\n'})
	switch rest = bytes.TrimLeft(rest, " \t\r\n"); {
	case len(rest) == 0:
		return f, false
	case rest[0] == '{' && jsontext.Value(line).IsValid(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)):
		return Lines, true
	}
	return f, true
}

// sniffEvents reports whether a body that begins with p is an event stream. In a text, a line
// may begin with a word such as id: by chance, so only an event whose data is a JSON object is.
func sniffEvents(p []byte, text bool) (events, sure bool) {
	for _, begin := range [...]string{":", "data:", "event:", "id:", "retry:"} {
		switch {
		case len(p) < len(begin) && bytes.HasPrefix([]byte(begin), p):
			return false, false
		case !bytes.HasPrefix(p, []byte(begin)):
			continue
		case !text:
			return true, true
		}
		rest := p[len(begin):]
		if begin == "data:" {
			rest = bytes.TrimLeft(rest, " ")
			return len(rest) > 0 && rest[0] == '{', len(rest) > 0
		}
		end := lineEnd(rest)
		if end < 0 {
			return false, false
		}
		return sniffEvents(bytes.TrimLeft(rest[end:], "\r\n"), text)
	}
	return false, true
}

// Framer cuts a body into messages. Every byte of the body belongs to a message, and
// the messages in order are the body. A framer stores no bytes of it. Not safe for
// concurrent use.
type Framer interface {
	// Scan continues reading the body with p. It returns the number of bytes of p
	// that belong to the current message, and whether the message ends with them.
	Scan(p []byte) (n int, ends bool)
	// Parse finds the payload of a complete message. The result is valid until raw
	// changes or Parse is called again.
	Parse(raw []byte) Message
	// appendMessage appends a message that carries payload. event is the name of
	// the message, in framings with names. begun says whether a message has left
	// before it.
	appendMessage(dst []byte, event string, payload []byte, begun bool) []byte
	// appendClose appends the end of a body, after its last message.
	appendClose(dst []byte, begun bool) []byte
	// Rewrite appends raw with another payload. It is for payloads that are not one
	// range of raw: see At in [Message].
	Rewrite(dst, raw, payload []byte) []byte
	// AppendEnd completes raw, the last message of a body, which may be cut short, so
	// that another message can follow.
	AppendEnd(raw []byte) []byte
}

// Message is a whole message, taken apart.
type Message struct {
	Payload []byte  // the JSON document that the message carries; empty if there is none
	At      int     // where Payload begins in the raw message; -1: it is not one range of it
	Extras  []Field // texts outside the payload, as places of the raw message, in order
	Foreign bool    // the message has bytes that the framing has no place for
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

// Writer writes messages that noecho adds to a stream. Its fields describe the stream
// so far.
type Writer struct {
	Framer  Framer
	Begun   bool     // a message has left
	Request *Request // that the stream answers; nil: unknown
	Next    int64    // number of the next message, for APIs that count them
	Out     []byte
}

// Message writes one message. event is its name, in framings with names.
func (w *Writer) Message(event string, payload []byte) {
	w.Out = w.Framer.appendMessage(w.Out, event, payload, w.Begun)
	w.Begun = true
}

// Close writes the end of the body.
func (w *Writer) Close() { w.Out = w.Framer.appendClose(w.Out, w.Begun) }

// wholeFramer takes the whole body as one message. The other framers embed it for
// methods that need no code in their framing.
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
