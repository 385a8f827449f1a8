package detect

import (
	"math"
	"slices"

	"noecho/detect/internal/track"
	"noecho/ngram"
)

// thread is one reading of an answer over all its channels. It has a detector that reads
// words in place of bytes: word i of the thread is byte i of its text.
//
// A thread sleeps while its newest channel finds all that the thread would: it reads
// nothing. At a turn it keeps the words that may begin a window, mostly one to three, and
// those that follow, until a 2- or 4-gram that is not indexed proves that no window
// crosses the turn: then it sleeps again. Once it has all words of a window it wakes, and
// its detector reads them and those that follow. So an answer of one channel costs nothing,
// and a turn of another answer little.
type thread struct {
	det     *Detector
	of      ofStrands
	pieces  bool // it reads the pieces of a channel
	begun   bool // the detector was started
	state   threadState
	kept    []kept   // while the thread waits
	source  source   // or where the words are that would be in kept
	passed  []kept   // newest words, which did not go on with those before them
	skips   int32    // how many words were passed over
	begin   int64    // first word of the channel that belongs to the newest stretch
	from    int64    // offset in the channel where the stretch begins
	stretch int32    // number of the newest sequence of words of one channel
	first   int64    // first word of the stretch, in the thread
	origins []origin // of the newest words; its length is a power of two
	found   []spread
	ended   []*Finding // scratch
	segs    []Segment  // scratch
	judge   func(*Finding) Action

	glue
	glued []*thread // readings of the same words, of which some are one word, see glue
}

// threadState says how a thread reads the next word.
type threadState uint8

const (
	threadSleeps threadState = iota // nothing: the channel knows as much
	threadWaits                     // it looks whether the word may be in a window over the turn
	threadReads                     // its detector reads the word
)

// kept is a word that may be in a window over a turn.
type kept struct {
	word   ngram.Word
	origin origin
}

// source is words of a channel that a thread keeps. Nearly always the next word does not go on
// with the last of them, so none is copied before. The ring of the channel has them.
type source struct {
	det     *Detector // nil: there are none
	lo, hi  int64     // numbers of the first word and behind the last
	stretch int32
	olds    int32
}

// sourceWords is how many more words a channel reads before those of a source are copied.
const sourceWords = track.Provisional / 2

// origin is where a word of a thread comes from.
type origin struct {
	det     *Detector
	span    ngram.Span
	stretch int32
	olds    int32 // how often text was passed over before
	strand  Strand
	anew    bool    // the channel does not have the word: it goes on within one
	piece   bool    // because a piece begins there, see reading
	parts   *[]lead // of the word in the texts before; nil: it is not cut
}

// spread is a finding of a thread, as far as it was carried over to the channels.
type spread struct {
	finding *Finding
	hi      int64       // the words before it were carried over
	late    []Part      // its bytes that had been decided as clean, while they are not withheld
	in      []*Detector // whose bytes it has
}

// reset drops every word that the thread knows, and keeps storage of the usual size for another
// answer.
func (t *thread) reset() {
	kept := thread{kept: track.Emptied(t.kept), passed: track.Emptied(t.passed), glued: track.Emptied(t.glued)}
	kept.open, kept.lead = track.Emptied(t.open), track.Emptied(t.lead)
	if t.det != nil {
		t.det.forget()
		kept.det, kept.origins = t.det, t.origins
		clear(t.origins)
	}
	*t = kept
}

// end makes the thread ready for other words of the answer.
func (t *thread) end() {
	clear(t.found)
	t.begun, t.state, t.stretch, t.skips, t.source = false, threadSleeps, 0, 0, source{}
	t.found, t.kept, t.passed, t.glued = t.found[:0], t.kept[:0], t.passed[:0], t.glued[:0]
	t.open, t.lead, t.own, t.last = t.open[:0], t.lead[:0], 0, lead{}
}

