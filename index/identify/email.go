package identify

import (
	"bytes"
	"slices"
)

// The longest parts of an address, in bytes: RFC 5321, section 4.5.3.1.
const (
	maxLocal  = 64
	maxDomain = 255
)

// email returns the address around the "@" at byte at. The local part consists of the
// characters that are used without quotes in practice: letters, digits, and . _ % + - '
// between them.
func email(line []byte, at int) (lo, hi int, ok bool) {
	lo = at
	for lo > 0 && isLocal(line[lo-1]) && at-lo <= maxLocal {
		lo--
	}
	for lo < at && !isAlnum(line[lo]) && line[lo] != '_' && line[lo] < 0x80 {
		lo++
	}
	if lo < at && lo > 0 && line[lo-1] == '\\' && escaped(line, lo) {
		lo++
		for lo < at && !isAlnum(line[lo]) && line[lo] < 0x80 {
			lo++
		}
	}
	if lo == at || at-lo > maxLocal || line[at-1] == '.' {
		return 0, 0, false
	}
	hi = at + 1
	for hi < len(line) && (isAlnum(line[hi]) || line[hi] == '-' || line[hi] == '.' || line[hi] >= 0x80) && hi-at <= maxDomain {
		hi++
	}
	for hi > at+1 && (line[hi-1] == '.' || line[hi-1] == '-') {
		hi--
	}
	domain := line[at+1 : hi]
	dot := bytes.LastIndexByte(domain, '.')
	if dot <= 0 || len(domain) > maxDomain || bytes.Contains(domain, []byte("..")) || domain[0] == '-' || domain[0] == '.' {
		return 0, 0, false
	}
	top := domain[dot+1:]
	if len(top) < 2 || !bytes.HasPrefix(top, []byte("xn--")) && bytes.ContainsFunc(top, func(r rune) bool { return r < 0x80 && !isLetter(byte(r)) }) {
		return 0, 0, false
	}
	if slices.Contains(fileEndings, string(bytes.ToLower(top))) {
		return 0, 0, false
	}
	return lo, hi, true
}

// fileEndings follow an "@" in the names of files, such as icon@2x.png, and are not the
// end of a domain.
var fileEndings = []string{"png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "js", "mjs", "jsx", "tsx", "html", "json", "yaml", "yml", "txt", "pdf"}

// isLocal reports whether a byte may be part of the local part.
func isLocal(c byte) bool {
	switch c {
	case '.', '_', '%', '+', '-', '\'':
		return true
	}
	return isAlnum(c) || c >= 0x80
}
