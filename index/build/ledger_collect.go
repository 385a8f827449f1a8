package build

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"

	"noecho/index/internal/format"
	"noecho/internal/gram"
	"noecho/ngram"
)

// The ledger is the table that leads from seeds (5-grams selected
// by package ngram) to their places. While the corpus is read, each worker sorts its
// seeds into lists by the upper bits of their fingerprints (40 bits of their hashes),
// and moves full lists to a file. Afterwards the seeds of one list number are few
// enough to be sorted in memory.

const (
	listBits  = sliceBitsMin
	listMost  = 2 << 10 // largest number of seeds in a list of a worker
	listFirst = 64
)

// ledgerBuilder builds the sections LEDGER and RECORDS.
type ledgerBuilder struct {
	b          *builder
	kept       *tempStore // full lists of seeds
	collectors []*seedCollector
	heads      [1 << listBits]int64 // by list number: offset of the last list in the file, or 0
}

func newLedgerBuilder(b *builder, kept *tempStore) *ledgerBuilder {
	l := &ledgerBuilder{b: b, kept: kept}
	l.kept.append(make([]byte, 8)) // so that no list has offset 0
	return l
}

// collector returns another collector. If at is nil, its positions are places.
func (l *ledgerBuilder) collector(at *placer) *seedCollector {
	n := &seedCollector{
		to: l, at: at, number: len(l.collectors),
		seeder: seeder{n: l.b.spec.N, key: l.b.o.Key, exclude: l.b.exclude},
	}
	n.before, n.from = seedReach(l.b.spec.N)
	l.collectors = append(l.collectors, n)
	return n
}

// finish writes the sections. All places are known.
func (l *ledgerBuilder) finish(ctx context.Context, p *plan) error {
	l.joinBlocks()
	taken := uint64(0)
	for _, n := range l.collectors {
		n.flush()
		taken += n.taken
	}
	if err := l.kept.err(); err != nil {
		return err
	}
	shape := format.NewLedgerShape(taken, l.b.places.end)
	return addTables(p, shape, l, l.b.places.recordSet(l.b.sources, l.b.o.Dataset), sorting{ctx: ctx, kept: l.kept, workers: l.b.o.Workers, memory: l.b.o.Memory})
}

// A seedCollector lists the seeds in the texts of one worker.
type seedCollector struct {
	to     *ledgerBuilder
	at     *placer
	number int
	seeder
	before, from int // the words that decide needs around a gram, see seedReach

	part   recordPart
	words  []uint64 // hashes of the newest words of the segment
	pos    uint64   // position of the first of these words
	next   int      // first gram in words that is not decided yet
	blocks []blockEdge
	head   []uint64 // of a block of a long text: its first words
	total  int      // number of words in the segment so far

	lists  [1 << listBits][]uint64
	origin uint64 // the lists contain positions relative to this one
	taken  uint64
}

func (n *seedCollector) beginRecord(r recordPart) { n.part = r }

func (n *seedCollector) beginSegment() {
	n.words, n.head, n.total, n.pos, n.next = n.words[:0], n.head[:0], 0, n.at.pos, 0
	if n.part.block > 0 {
		n.next = n.before
	}
}

func (n *seedCollector) add(_ []byte, words []ngram.Word) error {
	for _, w := range words {
		n.words = append(n.words, w.Hash)
	}
	n.total += len(words)
	if len(n.words) >= runWords {
		n.keepHead()
		n.read(len(n.words) - n.from + 1)
		n.drop()
	}
	return nil
}

func (n *seedCollector) endSegment(bool) error {
	n.keepHead()
	if n.part.last {
		n.read(len(n.words) - gram.SeedWords + 1)
	} else {
		n.read(len(n.words) - n.from + 1)
	}
	if n.part.block > 0 || !n.part.last {
		n.keepEdge()
	}
	return nil
}

func (n *seedCollector) endRecord() {}

// read decides grams of the current segment.
func (n *seedCollector) read(to int) {
	if n.decide(to) {
		n.at.want()
	}
}

// decide lists the seeds among the undecided grams below number to, and reports whether
// any of these grams lies in an indexed window.
func (n *seedCollector) decide(to int) (indexed bool) {
	if end := n.pos + uint64(len(n.words)); end-n.origin >= 1<<32 {
		n.flush()
		n.origin = n.pos
	}
	indexed = n.look(n.words, n.next, to)
	for _, s := range n.found {
		n.list(s.finger, n.pos+uint64(s.at)-n.origin)
	}
	n.taken += uint64(len(n.found))
	n.next = max(n.next, to)
	return indexed
}

// drop removes the words that no undecided gram needs.
func (n *seedCollector) drop() {
	drop := min(n.next-n.before, len(n.words))
	if drop <= 0 {
		return
	}
	n.words = append(n.words[:0], n.words[drop:]...)
	n.pos += uint64(drop)
	n.next -= drop
}

// list adds a seed to its list, given its position relative to origin.
func (n *seedCollector) list(finger, at uint64) {
	i := finger >> (format.FingerBits - listBits)
	l := n.lists[i]
	if len(l) == cap(l) {
		if len(l) >= listMost {
			n.spill(i)
			l = l[:0]
		} else {
			l = slices.Grow(l, max(listFirst, len(l)))
		}
	}
	n.lists[i] = append(l, finger<<32|at)
}

