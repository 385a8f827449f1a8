package index

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"

	"noecho/ngram"
)

// TestFiltersAreBloomFilters asks bits-and-blooms/bloom the same questions: the
// sections are filters of that library, bit for bit.
func TestFiltersAreBloomFilters(t *testing.T) {
	t.Parallel()
	text := prose(11, 30000)
	in := writeInput(t, filepath.Join(t.TempDir(), "a.txt"), text)
	ix, _ := mustBuild(t, BuildOptions{Inputs: []string{in}})
	ask := append(windowsOf(t, ix.Spec(), text), randomHashes(5, 200_000)...)
	ask = append(ask, gramsOf(ix.Spec(), text, 4)...)
	ask = append(ask, gramsOf(ix.Spec(), text, 2)...)
	ask = append(ask, gramsOf(ix.Spec(), text, 1)...)
	for _, f := range []struct {
		name string
		b    blocked
	}{{"gate2", ix.gate2}, {"gate4", ix.gate4}, {"windows", ix.windows}, {"words", ix.words}} {
		oracle := bloom.FromWithM(f.b.words, uint(len(f.b.words)*64), uint(f.b.k))
		yes := 0
		for _, h := range ask {
			locs := appendBlocked(nil, h.Lo, f.b.blocks, f.b.k)
			for _, l := range locs {
				if l/blockBits != locs[0]/blockBits || l >= uint64(len(f.b.words)*64) {
					t.Fatalf("%s: location %d outside the block or the filter", f.name, l)
				}
			}
			want := oracle.TestLocations(locs)
			if got := f.b.has(h.Lo); got != want {
				t.Fatalf("%s: %v, the library says %v", f.name, got, want)
			}
			if want {
				yes++
			}
		}
		if yes == 0 || yes == len(ask) {
			t.Errorf("%s: %d of %d present", f.name, yes, len(ask))
		}
	}
	oracle := bloom.FromWithM(ix.confirm.words, uint(ix.confirm.m), uint(ix.confirm.k))
	locs := make([]uint64, ix.confirm.k)
	for _, h := range ask {
		spreadLocs(locs, h.Hi, ix.confirm.m)
		if got, want := ix.confirm.has(h.Hi), oracle.TestLocations(locs); got != want {
			t.Fatalf("confirm: %v, the library says %v", got, want)
		}
	}
}

// TestLocationsByHand pins the derivation with numbers from a second
// implementation.
func TestLocationsByHand(t *testing.T) {
	t.Parallel()
	if got := splitMix(1234567, 0); got != 6457827717110365317 {
		t.Errorf("SplitMix64 output 0 is %d", got)
	}
	if got := splitMix(1234567, 4); got != 16408922859458223821 {
		t.Errorf("SplitMix64 output 4 is %d", got)
	}
	if got := appendBlocked(nil, 1<<63, 32, 1)[0] / 512; got != 16 {
		t.Errorf("2^63 lies in block %d of 32", got)
	}
}

