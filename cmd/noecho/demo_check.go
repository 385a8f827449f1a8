package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"noecho/proxy/alert"
	"noecho/proxy/config"
)

// checkDemo compares what happened with what noecho promises, and returns what
// is broken. lines is the whole alert file.
func checkDemo(results []demoResult, lines []byte) []string {
	var broken []string
	leaks := 0
	for i := range results {
		r := &results[i]
		if r.topic.kind == alert.Verbatim {
			leaks++
		}
		if why := r.check(); why != "" {
			broken = append(broken, fmt.Sprintf("question %d, %s, %s: %s", i+1, r.mode, r.stream, why))
		}
		if leaked(string(lines), r.topic.leak) {
			broken = append(broken, fmt.Sprintf("question %d: the alert file holds words of the answer", i+1))
		}
	}
	findings := 0
	for line := range bytes.Lines(lines) {
		var ev alert.Event
		if err := json.Unmarshal(line, &ev); err != nil {
			broken = append(broken, "a line of the alert file is no alert")
		}
		if ev.Type == alert.TypeFinding && ev.Kind == alert.Verbatim {
			findings++
		}
	}
	if findings != leaks {
		broken = append(broken, fmt.Sprintf("%d answers held training text, but the alert file has %d findings of it", leaks, findings))
	}
	return broken
}

// check returns what is wrong with one answer, or nothing.
func (r *demoResult) check() string {
	if r.said.text != r.topic.text() {
		return "the model did not say what it should"
	}
	if r.topic.leak == "" {
		if r.got != r.said {
			return "a clean answer was changed"
		}
		return ""
	}
	want := map[config.Mode]alert.Action{config.Observe: alert.Observed, config.Redact: alert.Redacted, config.Block: alert.Blocked}[r.mode]
	if r.alert.Type != alert.TypeFinding || r.alert.Action != want {
		return fmt.Sprintf("no alert with action %s", want)
	}
	switch {
	case r.mode == config.Observe:
		if r.got != r.said {
			return "an observed answer was changed"
		}
	case leaked(r.got.text, r.topic.leak) || leaked(r.got.raw, r.topic.leak):
		return "words of the training data reached the caller"
	case r.mode == config.Redact:
		if !strings.HasPrefix(r.got.text, r.topic.lead+"[redacted]") || !strings.HasSuffix(r.got.text, r.topic.tail) || r.got.finish != "stop" {
			return "the clean part of the answer was changed"
		}
	case r.stream == streamed:
		if strings.TrimSpace(r.got.text) != strings.TrimSpace(r.topic.lead) || r.got.finish != "content_filter" {
			return "the answer did not end before the training text"
		}
	default:
		if r.got.status != 400 || r.got.code != "content_filter" {
			return "the answer was not refused"
		}
	}
	return ""
}

// leaked reports whether three words in a row of leak stand in text, or all of a
// leak that has fewer. In the raw body of a stream they would not be in a row; in
// any other they are.
func leaked(text, leak string) bool {
	if leak != "" && len(strings.Fields(leak)) < 3 {
		return strings.Contains(strings.ToLower(text), strings.ToLower(leak))
	}
	words, all := demoWords(leak), " "+strings.Join(demoWords(text), " ")+" "
	for i := 0; i+3 <= len(words); i++ {
		if strings.Contains(all, " "+strings.Join(words[i:i+3], " ")+" ") {
			return true
		}
	}
	return false
}

// demoWords are the words of a text without case and punctuation.
func demoWords(text string) []string {
	words := strings.Fields(strings.ToLower(text))
	for i, w := range words {
		words[i] = strings.Trim(w, ".,;:!?\"'")
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}
