package detect

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"noecho/internal/raced"
)

const record = "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa"

// drive reads pieces, and parks the channel at a piece "|".
func drive(d *Detector, pieces ...string) (text string, findings []*Finding) {
	var segments []Segment
	var all strings.Builder
	for _, p := range pieces {
		if p == "|" {
			segments = d.Park(segments)
			if d.Frontier() != int64(all.Len()) {
				panic("Park left something undecided")
			}
		} else {
			all.WriteString(p)
			segments = d.Append(segments, []byte(p))
		}
		findings = d.Closed(findings)
	}
	segments = d.Finish(segments)
	findings = d.Closed(findings)
	var b strings.Builder
	var last *Finding
	for _, s := range segments {
		if s.Finding == nil {
			b.WriteString(all.String()[s.Span.Lo:s.Span.Hi])
		} else if s.Finding != last {
			b.WriteString("¤")
		}
		last = s.Finding
	}
	return b.String(), findings
}

func TestPark(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	first := func(n int) string { return strings.Join(words[:n], " ") }
	tests := []struct {
		name    string
		pieces  []string
		want    string
		resumed bool
		count   int
	}{
		{"nothing found", []string{"one two", "|", " three"}, "one two three", false, 0},
		{"decided when parked", []string{first(10), "|"}, "¤", false, 1},
		{"decided and goes on clean", []string{first(10), "|", " zulu x"}, "¤ zulu x", false, 1},
		{"decided and goes on reciting", []string{first(10), "|", " kilo lima x"}, "¤ x", false, 1},
		{"nine left, then resumed", []string{first(9), "|", " juliett kilo x"}, first(9) + "¤ x", true, 1},
		{"cut inside the tenth word", []string{first(9) + " jul", "|", "iett kilo x"}, first(9) + " jul¤ x", true, 1},
		{"resumed with other words", []string{first(9), "|", " zulu x"}, first(9) + " zulu x", false, 0},
		{"parked twice", []string{first(4), "|", " " + strings.Join(words[4:8], " "), "|", " " + strings.Join(words[8:12], " ") + " x"}, first(8) + "¤ x", true, 1},
		{"parked with nothing new", []string{first(5), "|", "|", "|", " x"}, first(5) + " x", false, 0},
		{"the parked word changes", []string{strings.Join(words[:9], " ") + " juliett", "|", "s x"}, "¤s x", false, 1},
	}
	for _, tt := range tests {
		for _, r := range []Release{Adaptive, Strict} {
			d := New(set, spec(10), Config{Release: r})
			got, findings := drive(d, tt.pieces...)
			if got != tt.want || len(findings) != tt.count {
				t.Errorf("%s: got %q with %d findings, want %q with %d", tt.name, got, len(findings), tt.want, tt.count)
			}
			for _, f := range findings {
				if f.Resumed != tt.resumed {
					t.Errorf("%s: resumed %v", tt.name, f.Resumed)
				}
			}
		}
	}
}

// TestParkLeaksLessThanARun: if a channel is parked within a run, fewer words than a run
// has are released, and the words behind the pause are redacted.
func TestParkLeaksLessThanARun(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	for at := range len(record) {
		d := New(set, spec(10), Config{})
		got, findings := drive(d, "start ", record[:at], "|", record[at:], " end")
		left, _, found := strings.Cut(strings.TrimPrefix(got, "start "), "¤")
		if !found || len(findings) != 1 {
			t.Fatalf("parked at %d: %q", at, got)
		}
		if n := len(strings.Fields(left)); n > 10 || n == 10 && strings.HasPrefix(record, left+" ") {
			t.Fatalf("parked at %d: %d words left: %q", at, n, left)
		}
	}
}

// TestParkForgetsTheTry: a pause between any two bytes changes nothing, but that bytes
// before it are released early.
func TestParkForgetsTheTry(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Fewer(400)) {
		s := randomScenario(seed)
		if len(s.messages) > 0 {
			continue
		}
		r := rand.New(rand.NewPCG(seed, 3))
		d := New(s.set, spec(s.n), s.config())
		want := runPieces(t, d, []string{s.text})
		d.Reset(s.set, spec(s.n), s.config())
		var acted []bool
		var segments []Segment
		for rest := s.text; rest != ""; {
			n := min(len(rest), 1+r.IntN(30))
			segments = d.Append(segments, []byte(rest[:n]))
			rest = rest[n:]
			if r.IntN(3) == 0 {
				segments = d.Park(segments)
			}
		}
		segments = d.Finish(segments)
		acted = make([]bool, len(s.text))
		for _, seg := range segments {
			for i := seg.Span.Lo; i < seg.Span.Hi; i++ {
				acted[i] = seg.Finding != nil
			}
		}
		covered := map[int64]bool{}
		for _, f := range d.Closed(nil) {
			for i := f.Span.Lo; i < f.Span.Hi; i++ {
				covered[i] = true
			}
		}
		for i, a := range want.acted {
			if a && !covered[int64(i)] {
				t.Fatalf("seed %d: byte %d of %q is not in any finding", seed, i, s.text)
			}
		}
	}
}

