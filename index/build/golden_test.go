package build

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/corpus"
)

// goldenText is the text of the golden file: eleven words, two windows.
const goldenText = "one two three four five six seven eight nine ten eleven"

// goldenManifest is the MANIFEST section of the golden file.
const goldenManifest = `{"datasets":[{"name":"golden","path_digest":"61d1954b9aba0c9aedb8d1338804e817c7262cfc36da94161dab8e3ed7a3a43a","files":1,"bytes":55,"records":1,"segments":1,"words":11,"labels":["public"]}],"corpus_digest":"3f968d468190c768199def83937a353003869751fda797a1e39185fbc49def14","builder":"test","parameters":{"n":10,"norm":1,"unicode":"15.0.0","suite":"xxh64","format":"text","roles":["user"],"capacity":20,"sizing":"given","window_bits":16,"confirm_bits":28,"gate_bits":5,"word_bits":16},"exclusions":[],"not_indexed":{"system_messages":0,"developer_messages":0,"other_messages":0,"short_segments":0,"short_records":0,"bad_records":0,"excluded_windows":0,"skipped_files":0}}` + "\n"

// goldenRows are the bytes of the golden file in rows of 16, each behind its offset.
// Rows of zeros are left out, and so is the payload of MANIFEST, which is
// goldenManifest. The bytes come from a second implementation in another language,
// written from the package comment. No code of this package produced them.
const goldenRows = `
    0  89 4e 49 44 58 0d 0a 1a 01 00 00 00 00 10 00 00  | magic, format version 1, header length 4096
   16  c0 15 00 00 00 00 00 00 0a 00 00 00 01 00 00 00  | file length, n = 10, normalisation 1
   32  31 35 2e 30 2e 30 00 00 00 00 00 00 00 00 00 00  | Unicode 15.0.0
   48  01 00 00 00 06 00 00 00 00 00 00 00 00 00 00 00  | suite 1, six sections
   64  00 00 00 00 00 00 00 00 14 00 00 00 00 00 00 00  | capacity 20
   80  01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00  | 1 record, 1 segment
   96  0b 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00  | 11 words, 2 windows
  128  5c 48 fd b8 81 4e 53 e9 1e de 7d 1c 64 53 15 26  | build id
  144  f8 c2 94 22 20 ee ce 96 d8 3b 10 6d a6 1c ac a8
  512  02 00 00 00 01 00 00 00 00 10 00 00 00 00 00 00  | GATES, required, at 4096
  528  40 00 00 00 00 00 00 00 20 94 bd 76 04 00 00 00  | length 64, table checksum, gram 4
  544  14 00 00 00 00 00 00 00 17 00 00 00 00 00 00 00  | capacity 20, set bits
  560  03 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00  | k = 3, block 512
  576  02 00 00 00 01 00 00 00 80 10 00 00 00 00 00 00  | GATES
  592  40 00 00 00 00 00 00 00 8a 88 54 71 02 00 00 00
  608  0a 00 00 00 00 00 00 00 1e 00 00 00 00 00 00 00
  624  03 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00
  640  03 00 00 00 01 00 00 00 00 11 00 00 00 00 00 00  | WINDOWS
  656  40 00 00 00 00 00 00 00 52 3e e4 3e 0a 00 00 00
  672  14 00 00 00 00 00 00 00 0f 00 00 00 00 00 00 00
  688  08 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00
  704  04 00 00 00 01 00 00 00 80 11 00 00 00 00 00 00  | CONFIRM
  720  48 00 00 00 00 00 00 00 e6 7d c2 2c 0a 00 00 00
  736  14 00 00 00 00 00 00 00 25 00 00 00 00 00 00 00
  752  13 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
  768  09 00 00 00 00 00 00 00 40 12 00 00 00 00 00 00  | WORDS
  784  40 00 00 00 00 00 00 00 76 1c 68 8a 01 00 00 00
  800  15 00 00 00 00 00 00 00 50 00 00 00 00 00 00 00
  816  08 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00
  832  01 00 00 00 01 00 00 00 c0 12 00 00 00 00 00 00  | MANIFEST
  848  9f 02 00 00 00 00 00 00 2d 42 60 80 00 00 00 00
 4080  89 4e 49 44 58 0d 0a 1a 00 00 00 00 2e 5a c0 ec  | magic again, checksum
 4096  02 00 00 00 01 40 00 00 00 00 00 00 00 00 09 80  | GATES, 4-grams
 4112  00 08 00 00 00 00 0a 01 00 00 00 10 00 00 02 20
 4128  04 01 00 00 08 08 00 10 00 00 00 00 00 00 00 00
 4144  00 00 00 00 00 00 00 80 20 00 20 82 00 00 00 00
 4160  1c 65 f1 10 00 00 00 00 00 00 00 00 00 00 00 00  | its checksum table
 4224  00 00 42 04 00 00 a0 80 00 00 80 01 08 00 00 00
 4240  00 80 04 00 00 20 80 00 00 00 40 04 00 00 41 00
 4256  10 80 20 00 00 00 00 00 00 20 08 20 10 00 00 20
 4272  00 02 00 80 00 00 00 08 00 00 02 10 00 00 00 00
 4288  64 3d 31 bc 00 00 00 00 00 00 00 00 00 00 00 00
 4352  00 00 08 00 00 02 00 00 00 00 02 01 02 00 00 00
 4368  04 00 00 00 00 00 00 08 00 40 00 00 00 00 00 80
 4384  00 00 20 00 00 00 00 00 10 00 00 00 00 10 00 00
 4400  00 00 00 00 10 00 00 00 00 00 48 00 00 00 00 00
 4416  a7 50 8f 40 00 00 00 00 00 00 00 00 00 00 00 00
 4480  00 00 00 00 00 00 10 00 80 00 00 00 80 00 08 00
 4496  01 10 10 00 00 00 00 00 02 10 80 00 01 00 01 20
 4512  00 00 00 80 02 00 00 00 00 00 00 08 00 28 00 40
 4528  20 00 00 01 00 00 a0 10 01 54 40 04 00 00 42 12
 4544  00 00 41 00 00 00 00 40 00 00 00 00 00 00 00 00
 4608  f8 2b 53 90 00 00 00 00 00 00 00 00 00 00 00 00
 4672  00 21 d0 04 04 00 10 00 41 64 00 08 61 20 08 02  | WORDS
 4688  04 01 c0 00 06 00 08 81 4c 01 8c 08 00 80 2a 48
 4704  00 84 51 44 40 26 80 11 02 83 02 00 81 00 20 40
 4720  00 00 00 04 84 04 06 10 08 20 20 01 80 10 40 00
 4736  21 25 02 05 00 00 00 00 00 00 00 00 00 00 00 00
 5504  fd cf 54 32 00 00 00 00 00 00 00 00 00 00 00 00
`

