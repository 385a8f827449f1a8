package detect

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// strictCase is one setting of the finders.
type strictCase struct {
	name            string
	ledger, phrases bool
	words           bool
	cfg             Config
}

func strictCases() (all []strictCase) {
	for bits := range 8 {
		c := strictCase{ledger: bits&1 > 0, phrases: bits&2 > 0, words: bits&4 > 0}
		for _, lanes := range []Lanes{0, AllLanes} {
			for _, least := range []int{0, 14}[:2-min(1, lanes)] {
				c.cfg = Config{Release: Strict, Lanes: lanes, MinWords: least}
				c.name = fmt.Sprintf("ledger %v, phrases %v, words %v, lanes %x, least %d", c.ledger, c.phrases, c.words, lanes, least)
				all = append(all, c)
			}
		}
	}
	return all
}

// index returns an index of records and phrases that answers as the case asks.
func (c *strictCase) index(records []string, phrases *plainPhrases) Index {
	set := newWordSet(10, records...)
	p := parts{Set: set.plainSet}
	if c.ledger {
		p.ledger = newPlainLedger(10, records...)
	}
	if c.phrases {
		p.phrases = phrases
	}
	if c.words {
		p.words = set
	}
	return p
}

// released returns the offset up to which bytes of each channel are released behind each piece
// of an answer, nil if something is withheld. A channel is parked when another one goes on,
// as the proxy parks it.
func released(t *testing.T, ix Index, cfg Config, pieces []saying) (ends []int64) {
	t.Helper()
	var ds []*Detector
	var segs []Segment
	withheld := false
	take := func(d *Detector) {
		for _, s := range segs {
			withheld = withheld || s.Finding != nil
		}
		segs = segs[:0]
		ends = append(ends, d.Frontier())
	}
	answer := &Answer{}
	last := 0
	for _, p := range pieces {
		for len(ds) <= p.channel {
			c := cfg
			c.Channel, c.Answer = len(ds), answer
			if len(ds) > 0 {
				c.Prompt = cfg.Prompt.ExcuseOnly()
			}
			ds = append(ds, New(ix, spec(10), c))
		}
		if last != p.channel {
			segs = ds[last].Park(segs)
			take(ds[last])
			last = p.channel
		}
		d := ds[last]
		d.SetStrand(d.main.Offset(), p.strand)
		segs = d.Append(segs, []byte(p.text))
		take(d)
	}
	for _, d := range ds {
		segs = d.Finish(segs)
		take(d)
	}
	answer.Finish()
	late, _ := answer.Take(nil, nil)
	if withheld || len(late) > 0 {
		return nil
	}
	return ends
}

// same reports the first piece behind which an index that knows a text releases other bytes
// than one that does not.
func same(t *testing.T, about string, known, unknown []int64) bool {
	t.Helper()
	for k := range known {
		if known[k] != unknown[k] {
			t.Errorf("%s: %d bytes released behind piece %d under an index that knows it, %d under one that does not", about, known[k], k, unknown[k])
			return false
		}
	}
	return true
}

// invented returns a text of invented words of the same letters' number, case and gaps.
func invented(r *rand.Rand, text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return rune("etaoinshrdlu"[r.IntN(12)])
		case c >= 'A' && c <= 'Z':
			return rune("ETAOINSHRDLU"[r.IntN(12)])
		case c >= '0' && c <= '9':
			return rune('0' + r.IntN(10))
		}
		return c
	}, text)
}

// prefixOf returns the first words of a text.
func prefixOf(text string, words int) string {
	w := wordsOf(text)
	if words = min(words, len(w)); words == 0 {
		return ""
	}
	return text[:w[words-1].Span.Hi]
}

// strictTexts are texts that one index knows, and another one does not.
type strictTexts struct {
	records, others []string
	known, none     *plainPhrases
	beginnings      []string // of records and phrases, of 0 words and more
	spelled         []string // the same for lanes
}

func newStrictTexts(r *rand.Rand) *strictTexts {
	s := &strictTexts{
		records: []string{record, laneRecord},
		others:  []string{"Nothing of this text occurs in any of the channels that the test reads here or there, and so no gram of it does either"},
		known:   newPlainPhrases(people()), none: newPlainPhrases(nil),
	}
	for i := range 4 {
		text, _ := story(uint64(i), 60)
		s.others = append(s.others, text)
	}
	for k := range 10 {
		for _, text := range s.records {
			s.beginnings = append(s.beginnings, prefixOf(text, k))
		}
	}
	for _, text := range slices.Sorted(maps.Keys(people())) {
		for k := range len(wordsOf(text)) {
			s.beginnings = append(s.beginnings, prefixOf(text, k))
		}
	}
	s.beginnings = append(s.beginnings, "Ann", "Berlin", "Kim", "Bo")
	for _, spelled := range spellings(prefixOf(laneRecord, 9)) {
		s.spelled = append(s.spelled, spelled)
	}
	for _, name := range slices.Sorted(maps.Keys(letterGaps)) {
		s.spelled = append(s.spelled, letterGaps[name](r, strings.Fields(prefixOf(laneRecord, 9))))
	}
	return s
}

const (
	strictBefore = "It was a quiet day in the hills, and then somebody said: "
	strictAfter  = " but went on to other things that have no part in any record, were told a dozen times before, and never mattered much to him or her."
)

