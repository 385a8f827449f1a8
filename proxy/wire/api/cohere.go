package api

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// cohereChat is Cohere's chat, version 2. A stream is named events, each about one
// block: its start, a piece of it, or its end. Content blocks and tool calls are
// numbered separately.
var cohereChat = wire.NewFamily(wire.Family{
	Name: "cohere.chat", Request: cohereRequest,
	Failure: cohereFailure, StreamFailure: cohereStreamFailure,
	Ending: func() wire.Ending { return &cohereEnding{} },
	Events: cohereEvents, Rules: cohereRules(),
})

// cohereEvents are the kinds of events that have no rules of their own.
var cohereEvents = []string{"message-start", "message-end", "tool-plan-delta", "citation-start", "citation-end", "debug"}

// cohereRules is the table of answers. In an event the message is in delta and has the
// changed members only; the number of the block is a member beside it.
func cohereRules() []wire.Rule {
	rules := []wire.Rule{
		wire.NoText("id"),
		wire.NoText("type"),
		wire.EndReason("finish_reason", `"ERROR"`),
		wire.EndReason("delta.finish_reason", `"ERROR"`),
		wire.DropWhenWithheld("logprobs"),
		wire.TokensAt("logprobs.text", "logprobs"),
		wire.TokensAt("logprobs[].text", "logprobs"),
		wire.DropWhenWithheld("prompt"),
	}
	for _, kind := range []string{"content-start", "content-delta", "content-end", "tool-call-start", "tool-call-delta", "tool-call-end"} {
		rules = append(rules, wire.ItemNumber("index").For(kind))
	}
	without := map[string]string{"message.": `[]`, "delta.message.": `{}`}
	for _, at := range []string{"message.", "delta.message."} {
		rules = append(rules,
			wire.NoText(at+"role"),
			wire.TextAt(at+"tool_plan", "tool_plan"),
		)
		for _, block := range []string{"content[#].", "content."} {
			rules = append(rules,
				wire.NoText(at+block+"type"),
				wire.TextAt(at+block+"text", "content.#.text").As(wire.Reply),
				wire.TextAt(at+block+"thinking", "content.#.thinking"),
			)
		}
		for _, call := range []string{"tool_calls[#].", "tool_calls."} {
			rules = append(rules,
				wire.IDAt(at+call+"id", "ids"),
				wire.NoText(at+call+"type"),
				wire.MetadataAt(at+call+"function.name", "tool_calls.#.name").Label(),
				wire.TextAt(at+call+"function.arguments", "tool_calls.#.arguments").As(wire.Nested),
			)
		}
		rules = append(rules, wire.DropWhenWithheld(at+"citations").Else(without[at]))
		rules = append(rules, cohereCitationRules(at+"citations.")...)
		rules = append(rules, cohereCitationRules(at+"citations[].")...)
	}
	return rules
}

// cohereCitationRules are the rules for a citation, which repeats a part of the answer
// and lists the sources of that part.
func cohereCitationRules(at string) []wire.Rule {
	rules := []wire.Rule{
		wire.TokensAt(at+"text", "citations.text"),
		wire.NoText(at + "type"),
	}
	for _, member := range []string{"type", "id", "document.*", "tool_output.*"} {
		rules = append(rules, wire.NoText(at+"sources[]."+member))
	}
	return rules
}

// cohereRequest reads a request of version 2.
func cohereRequest(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "messages":
			return r.conversation(v)
		default:
			r.visible(v)
		}
		return nil
	})
}

// cohereFailure appends an error body, which both versions share.
func cohereFailure(dst []byte, f wire.Failure) []byte {
	return fill(dst, `{"id":"","message":"%s","code":"%s"}`, f.Message, f.Code)
}

// cohereStreamFailure ends a stream of version 2 with an error.
func cohereStreamFailure(w *wire.Writer, f wire.Failure) {
	w.Message("message-end", fill(nil, `{"type":"message-end","delta":{"finish_reason":"ERROR","error":"%s"}}`, f.Message))
	w.Message("", []byte(wire.StreamEnd))
}

// cohereEnding ends the block that is open and then the message.
type cohereEnding struct {
	members members
	open    string // the kind of the event that ends the open block; empty: none is open
	block   int64
}

// Sent implements [Ending].
func (e *cohereEnding) Sent(payload []byte) {
	kind, block := cohereOther, int32(0)
	for e.members.open(payload); e.members.next(); {
		switch v := e.members.value; {
		case string(e.members.name) == "type":
			kind = e.kind(v)
		case string(e.members.name) == "index" && v.Kind() == '0':
			block = numberOf(v)
		}
	}
	switch kind {
	case cohereContent:
		e.open, e.block = "content-end", int64(block)
	case cohereCall:
		e.open, e.block = "tool-call-end", int64(block)
	case cohereEnd:
		e.open = ""
	}
}

// cohereKind is the effect of an event on the blocks that are open.
type cohereKind uint8

const (
	cohereOther   cohereKind = iota
	cohereContent            // a part of the message begins
	cohereCall               // a call begins
	cohereEnd                // the open block ends
)

// kind reads the kind of an event.
func (e *cohereEnding) kind(v jsontext.Value) cohereKind {
	switch s := bytes.Trim(v, `"`); {
	case string(s) == "content-start":
		return cohereContent
	case string(s) == "tool-call-start":
		return cohereCall
	case e.open != "" && string(s) == e.open:
		return cohereEnd
	}
	return cohereOther
}

