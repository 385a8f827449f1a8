package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"noecho/proxy/alert"
)

// alertFormat is a way to print alerts.
type alertFormat uint8

// The formats.
const (
	alertWide  alertFormat = iota // a line of any length
	alertShort                    // a line of 80 columns
	alertJSON                     // the line of the file
	alertAuto                     // alertShort on a terminal, else alertWide
)

// alertFormats are the names of the formats that a flag may have, by number.
var alertFormats = []string{"wide", "short", "json"}

// String implements [pflag.Value].
func (f *alertFormat) String() string {
	if int(*f) < len(alertFormats) {
		return alertFormats[*f]
	}
	return ""
}

// Set implements [pflag.Value].
func (f *alertFormat) Set(name string) error {
	i := slices.Index(alertFormats, name)
	if i < 0 {
		return fmt.Errorf("%q is no format: want short, wide or json", name)
	}
	*f = alertFormat(i)
	return nil
}

// Type implements [pflag.Value].
func (f *alertFormat) Type() string { return "format" }

// printed returns the format that the flags ask for.
func (f *tailFlags) printed(a *app) alertFormat {
	out, ok := a.stdout.(*os.File)
	switch {
	case f.json:
		return alertJSON
	case f.format != alertAuto:
		return f.format
	case ok && term.IsTerminal(int(out.Fd())):
		return alertShort
	default:
		return alertWide
	}
}

// isNoise reports whether an alert says nothing that a person watches for.
func isNoise(ev *alert.Event) bool { return ev.Type == alert.TypeDigest || ev.Type == alert.TypeTally }

// The widths of the columns of a short line. With the spaces between them it has 80.
const (
	shortSeverity = 8
	shortAction   = 9
	shortWhat     = 18
	shortRecord   = 16
	shortCaller   = 10
)

// renderShort returns an alert as a line of 80 columns: time, severity, action, what was
// found, record, caller.
func (p palette) renderShort(ev *alert.Event) string {
	action := string(ev.Action)
	if ev.Type == alert.TypeReload || action == "" {
		action = string(ev.Type)
	}
	return strings.TrimRight(strings.Join([]string{
		p.paint(p.dim, ev.Time.UTC().Format("01-02 15:04:05")),
		p.paint(p.severity[ev.Severity], column(string(ev.Severity), shortSeverity)),
		p.paint(p.bold, column(action, shortAction)),
		column(gist(ev), shortWhat),
		column(recordName(ev), shortRecord),
		column(callerName(ev), shortCaller),
	}, " "), " ")
}

// column returns a text as wide as a column: with spaces behind it, or without its beginning if
// it is a longer name, whose end tells more.
func column(s string, width int) string {
	s = printable(s)
	n := utf8.RuneCountInString(s)
	if n <= width {
		return s + strings.Repeat(" ", width-n)
	}
	runes := []rune(s)
	return "…" + string(runes[n-width+1:])
}

// gist says in a few words what an alert is about.
func gist(ev *alert.Event) string {
	switch ev.Type {
	case alert.TypeFinding:
		return findingGist(ev)
	case alert.TypeUnscanned:
		return humanBytes(uint64(max(ev.Bytes, 0))) + " unscanned"
	case alert.TypeProbing:
		return "probing: " + count(max(ev.Findings, ev.Probes), "hit")
	case alert.TypeDrip:
		return "drip: " + count(max(ev.Words, 0), "word")
	case alert.TypeGap:
		return count(ev.Lost, "event") + " lost"
	case alert.TypeDigest:
		return count(ev.Lines, "line")
	case alert.TypeTally:
		return count(answers(ev), "answer")
	case alert.TypeReload:
		return string(ev.Action)
	case alert.TypeAccess:
		return ev.Path
	default:
		return cmp.Or(ev.Reason, ev.Mode)
	}
}

// findingGist says in a few words what a finding is.
func findingGist(ev *alert.Event) string {
	s := count(max(ev.Words, 0), "word")
	switch ev.Kind {
	case alert.Phrase:
		s = alert.IdentifierName(ev.Identifier)
	case alert.Stuffing:
		s = string(ev.Kind)
	case alert.Near:
		s += ", near"
	}
	if ev.Lane != "" && ev.Lane != alert.LanePlain {
		s += ", " + ev.Lane
	}
	if n := utf8.RuneCountInString(s); n > shortWhat { // its beginning tells more
		s = string([]rune(s)[:shortWhat-1]) + "…"
	}
	return s
}

// recordName returns the first record of an alert, and how many more there are.
func recordName(ev *alert.Event) string {
	if len(ev.Records) == 0 {
		return ""
	}
	more := max(ev.RecordCount, len(ev.Records)) - 1
	if more == 0 {
		return ev.Records[0].ID
	}
	return column(ev.Records[0].ID, min(utf8.RuneCountInString(ev.Records[0].ID), shortRecord-len(" +15"))) + fmt.Sprintf(" +%d", more)
}

// callerName returns the best name of the caller of an alert.
func callerName(ev *alert.Event) string {
	return cmp.Or(ev.User, ev.Principal[:min(len(ev.Principal), 8)], ev.Forwarded, ev.Client)
}

// signals joins the signals of a finding.
func signals(ev *alert.Event) string {
	var names []string
	for _, s := range ev.Signal {
		names = append(names, string(s))
	}
	return strings.Join(names, "+")
}

// answers returns the number of answers that a tally counts.
func answers(ev *alert.Event) (n uint64) {
	for _, a := range ev.Answers {
		for _, count := range a.Actions {
			n += count
		}
	}
	return n
}

// tallied describes a tally: answers by what became of them.
func tallied(ev *alert.Event) string {
	by := map[string]uint64{}
	for _, a := range ev.Answers {
		for name, n := range a.Actions {
			by[name] += n
		}
	}
	s := fmt.Sprintf("%s within %s", count(answers(ev), "answer"), seconds(ev.Period))
	for _, name := range slices.Sorted(maps.Keys(by)) {
		s += fmt.Sprintf(" %s=%d", printable(name), by[name])
	}
	return s
}
