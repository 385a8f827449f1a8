package detect

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"noecho/detect/internal/lane"
	"noecho/ngram"
)

// byWords judges by length: findings of at least so many words get the action.
func byWords(least int, a Action) func(*Finding) Action {
	return func(f *Finding) Action {
		if f.Words >= least {
			return a
		}
		return Observe
	}
}

// TestJudge: a finding that is observed is released, but waits while it may grow. A
// finding whose action rises is withheld from its first word on.
func TestJudge(t *testing.T) {
	t.Parallel()
	long := record + " lima mike november oscar papa quebec romeo"
	set := newPlainSet(10, long)
	words := strings.Fields(long)
	text := "so: " + strings.Join(words[:12], " ") + ". then: " + strings.Join(words, " ") + ". end"
	for _, tt := range []struct {
		name  string
		judge func(*Finding) Action
		want  string
		acts  []Action
	}{
		{"all", nil, "so: ¤. then: ¤. end", []Action{Redact, Redact}},
		{"none", always(Observe), text, []Action{Observe, Observe}},
		{"long ones", byWords(15, Redact), "so: " + strings.Join(words[:12], " ") + ". then: ¤. end", []Action{Observe, Redact}},
		{"block long ones", byWords(15, Block), "so: " + strings.Join(words[:12], " ") + ". then: ¤", []Action{Observe, Block}},
		{"redact, and block long ones", func(f *Finding) Action { return max(Redact, byWords(15, Block)(f)) }, "so: ¤. then: ¤", []Action{Redact, Block}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for cut := range len(text) + 1 {
				d := New(set, spec(10), Config{Judge: tt.judge})
				got, findings := drive(d, text[:cut], text[cut:])
				var acts []Action
				for _, f := range findings {
					acts = append(acts, f.Action)
				}
				if got != tt.want || !slices.Equal(acts, tt.acts) {
					t.Fatalf("cut at %d: %q, actions %v", cut, got, acts)
				}
			}
		})
	}
}

// TestObservedIsNotStuffing: a finding that is only observed and does not end is released
// when no more bytes may wait.
func TestObservedIsNotStuffing(t *testing.T) {
	t.Parallel()
	var words []string
	for i := range 400 {
		words = append(words, fmt.Sprintf("word%d", i))
	}
	text := strings.Join(words, " ")
	set := newPlainSet(10, text)
	got, findings := drive(New(set, spec(10), Config{MaxHeld: 512, Judge: byWords(1000, Redact)}), text)
	if got != text || len(findings) != 1 || findings[0].Kind != Verbatim || findings[0].Words != 400 || findings[0].Action != Observe {
		t.Errorf("%d bytes of %d, %d findings", len(got), len(text), len(findings))
	}
}

// TestExtent: the sentences of a span, or the rest of the channel, are withheld with it.
func TestExtent(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	for _, tt := range []struct{ name, text, sentence, rest string }{
		{"middle", "One. He said: " + record + " twice! Two.", "One. ¤Two.", "One. He said: ¤"},
		{"first", record + ".  Two. Three.", "¤Two. Three.", "¤"},
		{"last", "One?\nNow " + record, "One?\n¤", "One?\nNow ¤"},
		{"lines", "a title\n\n" + record + "\n\nan end", "a title\n\n¤an end", "a title\n\n¤"},
		{"quoted", "One. (\"" + record + ".\") Two.", "One. ¤Two.", "One. (\"¤"},
		{"clean", "One. Two. Three", "One. Two. Three", "One. Two. Three"},
	} {
		for cut := range len(tt.text) + 1 {
			for i, want := range []string{tt.sentence, tt.rest} {
				d := New(set, spec(10), Config{Extent: ExtentSentence + Extent(i)})
				if got, _ := drive(d, tt.text[:cut], tt.text[cut:]); got != want {
					t.Fatalf("%s, cut at %d: %q, want %q", tt.name, cut, got, want)
				}
			}
		}
	}
}

// TestLongSentence: a sentence waits for its end, but not for ever.
func TestLongSentence(t *testing.T) {
	t.Parallel()
	d := New(newPlainSet(10, record), spec(10), Config{Extent: ExtentSentence})
	text := strings.Repeat("nothing ends here, ", 4000)
	got, findings := drive(d, text)
	if got != text || len(findings) != 0 {
		t.Errorf("%d of %d bytes, %d findings", len(got), len(text), len(findings))
	}
}

// marks is a finder that claims the words a test names, each as it comes.
type marks struct {
	d     *Detector
	kinds map[int64]Kind // by word
	held  map[int64]bool // words that wait, and all bytes behind them, until the next word
	wait  int64
	open  []*Finding
	ended int
}

func (m *marks) reset()            { m.wait = math.MaxInt64 }
func (m *marks) Text([]byte)       {}
func (m *marks) Fork() lane.Finder { return nil }
func (m *marks) Waits() int64 {
	return m.wait
}

