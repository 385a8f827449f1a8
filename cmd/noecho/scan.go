package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"noecho/detect"
	"noecho/index"
	"noecho/index/corpus"
	"noecho/proxy/alert"
	"noecho/proxy/policy"
)

const scanHelp = `Look in files for text of an index, for example in stored answers of a model, or in
a data set before it is published.

FILE is a file, a folder with everything below it, a quoted pattern such as
'answers/**/*.jsonl', or - for standard input. Without FILE, standard input is read.
Compressed files and archives are unpacked while they are read.

By default a file is read as one text. This includes files of JSON; their escapes are
read as the characters that they mean. With --format openai, completion, sharegpt,
alpaca, jsonl, csv or parquet each text of each row is read on its own, with --field
only the texts in those columns. Parquet files are always read by rows.

A finding is one of these, written plainly or in an encoding that noecho reads, such
as base64:

  - a run of words that the training files contain, too: at least --min-words words,
    by default as many as a window of the index has;
  - a near match: a passage of one training record with some of its words changed;
  - an indexed identifier, such as an e-mail address.

The line and the byte offsets of a finding, from its first byte to the byte behind its
last, are positions in the file; in a compressed file, in the unpacked text. In a
Parquet file the line is the number of the row and the offsets are positions in the
text of the row. No text is printed.

Exit code 3 means that something was found, 0 that everything was scanned and nothing
was found, 1 that something was not scanned: a file, a row, or more than 1 % of the
text of the rows of a file, because no format names its columns.`

const scanExample = `  noecho scan --index support-v3.nidx answers/
  noecho scan --index a.nidx --index b.nidx --json - < answers.txt
  noecho scan --index a.nidx --field response --min-words 20 answers.jsonl.gz
  noecho scan --index a.nidx --format sharegpt 'dumps/**/*.json'`

// scan is one run of the command.
type scan struct {
	indexes  []string
	keys     keyFiles
	minWords int
	format   string
	fields   []string
	encoding string
	include  []string
	exclude  []string
	asJSON   bool

	a       *app
	set     *index.Index
	records policy.Records
	options corpus.Options
	cfg     detect.Config
	taken   atomic.Int64 // bytes read of the files as they are on disk
	bar     *progress

	mu    sync.Mutex
	total scanSummary
}

// scanFinding is a line of the output with --json. Other programs read it.
type scanFinding struct {
	File    string         `json:"file"`
	Line    int            `json:"line"` // counted from 1
	Start   int64          `json:"start"`
	End     int64          `json:"end"`
	Words   int            `json:"words"`
	Kind    string         `json:"kind"`
	Lane    string         `json:"lane"`
	Records []alert.Record `json:"records"` // empty if none is known

	Identifier string `json:"identifier,omitempty"` // the kind of an identifier, such as email
}

// scanSummary is the last line of the output with --json.
type scanSummary struct {
	Files     int   `json:"files"`     // scanned to the end
	Bytes     int64 `json:"bytes"`     // of text that was scanned
	Words     int64 `json:"words"`     // of that text
	Findings  int   `json:"findings"`  // lines before this one
	Unscanned int   `json:"unscanned"` // files and records that could not be scanned, and files with text in rows that was not read
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
	s.keys.add(cmd)
	f.IntVar(&s.minWords, "min-words", 0, "shortest run to report, in words (default: the words in a window of the index)")
	f.StringVar(&s.format, "format", string(corpus.Auto), "how the files are read: "+corpus.FormatNames())
	f.StringArrayVar(&s.fields, "field", nil, "column of the rows to read; a dot descends into objects; may be repeated")
	f.StringArrayVar(&s.include, "include-path", nil, "pattern of the files to read in folders; may be repeated")
	f.StringArrayVar(&s.exclude, "exclude-path", nil, "pattern of files and folders to leave out of folders; may be repeated")
	f.StringVar(&s.encoding, "encoding", "", "encoding of the lines that are not UTF-8, such as windows-1252")
	f.BoolVar(&s.asJSON, "json", false, "print each finding as a line of JSON, and a summary last")
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
	total := scanTotal(jobs)
	s.bar = showProgress(s.a.stderr, func() step {
		return step{number: 1, name: "scanning", done: s.taken.Load(), total: total, unit: progressbar.OptionShowBytes(true)}
	})
	err = s.work(ctx, jobs)
	s.bar.stop()
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
	s.options = corpus.Options{Format: format, Fields: s.fields, Encoding: s.encoding, IncludePath: s.include, ExcludePath: s.exclude, Roles: []string{corpus.AnyRole}, Whole: corpus.WholeFiles}
	keys, err := s.keys.read(s.a)
	if err != nil {
		return err
	}
	if s.set, err = openIndexes(s.indexes, keys); err != nil {
		return indexError(err)
	}
	s.options.Window = s.set.Spec().N
	if n := s.set.Spec().N; s.minWords != 0 && s.minWords < n {
		return usageError("--min-words %d is below %d, the words in a window of the index", s.minWords, n)
	}
	// No text waits to be sent here, so the words of a finding may be far apart. The
	// line feeds between them are kept to find the line number; MaxHeld bounds them.
	s.cfg = detect.Config{Lanes: detect.AllLanes}
	s.records = recordsOf(s.set)
	s.cfg.MinWords, s.cfg.MaxHeld = s.minWords, 1<<20
	return nil
}

