package corpus

import (
	"bytes"
	"strings"
)

// cursor reads JSON that is known to be valid, without a copy and without an error.
type cursor struct {
	b  []byte
	at int
}

// kind returns the first byte of the next value, a closing bracket, or 0 at the end.
func (c *cursor) kind() byte {
	for c.at < len(c.b) {
		switch c.b[c.at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			c.at++
		default:
			return c.b[c.at]
		}
	}
	return 0
}

// open passes the bracket of an array or object.
func (c *cursor) open() { c.at++ }

// more reports whether the array or object goes on. At its end the cursor passes the
// closing bracket.
func (c *cursor) more() bool {
	switch c.kind() {
	case 0:
		return false
	case ']', '}':
		c.at++
		return false
	default:
		return true
	}
}

// str reads a string and returns the range within its quotes.
func (c *cursor) str() (lo, hi int) {
	lo = c.at + 1
	hi = lo
	for {
		n := bytes.IndexByte(c.b[hi:], '"')
		if n < 0 {
			c.at = len(c.b)
			return lo, len(c.b)
		}
		hi += n
		back := hi
		for back > lo && c.b[back-1] == '\\' {
			back--
		}
		if (hi-back)%2 == 0 {
			c.at = hi + 1
			return lo, hi
		}
		hi++
	}
}

// skip reads the next value and returns its range.
func (c *cursor) skip() (lo, hi int) {
	kind := c.kind()
	lo = c.at
	switch kind {
	case '"':
		c.str()
	case '{', '[':
		c.nested()
	default:
		c.word()
	}
	return lo, c.at
}

// nested passes an array or an object.
func (c *cursor) nested() {
	for depth := 0; c.at < len(c.b); {
		switch c.b[c.at] {
		case '"':
			c.str()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		c.at++
		if depth == 0 {
			return
		}
	}
}

// word passes a number, true, false or null.
func (c *cursor) word() {
	for ; c.at < len(c.b); c.at++ {
		switch c.b[c.at] {
		case ',', ']', '}', ' ', '\t', '\r', '\n', '"', '{', '[':
			return
		}
	}
}

// Member returns a member of a row, a valid JSON object, as JSON. The names of objects inside
// objects are joined with dots. ok is false if the row has no such member.
func Member(row []byte, name string) (value []byte, ok bool) {
	c := cursor{b: row}
	if c.kind() != '{' {
		return nil, false
	}
	for c.open(); c.more() && c.kind() == '"'; {
		lo, hi := c.str()
		at, end := c.skip()
		inner, isInner := strings.CutPrefix(name, string(row[lo:hi])+".")
		switch {
		case string(row[lo:hi]) == name:
			return row[at:end], true
		case isInner:
			if value, ok = Member(row[at:end], inner); ok {
				return value, true
			}
		}
	}
	return nil, false
}
