package detect

import (
	"noecho/internal/gram"
	"noecho/ngram"
)

// A caller who sends the first part of an identifier and lets the model add the rest must
// find out no more than a caller who asks for all of it. So the channel's first words are
// read as if they followed every position of every message, and its last words as if they
// preceded every position, like those of windows (join.go). The end of the prompt that a
// completion continues is read together with the channel byte by byte, so an identifier
// may be cut inside a word there.
//
// The words of a message that may begin a phrase are found when the message is scanned.
// Up to four words can be looked up as a beginning; a beginning of four words is a part of
// an indexed phrase nearly always. Worked example, "ann.ray@example.net" indexed: the
// message "the mail is ann.ray@" has the beginnings "ann" and "ann ray". The channel
// "example.net" goes on with the second: "ann ray example" may begin a phrase, so the word
// waits, and "ann ray example net" is one, so the channel's two words are withheld.

// opening is a position of a message whose first words may begin a phrase.
type opening struct {
	pos   int32
	words int8 // how many of its first words may, at most startWords
}

// phrases reads the phrases of a message as its words come.
type phrases struct {
	ix   Index
	text []byte // of the message; nil: a bridge, whose words are those of messages
	speller
	live []candidate
}

// read enters word i of a message.
func (r *phrases) read(m *Message, i int64, w ngram.Word) {
	if r.text != nil {
		m.dict.add(w.Hash, r.text[w.Span.Lo:w.Span.Hi], &r.speller)
	}
	n := 0
	for _, c := range r.live {
		k := int(i-c.first) + 1
		h := ngram.Gram(m.prefix[c.first], m.prefix[i+1], k)
		if k <= startWords && !r.ix.Start(h) {
			m.openings = append(m.openings, opening{int32(c.first), int8(k - 1)})
			continue
		}
		if p, ok := r.ix.Phrase(h); ok {
			c.matched = c.matched || k >= startWords
			m.addPhrase(h, &p, k)
		}
		if k == gram.MaxPhraseWords {
			m.open(c, k)
			continue
		}
		r.live[n] = c
		n++
	}
	r.live = r.live[:n]
	if h := ngram.Gram(m.prefix[i], m.prefix[i+1], 1); r.ix.Start(h) {
		if p, ok := r.ix.Phrase(h); ok {
			m.addPhrase(h, &p, 1)
		}
		r.live = append(r.live, candidate{first: i})
	}
}

// finish enters the beginnings at the end of a message.
func (r *phrases) finish(m *Message) {
	for _, c := range r.live {
		m.open(c, m.size()-int(c.first))
	}
}

// open enters a beginning of k words. If a phrase of four words or more begins there, the
// caller has sent it whole, and longer beginnings of it are not followed.
func (m *Message) open(c candidate, k int) {
	if c.matched {
		k = startWords - 1
	}
	m.openings = append(m.openings, opening{int32(c.first), int8(min(k, startWords))})
}

// addPhrase enters a phrase of so many words that the message has.
func (m *Message) addPhrase(h ngram.Hash, p *ngram.Phrase, words int) {
	if m.phrases == nil {
		m.phrases = map[uint64]struct{}{}
	}
	m.phrases[h.Lo] = struct{}{}
	if id := identifierOf(p, words); id.place != 0 {
		m.own = append(m.own, id)
	}
}

// identifier is an identifier of a record, however it is spelled: all spellings of one have the
// place where it occurs first.
type identifier struct {
	kind  string
	place ngram.Place // 0: not known
}

// identifierOf returns the identifier of which a phrase of so many words is a spelling. Phrases
// of the most words may be pieces of a longer one.
func identifierOf(p *ngram.Phrase, words int) identifier {
	if p.Kind == plainText || p.Subject != 0 || p.Weak || words >= gram.MaxPhraseWords {
		return identifier{}
	}
	return identifier{p.Kind, p.Place}
}

// phraseJoins keeps the words of messages with which the channel's first words may be one
// phrase.
type phraseJoins struct {
	open bool         // there are such words, or may be
	at   []phraseJoin // fewer than startWords words each
	seen map[phraseJoin]struct{}
	long []longOpening
}

// phraseJoin is so many words of a message that end at some position.
type phraseJoin struct {
	words uint64 // as [gram.Between] has them
	k     int8
	cut   int8 // 1: one more word, which ends with the channel's first; 0: none
}

// longOpening is a position of a message whose first startWords words may begin a phrase.
type longOpening struct {
	m   *Message
	pos int32
}

// maxPhraseJoins is how many of them a channel follows.
const maxPhraseJoins = 1 << 12

func (j *phraseJoins) reset(p *Prompt) {
	j.open, j.at, j.long = p.joined(), j.at[:0], nil
	clear(j.seen)
	if j.open {
		j.long = p.all().long
	}
}

