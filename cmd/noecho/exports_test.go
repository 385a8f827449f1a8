package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"noecho/internal/testca"
)

// series are the metrics that noecho exports: by name, the values of each label.
type series map[string]map[string][]string

var (
	seriesLine = regexp.MustCompile(`(?m)^([a-z]\w*)(?:\{(.*)\})? \S+$`)
	matcher    = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"`)
	selector   = regexp.MustCompile(`\b((?:noecho|process|go)_\w+)(\{[^}]*\})?`)
	grouping   = regexp.MustCompile(`\b(?:by|on|ignoring|group_left) ?\(([^)]*)\)`)
)

// readSeries reads the answer of /metrics.
func readSeries(text string) series {
	all := series{}
	for _, m := range seriesLine.FindAllStringSubmatch(text, -1) {
		labels := all[m[1]]
		if labels == nil {
			labels = map[string][]string{"job": nil, "instance": nil} // Prometheus adds these
			all[m[1]] = labels
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			labels[l[1]] = append(labels[l[1]], l[3])
		}
	}
	return all
}

// check returns an error if an expression names a metric or a label that noecho does not
// export, or a value that no series has. A value with a variable of Grafana is any.
func (all series) check(expr string) error {
	grouped := map[string]bool{"job": true, "instance": true}
	for _, m := range selector.FindAllStringSubmatch(expr, -1) {
		labels, ok := all[m[1]]
		if !ok {
			return fmt.Errorf("no metric %s", m[1])
		}
		for l := range labels {
			grouped[l] = true
		}
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			values, ok := labels[l[1]]
			if !ok {
				return fmt.Errorf("%s has no label %s", m[1], l[1])
			}
			for value := range strings.SplitSeq(l[3], "|") {
				if !strings.Contains(value, "$") && !slices.Contains(values, value) {
					return fmt.Errorf("%s has no series with %s=%q", m[1], l[1], value)
				}
			}
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			if l = strings.TrimSpace(l); l != "" && !grouped[l] {
				return fmt.Errorf("no metric of the expression has a label %s", l)
			}
		}
	}
	return nil
}

// exported runs noecho, lets it redact an answer and refuse a path, and returns its metrics.
func exported(t *testing.T) string {
	t.Helper()
	llm := startModel(t, "He wrote: "+recited+". Nice.")
	ca, dir := testca.New(t), t.TempDir()
	pair := ca.Issue("noecho")
	config := testca.Write(t, dir, "config.yaml", fmt.Appendf(nil,
		"version: 1\nlisten: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\nindex: %s\nupstream: %q\ntls: {cert_file: %s, key_file: %s}\n",
		testIndex(t), llm.URL(), testca.Write(t, dir, "tls.crt", pair.Cert), testca.Write(t, dir, "tls.key", pair.Key)))
	started, _, _ := startServe(t, nil, "--config", config)
	caller := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}}
	client, admin := "https://"+started["listen"].(string), "http://"+started["admin"].(string)
	for _, path := range []string{"/v1/chat/completions", "/v1/nowhere"} {
		resp, err := caller.Post(client+path, "application/json", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	// The first look for the model server is taken beside the start.
	for ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute); ; {
		text := readMetrics(ctx, t, admin)
		if strings.Contains(text, "noecho_upstream_up{") {
			cancel()
			return text
		}
	}
}

func readMetrics(ctx context.Context, t *testing.T, admin string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%d %v", resp.StatusCode, err)
	}
	return string(text)
}

// expressions returns every text of a document below a key that Prometheus or Grafana read
// as an expression.
func expressions(v any) (found []string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			found = append(found, expressions(e)...)
		}
	case map[string]any:
		for key, e := range v {
			if s, ok := e.(string); ok && (key == "expr" || key == "query" && strings.Contains(s, "(")) {
				found = append(found, s)
			}
			found = append(found, expressions(e)...)
		}
	}
	return found
}

// TestExports compares the metrics that noecho exports with those that the dashboard and the
// rules in configs/ ask for.
func TestExports(t *testing.T) {
	t.Parallel()
	metrics := exported(t)
	all := readSeries(metrics)
	if len(all["noecho_leaks_total"]["lane"]) == 0 || all["noecho_missed_paths_total"] == nil {
		t.Fatalf("%d metrics", len(all))
	}
	for name, parse := range map[string]func([]byte, any) error{
		"grafana/dashboard.json": json.Unmarshal,
		"prometheus/rules.yml":   func(b []byte, v any) error { return yaml.Load(b, v) },
	} {
		text, err := os.ReadFile("../../configs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := parse(text, &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := expressions(doc)
		if len(found) < 10 {
			t.Errorf("%s: %d expressions", name, len(found))
		}
		for _, expr := range found {
			if err := all.check(expr); err != nil {
				t.Errorf("%s: %s: %v", name, expr, err)
			}
		}
	}
	t.Run("promtool", func(t *testing.T) { promtool(t, metrics) })
}

// promtool lets Prometheus' own tool read the metrics and the rules, and run the tests of
// the rules.
func promtool(t *testing.T, metrics string) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool: apt-get install prometheus")
	}
	const dir = "../../configs/prometheus/"
	for _, args := range [][]string{{"check", "metrics"}, {"check", "rules", dir + "rules.yml"}, {"test", "rules", dir + "rules_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Stdin = strings.NewReader(metrics)
		if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("FAILED")) {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestExportsSees makes sure that the check of expressions can fail.
func TestExportsSees(t *testing.T) {
	t.Parallel()
	all := readSeries("# TYPE noecho_a counter\nnoecho_a{lane=\"plain\",kind=\"near\"} 0\nnoecho_a{lane=\"base64\",kind=\"near\"} 0\nnoecho_b 1e+06\n")
	for expr, want := range map[string]string{
		`sum by (lane, job) (rate(noecho_a{kind="near",lane!~"plain|base64",job=~"$job"}[5m])) > 0`: "",
		`noecho_b == 0`:                     "",
		`rate(noecho_c[5m])`:                "no metric noecho_c",
		`noecho_b{lane="plain"}`:            "no label lane",
		`noecho_a{lane=~"plain|hex"}`:       `lane="hex"`,
		`sum by (action) (noecho_a)`:        "label action",
		`noecho_a / on (sink) noecho_b > 1`: "label sink",
	} {
		err := all.check(expr)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}
