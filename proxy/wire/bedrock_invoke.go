package wire

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Invoke is Amazon Bedrock's InvokeModel, which passes on what a model itself
// speaks: each vendor's own JSON, in a stream as the documents of binary frames.
// One table reads them all, because their members tell them apart. Of a vendor
// nobody described every string is taken for text of the answer.
type Invoke struct{}

var invokePaths = NewPaths(Table{Rest: Text, Rules: invokeRules(), Anywhere: genericTable().Anywhere})

// invokeRules unites the tables of the vendors. A place that two of them know is
// what the first says.
func invokeRules() []Rule {
	all := slices.Concat(
		[]Rule{
			{Path: "amazon-bedrock-guardrailAction", Role: NoText},
			{Path: "amazon-bedrock-trace", Role: Drop, With: `{}`},
		},
		anthropicRules(), novaRules(), plainVendorRules(), cohereV1Rules(), cohereRules(), vendorChatRules(),
	)
	type place struct{ when, path string }
	seen := map[place]bool{}
	return slices.DeleteFunc(all, func(r Rule) bool {
		p := place{r.When, r.Path}
		double := seen[p]
		seen[p] = true
		return double
	})
}

// novaRules is the table of Amazon Nova: Converse, but that an event of a stream
// is a member of its own name.
func novaRules() []Rule {
	return slices.Concat(
		[]Rule{
			{Path: "messageStart.role", Role: NoText},
			{Path: "contentBlockStop.contentBlockIndex", Role: ItemNumber},
		},
		converseEventRules("contentBlockStart."), converseEventRules("contentBlockDelta."),
		converseEndRules("messageStop."), converseEndRules("metadata."), converseEndRules(""),
		converseMessageRules(),
	)
}

// plainVendorRules are the tables of those whose answers are a text, or a list
// of them: Titan, Llama, Mistral, AI21, Cohere's first models, DeepSeek; and what
// models for other things than text answer.
func plainVendorRules() []Rule {
	return []Rule{
		{Path: "outputText", Role: Text, Name: "text", Form: Reply},
		{Path: "completionReason", Role: End, With: `"CONTENT_FILTERED"`},
		{Path: "results[#].outputText", Role: Text, Name: "results.#.text", Form: Reply},
		{Path: "results[#].completionReason", Role: NoText},
		{Path: "generation", Role: Text, Name: "text", Form: Reply},
		{Path: "outputs[#].text", Role: Text, Name: "outputs.#.text", Form: Reply},
		{Path: "outputs[#].stop_reason", Role: End, With: `"stop"`},
		{Path: "completions[#].data.text", Role: Text, Name: "completions.#.text", Form: Reply},
		{Path: "completions[#].data.tokens", Role: Drop, With: `[]`},
		{Path: "completions[#].data.tokens[].generatedToken.token", Role: Token, Name: "completions.#.tokens"},
		{Path: "completions[#].finishReason.reason", Role: NoText},
		{Path: "generations[#].text", Role: Text, Name: "generations.#.text", Form: Reply},
		{Path: "choices[#].text", Role: Text, Name: "choices.#.text", Form: Reply},
		{Path: "choices[#].stop_reason", Role: End, With: `"stop"`},
		{Path: "images[]", Role: Skip, With: `""`},
		{Path: "artifacts[].base64", Role: Skip, With: `""`},
		{Path: "embedding", Role: Drop},
		{Path: "embeddings", Role: Drop},
		{Path: "embeddingsByType", Role: Drop},
	}
}

// vendorChatRules is the table of those that speak as Chat Completions do. The
// answer is one choice here, and its choices are items.
func vendorChatRules() []Rule {
	rules := chatRules()
	for i := range rules {
		if r := &rules[i]; strings.HasPrefix(r.Path, "choices[#].") && r.Name != "" && r.Name != InItem {
			r.Name = "choices.#." + r.Name
		}
	}
	return rules
}

// Name implements [Family].
func (Invoke) Name() string { return "bedrock.invoke" }

