package build

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/internal/format"
	"noecho/index/internal/memory"
	"noecho/ngram"
)

// mediumFile returns an index whose sections have several checksummed pieces.
func mediumFile(t testing.TB) []byte {
	t.Helper()
	in := writeInput(t, filepath.Join(t.TempDir(), "a.txt"), prose(7, 60000))
	out := filepath.Join(t.TempDir(), "a.nidx")
	mustBuild(t, Options{Out: out, Inputs: []string{in}, Capacity: 800_000})
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loadBytes opens an index in memory.
func loadBytes(b []byte) error {
	ix, err := index.Read(bytes.NewReader(b), int64(len(b)))
	if err == nil {
		ix.Close()
	}
	return err
}

// inPlace opens an index as one that is mapped.
func inPlace(b []byte) (*format.Contents, error) {
	return format.InPlace(bytes.NewReader(b), int64(len(b)), regionOf(b), func(int) {})
}

// regionOf returns a copy of bytes as a region.
func regionOf(b []byte) memory.Region {
	words := make([]uint64, len(b)/8+1)
	mem := memory.Region{Bytes: unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(b)), Words: words[:len(b)/8]}
	copy(mem.Bytes, b)
	return mem
}

// smallFile returns a small index with all sections.
func smallFile(t testing.TB) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "x.nidx")
	mustBuild(t, Options{
		Out: out, Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(goldenCorpus),
		Corpus: corpus.Options{Format: corpus.Completion}, Capacity: 20,
	})
	return readAll(t, out)
}

// Small files: flip every bit of the header and of the sections.
func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{"golden": goldenFile(t), "with all sections": smallFile(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := loadBytes(b); err != nil {
				t.Fatal(err)
			}
			for bit := range len(b) * 8 {
				b[bit/8] ^= 1 << (bit % 8)
				if err := loadBytes(b); !errors.Is(err, format.ErrDamaged) {
					t.Fatalf("bit %d of byte %d flipped: %v", bit%8, bit/8, err)
				}
				b[bit/8] ^= 1 << (bit % 8)
			}
		})
	}
}

func TestFlippedBodyBitsAreFound(t *testing.T) {
	t.Parallel()
	b := mediumFile(t)
	h, err := format.ReadHeader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	// Reading 5 MiB for each of 10,000 flips would take minutes. A flip in a payload
	// changes one piece, so only that piece is checked. Flips elsewhere get the whole
	// check.
	c := format.NewChecker(bytes.NewReader(b), h, make([][]byte, len(h.Sections)))
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	scratch := make([]byte, format.ChunkLen)
	r := rand.New(rand.NewPCG(1, 2))
	flips, whole := 10_000, 0
	if testing.Short() {
		flips = 1_000
	}
	for range flips {
		at := format.HeaderLen + r.IntN(len(b)-format.HeaderLen)
		bit := byte(1) << r.IntN(8)
		b[at] ^= bit
		err := error(nil)
		if s := sectionAt(h, uint64(at)); uint64(at) < h.Sections[s].Offset+h.Sections[s].Length {
			err = c.ReadChunk(format.Piece{Section: s, Chunk: (uint64(at) - h.Sections[s].Offset) / format.ChunkLen}, scratch)
		} else {
			whole++
			err = loadBytes(b)
		}
		if !errors.Is(err, format.ErrDamaged) {
			t.Fatalf("byte %d changed: %v", at, err)
		}
		b[at] ^= bit
	}
	// Padding and checksum tables are small, so every bit of them is flipped.
	for i, s := range h.Sections {
		for at := s.Offset + s.Length; at < s.End(); at++ {
			for bit := range 8 {
				b[at] ^= 1 << bit
				if err := c.ReadTail(i); !errors.Is(err, format.ErrDamaged) {
					t.Fatalf("byte %d of %v changed: %v", at, s, err)
				}
				b[at] ^= 1 << bit
			}
		}
	}
	if err := loadBytes(b); err != nil {
		t.Fatal(err)
	}
	for range 64 {
		at := format.HeaderLen + r.IntN(len(b)-format.HeaderLen)
		b[at] ^= 1
		if err := loadBytes(b); !errors.Is(err, format.ErrDamaged) {
			t.Fatalf("byte %d changed: %v", at, err)
		}
		b[at] ^= 1
	}
}