// start makes the thread ready for the words of an answer.
func (t *thread) start(d *Detector) {
	t.begun = true
	if t.det == nil {
		t.det = &Detector{}
	}
	cfg := d.cfg
	cfg.Answer, cfg.Cut, cfg.Prompt = nil, nil, d.cfg.Prompt.ExcuseOnly()
	cfg.Lanes, cfg.decoded, cfg.Near.Off, cfg.Extent = 0, Plain, true, ExtentSpan
	t.judge = d.cfg.Judge
	cfg.Judge = t.decide
	t.det.Reset(d.index, d.spec, cfg)
	t.det.main.Numbered = true
	if t.pieces { // "mark" and "ann" may be the pieces of one word
		t.det.hasPhrases, t.det.main.finders = false, t.det.main.finders[:0]
	}
	if room := int(t.det.main.Room()); len(t.origins) < room {
		t.origins = make([]origin, room)
	}
}

// decide is the Judge of the detector.
func (t *thread) decide(f *Finding) Action {
	switch {
	case !t.crosses(f, f.Span):
		return Observe // it is a finding of one channel, which decides
	case t.judge == nil:
		return Redact
	}
	return t.judge(f)
}

func (t *thread) at(i int64) *origin { return &t.origins[i&int64(len(t.origins)-1)] }

// oldest is the oldest word whose origin is known.
func (t *thread) oldest() int64 { return max(0, t.det.main.Count-int64(len(t.origins))) }

// adopt begins to read where another thread is, which a channel went on with last.
func (t *thread) adopt(r *reading, o *thread, d *Detector) {
	t.begin, t.from, t.stretch = o.begin, o.from, o.stretch
	t.copyFrom(r, d, o)
	for _, q := range o.glued {
		p := t.beside(r)
		p.copyFrom(r, d, q)
		p.open, p.lead, p.last = append(p.open[:0], q.open...), append(p.lead[:0], q.lead...), q.last
	}
}

// enter is told that a channel goes on with the answer, with a word at an offset.
func (t *thread) enter(word, at int64) {
	t.stretch++
	t.begin, t.from = word, at
	if t.state == threadReads {
		t.first = t.det.main.Count
	}
	for _, q := range t.glued {
		q.enter(word, at)
	}
}

// leave is told that the reading goes on elsewhere than in a channel, whose last words, which
// may not be complete, are in r.words.
func (t *thread) leave(r *reading, d *Detector) {
	if t.state == threadSleeps {
		t.keep(r, d)
	}
	for i := range r.words {
		if !t.passes(r, d, r.words, i) {
			t.next(r, d, r.words, i)
		}
	}
	for _, q := range t.glued {
		if len(q.open) == 0 {
			q.leave(r, d)
		}
	}
}

// keep keeps the newest words of a channel that may be in a window or phrase with the words
// behind them.
func (t *thread) keep(r *reading, d *Detector) {
	t.state = threadWaits
	if t.point(r, d) {
		return
	}
	if wakes := t.gather(r, d, nil, true); (wakes || d.main.Run.Active) && len(t.kept) > 0 {
		t.wake(r, d, 0)
	}
}

// point notes the words that gather would keep, if they wake no detector.
func (t *thread) point(r *reading, d *Detector) bool {
	s, ok := t.sourceIn(r, d)
	if ok {
		t.kept, t.passed, t.source = t.kept[:0], t.passed[:0], s
	}
	return ok
}

// sourceIn returns the newest words of a channel that may be in a window with the words behind
// them, unless they are of a run or a phrase.
func (t *thread) sourceIn(r *reading, d *Detector) (s source, ok bool) {
	m := &d.main
	lo := m.FirstLive()
	if m.Run.Active || d.hasPhrases && !t.pieces && d.phrases.begins(&lo, t.begin) {
		return s, false
	}
	if lo = max(lo, t.begin); lo < m.Count {
		s = source{d, lo, m.Count, t.stretch, r.olds + t.skips}
		d.pointed = min(d.pointed, m.Count)
	}
	return s, true
}

