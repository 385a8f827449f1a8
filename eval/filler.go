package eval

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"noecho/ngram"
)

// newRand returns the random numbers of one purpose. They depend on the seed and the
// purpose only.
func newRand(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// Filler is text of invented words. Words of the corpus are removed from it while the
// corpus is read, so the index contains no run of filler and every finding in filler is
// a false alarm.
const (
	fillerWords = 600
	minFiller   = 100 // at least so many must be left when the corpus was read
)

var (
	fillerOnsets = []string{"b", "br", "d", "dr", "f", "g", "gl", "k", "kl", "l", "m", "n", "p", "pl", "r", "s", "sk", "t", "tr", "v", "z"}
	fillerVowels = []string{"a", "e", "i", "o", "u", "ae", "io", "ou"}
	fillerCodas  = []string{"", "", "l", "n", "r", "s", "th", "x", "mp", "nd"}
)

// filler is the invented words that are not in the corpus.
type filler struct {
	suite ngram.Suite
	words map[uint64]string // by hash, until sealed
	list  []string          // afterwards
}

// newFiller invents the words, always the same ones.
func newFiller(suite ngram.Suite) *filler {
	f := &filler{suite: suite, words: map[uint64]string{}}
	rng := newRand(0, "filler")
	pick := func(from []string) string { return from[rng.IntN(len(from))] }
	for len(f.words) < fillerWords {
		w := ""
		for range 2 + rng.IntN(2) {
			w += pick(fillerOnsets) + pick(fillerVowels)
		}
		w += pick(fillerCodas)
		if h := suite.Sum([]byte(w)); f.words[h] == "" {
			f.words[h] = w
			f.list = append(f.list, w)
		}
	}
	return f
}

// strike removes the words of the corpus.
func (f *filler) strike(words []ngram.Word) {
	for _, w := range words {
		delete(f.words, w.Hash)
	}
}

// seal ends the removal and returns how many words are left.
func (f *filler) seal() int {
	left := f.list[:0]
	for _, w := range f.list {
		if f.words[f.suite.Sum([]byte(w))] != "" {
			left = append(left, w)
		}
	}
	f.list = left
	return len(left)
}

// stream returns an endless text of filler.
func (f *filler) stream(rng *rand.Rand) *fillerText { return &fillerText{f: f, rng: rng} }

// fillerText is an endless text of filler.
type fillerText struct {
	f   *filler
	rng *rand.Rand
}

// word returns one word.
func (t *fillerText) word() string { return t.f.list[t.rng.IntN(len(t.f.list))] }

// text returns n words as sentences.
func (t *fillerText) text(n int) string {
	var b strings.Builder
	for i, left := 0, 0; i < n; i++ {
		w := t.word()
		if left == 0 {
			left = 6 + t.rng.IntN(9)
			w = strings.ToUpper(w[:1]) + w[1:]
		}
		left--
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(w)
		switch {
		case left == 0 || i == n-1:
			b.WriteByte('.')
		case t.rng.IntN(8) == 0:
			b.WriteByte(',')
		}
	}
	return b.String()
}

// embed puts a disguised passage between filler.
func (t *fillerText) embed(s *disguised) *disguised {
	before := t.text(8+t.rng.IntN(8)) + " " + t.word() + ": "
	after := "\n" + t.text(8+t.rng.IntN(8)) + "\n"
	s.begin, s.end = len(before), len(before)+len(s.text)
	s.text = append(append([]byte(before), s.text...), after...)
	for i, at := range s.at {
		if at.present() {
			s.at[i] = extent{at.lo + len(before), at.hi + len(before)}
		}
	}
	return s
}
