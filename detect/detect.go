// Package detect decides what may leave: it reads one text channel of an
// answer as it arrives, finds the runs of words that stand in the index, and
// says of every byte whether it is clean or part of a finding, as early as
// that is certain.
//
// It knows words, windows and prompts. It knows nothing of HTTP, of JSON or of
// how an index is stored: the index is an [Index].
package detect

import (
	"noecho/detect/internal/track"
	"noecho/ngram"
)

// Set answers which grams and windows are indexed. Every method may answer true for
// something absent (at the index's published rate) and never answers false for
// something present.
type Set interface {
	Gate2(h ngram.Hash) bool  // is this 2-gram part of an indexed window?
	Gate4(h ngram.Hash) bool  // is this 4-gram?
	Window(h ngram.Hash) bool // is this window of n words indexed?
}

// Index is everything that a detector asks an index. Look-ups never fail, allocate
// nothing beyond growing dst and are safe for concurrent use. Has methods are asked
// once for each channel; if one is false, the look-ups named behind it are not used.
// index.Index is one; [WindowsOnly] makes one of a Set.
type Index interface {
	Set

	// HasLedger says whether findings have places, and near matches are found.
	HasLedger() bool
	// Seeds appends the places of a gram of [ngram.SeedWords] words. Some may be
	// missing: not every gram is a seed, and of common ones some places are left out.
	// Rarely one is wrong.
	Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place

	// HasPhrases says whether there are sequences that count although they are
	// shorter than a window.
	HasPhrases() bool
	// Start reports whether a phrase may begin with these words, at most 4. It is
	// never false for words that one begins with.
	Start(h ngram.Hash) bool
	// Phrase returns the phrase of exactly these words.
	Phrase(h ngram.Hash) (ngram.Phrase, bool)

	// HasWords says whether joined and spaced letters can be read.
	HasWords() bool
	// Word reports whether this word may be part of an indexed window.
	Word(h ngram.Hash) bool
}

// WindowsOnly is an [Index] of which only the windows are used.
type WindowsOnly struct{ Set }

// HasLedger returns false.
func (WindowsOnly) HasLedger() bool { return false }

// Seeds appends nothing.
func (WindowsOnly) Seeds(dst []ngram.Place, _ ngram.Hash) []ngram.Place { return dst }

// HasPhrases returns false.
func (WindowsOnly) HasPhrases() bool { return false }

// Start returns false.
func (WindowsOnly) Start(ngram.Hash) bool { return false }

// Phrase returns false.
func (WindowsOnly) Phrase(ngram.Hash) (ngram.Phrase, bool) { return ngram.Phrase{}, false }

// HasWords returns false.
func (WindowsOnly) HasWords() bool { return false }

// Word returns false.
func (WindowsOnly) Word(ngram.Hash) bool { return false }

// Release says how early clean words leave.
type Release uint8

// The release policies.
const (
	Adaptive Release = iota // as soon as no window over the word can be indexed
	Strict                  // always after the full weight: no timing signal
)

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

	Lanes      Lanes // which are read beside the plain one; none
	LaneBudget int64 // bytes that they may read; 0 means DefaultLaneBudget

	PhraseRecords uint32   // phrases in more records are no finding, listed subjects apart; 0 means DefaultPhraseRecords
	Near          NearRule // which words of one record with others between them count

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
