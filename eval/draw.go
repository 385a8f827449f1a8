package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"noecho/index/corpus"
	"noecho/ngram"
)

// Passages are drawn by position. Every word of a text that is followed by enough words
// begins a passage: the shortest one of the required weight. A first pass over the
// corpus counts the passages, a second one cuts out those that were chosen. Some more
// are chosen than are needed, because a few are useless: on their own they give other
// words, or they contain a window that the index leaves out.
//
// Worked example: in the text "a b c d" passages of three words begin at "a" and at
// "b"; "c" and "d" begin none.
const spare = 2 // chosen for each one needed

// maxPassage bounds a passage in bytes. Most bytes of a longer passage are not part of
// words, and the detector has a special rule for those.
const maxPassage = 16 << 10

// draw draws the passages of every length.
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
		return fmt.Errorf("the corpus contains all but %d of the invented words: too few are left to put passages between", left)
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
		return fmt.Errorf("%w: every passage of %d words contains windows that the index leaves out", ErrNoPassages, m.o.Words)
	}
	return m.known()
}

// find finds the input files.
func (m *measurement) find(args []string, o corpus.Options) ([]corpus.Input, error) {
	inputs, skipped, err := corpus.Find(args, nil, o)
	if err != nil {
		return nil, err
	}
	for _, s := range skipped {
		if !s.Meant() {
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

// choose takes as many useful passages as are needed, in the order in which they were
// chosen.
func (m *measurement) choose(found []*passage) []passage {
	var some []passage
	for _, p := range found {
		switch {
		case len(some) == m.o.Passages:
			return some
		case p == nil: // useless
		case m.o.Excluded && !m.indexed(p):
			m.left++
		default:
			some = append(some, *p)
		}
	}
	return some
}

// indexed reports whether every window of a passage is in the index.
func (m *measurement) indexed(p *passage) bool {
	all := true
	windows(p.words, m.o.Spec.N, func(_ int, h ngram.Hash) { all = all && m.o.Set.Window(h) })
	return all
}

// known returns ErrOtherCorpus unless the index has at least one of the passages.
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

// cutter returns the second pass, which cuts out the passages at the chosen positions,
// and the slices that it fills: the passages of each length, in the order in which they
// were chosen, nil for a useless one.
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

// pick is a chosen position, and its number in the order of choice.
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

// passageScanner reads texts and calls onPassage for every passage in them. Its memory
// depends on the lengths of passages, not on the length of the text.
type passageScanner struct {
	spec    ngram.Spec
	lengths []int

	onWords   func(words []ngram.Word)
	onPassage func(length int) // length is an index of lengths; cut returns the passage
	onWindow  func(h ngram.Hash)

	seen   int // words of all texts
	scan   *ngram.Scanner
	batch  []ngram.Word
	queue  []ngram.Word // the last words of the text
	prefix []uint64     // hash of the text before each of them, and behind the last
	weight []int64      // weight of the text before each of them, and behind the last
	heads  []int        // for each length, the word in queue that begins the next passage
	raw    []byte       // the text from rawLo on
	rawLo  int64
}

func newPassageScanner(spec ngram.Spec, lengths []int) *passageScanner {
	s := &passageScanner{spec: spec, lengths: lengths, scan: ngram.NewScanner(spec.Suite), heads: make([]int, len(lengths))}
	s.onWords = func([]ngram.Word) {}
	return s
}

func (s *passageScanner) begin() {
	s.scan.Reset()
	s.queue, s.prefix, s.weight = s.queue[:0], append(s.prefix[:0], 0), append(s.weight[:0], 0)
	clear(s.heads)
	s.raw, s.rawLo = s.raw[:0], 0
}

func (s *passageScanner) add(p []byte) {
	s.raw = append(s.raw, p...)
	s.batch = s.scan.Append(s.batch[:0], p)
	s.take()
	s.trim()
}

func (s *passageScanner) end() {
	s.batch = s.scan.Finish(s.batch[:0])
	s.take()
}

// take processes the words of a batch.
func (s *passageScanner) take() {
	s.seen += len(s.batch)
	s.onWords(s.batch)
	for _, w := range s.batch {
		s.queue = append(s.queue, w)
		s.prefix = append(s.prefix, ngram.Roll(s.prefix[len(s.prefix)-1], w.Hash))
		s.weight = append(s.weight, s.weight[len(s.weight)-1]+int64(w.Weight))
		if n := len(s.queue); s.onWindow != nil && n >= s.spec.N {
			s.onWindow(ngram.Gram(s.prefix[n-s.spec.N], s.prefix[n], s.spec.N))
		}
		for i, length := range s.lengths {
			for s.weight[len(s.queue)]-s.weight[s.heads[i]] >= int64(ngram.Weight(length)*ngram.WordWeight) {
				if w.Span.Hi-s.queue[s.heads[i]].Span.Lo <= maxPassage {
					s.onPassage(i)
				}
				s.heads[i]++
			}
		}
	}
}

// cut returns the passage of the current call of onPassage; nil if it gives other words
// on its own.
func (s *passageScanner) cut(length int) *passage {
	words := s.queue[s.heads[length]:]
	lo, hi := words[0].Span.Lo, words[len(words)-1].Span.Hi
	p, err := newPassage(s.spec, slices.Clone(s.raw[lo-s.rawLo:hi-s.rawLo]))
	if err != nil || !p.reads(hashes(words)) {
		return nil
	}
	return p
}

// trim drops the words and bytes at which no passage can begin any more.
func (s *passageScanner) trim() {
	gone := slices.Min(s.heads)
	s.queue = slices.Delete(s.queue, 0, gone)
	s.prefix = slices.Delete(s.prefix, 0, gone)
	s.weight = slices.Delete(s.weight, 0, gone)
	for i := range s.heads {
		s.heads[i] -= gone
	}
	keep := s.scan.Frontier()
	if len(s.queue) > 0 {
		// The next words end behind the frontier.
		keep = max(s.queue[0].Span.Lo, keep-maxPassage)
	}
	s.raw = slices.Delete(s.raw, 0, int(keep-s.rawLo))
	s.rawLo = keep
}

// passage is a sequence of words of one text of the corpus.
type passage struct {
	text  []byte
	words []ngram.Word // their spans count bytes of text
}

// lead is put in front of a passage before it is scanned: a number with a full stop is
// a word in the middle of a line, and the mark of a list at its beginning.
const lead = "x "

var errReadsOtherwise = errors.New("the passage gives other words on its own than in its text")

// newPassage finds the words of a text that is in the middle of a line.
func newPassage(spec ngram.Spec, text []byte) (*passage, error) {
	s := ngram.NewScanner(spec.Suite)
	words := s.Append(nil, append([]byte(lead), text...))
	words = s.Finish(s.Append(words, []byte("\n")))
	if len(words) < 2 || words[0].Span.Hi != 1 {
		return nil, errReadsOtherwise
	}
	words = words[1:]
	for i := range words {
		words[i].Span.Lo -= int64(len(lead))
		words[i].Span.Hi -= int64(len(lead))
	}
	return &passage{text: text, words: words}, nil
}

// hashes returns the hashes of words.
func hashes(words []ngram.Word) []uint64 {
	all := make([]uint64, len(words))
	for i, w := range words {
		all[i] = w.Hash
	}
	return all
}

// reads reports whether the passage consists of these words.
func (p *passage) reads(words []uint64) bool { return slices.Equal(hashes(p.words), words) }

// windows calls f for the hash of every window of n words.
func windows(words []ngram.Word, n int, f func(first int, h ngram.Hash)) {
	prefix := make([]uint64, 1, len(words)+1)
	for _, w := range words {
		prefix = append(prefix, ngram.Roll(prefix[len(prefix)-1], w.Hash))
	}
	for i := n; i < len(prefix); i++ {
		f(i-n, ngram.Gram(prefix[i-n], prefix[i], n))
	}
}

// runsOfWindows calls f(lo, hi) for every run of known windows of n words that weighs
// at least as much as n words; the run consists of words lo to hi-1. There are count
// words; known says whether the window that begins at a word is known.
func runsOfWindows(count, n int, known func(i int) bool, weight func(i int) ngram.Weight, f func(lo, hi int)) {
	for lo := 0; lo+n <= count; lo++ {
		if !known(lo) {
			continue
		}
		hi := lo + n
		for hi < count && known(hi-n+1) {
			hi++
		}
		sum := ngram.Weight(0)
		for i := lo; i < hi; i++ {
			sum += weight(i)
		}
		if sum >= ngram.Weight(n)*ngram.WordWeight {
			f(lo, hi)
		}
		lo = hi - n
	}
}
