package wire

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"strings"
)

// eventFramer cuts a body of application/vnd.amazon.eventstream into frames:
//
//	length of the frame    4 bytes, big endian
//	length of its headers  4 bytes
//	CRC-32 of those two    4 bytes
//	headers, payload
//	CRC-32 of all before   4 bytes
//
// Both sums (IEEE) are checked, and computed anew for a frame that was changed. The
// first three fields are the prelude. If a prelude is wrong, nobody can tell where the
// next frame begins, so the rest of the body is foreign.
type eventFramer struct {
	wholeFramer
	carries cargo
	prelude [preludeSize]byte
	have    int   // bytes of the prelude read
	left    int64 // bytes of the frame after the prelude that are still to come
	state   eventState
	chunk   chunkReader
	notes   []Field  // texts of headers
	names   [][]byte // of the headers of a frame
}

// cargo is the way in which a frame carries a document.
type cargo uint8

const (
	documents cargo = iota // the payload is the document
	chunks                 // {"bytes":"…"}: the document in base64
)

// eventState says whether Scan still finds frames.
type eventState uint8

const (
	eventFrames eventState = iota
	eventLost              // a prelude was wrong
)

const (
	preludeSize = 12
	leastFrame  = preludeSize + 4 // without headers and payload
	maxHeaders  = 32              // of a frame; servers send three
)

// ExceptionEvent is the prefix of the name of an exception: an event that ends the
// stream with an error.
const ExceptionEvent = "exception:"

func newEventFramer(c cargo) *eventFramer {
	return &eventFramer{carries: c}
}

// Scan implements [Framer]. After a wrong prelude every piece is a message.
func (f *eventFramer) Scan(p []byte) (int, bool) {
	if f.state == eventLost {
		return len(p), true
	}
	n := 0
	if f.have < preludeSize {
		n = copy(f.prelude[f.have:], p)
		if f.have += n; f.have < preludeSize {
			return n, false
		}
		total, _, ok := readPrelude(f.prelude[:])
		if !ok {
			f.state = eventLost
			return n, true
		}
		f.left = total - preludeSize
	}
	if rest := int64(len(p) - n); rest < f.left {
		f.left -= rest
		return len(p), false
	}
	f.have = 0
	return n + int(f.left), true
}

// readPrelude reads the lengths at the start of a frame, and reports whether they are
// possible and their sum is right.
func readPrelude(raw []byte) (total, headers int64, ok bool) {
	if len(raw) < preludeSize {
		return 0, 0, false
	}
	total, headers = int64(binary.BigEndian.Uint32(raw)), int64(binary.BigEndian.Uint32(raw[4:]))
	return total, headers, total >= leastFrame && headers <= total-leastFrame &&
		crc32.ChecksumIEEE(raw[:8]) == binary.BigEndian.Uint32(raw[8:])
}

// Parse implements [Framer]. Texts of headers are metadata. A frame is foreign if it
// has text where no client looks for it, or if clients may read it in different ways.
func (f *eventFramer) Parse(raw []byte) Message {
	f.notes = f.notes[:0]
	total, headers, ok := readPrelude(raw)
	end := len(raw) - 4
	if !ok || total != int64(len(raw)) || crc32.ChecksumIEEE(raw[:end]) != binary.BigEndian.Uint32(raw[end:]) {
		return Message{At: -1, Foreign: true}
	}
	at := preludeSize + int(headers)
	m := Message{Payload: raw[at:end], At: -1, Foreign: !f.headers(raw[:at])}
	if f.carries == chunks {
		c := f.chunk.read(m.Payload)
		m.Foreign = m.Foreign || c.broken
		if c.hi > 0 {
			m.Payload = c.document
		}
	}
	m.Extras = f.notes
	return m
}

// headers reads the headers at the end of the given part of a frame, and reports
// whether they are like those that servers send: each name once, and identifiers for
// values. The header with an error message for people is metadata.
func (f *eventFramer) headers(frame []byte) bool {
	f.names = f.names[:0]
	for at := preludeSize; at < len(frame); {
		h, next, ok := readHeader(frame, at)
		if !ok || len(f.names) == maxHeaders || len(h.name) == 0 || !IsIdentifier(h.name) {
			return false
		}
		for _, name := range f.names {
			if bytes.Equal(name, h.name) {
				return false
			}
		}
		f.names = append(f.names, h.name)
		switch value := frame[h.lo:h.hi]; {
		case h.kind == headerString && string(h.name) == errorMessage:
			if len(value) > 0 {
				f.notes = append(f.notes, outside("framing.error", Metadata, h.lo, h.hi))
			}
		case h.kind == headerString && !IsIdentifier(value), h.kind == headerBytes && len(value) > 0:
			return false
		}
		at = next
	}
	return true
}

