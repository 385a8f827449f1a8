//go:build slow

package corpus

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// TestAMillionMembers finds the limit of members of an archive, and the memory that so many
// take.
func TestAMillionMembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.tgz")
	write := func(members int) {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		g, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		w := tar.NewWriter(g)
		for i := range members {
			text := fmt.Sprintf("%d %s", i, tenWords)
			if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("%04d/%07d.txt", i%1000, i), Size: int64(len(text)), Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, text); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []io.Closer{w, g, f} {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(mostMembers)
	inputs, _, err := Find([]string{path}, nil, Options{})
	if err != nil || len(inputs) != mostMembers {
		t.Fatalf("%d members, %v", len(inputs), err)
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if each := m.HeapAlloc / mostMembers; each > 700 {
		t.Errorf("%d bytes of memory for each member", each)
	}
	for _, i := range []int{0, 1, mostMembers / 2, mostMembers - 1} {
		f, err := inputs[i].Open()
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(f); err != nil || string(text) != fmt.Sprintf("%d %s", i, tenWords) {
			t.Errorf("member %d: %q, %v", i, text, err)
		}
		f.Close()
	}
	write(mostMembers + 1)
	if _, _, err := Find([]string{path}, nil, Options{}); err == nil || !strings.Contains(err.Error(), "x.tgz: more than 1000000 members with text: unpack it") {
		t.Errorf("one more: %v", err)
	}
}
