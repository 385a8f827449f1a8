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
// part. Each name is a part.
func (s *JSONSplitter) Next(p []byte) (int, JSONPart) {
	s.Begins = s.state == splitBetween
	for n := 0; n < len(p); n++ {
		c := p[n]
		switch s.state {
		case splitString:
			for n < len(p)-1 && c != '"' && c != '\\' {
				n++
				c = p[n]
			}
			switch c {
			case '"':
				s.state = splitBetween
			case '\\':
				s.state = splitEscape
			}
		case splitEscape:
			s.state = splitString
		default:
			if part := s.partOf(c); part != s.part || c == '"' && s.name && n > 0 {
				if n > 0 {
					return n, s.part
				}
				s.part = part
			}
			s.between(c)
		}
	}
	return len(p), s.part
}

// partOf returns the part that a byte outside of strings belongs to.
func (s *JSONSplitter) partOf(c byte) JSONPart {
	switch {
	case c == '"' && s.name:
		return JSONName
	case c == '"', s.depth == 0:
		return JSONString
	case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z', c == '-':
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
