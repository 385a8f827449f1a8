package index

import "runtime"

// Measured is how often a filter said yes to hashes that no text has.
type Measured struct {
	Probes uint64 `json:"probes"`
	Hits   uint64 `json:"hits"`
}

// measureSeed begins the sequence of hashes that are asked for. They are the same
// each time, so that the same index gives the same figures.
const measureSeed = 0x6d656173757265

// Measure asks every filter for that many random hashes and returns Info with what
// they answered: the false positive rate as it is, beside the expected one.
func (ix *Index) Measure(probes uint64) Info {
	var four, two, windows, confirm, words Measured
	for i := range probes {
		hi, lo := splitMix(measureSeed, 2*i), splitMix(measureSeed, 2*i+1)
		if ix.gate4.has(lo) {
			four.Hits++
		}
		if ix.gate2.has(lo) {
			two.Hits++
		}
		if ix.windows.has(lo) {
			windows.Hits++
		}
		if ix.confirm.has(hi) {
			confirm.Hits++
		}
		if ix.HasWords() && ix.words.has(lo) {
			words.Hits++
		}
	}
	runtime.KeepAlive(ix)
	four.Probes, two.Probes, windows.Probes, confirm.Probes, words.Probes = probes, probes, probes, probes, probes
	in := ix.Info()
	in.Sections = append([]Section{}, in.Sections...)
	for i := range in.Sections {
		s := &in.Sections[i]
		switch {
		case s.Name == kindNames[KindWindows]:
			s.Measured = &windows
		case s.Name == kindNames[KindConfirm]:
			s.Measured = &confirm
		case s.Name == kindNames[KindWords]:
			s.Measured = &words
		case s.Name == kindNames[KindGates] && s.Gram == gateShort:
			s.Measured = &two
		case s.Name == kindNames[KindGates]:
			s.Measured = &four
		}
	}
	return in
}
