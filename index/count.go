package index

import (
	"fmt"
	"math/bits"

	"github.com/axiomhq/hyperloglog"
)

// sketchPrecision gives 2¹⁸ registers: a standard error of 0.2 %.
const sketchPrecision = 18

// counter estimates how many distinct grams a corpus has. What it says depends
// on the set of grams alone, not on their order or on how they were shared out
// among counters. Not safe for concurrent use.
type counter struct {
	windows, fours, twos *hyperloglog.Sketch
}

func newCounter() (*counter, error) {
	var c counter
	for _, s := range []**hyperloglog.Sketch{&c.windows, &c.fours, &c.twos} {
		sketch, err := hyperloglog.NewSketch(sketchPrecision, false)
		if err != nil {
			return nil, fmt.Errorf("count windows: %w", err)
		}
		*s = sketch
	}
	return &c, nil
}

// add counts the grams of a run.
func (c *counter) add(g *grams) error {
	for _, h := range g.windows {
		c.windows.InsertHash(h.Lo)
	}
	for _, lo := range g.fours {
		c.fours.InsertHash(lo)
	}
	for _, lo := range g.twos {
		c.twos.InsertHash(lo)
	}
	return nil
}

// merge adds what another counter saw.
func (c *counter) merge(o *counter) error {
	for _, s := range [...][2]*hyperloglog.Sketch{{c.windows, o.windows}, {c.fours, o.fours}, {c.twos, o.twos}} {
		if err := s[0].Merge(s[1]); err != nil {
			return fmt.Errorf("count windows: %w", err)
		}
	}
	return nil
}

// capacities is how many distinct grams the filters are sized for.
type capacities struct{ windows, fours, twos uint64 }

// capacities returns the estimates with headroom.
func (c *counter) capacities() capacities {
	return capacities{
		windows: headroom(c.windows.Estimate()),
		fours:   headroom(c.fours.Estimate()),
		twos:    headroom(c.twos.Estimate()),
	}
}

// headroom adds 1.6 %, eight standard errors of the estimate, and rounds up to
// ten significant bits: an estimate that differs by a rounding error on another
// processor still gives the same file.
func headroom(n uint64) uint64 {
	n += n/64 + 1
	step := uint64(1) << max(0, bits.Len64(n)-10)
	return (n + step - 1) / step * step
}

// givenCapacities sizes the filters for a number of windows that the user
// gave. Text has fewer distinct short grams than windows (0.8 four-word ones
// and 0.3 two-word ones to a window at 100 MB); if it had more, the gates would
// clear less and nothing else.
func givenCapacities(windows uint64) capacities {
	return capacities{windows: windows, fours: windows, twos: (windows + 1) / 2}
}
