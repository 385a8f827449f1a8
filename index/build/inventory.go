package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/inventory"
	"noecho/internal/coverage"
	"noecho/ngram"
)

// The inventory lists every row with the identifiers and names in it. It is collected in the
// first pass with the tables of the index: each worker writes the rows of a task into a
// store, and after the pass the tasks are put into the order of the corpus, which numbers
// the rows.

// inventoryBuilder collects the inventory of a build.
type inventoryBuilder struct {
	b          *builder
	store      *tempStore
	collectors []*rowCollector
	kinds      []string
	number     map[string]int // of a kind

	names inventory.Phrases // of the lists of people; their ids are positions in looks
	looks []looked

	optOut map[inventory.Sum]bool // values of people who opted out
	digest string                 // keyed hash of their list
}

// looked is a value that is looked for because the list of subjects has it.
type looked struct {
	value inventory.Sum
	kind  int
}

func newInventoryBuilder(b *builder, store *tempStore) (*inventoryBuilder, error) {
	v := &inventoryBuilder{b: b, store: store, number: map[string]int{}}
	var out []corpus.Subject
	if b.o.OptOut != "" {
		people, digest, err := corpus.ReadSubjects(b.o.OptOut)
		if err != nil {
			return nil, err
		}
		sum := b.o.InventoryKey.Hasher().Text([]byte(digest))
		v.digest, out, v.optOut = hex.EncodeToString(sum[:]), people, map[inventory.Sum]bool{}
	}
	if !b.o.NoIdentifiers {
		v.kinds = identify.Kinds()
	}
	for _, p := range b.o.Patterns {
		v.kinds = append(v.kinds, p.Name)
	}
	if b.o.Subjects != "" || b.o.OptOut != "" {
		v.kinds = append(v.kinds, inventory.NameKind, inventory.AttributeKind)
	}
	for i, k := range v.kinds {
		v.number[k] = i
	}
	v.look()
	v.lookOut(out)
	return v, nil
}

// look makes the phrases of the names and other attributes of the data subjects.
func (v *inventoryBuilder) look() {
	s := speller{scan: ngram.NewScanner(v.b.spec.Suite)}
	h := v.b.o.InventoryKey.Hasher()
	known := map[inventory.Sum]bool{}
	for _, subject := range v.b.phrases.subjects {
		for _, a := range subject.Attributes {
			if kind, ok := inventory.AttributeKindOf(a); ok {
				v.lookFor(&s, h, known, kind, a.Value)
			}
		}
	}
}

// lookFor looks for the words of a name or an attribute, and returns their value. ok is false
// if there are no words.
func (v *inventoryBuilder) lookFor(s *speller, h *inventory.Hasher, known map[inventory.Sum]bool, kind, text string) (value inventory.Sum, ok bool) {
	form := inventory.WordsForm(kind, inventory.Words(text))
	if form == "" {
		return value, false
	}
	if value = h.Value(kind, form); known[value] {
		return value, true
	}
	known[value] = true
	words := s.scanned(text)
	for _, order := range inventory.Orders(kind, words[:min(len(words), inventory.MostWords)]) {
		v.names.Add(order, len(v.looks))
	}
	v.looks = append(v.looks, looked{value, v.number[kind]})
	return value, true
}

// lookOut looks for the people who opted out: for their identifiers, in every form that these
// may have, and for names and attributes that many people do not share.
func (v *inventoryBuilder) lookOut(people []corpus.Subject) {
	s := speller{scan: ngram.NewScanner(v.b.spec.Suite)}
	h := v.b.o.InventoryKey.Hasher()
	known := map[inventory.Sum]bool{}
	for _, l := range v.looks {
		known[l.value] = true
	}
	for _, p := range people {
		for _, a := range p.Attributes {
			if kind, ok := inventory.AttributeKindOf(a); ok && !a.Weak(len(inventory.Words(a.Value))) {
				if value, ok := v.lookFor(&s, h, known, kind, a.Value); ok {
					v.optOut[value] = true
				}
			}
			kind, text, ok := identify.Whole(a.Value)
			switch {
			case ok:
			case a.Phone():
				kind, text = identify.Phone, a.Value
			case slices.ContainsFunc(v.b.o.Patterns, func(p identify.Pattern) bool { return strings.EqualFold(p.Name, a.Column) }):
				kind, text = a.Column, a.Value
			default:
				continue
			}
			for _, form := range identify.Asked(kind, text) {
				v.optOut[h.Value(form.Kind, form.Text)] = true
			}
		}
	}
}

