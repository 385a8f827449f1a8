package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplaceOpenFile builds over an index that is still open.
func TestReplaceOpenFile(t *testing.T) {
	dir := t.TempDir()
	in, out := writeInput(t, filepath.Join(dir, "a.txt"), prose(1, 100)), writeInput(t, filepath.Join(dir, "x.nidx"), "the old file")
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Build(context.Background(), Options{Out: out, Inputs: []string{in}})
	f.Close()
	if err == nil || !strings.Contains(err.Error(), "does not replace a file that is open") {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 || string(readAll(t, out)) != "the old file" {
		t.Errorf("left behind: %v, or the old file is gone", left)
	}
}
