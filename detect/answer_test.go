package detect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/ngram"
)

// saying is a text that a channel of an answer says before another one goes on.
type saying struct {
	channel int
	strand  Strand
	text    string
	piece   bool // it may begin a word, although the channel goes on with it
}

// conversation is a random corpus and an answer of several channels.
type conversation struct {
	scenario
	turns []saying
	seed  uint64
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
	for range 1 + r.IntN(3) {
		var record []string
		for range c.n + r.IntN(30) {
			record = append(record, words[r.IntN(len(words))])
		}
		c.records = append(c.records, strings.Join(record, " "))
	}
	c.set = newPlainSet(c.n, c.records...)
	c.set.lie = []uint64{0, 3, 20, 200}[r.IntN(4)]
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
	for len(all) > 0 {
		n := min(len(all), 1+r.IntN(most))
		text := strings.Join(all[:n], []string{" ", ", ", "\n"}[r.IntN(3)])
		all = all[n:]
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
		switch r.IntN(3) {
		case 0:
			t.text += " "
		case 1:
			t.text = " " + t.text
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

// threadText returns the text of thread k of a reading and the place of each byte of it; a
// space is between two turns, and in the reading of pieces before each. joints has the
// offsets of those that go on with a channel.
func (c *conversation) threadText(reading, k int) (text string, places []place, joints map[int]bool) {
	var b strings.Builder
	joints = map[int]bool{}
	length := map[int]int{}
	last := saying{channel: -1}
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
			b.WriteByte(' ')
			places = append(places, place{-1, 0})
		}
		joints[b.Len()] = joint && b.String()[b.Len()-2] >= 'a' && t.text[0] >= 'a' // within a word of the channel
		for i := range len(t.text) {
			places = append(places, place{t.channel, lo + i})
		}
		b.WriteString(t.text)
		last = t
	}
	return b.String(), places, joints
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
	sent := map[ngram.Hash]bool{}
	for _, m := range c.messages {
		p := prefixes(wordsOf(m))
		for i := 0; i+c.n < len(p); i++ {
			sent[ngram.Gram(p[i], p[i+c.n], c.n)] = true
		}
	}
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
	for i := range answer.readings {
		scope := scopes[i]
		for k := range scope.threads {
			if !passes {
				scope.threads[k].passes = 0
			}
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
		ds, texts, gone = append(ds, New(c.set, spec(c.n), cfg)), append(texts, ""), append(gone, nil)
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
		d.SetStrand(int64(len(texts[turn.channel])), turn.strand%beside%Aside)
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
		text, places, joints := c.threadText(reading, thread)
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
			if i := w.Span.Lo; gone[k][i] && !slices.Contains(allowed[k][i:w.Span.Hi], true) && !parks && !passes {
				t.Fatalf("seed %d: %q of channel %d is withheld, and in no run\n%s", c.seed, text[i:w.Span.Hi], k, c)
			}
		}
	}
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
	for seed := range uint64(2000) {
		checkConversation(t, randomConversation(seed), false)
		checkConversation(t, randomConversation(seed), true)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(uint64(1), false)
	f.Add(uint64(2), true)
	f.Fuzz(func(t *testing.T, seed uint64, parks bool) { checkConversation(t, randomConversation(seed), parks) })
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
