package alert

import (
	"errors"
	"time"
)

// The pace of a feed. While a sink works, a line is durable within a second of its offer:
// half of that is for syncEvery, the other half for the disk.
const (
	syncEvery  = 500 * time.Millisecond
	retryFirst = 20 * time.Millisecond
	retryLast  = 5 * time.Second
)

// feed brings the events of the ring to one sink. The fields down to trouble belong to
// its goroutine, the others are guarded by Log.mu.
type feed struct {
	sink   Sink
	encode func(dst []byte, ev *Event) []byte
	relay  Relay         // the sink, if it is one
	heir   Heir          // the sink, if it is one
	wake   chan struct{} // of capacity 1: there may be something to do
	reopen chan struct{} // of capacity 1: Reopen was asked for
	ended  chan error    // of capacity 1: the error of the close

	line    []byte    // the line that is being written
	sent    int       // bytes of line that the sink took
	kind    lineKind  // of line
	event   entry     // from which line was made
	dirty   time.Time // when the first unsynced line was written; zero: none
	retry   time.Duration
	moved   bool      // the sink has yet to open its file again
	movedAt time.Time // when to try that again
	trouble bool      // the sink failed since the last gap record
	tally   tally     // of the lines since the last digest, that one included

	next    uint64 // the event that is being written, or the next to fetch
	flying  bool   // that event was fetched, so that the ring cannot lose it any more
	gap     uint64 // events before next that a gap record must report
	since   time.Time
	counted SinkStats // without Queued; Lost without the events that lapped returns
}

// lineKind is the sort of line that a feed has to write.
type lineKind uint8

const (
	lineNone lineKind = iota
	lineEvent
	lineGap
	lineEnd // the log is closed and everything is written
)

func newFeed(s Sink, now time.Time) *feed {
	encode := AppendLine
	if e, ok := s.(Encoder); ok {
		encode = guardedEncode(e)
	}
	relay, _ := s.(Relay)
	heir, _ := s.(Heir)
	return &feed{
		sink:    guarded{s},
		encode:  encode,
		relay:   relay,
		heir:    heir,
		wake:    make(chan struct{}, 1),
		reopen:  make(chan struct{}, 1),
		ended:   make(chan error, 1),
		next:    1,
		since:   now,
		counted: SinkStats{Name: s.Name()},
	}
}

// signal wakes the feed. It never blocks.
func (f *feed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run is the feed's goroutine.
func (l *Log) run(f *feed) {
	for {
		l.follow(f)
		if f.kind == lineNone || f.kind == lineGap && f.sent == 0 {
			l.fetch(f) // again for a gap that may have grown meanwhile
		}
		var ok bool
		switch f.kind {
		case lineEnd:
			f.ended <- errors.Join(f.sink.Sync(), f.sink.Close())
			return
		case lineNone:
			ok = l.idle(f)
		default:
			ok = l.write(f)
		}
		if !ok {
			f.ended <- errors.Join(l.abandon(f), f.sink.Sync(), f.sink.Close())
			return
		}
	}
}

// fetch takes the next line for the feed's sink from the ring: a gap record if the ring
// has lapped the sink, or the next event, or nothing.
func (l *Log) fetch(f *feed) {
	l.mu.Lock()
	lost := f.lapped(l)
	f.next += lost
	f.gap += lost
	f.counted.Lost += lost
	switch {
	case f.gap > 0:
		f.kind = lineGap
		f.event = entry{event: Event{
			V: Version, Type: TypeGap, Seq: f.next - 1, Boot: l.boot, Time: l.now(),
			Reason: f.reason(), Sink: f.counted.Name, Lost: f.gap, Since: f.since, Instance: l.name,
		}}
		f.event.event.Severity = SeverityOf(&f.event.event)
		f.event.id = l.newID(f.event.event.Time)
	case f.next <= l.seq:
		f.kind = lineEvent
		f.event = l.ring[f.next%uint64(len(l.ring))]
		f.flying = true
		if f.event.event.Type == TypeDigest {
			f.tally.fill(&f.event.event)
		}
	case l.state != logOpen:
		f.kind = lineEnd
	default:
		f.kind = lineNone
	}
	l.mu.Unlock()
	if f.kind == lineEvent || f.kind == lineGap {
		f.event.event.ID = f.event.id.String()
		f.line = f.encode(f.line[:0], &f.event.event)
		f.sent = 0
	}
}

// write gives the line to the sink. If that fails, it waits until it is time to try again.
// It returns false when the log has given up.
func (l *Log) write(f *feed) bool {
	n, err := f.sink.Write(f.line[f.sent:])
	f.sent += min(max(n, 0), len(f.line)-f.sent)
	if f.sent < len(f.line) {
		l.failed(f, err)
		l.syncDue(f)
		return l.pause(f)
	}
	l.delivered(f, err)
	if f.dirty.IsZero() {
		f.dirty = time.Now()
	}
	l.syncDue(f)
	return true
}

// reason says why a sink missed events.
func (f *feed) reason() string {
	if f.trouble {
		return "sink failed"
	}
	return "sink too slow"
}

// delivered counts the line and drops it.
func (l *Log) delivered(f *feed, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.since = f.event.event.Time
	f.tally.add(&f.event.event, f.line)
	if f.kind == lineGap {
		f.gap = 0
		f.trouble = false
		f.counted.Gaps++
	} else {
		f.next++
		f.flying = false
		f.counted.Delivered++
	}
	f.counted.Down, f.counted.Stuck, f.counted.Reason = false, false, ""
	if err != nil {
		f.counted.Errors++
		f.counted.Down, f.counted.Reason = true, err.Error()
	}
	f.kind = lineNone
	f.event = entry{} // so that the strings of the caller can be freed
	f.retry = 0
}

func (l *Log) failed(f *feed, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.trouble = true
	f.counted.Errors++
	f.counted.Down, f.counted.Stuck = true, true
	if err != nil {
		f.counted.Reason = err.Error()
	}
}

// abandon tells an heir which events the log has given up.
func (l *Log) abandon(f *feed) error {
	l.mu.Lock()
	lost, last := f.gap+l.seq+1-f.next, l.seq
	l.mu.Unlock()
	if f.heir == nil || lost == 0 {
		return nil
	}
	return f.heir.Abandon(l.boot, last, lost)
}

// pause waits before another try, longer each time. A Reopen ends the wait, because the
// new file may have room. It returns false when the log has given up.
func (l *Log) pause(f *feed) bool {
	f.retry = min(max(2*f.retry, retryFirst), retryLast)
	timer := time.NewTimer(f.retry)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.reopen:
		f.moved, f.movedAt = true, time.Time{}
	case <-l.abort:
		return false
	}
	return true
}

