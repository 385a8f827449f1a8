package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// TestOutputsPage: every block of YAML on the page is a configuration.
func TestOutputsPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/outputs.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) < 2 {
		t.Fatalf("the page has %d blocks", len(blocks))
	}
	for _, b := range blocks {
		if _, err := config.Load("outputs.md", append([]byte("version: 1\n"), b[1]...)); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
	}
}

// receiverOf returns a server that keeps the bodies of all requests, and its configuration.
func receiverOf(t *testing.T, format string) (cfg *config.Config, bodies func() [][]byte) {
	t.Helper()
	var mu sync.Mutex
	var all [][]byte
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Get("authorization") != "Bearer T0KEN" || r.URL.RawQuery != "key=S3CRET" {
			t.Errorf("%s with %v", r.URL, r.Header)
		}
		all = append(all, body)
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	for name, text := range map[string]string{"url": srv.URL + "/hook?key=S3CRET\n", "token": "T0KEN"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg = &config.Config{Instance: "pod-0", Alerts: []config.Alert{{Type: config.AlertWebhook, Format: format, Receiver: config.Receiver{
		URLFile: filepath.Join(dir, "url"), TokenFile: "env:TOKEN", Spool: filepath.Join(dir, "spool"),
	}}}}
	return cfg, func() [][]byte {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func testApp(errs *bytes.Buffer) *app {
	return &app{stdout: io.Discard, stderr: errs, getenv: func(name string) string { return map[string]string{"TOKEN": "T0KEN"}[name] }}
}

// TestAlertsTest: a webhook gets one event of each type in its format, and nothing is left in
// the spool, which another process may own.
func TestAlertsTest(t *testing.T) {
	t.Parallel()
	for _, format := range config.AlertFormats(config.AlertWebhook) {
		format = strings.TrimPrefix(format, "native") // as the configuration gives it
		var errs bytes.Buffer
		cfg, bodies := receiverOf(t, format)
		spool := cfg.Alerts[0].Receiver.Spool
		if err := testAlerts(t.Context(), testApp(&errs), cfg); err != nil {
			t.Error(err)
		}
		if got := len(bodies()); got != len(alert.Types()) || !strings.Contains(errs.String(), ": 12 events of 12 written") || strings.Contains(errs.String(), "S3CRET") {
			t.Errorf("%s: %d events, %s", format, got, errs.String())
		}
		for _, b := range bodies() {
			if !json.Valid(b) {
				t.Errorf("%s: %s", format, b)
			}
		}
		if _, err := os.Stat(spool); err == nil {
			t.Error("the test has made a spool")
		}
	}
}

// TestWebhookSink: events of a proxy reach a webhook through its spool.
func TestWebhookSink(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	cfg, bodies := receiverOf(t, "native")
	cfg.Alerts = append(cfg.Alerts, cfg.Alerts[0])
	cfg.Alerts[1].Receiver.Spool += "-2"
	cfg.Alerts[1].Receiver.MinSeverity = "high"
	a := testApp(&errs)
	if err := checkSinks(cfg, a.getenv); err != nil {
		t.Fatal(err)
	}
	log, err := openAlerts(t.Context(), cfg, a.stdout, a.getenv, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		log.Offer(alert.Event{Type: alert.TypeFinding, Kind: alert.Verbatim, Words: 60})
		log.Offer(alert.Event{Type: alert.TypeFinding, Kind: alert.Verbatim, Words: 1})
	}
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	stats := log.Stats()
	if s := stats.Sinks[0]; s.Delivered != 21 || s.Lost+s.Queued+s.Skipped != 0 || !strings.HasPrefix(s.Name, "webhook 127.0.0.1:") {
		t.Errorf("%+v", s)
	}
	if s := stats.Sinks[1]; s.Delivered != 10 || s.Skipped != 11 || s.Name != stats.Sinks[0].Name+" 2" {
		t.Errorf("%+v", s)
	}
	if n := len(bodies()); n != 31 {
		t.Errorf("%d requests", n)
	}
}

// TestOtherReceivers: syslog and a collector get one event of each type, and check --probe says
// which receivers accept connections.
func TestOtherReceivers(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	messages := make(chan int)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		text, _ := io.ReadAll(conn)
		messages <- bytes.Count(text, []byte(` noecho `))
	}()
	var records atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		records.Add(int64(bytes.Count(body, []byte("noecho.id"))))
	}))
	defer srv.Close()
	var cfg config.Config
	for kind, address := range map[config.AlertType]string{config.AlertSyslog: "tcp://" + listener.Addr().String(), config.AlertOTLP: srv.URL + "/v1/logs"} {
		u, err := config.ParseReceiver(address)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Alerts = append(cfg.Alerts, config.Alert{Type: kind, Receiver: config.Receiver{URL: u}})
	}
	var errs, out bytes.Buffer
	if err := testAlerts(t.Context(), testApp(&errs), &cfg); err != nil {
		t.Fatal(err)
	}
	if got := <-messages; got != 12 || records.Load() != 12 {
		t.Errorf("%d messages, %d records: %s", got, records.Load(), errs.String())
	}
	a := testApp(&errs)
	a.stdout = &out
	if err := probeSinks(t.Context(), a, &cfg); err != nil || strings.Count(out.String(), "accepts connections") != 2 {
		t.Errorf("%v, %s", err, out.String())
	}
	_ = listener.Close()
	for i := range cfg.Alerts {
		if cfg.Alerts[i].Type == config.AlertSyslog {
			named := cfg
			named.Alerts = []config.Alert{cfg.Alerts[i]}
			named.Alerts[0].Name = "siem"
			if err := probeSinks(t.Context(), a, &named); err == nil || !strings.HasPrefix(err.Error(), "alerts to siem at 127.0.0.1:") {
				t.Error(err)
			}
			named.Alerts[0].Receiver.TokenFile = "env:NONE"
			for _, err := range []error{probeSinks(t.Context(), a, &named), checkSinks(&named, a.getenv)} {
				if err == nil || !strings.HasPrefix(err.Error(), "alerts to siem: env:NONE ") {
					t.Error(err)
				}
			}
		}
	}
	if err := probeSinks(t.Context(), a, &cfg); err == nil || !strings.Contains(err.Error(), "alerts to a syslog at 127.0.0.1:") {
		t.Error(err)
	}
}

