package eval

import (
	"slices"

	"noecho/ngram"
)

// passageScanner passes over texts and tells of every passage in them. Its memory does not
// grow with the text, only with the lengths of passages.
type passageScanner struct {
	spec    ngram.Spec
	lengths []int

	onWords   func(words []ngram.Word)
	onPassage func(length int) // by its place in lengths; cut returns it
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

// take takes the words of a batch.
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
			for s.weight[len(s.queue)]-s.weight[s.heads[i]] >= int64(ngram.Words(length)) {
				if w.Span.Hi-s.queue[s.heads[i]].Span.Lo <= maxPassage {
					s.onPassage(i)
				}
				s.heads[i]++
			}
		}
	}
}

// cut returns the passage that onPassage was just told of; nil if it gives other
// words where it stands alone.
func (s *passageScanner) cut(length int) *passage {
	words := s.queue[s.heads[length]:]
	lo, hi := words[0].Span.Lo, words[len(words)-1].Span.Hi
	p, err := newPassage(s.spec, slices.Clone(s.raw[lo-s.rawLo:hi-s.rawLo]))
	if err != nil || !p.reads(hashes(words)) {
		return nil
	}
	return p
}

// trim forgets what no passage can begin with any more.
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
		// What is still to come ends behind the frontier.
		keep = max(s.queue[0].Span.Lo, keep-maxPassage)
	}
	s.raw = slices.Delete(s.raw, 0, int(keep-s.rawLo))
	s.rawLo = keep
}
