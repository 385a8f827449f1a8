package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/internal/format"
	"noecho/internal/gram"
	"noecho/ngram"
)

// heap is a seedSource in memory.
type heap struct {
	seeds []seedAt
	err   error
}

func (h *heap) collect(k *keys) error {
	for _, s := range h.seeds {
		k.add(s.finger, uint64(s.place))
	}
	if h.err != nil && k.slice > 100 {
		return h.err
	}
	return nil
}

// randomSeeds returns seeds in random order, many of which share a fingerprint.
func randomSeeds(r *rand.Rand, n int, end uint64) []seedAt {
	seen := map[ngram.Place]bool{}
	var all []seedAt
	for len(all) < n {
		s := seedAt{finger: r.Uint64() >> 24, place: ngram.Place(gram.PlaceGap + r.Uint64N(end-gram.PlaceGap))}
		switch r.IntN(4) {
		case 0:
			s.finger = 0x1234567890 // a very common one
		case 1:
			s.finger = uint64(r.IntN(8)) << 37
		}
		if !seen[s.place] {
			seen[s.place] = true
			all = append(all, s)
		}
	}
	return all
}

// TestWriteLedger sorts seeds in slices of different sizes and compares the rows with
// those of the simplest possible sort.
func TestWriteLedger(t *testing.T) {
	t.Parallel()
	for i, tt := range []struct {
		seeds, workers int
		end            uint64
		memory         int64
	}{
		{0, 1, 64, 1 << 20},
		{1, 1, 66, 1 << 20},
		{31, 2, 4000, 1 << 20},
		{20_000, 1, 1 << 20, 1 << 30},
		{5_000, 3, 1 << 20, 1 << 12}, // few seeds in a slice
		{2_000, 2, 1 << 36, 1 << 20}, // a fingerprint and a place need more than 64 bits
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			all := randomSeeds(rand.New(rand.NewPCG(uint64(i), 3)), tt.seeds, tt.end)
			var out bytes.Buffer
			kept := newTempStore(t.TempDir())
			defer kept.close()
			with := sorting{ctx: context.Background(), kept: kept, workers: tt.workers, memory: tt.memory}
			var sets []ngram.Place
			for at := range uint64([]int{1, 30, 3}[i%3]) {
				sets = append(sets, ngram.Place(gram.PlaceGap+at*tt.end/40))
				with.sets = append(with.sets, namedSource{place: uint64(sets[at]), dataset: at})
			}
			shape, err := writeLedger(&out, format.NewLedgerShape(uint64(tt.seeds), tt.end), &heap{seeds: all}, with)
			if err != nil {
				t.Fatal(err)
			}
			p := format.InMemory(out.Bytes())
			read, err := format.ParseLedger(p)
			if err != nil || read != shape {
				t.Fatalf("read %+v, written %+v, %v", read, shape, err)
			}
			if err := read.Check(p); err != nil {
				t.Fatal(err)
			}
			want := map[uint64][]ngram.Place{}
			for _, s := range all {
				want[s.finger] = append(want[s.finger], s.place)
			}
			l, rows := format.Ledger{LedgerShape: read, B: out.Bytes()}, 0
			for finger, places := range want {
				places = simplyKept(places, sets)
				rows += len(places)
				if got := l.Seeds(nil, ngram.Hash{Hi: finger<<24 | 77}); !slices.Equal(got, places) {
					t.Fatalf("fingerprint %010x: places %v, want %v", finger, got, places)
				}
			}
			if read.Rows != uint64(rows) || read.Distinct != uint64(len(want)) {
				t.Errorf("%+v, want %d rows of %d fingerprints", read, rows, len(want))
			}
		})
	}
}

