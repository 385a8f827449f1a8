package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"noecho/internal/testca"
)

// runCheck runs noecho check on a configuration and returns its exit code and output.
func runCheck(t *testing.T, text string, args ...string) (code int, out string) {
	t.Helper()
	file := testca.Write(t, t.TempDir(), "config.yaml", []byte("version: 1\n"+text))
	var buf bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &buf, stderr: &buf, getenv: func(string) string { return "" }}
	return a.run(t.Context(), append([]string{"check", file}, args...)), buf.String()
}

// TestCheckTransport: check finds certificates and secrets that serve could not use, and --probe
// shows a certificate to the model server.
func TestCheckTransport(t *testing.T) {
	t.Parallel()
	ca, dir, index := testca.New(t), t.TempDir(), testIndex(t)
	put := func(name string, data []byte) string { return testca.Write(t, dir, name, data) }
	pair, other, old := ca.Issue("a"), ca.Issue("b"), ca.Issue("c", testca.Expired)
	cert, key := put("a.crt", pair.Cert), put("a.key", pair.Key)
	base := fmt.Sprintf("index: %s\nupstream: http://127.0.0.1:1\n", index)
	for want, text := range map[string]string{
		"0 ok: mode redact":                         fmt.Sprintf("tls: {cert_file: %s, key_file: %s}\n", cert, key),
		"2 does not belong to the certificate in":   fmt.Sprintf("tls: {cert_file: %s, key_file: %s}\n", cert, put("b.key", other.Key)),
		"2 expired at":                              fmt.Sprintf("admin: {tls: {cert_file: %s, key_file: %s}}\n", put("c.crt", old.Cert), put("c.key", old.Key)),
		"1 read tls.key_file: open":                 fmt.Sprintf("tls: {cert_file: %s, key_file: %s/none}\n", cert, dir),
		"1 read traces.token_file: open":            fmt.Sprintf("traces: {otlp: \"http://127.0.0.1:1\", token_file: %s/none}\n", dir),
		"2 traces.ca_file: ":                        fmt.Sprintf("traces: {otlp: \"http://127.0.0.1:1\", ca_file: %s}\n", key),
		"2 x:2:1: unknown key":                      "sockets: 1\n",
		"0 warning: identify.user is not read":      fmt.Sprintf("tls: {cert_file: %s, key_file: %s, client_ca_file: %s}\nidentify: {user: x-user, certificate: uri}\ntrusted_proxies: [127.0.0.1]\n", cert, key, put("ca.crt", ca.PEM)),
		"2 contains no PEM list of revoked certifi": fmt.Sprintf("tls: {cert_file: %s, key_file: %s, client_ca_file: %s, client_crl_file: %s}\n", cert, key, put("ca.crt", ca.PEM), key),
	} {
		code, out := runCheck(t, base+text)
		exit, phrase, _ := strings.Cut(want, " ")
		if phrase, _ = strings.CutPrefix(phrase, "x:2:1: "); fmt.Sprint(code) != exit || !strings.Contains(out, phrase) {
			t.Errorf("%s: exit %d: %s, want %s", text, code, out, want)
		}
	}
	model := httptest.NewUnstartedServer(http.NotFoundHandler())
	model.TLS = &tls.Config{Certificates: []tls.Certificate{pair.TLS(t)}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert}
	model.Config.ErrorLog = log.New(io.Discard, "", 0)
	model.StartTLS()
	defer model.Close()
	secure := fmt.Sprintf("index: %s\nupstream: {url: %q, tls: {ca_file: %s, cert_file: %s, key_file: %s}}\n", index, model.URL, put("ca.crt", ca.PEM), cert, key)
	if code, out := runCheck(t, secure, "--probe"); code != 0 || !strings.Contains(out, "answers: status 404") {
		t.Errorf("exit %d: %s", code, out)
	}
	anonymous := fmt.Sprintf("index: %s\nupstream: {url: %q, tls: {ca_file: %s}}\n", index, model.URL, put("ca.crt", ca.PEM))
	if code, out := runCheck(t, anonymous, "--probe"); code != 1 || !strings.Contains(out, "certificate required") || strings.Contains(out, "http://") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestPrincipalOfCertificate: the command prints the principal that alerts have for a caller who is
// known by a certificate.
func TestPrincipalOfCertificate(t *testing.T) {
	t.Parallel()
	d, ca := newDesk(t, map[string]string{"hello": "Well: " + hello + "."}), testca.New(t)
	pair, alice := ca.Issue("server"), ca.Issue("alice").TLS(t)
	put := func(name string, data []byte) string { return testca.Write(t, d.dir, name, data) }
	text, err := os.ReadFile(d.path("config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	writeText(t, d.path("tls.yaml"), string(text)+fmt.Sprintf("tls: {cert_file: %s, key_file: %s, client_ca_file: %s}\nidentify: {certificate: common_name}\n",
		put("s.crt", pair.Cert), put("s.key", pair.Key), put("ca.crt", ca.PEM)))
	started, _, stop := startServe(t, nil, "--config", d.path("tls.yaml"))
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{alice},
	}}}
	resp, err := client.Post(started["clients"].(string)+"/chat/completions", "application/json", strings.NewReader(`{"model":"hello","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	stop()
	code, out, errs := runApp(t, "alice\n", "principal", "--key-file", d.path("principal.key"), "--certificate")
	got := d.findings(0)
	if len(got) != 1 || code != exitOK || got[0].User != "alice" || got[0].Principal+"\n" != out {
		t.Errorf("%d %s%s: %+v", code, out, errs, got)
	}
	if code, _, _ := runApp(t, "alice\n", "principal", "--key-file", d.path("principal.key"), "--certificate", "--header", "x"); code == exitOK {
		t.Error("a certificate in a header is accepted")
	}
}

// TestServeSockets runs the command on unix sockets, with an access log: a second one on the same
// socket does not start, and nothing is left at the end.
func TestServeSockets(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode there")
	}
	dir, err := os.MkdirTemp("", "noecho")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, logged := filepath.Join(dir, "data.sock"), filepath.Join(dir, "access.jsonl")
	file := testca.Write(t, t.TempDir(), "config.yaml", fmt.Appendf(nil,
		"version: 1\nlisten: unix:%s\nlisten_mode: 0660\nadmin: {listen: \"unix:%s/admin.sock\"}\nindex: %s\nupstream: %q\naccess_log: %s\n",
		socket, dir, testIndex(t), startModel(t, "Nothing to see here.").URL(), logged))
	_, _, stop := startServe(t, nil, "--config", file, "--log-level", "debug", "--alerts", filepath.Join(dir, "alerts.jsonl"))
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v %v", info, err)
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	resp, err := client.Post("http://localhost/v1/chat/completions", "application/json", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(text), "Nothing to see here.") {
		t.Errorf("%q %v", text, err)
	}
	var second bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &second, getenv: func(string) string { return "" }}
	args := []string{"serve", "--log-level", "warn", "--config", file, "--admin", "127.0.0.1:0", "--alerts", filepath.Join(dir, "second.jsonl")}
	if code := a.run(t.Context(), args); code != exitFailure || !strings.Contains(second.String(), "another program uses it; choose another with --listen") || strings.Contains(second.String(), "INFO") {
		t.Errorf("exit %d: %s", code, second.String())
	}
	stop()
	lines, err := os.ReadFile(logged)
	if err != nil || strings.Count(string(lines), "\n") != 1 || !strings.Contains(string(lines), `"status":200`) {
		t.Errorf("%q %v", lines, err)
	}
	for _, name := range []string{"data.sock", "admin.sock"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}
