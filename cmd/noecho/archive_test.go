package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScanArchive scans the members of archives as a build reads them, and names the place
// of a finding in its member.
func TestScanArchive(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range [][2]string{
		{"b/notes.txt", "One line.\n" + berth + "\n"},
		{"a/chats.jsonl", "{\"messages\":[{\"role\":\"user\",\"content\":\"" + berth + "\"}]}\n"},
		{"a/picture.png", "\x89PNG\x00"},
		{"a/other.txt", "Some other text."},
	} {
		if err := w.WriteHeader(&tar.Header{Name: m[0], Size: int64(len(m[1])), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "x.tgz")
	if err := os.WriteFile(archive, []byte(gzipOf(t, buf.String())), 0o600); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(t.TempDir(), "x.nidx")
	if code, _, stderr := runApp(t, "", "index", "build", "--out", index, archive); code != exitOK || !strings.Contains(stderr, "x.tgz/a/picture.png: skipped: cannot be read as text: binary") {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	code, stdout, stderr := runApp(t, "", "scan", "--index", index, "--json", "--exclude-path", "*.png", archive)
	found, sum := findings(t, stdout)
	if code != exitFindings || len(found) != 2 || sum.Files != 3 || sum.Unscanned != 0 {
		t.Fatalf("exit code %d, %+v, %+v, %s", code, found, sum, stderr)
	}
	for i, want := range []struct {
		member, record string
		line           int
	}{{"b/notes.txt", "x.tgz/b/notes.txt", 1}, {"a/chats.jsonl", "x.tgz/a/chats.jsonl:1", 1}} {
		f := found[i]
		if f.File != archive+"/"+want.member || f.Line != want.line || len(f.Records) == 0 || !strings.Contains(f.Records[0].ID, "x.tgz/") {
			t.Errorf("finding %+v, want %+v", f, want)
		}
	}
	code, stdout, _ = runApp(t, "", "scan", "--index", index, "--json", archive)
	if _, sum := findings(t, stdout); code != exitFailure || sum.Unscanned != 1 {
		t.Errorf("with a picture: exit code %d, %+v", code, sum)
	}
}
