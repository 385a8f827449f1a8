// Package build writes indexes, from training files or by merging other indexes.
//
// It knows training files (package corpus), identifiers (package identify), words
// (package ngram) and the file format (package format). It knows nothing about the
// programs that open an index. Training text passes through memory only: the files
// that this package writes contain hashes, counts and the names of records.
package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/internal/format"
	"noecho/index/inventory"
	"noecho/index/key"
	"noecho/ngram"
)

// A build reads the corpus twice. The first pass counts distinct grams (sequences of
// words), which determines the sizes of the filters, and caches the word hashes if
// there is disk space for them. The second pass sets the bits of the filters. Both
// passes use all cores. The result depends neither on the order of the inputs nor on
// the distribution of the work: the same inputs give the same bytes. Filters that are
// larger than the memory allowed are built in several rounds, with one pass for each
// round.

// DefaultMemory is the default bound of the memory of a build, in bytes.
const DefaultMemory = 2 << 30

// perWorker is the memory that one worker takes in bytes: for blocks of text, their
// words and grams, and its write batches.
const perWorker = 16 << 20

// Options are the parameters of a build. Out and Inputs are required.
type Options struct {
	Out      string
	Mode     fs.FileMode // of the file Out; 0: that of the file it replaces, or 0640 less the umask
	Inputs   []string    // files, folders, patterns, or corpus.Stdin
	Corpus   corpus.Options
	Stdin    io.Reader
	N        int      // words in a window; 0: ngram.DefaultN
	Name     string   // goes before the names of the inputs in the ids of records; empty: none
	Dataset  string   // one name for all inputs; empty: each input argument is a dataset of its own name
	Labels   []string // of all datasets
	Model    string   // name of the model that the index is bound to
	Exclude  []string // files of text whose windows are not indexed, reports of common windows, and lists of ignored ones
	Capacity uint64   // number of distinct windows that the filters are sized for; 0: count them
	RecordID string   // id of all records; empty: each has its own
	Key      *key.Key // under which the index is hashed; nil: none, and who has the index can test guesses
	Memory   int64    // in bytes; 0: DefaultMemory
	Workers  int      // 0: one for each core
	Builder  string   // version of the program, for the manifest

	NoLedger      bool               // do not store which records the text belongs to
	NoIdentifiers bool               // do not look for identifiers
	Patterns      []identify.Pattern // more kinds of identifiers
	Subjects      string             // path of a list of data subjects (corpus.ReadSubjects); empty: none
	People        []corpus.Subject   // more data subjects, by ascending id, of which nothing is written to the manifest
	MinPhrase     int                // index texts of at least so many words that are shorter than a window; 0: none

	// Others are files with records of other people: windows of the inputs that these have too
	// are not indexed. Records that are among the inputs may be among them.
	Others []string
	OwnRow func(path string, line int) bool // with Others, reports rows of these that are among the inputs, perhaps with more texts; may be nil
	Own    func(words []uint64)             // with Others, is told the hashes of the words of each text of the inputs, without a key; may be nil

	MaxDocFreq uint64 // do not index windows that occur in more records; 0: no bound
	Report     string // path for the report of the most frequent windows; empty: no report
	ShowText   bool   // the report contains the text of the windows

	Inventory    string                // path of an inventory of the rows; empty: none
	InventoryKey *inventory.Key        // required with Inventory and Erased
	Erased       *inventory.Exclusions // rows with which the build is refused (*inventory.ExcludedError), unlocked; nil: none
	OptOut       string                // path of a list of people who opted out, as Subjects; their rows are marked in the inventory. Empty: none
	Sensitivity  string                // member of a row that has its class, for the inventory; empty: none

	Strict       bool // the first bad record ends the build
	AcceptUnread bool // build although more than 1 % of the text is not read
	DryRun       bool // read the inputs once and write nothing; the Result has a Manifest alone

	Progress *Progress         // may be nil
	Notice   func(note string) // may be nil; called by one goroutine at a time
}

// Result describes the index that a build or a merge wrote.
type Result struct {
	Info      index.Info
	Manifest  *index.Manifest
	Passes    int
	Inventory *inventory.Info // nil: none was written
	Common    int             // windows that are in more than a tenth of the records, and in ten at least
	Sampled   bool            // Common is an estimate from a sample of the records
}

// errNoWindows begins the error of a build whose inputs contain nothing to index.
var errNoWindows = errors.New("nothing to index: no text of the inputs has enough words for a window")

