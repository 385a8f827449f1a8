package detect

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"noecho/index"
	"noecho/index/build"
	"noecho/internal/raced"
	"noecho/ngram"
)

// ends tells how a channel ends, as Config.Cut.
func ends(cut, known bool) func() (bool, bool) {
	return func() (bool, bool) { return cut, known }
}

// promptOf returns a prompt of some messages.
func promptOf(set Index, messages []string) *Prompt {
	p := &Prompt{}
	for _, m := range messages {
		p.Messages = append(p.Messages, NewMessage(set, spec(10), []byte(m)))
	}
	return p
}

// TestCut: the last word of a text that is cut off is withheld behind a withheld span and
// behind words that are close to a run.
func TestCut(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, record)
	words := strings.Fields(record)
	first := func(n int) string { return strings.Join(words[:n], " ") }
	tests := []struct {
		name     string
		text     string
		whole    string // if the last word is complete
		cut      string // if the text is cut off
		messages []string
	}{
		{name: "clean", text: "one two thr", whole: "one two thr", cut: "one two thr"},
		{name: "one word", text: "al", whole: "al", cut: "al"},
		{name: "eight words are a beginning", text: "so " + first(7) + " hot", whole: "so " + first(7) + " hot", cut: "so " + first(7) + " hot"},
		{name: "behind eight words", text: "so " + first(8) + " ind", whole: "so " + first(8) + " ind", cut: "so " + first(8) + " ¤"},
		{name: "behind nine words", text: "so " + first(9) + " jul", whole: "so " + first(9) + " jul", cut: "so " + first(9) + " ¤"},
		{name: "a complete word all the same", text: first(8) + " india", whole: first(8) + " india", cut: first(8) + " ¤"},
		{name: "behind a finding", text: "so " + first(12) + " mik", whole: "so ¤ mik", cut: "so ¤"},
		{name: "behind a finding and a stop", text: first(12) + ".mik", whole: "¤.mik", cut: "¤"},
		{name: "a word between", text: first(12) + " but mik", whole: "¤ but mik", cut: "¤ but mik"},
		{name: "behind a boundary", text: first(12) + " mik ", whole: "¤ mik ", cut: "¤ mik "},
		{name: "the tenth word", text: first(10), whole: "¤", cut: "¤"},
		{name: "other words between", text: first(8) + " and ind", whole: first(8) + " and ind", cut: first(8) + " and ind"},
		{name: "an open entity", text: first(8) + " ind&am", whole: first(8) + " ind&am", cut: first(8) + " ¤"},
		{name: "the caller sent more", text: first(8) + " ind", whole: first(8) + " ind", cut: first(8) + " ind", messages: []string{"x " + first(12) + " y"}},
		{name: "the caller sent all of it", text: first(12) + " mik", whole: first(12) + " mik", cut: first(12) + " mik", messages: []string{record}},
		{name: "the caller sent as much", text: first(8) + " ind", whole: first(8) + " ind", cut: first(8) + " ind", messages: []string{first(8) + " ind"}},
		{name: "the caller sent less", text: first(8) + " ind", whole: first(8) + " ind", cut: first(8) + " ¤", messages: []string{first(8)}},
		{name: "the caller sent the words before", text: first(12) + " mik", whole: first(12) + " mik", cut: first(12) + " ¤", messages: []string{first(12)}},
	}
	for _, tt := range tests {
		for at := range len(tt.text) + 1 {
			for i, want := range []string{tt.whole, tt.cut} {
				p := promptOf(set, tt.messages)
				d := New(set, spec(10), Config{Cut: ends(i > 0, true), Prompt: p})
				if got, _ := drive(d, tt.text[:at], tt.text[at:]); got != want {
					t.Fatalf("%s, split at %d, cut %v: %q, want %q", tt.name, at, i > 0, got, want)
				}
			}
		}
		// Nobody knows yet how the text ends. The word waits, and is decided once it is known.
		for i, want := range []string{tt.whole, tt.cut} {
			known := false
			p := promptOf(set, tt.messages)
			d := New(set, spec(10), Config{Prompt: p, Cut: func() (bool, bool) { return i > 0, known }})
			segments := d.Park(d.Append(nil, []byte(tt.text)))
			waits := d.Frontier() < int64(len(tt.text))
			if waits != (tt.whole != tt.cut) {
				t.Errorf("%s: decided to %d of %d", tt.name, d.Frontier(), len(tt.text))
			}
			known = true
			segments = d.Finish(segments)
			if got := masked(tt.text, segments); got != want {
				t.Errorf("%s, decided later, cut %v: %q, want %q", tt.name, i > 0, got, want)
			}
		}
	}
}

// masked returns a text with a mask for each finding in it.
func masked(text string, segments []Segment) string {
	var b strings.Builder
	var last *Finding
	for _, s := range segments {
		if s.Finding == nil {
			b.WriteString(text[s.Span.Lo:s.Span.Hi])
		} else if s.Finding != last {
			b.WriteString("¤")
		}
		last = s.Finding
	}
	return b.String()
}

