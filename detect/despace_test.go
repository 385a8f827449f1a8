package detect

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"noecho/detect/internal/lane"
	"noecho/ngram"
)

// wordSet is an index that knows its words.
type wordSet struct {
	*plainSet
	one map[ngram.Hash]bool
}

func newWordSet(n int, records ...string) *wordSet {
	s := &wordSet{newPlainSet(n, records...), map[ngram.Hash]bool{}}
	for _, r := range records {
		words := wordsOf(r)
		if len(words) < n {
			continue
		}
		for _, w := range words {
			s.one[ngram.Gram(0, w.Hash, 1)] = true
		}
	}
	return s
}

func (s *wordSet) Has() (ledger, phrases, words bool) { return false, false, true }

// Word is wrong about a word in 1,000, as an index is.
func (s *wordSet) Word(h ngram.Hash) bool { return s.one[h] || h.Hi%1024 == 0 }

// story returns invented text of that many words, and a rng to go on with.
func story(seed uint64, words int) (string, *rand.Rand) {
	rng := rand.New(rand.NewPCG(seed, 7))
	var b strings.Builder
	for i := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(commonWords[rng.IntN(len(commonWords))])
	}
	return b.String(), rng
}

// commonWords are short, and many begin with the end of another.
var commonWords = strings.Fields(`the of and to a in is it you that he was for on are with as I his they be at one have
	this from or had by hot word but what some we can out other were all there when up use your how said an each she
	which do their time if will way about many then them write would like so these her long make thing see him two has
	look more day could go come did number sound no most people my over know water than call first who may down side been
	now find any new work part take get place made live where after back little only round man year came show every good
	me give our under name very through just form sentence great think say help low line differ turn cause much mean
	before move right boy old too same tell does set three want air well also play small end put home read hand port
	large spell add even land here must big high such follow act why ask men change went light kind off need house`)

// letterGaps are spellings of a text whose gaps do not tell where its words end.
var letterGaps = map[string]func(rng *rand.Rand, words []string) string{
	"spaced": func(_ *rand.Rand, words []string) string {
		for i, w := range words {
			words[i] = strings.Join(strings.Split(w, ""), " ")
		}
		return strings.Join(words, "   ")
	},
	"dotted": func(_ *rand.Rand, words []string) string {
		for i, w := range words {
			words[i] = strings.Join(strings.Split(w, ""), ".")
		}
		return strings.Join(words, " ")
	},
	"joined": func(_ *rand.Rand, words []string) string { return strings.Join(words, "") },
	"joined by signs": func(rng *rand.Rand, words []string) string {
		var b strings.Builder
		for _, w := range words {
			b.WriteString(w)
			if rng.IntN(4) == 0 {
				b.WriteString([]string{",", "-", "--", "…", ". "}[rng.IntN(5)])
			}
		}
		return b.String()
	},
	"camel case": func(_ *rand.Rand, words []string) string {
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		return strings.Join(words, "")
	},
	"anything": func(rng *rand.Rand, words []string) string {
		var b strings.Builder
		for _, r := range strings.Join(words, "") {
			b.WriteRune(r)
			if rng.IntN(2) == 0 {
				b.WriteString([]string{" ", ".", "\n", "  ", " - ", "\u200b", "*", "\u00a0"}[rng.IntN(8)])
			}
		}
		return b.String()
	},
}

