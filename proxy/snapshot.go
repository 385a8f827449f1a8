package proxy

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"noecho/detect"
	"noecho/ngram"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// Indexes are the indexes in force, answering as one.
type Indexes struct {
	Set     detect.Index
	Spec    ngram.Spec
	Records policy.Records
	Files   []IndexInfo
	Close   func() error // called once nobody uses Set any more; may be nil
}

// IndexInfo describes one index file for logs and metrics.
type IndexInfo struct {
	Path    string
	BuildID string
	Windows uint64
	Bytes   int64
	Fill    float64 // of the WINDOWS filter, 0 to 1
	FPR     float64 // chance that a window is taken for an indexed one
}

// snapshot is everything a request is judged by: configuration, routes,
// upstreams, indexes. It never changes. A request holds the one it began with
// to its last byte, so an index stays mapped until its last reader is done.
type snapshot struct {
	generation uint64 // counts from 1
	cfg        config.Config
	routes     *routeTable
	upstreams  []*upstream
	indexes    Indexes
	standing   standing
	buildID    string
	refs       atomic.Int64 // one for being in force, one for each exchange
}

// newSnapshot opens and checks everything that cfg names. Nothing is left open
// if it fails. old is the snapshot in force; nil if there is none.
func newSnapshot(old *snapshot, cfg config.Config, open func([]config.Index) (Indexes, error)) (*snapshot, error) {
	if err := cfg.Complete(); err != nil {
		return nil, err
	}
	s := &snapshot{generation: 1, cfg: cfg}
	var before *standing
	if old != nil {
		s.generation, before = old.generation+1, &old.standing
	}
	s.refs.Store(1)
	byURL := map[string]*upstream{}
	routes, err := newRouteTable(&cfg, func(target *url.URL) (*upstream, error) {
		if u := byURL[target.String()]; u != nil {
			return u, nil
		}
		u, err := newUpstream(target, cfg.Upstream.CAFile, cfg.Limits)
		if err == nil {
			byURL[target.String()] = u
			s.upstreams = append(s.upstreams, u)
		}
		return u, err
	})
	if err != nil {
		return nil, err
	}
	s.routes = routes
	if err := checkRules(&cfg, routes); err != nil {
		return nil, err
	}
	if s.indexes, err = open(cfg.Index); err != nil {
		return nil, err
	}
	if err := s.checkWords(); err != nil {
		return nil, errors.Join(err, s.indexes.close())
	}
	s.standing = newStanding(&cfg, &s.indexes, before)
	ids := make([]string, len(s.indexes.Files))
	for i, f := range s.indexes.Files {
		ids[i] = f.BuildID
	}
	s.buildID = strings.Join(ids, "+")
	return s, nil
}

// checkWords refuses a min_words that no window could ever reach.
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

func (x *Indexes) close() error {
	if x.Close == nil {
		return nil
	}
	return x.Close()
}

// acquire pins the snapshot unless it has already been given up.
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

// release lets go of the snapshot; the last one closes its indexes.
func (s *snapshot) release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	for _, u := range s.upstreams {
		u.close()
	}
	_ = s.indexes.close() // read-only: nothing is lost
}

// acquire pins the snapshot in force.
func (s *Server) acquire() *snapshot {
	for {
		if snap := s.snap.Load(); snap.acquire() {
			return snap
		}
	}
}

// Reload reads configuration and indexes again, checks all of it and only then
// puts it in force, for the requests that begin afterwards. On any error the
// last good state stays. Safe for concurrent use.
func (s *Server) Reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	err := s.reload()
	s.metrics.reloaded(err)
	s.reportReload(err)
	return err
}

func (s *Server) reload() error {
	old := s.snap.Load()
	cfg := old.cfg
	if s.opts.Reload != nil {
		var err error
		if cfg, err = s.opts.Reload(); err != nil {
			return err
		}
	}
	next, err := newSnapshot(old, cfg, s.opts.Open)
	if err != nil {
		return err
	}
	if fixed := fixedChanges(&old.cfg, &cfg); len(fixed) > 0 {
		s.log.Warn("changed keys take effect after a restart only", "keys", strings.Join(fixed, " "))
	}
	s.warn(&next.cfg)
	s.snap.Store(next)
	s.metrics.snapshot(next)
	old.release()
	return nil
}

// warn logs what a configuration opens that is better shut.
func (s *Server) warn(cfg *config.Config) {
	for _, w := range Warnings(cfg) {
		s.log.Warn("a route is open that is better shut", "why", w)
	}
}

// fixedChanges names the changed keys that concern sockets and stores that
// live as long as the process.
func fixedChanges(old, now *config.Config) []string {
	var keys []string
	for _, k := range [...]struct {
		name    string
		changed bool
	}{
		{"listen", old.Listen != now.Listen},
		{"admin", old.Admin != now.Admin},
		{"principal_key_file", old.PrincipalKeyFile != now.PrincipalKeyFile},
		{"alerts", !slices.Equal(old.Alerts, now.Alerts)},
		{"limits.connections", old.Limits.Connections != now.Limits.Connections},
		{"limits.header", old.Limits.Header != now.Limits.Header},
		{"limits.request", old.Limits.Request != now.Limits.Request},
		{"limits.prompt_cache", old.Limits.PromptCache != now.Limits.PromptCache},
		{"limits.header_time", old.Limits.HeaderTime != now.Limits.HeaderTime},
		{"limits.request_time", old.Limits.RequestTime != now.Limits.RequestTime},
		{"limits.caller_idle", old.Limits.CallerIdle != now.Limits.CallerIdle},
		{"limits.caller_stall", old.Limits.CallerStall != now.Limits.CallerStall},
		{"limits.drain", old.Limits.Drain != now.Limits.Drain},
	} {
		if k.changed {
			keys = append(keys, k.name)
		}
	}
	return keys
}

// Check does what New does, listens on nothing and keeps nothing open. The
// result says in a few words what would be in force.
func Check(cfg config.Config, open func([]config.Index) (Indexes, error)) ([]string, error) {
	if cfg.Admin.TokenFile != "" {
		if _, err := readToken(cfg.Admin.TokenFile); err != nil {
			return nil, err
		}
	}
	if cfg.PrincipalKeyFile != "" {
		if _, err := readPrincipalKey(cfg.PrincipalKeyFile); err != nil {
			return nil, err
		}
	}
	snap, err := newSnapshot(nil, cfg, open)
	if err != nil {
		return nil, err
	}
	defer snap.release()
	summary := []string{"mode " + cfg.Mode.String(), fmt.Sprintf("%d words a window", snap.indexes.Spec.N)}
	for _, f := range snap.indexes.Files {
		summary = append(summary, fmt.Sprintf("index %s with %d windows", f.Path, f.Windows))
	}
	return summary, nil
}

// IndexBytes is the size of the indexes in force.
func (s *Server) IndexBytes() int64 {
	snap := s.acquire()
	defer snap.release()
	var total int64
	for _, f := range snap.indexes.Files {
		total += f.Bytes
	}
	return total
}
