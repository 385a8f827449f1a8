package index

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"noecho/ngram"
)

// Index is an open index: an immutable set of grams. Lookups never fail, never
// allocate, and are safe for concurrent use.
type Index struct {
	gate2   blocked
	gate4   blocked
	windows blocked
	confirm spread
	words   blocked // without blocks if the index has none
	tables  tables

	phrases phrases

	spec     ngram.Spec
	info     Info
	manifest *Manifest
	release  func()
}

// Open reads the index at path into memory and checks every byte of it before
// it returns. What was checked is what is asked: later changes to the file,
// truncation included, do not reach an open index.
//
// A file that is no index gives [ErrForeign], a damaged one an error that
// matches [ErrDamaged], one that this build cannot use a [*MismatchError].
// The memory is given back by Close, or when the Index is garbage.
func Open(path string) (*Index, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ix, err := read(f, size)
	if err != nil {
		return nil, fmt.Errorf("open index %q: %w", path, err)
	}
	return ix, nil
}

// Verify checks every byte of the index at path as Open does, in constant
// memory, and says what it is.
func Verify(path string) (*Info, *Manifest, error) {
	f, size, err := openFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	h, err := readHeader(f, size)
	if err != nil {
		return nil, nil, fmt.Errorf("verify index %q: %w", path, err)
	}
	dst := make([][]byte, len(h.sections))
	mi := h.find(KindManifest, 0)
	dst[mi] = make([]byte, h.sections[mi].length)
	c, err := checkBody(f, h, dst)
	if err != nil {
		return nil, nil, fmt.Errorf("verify index %q: %w", path, err)
	}
	m, err := parseManifest(dst[mi])
	if err != nil {
		return nil, nil, fmt.Errorf("verify index %q: %w", path, err)
	}
	tables, err := c.checkTables(m)
	if err != nil {
		return nil, nil, fmt.Errorf("verify index %q: %w", path, err)
	}
	if i := h.find(KindPhrases, 0); i >= 0 {
		s := h.sections[i]
		if _, _, err := checkPhrases(io.NewSectionReader(f, int64(s.offset), int64(s.length)), s.length, tables.end()); err != nil {
			return nil, nil, fmt.Errorf("verify index %q: %w", path, err)
		}
	}
	info := newInfo(h)
	info.Ledger = tables.info()
	return &info, m, nil
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

// read loads and checks an index of size bytes.
func read(r io.ReaderAt, size int64) (*Index, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	spec, err := ngram.NewSpec(int(h.n), h.suite)
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
	ix, err := readInto(r, h, mem)
	if err == nil {
		err = mem.seal()
	}
	if err != nil {
		mem.free()
		return nil, err
	}
	ix.spec = spec
	cleanup := runtime.AddCleanup(ix, memory.free, mem)
	ix.release = sync.OnceFunc(func() {
		cleanup.Stop()
		mem.free()
	})
	return ix, nil
}

// readInto loads and checks everything behind the header into mem.
func readInto(r io.ReaderAt, h *header, mem memory) (*Index, error) {
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
	c, err := checkBody(r, h, dst)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(dst[h.find(KindManifest, 0)])
	if err != nil {
		return nil, err
	}
	ix := &Index{info: newInfo(h), manifest: m}
	if ix.tables, err = c.checkTables(m); err != nil {
		return nil, err
	}
	ix.info.Ledger = ix.tables.info()
	if i := h.find(KindPhrases, 0); i >= 0 {
		start := h.find(KindStart, phraseStarts)
		if ix.phrases, err = openPhrases(dst[i], newBlocked(words[start], h.sections[start]), ix.tables.end()); err != nil {
			return nil, err
		}
	}
	for i, s := range h.sections {
		switch {
		case s.kind == KindGates && s.gram == gateShort:
			ix.gate2 = newBlocked(words[i], s)
		case s.kind == KindGates:
			ix.gate4 = newBlocked(words[i], s)
		case s.kind == KindWindows:
			ix.windows = newBlocked(words[i], s)
		case s.kind == KindConfirm:
			ix.confirm = newSpread(words[i], s)
		case s.kind == KindWords:
			ix.words = newBlocked(words[i], s)
		}
	}
	return ix, nil
}

// Gate2 reports whether the 2-gram may stand in an indexed window. False is
// certain.
func (ix *Index) Gate2(h ngram.Hash) bool {
	ok := ix.gate2.has(h.Lo)
	runtime.KeepAlive(ix)
	return ok
}

// Gate4 reports whether the 4-gram may stand in an indexed window. False is
// certain.
func (ix *Index) Gate4(h ngram.Hash) bool {
	ok := ix.gate4.has(h.Lo)
	runtime.KeepAlive(ix)
	return ok
}

// Word reports whether the word, a 1-gram, may stand in an indexed window. False
// is certain if HasWords; without it every answer is false.
func (ix *Index) Word(h ngram.Hash) bool {
	ok := ix.HasWords() && ix.words.has(h.Lo)
	runtime.KeepAlive(ix)
	return ok
}

// HasWords reports whether the index knows its words: one that was built before
// there was WORDS does not.
func (ix *Index) HasWords() bool { return ix.words.blocks > 0 }

// Window reports whether the window is indexed. False is certain; true is
// wrong for about one window in 10⁹ that is not indexed.
func (ix *Index) Window(h ngram.Hash) bool {
	ok := ix.windows.has(h.Lo) && ix.confirm.has(h.Hi)
	runtime.KeepAlive(ix)
	return ok
}

// Seeds appends the places at which a 5-gram stands, in ascending order. There
// may be more of them: not every gram is a seed, and of a common one the first 16
// are kept. Rarely a place is that of another gram. Without a ledger there are
// none.
func (ix *Index) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	dst = ix.tables.ledger.seeds(dst, h)
	runtime.KeepAlive(ix)
	return dst
}

// Record says which record stands at a place that Seeds returned.
func (ix *Index) Record(p ngram.Place) (Record, bool) {
	r, ok := ix.tables.records.at(p)
	runtime.KeepAlive(ix)
	return r, ok
}

// HasLedger reports whether the index knows places and records.
func (ix *Index) HasLedger() bool { return ix.tables.there }

// Spec is the recipe the index was built with.
func (ix *Index) Spec() ngram.Spec { return ix.spec }

// Info returns the index's counts and sizes.
func (ix *Index) Info() Info { return ix.info }

// Manifest says what the index was made of. It must not be changed.
func (ix *Index) Manifest() *Manifest { return ix.manifest }

// Close gives the memory back. No lookup may run or follow. Close may be
// called again.
func (ix *Index) Close() error {
	ix.release()
	return nil
}
