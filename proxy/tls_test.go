package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/internal/testca"
	"noecho/proxy/config"
)

// secured is an authority with the folder of its files.
type secured struct {
	*testca.Authority
	t   testing.TB
	dir string
}

func newSecured(t testing.TB) *secured { return &secured{testca.New(t), t, t.TempDir()} }

func (s *secured) put(name string, data []byte) string { return testca.Write(s.t, s.dir, name, data) }

// replace writes a new certificate for a server and returns the number by which it is known.
func (s *secured) replace(name string) string {
	p := s.Issue(name)
	s.put("tls.crt", p.Cert)
	s.put("tls.key", p.Key)
	return p.Serial.String()
}

// listener returns the files of a listener.
func (s *secured) listener() config.TLS {
	s.replace("server")
	return config.TLS{CertFile: filepath.Join(s.dir, "tls.crt"), KeyFile: filepath.Join(s.dir, "tls.key")}
}

// single returns the files of a listener whose certificate and key are in one file, which is
// replaced at once: no look sees a part of it, or a certificate without its key, twice.
func (s *secured) single(cert, key []byte) config.TLS {
	name := filepath.Join(s.dir, "tls.pem")
	if err := os.Rename(s.put("next.pem", slices.Concat(cert, key)), name); err != nil {
		s.t.Fatal(err)
	}
	return config.TLS{CertFile: name, KeyFile: name}
}

