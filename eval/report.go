package eval

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"noecho/detect"
)

// Report is everything that was measured. It contains numbers and the names of
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
	LeftOut   int        `json:"left_out"` // passages not drawn: they contain excluded windows
	Verbatim  []Row      `json:"verbatim"`
	Disguises []Row      `json:"disguises"`
	Outputs   *Outputs   `json:"outputs,omitempty"`
}

// ReportName is the first member of a report as JSON.
const ReportName = "noecho eval"

// Row is the figures of one disguise. Words are words of the passages, not of the
// filler.
type Row struct {
	Name          string  `json:"name"`
	Group         string  `json:"group"`
	Floor         float64 `json:"floor"`          // share of the passages that has to be found; 0: not covered
	FloorWithheld float64 `json:"floor_withheld"` // share of the words that has to be withheld; 0: none
	Passages      int     `json:"passages"`       // read
	Found         int     `json:"found"`          // passages with a withheld range
	Words         int     `json:"words"`          // words of the passages that the disguise keeps
	Withheld      int     `json:"withheld"`       // of these, with every byte
	Released      int     `json:"released"`       // in runs of n words and more: see reader.passage

	ControlWords int `json:"control_words"` // of filler, in the same disguise
	FalseAlarms  int `json:"false_alarms"`  // ranges that were withheld of filler

	ControlWakes Wakes `json:"control_wakes"` // in filler, in the same disguise
}

// Wakes is how often each lane woke, by its number. As JSON it has the names of those that
// did.
type Wakes [len(detect.LaneMemory{}.Wakes)]int64

// MarshalJSON implements json.Marshaler.
func (w Wakes) MarshalJSON() ([]byte, error) {
	named := map[string]int64{}
	for lane, n := range w {
		if n > 0 {
			named[detect.Lane(lane).String()] = n
		}
	}
	return json.Marshal(named)
}

// share returns part of whole, 0 if whole is 0.
func share(part, whole int) float64 { return float64(part) / float64(max(1, whole)) }

// FoundShare is the share of the passages that were found.
func (r *Row) FoundShare() float64 { return share(r.Found, r.Passages) }

// WithheldShare is the share of the words that were withheld.
func (r *Row) WithheldShare() float64 { return share(r.Withheld, r.Words) }

// Covered reports whether detection promises anything for the disguise.
func (r *Row) Covered() bool { return r.Floor > 0 }

// Broken returns the reason why the row fails, empty if it does not. A row fails if
// fewer passages are found, or fewer words withheld, than its floors say. A false alarm
// fails any row.
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

// Verdict says in words whether the row passes.
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

// Broken lists the failures of the report, a sentence each.
func (r *Report) Broken() []string {
	var all []string
	for row := range r.rows {
		if b := row.Broken(); b != "" {
			all = append(all, fmt.Sprintf("%s: %s: %d of %d passages found, %s of the words withheld, %s",
				row.Name, b, row.Found, row.Passages, percent(row.Withheld, row.Words), countOf(row.FalseAlarms, "false alarm")))
		}
	}
	if r.Corpus.Unscanned > 0 {
		all = append(all, fmt.Sprintf("corpus: %s with text that is not read, such as %s", countOf(r.Corpus.Unscanned, "file"), r.Corpus.unread))
	}
	if o := r.Outputs; o != nil && o.Unscanned > 0 {
		all = append(all, fmt.Sprintf("outputs: %s with text that is not read, such as %s", countOf(o.Unscanned, "file"), o.unread))
	}
	if o := r.Outputs; o != nil && (o.Withheld < o.Quoted || o.Beyond > 0) {
		all = append(all, fmt.Sprintf("outputs: %d of %d quoted words were not withheld, %d words were withheld that are not quoted",
			o.Quoted-o.Withheld, o.Quoted, o.Beyond))
	}
	return all
}

// rows yields every row, in order.
func (r *Report) rows(yield func(row *Row) bool) {
	for _, rows := range [][]Row{r.Verbatim, r.Disguises} {
		for i := range rows {
			if !yield(&rows[i]) {
				return
			}
		}
	}
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// percent prints a share. Only 0 is printed as 0 % and only the whole as 100 %.
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

// countOf writes a number with a noun.
func countOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// grouped prints a number with a comma between thousands.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// MarkdownHead begins every report in Markdown.
const MarkdownHead = "<!-- noecho eval -->\n"

// WriteText writes the report as tables for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%s\n\n", wrap(r.summary()))
	head := []string{"found", "withheld", r.runsHead(), "alarms", ""}
	textRow(b, "", head)
	r.eachRow(func(group string) {
		fmt.Fprintln(b, group)
	}, func(row *Row) {
		textRow(b, "  "+row.Name, row.cells())
	})
	fmt.Fprintf(b, "\n%s\n", wrap(r.legend()))
	if r.Outputs != nil {
		fmt.Fprintf(b, "\n%s\n", wrap(r.outputsLine()))
	}
	return b.Flush()
}

