package eval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/internal/windowset"
	"noecho/ngram"
)

// exactSet is a set of windows without false positives.
type exactSet struct {
	windowset.Index
	n                    int
	grams2, grams4, full map[ngram.Hash]bool
}

func newExactSet(t testing.TB, spec ngram.Spec, texts ...string) *exactSet {
	t.Helper()
	s := &exactSet{n: spec.N, grams2: map[ngram.Hash]bool{}, grams4: map[ngram.Hash]bool{}, full: map[ngram.Hash]bool{}}
	scan := ngram.NewScanner(spec.Suite)
	for _, text := range texts {
		scan.Reset()
		words := scan.Finish(scan.Append(nil, []byte(text)))
		if len(words) < spec.N {
			continue
		}
		windows(words, spec.N, func(_ int, h ngram.Hash) { s.full[h] = true })
		windows(words, 2, func(_ int, h ngram.Hash) { s.grams2[h] = true })
		windows(words, 4, func(_ int, h ngram.Hash) { s.grams4[h] = true })
	}
	return s
}

func (s *exactSet) Gate2(h ngram.Hash) bool  { return s.grams2[h] }
func (s *exactSet) Gate4(h ngram.Hash) bool  { return s.grams4[h] }
func (s *exactSet) Window(h ngram.Hash) bool { return s.full[h] }

// counted is a text of words that each occur once.
func counted(n int) []string {
	words := make([]string, n)
	for i := range words {
		words[i] = "w" + strings.Repeat("o", i%3) + fmt.Sprint(i) + "q"
	}
	return words
}

// readerGets counts the words that a reader gets from the released text alone: it
// undoes the disguise, keeps the words of the passage, and looks at their numbers.
func readerGets(n int, words []string, released string, kept []bool) (withheld, inRuns int) {
	got := make([]bool, len(words))
	for _, w := range plainWords(released) {
		if i := slices.Index(words, w); i >= 0 {
			got[i] = true
		}
	}
	for i := range words {
		if kept[i] && !got[i] {
			withheld++
		}
	}
	for lo := 0; lo < len(words); lo++ {
		hi := lo
		for hi < len(words) && got[hi] {
			hi++
		}
		if hi-lo >= n {
			inRuns += hi - lo
		}
		lo = hi
	}
	return withheld, inRuns
}

// TestMeasure compares the figures of passages with an oracle that reads the released
// text. The index contains some of the passage, all of it, or nothing.
func TestMeasure(t *testing.T) {
	t.Parallel()
	spec := testSpec(t)
	back := map[string]func(string) string{"filler after every word": same, "one word in nine inserted": same, "one word in six swapped": same, "one word in nine dropped": same}
	for _, name := range []string{"upper case", "one word a line", "HTML entities", "spaced letters", "dotted letters", "reversed words", "table", "percent"} {
		back[name] = undo[name]
	}
	for i := range disguises {
		d := &disguises[i]
		if back[d.Name] == nil {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for range 60 {
				words := counted(5 + rng.IntN(40))
				p, f := sample(t, strings.Join(words, " "))
				lo := rng.IntN(len(words))
				hi := lo + rng.IntN(len(words)-lo+1)
				set := newExactSet(t, spec, strings.Join(words[lo:hi], " "))
				s := spelled(d, p, f, rng.Uint64())
				kept := make([]bool, len(words))
				for j, w := range p.words {
					kept[j] = s.word(w).present()
				}
				begin := s.begin
				s = f.stream(rng).embed(s)
				r := newReader(&Options{Set: set, Spec: spec})
				var row Row
				if err := r.passage(&row, s); err != nil {
					t.Fatal(err)
				}
				withheld, inRuns := readerGets(spec.N, words, back[d.Name](cutOut(s, r.gone)), kept)
				want := Row{Passages: 1, Withheld: withheld, Released: inRuns}
				if withheld > 0 {
					want.Found = 1
				}
				for _, k := range kept {
					if k {
						want.Words++
					}
				}
				if row != want {
					t.Errorf("%d words, %d to %d indexed, from %d: %+v, want %+v", len(words), lo, hi, begin, row, want)
				}
			}
		})
	}
}

// cutOut returns the disguised passage without the withheld ranges, each replaced by
// the separator of the disguise.
func cutOut(s *disguised, gone []extent) string {
	var b strings.Builder
	at := s.begin
	for _, g := range gone {
		if g.hi <= s.begin || g.lo >= s.end {
			continue
		}
		b.Write(s.text[at:max(at, g.lo)])
		at = g.hi
	}
	b.Write(s.text[at:s.end])
	return b.String()
}