// errorMessage is the header with the message of an error that is not an exception.
const errorMessage = ":error-message"

// eventHeader is one header. Its value is the bytes lo to hi of the frame.
type eventHeader struct {
	name   []byte
	kind   headerKind
	lo, hi int
}

// headerKind is the type of a header's value.
type headerKind uint8

const (
	headerTrue headerKind = iota
	headerFalse
	headerByte
	headerShort
	headerInt
	headerLong
	headerBytes
	headerString
	headerTime
	headerUUID
	headerKinds
)

// readHeader reads the header at an offset of the given part of a frame, and returns
// the offset of the next one.
func readHeader(frame []byte, at int) (h eventHeader, next int, ok bool) {
	rest := frame[at:]
	if len(rest) < 2 || len(rest) < 2+int(rest[0]) {
		return h, 0, false
	}
	n := int(rest[0])
	h.name, h.kind = rest[1:1+n], headerKind(rest[1+n])
	if h.kind >= headerKinds {
		return h, 0, false
	}
	h.lo = at + 2 + n
	size := [headerKinds]int{headerByte: 1, headerShort: 2, headerInt: 4, headerLong: 8, headerTime: 8, headerUUID: 16}[h.kind]
	if h.kind == headerBytes || h.kind == headerString {
		if len(frame) < h.lo+2 {
			return h, 0, false
		}
		size = int(binary.BigEndian.Uint16(frame[h.lo:]))
		h.lo += 2
	}
	h.hi = h.lo + size
	return h, h.hi, h.hi <= len(frame)
}

// appendMessage implements [Framer].
func (f *eventFramer) appendMessage(dst []byte, event string, payload []byte, _ bool) []byte {
	kind, name := "event", event
	if exception, ok := strings.CutPrefix(event, ExceptionEvent); ok {
		kind, name = "exception", exception
	} else if f.carries == chunks {
		name = "chunk"
		payload = appendChunk(nil, payload)
	}
	var headers []byte
	headers = appendHeader(headers, ":"+kind+"-type", name)
	headers = appendHeader(headers, ":content-type", "application/json")
	headers = appendHeader(headers, ":message-type", kind)
	return appendFrame(dst, headers, payload)
}

// appendHeader appends a header whose value is a short string.
func appendHeader(dst []byte, name, value string) []byte {
	dst = append(append(dst, byte(len(name))), name...)
	dst = append(dst, byte(headerString))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// appendFrame appends a frame with its lengths and sums.
func appendFrame(dst, headers, payload []byte) []byte {
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(leastFrame+len(headers)+len(payload)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(headers)))
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[at:]))
	dst = append(append(dst, headers...), payload...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[at:]))
}

// Rewrite implements [Framer]. raw is a frame that was read; the value of one of its
// headers may have been cut since, which changed its length.
func (f *eventFramer) Rewrite(dst, raw, payload []byte) []byte {
	grown := len(raw) - int(binary.BigEndian.Uint32(raw))
	end := preludeSize + int(binary.BigEndian.Uint32(raw[4:])) + grown
	headers := raw[preludeSize:end]
	if grown != 0 {
		headers = f.mended(raw[:end], grown)
	}
	if f.carries == chunks {
		payload = f.chunk.rewrite(raw[end:len(raw)-4], payload)
	}
	return appendFrame(dst, headers, payload)
}

// mended returns the headers at the end of the given part of a frame, after the value
// of the error message grew by so many bytes, with its new length.
func (f *eventFramer) mended(frame []byte, grown int) []byte {
	headers := append([]byte(nil), frame[preludeSize:]...)
	for at := preludeSize; at < len(frame); {
		h, next, ok := readHeader(frame, at) // headers before the changed one are intact
		if string(h.name) == errorMessage {
			value := h.lo - preludeSize
			length := min(h.hi-h.lo+grown, math.MaxUint16)
			binary.BigEndian.PutUint16(headers[value-2:], uint16(length))
			return slices.Delete(headers, value+length, h.hi-preludeSize+grown)
		}
		if !ok {
			break
		}
		at = next
	}
	panic("wire: internal error: a header changed that holds no text")
}

var _ Framer = (*eventFramer)(nil)
