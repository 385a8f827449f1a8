package api

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// envelopeRules are the members around the choices that both OpenAI families
// have, the extras of vLLM, SGLang, llama.cpp, Ollama and Azure included.
func envelopeRules() []wire.Rule {
	rules := []wire.Rule{
		{Path: "choices[#].index", Role: wire.ElementNumber},
		{Path: "choices[#].finish_reason", Role: wire.End, With: `"content_filter"`},
		{Path: "choices[#].token_ids", Role: wire.Drop},
		{Path: "choices[#].hidden_states", Role: wire.Drop},
		{Path: "choices[#].meta_info", Role: wire.Drop},
		{Path: "choices[#].meta_info.output_token_logprobs[][]", Role: wire.Token, Name: "meta_info.output_token_logprobs"},
		{Path: "choices[#].meta_info.output_top_logprobs[][@][]", Role: wire.Token, Name: "meta_info.output_top_logprobs.#"},
		{Path: "choices[#].meta_info.input_token_logprobs[][]", Role: wire.Token, Name: "meta_info.input_token_logprobs"},
		{Path: "choices[#].meta_info.input_top_logprobs[][@][]", Role: wire.Token, Name: "meta_info.input_top_logprobs.#"},
		{Path: "choices[#].content_filter_results.*.severity", Role: wire.NoText},
		{Path: "choices[#].content_filter_offsets", Role: wire.Drop},
		{Path: "prompt_filter_results[].content_filter_results.*.severity", Role: wire.NoText},
		{Path: "__verbose", Role: wire.Drop},
		{Path: "_debug_info", Role: wire.Drop},
	}
	for _, name := range []string{"id", "object", "model", "system_fingerprint", "service_tier", "obfuscation"} {
		rules = append(rules, wire.Rule{Path: name, Role: wire.NoText})
	}
	for _, at := range []string{"", "choices[#]."} {
		rules = append(rules,
			wire.Rule{Path: at + "prompt_token_ids", Role: wire.Drop},
			wire.Rule{Path: at + "prompt_logprobs", Role: wire.Drop},
			wire.Rule{Path: at + "prompt_logprobs[].@.decoded_token", Role: wire.Token, Name: "prompt_logprobs.#"},
			wire.Rule{Path: at + "routed_experts", Role: wire.Skip},
			wire.Rule{Path: at + "prompt_routed_experts", Role: wire.Skip},
			wire.Rule{Path: at + "sglext", Role: wire.Drop},
			wire.Rule{Path: at + "sglext.routed_experts", Role: wire.Skip},
		)
	}
	return rules
}

// logprobsRules are the places of logprobs in the shape of chat, which llama.cpp
// and Ollama use for completions as well. Where a character is cut between two
// tokens only their bytes tell which one. The alternatives of one rank can be a
// text as well; they all go with the logprobs.
func logprobsRules() []wire.Rule {
	rules := []wire.Rule{{Path: "choices[#].logprobs", Role: wire.Drop}}
	for _, list := range []string{"content", "refusal"} {
		at := "choices[#].logprobs." + list + "[]."
		rules = append(rules,
			wire.Rule{Path: at + "token", Role: wire.Token, Name: "logprobs." + list},
			wire.Rule{Path: at + "bytes", Role: wire.Token, Name: "logprobs." + list + ".bytes", Form: wire.Bytes},
			wire.Rule{Path: at + "top_logprobs[@].token", Role: wire.Token, Name: "logprobs." + list + ".top.#"},
			wire.Rule{Path: at + "top_logprobs[@].bytes", Role: wire.Token, Name: "logprobs." + list + ".top.#.bytes", Form: wire.Bytes},
		)
	}
	return rules
}

// appendOpenAIFailure appends the error body of OpenAI's APIs.
func appendOpenAIFailure(dst []byte, f wire.Failure) []byte {
	dst = append(dst, `{"error":{"message":"`...)
	dst = wire.AppendEscaped(dst, []byte(f.Message))
	dst = append(dst, `","type":"invalid_request_error","param":null,"code":"`...)
	dst = wire.AppendEscaped(dst, []byte(f.Code))
	return append(dst, `"}}`...)
}

// openAIEnding ends every open choice with a chunk of its own whose text is
// given, and then the stream. The envelope is that of the last chunk.
type openAIEnding struct {
	text string
	last []byte
}

// Sent implements [Ending].
func (e *openAIEnding) Sent(payload []byte) {
	if len(payload) > 0 {
		e.last = append(e.last[:0], payload...)
	}
}

// Write implements [Ending].
func (e *openAIEnding) Write(w *wire.Writer, open []int32) {
	head := envelope(e.last)
	for _, number := range open {
		chunk := append(slices.Clone(head), `"choices":[{"index":`...)
		chunk = strconv.AppendInt(chunk, int64(number), 10)
		chunk = append(append(append(chunk, ','), e.text...), `,"logprobs":null,"finish_reason":"content_filter"}]}`...)
		w.Message("", chunk)
	}
	w.Message("", []byte(openAIDone))
}

