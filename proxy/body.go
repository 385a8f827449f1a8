package proxy

import (
	"errors"
	"io"
	"sync/atomic"
)

// prefetched is the length up to which fasthttp reads a body before it calls the handler.
const prefetched = 8 << 10

// freeBody is the part of every body that needs no room in the budget, so that short requests
// are served while long ones have used it up.
const freeBody = 64 << 10

var errNoRoom = errors.New("as many bytes of request bodies are in memory as limits.bodies allows")

// bodies counts the memory of the request bodies of all callers. A body takes room as its bytes
// come, however long it is announced. Safe for concurrent use.
type bodies struct{ used atomic.Int64 }

// requestBody is a body in memory, whose room give returns.
type requestBody struct {
	owner *bodies
	text  []byte
	room  int64 // bytes in used
}

// read reads a body to its end. announced is its length, or negative; most bounds its length
// and budget the memory of all bodies. The errors are those of r, errSize and errNoRoom.
func (b *bodies) read(r io.Reader, announced int, most, budget int64) (*requestBody, error) {
	k := &requestBody{owner: b}
	for {
		if len(k.text) == cap(k.text) && !k.grow(announced, most, budget) {
			k.give()
			return nil, errNoRoom
		}
		n, err := r.Read(k.text[len(k.text):cap(k.text)])
		k.text = k.text[:len(k.text)+n]
		switch {
		case int64(len(k.text)) > most:
			k.give()
			return nil, errSize
		case err == io.EOF:
			return k, nil
		case err != nil:
			k.give()
			return nil, err
		}
	}
}

// grow makes room for more bytes. It reports whether the budget allows that.
func (k *requestBody) grow(announced int, most, budget int64) bool {
	size := max(prefetched, 2*int64(cap(k.text)))
	if announced >= len(k.text) {
		size = min(size, int64(announced)+1)
	}
	size = max(min(size, most+1), int64(len(k.text))+1)
	if room := max(0, size-freeBody) - k.room; room > 0 {
		if k.owner.used.Add(room) > budget {
			k.owner.used.Add(-room)
			return false
		}
		k.room += room
	}
	text := make([]byte, len(k.text), size)
	copy(text, k.text)
	k.text = text
	return true
}

// give returns the memory of the body, which must not be used afterwards. It may be called
// again.
func (k *requestBody) give() {
	k.owner.used.Add(-k.room)
	k.text, k.room = nil, 0
}
