package corpus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// shard returns a shard of MosaicML, as its writer makes it: names and encodings of
// columns in order, and samples with a value for each column. An int column has 8 bytes.
func shard(names, encodings []string, samples ...[]string) string {
	sizes := make([]string, len(names))
	for i, e := range encodings {
		if sizes[i] = "null"; e == "int" {
			sizes[i] = "8"
		}
	}
	head := fmt.Sprintf(`{"column_encodings": ["%s"], "column_names": ["%s"], "column_sizes": [%s], "compression": null, "format": "mds", "hashes": [], "size_limit": 67108864, "version": 2}`,
		strings.Join(encodings, `", "`), strings.Join(names, `", "`), strings.Join(sizes, ", "))
	number := func(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
	at := 4 + 4*(len(samples)+1) + len(head)
	offsets, data := number(at), ""
	for _, s := range samples {
		row := ""
		for i, v := range s {
			if sizes[i] == "null" {
				row += number(len(v))
			}
		}
		row += strings.Join(s, "")
		data += row
		at += len(row)
		offsets += number(at)
	}
	return number(len(samples)) + offsets + head + data
}

// TestMDS reads the rows of shards by their columns.
func TestMDS(t *testing.T) {
	t.Parallel()
	messages := `[{"role": "user", "content": "x"}, {"role": "assistant", "content": "y\nz"}]`
	seven := "\x07\x00\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		name, file string
		o          Options
		rows       []string
		kind       string
	}{
		{"text", shard([]string{"text"}, []string{"str"}, []string{"a \"b\"\n\u00e9"}, []string{""}, []string{"c"}), Options{}, []string{`1  ["a \"b\"\né"]`, "2  []", `3  ["c"]`}, "text column"},
		{"pairs", shard([]string{"completion", "id", "prompt"}, []string{"str", "int", "str"}, []string{"c", seven, "p"}), Options{}, []string{`1 7 ["c" "p"]`}, "completion"},
		{"messages", shard([]string{"messages", "tokens"}, []string{"json", "ndarray:uint16"}, []string{messages, "\x01\x02\x03"}), Options{}, []string{`1  ["x" "y\nz"]`}, "openai"},
		{"bytes", shard([]string{"text", "tokens"}, []string{"bytes", "bytes"}, []string{"a text", "\x01\x00\x02\x00"}), Options{}, []string{`1  ["a text"]`}, "text column"},
		{"a field", shard([]string{"label", "note"}, []string{"str", "str"}, []string{"l", "n"}), Options{Fields: []string{"note"}}, []string{`1  ["n"]`}, "jsonl"},
		{"a long sample", shard([]string{"text"}, []string{"str"}, []string{strings.Repeat("x", 2000)}, []string{"b"}), Options{MaxLine: 1000}, []string{`2  ["b"]`}, "text column"},
	} {
		for _, file := range []string{c.file, zstandard(t, zstd.WithEncoderLevel(zstd.SpeedDefault), c.file)} {
			in, err := findOne(t, "shard.00000.mds.zstd", file, c.o)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			rows, bad := readInput(t, in, c.o)
			if strings.Join(rows, "\n") != strings.Join(c.rows, "\n") || (len(bad) > 0) != (c.o.MaxLine > 0) || in.Kind() != c.kind || in.Container != MDS {
				t.Errorf("%s: rows %q, bad %q, %s", c.name, rows, bad, in)
			}
		}
	}
	if _, err := findOne(t, "a.mds", shard([]string{"tokens"}, []string{"ndarray"}, []string{"\x00\x01"}), Options{}); err == nil || !strings.Contains(err.Error(), "MDS without columns of text") {
		t.Errorf("tokens alone: %v", err)
	}
	dir := folder(t, map[string]string{"index.json": `{"shards": [], "version": 2}`, "shard.00000.mds": shard([]string{"text"}, []string{"str"}, []string{"a"}), "shard.00001.mds": shard([]string{"text"}, []string{"str"}, []string{"b"})})
	if names, skipped, err := found(t, Options{}, dir); err != nil || len(names) != 2 || len(skipped) != 1 {
		t.Errorf("a folder: %q, skipped %q, %v", names, skipped, err)
	}
}

// TestManySamples reads a shard whose columns are farther into it than its format is
// looked for.
func TestManySamples(t *testing.T) {
	t.Parallel()
	const n = 300_000
	samples := make([][]string, n)
	for i := range samples {
		samples[i] = []string{"x"}
	}
	in, err := findOne(t, "shard.00000.mds", shardOf(samples), Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := in.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if got := strings.Count(string(text), "{\"text\":\"x\"}\n"); err != nil || got != n || in.Container != MDS {
		t.Errorf("%d rows, %v, %s", got, err, in)
	}
}

// shardOf returns a shard of the column text of samples of one byte.
func shardOf(samples [][]string) string {
	one := shard([]string{"text"}, []string{"str"}, []string{"x"})
	head := one[12 : len(one)-5]
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(samples)))
	at := 4 + 4*(len(samples)+1) + len(head)
	for i := range len(samples) + 1 {
		b = binary.LittleEndian.AppendUint32(b, uint32(at+5*i))
	}
	return string(b) + head + strings.Repeat("\x01\x00\x00\x00x", len(samples))
}

// TestMDSDamaged cuts a shard at every byte, in pieces of any length, and changes its
// numbers.
func TestMDSDamaged(t *testing.T) {
	t.Parallel()
	file := shard([]string{"a", "text"}, []string{"int", "str"}, []string{"12345678", tenWords}, []string{"12345678", "b"})
	want, err := readMDS(file, Options{})
	if err != nil || strings.Count(want, "\n") != 2 {
		t.Fatalf("%q, %v", want, err)
	}
	for cut := range len(file) {
		text, err := readMDS(file[:cut], Options{})
		var damaged *DamagedError
		if !errors.As(err, &damaged) || strings.Contains(err.Error(), "one two") || !strings.HasPrefix(want, text) {
			t.Fatalf("cut at %d: %q, %v", cut, text, err)
		}
	}
	for _, at := range []int{0, 4, 8, 12, strings.Index(file, "12345678") - 4} {
		changed := []byte(file)
		changed[at]++
		if text, err := readMDS(string(changed), Options{}); err == nil {
			t.Errorf("changed at %d: %q", at, text)
		}
	}
	if text, err := readMDS(file+"x", Options{}); err == nil {
		t.Errorf("with a byte more: %q", text)
	}
}

// readMDS reads a shard as lines, in pieces of one byte.
func readMDS(file string, o Options) (string, error) {
	text, err := io.ReadAll(newMDSLines(iotest.OneByteReader(strings.NewReader(file)), &Input{Path: "x", o: &o}))
	return string(text), err
}

// FuzzMDS reads any shard: lines that are JSON or say that a row is too long, or an error.
func FuzzMDS(f *testing.F) {
	f.Add([]byte(shard([]string{"text"}, []string{"str"}, []string{"a"}, []string{"b"})))
	f.Add([]byte(shard([]string{"a", "b", "c"}, []string{"json", "int", "bytes"}, []string{`{"a": [1]}`, "12345678", "c"})))
	f.Fuzz(func(t *testing.T, file []byte) {
		isMDS("x.mds", file)
		text, _ := readMDS(string(file), Options{MaxLine: 1 << 10})
		for line := range strings.Lines(text) {
			if _, _, ok := spoiltReason([]byte(line)); !ok && (!strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}\n")) {
				t.Fatalf("line %q", line)
			}
		}
		in := &Input{Path: filepath.Base("x.mds")}
		_ = in.decideMDS(file, &Options{})
	})
}
