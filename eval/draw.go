package eval

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"noecho/index/corpus"
	"noecho/ngram"
)

// Passages are drawn by position. Every word of a text from which enough words
// follow begins a passage: the shortest one of the weight asked for. A first pass
// over the corpus counts them, a second one cuts out those that were chosen. Some
// more are chosen than are wanted, because a few turn out to be of no use: they
// read otherwise on their own, or hold a window that the index leaves out.
//
// Worked example: of the text "a b c d" passages of three words begin at "a" and
// at "b"; "c" and "d" begin none.
const spare = 2 // chosen for each one wanted

// maxPassage bounds a passage in bytes. Longer ones hold more that is no word
// than words, and the detector has a rule of its own for those.
const maxPassage = 16 << 10

// draw finds the passages of every length.
func (m *measurement) draw(ctx context.Context) error {
	inputs, err := m.find(m.o.Corpus, m.o.Read)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, in := range inputs {
		total += max(0, in.Size)
	}
	m.lengths = m.o.need()

	m.o.Progress.next(total)
	counts := make([]int, len(m.lengths))
	first := m.counter(counts)
	if m.size, err = readTexts(ctx, inputs, first, m.o.Progress); err != nil {
		return err
	}
	m.size.Words = first.seen
	if counts[slices.Index(m.lengths, m.o.Words)] == 0 {
		return fmt.Errorf("%w: none has %d words", ErrNoPassages, m.o.Words)
	}
	if left := m.filler.seal(); left < minFiller {
		return fmt.Errorf("the corpus holds all but %d of the invented words; nothing neutral is left to stand passages in", left)
	}

	m.o.Progress.next(total)
	second, found := m.cutter(counts)
	if _, err := readTexts(ctx, inputs, second, m.o.Progress); err != nil {
		return err
	}
	for i := range m.lengths {
		m.drawn = append(m.drawn, m.choose(found[i]))
	}
	if len(m.drawn[slices.Index(m.lengths, m.o.Words)]) == 0 {
		return fmt.Errorf("%w: every passage of %d words holds windows that the index leaves out", ErrNoPassages, m.o.Words)
	}
	return m.known()
}

// find looks for files.
func (m *measurement) find(args []string, o corpus.Options) ([]corpus.Input, error) {
	inputs, skipped, err := corpus.Find(args, nil, o)
	if err != nil {
		return nil, err
	}
	for _, s := range skipped {
		if s.Reason != corpus.Hidden {
			m.o.Notice(s.Path + ": not read: " + s.Reason)
		}
	}
	for i := range inputs {
		if inputs[i].Decided && inputs[i].Format != corpus.Text {
			m.o.Notice(inputs[i].String())
		}
	}
	return inputs, nil
}

// choose takes as many passages as are wanted, in the order they were chosen.
func (m *measurement) choose(found []*passage) []passage {
	var some []passage
	for _, p := range found {
		switch {
		case len(some) == m.o.Passages:
			return some
		case p == nil: // of no use
		case m.o.Excluded && !m.indexed(p):
			m.left++
		default:
			some = append(some, *p)
		}
	}
	return some
}

// indexed reports whether every window of a passage stands in the index.
func (m *measurement) indexed(p *passage) bool {
	all := true
	windows(p.words, m.o.Spec.N, func(_ int, h ngram.Hash) { all = all && m.o.Set.Window(h) })
	return all
}

// known makes sure that this is the corpus of the index.
func (m *measurement) known() error {
	for _, drawn := range m.drawn {
		for i := range drawn {
			if m.indexed(&drawn[i]) {
				return nil
			}
		}
	}
	return ErrOtherCorpus
}

// counter returns the first pass, which counts the passages of each length.
func (m *measurement) counter(counts []int) *passageScanner {
	s := newPassageScanner(m.o.Spec, m.lengths)
	s.onWords = m.filler.strike
	s.onPassage = func(length int) { counts[length]++ }
	if m.outputs != nil {
		s.onWindow = m.outputs.mark
	}
	return s
}

// cutter returns the second pass, which cuts out the passages at chosen positions,
// and where they will be: for each length, in the order they were chosen, nil
// where one is of no use.
func (m *measurement) cutter(counts []int) (*passageScanner, [][]*passage) {
	s := newPassageScanner(m.o.Spec, m.lengths)
	picks := make([][]pick, len(counts))
	found := make([][]*passage, len(counts))
	next := make([]int, len(counts))
	for i, n := range counts {
		picks[i] = pickSome(newRand(m.o.Seed, fmt.Sprintf("passages of %d words", m.lengths[i])), n, spare*m.o.Passages)
		found[i] = make([]*passage, len(picks[i]))
	}
	s.onPassage = func(length int) {
		if at := picks[length]; len(at) > 0 && at[0].at == next[length] {
			found[length][at[0].order] = s.cut(length)
			picks[length] = at[1:]
		}
		next[length]++
	}
	return s, found
}

// pick is a chosen position, and which one it was.
type pick struct{ at, order int }

// pickSome chooses distinct positions below n and returns them in ascending order.
func pickSome(rng *rand.Rand, n, want int) []pick {
	taken := map[int]bool{}
	var picks []pick
	for len(picks) < min(n, want) {
		at := rng.IntN(n)
		for taken[at] {
			at = (at + 1) % n
		}
		taken[at] = true
		picks = append(picks, pick{at: at, order: len(picks)})
	}
	slices.SortFunc(picks, func(a, b pick) int { return cmp.Compare(a.at, b.at) })
	return picks
}
