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
	"bytes"
	"maps"
	"runtime"
	"slices"

	"noecho/index/internal/format"
	"noecho/index/key"
	"noecho/ngram"
)

// Index is an open index of one file or several: an immutable set of grams (sequences
// of words). Several files answer as one: a gram is absent only if it is absent in all
// of them. Lookups never fail, never allocate, and are safe for concurrent use.
type Index struct {
	spec  ngram.Spec
	parts []format.Contents // by file; they are copies, which saves each lookup one pointer
	files []*File

	keyed []keyedPart // the same, those of one key in a row; nil: no file has a key

	subjects map[string]*subject // by id: those that several files list; nil if there is one file
}

// keyedPart is one file of an index of which some file has a key.
type keyedPart struct {
	*format.Contents
	key *key.Key // nil: none
	// turn is the key if the part before has another one. A lookup hashes its gram anew there
	// and only there. Parts without a key come first, so it is nil for them.
	turn *key.Key
}

// subject is a data subject that several files list under the same id.
type subject struct {
	number uint64   // in the first of these files
	labels []string // of all of them, sorted
}

// newIndex returns an index of files that were built with the same recipe.
func newIndex(files []*File) *Index {
	ix := &Index{spec: files[0].spec, files: files}
	for _, f := range files {
		ix.parts = append(ix.parts, *f.contents)
	}
	if len(files) > 1 {
		ix.joinSubjects()
		ix.passEmpty()
	}
	if slices.ContainsFunc(files, func(f *File) bool { return f.key != nil }) {
		ix.addKeys()
	}
	return ix
}

// passEmpty leaves filters without a gram out of lookups, as those of a suppression index of
// names and addresses are: their Blocks is 0.
func (ix *Index) passEmpty() {
	for i := range ix.parts {
		p := &ix.parts[i]
		for _, f := range []*format.Blocked{&p.Gate2, &p.Gate4, &p.Words} {
			if !slices.ContainsFunc(f.Words, func(w uint64) bool { return w != 0 }) {
				f.Blocks = 0
			}
		}
	}
}

// joinSubjects finds the subjects that several files list.
func (ix *Index) joinSubjects() {
	ix.subjects = map[string]*subject{}
	first := map[string]uint64{} // by id: its number in the first file that lists it
	for i := range ix.parts {
		for k, s := range ix.parts[i].Phrases.Subjects {
			number, again := first[s.ID]
			if !again {
				first[s.ID] = uint64(i)<<format.PlaceBitsMost | uint64(k+1)
				continue
			}
			if ix.subjects[s.ID] == nil {
				ix.subjects[s.ID] = &subject{number, slices.Clone(ix.subject(number).Labels)}
			}
			all := ix.subjects[s.ID]
			all.labels = slices.Compact(slices.Sorted(slices.Values(append(all.labels, s.Labels...))))
		}
	}
}

// addKeys sets up lookups under keys.
func (ix *Index) addKeys() {
	for i, f := range ix.files {
		ix.keyed = append(ix.keyed, keyedPart{Contents: &ix.parts[i], key: f.key})
	}
	slices.SortStableFunc(ix.keyed, func(a, b keyedPart) int { return bytes.Compare(a.Header.KeyID[:], b.Header.KeyID[:]) })
	for i := range ix.keyed {
		if i == 0 || ix.keyed[i].Header.KeyID != ix.keyed[i-1].Header.KeyID {
			ix.keyed[i].turn = ix.keyed[i].key
		}
	}
}

// ask asks the parts for a gram until one has it. has is told the hash under the key of the
// part.
func (ix *Index) ask(h ngram.Hash, has func(p *keyedPart, lo uint64) bool) bool {
	lo, ok := h.Lo, false
	for i := 0; !ok && i < len(ix.keyed); i++ {
		p := &ix.keyed[i]
		if p.turn != nil {
			lo = p.turn.Lo(h.Lo)
		}
		ok = has(p, lo)
	}
	runtime.KeepAlive(ix)
	return ok
}

// hash returns the hash of a gram under the key of a file.
func (ix *Index) hash(file int, h ngram.Hash) ngram.Hash {
	if k := ix.files[file].key; k != nil {
		return ngram.Hash{Hi: k.Hi(h.Hi, h.Lo), Lo: k.Lo(h.Lo)}
	}
	return h
}

// Gate2 reports whether the 2-gram may occur in an indexed window. False is certain.
func (ix *Index) Gate2(h ngram.Hash) bool {
	if ix.keyed != nil {
		return ix.ask(h, func(p *keyedPart, lo uint64) bool { return p.Gate2.Blocks > 0 && p.Gate2.Has(lo) })
	}
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Gate2.Blocks > 0 && ix.parts[i].Gate2.Has(h.Lo)
	}
	runtime.KeepAlive(ix)
	return ok
}

