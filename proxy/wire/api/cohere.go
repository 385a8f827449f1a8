package api

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// CohereChat is Cohere's chat, version 2. A stream is named events, each with
// one kind of news about one block: its start, pieces of it, its end. Blocks of
// content and tool calls are numbered each for themselves.
type CohereChat struct{}

var coherePaths = wire.NewPaths(wire.Table{Done: cohereDone, Events: cohereEvents, Rules: cohereRules()})

// cohereDone is the payload of a stream's last event.
const cohereDone = "[DONE]"

// cohereEvents are the kinds of events that no rule speaks of alone.
var cohereEvents = []string{"message-start", "message-end", "tool-plan-delta", "citation-start", "citation-end", "debug"}

// cohereRules is the table of answers. In pieces a message is what changes of
// it, and the number of a block stands beside it.
func cohereRules() []wire.Rule {
	rules := []wire.Rule{
		{Path: "id", Role: wire.NoText},
		{Path: "type", Role: wire.NoText},
		{Path: "finish_reason", Role: wire.End, With: `"ERROR"`},
		{Path: "delta.finish_reason", Role: wire.End, With: `"ERROR"`},
		{Path: "logprobs", Role: wire.Drop},
		{Path: "logprobs.text", Role: wire.Token, Name: "logprobs"},
		{Path: "logprobs[].text", Role: wire.Token, Name: "logprobs"},
		{Path: "prompt", Role: wire.Drop},
	}
	for _, kind := range []string{"content-start", "content-delta", "content-end", "tool-call-start", "tool-call-delta", "tool-call-end"} {
		rules = append(rules, wire.Rule{When: kind, Path: "index", Role: wire.ItemNumber})
	}
	without := map[string]string{"message.": `[]`, "delta.message.": `{}`}
	for _, at := range []string{"message.", "delta.message."} {
		rules = append(rules,
			wire.Rule{Path: at + "role", Role: wire.NoText},
			wire.Rule{Path: at + "tool_plan", Role: wire.Text, Name: "tool_plan"},
		)
		for _, block := range []string{"content[#].", "content."} {
			rules = append(rules,
				wire.Rule{Path: at + block + "type", Role: wire.NoText},
				wire.Rule{Path: at + block + "text", Role: wire.Text, Name: "content.#.text", Form: wire.Reply},
				wire.Rule{Path: at + block + "thinking", Role: wire.Text, Name: "content.#.thinking"},
			)
		}
		for _, call := range []string{"tool_calls[#].", "tool_calls."} {
			rules = append(rules,
				wire.Rule{Path: at + call + "id", Role: wire.NoText},
				wire.Rule{Path: at + call + "type", Role: wire.NoText},
				wire.Rule{Path: at + call + "function.name", Role: wire.Metadata, Name: "tool_calls.#.name"},
				wire.Rule{Path: at + call + "function.arguments", Role: wire.Text, Name: "tool_calls.#.arguments", Form: wire.Nested},
			)
		}
		rules = append(rules, wire.Rule{Path: at + "citations", Role: wire.Drop, With: without[at]})
		rules = append(rules, cohereCitationRules(at+"citations.")...)
		rules = append(rules, cohereCitationRules(at+"citations[].")...)
	}
	return rules
}

// cohereCitationRules are the rules for a citation, which repeats the answer
// and shows what it rests on.
func cohereCitationRules(at string) []wire.Rule {
	rules := []wire.Rule{
		{Path: at + "text", Role: wire.Token, Name: "citations.text"},
		{Path: at + "type", Role: wire.NoText},
	}
	for _, member := range []string{"type", "id", "document.*", "tool_output.*"} {
		rules = append(rules, wire.Rule{Path: at + "sources[]." + member, Role: wire.NoText})
	}
	return rules
}

// Name implements [Family].
func (CohereChat) Name() string { return "cohere.chat" }

// Paths implements [Family].
func (CohereChat) Paths() *wire.Paths { return coherePaths }

