package build

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"noecho/index"
	"noecho/index/internal/format"
	"noecho/ngram"
)

// Merging phrases. Rows of the same words are merged, the beginnings are copied from
// the lists of the members, and START is built again. So the merged index is equal to
// one that a single build would have made. The phrases of all members are in memory at
// the same time.

// phraseMember is the checked PHRASES of a member.
type phraseMember struct {
	format.PhraseShape
	format.PhraseNamesOf
	payload []byte
	shared  []byte // the rows of SHARED
	lacks   bool   // the member needs SHARED and has none: an older noecho built it
}

// loadPhrases reads and checks the PHRASES of a member.
func (m *member) loadPhrases(c *format.Checker) (err error) {
	at := m.h.Find(format.KindPhrases, 0)
	if at < 0 {
		return nil
	}
	p := &phraseMember{}
	if p.payload, err = readSection(c, at); err != nil {
		return err
	}
	end, datasets := uint64(0), uint64(0)
	if m.tables != nil {
		end, datasets = m.tables.records.End, m.tables.records.Datasets
	}
	if p.PhraseShape, p.PhraseNamesOf, err = format.CheckPhrases(bytes.NewReader(p.payload), uint64(len(p.payload)), end); err != nil {
		return err
	}
	m.phrases = p
	if at = m.h.Find(format.KindShared, 0); at < 0 {
		p.lacks = format.NeedsShared(datasets, len(p.Subjects))
		return nil
	}
	b, err := readSection(c, at)
	if err == nil {
		err = format.CheckShared(bytes.NewReader(b), uint64(len(b)), end, uint64(len(p.Subjects)))
	}
	if err != nil {
		return err
	}
	p.shared = b[format.SharedHead:]
	return nil
}

// readSection reads a section into memory and checks it.
func readSection(c *format.Checker, at int) ([]byte, error) {
	b := make([]byte, c.H.Sections[at].Length)
	c.Dst[at] = b
	for k := range format.Chunks(uint64(len(b))) {
		if err := c.ReadChunk(format.Piece{Section: at, Chunk: k}, nil); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// sameShared refuses members of which one has SHARED and another lacks it. Those that need
// no SHARED go with both.
func sameShared(members []*member) error {
	var first *member
	for _, m := range members {
		if m.phrases == nil || m.phrases.shared == nil && !m.phrases.lacks {
			continue
		}
		if first == nil {
			first = m
		} else if m.phrases.lacks != first.phrases.lacks {
			return first.differs(m, property{"section SHARED", there(!m.phrases.lacks), there(!first.phrases.lacks), "rebuild the one without it"})
		}
	}
	return nil
}

// addPhrases writes PHRASES and START if any member has them.
func addPhrases(p *plan, members []*member, m *index.Manifest) error {
	var sorted []string
	for _, d := range m.Datasets {
		sorted = append(sorted, d.Name)
	}
	var move func(member int, p ngram.Place) (ngram.Place, uint32)
	datasets := 0
	if members[0].tables != nil {
		var all []*memberTables
		for _, one := range members {
			all = append(all, one.tables)
		}
		mergeTables(all) // sets the places to which the sources move
		datasets = len(sorted)
		move = func(member int, place ngram.Place) (ngram.Place, uint32) {
			moved, source := all[member].move(uint64(place), 0)
			number, _ := slices.BinarySearch(sorted, all[member].sources[source].dataset)
			return ngram.Place(moved), uint32(number + 1)
		}
	}
	set := mergePhrases(members, move)
	set.datasets = uint64(datasets)
	rows, err := set.write(p)
	if err != nil {
		return err
	}
	m.Phrases = mergePhraseCounts(rows, members)
	return nil
}

// mergePhrases returns the phrases of all members. move converts the places of a member
// into places of the merged index, and returns the number of their dataset, counted from 1.
// If it is nil, there are no places.
func mergePhrases(members []*member, move func(member int, p ngram.Place) (ngram.Place, uint32)) *phraseSet {
	all := newPhraseSet(nil)
	all.subjects = mergeSubjects(members)
	number := map[string]uint32{}
	for i, s := range all.subjects {
		number[s.ID] = uint32(i + 1)
	}
	for i, m := range members {
		if m.phrases == nil {
			continue
		}
		all.lacks = all.lacks || m.phrases.lacks
		subject := func(n uint64) uint32 {
			if n == 0 {
				return 0
			}
			return number[m.phrases.Subjects[n-1].ID]
		}
		le, b := binary.LittleEndian, m.phrases.payload[format.PhraseHead:]
		for range m.phrases.Rows {
			info := le.Uint32(b[20:])
			row := phraseRow{
				records: le.Uint32(b[16:]), subject: subject(uint64(info >> format.SubjectShift)),
				kind: m.phrases.Kinds[info&(format.PhraseKinds-1)], weak: info&format.PhraseWeak != 0,
			}
			if place := ngram.Place(le.Uint64(b[8:])); place != 0 {
				row.place, row.dataset = move(i, place)
			}
			all.put(le.Uint64(b), row)
			b = b[format.PhraseRowLen:]
		}
		for range m.phrases.Starts {
			all.starts[le.Uint32(b)] = struct{}{}
			b = b[4:]
		}
		for b := m.phrases.shared; len(b) > 0; b = b[format.SharedRowLen:] {
			finger, value := le.Uint64(b), le.Uint64(b[8:])
			if _, known := all.rows[finger]; !known {
				continue
			}
			if value&format.SharedSubject != 0 {
				all.shareSubject(finger, subject(value&^format.SharedSubject))
			} else {
				place, dataset := move(i, ngram.Place(value))
				all.sharePlace(finger, dataset, place)
			}
		}
	}
	return all
}

// mergeSubjects returns the subjects of all members, with each id once.
func mergeSubjects(members []*member) []format.SubjectName {
	labels := map[string][]string{}
	for _, m := range members {
		if m.phrases == nil {
			continue
		}
		for _, s := range m.phrases.Subjects {
			labels[s.ID] = append(labels[s.ID], s.Labels...)
		}
	}
	all := make([]format.SubjectName, 0, len(labels))
	for id, l := range labels {
		all = append(all, format.SubjectName{ID: id, Labels: names(l)})
	}
	slices.SortFunc(all, func(a, b format.SubjectName) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// mergePhraseParameters sets the parameters of the search for phrases, from those of
// all members.
func mergePhraseParameters(p *index.Parameters, members []*member) {
	p.NoIdentifiers, p.MinPhrase = true, 0
	var patterns, subjects []string
	for _, m := range members {
		in := m.manifest.Parameters
		p.NoIdentifiers = p.NoIdentifiers && in.NoIdentifiers
		if in.MinPhrase > 0 && (p.MinPhrase == 0 || in.MinPhrase < p.MinPhrase) {
			p.MinPhrase = in.MinPhrase
		}
		patterns = append(patterns, in.Patterns...)
		subjects = append(subjects, in.Subjects...)
	}
	p.Patterns, p.Subjects = names(patterns), names(subjects)
}

// mergePhraseCounts returns the counts of the merged phrases, given the number of rows
// of each kind.
func mergePhraseCounts(rows map[string]uint64, members []*member) *index.PhraseCounts {
	if len(rows) == 0 {
		return nil
	}
	all := &index.PhraseCounts{Rows: rows}
	for _, m := range members {
		if m.manifest.Phrases != nil {
			all.Records += m.manifest.Phrases.Records
		}
	}
	return all
}
