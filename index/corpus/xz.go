package corpus

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// XZ. A file is one stream or several, with zeros between them; a stream is a header,
// blocks, an index of the blocks and a footer. A block says before its content how many of
// the last bytes a reader has to remember, its dictionary, up to 4 GiB. The library
// allocates so many, so its reader of LZMA2 is used and the container is read here, where
// the dictionary of every block is measured first.
//
// The beginning of a file made by xz -0 -C none, whose dictionary takes 256 KiB:
//
//	fd 37 7a 58 5a 00 | 00 00 ff12d941    | 02   00    21    01     0c         000000  8f98419c
//	the mark          | kind of check sum | size flags LZMA2 1 byte dictionary padding sum

const (
	xzMagic      = "\xfd7zXZ\x00"
	xzDictionary = 64 << 20 // bytes; that of xz -9
	xzLZMA2      = 0x21     // the filter that has to be the only one
)

// xzReader reads the decompressed content of an XZ file.
type xzReader struct {
	in     byteReader
	n      int64 // bytes of the stream so far
	flags  [2]byte
	sum    hash.Hash // of the block
	block  *lzma.Reader2
	from   int64     // where the content of the block begins
	head   int64     // length of the header of the block
	size   int64     // bytes of the block so far
	blocks uint64    // of the stream
	total  [2]uint64 // lengths of the blocks, compressed and not
}

// byteReader is the interface of package lzma.
type byteReader interface {
	io.Reader
	io.ByteReader
}

var (
	errXZ       = errors.New("the file is damaged")
	errXZDict   = fmt.Errorf("the dictionary is larger than %d MiB: compress it again; `xzcat FILE | xz -9 > NEW.xz`", xzDictionary>>20)
	errXZFilter = errors.New("it is made with other filters than LZMA2: decompress it; `xz -d FILE`")
	errXZCheck  = errors.New("its kind of checksum is not known: decompress it; `xz -d FILE`")
)

func newXZ(r io.Reader) (*xzReader, error) {
	in, ok := r.(byteReader)
	if !ok {
		in = bufio.NewReader(r)
	}
	x := &xzReader{in: in}
	return x, x.stream()
}

