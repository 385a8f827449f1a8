package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/audit"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// auditFolder has a log of the real program, its public key, and a checkpoint of each size.
type auditFolder struct {
	t           *testing.T
	dir, key    string
	checkpoints []string
}

func newAuditFolder(t *testing.T, entries int) *auditFolder {
	t.Helper()
	f := &auditFolder{t: t, dir: filepath.Join(t.TempDir(), "log")}
	out := runs(t, "audit", "init", f.dir, "--name", "example.com/log")
	f.key = strings.TrimSpace(out[strings.LastIndex(out, " ")+1:])
	for i := range entries {
		runs(t, "audit", "append", f.dir, "deploy", "--count", fmt.Sprintf("n=%d", i))
		path := filepath.Join(filepath.Dir(f.dir), fmt.Sprintf("checkpoint.%d", i+1))
		f.checkpoints = append(f.checkpoints, writeText(t, path, runs(t, "audit", "checkpoint", f.dir)))
	}
	return f
}

// verify runs audit verify, wants an exit code, and returns the standard error.
func (f *auditFolder) verify(code int, args ...string) string {
	f.t.Helper()
	noecho, err := exec.LookPath("noecho")
	if err != nil {
		f.t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd := exec.Command(noecho, append([]string{"audit", "verify", f.dir, "--key", f.key}, args...)...)
	cmd.Stderr = &errs
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != code {
		f.t.Errorf("audit verify %v: exit code %d, want %d: %s", args, got, code, &errs)
	}
	return errs.String()
}

// files returns the files of a log that verify reads, as slash paths.
func (f *auditFolder) files() (names []string) {
	f.t.Helper()
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lock" && d.Name() != "log.vkey" {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return names
}

// TestAuditByTheProgram changes bytes of each file of a log, cuts the log and puts an older one
// back: audit verify ends with exit code 4 and names the file. All bytes with -tags slow.
func TestAuditByTheProgram(t *testing.T) {
	t.Parallel()
	f := newAuditFolder(t, 5)
	f.verify(exitOK, "--since", f.checkpoints[2])
	for _, path := range f.files() {
		whole := readFile(t, path)
		for at := 0; at < len(whole); at += max(1, len(whole)/kills) {
			changed := slices.Clone(whole)
			changed[at] ^= 1 << (at % 8)
			writeText(t, path, string(changed))
			if said := f.verify(exitIntegrity); !strings.Contains(said, filepath.Base(filepath.Dir(path))) && !strings.Contains(said, filepath.Base(path)) {
				t.Errorf("byte %d of %s: %s", at, path, said)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(path); name == "5" || name == "checkpoint" { // no reader needs tiles of smaller trees
			f.verify(exitIntegrity)
		}
		writeText(t, path, string(whole))
	}
	f.verify(exitOK, "--since", f.checkpoints[4])

	// An older log with its checkpoint is whole, and shorter than one that somebody kept.
	older := newAuditFolder(t, 0)
	if err := os.CopyFS(older.dir+".old", os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	runs(t, "audit", "append", f.dir, "retire")
	kept := writeText(t, filepath.Join(t.TempDir(), "kept"), runs(t, "audit", "checkpoint", f.dir))
	back := &auditFolder{t: t, dir: older.dir + ".old", key: f.key}
	back.verify(exitOK)
	if said := back.verify(exitIntegrity, "--since", kept); !strings.Contains(said, "the log was cut: it has 5 entries, and the older checkpoint says 6") {
		t.Error(said)
	}
	// It goes on in another way with the same key: the entries are others.
	runs(t, "audit", "append", back.dir, "deploy", "--key-file", f.dir+".key")
	if said := back.verify(exitIntegrity, "--since", kept); !strings.Contains(said, "the log was rewritten") {
		t.Error(said)
	}
}

// brokenSink takes every line.
type brokenSink struct{ alert.Sink }

func (brokenSink) Write(line []byte) (int, error) { return len(line), nil }
func (brokenSink) Sync() error                    { return nil }

// TestLostEntriesAreCounted drops entries while the log cannot be written, and finds their number
// in it.
func TestLostEntriesAreCounted(t *testing.T) {
	t.Parallel()
	f := newAuditFolder(t, 1)
	r, err := newRecorded(t.Context(), brokenSink{}, config.Audit{Dir: f.dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(f.dir, f.dir+".away"); err != nil {
		t.Fatal(err)
	}
	for range maxWaiting + 7 {
		r.waiting = append(r.waiting, audit.Entry{Type: audit.ServeReload, Time: time.Unix(1, 0)})
	}
	if err := r.Sync(); err == nil {
		t.Fatal("no error")
	}
	if err := errors.Join(os.Rename(f.dir+".away", f.dir), r.Sync()); err != nil {
		t.Fatal(err)
	}
	if out := runs(t, "audit", "show", f.dir); !strings.Contains(out, `{"counts":{"entries":7},"time":"1970-01-01T00:00:01Z","type":"gap"`) {
		t.Errorf("%.300s", out)
	}
	f.verify(exitOK)
}
