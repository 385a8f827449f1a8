package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"noecho/audit"
	"noecho/govern"
	"noecho/internal/raced"
)

// eraseStepWorld is a purgeWorld whose steps can be taken again and again, each in copies of the
// ledger, the log and the suppression index.
type eraseStepWorld struct {
	*purgeWorld
	saved string // the copies
}

// moving are the files that a step changes.
var moving = []string{"ledger", "audit", "suppress.nidx", "receipt.json"}

func (w *eraseStepWorld) save() {
	w.t.Helper()
	w.saved = w.t.TempDir()
	for _, name := range moving {
		copyTree(w.t, w.path(name), filepath.Join(w.saved, name))
	}
}

func (w *eraseStepWorld) restore(names ...string) {
	w.t.Helper()
	for _, name := range names {
		if err := os.RemoveAll(w.path(name)); err != nil {
			w.t.Fatal(err)
		}
		copyTree(w.t, filepath.Join(w.saved, name), w.path(name))
	}
}

// copyTree copies a file or a folder, if it is there.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	st, err := os.Stat(from)
	switch {
	case os.IsNotExist(err):
		return
	case err != nil:
	case st.IsDir():
		err = os.CopyFS(to, os.DirFS(from))
	default:
		err = os.WriteFile(to, readFile(t, from), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// steps returns how often the ledger and the log have each step. The ledger must be readable and
// the log whole, and a step of the log must be one of the ledger.
func (w *eraseStepWorld) steps() (r *govern.Request, inLedger, inLog map[string]int) {
	w.t.Helper()
	ledger, err := govern.OpenLedger(w.path("ledger"))
	if err != nil {
		w.t.Fatal(err)
	}
	if r, err = ledger.Read(w.request); err != nil {
		w.t.Fatal(err)
	}
	inLedger, inLog = map[string]int{}, map[string]int{}
	for _, e := range r.Events {
		inLedger["request."+e.Type]++
	}
	report, err := audit.Verify(w.path("audit"), audit.VerifyOptions{Entry: func(_ int64, record []byte) error {
		e, err := audit.Decode(record)
		if e.ID == w.request {
			inLog[e.Type]++
		}
		return err
	}})
	if err != nil || len(report.Problems) > 0 {
		w.t.Fatal(err, report)
	}
	for step, n := range inLog {
		if n > inLedger[step] {
			w.t.Fatalf("the log has %s %d times, the ledger %d times", step, n, inLedger[step])
		}
	}
	return r, inLedger, inLog
}

// complete wants every step in the ledger, once, and as often in the log. A person may be suppressed several
// times: a run that ended before its kill is followed by another one. Then each has a beginning and an end.
func (w *eraseStepWorld) complete(steps ...string) {
	w.t.Helper()
	_, inLedger, inLog := w.steps()
	for _, step := range steps {
		want := 1
		if strings.HasPrefix(step, "suppress") {
			want = max(want, inLedger["request.suppressing"])
		}
		if inLedger["request."+step] != want || inLog["request."+step] != want {
			w.t.Fatalf("%s: %d times in the ledger, %d times in the log, want %d", step, inLedger["request."+step], inLog["request."+step], want)
		}
	}
}

// unlog lets the ledger forget that the log has the steps that change returns. A command that is killed
// between the two leaves a ledger like this.
func (w *eraseStepWorld) unlog(change func(r *govern.Request) []govern.Event) {
	w.t.Helper()
	ledger, err := govern.OpenLedger(w.path("ledger"))
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := ledger.Read(w.request)
	if err != nil {
		w.t.Fatal(err)
	}
	steps := change(r)
	for i := range steps {
		steps[i].Logged = false
	}
	if err := ledger.Write(r); err != nil {
		w.t.Fatal(err)
	}
}

// command is the command line of a step.
func (w *eraseStepWorld) command(step string) []string {
	with := []string{"erase", step, w.request, "--ledger", w.path("ledger")}
	switch step {
	case "suppress":
		return append(with, "--audit", w.path("audit"), "--out", w.path("suppress.nidx"), "--key-file", w.path("suppress.key"),
			"--corpus", w.path("rows.jsonl"), "--inventory", w.path("rows.ninv"), "--key", w.path("inventory.key"), "--possible")
	case "purge":
		return append(with, "--log", w.path("audit"), "--index", w.path("next.nidx"), "--model", newModel, "--inventory", w.path("next.ninv"),
			"--key", w.path("inventory.key"), "--key-file", w.path("suppress.key"), "--suppress", w.path("suppress.nidx"))
	default:
		return append(with, "--log", w.path("audit"), "--out", w.path("receipt.json"))
	}
}

// TestKilledErasure kills suppress, purge and receipt (SIGKILL) at random moments. The ledger is
// never behind, and the next run completes the step. 100 times each:
//
//	go test -tags slow -run TestKilledErasure -v -timeout 60m ./cmd/noecho
func TestKilledErasure(t *testing.T) {
	t.Parallel()
	w := &eraseStepWorld{purgeWorld: openPurgeWorld(t)}
	w.killed("suppress", func(r *govern.Request, has func(name string) bool) {
		written := bytes.Contains(readIfThere(t, w.path("suppress.nidx")), []byte(w.request))
		if written && (!r.Has("suppressing") || !has("ledger/"+w.request+".set")) {
			t.Fatal("the suppression index has a person of whom the ledger does not know")
		}
	})
	w.complete("suppressing", "suppressed")
	w.unlog(func(r *govern.Request) []govern.Event { // taken again within the same second
		r.Events = append(r.Events, r.Events[len(r.Events)-2:]...)
		return r.Events[len(r.Events)-2:]
	})
	w.run(exitOK, w.command("suppress")...)
	w.complete("suppressing", "suppressed")
	w.exclude(w.request)
	w.run(exitOK, w.build("next", "kept.jsonl")...)
	w.retire()
	w.killed("purge", func(r *govern.Request, has func(name string) bool) {
		if !has("ledger/"+w.request+".set") && (r.Purge == nil || !r.Has("purging")) {
			t.Fatal("the erase set is gone, and the ledger does not say why")
		}
		index := readFile(t, w.path("suppress.nidx"))
		if !bytes.Contains(index, []byte(w.other)) || !bytes.Contains(index, []byte(w.request)) && !r.Has("purging") {
			t.Fatal("the suppression index has lost somebody")
		}
	})
	w.complete("purging", "purged")
	w.killed("receipt", func(r *govern.Request, has func(name string) bool) {
		if r.State == govern.Closed && !has("receipt.json") || r.State != govern.Closed && len(r.Purge.Salt) == 0 {
			t.Fatal("the salt is gone, and there is no receipt")
		}
	})
	w.complete("suppressing", "suppressed", "excluded", "purging", "purged", "closed")
	w.restore("audit") // as if the last run had been killed before its entry
	w.unlog(func(r *govern.Request) []govern.Event { return r.Events[len(r.Events)-1:] })
	w.run(exitFailure, w.command("receipt")...)
	w.complete("suppressing", "suppressed", "excluded", "purging", "purged", "closed")
	w.run(exitOK, "erase", "verify", w.path("receipt.json"), "--key", w.vkey, "--log", w.path("audit"), "--query", w.path("query.json"))
}

func readIfThere(t *testing.T, path string) []byte {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	return readFile(t, path)
}

// killed kills a step again and again, judges the files that it leaves, and lets the next run complete it.
func (w *eraseStepWorld) killed(step string, judge func(r *govern.Request, has func(name string) bool)) {
	w.t.Helper()
	w.save()
	started := time.Now()
	w.run(exitOK, w.command(step)...)
	took := time.Since(started)
	random := rand.New(rand.NewPCG(uint64(len(step)), 11))
	killed := 0
	for range raced.Fewer(kills) {
		w.restore(moving...)
		killed += killWithin(w.t, time.Duration(random.Int64N(int64(took))), w.bin, w.command(step)...)
		r, _, _ := w.steps()
		judge(r, func(name string) bool { _, err := os.Stat(w.path(name)); return err == nil })
		if r.State == govern.Closed {
			w.run(exitFailure, w.command(step)...)
		} else {
			w.run(exitOK, w.command(step)...)
		}
		w.steps()
	}
	w.t.Logf("%s: %d of %d were killed before they ended", step, killed, kills)
}

// TestFullDisk takes the steps while no file may have more than so many bytes, as on a full disk:
// an error that says it, and the old state or one that the next run completes.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell that bounds the length of files")
	}
	w := &eraseStepWorld{purgeWorld: openPurgeWorld(t)}
	for _, step := range []string{"suppress", "purge", "receipt"} {
		if step == "purge" {
			w.exclude(w.request)
			w.run(exitOK, w.build("next", "kept.jsonl")...)
			w.retire()
		}
		w.save()
		failed := 0
		grow := 1
		if raced.On {
			grow = 4
		}
		for blocks := 0; blocks < 1<<13; blocks = (blocks+1)<<grow - 1 {
			w.restore(moving...)
			args := append([]string{"-c", fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, blocks), w.bin}, w.command(step)...)
			out, err := exec.Command("sh", args...).CombinedOutput()
			if err == nil {
				break
			}
			failed++
			if !strings.Contains(string(out), "file too large") {
				t.Errorf("%s with %d blocks: %s", step, blocks, out)
			}
			w.steps()
			if r, _, _ := w.steps(); step == "receipt" && r.Purge.Salt == nil {
				t.Errorf("the salt is gone after an error: %s", out)
			}
			w.run(exitOK, w.command(step)...)
		}
		if failed == 0 {
			t.Errorf("%s: nothing failed", step)
		}
	}
	w.restore(moving...)
	if _, err := os.Stat("/dev/full"); err == nil {
		w.run(exitFailure, append(w.command("receipt"), "--out", "/dev/full")...)
	}
	w.run(exitOK, w.command("receipt")...)
	var e govern.Envelope
	if err := json.Unmarshal(readFile(t, w.path("receipt.json")), &e); err != nil {
		t.Error(err)
	}
}
