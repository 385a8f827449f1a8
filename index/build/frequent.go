package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/internal/memory"
	"noecho/ngram"
)

// Common windows. A window that occurs in many records is boilerplate, and an answer
// that repeats it leaks nothing. Two passes find such windows. In the first pass every
// window increments one cell of a table, selected by its hash. A cell may count several
// windows, but never less than each of them has; so only windows whose cells are above
// a bound can be common. The second pass counts the records of these windows exactly.
// Both results depend on the corpus alone, because counting does not depend on the
// order, and cells stop at their maximum.

const (
	cellMost    = math.MaxUint8
	reportRows  = 1000    // largest number of windows in a report, apart from the excluded ones
	nomineeMost = 1 << 20 // largest number of windows that are counted exactly, plus one for each KiB of memory
)

// cells is the table of the first pass, with four cells in a 32-bit word.
type cells struct {
	mem   memory.Region
	words []uint32
}

// newCells returns a table that is at most so many bytes large, and at most four times
// as large as the corpus.
func newCells(most int64, sources []*source) (*cells, error) {
	size, total := uint64(most), uint64(0)
	for _, s := range sources {
		total += uint64(max(0, s.Size))
	}
	size = max(4096, min(size, 4*total)) &^ 7
	mem, err := memory.New(size)
	if err != nil {
		return nil, err
	}
	return &cells{mem: mem, words: unsafe.Slice((*uint32)(unsafe.Pointer(&mem.Words[0])), size/4)}, nil
}

// place returns the word that contains the cell of a window, and the shift of the cell.
func (c *cells) place(h ngram.Hash) (word *uint32, shift uint64) {
	at := (h.Hi >> 32) * uint64(len(c.words)) >> 32
	return &c.words[at], h.Hi & 3 * 8
}

// add counts the windows of a run.
func (c *cells) add(g *grams) error {
	for _, h := range g.windows {
		word, shift := c.place(h)
		for {
			old := atomic.LoadUint32(word)
			if old>>shift&cellMost == cellMost || atomic.CompareAndSwapUint32(word, old, old+1<<shift) {
				break
			}
		}
	}
	return nil
}

// bound returns the smallest number, at least 2, that at most nomineeMost cells reach.
// It never exceeds the maximum of a cell.
func (c *cells) bound() uint32 {
	var reach [cellMost + 1]uint64
	for _, w := range c.words {
		for ; w != 0; w >>= 8 {
			reach[w&cellMost]++
		}
	}
	sum := uint64(0)
	for v := uint32(cellMost); v > 2; v-- {
		if sum += reach[v]; sum > nomineeMost {
			return min(v+1, cellMost)
		}
	}
	return 2
}

// common is a window that is counted exactly.
type common struct {
	hash    ngram.Hash
	records uint64 // number of records that contain it
	source  int    // position in builder.sources of its first record
	line    int    // line of its first record; 0: not known yet, in a text file
	text    string // for the report; empty unless the options ask for it
}

// before compares the first records by source and line.
func (c *common) before(o *common) bool {
	return c.source < o.source || c.source == o.source && c.line < o.line
}

// nominees are the windows that the second pass counts. Safe for concurrent use.
type nominees struct {
	cells *cells
	bound uint32
	most  int

	mu  sync.Mutex
	all map[uint64]*common // by Lo, the lower half of their hashes
}

// nominator counts the windows of one worker, record by record.
type nominator struct {
	to  *nominees
	hit []ngram.Hash // nominees in the current record
}

func (n *nominator) add(g *grams) error {
	for _, h := range g.windows {
		word, shift := n.to.cells.place(h)
		if *word>>shift&cellMost >= n.to.bound {
			n.hit = append(n.hit, h)
		}
	}
	if len(n.hit) > 1<<20 {
		n.compact()
	}
	return nil
}

// compact removes repeated windows.
func (n *nominator) compact() {
	slices.SortFunc(n.hit, func(a, b ngram.Hash) int { return cmp.Compare(a.Lo, b.Lo) })
	n.hit = slices.CompactFunc(n.hit, func(a, b ngram.Hash) bool { return a.Lo == b.Lo })
}

