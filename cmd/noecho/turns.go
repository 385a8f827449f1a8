package main

import (
	"bytes"
	"io"
	"sync"
)

// pendingOutput bounds what files that are ahead of their turn have to say.
const pendingOutput = 16 << 20

// pendingFiles bounds how many files are ahead.
const pendingFiles = 1 << 16

// turns puts the output of files that are scanned at the same time into the
// order of the files. The file whose turn it is writes at once; what the others
// write waits in memory, and if that is full, so do they.
type turns struct {
	stdout, stderr io.Writer

	mu      sync.Mutex
	moved   sync.Cond
	current int // the file whose turn it is
	waiting map[int]*turn
	bytes   int // of what waits
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

// file returns the output of a file. Numbers are given out in order, from 0,
// and each is closed.
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

// print writes to stdout in turn.
func (o *turn) print(p []byte) error { return o.write(&o.out, p) }

// notice writes to stderr in turn.
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

// flush writes what a file has said so far. After an error nothing more is
// written.
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
