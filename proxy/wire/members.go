package wire

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// members reads the members of one object after the other, without allocating
// once its storage has grown. The zero value is ready. Not safe for concurrent
// use.
//
//	for m.open(payload); m.next(); {
//		switch string(m.name) { … m.value … }
//	}
type members struct {
	name  []byte         // unescaped; both are valid until the next call
	value jsontext.Value // as it stands
	dec   *jsontext.Decoder
	in    bytes.Buffer
	opts  []jsontext.Options
}

// open begins with an object; anything else has no members.
func (m *members) open(object []byte) {
	if m.dec == nil {
		m.dec = new(jsontext.Decoder)
		m.opts = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	}
	m.in = *bytes.NewBuffer(object)
	m.dec.Reset(&m.in, m.opts...)
	if m.dec.PeekKind() != '{' {
		return
	}
	_, _ = m.dec.ReadToken() // it is there
}

// next reads the next member and reports whether there is one. What is broken
// has none.
func (m *members) next() bool {
	if m.dec.StackDepth() == 0 || m.dec.PeekKind() != '"' {
		return false
	}
	lit, err := m.dec.ReadValue()
	if err != nil {
		return false
	}
	m.name = AppendText(m.name[:0], lit)
	m.value, err = m.dec.ReadValue()
	return err == nil
}
