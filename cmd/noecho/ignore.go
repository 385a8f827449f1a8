package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"noecho/internal/ignore"
	"noecho/proxy/alert"
)

func newIgnoreCommand(a *app) *cobra.Command {
	var entry ignore.Line
	var ids []string
	cmd := &cobra.Command{
		Use:   "ignore --reason TEXT [--until DATE] [--by NAME] [--id ID]... [FILE|-]",
		Short: "Write entries for common text that answers may repeat",
		Long: `Read alert lines and write an entry for each window of their findings, one a line:

  {"digest":"9f2c4a0b8d1e6f37","reason":"greeting","until":"2027-06-30","by":"ann"}

Append the lines to the file that the key ignore of the configuration names, and reload;
or give the file to noecho index build --exclude. From then on answers may repeat a
finding of which every window is listed. Look at its text first: noecho explain shows it.

Findings of identifiers are never ignored: they are reported, no entry is written, and the
exit code is 1. So are findings whose alert does not name all of their windows, such as those of 64
windows or more.`,
		Example: `  noecho ignore --reason greeting --until 2027-06-30 --by ann --id 01M8JN73SF5M6PFQQGTWC1AF8W alerts.jsonl >>ignore.jsonl
  noecho tail -o json --record train.jsonl:1 | noecho ignore --reason licence --by ann - >>ignore.jsonl`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError("ignore reads one file, got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if entry.Reason == "" {
				return usageError("say with --reason why the text may leave")
			}
			if _, err := ignore.ParseUntil(entry.Until); err != nil {
				return usageError("--%w", err)
			}
			if entry.By == "" {
				entry.By = a.getenv("USER")
			}
			w := ignoreWriter{entry: entry, ids: ids, seen: map[uint64]bool{}, out: json.NewEncoder(a.stdout)}
			if err := eachAlert(cmd.Context(), a, args, w.add); err != nil {
				return err
			}
			return w.end()
		},
	}
	f := cmd.Flags()
	f.StringVar(&entry.Reason, "reason", "", "`TEXT` that says why the text may leave (required)")
	f.StringVar(&entry.Until, "until", "", "last `DATE` on which the entry has an effect, such as 2027-06-30 (default: no end)")
	f.StringVar(&entry.By, "by", "", "`NAME` of the person who decides so (default: the variable USER)")
	f.StringArrayVar(&ids, "id", nil, "`ID` of the alert that is meant; may be repeated (default: all alerts of the input)")
	return cmd
}

// ignoreWriter writes an entry for each window of the alerts that it gets.
type ignoreWriter struct {
	entry   ignore.Line
	ids     []string // of the alerts that are meant; nil: all
	seen    map[uint64]bool
	refused int // alerts about identifiers
	partial int // findings of which the alert does not name all windows
	out     *json.Encoder
}

func (w *ignoreWriter) add(ev *alert.Event, line []byte) error {
	if ev.Type != alert.TypeFinding || len(w.ids) > 0 && !slices.Contains(w.ids, ev.ID) {
		return nil
	}
	entries, err := ignore.Parse(line)
	switch {
	case errors.Is(err, ignore.ErrIdentifier):
		w.refused++
		return nil
	case err != nil:
		return err
	}
	if ev.Kind == alert.Verbatim && ev.Windows > len(ev.Digests) || len(ev.Digests) >= alert.MaxDigests {
		w.partial++ // a finding is ignored only if all of its windows are listed
		return nil
	}
	for _, e := range entries {
		if w.seen[e.Digest] {
			continue
		}
		w.seen[e.Digest] = true
		one := w.entry
		one.Digest = fmt.Sprintf("%016x", e.Digest)
		if err := w.out.Encode(one); err != nil {
			return err
		}
	}
	return nil
}

// end returns an error if an alert got no entries.
func (w *ignoreWriter) end() error {
	var errs []error
	if w.refused > 0 {
		errs = append(errs, fmt.Errorf("%s about identifiers: %w", count(w.refused, "alert"), ignore.ErrIdentifier))
	}
	if w.partial > 0 {
		errs = append(errs, fmt.Errorf("%s whose alert does not name all windows: no entry is written for it, since a finding is ignored only if all are listed; "+
			"add the windows from a report of noecho index build --report, or leave the text out of the index with --exclude and that report", count(w.partial, "finding")))
	}
	if len(errs) == 0 && len(w.seen) == 0 {
		return errors.New("no finding with digests is among the alerts")
	}
	return errors.Join(errs...)
}
