package format

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"runtime"
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

// Row returns the lower bits of the fingerprint and the place of a row.
func (l *LedgerShape) Row(p *Payload, row uint64) (rest, place uint64) {
	bit := row * uint64(l.Width)
	return p.number(bit, l.RestBits), p.number(bit+uint64(l.RestBits), l.PlaceBits)
}

// Check checks every row, on all cores. After it no lookup can fail.
func (l *LedgerShape) Check(p *Payload) error {
	if l.First(p, 0) != 0 || l.First(p, l.Buckets) != l.Rows ||
		!p.zeroFrom(l.Rows*uint64(l.Width), l.dirAt) ||
		!p.zeroFrom(8*l.dirAt+(l.Buckets+1)*uint64(l.DirBits), l.trailerAt) {
		return orDamaged(p.Err, "the directory or the padding of LEDGER is wrong")
	}
	var distinct, capped atomic.Uint64
	parts := min(l.Buckets, uint64(8*runtime.GOMAXPROCS(0)))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range parts {
		g.Go(func() error {
			d, f, err := l.checkBuckets(p.Another(), l.Buckets*part/parts, l.Buckets*(part+1)/parts)
			distinct.Add(d)
			capped.Add(f)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if distinct.Load() != l.Distinct || capped.Load() != l.Capped {
		return Damaged("LEDGER has %d fingerprints, %d of them capped, but counts %d and %d", distinct.Load(), capped.Load(), l.Distinct, l.Capped)
	}
	return nil
}

// checkBuckets checks the rows of some buckets and counts their distinct and capped
// fingerprints.
func (l *LedgerShape) checkBuckets(p *Payload, from, to uint64) (distinct, capped uint64, err error) {
	dir := p.Another() // separate readers, because each remembers its last two chunks only
	at := l.First(dir, from)
	for bucket := from; bucket < to; bucket++ {
		end := l.First(dir, bucket+1)
		if dir.Err != nil || end < at || end > l.Rows {
			return 0, 0, orDamaged(dir.Err, "the entries of the directory of LEDGER are not in ascending order")
		}
		var lastRest, lastPlace uint64
		same := 0 // number of rows with the current fingerprint
		for ; at < end; at++ {
			rest, place := l.Row(p, at)
			switch {
			case p.Err != nil:
				return 0, 0, p.Err
			case place < gram.PlaceGap || place >= l.End:
				return 0, 0, Damaged("row %d of LEDGER has a place outside the corpus", at)
			case same == 0 || rest > lastRest:
				distinct++
				same = 0
			case rest < lastRest || place <= lastPlace || same == SeedPlaces:
				return 0, 0, Damaged("row %d of LEDGER is out of order", at)
			}
			if same++; same == SeedPlaces {
				capped++
			}
			lastRest, lastPlace = rest, place
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
