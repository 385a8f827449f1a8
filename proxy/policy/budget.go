package policy

import (
	"hash/maphash"
	"sync"
	"time"

	"noecho/proxy/config"
)

// Bounds of the memory of a Meter.
const (
	maxCallers  = 1 << 16 // callers with a counter of their own
	sharedCount = 1 << 10 // counters that all other callers share
	slots       = 16      // parts of a period that are counted separately
)

// Meter counts the findings of each caller within a period, which slides by a sixteenth of
// itself at a time: no counted finding is older than the period.
//
// Its memory is bounded, and no counter above zero is dropped for another. Callers that come
// when all counters are in use share 1024 more, picked by a keyed hash. So a caller with
// many credentials cannot make the Meter forget others. For a caller with a shared counter
// too many findings may be counted, never too few. Safe for concurrent use.
type Meter struct {
	budget config.Budget
	slot   time.Duration
	now    func() time.Time
	most   int // callers with a counter of their own
	seed   maphash.Seed

	mu      sync.Mutex
	callers map[string]*counter
	shared  []counter // nil until needed
	swept   int64     // slot in which counters at zero were last dropped from callers
}

// counter counts the findings of one caller, or of several that share it.
type counter struct {
	counts [slots]uint32 // by slot
	total  int
	newest int64 // slot that was counted last
	raised int64 // slot of the last alert, from 1; 0: none
}

// NewMeter returns a meter for a budget, nil if there is none. A nil now means [time.Now].
func NewMeter(b config.Budget, now func() time.Time) *Meter {
	if b.Findings == 0 {
		return nil
	}
	if now == nil {
		now = time.Now
	}
	return &Meter{
		budget: b, slot: max(b.Per/slots, 1), now: now, most: maxCallers,
		seed: maphash.MakeSeed(), callers: map[string]*counter{},
	}
}

// Renew returns m if it counts for this budget, else a new meter.
func (m *Meter) Renew(b config.Budget) *Meter {
	if m != nil && m.budget == b {
		return m
	}
	return NewMeter(b, nil)
}

// at returns the number of the current slot, from 1.
func (m *Meter) at() int64 { return max(m.now().UnixNano()/int64(m.slot), 0) + 1 }

// mayBlock reports whether a budget that is used up blocks.
func (m *Meter) mayBlock() bool { return m != nil && m.budget.Then == config.ThenBlock }

// Blocks reports whether findings of a caller are blocked because its budget is used
// up. pending is the number of its findings that are not yet counted.
func (m *Meter) Blocks(caller string, pending int) bool {
	if !m.mayBlock() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.find(caller); c != nil {
		c.slide(m.at())
		pending += c.total
	}
	return pending > m.budget.Findings
}

// spent reports whether one more finding uses up the budget of a caller, or has done so.
func (m *Meter) spent(caller string) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.find(caller)
	if c == nil {
		return false
	}
	c.slide(m.at())
	return c.total >= m.budget.Findings
}

// Count counts one finding of a caller and returns how many there are in the period that
// ends now. raise says that the budget is used up, and was not true for the caller in the
// period before. A nil meter counts nothing.
func (m *Meter) Count(caller string) (findings int, raise bool) {
	if m == nil {
		return 0, false
	}
	return m.add(caller, 1)
}

// add counts n findings.
func (m *Meter) add(caller string, n int) (findings int, raise bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.at()
	c := m.callers[caller]
	if c == nil {
		c = m.enter(caller, at)
	}
	c.slide(at)
	c.counts[c.newest%slots] += uint32(n)
	c.total += n
	if c.total > m.budget.Findings && (c.raised == 0 || c.newest-c.raised >= slots) {
		c.raised, raise = c.newest, true
	}
	return c.total, raise
}

// find returns the counter of a caller, nil if it has none.
func (m *Meter) find(caller string) *counter {
	if c := m.callers[caller]; c != nil || m.shared == nil {
		return c
	}
	return &m.shared[maphash.String(m.seed, caller)%sharedCount]
}

// enter returns a counter for a caller that has none of its own. If the caller has shared a
// counter so far, the new one starts with the findings of that.
func (m *Meter) enter(caller string, at int64) *counter {
	if len(m.callers) >= m.most && m.swept != at {
		m.swept = at
		for name, c := range m.callers {
			if c.slide(at); c.total == 0 {
				delete(m.callers, name)
			}
		}
	}
	if len(m.callers) >= m.most {
		if m.shared == nil {
			m.shared = make([]counter, sharedCount)
		}
		return m.find(caller)
	}
	c := &counter{newest: at}
	if m.shared != nil {
		*c = *m.find(caller)
	}
	m.callers[caller] = c
	return c
}

// slide drops the findings that are older than the period that ends with slot at. After the
// clock was set back, findings count in the newest slot.
func (c *counter) slide(at int64) {
	if at-c.newest >= slots {
		c.counts, c.total, c.newest = [slots]uint32{}, 0, at
		return
	}
	for c.newest < at {
		c.newest++
		n := &c.counts[c.newest%slots]
		c.total -= int(*n)
		*n = 0
	}
}
