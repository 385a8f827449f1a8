package corpus

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pierrec/lz4/v4"
)

const (
	fewRows  = `{"messages":[{"role":"user","content":"x"}]}` + "\n" + `{"messages":[{"role":"user","content":"y"}]}` + "\n"
	manyRows = 3000 // times fewRows
)

// packedFile returns a file of testdata/packed. These are made by xz 5.4.1 and lz4 1.9.4
// of Debian 12, of FEW, the two rows, and of ROWS, 3,000 times the same:
//
//	best.xz        xz -9 ROWS
//	none.xz        xz -0 -C none ROWS
//	crc32.xz       xz -C crc32 FEW
//	sha256.xz      xz -C sha256 ROWS
//	blocks.xz      xz --block-size=100000 ROWS
//	streams.xz     FEW, 8 zero bytes, FEW with -0, and an empty file
//	delta.xz       xz --delta=dist=1 --lzma2 FEW
//	dictionary.xz  xz --lzma2=dict=65MiB FEW
//	default.lz4    lz4 ROWS
//	sums.lz4       lz4 -BX -B4 ROWS
//	linked.lz4     lz4 -B4 -BD -9 ROWS
//	size.lz4       lz4 --content-size --no-frame-crc ROWS
//	legacy.lz4     lz4 -l ROWS
//	frames.lz4     FEW, a frame to be skipped, FEW twice with -l, FEW, an empty frame to be skipped
func packedFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "packed", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unpackedText decompresses a file, read in pieces of any length.
func unpackedText(file string, pieces func(io.Reader) io.Reader) (string, error) {
	z, err := inflate(pieces(strings.NewReader(file)), codecOf([]byte(file)), "x")
	if err != nil {
		return "", err
	}
	defer z.close()
	text, err := io.ReadAll(z)
	return string(text), err
}

// packedNames are the files of testdata/packed that are read, with the times that they
// have fewRows.
func packedNames() map[string]int {
	return map[string]int{
		"best.xz": manyRows, "none.xz": manyRows, "crc32.xz": 1, "sha256.xz": manyRows, "blocks.xz": manyRows, "streams.xz": 2,
		"default.lz4": manyRows, "sums.lz4": manyRows, "linked.lz4": manyRows, "size.lz4": manyRows, "legacy.lz4": manyRows, "frames.lz4": 4,
	}
}

// TestXZAndLZ4 reads the files of the usual programs, whatever the pieces in which they
// come.
func TestXZAndLZ4(t *testing.T) {
	t.Parallel()
	for name, times := range packedNames() {
		file := packedFile(t, name)
		for _, pieces := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader} {
			if text, err := unpackedText(file, pieces); err != nil || text != strings.Repeat(fewRows, times) {
				t.Errorf("%s: %d bytes, %v", name, len(text), err)
			}
		}
		in, err := findOne(t, strings.Replace(name, ".", ".jsonl.", 1), file, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if rows, bad := readInput(t, in, Options{}); len(rows) != 2*times || len(bad) > 0 || in.Format != ByRow {
			t.Errorf("%s: %d rows, %q, read as %s", name, len(rows), bad, in.Format)
		}
		twice := gzipped(t, file)
		if _, err := findOne(t, "x", twice, Options{}); err == nil || !strings.Contains(err.Error(), "compressed twice") {
			t.Errorf("%s compressed again: %v", name, err)
		}
	}
	// Frames to be skipped before an LZ4 file.
	if text, err := unpackedText("\x50\x2a\x4d\x18\x01\x00\x00\x00a"+packedFile(t, "default.lz4"), iotest.HalfReader); err != nil || len(text) != manyRows*len(fewRows) {
		t.Errorf("behind a frame to be skipped: %d bytes, %v", len(text), err)
	}
}

