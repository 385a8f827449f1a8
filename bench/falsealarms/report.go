package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"noecho/detect"
	"noecho/index"
	"noecho/ngram"
)

// report is everything that was measured.
type report struct {
	Go      string      `json:"go"`
	CPUs    int         `json:"cpus"`
	Train   corpusSize  `json:"train"`
	Index   indexFigure `json:"index"`
	HeldOut corpusSize  `json:"held_out"`

	Findings    int         `json:"findings"`
	Quotations  []quotation `json:"-"`
	Quoted      int         `json:"quotations"`
	QuotedWords int         `json:"quotation_words"`
	Otherwise   int         `json:"spelled_otherwise"` // quotations that are not to the letter
	FalseAlarms []quotation `json:"false_alarms"`
	Missed      []quotation `json:"missed"`
	Beside      besides     `json:"beside"`
	Uneven      int         `json:"uneven"` // documents whose findings depend on how they were cut
	Adaptive    holdback    `json:"adaptive"`
	Strict      holdback    `json:"strict"`

	train []document
}

// corpusSize is how much there was.
type corpusSize struct {
	Documents int   `json:"documents"`
	Bytes     int64 `json:"bytes"`
	Words     int   `json:"words"`
	Windows   int   `json:"windows"`
}

// indexFigure says what the index was.
type indexFigure struct {
	Bytes        uint64  `json:"bytes"`
	Distinct     uint64  `json:"distinct_windows"`
	BuildSeconds float64 `json:"build_seconds"`
	OpenSeconds  float64 `json:"open_seconds"`
}

func (f *indexFigure) read(i index.Info) { f.Bytes, f.Distinct = i.Bytes, i.Distinct }

// quotation is held-out text that stands in the training text, or was said to.
type quotation struct {
	HeldOut string `json:"held_out"` // file:line
	Train   string `json:"train"`    // file:line; empty: nowhere
	Sources int    `json:"sources"`  // training documents that its windows were first seen in
	Words   int    `json:"words"`
	Windows int    `json:"windows"`
	Digest  string `json:"digest"`        // of its first window
	Letter  bool   `json:"to_the_letter"` // spelled the same, by a second opinion
	text    string
}

// holdback is what is kept back while a clean answer is being read.
type holdback struct {
	Words    quantity `json:"words"`
	Messages quantity `json:"messages"`
}

// quantity is a distribution of small whole numbers.
type quantity struct{ counts []int64 }

func (q *quantity) add(v int) {
	for len(q.counts) <= v {
		q.counts = append(q.counts, 0)
	}
	q.counts[v]++
}

func (q *quantity) total() (n int64) {
	for _, c := range q.counts {
		n += c
	}
	return n
}

func (q *quantity) mean() float64 {
	sum := 0.0
	for v, c := range q.counts {
		sum += float64(v) * float64(c)
	}
	return sum / max(1, float64(q.total()))
}

// quantile returns the smallest value that a share of all values does not
// exceed.
func (q *quantity) quantile(share float64) int {
	below := int64(0)
	for v, c := range q.counts {
		if below += c; float64(below) >= share*float64(q.total()) {
			return v
		}
	}
	return 0
}

// from is the share of values that are v or more.
func (q *quantity) from(v int) float64 {
	n := int64(0)
	for _, c := range q.counts[min(v, len(q.counts)):] {
		n += c
	}
	return float64(n) / max(1, float64(q.total()))
}

// MarshalJSON writes the figures that are read.
func (q *quantity) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"count": q.total(), "mean": q.mean(), "p50": q.quantile(.5), "p99": q.quantile(.99),
		"max": max(0, len(q.counts)-1), "nine_or_more": q.from(9),
	})
}

func newReport(train []document) *report {
	r := &report{Go: runtime.Version(), CPUs: runtime.NumCPU(), train: train, FalseAlarms: []quotation{}, Missed: []quotation{}}
	r.Train.Documents = len(train)
	for _, d := range train {
		r.Train.Bytes += d.size
	}
	return r
}