// wrap breaks a paragraph into lines for a terminal.
func wrap(s string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Split(s, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > 80:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

// textRow prints one row in columns.
func textRow(w io.Writer, name string, cells []string) {
	line := fmt.Sprintf("%-32s%7s%10s%25s%8s  %s", name, cells[0], cells[1], cells[2], cells[3], cells[4])
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// WriteMarkdown writes the report as a table in Markdown, with the command that
// made it.
func (r *Report) WriteMarkdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, MarkdownHead)
	if r.Command != "" {
		fmt.Fprintf(b, "\n`%s`\n", r.Command)
	}
	fmt.Fprintf(b, "\n%s\n\n", r.summary())
	fmt.Fprintf(b, "| | found | withheld | %s | alarms | |\n|---|---:|---:|---:|---:|---|\n", r.runsHead())
	r.eachRow(func(group string) {
		fmt.Fprintf(b, "| **%s** | | | | | |\n", group)
	}, func(row *Row) {
		fmt.Fprintf(b, "| %s | %s |\n", strings.ReplaceAll(row.Name, `\`, `\\`), strings.Join(row.cells(), " | "))
	})
	fmt.Fprintf(b, "\n%s\n", r.legend())
	if r.Outputs != nil {
		fmt.Fprintf(b, "\n%s\n", r.outputsLine())
	}
	return b.Flush()
}

// cells are the columns behind the name.
func (r *Row) cells() []string {
	return []string{
		percent(r.Found, r.Passages), percent(r.Withheld, r.Words), percent(r.Released, r.Words),
		fmt.Sprint(r.FalseAlarms), r.Verdict(),
	}
}

// eachRow calls f with every row, and head before the first one of a group.
func (r *Report) eachRow(head func(group string), f func(row *Row)) {
	group := ""
	for row := range r.rows {
		if row.Group != group {
			group = row.Group
			head(group)
		}
		f(row)
	}
}

func (r *Report) runsHead() string { return fmt.Sprintf("released in runs ≥ %d", r.N) }

// summary describes the measurement.
func (r *Report) summary() string {
	passages, words, alarms := 0, 0, 0
	for _, row := range r.Disguises {
		passages = max(passages, row.Passages)
	}
	for row := range r.rows {
		words += row.ControlWords
		alarms += row.FalseAlarms
	}
	s := fmt.Sprintf("%s of %d words, each in %d disguises, from %s texts of %s words in %s; windows of %d words, seed %d. "+
		"%s in %s words of filler.",
		countOf(passages, "passage"), r.Words, len(r.Disguises), grouped(r.Corpus.Texts), grouped(r.Corpus.Words), countOf(r.Corpus.Files, "file"), r.N, r.Seed, countOf(alarms, "false alarm"), grouped(words))
	switch n := r.LeftOut; n {
	case 0:
	case 1:
		s += " 1 passage was not drawn: it contains windows that the index leaves out."
	default:
		s += fmt.Sprintf(" %d passages were not drawn: they contain windows that the index leaves out.", n)
	}
	return s
}

// legend explains the columns.
func (r *Report) legend() string {
	return fmt.Sprintf("Found: passages of which a part was withheld. Withheld: words of the passages that were withheld, of those that the disguise keeps. "+
		"Released: words that a reader who undoes the disguise gets, %d or more in a row. Alarms: ranges of invented text that were withheld. "+
		"Not covered: noecho promises nothing.", r.N)
}

// outputsLine describes the figures of stored answers.
func (r *Report) outputsLine() string {
	o := r.Outputs
	return fmt.Sprintf("Outputs: %s words in %s; %s are in the corpus in runs of %d and more, the longest of %s; %s of them withheld; %s other words withheld as near matches, %s in other lanes, %s otherwise.",
		grouped(o.Words), countOf(o.Files, "file"), grouped(o.Quoted), r.N, grouped(o.Longest), percent(o.Withheld, o.Quoted), grouped(o.Near), grouped(o.Lanes), grouped(o.Beyond))
}
