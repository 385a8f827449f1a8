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
	"noecho/index/corpus"
	"noecho/index/internal/format"
)

// ownersOf returns the ids, datasets and labels of all that have a phrase, sorted.
func ownersOf(t testing.TB, ix *index.Index, text string) string {
	t.Helper()
	p, ok := phraseOf(t, ix, text)
	if !ok {
		return "no phrase"
	}
	subjects, records := ix.Owners(p)
	var all []string
	for _, r := range append(subjects, records...) {
		all = append(all, fmt.Sprintf("%s/%s%v", r.Dataset, r.ID, r.Labels))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// mergeOf merges indexes into a new file.
func mergeOf(t testing.TB, in ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "merged.nidx")
	if _, err := Merge(context.Background(), MergeOptions{Out: out, Inputs: in}); err != nil {
		t.Fatal(err)
	}
	return out
}

func openOf(t testing.TB, path string) *index.Index {
	t.Helper()
	ix, err := index.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix
}

// TestEveryDatasetOfAPhrase: every dataset that has a phrase is known, of one build of two
// datasets, of two indexes together and after a merge, in both orders.
func TestEveryDatasetOfAPhrase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	row := func(id, text string) string {
		return fmt.Sprintf(`{"id":%q,"completion":%q,"prompt":""}`+"\n", id, text)
	}
	in := []string{
		writeInput(t, filepath.Join(dir, "a.jsonl"), row("a1", "ask jo@example.org")+row("a2", "or bo@example.org")+row("a3", "jo@example.org again")),
		writeInput(t, filepath.Join(dir, "b.jsonl"), row("b1", "to jo@example.org")+row("b2", "to jo@example.org")+row("b3", "or al@example.org")),
	}
	var paths []string
	for i, name := range []string{"public", "secret"} {
		paths = append(paths, filepath.Join(dir, name+".nidx"))
		mustBuild(t, Options{Out: paths[i], Inputs: in[i : i+1], Labels: []string{name}, Capacity: 100})
	}
	apart := map[string]string{
		"jo@example.org": "a.jsonl/a1[public] b.jsonl/b1[secret]", "bo@example.org": "a.jsonl/a2[public]", "al@example.org": "b.jsonl/b3[secret]",
	}
	both := map[string]string{"jo@example.org": "a.jsonl/a1[] b.jsonl/b1[]", "bo@example.org": "a.jsonl/a2[]", "al@example.org": "b.jsonl/b3[]"}
	check := func(name string, ix *index.Index, want map[string]string) {
		t.Helper()
		for text, owners := range want {
			if got := ownersOf(t, ix, text); got != owners {
				t.Errorf("%s: %s belongs to %s, want %s", name, text, got, owners)
			}
		}
		if p, _ := phraseOf(t, ix, "jo@example.org"); p.Records != 4 {
			t.Errorf("%s: in %d records", name, p.Records)
		}
	}
	one, _ := mustBuild(t, Options{Out: filepath.Join(dir, "one.nidx"), Inputs: in})
	back, _ := mustBuild(t, Options{Inputs: []string{in[1], in[0]}, Workers: 3})
	check("one build", one, both)
	check("one build, other order", back, both)
	for _, order := range [][]string{{paths[0], paths[1]}, {paths[1], paths[0]}} {
		j, err := index.Join(openOf(t, order[0]), openOf(t, order[1]))
		if err != nil {
			t.Fatal(err)
		}
		check("joined", j, apart)
		check("merged", openOf(t, mergeOf(t, order...)), apart)
	}
	if _, _, err := index.Verify(filepath.Join(dir, "one.nidx")); err != nil {
		t.Error(err)
	}
}

