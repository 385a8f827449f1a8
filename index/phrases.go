package index

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"sort"

	"noecho/ngram"
)

// Sizes and places of PHRASES; the package comment is their specification.
const (
	phraseHead    = 32
	phraseRowLen  = 24
	phraseStarts  = 4 // words in the longest beginning that START holds
	startKeyBits  = 32
	startBits     = 16 // of a beginning, as of a window
	startK        = 8
	phraseKinds   = 256
	phraseNames   = 16 << 20 // bytes of kinds and subjects at most, read when an index is opened
	maxSubjects   = 1<<23 - 1
	phraseWeak    = 1 << 8
	subjectShift  = 9
	offPhraseRows = 0
	offPhraseHeld = 8
	offPhraseText = 16
)

// The kinds of phrase that are no identifiers.
const (
	subjectKind ngram.PhraseKind = "subject"
	plainKind   ngram.PhraseKind = "phrase"
)

// phraseNamesOf is the JSON at the end of PHRASES.
type phraseNamesOf struct {
	Kinds    []ngram.PhraseKind `json:"kinds"`
	Subjects []subjectName      `json:"subjects,omitempty"`
}

// subjectName is a data subject: an id and what its list says of it.
type subjectName struct {
	ID     string   `json:"id"`
	Labels []string `json:"labels,omitempty"`
}

// compareKinds orders kinds by what they say: identifiers first, then subjects,
// then plain phrases.
func compareKinds(a, b ngram.PhraseKind) int {
	rank := func(k ngram.PhraseKind) int {
		switch k {
		case subjectKind:
			return 1
		case plainKind:
			return 2
		default:
			return 0
		}
	}
	return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b))
}

// startKey is the gram of START that stands for a beginning.
func startKey(lo uint64) uint64 { return lo >> (64 - startKeyBits) << (64 - startKeyBits) }

// phrases answers what PHRASES and START hold. The zero value holds nothing.
type phrases struct {
	start    blocked
	rows     []byte
	count    int
	kinds    []ngram.PhraseKind
	subjects []subjectName
}

// phraseShape is what the head of PHRASES says.
type phraseShape struct{ rows, starts, text uint64 }

// parsePhraseHead reads the head of a payload of that many bytes.
func parsePhraseHead(b []byte, length uint64) (phraseShape, error) {
	if len(b) < phraseHead {
		return phraseShape{}, damaged("PHRASES ends in its head")
	}
	le := binary.LittleEndian
	s := phraseShape{le.Uint64(b[offPhraseRows:]), le.Uint64(b[offPhraseHeld:]), le.Uint64(b[offPhraseText:])}
	if s.rows > length/phraseRowLen || s.starts > length/4 || s.text > min(length, phraseNames) ||
		length != phraseHead+phraseRowLen*s.rows+4*s.starts+s.text || !allZero(b[offPhraseText+8:phraseHead]) {
		return phraseShape{}, damaged("PHRASES is not as long as its head says")
	}
	if s.rows == 0 || s.starts == 0 {
		return phraseShape{}, damaged("PHRASES holds nothing")
	}
	return s, nil
}

// checkPhrases reads a payload of that many bytes and checks all of it: after
// that no look-up can fail. end is the place behind the last one, 0: there are no
// places. It returns the shape and the names.
func checkPhrases(r io.Reader, length, end uint64) (phraseShape, phraseNamesOf, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var names phraseNamesOf
	var head [phraseHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return phraseShape{}, names, damaged("PHRASES ends in its head")
	}
	shape, err := parsePhraseHead(head[:], length)
	if err != nil {
		return shape, names, err
	}
	var kinds, subject uint32 // the highest ones
	var row [phraseRowLen]byte
	last := uint64(0)
	for i := range shape.rows {
		if _, err := io.ReadFull(in, row[:]); err != nil {
			return shape, names, err
		}
		finger, info := binary.LittleEndian.Uint64(row[:]), binary.LittleEndian.Uint32(row[20:])
		if place := binary.LittleEndian.Uint64(row[8:]); place != 0 && (place < ngram.PlaceGap || place >= end) {
			return shape, names, damaged("row %d of PHRASES is at no place", i)
		}
		if i > 0 && finger <= last {
			return shape, names, damaged("row %d of PHRASES is not in its order", i)
		}
		last, kinds, subject = finger, max(kinds, info&(phraseKinds-1)), max(subject, info>>subjectShift)
	}
	before := int64(-1)
	for i := range shape.starts {
		if _, err := io.ReadFull(in, row[:4]); err != nil {
			return shape, names, err
		}
		key := int64(binary.LittleEndian.Uint32(row[:]))
		if key <= before {
			return shape, names, damaged("beginning %d of PHRASES is not in its order", i)
		}
		before = key
	}
	text := make([]byte, shape.text)
	if _, err := io.ReadFull(in, text); err != nil {
		return shape, names, err
	}
	if err := json.Unmarshal(text, &names); err != nil {
		return shape, names, damaged("the names of PHRASES are not valid")
	}
	if int(kinds) >= len(names.Kinds) || len(names.Kinds) > phraseKinds || int(subject) > len(names.Subjects) || len(names.Subjects) > maxSubjects {
		return shape, names, damaged("PHRASES has more kinds or subjects than names")
	}
	return shape, names, nil
}

// openPhrases checks a payload and keeps it.
func openPhrases(b []byte, start blocked, end uint64) (phrases, error) {
	shape, names, err := checkPhrases(bytes.NewReader(b), uint64(len(b)), end)
	if err != nil {
		return phrases{}, err
	}
	return phrases{
		start: start, count: int(shape.rows), rows: b[phraseHead : phraseHead+phraseRowLen*shape.rows],
		kinds: names.Kinds, subjects: names.Subjects,
	}, nil
}

// finger is the fingerprint of a row.
func (p *phrases) finger(row int) uint64 {
	return binary.LittleEndian.Uint64(p.rows[row*phraseRowLen:])
}

// find returns the phrase of a fingerprint.
func (p *phrases) find(finger uint64) (ngram.Phrase, bool) {
	row := sort.Search(p.count, func(i int) bool { return p.finger(i) >= finger })
	if row == p.count || p.finger(row) != finger {
		return ngram.Phrase{}, false
	}
	b := p.rows[row*phraseRowLen:][:phraseRowLen]
	info := binary.LittleEndian.Uint32(b[20:])
	return ngram.Phrase{
		Kind:    p.kinds[info&(phraseKinds-1)],
		Subject: uint64(info >> subjectShift),
		Weak:    info&phraseWeak != 0,
		Records: binary.LittleEndian.Uint32(b[16:]),
		Place:   ngram.Place(binary.LittleEndian.Uint64(b[8:])),
	}, true
}

// addRecords adds counts that stop at the highest.
func addRecords(a, b uint32) uint32 {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^uint32(0)
}
