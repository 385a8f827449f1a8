package format

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"sort"

	"noecho/internal/gram"
	"noecho/ngram"
)

// Sizes and offsets of PHRASES; the package comment is their specification.
const (
	PhraseHead    = 32
	PhraseRowLen  = 24
	PhraseStarts  = 4 // words in the longest beginning that START contains
	StartKeyBits  = 32
	StartBits     = 16 // for each beginning, as for a window
	StartK        = 8
	PhraseKinds   = 256
	phraseNames   = 16 << 20 // largest size of the names of kinds and subjects in bytes
	MaxSubjects   = 1<<23 - 1
	PhraseWeak    = 1 << 8
	SubjectShift  = 9
	OffPhraseRows = 0
	OffPhraseHeld = 8
	OffPhraseText = 16
)

// The kinds of phrases that are not identifiers.
const (
	SubjectKind = "subject"
	PlainKind   = "phrase"
)

// PhraseNamesOf is the JSON at the end of PHRASES.
type PhraseNamesOf struct {
	Kinds    []string      `json:"kinds"`
	Subjects []SubjectName `json:"subjects,omitempty"`
}

// SubjectName is a data subject: its id and its labels in the list of subjects.
type SubjectName struct {
	ID     string   `json:"id"`
	Labels []string `json:"labels,omitempty"`
}

// CompareKinds orders the kinds: identifiers first, then subjects, then plain phrases.
func CompareKinds(a, b string) int {
	rank := func(k string) int {
		switch k {
		case SubjectKind:
			return 1
		case PlainKind:
			return 2
		default:
			return 0
		}
	}
	return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b))
}

// StartKey returns the gram in START of a beginning, given the Lo of the beginning.
func StartKey(lo uint64) uint64 { return lo >> (64 - StartKeyBits) << (64 - StartKeyBits) }

// phrases answers lookups in PHRASES and START. The zero value has no phrase.
type phrases struct {
	Start    Blocked
	rows     []byte
	Count    int
	kinds    []string
	Subjects []SubjectName
	shared   []byte // rows of SHARED
}

// PhraseShape has the sizes in the head of PHRASES.
type PhraseShape struct{ Rows, Starts, text uint64 }

// parsePhraseHead reads the head of a payload of length bytes.
func parsePhraseHead(b []byte, length uint64) (PhraseShape, error) {
	if len(b) < PhraseHead {
		return PhraseShape{}, Damaged("PHRASES ends in its head")
	}
	le := binary.LittleEndian
	s := PhraseShape{le.Uint64(b[OffPhraseRows:]), le.Uint64(b[OffPhraseHeld:]), le.Uint64(b[OffPhraseText:])}
	if s.Rows > length/PhraseRowLen || s.Starts > length/4 || s.text > min(length, phraseNames) ||
		length != PhraseHead+PhraseRowLen*s.Rows+4*s.Starts+s.text || !allZero(b[OffPhraseText+8:PhraseHead]) {
		return PhraseShape{}, Damaged("the length of PHRASES does not match the counts in its head")
	}
	if s.Rows == 0 || s.Starts == 0 {
		return PhraseShape{}, Damaged("PHRASES has no row or no beginning")
	}
	return s, nil
}

// CheckPhrases reads a payload of length bytes and checks all of it: after that no
// lookup can fail. end is the place behind the last one; 0: there are no places. It
// returns the sizes and the names.
func CheckPhrases(r io.Reader, length, end uint64) (PhraseShape, PhraseNamesOf, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	var names PhraseNamesOf
	var head [PhraseHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return PhraseShape{}, names, Damaged("PHRASES ends in its head")
	}
	shape, err := parsePhraseHead(head[:], length)
	if err != nil {
		return shape, names, err
	}
	var kinds, subject uint32 // largest numbers of a kind and a subject
	var row [PhraseRowLen]byte
	last := uint64(0)
	for i := range shape.Rows {
		if _, err := io.ReadFull(in, row[:]); err != nil {
			return shape, names, err
		}
		finger, info := binary.LittleEndian.Uint64(row[:]), binary.LittleEndian.Uint32(row[20:])
		if place := binary.LittleEndian.Uint64(row[8:]); place != 0 && (place < gram.PlaceGap || place >= end) {
			return shape, names, Damaged("row %d of PHRASES has a place outside the corpus", i)
		}
		if i > 0 && finger <= last {
			return shape, names, Damaged("row %d of PHRASES is out of order", i)
		}
		last, kinds, subject = finger, max(kinds, info&(PhraseKinds-1)), max(subject, info>>SubjectShift)
	}
	before := int64(-1)
	for i := range shape.Starts {
		if _, err := io.ReadFull(in, row[:4]); err != nil {
			return shape, names, err
		}
		key := int64(binary.LittleEndian.Uint32(row[:]))
		if key <= before {
			return shape, names, Damaged("beginning %d of PHRASES is out of order", i)
		}
		before = key
	}
	text := make([]byte, shape.text)
	if _, err := io.ReadFull(in, text); err != nil {
		return shape, names, err
	}
	if err := json.Unmarshal(text, &names); err != nil {
		return shape, names, Damaged("the names of PHRASES are not valid JSON")
	}
	if int(kinds) >= len(names.Kinds) || len(names.Kinds) > PhraseKinds || int(subject) > len(names.Subjects) || len(names.Subjects) > MaxSubjects {
		return shape, names, Damaged("PHRASES has kinds or subjects without a name, or too many names")
	}
	return shape, names, nil
}

// OpenPhrases checks a payload and returns the phrases in it.
func OpenPhrases(b []byte, start Blocked, end uint64) (phrases, error) {
	shape, names, err := CheckPhrases(bytes.NewReader(b), uint64(len(b)), end)
	if err != nil {
		return phrases{}, err
	}
	return phrases{
		Start: start, Count: int(shape.Rows), rows: b[PhraseHead : PhraseHead+PhraseRowLen*shape.Rows],
		kinds: names.Kinds, Subjects: names.Subjects,
	}, nil
}

// Finger returns the fingerprint of a row.
func (p *phrases) Finger(row int) uint64 {
	return binary.LittleEndian.Uint64(p.rows[row*PhraseRowLen:])
}

// Find returns the phrase with a fingerprint.
func (p *phrases) Find(finger uint64) (ngram.Phrase, bool) {
	row := sort.Search(p.Count, func(i int) bool { return p.Finger(i) >= finger })
	if row == p.Count || p.Finger(row) != finger {
		return ngram.Phrase{}, false
	}
	b := p.rows[row*PhraseRowLen:][:PhraseRowLen]
	info := binary.LittleEndian.Uint32(b[20:])
	return ngram.Phrase{
		Kind:    p.kinds[info&(PhraseKinds-1)],
		Subject: uint64(info >> SubjectShift),
		Weak:    info&PhraseWeak != 0,
		Records: binary.LittleEndian.Uint32(b[16:]),
		Place:   ngram.Place(binary.LittleEndian.Uint64(b[8:])),
	}, true
}

// AddRecords adds two counts. The sum stops at the largest number.
func AddRecords(a, b uint32) uint32 {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^uint32(0)
}
