// Command falsealarms measures how often the detector is wrong about text that is
// not in the index, and how much of it the detector holds back.
//
// It builds an index of one part of a corpus and lets package eval read the other
// part. It knows folders, flags and how a report is printed.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"noecho/detect"
	"noecho/eval"
	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/internal/program"
	"noecho/internal/windowset"
	"noecho/ngram"
)

const usage = `usage: falsealarms -corpus FOLDER -work FOLDER [flags]
       falsealarms -train FOLDER -heldout FOLDER -work FOLDER [flags]

falsealarms indexes the documents of one folder and reads those of the other, or
splits one folder by document. For every finding it checks whether the training part
contains the words. Each file is one document of plain text. The exit code is 1 if a
finding is a false alarm, a quotation was missed, or a result depends on the pieces
that the text came in.

`

// options describe a measurement.
type options struct {
	corpus, train, heldout string
	work                   string
	percent                int
	seed                   string
	maxWords               int
	quotations             string
	asJSON, showText       bool
	full, near             bool
}

// check looks for contradictions.
func (o *options) check() error {
	switch {
	case (o.corpus == "") == (o.train == "" && o.heldout == ""):
		return errors.New("name -corpus, or -train and -heldout")
	case o.corpus == "" && (o.train == "" || o.heldout == ""):
		return errors.New("-train and -heldout go together")
	case o.work == "":
		return errors.New("name a -work folder for the index")
	case o.percent < 1 || o.percent > 99:
		return errors.New("-percent must be 1 to 99")
	case o.maxWords < 1 || o.maxWords > 20_000_000:
		return errors.New("-max-words must be 1 to 20000000")
	}
	return nil
}

func main() { os.Exit(program.Run("falsealarms", run)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := program.Flags("falsealarms", usage, stderr)
	flags.StringVar(&o.corpus, "corpus", "", "`folder` to split at random, by document")
	flags.IntVar(&o.percent, "percent", 20, "`share` of the documents of -corpus that is held out")
	flags.StringVar(&o.seed, "seed", "1", "`word` that decides the split of -corpus")
	flags.StringVar(&o.train, "train", "", "`folder` of documents to index")
	flags.StringVar(&o.heldout, "heldout", "", "`folder` of documents to read")
	flags.StringVar(&o.work, "work", "", "`folder` for the index")
	flags.IntVar(&o.maxWords, "max-words", 5_000_000, "`words` of held-out text at most, which bounds memory")
	flags.StringVar(&o.quotations, "quotations", "", "`file` for the list of real quotations")
	flags.BoolVar(&o.near, "near", false, "look for near matches too")
	flags.BoolVar(&o.full, "full", false, "use everything that the product uses: near matches, phrases and all lanes too")
	flags.BoolVar(&o.asJSON, "json", false, "print the result as JSON")
	flags.BoolVar(&o.showText, "show-text", false, "show the words of findings in the text report")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := o.check(); err != nil {
		return err
	}
	r, err := measure(ctx, &o)
	if err != nil {
		return err
	}
	if err := r.print(stdout, &o); err != nil {
		return err
	}
	if !r.Clean() {
		return errors.New("the detector and the comparison of words disagree")
	}
	return nil
}

// measure builds the index of the training part and reads the held-out part.
func measure(ctx context.Context, o *options) (*report, error) {
	train, held, err := documents(o)
	if err != nil {
		return nil, err
	}
	var inputs []string
	for _, d := range train {
		inputs = append(inputs, d.Input.Path)
	}
	r := newReport()
	path := filepath.Join(o.work, "falsealarms.nidx")
	start := time.Now()
	if _, err := build.Build(ctx, build.Options{
		Out: path, Inputs: inputs, Dataset: "train", Builder: "falsealarms",
		Corpus: corpus.Options{Format: corpus.Text},
	}); err != nil {
		return nil, err
	}
	r.Index.BuildSeconds = time.Since(start).Seconds()
	start = time.Now()
	ix, err := index.Open(path)
	if err != nil {
		return nil, err
	}
	defer ix.Close()
	r.Index.OpenSeconds = time.Since(start).Seconds()
	r.Index.Bytes, r.Index.Distinct = ix.Files()[0].Info.Bytes, ix.Files()[0].Info.Distinct
	var set detect.Index = windowset.Index{Set: ix}
	cfg := detect.Config{}
	switch {
	case o.full:
		set, cfg.Lanes = ix, detect.AllLanes
	case o.near:
		set = withoutPhrases{ix}
	}
	r.FalseAlarmReport, err = eval.MeasureFalseAlarms(ctx, eval.FalseAlarmOptions{
		Set: set, Spec: ix.Spec(), Detect: cfg, Train: train, HeldOut: held, MaxWords: o.maxWords,
		Record: func(p ngram.Place) string {
			record, _ := ix.Record(p)
			return record.ID
		},
	})
	return r, err
}

// withoutPhrases is an index whose phrases are not used.
type withoutPhrases struct{ *index.Index }

// Has hides the phrases.
func (x withoutPhrases) Has() (ledger, phrases, words bool) {
	ledger, _, words = x.Index.Has()
	return ledger, false, words
}

// documents returns the documents to index and those to read, in the order of their
// paths.
func documents(o *options) (train, held []eval.Document, err error) {
	if o.corpus == "" {
		if train, err = files(o.train); err != nil {
			return nil, nil, err
		}
		held, err = files(o.heldout)
		return train, held, err
	}
	all, err := files(o.corpus)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range all {
		if heldOut(d.Name, o.seed, o.percent) {
			held = append(held, d)
		} else {
			train = append(train, d)
		}
	}
	if len(train) == 0 || len(held) == 0 {
		return nil, nil, fmt.Errorf("%d documents in %q are too few to split", len(all), o.corpus)
	}
	return train, held, nil
}

// files returns the text files of a folder and below.
func files(folder string) ([]eval.Document, error) {
	inputs, _, err := corpus.Find([]string{folder}, nil, corpus.Options{Format: corpus.Text})
	if err != nil {
		return nil, err
	}
	var docs []eval.Document
	for _, in := range inputs {
		name, err := filepath.Rel(folder, in.Path)
		if err != nil {
			return nil, err
		}
		docs = append(docs, eval.Document{Name: filepath.ToSlash(name), Input: in})
	}
	if len(docs) == 0 {
		return nil, fmt.Errorf("no files of text in %q", folder)
	}
	return docs, nil
}

// heldOut draws a document by the digest of its name, so that everybody gets the
// same split.
func heldOut(name, seed string, percent int) bool {
	sum := sha256.Sum256([]byte(seed + "\x00" + name))
	return binary.LittleEndian.Uint64(sum[:])%100 < uint64(percent)
}
