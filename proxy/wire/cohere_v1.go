package wire

import "github.com/go-json-experiment/json/jsontext"

// CohereV1 is Cohere's first API: chat and generate. A stream is lines that say
// with event_type what they are; the last one repeats the whole answer.
type CohereV1 struct{}

var cohereV1Paths = NewPaths(Table{Kind: "event_type", Events: cohereV1Events, Rules: cohereV1Rules()})

// cohereV1Events are the kinds of events that no rule speaks of alone.
var cohereV1Events = []string{"stream-start", "search-queries-generation", "search-results", "citation-generation", "stream-error", "debug"}

// cohereV1Rules is the table of answers, streamed and in one piece. A chat is
// one text; generate has several, whose numbers are items.
func cohereV1Rules() []Rule {
	rules := []Rule{
		{Path: "event_type", Role: NoText},
		{Path: "text", Role: Text, Name: "text", Form: Reply},
		{When: "text-generation", Path: "index", Role: ItemNumber},
		{When: "stream-end", Path: "index", Role: ItemNumber},
		{When: "tool-calls-chunk", Path: "text", Role: Text, Name: "tool_plan"},
		{When: "tool-calls-chunk", Path: "tool_call_delta.index", Role: ItemNumber},
		{When: "tool-calls-chunk", Path: "tool_call_delta.name", Role: Metadata, Name: "tool_calls.#.name"},
		{When: "tool-calls-chunk", Path: "tool_call_delta.parameters", Role: Text, Name: "tool_calls.#.parameters", Form: Nested},
		{When: "tool-calls-chunk", Path: "tool_call_delta.text", Role: Text, Name: "tool_plan"},
		{When: "tool-calls-generation", Path: "text", Role: Complete, Name: "tool_plan.again"},
		{Path: "search_queries[].text", Role: NoText},
		{Path: "search_queries[].generation_id", Role: NoText},
		{Path: "documents[].*", Role: NoText},
		{Path: "err", Role: Complete, Name: "err"},
		{Path: "response.text", Role: Final, Name: "text", Form: Reply},
		{Path: "response.generations[#].index", Role: ElementNumber},
		{Path: "response.generations[#].text", Role: Final, Name: "text", Form: Reply},
		{Path: "generations[#].index", Role: ElementNumber},
		{Path: "generations[#].text", Role: Text, Name: "text", Form: Reply},
	}
	for _, at := range []string{"", "response."} {
		rules = append(rules,
			Rule{Path: at + "id", Role: NoText},
			Rule{Path: at + "generation_id", Role: NoText},
			Rule{Path: at + "response_id", Role: NoText},
			Rule{Path: at + "finish_reason", Role: End, With: `"ERROR_TOXIC"`},
			Rule{Path: at + "chat_history[].role", Role: NoText},
			Rule{Path: at + "chat_history[].message", Role: Complete, Name: "chat_history"},
			Rule{Path: at + "chat_history[].tool_calls[].name", Role: NoText},
			Rule{Path: at + "chat_history[].tool_calls[].parameters", Role: Complete, Name: "chat_history", Form: Nested},
			Rule{Path: at + "tool_calls[#].name", Role: Metadata, Name: "tool_calls.#.name"},
			Rule{Path: at + "tool_calls[#].parameters", Role: Final, Name: "tool_calls.#.parameters", Form: Nested},
			Rule{Path: at + "citations", Role: Drop, With: `[]`},
			Rule{Path: at + "citations[].text", Role: Token, Name: "citations.text"},
			Rule{Path: at + "citations[].type", Role: NoText},
			Rule{Path: at + "citations[].document_ids[]", Role: NoText},
			Rule{Path: at + "generations[#].id", Role: NoText},
			Rule{Path: at + "generations[#].finish_reason", Role: NoText},
			Rule{Path: at + "generations[#].token_likelihoods", Role: Drop},
			Rule{Path: at + "generations[#].token_likelihoods[].token", Role: Token, Name: "token_likelihoods"},
			Rule{Path: at + "meta.api_version.version", Role: NoText},
			Rule{Path: at + "prompt", Role: Complete, Name: "prompt"},
		)
	}
	return rules
}

// Name implements [Family].
func (CohereV1) Name() string { return "cohere.v1" }

// Paths implements [Family].
func (CohereV1) Paths() *Paths { return cohereV1Paths }

// Request implements [Family].
func (CohereV1) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "prompt", name == "message":
			r.prompt(v)
		default:
			r.visible(v)
		}
		return nil
	})
	return r, err
}

// Framing implements [Family]: a stream is lines, whatever it is called.
func (CohereV1) Framing(contentType string, r Request) Framing {
	if f := ByContentType(contentType); f != JSON || !r.Stream {
		return f
	}
	return Lines
}

// AppendFailure implements [Family].
func (CohereV1) AppendFailure(dst []byte, f Failure) []byte {
	return CohereChat{}.AppendFailure(dst, f)
}

// Fail implements [Family].
func (CohereV1) Fail(w *Writer, f Failure) {
	end := AppendEscaped([]byte(`{"event_type":"stream-error","is_finished":true,"finish_reason":"ERROR","err":"`), []byte(f.Message))
	w.Message("", append(end, `"}`...))
}

// NewEnding implements [Family].
func (CohereV1) NewEnding() Ending { return cohereV1Ending{} }

// cohereV1Ending ends a stream that was filtered. What has left is not
// repeated: the answer in the last line is empty.
type cohereV1Ending struct{}

// Sent implements [Ending].
func (cohereV1Ending) Sent([]byte) {}

// Write implements [Ending].
func (cohereV1Ending) Write(w *Writer, open []int32) {
	if len(open) > 0 {
		w.Message("", []byte(`{"event_type":"stream-end","is_finished":true,"finish_reason":"ERROR_TOXIC","response":{"text":"","generations":[]}}`))
	}
}

var _ Family = CohereV1{}
