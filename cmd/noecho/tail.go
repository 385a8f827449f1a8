package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noecho/proxy/alert"
)

// defaultAlerts is the file that tail reads if it is told nothing.
const defaultAlerts = "alerts.jsonl"

// tailFlags are the flags of tail as they were typed.
type tailFlags struct {
	follow   bool
	since    string
	severity string
	actions  []string
	kinds    []string
	records  []string
	labels   []string
	json     bool
}

func newTailCommand(a *app) *cobra.Command {
	var flags tailFlags
	cmd := &cobra.Command{
		Use: "tail [-f] [--since TIME] [--severity LEVEL] [--action ACTION]... [--kind KIND]...\n" +
			"  [--record ID]... [--label LABEL]... [--json] [FILE]",
		Short: "Show alerts, and follow them as they come",
		Long: `Show the alerts of a file, one a line, oldest first; with -f go on as they come,
until Ctrl-C.

FILE is the file that noecho serve writes with --alerts. Without FILE it is the
one that the variable NOECHO_ALERTS names, and else ` + defaultAlerts + ` in the current
folder. - reads the standard input.

-f shows what the file holds and then waits for more. It stays with the alerts
when the file is rotated, be it renamed or truncated, and waits for a file that
is not there yet. Rotated files from before the start are not read.

Nothing is passed over in silence: a line that is no alert, or a number missing
from the sequence, is reported on the standard error; a gap record, which says
that events were lost, is shown whatever the filters say. Without -f, a file with
lines of which none is an alert ends with exit code 1.`,
		Example: `  noecho tail -f alerts.jsonl
  noecho tail -f --since 0s --severity high
  noecho tail --kind phrase --kind membership_probing --label pii alerts.jsonl
  noecho tail --since 24h --action blocked --action redacted --json alerts.jsonl | jq -r .request_id
  noecho serve --config noecho.yaml | noecho tail -`,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError("tail reads one file, got %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := flags.filter(time.Now())
			if err != nil {
				return err
			}
			path := a.getenv("NOECHO_ALERTS")
			switch {
			case len(args) == 1:
				path = args[0]
			case path == "":
				path = defaultAlerts
			}
			return a.tail(cmd.Context(), path, flags, filter)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&flags.follow, "follow", "f", false, "wait for more")
	f.StringVar(&flags.since, "since", "", "only alerts since this `time`: 90m, 1h or 7d ago, or 2026-01-31T08:00:00Z")
	f.StringVar(&flags.severity, "severity", "", "only alerts of at least this `level`: low, medium, high or critical")
	f.StringArrayVar(&flags.actions, "action", nil, "only alerts with this `action`: "+strings.Join(actionNames(), ", ")+"; may be repeated")
	f.StringArrayVar(&flags.kinds, "kind", nil, "only findings of this `kind`: "+strings.Join(kindNames(), ", ")+"; or alerts of this type; may be repeated")
	f.StringArrayVar(&flags.records, "record", nil, "only alerts about the record with this `id`; may be repeated")
	f.StringArrayVar(&flags.labels, "label", nil, "only alerts about records with this `label`; may be repeated")
	f.BoolVar(&flags.json, "json", false, "print the lines as they are")
	completeFlag(cmd, "kind", append(kindNames(), tailTypes()...))
	completeFlag(cmd, "severity", []string{"low", "medium", "high", "critical"})
	completeFlag(cmd, "action", actionNames())
	return cmd
}

// tailActions are the actions that an alert may have.
var tailActions = []alert.Action{
	alert.Observed, alert.Redacted, alert.Blocked, alert.Echo,
	alert.Refused, alert.Passed, alert.Applied, alert.Failed,
}

// kindNames are the kinds of finding.
func kindNames() []string {
	return []string{string(alert.Verbatim), string(alert.Phrase), string(alert.Near), string(alert.Stuffing)}
}

// tailTypes are the types of alert that --kind tells apart besides.
func tailTypes() []string {
	return []string{
		string(alert.TypeUnscanned), string(alert.TypeProbing), string(alert.TypeDrip),
		string(alert.TypeStart), string(alert.TypeStop), string(alert.TypeReload),
	}
}

func actionNames() []string {
	var names []string
	for _, a := range tailActions {
		names = append(names, string(a))
	}
	return names
}

// tailFilter says which alerts are shown. The zero value shows all.
type tailFilter struct {
	since   time.Time
	rank    int // lowest severity; see alert.Severity.Rank
	actions []alert.Action
	kinds   []string // of findings, or types of other alerts
	records []string
	labels  []string
}

// filter reads the flags, at the given time.
func (f *tailFlags) filter(now time.Time) (tailFilter, error) {
	var out tailFilter
	if f.severity != "" {
		out.rank = alert.Severity(f.severity).Rank()
		if out.rank == 0 {
			return out, usageError("--severity %q: want low, medium, high or critical", f.severity)
		}
	}
	for _, name := range f.actions {
		if !slices.Contains(tailActions, alert.Action(name)) {
			return out, usageError("--action %q: want %s", name, strings.Join(actionNames(), ", "))
		}
		out.actions = append(out.actions, alert.Action(name))
	}
	for _, name := range f.kinds {
		if known := append(kindNames(), tailTypes()...); !slices.Contains(known, name) {
			return out, usageError("--kind %q: want %s", name, strings.Join(known, ", "))
		}
	}
	out.kinds, out.records, out.labels = f.kinds, f.records, f.labels
	if f.since == "" {
		return out, nil
	}
	since, err := parseSince(f.since, now)
	if err != nil {
		return out, usageError("--since %q: want a time before now such as 90m, 1h or 7d, or one such as 2026-01-31T08:00:00Z", f.since)
	}
	out.since = since
	return out, nil
}

// parseSince reads a length of time before now, or a point in time.
func parseSince(s string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return now.AddDate(0, 0, -int(n)), err
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		err = errors.New("negative")
	}
	return now.Add(-d), err
}

