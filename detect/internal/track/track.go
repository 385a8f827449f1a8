// Package track follows the words of one text as they are read: which windows of
// them are indexed, which short grams are known to be absent, which run of indexed
// windows the newest words belong to, and at which places of the corpus they occur.
//
// A gram is a sequence of words, a window a gram of the n words that an index was built
// with, a run a sequence of indexed windows that overlap.
//
// The package knows words, grams and the filters of an index. It knows nothing of
// findings, prompts or channels: package detect and its lanes build on it.
package track

import (
	"math"
	"math/bits"

	"noecho/internal/gram"
	"noecho/ngram"
)

// Set answers which grams are indexed. Every method may answer true for something
// absent and never answers false for something present.
type Set interface {
	Gate2(h ngram.Hash) bool
	Gate4(h ngram.Hash) bool
	Window(h ngram.Hash) bool
}

// Batch is a [Set] that answers for at most 64 grams of k words at once, given the lower
// halves of their hashes: bit i is the answer for gram i. Of 1-grams it answers whether the
// word may be part of an indexed window.
type Batch interface {
	Known(k int, lower []uint64) (known uint64)
}

// Ledger leads from short grams of [gram.SeedWords] words to their places in the
// corpus.
type Ledger interface {
	Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place
}

// Track finds the words of a text, keeps the newest of them and looks up the window that
// ends with each.
//
// Most windows are ruled out without a look-up of their own, since seven windows of ten
// words share a 4-gram. As long as no gram is absent, the newest 4-gram is looked up
// first. Once one is absent, nothing is looked up until the windows have moved past it.
type Track struct {
	Set     Set
	N       int            // words in a window
	Scanner *ngram.Scanner // of the text; nil: words come from elsewhere
	Words   []ngram.Word   // scratch of the scanner
	Base    int64          // added to the scanner's offsets

	Count  int64 // words read; the newest is word Count-1
	Absent int64 // first word of the newest gram known to be absent; -1: none
	Acted  int64 // newest word inside a span that is withheld; -1: none
	Run    Run

	Numbered bool  // words come without text: word i is byte i of it
	Strict   bool  // a word is open until the words behind it weigh as much as a run must
	Backward bool  // the words come from the last to the first
	Mark     uint8 // of the words that come

	batch  Batch         // Set, if it is one; else nil
	found  []ngram.Place // scratch of Pass
	lower  []uint64      // scratch of gates4: a batch is an interface, so an array would be allocated
	ring   []entry       // the newest words; its length is a power of two
	least  ngram.Weight  // of a run that counts
	light  int64         // in strict release, first of the newest words that together weigh less than least
	weight ngram.Weight  // of the words from light on
}

// entry is one word in the ring.
type entry struct {
	prefix uint64 // prefix hash behind the word
	lo     int64  // of its span
	size   uint32 // of its span
	weight uint8
	mark   uint8
	known  uint8 // answers of the filters about the grams that end with this word
}

// set sets all but the prefix hash, field by field: a literal of so many fields is built
// elsewhere first.
func (e *entry) set(w *ngram.Word, mark uint8) {
	e.lo, e.size = w.Span.Lo, uint32(min(w.Span.Hi-w.Span.Lo, math.MaxUint32)) // a word may have any number of bytes that are not read
	e.weight, e.mark, e.known = uint8(w.Weight), mark, 0
}

// Bits of entry.known.
const (
	asked2 uint8 = 1 << iota
	absent2
	asked4
	absent4
)

// Provisional is the most words that Scanner.Peek returns: each code point in the
// scanner's buffer may be one. The ring has room for them.
const Provisional = 64

// Init prepares a track for words, of which a run counts if it weighs at least least. The
// ring has room for all words of a lighter run. Scan must follow if they come from a text.
func (t *Track) Init(set Set, spec ngram.Spec, least ngram.Weight) {
	size := 1
	for size < int(least)+spec.N+Provisional {
		size *= 2
	}
	if len(t.ring) < size {
		t.ring = make([]entry, size)
	}
	if t.N != spec.N {
		t.Scanner = nil
	}
	t.Set, t.N, t.least = set, spec.N, least
	if t.batch, _ = set.(Batch); t.batch != nil && t.lower == nil {
		t.lower = make([]uint64, 0, passWords)
	}
	t.Base, t.Count, t.Absent, t.Acted, t.light, t.weight = 0, 0, -1, -1, 0, 0
	t.Numbered, t.Strict, t.Backward, t.Mark = false, false, false, 0
	t.Run.Reset()
}

// Scan prepares a track for the words of a new text.
func (t *Track) Scan(suite ngram.Suite) {
	if t.Scanner == nil {
		t.Scanner = ngram.NewScanner(suite)
	}
	t.Scanner.Reset()
}

