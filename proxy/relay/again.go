package relay

import (
	"hash/maphash"

	"noecho/proxy/wire"
)

// maxKept is the number of cuts that a channel keeps for the time when its
// text comes once more.
const maxKept = 1 << 14

// again reads a place that holds all of a text once more. If what its channel
// has read is the beginning of it, place and channel are one text: the place is
// cut as the pieces were, and only what is new is judged. Anything else is
// a text of its own, and is judged from its beginning, unless it shows that the
// text comes in pieces after all: then it is the next one.
func (s *channelSet) again(dst []ref, c *choice, f *wire.Field, p ref, text []byte) ([]ref, error) {
	ch, err := s.channel(c, place{f.Item, f.Part, f.Name}, wire.Text)
	if err != nil {
		return dst, err
	}
	sofar := f.Role == wire.Cumulative
	from, begins := ch.begins(text, s)
	if sofar && ch.length > 0 && !ch.pieced {
		ch.cumulation = ch.cumulation.after(begins)
	}
	if f.Role == wire.Final { // what follows is the next text
		ch.ended, ch.latest.complete = s.message, true
	}
	more := text
	switch {
	case sofar && ch.cumulation == incremental && !ch.pieced:
		p.role, p.lo = wire.Text, ch.length
	case !begins:
		return s.apart(dst, c, f, p, text)
	default:
		more, p.lo = text[ch.length-from:], from
		ch.repeats++
	}
	if len(more) > 0 {
		if ch.fed != s.message {
			ch.start, ch.rule = ch.length, f.Rule
		}
		s.feed(ch, more)
		c.spoke = s.message
	}
	return s.add(dst, ch, p), nil
}

// segmentSoFar is what a channel has read since its text came once more as a whole:
// the parts of an item share a channel, and each comes once more when it ends.
type segmentSoFar struct {
	start    int64
	sum      maphash.Hash
	complete bool // it has come once more: what follows is the next one
}

// begins reports whether text begins with all that the channel has read, or
// with all of its latest segmentSoFar, and where in the channel that starts.
func (ch *channel) begins(text []byte, s *channelSet) (from int64, ok bool) {
	if ch.length == 0 {
		return 0, true
	}
	if !ch.keeps {
		return 0, false
	}
	holds := func(from int64, sum uint64) bool {
		n := ch.length - from
		return int64(len(text)) >= n && maphash.Bytes(s.seed, text[:n]) == sum
	}
	switch {
	case holds(0, ch.sum.Sum64()):
		return 0, true
	case ch.latest.start > 0 && holds(ch.latest.start, ch.latest.sum.Sum64()):
		return ch.latest.start, true
	}
	return 0, false
}

// next begins a text of its own in a channel whose last one is over.
func (ch *channel) next(s *channelSet) {
	s.addSeparator(ch)
	ch.latest = segmentSoFar{start: ch.length}
	ch.latest.sum.SetSeed(s.seed)
}

// releaseRepeats notes that places of a message wait no longer.
func releaseRepeats(refs []ref) {
	for i := range refs {
		if r := &refs[i]; r.role == wire.Final || r.role == wire.Cumulative {
			r.channel.repeats--
		}
	}
}

// apart reads a text that should have been a channel's and is not.
func (s *channelSet) apart(dst []ref, c *choice, f *wire.Field, p ref, text []byte) ([]ref, error) {
	ch, err := s.channel(c, place{f.Item, f.Part, f.Path}, wire.Text)
	if err != nil {
		return dst, err
	}
	s.addSeparator(ch)
	p.role, p.lo = wire.Text, ch.length
	ch.ended = s.message
	s.feed(ch, text)
	return s.add(dst, ch, p), nil
}
