package config

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"noecho/detect"
)

// off is the value that turns a key off.
const off = "off"

// isOff reports whether n says off.
func isOff(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == off }

// rules reads the list of rules.
func (r *reader) rules(n *yaml.Node, c *Config) {
	var any *yaml.Node // the first rule whose conditions every finding meets
	r.list(n, "rules", func(n *yaml.Node) {
		if any != nil {
			r.say(n, "this rule is never asked: the one on line %d holds for every finding", any.Line)
			return
		}
		before := len(r.problems)
		rule, ok := r.rule(n)
		if !ok || len(r.problems) > before {
			return
		}
		if rule.When.Any() {
			any = n
		}
		c.Rules = append(c.Rules, rule)
	})
}

// rule reads one entry of the list of rules.
func (r *reader) rule(n *yaml.Node) (Rule, bool) {
	rule := Rule{Action: detect.Redact}
	ok := r.mapping(n, "a rule",
		field{"when", func(n *yaml.Node) { r.when(n, &rule.When) }},
		parsed(r, "action", "rule action", &rule.Action, ParseMode))
	if ok && !hasKey(n, "action") {
		r.say(n, "a rule needs an action: observe, redact or block")
		return rule, false
	}
	return rule, ok
}

// when reads the conditions of a rule.
func (r *reader) when(n *yaml.Node, w *When) {
	lanes := append([]string{PlainLane}, LaneNames()...)
	r.mapping(n, "when",
		r.anyOf("kind", &w.Kinds, oneOf(FindingKinds())),
		r.anyOf("lane", &w.Lanes, oneOf(lanes)),
		r.anyOf("label", &w.Labels, parseName),
		r.anyOf("dataset", &w.Datasets, parseName),
		r.anyOf("model", &w.Models, parseGlob),
		r.anyOf("route", &w.Routes, parseRoutePath),
		field{"principal", func(n *yaml.Node) {
			r.anyOf("principal", &w.Principals, parsePrincipal).read(n)
			if r.named == nil {
				r.named = n
			}
		}},
		r.anyOf("identifier", &w.Identifiers, parseName),
		parsed(r, "min_words", "min_words", &w.MinWords, parseCount))
}

// anyOf returns a field whose value is one word, or a list of them.
func (r *reader) anyOf(key string, dst *[]string, parse func(string) (string, error)) field {
	one := func(n *yaml.Node) {
		var s string
		before := len(r.problems)
		if parsed(r, key, key, &s, parse).read(n); len(r.problems) > before {
			return
		}
		if slices.Contains(*dst, s) {
			r.say(n, "%s %q occurs twice", key, s)
			return
		}
		*dst = append(*dst, s)
	}
	return field{key, func(n *yaml.Node) {
		switch {
		case n.Kind == yaml.ScalarNode:
			one(n)
		case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
			r.say(n, "%s is an empty list: leave the key out or write a value", key)
		default:
			r.list(n, key, one)
		}
	}}
}

func oneOf(names []string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(names, s) {
			return "", &wordError{s, names}
		}
		return s, nil
	}
}

// parseName checks a name that was chosen when the index was built.
func parseName(s string) (string, error) {
	const longest = 256
	if len(s) > longest || !utf8.ValidString(s) {
		return "", fmt.Errorf("must be at most %d bytes of UTF-8", longest)
	}
	return s, nil
}

func parseGlob(s string) (string, error) {
	if _, err := path.Match(replaceSlash(s), ""); err != nil {
		return "", fmt.Errorf("%q is not a pattern: * stands for any text, ? for one character, [ab] for one of a few", s)
	}
	return s, nil
}

// parsePrincipal checks the name that alerts give to a credential.
func parsePrincipal(s string) (string, error) {
	const digits = 16
	if len(s) != digits || strings.Trim(s, "0123456789abcdef") != "" {
		return "", fmt.Errorf("%q is not the name of a credential: copy the %d hexadecimal digits of an alert's principal", s, digits)
	}
	return s, nil
}

// lanes reads a list of lanes, or one of the words all and none.
func (r *reader) lanes(n *yaml.Node, c *Config) {
	names := LaneNames()
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == "all":
		c.Lanes = names
		return
	case n.Kind == yaml.ScalarNode && n.Value == "none":
		c.Lanes = []string{}
		return
	case n.Kind == yaml.ScalarNode:
		names = append([]string{"all", "none"}, names...)
	}
	c.Lanes = []string{}
	r.anyOf("lanes", &c.Lanes, oneOf(names)).read(n)
}

// near reads the settings for text that is nearly that of a record.
func (r *reader) near(n *yaml.Node, c *Config) {
	if c.Near.Off = isOff(n); c.Near.Off {
		return
	}
	r.mapping(n, "near", parsed(r, "words", "near.words", &c.Near.Words, parseCount))
}

// identifiers reads the settings for identifiers.
func (r *reader) identifiers(n *yaml.Node, c *Config) {
	r.mapping(n, "identifiers", parsed(r, "max_records", "identifiers.max_records", &c.Identifiers.MaxRecords, parseCount))
}

// budget reads the bound on the findings of one caller.
func (r *reader) budget(n *yaml.Node, c *Config) {
	if isOff(n) {
		c.Budget = Budget{}
		return
	}
	r.mapping(n, "budget",
		parsed(r, "findings", "budget.findings", &c.Budget.Findings, parseCount),
		parsed(r, "probes", "budget.probes", &c.Budget.Probes, parseProbes),
		parsed(r, "per", "budget.per", &c.Budget.Per, parsePeriod),
		parsed(r, "then", "budget.then", &c.Budget.Then, named(ThenAlert, ThenBlock)))
}

// parseProbes reads a number of probes, or off.
func parseProbes(s string) (int, error) {
	if s == "off" {
		return 0, nil
	}
	return parseCount(s)
}

// coverage reads how much of one record may be found. If one of the two bounds is given,
// the other has no default, so that a file can use one alone.
func (r *reader) coverage(n *yaml.Node, c *Config) {
	if isOff(n) {
		c.Coverage = Coverage{}
		return
	}
	v := Coverage{Over: c.Coverage.Over}
	ok := r.mapping(n, "coverage",
		parsed(r, "words", "coverage.words", &v.Words, parseCoverage),
		parsed(r, "share", "coverage.share", &v.Share, parseShare),
		parsed(r, "over", "coverage.over", &v.Over, parsePeriod))
	switch {
	case !ok:
		return
	case hasKey(n, "words") || hasKey(n, "share"):
	default:
		v.Words, v.Share = c.Coverage.Words, c.Coverage.Share
	}
	c.Coverage = v
}

// parseCoverage reads a number of words of one record. It is bounded, because each word that
// was found is remembered for a while.
func parseCoverage(s string) (int, error) {
	const most = 100_000
	n, err := parseCount(s)
	if err != nil || n > most {
		return 0, fmt.Errorf("%q is not a whole number from 1 to %d", s, most)
	}
	return n, nil
}

// parseShare reads a share of a record in per cent.
func parseShare(s string) (float64, error) {
	digits, ok := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(strings.TrimSpace(digits))
	if !ok || err != nil || n < 1 || n > 100 {
		return 0, fmt.Errorf("%q is not a part of a record: write 1%% to 100%%", s)
	}
	return float64(n) / 100, nil
}

// parsePeriod reads the time in which findings count.
func parsePeriod(s string) (time.Duration, error) {
	d, err := ParseDuration(s)
	if err == nil && (d < time.Second || d > 31*24*time.Hour) {
		err = fmt.Errorf("%s is outside 1s to 744h", s)
	}
	return d, err
}
