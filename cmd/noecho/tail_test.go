package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/console"
	"noecho/proxy/alert"
)

// alertLine is an alert with the given number, of one boot.
func alertLine(seq int) string {
	return fmt.Sprintf(`{"v":1,"type":"finding","seq":%d,"boot":"B","time":"2026-03-04T12:00:00Z","severity":"low","action":"echo"}`, seq) + "\n"
}

func TestLineSplitterOverEverySplit(t *testing.T) {
	t.Parallel()
	text := "one\n\ntwo\r\nlast"
	want := []string{"one", "", "two\r", "last"}
	for cut := range len(text) + 1 {
		var got []string
		s := lineSplitter{line: func(line []byte) error { got = append(got, string(line)); return nil }}
		for _, p := range []string{text[:cut], text[cut:]} {
			if _, err := s.Write([]byte(p)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("cut at %d: %q", cut, got)
		}
	}
}

func TestLineSplitterGivesUpLongLines(t *testing.T) {
	t.Parallel()
	var got []int
	s := lineSplitter{line: func(line []byte) error { got = append(got, len(line)); return nil }}
	block := bytes.Repeat([]byte("x"), 300<<10)
	for range 40 {
		if _, err := s.Write(block); err != nil {
			t.Fatal(err)
		}
		if len(s.rest) > maxTailLine {
			t.Fatalf("%d bytes kept", len(s.rest))
		}
	}
	if _, err := s.Write([]byte("\nshort\n")); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []int{maxTailLine, 5}) {
		t.Errorf("lines of %v bytes", got)
	}
}

// watched is a running follower of a file in a folder of its own.
type watched struct {
	*testing.T
	path  string
	lines *bufio.Reader
	log   *bytes.Buffer // may be read after stop
	quit  context.CancelFunc
	ended chan error
}

// follow starts a follower. With a poll interval the follower gets no notifications and
// only polls.
func follow(t *testing.T, path string, poll time.Duration) *watched {
	out, in := io.Pipe()
	w := &watched{T: t, path: path, lines: bufio.NewReader(out), log: &bytes.Buffer{}, ended: make(chan error, 1)}
	ctx, quit := context.WithCancel(t.Context())
	w.quit = quit
	p := &tailPrinter{out: in, log: w.log, name: "alerts", format: alertJSON, seen: map[string]uint64{}}
	f := newFollower(path, p)
	go func() {
		var err error
		if poll > 0 {
			f.poll = poll
			err = f.loop(ctx)
		} else {
			err = f.run(ctx)
		}
		in.CloseWithError(io.EOF)
		w.ended <- err
	}()
	t.Cleanup(func() { quit(); out.Close() })
	return w
}

// expect waits for the alerts with the given numbers.
func (w *watched) expect(first, last int) {
	w.Helper()
	for seq := first; seq <= last; seq++ {
		line, err := w.lines.ReadString('\n')
		if err != nil || line != alertLine(seq) {
			w.Fatalf("got %q, %v, want number %d", line, err, seq)
		}
	}
}

func (w *watched) stop() string {
	w.Helper()
	w.quit()
	if err := <-w.ended; err != nil {
		w.Fatal(err)
	}
	return w.log.String()
}

// add appends text to the file, creating it if need be.
func (w *watched) add(text string) { addTo(w.T, w.path, text) }

func addTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// bothWays runs a test with a follower that gets notifications of changes and with one
// that only polls.
func bothWays(t *testing.T, test func(t *testing.T, start func(path string) *watched, path string)) {
	for name, poll := range map[string]time.Duration{"told": 0, "polling": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "alerts.jsonl")
			test(t, func(path string) *watched { return follow(t, path, poll) }, path)
		})
	}
}

func TestFollowAppends(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, start func(string) *watched, path string) {
		addTo(t, path, alertLine(1)+alertLine(2)[:20])
		w := start(path)
		w.expect(1, 1)
		w.add(alertLine(2)[20:])
		w.expect(2, 2)
		w.add(alertLine(3))
		w.expect(3, 3)
		if log := w.stop(); log != "" {
			t.Error(log)
		}
	})
}

