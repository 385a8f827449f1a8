package corpus

import (
	"bytes"
	"errors"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// maxCells bounds the columns of a table.
const maxCells = 1 << 16

// csvRows cuts a CSV into rows. A cell that begins with a quote ends at the next
// one that is not doubled, and may hold anything; any other cell ends at the
// next comma or line end, and a quote in it is a character like any other.
type csvRows struct {
	r     io.Reader
	path  string
	comma byte
	max   int // bytes of a row
	buf   []byte
	lo    int // of what was read and not handed out
	hi    int
	err   error
	line  int   // of the next row
	at    int64 // its offset
}

// csvRow is one row with its line end. It is valid until the next one is read.
type csvRow struct {
	data   []byte
	line   int   // on which it begins, counted from 1
	offset int64 // in the text behind a byte order mark
}

func newCSVRows(r io.Reader, in *Input) *csvRows {
	return &csvRows{r: r, path: in.Path, comma: in.comma, max: in.o.maxLine(), line: 1, buf: make([]byte, 256<<10)}
}

// next returns the next row, io.EOF behind the last. A [*BadRecord] says that a
// row was passed over.
func (c *csvRows) next() (csvRow, error) {
	var scan csvScan
	done := c.lo // up to here the row was looked at
	for {
		if n := scan.end(c.buf[done:c.hi], c.comma); n > 0 {
			return c.take(done + n), nil
		}
		done = c.hi
		if c.err == io.EOF {
			return c.last(scan)
		}
		if c.err != nil {
			return csvRow{}, readError(c.path, c.err)
		}
		if c.hi-c.lo > c.max {
			return csvRow{}, c.skip()
		}
		done -= c.fill()
	}
}

// fill reads on, and returns how far what was read before has moved to the left.
func (c *csvRows) fill() (moved int) {
	switch {
	case c.hi < len(c.buf):
	case c.lo > 0:
		moved = c.lo
		copy(c.buf, c.buf[c.lo:c.hi])
		c.lo, c.hi = 0, c.hi-moved
	default:
		c.buf = append(c.buf, make([]byte, min(len(c.buf), c.max+1))...)
	}
	var n int
	n, c.err = c.r.Read(c.buf[c.hi:])
	c.hi += n
	return moved
}

// take hands out the bytes before end.
func (c *csvRows) take(end int) csvRow {
	row := csvRow{data: c.buf[c.lo:end:end], line: c.line, offset: c.at}
	c.line += bytes.Count(row.data, []byte("\n"))
	c.at += int64(end - c.lo)
	c.lo = end
	return row
}

// last hands out what stands behind the last line end.
func (c *csvRows) last(scan csvScan) (csvRow, error) {
	if c.lo == c.hi {
		return csvRow{}, io.EOF
	}
	row := c.take(c.hi)
	if scan.state == csvQuoted {
		return csvRow{}, &BadRecord{Path: c.path, Line: row.line, Reason: csvUnclosed}
	}
	return row, nil
}

// skip passes over a row that is too long, of which all that was read so far is
// a part, up to the next line end.
func (c *csvRows) skip() error {
	bad := &BadRecord{Path: c.path, Line: c.line, Reason: csvLong}
	for c.err == nil {
		c.take(c.hi)
		c.lo, c.hi = 0, 0
		c.fill()
		if end := bytes.IndexByte(c.buf[:c.hi], '\n') + 1; end > 0 {
			c.take(end)
			return bad
		}
	}
	c.take(c.hi)
	return bad
}

// csvScan looks for the end of a row.
type csvScan struct{ state csvState }

type csvState uint8

const (
	csvStart  csvState = iota // of a cell
	csvBare                   // in a cell without quotes
	csvQuoted                 // behind its first quote
	csvClosed                 // behind its second one
)

// end returns the length of the row's rest with its line end, 0 if it does not
// end here.
func (s *csvScan) end(p []byte, comma byte) int {
	for i := 0; i < len(p); i++ {
		switch s.state {
		case csvQuoted:
			n := bytes.IndexByte(p[i:], '"')
			if n < 0 {
				return 0
			}
			i += n
			s.state = csvClosed
			continue
		case csvClosed:
			if p[i] == '"' {
				s.state = csvQuoted
				continue
			}
			s.state = csvBare
		case csvStart:
			s.state = csvBare
			if p[i] == '"' {
				s.state = csvQuoted
				continue
			}
		}
		switch p[i] {
		case '\n':
			return i + 1
		case comma:
			s.state = csvStart
		}
	}
	return 0
}

// csvCell is one cell of a row.
type csvCell struct {
	lo, hi int  // in the row, without the quotes around it
	quoted bool // doubled quotes in it stand for one
}

// Reasons for passing over a row of a CSV.
const (
	csvManyCells = "the row has more cells than there are columns"
	csvUnclosed  = "a cell in quotes does not end: from here on the file is not read"
	csvLong      = "the row is too long, or a cell in quotes does not end"
)

// cells cuts a row into cells. A blank row has none.
func (r csvRow) cells(dst []csvCell, comma byte, most int) ([]csvCell, error) {
	data := bytes.TrimSuffix(bytes.TrimSuffix(r.data, []byte("\n")), []byte("\r"))
	if len(bytes.TrimSpace(data)) == 0 {
		return dst, nil
	}
	for at := 0; ; {
		if len(dst) == most {
			return dst, errors.New(csvManyCells)
		}
		cell := csvCell{lo: at, quoted: at < len(data) && data[at] == '"'}
		if cell.quoted {
			end := closing(data, at+1)
			at = min(end+1, len(data))
			if at == len(data) || data[at] == comma {
				cell.lo, cell.hi = cell.lo+1, end
			} else {
				cell.quoted = false // text stands behind the quotes: they belong to it
			}
		}
		if !cell.quoted {
			cell.hi = len(data)
			if n := bytes.IndexByte(data[at:], comma); n >= 0 {
				cell.hi = at + n
			}
			at = cell.hi
		}
		dst = append(dst, cell)
		if at >= len(data) {
			return dst, nil
		}
		at++ // the comma
	}
}

// closing returns where the quote stands that ends a cell which begins at at.
func closing(data []byte, at int) int {
	for {
		n := bytes.IndexByte(data[at:], '"')
		if n < 0 {
			return len(data)
		}
		at += n
		if at+1 == len(data) || data[at+1] != '"' {
			return at
		}
		at += 2
	}
}

// text returns what a cell stands for, without a copy unless quotes in it are
// doubled: then it is built in buf, which is returned too.
func (c csvCell) text(row, buf []byte) (text, kept []byte) {
	raw := row[c.lo:c.hi]
	if !c.quoted || bytes.IndexByte(raw, '"') < 0 {
		return raw, buf
	}
	buf = buf[:0]
	for {
		n := bytes.IndexByte(raw, '"')
		if n < 0 {
			buf = append(buf, raw...)
			return buf, buf
		}
		buf = append(buf, raw[:n+1]...)
		raw = raw[min(n+2, len(raw)):]
	}
}

// csvColumns returns the names in the first line of a table.
func csvColumns(head []byte, comma byte) []string {
	in := &Input{comma: comma}
	rows := newCSVRows(bytes.NewReader(head), in)
	for {
		row, err := rows.next()
		if err != nil {
			return nil
		}
		cells, err := row.cells(nil, comma, maxCells)
		if err != nil || len(cells) == 0 {
			if err != nil {
				return nil
			}
			continue
		}
		names := make([]string, len(cells))
		for i, c := range cells {
			name, _ := c.text(row.data, nil)
			names[i] = string(bytes.TrimSpace(name))
		}
		return names
	}
}

// sniffComma decides what stands between cells: in a file named .tsv a tab,
// else what the first line has most of.
func sniffComma(ext string, head []byte) byte {
	if ext == ".tsv" {
		return '\t'
	}
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, "\r\n"), []byte("\n"))
	best, most := byte(','), bytes.Count(line, []byte(","))
	for _, c := range []byte{';', '\t'} {
		if n := bytes.Count(line, []byte{c}); n > most {
			best, most = c, n
		}
	}
	return best
}

