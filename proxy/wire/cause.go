package wire

import "strings"

// Cause is the cause of the end of a choice. Of several causes the highest counts.
type Cause uint8

// The causes.
const (
	Unsaid  Cause = iota // the answer does not say, or not yet
	ended                // the model came to its end
	stopped              // the model came to its end, or to a stop sequence of the request
	cutOff               // anything else: a limit of length, a stop sequence, a filter, an error
)

// Cuts reports whether a text that ends for this cause may end inside a word, in the answer
// to a request.
func (c Cause) Cuts(r *Request) bool { return c == cutOff || c == stopped && r.Stops }

// causeOf returns the cause that a reason names, in any of the APIs.
func causeOf(reason []byte) Cause {
	if len(reason) > maxIdentifier {
		return cutOff
	}
	switch strings.ToLower(string(reason)) {
	case "end_turn", "eos", "eos_token", "endoftext", "pause_turn", "tool_calls", "tool_call", "tool_use", "function_call":
		return ended
	case "stop", "complete", "completed", "finish", "finished":
		return stopped
	}
	return cutOff
}
