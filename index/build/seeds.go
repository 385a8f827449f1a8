package build

import (
	"noecho/index/internal/format"
	"noecho/index/key"
	"noecho/internal/gram"
	"noecho/ngram"
)

// Whether a 5-gram is a seed depends on its neighbours in the segment; whether the seed
// is stored depends on the windows that contain it. So a gram can be decided once these
// words around it are known, or the segment begins or ends there:
//
//	before  words for the previous gram, and for the windows that begin earlier
//	from    words for the next gram, and for the windows that begin with this one
func seedReach(n int) (before, from int) {
	return max(1, n-gram.SeedWords), max(gram.SeedWords+1, n)
}

// A seeder finds the seeds in a sequence of words. Not safe for concurrent use.
type seeder struct {
	n       int
	key     *key.Key
	exclude map[uint64]struct{}

	prefix  []uint64
	grams   []ngram.Hash
	windows []uint64
	indexed []int // by window: number of indexed windows before it
	found   []foundSeed
}

// foundSeed is a seed in the sequence of words.
type foundSeed struct {
	finger uint64 // fingerprint: the upper bits of the hash
	at     int    // index of its first word
}

// look finds the seeds among the grams number from to to-1 that lie in indexed windows
// only, and reports whether any of these grams lies in an indexed window. A gram that
// lies in an excluded window as well is common text: an answer that contains it must
// not be attributed to one record.
func (s *seeder) look(words []uint64, from, to int) (indexed bool) {
	s.found = s.found[:0]
	if len(words) < s.n || from >= to {
		return false
	}
	s.prefix = append(s.prefix[:0], 0)
	last := uint64(0)
	for _, w := range words {
		last = ngram.Roll(last, w)
		s.prefix = append(s.prefix, last)
	}
	s.grams = gram.All(s.grams[:0], s.prefix, gram.SeedWords)
	keyHashes(s.key, s.grams) // also because the choice of seeds must not tell their words
	if len(s.exclude) > 0 {
		s.countIndexed()
	}
	for i := from; i < to; i++ {
		some, all := true, true
		if len(s.exclude) > 0 {
			some, all = s.isIndexed(i)
		}
		indexed = indexed || some
		if !all {
			continue
		}
		if gram.IsSeed(s.grams, i) {
			s.found = append(s.found, foundSeed{s.grams[i].Hi >> (64 - format.FingerBits), i})
		}
	}
	return indexed
}

// countIndexed finds out which windows are excluded.
func (s *seeder) countIndexed() {
	s.windows = gram.AllLo(s.windows[:0], s.prefix, s.n)
	s.key.Los(s.windows)
	s.indexed = append(s.indexed[:0], 0)
	for i, lo := range s.windows {
		n := s.indexed[i]
		if _, out := s.exclude[lo]; !out {
			n++
		}
		s.indexed = append(s.indexed, n)
	}
}

// isIndexed reports whether some of the windows that contain gram i are indexed, and
// whether all are.
func (s *seeder) isIndexed(i int) (some, all bool) {
	lo, hi := max(0, i+gram.SeedWords-s.n), min(i, len(s.windows)-1)
	indexed := s.indexed[hi+1] - s.indexed[lo]
	return indexed > 0, indexed == hi+1-lo
}
