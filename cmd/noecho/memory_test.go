package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"noecho/internal/raced"
)

// peak runs the program and then says on standard error how much memory it had at most, as
// Linux counts it: "VmHWM: 123456 kB".
func peak() {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	code := a.run(context.Background(), os.Args[1:])
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for line := range bytes.Lines(status) {
		if bytes.HasPrefix(line, []byte("VmHWM:")) {
			os.Stderr.Write(line)
		}
	}
	os.Exit(code)
}

// hugeSentence has the words of two windows.
const hugeSentence = "the lamps of the outer harbour burn until dawn and the keeper of the lamps sleeps until the ships return with grain"

// hugeFiles are writers of files of about n bytes, and what a build says of them.
func hugeFiles() []struct {
	name, says string
	code       int
	write      func(w io.Writer, n int) error
} {
	row := `{"prompt":"x","completion":"` + strings.Repeat(hugeSentence+" ", 4) + `"}`
	repeat := func(begin, part, end string) func(w io.Writer, n int) error {
		return func(w io.Writer, n int) error {
			_, err := fmt.Fprint(w, begin, strings.Repeat(part, n/len(part)), end)
			return err
		}
	}
	return []struct {
		name, says string
		code       int
		write      func(w io.Writer, n int) error
	}{
		{"array.json", " records, ", 0, repeat("["+row, ","+row, "]")},
		{"members.json", " records, ", 0, repeat(`{"data":[`+row, ","+row, "]}")},
		{"sequence.json", " records, ", 0, repeat("{\n"+row[1:], "\n{\n"+row[1:], "")},
		{"rows.csv", " records, ", 0, repeat("prompt,completion\n", "x,\""+hugeSentence+"\n\"\n", "")},
		{"line.txt", "1 record, ", 0, repeat("", hugeSentence+" ", "")},
		{"links.md", "1 record, ", 0, repeat("", strings.ReplaceAll(hugeSentence, "lamps", "[lamps](https://example.org/lamps)")+"\n\n", "")},
		{"page.html", "1 record, ", 0, repeat("<!doctype html><p>", "<img alt='"+hugeSentence+"'>"+strings.Repeat(hugeSentence+" ", 40), "</p>")},
		{"row.jsonl", "line is longer than 64 MiB", 0, repeat(row+"\n"+`{"prompt":"`, hugeSentence+" ", "\"}\n"+row+"\n")},
		{"bomb.jsonl.gz", "more than 256 times its size", 1, func(w io.Writer, n int) error {
			z := gzip.NewWriter(w)
			for range n >> 20 {
				if _, err := z.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
			return z.Close()
		}},
	}
}

// TestMemoryOfHugeFiles builds indexes of files with one long line, one long row, many links
// or a bomb. The memory that a build takes does not grow with the file.
func TestMemoryOfHugeFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak of the memory is read from /proc")
	}
	for _, f := range hugeFiles() {
		t.Run(f.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), f.name)
			file, err := os.Create(path)
			if err == nil {
				err = f.write(file, raced.Fewer(hugeLen))
			}
			if err != nil || file.Close() != nil {
				t.Fatal(err)
			}
			most := 160 << 20
			switch f.name {
			case "row.jsonl", "links.md", "page.html": // a row has 64 MiB, and texts behind others 16 MiB
				most = 320 << 20
			}
			says, used := buildPeak(t, f.code, path)
			if raced.On { // it needs memory for every byte that was ever used
				return
			}
			if f.name == "row.jsonl" && hugeLen <= 64<<20 || strings.HasPrefix(f.name, "bomb") && hugeLen <= 256<<20 {
				return // it is short enough to be read
			}
			if !strings.Contains(says, f.says) || used > most {
				t.Errorf("%d MiB of memory, want at most %d; %s", used>>20, most>>20, says)
			}
		})
	}
}

// TestMemoryOfManyFiles builds an index of a folder. Each file costs a bounded number of bytes.
func TestMemoryOfManyFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak of the memory is read from /proc")
	}
	dir := t.TempDir()
	many := raced.Fewer(hugeMany)
	for i := range many {
		folder := filepath.Join(dir, strconv.Itoa(i/1000))
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%06d.txt", i)), fmt.Appendf(nil, "%d %s\n", i, hugeSentence), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const base, each = 128 << 20, 3 << 10
	says, used := buildPeak(t, 0, dir)
	if !strings.Contains(says, fmt.Sprintf("wrote x.nidx: %d records, ", many)) || used > base+each*many && !raced.On {
		t.Errorf("%d bytes of memory, want at most %d; %s", used, base+each*many, says)
	}
}

// buildPeak builds an index and returns the output of the program and the memory in bytes that
// it had at most.
func buildPeak(t *testing.T, code int, path string) (says string, used int) {
	t.Helper()
	noecho, err := exec.LookPath("noecho-peak")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(noecho, "index", "build", "--out", "x.nidx", path)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	says, last, ok := strings.Cut(string(out), "VmHWM:")
	if exitCode(err) != strconv.Itoa(code) || !ok {
		t.Fatalf("%v, want exit code %d; %s", err, code, out)
	}
	used, err = strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(last), " kB"))
	if err != nil {
		t.Fatal(err)
	}
	return says, used << 10
}
