package format

import (
	"bufio"
	"encoding/binary"
	"io"
	"sort"

	"noecho/internal/gram"
	"noecho/ngram"
)

// Sizes of SHARED; the package comment is the specification.
const (
	SharedHead    = 16
	SharedRowLen  = 16
	SharedSubject = 1 << 63 // the row has a subject, not a place
)

// NeedsShared reports whether an index with phrases needs SHARED, given the number of
// datasets that its places belong to (0: it has no places) and of its subjects.
func NeedsShared(datasets uint64, subjects int) bool { return datasets > 1 || subjects > 1 }

// CheckShared reads a payload of length bytes and checks all of it. end is the place behind
// the last one, and subjects the number of subjects that PHRASES names.
func CheckShared(r io.Reader, length, end, subjects uint64) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var b [SharedRowLen]byte
	le := binary.LittleEndian
	if length < SharedHead || length%SharedRowLen != 0 {
		return Damaged("SHARED is %d bytes long, which is no head and rows", length)
	}
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return err
	}
	if rows := length/SharedRowLen - 1; le.Uint64(b[:]) != rows || le.Uint64(b[8:]) != 0 {
		return Damaged("the head of SHARED does not match its %d rows", rows)
	}
	var finger, value uint64 // of the row before
	for i := range length/SharedRowLen - 1 {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return err
		}
		f, v := le.Uint64(b[:]), le.Uint64(b[8:])
		if i > 0 && (f < finger || f == finger && v <= value) {
			return Damaged("row %d of SHARED is out of order", i)
		}
		if n := v &^ SharedSubject; v != n && (n == 0 || n > subjects) || v == n && (n < gram.PlaceGap || n >= end) {
			return Damaged("row %d of SHARED has no place of the corpus and no subject of PHRASES", i)
		}
		finger, value = f, v
	}
	return nil
}

// Shared calls f for each further place and subject of the phrase with a fingerprint. The
// other argument of f is 0.
func (p *phrases) Shared(finger uint64, f func(place ngram.Place, subject uint64)) {
	le := binary.LittleEndian
	row := func(i int) []byte { return p.shared[i*SharedRowLen:][:SharedRowLen] }
	count := len(p.shared) / SharedRowLen
	for i := sort.Search(count, func(i int) bool { return le.Uint64(row(i)) >= finger }); i < count && le.Uint64(row(i)) == finger; i++ {
		if v := le.Uint64(row(i)[8:]); v&SharedSubject != 0 {
			f(0, v&^SharedSubject)
		} else {
			f(ngram.Place(v), 0)
		}
	}
}
