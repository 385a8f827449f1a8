package console

import (
	"net/http"
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
