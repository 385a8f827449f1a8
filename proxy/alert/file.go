package alert

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
)

// DefaultKeep is the number of rotated files that are kept.
const DefaultKeep = 5

// FileOptions are the options of [OpenFile].
type FileOptions struct {
	Path     string
	Mode     fs.FileMode // of the file and of rotated ones; 0: 0600 less the umask for new files
	Group    string      // name or number of the group of these files; empty: as the system sets it
	MaxBytes int64       // the file is rotated before it grows beyond this; 0: never
	Keep     int         // rotated files that are kept, Path.1 the newest; 0 means DefaultKeep
}

// File is a sink that appends to a file, one write a line. It rotates by renaming, so that
// a program that reads the old file can go on reading it. It opens its path again when
// another program has renamed or removed the file. Not safe for concurrent use.
type File struct {
	opts    FileOptions
	group   int // number of opts.Group, or -1
	file    *os.File
	size    int64
	partial bool  // the file ends with a part of a line
	skip    int64 // a rotation failed: try none below this size
	trouble error // of a rotation; Sync returns it
}

// OpenFile opens or creates the file. If a crash has left a last line without
// its end, OpenFile ends it.
func OpenFile(opts FileOptions) (*File, error) {
	if opts.MaxBytes < 0 || opts.Keep < 0 {
		return nil, fmt.Errorf("alert file %q: a negative size or count to rotate by", opts.Path)
	}
	if opts.Keep == 0 {
		opts.Keep = DefaultKeep
	}
	f := &File{opts: opts, group: -1}
	if opts.Group != "" {
		var err error
		if f.group, err = groupNumber(opts.Group); err != nil {
			return nil, fmt.Errorf("alert file %q: %w", opts.Path, err)
		}
	}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("open alert file: %w%s", err, remedy(err))
	}
	return f, nil
}

// remedy says how to mend an error of opening the file; empty if it is not known.
func remedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ": create its folder first"
	case errors.Is(err, fs.ErrPermission):
		return ": let the user that noecho runs as write the file, or choose another one"
	default:
		return ""
	}
}

// open opens the path and writes to that file from now on.
func (f *File) open() error {
	file, err := f.create(f.opts.Path, os.O_APPEND)
	if err != nil {
		return err
	}
	size, err := endLine(file)
	if err == nil {
		err = SyncDir(f.opts.Path)
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.size, f.partial, f.skip = file, size, false, 0
	return nil
}

// create opens or creates a file with the permissions that the options ask for.
func (f *File) create(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, flag|os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if f.group >= 0 { // first, because a change of the group may reset bits of the mode
		err = file.Chown(-1, f.group)
	}
	if err == nil && f.opts.Mode != 0 {
		err = file.Chmod(f.opts.Mode)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// groupNumber returns the number of a group, which is given by name or number.
func groupNumber(group string) (int, error) {
	if n, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(n), nil
	}
	found, err := user.LookupGroup(group)
	if err != nil {
		return 0, fmt.Errorf("find group: %w", err)
	}
	return strconv.Atoi(found.Gid)
}

// endLine ends the last line if it has no end, and returns the size of the file.
func endLine(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a regular file", file.Name())
	}
	size := info.Size()
	if size == 0 {
		return 0, nil
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], size-1); err != nil {
		return 0, err
	}
	if last[0] == '\n' {
		return size, nil
	}
	n, err := file.WriteString("\n")
	return size + int64(n), err
}

// SyncDir makes the name of a file durable. Windows does so by itself and cannot sync a
// folder.
func SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Name implements [Sink].
func (f *File) Name() string { return "file " + f.opts.Path }

// Write implements [Sink]. If a rotation fails, the line goes to the old file.
func (f *File) Write(line []byte) (int, error) {
	if f.full(len(line)) {
		if err := f.rotate(); err != nil {
			f.trouble = fmt.Errorf("rotate alert file: %w", err)
			f.skip = f.size + f.opts.MaxBytes/16 + 1
		}
	}
	n, err := f.file.Write(line)
	f.size += int64(n)
	f.partial = err != nil && (n > 0 || f.partial)
	return n, err
}

// full reports whether the file must be rotated before n more bytes are written.
func (f *File) full(n int) bool {
	if f.opts.MaxBytes == 0 || f.partial || f.size == 0 || f.size < f.skip || f.size+int64(n) <= f.opts.MaxBytes {
		return false
	}
	info, err := f.file.Stat() // another program may have truncated it
	if err != nil {
		return true
	}
	f.size = info.Size()
	return f.size > 0 && f.size+int64(n) > f.opts.MaxBytes
}

// rotate moves the file to Path.1, Path.1 to Path.2 and so on. It first makes the new file
// under another name, and moves nothing if that fails.
func (f *File) rotate() error {
	next := f.opts.Path + ".next"
	file, err := f.create(next, os.O_APPEND|os.O_TRUNC)
	if err != nil {
		return err
	}
	err = f.file.Sync()
	for i := f.opts.Keep; i >= 1 && err == nil; i-- {
		if err = os.Rename(f.rotated(i-1), f.rotated(i)); i > 1 && errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(next, f.opts.Path)
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(next))
	}
	err = f.file.Close()
	f.file, f.size, f.skip = file, 0, 0
	return errors.Join(err, SyncDir(f.opts.Path))
}

// rotated returns the name of the i-th newest rotated file, and of the file itself for 0.
func (f *File) rotated(i int) string {
	if i == 0 {
		return f.opts.Path
	}
	return f.opts.Path + "." + strconv.Itoa(i)
}

// Sync implements [Sink]. It also opens the path again if another file has taken its place
// there, so that little is lost if nobody calls Reopen.
func (f *File) Sync() error {
	err := errors.Join(f.file.Sync(), f.trouble)
	f.trouble = nil
	if err == nil && !f.partial && !f.current() {
		err = f.Reopen()
	}
	return err
}

// current reports whether the open file is still the one at the path.
func (f *File) current() bool {
	named, err := os.Stat(f.opts.Path)
	if err != nil {
		return false
	}
	open, err := f.file.Stat()
	return err == nil && os.SameFile(named, open)
}

// Reopen implements [Sink].
func (f *File) Reopen() error {
	old := f.file
	if err := f.open(); err != nil {
		return fmt.Errorf("open alert file again: %w", err)
	}
	return errors.Join(old.Sync(), old.Close())
}

// Close implements [Sink].
func (f *File) Close() error { return f.file.Close() }

// Writer is a sink on a stream such as the standard output.
type Writer struct {
	name string
	w    io.Writer
}

// NewWriter returns a sink that writes to w and never closes it.
func NewWriter(name string, w io.Writer) *Writer { return &Writer{name: name, w: w} }

// Name implements [Sink].
func (s *Writer) Name() string { return s.name }

// Write implements [Sink].
func (s *Writer) Write(line []byte) (int, error) { return s.w.Write(line) }

// Sync implements [Sink]. A stream has nothing to make durable.
func (s *Writer) Sync() error { return nil }

// Reopen implements [Sink]. A stream has no name to open again.
func (s *Writer) Reopen() error { return nil }

// Close implements [Sink]. The stream belongs to the caller of NewWriter.
func (s *Writer) Close() error { return nil }

var (
	_ Sink = (*File)(nil)
	_ Sink = (*Writer)(nil)
)
