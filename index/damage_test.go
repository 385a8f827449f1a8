package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index/corpus"
	"noecho/ngram"
)

// mediumFile returns an index whose sections span several checksummed pieces.
func mediumFile(t testing.TB) []byte {
	t.Helper()
	in := writeInput(t, filepath.Join(t.TempDir(), "a.txt"), prose(7, 60000))
	out := filepath.Join(t.TempDir(), "a.nidx")
	mustBuild(t, BuildOptions{Out: out, Inputs: []string{in}, Capacity: 800_000})
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// loadBytes opens an index that is in memory.
func loadBytes(b []byte) error {
	ix, err := Read(bytes.NewReader(b), int64(len(b)))
	if err == nil {
		ix.Close()
	}
	return err
}

// smallFile returns a small index with all sections.
func smallFile(t testing.TB) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "x.nidx")
	mustBuild(t, BuildOptions{
		Out: out, Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(goldenCorpus),
		Corpus: corpus.Options{Format: corpus.Completion}, Capacity: 20,
	})
	return readAll(t, out)
}

// Every bit of small files is tried, their headers and their bodies.
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
				if err := loadBytes(b); !errors.Is(err, ErrDamaged) {
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
	h, err := readHeader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	// Reading 5 MiB for each of 10,000 flips takes minutes. A flip in a payload
	// changes one piece, so only that piece is checked; flips elsewhere get the
	// whole check.
	c := newChecker(bytes.NewReader(b), h, make([][]byte, len(h.sections)))
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	scratch := make([]byte, chunkLen)
	r := rand.New(rand.NewPCG(1, 2))
	whole := 0
	for range 10_000 {
		at := headerLen + r.IntN(len(b)-headerLen)
		bit := byte(1) << r.IntN(8)
		b[at] ^= bit
		err := error(nil)
		if s := sectionAt(h, uint64(at)); uint64(at) < h.sections[s].offset+h.sections[s].length {
			err = c.readChunk(piece{section: s, chunk: (uint64(at) - h.sections[s].offset) / chunkLen}, scratch)
		} else {
			whole++
			err = loadBytes(b)
		}
		if !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d changed: %v", at, err)
		}
		b[at] ^= bit
	}
	// Padding and checksum tables are small: every bit of them is tried.
	for i, s := range h.sections {
		for at := s.offset + s.length; at < s.end(); at++ {
			for bit := range 8 {
				b[at] ^= 1 << bit
				if err := c.readTail(i); !errors.Is(err, ErrDamaged) {
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
		at := headerLen + r.IntN(len(b)-headerLen)
		b[at] ^= 1
		if err := loadBytes(b); !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d changed: %v", at, err)
		}
		b[at] ^= 1
	}
}

// sectionAt returns the section in which an offset lies.
func sectionAt(h *header, at uint64) int {
	for i, s := range h.sections {
		if at < s.end() {
			return i
		}
	}
	panic("offset behind the last section")
}

func TestEveryTruncationIsFound(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{goldenFile(t), smallFile(t)} {
		for n := range len(b) {
			if err := loadBytes(b[:n]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("cut to %d bytes: %v", n, err)
			}
		}
		if err := loadBytes(append(bytes.Clone(b), 0)); !errors.Is(err, ErrDamaged) {
			t.Errorf("one byte longer: %v", err)
		}
	}
	m := mediumFile(t)
	h, err := readHeader(bytes.NewReader(m), int64(len(m)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.sections {
		for _, n := range []uint64{s.offset, s.offset + 1, s.offset + s.length - 1, s.offset + s.length, s.tableAt(), s.tableAt() + 1, s.end() - 1} {
			if err := loadBytes(m[:n]); !errors.Is(err, ErrDamaged) {
				t.Errorf("cut to %d bytes: %v", n, err)
			}
		}
	}
}

// shrinking is a file that is cut while it is read.
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
		if _, err := Read(&shrinking{b: b, after: after}, int64(len(b))); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("after %d reads: %v", after, err)
		}
	}
}

