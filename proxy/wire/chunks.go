package wire

import (
	"bytes"
	"encoding/base64"

	"github.com/go-json-experiment/json/jsontext"
)

// chunkReader reads payloads that carry a JSON document in base64, as Bedrock's
// InvokeModel streams them: {"bytes":"…","p":"…"}. The member p is padding that
// hides the length of the document. Not safe for concurrent use.
type chunkReader struct {
	dec      jsontext.Decoder
	opts     []jsontext.Options
	in       bytes.Buffer
	text     []byte // a string literal without its escapes
	document []byte
}

// chunk is one such payload, decoded.
type chunk struct {
	document []byte // valid until the next payload is read
	lo, hi   int    // the literal of the document; hi is 0 if there is none, as in an exception
	broken   bool   // the literal is not base64, or the payload has other members
}

// strictBase64 refuses text that decoders may read in different ways.
var strictBase64 = base64.StdEncoding.Strict()

// read reads a payload. A payload that is not a JSON object carries no document; the
// locator will refuse it.
func (r *chunkReader) read(payload []byte) chunk {
	c, others := r.literal(payload)
	if c.hi == 0 {
		return chunk{}
	}
	r.text = AppendText(r.text[:0], payload[c.lo:c.hi])
	var err error
	r.document, err = strictBase64.AppendDecode(r.document[:0], r.text)
	c.document = r.document
	c.broken = err != nil || others > 0 || bytes.ContainsAny(r.text, "\r\n")
	if cap(r.text) > keepJoin {
		r.text, r.document = nil, nil
	}
	return c
}

// literal finds the literal of the document. others counts the members that are
// neither the document nor padding.
func (r *chunkReader) literal(payload []byte) (c chunk, others int) {
	if r.opts == nil {
		r.opts = []jsontext.Options{jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(true)}
	}
	r.in = *bytes.NewBuffer(payload)
	r.dec.Reset(&r.in, r.opts...)
	if t, err := r.dec.ReadToken(); err != nil || t.Kind() != '{' {
		return chunk{}, 0
	}
	for r.dec.PeekKind() == '"' {
		name, err := r.dec.ReadValue()
		if err != nil {
			return chunk{}, 0
		}
		r.text = AppendText(r.text[:0], name)
		isDocument, isPadding := string(r.text) == "bytes", string(r.text) == "p"
		v, err := r.dec.ReadValue()
		switch {
		case err != nil:
			return chunk{}, 0
		case isDocument && v.Kind() == '"':
			c.hi = int(r.dec.InputOffset())
			c.lo = c.hi - len(v)
		case !isPadding || v.Kind() != '"' || !IsIdentifier(v[1:len(v)-1]):
			others++
		}
	}
	if _, err := r.dec.ReadToken(); err != nil || len(bytes.TrimLeft(payload[r.dec.InputOffset():], " \t\r\n")) > 0 {
		return chunk{}, 0
	}
	return c, others
}

// rewrite returns the payload with another document. If the payload already carries
// that document, it is returned unchanged.
func (r *chunkReader) rewrite(payload, document []byte) []byte {
	c := r.read(payload)
	switch {
	case c.hi == 0:
		return document
	case bytes.Equal(c.document, document):
		return payload
	}
	out := append([]byte(nil), payload[:c.lo]...)
	out = append(base64.StdEncoding.AppendEncode(append(out, '"'), document), '"')
	return append(out, payload[c.hi:]...)
}

// appendChunk appends a payload that carries a document.
func appendChunk(dst, document []byte) []byte {
	dst = base64.StdEncoding.AppendEncode(append(dst, `{"bytes":"`...), document)
	return append(dst, `"}`...)
}
