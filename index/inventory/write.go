package inventory

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Row is a row of the training files, or a whole text.
type Row struct {
	Sum    Sum // of its id and texts
	Source int // number of its input
	Line   uint64
	ID     string // own id of the row; empty: it has none
	Counts []Count

	Flags       Flags
	Sensitivity Sensitivity
}

// Posting says that a row contains a value.
type Posting struct {
	Value Sum
	Kind  int // number in Meta.Kinds
	N     int // how often
}

// Source is an input: a file, or a member of an archive.
type Source struct {
	Name    string
	File    int // number of the file that contains it
	Dataset int // number in Meta.Datasets

	rows   uint64
	counts []uint64 // by kind
}

// Disk is a file on disk.
type Disk struct {
	Name   string
	Bytes  uint64
	Digest [sha256.Size]byte
	OfText bool // the digest is over the text that was read, because the file is gone: it came from standard input and was compressed
}

// Info describes an inventory that was written.
type Info struct {
	ID     string `json:"id"` // hex, 64 digits
	Bytes  uint64 `json:"bytes"`
	Counts Counts `json:"counts"`
}

// A Writer writes an inventory. Rows come first, in their order, then Finish. Not safe for
// concurrent use.
type Writer struct {
	to   *output
	key  *Key
	rows *section
	sort *sorter
	buf  []byte

	count   uint64
	optOut  uint64
	sources map[int]*Source // counts of the sources that have rows
}

// NewWriter begins an inventory in an empty file. temp makes nameless files for values that
// are not sorted yet, if they take more than memory bytes.
func NewWriter(out io.WriterAt, key *Key, temp func() (*os.File, error), memory int64) *Writer {
	w := &Writer{to: newOutput(out), key: key, sort: newSorter(temp, memory), sources: map[int]*Source{}}
	w.rows = w.to.begin(rowsKind)
	return w
}

// Row adds a row with the values in it.
func (w *Writer) Row(r Row, postings []Posting) error {
	b := append(w.buf[:0], r.Sum[:]...)
	b = binary.AppendUvarint(b, uint64(r.Source))
	b = binary.AppendUvarint(b, r.Line)
	b = append(b, byte(r.Flags), byte(r.Sensitivity))
	if r.Flags&OptOut != 0 {
		w.optOut++
	}
	b = appendText(b, r.ID)
	b = binary.AppendUvarint(b, uint64(len(r.Counts)))
	s := w.sources[r.Source]
	if s == nil {
		s = new(Source)
		w.sources[r.Source] = s
	}
	s.rows++
	for _, c := range r.Counts {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(c.Kind)), c.N)
		for len(s.counts) <= c.Kind {
			s.counts = append(s.counts, 0)
		}
		s.counts[c.Kind] += c.N
	}
	w.buf = b
	if err := w.rows.add(b); err != nil {
		return err
	}
	for _, p := range postings {
		if err := w.sort.add(newEntry(p, w.count)); err != nil {
			return err
		}
	}
	w.count++
	return nil
}

// Looked adds a value that was looked for. It is in the inventory even if no row has it.
func (w *Writer) Looked(value Sum, kind int) error {
	return w.sort.add(newEntry(Posting{Value: value, Kind: kind}, 0))
}

// Finish writes the rest of the inventory. Counts of meta are filled in.
func (w *Writer) Finish(ctx context.Context, meta *Meta, sources []Source, files []Disk) (Info, error) {
	err := w.to.end(w.rows)
	if err == nil {
		err = w.writeValues(ctx, meta)
	}
	if err == nil {
		err = w.writeSources(sources)
	}
	if err == nil {
		err = w.writeFiles(files)
	}
	if err != nil {
		return Info{}, err
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return Info{}, fmt.Errorf("write inventory: %w", err)
	}
	s := w.to.begin(metaKind)
	if _, err := s.Write(text); err != nil {
		return Info{}, err
	}
	if err := w.to.end(s); err != nil {
		return Info{}, err
	}
	id, err := w.to.finish(w.key.ID())
	if err != nil {
		return Info{}, err
	}
	return Info{ID: hex.EncodeToString(id[:]), Bytes: w.to.at, Counts: meta.Counts}, nil
}

// Abort frees the memory and the files of an inventory that is not finished. It may follow
// Finish.
func (w *Writer) Abort() { w.sort.close() }

