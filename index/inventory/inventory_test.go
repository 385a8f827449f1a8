package inventory

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/index/identify"
)

// testKey returns a key of one repeated byte.
func testKey(c byte) *Key {
	k := new(Key)
	for i := range k.secret {
		k.secret[i] = c
	}
	return k
}

// testQuery returns a query of one item.
func testQuery(t testing.TB, kind, text string) *Query {
	t.Helper()
	q := new(Query)
	if err := q.Add(kind, text); err != nil {
		t.Fatal(err)
	}
	return q
}

// written is an inventory that was written.
func written(t testing.TB, rows int, memory int64, values func(row int) []string) ([]byte, Info) {
	t.Helper()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "t.ninv"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := NewWriter(out, testKey(1), func() (*os.File, error) { return os.CreateTemp(dir, "run") }, memory)
	defer w.Abort()
	h := testKey(1).Hasher()
	for i := range rows {
		h.BeginRow("")
		_, _ = fmt.Fprint(h, i)
		r := Row{Sum: h.EndRow(), Source: min(1, i*2/max(1, rows)), Line: uint64(i + 1)}
		if i%3 == 0 {
			r.ID = fmt.Sprintf("row-%d", i)
		}
		var all []Posting
		for _, text := range values(i) {
			for _, f := range identify.Forms(identify.Email, text) {
				all = append(all, Posting{h.Value(f.Kind, f.Text), 1, 1 + i%2})
			}
		}
		if len(all) > 0 {
			r.Counts = []Count{{1, uint64(len(all) * (1 + i%2))}}
		}
		if err := w.Row(r, all); err != nil {
			t.Fatal(err)
		}
	}
	meta := &Meta{Builder: "test", Kinds: []string{identify.Card, identify.Email}, Datasets: []Dataset{{"d", []string{"l"}}}}
	info, err := w.Finish(context.Background(), meta, []Source{{Name: "a.jsonl"}, {Name: "b.jsonl", File: 1}}, []Disk{{Name: "a.jsonl", Bytes: 7}, {Name: "b.jsonl"}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b, info
}

func opened(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := NewFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Unlock(testKey(1)); err != nil {
		t.Fatal(err)
	}
	return f
}

// search searches one inventory.
func search(q *Query, f *File) (*Answer, error) {
	s := Search{Query: q, Inventories: []Named[*File]{{"x", f}}}
	return s.Run(context.Background())
}

// lines returns the lines of the findings.
func lines(a *Answer) (all []int) {
	for _, f := range a.Findings {
		all = append(all, int(f.Line))
	}
	return all
}

// TestFind compares the rows of every value with those that were written, with values in
// memory and in sorted runs.
func TestFind(t *testing.T) {
	t.Parallel()
	for _, memory := range []int64{1 << 20, 1} {
		const rows, people = 5_000, 700
		want := map[string][]int{}
		r := rand.New(rand.NewPCG(1, 2))
		b, info := written(t, rows, memory, func(row int) (all []string) {
			for range r.IntN(4) {
				if v := fmt.Sprintf("p%d@example.org", r.IntN(people)); !slices.Contains(all, v) {
					all = append(all, v)
					want[v] = append(want[v], row+1)
				}
			}
			all = append(all, "all@example.org")
			want["all@example.org"] = append(want["all@example.org"], row+1)
			return all
		})
		f := opened(t, b)
		if err := f.Verify(); err != nil {
			t.Fatal(err)
		}
		if info.Counts.Values != uint64(len(want)) || info.Counts.Rows != rows || info.Bytes != uint64(len(b)) || info.ID != f.ID {
			t.Errorf("%+v, want %d values of %d rows", info, len(want), rows)
		}
		for v, rows := range want {
			a, err := search(testQuery(t, identify.Email, v), f)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(a); !a.Complete || !slices.Equal(got, rows) {
				t.Fatalf("%s: rows %v complete %v, want %v", v, got, a.Complete, rows)
			}
		}
		a, err := search(testQuery(t, identify.Email, "nobody@example.org"), f)
		if err != nil || !a.Complete || len(a.Findings) > 0 {
			t.Errorf("a value that was not written: %+v, %v", a, err)
		}
	}
}

// TestManyRows reads a value whose rows take several records.
func TestManyRows(t *testing.T) {
	t.Parallel()
	const rows = 2*listMost + 77
	b, _ := written(t, rows, 1<<30, func(row int) []string { return []string{"all@example.org"} })
	f := opened(t, b)
	found, known, err := f.find(identify.Email, "all@example.org")
	if err != nil || !known || len(found) != rows {
		t.Fatalf("%d rows, %v, %v", len(found), known, err)
	}
	for i, r := range found {
		if r.row != uint64(i) || r.n != uint64(1+i%2) {
			t.Fatalf("row %d is %+v", i, r)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	b, _ := written(t, 3, 1<<20, func(int) []string { return nil })
	f, err := NewFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Unlock(testKey(2)); !errors.Is(err, ErrKey) {
		t.Errorf("another key: %v", err)
	}
	for text, ok := range map[string]bool{
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n":            true,
		"# id\n000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n# end": true,
		"0102\n": false, "": false, "zz": false,
	} {
		if _, err := ParseKey([]byte(text)); (err == nil) != ok {
			t.Errorf("key of %d bytes: %v", len(text), err)
		}
	}
}

// TestDamage flips every byte of an inventory and cuts it at every length. Verify must find
// each change, and an answer must stay right or be an error.
func TestDamage(t *testing.T) {
	t.Parallel()
	b, _ := written(t, 100, 1<<20, func(row int) []string {
		return []string{fmt.Sprintf("p%d@example.org", row%7)}
	})
	q := testQuery(t, identify.Email, "p3@example.org")
	ask := func(b []byte) (*File, []int, error) {
		f, err := NewFile(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			err = f.Unlock(testKey(1))
		}
		if err != nil {
			return nil, nil, err
		}
		a, err := search(q, f)
		if err != nil {
			return f, nil, err
		}
		return f, lines(a), nil
	}
	_, want, err := ask(b)
	if err != nil || len(want) != 14 {
		t.Fatal(want, err)
	}
	for i := range b {
		b[i] ^= 1 << (i % 8)
		f, got, err := ask(b)
		if err == nil && !slices.Equal(got, want) {
			t.Fatalf("byte %d: rows %v", i, got)
		}
		if err != nil && i >= len(Magic) && i < offVersion && !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d: %v", i, err)
		}
		if f != nil && f.Verify() == nil {
			t.Fatalf("byte %d: verify finds nothing", i)
		}
		b[i] ^= 1 << (i % 8)
	}
	for n := range b {
		if _, got, err := ask(b[:n]); err == nil {
			t.Fatalf("%d bytes: rows %v", n, got)
		}
	}
}

// FuzzInventory reads inventories with two changes and checksums that fit. Nothing may panic,
// and no answer may take long.
func FuzzInventory(f *testing.F) {
	whole, _ := written(f, 200, 1<<20, func(row int) []string { return []string{fmt.Sprintf("p%d@example.org", row%7)} })
	f.Add(uint16(1100), []byte{0xff, 0xff, 0xff}, uint16(0), []byte{}, uint16(0))
	f.Add(uint16(4000), []byte{0}, uint16(144), []byte{1}, uint16(3))
	f.Fuzz(func(t *testing.T, at uint16, change []byte, at2 uint16, change2 []byte, cut uint16) {
		b := bytes.Clone(whole[:len(whole)-min(len(whole), int(cut))])
		copy(b[min(len(b), int(at)):], change)
		copy(b[min(len(b), int(at2)):], change2)
		seal(b)
		in, err := NewFile(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		_ = in.Verify()
		in.keyID = testKey(1).ID()
		if err := in.Unlock(testKey(1)); err != nil {
			t.Fatal(err)
		}
		_, _ = search(testQuery(t, identify.Email, "p3@example.org"), in)
		for _, by := range Groupings() {
			_, _ = in.Groups(by)
		}
		_, _ = in.Files()
	})
}

// seal makes the checksums of a damaged inventory fit as far as its header allows it.
func seal(b []byte) {
	if len(b) < headerLen {
		return
	}
	le := binary.LittleEndian
	for i := range layout {
		e := b[offEntries+i*entryLen:]
		offset, length := le.Uint64(e[8:]), le.Uint64(e[16:])
		pieces := (length + chunkLen - 1) / chunkLen
		if length > uint64(len(b)) || offset > uint64(len(b)) || offset+padded(length)+4*pieces > uint64(len(b)) {
			continue
		}
		table := b[offset+padded(length):][:4*pieces]
		for k := range pieces {
			le.PutUint32(table[4*k:], crc32.Checksum(b[offset+k*chunkLen:offset+min(length, (k+1)*chunkLen)], castagnoli))
		}
		le.PutUint32(e[4:], crc32.Checksum(table, castagnoli))
	}
	le.PutUint64(b[offLength:], uint64(len(b)))
	le.PutUint32(b[offCRC:], crc32.Checksum(b[:offCRC], castagnoli))
}

func TestOrders(t *testing.T) {
	t.Parallel()
	for n, want := range []int{1, 1, 2, 6, 24, 3, 3} {
		words := make([]uint64, n)
		for i := range words {
			words[i] = uint64(i)
		}
		if got := Orders(NameKind, words); len(got) != want {
			t.Errorf("%d words: %d orders, want %d", n, len(got), want)
		}
	}
	if got := Orders(AttributeKind, []uint64{1, 2}); len(got) != 1 {
		t.Errorf("attribute: %d orders", len(got))
	}
}

// FuzzExclusions reads lists of rows to leave out. Nothing may panic.
func FuzzExclusions(f *testing.F) {
	e := new(Exclusions)
	if err := e.Add(testKey(1).ID(), "01JD0000000000000000000000", &Exclusion{Rows: []Sum{{1}}, Values: []Sum{{2}}, Files: []string{"e3b0"}}); err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(e)
	if err != nil || !strings.HasPrefix(string(text), ExclusionHead) {
		f.Fatal(string(text), err)
	}
	f.Add(text)
	f.Add([]byte(ExclusionHead + `"v":1,"requests":{"x":null}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ReadExclusions(bytes.NewReader(text))
		if err == nil && e.Unlock(testKey(1)) == nil {
			_ = e.Row(Sum{1}, []Posting{{Value: Sum{2}}})
		}
	})
}
