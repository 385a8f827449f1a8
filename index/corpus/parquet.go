package corpus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetMagic begins and ends a Parquet file.
const parquetMagic = "PAR1"

// parquetRows is how many rows are read at a time.
const parquetRows = 64

// isParquet tells by the first bytes of a file whether it is Parquet.
func isParquet(head []byte) bool { return bytes.HasPrefix(head, []byte(parquetMagic)) }

// decideParquet decides how to read the rows of a Parquet file.
func (in *Input) decideParquet(file io.ReaderAt, size int64, shared *Options) error {
	o := *shared
	in.Container, in.Decided, in.o = Parquet, o.auto(), shared
	if o.Format == Text || o.Format == CSV {
		return unreadable(in.Path, "it is Parquet: leave --format out")
	}
	f, err := openColumns(file, size, in.Path)
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		// Open will return the error: a damaged file is not a file without text.
		in.Format, in.Decided = JSONL, false
		return nil
	}
	if err != nil {
		return err
	}
	var names []string
	for _, c := range f.Root().Columns() {
		names = append(names, c.Name())
	}
	if o.Format == JSONL {
		o.Format = Parquet // both read named columns
	}
	l, err := rowsLook(in.Path, "the columns are", firstRows{first: names, all: names, read: hasMessages(f.Root())}, o)
	in.Format, in.Why, in.name = l.format, l.why, l.name
	return err
}

// openColumns reads the footer of a Parquet file. The library trusts the lengths in it,
// so the length that bounds the others is checked first.
func openColumns(r io.ReaderAt, size int64, path string) (f *parquet.File, err error) {
	defer recovered(path, &err)
	var tail [8]byte
	if size < 12 {
		return nil, &DamagedError{Path: path, Reason: "Parquet: the file ends too early"}
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, fmt.Errorf("read input: %w", err)
	}
	if string(tail[4:]) != parquetMagic || int64(binary.LittleEndian.Uint32(tail[:4])) > size-12 {
		return nil, &DamagedError{Path: path, Reason: "Parquet: the file ends too early, or its end is damaged"}
	}
	f, err = parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, &DamagedError{Path: path, Reason: "Parquet: the footer cannot be read"}
	}
	return f, nil
}

// recovered turns a panic of the Parquet library, which it may raise on damaged
// files, into an error.
func recovered(path string, err *error) {
	if p := recover(); p != nil {
		*err = &DamagedError{Path: path, Reason: "Parquet: the file is damaged"}
	}
}

// openParquet opens a Parquet file as JSON lines of the columns that are read.
func (in *Input) openParquet() (*File, error) {
	f := new(File)
	file, size, err := in.openAt(f)
	if err != nil {
		return nil, err
	}
	columns, err := openColumns(file, size, in.Path)
	if err != nil {
		f.Close()
		return nil, err
	}
	lines, err := newParquetLines(columns, in, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	f.Reader = lines
	f.close = append(f.close, lines.closeGroup)
	return f, nil
}

// openAt opens the input for reading at any offset. f closes it.
func (in *Input) openAt(f *File) (r io.ReaderAt, size int64, err error) {
	file, err := os.Open(in.FilePath())
	if err != nil {
		return nil, 0, fmt.Errorf("read input: %w", err)
	}
	f.close = append(f.close, file.Close)
	if m := in.entry; m != nil {
		return io.NewSectionReader(file, m.at, m.size), m.size, nil
	}
	st, err := file.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("read input: %w", err)
	}
	return file, st.Size(), nil
}

// parquetLines reads the rows of a Parquet file as JSON lines.
type parquetLines struct {
	pieces
	path   string
	f      *File
	size   int64
	root   *parquetNode
	groups []parquet.RowGroup // not yet begun
	total  int64              // rows
	done   int64              // rows that were read
	leaves []int              // indexes of the columns that are read
	rows   parquet.RowReadSeekCloser
	want   int64 // rows left in the group
	batch  []parquet.Row
	values [][]parquet.Value // of a row, by leaf
}

func newParquetLines(columns *parquet.File, in *Input, f *File) (p *parquetLines, err error) {
	defer recovered(in.Path, &err)
	p = &parquetLines{path: in.Path, f: f, size: columns.Size(), groups: columns.RowGroups()}
	p.total = columns.NumRows()
	also := onlyText
	if in.options().Cells {
		also = integers
	}
	p.root = newParquetRoot(columns.Root(), parquetPaths(in), also)
	p.leaves = p.root.appendLeaves(nil)
	if len(p.leaves) == 0 {
		return nil, &DamagedError{Path: in.Path, Reason: "Parquet: the file lacks columns that it had before"}
	}
	if slices.ContainsFunc(p.leaves, func(i int) bool {
		return slices.ContainsFunc(p.groups, func(g parquet.RowGroup) bool { return i >= len(g.ColumnChunks()) })
	}) {
		return nil, &DamagedError{Path: in.Path, Reason: "Parquet: a row group lacks columns"}
	}
	if err := p.checkCodecs(columns); err != nil {
		return nil, err
	}
	p.batch = make([]parquet.Row, parquetRows)
	p.values = make([][]parquet.Value, len(p.leaves))
	return p, nil
}