// Gate4 reports whether the 4-gram may occur in an indexed window. False is certain.
func (ix *Index) Gate4(h ngram.Hash) bool {
	if ix.keyed != nil {
		return ix.ask(h, func(p *keyedPart, lo uint64) bool { return p.Gate4.Blocks > 0 && p.Gate4.Has(lo) })
	}
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Gate4.Blocks > 0 && ix.parts[i].Gate4.Has(h.Lo)
	}
	runtime.KeepAlive(ix)
	return ok
}

// Window reports whether the window is indexed. False is certain. True is wrong for
// about one in 10⁹ windows that are not indexed, in each file.
func (ix *Index) Window(h ngram.Hash) bool {
	if ix.keyed != nil {
		return ix.ask(h, func(p *keyedPart, lo uint64) bool { return p.Windows.Has(lo) && p.Confirm.Has(p.key.Hi(h.Hi, h.Lo)) })
	}
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
	if ix.keyed != nil {
		return ix.ask(h, func(p *keyedPart, lo uint64) bool { return p.Words.Blocks > 0 && p.Words.Has(lo) })
	}
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		ok = ix.parts[i].Words.Blocks > 0 && ix.parts[i].Words.Has(h.Lo)
	}
	runtime.KeepAlive(ix)
	return ok
}

// Known answers for at most 64 grams of k words at once, given the lower halves of their
// hashes, as [Index.Word], [Index.Gate2] or [Index.Gate4] does for one: k is 1, 2 or 4, and
// bit i of the result is the answer for gram i. A filter is read for several grams at the
// same time.
func (ix *Index) Known(k int, lower []uint64) (known uint64) {
	if ix.keyed != nil {
		return ix.knownKeyed(k, lower)
	}
	for i := range ix.parts {
		if f := filterOf(&ix.parts[i], k); f.Blocks > 0 {
			known |= f.HasEach(lower)
		}
	}
	runtime.KeepAlive(ix)
	return known
}

// knownKeyed is Known for files of which some have keys.
func (ix *Index) knownKeyed(k int, lower []uint64) (known uint64) {
	var room [64]uint64 // under the key of a part
	asked := lower
	for i := range ix.keyed {
		p := &ix.keyed[i]
		if p.turn != nil {
			asked = room[:len(lower)]
			copy(asked, lower)
			p.turn.Los(asked)
		}
		if f := filterOf(p.Contents, k); f.Blocks > 0 {
			known |= f.HasEach(asked)
		}
	}
	runtime.KeepAlive(ix)
	return known
}

// filterOf returns the filter of the k-grams of a file. It has no blocks if the file has none.
func filterOf(c *format.Contents, k int) *format.Blocked {
	switch k {
	case format.GateLong:
		return &c.Gate4
	case format.GateShort:
		return &c.Gate2
	default:
		return &c.Words
	}
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
// missing: not every gram is a seed, and of a common one only 16 places in
// each file are stored. Of several files together there are at most 64 places, which the
// files share fairly. Rarely a place is that of another gram. A file without a ledger has
// no places.
func (ix *Index) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	before := len(dst)
	dst = ix.parts[0].Tables.Ledger.Seeds(dst, ix.hash(0, h)) // nearly every index has one file
	for i := 1; i < len(ix.parts); i++ {
		n := len(dst)
		dst = ix.parts[i].Tables.Ledger.Seeds(dst, ix.hash(i, h))
		for k := n; k < len(dst); k++ {
			dst[k] |= ngram.Place(i) << format.PlaceBitsMost
		}
	}
	runtime.KeepAlive(ix)
	for each := format.SeedPlaces - 1; len(dst)-before > seedsMost && each > 0; each-- {
		dst = dst[:before+len(fewer(dst[before:], each))]
	}
	return dst
}

// seedsMost bounds the places of a 5-gram that occurs in several files.
const seedsMost = 64

// fewer leaves at most so many places of each file, the lowest.
func fewer(places []ngram.Place, each int) []ngram.Place {
	kept, same := places[:0], 0
	for i, p := range places {
		if i > 0 && p>>format.PlaceBitsMost == kept[len(kept)-1]>>format.PlaceBitsMost {
			same++
		} else {
			same = 1
		}
		if same <= each {
			kept = append(kept, p)
		}
	}
	return kept
}

