package policy

import (
	"fmt"
	"testing"
	"time"

	"noecho/detect"
	"noecho/proxy/config"
)

// TestProbes: guesses are counted early, others are not.
func TestProbes(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	budget := config.Budget{Findings: 1000, Per: time.Hour, Then: config.ThenBlock, Probes: 20}
	probes := func() *Probes { return NewProbes(budget, func() time.Time { return now }) }
	guess := &detect.Finding{Kind: detect.Verbatim, Guessed: true, Words: 1, Windows: 1}
	raised := func(p *Probes, tries int, f *detect.Finding, record func(i int) string) int {
		for i := range tries {
			if _, raise := p.Finding("c", record(i), f); raise {
				return i + 1
			}
		}
		return 0
	}
	one := func(int) string { return "a" }
	many := func(i int) string { return fmt.Sprint(i) }
	for _, tt := range []struct {
		name   string
		f      *detect.Finding
		record func(int) string
		want   int
	}{
		{"many records", guess, many, 21},
		{"one record", guess, one, 11},
		{"no record", guess, func(int) string { return "" }, 21},
		{"the words repeated", &detect.Finding{Kind: detect.Verbatim, Guessed: true, Words: 11, Windows: 2}, many, 21},
		{"an identifier", &detect.Finding{Kind: detect.Phrase, Guessed: true, Words: 2}, many, 21},
		{"more than a guess", &detect.Finding{Kind: detect.Verbatim, Guessed: true, Words: 3, Windows: 3}, many, 0},
		{"a long identifier", &detect.Finding{Kind: detect.Phrase, Guessed: true, Words: 3}, many, 0},
		{"not guessed", &detect.Finding{Kind: detect.Verbatim, Words: 10, Windows: 1}, many, 0},
	} {
		p := probes()
		if got := raised(p, 100, tt.f, tt.record); got != tt.want || p.Blocks("c") != (got > 0) || p.Blocks("d") {
			t.Errorf("%s: raised by finding %d, want %d", tt.name, got, tt.want)
		}
	}
	p := probes()
	if n, raise := p.Endings("c", 160); n != 20 || raise {
		t.Errorf("160 endings: %d probes, %v", n, raise)
	}
	if n, raise := p.Endings("c", 8); n != 21 || !raise {
		t.Errorf("8 more: %d probes, %v", n, raise)
	}
	if now = now.Add(2 * time.Hour); p.Blocks("c") {
		t.Error("blocks after the period")
	}
	if p.Renew(budget) != p || p.Renew(config.Budget{}) != nil {
		t.Error("not renewed")
	}
	var none *Probes
	if n, raise := none.Finding("c", "r", guess); n != 0 || raise || none.Blocks("c") {
		t.Error("nil probes count")
	}
	if n, raise := none.Endings("c", 1e6); n != 0 || raise {
		t.Error("nil probes count endings")
	}
}
