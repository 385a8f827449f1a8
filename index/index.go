// Package index opens indexes of training text and answers questions about them:
// whether a window of words was indexed, where short grams occur, which phrases count
// on their own, and which record a place belongs to. An index holds hashes and counts,
// never text.
//
// It knows words and windows (package ngram) and the file format (package format). It
// knows nothing of training files, of HTTP, of prompts, or of the consequences of a
// hit. Package build writes the files that this package reads.
package index

import (
	"maps"
	"runtime"
	"slices"

	"noecho/index/internal/format"
	"noecho/ngram"
)

// Index is an open index of one file or several: an immutable set of grams. Several
// files answer as one: a gram is absent only if it is absent in all of them. Lookups
// never fail, never allocate, and are safe for concurrent use.
type Index struct {
	spec  ngram.Spec
	parts []format.Contents // of the files; copies, which saves a lookup one pointer
	files []*File
}

// newIndex returns an index of files that fit each other.
func newIndex(files []*File) *Index {
	ix := &Index{spec: files[0].spec, files: files}
	for _, f := range files {
		ix.parts = append(ix.parts, *f.contents)
	}
	return ix
}

// Gate2 reports whether the 2-gram may occur in an indexed window. False is certain.
func (ix *Index) Gate2(h ngram.Hash) bool {
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Gate2.Has(h.Lo)
	}
	runtime.KeepAlive(ix)
	return ok
}

// Gate4 reports whether the 4-gram may occur in an indexed window. False is certain.
func (ix *Index) Gate4(h ngram.Hash) bool {
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Gate4.Has(h.Lo)
	}
	runtime.KeepAlive(ix)
	return ok
}

// Window reports whether the window is indexed. False is certain; true is wrong for
// about one window in 10⁹ that is not indexed, in each file.
func (ix *Index) Window(h ngram.Hash) bool {
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Windows.Has(h.Lo) && ix.parts[i].Confirm.Has(h.Hi)
	}
	runtime.KeepAlive(ix)
	return ok
}

// Word reports whether the word, a 1-gram, may occur in an indexed window. False is
// certain if every file knows its words; a file that does not answers false.
func (ix *Index) Word(h ngram.Hash) bool {
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Words.Blocks > 0 && ix.parts[i].Words.Has(h.Lo)
	}
	runtime.KeepAlive(ix)
	return ok
}

// HasWords reports whether any file knows its words: one that was built before there
// was a section WORDS does not.
func (ix *Index) HasWords() bool {
	return slices.ContainsFunc(ix.files, func(f *File) bool { return f.contents.Words.Blocks > 0 })
}

// filesMost is how many files a place can tell apart: the upper 8 bits of a place or
// a subject are the number of the file.
const filesMost = 1 << (64 - format.PlaceBitsMost)

// inFile splits a place or a subject into the number of the file and the rest.
func inFile(p uint64) (file int, rest uint64) {
	return int(p >> format.PlaceBitsMost), p & (1<<format.PlaceBitsMost - 1)
}

// Seeds appends the places at which a 5-gram occurs, in ascending order. Places may be
// missing: not every gram is a seed, and of a common one the first 16 in each file are
// kept. Rarely a place is that of another gram. A file without a ledger has none.
func (ix *Index) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	for i := range ix.parts {
		n := len(dst)
		dst = ix.parts[i].Tables.Ledger.Seeds(dst, h)
		for k := n; k < len(dst); k++ {
			dst[k] |= ngram.Place(i) << format.PlaceBitsMost
		}
	}
	runtime.KeepAlive(ix)
	return dst
}

// Record names the record of the corpus to which a place belongs.
type Record struct {
	ID      string   // of the row; without one the path and the line, or the path
	Dataset string   // its name in the manifest
	Labels  []string // of the dataset; must not be changed
}

// Record returns the record to which a place belongs that Seeds returned.
func (ix *Index) Record(p ngram.Place) (Record, bool) {
	i, rest := inFile(uint64(p))
	if i >= len(ix.parts) {
		return Record{}, false
	}
	id, dataset, ok := ix.parts[i].Tables.Records.At(ngram.Place(rest))
	runtime.KeepAlive(ix)
	if !ok {
		return Record{}, false
	}
	d := &ix.files[i].Manifest.Datasets[dataset]
	r := Record{ID: id, Dataset: d.Name, Labels: d.Labels}
	if r.Labels == nil {
		r.Labels = []string{}
	}
	return r, true
}

