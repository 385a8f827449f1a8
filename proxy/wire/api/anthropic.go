package api

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// anthropic is the Anthropic Messages API and the servers that speak it: Vertex at
// paths of its own, vLLM, llama.cpp and Ollama at the same path. An answer is a list of
// content blocks. A stream announces a block, adds deltas to it and ends it before the
// next block begins. So all buffered bytes of a block leave before its end.
//
// Citations cut an answer's text into many blocks, in the middle of a sentence, and the
// caller can ask for them. So all text blocks are one channel, which is one text to the
// detector. Tool inputs and thoughts are channels of their own.
var anthropic = wire.NewFamily(wire.Family{
	Name: "anthropic.messages", Request: anthropicRequest,
	Failure: anthropicFailure, FailureEvent: "error",
	Ending: func() wire.Ending { return &anthropicEnding{} },
	Events: []string{"message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop", "ping"},
	Rules:  anthropicRules(),
})

// anthropicRules is the table of messages, which come alone or at the start of a
// stream, and of the events of a stream. A block is in the member content of a message
// or in content_block, and its deltas are in delta. The names of these three do not
// clash, so each member that names a kind is trusted in one place only. A text that
// every citation and result has shares a channel, since answers have hundreds of them.
func anthropicRules() []wire.Rule {
	rules := []wire.Rule{
		wire.EndReason("type", "").For("content_block_stop"),
		wire.NoText("type"),
		wire.ItemNumber("index"),
		wire.NoText("request_id"),
		wire.NoText("error.type"),
		wire.NoText("usage.service_tier"),
		wire.NoText("delta.type"),
		wire.TextAt("delta.text", "content.text").As(wire.Reply),
		wire.TextAt("delta.thinking", "content.#.thinking"),
		wire.DropWhenWithheld("delta.signature").InItem().Else(`""`),
		wire.TextAt("delta.partial_json", "content.#.input").As(wire.Nested),
		wire.TextAt("delta.content", "content.#.content"),
		wire.DropMessageWhenWithheld("delta.citation").InItem(),
		wire.NoText("delta.citation.type"),
		wire.MetadataAt("delta.citation.*", "content.citation"),
		wire.EndReason("delta.stop_reason", `"refusal"`),
	}
	for _, at := range []string{"", "message."} {
		rules = append(rules,
			wire.NoText(at+"id"),
			wire.NoText(at+"role"),
			wire.NoText(at+"model"),
			wire.EndReason(at+"stop_reason", `"refusal"`),
		)
	}
	rules = append(rules, wire.NoText("message.type"), wire.NoText("message.usage.service_tier"))
	for _, at := range []string{"content[#].", "message.content[#].", "content_block."} {
		rules = append(rules,
			wire.NoText(at+"type"),
			wire.IDAt(at+"id", "ids"),
			wire.IDAt(at+"tool_use_id", "ids"),
			wire.MetadataAt(at+"name", "content.name").Label(),
			wire.TextAt(at+"text", "content.text").As(wire.Reply),
			wire.DropWhenWithheld(at+"citations").InItem(),
			wire.NoText(at+"citations[].type"),
			wire.MetadataAt(at+"citations[].*", "content.citation"),
			wire.TextAt(at+"thinking", "content.#.thinking"),
			wire.DropWhenWithheld(at+"signature").InItem().Else(`""`),
			wire.TextAt(at+"content", "content.#.content"),
			wire.NoText(at+"content.type"),
			wire.MetadataAt(at+"content.*", "content.result"),
			wire.NoText(at+"content[].type"),
			wire.MetadataAt(at+"content[].*", "content.result"),
		)
	}
	return append(rules,
		wire.TextAt("content[#].input", "content.#.input").As(wire.Nested),
		wire.TextAt("message.content[#].input", "content.#.input").As(wire.Nested),
		// The input that a stream announces is empty. Should a server send an input
		// here, it is complete: the pieces behind it do not continue it.
		wire.MetadataAt("content_block.input", "content.start").Label().As(wire.Nested),
	)
}

