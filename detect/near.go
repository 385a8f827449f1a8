package detect

import (
	"math"

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
	d     *Detector
	chain chains
	least ngram.Weight // of the words in a chain's seeds
	found []ngram.Place

	cur    *Finding
	until  int64 // last word up to which a chain that is held may go on
	from   int64 // first word that a finding may still begin with
	fromLo int64 // its offset, once it is there
	newest int64 // last word of cur
}

// startNear sets up what the ledger is asked for.
func (d *Detector) startNear() {
	if d.cfg.Ledger == nil {
		return
	}
	if d.names == nil {
		d.names, d.near = new(namer), &near{d: d}
	}
	d.names.of = nil
	if !d.cfg.Near.Off {
		d.finders = append(d.finders, d.near)
	}
}

func (n *near) reset() {
	rule := n.d.cfg.Near
	words, gap := rule.Words, rule.Gap
	if words <= 0 {
		words = DefaultNearWords
	}
	if gap <= 0 {
		gap = DefaultNearGap
	}
	n.least = max(ngram.Words(words), n.d.least)
	n.chain.reset(int64(min(gap, MaxNearGap)), nearSlack)
	n.chain.ahead = nearAhead
	if n.d.spec.N < nearAhead+ngram.SeedWords {
		n.chain.ahead = 1
	}
	n.cur, n.until, n.from, n.fromLo, n.newest = nil, -1, 0, 0, -1
}

func (n *near) text([]byte) {}
func (n *near) save()       {}
func (n *near) restore()    {}

// word follows the seed that ends with word i, if there is one.
func (n *near) word(i int64) {
	d := n.d
	if d.trying || d.blocked != nil {
		return // a word that is tried may turn out to be longer
	}
	t := &d.main
	if i == n.from {
		n.fromLo = t.span(i).Lo
	}
	if n.cur != nil && !n.goesOn(i, t.span(i).Lo) {
		n.settle()
	}
	if t.seedless(i) {
		return
	}
	s, h := t.seedEnding(i)
	n.found = d.cfg.Ledger.Seeds(n.found[:0], h)
	if len(n.found) > 0 && !d.cfg.Prompt.said(h) {
		n.follow(i, &s)
	}
}

// goesOn reports whether a near match may go on with a seed that ends with word i
// or a later one.
func (n *near) goesOn(i, offset int64) bool {
	for k := range n.chain.at[:n.chain.n] {
		if ch := &n.chain.at[k]; ch.hot && n.chain.alive(ch, i, offset) {
			return true
		}
	}
	return false
}

// follow enters the places of a seed that ends with word i.
func (n *near) follow(i int64, s *seed) {
	first, lo := int64(math.MaxInt64), int64(0)
	s.rare = rarity(len(n.found))
	for _, p := range n.found {
		s.place = n.d.main.forward(p)
		ch := n.chain.add(s)
		if !ch.held {
			continue
		}
		n.until = max(n.until, n.chain.reach(ch))
		if ch.weight < n.least || !ch.broken {
			continue
		}
		if ch.from < first {
			first, lo = ch.from, n.offset(ch)
		}
		ch.hot, ch.from = true, i+1
	}
	if first > i {
		return
	}
	t := &n.d.main
	if t.acted < i || !t.run.active {
		n.extend(first, lo, i, s)
		return
	}
	// The newest words belong to a run of windows: what lies before it is left.
	p := &t.run.parts[len(t.run.parts)-1]
	if first < p.first {
		n.extend(first, lo, p.first-1, s)
	}
	n.settle()
	n.from = i + 1
}

// offset is where the words begin that a chain would add to a finding.
func (n *near) offset(ch *chain) int64 {
	if ch.hot {
		return n.d.main.span(ch.from).Lo // no further back than a gap
	}
	return ch.lo
}

// extend makes words first to last a near match, or adds them to the one they
// follow. Offset lo is that of word first.
func (n *near) extend(first, lo, last int64, s *seed) {
	d, t := n.d, &n.d.main
	if first < n.from {
		first, lo = n.from, n.fromLo
	}
	if t.acted >= first && t.acted < last {
		first, lo = t.acted+1, t.span(t.acted+1).Lo
	}
	lo = max(lo, d.stuffed)
	hi := s.span.Hi
	if last < t.count-1 {
		hi = t.run.parts[len(t.run.parts)-1].lo
		if last >= t.count-int64(len(t.ring)) {
			hi = t.span(last).Hi
		}
	}
	if first > last || lo >= hi {
		return
	}
	if n.cur == nil || first > n.newest+1 {
		n.settle()
		n.cur = &Finding{Kind: Near}
	}
	c := n.cur
	c.Words += int(last - first + 1)
	c.Windows++
	c.Resumed = c.Resumed || lo < d.parked
	if len(c.Digests) < MaxDigests {
		c.Digests = append(c.Digests, s.hash)
	}
	c.Places = n.chain.best(c.Places[:0], t, func(ch *chain) bool { return ch.hot && n.chain.alive(ch, t.count-1, s.newest) })
	n.newest, n.from = last, t.count
	d.claim(c, ngram.Span{Lo: lo, Hi: hi})
}

// settle closes the finding: no chain goes on behind it.
func (n *near) settle() {
	if n.cur != nil {
		n.d.settle(n.cur)
		n.cur = nil
	}
}

// waits holds what may yet belong to a near match: behind one that is found, and
// from the second seed of each chain that may well become one.
func (n *near) waits() int64 {
	t := &n.d.main
	hold := int64(math.MaxInt64)
	if t.count > n.until {
		return hold
	}
	next := t.scanner.Frontier()
	for k := range n.chain.at[:n.chain.n] {
		ch := &n.chain.at[k]
		if !ch.held || !n.chain.alive(ch, t.count, next) {
			continue
		}
		if n.cur != nil && ch.hot {
			hold = min(hold, n.cur.Span.Hi)
		}
		switch first := max(ch.from, n.from); {
		case first >= t.count:
		case first > ch.from:
			hold = min(hold, n.fromLo)
		default:
			hold = min(hold, n.offset(ch))
		}
	}
	return hold
}

func (n *near) end() { n.settle() }

var _ finder = (*near)(nil)
