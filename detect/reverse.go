package detect

import (
	"math"

	"noecho/ngram"
)

// reverse is the finder of words that stand in the text from the last to the
// first. Nothing in the words themselves tells of it, so it reads all of them: a
// second track of the same words whose grams are those of the backward order. It
// asks the index as seldom as the main track does. What stands between white
// space is turned round as one: of "now well-known is this" the words are read
// this is well known now.
type reverse struct {
	d     *Detector
	t     track
	edge  edge
	found *Finding
	at    int64        // the finding's words end before this one of the track
	token []ngram.Word // words that no white space parted so far
	saved []ngram.Word
}

// maxToken is how many words without white space between them are turned as one.
const maxToken = 16

// reset implements finder.
func (r *reverse) reset() {
	r.t.init(r.d.main.set, r.d.spec, r.d.least)
	r.t.backward = !r.d.main.backward
	r.found, r.at, r.token = nil, 0, r.token[:0]
}

// text implements finder.
func (r *reverse) text([]byte) {}

// word implements finder.
func (r *reverse) word(i int64) {
	m := &r.d.main
	e, span := m.at(i), m.span(i)
	alone := e.weight == ngram.CharWeight // of a script without spaces
	if n := len(r.token); n == maxToken || n > 0 && (alone || r.d.lanes.parted(r.token[n-1].Span.Hi, span.Lo)) {
		r.turn()
	}
	r.token = append(r.token, ngram.Word{Span: span, Weight: e.weight, Hash: m.wordHash(m.prefix(i), e.prefix)})
	if alone || r.d.lanes.parted(span.Hi, span.Hi+1) {
		r.turn()
	}
}

// turn reads the words of a token.
func (r *reverse) turn() {
	for i := len(r.token) - 1; i >= 0; i-- {
		r.push(r.token[i])
	}
	r.token = r.token[:0]
}

// push reads a word.
func (r *reverse) push(w ngram.Word) {
	t := &r.t
	hit := t.push(w)
	i := t.count - 1
	if hit {
		r.hit(i)
	}
	if t.run.active && t.run.last < i {
		t.run.reset()
		r.close()
	}
}

// hit enters the indexed window that word i ends.
func (r *reverse) hit(i int64) {
	d, t := r.d, &r.t
	first := i - int64(t.n) + 1
	u := &t.run
	if !u.active {
		u.active = true
		for k := first; k < i; k++ {
			u.weight += t.at(k).weight
		}
	}
	u.weight += t.at(i).weight
	u.last = i
	h := t.window(i)
	u.add(first, i, min(t.span(first).Lo, t.span(i).Lo), d.cfg.Prompt.sent(h), h.Lo)
	if u.weight < d.least {
		return
	}
	for k := range u.parts {
		if !u.parts[k].echo {
			r.claim(&u.parts[k])
		}
	}
	u.hot = true
	u.parts[0] = u.parts[len(u.parts)-1]
	u.parts = u.parts[:1]
}

// claim claims a part of a run.
func (r *reverse) claim(p *part) {
	t := &r.t
	from := max(p.first, t.count-int64(len(t.ring)))
	if r.found != nil {
		from = max(from, p.last-int64(t.n)+1)
	}
	span := t.span(from)
	for i := from; i <= p.last; i++ {
		span.Lo, span.Hi = min(span.Lo, t.span(i).Lo), max(span.Hi, t.span(i).Hi)
	}
	if r.d.reads(span) {
		return // one long token, whose words stand in their own order
	}
	if r.found == nil || span.Lo >= r.found.Span.Hi {
		r.close()
		r.found = &Finding{Kind: Verbatim, Lane: ReversedWords}
		r.at = p.first
	}
	t.acted = p.last
	r.found.Words += int(max(0, p.last+1-max(p.first, r.at)))
	r.at = max(r.at, p.last+1)
	r.found.Windows = p.windows
	r.found.Digests = appendNew(r.found.Digests, p.digests, MaxDigests-len(r.found.Digests))
	r.d.name(r.found, t, p.first, p.last)
	r.d.claim(r.found, span)
}

// close settles the finding.
func (r *reverse) close() {
	if r.found != nil {
		r.d.settle(r.found)
		r.found = nil
	}
}

// waits implements finder.
func (r *reverse) waits() int64 {
	t := &r.t
	first := t.firstLive()
	if r.d.cfg.Release == Strict {
		first = min(first, t.light)
	}
	if p, ok := t.run.waits(t.count - 1); ok {
		first = min(first, p)
	}
	free := int64(math.MaxInt64)
	if len(r.token) > 0 {
		free = r.token[0].Span.Lo
	}
	for i := max(first, t.acted+1); i < t.count; i++ {
		free = min(free, t.span(i).Lo)
	}
	if r.found != nil {
		free = min(free, r.found.Span.Hi)
	}
	return free
}

// save implements finder.
func (r *reverse) save() {
	r.edge.save(&r.t)
	r.saved = append(r.saved[:0], r.token...)
}

// restore implements finder.
func (r *reverse) restore() {
	r.turn()
	r.edge.restore(&r.t)
	r.token = append(r.token[:0], r.saved...)
}

// end implements finder.
func (r *reverse) end() {
	r.turn()
	r.close()
}

var _ finder = (*reverse)(nil)
