package proxy

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"noecho/internal/accesslog"
	"noecho/internal/trace"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/relay"
)

// services is the part of a server that its exchanges use. Safe for concurrent use.
type services struct {
	log          *slog.Logger
	alerts       *alert.Log
	access       *accesslog.Log // nil: there is none
	traces       *trace.Tracer  // nil: there is none
	metrics      *metrics
	prompts      *promptCache
	paths        missedPaths
	principalKey []byte    // under which the principals of callers are named
	build        string    // version of noecho
	buffers      sync.Pool // *[]byte of answerBuffer
	bodies       bodies
	relays       relay.Pool
	counted      tallies

	mu       sync.Mutex
	active   map[*link]struct{} // of the exchanges that were admitted and have not ended
	draining bool
	idle     chan struct{} // closed when draining and nothing is active
	looking  bool          // look has seen an exchange
	begun    chan struct{} // of capacity 1: an exchange has begun and look sleeps
}

// answerBuffer is the number of bytes of an answer that are read at a time.
const answerBuffer = 8 << 10

// enter admits an exchange, or returns a refusal and false. limit bounds the exchanges at a
// time.
func (s *services) enter(l *link, limit int) (refusal, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	why, ok := s.room(limit)
	if ok {
		s.active[l] = struct{}{}
		if !s.looking {
			s.looking = true
			s.begun <- struct{}{}
		}
	}
	return why, ok
}

// hasRoom reports whether enter would admit an exchange now. It returns the refusal if not.
func (s *services) hasRoom(limit int) (refusal, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.room(limit)
}

// room is hasRoom for a caller that locks mu.
func (s *services) room(limit int) (refusal, bool) {
	switch {
	case s.draining && s.isIdle():
		return refuseDraining, false
	case len(s.active) >= limit:
		return refuseBusy, false
	}
	return refusal{}, true
}

// look looks at the exchanges in flight until ctx ends. Without any it sleeps.
func (s *services) look(ctx context.Context) {
	timer := time.NewTimer(lookPause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.begun:
		}
		for more := true; more; more = s.lookOnce(time.Now()) {
			timer.Reset(lookPause)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		}
	}
}

// lookOnce looks at every exchange once, and reports whether there is any.
func (s *services) lookOnce(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.active {
		l.look(now)
	}
	s.looking = len(s.active) > 0
	return s.looking
}

// leave ends an admitted exchange.
func (s *services) leave(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.active, l)
	s.closeIdle()
}

// closeIdle closes idle if a draining server has nothing more to do. The caller locks mu.
func (s *services) closeIdle() {
	if s.draining && len(s.active) == 0 && !s.isIdle() {
		close(s.idle)
	}
}

func (s *services) isIdle() bool {
	select {
	case <-s.idle:
		return true
	default:
		return false
	}
}

// drain begins the end of the service: once idled was called and no exchange is active,
// no other is admitted.
func (s *services) drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
}

// idled returns a channel that is closed when no exchange is active any more. Call it
// after drain.
func (s *services) idled() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closeIdle()
	return s.idle
}

// isDraining reports whether drain was called.
func (s *services) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// cutSurvivors ends the answers that a drain cannot wait for any longer.
func (s *services) cutSurvivors() {
	s.mu.Lock()
	survivors := slices.Collect(maps.Keys(s.active))
	s.mu.Unlock()
	s.log.Warn("drain time is over, ending answers", "answers", len(survivors))
	for _, l := range survivors {
		l.cancel(errDraining)
	}
}

// inFlight counts the admitted exchanges.
func (s *services) inFlight() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.active)
}

// buffer returns a buffer of answerBuffer; whoever has it gives it back to reuse.
func (s *services) buffer() *[]byte {
	if b, ok := s.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, answerBuffer)
	return &b
}

// reuse takes a buffer back, unless it is small or large. nil is none.
func (s *services) reuse(b *[]byte) {
	if b == nil {
		return
	}
	if n := cap(*b); n >= answerBuffer && n <= 4*answerBuffer {
		*b = (*b)[:answerBuffer]
		s.buffers.Put(b)
	}
}

