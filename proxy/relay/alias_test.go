package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"noecho/internal/raced"
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
	turns := map[string]string{
		"another name takes over": stream(one("reasoning_content", "alpha bravo"), one("reasoning_content", " charlie delta "), both("zulu", "echo foxtrot golf")),
		"names in turn": stream(one("reasoning_content", "alpha bravo"), one("reasoning_content", " charlie delta"), one("reasoning", " zulu"),
			one("reasoning_content", " echo foxtrot"), one("reasoning", " zulu"), one("reasoning_content", " golf")),
		"a name with a gap":    stream(both("alpha bravo charlie delta", "alpha bravo charlie delta"), one("reasoning", " zulu"), both(" echo golf", " echo golf")),
		"different afterwards": stream(both("alpha bravo", "alpha bravo"), both(" zulu", " charlie delta echo")),
	}
	for name, in := range turns {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in += stream(ends(0, "stop"), "[DONE]")
			for _, mode := range []Decision{redacting, blocking} {
				cfg := testConfig(t)
				cfg.Decision = mode
				got := everySplit(t, cfg, in)
				if told := mode == blocking; errors.Is(got.err, ErrBlocked) != told || got.err != nil != told || len(got.findings) == 0 {
					t.Errorf("%v: %v, %q", mode, got.err, got.findings)
				}
				if left := saidAs(got.out); left >= cfg.Spec.N {
					t.Errorf("%v: %d words left under one name in %s", mode, left, got.out)
				}
			}
			cfg := testConfig(t)
			cfg.Decision = observing
			if got := everySplit(t, cfg, in); got.out != in || got.counts.Passed > 0 || len(got.findings) == 0 {
				t.Errorf("observe: %+v, %q, %s", got.counts, got.findings, got.out)
			}
		})
	}
	clean := map[string]string{
		"always both":       stream(both("a b", "a b"), both(" c d", " c d"), one("content", "e")),
		"different, always": stream(both("a b", "x y"), both(" c d", " z")),
		"a name joins":      stream(one("reasoning", "a b"), both(" c d", " c d"), both(" e", " e")),
		"a name leaves":     stream(both("a b", "a b"), one("reasoning", " c d"), one("reasoning", " e")),
		"names in turn":     stream(one("reasoning", "a b"), one("reasoning_content", " c d"), one("reasoning", " e"), one("reasoning_content", " f")),
		"a gateway's names": stream(one("reasoning_content", "a b"), delta(0, `"reasoning_details":[{"type":"reasoning.text","text":" c d"}]`), one("reasoning_content", " e")),
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

// saidAs returns the most words of the secret that follow each other under one name of the
// reasoning in the messages of a chat stream.
func saidAs(body string) int {
	texts := map[string]string{}
	for _, m := range regexp.MustCompile(`"(reasoning[a-z_]*|text|summary)":"([^"]*)"`).FindAllStringSubmatch(body, -1) {
		texts[m[1]] += m[2]
	}
	best := 0
	for _, text := range texts {
		n, last := 0, -2
		for _, w := range strings.FieldsFunc(text, func(c rune) bool { return c < 'a' || c > 'z' }) {
			if i := slices.Index(strings.Fields(secret), w); i >= 0 && i == last+1 {
				n, last = n+1, i
			} else {
				n, last = min(1, i+1), i
			}
			best = max(best, n)
		}
	}
	return best
}

// TestRelayNames: whatever names a server gives each piece of the reasoning, a clean stream
// leaves byte for byte, and fewer words of a record than a window leave under one name.
func TestRelayNames(t *testing.T) {
	t.Parallel()
	names := []string{`"reasoning":%s`, `"reasoning_content":%s`, `"reasoning_text":%s`, `"reasoning_details":[{"type":"reasoning.text","text":%s}]`, `"reasoning_details":[{"type":"reasoning.summary","summary":%s}]`}
	for seed := range uint64(raced.Fewer(400)) {
		rnd := rand.New(rand.NewPCG(seed, 61))
		var clean, leak []string
		record := strings.Fields(secret)
		owner := rnd.IntN(len(names)) // the name that says the record
		for len(record) > 0 {
			var said, told []string
			for i, name := range names {
				switch {
				case i == 4 && slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "details") }), rnd.IntN(3) > 0:
					continue
				}
				text := string(mustJSON([...]string{" so it", " and"}[rnd.IntN(2)]))
				said = append(said, fmt.Sprintf(name, text))
				if i == owner && len(record) > 0 {
					text, record = string(mustJSON(" "+record[0])), record[1:]
				}
				told = append(told, fmt.Sprintf(name, text))
			}
			clean, leak = append(clean, delta(0, strings.Join(said, ","))), append(leak, delta(0, strings.Join(told, ",")))
		}
		in := stream(append(clean, ends(0, "stop"), "[DONE]")...)
		for _, mode := range []Decision{redacting, blocking, observing} {
			cfg := testConfig(t)
			cfg.Decision = mode
			if got := relayed(cfg, in); got.out != in || got.err != nil || got.counts.Passed > 0 {
				t.Fatalf("seed %d, %v: %v, %s\nof %s", seed, mode, got.err, got.out, in)
			}
			in := stream(append(leak, ends(0, "stop"), "[DONE]")...)
			if got := relayed(cfg, in); mode != observing && saidAs(got.out) >= cfg.Spec.N || len(got.findings) == 0 {
				t.Fatalf("seed %d, %v: %d words left, findings %q, %s\nof %s", seed, mode, saidAs(got.out), got.findings, got.out, in)
			}
		}
	}
}
