package relay

import (
	"cmp"
	"math"
	"slices"

	"noecho/detect"
	"noecho/proxy/wire"
)

// release appends, in order, the messages whose texts are all decided.
func (r *Relay) release(dst []byte) []byte {
	if !r.cfg.Hold {
		return dst
	}
	if r.cfg.Late && !r.begun {
		decided, blocked := r.channels.beginning()
		switch {
		case blocked:
			r.counts.Refused += int64(r.queue.partial())
			r.end(ErrBlocked)
			return dst
		case !decided:
			return dst
		}
	}
	for r.queue.held() > 0 {
		it, raw, refs := r.queue.front()
		for ; r.queue.decided < len(refs); r.queue.decided++ {
			if p := &refs[r.queue.decided]; p.channel != nil && p.hi > p.channel.frontier {
				return dst
			}
		}
		dst = r.emit(dst, it, raw, refs)
		if r.state == relayEnded {
			return dst
		}
		r.channels.forgetCuts(refs)
		r.queue.pop()
	}
	return dst
}

// emit appends one message: as it came, spliced, or as the last one of the answer.
func (r *Relay) emit(dst []byte, it item, raw []byte, refs []ref) []byte {
	fate := r.channels.fateOf(refs)
	if len(refs) > 0 {
		r.documents++
	}
	if fate == blockHere {
		return r.block(dst, it, raw, refs)
	}
	r.channels.trackChoices(refs)
	switch {
	case fate == untouched:
		r.begun = true
		if it.length > 0 {
			r.ending.Sent(r.payload(it, raw))
		}
		return append(dst, raw...)
	case r.channels.messageGoes(refs):
		return dst
	}
	return r.sentAnew(r.splice(dst, it, raw, refs), len(dst))
}

// payload returns the payload of a queued message.
func (r *Relay) payload(it item, raw []byte) []byte {
	if it.at < 0 {
		return r.framer.Parse(raw).Payload
	}
	return raw[it.at : it.at+it.length]
}

// sentAnew notes that the message that dst ends with, from at on, leaves. It was changed,
// so its payload is looked for again.
func (r *Relay) sentAnew(dst []byte, at int) []byte {
	r.begun = true
	if r.ending != nil {
		if m := r.framer.Parse(dst[at:]); len(m.Payload) > 0 {
			r.ending.Sent(m.Payload)
		}
	}
	return dst
}

// block appends a message up to its blocked span, ends every open choice as filtered,
// and ends the stream.
func (r *Relay) block(dst []byte, it item, raw []byte, refs []ref) []byte {
	if r.ending == nil { // a document
		r.end(ErrBlocked)
		return r.cfg.Family.Failure(dst, wire.Withheld)
	}
	over := false // the blocked span begins before this place
	for i := range refs {
		p := &refs[i]
		switch {
		case p.channel == nil:
			continue
		case p.isCut() && p.channel.out.block < math.MaxInt64:
			over = true
		case over && p.channel.answer != nil && p.channel.answer == r.channels.blocked && p.hi > p.channel.out.left:
			p.channel.out.block = min(p.channel.out.block, max(p.lo, p.channel.out.left)) // its answer was read no further
		default:
			continue
		}
		p.channel.out.end()
		if p.form == wire.Nested {
			p.form = wire.Plain // JSON text that is cut off is no JSON any longer
		}
	}
	if at := len(dst); !r.channels.messageGoes(refs) {
		dst = r.sentAnew(r.framer.AppendEnd(r.splice(dst, it, raw, refs)), at)
	}
	r.channels.trackChoices(refs)
	var open []int32
	for _, c := range r.channels.choices {
		if c.state == choiceOpen {
			open = append(open, c.number)
		}
	}
	slices.Sort(open)
	w := wire.Writer{Framer: r.framer, Begun: r.begun, Request: &r.cfg.Request, Out: dst}
	r.ending.Write(&w, open)
	w.Close()
	dst = w.Out
	r.counts.Refused += int64(r.queue.partial())
	r.end(ErrBlocked)
	return dst
}

// splice appends a message without its cuts.
func (r *Relay) splice(dst []byte, it item, raw []byte, refs []ref) []byte {
	if it.at >= 0 {
		return r.spliceInto(dst, raw, refs, inText)
	}
	payload := r.spliceInto(nil, r.payload(it, raw), refs, inPayload)
	return r.framer.Rewrite(dst, r.spliceInto(nil, raw, refs, aroundPayload), payload)
}

// where selects places of a message: a payload on several lines and the lines around it
// are spliced one after the other.
type where uint8

