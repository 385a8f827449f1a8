package policy

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"time"

	"noecho/proxy/config"
)

// Bounds of what a Coverage keeps.
const (
	maxTraces   = 1 << 16 // pairs of record and caller
	maxBlocks   = 1 << 18 // stretches of 64 words, over all of them
	maxRequests = 16      // told apart, of one pair
)

// Piece is one stretch of a record that was found in an answer.
type Piece struct {
	Record  string // names the record among all of them
	Length  int    // words of the record; 0: not known
	Caller  string // who asked, as [Meter] names it
	Request uint64 // number of the request: pieces of one request have the same
	First   uint64 // place of its first word, among all words
	Words   int
}

// Drip says that much of a record has come out piece by piece.
type Drip struct {
	Words    int  // distinct words of the record that were found
	Length   int  // words of the record; 0: not known
	Requests int  // that brought some of them; 16: as many, or more
	Several  bool // several callers asked for them; else one alone
}

// Coverage keeps, for each record, which of its words were found: those that one
// caller asked for, and those that all did. It tells once when they are too
// many, over at least two requests, and again only when a period has passed.
//
// Its memory is bounded: where there are too many records and callers, what was
// added to least recently is forgotten, and counted in Forgotten. Safe for
// concurrent use.
type Coverage struct {
	bound  config.Coverage
	now    func() time.Time
	seed   maphash.Seed
	most   int // traces
	blocks int // over all traces, at most

	mu        sync.Mutex
	traces    map[uint64]*list.Element // of *trace, by hash of record and caller
	recent    *list.List               // the one added to last in front
	used      int                      // blocks
	forgotten uint64
}

// trace is what was found of one record.
type trace struct {
	key      uint64
	blocks   []block   // in order
	words    int       // set in blocks
	requests []request // that set some of them, at most maxRequests
	caller   uint64    // who set the first
	several  bool
	at       int64 // when something was added
	told     int64 // until when nothing more is told; 0: at once
}

// request is one that has set words of a record.
type request struct {
	number uint64
	at     int64 // when it last did
}

// block is 64 words of a record.
type block struct {
	number uint64 // place / 64
	set    uint64 // a bit for each word
	at     int64  // when the last of them was found
}

// NewCoverage returns a Coverage with the given bounds, nil if there are none.
// now may be nil, which means [time.Now].
func NewCoverage(c config.Coverage, now func() time.Time) *Coverage {
	if c.Off() {
		return nil
	}
	if now == nil {
		now = time.Now
	}
	return &Coverage{
		bound: c, now: now, seed: maphash.MakeSeed(), most: maxTraces, blocks: maxBlocks,
		traces: map[uint64]*list.Element{}, recent: list.New(),
	}
}

// Renew returns c if it has these bounds, else a new Coverage.
func (c *Coverage) Renew(bound config.Coverage) *Coverage {
	if c != nil && c.bound == bound {
		return c
	}
	return NewCoverage(bound, nil)
}

// Forgotten is the number of traces that made place for others.
func (c *Coverage) Forgotten() uint64 {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgotten
}

// Add notes that a piece of a record was found, and reports whether it made too
// much of it. What one caller asked for is told before what several did. A nil
// Coverage notes nothing.
func (c *Coverage) Add(p Piece) (Drip, bool) {
	if c == nil || p.Words <= 0 {
		return Drip{}, false
	}
	p.Words = min(p.Words, 1<<20)
	caller := c.hash(p.Caller, "")
	c.mu.Lock()
	defer c.mu.Unlock()
	own := c.note(c.hash(p.Record, p.Caller), caller, &p)
	all := c.note(c.hash(p.Record, ""), caller, &p)
	now := all.at
	for _, t := range [...]*trace{own, all} {
		if (t == own || t.several) && len(t.requests) > 1 && now >= t.told && c.exceeds(t, p.Length) {
			t.told = now + int64(c.bound.Over)
			if all.several {
				all.told = t.told // one alert says both
			}
			return Drip{Words: t.words, Length: p.Length, Requests: len(t.requests), Several: t.several}, true
		}
	}
	return Drip{}, false
}

