package outbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noecho/proxy/alert"
)

// peer is a receiver in memory.
type peer struct {
	mu      sync.Mutex
	got     []string // the texts it took
	ids     []string
	calls   []time.Time
	reopens int
	closed  bool
	most    int                                           // lines it takes at once; 0: all
	fail    func(ctx context.Context, lines []Line) error // nil: it takes them
}

func (p *peer) Send(ctx context.Context, lines []Line) (int, error) {
	p.mu.Lock()
	p.calls = append(p.calls, time.Now())
	fail := p.fail
	p.mu.Unlock()
	if fail != nil {
		if err := fail(ctx, lines); err != nil {
			return 0, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most > 0 {
		lines = lines[:min(p.most, len(lines))]
	}
	for _, l := range lines {
		p.got = append(p.got, string(l.Text))
		p.ids = append(p.ids, l.ID())
	}
	return len(lines), nil
}

func (p *peer) Reopen() error { p.reopens++; return nil }
func (p *peer) Close() error  { p.closed = true; return nil }

func (p *peer) set(fail func(context.Context, []Line) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = fail
}

func (p *peer) events(t *testing.T) []alert.Event {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []alert.Event
	for i, text := range p.got {
		var ev alert.Event
		if err := json.Unmarshal([]byte(text), &ev); err != nil {
			t.Fatal(err)
		}
		if id := fmt.Sprintf("%s:%d", ev.Boot, ev.Seq); id != p.ids[i] {
			t.Errorf("event %s was sent as %s", id, p.ids[i])
		}
		all = append(all, ev)
	}
	return all
}

var errDown = errors.New("connection refused")

func down(context.Context, []Line) error { return errDown }

// open returns a log with one outbox, and the peer of that, which setup has changed.
func open(t *testing.T, o Options, queue int, setup ...func(p *peer)) (*alert.Log, *peer) {
	t.Helper()
	p := &peer{}
	for _, f := range setup {
		f(p)
	}
	o.Name, o.Peer = "test", p
	if o.Append == nil {
		o.Append = alert.AppendLine
	}
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := alert.Open(alert.Options{Sinks: []alert.Sink{b}, Queue: queue})
	if err != nil {
		t.Fatal(err)
	}
	return l, p
}

func event(i int) alert.Event {
	ev := alert.Event{Type: alert.TypeFinding, Action: alert.Redacted, Kind: alert.Verbatim, Words: i % 80, Model: "m", Records: []alert.Record{}}
	return ev
}

func stop(t *testing.T, l *alert.Log) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// account checks that every event of a boot is there once and in order, or in a gap record.
// It returns the number of events that are lost.
func account(t *testing.T, events []alert.Event) (lost uint64) {
	t.Helper()
	seq := map[string]uint64{}
	for _, ev := range events {
		step := uint64(1)
		if ev.Type == alert.TypeGap {
			step = ev.Lost
			lost += ev.Lost
		}
		if ev.Seq != seq[ev.Boot]+step {
			t.Fatalf("event %d (%s) comes after %d", ev.Seq, ev.Type, seq[ev.Boot])
		}
		seq[ev.Boot] = ev.Seq
	}
	return lost
}

// balance checks that the counters account for all events.
func balance(t *testing.T, l *alert.Log) alert.SinkStats {
	t.Helper()
	all := l.Stats()
	s := all.Sinks[0]
	if all.Offered+s.Inherited != s.Delivered+s.Lost+s.Queued+s.Skipped {
		t.Errorf("of %d events: %+v", all.Offered, s)
	}
	return s
}

// TestOutage: a receiver that is down for ten minutes gets every event afterwards, more than
// the memory has, and no offer waits.
func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, p := open(t, Options{Dir: filepath.Join(t.TempDir(), "spool")}, 16)
		p.set(down)
		const events = 150
		for i := range events {
			before := time.Now()
			l.Offer(event(i))
			if waited := time.Since(before); waited > 0 {
				t.Fatalf("offer %d waited %v", i, waited)
			}
			time.Sleep(4 * time.Second)
		}
		synctest.Wait()
		if s := balance(t, l); s.Spooled != events || s.Lost != 0 || !s.Down || s.Reason != errDown.Error() || s.Retried == 0 {
			t.Errorf("at the end of the outage: %+v", s)
		}
		p.set(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := balance(t, l); s.Delivered != events || s.Queued != 0 || s.Down {
			t.Errorf("a minute later: %+v", s)
		}
		stop(t, l)
		got := p.events(t)
		if lost := account(t, got); len(got) != events || lost != 0 {
			t.Errorf("%d events, %d lost", len(got), lost)
		}
		if !p.closed {
			t.Error("the peer is not closed")
		}
	})
}

