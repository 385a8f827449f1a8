package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// gzipped returns each text as a member of one gzip file.
func gzipped(t testing.TB, texts ...string) string {
	t.Helper()
	var buf bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&buf)
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return buf.String()
}

// zstandard returns each text as a frame of one zstd file.
func zstandard(t testing.TB, o zstd.EOption, texts ...string) string {
	t.Helper()
	var buf bytes.Buffer
	for _, text := range texts {
		w, err := zstd.NewWriter(&buf, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return buf.String()
}

// bzip2Row is a row of chat, compressed by Python's bz2.
const bzip2Row = "\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xd9\x79\x1c\x8a\x00\x00\x14\xdb\x80\x00\x10\x10\x04\x00\x10\x00\x0a\x2a\x87\x9e\x4a\x20\x00\x31\x40\xd3\x43\x23\x26\x20\xd4\x9e\x29\x82\x07\x86\xa8\x7e\xdc\x46\x08\xd0\x3b\x01\x35\x75\x7c\xab\xc3\xd6\x3c\x4f\x65\x5b\x8c\x94\x21\x84\xd1\x5f\xc5\xdc\x91\x4e\x14\x24\x36\x5e\x47\x22\x80"

func TestCompressed(t *testing.T) {
	t.Parallel()
	usual := zstd.WithEncoderLevel(zstd.SpeedDefault)
	chat := bom + `{"id":"a","messages":[{"role":"user","content":"x"}]}` + "\r\n"
	more := "\n" + `{"id":"b","messages":[{"role":"user","content":"y"}]}` + "\n"
	table := "prompt,completion\n\"p\n\",c\n"
	tests := []struct {
		name, file, text string
		rows             []string
		why              string
	}{
		{"gzip", "a.jsonl.gz", gzipped(t, chat+more), []string{`1 a ["x"]`, `3 b ["y"]`}, "read as openai: gzip, the first row has messages"},
		{"gzip of several members", "a.gz", gzipped(t, chat, "", more), []string{`1 a ["x"]`, `3 b ["y"]`}, "gzip, the first row has messages"},
		{"zstd", "a.jsonl.zst", zstandard(t, usual, chat+more), []string{`1 a ["x"]`, `3 b ["y"]`}, "read as openai: zstd, the first row has messages"},
		{"zstd of several frames", "a", zstandard(t, usual, chat, more), []string{`1 a ["x"]`, `3 b ["y"]`}, "zstd, the first row has messages"},
		{"zstd behind a frame to be skipped", "a", "\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + zstandard(t, usual, chat), []string{`1 a ["x"]`}, "zstd, the first row has messages"},
		{"bzip2 of several streams", "a.jsonl.bz2", bzip2Row + bzip2Row, []string{`1  ["x"]`, `2  ["x"]`}, "read as openai: bzip2, the first row has messages"},
		{"CSV", "a.csv.gz", gzipped(t, table), []string{"2  [\"p\\n\" \"c\"]"}, "read as csv, its rows as completion: gzip, the columns are prompt and completion"},
		{"array", "a.json.zst", zstandard(t, usual, `[{"instruction":"i","output":"o"}]`), []string{`1  ["i" "o"]`}, "read as alpaca: zstd, a JSON array, the first row has instruction and output"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, err := findOne(t, tt.file, tt.text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			rows, bad := readInput(t, in, Options{})
			if fmt.Sprint(rows) != fmt.Sprint(tt.rows) || len(bad) > 0 {
				t.Errorf("rows %q, bad %q; want %q", rows, bad, tt.rows)
			}
			if got := in.String(); !strings.HasSuffix(got, tt.why) {
				t.Errorf("described as %q, want %q", got, tt.why)
			}
			piped, _, err := Find([]string{Stdin}, strings.NewReader(tt.text), Options{})
			if in.Container != CSV && (err != nil || piped[0].Format != in.Format) { // a pipe has no name
				t.Errorf("piped: %v, %v", piped, err)
			}
		})
	}
}

func TestCompressedText(t *testing.T) {
	t.Parallel()
	text := bom + "# A title\n" + strings.Repeat("and a text\n", 300_000)
	in, err := findOne(t, "a.md.gz", gzipped(t, text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := in.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || string(got) != text[3:] || f.BOM != 3 || in.Format != Text || f.Taken() != in.Size {
		t.Errorf("%d bytes, %v, mark %d, %s, %d of %d bytes taken", len(got), err, f.BOM, in.Format, f.Taken(), in.Size)
	}
}

// TestCutShort cuts compressed files at every byte: no cut file is read as a shorter
// whole one.
func TestCutShort(t *testing.T) {
	t.Parallel()
	row := `{"messages":[{"role":"user","content":"x"}]}` + "\n"
	for name, whole := range map[string]string{
		"gzip":  gzipped(t, row),
		"bzip2": bzip2Row,
		"zstd":  zstandard(t, zstd.WithEncoderCRC(true), row),
	} {
		for cut := 4; cut < len(whole); cut++ {
			in := Input{Path: "x", Size: int64(cut)}
			if err := in.decide([]byte(whole[:cut]), &Options{}); err != nil {
				t.Fatalf("%s cut at %d: %v", name, cut, err)
			}
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, []byte(whole[:cut]), 0o600); err != nil {
				t.Fatal(err)
			}
			in.Path = path
			f, err := in.Open()
			if err == nil {
				lines := NewLines(f, path, Options{})
				for err == nil {
					_, err = lines.Next()
				}
				f.Close()
			}
			var damaged *DamagedError
			if !errors.As(err, &damaged) || strings.Contains(err.Error(), row) {
				t.Fatalf("%s cut at %d of %d: %v", name, cut, len(whole), err)
			}
		}
	}
}

// TestBombs checks that decompressing a file takes no memory in proportion to its
// content.
func TestBombs(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat(" ", 64<<20)
	in, err := findOne(t, "a.gz", gzipped(t, zeros), Options{Format: OpenAI})
	if err != nil {
		t.Fatal(err)
	}
	f, err := in.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := NewLines(f, "a.gz", Options{MaxLine: 1 << 20})
	var bad *BadRecord
	if _, err := lines.Next(); !errors.As(err, &bad) {
		t.Errorf("a line of 64 MiB: %v", err)
	}
	// A frame that asks for a window of 256 MiB: magic, descriptor, window.
	wide, err := findOne(t, "a.zst", "\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00", Options{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := wide.Open()
	if err == nil {
		_, err = io.ReadAll(g)
		g.Close()
	}
	if err == nil || !strings.HasSuffix(err.Error(), "a.zst: zstd: the window is larger than 128 MiB: compress it again without --long") {
		t.Errorf("a wide window: %v", err)
	}
}

// FuzzInflate reads any compressed file as JSON lines: rows, or an error.
func FuzzInflate(f *testing.F) {
	row := `{"messages":[{"role":"user","content":"x"}]}` + "\n"
	f.Add([]byte(gzipped(f, row, row)))
	f.Add([]byte(zstandard(f, zstd.WithEncoderCRC(true), row, row)))
	f.Add([]byte(bzip2Row + bzip2Row))
	for name := range packedNames() {
		f.Add([]byte(packedFile(f, name)))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		c := codecOf(file)
		if c == Plain {
			return
		}
		z, err := inflate(bytes.NewReader(file), c, "x")
		if err != nil {
			return
		}
		defer z.close()
		if _, err := io.CopyN(io.Discard, z, 16<<20); errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal("looks like a text that ends")
		}
	})
}
