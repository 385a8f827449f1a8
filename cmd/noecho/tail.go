package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"

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
			return tail(cmd.Context(), a, path, flags, filter)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&flags.follow, "follow", "f", false, "wait for more")
	f.StringVar(&flags.since, "since", "", "only alerts since this `time`: 90m, 1h or 7d ago, or 2026-01-31T08:00:00Z")
	f.StringVar(&flags.severity, "severity", "", "only alerts of at least this `level`: low, medium, high or critical")
	f.StringArrayVar(&flags.actions, "action", nil, "only alerts with this `action`: "+strings.Join(tailActions, ", ")+"; may be repeated")
	f.StringArrayVar(&flags.kinds, "kind", nil, "only findings of this `kind`: "+strings.Join(findingKinds, ", ")+"; or alerts of this type; may be repeated")
	f.StringArrayVar(&flags.records, "record", nil, "only alerts about the record with this `id`; may be repeated")
	f.StringArrayVar(&flags.labels, "label", nil, "only alerts about records with this `label`; may be repeated")
	f.BoolVar(&flags.json, "json", false, "print the lines as they are")
	completeFlag(cmd, "kind", tailKinds)
	completeFlag(cmd, "severity", []string{"low", "medium", "high", "critical"})
	completeFlag(cmd, "action", tailActions)
	return cmd
}

// Values of --action and --kind, in the order of the help. A kind is that of a finding,
// or the type of another alert.
var (
	tailActions = []string{
		string(alert.Observed), string(alert.Redacted), string(alert.Blocked), string(alert.Echo),
		string(alert.Refused), string(alert.Passed), string(alert.Applied), string(alert.Failed),
	}
	findingKinds = []string{string(alert.Verbatim), string(alert.Phrase), string(alert.Near), string(alert.Stuffing)}
	tailKinds    = append(slices.Clone(findingKinds),
		string(alert.TypeUnscanned), string(alert.TypeProbing), string(alert.TypeDrip),
		string(alert.TypeStart), string(alert.TypeStop), string(alert.TypeReload))
)

// tailFilter says which alerts are shown. The zero value shows all.
type tailFilter struct {
	since   time.Time
	rank    int // lowest severity; see alert.Severity.Rank
	actions []string
	kinds   []string
	records []string
	labels  []string
}

// filter reads the flags, at the given time.
func (f *tailFlags) filter(now time.Time) (tailFilter, error) {
	out := tailFilter{actions: f.actions, kinds: f.kinds, records: f.records, labels: f.labels}
	if f.severity != "" {
		out.rank = alert.Severity(f.severity).Rank()
		if out.rank == 0 {
			return out, usageError("--severity %q: want low, medium, high or critical", f.severity)
		}
	}
	for _, flag := range []struct {
		name          string
		values, known []string
	}{{"action", f.actions, tailActions}, {"kind", f.kinds, tailKinds}} {
		for _, v := range flag.values {
			if !slices.Contains(flag.known, v) {
				return out, usageError("--%s %q: want %s", flag.name, v, strings.Join(flag.known, ", "))
			}
		}
	}
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
		(len(f.actions) == 0 || slices.Contains(f.actions, string(ev.Action))) &&
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
func tail(ctx context.Context, a *app, path string, flags tailFlags, filter tailFilter) error {
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
	p.summary()
	return nil
}

// tailStream shows the lines of r until its end. It ends with ctx even while a read
// waits.
func tailStream(ctx context.Context, r io.Reader, p *tailPrinter) error {
	lines := lineSplitter{line: p.line}
	_, err := io.Copy(&lines, &interruptible{ctx: ctx, from: r})
	if err == nil {
		err = lines.end()
	}
	switch {
	case err == nil:
		return p.anyAlerts()
	case errors.Is(err, context.Canceled):
		return nil
	default:
		return err
	}
}

// palette are the colours of a terminal; the zero value has none.
type palette struct {
	reset, dim, bold string
	severity         map[alert.Severity]string
}

// coloursFor returns the colours to use on w: none unless it is a terminal, nor
// where NO_COLOR is set (https://no-color.org).
func coloursFor(w io.Writer, getenv func(string) string) palette {
	f, ok := w.(*os.File)
	if !ok || getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return palette{}
	}
	return ansi()
}

