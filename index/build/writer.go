package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"noecho/index/corpus"
)

// Record is one training example. Windows do not cross from one of its texts into
// another.
type Record struct {
	ID    string   `json:"id,omitempty"` // named by findings; empty: the number of the record is
	Texts []string `json:"text"`         // messages, fields, or one document
}

// Writer builds an index from records of the calling program. Not safe for concurrent
// use. The index is that of a [Build] from standard input with one JSON object a line,
// {"id":…,"text":[…]}: the build itself parses and hashes on all cores.
type Writer struct {
	pipe *io.PipeWriter
	buf  bytes.Buffer // lines that are not yet written to the pipe
	enc  *json.Encoder
	done chan struct{} // closed when the build has ended
	res  *Result
	err  error
}

// writerBuffer is the number of bytes that a Writer collects before it hands them on.
const writerBuffer = 256 << 10

// NewWriter begins a build of the records that follow. Of the options, Inputs, Stdin
// and Corpus stay empty; MaxDocFreq and Report, which would read the records again,
// are refused. The dataset is called "records" if Dataset is empty. If ctx ends
// before Close has returned, nothing is written; call Close in any case.
func NewWriter(ctx context.Context, o Options) (*Writer, error) {
	switch {
	case len(o.Inputs) > 0 || o.Stdin != nil:
		return nil, errors.New("a Writer takes its records from Add: leave Inputs and Stdin empty")
	case o.MaxDocFreq != 0 || o.Report != "":
		return nil, errors.New("common windows are found by reading the records again, and a Writer sees them once: leave MaxDocFreq and Report empty")
	}
	if o.Dataset == "" {
		o.Dataset = "records"
	}
	r, pipe := io.Pipe()
	o.Inputs, o.Stdin = []string{corpus.Stdin}, r
	o.Corpus = corpus.Options{Format: corpus.JSONL, Fields: []string{"text"}}
	w := &Writer{pipe: pipe, done: make(chan struct{})}
	w.enc = json.NewEncoder(&w.buf)
	w.enc.SetEscapeHTML(false)
	stop := context.AfterFunc(ctx, func() { pipe.CloseWithError(ctx.Err()) })
	go func() {
		defer close(w.done)
		defer stop()
		w.res, w.err = Build(ctx, o)
		r.CloseWithError(w.err) // a record that is added now gets the error
	}()
	return w, nil
}

// Add adds a record. An error of the build comes from the Add or Close that follows it.
func (w *Writer) Add(r Record) error {
	before := w.buf.Len()
	if err := w.enc.Encode(r); err != nil {
		return err
	}
	if n := w.buf.Len() - before; n > corpus.DefaultMaxLine {
		w.buf.Truncate(before)
		return fmt.Errorf("record of %d bytes is longer than %d MiB: add it in parts", n, corpus.DefaultMaxLine>>20)
	}
	if w.buf.Len() < writerBuffer {
		return nil
	}
	return w.flush()
}

func (w *Writer) flush() error {
	_, err := w.buf.WriteTo(w.pipe)
	return err
}

// Close completes the index and puts it in its place, or returns the first error; then
// the file that was there before stays. Close may be called again.
func (w *Writer) Close() (*Result, error) {
	if err := w.flush(); err != nil {
		w.pipe.CloseWithError(err)
	}
	w.pipe.Close()
	<-w.done
	return w.res, w.err
}
