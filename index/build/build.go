// Package build writes indexes: from training files, and by merging indexes.
//
// It knows training files (package corpus), identifiers (package identify), words
// (package ngram) and the file format (package format). It knows nothing of who asks
// an index. The words of the training text pass through it; what it writes to disk
// are hashes, counts and the names of records.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/internal/format"
	"noecho/ngram"
)

// Building goes over the corpus twice. The first pass counts distinct grams,
// which sizes the filters, and keeps the word hashes if there is room for them;
// the second one sets bits. Both use all cores, and neither depends on the order of the inputs or on which core saw
// what: the same inputs give the same bytes. If the filters are larger than the
// memory allowed, they are built round by round, with a pass for each.

// DefaultMemory bounds the memory of a build in bytes.
const DefaultMemory = 2 << 30

// perWorker is what a worker takes: blocks of text, their words and grams, short
// lists of what is to be written.
const perWorker = 16 << 20

// Options says what to build. Out and Inputs are required.
type Options struct {
	Out      string
	Inputs   []string // files, folders, patterns, or corpus.Stdin
	Corpus   corpus.Options
	Stdin    io.Reader
	N        int      // words in a window; 0: ngram.DefaultN
	Dataset  string   // one name for all inputs; empty: each argument's own
	Labels   []string // of the datasets
	Model    string   // the model the index is bound to
	Exclude  []string // files whose windows are left out, reports among them
	Capacity uint64   // distinct windows to size the filters for; 0: count them
	Memory   int64    // bytes; 0: DefaultMemory
	Workers  int      // 0: one a core
	Builder  string   // the version of the program

	NoLedger      bool               // leave out which records the text stands in
	NoIdentifiers bool               // identifiers are not looked for
	Patterns      []identify.Pattern // more kinds of them
	Subjects      string             // a list of data subjects (corpus.ReadSubjects); empty: none
	MinPhrase     int                // texts of at least so many words that are shorter than a window; 0: none

	MaxDocFreq uint64 // windows in more records than that are left out; 0: none
	Report     string // where to write the most frequent windows; empty: nowhere
	ShowText   bool   // in the report

	Strict   bool              // the first bad record ends the build
	Progress *Progress         // may be nil
	Notice   func(note string) // may be nil; called by one goroutine at a time
}

// Result is what a build made.
type Result struct {
	Info     index.Info
	Manifest *index.Manifest
	Passes   int
}

// A NoWindowsError is returned by a build that found nothing to index.
type NoWindowsError struct{ NotIndexed index.NotIndexed }

func (e *NoWindowsError) Error() string {
	return "nothing to index: no text of the inputs has enough words for a window"
}

// builder is one build.
type builder struct {
	o        Options
	spec     ngram.Spec
	sources  []*source
	runs     *runCache // nil: the inputs are read again
	exclude  map[uint64]struct{}
	places   *places
	sections []sectionBuilder // what is taken down in the first pass
	phrases  *phraseBuilder
	counts   index.PhraseCounts
	before   int64      // passes of findCommon
	mu       sync.Mutex // around o.Notice
}

// Build reads the inputs and writes an index of them to o.Out. The file appears
// there complete and durable, or not at all: on an error, and when ctx ends,
// what stood there before stands there still.
func Build(ctx context.Context, o Options) (*Result, error) {
	o.setDefaults()
	spec, err := ngram.NewSpec(o.N, ngram.XXH64)
	if err != nil {
		return nil, err
	}
	b := &builder{o: o, spec: spec}
	m := &index.Manifest{Model: o.Model, Builder: o.Builder}
	if b.phrases, err = newPhraseBuilder(b); err != nil {
		return nil, err
	}
	out, err := newPending(o.Out)
	if err != nil {
		return nil, err
	}
	defer out.abort()
	if b.exclude, m.Exclusions, err = readExclusions(o.Exclude, spec, o.Corpus); err != nil {
		return nil, err
	}
	if m.NotIndexed.SkippedFiles, err = b.find(); err != nil {
		return nil, err
	}
	if o.Capacity == 0 {
		if b.runs, err = newRunCache(cacheDir(o.Out), b.sources); err != nil {
			return nil, err
		}
		defer b.runs.close()
	}
	if o.MaxDocFreq != 0 || o.Report != "" {
		if err := leaveOutCommon(ctx, b, m); err != nil {
			return nil, err
		}
	}
	b.beginSections()
	defer b.closeSections()
	return b.build(ctx, out, m)
}

// setDefaults replaces zero values.
func (o *Options) setDefaults() {
	if o.N == 0 {
		o.N = ngram.DefaultN
	}
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = new(Progress)
	}
	if len(o.Corpus.Roles) == 0 {
		o.Corpus.Roles = corpus.DefaultRoles()
	}
	if o.Corpus.Format == "" {
		o.Corpus.Format = corpus.Auto
	}
}

