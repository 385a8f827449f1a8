package detect

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/internal/gram"
	"noecho/ngram"
)

// plainPhrases has phrases by their exact hashes. Start is wrong about one in lie of all
// other beginnings; 0: about none.
type plainPhrases struct {
	starts map[ngram.Hash]bool
	all    map[ngram.Hash]ngram.Phrase
	lie    uint64
}

func newPlainPhrases(of map[string]ngram.Phrase) *plainPhrases {
	s := &plainPhrases{starts: map[ngram.Hash]bool{}, all: map[ngram.Hash]ngram.Phrase{}}
	for text, p := range of {
		w := prefixes(wordsOf(text))
		k := len(w) - 1
		for i := 1; i <= min(k, 4); i++ {
			s.starts[ngram.Gram(0, w[i], i)] = true
		}
		s.all[ngram.Gram(0, w[k], k)] = p
	}
	return s
}

func (s *plainPhrases) Start(h ngram.Hash) bool { return s.starts[h] || s.lie > 0 && h.Lo%s.lie == 0 }

func (s *plainPhrases) Phrase(h ngram.Hash) (ngram.Phrase, bool) {
	p, ok := s.all[h]
	return p, ok
}

// people returns the phrases that the tests index.
func people() map[string]ngram.Phrase {
	return map[string]ngram.Phrase{
		"jo@example.org":         {Kind: "email", Records: 1, Place: 7},
		"jo@example.org.uk":      {Kind: "email", Records: 2},
		"example.org":            {Kind: "phrase", Records: 101},
		"+49 30 901820":          {Kind: "phone", Records: 100},
		"4111111111111111":       {Kind: "card", Records: 3},
		"Ann":                    {Kind: "subject", Subject: 1, Weak: true},
		"Berlin":                 {Kind: "subject", Subject: 1, Weak: true},
		"Bo":                     {Kind: "subject", Subject: 2, Weak: true},
		"Kim":                    {Kind: "subject", Weak: true}, // several subjects have this name
		"ann@mail.example":       {Kind: "email", Subject: 1, Records: 5000},
		"Ann Ray":                {Kind: "subject", Subject: 1},
		"a b c d e f g h i j kk": {Kind: "phrase", Records: 1},
	}
}

func fill(n int) string { return strings.Repeat("word ", n) }

func TestPhrases(t *testing.T) {
	t.Parallel()
	set, phrases := newPlainSet(10, record), newPlainPhrases(people())
	for _, tt := range []struct {
		name, text, want string
		kinds            []string
	}{
		{"alone", "jo@example.org", "¤", []string{"email"}},
		{"in a sentence", "Ask <b>JO</b> at example: jo@example.org, today.", "Ask <b>JO</b> at example: ¤, today.", []string{"email"}},
		{"formatted", "j&#111;\n- **EXAMPLE**\n- org", "¤", []string{"email"}},
		{"longest wins", "jo@example.org.uk", "¤", []string{"email"}},
		{"not quite", "jo@example.net jo example", "jo@example.net jo example", nil},
		{"begun again", "jo jo jo example jo example org", "jo jo jo example ¤", []string{"email"}},
		{"neighbours", "jo@example.org 4111111111111111", "¤ ¤", []string{"email", "card"}},
		{"common", "see example.org", "see example.org", nil},
		{"at the bound", "+49 30 901820", "+¤", []string{"phone"}},
		{"listed however common", "ann@mail.example", "¤", []string{"email"}},
		{"weak alone", "Ann lives there", "Ann lives there", nil},
		{"weak twice", "Ann and Ann", "Ann and Ann", nil},
		{"weak of two", "Ann and Bo", "Ann and Bo", nil},
		{"weak before", "Ann, that is ann@mail.example", "¤, that is ¤", []string{"subject", "email"}},
		{"weak behind", "ann@mail.example is Ann.", "¤ is ¤.", []string{"email", "subject"}},
		{"both weak", "Ann of Berlin", "¤ of ¤", []string{"subject", "subject"}},
		{"in reach", "Ann " + fill(30) + "Berlin", "¤ " + fill(30) + "¤", []string{"subject", "subject"}},
		{"out of reach", "Ann " + fill(31) + "Berlin", "Ann " + fill(31) + "Berlin", nil},
		{"in reach of a long one", "Berlin " + fill(30) + "ann@mail.example", "¤ " + fill(30) + "¤", []string{"subject", "email"}},
		{"of several, near one", "Kim and ann@mail.example", "¤ and ¤", []string{"subject", "email"}},
		{"of several, near weak ones", "Kim and Ann", "Kim and Ann", nil},
		{"weak in a strong one", "Ann Ray of Berlin", "¤ of ¤", []string{"subject", "subject"}},
		{"in a run", record + " jo@example.org", "¤ ¤", []string{"", "email"}},
		{"long", "x a b c d e f g h i j kk y", "x ¤ y", []string{"phrase"}},
		{"long but for its end", "x a b c d e f g h i j k y", "x a b c d e f g h i j k y", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, release := range []Release{Adaptive, Strict} {
				want, wantKinds := tt.want, tt.kinds
				if release == Strict && strings.HasPrefix(tt.name, "in reach") {
					// The first of the two has left when the other one comes.
					want, wantKinds = tt.text[:strings.LastIndex(tt.text, " ")]+" ¤", tt.kinds[1:]
				}
				for cut := range len(tt.text) + 1 {
					d := New(parts{Set: set, phrases: phrases}, spec(10), Config{Release: release})
					got, findings := drive(d, tt.text[:cut], tt.text[cut:])
					var kinds []string
					for _, f := range findings {
						switch {
						case f.Kind == Verbatim:
							kinds = append(kinds, "")
						case f.Kind == Phrase && f.Phrase != nil && f.Action == Redact && len(f.Digests) == 1:
							kinds = append(kinds, f.Phrase.Kind)
						default:
							t.Fatalf("%+v", f)
						}
					}
					if got != want || !slices.Equal(kinds, wantKinds) {
						t.Fatalf("cut at %d: %q, %v, want %q, %v", cut, got, kinds, want, wantKinds)
					}
				}
			}
		})
	}
}

