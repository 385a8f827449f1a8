package build

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/internal/coverage"
)

// mostUnread is the part of the text of an input argument that a build leaves unread
// without being told to.
const mostUnread = 0.01

// judge returns an error if a named field is in no row, or if too much text of an input
// argument was not read.
func judge(b *builder, t *stats) error {
	all := corpus.NewAccount()
	var said []string
	for _, arg := range t.args() {
		a := t.accounts[arg]
		all.Merge(a)
		sum := a.Table()
		if sum.Share() <= mostUnread {
			continue
		}
		columns := slices.DeleteFunc(sum.Columns, func(c coverage.Column) bool { return c.Unread == 0 })
		slices.SortStableFunc(columns, func(x, y coverage.Column) int { return cmp.Compare(y.Unread, x.Unread) })
		var names []string
		for _, c := range columns[:min(len(columns), 8)] {
			names = append(names, fmt.Sprintf("%s (%.1f %%)", cmp.Or(c.Name, "a list"), 100*float64(c.Unread)/float64(sum.Read+sum.Unread)))
		}
		said = append(said, fmt.Sprintf("%s: %.1f %% of the text is not read: %s", arg, 100*sum.Share(), strings.Join(names, ", ")))
	}
	for _, field := range b.o.Corpus.Fields {
		if !all.Found(field) && len(all.Table().Columns) > 0 {
			return all.NoField(field)
		}
	}
	if len(said) == 0 || b.o.AcceptUnread {
		return nil
	}
	if more := len(said) - 8; more > 0 {
		said = append(said[:8], fmt.Sprintf("and %d more inputs like these", more))
	}
	hint := "build without it with --accept-unread"
	if fields := all.Fields(); len(fields) > 0 {
		hint = "read it with " + strings.Join(fields, " ") + ", or " + hint
	}
	if all.Lacks(coverage.SkippedFiles) {
		hint = "do with the skipped files what is said above, leave them out with --exclude-path, or " + hint
	}
	if all.Lacks(coverage.NotUTF8) {
		hint = "name the --encoding of the text that is not UTF-8, or " + hint
	}
	e := &coverage.UnreadError{Text: strings.Join(said, "; ") + ": " + hint}
	for _, d := range describeDatasets(t, b.sources, b.skipped, b.o.Dataset, b.o.Labels) {
		if d.Coverage != nil {
			e.Tables = append(e.Tables, coverage.Named{Name: d.Name, Table: d.Coverage})
		}
	}
	return e
}

// dryRun reads the inputs once and describes them.
func dryRun(ctx context.Context, b *builder, m *index.Manifest) (*Result, error) {
	p := &pass{b: b}
	for range b.o.Workers {
		p.sinks = append(p.sinks, discard{})
	}
	b.o.Progress.Passes.Store(1)
	b.startPass(1)
	t, err := p.run(ctx)
	if err != nil {
		return nil, err
	}
	if err := judge(b, t); err != nil {
		return nil, err
	}
	b.describe(m, t, capacities{})
	return &Result{Manifest: m}, nil
}

// discard is a sink without a use for grams.
type discard struct{}

func (discard) add(*grams) error { return nil }

// skippedFiles counts skipped files by reason.
func skippedFiles(files []corpus.Skipped, arg string) *coverage.Table {
	c := &coverage.Table{Skipped: map[string]uint64{}}
	for _, f := range files {
		if f.Arg != arg {
			continue
		}
		reason, _, _ := strings.Cut(f.Reason, "; ")
		if len(c.Skipped) == 16 && c.Skipped[reason] == 0 {
			reason = "for other reasons"
		}
		c.Skipped[reason]++
	}
	return c
}
