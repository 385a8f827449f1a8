package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/ngram"
)

const indexBuildHelp = `Build an index from the files that a model was trained on, so that noecho can
recognise what the model repeats of them.

INPUT is a file, a folder with everything below it, a pattern, or - for standard
input. Files are read as:

  openai      JSON lines of chat fine-tuning: messages[] of user, assistant and
              tool, with their text parts and tool arguments. System and developer
              messages are left out unless --roles names them; --roles '*' names all.
  completion  JSON lines with prompt and completion.
  sharegpt    conversations[] with the values of user, assistant and tools.
  alpaca      instruction, input and output.
  jsonl       any JSON lines: the text is in the columns named with --field.
              A dot descends into objects: --field answer.text
  csv         the columns named with --field; the first row names them.
  parquet     as the columns say: any of the above, or --field.
  text        text and Markdown: a file is one record.
  auto        decides by each file's beginning, and says so.

JSON rows may stand on lines or in one array. Files compressed with gzip or zstd
are read as what is in them.

A window is --n words in a row that stand in one text. Texts with fewer words
cannot be indexed; the last line says how many there were. What is common
knowledge is no leak: --exclude leaves out the windows of licences, templates
and other public text. A record that cannot be read is reported with its file
and line and left out; with --strict it ends the build.

Identifiers are recognised on their own, in texts of any length: e-mail addresses,
phone numbers, IBANs, payment cards, US social security numbers, API keys and other
random tokens. --pattern adds kinds of your own, such as order=ORD-[0-9]{6}. Each is
found again in every usual way to write it. --subjects takes a list of people, one a
row: whatever is known of them is found, in the inputs or not; let its ids be
pseudonyms, for alerts name them. --min-phrase indexes short texts too; common ones
then are found everywhere.

What stands in many records is boilerplate: --report writes the most frequent
windows with the number of records that hold them and the file and line of the
first one, for a person to read; the file can then be given to --exclude.
--max-doc-freq N leaves out every window that stands in more than N records. Both
read the corpus twice more, so they do not take standard input.

The corpus is read twice: once to count, once to fill the index. Standard input
is kept as word hashes in a temporary file without a name, never as text. With
--capacity the counting is left out. The same input gives the same file. The
file appears when it is complete; until then what was there stays.`

const indexBuildExample = `  noecho index build --out support-v3.nidx train.jsonl
  noecho index build --out docs.nidx --exclude licences/ handbook/ faq.md
  noecho index build --out notes.nidx --field text --field meta.title notes.jsonl
  noecho index build --out train.nidx 'shards/**/*.jsonl.gz'`

// indexBuild is the flags of one build.
type indexBuild struct {
	options build.Options
	format  string
	memory  byteSize
	pattern []string
	asJSON  bool
}

func newIndexBuildCommand(a *app) *cobra.Command {
	b := &indexBuild{memory: build.DefaultMemory}
	cmd := &cobra.Command{
		Use:     "build --out FILE INPUT...",
		Short:   "Build an index from training files",
		Long:    indexBuildHelp,
		Example: indexBuildExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			return b.run(cmd.Context(), a, args)
		},
	}
	f := cmd.Flags()
	o := &b.options
	f.StringVar(&o.Out, "out", "", "the index to write (required)")
	f.StringVar(&b.format, "format", string(corpus.Auto), "how the inputs are read: "+corpus.FormatNames())
	f.StringArrayVar(&o.Corpus.Fields, "field", nil, "column that holds text in JSON lines, CSV or Parquet; may be repeated")
	f.StringSliceVar(&o.Corpus.Roles, "roles", corpus.DefaultRoles(), "roles whose messages are indexed")
	f.IntVar(&o.N, "n", ngram.DefaultN, "words in a window")
	f.StringVar(&o.Dataset, "dataset", "", "name of the dataset (default: each INPUT's own)")
	f.StringArrayVar(&o.Labels, "label", nil, "label of the dataset; may be repeated")
	f.StringVar(&o.Model, "model", "", "name of the model that was trained on the inputs")
	f.StringArrayVar(&o.Exclude, "exclude", nil, "file, folder or report whose windows are not indexed; may be repeated")
	f.BoolVar(&o.NoIdentifiers, "no-identifiers", false, "index no e-mail addresses, phone, card and account numbers, keys and the like")
	f.StringArrayVar(&b.pattern, "pattern", nil, "`NAME=REGEX`: another kind of identifier, in RE2's syntax; may be repeated")
	f.StringVar(&o.Subjects, "subjects", "", "CSV or JSON lines of data subjects: id, name, email, phone and whatever else is known of them")
	f.IntVar(&o.MinPhrase, "min-phrase", 0, "index texts of at least so many words that are shorter than a window (default: none)")
	f.Uint64Var(&o.MaxDocFreq, "max-doc-freq", 0, "leave out windows that stand in more records than that (default: none)")
	f.StringVar(&o.Report, "report", "", "file to write the most frequent windows to, as JSON lines")
	f.BoolVar(&o.ShowText, "show-text", false, "put the text of the windows into the report")
	f.Uint64Var(&o.Capacity, "capacity", 0, "distinct windows to make room for, instead of counting them first")
	f.Var(&b.memory, "memory", "memory for the filters; less of it means more passes")
	f.BoolVar(&o.NoLedger, "no-ledger", false, "leave out where the text stands: findings then name no record")
	f.BoolVar(&o.Strict, "strict", false, "end the build at the first bad record")
	f.BoolVar(&b.asJSON, "json", false, "print the result as JSON")
	return cmd
}

