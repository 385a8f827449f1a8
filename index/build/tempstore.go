package build

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
)

// tempStoreMost is how many bytes stay in memory before there is a file.
const tempStoreMost = 1 << 20

// scratch keeps bytes until a build or a merge is over: in memory as long as they
// are few, then in a file of mode 0600 that has no name. Nothing in it is text.
// Safe for concurrent use; what was appended can be read at once.
type tempStore struct {
	dir string

	mu     sync.Mutex
	mem    []byte // of the file, or all of it
	f      *os.File
	size   int64
	failed error
}

func newTempStore(dir string) *tempStore { return &tempStore{dir: dir} }

// append adds bytes and returns where they are. An error comes with err.
func (s *tempStore) append(b []byte) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(b)
}

// chain adds bytes to a chain of which head says where the last ones are. Their
// first 8 are set to where those before them are.
func (s *tempStore) chain(head *int64, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	binary.LittleEndian.PutUint64(b, uint64(*head))
	*head = s.add(b)
}

// add adds bytes; the caller holds the lock.
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
			return fmt.Errorf("keep seeds and names of records in %q: %w", s.dir, err)
		}
		if _, err = s.f.Write(s.mem); err == nil {
			s.mem = nil
		}
	}
	if err == nil {
		_, err = s.f.Write(b)
	}
	if err != nil {
		return fmt.Errorf("keep seeds and names of records: %w", err)
	}
	s.size += int64(len(b))
	return nil
}

// err returns the first error of any append.
func (s *tempStore) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// readAt fills b with what was appended at that offset.
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

// close drops everything. It may be called again.
func (s *tempStore) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.f != nil {
		s.f.Close()
	}
	s.f, s.mem = nil, nil
}