// TestFullSpool: events that neither spool nor memory have room for are in a gap record.
func TestFullSpool(t *testing.T) {
	t.Parallel()
	for _, most := range []int{0, 1, 7} {
		synctest.Test(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "spool")
			l, p := open(t, Options{Dir: dir, Limit: 64 << 10}, 16, func(p *peer) { p.most, p.fail = most, down })
			const events = 1000
			for i := range events {
				l.Offer(event(i))
				time.Sleep(10 * time.Millisecond)
			}
			synctest.Wait()
			if size := folder(t, dir); size > 65<<10 {
				t.Errorf("the spool has %d bytes", size)
			}
			p.set(nil)
			time.Sleep(10 * time.Minute)
			s := balance(t, l)
			stop(t, l)
			got := p.events(t)
			lost := account(t, got)
			if lost == 0 || lost != s.Lost || s.Delivered+lost != events || s.Queued != 0 {
				t.Errorf("%d events are lost, and the counters are %+v", lost, s)
			}
			gap := got[slices.IndexFunc(got, func(ev alert.Event) bool { return ev.Type == alert.TypeGap })]
			if gap.Sink != "test" || gap.First != gap.Seq-gap.Lost+1 {
				t.Errorf("the gap is %+v", gap)
			}
			if size := folder(t, dir); size > 17<<10 {
				t.Errorf("the spool has %d bytes when all is sent", size)
			}
		})
	}
}

// folder returns the bytes of the files in a folder, all of which must be private.
func folder(t *testing.T, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
		size += info.Size()
	}
	return size
}

// TestRestart: a process that ends during an outage leaves its events to the next one.
func TestRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		var all []alert.Event
		for life := range 4 {
			l, p := open(t, Options{Dir: dir, Limit: 1 << 20}, 0, func(p *peer) {
				if life == 3 {
					return
				}
				p.most = 3
				p.fail = func(context.Context, []Line) error {
					if len(p.got) >= 10*life {
						return errDown
					}
					return nil
				}
			})
			for i := range 100 {
				l.Offer(event(i))
			}
			time.Sleep(time.Minute)
			s := balance(t, l)
			stop(t, l)
			all = append(all, p.events(t)...)
			if life == 3 && (s.Inherited == 0 || s.Queued != 0) {
				t.Errorf("at the end: %+v", s)
			}
		}
		if lost := account(t, all); lost != 0 || len(all) != 400 {
			t.Errorf("%d events, %d lost", len(all), lost)
		}
	})
}

// TestRetryAfter: no attempt is made before the time that the receiver asks for, with and
// without a spool, and Reopen does not wait.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "spool"} {
		synctest.Test(t, func(t *testing.T) {
			o := Options{}
			if name != "" {
				o.Dir = filepath.Join(t.TempDir(), name)
			}
			l, p := open(t, o, 0)
			p.set(func(context.Context, []Line) error { return &Error{After: time.Hour, Err: errors.New("status 429")} })
			l.Offer(event(1))
			time.Sleep(59 * time.Minute)
			synctest.Wait()
			if n := len(p.calls); n != 1 {
				t.Errorf("%q: %d attempts in 59 minutes", name, n)
			}
			p.set(nil)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if s := balance(t, l); s.Delivered != 1 || s.Retried == 0 {
				t.Errorf("%q: %+v", name, s)
			}
			p.set(func(context.Context, []Line) error { return &Error{After: time.Hour, Err: errors.New("status 429")} })
			l.Offer(event(2))
			time.Sleep(time.Minute)
			p.set(nil)
			l.Reopen()
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if s := balance(t, l); s.Delivered != 2 || p.reopens != 1 {
				t.Errorf("%q: after Reopen %+v, %d", name, s, p.reopens)
			}
			stop(t, l)
		})
	}
}

