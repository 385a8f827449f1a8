package lane

import (
	"math"

	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/ngram"
)

// respace finds indexed text whose gaps do not tell where its words end: "h e l l o",
// "h.e.l.l.o", "helloworld", "helloWorld". It reads letters and forms words of them in
// every way that the index allows (lattice.go).
//
// It sleeps until the words of the channel look odd (gaps.go), then reads the last restart
// bytes again. It stays awake for drowsy letters behind the last word that looked odd or
// like indexed text, and less long if it reads in vain. It reads letters only up to the last complete word of the channel, so
// its findings do not depend on the cut. It leaves runs of the channel's own words to the
// plain lane.
type respace struct {
	r       *Reader
	batch   track.Batch // the words of the index, if they are one; else nil
	gaps    wordGapDetector
	tired   patience
	awake   bool
	queue   []ngram.Letter // read and not yet in the lattice, since their word is open
	lattice lattice
	until   int64 // number of the letter at which it falls asleep
	slept   int64 // offset up to which letters were in the lattice
	floor   int64 // every byte below may have been released before it woke
	refused int64 // bytes before have not waited for a sign: it did not count, or the finder fell asleep
	steady  int64 // in strict release, offset up to which a fixed number of bytes waits
	*respaced

	fork   *respace // scratch of Fork
	origin *respace // the finder that this one is a fork of; nil: it is none
	copied *room    // of a fork: a copy of the room of origin; nil: not needed yet
}

// respaced is the part of respace that forks share.
type respaced struct {
	claim   *Claim // open; nil: none
	claimAt int64  // number of letters at its newest window
	places  track.Locator
	room    *room // borrowed while it is awake: a fork writes behind the paths in use
}

const (
	restart = 128 // bytes that are read again when it wakes
	drowsy  = 48  // letters

	steadyWord   = 48 // bytes that wait in strict release for each word of a run
	steadyBeyond = 192
	deep         = 8 // words in a path, half of them odd, that look like indexed text
)

func (s *respace) reset() {
	if s.respaced == nil {
		s.respaced = &respaced{}
	}
	s.batch, _ = s.r.cfg.Words.(track.Batch)
	s.claim, s.claimAt = nil, 0
	s.gaps, s.tired, s.awake, s.queue = wordGapDetector{}, patience{}, false, s.queue[:0]
	s.until, s.slept, s.floor, s.refused, s.steady = 0, 0, 0, 0, 0
	s.lattice = lattice{}
}

// Text implements Finder.
func (s *respace) Text(p []byte) {
	if s.r.codes == nil { // else they have added it
		s.r.past.add(p)
	}
	if s.awake {
		s.queue = s.lattice.letters.Append(s.queue, p)
	}
}

// Word implements Finder.
func (s *respace) Word(i int64, w ngram.Word) {
	waited, sign := s.gaps.odd(s, i, w)
	noise := sign != noSign && s.noise(w)
	if s.gaps.calm || sign != noSign && !noise && w.Span.Hi-w.Span.Lo >= clearWord && s.tired.until > 0 {
		s.tired = patience{}
	}
	odd := s.counts(sign, i, noise)
	if odd {
		s.steady = w.Span.Hi + steadyBeyond
	}
	if odd && !s.awake && w.Span.Lo >= s.tired.until {
		s.wake(i, w.Span.Lo)
		if waited < s.refused {
			waited = w.Span.Lo
		}
		s.floor = min(waited, s.live(i-1))
	}
	if !s.awake {
		if sign != noSign {
			s.refused = w.Span.Hi
		}
		return
	}
	n := 0
	for n < len(s.queue) && s.queue[n].Span.Hi <= w.Span.Hi {
		n++
	}
	if s.steadyBytes() > 0 {
		s.floor = max(s.floor, w.Span.Hi-s.steadyBytes()/2)
	}
	likely := s.take(n)
	if odd {
		s.until = s.lattice.count + drowsy
	}
	if likely {
		s.tired = patience{}
	}
	if !likely && s.tired.spend(int64(n), noise, w.Span.Hi) || s.lattice.count > s.until {
		s.sleep()
	}
	if !s.awake {
		s.refused = w.Span.Hi
	}
}