// builder is the state of one build.
type builder struct {
	o         Options
	spec      ngram.Spec
	sources   []*source // in the order of their names
	reading   []*source // the same in the order in which they are read: members of an archive are together
	runs      *runCache // nil: every pass reads the inputs
	exclude   map[uint64]struct{}
	places    *places
	phrases   *phraseBuilder
	sample    *recordSample
	ids       *idSample
	ledger    *ledgerBuilder    // nil: the options ask for none
	inventory *inventoryBuilder // the same
	counts    index.PhraseCounts
	skipped   []corpus.Skipped
	before    int64      // passes that looked for common windows
	mu        sync.Mutex // guards calls of o.Notice
}

// Build reads the inputs and writes an index of them to o.Out. The file appears there
// complete and durable, or not at all: after an error, or if ctx ends early, the
// previous file remains unchanged.
func Build(ctx context.Context, o Options) (*Result, error) {
	o.setDefaults()
	spec, err := ngram.NewSpec(o.N, ngram.XXH64)
	if err != nil {
		return nil, err
	}
	b := &builder{o: o, spec: spec, sample: newRecordSample(), ids: newIDSample()}
	m := &index.Manifest{Model: o.Model, Builder: o.Builder}
	if b.phrases, err = newPhraseBuilder(b); err != nil {
		return nil, err
	}
	var out *pending
	if !o.DryRun {
		if out, err = newPending(o.Out, o.Mode); err != nil {
			return nil, err
		}
		defer out.abort()
	}
	if b.exclude, m.Exclusions, err = readExclusions(&o, spec); err != nil {
		return nil, err
	}
	if m.NotIndexed.SkippedFiles, err = b.find(); err != nil {
		return nil, err
	}
	if o.DryRun {
		return dryRun(ctx, b, m)
	}
	if err := leaveOutOthers(b); err != nil {
		return nil, err
	}
	if o.Capacity == 0 {
		if b.runs, err = newRunCache(cacheDir(o.Out), b.sources); err != nil {
			return nil, err
		}
		defer b.runs.close()
	}
	o.Progress.Passes.Store(o.leastPasses())
	if o.common() {
		if err := leaveOutCommon(ctx, b, m); err != nil {
			return nil, err
		}
	}
	store := newTempStore(cacheDir(o.Out))
	defer store.close()
	b.places = newPlaces(len(b.sources), store)
	if !o.NoLedger {
		b.ledger = newLedgerBuilder(b, store)
	}
	var rows *pending
	if o.Inventory != "" {
		if rows, err = newPending(o.Inventory, inventoryMode); err != nil {
			return nil, err
		}
		defer rows.abort()
	}
	if o.rows() {
		if b.inventory, err = newInventoryBuilder(b, store); err != nil {
			return nil, err
		}
	}
	return b.build(ctx, out, rows, m)
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
	o.Corpus.Cells = o.Corpus.Cells || o.rows()
	if o.Corpus.Window = o.N; o.MinPhrase > 0 {
		o.Corpus.Window = o.MinPhrase
	}
}

// rows reports whether the build looks at each row with its identifiers.
func (o *Options) rows() bool { return o.Inventory != "" || o.Erased != nil }

// common reports whether the build has to look for common windows.
func (o *Options) common() bool { return o.MaxDocFreq != 0 || o.Report != "" }

// leastPasses returns the number of passes of a build with enough memory.
func (o *Options) leastPasses() int64 {
	n := int64(1)
	if o.Capacity == 0 {
		n++
	}
	if o.common() {
		n += 2
	}
	return n
}

// find finds the input files and returns the number of files that it skipped.
func (b *builder) find() (skipped uint64, err error) {
	inputs, left, err := corpus.Find(b.o.Inputs, b.o.Stdin, b.o.Corpus)
	if err != nil {
		return 0, err
	}
	b.skipped = left
	for _, s := range left {
		b.notice("%s: skipped: %s", s.Path, s.Reason)
		skipped += uint64(max(1, s.Files))
	}
	if len(inputs) == 0 {
		return 0, errors.New("none of the inputs contains text: name files of text or JSON lines")
	}
	b.sources = make([]*source, 0, len(inputs))
	for i := range inputs {
		in := &inputs[i]
		if prefix := strings.TrimRight(b.o.Name, "/"); in.Path == corpus.Stdin {
			in.Name = cmp.Or(prefix, in.Name)
		} else if prefix != "" {
			in.Name = prefix + "/" + in.Name
		}
		b.sources = append(b.sources, &source{Input: in})
	}
	// The places of records follow the order of the sources. Sorting by names makes them
	// independent of the order of the arguments, and of the folders above them.
	b.reading = slices.Clone(b.sources)
	slices.SortStableFunc(b.reading, func(x, y *source) int { return strings.Compare(x.FileName(), y.FileName()) })
	slices.SortStableFunc(b.sources, func(x, y *source) int { return strings.Compare(x.Name, y.Name) })
	for i, s := range b.sources {
		s.at = i
	}
	b.noticeFormats()
	return skipped, nil
}

