package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

const evalHelp = `Measure on your own corpus how well noecho detects training text that a model writes
in another form, such as upper case or base64.

eval draws passages of --words words from the corpus, puts each between invented
words, and reads the result as an answer in redact mode that arrives in pieces of a
few bytes. It does this for each passage in each of about 60 disguises: upper case, a
list, base64, every ninth word replaced, and so on. The table has a row for each
disguise, with these columns:

  found       passages of which at least a part was withheld
  withheld    words of the passages that were withheld, among those that the
              disguise keeps
  released    words that a reader who undoes the disguise gets in long runs, that is,
              in runs of at least as many words as a window of the index has
  alarms      parts of the invented text that were withheld by mistake
  (last)      holds: the promise for this disguise was kept
              not covered: noecho promises nothing for this disguise

The first rows are passages without a disguise, in the lengths of --runs.

--corpus names the files that the index was built from: a file, a folder or a quoted
pattern such as 'train/*.jsonl'. Give the same --format, --field and --roles as for
noecho index build. The files are read twice, so standard input cannot be used.

--outputs names stored answers of a model. Their quotations from the corpus are found
by a comparison of all windows, without the index, and the quoted words are counted
as withheld or missed.

The same flags give the same figures. No report contains text of the corpus.

Exit code 0 means that every promise was kept, 1 that one was broken or could not be
measured. The reason is printed on standard error.`

const evalExample = `  noecho eval --index support-v3.nidx --corpus train.jsonl
  noecho eval --index a.nidx --corpus 'shards/*.jsonl.gz' --json eval.json --markdown eval.md --svg eval.svg
  noecho eval --index notes.nidx --field text --corpus notes.jsonl --outputs answers/`

// The limits of --passages, and of --words and --runs.
const (
	maxEvalPassages = 10_000
	maxEvalWords    = 1_000
)

// evalRun is one run of the command.
type evalRun struct {
	indexes []string
	keys    keyFiles
	format  string
	options eval.Options
	write   evalFiles
}

func newEvalCommand(a *app) *cobra.Command {
	_, cmd := newEval(a)
	return cmd
}

// newEval returns the command, and the run that its flags are read into.
func newEval(a *app) (*evalRun, *cobra.Command) {
	e := &evalRun{}
	cmd := &cobra.Command{
		Use:     "eval --index FILE --corpus INPUT",
		Short:   "Measure how well detection works against disguises",
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
	e.keys.add(cmd)
	f.StringArrayVar(&o.Corpus, "corpus", nil, "file, folder or pattern that the index was built from (required); may be repeated")
	f.StringArrayVar(&o.Outputs, "outputs", nil, "file, folder or pattern of stored answers; may be repeated")
	f.StringVar(&e.format, "format", string(corpus.Auto), "how the corpus is read: "+corpus.FormatNames())
	f.StringArrayVar(&o.Read.Fields, "field", nil, "column of the corpus that contains text; may be repeated")
	f.StringArrayVar(&o.Read.IncludePath, "include-path", nil, "pattern of the files to read in folders; may be repeated")
	f.StringArrayVar(&o.Read.ExcludePath, "exclude-path", nil, "pattern of files and folders to leave out of folders; may be repeated")
	f.StringVar(&o.Read.Encoding, "encoding", "", "encoding of the lines that are not UTF-8, such as windows-1252")
	f.StringSliceVar(&o.Read.Roles, "roles", corpus.DefaultRoles(), "roles whose messages are read; * is every role, -x not that of x")
	f.IntVar(&o.Passages, "passages", 200, "passages of each length")
	f.IntVar(&o.Words, "words", 40, "words in a passage that is disguised")
	f.IntSliceVar(&o.Runs, "runs", []int{10, 20, 50, 100}, "lengths of the passages without a disguise, in words")
	f.Uint64Var(&o.Seed, "seed", 1, "number that decides which passages are drawn")
	f.StringVar(&e.write.json, "json", "", "file to write the report to as JSON, or - for standard output")
	f.StringVar(&e.write.markdown, "markdown", "", "file to write the tables to as Markdown, or -")
	f.StringVar(&e.write.svg, "svg", "", "file to write the plot to, or -")
	completeFlag(cmd, "format", strings.Split(corpus.FormatNames(), ", "))
	return e, cmd
}

// run measures and reports.
func (e *evalRun) run(cmd *cobra.Command, a *app) error {
	ctx := cmd.Context()
	if err := e.check(); err != nil {
		return err
	}
	keys, err := e.keys.read(a)
	if err != nil {
		return err
	}
	set, err := openIndexes(e.indexes, keys)
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

// check looks for errors in the flags that need no index to be seen.
func (e *evalRun) check() error {
	o := &e.options
	format, err := corpus.ParseFormat(e.format)
	o.Read.Format = format
	switch {
	case len(e.indexes) == 0:
		return usageError("name the index to measure with --index FILE")
	case len(o.Corpus) == 0:
		return usageError("name the files that the index was built from with --corpus INPUT")
	case slices.Contains(o.Corpus, corpus.Stdin) || slices.Contains(o.Outputs, corpus.Stdin):
		return usageError("standard input cannot be read twice: name files")
	case err != nil:
		return &exitError{Code: exitUsage, Err: err}
	case o.Passages < 1 || o.Passages > maxEvalPassages:
		return usageError("--passages %d is outside 1 to %d", o.Passages, maxEvalPassages)
	}
	return e.write.check()
}

// prepare checks the lengths of passages, which depend on the index, and completes the
// options.
func (e *evalRun) prepare(set *index.Index, asked bool) error {
	o := &e.options
	o.Read.Window = set.Spec().N
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

// commandLine returns the command as it was typed, without the flags that name report
// files.
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
	add("include-path", e.options.Read.IncludePath...)
	add("exclude-path", e.options.Read.ExcludePath...)
	for _, name := range []string{"format", "encoding", "roles", "passages", "words", "runs", "seed"} {
		if f := cmd.Flags().Lookup(name); f.Changed {
			add(name, strings.Trim(f.Value.String(), "[]"))
		}
	}
	return strings.Join(words, " ")
}

// shellQuote quotes a word in which a shell would see special characters.
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

// evalFiles are the paths of the reports. An empty path means no report, "-" means
// standard output. If none is "-", the tables are printed there as text.
type evalFiles struct{ json, markdown, svg string }

// jsonReportHead is the beginning of every report in JSON.
const jsonReportHead = "{\n  \"report\": \"" + eval.ReportName + "\","

// evalFile is one report: its flag, its path and its beginning.
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

// check refuses to overwrite a file that is not a report, and to write two reports to
// one file.
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
			return usageError("%s exists and is not such a report, so it is not overwritten; choose another --%s", file.path, file.flag)
		}
	}
	return nil
}

// all writes all reports.
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
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if shown {
		return nil
	}
	return r.WriteText(stdout)
}

// replaceFile replaces a file that everybody may read.
func replaceFile(path string, data []byte) error { return replaceWith(path, data, 0o644) }

// replaceWith replaces a file as a whole; after an error the old file is unchanged. It
// writes to a device or a pipe directly.
func replaceWith(path string, data []byte, mode fs.FileMode) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return os.WriteFile(path, data, mode)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
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
