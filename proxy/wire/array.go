package wire

import "bytes"

// arrayFramer cuts a JSON array of objects into its elements as they arrive. Gemini
// streams such an array unless the request asks for events. A message is one element
// together with the `[` or `,` before it:
//
//	[{"candidates":…}   \n,\r\n{"candidates":…}   \n]\n
//
// The `]` and all bytes after it are one message, which ends with the body. So noecho
// can close the array itself as long as the `]` has not left, and an array cut after
// any element can be closed, because each element brings its own comma.
//
// A body that does not begin with `[`, such as an error, is one document and one
// message. An element that is not an object and any other byte between two elements
// make their message foreign, and all messages after it.
//
// The framer finds the end of an element by counting brackets outside of strings. In
// valid JSON that is exact. In anything else the element is not valid JSON either, and
// reading it fails.
type arrayFramer struct {
	wholeFramer
	state arrayState
	depth int // brackets open
}

// arrayState is the position of Scan in the body.
type arrayState uint8

const (
	arrayStart   arrayState = iota // before the array
	arrayFirst                     // after the [
	arrayNext                      // after a comma
	arrayBetween                   // after an element
	arrayElement                   // inside an element
	arrayString                    // inside a string of the element
	arrayEscape                    // after a backslash in that string
	arrayEnd                       // from the ] on
	arrayBare                      // the body is no array
	arrayForeign                   // after bytes that belong to no array of objects
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

// inElement reads a byte of an element, outside of its strings, and reports whether
// the element ends with it.
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
	case at == len(raw): // the body was cut after an element
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
	case begun: // the only document has already left
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

// skipSpace returns the index of the first byte at or after i that is not JSON white
// space.
func skipSpace(p []byte, i int) int { return len(p) - len(bytes.TrimLeft(p[i:], " \t\r\n")) }

var _ Framer = (*arrayFramer)(nil)
