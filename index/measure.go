package index

import (
	"runtime"
	"slices"

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
