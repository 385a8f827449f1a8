package build

import (
	"sync"
	"unsafe"

	"noecho/index/internal/memory"
)

// Setting bits where they fall costs a cache miss for each of the 19 of a
// window in CONFIRM, and an atomic operation each for two cores to share a
// filter. So a filter is divided into parts that fit the cache, and what is to
// be written is listed by part first, twice:
//
//	worker's lists   short, all of them fit the cache; a full one is copied to
//	shelves          long, one a part, shared by all workers; a full one is
//	                 written to its part
//
// One level costs about as much as setting bits where they fall: if the lists
// are short a part is fetched for a few bits, and if they are long the ends of the
// lists do not fit the cache. Two levels took 10 to 12 ns a bit where one took
// 17 to 22, measured side by side on a busy machine.

const (
	partitionBytes = 512 << 10 // a part; larger if there would be more than partitionsMax
	partitionsMax  = 512       // a power of two
	batchLen       = 512       // entries in a list, a power of two
	bufferMin      = 16 << 10  // bytes of a shelf
	bufferShare    = 2         // all shelves take the size of the filters over this, or more
)

// entry is what is listed: a bit's offset in its part, or the Lo of a gram.
type entry interface{ uint32 | uint64 }

// shelves are the long lists of a target.
type partitionBuffers[E entry] struct {
	locks   []sync.Mutex // by part: the shelf and the part
	mem     memory.Region
	entries []E
	used    []uint64 // by part
	size    uint64   // entries on a shelf
	write   func(part uint64, entries []E)
}

// lists are the short lists of one worker. Not safe for concurrent use. They
// are arrays, so that the loops that fill them need few registers.
type writeBatches[E entry] struct {
	to      *partitionBuffers[E]
	mem     memory.Region
	entries *[partitionsMax * batchLen]E // batchLen for each part
	first   [partitionsMax]uint32        // by part: its first entry
	next    [partitionsMax]uint32        // by part: where its next entry goes
}

// newPartitionBuffers returns empty shelves of about so many bytes in all.
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

// newWriteBatches returns empty lists that are emptied into s.
func newWriteBatches[E entry](s *partitionBuffers[E]) (*writeBatches[E], error) {
	mem, entries, err := newEntries[E](partitionsMax * batchLen)
	if err != nil {
		return nil, err
	}
	l := &writeBatches[E]{to: s, mem: mem, entries: (*[partitionsMax * batchLen]E)(entries)}
	// The lists grow alike. If all began at their beginning, their ends would
	// fall into the same few sets of the cache, so each begins a line later.
	var e E
	line := 64 / uint32(unsafe.Sizeof(e))
	for part := range uint32(partitionsMax) {
		l.first[part] = part*batchLen + part*line%batchLen
		l.next[part] = l.first[part]
	}
	return l, nil
}

// newEntries returns memory for n entries, a multiple of 8. It is read and
// written all over the place, so it is made large enough for huge pages.
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

// empty moves the list of a part to its shelf.
func (l *writeBatches[E]) empty(part uint64) {
	l.to.take(part, l.entries[l.first[part]:l.next[part]])
	l.first[part] = uint32(part) * batchLen
	l.next[part] = l.first[part]
}

// flush moves every list to its shelf.
func (l *writeBatches[E]) flush() {
	for part := range l.to.locks {
		l.empty(uint64(part))
	}
}

// take puts entries on a shelf, which is written first if they do not fit.
func (s *partitionBuffers[E]) take(part uint64, entries []E) {
	s.locks[part].Lock()
	if s.used[part]+uint64(len(entries)) > s.size {
		s.clear(part)
	}
	copy(s.entries[part*s.size+s.used[part]:], entries)
	s.used[part] += uint64(len(entries))
	s.locks[part].Unlock()
}

// clear writes a shelf to its part; the caller holds its lock.
func (s *partitionBuffers[E]) clear(part uint64) {
	s.write(part, s.entries[part*s.size:part*s.size+s.used[part]])
	s.used[part] = 0
}

// flush writes every shelf. The workers have flushed their lists, and share the
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
