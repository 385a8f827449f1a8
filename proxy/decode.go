package proxy

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	brrr "github.com/molecule-man/go-brrr"
)

// Bounds of content codings. noecho asks for answers without coding, but a server may code
// them all the same, and a caller may code a request. A few kilobytes can become gigabytes,
// so decoding is bounded in size, ratio and depth.
const (
	maxCodings = 2       // codings on top of each other
	ratioFree  = 1 << 20 // decoded bytes below which the ratio is not checked
	zstdWindow = 8 << 20 // the window that decoders should support (RFC 8878)
)

var (
	errCoding = errors.New("content coding is not known")
	errBomb   = errors.New("content expands beyond the configured ratio")
	errSize   = errors.New("content is longer than the configured limit")
	errExcess = errors.New("content goes on after its coding has ended")
)

// codings splits a Content-Encoding header into known codings, outermost first.
func codings(header []byte) ([]string, error) {
	var out []string
	for name := range strings.SplitSeq(strings.ToLower(string(header)), ",") {
		name = strings.Trim(name, " \t")
		switch name {
		case "", "identity":
			continue
		case "x-gzip":
			name = "gzip"
		case "gzip", "deflate", "br", "zstd":
		default:
			return nil, errCoding
		}
		out = append(out, name)
	}
	if len(out) > maxCodings {
		return nil, errCoding
	}
	slices.Reverse(out)
	return out, nil
}

// decoder removes the content codings of a body. Bytes can be read as soon as the sender has
// flushed them. Not safe for concurrent use.
type decoder struct {
	in, out      int64 // bytes before and after decoding
	limit, ratio int64 // bounds of out and of out/in
	src          io.Reader
	layers       []*layer
	r            io.Reader // the innermost layer
	ahead        []byte    // content that peek has read and Read has not yet returned
	aheadErr     error     // behind ahead, sticky; nil: none
}

// newDecoder returns a decoder that fails beyond limit bytes. It reads nothing before the
// first Read.
func newDecoder(src io.Reader, names []string, limit, ratio int64) *decoder {
	d := &decoder{limit: limit, ratio: ratio, src: src}
	d.r = readerFunc(func(p []byte) (int, error) {
		n, err := d.src.Read(p)
		d.in += int64(n)
		return n, err
	})
	for _, name := range names {
		l := &layer{name: name, src: bufio.NewReader(d.r)}
		d.layers = append(d.layers, l)
		d.r = l
	}
	return d
}

// Read implements [io.Reader]. An error other than [io.EOF] means that the content is not
// complete or cannot be trusted. errSize comes with the piece that passed the limit.
func (d *decoder) Read(p []byte) (int, error) {
	if len(d.ahead) > 0 {
		n := copy(p, d.ahead)
		d.ahead = d.ahead[n:]
		return n, nil
	}
	if d.aheadErr != nil {
		return 0, d.aheadErr
	}
	return d.read(p)
}

// isPlain reports whether the next bytes of the content are those of the sender that come next.
func (d *decoder) isPlain() bool { return len(d.layers) == 0 && len(d.ahead) == 0 && d.aheadErr == nil }

// peek reads ahead into buf, as long as more comes, until it is full or sure is true for the
// bytes read. It may wait for the sender. The bytes stay in buf until Read has returned them;
// before that, peek returns them again.
func (d *decoder) peek(buf []byte, sure func([]byte) bool) []byte {
	if len(d.ahead) > 0 {
		return d.ahead
	}
	for d.ahead = buf[:0]; d.aheadErr == nil && !sure(d.ahead) && len(d.ahead) < len(buf); {
		var n int
		n, d.aheadErr = d.read(buf[len(d.ahead):])
		d.ahead = buf[:len(d.ahead)+n]
	}
	return d.ahead
}

// read is Read without the bytes that peek has read.
func (d *decoder) read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.out += int64(n)
	switch {
	case d.out > d.limit:
		return n, errSize
	case len(d.layers) > 0 && d.out > ratioFree && d.out/d.ratio > d.in:
		return 0, errBomb
	}
	return n, err
}

// received returns the number of decoded bytes, or of bytes read if none could be decoded.
func (d *decoder) received() int64 {
	if d.out == 0 {
		return d.in
	}
	return d.out
}

// close frees the memory of the layers. Nothing may be read afterwards.
func (d *decoder) close() {
	for _, l := range d.layers {
		if l.free != nil {
			l.free()
		}
	}
	d.layers, d.r = nil, nil
}

// layer removes one coding.
type layer struct {
	name string
	src  *bufio.Reader
	r    io.Reader // nil until the first byte has come
	free func()
}

// Read implements [io.Reader]. Bytes behind the end of the coding are an error.
func (l *layer) Read(p []byte) (int, error) {
	if l.r == nil {
		if err := l.begin(); err != nil {
			return 0, err
		}
	}
	n, err := l.r.Read(p)
	if err != io.EOF {
		return n, err
	}
	switch _, more := l.src.Peek(1); {
	case more == nil:
		return n, errExcess
	case more != io.EOF:
		return n, more
	}
	return n, io.EOF
}

// begin waits for the first bytes and makes the reader for them. An empty body is valid under
// every coding.
func (l *layer) begin() error {
	if _, err := l.src.Peek(1); err != nil {
		return err
	}
	switch l.name {
	case "gzip":
		r, err := gzip.NewReader(l.src)
		if err != nil {
			return broken(err)
		}
		l.r = r
	case "deflate":
		// The standard means zlib (RFC 9110, 8.4.1.2); many servers send raw deflate.
		if head, err := l.src.Peek(2); err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			r, err := zlib.NewReader(l.src)
			if err != nil {
				return broken(err)
			}
			l.r = r
		} else {
			l.r = flate.NewReader(l.src)
		}
	case "br":
		r := brrr.NewReader(l.src)
		l.r, l.free = r, func() { _ = r.Close() }
	case "zstd":
		r, err := zstd.NewReader(l.src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return broken(err)
		}
		l.r, l.free = r, r.Close
	}
	return nil
}

// broken returns err. The end of the input within the head of a coding is no clean end.
func broken(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

var _ io.Reader = (*decoder)(nil)
