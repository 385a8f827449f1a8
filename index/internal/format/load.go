package format

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

// ReadHeader reads and checks the header of a file of size bytes.
func ReadHeader(r io.ReaderAt, size int64) (*Header, error) {
	b := make([]byte, min(size, HeaderLen))
	if err := ReadFull(r, b, 0); err != nil {
		return nil, err
	}
	return ParseHeader(b, uint64(size))
}

// ReadFull fills b from offset off. If the file ends early it is damaged, because its
// length was checked before.
func ReadFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return Damaged("the file ends at byte %d: it was cut while it was read", off+int64(n))
	}
	return fmt.Errorf("read index at byte %d: %w", off, err)
}

// A Checker reads every byte behind the header once, on all cores, and compares the
// bytes with the checksums, the numbers of set bits and the build id.
type Checker struct {
	r       io.ReaderAt
	H       *Header
	Dst     [][]byte    // by section: memory for the payload; nil: the payload is only checked
	Tails   [][]byte    // by section: bytes from the end of the payload to the end of the section
	Sums    [][]byte    // by section: SHA-256 of each chunk
	ones    []uint64    // by section: set bits, summed atomically
	pending chan Piece  // chunks that have to be read
	placed  func(n int) // not nil: the payloads in Dst are there already; called with the bytes of each chunk
}

// Piece is one chunk of one section.
type Piece struct {
	Section int
	Chunk   uint64
}

// body reads and checks all bytes behind the header.
func (c *Checker) body() error {
	if err := c.Run(); err != nil {
		return err
	}
	if BuildID(c.H, c.Sums, c.Tails) != c.H.BuildID {
		return Damaged("the build id does not match the contents")
	}
	return nil
}

// Payload returns the payload of a section, from memory if it was read into Dst, and
// otherwise from the file. The tail of the section must have been read.
func (c *Checker) Payload(i int) *Payload {
	if c.Dst[i] != nil {
		return InMemory(c.Dst[i])
	}
	s := c.H.Sections[i]
	return inFile(c.r, s, c.Tails[i][s.TableAt()-s.Offset-s.Length:])
}

func NewChecker(r io.ReaderAt, h *Header, dst [][]byte) *Checker {
	return &Checker{
		r: r, H: h, Dst: dst,
		Tails: make([][]byte, len(h.Sections)), Sums: make([][]byte, len(h.Sections)),
		ones: make([]uint64, len(h.Sections)), pending: make(chan Piece, 64),
	}
}

// Run reads and checks all bytes, except for the build id.
func (c *Checker) Run() error {
	for i := range c.H.Sections {
		if err := c.ReadTail(i); err != nil {
			return err
		}
	}
	if err := c.readChunks(); err != nil {
		return err
	}
	for i, s := range c.H.Sections {
		if s.K != 0 && s.Known() && c.ones[i] != s.Ones {
			return Damaged("%v has %d bits set, but its header says %d", s, c.ones[i], s.Ones)
		}
	}
	return nil
}

// ReadTail reads and checks the padding and the checksum table of a section.
func (c *Checker) ReadTail(i int) error {
	s := c.H.Sections[i]
	tail := make([]byte, s.End()-s.Offset-s.Length)
	if err := ReadFull(c.r, tail, int64(s.Offset+s.Length)); err != nil {
		return err
	}
	pad := s.TableAt() - s.Offset - s.Length
	table := tail[pad : pad+4*Chunks(s.Length)]
	if crc32.Checksum(table, Castagnoli) != s.TableCRC {
		return Damaged("the checksum table of %v does not match its checksum", s)
	}
	if !allZero(tail[:pad]) || !allZero(tail[pad+uint64(len(table)):]) {
		return Damaged("the padding of %v is not zero", s)
	}
	c.Tails[i] = tail
	c.Sums[i] = make([]byte, Chunks(s.Length)*sha256.Size)
	return nil
}

// readChunks reads and checks every payload.
func (c *Checker) readChunks() error {
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
				if c.Dst[p.Section] == nil && scratch == nil {
					scratch = make([]byte, ChunkLen)
				}
				if err := c.ReadChunk(p, scratch); err != nil {
					failed.Store(true)
					for range c.pending {
					}
					return err
				}
			}
			return nil
		})
	}
	for i, s := range c.H.Sections {
		for k := range Chunks(s.Length) {
			c.pending <- Piece{Section: i, Chunk: k}
		}
	}
	close(c.pending)
	return g.Wait()
}

// ReadChunk reads and checks one chunk.
func (c *Checker) ReadChunk(p Piece, scratch []byte) error {
	s := c.H.Sections[p.Section]
	lo := p.Chunk * ChunkLen
	hi := min(lo+ChunkLen, s.Length)
	b := c.Dst[p.Section]
	if b == nil {
		b = scratch[:hi-lo]
	} else {
		b = b[lo:hi]
	}
	if c.placed != nil && c.Dst[p.Section] != nil {
		c.placed(len(b))
	} else if err := ReadFull(c.r, b, int64(s.Offset+lo)); err != nil {
		return err
	}
	pad := s.TableAt() - s.Offset - s.Length
	want := binary.LittleEndian.Uint32(c.Tails[p.Section][pad+4*p.Chunk:])
	if crc32.Checksum(b, Castagnoli) != want {
		return Damaged("%v, bytes %d to %d of the file: checksum does not match", s, s.Offset+lo, s.Offset+hi-1)
	}
	sum := sha256.Sum256(b)
	copy(c.Sums[p.Section][p.Chunk*sha256.Size:], sum[:])
	if s.K != 0 && s.Known() {
		atomic.AddUint64(&c.ones[p.Section], PopCount(b))
		if c.Dst[p.Section] != nil {
			toNative(b)
		}
	}
	return nil
}

// asked reports whether lookups read the section.
func (s Section) asked() bool { return s.Known() && s.Kind != KindManifest }

// Known reports whether format v1 defines the kind of the section.
func (s Section) Known() bool {
	return s.Kind >= KindManifest && s.Kind <= KindShared
}

// BuildID returns the digest of all bytes except the build id itself and the checksum
// of the header. The package comment defines it.
func BuildID(h *Header, sums, tails [][]byte) [buildIDLen]byte {
	b := h.Encode()
	clear(b[OffBuildID : OffBuildID+buildIDLen])
	clear(b[OffHeaderCRC:])
	d := sha256.New()
	d.Write(b)
	for i := range sums {
		d.Write(sums[i])
		d.Write(tails[i])
	}
	return [buildIDLen]byte(d.Sum(nil))
}

// PopCount counts the set bits of b.
func PopCount(b []byte) uint64 {
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

// toNative converts the little-endian words of b to the byte order of the machine. The
// length of b is a multiple of 8.
func toNative(b []byte) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return
	}
	for i := 0; i < len(b); i += 8 {
		binary.NativeEndian.PutUint64(b[i:], binary.LittleEndian.Uint64(b[i:]))
	}
}

// Digest reads back all bytes behind the header of a file that was just written, checks
// them, and returns the build id.
func Digest(r io.ReaderAt, h *Header) ([buildIDLen]byte, error) {
	c := NewChecker(r, h, make([][]byte, len(h.Sections)))
	if err := c.Run(); err != nil {
		return [buildIDLen]byte{}, fmt.Errorf("the new index does not read back: %w", err)
	}
	return BuildID(h, c.Sums, c.Tails), nil
}
