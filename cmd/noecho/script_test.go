package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets a script run the program itself. A child process with the name noecho
// runs main, with its real arguments, streams, signals and exit code.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"noecho": main, "noecho-peak": peak})
}

// TestScript runs the sessions of testdata/script. Each is a txtar file with the commands
// that a user types and the output that must follow.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"empty":      empty,
			"exits":      exits,
			"interrupts": interrupts,
		},
	})
}

// exits runs a command and fails unless its exit code is the given one:
//
//	exits 2 noecho tail --severity loud
//
// Its output is then in stdout and stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	if got := exitCode(err); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// empty fails unless a folder exists and is empty:
//
//	empty $TMPDIR
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty FOLDER")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s holds %s", args[0], entries[0].Name())
	}
}

// interrupts starts a command, waits until a line of its stdout contains the text, sends
// an interrupt as Ctrl-C does, and fails unless the command then ends with exit code 0:
//
//	interrupts redacted noecho tail -f alerts.jsonl
func interrupts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupts TEXT COMMAND ARGS...")
	}
	cmd := exec.Command(lookPath(ts, args[1]), args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	found := false
	for lines := bufio.NewScanner(stdout); !found && lines.Scan(); {
		found = strings.Contains(lines.Text(), args[0])
	}
	if !found {
		_ = cmd.Wait()
		ts.Fatalf("%q was not printed", args[0])
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	if code := exitCode(cmd.Wait()); code != "0" {
		ts.Fatalf("exit code %s after Ctrl-C, want 0", code)
	}
}

// lookPath finds a command as the exec of a script does.
func lookPath(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	ts.Fatalf("%s is not on the path", name)
	return ""
}

// exitCode returns the exit code of a finished command as text.
func exitCode(err error) string {
	var coded *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &coded):
		return strconv.Itoa(coded.ExitCode())
	default:
		return err.Error()
	}
}
