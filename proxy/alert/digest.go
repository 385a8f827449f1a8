package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"maps"
)

// tally counts and hashes the lines of one boot in one sink from one digest to the next. The
// zero value is ready.
type tally struct {
	first  uint64 // number of the first event of the lines
	lines  uint64
	counts map[Type]uint64
	sum    hash.Hash
}

// add takes a line that was written, its end included. A digest begins the next tally, of which
// it is the first line.
func (t *tally) add(ev *Event, line []byte) {
	if t.sum == nil {
		t.sum, t.counts = sha256.New(), map[Type]uint64{}
	}
	if ev.Type == TypeDigest {
		t.sum.Reset()
		clear(t.counts)
		t.lines = 0
	}
	if t.lines == 0 {
		t.first = ev.first()
	}
	t.lines++
	t.counts[ev.Type]++
	_, _ = t.sum.Write(line) // never fails
}

// fill writes the tally into the event of a digest. A digest that is the first line of a sink
// has no lines.
func (t *tally) fill(ev *Event) {
	ev.First, ev.Lines, ev.Counts = ev.Seq, t.lines, maps.Clone(t.counts)
	sum := sha256.New()
	if t.sum != nil {
		ev.First, sum = t.first, t.sum
	}
	ev.SHA256 = hex.EncodeToString(sum.Sum(nil))
}

// first returns the number of the first event that a line is about: a gap is about several.
func (ev *Event) first() uint64 {
	if ev.Type == TypeGap && ev.Lost > 0 && ev.Lost <= ev.Seq {
		return ev.Seq - ev.Lost + 1
	}
	return ev.Seq
}
