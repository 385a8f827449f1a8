package alert

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// How the queue works.
//
// Offer numbers the events of a boot 1, 2, 3, … and writes each into a ring of
// Options.Queue slots, over the oldest. Every sink has a goroutine of its own
// that follows the ring with a cursor; a sink that blocks or fails therefore
// holds up neither Offer nor the other sinks, and the ring is what bridges an
// outage. When the ring laps a sink, the events between its cursor and the
// oldest slot are lost to that sink, and the next line it gets is one gap record
// in their place, numbered as the last of them.
//
// So in every sink, within one boot, each line's seq is one more than the line
// before it, except that a gap record's seq is greater by its lost. A reader can
// check that nothing is missing: with a ring of 4 and a sink that was stuck
// while events 3 to 9 came, the sink holds 1, 2, gap(seq 5, lost 3), 6, 7, 8, 9.

// Sink is where lines go. A Log calls a sink from one goroutine, Close
// included. A call may block: it holds up that sink alone.
type Sink interface {
	// Name tells sinks apart in statistics and gap records.
	Name() string
	// Write writes one whole line, or the rest of one after an error. It
	// returns how many bytes were written and an error if not all were.
	Write(line []byte) (int, error)
	// Sync makes what was written durable. It also reports what went wrong
	// without hindering a Write, such as a rotation that failed.
	Sync() error
	// Reopen follows a file that somebody else has renamed. If it fails, the
	// sink goes on as before.
	Reopen() error
	Close() error
}

// DefaultQueue is the number of events kept for a sink that lags.
const DefaultQueue = 4096

// Options are what a Log is made of. The zero value is a log without sinks.
type Options struct {
	Sinks []Sink           // owned by the log from Open on
	Queue int              // events; 0 means DefaultQueue
	Now   func() time.Time // nil means time.Now
}

// Log hands events to sinks. Safe for concurrent use.
type Log struct {
	now   func() time.Time
	boot  string
	feeds []*feed
	abort chan struct{} // closed when Close gives up

	mu      sync.Mutex
	entropy *ulid.MonotonicEntropy
	id      ulid.ULID // the newest id; here so that making one does not allocate
	ring    []entry   // the event numbered seq stands at seq % len(ring)
	seq     uint64    // the newest event
	late    uint64    // events offered after Close
	state   logState
}

type logState uint8

const (
	logOpen logState = iota
	logClosing
	logAborted // Close gave up: what is queued is lost
)

// entry is one slot of the ring.
type entry struct {
	event Event
	id    ulid.ULID // written as text only when the event is
}

// Open starts a log. The sinks are closed by [Log.Close], and at once if Open
// fails.
func Open(opts Options) (*Log, error) {
	l, err := open(opts)
	if err != nil {
		for _, s := range opts.Sinks {
			if s != nil {
				err = errors.Join(err, s.Close())
			}
		}
		return nil, err
	}
	for _, f := range l.feeds {
		go l.run(f)
	}
	return l, nil
}

