package relay

import (
	"errors"
	"strings"
	"testing"
)

// TestRelayAlias: whichever of a text's names a caller reads, no leak comes
// together from pieces that stood in different channels.
func TestRelayAlias(t *testing.T) {
	t.Parallel()
	piece := func(name, text string) string { return `"` + name + `":"` + text + `"` }
	both := func(a, b string) string {
		return delta(0, piece("reasoning", a)+","+piece("reasoning_content", b))
	}
	one := func(name, text string) string { return delta(0, piece(name, text)) }
	ambiguous := map[string]string{
		"another name takes over": stream(one("reasoning_content", "alpha bravo"), one("reasoning_content", " charlie delta "), both("zulu", "echo foxtrot golf")),
		"names in turn": stream(one("reasoning_content", "alpha bravo"), one("reasoning_content", " charlie delta"), one("reasoning", " zulu"),
			one("reasoning_content", " echo foxtrot"), one("reasoning", " zulu"), one("reasoning_content", " golf")),
		"a name with a gap":    stream(both("alpha bravo charlie delta", "alpha bravo charlie delta"), one("reasoning", " zulu"), both(" echo golf", " echo golf")),
		"different afterwards": stream(both("alpha bravo", "alpha bravo"), both(" zulu", " charlie delta echo")),
	}
	for name, in := range ambiguous {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, mode := range []Decision{redacting, blocking} {
				cfg := testConfig(t)
				cfg.Decision = mode
				got := everySplit(t, cfg, in+stream(ends(0, "stop"), "[DONE]"))
				if !errors.Is(got.err, ErrRefused) || strings.Contains(got.out, "echo") {
					t.Errorf("%v: %v, %s", mode, got.err, got.out)
				}
			}
			cfg := testConfig(t)
			cfg.Decision = observing
			if got := everySplit(t, cfg, in); got.out != in || got.counts.Passed == 0 {
				t.Errorf("observe: %+v, %s", got.counts, got.out)
			}
		})
	}
	clean := map[string]string{
		"always both":       stream(both("a b", "a b"), both(" c d", " c d"), one("content", "e")),
		"different, always": stream(both("a b", "x y"), both(" c d", " z")),
		"a name joins":      stream(one("reasoning", "a b"), both(" c d", " c d"), both(" e", " e")),
		"a name leaves":     stream(both("a b", "a b"), one("reasoning", " c d"), one("reasoning", " e")),
		"a name follows":    stream(one("reasoning", "a b"), one("reasoning", " c d"), one("reasoning_content", " e")),
	}
	for name, in := range clean {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := everySplit(t, testConfig(t), in); got.out != in || got.err != nil {
				t.Errorf("%v, %s", got.err, got.out)
			}
		})
	}
}
