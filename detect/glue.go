package detect

import (
	"math/bits"
	"slices"

	"noecho/detect/internal/track"
	"noecho/ngram"
)

// A word may be cut where two texts of an answer meet: "sarah.ha" in one call and
// "le@example.net" in the next are put together as "hale". But they may also be two words,
// because a space between them was left out. So a thread reads each such place both ways.
//
// The thread itself takes all of them for two words. Beside it are up to maxGlued readings
// with a word that is cut, threads like it. When a text ends inside a word, each of them and
// the thread begin another one, in which the word stays open; it is complete with the first
// word of the next text, or goes on with that if the text has nothing else. Nearly always the
// index has no such word, or no such 2-gram, and the reading ends there. A reading also ends
// once no window or phrase can have the word that is cut: the others find the rest.
//
// Worked example: the texts "the wal", "nut and la" and "goon" are read as "the wal nut and
// la goon" by the thread, and as "the walnut and la goon", "the walnut and lagoon" and "the
// wal nut and lagoon" beside it.

// glue is the part of a thread that reads some words as one.
type glue struct {
	base  *thread // the thread that it is beside; nil: it is one that takes all words for two
	open  []byte  // normalised bytes of a word that may go on with the next text; empty: there is none
	lead  []lead  // where it is
	where *[]lead // the parts of the first word that is cut; nil: not needed yet
	own   int64   // word behind the newest one that is cut
	last  lead    // where that ends
}

// lead is a part of a word in a text that ends inside it.
type lead struct {
	det     *Detector
	span    ngram.Span
	stretch int32
	strand  Strand
}

// stub is the readings that a word which is cut begins beside some threads, until the first
// word behind it has come. Nearly always that shows that the index has no such word.
type stub struct {
	threads uint8 // a bit for each; 0: there is no such word
	open    []byte
	parts   []stubPart          // where it is
	from    [threadsEach]source // the words before it that each thread would keep
}

// stubPart is a part of a word, and the stretch that it is of in each thread.
type stubPart struct {
	lead
	stretches [threadsEach]int32
}

// stubsEach is how many words may wait so.
const stubsEach = 8

// roomy is a thread with room for what it mostly keeps.
type roomy struct {
	thread
	open [32]byte
	lead [2]lead
	kept [4]kept
}

// Bounds of the readings beside a thread.
const (
	maxGlued   = 24
	maxWord    = 256 // bytes of a word that is cut, as of any word
	maxLetters = 32  // of one over three texts and more, with no indexed 2-gram before it
	maxTries   = 256 // how often an answer tries to go on such a word
)

// lo is the offset of the word in its newest channel.
func (o *origin) lo() int64 {
	lo := o.span.Lo
	for _, l := range o.leads() {
		if l.det == o.det {
			lo = min(lo, l.span.Lo)
		}
	}
	return lo
}

// copied returns the origin for another reading.
func (o origin) copied() origin {
	if o.parts != nil {
		parts := slices.Clone(*o.parts)
		o.parts = &parts
	}
	return o
}

// leads are the parts of the word in the texts before.
func (o *origin) leads() []lead {
	if o.parts == nil {
		return nil
	}
	return *o.parts
}

// put keeps a reading that has ended for another one.
func (a *Answer) put(q *thread) {
	q.end()
	a.spare = append(a.spare, q)
}

// drop ends reading i beside the thread.
func (t *thread) drop(r *reading, i int) {
	q := t.glued[i]
	q.finish(r)
	t.glued = slices.Delete(t.glued, i, i+1)
	r.answer.put(q)
}

// readsOn is told that a channel reads p, its next bytes.
func (a *Answer) readsOn(d *Detector, p []byte) {
	if !a.cuts {
		return
	}
	d.head, d.newest, d.from = d.head[:0], p, d.main.Scanner.Offset()
	if d.main.Scanner.Frontier() < d.from {
		var open []byte
		d.peeked, open = d.main.Scanner.Peek(d.peeked[:0])
		d.head = append(d.head, open...)
	}
	if at := a.startIn(d, p); at >= 0 {
		d.first.begin(at, p[at-d.from:])
	} else {
		d.first.feed(p)
	}
}