// client returns what a client of a listener trusts, with a certificate if one is given.
func (s *secured) client(pairs ...testca.Pair) *tls.Config {
	c := &tls.Config{RootCAs: s.Pool(), ServerName: "localhost"}
	if len(pairs) > 0 {
		pair := pairs[0].TLS(s.t)
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}

// trust makes the client of a bed use this configuration.
func (b *bed) trust(c *tls.Config) {
	b.client.CloseIdleConnections()
	b.client.Transport.(*http.Transport).TLSClientConfig = c
}

// dialTLS connects and shakes hands.
func (b *bed) dialTLS(c *tls.Config) *tls.Conn {
	b.t.Helper()
	conn := tls.Client(b.dial(), c)
	if err := conn.Handshake(); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// TestTLS: answers leave as without TLS, in one piece and as streams, and to a client of another
// maker; who speaks no TLS is told so.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	cfg := bedConfig(t, recite(t, says("So it goes: "+secret+". The end.")).URL())
	cfg.TLS = s.listener()
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	b.trust(s.client())
	for range 3 { // on one connection
		for _, ask := range []string{askWhole, askStream} {
			status, _, text, err := b.do("POST", chatPath, ask)
			if err != nil || status != 200 || !strings.HasPrefix(chatText(t, text), "So it goes: [redacted]. The end.[stop]") {
				t.Errorf("%d %q %v", status, text, err)
			}
		}
	}
	if answer := b.raw("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, "this port speaks https only") {
		t.Errorf("%q", answer)
	}
	if answer := b.raw("\x16\x03\x01\x00\x05hello"); strings.Contains(answer, "HTTP") {
		t.Errorf("%q", answer)
	}
	_ = b.dial().Close() // as a load balancer looks
	b.logs.await(t, "no TLS handshake with a caller", `"reason":"plain_http"`)
	b.logs.await(t, "no TLS handshake with a caller", `"reason":"gone"`)
	if n := b.metric("noecho_tls_handshakes_failed_total", `{reason="plain_http"}`); n != 1 {
		t.Errorf("%d handshakes failed because of HTTP, want 1", n)
	}
	b.logs.await(t, `"msg":"serving"`, `"clients":"https://`)
	curl, err := exec.LookPath("curl")
	if err != nil {
		return
	}
	out, err := exec.CommandContext(t.Context(), curl, "-sS", "--max-time", "60", "--cacert", s.put("ca.crt", s.PEM), "-d", askStream, "-H", "Content-Type: application/json", b.url(chatPath)).CombinedOutput()
	if err != nil || !strings.HasPrefix(chatText(t, string(out)), "So it goes: [redacted]. The end.[stop]") {
		t.Errorf("curl: %q %v", out, err)
	}
}

// TestMutualTLS: without a certificate in force of the authority no request is read, and the
// certificate names the user, whatever the headers say.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	revoked := s.Issue("revoked")
	cfg := bedConfig(t, recite(t, says("So it goes: "+secret+". The end.")).URL())
	cfg.TLS = s.listener()
	cfg.TLS.CAFile = s.put("ca.crt", s.PEM)
	cfg.TLS.CRLFile = s.put("ca.crl", s.Revoke(time.Now().Add(time.Hour), revoked))
	cfg.Identify = config.Identify{User: "x-forwarded-user", Certificate: config.NameCommon}
	cfg.PrincipalKeyFile = s.put("key", make([]byte, 32))
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	for name, c := range map[string]*tls.Config{
		"none": s.client(), "strange": s.client(testca.New(t).Issue("robin")), "expired": s.client(s.Issue("robin", testca.Expired)), "revoked": s.client(revoked),
	} {
		b.trust(c)
		if status, _, _, err := b.do("POST", chatPath, askWhole); err == nil || !strings.Contains(err.Error(), "remote error: tls: ") {
			t.Errorf("%s: %d %v", name, status, err)
		}
	}
	for i, name := range []string{"robin", "robin", "kim"} {
		b.trust(s.client(s.Issue(name)))
		status, _, text, err := b.do("POST", chatPath, askWhole, "X-Forwarded-User", "admin", "Authorization", fmt.Sprint("Bearer ", i))
		if err != nil || status != 200 {
			t.Fatalf("%s: %d %q %v", name, status, text, err)
		}
	}
	if n := b.metric("noecho_tls_handshakes_failed_total", `{reason="certificate"}`); n != 4 {
		t.Errorf("%d handshakes failed because of certificates, want 4", n)
	}
	b.stop()
	var got []string
	for _, line := range b.alertLines("finding") {
		got = append(got, fmt.Sprint(line["user"], " ", line["principal"]))
	}
	named, err := Principal(cfg.PrincipalKeyFile, []byte("robin"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0] != "robin "+named || got[1] != got[0] || !strings.HasPrefix(got[2], "kim ") || strings.HasSuffix(got[2], named) {
		t.Errorf("%q", got)
	}
}

func TestCertified(t *testing.T) {
	t.Parallel()
	robin, err := x509.ParseCertificate(testca.New(t).Issue("robin").TLS(t).Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for part, want := range map[config.CertificateName]string{
		config.NameNone: "", config.NameCommon: "robin", config.NameSubject: "CN=robin,O=Test", config.NameDNS: "localhost",
		config.NameEmail: "robin@test.example", config.NameURI: "spiffe://test.example/robin",
	} {
		if got := certified(part, robin); got != want {
			t.Errorf("%s: %q, want %q", part, got, want)
		}
		if got := certified(part, &x509.Certificate{}) + certified(part, nil); got != "" {
			t.Errorf("%s: %q in a certificate without names", part, got)
		}
	}
}

// TestCertificatesReplaced: certificates are replaced 100 times while streams are open. Each
// replacement counts for the next connection; no stream loses a byte.
func TestCertificatesReplaced(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	tick := make(chan struct{})
	cfg := bedConfig(t, paced(t, tick).url())
	cfg.TLS = s.listener()
	cfg.Limits.Streams, cfg.Limits.Silence = 2*replacedStreams, patience
	b := newBed(t, Options{Config: cfg})
	b.trust(s.client())
	var open []*http.Response
	for range replacedStreams {
		open = append(open, b.open())
	}
	snap := b.srv.acquire()
	for i := range 100 {
		want := s.replace(fmt.Sprint("server", i))
		b.srv.own.look(&b.srv.services, snap)
		conn := b.dialTLS(s.client())
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.String(); got != want {
			t.Errorf("replacement %d: certificate %s, want %s", i, got, want)
		}
		_ = conn.Close()
	}
	snap.release()
	for range 2 * replacedStreams {
		tick <- struct{}{}
	}
	close(tick)
	dropped := 0
	for i, resp := range open {
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
			dropped++
			t.Errorf("stream %d: %q %v", i, text, err)
		}
	}
	if n := b.metric("noecho_certificate_reloads_total", `{result="applied",use="listen"}`); n != 100 {
		t.Errorf("%d replacements counted, want 100", n)
	}
	t.Logf("%d streams, 100 replacements, %d dropped", replacedStreams, dropped)
}

// TestBadCertificate: a pair that does not fit is reported once, and the last good one stays in
// force; a reload with it fails.
func TestBadCertificate(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	cfg := bedConfig(t, "http://127.0.0.1:1")
	first, next := s.Issue("first"), s.Issue("good")
	cfg.TLS = s.single(first.Cert, first.Key)
	b := newBed(t, Options{Config: cfg, Reach: time.Millisecond})
	s.single(next.Cert, next.Key)
	good := next.Serial.String()
	b.logs.await(t, "new certificate files are in force", `"use":"listen"`)
	s.single(next.Cert, s.Issue("other").Key)
	b.logs.await(t, "new certificate files are not used", `"use":"listen"`, "does not belong to the certificate")
	if err := b.srv.Reload(); err == nil || !strings.Contains(err.Error(), "does not belong to the certificate") {
		t.Errorf("reload: %v", err)
	}
	conn := b.dialTLS(s.client())
	if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.String(); got != good {
		t.Errorf("certificate %s, want %s", got, good)
	}
	_ = conn.Close()
	end := conn.ConnectionState().PeerCertificates[0].NotAfter
	b.trust(s.client())
	if n := b.metric("noecho_certificate_expiry_timestamp_seconds", `{use="listen"}`); int64(n) != end.Unix() {
		t.Errorf("ends at %d, want %d", n, end.Unix())
	}
	if n := b.metric("noecho_certificate_reloads_total", `{result="failed",use="listen"}`); n != 1 {
		t.Errorf("%d failures, want 1", n)
	}
	b.stop()
	if n := strings.Count(b.alerts.String(), `"certificate files of listen refused"`); n != 1 {
		t.Errorf("%d alerts: %s", n, b.alerts)
	}
}

// TestReloadCertificates: files that a reload brings in force are counted and logged, those of the
// listener and those for upstreams; a reload without new ones reports none.
func TestReloadCertificates(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	cfg := bedConfig(t, "https://127.0.0.1:1")
	cfg.TLS = s.listener()
	cfg.Upstream.TLS.CAFile = s.put("ca.crt", s.PEM)
	b := newBed(t, Options{Config: cfg})
	for i, want := range []uint64{0, 1, 1} {
		if i == 1 {
			s.replace("next")
			s.put("ca.crt", slices.Concat(s.PEM, testca.New(t).PEM))
		}
		if err := b.srv.Reload(); err != nil {
			t.Fatal(err)
		}
		b.trust(s.client())
		for _, use := range []string{useListen, useUpstream} {
			if n := b.metric("noecho_certificate_reloads_total", `{result="applied",use="`+use+`"}`); uint64(n) != want {
				t.Errorf("reload %d: %d of %s counted, want %d", i, n, use, want)
			}
		}
	}
	b.logs.await(t, "new certificate files are in force", `"use":"listen"`)
	b.logs.await(t, "new certificate files are in force", `"use":"upstream"`)
}

// TestCheckCertificates: the check of a configuration finds files that cannot be used.
func TestCheckCertificates(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	expired := s.Issue("x", testca.Expired)
	bad := config.TLS{CertFile: s.put("old.crt", expired.Cert), KeyFile: s.put("old.key", expired.Key)}
	for want, change := range map[string]func(*config.Config){
		"tls.cert_file: the certificate in ":          func(c *config.Config) { c.TLS = bad },
		"admin.tls.cert_file: the certificate in ":    func(c *config.Config) { c.Admin.TLS = bad },
		"upstream.tls.cert_file: the certificate in ": func(c *config.Config) { c.Upstream.TLS = bad },
		"upstream.ca_file: ":                          func(c *config.Config) { c.Upstream.CAFile = bad.KeyFile },
	} {
		cfg := bedConfig(t, "http://127.0.0.1:1")
		change(&cfg)
		if _, err := Check(cfg, secretOpen(t)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestCallerOverTLS: the end of a session is seen while the model says nothing, and a request
// that comes early is answered after the first.
func TestCallerOverTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	begin := make(chan struct{})
	gone := make(chan struct{}, 1)
	up := newScripted(t, func(c *scene) {
		switch {
		case strings.Contains(c.head, "X-Request-Id: silent"):
			c.waitClosed()
			gone <- struct{}{}
		default:
			<-begin
			c.whole(200, "application/json", `{"choices":[]}`)
		}
	})
	cfg := bedConfig(t, up.url())
	cfg.TLS = s.listener()
	b := newBed(t, Options{Config: cfg})
	ask := func(id string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", chatPath, id, len(askWhole), askWhole)
	}
	silent := b.dialTLS(s.client())
	_, _ = io.WriteString(silent, ask("silent"))
	wait(t, up.requests, "the request")
	_ = silent.Close()
	wait(t, gone, "the upstream connection to be closed")

	early := b.dialTLS(s.client())
	_, _ = io.WriteString(early, ask("1"))
	wait(t, up.requests, "the first request")
	b.watched(t)
	_, _ = io.WriteString(early, ask("2"))
	begin <- struct{}{}
	wait(t, up.requests, "the second request")
	begin <- struct{}{}
	in := bufio.NewReader(early)
	for _, id := range []string{"1", "2"} {
		resp, err := http.ReadResponse(in, nil)
		if err != nil || resp.StatusCode != 200 || resp.Header.Get("X-Request-Id") != id {
			t.Fatalf("answer %s: %v %v", id, resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	_ = early.Close()
}

// watched waits until the caller of an exchange is watched.
func (b *bed) watched(t *testing.T) {
	t.Helper()
	for {
		b.srv.mu.Lock()
		for l := range b.srv.active {
			l.mu.Lock()
			seen := l.vigil.watcher != nil
			l.mu.Unlock()
			if seen {
				b.srv.mu.Unlock()
				return
			}
		}
		b.srv.mu.Unlock()
		runtime.Gosched()
	}
}

// TestCutOverTLS: an answer that breaks off ends neither with the last chunk nor, in HTTP/1.0,
// with the end of the session.
func TestCutOverTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	seen := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		c.say(headSSE)
		c.chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n")
		<-seen
		c.reset()
	})
	cfg := bedConfig(t, up.url())
	cfg.TLS = s.listener()
	b := newBed(t, Options{Config: cfg})
	for _, proto := range []string{"1.0", "1.1"} {
		conn := b.dialTLS(s.client())
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/%s\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", chatPath, proto, len(askStream), askStream)
		wait(t, up.requests, "the request")
		seen <- struct{}{}
		text, err := io.ReadAll(conn)
		if proto == "1.0" && err == nil || strings.HasSuffix(string(text), endChunked) || !strings.HasPrefix(string(text), "HTTP/1.1 200") {
			t.Errorf("HTTP/%s: %q %v", proto, text, err)
		}
		_ = conn.Close()
	}
}

// TestUpstreamTLS: noecho shows its certificate to the model server, also a new one, and says in
// words why a server's is not trusted.
func TestUpstreamTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	serve := func(pair testca.Pair, auth tls.ClientAuthType) (*scripted, chan string) {
		names := make(chan string, 16)
		ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
			Certificates: []tls.Certificate{pair.TLS(t)}, ClientCAs: s.Pool(), ClientAuth: auth,
			VerifyConnection: func(cs tls.ConnectionState) error {
				if len(cs.PeerCertificates) > 0 {
					names <- cs.PeerCertificates[0].Subject.CommonName
				}
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return newScriptedOn(t, ln, func(c *scene) { c.whole(200, "application/json", `{"choices":[]}`) }), names
	}
	good, names := serve(s.Issue("model"), tls.RequireAndVerifyClientCert)
	cfg := bedConfig(t, strings.Replace(good.url(), "http:", "https:", 1))
	first := s.Issue("first")
	cfg.Upstream.TLS = config.TLS{CAFile: s.put("ca.crt", s.PEM), CertFile: s.put("c.crt", first.Cert), KeyFile: s.put("c.key", first.Key), Min: config.TLS13}
	b := newBed(t, Options{Config: cfg})
	if status, _, text, err := b.do("POST", chatPath, askWhole); status != 200 || err != nil {
		t.Fatal(status, text, err)
	}
	if name := wait(t, names, "the handshake"); name != "first" {
		t.Errorf("the server saw %s", name)
	}
	second := s.Issue("second")
	s.put("c.crt", second.Cert)
	s.put("c.key", second.Key)
	snap := b.srv.acquire()
	b.srv.own.look(&b.srv.services, snap)
	snap.upstreams[0].close()
	snap.release()
	if status, _, text, err := b.do("POST", chatPath, askWhole); status != 200 || err != nil {
		t.Fatal(status, text, err)
	}
	if name := wait(t, names, "the second handshake"); name != "second" {
		t.Errorf("the server saw %s after the replacement", name)
	}
	if lines, failed := Probe(t.Context(), &cfg); len(lines) != 1 || len(failed) != 0 {
		t.Errorf("probe: %q %v", lines, failed)
	}

	named := func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"model.internal"} }
	for _, tt := range []struct {
		pair testca.Pair
		auth tls.ClientAuthType
		tls  config.TLS
		want string
	}{
		{s.Issue("m", named), tls.NoClientCert, config.TLS{}, "another name"},
		{s.Issue("m", named), tls.NoClientCert, config.TLS{ServerName: "model.internal"}, ""},
		{s.Issue("m", testca.Expired), tls.NoClientCert, config.TLS{}, "expired or not valid yet"},
		{testca.New(t).Issue("m"), tls.NoClientCert, config.TLS{}, "is not trusted"},
		{s.Issue("m"), tls.RequireAndVerifyClientCert, config.TLS{}, "refuses the TLS session"},
	} {
		up, _ := serve(tt.pair, tt.auth)
		cfg := bedConfig(t, strings.Replace(up.url(), "http:", "https:", 1))
		cfg.Upstream.TLS = tt.tls
		cfg.Upstream.TLS.CAFile = s.put("ca.crt", s.PEM)
		b := newBed(t, Options{Config: cfg})
		status, _, text, err := b.do("POST", chatPath, askWhole)
		if (status == 200) != (tt.want == "") || err != nil {
			t.Errorf("%q: %d %s %v", tt.want, status, text, err)
		}
		if tt.want != "" {
			b.logs.await(t, "upstream did not answer", tt.want)
		}
		_, failed := Probe(t.Context(), &cfg)
		if (len(failed) == 0) != (tt.want == "") {
			t.Errorf("%q: probe %v", tt.want, failed)
		}
	}
}

// TestAdminTLS: with an authority all of the admin plane but the probes needs a certificate, and
// the token too if there is one.
func TestAdminTLS(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	cfg := bedConfig(t, "http://127.0.0.1:1")
	cfg.Admin.TLS = s.listener()
	cfg.Admin.TLS.CAFile = s.put("ca.crt", s.PEM)
	for _, token := range []string{"", "0123456789abcdef"} {
		want := 200
		if token != "" {
			cfg.Admin.TokenFile, want = s.put("token", []byte(token)), 401
		}
		b := newBed(t, Options{Config: cfg, Console: func(Operators) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
		}})
		f := func(path string, want int, header ...string) {
			t.Helper()
			if status, text := b.ask("GET", path, header...); status != want {
				t.Errorf("token %q, %s: %d %q, want %d", token, path, status, text, want)
			}
		}
		b.trust(s.client())
		f("/livez", 200)
		f("/readyz", 200)
		f("/metrics", 403, "Authorization", "Bearer "+token)
		f("/console/", 403, "Authorization", "Bearer "+token)
		b.trust(s.client(s.Issue("prometheus")))
		f("/metrics", 200, "Authorization", "Bearer "+token)
		f("/metrics", want)
		f("/console/", 200)
		b.stop()
	}
}

