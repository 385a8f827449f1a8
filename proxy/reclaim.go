package proxy

import (
	"context"
	"io"
	"runtime/debug"
	"time"
)

// heavyBytes is the size of a large answer, whose memory is given back to the system.
const heavyBytes = 8 << 20

// reclaimPause is the least time between two reclaims. Each is a full garbage collection.
const reclaimPause = 5 * time.Second

// reclaimer gives memory back to the operating system when a large answer has left. The
// runtime alone takes minutes for that. Until then one answer in a thousand would decide how
// much memory the process seems to need.
type reclaimer struct {
	wanted chan struct{} // of capacity 1
	done   func()        // called after each reclaim; may be nil
}

func newReclaimer(done func()) *reclaimer {
	return &reclaimer{wanted: make(chan struct{}, 1), done: done}
}

// want asks for a reclaim and returns at once. Safe for concurrent use.
func (r *reclaimer) want() {
	select {
	case r.wanted <- struct{}{}:
	default: // one is wanted already
	}
}

// run reclaims memory when it is wanted, until ctx ends.
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

// readWhole reads to the end of src, into buf if the text fits. size is the expected length, -1
// if it is not known; most bounds the first allocation.
func readWhole(src io.Reader, buf []byte, size int, most int64) ([]byte, error) {
	text := buf[:0]
	if least := min(int64(size)+1, most); least > int64(cap(buf)) {
		text = make([]byte, 0, least)
	}
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