// startIn returns the offset of the newest text that starts in p, the next bytes of a channel,
// -1 if none does.
func (a *Answer) startIn(d *Detector, p []byte) int64 {
	at := int64(-1)
	for i := d.turned; i < len(d.turns) && d.turns[i].at < d.from+int64(len(p)); i++ {
		if t := d.turns[i]; t.strand != Aside && t.at >= d.from {
			at = t.at
		}
	}
	if at >= 0 {
		return at
	}
	for i := range a.readings {
		if a.speakers[i] == d && a.readings[i].from == d.from {
			return d.from
		}
	}
	if d.begins == d.from {
		return d.from
	}
	return -1
}

// endsText is told that a text of a channel ends.
func (a *Answer) endsText(d *Detector) {
	if d.main.Scanner.Frontier() == d.main.Scanner.Offset() {
		return
	}
	d.turnTo(d.main.Scanner.Frontier())
	for i := range a.readings {
		if i < ofPieces && a.speakers[i] == d && d.strand != Aside {
			r := a.readings[i]
			r.split()
			r.words = r.peek(d)
			r.cut(d)
			r.rest()
		}
	}
}

// knows notes a finding that is complete, and reports whether one of the newest had the same
// words.
func (a *Answer) knows(f *Finding) bool {
	for _, o := range a.told {
		if o != nil && o.Kind == f.Kind && slices.Equal(o.Digests, f.Digests) && o.Parts[len(o.Parts)-1].Span == f.Parts[len(f.Parts)-1].Span {
			return true
		}
	}
	copy(a.told[1:], a.told[:])
	a.told[0] = f
	return false
}

// cut is told that a text of a channel ends, the words of which may not be complete are in
// r.words.
func (r *reading) cut(d *Detector) {
	if len(r.words) == 0 || r.number == ofPieces {
		return
	}
	w := &r.words[len(r.words)-1]
	threads := r.readers[r.strand]
	if r.stubbed&threads != 0 {
		r.cutStubs(d, threads, w)
	}
	at := -1
	for m := threads; m != 0; m &= m - 1 {
		i := bits.TrailingZeros8(m)
		if t := &r.threads[i]; !r.waitsToCut(i, d, w, &at) {
			t.cut(r, d, w, i)
			r.look(i)
		}
	}
}

// cutStubs is told that a text ends with a word for some threads. The words of the stubs may go
// on with the text if it has no other word.
func (r *reading) cutStubs(d *Detector, threads uint8, w *ngram.Word) {
	whole := len(r.tail) > 0 && len(r.words) == 1 && r.begins(d, w)
	for k := range r.stubs {
		s, goOn := &r.stubs[k], uint8(0)
		if whole && s.threads&threads != 0 {
			both := *w
			both.Hash = r.glued(d, s.open, r.tail)
			r.grow(s, r.mayGlue(s, d, s.threads&threads, &both, nil))
			goOn = r.mayGoOn(s, d, s.threads&threads)
		}
		s.threads &^= threads &^ r.passers[r.strand] &^ goOn // of the others the text may go on behind it
		if goOn != 0 {
			r.grow(s, s.threads&^goOn)
			s.open = append(s.open, r.tail...)
			s.parts = append(s.parts, r.part(d, w))
		}
	}
	r.count()
}

// mayGoOn returns those of some threads for which the word of a stub may go on with a whole
// text, as [thread.mayGrow] says.
func (r *reading) mayGoOn(s *stub, d *Detector, threads uint8) (may uint8) {
	if threads == 0 || len(s.open)+len(r.tail) > maxLetters {
		return 0
	}
	r.answer.tries++
	for m := threads; m != 0; m &= m - 1 {
		i := bits.TrailingZeros8(m)
		if n := s.from[i].size(); (n > 1 || d.words != nil) && (n > 3 || r.answer.tries <= maxTries) {
			may |= 1 << i
		}
	}
	return may
}

