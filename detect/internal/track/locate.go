package track

import "noecho/ngram"

// Locator tells where in the corpus the words of one finding are. It asks the
// ledger for every short gram of the finding, whatever else looks for them.
type Locator struct {
	Backward bool // the words come from the last to the first

	ledger Ledger
	chains Chains
	next   int64 // first word for which no seed that ends with it was asked for yet
	found  []ngram.Place
}

// Start begins another finding.
func (l *Locator) Start(ledger Ledger) {
	l.ledger, l.next, l.chains.Backward = ledger, 0, l.Backward
	l.chains.Reset(ngram.PlaceGap, 0)
}

// Follow adds words first to last of a track.
func (l *Locator) Follow(t *Track, first, last int64) {
	oldest := t.Count - int64(len(t.ring)) + 1 // before it the prefix is gone
	for i := max(l.next, max(first, oldest)+ngram.SeedWords-1); i <= last; i++ {
		s := t.Seed(i)
		l.Add(&s)
	}
	l.next = last + 1
}

// Next is the first word for which no seed that ends with it was added yet.
func (l *Locator) Next() int64 { return l.next }

// Add adds a seed. Seeds come in order.
func (l *Locator) Add(s *Seed) {
	l.found = l.ledger.Seeds(l.found[:0], s.Hash)
	for _, p := range l.found {
		l.chains.Add(s, p, len(l.found))
	}
	l.next = s.Word + ngram.SeedWords
}

// Places appends where the words are, the likeliest place first.
func (l *Locator) Places(dst []ngram.Place) []ngram.Place {
	return l.chains.Best(dst, func(*Chain) bool { return true })
}
