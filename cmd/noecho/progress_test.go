package main

import (
	"testing"
	"time"

	"noecho/index/build"
)

// TestBuildStep checks the bar over all passes: where it is, and the time it promises.
func TestBuildStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pass, passes, bytes, total int64
		elapsed                    time.Duration
		name                       string
		done, of                   int64
	}{
		{0, 0, 0, 0, 0, "pass 0 of 0", 0, -1},
		{1, 2, 0, 100, 9 * time.Second, "pass 1 of 2", 0, 1000},
		{1, 2, 50, 100, time.Second, "pass 1 of 2", 232, 1000},
		{1, 2, 100, 100, 10 * time.Second, "pass 1 of 2, about 12s left", 465, 1000},
		{2, 2, 0, 50, 10 * time.Second, "pass 2 of 2, about 12s left", 465, 1000},
		{2, 2, 50, 50, 20 * time.Second, "pass 2 of 2, about 2s left", 930, 1000},
		{2, 2, 70, 50, 20 * time.Second, "pass 2 of 2, about 2s left", 930, 1000},
		{2, 2, 50, 50, 2 * time.Second, "pass 2 of 2, about 1s left", 930, 1000},
		{2, 4, 0, 50, 100 * time.Minute, "pass 2 of 4, about 5h15m0s left", 240, 1000},
		{1, 2, 77, 0, time.Minute, "pass 1 of 2", 77, -1}, // standard input
	} {
		var p build.Progress
		p.Pass.Store(c.pass)
		p.Passes.Store(c.passes)
		p.Bytes.Store(c.bytes)
		p.Total.Store(c.total)
		if got := buildStep(&p, c.elapsed); got.name != c.name || got.done != c.done || got.total != c.of {
			t.Errorf("%+v: %q %d of %d, want %q %d of %d", c, got.name, got.done, got.total, c.name, c.done, c.of)
		}
	}
}
