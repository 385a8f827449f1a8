package detect

import (
	"math"

	"noecho/ngram"
)

// reverse is the finder of words that stand in the text from the last to the
// first. Nothing in the words themselves tells of it, so it reads all of them: a
// second track of the same words whose grams are those of the backward order. It
// asks the index as seldom as the main track does.
type reverse struct {
	d     *Detector
	t     track
	edge  edge
	found *Finding
	at    int64 // words of the finding's newest window end before this one
}

// reset implements finder.
func (r *reverse) reset() {
	r.t.init(r.d.main.set, r.d.spec, r.d.least)
	r.t.backward = !r.d.main.backward
	r.found, r.at = nil, 0
}

// text implements finder.
func (r *reverse) text([]byte) {}

// word implements finder.
func (r *reverse) word(i int64) {
	m, t := &r.d.main, &r.t
	e := m.at(i)
	before := m.prefix(i)
	w := ngram.Word{Span: m.span(i), Weight: e.weight, Hash: m.wordHash(before, e.prefix)}
	hit := t.push(w)
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
	u.add(first, i, t.span(first).Lo, d.cfg.Prompt.sent(h), h.Lo)
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
	span := ngram.Span{Lo: p.lo, Hi: t.span(p.last).Hi}
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
	if first = max(first, t.acted+1); first < t.count {
		return t.span(first).Lo
	}
	return math.MaxInt64
}

// save implements finder.
func (r *reverse) save() { r.edge.save(&r.t) }

// restore implements finder.
func (r *reverse) restore() { r.edge.restore(&r.t) }

// end implements finder.
func (r *reverse) end() { r.close() }

var _ finder = (*reverse)(nil)
