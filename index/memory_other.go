//go:build !linux

package index

import "unsafe"

// memory is where the filters of an open index live: the Go heap.
type memory struct {
	bytes []byte
	words []uint64 // the same bytes
}

// newMemory returns n zero bytes. n is a multiple of 8.
func newMemory(n uint64) (memory, error) {
	if n == 0 {
		return memory{}, nil
	}
	w := make([]uint64, n/8)
	return memory{bytes: unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), n), words: w}, nil
}

func (m memory) seal() error { return nil }

func (m memory) free() {}