func (v *inventoryBuilder) collector() *rowCollector {
	c := &rowCollector{to: v, hash: v.b.o.InventoryKey.Hasher(), values: v.b.o.InventoryKey.Hasher()}
	if len(v.looks) > 0 {
		c.match = v.names.Matcher()
		c.scan = ngram.NewScanner(v.b.spec.Suite)
	}
	c.finder = v.b.phrases.finder()
	v.collectors = append(v.collectors, c)
	return c
}

// rowTask are the rows of one task in the store.
type rowTask struct {
	task   int64
	source int
	at     int64
	bytes  int
}

// A rowCollector collects the rows of one worker. A row in the store:
//
//	flags (rowContinues), marks, sensitivity, line, id, 16 bytes of hash,
//	number of values: for each 16 bytes, kind, count
//	number of kinds: for each kind, count
//
// All numbers are uvarints.
type rowCollector struct {
	to     *inventoryBuilder
	hash   *inventory.Hasher // of the current row
	values *inventory.Hasher
	match  *inventory.Matcher // nil: no names are looked for
	scan   *ngram.Scanner     // of the rest of a row, for names
	finder *identify.Finder   // of the rest of a row; nil: identifiers are not looked for

	part   recordPart
	marks  inventory.Flags
	class  inventory.Sensitivity
	found  []inventory.Posting
	counts []inventory.Count
	ids    []int
	others []identify.Match
	words  []ngram.Word
	tasks  []rowTask
	buf    []byte
	filed  int // tasks whose rows are in the store
	erased []erasedRow
	named  uint64 // rows whose id is an e-mail address
}

func (c *rowCollector) beginRecord(r recordPart) {
	if n := len(c.tasks); n == 0 || c.tasks[n-1].task != r.task {
		if len(c.buf) >= 256<<10 {
			c.spill()
		}
		c.tasks = append(c.tasks, rowTask{task: r.task, source: r.source, at: int64(len(c.buf))})
	}
	c.part, c.found, c.counts, c.marks, c.class = r, c.found[:0], c.counts[:0], 0, inventory.Unclassified
	if r.line > 0 {
		c.hash.BeginRow(r.id)
	}
}

func (c *rowCollector) beginSegment() {
	if c.match != nil {
		c.match.Reset()
	}
}

func (c *rowCollector) add(text []byte, words []ngram.Word) error {
	if c.part.line > 0 {
		_, _ = c.hash.Write(text)
	}
	if c.match != nil {
		c.name(words)
	}
	return nil
}

// name looks for names that end with the words.
func (c *rowCollector) name(words []ngram.Word) {
	for _, w := range words {
		c.ids = c.match.Next(c.ids[:0], w.Hash)
		for _, id := range c.ids {
			l := c.to.looks[id]
			c.enter(l.value, l.kind)
			c.countKind(l.kind)
		}
	}
}

// rest looks into the bytes of a row that are none of its texts: its id, members and cells
// that no format reads, and messages of roles that are not read.
func (c *rowCollector) rest(row []byte, texts []corpus.Segment) {
	if name := c.to.b.o.Sensitivity; name != "" {
		c.classify(row, name)
	}
	from := int64(0)
	for _, t := range texts {
		if t.RawLo > from {
			c.between(row[from:t.RawLo])
		}
		from = max(from, t.RawHi)
	}
	if from < int64(len(row)) {
		c.between(row[from:])
	}
}

// classify notes the class of a row. A class that is no string, such as a number, is another
// word, and null is none.
func (c *rowCollector) classify(row []byte, name string) {
	value, ok := corpus.Member(row, name)
	if !ok || string(value) == "null" {
		return
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		text = "another word"
	}
	c.class = inventory.ParseSensitivity(text)
}

func (c *rowCollector) between(part []byte) {
	if c.finder != nil {
		c.finder.Reset()
		c.others = c.finder.Finish(c.finder.Append(c.others[:0], part))
		for _, m := range c.others {
			c.identifier(m.Kind, m.Text)
		}
	}
	if c.match != nil {
		c.match.Reset()
		c.scan.Reset()
		c.words = c.scan.Append(c.words[:0], part)
		c.words = c.scan.Finish(c.words)
		c.name(c.words)
	}
}

