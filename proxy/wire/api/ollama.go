package api

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// ollamaChat is POST /api/chat of Ollama. It streams unless the request turns that off:
// each line has a piece, and the last line has done set to true.
var ollamaChat = wire.NewFamily(wire.Family{
	Name: "ollama.chat", Request: ollamaChatRequest, Framing: streamedLines, Failure: ollamaFailure, Silent: true,
	Ending: func() wire.Ending { return &ollamaEnding{text: `"message":{"role":"assistant","content":""}`} },
	Rules:  ollamaRules(),
})

// ollamaGenerate is POST /api/generate of Ollama. Only the place of the text differs
// from a chat's answers.
var ollamaGenerate = wire.NewFamily(wire.Family{
	Name: "ollama.generate", Raw: true, Request: ollamaGenerateRequest, Framing: streamedLines, Failure: ollamaFailure, Silent: true,
	Ending: func() wire.Ending { return &ollamaEnding{text: `"response":""`} },
	Rules:  ollamaRules(),
})

// ollamaRules is the table of both. The context at the end is the prompt and the answer
// as token ids. A call of a tool comes in one piece, with an object of arguments.
func ollamaRules() []wire.Rule {
	rules := []wire.Rule{
		wire.TextAt("response", "response").As(wire.Reply),
		wire.DropWhenWithheld("context").Else(`[]`),
		wire.SkipAt("image"),
		wire.EndReason("done_reason", `"content_filter"`),
		wire.DropWhenWithheld("logprobs"),
		wire.TokensAt("logprobs[].token", "logprobs"),
		wire.TokensAt("logprobs[].bytes", "logprobs.bytes").As(wire.Bytes),
		wire.TokensAt("logprobs[].top_logprobs[@].token", "logprobs.top.#"),
		wire.TokensAt("logprobs[].top_logprobs[@].bytes", "logprobs.top.#.bytes").As(wire.Bytes),
		wire.DropWhenWithheld("_debug_info"),
		wire.NoText("message.role"),
		wire.TextAt("message.content", "content").As(wire.Reply),
		wire.SkipAt("message.images"),
	}
	for _, name := range []string{"model", "created_at", "remote_model", "remote_host"} {
		rules = append(rules, wire.NoText(name))
	}
	for _, at := range []string{"", "message."} {
		rules = append(rules,
			wire.TextAt(at+"thinking", "thinking"),
			wire.IDAt(at+"tool_calls[#].id", "ids"),
			wire.ElementNumber(at+"tool_calls[#].function.index"),
			wire.MetadataAt(at+"tool_calls[#].function.name", "tool_calls.#.name").Label(),
			wire.TextAt(at+"tool_calls[#].function.arguments", "tool_calls.#.arguments").As(wire.Nested),
		)
	}
	return rules
}

// ollamaChatRequest reads a request for a chat.
func ollamaChatRequest(_ string, body []byte) (wire.Request, error) {
	r := &request{Request: wire.Request{N: 1, Stream: true}}
	return r.read(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case ollamaMember(r, name, v):
		case name == "messages":
			return r.conversation(v)
		default:
			r.visible(v)
		}
		return nil
	})
}

// ollamaGenerateRequest reads a request for a completion. Its context is token ids and
// shows no text.
func ollamaGenerateRequest(_ string, body []byte) (wire.Request, error) {
	r := &request{Request: wire.Request{N: 1, Stream: true}}
	return r.read(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case ollamaMember(r, name, v):
		case name == "prompt":
			r.prompt(v)
		case name == "context":
			r.Coded = r.Coded || holds(v)
		case name == "suffix":
			r.Suffix = stringOf(v)
			r.visible(v)
		default:
			r.visible(v)
		}
		return nil
	})
}

// ollamaMember reads the members that both requests share and those without text. It
// reports whether it has read the member.
func ollamaMember(r *request, name string, v jsontext.Value) bool {
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

// ollamaFailure appends an error body, which has a message and nothing else.
func ollamaFailure(dst []byte, f wire.Failure) []byte {
	return fill(dst, `{"error":"%s"}`, f.Message)
}

// ollamaEnding ends a stream with a line whose done is true and which has the given
// text.
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
			if v[0] == '"' && wire.IsIdentifier(v[1:len(v)-1]) {
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
