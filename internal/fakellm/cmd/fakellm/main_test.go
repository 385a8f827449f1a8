package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/internal/fakellm"
)

func TestRunRecites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "said.txt")
	script := filepath.Join(dir, "script.json")
	for name, body := range map[string]string{
		text:   "four score and seven",
		script: `{"models":{"m":{"choices":[{"content":"four score and seven"}],"chunking":{"unit":"words"},"pace":"1ms"}}}`,
	} {
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"-text", text}, {"-script", script}} {
		ctx, stop := context.WithCancel(t.Context())
		out, in := io.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, append(args, "-listen", "127.0.0.1:0"), in, io.Discard) }()
		url, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(strings.TrimSpace(url)+"/v1/completions", "application/json", strings.NewReader(`{"model":"m","prompt":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !strings.Contains(string(body), "four score and seven") {
			t.Errorf("%v: %s, %v", args, body, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestExampleOfTheUsageText(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "example.json")
	if err := os.WriteFile(name, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := load(name, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fakellm.New(cfg); err != nil {
		t.Error(err)
	}
	if len(cfg.Prompts) != 1 || len(cfg.Models) != 1 || cfg.Default == nil {
		t.Errorf("read %+v", cfg)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	wrong := filepath.Join(t.TempDir(), "wrong.json")
	if err := os.WriteFile(wrong, []byte(`{"modles":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"either -script or -text": {},
		"modles":                  {"-script", wrong},
		"no such file":            {"-text", wrong + ".txt"},
		"not defined":             {"-nothing"},
	} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