// Record describes a record of the corpus, or a data subject.
type Record struct {
	ID      string   // own id of the record; without one the path and the line, or the path alone
	Dataset string   // name of the dataset in the manifest; empty: it is a data subject
	Labels  []string // of the dataset or the subject; must not be changed
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
	if ix.keyed != nil {
		return ix.ask(h, func(p *keyedPart, lo uint64) bool {
			return p.Phrases.Count > 0 && p.Phrases.Start.Has(format.StartKey(lo))
		})
	}
	ok := false
	for i := 0; !ok && i < len(ix.parts); i++ {
		p := &ix.parts[i].Phrases
		ok = p.Count > 0 && p.Start.Has(format.StartKey(h.Lo))
	}
	runtime.KeepAlive(ix)
	return ok
}

// Phrase returns the phrase of exactly these words, at most 16. If several files have it,
// the result is that of their merged index, but for the place: that of the first file that
// has one. Other words may be taken for the phrase with a probability of 2⁻⁶⁴.
func (ix *Index) Phrase(h ngram.Hash) (ngram.Phrase, bool) {
	var all ngram.Phrase
	found := false
	for i := range ix.parts {
		p, ok := ix.parts[i].Phrases.Find(ix.files[i].key.Hi(h.Hi, h.Lo))
		if !ok {
			continue
		}
		p.Hash = h
		p.Place, p.Subject = placeIn(i, p.Place), ix.subjectIn(i, p.Subject)
		if !found {
			all, found = p, true
			continue
		}
		all.Records = format.AddRecords(p.Records, all.Records)
		if all.Place == 0 {
			all.Place = p.Place
		}
		if format.CompareKinds(p.Kind, all.Kind) < 0 {
			all.Kind = p.Kind
		}
		switch {
		case all.Weak && p.Weak && all.Subject != p.Subject:
			all.Subject = 0
		case all.Weak && !p.Weak:
			all.Weak, all.Subject = false, p.Subject
		case !p.Weak && all.Subject == 0:
			all.Subject = p.Subject
		}
	}
	runtime.KeepAlive(ix)
	return all, found
}

// placeIn returns the place in the index of a place in a file. 0 remains 0.
func placeIn(file int, p ngram.Place) ngram.Place {
	if p == 0 {
		return 0
	}
	return p | ngram.Place(file)<<format.PlaceBitsMost
}

// subjectIn returns the number in the index of a subject of a file. 0 remains 0.
func (ix *Index) subjectIn(file int, n uint64) uint64 {
	if n == 0 {
		return 0
	}
	if len(ix.subjects) > 0 {
		if s := ix.subjects[ix.parts[file].Phrases.Subjects[n-1].ID]; s != nil {
			return s.number
		}
	}
	return n | uint64(file)<<format.PlaceBitsMost
}

// Owners returns the data subjects of a phrase that Phrase returned, with an id and labels,
// and the first record that contains it in each dataset of each file. A subject that several
// files list under one id has the labels of all. A weak phrase has the subject that it
// names, and no record. Owners that a file does not know are missing, see File.Lacks.
func (ix *Index) Owners(p ngram.Phrase) (subjects, records []Record) {
	seen := map[uint64]struct{}{}
	add := func(file int, place ngram.Place, subject uint64) {
		n := ix.subjectIn(file, subject)
		if _, again := seen[n]; n != 0 && !again {
			seen[n] = struct{}{}
			subjects = append(subjects, ix.subject(n))
		}
		if r, ok := ix.Record(placeIn(file, place)); ok {
			records = append(records, r)
		}
	}
	if i, rest := inFile(p.Subject); p.Weak && rest > 0 && i < len(ix.parts) && rest <= uint64(len(ix.parts[i].Phrases.Subjects)) {
		return []Record{ix.subject(p.Subject)}, nil
	}
	for i := range ix.parts {
		finger := ix.files[i].key.Hi(p.Hash.Hi, p.Hash.Lo)
		if own, ok := ix.parts[i].Phrases.Find(finger); ok && !own.Weak {
			add(i, own.Place, own.Subject)
			ix.parts[i].Phrases.Shared(finger, func(place ngram.Place, subject uint64) { add(i, place, subject) })
		}
	}
	runtime.KeepAlive(ix)
	return subjects, records
}

// subject returns the data subject of a number.
func (ix *Index) subject(n uint64) Record {
	i, rest := inFile(n)
	s := ix.parts[i].Phrases.Subjects[rest-1]
	if many := ix.subjects[s.ID]; many != nil {
		s.Labels = many.labels
	}
	return Record{ID: s.ID, Labels: s.Labels}
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
