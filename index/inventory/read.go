package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"unicode/utf8"
)

// File is an open inventory. It reads and checks those parts of the file that an answer
// needs. Not safe for concurrent use.
type File struct {
	Meta Meta
	ID   string // hex, 64 digits

	r      io.ReaderAt
	close  func() error
	length uint64
	keyID  Sum
	parts  map[kind]*part
	values *Hasher // nil: there is no key
}

// part is a section of an open inventory.
type part struct {
	of     *File
	kind   kind
	offset uint64
	length uint64
	count  uint64
	table  []byte

	chunks map[uint64][]byte // those that were read and checked
}

// mostChunks bounds the chunks of a section that stay in memory.
const mostChunks = 64

// Open opens an inventory. Errors about its bytes match [ErrDamaged].
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open inventory: %w", err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	var in *File
	if err == nil {
		in, err = NewFile(f, st.Size())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open inventory %s: %w", path, err)
	}
	in.close = f.Close
	return in, nil
}

// NewFile reads an inventory of size bytes.
func NewFile(r io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, min(size, headerLen))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	le := binary.LittleEndian
	switch {
	case len(head) < len(Magic) || string(head[:len(Magic)]) != Magic:
		return nil, errors.New("the file is not an inventory")
	case len(head) < headerLen:
		return nil, damaged("it ends within its header")
	case crc32.Checksum(head[:offCRC], castagnoli) != le.Uint32(head[offCRC:]):
		return nil, damaged("the checksum of its header does not match")
	case le.Uint32(head[offVersion:]) != Version:
		return nil, fmt.Errorf("the inventory has format version %d, and this noecho reads version %d: use the noecho that wrote it, or a newer one", le.Uint32(head[offVersion:]), Version)
	case le.Uint64(head[offLength:]) != uint64(size):
		return nil, damaged("it has %d bytes, and its header says %d", size, le.Uint64(head[offLength:]))
	case le.Uint32(head[offSections:]) != uint32(len(layout)):
		return nil, damaged("it has %d sections", le.Uint32(head[offSections:]))
	}
	f := &File{r: r, length: uint64(size), ID: hex.EncodeToString(head[offID : offID+sha256.Size]), keyID: Sum(head[offKeyID:]), parts: map[kind]*part{}}
	at := uint64(headerLen)
	for i, k := range layout {
		p, err := f.parsePart(head[offEntries+i*entryLen:], k, at)
		if err != nil {
			return nil, err
		}
		f.parts[k], at = p, p.end()
	}
	if at != f.length {
		return nil, damaged("its sections end at byte %d of %d", at, f.length)
	}
	return f, f.readMeta()
}

// parsePart reads the entry of a section, which begins at byte at, and its checksum table.
func (f *File) parsePart(e []byte, k kind, at uint64) (*part, error) {
	le := binary.LittleEndian
	p := &part{of: f, kind: k, offset: le.Uint64(e[8:]), length: le.Uint64(e[16:]), count: le.Uint64(e[24:]), chunks: map[uint64][]byte{}}
	if kind(le.Uint32(e)) != k || p.offset != at || p.length > f.length || p.end() > f.length || p.count > p.length {
		return nil, damaged("the header entry of %v is not possible", k)
	}
	p.table = make([]byte, 4*p.pieces())
	if err := f.read(p.table, p.offset+padded(p.length)); err != nil {
		return nil, err
	}
	if crc32.Checksum(p.table, castagnoli) != le.Uint32(e[4:]) {
		return nil, damaged("the checksum table of %v does not match its checksum", k)
	}
	return p, nil
}

// readMeta reads META and checks the sizes of the tables.
func (f *File) readMeta() error {
	m := f.parts[metaKind]
	if m.length > 256<<20 {
		return damaged("META has %d bytes", m.length)
	}
	b := make([]byte, m.length)
	if err := m.copy(b, 0); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &f.Meta); err != nil {
		return damaged("META is not JSON")
	}
	for _, k := range layout {
		if k >= metaKind {
			continue
		}
		if t, d := f.parts[k], f.parts[k+directory]; d.length != 8*((t.count+perBlock-1)/perBlock) {
			return damaged("the length of %v does not fit", d.kind)
		}
	}
	if f.Meta.Counts.Rows != f.parts[rowsKind].count {
		return damaged("META counts %d rows, and ROWS %d", f.Meta.Counts.Rows, f.parts[rowsKind].count)
	}
	return nil
}

