package detect

import (
	"math"

	"noecho/detect/internal/lane"
	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// NearRule says which words count as a near match: words of one record with a
// few others between them, or some of them missing. The zero value is the
// default. See docs/how-it-works.md for how it was chosen.
type NearRule struct {
	Off   bool // near matches are not looked for
	Words int  // least words in the seeds of a match, weight counted, no fewer than in a run; 0: 10
	Gap   int  // most words between two seeds, up to 32; 0: 13
}

// The default rule for near matches. Ten words are two seeds that share no word. The gap
// has room for two pieces of text without a seed, in which one word in six is another.
const (
	defaultNearWords = 10
	defaultNearGap   = 13
	maxNearGap       = 32
)

// nearAhead is how many words a seed has to be ahead of the first seed of its chain for
// the words to wait: then they are seven in a row. Fewer words in a row wait anyway,
// since none of their short grams is absent, unless windows are shorter.
const nearAhead = 2

// nearSlack is how many words may be missing, or too many, between two seeds.
const nearSlack = 3

// near finds near matches. It looks up every five words of the channel that may be a
// seed, and follows chains of seeds, which are those of one passage in a row. A chain
// that weighs enough is a finding from its second seed on. Its words wait from that
// seed on until the chain is a finding or ends, if they are seven in a row or have other
// words between them.
//
// A near finding never covers a run of windows. So if a record is recited with a word
// changed now and then, the runs between the changes are verbatim findings, and the
// words between the runs are near findings.
//
// A seed whose five words occur in this order in a client message does not count: a
// model that edits such a text repeats the caller, not the corpus.
type near struct {
	h     *host
	chain track.Chains
	least ngram.Weight // of the words in a chain's seeds
	found []ngram.Place

	cur    *Finding
	until  int64 // last word with which a chain whose words wait may go on
	from   int64 // first word that another finding may begin with
	fromLo int64 // its offset, once it was read
	newest int64 // last word of cur
}

func (n *near) reset() {
	d := n.h.d
	words, gap := d.cfg.Near.Words, d.cfg.Near.Gap
	if words <= 0 {
		words = defaultNearWords
	}
	if gap <= 0 {
		gap = defaultNearGap
	}
	n.least = max(ngram.Weight(words)*ngram.WordWeight, d.least)
	n.chain.Reset(int64(min(gap, maxNearGap)), nearSlack)
	n.chain.Ahead, n.chain.Backward = nearAhead, d.main.Backward
	if d.spec.N < nearAhead+gram.SeedWords {
		n.chain.Ahead = 1
	}
	n.cur, n.until, n.from, n.fromLo, n.newest = nil, -1, 0, 0, -1
}

// Text implements lane.Finder.
func (n *near) Text([]byte) {}

// Word implements lane.Finder. It follows the seed that ends with word i, if there is one.
func (n *near) Word(i int64, w ngram.Word) {
	if n.h.blocked != nil {
		return
	}
	t := n.h.words
	if i == n.from {
		n.fromLo = w.Span.Lo
	}
	if n.cur != nil && !n.goesOn(i, w.Span.Lo) {
		n.settle()
	}
	if t.Fourless(i) {
		return
	}
	s := t.Seed(i)
	n.found = n.h.d.ledger.Seeds(n.found[:0], s.Hash)
	if len(n.found) > 0 && !t.Seedless(i) && !n.h.d.cfg.Prompt.said(s.Hash) {
		n.follow(i, &s)
	}
}

// goesOn reports whether the open finding may grow by a seed that ends with word i or a
// later one.
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
	// The newest words belong to a run of windows: the finding ends before it.
	p := &t.Run.Parts[len(t.Run.Parts)-1]
	if first < p.First {
		n.extend(first, lo, p.First-1, s)
	}
	n.settle()
	n.from = i + 1
}

// offset returns where the words begin that a chain would add to a finding.
func (n *near) offset(ch *track.Chain) int64 {
	if ch.Hot {
		return n.h.words.Span(ch.From).Lo // no further back than a gap
	}
	return ch.Lo
}

// extend makes a near finding of words first to last, or adds them to the finding that
// they follow. Offset lo is that of word first.
func (n *near) extend(first, lo, last int64, s *track.Seed) {
	t := n.h.words
	if first < n.from {
		first, lo = n.from, n.fromLo
	}
	if t.Acted >= first && t.Acted < last {
		first, lo = t.Acted+1, t.Span(t.Acted+1).Lo
	}
	lo = max(lo, n.h.overflow)
	if n.h.d.main.Strict {
		lo = max(lo, t.Span(n.h.d.steady()).Lo) // the words before may have been released
	}
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
	if len(f.Digests) < track.MaxDigests {
		f.Digests = append(f.Digests, s.Hash.Lo)
	}
	f.Places = n.chain.Best(f.Places[:0], func(ch *track.Chain) bool { return ch.Hot && n.chain.Alive(ch, t.Count-1, s.Newest) })
	n.newest, n.from = last, t.Count
	n.h.claim(f, ngram.Span{Lo: lo, Hi: hi})
}

// settle completes the open finding: no chain goes on behind it.
func (n *near) settle() {
	if n.cur != nil {
		n.h.settle(n.cur)
		n.cur = nil
	}
}

// Waits implements lane.Finder. The bytes behind the open finding wait, and those from
// the second seed of each chain that may become one. In strict release only the former
// wait, if the finding is seen anyway: a chain would tell that the words are indexed.
func (n *near) Waits() int64 {
	t, strict := n.h.words, n.h.d.main.Strict
	first := int64(math.MaxInt64)
	if t.Count > n.until || strict && (n.cur == nil || n.cur.Action == Observe) {
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
		if strict {
			continue
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

// Fork implements lane.Finder. A near match is not worth the last word of a fork, which
// may turn out to be longer.
func (n *near) Fork() lane.Finder { return nil }

// End implements lane.Finder.
func (n *near) End() { n.settle() }

var _ lane.Finder = (*near)(nil)
