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
//
// Nearly every answer is ruled out without a look-up. A window over the beginning of the
// channel consists of the last words of a message and the first words of the channel, and
// both must be known: none of the 4-grams within them is absent. The channel's first word
// alone needs n-1 known words of a message, of which honest prompts have none. Its first
// two need n-2, and so on. Once the channel itself begins with n-3 known words, three
// words or fewer of a message do, and then all positions are looked up.
//
// The look-ups of all channels of an answer are counted, see [Prompt]. If they are spent,
// the words that a window could contain are withheld without one.

// joins keeps the joints behind which the channel may go on.
type joins struct {
	at   []joint
	seen map[uint64]int32 // joint by words
	open bool             // there are joints, or may be
	lost *Finding         // withholds the words that were not looked up; nil: none
}

// joint is one position: the channel follows word pos-1 of message m.
type joint struct {
	m      *Message
	words  uint64 // hash of the words before the position that may be part of a window
	pos    int32
	last   int32        // newest channel word that ends an indexed window; -1: none
	weight ngram.Weight // of the run that window belongs to
	before ngram.Weight // of the words before the window that ends with the channel's first word
}

// knownLeast is the most words of a message in a window that are not looked up before the
// channel's words.
const knownLeast = 3

// Positions behind the same words are one joint. A channel follows maxJoints at most. One
// costs as much as jointCost look-ups, which bounds the memory of an answer's joints. A
// channel that needs no more gives back the storage of more than keepJoints.
const (
	maxJoints  = 1 << 14
	jointCost  = 32
	keepJoints = 64
)

func (j *joins) reset(p *Prompt) {
	j.end()
	j.open, j.lost = p.joined(), nil
}

// copyFrom makes j a copy of o.
func (j *joins) copyFrom(o *joins) {
	j.end()
	j.at = append(j.at, o.at...)
	for i := range j.at {
		j.enter(j.at[i].words, i)
	}
	j.open, j.lost = o.open, o.lost
}

// enter notes that a joint follows words.
func (j *joins) enter(words uint64, i int) {
	if j.seen == nil {
		j.seen = map[uint64]int32{}
	}
	j.seen[words] = int32(i)
}

// end forgets the joints.
func (j *joins) end() {
	if len(j.at) > keepJoints {
		j.at, j.seen = nil, nil
	}
	clear(j.at)
	clear(j.seen)
	j.at, j.open = j.at[:0], false
}

// joinStart looks up the windows that begin in a message and end with word i of the
// channel, i < n-1.
func (r *reader) joinStart(i int64) {
	r.FirstLive()
	switch {
	case r.Absent >= 0: // this gram of the channel rules out every window over it
		r.endJoins()
		return
	case !r.follow(i):
		r.withhold(0, i)
	}
	if i == int64(r.N)-2 {
		r.endJoins()
	}
}

// endJoins completes the finding of the words that were not looked up.
func (r *reader) endJoins() {
	j := &r.joins
	if j.lost != nil && r.d.host.blocked == nil {
		r.d.host.settle(j.lost)
	}
	j.lost = nil
	j.end()
}

// follow looks up the windows of all joints that end with word i of the channel. It
// returns false if the look-ups of the answer are spent.
func (r *reader) follow(i int64) bool {
	words := r.N - 1 - int(i) // of the message in the window
	if r.joins.lost != nil || words >= knownLeast && !r.findJoints(words, i) || len(r.joins.at) > 0 && !r.d.spend(int64(len(r.joins.at))) {
		return false
	}
	var fresh, echo struct {
		weight ngram.Weight
		h      ngram.Hash
		joint  *joint
	}
	for k := range r.joins.at {
		c := &r.joins.at[k]
		h, ok := r.startsIn(c, words, i)
		if !ok {
			continue
		}
		r.weigh(c, words, i)
		best := &fresh
		if r.d.cfg.Prompt.sent(h) {
			best = &echo
		}
		if c.weight > best.weight {
			best.weight, best.h, best.joint = c.weight, h, c
		}
	}
	if fresh.weight > 0 {
		echo = fresh
	}
	if echo.weight > 0 {
		r.window(&r.d.runs.window, echo.joint, words, i)
		r.d.runs.before = words
		r.d.runs.hit(r, 0, i, echo.weight, echo.h)
	}
	return true
}

// findJoints adds the positions behind which a window of so many words of a message and
// channel words 0 to i may be indexed, and no window with more words of the message. It
// returns false if the look-ups of the answer are spent.
func (r *reader) findJoints(words int, i int64) bool {
	all := r.d.cfg.Prompt.all()
	if words > knownLeast && all.longest < words {
		return true
	}
	x := r.d.cfg.Prompt.places()
	if !r.d.spend(int64(len(x.groups))) {
		return false
	}
	for k := range x.groups {
		g := &x.groups[k]
		if words > knownLeast && int(g.before) < words || !r.opens(g.word, words, i) {
			continue
		}
		if !r.d.spend(int64(g.to - g.from)) {
			return false
		}
		for _, at := range x.at[g.from:g.to] {
			m, pos := x.find(all.messages, at)
			known := min(m.knownBefore(pos+1), r.N-1)
			switch {
			case words == knownLeast:
			case i > 0 && known != words, known < words:
				continue
			case !r.Set.Gate4(ngram.Gram(m.prefix[pos-2], gram.Join(m.prefix[pos+1], r.Prefix(1), 1), 4)):
				continue
			}
			if !r.addJoint(m, pos+1, known) {
				return false
			}
		}
	}
	return true
}

