package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"noecho/audit"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// auditEntry returns the entry about an alert. Only alerts about the process itself and digests
// get one.
func auditEntry(ev *alert.Event) (entry audit.Entry, ok bool) {
	e := audit.Entry{
		ID: ev.ID, Time: ev.Time, Version: versionForAudit(ev.Build),
		Counts: map[string]uint64{}, Digests: map[string]string{}, IDs: map[string]string{"boot": ev.Boot}, States: map[string]string{},
	}
	switch ev.Type {
	case alert.TypeDigest:
		e.Type = audit.AlertsDigest
		for kind, n := range ev.Counts {
			e.Counts[string(kind)] = n
		}
		e.Counts["first"], e.Counts["last"], e.Counts["lines"] = ev.First, ev.Seq-1, ev.Lines
		e.Digests["lines"] = ev.SHA256
		return e, true
	case alert.TypeStart:
		e.Type = audit.ServeStart
	case alert.TypeStop:
		e.Type = audit.ServeStop
	case alert.TypeReload:
		e.Type = audit.ServeReload
	default:
		return e, false
	}
	e.Counts["seq"], e.Counts["generation"] = ev.Seq, ev.Index.Generation
	if ev.Action != "" {
		e.States["action"] = string(ev.Action)
	}
	if ev.Mode != "" {
		e.States["mode"] = ev.Mode
	}
	for i, build := range strings.Split(ev.Index.BuildID, "+") {
		if len(build) == 64 { // the last of many may have been cut
			e.Digests["build_"+strconv.Itoa(i+1)] = build
		}
	}
	return e, true
}

// anchorOf returns what an entry says of alert lines.
func anchorOf(record []byte) (anchor alert.Anchor, ok bool) {
	e, err := audit.Decode(record)
	if err != nil {
		return anchor, false
	}
	switch e.Type {
	case audit.AlertsDigest:
		return alert.Anchor{Boot: e.IDs["boot"], First: e.Counts["first"], Last: e.Counts["last"], Lines: e.Counts["lines"], SHA256: e.Digests["lines"]}, true
	case audit.ServeStart, audit.ServeStop, audit.ServeReload:
		return alert.Anchor{Boot: e.IDs["boot"], First: e.Counts["seq"], Last: e.Counts["seq"]}, true
	}
	return anchor, false
}

// rotatedFiles returns the rotated files of an alert file that are there, oldest first, and the
// file itself.
func rotatedFiles(path string) ([]string, error) {
	names, err := filepath.Glob(globEscape(path) + ".*")
	if err != nil {
		return nil, err
	}
	number := func(name string) int {
		n, err := strconv.Atoi(strings.TrimPrefix(name, path+"."))
		if err != nil {
			return 0
		}
		return n
	}
	names = slices.DeleteFunc(names, func(name string) bool { return number(name) < 1 })
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
	return append(names, path), nil
}

// globEscape returns a pattern that matches a path alone.
func globEscape(path string) string {
	return strings.NewReplacer(`*`, `[*]`, `?`, `[?]`, `[`, `[[]`).Replace(path)
}

// readChains reads alert files with their rotated ones.
func readChains(files []string, each func(ev *alert.Event, problem string)) ([]*alert.Chain, error) {
	var chains []*alert.Chain
	for _, file := range files {
		paths, err := rotatedFiles(file)
		if err != nil {
			return nil, err
		}
		c, err := alert.ReadChain(paths, each)
		if err != nil {
			return nil, err
		}
		chains = append(chains, c)
	}
	return chains, nil
}