// fprFile writes an index of n random windows, sized for exactly their number.
func fprFile(tb testing.TB, n int) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "x.nidx")
	out, err := newPending(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.abort()
	p, err := newPlan(10, capacities{windows: uint64(n), fours: uint64(n), twos: uint64(n), words: uint64(n)})
	if err != nil {
		tb.Fatal(err)
	}
	targets := p.stripes(math.MaxUint64)[0]
	for _, t := range targets {
		if err := t.begin(p.sections[t.section], t.size/8); err != nil {
			tb.Fatal(err)
		}
	}
	in, err := newInserter(targets)
	if err != nil {
		tb.Fatal(err)
	}
	defer in.close()
	hashes := randomHashes(99, n)
	g := &grams{windows: hashes}
	for _, h := range hashes {
		g.fours = append(g.fours, h.Lo)
		g.twos = append(g.twos, h.Lo)
		g.words = append(g.words, h.Lo)
	}
	if err := in.add(g); err != nil {
		tb.Fatal(err)
	}
	in.flush()
	for _, t := range targets {
		t.flush(1)
	}
	for _, t := range targets {
		if err := p.write(out, t, 1); err != nil {
			tb.Fatal(err)
		}
		t.end()
	}
	h := &header{n: 10, norm: ngram.NormVersion, unicode: ngram.UnicodeVersion, suite: ngram.XXH64, capacity: uint64(n)}
	if _, err := p.finish(tb.Context(), out, h, new(Manifest)); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestFalsePositiveRates measures the filters at their capacity with hashes
// that were not added.
func TestFalsePositiveRates(t *testing.T) {
	t.Parallel()
	keys, probes := 1_000_000, 20_000_000
	confirmLow, confirmTop := 0.8e-6, 2.4e-6 // 16 to 48 of 29 to be expected
	if testing.Short() {
		keys, probes = 200_000, 2_000_000
		confirmLow, confirmTop = 0, 5.1e-6 // up to 10 of 3
	}
	b := readAll(t, fprFile(t, keys))
	ix, err := load(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.mem.free()
	var gate, word, window, confirm, both int
	for i := range probes {
		h := ngram.Hash{Hi: splitMix(123, uint64(2*i)), Lo: splitMix(123, uint64(2*i+1))}
		if ix.gate4.has(h.Lo) {
			gate++
		}
		if ix.words.has(h.Lo) {
			word++
		}
		w, c := ix.windows.has(h.Lo), ix.confirm.has(h.Hi)
		if w {
			window++
		}
		if c {
			confirm++
		}
		if w && c {
			both++
		}
	}
	rate := func(n int) float64 { return float64(n) / float64(probes) }
	t.Logf("%d keys, %d probes: gate %.4f, windows %.3g, confirm %.3g (%d), both %d; product %.2g",
		keys, probes, rate(gate), rate(window), rate(confirm), confirm, both, rate(window)*rate(confirm))
	for _, c := range []struct {
		name     string
		got      int
		low, top float64
	}{
		{"gate", gate, 0.08, 0.11},
		{"words", word, 8.2e-4, 9.4e-4},
		{"windows", window, 8.2e-4, 9.4e-4},
		{"confirm", confirm, confirmLow, confirmTop},
		{"both", both, 0, 5.1e-7},
	} {
		if r := rate(c.got); r < c.low || r > c.top {
			t.Errorf("%s: %.3g, want %.3g to %.3g", c.name, r, c.low, c.top)
		}
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	ix, err := Open(writeGolden(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	j, err := Join(ix, ix)
	if err != nil {
		t.Fatal(err)
	}
	hit := windowsOf(t, ix.Spec(), goldenText)[0]
	for _, h := range []ngram.Hash{hit, {Hi: 1, Lo: 2}} {
		if n := testing.AllocsPerRun(100, func() {
			j.Gate2(h)
			j.Gate4(h)
			j.Window(h)
			j.Word(h)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func TestJoin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	texts := []string{prose(1, 500), prose(2, 500)}
	build := func(n int, text string) *Index {
		in := writeInput(t, filepath.Join(dir, "a.txt"), text)
		ix, _ := mustBuild(t, BuildOptions{Inputs: []string{in}, N: n})
		return ix
	}
	a, b, c := build(10, texts[0]), build(10, texts[1]), build(8, texts[0])
	j, err := Join(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		for _, h := range windowsOf(t, j.Spec(), text) {
			if !j.Window(h) {
				t.Fatal("a window is missing")
			}
		}
		for _, h := range gramsOf(j.Spec(), text, 4) {
			if !j.Gate4(h) {
				t.Fatal("a 4-gram is missing")
			}
		}
		for _, h := range gramsOf(j.Spec(), text, 2) {
			if !j.Gate2(h) {
				t.Fatal("a 2-gram is missing")
			}
		}
		for _, h := range gramsOf(j.Spec(), text, 1) {
			if !j.Word(h) {
				t.Fatal("a word is missing")
			}
		}
	}
	if ids := j.BuildIDs(); len(ids) != 2 || ids[0] != a.Info().BuildID || ids[1] != b.Info().BuildID {
		t.Errorf("build ids %v", ids)
	}
	var mismatch *MismatchError
	if _, err := Join(a, c); !errors.As(err, &mismatch) || !strings.HasPrefix(mismatch.Field, "n ") {
		t.Errorf("join of different n: %v", err)
	}
	if _, err := Join(); err == nil {
		t.Error("no indexes were joined")
	}
}