// part returns the last word of a text as a part of one.
func (r *reading) part(d *Detector, w *ngram.Word) stubPart {
	p := stubPart{lead: lead{d, w.Span, 0, r.strand}}
	for i := range r.threads {
		p.stretches[i] = r.threads[i].stretch
	}
	return p
}

// count notes which threads have a stub.
func (r *reading) count() {
	r.stubbed = 0
	for k := range r.stubs {
		r.stubbed |= r.stubs[k].threads
	}
}

// cutsAt reports whether a text that ends with a word begins a reading beside a thread.
func (r *reading) cutsAt(d *Detector, w *ngram.Word) bool {
	return len(r.tail) > 0 && (len(r.words) > 1 || !r.isName() || !r.begins(d, w))
}

// waitsToCut reports whether nothing is to be done for a thread when a text ends with a word
// but to note that in a stub, the number of which is at once there is one.
func (r *reading) waitsToCut(i int, d *Detector, w *ngram.Word, at *int) bool {
	t := &r.threads[i]
	if len(t.glued) > 0 || t.state == threadReads {
		return false
	}
	if !r.cutsAt(d, w) && (len(r.tail) == 0 || r.stubbed>>i&1 == 0) {
		return true
	}
	from := t.source
	if t.state == threadSleeps {
		var ok bool
		if from, ok = t.sourceIn(r, d); !ok {
			return false
		}
	} else if len(t.kept)+len(t.passed) > 0 {
		return false
	}
	if *at < 0 {
		*at = r.freeStub()
		s := &r.stubs[*at]
		s.open, s.parts = append(s.open[:0], r.tail...), append(s.parts[:0], r.part(d, w))
		r.answer.cuts = true
	}
	s := &r.stubs[*at]
	s.threads |= 1 << i
	s.from[i] = from
	r.stubbed |= 1 << i
	return true
}

// freeStub returns the number of a stub that no thread has.
func (r *reading) freeStub() int {
	for k := range r.stubs {
		if r.stubs[k].threads == 0 {
			return k
		}
	}
	r.grow(&r.stubs[0], r.stubs[0].threads)
	return 0
}

// grow begins the readings of a stub beside some threads.
func (r *reading) grow(s *stub, threads uint8) {
	for m := threads; m != 0; m &= m - 1 {
		i := bits.TrailingZeros8(m)
		if q := r.threads[i].beside(r); q != nil {
			q.state, q.source, q.open, q.lead = threadWaits, s.from[i], append(q.open[:0], s.open...), q.lead[:0]
			for _, p := range s.parts {
				p.stretch = p.stretches[i]
				q.lead = append(q.lead, p.lead)
			}
		}
		r.look(i)
	}
	s.threads &^= threads
}

// growAll begins the readings of all stubs beside some threads.
func (r *reading) growAll(threads uint8) {
	for k := range r.stubs {
		r.grow(&r.stubs[k], r.stubs[k].threads&threads)
	}
	r.count()
}

// growFrom begins the readings of the stubs that have words of a channel.
func (r *reading) growFrom(d *Detector) {
	for k := range r.stubs {
		for m := r.stubs[k].threads; m != 0; m &= m - 1 {
			if i := bits.TrailingZeros8(m); r.stubs[k].from[i].det == d {
				r.grow(&r.stubs[k], 1<<i)
			}
		}
	}
	r.count()
}

// hearStub tells a stub the next words of a channel.
func (r *reading) hearStub(s *stub, d *Detector, words []ngram.Word) {
	threads := s.threads & r.readers[r.strand]
	if threads == 0 {
		return
	}
	if last := &s.parts[len(s.parts)-1]; last.det == d && last.span.Lo == words[0].Span.Lo {
		if words = words[1:]; len(words) == 0 { // the word as it is in its text
			return
		}
	}
	w := words[0]
	if r.begins(d, &w) {
		w.Hash = r.glued(d, s.open, r.firstWord(d, &w))
		r.grow(s, r.mayGlue(s, d, threads, &w, words[1:]))
	}
	s.threads &^= threads &^ r.passers[r.strand] // of the others the text may go on behind it
}

