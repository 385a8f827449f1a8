package wire

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Recorder is a family whose answers are lists of answers, each of which is
// judged by itself: the framing is [Records].
type Recorder interface {
	// AppendRecord appends a record that stands instead of one that is
	// withheld.
	AppendRecord(dst, payload []byte, f Failure) []byte
}

// Batch is a file of results, one a line: of OpenAI's batches (an answer of any
// API stands in response.body) and of Anthropic's (in result.message). As in
// [Generic], every string is taken for text.
type Batch struct{}

// Name implements [Family].
func (Batch) Name() string { return "batch" }

// Paths implements [Family].
func (Batch) Paths() *Paths { return genericPaths }

// Request implements [Family].
func (Batch) Request(path string, body []byte) (Request, error) { return Generic{}.Request(path, body) }

// Framing implements [Family]. Servers give such files all kinds of types.
func (Batch) Framing(string, Request) Framing { return Records }

// AppendFailure implements [Family].
func (Batch) AppendFailure(dst []byte, f Failure) []byte { return appendNeutralFailure(dst, f) }

// Fail implements [Family].
func (Batch) Fail(w *Writer, f Failure) { w.Message("", appendNeutralFailure(nil, f)) }

// NewEnding implements [Family].
func (Batch) NewEnding() Ending { return genericEnding{} }

// AppendRecord implements [Recorder]: the line of a request that failed. It
// keeps the id by which the caller knows the request.
func (Batch) AppendRecord(dst, payload []byte, f Failure) []byte {
	id, anthropic := []byte(nil), false
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
		switch v = bytes.TrimSpace(v); {
		case name == "custom_id" && v.Kind() == '"' && identifier(v[1:len(v)-1]):
			id = append(id[:0], v...)
		case name == "result":
			anthropic = true
		}
		return nil
	})
	dst = append(dst, '{')
	if len(id) > 0 {
		dst = append(append(append(dst, `"custom_id":`...), id...), ',')
	}
	if anthropic {
		dst = append(dst, `"result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"`...)
		dst = AppendEscaped(dst, []byte(f.Message))
		return append(dst, `"}}}}`...)
	}
	dst = append(dst, `"response":{"status_code":400,"body":`...)
	dst = appendNeutralFailure(dst, f)
	return append(dst, `},"error":null}`...)
}

var (
	_ Family   = Batch{}
	_ Recorder = Batch{}
)
