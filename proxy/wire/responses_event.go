package wire

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// responsesEvent is what an ending reads of an event: JSON, parts of the
// payload.
type responsesEvent struct {
	kind, sequence, output, content, summary, id, item, part, delta, text, response []byte

	dec *jsontext.Decoder
	in  bytes.Buffer
}

// read reads an event. Once it has a decoder it does not allocate.
func (v *responsesEvent) read(payload []byte) bool {
	if v.dec == nil {
		v.dec = new(jsontext.Decoder)
	}
	*v = responsesEvent{dec: v.dec, in: *bytes.NewBuffer(payload)}
	v.dec.Reset(&v.in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // it was located
	if v.dec.PeekKind() != '{' {
		return false
	}
	if _, err := v.dec.ReadToken(); err != nil {
		return false
	}
	for v.dec.PeekKind() == '"' {
		name, err := v.dec.ReadValue()
		if err != nil {
			return false
		}
		to := v.member(name[1 : len(name)-1])
		value, err := v.dec.ReadValue()
		if err != nil {
			return false
		}
		if hi := int(v.dec.InputOffset()); to != nil {
			*to = payload[hi-len(value) : hi]
		}
	}
	return true
}

// member returns where a member goes, or nil.
func (v *responsesEvent) member(name []byte) *[]byte {
	switch string(name) {
	case "type":
		return &v.kind
	case "sequence_number":
		return &v.sequence
	case "output_index":
		return &v.output
	case "content_index":
		return &v.content
	case "summary_index":
		return &v.summary
	case "item_id":
		return &v.id
	case "item":
		return &v.item
	case "part":
		return &v.part
	case "delta":
		return &v.delta
	case "text", "refusal", "arguments", "input", "code":
		return &v.text
	case "response":
		return &v.response
	}
	return nil
}

// place is the number of the part that a text is.
func (v *responsesEvent) place(t *responsesText) []byte {
	if t.list == "summary" {
		return v.summary
	}
	return v.content
}

// number reads a whole number.
func number(lit []byte) (int64, bool) {
	if len(lit) == 0 || len(lit) > 18 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(lit), 10, 64)
	return n, err == nil
}

// responsesMember returns the value of a member of an object, or nil.
func responsesMember(object []byte, name string) []byte {
	var found []byte
	_ = eachMember(object, func(n string, v jsontext.Value) error { // it was located
		if n == name {
			found = bytes.Clone(v)
		}
		return nil
	})
	return found
}