// writeValues writes VALUES from the sorted entries.
func (w *Writer) writeValues(ctx context.Context, meta *Meta) error {
	v := &valueWriter{to: w.to.begin(valuesKind), meta: meta}
	meta.Counts = Counts{Rows: w.count, OptOut: w.optOut, Distinct: map[string]uint64{}}
	n := 0
	err := w.sort.each(func(e entry) error {
		if n++; n%(1<<16) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return v.add(e)
	})
	if err == nil {
		err = v.flush()
	}
	if err != nil {
		return err
	}
	return w.to.end(v.to)
}

// valueWriter writes the records of VALUES.
type valueWriter struct {
	to   *section
	meta *Meta
	last entry
	rows int    // of the record
	list []byte // of the record
	from uint64 // the row before, plus 1
	buf  []byte
}

// add adds an entry; they come in ascending order.
func (v *valueWriter) add(e entry) error {
	if again := v.meta.Counts.Values > 0 && e.hi == v.last.hi && e.lo == v.last.lo; !again || v.rows == listMost {
		if err := v.flush(); err != nil {
			return err
		}
		if !again {
			v.meta.Counts.Values++
			v.meta.Counts.Distinct[v.meta.Kinds[e.kind()]]++
			v.from = 0
		}
		v.rows, v.list = 0, v.list[:0]
	}
	v.last = e
	if e.n() == 0 {
		return nil
	}
	d := e.row() + 1 - v.from
	v.from = e.row() + 1
	if e.n() == 1 {
		v.list = binary.AppendUvarint(v.list, 2*d)
	} else {
		v.list = binary.AppendUvarint(binary.AppendUvarint(v.list, 2*d+1), uint64(e.n()))
	}
	v.rows++
	v.meta.Counts.Postings++
	return nil
}

// flush writes the current record, if there is one.
func (v *valueWriter) flush() error {
	if v.meta.Counts.Values == 0 {
		return nil
	}
	b := binary.BigEndian.AppendUint64(v.buf[:0], v.last.hi)
	b = binary.BigEndian.AppendUint64(b, v.last.lo)
	b = binary.AppendUvarint(b, uint64(v.rows))
	v.buf = append(b, v.list...)
	return v.to.add(v.buf)
}

func (w *Writer) writeSources(sources []Source) error {
	s := w.to.begin(sourcesKind)
	for i, source := range sources {
		var counted Source
		if c := w.sources[i]; c != nil {
			counted = *c
		}
		b := binary.AppendUvarint(w.buf[:0], uint64(source.File))
		b = binary.AppendUvarint(b, uint64(source.Dataset))
		b = binary.AppendUvarint(b, counted.rows)
		kinds := 0
		for _, n := range counted.counts {
			kinds += min(1, int(n))
		}
		b = binary.AppendUvarint(b, uint64(kinds))
		for kind, n := range counted.counts {
			if n > 0 {
				b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(kind)), n)
			}
		}
		w.buf = appendText(b, source.Name)
		if err := s.add(w.buf); err != nil {
			return err
		}
	}
	return w.to.end(s)
}

func (w *Writer) writeFiles(files []Disk) error {
	s := w.to.begin(filesKind)
	for _, f := range files {
		b := binary.AppendUvarint(w.buf[:0], f.Bytes)
		if f.OfText {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		w.buf = appendText(append(b, f.Digest[:]...), f.Name)
		if err := s.add(w.buf); err != nil {
			return err
		}
	}
	return w.to.end(s)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// output is the file behind its header. It computes the digest of all that is written.
type output struct {
	f        io.WriterAt
	at       uint64
	digest   hash.Hash
	w        *bufio.Writer
	sections []*section
}

func newOutput(f io.WriterAt) *output {
	o := &output{f: f, at: headerLen, digest: sha256.New()}
	o.w = bufio.NewWriterSize(writerFunc(o.write), 1<<20)
	return o
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// write appends bytes to the file.
func (o *output) write(p []byte) (int, error) {
	n, err := o.f.WriteAt(p, int64(o.at))
	if err != nil {
		return n, fmt.Errorf("write inventory: %w", err)
	}
	o.at += uint64(n)
	o.digest.Write(p)
	return n, nil
}

// section is a section that is being written.
type section struct {
	to     *output
	kind   kind
	offset uint64
	length uint64
	count  uint64
	crc    uint32
	filled int // bytes of the current piece, of which crc is the checksum
	table  []byte
	dir    []byte
	head   []byte

	tableCRC uint32
}

func (o *output) begin(k kind) *section {
	s := &section{to: o, kind: k, offset: o.at + uint64(o.w.Buffered())}
	o.sections = append(o.sections, s)
	return s
}

// add adds a record.
func (s *section) add(record []byte) error {
	if s.count%perBlock == 0 {
		s.dir = binary.LittleEndian.AppendUint64(s.dir, s.length)
	}
	s.count++
	s.head = binary.AppendUvarint(s.head[:0], uint64(len(record)))
	if _, err := s.Write(s.head); err != nil {
		return err
	}
	_, err := s.Write(record)
	return err
}

// Write adds bytes to the payload.
func (s *section) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), chunkLen-s.filled)
		s.crc = crc32.Update(s.crc, castagnoli, rest[:n])
		if s.filled += n; s.filled == chunkLen {
			s.endPiece()
		}
		rest = rest[n:]
	}
	s.length += uint64(len(p))
	return s.to.w.Write(p)
}

