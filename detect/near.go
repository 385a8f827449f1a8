package detect

import (
	"math"

	"noecho/detect/internal/lane"
	"noecho/detect/internal/track"
	"noecho/ngram"
)

// NearRule says which words count as a near match: words of one record with a
// few others between them, or some of them missing. The zero value is the
// default. See docs/how-it-works.md for how it was chosen.
type NearRule struct {
	Off   bool // near matches are not looked for
	Words int  // that stand in the seeds of a chain, weight counted; 0: DefaultNearWords; below the least run it means that
	Gap   int  // words between two seeds of a chain at most; 0: DefaultNearGap; no more than MaxNearGap
}

// The rule for near matches unless another one is asked for: two seeds that
// share no word and lie as far apart as the words of two pieces in which one word
// in six is another one, neither of which holds a seed.
const (
	DefaultNearWords = 10
	DefaultNearGap   = 13
	MaxNearGap       = 32
)

// nearAhead is how far a seed has to lie ahead of the first one of a run for its
// words to be held: seven words in a row are worth it. Words of so many are held by
// the track until then, unless windows are shorter.
const nearAhead = 2

// nearSlack is how many words may be missing or too many between two seeds.
const nearSlack = 3

// near finds near matches. It follows the seeds that the channel's words are; a
// chain of them that weighs enough is a finding from its second seed on. From
// that one on its words are held until the chain is a finding or ends, if there are
// seven in a row or they are not in a row.
//
// What a run of windows covers is left to it. So where a record is recited with a
// word changed now and then, the runs between the changes are verbatim and the
// near findings are what lies between the runs.
//
// Seeds whose five words stand in order in one client message do not count: who
// edits what the caller sent repeats the caller.
type near struct {
	h     *host
	chain track.Chains
	least ngram.Weight // of the words in a chain's seeds
	found []ngram.Place

	cur    *Finding
	until  int64 // last word up to which a chain whose words wait may go on
	from   int64 // first word that a finding may still begin with
	fromLo int64 // its offset, once it is there
	newest int64 // last word of cur
}

func (n *near) reset() {
	d := n.h.d
	words, gap := d.cfg.Near.Words, d.cfg.Near.Gap
	if words <= 0 {
		words = DefaultNearWords
	}
	if gap <= 0 {
		gap = DefaultNearGap
	}
	n.least = max(ngram.Words(words), d.least)
	n.chain.Reset(int64(min(gap, MaxNearGap)), nearSlack)
	n.chain.Ahead, n.chain.Backward = nearAhead, d.main.Backward
	if d.spec.N < nearAhead+ngram.SeedWords {
		n.chain.Ahead = 1
	}
	n.cur, n.until, n.from, n.fromLo, n.newest = nil, -1, 0, 0, -1
}

// Text implements lane.Finder.
func (n *near) Text([]byte) {}

// Word follows the seed that ends with word i, if there is one.
func (n *near) Word(i int64) {
	if n.h.blocked != nil {
		return
	}
	t := n.h.words
	if i == n.from {
		n.fromLo = t.Span(i).Lo
	}
	if n.cur != nil && !n.goesOn(i, t.Span(i).Lo) {
		n.settle()
	}
	if t.Seedless(i) {
		return
	}
	s := t.Seed(i)
	n.found = n.h.d.ledger.Seeds(n.found[:0], s.Hash)
	if len(n.found) > 0 && !n.h.d.cfg.Prompt.said(s.Hash) {
		n.follow(i, &s)
	}
}

// goesOn reports whether a near match may go on with a seed that ends with word i
// or a later one.
func (n *near) goesOn(i, offset int64) bool {
	chains := n.chain.All()
	for k := range chains {
		if ch := &chains[k]; ch.Hot && n.chain.Alive(ch, i, offset) {
			return true
		}
	}
	return false
}

// follow enters the places of a seed that ends with word i.
func (n *near) follow(i int64, s *track.Seed) {
	first, lo := int64(math.MaxInt64), int64(0)
	for _, p := range n.found {
		ch := n.chain.Add(s, p, len(n.found))
		if !ch.Waits {
			continue
		}
		n.until = max(n.until, n.chain.Reach(ch))
		if ch.Weight < n.least || !ch.Broken {
			continue
		}
		if ch.From < first {
			first, lo = ch.From, n.offset(ch)
		}
		ch.Hot, ch.From = true, i+1
	}
	if first > i {
		return
	}
	t := n.h.words
	if t.Acted < i || !t.Run.Active {
		n.extend(first, lo, i, s)
		return
	}
	// The newest words belong to a run of windows: what lies before it is left.
	p := &t.Run.Parts[len(t.Run.Parts)-1]
	if first < p.First {
		n.extend(first, lo, p.First-1, s)
	}
	n.settle()
	n.from = i + 1
}

// offset is where the words begin that a chain would add to a finding.
func (n *near) offset(ch *track.Chain) int64 {
	if ch.Hot {
		return n.h.words.Span(ch.From).Lo // no further back than a gap
	}
	return ch.Lo
}

// extend makes words first to last a near match, or adds them to the one they
// follow. Offset lo is that of word first.
func (n *near) extend(first, lo, last int64, s *track.Seed) {
	t := n.h.words
	if first < n.from {
		first, lo = n.from, n.fromLo
	}
	if t.Acted >= first && t.Acted < last {
		first, lo = t.Acted+1, t.Span(t.Acted+1).Lo
	}
	lo = max(lo, n.h.overflow)
	hi := s.Span.Hi
	if last < t.Count-1 {
		hi = t.Run.Parts[len(t.Run.Parts)-1].Lo
		if last >= t.Oldest() {
			hi = t.Span(last).Hi
		}
	}
	if first > last || lo >= hi {
		return
	}
	if n.cur == nil || first > n.newest+1 {
		n.settle()
		n.cur = &Finding{Kind: Near}
	}
	f := n.cur
	f.Words += int(last - first + 1)
	f.Windows++
	f.Resumed = f.Resumed || lo < n.h.parked
	if len(f.Digests) < MaxDigests {
		f.Digests = append(f.Digests, s.Hash.Lo)
	}
	f.Places = n.chain.Best(f.Places[:0], func(ch *track.Chain) bool { return ch.Hot && n.chain.Alive(ch, t.Count-1, s.Newest) })
	n.newest, n.from = last, t.Count
	n.h.claim(f, ngram.Span{Lo: lo, Hi: hi})
}

// settle closes the finding: no chain goes on behind it.
func (n *near) settle() {
	if n.cur != nil {
		n.h.settle(n.cur)
		n.cur = nil
	}
}

// Waits keeps back bytes that may yet belong to a near match: behind one that is
// found, and from the second seed of each chain that may well become one.
func (n *near) Waits() int64 {
	t := n.h.words
	first := int64(math.MaxInt64)
	if t.Count > n.until {
		return first
	}
	next := t.Scanner.Frontier()
	chains := n.chain.All()
	for k := range chains {
		ch := &chains[k]
		if !ch.Waits || !n.chain.Alive(ch, t.Count, next) {
			continue
		}
		if n.cur != nil && ch.Hot {
			first = min(first, n.cur.Span.Hi)
		}
		switch from := max(ch.From, n.from); {
		case from >= t.Count:
		case from > ch.From:
			first = min(first, n.fromLo)
		default:
			first = min(first, n.offset(ch))
		}
	}
	return first
}

// Fork implements lane.Finder: a word that is only tried may turn out to be longer,
// so it makes no near match.
func (n *near) Fork() lane.Finder { return nil }

// End implements lane.Finder.
func (n *near) End() { n.settle() }

var _ lane.Finder = (*near)(nil)