// hold copies the words of the source.
func (t *thread) hold() {
	s := &t.source
	if s.det == nil {
		return
	}
	m := &s.det.main
	for i := s.lo; i < s.hi; i++ {
		w := m.Word(i)
		t.add(&w, &origin{det: s.det, span: w.Span, stretch: s.stretch, olds: s.olds, strand: Strand(m.MarkOf(i))})
	}
	*s = source{}
}

// holdAll copies the words of the sources in a channel, those of the readings beside the thread too.
func (t *thread) holdAll(d *Detector) {
	if t.source.det == d {
		t.hold()
	}
	for _, q := range t.glued {
		q.holdAll(d)
	}
}

func (s *source) size() int { return int(s.hi - s.lo) }

// size returns how many words the thread keeps.
func (t *thread) size() int { return len(t.kept) + t.source.size() }

// newest returns the newest word that the thread keeps, and its stretch.
func (t *thread) newest() (w ngram.Word, stretch int32) {
	if s := &t.source; s.det != nil {
		return s.det.main.Word(s.hi - 1), s.stretch
	}
	k := &t.kept[len(t.kept)-1]
	return k.word, k.origin.stretch
}

// goesWith reports whether the newest word that the thread keeps and another one may be indexed.
func (t *thread) goesWith(r *reading, d *Detector, w *ngram.Word) bool {
	last, _ := t.newest()
	return r.gate2(d, gramOf(&last, w))
}

// gather keeps the newest words of a channel, or of another reading that has a detector, that
// may be in a window or phrase with the words behind them, and with run all words of a run.
// It reports whether a phrase may begin with one of them.
func (t *thread) gather(r *reading, d *Detector, o *thread, run bool) (phrase bool) {
	m, first := &d.main, t.begin
	lo := m.FirstLive()
	if run && m.Run.Active {
		lo = m.Count - m.Room() + track.Provisional
	}
	if o != nil {
		first = o.oldest()
		if run && m.Run.Active {
			lo = max(lo, m.Run.First)
		}
	}
	if d.hasPhrases && !t.pieces {
		phrase = d.phrases.begins(&lo, first)
	}
	t.kept, t.passed, t.source = t.kept[:0], t.passed[:0], source{}
	for i := max(lo, first); i < m.Count; i++ {
		w := m.Word(i)
		if o == nil {
			t.add(&w, &origin{det: d, span: w.Span, stretch: t.stretch, olds: r.olds + t.skips, strand: Strand(m.MarkOf(i))})
			continue
		}
		w.Span = o.at(i).span
		from := o.at(i).copied()
		t.add(&w, &from)
	}
	return phrase
}

// add adds a word to those that are kept.
func (t *thread) add(w *ngram.Word, o *origin) {
	n := len(t.kept)
	t.kept = slices.Grow(t.kept, 1)[:n+1]
	t.kept[n].word, t.kept[n].origin = *w, *o
}

// wait adds a word to those that are kept, without those that no window can have together
// with it, and wakes the thread if they are a window or the word may begin a phrase.
func (t *thread) wait(r *reading, d *Detector, w *ngram.Word, o origin) {
	n := t.size()
	if n > 0 && !t.goesWith(r, d, w) {
		t.kept, t.source, n = t.kept[:0], source{}, 0
	}
	t.hold()
	if n > 2 && !d.index.Gate4(t.gram(3, w)) {
		t.kept = t.kept[:copy(t.kept, t.kept[n-2:])]
	}
	t.add(w, &o)
	if len(t.kept) == d.spec.N || d.hasPhrases && !t.pieces && d.index.Start(ngram.Gram(0, ngram.Roll(0, w.Hash), 1)) {
		t.wake(r, d, 0)
	}
}

// gram is the hash of the newest n kept words and a word behind them.
func (t *thread) gram(n int, w *ngram.Word) ngram.Hash {
	prefix := uint64(0)
	for i := len(t.kept) - n; i < len(t.kept); i++ {
		prefix = ngram.Roll(prefix, t.kept[i].word.Hash)
	}
	return ngram.Gram(0, ngram.Roll(prefix, w.Hash), n+1)
}

