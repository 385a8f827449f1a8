package corpus

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"noecho/internal/coverage"
)

// maxCells bounds the columns of a table.
const maxCells = 1 << 16

// csvReader reads the rows of a CSV below its line of column names. A cell that begins
// with a quote ends at the next quote that is not doubled, and may contain commas and
// line ends. Any other cell ends at the next comma or line end, and a quote in it is a
// character like any other; so is every quote of a cell that goes on behind its closing
// quote.
//
// For example `a,"b, ""c""",5" nail,"x" y` has the cells a · b, "c" · 5" nail · "x" y.
//
// Some programs write no quotes around cells. A quote that begins a cell is a character
// like any other if no quote ends the cell, or if the one that ends it is on another line
// and text follows. Other programs write a backslash before a quote instead of a second
// quote; the beginning of the file shows which.
//
// Package encoding/csv does not fit: docs/adr/0017-csv.md gives the reasons.
type csvReader struct {
	r       io.Reader
	path    string
	comma   byte
	escapes bool     // a backslash in a cell in quotes is an escape
	max     int      // bytes of a row
	above   int      // lines before that of the names
	title   []byte   // these lines
	columns []string // names; nil: not read yet
	names   int      // the line on which they begin
	cells   []csvCell

	buf    []byte
	lo, hi int // the bytes in buf that are not handed out yet; a row begins at lo
	err    error
	line   int   // of the next row
	at     int64 // its offset
	scan   csvScan
	text   []byte // of a cell with doubled quotes
}

// csvRow is one row with its line end. It is valid until the next one is read.
type csvRow struct {
	data   []byte
	line   int   // on which it begins, counted from 1
	offset int64 // in the text behind a byte order mark
}

// csvCell is one cell of a row.
type csvCell struct {
	lo, hi int  // in the row, without the quotes around it
	quoted bool // doubled quotes, or escapes, in it mean one character
}

// Reasons for passing over a row of a CSV.
const (
	csvManyCells = "the row has more cells than there are columns"
	csvLong      = rowLong + " the limit"
)

func newCSVReader(r io.Reader, in *Input) *csvReader {
	return &csvReader{r: r, path: in.Path, comma: in.comma, escapes: in.escapes, max: in.options().maxLine(), above: int(in.skip), line: 1, buf: make([]byte, 256<<10)}
}

// next returns the next row that is not blank, below the column names, and leaves
// its cells in cells. It returns io.EOF behind the last row. A [*BadRecord] says
// that a row was passed over.
func (c *csvReader) next() (csvRow, error) {
	for {
		row, err := c.row()
		switch {
		case err != nil:
			return row, err
		case len(c.cells) == 0:
		case c.columns == nil && row.line <= c.above:
			c.title = append(c.title, row.data...)
		case c.columns == nil && separatorLine(row.data) != 0:
		case c.columns == nil:
			c.names = row.line
			for _, cell := range c.cells {
				c.columns = append(c.columns, string(bytes.TrimSpace(c.value(row, cell))))
			}
		default:
			return row, nil
		}
	}
}

// row returns the next row, a blank one without cells included.
func (c *csvReader) row() (csvRow, error) {
	c.cells, c.scan = c.cells[:0], csvScan{quote: -1}
	for {
		if n := c.scanRow(c.buf[c.lo:c.hi]); n > 0 {
			return c.check(c.take(n))
		}
		switch {
		case c.err == io.EOF && c.lo == c.hi:
			return csvRow{}, io.EOF
		case c.scan.state == csvQuoted && (c.err == io.EOF || c.hi-c.lo > c.max):
			c.scan.bare()
			continue
		case c.err == io.EOF:
			c.endRow(c.buf[c.lo:c.hi])
			return c.check(c.take(c.hi - c.lo))
		case c.err != nil:
			return csvRow{}, readError(c.path, c.err)
		case c.hi-c.lo > c.max:
			return csvRow{}, c.skip()
		}
		c.fill()
	}
}

