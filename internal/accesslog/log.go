// Package accesslog writes the access log: one JSON line for each answer.
//
// It knows the members of a line and a buffer that never delays an answer. It must not know a
// query, a header, a body or a path that is not a route: a line has only the fixed members of
// [Entry].
package accesslog

import (
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Entry is one answer.
type Entry struct {
	Time      time.Time // when the answer ended
	RequestID string
	Route     string // the pattern of the route; empty: none is open
	Method    string
	Status    int
	Bytes     int64 // of the answer's body that were given to the caller's connection
	Duration  time.Duration
	Upstream  time.Duration // until the head of the model server's answer had come; 0: it was not asked
	Action    string        // as in the metric requests_total
	Principal string        // the name of the caller; empty: not known
}

// Sink is the place of the lines. A Log calls it from one goroutine.
type Sink interface {
	Write(lines []byte) (int, error)
	Sync() error // makes the lines durable, and opens the file again if another has its name, or none
	Close() error
}

// Bounds of the lines that wait in memory, and of the time for which they do.
const (
	flushBytes = 64 << 10
	maxBytes   = 4 << 20
	flushEvery = time.Second
)

// Log writes lines to a sink. A nil *Log writes none. Safe for concurrent use.
type Log struct {
	sink  Sink
	wake  chan struct{} // of capacity 1: the buffer is long
	again chan struct{} // of capacity 1: Reopen was called
	quit  chan struct{} // closed by Close
	ended chan error    // gets the error of closing the sink

	mu      sync.Mutex
	buf     []byte // lines that wait
	lines   uint64 // in buf
	written uint64 // lines
	dropped uint64 // lines
}

// Open returns a log that writes to sink and owns it.
func Open(sink Sink) *Log {
	l := &Log{sink: sink, wake: make(chan struct{}, 1), again: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan error, 1)}
	go l.run()
	return l
}

// Add adds a line. It never waits for the sink: if too many lines wait already, the line is
// dropped and counted.
func (l *Log) Add(e Entry) {
	if l == nil {
		return
	}
	l.mu.Lock()
	if len(l.buf) >= maxBytes {
		l.dropped++
		l.mu.Unlock()
		return
	}
	before := len(l.buf)
	l.buf = appendLine(l.buf, &e)
	l.lines++
	long := before < flushBytes && len(l.buf) >= flushBytes
	l.mu.Unlock()
	if long {
		signal(l.wake)
	}
}

// Reopen opens the file again if another program has moved it. It does not wait for that.
func (l *Log) Reopen() {
	if l != nil {
		signal(l.again)
	}
}

// Counts returns how many lines were written and how many were dropped.
func (l *Log) Counts() (written, dropped uint64) {
	if l == nil {
		return 0, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written, l.dropped
}

// Close writes the lines that wait and closes the sink. Call it once, when nobody calls Add any
// more.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	close(l.quit)
	return <-l.ended
}

// run writes the lines until Close is called.
func (l *Log) run() {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	var spare []byte
	synced := uint64(0) // lines
	for {
		select {
		case <-l.wake:
			spare = l.flush(spare)
		case <-ticker.C:
			spare = l.flush(spare)
			if written, _ := l.Counts(); written > synced {
				synced = written
				_ = l.sink.Sync() // the next write has the error too
			}
		case <-l.again:
			spare = l.flush(spare)
			_ = l.sink.Sync() // after an error it goes on with the file that it has
		case <-l.quit:
			l.flush(spare)
			l.ended <- l.sink.Close()
			return
		}
	}
}

// flush writes the lines that wait. Lines that come meanwhile go to spare; the result is the
// next spare.
func (l *Log) flush(spare []byte) []byte {
	l.mu.Lock()
	buf, lines := l.buf, l.lines
	l.buf, l.lines = spare[:0], 0
	l.mu.Unlock()
	if len(buf) == 0 {
		return buf
	}
	_, err := l.sink.Write(buf)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.dropped += lines // a part of them may have been written
	} else {
		l.written += lines
	}
	if cap(buf) > 4*flushBytes {
		return nil
	}
	return buf
}

// appendLine appends the line of an entry.
func appendLine(dst []byte, e *Entry) []byte {
	dst = append(dst, `{"log":"access","time":"`...)
	dst = e.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = appendText(dst, `","request_id":`, e.RequestID)
	dst = appendText(dst, `,"route":`, e.Route)
	dst = appendText(dst, `,"method":`, e.Method)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	dst = append(dst, `,"bytes":`...)
	dst = strconv.AppendInt(dst, e.Bytes, 10)
	dst = appendMillis(dst, `,"duration_ms":`, e.Duration)
	if e.Upstream > 0 {
		dst = appendMillis(dst, `,"upstream_ms":`, e.Upstream)
	}
	dst = appendText(dst, `,"action":`, e.Action)
	if e.Principal != "" {
		dst = appendText(dst, `,"principal":`, e.Principal)
	}
	return append(dst, "}\n"...)
}

func appendText(dst []byte, name, value string) []byte {
	dst, _ = jsontext.AppendQuote(append(dst, name...), value) // the error is about bytes that are no UTF-8, which become U+FFFD
	return dst
}

func appendMillis(dst []byte, name string, d time.Duration) []byte {
	return strconv.AppendFloat(append(dst, name...), float64(d.Microseconds())/1000, 'f', 3, 64)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