// TestUnixSockets: callers, operators and the model server are reached by sockets; the end of a
// caller is seen while the model says nothing.
func TestUnixSockets(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no unix sockets to test there")
	}
	dir, err := os.MkdirTemp("", "noecho")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ln, err := net.Listen("unix", filepath.Join(dir, "up.sock"))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{}, 1)
	up := newScriptedOn(t, ln, func(c *scene) {
		if strings.Contains(c.head, "X-Request-Id: silent") {
			c.waitClosed()
			gone <- struct{}{}
			return
		}
		c.whole(200, "application/json", `{"choices":[{"index":0,"message":{"content":"So it goes: `+secret+`. The end."},"finish_reason":"stop"}]}`)
	})
	cfg := bedConfig(t, "unix:"+filepath.Join(dir, "up.sock"))
	cfg.Listen, cfg.Admin.Listen = "unix:"+filepath.Join(dir, "data.sock"), "unix:"+filepath.Join(dir, "admin.sock")
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	for range 3 {
		status, _, text, err := b.do("POST", chatPath, askWhole)
		if err != nil || status != 200 || chatText(t, text) != "So it goes: [redacted]. The end.[stop]" {
			t.Errorf("%d %q %v", status, text, err)
		}
	}
	if n := up.accepted(); n != 1 {
		t.Errorf("%d connections to the model server for 3 requests, want 1", n)
	}
	if head := wait(t, up.requests, "a request"); !strings.HasPrefix(head, "POST "+chatPath+" HTTP/1.1\r\n") || !strings.Contains(head, "\r\nHost: localhost\r\n") {
		t.Errorf("%q", head)
	}
	if status, text := b.ask("GET", "/metrics"); status != 200 || !strings.Contains(text, "noecho_index_generation 1") {
		t.Errorf("metrics: %d %.100q", status, text)
	}
	b.logs.await(t, `"msg":"serving"`, `"listen":"unix:`+dir, `"admin":"unix:`+dir, `"upstream":"unix:`+dir)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", b.url(chatPath), strings.NewReader(askWhole))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", "silent")
	asked := make(chan error, 1)
	go func() {
		_, err := b.client.Do(req)
		asked <- err
	}()
	for !strings.Contains(wait(t, up.requests, "the silent request"), "X-Request-Id: silent") {
	}
	cancel()
	wait(t, gone, "the upstream connection to be closed")
	wait(t, asked, "the client to return")
	if lines, failed := Probe(t.Context(), &cfg); len(lines) != 1 || len(failed) != 0 {
		t.Errorf("probe: %q %v", lines, failed)
	}
	b.stop()
	for _, name := range []string{"data.sock", "admin.sock"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}
