package corpus

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"

	"github.com/pierrec/lz4/v4"
)

// LZ4. A file is one frame or several. A frame is a header, blocks, each behind its length
// of 4 bytes, a length of zero, and a checksum. A block may repeat text of the 64 KiB
// before it. Frames to be skipped have no text. An old, legacy, frame has a mark alone for
// a header, blocks of 8 MiB, and ends where another frame begins or the file ends.
//
// The reader of the library reads the first frame alone and refuses checksums of blocks,
// so only its decompression of blocks is used.
//
// A frame of the text "x", of one block that is not compressed:
//
//	04224d18 | 64 40 a7         | 01000080 | 78 | 00000000 | ea30c42e
//	mark     | flags, sum of it | length   | x  | the end  | sum of the text

const (
	lz4Magic  = 0x184d2204
	lz4Legacy = 0x184c2102
	lz4Skip   = 0x184d2a50 // and the next 15 numbers
)

// isLZ4 tells an LZ4 file by its mark. A frame to be skipped may also begin a zstd file.
func isLZ4(head []byte) bool {
	if len(head) < 4 {
		return false
	}
	magic := binary.LittleEndian.Uint32(head)
	return magic == lz4Magic || magic == lz4Legacy
}

var (
	errLZ4     = errors.New("the file is damaged")
	errLZ4Dict = errors.New("it needs a dictionary: decompress it with the dictionary; `lz4 -d -D DICTIONARY FILE`")
)

// lz4Reader reads the decompressed content of an LZ4 file.
type lz4Reader struct {
	r      io.Reader
	most   int    // bytes of a block; 0: no frame is open
	legacy bool   // of the frame
	linked bool   // blocks repeat text of those before
	sums   bool   // blocks have checksums
	total  bool   // the frame has one
	sum    xxh32  // of the frame
	next   uint32 // the mark that ended a legacy frame; 0: none
	packed []byte
	text   []byte // the text before the block, at most lz4Window bytes, and of the block
	left   []byte // the part of text that is not returned yet
}

const (
	lz4Window = 64 << 10
	lz4Block  = 8<<20 + 8<<20/255 + 64 // bytes of a file at most, up to the end of its first block
)

