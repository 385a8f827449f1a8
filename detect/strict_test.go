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
			for _, least := range []int{0, 14} {
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

// released returns the offset up to which bytes are released behind each piece of a text, nil
// if something is found in it.
func released(t *testing.T, ix Index, cfg Config, pieces []string) (ends []int64) {
	t.Helper()
	d := New(ix, spec(10), cfg)
	var segs []Segment
	for _, p := range pieces {
		segs = d.Append(segs[:0], []byte(p))
		ends = append(ends, d.Frontier())
	}
	d.Finish(segs[:0])
	if found := d.Closed(nil); len(found) > 0 {
		return nil
	}
	return ends
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

// TestStrictTellsNothing: in strict release the bytes that are released behind each byte do
// not depend on the index: they are the same for the beginning of a record, of a phrase or of
// a subject's attributes, for the same text under an index that does not know it, and for an
// invented text of the same shape.
func TestStrictTellsNothing(t *testing.T) {
	t.Parallel()
	records := []string{record, laneRecord}
	others := []string{"Nothing of this text occurs in any of the channels that the test reads here or there, and so no gram of it does either"}
	for i := range 4 {
		text, _ := story(uint64(i), 60)
		others = append(others, text)
	}
	subjects := []string{"Ann Ray", "Berlin", "Bo", "Ann", "Kim", "12 High Street", "long phrase of as many words as may be one two three four five six"}
	known := newPlainPhrases(people())
	for text, p := range people() {
		if !p.Weak {
			subjects = append(subjects, text)
		}
	}
	slices.Sort(subjects)
	none := newPlainPhrases(nil)
	r := rand.New(rand.NewPCG(3, 5))
	before := "It was a quiet day in the hills, and then somebody said: "
	after := " but went on to other things that have no part in any record, were told a dozen times before, and never mattered much to him or her."
	var beginnings []string
	for k := range 10 {
		for _, text := range records {
			beginnings = append(beginnings, prefixOf(text, k))
		}
	}
	for _, text := range subjects {
		for k := range len(wordsOf(text)) {
			beginnings = append(beginnings, prefixOf(text, k))
		}
	}
	beginnings = append(beginnings, "Ann", "Berlin", "Kim", "Bo")
	plain := len(beginnings)
	for _, spelled := range spellings(prefixOf(laneRecord, 9)) {
		beginnings = append(beginnings, spelled)
	}
	for _, name := range slices.Sorted(maps.Keys(letterGaps)) {
		beginnings = append(beginnings, letterGaps[name](r, strings.Fields(prefixOf(laneRecord, 9))))
	}
	for _, c := range strictCases() {
		a, b := c.index(records, known), c.index(others, none)
		for i, begin := range beginnings {
			text := before + begin + after
			for _, pieces := range splitsOf(r, text) {
				got := released(t, a, c.cfg, pieces)
				if want := released(t, b, c.cfg, pieces); got != nil && !slices.Equal(got, want) {
					k := 0
					for got[k] == want[k] {
						k++
					}
					t.Errorf("%s: %q in %d pieces: %d bytes released behind piece %d under an index that knows it, %d under one that does not",
						c.name, begin, len(pieces), got[k], k, want[k])
					break
				}
			}
			if c.cfg.Lanes != 0 || i >= plain {
				continue // lanes wake by letters, which are others in invented text
			}
			other := before + invented(r, begin) + after
			got, want := released(t, a, c.cfg, strings.Split(text, "")), released(t, a, c.cfg, strings.Split(other, ""))
			if got != nil && !slices.Equal(got, want) {
				t.Errorf("%s: other bytes are released of %q than of %q", c.name, begin, other)
			}
		}
	}
}

// splitsOf returns cuts of a text: into its bytes, into pieces of some sizes, and one cut at
// each of some bytes.
func splitsOf(r *rand.Rand, text string) [][]string {
	all := [][]string{strings.Split(text, ""), {text}}
	for _, size := range []int{2, 7, 40} {
		var pieces []string
		for p := range slices.Chunk([]byte(text), size) {
			pieces = append(pieces, string(p))
		}
		all = append(all, pieces)
	}
	at := r.IntN(len(text))
	return append(all, []string{text[:at], text[at:]}, randomPieces(r, text))
}
