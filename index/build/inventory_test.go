package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/index/inventory"
)

// inventoryCorpus writes files of several kinds with addresses of five people, and returns
// for each address the places where it is, as NAME:LINE.
func inventoryCorpus(t *testing.T) (dir string, want map[string][]string) {
	t.Helper()
	dir, want = t.TempDir(), map[string][]string{}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := func(i int, place string) string {
		a := fmt.Sprintf("p%d@example.org", i%5)
		if !slices.Contains(want[a], place) {
			want[a] = append(want[a], place)
		}
		return a
	}
	filler := strings.Repeat("one two three four five six seven eight nine ten ", 3)
	var rows, table strings.Builder
	table.WriteString("text,owner\n")
	for i := range 300 {
		fmt.Fprintf(&rows, `{"text":"%s row %d by %s"}`+"\n", filler, i, address(i, fmt.Sprintf("in/rows.jsonl:%d", i+1)))
		fmt.Fprintf(&table, "\"%s, %d\",%s\n", filler, i, address(i*i, fmt.Sprintf("in/table.csv:%d", i+2)))
	}
	write("rows.jsonl", rows.String())
	write("table.csv", table.String())
	var long strings.Builder // is read in blocks
	for i := 0; long.Len() < splitFrom+3*splitLen; i++ {
		fmt.Fprintf(&long, "%s line %d\n", filler, i)
		if i%10_000 == 0 {
			long.WriteString(address(i/10_000, "in/long.txt:0") + "\n")
		}
	}
	write("long.txt", long.String())
	write("x.tgz", packed(t, "x.tgz", []string{"a.txt", filler + address(1, "in/x.tgz/a.txt:0"), "b.jsonl", `{"text":"` + filler + address(2, "in/x.tgz/b.jsonl:1") + `"}` + "\n"}))
	return dir, want
}

// TestInventory compares inventories with the places that were written, whatever the number
// of workers and the memory, and the digests with those of the files.
func TestInventory(t *testing.T) {
	t.Parallel()
	dir, want := inventoryCorpus(t)
	if err := os.Rename(dir, filepath.Join(filepath.Dir(dir), "in")); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(filepath.Dir(dir), "in")
	key, err := inventory.ParseKey([]byte(strings.Repeat("07", 32)))
	if err != nil {
		t.Fatal(err)
	}
	var first []byte
	for _, workers := range []int{1, 3} {
		out := t.TempDir()
		path := filepath.Join(out, "x.ninv")
		_, err := Build(context.Background(), Options{
			Out: filepath.Join(out, "x.nidx"), Inputs: []string{dir}, Inventory: path, InventoryKey: key,
			Workers: workers, Memory: int64(workers) * 64 << 20, AcceptUnread: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != inventoryMode {
			t.Errorf("mode %v, %v", st.Mode(), err)
		}
		if first == nil {
			first = b
			checkInventory(t, path, key, dir, want)
		} else if !bytes.Equal(b, first) {
			t.Errorf("%d workers write other bytes", workers)
		}
	}
}

func checkInventory(t *testing.T, path string, key *inventory.Key, dir string, want map[string][]string) {
	t.Helper()
	f, err := inventory.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Unlock(key); err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(); err != nil {
		t.Error(err)
	}
	for address, places := range want {
		q := new(inventory.Query)
		if err := q.Add("email", strings.ToUpper(address)); err != nil {
			t.Fatal(err)
		}
		s := inventory.Search{Query: q, Inventories: []inventory.Named[*inventory.File]{{Name: path, In: f}}}
		a, err := s.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range a.Findings {
			got = append(got, fmt.Sprintf("%s:%d", one.File, one.Line))
		}
		slices.Sort(got)
		slices.Sort(places)
		if !a.Complete || !slices.Equal(got, places) {
			t.Errorf("%s: %d places, complete %v, want %d", address, len(got), a.Complete, len(places))
		}
	}
	files, err := f.Files()
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, d := range files {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(dir), d.Name))
		if err != nil {
			t.Fatal(err)
		}
		if sha256.Sum256(b) != d.Digest || d.Bytes != uint64(len(b)) || d.OfText {
			t.Errorf("%s: the digest or the length is not that of the file", d.Name)
		}
	}
}
