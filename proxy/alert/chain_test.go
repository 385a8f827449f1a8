package alert

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestEverySinkGetsDigests looks at the digests of three hours, of which the log makes one an
// hour and one at its end, in a sink that gets all events and in one that loses some.
func TestEverySinkGetsDigests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		whole, stuck := &tape{}, &tape{hold: make(chan struct{})}
		l := start(t, Options{Sinks: []Sink{whole, stuck}, Queue: 8, Digest: time.Hour})
		for range 14 {
			l.Offer(finding())
			time.Sleep(10 * time.Minute)
		}
		close(stuck.hold)
		synctest.Wait()
		stop(t, l)
		for _, tt := range []struct {
			sink *tape
			want int
		}{{whole, 3}, {stuck, 2}} {
			digests, gaps := 0, 0
			var since []byte // the lines since the last digest, that one included
			var first, lines uint64
			counts := map[Type]uint64{}
			for line := range bytes.Lines(tt.sink.bytes) {
				ev := parseLine(t, line)
				if ev.Type == TypeDigest {
					digests++
					sum := sha256.Sum256(since)
					if ev.SHA256 != hex.EncodeToString(sum[:]) || ev.Lines != lines || ev.First != first {
						t.Errorf("digest %+v of %d lines from %d", ev, lines, first)
					}
					for kind, n := range counts {
						if ev.Counts[kind] != n {
							t.Errorf("%d of %s, counted %d", ev.Counts[kind], kind, n)
						}
					}
					since, lines = nil, 0
					clear(counts)
				}
				if ev.Type == TypeGap {
					gaps++
				}
				if lines == 0 {
					first = ev.first()
				}
				since = append(since, line...)
				lines++
				counts[ev.Type]++
			}
			if digests != tt.want || lines != 1 {
				t.Errorf("%d digests, want %d, and %d lines behind the last", digests, tt.want, lines-1)
			}
			if (gaps == 0) != (tt.sink == whole) {
				t.Errorf("%d gaps", gaps)
			}
			path := filepath.Join(t.TempDir(), "alerts.jsonl")
			if err := os.WriteFile(path, tt.sink.bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			if f := check(t, nil, AllInstances, path); len(f.Problems) > 0 {
				t.Error(f.Problems)
			}
		}
	})
}

func parseLine(tb testing.TB, line []byte) Event {
	tb.Helper()
	c := &Chain{boots: map[string]*bootChain{}}
	var out Event
	c.line("x", line, func(ev *Event, _ string) { out = *ev })
	if out.Boot == "" {
		tb.Fatalf("no alert: %s", line)
	}
	return out
}

// check reads files as those of one sink and compares them with anchors.
func check(tb testing.TB, anchors []Anchor, extent Extent, paths ...string) Found {
	tb.Helper()
	c, err := ReadChain(paths, func(*Event, string) {})
	if err != nil {
		tb.Fatal(err)
	}
	return CheckAnchors([]*Chain{c}, anchors, extent)
}

// history returns the lines of a sink over some boots of one hour and a half, and anchors for
// all digests.
func history(t *testing.T, boots int) (lines [][]byte, anchors []Anchor) {
	t.Helper()
	sink := &tape{}
	synctest.Test(t, func(t *testing.T) {
		for range boots {
			l := start(t, Options{Sinks: []Sink{sink}, Digest: time.Hour})
			l.Offer(Event{Type: TypeStart})
			for range 3 {
				l.Offer(finding())
				time.Sleep(30 * time.Minute)
			}
			stop(t, l)
		}
	})
	for line := range bytes.Lines(sink.bytes) {
		lines = append(lines, bytes.Clone(line))
		if ev := parseLine(t, line); ev.Type == TypeDigest {
			anchors = append(anchors, AnchorOf(&ev))
		}
	}
	return lines, anchors
}

// TestEveryEditOfAlertsIsFound edits one line after the other: it changes, removes, repeats and
// moves it, and cuts the file there.
func TestEveryEditOfAlertsIsFound(t *testing.T) {
	t.Parallel()
	lines, anchors := history(t, 3)
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	write := func(lines ...[]byte) Found {
		if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		return check(t, anchors, AllInstances, path)
	}
	if f := write(lines...); len(f.Problems) > 0 || f.Lines != uint64(len(lines)) || f.Covered != f.Lines-3 || f.Expired > 0 {
		t.Fatalf("unchanged: %+v", f)
	}
	for i, line := range lines {
		newest := parseLine(t, line).Type == TypeDigest && (i+1 == len(lines) || parseLine(t, lines[i+1]).Boot != parseLine(t, line).Boot)
		changed := bytes.Replace(line, []byte(`"severity":"`), []byte(`"severity":"x`), 1)
		edits := map[string][][]byte{
			"removed":  append(append([][]byte{}, lines[:i]...), lines[i+1:]...),
			"repeated": append(append(append([][]byte{}, lines[:i+1]...), line), lines[i+1:]...),
			"garbled":  append(append(append([][]byte{}, lines[:i]...), []byte("garbage\n")), lines[i+1:]...),
			"cut":      lines[:i],
		}
		if !newest { // no digest is behind it yet
			edits["changed"] = append(append(append([][]byte{}, lines[:i]...), changed), lines[i+1:]...)
		}
		if i > 0 {
			moved := append([][]byte{}, lines...)
			moved[i-1], moved[i] = moved[i], moved[i-1]
			edits["moved"] = moved
		}
		for name, edit := range edits {
			f := write(edit...)
			if i == 0 && (name == "removed" || name == "garbled") && len(f.Problems) == 0 && f.Expired == 1 {
				continue // as if the oldest file had been deleted
			}
			betweenBoots := name == "moved" && parseLine(t, lines[i-1]).Boot != parseLine(t, line).Boot
			if len(f.Problems) == 0 && !betweenBoots {
				t.Errorf("line %d %s: not found: %+v", i+1, name, f)
			}
		}
	}
}

