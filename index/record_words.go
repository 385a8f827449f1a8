package index

import (
	"runtime"
	"sort"

	"noecho/ngram"
)

// RecordWords is the number of places that the record at a place takes: its words,
// with [ngram.PlaceGap] between its segments, and what follows it of records that
// are not indexed. 0 if it is not known. See [Index.Record].
func (ix *Index) RecordWords(p ngram.Place) int {
	n := ix.tables.records.words(p)
	runtime.KeepAlive(ix)
	return n
}

// RecordWords is [Index.RecordWords] of the member that a place belongs to.
func (j *Joined) RecordWords(p ngram.Place) int {
	i := int(p >> placeBitsMost)
	if i >= len(j.members) {
		return 0
	}
	return j.members[i].RecordWords(p & (1<<placeBitsMost - 1))
}

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