func (z *lz4Reader) Read(p []byte) (int, error) {
	for len(z.left) == 0 {
		if len(p) == 0 {
			return 0, nil
		}
		var err error
		if z.most == 0 {
			err = z.frame()
		} else {
			err = z.block()
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, z.left)
	z.left = z.left[n:]
	return n, nil
}

// take reads bytes within a frame.
func (z *lz4Reader) take(b []byte) error {
	_, err := io.ReadFull(z.r, b)
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// number reads a number of 4 bytes within a frame.
func (z *lz4Reader) number() (uint32, error) {
	var b [4]byte
	err := z.take(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

// mark reads the mark of a frame, io.EOF at the end of the file.
func (z *lz4Reader) mark() (uint32, error) {
	if magic := z.next; magic != 0 {
		z.next = 0
		return magic, nil
	}
	var b [4]byte
	_, err := io.ReadFull(z.r, b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

// frame opens the next frame, io.EOF behind the last.
func (z *lz4Reader) frame() error {
	magic, err := z.mark()
	switch {
	case err != nil:
		return err
	case magic&^0xf == lz4Skip:
		size, err := z.number()
		if err != nil {
			return err
		}
		if n, err := io.CopyN(io.Discard, z.r, int64(size)); n < int64(size) && errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
		return nil
	case magic == lz4Legacy:
		z.most, z.legacy, z.linked, z.sums, z.total = 8<<20, true, false, false, false
		z.text = z.text[:0]
		return nil
	case magic != lz4Magic:
		return errLZ4
	}
	return z.header()
}

// header reads the header of a frame behind its mark.
func (z *lz4Reader) header() error {
	const version, independent, blockSums, length, sum, dictionary = 0x40, 0x20, 0x10, 0x08, 0x04, 0x01
	var buf [15]byte
	if err := z.take(buf[:2]); err != nil {
		return err
	}
	flags, n := buf[0], 2
	if flags&length != 0 {
		n += 8
	}
	if flags&dictionary != 0 {
		n += 4
	}
	if err := z.take(buf[2 : n+1]); err != nil {
		return err
	}
	var head xxh32
	head.write(buf[:n])
	size := buf[1] >> 4 & 7
	switch {
	case flags&0xc0 != version || size < 4 || buf[n] != byte(head.sum()>>8):
		return errLZ4
	case flags&dictionary != 0:
		return errLZ4Dict
	}
	z.most, z.legacy = 1<<(8+2*size), false
	z.linked, z.sums, z.total = flags&independent == 0, flags&blockSums != 0, flags&sum != 0
	z.sum, z.text = xxh32{}, z.text[:0]
	return nil
}

// block reads the next block of the frame, or its end.
func (z *lz4Reader) block() error {
	var size uint32
	var err error
	if z.legacy {
		// A frame ends at the end of the file, or at the mark of another.
		if size, err = z.mark(); err == io.EOF || err == nil && (size == lz4Magic || size == lz4Legacy || size&^0xf == lz4Skip) {
			z.most, z.next = 0, size
			return err
		}
	} else {
		size, err = z.number()
	}
	if err != nil {
		return err
	}
	if size == 0 && !z.legacy {
		return z.end()
	}
	const plain = 1 << 31
	n := int(size &^ plain)
	if most := z.most + z.most/255 + 16; n > most {
		return errLZ4
	}
	if cap(z.packed) < n {
		z.packed = make([]byte, n)
	}
	z.packed = z.packed[:n]
	if err := z.take(z.packed); err != nil {
		return err
	}
	if z.sums {
		want, err := z.number()
		if err != nil {
			return err
		}
		var sum xxh32
		sum.write(z.packed)
		if sum.sum() != want {
			return errLZ4
		}
	}
	return z.unpack(size&plain != 0)
}

// unpack decompresses the block in packed, unless it is plain.
func (z *lz4Reader) unpack(plain bool) error {
	before := 0
	if z.linked {
		before = min(len(z.text), lz4Window)
		copy(z.text, z.text[len(z.text)-before:])
	}
	if cap(z.text) < lz4Window+z.most {
		z.text = append(make([]byte, 0, lz4Window+z.most), z.text[:before]...)
	}
	to := z.text[before : before+z.most]
	n := len(z.packed)
	if plain {
		if n > len(to) {
			return errLZ4
		}
		copy(to, z.packed)
	} else {
		var err error
		if n, err = lz4.UncompressBlockWithDict(z.packed, to, z.text[:before]); err != nil {
			return errLZ4
		}
	}
	z.text = z.text[:before+n]
	z.left = z.text[before:]
	if z.total {
		z.sum.write(z.left)
	}
	return nil
}

// end reads the end of a frame.
func (z *lz4Reader) end() error {
	z.most = 0
	if !z.total {
		return nil
	}
	want, err := z.number()
	if err == nil && want != z.sum.sum() {
		return errLZ4
	}
	return err
}

// xxh32 is the checksum of LZ4, XXH32 with the seed 0.
type xxh32 struct {
	v    [4]uint32
	n    uint64
	rest [16]byte
}

const (
	xxPrime1 = 2654435761
	xxPrime2 = 2246822519
	xxPrime3 = 3266489917
	xxPrime4 = 668265263
	xxPrime5 = 374761393
)

func xxRound(v, word uint32) uint32 { return bits.RotateLeft32(v+word*xxPrime2, 13) * xxPrime1 }

func (x *xxh32) write(b []byte) {
	if x.n == 0 {
		one := uint32(xxPrime1)
		x.v = [4]uint32{one + xxPrime2, xxPrime2, 0, -one}
	}
	at := int(x.n & 15)
	x.n += uint64(len(b))
	if at > 0 {
		n := copy(x.rest[at:], b)
		if b = b[n:]; at+n < 16 {
			return
		}
		x.stripe(x.rest[:])
	}
	for ; len(b) >= 16; b = b[16:] {
		x.stripe(b)
	}
	copy(x.rest[:], b)
}

// stripe takes 16 bytes.
func (x *xxh32) stripe(b []byte) {
	for i := range x.v {
		x.v[i] = xxRound(x.v[i], binary.LittleEndian.Uint32(b[4*i:]))
	}
}

func (x *xxh32) sum() uint32 {
	h := uint32(xxPrime5)
	if x.n >= 16 {
		h = bits.RotateLeft32(x.v[0], 1) + bits.RotateLeft32(x.v[1], 7) + bits.RotateLeft32(x.v[2], 12) + bits.RotateLeft32(x.v[3], 18)
	}
	h += uint32(x.n)
	b := x.rest[:x.n&15]
	for ; len(b) >= 4; b = b[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(b)*xxPrime3, 17) * xxPrime4
	}
	for _, c := range b {
		h = bits.RotateLeft32(h+uint32(c)*xxPrime5, 11) * xxPrime1
	}
	h ^= h >> 15
	h *= xxPrime2
	h ^= h >> 13
	h *= xxPrime3
	return h ^ h>>16
}