// wake lets the detector read the words that are kept. The windows of the first of them, so
// many, are known.
func (t *thread) wake(r *reading, d *Detector, known int) {
	if !t.begun {
		t.start(d)
	}
	t.hold()
	t.state = threadReads
	m := &t.det.main
	sleep := m.Count - 1
	m.Absent = sleep // no window has words from before the sleep
	if t.det.hasPhrases {
		t.det.phrases.reset()
	}
	t.first = m.Count + int64(len(t.kept))
	for i := range t.kept {
		k := &t.kept[i]
		if k.origin.parts != nil {
			t.own = m.Count + 1
		}
		if i < known {
			m.Absent = m.Count
		} else if i == known {
			m.Absent = sleep
		}
		if k.origin.stretch == t.stretch {
			t.first = min(t.first, m.Count)
		}
		t.read(&k.word, k.origin)
	}
	if known == len(t.kept) {
		m.Absent = sleep
	}
	t.carry(r.answer)
}

// read lets the detector read a word.
func (t *thread) read(w *ngram.Word, o origin) {
	r := &t.det.main
	*t.at(r.Count) = o
	r.Words = append(r.Words[:0], *w)
	r.Words[0].Span = ngram.Span{Lo: r.Count, Hi: r.Count + 1}
	r.read(r.Words)
}

// hear is told the next words of a channel, those from one on.
func (t *thread) hear(r *reading, d *Detector, words []ngram.Word, from int) {
	for i := from; i < len(words); i++ {
		switch {
		case t.passes(r, d, words, i):
		case i >= r.anew && t.state == threadWaits && t.parts(r, d, &words[i]):
			t.state = threadSleeps
			return
		default:
			t.next(r, d, words, i)
		}
		if i+1 == r.anew {
			t.begin = d.main.Count - int64(len(words)-r.anew)
			if t.state == threadReads {
				t.first = t.det.main.Count
			}
		}
		if i+1 >= r.anew && t.quiet() {
			t.state = threadSleeps
			return
		}
	}
}

// parts reports whether no window has a word and those that are kept. Then the channel finds
// all that begins with the word.
func (t *thread) parts(r *reading, d *Detector, w *ngram.Word) bool {
	return !t.heard(r, d, w) && (t.size() == 0 || !t.goesWith(r, d, w))
}

// heard reports whether the thread knows a word of a channel.
func (t *thread) heard(r *reading, d *Detector, w *ngram.Word) bool {
	return w.Span.Hi <= d.told[r.number] || t.last.det == d && w.Span.Hi <= t.last.span.Hi
}

// next is told word i of some words.
func (t *thread) next(r *reading, d *Detector, words []ngram.Word, i int) {
	if w := &words[i]; !t.heard(r, d, w) {
		t.take(r, d, w, t.origin(r, d, words, i))
	}
}

// origin returns where word i of some words comes from.
func (t *thread) origin(r *reading, d *Detector, words []ngram.Word, i int) origin {
	return origin{det: d, span: words[i].Span, stretch: t.stretch, olds: r.olds + t.skips, strand: d.strand, anew: i < r.anew, piece: i < r.anew && r.piece}
}

// take reads a word, or keeps it.
func (t *thread) take(r *reading, d *Detector, w *ngram.Word, o origin) {
	switch {
	case t.begun && t.det.host.blocked != nil:
	case t.state == threadWaits:
		t.wait(r, d, w, o)
	case t.state == threadReads:
		t.read(w, o)
		t.carry(r.answer)
	}
}

