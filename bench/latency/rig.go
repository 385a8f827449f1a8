package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"noecho/internal/fakellm"
)

// patience bounds every wait for a process.
const patience = time.Minute

// rig is a model, an index, and a noecho that is ready.
type rig struct {
	dir    string
	index  string // a file
	log    io.Writer
	model  *fakellm.Server
	serve  *exec.Cmd
	ended  chan struct{} // closed when noecho has ended
	how    error         // it ended; read it after ended
	direct string        // base URLs
	guard  string
}

// newRig starts everything. The programs that it starts write their messages to log.
func newRig(ctx context.Context, o *options, log io.Writer) (*rig, error) {
	dir, err := os.MkdirTemp("", "latency")
	if err != nil {
		return nil, err
	}
	r := &rig{dir: dir, log: log}
	if err := r.start(ctx, o, log); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rig) start(ctx context.Context, o *options, log io.Writer) error {
	corpus, index := filepath.Join(r.dir, "corpus.txt"), filepath.Join(r.dir, "corpus.nidx")
	r.index = index
	if err := writeCorpus(corpus, o.corpus<<20); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, o.noecho, "index", "build", "--out", index, corpus)
	build.Stdout, build.Stderr = log, log
	if err := build.Run(); err != nil {
		return fmt.Errorf("build the index: %w", err)
	}
	// The seed differs from that of the corpus, the words are the same: the answer is
	// clean, but its words are known.
	say := fakellm.Say(strings.Join(text(2, o.words), " "))
	var err error
	if r.model, err = fakellm.New(fakellm.Config{Default: &say}); err != nil {
		return err
	}
	if err := r.model.Start("127.0.0.1:0"); err != nil {
		return err
	}
	r.direct = r.model.URL()
	listen, err := fakellm.FreeAddress()
	if err != nil {
		return err
	}
	admin, err := fakellm.FreeAddress()
	if err != nil {
		return err
	}
	r.guard = "http://" + listen
	r.serve = exec.CommandContext(ctx, o.noecho, "serve", "--index", index, "--upstream", r.direct, "--mode", o.mode,
		"--listen", listen, "--admin", admin, "--alerts", filepath.Join(r.dir, "alerts.jsonl"))
	r.serve.Stderr = log
	if err := r.serve.Start(); err != nil {
		return err
	}
	r.ended = make(chan struct{})
	go func() {
		r.how = r.serve.Wait()
		close(r.ended)
	}()
	return r.awaitReady(ctx, "http://"+admin+"/readyz")
}

func (r *rig) awaitReady(ctx context.Context, url string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-r.ended:
			return fmt.Errorf("noecho ended before it was ready: %w", r.how)
		case <-late:
			return errors.New("noecho is not ready")
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// close ends the programs that were started and removes the files that were written.
func (r *rig) close() {
	if r.ended != nil {
		_ = r.serve.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.ended:
		case <-time.After(patience):
			_ = r.serve.Process.Kill()
			<-r.ended
		}
	}
	if r.model != nil && r.direct != "" {
		_ = r.model.Close()
	}
	_ = os.RemoveAll(r.dir)
}

// writeCorpus writes size bytes of invented text.
func writeCorpus(name string, size int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for written := 0; written < size; {
		line := strings.Join(text(uint64(3+written), 12), " ") + "\n"
		written += len(line)
		if _, err := w.WriteString(line); err != nil {
			break // Flush returns the error again
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

// text draws n words from a vocabulary in which few words make up most of the text, as
// in language.
func text(seed uint64, n int) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	zipf := rand.NewZipf(r, 1.1, 8, 50_000)
	words := make([]string, n)
	for i := range words {
		words[i] = word(zipf.Uint64())
	}
	return words
}

// word spells a number in syllables; common words are short.
func word(n uint64) string {
	const consonants, vowels = "bdfghklmnprstvz", "aeiou"
	var b []byte
	for n++; n > 0; n /= uint64(len(consonants) * len(vowels)) {
		syllable := n % uint64(len(consonants)*len(vowels))
		b = append(b, consonants[syllable/uint64(len(vowels))], vowels[syllable%uint64(len(vowels))])
	}
	return string(b)
}
