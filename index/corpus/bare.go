package corpus

import (
	"bytes"
	"io"

	"noecho/internal/coverage"
)

// bareJSON replaces the comments in JSON by blanks: // and # up to the end of the line, the latter only
// at its beginning, and /* up to */. So every other byte keeps its offset and its line.
type bareJSON struct {
	r     io.Reader
	f     *File // counts the comments
	state bareState
	last  byte // the byte before, 0 at the beginning of a line
}

type bareState uint8

const (
	bareBetween bareState = iota // between tokens
	bareString                   // within quotes
	bareEscape                   // behind a backslash within quotes
	bareFeed                     // behind a line feed within quotes: a row may have lost its quote
	bareSlash                    // behind the first slash
	bareLine                     // in a comment up to the end of the line
	bareBlock                    // in a comment up to */
)

func (b *bareJSON) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	left := 0
	for i, c := range p[:n] {
		p[i] = b.step(c)
		if b.state >= bareSlash {
			left++
		}
	}
	b.f.leave(coverage.Comments, left)
	return n, err
}

// step takes one byte and returns the byte that replaces it.
func (b *bareJSON) step(c byte) byte {
	before := b.last
	if b.last = c; c == '\n' || before == 0 && isBlank(c) {
		b.last = 0
	}
	switch b.state {
	case bareFeed:
		if b.state = bareString; c == '{' || c == '[' {
			b.state = bareBetween
			return c
		}
		return b.inString(c)
	case bareString:
		return b.inString(c)
	case bareEscape:
		b.state = bareString
	case bareSlash:
		switch c {
		case '/':
			b.state = bareLine
		case '*':
			b.state, b.last = bareBlock, ' '
		default:
			b.state = bareBetween
			return c
		}
		return ' '
	case bareLine:
		if c == '\n' {
			b.state = bareBetween
			return c
		}
		return ' '
	case bareBlock:
		if before == '*' && c == '/' {
			b.state = bareBetween
		}
		if c == '\n' {
			return c
		}
		return ' '
	default:
		switch {
		case c == '"':
			b.state = bareString
		case c == '/':
			b.state = bareSlash
			return ' '
		case c == '#' && before == 0:
			b.state = bareLine
			return ' '
		}
	}
	return c
}

// inString takes a byte within quotes.
func (b *bareJSON) inString(c byte) byte {
	switch c {
	case '"':
		b.state = bareBetween
	case '\\':
		b.state = bareEscape
	case '\n':
		b.state = bareFeed
	}
	return c
}

// withoutComments returns the beginning of JSON without comments.
func withoutComments(head []byte) []byte {
	if !bytes.Contains(head, []byte("//")) && !bytes.Contains(head, []byte("/*")) && !bytes.Contains(head, []byte("#")) {
		return head
	}
	plain, _ := io.ReadAll(&bareJSON{r: bytes.NewReader(head), f: new(File)}) // a reader of bytes has no errors
	return plain
}