// passes reports whether word i of some words is passed over: it does not go on with the words
// before it, is of a strand that may be between others, and may be no part of a phrase. A word
// that goes on with those that were passed over shows that they are part of the text.
func (t *thread) passes(r *reading, d *Detector, words []ngram.Word, i int) bool {
	w := &words[i]
	name := t.of.passes>>d.strand&1 != 0
	if t.state == threadSleeps || !name && len(t.passed) == 0 || t.heard(r, d, w) {
		return false
	}
	goes := len(t.passed) > 0 && r.gate2(d, gramOf(&t.passed[len(t.passed)-1].word, w))
	switch {
	case goes && (!name || len(t.passed) == d.spec.N-1), name && t.identifies(d, w):
		t.takePassed(r, d)
		return false
	case goes:
	case !name || t.goesOn(r, d, w):
		t.passed = t.passed[:0]
		return false
	case len(t.passed) >= max(1, t.chain()) && t.passed[len(t.passed)-1].origin.stretch != t.stretch:
		t.takePassed(r, d)
	default:
		t.passed = t.passed[:0]
	}
	t.passed = append(t.passed, kept{*w, t.origin(r, d, words, i)})
	t.from = w.Span.Hi
	t.skips++
	return true
}

// takePassed takes the words that were passed over.
func (t *thread) takePassed(r *reading, d *Detector) {
	passed := t.passed
	t.passed = t.passed[:0]
	for k := range passed {
		t.take(r, d, &passed[k].word, passed[k].origin)
		if t.state == threadReads && passed[k].origin.stretch != t.stretch {
			t.first = t.det.main.Count
		}
	}
}

// identifies reports whether a word may be a part of a phrase.
func (t *thread) identifies(d *Detector, w *ngram.Word) bool {
	if !d.hasPhrases {
		return false
	}
	return t.state == threadReads && len(t.det.phrases.live) > 0 || d.index.Start(ngram.Gram(0, ngram.Roll(0, w.Hash), 1))
}

// goesOn reports whether a word may go on with the newest one that the thread has. It does if
// there is none that may be in a window, or if that is of the same stretch.
func (t *thread) goesOn(r *reading, d *Detector, w *ngram.Word) bool {
	if t.chain() == 0 {
		return true
	}
	if t.state == threadWaits {
		last, stretch := t.newest()
		return stretch == t.stretch || r.gate2(d, gramOf(&last, w))
	}
	m := &t.det.main
	last := m.Word(m.Count - 1)
	return t.at(m.Count-1).stretch == t.stretch || r.gate2(d, gramOf(&last, w))
}

// chain returns how many of the newest words may be in a window with the next one.
func (t *thread) chain() int {
	if t.state == threadWaits {
		return t.size()
	}
	m := &t.det.main
	if m.Run.Active {
		return int(m.Room())
	}
	return int(m.Count - m.FirstLive())
}

// gramOf returns the hash of two words.
func gramOf(first, second *ngram.Word) ngram.Hash {
	return ngram.Gram(0, ngram.Roll(ngram.Roll(0, first.Hash), second.Hash), 2)
}

// try reads the words with which a channel would end here. It forgets them: the last one
// may turn out to be longer.
func (t *thread) try(r *reading, d *Detector, words []ngram.Word) {
	if n := len(t.passed); n > 0 && len(words) > 0 && n+len(words) >= d.spec.N && r.gate2(d, gramOf(&t.passed[n-1].word, &words[0])) {
		t.takePassed(r, d)
	}
	if t.state == threadWaits {
		if t.size()+len(words) < d.spec.N && !(len(t.open) > 0 && len(words) > 0 && t.mayStart(d, &words[0])) {
			return
		}
		t.wake(r, d, 0)
	}
	if len(words) == 0 || t.det.host.blocked != nil {
		return
	}
	det, f := t.det, &t.det.fork
	det.forks = det.forks[:0]
	for _, finder := range det.main.finders {
		if fork := finder.Fork(); fork != nil {
			det.forks = append(det.forks, fork)
		}
	}
	f.fork(&det.main, det.forks)
	f.Words = f.Words[:0]
	for k, w := range words {
		first, cut := len(f.Words) == 0, k == 0 && len(t.open) > 0
		if !t.heard(r, d, &w) && (cut || !(first && t.of.passes>>d.strand&1 != 0 && !t.identifies(d, &w) && !t.goesOn(r, d, &w))) {
			i := det.main.Count + int64(len(f.Words))
			*t.at(i) = t.origin(r, d, words, k)
			if cut {
				t.cutOrigin(t.at(i))
			}
			w.Span = ngram.Span{Lo: i, Hi: i + 1}
			f.Words = append(f.Words, w)
		}
	}
	det.host.words = &f.Track
	f.read(f.Words)
	for _, finder := range det.forks {
		finder.End()
	}
	det.host.words = &det.main.Track
	t.carry(r.answer)
}