// failing is a writer that fails after left bytes.
type failing struct{ left int }

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestWriteLedgerFails(t *testing.T) {
	t.Parallel()
	all := randomSeeds(rand.New(rand.NewPCG(1, 3)), 60_000, 1<<30)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	broken := errors.New("a list cannot be read")
	for name, tt := range map[string]struct {
		ctx  context.Context
		from *heap
		left int
		want string
	}{
		"source":    {context.Background(), &heap{seeds: all, err: broken}, 1 << 30, broken.Error()},
		"writer":    {context.Background(), &heap{seeds: all}, 100_000, "disk full"},
		"cancelled": {cancelled, &heap{seeds: all}, 1 << 30, context.Canceled.Error()},
	} {
		kept := newTempStore(t.TempDir())
		defer kept.close()
		_, err := writeLedger(&failing{tt.left}, format.NewLedgerShape(60_000, 1<<30), tt.from, sorting{ctx: tt.ctx, kept: kept, workers: 3, memory: 1 << 20})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPositionsBeyond32Bits lets a worker read more than 2³² words. Its lists then
// change their origin.
func TestPositionsBeyond32Bits(t *testing.T) {
	t.Parallel()
	spec := mustSpec(t)
	b := &builder{o: Options{Out: filepath.Join(t.TempDir(), "x")}, spec: spec}
	kept := newTempStore(t.TempDir())
	defer kept.close()
	b.places = newPlaces(1, kept)
	notes := newLedgerBuilder(b, kept)
	at := b.places.placer()
	at.pos = 1<<32 - 20_000
	n := notes.collector(at)
	o := newOracle(spec)
	cut := newCutter(spec)
	cut.collectors = []collector{n, at}
	for i := range 30 {
		text := prose(uint64(i), 2000)
		o.segment("", text, nil)
		r := recordPart{task: int64(i / 3), line: i + 1, last: true}
		at.beginRecord(r)
		n.beginRecord(r)
		cut.begin()
		nothing := func([]uint64) error { return nil }
		if err := cut.add([]byte(text), nothing); err != nil {
			t.Fatal(err)
		}
		if _, err := cut.end(nothing); err != nil {
			t.Fatal(err)
		}
		if err := n.endSegment(true); err != nil {
			t.Fatal(err)
		}
		_ = at.endSegment(true) // never fails
		at.endRecord()
	}
	if err := b.places.settle(); err != nil {
		t.Fatal(err)
	}
	for _, n := range notes.collectors {
		n.flush()
	}
	got, total := map[uint64][]ngram.Place{}, 0
	for slice := range uint64(1) << sliceBitsMin {
		k := &keys{sliceBits: sliceBitsMin, placeBits: 32}
		k.begin(slice, 1000)
		if err := notes.collect(k); err != nil {
			t.Fatal(err)
		}
		k.sort()
		for _, key := range k.all {
			finger := slice<<32 | key>>32
			got[finger] = append(got[finger], ngram.Place(key&(1<<32-1)))
			total++
		}
	}
	if len(got) != len(o.seeds) || total != int(o.all) {
		t.Errorf("%d seeds of %d fingerprints, want %d of %d", total, len(got), o.all, len(o.seeds))
	}
	for finger, want := range o.seeds {
		if !slices.Equal(got[finger], want) {
			t.Fatalf("fingerprint %010x: places %v, want %v", finger, got[finger], want)
		}
	}
}

// TestSplitTextsWithExclusions cuts long texts with excluded windows for several
// workers: the places are the same as with one worker.
func TestSplitTextsWithExclusions(t *testing.T) {
	t.Parallel()
	for _, n := range []int{5, 13} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := rand.New(rand.NewPCG(uint64(n), 5))
			var text strings.Builder
			for text.Len() < splitFrom+splitLen {
				for range r.IntN(12) {
					fmt.Fprintf(&text, "w%d ", r.IntN(9))
				}
				text.WriteString(strings.Repeat("\n", 1+r.IntN(2)*r.IntN(40_000)))
			}
			in := writeInput(t, filepath.Join(dir, "a.txt"), text.String())
			// Exclude every fifth piece of the text.
			var public strings.Builder
			for all, piece := text.String(), 0; len(all) > 50_000; piece++ {
				if piece%5 == 0 {
					public.WriteString(all[:50_000])
				}
				all = all[50_000:]
			}
			x := writeInput(t, filepath.Join(dir, "x.txt"), public.String())
			var want []byte
			for _, workers := range []int{1, 2, 5} {
				out := filepath.Join(dir, "x.nidx")
				_, res := mustBuild(t, Options{Out: out, Inputs: []string{in}, Exclude: []string{x}, N: n, Workers: workers})
				if want == nil {
					want = readAll(t, out)
					if left := res.Manifest.NotIndexed.ExcludedWindows; left == 0 || res.Info.Windows == 0 {
						t.Fatalf("%d windows are excluded, %d are not", left, res.Info.Windows)
					}
				} else if !bytes.Equal(readAll(t, out), want) {
					t.Errorf("%d workers: another file", workers)
				}
			}
		})
	}
}

