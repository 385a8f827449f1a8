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

// saying is a text that a channel of an answer says before another one goes on.
type saying struct {
	channel int
	strand  Strand
	text    string
	piece   bool       // it may begin a word, although the channel goes on with it
	between [][2]int64 // bytes that are between two texts of it
}

// knownSet is a plainSet that knows the words of the records.
type knownSet struct {
	*plainSet
	words map[uint64]bool
}

func (s knownSet) Has() (ledger, phrases, words bool) { return false, false, true }
func (s knownSet) Word(h ngram.Hash) bool             { return s.words[h.Lo] }

// conversation is a random corpus and an answer of several channels.
type conversation struct {
	scenario
	turns []saying
	seed  uint64
	words map[uint64]bool // of the records
	index Index
}

// randomConversation cuts passages of records over channels, between other words.
func randomConversation(seed uint64) conversation {
	r := rand.New(rand.NewPCG(seed, 53))
	c := conversation{seed: seed}
	c.n = []int{5, 6, 8, 10}[r.IntN(4)]
	c.minWords = c.n + r.IntN(2)*r.IntN(5)
	c.release = Release(r.IntN(2))
	var words []string
	for i := range 60 {
		words = append(words, fmt.Sprintf("word%c%c", 'a'+i/8, 'a'+i%8))
	}
	for range 8 { // they are also two words
		words = append(words, words[r.IntN(60)]+words[r.IntN(60)])
	}
	for range 1 + r.IntN(3) {
		var record []string
		for range c.n + r.IntN(30) {
			record = append(record, words[r.IntN(len(words))])
		}
		c.records = append(c.records, strings.Join(record, " "))
	}
	c.set = newPlainSet(c.n, c.records...)
	c.set.lie = []uint64{0, 3, 20, 200}[r.IntN(4)]
	c.words = map[uint64]bool{}
	for _, record := range c.records {
		for _, w := range wordsOf(record) {
			c.words[w.Hash] = true
		}
	}
	if c.index = c.set; r.IntN(2) == 0 {
		lo := map[uint64]bool{}
		for h := range c.words {
			lo[ngram.Gram(0, h, 1).Lo] = true
		}
		c.index = knownSet{c.set, lo}
	}
	if r.IntN(3) == 0 {
		c.messages = append(c.messages, quoteOf(r, &c.scenario))
	}
	var all []string
	for range 1 + r.IntN(5) {
		for range r.IntN(5) {
			all = append(all, words[r.IntN(len(words))])
		}
		all = append(all, strings.Fields(quoteOf(r, &c.scenario))...)
	}
	channels, most := 1+r.IntN(4), 1+r.IntN(2*c.n)
	from := r.IntN(2 * channels) // this channel and those behind it are beside the answer
	toks := from + r.IntN(4)     // this one and those behind it are tokens
	cuts := r.IntN(3)            // how often texts end inside a word
	for len(all) > 0 {
		n := min(len(all), 1+r.IntN(most))
		text := strings.Join(all[:n], []string{" ", ", ", "\n"}[r.IntN(3)])
		end := all[n-1]
		if all = all[n:]; len(end) > 1 && r.IntN(4) < cuts {
			k := 1 + r.IntN(len(end)-1)
			text = text[:len(text)-len(end)+k]
			all = append([]string{end[k:]}, all...)
		}
		t := saying{channel: r.IntN(channels), text: text}
		if r.IntN(4) == 0 {
			t.strand = Strand(r.IntN(int(Aside)))
		}
		switch {
		case t.channel >= toks:
			t.strand = tokens
		case t.channel >= from:
			t.strand += beside
		}
		t.piece = r.IntN(4) == 0
		if k := 1 + r.IntN(len(text)); r.IntN(4) == 0 && k < len(text) {
			t.text = text[:k] + `","` + text[k:]
			t.between = append(t.between, [2]int64{int64(k), int64(k) + 3})
		}
		switch r.IntN(3) {
		case 0:
			t.text += " "
		case 1:
			t.text = " " + t.text
			for i := range t.between {
				t.between[i] = [2]int64{t.between[i][0] + 1, t.between[i][1] + 1}
			}
		}
		last := len(c.turns) - 1
		for last >= 0 && c.turns[last].channel != t.channel {
			last--
		}
		if last >= 0 && c.turns[last].strand != t.strand {
			c.turns[last].text += `" ` // the strands of a channel share no word
		}
		c.turns = append(c.turns, t)
	}
	return c
}

