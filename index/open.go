// Package index opens indexes of training text and answers what is in them: whether
// a window of words was indexed, where short grams occur, which phrases count on
// their own, and which record a place belongs to. An index holds hashes and counts,
// never text.
//
// It knows words and windows (package ngram) and the file format (package format). It
// knows nothing of training files, of HTTP, of prompts, or of what is done with a
// hit; package build writes what this one reads.
package index

import (
	"fmt"
	"io"
	"runtime"
	"sync"

	"noecho/index/internal/format"
	"noecho/ngram"
)

// Magic begins every index file.
const Magic = format.Magic

// FormatVersion is the version of the file format that this package reads.
const FormatVersion = format.Version

// ErrDamaged matches every error about an index file that was changed or cut since
// it was written. ErrForeign matches the error about a file that is no index.
var (
	ErrDamaged = format.ErrDamaged
	ErrForeign = format.ErrForeign
)

// MismatchError says that an index cannot be used by this build, or not together
// with another index, and which property differs.
type MismatchError = format.MismatchError

// Index is an open index: an immutable set of grams. Lookups never fail, never
// allocate, and are safe for concurrent use.
type Index struct {
	contents *format.Contents
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
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ix, err := Read(f, size)
	if err != nil {
		return nil, fmt.Errorf("open index %q: %w", path, err)
	}
	return ix, nil
}

// Verify checks every byte of the index at path as Open does, in constant
// memory, and says what it is.
func Verify(path string) (*Info, *Manifest, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	c, err := format.Verify(f, size)
	if err != nil {
		return nil, nil, fmt.Errorf("verify index %q: %w", path, err)
	}
	ix := &Index{contents: c}
	if err := ix.describe(); err != nil {
		return nil, nil, fmt.Errorf("verify index %q: %w", path, err)
	}
	return &ix.info, ix.manifest, nil
}

// Stat returns what the header of an index of size bytes says, without a look at
// most of what is behind it.
func Stat(r io.ReaderAt, size int64) (Info, error) {
	h, t, err := format.Stat(r, size)
	if err != nil {
		return Info{}, err
	}
	return newInfo(h, t.There, &t.Ledger.LedgerShape, &t.Records.RecordsShape), nil
}

// Read reads and checks an index of size bytes as [Open] does.
func Read(r io.ReaderAt, size int64) (*Index, error) {
	c, err := format.Load(r, size)
	if err != nil {
		return nil, err
	}
	ix := &Index{contents: c}
	if err := ix.describe(); err != nil {
		c.Free()
		return nil, err
	}
	cleanup := runtime.AddCleanup(ix, (*format.Contents).Free, c)
	ix.release = sync.OnceFunc(func() {
		cleanup.Stop()
		c.Free()
	})
	return ix, nil
}

// describe reads what the index says of itself.
func (ix *Index) describe() (err error) {
	c := ix.contents
	if ix.spec, err = ngram.NewSpec(int(c.Header.N), c.Header.Suite); err != nil {
		return err
	}
	if ix.manifest, err = parseManifest(c.Manifest); err != nil {
		return err
	}
	ix.info = newInfo(c.Header, c.Tables.There, &c.Tables.Ledger.LedgerShape, &c.Tables.Records.RecordsShape)
	return c.Tables.CheckDatasets(len(ix.manifest.Datasets))
}

// Gate2 reports whether the 2-gram may stand in an indexed window. False is
// certain.
func (ix *Index) Gate2(h ngram.Hash) bool {
	ok := ix.contents.Gate2.Has(h.Lo)
	runtime.KeepAlive(ix)
	return ok
}

// Gate4 reports whether the 4-gram may stand in an indexed window. False is
// certain.
func (ix *Index) Gate4(h ngram.Hash) bool {
	ok := ix.contents.Gate4.Has(h.Lo)
	runtime.KeepAlive(ix)
	return ok
}

// Word reports whether the word, a 1-gram, may stand in an indexed window. False
// is certain if HasWords; without it every answer is false.
func (ix *Index) Word(h ngram.Hash) bool {
	ok := ix.HasWords() && ix.contents.Words.Has(h.Lo)
	runtime.KeepAlive(ix)
	return ok
}

// HasWords reports whether the index knows its words: one that was built before
// there was WORDS does not.
func (ix *Index) HasWords() bool { return ix.contents.Words.Blocks > 0 }

// Window reports whether the window is indexed. False is certain; true is
// wrong for about one window in 10⁹ that is not indexed.
func (ix *Index) Window(h ngram.Hash) bool {
	ok := ix.contents.Windows.Has(h.Lo) && ix.contents.Confirm.Has(h.Hi)
	runtime.KeepAlive(ix)
	return ok
}

// Seeds appends the places at which a 5-gram stands, in ascending order. There
// may be more of them: not every gram is a seed, and of a common one the first 16
// are kept. Rarely a place is that of another gram. Without a ledger there are
// none.
func (ix *Index) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	dst = ix.contents.Tables.Ledger.Seeds(dst, h)
	runtime.KeepAlive(ix)
	return dst
}

// Record names what stands at a place of the corpus.
type Record struct {
	ID      string   // of the row; without one the path and the line, or the path
	Dataset string   // its name in the manifest
	Labels  []string // of the dataset; must not be changed
}

// Record says which record stands at a place that Seeds returned.
func (ix *Index) Record(p ngram.Place) (Record, bool) {
	id, dataset, ok := ix.contents.Tables.Records.At(p)
	runtime.KeepAlive(ix)
	if !ok {
		return Record{}, false
	}
	d := &ix.manifest.Datasets[dataset]
	r := Record{ID: id, Dataset: d.Name, Labels: d.Labels}
	if r.Labels == nil {
		r.Labels = []string{}
	}
	return r, true
}

// HasLedger reports whether the index knows places and records.
func (ix *Index) HasLedger() bool { return ix.contents.Tables.There }

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

// Start reports whether a phrase may begin with these words, at most 4. False is
// certain.
func (ix *Index) Start(h ngram.Hash) bool {
	ok := ix.contents.Phrases.Count > 0 && ix.contents.Phrases.Start.Has(format.StartKey(h.Lo))
	runtime.KeepAlive(ix)
	return ok
}

// Phrase returns the phrase of exactly these words, at most
// [ngram.MaxPhraseWords]. Which of two phrases it is has one chance in 2⁶⁴ to be
// wrong.
func (ix *Index) Phrase(h ngram.Hash) (ngram.Phrase, bool) {
	p, ok := ix.contents.Phrases.Find(h.Hi)
	runtime.KeepAlive(ix)
	return p, ok
}

// HasPhrases reports whether the index holds any phrase.
func (ix *Index) HasPhrases() bool { return ix.contents.Phrases.Count > 0 }

// Subject returns the id of a data subject and the labels its list gives it, for
// [ngram.Phrase.Subject]; ok is false if there is none. The labels must not be
// changed.
func (ix *Index) Subject(n uint64) (id string, labels []string, ok bool) {
	if n == 0 || n > uint64(len(ix.contents.Phrases.Subjects)) {
		return "", nil, false
	}
	s := ix.contents.Phrases.Subjects[n-1]
	return s.ID, s.Labels, true
}

// RecordWords is the number of places that the record at a place takes: its words,
// with [ngram.PlaceGap] between its segments, and what follows it of records that
// are not indexed. 0 if it is not known. See [Index.Record].
func (ix *Index) RecordWords(p ngram.Place) int {
	n := ix.contents.Tables.Records.Words(p)
	runtime.KeepAlive(ix)
	return n
}
