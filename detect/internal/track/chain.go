package track

import (
	"noecho/internal/gram"
	"noecho/ngram"
)

// MaxPlaces is how many places a finding has at most: as many as chains are followed. Text
// that many records of one dataset contain may occur in another, stricter one.
const MaxPlaces = maxChains

// Seed is five words of the text that occur in the corpus.
//
// If two seeds are as far apart in the corpus as in the text, give or take a few words,
// they come from one passage. Seeds of one passage in a row are a [Chain].
//
// Worked example: the corpus has "a b c d e f g h i j k l" from place 100 on, the
// text is "a b c d e f x h i j k l". The seeds "a b c d e" at 100, "b c d e f" at
// 101 and "h i j k l" at 107 make a chain of 11 words.
type Seed struct {
	Word   int64 // number of the first word
	Span   ngram.Span
	Newest int64 // offset of the last word
	Hash   ngram.Hash
	Weight [gram.SeedWords + 1]ngram.Weight // of the last k words
}

// Chain is seeds of one passage in a row.
type Chain struct {
	From   int64        // first word that waits, or would wait, for the chain to become a match
	Lo     int64        // offset of that word
	Weight ngram.Weight // of the words in its seeds
	Broken bool         // other words are between its seeds
	Waits  bool         // its words wait from word From on
	Hot    bool         // it is a match; From is then the first word behind it

	start  ngram.Place // of its first seed
	place  ngram.Place // of its newest seed
	base   int64       // first word of its first seed
	last   int64       // first word of its newest seed
	end    int64       // offset behind its newest seed
	seeds  int
	rarity int    // of its seeds together: a seed with fewer places is better evidence
	head   uint64 // hash of its first seed
	tail   uint64 // hash of its newest seed
}

// maxChains is how many chains are followed at a time. Common words have many places, of
// which nearly all begin chains that do not go on.
const maxChains = 64

// SeedBytes is the most bytes between two seeds of a chain. Words that are further apart
// do not belong to one passage.
const SeedBytes = 4 << 10

// rarest is the rarity of a seed with one place.
const rarest = 16

// Chains follows the places in the corpus of the words of a text. It allocates room for
// all chains once the first one begins, and nothing more.
type Chains struct {
	Ahead    int64 // words from the first seed of a chain to the seed that lets it wait
	Backward bool  // the words come from the last to the first

	all   []Chain // maxChains, or none yet
	n     int
	gap   int64 // most words between two seeds of a chain
	slack int64 // by how much their distances in text and corpus may differ
}

// Reset forgets all chains. Those that follow allow gap words between two seeds,
// whose distances in the text and in the corpus may differ by slack.
func (c *Chains) Reset(gap, slack int64) { c.n, c.gap, c.slack = 0, gap, slack }

// Forget drops all chains and keeps the room for them.
func (c *Chains) Forget() {
	clear(c.all)
	*c = Chains{all: c.all}
}

// All returns the chains, alive or not.
func (c *Chains) All() []Chain { return c.all[:c.n] }

// Reach is the last word that the next seed of a chain may end with.
func (c *Chains) Reach(ch *Chain) int64 { return ch.last + c.gap + 2*gram.SeedWords - 1 }

// Alive reports whether a chain may go on with a seed whose last word is this one, at
// this offset.
func (c *Chains) Alive(ch *Chain, word, offset int64) bool {
	return word <= c.Reach(ch) && offset-ch.end <= SeedBytes
}

// follows reports whether a seed at a place goes on a chain, and by how many words its
// distance in the text and in the corpus differ. Nearly every chain is in another passage,
// so the distances are compared first.
func (c *Chains) follows(ch *Chain, s *Seed, place ngram.Place) (off int64, ok bool) {
	words := s.Word - ch.last
	places := int64(place - ch.place)
	off = max(words-places, places-words)
	if off > c.slack || words <= 0 || places <= 0 || !c.Alive(ch, s.Word+gram.SeedWords-1, s.Newest) {
		return 0, false
	}
	return off, s.Hash.Lo != ch.head && s.Hash.Lo != ch.tail // the same words once more are no evidence
}

