// Package report draws a document of facts and tables as plain text, HTML that prints well,
// Markdown or CSV, for people who have no terminal.
//
// It knows nothing of what the document is about.
package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"html"
	"io"
	"strings"
	"text/tabwriter"
)

// Document is a report.
type Document struct {
	Title  string
	Facts  []Fact
	Tables []Table  // CSV has the first one alone
	Notes  []string // sentences at the end
}

// Fact is a named value, or a paragraph if it has no name.
type Fact struct{ Name, Value string }

// Table is a table with a line of column names.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string // as long as Columns
	Empty   string     // is shown if there are no rows
}

// Formats are the names of the formats, for people.
const Formats = "table, csv, html, md"

// Write writes the document in the format of that name.
func (d *Document) Write(w io.Writer, format string) error {
	var b bytes.Buffer
	switch format {
	case "table":
		d.text(&b)
	case "csv":
		if err := d.csv(&b); err != nil {
			return err
		}
	case "html":
		d.html(&b)
	case "md":
		d.markdown(&b)
	default:
		return fmt.Errorf("format %q is not known: use one of %s", format, Formats)
	}
	_, err := b.WriteTo(w)
	return err
}

func (d *Document) text(b *bytes.Buffer) {
	fmt.Fprintln(b, d.Title)
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, f := range d.Facts {
		if f.Name == "" {
			fmt.Fprintln(t, f.Value)
		} else {
			fmt.Fprintf(t, "%s\t%s\n", f.Name, f.Value)
		}
	}
	_ = t.Flush() // a buffer takes everything
	for _, table := range d.Tables {
		fmt.Fprintf(b, "\n%s\n", table.Title)
		if len(table.Rows) == 0 {
			fmt.Fprintln(b, table.Empty)
			continue
		}
		t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		for _, row := range append([][]string{table.Columns}, table.Rows...) {
			fmt.Fprintln(t, strings.Join(clean(row), "\t"))
		}
		_ = t.Flush()
	}
	if len(d.Notes) > 0 {
		fmt.Fprintln(b)
	}
	for _, n := range d.Notes {
		fmt.Fprintln(b, n)
	}
}

// clean replaces control characters, which would change the picture of a terminal.
func clean(row []string) []string {
	out := make([]string, 0, len(row))
	for _, cell := range row {
		out = append(out, strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				return '\uFFFD'
			}
			return r
		}, cell))
	}
	return out
}

// csv writes the first table. A cell that a spreadsheet would take for a formula begins with
// an apostrophe.
func (d *Document) csv(b *bytes.Buffer) error {
	if len(d.Tables) == 0 {
		return nil
	}
	w := csv.NewWriter(b)
	if err := w.Write(d.Tables[0].Columns); err != nil {
		return err
	}
	for _, row := range d.Tables[0].Rows {
		cells := make([]string, 0, len(row))
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				cell = "'" + cell
			}
			cells = append(cells, cell)
		}
		if err := w.Write(cells); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// style makes a page that is read on a screen and printed on paper: table heads are repeated
// on each page, no row is cut, and tables of many columns are printed across.
const style = `body{font:11pt/1.45 system-ui,sans-serif;margin:2em auto;max-width:62em;padding:0 1em;color:#111}
h1{font-size:16pt}h2{font-size:12.5pt;margin-top:1.6em}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25em .6em .25em 0;border-bottom:1px solid #bbb;overflow-wrap:anywhere;white-space:pre-wrap}
thead{display:table-header-group}tr{break-inside:avoid}th{font-weight:600;overflow-wrap:normal}
@page{margin:2cm}@page wide{size:landscape;margin:1.5cm}.wide{page:wide}.wide th,.wide td{font-size:8.5pt;min-width:4.5em}@media print{body{font-size:9.5pt;margin:0;max-width:none}}`

// wideColumns is the number of columns that fit on paper of the usual direction.
const wideColumns = 7

func (d *Document) html(b *bytes.Buffer) {
	e := html.EscapeString
	fmt.Fprintf(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<style>\n%s\n</style>\n</head>\n<body>\n<h1>%s</h1>\n", e(d.Title), style, e(d.Title))
	if len(d.Facts) > 0 {
		b.WriteString("<table>\n<tbody>\n")
		for _, f := range d.Facts {
			if f.Name == "" {
				fmt.Fprintf(b, "<tr><td colspan=\"2\">%s</td></tr>\n", e(f.Value))
			} else {
				fmt.Fprintf(b, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n", e(f.Name), e(f.Value))
			}
		}
		b.WriteString("</tbody>\n</table>\n")
	}
	for _, t := range d.Tables {
		fmt.Fprintf(b, "<h2>%s</h2>\n", e(t.Title))
		if len(t.Rows) == 0 {
			fmt.Fprintf(b, "<p>%s</p>\n", e(t.Empty))
			continue
		}
		class := ""
		if len(t.Columns) > wideColumns {
			class = ` class="wide"`
		}
		fmt.Fprintf(b, "<table%s>\n<thead><tr>", class)
		for _, c := range t.Columns {
			fmt.Fprintf(b, "<th scope=\"col\">%s</th>", e(c))
		}
		b.WriteString("</tr></thead>\n<tbody>\n")
		for _, row := range t.Rows {
			b.WriteString("<tr>")
			for _, cell := range row {
				fmt.Fprintf(b, "<td>%s</td>", e(cell))
			}
			b.WriteString("</tr>\n")
		}
		b.WriteString("</tbody>\n</table>\n")
	}
	for _, n := range d.Notes {
		fmt.Fprintf(b, "<p>%s</p>\n", e(n))
	}
	b.WriteString("</body>\n</html>\n")
}

func (d *Document) markdown(b *bytes.Buffer) {
	fmt.Fprintf(b, "# %s\n", plain(d.Title))
	for _, f := range d.Facts {
		if f.Name == "" {
			fmt.Fprintf(b, "\n%s\n", plain(f.Value))
		} else {
			fmt.Fprintf(b, "\n**%s**: %s\n", plain(f.Name), plain(f.Value))
		}
	}
	for _, t := range d.Tables {
		fmt.Fprintf(b, "\n## %s\n\n", plain(t.Title))
		if len(t.Rows) == 0 {
			fmt.Fprintln(b, plain(t.Empty))
			continue
		}
		for i, row := range append([][]string{t.Columns}, t.Rows...) {
			for _, cell := range row {
				fmt.Fprintf(b, "| %s ", plain(cell))
			}
			b.WriteString("|\n")
			if i == 0 {
				b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
			}
		}
	}
	for _, n := range d.Notes {
		fmt.Fprintf(b, "\n%s\n", plain(n))
	}
}

// plain writes a text so that Markdown shows it as it is.
func plain(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < ' ':
			r = ' '
		case strings.ContainsRune("\\`*_[]<>|#&~", r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
