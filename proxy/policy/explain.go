package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"noecho/detect"
	"noecho/proxy/config"
)

// done describes each action, of several findings.
var done = [...]string{detect.Observe: "only reported", detect.Redact: "redacted", detect.Block: "blocked"}

// Explain describes the rules of a configuration and its defaults, a sentence each, in the
// order in which they are asked.
func Explain(cfg *config.Config) []string {
	out := []string{fmt.Sprintf("Findings in records labelled %s are blocked in every mode.", Erased)}
	for i := range cfg.Rules {
		r := &cfg.Rules[i]
		out = append(out, fmt.Sprintf("Rule %d: %s %s.", i+1, subject(&r.When), "are "+done[r.Action]))
	}
	if !slices.ContainsFunc(cfg.Rules, func(r config.Rule) bool { return r.When.Any() }) {
		behind := "Findings"
		if len(cfg.Rules) > 0 {
			behind = "Other findings"
		}
		out = append(out,
			fmt.Sprintf("%s in records labelled %s are blocked, unless the mode is observe.", behind, Restricted),
			fmt.Sprintf("All others are %s, or as route and model say.", done[cfg.Mode]))
	}
	switch cfg.Extent {
	case detect.ExtentSentence:
		out = append(out, "The sentences that a redacted finding stands in go with it.")
	case detect.ExtentRest:
		out = append(out, "All that follows a redacted finding goes with it.")
	}
	return append(out, watched(cfg)...)
}

// watched describes budget and coverage, which count over several requests.
func watched(cfg *config.Config) []string {
	var out []string
	if b := cfg.Budget; b.Findings > 0 {
		then := "an alert is raised"
		if b.Then == config.ThenBlock {
			then += ", and its findings are blocked, unless the mode is observe"
		}
		out = append(out, fmt.Sprintf("When one caller has caused more than %s within %s, %s.", counted(b.Findings, "finding"), span(b.Per), then))
	}
	if c := cfg.Coverage; !c.Off() {
		var much []string
		if c.Words > 0 {
			much = append(much, counted(c.Words, "word")+" of a record")
		}
		if c.Share > 0 {
			much = append(much, fmt.Sprintf("%.0f%% of its words", 100*c.Share))
			if c.Words == 0 {
				much[0] = fmt.Sprintf("%.0f%% of a record's words", 100*c.Share)
			}
		}
		out = append(out, fmt.Sprintf("When %s have been found within %s, by two requests or more, an alert is raised.", strings.Join(much, " or "), span(c.Over)))
	}
	return out
}

// subject describes the findings that meet the conditions of a rule.
func subject(w *config.When) string {
	s := "all findings"
	if len(w.Kinds) > 0 {
		s = "findings of kind " + either(w.Kinds)
	} else if !w.Any() {
		s = "findings"
	}
	if len(w.Identifiers) > 0 {
		s += " that are an identifier of kind " + either(w.Identifiers)
	}
	if w.MinWords > 0 {
		s += fmt.Sprintf(" of %s or more", counted(w.MinWords, "word"))
	}
	if len(w.Lanes) > 0 {
		s += " read as " + either(w.Lanes)
	}
	switch {
	case len(w.Labels) > 0 && len(w.Datasets) > 0:
		s += fmt.Sprintf(" in records labelled %s of dataset %s", either(w.Labels), either(w.Datasets))
	case len(w.Labels) > 0:
		s += " in records labelled " + either(w.Labels)
	case len(w.Datasets) > 0:
		s += " in records of dataset " + either(w.Datasets)
	}
	if len(w.Models) > 0 {
		s += " by models like " + either(w.Models)
	}
	if len(w.Routes) > 0 {
		s += " on " + either(w.Routes)
	}
	if len(w.Principals) > 0 {
		s += " for principal " + either(w.Principals)
	}
	return s
}

// either lists alternatives.
func either(words []string) string {
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " or " + words[n]
	}
	return words[0]
}

// span formats a duration as in a configuration.
func span(d time.Duration) string {
	s := d.String()
	s, _ = strings.CutSuffix(s, "0s")
	if t, ok := strings.CutSuffix(s, "h0m"); ok {
		return t + "h"
	}
	if s == "" || s[len(s)-1] != 'm' {
		return d.String()
	}
	return s
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
