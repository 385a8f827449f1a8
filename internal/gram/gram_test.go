package gram

import (
	"math/rand/v2"
	"slices"
	"testing"

	"noecho/ngram"
)

// TestBack: words that are read from the last to the first have the hash of their own
// order, also if other words were read before them.
func TestBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for k := 1; k <= ngram.MaxN; k++ {
		words := make([]uint64, k)
		forward := uint64(0)
		for i := range words {
			words[i] = r.Uint64()
			forward = ngram.Roll(forward, words[i])
		}
		before := RollBack(RollBack(0, r.Uint64()), r.Uint64())
		after := before
		for i := k - 1; i >= 0; i-- {
			after = RollBack(after, words[i])
		}
		if got, want := Back(before, after, k), ngram.Gram(0, forward, k); got != want {
			t.Fatalf("%d words: %x, want %x", k, got, want)
		}
	}
}

// TestAllAreGram: the appended hashes are those that Gram returns one by one, and words
// fewer than a gram give none.
func TestAllAreGram(t *testing.T) {
	t.Parallel()
	prefix := []uint64{0}
	for i := range uint64(80) {
		prefix = append(prefix, ngram.Roll(prefix[i], i*0x9E3779B97F4A7C15))
	}
	for _, k := range []int{1, 2, 4, 10, ngram.MaxN} {
		for m := range len(prefix) {
			want := []ngram.Hash{{Hi: 1, Lo: 2}}
			wantLo := []uint64{3}
			for i := 0; i+k <= m; i++ {
				h := ngram.Gram(prefix[i], prefix[i+k], k)
				want, wantLo = append(want, h), append(wantLo, h.Lo)
			}
			if got := All([]ngram.Hash{{Hi: 1, Lo: 2}}, prefix[:m+1], k); !slices.Equal(got, want) {
				t.Fatalf("%d-grams of %d words: %v, want %v", k, m, got, want)
			}
			if got := AllLo([]uint64{3}, prefix[:m+1], k); !slices.Equal(got, wantLo) {
				t.Fatalf("%d-grams of %d words, lower halves: %v, want %v", k, m, got, wantLo)
			}
		}
		if got := All(nil, nil, k); got != nil {
			t.Errorf("%d-grams of nothing: %v", k, got)
		}
	}
}

func TestAllAllocatesNothing(t *testing.T) {
	prefix := make([]uint64, 80)
	all, los := make([]ngram.Hash, 0, 80), make([]uint64, 0, 80)
	if n := testing.AllocsPerRun(10, func() {
		all, los = All(all[:0], prefix, 10), AllLo(los[:0], prefix, 4)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
