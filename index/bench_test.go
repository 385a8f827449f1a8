package index

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"noecho/ngram"
)

// BenchmarkBuild builds an index of made-up text: two passes.
func BenchmarkBuild(b *testing.B) {
	for _, words := range []int{1e6} {
		b.Run(fmt.Sprintf("words=%d", words), func(b *testing.B) {
			dir := b.TempDir()
			var inputs []string
			size := int64(0)
			for i := range 10 {
				text := prose(uint64(i), words/10)
				size += int64(len(text))
				inputs = append(inputs, writeInput(b, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), text))
			}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Build(context.Background(), BuildOptions{Out: filepath.Join(dir, "x.nidx"), Inputs: inputs}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// randomHashes returns n hashes that depend on the seed alone.
func randomHashes(seed uint64, n int) []ngram.Hash {
	out := make([]ngram.Hash, n)
	for i := range out {
		out[i] = ngram.Hash{Hi: splitMix(seed, uint64(2*i)), Lo: splitMix(seed, uint64(2*i+1))}
	}
	return out
}
