package inventory

import (
	"encoding/binary"
	"slices"
	"sync"

	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/ngram"
)

// The kinds of values beside those of package identify and the patterns of the caller.
const (
	NameKind      = "name"      // the words of a name, in any order
	AttributeKind = "attribute" // the words of another attribute of a data subject
)

// MostWords is the number of words of a name or attribute that count.
const MostWords = 16

// AttributeKindOf returns the kind of an attribute of a data subject that is looked for by its
// words. ok is false for an identifier, which is recognised without a list.
func AttributeKindOf(a corpus.Attribute) (kind string, ok bool) {
	switch _, _, whole := identify.Whole(a.Value); {
	case whole || a.Phone():
		return "", false
	case a.Name():
		return NameKind, true
	default:
		return AttributeKind, true
	}
}

// Words returns the hashes of the first words of a name or attribute, as WordsForm expects
// them.
func Words(text string) []uint64 {
	all := hashes(ngram.NewScanner(suite()), text)
	return all[:min(len(all), MostWords)]
}

// suite is the suite of all word hashes here.
func suite() ngram.Suite {
	spec, err := ngram.NewSpec(ngram.DefaultN, ngram.XXH64)
	if err != nil {
		panic("inventory: internal error: " + err.Error())
	}
	return spec.Suite
}

// hashes returns the hashes of the words of a text in the middle of a line.
func hashes(s *ngram.Scanner, text string) (all []uint64) {
	for _, w := range scanned(s, text) {
		all = append(all, w.Hash)
	}
	return all
}

// scanned returns the words of a text in the middle of a line.
func scanned(s *ngram.Scanner, text string) []ngram.Word {
	s.Reset()
	words := s.Append(nil, []byte(":")) // so that no list number is left out
	return s.Finish(s.Append(words, []byte(text)))
}

// Phrases are sequences of word hashes that are looked for in texts.
type Phrases struct {
	byEnd map[[2]uint64][]phrase // by the last two words; the first is 0 for a phrase of one word
	ends  wordSet                // the last words
	most  int                    // words of the longest phrase
	ready sync.Mutex             // while ends is made ready
}

type phrase struct {
	words []uint64
	id    int
}

// Add adds a phrase. Phrases may have the same id.
func (p *Phrases) Add(words []uint64, id int) {
	if len(words) == 0 {
		return
	}
	if p.byEnd == nil {
		p.byEnd = map[[2]uint64][]phrase{}
	}
	last := words[len(words)-1]
	end := [2]uint64{0, last}
	if len(words) > 1 {
		end[0] = words[len(words)-2]
	}
	p.byEnd[end] = append(p.byEnd[end], phrase{slices.Clone(words), id})
	p.ends.add(last)
	p.most = max(p.most, len(words))
}

// A Matcher finds phrases in one text after the other. Not safe for concurrent use.
type Matcher struct {
	p     *Phrases
	words []uint64 // the newest words of the text
}

// Matcher returns a matcher at the beginning of a text. It may be called by several goroutines.
// Phrases must not be added while a matcher is used.
func (p *Phrases) Matcher() *Matcher {
	p.ready.Lock()
	p.ends.build()
	p.ready.Unlock()
	return &Matcher{p: p}
}

// Reset begins another text.
func (m *Matcher) Reset() { m.words = m.words[:0] }

// Next reads a word and appends the ids of the phrases that end with it.
func (m *Matcher) Next(dst []int, word uint64) []int {
	if len(m.words) >= 4*m.p.most {
		m.words = append(m.words[:0], m.words[len(m.words)-m.p.most:]...)
	}
	m.words = append(m.words, word)
	if !m.p.ends.has(word) {
		return dst
	}
	dst = m.ending(dst, [2]uint64{0, word})
	if n := len(m.words); n > 1 {
		dst = m.ending(dst, [2]uint64{m.words[n-2], word})
	}
	return dst
}

// ending appends the ids of the phrases with this end that the newest words are.
func (m *Matcher) ending(dst []int, end [2]uint64) []int {
	for _, p := range m.p.byEnd[end] {
		if n := len(m.words) - len(p.words); n >= 0 && slices.Equal(m.words[n:], p.words) {
			dst = append(dst, p.id)
		}
	}
	return dst
}

// mostOrdered is the largest number of words of a name of which every order is looked for.
const mostOrdered = 4

// Orders returns the orders in which words are looked for: all of a short name; of a longer
// one the given one, the last word first, and the first word last; of an attribute the given
// one.
func Orders(kind string, words []uint64) [][]uint64 {
	n := len(words)
	if kind != NameKind {
		return [][]uint64{words}
	}
	if n > mostOrdered {
		return [][]uint64{words, append([]uint64{words[n-1]}, words[:n-1]...), append(slices.Clone(words[1:]), words[0])}
	}
	if n <= 1 {
		return [][]uint64{words}
	}
	var all [][]uint64
	for i := range words {
		rest := slices.Delete(slices.Clone(words), i, i+1)
		for _, order := range Orders(kind, rest) {
			if order = append([]uint64{words[i]}, order...); !slices.ContainsFunc(all, func(o []uint64) bool { return slices.Equal(o, order) }) {
				all = append(all, order)
			}
		}
	}
	return all
}

// WordsForm returns the form of a name or of another attribute: the hashes of its words, of
// a name in ascending order.
func WordsForm(kind string, words []uint64) string {
	if kind == NameKind {
		words = slices.Sorted(slices.Values(words))
	}
	b := make([]byte, 0, 8*len(words))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return string(b)
}
