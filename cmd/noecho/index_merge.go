package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"noecho/audit"
	"noecho/index/build"
)

const indexMergeHelp = `Merge indexes into one that contains the windows of all of them: for example the
indexes that the nodes of a cluster built of parts of a corpus, or an index and the
index of the texts that a retraining run added. A window is --n words in a row.

The indexes IN must have been built with the same --n, --capacity and --exclude, and
by versions of noecho with the same rules for words. Otherwise merge ends with exit
code 1, names the difference and says how to rebuild. Build each part with --capacity
set to the number of distinct windows of the whole corpus: then the merged index is
as accurate as one built from everything at once. An IN that is named twice counts
once.

The numbers of records and words are added up. The number of distinct windows is an
estimate, as it is after a build.

The memory used does not depend on the size of the indexes. FILE is replaced only
when the new index is complete. FILE may be one of IN.`

// indexMerge contains the flags of one merge.
type indexMerge struct {
	options build.MergeOptions
	mode    fileMode
	audit   auditTarget
	asJSON  bool
}

func newIndexMergeCommand(a *app) *cobra.Command {
	m := new(indexMerge)
	cmd := &cobra.Command{
		Use:     "merge --out FILE IN...",
		Short:   "Merge indexes into one",
		Long:    indexMergeHelp,
		Example: "  noecho index merge --out all.nidx shard-*.nidx\n  noecho index merge --out live.nidx live.nidx new-tickets.nidx",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case m.options.Out == "":
				return usageError("name the index to write with --out FILE")
			case len(args) == 0:
				return usageError("name the indexes to merge")
			case holdsSomethingElse(m.options.Out, indexHead):
				return usageError("%s exists and is not an index, so it is not overwritten; choose another --out", m.options.Out)
			}
			m.options.Inputs, m.options.Builder = args, readBuildInfo().Version
			return m.run(cmd.Context(), a)
		},
	}
	cmd.Flags().StringVar(&m.options.Out, "out", "", "the index to write (required)")
	cmd.Flags().Var(&m.mode, "mode", fileModeHelp)
	m.audit.add(cmd)
	cmd.Flags().BoolVar(&m.asJSON, "json", false, "print the result as JSON")
	return cmd
}

// run merges and prints the result.
func (m *indexMerge) run(ctx context.Context, a *app) error {
	if err := m.audit.ready(ctx, a); err != nil {
		return err
	}
	o := m.options
	o.Progress, o.Mode = new(build.Progress), fs.FileMode(m.mode)
	notices := &noticePrinter{w: a.stderr, left: 20}
	o.Notice = notices.print
	bar := showBuild(a.stderr, o.Progress)
	res, err := build.Merge(ctx, o)
	bar.stop()
	notices.close()
	if err != nil {
		return buildError(ctx, err)
	}
	if err := m.audit.write(ctx, a, indexEntry(audit.IndexMerged, &res.Info, res.Manifest)); err != nil {
		return err
	}
	if m.asJSON {
		return json.NewEncoder(a.stdout).Encode(indexReport{File: o.Out, Info: res.Info, Manifest: res.Manifest})
	}
	in := res.Info
	_, err = fmt.Fprintf(a.stdout, "wrote %s: %s, %s, %s, about %s of %d words (an estimate), room for %d, %s, build %s\n",
		o.Out, count(len(res.Manifest.Merged), "index"), count(in.Records, "record"), count(in.Words, "word"), count(in.Distinct, "distinct window"), in.N, in.Capacity, humanBytes(in.Bytes), in.BuildID[:12])
	return err
}
