package detect

import (
	"cmp"
	"slices"

	"noecho/ngram"
)

// pieceBytes is how much text is read before the frontier is looked at again.
// It bounds scratch memory and decides nothing.
const pieceBytes = 512

// Detector judges one channel. Not safe for concurrent use; Reset makes it
// ready for another channel. Nothing is allocated until something is found.
//
// A word leaves when no run through it can be completed any more:
//
//   - every window over it that is complete has been looked up, and
//   - every window over it that is not would hold a 2- or 4-gram that is known
//     to be absent from the index (adaptive), or the weight of the words behind
//     it rules such windows out (strict), and
//   - no run of indexed windows that is still too light goes through it.
//
// Worked example, n = 10, nothing indexed but "a b c d e f g h i j": of the
// text "x a b c d e f g h i k", x leaves when "x a" is found absent, a to i are
// held while each newer gram is present, and leave when "i k" is absent.
type Detector struct {
	cfg   Config
	spec  ngram.Spec
	least ngram.Weight

	main track // the channel's text
	seam track // the end of the prompt and the beginning of the channel as one text
	join joins // prompt messages whose words the channel may continue
	edge edge  // what the tracks were before the end of the text was tried
	back track // scratch: the channel and the text behind it

	finders   []finder
	near      *near         // nil until one was asked for
	names     *namer        // nil while there was no ledger
	lanes     *lanes        // among the finders if the config asks for any; kept for the next channel
	reverse   *reverse      // likewise
	phrases   *phraseFinder // likewise
	sentences sentences     // if the extent asks for them
	letters   *despace      // likewise

	seaming bool     // the seam track still says more than the main one
	laning  bool     // there are lanes that may wake
	trying  bool     // the end of the text is only tried
	blocked *Finding // the finding that ends the channel
	emitted int64    // every byte below has been appended to a segment
	parked  int64    // every byte below left when the channel was parked
	stuffed int64    // every byte below was withheld as stuffing at the latest
	claims  []claim  // that reach beyond emitted, or are open
	cur     *Finding
	closed  []*Finding
}

// New returns a detector for one channel.
func New(set Set, spec ngram.Spec, cfg Config) *Detector {
	d := &Detector{}
	d.Reset(set, spec, cfg)
	return d
}

// Reset makes the detector ready for a new channel under cfg.
func (d *Detector) Reset(set Set, spec ngram.Spec, cfg Config) {
	if cfg.MaxHeld <= 0 {
		cfg.MaxHeld = DefaultMaxHeld
	}
	d.cfg, d.spec = cfg, spec
	d.least = ngram.Words(max(spec.N, cfg.MinWords))
	d.main.init(set, spec, d.least)
	d.emitted, d.parked, d.stuffed, d.cur = 0, 0, 0, nil
	d.trying, d.blocked = false, nil
	clear(d.claims)
	d.claims = d.claims[:0]
	d.sentences.reset()
	clear(d.closed)
	d.closed = d.closed[:0]
	d.join.reset(cfg.Prompt)
	d.startFinders()
	d.startSeam()
}

// Append reads p, the next bytes of the channel's unescaped text, and appends
// the segments that became final. Clean neighbours may be merged. Nothing is
// read and nothing appended once a blocked finding has been.
func (d *Detector) Append(dst []Segment, p []byte) []Segment {
	for len(p) > 0 && d.blocked == nil {
		room := d.cfg.MaxHeld - int(d.main.scanner.Offset()-d.emitted)
		n := min(len(p), pieceBytes, room)
		if d.seaming {
			// Both tracks go byte by byte, so that their findings come in order.
			n = 1
			d.seam.words = d.seam.scanner.Append(d.seam.words[:0], p[:n])
			d.read(&d.seam, d.seam.words)
		}
		if len(d.finders) > 0 && d.main.open() > openBytes {
			n = 1
		}
		if d.laning {
			n = d.lanes.cut(p[:n])
		}
		d.text(p[:n])
		d.main.words = d.main.scanner.Append(d.main.words[:0], p[:n])
		d.read(&d.main, d.main.words)
		if d.seaming {
			d.endSeam()
		}
		p = p[n:]
		dst = d.release(dst)
		if d.blocked == nil && d.full() {
			d.let()
			if dst = d.release(dst); d.full() {
				dst = d.stuff(dst)
			}
		}
	}
	return dst
}

// full reports whether as much is held as may be.
func (d *Detector) full() bool { return d.main.scanner.Offset()-d.emitted >= int64(d.cfg.MaxHeld) }

