package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func openFile(tb testing.TB, opts FileOptions) *File {
	tb.Helper()
	f, err := OpenFile(opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

func put(tb testing.TB, f *File, line string) {
	tb.Helper()
	if n, err := f.Write([]byte(line)); err != nil || n != len(line) {
		tb.Fatalf("write %q: %d, %v", line, n, err)
	}
}

func content(tb testing.TB, path string) string {
	tb.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestFileIsPrivateAndAppended(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	put(t, openFile(t, FileOptions{Path: path}), "one\n")
	put(t, openFile(t, FileOptions{Path: path}), "two\n")
	if got := content(t, path); got != "one\ntwo\n" {
		t.Errorf("file holds %q", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestFileMode: mode and group of the options hold for the file, for rotated ones, and for a
// file that was there before.
func TestFileMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	put(t, openFile(t, FileOptions{Path: path}), "one\n")
	f := openFile(t, FileOptions{Path: path, MaxBytes: 6, Mode: 0o644, Group: strconv.Itoa(os.Getgid())})
	for range 3 {
		put(t, f, "two\n")
	}
	for _, name := range []string{path, path + ".1", path + ".2"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	if _, err := OpenFile(FileOptions{Path: path, Group: "no such group"}); err == nil || !strings.Contains(err.Error(), "no such group") {
		t.Errorf("%v", err)
	}
}

func TestTornLastLineIsEnded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	whole := "{\"a\":1}\n{\"b\":22}\n"
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, []byte(whole[:cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		put(t, openFile(t, FileOptions{Path: path}), "next\n")
		want := whole[:cut] + "next\n"
		if cut > 0 && whole[cut-1] != '\n' {
			want = whole[:cut] + "\nnext\n"
		}
		if got := content(t, path); got != want {
			t.Errorf("cut at %d: %q, want %q", cut, got, want)
		}
	}
}

func TestFileRotatesBySize(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	f := openFile(t, FileOptions{Path: path, MaxBytes: 10, Keep: 2})
	for i := range 9 {
		put(t, f, fmt.Sprintf("=%d=\n", i)) // two lines of four bytes fit
	}
	for name, want := range map[string]string{path: "=8=\n", path + ".1": "=6=\n=7=\n", path + ".2": "=4=\n=5=\n"} {
		if got := content(t, name); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 3 {
		t.Errorf("files %v, %v", names, err)
	}
	put(t, f, strings.Repeat("x", 50)+"\n") // a line longer than MaxBytes gets a file of its own
	if got := content(t, path); len(got) != 51 {
		t.Errorf("the long line's file holds %q", got)
	}
}

func TestRotationIsNotConfusedByTruncation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	f := openFile(t, FileOptions{Path: path, MaxBytes: 10})
	put(t, f, "=0=\n")
	put(t, f, "=1=\n")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	put(t, f, "=2=\n")
	if _, err := os.Stat(path + ".1"); err == nil {
		t.Error("an emptied file was rotated")
	}
	if got := content(t, path); got != "=2=\n" {
		t.Errorf("file holds %q", got)
	}
}

func TestFailedRotationLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "alerts.jsonl")
	f := openFile(t, FileOptions{Path: path, MaxBytes: 8, Keep: 1})
	// A folder that is not empty has the name of the rotated file.
	if err := os.MkdirAll(filepath.Join(path+".1", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		put(t, f, fmt.Sprintf("=%d=\n", i))
	}
	if got := content(t, path); got != "=0=\n=1=\n=2=\n=3=\n" {
		t.Errorf("file holds %q", got)
	}
	if err := f.Sync(); err == nil || !strings.Contains(err.Error(), "rotate alert file") {
		t.Errorf("sync says %v", err)
	}
	if err := f.Sync(); err != nil {
		t.Errorf("sync says it again: %v", err)
	}
	if _, err := os.Stat(path + ".next"); err == nil {
		t.Error("the new file was left behind")
	}
}

func TestReopenFollowsARename(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	f := openFile(t, FileOptions{Path: path})
	for name, follow := range map[string]func() error{"reopen": f.Reopen, "sync": f.Sync} {
		put(t, f, "old "+name+"\n")
		if err := os.Rename(path, path+"."+name); err != nil {
			t.Fatal(err)
		}
		put(t, f, "late "+name+"\n") // still in the old file
		if err := follow(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, path); got != "" {
			t.Errorf("%s: new file holds %q", name, got)
		}
		if got := content(t, path+"."+name); !strings.HasSuffix(got, "old "+name+"\nlate "+name+"\n") {
			t.Errorf("%s: old file holds %q", name, got)
		}
	}
}

func TestReopenThatFailsKeepsTheFile(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, FileOptions{Path: filepath.Join(dir, "alerts.jsonl")})
	if err := os.Rename(dir, dir+".moved"); err != nil {
		t.Fatal(err)
	}
	if f.Reopen() == nil {
		t.Fatal("a file in a folder that is gone was opened")
	}
	put(t, f, "still here\n")
	if got := content(t, filepath.Join(dir+".moved", "alerts.jsonl")); got != "still here\n" {
		t.Errorf("file holds %q", got)
	}
}

func TestFileRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, opts := range map[string]FileOptions{
		"a folder":        {Path: dir},
		"a device":        {Path: os.DevNull},
		"no name":         {},
		"a negative size": {Path: filepath.Join(dir, "a"), MaxBytes: -1},
	} {
		if f, err := OpenFile(opts); err == nil {
			f.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

// TestLogOverRotatingFiles uses a log and rotating files together: the files contain every
// event of two boots once, in order.
func TestLogOverRotatingFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	for life := range 2 {
		f := openFile(t, FileOptions{Path: path, MaxBytes: 4000, Keep: 99})
		var out bytes.Buffer
		l := start(t, Options{Sinks: []Sink{f, NewWriter("stdout", &out)}})
		for range 100 {
			l.Offer(finding())
		}
		stop(t, l)
		if got := len(readLines(t, out.Bytes())); got != 100 {
			t.Errorf("life %d: %d lines on the stream, want 100", life, got)
		}
	}
	var all []byte
	for i := 99; i >= 0; i-- {
		f := File{opts: FileOptions{Path: path}}
		if b, err := os.ReadFile(f.rotated(i)); err == nil {
			if len(b) > 4000 {
				t.Errorf("file %d has %d bytes", i, len(b))
			}
			all = append(all, b...)
		}
	}
	lines := bytes.SplitAfter(all, []byte("\n"))
	if len(lines) != 201 || len(lines[200]) != 0 {
		t.Fatalf("%d lines, want 200", len(lines)-1)
	}
	readLines(t, bytes.Join(lines[:100], nil))
	readLines(t, bytes.Join(lines[100:200], nil))
}

func BenchmarkLogToFile(b *testing.B) {
	f, err := OpenFile(FileOptions{Path: filepath.Join(b.TempDir(), "alerts.jsonl")})
	if err != nil {
		b.Fatal(err)
	}
	l := start(b, Options{Sinks: []Sink{f}, Queue: 1 << 16})
	ev := finding()
	b.ReportAllocs()
	for b.Loop() {
		l.Offer(ev)
	}
	stop(b, l)
	b.ReportMetric(float64(l.Stats().Sinks[0].Lost), "lost")
}

// BenchmarkOfferDuringOutage measures how long an answer waits in Offer while one sink
// fails and another never returns.
func BenchmarkOfferDuringOutage(b *testing.B) {
	broken := &tape{write: func([]byte) (int, error) { return 0, errors.New("no space left on device") }}
	stuck := &tape{hold: make(chan struct{})}
	l := start(b, Options{Sinks: []Sink{broken, stuck}})
	ev := finding()
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begun := time.Now()
		l.Offer(ev)
		if len(took) < 1<<20 {
			took = append(took, time.Since(begun))
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
	close(stuck.hold)
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	_ = l.Close(ctx) // the broken sink never writes its events
}
