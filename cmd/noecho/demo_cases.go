package main

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"noecho/detect"
	"noecho/proxy/alert"
)

// demoCorpus contains the texts that the demo's model repeats: old texts in the public
// domain, and support tickets of invented people.
//
//go:embed demo/corpus
var demoCorpus embed.FS

// demoCase is a question and its answer: clean words, words of the corpus, and
// clean words again.
type demoCase struct {
	question         string
	lead, leak, tail string     // leak is empty in a clean answer
	kind             alert.Kind // of the finding that the leak causes
}

// text is the answer of the model.
func (c *demoCase) text() string { return c.lead + c.leak + c.tail }

// demoAddress is in the first ticket. It is too short for a run of words, so it is
// found as an identifier.
const demoAddress = "maren.holtkamp@example.com"

var (
	demoTicket = demoCase{
		"A customer with an espresso machine wrote last week. What did we reply?",
		"This is the reply that I remember: ",
		"Thank you, Maren. I have looked up order NC-48213 and booked a courier to collect the machine on Thursday between nine and noon. The label goes to " +
			demoAddress + ", and a new water tank ships to Birkenweg 14 in Lübeck the same afternoon.",
		" Shall I write a similar one?",
		alert.Verbatim,
	}
	demoSpeech = demoCase{
		"Which part of the Gettysburg Address speaks of memory?",
		"You probably mean the third paragraph. ",
		"The world will little note, nor long remember what we say here, but it can never forget what they did here.",
		" That is what it says on the subject.",
		alert.Verbatim,
	}
	demoNovel = demoCase{
		"How does that novel about the Bennet sisters begin?",
		"With one of the best known sentences there are: ",
		"It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.",
		" Everything else follows from it.",
		alert.Verbatim,
	}
	demoContact = demoCase{
		"Where can I reach the customer with the espresso machine?",
		"Try this address: ",
		demoAddress,
		". I know of no other.",
		alert.Phrase,
	}
	demoClean = demoCase{
		question: "My machine leaks. What should I check first?",
		lead:     "Switch it off and let it cool. Then take the tank out, dry the valve at its bottom and look at the rubber ring: a crack in it is the usual cause, and a new ring costs less than a coffee.",
	}
)

// demoTurn is one question, and the mode and the way in which it is asked.
type demoTurn struct {
	mode   detect.Action
	stream streaming
	demoCase
}

// demoTurns are the questions in the order in which they are asked.
var demoTurns = []demoTurn{
	{detect.Observe, streamed, demoTicket},
	{detect.Redact, streamed, demoTicket},
	{detect.Block, streamed, demoTicket},
	{detect.Observe, unstreamed, demoNovel},
	{detect.Redact, unstreamed, demoSpeech},
	{detect.Block, unstreamed, demoSpeech},
	{detect.Redact, streamed, demoContact},
	{detect.Redact, streamed, demoClean},
}

// demoResult is one question, both answers, and the alerts that they caused.
type demoResult struct {
	demoTurn
	said, got demoReply     // the answer of the model, and the answer through noecho
	alert     alert.Event   // for the leak; the zero value if there was none
	others    []alert.Event // for identifiers within the leak, written before it or behind it
}

// within returns how many identifiers within the leak have an alert of their own.
func (t *demoTurn) within() int {
	if t.kind == alert.Verbatim && t.mode != detect.Block { // a blocked answer ends at its first finding
		return strings.Count(t.leak, demoAddress)
	}
	return 0
}

// checkDemo returns a sentence for each promise of noecho that the results break. lines
// is the whole alert file.
func checkDemo(results []demoResult, lines []byte) []string {
	var broken []string
	leaks := 0
	for i := range results {
		r := &results[i]
		if r.kind == alert.Verbatim {
			leaks++
		}
		if why := r.check(); why != "" {
			broken = append(broken, fmt.Sprintf("question %d, %s, %s: %s", i+1, r.mode, r.stream, why))
		}
		if leaked(string(lines), r.leak) {
			broken = append(broken, fmt.Sprintf("question %d: the alert file contains words of the answer", i+1))
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
		broken = append(broken, fmt.Sprintf("%d answers contained training text, but the alert file has %d findings of it", leaks, findings))
	}
	return broken
}

// check returns the promise that one answer breaks, in words, or nothing.
func (r *demoResult) check() string {
	if r.said.text != r.text() {
		return "the model did not say what it should"
	}
	if r.leak == "" {
		if r.got != r.said {
			return "a clean answer was changed"
		}
		return ""
	}
	want := map[detect.Action]alert.Action{detect.Observe: alert.Observed, detect.Redact: alert.Redacted, detect.Block: alert.Blocked}[r.mode]
	if r.alert.Type != alert.TypeFinding || r.alert.Action != want {
		return fmt.Sprintf("no alert with action %s", want)
	}
	switch {
	case r.mode == detect.Observe:
		if r.got != r.said {
			return "an observed answer was changed"
		}
	case leaked(r.got.text, r.leak) || leaked(r.got.raw, r.leak):
		return "words of the training data reached the caller"
	case r.mode == detect.Redact:
		if !strings.HasPrefix(r.got.text, r.lead+"[redacted]") || !strings.HasSuffix(r.got.text, r.tail) || r.got.finish != "stop" {
			return "the clean part of the answer was changed"
		}
	case r.stream == streamed:
		if strings.TrimSpace(r.got.text) != strings.TrimSpace(r.lead) || r.got.finish != "content_filter" {
			return "the answer did not end before the training text"
		}
	default:
		if r.got.status != 400 || r.got.code != "content_filter" {
			return "the answer was not refused"
		}
	}
	return ""
}

// leaked reports whether text contains three words of leak in a row, or all of a leak
// that has fewer. It does not see a leak in the raw body of a stream, where each word is
// in a message of its own.
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

// demoWords returns the words of a text in lower case, without punctuation.
func demoWords(text string) []string {
	words := strings.Fields(strings.ToLower(text))
	for i, w := range words {
		words[i] = strings.Trim(w, ".,;:!?\"'")
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}
