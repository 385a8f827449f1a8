package corpus

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNames checks the names of inputs: they leave out the folders above the argument, and
// differ.
func TestNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{"data/a.txt", "data/2024/a.txt", "data/2025/a.txt", "data/2025/b.txt", "more/2025/a.txt", "more/c.txt", "stdin"} {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("some text\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"data/a.txt", "a.txt"},
		{"data/2025/../a.txt data//a.txt", "a.txt"},
		{"data", "data/2024/a.txt data/2025/a.txt data/2025/b.txt data/a.txt"},
		{"data/", "data/2024/a.txt data/2025/a.txt data/2025/b.txt data/a.txt"},
		{"data/2025/..", "data/2024/a.txt data/2025/a.txt data/2025/b.txt data/a.txt"},
		{"data/2025", "2025/a.txt 2025/b.txt"},
		{"data/2025/*", "a.txt b.txt"},
		{"data/*", "2024/a.txt 2025/a.txt 2025/b.txt a.txt"},
		{"data/**/*.txt", "data/2024/a.txt data/2025/a.txt data/2025/b.txt data/a.txt"},
		{"data/2*/**/a.txt", "data/2024/a.txt data/2025/a.txt"},
		{"data/2024/a.txt data/2025/a.txt more/c.txt", "2024/a.txt 2025/a.txt c.txt"},
		{"data/2025 more/2025", "data/2025/a.txt 2025/b.txt more/2025/a.txt"},
		{"stdin -", "./stdin stdin"},
	} {
		var args []string
		for _, arg := range strings.Fields(c.args) {
			if arg != Stdin {
				arg = dir + "/" + arg // without cleaning it
			}
			args = append(args, arg)
		}
		inputs, _, err := Find(args, strings.NewReader("some text\n"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, in := range inputs {
			names = append(names, strings.Replace(in.Name, filepath.Base(dir)+"/", "./", 1))
		}
		slices.Sort(names)
		want := strings.Fields(c.want)
		if slices.Sort(want); !slices.Equal(names, want) {
			t.Errorf("%s: names %q, want %q", c.args, names, want)
		}
	}
}

// TestNamesOfRelativePaths checks the same without files: tests cannot change the folder
// that they run in.
func TestNamesOfRelativePaths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ arg, want string }{
		{"train.jsonl", "."},
		{"../train.jsonl", ".."},
		{".", "."},
		{"./", "."},
		{"..", ".."},
		{"../..", "../.."},
		{"a/b", "a"},
		{"/a", "/"},
		{"/", "/"},
		{"**/*.txt", "."},
		{"../**", ".."},
		{"a/b/**/c", "a"},
		{"../a*/**", ".."},
	} {
		if got := filepath.ToSlash(parent(filepath.FromSlash(c.arg), c.arg)); got != c.want {
			t.Errorf("%s: parent %s, want %s", c.arg, got, c.want)
		}
	}
	inputs := []Input{{Path: "../a.txt", Name: "a.txt"}, {Path: "a.txt", Name: "a.txt"}, {Path: "/a.txt", Name: "a.txt"}, {Path: "x/a.txt", Name: "a.txt"}, {Path: "/x/a.txt", Name: "a.txt"}}
	(&finder{inputs: inputs}).tellApart()
	for i, want := range []string{"../a.txt", "a.txt", "/a.txt", "x/a.txt", "/x/a.txt"} {
		if inputs[i].Name != want {
			t.Errorf("%s: name %s, want %s", inputs[i].Path, inputs[i].Name, want)
		}
	}
}

// FuzzFind looks at any file in a folder with another one: it is read, or skipped with a
// reason of one line, or the error names it. The other one is always read.
func FuzzFind(f *testing.F) {
	f.Add("README.md", []byte("---\nlicense: mit\n---\ntext\n"))
	f.Add("a.jsonl", []byte("{\"prompt\":\"x\"}\n"))
	f.Add("state.json", []byte("{\"a\":[]}"))
	f.Add("a.txt", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"))
	f.Add("a.csv", []byte("text\nx\n"))
	f.Add("a.json", []byte("\xff\xfe[\x00"))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "other.txt"), []byte("some text\n"), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string, file []byte) {
		path := filepath.Join(dir, filepath.Base(name))
		if strings.ContainsRune(path, 0) || strings.EqualFold(filepath.Base(path), "other.txt") || os.WriteFile(path, file, 0o600) != nil {
			return
		}
		defer os.Remove(path)
		inputs, skipped, err := Find([]string{dir}, nil, Options{})
		if err != nil {
			if !strings.Contains(err.Error(), filepath.Base(path)) {
				t.Fatalf("%q: %v", name, err)
			}
			return
		}
		other := false
		for _, in := range inputs {
			other = other || filepath.Base(in.Path) == "other.txt"
			if r, err := in.Open(); err == nil {
				_, _ = io.Copy(io.Discard, r)
				r.Close()
			}
		}
		for _, s := range skipped {
			if s.Reason == "" || strings.Contains(s.Reason, "\n") {
				t.Fatalf("%q is skipped: %q", s.Path, s.Reason)
			}
		}
		hidden := strings.HasPrefix(filepath.Base(path), ".")
		if !other || !hidden && len(inputs)+len(skipped) != 2 {
			t.Fatalf("%q: read %v, skipped %v", name, inputs, skipped)
		}
	})
}
