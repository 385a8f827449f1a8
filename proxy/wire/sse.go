package wire

import (
	"bytes"
	"slices"
	"strings"
)

// sseFramer cuts a text/event-stream body into events, as the WHATWG HTML standard
// says: a line ends with LF, CRLF or CR and with nothing else, a blank line ends an
// event, a byte order mark at the start is ignored, and the data lines of an event are
// joined with LF. A blank line that ends no event is a message of its own, and so is a
// block of comments.
type sseFramer struct {
	wholeFramer
	state sseState
	line  sseEnd // end of the line before
	paths *paths // knows the names of events
	join  []byte // the payload of an event with several data lines
	notes []Field
}

// sseState is the position of Scan in a line.
type sseState uint8

const (
	sseStart sseState = iota // at the start of a line
	sseLine                  // inside a line
	sseCR                    // after a CR: an LF belongs to it
	sseBlank                 // after the CR of a blank line, before its LF
)

// sseEnd is the end of a line.
type sseEnd uint8

const (
	sseOther sseEnd = iota
	sseCRLF
)

// Storage that a framer keeps for the next message.
const (
	keepJoin  = 1 << 18 // bytes of payloads on several lines
	keepNotes = 1 << 12 // lines other than data
)

// Scan implements [Framer]. The CR of a blank line ends the event at once, because the
// next byte may be long in coming; if it is an LF, the LF begins the next message. Only
// if the line before ended with CRLF, Scan waits for the LF.
func (f *sseFramer) Scan(p []byte) (int, bool) {
	for i := 0; i < len(p); {
		switch f.state {
		case sseStart:
			switch p[i] {
			case '\n':
				f.line = sseOther
				return i + 1, true
			case '\r':
				i++
				if f.line != sseCRLF {
					f.state = sseCR
					return i, true
				}
				f.state = sseBlank
			default:
				f.state = sseLine
			}
		case sseLine:
			j := lineEnd(p[i:])
			if j < 0 {
				return len(p), false
			}
			i += j + 1
			f.state, f.line = sseStart, sseOther
			if p[i-1] == '\r' {
				f.state = sseCR
			}
		case sseCR:
			f.state = sseStart
			if p[i] == '\n' {
				f.line = sseCRLF
				i++
			}
		case sseBlank:
			f.state, f.line = sseStart, sseOther
			if p[i] == '\n' {
				i++
			}
			return i, true
		}
	}
	return len(p), false
}

