package alert

import (
	"errors"
	"time"
)

// Pace of a feed. Lines are durable within a second of being offered while the
// sink works: syncEvery leaves the other half of it to the disk.
const (
	syncEvery  = 500 * time.Millisecond
	retryFirst = 20 * time.Millisecond
	retryLast  = 5 * time.Second
)

// feed brings the ring's events to one sink. The fields above the gap belong to
// its goroutine, those below are guarded by Log.mu.
type feed struct {
	sink   Sink
	wake   chan struct{} // holds one: there may be something to do
	reopen chan struct{} // holds one: Reopen was asked for
	ended  chan error    // holds one: what closing said

	line    []byte    // the line on its way
	sent    int       // bytes of line that the sink took
	what    lineKind  // what line is
	event   entry     // the event line was made from
	dirty   time.Time // when the first unsynced line was written; zero: none
	retry   time.Duration
	moved   bool      // Reopen is still owed
	movedAt time.Time // when to try it again
	trouble bool      // the sink failed since the last gap record

	next    uint64 // the event on its way, or the next to fetch
	flying  bool   // that event was fetched: the ring cannot lose it any more
	gap     uint64 // events before next that a gap record must report
	since   time.Time
	counted SinkStats // Name, Delivered, Gaps, Errors, Down; Lost without those still in the ring's past
}

// lineKind says what a feed holds.
type lineKind uint8

const (
	lineNone lineKind = iota
	lineEvent
	lineGap
	lineEnd // the log is closed and everything is written
)

func newFeed(s Sink, now time.Time) *feed {
	return &feed{
		sink:    guarded{s},
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
		if f.what == lineNone || f.what == lineGap && f.sent == 0 {
			l.fetch(f) // again for a gap that may have grown meanwhile
		}
		var ok bool
		switch f.what {
		case lineEnd:
			f.ended <- errors.Join(f.sink.Sync(), f.sink.Close())
			return
		case lineNone:
			ok = l.idle(f)
		default:
			ok = l.write(f)
		}
		if !ok {
			f.ended <- errors.Join(f.sink.Sync(), f.sink.Close())
			return
		}
	}
}

// fetch takes the next line for the feed's sink from the ring: a gap record if
// the ring has lapped the sink, or the next event, or nothing.
func (l *Log) fetch(f *feed) {
	l.mu.Lock()
	lost := f.lapped(l)
	f.next += lost
	f.gap += lost
	f.counted.Lost += lost
	switch {
	case f.gap > 0:
		f.what = lineGap
		f.event = entry{event: Event{
			V: Version, Type: TypeGap, Seq: f.next - 1, Boot: l.boot, Time: l.now(),
			Reason: f.reason(), Sink: f.counted.Name, Lost: f.gap, Since: f.since,
		}}
		f.event.event.Severity = SeverityOf(&f.event.event)
		f.event.id = l.newID(f.event.event.Time)
	case f.next <= l.seq:
		f.what = lineEvent
		f.event = l.ring[f.next%uint64(len(l.ring))]
		f.flying = true
	case l.state != logOpen:
		f.what = lineEnd
	default:
		f.what = lineNone
	}
	l.mu.Unlock()
	if f.what == lineEvent || f.what == lineGap {
		f.event.event.ID = f.event.id.String()
		f.line = appendLine(f.line[:0], &f.event.event)
		f.sent = 0
	}
}

// write hands the line on its way to the sink and, if that fails, waits until
// it is time to try again. It returns false when the log has given up.
func (l *Log) write(f *feed) bool {
	n, err := f.sink.Write(f.line[f.sent:])
	f.sent += min(max(n, 0), len(f.line)-f.sent)
	if f.sent < len(f.line) {
		l.failed(f)
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

// delivered counts the line and lets go of it.
func (l *Log) delivered(f *feed, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.since = f.event.event.Time
	if f.what == lineGap {
		f.gap = 0
		f.trouble = false
		f.counted.Gaps++
	} else {
		f.next++
		f.flying = false
		f.counted.Delivered++
	}
	f.counted.Down = err != nil
	if err != nil {
		f.counted.Errors++
	}
	f.what = lineNone
	f.event = entry{} // keep no caller's strings
	f.retry = 0
}

func (l *Log) failed(f *feed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.trouble = true
	f.counted.Errors++
	f.counted.Down = true
}

// pause waits before another try, longer each time. A Reopen ends the wait:
// the new file may have room.
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

// idle waits for something to do.
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
		l.failed(f)
		f.dirty = time.Now() // once more in a while
	}
}

// follow opens the sink's file again if that was asked for. A line that the
// old file took only half of starts anew in the new one.
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
		l.failed(f)
		f.movedAt = time.Now().Add(syncEvery)
		return
	}
	f.moved = false
	f.sent = 0
}

// lapped is the number of events that the ring has lost to this feed since it
// was last counted. The caller holds mu.
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

// queued is the number of events that the feed still has to write. The caller
// holds mu.
func (f *feed) queued(l *Log) uint64 {
	return l.seq + 1 - f.next - f.lapped(l)
}

// snapshot returns the counters. The caller holds mu.
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
