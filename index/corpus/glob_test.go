package corpus

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestGlob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a.txt", "s/b.txt", "s/t/c.txt", "s/t/d.md", "s/.h/e.txt", "s/.f.txt", "u/c.txt"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{
		"*.txt":         "[a.txt]",
		"**/*.txt":      "[a.txt s/b.txt s/t/c.txt u/c.txt]",
		"**":            "[a.txt s/b.txt s/t/c.txt s/t/d.md u/c.txt]",
		"s/**/*.txt":    "[s/b.txt s/t/c.txt]",
		"?/**/**/c.*":   "[s/t/c.txt u/c.txt]",
		"**/t/*":        "[s/t/c.txt s/t/d.md]",
		"**/.f*":        "[s/.f.txt]",
		"**/nothing":    "[]",
		"missing/**/*x": "[]",
	} {
		paths, err := glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, p := range paths {
			rel, _ := filepath.Rel(dir, p)
			got = append(got, filepath.ToSlash(rel))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", pattern, got, want)
		}
	}
	if _, err := glob(filepath.Join(dir, "**", "[")); err == nil {
		t.Error("a broken pattern was taken")
	}
}
