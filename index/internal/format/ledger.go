package format

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"noecho/internal/gram"
	"noecho/ngram"
)

// Sizes and offsets of LEDGER; the package comment is their specification.
const (
	FingerBits = 40 // length of a fingerprint: the upper bits of Hi of a 5-gram
	SeedPlaces = 16 // largest number of rows with the same fingerprint

	bucketRowsLog = 4 // a bucket has 16 to 32 rows on average
	bucketBitsMax = FingerBits - 8

	LedgerTaken    = 0
	LedgerRows     = 8
	LedgerDistinct = 16
	LedgerCapped   = 24
	LedgerEnd      = 32
)

// LedgerShape has the counts in the trailer of LEDGER and the layout that follows from
// them.
type LedgerShape struct {
	Taken    uint64 // seeds in the corpus
	Rows     uint64 // seeds in the ledger
	Distinct uint64 // distinct fingerprints
	Capped   uint64 // fingerprints with SeedPlaces rows
	End      uint64 // the place behind the last gap

	RestBits  uint // bits of a fingerprint below its bucket
	PlaceBits uint
	Width     uint   // bits of a row
	DirBits   uint   // bits of an entry of the directory
	Buckets   uint64 // the directory has one entry for each, and one more
	dirAt     uint64 // offset of the directory in the payload
	trailerAt uint64
}

// NewLedgerShape returns the layout as far as it is known before the rows are sorted.
// It depends on the number of seeds and places alone, so a merged ledger has the same
// layout as one of a single build.
func NewLedgerShape(taken, end uint64) LedgerShape {
	l := LedgerShape{Taken: taken, End: end}
	bucketBits := min(max(bits.Len64(taken)-1-bucketRowsLog, 0), bucketBitsMax)
	l.Buckets = 1 << bucketBits
	l.RestBits = uint(FingerBits - bucketBits)
	l.PlaceBits = uint(bits.Len64(end - 1))
	l.Width = l.RestBits + l.PlaceBits
	l.DirBits = uint(bits.Len64(taken))
	return l
}

// SetRows completes the shape with the number of rows.
func (l *LedgerShape) SetRows(rows uint64) {
	l.Rows = rows
	l.dirAt = packedLen(rows, l.Width)
	l.trailerAt = l.dirAt + packedLen(l.Buckets+1, l.DirBits)
}

// Trailer returns the trailer, the last bytes of the payload.
func (l *LedgerShape) Trailer() []byte {
	b := make([]byte, TrailerLen)
	le := binary.LittleEndian
	le.PutUint64(b[LedgerTaken:], l.Taken)
	le.PutUint64(b[LedgerRows:], l.Rows)
	le.PutUint64(b[LedgerDistinct:], l.Distinct)
	le.PutUint64(b[LedgerCapped:], l.Capped)
	le.PutUint64(b[LedgerEnd:], l.End)
	return b
}

// ParseLedger reads the trailer of a payload and checks that the payload has the length
// that follows from it.
func ParseLedger(p *Payload) (LedgerShape, error) {
	var b [TrailerLen]byte
	if p.length < TrailerLen || p.length%8 != 0 {
		return LedgerShape{}, Damaged("LEDGER is %d bytes long, which is too short or no multiple of 8", p.length)
	}
	if p.Read(b[:], p.length-TrailerLen); p.Err != nil {
		return LedgerShape{}, p.Err
	}
	le := binary.LittleEndian
	taken, rows, end := le.Uint64(b[LedgerTaken:]), le.Uint64(b[LedgerRows:]), le.Uint64(b[LedgerEnd:])
	if end < gram.PlaceGap || end > 1<<PlaceBitsMost || taken > end || rows > taken || rows > p.length {
		return LedgerShape{}, Damaged("the counts of LEDGER are impossible: %d of %d seeds at %d places", rows, taken, end)
	}
	l := NewLedgerShape(taken, end)
	l.SetRows(rows)
	l.Distinct, l.Capped = le.Uint64(b[LedgerDistinct:]), le.Uint64(b[LedgerCapped:])
	if l.trailerAt != p.length-TrailerLen || !allZero(b[LedgerEnd+8:]) {
		return LedgerShape{}, Damaged("LEDGER has %d seeds, which do not take %d bytes", rows, p.length)
	}
	return l, nil
}

// First returns the number of the first row of a bucket. For the bucket behind the last
// one it returns the number of rows.
func (l *LedgerShape) First(p *Payload, bucket uint64) uint64 {
	return p.number(8*l.dirAt+bucket*uint64(l.DirBits), l.DirBits)
}

// rowsOnce is the largest number of rows that EachBucket reads at a time.
const rowsOnce = 64

// row returns a row.
func (l *LedgerShape) row(p *Payload, row uint64) LedgerRow {
	bit := row * uint64(l.Width)
	return LedgerRow{p.number(bit, l.RestBits), p.number(bit+uint64(l.RestBits), l.PlaceBits)}
}

// LedgerRow has the lower bits of a fingerprint and a place.
type LedgerRow struct{ Rest, Place uint64 }

