package policy

import (
	"slices"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/alert"
)

// maxRecords bounds the records that are named for one finding.
const maxRecords = 8

// Records are the look-ups that lead from findings to the records and data subjects
// of the corpus. Those that no index answers are nil. Safe for concurrent use if the
// functions are.
type Records struct {
	Record  func(ngram.Place) (alert.Record, bool)   // the record at a place of the corpus
	Length  func(ngram.Place) int                    // words that this record takes; 0: not known
	Subject func(number uint64) (alert.Record, bool) // a data subject
	Labels  []string                                 // every label that a record may have
}

// Of names the records that a finding occurs in, the likeliest first, each once and
// at most 8. The list is never nil: an alert says [] where no record is known.
func (r *Records) Of(f *detect.Finding) []alert.Record {
	out := []alert.Record{}
	add := func(r alert.Record, ok bool) {
		same := func(o alert.Record) bool { return o.ID == r.ID && o.Dataset == r.Dataset }
		if ok && len(out) < maxRecords && !slices.ContainsFunc(out, same) {
			out = append(out, r)
		}
	}
	if p := f.Phrase; p != nil {
		if p.Subject != 0 && r.Subject != nil {
			add(r.Subject(p.Subject))
		}
		if p.Place != 0 && r.Record != nil {
			add(r.Record(p.Place))
		}
	}
	if r.Record != nil {
		for _, at := range f.Places {
			add(r.Record(at))
		}
	}
	return out
}

// lastRecords remembers the records of the finding that was looked up last: a
// finding is judged again with each word that it grows by.
type lastRecords struct {
	places []ngram.Place
	phrase ngram.Phrase
	found  []alert.Record // nil: nothing was looked up
}

// of returns the same as [Records.Of]. It allocates only for a finding with other places
// than the one before.
func (l *lastRecords) of(f *detect.Finding, in *Records) []alert.Record {
	var phrase ngram.Phrase
	if f.Phrase != nil {
		phrase = *f.Phrase
	}
	if l.found == nil || phrase != l.phrase || !slices.Equal(f.Places, l.places) {
		l.found = in.Of(f)
		l.places, l.phrase = append(l.places[:0], f.Places...), phrase
	}
	return l.found
}
