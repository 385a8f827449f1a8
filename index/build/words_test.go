package build

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/internal/format"
)

// withoutWords returns an index file in the form of older builds, without the section
// WORDS.
func withoutWords(t testing.TB, b []byte) []byte {
	t.Helper()
	return without(t, b, format.KindWords, format.WordGram)
}

// without returns an index file without one of its sections.
func without(t testing.TB, b []byte, kind format.Kind, gram uint32) []byte {
	t.Helper()
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	at := h.Find(kind, gram)
	s := h.Sections[at]
	out := append(bytes.Clone(b[:s.Offset]), b[s.End():]...)
	entries := out[format.OffEntries : format.OffEntries+len(h.Sections)*format.EntryLen]
	copy(entries[at*format.EntryLen:], entries[(at+1)*format.EntryLen:])
	clear(entries[(len(h.Sections)-1)*format.EntryLen:])
	for i := at; i < len(h.Sections)-1; i++ {
		e := entries[i*format.EntryLen+format.EntOffset:]
		le.PutUint64(e, le.Uint64(e)-(s.End()-s.Offset))
	}
	le.PutUint32(out[format.OffSections:], uint32(len(h.Sections)-1))
	reseal(out)
	return out
}

// TestIndexWithoutWords opens, verifies, joins and merges indexes of builds that did
// not write WORDS.
func TestIndexWithoutWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var before, after []string
	for i, name := range []string{"a", "b"} {
		in := writeInput(t, filepath.Join(dir, name+".txt"), prose(uint64(i), 2000))
		path := filepath.Join(dir, name+".nidx")
		mustBuild(t, Options{Out: path, Inputs: []string{in}, Capacity: 5000})
		after = append(after, path)
		old := filepath.Join(dir, name+"-old.nidx")
		if err := os.WriteFile(old, withoutWords(t, readAll(t, path)), 0o644); err != nil {
			t.Fatal(err)
		}
		before = append(before, old)
	}
	open := func(path string) *index.Index {
		if _, _, err := index.Verify(path); err != nil {
			t.Fatal(err)
		}
		ix, err := index.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ix.Close() })
		return ix
	}
	old, ix := open(before[0]), open(after[1])
	word := gramsOf(ix.Spec(), prose(1, 2000), 1)[0]
	if hasWords(old) || old.Word(word) || !hasWords(ix) || !ix.Word(word) {
		t.Error("an index has words that it cannot know, or lacks them")
	}
	for _, h := range windowsOf(t, old.Spec(), prose(0, 2000)) {
		if !old.Window(h) {
			t.Fatal("a window is missing")
		}
	}
	j, err := index.Join(old, ix)
	if err != nil || !hasWords(j) || !j.Word(word) {
		t.Errorf("joined: %v", err)
	}
	for _, ix := range []*index.Index{old, ix, j} {
		sameKnown(t, ix, prose(1, 500)+" "+prose(9, 500))
	}
	if _, err := Merge(context.Background(), MergeOptions{Out: filepath.Join(dir, "old.nidx"), Inputs: before}); err != nil {
		t.Fatal(err)
	}
	if both := open(filepath.Join(dir, "old.nidx")); hasWords(both) {
		t.Error("a union of indexes without words has words")
	}
	for _, in := range [][]string{{before[0], after[1]}, {after[0], before[1]}} {
		_, err := Merge(context.Background(), MergeOptions{Out: filepath.Join(dir, "mixed.nidx"), Inputs: in})
		if err == nil || !strings.Contains(err.Error(), "its section WORDS is ") {
			t.Errorf("merge of an index with words and one without: %v", err)
		}
	}
}

// TestWordsAreThoseOfIndexedWindows checks that the words of an excluded window are
// indexed only if they occur in another window.
func TestWordsAreThoseOfIndexedWindows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.txt"), goldenText+" twelve")
	ix, _ := mustBuild(t, Options{Inputs: []string{in}, Exclude: []string{
		writeInput(t, filepath.Join(dir, "out.txt"), "three four five six seven eight nine ten eleven twelve"),
	}})
	for i, h := range gramsOf(ix.Spec(), goldenText+" twelve", 1) {
		if got, want := ix.Word(h), i < 11; got != want {
			t.Errorf("word %d of twelve: %v", i+1, got)
		}
	}
}

func hasWords(ix *index.Index) bool {
	_, _, words := ix.Has()
	return words
}