// place is a byte of a channel.
type place struct {
	channel int
	at      int
}

// joined is the text of a thread of a reading.
type joined struct {
	text   string
	places []place      // of each byte; those of a space between two texts are in no channel
	pieces map[int]bool // offsets of the pieces that go on within a word of their channel
	cuts   map[int]bool // offsets of spaces with letters on both sides: of two words, or in one
	names  bool         // some texts are names
	starts map[int]bool // where texts begin
}

// threadText returns the text of thread k of a reading. A space is between two texts, and in
// the reading of pieces before each.
func (c *conversation) threadText(reading, k int) joined {
	var b []byte
	j := joined{pieces: map[int]bool{}, cuts: map[int]bool{}, names: k > 0, starts: map[int]bool{}}
	length := map[int]int{}
	last := saying{channel: -1}
	gap := func() {
		j.cuts[len(b)] = reading < ofPieces
		b, j.places = append(b, ' '), append(j.places, place{-1, 0})
	}
	for _, t := range c.turns {
		lo := length[t.channel]
		length[t.channel] += len(t.text)
		scope := scopes[min(reading, ofPieces)]
		if scope.follows>>t.strand&1 == 0 || reading >= ofPieces && t.channel != reading-ofPieces {
			continue
		}
		if scope.threads[k].reads>>t.strand&1 == 0 {
			last.channel = -1
			continue
		}
		joint := (reading >= ofPieces || reading == ofAll && t.strand >= beside && t.strand < tokens) && t.piece && t.channel == last.channel
		if t.channel != last.channel || joint {
			gap()
			j.cuts[len(b)-1] = j.cuts[len(b)-1] && !joint
		}
		j.starts[len(b)] = true
		j.pieces[len(b)] = joint && b[len(b)-2] >= 'a' && t.text[0] >= 'a' // within a word of the channel
		for i := range len(t.text) {
			if slices.ContainsFunc(t.between, func(x [2]int64) bool { return x[0] <= int64(i) && int64(i) < x[1] }) {
				if b[len(b)-1] != ' ' || !j.cuts[len(b)-1] {
					gap()
				}
				continue
			}
			b, j.places = append(b, t.text[i]), append(j.places, place{t.channel, lo + i})
		}
		last = t
	}
	for at := range j.cuts {
		j.cuts[at] = j.cuts[at] && at > 0 && at+1 < len(b) && b[at-1] >= 'a' && b[at+1] >= 'a'
	}
	j.text = string(b)
	return j
}

// cutRuns calls use with the places of the words of each sequence of so many words whose
// windows are all indexed, where each cut is read both ways, and whether no window repeats a
// message.
func (c *conversation) cutRuns(j *joined, words int, use func(run [][]place, fresh bool)) {
	parts := wordsOf(j.text)
	sent := c.sent()
	cut := func(i int) bool { // whether parts i and i+1 may be one word
		return i+1 < len(parts) && parts[i].Span.Hi+1 == parts[i+1].Span.Lo && j.cuts[int(parts[i].Span.Hi)]
	}
	var run [][]place
	var from func(i int, prefix []uint64, fresh, cuts bool)
	from = func(i int, prefix []uint64, fresh, cuts bool) {
		if n := len(prefix) - 1; n >= 2 && !c.set.two[ngram.Gram(prefix[n-2], prefix[n], 2)] {
			return
		}
		if n := len(prefix) - 1; n >= c.n {
			h := ngram.Gram(prefix[n-c.n], prefix[n], c.n)
			if !c.set.nn[h] {
				return
			}
			fresh = fresh && !sent[h]
		}
		if len(run) == words {
			if cuts {
				use(run, fresh)
			}
			return
		}
		text, at := "", []place(nil)
		for k := i; k < len(parts) && (k == i || cut(k-1)); k++ {
			span := parts[k].Span
			text += j.text[span.Lo:span.Hi]
			at = append(at, j.places[span.Lo:span.Hi]...)
			if w := wordsOf(text); c.words[w[0].Hash] {
				run = append(run, at)
				known := len(run) > 2 || k == i || c.index != Index(c.set) // else only the word behind tells, in the same text
				known = known || k == i+1 && !cuts && int(span.Hi) < len(j.places) && j.places[span.Hi].channel >= 0
				if lo := parts[i].Span.Lo; k > i && j.names && (j.starts[int(lo)] || j.places[lo-1].channel < 0) {
					known = false // a name that is one word does not begin one
				}
				from(k+1, append(slices.Clip(prefix), ngram.Roll(prefix[len(prefix)-1], w[0].Hash)), fresh && known, cuts || k > i)
				run = run[:len(run)-1]
			}
		}
	}
	for i := range parts {
		from(i, []uint64{0}, true, false)
	}
}

