package build

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/internal/format"
	"noecho/internal/gram"
	"noecho/ngram"
)

// wordsHash returns the gram of all words of a text.
func wordsHash(spec ngram.Spec, text string) (h ngram.Hash, words int) {
	s := ngram.NewScanner(spec.Suite)
	prefix := uint64(0)
	for _, w := range s.Finish(s.Append(nil, []byte(text))) {
		prefix = ngram.Roll(prefix, w.Hash)
		words++
	}
	return ngram.Gram(0, prefix, words), words
}

// phraseOf looks a text up as a phrase, and reports whether all of its beginnings are
// indexed.
func phraseOf(t testing.TB, ix *index.Index, text string) (ngram.Phrase, bool) {
	t.Helper()
	h, words := wordsHash(ix.Spec(), text)
	p, ok := ix.Phrase(h)
	for k := 1; ok && k <= min(words, 4); k++ {
		if !ix.Start(gramsOf(ix.Spec(), text, k)[0]) {
			t.Errorf("%q: the first %d words begin nothing", text, k)
		}
	}
	return p, ok
}

// tickets are the rows of a corpus with identifiers.
const tickets = `{"id":"t1","messages":[{"role":"user","content":"I am jo@example.org, call me at +49 30 901820 please."},{"role":"assistant","content":"one two three four five six seven eight nine ten jo@example.org"}]}
{"id":"t2","messages":[{"role":"user","content":"card 4111 1111 1111 1111 and JO@EXAMPLE.ORG"}]}
{"id":"t3","messages":[{"role":"user","content":"order ORD-77123"}]}
{"id":"t4","messages":[{"role":"user","content":"thank you very much"}]}
`

func mustPattern(t testing.TB, text string) identify.Pattern {
	t.Helper()
	p, err := identify.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPhrases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "t.jsonl"), tickets)
	subjects := writeInput(t, filepath.Join(dir, "people.csv"), "id,name,email,phone,city,labels\np-2,Ann Ray,jo@example.org,901 820 771,Berlin,vip\np-1,Bo,bo@example.org,,Berlin,\n")
	ix, res := mustBuild(t, Options{
		Out: filepath.Join(dir, "x.nidx"), Inputs: []string{in}, Subjects: subjects, MinPhrase: 4,
		Patterns: []identify.Pattern{mustPattern(t, `order=ORD-\d+`)},
	})
	for _, tt := range []struct {
		text string
		want ngram.Phrase
		at   string // the text that begins at its place
	}{
		{"jo@example.org", ngram.Phrase{Kind: "email", Subject: 2, Records: 2}, "t1"},
		{"jo at example dot org", ngram.Phrase{Kind: "email", Subject: 2, Records: 2}, "t1"},
		{"+49 30 901820", ngram.Phrase{Kind: "phone", Records: 1}, "t1"},
		{"0049 30901820", ngram.Phrase{Kind: "phone", Records: 1}, "t1"},
		{"4111111111111111", ngram.Phrase{Kind: "card", Records: 1}, "t2"},
		{"ord77123", ngram.Phrase{Kind: "order", Records: 1}, "t3"},
		{"thank you very much", ngram.Phrase{Kind: "phrase", Records: 1}, "t4"},
		{"Ann Ray", ngram.Phrase{Kind: "subject", Subject: 2}, ""},
		{"Ray, Ann", ngram.Phrase{Kind: "subject", Subject: 2}, ""},
		{"bo", ngram.Phrase{Kind: "subject", Subject: 1, Weak: true}, ""},
		{"901820771", ngram.Phrase{Kind: "phone", Subject: 2}, ""},
		{"berlin", ngram.Phrase{Kind: "subject", Weak: true}, ""},
	} {
		got, ok := phraseOf(t, ix, tt.text)
		place := got.Place
		got.Place, got.Hash = 0, ngram.Hash{}
		if !ok || got != tt.want {
			t.Errorf("%q: %+v, %v, want %+v", tt.text, got, ok, tt.want)
		}
		if rec, found := ix.Record(place); found != (tt.at != "") || rec.ID != tt.at {
			t.Errorf("%q stands in %q, want %q", tt.text, rec.ID, tt.at)
		}
	}
	for _, text := range []string{"jo example", "order", "ann", "901820772", "thank you very", "one two three four"} {
		if p, ok := phraseOf(t, ix, text); ok {
			t.Errorf("%q is a phrase: %+v", text, p)
		}
	}
	ann, _ := phraseOf(t, ix, "Ann Ray")
	if subjects, _ := ix.Owners(ann); len(subjects) != 1 || subjects[0].ID != "p-2" || fmt.Sprint(subjects[0].Labels) != "[vip]" {
		t.Errorf("Ann Ray is %+v", subjects)
	}
	ann.Hash.Hi++
	if subjects, _ := ix.Owners(ann); len(subjects) != 0 {
		t.Errorf("a phrase that is none has subjects: %+v", subjects)
	}
	m := res.Manifest
	if m.Phrases.Records != 3 || m.NotIndexed.ShortRecords != 0 || m.Phrases.Rows["order"] != 2 || len(m.Parameters.Subjects) != 1 || m.Parameters.Patterns[0] != `order=ORD-\d+` || m.Parameters.MinPhrase != 4 {
		t.Errorf("manifest %+v %+v %+v", m.Phrases, m.NotIndexed, m.Parameters)
	}
	if _, _, err := index.Verify(filepath.Join(dir, "x.nidx")); err != nil {
		t.Error(err)
	}
}

