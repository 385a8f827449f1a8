package main

import (
	"fmt"
	"io"
)

// count is a row of the table: the counts of one group of outputs.
type count struct {
	Group   string `json:"group"`
	Outputs int    `json:"outputs"`
	Words   int    `json:"words"`

	Reference int `json:"reference"` // words in runs of the corpus; punctuation ends a word
	Missed    int `json:"missed"`    // of them in no finding
	Longest   int `json:"longest"`   // words of the longest run

	Glued       int `json:"glued"` // the same, with punctuation taken out of words
	GluedMissed int `json:"glued_missed"`

	Findings int `json:"findings"`
	Found    int `json:"found"`  // words in findings
	Beyond   int `json:"beyond"` // of them not in the reference

	OtherFindings
}

func (c *count) add(o count) {
	c.Outputs += o.Outputs
	c.Words += o.Words
	c.Reference += o.Reference
	c.Missed += o.Missed
	c.Longest = max(c.Longest, o.Longest)
	c.Glued += o.Glued
	c.GluedMissed += o.GluedMissed
	c.Findings += o.Findings
	c.Found += o.Found
	c.Beyond += o.Beyond
	c.OtherFindings.add(o.OtherFindings)
}

// spot is a place in an output, without its text.
type spot struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Start   int    `json:"start"`
	End     int    `json:"end"`
	Words   int    `json:"words"`
	Corpus  string `json:"corpus"`  // file and line; empty: nowhere
	Because string `json:"because"` // name of the reading by which it is a quotation
}

// judge compares findings with references.
type judge struct {
	o        *options
	books    []book
	apart    *reference
	glued    *reference
	looser   []*reference // these and the following ones are made when they are needed
	short    *reference
	single   map[bookReference]*reference
	findings map[string][]finding
	r        *report
}

// judgeAll does everything: read, refer, compare.
func judgeAll(o *options, stdin io.Reader) (*report, error) {
	findings, err := readFindings(o.findings, stdin)
	if err != nil {
		return nil, err
	}
	books, err := readBooks(o.corpus)
	if err != nil {
		return nil, err
	}
	j := &judge{
		o: o, books: books, findings: findings, looser: make([]*reference, len(looser)),
		single: map[bookReference]*reference{},
		apart:  newReference(reading{name: "reference"}, o.n, books),
		glued:  newReference(reading{name: "reference", punct: glued}, o.n, books),
		r:      newReport(books),
	}
	if err := eachOutput(o, j.output); err != nil {
		return nil, err
	}
	for file, left := range j.findings {
		if len(left) > 0 {
			return nil, fmt.Errorf("%d findings in %s are in none of the --outputs: name the files as they were scanned, and the same --field", len(left), file)
		}
	}
	return j.r, nil
}

// take returns the findings of an output, in order.
func (j *judge) take(out *output) []finding {
	all := j.findings[out.file]
	n := 0
	for n < len(all) && all[n].Start >= out.lo && all[n].End <= out.hi {
		n++
	}
	j.findings[out.file] = all[n:]
	return all[:n]
}

// output judges one output.
func (j *judge) output(out *output) error {
	all := j.take(out)
	var found []finding
	for _, f := range all {
		if f.plain() {
			found = append(found, f)
		}
	}
	q, g := j.apart.read(out.text), j.glued.read(out.text)
	c := count{Group: out.group, Outputs: 1, Words: len(q.words), Findings: len(found), Longest: q.longest()}
	c.Reference, c.Missed = j.compare(out, q, found, &j.r.Missed)
	c.Glued, c.GluedMissed = j.compare(out, g, found, &j.r.GluedMissed)
	for _, f := range found {
		j.finding(out, q, f, &c)
	}
	for _, f := range all {
		switch {
		case f.plain():
			j.named(out, f, j.o.n, &c)
		case f.Kind == "near":
			j.near(out, f, found, &c)
			j.named(out, f, nearWindow, &c)
		default:
			c.Other++
		}
	}
	j.r.add(c)
	return nil
}

// compare counts the words of a reference, and those that no finding covers.
func (j *judge) compare(out *output, q *quoted, found []finding, list *[]spot) (words, missed int) {
	at := 0
	for i, w := range q.words {
		if !q.in[i] {
			continue
		}
		words++
		for at < len(found) && found[at].End < w.hi {
			at++
		}
		if at < len(found) && found[at].Start <= w.lo {
			continue
		}
		missed++
		if n := len(*list); n > 0 && i > 0 && (*list)[n-1].File == out.file && (*list)[n-1].End == q.words[i-1].hi {
			(*list)[n-1].End = w.hi
			(*list)[n-1].Words++
			continue
		}
		*list = append(*list, spot{File: out.file, Line: out.lineAt(w.lo), Start: w.lo, End: w.hi, Words: 1})
	}
	return words, missed
}

// finding judges one finding.
func (j *judge) finding(out *output, q *quoted, f finding, c *count) {
	s := spot{File: f.File, Line: f.Line, Start: f.Start, End: f.End, Words: f.Words, Because: j.apart.reading.name}
	s.Corpus = j.source(q, f)
	var beyond []word
	for i, w := range q.words {
		if w.lo >= f.Start && w.hi <= f.End {
			c.Found++
			if !q.in[i] {
				beyond = append(beyond, w)
			}
		}
	}
	c.Beyond += len(beyond)
	if len(beyond) > 0 || s.Corpus == "" {
		j.explain(out, f, beyond, &s)
	}
	if j.o.list {
		j.r.List = append(j.r.List, s)
	}
}

// source returns the place in the corpus of the first window of a finding.
func (j *judge) source(q *quoted, f finding) string {
	for _, w := range q.words {
		if p, ok := q.where[w.lo]; ok && w.lo >= f.Start && w.lo < f.End {
			b := &j.books[p.book]
			return fmt.Sprintf("%s:%d", b.name, b.line(p.lo))
		}
	}
	return ""
}

// explain looks for readings by which the corpus contains the words of a finding that
// are not in the reference.
func (j *judge) explain(out *output, f finding, beyond []word, s *spot) {
	for i := range looser {
		if len(beyond) == 0 && s.Corpus != "" {
			return
		}
		if j.looser[i] == nil {
			j.looser[i] = newReference(looser[i], j.o.n, j.books)
		}
		q := j.looser[i].read(out.part(f))
		// The reference may read a word where this reading has none, such as the n of
		// an escape: the word is within the run all the same.
		runs, left := q.runs(), beyond[:0]
		for _, w := range beyond {
			for len(runs) > 0 && runs[0][1] <= w.lo {
				runs = runs[1:]
			}
			if len(runs) > 0 && runs[0][0] < w.hi {
				j.r.Beyond[i].Words++
				s.Because = looser[i].name
			} else {
				left = append(left, w)
			}
		}
		if len(left) < len(beyond) {
			j.r.Beyond[i].Findings++
		}
		beyond = left
		if s.Corpus == "" {
			s.Corpus = j.source(q, f)
		}
	}
	if len(beyond) > 0 || s.Corpus == "" {
		s.Because = "nothing: a false alarm"
		s.Words = len(beyond)
		j.r.FalseAlarms++
		j.r.FalseWords += len(beyond)
		j.r.False = append(j.r.False, *s)
	}
}
