package format

import (
	"encoding/binary"
	"math/bits"
	"sort"
	"strconv"
	"unicode/utf8"

	"noecho/internal/gram"
	"noecho/ngram"
)

// Sizes and offsets of RECORDS; the package comment is their specification.
const (
	RecordsCount     = 0
	recordsEnd       = 8
	recordsIDBytes   = 16
	RecordsSources   = 24
	recordsPathBytes = 32
	RecordsDatasets  = 40
	RecordsLineBits  = 44
)

// RecordsShape has the counts in the trailer of RECORDS and the layout that follows
// from them.
type RecordsShape struct {
	Count     uint64
	End       uint64 // the place behind the last gap
	IDBytes   uint64
	Sources   uint64
	PathBytes uint64
	Datasets  uint64

	PlaceBits, SourceBits, LineBits, IDBits, DatasetBits, PathBits uint

	Width       uint   // bits of a row
	SourceWidth uint   // bits of the row of a source
	IDsAt       uint64 // offsets in the payload
	sourcesAt   uint64
	PathsAt     uint64
	trailerAt   uint64
}

// SetLayout computes the layout from the counts and LineBits.
func (r *RecordsShape) SetLayout() {
	r.PlaceBits = uint(bits.Len64(r.End - 1))
	r.SourceBits = uint(bits.Len64(r.Sources - 1))
	r.IDBits = uint(bits.Len64(r.IDBytes))
	r.DatasetBits = uint(bits.Len64(r.Datasets - 1))
	r.PathBits = uint(bits.Len64(r.PathBytes))
	r.Width = r.PlaceBits + r.SourceBits + r.LineBits + r.IDBits
	r.SourceWidth = r.PlaceBits + r.DatasetBits + r.PathBits
	r.IDsAt = packedLen(r.Count, r.Width)
	r.sourcesAt = r.IDsAt + (r.IDBytes+7)&^7
	r.PathsAt = r.sourcesAt + packedLen(r.Sources, r.SourceWidth)
	r.trailerAt = r.PathsAt + (r.PathBytes+7)&^7
}

// Trailer returns the trailer, the last bytes of the payload.
func (r *RecordsShape) Trailer() []byte {
	b := make([]byte, TrailerLen)
	le := binary.LittleEndian
	le.PutUint64(b[RecordsCount:], r.Count)
	le.PutUint64(b[recordsEnd:], r.End)
	le.PutUint64(b[recordsIDBytes:], r.IDBytes)
	le.PutUint64(b[RecordsSources:], r.Sources)
	le.PutUint64(b[recordsPathBytes:], r.PathBytes)
	le.PutUint32(b[RecordsDatasets:], uint32(r.Datasets))
	le.PutUint32(b[RecordsLineBits:], uint32(r.LineBits))
	return b
}

// parseRecords reads the trailer of a payload and checks that the payload has the
// length that follows from it.
func parseRecords(p *Payload) (RecordsShape, error) {
	var b [TrailerLen]byte
	if p.length < TrailerLen || p.length%8 != 0 {
		return RecordsShape{}, Damaged("RECORDS is %d bytes long, which is too short or no multiple of 8", p.length)
	}
	if p.Read(b[:], p.length-TrailerLen); p.Err != nil {
		return RecordsShape{}, p.Err
	}
	le := binary.LittleEndian
	r := RecordsShape{
		Count: le.Uint64(b[RecordsCount:]), End: le.Uint64(b[recordsEnd:]), IDBytes: le.Uint64(b[recordsIDBytes:]),
		Sources: le.Uint64(b[RecordsSources:]), PathBytes: le.Uint64(b[recordsPathBytes:]),
		Datasets: uint64(le.Uint32(b[RecordsDatasets:])),
	}
	lineBits := le.Uint32(b[RecordsLineBits:])
	// A row takes at least one bit, because its place does.
	if r.End < gram.PlaceGap || r.End > 1<<PlaceBitsMost || lineBits > lineBitsMost || r.Datasets == 0 ||
		r.Sources == 0 || max(r.Count, r.IDBytes, r.Sources, r.PathBytes) > 8*p.length || !allZero(b[RecordsLineBits+4:]) {
		return RecordsShape{}, Damaged("the counts of RECORDS are impossible: %d records of %d sources", r.Count, r.Sources)
	}
	r.LineBits = uint(lineBits)
	r.SetLayout()
	if r.trailerAt != p.length-TrailerLen {
		return RecordsShape{}, Damaged("RECORDS has %d records, which do not take %d bytes", r.Count, p.length)
	}
	return r, nil
}

// lineBitsMost is the largest number of bits for the number of a line.
const lineBitsMost = 56

// recordRow is a row of RECORDS.
type recordRow struct {
	Place  uint64
	Source uint64
	Line   uint64 // line in the source; 0: the record has an id, or the source is the record
	IDEnd  uint64 // offset in the ids at which its id ends; the id begins at the end of the previous one
}

// Row returns a row.
func (r *RecordsShape) Row(p *Payload, i uint64) (row recordRow) {
	bit := i * uint64(r.Width)
	row.Place = p.number(bit, r.PlaceBits)
	bit += uint64(r.PlaceBits)
	row.Source = p.number(bit, r.SourceBits)
	bit += uint64(r.SourceBits)
	row.Line = p.number(bit, r.LineBits)
	bit += uint64(r.LineBits)
	row.IDEnd = p.number(bit, r.IDBits)
	return row
}

// sourceRow is a row of the sources.
type sourceRow struct {
	Place   uint64 // place at which the source begins
	Dataset uint64 // number of the dataset in the manifest
	PathEnd uint64 // offset in the paths at which its path ends
}

