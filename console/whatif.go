package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"noecho/detect"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// draft is a policy that a person tries.
type draft struct {
	Since, Until string
	Keep         *bool // the rules of the running configuration follow; nil: they do
	Rules        []draftRule
	YAML         string // instead of Rules
}

type draftRule struct {
	When   draftWhen `json:"when"`
	Action string    `json:"action"`
}

// draftWhen has the conditions of a rule, by the keys of the configuration.
type draftWhen struct {
	Route      []string `json:"route"`
	Kind       []string `json:"kind"`
	Identifier []string `json:"identifier"`
	Label      []string `json:"label"`
	Dataset    []string `json:"dataset"`
	Lane       []string `json:"lane"`
	Model      []string `json:"model"`
	Principal  []string `json:"principal"`
	MinWords   int      `json:"min_words"`
}

// maxDraft bounds a draft, in bytes.
const maxDraft = 256 << 10

// plainYAML are texts that need no quotation marks.
var plainYAML = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)

// yamlOf writes rules as the key of a configuration.
func yamlOf(rules []draftRule) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for _, r := range rules {
		var when []string
		for _, list := range []struct {
			key   string
			words []string
		}{
			{"route", r.When.Route},
			{"kind", r.When.Kind},
			{"identifier", r.When.Identifier},
			{"label", r.When.Label},
			{"dataset", r.When.Dataset},
			{"lane", r.When.Lane},
			{"model", r.When.Model},
			{"principal", r.When.Principal},
		} {
			if len(list.words) > 0 {
				words := make([]string, len(list.words))
				for i, w := range list.words {
					words[i] = yamlText(w)
				}
				when = append(when, list.key+": ["+strings.Join(words, ", ")+"]")
			}
		}
		if r.When.MinWords > 0 {
			when = append(when, fmt.Sprintf("min_words: %d", r.When.MinWords))
		}
		if len(when) == 0 {
			fmt.Fprintf(&b, "  - action: %s\n", yamlText(r.Action))
			continue
		}
		fmt.Fprintf(&b, "  - when: {%s}\n    action: %s\n", strings.Join(when, ", "), yamlText(r.Action))
	}
	return b.String()
}

// yamlText writes a text so that YAML reads it as a text.
func yamlText(s string) string {
	if plainYAML.MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	quoted, _ := json.Marshal(s) // a text in JSON is one in YAML
	return string(quoted)
}

// read returns the rules of the draft.
func (d *draft) read() ([]config.Rule, error) {
	if d.YAML == "" {
		d.YAML = yamlOf(d.Rules)
	}
	if !strings.HasPrefix(strings.TrimSpace(d.YAML), "rules:") {
		return nil, errors.New("begin with the key rules")
	}
	cfg, err := config.Load("draft", []byte(d.YAML+"\nversion: 1\nprincipal_key_file: draft\n"))
	return cfg.Rules, err
}

// The reasons for which the result of a draft is not certain.
const (
	unsureCut     = "blocked answers ended at their first finding"
	unsureFurther = "further findings of an answer have no line"
	unsureRecords = "more records than an alert names"
	unsureBudget  = "a budget had decided"
	unsureRules   = "the rules of the configuration are not known here"
)

// change counts the answers that would have ended otherwise.
type change struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Answers int    `json:"answers"`
}

// unsure counts the answers whose result is not certain, for one reason.
type unsure struct {
	Why     string `json:"why"`
	Answers int    `json:"answers"`
}

// unsureReasons are these reasons, in the order of the page.
var unsureReasons = []string{unsureCut, unsureFurther, unsureRecords, unsureBudget, unsureRules}

// tried is the result of a draft for one answer.
type tried struct {
	from, to      detect.Action
	why           uint8 // bits by the place in unsureReasons
	shape, caller uint32
}

// doubt notes a reason for which the result is not certain.
func (a *tried) doubt(reason string) { a.why |= 1 << slices.Index(unsureReasons, reason) }

// trial tries a draft on stored findings.
type trial struct {
	rules   *policy.Rules
	known   bool // the rules of the running configuration follow
	byModel bool // a rule names models
	byWhom  bool // a rule names principals
	answers map[uint64]tried
	judges  map[judgeKey]*policy.Judge
}

// judgeKey are the facts about a request that rules ask for.
type judgeKey struct{ shape, model, principal uint32 }

// newTrial makes a draft ready. The caller has locked the store.
func newTrial(c *Console, rules []config.Rule, keep bool) *trial {
	cfg := config.Default()
	if c.opts.Config != nil && keep {
		cfg = *c.opts.Config()
	}
	t := &trial{known: c.opts.Config != nil || !keep, answers: map[uint64]tried{}, judges: map[judgeKey]*policy.Judge{}}
	cfg.Rules = slices.Concat(rules, cfg.Rules)
	for _, r := range cfg.Rules {
		t.byModel, t.byWhom = t.byModel || len(r.When.Models) > 0, t.byWhom || len(r.When.Principals) > 0
	}
	var records policy.Records
	for _, list := range c.store.lists {
		for _, r := range list {
			records.Labels = append(records.Labels, r.Labels...)
		}
	}
	t.rules = policy.Compile(&cfg, &records)
	return t
}

// add tries the draft on a finding.
func (t *trial) add(s *store, r *row) {
	if r.answer == 0 || r.action < 1 || r.action > 3 { // an echo or an ignored finding stays one
		return
	}
	a, known := t.answers[r.answer]
	if !known {
		a = tried{shape: r.shape, caller: r.caller}
	}
	was := detect.Action(r.action - 1)
	is := t.replay(s, r, was, &a)
	a.from, a.to = max(a.from, was), max(a.to, is)
	if r.suppressed > 0 {
		a.doubt(unsureFurther)
	}
	if r.flags&flagCutRecords != 0 {
		a.doubt(unsureRecords)
	}
	t.answers[r.answer] = a
}

