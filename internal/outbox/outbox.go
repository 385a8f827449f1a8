// Package outbox brings alerts to receivers across a network, which may be slow, full or down.
//
// An [Outbox] is a sink of package alert. It puts lines into a spool on disk, if it has a
// folder, and sends them from there, so that an outage and the end of the process lose
// nothing: a line is removed when its receiver has taken it. A line may be sent twice, always
// under one id. The package knows nothing of networks, formats or events beyond their numbers.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"noecho/proxy/alert"
)

// How lines travel.
//
// A Log of package alert hands lines to Write, one at a time, and keeps the newest events in
// memory while Write fails. Write appends a line to the spool, which makes it safe from a kill;
// Sync, within a second, makes it safe from a power cut. A goroutine reads the spool and sends
// its oldest lines until the receiver takes them. If the spool is full, Write fails, the log
// keeps 4,096 events in memory, loses older ones, and puts a gap record in their place.
//
// Without a folder Write sends the line itself.

// Line is one encoded event.
type Line struct {
	Boot string // the event is number Seq of this boot
	Seq  uint64
	Text []byte // valid until the call that has the line returns
	gap  bool   // a gap record: no event of its own
}

// ID returns the id under which a line is sent, every time that it is sent.
func (l Line) ID() string { return fmt.Sprintf("%s:%d", l.Boot, l.Seq) }

// Peer is a receiver of lines.
type Peer interface {
	// Send sends the first lines of a list that is not empty, as many as it likes. It returns
	// how many of them the receiver has taken, and an error if it took none. An [Error] says
	// more.
	Send(ctx context.Context, lines []Line) (taken int, err error)
	// Reopen reads certificates and secrets anew. If it fails, the old ones stay in use.
	Reopen() error
	Close() error
}

// Error is an error of a Peer that asks for more than a new attempt.
type Error struct {
	After   time.Duration // the receiver wants no line before
	Refused bool          // the receiver would never take the line
	Err     error
}

// Error returns the text of the cause.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Bounds of one call of [Peer.Send].
const (
	maxLines = 256
	maxBytes = 512 << 10
)

// The pace of attempts. The wait doubles from the first to the last.
const (
	retryFirst = 100 * time.Millisecond
	retryLast  = 30 * time.Second
)

// DefaultDrain bounds the time in which Close sends lines that are in the spool.
const DefaultDrain = 3 * time.Second

// DefaultLimit is the size of a spool.
const DefaultLimit = 256 << 20

// MinLimit is the smallest size of a spool. The longest line fits several times.
const MinLimit = 16 << 20

// Options are the options of [Open].
type Options struct {
	Name   string // tells sinks apart in statistics and gap records
	Peer   Peer   // closed by the Outbox, also if Open fails
	Append func(dst []byte, ev *alert.Event) []byte
	Lowest alert.Severity // events below it are not sent, gaps excepted; empty: all are
	Dir    string         // folder of the spool, made if it is absent; empty: none
	Limit  int64          // bytes that the spool may have; 0: DefaultLimit
	Drain  time.Duration  // 0: DefaultDrain
}

// Outbox is a sink of one receiver; see [alert.Sink] for its use from goroutines.
type Outbox struct {
	opts   Options
	spool  *spool // nil: none
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // closed when the sender has ended; nil without a spool

	line     Line // the line that Append made last, without its text
	skipped  bool // that line is not sent
	instance atomic.Pointer[string]

	delay    time.Duration // the wait after the next failure
	next     time.Time     // no attempt before, without a spool
	ahead    *gapRecord    // to send before the oldest line
	kept     []*gapRecord  // those that were refused, the oldest first; see kept.go
	keptNext time.Time     // no attempt to send them before
	grows    bool          // the receiver has taken nothing since the newest of them
	single   int           // lines to send one by one, because one of them was refused
	moved    chan struct{} // of capacity 1: Reopen was called
	again    atomic.Bool   // Reopen was called, and the peer has yet to follow

	closing atomic.Bool
	taken   atomic.Uint64
	lost    atomic.Uint64
	skips   atomic.Uint64
	gaps    atomic.Uint64
	retries atomic.Uint64
	refused atomic.Uint64
	refusal atomic.Pointer[string] // the cause of the last one
	down    atomic.Bool
	reason  atomic.Pointer[string] // of the last failure
}

// gapRecord is a line in place of events that are lost.
type gapRecord struct {
	line  Line
	lost  uint64 // 0: not known, since it is a line of the spool
	told  uint64 // of those, the ones that are counted already, or skipped
	drops int    // lines of the spool that it takes the place of
}

