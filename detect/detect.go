// Package detect decides what may leave: it reads one text channel of an
// answer as it arrives, finds the runs of words that stand in the index, and
// says of every byte whether it is clean or part of a finding, as early as
// that is certain.
//
// It knows words, windows and prompts. It knows nothing of HTTP, of JSON or of
// how an index is stored: the index is a [Set].
package detect

import (
	"noecho/detect/internal/track"
	"noecho/ngram"
)

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

// Ledger leads from short grams to the places where they stand. Look-ups never
// fail, allocate nothing beyond growing dst and are safe for concurrent use.
// Places may be missing: not every gram is a seed, and of common ones some are
// left out. Rarely one is wrong.
type Ledger interface {
	Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place // of [ngram.SeedWords] words
}

// Phrases are the indexed sequences that count although they are shorter than a
// window. Look-ups never fail, never allocate and are safe for concurrent use.
type Phrases interface {
	// Start reports whether a phrase may begin with these words, at most 4. It is
	// never false for words that one begins with.
	Start(h ngram.Hash) bool
	// Phrase returns the phrase of exactly these words.
	Phrase(h ngram.Hash) (ngram.Phrase, bool)
}

// Vocabulary is the words of the indexed windows. Look-ups never fail, never
// allocate and are safe for concurrent use.
type Vocabulary interface {
	Word(h ngram.Hash) bool // may this word stand in an indexed window?
}

// Action says what is done about a finding. A higher one is never taken back.
type Action uint8

// The actions, in order.
const (
	Observe Action = iota // it leaves
	Redact                // it is withheld
	Block                 // it is withheld, and the channel ends before it
)

// Kind says what was found.
type Kind uint8

// The kinds of finding.
const (
	Verbatim Kind = iota + 1 // a run of indexed windows
	Phrase                   // an indexed phrase
	Near                     // words of one record with others between them
	Overflow                 // more bytes between two words than may be held
)

// String returns the kind's name in an alert.
func (k Kind) String() string {
	return [...]string{"", "verbatim", "phrase", "near", "stuffing"}[k]
}

// DefaultMaxHeld is the number of bytes a channel may hold back.
const DefaultMaxHeld = 64 << 10

// MaxPlaces bounds the places that a finding names.
const MaxPlaces = track.MaxPlaces

// MaxDigests bounds the window digests that a finding carries.
const MaxDigests = track.MaxDigests

// Config is how one channel is judged. The zero value is the default.
type Config struct {
	MinWords int     // shortest run in words, weight counted; below n means n
	Release  Release // Adaptive
	MaxHeld  int     // bytes; 0 means DefaultMaxHeld
	Prompt   *Prompt // what the caller sent; nil if nothing is known
	Extent   Extent  // how much is withheld around a finding; ExtentSpan

	// Judge says what is to be done about a finding; nil redacts all. It is asked
	// when a finding opens and whenever it has grown, and must not keep it. Nothing
	// is read behind the first finding that it blocks.
	Judge func(*Finding) Action

	Lanes      Lanes      // which are read beside the plain one; none
	LaneBudget int64      // bytes that they may read; 0 means DefaultLaneBudget
	Ledger     Ledger     // nil: findings name no places, and no near match is found
	Phrases    Phrases    // nil: no phrase is found
	Vocabulary Vocabulary // nil: joined and spaced letters are not read

	PhraseRecords uint32   // phrases in more records are no finding, listed subjects apart; 0 means DefaultPhraseRecords
	Near          NearRule // which words of one record with others between them count; asks Ledger

	decoded Lane // the lane that the text came out of; Plain: none
}

// Finding is one span of a channel that stands in the training data.
type Finding struct {
	Kind    Kind
	Lane    Lane       // how it was spelled; Plain: as it stands
	Action  Action     // what is done about it; Observe for an echo
	Echo    bool       // every window stands in one client message: not acted on
	Span    ngram.Span // bytes of the channel's text
	Words   int
	Windows int      // hits in the span
	Resumed bool     // the first part left before the channel resumed after Park
	Digests []uint64 // hashes of the first windows, at most MaxDigests

	Places []ngram.Place // where it stands in the corpus, best first, at most MaxPlaces; nil: not known
	Phrase *ngram.Phrase // of kind Phrase: which one
}

// Segment is a piece of the channel's text whose fate is final. Segments tile
// the text from 0 to Frontier. A finding may come in several segments as its
// span grows: they carry the same pointer. Echoes never appear in segments.
type Segment struct {
	Span    ngram.Span
	Finding *Finding // nil: clean. Its fields are final once Closed returned it
}
