// Package proxy is an HTTP proxy between callers and a model server (the upstream). It forwards
// the requests that its routes allow, and sends the bytes of an answer on when the detector
// has judged them.
//
// It knows HTTP, routes, upstreams and the order in which bytes leave. Package detect finds
// leaks, package wire knows where an API keeps text, package relay sends an answer on, and
// package alert writes reports. The proxy opens no index itself: its caller passes a
// function for that.
package proxy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"noecho/internal/accesslog"
	"noecho/internal/trace"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// Options are the options of [New]. Config, Open, Alerts and Log are required.
type Options struct {
	Config config.Config
	Open   func(*config.Config) (Indexes, error) // opens and checks index files
	Opened func() int                            // how much of the index files is checked, in per cent; may be nil
	Admin  net.Listener                          // for operators, owned by the server; nil: there is no admin plane
	Reload func() (config.Config, error)         // reads the configuration again; nil: it never changes
	Alerts *alert.Log                            // closed by its owner, after the server has ended
	Log    *slog.Logger
	Level  *slog.LevelVar // of Log, set by the configuration; nil: it never changes
	Traces *trace.Tracer  // closed by its owner, after the server has ended; nil: there is none
	Access *accesslog.Log // closed by its owner, after the server has ended; nil: there is none
	Build  string         // version of noecho

	// Console returns the handler of the paths below /console/ on the admin plane, which
	// decides itself who may use it; nil: there is none.
	Console func(Operators) http.Handler

	// Reach is the time between two looks whether the upstreams accept connections, and
	// whether alerts can be written; 0: never.
	Reach time.Duration

	reclaimed func()           // called when memory was given back; for tests
	ticks     <-chan time.Time // when tallies may be due; nil: each minute; for tests
}

// Server answers callers, and operators on its admin plane. Safe for concurrent use.
type Server struct {
	services
	opts      Options
	snap      atomic.Pointer[snapshot] // nil until the indexes are open
	ready     chan struct{}            // closed when Serve begins to answer callers
	reloading sync.Mutex
	exchanges atomic.Uint64 // begun so far
	memory    *reclaimer
	plane     *adminPlane // nil: there is none
	own       certificates
}