// copyFrom makes j a copy of o.
func (j *phraseJoins) copyFrom(o *phraseJoins) {
	j.open, j.at, j.long = o.open, append(j.at[:0], o.at...), o.long
	clear(j.seen) // words that the copy adds twice are looked up twice
}

// waits reports whether the channel's words, of which there are so many, may be part of a
// phrase that goes on.
func (j *phraseJoins) waits(count int64) bool {
	return j.open && count > 0 && (len(j.at) > 0 || len(j.long) > 0 && count < gram.MaxPhraseWords-startWords)
}

// follow looks up the phrases that begin in a message and end with word i of the channel.
func (f *phraseFinder) follow(i int64) {
	j := &f.joins
	if f.lost != nil || !f.followShort(i) || !f.followLong(i) {
		f.withhold(0, i)
	}
	f.head = f.head[:0]
	if i == 0 && len(j.at) == 0 && len(j.long) == 0 && f.lost == nil || i >= gram.MaxPhraseWords-2 {
		j.open = false
		f.settleLost()
	}
}

// followShort follows beginnings of fewer than startWords words. It returns false if the
// look-ups of the answer are spent.
func (f *phraseFinder) followShort(i int64) bool {
	if i == 0 {
		return f.findShort()
	}
	j := &f.joins
	if !f.h.d.spend(int64(len(j.at))) {
		return false
	}
	n := 0
	for _, c := range j.at {
		if f.goesOn(c, i) {
			j.at[n] = c
			n++
		}
	}
	j.at = j.at[:n]
	return true
}

// findShort looks for the beginnings that may go on with the channel's first word.
func (f *phraseFinder) findShort() bool {
	all := f.h.d.cfg.Prompt.all()
	if !f.h.d.spend(startWords * all.openings) {
		return false
	}
	for _, m := range all.messages {
		for _, o := range m.openings {
			for k := 1; k <= min(int(o.words), startWords-1); k++ {
				c := phraseJoin{gram.Between(m.prefix[o.pos], m.prefix[int(o.pos)+k], k), int8(k), 0}
				if f.goesOn(c, 0) && !f.keep(c) {
					return false
				}
			}
		}
	}
	return f.findFragments()
}

// keep follows words of a message that may go on. It returns false if there are too many,
// or if the look-ups of the answer are spent.
func (f *phraseFinder) keep(c phraseJoin) bool {
	j := &f.joins
	if _, ok := j.seen[c]; ok {
		return true
	}
	if len(j.at) == maxPhraseJoins || !f.h.d.spend(1) {
		return false
	}
	if j.seen == nil {
		j.seen = map[phraseJoin]struct{}{}
	}
	j.seen[c] = struct{}{}
	j.at = append(j.at, c)
	return true
}

// goesOn looks up the words of a message and channel words 0 to i, and reports whether a
// longer phrase may begin with them.
func (f *phraseFinder) goesOn(c phraseJoin, i int64) bool {
	ix, k := f.h.d.index, int(c.k)+int(i)+1
	own := int(i) + 1 - int(c.cut)
	h := ngram.Gram(0, gram.Join(c.words, gram.Between(f.words().Prefix(int64(c.cut)), f.words().Prefix(i+1), own), own), k)
	if k <= startWords && !ix.Start(h) {
		return false
	}
	if p, ok := ix.Phrase(h); ok {
		f.join(0, i, k, h, p)
	}
	return k < gram.MaxPhraseWords
}

// followLong looks up the phrases that have startWords words or more of a message.
func (f *phraseFinder) followLong(i int64) bool {
	most := gram.MaxPhraseWords - int(i) - 1 // words of the message
	if most < startWords || len(f.joins.long) == 0 {
		return true
	}
	if !f.h.d.spend(int64(len(f.joins.long) * (most - startWords + 1))) {
		return false
	}
	ix, end := f.h.d.index, f.words().Prefix(i+1)
	for _, o := range f.joins.long {
		m, pos := o.m, int(o.pos)
		for k := startWords; k <= min(most, m.size()-pos); k++ {
			h := ngram.Gram(0, gram.Join(gram.Between(m.prefix[pos], m.prefix[pos+k], k), end, int(i)+1), k+int(i)+1)
			if p, ok := ix.Phrase(h); ok {
				f.join(0, i, k+int(i)+1, h, p)
			}
		}
	}
	return true
}

// plainText is the kind of a short text that is no identifier. Two or three words of one,
// such as "thank you", are in a message and a channel by chance.
const plainText = "phrase"

// byChance reports whether a phrase of so many words may be in a message and a channel by
// chance.
func byChance(p *ngram.Phrase, words int) bool {
	return p.Kind == plainText && p.Subject == 0 && words < startWords
}

