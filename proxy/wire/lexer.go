package wire

// lexState is the position of the lexer in JSON text.
type lexState uint8

const (
	lexBetween lexState = iota // between tokens
	lexString                  // inside a string
	lexEscape                  // after a backslash
	lexHex                     // inside the digits of \u
	lexNumber
	lexWord  // inside true, false or null
	lexPlain // not JSON: plain text to the end
)

// lexer is the state of a [Cutter] in JSON text. It knows the tokens of JSON and not
// its grammar, which is enough to cut.
type lexer struct {
	state   lexState
	depth   int32   // open brackets
	hex     uint8   // digits of \u still to come
	prev    byte    // the last byte of a number that was written
	gone    verdict // goes: the rest of the escape or number is not written
	word    string  // true, false or null
	matched uint8   // bytes of word read
	held    uint64  // the span that word began in: nothing of word is written before its end; 0: none
	strings uint64  // number of strings begun
	masked  uint64  // number of the string that was masked last
}

// structured cuts one unit of JSON text. It returns bytes to write, and whether the
// unit itself follows them.
func (c *Cutter) structured(unit []byte, cut *Cut) ([]byte, verdict) {
	l := &c.lex
	b := unit[0]
	switch l.state {
	case lexPlain:
		return c.plain(cut)
	case lexString:
		return c.inString(b, cut)
	case lexEscape:
		return c.inEscape(b, cut)
	case lexHex:
		return c.inHex(b, cut)
	case lexNumber:
		if isNumber(b) {
			return l.inNumber(b, cut)
		}
		l.state = lexBetween
	case lexWord:
		if int(l.matched) < len(l.word) && b == l.word[l.matched] {
			l.matched++
			if l.held != 0 {
				return nil, goes
			}
			return nil, stays
		}
		if int(l.matched) < len(l.word) || !endsWord(b) {
			return c.surrender(cut)
		}
		l.state = lexBetween
		if l.held != 0 {
			l.held = 0
			out, keep := c.between(b, cut)
			return append([]byte(l.word), out...), keep
		}
	}
	return c.between(b, cut)
}

// between reads a byte between two tokens.
func (c *Cutter) between(b byte, cut *Cut) ([]byte, verdict) {
	l := &c.lex
	switch b {
	case ' ', '\t', '\n', '\r':
		return nil, stays
	case '{', '[':
		l.depth++
		return nil, stays
	case '"':
		l.state = lexString
		l.strings++
		return nil, stays
	}
	if l.depth <= 0 {
		return c.surrender(cut)
	}
	switch b {
	case '}', ']':
		l.depth--
		return nil, stays
	case ',', ':':
		return nil, stays
	case 't':
		l.word = "true"
	case 'f':
		l.word = "false"
	case 'n':
		l.word = "null"
	default:
		if b != '-' && (b < '0' || b > '9') {
			return c.surrender(cut)
		}
		l.state, l.gone, l.prev = lexNumber, stays, 0
		return l.inNumber(b, cut)
	}
	l.state, l.matched, l.held = lexWord, 1, 0
	if cut != nil {
		l.held = cut.Seq
		return nil, goes
	}
	return nil, stays
}

// surrender treats the rest of the text as plain text, because it is not JSON. A word
// that was not written yet becomes part of the span that it began in.
func (c *Cutter) surrender(cut *Cut) ([]byte, verdict) {
	c.lex.state = lexPlain
	if held := c.lex.held; held != 0 {
		c.lex.held = 0
		out, _ := c.plain(&Cut{Seq: held})
		more, keep := c.plain(cut)
		return append(append([]byte(nil), out...), more...), keep
	}
	return c.plain(cut)
}

// inString reads a byte inside a string.
func (c *Cutter) inString(b byte, cut *Cut) ([]byte, verdict) {
	l := &c.lex
	switch b {
	case '"':
		l.state = lexBetween
		return nil, stays
	case '\\':
		l.state, l.gone = lexEscape, stays
		if cut != nil {
			l.gone = goes
		}
	}
	return c.content(cut)
}

// content cuts a byte of the content of a string.
func (c *Cutter) content(cut *Cut) ([]byte, verdict) {
	switch {
	case cut == nil:
		return nil, stays
	case cut.Bare, cut.Seq == c.seq && c.lex.masked == c.lex.strings:
		return nil, goes
	}
	c.seq, c.lex.masked = cut.Seq, c.lex.strings
	return c.nested, goes
}

// inEscape reads the byte after a backslash. If the span begins with that byte, a
// second backslash is written, so that the first one is a complete escape.
func (c *Cutter) inEscape(b byte, cut *Cut) ([]byte, verdict) {
	l := &c.lex
	l.state = lexString
	if b == 'u' {
		l.state, l.hex = lexHex, 4
	}
	switch {
	case l.gone == goes:
		return nil, goes
	case cut == nil:
		return nil, stays
	}
	l.gone = goes
	return []byte{'\\'}, goes
}

// inHex reads a digit of \u. If the span begins inside the digits, zeros complete the
// escape.
func (c *Cutter) inHex(b byte, cut *Cut) ([]byte, verdict) {
	l := &c.lex
	if !isHex(b) {
		return c.surrender(cut)
	}
	if l.hex--; l.hex == 0 {
		l.state = lexString
	}
	switch {
	case l.gone == goes:
		return nil, goes
	case cut == nil:
		return nil, stays
	}
	return []byte{'0'}, goes
}

// inNumber reads a byte of a number. The digits before the span stay; a digit is added
// where JSON needs one.
func (l *lexer) inNumber(b byte, cut *Cut) ([]byte, verdict) {
	switch {
	case l.gone == goes:
		return nil, goes
	case cut == nil:
		l.prev = b
		return nil, stays
	}
	l.gone = goes
	if l.prev >= '0' && l.prev <= '9' {
		return nil, goes
	}
	return []byte{'0'}, goes
}

func isNumber(b byte) bool {
	return b >= '0' && b <= '9' || b == '-' || b == '+' || b == '.' || b == 'e' || b == 'E'
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

// endsWord reports whether b may follow true, false or null.
func endsWord(b byte) bool {
	switch b {
	case ' ', '\t', '\n', '\r', ',', ']', '}':
		return true
	}
	return false
}
