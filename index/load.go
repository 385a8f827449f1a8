package index

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// readHeader reads and checks the header of a file of size bytes.
func readHeader(r io.ReaderAt, size int64) (*header, error) {
	b := make([]byte, min(size, headerLen))
	if err := readFull(r, b, 0); err != nil {
		return nil, err
	}
	return parseHeader(b, uint64(size))
}

// readFull fills b from offset off. A file that ends early is damaged: its
// length was checked before.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return damaged("file ends at %d: it was cut while it was read", off+int64(n))
	}
	return fmt.Errorf("read index at %d: %w", off, err)
}

// A checker reads every byte behind the header once, on all cores, and holds
// it against the checksums, the counts of set bits and the build id.
type checker struct {
	r       io.ReaderAt
	h       *header
	dst     [][]byte   // by section: where the payload goes; nil: nowhere
	tails   [][]byte   // by section: from the payload's end to the section's
	sums    [][]byte   // by section: SHA-256 of each chunk
	ones    []uint64   // by section: set bits, summed atomically
	pending chan piece // what is still to be read
}

// piece is one chunk of one section.
type piece struct {
	section int
	chunk   uint64
}

// checkBody reads and checks everything behind the header. dst says for each
// section where its payload is put, nil for those that are only checked.
func checkBody(r io.ReaderAt, h *header, dst [][]byte) (*checker, error) {
	c := newChecker(r, h, dst)
	if err := c.run(); err != nil {
		return nil, err
	}
	if buildID(h, c.sums, c.tails) != h.buildID {
		return nil, damaged("build id does not match the contents")
	}
	return c, nil
}

// payload returns a section of which the tail was read: where it was put, or as it
// is in the file.
func (c *checker) payload(i int) *payload {
	if c.dst[i] != nil {
		return inMemory(c.dst[i])
	}
	s := c.h.sections[i]
	return inFile(c.r, s, c.tails[i][s.tableAt()-s.offset-s.length:])
}

func newChecker(r io.ReaderAt, h *header, dst [][]byte) *checker {
	return &checker{
		r: r, h: h, dst: dst,
		tails: make([][]byte, len(h.sections)), sums: make([][]byte, len(h.sections)),
		ones: make([]uint64, len(h.sections)), pending: make(chan piece, 64),
	}
}

// run reads and checks everything but the build id.
func (c *checker) run() error {
	for i := range c.h.sections {
		if err := c.readTail(i); err != nil {
			return err
		}
	}
	if err := c.readChunks(); err != nil {
		return err
	}
	for i, s := range c.h.sections {
		if s.k != 0 && s.known() && c.ones[i] != s.ones {
			return damaged("%v has %d bits set, its header says %d", s, c.ones[i], s.ones)
		}
	}
	return nil
}

// readTail reads a section's padding and checksum table.
func (c *checker) readTail(i int) error {
	s := c.h.sections[i]
	tail := make([]byte, s.end()-s.offset-s.length)
	if err := readFull(c.r, tail, int64(s.offset+s.length)); err != nil {
		return err
	}
	pad := s.tableAt() - s.offset - s.length
	table := tail[pad : pad+4*chunks(s.length)]
	if crc32.Checksum(table, castagnoli) != s.tableCRC {
		return damaged("checksum table of %v does not match", s)
	}
	if !allZero(tail[:pad]) || !allZero(tail[pad+uint64(len(table)):]) {
		return damaged("padding of %v is not zero", s)
	}
	c.tails[i] = tail
	c.sums[i] = make([]byte, chunks(s.length)*sha256.Size)
	return nil
}

// readChunks reads and checks every payload.
func (c *checker) readChunks() error {
	workers := runtime.GOMAXPROCS(0)
	var failed atomic.Bool
	var g errgroup.Group
	for range workers {
		g.Go(func() error {
			var scratch []byte
			for p := range c.pending {
				if failed.Load() {
					continue
				}
				if c.dst[p.section] == nil && scratch == nil {
					scratch = make([]byte, chunkLen)
				}
				if err := c.readChunk(p, scratch); err != nil {
					failed.Store(true)
					for range c.pending {
					}
					return err
				}
			}
			return nil
		})
	}
	for i, s := range c.h.sections {
		for k := range chunks(s.length) {
			c.pending <- piece{section: i, chunk: k}
		}
	}
	close(c.pending)
	return g.Wait()
}

// readChunk reads and checks one chunk.
func (c *checker) readChunk(p piece, scratch []byte) error {
	s := c.h.sections[p.section]
	lo := p.chunk * chunkLen
	hi := min(lo+chunkLen, s.length)
	b := c.dst[p.section]
	if b == nil {
		b = scratch[:hi-lo]
	} else {
		b = b[lo:hi]
	}
	if err := readFull(c.r, b, int64(s.offset+lo)); err != nil {
		return err
	}
	pad := s.tableAt() - s.offset - s.length
	want := binary.LittleEndian.Uint32(c.tails[p.section][pad+4*p.chunk:])
	if crc32.Checksum(b, castagnoli) != want {
		return damaged("%v, bytes %d to %d of the file: checksum does not match", s, s.offset+lo, s.offset+hi-1)
	}
	sum := sha256.Sum256(b)
	copy(c.sums[p.section][p.chunk*sha256.Size:], sum[:])
	if s.k != 0 && s.known() {
		atomic.AddUint64(&c.ones[p.section], popCount(b))
		if c.dst[p.section] != nil {
			toNative(b)
		}
	}
	return nil
}

// asked reports whether look-ups read the section.
func (s section) asked() bool { return s.known() && s.kind != KindManifest }

// known reports whether format v1 says what the section holds.
func (s section) known() bool {
	return s.kind >= KindManifest && s.kind <= KindWords
}

// buildID returns the digest of all bytes but the build id itself and the
// header's checksum, as the package comment defines it.
func buildID(h *header, sums, tails [][]byte) [buildIDLen]byte {
	b := h.encode()
	clear(b[offBuildID : offBuildID+buildIDLen])
	clear(b[offHeaderCRC:])
	d := sha256.New()
	d.Write(b)
	for i := range sums {
		d.Write(sums[i])
		d.Write(tails[i])
	}
	return [buildIDLen]byte(d.Sum(nil))
}

// popCount counts the set bits of b.
func popCount(b []byte) uint64 {
	var n int
	for len(b) >= 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	for _, c := range b {
		n += bits.OnesCount8(c)
	}
	return uint64(n)
}

// toNative turns the little endian words of b into this machine's. Its length
// is a multiple of 8.
func toNative(b []byte) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return
	}
	for i := 0; i < len(b); i += 8 {
		binary.NativeEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:]))
	}
}

// digest reads back everything behind the header of a file that was just
// written, checks it, and returns its build id.
func digest(r io.ReaderAt, h *header) ([buildIDLen]byte, error) {
	c := newChecker(r, h, make([][]byte, len(h.sections)))
	if err := c.run(); err != nil {
		return [buildIDLen]byte{}, fmt.Errorf("the new index does not read back: %w", err)
	}
	return buildID(h, c.sums, c.tails), nil
}