// TestCutAnywhere: of a record that is cut off after any byte, at most n-1 words in a row
// leave, and no part of a word leaves behind a mask or behind n-2 words, however the text
// arrives. Behind another text and in two channels the same holds.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Fewer(150)) {
		r := rand.New(rand.NewPCG(seed, 31))
		n := 6 + r.IntN(7)
		text := ticket(r, n+2+r.IntN(20))
		set := newPlainSet(n, text)
		starts := map[string]bool{}
		for _, w := range ngram.NewScanner(spec(n).Suite).Append(nil, []byte(text+" ")) {
			starts[text[w.Span.Lo:w.Span.Hi]] = true
		}
		for cut := 1; cut <= len(text); cut++ {
			if !utf8.ValidString(text[:cut]) {
				continue
			}
			before := []string{"", "And so: "}[r.IntN(2)]
			d := New(set, spec(n), Config{Cut: ends(true, true), Release: Release(r.IntN(2))})
			want, _ := drive(d, before+text[:cut])
			d.Reset(set, spec(n), d.cfg)
			if got, _ := drive(d, randomPieces(r, before+text[:cut])...); got != want {
				t.Fatalf("n %d: %q in pieces: %q, in one: %q", n, text[:cut], got, want)
			}
			checkCut(t, n, text[:cut], strings.TrimPrefix(want, before), starts)
		}
	}
}

// checkCut checks what left of a record that was cut off.
func checkCut(t *testing.T, n int, text, left string, words map[string]bool) {
	t.Helper()
	found := ngram.NewScanner(spec(n).Suite)
	list := found.Finish(found.Append(nil, []byte(left)))
	if len(list) >= n {
		t.Fatalf("n %d: %d words of %q left: %q", n, len(list), text, left)
	}
	if len(list) == 0 {
		return
	}
	last := list[len(list)-1]
	if mask := strings.Index(left, "¤"); mask >= 0 && int(last.Span.Hi) > mask {
		t.Fatalf("n %d: words behind the mask of %q: %q", n, text, left)
	}
	if len(list) > n-2 && !words[left[last.Span.Lo:last.Span.Hi]] {
		t.Fatalf("n %d: a part of a word left of %q: %q", n, text, left)
	}
}

var (
	ticketNames = strings.Fields("Anna Geisismann Jörg Weißbach Marie-Claire O'Neill Zoltán Szabó Priya Venkataraman Müller Åkerlund")
	ticketWords = strings.Fields("order parcel arrived damaged refund invoice charged twice please send replacement router blinking since Tuesday account locked password reset contract cancel moving address phone")
)

// ticket returns a made-up record of words, names, numbers and addresses.
func ticket(r *rand.Rand, words int) string {
	var b strings.Builder
	for range words {
		switch r.IntN(8) {
		case 0:
			b.WriteString(ticketNames[r.IntN(len(ticketNames))])
		case 1:
			fmt.Fprint(&b, 10+r.IntN(90000))
		case 2:
			fmt.Fprintf(&b, "%s.%d@example.net", strings.ToLower(ticketNames[r.IntN(len(ticketNames))]), r.IntN(100))
		default:
			fmt.Fprintf(&b, "%s%d", ticketWords[r.IntN(len(ticketWords))], r.IntN(50))
		}
		b.WriteString([]string{" ", " ", " ", ", ", ". ", "\n"}[r.IntN(6)])
	}
	return strings.TrimSpace(b.String())
}

// TestCutTickets asks for 1 to 80 tokens of three tickets, as a caller would who reads a
// record by its cut ends. A token is at most four bytes. Of all bytes of words that no
// answer may have, none leaves.
func TestCutTickets(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	read := func(config Config) (share float64) {
		secret, left := 0, 0
		for range 3 {
			text := ticket(r, 60)
			set := newPlainSet(10, text)
			seen := map[int]bool{}
			from := wordsOf(text)[9].Span.Lo // nine words may leave
			for tokens := 1; tokens <= 80; tokens++ {
				end := min(4*tokens, len(text))
				for end < len(text) && !utf8.RuneStart(text[end]) {
					end++
				}
				for _, s := range New(set, spec(10), config).segments(text[:end]) {
					for i := max(s.Span.Lo, from); s.Finding == nil && i < s.Span.Hi; i++ {
						seen[int(i)] = true
					}
				}
			}
			for _, w := range wordsOf(text) {
				for i := max(w.Span.Lo, from); i < w.Span.Hi && i < 320; i++ {
					secret++
					if seen[int(i)] {
						left++
					}
				}
			}
		}
		return float64(left) / float64(secret)
	}
	before, after := read(Config{}), read(Config{Cut: ends(true, true)})
	t.Logf("of the characters of words beyond the ninth, %.1f %% left before and %.1f %% leave now", 100*before, 100*after)
	if before < 0.1 || after > 0 {
		t.Errorf("left before: %f, leave now: %f", before, after)
	}
}

// segments reads a whole channel.
func (d *Detector) segments(text string) []Segment {
	return d.Finish(d.Append(nil, []byte(text)))
}

