package corpus

import (
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
	tellApart(inputs)
	for i, want := range []string{"../a.txt", "a.txt", "/a.txt", "x/a.txt", "/x/a.txt"} {
		if inputs[i].Name != want {
			t.Errorf("%s: name %s, want %s", inputs[i].Path, inputs[i].Name, want)
		}
	}
}