// TestEverySubjectOfAPhrase: every data subject that has an attribute is known, with its own
// labels and those of the build.
func TestEverySubjectOfAPhrase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := writeInput(t, filepath.Join(dir, "a.txt"), prose(1, 50))
	list := func(name, rows string) string {
		return writeInput(t, filepath.Join(dir, name), "id,name,email,city,label\n"+rows)
	}
	build := func(name, label, rows string) string {
		out := filepath.Join(dir, name+".nidx")
		mustBuild(t, Options{Out: out, Inputs: []string{text}, Dataset: name, Labels: []string{label}, Capacity: 100, Subjects: list(name+".csv", rows)})
		return out
	}
	first := build("first", "staff", "p-1,Ann Ray,home@example.org,Berlin,vip\np-2,Bo Ray,home@example.org,Berlin,\np-3,Cy Fox,,Rome,\n")
	second := build("second", "client", "p-3,Cy Fox,cy@example.org,Rome,late\np-9,Di Elm,home@example.org,Rome,\n")
	of := func(ix *index.Index, text, want string) {
		t.Helper()
		if got := ownersOf(t, ix, text); got != want {
			t.Errorf("%s belongs to %s, want %s", text, got, want)
		}
	}
	one := openOf(t, first)
	of(one, "home@example.org", "/p-1[staff vip] /p-2[staff]")
	of(one, "Bo Ray", "/p-2[staff]")
	of(one, "Berlin", "") // it is weak, and belongs to several
	for _, order := range [][]string{{first, second}, {second, first}} {
		j, err := index.Join(openOf(t, order[0]), openOf(t, order[1]))
		if err != nil {
			t.Fatal(err)
		}
		for _, ix := range []*index.Index{j, openOf(t, mergeOf(t, order...))} {
			of(ix, "home@example.org", "/p-1[staff vip] /p-2[staff] /p-9[client]")
			of(ix, "Cy Fox", "/p-3[client late staff]")
			of(ix, "cy@example.org", "/p-3[client late staff]")
			// Two attributes of one subject make each other count, from whichever list they are.
			name, _ := phraseOf(t, ix, "Cy Fox")
			mail, _ := phraseOf(t, ix, "cy@example.org")
			if name.Subject == 0 || name.Subject != mail.Subject {
				t.Errorf("the name belongs to subject %d, the address to %d", name.Subject, mail.Subject)
			}
			if city, ok := phraseOf(t, ix, "Rome"); !ok || !city.Weak || city.Subject != 0 {
				t.Errorf("Rome belongs to several: %+v", city)
			}
		}
	}
}

// TestOwnersAreTheSame: how a corpus is divided into indexes, and in which order they are
// joined or merged, changes neither the owners of a phrase nor any other property but its
// place. The owners are those that a plain reading of the corpus finds.
func TestOwnersAreTheSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		dir := t.TempDir()
		r := rand.New(rand.NewPCG(seed, 5))
		const mails, sets = 12, 5
		var inputs, lists []string
		want := map[string]map[string]struct{}{}
		add := func(mail, owner string) {
			if want[mail] == nil {
				want[mail] = map[string]struct{}{}
			}
			want[mail][owner] = struct{}{}
		}
		for i := range sets {
			var rows strings.Builder
			people := "id,email,city,label\n"
			first := map[string]bool{}
			for k := range 1 + r.IntN(8) {
				mail, person := fmt.Sprintf("u%d@example.org", r.IntN(mails)), fmt.Sprint("p", r.IntN(6))
				fmt.Fprintf(&rows, `{"id":"%d-%d","completion":"%s %s","prompt":""}`+"\n", i, k, strings.ReplaceAll(prose(uint64(k), r.IntN(14)), "\n", " "), mail)
				if !first[mail] {
					add(mail, fmt.Sprintf("%d.jsonl/%d-%d", i, i, k))
				}
				first[mail] = true
				listed := fmt.Sprintf("u%d@example.org", r.IntN(mails))
				people += fmt.Sprintf("%s,%s,Town%d,label%d\n", person, listed, r.IntN(3), i)
				add(listed, "/"+person)
			}
			inputs = append(inputs, writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.jsonl", i)), rows.String()))
			lists = append(lists, writeInput(t, filepath.Join(dir, fmt.Sprintf("%d.csv", i)), people))
		}
		var shards []string
		for i := range sets {
			shards = append(shards, filepath.Join(dir, fmt.Sprint(i, ".nidx")))
			mustBuild(t, Options{Out: shards[i], Inputs: inputs[i : i+1], Subjects: lists[i], Capacity: 400, Workers: 1 + i%3})
		}
		last := ""
		for try := range 6 {
			r.Shuffle(len(shards), func(i, k int) { shards[i], shards[k] = shards[k], shards[i] })
			cut := r.IntN(sets + 1)
			files := shards[:cut:cut] // joined with the merged others, which are merged in two steps
			if rest := shards[cut:]; len(rest) > 0 {
				half := 1 + r.IntN(len(rest))
				step := mergeOf(t, rest[:half]...)
				files = append(files, mergeOf(t, append(rest[half:len(rest):len(rest)], step)...))
			}
			var all []*index.Index
			for _, f := range files {
				all = append(all, openOf(t, f))
			}
			ix, err := index.Join(all...)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for m := range mails {
				mail := fmt.Sprintf("u%d@example.org", m)
				p, ok := phraseOf(t, ix, mail)
				subjects, records := ix.Owners(p)
				owners := map[string]struct{}{}
				for _, o := range append(subjects, records...) {
					owners[o.Dataset+"/"+o.ID] = struct{}{}
				}
				if ok != (want[mail] != nil) || len(owners) != len(subjects)+len(records) || fmt.Sprint(owners) != fmt.Sprint(want[mail]) {
					t.Errorf("seed %d, try %d: %s belongs to %v, want %v", seed, try, mail, owners, want[mail])
				}
				got += fmt.Sprint(mail, ownersOf(t, ix, mail), p.Kind, p.Records, p.Weak, p.Subject == 0, "\n")
			}
			for n := range 3 {
				p, ok := phraseOf(t, ix, fmt.Sprint("Town", n))
				got += fmt.Sprint(n, ok, p.Weak, p.Subject == 0, "\n")
			}
			if last != "" && got != last {
				t.Errorf("seed %d, try %d: %s\nbefore %s", seed, try, got, last)
			}
			last = got
		}
	}
}

