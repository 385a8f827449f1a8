package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"noecho/internal/fakellm"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

const recited = "the quick brown fox jumps over the lazy dog while seven clever zebras watch from the river"

// syncBuffer is written by one goroutine and read by another.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
	got chan struct{} // has an element if something was written
}

func newSyncBuffer() *syncBuffer { return &syncBuffer{got: make(chan struct{}, 1)} }

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.got <- struct{}{}:
	default:
	}
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// line waits for a JSON line with the given message.
func (b *syncBuffer) line(t *testing.T, message string) map[string]any {
	t.Helper()
	timer := time.NewTimer(120 * time.Second)
	defer timer.Stop()
	for {
		for line := range strings.Lines(b.String()) {
			var m map[string]any
			if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == message {
				return m
			}
		}
		select {
		case <-b.got:
		case <-timer.C:
			t.Fatalf("no line %q in %s", message, b.String())
		}
	}
}

// testIndex builds an index of one text.
func testIndex(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	corpus, out := filepath.Join(dir, "corpus.txt"), filepath.Join(dir, "test.nidx")
	if err := os.WriteFile(corpus, []byte(recited+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }}
	if code := a.run(t.Context(), []string{"index", "build", "--out", out, corpus}); code != exitOK {
		t.Fatalf("index build: exit %d: %s", code, stderr.String())
	}
	return out
}

// startModel starts a model that always says a text, until the end of the test.
func startModel(t *testing.T, text string) *fakellm.Server {
	t.Helper()
	script := fakellm.Say(text)
	return startScripts(t, fakellm.Config{Default: &script})
}

// startScripts starts models that say what a configuration has.
func startScripts(t *testing.T, c fakellm.Config) *fakellm.Server {
	t.Helper()
	llm, err := fakellm.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := llm.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = llm.Close() })
	return llm
}

// startServe runs the command and returns the members of its log line "serving", its log, and
// a function that ends it and wants exit code 0.
func startServe(t *testing.T, env map[string]string, args ...string) (started map[string]any, stderr *syncBuffer, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	stderr = newSyncBuffer()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: stderr, getenv: func(k string) string { return env[k] }}
	ended := make(chan int, 1)
	go func() { ended <- a.run(ctx, append([]string{"serve"}, args...)) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("exit %d: %s", code, stderr.String())
		}
	})
	t.Cleanup(stop)
	return stderr.line(t, "serving"), stderr, stop
}

