package inventory

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"noecho/index/identify"
)

// BenchmarkFind asks an inventory of ten million rows for an identifier in three of them. Each
// row has two identifiers, one of which the next two rows have, too. It opens the file each
// time, as a command does. NOECHO_INVENTORY keeps the file under that name:
//
//	NOECHO_INVENTORY=$PWD/10m.ninv go test -run - -bench Find ./index/inventory
func BenchmarkFind(b *testing.B) {
	rows := 10_000_000
	if testing.Short() {
		rows = 100_000
	}
	path := os.Getenv("NOECHO_INVENTORY")
	if path == "" {
		path = filepath.Join(b.TempDir(), "rows.ninv")
	}
	size := writeRows(b, path, rows)
	q := testQuery(b, identify.Email, "p"+strconv.Itoa(rows/2/3*3)+"@example.org")
	b.Run("rows="+strconv.Itoa(rows), func(b *testing.B) {
		b.ReportMetric(float64(size)/float64(rows), "bytes/row")
		b.ReportAllocs()
		for b.Loop() {
			f, err := Open(path)
			if err == nil {
				err = f.Unlock(testKey(1))
			}
			if err != nil {
				b.Fatal(err)
			}
			a, err := search(q, f)
			if err != nil || len(a.Findings) != 3 {
				b.Fatal(a, err)
			}
			_ = f.Close()
		}
	})
}

// writeRows writes an inventory of rows with an id of eight digits, and returns its length.
func writeRows(b *testing.B, path string, rows int) uint64 {
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	w := NewWriter(out, testKey(1), func() (*os.File, error) { return os.CreateTemp(b.TempDir(), "run") }, 256<<20)
	defer w.Abort()
	h := testKey(1).Hasher()
	counts := []Count{{0, 1}, {1, 1}}
	for i := range rows {
		r := Row{Line: uint64(i + 1), ID: strconv.Itoa(10_000_000 + i), Counts: counts}
		binary.LittleEndian.PutUint64(r.Sum[:], uint64(i)*0x9E3779B97F4A7C15)
		postings := []Posting{
			{h.Value(identify.Email, "p"+strconv.Itoa(i/3*3)+"@example.org"), 0, 1},
			{h.Value("order", strconv.Itoa(i)), 1, 1},
		}
		if err := w.Row(r, postings); err != nil {
			b.Fatal(err)
		}
	}
	meta := &Meta{Kinds: []string{identify.Email, "order"}, Datasets: []Dataset{{Name: "d"}}}
	info, err := w.Finish(context.Background(), meta, []Source{{Name: "rows.jsonl"}}, []Disk{{Name: "rows.jsonl"}})
	if err != nil {
		b.Fatal(err)
	}
	return info.Bytes
}