// checkCodecs refuses codecs that the library does not read. The library accepts
// LZ4_RAW, but it returns an old buffer instead of a page that was compressed to more
// than a third of its size, and never ends on a damaged page.
func (p *parquetLines) checkCodecs(columns *parquet.File) error {
	for _, g := range columns.Metadata().RowGroups {
		for _, leaf := range p.leaves {
			switch c := g.Columns[leaf].MetaData.Codec; c {
			case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
			default:
				return &DamagedError{Path: p.path, Reason: fmt.Sprintf("Parquet: pages compressed with %v cannot be read: write it with zstd", c)}
			}
		}
	}
	return nil
}

// parquetPaths returns the paths of the columns that are read whole: those that a format
// or the caller names, and those that name a row. Of other columns only text matters.
func parquetPaths(in *Input) []string {
	o := in.options()
	paths := append([]string{"id", "_id", "uuid"}, o.Fields...)
	for name := range o.uses().row {
		paths = append(paths, name)
	}
	return paths
}

func (p *parquetLines) Read(b []byte) (int, error) { return p.pieces.read(b, p.next) }

// next writes the lines of the next rows.
func (p *parquetLines) next() (err error) {
	defer recovered(p.path, &err)
	if p.rows == nil {
		if len(p.groups) == 0 {
			return io.EOF
		}
		p.begin(p.groups[0])
		p.groups = p.groups[1:]
	}
	n, err := p.rows.ReadRows(p.batch)
	for _, row := range p.batch[:n] {
		if err := p.row(row); err != nil {
			return err
		}
	}
	p.want -= int64(n)
	p.done += int64(n)
	p.f.taken.Store(int64(float64(p.size) * float64(p.done) / float64(max(p.total, p.done, 1))))
	switch {
	case err == io.EOF || err == nil && n == 0:
		if p.want != 0 {
			return &DamagedError{Path: p.path, Reason: "Parquet: a row group has fewer rows than it says"}
		}
		return p.closeGroup()
	case err != nil:
		return &DamagedError{Path: p.path, Reason: "Parquet: a page cannot be read"}
	default:
		return nil
	}
}

// begin opens the columns of a row group.
func (p *parquetLines) begin(g parquet.RowGroup) {
	all := g.ColumnChunks()
	chunks := make([]parquet.ColumnChunk, len(p.leaves))
	for i, leaf := range p.leaves {
		chunks[i] = all[leaf]
	}
	p.rows, p.want = parquet.NewColumnChunkRowReader(chunks), g.NumRows()
}

// closeGroup closes the current row group.
func (p *parquetLines) closeGroup() (err error) {
	defer recovered(p.path, &err)
	if p.rows == nil {
		return nil
	}
	rows := p.rows
	p.rows = nil
	return rows.Close()
}

// row writes one row as a line.
func (p *parquetLines) row(row parquet.Row) error {
	clear(p.values)
	for at := 0; at < len(row); {
		column, end := row[at].Column(), at+1
		for end < len(row) && row[end].Column() == column {
			end++
		}
		i, ok := slices.BinarySearch(p.leaves, column)
		if !ok {
			return &DamagedError{Path: p.path, Reason: "Parquet: a row has an unknown column"}
		}
		p.values[i] = row[at:end]
		at = end
	}
	if slices.ContainsFunc(p.values, func(v []parquet.Value) bool { return len(v) == 0 }) {
		return &DamagedError{Path: p.path, Reason: "Parquet: the columns of a row group differ in length"}
	}
	p.out = p.root.appendMembers(p.out, p.values, 0, 0)
	p.out = append(p.out, '\n')
	return nil
}

// hasMessages reports whether a column or one below it looks like messages: it has a
// role and something that is said.
func hasMessages(c *parquet.Column) bool {
	role, said := false, false
	part := newUses().part
	for _, below := range c.Columns() {
		if hasMessages(below) {
			return true
		}
		role = role || lookup(part, []byte(below.Name())) == useRole
		said = said || lookup(part, []byte(below.Name())) == useParts
	}
	return role && said
}
