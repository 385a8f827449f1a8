package eval

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

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
	line := pad(name, -32)
	for i, c := range cells {
		if i == len(cells)-1 {
			line += "  " + c
		} else {
			line += pad(c, []int{7, 10, 25, 8}[i])
		}
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// pad fills a cell with spaces, on the right if the width is negative.
func pad(s string, width int) string {
	n := utf8.RuneCountInString(s)
	if width < 0 {
		return s + strings.Repeat(" ", max(0, -width-n))
	}
	return strings.Repeat(" ", max(0, width-n)) + s
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
	for _, rows := range [][]Row{r.Verbatim, r.Disguises} {
		for i := range rows {
			if rows[i].Group != group {
				group = rows[i].Group
				head(group)
			}
			f(&rows[i])
		}
	}
}

func (r *Report) runsHead() string { return fmt.Sprintf("released in runs ≥ %d", r.N) }

// summary says what was measured.
func (r *Report) summary() string {
	passages := 0
	for _, row := range r.Disguises {
		passages = max(passages, row.Passages)
	}
	words, alarms := r.controls()
	s := fmt.Sprintf("%d passages of %d words, each in %d disguises, from %s texts of %s words in %d files; windows of %d words, seed %d. "+
		"%d false alarms in %s words of filler.",
		passages, r.Words, len(r.Disguises), grouped(r.Corpus.Texts), grouped(r.Corpus.Words), r.Corpus.Files, r.N, r.Seed, alarms, grouped(words))
	if r.LeftOut > 0 {
		s += fmt.Sprintf(" %d passages were not drawn: they hold windows that the index leaves out.", r.LeftOut)
	}
	return s
}

// legend explains the columns.
func (r *Report) legend() string {
	return fmt.Sprintf("Found: passages of which something was withheld. Withheld: words of the passages that were, as far as the disguise keeps them. "+
		"Released: words that whoever undoes the disguise gets, %d or more in a row. Alarms: ranges withheld of invented text. "+
		"Not covered: nothing is promised.", r.N)
}

// outputsLine says what stored answers held.
func (r *Report) outputsLine() string {
	o := r.Outputs
	return fmt.Sprintf("Outputs: %s words in %d files; %s stand in the corpus in runs of %d and more, the longest of %s; %s of them withheld; %s other words withheld as near matches, %s in other lanes, %s otherwise.",
		grouped(o.Words), o.Files, grouped(o.Quoted), r.N, grouped(o.Longest), percent(o.Withheld, o.Quoted), grouped(o.Near), grouped(o.Lanes), grouped(o.Beyond))
}
