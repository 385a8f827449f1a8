package proxy

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"noecho/internal/accesslog"
	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// accessLines ends the server and returns the lines of its access log.
func accessLines(t *testing.T, b *bed, log *accesslog.Log, text *capture) []map[string]any {
	t.Helper()
	b.stop()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	var lines []map[string]any
	for line := range strings.Lines(text.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, m)
	}
	return lines
}

// TestAccessLog: every answer has one line, also a refusal; none has a byte of a query, a
// header, a body or a closed path.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	text := &capture{}
	log := accesslog.Open(alert.NewWriter("memory", text))
	cfg := bedConfig(t, recite(t, says("So it goes: "+secret+". The end.")).URL())
	b := newBed(t, Options{Config: cfg, Open: secretOpen(t), Access: log})
	const canary = "zebrafish"
	for _, ask := range []string{askWhole, askStream} {
		if status, _, _, err := b.do("POST", chatPath+"?k="+canary, ask, "Authorization", "Bearer "+canary, "X-Request-Id", "id-1", "X-Title", canary); status != 200 || err != nil {
			t.Fatal(status, err)
		}
	}
	if status, _, _, err := b.do("POST", "/v1/"+canary, canary); status != 404 || err != nil {
		t.Fatal(status, err)
	}
	if status, _, _, err := b.do("POST", chatPath, canary); status != 400 || err != nil {
		t.Fatal(status, err)
	}
	if answer := b.raw("GET  " + canary + "\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 400 ") {
		t.Fatalf("%q", answer)
	}
	b.raw(strings.ToUpper(canary) + " /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	lines := accessLines(t, b, log, text)
	if strings.Contains(strings.ToLower(text.String()), canary) || strings.Contains(text.String(), secret) {
		t.Errorf("text of a request or an answer: %s", text)
	}
	want := []map[string]any{
		{"route": chatPath, "method": "POST", "status": 200.0, "action": "redacted", "request_id": "id-1"},
		{"route": chatPath, "method": "POST", "status": 200.0, "action": "redacted", "request_id": "id-1"},
		{"route": "", "method": "POST", "status": 404.0, "action": "refused"},
		{"route": chatPath, "method": "POST", "status": 400.0, "action": "refused"},
		{"route": "", "status": 400.0, "action": "refused"},
		{"route": "", "method": "other", "status": 400.0, "action": "refused"},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d: %s", len(lines), len(want), text)
	}
	for i, line := range lines {
		for name, value := range want[i] {
			if line[name] != value {
				t.Errorf("line %d: %s = %v, want %v", i, name, line[name], value)
			}
		}
		if line["bytes"].(float64) == 0 || line["duration_ms"].(float64) <= 0 || line["log"] != "access" || line["request_id"] == "" {
			t.Errorf("line %d: %v", i, line)
		}
		asked := i < 2
		if _, ok := line["upstream_ms"]; ok != asked {
			t.Errorf("line %d: %v", i, line)
		}
		if p, _ := line["principal"].(string); (len(p) == 16) != asked {
			t.Errorf("line %d: principal %q", i, p)
		}
	}
}

// TestAccessBytes: the line has the bytes that the caller got, of a stream too.
func TestAccessBytes(t *testing.T) {
	t.Parallel()
	text := &capture{}
	log := accesslog.Open(alert.NewWriter("memory", text))
	b := newBed(t, Options{Config: bedConfig(t, recite(t, says("Nothing to see here.")).URL()), Access: log})
	var sizes []int
	for _, ask := range []string{askWhole, askStream} {
		_, _, body, err := b.do("POST", chatPath, ask)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(body))
	}
	_, counts := b.ask("GET", "/metrics")
	for _, name := range []string{`noecho_access_log_lines_total{result="written"}`, `noecho_access_log_lines_total{result="dropped"}`} {
		if !strings.Contains(counts, name) {
			t.Errorf("no metric %s", name)
		}
	}
	for i, line := range accessLines(t, b, log, text) {
		if line["bytes"] != float64(sizes[i]) || line["action"] != "clean" {
			t.Errorf("%v, want %d bytes", line, sizes[i])
		}
	}
}

// TestLogLevel: the level of the configuration holds, also after a reload, and not after one
// that failed.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	cfg := bedConfig(t, "http://127.0.0.1:1")
	cfg.LogLevel = config.LogWarn
	level := new(slog.LevelVar)
	next := cfg
	b := newBed(t, Options{Config: cfg, Level: level, Reload: func() (config.Config, error) {
		var err error
		if next.LogLevel == config.LogError {
			err = io.ErrUnexpectedEOF
		}
		return next, err
	}})
	f := func(set config.LogLevel, want slog.Level) {
		t.Helper()
		next.LogLevel = set
		_ = b.srv.Reload()
		if level.Level() != want {
			t.Errorf("level %s, want %s", level.Level(), want)
		}
	}
	if level.Level() != slog.LevelWarn {
		t.Errorf("level %s at the start", level.Level())
	}
	f(config.LogDebug, slog.LevelDebug)
	f(config.LogError, slog.LevelDebug)
	f(config.LogInfo, slog.LevelInfo)
}
