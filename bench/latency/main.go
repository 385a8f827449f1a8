// Command latency measures the time that noecho adds to an answer. It asks the same
// scripted model directly and through noecho, one right after the other and in changing
// order, so that other work of the machine slows both.
//
// It knows how to start noecho and how to time the parts of a stream. It talks to
// loopback only, and only to programs that it started itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"noecho/internal/program"
)

const usage = `usage: latency [-noecho FILE] [-mode MODE] [-requests N] [-parallel N] [-words N] [-corpus MIB]
       latency -load DURATION [-rounds N] [-old FILE] [-parallel N] [-bytes N] …
       latency -load DURATION -streams N [-rounds N] [-old FILE] …

latency builds an index of invented text, starts internal/fakellm and noecho before
it, and asks for the same clean answer directly and through noecho. It prints
quantiles in microseconds: to the first word of a stream, to its end, and of an
answer in one piece.

With -load it prints how much processor time an answer costs noecho and other proxies
before a model that answers at once: Go's ReverseProxy, nginx if it is installed, and
another noecho with -old. They are asked in turn; try -parallel 16. With -streams
the model says a word every 50 ms in each of so many streams that are open together,
and the memory that a stream adds to the proxy is printed too. -tsv appends the
figures to a file.

`

// options describe a measurement.
type options struct {
	noecho   string
	mode     string
	requests int           // of each kind, to each side
	parallel int           // callers at a time
	words    int           // in an answer
	corpus   int           // MiB of text in the index
	load     time.Duration // of one burst of requests; 0: times are measured
	rounds   int           // of bursts
	old      string        // another noecho to compare with; empty: none
	bytes    int           // of text in an answer in one piece, with load
	streams  int           // open together, with load; 0: none
	peers    peerList      // other proxies, with load
	tsv      string        // a file that gets the figures of load; empty: none
}

// check refuses numbers that would overload this machine by a slip of the finger.
func (o *options) check() error {
	switch {
	case o.requests < 1 || o.requests > 100_000:
		return errors.New("-requests must be 1 to 100000")
	case o.parallel < 1 || o.parallel > 256:
		return errors.New("-parallel must be 1 to 256")
	case o.words < 1 || o.words > 100_000:
		return errors.New("-words must be 1 to 100000")
	case o.rounds < 1 || o.rounds > 1000:
		return errors.New("-rounds must be 1 to 1000")
	case o.bytes < 1 || o.bytes > 1<<24:
		return errors.New("-bytes must be 1 to 16777216")
	case o.streams < 0 || o.streams > 10_000:
		return errors.New("-streams must be 0 to 10000")
	case o.streams > 0 && o.load == 0:
		return errors.New("-streams needs -load, the time to measure")
	case o.corpus < 1 || o.corpus > 4096:
		return errors.New("-corpus must be 1 to 4096")
	}
	return nil
}

func main() { os.Exit(program.Run("latency", run)) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 3 && args[0] == "peer" { // started by load
		return reverseProxy(args[1], args[2])
	}
	var o options
	flags := program.Flags("latency", usage, stderr)
	flags.StringVar(&o.noecho, "noecho", "bin/noecho", "the program, a `file`")
	flags.StringVar(&o.mode, "mode", "redact", "redact, block or observe")
	flags.IntVar(&o.requests, "requests", 300, "`number` of requests of each kind to each side")
	flags.IntVar(&o.parallel, "parallel", 1, "`number` of callers at a time")
	flags.IntVar(&o.words, "words", 300, "`number` of words in an answer, each one a message")
	flags.DurationVar(&o.load, "load", 0, "measure processor time, in bursts of so long")
	flags.IntVar(&o.rounds, "rounds", 9, "`number` of bursts of each kind to each proxy")
	flags.StringVar(&o.old, "old", "", "another noecho to compare with, a `file`")
	flags.IntVar(&o.bytes, "bytes", 1250, "length in `bytes` of an answer in one piece, with -load")
	flags.IntVar(&o.streams, "streams", 0, "`number` of streams that are open together, with -load")
	flags.Var(&o.peers, "peer", "also measure a proxy, `NAME=COMMAND`: a shell runs the command, with $HOST and $PORT to listen on and $TARGET, the model; may be given again")
	flags.StringVar(&o.tsv, "tsv", "", "append the figures of -load to this `file`")
	flags.IntVar(&o.corpus, "corpus", 16, "size of the indexed text in `MiB`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	rig, err := newRig(ctx, &o, stderr)
	if err != nil {
		return err
	}
	defer rig.close()
	if o.load > 0 {
		return measureLoad(ctx, rig, &o, stdout)
	}
	found, err := rig.measure(ctx, &o)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s %s/%s, %d CPUs; %s, %d × %d words, %d callers, %d MiB indexed\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.mode, o.requests, o.words, o.parallel, o.corpus)
	return found.print(stdout)
}
