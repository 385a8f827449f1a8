package build

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"noecho/index/corpus"
	"noecho/ngram"
)

// Record is one training example. No window extends from one of its texts into the
// next.
type Record struct {
	ID    string   `json:"id,omitempty"` // name of the record in findings; empty: findings name its number
	Texts []string `json:"text"`         // messages, fields, or one document
}

// Writer builds an index from records of the calling program. Not safe for concurrent
// use. The index is the same as that of a [Build] from standard input with one JSON
// object on each line, {"id":…,"text":[…]}. The build parses and hashes the records on
// all cores.
type Writer struct {
	pipe *io.PipeWriter
	buf  bytes.Buffer // lines that are not written to the pipe yet
	enc  *json.Encoder
	done chan struct{} // closed when the build has ended
	res  *Result
	err  error

	closed bool // Close was called
}

// writerBuffer is the number of bytes that a Writer collects before it passes them to
// the build.
const writerBuffer = 256 << 10

// NewWriter starts a build from records. Out is required. The options Inputs, Stdin
// and Corpus must be empty, and so must MaxDocFreq and Report, which need to read the
// records twice. An empty Dataset becomes "records". If ctx ends before Close has
// returned, no file is written. The caller must call Close in any case.
func NewWriter(ctx context.Context, o Options) (*Writer, error) {
	switch {
	case o.Out == "":
		return nil, errNoName
	case len(o.Inputs) > 0 || o.Stdin != nil:
		return nil, errors.New("a Writer takes its records from Add: leave Inputs and Stdin empty")
	case !reflect.ValueOf(o.Corpus).IsZero():
		return nil, errors.New("a Writer takes records that are read already: leave Corpus empty")
	case o.MaxDocFreq != 0 || o.Report != "":
		return nil, errors.New("the search for common windows reads the records several times, but a Writer gets them only once: leave MaxDocFreq and Report empty")
	}
	if _, err := ngram.NewSpec(cmp.Or(o.N, ngram.DefaultN), ngram.XXH64); err != nil {
		return nil, err
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
		r.CloseWithError(w.err) // the next Add returns the error
	}()
	return w, nil
}

// Add adds a record. An error of the build may be returned by a later Add or by Close.
// After Close every Add is an error.
func (w *Writer) Add(r Record) error {
	if w.closed {
		return errors.New("the Writer is closed and takes no more records")
	}
	before := w.buf.Len()
	if err := w.enc.Encode(r); err != nil {
		return err
	}
	if n := w.buf.Len() - before; n > corpus.DefaultMaxLine {
		w.buf.Truncate(before)
		return fmt.Errorf("record of %d bytes is longer than %d MiB: split its texts into several records", n, corpus.DefaultMaxLine>>20)
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

// Close completes the index and puts it at Options.Out, or returns the first error and
// leaves the previous file unchanged. Close may be called again.
func (w *Writer) Close() (*Result, error) {
	w.closed = true
	if err := w.flush(); err != nil {
		w.pipe.CloseWithError(err)
	}
	w.pipe.Close()
	<-w.done
	return w.res, w.err
}