func TestPhraseFinding(t *testing.T) {
	t.Parallel()
	d := New(parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(people())}, spec(10), Config{})
	_, findings := drive(d, "to jo@example.org!")
	if len(findings) != 1 {
		t.Fatal(findings)
	}
	f := findings[0]
	if f.Span != (ngram.Span{Lo: 3, Hi: 17}) || f.Words != 3 || f.Windows != 0 || f.Phrase.Records != 1 || !slices.Equal(f.Places, []ngram.Place{7}) || f.Echo || f.Resumed {
		t.Errorf("%+v", f)
	}
	d = New(parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(people())}, spec(10), Config{PhraseRecords: 99})
	if got, _ := drive(d, "49 30 901820, 4111111111111111"); got != "49 30 901820, ¤" {
		t.Errorf("with a bound of 99 records: %q", got)
	}
}

// TestPhraseEcho: a phrase that the client sent in one message is reported as an echo.
func TestPhraseEcho(t *testing.T) {
	t.Parallel()
	set, phrases := newPlainSet(10, record), newPlainPhrases(people())
	ix := parts{Set: set, phrases: phrases}
	p := &Prompt{Messages: []*Message{
		NewMessage(ix, spec(10), []byte("Is JO at example.org? No: jo@example.org. 4111")),
		NewMessage(ix, spec(10), []byte("111111111111 and 49 30")),
	}}
	text := "jo@example.org has 4111111111111111, +49 30 901820"
	for cut := range len(text) + 1 {
		d := New(ix, spec(10), Config{Prompt: p})
		got, findings := drive(d, text[:cut], text[cut:])
		if got != "jo@example.org has ¤, +¤" || len(findings) != 3 || !findings[0].Echo || findings[1].Echo || findings[0].Action != Observe {
			t.Fatalf("cut at %d: %q, %d findings", cut, got, len(findings))
		}
	}
}

