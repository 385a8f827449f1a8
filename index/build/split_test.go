package build

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/internal/raced"
	"noecho/ngram"
)

// scanAll returns the hashes of the words of a text.
func scanAll(spec ngram.Spec, text []byte) (out []uint64) {
	s := ngram.NewScanner(spec.Suite)
	for _, w := range s.Finish(s.Append(nil, text)) {
		out = append(out, w.Hash)
	}
	return out
}

// FuzzCutsBehindLineFeeds cuts a text behind each line feed and compares the words of
// the two parts with those of the whole.
func FuzzCutsBehindLineFeeds(f *testing.F) {
	spec := mustSpec(f)
	for _, text := range []string{
		"a\nb", "a \\\nb", "a\\ud83d\n\\ude00 b", "a <b\n> c", "a &am\np; b", "- a\n- b\n12\n. c", "it'\ns", "\xe2\x82\n\xac a",
		"a\u0301\n\u0301b", "a\\\\\\\n'b", "<li\n/>x", "&#12\n3;", "\n\n> 1\n) x", "中\n文", "a\r\n# b\u200b\nc", "x\\u00\n41",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		whole := scanAll(spec, text)
		for i, c := range text {
			if c == '\n' && !slices.Equal(whole, slices.Concat(scanAll(spec, text[:i+1]), scanAll(spec, text[i+1:]))) {
				t.Fatalf("cut at %d of %q: other words", i+1, text)
			}
		}
	})
}

// TestLongTextsAreTheSameOnAllCores builds long texts with one worker, which does not
// cut them, and with several: the files are the same. The lines of the texts are
// ordinary, very long, empty, or missing.
func TestLongTextsAreTheSameOnAllCores(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 5))
	lines := func(words, gap int, blank string) string {
		var b strings.Builder
		for i := range words {
			fmt.Fprintf(&b, "w%d ", r.IntN(3000))
			if gap > 0 && i%gap == 0 {
				b.WriteString(blank)
			}
		}
		return b.String()
	}
	for name, write := range map[string]func() string{
		"lines":     func() string { return lines(1_200_000, 9, "\n") },
		"paragraph": func() string { return lines(1_000_000, 300_000, "\n") },
		"sparse":    func() string { return lines(60, 7, strings.Repeat("\n", 900_000)) },
		"none":      func() string { return lines(1_000_000, 0, "") },
		"late":      func() string { return lines(3_300_000, 0, "") + lines(1_000_000, 50, "\n") },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "late" && testing.Short() || raced.On && name != "lines" {
				t.Skip("too long")
			}
			text := write()
			t.Parallel()
			if len(text) < splitFrom {
				t.Fatalf("only %d bytes", len(text))
			}
			dir := t.TempDir()
			in := writeInput(t, filepath.Join(dir, "a.txt"), text)
			var want []byte
			for _, workers := range []int{1, 3} {
				out := filepath.Join(dir, "x.nidx")
				ix, _ := mustBuild(t, Options{Out: out, Inputs: []string{in}, Workers: workers})
				got, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				if words := len(scanAll(ix.Spec(), []byte(text))); ix.Files()[0].Info.Words != uint64(words) || ix.Files()[0].Info.Windows != uint64(words-9) {
					t.Errorf("%d workers: %d words, %d windows of %d words", workers, ix.Files()[0].Info.Words, ix.Files()[0].Info.Windows, words)
				}
				if want == nil {
					want = got
				} else if !bytes.Equal(got, want) {
					t.Errorf("%d workers: another file", workers)
				}
			}
		})
	}
}