// lineEnd returns the index of the first CR or LF, or -1.
func lineEnd(p []byte) int {
	lf := bytes.IndexByte(p, '\n')
	if lf >= 0 {
		p = p[:lf]
	}
	if cr := bytes.IndexByte(p, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// cutLine returns the first line of p without its end, and the bytes after the line.
func cutLine(p []byte) (line, rest []byte) {
	j := lineEnd(p)
	if j < 0 {
		return p, nil
	}
	rest = p[j+1:]
	if p[j] == '\r' && len(rest) > 0 && rest[0] == '\n' {
		rest = rest[1:]
	}
	return p[:j], rest
}

// Parse implements [Framer].
func (f *sseFramer) Parse(raw []byte) Message {
	m := Message{}
	f.notes = f.notes[:0]
	i, lines := 0, 0
	if bytes.HasPrefix(raw, []byte(byteOrderMark)) {
		i = 3
	}
	for i < len(raw) {
		line, rest := cutLine(raw[i:])
		value, field := sseValue(line)
		at := i + len(line) - len(value)
		switch {
		case field == sseData && lines == 0:
			m.Payload, m.At, lines = value, at, 1
		case field == sseData:
			if lines == 1 {
				f.join = append(f.join[:0], m.Payload...)
			}
			f.join = append(append(f.join, '\n'), value...)
			m.Payload, m.At, lines = f.join, -1, 2
		case field != sseBlankLine && !f.usual(field, value):
			f.notes = append(f.notes, outside(field.channel(), Metadata, at, at+len(value)))
		}
		m.Foreign = m.Foreign || field == sseForeign
		i = len(raw) - len(rest)
	}
	if lines == 1 && keepsAlive(m.Payload) {
		m.Payload = nil
	}
	if cap(f.join) > keepJoin {
		f.join = nil
	}
	m.Extras = f.notes
	if cap(f.notes) > keepNotes {
		f.notes = nil
	}
	return m
}

// sseField is the kind of a line.
type sseField uint8

const (
	sseBlankLine sseField = iota
	sseData
	sseComment
	sseEvent
	sseID
	sseRetry
	sseForeign // not a line of an event stream
)

// channel returns the channel of texts in such lines.
func (f sseField) channel() string {
	return [...]string{sseComment: "framing.comment", sseEvent: "framing.event", sseID: "framing.id", sseRetry: "framing.retry", sseForeign: "framing"}[f]
}

// sseValue returns the value and the kind of a line. The value of a foreign line is
// the whole line.
func sseValue(line []byte) (value []byte, field sseField) {
	if len(line) == 0 {
		return line, sseBlankLine
	}
	name := line
	value = line[len(line):]
	if colon := bytes.IndexByte(line, ':'); colon >= 0 {
		name, value = line[:colon], line[colon+1:]
		if len(value) > 0 && value[0] == ' ' {
			value = value[1:]
		}
	}
	switch string(name) {
	case "data":
		return value, sseData
	case "":
		return value, sseComment
	case "event":
		return value, sseEvent
	case "id":
		return value, sseID
	case "retry":
		return value, sseRetry
	}
	return line, sseForeign
}

// usual reports whether the value of a line is one that servers commonly send, and so
// has no text to scan.
func (f *sseFramer) usual(field sseField, value []byte) bool {
	switch field {
	case sseComment:
		return len(value) == 0 || keepsAlive(value)
	case sseEvent:
		return len(value) == 0 || string(value) == "message" || string(value) == "error" || f.paths.event(value)
	case sseID, sseRetry:
		return len(value) == 0
	}
	return false
}

// keepAlives are the words that servers commonly send so that a silent connection stays open.
var keepAlives = [...]string{"ping", "pong", "heartbeat", "keep-alive", "keepalive", "noop", "OPENROUTER PROCESSING"}

// keepsAlive reports whether a comment or the data of an event is one of keepAlives, in any
// case and perhaps in brackets.
func keepsAlive(value []byte) bool {
	if len(value) > 32 {
		return false
	}
	value = bytes.Trim(value, " []")
	return slices.ContainsFunc(keepAlives[:], func(s string) bool { return len(s) == len(value) && strings.EqualFold(s, string(value)) })
}

// appendMessage implements [Framer].
func (f *sseFramer) appendMessage(dst []byte, event string, payload []byte, _ bool) []byte {
	if event != "" {
		dst = append(append(append(dst, "event: "...), event...), '\n')
	}
	for {
		line := payload
		end := bytes.IndexByte(payload, '\n')
		if end >= 0 {
			line, payload = payload[:end], payload[end+1:]
		}
		dst = append(append(append(dst, "data: "...), line...), '\n')
		if end < 0 {
			return append(dst, '\n')
		}
	}
}

// Rewrite implements [Framer].
func (f *sseFramer) Rewrite(dst, raw, payload []byte) []byte {
	written := false
	for len(raw) > 0 {
		line, next := cutLine(raw)
		switch _, field := sseValue(line); {
		case field == sseData && !written:
			dst = f.appendMessage(dst, "", payload, true)
			dst = dst[:len(dst)-1] // the blank line follows in raw
			written = true
		case field != sseData:
			dst = append(dst, raw[:len(raw)-len(next)]...)
		}
		raw = next
	}
	return dst
}

// AppendEnd implements [Framer].
func (f *sseFramer) AppendEnd(raw []byte) []byte {
	tail := raw
	for range 2 {
		n := len(tail)
		tail = bytes.TrimSuffix(tail, []byte{'\n'})
		tail = bytes.TrimSuffix(tail, []byte{'\r'})
		if len(tail) == n {
			return append(raw, "\n\n"...)
		}
	}
	return raw
}

var _ Framer = (*sseFramer)(nil)
