package build

import (
	"sync"
	"unsafe"

	"noecho/index/internal/memory"
)

// Setting the bits of grams in their order would cost a cache miss for each of the 19
// bits of a window in CONFIRM, and an atomic operation each if two cores share a
// filter. So a filter is divided into partitions that fit the cache, and the bits or
// grams to be written are sorted by partition first, in two levels:
//
//	write batches      short ones for each worker and partition, which all fit the
//	                   cache; a full one is copied to the buffer of its partition
//	partition buffers  long ones, shared by all workers; a full one is written to
//	                   its partition
//
// One level costs about as much as setting the bits in their order: with short batches
// a partition is loaded for a few bits, and with long ones the ends of the batches do
// not
// fit the cache. Two levels took 10 to 12 ns a bit and one level 17 to 22 ns, measured
// side by side on a busy machine.

const (
	partitionBytes = 512 << 10 // size of a partition; larger if there would be more than partitionsMax
	partitionsMax  = 512       // a power of two
	batchLen       = 512       // entries in a batch, a power of two
	bufferMin      = 16 << 10  // smallest size of a partition buffer in bytes
	bufferShare    = 2         // all buffers together take at least the size of the filters divided by this
)

// entry is one element of a batch: the offset of a bit in its partition, or the Lo
// (lower half of the hash) of a gram.
type entry interface{ uint32 | uint64 }

// partitionBuffers are the buffers of the partitions of a filter range.
type partitionBuffers[E entry] struct {
	locks   []sync.Mutex // by partition: guards the buffer and the partition
	mem     memory.Region
	entries []E
	used    []uint64 // by partition: number of entries in the buffer
	size    uint64   // entries in a full buffer
	write   func(part uint64, entries []E)
}

// writeBatches are the batches of one worker. Not safe for concurrent use. They are
// arrays, so that the loops that fill them need few registers.
type writeBatches[E entry] struct {
	to      *partitionBuffers[E]
	mem     memory.Region
	entries *[partitionsMax * batchLen]E // room for batchLen entries for each partition
	first   [partitionsMax]uint32        // by partition: index of the first entry of its batch
	next    [partitionsMax]uint32        // by partition: index of the next free entry
}

// newPartitionBuffers returns empty buffers that take about bytes in all.
func newPartitionBuffers[E entry](parts, bytes uint64, write func(uint64, []E)) (*partitionBuffers[E], error) {
	var e E
	each := uint64(unsafe.Sizeof(e))
	size := max(bufferMin, bytes/parts) / each &^ 7
	mem, entries, err := newEntries[E](parts * size)
	if err != nil {
		return nil, err
	}
	return &partitionBuffers[E]{locks: make([]sync.Mutex, parts), mem: mem, entries: entries, used: make([]uint64, parts), size: size, write: write}, nil
}

// newWriteBatches returns empty batches that are emptied into s.
func newWriteBatches[E entry](s *partitionBuffers[E]) (*writeBatches[E], error) {
	mem, entries, err := newEntries[E](partitionsMax * batchLen)
	if err != nil {
		return nil, err
	}
	l := &writeBatches[E]{to: s, mem: mem, entries: (*[partitionsMax * batchLen]E)(entries)}
	// The batches grow at the same rate. If they all started at the beginning of their
	// room, their ends would compete for the same few sets of the cache. So each starts
	// one cache line later than the previous one.
	var e E
	line := 64 / uint32(unsafe.Sizeof(e))
	for part := range uint32(partitionsMax) {
		l.first[part] = part*batchLen + part*line%batchLen
		l.next[part] = l.first[part]
	}
	return l, nil
}

// newEntries returns memory for n entries, a multiple of 8. The memory is accessed in
// random order, so it is rounded up to huge pages.
func newEntries[E entry](n uint64) (memory.Region, []E, error) {
	const huge = 2 << 20
	var e E
	size := n * uint64(unsafe.Sizeof(e))
	mem, err := memory.New((size + huge - 1) / huge * huge)
	if err != nil {
		return memory.Region{}, nil, err
	}
	return mem, unsafe.Slice((*E)(unsafe.Pointer(&mem.Words[0])), n), nil
}

// empty moves the batch of a partition to the partition's buffer.
func (l *writeBatches[E]) empty(part uint64) {
	l.to.take(part, l.entries[l.first[part]:l.next[part]])
	l.first[part] = uint32(part) * batchLen
	l.next[part] = l.first[part]
}

// flush empties every batch.
func (l *writeBatches[E]) flush() {
	for part := range l.to.locks {
		l.empty(uint64(part))
	}
}

// take appends entries to a buffer. If they do not fit, it writes the buffer first.
func (s *partitionBuffers[E]) take(part uint64, entries []E) {
	s.locks[part].Lock()
	if s.used[part]+uint64(len(entries)) > s.size {
		s.clear(part)
	}
	copy(s.entries[part*s.size+s.used[part]:], entries)
	s.used[part] += uint64(len(entries))
	s.locks[part].Unlock()
}

// clear writes a buffer to its partition. The caller holds the lock of the buffer.
func (s *partitionBuffers[E]) clear(part uint64) {
	s.write(part, s.entries[part*s.size:part*s.size+s.used[part]])
	s.used[part] = 0
}

// flush writes every buffer. The workers have flushed their batches, and share the
// work.
func (s *partitionBuffers[E]) flush(workers int) {
	var g sync.WaitGroup
	for first := range workers {
		g.Go(func() {
			for part := first; part < len(s.used); part += workers {
				s.clear(uint64(part))
			}
		})
	}
	g.Wait()
}
