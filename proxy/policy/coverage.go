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

// Bounds of the memory of a Coverage.
const (
	maxTraces   = 1 << 16 // pairs of record and caller
	maxBlocks   = 1 << 18 // blocks of 64 words, over all pairs
	maxRequests = 16      // requests of one pair that are told apart
)

// Piece is a part of a record that was found in an answer.
type Piece struct {
	Record  string // its name, different from those of all other records
	Length  int    // words of the record; 0: not known
	Caller  string // the caller that asked, as [Meter] names it
	Request uint64 // number of the request; all pieces of a request have the same
	First   uint64 // place of its first word in the corpus
	Words   int
}

// Drip says that much of a record was found, piece by piece.
type Drip struct {
	Words    int  // distinct words of the record that were found
	Length   int  // words of the record; 0: not known
	Requests int  // requests that brought some of them; 16 means 16 or more
	Several  bool // several callers asked for them, not one alone
}

// Coverage remembers which words of each record were found: for each caller, and for all
// callers together. It returns a Drip when they are too many, over at least two requests,
// and again only when a period has passed.
//
// Its memory is bounded. If there are too many pairs of record and caller, it forgets the
// pairs to which nothing was added for the longest time, and counts them in Forgotten. Safe
// for concurrent use.
type Coverage struct {
	bound  config.Coverage
	now    func() time.Time
	seed   maphash.Seed
	most   int // bound of traces
	blocks int // bound of blocks over all traces

	mu        sync.Mutex
	traces    map[uint64]*list.Element // of *trace, by hash of record and caller
	recent    *list.List               // the traces, the last one that was added to in front
	used      int                      // blocks of all traces
	forgotten uint64
}

// trace remembers the words of one record that were found for one caller, or for all.
type trace struct {
	key      uint64
	blocks   []block   // in order
	words    int       // that are set in blocks
	requests []request // that set some of them, at most maxRequests
	caller   uint64    // the caller whose request set the first word
	several  bool      // another caller has set words too
	at       int64     // time of the last addition
	told     int64     // no Drip is returned before this time
}

// request is a request that has set words of a record.
type request struct {
	number uint64
	at     int64 // time when it last did
}

// block is 64 words of a record.
type block struct {
	number uint64 // place / 64
	set    uint64 // a bit for each word
	at     int64  // time when the last of them was found
}

// NewCoverage returns a Coverage with these bounds, nil if there are none. A nil now means
// [time.Now].
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

// Forgotten returns how many pairs of record and caller were forgotten for lack of memory.
func (c *Coverage) Forgotten() uint64 {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgotten
}

// Add adds a piece of a record that was found, and reports whether too much of the record
// was found now. A Drip about one caller comes before one about several. A nil Coverage
// adds nothing.
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
				all.told = t.told // one alert is enough for both
			}
			return Drip{Words: t.words, Length: p.Length, Requests: len(t.requests), Several: t.several}, true
		}
	}
	return Drip{}, false
}

// hash returns the key of a trace.
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

// note adds a piece to a trace, which it makes if there is none.
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

// exceeds reports whether too many of the length words of a record were found.
func (c *Coverage) exceeds(t *trace, length int) bool {
	return c.bound.Words > 0 && t.words >= c.bound.Words ||
		c.bound.Share > 0 && length > 0 && float64(t.words) >= c.bound.Share*float64(length)
}

// makeRoom forgets the traces that are older than the period, and then those to which
// nothing was added for the longest time until the others fit. It empties keep only if keep
// alone is too large.
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

// count counts a request that has set words. One too many takes the place of the oldest.
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

// expire forgets words and requests from before a point in time.
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

// add sets the words of a piece and reports whether any of them is new.
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