// noise reports whether a word is noise. A word that is no longer kept is none.
func (s *respace) noise(w ngram.Word) bool {
	raw := s.r.past.from(w.Span.Lo)
	return noise(raw[:min(int64(len(raw)), w.Span.Hi-w.Span.Lo)])
}

// take moves n letters of the queue to the lattice and reports whether some of them look
// like indexed text.
func (s *respace) take(n int) (likely bool) {
	s.r.work.letters += int64(n)
	for _, l := range s.queue[:n] {
		if s.lattice.push(s, l) {
			s.until = s.lattice.count + drowsy
			likely = true
		}
		s.slept = max(s.slept, l.Span.Hi)
		s.settle(s.lattice.count - maxLetters)
	}
	s.queue = s.queue[:copy(s.queue, s.queue[n:])]
	return likely
}

// wake begins to read some bytes before word i of the channel, which begins at offset lo.
func (s *respace) wake(i, lo int64) {
	from := lo
	for first := i - 1; first >= 0; first-- {
		at := s.r.cfg.Host.Word(first).Span.Lo
		if at < s.r.past.begin() || at < s.slept || at < lo-restart {
			break
		}
		from = at
	}
	raw := s.r.past.from(from)
	if raw == nil {
		return // a word longer than the bytes that are kept
	}
	if s.respaced.room == nil {
		if s.respaced.room = s.r.work.borrowRoom(s.r); s.respaced.room == nil {
			s.r.work.unscanned++
			return
		}
	}
	s.awake = true
	s.r.work.memory.Wakes[Despaced]++
	use := s.respaced.room
	if s.origin != nil && s.origin.awake {
		use = s.copied
	}
	s.lattice.begin(s.r.cfg.Spec.N, use)
	s.lattice.letters = ngram.LettersFrom(from)
	s.queue = s.lattice.letters.Append(s.queue[:0], raw)
}

// live returns where the first word begins that may be part of an indexed window with the
// word behind word i. Words before it may have been released.
func (s *respace) live(i int64) int64 {
	if i < 0 {
		return 0
	}
	first := max(0, i-int64(s.r.cfg.Spec.N)+2)
	var p [ngram.MaxN + 1]uint64 // prefix hashes of words first to i
	n := 0
	for ; first+int64(n) <= i; n++ {
		p[n+1] = ngram.Roll(p[n], s.r.cfg.Host.Word(first+int64(n)).Hash)
	}
	set := s.r.cfg.Set
	for a := n - 2; a >= 0; a-- {
		if !set.Gate2(ngram.Gram(p[a], p[a+2], 2)) || a+4 <= n && !set.Gate4(ngram.Gram(p[a], p[a+4], 4)) {
			first += int64(a) + 1
			break
		}
	}
	return s.r.cfg.Host.Word(first).Span.Lo
}

// sleep ends the reading: the text does not look like indexed text any more.
func (s *respace) sleep() {
	s.settle(math.MaxInt64)
	s.awake, s.queue = false, s.queue[:0]
	s.rest()
}

// rest gives back the room, unless the finder that this one is a fork of uses it.
func (s *respace) rest() {
	if s.origin == nil || !s.origin.awake {
		s.giveBack()
	}
}

// giveBack gives back the room.
func (s *respace) giveBack() {
	if s.respaced.room != nil {
		s.r.work.giveBackRoom(s.respaced.room)
		s.respaced.room, s.lattice.room = nil, nil
	}
}

// settle closes the finding if its newest window ended at that letter or before: it cannot
// grow any more.
func (s *respace) settle(at int64) {
	if s.claim != nil && s.claimAt <= at && !s.r.cfg.Host.Now().Tried {
		s.r.cfg.Host.Settle(s.claim)
		s.claim = nil
	}
}

