package eval

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/ngram"
)

// plainQuoted returns which words are in runs of the corpus: it compares every window
// as a text of words, and tries all ranges to find runs.
func plainQuoted(spec ngram.Spec, corpus, answer []string, weight func(string) ngram.Weight) []bool {
	in := map[string]bool{}
	for i := 0; i+spec.N <= len(corpus); i++ {
		in[strings.Join(corpus[i:i+spec.N], " ")] = true
	}
	quoted := make([]bool, len(answer))
	for lo := range answer {
		for hi := lo + spec.N; hi <= len(answer); hi++ {
			all, total := true, ngram.Weight(0)
			for i := lo; i+spec.N <= hi; i++ {
				all = all && in[strings.Join(answer[i:i+spec.N], " ")]
			}
			for _, w := range answer[lo:hi] {
				total += weight(w)
			}
			for i := lo; i < hi && all && total >= ngram.Weight(spec.N)*ngram.WordWeight; i++ {
				quoted[i] = true
			}
		}
	}
	return quoted
}

// TestQuoted compares the quotations in random answers with an oracle. The words
// are few, so that runs begin, end and meet everywhere; some weigh a third.
func TestQuoted(t *testing.T) {
	t.Parallel()
	spec := testSpec(t)
	weight := func(w string) ngram.Weight {
		if w > "z" {
			return ngram.WordWeight / 3
		}
		return ngram.WordWeight
	}
	rng := rand.New(rand.NewPCG(1, 2))
	some := func(n int) []string {
		words := make([]string, n)
		for i := range words {
			words[i] = []string{"a", "b", "日", "月"}[rng.IntN(4)]
		}
		return words
	}
	met := 0
	for range 3000 {
		known := some(5 + rng.IntN(25))
		var answer []string
		for range 1 + rng.IntN(3) { // pieces of the corpus and of other text
			lo := rng.IntN(len(known))
			answer = slices.Concat(answer, known[lo:lo+rng.IntN(len(known)-lo+1)], some(rng.IntN(4)))
		}
		o := &outputs{m: &measurement{o: Options{Spec: spec}}, windows: map[ngram.Hash]bool{}}
		scan := func(words []string) []ngram.Word {
			s := ngram.NewScanner(spec.Suite)
			return s.Finish(s.Append(nil, []byte(strings.Join(words, " "))))
		}
		words := scan(answer)
		windows(words, spec.N, func(_ int, h ngram.Hash) { o.windows[h] = false })
		windows(scan(known), spec.N, func(_ int, h ngram.Hash) { o.mark(h) })
		got, want := o.quoted(words), plainQuoted(spec, known, answer, weight)
		if !slices.Equal(got, want) {
			t.Fatalf("corpus %q, answer %q: %v, want %v", known, answer, got, want)
		}
		r := newReader(&Options{Set: newExactSet(t, spec, strings.Join(known, " ")), Spec: spec})
		if err := r.read([]byte(strings.Join(answer, " "))); err != nil {
			t.Fatal(err)
		}
		for i, w := range words {
			if r.withheld(extent{int(w.Span.Lo), int(w.Span.Hi)}) != want[i] {
				t.Fatalf("corpus %q, answer %q: the detector withholds %v, want %v", known, answer, r.gone, want)
			}
		}
		count, longest, run := 0, 0, 0
		for _, q := range got {
			if run++; !q {
				run = 0
			} else {
				count++
			}
			longest = max(longest, run)
		}
		// Two quotations may touch, so the longest one may be shorter than the words in
		// a row.
		if o.figures.Quoted != count || o.figures.Longest > longest || (o.figures.Longest > 0) != (count > 0) {
			t.Fatalf("%+v, want %d quoted, the longest at most %d", o.figures, count, longest)
		}
		if count > 0 {
			met++
		}
	}
	if met < 300 {
		t.Errorf("only %d answers quote", met)
	}
}
