package corpus

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonOffset returns the offset in raw, the escaped inside of a JSON string, of the
// byte that has offset at in the unescaped string.
func jsonOffset(raw []byte, at int64) int64 {
	i, n := 0, int64(0)
	for i < len(raw) && n < at {
		switch c := raw[i]; {
		case c == '\\':
			size, length := escapeSize(raw[i:])
			i, n = i+size, n+length
		case c < utf8.RuneSelf:
			i, n = i+1, n+1
		default:
			// A broken byte is read as U+FFFD.
			r, size := utf8.DecodeRune(raw[i:])
			i, n = i+size, n+int64(utf8.RuneLen(r))
		}
	}
	return int64(min(i, len(raw)))
}

// escapeSize returns the length of the escape that the bytes begin with, and the length
// of the unescaped text. Half a surrogate pair is read as U+FFFD.
func escapeSize(raw []byte) (size int, length int64) {
	r, ok := escapedUnit(raw)
	if !ok {
		return 2, 1
	}
	if !utf16.IsSurrogate(r) {
		return 6, int64(utf8.RuneLen(r))
	}
	if low, ok := escapedUnit(raw[6:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
		return 12, 4
	}
	return 6, int64(utf8.RuneLen(utf8.RuneError))
}

// escapedUnit reads an escape of four hexadecimal digits.
func escapedUnit(raw []byte) (rune, bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	return rune(n), err == nil
}

// cellOffset is jsonOffset for the inside of a CSV cell in quotes, where a quote is
// doubled or, if escapes is true, behind a backslash.
func cellOffset(raw []byte, at int64, escapes bool) int64 {
	return offsetBy(raw, at, func(rest []byte) int { return cellUnit(rest, escapes) })
}

// bareOffset is jsonOffset for a CSV cell without quotes.
func bareOffset(raw []byte, at int64) int64 {
	return offsetBy(raw, at, func([]byte) int { return 1 })
}

// offsetBy is jsonOffset where unit returns the number of bytes that mean the next
// character of one byte.
func offsetBy(raw []byte, at int64, unit func(rest []byte) int) int64 {
	i, n := 0, int64(0)
	for i < len(raw) && n < at {
		if raw[i] < utf8.RuneSelf {
			i, n = i+unit(raw[i:]), n+1
			continue
		}
		// A broken byte is read as U+FFFD.
		r, size := utf8.DecodeRune(raw[i:])
		i, n = i+size, n+int64(utf8.RuneLen(r))
	}
	return int64(min(i, len(raw)))
}
