package main

import (
	"noecho/index"
	"noecho/ngram"
	"noecho/proxy"
	"noecho/proxy/alert"
)

// answer gives the proxy the names of records and data subjects.
func answer(out *proxy.Indexes, set *index.Index) {
	out.Record = func(p ngram.Place) (alert.Record, bool) {
		r, ok := set.Record(p)
		return alert.Record{ID: r.ID, Dataset: r.Dataset, Labels: notNil(r.Labels)}, ok
	}
	out.Length = set.RecordWords
	out.Subject = func(n uint64) (alert.Record, bool) {
		id, labels, ok := set.Subject(n)
		return alert.Record{ID: id, Dataset: "subjects", Labels: notNil(labels)}, ok
	}
}

// notNil returns an empty list for none: an alert says [].
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
