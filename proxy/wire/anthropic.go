package wire

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Anthropic is the Anthropic Messages API and the servers that speak it: Vertex
// by paths of its own, vLLM, llama.cpp and Ollama by the same one. An answer is
// a list of content blocks. A stream announces a block, adds deltas to it and
// ends it before the next one: what is held of a block leaves before its end.
//
// Citations cut an answer's text into many blocks, in the middle of a sentence,
// and the caller can ask for them. So all blocks of text are one channel. Tool
// inputs and thoughts are channels of their own.
type Anthropic struct{}

var anthropicPaths = NewPaths(Table{
	Events: []string{"message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop", "ping"},
	Rules:  anthropicRules(),
})

// anthropicRules is the table of messages: whole ones, as the start of a stream
// holds one, and the events of a stream. A block stands in content of a message
// or in content_block, and its deltas in delta; their names do not clash, so
// what an event says of its own kind is believed in one place only. What stands
// in every citation and result shares a channel: answers hold hundreds of them.
func anthropicRules() []Rule {
	rules := []Rule{
		{When: "content_block_stop", Path: "type", Role: End},
		{Path: "type", Role: NoText},
		{Path: "index", Role: ItemNumber},
		{Path: "request_id", Role: NoText},
		{Path: "error.type", Role: NoText},
		{Path: "usage.service_tier", Role: NoText},
		{Path: "delta.type", Role: NoText},
		{Path: "delta.text", Role: Text, Name: "content.text", Form: Reply},
		{Path: "delta.thinking", Role: Text, Name: "content.#.thinking"},
		{Path: "delta.signature", Role: Drop, Name: InItem, With: `""`},
		{Path: "delta.partial_json", Role: Text, Name: "content.#.input", Form: Nested},
		{Path: "delta.content", Role: Text, Name: "content.#.content"},
		{Path: "delta.citation", Role: Drop, Name: InItem, With: Gone},
		{Path: "delta.citation.type", Role: NoText},
		{Path: "delta.citation.*", Role: Metadata, Name: "content.citation"},
		{Path: "delta.stop_reason", Role: End, With: `"refusal"`},
	}
	for _, at := range []string{"", "message."} {
		rules = append(rules,
			Rule{Path: at + "id", Role: NoText},
			Rule{Path: at + "role", Role: NoText},
			Rule{Path: at + "model", Role: NoText},
			Rule{Path: at + "stop_reason", Role: End, With: `"refusal"`},
		)
	}
	rules = append(rules, Rule{Path: "message.type", Role: NoText}, Rule{Path: "message.usage.service_tier", Role: NoText})
	for _, at := range []string{"content[#].", "message.content[#].", "content_block."} {
		rules = append(rules,
			Rule{Path: at + "type", Role: NoText},
			Rule{Path: at + "id", Role: NoText},
			Rule{Path: at + "tool_use_id", Role: NoText},
			Rule{Path: at + "name", Role: Metadata, Name: "content.name"},
			Rule{Path: at + "text", Role: Text, Name: "content.text", Form: Reply},
			Rule{Path: at + "citations", Role: Drop, Name: InItem},
			Rule{Path: at + "citations[].type", Role: NoText},
			Rule{Path: at + "citations[].*", Role: Metadata, Name: "content.citation"},
			Rule{Path: at + "thinking", Role: Text, Name: "content.#.thinking"},
			Rule{Path: at + "signature", Role: Drop, Name: InItem, With: `""`},
			Rule{Path: at + "content", Role: Text, Name: "content.#.content"},
			Rule{Path: at + "content.type", Role: NoText},
			Rule{Path: at + "content.*", Role: Metadata, Name: "content.result"},
			Rule{Path: at + "content[].type", Role: NoText},
			Rule{Path: at + "content[].*", Role: Metadata, Name: "content.result"},
		)
	}
	return append(rules,
		Rule{Path: "content[#].input", Role: Text, Name: "content.#.input", Form: Nested},
		Rule{Path: "message.content[#].input", Role: Text, Name: "content.#.input", Form: Nested},
		// The input that a stream announces is empty, and its pieces do not go
		// on with it: should it be there, it is whole.
		Rule{Path: "content_block.input", Role: Metadata, Name: "content.start", Form: Nested},
	)
}

// Name implements [Family].
func (Anthropic) Name() string { return "anthropic.messages" }

// Paths implements [Family].
func (Anthropic) Paths() *Paths { return anthropicPaths }

// Framing implements [Family].
func (Anthropic) Framing(contentType string, _ Request) Framing { return ByContentType(contentType) }

// AppendFailure implements [Family].
func (Anthropic) AppendFailure(dst []byte, f Failure) []byte { return appendAnthropicFailure(dst, f) }

// Fail implements [Family].
func (Anthropic) Fail(w *Writer, f Failure) { w.Message("error", appendAnthropicFailure(nil, f)) }

// NewEnding implements [Family].
func (Anthropic) NewEnding() Ending { return &anthropicEnding{} }