// quiet reports whether the channel of the newest words finds all that the thread would.
func (t *thread) quiet() bool {
	if t.base != nil {
		return t.quietGlued()
	}
	if t.state == threadWaits {
		if t.source.det != nil {
			return t.source.stretch == t.stretch
		}
		o := t.kept // the oldest one is the first word of a window
		return len(o) > 0 && o[0].origin.stretch == t.stretch && !o[0].origin.anew
	}
	return t.idle(t.first)
}

// idle reports whether the detector has nothing open but what words from one on begin.
func (t *thread) idle(first int64) bool {
	d := t.det
	if d.main.FirstLive() < first || d.main.Run.Active || d.runs.cur != nil || len(d.host.list) > 0 {
		return false
	}
	return !d.hasPhrases || d.phrases.since(first)
}

// firstOpen returns the offset of the first byte of the stretch that may yet become part of a
// finding.
func (t *thread) firstOpen() int64 {
	i, count := t.det.host.emitted, t.det.main.Count
	switch {
	case i < count && i >= t.first:
		return t.at(i).lo()
	case i < count:
		return t.from
	case t.det.runs.cur == nil:
		return math.MaxInt64
	case count > t.first:
		return t.at(count - 1).span.Hi
	}
	return t.from
}

// finish completes the findings.
func (t *thread) finish(r *reading) {
	for _, q := range t.glued {
		q.finish(r)
	}
	if t.state != threadReads || t.det.host.blocked != nil {
		return
	}
	t.det.runs.endRun(&t.det.main)
	for _, f := range t.det.main.finders {
		f.End()
	}
	t.det.runs.close()
	t.carry(r.answer)
}

// crosses reports whether a span of a finding, its run or the reason for it makes it one of the
// thread. Words that their channel does not have count as those of several stretches. Names
// that came before may hide from their own thread names that this one has in a row.
func (t *thread) crosses(f *Finding, span ngram.Span) bool {
	if f.reason.Hi > 0 {
		span = ngram.Span{Lo: min(span.Lo, f.reason.Lo), Hi: max(span.Hi, f.reason.Hi)}
	}
	if run := &t.det.main.Run; f == t.det.runs.cur && run.Active { // of the run, a part may repeat a message
		span = ngram.Span{Lo: min(span.Lo, run.First), Hi: max(span.Hi, run.Last+1)}
	}
	var turns, piece, channels, olds bool
	has, end := strands(0), t.at(span.Hi-1)
	for i := max(span.Lo, t.oldest()); i < span.Hi; i++ {
		o := t.at(i)
		has |= 1 << o.strand
		turns = turns || o.stretch != end.stretch || o.anew
		olds = olds || o.olds != end.olds
		piece = piece || o.piece
		channels = channels || o.det != end.det
		for _, l := range o.leads() {
			has |= 1 << l.strand
		}
	}
	if t.pieces {
		return piece
	}
	if olds && has&(has-1) == 0 && has&^t.of.also == 0 {
		return turns
	}
	for _, other := range t.of.but {
		turns = turns && (has&^other != 0 || piece && (channels || end.strand < beside))
	}
	return turns
}

// carry takes the findings of the thread over to the channels, and the findings that are
// complete to the answer.
func (t *thread) carry(a *Answer) {
	h := &t.det.host
	if len(h.list) > 0 {
		for i := range h.list {
			t.follow(a, &h.list[i])
		}
	}
	t.segs = t.det.release(t.segs[:0])
	if len(h.closed) == 0 {
		return
	}
	t.ended = h.take(t.ended[:0])
	for _, f := range t.ended {
		t.close(a, f)
	}
}

