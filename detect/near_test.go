package detect

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/detect/internal/track"
	"noecho/internal/gram"
	"noecho/internal/raced"
	"noecho/internal/windowset"
	"noecho/ngram"
)

// plainLedger is the places of seeds in a plain map, as an index keeps them.
type plainLedger map[ngram.Hash][]ngram.Place

// maxPlainPlaces is how many places of a seed are kept.
const maxPlainPlaces = 16

// newPlainLedger makes the ledger of records of at least n words. Record i begins at
// placeOf(i).
func newPlainLedger(n int, records ...string) plainLedger {
	l := plainLedger{}
	for i, r := range records {
		p := prefixes(wordsOf(r))
		if len(p) <= n {
			continue
		}
		grams := gram.All(nil, p, gram.SeedWords)
		for k, h := range grams {
			if gram.IsSeed(grams, k) && len(l[h]) < maxPlainPlaces {
				l[h] = append(l[h], placeOf(i)+ngram.Place(k))
			}
		}
	}
	return l
}

// placeOf is where a record begins in a plain ledger.
func placeOf(record int) ngram.Place { return ngram.Place(record+1) << 20 }

// recordOf is the number of the record at a place.
func recordOf(p ngram.Place) int { return int(p>>20) - 1 }

func (l plainLedger) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	return append(dst, l[h]...)
}

// lyingLedger invents places for one gram in so many, often near those that it invented
// before.
type lyingLedger struct {
	plainLedger
	lie uint64
}

func (l lyingLedger) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	if h.Hi%l.lie == 0 {
		for i := range h.Lo % 20 {
			dst = append(dst, ngram.Place(h.Lo>>(i%8)%64))
		}
	}
	return l.plainLedger.Seeds(dst, h)
}

// longRecord returns words that occur in no other record.
func longRecord(record, words int) []string {
	out := make([]string, words)
	for i := range out {
		out[i] = fmt.Sprintf("%c%s%d", 'a'+i%26, []string{"lo", "mu", "ri"}[i%3], record*1000+i)
	}
	return out
}

// everyCut reads a text whole, cut in two at every byte, and byte by byte, and compares
// the outcomes.
func everyCut(t *testing.T, ix Index, n int, cfg Config, text string) outcome {
	t.Helper()
	d := New(ix, spec(n), cfg)
	whole := runPieces(t, d, []string{text})
	for cut := range len(text) {
		d.Reset(ix, spec(n), cfg)
		if got := runPieces(t, d, []string{text[:cut], text[cut:]}); got.String() != whole.String() {
			t.Fatalf("%q cut at %d:\n got %v\nwant %v", text, cut, got, whole)
		}
	}
	d.Reset(ix, spec(n), cfg)
	if got := runPieces(t, d, strings.Split(text, "")); got.String() != whole.String() {
		t.Fatalf("%q byte by byte:\n got %v\nwant %v", text, got, whole)
	}
	return whole
}

