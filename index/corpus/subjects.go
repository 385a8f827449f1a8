package corpus

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// Subject is a person, or anyone else whom a list names. An answer must not tell the
// attributes of a subject. Several rows with the same id are one subject.
type Subject struct {
	ID         string
	Labels     []string
	Attributes []Attribute
}

// Attribute is one thing that is known of a subject.
type Attribute struct {
	Column string // in small letters
	Value  string
}

// Name reports whether the attribute is a name of the subject.
func (a Attribute) Name() bool { return a.Column == "name" || a.Column == "names" }

// Phone reports whether the attribute is a telephone number by its column.
func (a Attribute) Phone() bool {
	return slices.Contains([]string{"phone", "phones", "mobile", "tel", "telephone", "fax"}, a.Column)
}

// Weak reports whether an attribute of that many words is too common to identify a
// subject in a text. A name is weak if it has one word. Any other value is weak if it
// has fewer than four words and none of them is six characters or longer with a digit
// in it.
func (a Attribute) Weak(words int) bool {
	if a.Name() {
		return words < 2
	}
	if words >= 4 {
		return false
	}
	return !slices.ContainsFunc(strings.FieldsFunc(a.Value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), func(w string) bool {
		return len(w) >= 6 && strings.ContainsFunc(w, unicode.IsDigit)
	})
}

// Inverted reports whether a name is written with the family name first: "Doe,
// Jo".
func (a Attribute) Inverted() bool { return strings.Count(a.Value, ",") == 1 }

// maxSubjectsFile bounds the bytes of a list of subjects.
const maxSubjectsFile = 1 << 30

// ReadSubjects reads a list of data subjects: CSV with a line of column names, or JSON
// lines. The column id identifies the subject, name or names are its names, label or
// labels are reported with findings; every other column is an attribute. In JSON a
// value may be a list. Subjects come in order of their ids, with the digest of the
// file. Errors name the line, never a value.
func ReadSubjects(path string) (subjects []Subject, digest string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("read subjects: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSubjectsFile+1))
	if err != nil {
		return nil, "", fmt.Errorf("read subjects: %w", err)
	}
	if len(b) > maxSubjectsFile {
		return nil, "", fmt.Errorf("subjects %s: the list is longer than 1 GiB", path)
	}
	sum := sha256.Sum256(b)
	b = bytes.TrimPrefix(b, []byte(bom))
	list := &subjectList{path: path, by: map[string]*Subject{}}
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		err = list.readLines(b)
	} else {
		err = list.readTable(b)
	}
	if err != nil {
		return nil, "", err
	}
	if len(list.by) == 0 {
		return nil, "", fmt.Errorf("subjects %s: the list is empty", path)
	}
	for _, s := range list.by {
		subjects = append(subjects, *s)
	}
	slices.SortFunc(subjects, func(a, b Subject) int { return strings.Compare(a.ID, b.ID) })
	return subjects, hex.EncodeToString(sum[:]), nil
}

// subjectList is a list that is being read.
type subjectList struct {
	path string
	by   map[string]*Subject // by id
}

// cell is one value of a row.
type cell struct{ column, value string }

// add adds a row.
func (l *subjectList) add(line int, row []cell) error {
	bad := func(reason string) error { return &BadRecord{Path: l.path, Line: line, Reason: reason} }
	id := ""
	for _, c := range row {
		if c.column == "id" && c.value != "" {
			if id != "" {
				return bad("two ids in one row")
			}
			id = c.value
		}
	}
	switch {
	case id == "":
		return bad("a subject without an id")
	case len(id) > 256 || strings.ContainsFunc(id, unicode.IsControl):
		return bad("the id is longer than 256 bytes or has control characters")
	}
	s := l.by[id]
	if s == nil {
		s = &Subject{ID: id}
		l.by[id] = s
	}
	for _, c := range row {
		switch c.column {
		case "id":
		case "label", "labels":
			s.Labels = append(s.Labels, c.value)
		default:
			a := Attribute{Column: c.column, Value: c.value}
			if c.value != "" && !slices.Contains(s.Attributes, a) {
				s.Attributes = append(s.Attributes, a)
			}
		}
	}
	return nil
}

// readLines reads JSON lines.
func (l *subjectList) readLines(b []byte) error {
	return Block{Data: b, Line: 1}.EachLine(func(line []byte, number int, _ int64) error {
		row, err := subjectRow(line)
		if err != nil {
			return &BadRecord{Path: l.path, Line: number, Reason: reason(err).Error()}
		}
		return l.add(number, row)
	})
}

// subjectRow reads one object of strings, numbers and lists of them.
func subjectRow(line []byte) (row []cell, err error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(line), lenient...)
	if d.PeekKind() != '{' {
		return nil, errors.New("not a JSON object")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		column := strings.ToLower(strings.TrimSpace(name.String()))
		list := d.PeekKind() == '['
		if list {
			if _, err := d.ReadToken(); err != nil {
				return nil, err
			}
		}
		for {
			if list && d.PeekKind() == ']' {
				_, err = d.ReadToken()
				break
			}
			var value string
			if value, err = subjectValue(d); err != nil {
				break
			}
			row = append(row, cell{column, value})
			if !list {
				break
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value in the line")
	}
	return row, nil
}

// subjectValue reads a string or a number; null, true and false give an empty string.
func subjectValue(d *jsontext.Decoder) (string, error) {
	switch d.PeekKind() {
	case '"':
		t, err := d.ReadToken()
		if err != nil {
			return "", err
		}
		return strings.TrimSpace(t.String()), nil
	case '0':
		v, err := d.ReadValue()
		return string(v), err
	default:
		return "", d.SkipValue()
	}
}

// readTable reads a CSV.
func (l *subjectList) readTable(b []byte) error {
	table := newCSVReader(bytes.NewReader(b), &Input{Path: l.path, comma: sniffComma(extension(l.path), b)})
	for {
		row, err := table.next()
		if table.columns != nil && !slices.ContainsFunc(table.columns, func(c string) bool { return strings.EqualFold(c, "id") }) {
			return &BadRecord{Path: l.path, Line: table.names, Reason: "no column is called id"}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		var values []cell
		for i, c := range table.cells {
			values = append(values, cell{strings.ToLower(table.columns[i]), strings.TrimSpace(string(table.value(row, c)))})
		}
		if err := l.add(row.line, values); err != nil {
			return err
		}
	}
}