// anthropicFailure appends the error body of Anthropic's APIs, whose clients look at
// its type.
func anthropicFailure(dst []byte, f wire.Failure) []byte {
	kind := f.Type()
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
	}
	return fill(dst, `{"type":"error","error":{"type":"%s","message":"%s"}}`, kind, f.Message)
}

// anthropicEnding ends the open blocks, then the message with the stop_reason
// of filtered answers, and the stream.
type anthropicEnding struct {
	state anthropicState
	open  []int64 // blocks
	usage []byte  // the members of the last usage that are numbers
}

// anthropicState is the newest step of the stream that has left.
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
		return // most messages are deltas, which change nothing here
	}
	var kind string
	var members struct{ index, message, delta, usage jsontext.Value }
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
		switch name {
		case "type":
			kind = string(stringOf(v))
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

// noteUsage keeps the numbers of an answer's usage.
func (e *anthropicEnding) noteUsage(usage jsontext.Value) {
	if usage.Kind() != '{' {
		return
	}
	e.usage = append(e.usage[:0], '{')
	_ = eachMember(usage, func(name string, v jsontext.Value) error {
		if v.Kind() == '0' && wire.IsIdentifier([]byte(name)) {
			e.usage = append(append(append(e.usage, '"'), name...), `":`...)
			e.usage = append(append(e.usage, bytes.TrimSpace(v)...), ',')
		}
		return nil
	})
	e.usage = append(bytes.TrimSuffix(e.usage, []byte{','}), '}')
}

// Write implements [Ending]. A stream of this API begins with message_start. If noecho
// ends a stream before that event has left, Write writes the event too.
func (e *anthropicEnding) Write(w *wire.Writer, _ []int32) {
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

// modelInPath splits the last segment of a path at its colon, as Vertex uses it: the
// model is before the colon, the verb behind it.
func modelInPath(path string) (model, verb string) {
	_, last, ok := strings.Cut(path, "/models/")
	if i := strings.LastIndexByte(last, ':'); ok && i >= 0 {
		return last[:i], last[i+1:]
	}
	return "", ""
}

// anthropicRequest reads a request. The tail is the text of the last message: if that
// message is the assistant's, the answer continues it in the middle of a word. Vertex
// names the model and asks for a stream in the path.
func anthropicRequest(path string, body []byte) (wire.Request, error) {
	r, err := readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "messages":
			return anthropicTurns(r, v)
		case name == "system":
			if text := appendBlocks(nil, v); len(text) > 0 {
				r.Messages = append(r.Messages, text)
			}
		case name == "output_config":
			format := memberOf(v, "format")
			r.Schema = r.Schema || wantsJSON(format)
			r.visible(v)
		case name == "output_format":
			r.Schema = r.Schema || wantsJSON(v)
			r.visible(v)
		case name == "metadata", name == "container":
		default:
			r.visible(v)
		}
		return nil
	})
	if model, verb := modelInPath(path); verb != "" {
		r.Stream = r.Stream || verb == "streamRawPredict"
		if r.Model == "" {
			r.Model = model
		}
	}
	return r, err
}

// anthropicTurns reads the messages of a conversation.
func anthropicTurns(r *request, v jsontext.Value) error {
	return validElements(v, func(v jsontext.Value) error {
		content := memberOf(v, "content")
		if text := appendBlocks(nil, content); len(text) > 0 {
			r.Messages = append(r.Messages, text)
		}
		r.Tail = appendTail(nil, content)
		return nil
	})
}

// appendTail appends the texts of a message without anything between them, as the model
// reads them: those of text blocks and of the results of tools.
func appendTail(dst []byte, content jsontext.Value) []byte {
	if content.Kind() == '"' {
		return wire.AppendText(dst, bytes.TrimSpace(content))
	}
	_ = validElements(content, func(block jsontext.Value) error { // content is valid
		return validMembers(block, func(name string, v jsontext.Value) error {
			switch {
			case name == "text" && v.Kind() == '"':
				dst = wire.AppendText(dst, v)
			case name == "content":
				dst = appendTail(dst, v)
			}
			return nil
		})
	})
	return dst
}

// appendBlocks appends the texts of content, one a line: those of blocks of every kind,
// and the inputs of tools as their JSON text. It leaves out members that name something
// or that are encrypted. The data of a source is text if its type says so.
func appendBlocks(dst []byte, v jsontext.Value) []byte { return readBlocks(validDecoder(v), dst) }