// mayGlue returns those of some threads for which a window or phrase may have the word of a
// stub. next is words behind it.
func (r *reading) mayGlue(s *stub, d *Detector, threads uint8, w *ngram.Word, next []ngram.Word) (may uint8) {
	if d.hasPhrases && d.index.Start(ngram.Gram(0, w.Hash, 1)) {
		return threads
	}
	for m := threads; m != 0; m &= m - 1 {
		i := bits.TrailingZeros8(m)
		if from := &s.from[i]; from.det != nil {
			last := from.det.main.Word(from.hi - 1)
			if r.gate2(d, gramOf(&last, w)) {
				may |= 1 << i
			}
		}
	}
	switch {
	case d.words != nil && !d.words.Word(ngram.Gram(0, w.Hash, 1)):
		return may
	case len(next) > 0 && !r.gate2(d, gramOf(w, &next[0])):
		return may | threads&r.passers[r.strand] // that word may be passed over
	}
	return threads
}

// begins reports whether a word of a channel begins its text, but for bytes that no word has.
func (r *reading) begins(d *Detector, w *ngram.Word) bool {
	at := w.Span.Lo
	for i := d.turned; i < len(d.turns) && d.turns[i].at <= at; i++ { // not looked at yet
		if r.meets(d, d.turns[i].at, at) {
			return true
		}
	}
	return r.meets(d, d.begins, at) || r.meets(d, r.from, at)
}

// meets reports whether a word behind the start of a text would go on with a letter before it.
func (r *reading) meets(d *Detector, start, word int64) bool {
	if start >= word {
		return start == word
	}
	first := &d.first
	if first.at != start {
		if start < d.from || start >= d.from+int64(len(d.newest)) {
			return false
		}
		first = &firstLetter{}
		first.begin(start, d.newest[start-d.from:])
	}
	return first.is(word)
}

// cut is told that a text ends with a word, which is open if r.tail is not empty. The thread is
// the one with that number.
func (t *thread) cut(r *reading, d *Detector, w *ngram.Word, number int) {
	part := lead{d, w.Span, t.stretch, r.strand}
	t.merge(r)
	for i, n := 0, len(t.glued); i < n; i++ {
		switch q := t.glued[i]; {
		case len(q.open) == 0:
			if len(r.tail) > 0 && (d.words != nil || q.size() > 1 || q.state == threadReads) {
				t.fork(r, d, q, w, part)
			}
		case len(r.tail) > 0 && len(r.words) == 1 && r.begins(d, w) && q.mayGrow(r, d):
			t.forkWhole(r, d, q, w)
			q.open, q.lead = append(q.open, r.tail...), append(q.lead, part)
		case t.of.passes>>r.strand&1 != 0: // the text may go on behind it
		default:
			t.drop(r, i)
			i, n = i-1, n-1
		}
	}
	if r.cutsAt(d, w) || len(r.tail) > 0 && (len(t.glued) > 0 || r.stubbed>>number&1 != 0) {
		r.answer.cuts = true
		t.fork(r, d, t, w, part)
	}
}

// isName reports whether the text is a name. Most names are one word, and nearly every tool
// has some, so a name that is one word is read as the end of a word that is cut, and as its
// middle, but not as its beginning.
func (r *reading) isName() bool { return r.strand < tokens && r.strand%beside%Minor != Texts }

// merge drops readings that go on with the same words as another one.
func (t *thread) merge(r *reading) {
	for i := len(t.glued) - 1; i > 0; i-- {
		for _, o := range t.glued[:i] {
			if q := t.glued[i]; q.same(o) {
				t.glued = slices.Delete(t.glued, i, i+1)
				r.answer.put(q)
				break
			}
		}
	}
}

