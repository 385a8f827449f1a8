package build

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"noecho/index/internal/format"
	"noecho/internal/gram"
	"noecho/ngram"
)

// Places. Every word of the corpus has a place, a number, including the words of texts
// that are too short for a window. The sources follow each other in the order of their
// names, and there is a gap behind every segment. In the first pass each worker counts
// the words that it reads: these counts are positions. After the pass, the sum of the
// lengths of all earlier tasks gives the place at which a task begins. So places depend
// on the corpus alone, not on the distribution of the work or on the cuts of long
// texts.

// A placer is the collector that counts the positions of one worker and collects its
// records. Not safe for concurrent use.
type placer struct {
	// pos is the position of the next word of the worker. While the collectors receive
	// words, it is the position of the first of them. Consecutive words of a segment
	// have consecutive positions. After the first pass, place converts positions to
	// places.
	pos uint64

	to     *tempStore
	tasks  []taskSpan
	buf    []byte // rows of records, encoded
	filed  int    // number of tasks whose rows are in the store
	part   recordPart
	first  uint64 // position of the first word of the record
	wanted bool   // the index has to name the record
}

// taskSpan is the range of positions that a task took.
type taskSpan struct {
	task     int64
	source   int
	first    uint64 // position at which it begins
	end      uint64
	place    uint64 // place at which it begins
	rowsAt   int64  // offset of the rows of its records
	rowBytes int    // length of these rows
}

// want tells that a finding can lead to the current record, so that the index has to
// name it.
func (p *placer) want() { p.wanted = true }

// place returns the place of a position, after the first pass.
func (p *placer) place(pos uint64) ngram.Place {
	t := &p.tasks[p.taskOf(0, pos)]
	return ngram.Place(t.place + pos - t.first)
}

// taskOf returns the number of the task that contains a position. Tasks before number
// from do not contain it.
func (p *placer) taskOf(from int, pos uint64) int {
	i, _ := slices.BinarySearchFunc(p.tasks[from:], pos, func(t taskSpan, pos uint64) int {
		if t.end <= pos {
			return -1
		}
		return 1
	})
	return from + i
}

func (p *placer) beginRecord(r recordPart) {
	if n := len(p.tasks); n == 0 || p.tasks[n-1].task != r.task {
		p.endTask()
		p.tasks = append(p.tasks, taskSpan{task: r.task, source: r.source, first: p.pos, end: p.pos, rowsAt: int64(len(p.buf))})
	}
	p.part, p.first, p.wanted = r, p.pos, false
}

func (p *placer) beginSegment() {}

func (p *placer) add(_ []byte, words []ngram.Word) error {
	p.pos += uint64(len(words))
	return nil
}

// endSegment adds the gap, unless the text continues in the next block.
func (p *placer) endSegment(bool) error {
	if p.part.last {
		p.pos += gram.PlaceGap
	}
	return nil
}

// endRecord stores a row for the record if the index has to name it. For a block of a
// long text it always stores a row, because only the last block decides.
func (p *placer) endRecord() {
	t := &p.tasks[len(p.tasks)-1]
	t.end = p.pos
	whole := p.part.block == 0 && p.part.last
	if whole && !p.wanted {
		return
	}
	var flags byte
	if p.wanted {
		flags |= rowWanted
	}
	if p.part.block > 0 {
		flags |= rowContinues
	}
	n := len(p.buf)
	p.buf = append(p.buf, flags)
	p.buf = binary.AppendUvarint(p.buf, p.first-t.first)
	p.buf = binary.AppendUvarint(p.buf, uint64(p.part.line))
	id := nameOf(p.part.id)
	p.buf = binary.AppendUvarint(p.buf, uint64(len(id)))
	p.buf = append(p.buf, id...)
	t.rowBytes += len(p.buf) - n
}

// Flags of a row.
const (
	rowWanted    = 1 << iota
	rowContinues // the row is for a later block of the same record
)

// nameOf returns an id, or the name of a file, in the form that the index stores: valid UTF-8 of
// limited length.
func nameOf(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= format.NameMost {
		return s
	}
	const more = "…"
	cut := format.NameMost - len(more)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}

// endTask moves the rows to the store if there are many.
func (p *placer) endTask() {
	const enough = 64 << 10
	if len(p.buf) >= enough {
		p.spill()
	}
}

// spill moves the rows to the store.
func (p *placer) spill() {
	at := p.to.append(p.buf)
	for i := p.filed; i < len(p.tasks); i++ {
		p.tasks[i].rowsAt += at
	}
	p.filed, p.buf = len(p.tasks), p.buf[:0]
}

