package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// figure is one line of a file of figures: of nine rounds, or so many as were asked for, the lowest, the
// median and the highest.
type figure struct {
	subject, measure     string
	size                 float64
	low, median, highest float64
}

// graph is a plot of one measure over the sizes, a line for each subject.
type graph struct {
	file, title, size, unit string
	measure                 string
	other                   float64 // a size that is measured with another number of callers, and not drawn
}

// graphs are the plots that are drawn if there are figures of three sizes or more.
var graphs = []graph{
	{"answers.svg", "Processor time of an answer in one piece", "bytes of text", "µs", "bytes in one piece, µs", 1250},
	{"events.svg", "Processor time of a stream that comes at once", "events", "µs", "events at once, µs", 300},
	{"streams.svg", "Processor time of an event, 20 a second in each stream", "streams open together", "µs", "streams, µs an event", 0},
	{"memory.svg", "Memory of a stream", "streams open together", "KiB", "streams, KiB each", 0},
	{"scan.svg", "Scanning clean text", "MB of text in the index", "ns a word", "a word, ns", 0},
}

// plotAll draws every graph that the figures of a file are enough for.
func plotAll(file, dir string) error {
	figures, err := readFigures(file)
	if err != nil {
		return err
	}
	for _, g := range graphs {
		var own []figure
		for _, f := range figures {
			if f.measure == g.measure && f.size != g.other {
				own = append(own, f)
			}
		}
		if err := g.draw(own, filepath.Join(dir, g.file)); err != nil {
			return fmt.Errorf("%s: %w", g.file, err)
		}
	}
	return nil
}

// readFigures reads a file of figures. Lines of "#" are remarks.
func readFigures(file string) ([]figure, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for n, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 6 {
			return nil, fmt.Errorf("%s:%d: %d values instead of 6", file, n+1, len(f))
		}
		var v [4]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(f[2+i], 64); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n+1, err)
			}
		}
		figures = append(figures, figure{f[0], f[1], v[0], v[1], v[2], v[3]})
	}
	return figures, nil
}

// draw writes the plot, both axes logarithmic: work that grows as the input does is a straight line. Fewer
// than three sizes are no growth, and no plot.
func (g graph) draw(figures []figure, file string) error {
	lines := map[string]plotter.XYs{}
	sizes := map[float64]bool{}
	var order []string
	for _, f := range figures {
		if !slices.Contains(order, f.subject) {
			order = append(order, f.subject)
		}
		// A logarithm needs more than 0: memory that cannot be measured is not drawn.
		if f.size > 0 && f.median > 0 {
			lines[f.subject] = append(lines[f.subject], plotter.XY{X: f.size, Y: f.median})
			sizes[f.size] = true
		}
	}
	if len(sizes) < 3 {
		return nil
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = g.title, g.size, g.unit
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Add(plotter.NewGrid())
	p.Legend.Top = true
	var series []any
	for _, name := range order {
		xys := lines[name]
		slices.SortFunc(xys, func(a, b plotter.XY) int { return int(a.X - b.X) })
		series = append(series, name, xys)
	}
	if err := plotutil.AddLinePoints(p, series...); err != nil {
		return err
	}
	p.X.Max *= math.Pow(p.X.Max/p.X.Min, 0.6) // room for the legend, on the right
	return p.Save(22*vg.Centimeter, 11*vg.Centimeter, file)
}
