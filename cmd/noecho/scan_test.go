package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"noecho/index"
)

// berth is the text that the indexes of these tests are built from.
const berth = "The fee for a berth in the inner harbour is forty two euros a night in summer and nineteen in winter"

// runApp runs one command line in this process.
func runApp(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	a := &app{stdin: strings.NewReader(stdin), stdout: &out, stderr: &err, getenv: func(string) string { return "" }}
	code = a.run(context.Background(), args)
	return code, out.String(), err.String()
}

// berthIndex builds an index of one sentence.
func berthIndex(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.nidx")
	if code, _, stderr := runApp(t, berth, "index", "build", "--out", path, "-"); code != exitOK {
		t.Fatal(stderr)
	}
	return path
}

// findings parses the output of a scan with --json.
func findings(t *testing.T, stdout string) (found []scanFinding, sum scanSummary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, line := range lines[:len(lines)-1] {
		var f scanFinding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		found = append(found, f)
	}
	var last struct{ Summary *scanSummary }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Summary == nil {
		t.Fatalf("last line %q: %v", lines[len(lines)-1], err)
	}
	return found, *last.Summary
}

// TestScanPlaces puts the sentence into files of every format, plain and compressed. The
// range of the finding has to contain exactly the sentence.
func TestScanPlaces(t *testing.T) {
	t.Parallel()
	ix := berthIndex(t)
	// JSON and CSV escape line feeds, quotes and markup.
	first, rest := berth[:40], berth[40:]
	json1 := first + `\u003cbr\u003e\n- \"` + rest
	csv1 := first + "\n\"\"" + rest
	tests := []struct {
		name, text, want string
		args             []string
		line             int
	}{
		{"a.txt", "\n\nx\n" + berth + ".\n", berth, nil, 4},
		{"b.txt", "\xef\xbb\xbf" + berth, berth, nil, 1},
		{"a.jsonl", `{"messages":[]}` + "\n" + `{"a":"é","messages":[{"role":"system","content":"` + json1 + `"}]}` + "\r\n", json1, []string{"--format", "openai"}, 2},
		{"b.jsonl", `{"answer":{"text":["x","` + json1 + `."]}}`, json1, []string{"--field", "answer.text"}, 1},
		{"a.json", "[\n {\"instruction\": \"i\",\n  \"input\": \"\",\n  \"output\": \"é " + json1 + "\"}\n]\n", json1, []string{"--format", "alpaca"}, 4},
		{"a.csv", "id,prompt,completion\r\n1,\"x\r\ny\",\"é " + csv1 + "\"\r\n", csv1, []string{"--format", "csv"}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, file := range map[string]string{tt.name: tt.text, tt.name + ".gz": gzipOf(t, tt.text), tt.name + ".zst": zstdOf(t, tt.text)} {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
					t.Fatal(err)
				}
				code, stdout, stderr := runApp(t, "", append(append([]string{"scan", "--json", "--index", ix}, tt.args...), path)...)
				found, sum := findings(t, stdout)
				if code != exitFindings || len(found) != 1 || sum.Findings != 1 || sum.Files != 1 {
					t.Fatalf("%s: exit code %d, %s%s", name, code, stdout, stderr)
				}
				f := found[0]
				if got := tt.text[f.Start:f.End]; got != tt.want || f.Line != tt.line || f.File != path || f.Words != 20 && f.Words != 21 {
					t.Errorf("%s: line %d, %d words, %q; want line %d, %q", name, f.Line, f.Words, got, tt.line, tt.want)
				}
			}
		})
	}
}