// TestRefused: an event that the receiver refuses is counted, and a gap record takes its
// place. The events around it arrive.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "spool"} {
		for _, most := range []int{0, 1, 5} {
			synctest.Test(t, func(t *testing.T) {
				o := Options{}
				if name != "" {
					o.Dir = filepath.Join(t.TempDir(), name)
				}
				l, p := open(t, o, 0, func(p *peer) { p.most = most })
				shaky := 0
				p.set(func(_ context.Context, lines []Line) error {
					shaky++
					if shaky%3 == 0 {
						return errDown
					}
					if most > 0 {
						lines = lines[:min(most, len(lines))]
					}
					for _, l := range lines {
						if bytes.Contains(l.Text, []byte(`"words":7,`)) {
							return &Error{Refused: true, Err: errors.New("status 400")}
						}
					}
					return nil
				})
				for i := range 10 {
					l.Offer(event(i))
				}
				time.Sleep(time.Hour)
				s := balance(t, l)
				stop(t, l)
				got := p.events(t)
				if s.Refused == 0 || s.Refusal != "status 400" {
					t.Errorf("%+v", s)
				}
				if lost := account(t, got); lost != 1 || s.Lost != 1 || s.Delivered != 9 || len(got) != 10 || got[7].Type != alert.TypeGap {
					t.Errorf("%q, %d: %d lost, %+v", name, most, lost, s)
				}
			})
		}
	}
}

// TestRefusedGap: a gap record that the receiver refuses is kept, over the end of the process
// too, and covers the events that are refused behind it, until the receiver takes it.
func TestRefusedGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := Options{Dir: filepath.Join(t.TempDir(), "spool")}
		all := func(context.Context, []Line) error { return &Error{Refused: true, Err: errors.New("status 400")} }
		gaps := func(_ context.Context, lines []Line) error {
			if bytes.Contains(lines[0].Text, []byte(`"type":"gap"`)) {
				return &Error{Refused: true, Err: errors.New("status 422")}
			}
			return nil
		}
		l, p := open(t, o, 0, func(p *peer) { p.most, p.fail = 1, all })
		offer := func(n int) {
			for i := range n {
				l.Offer(event(i))
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if s := balance(t, l); s.Queued != 0 {
				t.Errorf("%+v", s)
			}
		}
		offer(10)
		p.set(nil)
		time.Sleep(2 * keptPause) // without a new event
		if got := p.events(t); len(got) != 1 || got[0].Lost != 10 || account(t, got) != 10 {
			t.Fatalf("%+v", got)
		}
		p.set(all)
		offer(5)
		p.set(gaps)
		offer(5)
		if s := balance(t, l); s.Lost != 15 || s.Delivered != 5 || s.Gaps != 1 {
			t.Errorf("%+v", s)
		}
		stop(t, l)
		seen := p.events(t)
		for life := range 2 { // the first refuses it again
			l, p = open(t, o, 0, func(p *peer) {
				if life == 0 {
					p.fail = gaps
				}
			})
			offer(1)
			time.Sleep(2 * keptPause)
			stop(t, l)
			seen = append(seen, p.events(t)...)
		}
		var lost uint64
		for _, ev := range seen {
			lost += ev.Lost
		}
		if last := seen[len(seen)-2]; lost != 15 || len(seen) != 9 || last.Lost != 5 || last.Seq != 15 {
			t.Errorf("%d lost: %+v", lost, seen)
		}
	})
}

// TestLowest: events below a severity are not sent, gap records are.
func TestLowest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, p := open(t, Options{Lowest: alert.Critical, Dir: filepath.Join(t.TempDir(), "spool")}, 0)
		for i := range 10 {
			ev := event(i)
			if i == 5 {
				ev.Type, ev.Lost = alert.TypeGap, 1
			}
			if i == 6 {
				ev.Severity = alert.Critical
			}
			l.Offer(ev)
		}
		time.Sleep(time.Minute)
		s := l.Stats().Sinks[0]
		stop(t, l)
		if s.Skipped != 8 || len(p.got) != 2 || !strings.Contains(p.got[0], `"gap"`) || !strings.Contains(p.got[1], `"critical"`) {
			t.Errorf("%+v, %q", s, p.got)
		}
	})
}

