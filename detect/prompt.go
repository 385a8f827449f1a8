package detect

import (
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

	// The positions of every distinct word: those of word g are
	// at[start[g]:start[g+1]]. A long prompt repeats its words, and one look-up rules
	// out most words at all their positions.
	start []int32
	at    []int32
}

// NewMessage scans the text of one client message. Of its windows it keeps the
// indexed ones, because only these can be findings.
func NewMessage(ix Index, spec ngram.Spec, text []byte) *Message {
	m := &Message{prefix: []uint64{0}}
	var t track.Track
	t.Init(ix, spec, ngram.Weight(spec.N)*ngram.WordWeight)
	read := func() {
		for _, w := range t.Words {
			m.prefix = append(m.prefix, ngram.Roll(m.prefix[len(m.prefix)-1], w.Hash))
			m.weights = append(m.weights, w.Weight)
			if t.Push(w) {
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
		}
	}
	for len(text) > 0 {
		n := min(len(text), pieceBytes)
		t.Words = t.Scanner.Append(t.Words[:0], text[:n])
		read()
		text = text[n:]
	}
	t.Words = t.Scanner.Finish(t.Words[:0])
	read()
	m.group()
	return m
}

// group sorts the positions by their word.
func (m *Message) group() {
	ids := make(map[uint64]int32, min(len(m.weights), 1<<14))
	of := make([]int32, len(m.weights))
	for pos := range of {
		w := m.word(pos)
		id, ok := ids[w]
		if !ok {
			id = int32(len(ids))
			ids[w] = id
		}
		of[pos] = id
	}
	m.start = make([]int32, len(ids)+1)
	for _, id := range of {
		m.start[id+1]++
	}
	for g := 1; g < len(m.start); g++ {
		m.start[g] += m.start[g-1]
	}
	m.at = make([]int32, len(of))
	next := append([]int32(nil), m.start...)
	for pos, id := range of {
		m.at[next[id]] = int32(pos)
		next[id]++
	}
}

// word is the hash of the word at a position.
func (m *Message) word(pos int) uint64 {
	return gram.Between(m.prefix[pos], m.prefix[pos+1], 1)
}

// groups is the number of distinct words.
func (m *Message) groups() int { return len(m.start) - 1 }

// positions returns the positions of distinct word g, of which there is at least one.
func (m *Message) positions(g int) []int32 { return m.at[m.start[g]:m.start[g+1]] }

// Cost is the memory that a message takes, in bytes: a cache accounts for it.
func (m *Message) Cost() int64 {
	return int64(cap(m.prefix)*8 + cap(m.weights)*4 + (cap(m.start)+cap(m.at))*4 + (len(m.sent)+len(m.seeds))*16 + 144)
}

// Prompt is the texts of the request, as far as the caller can see them. A window that
// occurs in one of its messages is an echo when the channel repeats it, and is not
// withheld. It is immutable, and shared by the channels of one answer.
type Prompt struct {
	Messages []*Message // every visible client message, in order
	Tail     []byte     // the text that the completion continues byte by byte; may be nil
	Suffix   []byte     // the text that follows the completion, for fill in the middle; may be nil

	excuseOnly bool
}

// ExcuseOnly returns a prompt whose messages are still echoes, but are not joined to the
// channel. It is for channels that do not continue the conversation, such as metadata
// that the server repeats.
func (p *Prompt) ExcuseOnly() *Prompt {
	if p == nil {
		return nil
	}
	return &Prompt{Messages: p.Messages, excuseOnly: true}
}

// sent reports whether the words of a window occur in this order in one message.
func (p *Prompt) sent(h ngram.Hash) bool {
	if p == nil {
		return false
	}
	for _, m := range p.Messages {
		if _, ok := m.sent[h.Lo]; ok {
			return true
		}
	}
	return false
}

// said reports whether the words of a seed occur in this order in one message. Their
// places are then no evidence: a model that changes a word of a text that the caller
// quoted repeats the caller and not the corpus.
func (p *Prompt) said(h ngram.Hash) bool {
	if p == nil {
		return false
	}
	for _, m := range p.Messages {
		if _, ok := m.seeds[h.Lo]; ok {
			return true
		}
	}
	return false
}
