package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"golang.org/x/sync/errgroup"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/internal/coverage"
)

// sink receives the grams of every run: of every batch of consecutive words. Each
// worker has its own sink.
type sink interface {
	add(g *grams) error
}

// recordSink is a sink that is also told where records end. line is 0 if the record is
// a whole file.
type recordSink interface {
	endRecord(source, line int) error
}

// pass reads the whole corpus once and passes its grams to the sinks, one for each
// worker.
type pass struct {
	b     *builder
	sinks []sink
	tasks chan task
	first bool  // this is the first pass: it reports bad records, computes digests and feeds the collectors
	seq   int64 // number of tasks created so far
}

// task is the work of one worker at a time: a block of JSON lines, a whole text, a
// block of a long text, or a block of cached runs.
type task struct {
	seq   int64 // position in the order of the corpus
	src   *source
	block corpus.Block
	text  io.ReadCloser
	split *splitText // not nil: the task is a block of this long text; the last block comes in text
	at    int        // number of the block in its text
	runs  *[]byte
	bad   *corpus.BadRecord // not nil: a row that was passed over
}

// worker processes tasks of one pass.
type worker struct {
	p          *pass
	sink       sink
	stats      *stats
	cut        *cutter
	g          grams
	words      *recent // those that the sink knows
	twos       *recent
	runs       runBlock
	run64      []uint64
	rec        corpus.Record
	parse      map[corpus.Format]*corpus.Parser
	own        map[*source]*corpus.Parser // of the last source with names of its own
	collectors []collector
	rows       *rowCollector // one of them; nil: there is no inventory
	sample     sampler

	windows uint64 // indexed windows in the current segment
}

// run reads the whole corpus and returns the counts.
func (p *pass) run(ctx context.Context) (*stats, error) {
	p.tasks = make(chan task, len(p.sinks))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(p.tasks)
		return p.feed(ctx)
	})
	workers := make([]*worker, len(p.sinks))
	for i, s := range p.sinks {
		w := &worker{p: p, sink: s, stats: newStats(), cut: newCutter(p.b.spec), parse: map[corpus.Format]*corpus.Parser{}}
		if p.first {
			w.runs.to = p.b.runs
			w.sample.to = p.b.sample
			at := p.b.places.placer()
			phrases := p.b.phrases.collector(at)
			w.collectors = append(w.collectors, phrases)
			if p.b.inventory != nil {
				w.rows = p.b.inventory.collector()
				phrases.rows = w.rows
				w.collectors = append(w.collectors, w.rows)
			}
			if p.b.ledger != nil {
				w.collectors = append(w.collectors, p.b.ledger.collector(at))
			}
			w.collectors = append(w.collectors, at) // last: the other collectors read its position before it advances
			w.cut.collectors = w.collectors
		}
		w.words, w.twos = newRecent(), newRecent()
		workers[i] = w
		g.Go(func() error {
			for t := range p.tasks {
				if err := w.do(ctx, t); err != nil {
					return err
				}
			}
			return w.runs.flush()
		})
	}
	if err := g.Wait(); err != nil {
		for t := range p.tasks {
			t.close()
		}
		return nil, err
	}
	all := newStats()
	for _, w := range workers {
		all.merge(w.stats)
	}
	if p.judged() {
		for _, s := range p.b.sources {
			all.account(s.Arg).Lost(coverage.NotUTF8, s.broken)
			if s.lost != nil {
				all.account(s.Arg).Merge(s.lost)
			}
		}
		for _, s := range p.b.skipped {
			all.account(s.Arg).Lost(coverage.SkippedFiles, uint64(s.Text))
			all.account(s.Arg).LeaveOut(coverage.SkippedFiles, uint64(s.Left))
		}
	}
	return all, nil
}

// judged reports whether the account of this pass decides if the build goes on.
func (p *pass) judged() bool { return p.first || p.b.o.DryRun }

// close closes the text of the task.
func (t *task) close() {
	if t.text != nil {
		t.text.Close()
	}
}

