package corpus

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/internal/coverage"
)

// Record is one training example. It is valid until the next one is parsed
// into it.
type Record struct {
	ID       string    // the row's id, _id or uuid; empty: the row has none
	Segments []Segment // its texts, in order
	Skipped  Skips     // its messages that were not read

	text   []byte // unescaped texts of the segments
	pieces []piece
	mended bool // the line was read with its mistakes mended
}

// Segment is one text of a record.
type Segment struct {
	lo, hi int // in Record.text
	// RawLo and RawHi are the byte range of the text in the line, escaped, without the
	// quotes.
	RawLo, RawHi int64

	inner bool // the text is part of the JSON in that string

	pieces []piece // of a text that the line has in several strings; nil: it is one
}

// piece is a part of a string of the line: where it begins in the text of the segment and in
// that of the string, and the range of the string.
type piece struct{ at, from, rawLo, rawHi int64 }

// Skips counts messages that were not read because of their role.
type Skips struct{ System, Developer, Other int }

// Text returns the unescaped text of a segment.
func (r *Record) Text(s Segment) []byte { return r.text[s.lo:s.hi] }

// Plain reports whether each text is one string of the line as it is, but for escapes: no line
// that was mended, and no text that the line has in several strings.
func (r *Record) Plain() bool { return !r.mended && len(r.pieces) == 0 }

// reset empties the record.
func (r *Record) reset() {
	*r = Record{Segments: r.Segments[:0], text: r.text[:0], pieces: r.pieces[:0]}
}

// Parser reads rows of JSON lines. Not safe for concurrent use.
type Parser struct {
	// Account counts the text of the rows, if it is not nil.
	Account *Account

	format  Format
	fields  []fieldPath
	names   []string          // of the fields
	roles   []string          // in small letters
	aliases map[string]string // usual names of roles
	window  int
	uses    uses
	top     map[string]use // of a format that was named: the members that it reads

	buf bytes.Buffer
	d   *jsontext.Decoder // checks the syntax; the walk is that of the cursor
	c   cursor
	rec *Record

	seen   bool   // the row has a member that may contain text
	name   []byte // the unescaped name of a member
	path   []byte // of the current value, with pathSep between the names
	level  int    // of the current object; that of the row is 1
	inPart bool   // the value is below the content of a message
	every  bool   // the value is below a field that was named: all its texts are read
	one    bool   // the texts of a list are parts of one text
	rest   state  // the state of texts that no format names

	nested bool     // the value is in the JSON in a string
	outer  [2]int64 // the range of that string
	inner  []byte   // that JSON

	parts []Segment // of a text in a list

	said []said // the texts of the row, for the account
	says []byte // their paths
}

// state says what became of a text.
type state uint8

const (
	stateRead state = iota
	stateLeft
	stateUnread
)

// said is a text of the row.
type said struct {
	lo, hi int // of its path in Parser.says
	bytes  int
	state  state
}

// defaultWindow is the number of words in a window unless the options say otherwise.
const defaultWindow = 10

// window returns the number of words of the shortest text.
func (o Options) window() int {
	if o.Window <= 0 {
		return defaultWindow
	}
	return o.Window
}

// NewParser returns a parser of a format that keeps its rows in JSON lines.
func NewParser(f Format, o Options) *Parser {
	p := &Parser{format: f, names: o.Fields, window: o.window(), uses: o.uses(), rest: stateLeft}
	for _, r := range o.Roles {
		p.roles = append(p.roles, strings.ToLower(r))
	}
	if len(p.roles) == 0 {
		p.roles = DefaultRoles()
	}
	if o.naming != nil {
		p.aliases = o.naming.roles
	}
	switch f {
	case ByRow, Members:
		p.rest = stateUnread
	case texts:
	case JSONL:
		for _, name := range o.Fields {
			p.fields = append(p.fields, fieldPath{name, name})
		}
	default:
		p.top = map[string]use{}
		for _, name := range textColumns(f) {
			p.top[name] = p.uses.row[name]
		}
	}
	p.d = jsontext.NewDecoder(&p.buf, lenient...)
	return p
}

// Parse reads one row into rec: one JSON value, or several on one line. An error gives
// the reason without text of the row; the content of rec is then undefined.
func (p *Parser) Parse(line []byte, rec *Record) error {
	rec.reset()
	p.rec, p.seen, p.path, p.said, p.says = rec, false, p.path[:0], p.said[:0], p.says[:0]
	if why, size, ok := spoiltReason(line); ok {
		if p.Account != nil {
			p.Account.Bad(why, size)
		}
		return errors.New(why)
	}
	if err := p.check(line); err != nil {
		whole := line
		if line = mend(line); line == nil || p.check(line) != nil {
			p.bad(whole)
			return err
		}
		rec.mended = true
	}
	for p.c = (cursor{b: line}); p.c.kind() != 0; {
		if err := p.row(); err != nil {
			p.bad(line)
			return err
		}
	}
	p.count()
	if !p.seen {
		return errors.New(p.missing())
	}
	return nil
}

