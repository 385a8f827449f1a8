package api

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/proxy/wire"
)

// envelopeRules are the members around the choices that both OpenAI families
// have, the extras of vLLM, SGLang, llama.cpp, Ollama and Azure included.
func envelopeRules() []wire.Rule {
	rules := []wire.Rule{
		wire.ElementNumber("choices[#].index"),
		wire.EndReason("choices[#].finish_reason", `"content_filter"`),
		wire.DropWhenWithheld("choices[#].token_ids"),
		wire.DropWhenWithheld("choices[#].hidden_states"),
		wire.DropWhenWithheld("choices[#].meta_info"),
		wire.TokensAt("choices[#].meta_info.output_token_logprobs[][]", "meta_info.output_token_logprobs"),
		wire.TokensAt("choices[#].meta_info.output_top_logprobs[][@][]", "meta_info.output_top_logprobs.#"),
		wire.TokensAt("choices[#].meta_info.input_token_logprobs[][]", "meta_info.input_token_logprobs"),
		wire.TokensAt("choices[#].meta_info.input_top_logprobs[][@][]", "meta_info.input_top_logprobs.#"),
		wire.NoText("choices[#].content_filter_results.*.severity"),
		wire.DropWhenWithheld("choices[#].content_filter_offsets"),
		wire.NoText("prompt_filter_results[].content_filter_results.*.severity"),
		wire.DropWhenWithheld("__verbose"),
		wire.DropWhenWithheld("_debug_info"),
	}
	for _, name := range []string{"id", "object", "model", "system_fingerprint", "service_tier", "obfuscation"} {
		rules = append(rules, wire.NoText(name))
	}
	for _, at := range []string{"", "choices[#]."} {
		rules = append(rules,
			wire.DropWhenWithheld(at+"prompt_token_ids"),
			wire.DropWhenWithheld(at+"prompt_logprobs"),
			wire.TokensAt(at+"prompt_logprobs[].@.decoded_token", "prompt_logprobs.#"),
			wire.SkipAt(at+"routed_experts"),
			wire.SkipAt(at+"prompt_routed_experts"),
			wire.DropWhenWithheld(at+"sglext"),
			wire.SkipAt(at+"sglext.routed_experts"),
		)
	}
	return rules
}

// logprobsRules are the places of logprobs in chats, which llama.cpp and Ollama use for
// completions as well. If a character is cut between two tokens, only the bytes of the
// tokens show it. The alternatives of one rank may form a text too. All of them are
// dropped together with the logprobs.
func logprobsRules() []wire.Rule {
	rules := []wire.Rule{wire.DropWhenWithheld("choices[#].logprobs")}
	for _, list := range []string{"content", "refusal"} {
		at := "choices[#].logprobs." + list + "[]."
		rules = append(rules,
			wire.TokensAt(at+"token", "logprobs."+list),
			wire.TokensAt(at+"bytes", "logprobs."+list+".bytes").As(wire.Bytes),
			wire.TokensAt(at+"top_logprobs[@].token", "logprobs."+list+".top.#"),
			wire.TokensAt(at+"top_logprobs[@].bytes", "logprobs."+list+".top.#.bytes").As(wire.Bytes),
		)
	}
	return rules
}

// openAIFailure appends the error body of OpenAI's APIs.
func openAIFailure(dst []byte, f wire.Failure) []byte {
	return fill(dst, `{"error":{"message":"%s","type":"%s","param":null,"code":"%s"}}`, f.Message, f.Type(), f.Code)
}

// openAIEnding ends every open choice with a chunk of its own that has the given text,
// and then the stream. The members around the choices are copied from the last chunk. If
// the request asks for the numbers of tokens, a chunk without choices has those of
// the last chunk or, without any, an estimate: the server is not asked further.
type openAIEnding struct {
	text string
	last []byte
	sent int64 // chunks
}

// Sent implements [Ending].
func (e *openAIEnding) Sent(payload []byte) {
	if len(payload) > 0 {
		e.last = append(e.last[:0], payload...)
		e.sent++
	}
}

// usage returns the chunk with the numbers of tokens. The estimate is a token for each chunk
// that has left, and for every four bytes of the prompt.
func (e *openAIEnding) usage(head []byte, prompt [][]byte) []byte {
	var usage jsontext.Value
	_ = eachMember(e.last, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
		if name == "usage" && v.Kind() == '{' {
			usage = v
		}
		return nil
	})
	chunk := append(slices.Clone(head), `"choices":[],"usage":`...)
	if usage != nil {
		return append(append(chunk, usage...), '}')
	}
	asked := int64(0)
	for _, text := range prompt {
		asked += int64(len(text)+3) / 4
	}
	return fmt.Appendf(chunk, `{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"estimated":true}}`, asked, e.sent, asked+e.sent)
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
	if w.Request != nil && w.Request.Usage {
		w.Message("", e.usage(head, w.Request.Messages))
	}
	w.Message("", []byte(wire.StreamEnd))
}

