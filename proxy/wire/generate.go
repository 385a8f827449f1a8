package wire

import (
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Generate is what model servers answer on /generate. Text Generation
// Inference, SGLang and vLLM's demo server claim that path, and their answers
// tell them apart: the places of one do not stand in those of another. So there
// is one table for all of them, and no need to say which server it is.
//
// The demo server writes a line for each step with every sample's text from the
// prompt on, and gives its streams no content type.
type Generate struct{}

var generatePaths = NewPaths(Table{
	Choices: "choices",
	Marks:   []string{"token", "generated_text", "meta_info"},
	Done:    openAIDone,
	Rules: slices.Concat(tgiRules(), sglangRules(), []Rule{
		{Path: "text[#]", Role: Cumulative, Name: "text", Form: Reply},
	}),
})

// Name implements [Family].
func (Generate) Name() string { return "generate" }

// Paths implements [Family].
func (Generate) Paths() *Paths { return generatePaths }

// Request implements [Family]. Of several prompts the last is the tail.
func (Generate) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		r.generate(name, v)
		return nil
	})
	return r, err
}

// generate reads a member of a request to /generate: TGI calls the prompt
// inputs, SGLang text, vLLM prompt.
func (r *Request) generate(name string, v jsontext.Value) {
	switch {
	case r.common(name, v):
	case name == "inputs", name == "text", name == "prompt":
		r.prompt(v)
	case name == "parameters":
		r.sampling(v)
	case name == "sampling_params" && v.Kind() == '[':
		_ = eachElement(v, func(v jsontext.Value) error { // v is valid
			r.sampling(v)
			return nil
		})
	case name == "sampling_params":
		r.sampling(v)
	case !holdsMedia(name):
		r.visible(v)
	}
}

// sampling reads the object that says how to sample.
func (r *Request) sampling(v jsontext.Value) {
	_ = eachMember(v, func(name string, v jsontext.Value) error { // v is valid
		switch name {
		case "best_of":
			r.common("n", v)
		case "grammar":
			r.Schema = r.Schema || wantsJSON(v)
			r.visible(v)
		default:
			if !r.common(name, v) {
				r.visible(v)
			}
		}
		return nil
	})
}

// holdsMedia reports whether a member of a request holds images, sound or
// numbers that stand for text.
func holdsMedia(name string) bool {
	switch name {
	case "images", "image_data", "audio_data", "video_data", "multimodal_data", "input_embeds", "prompt_embeds":
		return true
	}
	return false
}

// Framing implements [Family].
func (Generate) Framing(contentType string, r Request) Framing { return streamedLines(contentType, r) }

// streamedLines is the framing of servers that stream lines: what a request
// that asks for a stream gets, unless its content type says better.
func streamedLines(contentType string, r Request) Framing {
	if f := ByContentType(contentType); f != JSON || contentType == "application/json" || !r.Stream {
		return f
	}
	return Lines
}

// AppendFailure implements [Family].
func (Generate) AppendFailure(dst []byte, f Failure) []byte { return appendTGIFailure(dst, f) }

// Fail implements [Family].
func (g Generate) Fail(w *Writer, f Failure) { w.Message("", g.AppendFailure(nil, f)) }

// NewEnding implements [Family].
func (Generate) NewEnding() Ending { return &generateEnding{} }

// generateEnding ends a stream as the server would whose messages it has seen.
// A line of the demo server has no end to announce: its stream just stops.
type generateEnding struct {
	tgi    tgiEnding
	sglang sglangEnding
}

// Sent implements [Ending].
func (e *generateEnding) Sent(payload []byte) {
	e.tgi.Sent(payload)
	e.sglang.Sent(payload)
}

// Write implements [Ending].
func (e *generateEnding) Write(w *Writer, open []int32) {
	if e.tgi.seen {
		e.tgi.Write(w, open)
	}
	if e.sglang.seen {
		e.sglang.Write(w, open)
	}
}

// maxLastText is the number of bytes of an answer that an ending keeps, to say
// them once more.
const maxLastText = 1 << 20

// stringOf returns the text of a string, or nothing of any other value.
func stringOf(v jsontext.Value) []byte {
	if v.Kind() != '"' {
		return nil
	}
	return AppendText(nil, v)
}

// numberOf returns a number that may stand for a choice, or 0.
func numberOf(v jsontext.Value) int32 {
	n, err := strconv.ParseInt(string(v), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int32(n)
}

var _ Family = Generate{}
