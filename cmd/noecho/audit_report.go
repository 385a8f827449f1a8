package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"noecho/audit"
	"noecho/internal/report"
	"noecho/proxy/alert"
)

// auditNote ends every page about the audit log.
const auditNote = "This page supports a proof; the proof itself are the files of the log. It contains no personal data: an entry has numbers, digests and ids only."

// auditCheck is one thing that was checked, with its result in a sentence.
type auditCheck struct{ name, result string }

// checks lists the results about a log. The names are those of pages; the terminal prints the
// results alone.
func (r *auditResult) checks() (all []auditCheck) {
	say := func(name, format string, args ...any) {
		all = append(all, auditCheck{name, fmt.Sprintf(format, args...)})
	}
	verdict := "ok"
	if n := len(r.problems()); n > 0 {
		verdict = "NOT as it was written, " + count(n, "problem")
	}
	say("log", "%s: %s, %s, root %s", r.Origin, verdict, count(r.Size, "entry"), r.Root)
	for _, t := range slices.Sorted(maps.Keys(r.Types)) {
		say("entries", "  %s: %d", t, r.Types[t])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Cosigned)) {
		say("witness", "signed by %s at %s", name, r.Cosigned[name])
	}
	if r.SinceSize > 0 && len(r.Problems) == 0 {
		say("older checkpoint", "has grown from the older checkpoint of %s", count(r.SinceSize, "entry"))
	}
	if r.Unknown > 0 {
		say("signatures", "%s of unknown keys not checked", count(int64(r.Unknown), "signature"))
	}
	if len(r.Left) > 0 {
		say("files", "%s behind the end of the log, of an append that was interrupted or is running", count(int64(len(r.Left)), "file"))
	}
	if f := r.Alerts; f != nil {
		expired := ""
		if f.Expired > 0 {
			expired = fmt.Sprintf("; %s of older lines that are not in the files", count(int64(f.Expired), "digest"))
		}
		say("alerts", "alerts: %d of %s covered by digests in the log%s", f.Covered, count(f.Lines, "line"), expired)
	}
	if !r.Pinned {
		say("key", "the key is the one in the folder: give the one that you know with --key")
	}
	return all
}

// problems lists everything that is wrong with the log or with the alerts.
func (r *auditResult) problems() []string {
	if r.Alerts == nil {
		return r.Problems
	}
	return slices.Concat(r.Problems, r.Alerts.Problems)
}

// document draws the result for somebody who has no terminal. CSV has the problems too.
func (r *auditResult) document() *report.Document {
	t := report.Table{Title: "Checked", Columns: []string{"checked", "result"}}
	for _, p := range r.problems() {
		t.Rows = append(t.Rows, []string{"PROBLEM", p})
	}
	for _, c := range r.checks() {
		t.Rows = append(t.Rows, []string{c.name, strings.TrimSpace(c.result)})
	}
	verdict := "Every byte is as it was written."
	if n := len(r.problems()); n > 0 {
		verdict = "The log or the alerts were changed: " + count(n, "problem") + "."
	}
	return auditDocument("Check of an audit log", t, report.Fact{Name: "Result", Value: verdict}, report.Fact{Name: "Log", Value: r.Origin})
}

// printedNow says when a page was made.
func printedNow() report.Fact {
	return report.Fact{Name: "Printed", Value: time.Now().UTC().Format("2006-01-02 15:04 UTC")}
}

// auditDocument returns a page about the audit log, with the time at which it was made.
func auditDocument(title string, t report.Table, facts ...report.Fact) *report.Document {
	return &report.Document{Title: title, Facts: append(facts, printedNow()), Tables: []report.Table{t}, Notes: []string{auditNote}}
}

// collected is the result of audit collect.
type collected struct {
	Added int `json:"added"`
	alert.Found
	files int
}

func (c *collected) document() *report.Document {
	t := report.Table{Title: "Alert files", Columns: []string{"checked", "result"}}
	for _, p := range c.Problems {
		t.Rows = append(t.Rows, []string{"PROBLEM", p})
	}
	for _, row := range []struct {
		name string
		n    uint64
	}{
		{"files", uint64(c.files)},
		{"alerts in them", c.Lines},
		{"alerts that the log vouches for", c.Covered},
		{"lines that are no alerts", uint64(c.Other)},
		{"digests of older alerts, whose lines are gone", uint64(c.Expired)},
		{"digests of processes whose alerts are elsewhere", uint64(c.Absent)},
		{"entries added to the log", uint64(c.Added)},
	} {
		t.Rows = append(t.Rows, []string{row.name, strconv.FormatUint(row.n, 10)})
	}
	verdict := "No alert was changed, moved or removed."
	if n := len(c.Problems); n > 0 {
		verdict = "Alerts were changed, moved or removed: " + count(n, "problem") + "."
	}
	return auditDocument("Alerts taken into an audit log", t, report.Fact{Name: "Result", Value: verdict})
}