// TestControl counts a withheld range of filler as a false alarm.
func TestControl(t *testing.T) {
	t.Parallel()
	spec := testSpec(t)
	p, f := sample(t, strings.Join(counted(20), " "))
	rng := newRand(1, "control")
	text := f.stream(rng).text(30)
	s := &disguised{of: p, text: []byte(text)}
	for _, tt := range []struct {
		indexed string
		alarms  int
	}{{"", 0}, {text, 1}, {strings.Join(strings.Fields(text)[:5], " "), 1}, {strings.Join(strings.Fields(text)[:4], " "), 0}} {
		var row Row
		if err := newReader(&Options{Set: newExactSet(t, spec, tt.indexed), Spec: spec}).control(&row, s); err != nil {
			t.Fatal(err)
		}
		if want := (Row{ControlWords: 30, FalseAlarms: tt.alarms}); row != want {
			t.Errorf("%d bytes indexed: %+v, want %+v", len(tt.indexed), row, want)
		}
	}
}

// TestAlarmBesidePassage counts a range that is withheld around a passage as a false
// alarm and not as found.
func TestAlarmBesidePassage(t *testing.T) {
	t.Parallel()
	spec := testSpec(t)
	p, f := sample(t, strings.Join(counted(20), " "))
	rng := newRand(1, "beside")
	s := f.stream(rng).embed(spelled(asItIs(20), p, f, 1))
	var row Row
	if err := newReader(&Options{Set: newExactSet(t, spec, string(s.text[s.end:])), Spec: spec}).passage(&row, s); err != nil {
		t.Fatal(err)
	}
	if want := (Row{Passages: 1, Words: 20, Released: 20, FalseAlarms: 1}); row != want {
		t.Errorf("%+v, want %+v", row, want)
	}
}

// TestReadPieces reads words that weigh a third each: five of them are no run.
func TestReadPieces(t *testing.T) {
	t.Parallel()
	spec := testSpec(t)
	text := "日本語の文章です。 これは長い。"
	p, f := sample(t, text)
	rng := newRand(1, "japanese")
	for _, tt := range []struct {
		indexed string
		want    Row
	}{
		{text, Row{Passages: 1, Words: 13, Released: 0}},
		{text + text, Row{Passages: 1, Words: 13, Released: 0}},
	} {
		var row Row
		s := f.stream(rng).embed(spelled(asItIs(13), p, f, 1))
		if err := newReader(&Options{Set: newExactSet(t, spec, tt.indexed), Spec: spec}).passage(&row, s); err != nil {
			t.Fatal(err)
		}
		if row != tt.want {
			t.Errorf("%+v, want %+v", row, tt.want)
		}
	}
	// Twice the passage weighs more than five words.
	p, f = sample(t, text+text)
	s := f.stream(rng).embed(spelled(asItIs(26), p, f, 1))
	var row Row
	if err := newReader(&Options{Set: newExactSet(t, spec, text+text), Spec: spec}).passage(&row, s); err != nil {
		t.Fatal(err)
	}
	if want := (Row{Passages: 1, Found: 1, Words: 26, Withheld: 26}); row != want {
		t.Errorf("%+v, want %+v", row, want)
	}
	row = Row{}
	if err := newReader(&Options{Set: newExactSet(t, spec), Spec: spec}).passage(&row, s); err != nil {
		t.Fatal(err)
	}
	if want := (Row{Passages: 1, Words: 26, Released: 26}); row != want {
		t.Errorf("nothing indexed: %+v, want %+v", row, want)
	}
}

// TestWithheld compares ranges with a check of every byte.
func TestWithheld(t *testing.T) {
	t.Parallel()
	var r reader
	gone := make([]bool, 24)
	for _, e := range []extent{{2, 5}, {5, 6}, {9, 10}, {12, 20}} {
		r.gone = join(r.gone, e)
		for i := e.lo; i < e.hi; i++ {
			gone[i] = true
		}
	}
	if want := []extent{{2, 6}, {9, 10}, {12, 20}}; !slices.Equal(r.gone, want) {
		t.Errorf("joined to %v, want %v", r.gone, want)
	}
	for lo := range gone {
		for hi := lo + 1; hi <= len(gone); hi++ {
			if got, want := r.withheld(extent{lo, hi}), !slices.Contains(gone[lo:hi], false); got != want {
				t.Errorf("%d to %d: %v, want %v", lo, hi, got, want)
			}
		}
	}
}
