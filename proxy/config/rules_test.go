package config

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"noecho/detect"

	"github.com/google/go-cmp/cmp"
)

func TestLoadRules(t *testing.T) {
	t.Parallel()
	c, err := Load("x", []byte(`
version: 1
principal_key_file: k
rules:
  - when: {kind: [phrase, near], lane: base64, label: [a, b c], dataset: d, model: ["m/*", n], route: [/v1/, "/a/{b}"], principal: 0123456789abcdef, identifier: email, min_words: 50}
    action: block
  - {action: observe}
extent: sentence
routes: [{path: /a, extent: rest}, {path: /b}]
near: {words: 20}
lanes: [hex, rot13]
identifiers: {max_records: 7}
budget: {findings: 3, probes: 7, per: 10m, then: block}
coverage: {share: 25%, over: 2h}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Rule{
		{When{
			Kinds: []string{"phrase", "near"}, Lanes: []string{"base64"}, Labels: []string{"a", "b c"}, Datasets: []string{"d"},
			Models: []string{"m/*", "n"}, Routes: []string{"/v1/", "/a/{b}"}, Principals: []string{"0123456789abcdef"},
			Identifiers: []string{"email"}, MinWords: 50,
		}, detect.Block},
		{When{}, detect.Observe},
	}
	if diff := cmp.Diff(want, c.Rules); diff != "" {
		t.Error(diff)
	}
	if c.Extent != detect.ExtentSentence || c.Routes[0].ExtentFor(c.Extent) != detect.ExtentRest || c.Routes[1].ExtentFor(c.Extent) != detect.ExtentSentence {
		t.Errorf("extents %s, %v", c.Extent, c.Routes)
	}
	if !slices.Equal(c.Lanes, []string{"hex", "rot13"}) || c.Near != (Near{Words: 20}) || c.Identifiers.MaxRecords != 7 || c.PrincipalKeyFile != "k" {
		t.Errorf("%v %+v %+v %q", c.Lanes, c.Near, c.Identifiers, c.PrincipalKeyFile)
	}
	if c.Budget != (Budget{3, 10 * time.Minute, ThenBlock, 7}) || c.Coverage != (Coverage{0, 0.25, 2 * time.Hour}) {
		t.Errorf("%+v %+v", c.Budget, c.Coverage)
	}
}

func TestPolicyDefaults(t *testing.T) {
	t.Parallel()
	f := func(text string, want func(*Config)) {
		t.Helper()
		c, err := Load("x", []byte("version: 1\n"+text))
		if err != nil {
			t.Fatal(err)
		}
		d := Default()
		want(&d)
		if diff := cmp.Diff(d, c); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	f("", func(*Config) {})
	f("lanes: all", func(*Config) {})
	f("lanes: none", func(c *Config) { c.Lanes = []string{} })
	f("lanes: hex", func(c *Config) { c.Lanes = []string{"hex"} })
	f("near: off", func(c *Config) { c.Near.Off = true })
	f("budget: off", func(c *Config) { c.Budget = Budget{} })
	f("budget: {findings: 5}", func(c *Config) { c.Budget.Findings = 5 })
	f("budget: {probes: off}", func(c *Config) { c.Budget.Probes = 0 })
	f("coverage: off", func(c *Config) { c.Coverage = Coverage{} })
	f("coverage: {words: 9}", func(c *Config) { c.Coverage.Words, c.Coverage.Share = 9, 0 })
	f("coverage: {over: 1h}", func(c *Config) { c.Coverage.Over = time.Hour })
}

func TestRuleProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"unknown condition", "rules:\n  - when: {knd: near}\n    action: block\n", `x:3:12: unknown key "knd" in when (did you mean "kind"?)`},
		{"unknown key", "rules: [{action: block, then: x}]\n", `x:2:25: unknown key "then" in a rule (did you mean "when"?)`},
		{"no action", "rules: [{when: {kind: near}}]\n", "x:2:9: a rule needs an action: observe, redact or block"},
		{"action", "rules: [{action: blok}]\n", `x:2:18: rule action: "blok" is none of redact, block, observe (did you mean "block"?)`},
		{"kind", "rules: [{when: {kind: [near, nere]}, action: block}]\n", `x:2:30: kind: "nere" is none of verbatim, phrase, near, stuffing (did you mean "near"?)`},
		{"lane", "rules: [{when: {lane: base63}, action: block}]\n", `x:2:23: lane: "base63" is none of plain, despaced, base64, base32, hex, percent, decimal, binary, rot13, reversed, reversed-words, mirrored, leet, hyphenated (did you mean "base64"?)`},
		{"empty list", "rules: [{when: {label: []}, action: block}]\n", "x:2:24: label is an empty list: leave the key out or write a value"},
		{"twice in a list", "rules: [{when: {label: [a, a]}, action: block}]\n", `x:2:28: label "a" occurs twice`},
		{"model", "rules: [{when: {model: \"[\"}, action: block}]\n", `x:2:24: model: "[" is not a pattern: * stands for any text, ? for one character, [ab] for one of a few`},
		{"route", "rules: [{when: {route: v1}, action: block}]\n", `x:2:24: route: "v1" must begin with / and contain no //`},
		{"principal", "principal_key_file: k\nrules: [{when: {principal: alice}, action: block}]\n", `x:3:28: principal: "alice" is not the name of a credential: copy the 16 hexadecimal digits of an alert's principal`},
		{"principal without key", "rules: [{when: {principal: 0123456789abcdef}, action: block}]\n", "x:2:28: without principal_key_file every start gives principals new names, so this rule would never fit: name a file with a key"},
		{"words", "rules: [{when: {min_words: 0}, action: block}]\n", `x:2:28: min_words: "0" is not a whole number from 1 to 1048576`},
		{"never asked", "rules:\n  - action: block\n  - when: {kind: near}\n    action: observe\n", "x:4:5: this rule is never asked: the one on line 3 holds for every finding"},
		{"when is a word", "rules: [{when: near, action: block}]\n", `x:2:16: when must have keys with values, such as kind: …, not "near"`},
		{"rules is a mapping", "rules: {action: block}\n", "x:2:8: rules must be a list of entries that begin with a hyphen, not a list of keys"},
		{"extent", "extent: sentance\n", `x:2:9: extent: "sentance" is none of span, sentence, rest (did you mean "sentence"?)`},
		{"extent of a route", "routes: [{path: /a, extent: all}]\n", `x:2:29: extent: "all" is none of span, sentence, rest`},
		{"lanes", "lanes: everything\n", `x:2:8: lanes: "everything" is none of all, none, despaced, base64, base32, hex, percent, decimal, binary, rot13, reversed, reversed-words, mirrored, leet, hyphenated`},
		{"plain is no option", "lanes: [plain]\n", `x:2:9: lanes: "plain" is none of despaced, base64, base32, hex, percent, decimal, binary, rot13, reversed, reversed-words, mirrored, leet, hyphenated`},
		{"near", "near: on\n", `x:2:7: near must have keys with values, such as words: …, not "on"`},
		{"near words", "near: {words: x}\n", `x:2:15: near.words: "x" is not a whole number from 1 to 1048576`},
		{"budget", "budget: {finding: 3}\n", `x:2:10: unknown key "finding" in budget (did you mean "findings"?)`},
		{"budget then", "budget: {then: redact}\n", `x:2:16: budget.then: "redact" is none of alert, block`},
		{"budget per", "budget: {per: 1ms}\n", "x:2:15: budget.per: 1ms is outside 1s to 744h"},
		{"share", "coverage: {share: 0.5}\n", `x:2:19: coverage.share: "0.5" is not a part of a record: write 1% to 100%`},
		{"share above", "coverage: {share: 101%}\n", `x:2:19: coverage.share: "101%" is not a part of a record: write 1% to 100%`},
		{"coverage words", "coverage: {words: 200000}\n", `x:2:19: coverage.words: "200000" is not a whole number from 1 to 100000`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Load("x", []byte("version: 1\n"+tt.text))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
			var p *Problem
			if !errors.As(err, &p) {
				t.Error("no *Problem")
			}
		})
	}
}

