// Package policy decides the action for each finding. It turns the rules of a configuration
// into a judge for the findings of one request, counts the findings of each caller, and
// watches how much of a record is found over several requests.
//
// It knows the configuration, findings and the names of records. It knows nothing of HTTP,
// of answers or of how text is searched, and it sees no text.
package policy

import (
	"fmt"
	"slices"
	"strings"

	"noecho/detect"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// The labels whose records block although no rule says so.
const (
	Restricted = "restricted" // unless a rule says otherwise or the mode observes
	Erased     = "erased"     // in every mode and whatever the rules say: somebody asked for it
)

// facts are the properties of a finding that conditions of rules ask for.
type facts struct {
	kind       alert.Kind
	lane       string // steps joined by +
	identifier string // kind of the indexed identifier; empty if it is none
	words      int
	records    []alert.Record // in which the finding occurs, as far as known
}

// Request are the properties of a request that rules ask for.
type Request struct {
	Route     string // as alerts name it
	Model     string
	Principal string
	Caller    string        // as [Meter] names it
	Mode      detect.Action // of the route, for this model
}

// Rules are the rules of one configuration. Immutable, and safe for concurrent use.
type Rules struct {
	rules      []rule
	records    *Records
	restricted bool // some record may have the label
	erased     bool // some record may have the label
	ignored    ignored
}

// rule is one rule of the configuration.
type rule struct {
	name   string // as alerts have it
	when   config.When
	action detect.Action
}

// Compile makes the rules of a configuration ready for findings in these records.
func Compile(cfg *config.Config, records *Records) *Rules {
	out := &Rules{
		rules: make([]rule, len(cfg.Rules)), records: records,
		restricted: slices.Contains(records.Labels, Restricted), erased: slices.Contains(records.Labels, Erased),
	}
	for i, r := range cfg.Rules {
		out.rules[i] = rule{name: fmt.Sprintf("rule %d", i+1), when: r.When, action: r.Action}
	}
	return out
}

// Judge decides the actions of the findings of one request, as relay.Judge. It is not
// safe for concurrent use.
type Judge struct {
	rules   []rule
	most    detect.Action // the strictest action that a finding can get
	base    detect.Action // the action where no rule fits
	meter   *Meter        // nil: no budget
	probes  *Probes       // nil: none are counted
	caller  string        // its name in meter and probes
	erased  bool          // some record may be labelled Erased
	pending int           // findings that are closed and not yet counted
	records *Records
	last    lastRecords
	ignored ignored
}

// For returns the judge of a request. It asks the rules whose conditions on the request are
// met, and then takes the mode of the request. A budget that is used up, or too many
// probes, come before all of them, unless the mode observes; meter and probes may be nil.
func (r *Rules) For(req Request, meter *Meter, probes *Probes) Judge {
	j := Judge{base: req.Mode, most: req.Mode, erased: r.erased, meter: meter, probes: probes, caller: req.Caller, records: r.records, ignored: r.ignored}
	if r.erased || j.base > detect.Observe && (r.restricted || meter.mayBlock() || probes.mayBlock()) {
		j.most = detect.Block
	}
	for i := range r.rules {
		if r.rules[i].meant(&req) {
			j.rules = append(j.rules, r.rules[i])
			j.most = max(j.most, r.rules[i].action)
		}
	}
	return j
}

// Acts reports whether the answer may be changed for a finding. If not, no byte of it needs
// to wait for a decision.
func (j *Judge) Acts() bool { return j.most > detect.Observe }

// Blocks reports whether any finding may be blocked.
func (j *Judge) Blocks() bool { return j.most == detect.Block }

// Judge returns the action of a finding, which may still grow. A finding that occurs in several records is judged
// once for each of them, and the strictest action is taken. Judge allocates only to name
// the records of a finding with other places than the one before.
func (j *Judge) Judge(f *detect.Finding) detect.Action {
	if j.Ignores(f) {
		return detect.Observe
	}
	if j.base > detect.Observe && (j.meter.Blocks(j.caller, j.pending) || j.probes.Blocks(j.caller)) {
		return detect.Block
	}
	facts := j.facts(f)
	action, _ := j.apply(&facts)
	return action
}

func (j *Judge) facts(f *detect.Finding) facts {
	return facts{
		kind: alert.Kind(f.Kind.String()), lane: f.Lane.String(), identifier: Identifier(f), words: f.Words,
		records: j.Records(f),
	}
}

// Closed takes note of a finding that is complete. Until Count counts it, the caller's
// budget is that much smaller. An echo costs nothing: its caller knew the text. Nor does an
// ignored finding.
func (j *Judge) Closed(f *detect.Finding) {
	if !f.Echo && !j.Ignores(f) {
		j.pending++
	}
}

// Count counts a closed finding, as [Meter.Count] does.
func (j *Judge) Count() (findings int, raise bool) {
	j.pending--
	return j.meter.Count(j.caller)
}

// Records names the records of a finding, as [Records.Of] does.
func (j *Judge) Records(f *detect.Finding) []alert.Record { return j.last.of(f, j.records) }

// Named returns those of the records that an alert names, at most 8. If there are more, those
// come first in which the finding has the strictest action.
func (j *Judge) Named(f *detect.Finding) []alert.Record {
	facts := j.facts(f)
	if len(facts.records) <= maxRecords {
		return facts.records
	}
	named := slices.Clone(facts.records)
	strict := func(r *alert.Record) int {
		action, _ := j.one(&facts, r)
		return int(action)
	}
	slices.SortStableFunc(named, func(a, b alert.Record) int { return strict(&b) - strict(&a) })
	return named[:maxRecords]
}

// Identifier returns the kind of indexed identifier that a finding is, empty if it is
// none.
func Identifier(f *detect.Finding) string {
	if f.Phrase == nil {
		return ""
	}
	return f.Phrase.Kind
}

// Stored is a finding as an alert keeps it, without its text and its places.
type Stored struct {
	Kind       alert.Kind
	Lane       string // steps joined by +
	Identifier string // kind of the indexed identifier; empty if it is none
	Words      int
	Records    []alert.Record
}

// Replay decides about a stored finding as [Judge.Judge] decides about a finding of the same
// kind, lane, identifier, length and records, and names the rule that decided. It asks no
// budget and no list of ignored windows.
func (j *Judge) Replay(s *Stored) (action detect.Action, rule string) {
	return j.apply(&facts{kind: s.Kind, lane: s.Lane, identifier: s.Identifier, words: s.Words, records: s.Records})
}

// apply applies the rules to a finding in each of its records.
func (j *Judge) apply(f *facts) (action detect.Action, rule string) {
	if len(f.records) == 0 {
		return j.one(f, nil)
	}
	for i := range f.records {
		if a, name := j.one(f, &f.records[i]); rule == "" || a > action {
			action, rule = a, name
		}
	}
	return action, rule
}

// one applies the rules to a finding in one record; nil if none is known. It returns the name
// of the rule that decided.
func (j *Judge) one(f *facts, record *alert.Record) (action detect.Action, rule string) {
	if j.erased && record != nil && slices.Contains(record.Labels, Erased) {
		return detect.Block, Erased
	}
	for i := range j.rules {
		if j.rules[i].fits(f, record) {
			return j.rules[i].action, j.rules[i].name
		}
	}
	if j.base > detect.Observe && j.most == detect.Block && record != nil && slices.Contains(record.Labels, Restricted) {
		return detect.Block, Restricted
	}
	return j.base, ruleMode
}

// meant reports whether a request meets the conditions.
func (r *rule) meant(req *Request) bool {
	w := &r.when
	return (len(w.Principals) == 0 || slices.Contains(w.Principals, req.Principal)) &&
		(len(w.Routes) == 0 || slices.ContainsFunc(w.Routes, func(path string) bool { return OnRoute(path, req.Route) })) &&
		(len(w.Models) == 0 || slices.ContainsFunc(w.Models, func(glob string) bool { return config.MatchModel(glob, req.Model) }))
}

// OnRoute reports whether a rule about path applies to a route.
func OnRoute(path, route string) bool {
	return path == route || strings.HasSuffix(path, "/") && strings.HasPrefix(route, path)
}

// fits reports whether a finding in a record meets the conditions.
func (r *rule) fits(f *facts, record *alert.Record) bool {
	w := &r.when
	return f.words >= w.MinWords &&
		(len(w.Kinds) == 0 || slices.Contains(w.Kinds, string(f.kind))) &&
		(len(w.Identifiers) == 0 || slices.Contains(w.Identifiers, f.identifier)) &&
		(len(w.Lanes) == 0 || inLane(w.Lanes, f.lane)) &&
		(len(w.Datasets) == 0 || record != nil && slices.Contains(w.Datasets, record.Dataset)) &&
		(len(w.Labels) == 0 || record != nil && labelled(w.Labels, record.Labels))
}

// inLane reports whether a lane, or one of its steps, is among lanes.
func inLane(lanes []string, lane string) bool {
	for more := true; more; {
		var step string
		step, lane, more = strings.Cut(lane, "+")
		if slices.Contains(lanes, step) {
			return true
		}
	}
	return false
}

func labelled(want, labels []string) bool {
	for _, l := range labels {
		if slices.Contains(want, l) {
			return true
		}
	}
	return false
}
