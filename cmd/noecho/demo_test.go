package main

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/proxy/alert"
)

// promised returns results that keep every promise, one for each turn, and their alert
// file.
func promised() ([]demoResult, []byte) {
	var results []demoResult
	var lines []byte
	actions := map[detect.Action]alert.Action{detect.Observe: alert.Observed, detect.Redact: alert.Redacted, detect.Block: alert.Blocked}
	for _, turn := range demoTurns {
		c := turn.demoCase
		r := demoResult{demoTurn: turn, said: demoReply{status: 200, raw: c.text(), text: c.text(), finish: "stop"}}
		r.got = r.said
		if c.leak != "" {
			r.alert = alert.Event{Type: alert.TypeFinding, Action: actions[turn.mode]}
			lines = append(lines, `{"type":"finding","kind":"`+string(c.kind)+`"}`+"\n"...)
			switch {
			case turn.mode == detect.Redact:
				text := c.lead + "[redacted]" + c.tail
				r.got = demoReply{status: 200, raw: text, text: text, finish: "stop"}
			case turn.mode == detect.Block && turn.stream == streamed:
				r.got = demoReply{status: 200, raw: c.lead, text: c.lead, finish: "content_filter"}
			case turn.mode == detect.Block:
				r.got = demoReply{status: 400, code: "content_filter", message: "withheld"}
			}
		}
		results = append(results, r)
	}
	return results, lines
}

func TestDemoCheckAcceptsThePromise(t *testing.T) {
	t.Parallel()
	if broken := checkDemo(promised()); len(broken) > 0 {
		t.Error(broken)
	}
}

func TestDemoCheckSeesWhatIsBroken(t *testing.T) {
	t.Parallel()
	const observe, redact, block, blockWhole, address, clean = 0, 1, 2, 5, 6, 7
	f := func(want string, spoil func(r []demoResult)) {
		t.Helper()
		results, lines := promised()
		spoil(results)
		if broken := strings.Join(checkDemo(results, lines), "\n"); !strings.Contains(broken, want) {
			t.Errorf("got %q, want %q", broken, want)
		}
	}
	f("question 1, observe, streamed: an observed answer was changed", func(r []demoResult) { r[observe].got.raw += " " })
	f("question 2, redact, streamed: words of the training data reached", func(r []demoResult) { r[redact].got.text += " booked a Courier, to" })
	f("the clean part of the answer was changed", func(r []demoResult) { r[redact].got.text = "[redacted]" })
	f("did not end before", func(r []demoResult) { r[block].got.finish = "stop" })
	f("did not end before", func(r []demoResult) { r[block].got.text = "" })
	f("was not refused", func(r []demoResult) { r[blockWhole].got.status = 200 })
	f("words of the training data reached", func(r []demoResult) { r[blockWhole].got.raw = r[blockWhole].leak })
	f("question 7, redact, streamed: words of the training data reached", func(r []demoResult) { r[address].got.text = "Try " + demoAddress })
	f("question 8, redact, streamed: a clean answer was changed", func(r []demoResult) { r[clean].got.text += "." })
	f("no alert with action redacted", func(r []demoResult) { r[redact].alert.Action = alert.Observed })
	f("no alert with action blocked", func(r []demoResult) { r[block].alert = alert.Event{} })
	f("the model did not say", func(r []demoResult) { r[clean].said.text = "" })

	results, lines := promised()
	for want, file := range map[string]string{
		"has 5 findings": strings.Replace(string(lines), `"finding"`, `"start"`, 1),
		"is no alert":    string(lines) + "torn",
		"alert file contains words of the answer": string(lines) + `{"type":"start","reason":"` + results[redact].leak + `"}`,
	} {
		if broken := strings.Join(checkDemo(results, []byte(file)), "\n"); !strings.Contains(broken, want) {
			t.Errorf("got %q, want %q", broken, want)
		}
	}
}

// TestDemoLeaksAreInTheCorpus checks that each text that the model repeats is in exactly
// one file.
func TestDemoLeaksAreInTheCorpus(t *testing.T) {
	t.Parallel()
	for _, turn := range demoTurns {
		files := 0
		err := fs.WalkDir(demoCorpus, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(demoCorpus, path)
			if bytes.Contains(text, []byte(turn.leak)) {
				files++
			}
			return err
		})
		if err != nil || turn.leak != "" && files != 1 {
			t.Errorf("%q is in %d files, %v", turn.leak, files, err)
		}
	}
}

func TestDemoCorpusHoldsNobody(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(demoCorpus, "demo/corpus/tickets.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	mails := map[string]bool{}
	rows := 0
	for line := range bytes.Lines(text) {
		rows++
		if !json.Valid(line) {
			t.Errorf("row %d is no JSON", rows)
		}
		for _, m := range regexp.MustCompile(`[\w.+-]+@[\w.-]+\w`).FindAllString(string(line), -1) {
			mails[m] = true
			if !regexp.MustCompile(`@example\.(com|org|net)$`).MatchString(m) {
				t.Errorf("row %d: %s could be somebody's", rows, m)
			}
		}
	}
	if rows != 40 || len(mails) != 40 {
		t.Errorf("%d rows with %d addresses, want 40 of each", rows, len(mails))
	}
}

func TestDemoSideBySide(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &demoScreen{out: &out, width: 47}
	r := demoResult{
		demoTurn: demoTurn{detect.Redact, streamed, demoCase{question: "Why?", lead: "Größe ", leak: "one two three four", tail: " end"}},
		said:     demoReply{status: 200, text: "Größe one two three four end", finish: "stop"},
		got:      demoReply{status: 200, text: "Größe [redacted] end", finish: "stop"},
	}
	s.result(2, &r)
	want := `
2. redact, streamed: Why?
   model said           │ caller got
   Größe one two three  │ Größe [redacted] end
   four end             │ 
   alert:       none
`
	if got := out.String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	out.Reset()
	s.colours = ansi()
	s.columns(split(r.said.text, len(r.lead), len(r.lead)+len(r.leak), "\x1b[31m"), nil)
	if got := out.String(); !strings.Contains(got, "Größe \x1b[31mone two three\x1b[0m  │") || !strings.Contains(got, "\x1b[31mfour\x1b[0m end ") {
		t.Errorf("got %q", got)
	}
}

func TestWrapKeepsEveryWord(t *testing.T) {
	t.Parallel()
	text := "a bb ccc averyveryverylongword dd e"
	for width := range 40 {
		var got []string
		for _, line := range wrap(split(text, 0, 0, ""), width) {
			if len(line) > 1 && length(line) > width {
				t.Errorf("width %d: a line of %d", width, length(line))
			}
			for _, w := range line {
				got = append(got, w.text)
			}
		}
		if strings.Join(got, " ") != text {
			t.Errorf("width %d: %q", width, got)
		}
	}
}
