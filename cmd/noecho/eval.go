package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"noecho/detect"
	"noecho/eval"
	"noecho/index"
	"noecho/index/corpus"
)

const evalHelp = `Measure how well detection holds against disguises, on your own corpus.

Passages of --words words are drawn from the texts of the corpus, each is stood
in invented text, and that is read as an answer in redact mode: in pieces of a few
bytes. Then the same with the passage in upper case, as a list, in base64, with
every ninth word swapped, and in all the other disguises of the table. For each
the table says

  found       passages of which something was withheld
  withheld    words of the passages that were withheld, as far as the disguise
              keeps them
  released    words that whoever undoes the disguise gets, as many in a row as a
              window of the index holds, or more
  alarms      ranges withheld of invented text, which is in no corpus
  holds       or "not covered": a disguise of which nothing is promised

Passages as they are come first, in the lengths of --runs that the texts have.

--corpus names what the index was built from, read as index build reads it: give
the --format, --field and --roles that were given there. It is a file, a folder or
a quoted pattern such as 'train/*.jsonl', may be repeated, and is read twice, so
standard input will not do. --outputs names stored answers of a model: their words
that stand in the corpus are found by comparing all windows, without the index,
and counted as withheld or missed.

The same flags give the same figures. No report holds text of the corpus.

Exit code 0 says that all that should hold does, 1 that something does not or
could not be measured; what it is stands on standard error.`

const evalExample = `  noecho eval --index support-v3.nidx --corpus train.jsonl
  noecho eval --index a.nidx --corpus 'shards/*.jsonl.gz' --json eval.json --markdown eval.md --svg eval.svg
  noecho eval --index notes.nidx --field text --corpus notes.jsonl --outputs answers/`

// The most that can be asked for.
const (
	maxEvalPassages = 10_000
	maxEvalWords    = 1_000
)

// evalRun is one run of the command.
type evalRun struct {
	indexes []string
	format  string
	options eval.Options
	write   evalFiles
}

func newEvalCommand(a *app) *cobra.Command {
	_, cmd := newEval(a)
	return cmd
}

// newEval returns the command and what its flags are read into.
func newEval(a *app) (*evalRun, *cobra.Command) {
	e := &evalRun{}
	cmd := &cobra.Command{
		Use:     "eval --index FILE --corpus INPUT",
		Short:   "Measure how well detection holds against disguises",
		Long:    evalHelp,
		Example: evalExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError("unexpected argument %q: repeat the flag for each file, or quote the pattern: --corpus 'train/*.jsonl'", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.run(cmd, a)
		},
	}
	f := cmd.Flags()
	o := &e.options
	f.StringArrayVar(&e.indexes, "index", nil, "index to measure (required); may be repeated")
	f.StringArrayVar(&o.Corpus, "corpus", nil, "file, folder or pattern that the index was built from (required); may be repeated")
	f.StringArrayVar(&o.Outputs, "outputs", nil, "file, folder or pattern of stored answers; may be repeated")
	f.StringVar(&e.format, "format", string(corpus.Auto), "how the corpus is read: "+corpus.FormatNames())
	f.StringArrayVar(&o.Read.Fields, "field", nil, "column that holds text in the corpus; may be repeated")
	f.StringSliceVar(&o.Read.Roles, "roles", corpus.DefaultRoles(), "roles whose messages are read")
	f.IntVar(&o.Passages, "passages", 200, "passages of each length")
	f.IntVar(&o.Words, "words", 40, "words in a passage that is disguised")
	f.IntSliceVar(&o.Runs, "runs", []int{10, 20, 50, 100}, "lengths of the passages that are read as they are")
	f.Uint64Var(&o.Seed, "seed", 1, "number that decides which passages are drawn")
	f.StringVar(&e.write.json, "json", "", "file to write the report to as JSON, or - for standard output")
	f.StringVar(&e.write.markdown, "markdown", "", "file to write the tables to as Markdown, or -")
	f.StringVar(&e.write.svg, "svg", "", "file to draw the plot to, or -")
	completeFlag(cmd, "format", strings.Split(corpus.FormatNames(), ", "))
	return e, cmd
}

// run measures and reports.
func (e *evalRun) run(cmd *cobra.Command, a *app) error {
	ctx := cmd.Context()
	if err := e.check(); err != nil {
		return err
	}
	set, err := openIndexes(e.indexes)
	if err != nil {
		return indexError(err)
	}
	if err := e.prepare(set, cmd.Flags().Changed("runs")); err != nil {
		return err
	}
	notices := &noticePrinter{w: a.stderr, left: 20}
	e.options.Notice, e.options.Progress = notices.print, new(eval.Progress)
	bar := showProgress(a.stderr, e.step)
	report, err := eval.Run(ctx, e.options)
	bar.stop()
	notices.close()
	switch {
	case errors.Is(err, eval.ErrOtherCorpus):
		return fmt.Errorf("%w: give the files it was built from, with the same --format, --field and --roles", err)
	case errors.Is(err, eval.ErrNoPassages):
		return fmt.Errorf("%w; ask for fewer --words", err)
	case err != nil:
		return buildError(ctx, err)
	}
	report.Noecho, report.Command = readBuildInfo().Version, e.commandLine(cmd)
	for _, f := range set.Files() {
		report.Indexes = append(report.Indexes, f.Info.BuildID)
	}
	if err := e.write.all(a.stdout, report); err != nil {
		return err
	}
	broken := report.Broken()
	for _, b := range broken {
		fmt.Fprintln(a.stderr, "noecho: does not hold:", b)
	}
	if len(broken) > 0 {
		return &exitError{Code: exitFailure}
	}
	return nil
}

