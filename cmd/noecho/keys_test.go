package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// other is a text that is not part of recited.
const other = "sixteen clean towels and a box of pale blue candles wait in the second drawer on the left"

// runs runs a command and returns what it prints.
func runs(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	if code := a.run(t.Context(), args); code != exitOK {
		t.Fatalf("%v: exit %d: %s", args, code, errs.String())
	}
	return out.String()
}

func writeText(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestServeKeys serves indexes with keys and rotates them by reloads: an index of another key
// beside the first one, the first one left out, a key file replaced, and a wrong key, which
// changes nothing.
func TestServeKeys(t *testing.T) {
	t.Parallel()
	llm := startModel(t, "One: "+recited+". Two: "+other+".")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	build := func(index, key, text string) {
		runs(t, "index", "build", "--out", path(index), "--key-file", path(key), writeText(t, path("corpus.txt"), text))
	}
	for _, key := range []string{"a.key", "b.key", "c.key"} {
		runs(t, "index", "newkey", path(key))
	}
	build("a.nidx", "a.key", recited)
	build("b.nidx", "b.key", other)
	config := func(indexes ...string) {
		text := "version: 1\nlisten: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\nupstream: " + llm.URL() + "\nalerts: [{type: file, path: " + path("alerts.jsonl") + "}]\nindex:\n"
		for _, one := range indexes {
			index, key, _ := strings.Cut(one, " ")
			text += fmt.Sprintf("  - {path: %s, key_file: %s}\n", path(index), path(key))
		}
		writeText(t, path("config.yaml"), text)
	}
	config("a.nidx a.key")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stderr := newSyncBuffer()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: stderr, getenv: func(string) string { return "" }}
	ended := make(chan int, 1)
	go func() { ended <- a.run(ctx, []string{"serve", "--config", path("config.yaml")}) }()
	started := stderr.line(t, "serving")
	post := func(url, body string) (int, string) {
		resp, err := http.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	reload := func(want int) {
		t.Helper()
		if status, text := post("http://"+started["admin"].(string)+"/-/reload", ""); status != want {
			t.Fatalf("reload: %d: %s", status, text)
		}
	}
	answers := func(want string) {
		t.Helper()
		if _, body := post("http://"+started["listen"].(string)+"/v1/chat/completions", `{"model":"m","messages":[{"role":"user","content":"hi"}]}`); !strings.Contains(body, want) {
			t.Fatalf("answer %s, want %q", body, want)
		}
	}
	answers("One: [redacted]. Two: " + other)
	config("b.nidx b.key", "a.nidx a.key")
	reload(http.StatusOK)
	answers("One: [redacted]. Two: [redacted].")
	config("b.nidx b.key")
	reload(http.StatusOK)
	answers("One: " + recited + ". Two: [redacted].")
	config("b.nidx a.key")
	reload(http.StatusUnprocessableEntity)
	answers("One: " + recited + ". Two: [redacted].")
	if err := os.Rename(path("c.key"), path("b.key")); err != nil {
		t.Fatal(err)
	}
	config("b.nidx b.key")
	reload(http.StatusUnprocessableEntity)
	build("b.nidx", "b.key", recited)
	reload(http.StatusOK)
	answers("One: [redacted]. Two: " + other)
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	keysAreSecret(t, dir, stderr.String())
}

// keysAreSecret checks that no key is in any file but its own, nor in the log, and that the
// digests of alerts are those of no index without a key.
func keysAreSecret(t *testing.T, dir, log string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	digests := regexp.MustCompile(`"digests":\["([0-9a-f]{16})"`)
	runs(t, "index", "build", "--out", filepath.Join(dir, "plain.nidx"), "--report", filepath.Join(dir, "report.jsonl"),
		writeText(t, filepath.Join(dir, "twice.jsonl"), fmt.Sprintf(`{"text":%[1]q}`+"\n"+`{"text":%[1]q}`+"\n", recited)))
	report, err := os.ReadFile(filepath.Join(dir, "report.jsonl"))
	if err != nil || !strings.Contains(string(report), `"count":2`) {
		t.Fatalf("%v: %s", err, report)
	}
	for _, key := range files {
		if filepath.Ext(key) != ".key" {
			continue
		}
		text, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		secret := strings.Fields(string(text[bytes.IndexByte(text, '\n'):]))[0]
		if strings.Contains(log, secret[:16]) {
			t.Error("the log has a key")
		}
		for _, file := range files {
			all, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if file != key && bytes.Contains(all, []byte(secret[:16])) {
				t.Errorf("%s has a key", file)
			}
			if filepath.Ext(file) != ".jsonl" {
				continue
			}
			for _, d := range digests.FindAllStringSubmatch(string(all), -1) {
				if strings.Contains(string(report), d[1]) {
					t.Errorf("%s has the digest %s, which is made without a key", file, d[1])
				}
			}
			if !digests.Match(all) {
				t.Errorf("%s has no digests: %s", file, all)
			}
		}
	}
}