// goldenLen is the length of the golden file, and goldenManifestAt the offset of its
// manifest.
const (
	goldenLen        = 5568
	goldenManifestAt = 4800
)

// goldenFile assembles the golden file from its literals.
func goldenFile(t testing.TB) []byte {
	t.Helper()
	b := make([]byte, goldenLen)
	for _, row := range strings.Split(strings.TrimSpace(goldenRows), "\n") {
		row, _, _ = strings.Cut(row, "|")
		fields := strings.Fields(row)
		var at int
		if _, err := fmt.Sscan(fields[0], &at); err != nil {
			t.Fatal(err)
		}
		if _, err := hex.Decode(b[at:], []byte(strings.Join(fields[1:], ""))); err != nil {
			t.Fatal(err)
		}
	}
	copy(b[goldenManifestAt:], goldenManifest)
	return b
}

// writeGolden writes the golden file to disk.
func writeGolden(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "golden.nidx")
	if err := os.WriteFile(path, goldenFile(t), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGoldenIsWhatBuildWrites(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "x.nidx")
	_, err := Build(context.Background(), Options{
		Out: out, Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(goldenText),
		Corpus: corpus.Options{Format: corpus.Text, Roles: []string{"user"}},
		Name:   "-", Dataset: "golden", Labels: []string{"public"}, Builder: "test", Capacity: 20, NoLedger: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want := goldenFile(t)
	if bytes.Equal(got, want) {
		return
	}
	t.Errorf("%d bytes, want %d", len(got), len(want))
	for i := 0; i < min(len(got), len(want)); i += 16 {
		end := min(i+16, len(got), len(want))
		if !bytes.Equal(got[i:end], want[i:end]) {
			t.Errorf("at %d: % x, want % x", i, got[i:end], want[i:end])
		}
	}
}

func TestGoldenOpens(t *testing.T) {
	t.Parallel()
	ix, err := index.Open(writeGolden(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	for _, h := range windowsOf(t, ix.Spec(), goldenText) {
		if !ix.Window(h) {
			t.Error("a window is missing")
		}
	}
	if ix.Window(gramsOf(ix.Spec(), strings.ToUpper(goldenText), 9)[0]) {
		t.Error("nine words are a window")
	}
	for _, h := range gramsOf(ix.Spec(), goldenText, 1) {
		if !ix.Word(h) {
			t.Error("a word is missing")
		}
	}
	in := ix.Files()[0].Info
	if in.N != 10 || in.Records != 1 || in.Segments != 1 || in.Words != 11 || in.Windows != 2 || in.Distinct != 2 || in.Capacity != 20 {
		t.Errorf("info %+v", in)
	}
	if m := ix.Files()[0].Manifest; m.Builder != "test" || m.Datasets[0].Name != "golden" {
		t.Errorf("manifest %+v", m)
	}
}
