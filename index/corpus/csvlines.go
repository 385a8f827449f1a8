package corpus

import (
	"bytes"
	"errors"
	"io"
)

// csvLines reads a CSV as JSON lines: each row is an object on the line on which
// the row begins, and the other lines of the file are blank. A row that cannot
// be read is a line that says so to the parser.
type csvLines struct {
	t    *csvTable
	in   *Input
	line int // that comes next
	out  []byte
	left []byte // of out
	err  error
}

func newCSVLines(r io.Reader, in *Input) *csvLines {
	return &csvLines{t: newCSVTable(r, in), in: in, line: 1}
}

func (c *csvLines) Read(p []byte) (int, error) {
	for len(c.left) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		c.out = c.out[:0]
		c.row()
		c.left = c.out
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

// row writes the next row.
func (c *csvLines) row() {
	row, err := c.t.next(c.in)
	if err == nil {
		c.to(row.line)
		c.out = c.t.appendJSON(c.out, row)
		return
	}
	var bad *BadRecord
	if !errors.As(err, &bad) {
		c.err = err
		return
	}
	c.to(bad.Line)
	c.out = append(append(c.out, spoilt), bad.Reason...)
}

// spoilt begins a line that stands for a row which could not be read; the reason
// follows.
const spoilt = 0

// spoiltReason returns the reason if a line stands for a row that could not be
// read. Only our own reasons count: what a file holds is not to be repeated.
func spoiltReason(line []byte) (reason string, ok bool) {
	if len(line) == 0 || line[0] != spoilt {
		return "", false
	}
	switch reason = string(bytes.TrimSpace(line[1:])); reason {
	case csvManyCells, csvUnclosed, csvLong:
		return reason, true
	default:
		return "", false
	}
}

// to writes line ends up to a line.
func (c *csvLines) to(line int) {
	for ; c.line < line; c.line++ {
		c.out = append(c.out, '\n')
	}
}
