package detect

import (
	"math"
	"math/bits"

	"noecho/detect/internal/lane"
	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// A word that may begin an indexed phrase is a candidate. A candidate is kept as long as
// a phrase may begin with it and the words behind it, up to four words; beyond four it is
// looked up at every length. Bytes wait from the oldest candidate on, so that no part of
// a phrase is released before the phrase is found.
//
// Worked example, "jo@example.org" and "jo@example.org.uk" indexed: of the text
// "ask jo@example.org.uk now", "ask" begins no phrase and is released. "jo" does, and
// waits; "jo example" and "jo example org" may begin phrases, and the latter is one,
// so its bytes are withheld; "jo example org uk" is one too, and the finding grows.
// "jo example org uk now" begins none: the finding is complete.
//
// Phrases that overlap are one finding, named after the one of the most words. Each of them
// is judged; one that makes the action stricter gives the finding its name.
//
// A data subject is a person whom the build listed with attributes such as name and
// town. A weak phrase is an attribute that many people share: it counts only near
// another attribute of the subject.

// weakReach is how many words may be between a weak phrase and another of its subject.
const weakReach = 30

// startWords is the number of words in the longest beginning that is asked for.
const startWords = 4

// phraseFinder finds phrases in the channel's words.
type phraseFinder struct {
	h           *host
	track       *track.Track  // the words, if they are not the channel's alone; nil: they are
	live        []candidate   // in order
	near        []attribute   // the newest attributes: they may make others count, or others them
	told        int64         // last word of the newest echo
	joins       phraseJoins   // of the channel's beginning with the prompt
	head        []byte        // the channel's first bytes, until its first word is complete
	tail        []byte        // the channel's newest bytes
	own         []byte        // the channel's first or last word, normalised
	before      []candidate   // live before the newest word
	reason      ngram.Span    // the two attributes that make each other count; empty: none
	*openPhrase               // shared with forks
	fork        *phraseFinder // scratch of Fork
	origin      *phraseFinder // the finder that this one is a fork of; nil: it is none
}

// candidate is a word that may begin a phrase.
type candidate struct {
	first   int64 // its number
	matched bool  // a phrase of more than startWords-1 words begins with it
}

// openPhrase is the open finding: phrases that overlap.
type openPhrase struct {
	cur  *Finding   // nil: none is open
	span ngram.Span // of its words, of which those of the prompt have left
	best int        // words of the longest phrase in it
	lost *Finding   // withholds words that were not looked up; nil: none
}

// attribute is a phrase in the channel, kept if it belongs to a data subject or is weak.
type attribute struct {
	first, last int64 // words
	span        ngram.Span
	hash        ngram.Hash
	phrase      ngram.Phrase
	words       int  // of the phrase
	joined      bool // some of its words are in the prompt
	counts      bool // its bytes are claimed
}

func (f *phraseFinder) reset() {
	f.track, f.live, f.near, f.told = nil, f.live[:0], f.near[:0], -1
	f.cur, f.lost, f.head = nil, nil, f.head[:0]
	f.tail, f.before = f.tail[:0], f.before[:0]
	f.joins.reset(f.h.d.cfg.Prompt)
}

// drop forgets the channel.
func (f *phraseFinder) drop() {
	*f.openPhrase = openPhrase{}
	*f = phraseFinder{
		h: f.h, openPhrase: f.openPhrase, live: track.Emptied(f.live), near: track.Emptied(f.near), before: track.Emptied(f.before),
		head: track.Emptied(f.head), tail: track.Emptied(f.tail), own: track.Emptied(f.own),
	}
}

// startSeam makes f read the words of a track, the end of the prompt and the channel, for a
// finder that reads those of the channel.
func (f *phraseFinder) startSeam(main *phraseFinder, t *track.Track) {
	f.h, f.openPhrase, f.track = main.h, main.openPhrase, t
	f.live, f.near, f.told, f.joins = f.live[:0], f.near[:0], -1, phraseJoins{}
}

// copyFrom makes f a fork of o that reads the words of a track; nil: those of the host.
func (f *phraseFinder) copyFrom(o *phraseFinder, t *track.Track) {
	f.h, f.openPhrase, f.origin, f.track, f.told = o.h, o.openPhrase, o, t, o.told
	f.live, f.near = append(f.live[:0], o.live...), append(f.near[:0], o.near...)
	f.joins.copyFrom(&o.joins)
	f.head, f.tail = append(f.head[:0], o.head...), append(f.tail[:0], o.tail...)
	f.before = append(f.before[:0], o.before...)
}

// words returns the words that the finder reads.
func (f *phraseFinder) words() *track.Track {
	if f.track != nil {
		return f.track
	}
	return f.h.words
}

// begins reports whether a phrase, or a subject, may begin with a word from first on, and
// lowers lo to the first of those words.
func (f *phraseFinder) begins(lo *int64, first int64) (found bool) {
	for _, c := range f.live {
		if i := c.first; i >= first {
			*lo, found = min(*lo, i), true
		}
	}
	for i := range f.near {
		if at := f.near[i].first; at >= first {
			*lo, found = min(*lo, at), true
		}
	}
	return found
}

// since reports whether every candidate and every attribute begins at word first or behind
// it, and no finding is open.
func (f *phraseFinder) since(first int64) bool {
	return f.cur == nil && (len(f.live) == 0 || f.live[0].first >= first) && (len(f.near) == 0 || f.near[0].first >= first)
}

// Text implements lane.Finder.
func (f *phraseFinder) Text(p []byte) { f.keepEnds(p) }

// Word implements lane.Finder. It looks for phrases that end with word i.
func (f *phraseFinder) Word(i int64, _ ngram.Word) {
	t, ix := f.words(), f.h.d.index
	end := t.Prefix(i + 1)
	n := 0
	f.before = append(f.before[:0], f.live...)
	for _, c := range f.live {
		k := int(i-c.first) + 1
		h := ngram.Gram(t.Prefix(c.first), end, k)
		if k <= startWords && !ix.Start(h) {
			continue
		}
		if p, ok := ix.Phrase(h); ok {
			c.matched = c.matched || k >= startWords
			f.match(c.first, i, h, p)
		}
		if k < gram.MaxPhraseWords {
			f.live[n] = c
			n++
		}
	}
	f.live = f.live[:n]
	if h := ngram.Gram(t.Prefix(i), end, 1); ix.Start(h) {
		if p, ok := ix.Phrase(h); ok {
			f.match(i, i, h, p)
		}
		f.live = append(f.live, candidate{first: i})
	}
	if f.joins.open {
		f.follow(i)
	}
	// The open finding may end behind the channel, in the text that follows it.
	if f.cur != nil && f.origin == nil && f.track == nil && f.span.Hi <= t.Span(i).Hi && min(f.open(), f.h.d.openSeam()) >= f.span.Hi {
		f.settle()
	}
	if len(f.near) > 0 {
		f.forget(i)
	}
}

// isCalm reports whether no phrase is open and the next word cannot belong to one that begins
// before it.
func (f *phraseFinder) isCalm() bool {
	return len(f.live) == 0 && len(f.near) == 0 && f.cur == nil && !f.joins.open
}

// pass returns how many of the first of several words begin no phrase. No phrase may be open.
func (f *phraseFinder) pass(words []ngram.Word) int {
	f.before = f.before[:0]
	begins := uint32(0)
	for k := range words {
		ok := uint32(0)
		if f.h.d.index.Start(ngram.Gram(0, words[k].Hash, 1)) {
			ok = 1
		}
		begins |= ok << k
	}
	return min(bits.TrailingZeros32(begins), len(words))
}

// goesOnWith reports whether a phrase may go on with a word.
func (f *phraseFinder) goesOnWith(w *ngram.Word) bool {
	t := f.words()
	for _, c := range f.live {
		k := int(t.Count-c.first) + 1
		if k > startWords || f.h.d.index.Start(ngram.Gram(t.Prefix(c.first), ngram.Roll(t.Prefix(t.Count), w.Hash), k)) {
			return true
		}
	}
	return false
}

// match enters an indexed phrase, words first to last.
func (f *phraseFinder) match(first, last int64, h ngram.Hash, p ngram.Phrase) {
	t := f.words()
	a := attribute{first: first, last: last, words: int(last-first) + 1, hash: h, phrase: p, span: ngram.Span{Lo: t.Span(first).Lo, Hi: t.Span(last).Hi}}
	f.enter(&a)
}

// enter enters a phrase.
func (f *phraseFinder) enter(at *attribute) {
	a, p := *at, &at.phrase
	if f.h.blocked != nil || f.common(p) || f.outside(&a) {
		return
	}
	if f.sent(&a) {
		f.excuse(&a)
		return
	}
	if !p.Weak {
		f.claim(&a)
		if p.Subject != 0 {
			f.pair(&a)
			f.near = append(f.near, a)
		}
		return
	}
	f.pair(&a)
	f.near = append(f.near, a)
}

// common reports whether a phrase occurs in so many records that it identifies none of
// them. A phrase that the build listed counts in however many it occurs.
func (f *phraseFinder) common(p *ngram.Phrase) bool {
	return p.Subject == 0 && !p.Weak && p.Records > f.h.d.cfg.phraseRecords()
}

// phraseRecords returns the bound with its default.
func (c *Config) phraseRecords() uint32 {
	if c.PhraseRecords == 0 {
		return defaultPhraseRecords
	}
	return c.PhraseRecords
}

// pair looks for other attributes of the subject of a near a. If it finds one, both count.
func (f *phraseFinder) pair(a *attribute) {
	for i := range f.near {
		o := &f.near[i]
		if o.last >= a.first || a.first-o.last-1 > weakReach || !o.tells(a) {
			continue
		}
		f.reason = ngram.Span{Lo: o.span.Lo, Hi: a.span.Hi}
		f.count(o, a.phrase.Subject)
		f.count(a, o.phrase.Subject)
		f.reason = ngram.Span{}
	}
}

// count claims a weak phrase, unless it is part of a phrase that is claimed already. In strict
// release a phrase whose words no longer wait does not count. One that belongs to several
// subjects counts as an attribute of the subject that it is near.
func (f *phraseFinder) count(a *attribute, near uint64) {
	if !a.phrase.Weak || a.counts || f.h.d.main.Strict && a.first < f.h.d.steady() {
		return
	}
	a.counts = f.cur != nil && f.span.Lo <= a.span.Lo && a.span.Hi <= f.span.Hi
	for i := range f.near {
		o := &f.near[i]
		a.counts = a.counts || !o.phrase.Weak && o.first <= a.first && a.last <= o.last
	}
	if a.counts {
		return
	}
	one := *a
	if one.phrase.Subject == 0 {
		one.phrase.Subject = near
	}
	f.claim(&one)
	a.counts = true
}

// tells reports whether two phrases are different attributes of one subject. A weak
// phrase of several subjects, whose number is 0, goes with every phrase that is not weak.
func (a *attribute) tells(o *attribute) bool {
	if a.hash == o.hash {
		return false
	}
	if a.phrase.Subject == 0 || o.phrase.Subject == 0 {
		return a.phrase.Weak != o.phrase.Weak
	}
	return a.phrase.Subject == o.phrase.Subject
}

// forget drops the attributes that are too far back to be paired any more: those more
// than weakReach words before word i and before every candidate.
func (f *phraseFinder) forget(i int64) {
	oldest := i + 1
	if len(f.live) > 0 {
		oldest = f.live[0].first
	}
	n := 0
	for _, a := range f.near {
		if oldest-a.last-1 <= weakReach {
			f.near[n] = a
			n++
		}
	}
	f.near = f.near[:n]
}

// claim claims a phrase. If it overlaps the open finding, that grows.
func (f *phraseFinder) claim(a *attribute) {
	a.counts = true
	span := ngram.Span{Lo: max(a.span.Lo, f.h.overflow, 0), Hi: min(a.span.Hi, f.h.d.read())}
	if span.Lo >= span.Hi || f.h.blocked != nil {
		return
	}
	words := int(a.last-a.first) + 1
	if f.cur != nil && (a.span.Lo >= f.span.Hi || a.span.Hi <= f.span.Lo) {
		if a.span.Hi <= f.span.Lo { // a weak one, before the phrase that makes it count
			f.claimAlone(a, span)
			return
		}
		f.settle()
	}
	if f.cur == nil {
		f.cur, f.span, f.best = &Finding{Kind: Phrase}, a.span, 0
	}
	f.span = ngram.Span{Lo: min(f.span.Lo, a.span.Lo), Hi: max(f.span.Hi, a.span.Hi)}
	before := *f.cur
	f.name(f.cur, a)
	f.cur.Words = max(f.cur.Words, f.wordsIn(f.span))
	f.cur.Guessed = f.cur.Guessed || a.joined
	f.cur.Resumed = f.cur.Resumed || span.Lo < f.h.parked
	if f.reason.Hi > 0 {
		f.cur.reason = f.reason
	}
	f.h.claim(f.cur, span)
	if words <= f.best && f.cur.Action == before.Action {
		f.cur.Phrase, f.cur.Digests, f.cur.Places = before.Phrase, before.Digests, before.Places
	}
	f.best = max(f.best, words)
}

// wordsIn returns how many words of the channel a span has.
func (f *phraseFinder) wordsIn(span ngram.Span) (n int) {
	t, end := f.words(), f.h.d.read()
	for i := t.Count - 1; i >= t.Oldest(); i-- {
		w := t.Span(i)
		if w.Hi <= max(span.Lo, 0) {
			break
		}
		if w.Lo < min(span.Hi, end) {
			n++
		}
	}
	return n
}

// claimAlone claims a phrase as a finding of its own.
func (f *phraseFinder) claimAlone(a *attribute, span ngram.Span) {
	one := &Finding{Kind: Phrase, Words: f.wordsIn(span), Guessed: a.joined, Resumed: span.Lo < f.h.parked, reason: f.reason}
	f.name(one, a)
	f.h.claim(one, span)
	f.h.settle(one)
}

// name names the phrase of a finding.
func (f *phraseFinder) name(to *Finding, a *attribute) {
	p := a.phrase
	to.Phrase, to.Digests, to.Places = &p, []uint64{a.hash.Lo}, nil
	if p.Place != 0 {
		to.Places = []ngram.Place{p.Place}
	}
}

// settle completes the open finding.
func (f *phraseFinder) settle() {
	if f.cur != nil {
		f.h.settle(f.cur)
		f.cur = nil
	}
}

// excuse reports a phrase that only repeats a message of the client, once for phrases
// that overlap.
func (f *phraseFinder) excuse(a *attribute) {
	if f.origin != nil || a.phrase.Weak || a.joined || a.first <= f.told {
		return
	}
	f.told = a.last
	one := &Finding{Kind: Phrase, Echo: true, Span: a.span, Words: int(a.last-a.first) + 1}
	f.name(one, a)
	f.h.closed = append(f.h.closed, one)
}

// sent reports whether the words of a phrase occur in this order in one client message, or
// another spelling of the identifier does.
func (f *phraseFinder) sent(a *attribute) bool {
	p := f.h.d.cfg.Prompt
	if p == nil {
		return false
	}
	if in(p.all().phrases, a.hash) {
		return true
	}
	_, ok := p.all().own[identifierOf(&a.phrase, a.words)]
	return ok
}

// open returns the offset of the first word that may yet belong to a phrase.
func (f *phraseFinder) open() int64 {
	t, free := f.words(), int64(math.MaxInt64)
	if len(f.live) > 0 {
		free = t.Span(f.live[0].first).Lo
	}
	if f.joins.waits(t.Count) {
		free = min(free, t.Span(0).Lo)
	}
	return free
}

// Waits implements lane.Finder. The oldest candidate waits, and a weak phrase that may
// yet count. In strict release neither does: a fixed number of words waits.
func (f *phraseFinder) Waits() int64 {
	if f.h.d.main.Strict {
		return math.MaxInt64
	}
	free := f.open()
	for i := range f.near {
		if a := &f.near[i]; a.phrase.Weak && !a.counts {
			free = min(free, a.span.Lo)
		}
	}
	return free
}

// Fork implements lane.Finder.
func (f *phraseFinder) Fork() lane.Finder {
	if f.fork == nil {
		f.fork = &phraseFinder{}
	}
	f.fork.copyFrom(f, f.track)
	return f.fork
}

// End implements lane.Finder. A finding that is open at the end of a fork stays open: the
// same words may come again behind the pause. Weak phrases that counted there count.
func (f *phraseFinder) End() {
	f.precede()
	if f.origin == nil {
		f.settle()
		f.settleLost()
		f.live, f.near = f.live[:0], f.near[:0]
		return
	}
	for i := range f.origin.near {
		a := &f.origin.near[i]
		for _, tried := range f.near {
			a.counts = a.counts || tried.counts && tried.first == a.first && tried.hash == a.hash
		}
	}
}

var _ lane.Finder = (*phraseFinder)(nil)