// bad counts the text of a row that cannot be read.
func (p *Parser) bad(row []byte) {
	if p.Account != nil && wordy(row, p.window) {
		p.Account.Bad("", int64(len(row)))
	}
}

// check checks the syntax of the values in a line.
func (p *Parser) check(line []byte) error {
	p.buf.Reset()
	p.buf.Write(line)
	p.d.Reset(&p.buf, lenient...)
	for n := 0; ; n++ {
		switch _, err := p.d.ReadValue(); {
		case errors.Is(err, io.EOF) && n > 0:
			return nil
		case err != nil:
			return reason(err)
		}
	}
}

// count adds the texts of the row to the account.
func (p *Parser) count() {
	if p.Account == nil {
		return
	}
	for _, s := range p.said {
		c := coverage.Text{}
		switch n := uint64(s.bytes); s.state {
		case stateRead:
			c.Read = n
		case stateLeft:
			c.LeftOut = n
		case stateUnread:
			c.Unread = n
		}
		p.Account.add(p.says[s.lo:s.hi], c)
	}
}

// missing is the reason why a row without text cannot be read.
func (p *Parser) missing() string {
	switch p.format {
	case ByRow:
		return "no messages, prompt, text or other member that a format names"
	case OpenAI:
		return "no messages"
	case ShareGPT:
		return "no conversations"
	case Completion:
		return "neither prompt nor completion"
	case Alpaca:
		return "no instruction, input or output"
	default:
		return "none of the fields " + strings.Join(p.names, ", ")
	}
}

// reason turns an error of the decoder, which may quote the row, into one that
// does not.
func reason(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return errors.New("not valid JSON at byte " + strconv.FormatInt(syntax.ByteOffset, 10) + " of the line")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("not valid JSON: the file ends too early")
	}
	return errors.New("not valid JSON")
}

// isID reports whether a column of that name identifies its row.
func isID(name []byte) bool {
	switch string(name) {
	case "id", "_id", "uuid":
		return true
	default:
		return false
	}
}

// textColumns returns the columns that contain the text of a format whose columns
// have fixed names.
func textColumns(f Format) []string {
	switch f {
	case OpenAI:
		return []string{"messages"}
	case ShareGPT:
		return []string{"conversations"}
	case Completion:
		return []string{"prompt", "completion"}
	case Alpaca:
		return []string{"instruction", "input", "output"}
	default:
		return nil
	}
}

// mend returns a copy of a line without the mistakes that programs make in JSON: NaN and
// infinite numbers become 0; control characters in strings, commas between rows and behind the last
// element, comments behind a row, and the byte order marks of files that were put together become
// blanks. It is as long as the line, and nil if the line has no such mistake.
func mend(line []byte) []byte {
	out := bytes.Clone(line)
	mended := false
	for c, depth := (cursor{b: out}), 0; c.at < len(out); {
		switch b := out[c.at]; {
		case b == '"':
			lo, hi := c.str()
			mended = mendString(out[lo:hi]) || mended
			continue
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			depth--
		case b == ',' && (depth == 0 || endsThere(out[c.at+1:])):
			out[c.at], mended = ' ', true
		case b == '/' && depth == 0 && bytes.HasPrefix(out[c.at:], []byte("//")):
			copy(out[c.at:], bytes.Repeat([]byte(" "), len(out)-c.at))
			mended = true
		case b == bom[0] && depth == 0 && bytes.HasPrefix(out[c.at:], []byte(bom)):
			copy(out[c.at:], "   ")
			mended = true
		case b == 'N' || b == 'I' || b == '-':
			for _, word := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(out[c.at:], []byte(word)) {
					copy(out[c.at:], "0           "[:len(word)])
					mended = true
				}
			}
		}
		c.at++
	}
	if !mended {
		return nil
	}
	return out
}

// endsThere reports whether the next token ends an object or a list.
func endsThere(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && (rest[0] == '}' || rest[0] == ']')
}

// mendString mends the inside of a string: control characters become blanks, and so do backslashes
// that begin no escape of JSON and come before a letter or digit, as in C:\Users. Before a sign
// such as a quote, which JavaScript escapes, they become the sign.
func mendString(s []byte) (mended bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ':
			s[i], mended = ' ', true
		case c != '\\' || i+1 == len(s):
		case bytes.IndexByte([]byte(`"\/bfnrt`), s[i+1]) >= 0:
			i++
		case s[i+1] == 'u' && isEscape(s[i:]):
			i++
		case isLetter(s[i+1]) || s[i+1] >= '0' && s[i+1] <= '9' || s[i+1] < ' ':
			s[i], mended = ' ', true
		default:
			s[i], mended = s[i+1], true
		}
	}
	return mended
}

// isEscape reports whether bytes begin with an escape of four digits.
func isEscape(s []byte) bool {
	_, ok := escapedUnit(s)
	return ok
}