// TestDespacePassages: passages of indexed text in every such spelling are withheld, and
// no other word.
func TestDespacePassages(t *testing.T) {
	t.Parallel()
	text, rng := story(1, 3000)
	words := strings.Fields(text)
	set := newWordSet(10, text)
	for _, tt := range []struct {
		name  string
		floor float64
	}{
		{"spaced", 1},
		{"dotted", 1},
		{"joined", 1},
		{"camel case", 1},
		{"joined by signs", 0.9}, // the words before the first odd gap are released
		{"anything", 0.85},
	} {
		name, floor := tt.name, tt.floor
		const tries = 100
		all, gone := 0, 0
		for range tries {
			at := rng.IntN(len(words) - 40)
			before, after := "Qu zmpf wixxo: ", "\nNjudd vorp krellick."
			spelt := letterGaps[name](rng, slices.Clone(words[at:at+40]))
			got, findings := drive(despacing(set, Config{}), before+spelt+after)
			if !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after) {
				t.Errorf("%s: %q: more than the passage is withheld", name, got)
			}
			if !strings.Contains(got, "¤") {
				t.Errorf("%s: %q was not found", name, spelt)
			}
			for _, f := range findings {
				if f.Lane != lane.Despaced || f.Kind != Verbatim || f.Words < 10 || f.Windows < 1 {
					t.Errorf("%s: %+v", name, f)
				}
			}
			all += len(spelt)
			gone += len(before) + len(spelt) + len(after) + strings.Count(got, "¤")*len("¤") - len(got)
		}
		if share := float64(gone) / float64(all); share < floor {
			t.Errorf("%s: %.3f of the passages is withheld, want %.2f", name, share, floor)
		}
	}
}

// TestDespaceEverySplit: findings and released text do not depend on the cut.
func TestDespaceEverySplit(t *testing.T) {
	t.Parallel()
	text, rng := story(2, 60)
	set := newWordSet(10, text)
	for name, spell := range letterGaps {
		s := "see " + spell(rng, strings.Fields(text)[20:34]) + " end of it"
		want, findings := drive(despacing(set, Config{}), s)
		for cut := range len(s) + 1 {
			got, also := drive(despacing(set, Config{}), s[:cut], s[cut:])
			if got != want || fmt.Sprint(told(also)) != fmt.Sprint(told(findings)) {
				t.Fatalf("%s, cut at %d: %q %v, want %q %v", name, cut, got, told(also), want, told(findings))
			}
		}
	}
}

// TestDespaceRefusedSigns: short words whose sign did not count have left, however the text is
// cut, and the findings behind them do not depend on the cut.
func TestDespaceRefusedSigns(t *testing.T) {
	t.Parallel()
	text, _ := story(12, 60)
	set := newWordSet(10, text, "it is as it was to be a way to us of all and it is to be so in it")
	passage := strings.Join(strings.Fields(text)[20:40], "")
	for _, size := range []string{"..", ".{4}", ".{11}", ".{14}"} {
		s := "it is as it was to be a way to us of all " + regexp.MustCompile(size).ReplaceAllString(passage, "$0 ") + "end of it"
		want, findings := drive(despacing(set, Config{}), s)
		for cut := range len(s) + 1 {
			got, also := drive(despacing(set, Config{}), s[:cut], s[cut:])
			if got != want || fmt.Sprint(told(also)) != fmt.Sprint(told(findings)) {
				t.Fatalf("%q, cut at %d: %q %v, want %q %v", s, cut, got, told(also), want, told(findings))
			}
		}
		if got, _ := drive(despacing(set, Config{}), strings.Split(s, "")...); got != want {
			t.Fatalf("in bytes: %q, want %q", got, want)
		}
	}
}

// told prints findings.
func told(findings []*Finding) (out []string) {
	for _, f := range findings {
		out = append(out, fmt.Sprint(f.Kind, f.Lane, f.Span, f.Words, f.Windows, f.Echo, f.Resumed, f.Digests))
	}
	return out
}

// TestDespaceSleeps: letters are read if the index bears a sign out, and not for the long
// words, short words and names that other text has.
func TestDespaceSleeps(t *testing.T) {
	t.Parallel()
	text, _ := story(9, 400)
	set := newWordSet(10, text, "it is as it was to be a way to us of all and it is to be so in it")
	passage := strings.Fields(text)[40:60]
	groups := regexp.MustCompile(".{10}").ReplaceAllString(strings.Join(passage, ""), "$0 ")
	for _, tt := range []struct {
		text  string
		awake bool
	}{
		{"Subsequent jurisdictions distributed considerable responsibilities, recommending deliberations everywhere.", false},
		{"as it was to be a way to us of all", false},
		{"Bundesverfassungsgericht und Rechtsschutzversicherungsgesellschaften", false},
		{"tr.dispatchPendingNotifications(ctx, subscriberRegistry.snapshotIdentifiers())", false},
		{"it wa sa sit was to be aw ay", true},
		{"a b c d e f", true},
		{strings.Join(passage, ""), true},
		{groups, true},
		{strings.Join(passage[:3], "") + " " + strings.Join(passage[3:6], "") + " " + strings.Join(passage[6:9], "") + " " + strings.Join(passage[9:12], ""), true},
	} {
		d := despacing(set, Config{})
		d.Finish(d.Append(nil, []byte("Qu zmpf wixxo: "+tt.text+" ")))
		if formed := d.lanes.Load().Formed; formed > 0 != tt.awake {
			t.Errorf("%q: words were formed of %d letters", tt.text, formed)
		}
	}
}

