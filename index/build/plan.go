package build

import (
	"bufio"
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

	"noecho/index"
	"noecho/index/internal/format"
)

// The filters of an index, in the order of the file.
const (
	planGate4 = iota
	planGate2
	planWindows
	planConfirm
	planWords   // the last one, because a merge of old indexes may lack it
	planFilters // number of filters
)

// plan is the layout of the file that is being written. The filters come first, because
// their sizes are known before their contents, then the other sections, and the
// manifest last.
type plan struct {
	out      file
	sections []format.Section // by filter
	tables   [][]byte         // by filter: checksums of its pieces, set when a piece is written
	extra    []extraSection   // behind the filters
	manifest uint64           // offset of the MANIFEST section, or of the next extra section
}

// newPlan lays out the filters. A capacity of 0 words means no section WORDS.
func newPlan(out file, n int, c capacities) (*plan, error) {
	if c.windows == 0 || c.windows > math.MaxInt64/(64*format.ConfirmBits) {
		return nil, fmt.Errorf("capacity of %d windows is out of range", c.windows)
	}
	p := &plan{out: out, sections: []format.Section{
		planGate4:   {Kind: format.KindGates, Gram: format.GateLong, Capacity: c.fours, K: format.GateK, Block: format.BlockBits, Length: format.BlockedLen(c.fours, format.GateBits)},
		planGate2:   {Kind: format.KindGates, Gram: format.GateShort, Capacity: c.twos, K: format.GateK, Block: format.BlockBits, Length: format.BlockedLen(c.twos, format.GateBits)},
		planWindows: {Kind: format.KindWindows, Gram: uint32(n), Capacity: c.windows, K: format.WindowK, Block: format.BlockBits, Length: format.BlockedLen(c.windows, format.WindowBits)},
		planConfirm: {Kind: format.KindConfirm, Gram: uint32(n), Capacity: c.windows, K: format.ConfirmK, Length: format.SpreadLen(c.windows, format.ConfirmBits)},
		planWords:   {Kind: format.KindWords, Gram: format.WordGram, Capacity: c.words, K: format.WordK, Block: format.BlockBits, Length: format.BlockedLen(c.words, format.WordBits)},
	}}
	if c.words == 0 {
		p.sections = p.sections[:planWords]
	}
	at := uint64(format.HeaderLen)
	for i := range p.sections {
		s := &p.sections[i]
		s.Offset = at
		if i != planWords {
			s.Flags = format.FlagRequired
		}
		at = s.End()
		p.tables = append(p.tables, make([]byte, 4*format.Chunks(s.Length)))
	}
	p.manifest = at
	return p, nil
}

// rounds divides the filters into rounds of at most budget bytes. One pass over the
// corpus builds all ranges of a round. Ranges end at the boundaries of checksummed
// pieces.
func (p *plan) rounds(budget uint64) [][]*filterRange {
	var all [][]*filterRange
	var round []*filterRange
	left := uint64(0)
	for i, s := range p.sections {
		for from := uint64(0); from < s.Length; {
			if left < format.ChunkLen && left < s.Length-from {
				if len(round) > 0 {
					all = append(all, round)
				}
				round, left = nil, max(budget, format.ChunkLen)
			}
			size := min(s.Length-from, left)
			if from+size < s.Length {
				size = size / format.ChunkLen * format.ChunkLen
			}
			round = append(round, &filterRange{section: i, from: 8 * from, size: 8 * size})
			from += size
			left -= size
		}
	}
	return append(all, round)
}

// write writes a completed range to the file and records its checksums and its number
// of set bits. The workers share the work.
func (p *plan) write(t *filterRange, workers int) error {
	var g errgroup.Group
	var ones atomic.Uint64
	for first := range uint64(workers) {
		g.Go(func() error {
			buf := make([]byte, format.ChunkLen)
			for at := first * format.ChunkLen; at < t.size/8; at += uint64(workers) * format.ChunkLen {
				n, err := p.writeChunk(t, at, buf[:min(t.size/8-at, format.ChunkLen)])
				if err != nil {
					return err
				}
				ones.Add(n)
			}
			return nil
		})
	}
	err := g.Wait()
	p.sections[t.section].Ones += ones.Load()
	return err
}

// writeChunk writes len(buf) bytes of a range, from byte at on, and returns the number
// of set bits in them. It uses buf as scratch space; buf is at most one checksummed
// piece long.
func (p *plan) writeChunk(t *filterRange, at uint64, buf []byte) (ones uint64, err error) {
	for i, word := range t.mem.Words[at/8:][:len(buf)/8] {
		binary.LittleEndian.PutUint64(buf[8*i:], word)
	}
	s, to := &p.sections[t.section], t.from/8+at
	binary.LittleEndian.PutUint32(p.tables[t.section][4*(to/format.ChunkLen):], crc32.Checksum(buf, format.Castagnoli))
	if _, err := p.out.WriteAt(buf, int64(s.Offset+to)); err != nil {
		return 0, fmt.Errorf("write index: %w", err)
	}
	return format.PopCount(buf), nil
}

