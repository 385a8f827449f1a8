package inventory

import (
	"context"
	"encoding/binary"
	"fmt"
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

// BenchmarkFindInFiles searches rows of chats for an address and a number that one of them has.
func BenchmarkFindInFiles(b *testing.B) {
	var text []byte
	for i := range 20_000 {
		text = fmt.Appendf(text, `{"messages":[{"role":"user","content":"Write to p%d@example.org or call +44 20 7946 %04d. My order did not come, `, i, i%10_000)
		for k := range 60 {
			text = strconv.AppendInt(append(text, "w"...), int64(i*k%997), 36)
			text = append(text, ' ')
		}
		text = append(text, "\"},{\"role\":\"assistant\",\"content\":\"We are sorry.\\n\\nIt will be sent again.\"}]}\n"...)
	}
	path := filepath.Join(b.TempDir(), "rows.jsonl")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	q := testQuery(b, identify.Email, "p12345@example.org")
	if err := q.Add(identify.Phone, "+44 20 7946 2345"); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s := Search{Query: q, Files: &Sources{Inputs: []string{path}, Workers: 1}}
		if a, err := s.Run(b.Context()); err != nil || len(a.Findings) != 2 {
			b.Fatal(a, err)
		}
	}
}
