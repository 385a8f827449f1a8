package corpus

import (
	"bytes"
	"io"
)

// arrayLines turns a JSON array of objects into JSON lines of the same length: the
// brackets of the array become blanks, its commas become line feeds, and its line feeds
// become carriage returns, which are blanks to JSON too. So every byte of an element
// keeps its offset, and the lines of the file can still be counted. A file that is not
// an array gives lines that are not JSON.
//
// A sequence of objects, one behind the other and each over several lines, is turned into
// lines in the same way: the first line feed behind an object stays one.
type arrayLines struct {
	r     io.Reader
	state arrayState
	depth int
	rows  arrayRows
}

// arrayRows says where rows end.
type arrayRows uint8

const (
	rowsOfArray  arrayRows = iota // at the commas of an array
	rowsBetween                   // a sequence, before an object
	rowsOverLine                  // a sequence, behind an object: at the next line feed
)

// newSequence returns a reader of a sequence of objects as lines.
func newSequence(r io.Reader) *arrayLines {
	return &arrayLines{r: r, state: arrayBetween, rows: rowsBetween}
}

// arrayState is the position of the reader in the array.
type arrayState uint8

const (
	arrayBefore  arrayState = iota // before the first bracket
	arrayBetween                   // between tokens
	arrayString                    // within quotes
	arrayEscape                    // behind a backslash within quotes
	arrayBehind                    // behind the last bracket
)

func (a *arrayLines) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	a.rewrite(p[:n])
	return n, err
}

// rewrite makes lines of the next bytes of the array.
func (a *arrayLines) rewrite(p []byte) {
	for i := 0; i < len(p); i++ {
		if a.state == arrayString {
			// Most bytes of a file are within quotes.
			next := bytes.IndexAny(p[i:], "\"\\\n")
			if next < 0 {
				return
			}
			i += next
		}
		p[i] = a.step(p[i])
	}
}

// step takes one byte and returns the byte that replaces it.
func (a *arrayLines) step(c byte) byte {
	switch a.state {
	case arrayBefore:
		if c == '[' {
			a.state = arrayBetween
			return ' '
		}
		return blank(c)
	case arrayString:
		switch c {
		case '"':
			a.state = arrayBetween
		case '\\':
			a.state = arrayEscape
		}
		return within(c)
	case arrayEscape:
		a.state = arrayString
		return within(c)
	case arrayBehind:
		return blank(c)
	}
	if a.rows != rowsOfArray {
		return a.between(c)
	}
	switch c {
	case '"':
		a.state = arrayString
	case '{', '[':
		a.depth++
	case '}':
		a.depth--
	case ']':
		if a.depth == 0 {
			a.state = arrayBehind
			return ' '
		}
		a.depth--
	case ',':
		if a.depth == 0 {
			return '\n'
		}
	}
	return blank(c)
}

// between takes a byte between the tokens of a sequence.
func (a *arrayLines) between(c byte) byte {
	switch c {
	case '"':
		a.state = arrayString
	case '{', '[':
		a.depth++
		a.rows = rowsBetween
	case '}', ']':
		a.depth = max(0, a.depth-1)
		if a.depth == 0 {
			a.rows = rowsOverLine
		}
	case '\n':
		if a.rows == rowsOverLine {
			a.rows = rowsBetween
			return c
		}
	}
	return blank(c)
}

// blank replaces a line feed between tokens.
func blank(c byte) byte {
	switch c {
	case '\n':
		return '\r'
	case '\r':
		return ' '
	default:
		return c
	}
}

// within replaces a line feed within quotes, where none should be.
func within(c byte) byte {
	if c == '\n' {
		return ' '
	}
	return c
}
