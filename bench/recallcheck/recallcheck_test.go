package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// fixture returns the arguments for the shipped texts, which were indexed and scanned
// with noecho.
func fixture(more ...string) []string {
	return append([]string{
		"-corpus", "testdata/corpus", "-findings", "testdata/findings.jsonl", "-field", "text",
		"-outputs", "testdata/outputs.jsonl",
	}, more...)
}

func judgeArgs(t *testing.T, stdin string, args ...string) (*report, error) {
	t.Helper()
	var out strings.Builder
	err := run(append([]string{"-json"}, args...), strings.NewReader(stdin), &out, io.Discard)
	if err != nil && !errors.Is(err, errDisagree) {
		return nil, err
	}
	var r report
	if bad := json.Unmarshal([]byte(out.String()), &r); bad != nil {
		t.Fatal(bad)
	}
	return &r, err
}

// TestFixture compares with counts by hand of the words of the shipped outputs that are
// in the shipped corpus.
func TestFixture(t *testing.T) {
	t.Parallel()
	r, err := judgeArgs(t, "", fixture()...)
	if err != nil {
		t.Fatal(err)
	}
	want := []count{
		{Group: "large", Outputs: 3, Words: 73, Reference: 33, Longest: 23, Glued: 33, Findings: 4, Found: 68, Beyond: 35, OtherFindings: OtherFindings{Named: 4}},
		// "forty-two" is two words if punctuation ends a word, and one if it is taken
		// out.
		{Group: "small", Outputs: 2, Words: 27, Reference: 16, Longest: 16, Glued: 15, Findings: 1, Found: 16, OtherFindings: OtherFindings{Named: 1}},
	}
	if diff := cmp.Diff(want, r.Groups); diff != "" {
		t.Error(diff)
	}
	if r.Total.Reference != 49 || r.Total.Outputs != 5 || r.Books != 2 || r.FalseAlarms != 0 || r.Missed != nil {
		t.Errorf("total %+v, %d files, %d false alarms, missed %v", r.Total, r.Books, r.FalseAlarms, r.Missed)
	}
	beyond := []because{
		{Reading: "backslash escape", Findings: 1, Words: 15},
		{Reading: "entity", Findings: 1, Words: 13},
		{Reading: "tag", Findings: 1, Words: 7},
		{Reading: "list number"},
		{Reading: "invisible character"},
		{Reading: "several of these"},
	}
	if diff := cmp.Diff(beyond, r.Beyond); diff != "" {
		t.Error(diff)
	}
}

// TestTable prints the fixture for people: a row for each group, a line for each
// finding, and no word of the texts.
func TestTable(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(append([]string{"-list"}, fixture()...), nil, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n| small | 2 | 27 | 16 | 0 | 16 | 1 | 16 | 0 | 15 | 0 |\n",
		"\n| nothing: false alarms | 0 | 0 |\n",
		"\nfinding: testdata/outputs.jsonl:2, bytes 96 to 171, 16 words, corpus harbour.txt:1, reference\n",
		"\nfinding: testdata/outputs.jsonl:4, bytes 348 to 402, 10 words, corpus garden.md:3, reference\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, word := range []string{"berth", "winter", "elder"} {
		if strings.Contains(out.String(), word) {
			t.Errorf("the report quotes %q", word)
		}
	}
}

// TestSeesErrors checks scans that are wrong, each in one way.
func TestSeesErrors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/findings.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	found := string(data)
	tests := []struct {
		name, was, is string
		missed, false int
		line          int // part of the report
	}{
		{"a finding is missing", `{"file":"testdata/outputs.jsonl","line":2,"start":96,"end":171,"words":16,"kind":"verbatim","lane":"plain","records":[{"id":"corpus/harbour.txt","dataset":"corpus","labels":[]}]}` + "\n", "", 16, 0, 2},
		{"one ends a word early", `"start":348,"end":402`, `"start":348,"end":398`, 1, 0, 4},
		{"one begins a word late", `"start":208,`, `"start":216,`, 1, 0, 4},
		{"one goes on too far", `"start":348,"end":402`, `"start":348,"end":408`, 0, 1, 4},
		{"one is made up", `{"file":"testdata/outputs.jsonl","line":2,"start":96`, `{"file":"testdata/outputs.jsonl","line":1,"start":25,"end":40,"words":4,"kind":"verbatim"}` + "\n" + `{"file":"testdata/outputs.jsonl","line":2,"start":96`, 0, 4, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(found, tt.was) != 1 {
				t.Fatalf("%q is not in the findings", tt.was)
			}
			args := fixture()
			args[3] = "-"
			r, err := judgeArgs(t, strings.Replace(found, tt.was, tt.is, 1), args...)
			if !errors.Is(err, errDisagree) {
				t.Fatalf("error %v", err)
			}
			spots := append(r.Missed, r.False...)
			if r.Total.Missed != tt.missed || r.FalseWords != tt.false || len(spots) != 1 || spots[0].Line != tt.line || spots[0].Words != tt.missed+tt.false {
				t.Errorf("missed %d, false %d, %+v", r.Total.Missed, r.FalseWords, spots)
			}
		})
	}
}

