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
// A boot is one run of a log. Offer numbers the events of a boot 1, 2, 3, … and writes each
// into a ring of Options.Queue slots, over the oldest. Every sink has a goroutine that
// follows the ring with a cursor. A sink that blocks or fails therefore delays neither
// Offer nor the other sinks, and the ring bridges an outage of the sink. When the ring laps
// a sink, the events between its cursor and the oldest slot are lost to that sink. The next
// line that it gets is one gap record in their place, numbered as the last of them.
//
// So in every sink, within one boot, the seq of a line is one more than that of the line
// before it; the seq of a gap record is greater by its lost. A reader can check that
// nothing is missing. Example: with a ring of 4 and a sink that was stuck while events 3 to
// 9 came, the lines are 1, 2, gap(seq 5, lost 3), 6, 7, 8, 9.
//
// A digest is an event too, so that its number fits between the others. Each sink writes its
// own: the hash of the lines that this sink got since the digest before, that one included. So
// a digest vouches for those before it, of the same boot.

// Sink writes lines to one place. A Log calls a sink, Close included, from one goroutine.
// A call may block: that delays this sink alone.
type Sink interface {
	// Name tells sinks apart in statistics and gap records.
	Name() string
	// Write writes one whole line, or the rest of one after an error. It returns how
	// many bytes were written, and an error if not all were.
	Write(line []byte) (int, error)
	// Sync makes the written lines durable. It also returns errors that did not keep a
	// Write from its work, such as that of a rotation.
	Sync() error
	// Reopen opens the file again, which another program may have renamed. If it
	// fails, the sink goes on as before.
	Reopen() error
	Close() error
}

// Encoder is a [Sink] that writes events in a form of its own. Append appends one event, which
// the following calls of Write are about, to dst. The other sinks write lines of JSON as
// [AppendLine] makes them.
type Encoder interface {
	Append(dst []byte, ev *Event) []byte
}

// Relay is a [Sink] that passes lines on to a receiver, which may take them later. Relayed is
// safe for concurrent use and never waits for a disk or a receiver.
type Relay interface {
	Relayed() Relayed
}

// Heir is a [Sink] that can remember lost events for the next process. The log calls Abandon
// at most once, before Close, if it gives up: lost events of a boot, which end with the one
// numbered last, were not written.
type Heir interface {
	Abandon(boot string, last, lost uint64) error
}

// lastWords bounds the time that a log which gives up leaves to the heirs.
const lastWords = time.Second

// Relayed are the counters of a Relay.
type Relayed struct {
	Taken     uint64 // events that the receiver has
	Waiting   uint64 // events on disk that it does not have
	Inherited uint64 // events that were on disk when the relay was opened
	Lost      uint64 // events that the receiver refused or the disk damaged
	Skipped   uint64 // events of a low severity, which it is not to get
	Gaps      uint64 // gap records that the receiver has
	Retried   uint64 // attempts that failed
	Down      bool   // the last attempt failed
	Reason    string // of that failure
	Refused   uint64 // refusals of lines that the receiver would never take
	Refusal   string // the cause of the last one
}

// As returns a sink that writes events as encode makes them.
func As(s Sink, encode func(dst []byte, ev *Event) []byte) Sink { return encoded{s, encode} }

type encoded struct {
	Sink
	encode func(dst []byte, ev *Event) []byte
}

// Append implements [Encoder].
func (e encoded) Append(dst []byte, ev *Event) []byte { return e.encode(dst, ev) }

// DefaultQueue is the number of events that are kept for a slow sink.
const DefaultQueue = 4096

// Options are the options of [Open]. The zero value makes a log without sinks.
type Options struct {
	Sinks []Sink           // the log owns and closes them, also if Open fails
	Queue int              // events that are kept for slow sinks; 0 means DefaultQueue
	Now   func() time.Time // nil means time.Now

	// Instance is the name of this instance of noecho, which every line has.
	Instance string

	// Digest is the time after which every sink gets a digest of its lines. It gets one more
	// when the log is closed. 0: never.
	Digest time.Duration
}

// Log hands events to sinks. Safe for concurrent use.
type Log struct {
	now   func() time.Time
	boot  string
	name  string // of the instance
	feeds []*feed
	abort chan struct{} // closed when Close gives up
	ended chan struct{} // closed when Close begins

	digest time.Duration

	mu      sync.Mutex
	entropy *ulid.MonotonicEntropy
	id      ulid.ULID // the newest id; a field, so that a new one does not allocate
	ring    []entry   // the event numbered seq is at seq % len(ring)
	seq     uint64    // the newest event
	late    uint64    // events offered after Close
	state   logState
}

type logState uint8

const (
	logOpen logState = iota
	logClosing
	logAborted // Close gave up: the queued events are lost
)

// entry is one slot of the ring.
type entry struct {
	event Event
	id    ulid.ULID // becomes text when the event is written
}

// Open starts a log. [Log.Close] closes the sinks; if Open fails, it closes them itself.
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
	if l.digest > 0 {
		go l.tick()
	}
	return l, nil
}

// tick offers the event of a digest from time to time. Every sink fills it in for itself.
func (l *Log) tick() {
	ticker := time.NewTicker(l.digest)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.Offer(Event{Type: TypeDigest})
		case <-l.ended:
			return
		}
	}
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
		ended:   make(chan struct{}),
		digest:  opts.Digest,
		name:    opts.Instance,
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

