// Command build measures how much processor time it takes to build an index, to merge two and
// to open one, and how much memory. It runs the program noecho, and an older one in turn with it, so that
// other work of the machine slows both.
//
// It knows the commands of noecho and nothing of the files that they write.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"noecho/internal/program"
)

const usage = `usage: build [-noecho FILE] [-old FILE] [-size SIZE] [-rounds N] [-tsv FILE]

build makes a corpus of invented chat rows with bench/corpusgen, and prints for each of
index build, index merge and the opening of an index the median of the processor time, of
the time, of the rate of two processors, and of the memory.

`

// options describe a measurement.
type options struct {
	noecho, old string
	size        string // of the corpus: 300MB
	rounds      int
	tsv         string
}

func main() { os.Exit(program.Run("build", run)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := program.Flags("build", usage, stderr)
	flags.StringVar(&o.noecho, "noecho", "bin/noecho", "the program, a `file`")
	flags.StringVar(&o.old, "old", "", "another noecho to compare with, a `file`")
	flags.StringVar(&o.size, "size", "300MB", "`size` of the text, such as 20MB or 1GB")
	flags.IntVar(&o.rounds, "rounds", 9, "`number` of times that each row is measured")
	flags.StringVar(&o.tsv, "tsv", "", "append the figures to this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.rounds < 1 || o.rounds > 1000 {
		return errors.New("-rounds must be 1 to 1000")
	}
	dir, err := os.MkdirTemp("", "noecho-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := bench{dir: dir, options: o}
	if err := b.prepare(ctx, stderr); err != nil {
		return err
	}
	for range o.rounds {
		for i := range b.rows {
			if err := b.rows[i].measure(ctx); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(stdout, "%s %s/%s, %s of text, medians of %d\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, o.size, o.rounds)
	if err := b.print(stdout); err != nil || o.tsv == "" {
		return err
	}
	return b.appendTo(o.tsv)
}

// bench is a corpus and the commands that are measured.
type bench struct {
	options

	dir  string
	rows []row
}

// row is one command of one program.
type row struct {
	program, does string
	args          []string
	bytes         int64     // that it reads
	used, took    []float64 // seconds of processors and of the clock
	peak          []float64 // MiB of memory
}

// prepare writes the corpus and, with the newer program, the indexes that are merged and opened.
func (b *bench) prepare(ctx context.Context, log io.Writer) error {
	corpus, other := filepath.Join(b.dir, "rows.jsonl"), filepath.Join(b.dir, "other.jsonl")
	for seed, name := range []string{corpus, other} {
		if err := generate(ctx, name, seed+1, b.size); err != nil {
			return err
		}
	}
	length, err := fileSize(corpus)
	if err != nil {
		return err
	}
	// Room for the windows of both corpora: there is about one in six bytes.
	room := fmt.Sprint(2 * length / 6)
	one, two, out := filepath.Join(b.dir, "one.nidx"), filepath.Join(b.dir, "two.nidx"), filepath.Join(b.dir, "out.nidx")
	for corpus, index := range map[string]string{corpus: one, other: two} {
		build := exec.CommandContext(ctx, b.noecho, "index", "build", "--capacity", room, "--out", index, corpus)
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", build, err, text)
		}
	}
	merged, err := fileSize(one)
	if err != nil {
		return err
	}
	word := filepath.Join(b.dir, "word.txt")
	if err := os.WriteFile(word, []byte("word\n"), 0o600); err != nil {
		return err
	}
	for _, does := range []struct {
		name  string
		bytes int64
		args  []string
	}{
		{"index build", length, []string{"index", "build", "--out", out, corpus}},
		{"index merge", 2 * merged, []string{"index", "merge", "--out", out, one, two}},
		{"open an index", merged, []string{"scan", "--index", one, word}},
	} {
		b.rows = append(b.rows, row{program: b.noecho, does: does.name, args: does.args, bytes: does.bytes})
		if b.old != "" {
			b.rows = append(b.rows, row{program: b.old, does: "old: " + does.name, args: does.args, bytes: does.bytes})
		}
	}
	fmt.Fprintf(log, "measuring %d commands, %d times each\n", len(b.rows), b.rounds)
	return nil
}

// generate writes a corpus.
func generate(ctx context.Context, name string, seed int, size string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./bench/corpusgen", "-size", size, "-seed", fmt.Sprint(seed))
	cmd.Stdout, cmd.Stderr = f, os.Stderr
	return errors.Join(cmd.Run(), f.Close())
}

func fileSize(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// measure runs the command once.
func (r *row) measure(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, r.program, r.args...)
	var said strings.Builder
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, said.String())
	}
	r.took = append(r.took, time.Since(start).Seconds())
	r.used = append(r.used, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	r.peak = append(r.peak, peakMiB(cmd.ProcessState))
	return nil
}

// print prints the medians. The rate is that of two processors which are always busy.
func (b *bench) print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tMB read\ts of processors\tMB/s of two processors\ts\tMiB of memory\t")
	for _, r := range b.rows {
		mb := float64(r.bytes) / 1e6
		fmt.Fprintf(t, "%s\t%.0f\t%.2f\t%.0f\t%.2f\t%.0f\t\n", r.does, mb, median(r.used), 2*mb/median(r.used), median(r.took), median(r.peak))
	}
	return t.Flush()
}

// appendTo appends the figures as tab-separated values: command, measure, MB read, the lowest figure, the
// median, the highest.
func (b *bench) appendTo(file string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for _, r := range b.rows {
		for _, m := range []struct {
			name   string
			values []float64
		}{{"processor, s", r.used}, {"time, s", r.took}, {"memory, MiB", r.peak}} {
			_, err = fmt.Fprintf(f, "%s\t%s\t%.0f\t%.3f\t%.3f\t%.3f\n", r.does, m.name, float64(r.bytes)/1e6, slices.Min(m.values), median(m.values), slices.Max(m.values))
			if err != nil {
				return errors.Join(err, f.Close())
			}
		}
	}
	return f.Close()
}

// median sorts the values.
func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