// follow takes over the words by which a claim has grown.
func (t *thread) follow(a *Answer, c *claim) {
	s := t.spreadOf(c.finding)
	if s == nil {
		if c.ended {
			return // it waits for another claim
		}
		if c.let = !t.crosses(c.finding, c.span); c.let {
			return
		}
		t.found = append(t.found, spread{finding: c.finding, hi: max(c.span.Lo, t.oldest())})
		s = &t.found[len(t.found)-1]
	}
	for s.hi < c.span.Hi {
		s.hi = t.cover(s, s.hi, c.span.Hi)
	}
	if c.withheld() {
		a.late = append(a.late, s.late...)
		s.late = s.late[:0]
	}
}

func (t *thread) spreadOf(f *Finding) *spread {
	for i := range t.found {
		if t.found[i].finding == f {
			return &t.found[i]
		}
	}
	return nil
}

// piece returns the words of one stretch from word i on as the origin of one word, and
// the word behind them.
func (t *thread) piece(i, end int64) (origin, int64) {
	o := *t.at(i)
	for i++; i < end && t.at(i).stretch == o.stretch; i++ {
		o.span.Hi = t.at(i).span.Hi
	}
	return o, i
}

// Bounds of a finding that is cut over very many stretches. Of the parts beyond, the newest
// takes the place of the one before it.
const (
	maxParts = 64
	maxLate  = 256
)

// cover takes over the words of one stretch from word i on, and returns the word behind.
func (t *thread) cover(s *spread, i, end int64) int64 {
	grows := len(s.finding.Parts) > 0 && t.at(i-1).stretch == t.at(i).stretch
	if w := t.at(i); !grows && w.parts != nil {
		before := t.at(i - 1).stretch
		var l lead
		for _, l = range *w.parts {
			t.coverPart(s, l.det, l.span, len(s.finding.Parts) > 0 && before == l.stretch)
			before = l.stretch
		}
		grows = l.stretch == w.stretch || l.det == w.det && l.span.Hi == w.span.Lo
	}
	o, next := t.piece(i, end)
	t.coverPart(s, o.det, o.span, grows)
	return next
}

// coverPart takes over bytes of a channel. With grows they go on with the newest ones.
func (t *thread) coverPart(s *spread, d *Detector, span ngram.Span, grows bool) {
	f, h := s.finding, &d.host
	f.Resumed = f.Resumed || span.Lo < h.parked
	if grows {
		last := &f.Parts[len(f.Parts)-1].Span
		span.Lo, last.Hi = last.Hi, span.Hi
	} else {
		f.Parts = append(f.Parts[:min(len(f.Parts), maxParts-1)], Part{Segment{span, f}, d.cfg.Channel})
	}
	if !slices.Contains(s.in, d) {
		s.in = append(s.in, d)
	}
	if gone := min(span.Hi, h.emitted); span.Lo < gone && len(s.late) < maxLate {
		s.late = append(s.late, Part{Segment{ngram.Span{Lo: span.Lo, Hi: gone}, f}, d.cfg.Channel})
	}
	h.share(f, f.Parts[len(f.Parts)-1].Span)
}

// close takes over a finding that is complete.
func (t *thread) close(a *Answer, f *Finding) {
	if f.Echo {
		if t.crosses(f, f.Span) {
			for i := max(f.Span.Lo, t.oldest()); i < f.Span.Hi; {
				var o origin
				o, i = t.piece(i, f.Span.Hi)
				f.Parts = append(f.Parts, Part{Segment{o.span, f}, o.det.cfg.Channel})
			}
			f.Span = f.Parts[0].Span
			a.closed = append(a.closed, f)
		}
		return
	}
	s := t.spreadOf(f)
	if s == nil {
		return
	}
	for _, d := range s.in {
		d.host.unshare(f)
	}
	t.found = slices.DeleteFunc(t.found, func(s spread) bool { return s.finding == f })
	if c := t.det.host.of(f); c != nil {
		c.ended = true
	}
	f.Span = f.Parts[0].Span
	if !a.knows(f) {
		a.closed = append(a.closed, f)
	}
}
