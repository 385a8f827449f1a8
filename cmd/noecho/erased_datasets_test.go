package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeErasedInManyDatasets suppresses an address that is in more than 100 records of each
// of three datasets, one of which the rules let pass and one of which they redact. With the
// suppression index it is blocked in every mode, whichever index comes first, and also if the
// datasets are one merged index or one built index; the alert names the request. A sentence of
// a template in the same rows is not blocked.
func TestServeErasedInManyDatasets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var names, inputs []string
	for _, name := range []string{"public", "internal", "other"} {
		var rows strings.Builder
		for i := range 120 {
			fmt.Fprintf(&rows, `{"messages":[{"role":"user","content":"write to bo@example.org about order %d"},{"role":"assistant","content":%q}]}`+"\n", i, greeting)
		}
		fmt.Fprintf(&rows, `{"messages":[{"role":"user","content":"write to al@example.org"},{"role":"assistant","content":%q}]}`+"\n", greeting)
		writeText(t, path(name+".jsonl"), rows.String())
		runs(t, "index", "build", "--capacity", "5000", "--label", name, "--out", path(name+".nidx"), path(name+".jsonl"))
		names, inputs = append(names, path(name+".nidx")), append(inputs, path(name+".jsonl"))
	}
	runs(t, append([]string{"index", "merge", "--out", path("merged.nidx")}, names...)...)
	runs(t, append([]string{"index", "build", "--out", path("built.nidx")}, inputs...)...)
	query := writeText(t, path("request.json"), `{"email":"Bo@Example.org"}`)
	corpus := []string{"erase", "suppress", erasedRequest, "--out", path("suppress.nidx"), "--query", query, "--records", writeText(t, path("rows.jsonl"), firstLines(t, inputs, 120))}
	for _, input := range inputs {
		corpus = append(corpus, "--corpus", input)
	}
	runs(t, corpus...)
	for _, input := range append(inputs, query, path("rows.jsonl")) { // the sources may go
		if err := os.Remove(input); err != nil {
			t.Fatal(err)
		}
	}
	llm := startModel(t, "Ask bo@example.org now.")
	template := startModel(t, "He said: "+greeting+". Nice.")
	for _, order := range [][]string{
		{"public", "internal", "other", "suppress"},
		{"suppress", "other", "internal", "public"},
		{"internal", "suppress", "public", "other"},
		{"merged", "suppress"},
		{"suppress", "merged"},
		{"suppress", "built"},
		{"built", "suppress"},
	} {
		config := "version: 1\nindex:\n"
		for _, name := range order {
			config += fmt.Sprintf("- path: %q\n", path(name+".nidx"))
		}
		config += "rules:\n- {when: {label: public}, action: observe}\n- {when: {dataset: public.jsonl}, action: observe}\n- {action: redact}\n"
		for _, mode := range []string{"observe", "redact", "block"} {
			alerts := filepath.Join(t.TempDir(), "alerts.jsonl")
			args := []string{"serve", "--config", writeText(t, path("noecho.yaml"), config), "--upstream", llm.URL(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--mode", mode, "--alerts", alerts}
			bodies := askServed(t, args, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
			written := string(readFile(t, alerts))
			for _, body := range bodies {
				if !strings.Contains(body, "content_filter") || strings.Contains(body, "bo@") || strings.Contains(body, "example.org") {
					t.Errorf("mode %s, order %v: %s", mode, order, body)
				}
			}
			if strings.Count(written, `"action":"blocked"`) != 2 || strings.Count(written, `"`+erasedRequest+`"`) < 2 {
				t.Errorf("mode %s, order %v: alerts %s", mode, order, written)
			}
		}
		args := []string{"serve", "--config", path("noecho.yaml"), "--upstream", template.URL(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--mode", "observe"}
		if bodies := askServed(t, args, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`); !strings.Contains(bodies[0], "He said: [redacted]. Nice.") { // by the rules of the corpus alone
			t.Errorf("order %v: the template became %s", order, bodies[0])
		}
	}
}

// firstLines returns the first lines of files.
func firstLines(t *testing.T, paths []string, n int) string {
	t.Helper()
	var b strings.Builder
	for _, path := range paths {
		for _, line := range strings.SplitAfterN(string(readFile(t, path)), "\n", n+1)[:n] {
			b.WriteString(line)
		}
	}
	return b.String()
}
