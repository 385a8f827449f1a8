package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tape is a sink in memory. A test makes its calls fail or wait.
type tape struct {
	mu      sync.Mutex
	bytes   []byte // everything written
	synced  int    // bytes made durable
	reopens int
	closed  bool

	write func(p []byte) (int, error) // nil: every write succeeds
	move  func() error
	hold  chan struct{} // if set, every Write waits until it is closed
}

func (t *tape) Name() string { return "tape" }

func (t *tape) Write(p []byte) (int, error) {
	if t.hold != nil {
		<-t.hold
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := len(p), error(nil)
	if t.write != nil {
		n, err = t.write(p)
	}
	t.bytes = append(t.bytes, p[:n]...)
	return n, err
}

func (t *tape) Sync() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.synced = len(t.bytes)
	return nil
}

func (t *tape) Reopen() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reopens++
	if t.move != nil {
		return t.move()
	}
	return nil
}

func (t *tape) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return nil
}

func (t *tape) state() (written, synced, reopens int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.bytes), t.synced, t.reopens
}

// events returns the events on the tape. It checks the promises about every sink: a line is
// one event, and the numbers account for all events of the boot.
func (t *tape) events(tb testing.TB) []Event {
	tb.Helper()
	return readLines(tb, t.bytes)
}

func readLines(tb testing.TB, text []byte) []Event {
	tb.Helper()
	var out []Event
	var seq uint64
	for line := range bytes.Lines(text) {
		var ev Event
		if err := json.Unmarshal(line, &ev); err != nil {
			tb.Fatalf("%v: %q", err, line)
		}
		step := uint64(1)
		if ev.Type == TypeGap {
			step = ev.Lost
		}
		if ev.Seq-seq != step {
			tb.Fatalf("seq %d after %d: %s", ev.Seq, seq, line)
		}
		seq = ev.Seq
		out = append(out, ev)
	}
	return out
}

func start(tb testing.TB, opts Options) *Log {
	tb.Helper()
	l, err := Open(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func stop(tb testing.TB, l *Log) {
	tb.Helper()
	if err := l.Close(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

// checkSum checks that in = delivered + lost + queued at this moment.
func checkSum(tb testing.TB, s Stats) {
	tb.Helper()
	for _, k := range s.Sinks {
		if s.Offered != k.Delivered+k.Lost+k.Queued {
			tb.Errorf("%s: %d offered, but %d delivered + %d lost + %d queued", k.Name, s.Offered, k.Delivered, k.Lost, k.Queued)
		}
	}
}

func TestEventsAreStamped(t *testing.T) {
	t.Parallel()
	sink := &tape{}
	l := start(t, Options{Sinks: []Sink{sink}, Now: func() time.Time { return noon.In(time.FixedZone("x", 3600)) }})
	for range 3 {
		l.Offer(Event{Type: TypeFinding, Action: Redacted, Kind: Verbatim, Words: 60})
	}
	stop(t, l)
	got := sink.events(t)
	if len(got) != 3 || !sink.closed {
		t.Fatalf("%d events, closed %t", len(got), sink.closed)
	}
	ids := map[string]bool{}
	for _, ev := range got {
		ids[ev.ID] = true
		if ev.V != 1 || ev.Boot != l.Boot() || len(ev.Boot) != 26 || len(ev.ID) != 26 || !ev.Time.Equal(noon) || ev.Severity != High {
			t.Errorf("stamped %+v", ev)
		}
	}
	if len(ids) != 3 {
		t.Errorf("ids are not distinct: %v", ids)
	}
	if got[0].ID >= got[1].ID || got[1].ID >= got[2].ID {
		t.Error("ids of one millisecond do not ascend")
	}
}

func TestSeverityOfTheCallerStays(t *testing.T) {
	t.Parallel()
	sink := &tape{}
	l := start(t, Options{Sinks: []Sink{sink}})
	l.Offer(Event{Type: TypeFinding, Severity: Critical})
	stop(t, l)
	if got := sink.events(t)[0].Severity; got != Critical {
		t.Errorf("severity %s, want critical", got)
	}
}

func TestOfferDoesNotAllocate(t *testing.T) {
	l, err := open(Options{Sinks: []Sink{&tape{}}})
	if err != nil {
		t.Fatal(err)
	}
	ev := finding()
	if n := testing.AllocsPerRun(1000, func() { l.Offer(ev) }); n != 0 {
		t.Errorf("%v allocations an event, want 0", n)
	}
}

func TestLongStringsAreCutInTheQueue(t *testing.T) {
	t.Parallel()
	l, err := open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	l.Offer(Event{Type: TypeFinding, Path: strings.Repeat("p", 1<<20), Digests: make([]Digest, 99), Records: make([]Record, 99)})
	ev := l.ring[1].event
	if len(ev.Path) != 1024 || len(ev.Digests) != 64 || len(ev.Records) != 16 {
		t.Errorf("kept %d bytes, %d digests, %d records", len(ev.Path), len(ev.Digests), len(ev.Records))
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	sink := &tape{}
	if _, err := Open(Options{Sinks: []Sink{sink}, Queue: -1}); err == nil {
		t.Error("a negative queue was taken")
	}
	if !sink.closed {
		t.Error("the sink was left open")
	}
	if _, err := Open(Options{Sinks: []Sink{nil}}); err == nil {
		t.Error("a nil sink was taken")
	}
}

func TestStuckSinkHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stuck, free := &tape{hold: make(chan struct{})}, &tape{}
		l := start(t, Options{Sinks: []Sink{stuck, free}, Queue: 4})
		for range 9 {
			l.Offer(finding())
			synctest.Wait()
		}
		checkSum(t, l.Stats())
		if got := len(free.events(t)); got != 9 {
			t.Errorf("the free sink has %d events, want 9", got)
		}
		s := l.Stats().Sinks[0]
		if s.Delivered != 0 || s.Queued != 5 || s.Lost != 4 {
			t.Errorf("stuck sink: %+v", s)
		}
		close(stuck.hold)
		stop(t, l)
		got := stuck.events(t)
		if len(got) != 6 || got[1].Type != TypeGap || got[1].Lost != 4 || got[1].Sink != "tape" || got[1].Reason != "sink too slow" {
			t.Errorf("after the stop: %+v", got)
		}
		if s := l.Stats().Sinks[0]; s.Delivered != 5 || s.Lost != 4 || s.Gaps != 1 || s.Queued != 0 {
			t.Errorf("in the end: %+v", s)
		}
	})
}

func TestOneGapRecordForAWholeOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		down := true
		sink := &tape{}
		sink.write = func(p []byte) (int, error) {
			if down {
				return 0, errors.New("no space left on device")
			}
			return len(p), nil
		}
		l := start(t, Options{Sinks: []Sink{sink}, Queue: 8})
		for range 600 { // ten minutes
			l.Offer(finding())
			time.Sleep(time.Second)
			checkSum(t, l.Stats())
		}
		if s := l.Stats().Sinks[0]; !s.Down || s.Errors < 100 || s.Errors > 600 {
			t.Errorf("during the outage: %+v", s)
		}
		sink.mu.Lock()
		down = false
		sink.mu.Unlock()
		time.Sleep(retryLast)
		synctest.Wait()
		got := sink.events(t)
		// The event that was being written, one gap, and the events in the queue.
		if len(got) != 10 || got[0].Seq != 1 || got[1].Type != TypeGap || got[1].Lost != 591 || got[1].Reason != "sink failed" {
			t.Fatalf("%d lines, second %+v", len(got), got[1])
		}
		if !got[1].Since.Equal(got[0].Time) {
			t.Errorf("gap since %v, last event before it %v", got[1].Since, got[0].Time)
		}
		if s := l.Stats().Sinks[0]; s.Down || s.Delivered != 9 || s.Lost != 591 {
			t.Errorf("after the outage: %+v", s)
		}
		stop(t, l)
	})
}

func TestShortOutageLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		sink := &tape{}
		sink.write = func(p []byte) (int, error) {
			if calls++; calls%3 != 0 {
				return min(calls%5, len(p)-1), errors.New("interrupted")
			}
			return len(p), nil
		}
		l := start(t, Options{Sinks: []Sink{sink}})
		for range 50 {
			l.Offer(finding())
		}
		stop(t, l)
		if got := len(sink.events(t)); got != 50 {
			t.Errorf("%d events, want 50", got)
		}
	})
}

// TestEveryEventIsAccountedFor offers from several goroutines to sinks that
// fail at random, and compares the counters with the lines.
func TestEveryEventIsAccountedFor(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var sinks []Sink
				for i := range 3 {
					r := rand.New(rand.NewPCG(seed, uint64(i)))
					sinks = append(sinks, &tape{write: func(p []byte) (int, error) {
						if i > 0 && r.IntN(3*i) == 0 {
							return r.IntN(len(p)), errors.New("broken")
						}
						return len(p), nil
					}})
				}
				l := start(t, Options{Sinks: sinks, Queue: 16})
				var wg sync.WaitGroup
				for i := range 4 {
					r := rand.New(rand.NewPCG(seed, uint64(100+i)))
					wg.Go(func() {
						for range 500 {
							l.Offer(finding())
							time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
						}
					})
				}
				wg.Wait()
				checkSum(t, l.Stats())
				stop(t, l)
				stats := l.Stats()
				checkSum(t, stats)
				for i, s := range sinks {
					var delivered, lost uint64
					for _, ev := range s.(*tape).events(t) {
						if ev.Type == TypeGap {
							lost += ev.Lost
						} else {
							delivered++
						}
					}
					k := stats.Sinks[i]
					if delivered != k.Delivered || lost != k.Lost || delivered+lost != 2000 || k.Queued != 0 {
						t.Errorf("sink %d: %d lines, %d lost in gaps; counters %+v", i, delivered, lost, k)
					}
				}
			})
		})
	}
}

func TestLinesAreDurableWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &tape{}
		l := start(t, Options{Sinks: []Sink{sink}})
		l.Offer(finding())
		time.Sleep(time.Second)
		synctest.Wait()
		if written, synced, _ := sink.state(); written == 0 || synced != written {
			t.Errorf("alone: %d of %d bytes durable", synced, written)
		}
		begun := time.Now()
		first, _, _ := sink.state()
		for time.Since(begun) < time.Second { // a steady stream of events must not delay the sync
			l.Offer(finding())
			time.Sleep(7 * time.Millisecond)
		}
		if _, synced, _ := sink.state(); synced <= first {
			t.Error("in a stream: nothing became durable")
		}
		stop(t, l)
		if written, synced, _ := sink.state(); synced != written {
			t.Errorf("after Close: %d of %d bytes durable", synced, written)
		}
	})
}

func TestPanickingSinkIsAFailedOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		sink := &tape{move: func() error { panic("boom") }}
		sink.write = func(p []byte) (int, error) {
			if calls++; calls%2 == 1 {
				panic("boom")
			}
			return len(p), nil
		}
		l := start(t, Options{Sinks: []Sink{sink}})
		l.Reopen()
		for range 5 {
			l.Offer(finding())
		}
		stop(t, l)
		if got := len(sink.events(t)); got != 5 {
			t.Errorf("%d events, want 5", got)
		}
		if got := l.Stats().Sinks[0].Errors; got < 6 {
			t.Errorf("%d errors counted, want 6 or more", got)
		}
	})
}

func TestReopenIsTriedUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fails := 3
		sink := &tape{}
		sink.move = func() error {
			if fails--; fails >= 0 {
				return errors.New("permission denied")
			}
			return nil
		}
		l := start(t, Options{Sinks: []Sink{sink}})
		l.Reopen()
		l.Reopen()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if _, _, n := sink.state(); n != 4 {
			t.Errorf("%d tries, want 4", n)
		}
		if got := l.Stats().Sinks[0].Errors; got != 3 {
			t.Errorf("%d errors counted, want 3", got)
		}
		stop(t, l)
	})
}

func TestReopenStartsATornLineAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := &tape{}
		full := true
		sink.write = func(p []byte) (int, error) {
			if full {
				return len(p) / 2, errors.New("no space left on device")
			}
			return len(p), nil
		}
		sink.move = func() error {
			full, sink.bytes = false, nil
			return nil
		}
		l := start(t, Options{Sinks: []Sink{sink}})
		l.Offer(finding())
		synctest.Wait()
		l.Reopen()
		synctest.Wait()
		stop(t, l)
		if got := len(sink.events(t)); got != 1 {
			t.Errorf("%d events in the new file, want 1", got)
		}
	})
}

func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := &tape{write: func([]byte) (int, error) { return 0, errors.New("broken") }}
		fine := &tape{}
		l := start(t, Options{Sinks: []Sink{fine, broken}})
		l.Offer(finding())
		l.Offer(finding())
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := l.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 to tape") {
			t.Errorf("close: %v", err)
		}
		l.Offer(finding())
		s := l.Stats()
		checkSum(t, s)
		if s.Offered != 3 || s.Sinks[0].Delivered != 2 || s.Sinks[0].Lost != 1 || s.Sinks[1].Lost != 3 {
			t.Errorf("counters: %+v", s)
		}
		synctest.Wait()
		if !broken.closed {
			t.Error("the broken sink was left open")
		}
		if l.Close(t.Context()) == nil {
			t.Error("a second Close succeeded")
		}
	})
}

func TestAnswerCountsWhatItSuppresses(t *testing.T) {
	t.Parallel()
	f := func(offered, lines int, suppressed uint64) {
		t.Helper()
		sink := &tape{}
		l := start(t, Options{Sinks: []Sink{sink}})
		a := l.Answer()
		for i := range offered {
			ev := finding()
			ev.Suppressed, ev.Start = 0, int64(i)
			a.Offer(ev)
		}
		a.Close()
		stop(t, l)
		got := sink.events(t)
		if len(got) != lines {
			t.Fatalf("%d findings gave %d lines, want %d", offered, len(got), lines)
		}
		for i, ev := range got {
			want := uint64(0)
			if i == lines-1 {
				want = suppressed
			}
			if ev.Suppressed != want || ev.Start != int64(i) {
				t.Errorf("%d findings: line %d has suppressed %d and start %d", offered, i, ev.Suppressed, ev.Start)
			}
		}
	}
	f(0, 0, 0)
	f(1, 1, 0)
	f(63, 63, 0)
	f(64, 64, 0)
	f(65, 64, 1)
	f(1000, 64, 936)
}

// TestEncoderPanics: an encoder that panics costs no event and does not end the process.
func TestEncoderPanics(t *testing.T) {
	t.Parallel()
	sink := &tape{}
	l := start(t, Options{Sinks: []Sink{As(sink, func(dst []byte, ev *Event) []byte {
		if ev.Seq == 2 {
			panic("broken")
		}
		return AppendLine(dst, ev)
	})}})
	for range 3 {
		l.Offer(finding())
	}
	stop(t, l)
	if got := len(sink.events(t)); got != 3 {
		t.Errorf("%d events", got)
	}
}