func (c *rowCollector) endSegment(bool) error {
	if c.part.line > 0 {
		c.hash.EndText()
	}
	return nil
}

// identifier adds an identifier that was found in the row.
func (c *rowCollector) identifier(kind, text string) {
	number := c.to.number[kind]
	for _, f := range identify.Forms(kind, text) {
		c.enter(c.values.Value(f.Kind, f.Text), number)
	}
	c.countKind(number)
}

// enter counts a value of the row.
func (c *rowCollector) enter(value inventory.Sum, kind int) {
	if c.to.optOut != nil && c.to.optOut[value] {
		c.marks |= inventory.OptOut
	}
	for i := range c.found {
		if c.found[i].Value == value {
			c.found[i].N++
			return
		}
	}
	c.found = append(c.found, inventory.Posting{Value: value, Kind: kind, N: 1})
}

// countKind counts an identifier of the row.
func (c *rowCollector) countKind(kind int) {
	for i := range c.counts {
		if c.counts[i].Kind == kind {
			c.counts[i].N++
			return
		}
	}
	c.counts = append(c.counts, inventory.Count{Kind: kind, N: 1})
}

func (c *rowCollector) endRecord() {
	if strings.Contains(c.part.id, "@") {
		if kind, _, ok := identify.Whole(c.part.id); ok && kind == identify.Email {
			c.named++
		}
	}
	flags := byte(0)
	if c.part.block > 0 {
		flags = rowContinues
	}
	var sum inventory.Sum
	if c.part.line > 0 {
		sum = c.hash.EndRow()
	}
	if e := c.to.b.o.Erased; e != nil {
		if request := e.Row(sum, c.found); request != "" {
			c.erased = append(c.erased, erasedRow{c.part.source, c.part.line, request})
		}
	}
	n := len(c.buf)
	b := append(c.buf, flags, byte(c.marks), byte(c.class))
	b = binary.AppendUvarint(b, uint64(c.part.line))
	id := nameOf(c.part.id)
	b = append(binary.AppendUvarint(b, uint64(len(id))), id...)
	b = append(b, sum[:]...)
	b = binary.AppendUvarint(b, uint64(len(c.found)))
	for _, p := range c.found {
		b = append(b, p.Value[:]...)
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(p.Kind)), uint64(p.N))
	}
	b = binary.AppendUvarint(b, uint64(len(c.counts)))
	for _, k := range c.counts {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(k.Kind)), k.N)
	}
	c.buf = b
	c.tasks[len(c.tasks)-1].bytes += len(c.buf) - n
}

// erasedRow is a row that the build has to leave out.
type erasedRow struct {
	source, line int
	request      string
}

// placesMost bounds the rows that an error names.
const placesMost = 10

// refuse returns an error if a row is one that was to be left out. The inputs have been read.
func (v *inventoryBuilder) refuse() error {
	if v == nil || v.b.o.Erased == nil {
		return nil
	}
	var all []erasedRow
	for _, c := range v.collectors {
		all = append(all, c.erased...)
	}
	hash := v.b.o.InventoryKey.Hasher()
	for i, s := range v.b.sources {
		if request := v.b.o.Erased.Row(hash.Text(s.digest), nil); request != "" {
			all = append(all, erasedRow{i, 0, request})
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b erasedRow) int { return cmp.Or(a.source-b.source, a.line-b.line) })
	all = slices.Compact(all) // of a text in blocks, several have identifiers
	e := &inventory.ExcludedError{Rows: uint64(len(all))}
	for _, r := range all {
		if place := v.b.sources[r.source].Name; len(e.Places) < placesMost {
			if r.line > 0 {
				place = fmt.Sprintf("%s:%d", place, r.line)
			}
			e.Places = append(e.Places, place)
		}
		if !slices.Contains(e.Requests, r.request) {
			e.Requests = append(e.Requests, r.request)
		}
	}
	slices.Sort(e.Requests)
	return e
}

// spill moves the rows to the store.
func (c *rowCollector) spill() {
	at := c.to.store.append(c.buf)
	for i := c.filed; i < len(c.tasks); i++ {
		c.tasks[i].at += at
	}
	c.filed, c.buf = len(c.tasks), c.buf[:0]
}

// storedRow is a row of the store.
type storedRow struct {
	flags byte
	row   inventory.Row
	found []inventory.Posting
}

