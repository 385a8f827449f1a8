package build

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/internal/format"
	"noecho/internal/gram"
	"noecho/ngram"
)

// goldenCorpus has two records, one of which has an id. The first texts are too short
// for a window, but have places like all others.
const goldenCorpus = `{"id":"row 7","prompt":"hello","completion":"one two three four five six seven eight nine ten eleven"}
{"prompt":"short words only","completion":"two three four five six seven eight nine ten eleven twelve"}
`

// The payloads of LEDGER and RECORDS for goldenCorpus come from a second implementation
// in another language, written from the package comment.
const (
	goldenLedger = `
 3d 48 33 d1 1e 82 7a 90 66 a2 3d 1e a6 27 4b bf  | nine rows of 49 bits: a fingerprint in 40, a place in 9
 73 19 4a 4f 96 7e e7 9a c8 fd 90 f4 5f 36 88 fb
 21 e9 bf 0c e2 81 74 e4 68 5e 45 40 42 fb 72 c0
 42 80 84 f6 e5 80 12 01
 90 00 00 00 00 00 00 00                          | the directory of one bucket: 0 and 9, in 4 bits each
 09 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00  | nine seeds taken, nine rows
 05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  | five fingerprints, none capped
 5a 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00  | the places end at 346
 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`
	goldenRecords = `
 40 28 33 0b 00 00 00 00                          | places 64 and 204, lines 0 and 2, ends 5 and 5, in 9, 2 and 3 bits
 72 6f 77 20 37 00 00 00                          | row 7
 40 02 00 00 00 00 00 00                          | a source: place 64, a path that ends at 1
 2d 00 00 00 00 00 00 00                          | -
 02 00 00 00 00 00 00 00 5a 01 00 00 00 00 00 00  | two records, the places end at 346
 05 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00  | five bytes of ids, one source
 01 00 00 00 00 00 00 00 01 00 00 00 02 00 00 00  | one byte of paths, one dataset, 2 bits for a line
 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`
)

