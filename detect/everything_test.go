package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/internal/raced"
	"noecho/ngram"
)

// mixture is a random corpus, channel and config.
type mixture struct {
	scenario
	index  Index
	cfg    Config
	people []string // phrases that always count
	seed   uint64
}

// mixed returns a mixture: recitations in all spellings, with edits, phrases and
// other words between them.
func mixed(seed uint64) mixture {
	r := rand.New(rand.NewPCG(seed, 23))
	m := mixture{seed: seed}
	s := &m.scenario
	s.n = []int{5, 6, 8, 10}[r.IntN(4)]
	s.minWords = s.n + r.IntN(2)*r.IntN(4)
	s.release = Release(r.IntN(2))
	for i := range 1 + r.IntN(3) {
		switch r.IntN(4) {
		case 0:
			s.records = append(s.records, randomText(r, s.n+r.IntN(30)))
		case 1:
			s.records = append(s.records, laneRecord)
		default:
			text, _ := story(seed*4+uint64(i), s.n+r.IntN(40))
			s.records = append(s.records, text)
		}
	}
	set := newWordSet(s.n, s.records...)
	set.lie = []uint64{0, 3, 20, 200}[r.IntN(4)]
	s.set = set.plainSet
	l := lyingLedger{newPlainLedger(s.n, s.records...), []uint64{2, 7, 1 << 40}[r.IntN(3)]}
	phrases := newPlainPhrases(people())
	phrases.lie = uint64(r.IntN(3) * 4)
	for text, p := range people() {
		if !p.Weak && (p.Subject != 0 || p.Records <= defaultPhraseRecords) {
			m.people = append(m.people, text)
		}
	}
	slices.Sort(m.people)
	s.text = mixedText(r, &m)
	if r.IntN(4) == 0 {
		s.messages = append(s.messages, quoteOf(r, s))
		if r.IntN(2) == 0 {
			s.tail = s.messages[0]
		}
	}
	m.cfg = s.config()
	m.index = parts{set, l, phrases, set}
	m.cfg.Lanes = AllLanes
	m.cfg.Near = NearRule{Words: r.IntN(2) * r.IntN(14), Gap: r.IntN(2) * r.IntN(16)}
	m.cfg.Extent = []Extent{ExtentSpan, ExtentSpan, ExtentSpan, ExtentSentence, ExtentRest}[r.IntN(5)]
	if r.IntN(4) == 0 {
		m.cfg.MaxHeld = 48 + r.IntN(400)
	}
	return m
}

// quoteOf returns a piece of a record, cut inside of a word now and then.
func quoteOf(r *rand.Rand, s *scenario) string {
	rec := s.records[r.IntN(len(s.records))]
	w := wordsOf(rec)
	lo := r.IntN(len(w))
	hi := min(len(w), lo+1+r.IntN(3*s.n))
	to := w[hi-1].Span.Hi
	if r.IntN(8) == 0 {
		to = max(w[lo].Span.Lo+1, to-1-int64(r.IntN(3)))
	}
	return strings.ToValidUTF8(rec[w[lo].Span.Lo:to], "")
}

func mixedText(r *rand.Rand, m *mixture) string {
	var b strings.Builder
	for range 1 + r.IntN(5) {
		switch k := r.IntN(8); k {
		case 0, 1, 2:
			b.WriteString(quoteOf(r, &m.scenario))
		case 3:
			words := strings.Fields(quoteOf(r, &m.scenario) + " " + quoteOf(r, &m.scenario))
			words[r.IntN(len(words))] = "other"
			b.WriteString(strings.Join(words, " "))
		case 4, 5:
			all := spellings(quoteOf(r, &m.scenario))
			names := make([]string, 0, len(all))
			for name := range all {
				names = append(names, name)
			}
			slices.Sort(names)
			b.WriteString(all[names[r.IntN(len(names))]])
		case 6:
			all := make([]string, 0, len(letterGaps))
			for name := range letterGaps {
				all = append(all, name)
			}
			slices.Sort(all)
			b.WriteString(letterGaps[all[r.IntN(len(all))]](r, strings.Fields(quoteOf(r, &m.scenario))))
		default:
			b.WriteString(m.people[r.IntN(len(m.people))] + " " + []string{"Ann", "Berlin", "Bo", "Kim"}[r.IntN(4)])
		}
		b.WriteString([]string{" ", ". ", "\n", " and so on, ", "-\n", "", " 12 34 56 "}[r.IntN(7)])
	}
	return strings.ToValidUTF8(b.String(), "")
}

