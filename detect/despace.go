package detect

import (
	"math"

	"noecho/ngram"
)

// despace finds indexed text whose words cannot be told by the gaps between them:
// "h e l l o", "h.e.l.l.o", "helloworld", "helloWorld". It reads letters and puts
// words together again, every way that the index admits (lattice.go).
//
// It sleeps until the words of the main track look as if they were none (seams),
// then reads the last restart bytes again and stays awake for drowsy letters
// behind the last thing that looked odd or like indexed text. It goes word by
// word of the main track, as they are completed, so what it finds does not depend
// on how the channel was cut. What the main track can read is left to it.
type despace struct {
	despaceState
	d     *Detector
	past  past
	queue []ngram.Letter // read and not yet in the lattice, since their word is open
	mesh  lattice
	found *Finding // open
	saved despaceState
	kept  []ngram.Letter // the queue, when state was saved
	names *letterNames   // nil while there was no ledger
}

// despaceState is what is taken back when words were only tried.
type despaceState struct {
	seams   seams
	awake   bool
	reader  ngram.Letters
	lattice latticeState
	until   int64 // letters at which it falls asleep
	slept   int64 // offset up to which letters were in the lattice
	floor   int64 // every byte below may have left before it woke
	foundAt int64 // letters at the newest window of found
}

const (
	restart = 128 // bytes that are read again when it wakes
	drowsy  = 48  // letters
	deep    = 8   // words in a row that look like indexed text, half of them odd
)

// despaces reports whether the detector has the lane.
func (d *Detector) despaces() bool { return d.cfg.Vocabulary != nil && d.cfg.Lanes.Has(Despaced) }

// startLetters sets up the lane, if the config asks for it and the index knows its
// words.
func (d *Detector) startLetters() {
	if !d.despaces() {
		return
	}
	if d.letters == nil {
		d.letters = &despace{d: d}
	}
	d.finders = append(d.finders, d.letters)
}

func (s *despace) reset() {
	s.despaceState = despaceState{}
	s.past.n, s.past.end = 0, 0
	s.queue, s.found = s.queue[:0], nil
	if s.names != nil {
		s.names.of = nil
	}
}

// text is given the next bytes of the channel.
func (s *despace) text(p []byte) {
	s.past.add(p)
	if s.awake {
		s.queue = s.reader.Append(s.queue, p)
	}
}

// word is told of word i of the main track.
func (s *despace) word(i int64) {
	t := &s.d.main
	span, weight := t.span(i), t.at(i).weight
	held, odd := s.seams.odd(s, i, span, weight)
	if odd && !s.awake {
		s.wake(i)
		s.floor = min(held, s.live(i-1))
	}
	if !s.awake {
		return
	}
	n := 0
	for n < len(s.queue) && s.queue[n].Span.Hi <= span.Hi {
		n++
	}
	s.take(n)
	if odd {
		s.until = s.lattice.count + drowsy
	}
	if s.lattice.count > s.until {
		s.sleep()
	}
}

// take moves n letters of the queue to the lattice.
func (s *despace) take(n int) {
	for _, l := range s.queue[:n] {
		if s.mesh.push(&s.lattice, l) {
			s.until = s.lattice.count + drowsy
		}
		s.slept = max(s.slept, l.Span.Hi)
		s.settle(s.lattice.count - maxLetters)
	}
	s.queue = s.queue[:copy(s.queue, s.queue[n:])]
}

// wake begins to read at a word some bytes before word i of the main track.
func (s *despace) wake(i int64) {
	t := &s.d.main
	first := i
	for first > 0 && i-first < int64(len(t.ring))-provisional {
		lo := t.span(first - 1).Lo
		if lo < s.past.begin() || lo < s.slept || lo < t.span(i).Lo-restart {
			break
		}
		first--
	}
	from := t.span(first).Lo
	raw := s.past.from(from)
	if raw == nil {
		return // a word longer than what is kept
	}
	s.awake = true
	s.reader = *ngram.NewLetters(s.d.spec.Suite)
	s.reader.Resume(from)
	s.mesh.begin(&s.lattice, s)
	s.queue = s.reader.Append(s.queue[:0], raw)
}