// lettersOf returns the letters of a text.
func lettersOf(text string) string {
	l := ngram.LettersFrom(0)
	var b strings.Builder
	for _, x := range l.Finish(l.Append(nil, []byte(text))) {
		b.WriteRune(x.Rune)
	}
	return b.String()
}

// despacing returns a detector that reads letters.
func despacing(set *wordSet, cfg Config) *Detector {
	cfg.Lanes = lane.LanesOf(lane.Despaced)
	return New(set, spec(set.n), cfg)
}

// TestDespaceConfig: words of the prompt are excused, the least length of a run counts,
// and a lane is read only if the config asks for it.
func TestDespaceConfig(t *testing.T) {
	t.Parallel()
	text, _ := story(3, 30)
	set := newWordSet(10, text)
	words := strings.Fields(text)
	joined := strings.Join(words[:14], "")
	for _, tt := range []struct {
		name, text string
		cfg        Config
		want       string
	}{
		{"plain", "so " + joined + " end", Config{}, "so ¤ end"},
		{"sent", "so " + joined + " end", Config{Prompt: &Prompt{Messages: []*Message{NewMessage(set, spec(10), []byte(text))}}}, "so " + joined + " end"},
		{
			"half of it sent", "so " + joined + " end",
			Config{Prompt: &Prompt{Messages: []*Message{NewMessage(set, spec(10), []byte(strings.Join(words[:12], " ")))}}},
			"so " + strings.Join(words[:3], "") + "¤ end",
		},
		{"fewer than asked for", "so " + joined + " end", Config{MinWords: 15}, "so " + joined + " end"},
		{"as many as asked for", "so " + joined + " end", Config{MinWords: 14}, "so ¤ end"},
		{"begins plainly", "so " + strings.Join(words[:8], " ") + strings.Join(words[8:14], "") + " end", Config{}, "so ¤ end"},
		{"strict", "so " + joined + " end", Config{Release: Strict}, "so ¤ end"},
		{"sentence", "One. So " + joined + " end. Two.", Config{Extent: ExtentSentence}, "One. ¤Two."},
		{"escaped", `so ` + strings.Join(words[:14], `\u200b`) + ` end`, Config{}, "so ¤ end"},
		{"tags", "so " + strings.Join(words[:14], "<b>") + " end", Config{}, "so ¤ end"},
	} {
		for cut := range len(tt.text) + 1 {
			if got, _ := drive(despacing(set, tt.cfg), tt.text[:cut], tt.text[cut:]); got != tt.want {
				t.Fatalf("%s, cut at %d: %q, want %q", tt.name, cut, got, tt.want)
			}
		}
	}
	if got, _ := drive(New(set, spec(10), Config{Lanes: lane.LanesOf(lane.Rot13)}), joined); got != joined {
		t.Errorf("the lane was not asked for: %q", got)
	}
	if got, _ := drive(New(set.plainSet, spec(10), Config{Lanes: AllLanes}), joined); got != joined {
		t.Errorf("the words are not known: %q", got)
	}
}

// TestDespacePlain: text that is found as it is, is not found again in the lane.
func TestDespacePlain(t *testing.T) {
	t.Parallel()
	text, _ := story(4, 200)
	set := newWordSet(10, text)
	_, findings := drive(despacing(set, Config{}), "H e l l o h e l l o: "+text+" end.")
	if len(findings) != 1 || findings[0].Lane != Plain || findings[0].Words != 200 {
		t.Errorf("%v", told(findings))
	}
}