// envelope returns the start of an object with the members of a chunk that all
// chunks of an answer share.
func envelope(last []byte) []byte {
	head := []byte{'{'}
	_ = eachMember(last, func(name string, v jsontext.Value) error { // members behind a syntax error are left out
		switch name {
		case "id", "object", "created", "model", "system_fingerprint", "service_tier":
			v = bytes.TrimSpace(v)
			if !wire.IsIdentifier(bytes.Trim(v, `"`)) {
				v = jsontext.Value(`""`) // the relay may have withheld it
			}
			head = append(append(head, '"'), name...)
			head = append(append(append(head, `":`...), v...), ',')
		}
		return nil
	})
	return head
}

// chat is the OpenAI Chat Completions API and the servers that speak it. An answer is a
// list of choices. A stream is a list of chunks whose choices have a delta instead of a
// message; `data: [DONE]` ends it.
var chat = wire.NewFamily(wire.Family{
	Name: "openai.chat", Request: chatRequest, Failure: openAIFailure,
	Ending:  func() wire.Ending { return &openAIEnding{text: `"delta":{}`} },
	Choices: "choices", Rules: chatRules(),
})

// chatRules is the table of chat answers. Message and delta have the same members.
// Agents of Mistral, and the first version of Azure OpenAI with data of one's own,
// answer with several messages. Mistral's member p is padding.
func chatRules() []wire.Rule {
	rules := append(envelopeRules(), logprobsRules()...)
	rules = append(rules, wire.NoText("p"))
	for _, at := range []string{"choices[#].message.", "choices[#].delta.", "choices[#].messages[].", "choices[#].messages[].delta."} {
		rules = append(rules,
			wire.NoText(at+"role"),
			wire.TextAt(at+"content", "content").As(wire.Reply),
			wire.TextAt(at+"content[]", "content").As(wire.Reply),
			wire.NoText(at+"content[].type"),
			wire.NoText(at+"content[].closed"),
			wire.TextAt(at+"content[].text", "content").As(wire.Reply),
			wire.TextAt(at+"content[].refusal", "refusal"),
			wire.TextAt(at+"content[].thinking", "reasoning"),
			wire.NoText(at+"content[].thinking[].type"),
			wire.TextAt(at+"content[].thinking[].text", "reasoning"),
			wire.TextAt(at+"refusal", "refusal"),
			wire.AliasAt(at+"reasoning", "reasoning"),
			wire.AliasAt(at+"reasoning_content", "reasoning"),
			wire.AliasAt(at+"reasoning_text", "reasoning"),
			wire.NoText(at+"reasoning_details[].type"),
			wire.NoText(at+"reasoning_details[].format"),
			wire.AliasAt(at+"reasoning_details[].text", "reasoning"),
			wire.AliasAt(at+"reasoning_details[].summary", "reasoning"),
			wire.ElementNumber(at+"tool_calls[#].index"),
			wire.IDAt(at+"tool_calls[#].id", "ids"),
			wire.NoText(at+"tool_calls[#].type"),
			wire.MetadataAt(at+"tool_calls[#].function.name", "tool_calls.#.name").Label(),
			wire.TextAt(at+"tool_calls[#].function.arguments", "tool_calls.#.arguments").As(wire.Nested),
			wire.MetadataAt(at+"tool_calls[#].custom.name", "tool_calls.#.name").Label(),
			wire.TextAt(at+"tool_calls[#].custom.input", "tool_calls.#.input"),
			wire.MetadataAt(at+"function_call.name", "function_call.name").Label(),
			wire.TextAt(at+"function_call.arguments", "function_call.arguments").As(wire.Nested),
			wire.NoText(at+"audio.id"),
			wire.SkipAt(at+"audio.data").Else(`""`),
			wire.TextAt(at+"audio.transcript", "audio.transcript"),
			wire.DropWhenWithheld(at+"annotations").Else(`[]`),
			wire.NoText(at+"annotations[].type"),
		)
	}
	return rules
}

// chatRequest reads a request for a chat.
func chatRequest(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
		switch {
		case r.common(name, v):
		case name == "messages":
			return r.conversation(v)
		default:
			r.visible(v)
		}
		return nil
	})
}

// completions is the legacy OpenAI Completions API and the servers that speak it. An
// answer is a list of choices with one text each, streamed or not.
var completions = wire.NewFamily(wire.Family{
	Name: "openai.completions", Raw: true, Request: completionsRequest, Failure: openAIFailure,
	Ending:  func() wire.Ending { return &openAIEnding{text: `"text":""`} },
	Choices: "choices", Rules: completionsRules(),
})

// completionsRules is the table of completions.
func completionsRules() []wire.Rule {
	return append(append(envelopeRules(), logprobsRules()...), completionRules()...)
}

// completionRules are the places that only completions have. The names of the members
// of top_logprobs are tokens, the alternatives at one place of the text.
func completionRules() []wire.Rule {
	return []wire.Rule{
		wire.TextAt("choices[#].text", "text").As(wire.Reply),
		wire.TokensAt("choices[#].logprobs.tokens[]", "logprobs.tokens"),
		wire.KeysAreTokens("choices[#].logprobs.top_logprobs[].@", "logprobs.top.#"),
	}
}

// completionsRequest reads a request for a completion. Of several prompts the last is
// the tail.
func completionsRequest(_ string, body []byte) (wire.Request, error) {
	return readRequest(body, func(r *request, name string, v jsontext.Value) error {
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
}