func TestNear(t *testing.T) {
	t.Parallel()
	r := longRecord(0, 60)
	other := longRecord(1, 60)
	text := strings.Join(r, " ")
	set := newPlainSet(10, text, strings.Join(other, " "))
	ledger := newPlainLedger(10, text, strings.Join(other, " "))
	words := func(lo, hi int) string { return strings.Join(r[lo:hi], " ") }
	for _, tt := range []struct {
		name string
		text string
		rule NearRule
		want []string // kind: first and last word of each finding
	}{
		{"nine words and no more", "so " + words(10, 19) + " it goes on and on and on for ever", NearRule{}, nil},
		{"one swapped", "so " + words(10, 19) + " xx " + words(20, 29) + " it ends", NearRule{}, []string{"near"}},
		{"one dropped", "so " + words(10, 18) + " " + words(19, 28) + " it ends", NearRule{}, []string{"near"}},
		{"one inserted", "so " + words(10, 19) + " xx " + words(19, 28) + " it ends", NearRule{}, []string{"near"}},
		{"two halves far apart", "so " + words(10, 19) + strings.Repeat(" xx", 14) + " " + words(20, 29) + " it ends", NearRule{}, nil},
		{"a wider gap", "so " + words(10, 19) + strings.Repeat(" xx", 14) + " " + words(33, 42) + " it ends", NearRule{Gap: 20}, []string{"near"}},
		{"the same words again", "so " + words(10, 19) + " xx " + words(10, 19) + " it ends", NearRule{}, nil},
		{"in another order", "so " + words(20, 29) + " xx " + words(10, 19) + " it ends", NearRule{}, nil},
		{"of two records", "so " + words(10, 19) + " xx " + strings.Join(other[20:29], " ") + " it ends", NearRule{}, nil},
		{"off", "so " + words(10, 19) + " xx " + words(20, 29) + " it ends", NearRule{Off: true}, nil},
		{"too few words for the rule", "so " + words(10, 19) + " xx " + words(20, 29) + " it ends", NearRule{Words: 20}, nil},
		{"enough words for the rule", "so " + words(10, 19) + " xx " + words(20, 29) + " yy " + words(30, 39) + " it ends", NearRule{Words: 20}, []string{"near"}},
		{"verbatim alone", "so " + words(10, 30) + " it ends", NearRule{}, []string{"verbatim"}},
		{"between two runs", "so " + words(10, 22) + " xx " + words(23, 35) + " it ends", NearRule{}, []string{"verbatim", "near", "verbatim"}},
		{"behind a run", "so " + words(10, 22) + " xx " + words(23, 30) + " it ends", NearRule{}, []string{"verbatim", "near"}},
		{"before a run", "so " + words(10, 19) + " xx " + words(20, 28) + " yy " + words(29, 45) + " it ends", NearRule{}, []string{"near", "verbatim"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, release := range []Release{Adaptive, Strict} {
				out := everyCut(t, parts{Set: set, ledger: ledger}, 10, Config{Release: release, Near: tt.rule}, tt.text)
				var kinds []string
				for _, f := range out.findings {
					kinds = append(kinds, f.Kind.String())
					if len(f.Places) != 1 || recordOf(f.Places[0]) != 0 {
						t.Errorf("places %x", f.Places)
					}
				}
				if !slices.Equal(kinds, tt.want) {
					t.Errorf("%v, want %v", out, tt.want)
				}
				if len(tt.want) > 0 && (!strings.HasPrefix(out.text, "so ") || !strings.HasSuffix(out.text, " it ends")) {
					t.Errorf("%q", out.text)
				}
			}
		})
	}
}

// TestNearSpan: a near match reaches from its second seed to the end of its last one, and
// its words are counted.
func TestNearSpan(t *testing.T) {
	t.Parallel()
	r := longRecord(0, 60)
	set := newPlainSet(10, strings.Join(r, " "))
	ledger := newPlainLedger(10, strings.Join(r, " "))
	text := "so " + strings.Join(r[10:19], " ") + " xx " + strings.Join(r[20:29], " ") + " it ends"
	var first, last int64 // from the second seed on; of the last one
	seeds := 0
	w := wordsOf(text)
	p := prefixes(w)
	for i, h := range gram.All(nil, p, gram.SeedWords) {
		if len(ledger[h]) == 0 {
			continue
		}
		if seeds++; seeds == 2 {
			first = w[i].Span.Lo
		}
		last = w[i+gram.SeedWords-1].Span.Hi
	}
	out := everyCut(t, parts{Set: set, ledger: ledger}, 10, Config{}, text)
	if len(out.findings) != 1 {
		t.Fatalf("%v", out)
	}
	f := out.findings[0]
	if want := (ngram.Span{Lo: first, Hi: last}); f.Span != want || f.Words != len(wordsOf(text[first:last])) || len(f.Digests) == 0 {
		t.Errorf("%+v, want %v with %d words", f, want, len(wordsOf(text[first:last])))
	}
	if out.text != text[:first]+"¤"+text[last:] {
		t.Errorf("%q", out.text)
	}
}

