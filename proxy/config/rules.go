package config

import (
	"time"

	"noecho/detect"
)

// Rule says what happens to the findings that meet all of its conditions. The
// rules of a file are asked in its order, and the first one that fits decides.
type Rule struct {
	When   When
	Action detect.Action
}

// When are the conditions of a rule. A list is met by any one of its entries;
// an empty one, or 0, asks for nothing.
type When struct {
	Kinds       []string // of [FindingKinds]
	Lanes       []string // "plain" or of [LaneNames]; also met as one step of several
	Labels      []string // of the record the finding stands in
	Datasets    []string // of the record the finding stands in
	Models      []string // globs, as in [ModelMode]
	Routes      []string // whole paths, or prefixes ending in /
	Principals  []string // 16 hexadecimal digits, as alerts name them
	Identifiers []string // "email", "phone", … or the name of a pattern
	MinWords    int      // the finding's length in words
}

// Any reports whether every finding meets the conditions.
func (w *When) Any() bool {
	return len(w.Kinds)+len(w.Lanes)+len(w.Labels)+len(w.Datasets)+len(w.Models)+
		len(w.Routes)+len(w.Principals)+len(w.Identifiers) == 0 && w.MinWords == 0
}

// FindingKinds are the kinds of finding that a rule may name.
func FindingKinds() []string { return []string{"verbatim", "phrase", "near", "stuffing"} }

// PlainLane is the lane of text read as it stands. It cannot be turned off.
const PlainLane = "plain"

// LaneNames are the lanes that disguised text is read in.
func LaneNames() []string {
	return []string{
		"despaced", "base64", "base32", "hex", "percent", "decimal", "binary", "rot13",
		"reversed", "reversed-words", "mirrored", "leet", "hyphenated",
	}
}

// Near is how text is judged that is nearly that of a record.
type Near struct {
	Off   bool
	Words int // shortest that counts; 0: the detector's own
}

// Identifiers is how indexed identifiers are judged.
type Identifiers struct {
	MaxRecords int // one that stands in more records is common and does not count
}

// Budget bounds the findings that one caller may cause.
type Budget struct {
	Findings int // more of them than this; 0: no budget
	Per      time.Duration
	Then     Then
}

// Then is what happens when a budget is used up.
type Then uint8

// What may happen. An alert is raised in either case.
const (
	ThenAlert Then = iota // nothing else
	ThenBlock             // what is found for this caller blocks
)

// String returns the name in a configuration file.
func (t Then) String() string { return [...]string{"alert", "block"}[t] }

// Coverage is how much of one record may be found, over several requests,
// before an alert is raised.
type Coverage struct {
	Words int           // distinct words of a record; 0: any number
	Share float64       // of a record's words, up to 1; 0: any share
	Over  time.Duration // how long what was found counts
}

// Off reports whether nothing is watched.
func (c Coverage) Off() bool { return c.Words == 0 && c.Share == 0 }

// ExtentFor returns the extent of a route, given what the file says by default.
func (r *Route) ExtentFor(inherited detect.Extent) detect.Extent {
	if r.Extent != nil {
		return *r.Extent
	}
	return inherited
}

// MatchModel reports whether a model's name fits a glob.
func MatchModel(glob, model string) bool { return globMatch(glob, model) }