// Write implements [Ending].
func (e *cohereEnding) Write(w *wire.Writer, open []int32) {
	if e.open != "" {
		w.Message(e.open, []byte(`{"type":"`+e.open+`","index":`+strconv.FormatInt(e.block, 10)+`}`))
	}
	if len(open) > 0 {
		w.Message("message-end", []byte(`{"type":"message-end","delta":{"finish_reason":"ERROR"}}`))
	}
	w.Message("", []byte(wire.StreamEnd))
}

// cohereV1 is Cohere's first API: chat and generate. A stream is lines, each of which
// names its kind in event_type. The last line repeats the whole answer.
var cohereV1 = wire.NewFamily(wire.Family{
	Name: "cohere.v1", Request: cohereV1Request, Framing: cohereV1Framing,
	Failure: cohereFailure, StreamFailure: cohereV1StreamFailure,
	Ending:     func() wire.Ending { return cohereV1Ending{} },
	KindMember: "event_type", Events: cohereV1Events, Rules: cohereV1Rules(),
})

// cohereV1Events are the kinds of events that have no rules of their own.
var cohereV1Events = []string{"stream-start", "search-queries-generation", "search-results", "citation-generation", "stream-error", "debug"}

// cohereV1Rules is the table of answers, streamed and in one piece. A chat is one text.
// The answer of generate has several texts, and their numbers are items.
func cohereV1Rules() []wire.Rule {
	rules := []wire.Rule{
		wire.NoText("event_type"),
		wire.TextAt("text", "text").As(wire.Reply),
		wire.ItemNumber("index").For("text-generation"),
		wire.ItemNumber("index").For("stream-end"),
		wire.TextAt("text", "tool_plan").For("tool-calls-chunk"),
		wire.ItemNumber("tool_call_delta.index").For("tool-calls-chunk"),
		wire.MetadataAt("tool_call_delta.name", "tool_calls.#.name").Label().For("tool-calls-chunk"),
		wire.TextAt("tool_call_delta.parameters", "tool_calls.#.parameters").As(wire.Nested).For("tool-calls-chunk"),
		wire.TextAt("tool_call_delta.text", "tool_plan").For("tool-calls-chunk"),
		wire.CompleteAt("text", "tool_plan.again").For("tool-calls-generation"),
		wire.CompleteAt("search_queries[].text", "search_queries"),
		wire.NoText("search_queries[].generation_id"),
		wire.NoText("documents[].id"),
		wire.NoText("documents[].url"),
		wire.NoText("documents[].timestamp"),
		wire.CompleteAt("err", "err"),
		wire.FinalAt("response.text", "text").As(wire.Reply),
		wire.ElementNumber("response.generations[#].index"),
		wire.FinalAt("response.generations[#].text", "text").As(wire.Reply),
		wire.ElementNumber("generations[#].index"),
		wire.TextAt("generations[#].text", "text").As(wire.Reply),
	}
	for _, at := range []string{"", "response."} {
		rules = append(rules,
			wire.NoText(at+"id"),
			wire.NoText(at+"generation_id"),
			wire.NoText(at+"response_id"),
			wire.EndReason(at+"finish_reason", `"ERROR_TOXIC"`),
			wire.NoText(at+"chat_history[].role"),
			wire.CompleteAt(at+"chat_history[].message", "chat_history"),
			wire.NoText(at+"chat_history[].tool_calls[].name"),
			wire.CompleteAt(at+"chat_history[].tool_calls[].parameters", "chat_history").As(wire.Nested),
			wire.MetadataAt(at+"tool_calls[#].name", "tool_calls.#.name").Label(),
			wire.FinalAt(at+"tool_calls[#].parameters", "tool_calls.#.parameters").As(wire.Nested),
			wire.DropWhenWithheld(at+"citations").Else(`[]`),
			wire.TokensAt(at+"citations[].text", "citations.text"),
			wire.NoText(at+"citations[].type"),
			wire.NoText(at+"citations[].document_ids[]"),
			wire.NoText(at+"generations[#].id"),
			wire.NoText(at+"generations[#].finish_reason").Reason(),
			wire.DropWhenWithheld(at+"generations[#].token_likelihoods"),
			wire.TokensAt(at+"generations[#].token_likelihoods[].token", "token_likelihoods"),
			wire.NoText(at+"meta.api_version.version"),
			wire.CompleteAt(at+"prompt", "prompt"),
		)
	}
	return rules
}

// cohereV1Request reads a request of the first version.
func cohereV1Request(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "prompt", name == "message":
			r.prompt(v)
		default:
			r.visible(v)
		}
		return nil
	})
}

// cohereV1Framing: a stream is lines, even if its content type says otherwise.
func cohereV1Framing(contentType string, r wire.Request) wire.Framing {
	if f := wire.ByContentType(contentType); f != wire.JSON || !r.Stream {
		return f
	}
	return wire.Lines
}

// cohereV1StreamFailure ends a stream of the first version with an error.
func cohereV1StreamFailure(w *wire.Writer, f wire.Failure) {
	w.Message("", fill(nil, `{"event_type":"stream-error","is_finished":true,"finish_reason":"ERROR","err":"%s"}`, f.Message))
}

// cohereV1Ending ends a filtered stream. Its last line does not repeat the answer.
type cohereV1Ending struct{}

// Sent implements [Ending].
func (cohereV1Ending) Sent([]byte) {}

// Write implements [Ending].
func (cohereV1Ending) Write(w *wire.Writer, open []int32) {
	if len(open) > 0 {
		w.Message("", []byte(`{"event_type":"stream-end","is_finished":true,"finish_reason":"ERROR_TOXIC","response":{"text":"","generations":[]}}`))
	}
}
