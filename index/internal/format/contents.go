package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"noecho/index/internal/memory"
)

// Contents is a checked index with its filters and tables. Lookups in it cannot fail.
type Contents struct {
	Header   *Header
	Manifest []byte

	Gate2   Blocked
	Gate4   Blocked
	Windows Blocked
	Confirm spread
	Words   Blocked // has no blocks if the index has no WORDS
	Tables  Tables
	Phrases phrases

	mem memory.Region // of the filters and tables
}

// Load reads an index of size bytes into memory and checks every byte of it.
func Load(r io.ReaderAt, size int64) (*Contents, error) {
	h, err := ReadHeader(r, size)
	if err != nil {
		return nil, err
	}
	var total uint64
	for _, s := range h.Sections {
		if s.asked() {
			total += padded(s.Length)
		}
	}
	mem, err := memory.New(total)
	if err != nil {
		return nil, err
	}
	c, err := readInto(r, h, mem)
	if err == nil {
		err = mem.Seal()
	}
	if err != nil {
		mem.Free()
		return nil, err
	}
	return c, nil
}

// LoadFile is Load for a file. The contents of a file that nobody can change are not
// copied: they stay in the page cache. Each number of bytes that is read, or checked in
// place, is passed to count, by several goroutines.
func LoadFile(f *os.File, size int64, count func(n int)) (*Contents, error) {
	r := &countingReader{f, count}
	mem, ok := memory.Map(f, size)
	if !ok {
		return Load(r, size)
	}
	c, err := InPlace(r, size, mem, count)
	if err != nil {
		mem.Free()
	}
	return c, err
}

// countingReader tells how many bytes are read.
type countingReader struct {
	r     io.ReaderAt
	count func(n int)
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.count(n)
	return n, err
}

// InPlace checks all bytes of an index that r reads and that is in mem as a whole, whose
// words must be little endian. See LoadFile for count.
func InPlace(r io.ReaderAt, size int64, mem memory.Region, count func(n int)) (*Contents, error) {
	h, err := ReadHeader(r, size)
	if err != nil {
		return nil, err
	}
	dst := make([][]byte, len(h.Sections))
	words := make([][]uint64, len(h.Sections))
	for i, s := range h.Sections {
		if s.Known() {
			dst[i] = mem.Bytes[s.Offset : s.Offset+s.Length : s.Offset+s.Length]
			words[i] = mem.Words[s.Offset/8 : (s.Offset+s.Length)/8 : (s.Offset+s.Length)/8]
		}
	}
	check := NewChecker(r, h, dst)
	check.placed = count
	c, err := read(check, words)
	if err != nil {
		return nil, err
	}
	c.mem = mem
	return c, nil
}

// readInto reads the filters and tables into mem and checks all bytes behind the
// header.
func readInto(r io.ReaderAt, h *Header, mem memory.Region) (*Contents, error) {
	dst := make([][]byte, len(h.Sections))
	words := make([][]uint64, len(h.Sections))
	var at uint64
	for i, s := range h.Sections {
		if s.Kind == KindManifest {
			dst[i] = make([]byte, s.Length)
		} else if s.asked() {
			dst[i] = mem.Bytes[at : at+s.Length : at+s.Length]
			words[i] = mem.Words[at/8 : (at+s.Length)/8 : (at+s.Length)/8]
			at += padded(s.Length)
		}
	}
	c, err := read(NewChecker(r, h, dst), words)
	if err != nil {
		return nil, err
	}
	c.mem = mem
	return c, nil
}

// read reads and checks the sections, given the words of those with memory for them.
func read(check *Checker, words [][]uint64) (*Contents, error) {
	if err := check.body(); err != nil {
		return nil, err
	}
	h, dst := check.H, check.Dst
	c := &Contents{Header: h, Manifest: bytes.Clone(dst[h.Find(KindManifest, 0)])}
	var err error
	if c.Tables, err = check.CheckTables(); err != nil {
		return nil, err
	}
	for i, s := range h.Sections {
		switch {
		case s.Kind == KindGates && s.Gram == GateShort:
			c.Gate2 = newBlocked(words[i], s)
		case s.Kind == KindGates:
			c.Gate4 = newBlocked(words[i], s)
		case s.Kind == KindWindows:
			c.Windows = newBlocked(words[i], s)
		case s.Kind == KindConfirm:
			c.Confirm = newSpread(words[i], s)
		case s.Kind == KindWords:
			c.Words = newBlocked(words[i], s)
		case s.Kind == KindPhrases:
			start := h.Find(KindStart, PhraseStarts)
			if c.Phrases, err = OpenPhrases(dst[i], newBlocked(words[start], h.Sections[start]), c.Tables.end()); err != nil {
				return nil, err
			}
		}
	}
	if i := h.Find(KindShared, 0); i >= 0 {
		if err := check.checkShared(c.Tables.end(), uint64(len(c.Phrases.Subjects))); err != nil {
			return nil, err
		}
		c.Phrases.shared = dst[i][SharedHead:]
	}
	return c, nil
}

