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

// Content codings. An answer is asked for without any, but a server may code
// it all the same, and a caller may code a request. Decoding is bounded in
// size, in ratio and in depth: a few kilobytes can become gigabytes.
const (
	maxCodings = 2       // codings on top of each other
	ratioFree  = 1 << 20 // decoded bytes below which no ratio is suspicious
	zstdWindow = 8 << 20 // what RFC 8878 says a decoder should take
)

var (
	errCoding = errors.New("content coding is not known")
	errBomb   = errors.New("content expands beyond the configured ratio")
	errSize   = errors.New("content is longer than the configured limit")
	errExcess = errors.New("content goes on after its coding has ended")
)

// codings splits a Content-Encoding header into known codings, outermost
// first. None is an empty list.
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

// decoder reads a body without its content codings. Bytes become readable as
// soon as the sender has flushed them. Not safe for concurrent use.
type decoder struct {
	in, out      int64 // bytes
	limit, ratio int64
	src          io.Reader // counts in
	layers       []*layer
	r            io.Reader // the innermost layer
}

// newDecoder returns a decoder that fails beyond limit bytes. Nothing is read
// before the first Read.
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

// Read implements [io.Reader]. Anything but [io.EOF] means that the content is
// not complete or not to be trusted. With errSize come the bytes that were one
// piece too many.
func (d *decoder) Read(p []byte) (int, error) {
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

// received is how much has come, decoded as far as it could be: of content that
// is not what its coding says, what was read of it.
func (d *decoder) received() int64 {
	if d.out == 0 {
		return d.in
	}
	return d.out
}

// close frees what the layers hold. Nothing may be read afterwards.
func (d *decoder) close() {
	for _, l := range d.layers {
		if l.free != nil {
			l.free()
		}
	}
	d.layers, d.r = nil, nil
}

// layer takes one coding away.
type layer struct {
	name string
	src  *bufio.Reader
	r    io.Reader // nil until the first byte has come
	free func()
}

// Read implements [io.Reader]. The end of the coding must be the end of what
// is coded.
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

// begin looks at the first bytes and makes the reader for them. An empty body
// is empty under every coding.
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
		// Meant is zlib (RFC 9110, 8.4.1.2), sent is often the bare stream.
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

// broken keeps an end within a coding's head from looking like a clean end.
func broken(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

var _ io.Reader = (*decoder)(nil)
