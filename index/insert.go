package index

import (
	"math/bits"
	"sync"
	"unsafe"
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

// listLen is how many entries a list collects before it is written.
const listLen = 512

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
	parts := min(partsMax, t.size/8/(32*listLen*uint64(workers))+1)
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

// bitLists are one worker's bits to be set in a target of a filter without
// blocks.
type bitLists struct {
	t    *target
	mem  memory
	bits []uint32 // listLen for each part, offsets in it
	used []uint32 // by part
}

// gramLists are one worker's grams to be added to a target of a blocked filter.
// All bits of a gram lie in one part, so the gram is listed and not its bits.
type gramLists struct {
	t      *target
	mem    memory
	grams  []uint64 // listLen for each part, Lo
	used   []uint32 // by part
	blocks uint64   // of the whole filter
	k      int
}

// newBitLists returns empty lists. They are read and written all over the
// place, so they want huge pages more than the filter does.
func newBitLists(t *target) (*bitLists, error) {
	n := uint64(len(t.locks)) * listLen
	mem, err := newMemory(4 * n)
	if err != nil {
		return nil, err
	}
	return &bitLists{
		t: t, mem: mem, used: make([]uint32, len(t.locks)),
		bits: unsafe.Slice((*uint32)(unsafe.Pointer(&mem.words[0])), n),
	}, nil
}

// newGramLists returns empty lists for a piece of the filter of section s.
func newGramLists(t *target, s section) (*gramLists, error) {
	mem, err := newMemory(8 * uint64(len(t.locks)) * listLen)
	if err != nil {
		return nil, err
	}
	return &gramLists{
		t: t, mem: mem, used: make([]uint32, len(t.locks)), grams: mem.words,
		blocks: s.length / (blockBits / 8), k: int(s.k),
	}, nil
}

// add lists the k bits of a gram in a filter of m bits. Bits outside the
// target are another pass's.
func (l *bitLists) add(hi, m uint64, k int) {
	from, size, shift := l.t.from, l.t.size, l.t.shift
	for range k {
		hi += golden
		loc, _ := bits.Mul64(mix(hi), m)
		d := loc - from
		if d >= size {
			continue
		}
		part := d >> shift
		n := l.used[part]
		l.bits[part*listLen+uint64(n)] = uint32(d & (1<<shift - 1))
		if n++; n == listLen {
			l.flushPart(part, listLen)
			n = 0
		}
		l.used[part] = n
	}
}

// flushPart sets the first n listed bits of a part.
func (l *bitLists) flushPart(part, n uint64) {
	words := l.t.part(part)
	l.t.locks[part].Lock()
	for _, bit := range l.bits[part*listLen : part*listLen+n] {
		words[bit>>6] |= 1 << (bit & 63)
	}
	l.t.locks[part].Unlock()
}

// add lists a gram. One outside the target is another pass's.
func (l *gramLists) add(lo uint64) {
	block, _ := bits.Mul64(lo, l.blocks)
	d := block*blockBits - l.t.from
	if d >= l.t.size {
		return
	}
	part := d >> l.t.shift
	n := l.used[part]
	l.grams[part*listLen+uint64(n)] = lo
	if n++; n == listLen {
		l.flushPart(part, listLen)
		n = 0
	}
	l.used[part] = n
}

// flushPart sets the bits of the first n listed grams of a part.
func (l *gramLists) flushPart(part, n uint64) {
	words := l.t.part(part)
	first := l.t.from + part<<l.t.shift
	l.t.locks[part].Lock()
	for _, lo := range l.grams[part*listLen : part*listLen+n] {
		block, _ := bits.Mul64(lo, l.blocks)
		at := (block*blockBits - first) / 64
		w := (*[blockBits / 64]uint64)(words[at : at+blockBits/64])
		for j := 0; j < l.k; j += 4 {
			s := splitMix(lo, uint64(j/4))
			for range min(4, l.k-j) {
				w[s>>6&7] |= 1 << (s & 63)
				s >>= 16
			}
		}
	}
	l.t.locks[part].Unlock()
}

// part returns the words of a part.
func (t *target) part(part uint64) []uint64 {
	base := part << t.shift / 64
	return t.mem.words[base:min(base+1<<t.shift/64, uint64(len(t.mem.words)))]
}

// inserter adds grams to the targets of a stripe. One for each worker.
type inserter struct {
	plan    *plan
	grams   [planFilters][]*gramLists // of the blocked filters
	confirm []*bitLists
}

// newInserter returns an inserter with empty lists.
func newInserter(p *plan, stripe []*target) (*inserter, error) {
	in := &inserter{plan: p}
	for _, t := range stripe {
		if t.section == planConfirm {
			l, err := newBitLists(t)
			if err != nil {
				in.close()
				return nil, err
			}
			in.confirm = append(in.confirm, l)
			continue
		}
		l, err := newGramLists(t, p.sections[t.section])
		if err != nil {
			in.close()
			return nil, err
		}
		in.grams[t.section] = append(in.grams[t.section], l)
	}
	return in, nil
}

// add lists the grams of a run.
func (in *inserter) add(g *grams) error {
	for _, l := range in.grams[planGate4] {
		for _, lo := range g.fours {
			l.add(lo)
		}
	}
	for _, l := range in.grams[planGate2] {
		for _, lo := range g.twos {
			l.add(lo)
		}
	}
	for _, l := range in.grams[planWindows] {
		for _, h := range g.windows {
			l.add(h.Lo)
		}
	}
	s := in.plan.sections[planConfirm]
	for _, l := range in.confirm {
		for _, h := range g.windows {
			l.add(h.Hi, 8*s.length, int(s.k))
		}
	}
	return nil
}

// flush writes everything that is listed.
func (in *inserter) flush() {
	for _, f := range in.grams {
		for _, l := range f {
			for part, n := range l.used {
				l.flushPart(uint64(part), uint64(n))
			}
			clear(l.used)
		}
	}
	for _, l := range in.confirm {
		for part, n := range l.used {
			l.flushPart(uint64(part), uint64(n))
		}
		clear(l.used)
	}
}

// close gives the lists' memory back.
func (in *inserter) close() {
	for _, f := range in.grams {
		for _, l := range f {
			l.mem.free()
		}
	}
	for _, l := range in.confirm {
		l.mem.free()
	}
	in.grams, in.confirm = [planFilters][]*gramLists{}, nil
}