// shownEntry is an entry of audit show.
type shownEntry struct {
	Number int64       `json:"number"`
	Entry  audit.Entry `json:"entry"`
}

// meaningOf says in plain words what happened. It is empty for an entry that only its writer
// knows.
func meaningOf(entryType string) string {
	switch entryType {
	case audit.IndexBuilt:
		return "an index was built from training files"
	case audit.IndexMerged:
		return "indexes were united, or a person was added to one"
	case audit.IndexSigned:
		return "an index was signed"
	case audit.InventoryBuilt:
		return "an inventory of training files was built"
	case audit.ServeStart:
		return "a proxy started"
	case audit.ServeReload:
		return "a proxy read its configuration and indexes again"
	case audit.ServeStop:
		return "a proxy stopped"
	case audit.AlertsDigest:
		return "the newest alerts of a proxy were counted and hashed"
	case audit.Gap:
		return "entries were lost before they were written"
	case "deploy":
		return "a model was put into use"
	case "retire":
		return "a model was taken out of use"
	case "model.bound":
		return "a model was connected with its training data"
	case "key.rotated":
		return "a key was replaced"
	}
	if step, ok := strings.CutPrefix(entryType, "request."); ok {
		return "a request of a person: " + step
	}
	return ""
}

// entriesDocument draws the entries of a log.
func entriesDocument(r *audit.Report, entries []shownEntry) *report.Document {
	t := report.Table{Title: "Entries", Columns: []string{"number", "time", "entry", "meaning", "counts", "digests", "ids", "words", "noecho"}, Empty: "None."}
	for _, one := range entries {
		e := one.Entry
		ids := maps.Clone(e.IDs)
		if e.ID != "" {
			if ids == nil {
				ids = map[string]string{}
			}
			ids["own"] = e.ID
		}
		t.Rows = append(t.Rows, []string{
			strconv.FormatInt(one.Number, 10), e.Time.UTC().Format(time.RFC3339), e.Type, meaningOf(e.Type),
			listed(e.Counts), listed(e.Digests), listed(ids), listed(e.States), e.Version,
		})
	}
	return auditDocument("Entries of an audit log", t, report.Fact{Name: "Log", Value: r.Origin},
		report.Fact{Name: "Entries", Value: strconv.FormatInt(r.Size, 10)}, report.Fact{Name: "Root", Value: r.Root})
}

// listed lists named values in the order of their names.
func listed[V string | uint64](values map[string]V) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, fmt.Sprintf("%s %v", name, values[name]))
	}
	return strings.Join(parts, ", ")
}

// signedText is a checkpoint or a proof, to hand to somebody on paper.
type signedText struct {
	Log     string      `json:"log"`
	Entries json.Number `json:"entries"`
	Root    string      `json:"root"`
	Entry   string      `json:"entry,omitempty"` // JSON; empty for a checkpoint
	Text    string      `json:"text"`
}

// newSignedText reads the three lines that a checkpoint begins with.
func newSignedText(checkpoint []byte) signedText {
	lines := append(strings.SplitN(string(checkpoint), "\n", 4), "", "", "")
	return signedText{Log: lines[0], Entries: json.Number(lines[1]), Root: lines[2], Text: string(checkpoint)}
}

// document draws the text. Its last table has it line by line, so that it can be copied.
func (s *signedText) document(title string) *report.Document {
	t := report.Table{Title: "Text, to be kept as a file", Columns: []string{"text"}}
	for line := range strings.Lines(s.Text) {
		t.Rows = append(t.Rows, []string{strings.TrimSuffix(line, "\n")})
	}
	facts := []report.Fact{{Name: "Log", Value: s.Log}, {Name: "Entries", Value: s.Entries.String()}, {Name: "Root", Value: s.Root}}
	if s.Entry != "" {
		facts = append(facts, report.Fact{Name: "Entry", Value: s.Entry})
	}
	return auditDocument(title, t, facts...)
}
