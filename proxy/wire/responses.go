package wire

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Responses is the OpenAI Responses API and the servers that speak it. An
// answer is a list of items of many types; a stream is a list of events that
// name their kind, ended by one that repeats the whole response.
type Responses struct{}

var responsesPaths = NewPaths(Table{Done: openAIDone, Events: responsesEvents, Rules: responsesRules()})

// Name implements [Family].
func (Responses) Name() string { return "openai.responses" }

// Paths implements [Family].
func (Responses) Paths() *Paths { return responsesPaths }

// Request implements [Family]. What the server adds from earlier responses,
// conversations and stored prompts shows no text.
func (Responses) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	if len(body) == 0 { // a GET, or a POST that names all it wants in its path
		return r, nil
	}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch name {
		case "input", "items":
			return r.items(v)
		case "tools", "prompt", "text", "metadata":
			r.Schema = r.Schema || name == "text" && responsesSchema(v)
			r.visible(v)
			// The answer repeats it, and is read there as JSON text.
			r.Messages = append(r.Messages, bytes.Clone(v))
		case "previous_response_id", "conversation", "include":
		default:
			if !r.common(name, v) {
				r.visible(v)
			}
		}
		return nil
	})
	return r, err
}

// items reads the input: a text or items of any type, a message each. The last
// one's text is the tail.
func (r *Request) items(v jsontext.Value) error {
	if v.Kind() == '"' {
		r.Tail = AppendText(nil, v)
	}
	r.visible(v)
	return eachElement(v, func(v jsontext.Value) error {
		r.Tail = nil
		return eachMember(v, func(name string, v jsontext.Value) error {
			if name == "content" || name == "output" {
				r.Tail = contentText(nil, v)
			}
			return nil
		})
	})
}

// responsesSchema reports whether the text of the answer is itself JSON.
func responsesSchema(v jsontext.Value) bool {
	schema := false
	_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
		if name == "format" {
			schema = wantsJSON(v)
		}
		return nil
	})
	return schema
}

// AppendFailure implements [Family].
func (Responses) AppendFailure(dst []byte, f Failure) []byte { return appendOpenAIFailure(dst, f) }

// Framing implements [Family].
func (Responses) Framing(contentType string, _ Request) Framing { return ByContentType(contentType) }

// Fail implements [Family]. The events of a stream are counted from zero; one that
// was resumed is not known to be.
func (Responses) Fail(w *Writer, f Failure) {
	payload := AppendEscaped([]byte(`{"type":"error","code":"`), []byte(f.Code))
	payload = AppendEscaped(append(payload, `","message":"`...), []byte(f.Message))
	payload = strconv.AppendInt(append(payload, `","param":null,"sequence_number":`...), w.Next, 10)
	w.Message("error", append(payload, '}'))
}

// NewEnding implements [Family].
func (Responses) NewEnding() Ending { return &responsesEnding{} }

var _ Family = Responses{}