func TestOpenIndexOutlivesItsFile(t *testing.T) {
	t.Parallel()
	path := writeGolden(t)
	ix, err := Open(path)
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

// reseal makes every checksum and the build id of a changed file right again,
// so that what is behind them can be tested.
func reseal(b []byte) {
	if len(b) < headerLen {
		return
	}
	le := binary.LittleEndian
	le.PutUint64(b[offFileLen:], uint64(len(b)))
	h := &header{}
	for i := range int(min(le.Uint32(b[offSections:]), maxSections)) {
		e := b[offEntries+i*entryLen:]
		s := parseEntry(e)
		if s.length == 0 || s.length > uint64(len(b)) || s.offset > uint64(len(b)) || s.end() > uint64(len(b)) {
			continue
		}
		table := b[s.tableAt():][:4*chunks(s.length)]
		for k := uint64(0); k < s.length; k += chunkLen {
			le.PutUint32(table[4*(k/chunkLen):], crc32.Checksum(b[s.offset+k:s.offset+min(k+chunkLen, s.length)], castagnoli))
		}
		le.PutUint32(e[entTableCRC:], crc32.Checksum(table, castagnoli))
		if s.k != 0 && s.known() {
			le.PutUint64(e[entOnes:], popCount(b[s.offset:s.offset+s.length]))
		}
	}
	le.PutUint32(b[offHeaderCRC:], crc32.Checksum(b[:offHeaderCRC], castagnoli))
	h, err := parseHeader(b[:headerLen], uint64(len(b)))
	if err != nil {
		return
	}
	c := newChecker(bytes.NewReader(b), h, make([][]byte, len(h.sections)))
	if c.run() != nil {
		return
	}
	id := buildID(h, c.sums, c.tails)
	copy(b[offBuildID:], id[:])
	le.PutUint32(b[offHeaderCRC:], crc32.Checksum(b[:offHeaderCRC], castagnoli))
}

func TestForeignAndMismatched(t *testing.T) {
	t.Parallel()
	le := binary.LittleEndian
	set32 := func(at int, v uint32) func([]byte) { return func(b []byte) { le.PutUint32(b[at:], v) } }
	gates := offEntries + 0*entryLen
	windows := offEntries + 2*entryLen
	words := offEntries + 4*entryLen
	manifest := offEntries + 5*entryLen
	tests := []struct {
		name   string
		change func(b []byte)
		field  string // of a MismatchError; empty: damaged
	}{
		{"format 2", set32(offVersion, 2), "format version"},
		{"n 4", set32(offN, 4), "n"},
		{"n 65", set32(offN, 65), "n"},
		{"norm 2", set32(offNorm, 2), "normalisation version"},
		{"Unicode", func(b []byte) { copy(b[offUnicode:], "16.0.0") }, "Unicode version"},
		{"suite 2", set32(offSuite, 2), "hash suite"},
		{"suite 0", set32(offSuite, 0), "hash suite"},
		{"suite 257", set32(offSuite, 257), "hash suite"},
		{"key", set32(offKeyID, 1), "key id"},
		{"reserved header byte", set32(offWindows+8, 1), "header"},
		{"reserved behind the entries", set32(offEntries+6*entryLen, 1), "header"},
		{"header length", set32(offHeaderLen, 8192), ""},
		{"too many sections", set32(offSections, 56), ""},
		{"no sections", func(b []byte) { clear(b[offEntries : offEntries+6*entryLen]); set32(offSections, 0)(b) }, ""},
		{"flags", set32(gates+entFlags, 3), "section GATES/4 flags"},
		{"unknown required", set32(manifest+entKind, 10), "section of kind 10"},
		{"phrases with a filter", set32(gates+entKind, uint32(KindPhrases)), ""},
		{"phrases alone", set32(words+entKind, uint32(KindStart)), ""},
		{"gates of 3", set32(gates+entGram, 3), ""},
		{"gates twice", set32(gates+entGram, 2), ""},
		{"k 0", set32(gates+entK, 0), ""},
		{"k 17", set32(windows+entK, 17), ""},
		{"block 0", set32(windows+entBlock, 0), ""},
		{"block 256", set32(windows+entBlock, 256), ""},
		{"windows of 9", set32(windows+entGram, 9), ""},
		{"words of 2", set32(words+entGram, 2), ""},
		{"words without k", set32(words+entK, 0), ""},
		{"words without blocks", set32(words+entBlock, 0), ""},
		{"words of no block", set32(words+entLength, 8), ""},
		{"length of no block", set32(windows+entLength, 8), ""},
		{"offset", set32(windows+entOffset, 1<<20), ""},
		{"manifest with k", set32(manifest+entK, 1), ""},
		{"manifest not JSON", func(b []byte) { b[goldenManifestAt] = '[' }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := goldenFile(t)
			tt.change(b)
			reseal(b)
			err := loadBytes(b)
			var m *MismatchError
			if tt.field == "" && !errors.Is(err, ErrDamaged) || tt.field != "" && (!errors.As(err, &m) || m.Field != tt.field) {
				t.Errorf("got %v, want field %q", err, tt.field)
			}
		})
	}
	for name, b := range map[string][]byte{"text": []byte("not an index"), "long text": bytes.Repeat([]byte("no index\n"), 1000)} {
		if err := loadBytes(b); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrForeign) {
		t.Errorf("folder: %v", err)
	}
}