// sharedFile returns an index file in which two datasets and two subjects share a phrase.
func sharedFile(t testing.TB) ([]byte, *format.Header) {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "x")
	mustBuild(t, Options{
		Out: out, Inputs: []string{writeInput(t, filepath.Join(dir, "a.txt"), goldenText+" a@b.cd"), writeInput(t, filepath.Join(dir, "b.txt"), "a@b.cd")},
		Subjects: writeInput(t, filepath.Join(dir, "s.csv"), "id,email\np,a@b.cd\nq,a@b.cd\nr,x@y.zz\n"),
	})
	b := readAll(t, out)
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return b, h
}

func sharedPayload(b []byte, h *format.Header) []byte {
	s := h.Sections[h.Find(format.KindShared, 0)]
	return b[s.Offset : s.Offset+s.Length]
}

// TestSharedByHand: the rows of SHARED were computed by hand, except for the hashes.
func TestSharedByHand(t *testing.T) {
	t.Parallel()
	b, h := sharedFile(t)
	got := sharedPayload(b, h)
	// a.txt has twelve words and three of the address, from place 64 on; b.txt begins 64
	// places behind them. Three spellings have a row for the dataset b.txt and one for the
	// subject q.
	want := binary.LittleEndian.AppendUint64(nil, 6)
	want = append(want, make([]byte, 8)...)
	var fingers []uint64
	spec := mustSpec(t)
	for _, text := range []string{"a b cd", "a at b cd", "a at b dot cd"} {
		hash, _ := wordsHash(spec, text)
		fingers = append(fingers, hash.Hi)
	}
	words, _ := 0, 0
	_, words = wordsHash(spec, goldenText+" a@b.cd")
	slices.Sort(fingers)
	for _, f := range fingers {
		want = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(want, f), uint64(64+words+64))
		want = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(want, f), 1<<63|2)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("% x\nwant % x", got, want)
	}
	// No section where nothing can be shared: these files have the bytes of older builds.
	one, _ := mustBuild(t, Options{Inputs: []string{corpus.Stdin}, Stdin: strings.NewReader("a@b.cd"), Corpus: corpus.Options{Format: corpus.Text}})
	for _, s := range one.Files()[0].Info.Sections {
		if s.Name == "SHARED" {
			t.Error("an index of one dataset has SHARED")
		}
	}
}

