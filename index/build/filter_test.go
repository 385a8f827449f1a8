package build

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bits-and-blooms/bloom/v3"

	"noecho/index"
	"noecho/index/internal/format"
	"noecho/internal/raced"
	"noecho/ngram"
)

// TestFiltersAreBloomFilters compares every filter with one of bits-and-blooms/bloom:
// they are the same, bit for bit.
func TestFiltersAreBloomFilters(t *testing.T) {
	t.Parallel()
	text := prose(11, 30000)
	in := writeInput(t, filepath.Join(t.TempDir(), "a.txt"), text)
	out := filepath.Join(t.TempDir(), "a.nidx")
	opened, _ := mustBuild(t, Options{Inputs: []string{in}, Out: out})
	ix, spec := mustLoad(t, out), opened.Spec()
	ask := append(windowsOf(t, spec, text), randomHashes(5, 200_000)...)
	ask = append(ask, gramsOf(spec, text, 4)...)
	ask = append(ask, gramsOf(spec, text, 2)...)
	ask = append(ask, gramsOf(spec, text, 1)...)
	for _, f := range []struct {
		name string
		b    format.Blocked
	}{{"gate2", ix.Gate2}, {"gate4", ix.Gate4}, {"windows", ix.Windows}, {"words", ix.Words}} {
		oracle := bloom.FromWithM(f.b.Words, uint(len(f.b.Words)*64), uint(f.b.K))
		yes := 0
		for _, h := range ask {
			locs := format.AppendBlocked(nil, h.Lo, f.b.Blocks, f.b.K)
			for _, l := range locs {
				if l/format.BlockBits != locs[0]/format.BlockBits || l >= uint64(len(f.b.Words)*64) {
					t.Fatalf("%s: location %d outside the block or the filter", f.name, l)
				}
			}
			want := oracle.TestLocations(locs)
			if got := f.b.Has(h.Lo); got != want {
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
	oracle := bloom.FromWithM(ix.Confirm.Words, uint(ix.Confirm.M), uint(ix.Confirm.K))
	locs := make([]uint64, ix.Confirm.K)
	for _, h := range ask {
		format.SpreadLocs(locs, h.Hi, ix.Confirm.M)
		if got, want := ix.Confirm.Has(h.Hi), oracle.TestLocations(locs); got != want {
			t.Fatalf("confirm: %v, the library says %v", got, want)
		}
	}
}

// TestLocationsByHand compares bit numbers with those of a second implementation.
func TestLocationsByHand(t *testing.T) {
	t.Parallel()
	if got := format.SplitMix(1234567, 0); got != 6457827717110365317 {
		t.Errorf("SplitMix64 output 0 is %d", got)
	}
	if got := format.SplitMix(1234567, 4); got != 16408922859458223821 {
		t.Errorf("SplitMix64 output 4 is %d", got)
	}
	if got := format.AppendBlocked(nil, 1<<63, 32, 1)[0] / 512; got != 16 {
		t.Errorf("2^63 lies in block %d of 32", got)
	}
}

// mustLoad returns the contents of an index.
func mustLoad(t testing.TB, path string) *format.Contents {
	t.Helper()
	b := readAll(t, path)
	c, err := format.Load(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Free)
	return c
}

// fprFile writes an index of n random windows, which is sized for exactly n.
func fprFile(tb testing.TB, n int) (path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "x.nidx")
	out, err := newPending(path, 0)
	if err != nil {
		tb.Fatal(err)
	}
	defer out.abort()
	p, err := newPlan(out, 10, capacities{windows: uint64(n), fours: uint64(n), twos: uint64(n), words: uint64(n)})
	if err != nil {
		tb.Fatal(err)
	}
	targets := p.rounds(math.MaxUint64)[0]
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
		if err := p.write(t, 1); err != nil {
			tb.Fatal(err)
		}
		t.end()
	}
	h := &format.Header{N: 10, Norm: ngram.NormVersion, Unicode: ngram.UnicodeVersion, Suite: format.XXH64, Capacity: uint64(n)}
	if _, err := p.finish(tb.Context(), h, new(index.Manifest)); err != nil {
		tb.Fatal(err)
	}
	if err := out.commit(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestFalsePositiveRates measures the filters at their capacity with hashes that are
// not in them.
func TestFalsePositiveRates(t *testing.T) {
	t.Parallel()
	keys, probes := 1_000_000, 20_000_000
	confirmLow, confirmTop := 0.8e-6, 2.4e-6 // 16 to 48 hits, where 29 are expected
	if testing.Short() || raced.On {
		keys, probes = 200_000, 2_000_000
		confirmLow, confirmTop = 0, 5.1e-6 // at most 10 hits, where 3 are expected
	}
	ix := mustLoad(t, fprFile(t, keys))
	var gate, word, window, confirm, both int
	for i := range probes {
		h := ngram.Hash{Hi: format.SplitMix(123, uint64(2*i)), Lo: format.SplitMix(123, uint64(2*i+1))}
		if ix.Gate4.Has(h.Lo) {
			gate++
		}
		if ix.Words.Has(h.Lo) {
			word++
		}
		w, c := ix.Windows.Has(h.Lo), ix.Confirm.Has(h.Hi)
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
	ix, err := index.Open(writeGolden(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	j, err := index.Join(ix, ix)
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
	build := func(n int, text string) *index.Index {
		in := writeInput(t, filepath.Join(dir, "a.txt"), text)
		ix, _ := mustBuild(t, Options{Inputs: []string{in}, N: n})
		return ix
	}
	a, b, c := build(10, texts[0]), build(10, texts[1]), build(8, texts[0])
	j, err := index.Join(a, b)
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
	if files := j.Files(); len(files) != 2 || files[0] != a.Files()[0] || files[1] != b.Files()[0] {
		t.Errorf("files %v", files)
	}
	var mismatch *index.MismatchError
	if _, err := index.Join(a, c); !errors.As(err, &mismatch) || !strings.HasPrefix(mismatch.Field, "n ") {
		t.Errorf("join of different n: %v", err)
	}
	for want, all := range map[string][]*index.Index{"no index": nil, "index 2 of 2 is nil": {a, nil}} {
		if _, err := index.Join(all...); err == nil || errors.As(err, &mismatch) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
