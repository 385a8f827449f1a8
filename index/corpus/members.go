package corpus

import "io"

// Members is the container of rows that are in the members of one JSON object, each alone
// or in a list, and of texts there. It is detected in the file; nobody asks for it.
const Members Format = "members"

// memberLines turns one JSON object into JSON lines of the same length: its braces, colons,
// and the brackets of its lists become blanks, and the commas there become line feeds, as in
// [arrayLines]. So the name of a member is on the line of its value, or of the first one in
// its list.
//
// For example {"v":1,"data":[{"prompt":"a"},{"prompt":"b"}]} has the lines "v" 1,
// "data" {"prompt":"a"} and {"prompt":"b"}.
type memberLines struct {
	r     io.Reader
	state arrayState
	depth int
	list  bool // in a list of a member
}

func newMemberLines(r io.Reader) *memberLines { return &memberLines{r: r, state: arrayBetween} }

func (m *memberLines) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	for i, c := range p[:n] {
		p[i] = m.step(c)
	}
	return n, err
}

// step takes one byte and returns the byte that replaces it.
func (m *memberLines) step(c byte) byte {
	switch m.state {
	case arrayString, arrayEscape:
		switch {
		case m.state == arrayEscape:
			m.state = arrayString
		case c == '"':
			m.state = arrayBetween
		case c == '\\':
			m.state = arrayEscape
		}
		return within(c)
	}
	outside := m.depth == 1 || m.depth == 2 && m.list
	switch c {
	case '"':
		m.state = arrayString
	case '{', '[':
		m.depth++
		if m.depth == 2 && c == '[' {
			m.list = true
			return ' '
		}
		if m.depth == 1 {
			return ' '
		}
	case '}', ']':
		m.depth = max(0, m.depth-1)
		m.list = m.list && m.depth >= 2
		if outside {
			return ' '
		}
	case ',':
		if outside {
			return '\n'
		}
	case ':':
		if m.depth == 1 {
			return ' '
		}
	}
	return blank(c)
}