// shows reports whether an alert passes the filter. A severity that this
// program does not know is shown, and so is every gap record: who filters must
// not believe that nothing happened.
func (f *tailFilter) shows(ev *alert.Event) bool {
	if ev.Type == alert.TypeGap {
		return true
	}
	rank := ev.Severity.Rank()
	return !ev.Time.Before(f.since) &&
		(rank == 0 || rank >= f.rank) &&
		(len(f.actions) == 0 || slices.Contains(f.actions, ev.Action)) &&
		(len(f.kinds) == 0 || slices.Contains(f.kinds, kindOf(ev))) &&
		(len(f.records)+len(f.labels) == 0 || slices.ContainsFunc(ev.Records, f.names))
}

// kindOf is what --kind calls an alert.
func kindOf(ev *alert.Event) string {
	if ev.Type == alert.TypeFinding {
		return string(ev.Kind)
	}
	return string(ev.Type)
}

// names reports whether a record is one that is asked for.
func (f *tailFilter) names(r alert.Record) bool {
	return (len(f.records) == 0 || slices.Contains(f.records, r.ID)) &&
		(len(f.labels) == 0 || slices.ContainsFunc(r.Labels, func(l string) bool { return slices.Contains(f.labels, l) }))
}

// tail shows one file until its end, or until ctx ends.
func (a *app) tail(ctx context.Context, path string, flags tailFlags, filter tailFilter) error {
	p := &tailPrinter{
		out: a.stdout, log: a.stderr, filter: filter, name: path,
		colours: coloursFor(a.stdout, a.getenv),
		json:    flags.json,
		seen:    map[string]uint64{},
	}
	var err error
	switch {
	case path == "-":
		p.name = "standard input"
		err = tailStream(ctx, a.stdin, p)
	case flags.follow:
		err = newFollower(path, p).run(ctx)
	default:
		var f *os.File
		if f, err = os.Open(path); err != nil {
			return fmt.Errorf("%w; name the file that noecho serve writes with --alerts", err)
		}
		defer f.Close()
		err = tailStream(ctx, f, p)
	}
	if err != nil {
		return fmt.Errorf("tail %s: %w", p.name, err)
	}
	return p.summary()
}

// tailStream shows what r holds. It ends with ctx even if a read does not.
func tailStream(ctx context.Context, r io.Reader, p *tailPrinter) error {
	type chunk struct {
		bytes []byte
		err   error
	}
	chunks := make(chan chunk)
	go func() {
		for {
			buf := make([]byte, 64<<10)
			n, err := r.Read(buf)
			select {
			case chunks <- chunk{buf[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	lines := lineSplitter{line: p.line}
	for {
		select {
		case <-ctx.Done():
			return nil
		case c := <-chunks:
			if err := lines.write(c.bytes); err != nil {
				return err
			}
			switch {
			case errors.Is(c.err, io.EOF):
				if err := lines.end(); err != nil {
					return err
				}
				return p.anyAlerts()
			case c.err != nil:
				return c.err
			}
		}
	}
}
