package console

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/proxy/alert"
)

// TestTestLines: lines that try sinks change no figure, make no task and no instance, and no
// evidence. The pages say how many there are.
func TestTestLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	l.put(noon.Add(-time.Hour), alert.Event{Type: alert.TypeStart, Mode: "redact"})
	l.put(noon.Add(-time.Minute), finding(alert.Redacted, "r1", 1))
	trial := newLife(t, dir, alert.TestInstance, 2)
	trial.path = l.path
	var want int
	for _, typ := range alert.Types() {
		ev := alert.Event{Type: typ, Route: "/", Reason: trial.name, Index: alert.Index{BuildID: trial.name}, Since: noon.Add(-time.Minute)}
		switch typ {
		case alert.TypeFinding:
			ev = finding(alert.Observed, trial.name, 0)
		case alert.TypeUnscanned:
			ev.Action, ev.Bytes = alert.Passed, 1
		case alert.TypeGap:
			ev.Lost = 1
		}
		trial.put(noon.Add(-time.Second), ev)
		want++
	}
	b := newBed(t, dir, nil).look()
	got := get[overviewView](b, "overview")
	if got.Findings != 1 || got.Passed != 0 || len(got.Todo) != 0 || got.Known.Tests != want || got.Known.Missing != 0 {
		t.Errorf("%+v, want one finding and %d lines of a test", got, want)
	}
	if _, page := b.ask(http.MethodGet, api+"coverage", ""); strings.Contains(page, trial.name) {
		t.Errorf("the test is an instance: %s", page)
	}
	sum := get[account](b, "evidence/summary?from=2026-11-29&to=2026-11-29")
	if sum.Findings != 1 || sum.Bytes != 0 || sum.Lost != 0 || sum.Tests != want ||
		slices.ContainsFunc(sum.Indexes, func(i indexStretch) bool { return i.Instance == trial.name }) {
		t.Errorf("evidence %+v", sum)
	}
}

// TestOtherFiles: files of other lines in a folder are named and not read; a file of alerts whose
// first line is none is read, and has the time of its first alert.
func TestOtherFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("access.jsonl", strings.Repeat(`{"log":"access","time":"2026-11-30T02:38:23.024Z","status":200}`+"\n", 300))
	write("ocsf.jsonl", `{"class_uid":6002,"time":1796006300148,"metadata":{"sequence":1}}`+"\n")
	write("a.jsonl", "{\"broken\n")
	l := newLife(t, dir, "a", 1)
	l.put(noon.Add(-time.Minute), finding(alert.Redacted, "r1", 1))
	b := newBed(t, dir, nil).look()
	type coverage struct {
		Known known
		Files []fileView
	}
	got := get[coverage](b, "coverage")
	if !slices.Equal(got.Known.Skipped, []string{"access.jsonl", "ocsf.jsonl"}) || got.Known.Other != 1 || got.Known.Rows != 1 {
		t.Errorf("%+v", got.Known)
	}
	if len(got.Files) != 1 || !got.Files[0].First.Equal(noon.Add(-time.Minute)) {
		t.Errorf("%+v", got.Files)
	}
	write("ocsf.jsonl", "")
	late := newLife(t, dir, "ocsf", 2) // the file is one of alerts now
	late.put(noon.Add(-time.Second), finding(alert.Redacted, "r2", 1))
	if got := get[coverage](b.look(), "coverage"); got.Known.Rows != 2 || len(got.Known.Skipped) != 1 {
		t.Errorf("%+v", got.Known)
	}
}

// TestCallersOrder: without an order the callers that look like a search come first, and not
// those with the most findings.
func TestCallersOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLife(t, dir, "a", 1)
	for i := range 40 {
		ev := finding(alert.Redacted, fmt.Sprint("r", i), 1)
		ev.User = "busy"
		if i < manyRecords {
			ev.User, ev.Lane, ev.Records = "search", "base64", []alert.Record{{ID: fmt.Sprint("tickets/", i), Dataset: "tickets"}}
		}
		l.put(noon.Add(-time.Hour), ev)
	}
	b := newBed(t, dir, nil).look()
	for order, want := range map[string]string{"": "search", "search": "search", "findings": "busy"} {
		got := get[struct{ Rows []callerRow }](b, "callers?sort="+order)
		if len(got.Rows) != 2 || got.Rows[0].User != want {
			t.Errorf("order %q: %+v, want %s first", order, got.Rows, want)
		}
	}
}