// Boot returns the id of this run of the log, which every line has.
func (l *Log) Boot() string { return l.boot }

// Offer numbers the event and queues it. It never waits for a sink, and allocates only to
// cut a string that is longer than [MaxString]. An event that is offered after Close counts
// as lost.
func (l *Log) Offer(ev Event) {
	ev.Instance = l.name
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

// newID returns a new ULID, later than those before it in the same millisecond. The caller
// has locked mu.
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

// bound cuts the strings and lists of an event to their bounds, so that the memory of the
// queue is bounded too.
func bound(ev *Event) {
	for _, s := range [...]*string{
		&ev.Mode, &ev.Route, &ev.API, &ev.Path, &ev.Model, &ev.RequestID, &ev.Client,
		&ev.Principal, &ev.Channel, &ev.Lane, &ev.Identifier, &ev.Index.BuildID, &ev.Reason, &ev.Build,
		&ev.User, &ev.Forwarded, &ev.Traceparent, &ev.Rule, &ev.Instance,
	} {
		if head, tail := clip(*s); tail != "" {
			*s = strings.Join([]string{head, tail}, "")
		}
	}
	ev.Digests = ev.Digests[:min(len(ev.Digests), MaxDigests)]
	ev.Records = ev.Records[:min(len(ev.Records), MaxRecords)]
	ev.Answers = ev.Answers[:min(len(ev.Answers), MaxAnswers)]
	ev.Channels = ev.Channels[:min(len(ev.Channels), MaxChannels)]
}

// Reopen asks every sink to open its file again, because another program has rotated it.
// It does not wait. A sink that fails is counted in [SinkStats] and tries again.
func (l *Log) Reopen() {
	for _, f := range l.feeds {
		select {
		case f.reopen <- struct{}{}:
		default: // one is already asked for
		}
	}
}

// Close takes no more events, writes the queued ones and the last digest, and closes the sinks. If ctx ends
// first, the error says how many events were not written; a sink whose call never returns
// then keeps its goroutine.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	if l.state != logOpen {
		l.mu.Unlock()
		return errors.New("alert log is closed already")
	}
	if l.digest > 0 && l.seq > 0 {
		l.mu.Unlock()
		l.Offer(Event{Type: TypeDigest})
		l.mu.Lock()
	}
	l.state = logClosing
	close(l.ended)
	l.mu.Unlock()
	for _, f := range l.feeds {
		f.signal()
	}
	var errs []error
	for i, f := range l.feeds {
		select {
		case err := <-f.ended:
			errs = append(errs, err)
		case <-ctx.Done():
			errs = append(errs, l.giveUp(ctx.Err()))
			return errors.Join(append(errs, bequeath(l.feeds[i:])...)...)
		}
	}
	return errors.Join(errs...)
}

// bequeath waits until the heirs among the feeds have ended, and returns their errors.
func bequeath(feeds []*feed) (errs []error) {
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	for _, f := range feeds {
		if f.heir == nil {
			continue
		}
		select {
		case err := <-f.ended:
			errs = append(errs, err)
		case <-timer.C:
			return errs
		}
	}
	return errs
}

// giveUp ends the retries. Its error counts the events that were not written.
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

// SinkStats are the counters of one sink. While none of its events is on the way from the
// queue to the disk, Offered + Inherited = Delivered + Lost + Queued + Skipped.
type SinkStats struct {
	Name      string
	Delivered uint64 // events written; of a [Relay] those that its receiver has
	Lost      uint64 // events that the queue dropped or the receiver refused; gap records report them
	Queued    uint64 // events waiting, in memory or on disk
	Spooled   uint64 // those on disk
	Inherited uint64 // events that an earlier process had left on disk
	Skipped   uint64 // events below the severity that the sink gets
	Gaps      uint64 // gap records written; of a Relay those that its receiver has
	Retried   uint64 // attempts of a Relay that failed
	Errors    uint64 // calls of the sink that failed
	Down      bool   // the last call or attempt failed
	Stuck     bool   // the last call failed: events wait in memory
	Reason    string // why it is down
	Refused   uint64 // refusals of a Relay's receiver
	Refusal   string // the cause of the last one
}

// Stats returns the counters.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	s := Stats{Offered: l.seq + l.late, Sinks: make([]SinkStats, len(l.feeds))}
	for i, f := range l.feeds {
		s.Sinks[i] = f.snapshot(l)
	}
	l.mu.Unlock()
	for i, f := range l.feeds {
		if f.relay != nil {
			s.Sinks[i].add(f.relay.Relayed())
		}
	}
	return s
}

// add takes the counters of a relay, to which Delivered were handed.
func (s *SinkStats) add(r Relayed) {
	s.Delivered, s.Spooled, s.Inherited, s.Skipped, s.Retried = r.Taken, r.Waiting, r.Inherited, r.Skipped, r.Retried
	s.Gaps, s.Refused, s.Refusal = r.Gaps, r.Refused, r.Refusal
	s.Queued += r.Waiting
	s.Lost += r.Lost
	s.Down = s.Down || r.Down
	switch {
	case s.Reason == "":
		s.Reason = r.Reason
	case r.Reason != "" && r.Reason != s.Reason:
		s.Reason += "; the receiver: " + r.Reason
	}
}