// Unlock gives the inventory its key. The error of another key matches [ErrKey].
func (f *File) Unlock(key *Key) error {
	if !same(key.ID(), f.keyID) {
		return ErrKey
	}
	f.values = key.Hasher()
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.close == nil {
		return nil
	}
	return f.close()
}

// read fills b from a byte of the file on.
func (f *File) read(b []byte, at uint64) error {
	n, err := f.r.ReadAt(b, int64(at))
	switch {
	case n == len(b):
		return nil
	case errors.Is(err, io.EOF):
		return damaged("it ends at byte %d", at+uint64(n))
	default:
		return fmt.Errorf("read inventory at byte %d: %w", at, err)
	}
}

func (p *part) pieces() uint64 { return (p.length + chunkLen - 1) / chunkLen }

// end returns the offset of the next section.
func (p *part) end() uint64 { return p.offset + padded(p.length) + padded(4*p.pieces()) }

// chunk returns a piece of the payload, checked. It is valid until more pieces are read.
func (p *part) chunk(i uint64) ([]byte, error) {
	if b, ok := p.chunks[i]; ok {
		return b, nil
	}
	b := make([]byte, min(chunkLen, p.length-i*chunkLen))
	if err := p.of.read(b, p.offset+i*chunkLen); err != nil {
		return nil, err
	}
	if crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(p.table[4*i:]) {
		return nil, damaged("bytes %d to %d, of %v, do not match their checksum", p.offset+i*chunkLen, p.offset+i*chunkLen+uint64(len(b))-1, p.kind)
	}
	if len(p.chunks) >= mostChunks {
		clear(p.chunks)
	}
	p.chunks[i] = b
	return b, nil
}

// copy fills b from byte at of the payload on.
func (p *part) copy(b []byte, at uint64) error {
	if at > p.length || uint64(len(b)) > p.length-at {
		return damaged("%v has no byte %d", p.kind, at+uint64(len(b)))
	}
	for len(b) > 0 {
		c, err := p.chunk(at / chunkLen)
		if err != nil {
			return err
		}
		n := copy(b, c[at%chunkLen:])
		b, at = b[n:], at+uint64(n)
	}
	return nil
}

// cursor reads the records of a table one after the other.
type cursor struct {
	p   *part
	at  uint64 // of the next record
	i   uint64 // its number
	buf []byte
}

// seek returns a cursor before the first record of a block.
func (p *part) seek(block uint64) (*cursor, error) {
	var b [8]byte
	if err := p.of.parts[p.kind+directory].copy(b[:], 8*block); err != nil {
		return nil, err
	}
	return &cursor{p: p, at: binary.LittleEndian.Uint64(b[:]), i: block * perBlock}, nil
}

// next returns the next record; it is valid until the next call.
func (c *cursor) next() ([]byte, error) {
	if c.i >= c.p.count {
		return nil, io.EOF
	}
	n, err := c.size()
	if err != nil {
		return nil, err
	}
	if n > c.p.length-c.at {
		return nil, damaged("record %d of %v is longer than the table", c.i, c.p.kind)
	}
	if uint64(cap(c.buf)) < n {
		c.buf = make([]byte, n)
	}
	c.buf = c.buf[:n]
	if err := c.p.copy(c.buf, c.at); err != nil {
		return nil, err
	}
	c.at += n
	c.i++
	return c.buf, nil
}

// size reads the length before a record.
func (c *cursor) size() (uint64, error) {
	var b [binary.MaxVarintLen64]byte
	if c.at > c.p.length {
		return 0, damaged("%v has no byte %d", c.p.kind, c.at)
	}
	head := b[:min(uint64(len(b)), c.p.length-c.at)]
	if err := c.p.copy(head, c.at); err != nil {
		return 0, err
	}
	n, k := binary.Uvarint(head)
	if k <= 0 {
		return 0, damaged("record %d of %v has no length", c.i, c.p.kind)
	}
	c.at += uint64(k)
	return n, nil
}