// forge edits the second line and makes all digests of the file right again.
func forge(t *testing.T, lines [][]byte) (forged []byte) {
	t.Helper()
	var tally tally
	for i, line := range lines {
		ev := parseLine(t, line)
		if i == 1 {
			ev.Path = "/somewhere/else"
		}
		if ev.Type == TypeDigest {
			tally.fill(&ev)
		}
		line = AppendLine(nil, &ev)
		tally.add(&ev, line)
		forged = append(forged, line...)
	}
	return forged
}

// TestHashedAnewIsFound edits a line and makes all digests of the file right again.
func TestHashedAnewIsFound(t *testing.T) {
	t.Parallel()
	lines, anchors := history(t, 1)
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	if err := os.WriteFile(path, forge(t, lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := check(t, nil, AllInstances, path); len(f.Problems) > 0 {
		t.Fatalf("without anchors: %q", f.Problems)
	}
	f := check(t, anchors, AllInstances, path)
	if len(f.Problems) != 2 || !strings.Contains(f.Problems[0], "are not those that the log has a digest of") {
		t.Errorf("%q", f.Problems)
	}
}

// TestSecondFileIsFound names a file beside the true one: a copy, a forged copy, and a forged
// end behind the newest digest. The order of the files does not matter.
func TestSecondFileIsFound(t *testing.T) {
	t.Parallel()
	lines, anchors := history(t, 1)
	dir := t.TempDir()
	chain := func(name string, text []byte) *Chain {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := ReadChain([]string{path}, func(*Event, string) {})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	whole := bytes.Join(lines, nil)
	genuine := chain("alerts.jsonl", whole)
	later := bytes.Replace(lines[len(lines)-1], []byte(`"severity":"`), []byte(`"severity":"x`), 1)
	for _, tt := range []struct {
		name    string
		text    []byte
		changed bool // lines that a digest covers
	}{
		{"copy.jsonl", whole, false},
		{"forged.jsonl", forge(t, lines), true},
		{"end.jsonl", append(bytes.Join(lines[:len(lines)-1], nil), later...), false},
	} {
		second := chain(tt.name, tt.text)
		for _, chains := range [][]*Chain{{genuine, second}, {second, genuine}} {
			f := CheckAnchors(chains, anchors, AllInstances)
			if len(f.Problems) == 0 || !strings.Contains(strings.Join(f.Problems, "\n"), "alerts.jsonl and in ") && !strings.Contains(strings.Join(f.Problems, "\n"), "and in "+filepath.Join(dir, "alerts.jsonl")) {
				t.Errorf("%s: %q", tt.name, f.Problems)
			}
			f = CheckAnchors(chains, anchors, SomeInstances)
			if found := strings.Contains(strings.Join(f.Problems, "\n"), tt.name+": the lines of events"); found != tt.changed {
				t.Errorf("%s, some instances: %q", tt.name, f.Problems)
			}
		}
	}
	// A file that goes on in another one is no second file, whichever is named first.
	older, newer := chain("older.jsonl", bytes.Join(lines[:3], nil)), chain("newer.jsonl", bytes.Join(lines[3:], nil))
	for _, chains := range [][]*Chain{{older, newer}, {newer, older}} {
		if f := CheckAnchors(chains, anchors, AllInstances); len(f.Problems) > 0 {
			t.Errorf("two parts: %q", f.Problems)
		}
	}
}

// TestExpiredAndForeignAlerts leaves out whole files and boots.
func TestExpiredAndForeignAlerts(t *testing.T) {
	t.Parallel()
	lines, anchors := history(t, 3)
	dir := t.TempDir()
	old, now, none := filepath.Join(dir, "alerts.jsonl.1"), filepath.Join(dir, "alerts.jsonl"), filepath.Join(dir, "none.jsonl")
	for path, part := range map[string][][]byte{old: lines[:9], now: lines[9:], none: nil} {
		if err := os.WriteFile(path, bytes.Join(part, nil), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if f := check(t, anchors, AllInstances, old, now); len(f.Problems) > 0 || f.Expired > 0 {
		t.Errorf("both files: %+v", f)
	}
	if f := check(t, anchors, AllInstances, now); len(f.Problems) > 0 || f.Expired != 3 || f.Covered == 0 {
		t.Errorf("the newer file: %+v", f)
	}
	if f := check(t, anchors, AllInstances, old); len(f.Problems) != 3 {
		t.Errorf("the older file: %+v", f)
	}
	if f := check(t, anchors, SomeInstances, none); len(f.Problems) > 0 || f.Expired != len(anchors) {
		t.Errorf("no lines, some instances: %+v", f)
	}
	if f := check(t, anchors, AllInstances, none); len(f.Problems) != 3 {
		t.Errorf("no lines: %+v", f)
	}
	started := append([]Anchor{{Boot: "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", Last: 1}}, anchors...)
	if f := check(t, started, AllInstances, old, now); len(f.Problems) != 1 {
		t.Errorf("a boot without a line: %+v", f)
	}
	if f := check(t, started, SomeInstances, old, now); len(f.Problems) > 0 || f.Absent != 1 {
		t.Errorf("a boot of another instance: %+v", f)
	}
}
