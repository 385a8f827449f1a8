package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"noecho/detect"
	"noecho/internal/fakellm"
	"noecho/internal/windowset"
	"noecho/ngram"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

func TestAdmin(t *testing.T) {
	t.Parallel()
	b := newBed(t, Options{Config: bedConfig(t, "http://127.0.0.1:1")})
	for _, tt := range []struct {
		method, path string
		status       int
		text         string
	}{
		{"GET", "/livez", 200, "ok"},
		{"GET", "/readyz", 200, "ok"},
		{"GET", "/healthz", 200, `"status":"ok"`},
		{"GET", "/version", 200, `"version":"test"`},
		{"GET", "/metrics", 200, "noecho_index_generation 1"},
		{"POST", "/-/reload", 200, "reloaded"},
		{"GET", "/-/reload", 405, ""},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/v1/models", 404, ""},
	} {
		if status, text := b.ask(tt.method, tt.path); status != tt.status || !strings.Contains(text, tt.text) {
			t.Errorf("%s %s: %d %.200q, want %d %q", tt.method, tt.path, status, text, tt.status, tt.text)
		}
	}
	if status, _ := b.ask("POST", "/-/reload", "Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"); status != 403 {
		t.Errorf("a foreign page may reload: %d", status)
	}
	if n := b.metric("noecho_index_generation", ""); n != 2 {
		t.Errorf("generation %d, want 2", n)
	}
}

func TestAdminToken(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := bedConfig(t, "http://127.0.0.1:1")
	cfg.Admin.TokenFile = name
	b := newBed(t, Options{Config: cfg})
	f := func(path, authorization string, want int) {
		t.Helper()
		if status, _ := b.ask("GET", path, "Authorization", authorization); status != want {
			t.Errorf("%s with %q: %d, want %d", path, authorization, status, want)
		}
	}
	f("/livez", "", 200)
	f("/readyz", "", 200)
	f("/metrics", "", 401)
	f("/metrics", "Bearer 0123456789abcdef", 200)
	f("/metrics", "Bearer 0123456789abcdeg", 401)
	f("/metrics", "0123456789abcdef", 401)
	f("/debug/pprof/", "Bearer ", 401)
}