// find looks for the inputs and returns how many files it skipped.
func (b *builder) find() (skipped uint64, err error) {
	inputs, left, err := corpus.Find(b.o.Inputs, b.o.Stdin, b.o.Corpus)
	if err != nil {
		return 0, err
	}
	for _, s := range left {
		b.notice("%s: skipped: %s", s.Path, s.Reason)
	}
	if len(inputs) == 0 {
		return 0, errors.New("no input holds text")
	}
	for _, in := range inputs {
		b.sources = append(b.sources, &source{Input: in})
	}
	// Places follow the order of the sources, so it must not be the user's.
	slices.SortStableFunc(b.sources, func(x, y *source) int { return strings.Compare(x.Path, y.Path) })
	for i, s := range b.sources {
		s.at = i
	}
	b.noticeFormats()
	return uint64(len(left)), nil
}

// noticeFormats says how inputs are read of which no format was named.
func (b *builder) noticeFormats() {
	const most = 8
	decided := slices.DeleteFunc(slices.Clone(b.sources), func(s *source) bool { return !s.Decided })
	if len(decided) <= most {
		for _, s := range decided {
			b.notice("%v", &s.Input)
		}
		return
	}
	count := map[corpus.Format]int{}
	for _, s := range decided {
		count[s.Format]++
	}
	for _, f := range corpus.Formats() {
		if count[f] > 0 {
			b.notice("%d files read as %s", count[f], f)
		}
	}
}

// note tells the caller something that a reader of the output wants to know.
func (b *builder) notice(format string, args ...any) {
	if b.o.Notice == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.o.Notice(fmt.Sprintf(format, args...))
}

// bad reports a bad record, once for all passes.
func (b *builder) bad(p *pass, r *corpus.BadRecord) error {
	if b.o.Strict {
		return fmt.Errorf("bad record: %w", r)
	}
	if p.first {
		b.notice("%v", r)
	}
	return nil
}

// build does the passes and writes the file.
func (b *builder) build(ctx context.Context, out *pending, m *index.Manifest) (*Result, error) {
	if b.budget() < 4*format.ChunkLen {
		return nil, fmt.Errorf("%d bytes of memory are too few for %d cores: allow %d or more",
			b.o.Memory, b.o.Workers, int64(b.o.Workers)*perWorker+4*format.ChunkLen)
	}
	sizes, first := givenCapacities(b.o.Capacity), (*stats)(nil)
	if b.o.Capacity == 0 {
		var err error
		if sizes, first, err = b.count(ctx); err != nil {
			return nil, err
		}
	}
	p, err := newPlan(out, b.o.N, sizes)
	if err != nil {
		return nil, err
	}
	rounds := p.rounds(uint64(b.budget()) / (bufferShare + 1) * bufferShare)
	if first, err = b.insert(ctx, p, rounds, first); err != nil {
		return nil, err
	}
	if err := b.finishSections(ctx, p); err != nil {
		return nil, err
	}
	all := first.sum()
	b.describe(m, first, sizes)
	h := &format.Header{
		N: uint32(b.o.N), Norm: ngram.NormVersion, Unicode: ngram.UnicodeVersion, Suite: b.spec.Suite.ID(),
		Capacity: sizes.windows, Records: all.Records, Segments: all.Segments, Words: all.Words, Windows: first.windows,
	}
	passes := len(rounds)
	if b.o.Capacity == 0 {
		passes++
	}
	info, err := p.finish(ctx, h, m)
	if err == nil {
		err = out.commit()
	}
	if err != nil {
		return nil, err
	}
	return &Result{Info: info, Manifest: m, Passes: passes}, nil
}

// budget is the memory for filters and their shelves in bytes.
func (b *builder) budget() int64 { return b.o.Memory - int64(b.o.Workers)*perWorker }

// count is the first pass.
func (b *builder) count(ctx context.Context) (capacities, *stats, error) {
	all := newEstimators()
	p := &pass{b: b, first: true}
	for range b.o.Workers {
		p.sinks = append(p.sinks, &counter{to: all})
	}
	b.startPass(1)
	t, err := p.run(ctx)
	if err != nil {
		return capacities{}, nil, err
	}
	if b.runs != nil {
		b.runs.full = true
	}
	if t.windows == 0 && !b.phrases.any() {
		return capacities{}, nil, &NoWindowsError{NotIndexed: t.not}
	}
	return all.capacities(nil), t, nil
}

// startPass tells how far the build is.
func (b *builder) startPass(n int64) {
	total := int64(0)
	for _, s := range b.sources {
		if s.Size < 0 {
			total = 0
			break
		}
		total += s.Size
	}
	if b.runs.ready() {
		total = b.runs.size
	}
	b.o.Progress.Bytes.Store(0)
	b.o.Progress.Total.Store(total)
	b.o.Progress.Pass.Store(n + b.before)
}

// beginSections makes the section builders of the build. The ledger is the last one: which
// records it names is known when the others have finished.
func (b *builder) beginSections() {
	b.sections = append(b.sections, b.phrases)
	b.places = newPlaces(len(b.sources), newTempStore(cacheDir(b.o.Out)))
	if !b.o.NoLedger {
		b.sections = append(b.sections, newLedgerBuilder(b))
	}
}

// finishSections appends the sections of the section builders.
func (b *builder) finishSections(ctx context.Context, p *plan) error {
	if err := b.places.settle(); err != nil {
		return err
	}
	for _, n := range b.sections {
		if err := n.finish(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// closeSections gives back what the section builders hold.
func (b *builder) closeSections() {
	for _, n := range b.sections {
		n.close()
	}
	b.places.to.close()
}
