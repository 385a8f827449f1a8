package build

import (
	"context"
	"io"

	"noecho/index/internal/format"
)

// ledgerWriter writes the payload of LEDGER from sorted slices of seeds. The directory,
// which follows the rows, waits in a store until all rows are written.
type ledgerWriter struct {
	shape  format.LedgerShape
	rows   *format.Packer
	dir    *format.Packer
	bucket uint64 // the next bucket of the directory
	n      uint64 // number of rows
	last   uint64 // fingerprint of the last row
	same   int    // number of rows with that fingerprint
}

// write writes a slice.
func (w *ledgerWriter) write(k *keys) error {
	s := &w.shape
	for _, key := range k.all {
		finger := k.slice<<(format.FingerBits-k.sliceBits) | key>>k.placeBits
		for bucket := finger >> s.RestBits; w.bucket <= bucket; w.bucket++ {
			w.dir.Put(w.n, s.DirBits)
		}
		if finger != w.last || w.same == 0 {
			w.last, w.same = finger, 0
			s.Distinct++
		}
		if w.same++; w.same == format.SeedPlaces {
			s.Capped++
		}
		rest, place := finger&(1<<s.RestBits-1), key&(1<<s.PlaceBits-1)
		if s.Width <= format.PackedMost {
			w.rows.Put(rest|place<<s.RestBits, s.Width)
		} else {
			w.rows.Put(rest, s.RestBits)
			w.rows.Put(place, s.PlaceBits)
		}
		w.n++
	}
	if w.rows.Err != nil {
		return w.rows.Err
	}
	return w.dir.Err
}

// sorting has the resources for sorting seeds.
type sorting struct {
	ctx     context.Context
	kept    *tempStore // for the directory
	workers int
	memory  int64
	sets    []namedSource // the first place of each run of sources of one dataset
}

// addTables writes LEDGER and RECORDS.
func addTables(p *plan, shape format.LedgerShape, seeds seedSource, records *recordSet, with sorting) error {
	for _, s := range records.sources {
		if n := len(with.sets); n == 0 || with.sets[n-1].dataset != s.dataset {
			with.sets = append(with.sets, s)
		}
	}
	err := p.addSection(format.KindLedger, func(w io.Writer) error {
		_, err := writeLedger(w, shape, seeds, with)
		return err
	})
	if err != nil {
		return err
	}
	return p.addSection(format.KindRecords, records.write)
}

// writeLedger sorts the seeds and writes the payload of LEDGER. The given shape counts
// the seeds; the returned one is complete.
func writeLedger(to io.Writer, shape format.LedgerShape, from seedSource, with sorting) (format.LedgerShape, error) {
	dir := &tempWriter{to: with.kept}
	w := &ledgerWriter{shape: shape, rows: format.NewPacker(to), dir: format.NewPacker(dir)}
	if err := sortSeeds(from, newSortPlan(&shape, with.workers, with.memory), with, w.write); err != nil {
		return shape, err
	}
	for ; w.bucket <= shape.Buckets; w.bucket++ {
		w.dir.Put(w.n, shape.DirBits)
	}
	w.shape.SetRows(w.n)
	if err := w.rows.End(w.n * uint64(shape.Width)); err != nil {
		return shape, err
	}
	if err := w.dir.End((shape.Buckets + 1) * uint64(shape.DirBits)); err != nil {
		return shape, err
	}
	if err := dir.copyTo(to); err != nil {
		return shape, err
	}
	_, err := to.Write(w.shape.Trailer())
	return w.shape, err
}

// tempWriter writes to a store that others append to at the same time.
type tempWriter struct {
	to     *tempStore
	pieces [][2]int64 // offset and length of each
}

func (w *tempWriter) Write(b []byte) (int, error) {
	at, n := w.to.append(b), int64(len(b))
	if k := len(w.pieces) - 1; k >= 0 && w.pieces[k][0]+w.pieces[k][1] == at {
		w.pieces[k][1] += n
	} else {
		w.pieces = append(w.pieces, [2]int64{at, n})
	}
	return len(b), w.to.err()
}

// copyTo copies the written bytes.
func (w *tempWriter) copyTo(to io.Writer) error {
	buf := make([]byte, 64<<10)
	for _, p := range w.pieces {
		for at, end := p[0], p[0]+p[1]; at < end; {
			b := buf[:min(int64(len(buf)), end-at)]
			if err := w.to.readAt(b, at); err != nil {
				return err
			}
			if _, err := to.Write(b); err != nil {
				return err
			}
			at += int64(len(b))
		}
	}
	return nil
}