// at returns a record of a table.
func (p *part) at(i uint64) ([]byte, error) {
	if i >= p.count {
		return nil, damaged("%v has no record %d", p.kind, i)
	}
	c, err := p.seek(i / perBlock)
	for err == nil && c.i < i {
		err = c.skip()
	}
	if err != nil {
		return nil, err
	}
	return c.next()
}

// skip passes over a record.
func (c *cursor) skip() error {
	n, err := c.size()
	if err == nil && n > c.p.length-c.at {
		err = damaged("record %d of %v is longer than the table", c.i, c.p.kind)
	}
	c.at += n
	c.i++
	return err
}

// fields reads the fields of a record. After an error every field is zero.
type fields struct {
	b   []byte
	bad bool
}

func (r *fields) number() uint64 {
	n, k := binary.Uvarint(r.b)
	if k <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *fields) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *fields) text() string {
	b := r.bytes(r.number())
	if !utf8.Valid(b) {
		r.bad = true
	}
	return string(b)
}

func (r *fields) counts(kinds int) (all []Count) {
	n := r.number()
	if n > uint64(kinds) {
		r.bad = true
		return nil
	}
	for range n {
		c := Count{Kind: int(min(r.number(), MostKinds)), N: r.number()}
		r.bad = r.bad || c.Kind >= kinds
		all = append(all, c)
	}
	return all
}

// end returns an error unless all fields were read and nothing is left.
func (r *fields) end(k kind, i uint64) error {
	if r.bad || len(r.b) > 0 {
		return damaged("record %d of %v is not as the format says", i, k)
	}
	return nil
}

// row returns a row.
func (f *File) row(i uint64) (Row, error) {
	b, err := f.parts[rowsKind].at(i)
	if err != nil {
		return Row{}, err
	}
	return f.parseRow(b, i)
}

func (f *File) parseRow(b []byte, i uint64) (row Row, err error) {
	r := fields{b: b}
	copy(row.Sum[:], r.bytes(sumLen))
	row.Source = int(min(r.number(), f.parts[sourcesKind].count))
	row.Line = r.number()
	if marks := r.bytes(2); marks != nil {
		row.Flags, row.Sensitivity = Flags(marks[0]), Sensitivity(marks[1])
	}
	row.ID = r.text()
	row.Counts = r.counts(len(f.Meta.Kinds))
	r.bad = r.bad || uint64(row.Source) == f.parts[sourcesKind].count
	return row, r.end(rowsKind, i)
}

// source returns an input.
func (f *File) source(i uint64) (Source, error) {
	b, err := f.parts[sourcesKind].at(i)
	if err != nil {
		return Source{}, err
	}
	return f.parseSource(b, i)
}

func (f *File) parseSource(b []byte, i uint64) (Source, error) {
	r := fields{b: b}
	files := f.parts[filesKind].count
	s := Source{File: int(min(r.number(), files)), Dataset: int(min(r.number(), uint64(len(f.Meta.Datasets)))), rows: r.number(), counts: make([]uint64, len(f.Meta.Kinds))}
	for _, c := range r.counts(len(f.Meta.Kinds)) {
		if c.Kind < len(s.counts) {
			s.counts[c.Kind] = c.N
		}
	}
	s.Name = r.text()
	r.bad = r.bad || uint64(s.File) == files || s.Dataset == len(f.Meta.Datasets)
	return s, r.end(sourcesKind, i)
}

// eachSource calls f for every input, in order.
func (f *File) eachSource(do func(i uint64, s Source) error) error {
	return f.parts[sourcesKind].each(func(i uint64, b []byte) error {
		s, err := f.parseSource(b, i)
		if err != nil {
			return err
		}
		return do(i, s)
	})
}

// Files returns the files on disk, in order.
func (f *File) Files() (all []Disk, err error) {
	err = f.parts[filesKind].each(func(i uint64, b []byte) error {
		r := fields{b: b}
		d := Disk{Bytes: r.number(), OfText: r.number() == 1}
		copy(d.Digest[:], r.bytes(sha256.Size))
		d.Name = r.text()
		all = append(all, d)
		return r.end(filesKind, i)
	})
	return all, err
}