// TestNearEcho: words that the client sent are no evidence if some of them are changed;
// words that it did not send are.
func TestNearEcho(t *testing.T) {
	t.Parallel()
	r := longRecord(0, 80)
	set := newPlainSet(10, strings.Join(r, " "))
	ledger := newPlainLedger(10, strings.Join(r, " "))
	words := func(lo, hi int) string { return strings.Join(r[lo:hi], " ") }
	edited := words(10, 18) + " xx " + words(19, 27) + " " + words(28, 36)
	for _, tt := range []struct {
		name     string
		messages []string
		want     int
	}{
		{"nothing sent", nil, 1},
		{"quoted and changed", []string{"tell me of this: " + words(5, 40) + " thanks"}, 0},
		{"other words sent", []string{"tell me of this: " + words(40, 80) + " thanks"}, 1},
		{"words in another order", []string{strings.Join(append(slices.Clone(r[20:40]), r[:20]...), ". xx ")}, 1},
		{"cut over two messages", []string{words(5, 21), words(21, 40)}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Prompt: &Prompt{}}
			for _, m := range tt.messages {
				cfg.Prompt.Messages = append(cfg.Prompt.Messages, NewMessage(set, spec(10), []byte(m)))
			}
			if out := everyCut(t, parts{Set: set, ledger: ledger}, 10, cfg, "so "+edited+" it ends"); len(out.findings) != tt.want {
				t.Errorf("%v", out)
			}
		})
	}
}