func (s *section) endPiece() {
	s.table = binary.LittleEndian.AppendUint32(s.table, s.crc)
	s.crc, s.filled = 0, 0
}

// end writes the rest of a section, and the directory of a table.
func (o *output) end(s *section) error {
	if s.filled > 0 {
		s.endPiece()
	}
	s.tableCRC = crc32.Checksum(s.table, castagnoli)
	err := o.pad(s.length)
	if err == nil {
		_, err = o.w.Write(s.table)
	}
	if err == nil {
		err = o.pad(uint64(len(s.table)))
	}
	if err != nil || s.kind >= metaKind {
		return err
	}
	d := o.begin(s.kind + directory)
	if _, err := d.Write(s.dir); err != nil {
		return err
	}
	return o.end(d)
}

// pad writes zeros behind n bytes up to a multiple of align.
func (o *output) pad(n uint64) error {
	_, err := o.w.Write(make([]byte, padded(n)-n))
	return err
}

func padded(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }

// finish writes the header and returns the inventory id.
func (o *output) finish(keyID Sum) (id [sha256.Size]byte, err error) {
	if err := o.w.Flush(); err != nil {
		return id, err
	}
	b := make([]byte, headerLen)
	le := binary.LittleEndian
	copy(b, Magic)
	le.PutUint32(b[offVersion:], Version)
	le.PutUint32(b[offSections:], uint32(len(o.sections)))
	le.PutUint64(b[offLength:], o.at)
	copy(b[offKeyID:], keyID[:])
	for i, s := range o.sections {
		e := b[offEntries+i*entryLen:]
		le.PutUint32(e, uint32(s.kind))
		le.PutUint32(e[4:], s.tableCRC)
		le.PutUint64(e[8:], s.offset)
		le.PutUint64(e[16:], s.length)
		le.PutUint64(e[24:], s.count)
	}
	o.digest.Write(b)
	o.digest.Sum(id[:0])
	copy(b[offID:], id[:])
	le.PutUint32(b[offCRC:], crc32.Checksum(b[:offCRC], castagnoli))
	if _, err := o.f.WriteAt(b, 0); err != nil {
		return id, fmt.Errorf("write inventory: %w", err)
	}
	return id, nil
}

// entry is a posting that is being sorted.
type entry struct {
	hi, lo uint64
	rest   uint64 // 40 bits of the row, 16 of the count, 8 of the kind
}

const (
	mostRows  = 1 << 40
	mostCount = 1<<16 - 1
	// MostKinds is the largest number of kinds in an inventory.
	MostKinds = 1 << 8

	entryBytes = 24
)

func newEntry(p Posting, row uint64) entry {
	return entry{binary.BigEndian.Uint64(p.Value[:]), binary.BigEndian.Uint64(p.Value[8:]), row<<24 | uint64(min(p.N, mostCount))<<8 | uint64(p.Kind)}
}

func (e entry) row() uint64 { return e.rest >> 24 }
func (e entry) n() int      { return int(e.rest >> 8 & mostCount) }
func (e entry) kind() int   { return int(e.rest & (MostKinds - 1)) }

