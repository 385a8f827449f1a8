package proxy

import (
	"testing"
	"time"
)

// TestDeadline: a deadline is set again only when it has come nearer.
func TestDeadline(t *testing.T) {
	t.Parallel()
	var l deadline
	set := 0
	note := func(time.Time) error { set++; return nil }
	for range 3 {
		_ = l.extend(time.Hour, note)
	}
	if set != 1 {
		t.Errorf("set %d times", set)
	}
	l.at = l.at.Add(-time.Hour / 8)
	if _ = l.extend(time.Hour, note); set != 2 {
		t.Errorf("a deadline that has come nearer: set %d times", set)
	}
}
