package index

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
	fingerBits = 40 // of a 5-gram's Hi, the upper ones
	seedPlaces = 16 // rows of a fingerprint at most

	bucketRowsLog = 4 // a bucket has 16 to 32 rows on average
	bucketBitsMax = fingerBits - 8

	ledgerTaken    = 0
	ledgerRows     = 8
	ledgerDistinct = 16
	ledgerCapped   = 24
	ledgerEnd      = 32
)

// ledgerShape is the trailer of LEDGER and what follows from it.
type ledgerShape struct {
	taken    uint64 // seeds in the corpus
	rows     uint64 // of them in the ledger
	distinct uint64 // fingerprints
	capped   uint64 // fingerprints with seedPlaces rows
	end      uint64 // the place behind the last gap

	restBits  uint // of a fingerprint, below its bucket
	placeBits uint
	width     uint   // of a row
	dirBits   uint   // of an entry of the directory
	buckets   uint64 // one entry each, and one more
	dirAt     uint64 // offset of the directory in the payload
	trailerAt uint64
}

// newLedgerShape returns what is known before the rows are: the layout depends on
// sums over the corpus alone, so that a union of ledgers is laid out like one.
func newLedgerShape(taken, end uint64) ledgerShape {
	l := ledgerShape{taken: taken, end: end}
	bucketBits := min(max(bits.Len64(taken)-1-bucketRowsLog, 0), bucketBitsMax)
	l.buckets = 1 << bucketBits
	l.restBits = uint(fingerBits - bucketBits)
	l.placeBits = uint(bits.Len64(end - 1))
	l.width = l.restBits + l.placeBits
	l.dirBits = uint(bits.Len64(taken))
	return l
}

// setRows completes the shape.
func (l *ledgerShape) setRows(rows uint64) {
	l.rows = rows
	l.dirAt = packedLen(rows, l.width)
	l.trailerAt = l.dirAt + packedLen(l.buckets+1, l.dirBits)
}

// trailer returns the last bytes of the payload.
func (l *ledgerShape) trailer() []byte {
	b := make([]byte, trailerLen)
	le := binary.LittleEndian
	le.PutUint64(b[ledgerTaken:], l.taken)
	le.PutUint64(b[ledgerRows:], l.rows)
	le.PutUint64(b[ledgerDistinct:], l.distinct)
	le.PutUint64(b[ledgerCapped:], l.capped)
	le.PutUint64(b[ledgerEnd:], l.end)
	return b
}

// parseLedger reads the trailer of a payload and checks that the tables are as
// long as it says.
func parseLedger(p *payload) (ledgerShape, error) {
	var b [trailerLen]byte
	if p.length < trailerLen || p.length%8 != 0 {
		return ledgerShape{}, damaged("LEDGER is %d bytes long", p.length)
	}
	if p.read(b[:], p.length-trailerLen); p.err != nil {
		return ledgerShape{}, p.err
	}
	le := binary.LittleEndian
	taken, rows, end := le.Uint64(b[ledgerTaken:]), le.Uint64(b[ledgerRows:]), le.Uint64(b[ledgerEnd:])
	if end < ngram.PlaceGap || end > 1<<placeBitsMost || taken > end || rows > taken || rows > p.length {
		return ledgerShape{}, damaged("LEDGER counts %d of %d seeds at %d places", rows, taken, end)
	}
	l := newLedgerShape(taken, end)
	l.setRows(rows)
	l.distinct, l.capped = le.Uint64(b[ledgerDistinct:]), le.Uint64(b[ledgerCapped:])
	if l.trailerAt != p.length-trailerLen || !allZero(b[ledgerEnd+8:]) {
		return ledgerShape{}, damaged("LEDGER of %d seeds is %d bytes long", rows, p.length)
	}
	return l, nil
}

