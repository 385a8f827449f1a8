package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"noecho/detect"
	"noecho/index"
	"noecho/index/build"
	"noecho/index/corpus"
	"noecho/internal/raced"
)

// realPassages is the number of passages of a length; without the race detector there
// are enough to check the floors.
func realPassages() int {
	if raced.On {
		return 2
	}
	return 20
}

// realReport measures a small corpus with an index of it and stored answers.
func realReport(t testing.TB) (*Report, string) {
	t.Helper()
	// A word with digits of its own cannot be told from one whose letters are
	// written as digits.
	text := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			r += 'a' - '0'
		}
		return r
	}, invented("canary", 300))
	words := strings.Fields(text)
	dir := write(t, map[string]string{
		"a.txt": text,
		"answers.txt": "They said: " + strings.Join(words[20:45], " ") + ". And " + strings.Join(words[50:59], " ") + " but no more.\n" +
			strings.ToUpper(strings.Join(words[100:110], "\n")),
	})
	path := filepath.Join(dir, "a.nidx")
	if _, err := build.Build(context.Background(), build.Options{
		Out: path, Inputs: []string{filepath.Join(dir, "a.txt")}, Builder: "test", Corpus: corpus.Options{Format: corpus.Text},
	}); err != nil {
		t.Fatal(err)
	}
	ix, err := index.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	r, err := Run(context.Background(), Options{
		Set: ix, Spec: ix.Spec(), Detect: detect.Config{Lanes: detect.AllLanes}, Corpus: []string{filepath.Join(dir, "a.txt")}, Outputs: []string{filepath.Join(dir, "answers.txt")},
		Passages: realPassages(), Words: 40, Runs: []int{10, 50}, Seed: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, text
}

// TestRun measures with a real index, twice with the same result, and no form of the
// report contains a word of the corpus.
func TestRun(t *testing.T) {
	t.Parallel()
	r, _ := realReport(t)
	// Twenty passages are too few to check a floor of nine in ten.
	broken := slices.DeleteFunc(r.Broken(), func(s string) bool { return strings.HasPrefix(s, "one word in six") })
	if len(broken) > 0 {
		t.Errorf("broken: %q", broken)
	}
	if want := (Outputs{Files: 1, Words: 2 + 25 + 1 + 9 + 3 + 10, Quoted: 35, Withheld: 35, Longest: 25}); r.Outputs == nil || *r.Outputs != want {
		t.Errorf("outputs %+v, want %+v", r.Outputs, want)
	}
	covered := 0
	for i := range r.Disguises {
		row := &r.Disguises[i]
		if row.Passages != realPassages() || row.FloorWithheld > 0 && row.Words != 40*realPassages() {
			t.Errorf("%s: %d passages of %d words", row.Name, row.Passages, row.Words)
		}
		if row.Covered() {
			covered++
		}
	}
	if len(r.Disguises) != len(disguises) || covered < 20 {
		t.Errorf("%d disguises, %d covered", len(r.Disguises), covered)
	}
	again, _ := realReport(t)
	var a, b bytes.Buffer
	if err := r.WriteJSON(&a); err != nil {
		t.Fatal(err)
	}
	if err := again.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Error("the same options give another report")
	}
}

// writers are the forms of a report.
var writers = map[string]func(*Report, io.Writer) error{
	"text": (*Report).WriteText, "json": (*Report).WriteJSON, "markdown": (*Report).WriteMarkdown, "svg": (*Report).WriteSVG,
}

func TestNoTextComesOut(t *testing.T) {
	t.Parallel()
	r, text := realReport(t)
	r.Verbatim[0].FalseAlarms = 1 // says more
	for name, write := range writers {
		var b bytes.Buffer
		if err := write(r, &b); err != nil {
			t.Fatal(err)
		}
		out := b.String() + strings.Join(r.Broken(), "\n")
		if len(out) < 1000 || strings.Contains(strings.ToLower(out), "canary") {
			t.Errorf("%s: %d bytes, with the corpus or without a report", name, len(out))
		}
		for _, w := range strings.Fields(text) {
			if strings.Contains(out, w) {
				t.Fatalf("%s contains a word of the corpus", name)
			}
		}
	}
}

// fixed is a small report with a row of every kind.
func fixed() *Report {
	return &Report{
		Report: ReportName, V: 1, Noecho: "v0", Command: "noecho eval --index a.nidx", Indexes: []string{"00"}, N: 10, Seed: 1, Words: 40, LeftOut: 2,
		Corpus:   CorpusSize{Files: 1, Texts: 2, Words: 3456, BadRecords: 0},
		Verbatim: []Row{{Name: "runs of 10 words", Group: "verbatim", Floor: 1, FloorWithheld: 1, Passages: 200, Found: 199, Words: 2000, Withheld: 1999, Released: 10, ControlWords: 1000}},
		Disguises: []Row{
			{Name: "one < two", Group: "layout", Floor: .99, FloorWithheld: .99, Passages: 200, Found: 200, Words: 8000, Withheld: 7999, ControlWords: 1000},
			{Name: "shy", Group: "layout", Floor: .99, FloorWithheld: .99, Passages: 200, Found: 200, Words: 8000, Withheld: 7000, ControlWords: 1000},
			{Name: `\u`, Group: "code", Passages: 200, Words: 8000, Released: 8000, ControlWords: 1000},
			{Name: "noisy", Group: "code", Passages: 200, Words: 0, ControlWords: 1000, FalseAlarms: 1},
		},
		Outputs: &Outputs{Files: 3, Words: 1234, Quoted: 100, Withheld: 99, Beyond: 1, Longest: 44},
	}
}

