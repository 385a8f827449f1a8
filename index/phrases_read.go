package index

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"runtime"
	"slices"
	"sort"

	"noecho/ngram"
)

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

// end is the place behind the last one; 0 if there are none.
func (t *tables) end() uint64 {
	if !t.there {
		return 0
	}
	return t.records.end
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

// Start reports whether a phrase may begin with these words, at most 4. False is
// certain.
func (ix *Index) Start(h ngram.Hash) bool {
	ok := ix.phrases.count > 0 && ix.phrases.start.has(startKey(h.Lo))
	runtime.KeepAlive(ix)
	return ok
}

// Phrase returns the phrase of exactly these words, at most
// [ngram.MaxPhraseWords]. Which of two phrases it is has one chance in 2⁶⁴ to be
// wrong.
func (ix *Index) Phrase(h ngram.Hash) (ngram.Phrase, bool) {
	p, ok := ix.phrases.find(h.Hi)
	runtime.KeepAlive(ix)
	return p, ok
}

// HasPhrases reports whether the index holds any phrase.
func (ix *Index) HasPhrases() bool { return ix.phrases.count > 0 }

// Subject returns the id of a data subject and the labels its list gives it, for
// [ngram.Phrase.Subject]; ok is false if there is none. The labels must not be
// changed.
func (ix *Index) Subject(n uint64) (id string, labels []string, ok bool) {
	if n == 0 || n > uint64(len(ix.phrases.subjects)) {
		return "", nil, false
	}
	s := ix.phrases.subjects[n-1]
	return s.ID, s.Labels, true
}

// Start is [Index.Start] of any member.
func (j *Joined) Start(h ngram.Hash) bool {
	for _, m := range j.members {
		if m.Start(h) {
			return true
		}
	}
	return false
}

// Phrase is [Index.Phrase] of the first member that has it, with the records of
// all. Subjects of different members have different numbers, whatever their ids.
func (j *Joined) Phrase(h ngram.Hash) (ngram.Phrase, bool) {
	var all ngram.Phrase
	found := false
	for i, m := range j.members {
		p, ok := m.Phrase(h)
		if !ok {
			continue
		}
		if p.Subject != 0 {
			p.Subject |= uint64(i) << placeBitsMost
		}
		if p.Place != 0 {
			p.Place |= ngram.Place(i) << placeBitsMost
		}
		switch {
		case !found:
			all, found = p, true
		case all.Weak && !p.Weak || all.Subject == 0 && p.Subject != 0 && !p.Weak:
			p.Records = addRecords(p.Records, all.Records)
			all = p
		default:
			all.Records = addRecords(p.Records, all.Records)
		}
	}
	return all, found
}

// addRecords adds counts that stop at the highest.
func addRecords(a, b uint32) uint32 {
	if sum := a + b; sum >= a {
		return sum
	}
	return ^uint32(0)
}

// HasPhrases reports whether any member holds a phrase.
func (j *Joined) HasPhrases() bool { return slices.ContainsFunc(j.members, (*Index).HasPhrases) }

// Subject is [Index.Subject] of the member that the number names.
func (j *Joined) Subject(n uint64) (id string, labels []string, ok bool) {
	i := n >> placeBitsMost
	if i >= uint64(len(j.members)) {
		return "", nil, false
	}
	return j.members[i].Subject(n & (1<<placeBitsMost - 1))
}
