package main

import (
	"slices"
	"strings"
)

// nearWindow is the number of words in a row that a near match has to share with the
// corpus to count as supported: such runs remain if one word in six is changed.
const nearWindow = 4

// nearShare is the share of the words of a near match, alone or with those around it,
// that has to be supported. If one word in six is changed, runs of five words remain.
const nearShare = 0.6

// nearAround is how many words on either side of a near match are read with it: a near
// match may continue a verbatim finding, which is not part of it, or lead to one.
const nearAround = 12

// OtherFindings counts the findings that are not verbatim runs of the plain text, and
// the records that findings name.
type OtherFindings struct {
	Near        int `json:"near"`         // near matches
	NearWords   int `json:"near_words"`   // words in them that no verbatim finding covers
	NearShared  int `json:"near_shared"`  // of those, words in runs of nearWindow words of the corpus
	NearDoubted int `json:"near_doubted"` // near matches with too few such words
	Other       int `json:"other"`        // findings of other kinds and in other lanes

	Named   int `json:"named"`   // verbatim and near findings that name a record
	Wrong   int `json:"wrong"`   // of them those whose first record does not contain them
	Unnamed int `json:"unnamed"` // findings that name none
}

func (b *OtherFindings) add(o OtherFindings) {
	b.Near += o.Near
	b.NearWords += o.NearWords
	b.NearShared += o.NearShared
	b.NearDoubted += o.NearDoubted
	b.Other += o.Other
	b.Named += o.Named
	b.Wrong += o.Wrong
	b.Unnamed += o.Unnamed
}

// plain reports whether a finding is one that the reference can judge.
func (f *finding) plain() bool {
	return (f.Kind == "" || f.Kind == "verbatim") && (f.Lane == "" || f.Lane == "plain")
}

// near checks how much of a near match the corpus supports.
func (j *judge) near(out *output, f finding, found []finding, c *count) {
	if j.short == nil {
		j.short = newReference(reading{name: "short runs"}, nearWindow, j.books)
	}
	q := j.short.read(out.part(out.around(f)))
	words, shared := 0, 0
	for i, w := range q.words {
		if w.lo < f.Start || w.hi > f.End {
			continue
		}
		if slices.ContainsFunc(found, func(v finding) bool { return v.Start <= w.lo && w.hi <= v.End }) {
			continue
		}
		words++
		if q.in[i] {
			shared++
		}
	}
	c.Near++
	c.NearWords += words
	c.NearShared += shared
	alone := j.short.read(out.part(f))
	if alone.share() < nearShare && q.share() < nearShare {
		c.NearDoubted++
		j.r.Doubted = append(j.r.Doubted, spot{
			File: f.File, Line: f.Line, Start: f.Start, End: f.End, Words: f.Words, Because: "too few words are in the corpus",
		})
	}
}

// named checks the first record that a finding names: the file of the corpus has to
// contain n words in a row of the finding.
func (j *judge) named(out *output, f finding, n int, c *count) {
	if len(f.Records) == 0 {
		c.Unnamed++
		return
	}
	c.Named++
	id := f.Records[0].ID
	i := slices.IndexFunc(j.books, func(b book) bool { return strings.HasSuffix(id, b.name) })
	at := f
	if f.Kind == "near" {
		at = out.around(f)
	}
	if i < 0 || !j.holds(i, n, out.part(at)) {
		c.Wrong++
		j.r.Misnamed = append(j.r.Misnamed, spot{File: f.File, Line: f.Line, Start: f.Start, End: f.End, Words: f.Words, Because: "named " + id})
	}
}

// holds reports whether a file of the corpus contains n words in a row of a text by any
// reading.
func (j *judge) holds(book, n int, text []letter) bool {
	for _, rd := range append([]reading{{name: "reference"}}, looser...) {
		key := bookReference{book, n, rd.name}
		if j.single[key] == nil {
			j.single[key] = newReference(rd, n, j.books[book:book+1])
		}
		if slices.Contains(j.single[key].read(text).in, true) {
			return true
		}
	}
	return false
}

// bookReference is the reference of one file under one reading.
type bookReference struct {
	book, n int
	reading string
}
