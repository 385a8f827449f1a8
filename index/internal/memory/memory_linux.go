package memory

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allocate maps anonymous pages outside the Go heap.
func allocate(n uint64) (Region, error) {
	b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return Region{}, fmt.Errorf("allocate %d bytes for the index: %w", n, err)
	}
	// Without huge pages lookups are slower, but work.
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	return Region{Bytes: b, Words: unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), n/8)}, nil
}

// Seal makes the bytes read-only: a stray write then causes a fault instead of changing
// the index.
func (r Region) Seal() error {
	if r.Bytes == nil {
		return nil
	}
	if err := unix.Mprotect(r.Bytes, unix.PROT_READ); err != nil {
		return fmt.Errorf("make the index read-only: %w", err)
	}
	return nil
}

// Free returns the bytes to the system. Nothing may read them afterwards.
func (r Region) Free() {
	if r.Bytes != nil {
		// munmap of a complete mapping of our own cannot fail.
		_ = unix.Munmap(r.Bytes)
	}
}
