package proxy

import (
	"bytes"
	"net"

	"noecho/proxy/alert"
)

// reportStart says what is protected, once, to people and to the alert log.
func (s *Server) reportStart(data, admin net.Listener) {
	snap := s.snap.Load()
	args := []any{"listen", data.Addr().String()}
	if admin != nil {
		args = append(args, "admin", admin.Addr().String())
	}
	if u := snap.cfg.Upstream.URL; u != nil {
		args = append(args, "upstream", u.String())
	}
	args = append(args, "mode", snap.cfg.Mode.String(), "words", snap.indexes.Spec.N, "version", s.opts.Build)
	s.log.Info("serving", args...)
	for _, f := range snap.indexes.Files {
		s.log.Info("index in force", "path", f.Path, "build_id", f.BuildID, "windows", f.Windows, "bytes", f.Bytes)
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
	s.offerState(alert.TypeStart, "", "")
}

// reportStop says that the server has ended, and how.
func (s *Server) reportStop(err error) {
	reason := "asked to stop"
	if err != nil {
		reason = "listener failed"
		s.log.Error("stopped", "reason", err.Error())
	} else {
		s.log.Info("stopped")
	}
	s.offerState(alert.TypeStop, "", reason)
}

// reportReload says what came of a reload. The error may name files and keys,
// which is for the operator's log and not for the alert.
func (s *Server) reportReload(err error) {
	if err != nil {
		s.log.Error("reload failed, the last good configuration stays in force", "reason", err.Error())
		s.offerState(alert.TypeReload, alert.Failed, "configuration or index refused")
		return
	}
	snap := s.snap.Load()
	s.log.Info("reloaded", "generation", snap.generation, "mode", snap.cfg.Mode.String(), "build_id", snap.buildID)
	s.offerState(alert.TypeReload, alert.Applied, "")
}

// offerState offers an event about the server itself.
func (s *Server) offerState(t alert.Type, a alert.Action, reason string) {
	snap := s.snap.Load()
	s.opts.Alerts.Offer(alert.Event{
		Type: t, Action: a, Reason: reason,
		Mode: snap.cfg.Mode.String(), Build: s.opts.Build, Index: snap.indexName(),
	})
}

// frames keeps the functions and lines of a stack trace and drops the argument
// values.
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