// sectionAt returns the section that contains an offset.
func sectionAt(h *format.Header, at uint64) int {
	for i, s := range h.Sections {
		if at < s.End() {
			return i
		}
	}
	panic("offset behind the last section")
}

func TestEveryTruncationIsFound(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{goldenFile(t), smallFile(t)} {
		for n := range len(b) {
			if err := loadBytes(b[:n]); !errors.Is(err, format.ErrDamaged) {
				t.Fatalf("cut to %d bytes: %v", n, err)
			}
		}
		if err := loadBytes(append(bytes.Clone(b), 0)); !errors.Is(err, format.ErrDamaged) {
			t.Errorf("one byte longer: %v", err)
		}
	}
	m := mediumFile(t)
	h, err := format.ReadHeader(bytes.NewReader(m), int64(len(m)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Sections {
		for _, n := range []uint64{s.Offset, s.Offset + 1, s.Offset + s.Length - 1, s.Offset + s.Length, s.TableAt(), s.TableAt() + 1, s.End() - 1} {
			if err := loadBytes(m[:n]); !errors.Is(err, format.ErrDamaged) {
				t.Errorf("cut to %d bytes: %v", n, err)
			}
		}
	}
}

// shrinking is a file that is cut while somebody reads it.
type shrinking struct {
	b     []byte
	after int
	reads int
}

func (s *shrinking) ReadAt(p []byte, off int64) (int, error) {
	b := s.b
	if s.reads++; s.reads > s.after {
		b = b[:len(b)/2]
	}
	return bytes.NewReader(b).ReadAt(p, off)
}

func TestFileCutWhileItIsRead(t *testing.T) {
	t.Parallel()
	b := goldenFile(t)
	for after := range 8 {
		if _, err := index.Read(&shrinking{b: b, after: after}, int64(len(b))); err != nil && !errors.Is(err, format.ErrDamaged) {
			t.Errorf("after %d reads: %v", after, err)
		}
	}
}

// TestInPlace changes every byte of a small index that is not copied, and compares the
// answers and the bytes counted with those of a copy.
func TestInPlace(t *testing.T) {
	t.Parallel()
	b := smallFile(t)
	var counted atomic.Int64
	c, err := format.InPlace(bytes.NewReader(b), int64(len(b)), regionOf(b), func(n int) { counted.Add(int64(n)) })
	if err != nil {
		t.Fatal(err)
	}
	same, err := format.Load(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer same.Free()
	if !bytes.Equal(c.Manifest, same.Manifest) || !slices.Equal(c.Windows.Words, same.Windows.Words) || !slices.Equal(c.Confirm.Words, same.Confirm.Words) ||
		!slices.Equal(c.Gate2.Words, same.Gate2.Words) || !slices.Equal(c.Gate4.Words, same.Gate4.Words) || !slices.Equal(c.Words.Words, same.Words.Words) ||
		!bytes.Equal(c.Tables.Ledger.B, same.Tables.Ledger.B) || c.Phrases.Count != same.Phrases.Count {
		t.Error("an index in place has other contents")
	}
	if counted.Load() == 0 {
		t.Error("no byte is counted")
	}
	for at := range b {
		b[at] ^= 1 << (at % 8)
		if _, err := inPlace(b); err == nil {
			t.Fatalf("byte %d is changed, and no error", at)
		}
		b[at] ^= 1 << (at % 8)
	}
}

func TestOpenIndexOutlivesItsFile(t *testing.T) {
	t.Parallel()
	path := writeGolden(t)
	ix, err := index.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if err := os.WriteFile(path, []byte("overwritten in place"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, h := range windowsOf(t, ix.Spec(), goldenText) {
		if !ix.Window(h) {
			t.Fatal("a window is missing")
		}
	}
}

// reseal corrects every checksum and the build id of a changed file, so that the tests
// reach the checks behind them.
func reseal(b []byte) {
	if len(b) < format.HeaderLen {
		return
	}
	le := binary.LittleEndian
	le.PutUint64(b[format.OffFileLen:], uint64(len(b)))
	h := &format.Header{}
	for i := range int(min(le.Uint32(b[format.OffSections:]), format.MaxSections)) {
		e := b[format.OffEntries+i*format.EntryLen:]
		s := format.ParseEntry(e)
		if s.Length == 0 || s.Length > uint64(len(b)) || s.Offset > uint64(len(b)) || s.End() > uint64(len(b)) {
			continue
		}
		table := b[s.TableAt():][:4*format.Chunks(s.Length)]
		for k := uint64(0); k < s.Length; k += format.ChunkLen {
			le.PutUint32(table[4*(k/format.ChunkLen):], crc32.Checksum(b[s.Offset+k:s.Offset+min(k+format.ChunkLen, s.Length)], format.Castagnoli))
		}
		le.PutUint32(e[format.EntTableCRC:], crc32.Checksum(table, format.Castagnoli))
		if s.K != 0 && s.Known() {
			le.PutUint64(e[format.EntOnes:], format.PopCount(b[s.Offset:s.Offset+s.Length]))
		}
	}
	le.PutUint32(b[format.OffHeaderCRC:], crc32.Checksum(b[:format.OffHeaderCRC], format.Castagnoli))
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		return
	}
	c := format.NewChecker(bytes.NewReader(b), h, make([][]byte, len(h.Sections)))
	if c.Run() != nil {
		return
	}
	id := format.BuildID(h, c.Sums, c.Tails)
	copy(b[format.OffBuildID:], id[:])
	le.PutUint32(b[format.OffHeaderCRC:], crc32.Checksum(b[:format.OffHeaderCRC], format.Castagnoli))
}

func TestForeignAndMismatched(t *testing.T) {
	t.Parallel()
	le := binary.LittleEndian
	set32 := func(at int, v uint32) func([]byte) { return func(b []byte) { le.PutUint32(b[at:], v) } }
	gates := format.OffEntries + 0*format.EntryLen
	windows := format.OffEntries + 2*format.EntryLen
	words := format.OffEntries + 4*format.EntryLen
	manifest := format.OffEntries + 5*format.EntryLen
	tests := []struct {
		name   string
		change func(b []byte)
		field  string // of a MismatchError; empty: damaged
	}{
		{"format 2", set32(format.OffVersion, 2), "format version"},
		{"n 4", set32(format.OffN, 4), "n"},
		{"n 65", set32(format.OffN, 65), "n"},
		{"norm 2", set32(format.OffNorm, 2), "normalisation version"},
		{"Unicode", func(b []byte) { copy(b[format.OffUnicode:], "16.0.0") }, "Unicode version"},
		{"suite 3", set32(format.OffSuite, 3), "hash suite"},
		{"suite 2 without a key", set32(format.OffSuite, 2), "key id"},
		{"suite 0", set32(format.OffSuite, 0), "hash suite"},
		{"suite 257", set32(format.OffSuite, 257), "hash suite"},
		{"key", set32(format.OffKeyID, 1), "key id"},
		{"reserved header byte", set32(format.OffWindows+8, 1), "header"},
		{"reserved behind the entries", set32(format.OffEntries+6*format.EntryLen, 1), "header"},
		{"header length", set32(format.OffHeaderLen, 8192), ""},
		{"too many sections", set32(format.OffSections, 56), ""},
		{"no sections", func(b []byte) {
			clear(b[format.OffEntries : format.OffEntries+6*format.EntryLen])
			set32(format.OffSections, 0)(b)
		}, ""},
		{"flags", set32(gates+format.EntFlags, 3), "section GATES/4 flags"},
		{"unknown required", set32(manifest+format.EntKind, 11), "section of kind 11"},
		{"phrases with a filter", set32(gates+format.EntKind, uint32(format.KindPhrases)), ""},
		{"phrases alone", set32(words+format.EntKind, uint32(format.KindStart)), ""},
		{"gates of 3", set32(gates+format.EntGram, 3), ""},
		{"gates twice", set32(gates+format.EntGram, 2), ""},
		{"k 0", set32(gates+format.EntK, 0), ""},
		{"k 17", set32(windows+format.EntK, 17), ""},
		{"block 0", set32(windows+format.EntBlock, 0), ""},
		{"block 256", set32(windows+format.EntBlock, 256), ""},
		{"windows of 9", set32(windows+format.EntGram, 9), ""},
		{"words of 2", set32(words+format.EntGram, 2), ""},
		{"words without k", set32(words+format.EntK, 0), ""},
		{"words without blocks", set32(words+format.EntBlock, 0), ""},
		{"words of no block", set32(words+format.EntLength, 8), ""},
		{"length of no block", set32(windows+format.EntLength, 8), ""},
		{"offset", set32(windows+format.EntOffset, 1<<20), ""},
		{"manifest with k", set32(manifest+format.EntK, 1), ""},
		{"manifest not JSON", func(b []byte) { b[goldenManifestAt] = '[' }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := goldenFile(t)
			tt.change(b)
			reseal(b)
			err := loadBytes(b)
			var m *index.MismatchError
			if tt.field == "" && !errors.Is(err, format.ErrDamaged) || tt.field != "" && (!errors.As(err, &m) || m.Field != tt.field) {
				t.Errorf("got %v, want field %q", err, tt.field)
			}
		})
	}
	for name, b := range map[string][]byte{"text": []byte("not an index"), "long text": bytes.Repeat([]byte("no index\n"), 1000)} {
		if err := loadBytes(b); !errors.Is(err, format.ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := index.Open(t.TempDir()); !errors.Is(err, format.ErrForeign) {
		t.Errorf("folder: %v", err)
	}
}

// TestUnknownOptionalSectionIsSkipped appends a section of a kind that format
// v1 does not know.
func TestUnknownOptionalSectionIsSkipped(t *testing.T) {
	t.Parallel()
	for _, kind := range []format.Kind{11, 1 << 31} {
		b := goldenFile(t)
		le := binary.LittleEndian
		at := uint64(len(b))
		b = append(b, make([]byte, format.Extent(3))...)
		copy(b[at:], "abc")
		e := b[format.OffEntries+6*format.EntryLen:]
		le.PutUint32(e[format.EntKind:], uint32(kind))
		le.PutUint64(e[format.EntOffset:], at)
		le.PutUint64(e[format.EntLength:], 3)
		le.PutUint32(b[format.OffSections:], 7)
		reseal(b)
		if err := loadBytes(b); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		b[at] ^= 1
		if err := loadBytes(b); !errors.Is(err, format.ErrDamaged) {
			t.Errorf("kind %d, changed: %v", kind, err)
		}
	}
}

// FuzzOpen opens arbitrary bytes, which gives an error or an index in which no lookup
// fails. It corrects the checksums, because the fuzzer could not.
func FuzzOpen(f *testing.F) {
	golden := goldenFile(f)
	f.Add(golden)
	f.Add(smallFile(f))
	shared, _ := sharedFile(f)
	f.Add(shared)
	f.Add(golden[:format.HeaderLen])
	f.Add(withoutWords(f, golden))
	f.Add([]byte(format.Magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		reseal(b)
		copied, err := format.Load(bytes.NewReader(b), int64(len(b)))
		c, errInPlace := inPlace(b)
		if (err == nil) != (errInPlace == nil) || errors.Is(err, format.ErrDamaged) != errors.Is(errInPlace, format.ErrDamaged) {
			t.Fatalf("copied: %v, in place: %v", err, errInPlace)
		}
		if err == nil {
			copied.Free()
		}
		ix, err := index.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		defer ix.Close()
		for _, h := range append(randomHashes(1, 100), ngram.Hash{}, ngram.Hash{Hi: ^uint64(0), Lo: ^uint64(0)}) {
			ix.Gate2(h)
			ix.Gate4(h)
			ix.Window(h)
			ix.Word(h)
			p, _ := ix.Phrase(h)
			ix.Owners(p)
		}
		c.Confirm.Has(0)
		c.Confirm.Has(^uint64(0))
		askTables(&c.Tables)
	})
}

// TestFullFilter opens an index in whose filters every bit is set, and whose capacities
// are absurdly large.
func TestFullFilter(t *testing.T) {
	t.Parallel()
	b := goldenFile(t)
	le := binary.LittleEndian
	for i := range 5 {
		e := b[format.OffEntries+i*format.EntryLen:]
		s := format.ParseEntry(e)
		for at := s.Offset; at < s.Offset+s.Length; at++ {
			b[at] = 0xff
		}
		le.PutUint64(e[format.EntCapacity:], 1<<63)
	}
	reseal(b)
	ix, err := index.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if !ix.Window(ngram.Hash{}) || !ix.Word(ngram.Hash{}) {
		t.Error("a full filter says no")
	}
}
