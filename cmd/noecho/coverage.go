package main

import (
	"fmt"
	"io"

	"noecho/index"
	"noecho/internal/coverage"
)

// tables returns the coverage of the datasets that have one.
func tables(m *index.Manifest) (all []coverage.Named) {
	for _, d := range m.Datasets {
		if d.Coverage != nil {
			all = append(all, coverage.Named{Name: d.Name, Table: d.Coverage})
		}
	}
	return all
}

// maxCovered bounds the datasets whose coverage is printed.
const maxCovered = 20

// printCoverage says for each dataset which text was read.
func printCoverage(w io.Writer, prefix string, tables []coverage.Named) {
	for i, d := range tables {
		if i == maxCovered {
			fmt.Fprintf(w, "%sand %s more\n", prefix, count(len(tables)-i, "dataset"))
			return
		}
		for j, line := range d.Table.Lines(humanBytes) {
			if j > 0 {
				line = "  " + line
			} else {
				line = d.Name + ": " + line
			}
			fmt.Fprintln(w, prefix+line)
		}
	}
}
