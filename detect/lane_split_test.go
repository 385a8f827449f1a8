package detect

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noecho/internal/raced"
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

// snippets returns clean text, beginnings of the record in every spelling, and texts that
// make bytes wait and raise no alarm, one behind the other.
func snippets(r *rand.Rand, size int) string {
	all := spellings(shortRecord)
	names := slices.Sorted(maps.Keys(all))
	doubts := []string{
		"responsibilities ", "2, 17, ", "11 12 13 ", "well-\n", "a-", "100% ", "%41 ", "quiz vex jinx ", "Zbqryf nera'g ", "siht ", "m4ny ", "l33t ",
		"\u00e9t\u00e9 ", "aGVsbG8gd29ybGQh ", "deadbeefdeadbeef ", "I am so in it as he is ", "o f t e n ", "thatisall ", "wellKnownThing ", "\n\n", "&amp;", "don't ",
		"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", "ABCDEFGHIJKLMNOP", "\\n", "\u6f22\u5b57", "------", "1a1a1a ",
	}
	var b strings.Builder
	for b.Len() < size {
		switch r.IntN(4) {
		case 0:
			s := all[names[r.IntN(len(names))]]
			b.WriteString(s[:r.IntN(len(s)+1)])
		case 1:
			at := r.IntN(len(cleanText))
			b.WriteString(cleanText[at:min(len(cleanText), at+r.IntN(200))])
		default:
			b.WriteString(doubts[r.IntN(len(doubts))])
		}
		if r.IntN(3) == 0 {
			b.WriteByte(" \n.,"[r.IntN(4)])
		}
	}
	return b.String()
}

// checkSnippets compares the results of a text that is cut in several ways.
func checkSnippets(t testing.TB, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 41))
	text := snippets(r, 1+r.IntN(3000))
	cfg := Config{Lanes: AllLanes, Release: Release(r.IntN(4) / 3)}
	if r.IntN(4) == 0 {
		cfg.Lanes = Lanes(r.IntN(1<<14)) & AllLanes
	}
	set := newWordSet(10, shortRecord, laneRecord)
	d := &Detector{}
	want := laneOutcome(d, set, cfg, strings.Split(text, "")...)
	for k := range 3 {
		pieces := []string{text}
		if k > 0 {
			pieces = randomPieces(r, text)
		}
		if got := laneOutcome(d, set, cfg, pieces...); got != want {
			t.Fatalf("seed %d, lanes %b, pieces %q:\n%s\nbyte by byte:\n%s", seed, cfg.Lanes, pieces, got, want)
		}
	}
}

// TestSnippets: the results do not depend on the cut where bytes wait for signs of several
// lanes.
func TestSnippets(t *testing.T) {
	t.Parallel()
	for seed := range uint64(raced.Fewer(100)) {
		checkSnippets(t, seed)
	}
}

func FuzzSnippets(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkSnippets(t, seed) })
}
