package detect

import (
	"slices"

	"noecho/detect/internal/decode"
	"noecho/ngram"
)

// maxLaneHeld is the number of decoded bytes that a lane may hold back.
const maxLaneHeld = 8 << 10

// laneGap is the number of bytes without a decoded one behind which what a lane
// holds is decided as if its code had ended. If it goes on after all, windows over
// the gap still count.
const laneGap = 40

// decoded reads a lane: a decoder, and a detector of its own for what comes out
// of it. What that one finds is claimed where it was decoded from.
type decoded struct {
	l     *lanes
	kind  *laneKind
	dec   decode.Decoder
	inner *Detector

	marks []mark // of the decoded bytes from base on
	base  int64
	at    int64 // offset of the channel behind the last byte read
	last  int64 // offset behind the last byte that was decoded and is no plain one

	bytes []decode.Byte // scratch
	text  []byte
	segs  []Segment
	found []*Finding
	pairs []pair
}

// mark says where a decoded byte stands.
type mark struct {
	lo    int64
	size  int32
	coded bool
}

// pair is a finding of the inner detector and the one that stands for it.
type pair struct {
	in, out *Finding
	done    bool // settled; pieces of it may still come
}

// newDecoded returns the reading of a lane.
func newDecoded(l *lanes, kind *laneKind) *decoded {
	c := &decoded{l: l, kind: kind, dec: decoderOf(kind.lane), inner: &Detector{}}
	if leet, ok := c.dec.(*decode.Leet); ok {
		leet.Choose = c.choose
	}
	c.inner.lanes = &lanes{d: c.inner, depth: l.depth + 1, codes: l.codes && codeLanes.Has(kind.lane), work: l.work}
	return c
}

func decoderOf(lane Lane) decode.Decoder {
	switch lane {
	case Base64:
		return decode.NewBase64()
	case Base32:
		return decode.NewBase32()
	case Hex:
		return decode.NewHex()
	case Binary:
		return decode.NewBinary()
	case Decimal:
		return decode.NewDecimal()
	case Percent:
		return decode.NewPercent()
	case Rot13:
		return decode.NewRot13()
	case Mirrored:
		return decode.NewMirrored()
	case Reversed:
		return decode.NewTurned()
	case Leet:
		return decode.NewLeet()
	case Hyphenated:
		return decode.NewHyphenated()
	}
	panic("detect: internal error: no decoder for lane " + lane.String())
}

// reset implements reading.
func (c *decoded) reset() {
	clear(c.pairs)
	c.pairs, c.marks = c.pairs[:0], c.marks[:0]
}

// wake implements reading.
func (c *decoded) wake(past []byte, at int64) {
	c.reset()
	cfg := c.l.d.cfg
	cfg.MaxHeld, cfg.Lanes = min(cfg.MaxHeld, maxLaneHeld), cfg.Lanes&c.kind.inner
	cfg.Prompt = cfg.Prompt.ExcuseOnly()
	cfg.Judge, cfg.Extent = nil, ExtentSpan // the outer detector decides
	c.inner.Reset(c.l.d.main.set, c.l.d.spec, cfg)
	c.inner.main.backward = c.kind.lane == Reversed
	c.base, c.at, c.last = 0, at, at
	c.dec.Reset(at)
	c.read(past)
	c.last = c.at
}

// read implements reading. Bytes go one by one: what a decoder chooses depends on
// the words before.
func (c *decoded) read(p []byte) {
	for i := range p {
		c.bytes = c.dec.Append(c.bytes[:0], p[i:i+1])
		c.at++
		c.take()
		if c.at-c.last == laneGap && codeLanes.Has(c.kind.lane) {
			c.park() // the code has ended, it seems
		}
	}
}

// take reads what was decoded.
func (c *decoded) take() {
	if len(c.bytes) == 0 {
		return
	}
	c.text = c.text[:0]
	for _, b := range c.bytes {
		c.text = append(c.text, b.Value)
		c.marks = append(c.marks, mark{lo: b.Lo, size: int32(b.Hi - b.Lo), coded: b.Coded})
		if b.Coded {
			c.last = b.Hi
		}
	}
	c.l.work.read += int64(len(c.bytes))
	c.segs = c.inner.Append(c.segs[:0], c.text)
	c.settle()
}