// sent returns the windows of the messages.
func (c *conversation) sent() map[ngram.Hash]bool {
	sent := map[ngram.Hash]bool{}
	for _, m := range c.messages {
		p := prefixes(wordsOf(m))
		for i := 0; i+c.n < len(p); i++ {
			sent[ngram.Gram(p[i], p[i+c.n], c.n)] = true
		}
	}
	return sent
}

// mixes reports whether bytes are of texts and of text beside the answer.
func (c *conversation) mixes(bytes []place) bool {
	var texts, others bool
	for _, p := range bytes {
		at := p.at
		for _, t := range c.turns {
			if t.channel != p.channel {
				continue
			}
			if at -= len(t.text); at < 0 {
				texts, others = texts || t.strand < beside, others || t.strand >= beside
				break
			}
		}
	}
	return texts && others
}

// threadRuns returns the runs in the text of a thread that count: their words, in order,
// without those that only repeat a message.
func (c *conversation) threadRuns(text string) [][]ngram.Word {
	sent := c.sent()
	words := wordsOf(text)
	p := prefixes(words)
	hit := func(i int) (hit, echo bool) {
		if i+c.n >= len(p) {
			return false, false
		}
		h := ngram.Gram(p[i], p[i+c.n], c.n)
		return c.set.nn[h], sent[h]
	}
	var runs [][]ngram.Word
	for i := 0; i+c.n < len(p); {
		h, echo := hit(i)
		if !h {
			i++
			continue
		}
		j, fresh := i, map[int]bool{}
		for h {
			for k := j; k < j+c.n && !echo; k++ {
				fresh[k] = true
			}
			j++
			h, echo = hit(j)
		}
		if run := words[i : j-1+c.n]; len(run) >= max(c.n, c.minWords) {
			var acted []ngram.Word
			for k := range run {
				if fresh[i+k] {
					acted = append(acted, run[k])
				}
			}
			if len(acted) > 0 {
				runs = append(runs, acted)
			}
		}
		i = j
	}
	return runs
}

// checkConversation reads an answer and compares it with a plain reading of each channel
// and each thread. parks says whether channels are parked now and then. It does so once more
// without words that are passed over: then no word outside of a run is withheld.
func checkConversation(t testing.TB, c conversation, parks bool) {
	t.Helper()
	readConversation(t, c, parks, false)
	readConversation(t, c, parks, true)
}