func ansi() palette {
	return palette{
		reset: "\x1b[0m", dim: "\x1b[2m", bold: "\x1b[1m",
		severity: map[alert.Severity]string{
			alert.Low:      "\x1b[36m",
			alert.Medium:   "\x1b[33m",
			alert.High:     "\x1b[31m",
			alert.Critical: "\x1b[1;37;41m",
		},
	}
}

func (p palette) paint(colour, s string) string {
	if colour == "" {
		return s
	}
	return colour + s + p.reset
}

// tailPrinter shows alert lines.
type tailPrinter struct {
	out, log io.Writer
	name     string // of what is read, for messages
	filter   tailFilter
	colours  palette
	json     bool
	number   int               // lines read
	alerts   int               // of them
	garbled  int               // lines that were no alert
	missing  uint64            // numbers missing from the sequences
	seen     map[string]uint64 // the newest seq of each boot
}

// note writes a message for the reader, not part of the result.
func (p *tailPrinter) note(format string, args ...any) {
	fmt.Fprintf(p.log, "noecho: "+format+"\n", args...)
}

// line shows one line of the file. Its error is that of writing the result.
func (p *tailPrinter) line(line []byte) error {
	p.number++
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return nil
	}
	var ev alert.Event
	if err := json.Unmarshal(line, &ev); err != nil || ev.V < 1 || ev.Type == "" {
		p.garbled++
		if p.alerts > 0 || p.garbled <= 20 { // more of them are a file of something else
			p.note("%s:%d: not an alert: %s", p.name, p.number, excerpt(line))
		}
		return nil
	}
	p.alerts++
	p.follow(&ev)
	if !p.filter.shows(&ev) {
		return nil
	}
	var err error
	if p.json {
		_, err = fmt.Fprintf(p.out, "%s\n", line)
	} else {
		_, err = fmt.Fprintln(p.out, p.colours.render(&ev))
	}
	return err
}

// follow checks that no event of a boot is missing between two lines. A gap
// record accounts for the events it reports.
func (p *tailPrinter) follow(ev *alert.Event) {
	last, known := p.seen[ev.Boot]
	first := ev.Seq
	if ev.Type == alert.TypeGap && ev.Lost > 0 && ev.Lost <= ev.Seq {
		first = ev.Seq - ev.Lost + 1
	}
	if ev.Seq == 0 || ev.Boot == "" || known && ev.Seq <= last {
		return
	}
	if known && first > last+1 {
		p.missing += first - last - 1
		p.note("%s:%d: events %d to %d of boot %s are missing", p.name, p.number, last+1, first-1, printable(ev.Boot))
	}
	p.seen[ev.Boot] = ev.Seq
}

// summary says at the end what could not be shown.
func (p *tailPrinter) summary() {
	if p.garbled > 0 {
		p.note("%s: %d of %d lines were not alerts", p.name, p.garbled, p.number)
	}
	if p.missing > 0 {
		p.note("%s: %d events are missing", p.name, p.missing)
	}
}

// anyAlerts wants an alert in what was read to its end: a file of something
// else must not look like one in which nothing happened.
func (p *tailPrinter) anyAlerts() error {
	switch {
	case p.alerts > 0:
		return nil
	case p.garbled > 0:
		return fmt.Errorf("it holds no alerts, only %s of something else; name the file that noecho serve writes with --alerts", count(p.garbled, "line"))
	default:
		p.note("%s: it holds no alerts yet", p.name)
		return nil
	}
}

// render returns an alert as one line for people.
func (p palette) render(ev *alert.Event) string {
	severity := string(ev.Severity)
	what := string(ev.Action)
	if ev.Type != alert.TypeFinding {
		what = string(ev.Type)
	}
	fields := []string{
		p.paint(p.dim, ev.Time.UTC().Format("2006-01-02T15:04:05.000Z")),
		p.paint(p.severity[ev.Severity], fmt.Sprintf("%-8s", printable(severity))),
		p.paint(p.bold, fmt.Sprintf("%-9s", printable(what))),
	}
	return strings.TrimRight(strings.Join(append(fields, details(ev)...), " "), " ")
}

