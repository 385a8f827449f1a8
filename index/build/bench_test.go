package build

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"noecho/index"
	"noecho/index/internal/format"
	"noecho/internal/gram"
	"noecho/ngram"
)

// BenchmarkBuild builds an index of made-up text, in two passes.
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
				if _, err := Build(context.Background(), Options{Out: filepath.Join(dir, "x.nidx"), Inputs: inputs}); err != nil {
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
		out[i] = ngram.Hash{Hi: format.SplitMix(seed, uint64(2*i)), Lo: format.SplitMix(seed, uint64(2*i+1))}
	}
	return out
}

// BenchmarkInsert sets the bits of a million windows and their grams.
func BenchmarkInsert(b *testing.B) {
	for _, n := range []int{1e6, 3e7} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			p, err := newPlan(nil, 10, capacities{windows: uint64(n), fours: uint64(n) * 4 / 5, twos: uint64(n) / 3, words: uint64(n) / 32})
			if err != nil {
				b.Fatal(err)
			}
			round := p.rounds(1 << 40)[0]
			for _, t := range round {
				if err := t.begin(p.sections[t.section], t.size/8); err != nil {
					b.Fatal(err)
				}
				defer t.end()
				clear(t.mem.Words) // touches every page
			}
			in, err := newInserter(round)
			if err != nil {
				b.Fatal(err)
			}
			defer in.close()
			g := &grams{windows: make([]ngram.Hash, 4096), fours: make([]uint64, 4096), twos: make([]uint64, 4096)}
			next := uint64(0)
			million := func() {
				for range 1 << 8 {
					for i := range g.windows {
						hi, lo := format.SplitMix(1, next), format.SplitMix(2, next)
						g.windows[i] = ngram.Hash{Hi: hi, Lo: lo}
						g.fours[i], g.twos[i] = lo, lo
						next++
					}
					_ = in.add(g) // never fails
				}
			}
			for range 4 {
				million() // touches the batches and buffers
			}
			next = 0
			for b.Loop() {
				million()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(next), "ns/window")
		})
	}
}

// BenchmarkLookup looks windows up in an index whose filters fit the cache, and in one
// whose filters do not.
func BenchmarkLookup(b *testing.B) {
	for size, n := range map[string]int{"1e4": 1e4, "3e7": 3e7} {
		ix, err := index.Open(fprFile(b, n))
		if err != nil {
			b.Fatal(err)
		}
		defer ix.Close()
		var set interface { // through an interface, as a detector does
			Window(h ngram.Hash) bool
			Gate4(h ngram.Hash) bool
		} = ix
		present, absent := randomHashes(99, 1<<16), randomHashes(7, 1<<16)
		if len(present) > n {
			present = present[:1<<13]
		}
		for name, hashes := range map[string][]ngram.Hash{"hit": present, "miss": absent} {
			mask := len(hashes) - 1
			b.Run(fmt.Sprintf("Window/n=%s/%s", size, name), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					set.Window(hashes[i&mask])
					i++
				}
			})
			b.Run(fmt.Sprintf("Gate4/n=%s/%s", size, name), func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					set.Gate4(hashes[i&mask])
					i++
				}
			})
		}
	}
}

// BenchmarkOpen opens an index with about 200 MB of filters.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	out := filepath.Join(dir, "x.nidx")
	in := writeInput(b, filepath.Join(dir, "a.txt"), prose(1, 100_000))
	if _, err := Build(context.Background(), Options{Out: out, Inputs: []string{in}, Capacity: 30_000_000}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		ix, err := index.Open(out)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(ix.Files()[0].Info.Bytes))
		ix.Close()
	}
}

// BenchmarkSeeds looks 5-grams up in the ledger of an index: some of its text, and
// others.
func BenchmarkSeeds(b *testing.B) {
	for _, words := range []int{1e5, 1e7} {
		dir := b.TempDir()
		text := prose(1, words)
		out := filepath.Join(dir, "x.nidx")
		ix, _ := mustBuild(b, Options{Out: out, Inputs: []string{writeInput(b, filepath.Join(dir, "a.txt"), text)}, NoIdentifiers: true})
		known := gramsOf(ix.Spec(), text[:len(text)/10], gram.SeedWords)
		for i := range known { // in an order that is not that of the text
			j := int(format.SplitMix(7, uint64(i)) % uint64(len(known)))
			known[i], known[j] = known[j], known[i]
		}
		for _, tt := range []struct {
			name  string
			grams []ngram.Hash
		}{{"known", known}, {"other", randomHashes(5, len(known))}} {
			b.Run(fmt.Sprintf("words=%d/%s", words, tt.name), func(b *testing.B) {
				var places []ngram.Place
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					places = ix.Seeds(places[:0], tt.grams[i])
					if i++; i == len(tt.grams) {
						i = 0
					}
				}
			})
		}
	}
}
