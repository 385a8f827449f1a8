package index

import (
	"encoding/hex"
	"fmt"

	"noecho/index/internal/format"
)

// Info describes an index, as its header does.
type Info struct {
	BuildID  string    `json:"build_id"` // hex, 64 digits
	Format   int       `json:"format"`
	Bytes    uint64    `json:"bytes"`
	N        int       `json:"n"`
	Norm     int       `json:"norm"`
	Unicode  string    `json:"unicode"`
	Suite    string    `json:"suite"`
	KeyID    string    `json:"key_id,omitempty"` // hex; empty: the hashes are made without a key
	Capacity uint64    `json:"capacity"`         // number of distinct windows that the filters are sized for
	Records  uint64    `json:"records"`
	Segments uint64    `json:"segments"`
	Words    uint64    `json:"words"`
	Windows  uint64    `json:"windows"`  // positions at which a window is indexed
	Distinct uint64    `json:"distinct"` // number of distinct windows, estimated from the bits set in CONFIRM
	Sections []Section `json:"sections"`

	Ledger *LedgerInfo `json:"ledger,omitempty"` // nil: the index has no records
}

// lacks names the optional sections that a file lacks because an older noecho built it, and
// says which findings are missed or named in part without them.
func lacks(c *format.Contents) (out []string) {
	if c.Words.Blocks == 0 {
		out = append(out, "WORDS: letters that are spaced out and words that are run together are not read")
	}
	if c.LacksShared() {
		out = append(out, "SHARED: of an identifier in several datasets, or of several data subjects, rules and alerts know the first one alone")
	}
	return out
}

// Section is one section of an index.
type Section struct {
	Name     string  `json:"name"` // "WINDOWS"; "kind 11" for a kind that this build does not know
	Required bool    `json:"required"`
	Bytes    uint64  `json:"bytes"`              // of the payload
	Gram     int     `json:"gram,omitempty"`     // words in a gram
	Capacity uint64  `json:"capacity,omitempty"` // number of distinct grams that the filter is sized for
	Distinct uint64  `json:"distinct,omitempty"` // number of distinct grams, estimated from the bits set
	Fill     float64 `json:"fill,omitempty"`     // set bits divided by all bits
	FPR      float64 `json:"fpr,omitempty"`      // expected rate of false positives

	PerWord float64 `json:"bytes_per_word"` // bytes of the payload divided by Info.Words

	Measured *Measured `json:"measured,omitempty"` // set by File.Measure only
}

// LedgerInfo has the counts of LEDGER and RECORDS.
type LedgerInfo struct {
	Taken    uint64 `json:"taken"`    // seeds in the corpus
	Seeds    uint64 `json:"seeds"`    // seeds in the ledger, which stores 16 places of a common one
	Distinct uint64 `json:"distinct"` // distinct fingerprints
	Capped   uint64 `json:"capped"`   // fingerprints with 16 places, which may have more in the corpus
	Records  uint64 `json:"records"`  // records with a name
}

// newInfo describes an index from its header and, if there is a ledger, from the
// trailers of LEDGER and RECORDS.
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

// comparable returns an error that names the first property in which another index
// differs.
func (in *Info) comparable(other *Info) error {
	for _, p := range [...]struct {
		field      string
		have, want any
	}{
		{"n", other.N, in.N},
		{"normalisation version", other.Norm, in.Norm},
		{"Unicode version", other.Unicode, in.Unicode},
	} {
		if p.have != p.want {
			return &MismatchError{Field: p.field + " of index " + other.BuildID[:12], Have: fmt.Sprint(p.have), Want: fmt.Sprint(p.want)}
		}
	}
	return nil
}
