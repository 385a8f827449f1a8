package detect

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/internal/raced"
	"noecho/internal/windowset"
	"noecho/ngram"
)

// plainSet is the oracle's index: every gram of every record in plain maps.
type plainSet struct {
	windowset.Index
	n             int
	two, four, nn map[ngram.Hash]bool
	lie           uint64 // gates say present for one absent gram in lie; 0: never
}

func spec(n int) ngram.Spec {
	s, err := ngram.NewSpec(n, ngram.XXH64)
	if err != nil {
		panic(err)
	}
	return s
}

func newPlainSet(n int, records ...string) *plainSet {
	s := &plainSet{n: n, two: map[ngram.Hash]bool{}, four: map[ngram.Hash]bool{}, nn: map[ngram.Hash]bool{}}
	for _, r := range records {
		p := prefixes(wordsOf(r))
		for i := 0; i+n < len(p); i++ {
			s.nn[ngram.Gram(p[i], p[i+n], n)] = true
			for k := i; k+2 <= i+n; k++ {
				s.two[ngram.Gram(p[k], p[k+2], 2)] = true
			}
			for k := i; k+4 <= i+n; k++ {
				s.four[ngram.Gram(p[k], p[k+4], 4)] = true
			}
		}
	}
	return s
}

func (s *plainSet) Gate2(h ngram.Hash) bool  { return s.two[h] || s.lie > 0 && h.Hi%s.lie == 0 }
func (s *plainSet) Gate4(h ngram.Hash) bool  { return s.four[h] || s.lie > 0 && h.Hi%s.lie == 0 }
func (s *plainSet) Window(h ngram.Hash) bool { return s.nn[h] }

// parts is an index of a set and of any other parts that an index may have.
type parts struct {
	windowset.Set
	ledger  seeder
	phrases phraser
	words   worder
}

type (
	seeder interface {
		Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place
	}
	phraser interface {
		Start(h ngram.Hash) bool
		Phrase(h ngram.Hash) (ngram.Phrase, bool)
	}
	worder interface{ Word(h ngram.Hash) bool }
)

func (p parts) Has() (ledger, phrases, words bool) {
	return p.ledger != nil, p.phrases != nil, p.words != nil
}

func (p parts) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place { return p.ledger.Seeds(dst, h) }
func (p parts) Start(h ngram.Hash) bool                             { return p.phrases.Start(h) }
func (p parts) Phrase(h ngram.Hash) (ngram.Phrase, bool)            { return p.phrases.Phrase(h) }
func (p parts) Word(h ngram.Hash) bool                              { return p.words.Word(h) }

func wordsOf(text string) []ngram.Word {
	sc := ngram.NewScanner(spec(5).Suite)
	return sc.Finish(sc.Append(nil, []byte(text)))
}

func prefixes(words []ngram.Word) []uint64 {
	p := []uint64{0}
	for _, w := range words {
		p = append(p, ngram.Roll(p[len(p)-1], w.Hash))
	}
	return p
}

// truth is the oracle's answer about a channel.
type truth struct {
	acted []bool // by byte of the channel: part of a word that must be withheld
	echo  bool   // some heavy run has an echo part
}

// judge adds to the truth the indexed windows of a list of words, of which those from
// byte 0 to size are the channel's. Only windows with a word of the channel count.
func (s *plainSet) judge(tr *truth, words []ngram.Word, least ngram.Weight, size int64, sent func(ngram.Hash) bool) {
	p := prefixes(words)
	type win struct{ hit, echo bool }
	wins := make([]win, max(0, len(words)-s.n+1))
	for i := range wins {
		h := ngram.Gram(p[i], p[i+s.n], s.n)
		wins[i] = win{s.nn[h], sent(h)}
	}
	for i := 0; i < len(wins); {
		if !wins[i].hit {
			i++
			continue
		}
		j := i
		for j < len(wins) && wins[j].hit {
			j++
		}
		var weight ngram.Weight
		for _, w := range words[i : j-1+s.n] {
			weight += w.Weight
		}
		if weight >= least {
			for k := i; k < j; k++ {
				if wins[k].echo {
					tr.echo = true
					continue
				}
				inside := false
				for _, w := range words[k : k+s.n] {
					inside = inside || w.Span.Hi > 0 && w.Span.Lo < size
				}
				if !inside {
					continue
				}
				for _, w := range words[k : k+s.n] {
					for b := max(0, w.Span.Lo); b < min(size, w.Span.Hi); b++ {
						tr.acted[b] = true
					}
				}
			}
		}
		i = j
	}
}

