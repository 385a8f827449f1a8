package index

import (
	"encoding/binary"
	"math/bits"
	"sort"
	"strconv"
	"unicode/utf8"

	"noecho/ngram"
)

// Sizes and places of RECORDS; the package comment is their specification.
const (
	recordsCount     = 0
	recordsEnd       = 8
	recordsIDBytes   = 16
	recordsSources   = 24
	recordsPathBytes = 32
	recordsDatasets  = 40
	recordsLineBits  = 44
)

// recordsShape is the trailer of RECORDS and what follows from it.
type recordsShape struct {
	count     uint64
	end       uint64 // the place behind the last gap
	idBytes   uint64
	sources   uint64
	pathBytes uint64
	datasets  uint64

	placeBits, sourceBits, lineBits, idBits, datasetBits, pathBits uint

	width       uint   // of a row
	sourceWidth uint   // of a source's row
	idsAt       uint64 // offsets in the payload
	sourcesAt   uint64
	pathsAt     uint64
	trailerAt   uint64
}

// setLayout computes what follows from the counts and lineBits.
func (r *recordsShape) setLayout() {
	r.placeBits = uint(bits.Len64(r.end - 1))
	r.sourceBits = uint(bits.Len64(r.sources - 1))
	r.idBits = uint(bits.Len64(r.idBytes))
	r.datasetBits = uint(bits.Len64(r.datasets - 1))
	r.pathBits = uint(bits.Len64(r.pathBytes))
	r.width = r.placeBits + r.sourceBits + r.lineBits + r.idBits
	r.sourceWidth = r.placeBits + r.datasetBits + r.pathBits
	r.idsAt = packedLen(r.count, r.width)
	r.sourcesAt = r.idsAt + (r.idBytes+7)&^7
	r.pathsAt = r.sourcesAt + packedLen(r.sources, r.sourceWidth)
	r.trailerAt = r.pathsAt + (r.pathBytes+7)&^7
}

// trailer returns the last bytes of the payload.
func (r *recordsShape) trailer() []byte {
	b := make([]byte, trailerLen)
	le := binary.LittleEndian
	le.PutUint64(b[recordsCount:], r.count)
	le.PutUint64(b[recordsEnd:], r.end)
	le.PutUint64(b[recordsIDBytes:], r.idBytes)
	le.PutUint64(b[recordsSources:], r.sources)
	le.PutUint64(b[recordsPathBytes:], r.pathBytes)
	le.PutUint32(b[recordsDatasets:], uint32(r.datasets))
	le.PutUint32(b[recordsLineBits:], uint32(r.lineBits))
	return b
}

// parseRecords reads the trailer of a payload and checks that the tables are as
// long as it says.
func parseRecords(p *payload) (recordsShape, error) {
	var b [trailerLen]byte
	if p.length < trailerLen || p.length%8 != 0 {
		return recordsShape{}, damaged("RECORDS is %d bytes long", p.length)
	}
	if p.read(b[:], p.length-trailerLen); p.err != nil {
		return recordsShape{}, p.err
	}
	le := binary.LittleEndian
	r := recordsShape{
		count: le.Uint64(b[recordsCount:]), end: le.Uint64(b[recordsEnd:]), idBytes: le.Uint64(b[recordsIDBytes:]),
		sources: le.Uint64(b[recordsSources:]), pathBytes: le.Uint64(b[recordsPathBytes:]),
		datasets: uint64(le.Uint32(b[recordsDatasets:])),
	}
	lineBits := le.Uint32(b[recordsLineBits:])
	// A row takes a byte at least unless there are none: its place does.
	if r.end < ngram.PlaceGap || r.end > 1<<placeBitsMost || lineBits > lineBitsMost || r.datasets == 0 ||
		r.sources == 0 || max(r.count, r.idBytes, r.sources, r.pathBytes) > 8*p.length || !allZero(b[recordsLineBits+4:]) {
		return recordsShape{}, damaged("RECORDS counts %d records of %d sources", r.count, r.sources)
	}
	r.lineBits = uint(lineBits)
	r.setLayout()
	if r.trailerAt != p.length-trailerLen {
		return recordsShape{}, damaged("RECORDS of %d records is %d bytes long", r.count, p.length)
	}
	return r, nil
}

// lineBitsMost is how many bits the number of a line has at most.
const lineBitsMost = 56

// recordRow is a row of RECORDS.
type recordRow struct {
	place  uint64
	source uint64
	line   uint64 // 0: it has an id, or the source is the record
	idEnd  uint64 // in the ids; it begins where that of the row before ends
}

// row returns a row.
func (r *recordsShape) row(p *payload, i uint64) (row recordRow) {
	bit := i * uint64(r.width)
	row.place = p.number(bit, r.placeBits)
	bit += uint64(r.placeBits)
	row.source = p.number(bit, r.sourceBits)
	bit += uint64(r.sourceBits)
	row.line = p.number(bit, r.lineBits)
	bit += uint64(r.lineBits)
	row.idEnd = p.number(bit, r.idBits)
	return row
}

// sourceRow is one source.
type sourceRow struct {
	place   uint64 // at which it begins
	dataset uint64 // in the manifest's list
	pathEnd uint64 // in the paths
}

