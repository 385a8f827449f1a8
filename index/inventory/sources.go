package inventory

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/ngram"
)

// Sources are training files to search. All of their text is searched, also that of columns
// and roles that a build leaves out.
type Sources struct {
	Inputs  []string // files, folders, patterns, or corpus.Stdin
	Stdin   io.Reader
	Options corpus.Options
	Workers int
	Texts   bool // findings of rows have their texts
}

// fileSearch is a search of training files.
type fileSearch struct {
	*Search
	sources  *Sources
	inputs   []corpus.Input
	phrases  *Phrases
	sieve    *sieve
	forms    map[[2]string][]int // by kind and form: numbers of items
	sure     map[[2]string]bool
	patterns []identify.Pattern

	mu   sync.Mutex
	s    Searched
	hits []rowHit
}

// rowHit is a row that has an item.
type rowHit struct {
	*hit
	input  int // number of the input
	line   int
	id     string
	counts []KindN
	texts  []string
}

func newFileSearch(s *Search) *fileSearch {
	return &fileSearch{Search: s, sources: s.Files, phrases: s.Query.phrases(), sieve: newSieve(s.Query), forms: map[[2]string][]int{}, sure: map[[2]string]bool{}}
}

// searchFiles searches the training files and adds the result to an answer.
func (s *Search) searchFiles(ctx context.Context, a *Answer) error {
	f := newFileSearch(s)
	f.s = Searched{What: "files", Name: strings.Join(s.Files.Inputs, " "), Complete: true}
	f.prepare()
	o := s.Files.Options
	o.Roles, o.Cells = []string{corpus.AnyRole}, true
	inputs, skipped, err := corpus.Find(s.Files.Inputs, s.Files.Stdin, o)
	if err != nil {
		f.s.because("%v", err)
	}
	for _, k := range skipped {
		if k.Text > 0 && !k.Meant() {
			f.s.because("%s cannot be read: %s", k.Path, k.Reason)
		}
	}
	f.inputs = inputs
	digests, err := f.digests(ctx)
	if err != nil {
		return err
	}
	if err := f.run(ctx); err != nil {
		return err
	}
	return f.end(a, digests)
}

// prepare collects the forms of the items, and the patterns of the inventories.
func (f *fileSearch) prepare() {
	for i, it := range f.Query.Items {
		for _, form := range it.forms {
			k := [2]string{form.Kind, form.Text}
			f.forms[k] = append(f.forms[k], i)
			f.sure[k] = f.sure[k] || form.Sure
		}
	}
	for _, n := range f.Inventories {
		for _, text := range n.In.Meta.Patterns {
			p, err := identify.ParsePattern(text)
			if err == nil && !slices.ContainsFunc(f.patterns, func(o identify.Pattern) bool { return o.String() == p.String() }) {
				f.patterns = append(f.patterns, p)
			}
		}
	}
}

// digests returns the SHA-256 of each file by its path, if inventories are searched, too.
func (f *fileSearch) digests(ctx context.Context) (map[string][sha256.Size]byte, error) {
	all := map[string][sha256.Size]byte{}
	if len(f.Inventories) == 0 {
		return all, nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, f.sources.Workers))
	for i := range f.inputs {
		path := f.inputs[i].FilePath()
		if _, again := all[path]; again || f.inputs[i].Path == corpus.Stdin {
			continue
		}
		all[path] = [sha256.Size]byte{}
		g.Go(func() error {
			file, err := os.Open(path)
			if err != nil {
				return fmt.Errorf("read input: %w", err)
			}
			defer file.Close()
			sum := sha256.New()
			if _, err := io.Copy(sum, file); err != nil {
				return fmt.Errorf("read input %s: %w", path, err)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			all[path] = [sha256.Size]byte(sum.Sum(nil))
			return ctx.Err()
		})
	}
	return all, g.Wait()
}

// piece is the work of one worker at a time.
type piece struct {
	input int
	block corpus.Block
	text  *corpus.File // not nil: the whole text
}

