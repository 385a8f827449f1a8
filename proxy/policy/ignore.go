package policy

import (
	"slices"
	"time"

	"noecho/detect"
	"noecho/internal/ignore"
	"noecho/proxy/alert"
)

// ignored are the windows that answers may repeat. The zero value has none.
type ignored struct {
	list   *ignore.List
	digest func(window uint64) uint64 // hash of a window as lists name it; nil: the hash as it is
	now    func() time.Time
}

// Ignoring makes the judges of r let findings pass whose windows are all on a list. digest
// returns the hash of a window as the list names it; nil means the hash as it is. A nil now
// means [time.Now]. Call it before [Rules.For].
func (r *Rules) Ignoring(list *ignore.List, digest func(window uint64) uint64, now func() time.Time) {
	if now == nil {
		now = time.Now
	}
	if list.Len() > 0 {
		r.ignored = ignored{list: list, digest: digest, now: now}
	}
}

// Ignores reports whether a finding is let pass because every window of it is on the list of
// ignored ones. Identifiers never are, nor is text of records labelled [Erased], nor a finding
// of so many windows that not all are known.
func (j *Judge) Ignores(f *detect.Finding) bool {
	list := j.ignored.list
	if list == nil || f.Echo || len(f.Digests) == 0 || len(f.Digests) >= alert.MaxDigests {
		return false
	}
	if kind := Identifier(f); kind != "" && (kind != alert.PlainPhrase || f.Phrase.Subject != 0) {
		return false
	}
	now := j.ignored.now()
	for _, d := range f.Digests {
		if j.ignored.digest != nil {
			d = j.ignored.digest(d)
		}
		if !list.Has(d, now) {
			return false
		}
	}
	return !j.erased || !slices.ContainsFunc(j.Records(f), func(r alert.Record) bool { return slices.Contains(r.Labels, Erased) })
}

// The names of what decided an action besides the rules of the configuration and the labels
// [Erased] and [Restricted].
const (
	ruleMode   = "mode"   // of the file, route or model
	ruleEcho   = "echo"   // the caller had sent the words itself
	ruleIgnore = "ignore" // the list of ignored windows
	ruleBudget = "budget" // the caller's budget of findings or probes
)

// Rule names what decided the action of a finding, which is complete.
func (j *Judge) Rule(f *detect.Finding, action detect.Action) string {
	switch {
	case f.Echo:
		return ruleEcho
	case action == detect.Observe && j.Ignores(f):
		return ruleIgnore
	}
	facts := j.facts(f)
	decided, rule := j.apply(&facts)
	if action > decided && action == detect.Block && j.base > detect.Observe && (j.meter.mayBlock() || j.probes.mayBlock()) {
		return ruleBudget
	}
	return rule
}