// AppendRows appends rows number from to to-1.
func (l *LedgerShape) AppendRows(dst []LedgerRow, p *Payload, from, to uint64) []LedgerRow {
	width, rest, place := uint64(l.Width), l.RestBits, l.PlaceBits
	for from < to && p.Err == nil {
		// Rows that lie in the chunk which was read last, with 8 readable bytes behind
		// their second half, need no look at its bounds.
		bit, n := from*width-8*p.at, uint64(0)
		if last := 8 * (uint64(len(p.cur)) - 16); len(p.cur) > 16 && from*width >= 8*p.at && bit+width <= last {
			n = min(to-from, (last-bit)/width)
		}
		cur, at := p.cur, len(dst)
		dst = slices.Grow(dst, int(to-from))[:at+int(n)]
		for i := range dst[at:] {
			if l.Width <= PackedMost {
				both := packedAt(cur, bit, l.Width)
				dst[at+i] = LedgerRow{both & (1<<rest - 1), both >> rest}
			} else {
				dst[at+i] = LedgerRow{packedAt(cur, bit, rest), packedAt(cur, bit+uint64(rest), place)}
			}
			bit += width
		}
		if from += n; from < to {
			dst = append(dst, l.row(p, from))
			from++
		}
	}
	return dst
}

// Check checks every row, on all cores. After it no lookup can fail.
func (l *LedgerShape) Check(p *Payload) error {
	if err := l.checkEdges(p); err != nil {
		return err
	}
	var distinct, capped atomic.Uint64
	parts := min(l.Buckets, uint64(8*runtime.GOMAXPROCS(0)))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range parts {
		g.Go(func() error {
			d, f, err := l.EachBucket(p.Another(), p.Another(), l.Buckets*part/parts, l.Buckets*(part+1)/parts, func(uint64, []LedgerRow) {})
			distinct.Add(d)
			capped.Add(f)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return l.CheckCounts(distinct.Load(), capped.Load())
}

// checkEdges checks the ends of the directory and the padding.
func (l *LedgerShape) checkEdges(p *Payload) error {
	if l.First(p, 0) != 0 || l.First(p, l.Buckets) != l.Rows ||
		!p.zeroFrom(l.Rows*uint64(l.Width), l.dirAt) ||
		!p.zeroFrom(8*l.dirAt+(l.Buckets+1)*uint64(l.DirBits), l.trailerAt) {
		return orDamaged(p.Err, "the directory or the padding of LEDGER is wrong")
	}
	return nil
}

// CheckCounts compares the sums of all buckets, as EachBucket returns them, with the
// counts in the trailer.
func (l *LedgerShape) CheckCounts(distinct, capped uint64) error {
	if distinct != l.Distinct || capped != l.Capped {
		return Damaged("LEDGER has %d fingerprints, %d of them capped, but counts %d and %d", distinct, capped, l.Distinct, l.Capped)
	}
	return nil
}

// EachBucket checks the rows of some buckets and calls f with them, at most rowsOnce at a
// time. The rows are valid until f returns. EachBucket returns how many distinct and
// capped fingerprints there are. It takes two readers of the payload, because each
// remembers its last two chunks only, and the directory is far from the rows.
func (l *LedgerShape) EachBucket(p, dir *Payload, from, to uint64, f func(bucket uint64, rows []LedgerRow)) (distinct, capped uint64, err error) {
	var buf [rowsOnce]LedgerRow
	at := l.First(dir, from)
	for bucket := from; bucket < to; bucket++ {
		end := l.First(dir, bucket+1)
		if dir.Err != nil || end < at || end > l.Rows {
			return 0, 0, orDamaged(dir.Err, "the entries of the directory of LEDGER are not in ascending order")
		}
		var last LedgerRow
		same := 0 // number of rows with the current fingerprint
		for at < end {
			rows := l.AppendRows(buf[:0], p, at, min(end, at+rowsOnce))
			if p.Err != nil {
				return 0, 0, p.Err
			}
			for i, row := range rows {
				switch {
				case row.Place < gram.PlaceGap || row.Place >= l.End:
					return 0, 0, Damaged("row %d of LEDGER has a place outside the corpus", at+uint64(i))
				case same == 0 || row.Rest > last.Rest:
					distinct++
					same = 0
				case row.Rest < last.Rest || row.Place <= last.Place || same == SeedPlaces:
					return 0, 0, Damaged("row %d of LEDGER is out of order", at+uint64(i))
				}
				if same++; same == SeedPlaces {
					capped++
				}
				last = row
			}
			f(bucket, rows)
			at += uint64(len(rows))
		}
	}
	return distinct, capped, nil
}

// orDamaged returns err if it is not nil, and otherwise an error that matches
// [ErrDamaged].
func orDamaged(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return Damaged("%s", fmt.Sprintf(format, args...))
}

// Ledger finds the places of a gram. The zero value has none.
type Ledger struct {
	LedgerShape
	B []byte // the checked payload
}

// Seeds appends the places of a 5-gram.
func (l *Ledger) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	if l.Rows == 0 {
		return dst
	}
	finger := h.Hi >> (64 - FingerBits)
	dir := 8*l.dirAt + finger>>l.RestBits*uint64(l.DirBits)
	lo, hi := packedAt(l.B, dir, l.DirBits), packedAt(l.B, dir+uint64(l.DirBits), l.DirBits)
	rest, width := finger&(1<<l.RestBits-1), uint64(l.Width)
	end := hi
	for lo < hi {
		mid := (lo + hi) / 2
		if packedAt(l.B, mid*width, l.RestBits) < rest {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for ; lo < end; lo++ {
		if packedAt(l.B, lo*width, l.RestBits) != rest {
			break
		}
		dst = append(dst, ngram.Place(packedAt(l.B, lo*width+uint64(l.RestBits), l.PlaceBits)))
	}
	return dst
}

// PlaceBitsMost is the largest number of bits in a place. An index of several files
// uses the bits above for the number of the file.
const PlaceBitsMost = 56
