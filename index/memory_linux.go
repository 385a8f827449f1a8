package index

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// memory is where the filters of an open index live: anonymous pages outside
// the Go heap, huge where the kernel has them, read-only once loaded.
type memory struct {
	bytes []byte
	words []uint64 // the same bytes
}

// newMemory returns n zero bytes. n is a multiple of 8.
func newMemory(n uint64) (memory, error) {
	if n == 0 {
		return memory{}, nil
	}
	b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return memory{}, fmt.Errorf("allocate %d bytes for the index: %w", n, err)
	}
	// Without huge pages a lookup only gets slower, so a refusal is no error.
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	return memory{bytes: b, words: unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), n/8)}, nil
}

// seal makes the memory read-only: a stray write faults instead of forging the
// set.
func (m memory) seal() error {
	if m.bytes == nil {
		return nil
	}
	if err := unix.Mprotect(m.bytes, unix.PROT_READ); err != nil {
		return fmt.Errorf("make the index read-only: %w", err)
	}
	return nil
}

// free returns the memory to the system. Nothing may read it afterwards.
func (m memory) free() {
	if m.bytes != nil {
		// Munmap of a whole mapping of ours cannot fail.
		_ = unix.Munmap(m.bytes)
	}
}
