package relay

import (
	"hash/maphash"
	"strconv"
	"strings"

	"noecho/detect"
	"noecho/proxy/wire"
)

// choice is one of the answers that a response holds side by side.
type choice struct {
	number   int32  // -1: what belongs to none
	list     string // what holds it, in the names of channels; empty: it is the only one
	state    choiceState
	withheld bool    // something of it did not leave: its logprobs and ids go
	blocked  bool    // it ends before a finding
	parts    []int32 // items of which something did not leave, as many as are kept
	reported bool    // something of it was reported
	spoke    uint64  // message in which it carried text of the answer
	ended    uint64  // message in which its end was announced
}

// choiceState is what the caller has seen of a choice.
type choiceState uint8

const (
	choiceUnseen choiceState = iota
	choiceOpen
	choiceClosed
)

// channel is one text stream of an answer.
type channel struct {
	choice     *choice
	item       int32
	part       int32
	name       string
	role       wire.Role // Text, Aside or Token
	det        *detect.Detector
	length     int64           // bytes of text read
	frontier   int64           // bytes of text decided
	cuts       []wire.Cut      // decided, not yet past, must not leave
	last       *detect.Finding // of the last cut
	spans      uint64          // cut so far
	block      int64           // where the span begins that ends the answer; math.MaxInt64: none
	cutter     wire.Cutter
	beforeLast wire.Cutter     // cutter before the piece that ends at cutTo
	fresh      wire.Cutter     // cutter before the first piece
	cutTo      int64           // end of the text that went through cutter
	cutItem    int32           // the item that cutter is in, if items share the channel
	origin     int32           // the item that carried text last
	fed        uint64          // message that carried text last
	rule       int32           // rule of the place that carried it first
	start      int64           // where that message's text begins
	lo, hi     int             // the same in channelSet.text
	names      []alias         // places that have held the text
	apart      []int32         // rules whose places hold a text of their own
	keeps      bool            // cuts are kept: the text may come once more
	sum        maphash.Hash    // of the text read, if the text may come once more
	latest     segmentSoFar    // of the text, if it comes in several
	pieced     bool            // pieces of it have come
	repeats    int             // places that wait and hold all of a text once more
	ended      uint64          // message that held all of the text once more, or the same as ever
	constancy  constancy       // of the pieces, if the family has no rule for them
	first      uint64          // sum of the first piece
	ref        int             // token: its place in the message
	secret     *detect.Finding // token: the first finding
	cumulation cumulation      // how a text comes that may come as a whole each time
}

// cumulation is how a text comes whose messages may each hold all of it so far, or
// only what is new: with some servers that is an option of theirs.
type cumulation uint8

const (
	unknown     cumulation = iota // nothing has come, or once
	cumulative                    // all of it each time
	uncertain                     // the same, but for the message before
	incremental                   // what is new
)

// after returns the cumulation after a message that does, or does not, begin with
// all that came before.
func (c cumulation) after(begins bool) cumulation {
	switch {
	case c == incremental:
		return incremental
	case begins:
		return cumulative
	case c == cumulative: // a server may cut the last one short
		return uncertain
	}
	return incremental
}

// place is where a channel stands within its choice.
type place struct {
	item, part int32
	name       string
}

// cut notes a piece that must not leave. Pieces that touch are one to the reader
// if they were found in different ways.
func (ch *channel) cut(s *detect.Segment) {
	if s.Finding.Action == detect.Block {
		ch.block = min(ch.block, s.Span.Lo)
	}
	if s.Finding != ch.last {
		n := len(ch.cuts) - 1
		if ch.last == nil || ch.last.Kind == s.Finding.Kind || n < 0 || ch.cuts[n].Hi != s.Span.Lo {
			ch.spans++
		}
		ch.last = s.Finding
	}
	if n := len(ch.cuts) - 1; n >= 0 && ch.cuts[n].Hi == s.Span.Lo && ch.cuts[n].Seq == ch.spans {
		ch.cuts[n].Hi = s.Span.Hi
		return
	}
	ch.cuts = append(ch.cuts, wire.Cut{Lo: s.Span.Lo, Hi: s.Span.Hi, Seq: ch.spans})
}

// another reports whether a string beside the answer begins a text of its own:
// items may share its channel, but none goes on with another's.
func (ch *channel) another(f *wire.Field, message uint64) bool {
	return ch.role == wire.Metadata && ch.item < 0 && f.Item >= 0 && ch.length > 0 && (ch.fed == message || ch.origin != f.Item)
}

// label is the channel's name in an alert.
func (ch *channel) label() string {
	name := strings.Replace(ch.name, "#", strconv.Itoa(int(ch.item)), 1)
	name = strings.Replace(name, "#", strconv.Itoa(int(ch.part)), 1)
	if ch.choice.number < 0 || ch.choice.list == "" {
		return name
	}
	return ch.choice.list + "." + strconv.Itoa(int(ch.choice.number)) + "." + name
}
