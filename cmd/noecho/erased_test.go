package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/internal/fakellm"
)

// greeting is a sentence of a template: the rows of all people have it.
const greeting = "thank you for your order we will send it to you within the next three working days"

const erasedRequest = "01JD0000000000000000000000"

// TestServeErased runs the commands of docs/suppression.md and serves the suppression index
// beside the index of the corpus, of which each has a key of its own. An address that is in
// more than 100 rows, a text and a name of the person are blocked in every mode and in both
// orders of the indexes, streamed or not; texts of other people and the template are not.
func TestServeErased(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var own, all strings.Builder
	for i := range 120 {
		row := fmt.Sprintf(`{"messages":[{"role":"user","content":"write to bo@example.org about order %d"},{"role":"assistant","content":%q}]}`+"\n", i, greeting+" number "+fmt.Sprint(i)+" yours agent@example.org")
		own.WriteString(row)
		all.WriteString(row)
		fmt.Fprintf(&all, `{"messages":[{"role":"user","content":"write to p%d@example.org"},{"role":"assistant","content":%q}]}`+"\n", i, greeting)
	}
	fmt.Fprintf(&own, `{"messages":[{"role":"user","content":%q}]}`+"\n", recited)
	fmt.Fprintf(&all, `{"messages":[{"role":"user","content":%q}]}`+"\n"+`{"messages":[{"role":"user","content":%q}]}`+"\n", other, recited)
	writeText(t, path("rows.jsonl"), own.String())
	writeText(t, path("train.jsonl"), all.String())
	writeText(t, path("request.json"), `{"email":"BO@example.org","name":"Bo Stonefield"}`)
	writeText(t, path("later.json"), `{"phone":"+49 30 90182077"}`)
	for _, key := range []string{"train.key", "suppress.key"} {
		runs(t, "index", "newkey", path(key))
	}
	runs(t, "index", "build", "--out", path("train.nidx"), "--key-file", path("train.key"), path("train.jsonl"))
	runs(t, "erase", "suppress", erasedRequest, "--out", path("suppress.nidx"), "--key-file", path("suppress.key"),
		"--query", path("request.json"), "--records", path("rows.jsonl"), "--corpus", path("train.jsonl"))
	runs(t, "erase", "suppress", erasedRequest, "--out", path("suppress.nidx"), "--key-file", path("suppress.key"), "--query", path("later.json"))
	for _, name := range []string{"rows.jsonl", "train.jsonl", "request.json", "later.json"} { // the sources may go
		if err := os.Remove(path(name)); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 5 {
		t.Errorf("%v are left, %v", left, err)
	}
	written, err := os.ReadFile(path("suppress.nidx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{"bo@", "example", "Stonefield", "90182077", "rows.jsonl:1"} {
		if strings.Contains(strings.ToLower(string(written)), strings.ToLower(personal)) {
			t.Errorf("the suppression index contains %q", personal)
		}
	}
	said := map[string]string{ // to the parts of them that may be sent
		"Ask bo@example.org now.":          "Ask ",
		"It was Bo Stonefield who came.":   "It was ",
		"Call 030 90182077 please.":        "Call ",
		"He wrote: " + recited + ". Nice.": "He wrote: ",
	}
	clean := []string{"He said: " + greeting + ". Nice.", "Nothing to see here.", "Ask agent@example.org now.", "He wrote: " + other + "."}
	for text, sent := range said {
		serveErased(t, dir, text, sent)
	}
	for _, text := range clean {
		serveErased(t, dir, text, text)
	}
}

// serveErased asks a model that always says a text, in every mode and both orders of the
// indexes. In the mode redact the text of the corpus alone is redacted, so clean is compared
// in observe mode only.
func serveErased(t *testing.T, dir, text, sent string) {
	t.Helper()
	llm := startModel(t, text)
	blocked := sent != text
	for _, mode := range []string{"observe", "redact", "block"} {
		if !blocked && mode != "observe" {
			continue
		}
		for _, order := range [][]string{{"train", "suppress"}, {"suppress", "train"}} {
			alerts := filepath.Join(t.TempDir(), "alerts.jsonl")
			args := []string{"serve", "--upstream", llm.URL(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--mode", mode, "--alerts", alerts}
			for _, name := range order {
				args = append(args, "--index", filepath.Join(dir, name+".nidx"), "--key-file", filepath.Join(dir, name+".key"))
			}
			bodies := askServed(t, args, `{"model":"m","messages":[{"role":"user","content":"hi"}]}`, `{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
			written, err := os.ReadFile(alerts)
			if err != nil {
				t.Fatal(err)
			}
			if !blocked {
				if !strings.Contains(bodies[0], text) || strings.Contains(string(written), `"action":"blocked"`) {
					t.Errorf("mode %s, order %v: %q became %s, with %s", mode, order, text, bodies[0], written)
				}
				continue
			}
			if !strings.Contains(bodies[0], "content_filter") || strings.Contains(bodies[0], sent) || strings.Contains(bodies[1], text[len(sent):len(sent)+4]) {
				t.Errorf("mode %s, order %v: %q became %s and %s", mode, order, text, bodies[0], bodies[1])
			}
			if strings.Count(string(written), `"action":"blocked"`) != 2 || strings.Count(string(written), `"`+erasedRequest+`"`) < 2 {
				t.Errorf("mode %s, order %v: alerts %s", mode, order, written)
			}
		}
	}
}

// askServed runs noecho serve, sends chat requests, and returns the bodies of the answers.
func askServed(t *testing.T, args []string, requests ...string) (bodies []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stderr := newSyncBuffer()
	a := &app{stdin: strings.NewReader(""), stdout: io.Discard, stderr: stderr, getenv: func(string) string { return "" }}
	ended := make(chan int, 1)
	go func() { ended <- a.run(ctx, args) }()
	started := stderr.line(t, "serving")
	for _, request := range requests {
		resp, err := http.Post("http://"+started["listen"].(string)+"/v1/chat/completions", "application/json", strings.NewReader(request))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(body))
	}
	cancel()
	if code := <-ended; code != exitOK {
		t.Errorf("exit %d: %s", code, stderr.String())
	}
	return bodies
}

// TestErasedEverySplit finds the rows of a person, who is in more than 100 records of two datasets,
// suppresses them and deletes the files. Then an answer with the address is blocked in every mode and
// in every order of the indexes, wherever the stream is cut.
func TestErasedEverySplit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, set := range []string{"public", "tickets"} {
		var rows strings.Builder
		for i := range 60 {
			fmt.Fprintf(&rows, `{"text":"write to bo@example.org about %s %d. %s"}`+"\n", set, i, greeting)
		}
		fmt.Fprintf(&rows, `{"text":"write to ann@example.org about %s. %s"}`+"\n", set, greeting)
		writeText(t, path(set+".jsonl"), rows.String())
		runs(t, "index", "build", "--out", path(set+".nidx"), "--dataset", set, "--label", set, path(set+".jsonl"))
	}
	writeText(t, path("request.json"), `{"email":"bo@example.org"}`)
	runs(t, "erase", "suppress", erasedRequest, "--out", path("suppress.nidx"), "--query", path("request.json"), "--corpus", path("public.jsonl"), "--corpus", path("tickets.jsonl"))
	for _, name := range []string{"public.jsonl", "tickets.jsonl", "request.json"} {
		if err := os.Remove(path(name)); err != nil {
			t.Fatal(err)
		}
	}
	const said, sent = "Ask BO@example.org now, and soon. " + greeting + ".", "Ask "
	models := map[string]fakellm.Script{"template": fakellm.Say("He said: " + greeting + ".")}
	requests := []string{`{"model":"template","stream":true,"messages":[{"role":"user","content":"hi"}]}`}
	for size := 1; size < len(sent)+len("BO@example.org")+2; size++ {
		script, model := fakellm.Say(said), fmt.Sprintf("m%d", size)
		script.Chunking = fakellm.Chunking{Unit: fakellm.Chars, Size: size}
		models[model] = script
		requests = append(requests, fmt.Sprintf(`{"model":%q,"stream":true,"messages":[{"role":"user","content":"hi"}]}`, model))
	}
	llm := startScripts(t, fakellm.Config{Models: models})
	for _, mode := range []string{"observe", "redact", "block"} {
		for _, order := range [][]string{{"public", "suppress", "tickets"}, {"tickets", "suppress", "public"}, {"suppress", "public", "tickets"}} {
			alerts := filepath.Join(t.TempDir(), "alerts.jsonl")
			args := []string{"serve", "--upstream", llm.URL(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--mode", mode, "--alerts", alerts}
			for _, name := range order {
				args = append(args, "--index", path(name+".nidx"))
			}
			bodies := askServed(t, args, requests...)
			if mode == "observe" && strings.Contains(bodies[0], "content_filter") {
				t.Errorf("order %v: the template became %s", order, bodies[0])
			}
			for i, body := range bodies[1:] {
				if !strings.Contains(body, "content_filter") || strings.Contains(body, "example") || strings.Contains(body, "BO@") {
					t.Errorf("mode %s, order %v, pieces of %d letters: %s", mode, order, i+1, body)
				}
			}
			written := string(readFile(t, alerts))
			if n := strings.Count(written, `"`+erasedRequest+`"`); n < len(bodies)-1 {
				t.Errorf("mode %s, order %v: %d alerts name the request: %s", mode, order, n, written)
			}
		}
	}
}