// open builds a log whose goroutines do not run yet.
func open(opts Options) (*Log, error) {
	size := opts.Queue
	if size == 0 {
		size = DefaultQueue
	}
	if size < 1 {
		return nil, fmt.Errorf("alert queue of %d events: want 1 or more", opts.Queue)
	}
	l := &Log{
		now:     opts.Now,
		abort:   make(chan struct{}),
		entropy: ulid.Monotonic(rand.Reader, 0),
		ring:    make([]entry, size),
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.boot = l.newID(l.now()).String()
	for _, s := range opts.Sinks {
		if s == nil {
			return nil, errors.New("alert sink is nil")
		}
		l.feeds = append(l.feeds, newFeed(s, l.now()))
	}
	return l, nil
}

// Boot is the id of this log's life, as it stands in every line.
func (l *Log) Boot() string { return l.boot }

// Offer stamps the event and queues it. It never blocks, and allocates only to
// cut a string that is longer than [MaxString]. An event offered after Close is
// counted as lost.
func (l *Log) Offer(ev Event) {
	bound(&ev)
	if ev.Severity == "" {
		ev.Severity = SeverityOf(&ev)
	}
	ev.V = Version
	ev.Boot = l.boot
	if !l.push(ev) {
		return
	}
	for _, f := range l.feeds {
		f.signal()
	}
}

// push numbers the event and puts it into the ring.
func (l *Log) push(ev Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != logOpen {
		l.late++
		return false
	}
	ev.Time = l.now()
	l.seq++
	ev.Seq = l.seq
	slot := &l.ring[l.seq%uint64(len(l.ring))]
	slot.event = ev
	slot.id = l.newID(ev.Time)
	return true
}

// newID returns a fresh ULID, later than the ones before it within the same
// millisecond. The caller holds mu.
func (l *Log) newID(t time.Time) ulid.ULID {
	ms := min(ulid.Timestamp(t), ulid.MaxTime())
	_ = l.id.SetTime(ms) // within range
	if err := l.entropy.MonotonicRead(ms, l.id[6:]); err != nil {
		// 2^80 ids in one millisecond: begin again at a random one.
		l.entropy = ulid.Monotonic(rand.Reader, 0)
		_ = l.entropy.MonotonicRead(ms, l.id[6:])
	}
	return l.id
}

// bound cuts what is longer than an event may be, so that the queue's memory
// has a bound too.
func bound(ev *Event) {
	for _, s := range [...]*string{
		&ev.Mode, &ev.Route, &ev.API, &ev.Path, &ev.Model, &ev.RequestID, &ev.Client,
		&ev.Principal, &ev.Channel, &ev.Lane, &ev.Identifier, &ev.Index.BuildID, &ev.Reason, &ev.Build,
	} {
		if head, tail := clip(*s); tail != "" {
			*s = strings.Join([]string{head, tail}, "")
		}
	}
	ev.Digests = ev.Digests[:min(len(ev.Digests), MaxDigests)]
	ev.Records = ev.Records[:min(len(ev.Records), MaxRecords)]
}

// Reopen asks every sink to open its file again, for rotation by others. It
// does not wait; a failure is counted in [SinkStats] and tried again.
func (l *Log) Reopen() {
	for _, f := range l.feeds {
		select {
		case f.reopen <- struct{}{}:
		default: // one is already asked for
		}
	}
}

// Close takes no more events, writes what is queued, and closes the sinks. If
// ctx ends first, the error says how many events were left behind; a sink whose
// call never returns then keeps its goroutine.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.state != logOpen {
		l.mu.Unlock()
		return errors.New("alert log is closed already")
	}
	l.state = logClosing
	l.mu.Unlock()
	for _, f := range l.feeds {
		f.signal()
	}
	var errs []error
	for _, f := range l.feeds {
		select {
		case err := <-f.ended:
			errs = append(errs, err)
		case <-ctx.Done():
			return errors.Join(append(errs, l.giveUp(ctx.Err()))...)
		}
	}
	return errors.Join(errs...)
}

// giveUp ends the retries and says what was left behind.
func (l *Log) giveUp(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := []string{}
	for _, f := range l.feeds {
		if n := f.queued(l); n > 0 {
			left = append(left, fmt.Sprintf("%d to %s", n, f.sink.Name()))
		}
	}
	l.state = logAborted
	close(l.abort)
	return fmt.Errorf("close alert log: %w; events not written: %s", cause, strings.Join(left, ", "))
}

// Stats are a log's counters at one moment.
type Stats struct {
	Offered uint64
	Sinks   []SinkStats
}

// SinkStats are the counters of one sink. Offered = Delivered + Lost + Queued.
type SinkStats struct {
	Name      string
	Delivered uint64 // events written
	Lost      uint64 // events that fell out of the queue, reported by gap records
	Queued    uint64 // events waiting
	Gaps      uint64 // gap records written
	Errors    uint64 // calls of the sink that failed
	Down      bool   // the last call failed
}

// Stats returns the counters.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Stats{Offered: l.seq + l.late, Sinks: make([]SinkStats, len(l.feeds))}
	for i, f := range l.feeds {
		s.Sinks[i] = f.snapshot(l)
	}
	return s
}
