//go:build !linux

package memory

import (
	"os"
	"unsafe"
)

// allocate allocates the bytes on the Go heap.
func allocate(n uint64) (Region, error) {
	w := make([]uint64, n/8)
	return Region{Bytes: unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), n), Words: w}, nil
}

// Map returns false: no file is known to be unchangeable here.
func Map(*os.File, int64) (Region, bool) { return Region{}, false }

// Seal does nothing: the Go heap cannot be made read-only.
func (r Region) Seal() error { return nil }

// Free does nothing: the garbage collector frees the bytes.
func (r Region) Free() {}