// TestAdminBeyondLoopback: without a token the admin plane answers only probes.
func TestAdminBeyondLoopback(t *testing.T) {
	t.Parallel()
	b := newBed(t, Options{Config: bedConfig(t, "http://127.0.0.1:1")})
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := newAdminPlane(b.srv, ln, config.Admin{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.serve()
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	b.admin = "127.0.0.1:" + port
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/metrics": 403, "/healthz": 403, "/debug/pprof/": 403} {
		if status, _ := b.ask("GET", path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	p.close()
	wait(t, served, "the plane to end")
	select {
	case err := <-p.failed:
		t.Error(err)
	default:
	}
}

// TestAdminWhileStarting: probes are answered while the indexes are checked, and say how much
// of them is.
func TestAdminWhileStarting(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	alerts, err := alert.Open(alert.Options{})
	if err != nil {
		t.Fatal(err)
	}
	checking, fail, made := make(chan struct{}), make(chan error), make(chan error, 1)
	go func() {
		_, err := New(Options{
			Config: bedConfig(t, "http://127.0.0.1:1"), Admin: ln, Alerts: alerts, Log: slog.New(slog.DiscardHandler),
			Opened: func() int { return 41 },
			Open: func(*config.Config) (Indexes, error) {
				close(checking)
				return Indexes{}, <-fail
			},
		})
		made <- err
	}()
	wait(t, checking, "the indexes to be opened")
	b := &bed{t: t, admin: ln.Addr().String(), client: &http.Client{}}
	for path, want := range map[string]string{
		"/livez": "200 ok\n", "/readyz": "503 checking index, 41 %\n", "/metrics": "503 checking index, 41 %\n", "/healthz": "503 checking index, 41 %\n",
	} {
		if status, text := b.ask("GET", path); fmt.Sprintf("%d %s", status, text) != want {
			t.Errorf("%s: %d %q, want %q", path, status, text, want)
		}
	}
	b.client.CloseIdleConnections()
	broken := errors.New("index is damaged")
	fail <- broken
	if err := wait(t, made, "New to fail"); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		_ = conn.Close()
		t.Error("the admin plane of a server that failed still listens")
	}
	if err := alerts.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestShortTokenRefused(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"", "short", "0123456789 abcdef"} {
		name := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(name, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := bedConfig(t, "http://127.0.0.1:1")
		cfg.Admin.TokenFile = name
		if _, err := Check(cfg, secretOpen(t)); err == nil || !strings.Contains(err.Error(), "at least 16") {
			t.Errorf("%q: %v", token, err)
		}
	}
}

// paced is an upstream that streams one event for every tick.
func paced(t *testing.T, tick <-chan struct{}) *scripted {
	return newScripted(t, func(c *scene) {
		c.say(headSSE)
		for range tick {
			c.chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n")
		}
		c.chunk("data: [DONE]\n\n")
		c.say(endChunked)
	})
}

// open begins a streamed chat and returns when its head has come.
func (b *bed) open() *http.Response {
	b.t.Helper()
	resp, err := b.client.Post(b.url(chatPath), "application/json", strings.NewReader(askStream))
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

func TestDrain(t *testing.T) {
	t.Parallel()
	tick := make(chan struct{})
	b := newBed(t, Options{Config: bedConfig(t, paced(t, tick).url())})
	const streams = 20
	var open []*http.Response
	for range streams {
		open = append(open, b.open())
	}
	idle := b.dial() // a connection without a request
	stopped := make(chan struct{})
	go func() {
		b.stop()
		close(stopped)
	}()
	// When the idle connection is closed, the drain has begun.
	if _, err := io.ReadAll(idle); err != nil {
		t.Errorf("idle connection: %v", err)
	}
	if status, _ := b.ask("GET", "/readyz"); status != 503 {
		t.Errorf("readyz says %d while draining", status)
	}
	if conn, err := net.Dial("tcp", b.data); err == nil {
		_ = conn.Close()
		t.Error("new connections are taken while draining")
	}
	select {
	case <-stopped:
		t.Fatal("stopped although answers are in flight")
	default:
	}
	for range streams {
		tick <- struct{}{}
	}
	close(tick)
	for i, resp := range open {
		text, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
			t.Errorf("stream %d was cut: %q %v", i, text, err)
		}
		_ = resp.Body.Close()
	}
	wait(t, stopped, "the end")
	if lines := b.alertLines("stop"); len(lines) != 1 {
		t.Errorf("alerts %v", lines)
	}
}

// TestDrainLimit: answers that are cut at the end of the drain say so.
func TestDrainLimit(t *testing.T) {
	t.Parallel()
	tick := make(chan struct{})
	cfg := bedConfig(t, paced(t, tick).url())
	defer close(tick)
	cfg.Limits.Drain = time.Millisecond
	b := newBed(t, Options{Config: cfg})
	resp := b.open()
	defer func() { _ = resp.Body.Close() }()
	go b.stop()
	text, err := io.ReadAll(resp.Body)
	if err == nil || !strings.Contains(string(text), `"code":"proxy_stopping"`) || strings.Contains(string(text), "[DONE]") {
		t.Errorf("%q %v", text, err)
	}
	b.stop()
}

// closable is an index that must not be used after it was closed.
type closable struct {
	windowset.Index
	closed atomic.Bool
	used   *atomic.Bool // it was used after it was closed
}

func (c *closable) Window(ngram.Hash) bool { return c.Gate2(ngram.Hash{}) }
func (c *closable) Gate4(ngram.Hash) bool  { return c.Gate2(ngram.Hash{}) }
func (c *closable) Gate2(ngram.Hash) bool {
	if c.closed.Load() {
		c.used.Store(true)
	}
	return false
}

// TestReloadUnderLoad: an index stays open until its last reader is done, every index is closed
// in the end, and no answer fails.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	var opened, closed atomic.Int64
	var used atomic.Bool
	b := newBed(t, Options{
		Config: bedConfig(t, recite(t, says(strings.Repeat("many words go by here ", 40))).URL()),
		Open: func(*config.Config) (Indexes, error) {
			opened.Add(1)
			set := &closable{used: &used}
			return Indexes{Set: set, Spec: testSpec(t), Close: func() error {
				if set.closed.Swap(true) {
					return errors.New("closed twice")
				}
				closed.Add(1)
				return nil
			}}, nil
		},
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 15 {
				if status, _, text, err := b.do("POST", chatPath, askStream); err != nil || status != 200 || !strings.HasSuffix(text, "[DONE]\n\n") {
					t.Errorf("%d %.100q %v", status, text, err)
				}
			}
		})
	}
	const reloads = 50
	for range reloads {
		if err := b.srv.Reload(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if n := opened.Load() - closed.Load(); n != 1 {
		t.Errorf("%d generations are open, want 1", n)
	}
	b.stop()
	if opened.Load() != reloads+1 || closed.Load() != reloads+1 || used.Load() {
		t.Errorf("opened %d, closed %d, used after closing %v", opened.Load(), closed.Load(), used.Load())
	}
}

// TestReloadKeepsLastGood: after any error in a reload the last configuration stays in force.
func TestReloadKeepsLastGood(t *testing.T) {
	t.Parallel()
	good := bedConfig(t, recite(t, says("So: "+secret+".")).URL())
	var fail error
	next := good
	open := secretOpen(t)
	b := newBed(t, Options{
		Config: good,
		Reload: func() (config.Config, error) { return next, fail },
		Open: func(cfg *config.Config) (Indexes, error) {
			if cfg.Index[0].Path == "broken" {
				return Indexes{}, errors.New("index is damaged")
			}
			return open(cfg)
		},
	})
	works := func() {
		t.Helper()
		if _, _, text, err := b.do("POST", chatPath, askWhole); err != nil || chatText(t, text) != "So: [redacted].[stop]" {
			t.Errorf("%q %v", text, err)
		}
	}
	broken := []struct {
		name string
		cfg  func(*config.Config)
		err  error
	}{
		{"unreadable file", func(*config.Config) {}, errors.New("config.yaml:3:1: unknown key")},
		{"damaged index", func(c *config.Config) { c.Index = []config.Index{{Path: "broken"}} }, nil},
		{"unknown api", func(c *config.Config) { c.Routes = []config.Route{{Path: "/x", API: "none"}} }, nil},
		{"min_words below n", func(c *config.Config) { c.Routes = []config.Route{{Path: "/", MinWords: 4}} }, nil},
		{"missing certificates", func(c *config.Config) {
			u := *c.Upstream.URL
			u.Scheme = "https"
			c.Upstream = config.Upstream{URL: &u, CAFile: "/does/not/exist"}
		}, nil},
		{"no upstream", func(c *config.Config) { c.Upstream.URL = nil }, nil},
	}
	for _, bad := range broken {
		next, fail = good, bad.err
		bad.cfg(&next)
		if status, text := b.ask("POST", "/-/reload"); status != 422 || !strings.Contains(text, "last good") {
			t.Errorf("%s: %d %q", bad.name, status, text)
		}
		works()
		if b.metric("noecho_config_last_reload_successful", "") != 0 || b.metric("noecho_index_generation", "") != 1 {
			t.Errorf("%s: was put in force", bad.name)
		}
	}
	next, fail = good, nil
	next.Mask = "***"
	if status, text := b.ask("POST", "/-/reload"); status != 200 {
		t.Errorf("%d %q", status, text)
	}
	if _, _, text, err := b.do("POST", chatPath, askWhole); err != nil || chatText(t, text) != "So: ***.[stop]" {
		t.Errorf("%q %v", text, err)
	}
	b.stop()
	lines := b.alertLines("reload")
	if len(lines) != len(broken)+1 || lines[0]["action"] != "failed" || lines[len(broken)]["action"] != "applied" {
		t.Errorf("alerts %v", lines)
	}
}

// TestReloadRefusesOlderIndexes: no index that was signed before another one of the same path, or
// one that is not named any more, comes into force. Neither does a reload that fails set a mark.
func TestReloadRefusesOlderIndexes(t *testing.T) {
	t.Parallel()
	next := bedConfig(t, recite(t, says("So.")).URL())
	next.Trust = config.Trust{Keys: []string{"K"}, Model: "00ff"}
	signed := map[string]Signature{"a": {Key: "K", Counter: 5, Model: "00ff"}, "b": {Key: "K", Counter: 9, Model: "00ff"}}
	open := secretOpen(t)
	next.Index = []config.Index{{Path: "a"}, {Path: "b"}}
	b := newBed(t, Options{Config: next, Reload: func() (config.Config, error) { return next, nil }, Open: func(cfg *config.Config) (Indexes, error) {
		x, err := open(cfg)
		x.Files = nil
		for _, f := range cfg.Index {
			x.Files = append(x.Files, IndexInfo{Path: f.Path, Signed: signed[f.Path]})
		}
		return x, err
	}})
	for i, step := range []struct {
		paths string
		sign  map[string]uint64 // new counters
		want  int
	}{
		{"a b", map[string]uint64{"a": 4}, 422},
		{"a b", map[string]uint64{"a": 5}, 200},
		{"a b", map[string]uint64{"a": 7}, 200},
		{"a b", map[string]uint64{"a": 6}, 422},
		{"b c", map[string]uint64{"c": 6}, 422}, // a, of 7, is not named any more
		{"b c", map[string]uint64{"c": 7}, 200},
		{"b a", map[string]uint64{"a": 6}, 422}, // a was served with 7
		{"b a d", map[string]uint64{"a": 7, "d": 1}, 422},
		{"b c d", map[string]uint64{"d": 1}, 200}, // one more
		{"b c", nil, 200},
	} {
		next.Index = nil
		for path := range strings.FieldsSeq(step.paths) {
			next.Index = append(next.Index, config.Index{Path: path})
			if n := step.sign[path]; n > 0 {
				signed[path] = Signature{Key: "K", Counter: n, Model: "00ff"}
			}
		}
		if status, text := b.ask("POST", "/-/reload"); status != step.want {
			t.Errorf("step %d: %d %q", i, status, text)
		}
	}
	signed["c"] = Signature{Key: "K", Counter: 8, Model: "0000"}
	if status, text := b.ask("POST", "/-/reload"); status != 200 {
		t.Errorf("%d %q", status, text)
	}
	b.stop()
	if lines := b.alertLines("model_mismatch"); len(lines) != 1 || lines[0]["severity"] != "high" {
		t.Errorf("alerts %v", lines)
	}
}

// TestReloadPinsRequest: a stream uses the configuration under which it began to its end.
func TestReloadPinsRequest(t *testing.T) {
	t.Parallel()
	tick := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		c.say(headSSE)
		c.chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"So: \"}}]}\n\n")
		<-tick
		c.chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + secret + ".\"},\"finish_reason\":\"stop\"}]}\n\n")
		c.say(endChunked)
	})
	empty := Indexes{Set: noSet{}, Spec: testSpec(t)}
	open := secretOpen(t)
	first := true
	b := newBed(t, Options{Config: bedConfig(t, up.url()), Open: func(asked *config.Config) (Indexes, error) {
		if first {
			first = false
			return open(asked)
		}
		return empty, nil
	}})
	resp := b.open()
	defer func() { _ = resp.Body.Close() }()
	if err := b.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	close(tick)
	text, err := io.ReadAll(resp.Body)
	if err != nil || chatText(t, string(text)) != "So: [redacted].[stop]" {
		t.Errorf("%q %v", text, err)
	}
	if _, _, text, err := b.do("POST", chatPath, askStream); err != nil || chatText(t, text) != "So: "+secret+".[stop]" {
		t.Errorf("%q %v", text, err)
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	tick := make(chan struct{})
	cfg := bedConfig(t, paced(t, tick).url())
	cfg.Limits.Streams = 2
	b := newBed(t, Options{Config: cfg})
	first, second := b.open(), b.open()
	status, h, text, err := b.do("POST", chatPath, askStream)
	if err != nil || status != 429 || h.Get("Retry-After") != "1" || !strings.Contains(text, "limits.streams") {
		t.Errorf("%d %v %q %v", status, h, text, err)
	}
	close(tick)
	for _, resp := range []*http.Response{first, second} {
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Error(err)
		}
		_ = resp.Body.Close()
	}
	if status, _, _, err := b.do("POST", chatPath, askStream); err != nil || status != 200 {
		t.Errorf("afterwards: %d %v", status, err)
	}
}

