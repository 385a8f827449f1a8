package build

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// A spool keeps the runs of a corpus between two passes, in a file of mode 0600
// that has no name: word hashes in their order, never text. Standard input can be
// read only once and needs it; for other inputs it takes a third of the time
// that reading them again takes.
//
// The file is a sequence of blocks: the length in bytes (4), then runs: the
// number of words (4), the hash of each (8), all little endian.
type runCache struct {
	f      *os.File
	mu     sync.Mutex
	size   int64       // written
	full   bool        // everything is in it
	needed bool        // an input cannot be read again
	broken atomic.Bool // it cannot be written, and need not be
	blocks sync.Pool   // of *[]byte
}

// newRunCache decides whether a build of several passes keeps the runs of its sources,
// and returns nil if not.
func newRunCache(dir string, sources []*source) (*runCache, error) {
	size, needed := int64(0), false
	for _, s := range sources {
		needed = needed || s.Size < 0
		size += max(0, s.Size)
	}
	// Eight bytes a word are at most twice the text, but for text of very short
	// words. Half of what is free stays free.
	if free, ok := freeSpace(dir); !needed && (!ok || uint64(size) > free/4) {
		return nil, nil
	}
	f, err := newTempFile(dir)
	if err != nil {
		if needed {
			return nil, fmt.Errorf("spool standard input: %w", err)
		}
		return nil, nil
	}
	return &runCache{f: f, needed: needed}, nil
}

// cachePattern is the name of the file where it needs one.
const cachePattern = ".noecho-spool-*"

// runBlockLen is the size of a block in bytes, at which it is written.
const runBlockLen = 512 << 10

// runBlock collects the runs of one worker.
type runBlock struct {
	to  *runCache
	buf []byte
}

// add appends a run.
func (b *runBlock) add(run []uint64) error {
	if b.to == nil || b.to.broken.Load() {
		return nil
	}
	if len(b.buf) == 0 {
		b.buf = append(b.buf, 0, 0, 0, 0)
	}
	b.buf = binary.LittleEndian.AppendUint32(b.buf, uint32(len(run)))
	for _, w := range run {
		b.buf = binary.LittleEndian.AppendUint64(b.buf, w)
	}
	if len(b.buf) < runBlockLen {
		return nil
	}
	return b.flush()
}

// flush writes the block.
func (b *runBlock) flush() error {
	if len(b.buf) == 0 {
		return nil
	}
	binary.LittleEndian.PutUint32(b.buf, uint32(len(b.buf)-4))
	b.to.mu.Lock()
	n, err := b.to.f.Write(b.buf)
	b.to.size += int64(n)
	b.to.mu.Unlock()
	b.buf = b.buf[:0]
	if err == nil {
		return nil
	}
	if b.to.needed {
		return fmt.Errorf("spool standard input: %w", err)
	}
	b.to.broken.Store(true)
	return nil
}

// ready reports whether the next pass can replay the spool.
func (s *runCache) ready() bool { return s != nil && s.full && !s.broken.Load() }

// replay hands on every block of runs. The receiver gives it back with
// [spool.free].
func (s *runCache) replay(hand func(runs *[]byte) error) error {
	r := io.NewSectionReader(s.f, 0, s.size)
	for {
		var n [4]byte
		if _, err := io.ReadFull(r, n[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the spool: %w", err)
		}
		b, ok := s.blocks.Get().(*[]byte)
		if !ok {
			b = new([]byte)
		}
		size := int(binary.LittleEndian.Uint32(n[:]))
		if cap(*b) < size {
			*b = make([]byte, max(size, runBlockLen+8*runWords+8))
		}
		*b = (*b)[:size]
		if _, err := io.ReadFull(r, *b); err != nil {
			return fmt.Errorf("read the spool: %w", err)
		}
		if err := hand(b); err != nil {
			return err
		}
	}
}

// free takes a block back.
func (s *runCache) free(runs *[]byte) { s.blocks.Put(runs) }

// eachRun calls f for each run of a block. buf holds the run and is returned as
// it grew.
func eachRun(b []byte, buf []uint64, f func(run []uint64) error) ([]uint64, error) {
	for len(b) > 0 {
		n := binary.LittleEndian.Uint32(b)
		b = b[4:]
		buf = buf[:0]
		for range n {
			buf = append(buf, binary.LittleEndian.Uint64(b))
			b = b[8:]
		}
		if err := f(buf); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// close drops the spool.
func (s *runCache) close() {
	if s != nil {
		s.f.Close()
	}
}

// cacheDir is the folder of the spool: where the index goes there is a disk, and
// room on it, while the folder for temporary files may be memory.
func cacheDir(out string) string { return filepath.Dir(out) }