// same reports whether two readings go on with the same words.
func (t *thread) same(o *thread) bool {
	if t.state != threadWaits || o.state != threadWaits || t.size() != o.size() || string(t.open) != string(o.open) {
		return false
	}
	if t.source.det != nil && o.source.det != nil {
		return t.source.det == o.source.det && t.source.hi == o.source.hi
	}
	t.hold()
	o.hold()
	for i := range t.kept {
		a, b := &t.kept[i], &o.kept[i]
		if a.word.Hash != b.word.Hash || a.origin.span != b.origin.span || a.origin.det != b.origin.det {
			return false
		}
	}
	return true
}

// mayGrow reports whether a word that is cut may go on with a whole text. If no 2-gram before
// it is indexed, only the vocabulary of the index tells whether there is such a word. Lists of
// words are common, so an answer tries so only now and then.
func (q *thread) mayGrow(r *reading, d *Detector) bool {
	n := len(q.open) + len(r.tail)
	if q.state == threadReads {
		return n <= maxWord
	}
	if q.size() < 4 {
		r.answer.tries++
	}
	return n <= maxLetters && (q.size() > 1 || d.words != nil) && (q.size() > 3 || r.answer.tries <= maxTries)
}

// beside returns a new reading beside the thread, nil if there is no room.
func (t *thread) beside(r *reading) *thread {
	if len(t.glued) == maxGlued && !t.makeRoom(r) {
		return nil
	}
	var q *thread
	if a := r.answer; len(a.spare) > 0 {
		n := len(a.spare) - 1
		q, a.spare = a.spare[n], a.spare[:n]
	} else {
		room := &roomy{}
		q = &room.thread
		q.open, q.lead, q.kept = room.open[:0], room.lead[:0], room.kept[:0]
	}
	q.base, q.of, q.pieces, q.skips, q.stretch, q.begin, q.from = t, t.of, t.pieces, t.skips, t.stretch, t.begin, t.from
	t.glued = append(t.glued, q)
	return q
}

