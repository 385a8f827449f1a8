package index

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// The filters of a plan, in the order of the file.
const (
	planGate4 = iota
	planGate2
	planWindows
	planConfirm
	planWords   // the last one: a union of indexes without it has none
	planFilters // how many there are
)

// plan is where everything goes in the file that is being built: the filters
// first, because their sizes are known before their contents, then what else is
// said of the records, the manifest last.
type plan struct {
	sections []section      // by filter
	tables   [][]byte       // by filter: checksum tables, filled piece by piece
	extra    []extraSection // behind the filters
	manifest uint64         // offset of the MANIFEST section
}

// newPlan lays out the filters. With no capacity for words there is no WORDS.
func newPlan(n int, c capacities) (*plan, error) {
	if c.windows == 0 || c.windows > math.MaxInt64/(64*confirmBits) {
		return nil, fmt.Errorf("capacity of %d windows is out of range", c.windows)
	}
	p := &plan{sections: []section{
		planGate4:   {kind: KindGates, gram: gateLong, capacity: c.fours, k: gateK, block: blockBits, length: blockedLen(c.fours, gateBits)},
		planGate2:   {kind: KindGates, gram: gateShort, capacity: c.twos, k: gateK, block: blockBits, length: blockedLen(c.twos, gateBits)},
		planWindows: {kind: KindWindows, gram: uint32(n), capacity: c.windows, k: windowK, block: blockBits, length: blockedLen(c.windows, windowBits)},
		planConfirm: {kind: KindConfirm, gram: uint32(n), capacity: c.windows, k: confirmK, length: spreadLen(c.windows, confirmBits)},
		planWords:   {kind: KindWords, gram: wordGram, capacity: c.words, k: wordK, block: blockBits, length: blockedLen(c.words, wordBits)},
	}}
	if c.words == 0 {
		p.sections = p.sections[:planWords]
	}
	at := uint64(headerLen)
	for i := range p.sections {
		s := &p.sections[i]
		s.offset = at
		if i != planWords {
			s.flags = flagRequired
		}
		at = s.end()
		p.tables = append(p.tables, make([]byte, 4*chunks(s.length)))
	}
	p.manifest = at
	return p, nil
}

// stripes divides the filters into stripes of at most budget bytes, each of
// which is built by a pass over the corpus. Stripes end between checksummed
// pieces.
func (p *plan) stripes(budget uint64) [][]*target {
	var all [][]*target
	var stripe []*target
	left := uint64(0)
	for i, s := range p.sections {
		for from := uint64(0); from < s.length; {
			if left < chunkLen && left < s.length-from {
				if len(stripe) > 0 {
					all = append(all, stripe)
				}
				stripe, left = nil, max(budget, chunkLen)
			}
			size := min(s.length-from, left)
			if from+size < s.length {
				size = size / chunkLen * chunkLen
			}
			stripe = append(stripe, &target{section: i, from: 8 * from, size: 8 * size})
			from += size
			left -= size
		}
	}
	return append(all, stripe)
}

// write writes a finished target to its place and keeps its checksums and its
// count of set bits. The workers share the work.
func (p *plan) write(w io.WriterAt, t *target, workers int) error {
	var g errgroup.Group
	var ones atomic.Uint64
	for first := range uint64(workers) {
		g.Go(func() error {
			buf := make([]byte, chunkLen)
			for at := first * chunkLen; at < t.size/8; at += uint64(workers) * chunkLen {
				n, err := p.writeChunk(w, t, at, buf[:min(t.size/8-at, chunkLen)])
				if err != nil {
					return err
				}
				ones.Add(n)
			}
			return nil
		})
	}
	err := g.Wait()
	p.sections[t.section].ones += ones.Load()
	return err
}

// writeChunk writes the bytes of a target from at on and returns how many bits
// are set in them. buf is for them, at most a checksummed piece.
func (p *plan) writeChunk(w io.WriterAt, t *target, at uint64, buf []byte) (ones uint64, err error) {
	for i, word := range t.mem.words[at/8:][:len(buf)/8] {
		binary.LittleEndian.PutUint64(buf[8*i:], word)
	}
	s, to := &p.sections[t.section], t.from/8+at
	binary.LittleEndian.PutUint32(p.tables[t.section][4*(to/chunkLen):], crc32.Checksum(buf, castagnoli))
	if _, err := w.WriteAt(buf, int64(s.offset+to)); err != nil {
		return 0, fmt.Errorf("write index: %w", err)
	}
	return popCount(buf), nil
}

// finish writes what is still missing and puts the file in its place.
func (p *plan) finish(ctx context.Context, out *pending, h *header, m *Manifest) (Info, error) {
	manifest, err := json.Marshal(m)
	if err != nil {
		return Info{}, fmt.Errorf("write manifest: %w", err)
	}
	if err := p.writeRest(out, h, append(manifest, '\n')); err != nil {
		return Info{}, err
	}
	info, err := Stat(out, int64(h.fileLen))
	if err != nil {
		return Info{}, fmt.Errorf("the new index does not read back: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	return info, out.commit()
}

// writeRest writes everything but the filters: checksum tables, manifest, header.
func (p *plan) writeRest(f file, h *header, manifest []byte) error {
	m := section{kind: KindManifest, flags: flagRequired, offset: p.manifest, length: uint64(len(manifest))}
	table := make([]byte, 4*chunks(m.length))
	for i := uint64(0); i < m.length; i += chunkLen {
		sum := crc32.Checksum(manifest[i:min(i+chunkLen, m.length)], castagnoli)
		binary.LittleEndian.PutUint32(table[4*(i/chunkLen):], sum)
	}
	if _, err := f.WriteAt(manifest, int64(m.offset)); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	h.sections = slices.Clone(p.sections)
	tables := slices.Clone(p.tables)
	for _, e := range p.extra {
		h.sections, tables = append(h.sections, e.section), append(tables, e.table)
	}
	h.sections, tables = append(h.sections, m), append(tables, table)
	for i, t := range tables {
		s := &h.sections[i]
		s.tableCRC = crc32.Checksum(t, castagnoli)
		// The padding in front of and behind the table reads as zero: the file
		// was empty and is set to its full length.
		if _, err := f.WriteAt(t, int64(s.tableAt())); err != nil {
			return fmt.Errorf("write index: %w", err)
		}
	}
	h.fileLen = m.end()
	if err := f.Truncate(int64(h.fileLen)); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	id, err := digest(f, h)
	if err != nil {
		return err
	}
	h.buildID = id
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return nil
}

// file is what an index is written to.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}
