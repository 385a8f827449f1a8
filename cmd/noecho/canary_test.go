package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestServeSecrets looks for a person and for keys in everything that a proxy with a keyed index,
// a suppression index and an audit log writes, says and counts: alerts, log, metrics, entries,
// pages, and the files of the indexes.
func TestServeSecrets(t *testing.T) {
	t.Parallel()
	w := newInventoryWorld(t)
	for _, key := range []string{"index.key", "suppress.key"} {
		w.run(exitOK, "index", "newkey", w.path(key))
	}
	w.run(exitOK, "index", "build", "--key-file", w.path("index.key"), "--out", w.path("keyed.nidx"), w.path("rows.jsonl"))
	w.run(exitOK, "erase", "suppress", erasedRequest, "--out", w.path("suppress.nidx"), "--key-file", w.path("suppress.key"), "--query", w.path("query.json"), "--audit", w.path("audit"))
	secrets := slices.Clone(personSecrets)
	for _, key := range []string{"index.key", "suppress.key", "inventory.key", "audit.key"} {
		text := strings.TrimSpace(string(readFile(t, w.path(key))))
		secrets = append(secrets, strings.ToLower(text[strings.LastIndexAny(text, "\n+")+1:]))
	}
	llm := startModel(t, "Write to Ann.Ray@example.org or call +44 20 7946 0958, please.")
	config := fmt.Sprintf("version: 1\nindex:\n- {path: %q, key_file: %q}\n- {path: %q, key_file: %q}\naudit: %q\nupstream: %q\n", w.path("keyed.nidx"), w.path("index.key"), w.path("suppress.nidx"), w.path("suppress.key"), w.path("audit"), llm.URL())
	writeText(t, w.path("noecho.yaml"), config)
	started, stderr, stop := startServe(t, nil, "--config", w.path("noecho.yaml"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--alerts", w.path("alerts"))
	said := map[string]string{}
	get := func(url string) string {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for i, question := range []string{"hi", "Is it ann.ray@example.org?", "Who has 020 7946 0958, bob5@example.net?"} {
		for _, stream := range []bool{false, true} {
			request := fmt.Sprintf(`{"model":"m","stream":%v,"messages":[{"role":"user","content":%q}]}`, stream, question)
			resp, err := http.Post(fmt.Sprintf("http://%s/v1/chat/completions", started["listen"]), "application/json", strings.NewReader(request))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 { // others may be told what they wrote
				said[fmt.Sprintf("answer, streamed: %v", stream)] = string(body)
			}
		}
	}
	_ = get(fmt.Sprintf("http://%s/v1/ann.ray@example.org", started["listen"]))
	for _, page := range []string{"metrics", "readyz", "healthz", "version"} {
		said[page] = get(fmt.Sprintf("http://%s/%s", started["admin"], page))
	}
	stop()
	said["log"] = stderr.String()
	if alerts := string(readFile(t, w.path("alerts"))); !strings.Contains(alerts, erasedRequest) || !strings.Contains(said["metrics"], "noecho_") {
		t.Errorf("the proxy found nothing: %s", alerts)
	}
	for _, command := range []string{
		"check @noecho.yaml", "index info @keyed.nidx", "index info @suppress.nidx", "index verify @keyed.nidx", "inventory show @rows.ninv --by source",
		"audit show @audit", "audit show @audit --html", "audit verify @audit --alerts @alerts", "audit prove @audit 0 --html",
	} {
		args := strings.Fields(command)
		for i := range args {
			if name, ok := strings.CutPrefix(args[i], "@"); ok {
				args[i] = w.path(name)
			}
		}
		said[command], _ = w.run(exitOK, args...)
	}
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !slices.Contains([]string{".jsonl", ".json", ".key"}, filepath.Ext(path)) {
			said[path] = string(readFile(t, path))
		}
		return err
	})
	if err != nil || len(said) < 20 {
		t.Errorf("%d outputs, %v", len(said), err)
	}
	for name, text := range said {
		for _, secret := range secrets {
			if strings.Contains(strings.ToLower(text), secret) {
				t.Errorf("%s has %q: %.400s", name, secret, text)
			}
		}
	}
}

// TestQueriesAreNotOnShow runs each command that takes a query while it waits for it, and looks
// at its arguments and environment. Each warns of a value that is an argument.
func TestQueriesAreNotOnShow(t *testing.T) {
	t.Parallel()
	w := newInventoryWorld(t)
	find := []string{"--inventory", w.path("rows.ninv"), "--key", w.path("inventory.key")}
	for _, command := range [][]string{
		append([]string{"inventory", "find"}, find...),
		append([]string{"inventory", "packet", "--request", "r-1"}, find...),
		{"erase", "suppress", "--out", w.path("suppress.nidx")},
	} {
		cmd := exec.Command(w.bin, append(command, "--query", "-")...)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat("/proc/self/cmdline"); err == nil {
			for _, name := range []string{"cmdline", "environ"} {
				b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, name))
				if err != nil {
					t.Fatal(err)
				}
				for _, secret := range personSecrets {
					if bytes.Contains(bytes.ToLower(b), []byte(secret)) {
						t.Errorf("%v: %s shows %q", command, name, secret)
					}
				}
			}
		}
		if _, err := stdin.Write(readFile(t, w.path("query.json"))); err != nil {
			t.Fatal(err)
		}
		_ = stdin.Close()
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitOK && code != exitFindings {
			t.Errorf("%v: exit code %d", command, code)
		}
		for _, argument := range [][]string{{"--email", "ANN.RAY@example.org"}, {"--phone", "020 79460958"}, {"--name", "Al Low"}, {"--id", "order=ORD-1"}} {
			var errs bytes.Buffer
			cmd := exec.Command(w.bin, append(command, argument...)...)
			cmd.Stderr = &errs
			_ = cmd.Run()
			if said := errs.String(); !strings.Contains(said, "the value of "+argument[0]+" shows in the list of processes") || strings.Contains(said, argument[1]) {
				t.Errorf("%v: no warning about %s: %s", command, argument[0], said)
			}
		}
	}
}
