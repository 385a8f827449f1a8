package main

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// patience ends a test that hangs.
const patience = time.Minute

// browser asks a console.
type browser struct {
	*testing.T
	base string // the address of the console, without its path
}

// ask returns the body of an answer with status 200.
func (b *browser) ask(path, body string) string {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	for {
		req, err := http.NewRequestWithContext(ctx, method, b.base+"/console/api/v1/"+path, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		switch {
		case err != nil:
			b.Fatal(err)
		case resp.StatusCode == http.StatusServiceUnavailable: // it reads the files
			continue
		case resp.StatusCode != http.StatusOK:
			b.Fatalf("%s: %d %s", path, resp.StatusCode, answer)
		}
		return string(answer)
	}
}

// rows follows the live tail until n rows have come, and calls then when it begins.
func (b *browser) rows(n int, then func()) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+"/console/api/v1/live?after=-", nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for n > 0 && lines.Scan() {
		switch lines.Text() {
		case "event: at":
			then()
			then = func() {}
		case "event: row":
			n--
		}
	}
	if n > 0 {
		b.Fatalf("%d rows are missing: %v", n, lines.Err())
	}
}

// TestConsole: on the admin plane new findings are shown as they come, a draft of rules changes
// as many answers as the same rules do when the proxy has them, a look-up is answered and
// recorded, and no text of the training data or of a person is in any answer. The command
// console gives the same evidence about the same file.
func TestConsole(t *testing.T) {
	t.Parallel()
	const person = "bo@example.org"
	secret := invented("tad", 20)
	says := map[string]string{
		"hello": "Well: " + hello + ".", "person": "Ask " + person + " now.", "long": "So " + invented("tab", 40) + ".", "short": "So " + invented("tac", 12) + ".",
		"coded": "Take " + base64.StdEncoding.EncodeToString([]byte(secret)) + " and read it", "clean": "Nothing of it.",
		"both": invented("tae", 15) + " " + person,
	}
	d := newDesk(t, says)
	d.edit("config.yaml", "admin: {listen: 127.0.0.1:0}", "admin: {listen: 127.0.0.1:0, console: true}")
	started, _, stop := startServe(t, nil, "--config", d.path("config.yaml"))
	b := &browser{t, "http://" + started["admin"].(string)}
	b.ask("overview", "")
	b.rows(7, func() {
		for model := range says {
			d.ask(started, model)
		}
	})
	var shown strings.Builder
	for _, path := range []string{
		"session", "overview", "findings", "records", "callers", "tuning", "coverage", "findings.csv",
		"evidence/summary?from=2026-01-01&to=2126-01-01", "evidence.zip?from=2026-01-01&to=2126-01-01",
	} {
		shown.WriteString(b.ask(path, ""))
	}
	looked := b.ask("lookup", `{"text":"`+person+`"}`)
	if shown.WriteString(looked); !strings.Contains(looked, `"result":"found"`) || !strings.Contains(looked, `"came_out":{"answers":2,"withheld":2,"passed":0}`) {
		t.Error(looked)
	}
	before := d.outcomes()
	for _, rules := range []string{
		`rules: [{when: {kind: phrase}, action: block}]`,
		`rules: [{when: {lane: base64}, action: observe}, {when: {min_words: 30}, action: block}]`,
		`rules: [{when: {model: "h*"}, action: observe}, {when: {route: /v1/}, action: block}]`,
		`rules: [{when: {dataset: subjects}, action: observe}]`,
	} {
		text, _ := json.Marshal(rules)
		var tried struct {
			Changes []struct {
				From, To string
				Answers  int
			}
		}
		if err := json.Unmarshal([]byte(b.ask("whatif", `{"yaml":`+string(text)+`}`)), &tried); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, c := range tried.Changes {
			got[c.From+" to "+c.To] = c.Answers
		}
		want := map[string]int{}
		for model, after := range d.replay(says, rules) {
			if before[model] != after {
				want[fmt.Sprintf("%s to %s", before[model], after)]++
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(want) == 0 {
			t.Errorf("%s: tried %v, replayed %v", rules, got, want)
		}
	}
	const evidence = "evidence.zip?from=2026-01-01&to=2126-01-01"
	atPlane := zipped(t, b.ask(evidence, ""), "findings.jsonl")
	stop()
	lines := d.read("alerts.jsonl")
	if n := strings.Count(lines, `"action":"looked_up"`); n != 1 {
		t.Errorf("%d lines about look-ups", n)
	}
	for _, canary := range append(strings.Fields(hello)[:9:9], person, "Stonefield", strings.Fields(secret)[3], strings.Fields(invented("tab", 40))[7]) {
		if len(canary) > 5 && strings.Contains(shown.String()+lines, canary) {
			t.Errorf("%q is shown or written", canary)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	errs := newSyncBuffer()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: errs, getenv: func(string) string { return "" }}
	ended := make(chan int, 1)
	go func() {
		ended <- a.run(ctx, []string{"console", "--listen", "127.0.0.1:0", "--index", d.path("train.nidx"), "--access", d.path("access.jsonl"), d.path("alerts.jsonl")})
	}()
	address := regexp.MustCompile(`http://[0-9.:]+`)
	for address.FindString(errs.String()) == "" {
		select {
		case <-errs.got:
		case code := <-ended:
			t.Fatalf("exit %d: %s", code, errs.String())
		}
	}
	alone := &browser{t, address.FindString(errs.String())}
	one := alone.ask(evidence, "")
	if findings := zipped(t, one, "findings.jsonl"); findings != atPlane || strings.Count(findings, "\n") != 7 || one != alone.ask(evidence, "") {
		t.Error("the command gives other evidence")
	}
	if looked := alone.ask("lookup", `{"text":"`+person+`"}`); !strings.Contains(looked, `"result":"found"`) {
		t.Error(looked)
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

// zipped returns a file of a ZIP.
func zipped(t *testing.T, data, name string) string {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// asked asks a model, whose answer may be blocked.
func (d *desk) asked(started map[string]any, model string) {
	d.Helper()
	resp, err := http.Post("http://"+started["listen"].(string)+"/v1/chat/completions", "application/json",
		strings.NewReader(fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}]}`, model)))
	if err != nil {
		d.Fatal(err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		d.Fatal(err)
	}
}

// read returns a file.
func (d *desk) read(name string) string {
	d.Helper()
	text, err := os.ReadFile(d.path(name))
	if err != nil {
		d.Fatal(err)
	}
	return string(text)
}

// edit replaces a text of a file.
func (d *desk) edit(name, from, to string) {
	d.Helper()
	text := d.read(name)
	if !strings.Contains(text, from) {
		d.Fatalf("%s has no %q", name, from)
	}
	writeText(d.T, d.path(name), strings.Replace(text, from, to, 1))
}

// outcomes returns the strictest action of the findings of each model's answer.
func (d *desk) outcomes() map[string]alert.Action {
	rank := map[alert.Action]int{alert.Observed: 1, alert.Redacted: 2, alert.Blocked: 3}
	out := map[string]alert.Action{}
	for _, ev := range d.findings(0) {
		if rank[ev.Action] > rank[out[ev.Model]] {
			out[ev.Model] = ev.Action
		}
	}
	return out
}

// replay asks every model again under other rules, and returns the outcomes.
func (d *desk) replay(says map[string]string, rules string) map[string]alert.Action {
	d.Helper()
	again := *d
	again.dir = d.TempDir()
	writeText(d.T, again.path("config.yaml"), strings.Replace(d.read("config.yaml"), d.path("alerts.jsonl"), again.path("alerts.jsonl"), 1)+rules+"\n")
	started, _, stop := startServe(d.T, nil, "--config", again.path("config.yaml"))
	for model := range says {
		again.asked(started, model)
	}
	stop()
	return again.outcomes()
}

// TestPlaneConsoleFiles: the console of a server reads the files of alerts in format native, and
// says so if there is none.
func TestPlaneConsoleFiles(t *testing.T) {
	t.Parallel()
	cfg := config.Config{Console: config.Console{On: true}, Alerts: []config.Alert{
		{Type: config.AlertFile, Path: "ocsf.jsonl", Format: "ocsf"}, {Type: config.AlertFile, Path: "ecs.jsonl", Format: "ecs"}, {Type: config.AlertStdout},
	}}
	log := slog.New(slog.DiscardHandler)
	if p := newPlaneConsole(&cfg, nil, log); len(p.opts.Paths) != 0 || p.opts.Note == "" {
		t.Errorf("without a file in format native: paths %q, note %q", p.opts.Paths, p.opts.Note)
	}
	cfg.Alerts = append(cfg.Alerts, config.Alert{Type: config.AlertFile, Path: "alerts.jsonl"})
	if p := newPlaneConsole(&cfg, nil, log); !slices.Equal(p.opts.Paths, []string{"alerts.jsonl"}) || p.opts.Note != "" {
		t.Errorf("with one: paths %q, note %q", p.opts.Paths, p.opts.Note)
	}
}
