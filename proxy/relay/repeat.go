package relay

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"

	"noecho/proxy/wire"
)

// Servers send one text more than once. Its channel reads and judges it once, and each
// copy is cut where the first one was:
//
//	two names, one text     {"reasoning":"a b","reasoning_content":"a b"}    Alias
//	all of it so far        {"text":"a"} {"text":"a b"} {"text":"a b c"}     Cumulative
//	all of it at the end    {"delta":"a"} {"delta":" b"} {"text":"a b"}      Final
//
// By its role a place may have a copy. Whether it has one is decided by its bytes, so
// that no other text gets past the detector: relate compares them, and a text that is no
// copy is read like any other.

// maxKept is the number of cuts that a channel keeps for copies to come. A channel
// with more of them takes no copy for one any longer.
const maxKept = 1 << 14

// keptTail is the number of bytes that a name of a text keeps of the text said under it.
const keptTail = 1 << 10

// repeat has the fields of a channel that tell copies of its text from new text.
type repeat struct {
	// Copies in the message that is being read.
	start  int64 // where in the channel the text of this message begins, separator included
	rule   int32 // of the place that had it first
	lo, hi int   // the same text in channelSet.text
	names  []alias
	apart  []int32 // rules whose places have a text of their own

	// Copies in later messages.
	keeps      bool         // the channel keeps its cuts, for copies to come
	all        segmentSoFar // the text of the channel
	latest     segmentSoFar // the text behind the last complete one; start 0: none was complete
	complete   bool         // the latest segment is, so the next piece begins another one
	pieced     bool         // some place had a piece of the text only
	waiting    int          // queued places that have a copy
	cumulation cumulation

	constancy constancy
	first     uint64 // hash of the first piece

	ids  []saidID // of a channel of ids or labels; of strings without a rule, the newest of each item
	last int      // the newest of them
}

// saidID is an id, a label or a string in a channel of them.
type saidID struct {
	sum     uint64
	lo, hi  int64
	rule    int32 // of the place that had it first
	item    int32
	message uint64
}

// copyOf returns an id or a whole label that text is a copy of: the newest one, or one that
// another place had first. Servers write the id and the name of a call into each piece of the
// call, or once more at its end. Ids of one place that are equal may be the words of a text.
func (ch *channel) copyOf(rule int32, text []byte) (saidID, bool) {
	r := &ch.repeat
	sum := maphash.Bytes(r.all.sum.Seed(), text)
	for i, id := range r.ids {
		if id.sum == sum && (id.rule != rule || i == r.last) {
			r.last = i
			return id, true
		}
	}
	if len(r.ids) < wire.MaxChannels {
		r.last = len(r.ids)
		lo := ch.length + 1 // behind the separator
		r.ids = append(r.ids, saidID{sum: sum, lo: lo, hi: lo + int64(len(text)), rule: rule})
	}
	return saidID{}, false
}

// copyInItem returns the newest string of an item, or of none, in a channel without a rule, if one
// message had it, an earlier one, and text is equal to it. Servers send an item when it begins and
// once more when it ends, and some strings in every message. Different strings of several messages
// are pieces, and equal pieces no copies.
func (ch *channel) copyInItem(item int32, text []byte, message uint64) (saidID, bool) {
	r := &ch.repeat
	i := slices.IndexFunc(r.ids, func(id saidID) bool { return id.item == item })
	if i < 0 {
		return saidID{}, false
	}
	id := r.ids[i]
	return id, id.message < message && id.sum == maphash.Bytes(r.all.sum.Seed(), text)
}

// saidInItem notes the newest string of an item, the next text of the channel.
func (ch *channel) saidInItem(item int32, text []byte, message uint64) {
	r := &ch.repeat
	said := saidID{sum: maphash.Bytes(r.all.sum.Seed(), text), lo: ch.length, hi: ch.length + int64(len(text)), item: item, message: message}
	if i := slices.IndexFunc(r.ids, func(id saidID) bool { return id.item == item }); i >= 0 {
		if r.ids[i].message < message {
			said.message = math.MaxUint64
		}
		r.ids[i] = said
	} else if len(r.ids) < wire.MaxChannels {
		r.ids = append(r.ids, said)
	}
}

// segmentSoFar is the text of a channel from an offset on, as far as it was read. Where
// the parts of an item share a channel, the copy at the end of each part is one of the
// latest segment.
type segmentSoFar struct {
	start int64
	sum   maphash.Hash
}

// begins reports whether text begins with the segment, which has n bytes.
func (s *segmentSoFar) begins(text []byte, n int64) bool {
	return int64(len(text)) >= n && maphash.Bytes(s.sum.Seed(), text[:n]) == s.sum.Sum64()
}

// alias is a name of a text, as the rule of the places that have it.
type alias struct {
	rule int32
	end  int64  // in the channel: where the text said under this name ends
	tail []byte // of that text, keptTail bytes or up to twice as many
}

// relation is how the text of a place relates to the text of its channel.
type relation uint8

const (
	nextPiece  relation = iota // it follows that text
	copied                     // it begins with a copy of it, and may go on
	otherPiece                 // it is a piece of another text, which has a channel of its own
	otherText                  // it is all of another text, in that other channel
)

// relate tells how the text of a place, all[lo:], relates to the text of the channel. all
// is the text of the message so far. For a copy it also returns the offset in the channel
// at which the original begins.
func (ch *channel) relate(f *wire.Field, all []byte, lo int, message uint64) (relation, int64) {
	switch f.Role {
	case wire.Alias:
		return ch.relateAlias(f.Rule, all, lo, message)
	case wire.Final, wire.Cumulative:
		return ch.relateWhole(f.Role, all[lo:])
	}
	return nextPiece, 0
}