// TestPhrasePark: only bytes of a phrase that were released at a pause leave; the others
// are withheld, and the finding says that it resumed.
func TestPhrasePark(t *testing.T) {
	t.Parallel()
	set, phrases := newPlainSet(10, record), newPlainPhrases(people())
	text := "to jo@example.org now, and Ann is ann@mail.example"
	for at := range len(text) + 1 {
		d := New(parts{Set: set, phrases: phrases}, spec(10), Config{})
		got, findings := drive(d, text[:at], "|", text[at:])
		if strings.Contains(got, "org now") && at != strings.Index(text, " now") {
			t.Fatalf("parked at %d: %q", at, got)
		}
		emails := 0
		for _, f := range findings {
			if f.Phrase.Kind != "email" {
				continue
			}
			emails++
			lo := int64(strings.Index(text, "jo@"))
			if f.Span.Lo > 20 {
				lo = int64(strings.Index(text, "ann@"))
			}
			if want := int64(at) > lo && int64(at) < f.Span.Hi; f.Resumed != want && int64(at) != f.Span.Hi {
				t.Fatalf("parked at %d: resumed %v of %+v", at, f.Resumed, f.Span)
			}
		}
		if emails != 2 {
			t.Fatalf("parked at %d: %d addresses in %q", at, emails, got)
		}
	}
}

// TestPhraseParkedInIt: a phrase that goes on behind a pause is one finding.
func TestPhraseParkedInIt(t *testing.T) {
	t.Parallel()
	d := New(parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(people())}, spec(10), Config{})
	text, findings := drive(d, "to jo@example.org.u", "|", "k", "|", " now")
	if len(findings) != 1 || findings[0].Phrase.Records != 2 || findings[0].Span != (ngram.Span{Lo: 3, Hi: 20}) {
		t.Errorf("%q, %d findings", text, len(findings))
	}
}

// TestPhraseParkedAtItsEnd: a channel that is parked and does not go on has one finding of
// the phrase at its end.
func TestPhraseParkedAtItsEnd(t *testing.T) {
	t.Parallel()
	set, phrases := newPlainSet(10, record), newPlainPhrases(people())
	for _, text := range []string{"to jo@example.org", "Ann: ann@mail.example", "ann@mail.example: Ann"} {
		for _, more := range []string{"", " ", ".", ", then"} {
			d := New(parts{Set: set, phrases: phrases}, spec(10), Config{})
			_, findings := drive(d, text, "|", more)
			if want := strings.Count(text, " ") + strings.Count(text, ":"); text[0] == 't' && len(findings) != 1 || text[0] != 't' && len(findings) != want {
				t.Errorf("%q, parked, %q: %d findings", text, more, len(findings))
			}
		}
	}
}

// reference reports for every word whether the rules withhold it. It looks up every
// sequence of words afresh. A weak phrase that comes first counts if it begins within the
// newest words when the other attribute ends.
func reference(text string, of map[string]ngram.Phrase, newest int) []bool {
	type found struct {
		first, last int
		phrase      ngram.Phrase
		text        string
	}
	words := strings.Fields(text)
	var all []found
	for i := range words {
		for k := 1; k <= gram.MaxPhraseWords && i+k <= len(words); k++ {
			if p, ok := of[strings.Join(words[i:i+k], " ")]; ok && (p.Subject != 0 || p.Weak || p.Records <= defaultPhraseRecords) {
				all = append(all, found{i, i + k - 1, p, strings.Join(words[i:i+k], " ")})
			}
		}
	}
	gone := make([]bool, len(words))
	for _, a := range all {
		counts := !a.phrase.Weak
		for _, o := range all {
			between := max(a.first-o.last, o.first-a.last) - 1
			one := a.phrase.Subject != 0 && a.phrase.Subject == o.phrase.Subject || (a.phrase.Subject == 0 || o.phrase.Subject == 0) && !o.phrase.Weak && o.phrase.Subject != 0
			if between >= 0 && between <= 30 && one && o.text != a.text && o.last-a.first < newest {
				counts = true
			}
		}
		for i := a.first; counts && i <= a.last; i++ {
			gone[i] = true
		}
	}
	return gone
}

