package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// column is a measure at one size.
type column struct {
	measure string
	size    float64 // or each, or all
}

// Sizes of a wanted column that stand for a column for each size, and for one column of all sizes.
const (
	each = 0
	all  = -1
)

// tables are the tables of bench/RESULTS.md. Each has a row for every subject that has a figure in it.
var tables = [][]column{
	{{"bytes in one piece, µs", 1250}, {"events at once, µs", 300}, {"streams, µs an event", 1000}, {"streams, KiB each", 1000}},
	{{"a word, ns", each}},
	{{"processor, s", all}, {"time, s", all}, {"memory, MiB", all}},
}

// printTables prints the medians of a file of figures in Markdown.
func printTables(w io.Writer, file string) error {
	figures, err := readFigures(file)
	if err != nil {
		return err
	}
	for _, wanted := range tables {
		var columns []column
		var subjects []string
		cells := map[string]map[column]float64{}
		for _, c := range wanted {
			for _, f := range figures {
				at := column{f.measure, f.size}
				if c.size == all {
					at.size = all
				}
				if f.measure != c.measure || c.size > 0 && f.size != c.size {
					continue
				}
				if !slices.Contains(columns, at) {
					columns = append(columns, at)
				}
				if cells[f.subject] == nil {
					cells[f.subject] = map[column]float64{}
					subjects = append(subjects, f.subject)
				}
				cells[f.subject][at] = f.median
			}
		}
		if len(columns) == 0 {
			continue
		}
		head, line := "| ", "|---|"
		for _, c := range columns {
			head += "| " + c.measure
			if c.size > 0 {
				head += fmt.Sprintf(", %g", c.size)
			}
			head += " "
			line += "---:|"
		}
		fmt.Fprintf(w, "%s|\n%s\n", head, line)
		for _, s := range subjects {
			fmt.Fprintf(w, "| %s |%s\n", s, strings.Join(row(columns, cells[s]), ""))
		}
		fmt.Fprintln(w)
	}
	return nil
}

// row returns the cells of a subject. A figure that was not measured leaves its cell empty.
func row(columns []column, cells map[column]float64) (out []string) {
	for _, c := range columns {
		if v, ok := cells[c]; ok {
			out = append(out, fmt.Sprintf(" %.*f |", digits(v), v))
		} else {
			out = append(out, " |")
		}
	}
	return out
}

// digits is the number of digits behind the point of a figure with three digits.
func digits(v float64) int {
	switch {
	case v < 10:
		return 2
	case v < 100:
		return 1
	}
	return 0
}
