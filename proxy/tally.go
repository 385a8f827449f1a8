package proxy

import (
	"maps"
	"slices"
	"sync"
	"time"

	"noecho/proxy/alert"
)

// The times after which a tally is written: with answers since the last one, and without.
const (
	tallyEvery = time.Minute
	tallyIdle  = 5 * time.Minute
)

// tallies counts the answers since the last tally. A file of alerts alone so tells a quiet hour
// from one in which noecho did not run, and how many answers had no finding. Safe for
// concurrent use.
type tallies struct {
	mu      sync.Mutex
	since   time.Time                    // when the counts began
	answers map[string]map[string]uint64 // by route and ending
	fates   [3]int64                     // bytes: scanned, passed, refused
}

// begin begins the first tally.
func (t *tallies) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = now
}

// note counts an answer that has ended. fates are the bytes of a scanned route's answer.
func (t *tallies) note(route string, end ending, fates [3]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answers == nil {
		t.answers = map[string]map[string]uint64{}
	}
	if len(t.answers) >= alert.MaxAnswers-1 && t.answers[route] == nil {
		route = otherPath // the rest is one
	}
	if t.answers[route] == nil {
		t.answers[route] = map[string]uint64{}
	}
	t.answers[route][end.String()]++
	for i, n := range fates {
		t.fates[i] += n
	}
}

// take returns the tally that is due now, and begins the next. Without answers it is due once
// the time idle has passed since the last one.
func (t *tallies) take(now time.Time, idle time.Duration) (ev alert.Event, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.answers) == 0 && now.Sub(t.since) < idle {
		return ev, false
	}
	ev = alert.Event{Type: alert.TypeTally, Since: t.since, Period: int64(now.Sub(t.since).Round(time.Second).Seconds()), Fates: map[string]int64{}}
	for i, fate := range [...]string{fateScanned, fatePassed, fateRefused} {
		ev.Fates[fate] = t.fates[i]
	}
	for _, route := range slices.Sorted(maps.Keys(t.answers)) {
		ev.Answers = append(ev.Answers, alert.Answers{Route: route, Actions: t.answers[route]})
	}
	t.since, t.fates = now, [3]int64{}
	clear(t.answers)
	return ev, true
}