// TestNearPark: a chain goes on behind a pause, and the finding says that it resumed.
func TestNearPark(t *testing.T) {
	t.Parallel()
	r := longRecord(0, 60)
	set := newPlainSet(10, strings.Join(r, " "))
	ix := parts{Set: set, ledger: newPlainLedger(10, strings.Join(r, " "))}
	words := func(lo, hi int) string { return strings.Join(r[lo:hi], " ") }
	for _, tt := range []struct {
		name    string
		pieces  []string
		resumed bool
		want    string
	}{
		{"parked inside", []string{"so " + words(10, 19), "|", " xx " + words(20, 29) + " it ends"}, true, "so " + words(10, 19) + "¤ it ends"},
		{"parked behind", []string{"so " + words(10, 19) + " xx " + words(20, 29) + " it", "|", " ends"}, false, ""},
		{"parked before", []string{"so ", "|", words(10, 19) + " xx " + words(20, 29) + " it ends"}, false, ""},
	} {
		got, findings := drive(New(ix, spec(10), Config{}), tt.pieces...)
		if len(findings) != 1 || findings[0].Kind != Near || findings[0].Resumed != tt.resumed {
			t.Errorf("%s: %q, %d findings", tt.name, got, len(findings))
			continue
		}
		if tt.want != "" && got != tt.want || !strings.HasSuffix(got, " it ends") {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}

// TestNearLongGap: words do not wait for others that are many bytes away.
func TestNearLongGap(t *testing.T) {
	t.Parallel()
	r := longRecord(0, 60)
	set := newPlainSet(10, strings.Join(r, " "))
	ix := parts{Set: set, ledger: newPlainLedger(10, strings.Join(r, " "))}
	text := "so " + strings.Join(r[10:19], " ") + " xx " + strings.Repeat(".", 2*track.SeedBytes) + " " + strings.Join(r[20:29], " ") + " it ends"
	d := New(ix, spec(10), Config{})
	whole := runPieces(t, d, []string{text})
	if whole.text != text || len(whole.findings) != 0 {
		t.Errorf("%d of %d bytes, %d findings", len(whole.text), len(text), len(whole.findings))
	}
	d.Reset(ix, spec(10), Config{})
	bare := New(set, spec(10), Config{})
	at := len(text) - 100
	d.Append(nil, []byte(text[:at]))
	bare.Append(nil, []byte(text[:at]))
	if d.Frontier() != bare.Frontier() {
		t.Errorf("%d bytes are held, %d without a ledger", int64(at)-d.Frontier(), int64(at)-bare.Frontier())
	}
}

// TestManyPlaces: words that occur in many records do not hide the record that goes on.
func TestManyPlaces(t *testing.T) {
	t.Parallel()
	common := longRecord(99, 12)
	var records []string
	for i := range 40 {
		own := longRecord(i, 40)
		records = append(records, strings.Join(own[:20], " ")+" "+strings.Join(common, " ")+" "+strings.Join(own[20:], " "))
	}
	set, ledger := newPlainSet(10, records...), newPlainLedger(10, records...)
	own := longRecord(30, 40)
	text := "so " + strings.Join(common[:7], " ") + " and " + strings.Join(common[3:10], " ") + " or " +
		strings.Join(own[3:12], " ") + " xx " + strings.Join(own[13:20], " ") + " it ends"
	out := everyCut(t, parts{Set: set, ledger: ledger}, 10, Config{}, text)
	if len(out.findings) != 1 || out.findings[0].Kind != Near || len(out.findings[0].Places) != 1 || recordOf(out.findings[0].Places[0]) != 30 {
		t.Errorf("%v", out)
	}
	out = everyCut(t, parts{Set: set, ledger: ledger}, 10, Config{}, "so "+strings.Join(own[15:20], " ")+" "+strings.Join(common, " ")+" it ends")
	if len(out.findings) != 1 || out.findings[0].Kind != Verbatim || len(out.findings[0].Places) != 17 || recordOf(out.findings[0].Places[0]) != 30 {
		t.Errorf("%v", out)
	}
}

// nearScenario adds a ledger to a scenario, often one with wrong places.
func nearScenario(seed uint64) (scenario, parts, Config) {
	s := randomScenario(seed)
	r := rand.New(rand.NewPCG(seed, 11))
	cfg := s.config()
	cfg.Near = NearRule{Words: r.IntN(12), Gap: r.IntN(16)}
	l := lyingLedger{newPlainLedger(s.n, s.records...), 1}
	ix := parts{Set: s.set, ledger: l.plainLedger}
	if r.IntN(2) == 0 {
		l.lie = []uint64{1, 2, 7}[r.IntN(3)]
		ix.ledger = l
	}
	return s, ix, cfg
}

// checkNear compares a scenario with the oracle of verbatim runs: their bytes are
// withheld, splits do not matter, and the runs are those found without a ledger.
func checkNear(t testing.TB, s scenario, ix parts, cfg Config, pieces ...[]string) {
	t.Helper()
	want := s.set.oracle(s.text, ngram.Weight(max(s.n, s.minWords))*ngram.WordWeight, s.messages, s.tail, s.suffix)
	d := New(ix, spec(s.n), cfg)
	whole := runPieces(t, d, []string{s.text})
	for i, a := range want.acted {
		if a && !whole.acted[i] {
			t.Fatalf("byte %d of %q is not withheld\n%+v", i, s.text, s)
		}
	}
	d.Reset(windowset.Index{Set: s.set}, spec(s.n), cfg)
	without := runPieces(t, d, []string{s.text})
	var runs []Finding
	for _, f := range whole.findings {
		if f.Kind != Near {
			f.Places = nil
			runs = append(runs, f)
		}
	}
	if got, want := fmt.Sprintf("%+v", runs), fmt.Sprintf("%+v", without.findings); got != want {
		t.Fatalf("%q: runs\n%v, without a ledger\n%v", s.text, got, want)
	}
	for _, p := range pieces {
		d.Reset(ix, spec(s.n), cfg)
		if got := runPieces(t, d, p); got.String() != whole.String() {
			t.Fatalf("in pieces %q:\n got %v\nwant %v\n%+v\n%+v", p, got, whole, s, cfg.Near)
		}
	}
}

// checkParked parks a channel at a byte: every byte is decided then, and only once.
func checkParked(t testing.TB, s scenario, ix parts, cfg Config, at int) {
	t.Helper()
	d := New(ix, spec(s.n), cfg)
	segments := d.Park(d.Append(nil, []byte(s.text[:at])))
	if d.Frontier() != int64(at) {
		t.Fatalf("%q parked at %d: frontier %d", s.text, at, d.Frontier())
	}
	segments = d.Finish(d.Append(segments, []byte(s.text[at:])))
	pos := int64(0)
	for _, g := range segments {
		if g.Span.Lo != pos || g.Span.Hi <= g.Span.Lo {
			t.Fatalf("%q parked at %d: segments %v do not tile", s.text, at, segments)
		}
		pos = g.Span.Hi
	}
	if pos != int64(len(s.text)) {
		t.Fatalf("%q parked at %d: %d bytes decided", s.text, at, pos)
	}
}

func TestNearOracle(t *testing.T) {
	t.Parallel()
	near := 0
	for seed := range uint64(raced.Fewer(2000)) {
		s, ix, cfg := nearScenario(seed)
		r := rand.New(rand.NewPCG(seed, 9))
		var random []string
		for rest := s.text; rest != ""; {
			n := min(len(rest), 1+r.IntN(20))
			random = append(random, rest[:n])
			rest = rest[n:]
		}
		checkNear(t, s, ix, cfg, strings.Split(s.text, ""), random)
		checkParked(t, s, ix, cfg, r.IntN(len(s.text)+1))
		d := New(ix, spec(s.n), cfg)
		for _, f := range runPieces(t, d, []string{s.text}).findings {
			if f.Kind == Near {
				near++
			}
		}
	}
	if near < raced.Fewer(50) {
		t.Errorf("%d near matches in all scenarios", near)
	}
}

func FuzzNear(f *testing.F) {
	f.Add(uint64(1), "the quick brown fox xx jumps over the lazy dog", 3, uint64(2))
	f.Fuzz(func(t *testing.T, seed uint64, text string, cut int, lie uint64) {
		s, ix, cfg := nearScenario(seed)
		s.text += strings.ToValidUTF8(text, "")
		if lie > 0 {
			ix.ledger = lyingLedger{newPlainLedger(s.n, s.records...), lie}
		}
		if len(s.text) >= defaultMaxHeld {
			return // more bytes may wait than there is room for
		}
		cut = min(max(0, cut), len(s.text))
		checkNear(t, s, ix, cfg, []string{s.text[:cut], s.text[cut:]})
		checkParked(t, s, ix, cfg, cut)
	})
}

func TestNearAllocatesNothing(t *testing.T) {
	common := longRecord(99, 12)
	var records []string
	for i := range 40 {
		records = append(records, strings.Join(longRecord(i, 40), " ")+" "+strings.Join(common, " "))
	}
	set, ledger := newPlainSet(10, records...), newPlainLedger(10, records...)
	var ix Index = parts{Set: set, ledger: ledger}
	text := []byte(strings.Repeat("so "+strings.Join(common[:9], " ")+" and "+strings.Join(longRecord(7, 40)[:9], " ")+" it goes on and on with words of no record at all. ", 20))
	d := New(ix, spec(10), Config{})
	dst := make([]Segment, 0, 1<<12)
	if n := testing.AllocsPerRun(20, func() {
		d.Reset(ix, spec(10), Config{})
		out := dst[:0]
		for p := text; len(p) > 0; {
			k := min(7, len(p))
			out = d.Append(out, p[:k])
			p = p[k:]
		}
		for _, s := range d.Finish(out) {
			if s.Finding != nil {
				t.Fatal("something was found")
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestLanesName: a finding of a lane has places like any other, and near matches are found
// there too.
func TestLanesName(t *testing.T) {
	t.Parallel()
	records := []string{
		strings.Join(longRecord(0, 60), " "),
		"the keeper of the old light house wrote down every ship that passed in the night and what the weather " +
			"was like when it came round the point because nobody else would remember them after the winter storms",
		strings.Join(longRecord(2, 60), " "),
	}
	set, ledger := newPlainSet(10, records...), newPlainLedger(10, records...)
	r := strings.Fields(records[1])
	ix := parts{Set: set, ledger: ledger}
	reversed := slices.Clone(r[10:30])
	slices.Reverse(reversed)
	mirrored := []byte(strings.Join(r[10:30], " "))
	slices.Reverse(mirrored)
	edited := []byte(strings.Join(r[10:22], " ") + " other " + strings.Join(r[23:32], " "))
	slices.Reverse(edited)
	for _, tt := range []struct {
		name, text string
		want       Kind
	}{
		{"reversed words", strings.Join(reversed, " "), Verbatim},
		{"reversed text", string(mirrored), Verbatim},
		{"reversed text with an edit", string(edited), Near},
		{"base64", base64.StdEncoding.EncodeToString([]byte(strings.Join(r[10:30], " "))), Verbatim},
	} {
		out := runPieces(t, New(ix, spec(10), Config{Lanes: AllLanes}), []string{"so it goes: " + tt.text + " and that is all of it"})
		found := false
		for _, f := range out.findings {
			found = found || f.Kind == tt.want
			if len(f.Places) != 1 || recordOf(f.Places[0]) != 1 {
				t.Errorf("%s: %v at places %x", tt.name, f.Kind, f.Places)
			}
		}
		if !found {
			t.Errorf("%s: %v", tt.name, out)
		}
	}
}
