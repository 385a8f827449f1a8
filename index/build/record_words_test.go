package build

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/internal/format"
	"noecho/internal/gram"
	"noecho/ngram"
)

// TestRecordWords checks that the length of a record is its words and the gaps within
// it, up to the first word of the next record. The last record has a length, too.
func TestRecordWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := func(from, words int) string {
		var b strings.Builder
		for i := range words {
			fmt.Fprintf(&b, "w%d ", from+i)
		}
		return b.String()
	}
	build := func(name string, rows ...[2]int) *index.Index {
		var b strings.Builder
		for i, r := range rows {
			fmt.Fprintf(&b, `{"id":"r%d","prompt":%q,"completion":%q}`+"\n", i, text(1000*i, r[0]), text(1000*i+500, r[1]))
		}
		path := writeInput(t, filepath.Join(dir, name+".jsonl"), b.String())
		ix, _ := mustBuild(t, Options{Out: filepath.Join(dir, name), Inputs: []string{path}, N: 5, Workers: 1})
		return ix
	}
	ix := build("a", [2]int{20, 30}, [2]int{12, 6}, [2]int{9, 100})
	want := map[string]int{"r0": 50 + gram.PlaceGap, "r1": 18 + gram.PlaceGap, "r2": 109 + gram.PlaceGap}
	got := map[string]int{}
	for p := ngram.Place(gram.PlaceGap); ; p++ {
		r, ok := ix.Record(p)
		if !ok {
			break
		}
		if n, seen := got[r.ID]; seen && n != ix.RecordWords(p) {
			t.Fatalf("record %s has %d words and %d", r.ID, n, ix.RecordWords(p))
		}
		got[r.ID] = ix.RecordWords(p)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if ix.RecordWords(0) != 0 || ix.RecordWords(1<<40) != 0 || new(format.Records).Words(100) != 0 {
		t.Error("a place of no record has words")
	}
	j, err := index.Join(ix, build("b", [2]int{7, 7}))
	if err != nil {
		t.Fatal(err)
	}
	if n := j.RecordWords(1<<format.PlaceBitsMost | gram.PlaceGap); n != 14+gram.PlaceGap || j.RecordWords(9<<format.PlaceBitsMost) != 0 {
		t.Errorf("%d words of the second member", n)
	}
}
