package api

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// OllamaChat is POST /api/chat of Ollama. It streams unless it is told not to:
// a line for each piece, the last of which is done.
type OllamaChat struct{}

// OllamaGenerate is POST /api/generate of Ollama. Its answers differ from a
// chat's in where the text stands.
type OllamaGenerate struct{}

var ollamaPaths = wire.NewPaths(wire.Table{Rules: ollamaRules()})

// ollamaRules is the table of both. The context that comes last is the answer
// and what it was asked for, as token ids. A call of a tool comes whole, its
// arguments as an object.
func ollamaRules() []wire.Rule {
	rules := []wire.Rule{
		{Path: "response", Role: wire.Text, Name: "response", Form: wire.Reply},
		{Path: "context", Role: wire.Drop, With: `[]`},
		{Path: "image", Role: wire.Skip},
		{Path: "done_reason", Role: wire.End, With: `"content_filter"`},
		{Path: "logprobs", Role: wire.Drop},
		{Path: "logprobs[].token", Role: wire.Token, Name: "logprobs"},
		{Path: "logprobs[].bytes", Role: wire.Token, Name: "logprobs.bytes", Form: wire.Bytes},
		{Path: "logprobs[].top_logprobs[@].token", Role: wire.Token, Name: "logprobs.top.#"},
		{Path: "logprobs[].top_logprobs[@].bytes", Role: wire.Token, Name: "logprobs.top.#.bytes", Form: wire.Bytes},
		{Path: "_debug_info", Role: wire.Drop},
		{Path: "message.role", Role: wire.NoText},
		{Path: "message.content", Role: wire.Text, Name: "content", Form: wire.Reply},
		{Path: "message.images", Role: wire.Skip},
	}
	for _, name := range []string{"model", "created_at", "remote_model", "remote_host"} {
		rules = append(rules, wire.Rule{Path: name, Role: wire.NoText})
	}
	for _, at := range []string{"", "message."} {
		rules = append(rules,
			wire.Rule{Path: at + "thinking", Role: wire.Text, Name: "thinking"},
			wire.Rule{Path: at + "tool_calls[#].id", Role: wire.NoText},
			wire.Rule{Path: at + "tool_calls[#].function.index", Role: wire.ElementNumber},
			wire.Rule{Path: at + "tool_calls[#].function.name", Role: wire.Metadata, Name: "tool_calls.#.name"},
			wire.Rule{Path: at + "tool_calls[#].function.arguments", Role: wire.Text, Name: "tool_calls.#.arguments", Form: wire.Nested},
		)
	}
	return rules
}

// Name implements [Family].
func (OllamaChat) Name() string { return "ollama.chat" }

// Name implements [Family].
func (OllamaGenerate) Name() string { return "ollama.generate" }

// Paths implements [Family].
func (OllamaChat) Paths() *wire.Paths { return ollamaPaths }

// Paths implements [Family].
func (OllamaGenerate) Paths() *wire.Paths { return ollamaPaths }

// Request implements [Family].
func (OllamaChat) Request(_ string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1, Stream: true}}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.ollama(name, v):
		case name == "messages":
			return r.conversation(v)
		default:
			r.visible(v)
		}
		return nil
	})
	return r.Request, err
}

// Request implements [Family]. A context is token ids and shows no text.
func (OllamaGenerate) Request(_ string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1, Stream: true}}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.ollama(name, v):
		case name == "prompt":
			r.prompt(v)
		case name == "suffix":
			r.Suffix = stringOf(v)
			r.visible(v)
		default:
			r.visible(v)
		}
		return nil
	})
	return r.Request, err
}

// ollama reads the members that both requests share and those that hold no
// text. It reports whether the member is done with.
func (r *request) ollama(name string, v jsontext.Value) bool {
	switch name {
	case "stream":
		r.Stream = v.Kind() != 'f'
	case "format": // "json", or a schema
		r.Schema = v.Kind() == '{' || len(stringOf(v)) > 0
		r.visible(v)
	case "model":
		r.common(name, v)
	case "images", "keep_alive":
	default:
		return false
	}
	return true
}

// Framing implements [Family].
func (OllamaChat) Framing(contentType string, r wire.Request) wire.Framing {
	return streamedLines(contentType, r)
}

// Framing implements [Family].
func (OllamaGenerate) Framing(contentType string, r wire.Request) wire.Framing {
	return streamedLines(contentType, r)
}

// AppendFailure implements [Family].
func (OllamaChat) AppendFailure(dst []byte, f wire.Failure) []byte { return appendBareFailure(dst, f) }

// AppendFailure implements [Family].
func (OllamaGenerate) AppendFailure(dst []byte, f wire.Failure) []byte {
	return appendBareFailure(dst, f)
}

// appendBareFailure appends an error that is a message and nothing else.
func appendBareFailure(dst []byte, f wire.Failure) []byte {
	return append(wire.AppendEscaped(append(dst, `{"error":"`...), []byte(f.Message)), `"}`...)
}

// Fail implements [Family].
func (OllamaChat) Fail(w *wire.Writer, f wire.Failure) { w.Message("", appendBareFailure(nil, f)) }

// Fail implements [Family].
func (OllamaGenerate) Fail(w *wire.Writer, f wire.Failure) { w.Message("", appendBareFailure(nil, f)) }

// NewEnding implements [Family].
func (OllamaChat) NewEnding() wire.Ending {
	return &ollamaEnding{text: `"message":{"role":"assistant","content":""}`}
}

// NewEnding implements [Family].
func (OllamaGenerate) NewEnding() wire.Ending { return &ollamaEnding{text: `"response":""`} }

// ollamaEnding ends a stream with a line that is done and has the given text.
type ollamaEnding struct {
	text    string
	members members
	head    []byte // members that every line has, each followed by a comma
	over    bool   // a line that is done has left
}

// Sent implements [Ending].
func (e *ollamaEnding) Sent(payload []byte) {
	e.head = e.head[:0]
	for e.members.open(payload); e.members.next(); {
		switch v := bytes.TrimSpace(e.members.value); string(e.members.name) {
		case "model", "created_at":
			if v[0] == '"' && wire.Identifier(v[1:len(v)-1]) {
				e.head = append(append(append(e.head, '"'), e.members.name...), `":`...)
				e.head = append(append(e.head, v...), ',')
			}
		case "done":
			e.over = e.over || v[0] == 't'
		}
	}
}

// Write implements [Ending].
func (e *ollamaEnding) Write(w *wire.Writer, _ []int32) {
	if e.over {
		return
	}
	line := append(append([]byte{'{'}, e.head...), e.text...)
	w.Message("", append(line, `,"done":true,"done_reason":"content_filter"}`...))
}

var (
	_ wire.Family = OllamaChat{}
	_ wire.Family = OllamaGenerate{}
)
