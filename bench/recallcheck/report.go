package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// because counts the words that one looser reading explains.
type because struct {
	Reading  string `json:"reading"`
	Findings int    `json:"findings"`
	Words    int    `json:"words"`
}

// report is everything that was counted.
type report struct {
	Books  int       `json:"corpus_files"`
	Groups []count   `json:"groups"`
	Total  count     `json:"total"`
	Beyond []because `json:"beyond"`

	FalseAlarms int    `json:"false_alarms"`
	FalseWords  int    `json:"false_words"`
	False       []spot `json:"false,omitempty"`
	Missed      []spot `json:"missed,omitempty"`       // by the reference in which punctuation ends a word
	GluedMissed []spot `json:"glued_missed,omitempty"` // by the reference in which punctuation is taken out of words
	List        []spot `json:"list,omitempty"`         // every verbatim finding
	Doubted     []spot `json:"doubted,omitempty"`      // near matches with few words of the corpus
	Misnamed    []spot `json:"misnamed,omitempty"`     // findings whose first record does not contain them
}

func newReport(books []book) *report {
	r := &report{Books: len(books), Total: count{Group: "all"}}
	for _, rd := range looser {
		r.Beyond = append(r.Beyond, because{Reading: rd.name})
	}
	return r
}

// add adds the counts of an output to its group.
func (r *report) add(c count) {
	i, ok := slices.BinarySearchFunc(r.Groups, c.Group, func(g count, name string) int { return strings.Compare(g.Group, name) })
	if !ok {
		r.Groups = slices.Insert(r.Groups, i, count{Group: c.Group})
	}
	r.Groups[i].add(c)
	r.Total.add(c)
}

// print writes the report, as JSON or as tables that Markdown understands.
func (r *report) print(w io.Writer, o *options) error {
	if o.asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "| outputs of | outputs | words | reference | missed | longest run | findings | words found | beyond | glued reference | missed |")
	fmt.Fprintln(b, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, c := range append(slices.Clone(r.Groups), r.Total) {
		fmt.Fprintf(b, "| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d |\n", c.Group, c.Outputs, c.Words,
			c.Reference, c.Missed, c.Longest, c.Findings, c.Found, c.Beyond, c.Glued, c.GluedMissed)
	}
	fmt.Fprintln(b, "\n| words beyond the reference, by the rule that explains them | findings | words |")
	fmt.Fprintln(b, "|---|---:|---:|")
	for _, e := range r.Beyond {
		fmt.Fprintf(b, "| %s | %d | %d |\n", e.Reading, e.Findings, e.Words)
	}
	fmt.Fprintf(b, "| nothing: false alarms | %d | %d |\n", r.FalseAlarms, r.FalseWords)
	r.printOthers(b)
	spots(b, "missed", r.Missed)
	spots(b, "false alarm", r.False)
	spots(b, "misnamed", r.Misnamed)
	spots(b, "doubted near match", r.Doubted)
	if o.list {
		spots(b, "missed by the glued reference", r.GluedMissed)
		spots(b, "finding", r.List)
	}
	return b.Flush()
}

// printOthers prints the findings that are not verbatim runs, and whether the right
// record was named.
func (r *report) printOthers(w io.Writer) {
	fmt.Fprintf(w, "\n| outputs of | near matches | words beside verbatim | of them in runs of %d | doubted | named | wrong | unnamed | other findings |\n", nearWindow)
	fmt.Fprintln(w, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, c := range append(slices.Clone(r.Groups), r.Total) {
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", c.Group, c.Near, c.NearWords, c.NearShared, c.NearDoubted,
			c.Named, c.Wrong, c.Unnamed, c.Other)
	}
}

// spots lists places, a line each.
func spots(w io.Writer, title string, all []spot) {
	for _, s := range all {
		fmt.Fprintf(w, "%s: %s:%d, bytes %d to %d, %d words", title, s.File, s.Line, s.Start, s.End, s.Words)
		if s.Corpus != "" {
			fmt.Fprintf(w, ", corpus %s, %s", s.Corpus, s.Because)
		}
		fmt.Fprintln(w)
	}
}

// rightlyNamed reports whether the first record is right in 99.9 % of the findings
// that name one.
func (r *report) rightlyNamed() bool { return 1000*r.Total.Wrong <= r.Total.Named }