// Forget drops the words of the text and keeps storage for another one of the same suite.
func (t *Track) Forget(suite ngram.Suite) {
	clear(t.ring)
	kept := Track{N: t.N, Scanner: t.Scanner, Words: Emptied(t.Words), ring: t.ring, found: Emptied(t.found), lower: Emptied(t.lower)}
	kept.Run.Parts = Emptied(t.Run.Parts)
	if *t = kept; t.Scanner != nil {
		*t.Scanner = *ngram.NewScanner(suite)
	}
}

// mostKept is how many elements of a slice are kept for another text.
const mostKept = 512

// Emptied returns a slice without elements for another text: that of s, cleared, unless it
// is large.
func Emptied[T any](s []T) []T {
	if s = s[:cap(s)]; len(s) > mostKept {
		return nil
	}
	clear(s)
	return s[:0]
}

// Fork makes t a copy of o that shares the ring and the scanner of o. Words pushed to t
// take places of the ring that o does not use yet. Only Peek of the scanner may be called.
func (t *Track) Fork(o *Track) {
	words, parts := t.Words, t.Run.Parts[:0]
	*t = *o
	t.Words, t.Run.Parts = words, append(parts, o.Run.Parts...)
}

// CopyFrom makes t a copy of o with a ring and a scanner of its own.
func (t *Track) CopyFrom(o *Track) {
	scanner, ring := t.Scanner, t.ring
	if scanner == nil {
		scanner = new(ngram.Scanner)
	}
	t.Fork(o)
	*scanner = *o.Scanner
	t.Scanner, t.ring = scanner, append(ring[:0], o.ring...)
}

// Room is the number of words that the ring has room for, a power of two.
func (t *Track) Room() int64 { return int64(len(t.ring)) }

// Offset is where the text that was read ends.
func (t *Track) Offset() int64 {
	if t.Numbered {
		return t.Count
	}
	return t.Scanner.Offset()
}

// Frontier is the offset below which the word of every byte is known.
func (t *Track) Frontier() int64 {
	if t.Numbered {
		return t.Count
	}
	return t.Scanner.Frontier() + t.Base
}

func (t *Track) at(i int64) *entry { return &t.ring[i&int64(len(t.ring)-1)] }

// Oldest is the oldest word that the ring still has.
func (t *Track) Oldest() int64 { return max(0, t.Count-int64(len(t.ring))) }

// Weight is the weight of word i.
func (t *Track) Weight(i int64) ngram.Weight { return ngram.Weight(t.at(i).weight) }

// MarkOf is the mark of word i.
func (t *Track) MarkOf(i int64) uint8 { return t.at(i).mark }

// Prefix is the prefix hash before word i.
func (t *Track) Prefix(i int64) uint64 {
	if i == 0 {
		return 0
	}
	return t.at(i - 1).prefix
}

// Span returns the bytes of word i in the text.
func (t *Track) Span(i int64) ngram.Span {
	lo := t.at(i).lo + t.Base
	return ngram.Span{Lo: lo, Hi: lo + int64(t.at(i).size)}
}

// Word returns word i as the scanner found it, with the span that Span returns.
func (t *Track) Word(i int64) ngram.Word {
	return ngram.Word{Span: t.Span(i), Weight: t.Weight(i), Hash: t.Prefix(i+1) - t.roll(t.Prefix(i), 0)}
}

// Open is the number of bytes read behind the newest word.
func (t *Track) Open() int64 {
	if t.Count == 0 {
		return t.Scanner.Offset()
	}
	last := t.at(t.Count - 1)
	return t.Scanner.Offset() - last.lo - int64(last.size)
}

// Push adds a word and reports whether the window that ends with it is indexed.
func (t *Track) Push(w ngram.Word) (hit bool) {
	t.add(w)
	return t.hits()
}

// PushAsked is Push for a word with the answer of Gate4 about the 4-gram that ends with it:
// 1 for true, 0 for false.
func (t *Track) PushAsked(w ngram.Word, four uint32) (hit bool) {
	e := t.add(w)
	if e.known = asked4; four == 0 {
		e.known |= absent4
	}
	return t.hits()
}

// Look is how much Pass looks for.
type Look uint8

// The words at which Pass ends.
const (
	Windows Look = iota // those that end an indexed window
	Seeds               // and those that end five words that may be a seed; windows must be longer
	Known               // and those that end a seed that the ledger knows; windows must be longer
)

// Pass adds the first of several words, as Push does, up to one that it looks for, and returns
// how many it has added. No run may be active, the track must have three words, and its
// release must be adaptive. Only Known needs a ledger.
func (t *Track) Pass(words []ngram.Word, look Look, ledger Ledger) (n int) {
	for n < len(words) {
		some := words[n:min(len(words), n+passWords)]
		added := t.pass(some, look, ledger)
		if n += added; added < len(some) {
			break
		}
	}
	return n
}