func TestFollowWaitsForTheFile(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, start func(string) *watched, path string) {
		w := start(path)
		w.add(alertLine(1))
		w.expect(1, 1)
		if log := w.stop(); log != "" && !strings.Contains(log, "waiting for "+path) {
			t.Error(log)
		}
	})
}

func TestFollowAcrossRotation(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, start func(string) *watched, path string) {
		addTo(t, path, alertLine(1))
		w := start(path)
		w.expect(1, 1)
		rename(t, path, path+".1")
		addTo(t, path, "")                // the writer has created the new file
		addTo(t, path+".1", alertLine(2)) // but still appends to the old one
		w.expect(2, 2)
		addTo(t, path, alertLine(3))
		w.expect(3, 3)
		if log := w.stop(); log != "" {
			t.Error(log)
		}
	})
}

// TestFollowReadsTheFilesBetween lets three rotations happen between two looks of a
// follower.
func TestFollowReadsTheFilesBetween(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	addTo(t, path, alertLine(1))
	var out, log bytes.Buffer
	f := newFollower(path, &tailPrinter{out: &out, log: &log, format: alertJSON, seen: map[string]uint64{}})
	if err := f.open(path); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for k := i; k >= 1; k-- {
			rename(t, fmt.Sprintf("%s.%d", path, k), fmt.Sprintf("%s.%d", path, k+1))
		}
		rename(t, path, path+".1")
		addTo(t, path, alertLine(2+i))
	}
	for moved := true; moved; {
		err := f.drain(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if moved, err = f.advance(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.file.Close()
	if got := out.String(); got != alertLine(1)+alertLine(2)+alertLine(3)+alertLine(4) || log.Len() > 0 {
		t.Errorf("read %q, log %q", got, log.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestFollowAcrossTruncation(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, start func(string) *watched, path string) {
		addTo(t, path, alertLine(1)+alertLine(2)+"torn")
		w := start(path)
		w.expect(1, 2)
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		w.add(alertLine(3))
		w.expect(3, 3)
		if log := w.stop(); !strings.Contains(log, "alerts:3: not an alert: torn") {
			t.Errorf("log %q", log)
		}
	})
}

func TestFollowAcrossRemovalAndGaps(t *testing.T) {
	t.Parallel()
	bothWays(t, func(t *testing.T, start func(string) *watched, path string) {
		addTo(t, path, alertLine(1))
		w := start(path)
		w.expect(1, 1)
		rename(t, path, path+"-20260304")
		w.add(alertLine(5))
		w.expect(5, 5)
		if log := w.stop(); !strings.Contains(log, "events 2 to 4 of boot B are missing") {
			t.Errorf("log %q", log)
		}
	})
}

// TestFollowTheRealLog follows a file that the alert log rotates under it.
func TestFollowTheRealLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	file, err := alert.OpenFile(alert.FileOptions{Path: path, MaxBytes: 5000, Keep: 999})
	if err != nil {
		t.Fatal(err)
	}
	log, err := alert.Open(alert.Options{Sinks: []alert.Sink{file}})
	if err != nil {
		t.Fatal(err)
	}
	w := follow(t, path, 0)
	const events = 500
	log.Offer(alert.Event{Type: alert.TypeFinding})
	for seq := 1; seq <= events; seq++ {
		if seq == 2 { // the follower has the file
			for range events - 1 {
				log.Offer(alert.Event{Type: alert.TypeFinding})
			}
		}
		line, err := w.lines.ReadString('\n')
		if err != nil || !strings.Contains(line, fmt.Sprintf(`"seq":%d,`, seq)) {
			t.Fatalf("got %q, %v, want number %d", line, err, seq)
		}
	}
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if log := w.stop(); log != "" && !strings.HasPrefix(log, "noecho: waiting") {
		t.Error(log)
	}
}

func TestTailStreamEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	in, feed := io.Pipe() // never ends
	defer feed.Close()
	out, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		p := &tailPrinter{out: printed, log: io.Discard, format: alertJSON, seen: map[string]uint64{}}
		ended <- tailStream(ctx, in, p)
	}()
	if _, err := io.WriteString(feed, alertLine(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTailStopsWhenNobodyReads(t *testing.T) {
	t.Parallel()
	full := writerFunc(func([]byte) (int, error) { return 0, errors.New("broken pipe") })
	p := &tailPrinter{out: full, log: io.Discard, format: alertJSON, seen: map[string]uint64{}}
	if err := tailStream(t.Context(), strings.NewReader(alertLine(1)), p); err == nil {
		t.Error("an error of the output was swallowed")
	}
}

func TestColours(t *testing.T) {
	t.Parallel()
	ev := alert.Event{Type: alert.TypeFinding, Severity: alert.Critical, Action: alert.Blocked, Kind: alert.Phrase, Words: 1, Channel: "choices.0.content"}
	if got, want := ansi().render(&ev), "\x1b[2m0001-01-01T00:00:00.000Z\x1b[0m \x1b[1;37;41mcritical\x1b[0m \x1b[1mblocked  \x1b[0m 1 word phrase in choices.0.content at 0-0"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestParseSince(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	f := func(in string, want time.Time) {
		t.Helper()
		if got, err := console.ParseSince(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v, want %v", in, got, err, want)
		}
	}
	f("1h", now.Add(-time.Hour))
	f("0s", now)
	f("7d", now.AddDate(0, 0, -7))
	f("2026-03-01T00:00:00+01:00", time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC))
	for _, bad := range []string{"x", "d", "-1d", "1", "-5m", "2026-03-01"} {
		if _, err := console.ParseSince(bad, now); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestTailOtherFile reads a training file instead of an alert file. Its lines are
// counted, and the first ones reported.
func TestTailOtherFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "train.jsonl")
	if err := os.WriteFile(path, []byte(strings.Repeat("{\"text\":\"a row\"}\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runApp(t, "", "tail", path)
	if code != exitFailure || stdout != "" || strings.Count(stderr, "\n") != 21 || !strings.Contains(stderr, "only 1000 lines of something else") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	// In an alert file every such line is damage, and each is reported.
	code, stdout, stderr = runApp(t, alertLine(1)+strings.Repeat("damage\n", 50), "tail", "-")
	if code != exitOK || strings.Count(stdout, "\n") != 1 || strings.Count(stderr, "\n") != 51 ||
		!strings.Contains(stderr, "50 of 51 lines were not alerts") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

// FuzzTail reads arbitrary bytes as an alert file. No line may be lost, crash the reader
// or control the terminal.
func FuzzTail(f *testing.F) {
	f.Add([]byte(alertLine(1)+"garbage\n"+alertLine(9)), 7)
	f.Add([]byte(`{"v":1,"type":"gap","seq":3,"boot":"B","lost":9,"sink":"\u001b[2J"}`), 1)
	f.Add([]byte(`{"v":1,"type":"finding","records":[{"id":"x"}],"digests":["00"]}`), 3)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var out, log bytes.Buffer
		p := &tailPrinter{out: &out, log: &log, name: "x", seen: map[string]uint64{}}
		s := lineSplitter{line: p.line}
		at := min(max(cut, 0), len(text))
		for _, piece := range [][]byte{text[:at], text[at:]} {
			if _, err := s.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.end(); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.String() + log.String() {
			if r < 0x20 && r != '\n' || r >= 0x7f && r <= 0x9f {
				t.Fatalf("%U was printed", r)
			}
		}
		filled := 0
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			if len(bytes.TrimSuffix(line, []byte("\r"))) > 0 {
				filled++
			}
		}
		if shown := strings.Count(out.String(), "\n"); shown+p.garbled != filled {
			t.Fatalf("%d lines shown and %d reported of %d", shown, p.garbled, filled)
		}
	})
}
