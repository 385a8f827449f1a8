package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"noecho/index"
	"noecho/index/corpus"
)

// newIndexCommand is the parent of what makes and inspects indexes.
func newIndexCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "index",
		Short: "Build and inspect indexes of training text",
		Long: `An index is one file of hashes made from the files a model was trained on. It
holds no text. The proxy and the scanner ask it whether ten words in a row stand
in the training data.`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newIndexBuildCommand(a), newIndexInfoCommand(a), newIndexMergeCommand(a), newIndexVerifyCommand(a))
	return cmd
}

// indexError gives an error of package index or corpus its exit code.
func indexError(err error) error {
	var columns *corpus.ColumnsError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, index.ErrDamaged):
		return &exitError{Code: exitIntegrity, Err: err}
	case errors.As(err, &columns):
		return &exitError{Code: exitUsage, Err: err}
	default:
		return err
	}
}

// buildError gives an error of a build, merge or measurement its exit code.
func buildError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was written")
	}
	return indexError(err)
}

// openIndexes opens the named indexes as one. On an error none stays open.
func openIndexes(paths []string) (set *index.Index, err error) {
	var open []*index.Index
	defer func() {
		if err != nil {
			for _, ix := range open {
				_ = ix.Close()
			}
		}
	}()
	for _, p := range paths {
		ix, err := index.Open(p)
		if err != nil {
			return nil, err
		}
		open = append(open, ix)
		if _, err := index.Join(open[0], ix); err != nil {
			return nil, fmt.Errorf("%s does not fit %s: %w", p, paths[0], err)
		}
	}
	return index.Join(open...)
}

// byteSize is a flag for a number of bytes: 500MB, 2GiB, 1048576.
type byteSize int64

// sizeUnits are the units of a byteSize, the largest first in what String uses.
var sizeUnits = []struct {
	name string
	n    int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
	{"kB", 1e3},
	{"B", 1},
}

func (s *byteSize) String() string {
	for _, u := range sizeUnits[:4] {
		if n := int64(*s); n >= u.n && n%u.n == 0 {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

func (s *byteSize) Set(text string) error {
	unit := int64(1)
	number := text
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = rest, u.n
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || n <= 0 || n*float64(unit) > 1<<62 {
		return fmt.Errorf("%q is no size: say 500MB or 2GiB", text)
	}
	*s = byteSize(n * float64(unit))
	return nil
}

func (s *byteSize) Type() string { return "size" }

// humanBytes prints a number of bytes for people.
func humanBytes(n uint64) string {
	for _, u := range sizeUnits[:4] {
		if n >= uint64(u.n) {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.n), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// interruptible is a reader that stops waiting when the context ends: a read of
// a terminal or a pipe cannot be called off itself.
type interruptible struct {
	ctx  context.Context
	from io.Reader
	once sync.Once
	pipe *io.PipeReader
}

func (r *interruptible) Read(p []byte) (int, error) {
	r.once.Do(func() {
		pr, pw := io.Pipe()
		r.pipe = pr
		context.AfterFunc(r.ctx, func() { pw.CloseWithError(r.ctx.Err()) })
		go func() {
			_, err := io.CopyBuffer(pw, struct{ io.Reader }{r.from}, make([]byte, 256<<10))
			pw.CloseWithError(err)
		}()
	})
	return r.pipe.Read(p)
}
