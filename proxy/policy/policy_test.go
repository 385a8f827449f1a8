package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noecho/detect"
	"noecho/ngram"
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
	gone   = alert.Record{ID: "01J0", Dataset: "erased", Labels: []string{"erased"}}
	secret = alert.Record{ID: "s1", Dataset: "board", Labels: []string{"x", "restricted"}}
)

func TestJudge(t *testing.T) {
	t.Parallel()
	plain := facts{kind: alert.Verbatim, lane: "plain", words: 12}
	in := func(f facts, records ...alert.Record) facts { f.records = records; return f }
	mail := facts{kind: alert.Phrase, lane: "plain", identifier: "email", words: 3}
	coded := facts{kind: alert.Verbatim, lane: "base64+rot13", words: 40}
	for _, tt := range []struct {
		name, rules string
		mode        detect.Action
		facts       facts
		want        detect.Action
	}{
		{"no rules", "", detect.Redact, plain, detect.Redact},
		{"no rules, block", "", detect.Block, plain, detect.Block},
		{"no rules, observe", "", detect.Observe, plain, detect.Observe},
		{"restricted", "", detect.Redact, in(plain, secret), detect.Block},
		{"restricted observed", "", detect.Observe, in(plain, secret), detect.Observe},
		{"erased observed", "", detect.Observe, in(plain, gone), detect.Block},
		{"erased, but rules", "rules: [{when: {label: erased}, action: observe}, {action: observe}]", detect.Redact, in(plain, gone), detect.Block},
		{"erased, one of many", "rules: [{when: {dataset: d}, action: redact}]", detect.Observe, in(plain, ticket, secret, gone), detect.Block},
		{"not erased, observed", "", detect.Observe, in(plain, ticket), detect.Observe},
		{"restricted, one of two", "", detect.Redact, in(plain, ticket, secret), detect.Block},
		{"restricted, but a rule", "rules: [{when: {label: restricted}, action: redact}]", detect.Redact, in(plain, secret), detect.Redact},
		{"restricted, other rule", "rules: [{when: {label: pii}, action: observe}]", detect.Redact, in(plain, secret), detect.Block},
		{"all", "rules: [{action: observe}]", detect.Block, in(plain, secret), detect.Observe},
		{"acts in observe mode", "rules: [{when: {dataset: board}, action: redact}]", detect.Observe, in(plain, secret), detect.Redact},
		{"kind", "rules: [{when: {kind: phrase}, action: block}]", detect.Redact, mail, detect.Block},
		{"other kind", "rules: [{when: {kind: phrase}, action: block}]", detect.Redact, plain, detect.Redact},
		{"identifier", "rules: [{when: {identifier: [phone, email]}, action: observe}]", detect.Redact, mail, detect.Observe},
		{"no identifier", "rules: [{when: {identifier: [phone, email]}, action: observe}]", detect.Redact, plain, detect.Redact},
		{"words", "rules: [{when: {min_words: 12}, action: block}]", detect.Redact, plain, detect.Block},
		{"too few words", "rules: [{when: {min_words: 13}, action: block}]", detect.Redact, plain, detect.Redact},
		{"first step", "rules: [{when: {lane: base64}, action: block}]", detect.Redact, coded, detect.Block},
		{"second step", "rules: [{when: {lane: [hex, rot13]}, action: block}]", detect.Redact, coded, detect.Block},
		{"not plain", "rules: [{when: {lane: plain}, action: block}]", detect.Redact, coded, detect.Redact},
		{"plain", "rules: [{when: {lane: plain}, action: block}]", detect.Redact, plain, detect.Block},
		{"label", "rules: [{when: {label: pii}, action: block}]", detect.Redact, in(plain, ticket), detect.Block},
		{"label unknown", "rules: [{when: {label: pii}, action: block}]", detect.Redact, plain, detect.Redact},
		{"both of one record", "rules: [{when: {label: pii, dataset: board}, action: observe}]", detect.Redact, in(plain, ticket), detect.Redact},
		{"one record lets go, one does not", "rules: [{when: {dataset: tickets}, action: observe}]", detect.Redact, in(plain, ticket, alert.Record{ID: "a", Dataset: "b"}), detect.Redact},
		{"all records let go", "rules: [{when: {dataset: tickets}, action: observe}]", detect.Redact, in(plain, ticket, ticket), detect.Observe},
		{"order", "rules: [{when: {kind: verbatim}, action: observe}, {when: {dataset: tickets}, action: block}]", detect.Redact, in(plain, ticket), detect.Observe},
		{"other order", "rules: [{when: {dataset: tickets}, action: block}, {when: {kind: verbatim}, action: observe}]", detect.Redact, in(plain, ticket), detect.Block},
		{"model", "rules: [{when: {model: \"m/*\"}, action: block}]", detect.Redact, plain, detect.Block},
		{"other model", "rules: [{when: {model: \"o*\"}, action: block}]", detect.Redact, plain, detect.Redact},
		{"route", "rules: [{when: {route: /v1/chat}, action: block}]", detect.Redact, plain, detect.Block},
		{"below", "rules: [{when: {route: /v1/}, action: block}]", detect.Redact, plain, detect.Block},
		{"not below", "rules: [{when: {route: [/v1, /v2/]}, action: block}]", detect.Redact, plain, detect.Redact},
		{"principal", "rules: [{when: {principal: 00112233aabbccdd}, action: block}]", detect.Redact, plain, detect.Block},
		{"other principal", "rules: [{when: {principal: 00112233aabbccde}, action: block}]", detect.Redact, plain, detect.Redact},
		{"any of each and all of them", "rules: [{when: {principal: [00112233aabbccdd, 00112233aabbccde], kind: [near, verbatim], route: /v2/}, action: block}]", detect.Redact, plain, detect.Redact},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			req := Request{Route: "/v1/chat", Model: "m/7b", Principal: "00112233aabbccdd", Mode: tt.mode}
			j := Compile(load(t, tt.rules), &Records{Labels: append([]string{Erased}, labels...)}).For(req, nil, nil)
			if got, _ := j.apply(&tt.facts); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if tt.want == detect.Block && !j.Blocks() {
				t.Error("it blocks and says that it does not")
			}
			if tt.want > detect.Observe && !j.Acts() {
				t.Error("it acts and says that it does not")
			}
		})
	}
}