func readConversation(t testing.TB, c conversation, parks, passes bool) {
	t.Helper()
	r := rand.New(rand.NewPCG(c.seed, 59))
	answer := &Answer{}
	before := New(c.index, spec(c.n), Config{Answer: answer}) // of another answer
	before.Append(nil, []byte(c.turns[0].text+c.records[0]))
	before.Reset(nil, spec(c.n), Config{})
	for i := range answer.readings {
		scope := scopes[i]
		for k := range scope.threads {
			if !passes {
				scope.threads[k].passes = 0
			}
		}
		if answer.readings[i] == nil {
			answer.readings[i] = &reading{}
		}
		answer.readings[i].scope = scope
	}
	var ds []*Detector
	var texts []string
	var gone [][]bool
	cfg := c.config()
	cfg.Answer = answer
	for range 4 {
		cfg.Channel = len(ds)
		cfg.Beside = slices.ContainsFunc(c.turns, func(t saying) bool { return t.channel == len(ds) && t.strand >= beside })
		cfg.Tokens = slices.ContainsFunc(c.turns, func(t saying) bool { return t.channel == len(ds) && t.strand == tokens })
		ds, texts, gone = append(ds, New(c.index, spec(c.n), cfg)), append(texts, ""), append(gone, nil)
	}
	mark := func(channel int, s Segment) {
		for i := s.Span.Lo; s.Finding != nil && i < s.Span.Hi; i++ {
			gone[channel][i] = true
		}
	}
	take := func(channel int, segments []Segment) {
		for _, s := range segments {
			mark(channel, s)
		}
		late, _ := answer.Take(nil, nil)
		for _, l := range late {
			if !parks {
				mark(l.Channel, l.Segment)
			}
		}
	}
	for _, turn := range c.turns {
		d := ds[turn.channel]
		at, strand := int64(len(texts[turn.channel])), turn.strand%beside%Aside
		d.SetStrand(at, strand)
		for _, x := range turn.between {
			d.SetStrand(at+x[0], Aside)
			d.SetStrand(at+x[1], strand)
		}
		for i, p := range randomPieces(r, turn.text) {
			d.cfg.Pieces = turn.piece && i == 0
			texts[turn.channel] += p
			gone[turn.channel] = append(gone[turn.channel], make([]bool, len(p))...)
			take(turn.channel, d.Append(nil, []byte(p)))
		}
		if parks && r.IntN(3) == 0 {
			k := r.IntN(len(ds))
			take(k, ds[k].Park(nil))
		}
	}
	for k, d := range ds {
		take(k, d.Finish(nil))
	}
	answer.Finish()
	take(0, nil)

	allowed := make([][]bool, len(ds)) // bytes that some run covers
	for k, text := range texts {
		allowed[k] = c.set.oracle(text, ngram.WordWeight*ngram.Weight(max(c.n, c.minWords)), c.messages, "", "").acted
		for i, must := range allowed[k] {
			if must && !gone[k][i] && !parks {
				t.Fatalf("seed %d: byte %d of channel %d is not withheld\n%s", c.seed, i, k, c)
			}
		}
	}
	for i := range threadsEach * (ofPieces + len(ds)) {
		reading, thread := i/threadsEach, i%threadsEach
		j := c.threadText(reading, thread)
		text, places, joints := j.text, j.places, j.pieces
		c.cutRuns(&j, max(c.n, c.minWords), func(run [][]place, fresh bool) {
			left, all := 0, slices.Concat(run...)
			for _, at := range run {
				if last := at[len(at)-1]; !gone[last.channel][last.at] {
					left++
				}
				for _, p := range at {
					allowed[p.channel][p.at] = true
				}
			}
			if crosses := reading < ofAll || c.mixes(all); crosses && fresh && !passes && (left > 0 && !parks || left >= len(run)) {
				t.Fatalf("seed %d: %d of %d words of a cut run of thread %d of reading %d left: %v of %q\n%s", c.seed, left, len(run), thread, reading, run, text, c)
			}
		})
		for _, run := range c.threadRuns(text) {
			weight, crosses := 0, reading < ofPieces
			if end := run[len(run)-1].Span.Hi; reading == ofAll && int(end) < len(places) && places[end].channel < 0 {
				// Its last word may be the beginning of one. Words of one strand are those of another reading.
				crosses = c.mixes(places[run[0].Span.Lo:end])
			}
			for k, w := range run {
				last := places[w.Span.Hi-1]
				if !gone[last.channel][last.at] {
					weight++
				}
				crosses = crosses || reading >= ofPieces && k > 0 && joints[int(w.Span.Lo)]
				for i := w.Span.Lo; i < w.Span.Hi; i++ {
					allowed[places[i].channel][places[i].at] = true
				}
			}
			if crosses && (weight > 0 && !parks || weight >= max(c.n, c.minWords)) {
				t.Fatalf("seed %d: %d of %d words of a run of thread %d of reading %d left: %q\n%s", c.seed, weight, len(run), thread, reading, text[run[0].Span.Lo:run[len(run)-1].Span.Hi], c)
			}
		}
	}
	length := map[int]int{}
	for _, turn := range c.turns { // a channel may end where another one goes on
		length[turn.channel] += len(turn.text)
		text := texts[turn.channel][:length[turn.channel]]
		for i, may := range c.set.oracle(text, ngram.WordWeight*ngram.Weight(max(c.n, c.minWords)), c.messages, "", "").acted {
			allowed[turn.channel][i] = allowed[turn.channel][i] || may
		}
	}
	for k, text := range texts {
		for _, w := range wordsOf(text) {
			if i := w.Span.Lo; gone[k][i] && !slices.Contains(allowed[k][i:w.Span.Hi], true) && !parks && !passes && !c.goesOn(k, text, w.Span) {
				t.Fatalf("seed %d: %q of channel %d is withheld, and in no run\n%s", c.seed, text[i:w.Span.Hi], k, c)
			}
		}
	}
}

