package eval

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"noecho/detect"
	"noecho/index/corpus"
	"noecho/ngram"
)

// Document is one file of plain text.
type Document struct {
	Name  string // for the report
	Input corpus.Input
}

// FalseAlarmOptions says which documents to read with which index.
type FalseAlarmOptions struct {
	Set      detect.Index
	Spec     ngram.Spec
	Detect   detect.Config
	Train    []Document // that the index was built from
	HeldOut  []Document // that the index has not seen
	MaxWords int        // ends the reading of HeldOut, which bounds memory
	Record   func(p ngram.Place) string
}

// FalseAlarmReport says how often the detector was wrong about text that is not in the
// index, and how much of it the detector held back.
type FalseAlarmReport struct {
	Train   TextSize `json:"train"`
	HeldOut TextSize `json:"held_out"`

	Findings    int           `json:"findings"`
	Quotations  []Quotation   `json:"-"`
	Quoted      int           `json:"quotations"`
	QuotedWords int           `json:"quotation_words"`
	Otherwise   int           `json:"spelled_otherwise"` // quotations with other letters than the training text
	FalseAlarms []Quotation   `json:"false_alarms"`
	Missed      []Quotation   `json:"missed"`
	Others      OtherFindings `json:"beside"`
	Uneven      int           `json:"uneven"` // documents in which findings depend on the pieces that the text came in
	Adaptive    Holdback      `json:"adaptive"`
	Strict      Holdback      `json:"strict"`
}

// TextSize is an amount of text. Of training text words and windows are not counted.
type TextSize struct {
	Documents int   `json:"documents"`
	Bytes     int64 `json:"bytes"`
	Words     int   `json:"words"`
	Windows   int   `json:"windows"`
}

// Quotation is held-out text that is in the training text, or that a finding reports as
// such.
type Quotation struct {
	HeldOut string `json:"held_out"` // file:line
	Train   string `json:"train"`    // file:line; empty: nowhere
	Sources int    `json:"sources"`  // training documents that its windows were first seen in
	Words   int    `json:"words"`
	Windows int    `json:"windows"`
	Digest  string `json:"digest"`        // of its first window
	Letter  bool   `json:"to_the_letter"` // spelled the same, by the letters that the oracle keeps
	Text    string `json:"-"`
}

// OtherFindings are near matches, phrases, and findings in lanes (decoded or rewritten
// readings of the text). The oracle cannot judge them: each is listed for a person.
type OtherFindings struct {
	Findings int            `json:"findings"`
	Words    int            `json:"words"`
	List     []OtherFinding `json:"list"`
}

// OtherFinding is one of them.
type OtherFinding struct {
	HeldOut string `json:"held_out"` // file:line
	Kind    string `json:"kind"`
	Lane    string `json:"lane"`
	Words   int    `json:"words"`
	Seeds   int    `json:"windows"` // of a near match: its seeds
	Record  string `json:"record"`  // of the training text; empty: not known
	Text    string `json:"-"`
}

// Holdback is the amount of text that waits in the detector behind each message of a
// clean answer.
type Holdback struct {
	Words    Distribution `json:"words"`
	Messages Distribution `json:"messages"`
}

// Distribution counts small whole numbers.
type Distribution struct{ counts []int64 }

func (d *Distribution) add(v int) {
	for len(d.counts) <= v {
		d.counts = append(d.counts, 0)
	}
	d.counts[v]++
}

// Total returns how many numbers were counted.
func (d *Distribution) Total() (n int64) {
	for _, c := range d.counts {
		n += c
	}
	return n
}

// Mean returns the mean, 0 of nothing.
func (d *Distribution) Mean() float64 {
	sum := 0.0
	for v, c := range d.counts {
		sum += float64(v) * float64(c)
	}
	return sum / max(1, float64(d.Total()))
}

// Max returns the largest number, 0 of nothing.
func (d *Distribution) Max() int { return max(0, len(d.counts)-1) }

// Quantile returns the smallest number that a share of all numbers does not exceed.
func (d *Distribution) Quantile(share float64) int {
	below := int64(0)
	for v, c := range d.counts {
		if below += c; float64(below) >= share*float64(d.Total()) {
			return v
		}
	}
	return 0
}

// From returns the share of numbers that are v or more.
func (d *Distribution) From(v int) float64 {
	n := int64(0)
	for _, c := range d.counts[min(v, len(d.counts)):] {
		n += c
	}
	return float64(n) / max(1, float64(d.Total()))
}

