package gram

import (
	"math/rand/v2"
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