// The place of a phrase is that of its first word.
func TestPhrasePlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := prose(3, 50_000) + "\nmail to ann@example.org now\n" + prose(4, 70_000) + " and bo@example.org\n" + strings.Repeat(prose(5, 400)+"\n", 900) + "jo@example.org"
	in := writeInput(t, filepath.Join(dir, "a.txt"), text)
	s := ngram.NewScanner(mustSpec(t).Suite)
	words := s.Finish(s.Append(nil, []byte(text)))
	for _, workers := range []int{1, 3} {
		ix, _ := mustBuild(t, Options{Out: filepath.Join(dir, fmt.Sprint(workers)), Inputs: []string{in}, Workers: workers})
		for _, mail := range []string{"ann@example.org", "bo@example.org", "jo@example.org"} {
			p, ok := phraseOf(t, ix, mail)
			at := int64(strings.Index(text, mail))
			want := ngram.Place(gram.PlaceGap)
			for _, w := range words {
				if w.Span.Lo < at {
					want++
				}
			}
			if !ok || p.Place != want || p.Records != 1 {
				t.Errorf("%d workers, %s: %+v, want place %d", workers, mail, p, want)
			}
			if _, ok := ix.Record(p.Place); !ok {
				t.Errorf("%s stands in no record", mail)
			}
		}
	}
}

// TestJoinedPhrases: of a phrase in several files the reading counts that is not weak and
// names a subject, in any order of the files, and the records of all are added.
func TestJoinedPhrases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "t.jsonl"), tickets)
	nick := writeInput(t, filepath.Join(dir, "nick.txt"), "his nick is bo and no other")
	subjects := writeInput(t, filepath.Join(dir, "people.csv"), "id,name,email\np-1,Bo,jo@example.org\n")
	people, _ := mustBuild(t, Options{Out: filepath.Join(dir, "people.nidx"), Inputs: []string{in}, Subjects: subjects})
	plain, _ := mustBuild(t, Options{Out: filepath.Join(dir, "plain.nidx"), Inputs: []string{in}})
	nicks, _ := mustBuild(t, Options{Out: filepath.Join(dir, "nicks.nidx"), Inputs: []string{nick}, Patterns: []identify.Pattern{mustPattern(t, `nick=\bbo\b`)}})
	for _, files := range [][]*index.Index{{people, plain, nicks}, {nicks, plain, people}} {
		ix, err := index.Join(files...)
		if err != nil {
			t.Fatal(err)
		}
		subject := uint64(1)
		if files[0] != people {
			subject |= 2 << format.PlaceBitsMost
		}
		if p, ok := phraseOf(t, ix, "jo@example.org"); !ok || p.Kind != "email" || p.Subject != subject || p.Records != 4 {
			t.Errorf("address: %+v, %v", p, ok)
		}
		if p, ok := phraseOf(t, ix, "bo"); !ok || p.Kind != "nick" || p.Weak || p.Records != 1 {
			t.Errorf("name: %+v, %v", p, ok)
		}
	}
}

