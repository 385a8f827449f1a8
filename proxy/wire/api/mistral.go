package api

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// fim is Mistral's completion of the middle of a text. The request is that of
// [completions], with the texts before and behind the gap. The answer is that of
// [chat].
var fim = wire.NewFamily(wire.Family{
	Name: "mistral.fim", Raw: true, Request: completionsRequest, Failure: openAIFailure,
	Ending:  chat.Ending,
	Choices: "choices", Rules: chatRules(),
})

// mistralConversations is Mistral's API of conversations and agents. An answer is a
// list of outputs: messages, and calls of the caller's functions and of Mistral's own
// tools. A stream is named events, each about one output. Mistral stores conversations,
// so a request does not show the earlier messages.
var mistralConversations = wire.NewFamily(wire.Family{
	Name: "mistral.conversations", Request: mistralRequest, Silent: true,
	Failure: mistralFailure, StreamFailure: mistralStreamFailure,
	Ending: func() wire.Ending { return mistralEnding{} },
	Events: mistralEvents, Rules: mistralRules(),
})

// mistralDone is the kind of a stream's last event.
const mistralDone = "conversation.response.done"

// mistralEvents are the kinds of events that have no rules of their own.
var mistralEvents = []string{"conversation.response.started", "conversation.response.error", "agent.handoff.started", "agent.handoff.done"}

// mistralRules is the table of answers. An event has the new part of an output and, in
// a member beside it, the output's number. The text parts of a message are one text,
// and its thoughts are another.
func mistralRules() []wire.Rule {
	rules := []wire.Rule{
		wire.NoText("object"),
		wire.NoText("type"),
		wire.NoText("conversation_id"),
		wire.CompleteAt("message", "message"),
		wire.EndReason("type", "").For(mistralDone),
	}
	for _, kind := range []string{"message.output.delta", "function.call.delta", "tool.execution.started", "tool.execution.delta", "tool.execution.done"} {
		rules = append(rules, wire.ItemNumber("output_index").For(kind))
	}
	for _, at := range []string{"", "outputs[#].", "entries[#].", "messages[#]."} {
		for _, member := range []string{"object", "type", "model", "role", "agent_id", "created_at", "completed_at", "confirmation_status"} {
			if at != "" || member != "object" && member != "type" {
				rules = append(rules, wire.NoText(at+member))
			}
		}
		if at == "" {
			rules = append(rules, wire.NoText("id"))
		} else {
			rules = append(rules, wire.IDAt(at+"id", "ids"))
		}
		rules = append(rules,
			wire.IDAt(at+"tool_call_id", "tool_call_ids"),
			wire.CompleteAt(at+"name", "outputs.#.name").Label(),
			wire.TextAt(at+"arguments", "outputs.#.arguments").As(wire.Nested),
			wire.TextAt(at+"content", "outputs.#.content").As(wire.Reply),
		)
		for _, part := range []string{"content.", "content[]."} {
			rules = append(rules,
				wire.NoText(at+part+"type"),
				wire.TextAt(at+part+"text", "outputs.#.content").As(wire.Reply),
				wire.TextAt(at+part+"thinking", "outputs.#.thinking"),
				wire.NoText(at+part+"thinking[].type"),
				wire.TextAt(at+part+"thinking[].text", "outputs.#.thinking"),
			)
		}
	}
	return rules
}

// mistralRequest reads a request.
func mistralRequest(path string, body []byte) (wire.Request, error) {
	r, err := readRequest(body, func(r *request, name string, v jsontext.Value) error {
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
		case name == "agent_id":
			r.Stored = r.Stored || holds(v)
			r.visible(v)
		default:
			r.visible(v)
		}
		return nil
	})
	r.Stored = r.Stored || strings.Contains(path, "/conversations/")
	return r, err
}

// mistralFailure appends an error body.
func mistralFailure(dst []byte, f wire.Failure) []byte {
	return fill(dst, `{"object":"error","message":"%s","type":"%s","param":null,"code":"%s"}`, f.Message, f.Type(), f.Code)
}

// mistralStreamFailure ends a stream with an error.
func mistralStreamFailure(w *wire.Writer, f wire.Failure) { mistralFail(w, f.Message) }

// mistralFail writes the event that ends a stream with an error.
func mistralFail(w *wire.Writer, message string) {
	const kind = "conversation.response.error"
	w.Message(kind, fill(nil, `{"type":"%s","message":"%s","code":400}`, kind, message))
}

// mistralEnding ends a filtered stream. The API has no reason for filtered answers, so
// the stream ends with an error.
type mistralEnding struct{}

// Sent implements [Ending].
func (mistralEnding) Sent([]byte) {}

// Write implements [Ending].
func (mistralEnding) Write(w *wire.Writer, open []int32) {
	if len(open) > 0 {
		mistralFail(w, "content_filter")
	}
}
