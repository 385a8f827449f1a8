package index

import (
	"runtime"

	"noecho/index/internal/format"
)

// Measured is how often a filter said yes to hashes that no text has.
type Measured struct {
	Probes uint64 `json:"probes"`
	Hits   uint64 `json:"hits"`
}

// measureSeed begins the sequence of hashes that are asked for. They are the same
// each time, so that the same index gives the same figures.
const measureSeed = 0x6d656173757265

// Measure asks every filter of the file for that many random hashes. It returns Info
// with the number of false positives in each section, beside the expected rate.
func (f *File) Measure(probes uint64) Info {
	var four, two, windows, confirm, words Measured
	for i := range probes {
		hi, lo := format.SplitMix(measureSeed, 2*i), format.SplitMix(measureSeed, 2*i+1)
		if f.contents.Gate4.Has(lo) {
			four.Hits++
		}
		if f.contents.Gate2.Has(lo) {
			two.Hits++
		}
		if f.contents.Windows.Has(lo) {
			windows.Hits++
		}
		if f.contents.Confirm.Has(hi) {
			confirm.Hits++
		}
		if f.contents.Words.Blocks > 0 && f.contents.Words.Has(lo) {
			words.Hits++
		}
	}
	runtime.KeepAlive(f)
	four.Probes, two.Probes, windows.Probes, confirm.Probes, words.Probes = probes, probes, probes, probes, probes
	in := f.Info
	in.Sections = append([]Section{}, in.Sections...)
	for i := range in.Sections {
		s := &in.Sections[i]
		switch {
		case s.Name == format.KindNames[format.KindWindows]:
			s.Measured = &windows
		case s.Name == format.KindNames[format.KindConfirm]:
			s.Measured = &confirm
		case s.Name == format.KindNames[format.KindWords]:
			s.Measured = &words
		case s.Name == format.KindNames[format.KindGates] && s.Gram == format.GateShort:
			s.Measured = &two
		case s.Name == format.KindNames[format.KindGates]:
			s.Measured = &four
		}
	}
	return in
}
