package proxy

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"noecho/proxy/config"
)

// minToken is the length of the shortest accepted token, in bytes.
const minToken = 16

// adminPlane answers operators, on a listener of its own.
type adminPlane struct {
	srv    *Server
	ln     net.Listener
	http   *http.Server
	digest [sha256.Size]byte // of the token
	access access
	certs  bool       // a certificate is needed, whatever access says
	failed chan error // gets the error that ended the listener before close was called
}

// access says which operators may use the admin plane.
type access uint8

const (
	accessToken       access = iota // those that send the token
	accessLocal                     // all: it listens on loopback only
	accessProbes                    // none: there is no token, so that it answers probes only
	accessCertificate               // those with a certificate
)

// newAdminPlane prepares the admin plane. Beyond loopback all of it but the probes needs the
// token, and is closed if there is no token file.
func newAdminPlane(s *Server, ln net.Listener, cfg config.Admin) (*adminPlane, error) {
	p := &adminPlane{srv: s, ln: ln, failed: make(chan error, 1), certs: cfg.TLS.CAFile != ""}
	if s.own.admin != nil {
		p.ln = tls.NewListener(ln, s.own.admin.Server())
	}
	var token []byte
	switch {
	case cfg.TokenFile != "":
		var err error
		if token, err = ReadToken(cfg.TokenFile); err != nil {
			return nil, err
		}
		p.digest = sha256.Sum256(token)
	case IsLoopback(ln.Addr()):
		p.access = accessLocal
	case cfg.TLS.CAFile != "":
		p.access = accessCertificate
	default:
		p.access = accessProbes
		s.log.Warn("admin plane answers probes only: it listens beyond loopback and admin.token_file is not set")
	}
	routes := p.routes()
	if s.opts.Console != nil {
		console := p.certified(s.opts.Console(Operators{Token: token, Local: IsLoopback(ln.Addr())}))
		routes.Handle("/console", console)
		routes.Handle("/console/", console)
	}
	p.http = &http.Server{
		Handler:           routes,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	return p, nil
}

// ReadToken reads the token of operators from a file.
func ReadToken(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read admin.token_file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if len(token) < minToken || strings.ContainsAny(token, " \t\r\n") {
		return nil, fmt.Errorf("admin.token_file %s: want one token of at least %d characters without spaces", name, minToken)
	}
	return []byte(token), nil
}

// IsLoopback reports whether only users of this machine can reach an address.
func IsLoopback(addr net.Addr) bool {
	if _, ok := addr.(*net.UnixAddr); ok {
		return true
	}
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func (p *adminPlane) serve() {
	if err := p.http.Serve(p.ln); !errors.Is(err, http.ErrServerClosed) {
		p.failed <- fmt.Errorf("admin plane: %w", err)
	}
}

func (p *adminPlane) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.http.Shutdown(ctx) != nil {
		_ = p.http.Close()
	}
}

// Operators says how the admin plane recognises operators.
type Operators struct {
	Token []byte // that they show; nil: none
	Local bool   // the admin plane listens on loopback only
}

// routes is the table of the admin plane.
func (p *adminPlane) routes() *http.ServeMux {
	guarded := http.NewServeMux()
	guarded.HandleFunc("GET /healthz", p.health)
	guarded.HandleFunc("GET /version", p.version)
	guarded.HandleFunc("POST /-/reload", p.reload)
	guarded.Handle("GET /metrics", promhttp.HandlerFor(p.srv.metrics.registry, promhttp.HandlerOpts{}))
	guarded.HandleFunc("GET /debug/pprof/", pprof.Index)
	guarded.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	guarded.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	guarded.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", p.ready)
	// A page in the browser of an operator must not be able to use a listener on loopback.
	mux.Handle("/", http.NewCrossOriginProtection().Handler(p.certified(p.authorised(guarded))))
	return mux
}

// certified calls next for those that show a certificate, if one is needed.
func (p *adminPlane) certified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.certs && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0) {
			reply(w, http.StatusForbidden, "show a certificate of admin.tls.client_ca_file")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authorised calls next for the operators that may use the admin plane.
func (p *adminPlane) authorised(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p.access {
		case accessCertificate:
		case accessLocal:
			if host := hostOnly(r.Host); host != "localhost" && !net.ParseIP(host).IsLoopback() {
				reply(w, http.StatusForbidden, "ask for the admin plane by a loopback address")
				return
			}
		case accessProbes:
			reply(w, http.StatusForbidden, "set admin.token_file to open the admin plane beyond loopback")
			return
		default:
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			digest := sha256.Sum256([]byte(token))
			if !ok || subtle.ConstantTimeCompare(digest[:], p.digest[:]) != 1 {
				w.Header().Set("WWW-Authenticate", "Bearer")
				reply(w, http.StatusUnauthorized, "show the token of admin.token_file as a bearer token")
				return
			}
		}
		if p.srv.snap.Load() == nil {
			reply(w, http.StatusServiceUnavailable, p.starting())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// starting says what keeps a server that starts from answering callers.
func (p *adminPlane) starting() string {
	if opened := p.srv.opts.Opened; opened != nil && p.srv.snap.Load() == nil {
		return fmt.Sprintf("checking index, %d %%", opened())
	}
	return "starting"
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

func (p *adminPlane) ready(w http.ResponseWriter, _ *http.Request) {
	if p.srv.isDraining() {
		reply(w, http.StatusServiceUnavailable, "draining")
		return
	}
	select {
	case <-p.srv.ready:
		reply(w, http.StatusOK, "ok")
	default:
		reply(w, http.StatusServiceUnavailable, p.starting())
	}
}

// health returns more than a probe needs, and needs the token.
func (p *adminPlane) health(w http.ResponseWriter, _ *http.Request) {
	snap := p.srv.acquire()
	defer snap.release()
	status := "ok"
	if p.srv.isDraining() {
		status = "draining"
	}
	replyJSON(w, map[string]any{
		"status": status, "mode": snap.cfg.Mode.String(), "generation": snap.generation,
		"build_id": snap.buildID, "in_flight": p.srv.inFlight(),
	})
}

func (p *adminPlane) version(w http.ResponseWriter, _ *http.Request) {
	replyJSON(w, map[string]any{"version": p.srv.build})
}

// reload answers with the error: an operator that may reload may read the configuration.
func (p *adminPlane) reload(w http.ResponseWriter, _ *http.Request) {
	if err := p.srv.Reload(); err != nil {
		reply(w, http.StatusUnprocessableEntity, "the last good configuration stays in force: "+err.Error())
		return
	}
	reply(w, http.StatusOK, "reloaded")
}

func reply(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

func replyJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
