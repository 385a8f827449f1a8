package detect

// turn is an offset in a channel at which a text of a strand begins, or a text ends.
type turn struct {
	at     int64
	strand Strand // Aside: a text ends, and what follows is no text of the answer
}

// SetStrand says which strand of its answer the bytes of the channel belong to from an
// offset on, that has not been read yet. If it is not the one before, a text ends there and
// another one begins: a word may be cut over the texts before and behind those that are
// [Aside], such as the punctuation between the strings of a list. A channel begins with [Texts].
func (d *Detector) SetStrand(at int64, s Strand) {
	s = d.of(s)
	last := d.strand
	if n := len(d.turns); n > 0 {
		last = d.turns[n-1].strand
	}
	if s == last {
		return
	}
	if last == Aside && d.values != nil && d.values.host != nil {
		d.values.fresh = at
	}
	if n := len(d.turns); n == cap(d.turns) && 2*d.turned >= n {
		d.turns, d.ended, d.turned = d.turns[:copy(d.turns, d.turns[d.turned:])], d.ended-d.turned, 0
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
	d.turned, d.ended = n, max(n, d.ended)
	if n == len(d.turns) {
		d.turns, d.turned, d.ended = d.turns[:0], 0, 0
	}
	d.begins = t.at
	if d.strand != t.strand {
		d.strand, d.main.Mark = t.strand, uint8(t.strand)
		d.cfg.Answer.follow(d, t.at, true)
	}
}

// turnIn is turnTo for the first text in p, the next bytes of the channel, if there is none
// at their start.
func (d *Detector) turnIn(p []byte) {
	at := d.main.Scanner.Offset()
	if d.cfg.Answer.speaker == d {
		d.turnTo(d.main.Scanner.Frontier()) // the word that is open there
	} else {
		d.turnTo(at)
	}
	for i := d.turned; d.strand == Aside && i < len(d.turns) && d.turns[i].at < at+int64(len(p)); i++ {
		if d.turns[i].strand != Aside {
			d.turnTo(d.turns[i].at)
			return
		}
	}
}

// endOfText returns how many bytes of p, the next bytes of the channel, belong to the text
// that is being read, and whether it ends behind them.
func (d *Detector) endOfText(p []byte) (n int, ends bool) {
	for at := d.main.Scanner.Offset(); d.ended < len(d.turns); d.ended++ {
		t := d.turns[d.ended]
		switch {
		case t.at > at+int64(len(p)):
			return len(p), false
		case t.strand == Aside && t.at >= at: // it may be where the last bytes ended
			d.ended++
			return int(t.at - at), true
		}
	}
	return len(p), false
}

// readStrands enters the words of p, the next bytes of the channel, and tells them to its
// answer, those of each strand apart, and where the texts end.
func (d *Detector) readStrands(p []byte) {
	for {
		n, ends := d.endOfText(p)
		d.readText(p[:n])
		if !ends {
			return
		}
		d.cfg.Answer.endsText(d)
		p = p[n:]
	}
}

// willRead is told that the channel reads so many words next.
func (d *Detector) willRead(n int) {
	if d.main.Count+int64(n)-sourceWords > d.pointed {
		d.cfg.Answer.holds(d)
	}
}

// readText is readStrands for bytes in which no text ends.
func (d *Detector) readText(p []byte) {
	r, a := &d.main, d.cfg.Answer
	a.readsOn(d, p)
	words := r.Scanner.Append(r.Words[:0], p)
	r.Words = words
	if a.within(d) { // rare: the strands of such a piece are not told apart
		d.willRead(len(words))
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
		d.willRead(n)
		r.read(words[:n])
		a.hear(d, p, words[:n])
		words = words[n:]
	}
}
