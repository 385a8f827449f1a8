package main

import (
	"bytes"
	"io"
	"sync"
)

// pendingOutput bounds the output that waits for its turn, in bytes.
const pendingOutput = 16 << 20

// pendingFiles bounds the number of files whose output waits.
const pendingFiles = 1 << 16

// turns writes the output of files that are scanned at the same time in the order of
// the files. The output of the current file is written at once. The output of later
// files waits in memory; if that is full, their goroutines wait.
type turns struct {
	stdout, stderr io.Writer

	mu      sync.Mutex
	moved   sync.Cond
	current int // the number of the file that is written at once
	waiting map[int]*turn
	bytes   int // of waiting output
	err     error
}

// turn is the output of one file.
type turn struct {
	t        *turns
	number   int
	out, err bytes.Buffer
	done     bool
}

func newTurns(stdout, stderr io.Writer) *turns {
	t := &turns{stdout: stdout, stderr: stderr, waiting: map[int]*turn{}}
	t.moved.L = &t.mu
	return t
}

// file returns the turn of a file. Files are numbered from 0 without gaps, and each
// turn must be closed.
func (t *turns) file(number int) *turn {
	o := &turn{t: t, number: number}
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.err == nil && number-t.current > pendingFiles {
		t.moved.Wait()
	}
	t.waiting[number] = o
	return o
}

// print writes to stdout, in the order of the files.
func (o *turn) print(p []byte) error { return o.write(&o.out, p) }

// notice writes to stderr, in the order of the files.
func (o *turn) notice(p []byte) error { return o.write(&o.err, p) }

func (o *turn) write(buf *bytes.Buffer, p []byte) error {
	t := o.t
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.err == nil && o.number != t.current && t.bytes+len(p) > pendingOutput {
		t.moved.Wait()
	}
	buf.Write(p)
	t.bytes += len(p)
	if o.number == t.current {
		t.flush(o)
	}
	return t.err
}

// close ends the output of a file.
func (o *turn) close() error {
	t := o.t
	t.mu.Lock()
	defer t.mu.Unlock()
	o.done = true
	for {
		next := t.waiting[t.current]
		if next == nil {
			break
		}
		t.flush(next)
		if !next.done {
			break
		}
		delete(t.waiting, t.current)
		t.current++
	}
	t.moved.Broadcast()
	return t.err
}

// flush writes the output of a file so far. After an error nothing more is written.
func (t *turns) flush(o *turn) {
	t.bytes -= o.out.Len() + o.err.Len()
	for _, w := range []struct {
		to   io.Writer
		from *bytes.Buffer
	}{{t.stderr, &o.err}, {t.stdout, &o.out}} {
		if t.err == nil && w.from.Len() > 0 {
			_, t.err = w.to.Write(w.from.Bytes())
		}
		w.from.Reset()
	}
	if t.err != nil {
		t.moved.Broadcast()
	}
}
