package wire

import "github.com/go-json-experiment/json/jsontext"

// MistralConversations is Mistral's API of conversations and agents. An answer
// is a list of outputs: messages, calls of the caller's functions and of
// Mistral's own tools. A stream is named events, each with one kind of news
// about one output. What was said before in the conversation is not to be seen
// in a request.
type MistralConversations struct{}

var mistralPaths = NewPaths(Table{Events: mistralEvents, Rules: mistralRules()})

// mistralDone is the kind of a stream's last event.
const mistralDone = "conversation.response.done"

// mistralEvents are the kinds of events that no rule speaks of alone.
var mistralEvents = []string{"conversation.response.started", "conversation.response.error", "agent.handoff.started", "agent.handoff.done"}

// mistralRules is the table of answers. In an event the number of the output
// stands beside what is new of it; the parts of a message are one text, those
// that are thoughts another.
func mistralRules() []Rule {
	rules := []Rule{
		{Path: "object", Role: NoText},
		{Path: "type", Role: NoText},
		{Path: "conversation_id", Role: NoText},
		{Path: "message", Role: Complete, Name: "message"},
		{When: mistralDone, Path: "type", Role: End},
	}
	for _, kind := range []string{"message.output.delta", "function.call.delta", "tool.execution.started", "tool.execution.delta", "tool.execution.done"} {
		rules = append(rules, Rule{When: kind, Path: "output_index", Role: ItemNumber})
	}
	for _, at := range []string{"", "outputs[#].", "entries[#].", "messages[#]."} {
		for _, member := range []string{"object", "type", "id", "tool_call_id", "model", "role", "agent_id", "created_at", "completed_at", "confirmation_status"} {
			if at != "" || member != "object" && member != "type" {
				rules = append(rules, Rule{Path: at + member, Role: NoText})
			}
		}
		rules = append(rules,
			Rule{Path: at + "name", Role: Complete, Name: "outputs.#.name"},
			Rule{Path: at + "arguments", Role: Text, Name: "outputs.#.arguments", Form: Nested},
			Rule{Path: at + "content", Role: Text, Name: "outputs.#.content", Form: Reply},
		)
		for _, part := range []string{"content.", "content[]."} {
			rules = append(rules,
				Rule{Path: at + part + "type", Role: NoText},
				Rule{Path: at + part + "text", Role: Text, Name: "outputs.#.content", Form: Reply},
				Rule{Path: at + part + "thinking", Role: Text, Name: "outputs.#.thinking"},
				Rule{Path: at + part + "thinking[].type", Role: NoText},
				Rule{Path: at + part + "thinking[].text", Role: Text, Name: "outputs.#.thinking"},
			)
		}
	}
	return rules
}

// Name implements [Family].
func (MistralConversations) Name() string { return "mistral.conversations" }

// Paths implements [Family].
func (MistralConversations) Paths() *Paths { return mistralPaths }

// Request implements [Family].
func (MistralConversations) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "inputs" && v.Kind() == '"':
			r.prompt(v)
		case name == "inputs":
			return r.conversation(v)
		case name == "completion_args":
			return eachMember(v, func(name string, v jsontext.Value) error {
				if name != "response_format" || !r.common(name, v) {
					r.visible(v)
				}
				return nil
			})
		default:
			r.visible(v)
		}
		return nil
	})
	return r, err
}

// Framing implements [Family].
func (MistralConversations) Framing(contentType string, _ Request) Framing {
	return ByContentType(contentType)
}

// AppendFailure implements [Family].
func (MistralConversations) AppendFailure(dst []byte, f Failure) []byte {
	dst = AppendEscaped(append(dst, `{"object":"error","message":"`...), []byte(f.Message))
	dst = AppendEscaped(append(dst, `","type":"invalid_request_error","param":null,"code":"`...), []byte(f.Code))
	return append(dst, `"}`...)
}

// Fail implements [Family].
func (MistralConversations) Fail(w *Writer, f Failure) { mistralFail(w, f.Message) }

// mistralFail writes the event that ends a stream with an error.
func mistralFail(w *Writer, message string) {
	const kind = "conversation.response.error"
	event := AppendEscaped([]byte(`{"type":"`+kind+`","message":"`), []byte(message))
	w.Message(kind, append(event, `","code":400}`...))
}

// NewEnding implements [Family].
func (MistralConversations) NewEnding() Ending { return mistralEnding{} }

// mistralEnding ends a stream that was filtered. The API knows no word for that
// but an error.
type mistralEnding struct{}

// Sent implements [Ending].
func (mistralEnding) Sent([]byte) {}

// Write implements [Ending].
func (mistralEnding) Write(w *Writer, open []int32) {
	if len(open) > 0 {
		mistralFail(w, "content_filter")
	}
}

var _ Family = MistralConversations{}
