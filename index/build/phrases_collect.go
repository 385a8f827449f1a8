package build

import (
	"fmt"
	"slices"
	"sync/atomic"

	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/index/internal/format"
	"noecho/internal/gram"
	"noecho/ngram"
)

// Phrases are collected in the first pass: identifiers, in all their usual spellings,
// and on request texts that are shorter than a window. Each worker has a set of its
// own. The sets are merged after the pass, so the result depends neither on the number
// of workers nor on the distribution of the work.

// phraseBytes is the memory that a phrase takes during a build: for its row, its
// beginnings, and the unused room of the maps.
const phraseBytes = 160

// seenMost is the number of phrases in a record up to which the map of seen phrases is
// cleared and used again.
const seenMost = 1 << 10

// phraseBuilder builds the sections PHRASES and START.
type phraseBuilder struct {
	b          *builder
	subjects   []corpus.Subject
	digest     string   // SHA-256 of the list of subjects, in hex
	datasets   []uint64 // by source: number of its dataset
	count      uint64   // of datasets
	collectors []*phraseCollector
	held       atomic.Int64 // number of rows and shares in the sets of all workers
	limit      int64
}

// newPhraseBuilder reads the list of subjects if the options name one.
func newPhraseBuilder(b *builder) (p *phraseBuilder, err error) {
	p = &phraseBuilder{b: b, limit: b.o.Memory / 4 / phraseBytes, subjects: b.o.People}
	if b.o.Subjects == "" {
		return p, nil
	}
	if p.subjects, p.digest, err = corpus.ReadSubjects(b.o.Subjects); err != nil {
		return nil, err
	}
	if len(p.subjects) > format.MaxSubjects {
		return nil, fmt.Errorf("subjects %s: the list has %d subjects, but an index has room for %d: split the list", b.o.Subjects, len(p.subjects), format.MaxSubjects)
	}
	return p, nil
}

func (p *phraseBuilder) collector(at *placer) *phraseCollector {
	if p.datasets == nil {
		p.datasets, p.count = datasetNumbers(p.b.sources, p.b.o.Dataset)
	}
	n := &phraseCollector{to: p, at: at, set: newPhraseSet(p.b.o.Key), seen: map[uint64]struct{}{}, blocks: map[blockPhrase]struct{}{}}
	n.spell.scan = ngram.NewScanner(p.b.spec.Suite)
	n.finder = p.finder()
	p.collectors = append(p.collectors, n)
	return n
}

// finder returns a finder of the identifiers that the options ask for, nil for none.
func (p *phraseBuilder) finder() *identify.Finder {
	switch {
	case !p.b.o.NoIdentifiers:
		return identify.New(p.b.o.Patterns)
	case len(p.b.o.Patterns) > 0:
		return identify.NewPatterns(p.b.o.Patterns)
	default:
		return nil
	}
}

// any reports whether there is any phrase.
func (p *phraseBuilder) any() bool { return p.held.Load() > 0 || len(p.subjects) > 0 }

// finish merges the sets of the workers and writes the sections.
func (p *phraseBuilder) finish(to *plan) error {
	all := newPhraseSet(p.b.o.Key)
	blocks := map[blockPhrase]struct{}{}
	for _, n := range p.collectors {
		for finger, row := range n.set.rows {
			row.place = n.settle(row.place)
			all.put(finger, row)
		}
		for k, place := range n.set.shares {
			all.share(k, n.settle(place))
		}
		for k := range n.set.starts {
			all.starts[k] = struct{}{}
		}
		for k := range n.blocks {
			blocks[k] = struct{}{}
		}
		n.set = newPhraseSet(nil)
	}
	for k := range blocks {
		row := all.rows[k.finger]
		row.records = format.AddRecords(row.records, 1)
		all.rows[k.finger] = row
	}
	all.subjects = subjectNames(p.subjects, p.b.o.Labels)
	if !p.b.o.NoLedger {
		all.datasets = p.count
	}
	p.addSubjects(all)
	var err error
	p.b.counts.Rows, err = all.write(to)
	for _, n := range p.collectors {
		p.b.counts.Records += n.only
	}
	return err
}