// noticeFormats reports the formats of the inputs whose format was detected.
func (b *builder) noticeFormats() {
	const most = 8
	decided := slices.DeleteFunc(slices.Clone(b.sources), func(s *source) bool { return !s.Decided })
	if len(decided) <= most {
		for _, s := range decided {
			b.notice("%v", s.Input)
		}
		return
	}
	count := map[corpus.Format]int{}
	for _, s := range decided {
		count[s.Format]++
	}
	for _, f := range slices.Sorted(maps.Keys(count)) {
		switch n := count[f]; n {
		case 1:
			b.notice("1 file read as %s", f)
		default:
			b.notice("%d files read as %s", n, f)
		}
	}
}

// notice passes a message for the user to o.Notice.
func (b *builder) notice(format string, args ...any) {
	if b.o.Notice == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.o.Notice(fmt.Sprintf(format, args...))
}

// bad handles a bad record: it ends a strict build, and is reported in the first pass
// otherwise.
func (b *builder) bad(p *pass, r *corpus.BadRecord) error {
	if b.o.Strict {
		return fmt.Errorf("bad record: %w", r)
	}
	if p.first || b.o.DryRun {
		b.notice("%v", r)
	}
	return nil
}

// build runs the passes and writes the index, and the inventory unless rows is nil.
func (b *builder) build(ctx context.Context, out, rows *pending, m *index.Manifest) (*Result, error) {
	if b.budget() < 4*format.ChunkLen {
		return nil, fmt.Errorf("%d bytes of memory are too few for this number of cores (%d): allow at least %d",
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
	if err := b.inventory.refuse(); err != nil { // of a build that did not count
		return nil, err
	}
	if b.ids.shared && b.ledger != nil {
		b.notice("rows of several files have the same id, and findings name the id alone: build such files one by one, each with a --dataset of its own, and merge")
	}
	if err := b.writeTables(ctx, p); err != nil {
		return nil, err
	}
	all := first.sum()
	b.describe(m, first, sizes)
	h := &format.Header{
		N: uint32(b.o.N), Norm: ngram.NormVersion, Unicode: ngram.UnicodeVersion, KeyID: b.o.Key.ID(),
		Capacity: sizes.windows, Records: all.Records, Segments: all.Segments, Words: all.Words, Windows: first.windows,
	}
	h.Suite = format.SuiteOf(h.KeyID)
	passes := len(rounds)
	if b.o.Capacity == 0 {
		passes++
	}
	info, err := p.finish(ctx, h, m)
	res := &Result{Info: info, Manifest: m, Passes: passes}
	if err == nil && rows != nil {
		res.Inventory, err = b.inventory.write(ctx, rows, m, info.BuildID)
	}
	if err == nil {
		err = out.commit()
	}
	if err != nil {
		return nil, err
	}
	common, complete := b.sample.common()
	res.Common, res.Sampled = common, !complete
	return res, nil
}

// budget is the memory for the filters and their partition buffers in bytes.
func (b *builder) budget() int64 { return b.o.Memory - int64(b.o.Workers)*perWorker }

// count runs the first pass.
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
	if err := cmp.Or(b.inventory.refuse(), judge(b, t)); err != nil {
		return capacities{}, nil, err
	}
	if t.windows == 0 && !b.phrases.any() {
		return capacities{}, nil, b.noWindows(t)
	}
	return all.capacities(nil), t, nil
}

// noWindows says which texts the build did not index.
func (b *builder) noWindows(s *stats) error {
	err := fmt.Errorf("%w of %d words", errNoWindows, b.o.N)
	if not := s.not.String(); not != "" {
		err = fmt.Errorf("%w; not indexed: %s", err, not)
	}
	if s.not.SystemMessages > 0 {
		err = fmt.Errorf("%w; --roles '*' reads system messages too", err)
	}
	if s.not.ShortSegments > 0 {
		err = fmt.Errorf("%w; a lower --n or --min-phrase indexes shorter texts", err)
	}
	if s.not.OtherMessages > 0 {
		err = fmt.Errorf("%w; name the roles that are read with --roles", err)
	}
	return err
}

// startPass resets the progress for pass n of the build.
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

// writeTables writes the sections behind the filters. The ledger comes last, because
// the phrases decide as well which records it has to name.
func (b *builder) writeTables(ctx context.Context, p *plan) error {
	if err := b.places.settle(); err != nil {
		return err
	}
	if err := b.phrases.finish(p); err != nil || b.ledger == nil {
		return err
	}
	return b.ledger.finish(ctx, p)
}