// Open opens the spool and begins to send lines that an earlier process left in it.
func Open(o Options) (*Outbox, error) {
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}
	if o.Drain == 0 {
		o.Drain = DefaultDrain
	}
	b := &Outbox{opts: o, moved: make(chan struct{}, 1)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	if o.Dir == "" {
		return b, nil
	}
	var err error
	if b.spool, err = openSpool(o.Dir, o.Limit); err != nil {
		b.cancel()
		return nil, errors.Join(fmt.Errorf("spool of %s: %w", o.Name, err), o.Peer.Close())
	}
	for _, d := range b.spool.debts {
		b.lost.Add(d.lost)
	}
	b.ended = make(chan struct{})
	go b.run()
	return b, nil
}

// Name implements [alert.Sink].
func (b *Outbox) Name() string { return b.opts.Name }

// Append implements [alert.Encoder].
func (b *Outbox) Append(dst []byte, ev *alert.Event) []byte {
	b.line = Line{Boot: ev.Boot, Seq: ev.Seq, gap: ev.Type == alert.TypeGap}
	b.skipped = ev.Severity.Rank() < b.opts.Lowest.Rank() && !b.line.gap
	if name := b.instance.Load(); name == nil || *name != ev.Instance {
		name := ev.Instance
		b.instance.Store(&name)
	}
	return b.opts.Append(dst, ev)
}

// Write implements [alert.Sink]. It writes the whole line or nothing.
func (b *Outbox) Write(text []byte) (int, error) {
	line := b.line
	line.Text = text
	err := b.settle()
	switch {
	case b.skipped:
		err = nil
		b.skips.Add(1)
	case err != nil:
	case b.spool != nil:
		err = b.spool.put(line)
	case time.Now().Before(b.next):
		err = errors.New(*b.reason.Load()) // of the failure before; the next attempt is due later
	default:
		err = b.direct(line)
	}
	if err != nil {
		return 0, err
	}
	return len(text), nil
}

// settle puts gap records of earlier processes, which could not write them, into the spool.
func (b *Outbox) settle() error {
	if b.spool == nil || len(b.spool.debts) == 0 {
		return nil
	}
	for _, d := range b.spool.debts {
		g := b.gap(Line{Boot: d.boot, Seq: d.last}, d.lost, "noecho ended before the spool had room")
		if err := b.spool.put(g.line); err != nil {
			return err
		}
		b.spool.debts = b.spool.debts[1:]
	}
	return errors.Join(b.spool.sync(), b.spool.owe())
}

// Abandon implements [alert.Heir]: the next process puts a gap record into the spool.
func (b *Outbox) Abandon(boot string, last, lost uint64) error {
	if b.spool == nil {
		return nil
	}
	b.spool.debts = append(b.spool.debts, debt{boot: boot, last: last, lost: lost})
	return b.spool.owe()
}

// direct sends a line from the caller's goroutine.
func (b *Outbox) direct(line Line) error {
	err := b.attempt([]Line{line})
	if wait := b.wait(err); wait > 0 {
		b.next = time.Now().Add(wait)
		return err
	}
	return nil
}

// run is the goroutine that sends the lines of the spool.
func (b *Outbox) run() {
	defer close(b.ended)
	for b.ctx.Err() == nil {
		if b.again.Swap(false) {
			if err := b.opts.Peer.Reopen(); err != nil {
				b.wait(err) // to count and report it; the old secrets stay in use
			}
		}
		lines, err := b.spool.oldest()
		if err != nil { // the disk cannot be read
			b.pause(b.wait(err))
			continue
		}
		if hole, ok := b.spool.hole(); ok {
			b.ahead = b.gap(hole.last, hole.left, "spool damaged")
		}
		if len(lines) == 0 && b.ahead == nil && !b.keptDue() {
			if b.closing.Load() {
				return
			}
			b.idle()
			continue
		}
		if wait := b.wait(b.attempt(lines)); wait > 0 {
			if b.closing.Load() {
				return // the next process sends the rest
			}
			b.pause(wait)
		}
	}
}

// attempt sends lines, the first of which is the oldest, or the gap record before it.
func (b *Outbox) attempt(lines []Line) error {
	if g := b.ahead; g != nil {
		_, err := b.opts.Peer.Send(b.ctx, []Line{g.line})
		switch {
		case err == nil:
			b.gaps.Add(1)
		case b.refuses(err):
			b.keep(g)
		default:
			return err
		}
		b.ahead = nil
		b.lost.Add(g.lost - g.told)
		b.drop(lines[:g.drops])
		return nil
	}
	if err := b.sendKept(); err != nil || len(lines) == 0 {
		return err
	}
	if b.single > 0 {
		lines = lines[:1]
	}
	n, err := b.opts.Peer.Send(b.ctx, lines)
	n = min(max(n, 0), len(lines))
	events := b.drop(lines[:n])
	b.taken.Add(events)
	b.gaps.Add(uint64(n) - events)
	b.single = max(0, b.single-n)
	switch {
	case n > 0:
		b.grows = false
		return nil // a line behind that failed is tried again at once
	case err == nil:
		return errNone
	case !b.refuses(err):
		return err
	case len(lines) > 1:
		b.single = len(lines)
	case lines[0].gap:
		b.single = max(0, b.single-1)
		b.keepLine(lines[0])
		b.drop(lines)
		return nil
	default:
		b.single = max(0, b.single-1)
		b.ahead = b.refusedEvent(lines[0])
	}
	return b.attempt(lines)
}