// check refuses a row that cannot be read.
func (c *csvReader) check(row csvRow) (csvRow, error) {
	most := maxCells
	if c.columns != nil {
		most = len(c.columns)
	}
	reason := ""
	switch {
	case len(bytes.TrimSpace(row.data)) == 0:
		c.cells = c.cells[:0]
	case len(c.cells) > most:
		reason = csvManyCells
	}
	if reason != "" {
		return row, &BadRecord{Path: c.path, Line: row.line, Reason: reason, Bytes: int64(len(row.data))}
	}
	return row, nil
}

// fill reads on.
func (c *csvReader) fill() {
	switch {
	case c.hi < len(c.buf):
	case c.lo > 0:
		c.hi = copy(c.buf, c.buf[c.lo:c.hi])
		c.lo = 0
	default:
		c.buf = append(c.buf, make([]byte, min(len(c.buf), c.max+1))...)
	}
	var n int
	n, c.err = c.r.Read(c.buf[c.hi:])
	c.hi += n
}

// take hands out the next n bytes.
func (c *csvReader) take(n int) csvRow {
	row := csvRow{data: c.buf[c.lo : c.lo+n : c.lo+n], line: c.line, offset: c.at}
	c.line += bytes.Count(row.data, []byte("\n"))
	c.at += int64(n)
	c.lo += n
	return row
}

// skip passes over a row that is too long, up to the next line end behind the bytes
// that were read.
func (c *csvReader) skip() error {
	bad, from := &BadRecord{Path: c.path, Line: c.line, Reason: csvLong}, c.at
	defer func() { bad.Bytes = c.at - from }()
	for c.err == nil {
		c.take(c.hi - c.lo)
		c.lo, c.hi = 0, 0
		c.fill()
		if end := bytes.IndexByte(c.buf[:c.hi], '\n') + 1; end > 0 {
			c.take(end)
			return bad
		}
	}
	c.take(c.hi - c.lo)
	return bad
}

// csvScan is the state of the scan of one row.
type csvScan struct {
	state csvState
	at    int // in the row
	cell  int // where the cell begins
	quote int // the offset of the quote that closes it, -1: none yet
}

type csvState uint8

const (
	csvStart  csvState = iota // at the start of a cell
	csvBare                   // in a cell without quotes
	csvQuoted                 // behind its first quote
	csvClosed                 // behind its second one
)

// bare takes the quote that begins the current cell for a character like any other.
func (s *csvScan) bare() { s.at, s.quote, s.state = s.cell+1, -1, csvBare }

// scanRow scans the new bytes of a row. It returns the row's length with its line end,
// or 0 if the row goes on behind them.
func (c *csvReader) scanRow(row []byte) int {
	s := &c.scan
	for ; s.at < len(row); s.at++ {
		b := row[s.at]
		switch s.state {
		case csvQuoted:
			n := bytes.IndexByte(row[s.at:], '"')
			if n < 0 {
				s.at = len(row)
				return 0
			}
			if s.at += n; !c.escapes || !escapedAt(row[s.cell:s.at]) {
				s.state, s.quote = csvClosed, s.at
			}
			continue
		case csvClosed:
			if b == '"' {
				s.state = csvQuoted
				continue
			}
			if b != c.comma && b != '\n' && b != '\r' && bytes.IndexByte(row[s.cell:s.at], '\n') >= 0 {
				s.bare()
				b = row[s.at]
			}
			s.state = csvBare
		case csvStart:
			s.state = csvBare
			if b == '"' {
				s.state = csvQuoted
				continue
			}
		}
		switch b {
		case '\n':
			c.endRow(row[:s.at])
			return s.at + 1
		case c.comma:
			c.endCell(row[:s.at])
			s.cell, s.quote, s.state = s.at+1, -1, csvStart
		}
	}
	return 0
}

// endRow ends the last cell of a row; a carriage return before the line end is not
// part of it.
func (c *csvReader) endRow(row []byte) { c.endCell(bytes.TrimSuffix(row, []byte("\r"))) }

// endCell ends the cell that is at the end of these bytes of the row.
func (c *csvReader) endCell(row []byte) {
	cell := csvCell{lo: c.scan.cell, hi: len(row)}
	if c.scan.quote == cell.hi-1 && c.scan.quote > cell.lo {
		cell = csvCell{lo: cell.lo + 1, hi: cell.hi - 1, quoted: true}
	}
	if len(c.cells) <= maxCells {
		c.cells = append(c.cells, cell)
	}
}

