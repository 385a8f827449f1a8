package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/index/inventory"
	"noecho/index/key"
	"noecho/proxy/config"
)

// newIndexCommand returns the parent of the commands that build and inspect indexes.
func newIndexCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "index",
		Short: "Build and inspect indexes of training text",
		Long: `An index is one file of hashes, made from the files that a model was trained on.
It contains no text. noecho serve and noecho scan use it to find out whether words of
an answer, by default ten in a row, occur in the training files.`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newIndexBuildCommand(a), newIndexInfoCommand(a), newIndexKeygenCommand(a), newIndexMergeCommand(a), newIndexNewKeyCommand(a), newIndexSignCommand(a), newIndexVerifyCommand(a))
	return cmd
}

// indexError sets the exit code of an error from package index or corpus.
func indexError(err error) error {
	var columns *corpus.ColumnsError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, index.ErrDamaged):
		return damagedIndex(err)
	case errors.As(err, &columns):
		return &exitError{Code: exitUsage, Err: err}
	default:
		return err
	}
}

// damagedIndex adds the remedy and the exit code to the error of a damaged index.
func damagedIndex(err error) error {
	return &exitError{Code: exitIntegrity, Err: fmt.Errorf("%w: copy the file again, or build the index anew", err)}
}

// buildError sets the exit code of an error that ended a build, merge or measurement.
func buildError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted: nothing was written")
	}
	if _, ok := errors.AsType[*inventory.ExcludedError](err); ok {
		return &exitError{Code: exitRefused, Err: fmt.Errorf("%w; nothing was written", err)}
	}
	return indexError(err)
}

// openIndexes opens index files, and with them the keys that they need, as one index, and adds the number of bytes read so far to
// each of checked. On an error none of the files stays open.
func openIndexes(paths []string, keys []*key.Key, checked ...*atomic.Int64) (set *index.Index, err error) {
	var open []*index.Index
	defer func() {
		if err != nil {
			for _, ix := range open {
				_ = ix.Close()
			}
		}
	}()
	for _, p := range paths {
		ix, err := index.OpenKeyed(p, keys, checked...)
		if err != nil {
			return nil, keyError(err, keys)
		}
		open = append(open, ix)
		if _, err := index.Join(open[0], ix); err != nil {
			return nil, fmt.Errorf("%s cannot be used together with %s: %w", p, paths[0], err)
		}
	}
	return index.Join(open...)
}

// byteSize is the value of a flag for a number of bytes, such as 500MB, 2GiB or 1048576.
type byteSize int64

// sizeUnits are the units of a byteSize. String uses the first four, largest first.
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
		return fmt.Errorf("%q is not a size: write one such as 500MB or 2GiB", text)
	}
	*s = byteSize(n * float64(unit))
	return nil
}

func (s *byteSize) Type() string { return "size" }

// fileModeHelp is the help of the flag --mode of the commands that write an index.
const fileModeHelp = "permissions of the index in octal digits, such as 0644 for every user to read it (default: those of the file it replaces, or 0640)"

// fileMode is the value of a flag for the permissions of a file, in octal digits.
type fileMode fs.FileMode

func (m *fileMode) String() string {
	if *m == 0 {
		return ""
	}
	return fmt.Sprintf("%04o", uint32(*m))
}

func (m *fileMode) Set(text string) error {
	mode, err := config.ParseFileMode(text)
	*m = fileMode(mode)
	return err
}

func (m *fileMode) Type() string { return "mode" }

// humanBytes writes a number of bytes with a unit and one decimal.
func humanBytes(n uint64) string {
	for _, u := range sizeUnits[:4] {
		if n >= uint64(u.n) {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.n), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

// interruptible is a reader whose Read returns when the context ends. A read from a
// terminal or a pipe cannot be interrupted, so another goroutine waits for it.
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
