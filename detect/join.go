package detect

import (
	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// A caller who sends nine words of a record and lets the model add one word at a time
// must find out no more than a caller who asks for all ten. So the channel's first
// words are read as if they followed every position of every message, and its last
// words as if they preceded every position. A position whose window the index may have
// is a joint.

// joins keeps the joints behind which the channel may go on.
//
// Most positions never become one. A window with at least three words of the message
// contains the 4-gram that ends with the channel's first word. A window with fewer
// contains the 4-gram of the message's last word and the channel's first three, which
// is looked up once for each distinct word.
type joins struct {
	messages []*Message
	started  bool
	at       []joint
	late     []lateJoint
}

// lateJoint is a distinct word of a message behind which the channel may go on, at some
// positions only in windows that have fewer than three words of the message.
type lateJoint struct {
	m     *Message
	group int
}

// joint is one position: the channel follows word pos-1 of message m.
type joint struct {
	m      *Message
	pos    int
	last   int64        // newest channel word that ends an indexed window; -1: none
	weight ngram.Weight // of the run that window belongs to
}

func (j *joins) reset(p *Prompt) {
	j.messages, j.started = nil, false
	clear(j.at)
	clear(j.late)
	j.at, j.late = j.at[:0], j.late[:0]
	if p != nil && !p.excuseOnly {
		j.messages = p.Messages
	}
}

// copyFrom makes j a copy of o.
func (j *joins) copyFrom(o *joins) {
	j.messages, j.started = o.messages, o.started
	j.at, j.late = append(j.at[:0], o.at...), append(j.late[:0], o.late...)
}

// alive reports whether a position may still be, or become, a joint.
func (j *joins) alive() bool {
	return len(j.messages) > 0 && (!j.started || len(j.at) > 0 || len(j.late) > 0)
}

// joinStart looks up the windows that begin in a message and end with word i of the
// channel, i < n-1.
func (r *reader) joinStart(i int64) {
	j := &r.joins
	if !j.started {
		j.started = true
		r.findJoints()
	}
	// A gram of the channel that is absent rules out every window over it.
	r.FirstLive()
	if r.Absent >= 0 {
		j.at, j.late = j.at[:0], j.late[:0]
		return
	}
	if i == 2 {
		r.findLateJoints()
	}
	first := r.N - 1 - int(i) // words of the message in the window
	var fresh, echo struct {
		weight ngram.Weight
		h      ngram.Hash
	}
	for k := range j.at {
		c := &j.at[k]
		h, ok := r.startsIn(c, first, i)
		if !ok {
			continue
		}
		r.weigh(c, first, i)
		best := &fresh
		if r.d.cfg.Prompt.sent(h) {
			best = &echo
		}
		if c.weight > best.weight {
			best.weight, best.h = c.weight, h
		}
	}
	if fresh.weight > 0 {
		echo = fresh
	}
	if echo.weight > 0 {
		r.d.runs.hit(r, 0, i, echo.weight, echo.h)
	}
}

// findJoints lists the positions that the channel's first word may follow in the index.
func (r *reader) findJoints() {
	set, word := r.Set, r.Prefix(1)
	for _, m := range r.joins.messages {
		for g := range m.groups() {
			at := m.positions(g)
			if !set.Gate2(ngram.Gram(0, gram.Join(m.word(int(at[0])), word, 1), 2)) {
				continue
			}
			late := false
			for _, pos := range at {
				if r.behind(m, int(pos)) {
					r.joins.at = append(r.joins.at, joint{m: m, pos: int(pos) + 1, last: -1})
				} else {
					late = true
				}
			}
			if late {
				r.joins.late = append(r.joins.late, lateJoint{m, g})
			}
		}
	}
}

// behind reports whether the channel's first word may follow the three words of a
// message that end at pos.
func (r *reader) behind(m *Message, pos int) bool {
	return pos >= 2 && r.Set.Gate4(ngram.Gram(m.prefix[pos-2], gram.Join(m.prefix[pos+1], r.Prefix(1), 1), 4))
}

// findLateJoints adds the positions that the channel's first three words may follow.
func (r *reader) findLateJoints() {
	words := r.Prefix(3)
	for _, l := range r.joins.late {
		at := l.m.positions(l.group)
		if !r.Set.Gate4(ngram.Gram(0, gram.Join(l.m.word(int(at[0])), words, 3), 4)) {
			continue
		}
		for _, pos := range at {
			if !r.behind(l.m, int(pos)) {
				r.joins.at = append(r.joins.at, joint{m: l.m, pos: int(pos) + 1, last: -1})
			}
		}
	}
	r.joins.late = r.joins.late[:0]
}

// startsIn looks up the window of the given number of words before a joint and channel
// words 0 to i.
func (r *reader) startsIn(c *joint, words int, i int64) (ngram.Hash, bool) {
	if c.pos < words {
		return ngram.Hash{}, false
	}
	from := c.pos - words
	var p [ngram.MaxN + 1]uint64 // prefix hashes of the window's words
	copy(p[:], c.m.prefix[from:c.pos+1])
	for k := 1; k <= int(i)+1; k++ {
		p[words+k] = gram.Join(p[words], r.Prefix(int64(k)), k)
	}
	return r.lookup(&p)
}

// lookup looks up the window with the given prefix hashes, short grams first.
func (r *reader) lookup(p *[ngram.MaxN + 1]uint64) (ngram.Hash, bool) {
	set, n := r.Set, r.N
	h := ngram.Gram(p[0], p[n], n)
	for i := 4; i <= n; i += 3 {
		if !set.Gate4(ngram.Gram(p[i-4], p[i], 4)) {
			return h, false
		}
	}
	if !set.Window(h) {
		return h, false
	}
	for i := 2; i <= n; i++ {
		if !set.Gate2(ngram.Gram(p[i-2], p[i], 2)) || i >= 4 && !set.Gate4(ngram.Gram(p[i-4], p[i], 4)) {
			return h, false
		}
	}
	return h, true
}

// weigh adds channel word i to a joint's run. If the run begins with the channel's first
// word, it goes back through the message as far as windows in a row are indexed.
func (r *reader) weigh(c *joint, words int, i int64) {
	if i > 0 && c.last == i-1 {
		c.weight += r.Weight(i)
	} else {
		c.weight = 0
		for k := int64(0); k <= i; k++ {
			c.weight += r.Weight(k)
		}
		for _, w := range c.m.weights[c.pos-words : c.pos] {
			c.weight += w
		}
		if i == 0 {
			c.weight += r.weightBefore(c.m, c.pos-words)
		}
	}
	c.last = i
}

// weightBefore returns the weight of the words before pos that begin indexed windows in
// a row. It stops counting at the weight that makes a run a finding.
func (r *reader) weightBefore(m *Message, pos int) (w ngram.Weight) {
	for pos--; pos >= 0 && w < r.d.least; pos-- {
		if !r.indexed(m, pos) {
			break
		}
		w += m.weights[pos]
	}
	return w
}

// indexed reports whether the window that begins at word pos of a message is indexed.
func (r *reader) indexed(m *Message, pos int) bool {
	n := r.N
	if pos+n >= len(m.prefix) {
		return false
	}
	_, ok := m.sent[ngram.Gram(m.prefix[pos], m.prefix[pos+n], n).Lo]
	return ok
}

// joinEnd looks up the windows that begin with the channel's last words and end in a
// message.
func (r *reader) joinEnd() {
	if r.d.cfg.Prompt == nil || r.d.cfg.Prompt.excuseOnly || r.Count == 0 {
		return
	}
	live := r.FirstLive() // a window over earlier words has an absent gram
	before, end := r.Prefix(r.Count-1), r.Prefix(r.Count)
	for _, m := range r.joins.messages {
		for g := range m.groups() {
			at := m.positions(g)
			word := m.word(int(at[0]))
			if !r.Set.Gate2(ngram.Gram(before, gram.Join(end, word, 1), 2)) {
				continue
			}
			// A window with fewer than three words of the message contains the
			// channel's last three words and this one. A window with more contains
			// the channel's last word and three of the message.
			short := r.Count >= 3 && r.Set.Gate4(ngram.Gram(r.Prefix(r.Count-3), gram.Join(end, word, 1), 4))
			for _, p := range at {
				pos := int(p)
				if short || pos+3 < len(m.prefix) &&
					r.Set.Gate4(ngram.Gram(before, gram.Join(end, gram.Between(m.prefix[pos], m.prefix[pos+3], 3), 3), 4)) {
					r.endIn(m, pos, live)
				}
			}
		}
	}
}

// endIn looks up the windows that begin at channel word live or later and go on at word
// pos of a message.
func (r *reader) endIn(m *Message, pos int, live int64) {
	newest := r.Count - 1
	var weight ngram.Weight
	fresh := int64(-1)                          // first word of the run's first window that the client did not send
	own := r.Run.Active && r.Run.Last == newest // the run began with windows of the channel alone
	hit := own
	if own {
		weight = r.Run.Weight
	}
	for first := max(live, r.Count-int64(r.N)+1); first <= newest; first++ {
		need := r.N - int(r.Count-first)
		if pos+need >= len(m.prefix) {
			return // the message is too short, also for the windows that need more of it
		}
		h, ok := r.endsIn(m, pos, first, need)
		if !ok {
			hit, own, fresh = false, false, -1
			continue
		}
		if !hit {
			hit, weight = true, r.windowWeight(m, pos, first, need)
		} else {
			weight += m.weights[pos+need-1]
		}
		if first == newest {
			weight += r.weightAfter(m, pos)
		}
		if fresh < 0 && !r.d.cfg.Prompt.sent(h) {
			fresh = first
		}
		if weight < r.d.least {
			continue
		}
		for i := range r.Run.Parts {
			if own {
				r.d.runs.apply(r, &r.Run.Parts[i])
			}
		}
		if fresh >= 0 {
			r.d.runs.apply(r, &track.Part{First: fresh, Last: newest, Lo: r.Span(fresh).Lo, Windows: 1, Digests: []uint64{h.Lo}})
		}
	}
}

// windowWeight returns the weight of the channel's words from first on and of need words
// of a message.
func (r *reader) windowWeight(m *Message, pos int, first int64, need int) (w ngram.Weight) {
	for i := first; i < r.Count; i++ {
		w += r.Weight(i)
	}
	for _, x := range m.weights[pos : pos+need] {
		w += x
	}
	return w
}

// weightAfter returns the weight of the words behind the window that begins one word
// before pos, as far as windows in a row are indexed. It stops counting at the weight
// that makes a run a finding.
func (r *reader) weightAfter(m *Message, pos int) (w ngram.Weight) {
	for ; w < r.d.least && r.indexed(m, pos); pos++ {
		w += m.weights[pos+r.N-1]
	}
	return w
}

// endsIn looks up the window of the channel's words from first on and need words of a
// message from pos on.
func (r *reader) endsIn(m *Message, pos int, first int64, need int) (ngram.Hash, bool) {
	var p [ngram.MaxN + 1]uint64
	have := int(r.Count - first)
	for k := 0; k <= have; k++ {
		p[k] = r.Prefix(first + int64(k))
	}
	for k := 1; k <= need; k++ {
		p[have+k] = gram.Join(p[have], gram.Between(m.prefix[pos], m.prefix[pos+k], k), k)
	}
	return r.lookup(&p)
}