const wantText = `200 passages of 40 words, each in 4 disguises, from 2 texts of 3,456 words in 1
file; windows of 10 words, seed 1. 1 false alarm in 5,000 words of filler. 2
passages were not drawn: they contain windows that the index leaves out.

                                  found  withheld    released in runs ≥ 10  alarms
verbatim
  runs of 10 words               99.5 %    99.9 %                    0.5 %       0  below 100 %
layout
  one < two                       100 %    99.9 %                      0 %       0  holds
  shy                             100 %    87.5 %                      0 %       0  below 99.0 %
code
  \u                                0 %       0 %                    100 %       0  not covered
  noisy                             0 %         –                        –       1  false alarm

Found: passages of which a part was withheld. Withheld: words of the passages
that were withheld, of those that the disguise keeps. Released: words that a
reader who undoes the disguise gets, 10 or more in a row. Alarms: ranges of
invented text that were withheld. Not covered: noecho promises nothing.

Outputs: 1,234 words in 3 files; 100 are in the corpus in runs of 10 and more,
the longest of 44; 99.0 % of them withheld; 0 other words withheld as near
matches, 0 in other lanes, 1 otherwise.
`

const wantMarkdown = "<!-- noecho eval -->\n\n`noecho eval --index a.nidx`\n\n" + `200 passages of 40 words, each in 4 disguises, from 2 texts of 3,456 words in 1 file; windows of 10 words, seed 1. 1 false alarm in 5,000 words of filler. 2 passages were not drawn: they contain windows that the index leaves out.

| | found | withheld | released in runs ≥ 10 | alarms | |
|---|---:|---:|---:|---:|---|
| **verbatim** | | | | | |
| runs of 10 words | 99.5 % | 99.9 % | 0.5 % | 0 | below 100 % |
| **layout** | | | | | |
| one < two | 100 % | 99.9 % | 0 % | 0 | holds |
| shy | 100 % | 87.5 % | 0 % | 0 | below 99.0 % |
| **code** | | | | | |
| \\u | 0 % | 0 % | 100 % | 0 | not covered |
| noisy | 0 % | – | – | 1 | false alarm |

Found: passages of which a part was withheld. Withheld: words of the passages that were withheld, of those that the disguise keeps. Released: words that a reader who undoes the disguise gets, 10 or more in a row. Alarms: ranges of invented text that were withheld. Not covered: noecho promises nothing.

Outputs: 1,234 words in 3 files; 100 are in the corpus in runs of 10 and more, the longest of 44; 99.0 % of them withheld; 0 other words withheld as near matches, 0 in other lanes, 1 otherwise.
`

func TestTables(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"text": wantText, "markdown": wantMarkdown} {
		var b bytes.Buffer
		if err := writers[name](fixed(), &b); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, b.String(), want)
		}
	}
}

func TestBroken(t *testing.T) {
	t.Parallel()
	want := []string{
		"runs of 10 words: below 100 %: 199 of 200 passages found, 99.9 % of the words withheld, 0 false alarms",
		"shy: below 99.0 %: 200 of 200 passages found, 87.5 % of the words withheld, 0 false alarms",
		"noisy: false alarm: 0 of 200 passages found, – of the words withheld, 1 false alarm",
		"outputs: 1 of 100 quoted words were not withheld, 1 words were withheld that are not quoted",
	}
	if got := fixed().Broken(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestJSON reads the report back.
func TestJSON(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	r := fixed()
	r.Disguises[3].ControlWakes = Wakes{2: 5, 8: 1}
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "{\n  \"report\": \"noecho eval\",\n  \"v\": 1,\n") {
		t.Errorf("begins with %.40q", b.String())
	}
	var got struct {
		Verbatim, Disguises []struct {
			Name                                       string
			Floor                                      float64
			Passages, Found, Words, Withheld, Released int
			ControlWords                               int `json:"control_words"`
			FalseAlarms                                int `json:"false_alarms"`

			ControlWakes map[string]int64 `json:"control_wakes"`
		}
		LeftOut int `json:"left_out"`
		Outputs struct{ Quoted, Withheld, Beyond int }
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if v := got.Verbatim[0]; v.Found != 199 || v.Released != 10 || v.Floor != 1 || got.LeftOut != 2 || got.Disguises[3].FalseAlarms != 1 || got.Outputs.Quoted != 100 {
		t.Errorf("read back %+v", got)
	}
	if w := got.Disguises[3].ControlWakes; len(w) != 2 || w["base64"] != 5 || w["rot13"] != 1 || len(got.Verbatim[0].ControlWakes) != 0 {
		t.Errorf("wakes %v, and %v", w, got.Verbatim[0].ControlWakes)
	}
}

// TestSVG checks that the plot is well-formed XML that runs nothing and loads nothing.
func TestSVG(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := fixed().WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	texts, bars := 0, 0
	d := xml.NewDecoder(strings.NewReader(out))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch el.Name.Local {
		case "svg", "title", "desc", "style":
		case "text":
			texts++
		case "rect":
			bars++
		default:
			t.Errorf("element %s", el.Name.Local)
		}
		for _, a := range el.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
				t.Errorf("attribute %s", a.Name.Local)
			}
		}
	}
	// Two heads, four legends, three groups, and of five rows name, figure and
	// verdict; four legends, and of five rows track and mark, of three a bar.
	if texts != 2+4+3+5*3 || bars != 4+5*2+3 {
		t.Errorf("%d texts and %d bars", texts, bars)
	}
	for _, want := range []string{`prefers-color-scheme:dark`, `one &lt; two`, `width="376.2"`, SVGHead} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing", want)
		}
	}
}
