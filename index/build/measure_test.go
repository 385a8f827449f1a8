package build

import (
	"math"
	"testing"
)

// TestMeasureAgreesWithTheExpectedRate compares the measured false positives with the
// rate that is expected from the set bits.
func TestMeasureAgreesWithTheExpectedRate(t *testing.T) {
	t.Parallel()
	in := writeInput(t, t.TempDir()+"/a.txt", prose(1, 60_000))
	ix, _ := mustBuild(t, Options{Inputs: []string{in}})
	for _, s := range ix.Files()[0].Measure(400_000).Sections {
		if s.Gram == 0 {
			if s.Measured != nil {
				t.Errorf("%s was measured", s.Name)
			}
			continue
		}
		want := s.FPR * 400_000
		if s.Measured == nil || s.Measured.Probes != 400_000 || math.Abs(float64(s.Measured.Hits)-want) > 0.03*want+6*math.Sqrt(want)+3 {
			t.Errorf("%s: %+v, expected %.1f hits", s.Name, s.Measured, want)
		}
	}
	if ix.Files()[0].Info.Sections[0].Measured != nil {
		t.Error("measuring changed the index")
	}
}
