package format

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// Packed numbers. Tables of many numbers use as few bits as the numbers need: bit i of
// a table is bit i mod 8 of byte i / 8, and a number takes the next bits, its lowest
// one first. A number of at most 57 bits lies within 8 consecutive bytes, so there must
// be 8 readable bytes behind every table.

// TrailerLen is the size of the trailer that ends a section of packed tables. The
// trailer also is the readable bytes behind the last table.
const TrailerLen = 64

// PackedMost is the largest number of bits in a number.
const PackedMost = 57

// packedAt returns the number of width bits at a bit of b.
func packedAt(b []byte, bit uint64, width uint) uint64 {
	return binary.LittleEndian.Uint64(b[bit>>3:]) >> (bit & 7) & (1<<width - 1)
}

// packedLen returns the size of a table in bytes, padded to a multiple of 8.
func packedLen(n uint64, width uint) uint64 { return (n*uint64(width) + 63) / 64 * 8 }

// A Packer writes packed tables. End returns the first error.
type Packer struct {
	w    io.Writer
	buf  []byte
	n    int    // bytes in buf
	acc  uint64 // bits that do not fill a byte yet
	have uint   // number of these bits
	Err  error
}

func NewPacker(w io.Writer) *Packer { return &Packer{w: w, buf: make([]byte, 64<<10)} }

// Put writes a number of at most [PackedMost] bits.
func (p *Packer) Put(v uint64, width uint) {
	if p.n+8 > len(p.buf) {
		p.flush()
	}
	p.acc |= v << p.have
	p.have += width
	binary.LittleEndian.PutUint64(p.buf[p.n:], p.acc)
	p.n += int(p.have >> 3)
	p.acc >>= p.have &^ 7
	p.have &= 7
}

// End pads the table to a multiple of 8 bytes, given the number of its bits, and writes
// it out.
func (p *Packer) End(bits uint64) error {
	if p.have > 0 {
		p.Put(0, 8-p.have)
	}
	for at := (bits + 7) / 8; at%8 != 0; at++ {
		p.Put(0, 8)
	}
	p.flush()
	return p.Err
}

func (p *Packer) flush() {
	if p.Err == nil {
		_, p.Err = p.w.Write(p.buf[:p.n])
	}
	p.n = 0
}

// A Payload reads the payload of a section, in memory or chunk by chunk from a file.
// After an error, which remains in Err, all results are meaningless. Not safe for
// concurrent use: every goroutine needs its own, see Another.
type Payload struct {
	length uint64
	fetch  func(chunk uint64, buf []byte) ([]byte, error)
	cur    []byte // the last chunk read
	at     uint64 // offset of that chunk
	old    []byte // the chunk before, whose memory the next one reuses
	oldAt  uint64
	Err    error
}

// InMemory returns a payload whose bytes are in memory.
func InMemory(b []byte) *Payload {
	return &Payload{length: uint64(len(b)), cur: b}
}

// inFile returns the payload of a section in a file. Every chunk is compared with its
// checksum.
func inFile(r io.ReaderAt, s Section, table []byte) *Payload {
	return &Payload{length: s.Length, fetch: func(chunk uint64, buf []byte) ([]byte, error) {
		if buf == nil {
			buf = make([]byte, ChunkLen)
		}
		lo := chunk * ChunkLen
		buf = buf[:min(ChunkLen, s.Length-lo)]
		if err := ReadFull(r, buf, int64(s.Offset+lo)); err != nil {
			return nil, err
		}
		if crc32.Checksum(buf, Castagnoli) != binary.LittleEndian.Uint32(table[4*chunk:]) {
			return nil, Damaged("%v, bytes %d to %d of the file: checksum does not match", s, s.Offset+lo, s.Offset+lo+uint64(len(buf))-1)
		}
		return buf, nil
	}}
}

// Another returns a reader of the same payload for another goroutine.
func (p *Payload) Another() *Payload {
	if p.fetch == nil {
		return InMemory(p.cur)
	}
	return &Payload{length: p.length, fetch: p.fetch}
}

// number returns the number of width bits at a bit. All of it must lie in the payload.
func (p *Payload) number(bit uint64, width uint) uint64 {
	off := bit >> 3
	if off-p.at <= uint64(len(p.cur)) && off-p.at+8 <= uint64(len(p.cur)) {
		return packedAt(p.cur, bit-8*p.at, width)
	}
	var b [8]byte
	p.Read(b[:], off)
	return binary.LittleEndian.Uint64(b[:]) >> (bit & 7) & (1<<width - 1)
}

// Read fills b from an offset. All of it must lie in the payload.
func (p *Payload) Read(b []byte, off uint64) {
	for len(b) > 0 && p.Err == nil {
		if off-p.at >= uint64(len(p.cur)) {
			p.turn(off)
			continue
		}
		n := copy(b, p.cur[off-p.at:])
		b, off = b[n:], off+uint64(n)
	}
}

// turn makes the chunk at an offset the current one.
func (p *Payload) turn(off uint64) {
	if p.fetch == nil || off >= p.length {
		panic(fmt.Sprintf("index: internal error: offset %d of a payload of %d bytes", off, p.length))
	}
	p.cur, p.old, p.at, p.oldAt = p.old, p.cur, p.oldAt, p.at
	if off-p.at < uint64(len(p.cur)) {
		return
	}
	buf := p.cur
	if buf != nil {
		buf = buf[:cap(buf)]
	}
	chunk := off / ChunkLen
	p.at = chunk * ChunkLen
	if p.cur, p.Err = p.fetch(chunk, buf); p.Err != nil {
		p.cur = nil
	}
}

// zeroFrom reports whether the bits of a table from number bit to its padded end are
// zero.
func (p *Payload) zeroFrom(bit, end uint64) bool {
	for ; bit < 8*end; bit++ {
		if bit%8 == 0 {
			break
		}
		if p.number(bit, 1) != 0 {
			return false
		}
	}
	for ; bit < 8*end; bit += 8 {
		if p.number(bit, 8) != 0 {
			return false
		}
	}
	return true
}
