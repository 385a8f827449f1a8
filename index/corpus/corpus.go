// Package corpus turns training files into records: text and Markdown files, rows of
// chat, completion, ShareGPT and Alpaca fine-tuning, and the named columns of any JSON
// lines, CSV or Parquet, compressed or not.
//
// It knows file formats and where they keep text. It knows nothing of words, hashes or
// indexes, and keeps nothing: a record lives until the next one is read. Its errors
// name files, lines, byte offsets and column names, never text.
package corpus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Format says how a file keeps its text.
type Format string

// The formats. Auto chooses one for each file, and [Input] gives the reason.
const (
	Auto       Format = "auto"
	OpenAI     Format = "openai"     // messages[] of chat fine-tuning, one object a line
	Completion Format = "completion" // prompt and completion, one object a line
	ShareGPT   Format = "sharegpt"   // conversations[] of from and value, one object a line
	Alpaca     Format = "alpaca"     // instruction, input and output, one object a line
	Text       Format = "text"       // the whole file is one record and one segment
	JSONL      Format = "jsonl"      // the named fields of one object a line
	CSV        Format = "csv"        // rows below a line of column names
	Parquet    Format = "parquet"
)

// ByRow is the format of rows of which each is read by its own members: docs/formats.md
// has the table. Auto chooses it; nobody asks for it.
const ByRow Format = "rows"

// texts is the format of rows that are texts, or lists of them, without columns.
const texts Format = "texts"

// Array is the container of rows that are the elements of one JSON array. It is
// detected in the file; nobody asks for it.
const Array Format = "array"

// Sequence is the container of rows that are objects over several lines, one behind the
// other. It is detected in the file; nobody asks for it.
const Sequence Format = "sequence"

// Formats lists the formats in the order that help texts name them.
func Formats() []Format {
	return []Format{Auto, OpenAI, Completion, ShareGPT, Alpaca, Text, JSONL, CSV, Parquet}
}

// FormatNames lists the formats for people: "auto, openai, …".
func FormatNames() string {
	names := make([]string, 0, len(Formats()))
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// ParseFormat returns the format of that name; empty is Auto.
func ParseFormat(name string) (Format, error) {
	if name == "" {
		return Auto, nil
	}
	if f := Format(name); slices.Contains(Formats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("format %q is not known: use one of %s", name, FormatNames())
}

// Options says how to read a corpus.
type Options struct {
	Format  Format   // empty: Auto
	Fields  []string // for JSONL, CSV and Parquet; a dot descends: "answer.text"
	Roles   []string // of messages; empty: DefaultRoles; AnyRole: all; "-x": not those of x
	MaxLine int      // bytes in one JSON line or row of a CSV; 0: DefaultMaxLine
	// IncludePath and ExcludePath are patterns of the files to read in folders, and of
	// those to leave out, by their paths below the folder. Empty: all, and none.
	IncludePath, ExcludePath []string
	// Encoding names the encoding of lines that are not UTF-8, as the web calls it;
	// empty: none. UTF-16 is of whole files.
	Encoding string
	Window   int   // words of the shortest value that an Account takes for text; 0: 10
	Whole    Whole // which files Auto reads as one text

	Cells bool // a CSV gives every cell, also a short one of a column that no format names; Parquet gives whole numbers

	naming   *naming // of the file; nil: the usual names
	inFolder bool    // the file was found in a folder: its columns may be unknown
}

// Whole says which files Auto reads as one text, without rows.
type Whole uint8

const (
	WholeText  Whole = iota // those without rows
	WholeFiles              // all but Parquet, unless fields are named
)

// DefaultMaxLine bounds the length of a JSON line in bytes.
const DefaultMaxLine = 64 << 20

// auto reports whether Auto chooses the format.
func (o Options) auto() bool { return o.Format == "" || o.Format == Auto }

// check returns an error for an encoding or a pattern that is not valid.
func (o Options) check() error {
	if o.Encoding != "" {
		if _, err := lookUp(o.Encoding); err != nil {
			return err
		}
	}
	return checkPatterns(slices.Concat(o.IncludePath, o.ExcludePath))
}

// maxLine returns the bound with its default.
func (o Options) maxLine() int {
	if o.MaxLine <= 0 {
		return DefaultMaxLine
	}
	return o.MaxLine
}

// A BadRecord is the error of one record that could not be read. The records behind it
// can still be read.
type BadRecord struct {
	Path   string
	Line   int    // counted from 1
	Reason string // contains no text of the record
	Bytes  int64  // of the record; 0: not known
}

func (e *BadRecord) Error() string {
	return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Reason)
}

// A ColumnsError is returned if no format says which column of the rows has the text,
// or if the rows lack the columns that were named.
type ColumnsError struct {
	Path    string
	Columns []string // of the first row, in order
	Wanted  []string // none of these exists; empty: none was named

	phrase string // introduces the columns
}

// near proposes the column that was meant.
func (e *ColumnsError) near() string {
	names := slices.Clone(e.Columns)
	for _, c := range e.Columns {
		top, _, _ := strings.Cut(c, ".")
		names = append(names, top)
	}
	for _, wanted := range e.Wanted {
		if name := nearest(wanted, names); name != "" {
			return " did you mean " + name + "?"
		}
	}
	return ""
}

func (e *ColumnsError) Error() string {
	seen := e.phrase + " " + strings.Join(e.Columns, ", ")
	switch len(e.Wanted) {
	case 0:
		return fmt.Sprintf("%s: which columns have the text? name them with --field; %s", e.Path, seen)
	case 1:
		return fmt.Sprintf("%s: there is no column %s:%s name another --format or --field; %s", e.Path, e.Wanted[0], e.near(), seen)
	default:
		return fmt.Sprintf("%s: none of the columns %s exists:%s name another --format or --field; %s", e.Path, strings.Join(e.Wanted, ", "), e.near(), seen)
	}
}

// ErrUnreadable matches the error of an input that this package cannot read as
// text: compressed, binary, or in another encoding.
var ErrUnreadable = errors.New("cannot be read as text")

// errNoRows matches the error of a JSON file with text that is in no rows.
var errNoRows = fmt.Errorf("%w: its JSON has text and no rows", ErrUnreadable)

// errElsewhere matches the error of a file that is only a pointer to its content.
var errElsewhere = fmt.Errorf("%w: it is a pointer", ErrUnreadable)

// unreadable returns an error that matches ErrUnreadable.
func unreadable(path, why string) error {
	return fmt.Errorf("%s: %w: %s", path, ErrUnreadable, why)
}
