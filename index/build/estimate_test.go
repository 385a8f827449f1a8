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

// TestRecent removes repeated grams only: each gram of a sequence is among the fresh ones.
func TestRecent(t *testing.T) {
	t.Parallel()
	r := newRecent()
	seen, fresh := map[uint64]bool{}, map[uint64]bool{}
	removed := 0
	for round := range uint64(400) {
		var grams []uint64
		for i := range uint64(200) {
			lo := format.SplitMix(5, format.SplitMix(round, i)%5000)
			if i%50 == 0 {
				lo = []uint64{0, ^uint64(0), 1, lo << (64 - recentLog)}[round%4]
			}
			grams = append(grams, lo)
			seen[lo] = true
		}
		out := r.fresh(grams)
		removed += 200 - len(out)
		for _, lo := range out {
			fresh[lo] = true
		}
	}
	if len(fresh) != len(seen) {
		t.Errorf("%d of %d grams are fresh", len(fresh), len(seen))
	}
	if removed < 400*200/2 {
		t.Errorf("%d of %d grams are removed", removed, 400*200)
	}
}
