package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fsnotify/fsnotify"
)

// followPoll is the time between two looks at a followed file without a notification.
// Some file systems send none.
const followPoll = time.Second

// maxTailLine bounds the length of a line in bytes. The rest of a longer line is
// dropped.
const maxTailLine = 1 << 20

// lineSplitter cuts text into lines, without their ends.
type lineSplitter struct {
	line func(line []byte) error
	rest []byte // an unfinished line
	long bool   // the unfinished line is too long: drop its further bytes
}

// Write implements [io.Writer].
func (s *lineSplitter) Write(p []byte) (int, error) {
	all := len(p)
	for len(p) > 0 {
		piece, rest, ended := bytes.Cut(p, []byte("\n"))
		p = rest
		if !s.long {
			s.rest = append(s.rest, piece...)
		}
		s.long = s.long || len(s.rest) > maxTailLine
		if s.long {
			s.rest = s.rest[:min(len(s.rest), maxTailLine)]
		}
		if ended {
			if err := s.emit(); err != nil {
				return 0, err
			}
		}
	}
	return all, nil
}

// end ends the unfinished line, if there is one.
func (s *lineSplitter) end() error {
	if len(s.rest) == 0 {
		return nil
	}
	return s.emit()
}

func (s *lineSplitter) emit() error {
	line := s.rest
	s.rest, s.long = s.rest[:0], false
	return s.line(line)
}

// follower shows the lines of a file and the lines that are appended to it, even if the
// file is rotated, that is, renamed and replaced by a new one.
//
// It reads the open file to its end and then looks whether the name still leads to it.
// After a rotation the writer may append to the old file for a while, so the old file
// is read until the new one is not empty. If several rotations have happened since the
// last look, the files between are read, too: FILE.2 is read after FILE.3.
type follower struct {
	path    string
	printer *tailPrinter
	lines   lineSplitter
	file    *os.File // nil: it does not exist yet
	offset  int64
	wake    <-chan fsnotify.Event // nil: there are no notifications
	missed  <-chan error          // notifications were lost
	poll    time.Duration
}

func newFollower(path string, p *tailPrinter) *follower {
	return &follower{path: path, printer: p, lines: lineSplitter{line: p.line}, poll: followPoll}
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) error {
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer w.Close()
		if w.Add(filepath.Dir(f.path)) == nil {
			f.wake, f.missed = w.Events, w.Errors
		}
	}
	return f.loop(ctx)
}

func (f *follower) loop(ctx context.Context) error {
	defer func() {
		if f.file != nil {
			f.file.Close()
		}
	}()
	if err := f.open(f.path); err != nil {
		return err
	}
	if f.file == nil {
		f.printer.note("waiting for %s", f.path)
	}
	ticker := time.NewTicker(f.poll)
	defer ticker.Stop()
	for {
		if err := f.drain(ctx); err != nil {
			return err
		}
		moved, err := f.advance(ctx)
		if err != nil {
			return err
		}
		if moved {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case _, open := <-f.missed:
			if !open {
				f.missed = nil
			}
		case <-ticker.C:
		}
	}
}

// open opens the file of the given name. If it does not exist, nothing changes.
func (f *follower) open(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.file, f.offset = file, 0
	return nil
}

// drain shows the open file up to its end.
func (f *follower) drain(ctx context.Context) error {
	if f.file == nil {
		return nil
	}
	buf := make([]byte, 64<<10)
	for ctx.Err() == nil {
		n, err := f.file.Read(buf)
		f.offset += int64(n)
		if _, err := f.lines.Write(buf[:n]); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// advance moves to the next file, or to the start of a file that was truncated, and
// reports whether it moved.
func (f *follower) advance(ctx context.Context) (moved bool, err error) {
	if f.file == nil {
		err := f.open(f.path)
		return f.file != nil, err
	}
	open, err := f.file.Stat()
	if err != nil {
		return false, err
	}
	if open.Size() < f.offset {
		f.offset = 0
		if _, err := f.file.Seek(0, io.SeekStart); err != nil {
			return false, err
		}
		return true, f.lines.end()
	}
	next := f.successor(open)
	if next == nil || next.info.Size() == 0 {
		return false, nil
	}
	// The writer uses the next file, so the old one is complete.
	if err := f.drain(ctx); err != nil {
		return false, err
	}
	return f.change(next)
}

// change moves to the next file. If its name leads to another file by now, change stays
// with the old file, and the next look searches again.
func (f *follower) change(next *named) (moved bool, err error) {
	old, offset := f.file, f.offset
	if err := f.open(next.path); err != nil || f.file == old {
		return false, err
	}
	info, err := f.file.Stat()
	if err != nil || !os.SameFile(info, next.info) {
		wrong := f.file
		f.file, f.offset = old, offset
		return true, errors.Join(err, wrong.Close())
	}
	return true, errors.Join(f.lines.end(), old.Close())
}

// named is a name, and the file that it led to.
type named struct {
	path string
	info fs.FileInfo
}

// successor returns the file that follows the open one, nil if there is none. If no
// name leads to the open file, it was moved elsewhere or removed, and the file of the
// plain name is next.
func (f *follower) successor(open fs.FileInfo) *named {
	var next *named
	for range 3 { // a file can be missed while it is renamed
		var where lookup
		if next, where = f.search(open); where == found {
			break
		}
	}
	return next
}

// lookup says whether a file was found.
type lookup uint8

const (
	missed lookup = iota
	found
)

// search looks for the open file from the newest name to the oldest: FILE, FILE.1,
// FILE.2. A rotation renames files towards older names and leaves one name free for a
// moment, so the file seen just before the open one is its successor even during a
// rotation. If the open file is missed, the file of the plain name is returned.
func (f *follower) search(open fs.FileInfo) (*named, lookup) {
	var newest, before *named
	for i, free := 0, 0; free < 2; i++ {
		name := f.path
		if i > 0 {
			name += "." + strconv.Itoa(i)
		}
		info, err := os.Stat(name)
		if err != nil {
			before = nil
			free++
			continue
		}
		if os.SameFile(info, open) {
			return before, found
		}
		free = 0
		before = &named{name, info}
		if i == 0 {
			newest = before
		}
	}
	return newest, missed
}
