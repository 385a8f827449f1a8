package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
)

// measureLoad measures processor time and memory, and prints and stores the medians.
func measureLoad(ctx context.Context, r *rig, o *options, stdout io.Writer) error {
	var out report
	measure := load
	if o.streams > 0 {
		measure = streams
	}
	if err := measure(ctx, r, o, &out); err != nil {
		return err
	}
	if o.tsv != "" {
		if err := out.appendTo(o.tsv); err != nil {
			return err
		}
	}
	return out.print(stdout, fmt.Sprintf("medians of %d", o.rounds))
}

// report collects the figures of all rounds.
type report struct {
	columns []column // in the order of their first figure
	rows    []row
}

// column is a measure of something of a size that the caller chose.
type column struct {
	name string
	size int
}

// row has the figures of one proxy.
type row struct {
	name    string
	figures map[column][]float64 // one a round
}

// add adds a figure of one round.
func (t *report) add(name string, c column, figure float64) {
	if !slices.Contains(t.columns, c) {
		t.columns = append(t.columns, c)
	}
	at := slices.IndexFunc(t.rows, func(r row) bool { return r.name == name })
	if at < 0 {
		at = len(t.rows)
		t.rows = append(t.rows, row{name: name, figures: map[column][]float64{}})
	}
	t.rows[at].figures[c] = append(t.rows[at].figures[c], figure)
}

// print prints the medians as a table under a title.
func (t *report) print(out io.Writer, title string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, title, "\t")
	for _, c := range t.columns {
		fmt.Fprintf(w, "%d %s\t", c.size, c.name)
	}
	fmt.Fprintln(w)
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t", r.name)
		for _, c := range t.columns {
			if v := r.figures[c]; len(v) > 0 {
				fmt.Fprintf(w, "%.1f\t", median(v))
			} else {
				fmt.Fprint(w, "-\t")
			}
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// appendTo appends the medians to a file of tab-separated values: proxy, measure, its
// size, the lowest figure of the rounds, the median, and the highest.
func (t *report) appendTo(file string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for _, r := range t.rows {
		for _, c := range t.columns {
			v := r.figures[c]
			if len(v) == 0 {
				continue
			}
			_, err = fmt.Fprintf(f, "%s\t%s\t%d\t%.2f\t%.2f\t%.2f\n", r.name, c.name, c.size, slices.Min(v), median(v), slices.Max(v))
			if err != nil {
				_ = f.Close()
				return err
			}
		}
	}
	return f.Close()
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