// passWords is how many words are looked up at once.
const passWords = 32

// pass is Pass for passWords words at most. It asks for so many 4-grams that every window,
// or seed, contains one of them, before it uses the first answer: so the processor waits
// once for the filter, and hardly any other gram is asked for.
func (t *Track) pass(words []ngram.Word, look Look, ledger Ledger) int {
	var p [passWords + 4]uint64 // prefix hashes, from that before the last three words on
	i, size := t.Count, int64(t.N)
	if look != Windows {
		size = gram.SeedWords
	}
	for k := range int64(4) {
		p[k] = t.Prefix(i - 3 + k)
	}
	t.prefixes(p[3:], words)
	ring, last, absent := t.ring, int64(len(t.ring)-1), t.Absent
	asked, step := int(max(0, absent+size-i)), int(size)-3 // no window ends before that word but absent ones
	known := t.gates4(p[:len(words)+4], asked, step)
	var beside, present uint64 // 4-grams of a seed with a known one, a bit for the last word of each
	if look != Windows && known != 0 {
		for rest := known; rest != 0; rest &= rest - 1 {
			beside |= 5 << (asked + step*bits.TrailingZeros64(rest)) >> 1
		}
		beside &= 1<<len(words) - 1
		present = t.gatesOf(p[:], beside)
	}
	for k := range words {
		w, e, at := &words[k], &ring[(i+int64(k))&last], i+int64(k)
		e.prefix = p[k+4]
		e.set(w, t.Mark)
		if k == asked {
			if e.known = asked4; known&1 == 0 {
				e.known |= absent4
				absent = at - 3
			}
			asked, known = asked+step, known>>1
		} else if beside>>k&1 != 0 {
			if e.known = asked4; present>>k&1 == 0 {
				e.known |= absent4
				absent = at - 3
			}
		}
		if absent > at-size {
			continue
		}
		t.Count, t.Absent = at+1, absent
		if t.ends(at, look, ledger) {
			t.Count = at
			return k
		}
		absent = t.Absent
	}
	t.Count, t.Absent = i+int64(len(words)), absent
	return len(words)
}

// ends reports whether Pass ends at word i, the newest one.
func (t *Track) ends(i int64, look Look, ledger Ledger) bool {
	switch {
	case look == Windows:
		return t.hits()
	case look == Seeds:
		return !t.Seedless(i)
	case t.Fourless(i): // then no window ends there either
		return false
	case t.hits():
		return true
	}
	t.found = ledger.Seeds(t.found[:0], t.gram(t.Prefix(i+1-gram.SeedWords), t.Prefix(i+1), gram.SeedWords))
	return len(t.found) > 0 && !t.Seedless(i)
}

// prefixes sets the prefix hashes behind several words, given that before them in p[0].
func (t *Track) prefixes(p []uint64, words []ngram.Word) {
	h := p[0]
	p = p[1 : len(words)+1]
	if t.Backward {
		for k := range words {
			h = gram.RollBack(h, words[k].Hash)
			p[k] = h
		}
		return
	}
	for k := range words {
		h = ngram.Roll(h, words[k].Hash)
		p[k] = h
	}
}

// gates4 asks for every step-th of the 4-grams between prefix hashes, from one on: the lowest
// bit is the answer for that one.
func (t *Track) gates4(p []uint64, from, step int) (known uint64) {
	if t.batch == nil {
		for k, n := from, 0; k+4 < len(p); k, n = k+step, n+1 {
			if t.Set.Gate4(t.gram(p[k], p[k+4], 4)) {
				known |= 1 << n
			}
		}
		return known
	}
	lower := t.lower[:0]
	for k := from; k+4 < len(p); k += step {
		lower = append(lower, t.lower4(p, k))
	}
	t.lower = lower
	return t.batch.Known(4, lower)
}

// gatesOf asks for the 4-grams between prefix hashes that a set of bits names. The answers have
// the places of their bits.
func (t *Track) gatesOf(p []uint64, which uint64) (present uint64) {
	lower := t.lower[:0]
	for rest := which; rest != 0; rest &= rest - 1 {
		k := bits.TrailingZeros64(rest)
		if t.batch != nil {
			lower = append(lower, t.lower4(p, k))
		} else if t.Set.Gate4(t.gram(p[k], p[k+4], 4)) {
			present |= 1 << k
		}
	}
	if t.batch == nil || which == 0 {
		return present
	}
	t.lower = lower
	known := t.batch.Known(4, lower)
	for rest := which; known != 0; rest, known = rest&(rest-1), known>>1 {
		present |= known & 1 << bits.TrailingZeros64(rest)
	}
	return present
}

