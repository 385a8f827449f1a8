package detect

import "noecho/ngram"

// A seed says: these five words stand at this place of the corpus. Two seeds
// whose places are as far apart as the words themselves, give or take a few,
// speak of the same passage. A chain is such seeds in a row.
//
// Worked example: the corpus holds "a b c d e f g h i j k l" from place 100 on,
// the channel says "a b c d e f x h i j k l". The seeds "a b c d e" at 100,
// "b c d e f" at 101 and "h i j k l" at 107 make a chain of 11 words.
type chain struct {
	start  ngram.Place // of its first seed
	place  ngram.Place // of its newest seed
	base   int64       // first word of its first seed
	from   int64       // first word that is held for it, or would be
	lo     int64       // offset of that word
	last   int64       // first word of its newest seed
	end    int64       // offset behind its newest seed
	seeds  int
	rare   int          // of its seeds together: the fewer places one has the more it says
	weight ngram.Weight // of the words that stand in its seeds
	broken bool         // its seeds are not one run of words
	held   bool         // its words are held from word from on
	hot    bool         // it is a near match; from is then the first word behind the match so far
	head   uint64       // hashes of its first and its newest seed
	tail   uint64
}

// seed is five words of the channel that stand in the corpus.
type seed struct {
	place  ngram.Place
	word   int64 // the first of them
	span   ngram.Span
	newest int64 // offset of the last of them
	hash   uint64
	rare   int                               // 1 to rarest
	weight [ngram.SeedWords + 1]ngram.Weight // of the last k words
}

// maxChains bounds the chains that are followed at a time: common words stand in
// many places, of which nearly all lead nowhere.
const maxChains = 64

// seedBytes is how much text may lie between two seeds of a chain. More is no
// text, or it hides another one.
const seedBytes = 4 << 10

// chains follows the places that the words of a channel lead to. It allocates
// nothing.
type chains struct {
	at    [maxChains]chain
	n     int
	gap   int64 // words that may lie between two seeds of a chain
	slack int64 // by how much their distances in channel and corpus may differ
	ahead int64 // by how much a seed has to lie ahead of the first one of a run for the run to be held
}

func (c *chains) reset(gap, slack int64) { c.n, c.gap, c.slack = 0, gap, slack }

// reach is the last word that a chain's next seed may end with.
func (c *chains) reach(ch *chain) int64 { return ch.last + c.gap + 2*ngram.SeedWords - 1 }

// alive reports whether a chain may go on with a seed that ends with a word that
// begins at offset.
func (c *chains) alive(ch *chain, word, offset int64) bool {
	return word <= c.reach(ch) && offset-ch.end <= seedBytes
}

// follows reports how far a seed is off the place that a chain leads to.
func (c *chains) follows(ch *chain, s *seed) (off int64, ok bool) {
	words := s.word - ch.last
	places := int64(s.place - ch.place)
	if words <= 0 || places <= 0 || !c.alive(ch, s.word+ngram.SeedWords-1, s.newest) {
		return 0, false
	}
	if s.hash == ch.head || s.hash == ch.tail {
		return 0, false // the same words once more say nothing new
	}
	off = max(words-places, places-words)
	return off, off <= c.slack
}

// add enters a seed and returns the chain that it went to.
func (c *chains) add(s *seed) *chain {
	var best *chain
	bestOff := int64(0)
	for i := range c.at[:c.n] {
		ch := &c.at[i]
		if off, ok := c.follows(ch, s); ok && (best == nil || off < bestOff) {
			best, bestOff = ch, off
		}
	}
	if best == nil {
		best = c.slot(s)
		*best = chain{
			start: s.place, base: s.word,
			weight: s.weight[ngram.SeedWords], head: s.hash,
		}
	} else {
		words, places := s.word-best.last, int64(s.place-best.place)
		best.weight += s.weight[min(words, places, ngram.SeedWords)]
		best.broken = best.broken || words != places || words > ngram.SeedWords
		c.hold(best, s, words == places && words <= 2)
	}
	best.place, best.last, best.end, best.tail = s.place, s.word, s.span.Hi, s.hash
	best.seeds++
	best.rare += s.rare
	return best
}

// hold decides from where on the words of a chain are held. The second seed begins
// what is held, but as long as the chain is one run of words the track holds them
// anyway, because none of their short grams is absent; so it is waited for a seed
// that lies further ahead. Most runs of six words are common ones that end there.
func (c *chains) hold(ch *chain, s *seed, sameRun bool) {
	if ch.held {
		return
	}
	if ch.seeds == 1 || !sameRun {
		ch.from, ch.lo = s.word, s.span.Lo
	}
	ch.held = !sameRun || s.word-ch.base >= c.ahead
}

// slot returns room for another chain: that of one that ended, else of the one
// with the fewest seeds, the oldest of these.
func (c *chains) slot(s *seed) *chain {
	if c.n < len(c.at) {
		c.n++
		return &c.at[c.n-1]
	}
	worst := &c.at[0]
	for i := range c.at {
		ch := &c.at[i]
		if !c.alive(ch, s.word+ngram.SeedWords-1, s.newest) {
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
func (ch *chain) better(o *chain) bool {
	switch {
	case ch.rare != o.rare:
		return ch.rare > o.rare
	case ch.weight != o.weight:
		return ch.weight > o.weight
	}
	return ch.start < o.start
}

// nameSeeds is how many seeds a run of a window's length holds at least, where
// none is too common: chains of fewer name a record only if there is no other.
const nameSeeds = 3

// best appends the places of the chains that use names, the best first, at most
// [MaxPlaces]. A place is where the first seed of a chain stands, as t has them.
func (c *chains) best(dst []ngram.Place, t *track, use func(*chain) bool) []ngram.Place {
	var top [MaxPlaces]*chain
	n := 0
	for i := range c.at[:c.n] {
		ch := &c.at[i]
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
		if ch.seeds >= min(nameSeeds, top[0].seeds) {
			dst = append(dst, t.forward(ch.start))
		}
	}
	return dst
}

// rarest is what a seed with one place says.
const rarest = 16

// rarity is what a seed with so many places says of each.
func rarity(places int) int { return max(1, rarest/max(1, places)) }

// seedEnding prepares the seed of the words that end with word i.
func (t *track) seedEnding(i int64) (seed, ngram.Hash) {
	first := i - ngram.SeedWords + 1
	h := t.gram(t.prefix(first), t.prefix(i+1), ngram.SeedWords)
	s := seed{word: first, span: ngram.Span{Lo: t.span(first).Lo, Hi: t.span(i).Hi}, newest: t.span(i).Lo, hash: h.Lo}
	for k := 1; k <= ngram.SeedWords; k++ {
		s.weight[k] = s.weight[k-1] + t.at(i-int64(k)+1).weight
	}
	return s, h
}

// forward turns places so that they grow along the track, and back.
func (t *track) forward(p ngram.Place) ngram.Place {
	if t.backward {
		return ^p
	}
	return p
}

// seedless reports whether the words that end with word i can not be a seed: one
// of their short grams is absent. It asks as little as push does, because an
// absent gram rules out more than one seed.
func (t *track) seedless(i int64) bool {
	first := i - ngram.SeedWords + 1
	switch {
	case first < 0 || t.absent >= first:
		return true
	case t.missing4(i):
		t.absent = i - 3
		return true
	case t.missing4(i - 1):
		t.absent = i - 4
		return true
	}
	for k := i; k > first; k-- {
		if t.missing2(k) {
			t.absent = k - 1
			return true
		}
	}
	return false
}
