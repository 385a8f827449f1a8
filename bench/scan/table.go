package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/bits-and-blooms/bloom/v3"

	"noecho/detect"
	"noecho/index"
)

// row is one way of reading the text.
type row struct {
	name string
	read func() // once, from the first byte to the last
	took []float64
}

// median of the times, in nanoseconds a word.
func (r *row) median() float64 {
	t := slices.Sorted(slices.Values(r.took))
	if n := len(t); n%2 == 0 {
		return (t[n/2-1] + t[n/2]) / 2
	}
	return t[len(t)/2]
}

// table is the rows for one index. The first one is the naive loop, and the row base is what
// a lane is added to.
type table struct {
	rows     []*row
	base     *row
	words    int // of the text that is read
	findings int // with everything on
	indexed  int // bytes
}

// The naive filter: as many bits a window as an index has in its filter of windows.
const (
	naiveWords  = 10
	naiveBits   = 16
	naiveHashes = 8
)

// newTable returns the rows that o asks for.
func newTable(ix *index.Index, trained, text []byte, o *options) *table {
	t := &table{words: len(strings.Fields(string(text))), indexed: len(trained)}
	add := func(name string, read func()) *row {
		r := &row{name: name, read: read}
		keep := o.only == "" || len(t.rows) == 0
		for part := range strings.SplitSeq(o.only, ",") {
			keep = keep || strings.Contains(name, part)
		}
		if keep {
			t.rows = append(t.rows, r)
		}
		return r
	}
	filter := trainedFilter(trained, o.capacity)
	add("naive: TestString", func() { joined(strings.Fields(string(text)), func(s string) { filter.TestString(s) }) })
	add("naive: normalised", func() {
		joined(strings.FieldsFunc(strings.ToLower(string(text)), isGap), func(s string) { filter.TestString(s) })
	})
	other := bloom.New(filter.Cap(), naiveHashes)
	add("naive: AddString", func() { joined(strings.Fields(string(text)), func(s string) { other.AddString(s) }) })

	d := &detect.Detector{}
	reading := func(cfg detect.Config) func() {
		cfg.MaxHeld = 1 << 20 // as the command scan
		return func() { t.read(d, ix, cfg, text) }
	}
	off := detect.NearRule{Off: true}
	add("windows", reading(detect.Config{Near: off}))
	t.base = add("windows, near", reading(detect.Config{}))
	for l := detect.Plain + 1; detect.AllLanes&lanes(l) != 0; l++ {
		add(l.String(), reading(detect.Config{Lanes: lanes(l)}))
	}
	despaced, _ := detect.ParseLanes("despaced")
	add("everything but despaced", reading(detect.Config{Lanes: detect.AllLanes &^ despaced}))
	add("everything", reading(detect.Config{Lanes: detect.AllLanes}))
	return t
}

// lanes is the set of one lane, of none if there is no such lane.
func lanes(l detect.Lane) detect.Lanes { return 1 << l }

// trainedFilter is the naive filter of a text, made word by word: all words of 2 GB at once take 10 GB.
func trainedFilter(trained []byte, capacity uint64) *bloom.BloomFilter {
	var n uint64
	for range bytes.FieldsSeq(trained) {
		n++
	}
	filter := bloom.New(uint(max(capacity, n)*naiveBits), naiveHashes)
	last := make([][]byte, 0, 2*naiveWords)
	for word := range bytes.FieldsSeq(trained) {
		if len(last) == cap(last) {
			last = append(last[:0], last[naiveWords+1:]...)
		}
		if last = append(last, word); len(last) >= naiveWords {
			filter.Add(bytes.Join(last[len(last)-naiveWords:], []byte(" ")))
		}
	}
	return filter
}

// joined calls see with every ten words in a row.
func joined(words []string, see func(string)) {
	for i := 0; i+naiveWords <= len(words); i++ {
		see(strings.Join(words[i:i+naiveWords], " "))
	}
}

func isGap(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// read reads the text as the command scan does.
func (t *table) read(d *detect.Detector, ix *index.Index, cfg detect.Config, text []byte) {
	var segments []detect.Segment
	var found []*detect.Finding
	t.findings = 0
	d.Reset(ix, ix.Spec(), cfg)
	for piece := range slices.Chunk(text, 64<<10) {
		segments = d.Append(segments[:0], piece)
		found = d.Closed(found[:0])
		t.findings += len(found)
	}
	d.Finish(segments[:0])
	t.findings += len(d.Closed(found[:0]))
}

// measure measures every row so many times, each time in another order.
func (t *table) measure(ctx context.Context, rounds int) error {
	r := rand.New(rand.NewPCG(1, 12))
	for _, row := range t.rows {
		row.read() // storage grows
	}
	for range rounds {
		for _, i := range r.Perm(len(t.rows)) {
			if err := ctx.Err(); err != nil {
				return err
			}
			runtime.GC()
			before := processorTime()
			t.rows[i].read()
			t.rows[i].took = append(t.rows[i].took, float64(processorTime()-before)/float64(t.words))
		}
	}
	return nil
}

// print prints the table.
func (t *table) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%d words read, %.1f MB indexed, %d findings\n", t.words, float64(t.indexed)/1e6, t.findings)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "row\tmedian\tleast\tnaive/row\tmore than windows, near\t")
	for _, r := range t.rows {
		more := ""
		if len(t.base.took) > 0 && r != t.base {
			more = fmt.Sprintf("%+.1f", r.median()-t.base.median())
		}
		fmt.Fprintf(tab, "%s\t%.1f\t%.1f\t%.1f\t%s\t\n", r.name, r.median(), slices.Min(r.took), t.rows[0].median()/r.median(), more)
	}
	return tab.Flush()
}

// append appends the table as lines of row, measure, size in MB, lowest, median and highest figure.
func (t *table) append(w *strings.Builder) {
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\ta word, ns\t%.3g\t%.2f\t%.2f\t%.2f\n", r.name, float64(t.indexed)/1e6, slices.Min(r.took), r.median(), slices.Max(r.took))
	}
}
