package policy

import (
	"hash/maphash"
	"sync"
	"time"

	"noecho/detect"
	"noecho/proxy/alert"
)

// The bounds from which findings of a caller look like an attack.
const (
	manyRecords = 10 // records with findings within a day
	manyEach    = 10 // findings in this hour, at least, and
	timesPast   = 4  // times as many as in the average hour of the caller's last day
	pastHours   = 24
)

// Habits remembers for a day in how many records each caller had findings, and how many
// findings an hour. When it knows 65,536 callers it forgets those without a finding in the
// last day, and takes no other while there are none. Safe for concurrent use.
type Habits struct {
	now  func() time.Time
	seed maphash.Seed

	mu      sync.Mutex
	callers map[string]*habit
	swept   int64 // hour in which idle callers were last forgotten
}

// habit is the memory of one caller. Hours are counted from the year 1970.
type habit struct {
	hour    int64 // that is counted
	count   int   // findings in it
	hours   int   // of its past that are known, at most pastHours
	past    float64
	records [manyRecords]seenRecord
}

// seenRecord is a record in which a caller had a finding.
type seenRecord struct {
	hash uint64 // of its name; 0: none
	hour int64
}

// NewHabits returns habits without callers. A nil now means [time.Now].
func NewHabits(now func() time.Time) *Habits {
	if now == nil {
		now = time.Now
	}
	return &Habits{now: now, seed: maphash.MakeSeed(), callers: map[string]*habit{}}
}

// Renew returns h, or new habits if it is nil.
func (h *Habits) Renew() *Habits {
	if h != nil {
		return h
	}
	return NewHabits(nil)
}

// Note takes note of a finding of a caller in a record, whose name may be empty. It reports
// whether the caller had findings in many records, and whether it has far more findings than
// in its own past.
func (h *Habits) Note(caller, record string) (records, rate bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hour := h.now().Unix() / 3600
	c := h.callers[caller]
	if c == nil {
		if len(h.callers) >= maxCallers && h.swept != hour {
			h.swept = hour
			for name, c := range h.callers {
				if hour-c.hour > pastHours {
					delete(h.callers, name)
				}
			}
		}
		if len(h.callers) >= maxCallers {
			return false, false
		}
		c = &habit{hour: hour}
		h.callers[caller] = c
	}
	c.slide(hour)
	c.count++
	hash := uint64(0)
	if record != "" {
		hash = maphash.String(h.seed, record) | 1
	}
	return c.add(hash) >= manyRecords, c.hours > 0 && c.count >= manyEach && float64(c.count) > timesPast*c.past
}

// slide ends the hours before hour.
func (c *habit) slide(hour int64) {
	if hour-c.hour > 2*pastHours {
		*c = habit{hour: hour, hours: pastHours}
	}
	for ; c.hour < hour; c.hour++ {
		c.hours = min(c.hours+1, pastHours)
		c.past += (float64(c.count) - c.past) / float64(c.hours)
		c.count = 0
	}
}

// add adds the hash of a record, unless it is 0, and returns how many there were within a day.
func (c *habit) add(record uint64) (n int) {
	oldest := 0
	for i := range c.records {
		r := &c.records[i]
		if r.hash == record {
			oldest = i
			break
		}
		if r.hour < c.records[oldest].hour {
			oldest = i
		}
	}
	if record != 0 {
		c.records[oldest] = seenRecord{record, c.hour}
	}
	for i := range c.records {
		if c.records[i].hash != 0 && c.hour-c.records[i].hour <= pastHours {
			n++
		}
	}
	return n
}

// Signals returns what speaks for it that a finding is part of an attack. record is the name
// of its first record; empty if none is known. A nil Habits knows no caller.
func (j *Judge) Signals(f *detect.Finding, habits *Habits, record string) []alert.Signal {
	out := []alert.Signal{}
	if f.Echo || j.Ignores(f) {
		return out
	}
	if f.Lane != detect.Plain && f.Lane.String() != hyphenated {
		out = append(out, alert.SignalDisguise)
	}
	if habits != nil {
		records, rate := habits.Note(j.caller, record)
		if records {
			out = append(out, alert.SignalRecords)
		}
		if rate {
			out = append(out, alert.SignalRate)
		}
	}
	if j.meter.spent(j.caller) || j.probes != nil && j.probes.callers.spent(j.caller) {
		out = append(out, alert.SignalBudget)
	}
	return out
}

// hyphenated is the lane of words that are broken at the end of a line, as honest text is too.
const hyphenated = "hyphenated"
