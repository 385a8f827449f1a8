package memory

import (
	"encoding/binary"
	"fmt"
	"os"
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

// Map returns the bytes of a file that nobody can change: one with the attribute immutable
// (chattr +i) or with fs-verity. Its pages are those of the page cache, so that they are
// neither copied nor kept twice. For any other file it returns false: a change of it would
// change the bytes, and cutting it off would end the process.
func Map(f *os.File, size int64) (Region, bool) {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, 0, &st)
	if err != nil || st.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_VERITY) == 0 || binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return Region{}, false
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return Region{}, false
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // as in allocate
	return Region{Bytes: b, Words: unsafe.Slice((*uint64)(unsafe.Pointer(&b[0])), size/8)}, true
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
