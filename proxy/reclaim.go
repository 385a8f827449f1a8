package proxy

import (
	"context"
	"io"
	"runtime/debug"
	"time"
)

// heavyBytes is the size of an answer above which what it was buffered in is
// given back to the system once it has left.
const heavyBytes = 8 << 20

// reclaimPause is the least time between two of them: each is a full garbage
// collection.
const reclaimPause = 5 * time.Second

// reclaimer gives memory back to the operating system when a large answer has
// left. The runtime alone does so over minutes, and until then one answer in a
// thousand would decide how much memory the process seems to need.
type reclaimer struct {
	wanted chan struct{} // holds one request
	done   func()        // called after each time; nil: nobody waits
}

func newReclaimer(done func()) *reclaimer {
	return &reclaimer{wanted: make(chan struct{}, 1), done: done}
}

// want asks for it and returns at once. Safe for concurrent use.
func (r *reclaimer) want() {
	select {
	case r.wanted <- struct{}{}:
	default: // somebody has asked already
	}
}

// run does what is asked for until ctx ends.
func (r *reclaimer) run(ctx context.Context) {
	timer := time.NewTimer(reclaimPause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wanted:
		}
		debug.FreeOSMemory()
		if r.done != nil {
			r.done()
		}
		timer.Reset(reclaimPause)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// readWhole reads to the end of src. size is how long it should be and -1 if
// nobody knows; most bounds the first allocation.
func readWhole(src io.Reader, size int, most int64) ([]byte, error) {
	text := make([]byte, 0, max(512, min(int64(size)+1, most)))
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		n, err := src.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err == io.EOF {
			return text, nil
		}
		if err != nil {
			return text, err
		}
	}
}
