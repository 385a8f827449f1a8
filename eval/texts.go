package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"noecho/index/corpus"
	"noecho/ngram"
)

// CorpusSize says how much text was read.
type CorpusSize struct {
	Files      int `json:"files"`
	Texts      int `json:"texts"` // segments: messages, fields, whole files
	Words      int `json:"words"`
	BadRecords int `json:"bad_records"`
	Unscanned  int `json:"unscanned,omitempty"` // files with text in rows that is not read

	unread string // which text of the first of these files
}

// visitor receives the texts of a corpus, each in pieces.
type visitor interface {
	begin()
	add(p []byte)
	end()
}

// readTexts reads every text of the inputs as a build of an index does.
func readTexts(ctx context.Context, inputs []corpus.Input, v visitor, p *Progress) (CorpusSize, error) {
	var size CorpusSize
	for i := range inputs {
		in := &inputs[i]
		var err error
		if in.Format == corpus.Text {
			err = readText(ctx, in, v, p, &size)
			size.Texts++
		} else {
			err = readRows(ctx, in, v, p, &size)
		}
		if err != nil {
			return size, err
		}
		size.Files++
	}
	return size, nil
}

// account counts a file with text that is not read.
func (s *CorpusSize) account(a *corpus.Account, path string) {
	if complaint := a.Complaint(path); complaint != "" {
		s.Unscanned++
		s.unread = cmp.Or(s.unread, complaint)
	}
}

// readText reads a file that is one text.
func readText(ctx context.Context, in *corpus.Input, v visitor, p *Progress, size *CorpusSize) error {
	f, err := in.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	v.begin()
	buf := make([]byte, 64<<10)
	taken, all := int64(0), uint64(0)
	for ctx.Err() == nil {
		n, err := f.Read(buf)
		all += uint64(n)
		v.add(buf[:n])
		p.Done.Add(f.Taken() - taken)
		taken = f.Taken()
		switch {
		case err == io.EOF:
			v.end()
			if lost := f.Lost(); lost != nil {
				lost.Whole(all)
				size.account(lost, in.Path)
			}
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", in.Path, err)
		}
	}
	return ctx.Err()
}

// readRows reads a file of rows. A row that cannot be read is counted and left out: the
// index leaves it out too.
func readRows(ctx context.Context, in *corpus.Input, v visitor, p *Progress, size *CorpusSize) error {
	rows, err := in.Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	var rec corpus.Record
	taken := int64(0)
	for ctx.Err() == nil {
		err := rows.Next(&rec)
		p.Done.Add(rows.Taken() - taken)
		taken = rows.Taken()
		var bad *corpus.BadRecord
		switch {
		case err == io.EOF:
			size.account(rows.Account(), in.Path)
			return nil
		case errors.As(err, &bad):
			size.BadRecords++
			continue
		case err != nil:
			return err
		}
		for _, seg := range rec.Segments {
			size.Texts++
			v.begin()
			v.add(rec.Text(seg))
			v.end()
		}
	}
	return ctx.Err()
}

// wholeTexts passes each text on in one piece.
type wholeTexts struct {
	scan  *ngram.Scanner
	text  []byte
	words []ngram.Word
	f     func(text []byte, words []ngram.Word) error // may be nil
	err   error
}

func (v *wholeTexts) begin() {
	v.scan.Reset()
	v.text, v.words = v.text[:0], v.words[:0]
}

func (v *wholeTexts) add(p []byte) {
	v.text = append(v.text, p...)
	v.words = v.scan.Append(v.words, p)
}

func (v *wholeTexts) end() {
	v.words = v.scan.Finish(v.words)
	if v.err == nil && v.f != nil {
		v.err = v.f(v.text, v.words)
	}
}