// replay decides about a finding.
func (t *trial) replay(s *store, r *row, was detect.Action, a *tried) detect.Action {
	of := &s.shapes[r.shape]
	if of.rule == "budget" {
		a.doubt(unsureBudget)
		return was
	}
	key := judgeKey{shape: r.shape}
	if t.byModel {
		key.model = r.model
	}
	if t.byWhom {
		key.principal = r.principal
	}
	judge, ok := t.judges[key]
	if !ok {
		if mode, err := config.ParseMode(of.mode); err == nil {
			one := t.rules.For(policy.Request{Route: of.route, Model: s.names.text(key.model), Principal: s.names.text(key.principal), Mode: mode}, nil, nil)
			judge = &one
		}
		t.judges[key] = judge
	}
	if judge == nil { // a mode of a newer noecho
		a.doubt(unsureRules)
		return was
	}
	is, decided := judge.Replay(&policy.Stored{
		Kind: rowKinds[r.kind], Lane: of.lane, Identifier: of.identifier, Words: int(r.words), Records: s.lists[r.records],
	})
	if !t.known && strings.HasPrefix(of.rule, "rule ") && !strings.HasPrefix(decided, "rule ") {
		a.doubt(unsureRules)
		return was
	}
	return is
}

// triedRoute counts the answers of a route.
type triedRoute struct {
	Route        string  `json:"route"`
	Answers      *uint64 `json:"answers"`
	WithFindings int     `json:"with_findings"`
	Changed      int     `json:"changed"`
}

type whatIfView struct {
	common
	Answers      *uint64       `json:"answers"`
	WithFindings int           `json:"with_findings"`
	Changed      int           `json:"changed"`
	AtLeast      bool          `json:"at_least"`
	Callers      int           `json:"callers"`
	Changes      []change      `json:"changes"`
	Unsure       []unsure      `json:"unsure"`
	NowPasses    int           `json:"now_passes"`
	YAML         string        `json:"yaml"`
	Routes       []*triedRoute `json:"routes"`
}

// answerWhatIf tries a draft of rules on the findings of a period.
func answerWhatIf(c *Console, w http.ResponseWriter, r *request) (any, error) {
	var d draft
	if err := readBody(w, r.Request, maxDraft, &d); err != nil {
		return nil, err
	}
	p, err := readPeriod(url.Values{"since": {d.Since}, "until": {d.Until}}, r.now, "7d")
	rules, derr := d.read()
	if err := errors.Join(err, derr); err != nil {
		return nil, err
	}
	f, _ := newFilter(nil, alert.TypeFinding) // has no error without a query
	s := c.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := newTrial(c, rules, d.Keep == nil || *d.Keep)
	for x := range s.each(p, f) {
		t.add(s, x)
	}
	out := t.result(s)
	out.common, out.YAML = common{c.known(), p.from, p.to}, d.YAML
	if _, routes, tallied := answersIn(s, p); tallied {
		out.judged(rules, routes)
	}
	return out, nil
}

// actionName names an action as alerts do.
func actionName(a detect.Action) string {
	return map[detect.Action]string{detect.Observe: string(alert.Observed), detect.Redact: string(alert.Redacted), detect.Block: string(alert.Blocked)}[a]
}

// result counts the answers.
func (t *trial) result(s *store) *whatIfView {
	out := &whatIfView{WithFindings: len(t.answers), Changes: []change{}, Unsure: []unsure{}, Routes: []*triedRoute{}}
	changes, why, callers, routes := map[[2]detect.Action]int{}, [8]int{}, map[uint32]struct{}{}, map[string]*triedRoute{}
	for _, a := range t.answers {
		route := s.shapes[a.shape].route
		if routes[route] == nil {
			routes[route] = &triedRoute{Route: route}
		}
		routes[route].WithFindings++
		if a.from == detect.Block && a.to < detect.Block {
			a.doubt(unsureCut)
		}
		for i := range unsureReasons {
			why[i] += int(a.why >> i & 1)
		}
		if a.from == a.to {
			continue
		}
		out.Changed++
		routes[route].Changed++
		changes[[2]detect.Action{a.from, a.to}]++
		callers[a.caller] = struct{}{}
		if a.to == detect.Observe {
			out.NowPasses++
		}
	}
	out.Callers = len(callers)
	for from := detect.Observe; from <= detect.Block; from++ {
		for to := detect.Observe; to <= detect.Block; to++ {
			if n := changes[[2]detect.Action{from, to}]; n > 0 {
				out.Changes = append(out.Changes, change{actionName(from), actionName(to), n})
			}
		}
	}
	for i, reason := range unsureReasons {
		out.Unsure = append(out.Unsure, unsure{reason, why[i]})
		out.AtLeast = out.AtLeast || why[i] > 0
	}
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		out.Routes = append(out.Routes, routes[route])
	}
	return out
}

// judged adds the answers that were judged on the routes that the draft is about.
func (v *whatIfView) judged(rules []config.Rule, routes map[string]answersOf) {
	total := uint64(0)
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		about := slices.ContainsFunc(rules, func(r config.Rule) bool {
			return len(r.When.Routes) == 0 || slices.ContainsFunc(r.When.Routes, func(path string) bool { return policy.OnRoute(path, route) })
		})
		if about {
			total += routes[route].judged
		}
		for _, r := range v.Routes {
			if r.Route == route {
				n := routes[route].judged
				r.Answers = &n
			}
		}
	}
	v.Answers = &total
}
