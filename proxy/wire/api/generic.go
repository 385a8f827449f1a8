package api

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// generic is any API that answers with JSON, with a stream of JSON or with plain text.
// Every string is taken for text of the answer. In a stream the strings at one path are
// one text, and each message has the next piece of it.
var generic = wire.NewFamily(wire.Family{
	Name: "generic", Request: genericRequest, Framing: genericFraming, Silent: true,
	Unlisted: wire.Text, Rules: genericRules(), Anywhere: genericAnywhere(),
})

// genericRules has only the places that have the same name in nearly all APIs.
func genericRules() []wire.Rule {
	var rules []wire.Rule
	for _, list := range []string{"choices", "candidates", "outputs", "generations"} {
		rules = append(rules, wire.ElementNumber(list+"[#].index"))
	}
	return rules
}

// genericAnywhere are rules for members with certain names, at any path.
func genericAnywhere() []wire.Rule {
	var rules []wire.Rule
	// Short texts that every message has. They are decided at the end of the message,
	// so that they never make it wait. A leak that is spread over several messages is
	// found from its n-th word on.
	for _, name := range []string{
		"id", "object", "type", "event", "event_type", "kind", "role", "model", "model_name", "model_version", "version",
		"status", "state",
		"created", "timestamp", "system_fingerprint", "service_tier", "obfuscation",
	} {
		rules = append(rules, wire.CompleteAt(name, ""))
	}
	for _, name := range []string{"finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason", "stop_type", "completionReason"} {
		rules = append(rules, wire.CompleteAt(name, "").Reason())
	}
	for _, name := range []string{
		"logprobs", "top_logprobs", "prompt_logprobs", "token_logprobs", "completion_probabilities", "logprobsResult", "meta_info",
		"tokens", "token_ids", "prompt_token_ids", "output_ids", "output_token_ids", "input_ids", "context", "hidden_states",
	} {
		rules = append(rules, wire.DropWhenWithheld(name))
	}
	for _, name := range []string{"arguments", "partial_json"} {
		rules = append(rules, wire.TextAt(name, "").As(wire.Nested))
	}
	return rules
}

// genericRequest reads a request. A body that is not JSON shows no text: it may be an
// uploaded file.
func genericRequest(_ string, body []byte) (wire.Request, error) {
	if start := bytes.TrimLeft(body, " \t\r\n"); len(start) == 0 || start[0] != '{' {
		r := &request{Request: wire.Request{N: 1}}
		if dec := newDecoder(start); len(start) > 0 && start[0] == '[' {
			if v, err := dec.ReadValue(); err == nil {
				r.visible(v)
			}
		}
		return r.Request, nil
	}
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
			return nil
		case name == "assistant_id":
			r.Stored = r.Stored || holds(v)
			r.visible(v)
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
}

// genericFraming chooses the framing by the content type and, if there is none, by the
// request.
func genericFraming(contentType string, r wire.Request) wire.Framing {
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

// batch is a file of results, one a line: of OpenAI's batches (response.body has an
// answer of any API) and of Anthropic's (result.message has it). As in [generic], every
// string is taken for text.
var batch = wire.NewFamily(wire.Family{
	Name: "batch", Request: genericRequest, Framing: batchFraming, Record: batchRecord,
	Unlisted: wire.Text, Rules: genericRules(), Anywhere: genericAnywhere(),
})

// batchFraming is always records, since servers give such files all kinds of content
// types.
func batchFraming(string, wire.Request) wire.Framing { return wire.Records }

// batchRecord appends the line of a failed request. It has the id by which the caller
// knows the request.
func batchRecord(dst, payload []byte, f wire.Failure) []byte {
	id, anthropic := []byte(nil), false
	_ = eachMember(payload, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
		switch v = bytes.TrimSpace(v); {
		case name == "custom_id" && v.Kind() == '"' && wire.IsIdentifier(v[1:len(v)-1]):
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
		return fill(dst, `"result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"%s"}}}}`, f.Message)
	}
	dst = append(dst, `"response":{"status_code":400,"body":`...)
	dst = generic.Failure(dst, f)
	return append(dst, `},"error":null}`...)
}
