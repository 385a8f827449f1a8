package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// withoutWords returns an index file as it was before there was WORDS.
func withoutWords(t testing.TB, b []byte) []byte {
	t.Helper()
	h, err := parseHeader(b[:headerLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	at := h.find(KindWords, wordGram)
	s := h.sections[at]
	out := append(bytes.Clone(b[:s.offset]), b[s.end():]...)
	entries := out[offEntries : offEntries+len(h.sections)*entryLen]
	copy(entries[at*entryLen:], entries[(at+1)*entryLen:])
	clear(entries[(len(h.sections)-1)*entryLen:])
	for i := at; i < len(h.sections)-1; i++ {
		e := entries[i*entryLen+entOffset:]
		le.PutUint64(e, le.Uint64(e)-(s.end()-s.offset))
	}
	le.PutUint32(out[offSections:], uint32(len(h.sections)-1))
	reseal(out)
	return out
}

// TestIndexWithoutWords opens, verifies, joins and merges indexes that were built
// before there was WORDS.
func TestIndexWithoutWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var before, after []string
	for i, name := range []string{"a", "b"} {
		in := writeInput(t, filepath.Join(dir, name+".txt"), prose(uint64(i), 2000))
		path := filepath.Join(dir, name+".nidx")
		mustBuild(t, BuildOptions{Out: path, Inputs: []string{in}, Capacity: 5000})
		after = append(after, path)
		old := filepath.Join(dir, name+"-old.nidx")
		if err := os.WriteFile(old, withoutWords(t, readAll(t, path)), 0o644); err != nil {
			t.Fatal(err)
		}
		before = append(before, old)
	}
	open := func(path string) *Index {
		if _, _, err := Verify(path); err != nil {
			t.Fatal(err)
		}
		ix, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ix.Close() })
		return ix
	}
	old, ix := open(before[0]), open(after[1])
	word := gramsOf(ix.Spec(), prose(1, 2000), 1)[0]
	if old.HasWords() || old.Word(word) || !ix.HasWords() || !ix.Word(word) {
		t.Error("an index has words that it cannot know, or lacks them")
	}
	for _, h := range windowsOf(t, old.Spec(), prose(0, 2000)) {
		if !old.Window(h) {
			t.Fatal("a window is missing")
		}
	}
	j, err := Join(old, ix)
	if err != nil || !j.HasWords() || !j.Word(word) {
		t.Errorf("joined: %v", err)
	}
	if _, err := Merge(context.Background(), MergeOptions{Out: filepath.Join(dir, "old.nidx"), Inputs: before}); err != nil {
		t.Fatal(err)
	}
	if both := open(filepath.Join(dir, "old.nidx")); both.HasWords() {
		t.Error("a union of indexes without words has words")
	}
	for _, in := range [][]string{{before[0], after[1]}, {after[0], before[1]}} {
		var differs *MergeError
		_, err := Merge(context.Background(), MergeOptions{Out: filepath.Join(dir, "mixed.nidx"), Inputs: in})
		if !errors.As(err, &differs) || differs.Field != "section WORDS" {
			t.Errorf("merge of an index with words and one without: %v", err)
		}
	}
}

// TestWordsAreThoseOfIndexedWindows: the words of an excluded window are not
// indexed, unless they stand in another one.
func TestWordsAreThoseOfIndexedWindows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.txt"), goldenText+" twelve")
	ix, _ := mustBuild(t, BuildOptions{Inputs: []string{in}, Exclude: []string{
		writeInput(t, filepath.Join(dir, "out.txt"), "three four five six seven eight nine ten eleven twelve"),
	}})
	for i, h := range gramsOf(ix.Spec(), goldenText+" twelve", 1) {
		if got, want := ix.Word(h), i < 11; got != want {
			t.Errorf("word %d of twelve: %v", i+1, got)
		}
	}
}
