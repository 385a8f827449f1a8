package detect

import (
	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// A caller may cut the words of a record over messages, one word each, and let the model go on.
// So the places where messages meet are read as one more message: a bridge. It has the words
// around each place where a window or a phrase may go from one message to the next, and the
// channel is joined to it as to any message. Words that are in a bridge alone are no echo.
//
// Worked example, n = 10: of the messages "go on: a b c d", "e f g h" and "thanks a lot" the
// bridge has "go on a b c d e f g h", since the 2-gram "d e" is indexed and "h thanks" is not.

// A bridge has all words of messages of at most shortWords if the index has phrases: of one that
// ends there nothing shows where it began.
const shortWords = 3

// gap is the hash of a word between words that do not follow each other. No index has it.
const gap = 0x9e3779b97f4a7c15

// bridge builds the bridge of messages. nil: no window or phrase goes from one to the next.
type bridge struct {
	width int // of words at either end of a message, as many as a run or phrase may have there
	words []ngram.Word
	of    []*Message // that the words are from; nil: of a gap
}

// bridgeOf returns the bridge of messages in order, nil if there is none. A run counts from so
// many words on.
func bridgeOf(ix Index, spec ngram.Spec, least int, messages []*Message) *Message {
	_, hasPhrases, _ := ix.Has()
	b := bridge{width: max(gram.MaxPhraseWords, max(spec.N, least)*int(ngram.WordWeight))}
	var last *Message
	open, reach := false, 0 // whether the words of last are in the bridge, and how many words behind them a phrase may still have
	for _, m := range messages {
		if m.size() == 0 {
			continue
		}
		if last != nil && hasPhrases && (min(last.size(), m.size()) <= shortWords || last.mayGoOn(ix, m)) {
			reach = gram.MaxPhraseWords
		}
		if last != nil && (reach > 0 || last.mayPrecede(ix, m)) {
			if !open {
				b.add(last, max(0, last.size()-b.width), last.size())
			}
			b.addMessage(m)
			open = true
		} else {
			open = false
		}
		last, reach = m, max(0, reach-m.size())
	}
	if len(b.words) == 0 {
		return nil
	}
	return b.message(ix, spec, hasPhrases)
}

// mayPrecede reports whether a window may go from the end of a message to the next.
func (m *Message) mayPrecede(ix Index, next *Message) bool {
	return ix.Gate2(ngram.Gram(m.prefix[m.size()-1], gram.Join(m.prefix[m.size()], next.word(0), 1), 2))
}

// mayGoOn reports whether a phrase that begins near the end of a message may go on in the next.
func (m *Message) mayGoOn(ix Index, next *Message) bool {
	for i := len(m.openings) - 1; i >= 0 && m.size()-int(m.openings[i].pos) < gram.MaxPhraseWords; i-- {
		o := m.openings[i]
		if k := m.size() - int(o.pos); k >= startWords && o.words == startWords ||
			k < startWords && int(o.words) == k && ix.Start(ngram.Gram(m.prefix[o.pos], gram.Join(m.prefix[m.size()], next.word(0), 1), k+1)) {
			return true
		}
	}
	return false
}

// addMessage adds the words at both ends of a message, behind those of the one before.
func (b *bridge) addMessage(m *Message) {
	if m.size() <= 2*b.width {
		b.addWords(m, 0, m.size())
		return
	}
	b.addWords(m, 0, b.width)
	b.add(m, m.size()-b.width, m.size())
}

// add adds words of a message behind a gap.
func (b *bridge) add(m *Message, from, to int) {
	b.words, b.of = append(b.words, ngram.Word{Hash: gap, Weight: ngram.WordWeight}), append(b.of, nil)
	b.addWords(m, from, to)
}

func (b *bridge) addWords(m *Message, from, to int) {
	for i := from; i < to; i++ {
		b.words, b.of = append(b.words, ngram.Word{Hash: m.word(i), Weight: m.weights[i]}), append(b.of, m)
	}
}

// message reads the words.
func (b *bridge) message(ix Index, spec ngram.Spec, hasPhrases bool) *Message {
	m := &Message{prefix: make([]uint64, 1, len(b.words)+1), weights: make([]ngram.Weight, 0, len(b.words))}
	var t track.Track
	t.Init(ix, spec, ngram.Weight(spec.N)*ngram.WordWeight)
	var p *phrases
	if hasPhrases {
		p = &phrases{ix: ix}
	}
	t.Words = b.words
	m.read(&t, p)
	if p == nil {
		return m
	}
	p.finish(m)
	m.dict.index = map[uint64]int32{}
	for _, o := range m.openings { // the word behind them may be cut
		for i := int(o.pos) + 1; i < min(m.size(), int(o.pos)+gram.MaxPhraseWords); i++ {
			if of := b.of[i]; of != nil {
				m.dict.enter(b.words[i].Hash, of.dict.of(b.words[i].Hash))
			}
		}
	}
	return m
}

// endsWith reports whether a message ends with the last words of another one. nil has no words.
func (m *Message) endsWith(o *Message) bool {
	k := min(o.size(), 4)
	return m != nil && k > 0 && m.size() >= k &&
		gram.Between(m.prefix[m.size()-k], m.prefix[m.size()], k) == gram.Between(o.prefix[o.size()-k], o.prefix[o.size()], k)
}
