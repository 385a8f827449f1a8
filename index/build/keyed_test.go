package build

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/internal/format"
	"noecho/index/key"
	"noecho/internal/gram"
	"noecho/ngram"
)

// testKey returns the key of a secret of 32 equal bytes.
func testKey(t testing.TB, secret byte) *key.Key {
	t.Helper()
	k, err := key.Parse(fmt.Appendf(nil, "%x", bytes.Repeat([]byte{secret}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// buildKeyed builds an index with a key, nil for none, and opens it.
func buildKeyed(t testing.TB, o Options, k *key.Key) *index.Index {
	t.Helper()
	if o.Out == "" {
		o.Out = filepath.Join(t.TempDir(), "out.nidx")
	}
	o.Key = k
	if _, err := Build(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	ix, err := index.OpenKeyed(o.Out, []*key.Key{k})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix
}

// keyedCorpus has identifiers, listed people, short texts, repeated texts and texts of
// several blocks.
func keyedCorpus(t testing.TB, seed uint64) Options {
	t.Helper()
	dir := t.TempDir()
	var rows strings.Builder
	for i := range 60 {
		fmt.Fprintf(&rows, `{"id":"r%d","messages":[{"role":"user","content":"write to p%d@example.org now"},{"role":"assistant","content":%q}]}`+"\n", i, i, prose(seed+uint64(i%50), 8+i))
	}
	people := "id,name,email,city\np-1,Bo Stone,bo@example.net,Berlin\np-2,Ann Ray,ann@example.net,Berlin\n"
	return Options{
		Inputs:   []string{writeInput(t, filepath.Join(dir, "rows.jsonl"), rows.String()), writeInput(t, filepath.Join(dir, "long.txt"), prose(seed, 6_000))},
		Subjects: writeInput(t, filepath.Join(dir, "people.csv"), people), MinPhrase: 4,
		Exclude: []string{writeInput(t, filepath.Join(dir, "licence.txt"), prose(seed+3, 11))},
	}
}

// textsOf are the texts of the inputs of a build.
func textsOf(t testing.TB, o Options) (all []string) {
	t.Helper()
	for _, path := range append(slices.Clone(o.Inputs), o.Subjects) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return all
}

// sameAnswers compares the answers of an index with a key to those of one without. Gates and
// seeds are chosen by the hash, so they may differ where the corpus does not decide them.
func sameAnswers(t testing.TB, plain, keyed *index.Index, text string) {
	t.Helper()
	spec := plain.Spec()
	short := map[int][]ngram.Hash{1: gramsOf(spec, text, 1), 2: gramsOf(spec, text, 2), 3: gramsOf(spec, text, 3), 4: gramsOf(spec, text, 4)}
	gates := map[int]func(ngram.Hash) bool{1: keyed.Word, 2: keyed.Gate2, 4: keyed.Gate4}
	for i, h := range gramsOf(spec, text, spec.N) {
		if got, want := keyed.Window(h), plain.Window(h); got != want {
			t.Fatalf("window %d: %v with a key, %v without", i, got, want)
		} else if !want {
			continue
		}
		for k, gate := range gates {
			for j, g := range short[k][i : i+spec.N-k+1] {
				if !gate(g) {
					t.Fatalf("the window %d is indexed, its %d-gram %d is not", i, k, j)
				}
			}
		}
	}
	for k := 1; k <= gram.MaxPhraseWords; k++ {
		for i, h := range gramsOf(spec, text, k) {
			got, ok := keyed.Phrase(h)
			want, there := plain.Phrase(h)
			if ok != there || got != want {
				t.Fatalf("phrase of %d words at %d: %+v with a key, %+v without", k, i, got, want)
			}
			if !ok {
				continue
			}
			if !keyed.Start(short[min(k, 4)][i]) {
				t.Fatalf("phrase of %d words at %d has no beginning", k, i)
			}
			gotS, gotR := keyed.Owners(got)
			wantS, wantR := plain.Owners(want)
			if fmt.Sprint(gotS, gotR) != fmt.Sprint(wantS, wantR) {
				t.Fatalf("phrase of %d words at %d: owners %v %v with a key, %v %v without", k, i, gotS, gotR, wantS, wantR)
			}
		}
	}
	sameSeeds(t, plain, keyed, gramsOf(spec, text, gram.SeedWords))
}

// sameSeeds checks that of two consecutive places of the corpus each index has one, and that
// a place which both have is in the same record.
func sameSeeds(t testing.TB, plain, keyed *index.Index, grams []ngram.Hash) {
	t.Helper()
	for i, h := range grams {
		got, want := keyed.Seeds(nil, h), plain.Seeds(nil, h)
		if i > 0 && len(got) == 0 && len(want) > 0 && len(keyed.Seeds(nil, grams[i-1])) == 0 && len(plain.Seeds(nil, grams[i-1])) > 0 {
			t.Fatalf("neither seed %d nor the one before has a place", i)
		}
		for _, p := range got {
			a, _ := keyed.Record(p)
			if b, ok := plain.Record(p); !ok || a.ID != b.ID {
				t.Fatalf("seed %d at place %d: record %q with a key, %q without", i, p, a.ID, b.ID)
			}
		}
	}
}

// An index with a key answers as one without, for the texts of the corpus and for others.
func TestKeyedAnswersAlike(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		o := keyedCorpus(t, 100*seed)
		plain, keyed := buildKeyed(t, o, nil), buildKeyed(t, o, testKey(t, byte(seed+1)))
		for _, text := range append(textsOf(t, o), prose(7_000+seed, 2_000), prose(100*seed, 300)+" "+prose(9, 50)) {
			sameAnswers(t, plain, keyed, text)
		}
		p, k := plain.Files()[0], keyed.Files()[0]
		id := testKey(t, byte(seed+1)).ID()
		if p.Info.Suite != "xxh64" || p.Info.KeyID != "" || k.Info.Suite != "siphash" || k.Info.KeyID != fmt.Sprintf("%x", id) || k.Manifest.Parameters.Suite != "siphash" {
			t.Errorf("%+v, %+v", p.Info, k.Info)
		}
		if p.Info.Words != k.Info.Words || p.Info.Windows != k.Info.Windows || p.Manifest.NotIndexed != k.Manifest.NotIndexed {
			t.Errorf("counts %+v, %+v", p.Info, k.Info)
		}
	}
}

// The same corpus, key and options give the same file, whatever the number of workers and
// the rounds; another key gives another one.
func TestKeyedIsDeterministic(t *testing.T) {
	t.Parallel()
	o := keyedCorpus(t, 5)
	var files [][]byte
	for i, k := range []*key.Key{testKey(t, 1), testKey(t, 1), testKey(t, 2)} {
		o.Out, o.Workers = filepath.Join(t.TempDir(), "x.nidx"), 1+i
		o.Memory = int64(o.Workers)*perWorker + 4*format.ChunkLen
		buildKeyed(t, o, k)
		files = append(files, readAll(t, o.Out))
	}
	if !bytes.Equal(files[0], files[1]) || bytes.Equal(files[0], files[2]) {
		t.Error("the file does not depend on the key alone")
	}
}

func TestKeyedNeedsItsKey(t *testing.T) {
	t.Parallel()
	o := keyedCorpus(t, 5)
	o.Out = filepath.Join(t.TempDir(), "x.nidx")
	k := testKey(t, 1)
	buildKeyed(t, o, k)
	for _, keys := range [][]*key.Key{nil, {testKey(t, 2)}, {nil}} {
		_, err := index.OpenKeyed(o.Out, keys)
		if missing, ok := errors.AsType[*key.MissingError](err); !ok || missing.ID != k.ID() {
			t.Errorf("%v: %v", keys, err)
		}
	}
	if _, err := index.Open(o.Out); err == nil {
		t.Error("opened without a key")
	}
	b := readAll(t, o.Out)
	if _, err := index.Read(bytes.NewReader(b), int64(len(b))); err == nil {
		t.Error("read without a key")
	}
	if ix, err := index.Read(bytes.NewReader(b), int64(len(b)), testKey(t, 2), k); err != nil {
		t.Error(err)
	} else {
		ix.Close()
	}
	if info, _, err := index.Verify(o.Out); err != nil || info.Suite != "siphash" {
		t.Errorf("%+v, %v", info, err)
	}
}

// Who has a keyed index without its key cannot tell the words, phrases and texts of the
// corpus from others: neither the tables nor the filters know their hashes, and no word,
// name of a person or digest of an input is written out.
func TestKeyedTellsNothing(t *testing.T) {
	t.Parallel()
	o := keyedCorpus(t, 5)
	o.Out = filepath.Join(t.TempDir(), "x.nidx")
	buildKeyed(t, o, testKey(t, 1))
	b := readAll(t, o.Out)
	o.Out = ""
	plain := buildKeyed(t, o, nil)
	texts := textsOf(t, o)
	for _, canary := range []string{"example", "Stone", "Berlin", "write to", "w4711"} {
		if bytes.Contains(bytes.ToLower(b), []byte(strings.ToLower(canary))) {
			t.Errorf("the index has the text %q", canary)
		}
	}
	for _, digest := range []string{plain.Files()[0].Manifest.CorpusDigest, plain.Files()[0].Manifest.Parameters.Subjects[0], plain.Files()[0].Manifest.Exclusions[0].Digest} {
		if bytes.Contains(b, []byte(digest)) {
			t.Errorf("the index has the digest %s of an input", digest)
		}
	}
	c, err := format.Load(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Free()
	// A thief guesses that there is no key, or takes one of his own.
	for _, guess := range []*key.Key{nil, testKey(t, 2)} {
		asked, hits := map[string]int{}, map[string]int{}
		count := func(filter string, hit bool) {
			asked[filter]++
			if hit {
				hits[filter]++
			}
		}
		for _, text := range texts {
			for k := 1; k <= gram.MaxPhraseWords; k++ {
				for _, h := range gramsOf(plain.Spec(), text, k) {
					h = keyHash(guess, h)
					switch k {
					case 1:
						count("WORDS", c.Words.Has(h.Lo))
					case 2:
						count("GATES/2", c.Gate2.Has(h.Lo))
					case 4:
						count("GATES/4", c.Gate4.Has(h.Lo))
					case gram.SeedWords:
						count("LEDGER", len(c.Tables.Ledger.Seeds(nil, h)) > 0)
					case 10:
						count("WINDOWS", c.Windows.Has(h.Lo))
						count("CONFIRM", c.Confirm.Has(h.Hi))
					}
					if k <= 4 {
						count("START", c.Phrases.Start.Has(format.StartKey(h.Lo)))
					}
					_, ok := c.Phrases.Find(h.Hi)
					count("PHRASES", ok)
				}
			}
		}
		// Of other texts the filters say yes at their rates of false positives. Repeated
		// grams repeat a hit, hence the margin.
		for filter, rate := range map[string]float64{
			"WORDS": 9e-4, "GATES/2": 0.1, "GATES/4": 0.1, "LEDGER": 1e-6, "WINDOWS": 9e-4, "CONFIRM": 2e-6, "START": 9e-4, "PHRASES": 0,
		} {
			if most := rate*float64(asked[filter])*1.5 + 40*rate*60; asked[filter] < 1000 || float64(hits[filter]) > most {
				t.Errorf("%v: %s knows %d of %d grams of the corpus, more than the %.1f of any text", guess, filter, hits[filter], asked[filter], most)
			}
		}
	}
}

// Indexes of several keys answer together as they answer alone, in every order.
func TestKeyedJoin(t *testing.T) {
	t.Parallel()
	var parts []*index.Index
	var texts []string
	for i, k := range []*key.Key{testKey(t, 1), nil, testKey(t, 2), testKey(t, 1)} {
		dir := t.TempDir()
		text := prose(uint64(i), 500)
		row := fmt.Sprintf(`{"id":"own","messages":[{"role":"user","content":%q},{"role":"user","content":"mail me: p%d@example.org or all@example.org"}]}`+"\n", text, i)
		people := writeInput(t, filepath.Join(dir, "people.csv"), fmt.Sprintf("id,email\np-%d,all@example.org\n", i))
		parts = append(parts, buildKeyed(t, Options{Inputs: []string{writeInput(t, filepath.Join(dir, "rows.jsonl"), row)}, Dataset: fmt.Sprint("d", i), Subjects: people}, k))
		texts = append(texts, text)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		order := r.Perm(len(parts))
		var some []*index.Index
		for _, i := range order {
			some = append(some, parts[i])
		}
		ix, err := index.Join(some...)
		if err != nil {
			t.Fatal(err)
		}
		for at, i := range order {
			for _, h := range gramsOf(ix.Spec(), texts[i], ix.Spec().N) {
				if !ix.Window(h) {
					t.Fatalf("order %v: a window of index %d is not found", order, i)
				}
			}
			found := false
			for _, h := range gramsOf(ix.Spec(), texts[i], gram.SeedWords) {
				for _, p := range ix.Seeds(nil, h) {
					rec, ok := ix.Record(p)
					found = found || ok && rec.Dataset == fmt.Sprint("d", i)
				}
			}
			p, ok := phraseOf(t, ix, fmt.Sprintf("p%d@example.org", i))
			rec, _ := ix.Record(p.Place)
			if !found || !ok || rec.Dataset != fmt.Sprint("d", i) {
				t.Fatalf("order %v: index %d at %d: seeds %v, phrase %+v in %+v", order, i, at, found, p, rec)
			}
		}
		p, _ := phraseOf(t, ix, "all@example.org")
		subjects, records := ix.Owners(p)
		if len(subjects) != 4 || len(records) != 4 || subjects[0].ID != fmt.Sprint("p-", order[0]) || p.Records != 4 {
			t.Fatalf("order %v: %+v owned by %v, %v", order, p, subjects, records)
		}
		for _, h := range gramsOf(ix.Spec(), prose(99, 2_000), ix.Spec().N) {
			if ix.Window(h) {
				t.Fatal("a window of no index is found")
			}
		}
		sameKnown(t, ix, texts[order[0]]+" "+prose(99, 300))
		for k, ask := range map[int]func(ngram.Hash) bool{1: ix.Word, 2: ix.Gate2, 4: ix.Gate4} {
			for i, h := range gramsOf(ix.Spec(), prose(99, 300), k) {
				want := false
				for _, part := range parts {
					one := map[int]func(ngram.Hash) bool{1: part.Word, 2: part.Gate2, 4: part.Gate4}[k]
					want = want || one(h)
				}
				if ask(h) != want {
					t.Fatalf("%d-gram %d: %v together, %v alone", k, i, !want, want)
				}
			}
		}
	}
}

// sameKnown checks that Known answers for several grams as Word, Gate2 and Gate4 do for each.
func sameKnown(t *testing.T, ix *index.Index, text string) {
	t.Helper()
	for k, ask := range map[int]func(ngram.Hash) bool{1: ix.Word, 2: ix.Gate2, 4: ix.Gate4} {
		grams := gramsOf(ix.Spec(), text, k)
		for n := 0; len(grams) > 0; n = (n + 7) % 65 {
			some := grams[:min(n, len(grams))]
			grams = grams[len(some):]
			var lower []uint64
			want := uint64(0)
			for i, h := range some {
				lower = append(lower, h.Lo)
				if ask(h) {
					want |= 1 << i
				}
			}
			if got := ix.Known(k, lower); got != want {
				t.Fatalf("%d %d-grams: %b, want %b", len(some), k, got, want)
			}
		}
	}
}

func TestKeyedAllocatesNothing(t *testing.T) {
	o := keyedCorpus(t, 5)
	ix, err := index.Join(buildKeyed(t, o, testKey(t, 1)), buildKeyed(t, o, nil), buildKeyed(t, o, testKey(t, 2)))
	if err != nil {
		t.Fatal(err)
	}
	places := make([]ngram.Place, 0, 100)
	text := textsOf(t, o)[0]
	grams := gramsOf(ix.Spec(), text, 10)[:50]
	if n := testing.AllocsPerRun(5, func() {
		ix.Known(1, []uint64{1, 2, 3})
		for _, h := range grams {
			ix.Gate2(h)
			ix.Gate4(h)
			ix.Window(h)
			ix.Word(h)
			ix.Start(h)
			ix.Phrase(h)
			places = ix.Seeds(places[:0], h)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Shards of one key are merged without the key and equal one build.
func TestKeyedMerge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := testKey(t, 1)
	const capacity = 100_000
	var inputs, shards []string
	for i := range 3 {
		inputs = append(inputs, writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.txt", i)), prose(uint64(i), 20_000)+" p@example.org"))
		shards = append(shards, filepath.Join(dir, fmt.Sprintf("%d.nidx", i)))
		buildKeyed(t, Options{Out: shards[i], Inputs: inputs[i : i+1], Capacity: capacity}, k)
	}
	whole, merged := filepath.Join(dir, "whole.nidx"), filepath.Join(dir, "merged.nidx")
	buildKeyed(t, Options{Out: whole, Inputs: inputs, Capacity: capacity}, k)
	res, err := Merge(context.Background(), MergeOptions{Out: merged, Inputs: shards})
	if err != nil {
		t.Fatal(err)
	}
	if id := k.ID(); res.Info.KeyID != fmt.Sprintf("%x", id) || !bytes.Equal(filtersOf(t, merged), filtersOf(t, whole)) {
		t.Errorf("merged shards differ from one build: %+v", res.Info)
	}
	other, plain := filepath.Join(dir, "other.nidx"), filepath.Join(dir, "plain.nidx")
	buildKeyed(t, Options{Out: other, Inputs: inputs[:1], Capacity: capacity}, testKey(t, 2))
	buildKeyed(t, Options{Out: plain, Inputs: inputs[:1], Capacity: capacity}, nil)
	for path, field := range map[string]string{other: "key id", plain: "hash suite"} {
		_, err := Merge(context.Background(), MergeOptions{Out: merged, Inputs: []string{shards[0], path}})
		if m, ok := errors.AsType[*index.MismatchError](err); !ok || m.Field != field || !strings.Contains(err.Error(), m.Have) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A report of common windows is hashed under the key, and excludes windows of builds with
// that key only.
func TestKeyedReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	common := prose(1, 14)
	var rows strings.Builder
	for i := range 20 {
		fmt.Fprintf(&rows, `{"messages":[{"role":"assistant","content":%q}]}`+"\n", common+" "+prose(uint64(i+10), 20))
	}
	o := Options{Inputs: []string{writeInput(t, filepath.Join(dir, "rows.jsonl"), rows.String())}, Report: filepath.Join(dir, "report.jsonl"), ShowText: true, MaxDocFreq: 10}
	k := testKey(t, 1)
	first := buildKeyed(t, o, k)
	report := string(readAll(t, o.Report))
	windows := gramsOf(first.Spec(), common, 10)
	for _, h := range windows {
		if first.Window(h) || strings.Contains(report, fmt.Sprintf("%016x", h.Lo)) || !strings.Contains(report, fmt.Sprintf("%016x", k.Lo(h.Lo))) {
			t.Error("a common window is indexed, or is not hashed under the key in the report")
		}
	}
	if !strings.Contains(report, strings.Fields(common)[0]) {
		t.Error("the report lacks the text of the windows")
	}
	again := buildKeyed(t, Options{Inputs: o.Inputs, Exclude: []string{o.Report}}, k)
	if again.Window(windows[0]) {
		t.Error("the report excludes nothing")
	}
	for _, wrong := range []*key.Key{nil, testKey(t, 2)} {
		o := Options{Out: filepath.Join(dir, "x.nidx"), Inputs: o.Inputs, Exclude: []string{o.Report}, Key: wrong}
		if _, err := Build(context.Background(), o); err == nil || !strings.Contains(err.Error(), first.Files()[0].Info.KeyID) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}

// FuzzKeyed builds small indexes of any texts with a key and without, which must answer alike.
func FuzzKeyed(f *testing.F) {
	f.Add([]byte("one two three four five six seven eight"), []byte("two three four five six seven"), byte(1))
	f.Add([]byte("jo@example.org\x00a b c d e f g"), []byte("jo@example.org"), byte(7))
	f.Add(binary.LittleEndian.AppendUint64(nil, 77), []byte("人工知能 の 研究 は 長い 歴史 を 持つ"), byte(200))
	f.Fuzz(func(t *testing.T, corpus, asked []byte, secret byte) {
		if len(corpus) > 2_000 || len(asked) > 2_000 {
			return
		}
		o := Options{Inputs: []string{writeInput(t, filepath.Join(t.TempDir(), "a.txt"), string(corpus))}, N: 5, MinPhrase: 2}
		o.Out = filepath.Join(t.TempDir(), "plain.nidx")
		if _, err := Build(context.Background(), o); err != nil {
			return // no text to index
		}
		plain, err := index.Open(o.Out)
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		o.Out = ""
		keyed := buildKeyed(t, o, testKey(t, secret))
		sameAnswers(t, plain, keyed, string(corpus))
		sameAnswers(t, plain, keyed, string(asked))
	})
}