// source returns a source.
func (r *recordsShape) source(p *payload, i uint64) (row sourceRow) {
	bit := 8*r.sourcesAt + i*uint64(r.sourceWidth)
	row.place = p.number(bit, r.placeBits)
	bit += uint64(r.placeBits)
	row.dataset = p.number(bit, r.datasetBits)
	bit += uint64(r.datasetBits)
	row.pathEnd = p.number(bit, r.pathBits)
	return row
}

// check checks every row and every name. After it no look-up can fail.
func (r *recordsShape) check(p *payload) error {
	if err := r.checkSources(p); err != nil {
		return err
	}
	rows, names := p.another(), p.another()
	sources := p.another()
	var last recordRow
	var own, next sourceRow // the source of the last row, and the one behind it
	at := ^uint64(0)        // which one
	for i := range r.count {
		row := r.row(rows, i)
		if rows.err != nil {
			return rows.err
		}
		if row.place <= last.place || row.source >= r.sources || row.idEnd < last.idEnd || row.idEnd > r.idBytes {
			return damaged("row %d of RECORDS is not in its order", i)
		}
		if row.source != at {
			at = row.source
			if own, next = r.source(sources, at), (sourceRow{place: r.end}); at+1 < r.sources {
				next = r.source(sources, at+1)
			}
		}
		if row.place < own.place || row.place >= next.place || row.idEnd > last.idEnd && row.line > 0 {
			return orDamaged(sources.err, "row %d of RECORDS is not of its source", i)
		}
		if err := checkName(names, r.idsAt+last.idEnd, r.idsAt+row.idEnd); err != nil {
			return err
		}
		last = row
	}
	if last.idEnd != r.idBytes || !p.zeroFrom(r.count*uint64(r.width), r.idsAt) || !p.zeroFrom(8*(r.idsAt+r.idBytes), r.sourcesAt) {
		return orDamaged(p.err, "RECORDS is not consistent")
	}
	return nil
}

// checkSources checks the sources and their paths.
func (r *recordsShape) checkSources(p *payload) error {
	names := p.another()
	last := sourceRow{place: ngram.PlaceGap}
	for i := range r.sources {
		s := r.source(p, i)
		if p.err != nil {
			return p.err
		}
		if s.place < last.place || s.place > r.end || i == 0 && s.place != ngram.PlaceGap || s.dataset >= r.datasets ||
			s.pathEnd < last.pathEnd || s.pathEnd > r.pathBytes {
			return damaged("source %d of RECORDS is not in its order", i)
		}
		if err := checkName(names, r.pathsAt+last.pathEnd, r.pathsAt+s.pathEnd); err != nil {
			return err
		}
		last = s
	}
	if last.pathEnd != r.pathBytes || !p.zeroFrom(8*r.sourcesAt+r.sources*uint64(r.sourceWidth), r.pathsAt) || !p.zeroFrom(8*(r.pathsAt+r.pathBytes), r.trailerAt) {
		return orDamaged(p.err, "the sources of RECORDS are not consistent")
	}
	return nil
}

// checkName checks an id or a path.
func checkName(p *payload, from, to uint64) error {
	var buf [nameMost]byte
	if to-from > nameMost {
		return damaged("RECORDS has a name of %d bytes", to-from)
	}
	b := buf[:to-from]
	if p.read(b, from); p.err != nil {
		return p.err
	}
	if !utf8.Valid(b) {
		return damaged("RECORDS has a name that is not UTF-8")
	}
	return nil
}

// records answers which record stands at a place. The zero value knows none.
type records struct {
	recordsShape
	b []byte // the checked payload
}

// at returns the name of the record that begins at a place or is the last to begin
// before it, and the number of its dataset in the MANIFEST.
func (r *records) at(place ngram.Place) (id string, dataset uint64, ok bool) {
	p := uint64(place)
	if r.count == 0 || p >= r.end {
		return "", 0, false
	}
	lo, hi := uint64(0), r.count // the first record that begins behind the place
	for lo < hi {
		mid := (lo + hi) / 2
		if packedAt(r.b, mid*uint64(r.width), r.placeBits) <= p {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return "", 0, false
	}
	all := inMemory(r.b)
	row, from := r.row(all, lo-1), uint64(0)
	if lo > 1 {
		from = r.row(all, lo-2).idEnd
	}
	own := r.source(all, row.source)
	if from < row.idEnd {
		return string(r.b[r.idsAt+from : r.idsAt+row.idEnd]), own.dataset, true
	}
	if from = 0; row.source > 0 {
		from = r.source(all, row.source-1).pathEnd
	}
	if id = string(r.b[r.pathsAt+from : r.pathsAt+own.pathEnd]); row.line > 0 {
		id += ":" + strconv.FormatUint(row.line, 10)
	}
	return id, own.dataset, true
}

// nameMost is how long an id or a path may be in an index, in bytes.
const nameMost = 1 << 10

// words returns how many places lie between the record at a place and the next
// one.
func (r *records) words(place ngram.Place) int {
	if r.count == 0 || uint64(place) >= r.end {
		return 0
	}
	begin := func(i int) uint64 { return packedAt(r.b, uint64(i)*uint64(r.width), r.placeBits) }
	next := sort.Search(int(r.count), func(i int) bool { return begin(i) > uint64(place) })
	if next == 0 {
		return 0
	}
	end := r.end
	if next < int(r.count) {
		end = begin(next)
	}
	return int(max(end-begin(next-1), ngram.PlaceGap) - ngram.PlaceGap)
}
