//go:build !windows

package outbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestFileLimitChild is a process whose files may have few bytes, as under ulimit -f.
func TestFileLimitChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return // only for TestFileLimit
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 20_000, Max: 20_000}); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l, p := open(t, Options{Dir: dir}, 8, func(p *peer) { p.fail = down })
		for i := range 300 {
			l.Offer(event(i))
			time.Sleep(30 * time.Second)
		}
		if s := balance(t, l); s.Queued == 0 || s.Errors == 0 {
			t.Errorf("while the receiver is down: %+v", s)
		}
		p.set(nil)
		time.Sleep(time.Minute)
		for i := range 100 {
			l.Offer(event(i))
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		s := balance(t, l)
		stop(t, l)
		if lost := account(t, p.events(t)); lost != s.Lost || s.Delivered+lost != 400 || s.Delivered < 300 || s.Queued != 0 {
			t.Errorf("%d lost, %+v", lost, s)
		}
	})
}

// TestFileLimit: a limit of the length of files that is shorter than a segment loses nothing that
// a gap record does not tell, and the sink goes on.
func TestFileLimit(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFileLimitChild$")
	cmd.Env = append(os.Environ(), childDir+"="+filepath.Join(t.TempDir(), "spool"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
