package index

import (
	"encoding/hex"

	"noecho/index/internal/format"
)

// Info is what the header of an index says.
type Info struct {
	BuildID  string    `json:"build_id"` // hex, 64 digits
	Format   int       `json:"format"`
	Bytes    uint64    `json:"bytes"`
	N        int       `json:"n"`
	Norm     int       `json:"norm"`
	Unicode  string    `json:"unicode"`
	Suite    string    `json:"suite"`
	KeyID    string    `json:"key_id,omitempty"` // hex; empty: the suite takes no key
	Capacity uint64    `json:"capacity"`         // distinct windows the filters are sized for
	Records  uint64    `json:"records"`
	Segments uint64    `json:"segments"`
	Words    uint64    `json:"words"`
	Windows  uint64    `json:"windows"`  // positions
	Distinct uint64    `json:"distinct"` // windows, estimated from the fill of CONFIRM
	Sections []Section `json:"sections"`

	Ledger *LedgerInfo `json:"ledger,omitempty"` // nil: the index knows no records
}

// Section is one section of an index.
type Section struct {
	Name     string  `json:"name"` // "WINDOWS"; "kind 10" for one this build does not know
	Required bool    `json:"required"`
	Bytes    uint64  `json:"bytes"`              // of payload
	Gram     int     `json:"gram,omitempty"`     // words
	Capacity uint64  `json:"capacity,omitempty"` // distinct grams it is sized for
	Distinct uint64  `json:"distinct,omitempty"` // grams, estimated from the fill
	Fill     float64 `json:"fill,omitempty"`     // set bits, as a part of all
	FPR      float64 `json:"fpr,omitempty"`      // false positive rate to expect at that fill

	PerWord float64 `json:"bytes_per_word"` // of payload, for each of Info.Words

	Measured *Measured `json:"measured,omitempty"` // only of File.Measure
}

// LedgerInfo counts what LEDGER holds.
type LedgerInfo struct {
	Taken    uint64 `json:"taken"`    // seeds that stand in the corpus
	Seeds    uint64 `json:"seeds"`    // of them in the ledger: of a common one the first 16
	Distinct uint64 `json:"distinct"` // fingerprints
	Capped   uint64 `json:"capped"`   // fingerprints that stand at 16 places or more, of which 16 are kept
	Records  uint64 `json:"records"`  // that are named
}

// newInfo collects what the header and the trailers of LEDGER and RECORDS say, if
// those are there.
func newInfo(h *format.Header, ledger bool, l *format.LedgerShape, r *format.RecordsShape) Info {
	in := Info{
		BuildID:  hex.EncodeToString(h.BuildID[:]),
		Format:   format.Version,
		Bytes:    h.FileLen,
		N:        int(h.N),
		Norm:     int(h.Norm),
		Unicode:  h.Unicode,
		Suite:    h.Suite.String(),
		Capacity: h.Capacity,
		Records:  h.Records,
		Segments: h.Segments,
		Words:    h.Words,
		Windows:  h.Windows,
	}
	if h.KeyID != ([format.KeyIDLen]byte{}) {
		in.KeyID = hex.EncodeToString(h.KeyID[:])
	}
	if ledger {
		in.Ledger = &LedgerInfo{Taken: l.Taken, Seeds: l.Rows, Distinct: l.Distinct, Capped: l.Capped, Records: r.Count}
	}
	for _, s := range h.Sections {
		out := Section{Name: format.KindNames[s.Kind], Required: s.Flags&format.FlagRequired != 0, Bytes: s.Length}
		if h.Words > 0 {
			out.PerWord = float64(s.Length) / float64(h.Words)
		}
		if out.Name == "" {
			out.Name = s.String()
		}
		if s.K != 0 && s.Known() {
			out.Gram = int(s.Gram)
			out.Capacity = s.Capacity
			out.Fill = float64(s.Ones) / float64(8*s.Length)
			out.Distinct = s.Distinct()
			out.FPR = s.FPR()
		}
		if s.Kind == format.KindConfirm {
			in.Distinct = out.Distinct
		}
		in.Sections = append(in.Sections, out)
	}
	return in
}

// comparable returns the first property in which another index differs.
func (in *Info) comparable(other *Info) error {
	for _, p := range [...]struct {
		field      string
		have, want any
	}{
		{"n", other.N, in.N},
		{"normalisation version", other.Norm, in.Norm},
		{"Unicode version", other.Unicode, in.Unicode},
		{"hash suite", other.Suite, in.Suite},
		{"key id", other.KeyID, in.KeyID},
	} {
		if p.have != p.want {
			return format.Mismatch(p.field+" of index "+other.BuildID[:12], p.have, p.want)
		}
	}
	return nil
}
