package corpus

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MDS is the container of rows of MosaicML's shards. It is detected in the file; nobody
// asks for it.
//
// A shard is the number of its samples, the offset of each and of the end, a JSON object
// that describes the columns, and the samples. A sample is the lengths of those values
// that have no fixed one, and then all values. All numbers have 4 bytes, little endian.
// A shard of one sample with the column text of "hello":
//
//	01000000 | 8e000000 97000000 | {"column_encodings": ["str"], "column_names": ["text"], … | 05000000 | hello
//	samples  | offsets, the end  | columns, 130 bytes                                        | length   | value
const MDS Format = "mds"

// mdsMost bounds the samples of a shard, whose offsets are kept in memory.
const mdsMost = 16 << 20

// mdsHead describes the columns of a shard.
type mdsHead struct {
	Format    string   `json:"format"`
	Names     []string `json:"column_names"`
	Encodings []string `json:"column_encodings"`
	Sizes     []*int64 `json:"column_sizes"` // null: each value has a length of its own
}

// mdsKind says how the values of a column become JSON.
type mdsKind uint8

const (
	mdsOther  mdsKind = iota // no text
	mdsText                  // also bytes without a zero
	mdsJSON                  // JSON as it is
	mdsNumber                // of 8 bytes
)

// kind returns the kind of a column.
func (h *mdsHead) kind(column int) mdsKind {
	switch name, _, _ := strings.Cut(h.Encodings[column], ":"); name {
	case "str", "bytes", "str_int", "str_float", "str_decimal":
		return mdsText
	case "json":
		return mdsJSON
	case "int", "int64":
		return mdsNumber
	default:
		return mdsOther
	}
}

// mdsColumns returns the part of the beginning of a shard that describes the columns; it
// ends where head ends.
func mdsColumns(head []byte) (columns []byte, ok bool) {
	const fixed = 12
	if len(head) < fixed {
		return nil, false
	}
	samples, from := int64(binary.LittleEndian.Uint32(head)), int64(binary.LittleEndian.Uint32(head[4:]))
	lo := 4 + 4*(samples+1)
	if samples == 0 || from <= lo+2 || from-lo > 1<<20 {
		return nil, false
	}
	n := int64(len(head))
	return head[min(lo, n):min(from, n)], true
}

// isMDS tells a shard by its beginning, or by its name if the columns are farther into it.
func isMDS(path string, head []byte) bool {
	columns, ok := mdsColumns(head)
	return ok && (bytes.HasPrefix(columns, []byte(`{"column_encodings": `)) || len(columns) == 0 && extension(path) == ".mds")
}

// parseMDS parses the description of the columns and returns nil if it is not valid.
func parseMDS(columns []byte) *mdsHead {
	h := new(mdsHead)
	if json.Unmarshal(columns, h) != nil || h.Format != "mds" || len(h.Names) == 0 || len(h.Names) > maxCells || len(h.Encodings) != len(h.Names) || len(h.Sizes) != len(h.Names) {
		return nil
	}
	for _, size := range h.Sizes {
		if size != nil && (*size < 0 || *size > 1<<32) {
			return nil
		}
	}
	return h
}