// panicked reports a panic that was caught. It leaves out the value, which may quote text.
func (s *services) panicked(_ any, stack []byte) {
	s.metrics.panics.Inc()
	s.log.Error("caught a panic: the request it came from failed", "stack", string(frames(stack)))
}

// frames returns the functions and lines of a stack trace without the values of arguments.
func frames(stack []byte) []byte {
	var out []byte
	for line := range bytes.Lines(stack) {
		if i := bytes.LastIndexByte(line, '('); i > 0 && line[0] != '\t' {
			line = append(bytes.Clone(line[:i]), '\n')
		}
		out = append(out, line...)
	}
	return out
}

// reportStart writes to the log and to the alerts that the server begins, and with which routes
// and indexes.
func (s *services) reportStart(snap *snapshot, data, admin net.Listener) {
	args := []any{"listen", address(data), "clients", clientURL(data.Addr(), &snap.cfg.TLS)}
	if admin != nil {
		args = append(args, "admin", address(admin))
	}
	if u := snap.cfg.Upstream.URL; u != nil {
		args = append(args, "upstream", u.String())
	}
	args = append(args, "mode", snap.cfg.Mode.String(), "words", snap.indexes.Spec.N, "version", s.build)
	s.log.Info("serving", args...)
	for _, f := range snap.indexes.Files {
		s.log.Info("index in force", "path", f.Path, "build_id", f.BuildID, "windows", f.Windows, "bytes", f.Bytes, "key_id", f.KeyID, "key", f.Signed.Key, "counter", f.Signed.Counter)
	}
	for _, r := range snap.cfg.Routes {
		if r.API == passAPI {
			s.log.Info("route open", "path", r.Path, "api", passAPI)
			continue
		}
		api := r.API
		if api == "" {
			api = "by path"
		}
		s.log.Info("route open", "path", r.Path, "api", api, "mode", r.ModeFor("", snap.cfg.Mode).String(), "unscanned", r.Unscanned.String(), "release", r.Release.String())
	}
	s.offerState(snap, alert.TypeStart, "", "")
	s.reportModels(snap)
}

// reportModels reports signed indexes that do not belong to the model of the configuration.
func (s *services) reportModels(snap *snapshot) {
	for _, path := range snap.otherModels() {
		s.log.Error("the index is signed for another model than model_digest", "path", path)
		s.offerState(snap, alert.TypeMismatch, "", "an index is signed for another model than model_digest")
	}
}

// clientURL returns a base URL for clients of the usual SDKs on this host.
func clientURL(addr net.Addr, secure *config.TLS) string {
	scheme := "http"
	if secure.On() {
		scheme = "https"
	}
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return scheme + "://localhost/v1"
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port)) + "/v1"
}

// address returns the address of a listener as a configuration has it.
func address(ln net.Listener) string {
	if unix, ok := ln.Addr().(*net.UnixAddr); ok {
		return "unix:" + unix.Name
	}
	return ln.Addr().String()
}

// reportStop writes to the log and to the alerts that the server has ended, and why.
func (s *services) reportStop(snap *snapshot, err error) {
	reason := "asked to stop"
	if err != nil {
		reason = "listener failed"
		s.log.Error("stopped", "reason", err.Error())
	} else {
		s.log.Info("stopped")
	}
	s.offerState(snap, alert.TypeStop, "", reason)
}

// reportReload writes to the log and to the alerts whether a reload has succeeded. The error may
// name files and keys, so that only the log of the operator has it.
func (s *services) reportReload(snap *snapshot, err error) {
	if err != nil {
		s.log.Error("reload failed, the last good configuration stays in force", "reason", err.Error())
		s.offerState(snap, alert.TypeReload, alert.Failed, "configuration or index refused")
		return
	}
	s.log.Info("reloaded", "generation", snap.generation, "mode", snap.cfg.Mode.String(), "build_id", snap.buildID)
	s.offerState(snap, alert.TypeReload, alert.Applied, "")
	s.reportModels(snap)
}

// offerState offers an event about the server itself.
func (s *services) offerState(snap *snapshot, t alert.Type, a alert.Action, reason string) {
	s.alerts.Offer(alert.Event{
		Type: t, Action: a, Reason: reason,
		Mode: snap.cfg.Mode.String(), Build: s.build, Index: snap.indexName(),
	})
}