// openAIDone is the payload of a stream's last event.
const openAIDone = "[DONE]"

// envelope returns the start of an object with the members of a chunk that all
// chunks of an answer share.
func envelope(last []byte) []byte {
	head := []byte{'{'}
	_ = eachMember(last, func(name string, v jsontext.Value) error { // what is broken is left out
		switch name {
		case "id", "object", "created", "model", "system_fingerprint", "service_tier":
			v = bytes.TrimSpace(v)
			if !wire.Identifier(bytes.Trim(v, `"`)) {
				v = jsontext.Value(`""`) // it may be what was withheld
			}
			head = append(append(head, '"'), name...)
			head = append(append(append(head, `":`...), v...), ',')
		}
		return nil
	})
	return head
}

// Chat is the OpenAI Chat Completions API and the servers that speak it. An
// answer is a list of choices; a stream is a list of chunks whose choices carry
// a delta instead of a message, ended by `data: [DONE]`.
type Chat struct{}

var chatPaths = wire.NewPaths(wire.Table{Choices: "choices", Done: openAIDone, Rules: chatRules()})

// chatRules is the table of chat answers. Message and delta are the same but
// for the name; agents of Mistral and the first Azure OpenAI on one's own data
// answer with several. p is padding, Mistral's.
func chatRules() []wire.Rule {
	rules := append(envelopeRules(), logprobsRules()...)
	rules = append(rules, wire.Rule{Path: "p", Role: wire.NoText})
	for _, at := range []string{"choices[#].message.", "choices[#].delta.", "choices[#].messages[].", "choices[#].messages[].delta."} {
		rules = append(rules,
			wire.Rule{Path: at + "role", Role: wire.NoText},
			wire.Rule{Path: at + "content", Role: wire.Text, Name: "content", Form: wire.Reply},
			wire.Rule{Path: at + "content[]", Role: wire.Text, Name: "content", Form: wire.Reply},
			wire.Rule{Path: at + "content[].type", Role: wire.NoText},
			wire.Rule{Path: at + "content[].text", Role: wire.Text, Name: "content", Form: wire.Reply},
			wire.Rule{Path: at + "content[].refusal", Role: wire.Text, Name: "refusal"},
			wire.Rule{Path: at + "content[].thinking", Role: wire.Text, Name: "reasoning"},
			wire.Rule{Path: at + "content[].thinking[].type", Role: wire.NoText},
			wire.Rule{Path: at + "content[].thinking[].text", Role: wire.Text, Name: "reasoning"},
			wire.Rule{Path: at + "refusal", Role: wire.Text, Name: "refusal"},
			wire.Rule{Path: at + "reasoning", Role: wire.Alias, Name: "reasoning"},
			wire.Rule{Path: at + "reasoning_content", Role: wire.Alias, Name: "reasoning"},
			wire.Rule{Path: at + "reasoning_text", Role: wire.Alias, Name: "reasoning"},
			wire.Rule{Path: at + "reasoning_details[].type", Role: wire.NoText},
			wire.Rule{Path: at + "reasoning_details[].format", Role: wire.NoText},
			wire.Rule{Path: at + "reasoning_details[].text", Role: wire.Alias, Name: "reasoning"},
			wire.Rule{Path: at + "reasoning_details[].summary", Role: wire.Alias, Name: "reasoning"},
			wire.Rule{Path: at + "tool_calls[#].index", Role: wire.ElementNumber},
			wire.Rule{Path: at + "tool_calls[#].id", Role: wire.NoText},
			wire.Rule{Path: at + "tool_calls[#].type", Role: wire.NoText},
			wire.Rule{Path: at + "tool_calls[#].function.name", Role: wire.Metadata, Name: "tool_calls.#.name"},
			wire.Rule{Path: at + "tool_calls[#].function.arguments", Role: wire.Text, Name: "tool_calls.#.arguments", Form: wire.Nested},
			wire.Rule{Path: at + "tool_calls[#].custom.name", Role: wire.Metadata, Name: "tool_calls.#.name"},
			wire.Rule{Path: at + "tool_calls[#].custom.input", Role: wire.Text, Name: "tool_calls.#.input"},
			wire.Rule{Path: at + "function_call.name", Role: wire.Metadata, Name: "function_call.name"},
			wire.Rule{Path: at + "function_call.arguments", Role: wire.Text, Name: "function_call.arguments", Form: wire.Nested},
			wire.Rule{Path: at + "audio.id", Role: wire.NoText},
			wire.Rule{Path: at + "audio.data", Role: wire.Skip, With: `""`},
			wire.Rule{Path: at + "audio.transcript", Role: wire.Text, Name: "audio.transcript"},
			wire.Rule{Path: at + "annotations", Role: wire.Drop, With: `[]`},
		)
	}
	return rules
}

