package lane

import (
	"noecho/detect/internal/decode"
	"noecho/ngram"
)

// Finder looks for one sort of finding beside the verbatim runs: near matches,
// phrases, text in another lane. A detector tells its finders about the channel in
// this order:
//
//	Text(p)   each piece of the channel before its words are read
//	Word(i)   each word of the channel, once it is complete
//	Waits()   before bytes are released
//	Fork()    when the channel is parked; the fork is told of words that are only tried
//	End()     once, behind the last word
//
// A finder that has found something calls Claim with the span so far, as often as
// that grows, and Settle when it no longer does. Until then it keeps the bytes behind
// the span back by Waits, as far as they may still belong to it: bytes that were
// released are gone.
//
// Several finders may claim the same bytes. Each finding is reported; the bytes are
// withheld once.
type Finder interface {
	Text(p []byte)
	Word(i int64)
	// Waits returns the first byte that must not be released, math.MaxInt64 if none.
	Waits() int64
	// Fork returns a finder that reads on from here and leaves this one as it is,
	// but for the findings, which they share. It is valid until the next Fork. It is
	// nil if words that are only tried are of no interest.
	Fork() Finder
	End()
}

// Host is the detector that lanes read for.
type Host interface {
	// Word returns word i of the channel, which is one of the newest 64.
	Word(i int64) ngram.Word
	// Sent reports whether the client sent the words of a window in this order.
	Sent(window ngram.Hash) bool
	// Plain reports whether the channel read as it is has a finding there already.
	Plain(span ngram.Span) bool
	// Now returns the state of the channel.
	Now() Now
	// Claim makes span a part of the claim, which is open until Settle.
	Claim(c *Claim, span ngram.Span)
	Settle(c *Claim)
	// Nest returns a reader of text that lane l decoded, with lanes of its own.
	Nest(l Lane, within *Reader) Nested
}

// Now is the state of a channel.
type Now struct {
	Tried    bool  // the words are those of a parked channel, which may go on otherwise
	Blocked  bool  // nothing more is read
	Parked   int64 // every byte below left when the channel was parked
	Overflow int64 // every byte below was withheld because there was no room for more
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

// Nested reads decoded text as a channel of its own. It claims what it finds where
// it was decoded from.
type Nested interface {
	// Begin forgets everything and prepares for text with these lanes in it.
	Begin(lanes Lanes)
	Read(text []decode.Byte)
	// Follows reports whether a word may follow the newest one in an indexed window.
	Follows(word []byte) bool
	// Waits returns the first byte of the channel that must not be released.
	Waits() int64
	// Park decides everything read so far as if the text ended here; it may go on.
	Park()
	// End decides everything read so far.
	End()
}

// Vocabulary is the words of the indexed windows.
type Vocabulary interface {
	Word(h ngram.Hash) bool // may this word be in an indexed window?
}
