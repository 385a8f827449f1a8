package wire

// JSONPart is a sort of the words of JSON text.
type JSONPart uint8

// The parts of JSON text.
const (
	JSONString JSONPart = iota // the strings that are values, and all text that is not JSON
	JSONName                   // the names of members
	JSONNumber                 // numbers, true, false and null
)

// JSONSplitter tells the parts of JSON text, which may come in pieces. The bytes between
// two parts belong to the first. The zero value is at the start of a text.
type JSONSplitter struct {
	part    JSONPart
	state   splitState
	depth   int    // open brackets
	objects uint64 // bit by depth, for the first 64: that bracket is a brace
	name    bool   // the next string is the name of a member
	Begins  bool   // the part that Next returned last does not go on with a string
}

// splitState is the position of a JSONSplitter.
type splitState uint8

const (
	splitBetween splitState = iota // outside of strings
	splitString                    // inside a string
	splitEscape                    // after a backslash in it
)

// Next returns how many bytes at the start of p, at least one, are of one part, and that
// part. Each name is a part. Of a string in an object or a list edge tells where it begins and
// ends: it is 1 if the string begins behind these bytes, -1 if the last of them ends a text, as
// the quote at its end and the outer bracket do, and 2 if they are punctuation. Else edge is 0.
func (s *JSONSplitter) Next(p []byte) (n int, part JSONPart, edge int) {
	for ; n < len(p); n++ {
		c := p[n]
		switch s.state {
		case splitString:
			for n < len(p)-1 && c != '"' && c != '\\' {
				n++
				c = p[n]
			}
			switch c {
			case '"':
				if s.state = splitBetween; s.depth > 0 {
					return n + 1, s.part, -1
				}
			case '\\':
				s.state = splitEscape
			}
		case splitEscape:
			s.state = splitString
		default:
			if part := s.partOf(c); part != s.part || c == '"' && s.name && n > 0 {
				if n > 0 {
					return n, s.part, s.punctuation()
				}
				s.part = part
			}
			edge, outside := s.punctuation(), s.depth == 0
			switch s.between(c); {
			case s.state == splitString && !outside:
				return n + 1, s.part, 1
			case outside && s.depth > 0:
				return n + 1, s.part, -1
			case !outside && s.depth == 0:
				return n + 1, s.part, edge
			}
		}
	}
	return n, s.part, s.punctuation()
}

// punctuation returns the edge of bytes that are no string of an object or list.
func (s *JSONSplitter) punctuation() int {
	if s.state == splitBetween && s.depth > 0 && s.part != JSONNumber {
		return 2
	}
	return 0
}

// partOf returns the part that a byte outside of strings belongs to.
func (s *JSONSplitter) partOf(c byte) JSONPart {
	switch {
	case c == '"' && s.name:
		return JSONName
	case c == '"', s.depth == 0:
		return JSONString
	case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z', c == '-', c >= 0x80:
		return JSONNumber
	}
	return s.part
}

// between reads a byte outside of strings.
func (s *JSONSplitter) between(c byte) {
	switch c {
	case '"':
		s.state = splitString
	case '{', '[':
		s.depth++
		if bit := uint64(1) << (s.depth & 63); c == '{' && s.depth < 64 {
			s.objects |= bit
		} else {
			s.objects &^= bit
		}
		s.name = c == '{' && s.depth < 64
	case '}', ']':
		s.depth = max(0, s.depth-1)
		s.name = false
	case ':':
		s.name = false
	case ',':
		s.name = s.depth < 64 && s.depth > 0 && s.objects>>s.depth&1 != 0
	}
}
