package wire

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Invocations is what containers answer on /invocations, the one path that
// Amazon SageMaker calls: a chat, a completion or TGI's native answer, as the
// request was. Their places differ, so one table reads all three.
type Invocations struct{}

var invocationsPaths = NewPaths(Table{
	Choices: "choices",
	Marks:   []string{"token", "generated_text"},
	Done:    openAIDone,
	Rules:   slices.Concat(chatRules(), completionRules(), tgiRules()),
})

// Name implements [Family].
func (Invocations) Name() string { return "invocations" }

// Paths implements [Family].
func (Invocations) Paths() *Paths { return invocationsPaths }

// Request implements [Family].
func (Invocations) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch name {
		case "messages":
			return r.conversation(v)
		case "suffix":
			r.Suffix = stringOf(v)
			r.visible(v)
		default:
			r.generate(name, v)
		}
		return nil
	})
	return r, err
}

// Framing implements [Family].
func (Invocations) Framing(contentType string, _ Request) Framing { return ByContentType(contentType) }

// AppendFailure implements [Family].
func (Invocations) AppendFailure(dst []byte, f Failure) []byte { return appendOpenAIFailure(dst, f) }

// Fail implements [Family].
func (Invocations) Fail(w *Writer, f Failure) { w.Message("", appendOpenAIFailure(nil, f)) }

// NewEnding implements [Family].
func (Invocations) NewEnding() Ending {
	return &invocationsEnding{openAI: openAIEnding{text: `"delta":{}`}}
}

// invocationsEnding ends a stream as the API would whose messages it has seen.
type invocationsEnding struct {
	tgi    tgiEnding
	openAI openAIEnding
}

// Sent implements [Ending].
func (e *invocationsEnding) Sent(payload []byte) {
	e.tgi.Sent(payload)
	if e.tgi.seen {
		return
	}
	e.openAI.Sent(payload)
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
		if name != "choices" {
			return nil
		}
		return eachElement(v, func(v jsontext.Value) error {
			return eachMember(v, func(name string, _ jsontext.Value) error {
				switch name {
				case "delta":
					e.openAI.text = `"delta":{}`
				case "text":
					e.openAI.text = `"text":""`
				}
				return nil
			})
		})
	})
}

// Write implements [Ending].
func (e *invocationsEnding) Write(w *Writer, open []int32) {
	if e.tgi.seen {
		e.tgi.Write(w, open)
		return
	}
	e.openAI.Write(w, open)
}

var _ Family = Invocations{}
