package api

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// Generic is any API that answers with JSON, with a stream of it or with plain
// text. Every string is taken for text of the answer: in a stream, those at one
// path are one text, whose pieces come in one message after the other.
type Generic struct{}

var genericPaths = wire.NewPaths(genericTable())

// genericTable knows no place but what nearly all APIs call alike.
func genericTable() wire.Table {
	t := wire.Table{Done: openAIDone, Rest: wire.Text}
	for _, list := range []string{"choices", "candidates", "outputs", "generations"} {
		t.Rules = append(t.Rules, wire.Rule{Path: list + "[#].index", Role: wire.ElementNumber})
	}
	// Short texts that every message has: decided at its end, so that they never
	// hold it. A leak that is spread over them is found from its n-th word on.
	for _, name := range []string{
		"id", "object", "type", "event", "event_type", "kind", "role", "model", "model_name", "model_version", "version",
		"finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "status", "state",
		"created", "timestamp", "system_fingerprint", "service_tier", "obfuscation",
	} {
		t.Anywhere = append(t.Anywhere, wire.Rule{Path: name, Role: wire.Complete})
	}
	for _, name := range []string{
		"logprobs", "top_logprobs", "prompt_logprobs", "token_logprobs", "completion_probabilities", "logprobsResult", "meta_info",
		"tokens", "token_ids", "prompt_token_ids", "output_ids", "output_token_ids", "input_ids", "context", "hidden_states",
	} {
		t.Anywhere = append(t.Anywhere, wire.Rule{Path: name, Role: wire.Drop})
	}
	for _, name := range []string{"arguments", "partial_json"} {
		t.Anywhere = append(t.Anywhere, wire.Rule{Path: name, Role: wire.Text, Form: wire.Nested})
	}
	return t
}

// Name implements [Family].
func (Generic) Name() string { return "generic" }

// Paths implements [Family].
func (Generic) Paths() *wire.Paths { return genericPaths }

// Request implements [Family]. Of a body that is no JSON nothing is seen: files
// are sent so.
func (Generic) Request(_ string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1}}
	if start := bytes.TrimLeft(body, " \t\r\n"); len(start) == 0 || start[0] != '{' {
		if dec := newDecoder(start); len(start) > 0 && start[0] == '[' {
			if v, err := dec.ReadValue(); err == nil {
				r.visible(v)
			}
		}
		return r.Request, nil
	}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
			return nil
		case name == "messages" && v.Kind() == '[':
			return r.conversation(v)
		}
		before := len(r.Messages)
		r.visible(v)
		switch name {
		case "prompt", "input", "inputs", "text_input", "text", "message", "query":
			if len(r.Messages) > before {
				r.Tail = r.Messages[len(r.Messages)-1]
			}
		}
		return nil
	})
	return r.Request, err
}

// Framing implements [Family].
func (Generic) Framing(contentType string, r wire.Request) wire.Framing {
	f := wire.ByContentType(contentType)
	switch {
	case f != wire.JSON:
		return f
	case strings.HasPrefix(contentType, "text/"):
		return wire.PlainText
	case contentType == "" && r.Stream:
		return wire.Lines
	}
	return wire.JSON
}

// AppendFailure implements [Family].
func (Generic) AppendFailure(dst []byte, f wire.Failure) []byte { return appendNeutralFailure(dst, f) }

// Fail implements [Family]. In plain text the message stands by itself.
func (Generic) Fail(w *wire.Writer, f wire.Failure) {
	if w.PlainText() {
		w.Message("", []byte(f.Message))
		return
	}
	w.Message("", appendNeutralFailure(nil, f))
}

// NewEnding implements [Family].
func (Generic) NewEnding() wire.Ending { return genericEnding{} }

// genericEnding ends a stream with an error, because nobody knows how the API
// ends one that was filtered. Plain text just ends.
type genericEnding struct{}

// Sent implements [Ending].
func (genericEnding) Sent([]byte) {}

// Write implements [Ending].
func (genericEnding) Write(w *wire.Writer, _ []int32) {
	if w.PlainText() {
		return
	}
	w.Message("", appendNeutralFailure(nil, wire.Failure{
		Message: "withheld: the answer would repeat training data", Code: "content_filter",
	}))
}

// appendNeutralFailure appends an error body that belongs to no API.
func appendNeutralFailure(dst []byte, f wire.Failure) []byte {
	dst = append(dst, `{"error":{"message":"`...)
	dst = wire.AppendEscaped(dst, []byte(f.Message))
	dst = append(dst, `","type":"invalid_request_error","code":"`...)
	dst = wire.AppendEscaped(dst, []byte(f.Code))
	return append(dst, `"}}`...)
}

var _ wire.Family = Generic{}

// Recorder is a family whose answers are lists of answers, each of which is
// judged by itself: the framing is [Records].
type Recorder interface {
	// AppendRecord appends a record that stands instead of one that is
	// withheld.
	AppendRecord(dst, payload []byte, f wire.Failure) []byte
}

// Batch is a file of results, one a line: of OpenAI's batches (an answer of any
// API stands in response.body) and of Anthropic's (in result.message). As in
// [Generic], every string is taken for text.
type Batch struct{}

// Name implements [Family].
func (Batch) Name() string { return "batch" }

// Paths implements [Family].
func (Batch) Paths() *wire.Paths { return genericPaths }

// Request implements [Family].
func (Batch) Request(path string, body []byte) (wire.Request, error) {
	return Generic{}.Request(path, body)
}

// Framing implements [Family]. Servers give such files all kinds of types.
func (Batch) Framing(string, wire.Request) wire.Framing { return wire.Records }

// AppendFailure implements [Family].
func (Batch) AppendFailure(dst []byte, f wire.Failure) []byte { return appendNeutralFailure(dst, f) }

// Fail implements [Family].
func (Batch) Fail(w *wire.Writer, f wire.Failure) { w.Message("", appendNeutralFailure(nil, f)) }

// NewEnding implements [Family].
func (Batch) NewEnding() wire.Ending { return genericEnding{} }

// AppendRecord implements [Recorder]: the line of a request that failed. It
// keeps the id by which the caller knows the request.
func (Batch) AppendRecord(dst, payload []byte, f wire.Failure) []byte {
	id, anthropic := []byte(nil), false
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // what is broken is left out
		switch v = bytes.TrimSpace(v); {
		case name == "custom_id" && v.Kind() == '"' && wire.Identifier(v[1:len(v)-1]):
			id = append(id[:0], v...)
		case name == "result":
			anthropic = true
		}
		return nil
	})
	dst = append(dst, '{')
	if len(id) > 0 {
		dst = append(append(append(dst, `"custom_id":`...), id...), ',')
	}
	if anthropic {
		dst = append(dst, `"result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"`...)
		dst = wire.AppendEscaped(dst, []byte(f.Message))
		return append(dst, `"}}}}`...)
	}
	dst = append(dst, `"response":{"status_code":400,"body":`...)
	dst = appendNeutralFailure(dst, f)
	return append(dst, `},"error":null}`...)
}

var (
	_ wire.Family = Batch{}
	_ Recorder    = Batch{}
)
