package lane

import (
	"noecho/detect/internal/decode"
	"noecho/ngram"
)

// Finder looks for one sort of finding beside runs of windows: near matches, phrases, text
// in another lane. A channel is one text of an answer. A detector calls its finders in
// this order:
//
//	Text(p)   for each piece of the channel, before its words are read
//	Word(i,w) for each word of the channel, once it is complete: w, with number i
//	Waits()   before bytes are released
//	Fork()    when the channel is parked, that is decided as if it ended; the fork reads
//	          the words that are not complete yet, which may turn out to be others
//	End()     once, behind the last word
//
// A finder that finds something calls Claim of its host with the span so far, again
// whenever the span grows, and Settle when the span grows no more. Until then Waits must
// return the end of the span or less, as far as the bytes behind the span may still belong
// to the finding: bytes that were released cannot be withheld.
//
// Several finders may claim the same bytes. Each finding is reported.
type Finder interface {
	Text(p []byte)
	Word(i int64, w ngram.Word)
	// Waits returns the first byte that must not be released, math.MaxInt64 if none.
	Waits() int64
	// Fork returns a finder that reads on from here. It leaves this one unchanged, but
	// for the findings, which they share. It is valid until the next Fork. It is nil if
	// the finder does not look at words that are not complete.
	Fork() Finder
	End()
}

// Host is the detector that the lanes belong to.
type Host interface {
	// Word returns word i of the channel, which is one of the newest 64.
	Word(i int64) ngram.Word
	// Sent reports whether a message of the client has the words of a window in this order.
	Sent(window ngram.Hash) bool
	// Plain reports whether a finding of the plain lane covers a span already.
	Plain(span ngram.Span) bool
	// Now returns the state of the channel.
	Now() Now
	// Claim makes span a part of the claim, which is open until Settle.
	Claim(c *Claim, span ngram.Span)
	Settle(c *Claim)
	// Nest returns a reader of text that lane l decoded, with lanes of its own. It is the
	// old one, used again, unless that is nil.
	Nest(l Lane, within *Reader, old Nested) Nested
}

// Now is the state of a channel.
type Now struct {
	Tried    bool  // a fork reads: its last words may turn out to be others
	Blocked  bool  // nothing more is read
	Parked   int64 // every byte below was decided when the channel was parked
	Overflow int64 // every byte below was decided when there was no room for more
}

// Claim is a finding of a lane while it grows.
type Claim struct {
	Lane    Lane
	Span    ngram.Span // of all claims so far
	Words   int
	Windows int
	Resumed bool
	Digests []uint64
	Places  []ngram.Place
}

// Nested reads decoded text as a channel of its own. For a finding in it, it claims the
// bytes that the finding was decoded from.
type Nested interface {
	// Begin prepares for another text, in which these lanes are read.
	Begin(lanes Lanes)
	Read(text []decode.Byte)
	// Follows reports whether a word may follow the newest one in an indexed window.
	Follows(word []byte) bool
	// Waits returns the first byte of the channel that must not be released.
	Waits() int64
	// Suspects reports whether bytes wait because of indexed words.
	Suspects() bool
	// Park decides all bytes as if the text ended here; it may go on.
	Park()
	// End decides all bytes: the text ends here.
	End()
}

// Vocabulary is the words of the indexed windows.
type Vocabulary interface {
	Word(h ngram.Hash) bool // may this word be in an indexed window?
}