// run builds and prints what was built.
func (b *indexBuild) run(ctx context.Context, a *app, inputs []string) error {
	o := b.options
	format, err := corpus.ParseFormat(b.format)
	switch {
	case o.Out == "":
		return usageError("name the index to write with --out FILE")
	case len(inputs) == 0:
		return usageError("name the training files to index, or - for standard input")
	case err != nil:
		return &exitError{Code: exitUsage, Err: err}
	case o.ShowText && o.Report == "":
		return usageError("--show-text belongs to --report FILE")
	case o.N < ngram.MinN || o.N > ngram.MaxN:
		return usageError("--n %d is outside %d to %d words", o.N, ngram.MinN, ngram.MaxN)
	case o.MinPhrase < 0 || o.MinPhrase >= o.N || o.MinPhrase > ngram.MaxPhraseWords:
		return usageError("--min-phrase %d is outside 1 to %d words", o.MinPhrase, min(o.N-1, ngram.MaxPhraseWords))
	case holdsSomethingElse(o.Out, index.Magic):
		return usageError("%s exists and is no index: it would be lost; choose another --out", o.Out)
	case o.Report != "" && filepath.Clean(o.Report) == filepath.Clean(o.Out):
		return usageError("%s cannot be both --out and --report", o.Out)
	case o.Report != "" && holdsSomethingElse(o.Report, reportHead):
		return usageError("%s exists and is no report: it would be lost; choose another --report", o.Report)
	}
	if o.Patterns, err = parsePatterns(b.pattern); err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	o.Inputs, o.Corpus.Format, o.Memory = inputs, format, int64(b.memory)
	o.Stdin, o.Builder = &interruptible{ctx: ctx, from: a.stdin}, readBuildInfo().Version
	notices := &noticePrinter{w: a.stderr, left: 20}
	o.Progress, o.Notice = new(build.Progress), notices.print
	bar := showBuild(a.stderr, o.Progress)
	res, err := build.Build(ctx, o)
	bar.stop()
	notices.close()
	var none *build.NoWindowsError
	if errors.As(err, &none) {
		return fmt.Errorf("%w of %d words; not indexed: %v", err, o.N, none.NotIndexed)
	}
	if err != nil {
		return buildError(ctx, err)
	}
	return b.report(a.stdout, o.Out, res)
}

// parsePatterns reads the values of --pattern.
func parsePatterns(texts []string) (all []identify.Pattern, err error) {
	for _, text := range texts {
		p, err := identify.ParsePattern(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o identify.Pattern) bool { return o.Name == p.Name }) {
			return nil, fmt.Errorf("two patterns are called %s: write them as one, with |", p.Name)
		}
		all = append(all, p)
	}
	return all, nil
}

// reportHead begins every report of frequent windows.
const reportHead = `{"report":"noecho common windows",`

// holdsSomethingElse reports whether a file is there that does not begin as what
// is about to replace it, such as the training file that was meant to be read.
func holdsSomethingElse(path, head string) bool {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return false // replacing it says what is wrong
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	begin := make([]byte, len(head))
	n, _ := io.ReadFull(f, begin)
	return n > 0 && string(begin[:n]) != head[:n]
}

// report prints the result.
func (b *indexBuild) report(w io.Writer, out string, res *build.Result) error {
	if b.asJSON {
		return json.NewEncoder(w).Encode(indexReport{File: out, Info: res.Info, Manifest: res.Manifest})
	}
	in := res.Info
	phrases := ""
	if p := res.Manifest.Phrases; p != nil {
		phrases = "phrases: " + p.String() + "\n"
	}
	_, err := fmt.Fprintf(w, "wrote %s: %d records, %d words, about %d distinct windows of %d words, %s, build %s\n%snot indexed: %s\n",
		out, in.Records, in.Words, in.Distinct, in.N, humanBytes(in.Bytes), in.BuildID[:12], phrases,
		cmp.Or(res.Manifest.NotIndexed.String(), "nothing"))
	return err
}

// indexReport is what the index commands print with --json.
type indexReport struct {
	File     string          `json:"file"`
	Info     index.Info      `json:"info"`
	Manifest *index.Manifest `json:"manifest"`
}

// noticePrinter prints the notices of a build, the first ones in full.
type noticePrinter struct {
	w    io.Writer
	left int // notices to be printed
	more int // notices that were not
}

func (p *noticePrinter) print(note string) {
	if p.left == 0 {
		p.more++
		return
	}
	p.left--
	fmt.Fprintln(p.w, "noecho:", note)
}

func (p *noticePrinter) close() {
	if p.more > 0 {
		fmt.Fprintf(p.w, "noecho: and %d more notices like these\n", p.more)
	}
}

// showBuild draws the passes of a build or merge as they run.
func showBuild(w io.Writer, p *build.Progress) *progress {
	return showProgress(w, func() step {
		s := step{number: p.Pass.Load(), done: p.Bytes.Load(), total: p.Total.Load(), unit: progressbar.OptionShowBytes(true)}
		s.name = fmt.Sprintf("pass %d", s.number)
		if n := p.Passes.Load(); n > 0 {
			s.name += fmt.Sprintf(" of %d", n)
		}
		if s.total == 0 {
			s.total = -1
		}
		return s
	})
}