// run reads all inputs.
func (f *fileSearch) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	pieces := make(chan piece, f.sources.Workers)
	g.Go(func() error {
		defer close(pieces)
		for i := range f.inputs {
			if err := f.feed(ctx, i, pieces); err != nil {
				return err
			}
		}
		return nil
	})
	for range max(1, f.sources.Workers) {
		g.Go(func() error {
			w := f.worker()
			for p := range pieces {
				w.do(p)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.s.Rows += w.rows
			f.hits = append(f.hits, w.hits...)
			return nil
		})
	}
	return g.Wait()
}

// feed makes the pieces of an input. An input that cannot be read makes the search incomplete.
func (f *fileSearch) feed(ctx context.Context, i int, pieces chan<- piece) error {
	in := &f.inputs[i]
	file, err := in.Open()
	if err != nil {
		f.because("%v", err)
		return nil
	}
	send := func(p piece) error {
		select {
		case pieces <- p:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if in.Format == corpus.Text {
		return send(piece{input: i, text: file}) // the worker closes it
	}
	defer file.Close()
	lines := corpus.NewLines(file, in.Path, f.sources.Options)
	for {
		block, err := lines.Next()
		var bad *corpus.BadRecord
		switch {
		case errors.Is(err, io.EOF):
			f.lost(in, file)
			return nil
		case errors.As(err, &bad):
			f.because("%v", bad)
		case err != nil:
			f.because("%v", err)
			return nil
		default:
			if err := send(piece{input: i, block: block}); err != nil {
				return err
			}
		}
	}
}

// lost says which text of a file could not be read.
func (f *fileSearch) lost(in *corpus.Input, file *corpus.File) {
	if file.Broken() > 0 {
		f.because("%s has text that is not UTF-8", in.Path)
	}
	if l := file.Lost(); l != nil && l.Table().Unread > 0 {
		f.because("%s has %d bytes of text in attachments, attributes or other places that are not read", in.Path, l.Table().Unread)
	}
}

// mostWhy bounds the reasons that an answer lists.
const mostWhy = 50

func (f *fileSearch) because(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.s.Why) >= mostWhy {
		format, args = "there are more reasons like these", nil
	}
	f.s.because(format, args...)
}

// rowWorker searches rows.
type rowWorker struct {
	f      *fileSearch
	finder *identify.Finder
	scan   *ngram.Scanner
	match  *Matcher
	rec    corpus.Record
	parse  map[int]*corpus.Parser // of the newest input
	found  []identify.Match
	words  []ngram.Word
	ids    []int
	rows   uint64
	hits   []rowHit

	byForm, byWords []uint64 // by item
	sure            []bool
	any             bool // of the two
	counts          map[string]uint64
}

func (f *fileSearch) worker() *rowWorker {
	n := len(f.Query.Items)
	return &rowWorker{
		f: f, finder: identify.New(f.patterns), scan: ngram.NewScanner(suite()), match: f.phrases.Matcher(), parse: map[int]*corpus.Parser{},
		byForm: make([]uint64, n), byWords: make([]uint64, n), sure: make([]bool, n), counts: map[string]uint64{},
	}
}

// do searches a piece.
func (w *rowWorker) do(p piece) {
	in := &w.f.inputs[p.input]
	if p.text != nil {
		defer p.text.Close()
		w.begin()
		if err := w.text(p.text, w.seen); err != nil {
			w.f.because("%v", err)
		}
		w.f.lost(in, p.text)
		w.end(p.input, 0, "")
		return
	}
	parser := w.parse[p.input]
	if parser == nil {
		clear(w.parse)
		parser = in.NewParser()
		w.parse[p.input] = parser
	}
	// EachLine returns the error of its function, which has none.
	_ = p.block.EachLine(func(line []byte, number int, _ int64) error {
		w.begin()
		err := parser.Parse(line, &w.rec)
		if err == nil && !w.may(line, &w.rec) {
			return nil
		}
		if err != nil {
			w.f.because("%s:%d: %v", in.Path, number, err)
			w.rec.ID, w.rec.Segments = "", nil
		}
		for _, s := range w.rec.Segments {
			w.whole(w.rec.Text(s), w.seen)
		}
		w.line(line)
		w.end(p.input, number, w.rec.ID)
		return nil
	})
}

// begin begins a row.
func (w *rowWorker) begin() {
	w.rows++
	if w.any {
		clear(w.byForm)
		clear(w.byWords)
		clear(w.sure)
		w.any = false
	}
	clear(w.counts)
}

// line searches the bytes of a row for items that its texts do not have: they may be in a
// member or a cell that no format reads as text.
func (w *rowWorker) line(line []byte) {
	texts := slices.Clone(w.byForm)
	words := slices.Clone(w.byWords)
	sure := slices.Clone(w.sure)
	w.whole(line, func(kind, text string) { w.form(kind, text) })
	for i := range texts {
		if texts[i] > 0 || words[i] > 0 {
			w.byForm[i], w.byWords[i], w.sure[i] = texts[i], words[i], sure[i]
		}
	}
}

// whole searches a text.
func (w *rowWorker) whole(text []byte, seen func(kind, text string)) {
	w.scan.Reset()
	w.match.Reset()
	w.finder.Reset()
	w.piece(text, seen)
	w.finish(seen)
}

// text searches a text to its end.
func (w *rowWorker) text(r io.Reader, seen func(kind, text string)) error {
	w.scan.Reset()
	w.match.Reset()
	w.finder.Reset()
	b := make([]byte, 256<<10)
	for {
		n, err := r.Read(b)
		w.piece(b[:n], seen)
		if err != nil {
			w.finish(seen)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func (w *rowWorker) piece(text []byte, seen func(kind, text string)) {
	w.words = w.scan.Append(w.words[:0], text)
	w.countWords()
	w.found = w.finder.Append(w.found[:0], text)
	for _, m := range w.found {
		seen(m.Kind, m.Text)
	}
}

func (w *rowWorker) finish(seen func(kind, text string)) {
	w.words = w.scan.Finish(w.words[:0])
	w.countWords()
	w.found = w.finder.Finish(w.found[:0])
	for _, m := range w.found {
		seen(m.Kind, m.Text)
	}
}

func (w *rowWorker) countWords() {
	for _, word := range w.words {
		w.ids = w.match.Next(w.ids[:0], word.Hash)
		for _, i := range w.ids {
			w.byWords[i]++
			w.any = true
			if it := w.f.Query.Items[i]; it.Kind != identify.Phone && it.Kind != NameKind {
				w.sure[i] = true
			} else if it.Kind == NameKind {
				w.sure[i] = it.forms[0].Sure
			}
		}
	}
}

// seen counts an identifier of a text.
func (w *rowWorker) seen(kind, text string) {
	w.counts[kind]++
	w.form(kind, text)
}

// form compares an identifier with those that are asked for.
func (w *rowWorker) form(kind, text string) {
	for _, form := range identify.Forms(kind, text) {
		k := [2]string{form.Kind, form.Text}
		for _, i := range w.f.forms[k] {
			w.byForm[i]++
			w.any = true
			w.sure[i] = w.sure[i] || w.f.sure[k]
		}
	}
}

// end ends a row and keeps it if it has an item.
func (w *rowWorker) end(input, line int, id string) {
	if !w.any {
		return
	}
	h := newHit(len(w.byForm))
	for i := range h.n {
		h.n[i], h.sure[i], h.kind[i] = max(w.byForm[i], w.byWords[i]), w.sure[i], w.f.Query.Items[i].Kind
		if h.kind[i] == TextKind {
			h.n[i] = min(h.n[i], 1)
		}
	}
	if any, _ := h.counts(w.f.Query); !any {
		return
	}
	hit := rowHit{hit: h, input: input, line: line, id: id}
	for kind, n := range w.counts {
		hit.counts = append(hit.counts, KindN{kind, n})
	}
	if w.f.sources.Texts && line > 0 {
		for _, s := range w.rec.Segments {
			hit.texts = append(hit.texts, string(w.rec.Text(s)))
		}
	}
	w.hits = append(w.hits, hit)
}

// end adds the findings, compares the files with those of the inventories, and names them as
// the inventories do.
func (f *fileSearch) end(a *Answer, digests map[string][sha256.Size]byte) error {
	names := make([]string, len(f.inputs)) // of the inputs, as the inventories have them
	of := make([]*File, len(f.inputs))
	for i := range f.inputs {
		names[i] = f.inputs[i].Name
	}
	for k, n := range f.Inventories {
		complete, err := f.compare(n, digests, names, of)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
		a.Searched[k].covered = complete && f.s.Complete
	}
	rows := map[*File]*locator{}
	for _, h := range f.hits {
		one, err := f.finding(h, names[h.input], of[h.input], rows)
		if err != nil {
			return err
		}
		one.source = len(a.Searched)
		a.Findings = append(a.Findings, *one)
	}
	a.Searched = append(a.Searched, f.s)
	return nil
}

// compare looks for each file of an inventory among the inputs, by its digest. It reports
// whether all are there.
func (f *fileSearch) compare(n Named[*File], digests map[string][sha256.Size]byte, names []string, of []*File) (complete bool, err error) {
	files, err := n.In.Files()
	if err != nil {
		return false, err
	}
	complete = true
	for _, d := range files {
		there, other := false, false
		for i := range f.inputs {
			in := &f.inputs[i]
			switch digest, ok := digests[in.FilePath()]; {
			case ok && digest == d.Digest:
				there = true
				names[i], of[i] = d.Name+strings.TrimPrefix(in.Name, in.FileName()), n.In
			case filepath.Base(in.FileName()) == filepath.Base(d.Name):
				other = true
			}
		}
		switch {
		case there:
			continue
		case other:
			f.s.because("%s is not as it was when the inventory was built", d.Name)
		default:
			f.s.because("%s, a file of the inventory, was not searched", d.Name)
		}
		complete = false
	}
	return complete, nil
}

// finding describes a row of a file.
func (f *fileSearch) finding(h rowHit, name string, of *File, rows map[*File]*locator) (*Finding, error) {
	one := &Finding{
		Record: recordName(h.id, name, uint64(h.line)), Dataset: filepath.Base(f.inputs[h.input].Arg), Labels: []string{}, File: name, Line: uint64(h.line),
		Flags: []string{}, Models: []string{}, Others: []KindN{}, row: uint64(h.input)<<32 | uint64(h.line),
	}
	if of != nil {
		if rows[of] == nil {
			rows[of] = &locator{f: of}
		}
		row, ok, err := rows[of].find(name, uint64(h.line))
		if err != nil {
			return nil, err
		}
		if ok {
			if one, err = of.finding(f.Query, row, newHit(len(h.n))); err != nil {
				return nil, err
			}
			one.Others = one.Others[:0]
		}
	}
	h.fill(one, f.Query, "files", h.counts)
	one.Texts, one.Path = h.texts, f.inputs[h.input].Path
	return one, nil
}

// locator finds rows of an inventory by their source and line.
type locator struct {
	f       *File
	sources map[string]uint64 // numbers by name
}

func (l *locator) find(source string, line uint64) (row uint64, ok bool, err error) {
	if l.sources == nil {
		l.sources = map[string]uint64{}
		if err := l.f.eachSource(func(i uint64, s Source) error { l.sources[s.Name] = i; return nil }); err != nil {
			return 0, false, err
		}
	}
	number, known := l.sources[source]
	if !known {
		return 0, false, nil
	}
	lo, hi := uint64(0), l.f.Meta.Counts.Rows
	for lo < hi {
		mid := (lo + hi) / 2
		r, err := l.f.row(mid)
		if err != nil {
			return 0, false, err
		}
		switch cmp.Or(cmp.Compare(uint64(r.Source), number), cmp.Compare(r.Line, line)) {
		case 0:
			return mid, true, nil
		case -1:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0, false, nil
}