// TestCanary (G7): no log line, alert, metric or error contains a word of the training data, of
// the prompt or of a credential.
func TestCanary(t *testing.T) {
	t.Parallel()
	const canary = "xylophone-canary"
	spec, err := ngram.NewSpec(5, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	text := "zebra " + canary + " quokka narwhal axolotl capybara wombat"
	set := newMemory(spec, text)
	llm := fakellm.Config{Models: map[string]fakellm.Script{}}
	for name, fault := range map[string]fakellm.Fault{
		"whole": {}, "cut": {Kind: fakellm.FaultCut, After: 6}, "garbage": {Kind: fakellm.FaultGarbage, After: 6}, "error": {Kind: fakellm.FaultError, After: 3}, "status": {Kind: fakellm.FaultStatus, Status: 500},
	} {
		s := fakellm.Say("It is " + text + ".")
		s.Fault = fault
		llm.Models[name] = s
	}
	url := recite(t, llm).URL()
	for _, mode := range []detect.Action{detect.Redact, detect.Block, detect.Observe} {
		cfg := bedConfig(t, url)
		cfg.Mode = mode
		b := newBed(t, Options{Config: cfg, Open: func(*config.Config) (Indexes, error) { return Indexes{Set: set, Spec: spec}, nil }})
		for name := range llm.Models {
			for _, stream := range []bool{true, false} {
				ask := fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"say axolotl"}]}`, name, stream)
				_, _, _, _ = b.do("POST", chatPath+"?q=narwhal", ask, "Authorization", "Bearer quokka", "X-Request-Id", "wombat wombat")
			}
		}
		_ = b.raw("POST /quokka HTTP/1.1\r\nHost: zebra\r\nX Narwhal: 1\r\n\r\n")
		_ = b.raw("wombat\r\n\r\n")
		_, metrics := b.ask("GET", "/metrics")
		b.stop()
		for where, written := range map[string]string{"log": b.logs.String(), "alerts": b.alerts.String(), "metrics": metrics} {
			for _, word := range strings.Fields(text) {
				if strings.Contains(strings.ToLower(written), word) {
					t.Errorf("%s: %s holds %q:\n%s", mode, where, word, written)
				}
			}
		}
		if len(b.alertLines("finding")) == 0 {
			t.Error("nothing was found")
		}
	}
}

// TestLimits: one case for each limit that an exchange can run into.
func TestLimits(t *testing.T) {
	t.Parallel()
	hour := func(l *config.Limits) {
		l.HeaderTime, l.RequestTime, l.CallerStall, l.Silence, l.Total, l.Connect = time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour
	}
	silent := newScripted(t, func(c *scene) { c.waitClosed() })
	halting := newScripted(t, func(c *scene) {
		c.say(headSSE)
		c.chunk("data: {}\n\n")
		c.waitClosed()
	})
	large := newScripted(t, func(c *scene) {
		body := `{"choices":[{"index":0,"message":{"content":"` + strings.Repeat("word ", 1000) + `"}}]}`
		if strings.Contains(c.body, "stream") {
			c.say(headSSE)
			c.chunk("data: " + body + "\n\n")
			c.chunk("data: [DONE]\n\n")
			c.say(endChunked)
			return
		}
		c.whole(200, "application/json", body)
	})
	for _, tt := range []struct {
		name    string
		up      *scripted
		set     func(*config.Limits)
		request string // raw bytes; the rest of the request never comes
		want    string // a part of the answer
		never   string
	}{
		{"header", silent, func(l *config.Limits) { l.Header = 4 << 10 }, "GET /v1/models HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 8<<10) + "\r\n\r\n", "HTTP/1.1 431 ", ""},
		{"request", silent, func(l *config.Limits) { l.Request = 1 << 10 }, "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("a", 200000), "HTTP/1.1 413 ", ""},
		{"request, chunked", silent, func(l *config.Limits) { l.Request = 1 << 10 }, "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n" + strings.Repeat("a", 0x2000) + "\r\n0\r\n\r\n", "HTTP/1.1 413 ", ""},
		{"header_time", silent, func(l *config.Limits) { l.HeaderTime = time.Millisecond }, "GET /v1/models HTTP/1.1\r\nHo", "HTTP/1.1 408 ", ""},
		{"request_time", silent, func(l *config.Limits) { l.RequestTime = time.Millisecond }, "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{", "HTTP/1.1 408 ", ""},
		{"caller_idle", large, func(l *config.Limits) { l.CallerIdle = time.Millisecond }, "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 ", "HTTP/1.1 4"},
		{"silence before the head", silent, func(l *config.Limits) { l.Silence = time.Millisecond }, "GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 502 ", ""},
		{"silence in a stream", halting, func(l *config.Limits) { l.Silence = 50 * time.Millisecond }, "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "upstream_error", "0\r\n\r\n"},
		{"total", halting, func(l *config.Limits) { l.Total = 50 * time.Millisecond }, "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "upstream_error", "0\r\n\r\n"},
		{"answer", large, func(l *config.Limits) { l.Answer = 1 << 10 }, "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 400 ", "word word"},
		{"stream", large, func(l *config.Limits) { l.Stream = 1 << 10 }, "POST " + chatPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{\"stream\":true}", "upstream_error", "0\r\n\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := bedConfig(t, tt.up.url())
			hour(&cfg.Limits)
			tt.set(&cfg.Limits)
			b := newBed(t, Options{Config: cfg})
			answer := b.raw(tt.request)
			if !strings.Contains(answer, tt.want) || tt.never != "" && strings.Contains(answer, tt.never) {
				t.Errorf("%.600q, want %q", answer, tt.want)
			}
		})
	}
}

func TestConnectionsLimit(t *testing.T) {
	t.Parallel()
	up := newScripted(t, func(c *scene) { c.whole(200, "text/plain", "ok") })
	cfg := bedConfig(t, up.url())
	cfg.Limits.Connections = 1
	b := newBed(t, Options{Config: cfg})
	first := b.dial()
	defer func() { _ = first.Close() }()
	_, _ = io.WriteString(first, "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
	if line, err := bufio.NewReader(first).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
		t.Fatalf("%q %v", line, err)
	}
	if answer := b.raw(""); !strings.HasPrefix(answer, "HTTP/1.1 503 ") {
		t.Errorf("%q", answer)
	}
}

// TestHeldLimit: a run with so many bytes between its words that they may not wait is withheld.
func TestHeldLimit(t *testing.T) {
	t.Parallel()
	words := strings.Fields(secret)
	said := "So: " + strings.Join(words[:4], " ") + strings.Repeat(" ", 4<<10) + "end of it"
	cfg := bedConfig(t, recite(t, says(said)).URL())
	cfg.Limits.Held = 1 << 10
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	if _, _, text, err := b.do("POST", chatPath, askStream); err != nil || strings.Contains(chatText(t, text), words[1]) {
		t.Errorf("%q %v", chatText(t, text), err)
	}
	b.stop()
	if lines := b.alertLines("finding"); len(lines) == 0 || lines[0]["kind"] != "stuffing" {
		t.Errorf("alerts %v", b.alerts.String())
	}
}

// TestUpstreamIdle: an unused upstream connection is closed.
func TestUpstreamIdle(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		c.whole(200, "text/plain", "ok")
		c.waitClosed()
		close(closed)
	})
	cfg := bedConfig(t, up.url())
	cfg.Limits.UpstreamIdle = time.Millisecond
	b := newBed(t, Options{Config: cfg})
	if status, _, _, err := b.do("GET", "/v1/models", ""); err != nil || status != 200 {
		t.Errorf("%d %v", status, err)
	}
	wait(t, closed, "the idle connection to be closed")
}

// TestCallerStall: if a caller does not read, its connection and that to the upstream are closed.
func TestCallerStall(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	up := newScripted(t, func(c *scene) {
		defer close(closed)
		c.over = true
		c.say(headSSE)
		event := ": " + strings.Repeat("x", 64<<10) + "\n\n"
		for range 10000 {
			if _, err := fmt.Fprintf(c.Conn, "%x\r\n%s\r\n", len(event), event); err != nil {
				return
			}
		}
		t.Error("everything was taken")
	})
	cfg := bedConfig(t, up.url())
	cfg.Limits.CallerStall = time.Second // so that the head of the answer leaves in time on a machine under load
	b := newBed(t, Options{Config: cfg})
	conn := b.dial()
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "POST "+chatPath+" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	wait(t, closed, "the upstream to be closed")
}

// TestConnectLimit: dialing an upstream that does not answer ends at the limit.
func TestConnectLimit(t *testing.T) {
	t.Parallel()
	d := dialer{connect: time.Nanosecond}
	var timeout net.Error
	if _, err := d.dial("127.0.0.1:1"); !errors.As(err, &timeout) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// TestMetricsBeginAtZero: every series whose labels are known exists from the start, so that
// its first event is an increase.
func TestMetricsBeginAtZero(t *testing.T) {
	t.Parallel()
	cfg := bedConfig(t, recite(t, says("So: "+secret+".")).URL())
	cfg.Routes = []config.Route{{Path: "/v1/chat/completions"}, {Path: "/v1/models"}}
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	_, text := b.ask("GET", "/metrics")
	want := []string{
		`noecho_config_reloads_total{result="applied"}`, `noecho_config_reloads_total{result="failed"}`,
		`noecho_body_bytes_total{fate="scanned"}`, `noecho_body_bytes_total{fate="passed"}`, `noecho_body_bytes_total{fate="refused"}`,
		`noecho_requests_total{action="forwarded",code="200",model="",route="/v1/models"}`,
	}
	for _, lane := range []string{"despaced", "base64", "hyphenated"} {
		want = append(want, `noecho_lane_wakes_total{lane="`+lane+`"}`)
	}
	for _, kind := range []string{"verbatim", "phrase", "near", "stuffing"} {
		for _, lane := range []string{"plain", "base64", "rot13", "hyphenated", "nested"} {
			for _, action := range []string{"observed", "redacted", "blocked", "echo"} {
				want = append(want, `noecho_leaks_total{action="`+action+`",kind="`+kind+`",lane="`+lane+`"}`)
			}
		}
	}
	for action, code := range map[string]string{
		"clean": "200", "observed": "200", "redacted": "200", "forwarded": "200", "gone": "200",
		"blocked": "400", "refused": "400", "broken": "502",
	} {
		want = append(want, `noecho_requests_total{action="`+action+`",code="`+code+`",model="",route="/v1/chat/completions"}`)
	}
	for _, series := range want {
		if !strings.Contains(text, "\n"+series+" 0\n") {
			t.Errorf("%s is not 0 at the start", series)
		}
	}
	if _, _, _, err := b.do("POST", chatPath, askWhole); err != nil {
		t.Fatal(err)
	}
	if n := b.metric("noecho_requests_total", `{action="redacted",[^}]*}`); n != 1 {
		t.Errorf("%d redacted answers, want 1", n)
	}
	// The first leak of a model that has answered before is an increase, too.
	if _, text := b.ask("GET", "/metrics"); !strings.Contains(text, `noecho_requests_total{action="blocked",code="400",model="m",route="/v1/chat/completions"} 0`) {
		t.Error("a model that has answered has no series of blocked answers")
	}
}

// TestUpstreamUp: an upstream that is down is in the log and in a gauge from the start, and one
// that comes up again, too.
func TestUpstreamUp(t *testing.T) {
	t.Parallel()
	address, err := fakellm.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, Options{Config: bedConfig(t, "http://"+address), Reach: time.Millisecond})
	b.logs.await(t, "upstream is down: requests get 502 until it accepts connections", "http://"+address)
	if _, text := b.ask("GET", "/metrics"); !strings.Contains(text, `noecho_upstream_up{upstream="http://`+address+`"} 0`) {
		t.Error("the gauge does not say 0")
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	b.logs.await(t, "upstream is up again", "http://"+address)
	if _, text := b.ask("GET", "/metrics"); !strings.Contains(text, `noecho_upstream_up{upstream="http://`+address+`"} 1`) {
		t.Error("the gauge does not say 1")
	}
	_ = ln.Close()
}

// fullDisk is a sink of alerts that takes no line while it is full.
type fullDisk struct {
	alert.Sink
	full atomic.Bool
}

func (d *fullDisk) Write(line []byte) (int, error) {
	if d.full.Load() {
		return 0, errors.New("no space left on device")
	}
	return d.Sink.Write(line)
}

// picky is a receiver that refuses every line.
type picky struct{ alert.Sink }

func (picky) Relayed() alert.Relayed {
	return alert.Relayed{Lost: 3, Refused: 4, Refusal: "status 400"}
}

// TestRefusedAlerts: the log says once which sink refuses events, and why.
func TestRefusedAlerts(t *testing.T) {
	t.Parallel()
	log, err := alert.Open(alert.Options{Sinks: []alert.Sink{picky{alert.NewWriter("siem", io.Discard)}}})
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, Options{Config: bedConfig(t, "http://127.0.0.1:1"), Alerts: log, Reach: time.Millisecond})
	b.logs.await(t, "the receiver refuses alerts", `"sink":"siem"`, `"refused":4`, `"reason":"status 400"`)
	seen := watched{map[string]alert.SinkStats{}, map[[2]string]time.Time{}}
	for range 3 {
		b.srv.watchAlerts(&seen)
		seen.sinks["siem"] = alert.SinkStats{} // as if more were refused
	}
	if n := strings.Count(b.logs.String(), "the receiver refuses alerts"); n != 2 {
		t.Errorf("%d lines of the log, want 1 of the watch and 1 of the calls", n)
	}
}

// TestStuckAlerts: alerts that cannot be written are in the log, and so is the end of that.
func TestStuckAlerts(t *testing.T) {
	t.Parallel()
	disk := &fullDisk{Sink: alert.NewWriter("alerts.jsonl", io.Discard)}
	disk.full.Store(true)
	log, err := alert.Open(alert.Options{Sinks: []alert.Sink{disk}})
	if err != nil {
		t.Fatal(err)
	}
	b := newBed(t, Options{Config: bedConfig(t, "http://127.0.0.1:1"), Alerts: log, Reach: time.Millisecond})
	b.logs.await(t, "alerts cannot be written", `"sink":"alerts.jsonl"`, `"reason":"no space left on device"`)
	disk.full.Store(false)
	b.logs.await(t, "alerts are written again", `"sink":"alerts.jsonl"`)
}