// first returns the number of the first row of a bucket, or that behind the last
// row.
func (l *ledgerShape) first(p *payload, bucket uint64) uint64 {
	return p.number(8*l.dirAt+bucket*uint64(l.dirBits), l.dirBits)
}

// row returns a row.
func (l *ledgerShape) row(p *payload, row uint64) (rest, place uint64) {
	bit := row * uint64(l.width)
	return p.number(bit, l.restBits), p.number(bit+uint64(l.restBits), l.placeBits)
}

// check checks every row, on all cores. After it no look-up can fail.
func (l *ledgerShape) check(p *payload) error {
	if l.first(p, 0) != 0 || l.first(p, l.buckets) != l.rows ||
		!p.zeroFrom(l.rows*uint64(l.width), l.dirAt) ||
		!p.zeroFrom(8*l.dirAt+(l.buckets+1)*uint64(l.dirBits), l.trailerAt) {
		return orDamaged(p.err, "LEDGER is not consistent")
	}
	var distinct, capped atomic.Uint64
	parts := min(l.buckets, uint64(8*runtime.GOMAXPROCS(0)))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for part := range parts {
		g.Go(func() error {
			d, f, err := l.checkBuckets(p.another(), l.buckets*part/parts, l.buckets*(part+1)/parts)
			distinct.Add(d)
			capped.Add(f)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if distinct.Load() != l.distinct || capped.Load() != l.capped {
		return damaged("LEDGER has %d fingerprints, %d of them capped, and says %d and %d", distinct.Load(), capped.Load(), l.distinct, l.capped)
	}
	return nil
}

// checkBuckets checks the rows of some buckets and counts their fingerprints.
func (l *ledgerShape) checkBuckets(p *payload, from, to uint64) (distinct, capped uint64, err error) {
	dir := p.another() // so that neither table turns the pages of the other
	at := l.first(dir, from)
	for bucket := from; bucket < to; bucket++ {
		end := l.first(dir, bucket+1)
		if dir.err != nil || end < at || end > l.rows {
			return 0, 0, orDamaged(dir.err, "the directory of LEDGER is not ascending")
		}
		var lastRest, lastPlace uint64
		same := 0 // rows of the fingerprint
		for ; at < end; at++ {
			rest, place := l.row(p, at)
			switch {
			case p.err != nil:
				return 0, 0, p.err
			case place < ngram.PlaceGap || place >= l.end:
				return 0, 0, damaged("row %d of LEDGER is at no place", at)
			case same == 0 || rest > lastRest:
				distinct++
				same = 0
			case rest < lastRest || place <= lastPlace || same == seedPlaces:
				return 0, 0, damaged("row %d of LEDGER is not in its order", at)
			}
			if same++; same == seedPlaces {
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
	return damaged("%s", fmt.Sprintf(format, args...))
}

// ledger answers where a gram stands. The zero value knows no place.
type ledger struct {
	ledgerShape
	b []byte // the checked payload
}

// seeds appends the places of a 5-gram.
func (l *ledger) seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	if l.rows == 0 {
		return dst
	}
	finger := h.Hi >> (64 - fingerBits)
	dir := 8*l.dirAt + finger>>l.restBits*uint64(l.dirBits)
	lo, hi := packedAt(l.b, dir, l.dirBits), packedAt(l.b, dir+uint64(l.dirBits), l.dirBits)
	rest, width := finger&(1<<l.restBits-1), uint64(l.width)
	end := hi
	for lo < hi {
		mid := (lo + hi) / 2
		if packedAt(l.b, mid*width, l.restBits) < rest {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for ; lo < end; lo++ {
		if packedAt(l.b, lo*width, l.restBits) != rest {
			break
		}
		dst = append(dst, ngram.Place(packedAt(l.b, lo*width+uint64(l.restBits), l.placeBits)))
	}
	return dst
}

// placeBitsMost is how many bits a place has at most: those above name the
// member of several indexes that answer as one.
const placeBitsMost = 56
