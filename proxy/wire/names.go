package wire

import "bytes"

// commonNames are names of members that many APIs use, besides those of the rules.
const commonNames = "annotations answer answers arguments audio audio_tokens blockReasonMessage body cached_tokens " +
	"candidates choices chunk chunk_id chunks citation citations code completion completion_tokens " +
	"completion_tokens_details content context created created_at data delta details document documents " +
	"done duration error errors event explanation finish_reason finishMessage generated_text generation " +
	"generation_settings generations grammar id index info input input_tokens input_tokens_details intent " +
	"items kind language latency license logprobs matched message messages meta metadata metrics model " +
	"model_name name native_finish_reason object output output_text output_tokens output_tokens_details " +
	"outputs page param parts prediction predictions prompt prompt_annotations prompt_tokens " +
	"prompt_tokens_details provider reason reasoning reasoning_content reasoning_tokens rendered_template " +
	"renderedContent request_id response responses result results role score searchEntryPoint seed " +
	"segments sequence_id source sources status stop_details stop_reason stop_sequence summary " +
	"system_fingerprint text text_output texts thinking thoughtSignature timestamp timings title tokens " +
	"tool tool_calls total_tokens transcript type uri URL url url_citation usage value values version"

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
	for _, c := range s {
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9':
		case bytes.IndexByte([]byte("-_.:/@+="), c) >= 0:
		default:
			return false
		}
	}
	return len(s) <= maxIdentifier
}

// wordy reports whether the name of a member could be a run of words, unlike the names
// that servers give to members.
func wordy(name []byte) bool {
	gaps := 0
	for _, c := range name {
		switch {
		case c >= 0x80, c <= ' ', len(name) > maxIdentifier:
			return true
		case c|0x20 < 'a' || c|0x20 > 'z':
			gaps++
		}
	}
	return gaps >= 4
}

// Code reports whether a text looks like an id or a time: an identifier with digits.
func Code(text []byte) bool {
	const shortest = 6
	return len(text) >= shortest && IsIdentifier(text) && bytes.ContainsAny(text, "0123456789")
}