// Every flipped bit of the section is found, and values that no builder writes are refused
// even if the checksums match.
func TestDamagedShared(t *testing.T) {
	t.Parallel()
	b, h := sharedFile(t)
	s := h.Sections[h.Find(format.KindShared, 0)]
	for i := s.Offset; i < s.End(); i++ {
		b[i] ^= 1 << (i % 8)
		if err := loadBytes(b); !errors.Is(err, format.ErrDamaged) {
			t.Fatalf("byte %d: %v", i, err)
		}
		b[i] ^= 1 << (i % 8)
	}
	le := binary.LittleEndian
	for _, tt := range []struct {
		name   string
		change func(b []byte)
	}{
		{"more rows", func(b []byte) { le.PutUint64(b, 7) }},
		{"reserved", func(b []byte) { b[8] = 1 }},
		{"out of order", func(b []byte) { copy(b[16:32], b[32:48]) }},
		{"fingerprints out of order", func(b []byte) { le.PutUint64(b[16:], 1<<63|1<<62|1<<61) }},
		{"a place of no word", func(b []byte) { le.PutUint64(b[24:], 1<<50) }},
		{"a place in the first gap", func(b []byte) { le.PutUint64(b[24:], 63) }},
		{"no subject", func(b []byte) { le.PutUint64(b[40:], 1<<63) }},
		{"an unknown subject", func(b []byte) { le.PutUint64(b[40:], 1<<63|4) }},
	} {
		bad := bytes.Clone(b)
		tt.change(sharedPayload(bad, h))
		reseal(bad)
		path := writeInput(t, filepath.Join(t.TempDir(), "x"), string(bad))
		_, _, err := index.Verify(path)
		_, merge := Merge(context.Background(), MergeOptions{Out: path + "m", Inputs: []string{path}})
		for _, err := range []error{err, merge, loadBytes(bad)} {
			if !errors.Is(err, format.ErrDamaged) || !strings.Contains(err.Error(), "SHARED") {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	}
	for n := range s.Length {
		if err := format.CheckShared(bytes.NewReader(sharedPayload(b, h)[:n]), n, 1000, 3); err == nil {
			t.Errorf("cut to %d bytes it is valid", n)
		}
	}
}

// FuzzShared: in a payload that passes the check no look-up fails.
func FuzzShared(f *testing.F) {
	b, h := sharedFile(f)
	f.Add(sharedPayload(b, h))
	f.Fuzz(func(t *testing.T, payload []byte) {
		s := h.Sections[h.Find(format.KindShared, 0)]
		bad := append(bytes.Clone(b[:s.Offset]), make([]byte, len(b)-int(s.Offset))...)
		copy(bad[s.Offset:], b[s.Offset:])
		copy(bad[s.Offset:s.Offset+s.Length], payload)
		reseal(bad)
		ix, err := index.Read(bytes.NewReader(bad), int64(len(bad)))
		if err != nil {
			if !errors.Is(err, format.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		defer ix.Close()
		p, ok := phraseOf(t, ix, "a@b.cd")
		if subjects, _ := ix.Owners(p); !ok || len(subjects) == 0 {
			t.Fatal("a subject is lost")
		}
	})
}

// TestIndexWithoutShared opens, verifies, joins and merges indexes of builds that did not
// write SHARED.
func TestIndexWithoutShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths := map[string]string{}
	for i, name := range []string{"a", "b"} {
		in := []string{writeInput(t, filepath.Join(dir, name+"1.txt"), prose(uint64(i), 200)+" jo@example.org"), writeInput(t, filepath.Join(dir, name+"2.txt"), "jo@example.org")}
		paths[name] = filepath.Join(dir, name+".nidx")
		mustBuild(t, Options{Out: paths[name], Inputs: in, Capacity: 1000})
		paths["old "+name] = writeInput(t, filepath.Join(dir, name+"-old.nidx"), string(without(t, readAll(t, paths[name]), format.KindShared, 0)))
		paths["one "+name] = filepath.Join(dir, name+"-one.nidx")
		mustBuild(t, Options{Out: paths["one "+name], Inputs: in[1:], Capacity: 1000, Dataset: "one " + name})
	}
	lacks := func(ix *index.Index) bool {
		return strings.HasPrefix(strings.Join(ix.Files()[0].Lacks, ""), "SHARED: ")
	}
	for name, path := range paths {
		if _, _, err := index.Verify(path); err != nil {
			t.Error(err)
		}
		ix := openOf(t, path)
		if lacks(ix) != strings.HasPrefix(name, "old") {
			t.Errorf("%s lacks %v", name, ix.Files()[0].Lacks)
		}
		want := 2
		if name[0] == 'o' {
			want = 1 // as before: the first place alone
		}
		p, _ := phraseOf(t, ix, "jo@example.org")
		if _, records := ix.Owners(p); len(records) != want {
			t.Errorf("%s: %v", name, records)
		}
	}
	for _, tt := range []struct {
		in    []string
		lacks bool
		want  int
	}{
		{[]string{"a", "b"}, false, 4},
		{[]string{"old a", "old b"}, true, 1},
		{[]string{"one a", "one b"}, false, 2},
		{[]string{"one a", "b"}, false, 3},
		{[]string{"old a", "one b"}, true, 1},
		{[]string{"one b", "old a"}, true, 1},
	} {
		ix := openOf(t, mergeOf(t, paths[tt.in[0]], paths[tt.in[1]]))
		p, _ := phraseOf(t, ix, "jo@example.org")
		if _, records := ix.Owners(p); lacks(ix) != tt.lacks || len(records) != tt.want {
			t.Errorf("%v: lacks %v, %v", tt.in, ix.Files()[0].Lacks, records)
		}
	}
	for _, in := range [][]string{{"a", "old b"}, {"old b", "a"}, {"one a", "old a", "b"}} {
		o := MergeOptions{Out: filepath.Join(dir, "mixed.nidx")}
		for _, name := range in {
			o.Inputs = append(o.Inputs, paths[name])
		}
		_, err := Merge(context.Background(), o)
		if err == nil || !strings.Contains(err.Error(), "its section SHARED is ") {
			t.Errorf("%v: %v", in, err)
		}
		if _, err := os.Stat(o.Out); err == nil {
			t.Error("a merge that failed left a file")
		}
	}
}