// places are the placers of a build, and the result of their work.
type places struct {
	to     *tempStore
	all    []*placer
	tasks  []*taskSpan // of all placers, in the order of the corpus
	bases  []uint64    // by source: place of its first word
	end    uint64      // the place behind the last gap
	wanted map[int]bool
}

func newPlaces(sources int, to *tempStore) *places {
	return &places{to: to, bases: make([]uint64, sources), wanted: map[int]bool{}}
}

// placer returns a placer for another worker.
func (p *places) placer() *placer {
	one := &placer{to: p.to}
	p.all = append(p.all, one)
	return one
}

// wantText tells that the index has to name a long text that was read in blocks.
func (p *places) wantText(source int) { p.wanted[source] = true }

// settle computes the place of every task, after the first pass.
func (p *places) settle() error {
	for _, one := range p.all {
		one.spill()
		for i := range one.tasks {
			p.tasks = append(p.tasks, &one.tasks[i])
		}
	}
	slices.SortFunc(p.tasks, func(a, b *taskSpan) int { return cmp.Or(a.source-b.source, cmp.Compare(a.task, b.task)) })
	p.end = gram.PlaceGap
	source := 0
	for _, t := range p.tasks {
		for ; source <= t.source; source++ {
			p.bases[source] = p.end
		}
		t.place = p.end
		p.end += t.end - t.first
	}
	for ; source < len(p.bases); source++ {
		p.bases[source] = p.end
	}
	if err := checkPlaces(p.end); err != nil {
		return err
	}
	return p.to.err()
}

// checkPlaces refuses a corpus with more places than a [ngram.Place] can count beside
// the number of the file.
func checkPlaces(end uint64) error {
	if end > 1<<format.PlaceBitsMost {
		return fmt.Errorf("%d words are too many for one index: build several from parts of the corpus", end)
	}
	return nil
}

// recordRow is the stored row of a record, or of a later block of one.
type recordRow struct {
	flags byte
	place uint64
	line  uint64
	id    []byte // valid until the next row
}

// eachRow calls f for every row, in the order of the corpus.
func (p *places) eachRow(f func(source int, n recordRow) error) error {
	var buf []byte
	for _, t := range p.tasks {
		if t.rowBytes == 0 {
			continue
		}
		buf = slices.Grow(buf[:0], t.rowBytes)[:t.rowBytes]
		if err := p.to.readAt(buf, t.rowsAt); err != nil {
			return err
		}
		for rest := buf; len(rest) > 0; {
			n := recordRow{flags: rest[0]}
			rest = rest[1:]
			var at, idLen uint64
			for _, v := range []*uint64{&at, &n.line, &idLen} {
				var k int
				*v, k = binary.Uvarint(rest)
				rest = rest[k:]
			}
			n.place, n.id, rest = t.place+at, rest[:idLen], rest[idLen:]
			if err := f(t.source, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// recordSet returns the records of a build that the index has to name.
func (p *places) recordSet(sources []*source, dataset string) *recordSet {
	numbers, count := datasetNumbers(sources, dataset)
	set := &recordSet{end: p.end, datasets: count}
	for i, s := range sources {
		set.sources = append(set.sources, namedSource{place: p.bases[i], dataset: numbers[i], path: nameOf(s.Name)})
	}
	set.each = p.eachRecord
	return set
}

// datasetNumbers returns the number of the dataset of each source, counted from 0 in the
// order of their names, and how many datasets there are.
func datasetNumbers(sources []*source, dataset string) (numbers []uint64, count uint64) {
	var names []string
	for _, s := range sources {
		names = append(names, s.datasetName(dataset))
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range names {
		number, _ := slices.BinarySearch(sorted, name)
		numbers = append(numbers, uint64(number))
	}
	return numbers, uint64(len(sorted))
}

// eachRecord calls f for every record that the index has to name.
func (p *places) eachRecord(f func(namedRecord) error) error {
	var rec namedRecord
	var id []byte
	wanted := false
	flush := func() error {
		if !wanted {
			return nil
		}
		wanted = false
		return f(rec)
	}
	err := p.eachRow(func(source int, n recordRow) error {
		if n.flags&rowContinues == 0 {
			if err := flush(); err != nil {
				return err
			}
			id = append(id[:0], n.id...)
			rec = namedRecord{place: n.place, source: uint64(source), line: n.line, id: id}
			if len(id) > 0 {
				rec.line = 0
			}
			wanted = p.wanted[source]
		}
		wanted = wanted || n.flags&rowWanted != 0
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}
