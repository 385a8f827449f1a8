package eval

import (
	"encoding/json"
	"fmt"
	"io"
)

// Report is everything that was measured. It holds numbers and the names of
// disguises, no text.
type Report struct {
	Report  string   `json:"report"` // ReportName
	V       int      `json:"v"`      // 1
	Noecho  string   `json:"noecho"` // version of the program; set by the caller
	Command string   `json:"command"`
	Indexes []string `json:"indexes"` // build ids; set by the caller

	N         int        `json:"n"` // words in a window
	Seed      uint64     `json:"seed"`
	Corpus    CorpusSize `json:"corpus"`
	Words     int        `json:"words"`    // in a passage that is disguised
	LeftOut   int        `json:"left_out"` // passages not drawn: they hold excluded windows
	Verbatim  []Row      `json:"verbatim"`
	Disguises []Row      `json:"disguises"`
	Outputs   *Outputs   `json:"outputs,omitempty"`
}

// ReportName is the first member of a report as JSON.
const ReportName = "noecho eval"

func (m *measurement) report() *Report {
	r := &Report{
		Report: ReportName, V: 1, N: m.o.Spec.N, Seed: m.o.Seed, Corpus: m.size, Words: m.o.Words,
		LeftOut: m.left, Verbatim: m.verbatim, Disguises: m.disguised,
	}
	if m.outputs != nil {
		r.Outputs = &m.outputs.figures
	}
	return r
}

// share returns part of whole, 0 of nothing.
func share(part, whole int) float64 { return float64(part) / float64(max(1, whole)) }

// FoundShare is the share of the passages that were found.
func (r *Row) FoundShare() float64 { return share(r.Found, r.Passages) }

// WithheldShare is the share of the words that were withheld.
func (r *Row) WithheldShare() float64 { return share(r.Withheld, r.Words) }

// ReleasedShare is the share of the words that were released in long runs.
func (r *Row) ReleasedShare() float64 { return share(r.Released, r.Words) }

// Covered reports whether detection promises something of the disguise.
func (r *Row) Covered() bool { return r.Floor > 0 }

// Broken returns what is wrong with the row, empty if nothing is. Its floors
// hold for the passages found and for their words withheld. A false alarm is wrong
// in any row.
func (r *Row) Broken() string {
	switch {
	case r.FalseAlarms > 0:
		return "false alarm"
	case !r.Covered() || r.Passages == 0:
		return ""
	case r.FoundShare() < r.Floor || r.WithheldShare() < r.FloorWithheld:
		return "below " + percent(int(r.Floor*1000), 1000)
	default:
		return ""
	}
}

// Verdict says in words how the row stands.
func (r *Row) Verdict() string {
	switch broken := r.Broken(); {
	case broken != "":
		return broken
	case r.Passages == 0:
		return "no such passage"
	case r.Covered():
		return "holds"
	default:
		return "not covered"
	}
}

// Broken lists what does not hold although it should, a sentence each.
func (r *Report) Broken() []string {
	var all []string
	for _, rows := range [][]Row{r.Verbatim, r.Disguises} {
		for i := range rows {
			row := &rows[i]
			if b := row.Broken(); b != "" {
				all = append(all, fmt.Sprintf("%s: %s: %d of %d passages found, %s of the words withheld, %d false alarms",
					row.Name, b, row.Found, row.Passages, percent(row.Withheld, row.Words), row.FalseAlarms))
			}
		}
	}
	if o := r.Outputs; o != nil && (o.Withheld < o.Quoted || o.Beyond > 0) {
		all = append(all, fmt.Sprintf("outputs: %d of %d quoted words were not withheld, %d words were withheld that are not quoted",
			o.Quoted-o.Withheld, o.Quoted, o.Beyond))
	}
	return all
}

// controls returns how much filler was read and how often it gave an alarm.
func (r *Report) controls() (words, alarms int) {
	for _, rows := range [][]Row{r.Verbatim, r.Disguises} {
		for i := range rows {
			words += rows[i].ControlWords
			alarms += rows[i].FalseAlarms
		}
	}
	return words, alarms
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// percent prints a share. Only nothing is 0 % and only all is 100 %.
func percent(part, whole int) string {
	switch {
	case whole == 0:
		return "–"
	case part == 0:
		return "0 %"
	case part == whole:
		return "100 %"
	default:
		return fmt.Sprintf("%.1f %%", min(max(100*share(part, whole), 0.1), 99.9))
	}
}

// grouped prints a number with a comma between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
