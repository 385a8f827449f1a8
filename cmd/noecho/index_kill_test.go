package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"noecho/internal/raced"
)

// TestKilledBuildsLeaveTheOldIndex kills builds and merges (SIGKILL) at random moments of
// their run. Afterwards the path of --out has either the old index, byte for byte, or
// the complete new one, and no other file is left in the folder. 100 times:
//
//	go test -tags slow -run TestKilled -v ./cmd/noecho
func TestKilledBuildsLeaveTheOldIndex(t *testing.T) {
	t.Parallel()
	noecho, err := exec.LookPath("noecho")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	corpus, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	for _, d := range []string{corpus, out} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	small, large := filepath.Join(corpus, "small.txt"), filepath.Join(corpus, "large.txt")
	writeWords(t, small, 1000)
	writeWords(t, large, raced.Fewer(500_000))
	index := filepath.Join(out, "x.nidx")
	shard := filepath.Join(corpus, "shard.nidx")
	for _, job := range []struct {
		name string
		old  []string // the command that makes the old index
		args []string
	}{
		{"build", []string{"index", "build", "--out", index, small}, []string{"index", "build", "--out", index, large}},
		{
			"merge",
			[]string{"index", "build", "--capacity", "6000000", "--out", index, small},
			[]string{"index", "merge", "--out", index, index, shard},
		},
	} {
		mustRun(t, noecho, "index", "build", "--capacity", "6000000", "--out", shard, small, large)
		mustRun(t, noecho, job.old...)
		before := readFile(t, index)
		started := time.Now()
		mustRun(t, noecho, job.args...)
		took := time.Since(started)
		after := readFile(t, index)
		r := rand.New(rand.NewPCG(uint64(len(before)), 7))
		killed, tries := 0, kills
		if testing.Short() {
			tries = 2
		}
		for i := range tries {
			if err := os.WriteFile(index, before, 0o644); err != nil {
				t.Fatal(err)
			}
			killed += killWithin(t, time.Duration(r.Int64N(int64(took))), noecho, job.args...)
			got := readFile(t, index)
			if !bytes.Equal(got, before) && !bytes.Equal(got, after) {
				t.Fatalf("%s %d: the index is neither the old one nor the new one", job.name, i)
			}
			checkLeft(t, out, after)
		}
		t.Logf("%s: %d of %d were killed before they ended", job.name, killed, tries)
	}
}

// checkLeft allows one other file beside the index: the complete new index under its
// temporary name. It removes that file, so that the next check starts clean.
func checkLeft(t *testing.T, dir string, complete []byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 2 {
		t.Fatalf("left behind: %v", entries)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.Name() == "x.nidx" {
			continue
		}
		if !strings.HasPrefix(e.Name(), ".x.nidx.") || !bytes.Equal(readFile(t, path), complete) {
			t.Fatalf("left behind: %s", e.Name())
		}
		t.Logf("%s: killed between its two names", e.Name())
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// writeWords writes a text of that many made-up words.
func writeWords(t *testing.T, path string, words int) {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(words), 3))
	var b strings.Builder
	for range words {
		fmt.Fprintf(&b, "w%d ", r.IntN(5000))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustRun(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// killWithin runs a program and kills it (SIGKILL) after d, a random time. It returns 1 if the
// program had not ended before. Nothing but the kill depends on the time.
func killWithin(t *testing.T, d time.Duration, program string, args ...string) (killed int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
	if cmd.Wait() != nil {
		killed = 1
	}
	timer.Stop()
	return killed
}