// TestMergedLedgersEqualOneBuild builds random corpora at once and in shards, which are
// merged in any order and step by step. LEDGER and RECORDS are the same. The corpora
// have common seeds, ids, datasets and text files.
func TestMergedLedgersEqualOneBuild(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 7))
			dir := t.TempDir()
			common := prose(77, 60)
			var inputs []string
			for i := range 9 {
				var b strings.Builder
				name := fmt.Sprintf("%c%d.txt", 'a'+r.IntN(3), i)
				if i%3 > 0 {
					name = fmt.Sprintf("%c%d.jsonl", 'a'+r.IntN(3), i)
					for row := range 1 + r.IntN(30) {
						id := ""
						if r.IntN(2) == 0 {
							id = fmt.Sprintf(`"id":"%d of %d",`, row, i)
						}
						fmt.Fprintf(&b, `{%s"prompt":%q,"completion":%q}`+"\n", id, prose(r.Uint64(), 1+r.IntN(30)), prose(r.Uint64(), 5)+" "+common)
					}
				} else {
					b.WriteString(prose(r.Uint64(), 5+r.IntN(2000)))
				}
				inputs = append(inputs, writeInput(t, filepath.Join(dir, name), b.String()))
			}
			build := func(name string, inputs ...string) string {
				out := filepath.Join(dir, name)
				mustBuild(t, Options{Out: out, Inputs: inputs, Capacity: 40_000, Workers: 1 + r.IntN(3)})
				return out
			}
			whole := build("whole.nidx", inputs...)
			r.Shuffle(len(inputs), func(i, j int) { inputs[i], inputs[j] = inputs[j], inputs[i] })
			var shards []string
			for rest := inputs; len(rest) > 0; {
				n := 1 + r.IntN(min(4, len(rest)))
				long := slices.ContainsFunc(rest[:n], func(path string) bool { return strings.HasSuffix(path, ".jsonl") })
				if !long { // a text may be too short for an index of its own
					n = len(rest)
				}
				shards = append(shards, build(fmt.Sprintf("s%d.nidx", len(shards)), rest[:n]...))
				rest = rest[n:]
			}
			for len(shards) > 1 {
				r.Shuffle(len(shards), func(i, j int) { shards[i], shards[j] = shards[j], shards[i] })
				n := 2 + r.IntN(len(shards)-1)
				out := filepath.Join(dir, fmt.Sprintf("m%d.nidx", len(shards)))
				res, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: shards[:n]})
				if err != nil {
					t.Fatal(err)
				}
				if info, _, err := index.Verify(out); err != nil || *info.Ledger != *res.Info.Ledger {
					t.Fatalf("%+v, the merge says %+v, %v", info, res.Info.Ledger, err)
				}
				shards = append([]string{out}, shards[n:]...)
			}
			if !bytes.Equal(tablesOf(t, shards[0]), tablesOf(t, whole)) {
				t.Error("merged shards have another LEDGER or RECORDS than one build")
			}
		})
	}
}

// TestMergeOfEqualPaths merges indexes whose inputs have the same path: all records are
// named.
func TestMergeOfEqualPaths(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var shards []string
	path := filepath.Join(dir, "a.txt")
	for i := range 3 {
		writeInput(t, path, prose(uint64(i), 300))
		shards = append(shards, filepath.Join(dir, fmt.Sprint(i, ".nidx")))
		mustBuild(t, Options{Out: shards[i], Inputs: []string{path}, Capacity: 2000, Dataset: fmt.Sprint("set ", i)})
	}
	out := filepath.Join(dir, "all.nidx")
	if _, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: shards}); err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	for i := range 3 {
		found := 0
		for _, g := range gramsOf(ix.Spec(), prose(uint64(i), 300), gram.SeedWords) {
			for _, p := range ix.Seeds(nil, g) {
				if r, ok := ix.Record(p); ok && r.ID == "a.txt" && r.Dataset == fmt.Sprint("set ", i) {
					found++
				}
			}
		}
		if found < 148 {
			t.Errorf("%d of 296 grams lead to set %d", found, i)
		}
	}
}

// TestMergeRuns sorts keys that consist of few or many ascending runs.
func TestMergeRuns(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 8))
	for runs := range runsMost + 2 {
		for _, length := range []int{0, 1, 3, 200} {
			var all []uint64
			for range runs {
				run := make([]uint64, r.IntN(length+1))
				for i := range run {
					run[i] = r.Uint64() >> r.IntN(64)
				}
				all = append(all, slices.Sorted(slices.Values(run))...)
			}
			ends := runsOf(all)
			if ends == nil {
				if runs <= runsMost {
					t.Fatalf("%d runs are too many", runs)
				}
				continue
			}
			want := slices.Sorted(slices.Values(all))
			if got, _ := mergeRuns(slices.Clone(all), make([]uint64, len(all)), ends); !slices.Equal(got, want) {
				t.Fatalf("%d runs, ends %d: %v, want %v", runs, ends, got, want)
			}
		}
	}
}
