package build

import (
	"math/bits"

	"noecho/index/internal/format"
	"noecho/index/internal/memory"
	"noecho/ngram"
)

// filterRange is a range of a filter that is being built in memory. All workers share
// it. It is divided into partitions that fit the cache; batches.go says why.
type filterRange struct {
	section int    // position of the filter in the plan
	from    uint64 // its first bit in the filter
	size    uint64 // number of bits, a multiple of 64
	m       uint64 // bits of the whole filter
	blocks  uint64 // blocks of the whole filter, if it has blocks
	k       int
	mem     memory.Region
	shift   uint // log2 of the bits in a partition

	grams *partitionBuffers[uint64] // of a blocked filter: all bits of a gram lie in one partition
	bits  *partitionBuffers[uint32] // of a filter without blocks
}

// begin allocates the range, and partition buffers of at most bufferBytes bytes.
func (t *filterRange) begin(s format.Section, bufferBytes uint64) (err error) {
	t.m, t.k = 8*s.Length, int(s.K)
	if t.mem, err = memory.New(t.size / 8); err != nil {
		return err
	}
	for t.shift = uint(bits.Len64(8*partitionBytes)) - 1; (t.size-1)>>t.shift >= partitionsMax; {
		t.shift++
	}
	parts := (t.size-1)>>t.shift + 1
	if s.Block == 0 {
		t.bits, err = newPartitionBuffers(parts, bufferBytes, t.setBits)
	} else {
		t.blocks = t.m / format.BlockBits
		t.grams, err = newPartitionBuffers(parts, bufferBytes, t.addGrams)
	}
	return err
}

// flush writes the contents of the buffers to the range. The workers share the work.
func (t *filterRange) flush(workers int) {
	if t.bits != nil {
		t.bits.flush(workers)
	} else {
		t.grams.flush(workers)
	}
}

// end frees the memory of the range.
func (t *filterRange) end() {
	t.mem.Free()
	if t.bits != nil {
		t.bits.mem.Free()
	}
	if t.grams != nil {
		t.grams.mem.Free()
	}
	t.mem, t.bits, t.grams = memory.Region{}, nil, nil
}

// part returns the words of a partition.
func (t *filterRange) part(part uint64) []uint64 {
	base := part << t.shift / 64
	return t.mem.Words[base:min(base+1<<t.shift/64, uint64(len(t.mem.Words)))]
}

// touch reads every cache line of a partition in order, which loads the partition into
// the cache at the full rate of the memory. Setting bits in random order would wait for
// each line.
//
//go:noinline
func touch(words []uint64) (sum uint64) {
	for ; len(words) >= 8; words = words[8:] {
		sum |= words[0]
	}
	return sum
}

// setBits sets bits of a partition.
func (t *filterRange) setBits(part uint64, at []uint32) {
	words, mask := t.part(part), uint32(1<<t.shift-1)
	touch(words)
	for _, bit := range at {
		bit &= mask
		words[bit>>6] |= 1 << (bit & 63)
	}
}

// addGrams sets the bits of grams that belong to a partition.
func (t *filterRange) addGrams(part uint64, grams []uint64) {
	words := t.part(part)
	touch(words)
	first := (t.from + part<<t.shift) / format.BlockBits
	for _, lo := range grams {
		block, _ := bits.Mul64(lo, t.blocks)
		setBlock((*[format.BlockBits / 64]uint64)(words[(block-first)*(format.BlockBits/64):]), lo, t.k)
	}
}

// setBlock sets the k bits of a gram in its block. If it were inlined into a loop, the
// loop would run out of registers.
//
//go:noinline
func setBlock(w *[format.BlockBits / 64]uint64, lo uint64, k int) {
	for {
		lo += format.Golden
		s := format.Mix(lo)
		w[s>>6&7] |= 1 << (s & 63)
		if k > 1 {
			w[s>>22&7] |= 1 << (s >> 16 & 63)
		}
		if k > 2 {
			w[s>>38&7] |= 1 << (s >> 32 & 63)
		}
		if k > 3 {
			w[s>>54&7] |= 1 << (s >> 48 & 63)
		}
		if k -= 4; k <= 0 {
			return
		}
	}
}