// errInterrupted ends a scan that did not reach the end of its inputs.
var errInterrupted = errors.New("interrupted: not everything was scanned")

// scanJob is one file to scan, or the error of an input that cannot be scanned.
type scanJob struct {
	in  *corpus.Input
	err error
}

// find returns the inputs in the order of the arguments, and those of a folder in the
// order of their paths. If no row has the columns of --field, the command line is wrong.
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
			if f.Meant() {
				notices.print(f.Path + ": skipped: " + f.Reason)
			} else {
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

// scanTotal returns the number of bytes of all files on disk, -1 if it is not known.
func scanTotal(jobs []scanJob) int64 {
	total := int64(0)
	for _, j := range jobs {
		switch {
		case j.in == nil:
		case j.in.Size < 0:
			return -1
		default:
			total += j.in.Size
		}
	}
	return total
}

// finish prints the summary and returns the exit code.
func (s *scan) finish() error {
	t := s.total
	var err error
	if s.asJSON {
		err = json.NewEncoder(s.a.stdout).Encode(map[string]scanSummary{"summary": t})
	} else {
		_, err = fmt.Fprintf(s.a.stdout, "%s in %s, %s, %s; %d not scanned\n", count(t.Findings, "finding"), count(t.Files, "file"), count(t.Words, "word"), count(t.Bytes, "byte"), t.Unscanned)
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

// work scans the files on all cores. Their findings are printed in the order of the
// files.
func (s *scan) work(ctx context.Context, jobs []scanJob) error {
	out := newTurns(s.bar.above(s.a.stdout), s.bar.above(s.a.stderr))
	g, ctx := errgroup.WithContext(ctx)
	numbers := make(chan int)
	g.Go(func() error {
		defer close(numbers)
		for i := range jobs {
			select {
			case numbers <- i:
			case <-ctx.Done():
				return errInterrupted
			}
		}
		return nil
	})
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		g.Go(func() error {
			f := &fileScan{s: s}
			f.ch = newScanChannel(s, &f.total)
			for i := range numbers {
				f.out = out.file(i)
				err := f.scan(ctx, jobs[i])
				if closeErr := f.out.close(); err == nil {
					err = closeErr
				}
				if err != nil {
					return err
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.total.add(f.total)
			return nil
		})
	}
	return g.Wait()
}

// add adds the counts of a worker.
func (t *scanSummary) add(o scanSummary) {
	t.Files += o.Files
	t.Bytes += o.Bytes
	t.Words += o.Words
	t.Findings += o.Findings
	t.Unscanned += o.Unscanned
}

// fileScan scans one file after the other.
type fileScan struct {
	s     *scan
	ch    *scanChannel
	out   *turn
	total scanSummary
	found []*detect.Finding
	line  bytes.Buffer
	taken int64 // bytes of the current file
}

// scan scans one file. A file that cannot be read is reported as not scanned. An error
// that scan returns ends the whole command.
func (f *fileScan) scan(ctx context.Context, job scanJob) error {
	if job.in == nil {
		return f.unscanned(job.err)
	}
	f.taken = 0
	var err error
	if job.in.Format == corpus.Text {
		err = f.text(ctx, job.in)
	} else {
		err = f.rows(ctx, job.in)
	}
	var bad *readError
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case errors.As(err, &bad):
		return f.unscanned(bad.err)
	case err != nil:
		return err
	}
	f.total.Files++
	return nil
}

// readError is an error of the input. Any other error is one of the output.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// fileError adds the name of the file to an error that lacks it.
func fileError(path string, err error) error {
	var damaged *corpus.DamagedError
	if errors.As(err, &damaged) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// text scans a file as one text.
func (f *fileScan) text(ctx context.Context, in *corpus.Input) error {
	file, err := in.Open()
	if err != nil {
		return &readError{err}
	}
	defer file.Close()
	f.ch.reset(f.s)
	place := func(at int64, line int) corpus.Place { return corpus.Place{Line: line, Offset: file.BOM + at} }
	buf, before := make([]byte, 64<<10), f.total.Bytes
	for {
		n, err := file.Read(buf)
		f.ch.append(buf[:n])
		f.progress(file.Taken())
		if err := f.report(in.Path, place); err != nil {
			return err
		}
		switch {
		case err == io.EOF:
			f.ch.finish()
			if err := f.report(in.Path, place); err != nil {
				return err
			}
			if lost := file.Lost(); lost != nil {
				lost.Whole(uint64(f.total.Bytes - before))
				if err := f.unread(in, lost); err != nil {
					return err
				}
			}
			return spoilt(in.Path, file.Broken(), file.Taken())
		case err != nil:
			return &readError{fileError(in.Path, err)}
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// spoilt returns an error if more than 1 % of a file of the given size is around bytes that
// are not UTF-8.
func spoilt(path string, broken, size int64) error {
	if broken*100 <= size {
		return nil
	}
	return &readError{fmt.Errorf("%s: %d bytes around bytes that are not UTF-8 were not scanned: name the --encoding", path, broken)}
}

// rows scans the texts of rows, each on its own and without its escapes.
func (f *fileScan) rows(ctx context.Context, in *corpus.Input) error {
	rows, err := in.Rows()
	if err != nil {
		return &readError{err}
	}
	defer rows.Close()
	var rec corpus.Record
	for ctx.Err() == nil {
		err := rows.Next(&rec)
		f.progress(rows.Taken())
		var bad *corpus.BadRecord
		switch {
		case err == io.EOF:
			if err := f.unread(in, rows.Account()); err != nil {
				return err
			}
			return spoilt(in.Path, rows.Broken(), rows.Taken())
		case errors.As(err, &bad):
			if err := f.unscanned(bad); err != nil {
				return err
			}
			continue
		case err != nil:
			return &readError{err}
		}
		for _, seg := range rec.Segments {
			f.ch.reset(f.s)
			f.ch.append(rec.Text(seg))
			f.ch.finish()
			if err := f.report(in.Path, func(at int64, _ int) corpus.Place { return rows.Place(seg, at) }); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// unread reports text of rows that was not read.
func (f *fileScan) unread(in *corpus.Input, a *corpus.Account) error {
	complaint := a.Complaint(in.Path)
	if complaint == "" {
		return nil
	}
	if read := a.Hint(); read != "" {
		complaint += ": " + read
	}
	return f.unscanned(errors.New(complaint))
}

// progress records how many bytes of the current file were read.
func (f *fileScan) progress(taken int64) {
	if taken != f.taken {
		f.s.taken.Add(taken - f.taken)
		f.taken = taken
	}
}

// report prints the findings that are complete. place returns the place in the file of
// a byte of the text, given the line of the text that the byte is on.
func (f *fileScan) report(file string, place func(at int64, line int) corpus.Place) error {
	f.found = f.ch.d.Closed(f.found[:0])
	for _, found := range f.found {
		lo := place(found.Span.Lo, f.ch.lineOf(found))
		hi := place(found.Span.Hi, 0)
		f.total.Findings++
		line := scanFinding{
			File: file, Line: lo.Line, Start: lo.Offset, End: hi.Offset,
			Words: found.Words, Kind: found.Kind.String(), Lane: found.Lane.String(), Records: f.s.records.Of(found),
		}
		if found.Phrase != nil {
			line.Identifier = found.Phrase.Kind
		}
		if err := f.print(line); err != nil {
			return err
		}
	}
	return nil
}

// print prints one finding.
func (f *fileScan) print(found scanFinding) error {
	f.line.Reset()
	if f.s.asJSON {
		if err := json.NewEncoder(&f.line).Encode(found); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(&f.line, "%s:%d: %s, %s, bytes %d to %d%s\n", found.File, found.Line, found.Kind, count(found.Words, "word"), found.Start, found.End, found.more())
	}
	return f.out.print(f.line.Bytes())
}

// more describes the kind of identifier, the encoding and the records of a finding, as
// far as they are known.
func (f *scanFinding) more() string {
	out := ""
	if f.Identifier != "" {
		out += ", " + f.Identifier
	}
	if f.Lane != detect.Plain.String() {
		out += ", in " + f.Lane
	}
	if len(f.Records) > 0 {
		out += ", record " + f.Records[0].ID
	}
	if n := len(f.Records) - 1; n > 0 {
		out += fmt.Sprintf(" and %d more", n)
	}
	return out
}

// unscanned reports a file or a row that could not be scanned.
func (f *fileScan) unscanned(err error) error {
	f.total.Unscanned++
	f.line.Reset()
	fmt.Fprintf(&f.line, "noecho: not scanned: %v\n", err)
	return f.out.notice(f.line.Bytes())
}

// scanChannel scans one text after the other. It runs a detector, counts words, and
// finds the line on which a finding begins. Its memory does not grow with the text.
//
// The detector decides about bytes in order; the first byte that is not decided is the
// frontier. The line of a finding is taken when the frontier passes its first byte.
type scanChannel struct {
	d     *detect.Detector
	words int64 // of the text, as counted in total
	segs  []detect.Segment

	read     int64
	line     int     // of the frontier
	newlines []int64 // offsets of line feeds: the last ones before the frontier, and all behind it
	next     int     // the first of them that is not before the frontier
	starts   map[*detect.Finding]scanLine
	total    *scanSummary // counts the bytes and words of all texts
}

// scanLine is the line of a byte.
type scanLine struct {
	at     int64
	number int
}

func newScanChannel(s *scan, total *scanSummary) *scanChannel {
	spec := s.set.Spec()
	return &scanChannel{
		d:      detect.New(s.set, spec, s.cfg),
		starts: map[*detect.Finding]scanLine{}, total: total,
	}
}

// reset begins another text.
func (c *scanChannel) reset(s *scan) {
	c.d.Reset(s.set, s.set.Spec(), s.cfg)
	c.words, c.read, c.line, c.newlines, c.next = 0, 0, 1, c.newlines[:0], 0
	clear(c.starts)
}

// append scans the next bytes.
func (c *scanChannel) append(p []byte) {
	c.forget()
	for at := 0; ; at++ {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			break
		}
		at += i
		c.newlines = append(c.newlines, c.read+int64(at))
	}
	c.read += int64(len(p))
	c.total.Bytes += int64(len(p))
	c.segs = c.d.Append(c.segs[:0], p)
	c.decided()
}

// keptBytes is the number of bytes before the frontier whose line feeds are kept. A
// finding within another one begins there, and its line is looked up late.
const keptBytes = 1 << 20

// forget drops the line feeds that are too far before the frontier.
func (c *scanChannel) forget() {
	old := 0
	for old < c.next && c.newlines[old] < c.d.Frontier()-keptBytes {
		old++
	}
	if old > len(c.newlines)/2 {
		c.newlines = append(c.newlines[:0], c.newlines[old:]...)
		c.next -= old
	}
}

// finish ends the text.
func (c *scanChannel) finish() {
	c.segs = c.d.Finish(c.segs[:0])
	c.decided()
}

// decided counts the words, and records the lines on which the decided segments begin.
func (c *scanChannel) decided() {
	words, _, _ := c.d.Counts()
	c.total.Words += words - c.words
	c.words = words
	for _, s := range c.segs {
		c.advance(s.Span.Lo)
		if s.Finding != nil {
			if _, ok := c.starts[s.Finding]; !ok {
				c.starts[s.Finding] = scanLine{s.Span.Lo, c.line}
			}
		}
	}
	c.advance(c.d.Frontier())
}

// advance moves the line count to an offset.
func (c *scanChannel) advance(to int64) {
	for c.next < len(c.newlines) && c.newlines[c.next] < to {
		c.next++
		c.line++
	}
}

// lineOf returns the line on which a complete finding begins, and forgets it. A finding
// within another one, or one that begins before its first segment, has no recorded
// line: its line is counted from the line feeds that are kept.
func (c *scanChannel) lineOf(f *detect.Finding) int {
	line, ok := c.starts[f]
	delete(c.starts, f)
	if ok && line.at <= f.Span.Lo {
		return line.number
	}
	below, _ := slices.BinarySearch(c.newlines, f.Span.Lo)
	return c.line - (c.next - below)
}
