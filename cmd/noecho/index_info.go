package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"aead.dev/minisign"
	"github.com/spf13/cobra"

	"noecho/index"
	"noecho/index/key"
	"noecho/internal/report"
)

// measureProbes is the number of hashes that each filter is asked for. It is large
// enough to see four false positives of the best filter, CONFIRM.
const measureProbes = 4_000_000

func newIndexInfoCommand(a *app) *cobra.Command {
	var out outputFormat
	var keys keyFiles
	cmd := &cobra.Command{
		Use:   "info FILE",
		Short: "Describe an index: its sources, its size and its accuracy",
		Long: `Describe an index: the files it was built from, how much of them was left out, and
for each part of the index its size in bytes, its bytes per word of text, and how
full it is. Every checksum is checked first; if the index is damaged, the exit code
is 4.

The hashes are in filters. A filter is small because it sometimes takes a hash for one
of its own by mistake: a false positive. info asks each filter for four million hashes
that belong to no text, and prints the measured rate of false positives beside the
expected one. This needs as much memory as the index is large. noecho index verify
needs almost none.`,
		Example: "  noecho index info support-v3.nidx\n  noecho index info --html support-v3.nidx >support-v3.html",
		Args:    oneIndex,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			keys, err := keys.read(a)
			if err != nil {
				return err
			}
			f, info, err := describeIndex(args[0], keys)
			if err != nil {
				return indexError(err)
			}
			if out.name == plainFormat {
				return printInfo(a.stdout, &info, f)
			}
			return out.write(a.stdout, indexReport{File: args[0], Info: info, Manifest: f.Manifest}, infoDocument(args[0], &info, f))
		},
	}
	keys.add(cmd)
	out.add(cmd)
	return cmd
}

// describeIndex checks and measures an index. Without the key that it was built with nothing
// is measured.
func describeIndex(path string, keys []*key.Key) (*index.File, index.Info, error) {
	ix, err := index.OpenKeyed(path, keys)
	if _, missing := errors.AsType[*key.MissingError](err); missing {
		info, manifest, err := index.Verify(path)
		if err != nil {
			return nil, index.Info{}, err
		}
		return &index.File{Path: path, Info: *info, Manifest: manifest}, *info, nil
	}
	if err != nil {
		return nil, index.Info{}, err
	}
	f := ix.Files()[0]
	info := f.Measure(measureProbes)
	return f, info, ix.Close()
}

func newIndexVerifyCommand(a *app) *cobra.Command {
	var trust []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE [--trust KEY]...",
		Short: "Check every byte of an index",
		Long: `Check every byte of an index against its checksums and its build id. If a bit has
changed or a byte is missing, the exit code is 4. noecho serve makes the same check
before it uses an index.

With --trust the index must be signed by one of these keys, as it is. Otherwise the exit
code is 4 too.`,
		Example: "  noecho index verify support-v3.nidx\n  noecho index verify support-v3.nidx --trust sign.key.pub",
		Args:    oneIndex,
		RunE: func(_ *cobra.Command, args []string) error {
			trusted, err := parseTrusted(trust)
			if err != nil {
				return usageError("--trust: %w", err)
			}
			return verifyIndex(a, args[0], trusted, asJSON)
		},
	}
	cmd.Flags().StringArrayVar(&trust, "trust", nil, "public `KEY` of minisign, or a file that contains it; may be repeated")
	cmd.Flags().BoolVar(&asJSON, "json", false, "with --trust: print the result as JSON")
	return cmd
}

// verifyIndex checks an index, and its signature if there are trusted keys.
func verifyIndex(a *app, path string, trusted []minisign.PublicKey, asJSON bool) error {
	info, _, err := index.Verify(path)
	if err != nil {
		return indexError(err)
	}
	if len(trusted) > 0 {
		s, err := readSigned(path, info.BuildID, trusted)
		if err != nil {
			return &exitError{Code: exitIntegrity, Err: err}
		}
		return printSigned(a.stdout, path, s, asJSON)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: ok, %d bytes, build %s\n", path, info.Bytes, info.BuildID)
	return err
}

// oneIndex checks that there is one argument.
func oneIndex(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError("name one index file")
	}
	return nil
}

