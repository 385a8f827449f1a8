package main

import (
	"bytes"
	"cmp"
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

	"noecho/console"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// defaultAlerts is the file that tail reads if none is named.
const defaultAlerts = "alerts.jsonl"

// tailFlags contains the flags of tail as they were typed.
type tailFlags struct {
	alertFlags
	follow bool
	format alertFormat
	json   bool
}

// alertFlags contains the flags that select alerts as they were typed.
type alertFlags struct {
	since    string
	severity string
	actions  []string
	kinds    []string
	records  []string
	labels   []string
	datasets []string
	callers  []string
	models   []string
	routes   []string
	lanes    []string
}

// add adds the flags to a command.
func (f *alertFlags) add(cmd *cobra.Command) {
	to := cmd.Flags()
	to.StringVar(&f.since, "since", "", "only alerts since this `time`: 90m, 1h or 7d means so long ago; or 2026-01-31T08:00:00Z")
	to.StringVar(&f.severity, "severity", "", "only alerts of at least this `level`: low, medium, high or critical")
	to.StringArrayVar(&f.actions, "action", nil, "only alerts with this `action`: "+strings.Join(tailActions, ", ")+"; may be repeated")
	to.StringArrayVar(&f.kinds, "kind", nil, "only findings of this `kind`: "+strings.Join(findingKinds, ", ")+"; or alerts of this type, such as membership_probing; may be repeated")
	to.StringArrayVar(&f.records, "record", nil, "only alerts about the record with this `id`; may be repeated")
	to.StringArrayVar(&f.labels, "label", nil, "only alerts about records with this `label`; may be repeated")
	to.StringArrayVar(&f.datasets, "dataset", nil, "only alerts about records of the dataset of this `name`; may be repeated")
	to.StringArrayVar(&f.callers, "caller", nil, "only alerts of this `caller`: a principal or its first digits, a user or an address; may be repeated")
	to.StringArrayVar(&f.models, "model", nil, "only alerts of models like this `pattern`, such as support-*; may be repeated")
	to.StringArrayVar(&f.routes, "route", nil, "only alerts of this `route`, or of all below one that ends in /; may be repeated")
	to.StringArrayVar(&f.lanes, "lane", nil, "only findings in this `lane`, such as plain or base64, also as a step of several; may be repeated")
	completeFlag(cmd, "kind", tailKinds)
	completeFlag(cmd, "severity", []string{"low", "medium", "high", "critical"})
	completeFlag(cmd, "action", tailActions)
	completeFlag(cmd, "lane", append(config.LaneNames(), alert.LanePlain))
}

func newTailCommand(a *app) *cobra.Command {
	flags := tailFlags{format: alertAuto}
	cmd := &cobra.Command{
		Use:   "tail [-f] [-o FORMAT] [FILTER]... [FILE]",
		Short: "Show alerts, and wait for new ones",
		Long: `Show the alerts of a file, one a line, oldest first.

FILE is the file that noecho serve writes with --alerts, or - for standard input.
Without FILE, tail reads the file that the variable NOECHO_ALERTS names, and if it is
not set, ` + defaultAlerts + ` in the current folder.

On a terminal each alert is a line of 80 columns: time in UTC, severity, action, what was
found, the first record and the caller. Digests and tallies are left out there, unless
--kind names them. -o wide shows more, -o json the lines of the file unchanged. Where
the output is no terminal, -o wide is the default.

With -f, tail shows the alerts in the file and then waits for new ones, until Ctrl-C.
If the file is rotated, that is, renamed or truncated, tail continues with the new
one. If the file does not exist yet, tail waits for it. Files that were rotated
before the start are not read.

No line is skipped silently. A line that is not an alert, and a number that is
missing in the sequence of alerts, are reported on the standard error. A gap record,
which says that events were lost, is shown even if the filters exclude it. Without
-f, the exit code is 1 if the file has lines and none of them is an alert.`,
		Example: `  noecho tail -f alerts.jsonl
  noecho tail -f --since 0s --severity high
  noecho tail --kind phrase --kind membership_probing --label pii alerts.jsonl
  noecho tail --caller 00112233 --lane base64 --model 'support-*' -o wide alerts.jsonl
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
			path := a.alertFile()
			if len(args) == 1 {
				path = args[0]
			}
			return tail(cmd.Context(), a, path, flags, filter)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&flags.follow, "follow", "f", false, "wait for new alerts, until Ctrl-C")
	f.VarP(&flags.format, "output", "o", "how alerts are printed: short, wide or json (default: short on a terminal, else wide)")
	f.BoolVar(&flags.json, "json", false, "the same as -o json")
	flags.add(cmd)
	completeFlag(cmd, "output", alertFormats)
	return cmd
}

// The values of --action and --kind, in the order of the help. A value of --kind is a
// kind of finding, or the type of an alert that is not a finding.
var (
	tailActions = []string{
		string(alert.Observed), string(alert.Redacted), string(alert.Blocked), string(alert.Echo), string(alert.Ignored),
		string(alert.Refused), string(alert.Passed), string(alert.Applied), string(alert.Failed),
		string(alert.LookedUp), string(alert.Exported),
	}
	findingKinds = []string{string(alert.Verbatim), string(alert.Phrase), string(alert.Near), string(alert.Stuffing)}
	tailKinds    = append(slices.Clone(findingKinds), otherTypes()...)
)

// otherTypes returns the types of alerts that are no findings. Gap records are shown anyway.
func otherTypes() (names []string) {
	for _, t := range alert.Types() {
		if t != alert.TypeFinding && t != alert.TypeGap {
			names = append(names, string(t))
		}
	}
	return names
}

// tailFilter decides which alerts are shown. The zero value shows all.
type tailFilter struct {
	alertFlags
	since time.Time
	rank  int // of the lowest severity: see alert.Severity.Rank
}

// filter returns the filter that the flags describe, if it is now.
func (f *alertFlags) filter(now time.Time) (tailFilter, error) {
	out := tailFilter{alertFlags: *f}
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
	since, err := console.ParseSince(f.since, now)
	if err != nil {
		return out, usageError("--since %q: want a time before now such as 90m, 1h or 7d, or one such as 2026-01-31T08:00:00Z", f.since)
	}
	out.since = since
	return out, nil
}

// shows reports whether an alert passes the filter. Alerts of an unknown severity and
// gap records always pass: a filter must not hide that something was lost.
func (f *tailFilter) shows(ev *alert.Event) bool {
	if ev.Type == alert.TypeGap {
		return true
	}
	rank := ev.Severity.Rank()
	return !ev.Time.Before(f.since) &&
		(rank == 0 || rank >= f.rank) &&
		(len(f.actions) == 0 || slices.Contains(f.actions, string(ev.Action))) &&
		(len(f.kinds) == 0 || slices.Contains(f.kinds, kindOf(ev))) &&
		(len(f.records)+len(f.labels)+len(f.datasets) == 0 || slices.ContainsFunc(ev.Records, f.names)) &&
		(len(f.callers) == 0 || slices.ContainsFunc(f.callers, func(c string) bool { return isCaller(ev, c) })) &&
		(len(f.models) == 0 || slices.ContainsFunc(f.models, func(m string) bool { return config.MatchModel(m, ev.Model) })) &&
		(len(f.routes) == 0 || slices.ContainsFunc(f.routes, func(r string) bool { return policy.OnRoute(r, ev.Route) })) &&
		(len(f.lanes) == 0 || ev.Type == alert.TypeFinding && slices.ContainsFunc(f.lanes, func(l string) bool { return inLane(ev, l) }))
}

// isCaller reports whether a name is one of the caller of an alert: its principal or the
// beginning of it, its user or one of its addresses.
func isCaller(ev *alert.Event, name string) bool {
	const least = 4 // digits of a principal
	return name != "" && (ev.User == name || ev.Forwarded == name || ev.Client == name) ||
		len(name) >= least && strings.HasPrefix(ev.Principal, name)
}

// inLane reports whether a finding is in a lane, or in several of which this one is a step.
func inLane(ev *alert.Event, lane string) bool {
	return slices.Contains(strings.Split(cmp.Or(ev.Lane, alert.LanePlain), "+"), lane)
}

// kindOf returns the value of --kind that selects an alert.
func kindOf(ev *alert.Event) string {
	if ev.Type == alert.TypeFinding {
		return string(ev.Kind)
	}
	return string(ev.Type)
}

// names reports whether --record, --label and --dataset select a record.
func (f *tailFilter) names(r alert.Record) bool {
	return (len(f.datasets) == 0 || slices.Contains(f.datasets, r.Dataset)) &&
		(len(f.records) == 0 || slices.Contains(f.records, r.ID)) &&
		(len(f.labels) == 0 || slices.ContainsFunc(r.Labels, func(l string) bool { return slices.Contains(f.labels, l) }))
}

// tail shows one file until its end, or until ctx ends.
func tail(ctx context.Context, a *app, path string, flags tailFlags, filter tailFilter) error {
	p := &tailPrinter{
		out: a.stdout, log: a.stderr, filter: filter, name: path,
		colours: coloursFor(a.stdout, a.getenv),
		format:  flags.printed(a),
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

// palette contains the control sequences for the colours of a terminal. The zero value
// prints without colours.
type palette struct {
	reset, dim, bold string
	severity         map[alert.Severity]string
}

// coloursFor returns the colours to use on w. There are none if w is not a terminal or
// the variable NO_COLOR is set (https://no-color.org).
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
	name     string // of the file, for messages
	filter   tailFilter
	colours  palette
	format   alertFormat       // the zero value is wide
	number   int               // lines read
	alerts   int               // lines that were an alert
	garbled  int               // lines that were not
	missing  uint64            // numbers missing from the sequences
	seen     map[string]uint64 // the newest seq of each boot
}

// note writes a message to the log.
func (p *tailPrinter) note(format string, args ...any) {
	fmt.Fprintf(p.log, "noecho: "+format+"\n", args...)
}

// line shows one line of the file. It returns an error only if writing fails.
func (p *tailPrinter) line(line []byte) error {
	p.number++
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return nil
	}
	var ev alert.Event
	if err := json.Unmarshal(line, &ev); err != nil || ev.V < 1 || ev.Type == "" {
		p.garbled++
		if p.alerts > 0 || p.garbled <= 20 { // without an alert this is not an alert file: report the first lines only
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
	switch p.format {
	case alertJSON:
		_, err = fmt.Fprintf(p.out, "%s\n", line)
	case alertShort:
		if isNoise(&ev) && !slices.Contains(p.filter.kinds, string(ev.Type)) {
			return nil
		}
		_, err = fmt.Fprintln(p.out, p.colours.renderShort(&ev))
	default:
		_, err = fmt.Fprintln(p.out, p.colours.render(&ev))
	}
	return err
}

// follow checks that no event is missing between two lines. Every start of noecho
// serve, a boot, numbers its events from 1. A gap record stands for the events that it
// reports as lost.
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
		which := fmt.Sprintf("events %d to %d of boot %s are", last+1, first-1, printable(ev.Boot))
		if first == last+2 {
			which = fmt.Sprintf("event %d of boot %s is", last+1, printable(ev.Boot))
		}
		p.note("%s:%d: %s missing", p.name, p.number, which)
	}
	p.seen[ev.Boot] = ev.Seq
}

// summary reports how many lines were not alerts and how many events are missing.
func (p *tailPrinter) summary() {
	switch p.garbled {
	case 0:
	case 1:
		p.note("%s: 1 of %s was not an alert", p.name, count(p.number, "line"))
	default:
		p.note("%s: %d of %d lines were not alerts", p.name, p.garbled, p.number)
	}
	switch p.missing {
	case 0:
	case 1:
		p.note("%s: 1 event is missing", p.name)
	default:
		p.note("%s: %d events are missing", p.name, p.missing)
	}
}

// anyAlerts returns an error if no line of the input was an alert. Otherwise a wrong
// file would look like an alert file without events.
func (p *tailPrinter) anyAlerts() error {
	switch {
	case p.alerts > 0:
		return nil
	case p.garbled > 0:
		return fmt.Errorf("the file contains no alerts, only %s of something else; name the file that noecho serve writes with --alerts", count(p.garbled, "line"))
	default:
		p.note("%s: no alerts yet", p.name)
		return nil
	}
}

// render returns an alert as one line of text.
func (p palette) render(ev *alert.Event) string {
	severity := string(ev.Severity)
	head := string(ev.Action)
	if ev.Type != alert.TypeFinding {
		head = string(ev.Type)
	}
	fields := []string{
		p.paint(p.dim, ev.Time.UTC().Format("2006-01-02T15:04:05.000Z")),
		p.paint(p.severity[ev.Severity], fmt.Sprintf("%-8s", printable(severity))),
		p.paint(p.bold, fmt.Sprintf("%-9s", printable(head))),
	}
	return strings.TrimRight(strings.Join(append(fields, details(ev)...), " "), " ")
}

// details returns the words behind the head of a line. They depend on the type of the
// alert.
func details(ev *alert.Event) []string {
	switch ev.Type {
	case alert.TypeFinding:
		return append([]string{span(ev)}, request(ev)...)
	case alert.TypeProbing:
		head := fmt.Sprintf("%s within %s, %s", count(max(ev.Findings, 0), "finding"), seconds(ev.Period), printable(string(ev.Action)))
		if ev.Probes > 0 {
			head = count(ev.Probes, "probe") + " and " + head
		}
		return append([]string{head}, request(ev)...)
	case alert.TypeDrip:
		return append([]string{drip(ev)}, request(ev)...)
	case alert.TypeUnscanned:
		head := []string{fmt.Sprintf("%s: %s not scanned (%s)", printable(string(ev.Action)), count(max(ev.Bytes, 0), "byte"), printable(ev.Reason))}
		return append(head, request(ev)...)
	case alert.TypeGap:
		return []string{fmt.Sprintf("%s lost on the way to %s (%s)", count(ev.Lost, "event"), printable(ev.Sink), printable(ev.Reason))}
	case alert.TypeTally:
		return []string{tallied(ev)}
	case alert.TypeAccess:
		return labelled("", string(ev.Action), "", ev.Path, "user", ev.User, "client", ev.Client, "reason", ev.Reason)
	case alert.TypeDigest:
		return []string{fmt.Sprintf("%s of events %d to %d, SHA-256 %s", count(ev.Lines, "line"), ev.First, max(ev.Seq, 1)-1, short(printable(ev.SHA256)))}
	default:
		return labelled("", string(ev.Action), "", ev.Reason, "version", ev.Build, "mode", ev.Mode, "index", short(ev.Index.BuildID))
	}
}

// span describes a finding: its length, its kind and encoding, and its place in the
// answer.
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
	if n := len(ev.Channels); n > 1 {
		s += fmt.Sprintf(" and %d more", n-1)
	}
	if ev.Resumed {
		s += " (resumed)"
	}
	if ev.Suppressed > 0 {
		s += fmt.Sprintf(" (and %d more)", ev.Suppressed)
	}
	return s
}

// drip describes how many words of one record have left in many answers together.
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

// seconds writes a length of time, given in seconds.
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

// request describes the request of an alert, and the records that its answer repeated.
func request(ev *alert.Event) []string {
	out := labelled("", ev.Path, "model", ev.Model, "client", ev.Client, "forwarded", ev.Forwarded, "user", ev.User,
		"principal", ev.Principal, "request", ev.RequestID, "rule", ev.Rule, "signal", signals(ev))
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

// short shortens build ids, which + joins, to 12 digits each.
func short(ids string) string {
	parts := strings.Split(ids, "+")
	for i, id := range parts {
		parts[i] = id[:min(len(id), 12)]
	}
	return strings.Join(parts, "+")
}

// count writes a number with a noun, whose plural ends in s or, behind an x, in es.
func count[N int | int64 | uint64](n N, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "x"):
		noun += "e"
	case strings.HasSuffix(noun, "y"):
		noun = strings.TrimSuffix(noun, "y") + "ie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable escapes characters that are not safe to print. Clients choose some texts of
// an alert, such as the name of the model, and these must not control the terminal.
func printable(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) {
			q := strconv.Quote(s)
			return q[1 : len(q)-1]
		}
	}
	return s
}

// excerpt returns the beginning of a line that is not an alert.
func excerpt(line []byte) string {
	const most = 80
	if len(line) <= most {
		return printable(string(line))
	}
	return printable(string(line[:most])) + "…"
}