// A list in the file is a sequence of 8-byte numbers: the offset of the previous list
// of the same number, the length, the number of the collector, the origin of the
// positions, and for each seed the lower 32 bits of its fingerprint and of its
// position.
const listHead = 4

// spill moves a list to the file.
func (n *seedCollector) spill(i uint64) {
	l := n.lists[i]
	b := make([]byte, 0, 8*(listHead+len(l)))
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(l)))
	b = binary.LittleEndian.AppendUint64(b, uint64(n.number))
	b = binary.LittleEndian.AppendUint64(b, n.origin)
	for _, seed := range l {
		b = binary.LittleEndian.AppendUint64(b, seed)
	}
	n.to.kept.chain(&n.to.heads[i], b)
	n.lists[i] = l[:0]
}

// flush moves all lists to the file.
func (n *seedCollector) flush() {
	for i, l := range n.lists {
		if len(l) > 0 {
			n.spill(uint64(i))
		}
	}
}

// collect adds the seeds in the slice of k.
func (l *ledgerBuilder) collect(k *keys) error {
	head := make([]byte, 8*listHead)
	var b []byte
	for at := l.heads[k.slice>>(k.sliceBits-listBits)]; at != 0; {
		if err := l.kept.readAt(head, at); err != nil {
			return err
		}
		le := binary.LittleEndian
		size := 8 * int(le.Uint64(head[8:]))
		b = slices.Grow(b[:0], size)[:size]
		if err := l.kept.readAt(b, at+int64(len(head))); err != nil {
			return err
		}
		n, origin := l.collectors[le.Uint64(head[16:])], le.Uint64(head[24:])
		n.collect(k, b, origin)
		at = int64(le.Uint64(head))
	}
	return nil
}

// collect adds the seeds of a list. Their positions ascend.
func (n *seedCollector) collect(k *keys, b []byte, origin uint64) {
	upper := k.slice >> (k.sliceBits - listBits) << (format.FingerBits - listBits)
	task, end, shift := 0, uint64(0), uint64(0) // of the task in which the position lies
	for ; len(b) >= 8; b = b[8:] {
		seed := binary.LittleEndian.Uint64(b)
		pos := origin + seed&(1<<32-1)
		if n.at != nil && pos >= end {
			task = n.at.taskOf(task, pos)
			t := &n.at.tasks[task]
			end, shift = t.end, t.place-t.first
		}
		k.add(upper|seed>>32, pos+shift)
	}
}

// blockEdge has the words that join needs of one block of a long text.
type blockEdge struct {
	part  recordPart
	at    *placer
	pos   uint64   // position of its first word
	words int      // number of words in the block
	head  []uint64 // its first words; if there is no tail, all of them
	tail  []uint64 // its last words
}

// edge is the number of words at an edge of a block that may belong to grams which the
// block alone could not decide.
func (n *seedCollector) edge() int { return n.before + n.from - 1 }

// keepHead copies the first words of a block before drop removes them.
func (n *seedCollector) keepHead() {
	if (n.part.block > 0 || !n.part.last) && len(n.head) == 0 {
		n.head = append(n.head, n.words[:min(len(n.words), 2*n.edge())]...)
	}
}

// keepEdge stores the edges of the block that ends.
func (n *seedCollector) keepEdge() {
	e := blockEdge{part: n.part, at: n.at, pos: n.at.pos - uint64(n.total), words: n.total, head: slices.Clone(n.head)}
	if n.total > len(n.head) {
		e.tail = slices.Clone(n.words[len(n.words)-n.edge():])
	}
	n.blocks = append(n.blocks, e)
}

// decided returns the range of grams that the block alone has decided.
func (n *seedCollector) decided(e *blockEdge) (from, to int) {
	if from = n.before; e.part.block == 0 {
		from = 0
	}
	if to = e.words - n.from + 1; e.part.last {
		to = e.words - gram.SeedWords + 1
	}
	return from, to
}

// joinBlocks lists the seeds across the cuts of long texts.
func (l *ledgerBuilder) joinBlocks() {
	var edges []blockEdge
	for _, n := range l.collectors {
		edges = append(edges, n.blocks...)
		n.blocks = nil
	}
	if len(edges) == 0 {
		return
	}
	slices.SortFunc(edges, func(a, b blockEdge) int { return cmp.Compare(a.part.task, b.part.task) })
	n := l.collector(nil)
	for i := range edges {
		if n.join(&edges[i]) {
			l.b.places.wantText(edges[i].part.source)
		}
	}
}

// join processes the next block of a text and lists the seeds across the cut before it.
// It reports whether any of them lies in an indexed window.
func (n *seedCollector) join(e *blockEdge) (indexed bool) {
	if e.part.block == 0 {
		n.words, n.next, n.pos = n.words[:0], 0, 0
	}
	if len(n.words) == 0 && e.words > 0 {
		n.pos = uint64(e.at.place(e.pos))
	}
	start := len(n.words)
	n.words = append(n.words, e.head...)
	from, to := n.decided(e)
	if from < to {
		indexed = n.decide(start + from)
		n.next = start + to
	} else {
		indexed = n.decide(start + to)
	}
	if e.tail != nil {
		n.pos += uint64(start + e.words - len(e.tail))
		n.next -= start + e.words - len(e.tail)
		n.words = append(n.words[:0], e.tail...)
	}
	n.drop()
	return indexed
}