// appendAnthropicFailure appends the error body of Anthropic's APIs, whose
// clients go by its type.
func appendAnthropicFailure(dst []byte, f Failure) []byte {
	kind := "invalid_request_error"
	switch f.Status {
	case 404:
		kind = "not_found_error"
	case 408:
		kind = "timeout_error"
	case 413, 431:
		kind = "request_too_large"
	case 429:
		kind = "rate_limit_error"
	case 503:
		kind = "overloaded_error"
	case 0:
		if f.Code == "upstream_error" || f.Code == "proxy_stopping" {
			kind = "api_error"
		}
	default:
		if f.Status >= 500 {
			kind = "api_error"
		}
	}
	dst = append(append(dst, `{"type":"error","error":{"type":"`...), kind...)
	dst = AppendEscaped(append(dst, `","message":"`...), []byte(f.Message))
	return append(dst, `"}}`...)
}

// anthropicEnding ends the open blocks, then the message with the stop_reason
// of filtered answers, and the stream.
type anthropicEnding struct {
	state anthropicState
	open  []int64 // blocks
	usage []byte  // the members of the last usage that are numbers
}

// anthropicState is how far a stream has come.
type anthropicState uint8

const (
	anthropicUnseen  anthropicState = iota
	anthropicBegun                  // message_start has left
	anthropicJudged                 // message_delta has left, with a stop_reason
	anthropicStopped                // message_stop has left, or an error
)

// Sent implements [Ending].
func (e *anthropicEnding) Sent(payload []byte) {
	if bytes.HasPrefix(payload, []byte(`{"type":"content_block_delta"`)) {
		return // most messages are that, and nothing is to be learnt from them
	}
	var kind string
	var members struct{ index, message, delta, usage jsontext.Value }
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
		switch name {
		case "type":
			kind = plainString(v)
		case "index":
			members.index = slices.Clone(v)
		case "message":
			members.message = slices.Clone(v)
		case "delta":
			members.delta = slices.Clone(v)
		case "usage":
			members.usage = slices.Clone(v)
		}
		return nil
	})
	switch kind {
	case "message_start":
		e.state = max(e.state, anthropicBegun)
		e.noteUsage(memberOf(members.message, "usage"))
	case "content_block_start":
		if at, err := strconv.ParseInt(string(bytes.TrimSpace(members.index)), 10, 64); err == nil && !slices.Contains(e.open, at) {
			e.open = append(e.open, at)
		}
	case "content_block_stop":
		at, _ := strconv.ParseInt(string(bytes.TrimSpace(members.index)), 10, 64)
		e.open = slices.DeleteFunc(e.open, func(n int64) bool { return n == at })
	case "message_delta":
		e.noteUsage(members.usage)
		if memberOf(members.delta, "stop_reason").Kind() == '"' {
			e.state = max(e.state, anthropicJudged)
		}
	case "message_stop", "error":
		e.state = anthropicStopped
	}
}

// noteUsage keeps the figures of an answer's usage.
func (e *anthropicEnding) noteUsage(usage jsontext.Value) {
	if usage.Kind() != '{' {
		return
	}
	e.usage = append(e.usage[:0], '{')
	_ = eachMember(usage, func(name string, v jsontext.Value) error {
		if v.Kind() == '0' && identifier([]byte(name)) {
			e.usage = append(append(append(e.usage, '"'), name...), `":`...)
			e.usage = append(append(e.usage, bytes.TrimSpace(v)...), ',')
		}
		return nil
	})
	e.usage = append(bytes.TrimSuffix(e.usage, []byte{','}), '}')
}

// Write implements [Ending]. A stream of this API has begun with message_start;
// should noecho end one that has not, it writes that too.
func (e *anthropicEnding) Write(w *Writer, _ []int32) {
	switch e.state {
	case anthropicStopped:
		return
	case anthropicUnseen:
		w.Message("message_start", []byte(`{"type":"message_start","message":{"id":"","type":"message","role":"assistant","model":"","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}`))
	}
	slices.Sort(e.open)
	for _, at := range e.open {
		w.Message("content_block_stop", append(strconv.AppendInt([]byte(`{"type":"content_block_stop","index":`), at, 10), '}'))
	}
	if e.state < anthropicJudged {
		usage := e.usage
		if !bytes.Contains(usage, []byte(`"output_tokens":`)) {
			usage = []byte(`{"output_tokens":0}`)
		}
		payload := append([]byte(`{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":`), usage...)
		w.Message("message_delta", append(payload, '}'))
	}
	w.Message("message_stop", []byte(`{"type":"message_stop"}`))
}

// plainString is the text of a string, and empty for anything else.
func plainString(v jsontext.Value) string {
	if v.Kind() != '"' {
		return ""
	}
	return string(AppendText(nil, bytes.TrimSpace(v)))
}

// memberOf is a copy of a member of an object, or nothing.
func memberOf(object jsontext.Value, want string) jsontext.Value {
	var found jsontext.Value
	_ = eachMember(object, func(name string, v jsontext.Value) error {
		if name == want {
			found = slices.Clone(v)
		}
		return nil
	})
	return found
}

// modelInPath is the model that a path names before the colon of its last
// segment, as Vertex does, and what follows the colon.
func modelInPath(path string) (model, verb string) {
	_, last, ok := strings.Cut(path, "/models/")
	if i := strings.LastIndexByte(last, ':'); ok && i >= 0 {
		return last[:i], last[i+1:]
	}
	return "", ""
}

var _ Family = Anthropic{}