// goesOn reports whether a word of a channel is part of a run with words of a message, behind
// which a later text of the channel goes on.
func (c conversation) goesOn(channel int, text string, word ngram.Span) bool {
	at := []int64{0}
	for _, turn := range c.turns {
		if turn.channel == channel {
			begin := at[len(at)-1]
			for _, b := range turn.between {
				at = append(at, begin+int64(b[0]), begin+int64(b[1]))
			}
			at = append(at, begin+int64(len(turn.text)))
		}
	}
	for _, lo := range at {
		for _, hi := range at {
			if lo <= word.Lo && word.Hi <= hi && slices.Contains(c.set.oracle(text[lo:hi], ngram.WordWeight*ngram.Weight(max(c.n, c.minWords)), c.messages, "", "").acted[word.Lo-lo:word.Hi-lo], true) {
				return true
			}
		}
	}
	return false
}

func (c conversation) String() string {
	return fmt.Sprintf("n %d least %d release %d lie %d, records %q, messages %q, turns %v", c.n, c.minWords, c.release, c.set.lie, c.records, c.messages, c.turns)
}

// TestAnswerOracle: of every run of a joined text of an answer all words are withheld, as
// long as the channels have not left; if they are parked now and then, fewer words than a
// run has leave. No word outside of a run is withheld, but for runs over words that are passed
// over.
func TestAnswerOracle(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Fewer(2000)) {
		checkConversation(t, randomConversation(seed), false)
		checkConversation(t, randomConversation(seed), true)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(uint64(1), false)
	f.Add(uint64(2), true)
	f.Fuzz(func(t *testing.T, seed uint64, parks bool) { checkConversation(t, randomConversation(seed), parks) })
}

// TestAnswerManyNames: a record that is cut over two strings of a channel is found, however many
// names are between them.
func TestAnswerManyNames(t *testing.T) {
	t.Parallel()
	words := strings.Fields(record)[:12]
	for _, names := range []int{0, 1, 31, 32, 33, 100, 1000} {
		for _, cut := range []bool{false, true} {
			for _, set := range []Index{newPlainSet(10, record), newWordSet(10, record)} {
				first, second := strings.Join(words[:6], " ")+" ", strings.Join(words[6:], " ")
				if cut {
					first, second = first+words[6][:2], second[2:]
				}
				d := New(set, spec(10), Config{Answer: &Answer{}})
				say := func(s Strand, text string) {
					d.SetStrand(d.main.Offset(), s)
					for ; len(text) > 0; text = text[min(len(text), 700):] {
						d.Append(nil, []byte(text[:min(len(text), 700)]))
					}
				}
				say(Texts, first)
				say(Aside, `", "`)
				for range names {
					say(Keys, `name": "`)
					say(Aside, `", "`)
				}
				say(Texts, second)
				d.Finish(nil)
				d.cfg.Answer.Finish()
				if _, found := d.cfg.Answer.Take(nil, nil); len(found) != 1 || found[0].Words != 12 {
					t.Errorf("%d names, cut %v: %v", names, cut, found)
				}
			}
		}
	}
}

