package eval

import (
	"errors"
	"slices"

	"noecho/ngram"
)

// passage is words in a row of one text of the corpus.
type passage struct {
	text  []byte
	words []ngram.Word // spans count in text
}

// lead is what a passage is read behind: in the middle of a line a number with a
// full stop is a word, at its beginning the mark of a list.
const lead = "x "

var errReadsOtherwise = errors.New("the passage gives other words on its own than in its text")

// newPassage finds the words of a text that stands in the middle of a line.
func newPassage(spec ngram.Spec, text []byte) (*passage, error) {
	s := ngram.NewScanner(spec.Suite)
	words := s.Append(nil, append([]byte(lead), text...))
	words = s.Finish(s.Append(words, []byte("\n")))
	if len(words) < 2 || words[0].Span.Hi != 1 {
		return nil, errReadsOtherwise
	}
	words = words[1:]
	for i := range words {
		words[i].Span.Lo -= int64(len(lead))
		words[i].Span.Hi -= int64(len(lead))
	}
	return &passage{text: text, words: words}, nil
}

// hashes returns the hashes of words.
func hashes(words []ngram.Word) []uint64 {
	all := make([]uint64, len(words))
	for i, w := range words {
		all[i] = w.Hash
	}
	return all
}

// reads reports whether the passage gives these words.
func (p *passage) reads(words []uint64) bool { return slices.Equal(hashes(p.words), words) }

// windows calls f for the hash of every window of n words.
func windows(words []ngram.Word, n int, f func(first int, h ngram.Hash)) {
	prefix := make([]uint64, 1, len(words)+1)
	for _, w := range words {
		prefix = append(prefix, ngram.Roll(prefix[len(prefix)-1], w.Hash))
	}
	for i := n; i < len(prefix); i++ {
		f(i-n, ngram.Gram(prefix[i-n], prefix[i], n))
	}
}

// runsOfWindows calls f for every run of known windows of n words that weighs as
// much as n words: the words lo to hi-1. There are count words; known says whether
// the window that begins at a word is known.
func runsOfWindows(count, n int, known func(i int) bool, weight func(i int) ngram.Weight, f func(lo, hi int)) {
	for lo := 0; lo+n <= count; lo++ {
		if !known(lo) {
			continue
		}
		hi := lo + n
		for hi < count && known(hi-n+1) {
			hi++
		}
		sum := ngram.Weight(0)
		for i := lo; i < hi; i++ {
			sum += weight(i)
		}
		if sum >= ngram.Words(n) {
			f(lo, hi)
		}
		lo = hi - n
	}
}