// decideMDS decides how to read the rows of a shard.
func (in *Input) decideMDS(head []byte, shared *Options) error {
	o := *shared
	in.Container, in.o = MDS, shared
	if o.Format == Text || o.Format == CSV || o.Format == Parquet {
		return unreadable(in.Path, "it is MosaicML MDS: leave --format out")
	}
	columns, _ := mdsColumns(head)
	h := parseMDS(columns)
	if h == nil {
		in.Format = ByRow // reading will name the mistake, or the columns are farther into the file
		if len(o.Fields) > 0 {
			in.Format = JSONL
		}
		return nil
	}
	var names []string
	for i, name := range h.Names {
		if k := h.kind(i); k == mdsText || k == mdsJSON {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return unreadable(in.Path, "MosaicML MDS without columns of text")
	}
	l, err := rowsLook(in.Path, "the columns are", firstRows{first: names, all: names}, o)
	in.Format, in.Why, in.name = l.format, l.why, l.name
	return err
}

// mdsLines reads the samples of a shard as JSON lines.
type mdsLines struct {
	pieces
	r    io.Reader
	path string
	max  int
	head *mdsHead // nil: not yet read
	ends []uint32 // offsets of the samples that come next
	at   uint32   // offset of the next one
	buf  []byte
}

func newMDSLines(r io.Reader, in *Input) *mdsLines {
	return &mdsLines{r: r, path: in.Path, max: in.options().maxLine()}
}

func (m *mdsLines) Read(p []byte) (int, error) { return m.pieces.read(p, m.next) }

var errMDS = errors.New("the shard is damaged")

// next writes the line of the next sample.
func (m *mdsLines) next() error {
	err := m.sample()
	if err != nil {
		m.out = m.out[:0] // no part of a row
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &DamagedError{Path: m.path, Reason: "MDS: the file ends too early"}
	case errors.Is(err, errMDS):
		return &DamagedError{Path: m.path, Reason: "MDS: " + err.Error()}
	default:
		return err
	}
}

// take reads the next n bytes. The memory grows with the bytes that come.
func (m *mdsLines) take(n int64) ([]byte, error) {
	buf := bytes.NewBuffer(m.buf[:0])
	got, err := io.CopyN(buf, m.r, n)
	m.buf = buf.Bytes()
	if got < n && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return m.buf, err
}

// begin reads all before the first sample.
func (m *mdsLines) begin() error {
	b, err := m.take(8)
	if err != nil {
		return err
	}
	samples := int64(binary.LittleEndian.Uint32(b))
	m.at = binary.LittleEndian.Uint32(b[4:])
	if samples > mdsMost {
		return &DamagedError{Path: m.path, Reason: fmt.Sprintf("MDS: more than %d samples in one shard: write smaller shards", mdsMost)}
	}
	if b, err = m.take(4 * samples); err != nil {
		return err
	}
	for ; len(b) > 0; b = b[4:] {
		m.ends = append(m.ends, binary.LittleEndian.Uint32(b))
	}
	size := int64(m.at) - 4 - 4*(samples+1)
	if size < 0 || size > 1<<20 {
		return errMDS
	}
	if b, err = m.take(size); err != nil {
		return err
	}
	if m.head = parseMDS(b); m.head == nil {
		return errMDS
	}
	return nil
}

// sample writes the line of the next sample, io.EOF behind the last.
func (m *mdsLines) sample() error {
	if m.head == nil {
		if err := m.begin(); err != nil {
			return err
		}
	}
	if len(m.ends) == 0 {
		if n, err := io.CopyN(io.Discard, m.r, 1); n > 0 {
			return errMDS
		} else if err != nil {
			return err
		}
	}
	size := int64(m.ends[0]) - int64(m.at)
	m.at, m.ends = m.ends[0], m.ends[1:]
	switch {
	case size < 0:
		return errMDS
	case size > int64(m.max):
		if n, err := io.CopyN(io.Discard, m.r, size); n < size && errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
		m.out = append(strconv.AppendInt(append(m.out, spoilt), size, 10), " "+csvLong+"\n"...)
		return nil
	}
	b, err := m.take(size)
	if err != nil {
		return err
	}
	return m.row(b)
}

// row writes a sample.
func (m *mdsLines) row(sample []byte) error {
	values := sample
	for _, size := range m.head.Sizes {
		if size == nil {
			if len(values) < 4 {
				return errMDS
			}
			values = values[4:]
		}
	}
	m.out = append(m.out, '{')
	for i, name := range m.head.Names {
		var n int64
		if size := m.head.Sizes[i]; size != nil {
			n = *size
		} else {
			n = int64(binary.LittleEndian.Uint32(sample))
			sample = sample[4:]
		}
		if n > int64(len(values)) {
			return errMDS
		}
		m.appendValue(name, m.head.kind(i), values[:n])
		values = values[n:]
	}
	if len(values) > 0 {
		return errMDS
	}
	m.out = append(bytes.TrimSuffix(m.out, []byte(",")), "}\n"...)
	return nil
}

// appendValue appends a member of the row and a comma, if the column may have text.
func (m *mdsLines) appendValue(name string, kind mdsKind, value []byte) {
	if kind == mdsOther || kind == mdsText && bytes.IndexByte(value, 0) >= 0 {
		return
	}
	// AppendQuote writes broken UTF-8 as U+FFFD and reports it, which is fine here.
	m.out, _ = jsontext.AppendQuote(m.out, name)
	m.out = append(m.out, ':')
	switch {
	case kind == mdsNumber && len(value) == 8:
		m.out = strconv.AppendInt(m.out, int64(binary.LittleEndian.Uint64(value)), 10)
	case kind == mdsJSON && jsontext.Value(value).IsValid(lenient...):
		value = bytes.ReplaceAll(value, []byte("\n"), []byte(" ")) // between tokens: no string has one
		m.out = append(m.out, value...)
	default:
		m.out, _ = jsontext.AppendQuote(m.out, value)
	}
	m.out = append(m.out, ',')
}
