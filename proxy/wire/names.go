package wire

import "bytes"

// plainName reports whether the name of a member may be part of the name of a channel.
// Names of channels are logged, and any other name could be text of the answer.
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
