package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"noecho/index"
)

// TestLabels checks that an index has the labels of its datasets and its data subjects.
func TestLabels(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, people, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "people.jsonl"), filepath.Join(dir, "a.nidx")
	for name, data := range map[string]string{
		text:   "one two three four five six seven eight nine ten eleven twelve",
		people: `{"id":"c1","name":"Sarah Okafor","label":"restricted"}` + "\n" + `{"id":"c2","email":"li.wei@example.com","label":"pii"}` + "\n",
	} {
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := runApp(t, "", "index", "build", "--out", out, "--label", "pii", "--label", "eu", "--subjects", people, text); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	ix, err := index.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if got, want := ix.Labels(), []string{"eu", "pii", "restricted"}; !slices.Equal(got, want) {
		t.Errorf("labels %q, want %q", got, want)
	}
}