// endRecord counts each window of the record once.
func (n *nominator) endRecord(source, line int) error {
	n.compact()
	n.to.mu.Lock()
	defer n.to.mu.Unlock()
	for _, h := range n.hit {
		found := &common{hash: h, source: source, line: line}
		c := n.to.all[h.Lo]
		if c == nil {
			if c = found; len(n.to.all) >= n.to.most {
				return errors.New("more windows may be common than fit into memory: allow more memory or a higher --max-doc-freq")
			}
			n.to.all[h.Lo] = c
		}
		if found.before(c) {
			c.source, c.line = source, line
		}
		c.records++
	}
	n.hit = n.hit[:0]
	return nil
}

// leaveOutCommon excludes the windows that are too common from a build, and writes the
// report.
func leaveOutCommon(ctx context.Context, b *builder, m *index.Manifest) error {
	var report *pending // is opened before the passes, because it may fail
	if b.o.Report != "" {
		var err error
		if report, err = newPending(b.o.Report, 0); err != nil {
			return err
		}
		defer report.abort()
	}
	all, err := findCommon(ctx, b)
	if err != nil {
		return err
	}
	b.before = 2
	rows, excluded := pick(all, b.o.MaxDocFreq)
	if b.o.MaxDocFreq != 0 {
		for _, c := range rows[:excluded] {
			b.exclude[c.hash.Lo] = struct{}{}
		}
		m.Exclusions = append(m.Exclusions, commonExclusion(rows[:excluded], b.o.MaxDocFreq))
	}
	if report == nil {
		return nil
	}
	r := &reporter{o: &b.o, out: report, spec: b.spec, sources: b.sources}
	return r.write(rows)
}

// findCommon runs the two passes.
func findCommon(ctx context.Context, b *builder) (map[uint64]*common, error) {
	for _, s := range b.sources {
		if s.Path == corpus.Stdin {
			return nil, errors.New("the search for common windows reads the inputs several times, but standard input can be read only once: name a file instead")
		}
	}
	table, err := newCells(b.o.Memory/4, b.sources)
	if err != nil {
		return nil, err
	}
	defer table.mem.Free()
	counting := &pass{b: b}
	for range b.o.Workers {
		counting.sinks = append(counting.sinks, table)
	}
	b.startPass(1)
	t, err := counting.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := judge(b, t); err != nil {
		return nil, err
	}
	n := &nominees{cells: table, bound: cellMost, all: map[uint64]*common{}, most: nomineeMost + int(b.o.Memory/1024)}
	if b.o.Report != "" {
		n.bound = table.bound()
	}
	if b.o.MaxDocFreq != 0 {
		n.bound = uint32(min(uint64(n.bound), b.o.MaxDocFreq+1))
	}
	exact := &pass{b: b}
	for range b.o.Workers {
		exact.sinks = append(exact.sinks, &nominator{to: n})
	}
	b.startPass(2)
	_, err = exact.run(ctx)
	return n.all, err
}

// pick returns the windows for the report, the most frequent ones first, and the number
// of windows among them that occur in more than maxDocFreq records. If maxDocFreq is 0,
// no window is too common.
func pick(all map[uint64]*common, maxDocFreq uint64) (rows []*common, excluded int) {
	for _, c := range all {
		if c.records > 1 {
			rows = append(rows, c)
		}
	}
	slices.SortFunc(rows, func(a, b *common) int {
		return cmp.Or(cmp.Compare(b.records, a.records), cmp.Compare(a.hash.Hi, b.hash.Hi), cmp.Compare(a.hash.Lo, b.hash.Lo))
	})
	for maxDocFreq != 0 && excluded < len(rows) && rows[excluded].records > maxDocFreq {
		excluded++
	}
	return rows[:min(len(rows), max(excluded, reportRows))], excluded
}

// commonExclusion describes the excluded windows for the manifest.
func commonExclusion(rows []*common, maxDocFreq uint64) index.Exclusion {
	los := make([]uint64, len(rows))
	for i, c := range rows {
		los[i] = c.hash.Lo
	}
	slices.Sort(los)
	sum := sha256.New()
	for _, lo := range los {
		sum.Write(binary.LittleEndian.AppendUint64(nil, lo))
	}
	return index.Exclusion{
		Kind: fmt.Sprintf("in more than %d records", maxDocFreq), Digest: hex.EncodeToString(sum.Sum(nil)), Windows: uint64(len(rows)),
	}
}
