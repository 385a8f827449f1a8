package build

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
)

// tempStoreMost is the number of bytes that a store keeps in memory before it uses a
// file.
const tempStoreMost = 1 << 20

// A tempStore keeps bytes until the end of a build or a merge. Few bytes stay in
// memory; more go to a file of mode 0600 that has no name. They are never text. Safe
// for concurrent use. Appended bytes can be read at once.
type tempStore struct {
	dir string

	mu     sync.Mutex
	mem    []byte // all of the bytes, as long as there is no file
	f      *os.File
	size   int64
	failed error
}

func newTempStore(dir string) *tempStore { return &tempStore{dir: dir} }

// append adds bytes and returns their offset. Errors are returned by err.
func (s *tempStore) append(b []byte) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(b)
}

// chain adds bytes to a linked list. head is the offset of the last element. The first
// 8 of the new bytes are set to the offset of the previous element.
func (s *tempStore) chain(head *int64, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	binary.LittleEndian.PutUint64(b, uint64(*head))
	*head = s.add(b)
}

// add adds bytes. The caller holds the lock.
func (s *tempStore) add(b []byte) int64 {
	at := s.size
	switch {
	case s.failed != nil:
	case s.f == nil && len(s.mem)+len(b) <= tempStoreMost:
		s.mem = append(s.mem, b...)
		s.size += int64(len(b))
	default:
		s.failed = s.write(b)
	}
	return at
}

// write adds bytes to the file.
func (s *tempStore) write(b []byte) (err error) {
	if s.f == nil {
		if s.f, err = newTempFile(s.dir); err != nil {
			return fmt.Errorf("store seeds and names of records in %q: %w", s.dir, err)
		}
		if _, err = s.f.Write(s.mem); err == nil {
			s.mem = nil
		}
	}
	if err == nil {
		_, err = s.f.Write(b)
	}
	if err != nil {
		return fmt.Errorf("store seeds and names of records: %w", err)
	}
	s.size += int64(len(b))
	return nil
}

// err returns the first error of an append.
func (s *tempStore) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// readAt fills b with the bytes at an offset.
func (s *tempStore) readAt(b []byte, at int64) error {
	s.mu.Lock()
	f := s.f
	if f == nil {
		copy(b, s.mem[at:])
	}
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	if _, err := f.ReadAt(b, at); err != nil {
		return fmt.Errorf("read seeds and names of records: %w", err)
	}
	return nil
}

// close frees the memory and the file. It may be called again.
func (s *tempStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f != nil {
		s.f.Close()
	}
	s.f, s.mem = nil, nil
}
