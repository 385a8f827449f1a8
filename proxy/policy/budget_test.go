package policy

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"noecho/proxy/config"
)

// clock is a time that moves only when a test moves it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func TestBudget(t *testing.T) {
	t.Parallel()
	time4 := newClock()
	m := NewMeter(config.Budget{Findings: 3, Per: 16 * time.Minute, Then: config.ThenBlock}, time4.now)
	count := func(caller string, want int, raise bool) {
		t.Helper()
		if n, r := m.Count(caller); n != want || r != raise {
			t.Errorf("%d, raise %t, want %d, %t", n, r, want, raise)
		}
	}
	blocks := func(caller string, want bool) {
		t.Helper()
		if m.Blocks(caller, 0) != want {
			t.Errorf("%s: blocks %t", caller, !want)
		}
	}
	blocks("a", false)
	for i := range 3 {
		count("a", i+1, false)
		time4.move(time.Minute)
	}
	blocks("a", false)
	count("a", 4, true) // in the fourth minute
	blocks("a", true)
	blocks("b", false)
	count("a", 5, false) // the alert was raised already
	count("b", 1, false)
	time4.move(13 * time.Minute) // the first finding is older than the period
	blocks("a", true)
	count("a", 5, false)
	time4.move(2 * time.Minute) // so are two more
	blocks("a", false)
	count("a", 4, false) // the alert was raised 15 minutes ago
	time4.move(time.Minute)
	count("a", 3, false)
	count("a", 4, true)
	time4.move(time.Hour)
	blocks("a", false)
	count("a", 1, false)
	time4.move(-time.Hour) // after the clock was set back, findings still count
	count("a", 2, false)
}

func TestNoBudget(t *testing.T) {
	t.Parallel()
	m := NewMeter(config.Budget{}, nil)
	if n, raise := m.Count("a"); n != 0 || raise || m.Blocks("a", 0) || m.Renew(config.Budget{}) != nil {
		t.Errorf("no budget counts: %d %t", n, raise)
	}
	alertOnly := NewMeter(config.Budget{Findings: 1, Per: time.Hour}, nil)
	alertOnly.Count("a")
	if _, raise := alertOnly.Count("a"); !raise || alertOnly.Blocks("a", 0) {
		t.Error("a budget that only alerts blocks, or does not alert")
	}
}

func TestBudgetRenew(t *testing.T) {
	t.Parallel()
	b := config.Budget{Findings: 1, Per: time.Hour}
	m := NewMeter(b, nil)
	if m.Renew(b) != m {
		t.Error("counts were thrown away without need")
	}
	if n := m.Renew(config.Budget{Findings: 2, Per: time.Hour}); n == m || n.budget.Findings != 2 {
		t.Error("an old budget stayed")
	}
}

// TestBudgetAgainstAll compares the counters with a list of all findings.
func TestBudgetAgainstAll(t *testing.T) {
	t.Parallel()
	c, rnd := newClock(), rand.New(rand.NewPCG(1, 2))
	m := NewMeter(config.Budget{Findings: 5, Per: 16 * time.Second, Then: config.ThenBlock}, c.now)
	type event struct {
		caller int
		slot   int64
	}
	var all []event
	told := map[int]int64{}
	for range 20_000 {
		c.move(time.Duration(rnd.IntN(1500)) * time.Millisecond)
		caller, slot := rnd.IntN(3), c.now().UnixNano()/int64(time.Second)
		n := 0
		for _, e := range all {
			if e.caller == caller && slot-e.slot < slots {
				n++
			}
		}
		if got := m.Blocks(fmt.Sprint(caller), 0); got != (n > 5) {
			t.Fatalf("%d findings, blocks %t", n, got)
		}
		if rnd.IntN(2) == 0 {
			continue
		}
		n++
		last, ever := told[caller]
		want := n > 5 && (!ever || slot-last >= slots)
		if want {
			told[caller] = slot
		}
		if got, raise := m.Count(fmt.Sprint(caller)); got != n || raise != want {
			t.Fatalf("%d, raise %t, want %d, %t", got, raise, n, want)
		}
		if all = append(all, event{caller, slot}); len(all) > 100 {
			all = all[50:]
		}
	}
}

// TestBudgetIsBounded: a caller that comes when all counters are in use shares one, and no
// caller that has used its budget up is forgotten.
func TestBudgetIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock()
	m := NewMeter(config.Budget{Findings: 10, Per: time.Hour, Then: config.ThenBlock}, c.now)
	m.most = 64
	for range 11 {
		m.Count("thief")
	}
	for i := range 5000 {
		m.Count(fmt.Sprint("other ", i))
	}
	if len(m.callers) > m.most {
		t.Errorf("%d counters", len(m.callers))
	}
	if !m.Blocks("thief", 0) {
		t.Error("others had the thief forgotten")
	}
	if m.Blocks("other 1", 0) {
		t.Error("who has a counter pays for others")
	}
	for range 11 {
		m.Count("late thief")
	}
	if !m.Blocks("late thief", 0) {
		t.Error("who comes late is not counted")
	}
	c.move(2 * time.Hour)
	m.Count("next")
	if m.callers["next"] == nil || m.Blocks("late thief", 0) {
		t.Error("nothing made place although all has run out")
	}
}

func TestMeterConcurrently(t *testing.T) {
	t.Parallel()
	m := NewMeter(config.Budget{Findings: 100, Per: time.Hour, Then: config.ThenBlock}, newClock().now)
	var group sync.WaitGroup
	raised := make(chan int, 1000)
	for range 8 {
		group.Go(func() {
			for range 100 {
				m.Blocks("a", 0)
				if n, raise := m.Count("a"); raise {
					raised <- n
				}
			}
		})
	}
	group.Wait()
	if close(raised); len(raised) != 1 || <-raised != 101 {
		t.Error("not raised exactly once, with the 101st")
	}
}