// TestXZAndLZ4Refused names the remedy for files that are not read.
func TestXZAndLZ4Refused(t *testing.T) {
	t.Parallel()
	// A dictionary of 4 GiB in the second stream.
	huge := []byte(packedFile(t, "none.xz"))
	huge[16] = 40
	binary.LittleEndian.PutUint32(huge[20:], crc32.ChecksumIEEE(huge[12:20]))
	dictionary := []byte("\x04\x22\x4d\x18\x61\x40\x01\x00\x00\x00\x00")
	var sum xxh32
	sum.write(dictionary[4:10])
	dictionary[10] = byte(sum.sum() >> 8)
	for file, want := range map[string]string{
		packedFile(t, "dictionary.xz"):           "the dictionary is larger than 64 MiB: compress it again; `xzcat FILE | xz -9 > NEW.xz`",
		packedFile(t, "crc32.xz") + string(huge): "the dictionary is larger than 64 MiB",
		packedFile(t, "delta.xz"):                "other filters than LZMA2: decompress it; `xz -d FILE`",
		string(dictionary):                       "it needs a dictionary",
		packedFile(t, "crc32.xz") + "\x00\x00":   "ends too early",
		packedFile(t, "crc32.xz") + "x":          "damaged",
		packedFile(t, "default.lz4") + "abcd":    "damaged",
	} {
		_, err := unpackedText(file, func(r io.Reader) io.Reader { return r })
		var damaged *DamagedError
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestXZAndLZ4Damaged cuts files at every byte and changes each of their bytes: either is
// an error, or gives all of the text. A legacy frame of LZ4 has no checksum and no end.
func TestXZAndLZ4Damaged(t *testing.T) {
	t.Parallel()
	for name, times := range packedNames() {
		file := packedFile(t, name)
		if strings.HasPrefix(name, "legacy") || name == "frames.lz4" || name == "size.lz4" {
			continue
		}
		want := strings.Repeat(fewRows, times)
		for i := 4; i < len(file); i++ {
			text, err := unpackedText(file[:i], func(r io.Reader) io.Reader { return r })
			if err == nil && text != want && !strings.HasPrefix(name, "streams") {
				t.Fatalf("%s cut at %d: %d bytes", name, i, len(text))
			}
			if strings.HasPrefix(name, "none") || i < 8 {
				continue
			}
			changed := []byte(file)
			changed[i] ^= 0x11
			if text, err := unpackedText(string(changed), func(r io.Reader) io.Reader { return r }); err == nil && text != want {
				t.Fatalf("%s changed at %d: %d bytes", name, i, len(text))
			}
		}
	}
}

// TestLZ4Checksum compares the checksum with the library's, over every split.
func TestLZ4Checksum(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("0123456789abcde", 5))
	for n := range len(text) {
		var packed bytes.Buffer
		w := lz4.NewWriter(&packed)
		if _, err := w.Write(text[:n]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want := binary.LittleEndian.Uint32(packed.Bytes()[packed.Len()-4:])
		for i := range n + 1 {
			var sum xxh32
			sum.write(text[:i])
			sum.write(text[i:n])
			if sum.sum() != want {
				t.Fatalf("%d bytes, split at %d: %x, want %x", n, i, sum.sum(), want)
			}
		}
	}
}

// TestLongBlock: the format of a file is decided by its rows, also if its first block is
// longer than the bytes that are looked at.
func TestLongBlock(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var rows, packed bytes.Buffer
	for rows.Len() < 5<<20 {
		fmt.Fprintf(&rows, "{\"text\":\"%x %x %x\"}\n", r.Uint64(), r.Uint64(), r.Uint64())
	}
	w := lz4.NewWriter(&packed)
	if _, err := w.Write(rows.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if packed.Len() < 2*headLen {
		t.Fatalf("the rows have only %d bytes when compressed", packed.Len())
	}
	dir := t.TempDir()
	file, archive := filepath.Join(dir, "rows.jsonl.lz4"), filepath.Join(dir, "rows.tar")
	for path, text := range map[string]string{file: packed.String(), archive: tarred(t, tar.FormatPAX, "rows.jsonl.lz4", packed.String())} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arg := range []string{file, archive, Stdin} {
		inputs, _, err := Find([]string{arg}, bytes.NewReader(packed.Bytes()), Options{})
		if err != nil || len(inputs) != 1 || inputs[0].Format != ByRow && inputs[0].Format != JSONL {
			t.Errorf("%s: %v, %v", arg, inputs, err)
		}
	}
}