// TestFormatOfFile: a file has events in the format that its sink names, and the audit log wants
// the first one as it is.
func TestFormatOfFile(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	dir := t.TempDir()
	cfg := &config.Config{}
	for _, format := range []string{"", "ocsf", "ecs"} {
		cfg.Alerts = append(cfg.Alerts, config.Alert{Format: format, Path: filepath.Join(dir, "a."+format)})
	}
	if err := testAlerts(t.Context(), testApp(&errs), cfg); err != nil {
		t.Fatal(err)
	}
	for name, member := range map[string]string{"a.": `{"v":1,`, "a.ocsf": `{"activity_id":`, "a.ecs": `{"@timestamp":`} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.Count(string(text), member) != 12 {
			t.Errorf("%s: %v, %s", name, err, text)
		}
	}
	cfg.Audit.Dir = filepath.Join(dir, "log")
	cfg.Alerts = cfg.Alerts[1:]
	if err := checkSinks(cfg, testApp(&errs).getenv); err == nil || !strings.Contains(err.Error(), "format native first") {
		t.Error(err)
	}
	if _, err := openAlerts(t.Context(), cfg, io.Discard, testApp(&errs).getenv, nil); err == nil || !strings.Contains(err.Error(), "format native first") {
		t.Error(err)
	}
}

// TestSecrets: a secret that is absent, empty or readable for all is an error without it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"open": 0o644, "good": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("ftp://S3CRET"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "two"), []byte("S3CRET\nx"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, r := range []config.Receiver{
		{URLFile: filepath.Join(dir, "good")},
		{URLFile: filepath.Join(dir, "open")},
		{URLFile: "env:ABSENT"},
		{TokenFile: filepath.Join(dir, "two")},
		{TokenFile: filepath.Join(dir, "none")},
		{CAFile: filepath.Join(dir, "good")},
		{CertFile: filepath.Join(dir, "good"), CertKeyFile: filepath.Join(dir, "good")},
	} {
		cfg := &config.Config{Alerts: []config.Alert{{Type: config.AlertWebhook, Receiver: r}}}
		var errs bytes.Buffer
		if err := checkSinks(cfg, testApp(&errs).getenv); err == nil || strings.Contains(err.Error(), "S3CRET") {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