// join enters a phrase of so many words, of which words first to last are the channel's, and
// others a message's.
func (f *phraseFinder) join(first, last int64, words int, h ngram.Hash, p ngram.Phrase) {
	if byChance(&p, words) {
		return
	}
	t := f.words()
	a := attribute{first: first, last: last, words: words, hash: h, phrase: p, joined: true}
	a.span = ngram.Span{Lo: t.Span(first).Lo, Hi: t.Span(last).Hi}
	f.enter(&a)
}

// precede looks up the phrases that begin with the channel's last words and end in a
// message.
func (f *phraseFinder) precede() {
	p := f.h.d.cfg.Prompt
	if !p.joined() || f.track != nil {
		return
	}
	t := f.words()
	if !f.precedeFragments() {
		f.withhold(max(0, t.Count-gram.MaxPhraseWords), t.Count-1)
		return
	}
	for i := range f.live {
		c := f.live[i]
		k := int(t.Count - c.first)
		if c.matched || k >= gram.MaxPhraseWords {
			continue
		}
		ok := false
		if k < startWords {
			ok = f.precedeShort(c.first, k)
		} else {
			ok = f.precedeLong(c.first, k)
		}
		if !ok {
			f.withhold(c.first, t.Count-1)
			return
		}
	}
}

// precedeShort looks for the ends of a phrase of which the channel has the first k words,
// fewer than startWords. It returns false if the look-ups of the answer are spent.
func (f *phraseFinder) precedeShort(first int64, k int) bool {
	d, t := f.h.d, f.words()
	x, all := d.cfg.Prompt.places(), d.cfg.Prompt.all()
	if !d.spend(int64(len(x.groups))) {
		return false
	}
	before, end := t.Prefix(first), t.Prefix(t.Count)
	for i := range x.groups {
		g := &x.groups[i]
		if !d.index.Start(ngram.Gram(before, gram.Join(end, g.word, 1), k+1)) {
			continue
		}
		if !d.spend(int64(g.to-g.from) * gram.MaxPhraseWords) {
			return false
		}
		for _, at := range x.at[g.from:g.to] {
			m, pos := x.find(all.messages, at)
			f.endIn(m, pos, first, k)
		}
	}
	return true
}

// precedeLong looks for the ends of a phrase of which the channel has the first k words,
// startWords or more.
func (f *phraseFinder) precedeLong(first int64, k int) bool {
	d := f.h.d
	all := d.cfg.Prompt.all()
	for _, m := range all.messages {
		if !d.spend(int64(m.size() * (gram.MaxPhraseWords - k))) {
			return false
		}
		for pos := range m.weights {
			f.endIn(m, pos, first, k)
		}
	}
	return true
}

// endIn looks up the phrases of the channel's words from first on, of which there are k,
// and the words of a message from pos on.
func (f *phraseFinder) endIn(m *Message, pos int, first int64, k int) {
	ix, t := f.h.d.index, f.words()
	before, end := t.Prefix(first), t.Prefix(t.Count)
	for n := 1; k+n <= gram.MaxPhraseWords && pos+n <= m.size(); n++ {
		h := ngram.Gram(before, gram.Join(end, gram.Between(m.prefix[pos], m.prefix[pos+n], n), n), k+n)
		if k+n <= startWords && !ix.Start(h) {
			return
		}
		if p, ok := ix.Phrase(h); ok {
			f.join(first, t.Count-1, k+n, h, p)
		}
	}
}

// outside reports whether a phrase that was read together with the end of the prompt, or
// with the text that follows the completion, has no words there, has all of them there, or
// has some by chance.
func (f *phraseFinder) outside(a *attribute) bool {
	if f.track == nil {
		return false
	}
	end := f.h.d.read()
	a.joined = true
	return byChance(&a.phrase, int(a.last-a.first)+1) || !(a.span.Lo < 0 && a.span.Hi > 0 || a.span.Lo < end && a.span.Hi > end)
}

// withhold withholds channel words first to last, because the look-ups are spent that
// would tell whether they belong to a phrase.
func (f *phraseFinder) withhold(first, last int64) {
	if f.h.d.stopped || f.h.blocked != nil {
		return
	}
	if f.lost == nil {
		f.lost = &Finding{Kind: Overflow}
	}
	t := f.words()
	f.h.withhold(f.lost, ngram.Span{Lo: t.Span(first).Lo, Hi: t.Span(last).Hi}, int(last-first)+1)
}

// settleLost completes the finding of the words that were not looked up.
func (f *phraseFinder) settleLost() {
	if f.lost != nil && f.origin == nil && f.h.blocked == nil {
		f.h.settle(f.lost)
		f.lost = nil
	}
}