// printInfo describes an index in tables.
func printInfo(w io.Writer, in *index.Info, f *index.File) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range infoRows(in, f) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	fmt.Fprintln(t)
	sections := sectionTable(in)
	for _, row := range append([][]string{sections.Columns}, sections.Rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// infoDocument describes an index for somebody who has no terminal. CSV has the first table.
func infoDocument(path string, in *index.Info, f *index.File) *report.Document {
	key := "This index has no key: everybody with a copy can test whether a text is in it."
	if in.KeyID != "" {
		key = "This index has a key: a copy without the key tells nothing of the texts."
	}
	return &report.Document{
		Title: "Index " + filepath.Base(path),
		Facts: []report.Fact{
			{Value: fmt.Sprintf("Made of %s. noecho withholds these texts when a model repeats them.", count(in.Records, "record"))},
			printedNow(),
		},
		Tables: []report.Table{{Title: "Contents", Columns: []string{"property", "value"}, Rows: infoRows(in, f)}, sectionTable(in)},
		Notes:  []string{"The index has hashes and no text. Every checksum was checked.", key},
	}
}

// infoRows are the properties of an index, each a name and a value.
func infoRows(in *index.Info, f *index.File) (rows [][]string) {
	m := f.Manifest
	row := func(name, format string, args ...any) {
		rows = append(rows, []string{name, fmt.Sprintf(format, args...)})
	}
	row("build id", "%s", in.BuildID)
	row("size", "%s (%s)", humanBytes(in.Bytes), count(in.Bytes, "byte"))
	row("windows", "%d words each; about %d distinct, room for %d", in.N, in.Distinct, in.Capacity)
	row("text", "%s, %s, %s, %s", count(in.Records, "record"), count(in.Segments, "segment"), count(in.Words, "word"), count(in.Windows, "window position"))
	row("words as", "normalisation %d, Unicode %s, hash %s", in.Norm, in.Unicode, in.Suite)
	row("key", "%s", cmp.Or(in.KeyID, "none: everybody with a copy can test whether a text is in it"))
	if m.Model != "" {
		row("model", "%s", m.Model)
	}
	row("corpus", "%s", m.CorpusDigest)
	if !m.Time.IsZero() {
		row("newest input", "%s", m.Time.Format(time.RFC3339))
	}
	row("built by", "noecho %s", m.Builder)
	row("not indexed", "%s", cmp.Or(m.NotIndexed.String(), "nothing"))
	if m.Phrases != nil {
		row("phrases", "%s", m.Phrases)
	}
	for _, section := range f.Lacks {
		row("lacks", "%s; build it again", section)
	}
	if len(m.Merged) > 0 {
		row("merged of", "%s; counts added up", count(len(m.Merged), "index"))
	}
	for _, e := range m.Exclusions {
		if e.Kind != "" {
			row("excluded", "%s %s", count(e.Windows, "window"), e.Kind)
			continue
		}
		row("excluded", "%s of %s", count(e.Windows, "window"), e.Digest)
	}
	for _, d := range m.Datasets {
		labels := ""
		if len(d.Labels) > 0 {
			labels = ", labels " + strings.Join(d.Labels, ", ")
		}
		row("dataset", "%s: %s, %s, %s, %s%s", d.Name, count(d.Files, "file"), humanBytes(d.Bytes), count(d.Records, "record"), count(d.Words, "word"), labels)
		if d.Coverage != nil {
			for _, line := range d.Coverage.Lines(humanBytes) {
				row("", "  %s", line)
			}
		}
	}
	if l := in.Ledger; l != nil {
		row("ledger", "%d of %d seeds, %d of them distinct, %d so common that only 16 places are kept", l.Seeds, l.Taken, l.Distinct, l.Capped)
		row("records", "%d named", l.Records)
	}
	return rows
}

// sectionTable lists the parts of an index.
func sectionTable(in *index.Info) report.Table {
	t := report.Table{Title: "Parts of the file", Columns: []string{"section", "bytes", "a word", "gram", "distinct", "fill", "false positives: expected", "measured"}}
	for _, s := range in.Sections {
		row := []string{s.Name, fmt.Sprint(s.Bytes), fmt.Sprintf("%.3f", s.PerWord), "", "", "", "", ""}
		if s.Gram != 0 {
			copy(row[3:], []string{fmt.Sprint(s.Gram), fmt.Sprint(s.Distinct), fmt.Sprintf("%.1f %%", 100*s.Fill), fmt.Sprintf("%.2g", s.FPR)})
		}
		if s.Measured != nil {
			row[7] = fmt.Sprintf("%.2g (%d of %d)", float64(s.Measured.Hits)/float64(s.Measured.Probes), s.Measured.Hits, s.Measured.Probes)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
