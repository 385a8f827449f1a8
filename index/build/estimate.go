package build

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Counting distinct grams. An estimator stores the hashes that end in d zero bits, each
// once, and d is the smallest number for which at most sampleMost hashes are stored. So
// the stored hashes, and the estimate (stored × 2^d), depend on the set of grams alone,
// not on their order or on the workers. Up to sampleMost grams the estimate is exact;
// above that its standard error is 0.2 to 0.28 %. For nearly every gram of a large
// corpus this costs one test of a register, whereas a HyperLogLog sketch costs a write
// to memory for each gram.

// sampleMost is the largest number of hashes that an estimator stores.
const sampleMost = 1 << sampleLog

const (
	sampleLog = 18
	slotsLog  = 12 // of the first table; a table has at least two slots for each hash
)

// distinctEstimator estimates the number of distinct grams from a sample of their
// hashes. Safe for concurrent use.
type distinctEstimator struct {
	mask atomic.Uint64 // the bits that are zero in every stored hash

	mu    sync.Mutex
	slots []uint64 // hash table with open addressing; 0 is an empty slot, so a gram of hash 0 is not counted
	shift int      // of a hash, to the number of its slot
	kept  int
	loads uint64 // keeps the loads of touch
}

func newDistinctEstimator() *distinctEstimator {
	return &distinctEstimator{slots: make([]uint64, 1<<slotsLog), shift: 64 - slotsLog}
}

// add adds grams, given the lower halves (Lo) of their 128-bit hashes.
func (s *distinctEstimator) add(grams []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lo := range grams { // loads that do not wait for each other, as insert would
		s.loads += s.slots[lo>>s.shift]
	}
	for _, lo := range grams {
		if lo&s.mask.Load() != 0 || !s.insert(lo) {
			continue
		}
		switch {
		case s.kept > sampleMost:
			s.thin()
		case 2*s.kept > len(s.slots):
			s.shift--
			s.fill(2*len(s.slots), 0)
		}
	}
}

// fill inserts the hashes again that have no bits of the mask into n slots.
func (s *distinctEstimator) fill(n int, mask uint64) {
	old := s.slots
	s.slots, s.kept = make([]uint64, n), 0
	for _, lo := range old {
		if lo&mask == 0 {
			s.insert(lo)
		}
	}
}

// insert stores one hash and reports whether it is new.
func (s *distinctEstimator) insert(lo uint64) bool {
	if lo == 0 {
		return false
	}
	for at := lo >> s.shift; ; at = (at + 1) % uint64(len(s.slots)) {
		switch s.slots[at] {
		case lo:
			return false
		case 0:
			s.slots[at] = lo
			s.kept++
			return true
		}
	}
}

// thin requires more zero bits until at most sampleMost hashes are left.
func (s *distinctEstimator) thin() {
	for s.kept > sampleMost {
		mask := s.mask.Load()<<1 | 1
		s.mask.Store(mask)
		s.fill(len(s.slots), mask)
	}
}

// estimate returns the estimated number of distinct grams.
func (s *distinctEstimator) estimate() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(s.kept) * (s.mask.Load() + 1)
}

// without returns the estimate for the grams whose Lo is not in the set.
func (s *distinctEstimator) without(out map[uint64]struct{}) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := 0
	for _, lo := range s.slots {
		if _, ok := out[lo]; lo != 0 && !ok {
			kept++
		}
	}
	return uint64(kept) * (s.mask.Load() + 1)
}

// estimators count the distinct grams of each kind for all workers of a build.
type estimators struct{ windows, fours, twos, words *distinctEstimator }

func newEstimators() *estimators {
	return &estimators{newDistinctEstimator(), newDistinctEstimator(), newDistinctEstimator(), newDistinctEstimator()}
}

// capacities returns the estimates plus headroom. Windows in the given set do not
// count.
func (s *estimators) capacities(out map[uint64]struct{}) capacities {
	return capacities{
		windows: headroom(s.windows.without(out)),
		fours:   headroom(s.fours.estimate()),
		twos:    headroom(s.twos.estimate()),
		words:   headroom(s.words.estimate()),
	}
}

// counter feeds the estimators with the grams of one worker. Not safe for concurrent
// use.
type counter struct {
	to  *estimators
	hit []uint64
}

// add counts the grams of a run.
func (c *counter) add(g *grams) error {
	c.hit = c.hit[:0]
	mask := c.to.windows.mask.Load()
	for i := range g.windows {
		if lo := g.windows[i].Lo; lo&mask == 0 {
			c.hit = append(c.hit, lo)
		}
	}
	if len(c.hit) > 0 {
		c.to.windows.add(c.hit)
	}
	c.draw(c.to.fours, g.fours)
	c.draw(c.to.twos, g.twos)
	c.draw(c.to.words, g.words)
	return nil
}

// draw adds the grams that pass the mask of an estimator. Most do not, and need no
// lock.
func (c *counter) draw(to *distinctEstimator, grams []uint64) {
	c.hit = c.hit[:0]
	mask := to.mask.Load()
	for _, lo := range grams {
		if lo&mask == 0 {
			c.hit = append(c.hit, lo)
		}
	}
	if len(c.hit) > 0 {
		to.add(c.hit)
	}
}

// capacities are the numbers of distinct grams that the filters are sized for.
type capacities struct{ windows, fours, twos, words uint64 }

// headroom adds 1.6 %, which is six standard errors of the estimate, and rounds up to
// ten significant bits.
func headroom(n uint64) uint64 {
	n += n/64 + 1
	step := uint64(1) << max(0, bits.Len64(n)-10)
	return (n + step - 1) / step * step
}

// givenCapacities returns the sizes of the filters for a number of windows that the
// user gave. Text has fewer distinct short grams than windows: at 100 MB of text there
// are 0.8 four-word grams and 0.3 two-word grams for each window. If a text had more,
// the gates would only let more lookups pass.
//
// A text has many new words at its beginning and few later on. So a short text gets
// room for as many words as windows, and a long one for a sixteenth of that.
func givenCapacities(windows uint64) capacities {
	return capacities{windows: windows, fours: windows, twos: (windows + 1) / 2, words: min(windows, 1<<16) + windows/16}
}
