package track

import (
	"noecho/internal/gram"
	"noecho/ngram"
)

// Locator finds the places in the corpus where the words of one finding occur. It looks up
// every gram of the finding that may be a seed.
type Locator struct {
	Backward bool // the words come from the last to the first

	ledger Ledger
	chains Chains
	next   int64 // first word for which the seed that ends with it was not looked up yet
	found  []ngram.Place
}

// Start begins another finding.
func (l *Locator) Start(ledger Ledger) {
	l.ledger, l.next, l.chains.Backward = ledger, 0, l.Backward
	l.chains.Reset(gram.PlaceGap, 0)
}

// Follow adds words first to last of a track.
func (l *Locator) Follow(t *Track, first, last int64) {
	oldest := t.Count - int64(len(t.ring)) + 1 // the ring has no prefix hash before it
	for i := max(l.next, max(first, oldest)+gram.SeedWords-1); i <= last; i++ {
		s := t.Seed(i)
		l.Add(&s)
	}
	l.next = last + 1
}

// Next returns the first word for which the seed that ends with it was not added yet.
func (l *Locator) Next() int64 { return l.next }

// Add adds a seed. Seeds must come in order.
func (l *Locator) Add(s *Seed) {
	l.found = l.ledger.Seeds(l.found[:0], s.Hash)
	for _, p := range l.found {
		l.chains.Add(s, p, len(l.found))
	}
	l.next = s.Word + gram.SeedWords
}

// Places appends where the words are, the likeliest place first.
func (l *Locator) Places(dst []ngram.Place) []ngram.Place {
	return l.chains.Best(dst, func(*Chain) bool { return true })
}
