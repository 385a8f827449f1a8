package build

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"slices"

	"noecho/index/corpus"
	"noecho/index/internal/format"
	"noecho/ngram"
)

// phraseRow is the data of one spelling of a phrase.
type phraseRow struct {
	records uint32 // stops at the largest number
	kind    string
	weak    bool
	subject uint32 // number in the list of subjects; 0: none
	place   ngram.Place
}

// merge adds the row of another worker or member for the same words. The result does
// not depend on the order: the smaller kind and place win, records are added, and a row
// that is not weak (that counts alone) wins over a weak one. Words of several subjects
// that are weak for all of them belong to none.
func (r *phraseRow) merge(o phraseRow) {
	r.records = uint32(min(uint64(r.records)+uint64(o.records), math.MaxUint32))
	if o.place != 0 && (r.place == 0 || o.place < r.place) {
		r.place = o.place
	}
	if format.CompareKinds(o.kind, r.kind) < 0 {
		r.kind = o.kind
	}
	switch {
	case r.weak && !o.weak:
		r.weak, r.subject = false, o.subject
	case o.weak && !r.weak:
	case r.weak && r.subject != o.subject:
		r.subject = 0
	case r.subject == 0 || o.subject != 0 && o.subject < r.subject:
		r.subject = o.subject
	}
}

// phraseSet is a set of phrases that will be written to a file.
type phraseSet struct {
	rows     map[uint64]phraseRow // by fingerprint
	starts   map[uint32]struct{}  // keys of the beginnings of the phrases
	subjects []format.SubjectName // sorted by id; row.subject counts from 1
}

func newPhraseSet() *phraseSet {
	return &phraseSet{rows: map[uint64]phraseRow{}, starts: map[uint32]struct{}{}}
}

// add adds a phrase of at most [gram.MaxPhraseWords] words, given their hashes,
// and reports whether it is new.
func (s *phraseSet) add(words []uint64, row phraseRow) bool { return s.put(s.begin(words), row) }

// put adds a row and reports whether its fingerprint is new.
func (s *phraseSet) put(finger uint64, row phraseRow) bool {
	old, known := s.rows[finger]
	if known {
		old.merge(row)
		row = old
	}
	s.rows[finger] = row
	return !known
}

// begin adds the beginnings of a phrase and returns the fingerprint of the phrase.
func (s *phraseSet) begin(words []uint64) (finger uint64) {
	prefix := uint64(0)
	for i, w := range words {
		prefix = ngram.Roll(prefix, w)
		if i < format.PhraseStarts {
			s.starts[uint32(ngram.Gram(0, prefix, i+1).Lo>>(64-format.StartKeyBits))] = struct{}{}
		}
	}
	return ngram.Gram(0, prefix, len(words)).Hi
}

// write appends PHRASES and START to the file, unless the set is empty. It returns the
// number of rows of each kind.
func (s *phraseSet) write(p *plan) (map[string]uint64, error) {
	if len(s.rows) == 0 {
		return nil, nil
	}
	count := map[string]uint64{}
	for _, r := range s.rows {
		count[r.kind]++
	}
	names := format.PhraseNamesOf{Subjects: s.subjects}
	for k := range count {
		names.Kinds = append(names.Kinds, k)
	}
	slices.SortFunc(names.Kinds, format.CompareKinds)
	text, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	starts := make([]uint32, 0, len(s.starts))
	for k := range s.starts {
		starts = append(starts, k)
	}
	slices.Sort(starts)
	if err := p.addSection(format.KindPhrases, func(w io.Writer) error { return s.writeRows(w, names.Kinds, starts, text) }); err != nil {
		return nil, err
	}
	return count, writeStart(p, starts)
}

// writeRows writes the payload of PHRASES.
func (s *phraseSet) writeRows(w io.Writer, kinds []string, starts []uint32, text []byte) error {
	le := binary.LittleEndian
	var head [format.PhraseHead]byte
	le.PutUint64(head[format.OffPhraseRows:], uint64(len(s.rows)))
	le.PutUint64(head[format.OffPhraseHeld:], uint64(len(starts)))
	le.PutUint64(head[format.OffPhraseText:], uint64(len(text)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	number := map[string]uint32{}
	for i, k := range kinds {
		number[k] = uint32(i)
	}
	fingers := make([]uint64, 0, len(s.rows))
	for finger := range s.rows {
		fingers = append(fingers, finger)
	}
	slices.Sort(fingers)
	var b [format.PhraseRowLen]byte
	for _, finger := range fingers {
		r := s.rows[finger]
		info := number[r.kind] | r.subject<<format.SubjectShift
		if r.weak {
			info |= format.PhraseWeak
		}
		le.PutUint64(b[0:], finger)
		le.PutUint64(b[8:], uint64(r.place))
		le.PutUint32(b[16:], r.records)
		le.PutUint32(b[20:], info)
		if _, err := w.Write(b[:]); err != nil {
			return err
		}
	}
	for _, k := range starts {
		le.PutUint32(b[:], k)
		if _, err := w.Write(b[:4]); err != nil {
			return err
		}
	}
	_, err := w.Write(text)
	return err
}

// writeStart writes START.
func writeStart(p *plan, starts []uint32) error {
	length := format.BlockedLen(uint64(len(starts)), format.StartBits)
	words := make([]uint64, length/8)
	blocks := length / (format.BlockBits / 8)
	for _, k := range starts {
		lo := uint64(k) << (64 - format.StartKeyBits)
		for _, at := range format.AppendBlocked(nil, lo, blocks, format.StartK) {
			words[at/64] |= 1 << (at % 64)
		}
	}
	ones := uint64(0)
	err := p.addSection(format.KindStart, func(w io.Writer) error {
		var b [8]byte
		for _, word := range words {
			binary.LittleEndian.PutUint64(b[:], word)
			ones += format.PopCount(b[:])
			if _, err := w.Write(b[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	start := &p.extra[len(p.extra)-1].Section
	start.Gram, start.K, start.Block = format.PhraseStarts, format.StartK, format.BlockBits
	start.Capacity, start.Ones = uint64(len(starts)), ones
	return nil
}

// subjectNames returns the names of a list of subjects.
func subjectNames(subjects []corpus.Subject) []format.SubjectName {
	all := make([]format.SubjectName, 0, len(subjects))
	for _, s := range subjects {
		all = append(all, format.SubjectName{ID: s.ID, Labels: names(s.Labels)})
	}
	return all
}
