package corpus

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Codec says how a whole file is compressed.
type Codec string

// The codecs. A file's first bytes tell which one it is, whatever its name.
const (
	Plain Codec = ""
	Gzip  Codec = "gzip"  // one member or several
	Zstd  Codec = "zstd"  // one frame or several
	Bzip2 Codec = "bzip2" // one stream or several
	XZ    Codec = "xz"    // the same
	LZ4   Codec = "lz4"   // one frame or several

	Deflate Codec = "deflate" // in zip archives only
)

// zstdWindow bounds the history that a frame may ask a reader to keep, in
// bytes. Every level of the zstd program stays within it unless --long is given
// more than 27.
const zstdWindow = 128 << 20

// codecOf tells by the first bytes of a file how it is compressed.
func codecOf(head []byte) Codec {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return Gzip
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return Zstd
	case bytes.HasPrefix(head, []byte(xzMagic)):
		return XZ
	case isLZ4(head):
		return LZ4
	case isSkip(head):
		for isSkip(head) {
			head = head[min(int64(len(head)), 8+int64(binary.LittleEndian.Uint32(head[4:]))):]
		}
		if isLZ4(head) {
			return LZ4
		}
		return Zstd
	case isBzip2(head):
		return Bzip2
	default:
		return Plain
	}
}

// isSkip reports whether a file begins with a frame to be skipped of zstd or LZ4.
func isSkip(head []byte) bool {
	return len(head) >= 8 && binary.LittleEndian.Uint32(head)&^0xf == lz4Skip
}

// isBzip2 tells bzip2 by the head of the file and that of the first block, or of the end.
func isBzip2(head []byte) bool {
	if len(head) < 4 || string(head[:3]) != "BZh" || head[3] < '1' || head[3] > '9' {
		return false
	}
	next := string(head[4:min(len(head), 10)])
	return strings.HasPrefix("1AY&SY", next) || strings.HasPrefix("\x17rE8P\x90", next)
}

// inflater reads the decompressed content of a file. It takes no more memory than the
// window of its format, however large the content is.
type inflater struct {
	io.Reader
	codec Codec
	path  string
	close func()
	taken *atomic.Int64 // compressed bytes so far; nil: few, not counted
	given int64         // decompressed bytes so far
}

// A file may be decompressed to inflatedRatio times its size, and to inflatedFloor bytes
// in any case. The rows of training data take a hundredth at best; zeros, a thousandth.
const (
	inflatedRatio = 256
	inflatedFloor = 256 << 20
)

// bombError returns the error of a file that is decompressed to more.
func bombError(path string, kind string) error {
	return &DamagedError{Path: path, Reason: fmt.Sprintf("%s: it is decompressed to more than %d times its size and %d MiB, as a bomb is: if it is none, decompress it", kind, inflatedRatio, inflatedFloor>>20)}
}

// inflate returns a reader of the decompressed bytes of r.
func inflate(r io.Reader, c Codec, path string) (*inflater, error) {
	f := &inflater{codec: c, path: path, close: func() {}}
	switch c {
	case Gzip:
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, f.damage(err)
		}
		f.Reader = z
	case Zstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, f.damage(err)
		}
		f.Reader, f.close = z, z.Close
	case Bzip2:
		f.Reader = bzip2.NewReader(r)
	case XZ:
		z, err := newXZ(r)
		if err != nil {
			return nil, f.damage(err)
		}
		f.Reader = z
	case LZ4:
		f.Reader = &lz4Reader{r: r}
	default:
		return nil, fmt.Errorf("corpus: internal error: no codec %q", c)
	}
	return f, nil
}

// Read reads the next bytes. If the stream is cut short, the error differs from the end
// of a text.
func (f *inflater) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = f.damage(err)
	}
	if f.given += int64(n); f.given > inflatedFloor && f.taken != nil && f.given > inflatedRatio*f.taken.Load() {
		return 0, bombError(f.path, string(f.codec))
	}
	return n, err
}

// damage turns an error of the decompressor into a DamagedError, and passes an error of
// the file system on.
func (f *inflater) damage(err error) error {
	var read *sourceError
	switch {
	case errors.As(err, &read):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &DamagedError{Path: f.path, Reason: string(f.codec) + ": the file ends too early"}
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return &DamagedError{Path: f.path, Reason: fmt.Sprintf("zstd: the window is larger than %d MiB: compress it again without --long", zstdWindow>>20)}
	default:
		return &DamagedError{Path: f.path, Reason: fmt.Sprintf("%s: %v", f.codec, err)}
	}
}

// A DamagedError is returned for a container, compressed or Parquet, that
// cannot be read to its end.
type DamagedError struct {
	Path   string
	Reason string // contains no text of the file
}

func (e *DamagedError) Error() string { return e.Path + ": " + e.Reason }

// inflateHead decompresses the first bytes of a file and returns up to headLen bytes.
// The input may end anywhere; only an input that gives no byte at all is an error.
func inflateHead(r io.Reader, c Codec, path string) ([]byte, error) {
	f, err := inflate(r, c, path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	out := make([]byte, headLen)
	n, err := io.ReadFull(f, out)
	if n == 0 && err != nil && err != io.EOF {
		return nil, err
	}
	return out[:n], nil
}

// readError adds the file's name to an error of reading, unless the error has it.
func readError(path string, err error) error {
	var damaged *DamagedError
	if errors.As(err, &damaged) {
		return err
	}
	return fmt.Errorf("read %s: %w", path, err)
}