const (
	inText        where = iota // all places
	inPayload                  // those in the payload
	aroundPayload              // those outside of it
)

// has reports whether a place is selected.
func (w where) has(p *ref) bool { return w == inText || (w == aroundPayload) == (p.form == wire.Raw) }

// spliceInto appends src, whose places are those of refs that w selects, without its cuts.
func (r *Relay) spliceInto(dst, src []byte, refs []ref, w where) []byte {
	pos := 0
	for i := range refs {
		p := &refs[i]
		if p.at < pos || !w.has(p) {
			continue
		}
		switch {
		case r.channels.drops(p),
			p.role == wire.End && p.instead != "" && p.choice.blocked:
			dst = append(append(dst, src[pos:p.at]...), p.instead...)
		case p.channel != nil && p.role != wire.Token && (p.isCut() || p.form >= wire.Nested):
			dst = append(dst, src[pos:p.at]...)
			dst = p.channel.out.splice(dst, src[p.at:p.end], p)
		default:
			continue
		}
		pos = p.end
	}
	return append(dst, src[pos:]...)
}

// fate is how a message leaves.
type fate uint8

const (
	untouched fate = iota // byte for byte
	rewritten             // a value is dropped, or the cutter has to follow its JSON text
	cutHere               // without a span of its text
	blockHere             // up to a span that ends the answer
)

// fateOf returns the fate of a message and marks its choices and items whose text is
// withheld.
func (s *channelSet) fateOf(refs []ref) fate {
	f := untouched
	for i := range refs {
		p := &refs[i]
		switch {
		case p.channel == nil:
		case p.isCut():
			f = max(f, cutHere)
			if p.hi > p.channel.out.block {
				f, p.choice.blocked = blockHere, true
			}
			p.choice.withheld, s.withheld = true, true
			p.choice.lose(p.item)
		case f == untouched && (p.form == wire.Nested || p.form == wire.Document):
			f = rewritten
		}
	}
	if f != untouched || !s.withheld {
		return f
	}
	for i := range refs {
		if s.drops(&refs[i]) {
			return rewritten
		}
	}
	return f
}

// lose notes that some text of an item did not leave.
func (c *choice) lose(item int32) {
	if item >= 0 && len(c.lost) < wire.MaxChannels && !slices.Contains(c.lost, item) {
		c.lost = append(c.lost, item)
	}
}

// messageGoes reports whether a message is left out, because it would say nothing without
// a value that is dropped.
func (s *channelSet) messageGoes(refs []ref) bool {
	return slices.ContainsFunc(refs, func(p ref) bool { return p.role == wire.DropMessage && s.drops(&p) })
}

// drops reports whether a value is dropped because some text of its item or choice was
// withheld.
func (s *channelSet) drops(p *ref) bool {
	if p.role != wire.Drop && p.role != wire.DropMessage {
		return false
	}
	if p.item >= 0 && len(p.choice.lost) < wire.MaxChannels && !s.noChoice.withheld {
		return slices.Contains(p.choice.lost, p.item)
	}
	return p.choice.withheld || s.noChoice.withheld || p.choice == s.noChoice && s.withheld
}

// isCut reports whether a cut is in the text of a place.
func (p *ref) isCut() bool {
	cuts := p.channel.out.from(p.lo)
	return len(cuts) > 0 && cuts[0].Lo < p.hi
}

// trackChoices notes which choices a message that leaves begins and ends.
func (s *channelSet) trackChoices(refs []ref) {
	for i := range refs {
		switch c := refs[i].choice; {
		case refs[i].role == wire.Begin && c.state == choiceUnseen:
			c.state = choiceOpen
		case refs[i].role == wire.End:
			c.state = choiceClosed
		}
	}
}

// forgetCuts forgets the cuts of a message that has left, unless a copy may come.
func (s *channelSet) forgetCuts(refs []ref) {
	releaseRepeats(refs)
	for i := range refs {
		ch := refs[i].channel
		if ch == nil {
			continue
		}
		ch.out.left = max(ch.out.left, refs[i].hi)
		r := &ch.repeat
		if r.keeps = r.keeps && (len(ch.out.cuts) <= maxKept || r.waiting > 0); !r.keeps {
			ch.out.forget(refs[i].hi)
		}
	}
}

