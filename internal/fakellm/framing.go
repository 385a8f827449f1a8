package fakellm

import (
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"slices"
)

// event is one message of a stream.
type event struct {
	name string // in protocols with named events
	data []byte
}

// done is the last message of OpenAI's streams.
var done = event{data: []byte("[DONE]")}

// framing is the way to write messages into a stream.
type framing struct {
	contentType string
	frame       func(m event, n int) []byte // n is the number of messages before m
	last        string                      // written behind the last message
}

// events are server-sent events, with their names if they have any.
func events(*http.Request) framing {
	return framing{contentType: "text/event-stream; charset=utf-8", frame: func(m event, _ int) []byte {
		var out []byte
		if m.name != "" {
			out = append(append(append(out, "event: "...), m.name...), '\n')
		}
		return append(append(append(out, "data: "...), m.data...), "\n\n"...)
	}}
}

// lines are JSON documents, one a line.
func lines(*http.Request) framing {
	return framing{contentType: "application/x-ndjson", frame: func(m event, _ int) []byte {
		return append(slices.Clone(m.data), '\n')
	}}
}

// array is one JSON array whose elements arrive one by one.
func array() framing {
	return framing{contentType: "application/json; charset=UTF-8", last: "]", frame: func(m event, n int) []byte {
		if n == 0 {
			return append([]byte("["), m.data...)
		}
		return append([]byte(",\r\n"), m.data...)
	}}
}

// eventStream is the binary framing of AWS.
func eventStream(*http.Request) framing {
	return framing{contentType: "application/vnd.amazon.eventstream", frame: func(m event, _ int) []byte {
		var head []byte
		for _, h := range [][2]string{{":event-type", m.name}, {":content-type", "application/json"}, {":message-type", "event"}} {
			const kindString = 7
			head = append(append(append(head, byte(len(h[0]))), h[0]...), kindString)
			head = append(binary.BigEndian.AppendUint16(head, uint16(len(h[1]))), h[1]...)
		}
		const around = 16 // two lengths and two checksums
		out := binary.BigEndian.AppendUint32(nil, uint32(around+len(head)+len(m.data)))
		out = binary.BigEndian.AppendUint32(out, uint32(len(head)))
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
		out = append(append(out, head...), m.data...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	}}
}
