package config

import (
	"time"

	"noecho/detect"
)

// Rule is the action for the findings that meet all of its conditions. The rules of a file
// are asked in its order, and the first one that fits decides.
type Rule struct {
	When   When
	Action detect.Action
}

// When are the conditions of a rule. One entry of a list must be met; an empty list, and 0,
// are met by every finding.
type When struct {
	Kinds       []string // of [FindingKinds]
	Lanes       []string // "plain" or of [LaneNames]; also met by one step of several
	Labels      []string // of the record that the finding occurs in
	Datasets    []string // of the record that the finding occurs in
	Models      []string // globs, as in [ModelMode]
	Routes      []string // whole paths, or prefixes ending in /
	Principals  []string // 16 hexadecimal digits, as alerts name them
	Identifiers []string // "email", "phone", … or the name of a pattern
	MinWords    int      // least length of the finding, in words
}

// Any reports whether every finding meets the conditions.
func (w *When) Any() bool {
	return len(w.Kinds)+len(w.Lanes)+len(w.Labels)+len(w.Datasets)+len(w.Models)+
		len(w.Routes)+len(w.Principals)+len(w.Identifiers) == 0 && w.MinWords == 0
}

// FindingKinds are the kinds of finding that a rule may name.
func FindingKinds() []string { return []string{"verbatim", "phrase", "near", "stuffing"} }

// PlainLane is the lane of text that is read as it is. It cannot be turned off.
const PlainLane = "plain"

// LaneNames are the lanes that read disguised text.
func LaneNames() []string {
	return []string{
		"despaced", "base64", "base32", "hex", "percent", "decimal", "binary", "rot13",
		"reversed", "reversed-words", "mirrored", "leet", "hyphenated",
	}
}

// Near are the settings for text that is nearly that of a record.
type Near struct {
	Off   bool
	Words int // shortest match in words; 0: the default of the detector
}

// Identifiers are the settings for indexed identifiers.
type Identifiers struct {
	MaxRecords int // an identifier in more records is common and no finding
}

// Budget bounds the findings that one caller may cause.
type Budget struct {
	Findings int // allowed within Per; 0: no budget
	Per      time.Duration
	Then     Then
	Probes   int // more findings and endings that look like guesses; 0: none are counted
}

// Then is the consequence of a budget that is used up, besides the alert.
type Then uint8

// The consequences.
const (
	ThenAlert Then = iota // none
	ThenBlock             // further findings of the caller block their answers
)

// String returns the name in a configuration file.
func (t Then) String() string { return [...]string{"alert", "block"}[t] }

// Coverage bounds how much of one record may be found, over several requests, before an
// alert is raised.
type Coverage struct {
	Words int           // distinct words of a record; 0: any number
	Share float64       // of a record's words, up to 1; 0: any share
	Over  time.Duration // how long a word that was found counts
}

// Off reports whether nothing is watched.
func (c Coverage) Off() bool { return c.Words == 0 && c.Share == 0 }

// ExtentFor returns the extent of a route: its own, else inherited, that of the file.
func (r *Route) ExtentFor(inherited detect.Extent) detect.Extent {
	if r.Extent != nil {
		return *r.Extent
	}
	return inherited
}