// Read reads the next bytes. A file that ends within a stream has another error than
// io.EOF.
func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.block == nil {
			if err := x.next(); err != nil {
				return 0, err
			}
		}
		n, err := x.block.Read(p)
		x.sum.Write(p[:n])
		x.size += int64(n)
		if err == io.EOF {
			x.block, err = nil, x.endBlock()
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// xzCounted reads the bytes of a stream. The end of the file is an error there.
type xzCounted xzReader

func (x *xzCounted) Read(p []byte) (int, error) {
	n, err := x.in.Read(p)
	x.n += int64(n)
	if err == io.EOF && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (x *xzCounted) ReadByte() (byte, error) {
	c, err := x.in.ReadByte()
	if err == io.EOF {
		return 0, io.ErrUnexpectedEOF
	}
	x.n++
	return c, err
}

// take reads n bytes of the stream.
func (x *xzReader) take(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull((*xzCounted)(x), b)
	return b, err
}

// stream reads the header of a stream.
func (x *xzReader) stream() error {
	b, err := x.take(len(xzMagic) + 6)
	if err != nil {
		return err
	}
	flags := b[len(xzMagic):]
	if string(b[:len(xzMagic)]) != xzMagic || flags[0] != 0 || crc32.ChecksumIEEE(flags[:2]) != binary.LittleEndian.Uint32(flags[2:]) {
		return errXZ
	}
	x.flags = [2]byte(flags)
	switch flags[1] {
	case 0:
		x.sum = noSum{}
	case 1:
		x.sum = crc32.NewIEEE()
	case 4:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		x.sum = sha256.New()
	default:
		return errXZCheck
	}
	x.n, x.blocks, x.total = 0, 0, [2]uint64{}
	return nil
}

// noSum is the checksum of a stream without checksums.
type noSum struct{ hash.Hash }

func (noSum) Write(p []byte) (int, error) { return len(p), nil }
func (noSum) Sum(b []byte) []byte         { return b }
func (noSum) Reset()                      {}
func (noSum) Size() int                   { return 0 }

// next opens the next block, io.EOF behind the last stream.
func (x *xzReader) next() error {
	for {
		size, err := (*xzCounted)(x).ReadByte()
		if err != nil {
			return err
		}
		if size != 0 {
			return x.openBlock(size)
		}
		if err := x.endStream(); err != nil {
			return err
		}
	}
}

// openBlock reads the header of a block behind its first byte.
func (x *xzReader) openBlock(size byte) error {
	rest, err := x.take(4*(int(size)+1) - 1)
	if err != nil {
		return err
	}
	head := append([]byte{size}, rest...)
	fields, sum := head[1:len(head)-4], head[len(head)-4:]
	if crc32.ChecksumIEEE(head[:len(head)-4]) != binary.LittleEndian.Uint32(sum) {
		return errXZ
	}
	flags, fields := fields[0], fields[1:]
	const filters, packed, unpacked, reserved = 0x03, 0x40, 0x80, 0x3c
	if flags&(filters|reserved) != 0 {
		return errXZFilter
	}
	for _, present := range []byte{packed, unpacked} { // the index has the sizes again
		if flags&present != 0 {
			_, n := binary.Uvarint(fields)
			fields = fields[max(n, 0):]
		}
	}
	switch {
	case len(fields) < 3:
		return errXZ
	case fields[0] != xzLZMA2 || fields[1] != 1:
		return errXZFilter
	}
	dict, err := lzma.DecodeDictCap(fields[2])
	switch {
	case err != nil:
		return errXZ
	case dict > xzDictionary:
		return errXZDict
	}
	x.head, x.from, x.size = int64(len(head)), x.n, 0
	x.sum.Reset()
	x.block, err = lzma.Reader2Config{DictCap: max(int(dict), lzma.MinDictCap)}.NewReader2((*xzCounted)(x))
	return err
}

// endBlock reads the padding and the checksum behind the content of a block.
func (x *xzReader) endBlock() error {
	size := x.n - x.from
	padding, err := x.take(int(-size & 3))
	if err != nil {
		return err
	}
	sum, err := x.take(x.sum.Size())
	if err != nil {
		return err
	}
	want := x.sum.Sum(nil)
	if h, ok := x.sum.(interface{ Sum64() uint64 }); ok {
		want = binary.LittleEndian.AppendUint64(nil, h.Sum64())
	} else if h, ok := x.sum.(hash.Hash32); ok {
		want = binary.LittleEndian.AppendUint32(nil, h.Sum32())
	}
	if len(bytes.Trim(padding, "\x00")) > 0 || !bytes.Equal(sum, want) {
		return errXZ
	}
	x.blocks++
	x.total[0] += uint64(x.head + size + int64(len(sum)))
	x.total[1] += uint64(x.size)
	return nil
}

// endStream reads the index behind its first byte, the footer, and the header of the next
// stream; io.EOF if there is none.
func (x *xzReader) endStream() error {
	index := &xzIndex{r: (*xzCounted)(x), sum: crc32.NewIEEE()}
	index.sum.Write([]byte{0})
	begin := x.n - 1
	if count, err := binary.ReadUvarint(index); err != nil || count != x.blocks {
		return cutOr(err)
	}
	var total [2]uint64
	for range x.blocks {
		for i := range total {
			size, err := binary.ReadUvarint(index)
			if err != nil {
				return cutOr(err)
			}
			total[i] += size
		}
	}
	for (x.n-begin)&3 != 0 {
		if c, err := index.ReadByte(); err != nil || c != 0 {
			return cutOr(err)
		}
	}
	sum, err := x.take(4)
	if err != nil {
		return err
	}
	size := (x.n - begin) / 4
	foot, err := x.take(12)
	if err != nil {
		return err
	}
	if total != x.total || binary.LittleEndian.Uint32(sum) != index.sum.Sum32() || string(foot[8:]) != string(x.flags[:])+"YZ" ||
		binary.LittleEndian.Uint32(foot) != crc32.ChecksumIEEE(foot[4:10]) || int64(binary.LittleEndian.Uint32(foot[4:]))+1 != size {
		return errXZ
	}
	return x.another()
}

// cutOr returns the error of a file that is cut short, and otherwise that of a damaged one.
func cutOr(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return errXZ
}

// another skips the zeros behind a stream and reads the header of the next.
func (x *xzReader) another() error {
	for zeros := 0; ; zeros++ {
		c, err := x.in.ReadByte()
		switch {
		case err == io.EOF && zeros&3 == 0:
			return io.EOF
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case c == 0:
			continue
		case zeros&3 != 0 || c != xzMagic[0]:
			return errXZ
		}
		in := x.in
		x.in = &prefixed{byteReader: in, first: c}
		err = x.stream()
		x.in = in
		return err
	}
}

// prefixed gives a byte back to a reader.
type prefixed struct {
	byteReader
	first byte
	read  bool
}

func (p *prefixed) Read(b []byte) (int, error) {
	if p.read || len(b) == 0 {
		return p.byteReader.Read(b)
	}
	b[0], p.read = p.first, true
	return 1, nil
}

// xzIndex reads the bytes of an index and sums them up.
type xzIndex struct {
	r   io.ByteReader
	sum hash.Hash32
}

func (x *xzIndex) ReadByte() (byte, error) {
	c, err := x.r.ReadByte()
	if err == nil {
		x.sum.Write([]byte{c})
	}
	return c, err
}