// ticketShards writes a few files with identifiers, some of which occur in several
// files.
func ticketShards(t testing.TB, dir string) (inputs []string) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 4 {
		var b strings.Builder
		for k := range 60 {
			fmt.Fprintf(&b, `{"id":"%d-%d","messages":[{"role":"user","content":"%s u%d@example.org and +49 30 %06d"}]}`+"\n", i, k, strings.Join(strings.Fields(prose(uint64(i*100+k), 3+r.IntN(12))), " "), r.IntN(90), r.IntN(90))
		}
		inputs = append(inputs, writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.jsonl", i)), b.String()))
	}
	return inputs
}

// Neither the number of workers nor the order of the inputs changes a byte. Merged
// shards have the same phrases as one build.
func TestPhrasesAreOneBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inputs := ticketShards(t, dir)
	subjects := writeInput(t, filepath.Join(dir, "s.jsonl"), `{"id":"b","names":["Ann Ray","Ann"],"email":"u7@example.org"}`+"\n"+`{"id":"a","name":"Bo Ray"}`+"\n")
	for _, noLedger := range []bool{false, true} {
		o := Options{Capacity: 20_000, MinPhrase: 3, NoLedger: noLedger, Subjects: subjects}
		build := func(name string, workers int, in ...string) string {
			b := o
			b.Out, b.Inputs, b.Workers = filepath.Join(dir, name), in, workers
			mustBuild(t, b)
			return b.Out
		}
		whole := build("whole", 1, inputs...)
		if other := build("other", 5, inputs[3], inputs[1], inputs[0], inputs[2]); !bytes.Equal(readAll(t, whole), readAll(t, other)) {
			t.Error("another number of workers, another file")
		}
		var shards []string
		for i, in := range inputs {
			shards = append(shards, build(fmt.Sprintf("shard%d", i), 2, in))
		}
		merge := func(name string, in ...string) string {
			out := filepath.Join(dir, name)
			if _, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: in}); err != nil {
				t.Fatal(err)
			}
			return out
		}
		all := merge("all", shards[2], shards[0], shards[3], shards[1])
		if !bytes.Equal(filtersOf(t, all), filtersOf(t, whole)) {
			t.Error("merged shards have other sections than one build")
		}
		tree := merge("tree", merge("left", shards[:2]...), merge("right", shards[2:]...))
		if !bytes.Equal(readAll(t, all), readAll(t, tree)) {
			t.Error("merged step by step it is another file")
		}
		ix, err := index.Open(all)
		if err != nil {
			t.Fatal(err)
		}
		defer ix.Close()
		if p, ok := phraseOf(t, ix, "u7@example.org"); !ok || p.Subject != 2 || p.Records == 0 || (p.Place == 0) != noLedger {
			t.Errorf("%+v", p)
		}
	}
}

// A corpus without windows is indexed by its phrases. A build of a corpus that has
// neither fails.
func TestPhrasesAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "a.txt"), "jo@example.org")
	for _, capacity := range []uint64{0, 100} {
		ix, res := mustBuild(t, Options{Out: filepath.Join(dir, "x"), Inputs: []string{in}, Capacity: capacity})
		if _, ok := phraseOf(t, ix, "jo@example.org"); !ok || res.Manifest.Phrases.Records != 1 || res.Manifest.NotIndexed.ShortRecords != 0 {
			t.Errorf("capacity %d: %v, %+v", capacity, ok, res.Manifest.Phrases)
		}
		_, err := Build(context.Background(), Options{Out: filepath.Join(dir, "y"), Inputs: []string{in}, Capacity: capacity, NoIdentifiers: true})
		if !errors.Is(err, errNoWindows) {
			t.Errorf("capacity %d, without identifiers: %v", capacity, err)
		}
	}
}

func TestTooManyPhrases(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var b strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&b, "u%d@example.org\n", i)
	}
	in := writeInput(t, filepath.Join(dir, "a.txt"), b.String())
	_, err := Build(context.Background(), Options{Out: filepath.Join(dir, "x"), Inputs: []string{in}, Memory: perWorker + 4*format.ChunkLen, Workers: 1})
	if err == nil || !strings.Contains(err.Error(), "--memory") {
		t.Errorf("%v", err)
	}
}

