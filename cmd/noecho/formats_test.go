package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// formatRows returns the rows of the table in docs/formats.md, with a sentence in place of each
// text, and the sentences.
func formatRows(t *testing.T) (rows []string, sentences [][]string) {
	t.Helper()
	doc, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, cell := range regexp.MustCompile("(?m)^\\|.*\\| `(\\{.*\\})` \\|").FindAllSubmatch(doc, -1) {
		row, texts := string(cell[1]), []string(nil)
		for name := 'A'; name <= 'D'; name++ {
			old := fmt.Sprintf("%q", string(name))
			if !strings.Contains(row, old) {
				continue
			}
			text := fmt.Sprintf("%s%d says that the lamps of harbour %d burn until the dawn of day %d comes", string(name), len(rows), len(rows)*7+int(name), len(rows))
			texts = append(texts, text)
			row = strings.ReplaceAll(row, old, fmt.Sprintf("%q", text))
		}
		rows, sentences = append(rows, row), append(sentences, texts)
	}
	if len(rows) < 16 {
		t.Fatalf("only %d rows", len(rows))
	}
	return rows, sentences
}

// TestScanAndEvalReadAllFormats builds an index of each format of the documents. A scan finds all
// of its texts in an answer, and in the row itself in every container, and an evaluation reads
// as many words as the build.
func TestScanAndEvalReadAllFormats(t *testing.T) {
	t.Parallel()
	rows, sentences := formatRows(t)
	for i, row := range rows {
		row = strings.Replace(row, `},{"label"`, `},null,{"label"`, 1) // neighbours are joined
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name string, text []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			index, file := filepath.Join(dir, "x.nidx"), write("a.jsonl", []byte(row+"\n"))
			if code, _, errs := runApp(t, "", "index", "build", "--out", index, file); code != exitOK {
				t.Fatalf("%s: exit code %d, %s", row, code, errs)
			}
			var zipped, packed bytes.Buffer
			z, a := gzip.NewWriter(&zipped), tar.NewWriter(&packed)
			_ = a.WriteHeader(&tar.Header{Name: "a.jsonl", Size: int64(len(row)), Mode: 0o600})
			for _, w := range []interface {
				Write(p []byte) (int, error)
				Close() error
			}{z, a} {
				if _, err := w.Write([]byte(row)); err != nil || w.Close() != nil {
					t.Fatal(err)
				}
			}
			indented := new(bytes.Buffer)
			if err := json.Indent(indented, []byte(row), "", "  "); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{
				write("answer.txt", []byte(strings.Join(sentences[i], "\n\nAnd nothing else is said here.\n\n"))),
				file, write("a.json", []byte("["+row+"]")), write("b.json", indented.Bytes()), write("a.jsonl.gz", zipped.Bytes()), write("a.tar", packed.Bytes()),
			} {
				code, out, errs := runApp(t, "", "scan", "--json", "--index", index, path)
				words := 0
				for line := range strings.Lines(out) {
					var found struct{ Words int }
					if err := json.Unmarshal([]byte(line), &found); err != nil {
						t.Fatal(err)
					}
					words += found.Words
				}
				if want := 14 * len(sentences[i]); code != exitFindings || words < want {
					t.Errorf("%s: exit code %d, %d words of %d; %s", filepath.Base(path), code, words, want, errs)
				}
			}
			code, out, errs := runApp(t, "", "eval", "--json", "-", "--index", index, "--corpus", file, "--passages", "1", "--words", "10", "--runs", "10")
			var report struct{ Corpus struct{ Texts, Words int } }
			if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitOK || report.Corpus.Texts != len(sentences[i]) {
				t.Errorf("eval: %v, exit code %d, %+v, want %d texts; %s", err, code, report, len(sentences[i]), errs)
			}
		})
	}
}

// TestUnscannedText: a scan that reads rows, and leaves text of theirs out, ends with exit code 1.
func TestUnscannedText(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const text = "the keeper of the outer lamps sleeps until the ships of the north return with grain"
	index := filepath.Join(dir, "x.nidx")
	if code, _, errs := runApp(t, "", "index", "build", "--out", index, write("a.txt", text)); code != exitOK {
		t.Fatal(errs)
	}
	for _, c := range []struct {
		name, data string
		flags      []string
	}{
		{"bad.jsonl", `{"messages":[{"role":"user","content":"x"}]}` + "\n" + `{"messages":[{"role":"user","content":"` + text + "\n", []string{"--format", "openai"}},
		{"folder.pdf", "%PDF-1.7 " + text, nil},
		{"old.txt", strings.Repeat("caf\xe9 \xe8\n", 99) + text, nil},
		{"cut.gz", "\x1f\x8b\x08\x00\x00", nil},
		{"mail.eml", "From: a\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjcKAAAAAAAAAAAAAAAAAAAAAAAA\n--b--\n", nil},
	} {
		args := append([]string{"scan", "--json", "--index", index}, c.flags...)
		code, out, errs := runApp(t, "", append(args, write(c.name, c.data))...)
		if code != exitFailure || !regexp.MustCompile(`"unscanned":[1-9]`).MatchString(out) || !strings.Contains(errs, c.name) {
			t.Errorf("%s: exit code %d, %s; %s", c.name, code, out, errs)
		}
	}
}