// judge compares the findings of a document with what the oracle knows.
func (r *report) judge(exact *oracle, doc int, d document, data []byte, words []ngram.Word, found []*detect.Finding) {
	r.Findings += len(found)
	base := exact.docs[doc][0]
	truth := exact.stretches(doc)
	describe := func(first, last int) quotation {
		span := ngram.Span{Lo: words[first].Span.Lo, Hi: words[last].Span.Hi}
		line := 1 + bytes.Count(data[:span.Lo], []byte{'\n'})
		return quotation{
			HeldOut: fmt.Sprintf("%s:%d", d.name, line), Words: last - first + 1,
			text: string(data[span.Lo:span.Hi]),
		}
	}
	for _, f := range found {
		first, _ := slices.BinarySearchFunc(words, f.Span.Lo, func(w ngram.Word, lo int64) int { return cmp.Compare(w.Span.Lo, lo) })
		last := first
		for last+1 < len(words) && words[last+1].Span.Hi <= f.Span.Hi {
			last++
		}
		q := describe(min(first, len(words)-1), min(last, len(words)-1))
		q.Windows = f.Windows
		if len(f.Digests) > 0 {
			q.Digest = fmt.Sprintf("%016x", f.Digests[0])
		}
		s := stretch{first: base + first, last: base + last}
		i := slices.Index(truth, s)
		if f.Kind != detect.Verbatim || i < 0 {
			r.FalseAlarms = append(r.FalseAlarms, q)
			continue
		}
		truth = slices.Delete(truth, i, i+1)
		r.source(exact, s, &q)
		r.Quotations = append(r.Quotations, q)
		r.Quoted++
		r.QuotedWords += q.Words
		if !q.Letter {
			r.Otherwise++
		}
	}
	for _, s := range truth {
		q := describe(s.first-base, s.last-base)
		r.source(exact, s, &q)
		r.Missed = append(r.Missed, q)
	}
}

// source says where a stretch stands in the training text.
func (r *report) source(exact *oracle, s stretch, q *quotation) {
	docs := map[int32]bool{}
	q.Letter = true
	for i := s.first; i+exact.spec.N-1 <= s.last; i++ {
		p, ok := exact.known(i)
		if !ok {
			continue
		}
		if len(docs) == 0 {
			q.Train = fmt.Sprintf("%s:%d", r.train[p.doc-1].name, p.line)
		}
		docs[p.doc] = true
		q.Letter = q.Letter && exact.toTheLetter(i)
	}
	q.Sources = len(docs)
}

// clean reports whether detector and oracle agree.
func (r *report) clean() bool {
	return len(r.FalseAlarms) == 0 && len(r.Missed) == 0 && r.Uneven == 0
}

// print writes the report, and the list of quotations where it was asked for.
func (r *report) print(w io.Writer, o *options) error {
	if o.quotations != "" {
		if err := r.writeQuotations(o.quotations); err != nil {
			return err
		}
	}
	if o.asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s, %d processors\n", r.Go, r.CPUs)
	fmt.Fprintf(b, "indexed   %d documents, %d bytes; %d distinct windows, index %d bytes, built in %.1f s, opened in %.2f s\n",
		r.Train.Documents, r.Train.Bytes, r.Index.Distinct, r.Index.Bytes, r.Index.BuildSeconds, r.Index.OpenSeconds)
	fmt.Fprintf(b, "held out  %d documents, %d bytes, %d words, %d windows\n", r.HeldOut.Documents, r.HeldOut.Bytes, r.HeldOut.Words, r.HeldOut.Windows)
	fmt.Fprintf(b, "findings  %d: %d real quotations (%d words; %d spelled otherwise), %d false alarms; %d missed; %d documents judged by how they were cut\n",
		r.Findings, r.Quoted, r.QuotedWords, r.Otherwise, len(r.FalseAlarms), len(r.Missed), r.Uneven)
	list := func(title string, all []quotation) {
		for _, q := range all {
			fmt.Fprintf(b, "%s  %s  train %s  %d words  %d windows  %s\n", title, q.HeldOut, cmp.Or(q.Train, "-"), q.Words, q.Windows, q.Digest)
			if o.showText {
				fmt.Fprintf(b, "    %q\n", q.text)
			}
		}
	}
	list("false alarm", r.FalseAlarms)
	list("missed", r.Missed)
	if o.full || o.near {
		r.Beside.print(b, o.showText)
	}
	if o.quotations == "" {
		list("quotation", r.Quotations)
	}
	fmt.Fprintf(b, "%-28s %8s %4s %4s %5s\n", "held behind each message", "mean", "p50", "p99", "max")
	row := func(title string, q *quantity) {
		fmt.Fprintf(b, "%-28s %8.2f %4d %4d %5d\n", title, q.mean(), q.quantile(.5), q.quantile(.99), max(0, len(q.counts)-1))
	}
	row("adaptive: words", &r.Adaptive.Words)
	row("adaptive: messages", &r.Adaptive.Messages)
	row("strict: words", &r.Strict.Words)
	row("strict: messages", &r.Strict.Messages)
	fmt.Fprintf(b, "nine or more words held: adaptive %.2f %%, strict %.2f %% of %d messages\n",
		100*r.Adaptive.Words.from(9), 100*r.Strict.Words.from(9), r.Adaptive.Words.total())
	return b.Flush()
}

// writeQuotations writes the list of real quotations: places, lengths and
// digests, no text.
func (r *report) writeQuotations(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := bufio.NewWriter(f)
	fmt.Fprintln(b, "held_out\ttrain\tsources\twords\twindows\tdigest\tspelling")
	for _, q := range r.Quotations {
		spelling := "same"
		if !q.Letter {
			spelling = "other"
		}
		fmt.Fprintf(b, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", q.HeldOut, q.Train, q.Sources, q.Words, q.Windows, q.Digest, spelling)
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Close()
}