// TestOtherFindings checks near matches by the share of their words that is in the
// corpus, and findings by whether the named record contains them.
func TestOtherFindings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "answer.txt")
	text := "the fee for a boat in the inner harbour is forty-two euros a day in summer. " + // every sixth word differs
		strings.Repeat("and so it went on ", 4) + "they all went home in the end. " + strings.Repeat("and so it went on ", 4) +
		"Sow the beans when the elder flowers, never before the last frost of the spring."
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	line := func(begin, end, kind, record string) string {
		lo, hi := strings.Index(text, begin), strings.Index(text, end)+len(end)
		b, err := json.Marshal(map[string]any{
			"file": path, "line": 1, "start": lo, "end": hi, "words": 9, "kind": kind, "lane": "plain",
			"records": []map[string]string{{"id": record}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + "\n"
	}
	const end = `{"summary":{}}`
	sow := line("Sow", "spring", "verbatim", "corpus/garden.md")
	r, err := judgeArgs(t, line("the fee", "in summer", "near", "corpus/harbour.txt")+sow+end, "-corpus", "testdata/corpus", "-findings", "-", "-outputs", path)
	if err != nil {
		t.Fatal(err)
	}
	if want := (OtherFindings{Near: 1, NearWords: 17, NearShared: 13, Named: 2}); r.Total.OtherFindings != want {
		t.Errorf("%+v, want %+v", r.Total.OtherFindings, want)
	}
	r, err = judgeArgs(t, line("they all", "the end", "near", "corpus/garden.md")+line("Sow", "spring", "verbatim", "corpus/harbour.txt")+end,
		"-corpus", "testdata/corpus", "-findings", "-", "-outputs", path)
	if !errors.Is(err, errDisagree) { // neither of the names is right
		t.Errorf("error %v", err)
	}
	if want := (OtherFindings{Near: 1, NearWords: 7, NearDoubted: 1, Named: 2, Wrong: 2}); r.Total.OtherFindings != want || len(r.Doubted) != 1 || len(r.Misnamed) != 2 {
		t.Errorf("%+v, want %+v", r.Total.OtherFindings, want)
	}
	r, err = judgeArgs(t, strings.Replace(sow, `"plain"`, `"rot13"`, 1)+sow+end, "-corpus", "testdata/corpus", "-findings", "-", "-outputs", path)
	if want := (OtherFindings{Other: 1, Named: 1}); err != nil || r.Total.OtherFindings != want {
		t.Errorf("%v, %+v, want %+v", err, r.Total.OtherFindings, want)
	}
}

// TestFiles judges outputs that are files of plain text.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := "Nothing.\n\nThen: a night in summer and nineteen in winter boats that aren\u2019t, he said.\n"
	path := filepath.Join(dir, "answer.txt")
	findings := `{"file":"` + path + `","line":3,"start":16,"end":76,"words":11}` + "\n" + `{"summary":{}}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := judgeArgs(t, findings, "-list", "-corpus", "testdata/corpus", "-findings", "-", "-outputs", path)
	if err != nil {
		t.Fatal(err)
	}
	want := []spot{{File: path, Line: 3, Start: 16, End: 76, Words: 11, Corpus: "harbour.txt:1", Because: "reference"}}
	if diff := cmp.Diff(want, r.List); diff != "" || r.Total.Reference != 11 || r.Groups[0].Group != path {
		t.Errorf("%+v %s", r.Total, diff)
	}
	r, err = judgeArgs(t, `{"summary":{}}`, "-corpus", "testdata/corpus", "-findings", "-", "-outputs", path)
	if !errors.Is(err, errDisagree) || len(r.Missed) != 1 || r.Missed[0].Line != 3 || r.Missed[0].Start != 16 {
		t.Errorf("%v, missed %+v", err, r.Missed)
	}
}

// TestRefuses: the scan must have ended, and must be one of these outputs.
func TestRefuses(t *testing.T) {
	t.Parallel()
	done := "\n" + `{"summary":{"unscanned":0}}`
	f := func(findings, want string, args ...string) {
		t.Helper()
		if args == nil {
			args = fixture()
			args[3] = "-"
		}
		if _, err := judgeArgs(t, findings, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f(`{"file":"a","line":1,"start":0,"end":9}`, "the scan did not end")
	f(`{"summary":{"unscanned":2}}`, "2 inputs were not scanned")
	f(`{"file":"other.jsonl","line":1,"start":0,"end":9}`+done, "1 findings in other.jsonl are in none of the --outputs")
	f("nonsense", "-:1: invalid character")
	f("", "no such file", "-corpus", "testdata/corpus", "-findings", "testdata/none.jsonl", "-outputs", "testdata/outputs.jsonl")
	f(done[1:], "no column answer", "-corpus", "testdata/corpus", "-findings", "-", "-field", "answer", "-outputs", "testdata/outputs.jsonl")
	f(done[1:], "not a JSON object", "-corpus", "testdata/corpus", "-findings", "-", "-field", "text", "-outputs", "testdata/corpus/garden.md")
	f("", "name the folder of the --corpus", "-findings", "-")
	f("", "name the --findings", "-corpus", "testdata/corpus")
	f("", "name the --outputs", "-corpus", "testdata/corpus", "-findings", "-")
}

// TestReadings cuts texts into words.
func TestReadings(t *testing.T) {
	t.Parallel()
	strict := reading{}
	all := looser[len(looser)-1]
	tests := []struct {
		name    string
		reading reading
		text    string
		want    string
	}{
		{"case, marks, dashes", strict, "ÉCOLE e\u0301cole door-nail\u2014Yes\u2026 3½", "ecole ecole door nail yes 312"},
		{"apostrophes", strict, "don\u2019t o'clock \u2018em dogs' 'Tis", "dont oclock em dogs tis"},
		{"broken UTF-8", strict, "a\xffb", "a b"},
		{"glued", reading{punct: glued}, "to-day door\u2014nail, don't", "today doornail dont"},
		{"escapes", looser[0], `one\ntwo\\nthree \"four\"`, "one two three four"},
		{"entities", looser[1], "one&amp;two caf&eacute; &#8217;tis a&b; &", "one two cafe tis a b"},
		{"tags", looser[2], "<b>bo</b>ld<br/>two <a href=x>", "bold two a href x"},
		{"list numbers", looser[3], "1. one\n> - 22) two\n1999. three 4. four", "one two 1999 three 4 four"},
		{"invisible", looser[4], "so\u00adft ze\u200bro", "soft zero"},
		{"all", all, `1. <b>o\ne</b> &amp; t` + "\u200bwo", "o e two"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			at := 0
			for _, w := range tt.reading.words(letters(tt.text)) {
				got = append(got, w.text)
				if w.lo < at || w.hi <= w.lo || w.hi > len(tt.text) {
					t.Errorf("%s is at %d to %d", w.text, w.lo, w.hi)
				}
				at = w.hi
			}
			if has := strings.Join(got, " "); has != tt.want {
				t.Errorf("got %q, want %q", has, tt.want)
			}
		})
	}
}