// output has the cuts of a channel, the byte ranges of its text that must not leave, and
// the state of the cutter, which has to see the pieces in order.
type output struct {
	cuts       []wire.Cut      // ascending; those that are no longer needed are forgotten
	last       *detect.Finding // of the last cut
	spans      uint64          // masked so far
	lates      uint64          // segments that cutLate cut
	block      int64           // where the span begins that ends the answer; math.MaxInt64: none
	cutter     wire.Cutter     // behind the text up to cutTo
	beforeLast wire.Cutter     // its state before the last piece
	cutTo      int64
	left       int64 // the text before it has left, or was cut
	item       int32 // of the last piece, if items share the channel
}

// cut adds a segment that must not leave. Two findings that touch get one mask if they
// are of different kinds: they are two views of one leak.
func (o *output) cut(s *detect.Segment) {
	if s.Finding.Action == detect.Block {
		o.block = min(o.block, s.Span.Lo)
	}
	n := len(o.cuts) - 1
	touches := n >= 0 && o.cuts[n].Hi == s.Span.Lo
	if s.Finding != o.last {
		if !touches || o.last == nil || o.last.Kind == s.Finding.Kind {
			o.spans++
		}
		o.last = s.Finding
	}
	if touches && o.cuts[n].Seq == o.spans {
		o.cuts[n].Hi = s.Span.Hi
		return
	}
	o.cuts = append(o.cuts, wire.Cut{Lo: s.Span.Lo, Hi: s.Span.Hi, Seq: o.spans})
}

// cutLate adds a segment behind which others were decided already. Bytes that are cut
// anyway stay as they are.
func (o *output) cutLate(s *detect.Segment) {
	if s.Finding.Action == detect.Block {
		o.block = min(o.block, s.Span.Lo)
	}
	if n := len(o.cuts); n == 0 || o.cuts[n-1].Hi <= s.Span.Lo {
		o.cut(s)
		return
	}
	o.lates++
	for lo := s.Span.Lo; lo < s.Span.Hi; {
		i, hi := 0, s.Span.Hi
		for i < len(o.cuts) && o.cuts[i].Hi <= lo {
			i++
		}
		if i < len(o.cuts) {
			if o.cuts[i].Lo <= lo {
				lo = o.cuts[i].Hi
				continue
			}
			hi = min(hi, o.cuts[i].Lo)
		}
		o.cuts = slices.Insert(o.cuts, i, wire.Cut{Lo: lo, Hi: hi, Seq: math.MaxUint64 - o.lates})
		lo = hi
	}
}

// end cuts all text from the blocked span on, without a mask.
func (o *output) end() {
	n := 0
	for n < len(o.cuts) && o.cuts[n].Hi <= o.block {
		n++
	}
	o.cuts = append(o.cuts[:n], wire.Cut{Lo: o.block, Hi: math.MaxInt64, Seq: o.spans + 1, Bare: true})
}

// from returns the cuts that end behind lo.
func (o *output) from(lo int64) []wire.Cut {
	if len(o.cuts) == 0 || o.cuts[0].Hi > lo {
		return o.cuts
	}
	i, _ := slices.BinarySearchFunc(o.cuts, lo, func(c wire.Cut, lo int64) int { return cmp.Compare(c.Hi, lo+1) })
	return o.cuts[i:]
}

// forget forgets the cuts that end at hi or before.
func (o *output) forget(hi int64) {
	n := 0
	for n < len(o.cuts) && o.cuts[n].Hi <= hi {
		n++
	}
	switch {
	case n == len(o.cuts) && n > minCompact:
		o.cuts = nil
	case n > 0:
		o.cuts = append(o.cuts[:0], o.cuts[n:]...)
	}
}

// splice appends the literal of a place without its cuts. A second place of a piece is
// cut from the same state as the first, and a copy of a whole text from the beginning.
func (o *output) splice(dst, literal []byte, p *ref) []byte {
	if repeatsAll(p.role) {
		fresh := o.cutter
		fresh.Restart()
		again := fresh
		dst = again.Append(dst, literal, p.form, p.lo, o.from(p.lo))
		if p.role == wire.Cumulative { // a piece may follow it
			o.beforeLast, o.cutter, o.cutTo, o.item = fresh, again, p.hi, p.item
		}
		return dst
	}
	if p.lo < o.cutTo {
		again := o.beforeLast
		return again.Append(dst, literal, p.form, p.lo, o.from(p.lo))
	}
	if p.channel.item < 0 && o.item != p.item {
		o.item = p.item
		o.cutter.Restart()
	}
	o.beforeLast, o.cutTo = o.cutter, p.hi
	return o.cutter.Append(dst, literal, p.form, p.lo, o.from(p.lo))
}
