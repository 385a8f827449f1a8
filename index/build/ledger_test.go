package build

import (
	"bytes"
	"cmp"
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

// seedAt is a seed of the oracle with its place.
type seedAt struct {
	finger uint64
	place  ngram.Place
}

// oracle is a simple ledger, for comparison.
type oracle struct {
	spec  ngram.Spec
	seeds map[uint64][]ngram.Place // by fingerprint
	next  ngram.Place
	words []ngram.Place // places of the words of the records that have to be named
	names []string      // name of the record, for each of these words
	all   uint64
	sets  []ngram.Place // at which the datasets begin
}

// simplyKept returns the places of one seed that are kept: of each dataset the first, then
// the lowest of all others. Datasets begin at the places of sets.
func simplyKept(places, sets []ngram.Place) []ngram.Place {
	type ranked struct {
		later int
		place ngram.Place
	}
	var all []ranked
	seen := map[int]bool{}
	for _, p := range slices.Sorted(slices.Values(places)) {
		set := 0
		for i, begin := range sets {
			if begin <= p {
				set = i
			}
		}
		r := ranked{place: p}
		if seen[set] {
			r.later = 1
		}
		seen[set] = true
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Or(a.later-b.later, cmp.Compare(a.place, b.place)) })
	var kept []ngram.Place
	for _, r := range all[:min(len(all), format.SeedPlaces)] {
		kept = append(kept, r.place)
	}
	slices.Sort(kept)
	return kept
}

func newOracle(spec ngram.Spec) *oracle {
	return &oracle{spec: spec, seeds: map[uint64][]ngram.Place{}, next: gram.PlaceGap}
}

// segment adds a segment of a record.
func (o *oracle) segment(name, text string, exclude map[uint64]bool) {
	n := o.spec.N
	words := scanAll(o.spec, []byte(text))
	windows, fives := gramsOf(o.spec, text, n), gramsOf(o.spec, text, gram.SeedWords)
	for i, g := range fives {
		covered, public := false, false
		for j := max(0, i+gram.SeedWords-n); j <= i && j < len(windows); j++ {
			covered = covered || !exclude[windows[j].Lo]
			public = public || exclude[windows[j].Lo]
		}
		if !covered {
			continue
		}
		o.words, o.names = append(o.words, o.next+ngram.Place(i)), append(o.names, name)
		if !public && gram.IsSeed(fives, i) {
			o.seeds[g.Hi>>24] = append(o.seeds[g.Hi>>24], o.next+ngram.Place(i))
			o.all++
		}
	}
	o.next += ngram.Place(len(words)) + gram.PlaceGap
}

// check compares an index with the oracle.
func (o *oracle) check(t *testing.T, ix *index.Index) {
	t.Helper()
	var got []ngram.Place
	kept, full := 0, 0
	for finger, want := range o.seeds {
		if want = simplyKept(want, o.sets); len(want) == format.SeedPlaces {
			full++
		}
		kept += len(want)
		got = ix.Seeds(got[:0], ngram.Hash{Hi: finger<<24 | 0xabcdef})
		if !slices.Equal(got, want) {
			t.Fatalf("fingerprint %010x: places %v, want %v", finger, got, want)
		}
	}
	r := rand.New(rand.NewPCG(1, uint64(len(o.seeds))))
	for range 1000 {
		h := ngram.Hash{Hi: r.Uint64()}
		if got := ix.Seeds(got[:0], h); len(got) != min(format.SeedPlaces, len(o.seeds[h.Hi>>24])) {
			t.Fatalf("places %v of a gram that is no seed", got)
		}
	}
	for i, p := range o.words {
		if rec, ok := ix.Record(p); !ok || rec.ID != o.names[i] {
			t.Fatalf("place %d: record %+v, want %q", p, rec, o.names[i])
		}
	}
	in := ix.Files()[0].Info.Ledger
	if in.Taken != o.all || in.Seeds != uint64(kept) || in.Distinct != uint64(len(o.seeds)) || in.Capped != uint64(full) {
		t.Errorf("info %+v, want %d taken, %d kept, %d distinct, %d capped", in, o.all, kept, len(o.seeds), full)
	}
	if _, ok := ix.Record(o.next); ok {
		t.Errorf("place %d, behind the last one, has a record", o.next)
	}
}

