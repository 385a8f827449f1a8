package track

import "noecho/ngram"

// MaxPlaces bounds the places that are kept of a finding.
const MaxPlaces = 8

// Seed is five words of the text that occur in the corpus.
//
// Two seeds whose places in the corpus are as far apart as the words themselves,
// give or take a few, come from the same passage. Seeds in a row are a [Chain].
//
// Worked example: the corpus has "a b c d e f g h i j k l" from place 100 on, the
// text is "a b c d e f x h i j k l". The seeds "a b c d e" at 100, "b c d e f" at
// 101 and "h i j k l" at 107 make a chain of 11 words.
type Seed struct {
	Word   int64 // number of the first word
	Span   ngram.Span
	Newest int64 // offset of the last word
	Hash   ngram.Hash
	Weight [ngram.SeedWords + 1]ngram.Weight // of the last k words
}

// Chain is seeds of one passage in a row.
type Chain struct {
	From   int64        // first word that waits for the chain to become a match, or would
	Lo     int64        // offset of that word
	Weight ngram.Weight // of the words in its seeds
	Broken bool         // its seeds are not one run of words
	Waits  bool         // its words wait from word From on
	Hot    bool         // it is a near match; From is then the first word behind the match so far

	start  ngram.Place // of its first seed
	place  ngram.Place // of its newest seed
	base   int64       // first word of its first seed
	last   int64       // first word of its newest seed
	end    int64       // offset behind its newest seed
	seeds  int
	rarity int    // of its seeds together: the fewer places a seed has the more it says
	head   uint64 // hashes of its first and its newest seed
	tail   uint64
}

// maxChains bounds the chains that are followed at a time: common words have many
// places, of which nearly all lead nowhere.
const maxChains = 64

// SeedBytes is the most text between two seeds of a chain. More is no text, or it
// hides another one.
const SeedBytes = 4 << 10

// rarest is the rarity of a seed with one place.
const rarest = 16

// Chains follows the places that the words of a text lead to. It allocates nothing.
type Chains struct {
	Ahead    int64 // by how much a seed has to lie ahead of the first one of a run for the run to wait
	Backward bool  // the words come from the last to the first

	all   [maxChains]Chain
	n     int
	gap   int64 // most words between two seeds of a chain
	slack int64 // by how much their distances in text and corpus may differ
}

// Reset forgets all chains. Those that follow allow gap words between two seeds,
// whose distances in the text and in the corpus may differ by slack.
func (c *Chains) Reset(gap, slack int64) { c.n, c.gap, c.slack = 0, gap, slack }

// All returns the chains, alive or not.
func (c *Chains) All() []Chain { return c.all[:c.n] }

// Reach is the last word that the next seed of a chain may end with.
func (c *Chains) Reach(ch *Chain) int64 { return ch.last + c.gap + 2*ngram.SeedWords - 1 }

// Alive reports whether a chain may go on with a seed that ends with a word that
// begins at offset.
func (c *Chains) Alive(ch *Chain, word, offset int64) bool {
	return word <= c.Reach(ch) && offset-ch.end <= SeedBytes
}

// follows reports how far a seed at a place is off the place that a chain leads to.
// Nearly every chain leads to another passage, so the distances are compared first.
func (c *Chains) follows(ch *Chain, s *Seed, place ngram.Place) (off int64, ok bool) {
	words := s.Word - ch.last
	places := int64(place - ch.place)
	off = max(words-places, places-words)
	if off > c.slack || words <= 0 || places <= 0 || !c.Alive(ch, s.Word+ngram.SeedWords-1, s.Newest) {
		return 0, false
	}
	return off, s.Hash.Lo != ch.head && s.Hash.Lo != ch.tail // the same words once more say nothing new
}

// Add enters one of the places of a seed, of which there are so many, and returns
// the chain that it went to.
func (c *Chains) Add(s *Seed, place ngram.Place, places int) *Chain {
	place = c.forward(place)
	var best *Chain
	bestOff := int64(0)
	for i := range c.all[:c.n] {
		ch := &c.all[i]
		if off, ok := c.follows(ch, s, place); ok && (best == nil || off < bestOff) {
			best, bestOff = ch, off
		}
	}
	if best == nil {
		best = c.slot(s)
		*best = Chain{start: place, base: s.Word, Weight: s.Weight[ngram.SeedWords], head: s.Hash.Lo}
	} else {
		words, dist := s.Word-best.last, int64(place-best.place)
		best.Weight += s.Weight[min(words, dist, ngram.SeedWords)]
		best.Broken = best.Broken || words != dist || words > ngram.SeedWords
		c.wait(best, s, words == dist && words <= 2)
	}
	best.place, best.last, best.end, best.tail = place, s.Word, s.Span.Hi, s.Hash.Lo
	best.seeds++
	best.rarity += max(1, rarest/max(1, places))
	return best
}

