// Package corpus turns training files into records: text and Markdown files,
// chat and completion rows of the OpenAI fine-tuning formats, and fields of any
// JSON lines.
//
// It knows file formats and where they keep text. It knows nothing of words,
// hashes or indexes, and keeps nothing: a record lives until the next one is
// read. Its errors name files, lines, byte offsets and column names, never
// text.
package corpus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Format says how a file keeps its text.
type Format string

// The formats. Auto decides by file: JSON lines with `messages` are OpenAI,
// with `prompt` and `completion` Completion, others JSONL if fields were given;
// a file that is no JSON is Text.
const (
	Auto       Format = "auto"
	OpenAI     Format = "openai"     // messages[] of chat fine-tuning, one object a line
	Completion Format = "completion" // prompt and completion, one object a line
	Text       Format = "text"       // the whole file is one record and one segment
	JSONL      Format = "jsonl"      // the named fields of one object a line
)

// Formats lists the formats in the order that help texts name them.
func Formats() []Format { return []Format{Auto, OpenAI, Completion, Text, JSONL} }

// ParseFormat returns the format of that name; empty is Auto.
func ParseFormat(name string) (Format, error) {
	if name == "" {
		return Auto, nil
	}
	if f := Format(name); slices.Contains(Formats(), f) {
		return f, nil
	}
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return "", fmt.Errorf("format %q is not known: use one of %s", name, strings.Join(names, ", "))
}

// DefaultRoles are the roles whose messages are read unless others are named.
func DefaultRoles() []string { return []string{"user", "assistant", "tool"} }

// AnyRole among the roles stands for all of them.
const AnyRole = "*"

// Options is how a corpus is read.
type Options struct {
	Format  Format   // empty: Auto
	Fields  []string // for JSONL; a dot descends: "answer.text"
	Roles   []string // of messages; empty: DefaultRoles; AnyRole: all
	MaxLine int      // bytes in one JSON line; 0: DefaultMaxLine
}

// DefaultMaxLine bounds the length of a JSON line in bytes.
const DefaultMaxLine = 64 << 20

// maxLine returns the bound with its default.
func (o Options) maxLine() int {
	if o.MaxLine <= 0 {
		return DefaultMaxLine
	}
	return o.MaxLine
}

// A BadRecord is the error of one record that could not be read; the next one
// can.
type BadRecord struct {
	Path   string
	Line   int    // counted from 1
	Reason string // holds no text of the record
}

func (e *BadRecord) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Reason)
}

// A ColumnsError is returned for JSON lines of which no format says where the
// text is.
type ColumnsError struct {
	Path    string
	Columns []string // members of the first row, in order
}

func (e *ColumnsError) Error() string {
	return fmt.Sprintf("%s: which columns hold the text? name them with --field; the first row has %s",
		e.Path, strings.Join(e.Columns, ", "))
}

// ErrUnreadable matches the error of an input that this package cannot read as
// text: compressed, binary, or in another encoding.
var ErrUnreadable = errors.New("cannot be read as text")

// unreadable returns an error that matches ErrUnreadable.
func unreadable(path, why string) error {
	return fmt.Errorf("%s: %w: %s", path, ErrUnreadable, why)
}
