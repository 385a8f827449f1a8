package tlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// noecho builds the program, once for all tests.
var noecho = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "noecho-tlog-*")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "noecho")
	out, err := exec.Command("go", "build", "-C", "../..", "-o", path, "./cmd/noecho").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build noecho: %w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := noecho(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// run runs noecho and returns its exit code and output.
func run(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	path, err := noecho()
	if err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(path, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		code = exit.ExitCode()
	}
	return code, string(text)
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out := run(t, args...)
	if code != 0 {
		t.Fatalf("noecho %q: exit code %d: %s", args, code, out)
	}
	return out
}

const origin = "example.com/noecho"

// newLog makes a log of so many entries, which are reloads of a proxy.
func newLog(t *testing.T, entries int) (dir, vkey string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "log")
	must(t, "audit", "init", dir, "--name", origin)
	var lines bytes.Buffer
	for i := 1; i <= entries; i++ {
		fmt.Fprintf(&lines, `{"v":1,"type":"reload","id":"01KB%022d","seq":%d,"boot":"01KBVXQZ2Q3M4N5P6Q7R8S9T0V","time":"2026-11-29T12:00:00Z","action":"applied","mode":"redact"}`+"\n", i, i)
	}
	alerts := dir + ".alerts"
	if err := os.WriteFile(alerts, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, "audit", "collect", "--into", dir, alerts)
	text, err := os.ReadFile(filepath.Join(dir, "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, strings.TrimSpace(string(text))
}

// leaves returns the leaf hashes of a file of entries, as RFC 6962 defines them.
func leaves(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var out [][]byte
	for _, e := range b.Entries {
		h := sha256.Sum256(append([]byte{0}, e...))
		out = append(out, h[:])
	}
	return out, nil
}

// check runs Tessera's check of a log. With one worker it hangs on a tile that was changed.
func check(t *testing.T, dir, vkey string) error {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- fsck.New(origin, v, &client.FileFetcher{Root: dir}, leaves, fsck.Opts{N: 4}).Check(ctx)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestTesseraChecksTheLog(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 256, 257, 700} {
		dir, vkey := newLog(t, size)
		if err := check(t, dir, vkey); err != nil {
			t.Errorf("%d entries: %v", size, err)
		}
		must(t, "audit", "append", dir, "deploy")
		if err := check(t, dir, vkey); err != nil {
			t.Errorf("%d entries and one: %v", size, err)
		}
	}
}

func TestTesseraAndNoechoFindAChangedFile(t *testing.T) {
	t.Parallel()
	dir, vkey := newLog(t, 300)
	for _, name := range []string{"tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "checkpoint"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		broken := bytes.Clone(whole)
		broken[len(broken)/2] ^= 1
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := check(t, dir, vkey); err == nil {
			t.Errorf("%s: Tessera found nothing", name)
		}
		if code, out := run(t, "audit", "verify", dir, "--key", vkey); code != 4 || !strings.Contains(out, name) {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := check(t, dir, vkey); err != nil {
		t.Error(err)
	}
}

// witness answers add-checkpoint by the rules of C2SP tlog-witness, with Torchwood's code for
// checkpoints and signatures.
type witness struct {
	mu     sync.Mutex
	log    note.Verifier
	signer *torchwood.CosignatureSigner
	last   torchwood.Checkpoint
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/add-checkpoint" {
		rw.WriteHeader(http.StatusBadRequest)
		return
	}
	status, answer := w.answer(body)
	rw.WriteHeader(status)
	_, _ = rw.Write(answer)
}

func (w *witness) answer(body []byte) (status int, answer []byte) {
	head, signed, _ := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	n, err := note.Open([]byte(signed), note.VerifierList(w.log))
	if err != nil {
		return http.StatusForbidden, nil
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	old, oldErr := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil || oldErr != nil || old > c.N {
		return http.StatusBadRequest, nil
	}
	if old != w.last.N {
		return http.StatusConflict, fmt.Appendf(nil, "%d\n", w.last.N)
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return http.StatusBadRequest, nil
		}
		proof = append(proof, h)
	}
	switch {
	case old == 0 && len(proof) > 0, old == c.N && old > 0 && w.last.Hash != c.Hash:
		return http.StatusUnprocessableEntity, nil
	case old > 0 && old < c.N && tlog.CheckTree(proof, c.N, c.Hash, old, w.last.Hash) != nil:
		return http.StatusUnprocessableEntity, nil
	}
	w.last = c
	text, err := note.Sign(&note.Note{Text: n.Text}, w.signer)
	if err != nil {
		return http.StatusInternalServerError, nil
	}
	_, added, _ := strings.Cut(string(text), "\n\n")
	return http.StatusOK, []byte(added)
}

func TestWitnessSignsOneHistory(t *testing.T) {
	t.Parallel()
	dir, vkey := newLog(t, 3)
	log, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := torchwood.NewCosignatureSigner("witness.example/w1", key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&witness{log: log, signer: signer})
	defer server.Close()
	known := signer.Verifier().String()

	fork := dir + "-fork"
	if err := os.CopyFS(fork, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		must(t, "audit", "append", dir, "deploy")
		must(t, "audit", "cosign", dir, "--url", server.URL, "--witness", known)
		if out := must(t, "audit", "verify", dir, "--key", vkey, "--witness", known); !strings.Contains(out, "signed by witness.example/w1 at 20") {
			t.Error(out)
		}
	}
	proof := filepath.Join(t.TempDir(), "deploy.tlog-proof")
	must(t, "audit", "prove", dir, "4", "--out", proof)
	must(t, "audit", "verify", proof, "--key", vkey, "--witness", known)

	for i := range 5 { // the copy has 3 to 7 entries, and the witness knows 6
		code, out := run(t, "audit", "cosign", fork, "--key-file", dir+".key", "--url", server.URL, "--witness", known)
		if code != 4 {
			t.Errorf("a copy of %d entries: exit code %d: %s", 3+i, code, out)
		}
		must(t, "audit", "append", fork, "retire", "--key-file", dir+".key")
	}
}
