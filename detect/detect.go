// Package detect finds indexed text in an answer that arrives in pieces. A channel is
// one text of an answer, such as the content of one choice. A [Detector] reads one
// channel, looks up its words in an [Index], and decides for every byte whether it is
// clean or part of a [Finding], as early as that is certain. A [Redactor] writes the
// text on without the findings.
//
// The words of the package:
//
//   - a gram is a sequence of words, a window a gram of the n words that the index was
//     built with, a run a sequence of indexed windows that overlap
//   - a phrase is an indexed sequence shorter than a window: an e-mail address, a name
//   - a seed is a gram of five words that leads to its places in the corpus
//   - a lane is a way of reading the channel: as it is, or decoded from base64, or
//     backwards
//   - a byte waits while it may yet become part of a finding; it is released once a
//     caller may send it, and withheld if it must never be sent
//
// The package knows words, windows and prompts. It knows nothing of HTTP, of JSON or of
// how an index is stored.
package detect

import "noecho/ngram"

// Index is everything that a detector asks an index. Look-ups never fail, allocate
// nothing beyond growing dst and are safe for concurrent use. Those that return a bool
// may return true for something absent (at the index's published rate) and never false
// for something present. index.Index is one.
type Index interface {
	Gate2(h ngram.Hash) bool  // is this 2-gram part of an indexed window?
	Gate4(h ngram.Hash) bool  // is this 4-gram?
	Window(h ngram.Hash) bool // is this window of n words indexed?

	// Has reports which parts the index has besides windows. It is asked once for each
	// channel, and the look-ups of a part that is missing are not used. Without a ledger
	// findings name no place, and no near match is found. Without words, letters that
	// are spaced out and words that are run together are not read.
	Has() (ledger, phrases, words bool)

	// Seeds appends the places of a gram of 5 words. Some may be
	// missing: not every gram is a seed, and of common ones some places are left out.
	// Rarely one is wrong.
	Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place

	// Start reports whether a phrase may begin with these words, at most 4.
	Start(h ngram.Hash) bool
	// Phrase returns the phrase of exactly these words.
	Phrase(h ngram.Hash) (ngram.Phrase, bool)

	// Word reports whether this word may be part of an indexed window.
	Word(h ngram.Hash) bool
}

// Release is a policy of how early clean words are released.
type Release uint8

// The release policies.
const (
	Adaptive Release = iota // as soon as no window over the word can be indexed
	Strict                  // behind a fixed weight of words, whatever is indexed
)

// String returns the policy's name in a configuration.
func (r Release) String() string { return [...]string{"adaptive", "strict"}[r] }

// Action is the consequence of a finding. A higher one is never taken back.
type Action uint8

// The actions, in order.
const (
	Observe Action = iota // its bytes are released
	Redact                // its bytes are withheld
	Block                 // its bytes are withheld, and the channel ends before them
)

// String returns the action's name in a configuration.
func (a Action) String() string { return [...]string{"observe", "redact", "block"}[a] }

// Kind is the sort of a finding.
type Kind uint8

// The kinds of finding.
const (
	Verbatim Kind = iota + 1 // a run of indexed windows
	Phrase                   // an indexed phrase
	Near                     // words of one record with others between them
	Overflow                 // more bytes between two words than may wait
)

// String returns the kind's name in an alert.
func (k Kind) String() string {
	return [...]string{"", "verbatim", "phrase", "near", "stuffing"}[k]
}

// Values of a Config's fields that are zero.
const (
	defaultMaxHeld       = 64 << 10
	defaultPhraseRecords = 100
)

// Config is how one channel is judged. The zero value is the default.
type Config struct {
	MinWords int     // shortest run in words, weight counted; below n means n
	Release  Release // Adaptive
	MaxHeld  int     // bytes that may wait; 0 means 64 KiB
	Prompt   *Prompt // the texts that the caller sent; nil if nothing is known

	// Done is closed when nobody waits for the answer any more. Then the detector reads,
	// decides and appends nothing more; Finish completes the findings that are open, and
	// Frontier stays where it is. nil: it is never closed.
	Done <-chan struct{}

	// Cut tells, when Park or Finish decides about a last word that nothing separates from
	// the end, whether the text may end inside that word: a limit of length or a stop
	// sequence ended it. Then the word is withheld if it follows a withheld span or the
	// beginning of a run. If the end is not known yet, Park lets such a word wait, and
	// Finish takes it for cut. nil: every last word is complete.
	Cut func() (cut, known bool)

	Extent Extent // how much text is withheld around a finding; ExtentSpan

	// Judge decides the action of a finding; nil redacts all. It is called when a
	// finding opens and whenever the finding has grown, and must not keep the pointer.
	// Nothing is read behind the first finding that it blocks.
	Judge func(*Finding) Action

	Lanes      Lanes       // read beside the plain one; none
	LaneBudget int64       // bytes that they may read; 0 means 4 MiB
	LaneMemory *LaneMemory // shared by the detectors of one answer; nil: the detector has its own

	PhraseRecords uint32   // phrases in more records are no finding, listed subjects apart; 0 means 100
	Near          NearRule // when words of one record with others between them count

	Answer  *Answer // that the channel is a part of; nil: it stands alone
	Channel int     // its number in the answer, for the parts of findings
	Beside  bool    // the channel is text beside the answer: the server wrote it, as far as is known
	Tokens  bool    // the channel is tokens of the answer; those that repeat its text are [Aside]
	Pieces  bool    // the bytes of each Append may go on with a word or begin one; the answer reads them both ways

	Streamed bool // the channel takes as long as the model: storage that it needs no more is given back, not kept for the next one

	decoded Lane // the lane that the text was decoded by; Plain: none
	strings bool // the text is the strings of a channel, see values
}

// Finding is one span of a channel that occurs in the training data.
type Finding struct {
	Kind    Kind
	Lane    Lane       // how it was spelled; Plain: as it is
	Action  Action     // Observe for an echo
	Echo    bool       // every window is part of one client message: nothing is withheld
	Span    ngram.Span // bytes of the channel's text
	Words   int
	Windows int      // indexed ones in the span
	Guessed bool     // a message of the prompt has the words before its new ones, or behind them: a caller may have guessed them
	Resumed bool     // its beginning was released before the channel resumed after Park
	Digests []uint64 // hashes of the first windows, at most 64

	Places []ngram.Place // its places in the corpus, the likeliest first, at most 64; nil: not known
	Phrase *ngram.Phrase // the phrase, of a finding of that kind
	Parts  []Part        // of a finding over several channels, in the order of their words; else nil

	reason ngram.Span // of an attribute that counts because of another one: both; else empty
}

// Segment is a piece of the channel's text whose fate is final. Segments tile
// the text from 0 to Frontier. A finding may come in several segments as its
// span grows: they carry the same pointer. Echoes never appear in segments.
type Segment struct {
	Span    ngram.Span
	Finding *Finding // nil: clean. Its fields are final once Closed returned it
}