// Name implements [Family].
func (Chat) Name() string { return "openai.chat" }

// Paths implements [Family].
func (Chat) Paths() *wire.Paths { return chatPaths }

// Request implements [Family].
func (Chat) Request(_ string, body []byte) (wire.Request, error) {
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

// conversation reads the messages of a chat, or of several.
func (r *request) conversation(v jsontext.Value) error {
	return eachElement(v, func(v jsontext.Value) error {
		if v.Kind() == '[' {
			return r.conversation(v)
		}
		r.visible(v)
		r.Tail = nil
		return eachMember(v, func(name string, v jsontext.Value) error {
			if name == "content" {
				r.Tail = contentText(nil, v)
			}
			return nil
		})
	})
}

// contentText appends the text of a message's content: a string, or the texts
// of its parts one behind the other.
func contentText(dst []byte, v jsontext.Value) []byte {
	if v.Kind() == '"' {
		return wire.AppendText(dst, bytes.TrimSpace(v))
	}
	_ = eachElement(v, func(part jsontext.Value) error {
		if part.Kind() == '"' {
			dst = wire.AppendText(dst, part)
			return nil
		}
		return eachMember(part, func(name string, v jsontext.Value) error {
			if name == "text" && v.Kind() == '"' {
				dst = wire.AppendText(dst, v)
			}
			return nil
		})
	})
	return dst
}

// AppendFailure implements [Family].
func (Chat) AppendFailure(dst []byte, f wire.Failure) []byte { return appendOpenAIFailure(dst, f) }

// Framing implements [Family].
func (Chat) Framing(contentType string, _ wire.Request) wire.Framing {
	return wire.ByContentType(contentType)
}

// Fail implements [Family].
func (Chat) Fail(w *wire.Writer, f wire.Failure) { w.Message("", appendOpenAIFailure(nil, f)) }

// NewEnding implements [Family].
func (Chat) NewEnding() wire.Ending { return &openAIEnding{text: `"delta":{}`} }

var _ wire.Family = Chat{}

// Completions is the legacy OpenAI Completions API and the servers that speak
// it. An answer is a list of choices with a text each, streamed or not.
type Completions struct{}

var completionsPaths = wire.NewPaths(wire.Table{Choices: "choices", Done: openAIDone, Rules: completionsRules()})

// completionsRules is the table of completions.
func completionsRules() []wire.Rule {
	return append(append(envelopeRules(), logprobsRules()...), completionRules()...)
}

// completionRules are the places that only completions have. The names of
// top_logprobs' members are tokens, the alternatives of one place.
func completionRules() []wire.Rule {
	return []wire.Rule{
		{Path: "choices[#].text", Role: wire.Text, Name: "text", Form: wire.Reply},
		{Path: "choices[#].logprobs.tokens[]", Role: wire.Token, Name: "logprobs.tokens"},
		{Path: "choices[#].logprobs.top_logprobs[].@", Role: wire.KeyIsText, Name: "logprobs.top.#"},
	}
}

// Name implements [Family].
func (Completions) Name() string { return "openai.completions" }

// Paths implements [Family].
func (Completions) Paths() *wire.Paths { return completionsPaths }

// Request implements [Family]. Of several prompts the last is the tail.
func (Completions) Request(_ string, body []byte) (wire.Request, error) {
	r := request{wire.Request{N: 1}}
	err := readRequest(body, func(name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "prompt":
			r.prompt(v)
		case name == "suffix" && v.Kind() == '"':
			r.Suffix = wire.AppendText(nil, v)
			r.visible(v)
		default:
			r.visible(v)
		}
		return nil
	})
	return r.Request, err
}

// prompt reads a prompt: a string, several, or token ids, which show nothing.
func (r *request) prompt(v jsontext.Value) {
	switch v.Kind() {
	case '"':
		r.Tail = wire.AppendText(nil, v)
		r.Messages = append(r.Messages, r.Tail)
	case '[':
		_ = eachElement(v, func(v jsontext.Value) error { // v is valid
			r.prompt(v)
			return nil
		})
	}
}

// AppendFailure implements [Family].
func (Completions) AppendFailure(dst []byte, f wire.Failure) []byte {
	return appendOpenAIFailure(dst, f)
}

// Framing implements [Family].
func (Completions) Framing(contentType string, _ wire.Request) wire.Framing {
	return wire.ByContentType(contentType)
}

// Fail implements [Family].
func (Completions) Fail(w *wire.Writer, f wire.Failure) { w.Message("", appendOpenAIFailure(nil, f)) }

// NewEnding implements [Family].
func (Completions) NewEnding() wire.Ending { return &openAIEnding{text: `"text":""`} }

var _ wire.Family = Completions{}
