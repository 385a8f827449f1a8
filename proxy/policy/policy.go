// Package policy decides what is done about a finding: it turns the rules of a
// configuration into a judge for the findings of one request, counts what each
// caller causes, and watches how much of a record comes out piece by piece.
//
// It knows the words of the configuration and records by name. It knows nothing
// of HTTP, of answers or of how anything is found, and it sees no text.
package policy

import (
	"slices"
	"strings"

	"noecho/detect"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// Restricted is the label whose records block although no rule says so.
const Restricted = "restricted"

// Facts are what is known of a finding so far.
type Facts struct {
	Kind       alert.Kind
	Lane       string // steps joined by +; empty means plain
	Identifier string // kind of the indexed identifier; empty if it is none
	Words      int
	Records    []alert.Record // where it stands in the corpus, as far as known
}

// Request is what is known of a request before its answer comes.
type Request struct {
	Route     string // as alerts name it
	Model     string
	Principal string
	Caller    string        // who is counted, as [Meter] names it
	Mode      detect.Action // of the route, for this model
}

// Rules are the rules of one configuration. Immutable, and safe for concurrent
// use.
type Rules struct {
	rules      []rule
	restricted bool // some record may have the label
}

// rule is a rule of the configuration, ready to be asked.
type rule struct {
	when   config.When
	action detect.Action
}

// Compile makes the rules of a configuration ready for indexes whose records have
// these labels.
func Compile(cfg *config.Config, labels []string) *Rules {
	out := &Rules{rules: make([]rule, len(cfg.Rules)), restricted: slices.Contains(labels, Restricted)}
	for i, r := range cfg.Rules {
		out.rules[i] = rule{when: r.When, action: r.Action}
	}
	return out
}

// Judge judges the findings of one request. It is safe for concurrent use.
type Judge struct {
	rules  []rule
	most   detect.Action // there may be
	base   detect.Action // where no rule fits
	meter  *Meter        // nil: no budget blocks
	caller string        // its name in meter
}

// For returns the judge of a request: the rules whose conditions on the request
// are met, and what its mode says behind them. Before all of them comes its
// caller's budget, unless the mode observes; meter may be nil.
func (r *Rules) For(req Request, meter *Meter) Judge {
	j := Judge{base: req.Mode, caller: req.Caller}
	j.most = j.base
	if j.base > detect.Observe {
		j.meter = meter
		if r.restricted || meter.mayBlock() {
			j.most = detect.Block
		}
	}
	for i := range r.rules {
		if r.rules[i].meant(&req) {
			j.rules = append(j.rules, r.rules[i])
			j.most = max(j.most, r.rules[i].action)
		}
	}
	return j
}

// Acts reports whether anything may be done about any finding. Where nothing
// may, nothing needs to be held.
func (j *Judge) Acts() bool { return j.most > detect.Observe }

// Blocks reports whether any finding may be blocked.
func (j *Judge) Blocks() bool { return j.most == detect.Block }

// Judge says what is to be done about a finding, given what is known of it now.
// A finding that stands in several records is judged once for each of them, and
// what is strictest is done. It does not allocate.
func (j *Judge) Judge(f *Facts) detect.Action {
	if j.meter.Blocks(j.caller) {
		return detect.Block
	}
	if len(f.Records) == 0 {
		return j.one(f, nil)
	}
	most := detect.Observe
	for i := range f.Records {
		most = max(most, j.one(f, &f.Records[i]))
	}
	return most
}

// one judges a finding as one of a record; nil if none is known.
func (j *Judge) one(f *Facts, record *alert.Record) detect.Action {
	for i := range j.rules {
		if j.rules[i].fits(f, record) {
			return j.rules[i].action
		}
	}
	if j.base > detect.Observe && j.most == detect.Block && record != nil && slices.Contains(record.Labels, Restricted) {
		return detect.Block
	}
	return j.base
}

// meant reports whether the conditions on the request are met.
func (r *rule) meant(req *Request) bool {
	w := &r.when
	return (len(w.Principals) == 0 || slices.Contains(w.Principals, req.Principal)) &&
		(len(w.Routes) == 0 || slices.ContainsFunc(w.Routes, func(path string) bool { return OnRoute(path, req.Route) })) &&
		(len(w.Models) == 0 || slices.ContainsFunc(w.Models, func(glob string) bool { return config.MatchModel(glob, req.Model) }))
}

// OnRoute reports whether a rule about path means a route.
func OnRoute(path, route string) bool {
	return path == route || strings.HasSuffix(path, "/") && strings.HasPrefix(route, path)
}

// fits reports whether the conditions on the finding are met.
func (r *rule) fits(f *Facts, record *alert.Record) bool {
	w := &r.when
	return f.Words >= w.MinWords &&
		(len(w.Kinds) == 0 || slices.Contains(w.Kinds, string(f.Kind))) &&
		(len(w.Identifiers) == 0 || slices.Contains(w.Identifiers, f.Identifier)) &&
		(len(w.Lanes) == 0 || inLane(w.Lanes, f.Lane)) &&
		(len(w.Datasets) == 0 || record != nil && slices.Contains(w.Datasets, record.Dataset)) &&
		(len(w.Labels) == 0 || record != nil && labelled(w.Labels, record.Labels))
}

// inLane reports whether a lane, or one of its steps, is among lanes.
func inLane(lanes []string, lane string) bool {
	if lane == "" {
		lane = alert.LanePlain
	}
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
