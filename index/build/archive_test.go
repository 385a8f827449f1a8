package build

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// packed returns an archive of members, given as name, text, name, text, …
func packed(t *testing.T, kind string, members []string) string {
	t.Helper()
	var buf bytes.Buffer
	var out io.Writer = &buf
	var create func(name string, size int) (io.Writer, error)
	var closers []io.Closer
	switch kind {
	case "x.zip":
		z := zip.NewWriter(out)
		closers = append(closers, z)
		create = func(name string, _ int) (io.Writer, error) { return z.Create(name) }
	case "x.tgz":
		g := gzip.NewWriter(out)
		closers = append(closers, g)
		out = g
		fallthrough
	default:
		w := tar.NewWriter(out)
		closers = append([]io.Closer{w}, closers...)
		create = func(name string, size int) (io.Writer, error) {
			return w, w.WriteHeader(&tar.Header{Name: name, Size: int64(size), Mode: 0o600})
		}
	}
	for i := 0; i < len(members); i += 2 {
		w, err := create(members[i], len(members[i+1]))
		if err == nil {
			_, err = io.WriteString(w, members[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range closers {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return buf.String()
}

// TestArchiveIsAFolder builds the same bytes from an archive and from a folder of its name
// with the same files, whatever the order of the members.
func TestArchiveIsAFolder(t *testing.T) {
	t.Parallel()
	var members []string
	for _, i := range []int{4, 1, 3, 0, 2} {
		members = append(members,
			fmt.Sprintf("%d/rows.jsonl", i), fmt.Sprintf("{\"text\":%q}\n{\"text\":%q}\n", prose(uint64(i), 60), prose(7, 20)),
			fmt.Sprintf("%d/text.txt", i), prose(uint64(i+10), 70))
	}
	members = append(members, "1/long.txt", strings.Repeat(prose(20, 2000)+"\n", 500), "0/longer.txt", strings.Repeat(prose(21, 2000)+"\n", 500), "last.txt", prose(22, 40))
	for _, kind := range []string{"x.tar", "x.tgz", "x.zip"} {
		dir := t.TempDir()
		folder := filepath.Join(dir, "folder", kind)
		for i := 0; i < len(members); i += 2 {
			writeInput(t, filepath.Join(folder, members[i]), members[i+1])
		}
		archive := writeInput(t, filepath.Join(dir, "archive", kind), packed(t, kind, members))
		var want, report string
		for n, in := range []string{folder, archive} {
			out := filepath.Join(dir, fmt.Sprint(n))
			mustBuild(t, Options{Out: out, Inputs: []string{in}, Workers: 1 + 2*n, Report: out + ".report"})
			got, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			rows, err := os.ReadFile(out + ".report")
			if err != nil {
				t.Fatal(err)
			}
			rows = bytes.ReplaceAll(rows, []byte(filepath.Dir(folder)), []byte(filepath.Dir(archive)))
			if n == 0 {
				want, report = string(got), string(rows)
			} else if string(got) != want || string(rows) != report {
				t.Errorf("%s: the index or the report differs from that of the folder", kind)
			}
		}
	}
}
