package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/internal/raced"
)

// TestEncodings builds from files that are not UTF-8 and scans them: text that is not read
// is not left out in silence, and the flag that the error names reads it.
func TestEncodings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sentence := strings.Repeat("Im H\xf6henflug \xfcber die Gr\xf6\xdfe der K\xfcste schw\xe4rmte ein Gast f\xfcr immer. ", 3) + "\n"
	answer := write("answer.txt", "Quite so. "+strings.NewReplacer("\xf6", "ö", "\xfc", "ü", "\xdf", "ß", "\xe4", "ä").Replace(sentence))
	folder := filepath.Dir(write("in/latin.txt", sentence))
	write("in/plain.txt", berth)
	far := write("far.txt", strings.Repeat("all is plain text here in the long beginning of a file of ours\n", raced.Fewer(20_000))+strings.Repeat(sentence, 100))
	index := filepath.Join(dir, "x.nidx")
	rows := write("rows.jsonl", strings.Repeat(`{"text":"all is plain text here in the long beginning of a file of ours"}`+"\n", raced.Fewer(20_000))+strings.Repeat(`{"text":"`+strings.TrimSpace(sentence)+`"}`+"\n", 100))
	for _, input := range []string{folder, far, rows, filepath.Join(folder, "latin.txt")} {
		code, _, stderr := runApp(t, "", "index", "build", "--out", index, input)
		if _, err := os.Stat(index); code != 1 || !strings.Contains(stderr, "--encoding") || err == nil {
			t.Errorf("%s: exit %d, %s", input, code, stderr)
		}
		code, _, stderr = runApp(t, "", "index", "build", "--out", index, "--encoding", "windows-1252", input)
		if code != 0 {
			t.Fatalf("%s: exit %d, %s", input, code, stderr)
		}
		for _, text := range []string{answer, input} {
			code, stdout, stderr := runApp(t, "", "scan", "--index", index, "--encoding", "windows-1252", text)
			if code != 3 || !strings.Contains(stdout, "verbatim") {
				t.Errorf("%s: exit %d, %s%s", text, code, stdout, stderr)
			}
		}
		if code, _, stderr := runApp(t, "", "scan", "--index", index, input); code != 1 || !strings.Contains(stderr, "--encoding") {
			t.Errorf("scan of %s: exit %d, %s", input, code, stderr)
		}
		if err := os.Remove(index); err != nil {
			t.Fatal(err)
		}
	}
}