// feed reads the inputs one after the other and creates the tasks.
func (p *pass) feed(ctx context.Context) error {
	if p.b.runs.ready() {
		return p.b.runs.replay(func(runs *[]byte) error {
			p.b.o.Progress.Bytes.Add(blockHead + int64(len(*runs)))
			return p.hand(ctx, task{runs: runs})
		})
	}
	for _, s := range p.b.reading {
		r, err := s.Open()
		if err != nil {
			return err
		}
		sum := &summing{r: r, sum: sha256.New(), p: p, src: s, ctx: ctx}
		if p.splits(s) {
			err = p.feedText(ctx, s, sum)
		} else if s.Format == corpus.Text {
			err = p.hand(ctx, task{src: s, text: sum})
		} else {
			err = p.feedLines(ctx, s, sum)
			sum.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// feedLines creates the tasks of an input of JSON lines.
func (p *pass) feedLines(ctx context.Context, s *source, r io.Reader) error {
	lines := corpus.NewLines(r, s.Path, p.b.o.Corpus)
	for {
		block, err := lines.Next()
		var bad *corpus.BadRecord
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			// The worker counts it, because each worker owns its counts.
			block = corpus.Block{}
			if err := p.b.bad(p, bad); err != nil {
				return err
			}
		case err != nil:
			return err
		}
		if err := p.hand(ctx, task{src: s, block: block, bad: bad}); err != nil {
			return err
		}
	}
}

// hand passes a task to a worker.
func (p *pass) hand(ctx context.Context, t task) error {
	t.seq = p.seq
	p.seq++
	select {
	case p.tasks <- t:
		return nil
	case <-ctx.Done():
		t.close()
		return ctx.Err()
	}
}

// do processes one task.
func (w *worker) do(ctx context.Context, t task) error {
	if err := ctx.Err(); err != nil {
		t.close()
		return err
	}
	switch {
	case t.runs != nil:
		defer w.p.b.runs.free(t.runs)
		var err error
		w.run64, err = eachRun(*t.runs, w.run64, w.run)
		return err
	case t.split != nil:
		return w.split(t)
	case t.text != nil:
		return w.text(t)
	case t.bad != nil:
		w.stats.not.BadRecords++
		w.stats.account(t.src.Arg).Bad(t.bad.Reason, t.bad.Bytes)
		return nil
	default:
		return w.lines(t)
	}
}

// text processes a text file: one record of one segment.
func (w *worker) text(t task) error {
	d := w.stats.dataset(t.src.Arg)
	w.beginRecord(recordPart{task: t.seq, source: t.src.at, last: true})
	before := d.Bytes
	words, err := w.read(t, d)
	if err != nil {
		return err
	}
	indexed := w.segment(d, words)
	if err := w.endSegment(indexed > 0); err != nil {
		return err
	}
	if words >= uint64(w.p.b.o.Corpus.Window) {
		w.stats.account(t.src.Arg).Whole(d.Bytes - before)
	}
	w.count(d, indexed)
	return w.endRecord(t.src, 0)
}

// read reads a text to its end and closes it.
func (w *worker) read(t task, d *index.Dataset) (words uint64, err error) {
	defer t.text.Close()
	r := &counted{r: t.text, path: t.src.Path}
	words, err = w.cut.read(r, w.keep)
	d.Bytes += r.n
	return words, err
}

// counted counts the bytes that it reads and adds the name of the file to errors.
type counted struct {
	r    io.Reader
	path string
	n    uint64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += uint64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read %s: %w", c.path, err)
	}
	return n, err
}

// beginRecord tells the collectors that a record begins.
func (w *worker) beginRecord(r recordPart) {
	if id := w.p.b.o.RecordID; id != "" {
		r.id = id
	}
	w.sample.beginRecord(r)
	for _, n := range w.collectors {
		n.beginRecord(r)
	}
}

// endSegment tells the collectors that a segment ends.
func (w *worker) endSegment(indexed bool) error {
	for _, n := range w.collectors {
		if err := n.endSegment(indexed); err != nil {
			return err
		}
	}
	return nil
}

// endPart tells the collectors that a record or a block of a long text ends.
func (w *worker) endPart() {
	for _, n := range w.collectors {
		n.endRecord()
	}
}

// endRecord tells the collectors, and the sink if it has to know, that a record ends.
func (w *worker) endRecord(s *source, line int) error {
	w.endPart()
	w.sample.endRecord()
	if r, ok := w.sink.(recordSink); ok {
		return r.endRecord(s.at, line)
	}
	return nil
}

// lines processes a block of JSON lines, each of which is one record.
func (w *worker) lines(t task) error {
	parser := w.parse[t.src.Format]
	if t.src.Named() {
		parser = w.own[t.src]
	}
	if parser == nil {
		parser = t.src.NewParser()
		if t.src.Named() {
			w.own = map[*source]*corpus.Parser{t.src: parser}
		} else {
			w.parse[t.src.Format] = parser
		}
	}
	parser.Account = w.stats.account(t.src.Arg)
	d := w.stats.dataset(t.src.Arg)
	d.Bytes += uint64(len(t.block.Data))
	return t.block.EachLine(func(line []byte, number int, _ int64) error {
		if err := parser.Parse(line, &w.rec); err != nil {
			w.stats.not.BadRecords++
			return w.p.b.bad(w.p, &corpus.BadRecord{Path: t.src.Path, Line: number, Reason: err.Error()})
		}
		w.stats.skip(w.rec.Skipped)
		if w.p.first && w.p.b.o.RecordID == "" {
			w.p.b.ids.add(w.rec.ID, t.src.at)
		}
		w.beginRecord(recordPart{task: t.seq, source: t.src.at, line: number, id: w.rec.ID, last: true})
		indexed := 0
		for _, s := range w.rec.Segments {
			words, err := w.cut.whole(w.rec.Text(s), w.keep)
			if err != nil {
				return err
			}
			one := w.segment(d, words)
			if err := w.endSegment(one > 0); err != nil {
				return err
			}
			indexed += one
		}
		if w.rows != nil {
			w.rows.rest(line, w.rec.Segments)
		}
		w.count(d, indexed)
		return w.endRecord(t.src, number)
	})
}

// segment counts a segment of the given number of words. It returns 1 if any of its
// windows is indexed, and 0 otherwise.
func (w *worker) segment(d *index.Dataset, words uint64) int {
	if words < uint64(w.p.b.spec.N) {
		w.stats.not.ShortSegments++
		return 0
	}
	if w.windows == 0 {
		return 0 // every window is excluded
	}
	w.windows = 0
	d.Segments++
	d.Words += words
	return 1
}

// count counts a record, given the number of its segments that have an indexed window.
func (w *worker) count(d *index.Dataset, segments int) {
	if segments > 0 {
		d.Records++
	} else {
		w.stats.not.ShortRecords++
	}
}

// keep caches a run and passes its grams to the sink.
func (w *worker) keep(run []uint64) error {
	if err := w.runs.add(run); err != nil {
		return err
	}
	return w.run(run)
}

// run passes the grams of a run to the sink.
func (w *worker) run(run []uint64) error {
	k := w.p.b.o.Key
	w.g.fill(run, w.p.b.spec.N, w.p.b.exclude, k)
	w.windows += uint64(len(w.g.windows))
	w.stats.windows += uint64(len(w.g.windows))
	w.stats.not.ExcludedWindows += w.g.excluded
	w.sample.add(&w.g)
	w.g.words, w.g.twos = w.words.fresh(w.g.words), w.twos.fresh(w.g.twos)
	for _, short := range [...][]uint64{w.g.fours, w.g.twos, w.g.words} {
		k.Los(short)
	}
	return w.sink.add(&w.g)
}

// summing reads an input, computes its digest and reports progress.
type summing struct {
	r     *corpus.File
	sum   hash.Hash
	p     *pass
	src   *source
	ctx   context.Context
	taken int64 // bytes read from the file on disk; a compressed file is shorter than its text
}

func (s *summing) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(b)
	if taken := s.r.Taken(); taken != s.taken {
		s.p.b.o.Progress.Bytes.Add(taken - s.taken)
		s.taken = taken
	}
	if s.p.first {
		s.sum.Write(b[:n])
		if errors.Is(err, io.EOF) {
			s.src.digest, s.src.verbatim = s.sum.Sum(nil), s.src.Verbatim() && s.r.BOM == 0
		}
	}
	if s.p.judged() && errors.Is(err, io.EOF) {
		s.src.broken, s.src.lost = uint64(s.r.Broken()), s.r.Lost()
	}
	return n, err
}

func (s *summing) Close() error { return s.r.Close() }
