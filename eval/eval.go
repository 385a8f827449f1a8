// Package eval measures how well detection works against disguises. It draws passages
// of an indexed corpus, puts each between invented text, disguises it in every way of a
// table, reads the result through the detector as an answer that comes in small pieces,
// and counts the words that were withheld and released. It also measures false alarms
// in text that the index has not seen.
//
// It knows the corpus, words, and the detector of package detect. It knows nothing of
// HTTP, of the format of an index, or of terminals. It keeps passages in memory while
// it measures and writes numbers: no report contains text of the corpus.
package eval

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"noecho/detect"
	"noecho/index/corpus"
	"noecho/ngram"
)

// Options describe a measurement. Set, Spec, Corpus, Passages and Words are
// required.
type Options struct {
	Set     detect.Index  // the index
	Spec    ngram.Spec    // how the index makes windows
	Detect  detect.Config // the settings of the detector
	Corpus  []string      // files, folders and patterns that the index was built from
	Outputs []string      // files of stored answers; may be empty
	Read    corpus.Options

	Passages int   // of each length
	Words    int   // in a passage that is disguised, weight counted
	Runs     []int // lengths of the passages without a disguise; a length that no text has gives an empty row
	Seed     uint64

	// Excluded says that the index leaves out some windows of its corpus. Passages that
	// contain such a window are then not drawn; without Excluded they are drawn and
	// count as missed.
	Excluded bool

	Progress *Progress         // may be nil
	Notice   func(note string) // may be nil
}

// Progress is the progress of a measurement. Safe for concurrent use.
type Progress struct {
	Step  atomic.Int64 // 1 to Steps
	Done  atomic.Int64 // of Total, in bytes while the corpus is read
	Total atomic.Int64
}

// Steps is the number of steps: the corpus is counted, passages are cut from it,
// and every disguise is measured.
const Steps = 3

// next begins the next step.
func (p *Progress) next(total int64) {
	p.Done.Store(0)
	p.Total.Store(total)
	p.Step.Add(1)
}

// ErrNoPassages is returned for a corpus without a passage to disguise.
var ErrNoPassages = errors.New("the corpus has no passage of the required length")

// ErrOtherCorpus is returned if no passage is in the index.
var ErrOtherCorpus = errors.New("no passage of the corpus is in the index")

// Run measures. The same options give the same report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	m := &measurement{o: o, filler: newFiller(o.Spec.Suite)}
	if err := m.readOutputs(ctx); err != nil {
		return nil, err
	}
	if err := m.draw(ctx); err != nil {
		return nil, err
	}
	if err := m.measure(ctx); err != nil {
		return nil, err
	}
	return m.report(), nil
}

// measurement is one run.
type measurement struct {
	o       Options
	filler  *filler
	outputs *outputs // nil: none were given
	size    CorpusSize

	lengths []int       // distinct ones, of Words and Runs
	drawn   [][]passage // for each length
	left    int         // passages that were not drawn because of exclusions

	verbatim  []Row
	disguised []Row
}

// need returns the distinct lengths of passages.
func (o *Options) need() []int {
	all := slices.Concat([]int{o.Words}, o.Runs)
	slices.Sort(all)
	return slices.Compact(all)
}

// measure reads every passage in every disguise.
func (m *measurement) measure(ctx context.Context) error {
	m.verbatim = make([]Row, len(m.o.Runs))
	m.disguised = make([]Row, len(disguises))
	m.o.Progress.next(int64(len(m.verbatim) + len(m.disguised)))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	job := func(row *Row, d *Disguise, length int) {
		g.Go(func() error {
			defer m.o.Progress.Done.Add(1)
			r := newReader(&m.o)
			got, err := m.row(ctx, r, d, m.drawn[slices.Index(m.lengths, length)])
			if err != nil {
				return fmt.Errorf("measure %s: %w", d.Name, err)
			}
			*row = got
			return nil
		})
	}
	for i, n := range m.o.Runs {
		job(&m.verbatim[i], asItIs(n), n)
	}
	for i := range disguises {
		job(&m.disguised[i], &disguises[i], m.o.Words)
	}
	if m.outputs != nil {
		g.Go(func() error { return m.outputs.judge(ctx) })
	}
	return g.Wait()
}

// row measures one disguise on all passages, and on filler of the same length.
func (m *measurement) row(ctx context.Context, r *reader, d *Disguise, passages []passage) (Row, error) {
	row := Row{Name: d.Name, Group: d.Group, Floor: d.floor(m.o.Words), FloorWithheld: d.withheld()}
	rng := newRand(m.o.Seed, d.Name)
	for i := range passages {
		if err := ctx.Err(); err != nil {
			return row, err
		}
		p := &passages[i]
		fill := m.filler.stream(rng)
		if err := r.passage(&row, fill.embed(d.apply(p, rng, fill))); err != nil {
			return row, err
		}
		control, err := newPassage(m.o.Spec, []byte(fill.text(len(p.words))))
		if err != nil {
			return row, err
		}
		if err := r.control(&row, fill.embed(d.apply(control, rng, fill))); err != nil {
			return row, err
		}
	}
	return row, nil
}

// readOutputs collects the windows of stored answers.
func (m *measurement) readOutputs(ctx context.Context) error {
	if len(m.o.Outputs) == 0 {
		return nil
	}
	inputs, err := m.find(m.o.Outputs, corpus.Options{Format: corpus.Auto, Whole: corpus.WholeFiles})
	if err != nil {
		return err
	}
	m.outputs = &outputs{m: m, inputs: inputs, windows: map[ngram.Hash]bool{}}
	o := m.outputs
	err = o.each(ctx, func(_ []byte, words []ngram.Word) error {
		windows(words, m.o.Spec.N, func(_ int, h ngram.Hash) { o.windows[h] = false })
		if len(o.windows) > maxWindows {
			return fmt.Errorf("the outputs have more than %d different windows: give fewer files", maxWindows)
		}
		return nil
	})
	return err
}

func (m *measurement) report() *Report {
	r := &Report{
		Report: ReportName, V: 1, N: m.o.Spec.N, Seed: m.o.Seed, Corpus: m.size, Words: m.o.Words,
		LeftOut: m.left, Verbatim: m.verbatim, Disguises: m.disguised,
	}
	if m.outputs != nil {
		r.Outputs = &m.outputs.figures
	}
	return r
}