// Add enters one place of a seed that has so many places, and returns the chain that the
// place belongs to.
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
		*best = Chain{start: place, base: s.Word, Weight: s.Weight[gram.SeedWords], head: s.Hash.Lo}
	} else {
		words, dist := s.Word-best.last, int64(place-best.place)
		best.Weight += s.Weight[min(words, dist, gram.SeedWords)]
		best.Broken = best.Broken || words != dist || words > gram.SeedWords
		c.wait(best, s, words == dist && words <= 2)
	}
	best.place, best.last, best.end, best.tail = place, s.Word, s.Span.Hi, s.Hash.Lo
	best.seeds++
	best.rarity += max(1, rarest/max(1, places))
	return best
}

// wait decides from which word on the words of a chain wait: from its second seed on. As
// long as the chain's words are in a row they are open anyway, because none of their short
// grams is absent. So the chain waits only once a seed is further ahead: most sequences of
// six words are common ones that end there.
func (c *Chains) wait(ch *Chain, s *Seed, sameRun bool) {
	if ch.Waits {
		return
	}
	if ch.seeds == 1 || !sameRun {
		ch.From, ch.Lo = s.Word, s.Span.Lo
	}
	ch.Waits = !sameRun || s.Word-ch.base >= c.Ahead
}

// slot returns room for another chain: that of a chain that ended, else of the one with
// the fewest seeds, the oldest of these.
func (c *Chains) slot(s *Seed) *Chain {
	if c.all == nil {
		c.all = make([]Chain, maxChains)
	}
	if c.n < len(c.all) {
		c.n++
		return &c.all[c.n-1]
	}
	worst := &c.all[0]
	for i := range c.all {
		ch := &c.all[i]
		if !c.Alive(ch, s.Word+gram.SeedWords-1, s.Newest) {
			return ch
		}
		if ch.seeds < worst.seeds || ch.seeds == worst.seeds && ch.last < worst.last {
			worst = ch
		}
	}
	return worst
}

// better reports whether a chain is better evidence of a place than another one.
func (ch *Chain) better(o *Chain) bool {
	switch {
	case ch.rarity != o.rarity:
		return ch.rarity > o.rarity
	case ch.Weight != o.Weight:
		return ch.Weight > o.Weight
	}
	return ch.start < o.start
}

// locatingSeeds is the least number of seeds in a window, if none of them is too common. A
// chain of fewer seeds gives a place only if no chain has more.
const locatingSeeds = 3

// Best appends the places of the chains that use accepts, the likeliest first, at most
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

// forward turns a place round if the words come backwards, so that places grow along the
// text; a second call turns it back.
func (c *Chains) forward(p ngram.Place) ngram.Place {
	if c.Backward {
		return ^p
	}
	return p
}

// Seed returns the five words that end with word i as a seed. The ledger has no places for
// them if Seedless is true.
func (t *Track) Seed(i int64) Seed {
	first := i - gram.SeedWords + 1
	s := Seed{
		Word: first, Span: ngram.Span{Lo: t.Span(first).Lo, Hi: t.Span(i).Hi}, Newest: t.Span(i).Lo,
		Hash: t.gram(t.Prefix(first), t.Prefix(i+1), gram.SeedWords),
	}
	for k := 1; k <= gram.SeedWords; k++ {
		s.Weight[k] = s.Weight[k-1] + t.Weight(i-int64(k)+1)
	}
	return s
}

// Seedless reports whether the five words that end with word i cannot be a seed, because
// one of their 2- and 4-grams is absent. It looks up as little as Push does: an absent gram
// rules out more than one seed.
func (t *Track) Seedless(i int64) bool {
	if t.Fourless(i) {
		return true
	}
	for k := i; k > i-gram.SeedWords+1; k-- {
		if t.missing2(k) {
			t.Absent = k - 1
			return true
		}
	}
	return false
}

// Fourless is Seedless by 4-grams alone. Where both 4-grams of five words are indexed, their
// 2-grams are as well: only an error of a filter is left for them. So a caller that asks the
// ledger anyway asks for the 2-grams of the few seeds that the ledger knows, afterwards.
func (t *Track) Fourless(i int64) bool {
	first := i - gram.SeedWords + 1
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
	return false
}
