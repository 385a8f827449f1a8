package build

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"noecho/index/internal/format"
	"noecho/ngram"
)

// Places. Every word of the corpus has a place, words of short texts as well:
// the sources stand one after the other in the order of their paths, and behind
// every segment there is a gap. What a worker reads in the first pass it counts by
// itself; once the pass is over, the lengths of the tasks before a task say where
// the task begins. So places depend on the corpus alone, neither on who read what
// nor on where long texts were cut.

// A placer says where the words stand that one worker reads, and takes down its
// records. Not safe for concurrent use.
type placer struct {
	// pos is where the next word stands that collectors are given, or, while they are
	// given words, the first of them: a position in what this worker reads, which
	// place turns into a place of the corpus once the pass is over. Consecutive
	// words of a segment have consecutive positions.
	pos uint64

	to     *tempStore
	tasks  []taskSpan
	buf    []byte // notes of records
	filed  int    // tasks whose notes are in the scratch file
	part   recordPart
	first  uint64 // position at which the record begins
	wanted bool   // the record is to be named
}

// taskSpan says what a worker read in a task.
type taskSpan struct {
	task     int64
	source   int
	first    uint64 // position of the worker at which it begins
	end      uint64
	place    uint64 // at which it begins
	rowsAt   int64  // notes of its records: in the scratch file
	rowBytes int    // bytes of them
}

// want says that the record that is being read holds something that leads to
// it, so that the index names it.
func (p *placer) want() { p.wanted = true }

// place returns the place of a word's position, once the first pass is over.
func (p *placer) place(pos uint64) ngram.Place {
	t := &p.tasks[p.taskOf(0, pos)]
	return ngram.Place(t.place + pos - t.first)
}

// taskOf returns the number of the task in which a position lies, which is not
// before that one.
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

// endSegment leaves a gap, but not where a text goes on in the next block.
func (p *placer) endSegment(bool) error {
	if p.part.last {
		p.pos += ngram.PlaceGap
	}
	return nil
}

// endRecord takes the record down if it is wanted; of a text in blocks that is
// known once all of them are read.
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

// Flags of a record's note.
const (
	rowWanted    = 1 << iota
	rowContinues // it is no record but a later block of one
)

// nameOf returns an id or a path as the index keeps it: valid UTF-8 and not
// endless.
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

// endTask files the notes of a task once there are enough of them.
func (p *placer) endTask() {
	const enough = 64 << 10
	if len(p.buf) >= enough {
		p.spill()
	}
}

// file moves the notes to the scratch file.
func (p *placer) spill() {
	at := p.to.append(p.buf)
	for i := p.filed; i < len(p.tasks); i++ {
		p.tasks[i].rowsAt += at
	}
	p.filed, p.buf = len(p.tasks), p.buf[:0]
}

// places are the placers of a build.
type places struct {
	to     *tempStore
	all    []*placer
	tasks  []*taskSpan // of all placers, in the order of the corpus
	bases  []uint64    // by source: its first place
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

// wantText says that a text that was read in blocks is to be named.
func (p *places) wantText(source int) { p.wanted[source] = true }

// settle gives every task its place. The first pass is over.
func (p *places) settle() error {
	for _, one := range p.all {
		one.spill()
		for i := range one.tasks {
			p.tasks = append(p.tasks, &one.tasks[i])
		}
	}
	slices.SortFunc(p.tasks, func(a, b *taskSpan) int { return int(a.task - b.task) })
	p.end = ngram.PlaceGap
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

// checkPlaces refuses more places than a [ngram.Place] can tell apart beside the
// number of the file.
func checkPlaces(end uint64) error {
	if end > 1<<format.PlaceBitsMost {
		return fmt.Errorf("%d words are too many for one index: make several", end)
	}
	return nil
}

// note is what was taken down of a record, or of a later block of one.
type recordRow struct {
	flags byte
	place uint64
	line  uint64
	id    []byte // valid until the next note
}

// eachRow calls f for every note, in the order of the corpus.
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

// recordSet returns the records of a build that are to be named.
func (p *places) recordSet(sources []*source, dataset string) *recordSet {
	var names []string
	for _, s := range sources {
		names = append(names, s.datasetName(dataset))
	}
	datasets := slices.Compact(slices.Sorted(slices.Values(names)))
	set := &recordSet{end: p.end, datasets: uint64(len(datasets))}
	for i, s := range sources {
		number, _ := slices.BinarySearch(datasets, names[i])
		set.sources = append(set.sources, namedSource{place: p.bases[i], dataset: uint64(number), path: nameOf(s.Path)})
	}
	set.each = p.eachRecord
	return set
}

// eachRecord calls f for every record that is to be named.
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
