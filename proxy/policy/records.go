package policy

import (
	"slices"
	"strings"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/alert"
)

// maxRecords bounds the records that an alert names for one finding.
const maxRecords = 8

// Records are the look-ups that lead from findings to the records and data subjects
// of the corpus. Those that no index answers are nil. Safe for concurrent use if the
// functions are.
type Records struct {
	Record func(ngram.Place) (alert.Record, bool) // the record at a place of the corpus
	Length func(ngram.Place) int                  // words that this record takes; 0: not known
	Owners func(ngram.Phrase) []alert.Record      // the data subjects of a phrase, and a record of each dataset that has it
	Labels []string                               // every label that a record may have
}

// Of names the records that a finding occurs in, the likeliest first, each once: at most 8,
// and behind them one of each further dataset or set of labels, so that every rule sees a
// record that it is about. The list is never nil: an alert says [] where no record is known.
func (r *Records) Of(f *detect.Finding) []alert.Record {
	l := recordList{out: []alert.Record{}}
	if p := f.Phrase; p != nil {
		if r.Owners != nil {
			for _, owner := range r.Owners(*p) {
				l.add(owner, true)
			}
		}
		if p.Place != 0 && r.Record != nil {
			l.add(r.Record(p.Place))
		}
	}
	if r.Record != nil {
		for _, at := range f.Places {
			l.add(r.Record(at))
		}
	}
	return l.out
}

// Count returns how many records are known to have the text of a finding; 16 means 16 or more,
// because an index remembers no more places of the same words.
func (r *Records) Count(f *detect.Finding) int {
	seen := map[[2]string]struct{}{}
	if r.Record != nil {
		for _, at := range f.Places {
			if record, ok := r.Record(at); ok {
				seen[[2]string{record.Dataset, record.ID}] = struct{}{}
			}
		}
	}
	n := len(seen)
	if f.Phrase != nil {
		n = max(n, int(min(f.Phrase.Records, alert.MaxRecords)))
	}
	return min(n, alert.MaxRecords)
}

// recordList collects records.
type recordList struct {
	out   []alert.Record
	kinds map[string]struct{} // the datasets and labels in it, once it has maxRecords records
}

func (l *recordList) add(r alert.Record, ok bool) {
	kind := func(r *alert.Record) string { return r.Dataset + "\x00" + strings.Join(r.Labels, "\x00") }
	switch {
	case !ok:
		return
	case len(l.out) < maxRecords:
		same := func(o alert.Record) bool { return o.ID == r.ID && kind(&o) == kind(&r) }
		if slices.ContainsFunc(l.out, same) {
			return
		}
	default:
		if l.kinds == nil {
			l.kinds = map[string]struct{}{}
			for i := range l.out {
				l.kinds[kind(&l.out[i])] = struct{}{}
			}
		}
		if _, known := l.kinds[kind(&r)]; known {
			return
		}
		l.kinds[kind(&r)] = struct{}{}
	}
	l.out = append(l.out, r)
}

// lastRecords remembers the records of the finding that was looked up last, as a finding is
// judged again with each word that it grows by, and those of the phrases before it: many
// subjects may have one phrase.
type lastRecords struct {
	places  []ngram.Place
	phrase  ngram.Phrase
	found   []alert.Record // nil: nothing was looked up
	phrases map[ngram.Phrase][]alert.Record
}

// maxPhrases bounds the phrases whose records are remembered.
const maxPhrases = 64

// of returns the same as [Records.Of]. It allocates only for a finding with other places
// than the one before.
func (l *lastRecords) of(f *detect.Finding, in *Records) []alert.Record {
	var phrase ngram.Phrase
	if f.Phrase != nil {
		phrase = *f.Phrase
	}
	if l.found != nil && phrase == l.phrase && slices.Equal(f.Places, l.places) {
		return l.found
	}
	known := false
	if l.found, known = l.phrases[phrase]; !known || f.Phrase == nil {
		l.found = in.Of(f)
	}
	l.places, l.phrase = append(l.places[:0], f.Places...), phrase
	if f.Phrase != nil && !known {
		if l.phrases == nil || len(l.phrases) == maxPhrases {
			l.phrases = map[ngram.Phrase][]alert.Record{}
		}
		l.phrases[phrase] = l.found
	}
	return l.found
}
