// Package index opens indexes of training text and answers questions about them:
// whether a window of words was indexed, at which places short grams occur, which
// phrases count on their own, and which record a place belongs to. An index contains
// hashes and counts, never text.
//
// It knows words and windows (package ngram) and the file format (package format). It
// knows nothing about training files, HTTP, prompts, or the consequences of a finding.
// Package build writes the files that this package reads.
package index

import (
	"maps"
	"runtime"
	"slices"

	"noecho/index/internal/format"
	"noecho/ngram"
)

// Index is an open index of one file or several: an immutable set of grams (sequences
// of words). Several files answer as one: a gram is absent only if it is absent in all
// of them. Lookups never fail, never allocate, and are safe for concurrent use.
type Index struct {
	spec  ngram.Spec
	parts []format.Contents // by file; they are copies, which saves each lookup one pointer
	files []*File
}

// newIndex returns an index of files that were built with the same recipe.
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

// Window reports whether the window is indexed. False is certain. True is wrong for
// about one in 10⁹ windows that are not indexed, in each file.
func (ix *Index) Window(h ngram.Hash) bool {
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Windows.Has(h.Lo) && ix.parts[i].Confirm.Has(h.Hi)
	}
	runtime.KeepAlive(ix)
	return ok
}

// Word reports whether the word, a 1-gram, may occur in an indexed window. False is
// certain if every file has a section WORDS. A file without one answers false.
func (ix *Index) Word(h ngram.Hash) bool {
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Words.Blocks > 0 && ix.parts[i].Words.Has(h.Lo)
	}
	runtime.KeepAlive(ix)
	return ok
}

// Has reports which parts any of the files has besides windows: a ledger of places and
// records, phrases, the words of its windows. A file that was built before there was a
// section WORDS does not know its words.
func (ix *Index) Has() (ledger, phrases, words bool) {
	for _, f := range ix.files {
		c := f.contents
		ledger, phrases, words = ledger || c.Tables.There, phrases || c.Phrases.Count > 0, words || c.Words.Blocks > 0
	}
	return ledger, phrases, words
}

// filesMost is the largest number of files in an index. The upper 8 bits of a place or
// the number of a subject are the number of the file.
const filesMost = 1 << (64 - format.PlaceBitsMost)

// inFile splits a place or a subject into the number of the file and the rest.
func inFile(p uint64) (file int, rest uint64) {
	return int(p >> format.PlaceBitsMost), p & (1<<format.PlaceBitsMost - 1)
}

// Seeds appends the places at which a 5-gram occurs, in ascending order. Places may be
// missing: not every gram is a seed, and of a common one only the first 16 places in
// each file are stored. Rarely a place is that of another gram. A file without a ledger
// has no places.
func (ix *Index) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	dst = ix.parts[0].Tables.Ledger.Seeds(dst, h) // nearly every index has one file
	for i := 1; i < len(ix.parts); i++ {
		n := len(dst)
		dst = ix.parts[i].Tables.Ledger.Seeds(dst, h)
		for k := n; k < len(dst); k++ {
			dst[k] |= ngram.Place(i) << format.PlaceBitsMost
		}
	}
	runtime.KeepAlive(ix)
	return dst
}

// Record describes a record of the corpus.
type Record struct {
	ID      string   // own id of the record; without one the path and the line, or the path alone
	Dataset string   // name of the dataset in the manifest
	Labels  []string // of the dataset; must not be changed
}

// Record returns the record that contains a place. The place must come from Seeds or
// from a phrase.
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

// RecordWords returns the number of places that the record at a place takes: its words,
// 64 places between its segments, and the places of later records that are not
// indexed. It is 0 if the record is not known. See [Index.Record].
func (ix *Index) RecordWords(p ngram.Place) int {
	i, rest := inFile(uint64(p))
	if i >= len(ix.parts) {
		return 0
	}
	n := ix.parts[i].Tables.Records.Words(ngram.Place(rest))
	runtime.KeepAlive(ix)
	return n
}

// Start reports whether a phrase may begin with these words, at most 4 of them. False
// is certain.
func (ix *Index) Start(h ngram.Hash) bool {
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		p := &ix.parts[i].Phrases
		ok = p.Count > 0 && p.Start.Has(format.StartKey(h.Lo))
	}
	runtime.KeepAlive(ix)
	return ok
}

// Phrase returns the phrase of exactly these words, at most 16. If
// several files have it, one that is not weak comes first, then one with a subject; the
// number of records is the sum. Other words may be taken for the phrase with a
// probability of 2⁻⁶⁴. Subjects of different files have different numbers, even if
// their ids are equal.
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

// Subject returns the id of a data subject and its labels, given the number in
// [ngram.Phrase.Subject]. ok is false if there is no such subject. The labels must not
// be changed.
func (ix *Index) Subject(n uint64) (id string, labels []string, ok bool) {
	i, rest := inFile(n)
	if i >= len(ix.parts) || rest == 0 || rest > uint64(len(ix.parts[i].Phrases.Subjects)) {
		return "", nil, false
	}
	s := ix.parts[i].Phrases.Subjects[rest-1]
	return s.ID, s.Labels, true
}

// Labels returns the labels of all datasets and data subjects, sorted and without
// repeats.
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

// Spec returns the recipe that all files were built with.
func (ix *Index) Spec() ngram.Spec { return ix.spec }

// Files returns the files of the index, in the order of the arguments of Join.
func (ix *Index) Files() []*File { return slices.Clone(ix.files) }

// Close frees the memory. No lookup may run at the same time or afterwards. Close may
// be called again.
func (ix *Index) Close() error {
	for _, f := range ix.files {
		f.release()
	}
	return nil
}