// TestDamage: events in a part of the spool that the disk has changed are in a gap record.
func TestDamage(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"first", "last"} {
		synctest.Test(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "spool")
			l, p := open(t, Options{Dir: dir, Limit: 256 << 10}, 0)
			p.set(down)
			for i := range 200 {
				l.Offer(event(i))
			}
			time.Sleep(10 * time.Second)
			files, _ := filepath.Glob(filepath.Join(dir, "*"+segmentEnd))
			if len(files) < 2 {
				t.Fatalf("%d segments", len(files))
			}
			name := files[0]
			if where == "last" {
				name = files[len(files)-1]
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			text[len(text)/2] ^= 1
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
			p.set(nil)
			time.Sleep(time.Minute)
			for i := range 10 {
				l.Offer(event(i))
			}
			time.Sleep(time.Minute)
			s := balance(t, l)
			stop(t, l)
			lost := account(t, p.events(t))
			if lost == 0 || lost != s.Lost || s.Delivered+lost != 210 {
				t.Errorf("%s: %d lost, %+v", where, lost, s)
			}
		})
	}
}

// TestTornEnd: every cut of the file of a process that was killed leaves its whole lines.
func TestTornEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openSpool(filepath.Join(dir, "whole"), DefaultLimit)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := s.put(Line{Boot: strings.Repeat("B", 26), Seq: uint64(i + 1), Text: []byte(strings.Repeat("x", i*5))}); err != nil {
			t.Fatal(err)
		}
	}
	name := s.path(1)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	ends := []int{recordHead, 2*recordHead + 5, 3*recordHead + 15}
	for cut := range len(text) + 1 {
		sub := filepath.Join(dir, fmt.Sprint(cut))
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, filepath.Base(name)), text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openSpool(sub, DefaultLimit)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, end := range ends {
			if cut >= end {
				want++
			}
		}
		if err := s.put(Line{Boot: strings.Repeat("C", 26), Seq: 9, Text: []byte("next")}); err != nil {
			t.Fatal(err)
		}
		var got []Line
		for {
			lines, err := s.oldest()
			if err != nil {
				t.Fatal(err)
			}
			if len(lines) == 0 {
				break
			}
			got = append(got, lines...)
			s.drop(len(lines))
		}
		if _, hole := s.hole(); hole || len(got) != want+1 || s.inherited != uint64(want) || s.waiting.Load() != 0 {
			t.Errorf("cut %d: %d lines, inherited %d, waiting %d, want %d", cut, len(got), s.inherited, s.waiting.Load(), want)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFlippedBits: a changed bit anywhere in the files of a spool, the position included, is
// no reason to fail, and no changed line is sent.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	texts := []string{"one", "two", "three"}
	for _, name := range []string{"position", "0000000000000001.lines"} {
		for bit := 0; ; bit += 7 { // each byte once
			sub := filepath.Join(dir, fmt.Sprint(name, bit))
			s, err := openSpool(sub, DefaultLimit)
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range texts {
				if err := s.put(Line{Boot: strings.Repeat("B", 26), Seq: uint64(i + 1), Text: []byte(text)}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.oldest(); err != nil {
				t.Fatal(err)
			}
			s.drop(1)
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(sub, name))
			if err != nil {
				t.Fatal(err)
			}
			if bit >= 8*len(b) {
				break
			}
			b[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(filepath.Join(sub, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err = openSpool(sub, DefaultLimit); err != nil {
				t.Fatal(err)
			}
			lines, err := s.oldest()
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				if !slices.Contains(texts, string(l.Text)) || l.Seq < 1 || l.Seq > 3 {
					t.Errorf("%s, bit %d: line %+v", name, bit, l)
				}
			}
			if name == "position" && len(lines) != 3 { // the beginning, if it cannot be read
				t.Errorf("%s, bit %d: %d lines", name, bit, len(lines))
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestOneOwner: a spool belongs to one process.
func TestOneOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		l, _ := open(t, Options{Dir: dir}, 0)
		other := &peer{}
		if _, err := Open(Options{Name: "other", Peer: other, Append: alert.AppendLine, Dir: dir}); err == nil || !strings.Contains(err.Error(), "another process") || !other.closed {
			t.Errorf("a second owner: %v", err)
		}
		stop(t, l)
		l, _ = open(t, Options{Dir: dir}, 0)
		stop(t, l)
	})
}

// TestClose: a receiver that hangs delays the end by the drain at most, and loses nothing.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		l, p := open(t, Options{Dir: dir}, 0)
		p.set(func(ctx context.Context, _ []Line) error {
			<-ctx.Done()
			return ctx.Err()
		})
		l.Offer(event(1))
		time.Sleep(time.Second)
		before := time.Now()
		stop(t, l)
		if took := time.Since(before); took > DefaultDrain {
			t.Errorf("the end took %v", took)
		}
		l, p = open(t, Options{Dir: dir}, 0)
		time.Sleep(time.Second)
		stop(t, l)
		if len(p.got) != 1 {
			t.Errorf("the next process sent %d events", len(p.got))
		}
	})
}

// TestDrain: Close sends events that wait while the receiver takes them.
func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, p := open(t, Options{Dir: filepath.Join(t.TempDir(), "spool")}, 0, func(p *peer) { p.most = 1 })
		p.set(func(context.Context, []Line) error {
			time.Sleep(10 * time.Millisecond)
			return nil
		})
		for i := range 100 {
			l.Offer(event(i))
		}
		stop(t, l)
		if len(p.got) != 100 {
			t.Errorf("%d events were sent", len(p.got))
		}
	})
}

