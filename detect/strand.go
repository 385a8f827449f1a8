package detect

// turn is an offset in a channel from which on its text is of a strand.
type turn struct {
	at     int64
	strand Strand
}

// SetStrand says which strand of its answer the bytes of the channel belong to from an
// offset on, that has not been read yet. A channel begins with [Texts].
func (d *Detector) SetStrand(at int64, s Strand) {
	s = d.of(s)
	last := d.strand
	if n := len(d.turns); n > 0 {
		last = d.turns[n-1].strand
	}
	if s == last {
		return
	}
	if n := len(d.turns); n == cap(d.turns) && 2*d.turned >= n {
		d.turns, d.turned = d.turns[:copy(d.turns, d.turns[d.turned:])], 0
	}
	d.turns = append(d.turns, turn{at, s})
}

// of returns the strand of text of the channel that belongs to a strand of its own.
func (d *Detector) of(s Strand) Strand {
	switch {
	case s == Aside:
		return s
	case d.cfg.Tokens:
		return tokens
	case d.cfg.Beside:
		return beside + s
	}
	return s
}

// turnTo makes the strand that of the word at an offset.
func (d *Detector) turnTo(at int64) {
	n := d.turned
	for n < len(d.turns) && d.turns[n].at <= at {
		n++
	}
	if n == d.turned {
		return
	}
	t := d.turns[n-1]
	if d.turned = n; n == len(d.turns) {
		d.turns, d.turned = d.turns[:0], 0
	}
	d.strand, d.main.Mark = t.strand, uint8(t.strand)
	d.cfg.Answer.follow(d, t.at, true)
}

// readStrands enters the words of p, the next bytes of the channel, and tells them to its
// answer, those of each strand apart.
func (d *Detector) readStrands(p []byte) {
	r, a := &d.main, d.cfg.Answer
	words := r.Scanner.Append(r.Words[:0], p)
	r.Words = words
	if a.within(d) { // rare: the strands of such a piece are not told apart
		r.read(words)
		a.hear(d, p, words)
		return
	}
	for len(words) > 0 {
		n := len(words)
		if d.turned < len(d.turns) {
			d.turnTo(words[0].Span.Lo)
			for n = 1; n < len(words) && (d.turned == len(d.turns) || words[n].Span.Lo < d.turns[d.turned].at); {
				n++
			}
		}
		r.read(words[:n])
		a.hear(d, p, words[:n])
		words = words[n:]
	}
}