// readBlocks is appendBlocks for the next value of a decoder.
func readBlocks(dec *jsontext.Decoder, dst []byte) []byte {
	switch dec.PeekKind() {
	case '"':
		return appendLine(dst, dec)
	case '[', '{':
		kind, data := "", []byte(nil)
		inside(dec, func(name string) {
			switch name {
			case "type":
				v, _ := dec.ReadValue() // inside sees an error
				kind = string(stringOf(v))
			case "role", "id", "tool_use_id", "signature", "cache_control", "file_id", "media_type",
				"encrypted_content", "encrypted_index", "encrypted_stdout":
				_ = dec.SkipValue() // inside sees an error
			case "data":
				data = readBlocks(dec, nil)
			case "input":
				if dec.PeekKind() != '"' { // matched as its JSON text
					v, _ := dec.ReadValue() // inside sees an error
					dst = append(append(dst, '\n'), bytes.TrimSpace(v)...)
					return
				}
				dst = readBlocks(dec, dst)
			default:
				dst = readBlocks(dec, dst)
			}
		})
		if kind == "text" && len(data) > 0 {
			if len(dst) > 0 {
				dst = append(dst, '\n')
			}
			dst = append(dst, data...)
		}
	default:
		_ = dec.SkipValue() // inside sees an error
	}
	return dst
}

// anthropicComplete is Anthropic's legacy Text Completions API. An answer is one text.
// A header of the request chooses between two kinds of streams: events of the type
// completion, each with the new part of the text, or bare messages, each with the whole
// text so far, ended by [DONE].
//
// A message of the type completion is a piece, as in the newer version. A message
// without a type is the whole text so far if it begins with the text of all messages
// before it, and a piece otherwise. A message of the type completion that repeats the
// whole text is still scanned as a whole, but does not wait for the text that it
// repeats.
var anthropicComplete = wire.NewFamily(wire.Family{
	Name: "anthropic.complete", Raw: true, Request: completeRequest,
	Failure: anthropicFailure, FailureEvent: "error",
	Ending: func() wire.Ending { return &completeEnding{} },
	Events: []string{"ping"},
	Rules: []wire.Rule{
		wire.TextAt("completion", "text").For("completion"),
		wire.CumulativeAt("completion", "text"),
		wire.NoText("type"),
		wire.NoText("id"),
		wire.NoText("log_id"),
		wire.NoText("model"),
		wire.NoText("request_id"),
		wire.NoText("error.type"),
		wire.EndReason("stop_reason", `"refusal"`),
	},
})

// completeRequest reads a request for a completion.
func completeRequest(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case r.common(name, v), name == "metadata":
		case name == "prompt":
			r.prompt(v)
		default:
			r.visible(v)
		}
		return nil
	})
}

// completeEnding ends a completion with a message of the same kind as the messages
// before it. The API has no stop_reason for filtered answers, so the ending uses the
// one of the Messages API.
type completeEnding struct{ last []byte }

// Sent implements [Ending].
func (e *completeEnding) Sent(payload []byte) { e.last = append(e.last[:0], payload...) }

// Write implements [Ending]. In a stream of cumulative texts it repeats the last one,
// since a client may take the last message for the answer.
func (e *completeEnding) Write(w *wire.Writer, _ []int32) {
	kind, text := "", slices.Clone(jsontext.Value(`""`))
	ended := false
	_ = eachMember(e.last, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
		switch name {
		case "type":
			kind = string(stringOf(v))
		case "completion":
			if v.Kind() == '"' {
				text = slices.Clone(v)
			}
		case "stop_reason":
			ended = v.Kind() == '"'
		}
		return nil
	})
	switch {
	case kind == "error":
	case kind != "":
		if !ended {
			w.Message("completion", []byte(`{"type":"completion","completion":"","stop_reason":"refusal","stop":null}`))
		}
	default:
		if !ended {
			payload := append([]byte(`{"completion":`), text...)
			w.Message("", append(payload, `,"stop_reason":"refusal","stop":null}`...))
		}
		w.Message("", []byte(wire.StreamEnd))
	}
}
