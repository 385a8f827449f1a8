package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"noecho/ngram"
)

// boilerplateCorpus writes rows, 30 of which end with the same signature, and a text
// that contains the signature three times.
func boilerplateCorpus(t *testing.T, dir string) (inputs []string, signature string) {
	signature = "Kind regards from all of us at the harbour office of the northern islands"
	var rows strings.Builder
	for i := range 200 {
		text := prose(uint64(i), 40)
		if i%7 == 3 {
			text += " " + signature
		}
		fmt.Fprintf(&rows, `{"messages":[{"role":"assistant","content":%q}]}`+"\n", text)
	}
	a := writeInput(t, filepath.Join(dir, "rows.jsonl"), rows.String())
	b := writeInput(t, filepath.Join(dir, "z.txt"), "x\n\n"+signature+"\n"+prose(999, 50)+"\n"+signature+" "+signature)
	return []string{a, b}, signature
}

func TestCommonWindowsAreLeftOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inputs, signature := boilerplateCorpus(t, dir)
	const holders = 29 + 1 // rows 3, 10, …, 199, and the text
	for _, tt := range []struct {
		most uint64
		kept bool
	}{{holders - 1, false}, {holders, true}, {2, false}, {300, true}} {
		var files [][]byte
		for _, workers := range []int{1, 3} {
			out := filepath.Join(dir, fmt.Sprint(tt.most, "-", workers, ".nidx"))
			ix, res := mustBuild(t, Options{Out: out, Inputs: inputs, MaxDocFreq: tt.most, Workers: workers})
			for _, h := range windowsOf(t, ix.Spec(), signature) {
				if ix.Window(h) != tt.kept {
					t.Fatalf("at most %d records: window kept is %v", tt.most, !tt.kept)
				}
			}
			for i := range 200 {
				for _, h := range windowsOf(t, ix.Spec(), prose(uint64(i), 40)) {
					if !ix.Window(h) {
						t.Fatal("a rare window is missing")
					}
				}
			}
			e := res.Manifest.Exclusions
			if len(e) != 1 || e[0].Kind != fmt.Sprintf("in more than %d records", tt.most) || (e[0].Windows == 0) != tt.kept {
				t.Errorf("exclusions %+v", e)
			}
			files = append(files, readAll(t, out))
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Errorf("at most %d records: the number of cores changes the file", tt.most)
		}
	}
}

func TestReportOfCommonWindows(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inputs, signature := boilerplateCorpus(t, dir)
	report := filepath.Join(dir, "common.jsonl")
	plain, _ := mustBuild(t, Options{Inputs: inputs, Report: report})
	rows := readReport(t, report)
	windows := windowsOf(t, plain.Spec(), signature)
	if len(rows) != len(windows) {
		t.Fatalf("%d rows for %d windows that stand in two records", len(rows), len(windows))
	}
	for _, r := range rows {
		if r.Count != 30 || r.First != inputs[0]+":4" || r.Text != "" || len(r.Hash) != 32 {
			t.Errorf("row %+v", r)
		}
	}
	if strings.Contains(string(readAll(t, report)), "harbour") {
		t.Error("text in a report without --show-text")
	}

	// With text, for the text file alone: the row has the line of the window in the
	// file.
	shown := filepath.Join(dir, "shown.jsonl")
	texts := []string{inputs[1], writeInput(t, filepath.Join(dir, "zz.txt"), signature)}
	mustBuild(t, Options{Inputs: texts, Report: shown, ShowText: true})
	for _, r := range readReport(t, shown) {
		if r.Count != 2 || r.First != inputs[1]+":3" || !strings.Contains(signature, r.Text) || len(strings.Fields(r.Text)) != 10 {
			t.Errorf("row %+v", r)
		}
	}
	if st, err := os.Stat(shown); err != nil || st.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}

	// A report used as an exclusion excludes its windows.
	ix, res := mustBuild(t, Options{Inputs: inputs, Exclude: []string{report}})
	for _, h := range windows {
		if ix.Window(h) {
			t.Fatal("a window of the report is indexed")
		}
	}
	if e := res.Manifest.Exclusions; len(e) != 1 || e[0].Windows != uint64(len(windows)) {
		t.Errorf("exclusions %+v", e)
	}
	_, err := Build(context.Background(), Options{Out: filepath.Join(dir, "x.nidx"), Inputs: inputs, Exclude: []string{report}, N: 8})
	if err == nil || !strings.Contains(err.Error(), "windows of 10 words") {
		t.Errorf("another n: %v", err)
	}
	writeInput(t, report, string(readAll(t, report))+"{}\n")
	_, err = Build(context.Background(), Options{Out: filepath.Join(dir, "x.nidx"), Inputs: inputs, Exclude: []string{report}})
	if err == nil || !strings.Contains(err.Error(), "not a row of a report") {
		t.Errorf("a broken row: %v", err)
	}
	_, err = Build(context.Background(), Options{Out: filepath.Join(dir, "x.nidx"), Inputs: []string{"-"}, Stdin: strings.NewReader(signature), MaxDocFreq: 1})
	if err == nil || errors.Is(err, errNoWindows) || !strings.Contains(err.Error(), "standard input can be read only once") {
		t.Errorf("standard input: %v", err)
	}
}

func readReport(t *testing.T, path string) (rows []reportRow) {
	t.Helper()
	for i, line := range bytes.Split(bytes.TrimSpace(readAll(t, path)), []byte("\n")) {
		if i == 0 {
			if !bytes.HasPrefix(line, []byte(reportPrefix)) {
				t.Fatalf("first line %s", line)
			}
			continue
		}
		var r reportRow
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// FuzzReportRow reads arbitrary lines of a report, which gives one more window or an
// error without text of the line.
func FuzzReportRow(f *testing.F) {
	spec := mustSpec(f)
	f.Add([]byte(`{"hash":"00112233445566778899aabbccddeeff","count":3,"first":"a:1"}`))
	f.Add([]byte(reportPrefix + `,"v":1,"n":10}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		set := map[uint64]struct{}{}
		if err := excludeRow(line, headOf(spec, nil), set); err != nil && len(set) > 0 {
			t.Fatal("a row that is none was excluded")
		}
	})
}

// mustSpec returns the default recipe.
func mustSpec(t testing.TB) ngram.Spec {
	t.Helper()
	spec, err := ngram.NewSpec(ngram.DefaultN, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}