// settle claims what the inner detector found.
func (c *decoded) settle() {
	for _, s := range c.segs {
		if s.Finding != nil {
			c.claim(s.Finding, s.Span)
		}
	}
	c.found = c.inner.Closed(c.found[:0])
	for _, f := range c.found {
		c.close(f)
	}
	n := c.inner.Frontier() - c.base
	if n == 0 {
		return
	}
	c.marks = c.marks[:copy(c.marks, c.marks[n:])]
	c.base += n
	c.pairs = slices.DeleteFunc(c.pairs, func(p pair) bool { return p.done && p.in.Span.Hi <= c.base })
}

// claim claims decoded bytes for a finding. What stands there as it is has been
// found already by whoever reads the channel as it stands.
func (c *decoded) claim(in *Finding, span ngram.Span) {
	marks := c.marks[span.Lo-c.base : span.Hi-c.base]
	p := c.of(in)
	if p == nil {
		coded := false
		for _, m := range marks {
			coded = coded || m.coded
		}
		if !coded {
			return
		}
		c.pairs = append(c.pairs, pair{in: in, out: &Finding{}})
		p = &c.pairs[len(c.pairs)-1]
	}
	if p.done {
		return
	}
	last := marks[len(marks)-1]
	raw := ngram.Span{Lo: marks[0].lo, Hi: last.lo + int64(last.size)}
	c.describe(p.out, in)
	c.l.d.claim(p.out, raw)
}

// of returns the pair of a finding of the inner detector, nil if it has none.
func (c *decoded) of(in *Finding) *pair {
	for i := range c.pairs {
		if c.pairs[i].in == in {
			return &c.pairs[i]
		}
	}
	return nil
}

// describe says of a finding what is known of it.
func (c *decoded) describe(out, in *Finding) {
	out.Kind, out.Lane = in.Kind, c.kind.lane.within(in.Lane.outer())
	out.Words, out.Windows, out.Digests = in.Words, in.Windows, in.Digests
	out.Places, out.Phrase = in.Places, in.Phrase
}

// close settles a finding, of which pieces may still be held. Echoes are not
// reported: the client's own text is no finding, and is logged where it stands as
// it is.
func (c *decoded) close(in *Finding) {
	if in.Echo {
		return
	}
	if in.Span.Hi > c.base {
		c.claim(in, ngram.Span{Lo: max(in.Span.Lo, c.base), Hi: in.Span.Hi})
	}
	if p := c.of(in); p != nil && !p.done {
		c.describe(p.out, in)
		c.l.d.settle(p.out)
		p.done = true
	}
}

// idle implements reading.
func (c *decoded) idle() bool {
	if c.kind.quiet > 0 {
		return c.at-c.last > c.kind.quiet
	}
	w := &c.l.watch
	if c.kind.lane == Rot13 {
		return w.moved == 0
	}
	return w.turned == 0
}

// waits implements reading.
func (c *decoded) waits() int64 {
	free := c.dec.Frontier()
	if n := c.inner.Frontier() - c.base; n < int64(len(c.marks)) {
		free = min(free, c.marks[n].lo)
	}
	for i := range c.pairs {
		if p := &c.pairs[i]; !p.done {
			free = min(free, p.out.Span.Hi) // it may go on
		}
	}
	return free
}

// park implements reading.
func (c *decoded) park() {
	c.segs = c.inner.Park(c.segs[:0])
	c.settle()
}

// end implements reading.
func (c *decoded) end() {
	c.bytes = c.dec.Finish(c.bytes[:0])
	c.take()
	c.segs = c.inner.Finish(c.segs[:0])
	c.settle()
	for i := range c.pairs {
		if p := &c.pairs[i]; !p.done {
			c.l.d.settle(p.out)
		}
	}
	c.reset()
}

// choose returns which reading of a word follows the word before, the first one
// if none does.
func (c *decoded) choose(readings [][]byte) int {
	t := &c.inner.main
	if t.count == 0 {
		return 0
	}
	for i, r := range readings {
		var word [ngram.MaxWordBytes]byte
		n := 0
		for _, b := range r {
			if b == '\'' {
				continue
			}
			if b == '@' || b == '$' || b == '!' {
				if n > 0 {
					break // the first of its words
				}
				continue
			}
			if b >= 'A' && b <= 'Z' {
				b |= 0x20
			}
			word[n] = b
			n++
		}
		if n == 0 {
			continue
		}
		end := ngram.Roll(t.prefix(t.count), c.inner.spec.Suite.Sum(word[:n]))
		if t.set.Gate2(ngram.Gram(t.prefix(t.count-1), end, 2)) {
			return i
		}
	}
	return 0
}

var _ reading = (*decoded)(nil)