// FuzzPhrases compares random texts of few words, in random pieces, with the reference.
func FuzzPhrases(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Add(uint64(3), uint64(4))
	f.Fuzz(func(t *testing.T, seed, more uint64) {
		r := rand.New(rand.NewPCG(seed, more))
		of := map[string]ngram.Phrase{}
		vocabulary := 3 + r.IntN(30)
		word := func() string { return fmt.Sprintf("w%d", r.IntN(vocabulary)) }
		for range 1 + r.IntN(12) {
			var words []string
			for range 1 + r.IntN(1+r.IntN(gram.MaxPhraseWords)) {
				words = append(words, word())
			}
			p := ngram.Phrase{Kind: "email", Records: uint32(r.IntN(150)), Subject: uint64(r.IntN(3))}
			p.Weak = r.IntN(3) == 0
			of[strings.Join(words, " ")] = p
		}
		var text []string
		for range r.IntN(150) {
			text = append(text, word())
		}
		phrases := newPlainPhrases(of)
		phrases.lie = uint64(r.IntN(8))
		all := strings.Join(text, " ")
		release := Release(r.IntN(2))
		must, may := reference(all, of, math.MaxInt), reference(all, of, math.MaxInt)
		if release == Strict { // longer before the other attribute a weak phrase may have left
			must = reference(all, of, gram.MaxPhraseWords)
		}
		d := New(parts{Set: newPlainSet(10, record), phrases: phrases}, spec(10), Config{Release: release})
		var segments []Segment
		for rest := all; rest != ""; {
			n := 1 + r.IntN(min(len(rest), 40))
			segments = d.Append(segments, []byte(rest[:n]))
			rest = rest[n:]
		}
		segments = d.Finish(segments)
		gone := make([]bool, len(all))
		for _, s := range segments {
			for i := s.Span.Lo; s.Finding != nil && i < s.Span.Hi; i++ {
				gone[i] = true
			}
		}
		at := 0
		for i, w := range text {
			for k := range len(w) {
				if gone[at+k] && !may[i] || !gone[at+k] && must[i] {
					t.Fatalf("word %d of %q: withheld %v, want %v\n%v", i, all, gone[at+k], must[i], of)
				}
			}
			at += len(w) + 1
		}
	})
}

// TestPhrasesAllocateNothing reads text without phrases.
func TestPhrasesAllocateNothing(t *testing.T) {
	set, phrases := newPlainSet(10, record), newPlainPhrases(people())
	text := []byte(strings.Repeat("jo example and nothing else stands here but words jo ", 20))
	var ix Index = parts{Set: set, phrases: phrases}
	d := New(ix, spec(10), Config{})
	var segments []Segment
	allocs := testing.AllocsPerRun(20, func() {
		d.Reset(ix, spec(10), Config{})
		segments = d.Finish(d.Append(segments[:0], text))
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzParkedPhrases: a phrase of which nothing was released at a pause is withheld whole.
func FuzzParkedPhrases(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Add(uint64(5), uint64(6))
	f.Fuzz(func(t *testing.T, seed, more uint64) {
		r := rand.New(rand.NewPCG(seed, more))
		of := map[string]ngram.Phrase{}
		vocabulary := 3 + r.IntN(12)
		word := func() string { return fmt.Sprintf("w%d", r.IntN(vocabulary)) }
		for range 1 + r.IntN(6) {
			var words []string
			for range 1 + r.IntN(5) {
				words = append(words, word())
			}
			of[strings.Join(words, " ")] = ngram.Phrase{Kind: "email", Records: 1}
		}
		var words []string
		for range r.IntN(60) {
			words = append(words, word())
		}
		text := strings.Join(words, " ")
		d := New(parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(of)}, spec(10), Config{})
		var segments []Segment
		parked := make([]bool, len(text)+1)
		for at := 0; at < len(text); {
			n := 1 + r.IntN(min(len(text)-at, 30))
			segments = d.Append(segments, []byte(text[at:at+n]))
			at += n
			if r.IntN(3) == 0 {
				segments = d.Park(segments)
				parked[at] = true
			}
		}
		segments = d.Finish(segments)
		gone := make([]bool, len(text))
		end := int64(0)
		for _, s := range segments {
			if s.Span.Lo != end {
				t.Fatalf("a segment begins at %d, not at %d", s.Span.Lo, end)
			}
			end = s.Span.Hi
			for i := s.Span.Lo; s.Finding != nil && i < s.Span.Hi; i++ {
				gone[i] = true
			}
		}
		lo := 0
		for i := range words {
			hi := lo
			for k := i; k < len(words) && k-i < gram.MaxPhraseWords; k++ {
				hi += len(words[k])
				_, ok := of[strings.Join(words[i:k+1], " ")]
				if ok && !slices.Contains(parked[lo+1:hi], true) && slices.Contains(gone[lo:hi], false) {
					t.Fatalf("bytes %d to %d of %q: %v", lo, hi, text, gone[lo:hi])
				}
				hi++
			}
			lo += len(words[i]) + 1
		}
	})
}