// TestCutClean: a clean answer stays as it is wherever it is cut, and so does an answer of
// one token, with a built index of tickets.
func TestCutClean(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 9))
	dir := t.TempDir()
	in, out := filepath.Join(dir, "tickets.txt"), filepath.Join(dir, "tickets.nidx")
	var records strings.Builder
	for range 400 {
		records.WriteString(strings.ReplaceAll(ticket(r, 40), "\n", " ") + "\n")
	}
	if err := os.WriteFile(in, []byte(records.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := build.Build(t.Context(), build.Options{Out: out, Inputs: []string{in}}); err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	changed := 0
	d := &Detector{}
	for i := range raced.Fewer(10_000) {
		text := strings.ReplaceAll(ticket(r, 1+r.IntN(25)), "net", "org")
		if i%4 == 0 {
			text = text[:min(len(text), 1+r.IntN(6))]
		}
		end := 1 + r.IntN(len(text))
		prompt := promptOf(ix, []string{"What about this? " + text[end:]})
		prompt.Raw = i%2 == 0
		d.Reset(ix, ix.Spec(), Config{Cut: ends(true, true), Prompt: prompt})
		if got := masked(text[:end], d.segments(text[:end])); got != text[:end] {
			t.Logf("%q: %q", text[:end], got)
			changed++
		}
	}
	if changed > 0 {
		t.Errorf("%d of 10,000 clean answers were changed", changed)
	}
}

// TestCutBehindMessages: words that begin a run may be in several messages.
func TestCutBehindMessages(t *testing.T) {
	t.Parallel()
	words := strings.Fields(record)
	ix := parts{Set: newPlainSet(10, record), ledger: newPlainLedger(10, record)}
	p := promptOf(ix, append([]string{"go on"}, words[:8]...))
	p.Tail = []byte(words[7])
	text := words[8] + " jul"
	for at := range len(text) + 1 {
		if got, _ := drive(New(ix, spec(10), Config{Cut: ends(true, true), Prompt: p}), text[:at], text[at:]); got != words[8]+" ¤" {
			t.Fatalf("split at %d: %q", at, got)
		}
	}
}

// TestCutSeam: a run that begins in the prompt goes on in a channel that is cut off.
func TestCutSeam(t *testing.T) {
	t.Parallel()
	words := strings.Fields(record)
	join := func(from, to int) string { return strings.Join(words[from:to], " ") }
	template := strings.Repeat(record+". ", 20)
	set, ledger := newPlainSet(10, record), newPlainLedger(10, record)
	many := newPlainLedger(10, strings.SplitAfter(template, ". ")...)
	for _, tt := range []struct {
		name       string
		tail, text string
		raw, often bool
		masked     bool
	}{
		{name: "words of both", tail: "go on: " + join(0, 6) + "\n", text: join(6, 8) + " ind", masked: true},
		{name: "too few words", tail: "go on: " + join(0, 4) + " ", text: join(4, 6) + " gol"},
		{name: "an answer of one word", tail: "classify: " + join(0, 9), text: "bill"},
		{name: "the text goes on", tail: join(0, 9) + " ", text: "jul", raw: true, masked: true},
		{name: "a template goes on", tail: join(0, 9) + " ", text: "bill", raw: true, often: true},
		{name: "inside a word", tail: join(0, 9) + " jul", text: "iet", raw: true, often: true, masked: true},
		{name: "a long text goes on", tail: join(0, 12) + " ", text: "mik", raw: true, masked: true},
		{name: "a long message", tail: join(0, 12) + " ", text: "mik"},
		{name: "a turn without a space", tail: "go on: " + join(0, 8), text: join(8, 9) + " jul", masked: true},
		{name: "two words of a turn", tail: "go on: " + join(0, 7), text: join(7, 9) + " jul", masked: true},
		{name: "four words of a turn", tail: "go on: " + join(0, 5), text: join(5, 9) + " jul", masked: true},
		{name: "a turn of few words", tail: "go on: " + join(0, 4), text: join(4, 6) + " gol"},
		{name: "a turn of other words", tail: "go on: " + join(0, 8), text: "so jul"},
		{name: "an answer of one word without a space", tail: "classify: " + join(0, 9), text: "jul"},
		{name: "the text goes on without a space", tail: join(0, 9), text: "jul", raw: true, masked: true},
		{name: "a template goes on without a space", tail: join(0, 9), text: "bill", raw: true, often: true},
		{name: "a string of JSON", tail: "go on: " + join(0, 8), text: `{"q": "` + join(8, 9) + " jul", masked: true},
		{name: "other words", tail: join(0, 9) + " so ", text: "jul", raw: true},
	} {
		ix := parts{Set: set, ledger: ledger}
		if tt.often {
			ix.ledger = many
		}
		for at := range len(tt.text) + 1 {
			p := promptOf(ix, []string{tt.tail})
			p.Tail, p.Raw = []byte(tt.tail), tt.raw
			d := New(ix, spec(10), Config{Cut: ends(true, true), Prompt: p})
			got, _ := drive(d, tt.text[:at], tt.text[at:])
			if strings.Contains(got, "¤") != tt.masked {
				t.Fatalf("%s, split at %d: %q", tt.name, at, got)
			}
		}
	}
}