// TestFullDisk: a disk that takes no bytes costs no event that the memory has room for.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &peer{}
		b, err := Open(Options{Name: "test", Peer: p, Append: alert.AppendLine, Dir: filepath.Join(t.TempDir(), "spool")})
		if err != nil {
			t.Fatal(err)
		}
		broken, err := os.Open(b.spool.path(1)) // it can be read only, so that a write fails
		if err != nil {
			t.Fatal(err)
		}
		whole := b.spool.out
		b.spool.out = broken
		l, err := alert.Open(alert.Options{Sinks: []alert.Sink{b}, Queue: 8})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			l.Offer(event(i))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		if s := balance(t, l); s.Queued == 0 || s.Errors == 0 {
			t.Errorf("on the full disk: %+v", s)
		}
		b.spool.mu.Lock()
		b.spool.out = whole
		b.spool.mu.Unlock()
		time.Sleep(time.Minute)
		s := balance(t, l)
		stop(t, l)
		if lost := account(t, p.events(t)); lost != s.Lost || s.Delivered+lost != 100 || s.Queued != 0 {
			t.Errorf("%d lost, %+v", lost, s)
		}
		_ = broken.Close()
	})
}

// TestEndOfFullSpool: events that neither the spool nor the receiver took before the end of their
// process are counted by the next one, which sends a gap record in their place, after the
// lines of the spool. So it is if several processes end so.
func TestEndOfFullSpool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spool")
		const lives, events = 3, 300
		for life := range lives {
			l, _ := open(t, Options{Dir: dir, Limit: 64 << 10}, 0, func(p *peer) { p.fail = down })
			for i := range events {
				l.Offer(event(i))
			}
			time.Sleep(time.Minute)
			if s := balance(t, l); !s.Stuck || !strings.Contains(s.Reason, "the spool is full") || !strings.Contains(s.Reason, errDown.Error()) {
				t.Errorf("life %d: %+v", life, s)
			}
			end, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := l.Close(end)
			cancel()
			if err == nil || !strings.Contains(err.Error(), "events not written") {
				t.Errorf("the end: %v", err)
			}
		}
		for life := range 2 { // the second finds nothing any more
			l, p := open(t, Options{Dir: dir, Limit: 64 << 10}, 0)
			l.Offer(event(1))
			time.Sleep(time.Minute)
			s := balance(t, l)
			stop(t, l)
			got := p.events(t)
			lost := account(t, got)
			if life == 0 && (lost == 0 || s.Lost != lost || s.Delivered+lost != lives*events+1 || s.Gaps < lives || s.Queued != 0) {
				t.Errorf("%d lost, %+v", lost, s)
			}
			if life == 1 && (len(got) != 1 || s.Lost != 0 || s.Inherited != 0) {
				t.Errorf("%+v, %+v", got, s)
			}
		}
	})
}
