package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"

	"noecho/proxy/alert"
)

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
func (p *tailPrinter) summary() error {
	if p.garbled > 0 {
		p.note("%s: %d of %d lines were not alerts", p.name, p.garbled, p.number)
	}
	if p.missing > 0 {
		p.note("%s: %d events are missing", p.name, p.missing)
	}
	return nil
}

// anyAlerts wants an alert in what was read to its end: a file of something
// else must not look like one in which nothing happened.
func (p *tailPrinter) anyAlerts() error {
	switch {
	case p.alerts > 0:
		return nil
	case p.garbled > 0:
		return fmt.Errorf("it holds no alerts, only %s of something else; name the file that noecho serve writes with --alerts", count(uint64(p.garbled), "line"))
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
		head := fmt.Sprintf("%s within %s, %s", count(uint64(max(ev.Findings, 0)), "finding"), seconds(ev.Period), printable(string(ev.Action)))
		return append([]string{head}, request(ev)...)
	case alert.TypeDrip:
		return append([]string{drip(ev)}, request(ev)...)
	case alert.TypeUnscanned:
		head := []string{fmt.Sprintf("%s: %s not scanned (%s)", printable(string(ev.Action)), count(uint64(max(ev.Bytes, 0)), "byte"), printable(ev.Reason))}
		return append(head, request(ev)...)
	case alert.TypeGap:
		return []string{fmt.Sprintf("%s lost on the way to %s (%s)", count(ev.Lost, "event"), printable(ev.Sink), printable(ev.Reason))}
	default:
		return labelled("", string(ev.Action), "", ev.Reason, "version", ev.Build, "mode", ev.Mode, "index", short(ev.Index.BuildID))
	}
}

// span says what was found, how, and where in the answer.
func span(ev *alert.Event) string {
	s := count(uint64(max(ev.Words, 0)), "word")
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
	s := count(uint64(max(ev.Words, 0)), "word")
	if ev.RecordWords > 0 {
		s += fmt.Sprintf(" of %d", ev.RecordWords)
	}
	s += " of one record by " + count(uint64(max(ev.Requests, 0)), "request")
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

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.FormatUint(n, 10) + " " + what + "s"
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
