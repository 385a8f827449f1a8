// Command falsealarms measures what the detector does to text that was not trained
// on: how often it is wrong, and how much it holds back.
//
// It builds an index of one part of a corpus, reads the other part through a
// detector as the proxy would, and then judges every finding by a second method
// that shares nothing with the index: the words of each window, spelled out and
// compared (oracle.go). It knows files, windows and detectors. It knows nothing
// of HTTP, and uses the index only as anybody would.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"noecho/detect"
	"noecho/index"
	"noecho/index/corpus"
)

const usage = `usage: falsealarms -corpus FOLDER -work FOLDER [flags]
       falsealarms -train FOLDER -heldout FOLDER -work FOLDER [flags]

falsealarms indexes the documents of one folder and reads those of the other, or
splits one folder by document, and says of every finding whether the words do
stand in the training part. Each file is one document of plain text. It exits
with 1 if a finding is a false alarm, a quotation was missed, or a result
depends on how the text was cut.

`

// options is what to measure.
type options struct {
	corpus, train, heldout string
	work                   string
	percent                int
	seed                   string
	maxWords               int
	quotations             string
	asJSON, showText       bool
	full                   bool
	near                   bool
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "falsealarms:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("falsealarms", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.corpus, "corpus", "", "`folder` to split at random, by document")
	flags.IntVar(&o.percent, "percent", 20, "`share` of the documents of -corpus that is held out")
	flags.StringVar(&o.seed, "seed", "1", "`word` that decides the split of -corpus")
	flags.StringVar(&o.train, "train", "", "`folder` of documents to index")
	flags.StringVar(&o.heldout, "heldout", "", "`folder` of documents to read")
	flags.StringVar(&o.work, "work", "", "`folder` for the index")
	flags.IntVar(&o.maxWords, "max-words", 5_000_000, "`words` of held-out text at most, which bounds memory")
	flags.StringVar(&o.quotations, "quotations", "", "`file` for the list of real quotations")
	flags.BoolVar(&o.near, "near", false, "look for near matches too")
	flags.BoolVar(&o.full, "full", false, "judge as the product does: near matches, phrases and all lanes too")
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
	r, err := measure(ctx, &o, newProgress(stderr))
	if err != nil {
		return err
	}
	if err := r.print(stdout, &o); err != nil {
		return err
	}
	if !r.clean() {
		return errors.New("the detector and the spelled-out windows disagree")
	}
	return nil
}

// measure does everything: build, spell out, replay, judge.
func measure(ctx context.Context, o *options, show *progress) (*report, error) {
	defer show.done()
	train, held, err := documents(o)
	if err != nil {
		return nil, err
	}
	r := newReport(train)
	path := filepath.Join(o.work, "falsealarms.nidx")
	start := time.Now()
	show.phase("index", len(train))
	if _, err := index.Build(ctx, index.BuildOptions{
		Out: path, Inputs: paths(train), Dataset: "train", Builder: "falsealarms",
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
	r.Index.read(ix.Info())
	exact := newOracle(ix.Spec())
	if held, err = exact.learn(ctx, held, o.maxWords, show); err != nil {
		return nil, err
	}
	if err := exact.look(ctx, train, show); err != nil {
		return nil, err
	}
	cfg := detect.Config{}
	switch {
	case o.full:
		cfg = everything(ix)
	case o.near:
		cfg.Ledger = ix
	}
	if err := replay(ctx, ix, cfg, exact, held, r, show); err != nil {
		return nil, err
	}
	return r, nil
}