// wait decides from where on the words of a chain wait. The second seed begins what
// waits. But as long as the chain is one run of words the track keeps them anyway,
// because none of their short grams is absent. So nothing waits until a seed lies
// further ahead: most runs of six words are common ones that end there.
func (c *Chains) wait(ch *Chain, s *Seed, sameRun bool) {
	if ch.Waits {
		return
	}
	if ch.seeds == 1 || !sameRun {
		ch.From, ch.Lo = s.Word, s.Span.Lo
	}
	ch.Waits = !sameRun || s.Word-ch.base >= c.Ahead
}

// slot returns room for another chain: that of one that ended, else of the one with
// the fewest seeds, the oldest of these.
func (c *Chains) slot(s *Seed) *Chain {
	if c.n < len(c.all) {
		c.n++
		return &c.all[c.n-1]
	}
	worst := &c.all[0]
	for i := range c.all {
		ch := &c.all[i]
		if !c.Alive(ch, s.Word+ngram.SeedWords-1, s.Newest) {
			return ch
		}
		if ch.seeds < worst.seeds || ch.seeds == worst.seeds && ch.last < worst.last {
			worst = ch
		}
	}
	return worst
}

// better reports whether a chain says more about where words come from than
// another one.
func (ch *Chain) better(o *Chain) bool {
	switch {
	case ch.rarity != o.rarity:
		return ch.rarity > o.rarity
	case ch.Weight != o.Weight:
		return ch.Weight > o.Weight
	}
	return ch.start < o.start
}

// locatingSeeds is the least number of seeds in a run of a window's length, none of
// which is too common: a chain of fewer tells a place only if there is no other.
const locatingSeeds = 3

// Best appends the places of the chains that use accepts, the best first, at most
// [MaxPlaces]. The place of a chain is that of its first seed.
func (c *Chains) Best(dst []ngram.Place, use func(*Chain) bool) []ngram.Place {
	var top [MaxPlaces]*Chain
	n := 0
	for i := range c.all[:c.n] {
		ch := &c.all[i]
		if !use(ch) {
			continue
		}
		at := n
		for at > 0 && ch.better(top[at-1]) {
			at--
		}
		if at == len(top) {
			continue
		}
		n = min(n+1, len(top))
		copy(top[at+1:n], top[at:n-1])
		top[at] = ch
	}
	for _, ch := range top[:n] {
		if ch.seeds >= min(locatingSeeds, top[0].seeds) {
			dst = append(dst, c.forward(ch.start))
		}
	}
	return dst
}

// forward turns places so that they grow along the text, and back.
func (c *Chains) forward(p ngram.Place) ngram.Place {
	if c.Backward {
		return ^p
	}
	return p
}

// Seed returns the seed of the words that end with word i. It is one if the words
// are in the ledger, which they are not if Seedless.
func (t *Track) Seed(i int64) Seed {
	first := i - ngram.SeedWords + 1
	s := Seed{
		Word: first, Span: ngram.Span{Lo: t.Span(first).Lo, Hi: t.Span(i).Hi}, Newest: t.Span(i).Lo,
		Hash: t.gram(t.Prefix(first), t.Prefix(i+1), ngram.SeedWords),
	}
	for k := 1; k <= ngram.SeedWords; k++ {
		s.Weight[k] = s.Weight[k-1] + t.Weight(i-int64(k)+1)
	}
	return s
}

// Seedless reports whether the words that end with word i cannot be a seed: one of
// their short grams is absent. It asks as little as Push does, because an absent
// gram rules out more than one seed.
func (t *Track) Seedless(i int64) bool {
	first := i - ngram.SeedWords + 1
	switch {
	case first < 0 || t.Absent >= first:
		return true
	case t.missing4(i):
		t.Absent = i - 3
		return true
	case t.missing4(i - 1):
		t.Absent = i - 4
		return true
	}
	for k := i; k > first; k-- {
		if t.missing2(k) {
			t.Absent = k - 1
			return true
		}
	}
	return false
}