// idle waits for something to do. It returns false when the log has given up.
func (l *Log) idle(f *feed) bool {
	var due <-chan time.Time
	if !f.dirty.IsZero() || f.moved {
		wait := syncEvery
		if !f.dirty.IsZero() {
			wait = max(0, syncEvery-time.Since(f.dirty))
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-f.wake:
	case <-due:
	case <-f.reopen:
		f.moved, f.movedAt = true, time.Time{}
	case <-l.abort:
		return false
	}
	l.syncDue(f)
	return true
}

// syncDue makes lines durable when the oldest of them has waited long enough.
func (l *Log) syncDue(f *feed) {
	if f.dirty.IsZero() || time.Since(f.dirty) < syncEvery {
		return
	}
	f.dirty = time.Time{}
	if err := f.sink.Sync(); err != nil {
		l.failed(f, err)
		f.dirty = time.Now() // try again after syncEvery
	}
}

// follow opens the sink's file again if that was asked for. A line of which the old file
// took a part is written whole to the new one.
func (l *Log) follow(f *feed) {
	select {
	case <-f.reopen:
		f.moved, f.movedAt = true, time.Time{}
	default:
	}
	if !f.moved || time.Now().Before(f.movedAt) {
		return
	}
	if err := f.sink.Reopen(); err != nil {
		l.failed(f, err)
		f.movedAt = time.Now().Add(syncEvery)
		return
	}
	f.moved = false
	f.sent = 0
}

// lapped returns how many events the ring has overwritten before this feed fetched them,
// those apart that Lost counts already. The caller has locked mu.
func (f *feed) lapped(l *Log) uint64 {
	oldest := uint64(1)
	if size := uint64(len(l.ring)); l.seq > size {
		oldest = l.seq - size + 1
	}
	first := f.next
	if f.flying {
		first++
	}
	if first >= oldest {
		return 0
	}
	return oldest - first
}

// queued returns how many events the feed still has to write. The caller has locked mu.
func (f *feed) queued(l *Log) uint64 {
	return l.seq + 1 - f.next - f.lapped(l)
}

// snapshot returns the counters. The caller has locked mu.
func (f *feed) snapshot(l *Log) SinkStats {
	s := f.counted
	s.Lost += f.lapped(l) + l.late
	s.Queued = f.queued(l)
	if l.state == logAborted {
		s.Lost += s.Queued
		s.Queued = 0
	}
	return s
}