// Park decides everything read so far as if the text ended here, so that
// Frontier reaches the end; but the channel may go on with Append. Windows
// across the gap still count: what follows is then redacted and the finding is
// marked Resumed.
func (d *Detector) Park(dst []Segment) []Segment {
	if d.blocked != nil || d.emitted == d.main.scanner.Offset() {
		return dst
	}
	d.trying = true
	for _, f := range d.finders {
		f.save()
	}
	if d.seaming {
		d.try(&d.seam)
	}
	d.edge.saveJoins(&d.join)
	d.try(&d.main)
	d.edge.restoreJoins(&d.join)
	for _, f := range d.finders {
		f.restore()
	}
	d.trying = false
	if d.blocked != nil {
		return d.release(dst)
	}
	dst = d.emit(dst, d.main.scanner.Offset())
	d.parked = d.emitted
	return dst
}

// try reads a track to the end as if the text ended here, and takes that back.
func (d *Detector) try(t *track) {
	d.readSuffix(t)
	d.edge.save(t)
	t.words = t.scanner.Peek(t.words[:0])
	d.read(t, t.words)
	if t == &d.main {
		d.joinEnd()
	}
	d.edge.restore(t)
}

// Finish decides everything. Only Closed, Frontier and Reset may follow.
func (d *Detector) Finish(dst []Segment) []Segment {
	if d.blocked != nil {
		return dst
	}
	if d.seaming {
		d.readSuffix(&d.seam)
		d.seam.words = d.seam.scanner.Finish(d.seam.words[:0])
		d.read(&d.seam, d.seam.words)
		d.endRun(&d.seam)
		d.seaming = false
	}
	d.readSuffix(&d.main)
	d.main.words = d.main.scanner.Finish(d.main.words[:0])
	d.read(&d.main, d.main.words)
	d.joinEnd()
	d.endRun(&d.main)
	for _, f := range d.finders {
		f.end()
	}
	d.close()
	if d.blocked != nil {
		return d.release(dst)
	}
	return d.emit(dst, d.main.scanner.Offset())
}

// Frontier is the offset below which every byte's fate has been appended.
func (d *Detector) Frontier() int64 { return d.emitted }

// Closed appends the findings, echoes included, that are complete since the
// last call, in order of their start.
func (d *Detector) Closed(dst []*Finding) []*Finding {
	slices.SortStableFunc(d.closed, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(a.Span.Lo, b.Span.Lo), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Span.Hi, b.Span.Hi))
	})
	dst = append(dst, d.closed...)
	clear(d.closed)
	d.closed = d.closed[:0]
	return dst
}

// read enters words into a track.
func (d *Detector) read(t *track, words []ngram.Word) {
	for _, w := range words {
		if d.blocked != nil {
			return
		}
		hit := t.push(w)
		last := t.count - 1
		switch {
		case hit:
			h := t.window(last)
			d.hit(t, last-int64(t.n)+1, last, 0, h)
		case t == &d.main && last < int64(t.n)-1 && d.join.alive():
			d.joinStart(last)
		}
		if t.run.active && t.run.last < last {
			d.endRun(t)
		}
		if t == &d.main {
			for _, f := range d.finders {
				f.word(last)
			}
		}
	}
}

// hit enters an indexed window whose words in this track are first to last.
// weight is what the run weighs if the window begins before the channel, else 0.
func (d *Detector) hit(t *track, first, last int64, weight ngram.Weight, h ngram.Hash) {
	r := &t.run
	if !r.active {
		r.active = true
		for i := first; i < last; i++ {
			r.weight += t.at(i).weight
		}
	}
	r.weight += t.at(last).weight
	if weight > 0 {
		r.weight = weight
	}
	r.last = last
	r.hot = r.hot || r.weight >= d.least
	before := len(r.parts)
	r.add(first, last, max(0, t.span(first).Lo), d.cfg.Prompt.sent(h), h.Lo)
	if !r.hot {
		return
	}
	if len(r.parts) == before && before == 1 {
		d.apply(t, &r.parts[0]) // the common case: the newest part goes on
		return
	}
	for i := range r.parts {
		d.apply(t, &r.parts[i])
		if i < len(r.parts)-1 {
			d.echo(t, &r.parts[i])
		}
	}
	r.parts[0] = r.parts[len(r.parts)-1]
	r.parts = r.parts[:1]
}