func (m *marks) Word(i int64, _ ngram.Word) {
	m.wait = math.MaxInt64
	if m.held[i] {
		m.wait = m.d.main.Span(i).Lo
	}
	if k, ok := m.kinds[i]; ok {
		f := &Finding{Kind: k, Words: 1}
		m.d.host.claim(f, m.d.main.Span(i))
		m.open = append(m.open, f)
	}
}

func (m *marks) End() {
	m.ended++
	for _, f := range m.open {
		m.d.host.settle(f)
	}
}

// TestClaims: every byte that a claim or a run covers is withheld, in the name of a
// certain finding before a likely one, and every finding is reported once.
func TestClaims(t *testing.T) {
	t.Parallel()
	text := "one two " + record + " three four five"
	for cut := range len(text) + 1 {
		d := New(newPlainSet(10, record), spec(10), Config{})
		m := &marks{d: d, kinds: map[int64]Kind{1: Near, 4: Phrase, 12: Near, 18: Near, 19: Near}, held: map[int64]bool{1: true}}
		d.main.finders = append(d.main.finders, m)
		m.reset()
		var segments []Segment
		for _, p := range []string{text[:cut], text[cut:]} {
			segments = d.Append(segments, []byte(p))
		}
		segments = d.Finish(segments)
		got := ""
		at := int64(0)
		var last *Finding
		for _, s := range segments {
			if s.Span.Lo != at {
				t.Fatalf("cut at %d: segment at %d, want %d", cut, s.Span.Lo, at)
			}
			at = s.Span.Hi
			if s.Finding == nil {
				got += text[s.Span.Lo:s.Span.Hi]
			} else if k := "<" + s.Finding.Kind.String() + ">"; s.Finding != last {
				got += k
			}
			last = s.Finding
		}
		want := "one <near> <verbatim> <near> <near> five"
		if findings := d.Closed(nil); got != want || len(findings) != 6 || m.ended != 1 {
			t.Fatalf("cut at %d: %q, %d findings, ended %d times", cut, got, len(findings), m.ended)
		}
	}
}

// TestClaimOfWhatLeft: a claim for bytes of which some were released withholds the rest.
func TestClaimOfWhatLeft(t *testing.T) {
	t.Parallel()
	d := New(newPlainSet(10, record), spec(10), Config{})
	segments := d.Append(nil, []byte("one two three "))
	f := &Finding{Kind: Near}
	d.host.claim(f, ngram.Span{Lo: 4, Hi: 18})
	segments = d.Finish(d.Append(segments, []byte("four five")))
	d.host.settle(f)
	var cuts []ngram.Span
	for _, s := range segments {
		if s.Finding != nil {
			cuts = append(cuts, s.Span)
		}
	}
	if want := []ngram.Span{{Lo: 8, Hi: 14}, {Lo: 14, Hi: 18}}; !slices.Equal(cuts, want) || f.Span != (ngram.Span{Lo: 4, Hi: 18}) {
		t.Errorf("withheld %v of %v, want %v", cuts, f.Span, want)
	}
}

// TestLongRecitation: bytes that are withheld do not wait. A recitation longer than the
// bytes that may wait is one finding, in all lanes at once.
func TestLongRecitation(t *testing.T) {
	t.Parallel()
	var words []string
	for i := range 6000 {
		words = append(words, fmt.Sprintf("word%d", i))
	}
	text := strings.Join(words, " ")
	cfg := Config{MaxHeld: 4 << 10, Lanes: AllLanes}
	ix := parts{Set: newPlainSet(10, text), ledger: newPlainLedger(10, text)}
	d := New(ix, spec(10), cfg)
	got, findings := drive(d, "It said: "+text+". That was it.")
	if got != "It said: ¤. That was it." || len(findings) != 1 || findings[0].Kind != Verbatim || findings[0].Words != 6000 {
		t.Errorf("%.80q, %d findings", got, len(findings))
	}
	d.Reset(ix, spec(10), cfg)
	most := int64(0)
	for i := range len(text) {
		d.Append(nil, []byte(text[i:i+1]))
		most = max(most, int64(i)-d.Frontier())
	}
	if most > 512 {
		t.Errorf("%d bytes held", most)
	}
}

// TestRestIsBounded: when the first finding withholds the rest of the channel, the others
// are reported and not kept.
func TestRestIsBounded(t *testing.T) {
	t.Parallel()
	d := New(parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(people())}, spec(10), Config{Extent: ExtentRest})
	var segments []Segment
	var findings []*Finding
	for range 200 {
		segments = d.Append(segments[:0], []byte("ask jo@example.org or "+record+", zebra zebra zebra zebra "))
		findings = d.Closed(findings)
		if len(d.host.list) > 4 {
			t.Fatalf("%d claims are kept behind %d findings", len(d.host.list), len(findings))
		}
	}
	if d.Finish(segments[:0]); len(d.Closed(findings)) != 400 {
		t.Errorf("%d findings", len(findings))
	}
}