func TestStuffing(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	gap := strings.Repeat(".", 1000)
	text := "start " + strings.Join(words[:6], gap) + gap + strings.Join(words[6:], " ") + " end of it"
	for _, cut := range []int{1, 7, 100, len(text)} {
		d := New(set, spec(10), Config{MaxHeld: 2500})
		var pieces []string
		for rest := text; rest != ""; {
			n := min(cut, len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		out := runPieces(t, d, pieces)
		for _, w := range words {
			if strings.Contains(out.text, w) {
				t.Fatalf("cut %d: %q left: %q", cut, w, out.text)
			}
		}
		kinds := map[Kind]int{}
		for _, f := range out.findings {
			kinds[f.Kind]++
		}
		if kinds[Overflow] == 0 || kinds[Verbatim] != 1 || !strings.HasSuffix(out.text, " end of it") {
			t.Fatalf("cut %d: %v", cut, out)
		}
	}
}

// TestLongWordIsNoStuffing: letters without end are words of 256 bytes.
func TestLongWordIsNoStuffing(t *testing.T) {
	t.Parallel()
	d := New(newPlainSet(10, record), spec(10), Config{})
	out := runPieces(t, d, []string{strings.Repeat("a", 1<<20)})
	if len(out.findings) != 0 || len(out.text) != 1<<20 {
		t.Errorf("%d findings, %d bytes left", len(out.findings), len(out.text))
	}
}

// TestHeldWords: in strict release the full weight of words waits; in adaptive release a
// word is released once a gram behind it is absent.
func TestHeldWords(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	text := "one two three four five six seven eight nine ten eleven twelve "
	for _, tt := range []struct {
		release Release
		want    string // the released text
	}{
		{Strict, "one two three "},
		{Adaptive, "one two three four five six seven eight nine ten eleven "},
	} {
		d := New(set, spec(10), Config{Release: tt.release})
		d.Append(nil, []byte(text))
		if got := text[:d.Frontier()]; got != tt.want {
			t.Errorf("release %v: %q has left, want %q", tt.release, got, tt.want)
		}
	}
}

func TestCleanPathDoesNotAllocate(t *testing.T) {
	set := newPlainSet(10, record)
	text := []byte(strings.Repeat("none of these words is known to the index, alpha bravo apart. ", 40))
	prompt := &Prompt{Messages: []*Message{NewMessage(set, spec(10), text)}, Tail: text}
	cfg := Config{Prompt: prompt}
	d := New(set, spec(10), cfg)
	segments := make([]Segment, 0, 4096)
	if n := testing.AllocsPerRun(20, func() {
		d.Reset(set, spec(10), cfg)
		out := segments[:0]
		for p := text; len(p) > 0; p = p[min(5, len(p)):] {
			out = d.Append(out, p[:min(5, len(p))])
		}
		out = d.Park(out)
		d.Finish(out)
	}); n != 0 {
		t.Errorf("%v allocations a channel, want none", n)
	}
}

func FuzzSplitInvariance(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, []byte{byte(i), 3, 200})
	}
	f.Fuzz(func(t *testing.T, seed uint64, cuts []byte) {
		s := randomScenario(seed)
		var pieces []string
		rest := s.text
		for _, c := range cuts {
			n := min(int(c), len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		checkScenario(t, s, append(pieces, rest))
	})
}

func BenchmarkDetector(b *testing.B) {
	set := newPlainSet(10, record)
	text := []byte(strings.Repeat("none of these words is known to the index, alpha bravo apart. ", 200))
	words := len(wordsOf(string(text)))
	for _, size := range []int{5, 4096} {
		b.Run("piece="+map[int]string{5: "token", 4096: "4KiB"}[size], func(b *testing.B) {
			d := New(set, spec(10), Config{})
			var out []Segment
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				d.Reset(set, spec(10), Config{})
				for p := text; len(p) > 0; p = p[min(size, len(p)):] {
					out = d.Append(out[:0], p[:min(size, len(p))])
				}
				out = d.Finish(out[:0])
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*words), "ns/word")
		})
	}
}

var _ Index = (*plainSet)(nil)

// TestEchoIsReported: words that the client sent are not withheld, and reported.
func TestEchoIsReported(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	sent := strings.Join(words[:12], " ")
	p := &Prompt{Messages: []*Message{NewMessage(set, spec(10), []byte("please repeat: "+sent))}}
	d := New(set, spec(10), Config{Prompt: p})
	got, findings := drive(d, "sure: "+sent+". done and over")
	if got != "sure: "+sent+". done and over" || len(findings) != 1 || !findings[0].Echo || findings[0].Words != 12 {
		t.Errorf("%q, %+v", got, findings)
	}
	// The words behind those that were sent are withheld.
	d.Reset(set, spec(10), Config{Prompt: p})
	got, findings = drive(d, "sure: "+record+" done")
	if strings.Contains(got, words[12]) || !strings.HasPrefix(got, "sure: alpha bravo charlie ¤") {
		t.Errorf("%q, %d findings", got, len(findings))
	}
}

