package index

import (
	"fmt"
	"io"
	"os"
)

// contents is a checked index: its filters and tables, ready to be asked.
type contents struct {
	header   *header
	manifest []byte

	gate2   blocked
	gate4   blocked
	windows blocked
	confirm spread
	words   blocked // without blocks if the index has none
	tables  tables
	phrases phrases

	mem memory // of the filters and tables
}

// load reads an index of size bytes into memory and checks every byte of it.
func load(r io.ReaderAt, size int64) (*contents, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	var total uint64
	for _, s := range h.sections {
		if s.asked() {
			total += padded(s.length)
		}
	}
	mem, err := newMemory(total)
	if err != nil {
		return nil, err
	}
	c, err := readInto(r, h, mem)
	if err == nil {
		err = mem.seal()
	}
	if err != nil {
		mem.free()
		return nil, err
	}
	return c, nil
}

// readInto loads and checks everything behind the header into mem.
func readInto(r io.ReaderAt, h *header, mem memory) (*contents, error) {
	dst := make([][]byte, len(h.sections))
	words := make([][]uint64, len(h.sections))
	var at uint64
	for i, s := range h.sections {
		if s.kind == KindManifest {
			dst[i] = make([]byte, s.length)
		} else if s.asked() {
			dst[i] = mem.bytes[at : at+s.length : at+s.length]
			words[i] = mem.words[at/8 : (at+s.length)/8 : (at+s.length)/8]
			at += padded(s.length)
		}
	}
	check, err := checkBody(r, h, dst)
	if err != nil {
		return nil, err
	}
	c := &contents{header: h, manifest: dst[h.find(KindManifest, 0)], mem: mem}
	if c.tables, err = check.checkTables(); err != nil {
		return nil, err
	}
	for i, s := range h.sections {
		switch {
		case s.kind == KindGates && s.gram == gateShort:
			c.gate2 = newBlocked(words[i], s)
		case s.kind == KindGates:
			c.gate4 = newBlocked(words[i], s)
		case s.kind == KindWindows:
			c.windows = newBlocked(words[i], s)
		case s.kind == KindConfirm:
			c.confirm = newSpread(words[i], s)
		case s.kind == KindWords:
			c.words = newBlocked(words[i], s)
		case s.kind == KindPhrases:
			start := h.find(KindStart, phraseStarts)
			if c.phrases, err = openPhrases(dst[i], newBlocked(words[start], h.sections[start]), c.tables.end()); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// verify checks every byte of an index of size bytes in constant memory. The
// contents can be described, but not asked.
func verify(r io.ReaderAt, size int64) (*contents, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	dst := make([][]byte, len(h.sections))
	mi := h.find(KindManifest, 0)
	dst[mi] = make([]byte, h.sections[mi].length)
	check, err := checkBody(r, h, dst)
	if err != nil {
		return nil, err
	}
	c := &contents{header: h, manifest: dst[mi]}
	if c.tables, err = check.checkTables(); err != nil {
		return nil, err
	}
	if i := h.find(KindPhrases, 0); i >= 0 {
		s := h.sections[i]
		if _, _, err := checkPhrases(io.NewSectionReader(r, int64(s.offset), int64(s.length)), s.length, c.tables.end()); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// stat reads the header of an index and the trailers of LEDGER and RECORDS.
func stat(r io.ReaderAt, size int64) (h *header, t tables, err error) {
	if h, err = readHeader(r, size); err != nil {
		return nil, t, err
	}
	c := newChecker(r, h, make([][]byte, len(h.sections)))
	li, ri := h.find(KindLedger, 0), h.find(KindRecords, 0)
	if li < 0 || ri < 0 {
		return h, t, nil
	}
	for _, i := range []int{li, ri} {
		if err := c.readTail(i); err != nil {
			return nil, t, err
		}
	}
	if t.ledger.ledgerShape, err = parseLedger(c.payload(li)); err != nil {
		return nil, t, err
	}
	t.records.recordsShape, err = parseRecords(c.payload(ri))
	t.there = true
	return h, t, err
}

// openFile opens a regular file and returns its length.
func openFile(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open index: %w", err)
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
