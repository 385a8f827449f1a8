package wire

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// CohereChat is Cohere's chat, version 2. A stream is named events, each with
// one kind of news about one block: its start, pieces of it, its end. Blocks of
// content and tool calls are numbered each for themselves.
type CohereChat struct{}

var coherePaths = NewPaths(Table{Done: cohereDone, Events: cohereEvents, Rules: cohereRules()})

// cohereDone is the payload of a stream's last event.
const cohereDone = "[DONE]"

// cohereEvents are the kinds of events that no rule speaks of alone.
var cohereEvents = []string{"message-start", "message-end", "tool-plan-delta", "citation-start", "citation-end", "debug"}

// cohereRules is the table of answers. In pieces a message is what changes of
// it, and the number of a block stands beside it.
func cohereRules() []Rule {
	rules := []Rule{
		{Path: "id", Role: NoText},
		{Path: "type", Role: NoText},
		{Path: "finish_reason", Role: End, With: `"ERROR"`},
		{Path: "delta.finish_reason", Role: End, With: `"ERROR"`},
		{Path: "logprobs", Role: Drop},
		{Path: "logprobs.text", Role: Token, Name: "logprobs"},
		{Path: "logprobs[].text", Role: Token, Name: "logprobs"},
		{Path: "prompt", Role: Drop},
	}
	for _, kind := range []string{"content-start", "content-delta", "content-end", "tool-call-start", "tool-call-delta", "tool-call-end"} {
		rules = append(rules, Rule{When: kind, Path: "index", Role: ItemNumber})
	}
	without := map[string]string{"message.": `[]`, "delta.message.": `{}`}
	for _, at := range []string{"message.", "delta.message."} {
		rules = append(rules,
			Rule{Path: at + "role", Role: NoText},
			Rule{Path: at + "tool_plan", Role: Text, Name: "tool_plan"},
		)
		for _, block := range []string{"content[#].", "content."} {
			rules = append(rules,
				Rule{Path: at + block + "type", Role: NoText},
				Rule{Path: at + block + "text", Role: Text, Name: "content.#.text", Form: Reply},
				Rule{Path: at + block + "thinking", Role: Text, Name: "content.#.thinking"},
			)
		}
		for _, call := range []string{"tool_calls[#].", "tool_calls."} {
			rules = append(rules,
				Rule{Path: at + call + "id", Role: NoText},
				Rule{Path: at + call + "type", Role: NoText},
				Rule{Path: at + call + "function.name", Role: Metadata, Name: "tool_calls.#.name"},
				Rule{Path: at + call + "function.arguments", Role: Text, Name: "tool_calls.#.arguments", Form: Nested},
			)
		}
		rules = append(rules, Rule{Path: at + "citations", Role: Drop, With: without[at]})
		rules = append(rules, cohereCitationRules(at+"citations.")...)
		rules = append(rules, cohereCitationRules(at+"citations[].")...)
	}
	return rules
}

// cohereCitationRules are the rules for a citation, which repeats the answer
// and shows what it rests on.
func cohereCitationRules(at string) []Rule {
	rules := []Rule{
		{Path: at + "text", Role: Token, Name: "citations.text"},
		{Path: at + "type", Role: NoText},
	}
	for _, member := range []string{"type", "id", "document.*", "tool_output.*"} {
		rules = append(rules, Rule{Path: at + "sources[]." + member, Role: NoText})
	}
	return rules
}

// Name implements [Family].
func (CohereChat) Name() string { return "cohere.chat" }

// Paths implements [Family].
func (CohereChat) Paths() *Paths { return coherePaths }

// Request implements [Family].
func (CohereChat) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
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
	return r, err
}

// Framing implements [Family].
func (CohereChat) Framing(contentType string, _ Request) Framing { return ByContentType(contentType) }

// AppendFailure implements [Family].
func (CohereChat) AppendFailure(dst []byte, f Failure) []byte {
	dst = AppendEscaped(append(dst, `{"id":"","message":"`...), []byte(f.Message))
	dst = AppendEscaped(append(dst, `","code":"`...), []byte(f.Code))
	return append(dst, `"}`...)
}

// Fail implements [Family].
func (CohereChat) Fail(w *Writer, f Failure) {
	end := AppendEscaped([]byte(`{"type":"message-end","delta":{"finish_reason":"ERROR","error":"`), []byte(f.Message))
	w.Message("message-end", append(end, `"}}`...))
	w.Message("", []byte(cohereDone))
}

// NewEnding implements [Family].
func (CohereChat) NewEnding() Ending { return &cohereEnding{} }

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
func (e *cohereEnding) Write(w *Writer, open []int32) {
	if e.open != "" {
		w.Message(e.open, []byte(`{"type":"`+e.open+`","index":`+strconv.FormatInt(e.block, 10)+`}`))
	}
	if len(open) > 0 {
		w.Message("message-end", []byte(`{"type":"message-end","delta":{"finish_reason":"ERROR"}}`))
	}
	w.Message("", []byte(cohereDone))
}

var _ Family = CohereChat{}