// settle turns a stored position plus 1 into a place. 0 remains 0.
func (n *phraseCollector) settle(noted ngram.Place) ngram.Place {
	if noted == 0 {
		return 0
	}
	return n.at.place(uint64(noted - 1))
}

// blockPhrase is a phrase in a long text that is read in blocks. The whole text counts
// as one record.
type blockPhrase struct {
	finger uint64
	source int
}

// A phraseCollector collects the phrases in the texts of one worker.
type phraseCollector struct {
	to     *phraseBuilder
	at     *placer
	finder *identify.Finder // nil: identifiers are not looked for
	spell  speller
	set    *phraseSet
	seen   map[uint64]struct{} // phrases of the current record
	blocks map[blockPhrase]struct{}
	rows   *rowCollector // nil: there is no inventory
	only   uint64        // number of records without an indexed window, but with a phrase

	part    recordPart
	indexed bool // a window of the current record is indexed
	found   []identify.Match
	start   uint64   // position of the first word of the segment
	words   int      // number of words in the segment so far
	first   []uint64 // hashes of its first words
	begins  []int64  // offsets of its newest words, as far back as the finder may still return matches
}

func (n *phraseCollector) beginRecord(r recordPart) {
	n.part, n.indexed = r, false
	if len(n.seen) > seenMost {
		n.seen = map[uint64]struct{}{} // clearing a large map would cost as much for every record
	}
	clear(n.seen)
}

func (n *phraseCollector) beginSegment() {
	if n.finder != nil {
		n.finder.Reset()
	}
	n.start, n.words = n.at.pos, 0
	n.first, n.begins = n.first[:0], n.begins[:0]
}

func (n *phraseCollector) add(text []byte, words []ngram.Word) error {
	n.words += len(words)
	if n.to.b.o.MinPhrase > 0 && n.words <= gram.MaxPhraseWords {
		for _, w := range words {
			n.first = append(n.first, w.Hash)
		}
	}
	if n.finder == nil {
		return nil
	}
	for _, w := range words {
		n.begins = append(n.begins, w.Span.Lo)
	}
	n.found = n.finder.Append(n.found[:0], text)
	err := n.enterFound()
	if from := n.finder.Frontier(); len(n.begins) > 0 && n.begins[0] < from {
		k, _ := slices.BinarySearch(n.begins, from)
		n.begins = append(n.begins[:0], n.begins[k:]...)
	}
	return err
}

func (n *phraseCollector) endSegment(indexed bool) error {
	n.indexed = n.indexed || indexed
	if n.finder != nil {
		n.found = n.finder.Finish(n.found[:0])
		if err := n.enterFound(); err != nil {
			return err
		}
	}
	least := n.to.b.o.MinPhrase
	if least == 0 || n.inBlocks() || n.words < least || n.words >= n.to.b.spec.N || n.words > gram.MaxPhraseWords {
		return nil
	}
	return n.enter(n.first, phraseRow{kind: format.PlainKind, place: n.position(0), dataset: n.dataset()})
}

func (n *phraseCollector) endRecord() {
	if !n.indexed && len(n.seen) > 0 && !n.inBlocks() {
		n.only++
	}
}

// inBlocks reports whether the record is a long text that is read in blocks.
func (n *phraseCollector) inBlocks() bool { return n.part.block > 0 || !n.part.last }