// oracle judges a channel in every way that the prompt allows.
func (s *plainSet) oracle(text string, least ngram.Weight, messages []string, tail, suffix string) truth {
	tr := truth{acted: make([]bool, len(text))}
	sent := map[ngram.Hash]bool{}
	var lists [][]ngram.Word
	for _, m := range messages {
		w := wordsOf(m)
		lists = append(lists, w)
		p := prefixes(w)
		for i := 0; i+s.n < len(p); i++ {
			sent[ngram.Gram(p[i], p[i+s.n], s.n)] = true
		}
	}
	lists = append(lists, wordsOf(strings.Join(messages, "\n\n"))) // no echo
	is := func(h ngram.Hash) bool { return sent[h] }
	size := int64(len(text))
	own := wordsOf(text)
	s.judge(&tr, own, least, size, is)
	shift := func(words []ngram.Word, by int64) []ngram.Word {
		out := slices.Clone(words)
		for i := range out {
			out[i].Span.Lo += by
			out[i].Span.Hi += by
		}
		return out
	}
	for _, l := range lists {
		for pos := 1; pos <= len(l); pos++ {
			s.judge(&tr, append(shift(l[:pos], -1<<40), own...), least, size, is)
		}
		for pos := 0; pos < len(l); pos++ {
			s.judge(&tr, append(slices.Clone(own), shift(l[pos:], 1<<40)...), least, size, is)
		}
	}
	if tail != "" {
		s.judge(&tr, shift(wordsOf(tail+text), -int64(len(tail))), least, size, is)
	}
	if suffix != "" {
		s.judge(&tr, wordsOf(text+suffix), least, size, is)
	}
	if tail != "" && suffix != "" {
		s.judge(&tr, shift(wordsOf(tail+text+suffix), -int64(len(tail))), least, size, is)
	}
	return tr
}

// outcome is the result of reading a channel.
type outcome struct {
	text     string // released bytes, with ¤ for each mask
	findings []Finding
	acted    []bool
}

func (o outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", o.text)
	for _, f := range o.findings {
		fmt.Fprintf(&b, " %+v", f)
	}
	return b.String()
}

// runPieces reads a channel in the given pieces and checks that segments tile it, that
// none comes before its text, and that no more bytes wait than may.
func runPieces(t testing.TB, d *Detector, pieces []string) outcome {
	t.Helper()
	text := strings.Join(pieces, "")
	out := outcome{acted: make([]bool, len(text))}
	var segments []Segment
	var closed []*Finding
	read := int64(0)
	check := func(from int) {
		for _, s := range segments[from:] {
			if s.Span.Hi > read {
				t.Fatalf("%q: segment %v before its text was read (%d)", text, s.Span, read)
			}
		}
		if len(segments) > 0 && segments[len(segments)-1].Span.Hi != d.Frontier() {
			t.Fatalf("%q: segments end at %v, frontier %d", text, segments[len(segments)-1].Span, d.Frontier())
		}
		if read-d.Frontier() > int64(d.cfg.MaxHeld) {
			t.Fatalf("%d bytes held, at most %d may be", read-d.Frontier(), d.cfg.MaxHeld)
		}
	}
	for _, p := range pieces {
		from := len(segments)
		read += int64(len(p))
		segments = d.Append(segments, []byte(p))
		closed = d.Closed(closed)
		check(from)
	}
	segments = d.Finish(segments)
	closed = d.Closed(closed)
	if d.Frontier() != int64(len(text)) {
		t.Fatalf("%q: frontier %d after Finish", text, d.Frontier())
	}
	pos := int64(0)
	var last *Finding
	var b strings.Builder
	for _, s := range segments {
		if s.Span.Lo != pos || s.Span.Hi <= s.Span.Lo {
			t.Fatalf("%q: segments %v do not tile", text, segments)
		}
		pos = s.Span.Hi
		if s.Finding == nil {
			b.WriteString(text[s.Span.Lo:s.Span.Hi])
			last = nil
			continue
		}
		if s.Finding != last {
			b.WriteString("¤")
		}
		last = s.Finding
		for i := s.Span.Lo; i < s.Span.Hi; i++ {
			out.acted[i] = true
		}
	}
	out.text = b.String()
	for _, f := range closed {
		out.findings = append(out.findings, *f)
	}
	slices.SortStableFunc(out.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Span.Lo, b.Span.Lo), cmp.Compare(a.Span.Hi, b.Span.Hi))
	})
	return out
}

// vocabulary is small, so that runs happen; some words are Japanese.
var vocabulary = strings.Fields("the a of quick brown fox jumps over lazy dog and then sleeps 日 本 語 で す x1 don't caf\u00e9")

func randomText(r *rand.Rand, words int) string {
	var b strings.Builder
	seps := []string{" ", " ", " ", " ", ", ", ".\n", "\n1. ", " - ", " <b>", "</b> ", "&amp;", `\n`, "  \t"}
	for range words {
		b.WriteString(vocabulary[r.IntN(len(vocabulary))])
		b.WriteString(seps[r.IntN(len(seps))])
	}
	return b.String()
}

