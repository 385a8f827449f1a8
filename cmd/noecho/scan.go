package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"noecho/detect"
	"noecho/index"
	"noecho/index/corpus"
	"noecho/ngram"
	"noecho/proxy"
	"noecho/proxy/alert"
)

const scanHelp = `Look in files for text that stands in an index, say in stored answers of a model
or in a data set before it is published.

FILE is a file, a folder with everything below it, a quoted pattern such as
'answers/**/*.jsonl', or - for standard input, which is also what is read when no
FILE is named. Files compressed with gzip or zstd are read as what they hold.

A file is read as one text, JSON included: escapes are read as the characters
they stand for. With --format openai, completion, sharegpt, alpaca, jsonl, csv or
parquet each text of each row is looked at alone, with --field only those
columns. Parquet is always read by rows.

A finding is a run of at least --min-words words (the index's window length
unless more is asked for), a near match of one record, or an identifier that was
indexed, as it stands or in an encoding that noecho reads. Its line and its half-open range of byte offsets are
those of the file as it is; of a compressed file, those of what it holds; in
Parquet the line is the number of the row and the offsets count in its text. No
text is printed.

Exit code 3 says that something was found, 0 that everything was scanned and
nothing was found, 1 that something could not be scanned.`

const scanExample = `  noecho scan --index support-v3.nidx answers/
  noecho scan --index a.nidx --index b.nidx --json - < answers.txt
  noecho scan --index a.nidx --field response --min-words 20 answers.jsonl.gz
  noecho scan --index a.nidx --format sharegpt 'dumps/**/*.json'`

// scan is one run of the command.
type scan struct {
	indexes  []string
	minWords int
	format   string
	fields   []string
	asJSON   bool

	a        *app
	set      *index.Index
	names    proxy.Indexes // of records
	options  corpus.Options
	cfg      detect.Config
	progress *scanProgress

	mu    sync.Mutex
	total scanSummary
}

// scanFinding is a line of the output with --json; a contract.
type scanFinding struct {
	File    string         `json:"file"`
	Line    int            `json:"line"` // counted from 1
	Start   int64          `json:"start"`
	End     int64          `json:"end"`
	Words   int            `json:"words"`
	Kind    string         `json:"kind"`
	Lane    string         `json:"lane"`
	Records []alert.Record `json:"records"` // empty: not known

	Identifier string `json:"identifier,omitempty"` // of a phrase: its kind, such as email
}

// scanSummary is the last line of the output with --json.
type scanSummary struct {
	Files     int   `json:"files"`     // scanned to the end
	Bytes     int64 `json:"bytes"`     // of text that was scanned
	Words     int64 `json:"words"`     // in it
	Findings  int   `json:"findings"`  // lines before this one
	Unscanned int   `json:"unscanned"` // files and records that could not be scanned
}

func newScanCommand(a *app) *cobra.Command {
	s := &scan{a: a}
	cmd := &cobra.Command{
		Use:     "scan --index FILE [FILE...|-]",
		Short:   "Look for training text in files",
		Long:    scanHelp,
		Example: scanExample,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.run(cmd.Context(), args)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&s.indexes, "index", nil, "index to look in (required); may be repeated")
	f.IntVar(&s.minWords, "min-words", 0, "shortest run to report, in words (default: the index's window length)")
	f.StringVar(&s.format, "format", string(corpus.Auto), "how the files are read: "+corpus.FormatNames())
	f.StringArrayVar(&s.fields, "field", nil, "column of rows to look at; a dot descends; may be repeated")
	f.BoolVar(&s.asJSON, "json", false, "print a JSON line for each finding and a summary last")
	return cmd
}

// run scans all inputs.
func (s *scan) run(ctx context.Context, args []string) error {
	if err := s.prepare(); err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{corpus.Stdin}
	}
	jobs, err := s.find(ctx, args)
	if err != nil {
		return err
	}
	s.progress = newScanProgress(s.a.stderr, jobs)
	err = s.work(ctx, jobs)
	s.progress.stop()
	if err != nil {
		return err
	}
	return s.finish()
}

