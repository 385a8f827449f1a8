package proxy

import (
	"slices"
	"strings"

	"noecho/proxy/wire"
)

// A name out of an answer, or of a path that is not open, may be text that a model wrote or
// that a caller sent. Logs, metrics, alerts and errors have it only if it is the name of an
// API or of the configuration. Any other name becomes a hash, which tells equal names.

// hiddenName returns the hash of a name: ~ and eight hexadecimal digits, under the key of
// principals.
func hiddenName(key []byte, name string) string { return "~" + keyedHex(key, []byte(name))[:8] }

// channelParts are the parts of names of channels that are no names of members.
var channelParts = []string{"[]", "*", "keys", "lines", "framing", "comment", "retry"}

// channelName returns the name of a channel as alerts have it: names of members that
// neither the family nor the configuration knows are hashes.
func channelName(key []byte, family *wire.Family, printed []string, channel string) string {
	parts := strings.Split(channel, ".")
	for i, s := range parts {
		if !family.Knows(s) && !shortNumber(s) && !slices.Contains(channelParts, s) && !slices.Contains(printed, s) {
			parts[i] = hiddenName(key, s)
		}
	}
	return strings.Join(parts, ".")
}

// shortNumber reports whether a part of a name is the number of a choice, item or element:
// the numbers of honest answers have at most three digits.
func shortNumber(s string) bool {
	return len(s) <= len("999") && !strings.ContainsFunc(s, func(c rune) bool { return c < '0' || c > '9' })
}

// modelName returns the name of a model as alerts have it. Callers write it; no name of a
// model comes from an answer.
func modelName(key []byte, name string) string {
	if !plainModel(name) {
		return hiddenName(key, name)
	}
	return name
}

// plainModel reports whether a name is short enough for a model, and has no spaces.
func plainModel(name string) bool {
	const longest = 128
	return len(name) <= longest && !strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '\\' })
}