// randomPieces cuts a text at random.
func randomPieces(r *rand.Rand, text string) []string {
	var out []string
	most := 1 + r.IntN(40)
	for text != "" {
		n := min(len(text), 1+r.IntN(most))
		out = append(out, text[:n])
		text = text[n:]
	}
	return out
}

// known prints the outcome, findings with all fields that a caller can see.
func (o outcome) known() string {
	lines := []string{fmt.Sprintf("%q", o.text)}
	for _, f := range o.findings {
		phrase := ""
		if f.Phrase != nil {
			phrase = fmt.Sprintf("%+v", *f.Phrase)
		}
		lines = append(lines, fmt.Sprint(f.Kind, f.Lane, f.Action, f.Echo, f.Span, f.Words, f.Windows, f.Resumed, f.Digests, f.Places, phrase))
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n")
}

// checkMixture compares a mixture with the oracle, whose bytes must be withheld beside
// any others, and the results of its splits with each other.
func checkMixture(t testing.TB, m mixture) {
	t.Helper()
	r := rand.New(rand.NewPCG(m.seed, 29))
	want := m.set.oracle(m.text, ngram.Weight(max(m.n, m.minWords))*ngram.WordWeight, m.messages, m.tail, m.suffix)

	d := New(m.index, spec(m.n), m.cfg)
	whole := runPieces(t, d, []string{m.text})
	for i, a := range want.acted {
		if a && !whole.acted[i] {
			t.Fatalf("seed %d: byte %d of %q is not withheld\n%s", m.seed, i, m.text, whole.known())
		}
	}
	if m.cfg.MaxHeld > 0 {
		return // the bytes that wait reach the bound at another word if they are cut otherwise
	}
	for k := range 4 {
		pieces := strings.Split(m.text, "")
		if k > 0 {
			pieces = randomPieces(r, m.text)
		}
		d.Reset(m.index, spec(m.n), m.cfg)
		if got := runPieces(t, d, pieces); got.known() != whole.known() {
			t.Fatalf("seed %d, %d: in pieces\n%s\nwhole\n%s\nof %q\nn %d least %d %v held %d extent %d release %d", m.seed, k, got.known(), whole.known(), m.text, m.n, m.minWords, m.cfg.Near, m.cfg.MaxHeld, m.cfg.Extent, m.release)
		}
	}
}

// checkParkedMixture parks a mixture at random bytes. Segments tile, and every byte read
// is decided at a pause. Before the first pause as many bytes of a run are withheld as if
// the text ended there; behind the last pause all of them.
func checkParkedMixture(t testing.TB, m mixture) {
	t.Helper()
	r := rand.New(rand.NewPCG(m.seed, 31))
	least := ngram.Weight(max(m.n, m.minWords)) * ngram.WordWeight
	d := New(m.index, spec(m.n), m.cfg)
	var segments []Segment
	first, last := int64(-1), int64(0)
	at := int64(0)
	for _, p := range randomPieces(r, m.text) {
		segments = d.Append(segments, []byte(p))
		at += int64(len(p))
		if r.IntN(3) > 0 {
			continue
		}
		segments = d.Park(segments)
		if d.Frontier() != at {
			t.Fatalf("seed %d: parked at %d, frontier %d", m.seed, at, d.Frontier())
		}
		if last = at; first < 0 {
			first = at
		}
	}
	segments = d.Finish(segments)
	gone := make([]bool, len(m.text))
	pos := int64(0)
	for _, s := range segments {
		if s.Span.Lo != pos || s.Span.Hi <= s.Span.Lo {
			t.Fatalf("seed %d: %v behind %d", m.seed, s.Span, pos)
		}
		pos = s.Span.Hi
		for i := s.Span.Lo; s.Finding != nil && i < s.Span.Hi; i++ {
			gone[i] = true
		}
	}
	if pos != int64(len(m.text)) {
		t.Fatalf("seed %d: segments end at %d of %d", m.seed, pos, len(m.text))
	}
	if first < 0 {
		first = int64(len(m.text))
	}
	begun := m.set.oracle(m.text[:first], least, m.messages, m.tail, m.suffix)
	all := m.set.oracle(m.text, least, m.messages, m.tail, m.suffix)
	for i := range m.text {
		if i < int(first) && begun.acted[i] && !gone[i] || i >= int(last) && all.acted[i] && !gone[i] {
			t.Fatalf("seed %d: byte %d is not withheld, parked first at %d, last at %d\n%q", m.seed, i, first, last, m.text)
		}
	}
}

// checkJudgedMixture reads a mixture with other actions: findings that are observed
// withhold nothing, and a channel ends before the first finding that is blocked.
func checkJudgedMixture(t testing.TB, m mixture) {
	t.Helper()
	r := rand.New(rand.NewPCG(m.seed, 37))
	m.cfg.MaxHeld = 0
	read := func(judge func(*Finding) Action, pieces []string) (string, []*Finding, *Detector) {
		cfg := m.cfg
		cfg.Judge = judge
		d := New(m.index, spec(m.n), cfg)
		text, found := drive(d, pieces...)
		return text, found, d
	}
	if got, _, _ := read(always(Observe), randomPieces(r, m.text)); got != m.text {
		t.Fatalf("seed %d: observed, %q leaves of %q", m.seed, got, m.text)
	}
	bits := r.Uint64()
	for k, judge := range []func(*Finding) Action{
		always(Block),
		func(f *Finding) Action { return Action(bits >> (2*uint(f.Kind) + uint(f.Lane)%16) % 3) },
		func(f *Finding) Action { return Action(min(f.Words/8, 2)) },
		func(f *Finding) Action { return Action(min(f.Words/8, 1)) },
	} {
		whole, _, _ := read(judge, []string{m.text})
		bytes, _, _ := read(judge, strings.Split(m.text, ""))
		some, found, d := read(judge, randomPieces(r, m.text))
		if whole != bytes || whole != some {
			t.Fatalf("seed %d, judge %d: %q\nin bytes %q\nin pieces %q\nof %q\n%v", m.seed, k, whole, bytes, some, m.text, told(found))
		}
		left := strings.TrimRight(whole, "¤") // one word may complete two findings, and the other one be blocked
		if k == 0 && d.host.blocked != nil && (left == whole || !strings.HasPrefix(m.text, left)) {
			t.Fatalf("seed %d: %q leaves before a block in %q", m.seed, whole, m.text)
		}
	}
}

// TestEverything checks random mixtures, in which everything is looked for at once.
func TestEverything(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Fewer(80)) {
		checkMixture(t, mixed(seed))
		checkParkedMixture(t, mixed(seed))
		checkJudgedMixture(t, mixed(seed))
	}
}

// TestTogether reads mixtures on several goroutines that share an index and a
// prompt: for the race detector.
func TestTogether(t *testing.T) {
	t.Parallel()
	m := mixed(4)
	m.cfg.MaxHeld = 0
	want := runPieces(t, New(m.index, spec(m.n), m.cfg), []string{m.text}).known()
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for range 3 {
				if got := runPieces(t, New(m.index, spec(m.n), m.cfg), strings.SplitAfter(m.text, " ")).known(); got != want {
					t.Errorf("%s\nalone:\n%s", got, want)
				}
			}
		})
	}
}

func FuzzEverything(f *testing.F) {
	f.Add(uint64(1))
	f.Add(uint64(38))
	f.Fuzz(func(t *testing.T, seed uint64) {
		checkMixture(t, mixed(seed))
		checkParkedMixture(t, mixed(seed))
		checkJudgedMixture(t, mixed(seed))
	})
}