// lower4 is the lower half of the hash of the 4-gram between prefix hashes k and k+4.
func (t *Track) lower4(p []uint64, k int) uint64 {
	words := gram.Between(p[k], p[k+4], 4)
	if t.Backward {
		words = gram.BetweenBack(p[k], p[k+4], 4)
	}
	return ngram.Gram(0, words, 4).Lo
}

// Rewind takes the words from a number on back. They must be pushed again, and absent is
// the value that Absent had before them.
func (t *Track) Rewind(count, absent int64) { t.Count, t.Absent = count, absent }

// add adds a word.
func (t *Track) add(w ngram.Word) *entry {
	i := t.Count
	e := t.at(i)
	e.prefix = t.roll(t.Prefix(i), w.Hash)
	e.set(&w, t.Mark)
	t.Count++
	if t.Strict {
		for t.weight += w.Weight; t.weight >= t.least; t.light++ {
			t.weight -= t.Weight(t.light)
		}
	}
	return e
}

// hits reports whether the window that ends with the newest word is indexed.
func (t *Track) hits() bool {
	i := t.Count - 1
	first := i - int64(t.N) + 1
	if first < 0 || t.Absent >= first {
		return false
	}
	if t.missing4(i) {
		t.Absent = i - 3
		return false
	}
	return t.Set.Window(t.Window(i)) && t.complete(first, i)
}

// Window is the hash of the window that ends with word i.
func (t *Track) Window(i int64) ngram.Hash {
	return t.gram(t.Prefix(i+1-int64(t.N)), t.Prefix(i+1), t.N)
}

// roll extends a prefix hash by one word.
func (t *Track) roll(prefix, word uint64) uint64 {
	if t.Backward {
		return gram.RollBack(prefix, word)
	}
	return ngram.Roll(prefix, word)
}

// gram is the hash of the k words between two prefix hashes, in the order of the
// corpus.
func (t *Track) gram(before, after uint64, k int) ngram.Hash {
	if t.Backward {
		return gram.Back(before, after, k)
	}
	return ngram.Gram(before, after, k)
}

// complete reports whether every 2-gram and 4-gram of words first to last may be indexed.
func (t *Track) complete(first, last int64) bool {
	for i := last; i > first; i-- {
		if t.missing2(i) {
			t.Absent = max(t.Absent, i-1)
			return false
		}
		if i-3 >= first && t.missing4(i) {
			t.Absent = max(t.Absent, i-3)
			return false
		}
	}
	return true
}

// missing2 reports whether the 2-gram that ends with word i is absent; i >= 1.
func (t *Track) missing2(i int64) bool {
	e := t.at(i)
	if e.known&asked2 == 0 {
		e.known |= asked2
		if !t.Set.Gate2(t.gram(t.Prefix(i-1), e.prefix, 2)) {
			e.known |= absent2
		}
	}
	return e.known&absent2 != 0
}

// missing4 reports whether the 4-gram that ends with word i is absent; i >= 3.
func (t *Track) missing4(i int64) bool {
	e := t.at(i)
	if e.known&asked4 == 0 {
		e.known |= asked4
		if !t.Set.Gate4(t.gram(t.Prefix(i-3), e.prefix, 4)) {
			e.known |= absent4
		}
	}
	return e.known&absent4 != 0
}

// Known reports whether every 2-gram and 4-gram of words first to last may be indexed.
func (t *Track) Known(first, last int64) bool { return t.complete(first, last) }

// Known4 reports whether the 4-gram that ends with word i may be indexed.
func (t *Track) Known4(i int64) bool { return i >= 3 && !t.missing4(i) }

// FirstLive returns the first word that an indexed window with the next word may contain:
// no gram behind that word is known to be absent. It is Count if there is none.
func (t *Track) FirstLive() int64 {
	newest := t.Count - 1
	oldest := max(0, newest-int64(t.N)+2)
	for a := newest - 1; a >= oldest && a > t.Absent; a-- {
		if t.missing2(a+1) || a+3 <= newest && t.missing4(a+3) {
			t.Absent = a
			break
		}
	}
	return max(oldest, t.Absent+1)
}

// Suspects reports whether words may yet become part of a run that counts because the index
// has the grams that they are part of. One word alone waits whatever the index has.
func (t *Track) Suspects() bool {
	_, light := t.Run.waits(t.Count - 1)
	return light || max(t.FirstLive(), t.Acted+1) < t.Count-1
}

// FirstOpen returns the first word that may yet become part of a run that counts, Count
// if there is none. In strict release that is the first of the newest words that together
// weigh less than such a run, whatever is indexed.
func (t *Track) FirstOpen() int64 {
	if t.Strict {
		return t.light
	}
	first := t.FirstLive()
	if p, ok := t.Run.waits(t.Count - 1); ok {
		first = min(first, p)
	}
	return max(first, t.Acted+1)
}
