package wire

import "bytes"

// plainName reports whether a name may stand in the name of a channel. Any
// other could be text of the answer, and names of channels are logged.
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

// IsIdentifier reports whether the inside of a string literal is one word of a
// machine's: an id, the name of a model or a kind. An escape is none.
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

// wordy reports whether a name could hold a run of words: names that servers
// give to members do not.
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

// Code reports whether a text looks like an id or a time: one word of a machine's
// that has digits.
func Code(text []byte) bool {
	const shortest = 6
	return len(text) >= shortest && IsIdentifier(text) && bytes.ContainsAny(text, "0123456789")
}