// read reads a row from b and returns the rest.
func (r *storedRow) read(b []byte) []byte {
	number := func() int {
		n, k := binary.Uvarint(b)
		b = b[k:]
		return int(n)
	}
	r.flags, r.row.Flags, r.row.Sensitivity, b = b[0], inventory.Flags(b[1]), inventory.Sensitivity(b[2]), b[3:]
	r.row.Line = uint64(number())
	n := number()
	r.row.ID, b = string(b[:n]), b[n:]
	b = b[copy(r.row.Sum[:], b):]
	r.found, r.row.Counts = r.found[:0], r.row.Counts[:0]
	for range number() {
		p := inventory.Posting{Value: inventory.Sum(b)}
		b = b[len(p.Value):]
		p.Kind, p.N = number(), number()
		r.found = append(r.found, p)
	}
	for range number() {
		r.row.Counts = append(r.row.Counts, inventory.Count{Kind: number(), N: uint64(number())})
	}
	return b
}

// eachRow calls f for every row in the order of the corpus, the blocks of a long text one by
// one.
func (v *inventoryBuilder) eachRow(ctx context.Context, f func(r *storedRow) error) error {
	var tasks []rowTask
	for _, c := range v.collectors {
		c.spill()
		tasks = append(tasks, c.tasks...)
	}
	if err := v.store.err(); err != nil {
		return err
	}
	slices.SortFunc(tasks, func(a, b rowTask) int { return cmp.Or(a.source-b.source, cmp.Compare(a.task, b.task)) })
	var buf []byte
	r := new(storedRow)
	for _, t := range tasks {
		buf = slices.Grow(buf[:0], t.bytes)[:t.bytes]
		if err := cmp.Or(ctx.Err(), v.store.readAt(buf, t.at)); err != nil {
			return err
		}
		for rest := buf; len(rest) > 0; {
			rest = r.read(rest)
			r.row.Source = t.source
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// inventoryMode is the mode of an inventory: only its owner may read it.
const inventoryMode = 0o600

// write writes the inventory and puts it in its place. The counts and the digests of the
// sources are known.
func (v *inventoryBuilder) write(ctx context.Context, out *pending, m *index.Manifest, buildID string) (*inventory.Info, error) {
	v.noticeIDs()
	info, err := v.fill(ctx, out, m, buildID)
	if err == nil {
		err = out.commit()
	}
	if err != nil {
		return nil, err
	}
	return &info, nil
}

// fill writes the inventory.
func (v *inventoryBuilder) fill(ctx context.Context, out *pending, m *index.Manifest, buildID string) (inventory.Info, error) {
	dir := cacheDir(v.b.o.Inventory)
	w := inventory.NewWriter(out, v.b.o.InventoryKey, func() (*os.File, error) { return newTempFile(dir) }, v.b.o.Memory/4)
	defer w.Abort()
	if err := v.writeRows(ctx, w); err != nil {
		return inventory.Info{}, err
	}
	for _, l := range v.looks {
		if err := w.Looked(l.value, l.kind); err != nil {
			return inventory.Info{}, err
		}
	}
	files, numbers, err := v.disk(ctx)
	if err != nil {
		return inventory.Info{}, err
	}
	datasets, _ := datasetNumbers(v.b.sources, v.b.o.Dataset)
	var sources []inventory.Source
	for i, s := range v.b.sources {
		sources = append(sources, inventory.Source{Name: nameOf(s.Name), File: numbers[i], Dataset: int(datasets[i])})
	}
	return w.Finish(ctx, v.meta(m, buildID), sources, files)
}

// writeRows writes the rows, each text that was read in blocks as one.
func (v *inventoryBuilder) writeRows(ctx context.Context, w *inventory.Writer) error {
	hash := v.b.o.InventoryKey.Hasher()
	text := &rowCollector{to: v} // adds up the counts of a text
	var whole storedRow
	flush := func() error {
		if text.part.last {
			text.part.last = false
			whole.row.Counts = text.counts
			return w.Row(whole.row, text.found)
		}
		return nil
	}
	err := v.eachRow(ctx, func(r *storedRow) error {
		if r.row.Line > 0 {
			return cmp.Or(flush(), w.Row(r.row, r.found))
		}
		if r.flags&rowContinues == 0 {
			if err := flush(); err != nil {
				return err
			}
			whole.row, text.found, text.counts = r.row, nil, nil
			whole.row.Sum = hash.Text(v.b.sources[r.row.Source].digest)
			text.part.last = true
		}
		text.merge(r)
		whole.row.Flags |= r.row.Flags
		return nil
	})
	return cmp.Or(err, flush())
}

// merge adds the counts of a block.
func (c *rowCollector) merge(r *storedRow) {
	for _, p := range r.found {
		at := slices.IndexFunc(c.found, func(o inventory.Posting) bool { return o.Value == p.Value })
		if at < 0 {
			c.found = append(c.found, p)
		} else {
			c.found[at].N += p.N
		}
	}
	for _, k := range r.row.Counts {
		at := slices.IndexFunc(c.counts, func(o inventory.Count) bool { return o.Kind == k.Kind })
		if at < 0 {
			c.counts = append(c.counts, k)
		} else {
			c.counts[at].N += k.N
		}
	}
}

// meta describes the inventory.
func (v *inventoryBuilder) meta(m *index.Manifest, buildID string) *inventory.Meta {
	meta := &inventory.Meta{
		IndexBuild: buildID, Model: m.Model, Builder: m.Builder, Time: m.Time, Kinds: v.kinds,
		Patterns: m.Parameters.Patterns, Subjects: v.b.phrases.digest, OptOut: v.digest, Classes: v.b.o.Sensitivity, Roles: m.Parameters.Roles,
		Unread: inventory.Unread{BadRecords: m.NotIndexed.BadRecords},
	}
	for _, d := range m.Datasets {
		meta.Datasets = append(meta.Datasets, inventory.Dataset{Name: d.Name, Labels: d.Labels})
		if d.Coverage == nil {
			continue
		}
		for _, c := range d.Coverage.Columns {
			if coverage.IsMark(c.Name) { // the collector looks into all columns
				meta.Unread.Bytes += c.Unread
				meta.Unread.LeftOut += c.LeftOut
			}
		}
	}
	for _, s := range v.b.skipped {
		if s.Text > 0 && !s.Meant() {
			meta.Unread.SkippedFiles += uint64(max(1, s.Files))
		}
	}
	return meta
}

// disk returns the files that contain the sources, and for each source the number of its
// file. The digest of the text is that of the file if the text is the bytes of the file;
// other files are read once more.
func (v *inventoryBuilder) disk(ctx context.Context) (files []inventory.Disk, numbers []int, err error) {
	at := map[string]int{}
	var again []*source // the first source of each file that is read once more
	for _, s := range v.b.sources {
		name := s.FileName()
		number, known := at[name]
		if !known {
			number = len(files)
			at[name] = number
			d := inventory.Disk{Name: nameOf(name), Bytes: uint64(max(0, s.Size)), Digest: [sha256.Size]byte(s.digest)}
			switch {
			case s.verbatim && s.Size >= 0:
			case s.Path == corpus.Stdin:
				d.OfText = !s.verbatim
			default:
				again = append(again, s)
			}
			files = append(files, d)
		}
		numbers = append(numbers, number)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(v.b.o.Workers)
	for _, s := range again {
		g.Go(func() error {
			return digestFile(ctx, s, &files[at[s.FileName()]])
		})
	}
	return files, numbers, g.Wait()
}

// digestFile computes the digest of the file that contains a source.
func digestFile(ctx context.Context, s *source, d *inventory.Disk) error {
	f, err := os.Open(s.FilePath())
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read input: %w", err)
	}
	if !st.ModTime().Equal(s.ModTime) {
		return errors.New("the inputs changed while they were read: build again")
	}
	sum := sha256.New()
	n, err := io.Copy(sum, &stopping{ctx: ctx, r: f})
	if err != nil {
		return fmt.Errorf("read input %s: %w", s.FilePath(), err)
	}
	d.Bytes = uint64(n)
	sum.Sum(d.Digest[:0])
	return nil
}

// stopping is a reader that ends with its context.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s *stopping) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

// noticeIDs tells of ids that are e-mail addresses.
func (v *inventoryBuilder) noticeIDs() {
	named := uint64(0)
	for _, c := range v.collectors {
		named += c.named
	}
	if named > 0 {
		v.b.notice("the ids of %d rows are e-mail addresses, and the index and the inventory keep ids in clear: use pseudonyms as ids", named)
	}
}
