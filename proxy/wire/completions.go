package wire

import "github.com/go-json-experiment/json/jsontext"

// Completions is the legacy OpenAI Completions API and the servers that speak
// it. An answer is a list of choices with a text each, streamed or not.
type Completions struct{}

var completionsPaths = NewPaths(Table{Choices: "choices", Done: openAIDone, Rules: completionsRules()})

// completionsRules is the table of completions.
func completionsRules() []Rule {
	return append(append(envelopeRules(), logprobsRules()...), completionRules()...)
}

// completionRules are the places that only completions have. The names of
// top_logprobs' members are tokens, the alternatives of one place.
func completionRules() []Rule {
	return []Rule{
		{Path: "choices[#].text", Role: Text, Name: "text", Form: Reply},
		{Path: "choices[#].logprobs.tokens[]", Role: Token, Name: "logprobs.tokens"},
		{Path: "choices[#].logprobs.top_logprobs[].@", Role: KeyIsText, Name: "logprobs.top.#"},
	}
}

// Name implements [Family].
func (Completions) Name() string { return "openai.completions" }

// Paths implements [Family].
func (Completions) Paths() *Paths { return completionsPaths }

// Request implements [Family]. Of several prompts the last is the tail.
func (Completions) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "prompt":
			r.prompt(v)
		case name == "suffix" && v.Kind() == '"':
			r.Suffix = AppendText(nil, v)
			r.visible(v)
		default:
			r.visible(v)
		}
		return nil
	})
	return r, err
}

// prompt reads a prompt: a string, several, or token ids, which show nothing.
func (r *Request) prompt(v jsontext.Value) {
	switch v.Kind() {
	case '"':
		r.Tail = AppendText(nil, v)
		r.Messages = append(r.Messages, r.Tail)
	case '[':
		_ = eachElement(v, func(v jsontext.Value) error { // v is valid
			r.prompt(v)
			return nil
		})
	}
}

// AppendFailure implements [Family].
func (Completions) AppendFailure(dst []byte, f Failure) []byte { return appendOpenAIFailure(dst, f) }

// Framing implements [Family].
func (Completions) Framing(contentType string, _ Request) Framing { return ByContentType(contentType) }

// Fail implements [Family].
func (Completions) Fail(w *Writer, f Failure) { w.Message("", appendOpenAIFailure(nil, f)) }

// NewEnding implements [Family].
func (Completions) NewEnding() Ending { return &openAIEnding{text: `"text":""`} }

var _ Family = Completions{}