// Source returns a source.
func (r *RecordsShape) Source(p *Payload, i uint64) (row sourceRow) {
	bit := 8*r.sourcesAt + i*uint64(r.SourceWidth)
	row.Place = p.number(bit, r.PlaceBits)
	bit += uint64(r.PlaceBits)
	row.Dataset = p.number(bit, r.DatasetBits)
	bit += uint64(r.DatasetBits)
	row.PathEnd = p.number(bit, r.PathBits)
	return row
}

// check checks every row and every name. After it no lookup can fail.
func (r *RecordsShape) check(p *Payload) error {
	if err := r.checkSources(p); err != nil {
		return err
	}
	rows, names := p.Another(), p.Another()
	sources := p.Another()
	var last recordRow
	var own, next sourceRow // the source of the current row, and the next source
	at := ^uint64(0)        // number of the source in own
	for i := range r.Count {
		row := r.Row(rows, i)
		if rows.Err != nil {
			return rows.Err
		}
		if row.Place <= last.Place || row.Source >= r.Sources || row.IDEnd < last.IDEnd || row.IDEnd > r.IDBytes {
			return Damaged("row %d of RECORDS is out of order", i)
		}
		if row.Source != at {
			at = row.Source
			if own, next = r.Source(sources, at), (sourceRow{Place: r.End}); at+1 < r.Sources {
				next = r.Source(sources, at+1)
			}
		}
		if row.Place < own.Place || row.Place >= next.Place || row.IDEnd > last.IDEnd && row.Line > 0 {
			return orDamaged(sources.Err, "row %d of RECORDS does not belong to its source", i)
		}
		if err := checkName(names, r.IDsAt+last.IDEnd, r.IDsAt+row.IDEnd); err != nil {
			return err
		}
		last = row
	}
	if last.IDEnd != r.IDBytes || !p.zeroFrom(r.Count*uint64(r.Width), r.IDsAt) || !p.zeroFrom(8*(r.IDsAt+r.IDBytes), r.sourcesAt) {
		return orDamaged(p.Err, "the length of the ids or the padding of RECORDS is wrong")
	}
	return nil
}

// checkSources checks the sources and their paths.
func (r *RecordsShape) checkSources(p *Payload) error {
	names := p.Another()
	last := sourceRow{Place: gram.PlaceGap}
	for i := range r.Sources {
		s := r.Source(p, i)
		if p.Err != nil {
			return p.Err
		}
		if s.Place < last.Place || s.Place > r.End || i == 0 && s.Place != gram.PlaceGap || s.Dataset >= r.Datasets ||
			s.PathEnd < last.PathEnd || s.PathEnd > r.PathBytes {
			return Damaged("source %d of RECORDS is out of order", i)
		}
		if err := checkName(names, r.PathsAt+last.PathEnd, r.PathsAt+s.PathEnd); err != nil {
			return err
		}
		last = s
	}
	if last.PathEnd != r.PathBytes || !p.zeroFrom(8*r.sourcesAt+r.Sources*uint64(r.SourceWidth), r.PathsAt) || !p.zeroFrom(8*(r.PathsAt+r.PathBytes), r.trailerAt) {
		return orDamaged(p.Err, "the length of the paths or the padding of the sources in RECORDS is wrong")
	}
	return nil
}

// checkName checks an id or a path.
func checkName(p *Payload, from, to uint64) error {
	var buf [NameMost]byte
	if to-from > NameMost {
		return Damaged("RECORDS has a name of %d bytes, which is too long", to-from)
	}
	b := buf[:to-from]
	if p.Read(b, from); p.Err != nil {
		return p.Err
	}
	if !utf8.Valid(b) {
		return Damaged("RECORDS has a name that is not UTF-8")
	}
	return nil
}

// Records finds the record at a place. The zero value has none.
type Records struct {
	RecordsShape
	b []byte // the checked payload
}

// At returns the name of the last record that begins at or before a place, and the
// number of its dataset in the manifest.
func (r *Records) At(place ngram.Place) (id string, dataset uint64, ok bool) {
	p := uint64(place)
	if r.Count == 0 || p >= r.End {
		return "", 0, false
	}
	lo, hi := uint64(0), r.Count // binary search for the first record behind the place
	for lo < hi {
		mid := (lo + hi) / 2
		if packedAt(r.b, mid*uint64(r.Width), r.PlaceBits) <= p {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return "", 0, false
	}
	all := InMemory(r.b)
	row, from := r.Row(all, lo-1), uint64(0)
	if lo > 1 {
		from = r.Row(all, lo-2).IDEnd
	}
	own := r.Source(all, row.Source)
	if from < row.IDEnd {
		return string(r.b[r.IDsAt+from : r.IDsAt+row.IDEnd]), own.Dataset, true
	}
	if from = 0; row.Source > 0 {
		from = r.Source(all, row.Source-1).PathEnd
	}
	if id = string(r.b[r.PathsAt+from : r.PathsAt+own.PathEnd]); row.Line > 0 {
		id += ":" + strconv.FormatUint(row.Line, 10)
	}
	return id, own.Dataset, true
}

// NameMost is the largest length of an id or a path in bytes.
const NameMost = 1 << 10

// Words returns the number of places between the record at a place and the next record.
func (r *Records) Words(place ngram.Place) int {
	if r.Count == 0 || uint64(place) >= r.End {
		return 0
	}
	begin := func(i int) uint64 { return packedAt(r.b, uint64(i)*uint64(r.Width), r.PlaceBits) }
	next := sort.Search(int(r.Count), func(i int) bool { return begin(i) > uint64(place) })
	if next == 0 {
		return 0
	}
	end := r.End
	if next < int(r.Count) {
		end = begin(next)
	}
	return int(max(end-begin(next-1), gram.PlaceGap) - gram.PlaceGap)
}
