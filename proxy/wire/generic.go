package wire

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Generic is any API that answers with JSON, with a stream of it or with plain
// text. Every string is taken for text of the answer: in a stream, those at one
// path are one text, whose pieces come in one message after the other.
type Generic struct{}

var genericPaths = NewPaths(genericTable())

// genericTable knows no place but what nearly all APIs call alike.
func genericTable() Table {
	t := Table{Done: openAIDone, Rest: Text}
	for _, list := range []string{"choices", "candidates", "outputs", "generations"} {
		t.Rules = append(t.Rules, Rule{Path: list + "[#].index", Role: ElementNumber})
	}
	// Short texts that every message has: decided at its end, so that they never
	// hold it. A leak that is spread over them is found from its n-th word on.
	for _, name := range []string{
		"id", "object", "type", "event", "event_type", "kind", "role", "model", "model_name", "model_version", "version",
		"finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "status", "state",
		"created", "timestamp", "system_fingerprint", "service_tier", "obfuscation",
	} {
		t.Anywhere = append(t.Anywhere, Rule{Path: name, Role: Complete})
	}
	for _, name := range []string{
		"logprobs", "top_logprobs", "prompt_logprobs", "token_logprobs", "completion_probabilities", "logprobsResult", "meta_info",
		"tokens", "token_ids", "prompt_token_ids", "output_ids", "output_token_ids", "input_ids", "context", "hidden_states",
	} {
		t.Anywhere = append(t.Anywhere, Rule{Path: name, Role: Drop})
	}
	for _, name := range []string{"arguments", "partial_json"} {
		t.Anywhere = append(t.Anywhere, Rule{Path: name, Role: Text, Form: Nested})
	}
	return t
}

// Name implements [Family].
func (Generic) Name() string { return "generic" }

// Paths implements [Family].
func (Generic) Paths() *Paths { return genericPaths }

// Request implements [Family]. Of a body that is no JSON nothing is seen: files
// are sent so.
func (Generic) Request(_ string, body []byte) (Request, error) {
	r := Request{N: 1}
	if start := bytes.TrimLeft(body, " \t\r\n"); len(start) == 0 || start[0] != '{' {
		if dec := newDecoder(start); len(start) > 0 && start[0] == '[' {
			if v, err := dec.ReadValue(); err == nil {
				r.visible(v)
			}
		}
		return r, nil
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
	return r, err
}

// Framing implements [Family].
func (Generic) Framing(contentType string, r Request) Framing {
	f := ByContentType(contentType)
	switch {
	case f != JSON:
		return f
	case strings.HasPrefix(contentType, "text/"):
		return PlainText
	case contentType == "" && r.Stream:
		return Lines
	}
	return JSON
}

// AppendFailure implements [Family].
func (Generic) AppendFailure(dst []byte, f Failure) []byte { return appendNeutralFailure(dst, f) }

// Fail implements [Family]. In plain text the message stands by itself.
func (Generic) Fail(w *Writer, f Failure) {
	if _, ok := w.Framer.(*textFramer); ok {
		w.Message("", []byte(f.Message))
		return
	}
	w.Message("", appendNeutralFailure(nil, f))
}

// NewEnding implements [Family].
func (Generic) NewEnding() Ending { return genericEnding{} }

// genericEnding ends a stream with an error, because nobody knows how the API
// ends one that was filtered. Plain text just ends.
type genericEnding struct{}

// Sent implements [Ending].
func (genericEnding) Sent([]byte) {}

// Write implements [Ending].
func (genericEnding) Write(w *Writer, _ []int32) {
	if _, ok := w.Framer.(*textFramer); ok {
		return
	}
	w.Message("", appendNeutralFailure(nil, Failure{
		Message: "withheld: the answer would repeat training data", Code: "content_filter",
	}))
}

// appendNeutralFailure appends an error body that belongs to no API.
func appendNeutralFailure(dst []byte, f Failure) []byte {
	dst = append(dst, `{"error":{"message":"`...)
	dst = AppendEscaped(dst, []byte(f.Message))
	dst = append(dst, `","type":"invalid_request_error","code":"`...)
	dst = AppendEscaped(dst, []byte(f.Code))
	return append(dst, `"}}`...)
}

var _ Family = Generic{}