// TestDespaceUnspaced: a character of a script without spaces is a word already; digits
// count as letters.
func TestDespaceUnspaced(t *testing.T) {
	t.Parallel()
	const han = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨露结为霜金生丽水玉出昆冈"
	const order = "order 4711 of 12 red pens for 99 euros on 7 may 2019 by mail"
	set := newWordSet(10, han, order)
	for text, lane := range map[string]Lane{
		han:                                Plain,
		strings.ReplaceAll(order, " ", ""): lane.Despaced,
		strings.Join(strings.Split(han, ""), " "): Plain,
	} {
		_, findings := drive(despacing(set, Config{}), text)
		if len(findings) != 1 || findings[0].Lane != lane {
			t.Errorf("%q: %v", text, told(findings))
		}
	}
}

// TestDespacePark parks the channel at every byte: the bytes read by then are decided,
// and words that go on behind the pause are still found.
func TestDespacePark(t *testing.T) {
	t.Parallel()
	text, _ := story(5, 30)
	set := newWordSet(10, text)
	joined := strings.Join(strings.Fields(text)[:16], "")
	first := len(strings.Join(strings.Fields(text)[:10], ""))
	for cut := 1; cut < len(joined); cut++ {
		d := despacing(set, Config{})
		segments := d.Append(nil, []byte(joined[:cut]))
		segments = d.Park(segments)
		if d.Frontier() != int64(cut) {
			t.Fatalf("parked at %d: frontier %d", cut, d.Frontier())
		}
		found := slices.ContainsFunc(segments, func(s Segment) bool { return s.Finding != nil })
		if found != (cut >= first) {
			t.Fatalf("parked at %d of %d: found %v", cut, first, found)
		}
		segments = d.Finish(d.Append(segments, []byte(joined[cut:]+" end")))
		findings := d.Closed(nil)
		if len(findings) != 1 || findings[0].Span.Hi != int64(len(joined)) || findings[0].Words != 16 {
			t.Fatalf("parked at %d: %v", cut, told(findings))
		}
		for at, s := range segments {
			if s.Span.Lo != 0 && s.Span.Lo != segments[at-1].Span.Hi {
				t.Fatalf("parked at %d: segments do not tile", cut)
			}
		}
	}
}

// TestDespaceIsBounded: no text costs more than a bound for each letter, and a text made
// to reach the bound does not hide a passage.
func TestDespaceIsBounded(t *testing.T) {
	t.Parallel()
	text, rng := story(6, 400)
	every := []string{text}
	for n := 1; n <= 12; n++ { // every number of a's is a word that may follow every other
		every = append(every, strings.Repeat(strings.Repeat("a", n)+" ", 20), strings.Repeat(strings.Repeat("a", n)+" a ", 20))
	}
	set := newWordSet(10, every...)
	set.lie = 2
	const size = 6 << 10
	random := make([]byte, size)
	for i := range random {
		random[i] = 'a' + byte(rng.IntN(26))
	}
	passage := strings.Join(strings.Fields(text)[40:60], "")
	for name, s := range map[string]string{"a": strings.Repeat("a", size), "a a": strings.Repeat("a ", size/2), "random": string(random)} {
		d := despacing(set, Config{})
		var segments []Segment
		for p := range slices.Chunk([]byte(s+" x "+passage), 100) {
			segments = d.Append(segments, p)
			load := d.lanes.Load()
			if load.Paths > 64 {
				t.Fatalf("%s: %d paths end at a letter", name, load.Paths)
			}
			if load.Letters > 2*256 {
				t.Fatalf("%s: %d letters are queued", name, load.Letters)
			}
		}
		d.Finish(segments)
		if !slices.ContainsFunc(d.Closed(nil), func(f *Finding) bool { return f.Span.Hi == int64(len(s)+3+len(passage)) }) {
			t.Errorf("%s: the passage behind it was not found", name)
		}
		if got := d.unscanned(); (got > 0) != (name != "random") || got > int64(len(s)) {
			t.Errorf("%s: %d letters are not read in every way", name, got)
		}
	}
}