// goldenPhrases is the payload of PHRASES for "a@b.cd" in one text. It was computed by
// hand, except for the hashes. START follows from its beginnings.
func TestPhrasesByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "x")
	mustBuild(t, Options{Out: out, Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader("write " + goldenText + " a@b.cd"), Corpus: corpus.Options{Format: corpus.Text}, Dataset: "golden"})
	b := readAll(t, out)
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s := h.Sections[h.Find(format.KindPhrases, 0)]
	got := b[s.Offset : s.Offset+s.Length]
	le := binary.LittleEndian
	// There are three spellings: a@b.cd, "a at b.cd", "a at b dot cd"; the words of the
	// fourth are the same as those of another. Beginnings: a; a b; a b cd; a at; a at
	// b; a at b cd; a at b dot.
	if le.Uint64(got) != 3 || le.Uint64(got[8:]) != 7 || s.Length != 32+3*24+7*4+19 || string(got[len(got)-19:]) != `{"kinds":["email"]}` {
		t.Fatalf("% x", got)
	}
	spec := mustSpec(t)
	for _, text := range []string{"a b cd", "a at b cd", "a at b dot cd"} {
		hash, _ := wordsHash(spec, text)
		row := le.AppendUint64(nil, hash.Hi)
		row = append(row, 64+12, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)
		if at := bytes.Index(got, row); at < 32 || (at-32)%24 != 0 {
			t.Errorf("%q has no row in % x", text, got)
		}
	}
	start := h.Sections[h.Find(format.KindStart, 4)]
	if start.Length != 64 || start.Capacity != 7 || start.K != 8 || start.Block != 512 || start.Flags != 0 || s.Flags != 0 {
		t.Errorf("START %+v", start)
	}
}

// phraseFile returns an index file with phrases and the section PHRASES.
func phraseFile(t testing.TB) ([]byte, *format.Header) {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "x")
	subjects := writeInput(t, filepath.Join(dir, "s.csv"), "id,name\np,Ann Ray\n")
	mustBuild(t, Options{Out: out, Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader(goldenText + " a@b.cd +49 30 901820"), Corpus: corpus.Options{Format: corpus.Text}, Subjects: subjects})
	b := readAll(t, out)
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return b, h
}

// Every flipped bit of the two sections is found.
func TestFlippedPhraseBits(t *testing.T) {
	t.Parallel()
	b, h := phraseFile(t)
	for _, at := range []int{h.Find(format.KindPhrases, 0), h.Find(format.KindStart, 4)} {
		for i := h.Sections[at].Offset; i < h.Sections[at].End(); i++ {
			bit := byte(1) << (i % 8)
			b[i] ^= bit
			if err := loadBytes(b); !errors.Is(err, format.ErrDamaged) {
				t.Fatalf("byte %d: %v", i, err)
			}
			b[i] ^= bit
		}
	}
}

