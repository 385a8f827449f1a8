package build

import (
	"fmt"
	"slices"
	"testing"

	"noecho/index/internal/format"
	"noecho/ngram"
)

// TestGramsOfRun checks that a run gives every window that is not excluded, and every
// short gram of these windows once for each position.
func TestGramsOfRun(t *testing.T) {
	t.Parallel()
	const n = 6
	for words := n; words < 3*n; words++ {
		run, prefix := make([]uint64, words), []uint64{0}
		for i := range run {
			run[i] = format.SplitMix(1, uint64(i))
			prefix = append(prefix, ngram.Roll(prefix[i], run[i]))
		}
		// Exclude every set of the first eight windows.
		for set := range 1 << min(8, words-n+1) {
			exclude := map[uint64]struct{}{}
			var want grams
			four, two, one := make([]bool, words), make([]bool, words), make([]bool, words)
			for i := range words - n + 1 {
				h := ngram.Gram(prefix[i], prefix[i+n], n)
				if set>>i&1 != 0 {
					exclude[h.Lo] = struct{}{}
					want.excluded++
					continue
				}
				want.windows = append(want.windows, h)
				for j := i; j <= i+n-1; j++ {
					one[j] = true
					two[j] = two[j] || j <= i+n-2
					four[j] = four[j] || j <= i+n-4
				}
			}
			for i := range words {
				if four[i] {
					want.fours = append(want.fours, ngram.Gram(prefix[i], prefix[i+4], 4).Lo)
				}
				if one[i] {
					want.words = append(want.words, ngram.Gram(prefix[i], prefix[i+1], 1).Lo)
				}
				if two[i] {
					want.twos = append(want.twos, ngram.Gram(prefix[i], prefix[i+2], 2).Lo)
				}
			}
			var got grams
			for range 2 { // grams are reused
				got.fill(run, n, exclude, nil)
				if err := sameGrams(&got, &want); err != nil {
					t.Fatalf("%d words, excluded %b: %v", words, set, err)
				}
			}
		}
	}
}

func sameGrams(got, want *grams) error {
	switch {
	case !slices.Equal(got.windows, want.windows):
		return fmt.Errorf("windows %v, want %v", got.windows, want.windows)
	case !slices.Equal(got.fours, want.fours):
		return fmt.Errorf("4-grams %v, want %v", got.fours, want.fours)
	case !slices.Equal(got.twos, want.twos):
		return fmt.Errorf("2-grams %v, want %v", got.twos, want.twos)
	case !slices.Equal(got.words, want.words):
		return fmt.Errorf("words %v, want %v", got.words, want.words)
	case got.excluded != want.excluded:
		return fmt.Errorf("%d excluded, want %d", got.excluded, want.excluded)
	}
	return nil
}

// BenchmarkGrams computes the grams of runs.
func BenchmarkGrams(b *testing.B) {
	run := make([]uint64, runWords)
	for i := range run {
		run[i] = format.SplitMix(1, uint64(i))
	}
	var g grams
	b.ReportAllocs()
	for b.Loop() {
		g.fill(run, ngram.DefaultN, nil, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/runWords, "ns/word")
}