// TestDrip: asking for nine words at a time extracts no more than asking for all.
func TestDrip(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	caught, tries := 0, 0
	for known := 1; known < 10; known++ {
		for from := 0; from+10 <= len(words); from++ {
			prompt := strings.Join(words[from:from+known], " ")
			answer := strings.Join(words[from+known:from+10], " ")
			for _, text := range []string{prompt, "continue: " + prompt, prompt + " <- continue this"} {
				tries++
				m := NewMessage(set, spec(10), []byte(text))
				d := New(set, spec(10), Config{Prompt: &Prompt{Messages: []*Message{m}, Tail: []byte(text)}})
				if got, _ := drive(d, answer); got == "¤" {
					caught++
				}
			}
			// The words before a quotation.
			tries++
			m := NewMessage(set, spec(10), []byte("what stands before: "+answer))
			d := New(set, spec(10), Config{Prompt: &Prompt{Messages: []*Message{m}}})
			if got, _ := drive(d, prompt); got == "¤" {
				caught++
			}
			// A word that begins in the prompt, and fill in the middle.
			tries++
			whole := strings.Join(words[from:from+10], " ")
			cut := len(prompt) - 2
			m = NewMessage(set, spec(10), []byte(whole[:cut]))
			d = New(set, spec(10), Config{Prompt: &Prompt{Messages: []*Message{m}, Tail: []byte(whole[:cut])}})
			if got, _ := drive(d, whole[cut:]); got == "¤" {
				caught++
			}
			if known < 8 {
				tries++
				mid := len(strings.Join(words[from:from+known+2], " ")) - 1
				d = New(set, spec(10), Config{Prompt: &Prompt{Tail: []byte(whole[:cut]), Suffix: []byte(whole[mid:])}})
				if got, _ := drive(d, whole[cut:mid]); got == "¤" {
					caught++
				}
			}
		}
	}
	if caught != tries {
		t.Errorf("%d of %d tries caught", caught, tries)
	}
}

// always gives all findings the same action.
func always(a Action) func(*Finding) Action { return func(*Finding) Action { return a } }

// TestBlock: the first finding is the same however the text is cut, and
// nothing behind it is read.
func TestBlock(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	text := "before it. " + record + " after it."
	for cut := 1; cut <= len(text); cut++ {
		d := New(set, spec(10), Config{Judge: always(Block)})
		var segments []Segment
		for rest := text; rest != ""; {
			n := min(cut, len(rest))
			segments = d.Append(segments, []byte(rest[:n]))
			rest = rest[n:]
		}
		segments = d.Finish(segments)
		findings := d.Closed(nil)
		last := segments[len(segments)-1]
		if len(findings) != 1 || findings[0].Words != 10 || findings[0].Windows != 1 || findings[0].Span != last.Span ||
			last.Finding != findings[0] || text[:last.Span.Lo] != "before it. " {
			t.Fatalf("cut %d: %+v, segments %v", cut, findings, segments)
		}
	}
	// This finding is found because the text ends there.
	m := NewMessage(set, spec(10), []byte("go on: golf hotel india juliett kilo"))
	d := New(set, spec(10), Config{Judge: always(Block), Prompt: &Prompt{Messages: []*Message{m}}})
	segments := d.Finish(d.Append(nil, []byte("it is alpha bravo charlie delta echo foxtrot")))
	if last := segments[len(segments)-1]; last.Finding == nil || last.Span.Lo != 6 {
		t.Errorf("%v", segments)
	}
}

// TestParkInsideTheFirstWord: the positions that the channel may follow are found anew when
// its first word turns out to be longer.
func TestParkInsideTheFirstWord(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	m := NewMessage(set, spec(10), []byte("go on: "+strings.Join(words[:9], " ")))
	d := New(set, spec(10), Config{Prompt: &Prompt{Messages: []*Message{m}}})
	got, findings := drive(d, "jul", "|", "iett", " kilo x")
	if got != "jul¤ x" || len(findings) != 1 || !findings[0].Resumed {
		t.Errorf("%q, %d findings", got, len(findings))
	}
}

// BenchmarkLongPrompt reads one channel with a prompt of a million words of the corpus's
// own vocabulary.
func BenchmarkLongPrompt(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	vocabulary := make([]string, 5000)
	for i := range vocabulary {
		vocabulary[i] = "w" + strconv.Itoa(i*i)
	}
	text := func(n int) string {
		var s strings.Builder
		for range n {
			s.WriteString(vocabulary[int(math.Pow(r.Float64(), 3)*5000)])
			s.WriteByte(' ')
		}
		return s.String()
	}
	set := newPlainSet(10, text(200_000))
	prompt := []byte(text(1_000_000))
	b.Run("message", func(b *testing.B) {
		for b.Loop() {
			NewMessage(set, spec(10), prompt)
		}
	})
	cfg := Config{Prompt: &Prompt{Messages: []*Message{NewMessage(set, spec(10), prompt)}}}
	answer := []byte(text(20))
	d := New(set, spec(10), cfg)
	b.Run("channel", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			d.Reset(set, spec(10), cfg)
			d.Finish(d.Append(nil, answer))
		}
	})
}
