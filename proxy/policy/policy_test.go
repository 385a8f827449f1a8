package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// load reads a configuration.
func load(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Load("x", []byte("version: 1\nprincipal_key_file: k\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// labels are those of the records below.
var labels = []string{"pii", "x", "restricted"}

var (
	ticket = alert.Record{ID: "t1", Dataset: "tickets", Labels: []string{"pii"}}
	secret = alert.Record{ID: "s1", Dataset: "board", Labels: []string{"x", "restricted"}}
)

func TestJudge(t *testing.T) {
	t.Parallel()
	plain := Facts{Kind: alert.Verbatim, Words: 12}
	in := func(f Facts, records ...alert.Record) Facts { f.Records = records; return f }
	mail := Facts{Kind: alert.Phrase, Identifier: "email", Words: 3}
	coded := Facts{Kind: alert.Verbatim, Lane: "base64+rot13", Words: 40}
	for _, tt := range []struct {
		name, rules string
		mode        config.Mode
		facts       Facts
		want        Action
	}{
		{"no rules", "", config.Redact, plain, Redact},
		{"no rules, block", "", config.Block, plain, Block},
		{"no rules, observe", "", config.Observe, plain, Observe},
		{"restricted", "", config.Redact, in(plain, secret), Block},
		{"restricted observed", "", config.Observe, in(plain, secret), Observe},
		{"restricted, one of two", "", config.Redact, in(plain, ticket, secret), Block},
		{"restricted, but a rule", "rules: [{when: {label: restricted}, action: redact}]", config.Redact, in(plain, secret), Redact},
		{"restricted, other rule", "rules: [{when: {label: pii}, action: observe}]", config.Redact, in(plain, secret), Block},
		{"all", "rules: [{action: observe}]", config.Block, in(plain, secret), Observe},
		{"acts in observe mode", "rules: [{when: {dataset: board}, action: redact}]", config.Observe, in(plain, secret), Redact},
		{"kind", "rules: [{when: {kind: phrase}, action: block}]", config.Redact, mail, Block},
		{"other kind", "rules: [{when: {kind: phrase}, action: block}]", config.Redact, plain, Redact},
		{"identifier", "rules: [{when: {identifier: [phone, email]}, action: observe}]", config.Redact, mail, Observe},
		{"no identifier", "rules: [{when: {identifier: [phone, email]}, action: observe}]", config.Redact, plain, Redact},
		{"words", "rules: [{when: {min_words: 12}, action: block}]", config.Redact, plain, Block},
		{"too few words", "rules: [{when: {min_words: 13}, action: block}]", config.Redact, plain, Redact},
		{"first step", "rules: [{when: {lane: base64}, action: block}]", config.Redact, coded, Block},
		{"second step", "rules: [{when: {lane: [hex, rot13]}, action: block}]", config.Redact, coded, Block},
		{"not plain", "rules: [{when: {lane: plain}, action: block}]", config.Redact, coded, Redact},
		{"plain", "rules: [{when: {lane: plain}, action: block}]", config.Redact, plain, Block},
		{"label", "rules: [{when: {label: pii}, action: block}]", config.Redact, in(plain, ticket), Block},
		{"label unknown", "rules: [{when: {label: pii}, action: block}]", config.Redact, plain, Redact},
		{"both of one record", "rules: [{when: {label: pii, dataset: board}, action: observe}]", config.Redact, in(plain, ticket), Redact},
		{"one record lets go, one does not", "rules: [{when: {dataset: tickets}, action: observe}]", config.Redact, in(plain, ticket, alert.Record{ID: "a", Dataset: "b"}), Redact},
		{"all records let go", "rules: [{when: {dataset: tickets}, action: observe}]", config.Redact, in(plain, ticket, ticket), Observe},
		{"order", "rules: [{when: {kind: verbatim}, action: observe}, {when: {dataset: tickets}, action: block}]", config.Redact, in(plain, ticket), Observe},
		{"other order", "rules: [{when: {dataset: tickets}, action: block}, {when: {kind: verbatim}, action: observe}]", config.Redact, in(plain, ticket), Block},
		{"model", "rules: [{when: {model: \"m/*\"}, action: block}]", config.Redact, plain, Block},
		{"other model", "rules: [{when: {model: \"o*\"}, action: block}]", config.Redact, plain, Redact},
		{"route", "rules: [{when: {route: /v1/chat}, action: block}]", config.Redact, plain, Block},
		{"below", "rules: [{when: {route: /v1/}, action: block}]", config.Redact, plain, Block},
		{"not below", "rules: [{when: {route: [/v1, /v2/]}, action: block}]", config.Redact, plain, Redact},
		{"principal", "rules: [{when: {principal: 00112233aabbccdd}, action: block}]", config.Redact, plain, Block},
		{"other principal", "rules: [{when: {principal: 00112233aabbccde}, action: block}]", config.Redact, plain, Redact},
		{"any of each and all of them", "rules: [{when: {principal: [00112233aabbccdd, 00112233aabbccde], kind: [near, verbatim], route: /v2/}, action: block}]", config.Redact, plain, Redact},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := Request{Route: "/v1/chat", Model: "m/7b", Principal: "00112233aabbccdd", Mode: tt.mode}
			j := Compile(load(t, tt.rules), labels).For(req, nil)
			if got := j.Judge(&tt.facts); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if tt.want == Block && !j.Blocks() {
				t.Error("it blocks and says that it does not")
			}
			if tt.want > Observe && !j.Acts() {
				t.Error("it acts and says that it does not")
			}
		})
	}
}

// TestJudgeGrowth judges a finding as it grows: the first rule fits from 20 words
// on, and the record is known from 15 on.
func TestJudgeGrowth(t *testing.T) {
	t.Parallel()
	j := Compile(load(t, "rules: [{when: {min_words: 20}, action: block}, {when: {label: pii}, action: redact}, {action: observe}]"), labels).For(Request{}, nil)
	for words := 10; words < 30; words++ {
		f := Facts{Kind: alert.Verbatim, Words: words}
		want := Observe
		if words >= 15 {
			f.Records, want = []alert.Record{ticket}, Redact
		}
		if words >= 20 {
			want = Block
		}
		if got := j.Judge(&f); got != want {
			t.Errorf("%d words: %s, want %s", words, got, want)
		}
	}
}

func TestActs(t *testing.T) {
	t.Parallel()
	f := func(rules string, mode config.Mode, want bool) {
		t.Helper()
		j := Compile(load(t, rules), labels).For(Request{Route: "/a", Model: "m", Mode: mode}, nil)
		if j.Acts() != want {
			t.Errorf("%s in mode %s: %t", rules, mode, !want)
		}
	}
	f("", config.Redact, true)
	f("", config.Observe, false)
	f("rules: [{action: observe}]", config.Block, true) // never asked, but safe
	f("rules: [{when: {label: a}, action: block}]", config.Observe, true)
	f("rules: [{when: {label: a, model: other}, action: block}]", config.Observe, false)
	f("rules: [{when: {label: a}, action: observe}]", config.Observe, false)
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	f := func(text string, mode config.Mode, labels []string, want bool) {
		t.Helper()
		cfg := load(t, text)
		j := Compile(cfg, labels).For(Request{Mode: mode}, NewMeter(cfg.Budget, nil))
		if j.Blocks() != want {
			t.Errorf("%s in mode %s with labels %s: %t", text, mode, labels, !want)
		}
	}
	f("", config.Redact, nil, false)
	f("", config.Redact, []string{"a"}, false)
	f("", config.Redact, []string{"a", "restricted"}, true)
	f("", config.Observe, []string{"a", "restricted"}, false)
	f("", config.Block, nil, true)
	f("budget: {then: block}", config.Redact, nil, true)
	f("budget: {then: block}", config.Observe, nil, false)
	f("rules: [{when: {kind: near}, action: block}]", config.Observe, nil, true)
	f("rules: [{when: {kind: near}, action: redact}]", config.Redact, nil, false)
}

func TestJudgeDoesNotAllocate(t *testing.T) {
	rules := Compile(load(t, ""), labels)
	meter := NewMeter(config.Budget{Findings: 1, Per: 1 << 40, Then: config.ThenBlock}, nil)
	f := Facts{Kind: alert.Verbatim, Lane: "base64+rot13", Words: 12, Records: []alert.Record{ticket}}
	if n := testing.AllocsPerRun(100, func() {
		j := rules.For(Request{Route: "/a", Model: "m", Caller: "c"}, meter)
		j.Judge(&f)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	j := Compile(load(t, "rules: [{when: {lane: hex, label: b}, action: block}, {when: {dataset: x}, action: block}]"), labels).For(Request{}, nil)
	if n := testing.AllocsPerRun(100, func() { j.Judge(&f) }); n != 0 {
		t.Errorf("%v allocations with rules", n)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(Explain(load(t, text)), "\n")); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	const quiet = "\nbudget: off\ncoverage: off\n"
	f("",
		"Findings in records labelled restricted are blocked, unless the mode is observe.",
		"All others are redacted, or as route and model say.",
		"When one caller has caused more than 1000 findings within 1h, an alert is raised.",
		"When 200 words of a record or 50% of its words have been found within 24h, by two requests or more, an alert is raised.")
	f("mode: observe\nextent: rest\nrules: [{when: {kind: [near, phrase], lane: hex, label: [a, b, c], dataset: d, model: \"m*\", route: /x/, principal: 0123456789abcdef, identifier: email, min_words: 1}, action: block}]"+quiet,
		"Rule 1: findings of kind near or phrase that are an identifier of kind email of 1 word or more read as hex in records labelled a, b or c of dataset d by models like m* on /x/ for principal 0123456789abcdef are blocked.",
		"Other findings in records labelled restricted are blocked, unless the mode is observe.",
		"All others are only reported, or as route and model say.",
		"All that follows a redacted finding goes with it.")
	f("rules: [{when: {dataset: d}, action: observe}, {action: block}]\nextent: sentence"+quiet,
		"Rule 1: findings in records of dataset d are only reported.",
		"Rule 2: all findings are blocked.",
		"The sentences that a redacted finding stands in go with it.")
	f("rules: [{action: observe}]\nbudget: {findings: 1, per: 90s, then: block}\ncoverage: {share: 20%, over: 90m}",
		"Rule 1: all findings are only reported.",
		"When one caller has caused more than 1 finding within 1m30s, an alert is raised, and its findings are blocked, unless the mode is observe.",
		"When 20% of a record's words have been found within 1h30m, by two requests or more, an alert is raised.")
}

func ExampleRules_For() {
	cfg := config.Default()
	cfg.Rules = []config.Rule{{When: config.When{Labels: []string{"pii"}, MinWords: 20}, Action: config.Block}}
	judge := Compile(&cfg, nil).For(Request{Route: "/v1/chat/completions", Mode: config.Redact}, nil)
	finding := Facts{Kind: alert.Verbatim, Words: 12, Records: []alert.Record{{ID: "17", Dataset: "tickets", Labels: []string{"pii"}}}}
	fmt.Println(judge.Judge(&finding))
	finding.Words = 20 // it has grown
	fmt.Println(judge.Judge(&finding))
	// Output:
	// redact
	// block
}
