package build

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/ngram"
)

// Windows that other records have too are not indexed, whatever their file and role; windows
// that only the person's own rows have are, though the other files contain these rows.
func TestOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own, shared, system, inText := prose(1, 30), prose(2, 15), prose(3, 15), prose(4, 15)
	row := func(role, text string) string {
		return fmt.Sprintf(`{"id":"x","messages":[{"role":%q,"content":%q}]}`+"\n", role, text)
	}
	rows := row("user", own+" "+shared) + row("assistant", system+" "+inText)
	o := Options{
		Inputs: []string{writeInput(t, filepath.Join(dir, "rows.jsonl"), rows)},
		Others: []string{
			writeInput(t, filepath.Join(dir, "train.jsonl"), row("user", prose(5, 20))+rows+row("user", "so "+shared+" it is")+row("system", system)+"{broken\n"),
			writeInput(t, filepath.Join(dir, "notes.txt"), prose(6, 5_000)+" "+inText+" "+prose(7, 9)),
		},
		RecordID: "01JD0000000000000000000000", Capacity: 1 << 12,
	}
	for _, k := range []byte{0, 1} {
		o.Out = filepath.Join(t.TempDir(), "x.nidx")
		key := testKey(t, k)
		if k == 0 {
			key = nil
		}
		ix := buildKeyed(t, o, key)
		for text, want := range map[string]bool{own: true, shared: false, system: false, inText: false} {
			for i, h := range gramsOf(ix.Spec(), text, ix.Spec().N) {
				if ix.Window(h) != want {
					t.Errorf("key %d: window %d of %.20q: %v", k, i, text, !want)
				}
			}
		}
		if m := ix.Files()[0].Manifest; len(m.Exclusions) != 0 || m.NotIndexed.ExcludedWindows == 0 {
			t.Errorf("manifest %+v", m)
		}
		found := false
		for _, h := range gramsOf(ix.Spec(), own, 5) {
			for _, p := range ix.Seeds(nil, h) {
				r, _ := ix.Record(p)
				found = r.ID == o.RecordID
			}
		}
		if !found {
			t.Error("the record has another id")
		}
	}
	o.Others = []string{corpus.Stdin}
	if _, err := Build(context.Background(), o); err == nil || !strings.Contains(err.Error(), "name files") {
		t.Error(err)
	}
}

// A text that is one of the inputs is not another one.
func TestOthersOwnText(t *testing.T) {
	t.Parallel()
	text := writeInput(t, filepath.Join(t.TempDir(), "own.txt"), prose(1, 50))
	ix, _ := mustBuild(t, Options{Inputs: []string{text}, Others: []string{text}})
	if !ix.Window(gramsOf(ix.Spec(), prose(1, 50), 10)[0]) {
		t.Error("a window of the person alone is left out")
	}
}

// People of several indexes are united by merging, and those of one request too.
func TestPeopleMerge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var parts []string
	person := func(id string, attributes ...corpus.Attribute) {
		parts = append(parts, filepath.Join(dir, fmt.Sprint(len(parts), ".nidx")))
		buildKeyed(t, Options{
			Out: parts[len(parts)-1], Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(""), Corpus: corpus.Options{Format: corpus.Text},
			Dataset: "erased", Capacity: 1 << 12, NoIdentifiers: true, People: []corpus.Subject{{ID: id, Labels: []string{"erased"}, Attributes: attributes}},
		}, testKey(t, 1))
	}
	person("01A", corpus.Attribute{Column: "attribute", Value: "jo@example.org"})
	person("01B", corpus.Attribute{Column: "name", Value: "Ann Ray"}, corpus.Attribute{Column: "attribute", Value: "jo@example.org"})
	person("01A", corpus.Attribute{Column: "phone", Value: "030 901820"})
	out := filepath.Join(dir, "all.nidx")
	for i := range parts {
		in := []string{parts[i]}
		if i > 0 {
			in = append(in, out)
		}
		if _, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: in}); err != nil {
			t.Fatal(err)
		}
	}
	ix, err := index.Read(reader(readAll(t, out)), int64(len(readAll(t, out))), testKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	for text, want := range map[string][]string{"jo@example.org": {"01A", "01B"}, "ann ray": {"01B"}, "ray, ann": {"01B"}, "030901820": {"01A"}} {
		p, ok := phraseOf(t, ix, text)
		subjects, _ := ix.Owners(p)
		var ids []string
		for _, s := range subjects {
			ids = append(ids, s.ID)
		}
		if slices.Sort(ids); !ok || !slices.Equal(ids, want) {
			t.Errorf("%q belongs to %v, want %v", text, ids, want)
		}
	}
	if ix.Window(ngram.Hash{Hi: 1, Lo: 2}) || !slices.Contains(ix.Labels(), "erased") {
		t.Error("it has a window, or lacks the label")
	}
}