// TestAnswerIsBounded: a record that is cut into words over two channels is one finding, and
// neither its parts nor the claims of the channels grow with it.
func TestAnswerIsBounded(t *testing.T) {
	t.Parallel()
	var words []string
	for i := range 5000 {
		words = append(words, fmt.Sprintf("word%d ", i))
	}
	for _, judge := range []func(*Finding) Action{nil, always(Observe)} {
		for _, extent := range []Extent{ExtentSpan, ExtentSentence, ExtentRest} {
			answer := &Answer{}
			var ds []*Detector
			for i := range 2 {
				ds = append(ds, New(newPlainSet(10, strings.Join(words, "")), spec(10), Config{Answer: answer, Channel: i, Judge: judge, Extent: extent}))
			}
			var findings []*Finding
			left := 0
			for i, w := range words {
				d := ds[i%2]
				for _, s := range d.Append(nil, []byte(w)) {
					if s.Finding == nil {
						left += int(s.Span.Hi - s.Span.Lo)
					}
				}
				d.Park(nil)
				_, findings = answer.Take(nil, findings)
				if n := len(d.host.list); n > 4 {
					t.Fatalf("%d claims after %d words: %v emitted %d", n, i, d.host.list, d.host.emitted)
				}
			}
			for _, d := range ds {
				d.Finish(nil)
			}
			answer.Finish()
			_, findings = answer.Take(nil, findings)
			if len(findings) != 1 || findings[0].Words != 5000 || len(findings[0].Parts) != maxParts || judge == nil && left > 9*9 {
				t.Errorf("%v: %d findings, %d words left: %+v", extent, len(findings), left, findings)
			}
		}
	}
}

// TestAnswerPhrases: an identifier that is cut over two channels is withheld in both, as
// far as it has not left.
func TestAnswerPhrases(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ first, second, want string }{
		{"mail jo@", "example.org now", "mail ¤@|¤ now"},
		{"mail jo", "@example.org", "mail ¤|@¤"},
		{"mail jo@example", "org.", "mail ¤|¤."},
		{"write to jo@example.org", " or jo@example.org now", "write to ¤| or ¤ now"},
		{"Ann lives ", "in Berlin", "¤ lives |in ¤"},
		{"ask ann@mail.example", " in Berlin", "ask ¤| in ¤"},
		{"Kim lives ", "in Berlin", "Kim lives |in Berlin"},
		{"mail jo. ", "fine example.org", "mail jo. |fine example.org"},
	} {
		answer := &Answer{}
		var ds []*Detector
		for i := range 2 {
			ds = append(ds, New(parts{Set: newPlainSet(10, record), phrases: newPlainPhrases(people())}, spec(10), Config{Answer: answer, Channel: i}))
		}
		texts := []string{tt.first, tt.second}
		gone := [][]bool{make([]bool, len(tt.first)), make([]bool, len(tt.second))}
		mark := func(k int, s Segment) {
			for i := s.Span.Lo; s.Finding != nil && i < s.Span.Hi; i++ {
				gone[k][i] = true
			}
		}
		for _, step := range []func(k int) []Segment{
			func(k int) []Segment { return ds[k].Append(nil, []byte(texts[k])) },
			func(k int) []Segment { return ds[k].Finish(nil) },
		} {
			for k := range ds {
				for _, s := range step(k) {
					mark(k, s)
				}
			}
		}
		late, _ := answer.Take(nil, nil)
		for _, l := range late {
			mark(l.Channel, l.Segment)
		}
		answer.Finish()
		var got []string
		for k, text := range texts {
			var b strings.Builder
			for i := range len(text) {
				if !gone[k][i] {
					b.WriteByte(text[i])
				} else if i == 0 || !gone[k][i-1] {
					b.WriteString("¤")
				}
			}
			got = append(got, b.String())
		}
		if s := strings.Join(got, "|"); s != tt.want {
			t.Errorf("%q, %q: %q, want %q", tt.first, tt.second, s, tt.want)
		}
	}
}
