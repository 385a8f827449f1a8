package proxy

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/internal/fakellm"
	"noecho/internal/windowset"
	"noecho/ngram"
	"noecho/proxy/alert"
	"noecho/proxy/config"
	"noecho/proxy/policy"
)

// storyWords returns words that no other record of a test has.
func storyWords(name string, from, to int) string {
	words := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		words = append(words, fmt.Sprintf("%s%c%c", name, 'a'+i/26, 'a'+i%26))
	}
	return strings.Join(words, " ")
}

// storyOpen opens an index of two datasets: tickets, labelled pii, with the record
// t1, and board, labelled restricted, with the record b1. Each has 60 words, t1 also an
// e-mail address behind them.
func storyOpen(t testing.TB) func(*config.Config) (Indexes, error) {
	t.Helper()
	dir := t.TempDir()
	build := func(dataset, label, id, text string) *index.Index {
		in, out := filepath.Join(dir, dataset+".jsonl"), filepath.Join(dir, dataset+".nidx")
		if err := os.WriteFile(in, fmt.Appendf(nil, `{"id":%q,"text":%q}`+"\n", id, text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := build.Build(context.Background(), build.Options{
			Out: out, Inputs: []string{in}, N: 10, Dataset: dataset, Labels: []string{label}, Workers: 1,
			Corpus: corpus.Options{Fields: []string{"text"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ix, err := index.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ix.Close() })
		return ix
	}
	j, err := index.Join(
		build("tickets", "pii", "t1", storyWords("ticket", 0, 60)+" sarah.okafor@example.com"),
		build("board", "restricted", "b1", storyWords("board", 0, 60)))
	if err != nil {
		t.Fatal(err)
	}
	return opens(j)
}

// opens returns a function that opens an index as the program does, with its records.
func opens(j *index.Index) func(*config.Config) (Indexes, error) {
	return func(*config.Config) (Indexes, error) {
		return Indexes{
			Set: j, Spec: j.Spec(), Records: policy.Records{
				Labels: []string{"pii", "restricted"}, Length: j.RecordWords,
				Record: func(p ngram.Place) (alert.Record, bool) {
					r, ok := j.Record(p)
					return alert.Record{ID: r.ID, Dataset: r.Dataset, Labels: r.Labels}, ok
				},
			},
			Files: []IndexInfo{{Path: "test.nidx", BuildID: "0123456789abcdef"}},
		}, nil
	}
}

// storyBed serves the answer of says for each model, under a configuration in YAML.
func storyBed(t testing.TB, text string, says map[string]string) *bed {
	t.Helper()
	models := map[string]fakellm.Script{}
	for model, text := range says {
		models[model] = fakellm.Say(text)
	}
	file, err := config.Load("x", []byte("version: 1\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	cfg := bedConfig(t, recite(t, fakellm.Config{Models: models}).URL())
	cfg.Mode, cfg.Rules, cfg.Extent, cfg.Lanes = file.Mode, file.Rules, file.Extent, file.Lanes
	cfg.Budget, cfg.Coverage, cfg.PrincipalKeyFile, cfg.Ignore = file.Budget, file.Coverage, file.PrincipalKeyFile, file.Ignore
	return newBed(t, Options{Config: cfg, Open: storyOpen(t)})
}

// story asks a model and returns the status and the text of the answer, as [chatText] does.
func (b *bed) story(model, key string, streamed bool) (status int, text string) {
	b.t.Helper()
	body := fmt.Sprintf(`{"model":%q,"stream":%t,"messages":[{"role":"user","content":"hi"}]}`, model, streamed)
	status, _, answer, err := b.do("POST", chatPath, body, "Authorization", "Bearer "+key)
	if err != nil {
		b.t.Fatal(err)
	}
	return status, chatText(b.t, answer)
}

// TestRules uses real sockets, streamed and not: a finding has the action of the first rule that
// fits its record, the model and the caller.
func TestRules(t *testing.T) {
	t.Parallel()
	ticket, board := storyWords("ticket", 10, 22), storyWords("board", 10, 22)
	says := map[string]string{
		"ticket": "Well: " + ticket + ". Done.",
		"board":  "Well: " + board + ". Done.",
		"mail":   "Well: sarah.okafor@example.com. Done.",
		"both":   "Well: " + ticket + ". And: " + board + ". Done.",
	}
	const masked, cut = "Well: [redacted]. Done.", "Well: "
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	alice := keyedHex([]byte(strings.Repeat("k", 32)), []byte("Bearer alice"))
	for _, tt := range []struct {
		name, config, model string
		want                string // the text, up to the finding if it is blocked
		actions             string // of the findings, in order
	}{
		{"none", "", "ticket", masked, "redacted"},
		{"restricted", "", "board", cut, "blocked"},
		{"restricted behind another", "", "both", "Well: [redacted]. And: ", "redacted blocked"},
		{"restricted, observed", "mode: observe", "board", says["board"], "observed"},
		{"restricted, but a rule", "rules: [{when: {label: restricted}, action: redact}]", "board", masked, "redacted"},
		{"dataset let go", "rules: [{when: {dataset: tickets}, action: observe}]", "ticket", says["ticket"], "observed"},
		{"one let go, one blocked", "rules: [{when: {dataset: tickets}, action: observe}]", "both", "Well: " + ticket + ". And: ", "observed blocked"},
		{"label in observe mode", "mode: observe\nrules: [{when: {label: restricted}, action: redact}]", "both", "Well: " + ticket + ". And: [redacted]. Done.", "observed redacted"},
		{"nothing to act on", "mode: observe\nrules: [{when: {label: none}, action: block}]", "both", says["both"], "observed observed"},
		{"model", "rules: [{when: {model: \"t*\"}, action: block}]", "ticket", cut, "blocked"},
		{"another model", "rules: [{when: {model: \"x*\"}, action: block}]", "ticket", masked, "redacted"},
		{"long", "rules: [{when: {min_words: 12}, action: block}, {action: observe}]", "ticket", cut, "blocked"},
		{"not long", "rules: [{when: {min_words: 13}, action: block}, {action: observe}]", "ticket", says["ticket"], "observed"},
		{"principal", "principal_key_file: " + key + "\nrules: [{when: {principal: " + alice + "}, action: block}]", "ticket", cut, "blocked"},
		{"another principal", "principal_key_file: " + key + "\nrules: [{when: {principal: 0123456789abcdef}, action: block}]", "ticket", masked, "redacted"},
		{"identifier", "", "mail", masked, "redacted"},
		{"identifier that blocks", "rules: [{when: {identifier: [phone, email], label: pii}, action: block}]", "mail", cut, "blocked"},
		{"another identifier", "rules: [{when: {identifier: phone}, action: block}]", "mail", masked, "redacted"},
		{"sentence", "extent: sentence", "ticket", "[redacted]Done.", "redacted"},
		{"rest", "extent: rest", "ticket", "Well: [redacted]", "redacted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := storyBed(t, tt.config, says)
			whole, streamed, status := tt.want+"[stop]", tt.want+"[stop][DONE]", http.StatusOK
			if strings.HasSuffix(tt.actions, "blocked") {
				whole, streamed, status = "[error content_filter]", tt.want+"[content_filter][DONE]", http.StatusBadRequest
			}
			if got, text := b.story(tt.model, "alice", false); got != status || text != whole {
				t.Errorf("unstreamed: %d %q, want %d %q", got, text, status, whole)
			}
			if got, text := b.story(tt.model, "alice", true); got != 200 || text != streamed {
				t.Errorf("streamed: %d %q, want %q", got, text, streamed)
			}
			b.stop()
			var actions []string
			for _, line := range b.alertLines("finding") {
				actions = append(actions, line["action"].(string))
				if mail := tt.model == "mail"; mail != (line["severity"] == "critical") || mail != (line["identifier"] == "email") || mail != (line["kind"] == "phrase") {
					t.Errorf("severity %v, kind %v, identifier %v", line["severity"], line["kind"], line["identifier"])
				}
				records := line["records"].([]any)
				if len(records) != 1 {
					t.Fatalf("records %v", records)
				}
				if r := records[0].(map[string]any); r["id"] != "t1" && r["id"] != "b1" {
					t.Errorf("record %v", r)
				}
			}
			if got, want := strings.Join(actions, " "), tt.actions+" "+tt.actions; got != want {
				t.Errorf("findings %s, want %s", got, want)
			}
		})
	}
}

// TestUnreadIsReported: text that is encoded more deeply than the lanes read is reported,
// also if the answer only leaves and is read afterwards.
func TestUnreadIsReported(t *testing.T) {
	t.Parallel()
	text := storyWords("ticket", 0, 12)
	for range 3 {
		text = base64.StdEncoding.EncodeToString([]byte(text))
	}
	for _, mode := range []string{"observe", "redact"} {
		b := storyBed(t, "lanes: all\nmode: "+mode, map[string]string{"m": "So: " + text + " End."})
		for _, streamed := range []bool{false, true} {
			if status, got := b.story("m", "x", streamed); status != 200 || !strings.HasPrefix(got, "So: "+text) {
				t.Errorf("%s: %d %q", mode, status, got)
			}
		}
		b.stop()
		lines := b.alertLines("unscanned")
		if len(lines) != 2 {
			t.Fatalf("%s: %d alerts", mode, len(lines))
		}
		for _, line := range lines {
			if line["action"] != "passed" || line["mode"] != mode || line["bytes"] != lines[0]["bytes"] {
				t.Errorf("%s: %v", mode, line)
			}
		}
	}
}

// TestRuleRoutes: a rule about a route that is not open is refused, because it would never fit.
func TestRuleRoutes(t *testing.T) {
	t.Parallel()
	f := func(routes []config.Route, path string, ok bool) {
		t.Helper()
		cfg := bedConfig(t, "http://127.0.0.1:1")
		cfg.Routes = routes
		cfg.Rules = []config.Rule{{When: config.When{Routes: []string{path}}}}
		if _, err := Check(cfg, secretOpen(t)); (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
	f(nil, chatPath, true)
	f(nil, "/v1/", true)
	f(nil, "/v1/nothing", false)
	f(nil, "/v1/models", false) // is not scanned
	f(nil, "/v1beta/models/{model}:generateContent", true)
	f([]config.Route{{Path: "/team/"}}, "/team/", true)
	f([]config.Route{{Path: "/team/"}}, "/team/v1/messages", true)
	f([]config.Route{{Path: "/team/"}}, chatPath, false)
}

// TestBudgetTurnsToBlocking: with a budget of two, further findings of a caller are blocked from
// the fourth answer on, those of another caller are not, and there is one alert.
func TestBudgetTurnsToBlocking(t *testing.T) {
	t.Parallel()
	says := map[string]string{"m": "So: " + storyWords("ticket", 0, 12) + ". End."}
	for _, mode := range []string{"redact", "observe"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := storyBed(t, "coverage: off\nbudget: {findings: 2, per: 1h, then: block}\nmode: "+mode, says)
			passes := "So: [redacted]. End.[stop]"
			if mode == "observe" {
				passes = says["m"] + "[stop]"
			}
			for i := range 5 {
				status, text := b.story("m", "thief", false)
				want, code := passes, 200
				if i > 2 && mode != "observe" {
					want, code = "[error content_filter]", 400
				}
				if status != code || text != want {
					t.Errorf("answer %d: %d %q, want %d %q", i, status, text, code, want)
				}
			}
			if status, text := b.story("m", "guest", true); status != 200 || text != passes+"[DONE]" {
				t.Errorf("another caller: %d %q", status, text)
			}
			if n := b.metric("noecho_budgets_exceeded_total", ""); n != 1 {
				t.Errorf("%d budgets exceeded", n)
			}
			if n := b.metric("noecho_leaks_total", `\{.*lane="plain".*\}`); n != 6 {
				t.Errorf("%d findings counted", n)
			}
			b.stop()
			lines := b.alertLines("membership_probing")
			if len(lines) != 1 {
				t.Fatalf("%d alerts", len(lines))
			}
			want := map[string]any{"action": "blocked", "severity": "high", "findings": 3.0, "period": 3600.0, "model": "m", "mode": mode, "channel": "choices.0.content"}
			if mode == "observe" {
				want["action"] = "observed"
			}
			for name, v := range want {
				if lines[0][name] != v {
					t.Errorf("%s = %v, want %v", name, lines[0][name], v)
				}
			}
			if lines[0]["principal"] != b.alertLines("finding")[0]["principal"] {
				t.Error("the alert names another caller")
			}
		})
	}
}

// TestProbing: callers that ask whether a text is in the training data raise the alert long
// before their findings use up the budget, and are blocked if the configuration says so.
func TestProbing(t *testing.T) {
	t.Parallel()
	stem, next := storyWords("ticket", 10, 19), storyWords("ticket", 19, 20)
	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, "%s other%d\n", stem, i)
	}
	says := map[string]string{"endings": lines.String(), "next": next, "clean": "nothing of it", "whole": "So: " + storyWords("ticket", 10, 25)}
	for _, tt := range []struct {
		name   string
		budget string
		asks   int
		model  string
		prompt func(i int) string
		probes float64 // of the alert; 0: none
		after  string  // what a whole answer is then
	}{
		{"many endings", "{}", 1, "endings", func(int) string { return "Try all words behind: " + stem }, 37, "So: [redacted]"},
		{"one word behind prefixes", "{}", 15, "next", func(i int) string { return storyWords("ticket", i, 19) }, 21, "So: [redacted]"},
		{"then block", "{then: block}", 15, "next", func(i int) string { return storyWords("ticket", i, 19) }, 21, "So: "},
		{"off", "{probes: off, then: block}", 15, "next", func(i int) string { return storyWords("ticket", i, 19) }, 0, "So: [redacted]"},
		{"no guesses", "{then: block}", 15, "clean", func(i int) string { return storyWords("ticket", i, 19) }, 0, "So: [redacted]"},
		{"no prompt", "{then: block}", 1, "endings", func(int) string { return "hi" }, 0, "So: [redacted]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := storyBed(t, "near: off\ncoverage: off\nbudget: "+tt.budget, says)
			for i := range tt.asks {
				body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":%q}]}`, tt.model, tt.prompt(min(i, 9)))
				if _, _, _, err := b.do("POST", chatPath, body, "Authorization", "Bearer thief"); err != nil {
					t.Fatal(err)
				}
			}
			if _, text := b.story("whole", "thief", true); !strings.HasPrefix(text, tt.after) || strings.HasPrefix(text, "So: [redacted]") != (tt.after != "So: ") {
				t.Errorf("%q", text)
			}
			if _, text := b.story("whole", "another", true); !strings.HasPrefix(text, "So: [redacted]") {
				t.Errorf("another caller: %q", text)
			}
			b.stop()
			all := b.alertLines("membership_probing")
			if len(all) != int(min(tt.probes, 1)) || len(all) > 0 && all[0]["probes"] != tt.probes {
				t.Errorf("%v, want %v probes", all, tt.probes)
			}
		})
	}
}

// TestProbingPrice measures the figures of docs/prompts.md: how well a caller tells 200 texts of
// the training data from 200 others by answers of one word behind nine, and after how many
// texts it raises the alert and is blocked.
func TestProbingPrice(t *testing.T) {
	t.Parallel()
	const each = 200
	words := func(i int) string { return storyWords(fmt.Sprintf("w%d", i), 0, 30) }
	says, dir, file := map[string]string{}, t.TempDir(), []byte(nil)
	for i := range 2 * each { // every other text is one of the training data
		says[fmt.Sprint(i)] = strings.Fields(words(i))[9]
		if i%2 == 0 {
			file = fmt.Appendf(file, `{"id":"r%d","text":%q}`+"\n", i, words(i))
		}
	}
	in, out := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "a.nidx")
	if err := os.WriteFile(in, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := build.Build(t.Context(), build.Options{Out: out, Inputs: []string{in}, N: 10, Workers: 1, Corpus: corpus.Options{Fields: []string{"text"}}}); err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	for _, tt := range []struct {
		budget            string
		free, told, alert int // texts before the first block; texts told from others; lines of the alert
	}{{"{}", 400, 400, 1}, {"{then: block}", 42, 400, 1}} {
		models := map[string]fakellm.Script{}
		for name, word := range says {
			models[name] = fakellm.Say(word)
		}
		text, err := config.Load("x", []byte("version: 1\nbudget: "+tt.budget))
		if err != nil {
			t.Fatal(err)
		}
		cfg := bedConfig(t, recite(t, fakellm.Config{Models: models}).URL())
		cfg.Budget = text.Budget
		b := newBed(t, Options{Config: cfg, Open: opens(ix)})
		free, told := 2*each, 0
		for i := range 2 * each {
			prefix, _, _ := strings.Cut(words(i), says[fmt.Sprint(i)])
			status, _, answer, err := b.do("POST", chatPath, fmt.Sprintf(`{"model":"%d","messages":[{"role":"user","content":%q}]}`, i, prefix), "Authorization", "Bearer thief")
			if err != nil {
				t.Fatal(err)
			}
			if status == 400 {
				free = min(free, i)
			}
			if hit := status == 400 || !strings.Contains(answer, says[fmt.Sprint(i)]); hit == (i%2 == 0) {
				told++
			}
		}
		b.stop()
		if n := len(b.alertLines("membership_probing")); free != tt.free || told != tt.told || n != tt.alert {
			t.Errorf("%s: %d texts before the first block, %d of %d told, %d alerts", tt.budget, free, told, 2*each, n)
		}
	}
}

// TestBudgetWithinAnAnswer: the budget counts the earlier findings of the same answer.
func TestBudgetWithinAnAnswer(t *testing.T) {
	t.Parallel()
	said := "So: " + storyWords("ticket", 0, 12) + ". And: " + storyWords("ticket", 20, 32) + ". Or: " + storyWords("ticket", 40, 52) + ". End."
	b := storyBed(t, "coverage: off\nbudget: {findings: 1, per: 1h, then: block}", map[string]string{"m": said})
	if _, text := b.story("m", "thief", true); text != "So: [redacted]. And: [redacted]. Or: [content_filter][DONE]" {
		t.Errorf("%q", text)
	}
}

// TestBudgetOverReload: a reload that does not change the budget keeps its counts.
func TestBudgetOverReload(t *testing.T) {
	t.Parallel()
	b := storyBed(t, "budget: {findings: 1, per: 1h, then: block}", map[string]string{"m": "So: " + storyWords("ticket", 0, 12) + "."})
	b.story("m", "thief", false)
	b.story("m", "thief", false)
	if err := b.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	if status, text := b.story("m", "thief", false); status != 400 {
		t.Errorf("%d %s", status, text)
	}
}

// TestEchoesCostNothing: echoes, which the caller itself has sent, do not count for a budget.
func TestEchoesCostNothing(t *testing.T) {
	t.Parallel()
	part := storyWords("ticket", 0, 12)
	b := storyBed(t, "budget: {findings: 1, per: 1h, then: block}\ncoverage: {words: 5, over: 1h}", map[string]string{"m": "So: " + part + "."})
	for range 4 {
		body := fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":%q}]}`, part)
		if status, _, text, err := b.do("POST", chatPath, body, "Authorization", "Bearer x"); err != nil || status != 200 || !strings.Contains(text, part) {
			t.Fatalf("%d %s %v", status, text, err)
		}
	}
	b.stop()
	if n := len(b.alertLines("membership_probing")) + len(b.alertLines("slow_drip")); n != 0 || len(b.alertLines("finding")) != 4 {
		t.Errorf("%d alerts, %d findings", n, len(b.alertLines("finding")))
	}
}

// TestSlowDrip asks for a record piece by piece. One alert comes when too much of the record was
// found, and names it.
func TestSlowDrip(t *testing.T) {
	t.Parallel()
	says := map[string]string{
		"a": "So: " + storyWords("ticket", 0, 12) + ".",
		"b": "So: " + storyWords("ticket", 8, 20) + ".",
		"c": "So: " + storyWords("ticket", 30, 44) + ".",
		"d": "So: " + storyWords("ticket", 44, 60) + ".",
	}
	b := storyBed(t, "coverage: {words: 30, over: 2h}", says)
	for _, model := range []string{"a", "a", "b", "c", "d"} {
		if status, text := b.story(model, "patient", model == "b"); status != 200 || !strings.HasPrefix(text, "So: [redacted].") {
			t.Fatalf("%d %q", status, text)
		}
	}
	if n := b.metric("noecho_slow_drips_total", ""); n != 1 {
		t.Errorf("%d counted", n)
	}
	b.stop()
	lines := b.alertLines("slow_drip")
	if len(lines) != 1 {
		t.Fatalf("%d alerts", len(lines))
	}
	for name, want := range map[string]any{
		"action": "redacted", "severity": "high", "model": "c", "words": 34.0, "record_words": 64.0, "requests": 3.0, "several": false, "period": 7200.0,
	} {
		if lines[0][name] != want {
			t.Errorf("%s = %v, want %v", name, lines[0][name], want)
		}
	}
	if r := fmt.Sprint(lines[0]["records"]); r != "[map[dataset:tickets id:t1 labels:[pii]]]" {
		t.Errorf("records %s", r)
	}
}

// TestLaneNames: a configuration can name every lane of the detector, and turns on those that
// it lists.
func TestLaneNames(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	s := snapshot{cfg: cfg}
	if got := s.detection(&config.Route{}).Lanes; got != detect.AllLanes {
		t.Errorf("lanes %b, want %b", got, detect.AllLanes)
	}
	s.cfg.Lanes = []string{"hex", "leet"}
	if got, want := s.detection(&config.Route{}).Lanes, detect.Lanes(1<<4|1<<12); got != want {
		t.Errorf("lanes %b, want %b", got, want)
	}
	s.cfg.Lanes = nil
	if got := s.detection(&config.Route{}).Lanes; got != 0 {
		t.Errorf("lanes %b", got)
	}
	if detect.Plain.String() != config.PlainLane {
		t.Error("the plain lane has another name")
	}
}

// fixedPhrases is an index that returns one phrase for every hash.
type fixedPhrases struct {
	windowset.Index
	phrase ngram.Phrase
}

func (fixedPhrases) Has() (ledger, phrases, words bool)       { return false, true, false }
func (fixedPhrases) Start(ngram.Hash) bool                    { return true }
func (p fixedPhrases) Phrase(ngram.Hash) (ngram.Phrase, bool) { return p.phrase, true }

// TestCommonIdentifiers: an identifier in more records than the configuration allows is no
// finding, unless it is one of a data subject.
func TestCommonIdentifiers(t *testing.T) {
	t.Parallel()
	spec, err := ngram.NewSpec(5, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	f := func(most int, p ngram.Phrase, want int) {
		t.Helper()
		s := snapshot{cfg: config.Default()}
		s.cfg.Identifiers.MaxRecords = most
		d := detect.New(fixedPhrases{windowset.Index{Set: newMemory(spec)}, p}, spec, s.detection(&config.Route{}))
		d.Finish(d.Append(nil, []byte("word")))
		if got := d.Closed(nil); len(got) != want {
			t.Errorf("at most %d, %+v: %d findings", most, p, len(got))
		}
	}
	for _, most := range []int{1, 100, 500} {
		f(most, ngram.Phrase{Kind: "email", Records: uint32(most)}, 1)
		f(most, ngram.Phrase{Kind: "email", Records: uint32(most) + 1}, 0)
		f(most, ngram.Phrase{Kind: "subject", Records: uint32(most) + 1, Subject: 4}, 1)
	}
}

// TestPrincipalKey: two servers with the same key file give a credential the same name.
func TestPrincipalKey(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "key")
	cfg := bedConfig(t, "http://127.0.0.1:1")
	cfg.PrincipalKeyFile = key
	for _, size := range []int{0, 31, 4097} {
		if err := os.WriteFile(key, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(cfg, secretOpen(t)); err == nil {
			t.Errorf("a key of %d bytes was taken", size)
		}
	}
	if err := os.WriteFile(key, []byte(strings.Repeat("k", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(cfg, secretOpen(t)); err != nil {
		t.Error(err)
	}
	a, b := newBed(t, Options{Config: cfg, Open: secretOpen(t)}), newBed(t, Options{Config: cfg, Open: secretOpen(t)})
	if x, y := keyedHex(a.srv.principalKey, []byte("c")), keyedHex(b.srv.principalKey, []byte("c")); x != y || len(x) != 16 {
		t.Errorf("%s and %s", x, y)
	}
}
