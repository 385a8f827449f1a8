package index

import (
	"runtime"
	"slices"

	"noecho/index/internal/format"
)

// Measured has the results of asking a filter for random hashes. A hit is a false
// positive.
type Measured struct {
	Probes uint64 `json:"probes"`
	Hits   uint64 `json:"hits"`
}

// measureSeed selects the sequence of random hashes. It is always the same, so that the
// same index gives the same figures.
const measureSeed = 0x6d656173757265

// Measure asks every filter of the file for so many random hashes. It returns Info with
// the number of false positives of each filter beside the expected rate.
func (f *File) Measure(probes uint64) Info {
	c, in := f.contents, f.Info
	in.Sections = slices.Clone(in.Sections)
	for i := range in.Sections {
		filter, s := (*format.Blocked)(nil), &in.Sections[i]
		switch {
		case s.Name == format.KindNames[format.KindWindows]:
			filter = &c.Windows
		case s.Name == format.KindNames[format.KindWords]:
			filter = &c.Words
		case s.Name == format.KindNames[format.KindGates] && s.Gram == format.GateShort:
			filter = &c.Gate2
		case s.Name == format.KindNames[format.KindGates]:
			filter = &c.Gate4
		case s.Name != format.KindNames[format.KindConfirm]:
			continue
		}
		s.Measured = &Measured{Probes: probes}
		for i := range probes {
			if filter == nil && c.Confirm.Has(format.SplitMix(measureSeed, 2*i)) || filter != nil && filter.Has(format.SplitMix(measureSeed, 2*i+1)) {
				s.Measured.Hits++
			}
		}
	}
	runtime.KeepAlive(f)
	return in
}
