package detect

import "noecho/ngram"

// seamBytes is how much of the prompt's end is read together with the channel,
// so that a word cut at the seam is one word. It holds more words than a run
// below the usual thresholds.
const seamBytes = 8 << 10

// edge keeps a track's state while the end of the text is tried.
type edge struct {
	count, absent, acted, light int64
	weight                      ngram.Weight
	run                         run
	joints                      []joint
	late                        []lateJoint
	joined                      bool
}

// save keeps everything that reading on changes. Words pushed afterwards land
// in free places of the ring.
func (e *edge) save(t *track) {
	e.count, e.absent, e.acted, e.light, e.weight = t.count, t.absent, t.acted, t.light, t.weight
	parts := append(e.run.parts[:0], t.run.parts...)
	e.run = t.run
	e.run.parts = parts
}

// saveJoins keeps the joints, which the channel's first words narrow down.
func (e *edge) saveJoins(j *joins) {
	e.joints = append(e.joints[:0], j.at...)
	e.late = append(e.late[:0], j.late...)
	e.joined = j.started
}

// restoreJoins undoes what was decided about joints since saveJoins.
func (e *edge) restoreJoins(j *joins) {
	j.at = append(j.at[:0], e.joints...)
	j.late = append(j.late[:0], e.late...)
	j.started = e.joined
}

// restore forgets what was read since save. What was found stays found.
func (e *edge) restore(t *track) {
	t.count, t.absent, t.acted, t.light, t.weight = e.count, e.absent, e.acted, e.light, e.weight
	parts := append(t.run.parts[:0], e.run.parts...)
	t.run = e.run
	t.run.parts = parts
}

// readSuffix reads the text behind the completion as if it went on there, in a
// copy of the track.
func (d *Detector) readSuffix(t *track) {
	if d.cfg.Prompt == nil || len(d.cfg.Prompt.Suffix) == 0 {
		return
	}
	suffix := d.cfg.Prompt.Suffix
	suffix = suffix[:min(len(suffix), d.seamBytes())]
	b := &d.back
	b.init(t.set, d.spec, d.least)
	b.copyFrom(t)
	for len(suffix) > 0 {
		n := min(len(suffix), pieceBytes)
		b.words = b.scanner.Append(b.words[:0], suffix[:n])
		d.read(b, b.words)
		suffix = suffix[n:]
	}
	b.words = b.scanner.Finish(b.words[:0])
	d.read(b, b.words)
}

// seamBytes is how much text of the prompt is read byte by byte at either end.
func (d *Detector) seamBytes() int { return max(seamBytes, 32*d.cfg.MinWords) }

// startSeam reads the end of the prompt, if the channel continues one.
func (d *Detector) startSeam() {
	d.seaming = false
	if d.cfg.Prompt == nil || len(d.cfg.Prompt.Tail) == 0 || d.cfg.Prompt.excuseOnly {
		return
	}
	tail := d.cfg.Prompt.Tail
	if n := d.seamBytes(); len(tail) > n {
		tail = tail[len(tail)-n:]
	}
	d.seaming = true
	d.seam.init(d.main.set, d.spec, d.least)
	d.seam.base = -int64(len(tail))
	for len(tail) > 0 {
		n := min(len(tail), pieceBytes)
		d.seam.words = d.seam.scanner.Append(d.seam.words[:0], tail[:n])
		d.read(&d.seam, d.seam.words)
		tail = tail[n:]
	}
}

// endSeam stops reading the seam once it says nothing new: its newest windows
// lie in the channel, word by word where the main track has them.
func (d *Detector) endSeam() {
	m, s := &d.main, &d.seam
	n := int64(m.n)
	if s.run.active || m.run.active || m.count < n || s.count < n || m.scanner.Frontier() != s.scanner.Frontier()+s.base {
		return
	}
	for i := int64(1); i <= n; i++ {
		if m.span(m.count-i) != s.span(s.count-i) || s.span(s.count-i).Lo < 0 {
			return
		}
	}
	d.seaming = false
}
