// Package detect decides what may leave: it reads one text channel of an
// answer as it arrives, finds the runs of words that stand in the index, and
// says of every byte whether it is clean or part of a finding, as early as
// that is certain.
//
// It knows words, windows and prompts. It knows nothing of HTTP, of JSON or of
// how an index is stored: the index is a [Set].
package detect

import "noecho/ngram"

// Set answers what the indexes in force hold. Lookups never fail, never
// allocate and are safe for concurrent use. Every method may answer true for
// something absent (at the index's published rate) and never answers false for
// something present.
type Set interface {
	Gate2(h ngram.Hash) bool  // does this 2-gram stand in any indexed window?
	Gate4(h ngram.Hash) bool  // does this 4-gram?
	Window(h ngram.Hash) bool // is this window of n words indexed?
}

// Release says how early clean words leave.
type Release uint8

// The release policies.
const (
	Adaptive Release = iota // as soon as no window over the word can be indexed
	Strict                  // always after the full weight: no timing signal
)

// Scope says how much of a channel is judged.
type Scope uint8

// The scopes.
const (
	All   Scope = iota // every finding, each to its end
	First              // the first acted finding, as soon as it is certain; the rest is not read
)

// Kind says what was found.
type Kind uint8

// The kinds of finding.
const (
	Verbatim Kind = iota + 1 // a run of indexed windows
	Stuffing                 // more bytes between two words than may be held
)

// DefaultMaxHeld is the number of bytes a channel may hold back.
const DefaultMaxHeld = 64 << 10

// MaxDigests bounds the window digests that a finding carries.
const MaxDigests = 8

// Config is how one channel is judged. The zero value is the default.
type Config struct {
	MinWords int     // shortest run in words, weight counted; below n means n
	Release  Release // Adaptive
	Scope    Scope   // All. First is for whoever ends the channel there
	MaxHeld  int     // bytes; 0 means DefaultMaxHeld
	Prompt   *Prompt // what the caller sent; nil if nothing is known
}

// Finding is one span of a channel that stands in the training data.
type Finding struct {
	Kind    Kind
	Echo    bool       // every window stands in one client message: not acted on
	Span    ngram.Span // bytes of the channel's text
	Words   int
	Windows int      // hits in the span
	Resumed bool     // the first part left before the channel resumed after Park
	Digests []uint64 // hashes of the first windows, at most MaxDigests
}

// Segment is a piece of the channel's text whose fate is final. Segments tile
// the text from 0 to Frontier. A finding may come in several segments as its
// span grows: they carry the same pointer. Echoes never appear in segments.
type Segment struct {
	Span    ngram.Span
	Finding *Finding // nil: clean. Its fields are final once Closed returned it
}
