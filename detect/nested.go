package detect

import (
	"math"
	"slices"

	"noecho/detect/internal/decode"
	"noecho/detect/internal/lane"
	"noecho/ngram"
)

// maxNestedHeld is how many decoded bytes of a lane may wait.
const maxNestedHeld = 8 << 10

// nested detects in the text that a lane decoded. For each finding of its inner detector
// it claims the bytes of the channel that the finding was decoded from.
type nested struct {
	outer *host
	lane  Lane // Plain: the text was not decoded, and only findings that have words of the prompt count
	inner Detector

	marks []mark // of the decoded bytes from base on
	base  int64
	first int64 // offset of the first decoded byte in the channel
	pairs []pair

	text  []byte // scratch
	segs  []Segment
	found []*Finding
}

// mark is the bytes of the channel that a decoded byte was made from.
type mark struct {
	lo    uint32 // bytes of the channel behind first
	size  uint16
	coded bool // the byte was spelled otherwise than as itself
}

// keptMarks is how many marks a reader keeps room for once its lane sleeps.
const keptMarks = 1 << 10

// pair is a finding of the inner detector and its finding in the channel.
type pair struct {
	in, out *Finding
	done    bool // settled; pieces of it may still come
}

// Begin implements lane.Nested.
func (n *nested) Begin(lanes lane.Lanes) {
	n.forget()
	n.base = 0
	cfg := n.outer.d.cfg
	cfg.MaxHeld, cfg.Lanes = min(cfg.MaxHeld, maxNestedHeld), cfg.Lanes&lanes
	cfg.Prompt = cfg.Prompt.ExcuseOnly()
	cfg.Judge, cfg.Extent = nil, ExtentSpan // the outer detector decides
	cfg.decoded, cfg.Answer, cfg.Cut = n.lane, nil, nil
	n.inner.Reset(n.outer.d.index, n.outer.d.spec, cfg)
}

func (n *nested) forget() {
	clear(n.pairs)
	n.pairs, n.marks = n.pairs[:0], n.marks[:0]
	if cap(n.marks) > keptMarks {
		n.marks = nil
	}
}

// Read implements lane.Nested.
func (n *nested) Read(bytes []decode.Byte) {
	n.text = n.text[:0]
	for _, b := range bytes {
		n.text = append(n.text, b.Value)
		if n.base == 0 && len(n.marks) == 0 {
			n.first = b.Lo
		}
		n.marks = append(n.marks, mark{lo: uint32(b.Lo - n.first), size: uint16(b.Hi - b.Lo), coded: b.Coded})
	}
	n.segs = n.inner.Append(n.segs[:0], n.text)
	n.settle()
}

// settle claims the bytes that the inner detector withheld, and closes its findings.
func (n *nested) settle() {
	for _, s := range n.segs {
		if s.Finding != nil {
			n.claim(s.Finding, s.Span)
		}
	}
	n.found = n.inner.Closed(n.found[:0])
	for _, f := range n.found {
		n.close(f)
	}
	decided := n.inner.Frontier() - n.base
	if decided == 0 {
		return
	}
	n.marks = n.marks[:copy(n.marks, n.marks[decided:])]
	n.base += decided
	n.pairs = slices.DeleteFunc(n.pairs, func(p pair) bool { return p.done && p.in.Span.Hi <= n.base })
}

// claim claims the bytes that decoded bytes of a finding were made from. Bytes that are
// spelled as themselves have been found already by reading the channel as it is.
func (n *nested) claim(in *Finding, span ngram.Span) {
	marks := n.marks[span.Lo-n.base : span.Hi-n.base]
	p := n.of(in)
	if p == nil {
		if n.lane == Plain && !in.Guessed && (in.Kind == Phrase || in.Windows > 0) || !slices.ContainsFunc(marks, func(m mark) bool { return m.coded }) {
			return
		}
		n.pairs = append(n.pairs, pair{in: in, out: &Finding{}})
		p = &n.pairs[len(n.pairs)-1]
	}
	if p.done {
		return
	}
	first, last := n.span(marks[0]), n.span(marks[len(marks)-1])
	n.describe(p)
	n.outer.claim(p.out, ngram.Span{Lo: first.Lo, Hi: last.Hi})
}

// span returns the bytes of the channel that a decoded byte was made from.
func (n *nested) span(m mark) ngram.Span {
	lo := n.first + int64(m.lo)
	return ngram.Span{Lo: lo, Hi: lo + int64(m.size)}
}

// of returns the pair of a finding of the inner detector, nil if it has none.
func (n *nested) of(in *Finding) *pair {
	for i := range n.pairs {
		if n.pairs[i].in == in {
			return &n.pairs[i]
		}
	}
	return nil
}

// describe copies the fields of the inner finding.
func (n *nested) describe(p *pair) {
	in, out := p.in, p.out
	out.Kind, out.Lane = in.Kind, lane.Nest(n.lane, in.Lane)
	out.Words, out.Windows, out.Digests = in.Words, in.Windows, in.Digests
	out.Places, out.Phrase = in.Places, in.Phrase
	out.Guessed = in.Guessed
}

// close settles a finding, of which some bytes may still wait. Echoes are not reported:
// the client's own text is no finding, and is logged where it is plain.
func (n *nested) close(in *Finding) {
	if in.Echo {
		return
	}
	if in.Span.Hi > n.base {
		n.claim(in, ngram.Span{Lo: max(in.Span.Lo, n.base), Hi: in.Span.Hi})
	}
	if p := n.of(in); p != nil && !p.done {
		n.describe(p)
		n.outer.settle(p.out)
		p.done = true
	}
}

// Follows implements lane.Nested.
func (n *nested) Follows(word []byte) bool {
	t := &n.inner.main
	if t.Count == 0 {
		return false
	}
	end := ngram.Roll(t.Prefix(t.Count), n.inner.spec.Suite.Sum(word))
	return t.Set.Gate2(ngram.Gram(t.Prefix(t.Count-1), end, 2))
}

// Waits implements lane.Nested.
func (n *nested) Waits() int64 {
	free := int64(math.MaxInt64)
	if i := n.inner.Frontier() - n.base; i < int64(len(n.marks)) {
		free = n.span(n.marks[i]).Lo
	}
	for i := range n.pairs {
		if p := &n.pairs[i]; !p.done && (!n.inner.main.Strict || p.out.Action > Observe) {
			free = min(free, p.out.Span.Hi) // it may grow
		}
	}
	return free
}

// Suspects implements lane.Nested.
func (n *nested) Suspects() bool { return n.inner.suspects() }

// Park implements lane.Nested.
func (n *nested) Park() {
	n.segs = n.inner.Park(n.segs[:0])
	n.settle()
}

// End implements lane.Nested.
func (n *nested) End() {
	n.segs = n.inner.Finish(n.segs[:0])
	n.settle()
	for i := range n.pairs {
		if p := &n.pairs[i]; !p.done {
			n.outer.settle(p.out)
		}
	}
	n.forget()
}

var _ lane.Nested = (*nested)(nil)
