package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// rowLong begins the reason for passing over a row that is longer than the limit.
const rowLong = "line is longer than"

// blockLen is the size of a block of lines in bytes.
const blockLen = 1 << 20

// Lines cuts a file of JSON lines into blocks of whole lines, so that several
// cores can parse one file.
type Lines struct {
	r    io.Reader
	path string
	max  int
	line int   // of the next block
	at   int64 // offset of the next block
	rest []byte
	err  error
}

// Block is a number of whole lines.
type Block struct {
	Data   []byte
	Line   int   // of the first one, counted from 1
	Offset int64 // of the first byte in the text after a byte order mark
}

// NewLines returns a reader of blocks. path is used in errors only.
func NewLines(r io.Reader, path string, o Options) *Lines {
	return &Lines{r: r, path: path, max: o.maxLine(), line: 1}
}

// Next returns the next block, io.EOF after the last. A [*BadRecord] says that
// a line was too long and was passed over; the next call goes on behind it. The
// block's bytes belong to the caller.
func (l *Lines) Next() (Block, error) {
	data := make([]byte, max(blockLen, len(l.rest)))
	n := copy(data, l.rest)
	l.rest = l.rest[:0]
	for {
		if l.err == nil && n < len(data) {
			var m int
			m, l.err = io.ReadFull(l.r, data[n:])
			n += m
		}
		if l.err != nil && !errors.Is(l.err, io.EOF) && !errors.Is(l.err, io.ErrUnexpectedEOF) {
			return Block{}, readError(l.path, l.err)
		}
		if end := bytes.LastIndexByte(data[:n], '\n') + 1; end > 0 || l.err != nil {
			if l.err != nil {
				end = n
			}
			if end == 0 {
				return Block{}, io.EOF
			}
			l.rest = append(l.rest, data[end:n]...)
			return l.block(data[:end:end]), nil
		}
		if n > l.max {
			return Block{}, l.skipLine(data[:n])
		}
		data = append(data[:n], make([]byte, min(n, l.max+1-n))...)
	}
}

// block counts a block's lines.
func (l *Lines) block(data []byte) Block {
	b := Block{Data: data, Line: l.line, Offset: l.at}
	l.line += bytes.Count(data, []byte("\n"))
	l.at += int64(len(data))
	return b
}

// skipLine reads to the end of a line that is too long.
func (l *Lines) skipLine(buf []byte) error {
	bad := &BadRecord{Path: l.path, Line: l.line, Reason: fmt.Sprintf(rowLong+" %d MiB", l.max>>20)}
	from := l.at
	l.at += int64(len(buf))
	buf = buf[:min(cap(buf), blockLen)]
	for l.err == nil {
		var n int
		n, l.err = l.r.Read(buf)
		if end := bytes.IndexByte(buf[:n], '\n') + 1; end > 0 {
			l.at += int64(end)
			l.rest = append(l.rest[:0], buf[end:n]...)
			break
		}
		l.at += int64(n)
	}
	l.line++
	bad.Bytes = l.at - from
	return bad
}

// EachLine calls f for every line of the block that is not blank, with its
// number and its offset in the text.
func (b Block) EachLine(f func(line []byte, number int, offset int64) error) error {
	data, number, offset := b.Data, b.Line, b.Offset
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			end = len(data)
		}
		if line := data[:end]; len(bytes.TrimSpace(line)) > 0 {
			if err := f(line, number, offset); err != nil {
				return err
			}
		}
		data = data[end:]
		number++
		offset += int64(end)
	}
	return nil
}
