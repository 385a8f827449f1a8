package accesslog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a sink that a test can read, block and break.
type memory struct {
	mu     sync.Mutex
	text   strings.Builder
	broken error
	gate   chan struct{} // nil: a write never waits; else it waits for an element
	synced int
}

func (m *memory) Write(p []byte) (int, error) {
	if m.gate != nil {
		<-m.gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return 0, m.broken
	}
	return m.text.Write(p)
}

func (m *memory) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.synced++
	return nil
}

func (m *memory) Close() error { return nil }

func (m *memory) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

var sample = Entry{
	Time:      time.Date(2026, 11, 30, 1, 2, 3, 4e6, time.FixedZone("x", 3600)),
	RequestID: "01J", Route: "/v1/chat/completions", Method: "POST", Status: 200, Bytes: 4096,
	Duration: 1234567 * time.Microsecond, Upstream: 250 * time.Microsecond, Action: "redacted", Principal: "0123456789abcdef",
}

func TestLine(t *testing.T) {
	t.Parallel()
	const want = `{"log":"access","time":"2026-11-30T00:02:03.004Z","request_id":"01J","route":"/v1/chat/completions","method":"POST","status":200,"bytes":4096,"duration_ms":1234.567,"upstream_ms":0.250,"action":"redacted","principal":"0123456789abcdef"}` + "\n"
	if got := string(appendLine(nil, &sample)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	const bare = `{"log":"access","time":"0001-01-01T00:00:00.000Z","request_id":"","route":"","method":"","status":0,"bytes":0,"duration_ms":0.000,"action":""}` + "\n"
	if got := string(appendLine(nil, &Entry{})); got != bare {
		t.Errorf("%s, want %s", got, bare)
	}
}

// FuzzLine: whatever the texts are, an entry is one line of valid JSON with these texts.
func FuzzLine(f *testing.F) {
	f.Add("01J", "/v1/{id}", "\"}\n{\"log\":\"access\"", "\u2028\x00\xff")
	f.Fuzz(func(t *testing.T, id, route, action, principal string) {
		line := string(appendLine(nil, &Entry{RequestID: id, Route: route, Action: action, Principal: principal}))
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%q is not one line", line)
		}
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if want := strings.ToValidUTF8(id, ""); strings.ToValidUTF8(id, "") == id && m["request_id"] != want {
			t.Fatalf("request_id %q, want %q", m["request_id"], want)
		}
	})
}

func TestAddDoesNotAllocate(t *testing.T) {
	l := &Log{wake: make(chan struct{}, 1), buf: make([]byte, 0, maxBytes)}
	if n := testing.AllocsPerRun(1000, func() { l.Add(sample) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestLog: lines are written after a second at the latest, in order, and after a Reopen.
func TestLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &memory{}
		l := Open(m)
		for i := range 3 {
			l.Add(Entry{RequestID: fmt.Sprint(i)})
		}
		time.Sleep(flushEvery)
		synctest.Wait()
		lines := strings.Split(m.String(), "\n")
		if len(lines) != 4 || !strings.Contains(lines[0], `"request_id":"0"`) || !strings.Contains(lines[2], `"request_id":"2"`) {
			t.Errorf("%q", lines)
		}
		l.Add(sample)
		l.Reopen()
		synctest.Wait()
		if m.synced != 2 || strings.Count(m.String(), "\n") != 4 {
			t.Errorf("made durable %d times: %q", m.synced, m.String())
		}
		time.Sleep(10 * flushEvery) // without new lines there is nothing to do
		synctest.Wait()
		if m.synced > 3 {
			t.Errorf("made durable %d times", m.synced)
		}
		l.Add(sample)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if written, dropped := l.Counts(); written != 5 || dropped != 0 || strings.Count(m.String(), "\n") != 5 {
			t.Errorf("%d written, %d dropped: %q", written, dropped, m.String())
		}
	})
}

// TestStuck: a sink that takes nothing never delays Add; lines beyond the bound are dropped and
// counted exactly.
func TestStuck(t *testing.T) {
	t.Parallel()
	m := &memory{gate: make(chan struct{})}
	l := Open(m)
	const n = 3 * maxBytes / 200
	for range n {
		l.Add(sample)
	}
	close(m.gate)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	written, dropped := l.Counts()
	if lines := uint64(strings.Count(m.String(), "\n")); written != lines || written+dropped != n || dropped == 0 {
		t.Errorf("%d written, %d dropped, %d lines, %d added", written, dropped, lines, n)
	}
}

// TestBroken: lines that cannot be written are counted.
func TestBroken(t *testing.T) {
	t.Parallel()
	l := Open(&memory{broken: errors.New("disk full")})
	l.Add(sample)
	_ = l.Close()
	if written, dropped := l.Counts(); written != 0 || dropped != 1 {
		t.Errorf("%d written, %d dropped", written, dropped)
	}
}

// TestNone: without a log nothing happens.
func TestNone(t *testing.T) {
	t.Parallel()
	var l *Log
	l.Add(sample)
	l.Reopen()
	if written, dropped := l.Counts(); written+dropped != 0 || l.Close() != nil {
		t.Error("a log that is none counts lines")
	}
}

func BenchmarkAdd(b *testing.B) {
	b.ReportAllocs()
	l := &Log{wake: make(chan struct{}, 1), buf: make([]byte, 0, maxBytes)}
	for b.Loop() {
		l.Add(sample)
		l.buf = l.buf[:0]
	}
}