// scenario is a random corpus and channel.
type scenario struct {
	n        int
	minWords int
	release  Release
	set      *plainSet
	records  []string
	text     string
	messages []string
	tail     string
	suffix   string
}

func randomScenario(seed uint64) scenario {
	r := rand.New(rand.NewPCG(seed, 7))
	s := scenario{n: 5 + r.IntN(4), release: Release(r.IntN(2))}
	s.minWords = s.n + r.IntN(3)*r.IntN(4)
	var records []string
	for range 1 + r.IntN(4) {
		records = append(records, randomText(r, 5+r.IntN(40)))
	}
	s.records = records
	s.set = newPlainSet(s.n, records...)
	s.set.lie = []uint64{0, 2, 5, 20}[r.IntN(4)]
	quote := func() string {
		rec := records[r.IntN(len(records))]
		w := wordsOf(rec)
		lo := r.IntN(len(w))
		hi := min(len(w), lo+1+r.IntN(3*s.n))
		from, to := w[lo].Span.Lo, w[hi-1].Span.Hi
		if r.IntN(4) == 0 {
			to = max(from+1, to-1-int64(r.IntN(3))) // cut inside a word
		}
		return rec[from:to] + []string{"", " ", ". "}[r.IntN(3)]
	}
	var b strings.Builder
	for range r.IntN(6) {
		if r.IntN(2) == 0 {
			b.WriteString(quote())
		} else {
			b.WriteString(randomText(r, r.IntN(8)))
		}
	}
	s.text = strings.ToValidUTF8(b.String(), "")
	if r.IntN(2) == 0 {
		for range r.IntN(3) {
			s.messages = append(s.messages, strings.ToValidUTF8(quote()+[]string{"", randomText(r, 3)}[r.IntN(2)], ""))
		}
		if len(s.messages) > 0 && r.IntN(2) == 0 {
			s.tail = s.messages[len(s.messages)-1]
		}
		if r.IntN(3) == 0 {
			s.suffix = strings.ToValidUTF8(quote(), "")
			s.messages = append(s.messages, s.suffix)
		}
	}
	return s
}

func (s scenario) config() Config {
	cfg := Config{MinWords: s.minWords, Release: s.release}
	if len(s.messages) > 0 {
		p := &Prompt{Tail: []byte(s.tail), Suffix: []byte(s.suffix)}
		for _, m := range s.messages {
			p.Messages = append(p.Messages, NewMessage(s.set, spec(s.n), []byte(m)))
		}
		cfg.Prompt = p
	}
	return cfg
}

// checkScenario compares one scenario with the oracle, for the given pieces.
func checkScenario(t testing.TB, s scenario, pieces ...[]string) {
	t.Helper()
	least := ngram.Weight(max(s.n, s.minWords)) * ngram.WordWeight
	want := s.set.oracle(s.text, least, s.messages, s.tail, s.suffix)
	cfg := s.config()
	d := New(s.set, spec(s.n), cfg)
	whole := runPieces(t, d, []string{s.text})
	// Runs that reach into different messages at once may be taken for one. Then more
	// words are withheld, but only words of indexed windows that were not sent.
	most := want
	if len(s.messages) > 0 {
		most = s.set.oracle(s.text, 0, s.messages, s.tail, s.suffix)
	}
	for _, w := range wordsOf(s.text) {
		for b := w.Span.Lo; b < w.Span.Hi; b++ {
			if want.acted[b] && !whole.acted[b] || whole.acted[b] && !most.acted[b] {
				t.Fatalf("word %q at %d: acted %v, oracle says %v\n%+v\n%v", s.text[w.Span.Lo:w.Span.Hi], w.Span.Lo, whole.acted[b], want.acted[b], s, whole)
			}
		}
	}
	for _, p := range pieces {
		d.Reset(s.set, spec(s.n), cfg)
		got := runPieces(t, d, p)
		if got.String() != whole.String() {
			t.Fatalf("in pieces %q:\n got %v\nwant %v\n%+v", p, got, whole, s)
		}
	}
}

func TestOracle(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Fewer(3000)) {
		s := randomScenario(seed)
		r := rand.New(rand.NewPCG(seed, 9))
		var bytewise, random []string
		for i := range len(s.text) {
			bytewise = append(bytewise, s.text[i:i+1])
		}
		for rest := s.text; rest != ""; {
			n := min(len(rest), 1+r.IntN(20))
			random = append(random, rest[:n])
			rest = rest[n:]
		}
		checkScenario(t, s, bytewise, random)
	}
}