// tablesOf returns the sections of LEDGER and RECORDS of an index file.
func tablesOf(t testing.TB, path string) []byte {
	t.Helper()
	b := readAll(t, path)
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, s := range h.Sections {
		if s.Kind == format.KindLedger || s.Kind == format.KindRecords {
			out = append(out, b[s.Offset:s.End()]...)
		}
	}
	return out
}

// TestLedgerMatchesOracle builds random corpora and compares every place with the
// oracle. The corpora have short texts, repeats, exclusions, ids and text files.
func TestLedgerMatchesOracle(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 9))
			dir := t.TempDir()
			n := []int{10, 5, 6, 7, 13, 40}[seed%6]
			vocabulary := []int{4, 30, 5000}[r.IntN(3)]
			text := func(most int) string {
				var b strings.Builder
				for i := range 1 + r.IntN(most) {
					if i > 0 {
						b.WriteByte(" \n"[r.IntN(2)])
					}
					fmt.Fprintf(&b, "w%d", r.IntN(vocabulary))
				}
				return b.String()
			}
			spec, err := ngram.NewSpec(n, ngram.XXH64)
			if err != nil {
				t.Fatal(err)
			}
			exclude, excluded := map[uint64]bool{}, []string(nil)
			public := text(200)
			if r.IntN(2) == 0 {
				excluded = []string{writeInput(t, filepath.Join(dir, "x", "public.txt"), public)}
				for _, h := range windowsOf(t, spec, public) {
					exclude[h.Lo] = true
				}
			}
			o := newOracle(spec)
			// The paths are sorted.
			rows, path := strings.Builder{}, filepath.Join(dir, "a.jsonl")
			o.sets = append(o.sets, o.next)
			for i := range 150 {
				id, name := "", fmt.Sprintf("%s:%d", filepath.Base(path), i+1)
				if r.IntN(2) == 0 {
					name = fmt.Sprintf("id %d", i)
					id = fmt.Sprintf(`"id":%q,`, name)
				}
				q, a := text(3*n), text(3*n)
				if r.IntN(9) == 0 {
					a += " " + public + " " + text(9)
				}
				o.segment(name, q, exclude)
				o.segment(name, a, exclude)
				fmt.Fprintf(&rows, `{%s"prompt":%q,"completion":%q}`+"\n", id, q, a)
			}
			inputs := []string{writeInput(t, path, rows.String())}
			for i := range 3 {
				s := text(6000) + public + text(300)
				path := writeInput(t, filepath.Join(dir, fmt.Sprintf("b%d.txt", i)), s)
				inputs = append(inputs, path)
				o.sets = append(o.sets, o.next)
				o.segment(filepath.Base(path), s, exclude)
			}
			r.Shuffle(len(inputs), func(i, j int) { inputs[i], inputs[j] = inputs[j], inputs[i] })
			out := filepath.Join(dir, "x.nidx")
			options := Options{Out: out, Inputs: inputs, N: n, Exclude: excluded, Workers: 1 + r.IntN(4), Capacity: uint64(r.IntN(2) * 100_000)}
			ix, res := mustBuild(t, options)
			o.check(t, ix)
			if *res.Info.Ledger != *ix.Files()[0].Info.Ledger {
				t.Errorf("the build says %+v, the index %+v", res.Info.Ledger, ix.Files()[0].Info.Ledger)
			}
			want := readAll(t, out)
			options.Workers, options.Memory = 1, perWorker+4*format.ChunkLen
			mustBuild(t, options)
			if !bytes.Equal(readAll(t, out), want) {
				t.Error("with one worker and little memory it is another file")
			}
		})
	}
}
