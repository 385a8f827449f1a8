package build

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"noecho/index/corpus"
)

// TestCommonWindows counts the windows of greetings that are in many records.
func TestCommonWindows(t *testing.T) {
	t.Parallel()
	greeting, rare := prose(1, 14), prose(2, 14) // five windows each
	for _, c := range []struct{ records, greeted, rarely, want, without int }{
		{9, 9, 0, 0, 0}, // too few to say so
		{10, 10, 0, 5, 0},
		{100, 10, 0, 0, 0}, // a tenth is not more than a tenth
		{100, 11, 10, 5, 0},
		{100, 11, 11, 10, 5},
		{300, 30, 31, 5, 5},
	} {
		var rows strings.Builder
		for i := range c.records {
			text := prose(uint64(100+i), 30)
			if i < c.greeted {
				text = greeting + " " + text + " " + greeting // twice in a record counts once
			}
			if i >= c.records-c.rarely {
				text += " " + rare
			}
			fmt.Fprintf(&rows, "{\"text\":%q}\n", text)
		}
		in := writeInput(t, filepath.Join(t.TempDir(), "a.jsonl"), rows.String())
		o := Options{Inputs: []string{in}, Corpus: corpus.Options{Fields: []string{"text"}}}
		_, res := mustBuild(t, o)
		if res.Common != c.want || res.Sampled {
			t.Errorf("%+v: %d windows, sampled %v", c, res.Common, res.Sampled)
		}
		o.Capacity, o.Exclude = 20_000, []string{writeInput(t, filepath.Join(t.TempDir(), "greeting.txt"), greeting)}
		if _, res = mustBuild(t, o); res.Common != c.without {
			t.Errorf("%+v: %d windows without the greeting", c, res.Common)
		}
	}
}

// TestCommonWindowsOfASample takes more windows than a sample keeps. The sample does not
// depend on the distribution of the work.
func TestCommonWindowsOfASample(t *testing.T) {
	t.Parallel()
	greeting, rare := prose(1, 14), prose(2, 14)
	var rows strings.Builder
	for i := range 7000 {
		text := prose(uint64(100+i), 90)
		if i%4 == 0 {
			text = greeting + " " + text
		}
		if i%50 == 0 {
			text += " " + rare
		}
		fmt.Fprintf(&rows, "{\"text\":%q}\n", text)
	}
	in := writeInput(t, filepath.Join(t.TempDir(), "a.jsonl"), rows.String())
	for _, workers := range []int{1, 3} {
		_, res := mustBuild(t, Options{Inputs: []string{in}, Corpus: corpus.Options{Fields: []string{"text"}}, Workers: workers})
		if res.Common != 5 || !res.Sampled {
			t.Errorf("%d workers: %d windows, sampled %v", workers, res.Common, res.Sampled)
		}
	}
	s := newRecordSample()
	for i := range uint64(3000) {
		s.add(sampledRecord{hash: i << 52, windows: make([]uint64, sampleRecord)})
	}
	if s.windows > sampleWindows || s.windows < sampleWindows/4 || len(s.records)*sampleRecord != s.windows {
		t.Errorf("%d windows of %d records", s.windows, len(s.records))
	}
}

// TestSharedIDs: an id of two sources is found among more ids than a sample keeps.
func TestSharedIDs(t *testing.T) {
	t.Parallel()
	s := newIDSample()
	for i := range 3 * sampledIDs {
		s.add(fmt.Sprint("row ", i), 1)
		s.add(fmt.Sprint("row ", i), 1)
		s.add("", i)
	}
	if s.shared || len(s.source) > sampledIDs || len(s.source) < sampledIDs/4 {
		t.Errorf("shared %v, %d ids", s.shared, len(s.source))
	}
	for i := range sampledIDs {
		s.add(fmt.Sprint("row ", i), 2)
	}
	if !s.shared {
		t.Error("no id is shared")
	}
}