// enterFound enters all spellings of the identifiers in found.
func (n *phraseCollector) enterFound() error {
	for _, m := range n.found {
		if n.rows != nil {
			n.rows.identifier(m.Kind, m.Text)
		}
		k, _ := slices.BinarySearch(n.begins, m.Lo)
		row := phraseRow{kind: m.Kind, place: n.position(n.words - len(n.begins) + k), dataset: n.dataset()}
		err := n.spell.each(m.Kind, m.Text, func(words []uint64) error {
			return n.enter(words, row)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// position returns the position of word i of the segment plus 1, as settle expects it.
// Without a ledger there are no places, and it returns 0.
func (n *phraseCollector) position(i int) ngram.Place {
	if n.to.b.o.NoLedger {
		return 0
	}
	return ngram.Place(n.start+uint64(i)) + 1
}

// dataset returns the number of the record's dataset, counted from 1.
func (n *phraseCollector) dataset() uint32 { return uint32(n.to.datasets[n.part.source] + 1) }

// enter adds a phrase to the set, once for each record.
func (n *phraseCollector) enter(words []uint64, row phraseRow) error {
	finger := n.set.begin(words)
	if _, again := n.seen[finger]; again {
		return nil
	}
	n.seen[finger] = struct{}{}
	n.at.want()
	if n.inBlocks() {
		n.blocks[blockPhrase{finger, n.part.source}] = struct{}{}
	} else {
		row.records = 1
	}
	before := n.set.size()
	n.set.put(finger, row)
	if n.to.held.Add(int64(n.set.size()-before)) > n.to.limit {
		return fmt.Errorf("the inputs have more than %d spellings of identifiers and short texts: allow more --memory, or index fewer of them with --no-identifiers or a higher --min-phrase", n.to.limit)
	}
	return nil
}

// A speller turns identifiers into the word hashes of their spellings. Not safe for
// concurrent use.
type speller struct {
	scan  *ngram.Scanner
	words []ngram.Word
	hash  []uint64
}

// scanned returns the word hashes of a text in the middle of a line. They are valid
// until the next call.
func (s *speller) scanned(text string) []uint64 {
	s.scan.Reset()
	s.words = s.scan.Append(s.words[:0], []byte(":"))
	s.words = s.scan.Finish(s.scan.Append(s.words, []byte(text)))
	s.hash = s.hash[:0]
	for _, w := range s.words {
		s.hash = append(s.hash, w.Hash)
	}
	return s.hash
}

// each calls f with the words of each spelling of an identifier. A spelling with more
// words than a phrase may have becomes several phrases.
func (s *speller) each(kind, text string, f func(words []uint64) error) error {
	for _, spelling := range identify.Spellings(kind, text) {
		if err := eachPhrase(s.scanned(spelling), f); err != nil {
			return err
		}
	}
	return nil
}

// eachPhrase calls f with the words if there are at most gram.MaxPhraseWords of them.
// Otherwise it calls f with pieces of that many words; the last piece may overlap the
// one before.
func eachPhrase(words []uint64, f func(words []uint64) error) error {
	for len(words) > gram.MaxPhraseWords {
		if err := f(words[:gram.MaxPhraseWords]); err != nil {
			return err
		}
		words = words[min(gram.MaxPhraseWords, len(words)-gram.MaxPhraseWords):]
	}
	if len(words) == 0 {
		return nil
	}
	return f(words)
}

// addSubjects adds the attributes of the data subjects.
func (p *phraseBuilder) addSubjects(all *phraseSet) {
	s := speller{scan: ngram.NewScanner(p.b.spec.Suite)}
	for i, subject := range p.subjects {
		for _, a := range subject.Attributes {
			row := phraseRow{kind: format.SubjectKind, subject: uint32(i + 1)}
			enter := func(words []uint64) error {
				all.put(all.begin(words), row)
				return nil
			}
			kind, text, ok := identify.Whole(a.Value)
			if !ok && a.Phone() {
				kind, text, ok = identify.Phone, a.Value, true
			}
			if ok {
				row.kind = kind
				_ = s.each(kind, text, enter) // enter returns no error
				continue
			}
			words := s.scanned(a.Value)
			row.weak = a.Weak(len(words))
			_ = eachPhrase(words, enter)
			if a.Name() && len(words) > 1 && len(words) <= gram.MaxPhraseWords {
				last := len(words) - 1
				_ = enter(append([]uint64{words[last]}, words[:last]...)) // the name as "Doe, Jo"
				if a.Inverted() {
					_ = enter(append(slices.Clone(words[1:]), words[0])) // the list has it as "Doe, Jo"
				}
			}
		}
	}
}
