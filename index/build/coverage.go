package build

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"noecho/index"
	"noecho/index/corpus"
	"noecho/internal/coverage"
)

// judge returns an error if a named field is in no row, or if too much text of an input
// argument was not read.
func judge(b *builder, t *stats) error {
	all := corpus.NewAccount()
	var said []string
	for _, arg := range t.args() {
		a := t.accounts[arg]
		all.Merge(a)
		if complaint := a.Complaint(arg); complaint != "" {
			said = append(said, complaint)
		}
	}
	for _, field := range b.o.Corpus.Fields {
		if !all.Found(field) && len(all.Table().Columns) > 0 {
			return all.NoField(field)
		}
	}
	if err := all.NoRole(b.o.Corpus.Roles); err != nil && t.windows > 0 {
		return err
	}
	if len(said) == 0 || b.o.AcceptUnread {
		return nil
	}
	if more := len(said) - 8; more > 0 {
		said = append(said[:8], fmt.Sprintf("and %d more inputs like these", more))
	}
	hint := "build without it with --accept-unread"
	if all.OnlyBad() {
		hint = "correct the rows that are named above, read all of the file as one text with --format text, or " + hint
	}
	if read := all.Hint(); read != "" {
		hint = read + ", or " + hint
	}
	if all.Lacks(coverage.Attachments) {
		hint = "save the attachments of the mail as files and name these too, and " + hint
	}
	if all.Lacks(coverage.SkippedFiles) {
		hint = "convert the skipped files as said above, leave them out with " + leaveOut(b.skipped) + ", or " + hint
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

// leaveOut returns the flags that leave out the skipped files with text.
func leaveOut(files []corpus.Skipped) string {
	var flags []string
	for _, f := range files {
		if f.Text == 0 || f.Meant() {
			continue
		}
		pattern := filepath.Base(f.Path)
		if ext := filepath.Ext(pattern); ext != "" {
			pattern = "*" + ext
		}
		if flag := "--exclude-path '" + strings.ReplaceAll(pattern, "'", "?") + "'"; !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	return strings.Join(flags[:min(len(flags), 8)], " ")
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
		c.Skipped[reason] += uint64(max(1, f.Files))
	}
	return c
}
