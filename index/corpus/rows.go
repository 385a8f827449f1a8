package corpus

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
)

// Rows reads the records of an input one after the other and knows the places of their
// texts in the file. Not safe for concurrent use.
type Rows struct {
	in     *Input
	file   *File
	lines  *Lines // of JSON
	parser *Parser
	rest   Block     // lines that were read and not returned yet
	table  *csvTable // instead of lines
	object []byte    // the row of the table as JSON
	row    []byte    // the current one, as its bytes are in the file
	line   int       // on which it begins
	offset int64     // of its first byte
}

// Close closes the input.
func (r *Rows) Close() error { return r.file.Close() }

// Taken returns how many bytes of the file have been read so far.
func (r *Rows) Taken() int64 { return r.file.Taken() }

// Broken returns how many bytes of the rows so far are around bytes that are no UTF-8.
func (r *Rows) Broken() int64 { return r.file.Broken() }

// Account says which text of the rows so far was read.
func (r *Rows) Account() *Account {
	if r.file.lost != nil {
		r.parser.Account.Merge(r.file.lost)
		r.file.lost = nil
	}
	return r.parser.Account
}

// Next reads the next record, io.EOF behind the last. A [*BadRecord] is the error of
// one record; the next call continues behind it.
func (r *Rows) Next(rec *Record) error {
	if r.table != nil {
		return r.nextCells(rec)
	}
	for {
		if len(r.rest.Data) == 0 {
			number := r.rest.Line
			block, err := r.lines.Next()
			if err != nil {
				return r.bad(err)
			}
			if r.overLines() {
				block.Line = number
			}
			r.rest = block
		}
		r.take()
		if len(bytes.TrimSpace(r.row)) == 0 {
			continue
		}
		if err := r.parser.Parse(r.row, rec); err != nil {
			return &BadRecord{Path: r.in.Path, Line: r.line, Reason: err.Error()}
		}
		return nil
	}
}

// overLines reports whether a row may be longer than a line of the file.
func (r *Rows) overLines() bool { return r.counted() || r.in.Container == Sequence }

// counted reports whether the line feeds between rows are not those of the file.
func (r *Rows) counted() bool { return r.in.Container == Array || r.in.Container == Members }

// bad counts a row that could not be read, and returns its error.
func (r *Rows) bad(err error) error {
	var bad *BadRecord
	if errors.As(err, &bad) {
		r.parser.Account.Bad(bad.Reason, bad.Bytes)
	}
	return err
}

// take returns the next line. Line feeds of an array have become carriage returns, and
// its commas line feeds; in a sequence the line feeds within an object have.
func (r *Rows) take() {
	end := bytes.IndexByte(r.rest.Data, '\n') + 1
	if end == 0 {
		end = len(r.rest.Data)
	}
	r.row, r.line, r.offset = r.rest.Data[:end], r.rest.Line, r.rest.Offset+r.file.BOM
	r.rest.Data = r.rest.Data[end:]
	r.rest.Offset += int64(end)
	if !r.counted() && end > 0 && r.row[end-1] == '\n' {
		r.rest.Line++
	}
	if !r.overLines() {
		return
	}
	r.rest.Line += bytes.Count(r.row, []byte("\r"))
	blank := len(r.row) - len(bytes.TrimLeft(r.row, " \t\r\n"))
	r.line += bytes.Count(r.row[:blank], []byte("\r"))
}

// nextCells reads the next row of a table.
func (r *Rows) nextCells(rec *Record) error {
	row, err := r.table.next()
	if err != nil {
		return r.bad(err)
	}
	r.row, r.line, r.offset = row.data, row.line, row.offset+r.file.BOM
	r.object = r.table.appendObject(r.object[:0], row)
	if err := r.parser.Parse(r.object, rec); err != nil {
		return &BadRecord{Path: r.in.Path, Line: row.line, Reason: err.Error()}
	}
	for i := range rec.Segments {
		s := &rec.Segments[i]
		at, _ := slices.BinarySearchFunc(r.table.spans, s.RawLo, func(c csvSpan, lo int64) int { return cmp.Compare(int64(c.hi), lo) })
		cell := r.table.cells[r.table.spans[at].cell]
		s.RawLo, s.RawHi = int64(cell.lo), int64(cell.hi)
	}
	return nil
}

// Place is the place of a byte of a text.
type Place struct {
	Line   int   // counted from 1; in Parquet and MDS the number of the row, in mail the line where the mail begins
	Offset int64 // in the file, decompressed; in Parquet and mail in the text itself
}

// Place returns the place of a byte of a text of the current record. at is counted in
// the unescaped text; one past the last byte is the end of the text. A text in the JSON
// of a string is where the string begins.
func (r *Rows) Place(s Segment, at int64) Place {
	if r.in.Container == Parquet || r.in.Container == Mail {
		return Place{Line: r.line, Offset: at}
	}
	for i := len(s.pieces) - 1; i >= 0; i-- {
		if piece := s.pieces[i]; piece.at <= at {
			s.RawLo, s.RawHi, at = piece.rawLo, piece.rawHi, piece.from+at-piece.at
			break
		}
	}
	raw := r.row[s.RawLo:s.RawHi]
	quoted := s.RawLo > 0 && r.row[s.RawLo-1] == '"'
	switch {
	case s.inner:
		at = 0
	case r.in.Container == CSV && quoted:
		at = cellOffset(raw, at, r.in.escapes)
	case r.in.Container == CSV:
		at = bareOffset(raw, at)
	case quoted:
		at = jsonOffset(raw, at)
	}
	p := Place{Line: r.line, Offset: r.offset + s.RawLo + at}
	switch before := r.row[:s.RawLo+min(at, int64(len(raw)))]; r.in.Container {
	case CSV:
		p.Line += bytes.Count(before, []byte("\n"))
	case Array, Members, Sequence:
		p.Line += bytes.Count(bytes.TrimLeft(before, " \t\r\n"), []byte("\r"))
	}
	return p
}
