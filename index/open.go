package index

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"noecho/index/internal/format"
	"noecho/index/key"
	"noecho/ngram"
)

// FormatVersion is the version of the file format that this package reads.
const FormatVersion = format.Version

// ErrDamaged matches every error about an index file that was changed or cut after it
// was written. ErrForeign matches the error about a file that is not an index.
var (
	ErrDamaged = format.ErrDamaged
	ErrForeign = format.ErrForeign
)

// MismatchError names the property for which an index cannot be used by this build, or
// together with another index.
type MismatchError struct {
	Field string // name of the property
	Have  string // its value in the index
	Want  string // the value that is required
}

func (e *MismatchError) Error() string { return (*format.MismatchError)(e).Error() }

// public returns an error of package format as other programs see it.
func public(err error) error {
	if m, ok := errors.AsType[*format.MismatchError](err); ok {
		return (*MismatchError)(m)
	}
	return err
}

// File is one file of an open [Index].
type File struct {
	Path     string // as given to Open; empty: the index came from Read
	Info     Info
	Manifest *Manifest // must not be changed
	Lacks    []string  // sections that an older noecho did not build, each with the findings that are missed; must not be changed

	spec     ngram.Spec
	key      *key.Key // nil: none
	contents *format.Contents
	release  func()
}

// Open is OpenKeyed for an index that was built without a key.
func Open(path string, checked ...*atomic.Int64) (*Index, error) {
	return OpenKeyed(path, nil, checked...)
}

// OpenKeyed reads the index at path into memory and checks every byte of it before it
// returns. Later changes to the file, including truncation, do not affect the open
// index. On linux a file that nobody can change, because it has the attribute immutable or
// fs-verity, is mapped instead.
//
// The number of bytes read so far is added to each of checked while it runs; in the end
// it is about the size of the file.
//
// An index that was built with a key needs that one among keys; the error without it is a
// [*key.MissingError].
//
// The error for a file that is not an index is [ErrForeign]. The error for a damaged index
// matches [ErrDamaged], and that for an index that this build cannot use is a
// [*MismatchError]. The memory is freed by Close, or by the garbage collector.
func OpenKeyed(path string, keys []*key.Key, checked ...*atomic.Int64) (*Index, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := format.LoadFile(f, size, func(n int) {
		for _, sum := range checked {
			sum.Add(int64(n))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("open index %q: %w", path, public(err))
	}
	ix, err := open(c, keys)
	if err != nil {
		return nil, fmt.Errorf("open index %q: %w", path, err)
	}
	ix.files[0].Path = path
	return ix, nil
}

// Read reads and checks an index of size bytes as [OpenKeyed] does.
func Read(r io.ReaderAt, size int64, keys ...*key.Key) (*Index, error) {
	c, err := format.Load(r, size)
	if err != nil {
		return nil, public(err)
	}
	return open(c, keys)
}

// open returns the index of checked contents, whose key must be among keys.
func open(c *format.Contents, keys []*key.Key) (*Index, error) {
	f, err := newFile(c)
	if err == nil {
		f.key, err = key.Find(keys, c.Header.KeyID)
	}
	if err != nil {
		c.Free()
		return nil, err
	}
	cleanup := runtime.AddCleanup(f, (*format.Contents).Free, c)
	f.release = sync.OnceFunc(func() {
		cleanup.Stop()
		c.Free()
	})
	return newIndex([]*File{f}), nil
}

// Join returns one index that answers for the files of all. They must have been built
// with the same n, normalisation and Unicode version. Otherwise the error is a
// [*MismatchError] that names the first difference. Each may have a key of its own. The files are shared:
// closing the result closes them, and so does closing the index that they came from.
func Join(all ...*Index) (*Index, error) {
	var files []*File
	for i, ix := range all {
		if ix == nil {
			return nil, fmt.Errorf("join indexes: index %d of %d is nil", i+1, len(all))
		}
		files = append(files, ix.files...)
	}
	if len(files) == 0 {
		return nil, errors.New("join indexes: there is no index: pass at least one")
	}
	if len(files) > filesMost {
		return nil, &MismatchError{Field: "number of indexes", Have: strconv.Itoa(len(files)), Want: fmt.Sprintf("at most %d", filesMost)}
	}
	for _, f := range files[1:] {
		if err := files[0].Info.comparable(&f.Info); err != nil {
			return nil, err
		}
	}
	return newIndex(files), nil
}

// Verify checks every byte of the index at path as Open does, in constant
// memory, and returns its description.
func Verify(path string) (*Info, *Manifest, error) {
	r, size, err := format.OpenFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	c, err := format.Verify(r, size)
	if err != nil {
		return nil, nil, fmt.Errorf("verify index %q: %w", path, public(err))
	}
	f, err := newFile(c)
	if err != nil {
		return nil, nil, fmt.Errorf("verify index %q: %w", path, err)
	}
	return &f.Info, f.Manifest, nil
}

// Stat returns the description of an index of size bytes. It reads little more than the
// header, and does not check the filters.
func Stat(r io.ReaderAt, size int64) (Info, error) {
	h, t, err := format.Stat(r, size)
	if err != nil {
		return Info{}, public(err)
	}
	return newInfo(h, t.There, &t.Ledger.LedgerShape, &t.Records.RecordsShape), nil
}

// newFile reads the description of an index from its contents.
func newFile(c *format.Contents) (f *File, err error) {
	f = &File{contents: c, Lacks: lacks(c)}
	if f.spec, err = ngram.NewSpec(int(c.Header.N), ngram.XXH64); err != nil {
		return nil, err
	}
	if f.Manifest, err = parseManifest(c.Manifest); err != nil {
		return nil, err
	}
	f.Info = newInfo(c.Header, c.Tables.There, &c.Tables.Ledger.LedgerShape, &c.Tables.Records.RecordsShape)
	return f, c.Tables.CheckDatasets(len(f.Manifest.Datasets))
}
