package main

import (
	"maps"
	"slices"

	"noecho/index"
	"noecho/ngram"
	"noecho/proxy"
	"noecho/proxy/alert"
)

// answer gives the proxy the names of records and data subjects.
func answer(out *proxy.Indexes, set *index.Joined) {
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

// labelsOf returns the labels of an index's records and data subjects, each once.
func labelsOf(ix *index.Index) []string {
	found := map[string]struct{}{}
	for _, d := range ix.Manifest().Datasets {
		for _, l := range d.Labels {
			found[l] = struct{}{}
		}
	}
	for n := uint64(1); ; n++ {
		_, labels, ok := ix.Subject(n)
		if !ok {
			return slices.Sorted(maps.Keys(found))
		}
		for _, l := range labels {
			found[l] = struct{}{}
		}
	}
}

// notNil returns an empty list for none: an alert says [].
func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
