package api

import (
	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// FIM is Mistral's completion of the middle of a text. The request is that of
// [Completions], with what stands before and behind, the answer that of [Chat].
type FIM struct{ Chat }

// Name implements [Family].
func (FIM) Name() string { return "mistral.fim" }

// Request implements [Family].
func (FIM) Request(path string, body []byte) (wire.Request, error) {
	return Completions{}.Request(path, body)
}

var _ wire.Family = FIM{}

// MistralConversations is Mistral's API of conversations and agents. An answer
// is a list of outputs: messages, calls of the caller's functions and of
// Mistral's own tools. A stream is named events, each with one kind of news
// about one output. What was said before in the conversation is not to be seen
// in a request.
type MistralConversations struct{}

var mistralPaths = wire.NewPaths(wire.Table{Events: mistralEvents, Rules: mistralRules()})

// mistralDone is the kind of a stream's last event.
const mistralDone = "conversation.response.done"

// mistralEvents are the kinds of events that no rule speaks of alone.
var mistralEvents = []string{"conversation.response.started", "conversation.response.error", "agent.handoff.started", "agent.handoff.done"}

// mistralRules is the table of answers. In an event the number of the output
// stands beside what is new of it; the parts of a message are one text, those
// that are thoughts another.
func mistralRules() []wire.Rule {
	rules := []wire.Rule{
		{Path: "object", Role: wire.NoText},
		{Path: "type", Role: wire.NoText},
		{Path: "conversation_id", Role: wire.NoText},
		{Path: "message", Role: wire.Complete, Name: "message"},
		{When: mistralDone, Path: "type", Role: wire.End},
	}
	for _, kind := range []string{"message.output.delta", "function.call.delta", "tool.execution.started", "tool.execution.delta", "tool.execution.done"} {
		rules = append(rules, wire.Rule{When: kind, Path: "output_index", Role: wire.ItemNumber})
	}
	for _, at := range []string{"", "outputs[#].", "entries[#].", "messages[#]."} {
		for _, member := range []string{"object", "type", "id", "tool_call_id", "model", "role", "agent_id", "created_at", "completed_at", "confirmation_status"} {
			if at != "" || member != "object" && member != "type" {
				rules = append(rules, wire.Rule{Path: at + member, Role: wire.NoText})
			}
		}
		rules = append(rules,
			wire.Rule{Path: at + "name", Role: wire.Complete, Name: "outputs.#.name"},
			wire.Rule{Path: at + "arguments", Role: wire.Text, Name: "outputs.#.arguments", Form: wire.Nested},
			wire.Rule{Path: at + "content", Role: wire.Text, Name: "outputs.#.content", Form: wire.Reply},
		)
		for _, part := range []string{"content.", "content[]."} {
			rules = append(rules,
				wire.Rule{Path: at + part + "type", Role: wire.NoText},
				wire.Rule{Path: at + part + "text", Role: wire.Text, Name: "outputs.#.content", Form: wire.Reply},
				wire.Rule{Path: at + part + "thinking", Role: wire.Text, Name: "outputs.#.thinking"},
				wire.Rule{Path: at + part + "thinking[].type", Role: wire.NoText},
				wire.Rule{Path: at + part + "thinking[].text", Role: wire.Text, Name: "outputs.#.thinking"},
			)
		}
	}
	return rules
}

// Name implements [Family].
func (MistralConversations) Name() string { return "mistral.conversations" }

// Paths implements [Family].
func (MistralConversations) Paths() *wire.Paths { return mistralPaths }

// Request implements [Family].
func (MistralConversations) Request(_ string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1}}
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
	return r.Request, err
}

// Framing implements [Family].
func (MistralConversations) Framing(contentType string, _ wire.Request) wire.Framing {
	return wire.ByContentType(contentType)
}

// AppendFailure implements [Family].
func (MistralConversations) AppendFailure(dst []byte, f wire.Failure) []byte {
	dst = wire.AppendEscaped(append(dst, `{"object":"error","message":"`...), []byte(f.Message))
	dst = wire.AppendEscaped(append(dst, `","type":"invalid_request_error","param":null,"code":"`...), []byte(f.Code))
	return append(dst, `"}`...)
}

// Fail implements [Family].
func (MistralConversations) Fail(w *wire.Writer, f wire.Failure) { mistralFail(w, f.Message) }

// mistralFail writes the event that ends a stream with an error.
func mistralFail(w *wire.Writer, message string) {
	const kind = "conversation.response.error"
	event := wire.AppendEscaped([]byte(`{"type":"`+kind+`","message":"`), []byte(message))
	w.Message(kind, append(event, `","code":400}`...))
}

// NewEnding implements [Family].
func (MistralConversations) NewEnding() wire.Ending { return mistralEnding{} }

// mistralEnding ends a stream that was filtered. The API knows no word for that
// but an error.
type mistralEnding struct{}

// Sent implements [Ending].
func (mistralEnding) Sent([]byte) {}

// Write implements [Ending].
func (mistralEnding) Write(w *wire.Writer, open []int32) {
	if len(open) > 0 {
		mistralFail(w, "content_filter")
	}
}

var _ wire.Family = MistralConversations{}
