package wire

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// envelopeRules are the members around the choices that both OpenAI families
// have, the extras of vLLM, SGLang, llama.cpp, Ollama and Azure included.
func envelopeRules() []Rule {
	rules := []Rule{
		{Path: "choices[#].index", Role: ElementNumber},
		{Path: "choices[#].finish_reason", Role: End, With: `"content_filter"`},
		{Path: "choices[#].token_ids", Role: Drop},
		{Path: "choices[#].hidden_states", Role: Drop},
		{Path: "choices[#].meta_info", Role: Drop},
		{Path: "choices[#].meta_info.output_token_logprobs[][]", Role: Token, Name: "meta_info.output_token_logprobs"},
		{Path: "choices[#].meta_info.output_top_logprobs[][@][]", Role: Token, Name: "meta_info.output_top_logprobs.#"},
		{Path: "choices[#].meta_info.input_token_logprobs[][]", Role: Token, Name: "meta_info.input_token_logprobs"},
		{Path: "choices[#].meta_info.input_top_logprobs[][@][]", Role: Token, Name: "meta_info.input_top_logprobs.#"},
		{Path: "choices[#].content_filter_results.*.severity", Role: NoText},
		{Path: "choices[#].content_filter_offsets", Role: Drop},
		{Path: "prompt_filter_results[].content_filter_results.*.severity", Role: NoText},
		{Path: "__verbose", Role: Drop},
		{Path: "_debug_info", Role: Drop},
	}
	for _, name := range []string{"id", "object", "model", "system_fingerprint", "service_tier", "obfuscation"} {
		rules = append(rules, Rule{Path: name, Role: NoText})
	}
	for _, at := range []string{"", "choices[#]."} {
		rules = append(rules,
			Rule{Path: at + "prompt_token_ids", Role: Drop},
			Rule{Path: at + "prompt_logprobs", Role: Drop},
			Rule{Path: at + "prompt_logprobs[].@.decoded_token", Role: Token, Name: "prompt_logprobs.#"},
			Rule{Path: at + "routed_experts", Role: Skip},
			Rule{Path: at + "prompt_routed_experts", Role: Skip},
			Rule{Path: at + "sglext", Role: Drop},
			Rule{Path: at + "sglext.routed_experts", Role: Skip},
		)
	}
	return rules
}

// logprobsRules are the places of logprobs in the shape of chat, which llama.cpp
// and Ollama use for completions as well. Where a character is cut between two
// tokens only their bytes tell which one. The alternatives of one rank can be a
// text as well; they all go with the logprobs.
func logprobsRules() []Rule {
	rules := []Rule{{Path: "choices[#].logprobs", Role: Drop}}
	for _, list := range []string{"content", "refusal"} {
		at := "choices[#].logprobs." + list + "[]."
		rules = append(rules,
			Rule{Path: at + "token", Role: Token, Name: "logprobs." + list},
			Rule{Path: at + "bytes", Role: Token, Name: "logprobs." + list + ".bytes", Form: Bytes},
			Rule{Path: at + "top_logprobs[@].token", Role: Token, Name: "logprobs." + list + ".top.#"},
			Rule{Path: at + "top_logprobs[@].bytes", Role: Token, Name: "logprobs." + list + ".top.#.bytes", Form: Bytes},
		)
	}
	return rules
}

// appendOpenAIFailure appends the error body of OpenAI's APIs.
func appendOpenAIFailure(dst []byte, f Failure) []byte {
	dst = append(dst, `{"error":{"message":"`...)
	dst = AppendEscaped(dst, []byte(f.Message))
	dst = append(dst, `","type":"invalid_request_error","param":null,"code":"`...)
	dst = AppendEscaped(dst, []byte(f.Code))
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
func (e *openAIEnding) Write(w *Writer, open []int32) {
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
			if !identifier(bytes.Trim(v, `"`)) {
				v = jsontext.Value(`""`) // it may be what was withheld
			}
			head = append(append(head, '"'), name...)
			head = append(append(append(head, `":`...), v...), ',')
		}
		return nil
	})
	return head
}
