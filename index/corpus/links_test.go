package corpus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder writes files into a new folder, links as "->target".
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		target, isLink := strings.CutPrefix(text, "->")
		if !isLink {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.Symlink(filepath.FromSlash(target), path); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	return dir
}

// found returns the names of the inputs in some folders, and the skipped files with the
// reasons.
func found(t *testing.T, o Options, args ...string) (names, skipped []string, err error) {
	t.Helper()
	inputs, left, err := Find(args, nil, o)
	for _, in := range inputs {
		names = append(names, in.Name+" "+in.Kind())
	}
	for _, s := range left {
		skipped = append(skipped, filepath.Base(s.Path)+": "+s.Reason)
	}
	return names, skipped, err
}

// TestLinks follows links in a folder to files, also to those outside, once each.
func TestLinks(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"blobs/0a1b":            `{"messages":[]}` + "\n",
		"blobs/2c3d":            "some text",
		"in/train.jsonl":        "->../blobs/0a1b",
		"in/again.jsonl":        "->../blobs/0a1b",
		"in/sub/notes.txt":      "->../../in/link.txt",
		"in/link.txt":           "->../blobs/2c3d",
		"in/here.txt":           "->real.txt",
		"in/real.txt":           "other text",
		"in/loop":               "->.",
		"in/above":              "->../in",
		"in/self":               "->self",
		"in/gone.txt":           "->nowhere",
		"in/pair/a":             "->b",
		"in/pair/b":             "->a",
		"in/binary":             "->../blobs/zero",
		"blobs/zero":            "a\x00b",
		"in/pointer-like/x.txt": "version https://git-lfs.github.com is where " + strings.Repeat("the story begins ", 99),
	})
	names, skipped, err := found(t, Options{}, filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(names, ", "), "in/again.jsonl openai, in/link.txt text, in/pointer-like/x.txt text, in/real.txt text"; got != want {
		t.Errorf("inputs %s; want %s", got, want)
	}
	want := []string{
		"above: a link to a folder", "binary: cannot be read as text: binary: it contains zero bytes", "gone.txt: a link that leads to no file",
		"here.txt: a link to a file that is read anyway", "loop: a link to a folder", "a: a link that leads to no file", "b: a link that leads to no file",
		"self: a link that leads to no file", "notes.txt: a link to a file that is read anyway", "train.jsonl: a link to a file that is read anyway",
	}
	if strings.Join(skipped, "\n") != strings.Join(want, "\n") {
		t.Errorf("skipped\n%s", strings.Join(skipped, "\n"))
	}
	inputs, _, err := Find([]string{filepath.Join(dir, "in")}, nil, Options{})
	if err != nil || !strings.HasSuffix(inputs[0].String(), filepath.Join("blobs", "0a1b")) {
		t.Errorf("%v, %v", inputs[0].String(), err)
	}
}

const (
	lfsPointer   = "version https://git-lfs.github.com/spec/v1\noid sha256:665232916d127eb726be0e4a8ea09109f6739e74ce72c70d813ce1b31d8abe8e\nsize 146946961\n"
	annexPointer = "/annex/objects/SHA256E-s146946961--665232916d127eb726be0e4a8ea09109f6739e74ce72c70d813ce1b31d8abe8e.parquet\n"
)

// TestPointers refuses pointers in place of files, named or in a folder, all at once.
func TestPointers(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"README.md": "# A", "a.parquet": lfsPointer, "b/c.jsonl": annexPointer, "d.csv": lfsPointer, "link.csv": "->d.csv", "e.csv": "->.git/annex/objects/x"})
	for _, o := range []Options{{}, {Format: Text}, {Whole: WholeFiles}, {Format: CSV}} {
		_, _, err := found(t, o, dir)
		for _, want := range []string{"a.parquet: cannot be read as text: it is a pointer: git LFS has its content: run `git lfs pull`", "c.jsonl: cannot be read as text: it is a pointer: git-annex has its content: run `git annex get`", "d.csv: ", "e.csv: cannot be read as text: it is a pointer: git-annex"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v; want %s", o, err, want)
			}
		}
		if _, _, err := found(t, o, filepath.Join(dir, "a.parquet")); err == nil || !strings.Contains(err.Error(), "git lfs pull") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestProblems lists the first files that cannot be read, and counts the others.
func TestProblems(t *testing.T) {
	t.Parallel()
	files, args := map[string]string{}, []string{}
	for i := range 26 {
		files[string(rune('a'+i))] = "\x00"
	}
	dir := folder(t, files)
	for name := range files {
		args = append(args, filepath.Join(dir, name))
	}
	args = append(args, filepath.Join(dir, "missing"), filepath.Join(dir, "*.none"))
	_, _, err := found(t, Options{}, args...)
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 21 || lines[20] != "and 8 more files that cannot be read" {
		t.Errorf("%d lines: %v", len(lines), err)
	}
}

// TestLinkedFolder follows a link to a folder that is named, and not one that a pattern
// finds.
func TestLinkedFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"v3/a.txt": "text", "v3/loop": "->.", "v3/gone.txt": "->nowhere", "now": "->v3"})
	for arg, want := range map[string]string{"now": "now/a.txt text", "v3": "v3/a.txt text", "v3/*": "a.txt text", "v3/**": "v3/a.txt text", "*/*.txt": "v3/a.txt text"} {
		names, skipped, err := found(t, Options{}, filepath.Join(dir, filepath.FromSlash(arg)))
		if got := strings.Join(names, ", "); arg != "*/*.txt" && got != want || err != nil || len(skipped) == 0 {
			t.Errorf("%s: %s, skipped %v, %v; want %s", arg, got, skipped, err, want)
		}
	}
	if _, _, err := found(t, Options{}, filepath.Join(dir, "v3", "gone.txt")); err == nil {
		t.Error("a link without a file that is named: no error")
	}
}

// TestNoRows refuses JSON with text that is in no rows, and counts it in a folder.
func TestNoRows(t *testing.T) {
	t.Parallel()
	script := "rows =\n[{\"prompt\": \"the harbour office opens at eight and closes late on most days\"}]"
	if _, err := findOne(t, "a.json", script, Options{}); err == nil || !strings.Contains(err.Error(), "read it as it is with --format text") {
		t.Errorf("rows behind a name: %v", err)
	}
	_, skipped, err := Find([]string{folder(t, map[string]string{"a.json": script, "b.json": "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]", "c.json": "[\"word\"]"})}, nil, Options{})
	if err != nil || len(skipped) != 3 || skipped[0].Text != int64(len(script)) || skipped[1].Text+skipped[2].Text != 0 {
		t.Errorf("skipped %+v, %v", skipped, err)
	}
}