// finish writes the missing parts of the file and reads its header back. The caller
// commits the file.
func (p *plan) finish(ctx context.Context, h *format.Header, m *index.Manifest) (index.Info, error) {
	manifest, err := json.Marshal(m)
	if err != nil {
		return index.Info{}, fmt.Errorf("write manifest: %w", err)
	}
	if err := p.writeRest(h, append(manifest, '\n')); err != nil {
		return index.Info{}, err
	}
	info, err := index.Stat(p.out, int64(h.FileLen))
	if err != nil {
		return index.Info{}, fmt.Errorf("the new index does not read back: %w", err)
	}
	return info, ctx.Err()
}

// writeRest writes the checksum tables, the manifest and the header.
func (p *plan) writeRest(h *format.Header, manifest []byte) error {
	m := format.Section{Kind: format.KindManifest, Flags: format.FlagRequired, Offset: p.manifest, Length: uint64(len(manifest))}
	table := make([]byte, 4*format.Chunks(m.Length))
	for i := uint64(0); i < m.Length; i += format.ChunkLen {
		sum := crc32.Checksum(manifest[i:min(i+format.ChunkLen, m.Length)], format.Castagnoli)
		binary.LittleEndian.PutUint32(table[4*(i/format.ChunkLen):], sum)
	}
	if _, err := p.out.WriteAt(manifest, int64(m.Offset)); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	h.Sections = slices.Clone(p.sections)
	tables := slices.Clone(p.tables)
	for _, e := range p.extra {
		h.Sections, tables = append(h.Sections, e.Section), append(tables, e.table)
	}
	h.Sections, tables = append(h.Sections, m), append(tables, table)
	for i, t := range tables {
		s := &h.Sections[i]
		s.TableCRC = crc32.Checksum(t, format.Castagnoli)
		// The padding before and after the table reads as zero, because the file was
		// empty and is extended to its full length.
		if _, err := p.out.WriteAt(t, int64(s.TableAt())); err != nil {
			return fmt.Errorf("write index: %w", err)
		}
	}
	h.FileLen = m.End()
	if err := p.out.Truncate(int64(h.FileLen)); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	id, err := format.Digest(p.out, h)
	if err != nil {
		return err
	}
	h.BuildID = id
	if _, err := p.out.WriteAt(h.Encode(), 0); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return nil
}

// file is the file that the index is written to.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// addSection appends a section whose payload is written by the function write. The
// payload must not be empty. Readers that do not know the kind of the section skip it.
func (p *plan) addSection(kind format.Kind, write func(w io.Writer) error) error {
	out := &sectionWriter{f: p.out, at: p.manifest}
	w := bufio.NewWriterSize(out, format.ChunkLen)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = out.end()
	}
	if err != nil {
		return fmt.Errorf("write %v: %w", format.Section{Kind: kind}, err)
	}
	s := format.Section{Kind: kind, Offset: p.manifest, Length: out.length}
	p.extra = append(p.extra, extraSection{Section: s, table: out.table})
	p.manifest = s.End()
	return nil
}

// extraSection is a section behind the filters, with its checksum table.
type extraSection struct {
	format.Section
	table []byte
}

// sectionWriter writes a payload and computes the checksums of its pieces.
type sectionWriter struct {
	f      file
	at     uint64
	length uint64
	sum    uint32
	filled int // bytes of the current piece, of which sum is the checksum
	table  []byte
}

func (w *sectionWriter) Write(p []byte) (int, error) {
	if _, err := w.f.WriteAt(p, int64(w.at+w.length)); err != nil {
		return 0, err
	}
	w.length += uint64(len(p))
	for rest := p; len(rest) > 0; {
		n := min(len(rest), format.ChunkLen-w.filled)
		w.sum = crc32.Update(w.sum, format.Castagnoli, rest[:n])
		if w.filled += n; w.filled == format.ChunkLen {
			w.endPiece()
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// end adds the checksum of the last piece.
func (w *sectionWriter) end() error {
	if w.filled > 0 {
		w.endPiece()
	}
	if w.length == 0 {
		return fmt.Errorf("the section is empty")
	}
	return nil
}

func (w *sectionWriter) endPiece() {
	w.table = binary.LittleEndian.AppendUint32(w.table, w.sum)
	w.sum, w.filled = 0, 0
}

// checkFill refuses filters that contain more windows than they were sized for: they
// would give more false positives than promised.
func (p *plan) checkFill() error {
	s := p.sections[planConfirm]
	// The estimate may be high by chance: allow 2 % and four standard deviations.
	most := float64(s.Capacity)*1.02 + 4*math.Sqrt(float64(s.Capacity)) + 8
	got := s.Distinct()
	if s.Full() {
		return fmt.Errorf("the inputs have at least %d distinct windows, far more than the capacity of %d: build again with the number of words as capacity, or without a capacity", got, s.Capacity)
	}
	if float64(got) > most {
		return fmt.Errorf("the inputs have about %d distinct windows, more than the capacity of %d: build again with a capacity of %d, or without a capacity", got, s.Capacity, headroom(got))
	}
	return nil
}