// RecordWords is the number of places that the record at a place takes: its words,
// with [ngram.PlaceGap] between its segments, and the places of records behind it that
// are not indexed. 0 if it is not known. See [Index.Record].
func (ix *Index) RecordWords(p ngram.Place) int {
	i, rest := inFile(uint64(p))
	if i >= len(ix.parts) {
		return 0
	}
	n := ix.parts[i].Tables.Records.Words(ngram.Place(rest))
	runtime.KeepAlive(ix)
	return n
}

// HasLedger reports whether any file knows places and records.
func (ix *Index) HasLedger() bool {
	return slices.ContainsFunc(ix.files, func(f *File) bool { return f.contents.Tables.There })
}

// Start reports whether a phrase may begin with these words, at most 4. False is
// certain.
func (ix *Index) Start(h ngram.Hash) bool {
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		p := &ix.parts[i].Phrases
		ok = p.Count > 0 && p.Start.Has(format.StartKey(h.Lo))
	}
	runtime.KeepAlive(ix)
	return ok
}

// Phrase returns the phrase of exactly these words, at most [ngram.MaxPhraseWords]: of
// the first file that has it, with the records of all. Another phrase is taken for it
// with a chance of one in 2⁶⁴. Subjects of different files have different numbers, even
// if their ids are equal.
func (ix *Index) Phrase(h ngram.Hash) (ngram.Phrase, bool) {
	var all ngram.Phrase
	found := false
	for i := range ix.parts {
		p, ok := ix.parts[i].Phrases.Find(h.Hi)
		if !ok {
			continue
		}
		if p.Subject != 0 {
			p.Subject |= uint64(i) << format.PlaceBitsMost
		}
		if p.Place != 0 {
			p.Place |= ngram.Place(i) << format.PlaceBitsMost
		}
		switch {
		case !found:
			all, found = p, true
		case all.Weak && !p.Weak || all.Subject == 0 && p.Subject != 0 && !p.Weak:
			p.Records = format.AddRecords(p.Records, all.Records)
			all = p
		default:
			all.Records = format.AddRecords(p.Records, all.Records)
		}
	}
	runtime.KeepAlive(ix)
	return all, found
}

// HasPhrases reports whether any file has a phrase.
func (ix *Index) HasPhrases() bool {
	return slices.ContainsFunc(ix.files, func(f *File) bool { return f.contents.Phrases.Count > 0 })
}

// Subject returns the id of a data subject and its labels in the list of subjects, for
// [ngram.Phrase.Subject]; ok is false if there is none. The labels must not be changed.
func (ix *Index) Subject(n uint64) (id string, labels []string, ok bool) {
	i, rest := inFile(n)
	if i >= len(ix.parts) || rest == 0 || rest > uint64(len(ix.parts[i].Phrases.Subjects)) {
		return "", nil, false
	}
	s := ix.parts[i].Phrases.Subjects[rest-1]
	return s.ID, s.Labels, true
}

// Labels returns the labels of all datasets and data subjects, sorted, each once.
func (ix *Index) Labels() []string {
	found := map[string]struct{}{}
	add := func(labels []string) {
		for _, l := range labels {
			found[l] = struct{}{}
		}
	}
	for _, f := range ix.files {
		for _, d := range f.Manifest.Datasets {
			add(d.Labels)
		}
		for _, s := range f.contents.Phrases.Subjects {
			add(s.Labels)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Spec is the recipe that all files were built with.
func (ix *Index) Spec() ngram.Spec { return ix.spec }

// Files returns the files of the index, in the order given to Join.
func (ix *Index) Files() []*File { return slices.Clone(ix.files) }

// Close gives the memory back. No lookup may run or follow. Close may be called again.
func (ix *Index) Close() error {
	for _, f := range ix.files {
		f.release()
	}
	return nil
}