// Request implements [Family].
func (CohereChat) Request(_ string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1}}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "messages":
			return r.conversation(v)
		default:
			r.visible(v)
		}
		return nil
	})
	return r.Request, err
}

// Framing implements [Family].
func (CohereChat) Framing(contentType string, _ wire.Request) wire.Framing {
	return wire.ByContentType(contentType)
}

// AppendFailure implements [Family].
func (CohereChat) AppendFailure(dst []byte, f wire.Failure) []byte {
	dst = wire.AppendEscaped(append(dst, `{"id":"","message":"`...), []byte(f.Message))
	dst = wire.AppendEscaped(append(dst, `","code":"`...), []byte(f.Code))
	return append(dst, `"}`...)
}

// Fail implements [Family].
func (CohereChat) Fail(w *wire.Writer, f wire.Failure) {
	end := wire.AppendEscaped([]byte(`{"type":"message-end","delta":{"finish_reason":"ERROR","error":"`), []byte(f.Message))
	w.Message("message-end", append(end, `"}}`...))
	w.Message("", []byte(cohereDone))
}

// NewEnding implements [Family].
func (CohereChat) NewEnding() wire.Ending { return &cohereEnding{} }

// cohereEnding ends the block that is open and then the message.
type cohereEnding struct {
	members members
	open    string // the kind of the event that ends it; empty: none
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

// cohereKind is what an event means for what is open.
type cohereKind uint8

const (
	cohereOther   cohereKind = iota
	cohereContent            // a part of the message begins
	cohereCall               // a call begins
	cohereEnd                // what is open ends
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
	w.Message("", []byte(cohereDone))
}

var _ wire.Family = CohereChat{}

// CohereV1 is Cohere's first API: chat and generate. A stream is lines that say
// with event_type what they are; the last one repeats the whole answer.
type CohereV1 struct{}

var cohereV1Paths = wire.NewPaths(wire.Table{Kind: "event_type", Events: cohereV1Events, Rules: cohereV1Rules()})

// cohereV1Events are the kinds of events that no rule speaks of alone.
var cohereV1Events = []string{"stream-start", "search-queries-generation", "search-results", "citation-generation", "stream-error", "debug"}

// cohereV1Rules is the table of answers, streamed and in one piece. A chat is
// one text; generate has several, whose numbers are items.
func cohereV1Rules() []wire.Rule {
	rules := []wire.Rule{
		{Path: "event_type", Role: wire.NoText},
		{Path: "text", Role: wire.Text, Name: "text", Form: wire.Reply},
		{When: "text-generation", Path: "index", Role: wire.ItemNumber},
		{When: "stream-end", Path: "index", Role: wire.ItemNumber},
		{When: "tool-calls-chunk", Path: "text", Role: wire.Text, Name: "tool_plan"},
		{When: "tool-calls-chunk", Path: "tool_call_delta.index", Role: wire.ItemNumber},
		{When: "tool-calls-chunk", Path: "tool_call_delta.name", Role: wire.Metadata, Name: "tool_calls.#.name"},
		{When: "tool-calls-chunk", Path: "tool_call_delta.parameters", Role: wire.Text, Name: "tool_calls.#.parameters", Form: wire.Nested},
		{When: "tool-calls-chunk", Path: "tool_call_delta.text", Role: wire.Text, Name: "tool_plan"},
		{When: "tool-calls-generation", Path: "text", Role: wire.Complete, Name: "tool_plan.again"},
		{Path: "search_queries[].text", Role: wire.NoText},
		{Path: "search_queries[].generation_id", Role: wire.NoText},
		{Path: "documents[].*", Role: wire.NoText},
		{Path: "err", Role: wire.Complete, Name: "err"},
		{Path: "response.text", Role: wire.Final, Name: "text", Form: wire.Reply},
		{Path: "response.generations[#].index", Role: wire.ElementNumber},
		{Path: "response.generations[#].text", Role: wire.Final, Name: "text", Form: wire.Reply},
		{Path: "generations[#].index", Role: wire.ElementNumber},
		{Path: "generations[#].text", Role: wire.Text, Name: "text", Form: wire.Reply},
	}
	for _, at := range []string{"", "response."} {
		rules = append(rules,
			wire.Rule{Path: at + "id", Role: wire.NoText},
			wire.Rule{Path: at + "generation_id", Role: wire.NoText},
			wire.Rule{Path: at + "response_id", Role: wire.NoText},
			wire.Rule{Path: at + "finish_reason", Role: wire.End, With: `"ERROR_TOXIC"`},
			wire.Rule{Path: at + "chat_history[].role", Role: wire.NoText},
			wire.Rule{Path: at + "chat_history[].message", Role: wire.Complete, Name: "chat_history"},
			wire.Rule{Path: at + "chat_history[].tool_calls[].name", Role: wire.NoText},
			wire.Rule{Path: at + "chat_history[].tool_calls[].parameters", Role: wire.Complete, Name: "chat_history", Form: wire.Nested},
			wire.Rule{Path: at + "tool_calls[#].name", Role: wire.Metadata, Name: "tool_calls.#.name"},
			wire.Rule{Path: at + "tool_calls[#].parameters", Role: wire.Final, Name: "tool_calls.#.parameters", Form: wire.Nested},
			wire.Rule{Path: at + "citations", Role: wire.Drop, With: `[]`},
			wire.Rule{Path: at + "citations[].text", Role: wire.Token, Name: "citations.text"},
			wire.Rule{Path: at + "citations[].type", Role: wire.NoText},
			wire.Rule{Path: at + "citations[].document_ids[]", Role: wire.NoText},
			wire.Rule{Path: at + "generations[#].id", Role: wire.NoText},
			wire.Rule{Path: at + "generations[#].finish_reason", Role: wire.NoText},
			wire.Rule{Path: at + "generations[#].token_likelihoods", Role: wire.Drop},
			wire.Rule{Path: at + "generations[#].token_likelihoods[].token", Role: wire.Token, Name: "token_likelihoods"},
			wire.Rule{Path: at + "meta.api_version.version", Role: wire.NoText},
			wire.Rule{Path: at + "prompt", Role: wire.Complete, Name: "prompt"},
		)
	}
	return rules
}

// Name implements [Family].
func (CohereV1) Name() string { return "cohere.v1" }

// Paths implements [Family].
func (CohereV1) Paths() *wire.Paths { return cohereV1Paths }

// Request implements [Family].
func (CohereV1) Request(_ string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1}}
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
	return r.Request, err
}