// TestServe runs the command as a user would: it sets flags, sends a request, reads the
// alert, and ends the command.
func TestServe(t *testing.T) {
	t.Parallel()
	llm := startModel(t, "He wrote: "+recited+". Nice.")
	alerts := filepath.Join(t.TempDir(), "alerts.jsonl")
	env := map[string]string{"NOECHO_UPSTREAM": llm.URL(), "NOECHO_MODE": "observe", "NOECHO_ADMIN": "127.0.0.1:0"}
	started, stderr, stop := startServe(t, env, "--index", testIndex(t), "--listen", "127.0.0.1:0", "--mode", "redact", "--alerts", alerts)
	if first, _, _ := strings.Cut(stderr.String(), "\n"); !strings.Contains(first, `"msg":"checking the indexes","bytes":`) {
		t.Errorf("first line %s", first)
	}
	if started["clients"] != "http://"+started["listen"].(string)+"/v1" {
		t.Errorf("%v", started)
	}
	if started["mode"] != "redact" || started["upstream"] != llm.URL() {
		t.Errorf("%v", started)
	}
	resp, err := http.Post("http://"+started["listen"].(string)+"/v1/chat/completions", "application/json",
		strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(body), "He wrote: [redacted]. Nice.") {
		t.Errorf("%s %v", body, err)
	}
	stop()
	written, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"type":"start"`, `"type":"finding"`, `"action":"redacted"`, `"words":17`, `"type":"stop"`} {
		if !strings.Contains(string(written), want) {
			t.Errorf("alerts lack %s: %s", want, written)
		}
	}
	if strings.Contains(string(written)+stderr.String(), "zebras") {
		t.Error("training text was written down")
	}
}

// TestOverlay checks the order of precedence: flag, variable, file, default.
func TestOverlay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := "version: 1\nmode: block\nlisten: 127.0.0.1:1\nupstream: {url: \"http://file\"}\nindex: [{path: file}]\nalerts: [{type: file, path: file}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(o overlay, env map[string]string, flags string, want string) {
		t.Helper()
		o.changed = func(name string) bool { return strings.Contains(flags, name) }
		c, err := o.load(func(k string) string { return env[k] })
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = strings.Join([]string{c.Mode.String(), c.Listen, c.Admin.Listen, c.Upstream.URL.String(), c.Index[0].Path, c.Admin.TokenFile}, " ")
			for _, s := range c.Alerts {
				got += " " + s.Path
			}
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(overlay{config: file}, nil, "config", "block 127.0.0.1:1 127.0.0.1:8712 http://file file  file")
	env := map[string]string{
		"NOECHO_CONFIG": file, "NOECHO_MODE": "observe", "NOECHO_LISTEN": "127.0.0.1:2", "NOECHO_ADMIN": "127.0.0.1:3",
		"NOECHO_UPSTREAM": "http://env", "NOECHO_INDEX": "env:env2", "NOECHO_ADMIN_TOKEN_FILE": "token", "NOECHO_ALERTS": "-",
	}
	f(overlay{}, env, "", "observe 127.0.0.1:2 127.0.0.1:3 http://env env token ")
	f(overlay{mode: "redact", upstream: "http://flag/base/", index: []string{"flag"}, listen: ":4", admin: ":5", alerts: "flag"}, env,
		"mode upstream index listen admin alerts", "redact :4 :5 http://flag/base flag token flag")
	f(overlay{mode: "redcat"}, env, "mode", `--mode: "redcat" is none of redact, block, observe (did you mean "redact"?)`)
	env["NOECHO_UPSTREAM"] = "env"
	f(overlay{}, env, "", `NOECHO_UPSTREAM: "env" must begin with http:// or https://`)
}

func TestHeapLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		max   string
		index int64
		want  int64
		ok    bool
	}{
		{"", 0, 0, false},
		{"max\n", 0, 0, false},
		{"1000000000\n", 0, 900000000, true},
		{"1000000000\n", 500000000, 400000000, true},
		{"1000000000\n", 2000000000, memoryLeast, true},
	} {
		if got, ok := heapLimit(tt.max, tt.index); got != tt.want || ok != tt.ok {
			t.Errorf("heapLimit(%q, %d) = %d, %v, want %d, %v", tt.max, tt.index, got, ok, tt.want, tt.ok)
		}
	}
	limitMemory(slog.New(slog.DiscardHandler), func(string) string { return "1GiB" }, 0)
}

// TestOpening: the progress of the check of an index counts its bytes and ends at 99 %.
func TestOpening(t *testing.T) {
	t.Parallel()
	path := testIndex(t)
	o := newOpening([]config.Index{{Path: path}, {Path: "missing"}})
	if got := o.percent(); got != 0 {
		t.Errorf("%d %% before the check", got)
	}
	indexes, err := o.open(&config.Config{Index: []config.Index{{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = indexes.Close() }()
	if got := o.percent(); got != 99 {
		t.Errorf("%d %% after the check", got)
	}
}

// TestReadableAlerts: on a terminal serve shows alerts as tail does.
func TestReadableAlerts(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" }}
	log, err := openAlerts(t.Context(), &config.Config{}, a.readableAlerts(), a.getenv, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	log.Offer(alert.Event{Type: alert.TypeFinding, Action: alert.Redacted, Kind: alert.Verbatim, Channel: "text", Words: 63, Records: []alert.Record{{ID: "train.jsonl:7"}}})
	if err := log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := stdout.String(); strings.Contains(got, "{") || !strings.Contains(got, "redacted") || !strings.Contains(got, "63 words") || !strings.Contains(got, "train.jsonl:7") {
		t.Errorf("%q", got)
	}
	if stderr.Len() > 0 {
		t.Errorf("%q", stderr.String())
	}
}
