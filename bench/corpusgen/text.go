package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
)

// The numbers of different parts of a corpus.
const (
	vocabulary = 200_000
	phrases    = 1_200_000
	sentences  = 20_000 // that are repeated
	systems    = 40     // system prompts
)

// generator makes text out of phrases. Not safe for concurrent use.
type generator struct {
	r      *rand.Rand
	words  [][]byte
	word   ranks
	lists  [][]int32 // phrases: ranks of words
	phrase ranks
	again  [][]byte // sentences that are repeated
	system [][]byte
	rows   uint64
	seed   uint64
}

// newGenerator makes the vocabulary and the phrases of a seed.
func newGenerator(seed uint64) *generator {
	g := &generator{r: rand.New(rand.NewPCG(seed, 2)), seed: seed}
	g.word = newRanks(vocabulary, 1.0)
	g.phrase = newRanks(phrases, 0.75)
	for i := range vocabulary {
		g.words = append(g.words, g.makeWord(i))
	}
	for range phrases {
		list := make([]int32, 1+g.r.IntN(5))
		for i := range list {
			list[i] = int32(g.word.pick(g.r))
		}
		g.lists = append(g.lists, list)
	}
	for range sentences {
		g.again = append(g.again, g.sentence(nil))
	}
	for range systems {
		g.system = append(g.system, g.sentence(nil))
	}
	return g
}

// ranks draws ranks by Zipf's law: the k-th of n is drawn with a probability
// proportional to 1/(k+2)^s.
type ranks struct{ guide []int32 }

// newRanks tabulates the inverse of the distribution.
func newRanks(n int, s float64) ranks {
	sum, cumulated := 0.0, make([]float64, n)
	for k := range cumulated {
		sum += math.Pow(float64(k+2), -s)
		cumulated[k] = sum
	}
	t := ranks{guide: make([]int32, 1<<22)}
	k := 0
	for i := range t.guide {
		for cumulated[k] < sum*(float64(i)+0.5)/float64(len(t.guide)) {
			k++
		}
		t.guide[i] = int32(k)
	}
	return t
}

func (t ranks) pick(r *rand.Rand) int { return int(t.guide[r.Uint32()>>10]) }

// makeWord makes up the word of a rank: rare words are longer, one in a hundred
// has an accent.
func (g *generator) makeWord(rank int) []byte {
	syllables := 1
	switch {
	case rank > 5000:
		syllables = 3 + g.r.IntN(2)
	case rank > 300:
		syllables = 2 + g.r.IntN(2)
	case rank > 30:
		syllables = 1 + g.r.IntN(2)
	}
	var w []byte
	for range syllables {
		w = append(w, "bcdfghklmnprstvw"[g.r.IntN(16)])
		w = append(w, "aeiou"[g.r.IntN(5)])
		if g.r.IntN(4) == 0 {
			w = append(w, "nrstl"[g.r.IntN(5)])
		}
	}
	if g.r.IntN(100) == 0 {
		w = append(w, "é"...)
	}
	return w
}

// sentence appends 5 to 25 words, most of them in phrases.
func (g *generator) sentence(dst []byte) []byte {
	first := len(dst)
	for left := 5 + g.r.IntN(21); left > 0; {
		list := g.lists[g.phrase.pick(g.r)]
		for i, w := range list {
			if len(dst) > first {
				if i == 0 && g.r.IntN(8) == 0 {
					dst = append(dst, ',')
				}
				dst = append(dst, ' ')
			}
			dst = append(dst, g.words[w]...)
		}
		left -= len(list)
		if g.r.IntN(50) == 0 { // a number, an order, a date
			dst = append(dst, ' ')
			dst = strconv.AppendInt(dst, int64(g.r.IntN(100_000)), 10)
		}
	}
	dst[first] -= 'a' - 'A'
	return append(dst, ".?!."[g.r.IntN(4)])
}

// text appends sentences up to a number of bytes.
func (g *generator) text(dst []byte, size int) []byte {
	for end := len(dst) + size; len(dst) < end; {
		if g.r.IntN(25) == 0 {
			dst = append(dst, g.again[g.r.IntN(1+g.r.IntN(sentences))]...)
		} else {
			dst = g.sentence(dst)
		}
		if g.r.IntN(6) == 0 {
			dst = append(dst, "\n\n"...)
		} else {
			dst = append(dst, ' ')
		}
	}
	return bytes.TrimRight(dst, " \n")
}

// paragraph appends some text and a blank line.
func (g *generator) paragraph(dst []byte) []byte {
	return append(g.text(dst, 200+g.r.IntN(1500)), "\n\n"...)
}

// row appends a chat of a system prompt, a question and an answer, and in one
// of four rows a second turn.
func (g *generator) row(dst []byte) []byte {
	g.rows++
	dst = append(dst, `{"id":"`...)
	dst = strconv.AppendUint(dst, g.seed, 10)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, g.rows, 10)
	dst = append(dst, `","messages":[{"role":"system","content":"`...)
	dst = quote(dst, g.system[g.r.IntN(systems)])
	turns := 1
	if g.r.IntN(4) == 0 {
		turns = 2
	}
	for range turns {
		dst = append(dst, `"},{"role":"user","content":"`...)
		dst = quote(dst, g.text(nil, 40+g.r.IntN(300)))
		dst = append(dst, `"},{"role":"assistant","content":"`...)
		dst = quote(dst, g.text(nil, 200+g.r.IntN(1500)))
	}
	return append(dst, "\"}]}\n"...)
}

// quote appends the inside of a JSON string.
func quote(dst, text []byte) []byte {
	for _, c := range text {
		switch c {
		case '\n':
			dst = append(dst, `\n`...)
		case '"', '\\':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
