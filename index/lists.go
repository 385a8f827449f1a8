package index

import (
	"sync"
	"unsafe"
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

// Sizes of the lists in bytes.
const (
	partBytes  = 512 << 10 // a part; larger if there would be more than partsMax
	partsMax   = 512
	listBytes  = 1 << 20  // all lists of a worker for one target
	listMax    = 16 << 10 // one of them
	shelfParts = 2        // a shelf takes up to its part's size over this
)

// entry is what is listed: a bit's offset in its part, or the Lo of a gram.
type entry interface{ uint32 | uint64 }

// shelves are the long lists of a target.
type shelves[E entry] struct {
	locks   []sync.Mutex // by part: the shelf and the part
	mem     memory
	entries []E
	used    []uint64 // by part
	size    uint64   // entries on a shelf
	write   func(part uint64, entries []E)
}

// lists are the short lists of one worker. Not safe for concurrent use.
type lists[E entry] struct {
	to      *shelves[E]
	mem     memory
	entries []E
	used    []uint32 // by part
	size    uint64   // entries in a list
}

// newShelves returns empty shelves of about so many bytes in all.
func newShelves[E entry](parts, bytes uint64, write func(uint64, []E)) (*shelves[E], error) {
	var e E
	each := uint64(unsafe.Sizeof(e))
	size := max(listMax, bytes/parts) / each &^ 7
	mem, entries, err := newEntries[E](parts * size)
	if err != nil {
		return nil, err
	}
	return &shelves[E]{locks: make([]sync.Mutex, parts), mem: mem, entries: entries, used: make([]uint64, parts), size: size, write: write}, nil
}

// newLists returns empty lists that are emptied into s.
func newLists[E entry](s *shelves[E]) (*lists[E], error) {
	var e E
	each := uint64(unsafe.Sizeof(e))
	parts := uint64(len(s.locks))
	// An odd number of cache lines: the ends of all lists, which grow alike,
	// would otherwise fall into the same few sets of the cache.
	size := (min(listMax, listBytes/parts)&^127 - 64) / each
	mem, entries, err := newEntries[E](parts * size)
	if err != nil {
		return nil, err
	}
	return &lists[E]{to: s, mem: mem, entries: entries, used: make([]uint32, parts), size: size}, nil
}

// newEntries returns memory for n entries, a multiple of 8. It is read and
// written all over the place, so it wants huge pages.
func newEntries[E entry](n uint64) (memory, []E, error) {
	var e E
	mem, err := newMemory(n * uint64(unsafe.Sizeof(e)))
	if err != nil {
		return memory{}, nil, err
	}
	return mem, unsafe.Slice((*E)(unsafe.Pointer(&mem.words[0])), n), nil
}

// empty moves the list of a part to its shelf.
func (l *lists[E]) empty(part uint64) {
	from := part * l.size
	l.to.take(part, l.entries[from:from+uint64(l.used[part])])
	l.used[part] = 0
}

// flush moves every list to its shelf.
func (l *lists[E]) flush() {
	for part := range l.used {
		l.empty(uint64(part))
	}
}

// take puts entries on a shelf, which is written first if they do not fit.
func (s *shelves[E]) take(part uint64, entries []E) {
	s.locks[part].Lock()
	if s.used[part]+uint64(len(entries)) > s.size {
		s.clear(part)
	}
	copy(s.entries[part*s.size+s.used[part]:], entries)
	s.used[part] += uint64(len(entries))
	s.locks[part].Unlock()
}

// clear writes a shelf to its part; the caller holds its lock.
func (s *shelves[E]) clear(part uint64) {
	s.write(part, s.entries[part*s.size:part*s.size+s.used[part]])
	s.used[part] = 0
}

// flush writes every shelf. The workers have flushed their lists.
func (s *shelves[E]) flush() {
	for part := range s.used {
		s.clear(uint64(part))
	}
}