func (e entry) compare(o entry) int {
	return cmp.Or(cmp.Compare(e.hi, o.hi), cmp.Compare(e.lo, o.lo), cmp.Compare(e.rest, o.rest))
}

// sorter sorts entries. Those that do not fit into the memory become sorted runs in a file.
type sorter struct {
	temp func() (*os.File, error)
	most int // entries in memory
	mem  []entry
	file *os.File
	size int64
	runs []run
}

// run is a sorted part of the file.
type run struct{ from, to int64 }

func newSorter(temp func() (*os.File, error), memory int64) *sorter {
	return &sorter{temp: temp, most: int(max(memory/entryBytes, 1<<10))}
}

func (s *sorter) add(e entry) error {
	if e.row() >= mostRows>>1 {
		return errors.New("more rows than an inventory has room for: build several from parts of the files")
	}
	if len(s.mem) >= s.most {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.mem = append(s.mem, e)
	return nil
}

// spill moves the entries in memory to the file.
func (s *sorter) spill() (err error) {
	if s.file == nil {
		if s.file, err = s.temp(); err != nil {
			return fmt.Errorf("sort the values of the inventory: %w", err)
		}
	}
	slices.SortFunc(s.mem, entry.compare)
	w := bufio.NewWriterSize(s.file, 1<<20)
	var b [entryBytes]byte
	for _, e := range s.mem {
		binary.LittleEndian.PutUint64(b[:], e.hi)
		binary.LittleEndian.PutUint64(b[8:], e.lo)
		binary.LittleEndian.PutUint64(b[16:], e.rest)
		if _, err := w.Write(b[:]); err != nil {
			return fmt.Errorf("sort the values of the inventory: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort the values of the inventory: %w", err)
	}
	from := s.size
	s.size += int64(len(s.mem)) * entryBytes
	s.runs = append(s.runs, run{from, s.size})
	s.mem = s.mem[:0]
	return nil
}

// each calls f for every entry in ascending order, and frees them.
func (s *sorter) each(f func(entry) error) error {
	defer s.close()
	if s.file == nil {
		slices.SortFunc(s.mem, entry.compare)
		for _, e := range s.mem {
			if err := f(e); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.spill(); err != nil {
		return err
	}
	most := s.most * entryBytes / (len(s.runs) + 1)
	s.mem = nil
	m := &merging{}
	for _, r := range s.runs {
		b := bufio.NewReaderSize(io.NewSectionReader(s.file, r.from, r.to-r.from), min(1<<20, max(most, 4<<10)))
		if err := m.push(b); err != nil {
			return err
		}
	}
	return m.each(f)
}

func (s *sorter) close() {
	if s.file != nil {
		s.file.Close()
	}
	s.file, s.mem = nil, nil
}

// merging is a heap of runs by their next entries.
type merging struct{ heap []head }

type head struct {
	e entry
	r *bufio.Reader
}

// read reads the next entry of a run.
func (h *head) read() error {
	var b [entryBytes]byte
	if _, err := io.ReadFull(h.r, b[:]); err != nil {
		return err
	}
	h.e = entry{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])}
	return nil
}

// push adds a run that is not empty.
func (m *merging) push(r *bufio.Reader) error {
	h := head{r: r}
	if err := h.read(); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("sort the values of the inventory: %w", err)
	}
	m.heap = append(m.heap, h)
	for i := len(m.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if m.heap[up].e.compare(m.heap[i].e) <= 0 {
			break
		}
		m.heap[up], m.heap[i] = m.heap[i], m.heap[up]
		i = up
	}
	return nil
}

func (m *merging) each(f func(entry) error) error {
	for len(m.heap) > 0 {
		if err := f(m.heap[0].e); err != nil {
			return err
		}
		switch err := m.heap[0].read(); {
		case errors.Is(err, io.EOF):
			last := len(m.heap) - 1
			m.heap[0] = m.heap[last]
			m.heap = m.heap[:last]
		case err != nil:
			return fmt.Errorf("sort the values of the inventory: %w", err)
		}
		m.sink()
	}
	return nil
}

// sink restores the order below the root.
func (m *merging) sink() {
	for i := 0; ; {
		least := i
		for _, k := range [...]int{2*i + 1, 2*i + 2} {
			if k < len(m.heap) && m.heap[k].e.compare(m.heap[least].e) < 0 {
				least = k
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}
