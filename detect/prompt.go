package detect

import (
	"sort"
	"sync"
	"sync/atomic"

	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// Message is one client message or prompt, scanned once. It is immutable and safe for
// concurrent use.
type Message struct {
	prefix  []uint64            // prefix[i]: hash of the first i words
	weights []ngram.Weight      // of each word
	sent    map[uint64]struct{} // indexed windows
	seeds   map[uint64]struct{} // grams of [gram.SeedWords] words that may be indexed
	known   []stretch           // in order

	phrases  map[uint64]struct{} // indexed phrases
	own      []identifier        // of which they are spellings
	openings []opening
	dict     dictionary
}

// stretch is words of a message that may be part of an indexed window: each of the
// 4-grams that begin with words from to last may be indexed. A message without indexed
// text has few of them.
type stretch struct{ from, last int32 }

// NewMessage scans the text of one client message. Of its windows it keeps the
// indexed ones, because only these can be findings.
func NewMessage(ix Index, spec ngram.Spec, text []byte) *Message {
	const wordBytes = 6 // of most texts, or more
	m := &Message{prefix: make([]uint64, 1, len(text)/wordBytes+2), weights: make([]ngram.Weight, 0, len(text)/wordBytes+1)}
	var t track.Track
	t.Init(ix, spec, ngram.Weight(spec.N)*ngram.WordWeight)
	t.Scan(spec.Suite)
	var p *phrases
	if _, ok, _ := ix.Has(); ok {
		p = &phrases{ix: ix, text: text, speller: speller{suite: spec.Suite}}
		m.dict.index = make(map[uint64]int32, min(len(text)/16, dictionaryHint))
	}
	for len(text) > 0 {
		n := min(len(text), pieceBytes)
		t.Words = t.Scanner.Append(t.Words[:0], text[:n])
		m.read(&t, p)
		text = text[n:]
	}
	t.Words = t.Scanner.Finish(t.Words[:0])
	m.read(&t, p)
	if p != nil {
		p.finish(m)
	}
	return m
}

// read adds the newest words of a track, and the phrases in them unless p is nil.
func (m *Message) read(t *track.Track, p *phrases) {
	const batch = 32
	for words := t.Words; len(words) > 0; words = words[min(batch, len(words)):] {
		m.readWords(t, words[:min(batch, len(words))], p)
	}
}

// readWords is read for at most 32 words. It asks for their 4-grams in a loop of its own:
// then the processor waits for the memory of several at a time.
func (m *Message) readWords(t *track.Track, words []ngram.Word, p *phrases) {
	at := len(m.weights)
	sum := m.prefix[at]
	for i := range words {
		sum = ngram.Roll(sum, words[i].Hash)
		m.prefix = append(m.prefix, sum)
		m.weights = append(m.weights, words[i].Weight)
	}
	known, set := uint32(0), t.Set
	for i := max(0, 3-at); i < len(words); i++ {
		if set.Gate4(ngram.Gram(m.prefix[at+i-3], m.prefix[at+i+1], 4)) {
			known |= 1 << i
		}
	}
	for i, w := range words {
		if t.PushAsked(w, known>>i&1) {
			if m.sent == nil {
				m.sent = map[uint64]struct{}{}
			}
			m.sent[t.Window(t.Count-1).Lo] = struct{}{}
		}
		if !t.Seedless(t.Count - 1) {
			if m.seeds == nil {
				m.seeds = map[uint64]struct{}{}
			}
			m.seeds[t.Seed(t.Count-1).Hash.Lo] = struct{}{}
		}
		if known>>i&1 != 0 {
			m.extend(int32(t.Count - 4))
		}
		if p != nil {
			p.read(m, t.Count-1, w)
		}
	}
}

// extend adds the 4-gram that begins with a word to the stretches.
func (m *Message) extend(first int32) {
	if n := len(m.known); n > 0 && m.known[n-1].last == first-1 {
		m.known[n-1].last = first
		return
	}
	m.known = append(m.known, stretch{first, first})
}

// word is the hash of the word at a position.
func (m *Message) word(pos int) uint64 {
	return gram.Between(m.prefix[pos], m.prefix[pos+1], 1)
}

// knownBefore returns how many words before a position may be the beginning of an indexed
// window. Three words or fewer were not looked up.
func (m *Message) knownBefore(pos int) int {
	first := int32(pos - 4)
	if i := m.find(first); i >= 0 && first <= m.known[i].last {
		return pos - int(m.known[i].from)
	}
	return min(pos, 3)
}

// knownFrom returns how many words from a position on may be the end of an indexed window.
// Three words or fewer were not looked up.
func (m *Message) knownFrom(pos int) int {
	if i := m.find(int32(pos)); i >= 0 && int32(pos) <= m.known[i].last {
		return int(m.known[i].last) + 4 - pos
	}
	return min(len(m.weights)-pos, 3)
}

// find returns the last stretch that begins at or before a word, -1 if there is none.
func (m *Message) find(first int32) int {
	return sort.Search(len(m.known), func(i int) bool { return m.known[i].from > first }) - 1
}

// Cost is the memory that a message takes, in bytes: a cache accounts for it.
func (m *Message) Cost() int64 {
	return int64(cap(m.prefix)*8 + cap(m.weights)*4 + cap(m.known)*8 + cap(m.openings)*8 + cap(m.own)*24 + cap(m.dict.text) + cap(m.dict.ends)*24 + (len(m.sent)+len(m.seeds)+len(m.phrases))*16 + 192)
}

// size is the number of words of the message.
func (m *Message) size() int { return len(m.weights) }

// Prompt is the texts of the request, as far as the caller can see them. A window that
// occurs in one of its messages is an echo when the channel repeats it, and is not
// withheld. A prompt belongs to one answer, whose channels share it and the look-ups that
// may be spent on it. It is safe for concurrent use and must not be copied.
type Prompt struct {
	Messages []*Message // every visible client message, in order; one may be there more than once
	Tail     []byte     // the text that the completion continues byte by byte; may be nil
	Suffix   []byte     // the text that follows the completion, for fill in the middle; may be nil
	Raw      bool       // the model goes on with Tail itself, and not with a turn of its own

	excuses *Prompt // the prompt whose messages this one excuses without joining them; nil: none

	once    sync.Once
	merged  merged
	joining sync.Once
	joints  places
	spent   atomic.Int64 // look-ups of joins

	stemming sync.Once
	stems    map[uint64]struct{}
}

// ExcuseOnly returns a prompt whose messages are still echoes, but are not joined to the
// channel. It is for channels that do not continue the conversation, such as metadata
// that the server repeats.
func (p *Prompt) ExcuseOnly() *Prompt {
	switch {
	case p == nil:
		return nil
	case p.excuses != nil:
		return p
	}
	return &Prompt{Messages: p.Messages, excuses: p}
}

// joined reports whether the channel is joined to the messages.
func (p *Prompt) joined() bool { return p != nil && p.excuses == nil && len(p.Messages) > 0 }

// merged is the messages of a prompt as one.
type merged struct {
	messages []*Message // each once, and the bridge
	end      *Message   // the bridge, if it goes to the end of the last message; nil: it does not
	words    int64
	longest  int                   // words of the longest stretch
	sent     []map[uint64]struct{} // of the messages that have any, at most maxMaps
	seeds    []map[uint64]struct{}
	phrases  []map[uint64]struct{}
	own      map[identifier]struct{}
	openings int64
	long     []longOpening
}

// maxMaps is how many maps a look-up asks, so that it costs the same however many
// messages there are.
const maxMaps = 8

// all returns the messages as one.
func (p *Prompt) all() *merged {
	if p.excuses != nil {
		return p.excuses.all()
	}
	p.once.Do(func() { p.merge(nil) })
	return &p.merged
}

// prepare merges the messages and the bridge of a detector whose runs count from so many words on.
func (p *Prompt) prepare(ix Index, spec ngram.Spec, least int) {
	switch {
	case p == nil:
	case p.excuses != nil:
		p.excuses.prepare(ix, spec, least)
	default:
		p.once.Do(func() {
			var b *Message
			if len(p.Messages) > 1 {
				if b = bridgeOf(ix, spec, least, p.Messages); b.endsWith(p.Messages[len(p.Messages)-1]) {
					p.merged.end = b
				}
			}
			p.merge(b)
		})
	}
}

// merge merges the messages and their bridge, if there is one.
func (p *Prompt) merge(bridge *Message) {
	a := &p.merged
	seen := make(map[*Message]struct{}, len(p.Messages))
	for _, m := range p.Messages {
		if _, ok := seen[m]; ok || m.size() == 0 {
			continue
		}
		seen[m] = struct{}{}
		a.add(m)
		a.sent, a.seeds, a.phrases = addMap(a.sent, m.sent), addMap(a.seeds, m.seeds), addMap(a.phrases, m.phrases)
		for _, id := range m.own {
			if a.own == nil {
				a.own = map[identifier]struct{}{}
			}
			a.own[id] = struct{}{}
		}
	}
	if bridge != nil {
		a.add(bridge)
	}
}

// add adds a message to those that the channel is joined to.
func (a *merged) add(m *Message) {
	a.messages = append(a.messages, m)
	a.words += int64(m.size())
	for _, s := range m.known {
		a.longest = max(a.longest, int(s.last-s.from)+4)
	}
	a.openings += int64(len(m.openings))
	for _, o := range m.openings {
		if o.words == startWords {
			a.long = append(a.long, longOpening{m, o.pos})
		}
	}
}

// addMap adds a map to a list. The last map of a full list takes its entries.
func addMap(list []map[uint64]struct{}, m map[uint64]struct{}) []map[uint64]struct{} {
	switch {
	case len(m) == 0:
		return list
	case len(list) < maxMaps-1:
		return append(list, m)
	case len(list) == maxMaps-1:
		list = append(list, make(map[uint64]struct{}, len(m)))
	}
	for h := range m {
		list[maxMaps-1][h] = struct{}{}
	}
	return list
}

// in reports whether any map of a list has a hash.
func in(list []map[uint64]struct{}, h ngram.Hash) bool {
	for _, m := range list {
		if _, ok := m[h.Lo]; ok {
			return true
		}
	}
	return false
}

// sent reports whether the words of a window occur in this order in one message.
func (p *Prompt) sent(h ngram.Hash) bool { return p != nil && in(p.all().sent, h) }

// said reports whether the words of a seed occur in this order in one message. Their
// places are then no evidence: a model that changes a word of a text that the caller
// quoted repeats the caller and not the corpus.
func (p *Prompt) said(h ngram.Hash) bool { return p != nil && in(p.all().seeds, h) }

// goesOn reports whether a message has k words in a row, and behind them a word that the
// index may have there, or the given one: then the caller knows which word follows.
func (p *Prompt) goesOn(words uint64, k int, next uint64) bool {
	if p == nil {
		return false
	}
	for _, m := range p.all().messages {
		for pos := k; pos < m.size(); pos++ {
			if gram.Between(m.prefix[pos-k], m.prefix[pos], k) != words {
				continue
			}
			first := int32(pos - 3)
			if i := m.find(first); m.word(pos) == next || i >= 0 && first <= m.known[i].last {
				return true
			}
		}
	}
	return false
}

// The look-ups that the joins of one answer may spend: so many for each word of its
// prompt, and at least so many. An honest answer spends a small share of them. If they
// are spent, the words that would have to be looked up are withheld.
const (
	joinsEach  = 64
	joinsLeast = 1 << 20
)

// spend takes look-ups from those that the joins may spend, and reports whether there
// were any left.
func (p *Prompt) spend(n int64) bool {
	if p.spent.Load() > max(joinsLeast, joinsEach*p.all().words) {
		return false
	}
	p.spent.Add(n)
	return true
}

// places are the positions of a prompt by their word. A long prompt repeats its words,
// and one look-up rules out most words at all their positions.
type places struct {
	starts []int32 // of each message: the number of words of those before it
	groups []group
	ids    map[uint64]int32 // group by word
	at     []int32          // the positions, those of one group in a row
}

// group is the positions of one word, at[from:to].
type group struct {
	word     uint64
	from, to int32
	before   int32 // the most words up to and with one of them that may begin a window
	behind   int32 // the most words from one of them on that may end a window
}

// places returns the positions of all words. Nothing is computed until a channel needs
// it: most answers do not.
func (p *Prompt) places() *places {
	p.joining.Do(func() { p.joints.group(p.all().messages) })
	return &p.joints
}

// group sorts the positions by their word.
func (x *places) group(messages []*Message) {
	words := int32(0)
	for _, m := range messages {
		x.starts = append(x.starts, words)
		words += int32(m.size())
	}
	x.ids = map[uint64]int32{}
	of := make([]int32, 0, words)
	for _, m := range messages {
		for pos := range m.weights {
			w := m.word(pos)
			id, ok := x.ids[w]
			if !ok {
				id = int32(len(x.groups))
				x.ids[w] = id
				x.groups = append(x.groups, group{word: w})
			}
			g := &x.groups[id]
			g.to++
			of = append(of, id)
		}
	}
	next := make([]int32, len(x.groups))
	sum := int32(0)
	for i := range x.groups {
		g := &x.groups[i]
		next[i] = sum
		g.from, g.to, sum = sum, sum+g.to, sum+g.to
	}
	x.at = make([]int32, words)
	for pos, id := range of {
		x.at[next[id]] = int32(pos)
		next[id]++
	}
	for i, m := range messages {
		for _, s := range m.known {
			for pos := s.from; pos <= s.last+3; pos++ {
				g := &x.groups[of[x.starts[i]+pos]]
				g.before = max(g.before, pos+1-s.from)
				g.behind = max(g.behind, s.last+4-pos)
			}
		}
	}
}

// find returns the message of a position and the position in it.
func (x *places) find(messages []*Message, at int32) (*Message, int) {
	i := sort.Search(len(x.starts), func(i int) bool { return x.starts[i] > at }) - 1
	return messages[i], int(at - x.starts[i])
}