// TestUnknownOptionalSectionIsSkipped appends a section of a kind that format
// v1 does not know.
func TestUnknownOptionalSectionIsSkipped(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{10, 1 << 31} {
		b := goldenFile(t)
		le := binary.LittleEndian
		at := uint64(len(b))
		b = append(b, make([]byte, extent(3))...)
		copy(b[at:], "abc")
		e := b[offEntries+6*entryLen:]
		le.PutUint32(e[entKind:], uint32(kind))
		le.PutUint64(e[entOffset:], at)
		le.PutUint64(e[entLength:], 3)
		le.PutUint32(b[offSections:], 7)
		reseal(b)
		if err := loadBytes(b); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
		b[at] ^= 1
		if err := loadBytes(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("kind %d, changed: %v", kind, err)
		}
	}
}

// FuzzOpen opens any bytes: an error, or an index that can be asked anything.
// The checksums are made right, since the fuzzer could not.
func FuzzOpen(f *testing.F) {
	golden := goldenFile(f)
	f.Add(golden)
	f.Add(smallFile(f))
	f.Add(golden[:headerLen])
	f.Add(withoutWords(f, golden))
	f.Add([]byte(Magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		reseal(b)
		ix, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		defer ix.Close()
		for _, h := range append(randomHashes(1, 100), ngram.Hash{}, ngram.Hash{Hi: ^uint64(0), Lo: ^uint64(0)}) {
			ix.Gate2(h)
			ix.Gate4(h)
			ix.Window(h)
			ix.Word(h)
		}
		c, err := load(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.mem.free()
		c.confirm.has(0)
		c.confirm.has(^uint64(0))
		askTables(&c.tables)
	})
}

// TestFullFilter opens an index whose filters have every bit set and whose
// capacities are out of all proportion.
func TestFullFilter(t *testing.T) {
	t.Parallel()
	b := goldenFile(t)
	le := binary.LittleEndian
	for i := range 5 {
		e := b[offEntries+i*entryLen:]
		s := parseEntry(e)
		for at := s.offset; at < s.offset+s.length; at++ {
			b[at] = 0xff
		}
		le.PutUint64(e[entCapacity:], 1<<63)
	}
	reseal(b)
	ix, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if !ix.Window(ngram.Hash{}) || !ix.Word(ngram.Hash{}) {
		t.Error("a full filter says no")
	}
}