// opens reports whether the channel's first words may follow a word of a message, where
// so many words of the message may be part of the window.
func (r *reader) opens(word uint64, words int, i int64) bool {
	if !r.Set.Gate2(ngram.Gram(0, gram.Join(word, r.Prefix(1), 1), 2)) {
		return false
	}
	return words > knownLeast || i < 2 || r.Set.Gate4(ngram.Gram(0, gram.Join(word, r.Prefix(3), 3), 4))
}

// addJoint adds a position, unless there is one behind the same words already. It returns
// false if there are too many.
func (r *reader) addJoint(m *Message, pos, known int) bool {
	j := &r.joins
	var before ngram.Weight
	if known == r.N-1 {
		before = r.weightBefore(m, pos-known)
	}
	words := ngram.Gram(m.prefix[pos-known], m.prefix[pos], known).Lo
	if k, ok := j.seen[words]; ok {
		j.at[k].before = max(j.at[k].before, before)
		return true
	}
	if len(j.at) == maxJoints || !r.d.spend(jointCost) {
		return false
	}
	j.enter(words, len(j.at))
	j.at = append(j.at, joint{m: m, words: words, pos: int32(pos), last: -1, before: before})
	return true
}

// withhold withholds channel words first to last, because the look-ups are spent that
// would tell whether they belong to a window.
func (r *reader) withhold(first, last int64) {
	j, h := &r.joins, &r.d.host
	if r.d.stopped || h.blocked != nil {
		return
	}
	if j.lost == nil {
		j.lost = &Finding{Kind: Overflow}
	}
	j.end()
	j.open = true
	h.withhold(j.lost, ngram.Span{Lo: r.Span(first).Lo, Hi: r.Span(last).Hi}, int(last-first)+1)
}

// startsIn looks up the window of the given number of words before a joint and channel
// words 0 to i.
func (r *reader) startsIn(c *joint, words int, i int64) (ngram.Hash, bool) {
	if int(c.pos) < words {
		return ngram.Hash{}, false
	}
	var p [ngram.MaxN + 1]uint64
	r.window(&p, c, words, i)
	return r.lookup(&p)
}

// window sets p to the prefix hashes of the window of so many words before a joint and
// channel words 0 to i.
func (r *reader) window(p *[ngram.MaxN + 1]uint64, c *joint, words int, i int64) {
	copy(p[:], c.m.prefix[int(c.pos)-words:c.pos+1])
	for k := 1; k <= int(i)+1; k++ {
		p[words+k] = gram.Join(p[words], r.Prefix(int64(k)), k)
	}
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
	r.d.spend(2 * int64(n)) // the caller counted one
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
	if i > 0 && c.last == int32(i)-1 {
		c.weight += r.Weight(i)
	} else {
		c.weight = 0
		for k := int64(0); k <= i; k++ {
			c.weight += r.Weight(k)
		}
		for _, w := range c.m.weights[int(c.pos)-words : c.pos] {
			c.weight += w
		}
		if i == 0 {
			c.weight += c.before
		}
	}
	c.last = int32(i)
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
	if !r.d.cfg.Prompt.joined() || r.Count == 0 {
		return
	}
	live := r.FirstLive() // a window over earlier words has an absent gram
	if !r.precede(live) {
		r.withhold(live, r.Count-1)
	}
}

// precede looks up the windows that begin at channel word live or later and end in a
// message. It returns false if the look-ups of the answer are spent.
func (r *reader) precede(live int64) bool {
	words := r.N - int(r.Count-live) // of the message, at least
	all := r.d.cfg.Prompt.all()
	if words > knownLeast && all.longest < words {
		return true
	}
	x := r.d.cfg.Prompt.places()
	if !r.d.spend(int64(len(x.groups))) {
		return false
	}
	before, end := r.Prefix(r.Count-1), r.Prefix(r.Count)
	for k := range x.groups {
		g := &x.groups[k]
		if words > knownLeast && int(g.behind) < words || !r.Set.Gate2(ngram.Gram(before, gram.Join(end, g.word, 1), 2)) {
			continue
		}
		// A window with fewer than three words of the message contains the channel's
		// last three words and this one. A window with more contains the channel's last
		// word and three of the message.
		short := words < knownLeast && r.Count >= 3 && r.Set.Gate4(ngram.Gram(r.Prefix(r.Count-3), gram.Join(end, g.word, 1), 4))
		if !r.d.spend(int64(g.to - g.from)) {
			return false
		}
		for _, at := range x.at[g.from:g.to] {
			m, pos := x.find(all.messages, at)
			if words > knownLeast && m.knownFrom(pos) < words || !short && (pos+3 >= len(m.prefix) ||
				!r.Set.Gate4(ngram.Gram(before, gram.Join(end, gram.Between(m.prefix[pos], m.prefix[pos+3], 3), 3), 4))) {
				continue
			}
			if !r.d.spend(r.Count - live) {
				return false
			}
			r.endIn(m, pos, live)
		}
	}
	return true
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
		r.d.runs.joined = false
		for i := range r.Run.Parts {
			if own {
				r.d.runs.apply(r, &r.Run.Parts[i])
			}
		}
		if fresh >= 0 {
			r.d.runs.joined, r.d.runs.before = true, 0
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
	p := &r.d.runs.window
	have := int(r.Count - first)
	for k := 0; k <= have; k++ {
		p[k] = r.Prefix(first + int64(k))
	}
	for k := 1; k <= need; k++ {
		p[have+k] = gram.Join(p[have], gram.Between(m.prefix[pos], m.prefix[pos+k], k), k)
	}
	return r.lookup(p)
}
