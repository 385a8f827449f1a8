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

// followPoll is how often a followed file is looked at when nothing is heard
// of it: some file systems tell nobody about changes.
const followPoll = time.Second

// maxTailLine is the length at which a line is given up as garbled, in bytes.
const maxTailLine = 1 << 20

// lineSplitter cuts text into lines, without their ends.
type lineSplitter struct {
	line func(line []byte) error
	rest []byte // an unfinished line
	long bool   // the unfinished line was given up: drop what is left of it
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

// end ends the line that has begun, if any.
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

// follower shows a file and what is appended to it, whatever happens to its
// name.
//
// It reads the open file to its end and then looks whether the name still leads
// to it. When the file was renamed, whoever writes may go on with the old one
// for a while, so the old one is read until its successor holds something. When
// several rotations have happened at once, the files between are read too: the
// successor of FILE.3 is FILE.2.
type follower struct {
	path    string
	printer *tailPrinter
	lines   lineSplitter
	file    *os.File // nil: not there yet
	offset  int64
	wake    <-chan fsnotify.Event // nil: only poll
	missed  <-chan error          // events were lost on the way: look as well
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

// open begins with the file of the given name. A file that is not there is no
// error.
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

// drain shows what the open file holds.
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

// advance goes on with another file, or with the start of a truncated one, and
// reports whether there is something to read.
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
	// The writer has moved on, so what the old file holds now is all of it.
	if err := f.drain(ctx); err != nil {
		return false, err
	}
	return f.change(next)
}

// change goes on with the next file. The name may lead to another one by now;
// then nothing changes and the search begins anew.
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

// named is a file as it was found under a name.
type named struct {
	path string
	info fs.FileInfo
}

// successor finds the file that follows the open one, or returns nil. If the
// open file is under none of the names, it was moved elsewhere or removed, and
// the file of the plain name follows.
func (f *follower) successor(open fs.FileInfo) *named {
	var next *named
	for range 3 { // a file on its way from name to name can be missed
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

// search looks for the open file from the newest name to the oldest. A rotation
// moves files the same way and leaves one name free for a moment, so the file
// seen just before the open one is its successor even if files move meanwhile.
// If the open file is missed, the file of the plain name is returned.
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
