package wire

import (
	"bytes"
	"unicode/utf8"
)

// AppendText appends the text of lit, a valid JSON string literal with its quotes.
// Bytes outside of escapes are copied, invalid UTF-8 too. A lone surrogate becomes its
// three bytes of WTF-8, so that the reader of the text can still join a pair of
// surrogates whose halves came in two messages.
func AppendText(dst, lit []byte) []byte {
	s := lit[1 : len(lit)-1]
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		var n int
		dst, n = appendEscape(append(dst, s[:i]...), s[i:])
		s = s[i+n:]
	}
}

// AppendForm appends the text of a place, which is written in the given form.
func AppendForm(dst, place []byte, f Form) []byte {
	switch f {
	case Document, Raw, Number:
		return append(dst, place...)
	case Bytes:
		return appendBytes(dst, place)
	}
	return AppendText(dst, place)
}

// appendBytes appends the bytes whose values are the numbers of a JSON array, as
// logprobs have them. Numbers that are no bytes are left out.
func appendBytes(dst, array []byte) []byte {
	n, digits := 0, 0
	for _, c := range array {
		switch {
		case c >= '0' && c <= '9' && digits < 4:
			n = n*10 + int(c-'0')
			digits++
		case c == ',' || c == ']':
			if digits > 0 && n <= 0xFF {
				dst = append(dst, byte(n))
			}
			n, digits = 0, 0
		}
	}
	return dst
}

// appendEscape appends the text of the escape at the start of s, and returns the length
// of the escape. Two escapes that spell one rune count as one.
func appendEscape(dst, s []byte) ([]byte, int) {
	switch s[1] {
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'u':
	default:
		return append(dst, s[1]), 2
	}
	r := hex4(s[2:])
	switch {
	case r < 0xD800 || r > 0xDFFF:
		return utf8.AppendRune(dst, r), 6
	case r < 0xDC00 && len(s) >= 12 && s[6] == '\\' && s[7] == 'u':
		if low := hex4(s[8:]); low >= 0xDC00 && low <= 0xDFFF {
			return utf8.AppendRune(dst, 0x10000+(r-0xD800)<<10+(low-0xDC00)), 12
		}
	}
	return append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F), 6
}

// hex4 reads four hex digits.
func hex4(s []byte) rune {
	var r rune
	for _, c := range s[:4] {
		switch {
		case c <= '9':
			c -= '0'
		case c <= 'F':
			c -= 'A' - 10
		default:
			c -= 'a' - 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

// AppendEscaped appends text as the inside of a JSON string. It escapes only the bytes
// that JSON requires to be escaped.
func AppendEscaped(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
