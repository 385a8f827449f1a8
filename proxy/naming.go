package proxy

import (
	"slices"

	"noecho/detect"
	"noecho/proxy/alert"
)

// maxRecords bounds the records that an alert names.
const maxRecords = 8

// Records names the records that a finding stands in, best first, each once. The
// list is never nil: an alert says [] where nothing is known.
func (x *Indexes) Records(f *detect.Finding) []alert.Record {
	out := []alert.Record{}
	add := func(r alert.Record, ok bool) {
		same := func(o alert.Record) bool { return o.ID == r.ID && o.Dataset == r.Dataset }
		if ok && len(out) < maxRecords && !slices.ContainsFunc(out, same) {
			out = append(out, r)
		}
	}
	if p := f.Phrase; p != nil {
		if p.Subject != 0 && x.Subject != nil {
			add(x.Subject(p.Subject))
		}
		if p.Place != 0 && x.Record != nil {
			add(x.Record(p.Place))
		}
	}
	if x.Record != nil {
		for _, at := range f.Places {
			add(x.Record(at))
		}
	}
	return out
}