func gzipOf(t *testing.T, text string) string {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func zstdOf(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

// TestScanProgress reads compressed files, whose text is longer than they are. The
// progress counts the bytes on disk, so it ends at their sizes.
func TestScanProgress(t *testing.T) {
	t.Parallel()
	type row struct {
		Text string `parquet:"text"`
	}
	dir, ix := t.TempDir(), berthIndex(t)
	text := strings.Repeat("Nothing to see here, move along please.\n", 20_000)
	for name, data := range map[string]string{"a.txt": text, "b.gz": gzipOf(t, text), "c.zst": zstdOf(t, text)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows := make([]row, 500)
	for i := range rows {
		rows[i].Text = fmt.Sprintf("%d %s", i, text[:1000])
	}
	if err := parquet.WriteFile(filepath.Join(dir, "d.parquet"), rows, parquet.Compression(&parquet.Zstd)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"a.txt"}, {"b.gz"}, {"c.zst"}, {"d.parquet"}, {"a.txt", "b.gz", "c.zst"}} {
		var out, errs bytes.Buffer
		s := &scan{a: &app{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}, indexes: []string{ix}}
		if strings.HasSuffix(args[0], ".parquet") {
			s.fields = []string{"text"}
		}
		want := int64(0)
		for i, name := range args {
			args[i] = filepath.Join(dir, name)
			st, err := os.Stat(args[i])
			if err != nil {
				t.Fatal(err)
			}
			want += st.Size()
		}
		if err := s.run(context.Background(), args); err != nil {
			t.Fatalf("%v: %v, %s", args, err, errs.String())
		}
		if got := s.taken.Load(); got != want {
			t.Errorf("%v: progress ended at %d of %d bytes", args, got, want)
		}
	}
}

// TestScanParquet scans and indexes an export. The line of a finding is the number of
// the row, and its offsets count in the text of the row.
func TestScanParquet(t *testing.T) {
	t.Parallel()
	type turn struct {
		Role    string `parquet:"role"`
		Content string `parquet:"content"`
	}
	type row struct {
		Messages []turn `parquet:"messages,list"`
		Note     string `parquet:"note"`
	}
	path := filepath.Join(t.TempDir(), "train.parquet")
	rows := []row{{}, {Messages: []turn{{"user", "hello"}, {"assistant", "é: " + berth}}, Note: berth}}
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runApp(t, "", "scan", "--json", "--index", berthIndex(t), path)
	found, sum := findings(t, stdout)
	if code != exitFailure || len(found) != 1 || found[0].Line != 2 || found[0].Start != 4 || found[0].End != int64(4+len(berth)) || sum.Files != 1 || sum.Unscanned != 1 {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if want := "noecho: " + path + ": read as parquet, its rows as openai: the columns are messages\n" +
		"noecho: not scanned: " + path + ": 49.0 % of the text is not read: note (49.0 %): read it with --field messages --field note\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	code, stdout, stderr = runApp(t, "", "scan", "--json", "--field", "messages", "--field", "note", "--index", berthIndex(t), path)
	if found, sum := findings(t, stdout); code != exitFindings || len(found) != 2 || sum.Unscanned != 0 {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = runApp(t, "", "scan", "--json", "--field", "note", "--index", berthIndex(t), path)
	if found, _ := findings(t, stdout); code != exitFindings || len(found) != 1 || found[0].Start != 0 {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	code, _, stderr = runApp(t, "", "scan", "--field", "answer", "--index", berthIndex(t), path)
	if code != exitUsage || !strings.Contains(stderr, "there is no column answer") || !strings.Contains(stderr, "the columns are messages, note") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	out := filepath.Join(t.TempDir(), "b.nidx")
	code, _, stderr = runApp(t, "", "index", "build", "--out", out, path)
	if code != exitFailure || !strings.Contains(stderr, "49.0 % of the text is not read: note (49.0 %): read it with --field messages --field note, or build without it with --accept-unread") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	code, stdout, stderr = runApp(t, "", "index", "build", "--accept-unread", "--out", out, path)
	if code != exitOK || !strings.Contains(stdout, "1 record, 22 words") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

// TestScanFixture scans the outputs of bench/recallcheck's test data. Its file of findings
// must be the output of this scanner.
func TestScanFixture(t *testing.T) {
	t.Parallel()
	const dir = "../../bench/recallcheck/testdata/"
	want, err := os.ReadFile(dir + "findings.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	ix := filepath.Join(t.TempDir(), "a.nidx")
	if code, _, stderr := runApp(t, "", "index", "build", "--format", "text", "--out", ix, dir+"corpus"); code != exitOK {
		t.Fatal(stderr)
	}
	code, stdout, stderr := runApp(t, "", "scan", "--json", "--index", ix, "--field", "text", dir+"outputs.jsonl")
	if got := strings.ReplaceAll(stdout, dir, "testdata/"); code != exitFindings || got != string(want) {
		t.Errorf("exit code %d, %s, found\n%swant\n%s", code, stderr, got, want)
	}
}

// TestScanOrder scans many files at the same time. Findings, and reports of files that
// could not be scanned, come in the order of the files.
func TestScanOrder(t *testing.T) {
	t.Parallel()
	dir, ix := t.TempDir(), berthIndex(t)
	var want []string
	for i := range 60 {
		path := filepath.Join(dir, fmt.Sprintf("%02d.txt", i))
		text := strings.Repeat(strings.Repeat("Nothing to see here. ", (60-i)*50)+berth+".\n", i%3)
		if i%7 == 0 {
			path, text = path+".gz", "\x1f\x8b\x00"
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for range i % 3 {
			if i%7 != 0 {
				want = append(want, path)
			}
		}
	}
	code, stdout, stderr := runApp(t, "", "scan", "--json", "--index", ix, dir)
	found, sum := findings(t, stdout)
	var got []string
	for _, f := range found {
		got = append(got, f.File)
	}
	if code != exitFailure || fmt.Sprint(got) != fmt.Sprint(want) || sum.Unscanned != 9 || sum.Files != 51 || strings.Count(stderr, "\n") != 9 {
		t.Errorf("exit code %d, %+v, %d files; %s", code, sum, len(got), stderr)
	}
	if i := strings.Index(stderr, "00.txt.gz: gzip: the file ends too early"); i < 0 || i > strings.Index(stderr, "07.txt.gz") {
		t.Errorf("not scanned: %s", stderr)
	}
}

// TestTurns lets many files write at the same time, more than may wait.
func TestTurns(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	turns := newTurns(&out, &errs)
	const files = 20
	block := bytes.Repeat([]byte("x"), pendingOutput/8)
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range numbers {
				o := turns.file(i)
				for _, p := range [][]byte{{byte('a' + i)}, block, {'\n'}} {
					if err := o.print(p); err != nil {
						t.Error(err)
					}
				}
				if err := o.notice([]byte{byte('A' + i)}); err != nil {
					t.Error(err)
				}
				if err := o.close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range files {
		numbers <- i
	}
	close(numbers)
	wg.Wait()
	if got := strings.ReplaceAll(strings.ReplaceAll(out.String(), "x", ""), "\n", ""); got != "abcdefghijklmnopqrst" || errs.String() != "ABCDEFGHIJKLMNOPQRST" || turns.bytes != 0 {
		t.Errorf("got %q and %q, %d bytes left", got, errs.String(), turns.bytes)
	}
}

// TestScanOutputFails ends the scan with the first error of the output.
func TestScanOutputFails(t *testing.T) {
	t.Parallel()
	dir, ix := t.TempDir(), berthIndex(t)
	for i := range 8 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte(berth), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stderr bytes.Buffer
	a := &app{stdout: failingWriter{}, stderr: &stderr, getenv: func(string) string { return "" }}
	if code := a.run(context.Background(), []string{"scan", "--index", ix, dir}); code != exitFailure || !strings.Contains(stderr.String(), iotest.ErrTimeout.Error()) {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
}

// failingWriter is a pipe that nobody reads.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, iotest.ErrTimeout }

// TestBuildFromAnything indexes the same rows from files of every format. The counts are
// the same, and so is the fill of every filter.
func TestBuildFromAnything(t *testing.T) {
	t.Parallel()
	type pair struct {
		Prompt     string `parquet:"prompt"`
		Completion string `parquet:"completion"`
	}
	var pairs []pair
	var lines []string
	table := "prompt,completion\r\n"
	for i := range 300 {
		p := pair{fmt.Sprintf("What is it, \"%d\"?", i), fmt.Sprintf("It is %d:\n<br>- %s, é %d.", i, berth, i*i)}
		row, err := json.Marshal(map[string]string{"prompt": p.Prompt, "completion": p.Completion})
		if err != nil {
			t.Fatal(err)
		}
		pairs, lines = append(pairs, p), append(lines, string(row))
		table += fmt.Sprintf("\"%s\",\"%s\"\r\n", strings.ReplaceAll(p.Prompt, `"`, `""`), p.Completion)
	}
	dir := t.TempDir()
	export := filepath.Join(dir, "a.parquet")
	if err := parquet.WriteFile(export, pairs); err != nil {
		t.Fatal(err)
	}
	all := strings.Join(lines, "\n")
	paths := []string{export}
	for name, text := range map[string]string{
		"a.jsonl": all, "b.jsonl.gz": gzipOf(t, all), "c.zst": zstdOf(t, all), "d.csv": table,
		"e.json": "[" + strings.Join(lines, ",\n") + "]",
	} {
		paths = append(paths, filepath.Join(dir, name))
		if err := os.WriteFile(paths[len(paths)-1], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var want string
	for _, path := range paths {
		code, stdout, stderr := runApp(t, "", "index", "build", "--json", "--out", path+".nidx", path)
		var got struct{ Info index.Info }
		if code != exitOK || json.Unmarshal([]byte(stdout), &got) != nil || got.Info.Records != 300 {
			t.Fatalf("%s: exit code %d, %s%s", path, code, stdout, stderr)
		}
		in := got.Info
		in.BuildID, in.Bytes = "", 0 // the manifest names the file
		in.Sections = slices.DeleteFunc(in.Sections, func(s index.Section) bool { return s.Gram == 0 })
		ledger := in.Ledger
		in.Ledger = nil
		has := fmt.Sprintf("%+v %+v", in, ledger)
		if want == "" {
			want = has
		}
		if has != want {
			t.Errorf("%s: %s, want %s", path, has, want)
		}
	}
}

// TestScanInside checks the line of a finding that is within another one.
func TestScanInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, out := filepath.Join(dir, "a.txt"), filepath.Join(dir, "a.nidx")
	text := berth + ",\nas agreed\nwith the warden, ilse.brandvold@harbour.example,\non the first day of May\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := runApp(t, "", "index", "build", "--out", out, path); code != exitOK {
		t.Fatal(stderr)
	}
	answer := "Nothing\nof note.\n\n" + text + "\nThe end.\n"
	code, stdout, stderr := runApp(t, answer, "scan", "--json", "--index", out)
	found, _ := findings(t, stdout)
	if code != exitFindings || len(found) != 2 {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	if f := found[0]; f.Kind != "verbatim" || f.Line != 4 {
		t.Errorf("%+v", f)
	}
	if f := found[1]; f.Kind != "phrase" || f.Identifier != "email" || f.Line != 4+strings.Count(text[:strings.Index(text, "ilse")], "\n") {
		t.Errorf("%+v", f)
	}
}