// Framing implements [Family]: a stream is lines, whatever it is called.
func (CohereV1) Framing(contentType string, r wire.Request) wire.Framing {
	if f := wire.ByContentType(contentType); f != wire.JSON || !r.Stream {
		return f
	}
	return wire.Lines
}

// AppendFailure implements [Family].
func (CohereV1) AppendFailure(dst []byte, f wire.Failure) []byte {
	return CohereChat{}.AppendFailure(dst, f)
}

// Fail implements [Family].
func (CohereV1) Fail(w *wire.Writer, f wire.Failure) {
	end := wire.AppendEscaped([]byte(`{"event_type":"stream-error","is_finished":true,"finish_reason":"ERROR","err":"`), []byte(f.Message))
	w.Message("", append(end, `"}`...))
}

// NewEnding implements [Family].
func (CohereV1) NewEnding() wire.Ending { return cohereV1Ending{} }

// cohereV1Ending ends a stream that was filtered. What has left is not
// repeated: the answer in the last line is empty.
type cohereV1Ending struct{}

// Sent implements [Ending].
func (cohereV1Ending) Sent([]byte) {}

// Write implements [Ending].
func (cohereV1Ending) Write(w *wire.Writer, open []int32) {
	if len(open) > 0 {
		w.Message("", []byte(`{"event_type":"stream-end","is_finished":true,"finish_reason":"ERROR_TOXIC","response":{"text":"","generations":[]}}`))
	}
}

var _ wire.Family = CohereV1{}
