package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/ngram"
	"noecho/proxy/detect"
)

const scanHelp = `Look in files for text that stands in an index, say in stored answers of a model
or in a data set before it is published.

FILE is a file, a folder with everything below it, a pattern, or - for standard
input, which is also what is read when no FILE is named. A file is read as one
text, JSON included: escapes are read as the characters they stand for. With
--format openai, completion or jsonl each text of each line is looked at alone,
with --field only those columns.

A finding is a run of at least --min-words words (the index's window length
unless more is asked for). Its line and its half-open range of byte offsets are
those of the file as it is. No text is printed.

Exit code 3 says that something was found, 0 that everything was scanned and
nothing was found, 1 that something could not be scanned.`

const scanExample = `  noecho scan --index support-v3.nidx answers/
  noecho scan --index a.nidx --index b.nidx --json - < answers.txt
  noecho scan --index a.nidx --field response --min-words 20 answers.jsonl`

// scan is one run of the command.
type scan struct {
	indexes  []string
	minWords int
	format   string
	fields   []string
	asJSON   bool

	a       *app
	set     *index.Joined
	options corpus.Options
	cfg     detect.Config
	out     *json.Encoder
	total   scanSummary
}

// scanFinding is a line of the output with --json; a contract.
type scanFinding struct {
	File    string       `json:"file"`
	Line    int          `json:"line"` // counted from 1
	Start   int64        `json:"start"`
	End     int64        `json:"end"`
	Words   int          `json:"words"`
	Kind    string       `json:"kind"`
	Lane    string       `json:"lane"`
	Records []scanRecord `json:"records"` // empty: not known
}

// scanRecord names a training record that a finding repeats.
type scanRecord struct {
	ID      string   `json:"id"`
	Dataset string   `json:"dataset"`
	Labels  []string `json:"labels"`
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
	f.StringVar(&s.format, "format", string(corpus.Auto), "how the files are read: auto, text, openai, completion or jsonl")
	f.StringArrayVar(&s.fields, "field", nil, "column of JSON lines to look at; may be repeated")
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
	stdin := &interruptible{ctx: ctx, from: s.a.stdin}
	for _, arg := range args {
		inputs, skipped, err := corpus.Find([]string{arg}, stdin, s.options)
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err != nil {
			s.unscanned(err)
			continue
		}
		for _, f := range skipped {
			if f.Reason != corpus.Hidden {
				s.unscanned(fmt.Errorf("%s: %s", f.Path, f.Reason))
			}
		}
		for i := range inputs {
			if err := s.input(ctx, &inputs[i]); err != nil {
				return err
			}
		}
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
	if len(s.fields) > 0 && format == corpus.Auto {
		format = corpus.JSONL
	}
	switch {
	case format == corpus.Auto:
		format = corpus.Text
	case format == corpus.JSONL && len(s.fields) == 0:
		return usageError("name the columns to look at with --field")
	case format != corpus.JSONL && len(s.fields) > 0:
		return usageError("--field goes with --format jsonl")
	}
	s.options = corpus.Options{Format: format, Fields: s.fields, Roles: []string{corpus.AnyRole}}
	if s.set, err = openIndexes(s.indexes); err != nil {
		return err
	}
	if n := s.set.Spec().N; s.minWords != 0 && s.minWords < n {
		return usageError("--min-words %d is below %d, the words in a window of the index", s.minWords, n)
	}
	// Nothing is held back here, so words may stand far apart; newlines between
	// them are remembered to name the line, which this bounds.
	s.cfg = detect.Config{MinWords: s.minWords, MaxHeld: 1 << 20}
	s.out = json.NewEncoder(s.a.stdout)
	return nil
}

// input scans one file.
func (s *scan) input(ctx context.Context, in *corpus.Input) error {
	f, err := in.Open()
	if err != nil {
		s.unscanned(err)
		return nil
	}
	defer f.Close()
	r := contextReader{ctx: ctx, r: f}
	if in.Format == corpus.Text {
		err = s.text(in, r, f.BOM)
	} else {
		err = s.rows(in, r, f.BOM)
	}
	var bad *readError
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case errors.As(err, &bad):
		s.unscanned(fmt.Errorf("%s: %w", in.Path, bad.err))
		return nil
	case err != nil:
		return err
	}
	s.total.Files++
	return nil
}

// errInterrupted ends a scan that did not reach the end of its inputs.
var errInterrupted = errors.New("interrupted: not everything was scanned")

// readError is an error of an input, as opposed to one of the output.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// text scans a file as one text. base is the offset of its first byte.
func (s *scan) text(in *corpus.Input, r io.Reader, base int64) error {
	ch := newScanChannel(s)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		ch.append(buf[:n])
		if err := s.report(ch, in.Path, base, 0); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return &readError{err}
		}
	}
	ch.finish()
	return s.report(ch, in.Path, base, 0)
}

// rows scans the texts of JSON lines, each alone and as it stands there.
func (s *scan) rows(in *corpus.Input, r io.Reader, base int64) error {
	lines := corpus.NewLines(r, in.Path, s.options)
	parser := corpus.NewParser(in.Format, s.options)
	ch := newScanChannel(s)
	var rec corpus.Record
	for {
		block, err := lines.Next()
		var bad *corpus.BadRecord
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			s.unscanned(bad)
			continue
		case err != nil:
			return &readError{err}
		}
		err = block.EachLine(func(line []byte, number int, at int64) error {
			if err := parser.Parse(line, &rec); err != nil {
				s.unscanned(&corpus.BadRecord{Path: in.Path, Line: number, Reason: err.Error()})
				return nil
			}
			for _, seg := range rec.Segments {
				ch.reset(s)
				ch.append(line[seg.RawLo:seg.RawHi])
				ch.finish()
				if err := s.report(ch, in.Path, base+at+seg.RawLo, number); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// report prints the findings that are complete. base is the offset of the
// channel in the file; line is its line, 0 if the channel counts them.
func (s *scan) report(ch *scanChannel, file string, base int64, line int) error {
	s.total.Bytes += ch.takeBytes()
	s.total.Words += ch.takeWords()
	for _, f := range ch.closed() {
		at := line
		if at == 0 {
			at = ch.lineOf(f)
		}
		s.total.Findings++
		out := scanFinding{
			File: file, Line: at, Start: base + f.Span.Lo, End: base + f.Span.Hi,
			Words: f.Words, Kind: scanKind(f.Kind), Lane: "plain", Records: []scanRecord{},
		}
		if err := s.print(out); err != nil {
			return err
		}
	}
	return nil
}

// print prints one finding.
func (s *scan) print(f scanFinding) error {
	if s.asJSON {
		return s.out.Encode(f)
	}
	_, err := fmt.Fprintf(s.a.stdout, "%s:%d: %s, %d words, bytes %d to %d\n", f.File, f.Line, f.Kind, f.Words, f.Start, f.End)
	return err
}

// unscanned reports something that could not be scanned.
func (s *scan) unscanned(err error) {
	s.total.Unscanned++
	fmt.Fprintln(s.a.stderr, "noecho: not scanned:", err)
}

// finish prints the summary and decides the exit code.
func (s *scan) finish() error {
	t := s.total
	var err error
	if s.asJSON {
		err = s.out.Encode(map[string]scanSummary{"summary": t})
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
func scanKind(k detect.Kind) string {
	if k == detect.Stuffing {
		return "stuffing"
	}
	return "verbatim"
}

// spec is how the indexes make words.
func (s *scan) spec() ngram.Spec { return s.set.Spec() }
