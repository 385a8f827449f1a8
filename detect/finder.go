package detect

import "noecho/ngram"

// A finder looks for one sort of finding beside the verbatim runs: near matches,
// phrases, texts in another lane. A detector has those that its config asks for
// and tells them of what it reads, in this order:
//
//	text(p)            each piece of the channel before its words are read
//	word(i)            each word of the main track, once it is there
//	waits()            before bytes are released
//	save(), restore()  around words that are only tried, when a channel is parked
//	end()              once, behind the last word
//
// A finder that has found something calls [Detector.claim] with a finding and
// the span it covers so far, as often as that grows, and [Detector.settle] when
// it does not any more. Until then it keeps the bytes behind the span held by
// waits, as far as they may still belong to it: what is released is gone.
//
// Several finders may claim the same bytes. Each finding is reported; the bytes
// are withheld once.
type finder interface {
	// reset makes the finder ready for a new channel.
	reset()
	// text is given the next bytes of the channel; Detector.read counts those
	// before.
	text(p []byte)
	// word is told of word i of the main track. While the detector is trying, the
	// word may turn out to be longer.
	word(i int64)
	// waits returns the first byte that must be held, math.MaxInt64 if none.
	waits() int64
	save()
	restore()
	// end decides what is left: the channel ends.
	end()
}

// startFinders sets up the finders that the config asks for.
func (d *Detector) startFinders() {
	d.finders = d.finders[:0]
	d.startPhrases()
	d.startNear()
	d.startLanes()
	d.startLetters()
	for _, f := range d.finders {
		f.reset()
	}
}

// text tells who looks at bytes of the next ones.
func (d *Detector) text(p []byte) {
	if d.cfg.Extent == ExtentSentence {
		d.sentences.read(p)
	}
	for _, f := range d.finders {
		f.text(p)
	}
}

// claim is a span of the channel that a finding covers.
type claim struct {
	span    ngram.Span // grows while open
	finding *Finding
	open    bool
	let     bool // observed, and no longer held until it closes
}

// withheld reports whether the bytes of a claim must not leave.
func (c *claim) withheld() bool { return c.finding.Action > Observe }

// claim makes span the span of a finding, or extends it, and asks what is to be
// done about it. What left before can not be claimed any more, but counts as
// part of the finding. The finding is open until it is settled.
func (d *Detector) claim(f *Finding, span ngram.Span) {
	c := d.claimOf(f)
	if c == nil {
		d.claims = append(d.claims, claim{span: span, finding: f, open: true})
		c = &d.claims[len(d.claims)-1]
	}
	c.span.Lo = min(c.span.Lo, span.Lo)
	c.span.Hi = max(c.span.Hi, span.Hi)
	f.Span = c.span
	d.judge(f)
}

// claimOf returns the claim of a finding, nil if it has none any more.
func (d *Detector) claimOf(f *Finding) *claim {
	for i := len(d.claims) - 1; i >= 0; i-- {
		if d.claims[i].finding == f {
			return &d.claims[i]
		}
	}
	return nil
}

// judge asks what is to be done about a finding that is new or has grown. The
// answer can only rise: what was withheld stays withheld.
func (d *Detector) judge(f *Finding) {
	action := Redact
	if d.cfg.Judge != nil {
		action = d.cfg.Judge(f)
	}
	if f.Kind == Stuffing {
		action = max(action, Redact) // it is withheld because it cannot be held
	}
	f.Action = max(f.Action, action)
	if f.Action == Block && d.blocked == nil {
		d.blocked = f
	}
}

// settle closes a finding: it is complete.
func (d *Detector) settle(f *Finding) {
	if c := d.claimOf(f); c != nil {
		c.open = false
	}
	d.closed = append(d.closed, f)
}

// settleAll closes every open finding: nothing more is read.
func (d *Detector) settleAll() {
	d.cur = nil
	for i := range d.claims {
		if c := &d.claims[i]; c.open {
			c.open = false
			d.closed = append(d.closed, c.finding)
		}
	}
}

// pending returns the first byte of findings that are only observed so far and
// may yet have to be withheld, free if there is none.
func (d *Detector) pending(free int64) int64 {
	for i := range d.claims {
		if c := &d.claims[i]; c.open && !c.let && !c.withheld() {
			free = min(free, d.extended(c.span.Lo))
		}
	}
	return free
}

// beyond returns the first byte at or behind an offset that is not withheld yet:
// what is withheld needs no finder to hold it.
func (d *Detector) beyond(at int64) int64 {
	for i := 0; i < len(d.claims); i++ {
		if c := &d.claims[i]; c.withheld() && c.span.Lo <= at && at < c.span.Hi {
			at, i = c.span.Hi, -1
		}
	}
	return at
}

// let stops holding what is only observed so far.
func (d *Detector) let() {
	for i := range d.claims {
		d.claims[i].let = true
	}
}

// cover returns the claim that withholds byte at, and where the next byte is
// about which that may differ, at most free. The finding is nil if the byte may
// leave.
func (d *Detector) cover(at, free int64) (f *Finding, end int64) {
	end = free
	var best *claim
	for i := range d.claims {
		c := &d.claims[i]
		if !c.withheld() {
			continue
		}
		lo, hi := d.extended(c.span.Lo), d.reach(c.span.Hi)
		switch {
		case hi <= at:
		case lo > at:
			end = min(end, lo)
		case best == nil || c.finding.before(best.finding):
			best = c
		}
	}
	if best == nil {
		return nil, end
	}
	return best.finding, min(end, d.reach(best.span.Hi))
}

// before reports whether f stands for bytes that both withhold: what is certain
// before what is likely, and what came first.
func (f *Finding) before(o *Finding) bool {
	if f.Action != o.Action {
		return f.Action > o.Action
	}
	return f.Kind < o.Kind
}

// drop forgets the claims that lie below what was emitted. Of those that withhold
// the rest of the channel all the same, only the one that stands for it is kept.
func (d *Detector) drop() {
	n, rest := 0, -1
	for i := range d.claims {
		c := d.claims[i]
		if !c.open && (!c.withheld() || d.reach(c.span.Hi) <= d.emitted) {
			continue
		}
		if !c.open && c.span.Hi <= d.emitted && d.cfg.Extent == ExtentRest {
			if rest >= 0 {
				if !c.finding.before(d.claims[rest].finding) {
					continue
				}
				n = rest + copy(d.claims[rest:], d.claims[rest+1:n])
			}
			rest = n
		}
		d.claims[n] = c
		n++
	}
	clear(d.claims[n:])
	d.claims = d.claims[:n]
}
