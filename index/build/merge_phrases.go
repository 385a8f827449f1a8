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
}

// loadPhrases reads and checks the PHRASES of a member.
func (m *member) loadPhrases(c *format.Checker) (err error) {
	at := m.h.Find(format.KindPhrases, 0)
	if at < 0 {
		return nil
	}
	p := &phraseMember{payload: make([]byte, m.h.Sections[at].Length)}
	c.Dst[at] = p.payload
	for k := range format.Chunks(uint64(len(p.payload))) {
		if err := c.ReadChunk(format.Piece{Section: at, Chunk: k}, nil); err != nil {
			return err
		}
	}
	end := uint64(0)
	if m.tables != nil {
		end = m.tables.records.End
	}
	if p.PhraseShape, p.PhraseNamesOf, err = format.CheckPhrases(bytes.NewReader(p.payload), uint64(len(p.payload)), end); err != nil {
		return err
	}
	m.phrases = p
	return nil
}

// addPhrases writes PHRASES and START if any member has them.
func addPhrases(p *plan, members []*member, m *index.Manifest) error {
	var move func(member int, p ngram.Place) ngram.Place
	if members[0].tables != nil {
		var all []*memberTables
		for _, one := range members {
			all = append(all, one.tables)
		}
		mergeTables(all) // sets the places to which the sources move
		move = func(member int, place ngram.Place) ngram.Place {
			moved, _ := all[member].move(uint64(place), 0)
			return ngram.Place(moved)
		}
	}
	rows, err := mergePhrases(members, move).write(p)
	if err != nil {
		return err
	}
	m.Phrases = mergePhraseCounts(rows, members)
	return nil
}

// mergePhrases returns the phrases of all members. move converts the places of a member
// into places of the merged index. If it is nil, places stay unchanged.
func mergePhrases(members []*member, move func(member int, p ngram.Place) ngram.Place) *phraseSet {
	all := newPhraseSet()
	all.subjects = mergeSubjects(members)
	number := map[string]uint32{}
	for i, s := range all.subjects {
		number[s.ID] = uint32(i + 1)
	}
	for i, m := range members {
		if m.phrases == nil {
			continue
		}
		le, b := binary.LittleEndian, m.phrases.payload[format.PhraseHead:]
		for range m.phrases.Rows {
			info := le.Uint32(b[20:])
			row := phraseRow{
				place: ngram.Place(le.Uint64(b[8:])), records: le.Uint32(b[16:]),
				kind: m.phrases.Kinds[info&(format.PhraseKinds-1)], weak: info&format.PhraseWeak != 0,
			}
			if n := info >> format.SubjectShift; n > 0 {
				row.subject = number[m.phrases.Subjects[n-1].ID]
			}
			if row.place != 0 && move != nil {
				row.place = move(i, row.place)
			}
			all.put(le.Uint64(b), row)
			b = b[format.PhraseRowLen:]
		}
		for range m.phrases.Starts {
			all.starts[le.Uint32(b)] = struct{}{}
			b = b[4:]
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