// MarshalJSON implements [json.Marshaler].
func (d *Distribution) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"count": d.Total(), "mean": d.Mean(), "p50": d.Quantile(.5), "p99": d.Quantile(.99),
		"max": d.Max(), "nine_or_more": d.From(9),
	})
}

// Clean reports whether detector and oracle agree.
func (r *FalseAlarmReport) Clean() bool {
	return len(r.FalseAlarms) == 0 && len(r.Missed) == 0 && r.Uneven == 0
}

// falseAlarmRun is one measurement.
type falseAlarmRun struct {
	o      FalseAlarmOptions
	oracle *oracle
	reader *reader
	scan   *ngram.Scanner
	some   []ngram.Word
	ends   []int64    // where each message ends
	doc    wholeTexts // the document that is being read
	FalseAlarmReport
}

// MeasureFalseAlarms reads every held-out document through the detector and judges the
// findings by an oracle, which has nothing in common with the index except the rule
// that defines words.
func MeasureFalseAlarms(ctx context.Context, o FalseAlarmOptions) (*FalseAlarmReport, error) {
	r := &falseAlarmRun{
		o: o, oracle: newOracle(o.Spec), scan: ngram.NewScanner(o.Spec.Suite),
		reader: newReader(&Options{Set: o.Set, Spec: o.Spec, Detect: o.Detect}),
		doc:    wholeTexts{scan: ngram.NewScanner(o.Spec.Suite)},
	}
	r.FalseAlarms, r.Missed = []Quotation{}, []Quotation{}
	held := o.HeldOut
	for i := range held {
		if err := r.load(ctx, &held[i]); err != nil {
			return nil, err
		}
		if r.oracle.add(r.doc.text, r.doc.words); len(r.oracle.weights) > o.MaxWords {
			held = held[:i+1]
			break
		}
	}
	if len(r.oracle.held.text) > math.MaxUint32 {
		return nil, errors.New("the held-out text is too long: read fewer words")
	}
	for i := range o.Train {
		if err := r.load(ctx, &o.Train[i]); err != nil {
			return nil, err
		}
		r.oracle.mark(i, r.doc.text, r.doc.words)
		r.Train.Documents++
		r.Train.Bytes += o.Train[i].Input.Size
	}
	for i := range held {
		if err := r.load(ctx, &held[i]); err != nil {
			return nil, err
		}
		r.read(i)
	}
	return &r.FalseAlarmReport, nil
}

// load reads a document into r.doc.
func (r *falseAlarmRun) load(ctx context.Context, d *Document) error {
	_, err := readTexts(ctx, []corpus.Input{d.Input}, &r.doc, new(Progress))
	return err
}

// read reads a held-out document whole, which gives the findings, and message by
// message under both release policies, which measures the words that are held back and
// must give the same findings. Under both policies the verbatim findings of the plain
// text must be the same; a finding in a lane may begin elsewhere.
func (r *falseAlarmRun) read(doc int) {
	text, words := r.doc.text, r.doc.words
	r.HeldOut.Documents++
	r.HeldOut.Bytes += int64(len(text))
	r.HeldOut.Words += len(words)
	r.HeldOut.Windows += max(0, len(words)-r.o.Spec.N+1)
	found := r.reader.whole(text, detect.Adaptive)
	for _, policy := range []struct {
		release detect.Release
		held    *Holdback
	}{{detect.Adaptive, &r.Adaptive}, {detect.Strict, &r.Strict}} {
		whole := r.reader.whole(text, policy.release)
		if !sameFindings(verbatim(found), verbatim(whole)) || !sameFindings(whole, r.messages(policy.release, whole, policy.held)) {
			r.Uneven++
		}
	}
	r.judge(doc, found)
}

// messages reads the document one token a message: 4 and 5 bytes in turn, moved to the
// end of a code point. Words and messages that are held back are counted behind every
// message that is not part of a finding: a message that is part of one is withheld, not
// held back.
func (r *falseAlarmRun) messages(release detect.Release, found []*detect.Finding, held *Holdback) []*detect.Finding {
	text, words, d := r.doc.text, r.doc.words, r.reader.start(release)
	r.scan.Reset()
	r.ends = r.ends[:0]
	var complete, free, left int // words read, words that left, messages that left
	for lo := 0; lo < len(text); {
		hi := tokenEnd(text, lo, 4+len(r.ends)%2)
		r.ends = append(r.ends, int64(hi))
		r.reader.segs = d.Append(r.reader.segs[:0], text[lo:hi])
		r.some = r.scan.Append(r.some[:0], text[lo:hi])
		complete += len(r.some)
		frontier := d.Frontier()
		for free < complete && words[free].Span.Hi <= frontier {
			free++
		}
		for left < len(r.ends) && r.ends[left] <= frontier {
			left++
		}
		for len(found) > 0 && found[0].Span.Hi <= int64(lo) {
			found = found[1:]
		}
		if len(found) == 0 || found[0].Span.Lo >= int64(hi) {
			held.Words.add(complete - free)
			held.Messages.add(len(r.ends) - left)
		}
		lo = hi
	}
	r.reader.segs = d.Finish(r.reader.segs[:0])
	return d.Closed(nil)
}

