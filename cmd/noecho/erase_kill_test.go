package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"noecho/internal/raced"
)

// TestKilledSuppress kills erase suppress (SIGKILL) at random moments of its run, the next run
// completes the request, and nobody who was in the file is lost. 100 times:
//
//	go test -tags slow -run TestKilledSuppress -v ./cmd/noecho
func TestKilledSuppress(t *testing.T) {
	t.Parallel()
	noecho, err := exec.LookPath("noecho")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, rows, corpus := filepath.Join(dir, "x.nidx"), filepath.Join(dir, "rows.txt"), filepath.Join(dir, "corpus.txt")
	writeWords(t, rows, raced.Fewer(20_000))
	writeWords(t, corpus, raced.Fewer(200_000))
	query := func(name string) string {
		return writeText(t, filepath.Join(dir, name), fmt.Sprintf(`{"email":"%s@example.org"}`, name))
	}
	args := []string{"erase", "suppress", erasedRequest, "--out", out, "--query", query("bo"), "--records", rows, "--corpus", corpus}
	mustRun(t, noecho, "erase", "suppress", "--out", out, "--query", query("ann"))
	before := readFile(t, out)
	started := time.Now()
	mustRun(t, noecho, args...)
	took := time.Since(started)
	after := readFile(t, out)
	r := rand.New(rand.NewPCG(5, 7))
	killed := 0
	for i := range raced.Fewer(kills) {
		if err := os.WriteFile(out, before, 0o644); err != nil {
			t.Fatal(err)
		}
		killed += killWithin(t, time.Duration(r.Int64N(int64(took))), noecho, args...)
		if got := readFile(t, out); !bytes.Equal(got, before) && !bytes.Equal(got, after) {
			t.Fatalf("kill %d: the index is neither the old one nor the new one", i)
		}
		if i%5 == 0 {
			mustRun(t, noecho, args...)
			if _, err := os.Stat(out + ".new"); err == nil {
				t.Fatalf("kill %d: the next run left its files", i)
			}
		}
	}
	if !bytes.Equal(readFile(t, out), after) {
		mustRun(t, noecho, args...)
	}
	found, _ := exec.Command(noecho, "scan", "--index", out, writeText(t, filepath.Join(dir, "answer"), "ann@example.org bo@example.org")).Output()
	if !bytes.HasPrefix(found[bytes.LastIndexByte(bytes.TrimSpace(found), '\n')+1:], []byte("2 findings")) {
		t.Errorf("%s", found)
	}
	t.Logf("%d of %d were killed before they ended", killed, kills)
}
