// Package ngram turns text into words and words into window hashes.
//
// The builder of an index and the detector must agree on every word, so both use this
// package, and nothing else, to find words. It knows Unicode, the few kinds of markup
// between words, and hashing. It knows nothing of files, networks, JSON documents or
// indexes, and does no I/O.
//
// A gram is a sequence of words, and a window is a gram of n words, where n belongs to an
// index. The rules for words are NormV1, described in docs/normalisation.md. They are
// frozen: an index records the version that it was built with, and a changed rule is a new
// version, never an edit.
package ngram

import "fmt"

// NormVersion is the version of the normalisation rules of this package.
const NormVersion = 1

// UnicodeVersion is the version of Unicode that the tables were made from.
const UnicodeVersion = "15.0.0"

// maxWordBytes is the length in normalised bytes at which a word is cut.
const maxWordBytes = 256

// Limits of the window length n. A shorter window has too few 4-grams to rule it out by; a
// longer one has more words than a detector keeps.
const (
	MinN     = 5
	DefaultN = 10
	MaxN     = 64
)

// Span is a half-open range of byte offsets, counted from the first byte given
// to the Scanner.
type Span struct{ Lo, Hi int64 }

// Weight is how much a word counts for the length of a text, in thirds of a word.
type Weight int32

// WordWeight is the weight of most words. Ten Japanese characters are a greeting, not a
// leak, so in a script that is written without spaces each character is a word and weighs
// a third of it.
const WordWeight Weight = 3

// charWeight is the weight of a character of such a script.
const charWeight Weight = 1

// Word is one normalised token.
type Word struct {
	Span   Span   // its bytes in the text, from the first letter to the last, marks included
	Hash   uint64 // the suite's hash of the normalised bytes
	Weight Weight
}

// Spec says how windows are made. Two texts can be compared only if their specs are equal;
// an index records its spec.
type Spec struct {
	N     int   // words in a window
	Suite Suite // how a word is hashed
}

// NewSpec returns the spec for windows of n words under the given suite.
func NewSpec(n int, id SuiteID) (Spec, error) {
	if n < MinN || n > MaxN {
		return Spec{}, fmt.Errorf("window length %d is outside %d to %d words", n, MinN, MaxN)
	}
	s, err := newSuite(id)
	if err != nil {
		return Spec{}, err
	}
	return Spec{N: n, Suite: s}, nil
}