// FuzzRules: any file is read or refused with a position, and the conditions of a rule that
// is read name only kinds, lanes and actions that exist.
func FuzzRules(f *testing.F) {
	f.Add("rules: [{when: {kind: near, min_words: 3}, action: block}]")
	f.Add("rules:\n- when: {label: [a, b], model: 'x*'}\n  action: observe\n- action: redact\nlanes: none")
	f.Add("budget: {findings: 1, per: 1s, then: block}\ncoverage: {words: 1, share: 1%, over: 1h}\nnear: off")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Load("x", []byte("version: 1\n"+text))
		if err != nil {
			return
		}
		for i, r := range c.Rules {
			if r.When.Any() && i != len(c.Rules)-1 {
				t.Fatalf("rule %d of %d holds for every finding", i+1, len(c.Rules))
			}
			for _, k := range r.When.Kinds {
				if !slices.Contains(FindingKinds(), k) {
					t.Fatal(k)
				}
			}
			_ = fmt.Sprint(r.Action.String())
		}
		for _, l := range c.Lanes {
			if !slices.Contains(LaneNames(), l) {
				t.Fatal(l)
			}
		}
		if b := c.Budget; b.Findings < 0 || b.Findings > 0 && b.Per <= 0 {
			t.Fatalf("%+v", b)
		}
		if v := c.Coverage; v.Share < 0 || v.Share > 1 || !v.Off() && v.Over <= 0 {
			t.Fatalf("%+v", v)
		}
	})
}
