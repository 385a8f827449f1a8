package index

import (
	"math/bits"

	"noecho/ngram"
)

// target is the piece of a filter that is being built in memory, shared by all
// workers.
type target struct {
	section int    // in the plan
	from    uint64 // its first bit in the filter
	size    uint64 // bits, a multiple of 64
	m       uint64 // bits of the whole filter
	blocks  uint64 // of the whole filter, if it has blocks
	k       int
	mem     memory
	shift   uint // log2 of the bits in a part

	grams *shelves[uint64] // of a blocked filter: all bits of a gram lie in one part
	bits  *shelves[uint32] // of a filter without blocks
}

// begin allocates the target.
func (t *target) begin(s section) (err error) {
	t.m, t.k = 8*s.length, int(s.k)
	if t.mem, err = newMemory(t.size / 8); err != nil {
		return err
	}
	for t.shift = uint(bits.Len64(8*partBytes)) - 1; (t.size-1)>>t.shift >= partsMax; {
		t.shift++
	}
	parts := (t.size-1)>>t.shift + 1
	shelf := t.size / 8 / shelfParts
	if s.block == 0 {
		t.bits, err = newShelves(parts, shelf, t.setBits)
	} else {
		t.blocks = t.m / blockBits
		t.grams, err = newShelves(parts, shelf, t.addGrams)
	}
	return err
}

// flush writes what is still on the shelves.
func (t *target) flush() {
	if t.bits != nil {
		t.bits.flush()
	} else {
		t.grams.flush()
	}
}

// end gives the target's memory back.
func (t *target) end() {
	t.mem.free()
	if t.bits != nil {
		t.bits.mem.free()
	}
	if t.grams != nil {
		t.grams.mem.free()
	}
	t.mem, t.bits, t.grams = memory{}, nil, nil
}

// part returns the words of a part.
func (t *target) part(part uint64) []uint64 {
	base := part << t.shift / 64
	return t.mem.words[base:min(base+1<<t.shift/64, uint64(len(t.mem.words)))]
}

// setBits sets bits of a part.
func (t *target) setBits(part uint64, at []uint32) {
	words := t.part(part)
	for _, bit := range at {
		words[bit>>6] |= 1 << (bit & 63)
	}
}

// addGrams sets the bits of grams that lie in a part.
func (t *target) addGrams(part uint64, grams []uint64) {
	words := t.part(part)
	first := t.from + part<<t.shift
	for _, lo := range grams {
		block, _ := bits.Mul64(lo, t.blocks)
		at := (block*blockBits - first) / 64
		w := (*[blockBits / 64]uint64)(words[at : at+blockBits/64])
		for j := 0; j < t.k; j += 4 {
			s := splitMix(lo, uint64(j/4))
			for range min(4, t.k-j) {
				w[s>>6&7] |= 1 << (s & 63)
				s >>= 16
			}
		}
	}
}

// gramLists are one worker's grams for a target of a blocked filter.
type gramLists struct {
	*lists[uint64]
	t *target
}

// add lists a gram. One outside the target is another pass's.
func (l *gramLists) add(lo uint64) {
	block, _ := bits.Mul64(lo, l.t.blocks)
	d := block*blockBits - l.t.from
	if d >= l.t.size {
		return
	}
	part := d >> l.t.shift
	n := l.used[part]
	l.entries[part*l.size+uint64(n)] = lo
	l.used[part] = n + 1
	if uint64(n)+1 == l.size {
		l.empty(part)
	}
}

// bitLists are one worker's bits for a target of a filter without blocks.
type bitLists struct {
	*lists[uint32]
	t *target
}

// add lists the bits of windows. Bits outside the target are another pass's.
func (l *bitLists) add(windows []ngram.Hash) {
	from, size, shift, m, k := l.t.from, l.t.size, l.t.shift&63, l.t.m, l.t.k
	entries, used, list := l.entries, l.used, l.size
	for i := range windows {
		seed := windows[i].Hi
		for range k {
			seed += golden
			loc, _ := bits.Mul64(mix(seed), m)
			d := loc - from
			if d >= size {
				continue
			}
			part := d >> shift
			n := used[part]
			entries[part*list+uint64(n)] = uint32(d & (1<<shift - 1))
			used[part] = n + 1
			if uint64(n)+1 == list {
				l.empty(part)
			}
		}
	}
}

// inserter adds grams to the targets of a stripe. One for each worker.
type inserter struct {
	grams   [planFilters][]gramLists // of the blocked filters
	confirm []bitLists
}

// newInserter returns an inserter with empty lists.
func newInserter(stripe []*target) (*inserter, error) {
	in := new(inserter)
	for _, t := range stripe {
		if t.bits != nil {
			l, err := newLists(t.bits)
			if err != nil {
				in.close()
				return nil, err
			}
			in.confirm = append(in.confirm, bitLists{l, t})
			continue
		}
		l, err := newLists(t.grams)
		if err != nil {
			in.close()
			return nil, err
		}
		in.grams[t.section] = append(in.grams[t.section], gramLists{l, t})
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
	for _, l := range in.confirm {
		l.add(g.windows)
	}
	return nil
}

// flush moves everything that is listed to the shelves.
func (in *inserter) flush() {
	for _, f := range in.grams {
		for _, l := range f {
			l.flush()
		}
	}
	for _, l := range in.confirm {
		l.flush()
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
	in.grams, in.confirm = [planFilters][]gramLists{}, nil
}