// hash names a trace.
func (c *Coverage) hash(record, caller string) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(record)))
	_, _ = h.Write(length[:]) // never fails
	_, _ = h.WriteString(record)
	_, _ = h.WriteString(caller)
	return h.Sum64()
}

// note adds a piece to a trace.
func (c *Coverage) note(key, caller uint64, p *Piece) *trace {
	now := c.now().UnixNano()
	e := c.traces[key]
	if e == nil {
		e = c.recent.PushFront(&trace{key: key})
		c.traces[key] = e
	}
	c.recent.MoveToFront(e)
	t := e.Value.(*trace)
	before := len(t.blocks)
	t.expire(now - int64(c.bound.Over))
	if t.words == 0 {
		t.caller, t.several = caller, false
	}
	if t.add(p, now) {
		t.several = t.several || caller != t.caller
		t.count(p.Request, now)
	}
	c.used += len(t.blocks) - before
	c.makeRoom(t)
	return t
}

// exceeds reports whether too much was found of a record of so many words.
func (c *Coverage) exceeds(t *trace, length int) bool {
	return c.bound.Words > 0 && t.words >= c.bound.Words ||
		c.bound.Share > 0 && length > 0 && float64(t.words) >= c.bound.Share*float64(length)
}

// makeRoom forgets what was added to least recently until the rest fits, and
// what has run out in any case. keep goes only if it is too much by itself.
func (c *Coverage) makeRoom(keep *trace) {
	for {
		t := c.recent.Back().Value.(*trace)
		over := len(c.traces) > c.most || c.used > c.blocks
		lapsed := keep.at-t.at >= int64(c.bound.Over)
		if !over && !lapsed {
			return
		}
		if !lapsed {
			c.forgotten++
		}
		c.used -= len(t.blocks)
		if t == keep {
			*t = trace{key: t.key, at: t.at, told: t.told}
			return
		}
		c.recent.Remove(c.traces[t.key])
		delete(c.traces, t.key)
	}
}

// count counts a request that has set words; one too many stands for the oldest.
func (t *trace) count(number uint64, now int64) {
	i := slices.IndexFunc(t.requests, func(r request) bool { return r.number == number })
	switch {
	case i >= 0:
		t.requests[i].at = now
		return
	case len(t.requests) == maxRequests:
		t.requests = slices.Delete(t.requests, 0, 1)
	}
	t.requests = append(t.requests, request{number, now})
}

// expire forgets what was found before a point in time.
func (t *trace) expire(before int64) {
	t.requests = slices.DeleteFunc(t.requests, func(r request) bool { return r.at < before })
	t.blocks = slices.DeleteFunc(t.blocks, func(b block) bool {
		if b.at >= before {
			return false
		}
		t.words -= bits.OnesCount64(b.set)
		return true
	})
}

// add sets the words of a piece and reports whether any is new.
func (t *trace) add(p *Piece, now int64) bool {
	t.at = now
	was := t.words
	for from, end := p.First, p.First+uint64(p.Words); from < end; {
		number := from / 64
		to := min(end, (number+1)*64)
		mask := ^uint64(0) >> (64 - (to - from)) << (from % 64)
		i, ok := slices.BinarySearchFunc(t.blocks, number, func(b block, n uint64) int {
			switch {
			case b.number < n:
				return -1
			case b.number > n:
				return 1
			}
			return 0
		})
		if !ok {
			t.blocks = slices.Insert(t.blocks, i, block{number: number})
		}
		b := &t.blocks[i]
		t.words += bits.OnesCount64(mask &^ b.set)
		b.set |= mask
		b.at = now
		from = to
	}
	return t.words > was
}
