package alert

import (
	"io"
)

// FileOptions say where a file sink writes.
type FileOptions struct {
	Path     string
	MaxBytes int64 // rotate before the file grows beyond this; 0: never
	Keep     int   // rotated files kept, Path.1 the newest; 0 means 5
}

// File is a sink that appends to a file.
type File struct{}

// OpenFile opens or creates the file, mode 0600. A last line that a crash left
// without its end is ended first.
func OpenFile(opts FileOptions) (*File, error) { panic("skeleton") }

// Name implements [Sink].
func (f *File) Name() string { panic("skeleton") }

// Write implements [Sink].
func (f *File) Write(line []byte) (int, error) { panic("skeleton") }

// Sync implements [Sink].
func (f *File) Sync() error { panic("skeleton") }

// Reopen implements [Sink].
func (f *File) Reopen() error { panic("skeleton") }

// Close implements [Sink].
func (f *File) Close() error { panic("skeleton") }

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

// Sync implements [Sink].
func (s *Writer) Sync() error { return nil }

// Reopen implements [Sink].
func (s *Writer) Reopen() error { return nil }

// Close implements [Sink].
func (s *Writer) Close() error { return nil }

var (
	_ Sink = (*File)(nil)
	_ Sink = (*Writer)(nil)
)