// each calls f for every record of a table.
func (p *part) each(f func(i uint64, b []byte) error) error {
	if p.count == 0 {
		return nil
	}
	c, err := p.seek(0)
	for i := uint64(0); err == nil && i < p.count; i++ {
		var b []byte
		if b, err = c.next(); err == nil {
			err = f(i, b)
		}
	}
	return err
}

// found is a row that has a value.
type found struct {
	row uint64
	n   uint64
}

// find returns the rows that have a form of an identifier or a name. known is false if the
// inventory does not know the value: then no row has it, if it was looked for at all.
func (f *File) find(kind, form string) (rows []found, known bool, err error) {
	return f.rowsOf(f.values.Value(kind, form))
}

// rowsOf returns the rows that have a value.
func (f *File) rowsOf(want Sum) (rows []found, known bool, err error) {
	p := f.parts[valuesKind]
	c, err := p.search(want)
	if err != nil || c == nil {
		return nil, false, err
	}
	from := uint64(0)
	for {
		b, err := c.next()
		if errors.Is(err, io.EOF) {
			return rows, known, nil
		}
		if err != nil {
			return nil, false, err
		}
		r := fields{b: b}
		switch cmp := bytes.Compare(r.bytes(sumLen), want[:]); {
		case cmp < 0:
			continue
		case cmp > 0:
			return rows, known, nil
		}
		known = true
		for n := r.number(); n > 0 && !r.bad; n-- {
			d := r.number()
			one := found{n: 1}
			if d&1 == 1 {
				one.n = r.number()
			}
			if from += d >> 1; d < 2 || from > f.Meta.Counts.Rows {
				return nil, false, damaged("a value has a row that does not exist")
			}
			one.row = from - 1
			rows = append(rows, one)
		}
		if err := r.end(valuesKind, c.i-1); err != nil {
			return nil, false, err
		}
	}
}

// search returns a cursor before the first record of a value, at most one block before it;
// nil if all values are larger.
func (p *part) search(want Sum) (*cursor, error) {
	// The last block whose first value is smaller: an equal value may begin in it.
	lo, hi := uint64(0), (p.count+perBlock-1)/perBlock
	for lo < hi {
		mid := (lo + hi) / 2
		c, err := p.seek(mid)
		if err != nil {
			return nil, err
		}
		b, err := c.next()
		if err != nil {
			return nil, err
		}
		if len(b) < sumLen {
			return nil, damaged("record %d of VALUES is too short", c.i-1)
		}
		if bytes.Compare(b[:sumLen], want[:]) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if p.count == 0 {
		return nil, nil
	}
	return p.seek(max(lo, 1) - 1)
}

// Verify reads every byte of the inventory and checks it against the checksums and the id,
// and every record against the format.
func (f *File) Verify() error {
	digest := sha256.New()
	head := make([]byte, headerLen)
	if err := f.read(head, 0); err != nil {
		return err
	}
	b := make([]byte, 1<<20)
	for at := uint64(headerLen); at < f.length; at += uint64(len(b)) {
		b = b[:min(uint64(len(b)), f.length-at)]
		if err := f.read(b, at); err != nil {
			return err
		}
		digest.Write(b)
	}
	clear(head[offID : offID+sha256.Size])
	clear(head[offCRC:])
	digest.Write(head)
	if hex.EncodeToString(digest.Sum(nil)) != f.ID {
		return f.blame()
	}
	if err := f.parts[rowsKind].each(func(i uint64, b []byte) error { _, err := f.parseRow(b, i); return err }); err != nil {
		return err
	}
	if err := f.eachSource(func(uint64, Source) error { return nil }); err != nil {
		return err
	}
	_, err := f.Files()
	return err
}

// blame finds the damage in a file whose id does not match.
func (f *File) blame() error {
	for _, k := range layout {
		p := f.parts[k]
		for i := range p.pieces() {
			if _, err := p.chunk(i); err != nil {
				return err
			}
		}
	}
	return damaged("its id does not match its bytes")
}