// prepare checks the flags and opens the indexes.
func (s *scan) prepare() error {
	if len(s.indexes) == 0 {
		return usageError("name the index to look in with --index FILE")
	}
	format, err := corpus.ParseFormat(s.format)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	named := []corpus.Format{corpus.Auto, corpus.JSONL, corpus.CSV, corpus.Parquet}
	switch {
	case format == corpus.JSONL && len(s.fields) == 0:
		return usageError("name the columns to look at with --field")
	case len(s.fields) > 0 && !slices.Contains(named, format):
		return usageError("--field goes with --format auto, jsonl, csv or parquet")
	}
	s.options = corpus.Options{Format: format, Fields: s.fields, Roles: []string{corpus.AnyRole}, Whole: corpus.WholeFiles}
	if s.set, err = openIndexes(s.indexes); err != nil {
		return indexError(err)
	}
	if n := s.set.Spec().N; s.minWords != 0 && s.minWords < n {
		return usageError("--min-words %d is below %d, the words in a window of the index", s.minWords, n)
	}
	// Nothing is held back here, so words may stand far apart; newlines between
	// them are remembered to name the line, which this bounds.
	s.cfg = detect.Config{Lanes: detect.AllLanes}
	answer(&s.names, s.set)
	s.cfg.MinWords, s.cfg.MaxHeld = s.minWords, 1<<20
	return nil
}

// errInterrupted ends a scan that did not reach the end of its inputs.
var errInterrupted = errors.New("interrupted: not everything was scanned")

// scanJob is one file to scan, or what cannot be scanned.
type scanJob struct {
	in  *corpus.Input
	err error
}

// find looks for the inputs, in the order of the arguments and below a folder
// in that of their paths. Rows without the columns that were asked for are an
// error of the command line.
func (s *scan) find(ctx context.Context, args []string) ([]scanJob, error) {
	stdin := &interruptible{ctx: ctx, from: s.a.stdin}
	notices := &noticePrinter{w: s.a.stderr, left: 20}
	defer notices.close()
	var jobs []scanJob
	for _, arg := range args {
		inputs, skipped, err := corpus.Find([]string{arg}, stdin, s.options)
		var columns *corpus.ColumnsError
		switch {
		case ctx.Err() != nil:
			return nil, errInterrupted
		case errors.As(err, &columns):
			return nil, &exitError{Code: exitUsage, Err: err}
		case err != nil:
			jobs = append(jobs, scanJob{err: err})
		}
		for _, f := range skipped {
			if f.Reason != corpus.Hidden {
				jobs = append(jobs, scanJob{err: fmt.Errorf("%s: %s", f.Path, f.Reason)})
			}
		}
		for i := range inputs {
			jobs = append(jobs, scanJob{in: &inputs[i]})
			if inputs[i].Decided && inputs[i].Format != corpus.Text {
				notices.print(inputs[i].String())
			}
		}
	}
	return jobs, nil
}

// finish prints the summary and decides the exit code.
func (s *scan) finish() error {
	t := s.total
	var err error
	if s.asJSON {
		err = json.NewEncoder(s.a.stdout).Encode(map[string]scanSummary{"summary": t})
	} else {
		_, err = fmt.Fprintf(s.a.stdout, "%d findings in %d files, %d words, %d bytes; %d not scanned\n", t.Findings, t.Files, t.Words, t.Bytes, t.Unscanned)
	}
	switch {
	case err != nil:
		return err
	case t.Unscanned > 0:
		return &exitError{Code: exitFailure}
	case t.Findings > 0:
		return &exitError{Code: exitFindings}
	default:
		return nil
	}
}

// scanKind names a kind of finding.
// spec is how the indexes make words.
func (s *scan) spec() ngram.Spec { return s.set.Spec() }
