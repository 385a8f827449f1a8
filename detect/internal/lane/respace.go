package lane

import (
	"math"

	"noecho/detect/internal/track"
	"noecho/ngram"
)

// respace finds indexed text whose words cannot be told by the gaps between them:
// "h e l l o", "h.e.l.l.o", "helloworld", "helloWorld". It reads letters and puts
// words together again, every way that the index admits (lattice.go).
//
// It sleeps until the words of the channel look as if they were none (gaps.go), then
// reads the last restart bytes again and stays awake for drowsy letters behind the
// last thing that looked odd or like indexed text. It goes word by word of the
// channel, as they are completed, so its findings do not depend on how the channel
// was cut. Text that the channel's own words give is left to the plain reading.
type respace struct {
	r       *Reader
	gaps    wordGapDetector
	awake   bool
	letters ngram.Letters
	queue   []ngram.Letter // read and not yet in the lattice, since their word is open
	lattice lattice
	until   int64 // letters at which it falls asleep
	slept   int64 // offset up to which letters were in the lattice
	floor   int64 // every byte below may have left before it woke
	*respaced

	fork *respace // scratch of Fork
}

// respaced is the part of respace that forks share.
type respaced struct {
	past    past
	claim   *Claim // open; nil: none
	claimAt int64  // letters at its newest window
	places  track.Locator
	paths   []path            // of the lattice: a fork goes on where it reads on
	words   [ngram.MaxN]*path // scratch
}

const (
	restart = 128 // bytes that are read again when it wakes
	drowsy  = 48  // letters
	deep    = 8   // words in a row that look like indexed text, half of them odd
)

func (s *respace) reset() {
	if s.respaced == nil {
		s.respaced = &respaced{}
	}
	s.past.n, s.past.end = 0, 0
	s.claim, s.claimAt = nil, 0
	s.gaps, s.awake, s.queue = wordGapDetector{}, false, s.queue[:0]
	s.until, s.slept, s.floor = 0, 0, 0
	s.lattice = lattice{}
}

// Text implements Finder.
func (s *respace) Text(p []byte) {
	s.past.add(p)
	if s.awake {
		s.queue = s.letters.Append(s.queue, p)
	}
}

// Word implements Finder.
func (s *respace) Word(i int64) {
	w := s.r.cfg.Host.Word(i)
	waited, odd := s.gaps.odd(s, i, w)
	if odd && !s.awake {
		s.wake(i, w.Span.Lo)
		s.floor = min(waited, s.live(i-1))
	}
	if !s.awake {
		return
	}
	n := 0
	for n < len(s.queue) && s.queue[n].Span.Hi <= w.Span.Hi {
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
func (s *respace) take(n int) {
	for _, l := range s.queue[:n] {
		if s.lattice.push(s, l) {
			s.until = s.lattice.count + drowsy
		}
		s.slept = max(s.slept, l.Span.Hi)
		s.settle(s.lattice.count - maxLetters)
	}
	s.queue = s.queue[:copy(s.queue, s.queue[n:])]
}

// wake begins to read at a word some bytes before word i of the channel, which
// begins at offset lo.
func (s *respace) wake(i, lo int64) {
	from := lo
	for first := i - 1; first >= 0; first-- {
		at := s.r.cfg.Host.Word(first).Span.Lo
		if at < s.past.begin() || at < s.slept || at < lo-restart {
			break
		}
		from = at
	}
	raw := s.past.from(from)
	if raw == nil {
		return // a word longer than the bytes that are kept
	}
	s.awake = true
	s.letters = *ngram.NewLetters(s.r.cfg.Spec.Suite)
	s.letters.Resume(from)
	s.lattice.begin(s.r.cfg.Spec.N, &s.paths)
	s.queue = s.letters.Append(s.queue[:0], raw)
}

// live returns where the first word begins that the plain reading keeps back once it
// has read word i.
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

// sleep ends the reading: nothing of the text looks like indexed text any more.
func (s *respace) sleep() {
	s.settle(math.MaxInt64)
	s.awake, s.queue = false, s.queue[:0]
}

// settle closes the finding whose newest window ended at that letter or before: none
// can follow on it any more.
func (s *respace) settle(at int64) {
	if s.claim != nil && s.claimAt <= at && !s.r.cfg.Host.Now().Tried {
		s.r.cfg.Host.Settle(s.claim)
		s.claim = nil
	}
}

// hit claims a run of indexed windows, of which a path ends the newest.
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
		if fresh || int64(q.claimed) < s.places.Next() { // another way to read the letters counts anew
			s.places.Start(s.r.cfg.Ledger)
		}
		if s.locate(q, int(q.claimed)) {
			c.Places = s.places.Places(c.Places[:0])
		}
	}
	host.Claim(c, span)
}

// locate adds the newest words of a path, which are part of the finding's first
// claimed words, to its places. It fails if the words are gone.
func (s *respace) locate(q *path, claimed int) bool {
	words := s.words[:min(claimed, s.r.cfg.Spec.N)] // the newest ones, in order
	for i := len(words) - 1; i >= 0; i-- {
		if words[i] = q; q == nil {
			return false
		}
		q = s.lattice.path(q.prev)
	}
	first := claimed - len(words)
	for i := max(ngram.SeedWords-1, int(s.places.Next())-first); i < len(words); i++ {
		seed := seedOf(words[i-ngram.SeedWords+1 : i+1])
		seed.Word = int64(first + i - ngram.SeedWords + 1)
		s.places.Add(&seed)
	}
	return true
}

// seedOf prepares the seed of words of a path.
func seedOf(words []*path) track.Seed {
	first, last := words[0], words[len(words)-1]
	s := track.Seed{
		Span: ngram.Span{Lo: first.lo, Hi: last.lo + 1}, Newest: last.lo,
		Hash: ngram.Gram(first.before[0], last.prefix, ngram.SeedWords),
	}
	for k := 1; k <= ngram.SeedWords; k++ {
		s.Weight[k] = s.Weight[k-1] + words[len(words)-k].weight
	}
	return s
}

// Waits implements Finder.
func (s *respace) Waits() int64 {
	lo := s.gaps.waits(s)
	if s.awake {
		lo = min(lo, s.lattice.waits())
	}
	if s.past.end-lo > int64(s.r.cfg.MaxHeld)/2 {
		return math.MaxInt64 // that much is not kept back on suspicion
	}
	return lo
}

// Fork implements Finder.
func (s *respace) Fork() Finder {
	if s.fork == nil {
		s.fork = &respace{}
	}
	f := s.fork
	queue := append(f.queue[:0], s.queue...)
	*f = *s
	f.queue, f.fork = queue, nil
	return f
}

// End implements Finder.
func (s *respace) End() {
	if s.awake {
		s.queue = s.letters.Finish(s.queue)
		s.take(len(s.queue))
	}
	s.settle(math.MaxInt64)
}

var _ Finder = (*respace)(nil)

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
