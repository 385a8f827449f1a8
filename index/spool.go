package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// A spool keeps the runs of an input that can be read only once, in a file of
// mode 0600 that has no name any more: word hashes in their order, never text.
//
// The file is a sequence of blocks: the length in bytes (4), then runs: the
// number of words (4), the hash of each (8), all little endian.
type spool struct {
	f    *os.File
	mu   sync.Mutex
	full bool // everything is in it
}

// newSpool creates an empty spool in the folder for temporary files.
func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "noecho-spool-*")
	if err != nil {
		return nil, fmt.Errorf("spool standard input: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("spool standard input: %w", err)
	}
	return &spool{f: f}, nil
}

// spoolBlockLen is the size of a block in bytes, at which it is written.
const spoolBlockLen = 512 << 10

// spoolBlock collects the runs of one worker.
type spoolBlock struct {
	to  *spool
	buf []byte
}

// add appends a run.
func (b *spoolBlock) add(to *spool, run []uint64) error {
	if b.to == nil {
		b.to, b.buf = to, append(b.buf[:0], 0, 0, 0, 0)
	}
	b.buf = binary.LittleEndian.AppendUint32(b.buf, uint32(len(run)))
	for _, w := range run {
		b.buf = binary.LittleEndian.AppendUint64(b.buf, w)
	}
	if len(b.buf) < spoolBlockLen {
		return nil
	}
	return b.flush()
}

// flush writes the block.
func (b *spoolBlock) flush() error {
	if b.to == nil {
		return nil
	}
	binary.LittleEndian.PutUint32(b.buf, uint32(len(b.buf)-4))
	b.to.mu.Lock()
	_, err := b.to.f.Write(b.buf)
	b.to.mu.Unlock()
	b.to = nil
	if err != nil {
		return fmt.Errorf("spool standard input: %w", err)
	}
	return nil
}

// replay hands on every block of runs. The bytes belong to the receiver.
func (s *spool) replay(hand func(runs []byte) error) error {
	r := io.NewSectionReader(s.f, 0, 1<<62)
	for {
		var n [4]byte
		if _, err := io.ReadFull(r, n[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the spool: %w", err)
		}
		b := make([]byte, binary.LittleEndian.Uint32(n[:]))
		if _, err := io.ReadFull(r, b); err != nil {
			return fmt.Errorf("read the spool: %w", err)
		}
		if err := hand(b); err != nil {
			return err
		}
	}
}

// eachRun calls f for each run of a block.
func eachRun(b []byte, f func(run []uint64) error) error {
	var run []uint64
	for len(b) > 0 {
		n := binary.LittleEndian.Uint32(b)
		b = b[4:]
		run = run[:0]
		for range n {
			run = append(run, binary.LittleEndian.Uint64(b))
			b = b[8:]
		}
		if err := f(run); err != nil {
			return err
		}
	}
	return nil
}

// close drops the spool.
func (s *spool) close() {
	if s != nil {
		s.f.Close()
	}
}
