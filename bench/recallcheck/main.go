// Command recallcheck checks a scan: it finds the words of a model's outputs that are
// in the corpus, and compares them with the findings of noecho scan.
//
// It makes words and runs with code of its own, as plainly as it can, and knows only
// the lines that noecho scan --json prints. It must not import packages of noecho, or
// both could be wrong in the same way.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usageFormat = `usage: recallcheck --corpus FOLDER --findings FILE [flags] --outputs FILE...

recallcheck reads the texts of a corpus, the outputs of models and the findings of
noecho in these outputs, and counts:

  reference   words of the outputs in runs of at least --n words that one file of
              the corpus contains. Words are in lower case and without accents.
              Punctuation is read in two ways: it ends a word ("apart"), or it is
              taken out of it ("glued": to-day is today); an apostrophe inside a
              word is taken out both times.
  missed      words of the reference apart that no finding covers.
  beyond      words that findings cover and that are not in the reference, by the
              reading rule that makes them quotations. If no rule does, the finding
              is a false alarm, unless a person sees the reason: noecho reads
              letters of other alphabets that look alike as equal, recallcheck
              does not.

Near matches are counted apart: how many of their words no verbatim finding covers,
and how many of those are in runs of %d words of the corpus. A near match is doubted
if fewer than %d %% of its words are, alone and with the %d on either side. A
finding that names a record is wrong if the file it names first does not contain
it. Findings in other lanes are counted and not checked.

Outputs are texts, or with --field JSON lines with the text in that column. Make
the findings with the same files under the same names:

  noecho index build --format text --out corpus.nidx FOLDER
  noecho scan --json --index corpus.nidx --field text FILE... > findings.jsonl

recallcheck exits with 1 if a word was missed, an alarm was false, or more than one named
record in a thousand is wrong. A doubted near match is for a person to look at. It
prints no text.

`

// options say which scan to check.
type options struct {
	corpus, findings string
	outputs          []string
	field, by        string
	n                int
	list, asJSON     bool
}

// check looks for contradictions.
func (o *options) check() error {
	switch {
	case o.corpus == "":
		return errors.New("name the folder of the --corpus")
	case o.findings == "":
		return errors.New("name the --findings of noecho scan --json, - for standard input")
	case len(o.outputs) == 0:
		return errors.New("name the --outputs that were scanned")
	case o.n < 2:
		return errors.New("--n must be 2 or more")
	}
	return nil
}

// errDisagree is the error of a run that found noecho wrong.
var errDisagree = errors.New("findings and reference disagree")

func main() {
	err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "recallcheck:", err)
		os.Exit(1)
	}
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("recallcheck", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, usageFormat, nearWindow, int(100*nearShare), nearAround)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.corpus, "corpus", "", "`folder` of the text files that were indexed")
	flags.StringVar(&o.findings, "findings", "", "`file` that noecho scan --json printed")
	flags.Func("outputs", "`file` that was scanned; more may follow", func(s string) error {
		o.outputs = append(o.outputs, s)
		return nil
	})
	flags.StringVar(&o.field, "field", "", "`column` of JSON lines of the text; without it a file is one text")
	flags.StringVar(&o.by, "by", "model", "`column` that the table groups by; files without columns are a group each")
	flags.IntVar(&o.n, "n", 10, "`words` in a window of the index")
	flags.BoolVar(&o.list, "list", false, "list every finding: its place in both texts, and its length")
	flags.BoolVar(&o.asJSON, "json", false, "print the result as JSON")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.outputs = append(o.outputs, flags.Args()...)
	if err := o.check(); err != nil {
		return err
	}
	r, err := judgeAll(&o, stdin)
	if err != nil {
		return err
	}
	if err := r.print(stdout, &o); err != nil {
		return err
	}
	if r.Total.Missed > 0 || r.FalseAlarms > 0 || !r.rightlyNamed() {
		return errDisagree
	}
	return nil
}
