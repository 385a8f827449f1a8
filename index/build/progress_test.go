package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"noecho/index/corpus"
)

// TestProgressOfFiles builds from compressed files, whose text is longer than the
// files. The progress of a pass ends at the size of the files, not above it.
func TestProgressOfFiles(t *testing.T) {
	t.Parallel()
	type row struct {
		Text string `parquet:"text"`
	}
	var rows []row
	var lines strings.Builder
	for i := range 400 {
		rows = append(rows, row{prose(uint64(i), 60)})
		fmt.Fprintf(&lines, "{\"text\":%q}\n", rows[i].Text)
	}
	var zipped, packed bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	if _, err := gz.Write([]byte(lines.String())); err != nil || gz.Close() != nil {
		t.Fatal(err)
	}
	zst, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := zst.Write([]byte(lines.String())); err != nil || zst.Close() != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := parquet.Write(&table, rows, parquet.Compression(&parquet.Zstd)); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat(prose(1, 200)+"\n", 5000) // is cut into blocks
	for name, data := range map[string]string{
		"a.jsonl": lines.String(), "a.jsonl.gz": zipped.String(), "a.jsonl.zst": packed.String(),
		"a.parquet": table.String(), "a.txt": prose(1, 900), "long.txt": long,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			o := Options{Out: filepath.Join(dir, "x.nidx"), Inputs: []string{path}, Capacity: 1 << 20, Progress: new(Progress), Workers: 2}
			if !strings.HasSuffix(name, ".txt") {
				o.Corpus = corpus.Options{Fields: []string{"text"}}
			}
			if _, err := Build(context.Background(), o); err != nil {
				t.Fatal(err)
			}
			if got, want := o.Progress.Bytes.Load(), int64(len(data)); got != want || o.Progress.Total.Load() != want {
				t.Errorf("progress ended at %d of %d, the file has %d bytes", got, o.Progress.Total.Load(), want)
			}
		})
	}
}