// gramBatches are the write batches of one worker for a range of a blocked filter.
type gramBatches struct {
	*writeBatches[uint64]
	t *filterRange
}

// add adds grams to the batches. It ignores those outside the range, which belong to
// another round.
func (l *gramBatches) add(grams []uint64) {
	first, size, blocks, shift := l.t.from/format.BlockBits, l.t.size/format.BlockBits, l.t.blocks, l.t.shift-format.BlockLog
	entries, next := l.entries, &l.next
	for _, lo := range grams {
		block, _ := bits.Mul64(lo, blocks)
		block -= first
		if block >= size {
			continue
		}
		part := block >> (shift & 63) % partitionsMax
		n := next[part]
		entries[n%(partitionsMax*batchLen)] = lo
		next[part] = n + 1
		if (n+1)%batchLen == 0 {
			l.empty(part)
		}
	}
}

// bitBatches are the write batches of one worker for a range of a filter without
// blocks.
type bitBatches struct {
	*writeBatches[uint32]
	t    *filterRange
	locs []uint64 // the bits of some windows
}

// add adds the bits of windows to the batches.
func (l *bitBatches) add(windows []ngram.Hash) {
	k := l.t.k
	for len(windows) > 0 {
		n := min(len(windows), len(l.locs)/k)
		for i := range windows[:n] {
			format.SpreadLocs(l.locs[i*k:i*k+k], windows[i].Hi, l.t.m)
		}
		l.put(l.locs[:n*k])
		windows = windows[n:]
	}
}

// put adds bits to the batches. It ignores those outside the range, which belong to
// another round.
func (l *bitBatches) put(locs []uint64) {
	from, size, shift := l.t.from, l.t.size, l.t.shift
	entries, next := l.entries, &l.next
	for _, loc := range locs {
		loc -= from
		if loc >= size {
			continue
		}
		part := loc >> (shift & 63) % partitionsMax
		n := next[part]
		entries[n%(partitionsMax*batchLen)] = uint32(loc) // setBits masks the higher bits off
		next[part] = n + 1
		if (n+1)%batchLen == 0 {
			l.empty(part)
		}
	}
}

// inserter adds the grams of one worker to the ranges of a round.
type inserter struct {
	grams   [planFilters][]gramBatches // by filter, for those with blocks
	confirm []bitBatches
	los     []uint64 // lower hash halves of the windows of a run
}

// newInserter returns an inserter with empty batches.
func newInserter(round []*filterRange) (*inserter, error) {
	in := new(inserter)
	for _, t := range round {
		if t.bits != nil {
			l, err := newWriteBatches(t.bits)
			if err != nil {
				in.close()
				return nil, err
			}
			in.confirm = append(in.confirm, bitBatches{l, t, make([]uint64, 64*t.k)})
			continue
		}
		l, err := newWriteBatches(t.grams)
		if err != nil {
			in.close()
			return nil, err
		}
		in.grams[t.section] = append(in.grams[t.section], gramBatches{l, t})
	}
	return in, nil
}

// add adds the grams of a run to the batches.
func (in *inserter) add(g *grams) error {
	for _, l := range in.grams[planGate4] {
		l.add(g.fours)
	}
	for _, l := range in.grams[planGate2] {
		l.add(g.twos)
	}
	for _, l := range in.grams[planWords] {
		l.add(g.words)
	}
	if len(in.grams[planWindows]) > 0 {
		in.los = in.los[:0]
		for i := range g.windows {
			in.los = append(in.los, g.windows[i].Lo)
		}
	}
	for _, l := range in.grams[planWindows] {
		l.add(in.los)
	}
	for _, l := range in.confirm {
		l.add(g.windows)
	}
	return nil
}

// flush moves the contents of all batches to the partition buffers.
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

// close frees the memory of the batches.
func (in *inserter) close() {
	for _, f := range in.grams {
		for _, l := range f {
			l.mem.Free()
		}
	}
	for _, l := range in.confirm {
		l.mem.Free()
	}
	in.grams, in.confirm = [planFilters][]gramBatches{}, nil
}
