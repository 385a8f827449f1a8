package corpus

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Record is one training example. It is valid until the next one is parsed
// into it.
type Record struct {
	ID       string    // the row's id, _id or uuid; empty: the row has none
	Segments []Segment // its texts, in order
	Skipped  Skips     // its messages that were not read

	text []byte // unescaped texts of the segments
}

// Segment is one text of a record.
type Segment struct {
	lo, hi int // in Record.text
	// RawLo and RawHi are the byte range of the text in the line, escaped, without the
	// quotes.
	RawLo, RawHi int64
}

// Skips counts messages that were not read because of their role.
type Skips struct{ System, Developer, Other int }

// Text returns the unescaped text of a segment.
func (r *Record) Text(s Segment) []byte { return r.text[s.lo:s.hi] }

// reset empties the record.
func (r *Record) reset() {
	*r = Record{Segments: r.Segments[:0], text: r.text[:0]}
}

// Parser reads rows of JSON lines. Not safe for concurrent use.
type Parser struct {
	format Format
	fields []string
	roles  []string
	buf    bytes.Buffer
	d      *jsontext.Decoder
	rec    *Record
	seen   bool   // the row has a member that may contain text
	name   []byte // the unescaped name of a member
}

// NewParser returns a parser of a format that keeps its rows in JSON lines.
func NewParser(f Format, o Options) *Parser {
	p := &Parser{format: f, fields: o.Fields, roles: o.Roles}
	if len(p.roles) == 0 {
		p.roles = DefaultRoles()
	}
	p.d = jsontext.NewDecoder(&p.buf, lenient...)
	return p
}

// Parse reads one row into rec. An error gives the reason without text of the row; the
// content of rec is then undefined.
func (p *Parser) Parse(line []byte, rec *Record) error {
	rec.reset()
	p.rec, p.seen = rec, false
	if why, ok := spoiltReason(line); ok {
		return errors.New(why)
	}
	p.buf.Reset()
	p.buf.Write(line)
	p.d.Reset(&p.buf, lenient...)
	if p.d.PeekKind() != '{' {
		if _, err := p.d.ReadValue(); err != nil {
			return reason(err)
		}
		return errors.New("not a JSON object")
	}
	if err := p.members(p.rowMember); err != nil {
		return reason(err)
	}
	if _, err := p.d.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value in the line")
	}
	if !p.seen {
		return errors.New(p.missing())
	}
	return nil
}

// missing is the reason why a row without text cannot be read.
func (p *Parser) missing() string {
	switch p.format {
	case OpenAI:
		return "no messages"
	case ShareGPT:
		return "no conversations"
	case Completion:
		return "neither prompt nor completion"
	case Alpaca:
		return "no instruction, input or output"
	default:
		return "none of the fields " + strings.Join(p.fields, ", ")
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

// members calls f for each member of the object that comes next, which reads
// the member's value. The name is valid until then.
func (p *Parser) members(f func(name []byte) error) error {
	if _, err := p.d.ReadToken(); err != nil {
		return err
	}
	for p.d.PeekKind() == '"' {
		name, err := p.d.ReadValue()
		if err != nil {
			return err
		}
		if err := f(p.unquote(name)); err != nil {
			return err
		}
	}
	_, err := p.d.ReadToken()
	return err
}

// unquote returns the text of a JSON string, without a copy if no byte in it is
// escaped.
func (p *Parser) unquote(v jsontext.Value) []byte {
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1]
	}
	p.name, _ = jsontext.AppendUnquote(p.name[:0], v)
	return p.name
}

// elements calls f before each element of the array that comes next.
func (p *Parser) elements(f func() error) error {
	if _, err := p.d.ReadToken(); err != nil {
		return err
	}
	for p.d.PeekKind() != ']' {
		if err := f(); err != nil {
			return err
		}
	}
	_, err := p.d.ReadToken()
	return err
}

// rowMember reads one member of the row.
func (p *Parser) rowMember(name []byte) error {
	if p.rec.ID == "" && isID(name) && !slices.Contains(p.fields, string(name)) {
		return p.id()
	}
	switch {
	case p.format == JSONL:
		return p.field(name, p.fields)
	case !slices.Contains(textColumns(p.format), string(name)):
		return p.d.SkipValue()
	case p.format == Alpaca:
		p.seen = true
		return p.texts()
	default:
		p.seen = true
		return p.turns()
	}
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

// id reads the record's id, a string or a number.
func (p *Parser) id() error {
	v, err := p.d.ReadValue()
	if err != nil {
		return err
	}
	switch v.Kind() {
	case '"':
		id, _ := jsontext.AppendUnquote(nil, v)
		p.rec.ID = string(id)
	case '0':
		p.rec.ID = string(v)
	}
	return nil
}

// field reads the member called name if one of the paths leads to it or
// through it.
func (p *Parser) field(name []byte, paths []string) error {
	var deeper []string
	for _, path := range paths {
		if path == string(name) {
			p.seen = true
			return p.texts()
		}
		if rest, ok := below(path, name); ok {
			deeper = append(deeper, rest)
		}
	}
	if len(deeper) == 0 {
		return p.d.SkipValue()
	}
	return p.descend(deeper)
}

// below returns the rest of a path that leads through the member called name.
func below(path string, name []byte) (rest string, ok bool) {
	if len(path) <= len(name) || path[len(name)] != '.' || path[:len(name)] != string(name) {
		return "", false
	}
	return path[len(name)+1:], true
}

// descend follows the paths into the next value, and into every element if it is an
// array. Null and an array may be empty: then the record has no text there, which is no
// error.
func (p *Parser) descend(paths []string) error {
	switch p.d.PeekKind() {
	case '{':
		return p.members(func(name []byte) error { return p.field(name, paths) })
	case '[':
		p.seen = true
		return p.elements(func() error { return p.descend(paths) })
	case 'n':
		p.seen = true
	}
	return p.d.SkipValue()
}

// texts reads a value as text: a string or a number is a segment, an object is one
// segment, its JSON text, and of an array each element is read like this.
func (p *Parser) texts() error {
	if p.d.PeekKind() == '[' {
		return p.elements(p.texts)
	}
	return p.text()
}

// text reads one value that is no array as a segment. An empty string, true, false and
// null give no segment.
func (p *Parser) text() error {
	v, err := p.d.ReadValue()
	if err != nil {
		return err
	}
	end := p.d.InputOffset()
	lo := len(p.rec.text)
	switch v.Kind() {
	case '"':
		// AppendUnquote writes broken UTF-8 as U+FFFD and reports it, which is fine
		// here.
		p.rec.text, _ = jsontext.AppendUnquote(p.rec.text, v)
		if len(p.rec.text) > lo {
			p.rec.Segments = append(p.rec.Segments, Segment{lo, len(p.rec.text), end - int64(len(v)) + 1, end - 1})
		}
	case '0', '{', '[':
		p.rec.text = append(p.rec.text, v...)
		p.rec.Segments = append(p.rec.Segments, Segment{lo, len(p.rec.text), end - int64(len(v)), end})
	}
	return nil
}
