package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"noecho/detect"
	"noecho/index/build"
	"noecho/proxy/alert"
)

// On a terminal of at least demoLeast columns the demo prints both answers side by side,
// in at most demoMost columns. Elsewhere it prints one below the other.
const (
	demoLeast = 72
	demoMost  = 132
)

// demoScreen prints the demo.
type demoScreen struct {
	out     io.Writer
	width   int // 0: one answer below the other, without wrapping
	colours palette
}

func newDemoScreen(a *app) *demoScreen {
	s := &demoScreen{out: a.stdout, colours: coloursFor(a.stdout, a.getenv)}
	if f, ok := a.stdout.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width >= demoLeast {
			s.width = min(width, demoMost)
		}
	}
	return s
}

func (s *demoScreen) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

func (s *demoScreen) opening(built *build.Result, took time.Duration, model, proxy string) {
	s.printf("Indexed %d records, old texts and support tickets with names, e-mails and order\n", built.Info.Records)
	s.printf("numbers: %d windows of %d words in %d KiB, in %d ms.\n", built.Info.Distinct, built.Info.N, built.Info.Bytes>>10, took.Milliseconds())
	s.printf("A model that knows them by heart serves on %s, noecho in front of it\non %s. No alert and no index contains a word of them.\n", model, proxy)
}

// result prints one question with both answers and the alert.
func (s *demoScreen) result(number int, r *demoResult) {
	title := fmt.Sprintf("%d. %s, %s", number, r.mode, r.stream)
	s.printf("\n%s: %s\n", s.colours.paint(s.colours.bold, title), r.question)
	red, green := s.colours.severity[alert.High], s.colours.severity[alert.Low]
	said := split(r.said.text, len(r.lead), len(r.lead)+len(r.leak), red)
	got := split(r.got.text, 0, 0, "")
	switch r.mode {
	case detect.Redact:
		if at := strings.Index(r.got.text, "[redacted]"); at >= 0 {
			got = split(r.got.text, at, at+len("[redacted]"), green)
		}
	case detect.Observe:
		got = split(r.got.text, len(r.lead), len(r.lead)+len(r.leak), red)
	}
	if note := r.got.note(); note != "" {
		got = append(got, split(note, 0, len(note), green)...)
	}
	if s.width == 0 {
		s.printf("   model said:  %s\n   caller got:  %s\n", s.line(said), s.line(got))
	} else {
		s.columns(said, got)
	}
	if r.alert.Type != alert.TypeFinding {
		s.printf("   alert:       none\n")
		return
	}
	s.printf("   alert:       %s\n", s.colours.render(&r.alert))
	for i := range r.others {
		s.printf("   also:        %s\n", s.colours.render(&r.others[i]))
	}
}

// demoWord is a word with its colour.
type demoWord struct{ text, colour string }

// split cuts text into words. The words that begin at offsets lo to hi-1 get the colour.
func split(text string, lo, hi int, colour string) []demoWord {
	var words []demoWord
	for at := 0; at < len(text); {
		end := at + strings.IndexByte(text[at:]+" ", ' ')
		w := demoWord{text: text[at:end]}
		if at >= lo && at < hi {
			w.colour = colour
		}
		if w.text != "" {
			words = append(words, w)
		}
		at = end + 1
	}
	return words
}

// line joins words with spaces. Neighbours of the same colour are painted together.
func (s *demoScreen) line(words []demoWord) string {
	var out []string
	for i := 0; i < len(words); {
		end := i + 1
		text := words[i].text
		for end < len(words) && words[end].colour == words[i].colour {
			text += " " + words[end].text
			end++
		}
		out = append(out, s.colours.paint(words[i].colour, text))
		i = end
	}
	return strings.Join(out, " ")
}

// columns prints two texts side by side.
func (s *demoScreen) columns(left, right []demoWord) {
	width := (s.width - 7) / 2
	s.printf("   %-*s │ caller got\n", width, "model said")
	a, b := wrap(left, width), wrap(right, width)
	for i := range max(len(a), len(b)) {
		var l, r []demoWord
		if i < len(a) {
			l = a[i]
		}
		if i < len(b) {
			r = b[i]
		}
		gap := strings.Repeat(" ", max(0, width-length(l)))
		s.printf("   %s%s │ %s\n", s.line(l), gap, s.line(r))
	}
}

// wrap breaks words into lines of at most width columns. A longer word gets a line of
// its own.
func wrap(words []demoWord, width int) [][]demoWord {
	var lines [][]demoWord
	var line []demoWord
	for _, w := range words {
		if len(line) > 0 && length(line)+1+utf8.RuneCountInString(w.text) > width {
			lines = append(lines, line)
			line = nil
		}
		line = append(line, w)
	}
	if len(line) > 0 {
		lines = append(lines, line)
	}
	return lines
}

// length returns the number of columns that words take in a line.
func length(words []demoWord) int {
	n := max(0, len(words)-1)
	for _, w := range words {
		n += utf8.RuneCountInString(w.text)
	}
	return n
}

// summary prints the result of the demo. findings is the number of findings in the
// alert file.
func (s *demoScreen) summary(results []demoResult, findings int, broken []string) {
	if len(broken) > 0 {
		s.printf("\n%s\n", s.colours.paint(s.colours.severity[alert.High], "Not as promised:"))
		for _, b := range broken {
			s.printf("  - %s\n", b)
		}
		return
	}
	leaks, stopped := 0, 0
	for i := range results {
		if results[i].leak != "" {
			leaks++
			if results[i].mode != detect.Observe {
				stopped++
			}
		}
	}
	s.printf("\nThe model repeated training data in %d of %d answers. In redact and block mode not one\nword of it reached the caller in %d of %d; the clean answer passed byte for byte. Each of\nthe %d findings is one line of JSON: it says where the finding is, how long it is and\nwhich record it repeats, and contains no word of it. An identifier is a finding of its\nown, also within a longer one.\n", leaks, len(results), stopped, stopped, findings)
	s.printf("\nYour turn:\n  noecho index build --out train.nidx train.jsonl\n  noecho serve --index train.nidx --upstream http://127.0.0.1:8000 --alerts alerts.jsonl\n  noecho tail -f alerts.jsonl\n")
}