// tokenEnd returns the end of a token of about n bytes that begins at lo.
func tokenEnd(text []byte, lo, n int) int {
	hi := min(lo+n, len(text))
	for hi < len(text) && text[hi]&0xc0 == 0x80 {
		hi++
	}
	return hi
}

// verbatim returns the verbatim findings of the plain text.
func verbatim(found []*detect.Finding) (out []*detect.Finding) {
	for _, f := range found {
		if f.Kind == detect.Verbatim && f.Lane == detect.Plain {
			out = append(out, f)
		}
	}
	return out
}

// sameFindings compares findings without the pieces that the text was cut into.
func sameFindings(a, b []*detect.Finding) bool {
	return slices.EqualFunc(a, b, func(x, y *detect.Finding) bool {
		return x.Kind == y.Kind && x.Lane == y.Lane && x.Span == y.Span && x.Words == y.Words && x.Windows == y.Windows &&
			slices.Equal(x.Digests, y.Digests)
	})
}

// judge compares the findings of a document with the stretches of the oracle.
func (r *falseAlarmRun) judge(doc int, found []*detect.Finding) {
	words, base, truth := r.doc.words, r.oracle.docs[doc][0], r.oracle.stretches(doc)
	for _, f := range found {
		if f.Lane != detect.Plain || f.Kind == detect.Near || f.Kind == detect.Phrase {
			r.other(doc, f)
			continue
		}
		r.Findings++
		first, _ := slices.BinarySearchFunc(words, f.Span.Lo, func(w ngram.Word, lo int64) int { return cmp.Compare(w.Span.Lo, lo) })
		last := first
		for last+1 < len(words) && words[last+1].Span.Hi <= f.Span.Hi {
			last++
		}
		q := r.quotation(doc, min(first, len(words)-1), min(last, len(words)-1))
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
		r.source(s, &q)
		r.Quotations = append(r.Quotations, q)
		r.Quoted++
		r.QuotedWords += q.Words
		if !q.Letter {
			r.Otherwise++
		}
	}
	for _, s := range truth {
		q := r.quotation(doc, s.first-base, s.last-base)
		r.source(s, &q)
		r.Missed = append(r.Missed, q)
	}
}

// other lists a finding that the oracle cannot judge.
func (r *falseAlarmRun) other(doc int, f *detect.Finding) {
	other := OtherFinding{
		HeldOut: r.place(doc, f.Span.Lo), Kind: f.Kind.String(), Lane: f.Lane.String(),
		Words: f.Words, Seeds: f.Windows, Text: string(r.doc.text[f.Span.Lo:f.Span.Hi]),
	}
	if len(f.Places) > 0 {
		other.Record = r.o.Record(f.Places[0])
	}
	r.Others.Findings++
	r.Others.Words += f.Words
	r.Others.List = append(r.Others.List, other)
}

// place returns file and line of a byte of a held-out document.
func (r *falseAlarmRun) place(doc int, at int64) string {
	return fmt.Sprintf("%s:%d", r.o.HeldOut[doc].Name, 1+bytes.Count(r.doc.text[:at], []byte{'\n'}))
}

// quotation describes words of a held-out document.
func (r *falseAlarmRun) quotation(doc, first, last int) Quotation {
	lo, hi := r.doc.words[first].Span.Lo, r.doc.words[last].Span.Hi
	return Quotation{HeldOut: r.place(doc, lo), Words: last - first + 1, Text: string(r.doc.text[lo:hi])}
}

// source sets the place of a stretch in the training text.
func (r *falseAlarmRun) source(s stretch, q *Quotation) {
	docs := map[int32]bool{}
	q.Letter = true
	for i := s.first; i+r.o.Spec.N-1 <= s.last; i++ {
		p, ok := r.oracle.known(i)
		if !ok {
			continue
		}
		if len(docs) == 0 {
			q.Train = fmt.Sprintf("%s:%d", r.o.Train[p.doc-1].Name, p.line)
		}
		docs[p.doc] = true
		q.Letter = q.Letter && r.oracle.toTheLetter(i)
	}
	q.Sources = len(docs)
}