// TestDespaceDoesNotAllocate reads text that does not look as if its gaps were wrong.
func TestDespaceDoesNotAllocate(t *testing.T) {
	text, _ := story(7, 100)
	set := newWordSet(10, text)
	d := despacing(set, Config{})
	clean := []byte("Nobody wrote any of these sentences down before today, so there is nothing to be found in them. ")
	segments := make([]Segment, 0, 1000)
	segments = d.Append(segments[:0], clean)
	if n := testing.AllocsPerRun(100, func() { segments = d.Append(segments[:0], clean) }); n != 0 || d.lanes.Load().Awake != 0 {
		t.Errorf("%v allocations, awake %v", n, d.lanes.Load().Awake)
	}
}

// TestDespaceAwakeDoesNotAllocate reads clean text in which a name of known words, run
// together, wakes the lane again and again.
func TestDespaceAwakeDoesNotAllocate(t *testing.T) {
	text, _ := story(7, 100)
	d := despacing(newWordSet(10, text), Config{})
	name := strings.Join(strings.Fields(strings.ReplaceAll(text, ".", ""))[20:26], "")
	clean := []byte("Nobody wrote any of these sentences down before " + name +
		" came, so there is nothing to be found in them, nor in the words that follow until the lane falls asleep again. ")
	segments := make([]Segment, 0, 1000)
	segments = d.Append(segments[:0], clean)
	before := d.lanes.Load().Formed
	if n := testing.AllocsPerRun(50, func() { segments = d.Append(segments[:0], clean) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if formed := d.lanes.Load().Formed - before; formed < 51*100 {
		t.Errorf("%d letters were read", formed)
	}
}

// FuzzDespace reads any text in two cuts: segments tile it, findings do not depend on the
// cut, and the letters of a finding occur in the record in this order.
func FuzzDespace(f *testing.F) {
	const text = "a man had to go in to the inn and he sat as an old hen ate it all at ten"
	set := newWordSet(6, text)
	var windows []string
	words := strings.Fields(text)
	for i := range len(words) - 5 {
		windows = append(windows, strings.Join(words[i:i+6], ""))
	}
	f.Add("amanhadtogointotheinnandhesat", 5)
	f.Add("x a.m.a.n h.a.d t.o g.o i.n t.o end", 9)
	f.Add("aManHadToGoIn to t<b>he Inn\\nand", 3)
	f.Add("漢字 aman hadtogo i\u0301 n tothe", 1)
	f.Fuzz(func(t *testing.T, s string, cut int) {
		s = strings.ReplaceAll(s, "|", "/") // drive parks at a piece "|"
		cut = max(0, min(cut, len(s)))
		want, findings := drive(despacing(set, Config{}), s)
		got, also := drive(despacing(set, Config{}), s[:cut], s[cut:])
		if got != want || fmt.Sprint(told(also)) != fmt.Sprint(told(findings)) {
			t.Fatalf("%q, cut at %d: %q %v, want %q %v", s, cut, got, told(also), want, told(findings))
		}
		letters := lettersOf(s)
		if len(findings) > 0 && !slices.ContainsFunc(windows, func(w string) bool { return strings.Contains(letters, w) }) {
			t.Fatalf("%q: %v", s, told(findings))
		}
	})
}

// TestDespaceNames: a finding names its record, and the place of its first seed there.
func TestDespaceNames(t *testing.T) {
	t.Parallel()
	records := make([]string, 3)
	for i := range records {
		records[i], _ = story(uint64(10+i), 60)
	}
	set, ledger := newWordSet(10, records...), newPlainLedger(10, records...)
	for i, r := range records {
		words := strings.Fields(r)
		for _, n := range []int{10, 12, 35} {
			spelt := "see " + letterGaps["spaced"](nil, slices.Clone(words[7:7+n])) + " end"
			_, findings := drive(New(parts{Set: set, ledger: ledger, words: set}, spec(10), Config{Lanes: lane.LanesOf(lane.Despaced)}), spelt)
			if len(findings) != 1 || len(findings[0].Places) == 0 || recordOf(findings[0].Places[0]) != i {
				t.Fatalf("record %d, %d words: %v", i, n, told(findings))
			}
			if at := findings[0].Places[0] - placeOf(i); at < 7 || at > 9 {
				t.Errorf("record %d, %d words: word %d", i, n, at)
			}
		}
	}
}
