package index

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"noecho/index/internal/format"
	"noecho/ngram"
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

	Measured *Measured `json:"measured,omitempty"` // only of Index.Measure
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

// Joined is several indexes that answer as one: a gram is absent only if it is
// absent in all of them. Lookups never fail, never allocate, and are safe for
// concurrent use.
type Joined struct {
	members []*Index
}

// Join returns indexes as one set. They must have been built with the same n,
// normalisation, Unicode version, hash suite and key id; else the error is a
// [*MismatchError] that names the first difference. The members stay open for
// as long as the Joined is used; closing them is the caller's part.
func Join(members ...*Index) (*Joined, error) {
	if len(members) == 0 {
		return nil, &format.MismatchError{Field: "number of indexes", Have: "0", Want: "at least 1"}
	}
	first := &members[0].info
	if len(members) > joinedMost {
		return nil, &format.MismatchError{Field: "number of indexes", Have: strconv.Itoa(len(members)), Want: fmt.Sprintf("at most %d", joinedMost)}
	}
	for _, m := range members[1:] {
		if err := first.comparable(&m.info); err != nil {
			return nil, err
		}
	}
	return &Joined{members: members}, nil
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

// Gate2 is [Index.Gate2] of any member.
func (j *Joined) Gate2(h ngram.Hash) bool {
	for _, m := range j.members {
		if m.Gate2(h) {
			return true
		}
	}
	return false
}

// Gate4 is [Index.Gate4] of any member.
func (j *Joined) Gate4(h ngram.Hash) bool {
	for _, m := range j.members {
		if m.Gate4(h) {
			return true
		}
	}
	return false
}

// Window is [Index.Window] of any member.
func (j *Joined) Window(h ngram.Hash) bool {
	for _, m := range j.members {
		if m.Window(h) {
			return true
		}
	}
	return false
}

// Word is [Index.Word] of any member.
func (j *Joined) Word(h ngram.Hash) bool {
	for _, m := range j.members {
		if m.Word(h) {
			return true
		}
	}
	return false
}

// joinedMost is how many members a Place can tell apart.
const joinedMost = 1 << (64 - format.PlaceBitsMost)

// Seeds is [Index.Seeds] of all members. The upper 8 bits of a place are the
// number of the member.
func (j *Joined) Seeds(dst []ngram.Place, h ngram.Hash) []ngram.Place {
	for i, m := range j.members {
		n := len(dst)
		dst = m.Seeds(dst, h)
		for k := n; k < len(dst); k++ {
			dst[k] |= ngram.Place(i) << format.PlaceBitsMost
		}
	}
	return dst
}

// Record is [Index.Record] of the member that a place belongs to.
func (j *Joined) Record(p ngram.Place) (Record, bool) {
	i := int(p >> format.PlaceBitsMost)
	if i >= len(j.members) {
		return Record{}, false
	}
	return j.members[i].Record(p & (1<<format.PlaceBitsMost - 1))
}

// HasLedger reports whether any member knows places and records.
func (j *Joined) HasLedger() bool {
	for _, m := range j.members {
		if m.HasLedger() {
			return true
		}
	}
	return false
}

// HasWords reports whether any member knows its words.
func (j *Joined) HasWords() bool {
	for _, m := range j.members {
		if m.HasWords() {
			return true
		}
	}
	return false
}

// Spec is the recipe that all members share.
func (j *Joined) Spec() ngram.Spec { return j.members[0].spec }

// BuildIDs returns the build ids of the members, in the order given to Join.
func (j *Joined) BuildIDs() []string {
	ids := make([]string, len(j.members))
	for i, m := range j.members {
		ids[i] = m.info.BuildID
	}
	return ids
}

// Start is [Index.Start] of any member.
func (j *Joined) Start(h ngram.Hash) bool {
	for _, m := range j.members {
		if m.Start(h) {
			return true
		}
	}
	return false
}

// Phrase is [Index.Phrase] of the first member that has it, with the records of
// all. Subjects of different members have different numbers, whatever their ids.
func (j *Joined) Phrase(h ngram.Hash) (ngram.Phrase, bool) {
	var all ngram.Phrase
	found := false
	for i, m := range j.members {
		p, ok := m.Phrase(h)
		if !ok {
			continue
		}
		if p.Subject != 0 {
			p.Subject |= uint64(i) << format.PlaceBitsMost
		}
		if p.Place != 0 {
			p.Place |= ngram.Place(i) << format.PlaceBitsMost
		}
		switch {
		case !found:
			all, found = p, true
		case all.Weak && !p.Weak || all.Subject == 0 && p.Subject != 0 && !p.Weak:
			p.Records = format.AddRecords(p.Records, all.Records)
			all = p
		default:
			all.Records = format.AddRecords(p.Records, all.Records)
		}
	}
	return all, found
}

// HasPhrases reports whether any member holds a phrase.
func (j *Joined) HasPhrases() bool { return slices.ContainsFunc(j.members, (*Index).HasPhrases) }

// Subject is [Index.Subject] of the member that the number names.
func (j *Joined) Subject(n uint64) (id string, labels []string, ok bool) {
	i := n >> format.PlaceBitsMost
	if i >= uint64(len(j.members)) {
		return "", nil, false
	}
	return j.members[i].Subject(n & (1<<format.PlaceBitsMost - 1))
}

// RecordWords is [Index.RecordWords] of the member that a place belongs to.
func (j *Joined) RecordWords(p ngram.Place) int {
	i := int(p >> format.PlaceBitsMost)
	if i >= len(j.members) {
		return 0
	}
	return j.members[i].RecordWords(p & (1<<format.PlaceBitsMost - 1))
}
