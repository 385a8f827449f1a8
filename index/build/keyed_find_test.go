package build

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/index"
)

// findings describes the findings of a text that arrives in pieces, and the bytes that may
// leave. Near matches are not looked for: they depend on the choice of seeds, which the key
// decides.
func findings(ix *index.Index, text string, piece int) string {
	d := detect.New(ix, ix.Spec(), detect.Config{Lanes: detect.AllLanes, Near: detect.NearRule{Off: true}})
	var segments []detect.Segment
	for i := 0; i < len(text); i += piece {
		segments = d.Append(segments, []byte(text[i:min(len(text), i+piece)]))
	}
	segments = d.Finish(segments)
	var out strings.Builder
	for _, f := range d.Closed(nil) {
		fmt.Fprintln(&out, f.Kind, f.Lane, f.Span, f.Words, f.Windows, f.Digests)
		if f.Phrase != nil {
			fmt.Fprintln(&out, f.Phrase.Kind, f.Phrase.Records)
		}
	}
	at, clean := int64(0), int64(0)
	for _, s := range segments {
		if s.Span.Lo != at {
			return "the segments have a gap"
		}
		if at = s.Span.Hi; s.Finding == nil {
			clean += s.Span.Hi - s.Span.Lo
		}
	}
	fmt.Fprintln(&out, at, clean)
	return out.String()
}

// keyedSets are an index without a key, and sets of indexes that must find the same: the
// same index with a key, also beside small ones of other keys.
func keyedSets(t testing.TB) (sets []*index.Index, texts []string) {
	t.Helper()
	o := keyedCorpus(t, 40)
	plain, keyed := buildKeyed(t, o, nil), buildKeyed(t, o, testKey(t, 1))
	small := func(secret byte, mail string) *index.Index {
		in := writeInput(t, t.TempDir()+"/small.txt", "zyx wvu tsr qpo nml kji hgf edc bax zzy yyx "+mail)
		return buildKeyed(t, Options{Inputs: []string{in}}, testKey(t, secret))
	}
	sets = []*index.Index{plain, keyed}
	for _, parts := range [][]*index.Index{{keyed, small(2, "q@example.com")}, {small(1, "r@example.com"), small(2, "s@example.com"), plain, small(3, "t@example.com")}} {
		ix, err := index.Join(parts...)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, ix)
	}
	return sets, textsOf(t, o)
}

// The same findings and the same bytes come out with a key and without, whole or in pieces,
// of plain text and of text that is disguised.
func TestKeyedFindings(t *testing.T) {
	t.Parallel()
	sets, texts := keyedSets(t)
	r := rand.New(rand.NewPCG(3, 4))
	for range 60 {
		text := texts[r.IntN(len(texts))]
		at := r.IntN(len(text))
		text = "Well: " + text[at:min(len(text), at+20+r.IntN(400))] + ", " + prose(r.Uint64(), r.IntN(30)) + " p7@example.org."
		switch r.IntN(4) {
		case 0:
			text = strings.Join(strings.Split(text, ""), " ")
		case 1:
			words := strings.Fields(text)
			slices.Reverse(words)
			text = strings.Join(words, " ")
		}
		want := findings(sets[0], text, len(text))
		for i, ix := range sets {
			for _, piece := range []int{1, 7, len(text)} {
				if got := findings(ix, text, piece); got != want {
					t.Fatalf("set %d in pieces of %d:\n%s\nwant\n%s", i, piece, got, want)
				}
			}
		}
	}
}

// FuzzKeyedFindings compares the findings with a key and without.
func FuzzKeyedFindings(f *testing.F) {
	sets, texts := keyedSets(f)
	for _, text := range texts {
		f.Add(text[:min(len(text), 300)], 5)
	}
	f.Add("w r i t e  t o p7@example.org and Bo Stone, Berlin", 1)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		if len(text) > 3_000 {
			return
		}
		piece = max(1, piece)
		want := findings(sets[0], text, piece)
		for i, ix := range sets[1:] {
			if got := findings(ix, text, piece); got != want {
				t.Fatalf("set %d:\n%s\nwant\n%s", i+1, got, want)
			}
		}
	})
}
