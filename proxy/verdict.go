package proxy

import (
	"errors"
	"fmt"
	"os"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
	"noecho/proxy/relay"
)

// standing is what a configuration says of findings, and what is counted over
// several requests; that outlives a reload which leaves its bounds alone.
type standing struct {
	rules    *policy.Rules
	meter    *policy.Meter    // nil: no budget
	coverage *policy.Coverage // nil: no coverage is watched
}

// newStanding returns the standing of a snapshot; old is the one before it, if
// there is one.
func newStanding(cfg *config.Config, indexes *Indexes, old *standing) standing {
	if old == nil {
		old = &standing{}
	}
	return standing{
		rules:    policy.Compile(cfg, &indexes.Records),
		meter:    old.meter.Renew(cfg.Budget),
		coverage: old.coverage.Renew(cfg.Coverage),
	}
}

// checkRules refuses rules about routes that are not open: they would never fit.
func checkRules(cfg *config.Config, routes *routeTable) error {
	var errs []error
	for i, r := range cfg.Rules {
		for _, path := range r.When.Routes {
			if !routes.any(func(r *route) bool { return r.family != nil && policy.OnRoute(path, r.pattern) }) {
				errs = append(errs, fmt.Errorf("rule %d: no scanned route is open at %s: open it under routes, or mend the rule", i+1, path))
			}
		}
	}
	return errors.Join(errs...)
}

// decide settles, once route, model and mode are known, what may be done about the
// answer and who judges its findings.
func (e *exchange) decide() {
	e.counted = e.principal
	if e.counted == "" {
		e.counted = "client " + e.client
	}
	e.number = e.srv.exchanges.Add(1)
	e.judge = e.snap.standing.rules.For(policy.Request{
		Route: e.route.pattern, Model: e.model, Principal: e.principal, Caller: e.counted, Mode: e.mode,
	}, e.snap.standing.meter)
	e.decision = relay.Decision{Judge: &e.judge, Hold: e.judge.Acts(), Block: e.judge.Blocks(), Pass: e.lenient()}
}

// actionOf is what was done about a finding, in the words of alerts.
func actionOf(f relay.Finding) alert.Action {
	if f.Finding.Echo {
		return alert.Echo
	}
	return [...]alert.Action{
		detect.Observe: alert.Observed, detect.Redact: alert.Redacted, detect.Block: alert.Blocked,
	}[f.Action]
}

// count adds a finding that has been reported to what is counted over several
// requests. An echo is not counted: it tells its caller nothing.
func (e *exchange) count(f relay.Finding) {
	if f.Finding.Echo {
		return
	}
	st, cfg := &e.snap.standing, &e.snap.cfg
	if n, raise := e.judge.Count(); raise {
		ev := e.event(alert.TypeProbing)
		ev.Action, ev.Channel = alert.Observed, f.Channel
		if cfg.Budget.Then == config.ThenBlock && e.mode != detect.Observe {
			ev.Action = alert.Blocked
		}
		ev.Findings, ev.Period = n, int64(cfg.Budget.Per.Seconds())
		e.srv.metrics.probing.Inc()
		e.srv.opts.Alerts.Offer(ev)
	}
	if st.coverage == nil || e.snap.indexes.Records.Record == nil {
		return
	}
	if places := f.Finding.Places; len(places) > 0 {
		e.cover(f, places[0])
	}
}

// cover notes what a finding shows of the record that it stands in most of all.
func (e *exchange) cover(f relay.Finding, place ngram.Place) {
	records := &e.snap.indexes.Records
	r, ok := records.Record(place)
	if !ok {
		return
	}
	length, words := 0, f.Finding.Words
	if records.Length != nil {
		if length = records.Length(place); length > 0 {
			words = min(words, length)
		}
	}
	d, told := e.snap.standing.coverage.Add(policy.Piece{
		Record: r.Dataset + "\x00" + r.ID, Length: length,
		Caller: e.counted, Request: e.number,
		First: uint64(place), Words: words,
	})
	if !told {
		return
	}
	ev := e.event(alert.TypeDrip)
	ev.Action, ev.Channel = actionOf(f), f.Channel
	ev.Words, ev.RecordWords, ev.Requests, ev.Several = d.Words, d.Length, d.Requests, d.Several
	ev.Period = int64(e.snap.cfg.Coverage.Over.Seconds())
	ev.Records = []alert.Record{r}
	e.srv.metrics.drips.Inc()
	e.srv.opts.Alerts.Offer(ev)
}

// detection is how the answers of a route are read.
func (s *snapshot) detection(r *config.Route) detect.Config {
	cfg := detect.Config{
		MinWords: r.MinWords,
		MaxHeld:  int(s.cfg.Limits.Held),
		Extent:   r.ExtentFor(s.cfg.Extent),
		Release:  r.Release,

		PhraseRecords: uint32(s.cfg.Identifiers.MaxRecords),
		Near:          detect.NearRule{Off: s.cfg.Near.Off, Words: s.cfg.Near.Words},
	}
	cfg.Lanes, _ = detect.ParseLanes(s.cfg.Lanes...) // the configuration has known names only
	return cfg
}

// Bounds of the file with the key of principals.
const (
	minPrincipalKey = 32
	maxPrincipalKey = 4096
)

// readPrincipalKey reads the key under which principals are named.
func readPrincipalKey(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("read principal_key_file: %w", err)
	}
	if size := info.Size(); size < minPrincipalKey || size > maxPrincipalKey {
		return nil, fmt.Errorf("principal_key_file %s: want a secret of %d to %d bytes, such as head -c 32 /dev/urandom makes", name, minPrincipalKey, maxPrincipalKey)
	}
	key, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read principal_key_file: %w", err)
	}
	return key, nil
}