// Paths implements [Family].
func (Invoke) Paths() *Paths { return invokePaths }

// Request implements [Family]. Model and stream are asked for in the path, the
// rest in the vendor's words.
func (Invoke) Request(path string, body []byte) (Request, error) {
	r := Request{N: 1}
	anthropic := false
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case name == "anthropic_version":
			anthropic = true
		case r.common(name, v):
		case name == "messages":
			return r.conversation(v)
		case name == "prompt", name == "inputText", name == "message":
			r.prompt(v)
		default:
			r.visible(v)
		}
		return nil
	})
	if anthropic {
		r, err = Anthropic{}.Request("", body)
	}
	r.Model, r.Stream = bedrockPath(path)
	return r, err
}

// Framing implements [Family].
func (Invoke) Framing(contentType string, _ Request) Framing {
	if f := ByContentType(contentType); f != Events {
		return f
	}
	return EventChunks
}

// AppendFailure implements [Family].
func (Invoke) AppendFailure(dst []byte, f Failure) []byte { return appendBedrockFailure(dst, f) }

// FailureHeader implements [FailureHeader].
func (Invoke) FailureHeader(f Failure) (name, value string) { return bedrockErrorType(f) }

// Fail implements [Family].
func (Invoke) Fail(w *Writer, f Failure) { failBedrock(w, f) }

// NewEnding implements [Family].
func (Invoke) NewEnding() Ending { return &invokeEnding{} }

// vendorEndings tell a vendor by a member of its messages, and are the message
// with which a stream of it ends that was filtered.
var vendorEndings = []struct{ member, end string }{
	{"outputText", `{"outputText":"","index":0,"totalOutputTextTokenCount":0,"completionReason":"CONTENT_FILTERED","inputTextTokenCount":null}`},
	{"generation", `{"generation":"","prompt_token_count":null,"generation_token_count":0,"stop_reason":"stop"}`},
	{"outputs", `{"outputs":[{"text":"","stop_reason":"stop"}]}`},
	{"choices", `{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}`},
	{"is_finished", `{"text":"","is_finished":true,"finish_reason":"ERROR_TOXIC"}`},
}

// invokeEnding ends a stream as the vendor does that its messages are of, and
// one of nobody's with an exception.
type invokeEnding struct {
	vendor Ending // nil: not known, or one of the list
	end    string // empty: not known
}

// Sent implements [Ending].
func (e *invokeEnding) Sent(payload []byte) {
	if e.vendor == nil && e.end == "" {
		_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
			e.note(name, v)
			return nil
		})
	}
	if e.vendor != nil {
		e.vendor.Sent(payload)
	}
}

// note tells the vendor by a member.
func (e *invokeEnding) note(name string, v jsontext.Value) {
	switch name {
	case "type":
		if strings.Contains(string(v), "_") { // message_start, content_block_delta, …
			e.vendor = &anthropicEnding{}
		}
	case "messageStart", "contentBlockStart", "contentBlockDelta":
		e.vendor = &novaEnding{converseEnding{wrap: converseNamed}}
	}
	for _, vendor := range vendorEndings {
		if vendor.member == name {
			e.end = vendor.end
		}
	}
}

// Write implements [Ending].
func (e *invokeEnding) Write(w *Writer, open []int32) {
	switch {
	case e.vendor != nil:
		e.vendor.Write(w, open)
	case e.end == "":
		failBedrock(w, Failure{Message: "withheld: the answer would repeat training data", Code: "content_filter"})
	case len(open) > 0:
		w.Message("chunk", []byte(e.end))
	}
}

// novaEnding is that of Converse, for events in members of their own names.
type novaEnding struct{ converseEnding }

// Sent implements [Ending].
func (e *novaEnding) Sent(payload []byte) {
	_ = eachMember(payload, func(_ string, v jsontext.Value) error { // what is broken is left out
		e.converseEnding.Sent(v)
		return nil
	})
}

var (
	_ Family        = Invoke{}
	_ FailureHeader = Invoke{}
)