// New checks the configuration, opens the indexes and returns a server that does not listen
// for callers yet. Operators are answered on opts.Admin from the beginning, so that a probe can
// tell a server that reads a large index from one that hangs. Close the server, also if
// Serve is never called; if New fails, it closes opts.Admin itself.
func New(opts Options) (*Server, error) {
	s, err := newServer(opts)
	if err != nil && opts.Admin != nil {
		err = errors.Join(err, opts.Admin.Close())
	}
	if err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// newServer returns a server without indexes, whose admin plane answers.
func newServer(opts Options) (*Server, error) {
	s := &Server{opts: opts, ready: make(chan struct{}), memory: newReclaimer(opts.reclaimed), services: services{
		log: opts.Log, alerts: opts.Alerts, access: opts.Access, traces: opts.Traces, build: opts.Build,
		principalKey: make([]byte, 32), active: map[*link]struct{}{}, paths: missedPaths{logged: map[string]time.Time{}}, idle: make(chan struct{}), begun: make(chan struct{}, 1),
	}}
	if _, err := rand.Read(s.principalKey); err != nil {
		return nil, fmt.Errorf("make instance key: %w", err)
	}
	var err error
	if name := opts.Config.PrincipalKeyFile; name != "" {
		if s.principalKey, err = readPrincipalKey(name); err != nil {
			return nil, err
		}
	}
	if s.prompts, err = newPromptCache(opts.Config.Limits.PromptCache); err != nil {
		return nil, err
	}
	s.metrics = newMetrics(opts.Build, s.inFlight, opts.Alerts)
	s.metrics.counts("access_log_lines_total", "Lines of the access log, by whether they were written.", "written", opts.Access.Counts)
	s.metrics.counts("trace_spans_total", "Spans of traces, by whether a collector has taken them.", "sent", opts.Traces.Counts)
	if s.own, err = openCertificates(&opts.Config); err != nil {
		s.prompts.close()
		return nil, err
	}
	if opts.Admin != nil {
		if s.plane, err = newAdminPlane(s, opts.Admin, opts.Config.Admin); err != nil {
			s.prompts.close()
			return nil, err
		}
		go s.plane.serve()
	}
	return s, nil
}

// start opens the indexes and puts the configuration in force.
func (s *Server) start() error {
	snap, err := newSnapshot(nil, s.opts.Config, s.opts.Open)
	if err != nil {
		return err
	}
	s.warn(&snap.cfg)
	s.setLevel(snap.cfg.LogLevel)
	s.metrics.snapshot(snap)
	s.snap.Store(snap)
	s.own.measure(s.metrics, snap)
	s.metrics.forgotten(func() uint64 { return s.snap.Load().standing.coverage.Forgotten() })
	return nil
}

// Inspect calls use with the configuration and the indexes in force, which stay open until use
// returns. It returns false, and does not call use, before the indexes are open and after Close.
func (s *Server) Inspect(use func(*config.Config, *Indexes)) bool {
	for {
		snap := s.snap.Load()
		switch {
		case snap == nil:
			return false
		case snap.acquire():
			defer snap.release()
			use(&snap.cfg, &snap.indexes)
			return true
		case s.snap.Load() == snap: // closed; else a reload has come between
			return false
		}
	}
}

// Close closes the indexes and ends the admin plane. Call it after Serve has returned.
func (s *Server) Close() {
	if s.plane != nil {
		s.plane.close()
	}
	if snap := s.snap.Load(); snap != nil {
		snap.release()
	}
	s.prompts.close()
}

// Serve answers callers on data until ctx ends. Then it drains: it is no longer ready, takes no
// new connections, waits for answers in flight as long as limits.drain allows, and ends the
// others with the error event of their API. data and the admin plane are closed when it
// returns. Call it once.
func (s *Server) Serve(ctx context.Context, data net.Listener) error {
	cfg := &s.snap.Load().cfg
	callers := newCallerListener(data, cfg.Limits.CallerStall)
	callers.relieved, callers.failed = s.memory.want, s.unshaken
	if s.own.data != nil {
		callers.tls = s.own.data.Server()
	}
	background, cancel := context.WithCancel(context.Background())
	var reclaiming sync.WaitGroup
	reclaiming.Go(func() { s.memory.run(background) })
	reclaiming.Go(func() { s.watch(background) })
	reclaiming.Go(func() { s.look(background) })
	reclaiming.Go(func() { s.tally(background) })
	defer reclaiming.Wait()
	defer cancel()
	front := s.newFront(cfg.Limits)
	failed := make(chan error, 1)
	go func() { failed <- front.Serve(callers) }()
	var planeFailed chan error // nil without an admin plane: it never fails
	if s.plane != nil {
		planeFailed = s.plane.failed
	}
	close(s.ready)
	s.counted.begin(time.Now())
	s.reportStart(s.snap.Load(), data, s.opts.Admin)
	var err error
	select {
	case <-ctx.Done():
	case err = <-planeFailed:
	case err = <-failed:
		if err == nil {
			err = errors.New("listener was closed")
		}
	}
	s.shutDown(front, callers, cfg.Limits.Drain)
	if s.plane != nil {
		s.plane.close()
	}
	s.offerTally(time.Now(), math.MaxInt64)
	s.reportStop(s.snap.Load(), err)
	return err
}

// tally writes the tallies that are due until ctx ends.
func (s *Server) tally(ctx context.Context) {
	ticks := s.opts.ticks
	if ticks == nil {
		ticker := time.NewTicker(tallyEvery)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case now := <-ticks:
			s.offerTally(now, tallyIdle)
		case <-ctx.Done():
			return
		}
	}
}

// offerTally offers the tally that is due now; without answers only if the last one is as old
// as idle.
func (s *Server) offerTally(now time.Time, idle time.Duration) {
	ev, due := s.counted.take(now, idle)
	if !due {
		return
	}
	snap := s.acquire()
	ev.Mode, ev.Index = snap.cfg.Mode.String(), snap.indexName()
	snap.release()
	s.alerts.Offer(ev)
}

