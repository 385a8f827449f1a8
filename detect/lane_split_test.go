package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// shortRecord has enough words for a finding.
const shortRecord = "Nobody could remember who first asked for this, but the habit was older"

// laneOutcome returns the results that must not depend on the cut.
func laneOutcome(d *Detector, set Index, cfg Config, pieces ...string) string {
	text, findings := readLanes(d, set, cfg, pieces...)
	slices.SortFunc(findings, func(a, b *Finding) int {
		return strings.Compare(describe(a), describe(b))
	})
	for _, f := range findings {
		text += "\n" + describe(f)
	}
	return text
}

func describe(f *Finding) string {
	return fmt.Sprint(f.Kind, f.Lane, f.Span, f.Words, f.Windows, f.Echo, f.Resumed)
}

// TestLanesSplits: in every lane the findings and the released bytes do not depend on the
// cut.
func TestLanesSplits(t *testing.T) {
	t.Parallel()
	set := newPlainSet(10, shortRecord)
	for name, s := range spellings(shortRecord) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &Detector{}
			texts := []string{"Here: " + s + "\nThat is all.", s}
			for i, release := range []Release{Adaptive, Strict} {
				cfg, text := Config{Lanes: AllLanes, Release: release}, texts[i]
				var single []string
				for i := range len(text) {
					single = append(single, text[i:i+1])
				}
				want := laneOutcome(d, set, cfg, single...)
				for at := i; at <= len(text); at += 1 + 6*i {
					if got := laneOutcome(d, set, cfg, text[:at], text[at:]); got != want {
						t.Fatalf("cut at %d:\n%s\nbyte by byte:\n%s", at, got, want)
					}
				}
			}
		})
	}
}

// TestLongGapSplits: if words are further apart than the bytes that a lane keeps, the
// result does not depend on the cut of the gap either.
func TestLongGapSplits(t *testing.T) {
	t.Parallel()
	record, _ := story(5, 20)
	set := newWordSet(10, record)
	forward := strings.Fields(record)
	backward := slices.Clone(forward)
	slices.Reverse(backward)
	d := &Detector{}
	for _, fill := range []string{".", "\u200b"} {
		for _, size := range []int{1020, 3000, 3600} {
			for _, words := range [][]string{forward, backward} {
				for _, at := range []int{10, 19} {
					text := "so " + strings.Join(words[:at], " ") + strings.Repeat(fill, size/len(fill)) + strings.Join(words[at:], " ") +
						strings.Repeat(" and the meeting", 120)
					cfg := Config{Lanes: AllLanes}
					whole, single := laneOutcome(d, set, cfg, text), laneOutcome(d, set, cfg, strings.Split(text, "")...)
					if whole != single {
						t.Errorf("%d bytes of %q before word %d:\n%s\nbyte by byte:\n%s", size, fill, at, whole, single)
					}
				}
			}
		}
	}
}