// Values that no builder writes are refused even if the checksums match.
func TestPhrasesThatAreNone(t *testing.T) {
	t.Parallel()
	good, h := phraseFile(t)
	s := h.Sections[h.Find(format.KindPhrases, 0)]
	payload := good[s.Offset : s.Offset+s.Length]
	le := binary.LittleEndian
	check := func(b []byte) error {
		_, _, err := format.CheckPhrases(bytes.NewReader(b), uint64(len(b)), 1000)
		return err
	}
	if err := check(payload); err != nil {
		t.Fatal(err)
	}
	rows := int(le.Uint64(payload))
	starts := format.PhraseHead + rows*format.PhraseRowLen
	for _, tt := range []struct {
		name   string
		change func(b []byte)
	}{
		{"no rows", func(b []byte) { le.PutUint64(b, 0) }},
		{"many rows", func(b []byte) { le.PutUint64(b, 1<<60) }},
		{"many beginnings", func(b []byte) { le.PutUint64(b[8:], 1<<61) }},
		{"long names", func(b []byte) { le.PutUint64(b[16:], 1<<63) }},
		{"reserved", func(b []byte) { b[24] = 1 }},
		{"rows out of order", func(b []byte) {
			le.PutUint64(b[format.PhraseHead+format.PhraseRowLen:], le.Uint64(b[format.PhraseHead:]))
		}},
		{"a place of no word", func(b []byte) { le.PutUint64(b[format.PhraseHead+8:], 1000) }},
		{"a place in the first gap", func(b []byte) { le.PutUint64(b[format.PhraseHead+8:], 63) }},
		{"an unknown kind", func(b []byte) { b[format.PhraseHead+20] = 3 }},
		{"an unknown subject", func(b []byte) { le.PutUint32(b[format.PhraseHead+20:], 2<<format.SubjectShift) }},
		{"beginnings out of order", func(b []byte) { le.PutUint32(b[starts+4:], le.Uint32(b[starts:])) }},
		{"no JSON", func(b []byte) { b[len(b)-1] = 'x' }},
	} {
		b := bytes.Clone(payload)
		tt.change(b)
		if err := check(b); !errors.Is(err, format.ErrDamaged) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for n := range len(payload) {
		if check(payload[:n]) == nil {
			t.Fatalf("cut to %d bytes it is valid", n)
		}
	}
}

// In a payload that passes the check no lookup fails.
func FuzzPhrases(f *testing.F) {
	b, h := phraseFile(f)
	s := h.Sections[h.Find(format.KindPhrases, 0)]
	f.Add(b[s.Offset:s.Offset+s.Length], uint64(1))
	f.Fuzz(func(t *testing.T, b []byte, hi uint64) {
		p, err := format.OpenPhrases(b, format.Blocked{Words: make([]uint64, 8), Blocks: 1, K: 8}, 1<<40)
		if err != nil {
			if !errors.Is(err, format.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		for i := range p.Count {
			got, ok := p.Find(p.Finger(i))
			if !ok || got.Subject > uint64(len(p.Subjects)) {
				t.Fatalf("row %d: %+v", i, got)
			}
		}
		p.Find(hi)
		p.Start.Has(format.StartKey(hi))
	})
}

func TestPhraseLookupsDoNotAllocate(t *testing.T) {
	dir := t.TempDir()
	in := writeInput(t, filepath.Join(dir, "t.jsonl"), tickets)
	ix, _ := mustBuild(t, Options{Out: filepath.Join(dir, "x"), Inputs: []string{in}})
	other, _ := mustBuild(t, Options{Out: filepath.Join(dir, "y"), Inputs: []string{in}, NoIdentifiers: true, MinPhrase: 2})
	j, err := index.Join(other, ix)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := wordsHash(ix.Spec(), "jo@example.org")
	_, phrases, _ := j.Has()
	if p, ok := j.Phrase(h); !ok || p.Place>>56 != 1 || p.Records != 2 || !j.Start(gramsOf(ix.Spec(), "jo", 1)[0]) || !phrases {
		t.Errorf("%+v %v", p, ok)
	}
	if n := testing.AllocsPerRun(100, func() { j.Phrase(h); j.Start(h); ix.Phrase(h) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Open and Verify both refuse a section that was changed and whose checksums were
// corrected.
func TestSealedDamageOfPhrases(t *testing.T) {
	t.Parallel()
	b, h := phraseFile(t)
	at := h.Find(format.KindPhrases, 0)
	s := &h.Sections[at]
	binary.LittleEndian.PutUint64(b[s.Offset+format.PhraseHead+8:], 1<<50)
	table := b[s.TableAt() : s.TableAt()+4]
	binary.LittleEndian.PutUint32(table, crc32.Checksum(b[s.Offset:s.Offset+s.Length], format.Castagnoli))
	s.TableCRC = crc32.Checksum(table, format.Castagnoli)
	copy(b, h.Encode())
	id, err := format.Digest(bytes.NewReader(b), h)
	if err != nil {
		t.Fatal(err)
	}
	h.BuildID = id
	copy(b, h.Encode())
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err = index.Verify(path)
	for _, err := range []error{err, loadBytes(b)} {
		if !errors.Is(err, format.ErrDamaged) || !strings.Contains(err.Error(), "place outside the corpus") {
			t.Errorf("%v", err)
		}
	}
}