// check looks for what is wrong with the flags alone.
func (e *evalRun) check() error {
	o := &e.options
	format, err := corpus.ParseFormat(e.format)
	o.Read.Format = format
	switch {
	case len(e.indexes) == 0:
		return usageError("name the index to measure with --index FILE")
	case len(o.Corpus) == 0:
		return usageError("name what the index was built from with --corpus INPUT")
	case slices.Contains(o.Corpus, corpus.Stdin) || slices.Contains(o.Outputs, corpus.Stdin):
		return usageError("standard input cannot be read twice: name files")
	case err != nil:
		return &exitError{Code: exitUsage, Err: err}
	case o.Passages < 1 || o.Passages > maxEvalPassages:
		return usageError("--passages %d is outside 1 to %d", o.Passages, maxEvalPassages)
	}
	return e.write.check()
}

// prepare checks the lengths against the index and fills in the rest.
func (e *evalRun) prepare(set *index.Index, asked bool) error {
	o := &e.options
	o.Set, o.Spec, o.Detect = set, set.Spec(), detect.Config{Lanes: detect.AllLanes}
	if !asked {
		o.Runs = slices.DeleteFunc(o.Runs, func(n int) bool { return n < o.Spec.N })
	}
	for _, flag := range []struct {
		name  string
		words []int
	}{{"words", []int{o.Words}}, {"runs", o.Runs}} {
		for _, n := range flag.words {
			if n < o.Spec.N || n > maxEvalWords {
				return usageError("--%s %d is outside %d, the words in a window of the index, to %d", flag.name, n, o.Spec.N, maxEvalWords)
			}
		}
	}
	for _, f := range set.Files() {
		o.Excluded = o.Excluded || len(f.Manifest.Exclusions) > 0
	}
	return nil
}

// commandLine is the command as it was given, without where its reports go.
func (e *evalRun) commandLine(cmd *cobra.Command) string {
	words := []string{"noecho", "eval"}
	add := func(name string, values ...string) {
		for _, v := range values {
			words = append(words, "--"+name, shellQuote(v))
		}
	}
	add("index", e.indexes...)
	add("corpus", e.options.Corpus...)
	add("outputs", e.options.Outputs...)
	add("field", e.options.Read.Fields...)
	for _, name := range []string{"format", "roles", "passages", "words", "runs", "seed"} {
		if f := cmd.Flags().Lookup(name); f.Changed {
			add(name, strings.Trim(f.Value.String(), "[]"))
		}
	}
	return strings.Join(words, " ")
}

// shellQuote quotes a word that a shell would not take as it is.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./,:=+@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// evalSteps are the names of the steps of a measurement, in order.
var evalSteps = [eval.Steps + 1]string{"", "reading the corpus", "drawing passages", "disguises"}

// step returns the current step of the measurement.
func (e *evalRun) step() step {
	p := e.options.Progress
	n := p.Step.Load()
	return step{
		number: n, name: evalSteps[n], done: p.Done.Load(), total: max(1, p.Total.Load()),
		unit: progressbar.OptionShowBytes(n < eval.Steps),
	}
}

// evalFiles is where the reports go. Empty: nowhere; "-": standard output, which
// otherwise gets the tables as text.
type evalFiles struct{ json, markdown, svg string }

// jsonReportHead begins every report as JSON.
const jsonReportHead = "{\n  \"report\": \"" + eval.ReportName + "\","

// evalFile is one of them.
type evalFile struct {
	flag, path, head string
	write            func(r *eval.Report, w io.Writer) error
}

func (f *evalFiles) list() []evalFile {
	return []evalFile{
		{"json", f.json, jsonReportHead, (*eval.Report).WriteJSON},
		{"markdown", f.markdown, eval.MarkdownHead, (*eval.Report).WriteMarkdown},
		{"svg", f.svg, eval.SVGHead, (*eval.Report).WriteSVG},
	}
}

// check refuses to write over a file that is no report, and two reports to one
// place.
func (f *evalFiles) check() error {
	seen := map[string]string{}
	for _, file := range f.list() {
		if file.path == "" {
			continue
		}
		at := filepath.Clean(file.path)
		if seen[at] != "" {
			return usageError("--%s and --%s both write to %s", seen[at], file.flag, file.path)
		}
		seen[at] = file.flag
		if file.path != "-" && holdsSomethingElse(file.path, file.head) {
			return usageError("%s exists and is no such report: it would be lost; choose another --%s", file.path, file.flag)
		}
	}
	return nil
}

// all writes the reports.
func (f *evalFiles) all(stdout io.Writer, r *eval.Report) error {
	shown := false
	for _, file := range f.list() {
		if file.path == "" {
			continue
		}
		if file.path == "-" {
			shown = true
			if err := file.write(r, stdout); err != nil {
				return fmt.Errorf("write the report: %w", err)
			}
			continue
		}
		var b bytes.Buffer
		if err := file.write(r, &b); err != nil {
			return fmt.Errorf("write %s: %w", file.path, err)
		}
		if err := replaceFile(file.path, b.Bytes()); err != nil {
			return err
		}
	}
	if shown {
		return nil
	}
	return r.WriteText(stdout)
}

// replaceFile puts a whole file in the place of another, or nothing. A device or
// a pipe is written to.
func replaceFile(path string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the report: %w", err)
		}
	}()
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return os.WriteFile(path, data, 0o644)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
