package memory

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMapRefusesFilesThatCanChange does not map an ordinary file.
func TestMapRefusesFilesThatCanChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, make([]byte, 4096), 0o444); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if r, ok := Map(f, 4096); ok {
		r.Free()
		t.Error("an ordinary file is mapped")
	}
}
