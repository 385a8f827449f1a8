package eval

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/ngram"
)

// sweepTexts are texts with passages of different lengths and weights.
var sweepTexts = []string{
	"",
	"a b c",
	"one two three four five six seven eight nine ten eleven",
	"日本語の文章です。 これは長い。 And six words of English too.",
	"12. A list\n3) of &amp; <b>things</b>, don't — stop.\nx\\ny z",
}

// plainPassages returns the passages of a text by a comparison of all words at once.
func plainPassages(spec ngram.Spec, text string, length int) []string {
	s := ngram.NewScanner(spec.Suite)
	words := s.Finish(s.Append(nil, []byte(text)))
	var all []string
	for i := range words {
		weight := ngram.Weight(0)
		for _, w := range words[i:] {
			if weight += w.Weight; weight >= ngram.Weight(length)*ngram.WordWeight {
				all = append(all, text[words[i].Span.Lo:w.Span.Hi])
				break
			}
		}
	}
	return all
}

// TestSweep finds all passages and windows, wherever the text is cut in two.
func TestSweep(t *testing.T) {
	t.Parallel()
	spec := testSpec(t)
	lengths := []int{5, 8}
	for _, text := range sweepTexts {
		for split := range len(text) + 1 {
			got := make([][]string, len(lengths))
			var hashed []ngram.Hash
			s := newPassageScanner(spec, lengths)
			s.onPassage = func(i int) {
				words := s.queue[s.heads[i]:]
				got[i] = append(got[i], string(s.raw[words[0].Span.Lo-s.rawLo:words[len(words)-1].Span.Hi-s.rawLo]))
			}
			s.onWindow = func(h ngram.Hash) { hashed = append(hashed, h) }
			for range 2 { // the second time as the next text
				s.begin()
				s.add([]byte(text[:split]))
				s.add([]byte(text[split:]))
				s.end()
			}
			for i, length := range lengths {
				want := plainPassages(spec, text, length)
				if !slices.Equal(got[i], slices.Concat(want, want)) {
					t.Errorf("%q cut at %d: passages of %d: %q, want twice %q", text, split, length, got[i], want)
				}
			}
			var want []ngram.Hash
			scan := ngram.NewScanner(spec.Suite)
			windows(scan.Finish(scan.Append(nil, []byte(text))), spec.N, func(_ int, h ngram.Hash) { want = append(want, h) })
			if !slices.Equal(hashed, slices.Concat(want, want)) {
				t.Errorf("%q cut at %d: %d windows, want twice %d", text, split, len(hashed), len(want))
			}
		}
	}
}

