package build

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"slices"

	"noecho/index/corpus"
	"noecho/index/internal/format"
	"noecho/index/key"
	"noecho/ngram"
)

// phraseRow is the data of one spelling of a phrase.
type phraseRow struct {
	kind    string
	records uint32 // stops at the largest number
	weak    bool
	subject uint32 // number in the list of subjects; 0: none
	dataset uint32 // number of the dataset that the place belongs to, counted from 1
	place   ngram.Place
}

// shareKey names another dataset or subject of a phrase than that of its row.
type shareKey struct {
	finger  uint64
	dataset uint32 // counted from 1; 0: the key names a subject
	subject uint32 // counted from 1; 0: the key names a dataset
}

// phraseSet is a set of phrases that will be written to a file. The result does not depend
// on the order in which phrases are added.
type phraseSet struct {
	rows     map[uint64]phraseRow     // by fingerprint
	shares   map[shareKey]ngram.Place // the first place in another dataset; 0 for a subject
	starts   map[uint32]struct{}      // keys of the beginnings of the phrases
	subjects []format.SubjectName     // sorted by id; row.subject counts from 1
	datasets uint64                   // number of datasets that have places; 0: nothing has
	lacks    bool                     // shares are not complete, because an older index has none
	key      *key.Key
}

func newPhraseSet(k *key.Key) *phraseSet {
	return &phraseSet{key: k, rows: map[uint64]phraseRow{}, shares: map[shareKey]ngram.Place{}, starts: map[uint32]struct{}{}}
}

// size returns the number of rows and shares.
func (s *phraseSet) size() int { return len(s.rows) + len(s.shares) }

// put adds a row. If the set has one of the same words, the smaller kind and place win,
// records are added, and a row that is not weak (that counts alone) wins over a weak one.
// Words of several subjects that are weak for all of them belong to none.
func (s *phraseSet) put(finger uint64, o phraseRow) {
	r, known := s.rows[finger]
	if !known {
		s.rows[finger] = o
		return
	}
	r.records = format.AddRecords(r.records, o.records)
	if format.CompareKinds(o.kind, r.kind) < 0 {
		r.kind = o.kind
	}
	switch {
	case r.weak && !o.weak:
		r.weak, r.subject = false, o.subject
	case r.weak && r.subject != o.subject:
		r.subject = 0
	}
	s.rows[finger] = r
	if !o.weak && o.subject != 0 {
		s.shareSubject(finger, o.subject)
	}
	s.sharePlace(finger, o.dataset, o.place)
}

// share adds an entry of the shares of another set, whose row for the phrase was added.
func (s *phraseSet) share(k shareKey, place ngram.Place) {
	if k.dataset == 0 {
		s.shareSubject(k.finger, k.subject)
	} else {
		s.sharePlace(k.finger, k.dataset, place)
	}
}

// shareSubject adds a subject of a phrase that is not weak. The row has the lowest of them.
func (s *phraseSet) shareSubject(finger uint64, subject uint32) {
	r := s.rows[finger]
	switch {
	case subject == r.subject:
		return
	case r.subject == 0:
		r.subject = subject
	default:
		s.shares[shareKey{finger, 0, max(subject, r.subject)}] = 0
		r.subject = min(subject, r.subject)
	}
	s.rows[finger] = r
}

// sharePlace adds the first place of a phrase in a dataset; 0 is none. The row has the
// lowest of all datasets.
func (s *phraseSet) sharePlace(finger uint64, dataset uint32, place ngram.Place) {
	r, k := s.rows[finger], shareKey{finger, dataset, 0}
	switch {
	case place == 0 || dataset == r.dataset && place >= r.place:
		return
	case r.place == 0:
		r.place, r.dataset = place, dataset
	case dataset == r.dataset:
		r.place = place
	case place < r.place:
		delete(s.shares, k)
		s.shares[shareKey{finger, r.dataset, 0}] = r.place
		r.place, r.dataset = place, dataset
	default:
		if old, known := s.shares[k]; !known || place < old {
			s.shares[k] = place
		}
	}
	s.rows[finger] = r
}

// begin adds the beginnings of a phrase of at most [gram.MaxPhraseWords] words, given their
// hashes, and returns the fingerprint of the phrase.
func (s *phraseSet) begin(words []uint64) (finger uint64) {
	prefix := uint64(0)
	for i, w := range words {
		prefix = ngram.Roll(prefix, w)
		if i < format.PhraseStarts {
			s.starts[uint32(s.key.Lo(ngram.Gram(0, prefix, i+1).Lo)>>(64-format.StartKeyBits))] = struct{}{}
		}
	}
	return keyHash(s.key, ngram.Gram(0, prefix, len(words))).Hi
}

// write appends PHRASES, START and SHARED to the file, unless the set is empty. It returns
// the number of rows of each kind.
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
	if err := writeStart(p, starts); err != nil || s.lacks || !format.NeedsShared(s.datasets, len(s.subjects)) {
		return count, err
	}
	return count, p.addSection(format.KindShared, s.writeShared)
}

// writeShared writes the payload of SHARED.
func (s *phraseSet) writeShared(w io.Writer) error {
	type row struct{ finger, value uint64 }
	rows := make([]row, 0, len(s.shares))
	for k, place := range s.shares {
		rows = append(rows, row{k.finger, uint64(place)})
		if k.subject != 0 {
			rows[len(rows)-1].value = format.SharedSubject | uint64(k.subject)
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.finger, b.finger), cmp.Compare(a.value, b.value)) })
	var b [format.SharedRowLen]byte
	binary.LittleEndian.PutUint64(b[:], uint64(len(rows))) // the head has the same length
	_, err := w.Write(b[:])
	for i := 0; err == nil && i < len(rows); i++ {
		binary.LittleEndian.PutUint64(b[:], rows[i].finger)
		binary.LittleEndian.PutUint64(b[8:], rows[i].value)
		_, err = w.Write(b[:])
	}
	return err
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

// subjectNames returns the names of a list of subjects, which have the labels of the build
// beside their own.
func subjectNames(subjects []corpus.Subject, labels []string) []format.SubjectName {
	all := make([]format.SubjectName, 0, len(subjects))
	for _, s := range subjects {
		all = append(all, format.SubjectName{ID: s.ID, Labels: names(slices.Concat(s.Labels, labels))})
	}
	return all
}