// live returns where the first word begins that the main track holds once it has
// read word i.
func (s *despace) live(i int64) int64 {
	t := &s.d.main
	if i < 0 {
		return 0
	}
	first := max(0, i-int64(t.n)+2)
	for a := i - 1; a >= first; a-- {
		if t.missing2(a+1) || a+3 <= i && t.missing4(a+3) {
			first = a + 1
		}
	}
	return t.span(first).Lo
}

// sleep ends what is read: nothing of it looks like indexed text any more.
func (s *despace) sleep() {
	s.settle(math.MaxInt64)
	s.awake, s.queue = false, s.queue[:0]
}

// settle closes the finding whose newest window ended at that letter or before:
// none can follow on it any more.
func (s *despace) settle(at int64) {
	if s.found != nil && s.foundAt <= at && !s.d.trying {
		s.d.settle(s.found)
		s.found = nil
	}
}

// hit claims a run of indexed windows, of which a path ends the newest.
func (s *despace) hit(span ngram.Span, q *path, digest uint64) {
	d := s.d
	span.Lo = max(span.Lo, d.stuffed, s.floor)
	if d.blocked != nil || span.Lo >= span.Hi || d.reads(span) {
		return
	}
	s.foundAt = s.lattice.count
	f := s.found
	if f != nil && span.Lo >= f.Span.Hi {
		d.settle(f)
		f = nil
	}
	if f == nil {
		f = &Finding{Kind: Verbatim, Lane: Despaced, Span: span}
		s.found = f
	}
	f.Words, f.Windows = max(f.Words, int(q.claimed)), max(f.Windows, int(q.windows))
	f.Resumed = f.Resumed || span.Lo < d.parked
	if room := MaxDigests - len(f.Digests); room > 0 {
		f.Digests = appendNew(f.Digests, []uint64{digest}, room)
	}
	s.name(f, q, int(q.claimed))
	d.claim(f, span)
}

// reads reports whether the main track has found a span too: other words for its
// letters say nothing new.
func (d *Detector) reads(span ngram.Span) bool {
	for i := range d.claims {
		c := &d.claims[i]
		if c.finding.Kind == Verbatim && c.finding.Lane == Plain && c.span.Lo <= span.Lo && span.Hi <= c.span.Hi {
			return true
		}
	}
	return false
}

// waits returns the first byte that must be held.
func (s *despace) waits() int64 {
	lo := s.seams.waits(s)
	if s.awake {
		lo = min(lo, s.mesh.waits(&s.lattice))
	}
	if s.past.end-lo > int64(s.d.cfg.MaxHeld)/2 {
		return math.MaxInt64 // that much is not held on suspicion
	}
	return lo
}

func (s *despace) save() {
	s.kept = append(s.kept[:0], s.queue...)
	s.saved = s.despaceState
}

func (s *despace) restore() {
	s.finish()
	at := s.foundAt
	s.despaceState = s.saved
	s.queue = append(s.queue[:0], s.kept...)
	s.foundAt = at // the same letters come again
}

// end decides what is left.
func (s *despace) end() {
	s.finish()
	s.settle(math.MaxInt64)
}

// finish reads to the end of the channel.
func (s *despace) finish() {
	if s.awake {
		s.queue = s.reader.Finish(s.queue)
		s.take(len(s.queue))
	}
}

// past keeps the newest bytes of the channel.
type past struct {
	end int64 // offset behind the newest byte
	n   int
	buf [4 << 10]byte
}

// add adds bytes; as many as half of the room holds are always kept.
func (b *past) add(p []byte) {
	b.end += int64(len(p))
	p = p[max(0, len(p)-len(b.buf)/2):]
	if b.n+len(p) > len(b.buf) {
		b.n = copy(b.buf[:], b.buf[b.n-len(b.buf)/2:b.n])
	}
	b.n += copy(b.buf[b.n:], p)
}

// begin is the offset of the oldest byte that is always kept.
func (b *past) begin() int64 { return b.end - int64(min(b.n, len(b.buf)/2)) }

// from returns the bytes from an offset on, nil if they are gone.
func (b *past) from(lo int64) []byte {
	if lo < b.begin() {
		return nil
	}
	return b.buf[lo-b.end+int64(b.n) : b.n]
}