// makeRoom drops the reading whose only word is open and longest.
func (t *thread) makeRoom(r *reading) bool {
	worst := -1
	for i, q := range t.glued {
		if q.state == threadWaits && q.size() == 0 && (worst < 0 || len(q.open) > len(t.glued[worst].open)) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	r.answer.put(t.glued[worst])
	t.glued = slices.Delete(t.glued, worst, worst+1)
	return true
}

// fork lets a reading go on with the last word of a text open, beside the one that takes it
// for complete. A run that does not go on with the complete word goes on with the open one.
func (t *thread) fork(r *reading, d *Detector, from *thread, w *ngram.Word, part lead) {
	q := t.beside(r)
	if q == nil {
		return
	}
	src, o := d, from
	switch from.state {
	case threadSleeps:
		o = nil
	case threadReads:
		src = from.det
	}
	switch m := &src.main.Track; {
	case from.state == threadWaits:
		q.copyKept(from)
	case !m.Run.Active || runs(m, w):
		q.resume(r, d, src, o)
	case o == nil:
		q.keep(r, d)
	default:
		q.inherit(r, d, from)
	}
	q.open, q.lead = append(q.open[:0], r.tail...), append(q.lead[:0], part)
}

// forkWhole lets a reading go on with an open word that is complete with the last word of a
// text.
func (t *thread) forkWhole(r *reading, d *Detector, from *thread, w *ngram.Word) {
	whole := *w
	if whole.Hash = r.glued(d, from.open, r.tail); !from.mayFollow(r, d, &whole) {
		return
	}
	q := t.beside(r)
	if q == nil {
		return
	}
	switch {
	case from.state == threadWaits:
		q.copyKept(from)
	case from.det.main.Run.Active && runs(&from.det.main.Track, &whole):
		q.inherit(r, d, from)
	default:
		q.resume(r, d, from.det, from)
	}
	q.open, q.lead = append(q.open[:0], from.open...), append(q.lead[:0], from.lead...)
	q.join(r, d, &whole)
}

// glued returns the hash of the word that two parts make.
func (r *reading) glued(d *Detector, first, second []byte) uint64 {
	s := &r.answer.speller
	s.suite = d.spec.Suite
	return s.joined(first, second)
}

// runs reports whether a run goes on with a word.
func runs(m *track.Track, w *ngram.Word) bool {
	return m.Count >= int64(m.N) && m.Set.Window(ngram.Gram(m.Prefix(m.Count+1-int64(m.N)), ngram.Roll(m.Prefix(m.Count), w.Hash), m.N))
}

// resume goes on with the words of a channel, or of another reading with a detector, that may
// be in a window with the next one, without those windows that the other one found.
func (t *thread) resume(r *reading, d, src *Detector, o *thread) {
	t.state = threadWaits
	if t.gather(r, src, o, false) && len(t.kept) > 0 {
		t.wake(r, d, len(t.kept))
	}
}

// inherit takes the detector of another reading, which goes on with the words that may be in a
// window with the next one.
func (t *thread) inherit(r *reading, d *Detector, o *thread) {
	t.det, o.det = o.det, t.det
	t.origins, o.origins = o.origins, t.origins
	t.found, o.found = o.found, t.found
	t.where, o.where = o.where, t.where
	t.judge, t.begun, o.begun = o.judge, true, false
	t.state, t.first, t.own = threadReads, o.first, o.own
	t.det.host.judge = t.decide
	o.resume(r, d, t.det, t)
}

// copyKept goes on with the words that another reading keeps.
func (t *thread) copyKept(o *thread) {
	t.state, t.kept, t.passed, t.source = threadWaits, t.kept[:0], append(t.passed[:0], o.passed...), o.source
	for i := range o.kept {
		from := o.kept[i].origin.copied()
		t.add(&o.kept[i].word, &from)
	}
}

// copyFrom goes on with the words of another reading.
func (t *thread) copyFrom(r *reading, d *Detector, o *thread) {
	if o.state != threadReads {
		t.copyKept(o)
		t.state = o.state
		return
	}
	t.state = threadWaits
	if wakes := t.gather(r, o.det, o, true); (wakes || o.det.main.Run.Active) && len(t.kept) > 0 {
		t.wake(r, d, 0)
	}
}

// mayStart reports whether a window or a phrase may begin with a word.
func (t *thread) mayStart(d *Detector, w *ngram.Word) bool {
	return d.hasPhrases && d.index.Start(ngram.Gram(0, w.Hash, 1))
}

// mayFollow reports whether a window or phrase may have a word that is cut, behind those that
// were read or first.
func (t *thread) mayFollow(r *reading, d *Detector, w *ngram.Word) bool {
	return t.follows(r, d, w) || d.words != nil && d.words.Word(ngram.Gram(0, w.Hash, 1)) || t.mayStart(d, w)
}

// follows reports whether a window or phrase may have a word behind those that were read.
func (t *thread) follows(r *reading, d *Detector, w *ngram.Word) bool {
	if t.state != threadReads {
		return t.size() > 0 && t.goesWith(r, d, w)
	}
	m := &t.det.main
	if m.Count == 0 {
		return false
	}
	return r.gate2(d, ngram.Gram(m.Prefix(m.Count-1), ngram.Roll(m.Prefix(m.Count), w.Hash), 2)) || t.det.hasPhrases && t.det.phrases.goesOnWith(w)
}

// join completes the open word, and reports whether a window or phrase may have it. w has the
// bytes in the newest text and the hash of the whole word.
func (t *thread) join(r *reading, d *Detector, w *ngram.Word) bool {
	if !t.mayFollow(r, d, w) && d.words != nil {
		return false
	}
	if t.state == threadReads && !t.follows(r, d, w) {
		t.finish(r)
		t.state, t.kept, t.source = threadWaits, t.kept[:0], source{}
	}
	o := origin{det: d, span: w.Span, stretch: t.stretch, olds: r.olds + t.skips, strand: r.strand}
	t.cutOrigin(&o)
	t.open, t.lead, t.last = t.open[:0], t.lead[:0], lead{det: d, span: w.Span}
	if t.state == threadWaits {
		t.wait(r, d, w, o)
		return true
	}
	t.read(w, o)
	t.own = t.det.main.Count
	t.carry(r.answer)
	return true
}

// cutOrigin says that a word is cut, where its parts are.
func (t *thread) cutOrigin(o *origin) {
	o.anew = true
	if t.state == threadWaits && !t.keepsCut() {
		if t.where == nil {
			t.where = new([]lead)
		}
		*t.where = append((*t.where)[:0], t.lead...)
		o.parts = t.where
		return
	}
	parts := slices.Clone(t.lead)
	o.parts = &parts
}

// hearGlued tells the readings beside the thread the next words of a channel.
func (t *thread) hearGlued(r *reading, d *Detector, words []ngram.Word) {
	for i := 0; i < len(t.glued); {
		q, from := t.glued[i], 0
		if len(q.open) > 0 {
			if last := &q.lead[len(q.lead)-1]; last.det == d && last.span.Lo == words[0].Span.Lo {
				from++ // the word as it is in its text
			}
			if from == len(words) {
				i++
				continue
			}
			w := words[from]
			if w.Hash = r.glued(d, q.open, r.firstWord(d, &w)); !r.begins(d, &w) || !q.join(r, d, &w) {
				if t.of.passes>>d.strand&1 != 0 {
					i++ // the text may go on behind it
					continue
				}
				t.drop(r, i)
				continue
			}
			from++
		}
		if q.hear(r, d, words, from); q.state == threadSleeps {
			t.drop(r, i)
			continue
		}
		i++
	}
}

// firstWord returns the normalised bytes of the first word that a channel has completed.
func (r *reading) firstWord(d *Detector, w *ngram.Word) []byte {
	r.letters = r.letters[:0]
	switch {
	case w.Span.Lo >= d.from:
	case r.anew > 0:
		r.letters = append(r.letters, r.first...)
	default:
		r.letters = append(r.letters, d.head...)
	}
	lo, hi := max(0, w.Span.Lo-d.from), max(0, w.Span.Hi-d.from)
	r.letters = append(r.letters, d.newest[lo:hi]...)
	r.letters = append(r.letters[:0], r.answer.speller.normalise(r.letters)...)
	return r.letters
}

// tryGlued is try for the readings beside the thread.
func (t *thread) tryGlued(r *reading, d *Detector) {
	for _, q := range t.glued {
		if len(q.open) == 0 {
			q.try(r, d, r.words)
			continue
		}
		if len(r.words) == 0 || len(r.tail) == 0 || len(r.words) > 1 || !r.begins(d, &r.words[0]) {
			continue
		}
		w := r.words[0]
		if w.Hash = r.glued(d, q.open, r.tail); q.mayFollow(r, d, &w) || d.words == nil {
			q.try(r, d, []ngram.Word{w})
		}
	}
}

// waits returns the offset of the first byte of the stretch that may yet become part of a
// finding.
func (t *thread) waits() int64 {
	free := int64(1<<63 - 1)
	if t.state == threadReads {
		free = t.firstOpen()
	}
	for _, q := range t.glued {
		free = min(free, q.waits())
	}
	return free
}

// quietGlued reports whether the other readings find all that this one would: no word that
// is cut may be in a window or phrase any more.
func (t *thread) quietGlued() bool {
	switch {
	case len(t.open) > 0:
		return false
	case t.state == threadReads:
		return t.idle(t.own)
	}
	return !t.keepsCut()
}

// keepsCut reports whether a word that is kept is cut.
func (t *thread) keepsCut() bool {
	for i := range t.kept {
		if t.kept[i].origin.parts != nil {
			return true
		}
	}
	return false
}