// drop removes lines that are done with from the spool, and returns how many events they are.
func (b *Outbox) drop(lines []Line) (events uint64) {
	if b.spool != nil {
		return b.spool.drop(len(lines))
	}
	for _, l := range lines {
		if !l.gap {
			events++
		}
	}
	return events
}

var errNone = errors.New("the receiver took no line")

// refuses reports whether an error is a refusal, and counts it.
func (b *Outbox) refuses(err error) bool {
	var e *Error
	if !errors.As(err, &e) || !e.Refused {
		return false
	}
	cause := err.Error()
	b.refusal.Store(&cause)
	b.refused.Add(1)
	return true
}

// gap returns a gap record in place of events that end with last.
func (b *Outbox) gap(last Line, lost uint64, reason string) *gapRecord {
	ev := alert.Event{
		V: alert.Version, Type: alert.TypeGap, ID: ulid.Make().String(), Boot: last.Boot, Seq: last.Seq, Time: time.Now(),
		Since: time.Now(), Severity: alert.High, Reason: reason, Sink: b.opts.Name, Lost: lost,
	}
	if name := b.instance.Load(); name != nil {
		ev.Instance = *name
	}
	return &gapRecord{line: Line{Boot: last.Boot, Seq: last.Seq, Text: b.opts.Append(nil, &ev), gap: true}, lost: lost}
}

// wait counts and reports the result of an attempt, and returns how long to wait after it.
func (b *Outbox) wait(err error) time.Duration {
	if err == nil {
		b.delay = 0
		b.down.Store(false)
		return 0
	}
	b.retries.Add(1)
	reason := err.Error()
	b.reason.Store(&reason)
	b.down.Store(true)
	b.delay = min(max(2*b.delay, retryFirst), retryLast)
	wait := b.delay - rand.N(b.delay/4) // so that many instances do not come at one time
	var e *Error
	if errors.As(err, &e) {
		wait = max(wait, e.After)
	}
	return wait
}

// pause waits between two attempts. Reopen and Close end it.
func (b *Outbox) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.moved:
	case <-b.ctx.Done():
	}
}

// idle waits for a line, or for the time of the kept gap records.
func (b *Outbox) idle() {
	var due <-chan time.Time
	if len(b.kept) > 0 {
		timer := time.NewTimer(time.Until(b.keptNext))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
	case <-b.spool.grown:
	case <-b.moved:
	case <-b.ctx.Done():
	}
}

// Sync implements [alert.Sink].
func (b *Outbox) Sync() error {
	if b.spool == nil {
		return nil
	}
	return b.spool.sync()
}

// Reopen implements [alert.Sink]: certificates and secrets are read anew, and an attempt is
// made at once.
func (b *Outbox) Reopen() error {
	if b.spool == nil {
		b.next = time.Time{}
		return b.opts.Peer.Reopen()
	}
	b.again.Store(true)
	select {
	case b.moved <- struct{}{}:
	default:
	}
	return nil
}

// Close implements [alert.Sink]. It sends lines of the spool as long as the receiver takes
// them, a few seconds at most; the rest stays in the spool for the next process.
func (b *Outbox) Close() error {
	var err error
	if b.spool != nil {
		b.closing.Store(true)
		b.spool.signal()
		timer := time.AfterFunc(b.opts.Drain, b.cancel)
		defer timer.Stop()
		if b.down.Load() {
			b.cancel()
		}
		<-b.ended
		err = errors.Join(b.spoolKept(), b.spool.close())
	}
	b.cancel()
	return errors.Join(err, b.opts.Peer.Close())
}

// Relayed implements [alert.Relay].
func (b *Outbox) Relayed() alert.Relayed {
	r := alert.Relayed{
		Taken: b.taken.Load(), Lost: b.lost.Load(), Skipped: b.skips.Load(), Gaps: b.gaps.Load(), Retried: b.retries.Load(), Down: b.down.Load(),
	}
	if r.Down {
		r.Reason = *b.reason.Load()
	}
	if r.Refused = b.refused.Load(); r.Refused > 0 {
		r.Refusal = *b.refusal.Load()
	}
	if b.spool != nil {
		r.Waiting, r.Inherited = b.spool.waiting.Load(), b.spool.inherited
	}
	return r
}

var (
	_ alert.Sink    = (*Outbox)(nil)
	_ alert.Encoder = (*Outbox)(nil)
	_ alert.Relay   = (*Outbox)(nil)
	_ alert.Heir    = (*Outbox)(nil)
)