// hexBytes decodes rows of hexadecimal bytes with comments.
func hexBytes(t testing.TB, rows string) []byte {
	t.Helper()
	var all strings.Builder
	for line := range strings.Lines(rows) {
		line, _, _ = strings.Cut(line, "|")
		all.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(all.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenTables(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "x.nidx")
	ix, _ := mustBuild(t, Options{
		Out: out, Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(goldenCorpus),
		Corpus: corpus.Options{Format: corpus.Completion}, Name: "-", Dataset: "golden", Labels: []string{"public"},
	})
	b := readAll(t, out)
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[format.Kind]string{format.KindLedger: goldenLedger, format.KindRecords: goldenRecords} {
		s := h.Sections[h.Find(kind, 0)]
		if got := b[s.Offset : s.Offset+s.Length]; !bytes.Equal(got, hexBytes(t, want)) {
			t.Errorf("%v is % x", s, got)
		}
	}
	fives := gramsOf(ix.Spec(), "two three four five six", 5)
	if got := ix.Seeds(nil, fives[0]); len(got) != 2 || got[0] != 130 || got[1] != 271 {
		t.Errorf("places %v", got)
	}
	for place, want := range map[ngram.Place]string{64: "row 7", 203: "row 7", 204: "-:2", 345: "-:2"} {
		if r, ok := ix.Record(place); !ok || r.ID != want || r.Dataset != "golden" || len(r.Labels) != 1 || r.Labels[0] != "public" {
			t.Errorf("place %d: %+v", place, r)
		}
	}
	for _, place := range []ngram.Place{0, 63, 346, 1 << 63, ^ngram.Place(0)} {
		if r, ok := ix.Record(place); ok {
			t.Errorf("place %d: %+v", place, r)
		}
	}
}

// TestRecordWithoutLabels: a record of a dataset whose manifest names no labels has an
// empty list of them, not null.
func TestRecordWithoutLabels(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "x.nidx")
	mustBuild(t, Options{
		Out: out, Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(goldenCorpus),
		Corpus: corpus.Options{Format: corpus.Completion}, Name: "-", Dataset: "golden", Labels: []string{"a"},
	})
	b := bytes.Replace(readAll(t, out), []byte(`"labels":["a"]`), []byte(`"labels":null `), 1)
	reseal(b)
	ix, err := index.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if r, ok := ix.Record(64); !ok || r.Dataset != "golden" || r.Labels == nil || len(r.Labels) != 0 {
		t.Errorf("%+v", r)
	}
}

// askTables looks up all kinds of places and grams, also impossible ones.
func askTables(t *format.Tables) {
	var places []ngram.Place
	for _, h := range append(randomHashes(3, 50), ngram.Hash{}, ngram.Hash{Hi: ^uint64(0), Lo: ^uint64(0)}) {
		places = append(t.Ledger.Seeds(places[:0], h), ngram.Place(h.Hi), ngram.Place(h.Hi>>40), ngram.Place(h.Hi>>50))
		for _, p := range places {
			t.Records.At(p)
			t.Records.Words(p)
		}
	}
	for _, row := range t.Ledger.AppendRows(nil, format.InMemory(t.Ledger.B), 0, t.Ledger.Rows) {
		t.Ledger.Seeds(places[:0], ngram.Hash{Hi: row.Rest << 24})
		t.Records.At(ngram.Place(row.Place))
	}
}

// checkPayloads opens arbitrary bytes as LEDGER and RECORDS, in memory and from a file,
// and makes lookups in those that open.
func checkPayloads(seeds, names []byte) error {
	h := &format.Header{Sections: []format.Section{
		{Kind: format.KindLedger, Length: uint64(len(seeds))},
		{Kind: format.KindRecords, Length: uint64(len(names))},
	}}
	c := format.NewChecker(nil, h, [][]byte{seeds, names})
	tables, err := c.CheckTables()
	if err != nil {
		return err
	}
	askTables(&tables)
	return nil
}

// FuzzTables opens arbitrary bytes as LEDGER and RECORDS, which gives an error or
// lookups that stay within bounds.
func FuzzTables(f *testing.F) {
	f.Add(hexBytes(f, goldenLedger), hexBytes(f, goldenRecords))
	for _, o := range []Options{{Workers: 1}, {Workers: 2, N: 5}} {
		o.Out = filepath.Join(f.TempDir(), "x.nidx")
		for i := range 3 {
			o.Inputs = append(o.Inputs, writeInput(f, filepath.Join(f.TempDir(), fmt.Sprint(i, ".txt")), prose(uint64(i), 40)))
		}
		mustBuild(f, o)
		b := readAll(f, o.Out)
		h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
		if err != nil {
			f.Fatal(err)
		}
		l, r := h.Sections[h.Find(format.KindLedger, 0)], h.Sections[h.Find(format.KindRecords, 0)]
		f.Add(b[l.Offset:l.Offset+l.Length], b[r.Offset:r.Offset+r.Length])
	}
	f.Fuzz(func(t *testing.T, seeds, names []byte) {
		// The header's checks refuse lengths that are not multiples of 8.
		err := checkPayloads(seeds[:len(seeds)&^7], names[:len(names)&^7])
		if err != nil && !errors.Is(err, format.ErrDamaged) {
			t.Fatal(err)
		}
	})
}

// TestDamagedTables changes every byte of small payloads. Rows in a wrong order are
// refused, and no lookup leaves the bounds of a payload that opens.
func TestDamagedTables(t *testing.T) {
	t.Parallel()
	seeds, names := hexBytes(t, goldenLedger), hexBytes(t, goldenRecords)
	if err := checkPayloads(seeds, names); err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{seeds, names} {
		for at := range b {
			for _, flip := range []byte{1, 2, 4, 8, 16, 32, 64, 128, 255} {
				b[at] ^= flip
				if err := checkPayloads(seeds, names); err != nil && !errors.Is(err, format.ErrDamaged) {
					t.Fatalf("byte %d: %v", at, err)
				}
				b[at] ^= flip
			}
		}
	}
	put := func(b []byte, at int, v ...byte) func() {
		return func() { copy(b[at:], v) }
	}
	trailer, recTrailer := len(seeds)-format.TrailerLen, len(names)-format.TrailerLen
	for name, change := range map[string]func(){
		"rows in another order":  func() { copy(seeds, append(bytes.Clone(seeds[6:12]), seeds[:6]...)) },
		"padding of the rows":    put(seeds, 55, 0x81),
		"directory begins at 1":  put(seeds, 56, 0x91),
		"directory ends at 8":    put(seeds, 56, 0x80),
		"padding of the ledger":  put(seeds, 57, 1),
		"more taken than places": put(seeds, trailer+format.LedgerTaken, 0, 0, 1),
		"more rows":              put(seeds, trailer+format.LedgerRows, 10),
		"fewer rows":             put(seeds, trailer+format.LedgerRows, 8),
		"distinct":               put(seeds, trailer+format.LedgerDistinct, 6),
		"capped":                 put(seeds, trailer+format.LedgerCapped, 1),
		"end before a place":     put(seeds, trailer+format.LedgerEnd, 0x12),
		"endless":                put(seeds, trailer+format.LedgerEnd, 255, 255, 255, 255, 255, 255, 255, 255),
		"another end":            put(seeds, trailer+format.LedgerEnd, 0x5b),
		"reserved":               put(seeds, len(seeds)-1, 1),
		"places not ascending":   put(names, 0, 0xff, 0x29),
		"place 0":                put(names, 0, 0, 0x28),
		"a name too long":        put(names, 3, 0x0d),
		"not UTF-8":              put(names, 8, 0xff),
		"padding of the ids":     put(names, 13, 1),
		"source begins late":     put(names, 16, 0x41),
		"path too long":          put(names, 17, 0),
		"path not UTF-8":         put(names, 24, 0xff),
		"records":                put(names, recTrailer+format.RecordsCount, 255),
		"no source":              put(names, recTrailer+format.RecordsSources, 0),
		"no dataset":             put(names, recTrailer+format.RecordsDatasets, 0),
		"line bits":              put(names, recTrailer+format.RecordsLineBits, 57),
		"records reserved":       put(names, len(names)-1, 1),
	} {
		wasSeeds, wasNames := bytes.Clone(seeds), bytes.Clone(names)
		change()
		if err := checkPayloads(seeds, names); !errors.Is(err, format.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		copy(seeds, wasSeeds)
		copy(names, wasNames)
	}
}

// ledgerFile returns an index whose ledger has several checksummed pieces.
func ledgerFile(t testing.TB) (path string) {
	t.Helper()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.txt"), prose(7, 600_000))
	path = filepath.Join(dir, "a.nidx")
	mustBuild(t, Options{Out: path, Inputs: []string{in}})
	return path
}

// mergeAlone merges an index with itself alone.
func mergeAlone(t testing.TB, b []byte) error {
	t.Helper()
	_, err := Merge(context.Background(), MergeOptions{Out: filepath.Join(t.TempDir(), "out.nidx"), Readers: []*io.SectionReader{reader(b)}})
	return err
}

// TestMergeChecksLedger changes every byte of a small ledger, whose buckets are larger than
// the slices of a merge, and corrects the checksums: Merge and Open find the same errors.
func TestMergeChecksLedger(t *testing.T) {
	t.Parallel()
	b := smallFile(t)
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s := h.Sections[h.Find(format.KindLedger, 0)]
	damaged := 0
	for at := range s.Length {
		changed := bytes.Clone(b)
		changed[s.Offset+at] ^= 1 << (at % 8)
		reseal(changed)
		opened, err := loadBytes(changed), mergeAlone(t, changed)
		if (opened == nil) != (err == nil) || err != nil && !errors.Is(err, index.ErrDamaged) {
			t.Fatalf("byte %d: Open says %v, Merge %v", at, opened, err)
		}
		if err != nil {
			damaged++
		}
	}
	if damaged < int(s.Length)/4 {
		t.Errorf("%d of %d changes are damage", damaged, s.Length)
	}
}

// TestVerifyChecksTables changes rows and corrects the checksums: Verify and Merge, which
// read the tables piece by piece, and Open find the same errors.
func TestVerifyChecksTables(t *testing.T) {
	t.Parallel()
	path := ledgerFile(t)
	b := readAll(t, path)
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if s := h.Sections[h.Find(format.KindLedger, 0)]; s.Length < 2*format.ChunkLen {
		t.Fatalf("%v is one piece", s)
	}
	info, _, err := index.Verify(path)
	if err != nil || info.Ledger == nil || info.Ledger.Records != 1 {
		t.Fatalf("%+v, %v", info, err)
	}
	r := rand.New(rand.NewPCG(4, 4))
	for _, kind := range []format.Kind{format.KindLedger, format.KindRecords} {
		s := h.Sections[h.Find(kind, 0)]
		for range 8 {
			at := s.Offset + r.Uint64N(s.Length)
			changed := bytes.Clone(b)
			changed[at] ^= 1 << r.IntN(8)
			reseal(changed)
			opened := loadBytes(changed)
			_, _, verified := index.Verify(writeInput(t, path, string(changed)))
			if (opened == nil) != (verified == nil) {
				t.Errorf("byte %d: Open says %v, Verify %v", at, opened, verified)
			}
			if err := mergeAlone(t, changed); (opened == nil) != (err == nil) || err != nil && !errors.Is(err, index.ErrDamaged) {
				t.Errorf("byte %d: Open says %v, Merge %v", at, opened, err)
			}
		}
	}
}

// TestOnlyOneTable removes one of the two sections.
func TestOnlyOneTable(t *testing.T) {
	t.Parallel()
	for _, kind := range []format.Kind{format.KindLedger, format.KindRecords} {
		h := &format.Header{Sections: []format.Section{{Kind: kind, Length: format.TrailerLen}}}
		if _, err := format.NewChecker(nil, h, [][]byte{make([]byte, format.TrailerLen)}).CheckTables(); !errors.Is(err, format.ErrDamaged) {
			t.Errorf("only %v: %v", format.KindNames[kind], err)
		}
	}
}

// TestJoinedNamesTheMember makes lookups in several indexes at once.
func TestJoinedNamesTheMember(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shared := prose(50, 30)
	var members []*index.Index
	for i := range 3 {
		in := writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), prose(uint64(i), 200)+" "+shared)
		ix, _ := mustBuild(t, Options{Inputs: []string{in}, Dataset: fmt.Sprint("set ", i), NoLedger: i == 1})
		members = append(members, ix)
	}
	j, err := index.Join(members...)
	if err != nil {
		t.Fatal(err)
	}
	if !hasLedger(j) || hasLedger(members[1]) || members[1].Files()[0].Info.Ledger != nil {
		t.Error("who has a ledger?")
	}
	found := 0
	for _, g := range gramsOf(j.Spec(), shared, gram.SeedWords) {
		places := j.Seeds(nil, g)
		if len(places) == 0 {
			continue
		}
		found++
		if len(places) != 2 || places[0]>>56 != 0 || places[1]>>56 != 2 {
			t.Fatalf("places %x", places)
		}
		for _, p := range places {
			if r, ok := j.Record(p); !ok || r.Dataset != fmt.Sprint("set ", p>>56) || r.ID != fmt.Sprintf("%d.txt", p>>56) {
				t.Errorf("place %x: %+v", p, r)
			}
		}
	}
	if found < 13 {
		t.Errorf("%d of 26 grams are seeds", found)
	}
	for _, p := range []ngram.Place{1<<56 | 100, 3<<56 | 100, 255<<56 | 100} {
		if r, ok := j.Record(p); ok {
			t.Errorf("place %x: %+v", p, r)
		}
	}
	if alone, err := index.Join(members[1]); err != nil || hasLedger(alone) || len(alone.Seeds(nil, ngram.Hash{})) > 0 {
		t.Error("an index without a ledger answers")
	}
	many := make([]*index.Index, 257)
	for i := range many {
		many[i] = members[0]
	}
	var mismatch *index.MismatchError
	if _, err := index.Join(many...); !errors.As(err, &mismatch) || mismatch.Field != "number of indexes" {
		t.Errorf("257 members: %v", err)
	}
}