// watch looks from time to time whether the upstreams accept connections and the alerts can
// be written, until ctx ends. It logs an upstream and a sink of alerts that fail, and those
// that work again.
func (s *Server) watch(ctx context.Context) {
	if s.opts.Reach == 0 {
		return
	}
	down, seen := map[string]bool{}, watched{map[string]alert.SinkStats{}, map[[2]string]time.Time{}}
	tick := time.NewTicker(s.opts.Reach)
	defer tick.Stop()
	for {
		s.watchAlerts(&seen)
		snap := s.acquire()
		s.own.look(&s.services, snap)
		named := map[string]bool{}
		for _, u := range snap.upstreams {
			err := u.reach(ctx)
			if ctx.Err() != nil {
				snap.release()
				return
			}
			named[u.name] = true
			switch {
			case err != nil && !down[u.name]:
				s.log.Warn("upstream is down: requests get 502 until it accepts connections", "upstream", u.name, "reason", err.Error())
			case err == nil && down[u.name]:
				s.log.Info("upstream is up again", "upstream", u.name)
			}
			down[u.name] = err != nil
			s.metrics.up(u.name, err)
		}
		snap.release()
		for name := range down { // a reload has removed it
			if !named[name] {
				delete(down, name)
				s.metrics.upstreamUp.DeleteLabelValues(name)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refusalPause is the time between two lines of the log about one sink and one cause.
const refusalPause = time.Minute

// watched are the sinks of alerts as watchAlerts saw them last.
type watched struct {
	sinks    map[string]alert.SinkStats
	refusals map[[2]string]time.Time // when a cause of a sink was logged
}

// watchAlerts logs sinks that fail and did not before, spools that take no lines any more while
// their receiver is down, events that a receiver refuses, and sinks that work again.
func (s *Server) watchAlerts(seen *watched) {
	for _, sink := range s.alerts.Stats().Sinks {
		old := seen.sinks[sink.Name]
		switch {
		case sink.Down && !old.Down, sink.Stuck && !old.Stuck:
			s.log.Error("alerts cannot be written: look at the folder, the permissions and the disk, or the receiver; some wait in memory or in the spool meanwhile",
				"sink", sink.Name, "waiting", sink.Queued, "reason", sink.Reason)
		case !sink.Down && old.Down:
			s.log.Info("alerts are written again", "sink", sink.Name, "lost", sink.Lost)
		}
		cause := [2]string{sink.Name, sink.Refusal}
		if sink.Refused > old.Refused && time.Since(seen.refusals[cause]) >= refusalPause {
			seen.refusals[cause] = time.Now()
			s.log.Error("the receiver refuses alerts, which are lost: look at its address and at the format of the sink",
				"sink", sink.Name, "refused", sink.Refused, "lost", sink.Lost, "reason", sink.Refusal)
		}
		seen.sinks[sink.Name] = sink
	}
}

// newFront returns the HTTP server of the data port.
func (s *Server) newFront(limits config.Limits) *fasthttp.Server {
	return &fasthttp.Server{
		Handler:       s.handle,
		ConnState:     noteState,
		ErrorHandler:  s.refuseUnread,
		ExpectHandler: s.expect,
		HeaderReceived: func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
			s.head(h)
			return fasthttp.RequestConfig{ReadTimeout: limits.RequestTime}
		},
		ReadTimeout:                  limits.HeaderTime,
		IdleTimeout:                  limits.CallerIdle,
		Concurrency:                  limits.Connections,
		ReadBufferSize:               int(limits.Header),
		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		SecureErrorLogMessage:        true,
		CloseOnShutdown:              true,
		Logger:                       muted{},
	}
}

// muted drops the log lines of fasthttp, because they quote requests.
type muted struct{}

func (muted) Printf(string, ...any) {}

// shutDown ends the service in order. See [Server.Serve].
func (s *Server) shutDown(front *fasthttp.Server, callers *callerListener, patience time.Duration) {
	s.drain()
	s.log.Info("draining", "in_flight", s.inFlight(), "limit", patience.String())
	_ = callers.Close() // the one way this fails is that it is closed already
	callers.closeIdle()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = front.Shutdown() // waits until every connection is closed
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-s.idled():
	case <-timer.C:
		s.cutSurvivors()
	}
	// fasthttp closes each connection after its answer. Only connections that hang are
	// reset, because a reset takes unsent bytes away from a slow caller.
	timer.Reset(lastWords)
	select {
	case <-ended:
	case <-timer.C:
		callers.abortAll()
		<-ended
	}
}

// lastWords is the time in which callers may fetch the end of their answer when nothing is in
// flight any more.
const lastWords = 3 * time.Second

var _ io.Reader = (*body)(nil)

// acquire returns the snapshot in force. The caller releases it.
func (s *Server) acquire() *snapshot {
	for {
		if snap := s.snap.Load(); snap.acquire() {
			return snap
		}
	}
}

// Reload reads configuration and indexes again, checks them and only then puts them in force,
// for the requests that begin afterwards. After an error the last good ones stay in force.
// Safe for concurrent use.
func (s *Server) Reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	err := s.reload()
	s.metrics.reloaded(err)
	s.reportReload(s.snap.Load(), err)
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
	renew, err := s.own.renew()
	if err != nil {
		return err
	}
	next, err := newSnapshot(old, cfg, s.opts.Open)
	if err != nil {
		return err
	}
	before := s.own.digests(old)
	renew()
	if fixed := fixedChanges(&old.cfg, &cfg); len(fixed) > 0 {
		s.log.Warn("changed keys take effect after a restart only", "keys", strings.Join(fixed, " "))
	}
	s.warn(&next.cfg)
	s.setLevel(next.cfg.LogLevel)
	s.snap.Store(next)
	s.metrics.snapshot(next)
	s.own.report(&s.services, next, before)
	old.release()
	return nil
}

// setLevel sets the level of the log.
func (s *Server) setLevel(l config.LogLevel) {
	if s.opts.Level != nil {
		s.opts.Level.Set(Level(l))
	}
}

// Level returns the level of a log for that of a configuration.
func Level(l config.LogLevel) slog.Level {
	return [...]slog.Level{
		config.LogInfo: slog.LevelInfo, config.LogDebug: slog.LevelDebug, config.LogWarn: slog.LevelWarn, config.LogError: slog.LevelError,
	}[l]
}

// warn logs the [Warnings] about a configuration.
func (s *Server) warn(cfg *config.Config) {
	for _, w := range Warnings(cfg) {
		s.log.Warn("a part of the configuration is doubtful", "why", w)
	}
}

// fixedChanges returns the changed keys of sockets and stores that live as long as the process.
func fixedChanges(old, now *config.Config) []string {
	var keys []string
	for _, k := range [...]struct {
		name    string
		changed bool
	}{
		{"listen", old.Listen != now.Listen},
		{"listen_mode", old.Socket != now.Socket},
		{"tls", old.TLS != now.TLS},
		{"admin", old.Admin != now.Admin},
		{"admin.console", !reflect.DeepEqual(old.Console, now.Console)},
		{"instance", old.Instance != now.Instance},
		{"principal_key_file", old.PrincipalKeyFile != now.PrincipalKeyFile},
		{"alerts", !reflect.DeepEqual(old.Alerts, now.Alerts)},
		{"audit", old.Audit != now.Audit},
		{"access_log", old.Access != now.Access},
		{"traces", old.Traces != now.Traces},
		{"limits.connections", old.Limits.Connections != now.Limits.Connections},
		{"limits.header", old.Limits.Header != now.Limits.Header},
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

// unshaken counts and logs a handshake of TLS with a caller that has failed.
func (s *Server) unshaken(err error) {
	reason := handshakeReason(err)
	s.metrics.unshaken.WithLabelValues(reason).Inc()
	s.log.Debug("no TLS handshake with a caller", "reason", reason, "error", err.Error())
}

// Check checks a configuration and its indexes as New does, and keeps nothing open. The result
// describes them in a few words.
func Check(cfg config.Config, open func(*config.Config) (Indexes, error)) ([]string, error) {
	if cfg.Admin.TokenFile != "" {
		if _, err := ReadToken(cfg.Admin.TokenFile); err != nil {
			return nil, err
		}
	}
	if cfg.PrincipalKeyFile != "" {
		if _, err := readPrincipalKey(cfg.PrincipalKeyFile); err != nil {
			return nil, err
		}
	}
	if _, err := openCertificates(&cfg); err != nil {
		return nil, err
	}
	snap, err := newSnapshot(nil, cfg, open)
	if err != nil {
		return nil, err
	}
	defer snap.release()
	summary := []string{"mode " + cfg.Mode.String(), fmt.Sprintf("%d words a window", snap.indexes.Spec.N)}
	for _, f := range snap.indexes.Files {
		one := fmt.Sprintf("index %s with %d windows", f.Path, f.Windows)
		if f.Windows == 1 {
			one = strings.TrimSuffix(one, "s")
		}
		if f.KeyID != "" {
			one += ", key " + f.KeyID
		}
		if f.Signed.Key != "" {
			one += fmt.Sprintf(", signed with counter %d", f.Signed.Counter)
		}
		for _, section := range f.Lacks {
			one += "; it lacks " + section + "; build it again"
		}
		summary = append(summary, one)
	}
	for _, path := range snap.otherModels() {
		summary = append(summary, "index "+path+" is signed for another model than model_digest")
	}
	return summary, nil
}

// IndexBytes returns the size of the indexes in force.
func (s *Server) IndexBytes() int64 {
	snap := s.acquire()
	defer snap.release()
	var total int64
	for _, f := range snap.indexes.Files {
		total += f.Bytes
	}
	return total
}
