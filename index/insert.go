package index

import (
	"math/bits"
	"sync"
)

// Inserting. A window sets 8 bits in one filter, 19 in another, and up to 6 in
// the gates. Setting them where they fall costs a cache miss for each of the
// 19, and an atomic operation each for two cores to share a filter. So a filter
// is divided into parts that fit the cache; every worker collects the bits to
// set by part, and a full list is written under the lock of its part.

// partsMax bounds the parts of a filter.
const partsMax = 2048

// partShift is the least log2 of the bits in a part: 32 KiB fit the first
// level of the cache.
const partShift = 18

// listLen is how many bits a list collects before it is written.
const listLen = 1024

// target is the piece of a filter that is being built in memory, shared by all
// workers.
type target struct {
	section int    // in the plan
	from    uint64 // its first bit in the filter
	size    uint64 // bits, a multiple of 64
	mem     memory
	shift   uint // log2 of the bits in a part
	locks   []sync.Mutex
}

// begin allocates the target. The lists of all workers together take at most a
// quarter of its size.
func (t *target) begin(workers int) error {
	mem, err := newMemory(t.size / 8)
	if err != nil {
		return err
	}
	parts := min(partsMax, t.size/8/(16*listLen*uint64(workers))+1)
	t.mem, t.shift = mem, partShift
	for (t.size-1)>>t.shift >= parts {
		t.shift++
	}
	t.locks = make([]sync.Mutex, (t.size-1)>>t.shift+1)
	return nil
}

// end gives the target's memory back.
func (t *target) end() {
	t.mem.free()
	t.mem = memory{}
}

// flush sets the listed bits of a part.
func (t *target) flush(part uint64, list []uint32) {
	base := part << t.shift >> 6
	words := t.mem.words[base:min(base+1<<t.shift>>6, uint64(len(t.mem.words)))]
	t.locks[part].Lock()
	for _, bit := range list {
		words[bit>>6] |= 1 << (bit & 63)
	}
	t.locks[part].Unlock()
}

// lists are one worker's bits to be set in a target.
type lists struct {
	t    *target
	bits []uint32 // listLen for each part, offsets in it
	used []uint32 // by part
}

func newLists(t *target) *lists {
	return &lists{t: t, bits: make([]uint32, len(t.locks)*listLen), used: make([]uint32, len(t.locks))}
}

// set lists a bit of the filter; bits outside the target are another pass's.
func (l *lists) set(loc uint64) {
	d := loc - l.t.from
	if d >= l.t.size {
		return
	}
	part := d >> l.t.shift
	n := l.used[part]
	l.bits[part*listLen+uint64(n)] = uint32(d & (1<<l.t.shift - 1))
	if n++; n == listLen {
		l.t.flush(part, l.bits[part*listLen:(part+1)*listLen])
		n = 0
	}
	l.used[part] = n
}

// flush writes everything that is listed.
func (l *lists) flush() {
	for part, n := range l.used {
		l.t.flush(uint64(part), l.bits[part*listLen:part*listLen+int(n)])
		l.used[part] = 0
	}
}

// inserter adds grams to the filters of a stripe. One for each worker.
type inserter struct {
	plan  *plan
	lists [4][]*lists // by filter: gate4, gate2, windows, confirm
}

// add lists the bits of a run's grams.
func (in *inserter) add(g *grams) error {
	for _, l := range in.lists[planGate4] {
		l.addBlocked(g.fours, in.plan.sections[planGate4])
	}
	for _, l := range in.lists[planGate2] {
		l.addBlocked(g.twos, in.plan.sections[planGate2])
	}
	for _, l := range in.lists[planWindows] {
		s := in.plan.sections[planWindows]
		blocks := s.length / (blockBits / 8)
		for _, h := range g.windows {
			l.setBlocked(h.Lo, blocks, int(s.k))
		}
	}
	for _, l := range in.lists[planConfirm] {
		s := in.plan.sections[planConfirm]
		for _, h := range g.windows {
			for j := range uint64(s.k) {
				loc, _ := bits.Mul64(splitMix(h.Hi, j), 8*s.length)
				l.set(loc)
			}
		}
	}
	return nil
}

// addBlocked lists the bits of grams in a blocked filter.
func (l *lists) addBlocked(los []uint64, s section) {
	blocks := s.length / (blockBits / 8)
	for _, lo := range los {
		l.setBlocked(lo, blocks, int(s.k))
	}
}

// setBlocked lists the bits of one gram in a blocked filter.
func (l *lists) setBlocked(lo, blocks uint64, k int) {
	block, _ := bits.Mul64(lo, blocks)
	if d := block*blockBits - l.t.from; d >= l.t.size {
		return
	}
	for j := 0; j < k; j += 4 {
		s := splitMix(lo, uint64(j/4))
		for range min(4, k-j) {
			l.set(block*blockBits + s%blockBits)
			s >>= 16
		}
	}
}

// flush writes everything that is listed.
func (in *inserter) flush() {
	for _, f := range in.lists {
		for _, l := range f {
			l.flush()
		}
	}
}
