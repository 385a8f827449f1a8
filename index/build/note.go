package build

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"noecho/index/internal/format"
	"noecho/ngram"
)

// Beside its filters an index may say more of its records: where short grams
// stand, what the records are called, which identifiers they hold. All of that
// is taken down in the first pass, the only one that sees text, and becomes
// sections behind the filters.

// A notebook makes sections of what its noters took down. It is made for one
// build.
type notebook interface {
	// noter returns a noter for one worker of the first pass. at says where the
	// words stand that the worker reads, and is told which records are to be named.
	noter(at *placer) noter
	// finish appends the sections, once the first pass is over and every place is
	// settled.
	finish(ctx context.Context, p *plan, f file) error
	// close gives back what the notebook holds; it may come at any time.
	close()
}

// A noter takes down what one worker reads: every segment of every record,
// those too short for a window as well. Not safe for concurrent use.
type noter interface {
	beginRecord(r recordPart)
	beginSegment()
	// add is given the next piece of the segment's text and the words that it
	// completes. Their spans count from the beginning of the segment, so the first
	// of them may begin in the piece before. Neither may be kept.
	add(text []byte, words []ngram.Word) error
	// endSegment is told whether any window of the segment is indexed.
	endSegment(indexed bool) error
	endRecord() error
}

// recordPart names a record, or one block of a text that several workers read:
// a record of its own kind, whose segment goes on in the next block.
type recordPart struct {
	task   int64  // of the pass, in the order of the corpus
	source int    // in builder.sources
	line   int    // of the source, or the number of the row; 0: the source is the record
	id     string // of the row; empty: it has none
	block  int    // of the text, from 0 on
	last   bool   // no block follows
}

// openNotes makes the notebooks of the build. The ledger is the last one: which
// records it names is known when the others have finished.
func (b *builder) openNotes() {
	b.notes = append(b.notes, b.phrases)
	b.places = newPlaces(len(b.sources), newScratch(spoolDir(b.o.Out)))
	if !b.o.NoLedger {
		b.notes = append(b.notes, newLedgerNotes(b))
	}
}

// finishNotes appends the sections of the notebooks.
func (b *builder) finishNotes(ctx context.Context, p *plan, f file) error {
	if err := b.places.settle(); err != nil {
		return err
	}
	for _, n := range b.notes {
		if err := n.finish(ctx, p, f); err != nil {
			return err
		}
	}
	return nil
}

// closeNotes gives back what the notebooks hold.
func (b *builder) closeNotes() {
	for _, n := range b.notes {
		n.close()
	}
	if b.places != nil {
		b.places.to.close()
	}
}

// addSection writes a section behind what is there, and then what write writes
// into it. A section must not be empty. Readers that do not know its kind skip
// it.
func (p *plan) addSection(f file, kind format.Kind, write func(w io.Writer) error) error {
	out := &sectionWriter{f: f, at: p.manifest}
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

// extraSection is a section that is no filter, and its checksum table.
type extraSection struct {
	format.Section
	table []byte
}

// sectionWriter writes a payload and takes the checksums of its pieces.
type sectionWriter struct {
	f      file
	at     uint64
	length uint64
	sum    uint32
	filled int // bytes of the piece that sum is of
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

// end takes the checksum of the last piece.
func (w *sectionWriter) end() error {
	if w.filled > 0 {
		w.endPiece()
	}
	if w.length == 0 {
		return fmt.Errorf("nothing to write")
	}
	return nil
}

func (w *sectionWriter) endPiece() {
	w.table = binary.LittleEndian.AppendUint32(w.table, w.sum)
	w.sum, w.filled = 0, 0
}
