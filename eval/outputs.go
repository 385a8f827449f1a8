package eval

import (
	"context"

	"noecho/index/corpus"
	"noecho/ngram"
)

// maxWindows bounds the windows of stored answers that are compared with the
// corpus: some 2 GB of memory.
const maxWindows = 20_000_000

// Outputs are the figures of stored answers. Quoted words are in runs of n words or
// more that the corpus contains. They are found by a comparison of all windows that
// uses neither the filters of the index nor the detector.
type Outputs struct {
	Files    int `json:"files"`
	Words    int `json:"words"`
	Quoted   int `json:"quoted"`
	Withheld int `json:"withheld"` // of the quoted ones
	Near     int `json:"near"`     // withheld as near matches and not quoted
	Lanes    int `json:"lanes"`    // withheld because of a finding in another lane, and not quoted
	Beyond   int `json:"beyond"`   // withheld for another reason, and not quoted
	Longest  int `json:"longest"`  // words of the longest quotation

	Unscanned int `json:"unscanned,omitempty"` // files with text in rows that is not read

	unread string // which text of the first of these files
}

// outputs is stored answers, and their windows that are in the corpus.
type outputs struct {
	m       *measurement
	inputs  []corpus.Input
	windows map[ngram.Hash]bool // true: seen in the corpus
	figures Outputs
}

// mark notes that a window is in the corpus.
func (o *outputs) mark(h ngram.Hash) {
	if _, asked := o.windows[h]; asked {
		o.windows[h] = true
	}
}

// each calls f with every text of the answers and its words.
func (o *outputs) each(ctx context.Context, f func(text []byte, words []ngram.Word) error) error {
	v := &wholeTexts{scan: ngram.NewScanner(o.m.o.Spec.Suite), f: f}
	size, err := readTexts(ctx, o.inputs, v, new(Progress))
	if v.err != nil {
		return v.err
	}
	o.figures.Unscanned, o.figures.unread = size.Unscanned, size.unread
	return err
}

// judge reads the answers through the detector.
func (o *outputs) judge(ctx context.Context) error {
	r := newReader(&o.m.o)
	o.figures.Files = len(o.inputs)
	return o.each(ctx, func(text []byte, words []ngram.Word) error {
		if err := r.read(text); err != nil {
			return err
		}
		quoted := o.quoted(words)
		for i, w := range words {
			at := extent{int(w.Span.Lo), int(w.Span.Hi)}
			switch gone := r.withheld(at); {
			case gone && quoted[i]:
				o.figures.Withheld++
			case gone && r.near(at):
				o.figures.Near++
			case gone && inside(r.laned, at):
				o.figures.Lanes++
			case gone:
				o.figures.Beyond++
			}
		}
		o.figures.Words += len(words)
		return nil
	})
}

// quoted returns for each word whether it is part of a quotation: consecutive windows
// of the corpus that weigh enough together.
func (o *outputs) quoted(words []ngram.Word) []bool {
	spec := o.m.o.Spec
	marked := make([]bool, len(words))
	windows(words, spec.N, func(first int, h ngram.Hash) {
		marked[first] = o.windows[h] && (!o.m.o.Excluded || o.m.o.Set.Window(h))
	})
	quoted := make([]bool, len(words))
	known := func(i int) bool { return marked[i] }
	weight := func(i int) ngram.Weight { return words[i].Weight }
	runsOfWindows(len(words), spec.N, known, weight, func(lo, hi int) {
		o.figures.Longest = max(o.figures.Longest, hi-lo)
		for i := lo; i < hi; i++ {
			quoted[i] = true
		}
	})
	for _, q := range quoted {
		if q {
			o.figures.Quoted++
		}
	}
	return quoted
}
