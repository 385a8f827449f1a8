package noecho_test

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	netFile   = "testdata/net.txt"
	netAPIs   = "api/" // entries that TestAPIs records and compares itself
	netHeader = `# SHA-256 (its first 8 bytes) of all that noecho makes of the files in testdata/net,
# and of every answer of TestAPIs. A change here is a change that a user can see.
# make net compares; make net-update records.
`
)

var netProgram = flag.String("program", "", "noecho that TestNet runs (default: it is built)")

// netSteps are the commands whose result is recorded, in a folder that starts as a copy
// of testdata/net. A step with a file is recorded by the bytes of that file, any other
// step by its exit code and standard output.
var netSteps = []struct{ name, file, command string }{
	{"index/chat", "chat.nidx", "index build --out chat.nidx --subjects people.csv --pattern order=NC-[0-9]{5} chat.jsonl short.jsonl"},
	{"index/mixed", "mixed.nidx", "index build --out mixed.nidx --field answer mixed"},
	{"index/one", "one.nidx", "index build --out one.nidx --capacity 2000 chat.jsonl"},
	{"index/two", "two.nidx", "index build --out two.nidx --capacity 2000 --field answer --label pii --dataset notes mixed"},
	{"index/merged", "merged.nidx", "index merge --out merged.nidx one.nidx two.nidx"},
	{"index/options", "options.nidx", "index build --out options.nidx --n 6 --min-phrase 3 --max-doc-freq 1 --exclude answers.txt --roles * --report report.jsonl --show-text chat.jsonl short.jsonl"},
	{"index/report", "report.jsonl", "index info options.nidx"},
	{"index/bare", "bare.nidx", "index build --out bare.nidx --no-ledger --no-identifiers --field answer mixed"},
	{"info/chat", "", "index info --json chat.nidx"},
	{"info/merged", "", "index info --json merged.nidx"},
	{"scan/chat", "", "scan --index chat.nidx --json answers.txt answers.jsonl"},
	{"scan/chat by rows", "", "scan --index chat.nidx --json --format jsonl --field answer answers.jsonl"},
	{"scan/mixed", "", "scan --index mixed.nidx --json --format jsonl --field answer answers.jsonl"},
	{"scan/merged", "", "scan --index merged.nidx --json answers.txt answers.jsonl"},
	{"scan/two indexes", "", "scan --index one.nidx --index two.nidx --json answers.txt answers.jsonl"},
	{"scan/options", "", "scan --index options.nidx --json answers.txt answers.jsonl chat.jsonl"},
	{"scan/bare", "", "scan --index bare.nidx --json mixed answers.jsonl"},
	{"eval/chat", "", "eval --json - --index chat.nidx --corpus chat.jsonl --corpus short.jsonl --passages 6 --words 20 --runs 10,20 --outputs answers.txt"},
	{"eval/mixed", "", "eval --json - --index mixed.nidx --corpus mixed --field answer --passages 3 --words 20 --runs 10,20"},
	{"eval/merged", "", "eval --json - --index merged.nidx --corpus mixed --field answer --passages 3 --words 20 --runs 10 --seed 7"},
}

// TestNet compares everything that the program makes of one small corpus with the
// digests of a program that was known to be right.
func TestNet(t *testing.T) {
	t.Parallel()
	bin, err := filepath.Abs(*netProgram)
	if *netProgram == "" {
		bin = build(t)
	} else if err != nil {
		t.Fatal(err)
	}
	dir := copyDated(t, "testdata/net")
	got := map[string]string{}
	for _, step := range netSteps {
		out, errs, code := runIn(t, dir, bin, strings.Fields(step.command)...)
		if step.file == "" {
			got[step.name] = fmt.Sprintf("%.8x", sha256.Sum256(fmt.Appendf(out, "exit %d", code)))
			continue
		}
		made, err := os.ReadFile(filepath.Join(dir, step.file))
		if err != nil || code != 0 {
			t.Fatalf("%s: exit %d, %v: %s", step.name, code, err, errs)
		}
		got[step.name] = fmt.Sprintf("%.8x", sha256.Sum256(made))
	}
	all := readNet(t)
	if *update {
		maps.DeleteFunc(all, func(name, _ string) bool { return !strings.HasPrefix(name, netAPIs) })
		maps.Copy(all, got)
		writeNet(t, all)
		return
	}
	for name, digest := range got {
		if all[name] != digest {
			t.Errorf("%s: the result is another than the one recorded in %s", name, netFile)
		}
	}
	for name := range all {
		if _, ok := got[name]; !ok && !strings.HasPrefix(name, netAPIs) {
			t.Errorf("%s: recorded in %s, but no step of TestNet", name, netFile)
		}
	}
}

// readNet returns the digests by name.
func readNet(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(netFile)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		// The digest comes first, because a name may have spaces.
		if digest, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok && digest != "#" {
			all[name] = digest
		}
	}
	return all
}

func writeNet(t *testing.T, all map[string]string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(netHeader)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b.WriteString(all[name] + "  " + name + "\n")
	}
	if err := os.WriteFile(netFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// copyDated copies a folder and gives every file the same time, because a manifest
// records the time of the newest input.
func copyDated(t *testing.T, from string) string {
	t.Helper()
	dir, date := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	err := os.CopyFS(dir, os.DirFS(from))
	if err == nil {
		err = filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Chtimes(name, date, date))
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// runIn runs a program in a folder and returns its standard output, its standard
// error and its exit code.
func runIn(t *testing.T, dir, program string, args ...string) (stdout []byte, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var errs strings.Builder
	cmd.Dir, cmd.Stderr = dir, &errs
	stdout, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout, errs.String(), cmd.ProcessState.ExitCode()
}
