package proxy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"noecho/proxy/alert"
)

// TestTally: with answers a tally is written at each tick, without only when five minutes have
// passed, and at the end of the service if there is something to tell.
func TestTally(t *testing.T) {
	t.Parallel()
	ticks := make(chan time.Time)
	b := newBed(t, Options{Config: bedConfig(t, recite(t, says("Well: "+secret+". Done.")).URL()), Open: secretOpen(t), ticks: ticks})
	start := time.Now()
	tick := func(after time.Duration) {
		ticks <- start.Add(after)
		ticks <- start // is taken when the one before was handled, and is due for nothing
	}
	ask := func(n int) {
		for range n {
			if _, _, _, err := b.do("POST", chatPath, askWhole); err != nil {
				t.Fatal(err)
			}
		}
		b.metric("noecho_refusals_total", ".*")
	}
	tick(time.Minute)
	ask(3)
	tick(2 * time.Minute)
	tick(3 * time.Minute)
	tick(6 * time.Minute)
	tick(8 * time.Minute)
	ask(1)
	b.stop()
	var got []string
	for _, ev := range b.alertLines("tally") {
		answers := ""
		for _, a := range ev["answers"].([]any) {
			m := a.(map[string]any)
			answers += fmt.Sprintf(" %s %v", m["route"], m["actions"])
		}
		scanned := ev["body_bytes"].(map[string]any)["scanned"].(float64)
		got = append(got, fmt.Sprint(ev["mode"], answers, " ", scanned > 0))
	}
	want := []string{"redact " + chatPath + " map[redacted:3] true", "redact false", "redact " + chatPath + " map[redacted:1] true"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	all := b.alertLines("stop")
	if tallies := b.alertLines("tally"); len(all) != 1 || len(tallies) > 0 && all[0]["seq"].(float64) < tallies[len(tallies)-1]["seq"].(float64) {
		t.Error("a tally is written behind the stop")
	}
}

// TestTallyIsBounded: the answers of more routes than fit are one.
func TestTallyIsBounded(t *testing.T) {
	t.Parallel()
	var c tallies
	c.begin(time.Unix(1e9, 0))
	for i := range 1000 {
		c.note(fmt.Sprintf("/route/%04d", i), endingClean, [3]int64{1, 2, 3})
		c.note("/route/0000", endingGone, [3]int64{})
	}
	ev, due := c.take(time.Unix(1e9+60, 0), tallyIdle)
	total := uint64(0)
	for _, a := range ev.Answers {
		for _, n := range a.Actions {
			total += n
		}
	}
	if !due || total != 2000 || len(ev.Answers) > alert.MaxAnswers || !slices.ContainsFunc(ev.Answers, func(a alert.Answers) bool { return a.Route == otherPath }) || ev.Period != 60 || fmt.Sprint(ev.Fates) != "map[passed:2000 refused:3000 scanned:1000]" {
		t.Errorf("%t, %d answers in %d rows, %d s, %v", due, total, len(ev.Answers), ev.Period, ev.Fates)
	}
	if _, due := c.take(time.Unix(1e9+120, 0), tallyIdle); due {
		t.Error("a tally without answers")
	}
}
