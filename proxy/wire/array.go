package wire

import "bytes"

// arrayFramer cuts a JSON array of objects into its elements as they arrive:
// what Gemini streams unless it is asked for events. A message is an element
// and what stands before it, the `[` or the `,`:
//
//	[{"candidates":…}   \n,\r\n{"candidates":…}   \n]\n
//
// From the `]` on all is one message, which ends with the body: while anything
// may still follow, the array can be ended by whoever ends the answer. So can
// one that is nothing but whole elements, because each brings its comma.
//
// A body that does not begin with `[` is one document, an error for example,
// and one message. Elements that are no objects and anything else between two
// elements are foreign; so is all that comes behind them.
//
// Where an element ends is told by counting brackets outside of strings. That
// is right for JSON, and for what is no JSON the element is none either.
type arrayFramer struct {
	wholeFramer
	state arrayState
	depth int // brackets open
}

// arrayState is where Scan stands.
type arrayState uint8

const (
	arrayStart   arrayState = iota // before the array
	arrayFirst                     // behind the [
	arrayNext                      // behind a comma
	arrayBetween                   // behind an element
	arrayElement                   // within an element
	arrayString                    // within a string of it
	arrayEscape                    // behind a backslash of it
	arrayEnd                       // from the ] on
	arrayBare                      // the body is no array
	arrayForeign                   // behind what does not belong there
)

// Scan implements [Framer].
func (f *arrayFramer) Scan(p []byte) (int, bool) {
	for i, c := range p {
		switch f.state {
		case arrayElement:
			if f.inElement(c) {
				return i + 1, true
			}
		case arrayString:
			switch c {
			case '"':
				f.state = arrayElement
			case '\\':
				f.state = arrayEscape
			}
		case arrayEscape:
			f.state = arrayString
		case arrayEnd, arrayBare, arrayForeign:
			return len(p), false
		default:
			f.outside(c)
		}
	}
	return len(p), false
}

// inElement reads a byte of an element, outside of its strings.
func (f *arrayFramer) inElement(c byte) bool {
	switch c {
	case '"':
		f.state = arrayString
	case '{', '[':
		f.depth++
	case '}', ']':
		if f.depth--; f.depth == 0 {
			f.state = arrayBetween
			return true
		}
	}
	return false
}

// outside reads a byte outside of the elements.
func (f *arrayFramer) outside(c byte) {
	switch was := f.state; {
	case isSpace(c):
	case was == arrayStart && c == '[':
		f.state = arrayFirst
	case was == arrayStart:
		f.state = arrayBare
	case was == arrayBetween && c == ',':
		f.state = arrayNext
	case was != arrayNext && c == ']':
		f.state = arrayEnd
	case was != arrayBetween && c == '{':
		f.state, f.depth = arrayElement, 1
	default:
		f.state = arrayForeign
	}
}

// Parse implements [Framer].
func (f *arrayFramer) Parse(raw []byte) Message {
	if f.state == arrayBare {
		return (&wholeFramer{}).Parse(raw)
	}
	at := skipSpace(raw, 0)
	if at < len(raw) && (raw[at] == '[' || raw[at] == ',') {
		at = skipSpace(raw, at+1)
	}
	switch {
	case f.state == arrayForeign:
		return Message{Foreign: true}
	case at == len(raw): // the body was cut behind an element
		return Message{}
	case raw[at] == '{':
		return Message{Payload: raw[at:], At: at}
	case raw[at] == ']' && f.state == arrayEnd:
		return Message{Foreign: skipSpace(raw, at+1) < len(raw)}
	}
	return Message{Foreign: true}
}

// appendMessage implements [Framer].
func (f *arrayFramer) appendMessage(dst []byte, _ string, payload []byte, begun bool) []byte {
	switch {
	case f.state != arrayBare && !begun:
		dst = append(dst, '[')
	case f.state != arrayBare:
		dst = append(dst, ',')
	case begun: // the one document has left
		return dst
	}
	return append(dst, payload...)
}

// appendClose implements [Framer].
func (f *arrayFramer) appendClose(dst []byte, begun bool) []byte {
	switch {
	case f.state == arrayBare:
		return dst
	case !begun:
		return append(dst, "[]"...)
	}
	return append(dst, ']')
}

// Rewrite implements [Framer].
func (f *arrayFramer) Rewrite(dst, raw, payload []byte) []byte {
	return append(append(dst, raw[:f.Parse(raw).At]...), payload...)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// skipSpace returns the index of the first byte from i on that is no JSON white
// space.
func skipSpace(p []byte, i int) int { return len(p) - len(bytes.TrimLeft(p[i:], " \t\r\n")) }

var _ Framer = (*arrayFramer)(nil)
