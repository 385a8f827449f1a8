package wire

import "bytes"

// commonNames are names of members that many APIs use, besides those of the rules. As the
// name of a member they are no text of an answer.
const commonNames = "accepted_prediction_tokens additionalModelResponseFields annotation_index annotations answer answers arguments " +
	"audio audio_tokens avg_logprob avgLogprobs billed_units blockReasonMessage body cache_creation_input_tokens " +
	"cache_read_input_tokens cached_tokens cachedContentTokenCount candidates candidatesTokenCount check_offset " +
	"choices chunk chunk_id chunks citation citations cited_text code completion completion_tokens " +
	"completion_tokens_details compression_ratio content content_index context created created_at custom_blocklists " +
	"data delta details detected document document_index document_title documents done duration e2e_latency " +
	"encrypted_content encrypted_index end end_char_index end_index end_offset end_page_number end_turn endIndex " +
	"error errors eval_count eval_duration event exception explanation file_id filtered finish_reason finishMessage " +
	"generated_text generated_tokens generation generation_id generation_settings generations grammar guardrail hate " +
	"id id_slot index info input input_tokens input_tokens_details inputTokens intent is_finished items jailbreak " +
	"kind language latency latencyMs license likelihood load_duration logprob logProbability logprobs matched " +
	"matched_stop message messages meta metadata metrics model model_name modelOutput name native_finish_reason " +
	"no_speech_prob object output output_text output_tokens output_tokens_details outputs outputTokens page page_age " +
	"parallel_tool_calls param parts prediction predictions prob profanity prompt prompt_annotations " +
	"prompt_eval_count prompt_eval_duration prompt_index prompt_tokens prompt_tokens_details promptTokenCount " +
	"protected_material_code protected_material_text provider queries query rank reason reasoning reasoning_content " +
	"reasoning_tokens reference_ids rejected_prediction_tokens rendered_template renderedContent request_id response " +
	"responses result results role score searchEntryPoint seed seek segments self_harm sequence_id sequence_number " +
	"service_tier sexual snippet source sources start start_char_index start_index start_offset start_page_number " +
	"startIndex status stop stop_details stop_reason stop_sequence stopping_word summary system_fingerprint " +
	"temperature text text_offset text_output texts thinking thoughtSignature thoughtsTokenCount timestamp timings " +
	"title token_ids token_logprobs tokenCount tokenId tokens tokens_evaluated tokens_predicted tool tool_calls " +
	"toolUsePromptTokenCount total_duration total_tokens totalTokenCount totalTokens transcript truncated type uri " +
	"URL url url_citation usage usageMetadata value values version violence willContinue"

// Knows reports whether a member of the family's answers, or of many APIs, has that name.
// Any other name may be text that a model wrote.
func (f *Family) Knows(name string) bool { return f.paths.known[name] }

// plainName reports whether the name of a member may be part of the name of a channel as it
// is.
func plainName(name []byte) bool {
	for _, c := range name {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return len(name) <= 64
}

// fingerprint is the FNV-1a hash of a name.
func fingerprint(name []byte) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, c := range name {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return h
}

// IsIdentifier reports whether the inside of a string literal is an identifier: an id,
// a kind, the name of a model. A string with an escape is not one.
func IsIdentifier(s []byte) bool {
	if len(s) > maxIdentifier {
		return false
	}
	for _, c := range s {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '-' && c <= ':': // the digits are among them, and -./:
		case c == '_', c == '@', c == '+', c == '=':
		default:
			return false
		}
	}
	return true
}

// Code reports whether a text looks like an id or a time: an identifier with digits.
func Code(text []byte) bool {
	const shortest = 6
	return len(text) >= shortest && IsIdentifier(text) && bytes.ContainsAny(text, "0123456789")
}

// identifying reports whether a number may be an identifier, such as that of a card or a
// telephone: it has ten digits or more before its fraction and is no time in seconds,
// milliseconds, microseconds or nanoseconds.
func identifying(number []byte) bool {
	const seconds, nanoseconds = 10, 19
	if len(number) < seconds {
		return false
	}
	number = bytes.TrimPrefix(number, []byte{'-'})
	digits := 0
	for digits < len(number) && number[digits] >= '0' && number[digits] <= '9' {
		digits++
	}
	isTime := digits <= nanoseconds && (digits-seconds)%3 == 0 && number[0] == '1'
	return digits >= seconds && !isTime
}