// hit claims a run of indexed windows whose newest ends with path q.
func (s *respace) hit(span ngram.Span, q *path, digest uint64) {
	host, now := s.r.cfg.Host, s.r.cfg.Host.Now()
	span.Lo = max(span.Lo, now.Overflow, s.floor)
	if now.Blocked || span.Lo >= span.Hi || host.Plain(span) {
		return
	}
	s.claimAt = s.lattice.count
	if s.claim != nil && span.Lo >= s.claim.Span.Hi {
		host.Settle(s.claim)
		s.claim = nil
	}
	fresh := s.claim == nil
	if fresh {
		s.claim = &Claim{Lane: Despaced, Span: span}
	}
	c := s.claim
	c.Words, c.Windows = max(c.Words, int(q.claimed)), max(c.Windows, int(q.windows))
	c.Resumed = c.Resumed || span.Lo < now.Parked
	c.Digests = track.AddDigests(c.Digests, digest)
	if s.r.cfg.Ledger != nil {
		if fresh || int64(q.claimed) < s.places.Next() { // q reads the letters in another way
			s.places.Start(s.r.cfg.Ledger)
		}
		if s.locate(q, int(q.claimed)) {
			c.Places = s.places.Places(c.Places[:0])
		}
	}
	host.Claim(c, span)
}

// locate adds the newest words of a path, whose claimed words are those of the finding, to
// the places of the finding. It fails if the words are no longer kept.
func (s *respace) locate(q *path, claimed int) bool {
	words := s.lattice.located[:min(claimed, s.r.cfg.Spec.N)] // the newest ones, in order
	for i := len(words) - 1; i >= 0; i-- {
		if words[i] = q; q == nil {
			return false
		}
		q = s.lattice.path(q.prev)
	}
	first := claimed - len(words)
	for i := max(gram.SeedWords-1, int(s.places.Next())-first); i < len(words); i++ {
		seed := seedOf(words[i-gram.SeedWords+1 : i+1])
		seed.Word = int64(first + i - gram.SeedWords + 1)
		s.places.Add(&seed)
	}
	return true
}

// seedOf returns words of a path as a seed.
func seedOf(words []*path) track.Seed {
	first, last := words[0], words[len(words)-1]
	s := track.Seed{
		Span: ngram.Span{Lo: first.lo, Hi: last.lo + 1}, Newest: last.lo,
		Hash: ngram.Gram(first.before[0], last.prefix, gram.SeedWords),
	}
	for k := 1; k <= gram.SeedWords; k++ {
		s.Weight[k] = s.Weight[k-1] + words[len(words)-k].weight
	}
	return s
}

// Waits implements Finder.
func (s *respace) Waits() int64 {
	lo := s.gaps.waits(s)
	switch bytes := s.steadyBytes(); {
	case bytes > 0 && s.r.past.end <= s.steady:
		lo = min(lo, s.r.past.end-bytes)
	case bytes == 0 && s.awake:
		lo = min(lo, s.lattice.waits())
	}
	if s.r.past.end-lo > int64(s.r.cfg.MaxHeld)/2 {
		return math.MaxInt64 // so many bytes do not wait on a suspicion
	}
	return lo
}

// steadyBytes returns how many bytes wait in strict release around words that look odd, 0 in
// adaptive release. The paths of the lattice would tell which words are indexed.
func (s *respace) steadyBytes() int64 {
	if !s.r.cfg.Strict {
		return 0
	}
	return steadyWord * int64(s.r.cfg.Least/ngram.WordWeight)
}

// Fork implements Finder.
func (s *respace) Fork() Finder {
	if s.fork == nil {
		s.fork = &respace{}
	}
	f := s.fork
	queue, copied := append(f.queue[:0], s.queue...), f.copied
	*f = *s
	f.queue, f.fork, f.origin, f.copied = queue, nil, s, copied
	if s.awake {
		if f.copied == nil {
			f.copied = &room{}
		}
		*f.copied = *s.lattice.room
		f.lattice.room = f.copied
	}
	return f
}

// End implements Finder.
func (s *respace) End() {
	if s.awake {
		s.queue = s.lattice.letters.Finish(s.queue)
		s.take(len(s.queue))
	}
	s.settle(math.MaxInt64)
	s.rest()
}

var _ Finder = (*respace)(nil)