// FuzzRow compares the text of a row with encoding/json, and checks the place of each
// letter.
func FuzzRow(f *testing.F) {
	for _, seed := range []string{
		`{"text":"plain","model":"m"}`, `{"text":"\u00e9\ud83d\ude00\n\"\\\/","model":3}`,
		`{"text":"\ud83d","text":"\ud83d\u0041"}`, ` {"a":[{"text":"x"}],"text":""}`, `{"text":null}`, `{`, `{"text":"a`,
	} {
		f.Add([]byte(seed))
	}
	o := &options{field: "text", by: "model"}
	f.Fuzz(func(t *testing.T, line []byte) {
		out, err := row(line, o)
		if err != nil {
			return
		}
		var got strings.Builder
		at := out.lo
		for _, l := range out.text {
			if l.lo != at || l.hi <= l.lo {
				t.Fatalf("a letter is at %d to %d, the one before ends at %d", l.lo, l.hi, at)
			}
			at = l.hi
			got.WriteRune(l.r)
		}
		if at != out.hi || line[out.lo-1] != '"' || line[out.hi] != '"' {
			t.Fatalf("the text ends at %d, its letters at %d", out.hi, at)
		}
		var want string
		if err := json.Unmarshal(line[out.lo-1:out.hi+1], &want); err != nil {
			t.Fatal(err)
		}
		if utf8.Valid(line) && got.String() != want {
			t.Fatalf("read %q, want %q", got.String(), want)
		}
	})
}
