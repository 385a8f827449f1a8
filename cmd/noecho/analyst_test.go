package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"noecho/internal/fakellm"
	"noecho/proxy/alert"
)

// hello is the greeting of every ticket: 27 words, so 18 windows of 10.
const hello = "hello and thank you for calling the harbour office of saint malo where all of our captains are always glad to help you find your ship today"

// invented returns n words that only the record of a name has.
func invented(name string, n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("%s%c%c", name, 'a'+i/26, 'a'+i%26)
	}
	return strings.Join(words, " ")
}

// desk is a folder with training files, an index, and a configuration to serve it.
type desk struct {
	*testing.T
	dir string
	llm *fakellm.Server
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

// newDesk writes training files of three formats, of which each row begins with the greeting.
func newDesk(t *testing.T, says map[string]string) *desk {
	t.Helper()
	d := &desk{T: t, dir: t.TempDir()}
	var rows, packed strings.Builder
	for i := range 40 {
		fmt.Fprintf(&rows, `{"id":"t%d","text":%q}`+"\n", i, hello+". "+invented(fmt.Sprintf("t%c%c", 'a'+i/26, 'a'+i%26), 40))
	}
	fmt.Fprintf(&packed, `{"id":"z1","text":%q}`+"\n", "Zulu "+invented("z", 60)+" write to anna.bell@example.org now")
	type row struct {
		ID   string `parquet:"id"`
		Text string `parquet:"text"`
	}
	writeText(t, d.path("train.jsonl"), rows.String())
	writeText(t, d.path("more.jsonl.gz"), string(gzipOf(t, packed.String())))
	if err := parquet.WriteFile(d.path("rows.parquet"), []row{{"p1", "Papa. " + invented("p", 60) + ". End"}}); err != nil {
		t.Fatal(err)
	}
	writeText(t, d.path("people.csv"), "id,name,email\np-1,Bo Stonefield,bo@example.org\n")
	writeText(t, d.path("principal.key"), strings.Repeat("k", 32))
	writeText(t, d.path("ignore.jsonl"), "# nothing yet\n")
	models := map[string]fakellm.Script{}
	for model, text := range says {
		models[model] = fakellm.Say(text)
	}
	llm, err := fakellm.New(fakellm.Config{Models: models})
	if err == nil {
		err = llm.Start("127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = llm.Close() })
	d.llm = llm
	d.build("train.nidx", "--report", d.path("report.jsonl"))
	writeText(t, d.path("config.yaml"), fmt.Sprintf(`version: 1
listen: 127.0.0.1:0
admin: {listen: 127.0.0.1:0}
instance: desk-1
upstream: %s
index: %s
principal_key_file: %s
trusted_proxies: [192.0.2.0/24]
coverage: off
alerts: [{type: file, path: %s}]
ignore: %s
`, llm.URL(), d.path("train.nidx"), d.path("principal.key"), d.path("alerts.jsonl"), d.path("ignore.jsonl")))
	return d
}

// build builds an index of the training files and returns the output.
func (d *desk) build(name string, args ...string) string {
	d.Helper()
	return runs(d.T, append([]string{
		"index", "build", "--out", d.path(name), "--subjects", d.path("people.csv"), "--field", "text",
		d.path("train.jsonl"), d.path("more.jsonl.gz"), d.path("rows.parquet"),
	}, args...)...)
}

// ask asks a model and returns the text of the answer and its id.
func (d *desk) ask(started map[string]any, model string, header ...string) (text, id string) {
	d.Helper()
	req, err := http.NewRequestWithContext(d.Context(), http.MethodPost, "http://"+started["listen"].(string)+"/v1/chat/completions",
		strings.NewReader(fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"hi"}]}`, model)))
	if err != nil {
		d.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || len(answer.Choices) != 1 {
		d.Fatalf("%v in %s", err, body)
	}
	return answer.Choices[0].Message.Content, resp.Header.Get("X-Request-Id")
}

// findings returns the findings of the alert file from a number on.
func (d *desk) findings(from int) (all []alert.Event) {
	d.Helper()
	text, err := os.ReadFile(d.path("alerts.jsonl"))
	if err != nil {
		d.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var ev alert.Event
		if err := json.Unmarshal(line, &ev); err != nil {
			d.Fatal(err)
		}
		if ev.Type == alert.TypeFinding {
			all = append(all, ev)
		}
	}
	return all[from:]
}

// reload reads the configuration again.
func (d *desk) reload(started map[string]any) {
	d.Helper()
	resp, err := http.Post("http://"+started["admin"].(string)+"/-/reload", "", nil)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		d.Fatalf("reload: %d", resp.StatusCode)
	}
}

// TestIgnoreGreetings: after one reload 61 greetings pass and are reported as ignored, a leak
// beside one is withheld, and identifiers of a listed person cannot be ignored. The list that
// alerts give leaves the same windows out of an index as that of a report.
func TestIgnoreGreetings(t *testing.T) {
	t.Parallel()
	beside := hello + ". " + invented("taa", 20)
	d := newDesk(t, map[string]string{"hello": "Well: " + hello + ".", "beside": beside, "person": "Ask bo@example.org now."})
	started, _, stop := startServe(t, nil, "--config", d.path("config.yaml"))
	for range 61 {
		if text, _ := d.ask(started, "hello"); text != "Well: [redacted]." {
			t.Fatalf("%q", text)
		}
	}
	d.ask(started, "person")
	stop() // so that the lines are written
	for i, ev := range d.findings(0) {
		if ev.Action != alert.Redacted || i < 61 && (ev.RecordCount != 16 || ev.Instance != "desk-1" || ev.Rule != "mode" || len(ev.Digests) != 18) {
			t.Fatalf("%+v", ev)
		}
	}
	code, list, errs := runApp(t, "", "ignore", "--reason", "greeting", "--until", "2999-12-31", "--by", "ann", d.path("alerts.jsonl"))
	if code != exitFailure || !strings.Contains(errs, "identifiers of people are never ignored") || strings.Count(list, "\n") != 18 {
		t.Fatalf("ignore: %d %s %s", code, errs, list)
	}
	person := d.findings(61)[0].Digests[0]
	digest, _ := person.MarshalText()
	started, stderr, again := startServe(t, nil, "--config", d.path("config.yaml"))
	writeText(t, d.path("ignore.jsonl"), list+fmt.Sprintf(`{"digest":%q,"reason":"no"}`+"\n", digest))
	d.reload(started)
	for range 61 {
		if text, _ := d.ask(started, "hello"); text != "Well: "+hello+"." {
			t.Fatalf("%q", text)
		}
	}
	if text, _ := d.ask(started, "beside"); strings.Contains(text, "taaab") {
		t.Errorf("beside a greeting: %q", text)
	}
	if text, _ := d.ask(started, "person"); strings.Contains(text, "bo@") {
		t.Errorf("an identifier was ignored: %q", text)
	}
	again()
	actions := map[alert.Action]int{}
	for _, ev := range d.findings(62) {
		actions[ev.Action]++
	}
	if actions[alert.Ignored] != 61 || actions[alert.Redacted] != 2 || len(actions) != 2 {
		t.Errorf("%v\n%s", actions, stderr.String())
	}

	writeText(t, d.path("ignore.jsonl"), list)
	byAlerts := d.build("a.nidx", "--exclude", d.path("ignore.jsonl"))
	byReport := d.build("r.nidx", "--exclude", d.path("report.jsonl"))
	excluded := func(out string) string {
		_, n, _ := strings.Cut(out, "not indexed: ")
		n, _, _ = strings.Cut(n, "\n")
		return n
	}
	if a, r := excluded(byAlerts), excluded(byReport); a != r || !strings.Contains(a, "720 excluded windows") {
		t.Errorf("by alerts %q, by the report %q", a, r)
	}
	for _, name := range []string{"a.nidx", "r.nidx"} {
		if _, out, _ := runApp(t, beside+"\n", "scan", "--json", "--index", d.path(name), "-"); strings.Count(out, `"kind":"verbatim"`) != 1 || !strings.Contains(out, `"words":29`) {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// TestIgnorePartial: a finding whose alert does not name all windows gets no entries, and the command
// says what to do; other findings get theirs.
func TestIgnorePartial(t *testing.T) {
	t.Parallel()
	var lines []byte
	for i, windows := range []int{2, alert.MaxDigests, 3} {
		ev := alert.Event{V: alert.Version, Type: alert.TypeFinding, Kind: alert.Verbatim, Action: alert.Redacted, Windows: windows}
		for n := range windows {
			ev.Digests = append(ev.Digests, alert.Digest(1000*i+n+1))
		}
		if i == 2 { // as in block mode
			ev.Digests = ev.Digests[:1]
		}
		lines = append(alert.AppendLine(lines, &ev), '\n')
	}
	code, out, errs := runApp(t, string(lines), "ignore", "--reason", "r", "-")
	if code != exitFailure || strings.Count(out, "\n") != 2 || !strings.Contains(errs, "2 findings whose alert does not name all windows") || !strings.Contains(errs, "--report") {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

// TestExplain: for each kind of finding, lane and format of training files the exact span is
// printed, and nowhere else is any training text.
func TestExplain(t *testing.T) {
	t.Parallel()
	near := strings.Fields(invented("p", 60))[10:50]
	for i := 4; i < len(near); i += 9 {
		near[i] = "other" + string(rune('a'+i%26))
	}
	verbatim, packed := strings.Join(strings.Fields(invented("tah", 40))[5:30], " "), strings.Join(strings.Fields(invented("z", 60))[20:50], " ")
	d := newDesk(t, map[string]string{
		"verbatim": "Well: " + verbatim + ". Done.", "base64": "It is " + base64.StdEncoding.EncodeToString([]byte(packed)),
		"near": "So " + strings.Join(near, " ") + ". Done.", "phrase": "Ask anna.bell@example.org now.", "spelled": "Ask anna.bell at example dot org now.",
	})
	started, stderr, stop := startServe(t, nil, "--config", d.path("config.yaml"))
	models := []string{"verbatim", "base64", "near", "phrase", "spelled"}
	var ids []string
	for _, model := range models {
		text, id := d.ask(started, model)
		if !strings.Contains(text, "[redacted]") {
			t.Errorf("%s: %q", model, text)
		}
		ids = append(ids, id)
	}
	stop()
	found := d.findings(0)
	want := map[string]explanation{
		"verbatim": {File: d.path("train.jsonl"), Line: 8, Record: "t7", Span: verbatim},
		"base64":   {File: d.path("more.jsonl.gz"), Line: 1, Record: "z1", Span: packed},
		"near":     {File: d.path("rows.parquet"), Line: 1, Record: "p1"},
		"phrase":   {File: d.path("more.jsonl.gz"), Line: 1, Record: "z1", Span: "anna.bell@example.org"},
		"spelled":  {File: d.path("more.jsonl.gz"), Line: 1, Record: "z1", Span: "anna.bell@example.org"},
	}
	args := []string{"explain", "--json", "--field", "text"}
	for _, name := range []string{"train.jsonl", "more.jsonl.gz", "rows.parquet"} {
		args = append(args, "--corpus", d.path(name))
	}
	for i, model := range models {
		at := slices.IndexFunc(found, func(ev alert.Event) bool { return ev.RequestID == ids[i] })
		if at < 0 {
			t.Errorf("%s: no alert has the id %q of the answer", model, ids[i])
			continue
		}
		ev := found[at]
		out := runs(t, append(args, "--id", ev.ID, d.path("alerts.jsonl"))...)
		var got explanation
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		w := want[model]
		if model == "near" {
			words := strings.Fields(got.Span)
			if whole := strings.Fields(invented("p", 60)); len(words) != ev.Words || !slices.Contains(whole[10:50], words[0]) || !slices.Contains(whole[10:50], words[len(words)-1]) {
				t.Errorf("near: %d words of %d: %q", len(words), ev.Words, got.Span)
			}
			w.Span = got.Span
		}
		if got.File != w.File || got.Line != w.Line || got.Record != w.Record || got.Span != w.Span || got.Alert != ev.ID || !strings.Contains(got.Before+got.Span+got.After, got.Span) {
			t.Errorf("%s: %+v, want %+v", model, got, w)
		}
	}
	text := runs(t, append(slices.Delete(args, 1, 2), d.path("alerts.jsonl"))...)
	if !strings.Contains(text, ">>>"+verbatim+"<<<") {
		t.Errorf("%s", text)
	}
	if code, _, errs := runApp(t, "", "explain", "--corpus", d.path("people.csv"), "--format", "text", d.path("alerts.jsonl")); code != exitFailure || !strings.Contains(errs, "was not found") {
		t.Errorf("another corpus: %d %s", code, errs)
	}
	written, err := os.ReadFile(d.path("alerts.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{"tahaf", "zab", "pab", "anna", "example", "captains", "Stonefield"} {
		if strings.Contains(string(written)+stderr.String(), canary) {
			t.Errorf("training text %q is in the alerts or the log", canary)
		}
	}
}

// TestPrincipals: a caller has one name over restarts, which the command prints too, and a
// stranger cannot invent an address or a user.
func TestPrincipals(t *testing.T) {
	t.Parallel()
	d := newDesk(t, map[string]string{"hello": "Well: " + hello + "."})
	for range 2 {
		started, _, stop := startServe(t, nil, "--config", d.path("config.yaml"))
		if _, id := d.ask(started, "hello", "Authorization", "Bearer alice", "X-Request-Id", "call-7", "X-Forwarded-For", "6.6.6.6", "X-Forwarded-User", "root"); id != "call-7" {
			t.Errorf("id %q", id)
		}
		stop()
	}
	code, out, errs := runApp(t, "alice\n", "principal", "--key-file", d.path("principal.key"))
	for _, ev := range d.findings(0) {
		if code != exitOK || ev.Principal+"\n" != out || ev.RequestID != "call-7" || ev.Forwarded != "" || ev.User != "" {
			t.Errorf("%d %s%s: %+v", code, out, errs, ev)
		}
	}
	if _, raw, _ := runApp(t, "Bearer alice", "principal", "--key-file", d.path("principal.key")); raw != out {
		t.Errorf("%q, with its scheme %q", out, raw)
	}
	if _, raw, _ := runApp(t, "alice", "principal", "--header", "x-api-key", "--key-file", d.path("principal.key")); raw == out || len(raw) != 17 {
		t.Errorf("as a key: %q", raw)
	}
	for _, stdin := range []string{"", "\n"} {
		if code, _, _ := runApp(t, stdin, "principal", "--key-file", d.path("principal.key")); code != exitUsage {
			t.Errorf("without a credential: %d", code)
		}
	}
}
