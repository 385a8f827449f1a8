// Command scan measures how much processor time it takes to read clean text: with windows
// alone, with each lane, with everything on, and with a naive loop that looks up joined
// words in a Bloom filter. All rows are measured in turn in one run, so that other work of
// the machine slows all of them; compare rows of one run only.
//
// It knows flags, how an index of a text is made and how a report is printed.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/internal/program"
)

const usage = `usage: scan [-corpus FILE] [-text FILE] [-sizes MB,MB…] [-rounds N] [-tsv FILE]

scan indexes the first bytes of one text and reads another one, in every way in turn. It
prints the median of the processor time in nanoseconds a word. Without files it makes both
texts of the words of docs/*.md and of the demo, so run it in the root of the repository.

`

// options describe a measurement.
type options struct {
	corpus, text string
	sizes        string // in MB, with commas between
	words        int    // of the text, at most
	rounds       int
	capacity     uint64
	only         string
	tsv          string
}

// check refuses numbers that would overload this machine by a slip of the finger.
func (o *options) check() error {
	switch {
	case o.rounds < 1 || o.rounds > 1000:
		return errors.New("-rounds must be 1 to 1000")
	case o.words < 1000 || o.words > 100_000_000:
		return errors.New("-words must be 1000 to 100000000")
	}
	return nil
}

func main() { os.Exit(program.Run("scan", run)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := program.Flags("scan", usage, stderr)
	flags.StringVar(&o.corpus, "corpus", "", "text to index, a `file`")
	flags.StringVar(&o.text, "text", "", "clean text to read, a `file`")
	flags.StringVar(&o.sizes, "sizes", "0.3,7", "sizes of the indexed text in `MB`, with commas between")
	flags.IntVar(&o.words, "words", 250_000, "`number` of words of the text that are read, at most")
	flags.IntVar(&o.rounds, "rounds", 9, "`number` of times that each row is measured")
	flags.Uint64Var(&o.capacity, "capacity", 0, "`number` of windows that the filters are sized for; 0: those of the text")
	flags.StringVar(&o.only, "only", "", "measure only rows with these `words` in their names, with commas between")
	flags.StringVar(&o.tsv, "tsv", "", "write the figures to a `file` too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	return measure(ctx, &o, stdout)
}

// measure measures all sizes.
func measure(ctx context.Context, o *options, stdout io.Writer) error {
	var sizes []int
	for s := range strings.SplitSeq(o.sizes, ",") {
		mb, err := strconv.ParseFloat(s, 64)
		if err != nil || mb <= 0 || mb > 4096 {
			return fmt.Errorf("-sizes: %q is no number of MB up to 4096", s)
		}
		sizes = append(sizes, int(mb*1e6))
	}
	trained, text, err := texts(o, sizes)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "noecho-scan-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var tsv strings.Builder
	fmt.Fprintf(stdout, "%s %s/%s, %d bytes of text, median of %d rounds, ns of processor time a word\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, len(text), o.rounds)
	for i, size := range sizes {
		part := trained[:min(size, len(trained))]
		ix, err := indexed(ctx, filepath.Join(dir, strconv.Itoa(i)), part, o.capacity)
		if err != nil {
			return err
		}
		t := newTable(ix, part, text, o)
		err = t.measure(ctx, o.rounds)
		if err == nil {
			err = t.print(stdout)
			t.append(&tsv)
		}
		if err := errors.Join(err, ix.Close()); err != nil {
			return err
		}
	}
	if o.tsv == "" {
		return nil
	}
	return os.WriteFile(o.tsv, []byte(tsv.String()), 0o644)
}

// indexed returns the index of a text as the product builds it.
func indexed(ctx context.Context, path string, text []byte, capacity uint64) (*index.Index, error) {
	if err := os.WriteFile(path+".txt", text, 0o600); err != nil {
		return nil, err
	}
	_, err := build.Build(ctx, build.Options{
		Out: path + ".nidx", Inputs: []string{path + ".txt"}, Corpus: corpus.Options{Format: corpus.Text}, Capacity: capacity,
	})
	if err != nil {
		return nil, err
	}
	return index.Open(path + ".nidx")
}
