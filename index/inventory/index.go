package inventory

import (
	"slices"

	"noecho/index"
	"noecho/index/identify"
	"noecho/ngram"
)

// index searches an index, which names a few records of an identifier or a passage and knows
// how many more there are.
func (a *Answer) index(q *Query, ix *index.Index, name string) {
	f := ix.Files()[0]
	s := Searched{What: "index", Name: name, ID: f.Info.BuildID, Rows: f.Info.Records, Complete: true}
	found := map[string]*Finding{} // by the record
	for _, it := range q.Items {
		seen := indexItem{q: q, s: &s, ix: ix, found: found, number: len(a.Searched)}
		switch it.Kind {
		case TextKind:
			seen.passage(it)
		case NameKind, AttributeKind:
			seen.words(it)
		default:
			seen.identifier(it)
		}
	}
	for _, f := range found {
		a.Findings = append(a.Findings, *f)
	}
	a.Searched = append(a.Searched, s)
}

// indexItem searches an index for one item.
type indexItem struct {
	q      *Query
	s      *Searched
	ix     *index.Index
	found  map[string]*Finding
	number int // of the search
}

// gramOf returns the hash of a phrase.
func gramOf(words []uint64) ngram.Hash {
	prefix := uint64(0)
	for _, w := range words {
		prefix = ngram.Roll(prefix, w)
	}
	return ngram.Gram(0, prefix, len(words))
}

// identifier looks for the spellings of an identifier.
func (x *indexItem) identifier(it Item) {
	scan := ngram.NewScanner(suite())
	parameters := x.ix.Files()[0].Manifest.Parameters
	most, named := uint64(0), map[string]bool{}
	for _, spelling := range identify.Spellings(it.Kind, it.Text) {
		words := hashes(scan, spelling)
		if len(words) == 0 || len(words) > MostWords {
			continue
		}
		p, ok := x.ix.Phrase(gramOf(words))
		if !ok {
			continue
		}
		most = max(most, uint64(p.Records))
		subjects, records := x.ix.Owners(p)
		for _, r := range slices.Concat(subjects, records) {
			named[r.Dataset+"\x00"+r.ID] = true
			x.add(r, Match{Kind: p.Kind, By: "index", Count: 1, Sure: true})
		}
	}
	switch {
	case most > 0:
		x.s.because("an index names the first record of an identifier in each dataset, and knows of at least %d: search an inventory or the training files", most)
	case parameters.NoIdentifiers && slices.Contains(identify.Kinds(), it.Kind):
		x.s.because("the index was built without identifiers")
	case !it.usual:
		x.s.because("a value that is asked for does not have the form of the kind %s that a build recognises", it.Kind)
	case !slices.Contains(identify.Kinds(), it.Kind) && !hasPattern(parameters.Patterns, it.Kind):
		x.s.because("the index was built without a pattern for the kind %s", it.Kind)
	}
}

// hasPattern reports whether one of the patterns, NAME=REGEX, has a name.
func hasPattern(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return len(p) > len(name) && p[:len(name)+1] == name+"=" })
}

// words looks for a name or an attribute that a list of people had.
func (x *indexItem) words(it Item) {
	x.s.because("an index does not know which records contain a %s: search an inventory or the training files", it.Kind)
	words := hashes(ngram.NewScanner(suite()), it.Text)
	for _, order := range Orders(it.Kind, words[:min(len(words), MostWords)]) {
		if p, ok := x.ix.Phrase(gramOf(order)); ok {
			subjects, _ := x.ix.Owners(p)
			for _, r := range subjects {
				x.add(r, Match{Kind: it.Kind, By: "index", Count: 1})
			}
		}
	}
}

// passage looks for the windows of a text.
func (x *indexItem) passage(it Item) {
	n := x.ix.Spec().N
	words := hashes(ngram.NewScanner(suite()), it.Text)
	if len(words) < n {
		x.s.because("an index finds passages of at least %d words: search the training files", n)
		return
	}
	known := false
	for at := range words[:len(words)-n+1] {
		window := words[at : at+n]
		if !x.ix.Window(gramOf(window)) {
			continue
		}
		known = true
		for k := range window[:n-min(n, seedWords)+1] {
			if k+seedWords > n {
				break
			}
			for _, place := range x.ix.Seeds(nil, gramOf(window[k:k+seedWords])) {
				if r, ok := x.ix.Record(place); ok {
					x.add(r, Match{Kind: TextKind, By: "index", Count: 1})
				}
			}
		}
	}
	if known {
		x.s.because("an index names at most 16 records of five words in a row: search the training files")
	}
	p := x.ix.Files()[0].Manifest
	if !known && len(p.Exclusions) > 0 {
		x.s.because("the index leaves out common text")
	}
}

// seedWords is the number of words that an index has places of.
const seedWords = 5

// add adds a match in a record, once.
func (x *indexItem) add(r index.Record, m Match) {
	key := r.Dataset + "\x00" + r.ID
	f := x.found[key]
	if f == nil {
		f = &Finding{Record: r.ID, Dataset: r.Dataset, Labels: append([]string{}, r.Labels...), Others: []KindN{}, Flags: []string{}, Models: []string{}, source: x.number}
		if model := x.ix.Files()[0].Manifest.Model; model != "" {
			f.Models = append(f.Models, model)
		}
		x.found[key] = f
	}
	if slices.ContainsFunc(f.Matched, func(o Match) bool { return o.Kind == m.Kind }) {
		return
	}
	f.Matched = append(f.Matched, m)
	f.Sure = f.Sure || m.Sure
}
