package detect

import "noecho/ngram"

// A caller who sends nine words of a record and lets the model add one at a
// time must find out no more than one who asks for all ten. So the channel's
// first words are read as if they followed every position of every message,
// and its last words as if they preceded every position.

// joins holds the positions that the channel may continue.
//
// Most positions are never listed. A window with three words of the message or
// more holds the 4-gram that ends with the channel's first word; one with fewer
// holds the 4-gram of the message's last word and the channel's first three,
// which is asked once for each distinct word.
type joins struct {
	messages []*Message
	started  bool
	at       []joint
	late     []lateJoint
}

// lateJoint is a distinct word behind which the channel may go on, but not
// behind the words before it.
type lateJoint struct {
	m     *Message
	group int
}

// joint is one position: the channel begins behind word pos-1 of message m.
type joint struct {
	m      *Message
	pos    int
	last   int64 // newest channel word whose window was indexed; -1: none
	weight ngram.Weight
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

// alive reports whether any position can still matter.
func (j *joins) alive() bool {
	return len(j.messages) > 0 && (!j.started || len(j.at) > 0 || len(j.late) > 0)
}

// joinStart looks up the windows that begin in a message and end with word i of
// the channel, i < n-1.
func (d *Detector) joinStart(i int64) {
	t, j := &d.main, &d.join
	if !j.started {
		j.started = true
		d.findJoints()
	}
	// An absent gram inside the channel rules out every window that spans it.
	t.firstLive()
	if t.absent >= 0 {
		j.at, j.late = j.at[:0], j.late[:0]
		return
	}
	if i == 2 {
		d.findLateJoints()
	}
	first := t.n - 1 - int(i) // words of the window that stand in the message
	var fresh, echo struct {
		weight ngram.Weight
		h      ngram.Hash
	}
	for k := range j.at {
		c := &j.at[k]
		h, ok := d.startsIn(c, first, i)
		if !ok {
			continue
		}
		d.weigh(c, first, i)
		best := &fresh
		if d.cfg.Prompt.sent(h) {
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
		d.hit(t, 0, i, echo.weight, echo.h)
	}
}

// findJoints lists the positions behind which the channel's first word may be
// indexed.
func (d *Detector) findJoints() {
	set, word := d.main.set, d.main.prefix(1)
	for _, m := range d.join.messages {
		for g := range m.groups() {
			at := m.positions(g)
			if !set.Gate2(ngram.Gram(0, ngram.Join(m.word(int(at[0])), word, 1), 2)) {
				continue
			}
			late := false
			for _, pos := range at {
				if d.behind(m, int(pos)) {
					d.join.at = append(d.join.at, joint{m: m, pos: int(pos) + 1, last: -1})
				} else {
					late = true
				}
			}
			if late {
				d.join.late = append(d.join.late, lateJoint{m, g})
			}
		}
	}
}

// behind reports whether the three words of a message that end at pos may be
// followed by the channel's first word.
func (d *Detector) behind(m *Message, pos int) bool {
	return pos >= 2 && d.main.set.Gate4(ngram.Gram(m.prefix[pos-2], ngram.Join(m.prefix[pos+1], d.main.prefix(1), 1), 4))
}

// findLateJoints adds the positions that the channel's first three words allow.
func (d *Detector) findLateJoints() {
	words := d.main.prefix(3)
	for _, l := range d.join.late {
		at := l.m.positions(l.group)
		if !d.main.set.Gate4(ngram.Gram(0, ngram.Join(l.m.word(int(at[0])), words, 3), 4)) {
			continue
		}
		for _, pos := range at {
			if !d.behind(l.m, int(pos)) {
				d.join.at = append(d.join.at, joint{m: l.m, pos: int(pos) + 1, last: -1})
			}
		}
	}
	d.join.late = d.join.late[:0]
}

// startsIn looks up the window of the last words of a joint and channel words 0
// to i.
func (d *Detector) startsIn(c *joint, words int, i int64) (ngram.Hash, bool) {
	t := &d.main
	if c.pos < words {
		return ngram.Hash{}, false
	}
	from := c.pos - words
	var p [ngram.MaxN + 1]uint64 // prefix hashes of the window's words
	copy(p[:], c.m.prefix[from:c.pos+1])
	for k := 1; k <= int(i)+1; k++ {
		p[words+k] = ngram.Join(p[words], t.prefix(int64(k)), k)
	}
	return d.lookup(&p)
}

// lookup asks for the window with the given prefix hashes, short grams first.
func (d *Detector) lookup(p *[ngram.MaxN + 1]uint64) (ngram.Hash, bool) {
	set, n := d.main.set, d.main.n
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

// weigh adds channel word i to a joint's run. A run that begins with the first
// straddling window goes back through the message as far as that is indexed.
func (d *Detector) weigh(c *joint, words int, i int64) {
	t := &d.main
	if i > 0 && c.last == i-1 {
		c.weight += t.at(i).weight
	} else {
		c.weight = 0
		for k := int64(0); k <= i; k++ {
			c.weight += t.at(k).weight
		}
		for _, w := range c.m.weights[c.pos-words : c.pos] {
			c.weight += w
		}
		if i == 0 {
			c.weight += d.weightBefore(c.m, c.pos-words)
		}
	}
	c.last = i
}

// weightBefore is the weight of the words before pos that belong to indexed
// windows in a row up to the one that begins at pos-1; no more than least.
func (d *Detector) weightBefore(m *Message, pos int) (w ngram.Weight) {
	for pos--; pos >= 0 && w < d.least; pos-- {
		if !d.indexed(m, pos) {
			break
		}
		w += m.weights[pos]
	}
	return w
}

// indexed reports whether the window of a message that begins at word pos is in
// the index.
func (d *Detector) indexed(m *Message, pos int) bool {
	n := d.main.n
	if pos+n >= len(m.prefix) {
		return false
	}
	_, ok := m.sent[ngram.Gram(m.prefix[pos], m.prefix[pos+n], n).Lo]
	return ok
}

// joinEnd looks up the windows that begin with the channel's last words and end
// in a message.
func (d *Detector) joinEnd() {
	t := &d.main
	if d.cfg.Prompt == nil || d.cfg.Prompt.excuseOnly || t.count == 0 {
		return
	}
	live := t.firstLive() // no window over earlier words can go on
	before, end := t.prefix(t.count-1), t.prefix(t.count)
	for _, m := range d.join.messages {
		for g := range m.groups() {
			at := m.positions(g)
			word := m.word(int(at[0]))
			if !t.set.Gate2(ngram.Gram(before, ngram.Join(end, word, 1), 2)) {
				continue
			}
			// With fewer than three words of the message a window holds the
			// channel's last three words and this one, with more it holds the
			// channel's last word and three of the message.
			short := t.count >= 3 && t.set.Gate4(ngram.Gram(t.prefix(t.count-3), ngram.Join(end, word, 1), 4))
			for _, p := range at {
				pos := int(p)
				if short || pos+3 < len(m.prefix) &&
					t.set.Gate4(ngram.Gram(before, ngram.Join(end, ngram.Between(m.prefix[pos], m.prefix[pos+3], 3), 3), 4)) {
					d.endIn(m, pos, live)
				}
			}
		}
	}
}

// endIn looks up the windows that begin at channel word live or later and go on
// at word pos of a message.
func (d *Detector) endIn(m *Message, pos int, live int64) {
	t := &d.main
	newest := t.count - 1
	var weight ngram.Weight
	fresh := int64(-1)                          // first word of the run's first window that was not sent
	own := t.run.active && t.run.last == newest // the run began in the channel's own windows
	hit := own
	if own {
		weight = t.run.weight
	}
	for first := max(live, t.count-int64(t.n)+1); first <= newest; first++ {
		need := t.n - int(t.count-first)
		if pos+need >= len(m.prefix) {
			return // nor do the longer ones fit
		}
		h, ok := d.endsIn(m, pos, first, need)
		if !ok {
			hit, own, fresh = false, false, -1
			continue
		}
		if !hit {
			hit, weight = true, d.windowWeight(m, pos, first, need)
		} else {
			weight += m.weights[pos+need-1]
		}
		if first == newest {
			weight += d.weightAfter(m, pos)
		}
		if fresh < 0 && !d.cfg.Prompt.sent(h) {
			fresh = first
		}
		if weight < d.least {
			continue
		}
		for i := range t.run.parts {
			if own {
				d.apply(t, &t.run.parts[i])
			}
		}
		if fresh >= 0 {
			d.apply(t, &part{first: fresh, last: newest, lo: t.span(fresh).Lo, windows: 1, digests: []uint64{h.Lo}})
		}
	}
}

// windowWeight is the weight of channel words from first on and need words of a
// message.
func (d *Detector) windowWeight(m *Message, pos int, first int64, need int) (w ngram.Weight) {
	for i := first; i < d.main.count; i++ {
		w += d.main.at(i).weight
	}
	for _, x := range m.weights[pos : pos+need] {
		w += x
	}
	return w
}

// weightAfter is the weight of the words behind the window that begins one word
// before pos, as far as windows in a row are indexed; no more than least.
func (d *Detector) weightAfter(m *Message, pos int) (w ngram.Weight) {
	for ; w < d.least && d.indexed(m, pos); pos++ {
		w += m.weights[pos+d.main.n-1]
	}
	return w
}

// endsIn looks up the window of channel words from first on and the need words
// of a message from pos on.
func (d *Detector) endsIn(m *Message, pos int, first int64, need int) (ngram.Hash, bool) {
	t := &d.main
	var p [ngram.MaxN + 1]uint64
	have := int(t.count - first)
	for k := 0; k <= have; k++ {
		p[k] = t.prefix(first + int64(k))
	}
	for k := 1; k <= need; k++ {
		p[have+k] = ngram.Join(p[have], ngram.Between(m.prefix[pos], m.prefix[pos+k], k), k)
	}
	return d.lookup(&p)
}