// details are the words after the head of a line, by type.
func details(ev *alert.Event) []string {
	switch ev.Type {
	case alert.TypeFinding:
		return append([]string{span(ev)}, request(ev)...)
	case alert.TypeProbing:
		head := fmt.Sprintf("%s within %s, %s", count(max(ev.Findings, 0), "finding"), seconds(ev.Period), printable(string(ev.Action)))
		return append([]string{head}, request(ev)...)
	case alert.TypeDrip:
		return append([]string{drip(ev)}, request(ev)...)
	case alert.TypeUnscanned:
		head := []string{fmt.Sprintf("%s: %s not scanned (%s)", printable(string(ev.Action)), count(max(ev.Bytes, 0), "byte"), printable(ev.Reason))}
		return append(head, request(ev)...)
	case alert.TypeGap:
		return []string{fmt.Sprintf("%s lost on the way to %s (%s)", count(ev.Lost, "event"), printable(ev.Sink), printable(ev.Reason))}
	default:
		return labelled("", string(ev.Action), "", ev.Reason, "version", ev.Build, "mode", ev.Mode, "index", short(ev.Index.BuildID))
	}
}

// span says what was found, how, and where in the answer.
func span(ev *alert.Event) string {
	s := count(max(ev.Words, 0), "word")
	if ev.Kind != alert.Verbatim {
		s += " " + printable(string(ev.Kind))
	}
	if ev.Identifier != "" && ev.Identifier != alert.PlainPhrase {
		s += " (" + printable(ev.Identifier) + ")"
	}
	if ev.Lane != "" && ev.Lane != alert.LanePlain {
		s += " as " + printable(ev.Lane)
	}
	s += fmt.Sprintf(" in %s at %d-%d", printable(ev.Channel), ev.Start, ev.End)
	if ev.Resumed {
		s += " (resumed)"
	}
	if ev.Suppressed > 0 {
		s += fmt.Sprintf(" (and %d more)", ev.Suppressed)
	}
	return s
}

// drip says how much of a record came out.
func drip(ev *alert.Event) string {
	s := count(max(ev.Words, 0), "word")
	if ev.RecordWords > 0 {
		s += fmt.Sprintf(" of %d", ev.RecordWords)
	}
	s += " of one record by " + count(max(ev.Requests, 0), "request")
	if ev.Several {
		s += " of several callers"
	}
	return s + " within " + seconds(ev.Period)
}

// seconds writes a length of time.
func seconds(n int64) string {
	switch {
	case n > 0 && n%3600 == 0:
		return strconv.FormatInt(n/3600, 10) + "h"
	case n > 0 && n%60 == 0:
		return strconv.FormatInt(n/60, 10) + "m"
	default:
		return strconv.FormatInt(n, 10) + "s"
	}
}

// request says who asked for what.
func request(ev *alert.Event) []string {
	out := labelled("", ev.Path, "model", ev.Model, "client", ev.Client, "principal", ev.Principal, "request", ev.RequestID)
	for _, r := range ev.Records {
		out = append(out, labelled("record", r.ID, "dataset", r.Dataset)...)
	}
	return out
}

// labelled returns label=value for each pair whose value is not empty.
func labelled(pairs ...string) []string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		switch {
		case pairs[i+1] == "":
		case pairs[i] == "":
			out = append(out, printable(pairs[i+1]))
		default:
			out = append(out, pairs[i]+"="+printable(pairs[i+1]))
		}
	}
	return out
}

// short is as much of each build id as tells indexes apart.
func short(ids string) string {
	parts := strings.Split(ids, "+")
	for i, id := range parts {
		parts[i] = id[:min(len(id), 12)]
	}
	return strings.Join(parts, "+")
}

func count[N int | int64 | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable returns s if it is safe to print, else with escapes: a model's name
// is the client's word and must not steer a terminal.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			q := strconv.Quote(s)
			return q[1 : len(q)-1]
		}
	}
	return s
}

// excerpt is the begin of a line that could not be read.
func excerpt(line []byte) string {
	const most = 80
	if len(line) <= most {
		return printable(string(line))
	}
	return printable(string(line[:most])) + "…"
}
