package inventory

import (
	"slices"
	"sync"
	"testing"
)

// TestMatchersTogether: several goroutines may ask for matchers of the same phrases.
func TestMatchersTogether(t *testing.T) {
	t.Parallel()
	p := &Phrases{}
	p.Add([]uint64{1, 2}, 7)
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			m := p.Matcher()
			if got := m.Next(m.Next(nil, 1), 2); !slices.Equal(got, []int{7}) {
				t.Errorf("found %v, want phrase 7", got)
			}
		})
	}
	g.Wait()
}