// relateAlias is relate for one name of a text with several. A client may read any one of
// the names, so the pieces said under each name have to be adjacent in the channel. A
// name whose text differs from that of another name in the same message has another text. So
// has a name that comes back after the others went on without it: the text of that name goes on
// in a channel of its own, behind the tail of the text that the name has said.
func (ch *channel) relateAlias(rule int32, all []byte, lo int, message uint64) (relation, int64) {
	r := &ch.repeat
	how, at, known := nextPiece, ch.length, r.alias(rule)
	differs := false
	if ch.fed == message && r.rule != rule {
		how, at = copied, r.start
		differs = int64(r.hi-r.lo) != ch.length-r.start || !bytes.Equal(all[lo:], all[r.lo:r.hi])
	}
	switch {
	case slices.Contains(r.apart, rule):
		return otherPiece, 0
	case differs, known != nil && known.end != at:
		r.apart = append(r.apart, rule)
		return otherPiece, 0
	}
	return how, at
}

// alias returns the name that a rule gives the text, nil if it was not used.
func (r *repeat) alias(rule int32) *alias {
	for i := range r.names {
		if r.names[i].rule == rule {
			return &r.names[i]
		}
	}
	return nil
}

// named notes that text, which ends at end, was said under the name of a rule.
func (r *repeat) named(rule int32, end int64, text []byte) {
	a := r.alias(rule)
	if a == nil {
		r.names = append(r.names, alias{rule: rule, tail: make([]byte, 0, 2*keptTail)})
		a = &r.names[len(r.names)-1]
	}
	a.end = end
	text = text[max(0, len(text)-keptTail):]
	if over := len(a.tail) + len(text) - 2*keptTail; over > 0 {
		a.tail = a.tail[:copy(a.tail, a.tail[len(a.tail)+len(text)-keptTail:])]
	}
	a.tail = append(a.tail, text...)
}

// relateWhole is relate for a text that should begin with all of the channel's text, or
// of its latest segment. If it does not, it is another text, or shows that the server
// sends only the new part each time.
func (ch *channel) relateWhole(role wire.Role, text []byte) (relation, int64) {
	r := &ch.repeat
	from, begins := int64(0), true
	switch {
	case ch.length == 0:
	case r.keeps && r.all.begins(text, ch.length):
	case r.keeps && r.latest.start > 0 && r.latest.begins(text, ch.length-r.latest.start):
		from = r.latest.start
	default:
		begins = false
	}
	cumulates := role == wire.Cumulative && !r.pieced
	if cumulates && ch.length > 0 {
		r.cumulation = r.cumulation.after(begins)
	}
	switch {
	case cumulates && r.cumulation == incremental:
		return nextPiece, 0
	case !begins:
		return otherText, 0
	}
	return copied, from
}

// read adds text to the segments of a channel.
func (r *repeat) read(text []byte) {
	if !r.keeps {
		return
	}
	_, _ = r.all.sum.Write(text) // never fails
	if r.latest.start > 0 {
		_, _ = r.latest.sum.Write(text)
	}
}

// startSegment begins the next text of a channel whose last one is complete.
func (r *repeat) startSegment(at int64) { r.complete, r.latest = false, segmentSoFar{start: at} }

// releaseRepeats notes that the copies in places of a message wait no longer.
func releaseRepeats(refs []ref) {
	for i := range refs {
		if p := &refs[i]; repeatsAll(p.role) {
			p.channel.repeat.waiting--
		}
	}
}

// repeatsAll reports whether a place with that role has all of a text, not only a piece.
func repeatsAll(role wire.Role) bool { return role == wire.Final || role == wire.Cumulative }

// cumulation records how a server streams a text of role Cumulative: each message
// repeats the whole text so far (cumulative) or has only the new part (incremental).
// Some servers make that an option, so it is inferred from the messages.
type cumulation uint8

const (
	unknown     cumulation = iota // at most one message has come
	cumulative                    // each message began with the text before it
	uncertain                     // the same, but for the last one
	incremental                   // messages have only the new part
)

// after returns the cumulation after a message that does, or does not, begin with
// the text before it.
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

// constancy records whether a text that the family has no rule for has ever said
// anything.
type constancy uint8

const (
	noPiece  constancy = iota
	constant           // all of its pieces were equal, or codes
	varied
)

// again notes a label and reports whether the one before it was equal.
func (r *repeat) again(text []byte) bool {
	sum := maphash.Bytes(r.all.sum.Seed(), text)
	same := r.constancy != noPiece && r.first == sum
	r.constancy, r.first = constant, sum
	return same
}

// constant notes a piece of a text that the family has no rule for, and reports whether
// the text has said nothing so far: all of its pieces were equal (the state of a job or
// the name of a model, which every message repeats) or codes (an id or a time of each
// message). Such a text would make every message wait for the next one, or for longer:
// ids put together are one endless word. So it is decided at once. It is still scanned:
// should it become a leak, that is found from its n-th word on.
func (r *repeat) constant(text []byte) bool {
	sum, code := maphash.Bytes(r.all.sum.Seed(), text), wire.Code(text)
	switch {
	case r.constancy == noPiece:
		r.constancy, r.first = constant, sum
		return code
	case r.constancy == constant && r.first != sum && !code:
		r.constancy = varied
	}
	return r.constancy == constant
}
