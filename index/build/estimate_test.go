package build

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"noecho/index/internal/format"
)

// TestSampleCountsSets feeds the same set in two orders, with repeats, from one worker
// and from several. The estimate is always the same, and close to the true number.
func TestSampleCountsSets(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1000, sampleMost, sampleMost + 1, 3_000_000} {
		grams := make([]uint64, n)
		for i := range grams {
			grams[i] = format.SplitMix(uint64(n), uint64(i))
		}
		one := newDistinctEstimator()
		one.add(grams)
		several := newDistinctEstimator()
		r := rand.New(rand.NewPCG(1, uint64(n)))
		r.Shuffle(n, func(i, j int) { grams[i], grams[j] = grams[j], grams[i] })
		var wg sync.WaitGroup
		for w := range 3 {
			wg.Go(func() {
				c := counter{}
				for from := w * n / 4; from < (w+2)*n/4; from += 1000 {
					c.draw(several, grams[from:min(from+1000, (w+2)*n/4)])
				}
			})
		}
		wg.Wait()
		got, want := one.estimate(), float64(n)
		if several.estimate() != got {
			t.Errorf("%d grams: %d and %d", n, got, several.estimate())
		}
		if n <= sampleMost && got != uint64(n) || math.Abs(float64(got)-want) > 0.01*want {
			t.Errorf("%d grams: estimate %d", n, got)
		}
		if n > 0 && several.without(map[uint64]struct{}{grams[0]: {}, 77: {}}) > got {
			t.Errorf("%d grams: more without one", n)
		}
	}
}
