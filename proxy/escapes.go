package proxy

import "strings"

// escapable are the characters that may be escaped in a path: those that clients escape in
// the name of a model without need. Two servers may read the escape of any other character
// differently.
const escapable = ":/@+=,"

// unescape decodes the escapes of a path or of a segment. It reports whether all of them are
// escapes of escapable characters.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, true
	}
	var b strings.Builder
	for {
		head, tail, more := strings.Cut(s, "%")
		b.WriteString(head)
		if !more {
			return b.String(), true
		}
		if len(tail) < 2 {
			return "", false
		}
		high, low := unhex(tail[0]), unhex(tail[1])
		if high > 0xF || low > 0xF || strings.IndexByte(escapable, high<<4|low) < 0 {
			return "", false
		}
		b.WriteByte(high<<4 | low)
		s = tail[2:]
	}
}

// unhex returns the value of a hexadecimal digit, or 0xFF.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xFF
}

// escapedSegment reports whether a segment with escapes may match a segment {name} of a
// pattern. Only in the ARN of an AWS resource, which needs it, a slash may be escaped: a
// server that decodes a path before it splits it would see more segments than were matched.
// No segment but the name of a model begins with arn:.
func escapedSegment(s string) bool {
	name, ok := unescape(s)
	if !ok || strings.Contains(name, "/") && !strings.HasPrefix(name, "arn:") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if !plainSegment(part) {
			return false
		}
	}
	return true
}

// plainSegment reports whether a segment without escapes may match a {name} of a pattern.
func plainSegment(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._~:@+=,-", rune(c))) {
			return false
		}
	}
	return s != ""
}
