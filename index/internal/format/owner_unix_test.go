//go:build unix

package format

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDenied: an index that this user may not read names both users and the remedy.
func TestDenied(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.nidx")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	denied := &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission} // root is never denied
	got := remedy(path, fmt.Errorf("open index: %w", denied))
	want := fmt.Sprintf(": the file has mode 0600 and belongs to user %d, group %d; noecho runs as user %[1]d, group %[2]d: "+
		"let this user read the file, with index build --mode 0644, chmod or chown", os.Geteuid(), os.Getegid())
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := remedy(filepath.Join(path, "x"), denied); !strings.Contains(got, "folder") {
		t.Errorf("%q", got)
	}
	if got := remedy(path, fs.ErrInvalid); got != "" {
		t.Errorf("%q", got)
	}
}
