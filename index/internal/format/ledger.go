package format

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"noecho/ngram"
)

// Sizes and places of LEDGER; the package comment is their specification.
const (
	FingerBits = 40 // of a 5-gram's Hi, the upper ones
	SeedPlaces = 16 // rows of a fingerprint at most

	bucketRowsLog = 4 // a bucket has 16 to 32 rows on average
	bucketBitsMax = FingerBits - 8

	LedgerTaken    = 0
	LedgerRows     = 8
	LedgerDistinct = 16
	LedgerCapped   = 24
	LedgerEnd      = 32
)

// LedgerShape is the trailer of LEDGER and what follows from it.
type LedgerShape struct {
	Taken    uint64 // seeds in the corpus
	Rows     uint64 // of them in the ledger
	Distinct uint64 // fingerprints
	Capped   uint64 // fingerprints with seedPlaces rows
	End      uint64 // the place behind the last gap

	RestBits  uint // of a fingerprint, below its bucket
	PlaceBits uint
	Width     uint   // of a row
	DirBits   uint   // of an entry of the directory
	Buckets   uint64 // one entry each, and one more
	dirAt     uint64 // offset of the directory in the payload
	trailerAt uint64
}

// NewLedgerShape returns what is known before the rows are: the layout depends on
// sums over the corpus alone, so that a union of ledgers is laid out like one.
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

// SetRows completes the shape.
func (l *LedgerShape) SetRows(rows uint64) {
	l.Rows = rows
	l.dirAt = packedLen(rows, l.Width)
	l.trailerAt = l.dirAt + packedLen(l.Buckets+1, l.DirBits)
}

// Trailer returns the last bytes of the payload.
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

// ParseLedger reads the trailer of a payload and checks that the tables are as
// long as it says.
func ParseLedger(p *Payload) (LedgerShape, error) {
	var b [TrailerLen]byte
	if p.length < TrailerLen || p.length%8 != 0 {
		return LedgerShape{}, Damaged("LEDGER is %d bytes long", p.length)
	}
	if p.Read(b[:], p.length-TrailerLen); p.Err != nil {
		return LedgerShape{}, p.Err
	}
	le := binary.LittleEndian
	taken, rows, end := le.Uint64(b[LedgerTaken:]), le.Uint64(b[LedgerRows:]), le.Uint64(b[LedgerEnd:])
	if end < ngram.PlaceGap || end > 1<<PlaceBitsMost || taken > end || rows > taken || rows > p.length {
		return LedgerShape{}, Damaged("LEDGER counts %d of %d seeds at %d places", rows, taken, end)
	}
	l := NewLedgerShape(taken, end)
	l.SetRows(rows)
	l.Distinct, l.Capped = le.Uint64(b[LedgerDistinct:]), le.Uint64(b[LedgerCapped:])
	if l.trailerAt != p.length-TrailerLen || !allZero(b[LedgerEnd+8:]) {
		return LedgerShape{}, Damaged("LEDGER of %d seeds is %d bytes long", rows, p.length)
	}
	return l, nil
}

// First returns the number of the first row of a bucket, or that behind the last
// row.
func (l *LedgerShape) First(p *Payload, bucket uint64) uint64 {
	return p.number(8*l.dirAt+bucket*uint64(l.DirBits), l.DirBits)
}

// Row returns a row.
func (l *LedgerShape) Row(p *Payload, row uint64) (rest, place uint64) {
	bit := row * uint64(l.Width)
	return p.number(bit, l.RestBits), p.number(bit+uint64(l.RestBits), l.PlaceBits)
}

// Check checks every row, on all cores. After it no look-up can fail.
func (l *LedgerShape) Check(p *Payload) error {
	if l.First(p, 0) != 0 || l.First(p, l.Buckets) != l.Rows ||
		!p.zeroFrom(l.Rows*uint64(l.Width), l.dirAt) ||
		!p.zeroFrom(8*l.dirAt+(l.Buckets+1)*uint64(l.DirBits), l.trailerAt) {
		return orDamaged(p.Err, "LEDGER is not consistent")
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
		return Damaged("LEDGER has %d fingerprints, %d of them capped, and says %d and %d", distinct.Load(), capped.Load(), l.Distinct, l.Capped)
	}
	return nil
}

// checkBuckets checks the rows of some buckets and counts their fingerprints.
func (l *LedgerShape) checkBuckets(p *Payload, from, to uint64) (distinct, capped uint64, err error) {
	dir := p.Another() // so that neither table turns the pages of the other
	at := l.First(dir, from)
	for bucket := from; bucket < to; bucket++ {
		end := l.First(dir, bucket+1)
		if dir.Err != nil || end < at || end > l.Rows {
			return 0, 0, orDamaged(dir.Err, "the directory of LEDGER is not ascending")
		}
		var lastRest, lastPlace uint64
		same := 0 // rows of the fingerprint
		for ; at < end; at++ {
			rest, place := l.Row(p, at)
			switch {
			case p.Err != nil:
				return 0, 0, p.Err
			case place < ngram.PlaceGap || place >= l.End:
				return 0, 0, Damaged("row %d of LEDGER is at no place", at)
			case same == 0 || rest > lastRest:
				distinct++
				same = 0
			case rest < lastRest || place <= lastPlace || same == SeedPlaces:
				return 0, 0, Damaged("row %d of LEDGER is not in its order", at)
			}
			if same++; same == SeedPlaces {
				capped++
			}
			lastRest, lastPlace = rest, place
		}
	}
	return distinct, capped, nil
}

// orDamaged returns an error of reading, or one that matches [ErrDamaged].
func orDamaged(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return Damaged("%s", fmt.Sprintf(format, args...))
}

// Ledger answers where a gram stands. The zero value knows no place.
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

// PlaceBitsMost is how many bits a place has at most: those above name the
// member of several indexes that answer as one.
const PlaceBitsMost = 56