// escapedAt reports whether a backslash escapes the byte behind the text of a cell.
func escapedAt(text []byte) bool {
	return (len(text)-len(bytes.TrimRight(text, `\`)))%2 == 1
}

// value returns the text of a cell, valid until the next call.
func (c *csvReader) value(row csvRow, cell csvCell) []byte {
	raw := row.data[cell.lo:cell.hi]
	if !cell.quoted || bytes.IndexByte(raw, '"') < 0 && (!c.escapes || bytes.IndexByte(raw, '\\') < 0) {
		return raw
	}
	signs := `"`
	if c.escapes {
		signs = `"\`
	}
	c.text = c.text[:0]
	for {
		n := bytes.IndexAny(raw, signs)
		if n < 0 {
			break
		}
		c.text = append(c.text, raw[:n]...)
		raw = raw[n:]
		if cellUnit(raw, c.escapes) == 2 && len(raw) > 1 {
			raw = raw[1:]
		}
		c.text = append(c.text, raw[0])
		raw = raw[1:]
	}
	c.text = append(c.text, raw...)
	return c.text
}

// cellUnit returns the number of bytes, 1 or 2, that mean the next byte of a cell in
// quotes.
func cellUnit(raw []byte, escapes bool) int {
	if raw[0] == '"' || escapes && raw[0] == '\\' && len(raw) > 1 && (raw[1] == '"' || raw[1] == '\\') {
		return 2
	}
	return 1
}

// csvColumns returns the column names that the beginning of a table has, nil if it
// has none.
func csvColumns(head []byte, in *Input) []string {
	r := newCSVReader(bytes.NewReader(head), in)
	_, _ = r.next() // the first row is of no use here
	return r.columns
}

// sniffComma decides which byte separates cells: the one that a line such as sep=; names,
// a tab in a file named .tsv, else the candidate that occurs most in the first line.
func sniffComma(ext string, head []byte) byte {
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte("\n"))
	if named := separatorLine(line); named != 0 {
		return named
	}
	if ext == ".tsv" {
		return '\t'
	}
	best, most := byte(','), bytes.Count(line, []byte(","))
	for _, c := range []byte{';', '\t', '|', '^', 1} {
		if n := bytes.Count(line, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}

// separatorLine returns the byte that a line such as sep=; names, or 0.
func separatorLine(line []byte) byte {
	if named, ok := bytes.CutPrefix(bytes.Trim(line, "\"\r\n"), []byte("sep=")); ok && len(named) == 1 {
		return named[0]
	}
	return 0
}

// sniffEscapes reports whether a backslash escapes quotes: more rows have as many cells as
// there are columns if it does.
func sniffEscapes(head []byte, comma byte) bool {
	if !bytes.Contains(head, []byte(`\"`)) {
		return false
	}
	odd := func(escapes bool) (n int) {
		r := newCSVReader(bytes.NewReader(head), &Input{comma: comma, escapes: escapes})
		for {
			_, err := r.next()
			var bad *BadRecord
			if err != nil && !errors.As(err, &bad) || r.lo == r.hi { // the last row may be cut off
				return n
			}
			if len(r.cells) != len(r.columns) {
				n++
			}
		}
	}
	return odd(true) < odd(false)
}

// csvTable is a CSV whose rows become JSON objects.
type csvTable struct {
	*csvReader
	in    *Input
	f     *File  // counts text before the names
	known []bool // by column: even a short cell matters
	text  int    // the first column that is read
	first int    // the column of the first cell: text, if the row is one cell
	least int    // bytes of a cell of any other column that may be text
	spans []csvSpan
}

// csvSpan is the value of a cell in the object of its row.
type csvSpan struct{ lo, hi, cell int }

func newCSVTable(r io.Reader, f *File, in *Input) *csvTable {
	return &csvTable{csvReader: newCSVReader(r, in), f: f, in: in, least: 2*in.options().window() - 1}
}

// next returns the next row that is not blank. One with more cells than there are columns is one
// cell, all of it: often a comma in a text lacks its quotes, and nobody can tell which.
func (t *csvTable) next() (csvRow, error) {
	row, err := t.csvReader.next()
	if t.known == nil && t.columns != nil {
		if wordy(t.title, t.in.options().window()) {
			t.f.lose(coverage.BadRows, len(t.title))
		}
		t.known = make([]bool, len(t.columns))
		o := t.in.options()
		rows := o.uses().row
		for i, column := range slices.Backward(t.columns) {
			if slices.Contains(o.Fields, column) || len(o.Fields) == 0 && isText(lookup(rows, []byte(column))) {
				t.text = i
			}
			t.known[i] = isID([]byte(column)) || lookup(rows, []byte(column)) != useUnknown || slices.Contains(o.Fields, column)
		}
	}
	t.first = 0
	var bad *BadRecord
	if errors.As(err, &bad) && bad.Reason == csvManyCells {
		t.cells, t.first, err = append(t.cells[:0], csvCell{hi: len(bytes.TrimRight(row.data, "\r\n"))}), t.text, nil
	}
	return row, err
}

// appendObject appends a row as a JSON object. An empty cell is null, and a cell that is
// too short to matter is left out.
func (t *csvTable) appendObject(dst []byte, row csvRow) []byte {
	t.spans = t.spans[:0]
	begin := len(dst)
	dst = append(dst, '{')
	for i, cell := range t.cells {
		if !t.known[t.first+i] && cell.hi-cell.lo < t.least && !t.in.options().Cells {
			continue
		}
		if len(t.spans) > 0 {
			dst = append(dst, ',')
		}
		// AppendQuote writes broken UTF-8 as U+FFFD and reports it, which is fine here.
		dst, _ = jsontext.AppendQuote(dst, t.columns[t.first+i])
		dst = append(dst, ':')
		lo := len(dst)
		if text := t.value(row, cell); len(text) > 0 {
			dst, _ = jsontext.AppendQuote(dst, text)
		} else {
			dst = append(dst, "null"...)
		}
		t.spans = append(t.spans, csvSpan{lo - begin, len(dst) - begin, i})
	}
	return append(dst, '}')
}

// csvLines reads a CSV as JSON lines: each row is an object, on the line on which the row begins, and the other lines of the file are blank.
// In place of a row that cannot be read it writes a line with the reason, which the
// parser understands.
type csvLines struct {
	pieces
	t    *csvTable
	line int // the line that comes next
}

func newCSVLines(r io.Reader, f *File, in *Input) *csvLines {
	return &csvLines{t: newCSVTable(r, f, in), line: 1}
}

func (c *csvLines) Read(p []byte) (int, error) { return c.pieces.read(p, c.next) }

// next writes the line of the next row.
func (c *csvLines) next() error {
	row, err := c.t.next()
	if err == nil {
		c.skipTo(row.line)
		c.out = c.t.appendObject(c.out, row)
		return nil
	}
	var bad *BadRecord
	if !errors.As(err, &bad) {
		return err
	}
	c.skipTo(bad.Line)
	c.out = append(strconv.AppendInt(append(c.out, spoilt), bad.Bytes, 10), ' ')
	c.out = append(c.out, bad.Reason...)
	return nil
}

// skipTo writes line ends up to a line.
func (c *csvLines) skipTo(line int) {
	for ; c.line < line; c.line++ {
		c.out = append(c.out, '\n')
	}
}

// spoilt begins a line in place of a row that could not be read; its length in bytes and
// the reason follow.
const spoilt = 0

// spoiltReason returns the length and the reason if a line is in place of a row that could
// not be read. Only our own reasons count: an error must not repeat text of the file.
func spoiltReason(line []byte) (reason string, size int64, ok bool) {
	if len(line) == 0 || line[0] != spoilt {
		return "", 0, false
	}
	number, rest, _ := bytes.Cut(line[1:], []byte(" "))
	size, err := strconv.ParseInt(string(number), 10, 64)
	switch reason = string(bytes.TrimSpace(rest)); reason {
	case csvManyCells, csvLong:
		return reason, size, err == nil
	default:
		return "", 0, false
	}
}
