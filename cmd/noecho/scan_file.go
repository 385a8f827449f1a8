package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"noecho/detect"
	"noecho/index/corpus"
)

// work scans the files on all cores. Their output comes in their order.
func (s *scan) work(ctx context.Context, jobs []scanJob) error {
	out := newTurns(s.progress.over(s.a.stdout), s.progress.over(s.a.stderr))
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
			f := &fileScan{s: s, ch: newScanChannel(s)}
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

// add adds what another worker counted.
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
	line  bytes.Buffer
	taken int64 // bytes of the current file
}

// scan scans one file. An error that is returned ends the whole scan; what
// cannot be read is reported.
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

// readError is an error of an input, as opposed to one of the output.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

// fileError names the file of an error, unless the error does.
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
	buf := make([]byte, 64<<10)
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
			return f.report(in.Path, place)
		case err != nil:
			return &readError{fileError(in.Path, err)}
		case ctx.Err() != nil:
			return ctx.Err()
		}
	}
}

// rows scans the texts of rows, each alone and without its escapes.
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
			return nil
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

// progress notes how much of the current file was read.
func (f *fileScan) progress(taken int64) {
	if taken != f.taken {
		f.s.progress.taken.Add(taken - f.taken)
		f.taken = taken
	}
}

// report prints the findings that are complete. place says where in the file a
// byte of the text stands, given the line of the text it is on.
func (f *fileScan) report(file string, place func(at int64, line int) corpus.Place) error {
	f.total.Bytes += f.ch.takeBytes()
	f.total.Words += f.ch.takeWords()
	for _, found := range f.ch.closed() {
		lo := place(found.Span.Lo, f.ch.lineOf(found))
		hi := place(found.Span.Hi, 0)
		f.total.Findings++
		line := scanFinding{
			File: file, Line: lo.Line, Start: lo.Offset, End: hi.Offset,
			Words: found.Words, Kind: found.Kind.String(), Lane: found.Lane.String(), Records: f.s.names.Records(found),
		}
		if found.Phrase != nil {
			line.Identifier = string(found.Phrase.Kind)
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
		fmt.Fprintf(&f.line, "%s:%d: %s, %d words, bytes %d to %d%s\n", found.File, found.Line, found.Kind, found.Words, found.Start, found.End, found.more())
	}
	return f.out.print(f.line.Bytes())
}

// more says how the finding was spelled and which record it repeats, as far as
// that is known.
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

// unscanned reports something that could not be scanned.
func (f *fileScan) unscanned(err error) error {
	f.total.Unscanned++
	f.line.Reset()
	fmt.Fprintf(&f.line, "noecho: not scanned: %v\n", err)
	return f.out.notice(f.line.Bytes())
}