// csvTable reads the rows of a table below its line of column names.
type csvTable struct {
	*csvRows
	columns []string
	read    []int // columns that hold text or name the row
	cells   []csvCell
	buf     []byte
}

func newCSVTable(r io.Reader, in *Input) *csvTable {
	return &csvTable{csvRows: newCSVRows(r, in)}
}

// next returns the next row that is not blank, with its cells.
func (t *csvTable) next(in *Input) (csvRow, error) {
	for {
		row, err := t.csvRows.next()
		if err != nil {
			return row, err
		}
		most := maxCells
		if t.columns != nil {
			most = len(t.columns)
		}
		if t.cells, err = row.cells(t.cells[:0], t.comma, most); err != nil {
			return row, &BadRecord{Path: t.path, Line: row.line, Reason: err.Error()}
		}
		switch {
		case len(t.cells) == 0:
		case t.columns == nil:
			t.header(row, in)
		default:
			return row, nil
		}
	}
}

// header takes the column names.
func (t *csvTable) header(row csvRow, in *Input) {
	for i, c := range t.cells {
		name, _ := c.text(row.data, nil)
		column := string(bytes.TrimSpace(name))
		t.columns = append(t.columns, column)
		if isID([]byte(column)) || slices.Contains(textColumns(in.Format), column) || in.Format == JSONL && slices.Contains(in.o.Fields, column) {
			t.read = append(t.read, i)
		}
	}
}

// appendJSON appends a row as a JSON object of the columns that are read. An
// empty cell is null.
func (t *csvTable) appendJSON(dst []byte, row csvRow) []byte {
	dst = append(dst, '{')
	for n, i := range t.read {
		if i >= len(t.cells) {
			break
		}
		if n > 0 {
			dst = append(dst, ',')
		}
		// Broken UTF-8 comes out as U+FFFD and as an error that says so.
		dst, _ = jsontext.AppendQuote(dst, t.columns[i])
		dst = append(dst, ':')
		var text []byte
		if text, t.buf = t.cells[i].text(row.data, t.buf); len(text) == 0 {
			dst = append(dst, "null"...)
			continue
		}
		dst, _ = jsontext.AppendQuote(dst, text)
	}
	return append(dst, '}')
}
