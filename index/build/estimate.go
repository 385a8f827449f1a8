package build

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Counting distinct grams. A sample keeps every gram whose hash ends in d zero
// bits, exactly once, and d is the least number of bits for which at most
// sampleMost are kept. So what is kept, and the estimate of kept × 2^d, depends
// on the set of grams alone, not on their order or on who saw them; up to
// sampleMost grams it is exact, above that the standard error is 0.2 to 0.28 %.
// Nearly every gram of a large corpus costs one test of a register, where a sketch
// of registers costs a write to memory for each.

// sampleMost is how many grams a sample keeps.
const sampleMost = 1 << sampleLog

const (
	sampleLog = 18
	slotShift = 64 - sampleLog - 1 // two slots for each
)

// sample is a set of grams that were drawn by their hashes. Safe for concurrent
// use.
type distinctEstimator struct {
	mask atomic.Uint64 // of the bits that are zero in every gram that is kept

	mu    sync.Mutex
	slots []uint64 // open addressing; 0 is empty, so a gram of hash 0 is not counted
	kept  int
}

func newDistinctEstimator() *distinctEstimator {
	return &distinctEstimator{slots: make([]uint64, 2*sampleMost)}
}

// add adds grams by their Lo.
func (s *distinctEstimator) add(grams []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lo := range grams {
		if lo&s.mask.Load() == 0 && s.insert(lo) && s.kept > sampleMost {
			s.thin()
		}
	}
}

// insert adds one gram and reports whether it was new.
func (s *distinctEstimator) insert(lo uint64) bool {
	if lo == 0 {
		return false
	}
	for at := lo >> slotShift; ; at = (at + 1) % uint64(len(s.slots)) {
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

// thin asks for one more zero bit until there is room.
func (s *distinctEstimator) thin() {
	old := s.slots
	for s.kept > sampleMost {
		mask := s.mask.Load()<<1 | 1
		s.mask.Store(mask)
		s.slots, s.kept = make([]uint64, len(old)), 0
		for _, lo := range old {
			if lo&mask == 0 {
				s.insert(lo)
			}
		}
	}
}

// estimate returns how many distinct grams were added.
func (s *distinctEstimator) estimate() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(s.kept) * (s.mask.Load() + 1)
}

// without returns the estimate for the grams that are not in a set of Lo.
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

// samples are what all workers of a build count into.
type estimators struct{ windows, fours, twos, words *distinctEstimator }

func newEstimators() *estimators {
	return &estimators{newDistinctEstimator(), newDistinctEstimator(), newDistinctEstimator(), newDistinctEstimator()}
}

// capacities returns the estimates with headroom. Windows of the set are left
// out.
func (s *estimators) capacities(out map[uint64]struct{}) capacities {
	return capacities{
		windows: headroom(s.windows.without(out)),
		fours:   headroom(s.fours.estimate()),
		twos:    headroom(s.twos.estimate()),
		words:   headroom(s.words.estimate()),
	}
}

// counter draws the grams of one worker. Not safe for concurrent use.
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

// draw adds to a sample what may be kept of it.
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

// capacities is how many distinct grams the filters are sized for.
type capacities struct{ windows, fours, twos, words uint64 }

// headroom adds 1.6 %, six standard errors of the estimate, and rounds up to ten
// significant bits.
func headroom(n uint64) uint64 {
	n += n/64 + 1
	step := uint64(1) << max(0, bits.Len64(n)-10)
	return (n + step - 1) / step * step
}

// givenCapacities sizes the filters for a number of windows that the user
// gave. Text has fewer distinct short grams than windows (0.8 four-word ones
// and 0.3 two-word ones to a window at 100 MB); if it had more, the gates would
// clear less and nothing else.
//
// Of words a text has many when it begins and few as it goes on, so there is room
// for as many as windows in a short text, and for a sixteenth in a long one.
func givenCapacities(windows uint64) capacities {
	return capacities{windows: windows, fours: windows, twos: (windows + 1) / 2, words: min(windows, 1<<16) + windows/16}
}