// TestSweepGap reads words that are far apart: they make no passage, and the text
// between them is not kept.
func TestSweepGap(t *testing.T) {
	t.Parallel()
	s := newPassageScanner(testSpec(t), []int{5})
	var got []string
	s.onPassage = func(i int) { got = append(got, string(s.cut(i).text)) }
	s.begin()
	s.add([]byte("a b c"))
	most := 0
	for range 100 {
		s.add([]byte(strings.Repeat(" ", 4<<10)))
		most = max(most, len(s.raw))
	}
	s.add([]byte("d e f g h i"))
	s.end()
	if want := []string{"d e f g h", "e f g h i"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if most > maxPassage+5<<10 {
		t.Errorf("%d bytes kept", most)
	}
}

// TestSweepCut begins passages in a word that is so long that it counts as three.
func TestSweepCut(t *testing.T) {
	t.Parallel()
	s := newPassageScanner(testSpec(t), []int{5})
	var got []string
	s.onPassage = func(i int) { got = append(got, string(s.cut(i).text)) }
	s.begin()
	s.add([]byte(strings.Repeat("a", 600) + " b c d e f g"))
	s.end()
	a := func(n int) string { return strings.Repeat("a", n) }
	want := []string{a(600) + " b c", a(344) + " b c d", a(88) + " b c d e", "b c d e f", "c d e f g"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOtherWords recognizes a passage that gives other words on its own: a number in
// front of a line is the mark of a list, in the middle of a line it is a word.
func TestOtherWords(t *testing.T) {
	t.Parallel()
	spec := testSpec(t)
	scan := ngram.NewScanner(spec.Suite)
	const text = "12. apples"
	begin := scan.Finish(scan.Append(nil, []byte(text)))
	p, err := newPassage(spec, []byte(text))
	if err != nil || len(p.words) != 2 || p.reads(hashes(begin)) {
		t.Errorf("%v, %d words", err, len(p.words))
	}
	for _, text := range []string{"", "—", "\\u0041pples"} {
		if p, err := newPassage(spec, []byte(text)); (err == nil) != (text == "\\u0041pples") {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

// TestPickSome chooses distinct positions, all of them if there are not more.
func TestPickSome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ n, want, got int }{{1000, 10, 10}, {10, 10, 10}, {3, 10, 3}, {1, 1, 1}} {
		picks := pickSome(newRand(1, "test"), tt.n, tt.want)
		var at, order []int
		for _, p := range picks {
			at, order = append(at, p.at), append(order, p.order)
		}
		slices.Sort(order)
		if len(slices.Compact(at)) != tt.got || len(slices.Compact(order)) != tt.got || order[len(order)-1] != tt.got-1 || slices.Max(at) >= tt.n {
			t.Errorf("%d of %d: %v", tt.want, tt.n, picks)
		}
	}
}

// write writes files into a folder of the test.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// invented makes a text of words that are in no language.
func invented(purpose string, words int) string {
	rng := newRand(3, purpose)
	all := make([]string, words)
	for i := range all {
		all[i] = fmt.Sprintf("%s%cword%d", purpose, 'a'+rune(rng.IntN(26)), rng.IntN(1000))
	}
	return strings.Join(all, " ")
}

// TestDraw draws passages of every text, and none twice.
func TestDraw(t *testing.T) {
	t.Parallel()
	first, second, third := invented("first", 60), invented("second", 40), invented("third", 9)
	dir := write(t, map[string]string{
		"a.txt": first,
		"b.jsonl": fmt.Sprintf(`{"messages":[{"role":"user","content":%q},{"role":"system","content":%q}]}`+"\n", second, invented("system", 50)) +
			"broken\n" + fmt.Sprintf(`{"messages":[{"role":"assistant","content":%q}]}`+"\n", third),
	})
	spec := testSpec(t)
	o := Options{
		Set: newExactSet(t, spec, first, second, third), Spec: spec, Corpus: []string{dir}, Words: 10, Runs: []int{5, 20}, Passages: 100, Seed: 1,
		Progress: new(Progress), Notice: func(string) {},
	}
	m := &measurement{o: o, filler: newFiller(spec.Suite)}
	if err := m.draw(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := (CorpusSize{Files: 2, Texts: 3, Words: 109, BadRecords: 1}); m.size != want {
		t.Errorf("read %+v, want %+v", m.size, want)
	}
	for i, want := range []int{56 + 36 + 5, 51 + 31, 41 + 21} {
		seen := map[string]bool{}
		for _, p := range m.drawn[i] {
			text := string(p.text)
			if len(p.words) != m.lengths[i] || !strings.Contains(first+"|"+second+"|"+third, text) {
				t.Errorf("a passage of %d words, of %d: %q", len(p.words), m.lengths[i], text)
			}
			seen[text] = true
		}
		if len(m.drawn[i]) != want || len(seen) != want {
			t.Errorf("%d passages of %d words, %d different, want %d", len(m.drawn[i]), m.lengths[i], len(seen), want)
		}
	}
}

// TestDrawExcluded draws no passage with a window that the index leaves out, if
// Excluded is set.
func TestDrawExcluded(t *testing.T) {
	t.Parallel()
	text := invented("word", 30)
	dir := write(t, map[string]string{"a.txt": text})
	spec := testSpec(t)
	for _, tt := range []struct {
		name               string
		excluded           bool
		drawn, left, found int
	}{
		{"left out", true, 11, 10, 11},
		{"missing", false, 21, 0, 21},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Set: newExactSet(t, spec, strings.Join(strings.Fields(text)[:20], " ")), Spec: spec, Corpus: []string{dir}, Words: 10, Runs: []int{10}, Passages: 50, Excluded: tt.excluded}
			r, err := Run(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			row := r.Verbatim[0]
			if row.Passages != tt.drawn || r.LeftOut != tt.left || row.Broken() == "" != tt.excluded {
				t.Errorf("%+v, %d left out, broken %q", row, r.LeftOut, row.Broken())
			}
		})
	}
}

// TestRunErrors checks the errors for a corpus that cannot be measured.
func TestRunErrors(t *testing.T) {
	t.Parallel()
	spec := testSpec(t)
	text := invented("word", 30)
	all := newFiller(spec.Suite)
	dir := write(t, map[string]string{"a.txt": text, "filler.txt": strings.Join(all.list[minFiller-1:], " ") + " " + text})
	for _, tt := range []struct {
		name  string
		set   *exactSet
		file  string
		words int
		is    error
		says  string
	}{
		{"too short", newExactSet(t, spec, text), "a.txt", 31, ErrNoPassages, "none has 31 words"},
		{"another corpus", newExactSet(t, spec, invented("other", 30)), "a.txt", 10, ErrOtherCorpus, ""},
		{"the filler itself", newExactSet(t, spec, text), "filler.txt", 10, nil, "all but 99 of the invented words"},
		{"no file", newExactSet(t, spec, text), "b.txt", 10, os.ErrNotExist, "b.txt"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Run(context.Background(), Options{Set: tt.set, Spec: spec, Corpus: []string{filepath.Join(dir, tt.file)}, Words: tt.words, Passages: 3})
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %v that says %q", err, tt.is, tt.says)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Run(ctx, Options{Set: newExactSet(t, spec, text), Spec: spec, Corpus: []string{filepath.Join(dir, "a.txt")}, Words: 10, Passages: 3})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

var _ visitor = (*passageScanner)(nil)