// endRun closes a track's run.
func (d *Detector) endRun(t *track) {
	if t.run.active && t.run.hot {
		d.echo(t, &t.run.parts[len(t.run.parts)-1])
	}
	t.run.reset()
}

// echo reports a part of a run that only repeats what the client sent.
func (d *Detector) echo(t *track, p *part) {
	hi := t.span(p.last).Hi
	if !p.echo || hi <= 0 || t != &d.main || d.trying {
		return
	}
	d.closed = append(d.closed, &Finding{
		Kind: Verbatim, Echo: true, Span: ngram.Span{Lo: p.lo, Hi: hi},
		Words: int(p.last - p.first + 1), Windows: p.windows, Digests: p.digests,
	})
}

// apply makes a part of a run that weighs enough an acted span, or extends the
// one it overlaps.
func (d *Detector) apply(t *track, p *part) {
	end := d.main.scanner.Offset()
	hi := min(end, t.span(p.last).Hi)
	lo := max(p.lo, d.stuffed)
	if d.blocked != nil || p.echo || hi <= 0 || lo >= end {
		return
	}
	t.acted = p.last
	if d.cur == nil || lo >= d.cur.Span.Hi {
		d.close()
		d.cur = &Finding{Kind: Verbatim, Span: ngram.Span{Lo: lo, Hi: lo}}
	}
	c := d.cur
	oldest := max(p.first, t.count-int64(len(t.ring)))
	for i := p.last; i >= oldest && t.span(i).Hi > c.Span.Hi; i-- {
		w := t.span(i)
		if w.Lo >= end {
			continue // the text behind the completion
		}
		c.Words++
		if i > p.last-int64(p.windows) {
			c.Windows++
		}
		c.Resumed = c.Resumed || w.Lo < d.parked
	}
	if lo < c.Span.Lo {
		// The seam reads the channel's first word otherwise.
		for i := p.first; i <= p.last && t.span(i).Hi <= c.Span.Lo; i++ {
			c.Words++
		}
	}
	if room := MaxDigests - len(c.Digests); room > 0 {
		c.Digests = appendNew(c.Digests, p.digests, room)
	}
	d.name(c, t, p.first, p.last)
	d.claim(c, ngram.Span{Lo: lo, Hi: hi})
}

// close completes the newest finding.
func (d *Detector) close() {
	if d.cur != nil {
		d.settle(d.cur)
		d.cur = nil
	}
}

// release appends what has become final.
func (d *Detector) release(dst []Segment) []Segment {
	if f := d.blocked; f != nil {
		d.settleAll()
		if c := d.claimOf(f); c != nil {
			dst = d.emit(dst, c.span.Hi)
		}
		return dst
	}
	free, last := d.main.held(d.cfg.Release)
	if d.seaming {
		f, _ := d.seam.held(d.cfg.Release)
		free = min(free, f)
	}
	if d.cur != nil {
		if hi := d.cur.Span.Hi; last >= hi && last < free {
			d.close() // a clean word stands behind it
		} else {
			free = min(free, hi)
		}
	}
	for _, f := range d.finders {
		free = min(free, d.beyond(f.waits()))
	}
	if d.cfg.Extent == ExtentSentence {
		free = d.sentences.begin(free)
	}
	return d.emit(dst, d.pending(free))
}

// emit appends segments up to offset free.
func (d *Detector) emit(dst []Segment, free int64) []Segment {
	for d.emitted < free {
		f, end := d.cover(d.emitted, free)
		dst = append(dst, Segment{Span: ngram.Span{Lo: d.emitted, Hi: end}, Finding: f})
		d.emitted = end
	}
	if len(d.claims) > 0 {
		d.drop()
	}
	if d.cfg.Extent == ExtentSentence {
		d.sentences.forget(d.emitted)
	}
	return dst
}

// stuff withholds everything held: there is more of it than may be.
func (d *Detector) stuff(dst []Segment) []Segment {
	d.close()
	f := &Finding{Kind: Stuffing, Span: ngram.Span{Lo: d.emitted, Hi: d.main.scanner.Offset()}}
	for i := d.main.count - 1; i >= 0 && i >= d.main.count-int64(len(d.main.ring)) && d.main.span(i).Hi > f.Span.Lo; i-- {
		f.Words++
	}
	d.judge(f)
	d.closed = append(d.closed, f)
	d.emitted, d.stuffed = f.Span.Hi, f.Span.Hi
	return append(dst, Segment{Span: f.Span, Finding: f})
}
