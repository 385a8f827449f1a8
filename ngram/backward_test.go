package ngram

import (
	"math/rand/v2"
	"testing"
)

// TestGramBack: words that are read from the last to the first have the hash of their own
// order, also if other words were read before them.
func TestGramBack(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for k := 1; k <= MaxN; k++ {
		words := make([]uint64, k)
		forward := uint64(0)
		for i := range words {
			words[i] = r.Uint64()
			forward = Roll(forward, words[i])
		}
		before := RollBack(RollBack(0, r.Uint64()), r.Uint64())
		after := before
		for i := k - 1; i >= 0; i-- {
			after = RollBack(after, words[i])
		}
		if got, want := GramBack(before, after, k), Gram(0, forward, k); got != want {
			t.Fatalf("%d words: %x, want %x", k, got, want)
		}
	}
}
