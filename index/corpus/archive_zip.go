package corpus

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/klauspost/compress/flate"
)

// zipCodec returns the codec of a method of compression, as zip numbers them.
func zipCodec(method uint16) (Codec, bool) {
	switch method {
	case zip.Store:
		return Plain, true
	case zip.Deflate:
		return Deflate, true
	case 12:
		return Bzip2, true
	case 93:
		return Zstd, true
	default:
		return Plain, false
	}
}

// zip adds the members of a zip archive. The directory at its end counts: a member is
// where, and as long as, the directory says.
func (w *archiveWalk) zip() error {
	file, err := os.Open(w.a.path)
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	defer file.Close()
	dir := &directory{r: file, left: mostDirectory}
	z, err := zip.NewReader(dir, w.file.Size)
	switch {
	case errors.Is(err, errDirectory):
		return fmt.Errorf("%s: the directory of the zip is longer than %d MiB: unpack it, and build from the folder", w.a.path, mostDirectory>>20)
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return w.a.damage(err)
	}
	dir.left = 1 << 62
	places, err := w.places(z.File)
	if err != nil {
		return err
	}
	for i, f := range z.File {
		w.members++
		m := entry{name: memberName(f.Name), number: i, at: places[i], size: int64(f.CompressedSize64), length: int64(f.UncompressedSize64), sum: f.CRC32}
		var known bool
		m.codec, known = zipCodec(f.Method)
		const encrypted = 1
		switch mode := f.Mode(); {
		case mode.IsDir():
		case hidden(m.name):
			w.skip(m.name, isHidden, 0)
		case mode&fs.ModeSymlink != 0:
			w.skip(m.name, "a link in an archive", 0)
		case !mode.IsRegular():
			w.skip(m.name, "not a regular file", 0)
		case f.Flags&encrypted != 0:
			w.skip(m.name, "encrypted: unpack the archive with its password", m.length)
		case !known:
			w.skip(m.name, fmt.Sprintf("compressed by method %d of zip: unpack the archive; `7z x FILE`", f.Method), m.length)
		default:
			if err := w.addZipped(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// inflate returns a reader of the decompressed bytes of a member, which r reads. Those of
// deflate are used again, since most members are shorter than the memory that they take.
func (m *entry) inflate(r io.Reader, path string) (*inflater, error) {
	if m.codec != Deflate {
		return inflate(r, m.codec, path)
	}
	z, ok := m.of.unused.Get().(io.ReadCloser)
	if !ok {
		z = flate.NewReader(r)
	} else if err := z.(flate.Resetter).Reset(r, nil); err != nil {
		return nil, err
	}
	return &inflater{Reader: z, codec: Deflate, path: path, close: func() { m.of.unused.Put(z) }}, nil
}

// addZipped adds a regular member of a zip archive.
func (w *archiveWalk) addZipped(m entry) error {
	m.of = w.a
	f := new(File)
	defer f.Close()
	return w.add(m, func() (io.Reader, error) { return (&Input{Path: w.a.path + "/" + m.name, entry: &m}).openSource(f) })
}

// places returns the offsets of the members. Members that overlap, or that are unpacked to
// much more than the archive has, are those of a bomb.
func (w *archiveWalk) places(files []*zip.File) ([]int64, error) {
	type span struct{ lo, hi int64 }
	places, spans, unpacked := make([]int64, len(files)), make([]span, len(files)), uint64(0)
	for i, f := range files {
		lo, err := f.DataOffset()
		if err != nil {
			return nil, w.a.damage(err)
		}
		if f.CompressedSize64 > uint64(max(0, w.file.Size-lo)) || f.UncompressedSize64 > 1<<62 {
			return nil, w.a.damage(io.ErrUnexpectedEOF)
		}
		places[i], spans[i] = lo, span{lo, lo + int64(f.CompressedSize64)}
		unpacked += min(f.UncompressedSize64, 1<<40)
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi)) })
	for i := 1; i < len(spans); i++ {
		if spans[i].lo < spans[i-1].hi {
			return nil, &DamagedError{Path: w.a.path, Reason: "zip: its members overlap, as those of a bomb do"}
		}
	}
	if unpacked > uint64(max(inflatedFloor, inflatedRatio*w.file.Size)) {
		return nil, bombError(w.a.path, "zip")
	}
	return places, nil
}

// directory bounds the bytes that are read of a file.
type directory struct {
	r    io.ReaderAt
	left int64
}

var errDirectory = errors.New("the directory is too long")

func (d *directory) ReadAt(p []byte, at int64) (int, error) {
	if d.left -= int64(len(p)); d.left < 0 {
		return 0, errDirectory
	}
	return d.r.ReadAt(p, at)
}

// verified reads a member of a zip archive, which has the length and the checksum that the
// directory says.
type verified struct {
	r    io.Reader
	m    *entry
	left int64
	sum  hash.Hash32
}

// verify returns a reader of the unpacked bytes of a member that r reads.
func (m *entry) verify(r io.Reader) *verified {
	return &verified{r: r, m: m, left: m.length, sum: crc32.NewIEEE()}
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.sum.Write(p[:n])
	v.left -= int64(n)
	switch {
	case v.left < 0, err == io.EOF && v.left > 0:
		return 0, v.damage("its length differs from that in the directory")
	case err == io.EOF && v.m.sum != 0 && v.m.sum != v.sum.Sum32():
		return 0, v.damage("its checksum is wrong")
	default:
		return n, err
	}
}

func (v *verified) damage(why string) error {
	return &DamagedError{Path: v.m.of.path + "/" + v.m.name, Reason: "zip: the member is damaged: " + why}
}
