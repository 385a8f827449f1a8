package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/key"
	"noecho/ngram"
)

// TestEmptyFilters joins an index of text with one of a person, whose filters of windows have no
// gram and are passed over: each lookup is answered as one of the two alone answers it, in both
// orders, with a key and without.
func TestEmptyFilters(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.txt")
	words := strings.Repeat("the quick brown fox jumps over the lazy dog while seven clever zebras watch from the river ", 3)
	if err := os.WriteFile(text, []byte(words), 0o600); err != nil {
		t.Fatal(err)
	}
	secret, err := key.Parse([]byte(strings.Repeat("5a", 32)))
	if err != nil {
		t.Fatal(err)
	}
	built := func(name string, o Options) *index.Index {
		o.Out, o.Capacity = filepath.Join(dir, name), 1000
		if _, err := Build(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		var keys []*key.Key
		if o.Key != nil {
			keys = append(keys, o.Key)
		}
		ix, err := index.OpenKeyed(o.Out, keys)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ix.Close() })
		return ix
	}
	person := []corpus.Subject{{ID: "p", Attributes: []corpus.Attribute{{Column: "name", Value: "Bo Stonefield"}, {Column: "email", Value: "bo@example.org"}}}}
	for _, k := range []*key.Key{nil, secret} {
		a := built("a.nidx", Options{Inputs: []string{text}})
		p := built("p.nidx", Options{Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(""), Corpus: corpus.Options{Format: corpus.Text}, People: person, NoIdentifiers: true, Key: k, AcceptUnread: true})
		for _, parts := range [][]*index.Index{{a, p}, {p, a}} {
			joined, err := index.Join(parts...)
			if err != nil {
				t.Fatal(err)
			}
			scan, hits := ngram.NewScanner(joined.Spec().Suite), 0
			all := scan.Finish(scan.Append(nil, []byte(words+" and Bo Stonefield bo@example.org said nothing of the river")))
			prefix := make([]uint64, len(all)+1)
			for i, w := range all {
				prefix[i+1] = ngram.Roll(prefix[i], w.Hash)
			}
			for n, ask := range map[int]func(*index.Index, ngram.Hash) bool{
				1: (*index.Index).Word, 2: (*index.Index).Gate2, 3: (*index.Index).Start, 4: (*index.Index).Gate4, 10: (*index.Index).Window,
			} {
				for i := range len(all) - n + 1 {
					h := ngram.Gram(prefix[i], prefix[i+n], n)
					if want := ask(a, h) || ask(p, h); ask(joined, h) != want {
						t.Errorf("%d words from %d: %v", n, i, !want)
					} else if want {
						hits++
					}
				}
			}
			if hits < 100 {
				t.Errorf("%d hits", hits)
			}
		}
	}
}
