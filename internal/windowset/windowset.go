// Package windowset makes a detector's index of a set of windows alone: it has no places,
// no phrases and no words. It knows nothing of how the set is stored.
package windowset

import "noecho/ngram"

// Set answers which grams and windows are indexed, as detect.Index describes it.
type Set interface {
	Gate2(h ngram.Hash) bool
	Gate4(h ngram.Hash) bool
	Window(h ngram.Hash) bool
}

// Index is a detect.Index of which only the windows are used.
type Index struct{ Set }

// HasLedger returns false.
func (Index) HasLedger() bool { return false }

// Seeds appends nothing.
func (Index) Seeds(dst []ngram.Place, _ ngram.Hash) []ngram.Place { return dst }

// HasPhrases returns false.
func (Index) HasPhrases() bool { return false }

// Start returns false.
func (Index) Start(ngram.Hash) bool { return false }

// Phrase returns no phrase.
func (Index) Phrase(ngram.Hash) (ngram.Phrase, bool) { return ngram.Phrase{}, false }

// HasWords returns false.
func (Index) HasWords() bool { return false }

// Word returns false.
func (Index) Word(ngram.Hash) bool { return false }