func newAuditCollectCommand(a *app) *cobra.Command {
	var into string
	var key auditKey
	var out outputFormat
	cmd := &cobra.Command{
		Use:   "collect --into DIR ALERTS...",
		Short: "Take alert files of many instances into one audit log",
		Long: `Read the alert files of noecho instances, and add their starts, stops, reloads and
digests to the audit log in DIR. Use it where instances have no folder that they can
write, or where one log is to have the events of all of them. Rotated files (ALERTS.1 and
so on) are read too. An event that the log has already is left out, so run the command
again and again on growing files, more often than they are deleted.

The lines before each digest are hashed and compared with it and with the log. If lines
were changed or are missing, the file and line are named, that digest is left out, and
the exit code is 4.`,
		Example: "  noecho audit collect --into audit /var/log/noecho/*/alerts.jsonl",
		Args: func(_ *cobra.Command, args []string) error {
			if into == "" || len(args) == 0 {
				return usageError("name the audit log with --into DIR, and the alert files")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			log, err := openAudit(cmd.Context(), into, key.file(a, into))
			if err != nil {
				return err
			}
			added, found, err := collect(a, log, args)
			if err = errors.Join(err, log.Close()); err != nil {
				return auditError(err)
			}
			return (&collected{added, found, len(args)}).print(a.stdout, &out)
		},
	}
	cmd.Flags().StringVar(&into, "into", "", "`DIR` of the audit log (required)")
	out.add(cmd)
	key.add(cmd, "key-file")
	return cmd
}

// print prints the number of entries that were added, and the problems of the files.
func (c *collected) print(w io.Writer, out *outputFormat) error {
	failed := &exitError{Code: exitIntegrity}
	var err error
	if out.name == plainFormat {
		_, err = fmt.Fprintf(w, "added %s from %s with %s\n", count(c.Added, "entry"), count(c.files, "file"), count(c.Lines, "alert"))
		failed.Err = errors.New(strings.Join(c.Problems, "\n"))
	} else {
		err = out.write(w, c, c.document())
	}
	if err == nil && len(c.Problems) > 0 {
		return failed
	}
	return err
}

// collect adds the events of alert files to a log, and returns how many it added.
func collect(a *app, log *audit.Log, files []string) (added int, found alert.Found, err error) {
	known, anchors := map[string]bool{}, []alert.Anchor{}
	if err := log.Entries(func(_ int64, record []byte) error {
		e, err := audit.Decode(record)
		known[e.ID] = true
		if anchor, ok := anchorOf(record); ok {
			anchors = append(anchors, anchor)
		}
		return err
	}); err != nil {
		return 0, found, err
	}
	var entries []audit.Entry
	chains, err := readChains(files, func(ev *alert.Event, problem string) {
		e, ok := auditEntry(ev)
		if !ok || known[ev.ID] || problem != "" {
			return
		}
		record, err := e.Encode()
		if err != nil { // a line that noecho did not write
			fmt.Fprintf(a.stderr, "noecho: event %d of boot %s left out: %v\n", ev.Seq, printable(ev.Boot), err)
			return
		}
		if anchor, ok := anchorOf(record); ok { // a second file must not say otherwise
			anchors = append(anchors, anchor)
		}
		known[ev.ID] = true
		entries = append(entries, e)
	})
	if err == nil {
		err = log.Append(entries...)
	}
	if err != nil {
		return 0, found, err
	}
	return len(entries), alert.CheckAnchors(chains, anchors, alert.SomeInstances), nil
}

// recorded is a sink that also writes an entry to the audit log for starts, reloads, stops and
// digests, once their lines are written. If the log cannot be written, the entries wait, and
// Sync returns the error, so that the sink counts as down.
type recorded struct {
	alert.Sink
	audit   config.Audit
	log     *slog.Logger
	line    []byte // the line that is being written
	waiting []audit.Entry
	lost    uint64 // entries that waited and were dropped
	said    string // the error that was logged last
}

// maxWaiting bounds the entries that wait for the log. Older ones are lost, and an entry says how
// many; audit collect adds them from the alert file.
const maxWaiting = 10_000

// newRecorded checks that the audit log can be written.
func newRecorded(ctx context.Context, sink alert.Sink, o config.Audit, log *slog.Logger) (*recorded, error) {
	o.KeyFile = cmp.Or(o.KeyFile, filepath.Clean(o.Dir)+".key")
	l, err := openAudit(ctx, o.Dir, o.KeyFile)
	if err != nil {
		return nil, err
	}
	return &recorded{Sink: sink, audit: o, log: log}, l.Close()
}

// Write implements [alert.Sink].
func (r *recorded) Write(line []byte) (int, error) {
	n, err := r.Sink.Write(line)
	r.line = append(r.line, line[:n]...)
	if n < len(line) {
		return n, err
	}
	if r.concerns() {
		var ev alert.Event
		if json.Unmarshal(r.line, &ev) == nil {
			if e, ok := auditEntry(&ev); ok {
				r.waiting = append(r.waiting, e)
			}
		}
	}
	r.line = r.line[:0]
	return n, err
}

// concerns reports whether the line is of a type that gets an entry.
func (r *recorded) concerns() bool {
	head := r.line[:min(len(r.line), 64)]
	for _, t := range []alert.Type{alert.TypeStart, alert.TypeStop, alert.TypeReload, alert.TypeDigest} {
		if bytes.Contains(head, []byte(`"type":"`+t+`"`)) {
			return true
		}
	}
	return false
}

// Reopen implements [alert.Sink]. A line of which the old file got a part is written anew.
func (r *recorded) Reopen() error {
	err := r.Sink.Reopen()
	if err == nil {
		r.line = r.line[:0]
	}
	return err
}

// Sync implements [alert.Sink].
func (r *recorded) Sync() error {
	err := r.Sink.Sync()
	if len(r.waiting) == 0 {
		return err
	}
	entries := r.waiting
	if r.lost > 0 {
		gap := audit.Entry{Type: audit.Gap, Time: r.waiting[0].Time, Version: r.waiting[0].Version, Counts: map[string]uint64{"entries": r.lost}}
		entries = append([]audit.Entry{gap}, entries...)
	}
	logged := appendAudit(context.Background(), r.audit.Dir, r.audit.KeyFile, entries...)
	if logged == nil {
		r.waiting, r.lost, r.said = nil, 0, ""
		return err
	}
	if r.said != logged.Error() {
		r.said = logged.Error()
		r.log.Error("the audit log cannot be written; entries wait", "entries", len(r.waiting), "reason", r.said)
	}
	if more := len(r.waiting) - maxWaiting; more > 0 {
		r.waiting = slices.Delete(r.waiting, 0, more)
		r.lost += uint64(more)
	}
	return errors.Join(err, logged)
}

// alertFiles are the flags of audit verify for alert files.
type alertFiles struct {
	files  []string
	extent bool // the files are those of some instances only
}

func (f *alertFiles) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.files, "alerts", nil, "alert `FILE`, with its rotated ones, to compare with the digests in the log; may be repeated")
	cmd.Flags().BoolVar(&f.extent, "some-instances", false, "the alert files are not those of all instances in the log")
}

// compare compares the files with the anchors of a log.
func (f *alertFiles) compare(anchors []alert.Anchor) (*alert.Found, error) {
	if len(f.files) == 0 {
		return nil, nil
	}
	for _, file := range f.files {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	chains, err := readChains(f.files, func(*alert.Event, string) {})
	if err != nil {
		return nil, err
	}
	extent := alert.AllInstances
	if f.extent {
		extent = alert.SomeInstances
	}
	found := alert.CheckAnchors(chains, anchors, extent)
	return &found, nil
}
