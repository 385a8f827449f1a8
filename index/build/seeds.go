package build

import (
	"noecho/index/internal/format"
	"noecho/ngram"
)

// Which 5-grams are seeds depends on their neighbours in the segment, and whether
// they are kept on the windows over them. So a gram is decided once that many
// words before it and that many from it on are known, or the segment begins or
// ends there:
//
//	before  the neighbour, and the windows that begin earlier and hold the gram
//	from on the neighbour, and the windows that begin with the gram
func seedReach(n int) (before, from int) {
	return max(1, n-ngram.SeedWords), max(ngram.SeedWords+1, n)
}

// A seeder finds the seeds of words in a row. Not safe for concurrent use.
type seeder struct {
	n       int
	exclude map[uint64]struct{}

	prefix  []uint64
	grams   []ngram.Hash
	windows []uint64
	indexed []int // by window: how many before it are indexed
	found   []foundSeed
}

// foundSeed is a seed among the words that were looked at.
type foundSeed struct {
	finger uint64 // its fingerprint
	at     int    // its first word
}

// look finds every seed among the grams from to to-1 of the words that lies in
// indexed windows only, and reports whether there is such a window over any of
// them. What lies in an excluded window too is common text: an answer that holds it
// must not be taken for a record around it.
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
	s.grams = ngram.Grams(s.grams[:0], s.prefix, ngram.SeedWords)
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
		if ngram.IsSeed(s.grams, i) {
			s.found = append(s.found, foundSeed{s.grams[i].Hi >> (64 - format.FingerBits), i})
		}
	}
	return indexed
}

// countIndexed looks up which windows are excluded.
func (s *seeder) countIndexed() {
	s.windows = ngram.GramsLo(s.windows[:0], s.prefix, s.n)
	s.indexed = append(s.indexed[:0], 0)
	for i, lo := range s.windows {
		n := s.indexed[i]
		if _, out := s.exclude[lo]; !out {
			n++
		}
		s.indexed = append(s.indexed, n)
	}
}

// isIndexed reports whether some window that holds gram i is indexed, and whether
// all of them are.
func (s *seeder) isIndexed(i int) (some, all bool) {
	lo, hi := max(0, i+ngram.SeedWords-s.n), min(i, len(s.windows)-1)
	indexed := s.indexed[hi+1] - s.indexed[lo]
	return indexed > 0, indexed == hi+1-lo
}
