package wire

import (
	"bytes"
	"unicode/utf8"
)

// AppendText appends the text of a JSON string literal, quotes included, that
// is known to be valid. Raw bytes pass as they are, invalid UTF-8 too. A lone
// surrogate becomes its three bytes of WTF-8, so that a pair cut in two by a
// message boundary can still be joined by whoever reads the text.
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

// AppendForm appends the text that stands at a place in the given form.
func AppendForm(dst, place []byte, f Form) []byte {
	switch f {
	case Document, Raw:
		return append(dst, place...)
	case Bytes:
		return appendBytes(dst, place)
	}
	return AppendText(dst, place)
}

// appendBytes appends the bytes that a JSON array of numbers spells, as
// logprobs do. What is no byte is left out.
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

// appendEscape appends the text of the escape that s begins with and returns
// the length of the escape. Two escapes that make one rune are one.
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

// AppendEscaped appends text as it stands between the quotes of a JSON string.
// Only what JSON requires is escaped.
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
