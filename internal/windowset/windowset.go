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

// Has reports that there is nothing but windows.
func (Index) Has() (ledger, phrases, words bool) { return false, false, false }

// Seeds appends nothing.
func (Index) Seeds(dst []ngram.Place, _ ngram.Hash) []ngram.Place { return dst }

// Start returns false.
func (Index) Start(ngram.Hash) bool { return false }

// Phrase returns no phrase.
func (Index) Phrase(ngram.Hash) (ngram.Phrase, bool) { return ngram.Phrase{}, false }

// Word returns false.
func (Index) Word(ngram.Hash) bool { return false }