// TestStrictTellsNothing: in strict release the bytes that are released behind each piece do
// not depend on the index: they are the same for the beginning of a record, of a phrase or of
// a subject's attributes, for the same text under an index that does not know it, and for an
// invented text of the same shape.
func TestStrictTellsNothing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 5))
	texts := newStrictTexts(r)
	for _, c := range strictCases() {
		a, b := c.index(texts.records, texts.known), c.index(texts.others, texts.none)
		beginnings := texts.beginnings
		if c.cfg.Lanes != 0 {
			beginnings = slices.Concat(beginnings, texts.spelled)
		}
		for _, begin := range beginnings {
			text := strictBefore + begin + strictAfter
			for _, pieces := range splitsOf(r, saying{text: text}) {
				got := released(t, a, c.cfg, pieces)
				if !same(t, fmt.Sprintf("%s: %q in %d pieces", c.name, begin, len(pieces)), got, released(t, b, c.cfg, pieces)) {
					break
				}
			}
			if c.cfg.Lanes != 0 {
				continue // lanes wake by letters, which are others in invented text
			}
			other := strictBefore + invented(r, begin) + strictAfter
			pieces := splitsOf(r, saying{text: text}, saying{text: other})
			same(t, fmt.Sprintf("%s: %q, not %q", c.name, begin, other), released(t, a, c.cfg, pieces[0][:len(text)]), released(t, a, c.cfg, pieces[0][len(text):]))
		}
	}
}

// TestStrictTellsNothingOfRules: nor does a finding that is only observed show.
func TestStrictTellsNothingOfRules(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 5))
	texts := newStrictTexts(r)
	whole := []string{record, laneRecord, strings.Replace(laneRecord, "every report", "each one", 1), "jo@example.org.uk", "Ann was in Berlin", "Ann Ray in Berlin", "Bo and Kim"}
	for _, spelled := range spellings(laneRecord) {
		whole = append(whole, spelled)
	}
	for _, name := range slices.Sorted(maps.Keys(letterGaps)) {
		whole = append(whole, letterGaps[name](r, strings.Fields(laneRecord)))
	}
	for _, c := range strictCases() {
		c.cfg.Judge = func(*Finding) Action { return Observe }
		a, b := c.index(texts.records, texts.known), c.index(texts.others, texts.none)
		for _, text := range whole {
			for _, pieces := range splitsOf(r, saying{text: strictBefore + text + strictAfter}) {
				if !same(t, fmt.Sprintf("%s: %q in %d pieces", c.name, text, len(pieces)), released(t, a, c.cfg, pieces), released(t, b, c.cfg, pieces)) {
					break
				}
			}
		}
	}
}

// TestStrictTellsNothingOfAnswers: nor does a beginning that is cut over several channels,
// strands, or the prompt and the answer.
func TestStrictTellsNothingOfAnswers(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 5))
	texts := newStrictTexts(r)
	for _, c := range strictCases() {
		a, b := c.index(texts.records, texts.known), c.index(texts.others, texts.none)
		for _, begin := range texts.beginnings {
			words := strings.SplitAfter(begin, " ")
			for range 4 {
				text, cfgs := randomAnswer(r, words, c.cfg)
				for _, pieces := range splitsOf(r, text...) {
					got := released(t, a, cfgs(a, c.phrases), pieces)
					if !same(t, fmt.Sprintf("%s: %q in %d pieces, %+v", c.name, begin, len(pieces), text), got, released(t, b, cfgs(b, c.phrases), pieces)) {
						return
					}
				}
			}
		}
	}
}

// randomAnswer cuts words over a prompt and the channels and strands of an answer.
func randomAnswer(r *rand.Rand, words []string, cfg Config) (text []saying, cfgs func(Index, bool) Config) {
	n := r.IntN(len(words) + 1)
	tail := strings.Join(words[:n], "")
	words = words[n:]
	if r.IntN(3) == 0 { // within a word
		rest := strings.Join(words, "")
		n := r.IntN(len(rest) + 1)
		tail, words = tail+rest[:n], strings.SplitAfter(rest[n:], " ")
	}
	joint := r.IntN(3)
	for len(words) > 0 {
		n := 1 + r.IntN(len(words))
		s := saying{channel: r.IntN(3), strand: Strand(r.IntN(2) * r.IntN(3)), text: strings.Join(words[:n], "")}
		if r.IntN(4) == 0 {
			s.text = " \n" + s.text
		}
		text, words = append(text, s), words[n:]
	}
	if r.IntN(2) == 0 {
		text = append([]saying{{text: strictBefore}}, text...)
	}
	text = append(text, saying{channel: r.IntN(2), text: strictAfter})
	return text, func(ix Index, phrases bool) Config {
		cfg := cfg
		p := &Prompt{}
		if joint != 1 {
			p.Tail = []byte(strictAfter + tail)
		}
		if joint > 0 {
			p.Messages = []*Message{NewMessage(ix, spec(10), []byte(tail))}
		}
		cfg.Prompt = p
		return cfg
	}
}

// splitsOf returns cuts of the texts of an answer: into their bytes, into pieces of some
// sizes, and one cut at each of some bytes.
func splitsOf(r *rand.Rand, texts ...saying) [][]saying {
	all := make([][]saying, 5)
	for _, s := range texts {
		for i, pieces := range [][]string{
			strings.Split(s.text, ""), {s.text}, chunksOf(s.text, 7), chunksOf(s.text, 40), randomPieces(r, s.text),
		} {
			for _, p := range pieces {
				all[i] = append(all[i], saying{channel: s.channel, strand: s.strand, text: p})
			}
		}
	}
	return all
}

// chunksOf cuts a text into pieces of so many bytes.
func chunksOf(text string, size int) (pieces []string) {
	for p := range slices.Chunk([]byte(text), size) {
		pieces = append(pieces, string(p))
	}
	return pieces
}
