package wire

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// AnthropicComplete is Anthropic's legacy Text Completions API. An answer is one text.
// Its streams come in two kinds, and the version that a caller asks for in a
// header decides: events of the type completion with what is new in each, or
// bare messages with all of the text so far in each, ended by [DONE].
//
// A message of the type completion is a piece, as the newer version has it.
// One without a type is all of the text so far if it begins with all that came
// before, and a piece if it does not. What is called a piece and holds all so
// far is still judged whole, but without holding back what it said before.
type AnthropicComplete struct{}

var completePaths = NewPaths(Table{
	Done:   openAIDone,
	Events: []string{"ping"},
	Rules: []Rule{
		{When: "completion", Path: "completion", Role: Text, Name: "text"},
		{Path: "completion", Role: Cumulative, Name: "text"},
		{Path: "type", Role: NoText},
		{Path: "id", Role: NoText},
		{Path: "log_id", Role: NoText},
		{Path: "model", Role: NoText},
		{Path: "request_id", Role: NoText},
		{Path: "error.type", Role: NoText},
		{Path: "stop_reason", Role: End, With: `"refusal"`},
	},
})

// Name implements [Family].
func (AnthropicComplete) Name() string { return "anthropic.complete" }

// Paths implements [Family].
func (AnthropicComplete) Paths() *Paths { return completePaths }

// Request implements [Family].
func (AnthropicComplete) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v), name == "metadata":
		case name == "prompt":
			r.prompt(v)
		default:
			r.visible(v)
		}
		return nil
	})
	return r, err
}

// Framing implements [Family].
func (AnthropicComplete) Framing(contentType string, _ Request) Framing {
	return ByContentType(contentType)
}

// AppendFailure implements [Family].
func (AnthropicComplete) AppendFailure(dst []byte, f Failure) []byte {
	return appendAnthropicFailure(dst, f)
}

// Fail implements [Family].
func (AnthropicComplete) Fail(w *Writer, f Failure) {
	w.Message("error", appendAnthropicFailure(nil, f))
}

// NewEnding implements [Family].
func (AnthropicComplete) NewEnding() Ending { return &completeEnding{} }

// completeEnding ends a completion with a message of the kind that it came in.
// The API has no stop_reason for filtered answers: it is that of messages.
type completeEnding struct{ last []byte }

// Sent implements [Ending].
func (e *completeEnding) Sent(payload []byte) { e.last = append(e.last[:0], payload...) }

// Write implements [Ending]. A reader that takes the last of cumulative texts
// for the answer finds it there.
func (e *completeEnding) Write(w *Writer, _ []int32) {
	kind, text := "", slices.Clone(jsontext.Value(`""`))
	ended := false
	_ = eachMember(e.last, func(name string, v jsontext.Value) error { // what is broken is left out
		switch name {
		case "type":
			kind = plainString(v)
		case "completion":
			if v.Kind() == '"' {
				text = slices.Clone(v)
			}
		case "stop_reason":
			ended = v.Kind() == '"'
		}
		return nil
	})
	switch {
	case kind == "error":
	case kind != "":
		if !ended {
			w.Message("completion", []byte(`{"type":"completion","completion":"","stop_reason":"refusal","stop":null}`))
		}
	default:
		if !ended {
			payload := append([]byte(`{"completion":`), text...)
			w.Message("", append(payload, `,"stop_reason":"refusal","stop":null}`...))
		}
		w.Message("", []byte(openAIDone))
	}
}

var _ Family = AnthropicComplete{}