// TestJudgeGrowth judges a finding as it grows: the first rule fits from 20 words
// on, and the record is known from 15 on.
func TestJudgeGrowth(t *testing.T) {
	t.Parallel()
	j := Compile(load(t, "rules: [{when: {min_words: 20}, action: block}, {when: {label: pii}, action: redact}, {action: observe}]"), &Records{Labels: labels}).For(Request{}, nil, nil)
	for words := 10; words < 30; words++ {
		f := facts{kind: alert.Verbatim, words: words}
		want := detect.Observe
		if words >= 15 {
			f.records, want = []alert.Record{ticket}, detect.Redact
		}
		if words >= 20 {
			want = detect.Block
		}
		if got, _ := j.apply(&f); got != want {
			t.Errorf("%d words: %s, want %s", words, got, want)
		}
	}
}

func TestActs(t *testing.T) {
	t.Parallel()
	f := func(rules string, mode detect.Action, want bool) {
		t.Helper()
		j := Compile(load(t, rules), &Records{Labels: labels}).For(Request{Route: "/a", Model: "m", Mode: mode}, nil, nil)
		if j.Acts() != want {
			t.Errorf("%s in mode %s: %t", rules, mode, !want)
		}
	}
	f("", detect.Redact, true)
	f("", detect.Observe, false)
	f("rules: [{action: observe}]", detect.Block, true) // never asked, but safe
	f("rules: [{when: {label: a}, action: block}]", detect.Observe, true)
	f("rules: [{when: {label: a, model: other}, action: block}]", detect.Observe, false)
	f("rules: [{when: {label: a}, action: observe}]", detect.Observe, false)
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	f := func(text string, mode detect.Action, labels []string, want bool) {
		t.Helper()
		cfg := load(t, text)
		j := Compile(cfg, &Records{Labels: labels}).For(Request{Mode: mode}, NewMeter(cfg.Budget, nil), nil)
		if j.Blocks() != want {
			t.Errorf("%s in mode %s with labels %s: %t", text, mode, labels, !want)
		}
	}
	f("", detect.Redact, nil, false)
	f("", detect.Redact, []string{"a"}, false)
	f("", detect.Redact, []string{"a", "restricted"}, true)
	f("", detect.Observe, []string{"a", "restricted"}, false)
	f("", detect.Observe, []string{"a", "erased"}, true)
	f("", detect.Redact, []string{"erased"}, true)
	f("", detect.Block, nil, true)
	f("budget: {then: block}", detect.Redact, nil, true)
	f("budget: {then: block}", detect.Observe, nil, false)
	f("rules: [{when: {kind: near}, action: block}]", detect.Observe, nil, true)
	f("rules: [{when: {kind: near}, action: redact}]", detect.Redact, nil, false)
}

func TestJudgeDoesNotAllocate(t *testing.T) {
	records := &Records{Labels: labels, Record: func(ngram.Place) (alert.Record, bool) { return ticket, true }}
	rules := Compile(load(t, ""), records)
	meter := NewMeter(config.Budget{Findings: 1, Per: 1 << 40, Then: config.ThenBlock}, nil)
	f := detect.Finding{Kind: detect.Verbatim, Words: 12, Places: []ngram.Place{7}}
	if n := testing.AllocsPerRun(100, func() {
		j := rules.For(Request{Route: "/a", Model: "m", Caller: "c"}, meter, nil)
		j.meter.Blocks("c", 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	j := Compile(load(t, "rules: [{when: {lane: hex, label: b}, action: block}, {when: {dataset: x}, action: block}]"), records).For(Request{}, meter, nil)
	f.Lane = 2 // base64
	if n := testing.AllocsPerRun(100, func() { j.Judge(&f) }); n != 0 {
		t.Errorf("%v allocations with rules", n)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	f := func(text string, want ...string) {
		t.Helper()
		want = append([]string{"Findings in records labelled erased are blocked in every mode."}, want...)
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
	cfg.Rules = []config.Rule{{When: config.When{Labels: []string{"pii"}, MinWords: 20}, Action: detect.Block}}
	records := Records{Record: func(ngram.Place) (alert.Record, bool) {
		return alert.Record{ID: "17", Dataset: "tickets", Labels: []string{"pii"}}, true
	}}
	judge := Compile(&cfg, &records).For(Request{Route: "/v1/chat/completions", Mode: detect.Redact}, nil, nil)
	finding := detect.Finding{Kind: detect.Verbatim, Words: 12, Places: []ngram.Place{300}}
	fmt.Println(judge.Judge(&finding))
	finding.Words = 20 // it has grown
	fmt.Println(judge.Judge(&finding))
	// Output:
	// redact
	// block
}
