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

// A runCache keeps the runs (batches of word hashes) of a corpus between two passes, in
// a file of mode 0600 that has no name. It contains hashes in the order of the words,
// never text. A build from standard input needs the cache, because it can read the
// input only once. For other inputs the cache takes a third of the time that reading
// them again takes.
//
// The file is a sequence of blocks. A block is its length in bytes (4) followed by
// runs.
// A run is the number of words (4) followed by their hashes (8 each). All numbers are
// little endian.
type runCache struct {
	f      *os.File
	mu     sync.Mutex
	size   int64       // bytes written
	full   bool        // the cache contains the whole corpus
	needed bool        // an input cannot be read again
	broken atomic.Bool // writing failed, and the inputs have to be read again
	blocks sync.Pool   // of *[]byte
}

// newRunCache makes the cache for a build of several passes. It returns nil if there is
// not enough disk space and the inputs can be read again.
func newRunCache(dir string, sources []*source) (*runCache, error) {
	size, needed := int64(0), false
	for _, s := range sources {
		needed = needed || s.Size < 0
		size += max(0, s.Size)
	}
	// Eight bytes for each word are at most twice the text, unless its words are very
	// short. At least half of the free space stays free.
	if free, ok := freeSpace(dir); !needed && (!ok || uint64(size) > free/4) {
		return nil, nil
	}
	f, err := newTempFile(dir)
	if err != nil {
		if needed {
			return nil, fmt.Errorf("cache standard input: %w", err)
		}
		return nil, nil
	}
	return &runCache{f: f, needed: needed}, nil
}

// cachePattern is the name of the file on systems where it needs one.
const cachePattern = ".noecho-spool-*"

// blockHead is the number of bytes before the runs of a block.
const blockHead = 4

// runBlockLen is the number of bytes at which a block is written.
const runBlockLen = 512 << 10

// runBlock collects runs of one worker.
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
		b.buf = append(b.buf, make([]byte, blockHead)...)
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

// flush writes the block to the file.
func (b *runBlock) flush() error {
	if len(b.buf) == 0 {
		return nil
	}
	binary.LittleEndian.PutUint32(b.buf, uint32(len(b.buf)-blockHead))
	b.to.mu.Lock()
	n, err := b.to.f.Write(b.buf)
	b.to.size += int64(n)
	b.to.mu.Unlock()
	b.buf = b.buf[:0]
	if err == nil {
		return nil
	}
	if b.to.needed {
		return fmt.Errorf("cache standard input: %w", err)
	}
	b.to.broken.Store(true)
	return nil
}

// ready reports whether the next pass can read the cache instead of the inputs.
func (s *runCache) ready() bool { return s != nil && s.full && !s.broken.Load() }

// replay calls hand with every block of runs. The receiver returns the block with
// [runCache.free].
func (s *runCache) replay(hand func(runs *[]byte) error) error {
	r := io.NewSectionReader(s.f, 0, s.size)
	for {
		var n [blockHead]byte
		if _, err := io.ReadFull(r, n[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the cache of word hashes: %w", err)
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
			return fmt.Errorf("read the cache of word hashes: %w", err)
		}
		if err := hand(b); err != nil {
			return err
		}
	}
}

// free takes a block back for reuse.
func (s *runCache) free(runs *[]byte) { s.blocks.Put(runs) }

// eachRun calls f for each run of the block b. buf is scratch space; eachRun returns
// it, possibly enlarged.
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

// close removes the cache.
func (s *runCache) close() {
	if s != nil {
		s.f.Close()
	}
}

// cacheDir returns the folder for temporary files: that of the index. It is on disk and
// has space, whereas the system's folder for temporary files may be in memory.
func cacheDir(out string) string { return filepath.Dir(out) }