// TestSeedsAllocateNothing makes lookups in one index and in several. It counts
// allocations, so it cannot run beside other tests.
func TestSeedsAllocateNothing(t *testing.T) {
	text := prose(1, 200)
	in := writeInput(t, filepath.Join(t.TempDir(), "a.txt"), text)
	ix, _ := mustBuild(t, Options{Inputs: []string{in}})
	j, err := index.Join(ix, ix)
	if err != nil {
		t.Fatal(err)
	}
	grams := gramsOf(ix.Spec(), text, gram.SeedWords)
	places := make([]ngram.Place, 0, 2*len(grams)*format.SeedPlaces)
	n := testing.AllocsPerRun(100, func() {
		places = places[:0]
		for _, g := range grams {
			places = ix.Seeds(places, g)
			places = j.Seeds(places, g)
		}
	})
	if n != 0 || len(places) < len(grams) {
		t.Errorf("%v allocations for %d places", n, len(places))
	}
}

// TestHitsDoNotDependOnTheLedger builds with a ledger and without. The filters are the
// same, even where a text occurs so often that not all of its places are stored.
func TestHitsDoNotDependOnTheLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var rows strings.Builder
	common := prose(99, 40)
	for i := range 60 {
		fmt.Fprintf(&rows, `{"prompt":%q,"completion":%q}`+"\n", prose(uint64(i), 30), common)
	}
	in := writeInput(t, filepath.Join(dir, "a.jsonl"), rows.String())
	with, without := filepath.Join(dir, "with.nidx"), filepath.Join(dir, "without.nidx")
	ix, _ := mustBuild(t, Options{Out: with, Inputs: []string{in}})
	mustBuild(t, Options{Out: without, Inputs: []string{in}, NoLedger: true})
	a, b := readAll(t, with), readAll(t, without)
	h, err := format.ParseHeader(a[:format.HeaderLen], uint64(len(a)))
	if err != nil {
		t.Fatal(err)
	}
	end := h.Sections[h.Find(format.KindLedger, 0)].Offset
	if !bytes.Equal(a[format.HeaderLen:end], b[format.HeaderLen:end]) {
		t.Error("the ledger changes a filter")
	}
	capped := 0
	for _, g := range gramsOf(ix.Spec(), common, gram.SeedWords) {
		places := ix.Seeds(nil, g)
		if len(places) == 0 {
			continue
		}
		capped++
		for i, p := range places {
			if r, _ := ix.Record(p); r.ID != fmt.Sprintf("%s:%d", filepath.Base(in), i+1) {
				t.Fatalf("place %d of a common seed is in %q", i, r.ID)
			}
		}
		if len(places) != format.SeedPlaces {
			t.Fatalf("a seed of 60 places has %d", len(places))
		}
	}
	if in := ix.Files()[0].Info.Ledger; capped < 18 || in.Capped != uint64(capped) || in.Taken-in.Seeds != uint64(capped)*(60-format.SeedPlaces) {
		t.Errorf("%d seeds are capped, info %+v", capped, in)
	}
	for _, g := range windowsOf(t, ix.Spec(), common) {
		if !ix.Window(g) {
			t.Fatal("a window is missing")
		}
	}
}

// TestMergeRefusesMixedLedgers merges an index with a ledger and one without.
func TestMergeRefusesMixedLedgers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	for i := range 2 {
		in := writeInput(t, filepath.Join(dir, fmt.Sprint(i, ".txt")), prose(uint64(i), 300))
		files = append(files, filepath.Join(dir, fmt.Sprint(i, ".nidx")))
		mustBuild(t, Options{Out: files[i], Inputs: []string{in}, Capacity: 1000, NoLedger: i == 1})
	}
	_, err := Merge(context.Background(), MergeOptions{Out: filepath.Join(dir, "out.nidx"), Inputs: files})
	if err == nil || !strings.Contains(err.Error(), "its section LEDGER is ") || !strings.Contains(err.Error(), "--no-ledger") {
		t.Errorf("got %v", err)
	}
}

func hasLedger(ix *index.Index) bool {
	ledger, _, _ := ix.Has()
	return ledger
}
