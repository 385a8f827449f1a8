package proxy

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"noecho/detect"
	"noecho/internal/transport"
	"noecho/ngram"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// Indexes are the indexes in force, joined into one.
type Indexes struct {
	Set     detect.Index
	Spec    ngram.Spec
	Records policy.Records
	Files   []IndexInfo
	Digest  func(window uint64) uint64 // hash of a window for alerts; nil: the hash as it is
	Close   func() error               // called when no request uses Set any more; may be nil
}

// IndexInfo describes one index file for logs and metrics.
type IndexInfo struct {
	Path    string
	BuildID string
	KeyID   string // of the key that it was built with; empty: none
	Windows uint64
	Bytes   int64
	Fill    float64 // of the WINDOWS filter, 0 to 1
	FPR     float64 // chance that a window is taken for an indexed one
	Signed  Signature
	Lacks   []string // the sections that an older noecho did not build, and the findings missed without them
}

// Signature is the statement about an index that a trusted key has signed. The zero value is none.
type Signature struct {
	Key     string // that signed
	Counter uint64 // grows from one version of the index to the next
	Model   string // digest of the model that the index is of; empty: not named
}

// snapshot is the configuration with its routes, upstreams and indexes. It never changes. A
// request uses the snapshot with which it began to its last byte, so that an index stays in
// memory until its last reader is done.
type snapshot struct {
	generation uint64 // counts from 1
	cfg        config.Config
	routes     *routeTable
	upstreams  []*upstream
	trust      *transport.Keeper // the certificates for connections to upstreams
	indexes    Indexes
	standing   standing
	counters   map[string]uint64 // highest counter of each signed index that was in force, by path
	buildID    string
	refs       atomic.Int64 // one while it is in force, one for each exchange
}

// newSnapshot opens and checks all files that cfg names. If it fails, it leaves none open. old
// is the snapshot in force; nil if there is none.
func newSnapshot(old *snapshot, cfg config.Config, open func(*config.Config) (Indexes, error)) (*snapshot, error) {
	if err := cfg.Complete(); err != nil {
		return nil, err
	}
	s := &snapshot{generation: 1, cfg: cfg}
	var before *standing
	if old != nil {
		s.generation, before = old.generation+1, &old.standing
	}
	s.refs.Store(1)
	var err error
	if s.trust, err = openTrust(&cfg.Upstream); err != nil {
		return nil, err
	}
	byURL := map[string]*upstream{}
	routes, err := newRouteTable(&cfg, func(target *url.URL) *upstream {
		if u := byURL[target.String()]; u != nil {
			return u
		}
		u := newUpstream(target, &cfg, s.trust)
		byURL[target.String()] = u
		s.upstreams = append(s.upstreams, u)
		return u
	})
	if err != nil {
		return nil, err
	}
	s.routes = routes
	if err := checkRules(&cfg, routes); err != nil {
		return nil, err
	}
	ignored, err := readIgnored(&cfg.Ignore)
	if err != nil {
		return nil, err
	}
	if s.indexes, err = open(&cfg); err != nil {
		return nil, err
	}
	if err := errors.Join(s.checkWords(), s.checkCounters(old)); err != nil {
		return nil, errors.Join(err, s.indexes.close())
	}
	s.standing = newStanding(&cfg, &s.indexes, before)
	s.standing.rules.Ignoring(&ignored, s.indexes.Digest, nil)
	ids := make([]string, len(s.indexes.Files))
	for i, f := range s.indexes.Files {
		ids[i] = f.BuildID
	}
	s.buildID = strings.Join(ids, "+")
	return s, nil
}

// standing are the rules for findings, and the counts over several requests. A count survives
// a reload that does not change its bounds.
type standing struct {
	rules    *policy.Rules
	meter    *policy.Meter    // nil: no budget
	probes   *policy.Probes   // nil: none are counted
	coverage *policy.Coverage // nil: no coverage is watched
	habits   *policy.Habits
}

// newStanding returns the standing of a snapshot. old is that of the snapshot before, or nil.
func newStanding(cfg *config.Config, indexes *Indexes, old *standing) standing {
	if old == nil {
		old = &standing{}
	}
	return standing{
		rules:    policy.Compile(cfg, &indexes.Records),
		meter:    old.meter.Renew(cfg.Budget),
		probes:   old.probes.Renew(cfg.Budget),
		coverage: old.coverage.Renew(cfg.Coverage),
		habits:   old.habits.Renew(),
	}
}

// checkRules refuses rules about routes that are not open, because they would never fit.
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

// checkWords refuses a min_words below the length of a window.
func (s *snapshot) checkWords() error {
	var errs []error
	for _, r := range s.cfg.Routes {
		if r.MinWords > 0 && r.MinWords < s.indexes.Spec.N {
			errs = append(errs, fmt.Errorf("route %s: min_words %d is below the %d words of a window in the index: write %d or more",
				r.Path, r.MinWords, s.indexes.Spec.N, s.indexes.Spec.N))
		}
	}
	return errors.Join(errs...)
}

// checkCounters refuses a signed index that is older than the one that it replaces: the one of
// the same path, or one that is not in force any more.
func (s *snapshot) checkCounters(old *snapshot) error {
	s.counters = map[string]uint64{}
	left := uint64(0) // lowest counter of the indexes that are not in force any more
	if old != nil {
		maps.Copy(s.counters, old.counters)
		for _, f := range old.indexes.Files {
			same := func(g IndexInfo) bool { return g.Path == f.Path }
			if f.Signed.Key != "" && !slices.ContainsFunc(s.indexes.Files, same) && (left == 0 || f.Signed.Counter < left) {
				left = f.Signed.Counter
			}
		}
	}
	var errs []error
	for _, f := range s.indexes.Files {
		if f.Signed.Key == "" {
			continue
		}
		least, known := s.counters[f.Path]
		if !known {
			least = left
		}
		if f.Signed.Counter < least {
			errs = append(errs, fmt.Errorf("index %s has the counter %d, and one of %d was served before: an older index was put back", f.Path, f.Signed.Counter, least))
		}
		s.counters[f.Path] = max(least, f.Signed.Counter)
	}
	return errors.Join(errs...)
}

// otherModels returns the paths of signed indexes that do not belong to the model of the
// configuration.
func (s *snapshot) otherModels() (paths []string) {
	for _, f := range s.indexes.Files {
		if want := s.cfg.Trust.Model; want != "" && f.Signed.Model != want {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// Digests converts the hashes of windows for an alert.
func (x *Indexes) Digests(windows []uint64) []alert.Digest {
	out := alert.Digests(windows)
	if x.Digest == nil {
		return out
	}
	for i, d := range out {
		out[i] = alert.Digest(x.Digest(uint64(d)))
	}
	return out
}

func (x *Indexes) close() error {
	if x.Close == nil {
		return nil
	}
	return x.Close()
}

// acquire counts a user of the snapshot. It returns false if the snapshot was closed.
func (s *snapshot) acquire() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release ends one use of the snapshot. The last one closes its indexes.
func (s *snapshot) release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	for _, u := range s.upstreams {
		u.close()
	}
	_ = s.indexes.close() // read-only: nothing is lost
}

// detection returns the settings of the detector for the answers of a route.
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

// cors returns the section cors of the configuration.
func (s *snapshot) cors() cors { return cors{&s.cfg.CORS} }

// indexName returns the name of the indexes in alerts.
func (s *snapshot) indexName() alert.Index {
	return alert.Index{BuildID: s.buildID, Generation: s.generation}
}
