package corpus

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPatterns reads and leaves out files of a folder by patterns.
func TestPatterns(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"in/a.txt": "text", "in/b.csv": "prompt\nx\n", "in/sub/a.txt": "text", "in/sub/deep/c.txt": "text", "in/sub/deep/b.csv": "prompt\nx\n",
	})
	for _, c := range []struct{ include, exclude, want string }{
		{"", "", "a.txt b.csv sub/a.txt sub/deep/b.csv sub/deep/c.txt"},
		{"", "*.csv", "a.txt sub/a.txt sub/deep/c.txt"},
		{"", "sub", "a.txt b.csv"},
		{"", "sub/", "a.txt b.csv"},
		{"", "/sub/deep", "a.txt b.csv sub/a.txt"},
		{"", "deep", "a.txt b.csv sub/a.txt"},
		{"", "sub/*.txt", "a.txt b.csv sub/deep/b.csv sub/deep/c.txt"},
		{"", "sub/**/*.txt b.csv", "a.txt"},
		{"*.txt", "", "a.txt sub/a.txt sub/deep/c.txt"},
		{"*.txt", "deep", "a.txt sub/a.txt"},
		{"sub *.csv", "a.*", "b.csv sub/deep/b.csv sub/deep/c.txt"},
		{"none", "", ""},
	} {
		o := Options{IncludePath: strings.Fields(c.include), ExcludePath: strings.Fields(c.exclude)}
		names, skipped, err := found(t, o, filepath.Join(dir, "in"))
		for i, name := range names {
			name, _, _ = strings.Cut(strings.TrimPrefix(name, "in/"), " ")
			names[i] = name
		}
		if got := strings.Join(names, " "); err != nil || got != c.want || len(names)+len(skipped) != 5 {
			t.Errorf("include %q, exclude %q: %s, skipped %v, %v; want %s", c.include, c.exclude, got, skipped, err, c.want)
		}
	}
	names, _, err := found(t, Options{ExcludePath: []string{"*.csv"}}, filepath.Join(dir, "in", "b.csv"), filepath.Join(dir, "in", "**"))
	if err != nil || len(names) != 4 || !slices.Contains(names, "b.csv rows") {
		t.Errorf("a file that is named beside a pattern: %q, %v", names, err)
	}
	for _, bad := range []string{"", "[", "a/[x"} {
		if _, _, err := found(t, Options{ExcludePath: []string{bad}}, dir); err == nil || !strings.Contains(err.Error(), "is not valid") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestMetadata leaves files out that describe the data, in a folder only.
func TestMetadata(t *testing.T) {
	t.Parallel()
	card := "---\nlicense: mit\ntags:\n- chat\n---\n# A dataset\n"
	dir := folder(t, map[string]string{
		"README.md": card, "dataset_infos.json": "{}", "dataset_dict.json": `{"splits": ["train"]}`, "train/state.json": "{\n\"_data_files\": []\n}",
		"train/dataset_info.json": "{\n\"features\": {}\n}", "data/dataset_info.json": `{"my": {"file_name": "my.json"}}`, "mds/index.json": `{"shards": [], "version": 2}`,
		"docs/README.md": "---\ntitle: Home\n---\nSome text.\n", "docs/index.json": `[{"text":"x"}]`, "docs/state.json": `{"text":"x"}`, "docs/card.md": card,
	})
	names, skipped, err := found(t, Options{}, dir)
	if err != nil || len(names) != 4 || len(skipped) != 7 {
		t.Errorf("inputs %v, skipped %v, %v", names, skipped, err)
	}
	for _, s := range skipped {
		if !strings.Contains(s, ": a") || strings.Contains(s, "cannot be read") {
			t.Errorf("skipped %s", s)
		}
	}
	if in, err := findOne(t, "README.md", card, Options{}); err != nil || in.Format != Text {
		t.Errorf("a card that is named: %v", err)
	}
}

// TestCache reads a whole cache of the Hugging Face hub: each file once, under its name.
func TestCache(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"hub/blobs/0a": "prompt,completion\nx,y\n", "hub/refs/main": "abc", "hub/snapshots/abc/train.csv": "->../../blobs/0a", "hub/snapshots/def/train.csv": "->../../blobs/0a",
		"blobs/notes.txt": "text",
	})
	names, _, err := found(t, Options{}, filepath.Join(dir, "hub"), filepath.Join(dir, "blobs"))
	if got := strings.Join(names, ", "); err != nil || got != "blobs/notes.txt text, hub/snapshots/abc/train.csv completion" {
		t.Errorf("inputs %s, %v", got, err)
	}
}

// TestPacked counts the bytes of rows in other forms and of damaged archives in a folder,
// and not those of documents.
func TestPacked(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"b.lzma": "\x5d\x00\x00", "c.avro": "Obj\x01", "d.arrow": "ARROW1\x00\x00\xff\xff", "e.arrow": "\xff\xff\xff\xff\x10\x00\x00\x00",
		"f.pdf": "%PDF-1.7", "g.zip": "PK\x03\x04", "h.png": "\x89PNG\r\n\x1a\n\x00",
	}
	_, skipped, err := Find([]string{folder(t, files)}, nil, Options{})
	if err != nil || len(skipped) != len(files) {
		t.Fatalf("skipped %v, %v", skipped, err)
	}
	for _, s := range skipped {
		want := int64(len(files[filepath.Base(s.Path)]))
		if name := filepath.Base(s.Path); name == "f.pdf" || name == "h.png" {
			want = 0
		}
		if s.Text != want {
			t.Errorf("%s: %d bytes, want %d", s.Path, s.Text, want)
		}
	}
}
