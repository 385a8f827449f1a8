package detect

import "noecho/ngram"

// track reads one rendering of the channel's text: it finds the words, keeps
// the newest of them and asks the index about the windows they end.
//
// Most windows are ruled out without a look at the windows themselves: seven
// windows of ten words share a 4-gram, so while no gram is missing the newest
// 4-gram is asked first, and once one is missing nothing needs asking until the
// windows have moved past it.
type track struct {
	set     Set
	n       int
	scanner *ngram.Scanner
	words   []ngram.Word // scratch of Append
	base    int64        // added to the scanner's offsets

	ring   []entry      // the newest words; length a power of two
	count  int64        // words seen; the newest is count-1
	absent int64        // first word of the newest gram known to be absent; -1: none
	acted  int64        // newest word inside an acted span; -1: none
	least  ngram.Weight // what a run must weigh
	light  int64        // first of the newest words that together weigh less
	weight ngram.Weight // of the words from light on
	run    run

	backward bool // the words stand in the text from the last to the first
}

// entry is one word in the ring.
type entry struct {
	prefix uint64 // prefix hash behind the word
	span   ngram.Span
	weight ngram.Weight
	known  uint8 // what is known of the grams that end here
}

// Bits of entry.known.
const (
	asked2 uint8 = 1 << iota
	absent2
	asked4
	absent4
)

// provisional is how many words a Peek can yield at most: every code point that
// the scanner's machines hold may be one. The ring has room for them.
const provisional = 64

// init prepares a track for a new text. A run below the threshold never has
// more words than the ring.
func (t *track) init(set Set, spec ngram.Spec, least ngram.Weight) {
	size := 1
	for size < int(least)+spec.N+provisional {
		size *= 2
	}
	if len(t.ring) < size {
		t.ring = make([]entry, size)
	}
	if t.scanner == nil || t.n != spec.N {
		t.scanner = ngram.NewScanner(spec.Suite)
	}
	t.set, t.n, t.least = set, spec.N, least
	t.scanner.Reset()
	t.base, t.count, t.absent, t.acted, t.light, t.weight = 0, 0, -1, -1, 0, 0
	t.backward = false
	t.run.reset()
}

// copyFrom makes t the track that o is, with a ring and a scanner of its own.
func (t *track) copyFrom(o *track) {
	t.ring = append(t.ring[:0], o.ring...)
	*t.scanner = *o.scanner
	t.base, t.count, t.absent, t.acted, t.light, t.weight = o.base, o.count, o.absent, o.acted, o.light, o.weight
	parts := append(t.run.parts[:0], o.run.parts...)
	t.run = o.run
	t.run.parts = parts
}

func (t *track) at(i int64) *entry { return &t.ring[i&int64(len(t.ring)-1)] }

// prefix is the prefix hash before word i.
func (t *track) prefix(i int64) uint64 {
	if i == 0 {
		return 0
	}
	return t.at(i - 1).prefix
}

// span is word i's place in the channel.
func (t *track) span(i int64) ngram.Span {
	s := t.at(i).span
	return ngram.Span{Lo: s.Lo + t.base, Hi: s.Hi + t.base}
}

// openBytes is how much text behind the newest word is read in pieces. Finders that
// keep the newest bytes keep twice a piece: if no word comes the channel is read
// byte by byte, so that they have the same bytes however it was cut.
const openBytes = 128

// open is the number of bytes read behind the newest word.
func (t *track) open() int64 {
	if t.count == 0 {
		return t.scanner.Offset()
	}
	return t.scanner.Offset() - t.at(t.count-1).span.Hi
}

// push adds a word and reports whether the window it ends is indexed.
func (t *track) push(w ngram.Word) (hit bool) {
	i := t.count
	*t.at(i) = entry{prefix: t.roll(t.prefix(i), w.Hash), span: w.Span, weight: w.Weight}
	t.count++
	for t.weight += w.Weight; t.weight >= t.least; t.light++ {
		t.weight -= t.at(t.light).weight
	}
	first := i - int64(t.n) + 1
	if first < 0 || t.absent >= first {
		return false
	}
	if t.missing4(i) {
		t.absent = i - 3
		return false
	}
	return t.set.Window(t.window(i)) && t.complete(first, i)
}

// window is the hash of the window that word i ends.
func (t *track) window(i int64) ngram.Hash {
	return t.gram(t.prefix(i+1-int64(t.n)), t.prefix(i+1), t.n)
}

// roll extends a prefix hash by one word.
func (t *track) roll(prefix, word uint64) uint64 {
	if t.backward {
		return ngram.RollBack(prefix, word)
	}
	return ngram.Roll(prefix, word)
}

// wordHash is the hash of the word between two prefix hashes.
func (t *track) wordHash(before, after uint64) uint64 { return after - t.roll(before, 0) }

// gram is the hash of the k words between two prefix hashes, in the order of the
// corpus.
func (t *track) gram(before, after uint64, k int) ngram.Hash {
	if t.backward {
		return ngram.GramBack(before, after, k)
	}
	return ngram.Gram(before, after, k)
}

// complete reports whether every short gram of words first to last may be
// indexed.
func (t *track) complete(first, last int64) bool {
	for i := last; i > first; i-- {
		if t.missing2(i) {
			t.absent = max(t.absent, i-1)
			return false
		}
		if i-3 >= first && t.missing4(i) {
			t.absent = max(t.absent, i-3)
			return false
		}
	}
	return true
}

// missing2 reports whether the 2-gram that word i ends is absent; i >= 1.
func (t *track) missing2(i int64) bool {
	e := t.at(i)
	if e.known&asked2 == 0 {
		e.known |= asked2
		if !t.set.Gate2(t.gram(t.prefix(i-1), e.prefix, 2)) {
			e.known |= absent2
		}
	}
	return e.known&absent2 != 0
}

// missing4 reports whether the 4-gram that word i ends is absent; i >= 3.
func (t *track) missing4(i int64) bool {
	e := t.at(i)
	if e.known&asked4 == 0 {
		e.known |= asked4
		if !t.set.Gate4(t.gram(t.prefix(i-3), e.prefix, 4)) {
			e.known |= absent4
		}
	}
	return e.known&absent4 != 0
}

// firstLive returns the first word that a window yet to come may hold: no gram
// behind it is known to be absent. It is count if there is none.
func (t *track) firstLive() int64 {
	newest := t.count - 1
	oldest := max(0, newest-int64(t.n)+2)
	for a := newest - 1; a >= oldest && a > t.absent; a-- {
		if t.missing2(a+1) || a+3 <= newest && t.missing4(a+3) {
			t.absent = a
			break
		}
	}
	return max(oldest, t.absent+1)
}

// held returns the offset below which the track holds nothing, and the offset
// of the last word that is not held, -1 if there is none.
func (t *track) held(r Release) (free, last int64) {
	first := t.firstLive()
	if r == Strict {
		first = min(first, t.light)
	}
	if p, ok := t.run.waits(t.count - 1); ok {
		first = min(first, p)
	}
	first = max(first, t.acted+1)
	free, last = t.scanner.Frontier()+t.base, -1
	if first < t.count {
		free = t.span(first).Lo
	}
	if first > 0 {
		last = t.span(first - 1).Lo
	}
	return free, last
}
