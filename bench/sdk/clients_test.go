package sdk

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

// told is what a client made of one call, as the programs in js and py print it.
type told struct {
	API, Model, How              string // How is whole or stream
	Text, Thinking, Tool, Finish string
	Error, Name                  string
	Status                       int
	Asked                        int // requests that reached the model
}

// filteredFinish is how each API, and each client that has words of its own, says that a stream was filtered.
var filteredFinish = map[string]string{
	"openai.chat":        "content_filter",
	"openai.responses":   "content_filter",
	"anthropic.messages": "refusal",
	"gemini":             "RECITATION",
	"mistral.chat":       "content_filter",
	"cohere.chat":        "ERROR",
	"ollama.chat":        "content_filter",
	"ollama.generate":    "content_filter",
	"bedrock.converse":   "guardrail_intervened",

	"vercel.chat":       "content-filter",
	"vercel.responses":  "content-filter",
	"vercel.compatible": "content-filter",
	"vercel.messages":   "content-filter",

	"langchain.chat":      "content_filter",
	"langchain.responses": "content_filter",
	"langchain.messages":  "refusal",

	"litellm.messages": "max_tokens", // of a response that is not complete
}

// What the model says besides what it says to openai-go.
const (
	thought      = "Let me look at my notes. "
	letterTool   = `{"urgent":true,"text":"` + letter + `","copies":2}`
	redactedTool = `{"urgent":true,"text":"` + mask + `","copies":2}`
)

// TestJavaScript drives noecho with the official JavaScript clients.
func TestJavaScript(t *testing.T) {
	t.Parallel()
	needNode(t)
	testClients(t, run("node", "js/clients.mjs"))
}

// TestVercel drives noecho with the Vercel AI SDK.
func TestVercel(t *testing.T) {
	t.Parallel()
	needNode(t)
	testClients(t, run("node", "js/vercel.mjs"))
}

func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "needs node")
	}
	if _, err := os.Stat("js/node_modules"); err != nil {
		missing(t, "needs the clients: npm ci --ignore-scripts in bench/sdk/js")
	}
}

// TestPython drives noecho with the official Python clients.
func TestPython(t *testing.T) {
	t.Parallel()
	testClients(t, run(python(t), "py/clients.py"))
}

// TestLangChain drives noecho with LangChain.
func TestLangChain(t *testing.T) {
	t.Parallel()
	testClients(t, run(python(t), "py/langchain_clients.py"))
}

func python(t *testing.T) string {
	t.Helper()
	const python = "py/venv/bin/python"
	if _, err := os.Stat(python); err != nil {
		missing(t, "needs the clients: make clients")
	}
	return python
}

// missing skips a test that lacks what it runs on. Where everything has to run,
// it fails.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// run returns what a program prints that calls noecho with every client it has.
func run(interpreter, script string) func(t *testing.T, base string, m model) []told {
	return func(t *testing.T, base string, m model) []told {
		cmd := exec.CommandContext(deadline(t), interpreter, script)
		cmd.Env = append(os.Environ(), "NOECHO="+base, "ASKED="+m.url+"/asked", "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s%s", script, err, out, &stderr)
		}
		var all []told
		for line := range bytes.Lines(out) {
			var got told
			if err := json.Unmarshal(line, &got); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			all = append(all, got)
		}
		return all
	}
}

// testClients has clients call noecho in each mode and compares what they tell.
func testClients(t *testing.T, clients func(t *testing.T, base string, m model) []told) {
	p := newProgram(t)
	for _, mode := range []string{"without", "observe", "redact", "block"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			m := p.model(t, script())
			g := guard{url: m.url}
			if mode != "without" {
				g = p.serve(t, mode, m.url)
			}
			all := clients(t, g.url, m)
			for _, got := range all {
				got.check(t, mode)
			}
			if len(all) < 8 {
				t.Errorf("%d calls", len(all))
			}
		})
	}
}

// script has the answers of the models of these tests, by their names.
func script() map[string][]choice {
	return map[string][]choice{
		"clean":    {{Content: clean}},
		"leak":     {{Content: before + letter + after}},
		"thinking": {{Reasoning: thought + letter + after, Content: clean}},
		"tool":     {{ToolCalls: []call{{Name: "send_letter", Arguments: letterTool}}}},
	}
}

// check fails if a client did not get what it ought to.
func (c told) check(t *testing.T, mode string) {
	t.Helper()
	fail := func(what string) { t.Errorf("%s: %+v", what, c) }
	if c.Asked != 1 {
		fail("the model was not asked once")
	}
	leaks := c.Model != "clean" && !c.silent()
	if mode == "block" && leaks {
		c.checkBlocked(fail)
		return
	}
	want := told{Text: clean}
	switch c.Model {
	case "leak":
		want.Text = before + letter + after
	case "thinking":
		want.Thinking = thought + letter + after
	case "tool":
		want.Text, want.Tool = "", letterTool
	}
	if mode == "redact" {
		want.Text, want.Thinking = strings.ReplaceAll(want.Text, letter, mask), strings.ReplaceAll(want.Thinking, letter, mask)
		want.Tool = strings.ReplaceAll(want.Tool, letterTool, redactedTool)
	}
	if c.silent() {
		want.Thinking, want.Tool = "", ""
	}
	if c.Error != "" || squeezed(c.Text) != want.Text || squeezed(c.Thinking) != want.Thinking || !equalJSON(c.Tool, want.Tool) {
		fail("not what the model said")
	}
	if c.Finish == "" || c.Finish == filteredFinish[c.API] {
		fail("no usual end")
	}
}

// silent reports whether the client has no place for what the model says beside
// its text.
func (c told) silent() bool {
	return c.Model == "tool" && c.API == "ollama.generate"
}

// checkBlocked wants an error for an answer in one piece and a clean prefix with
// the API's own ending for a stream.
func (c told) checkBlocked(fail func(string)) {
	if c.How == "whole" {
		if c.Status != 400 || !strings.Contains(c.Error, "withheld") {
			fail("no clear refusal")
		}
		return
	}
	if c.Error != "" || c.Finish != filteredFinish[c.API] {
		fail("not ended as the API ends what it filtered")
	}
	for _, text := range []string{c.Text, c.Thinking, c.Tool} {
		if sharesWords(text, letter) {
			fail("it leaks")
		}
	}
	if c.Model == "leak" && strings.TrimSpace(c.Text) != strings.TrimSpace(before) || c.Model == "thinking" && strings.TrimSpace(c.Thinking) != strings.TrimSpace(thought) {
		fail("not the clean prefix")
	}
}

// quoteArguments writes the arguments of a call that came as an object.
func quoteArguments(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// equalJSON reports whether two texts are the same JSON value, or the same text.
func equalJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	return reflect.DeepEqual(x, y)
}

// squeezed is text with single spaces behind a mask: where a client takes no
// empty piece of text, spaces stand for what was cut.
func squeezed(text string) string {
	at := strings.Index(text, mask)
	if at < 0 {
		return text
	}
	at += len(mask)
	if rest := strings.TrimLeft(text[at:], " "); strings.HasPrefix(rest, ".") {
		return text[:at] + rest
	}
	return text
}