// checkShared checks SHARED, if there is one. Its checksums have been checked.
func (c *Checker) checkShared(end, subjects uint64) error {
	i := c.H.Find(KindShared, 0)
	if i < 0 {
		return nil
	}
	s := c.H.Sections[i]
	if c.Dst[i] != nil {
		return CheckShared(bytes.NewReader(c.Dst[i]), s.Length, end, subjects)
	}
	return CheckShared(io.NewSectionReader(c.r, int64(s.Offset), int64(s.Length)), s.Length, end, subjects)
}

// LacksShared reports whether the index needs SHARED and has none: an older noecho built it.
func (c *Contents) LacksShared() bool {
	return c.Phrases.Count > 0 && c.Phrases.shared == nil && NeedsShared(c.Tables.datasets(), len(c.Phrases.Subjects))
}

// Free frees the memory. No lookup may follow.
func (c *Contents) Free() { c.mem.Free() }

// Verify checks every byte of an index of size bytes in constant memory. The result has
// the header and the manifest, but no filters to ask.
func Verify(r io.ReaderAt, size int64) (*Contents, error) {
	h, err := ReadHeader(r, size)
	if err != nil {
		return nil, err
	}
	dst := make([][]byte, len(h.Sections))
	mi := h.Find(KindManifest, 0)
	dst[mi] = make([]byte, h.Sections[mi].Length)
	check := NewChecker(r, h, dst)
	if err := check.body(); err != nil {
		return nil, err
	}
	c := &Contents{Header: h, Manifest: dst[mi]}
	if c.Tables, err = check.CheckTables(); err != nil {
		return nil, err
	}
	if i := h.Find(KindPhrases, 0); i >= 0 {
		s := h.Sections[i]
		_, names, err := CheckPhrases(io.NewSectionReader(r, int64(s.Offset), int64(s.Length)), s.Length, c.Tables.end())
		if err == nil {
			err = check.checkShared(c.Tables.end(), uint64(len(names.Subjects)))
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Stat reads the header of an index and the trailers of LEDGER and RECORDS.
func Stat(r io.ReaderAt, size int64) (h *Header, t Tables, err error) {
	if h, err = ReadHeader(r, size); err != nil {
		return nil, t, err
	}
	c := NewChecker(r, h, make([][]byte, len(h.Sections)))
	li, ri := h.Find(KindLedger, 0), h.Find(KindRecords, 0)
	if li < 0 || ri < 0 {
		return h, t, nil
	}
	for _, i := range []int{li, ri} {
		if err := c.ReadTail(i); err != nil {
			return nil, t, err
		}
	}
	if t.Ledger.LedgerShape, err = ParseLedger(c.Payload(li)); err != nil {
		return nil, t, err
	}
	t.Records.RecordsShape, err = parseRecords(c.Payload(ri))
	t.There = true
	return h, t, err
}

// remedy returns the part of an error behind "permission denied", who owns the file, who
// asked, and the remedy, or that behind "no such file". It is empty for any other error.
func remedy(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return ": build it with noecho index build, or name another"
	}
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	st, err := os.Stat(path)
	if err != nil {
		return ": this user may not search the folder of the file"
	}
	return ownership(st) + ": let this user read the file, with index build --mode 0644, chmod or chown"
}

// OpenFile opens a regular file and returns its length.
func OpenFile(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open index: %w%s", err, remedy(path, err))
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%q is not a file: %w", path, ErrForeign)
	}
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("open index: %w", err)
	}
	return f, st.Size(), nil
}
