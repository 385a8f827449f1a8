package corpus

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readInput reads all records of an input: id and texts, by line, and the bad
// ones.
func readInput(t *testing.T, in *Input, o Options) (rows, bad []string) {
	t.Helper()
	f, err := in.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return readRows(t, f, in, o)
}

// readRows reads the records of an open input as a build does.
func readRows(t *testing.T, r io.Reader, in *Input, o Options) (rows, bad []string) {
	t.Helper()
	lines, parser := NewLines(r, in.Path, o), NewParser(in.Format, o)
	var rec Record
	for {
		block, err := lines.Next()
		var e *BadRecord
		switch {
		case errors.Is(err, io.EOF):
			return rows, bad
		case errors.As(err, &e):
			bad = append(bad, fmt.Sprintf("%d: %s", e.Line, e.Reason))
			continue
		case err != nil:
			t.Fatal(err)
		}
		if err := block.EachLine(func(line []byte, number int, _ int64) error {
			if err := parser.Parse(line, &rec); err != nil {
				bad = append(bad, fmt.Sprintf("%d: %v", number, err))
				return nil
			}
			var texts []string
			for _, s := range rec.Segments {
				texts = append(texts, string(rec.Text(s)))
			}
			rows = append(rows, fmt.Sprintf("%d %s %q", number, rec.ID, texts))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// findOne writes a file and finds it as an input.
func findOne(t *testing.T, name, text string, o Options) (*Input, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inputs, _, err := Find([]string{path}, nil, o)
	if err != nil {
		return nil, err
	}
	return &inputs[0], nil
}

func TestCSV(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("word ", 1<<20)
	tests := []struct {
		name, file, text string
		o                Options
		rows, bad        []string
		err, why         string
	}{
		{name: "pairs", text: "id,prompt,completion\n7,p,c\n8,q,d\n", rows: []string{`2 7 ["p" "c"]`, `3 8 ["q" "d"]`}, why: "read as csv, its rows as completion: the columns are prompt and completion"},
		{name: "Alpaca behind a mark, CRLF", text: bom + "instruction,input,output\r\ni,,o\r\n\"i,2\",\"x\"\"y\"\"\",\"o\r\n2\"\r\n", rows: []string{`2  ["i" "o"]`, "3  [\"i,2\" \"x\\\"y\\\"\" \"o\\r\\n2\"]"}},
		{name: "field", text: "a,b\n1,2\n", o: Options{Fields: []string{"b"}}, rows: []string{`2  ["2"]`}, why: "read as csv: the fields are named"},
		{name: "lines of quoted cells", text: "a,b\n\"1\n\n2\",x\n\n\"\",y\nz\n", o: Options{Fields: []string{"a", "b"}}, rows: []string{"2  [\"1\\n\\n2\" \"x\"]", `6  ["y"]`, `7  ["z"]`}},
		{name: "no line end", text: "a\nx", o: Options{Fields: []string{"a"}}, rows: []string{`2  ["x"]`}},
		{name: "quote within a cell", text: "a,b\n5\" nail,\"x\" y,\n\"x\" y,b\n", o: Options{Fields: []string{"a", "b"}}, rows: []string{`2  ["5\" nail,\"x\" y,"]`, `3  ["\"x\" y" "b"]`}},
		{name: "quote that does not end", text: "a,b\nx,y\nx,\"y\nsecret\n", o: Options{Fields: []string{"b"}}, rows: []string{`2  ["y"]`, `3  ["\"y"]`}, bad: []string{"4: none of the fields b"}},
		{name: "quotes that are characters", file: "a.tsv", text: "prompt\tcompletion\na\t\"b c\nd\te \"f\" g\nh\t\"i\n", rows: []string{`2  ["a" "\"b c"]`, `3  ["d" "e \"f\" g"]`, `4  ["h" "\"i"]`}},
		{name: "backslashes before quotes", text: "\"prompt\",\"completion\"\n\"a\",\"b \\\"c, d\\\"\ne \\\\\"\n\"f\",\"\"\n", rows: []string{`2  ["a" "b \"c, d\"\ne \\"]`, `4  ["f"]`}},
		{name: "backslashes before the end of a cell", text: "prompt,completion\n\"a\\\",\"b\"\n\"c\",\"d\\\"\n", rows: []string{`2  ["a\\" "b"]`, `3  ["c" "d\\"]`}},
		{name: "a line that names the separator", text: "sep=;\r\nprompt;completion\r\na,b;c\r\n", rows: []string{`3  ["a,b" "c"]`}},
		{name: "semicolons", text: "prompt;completion\na,b;c\n", rows: []string{`2  ["a,b" "c"]`}},
		{name: "tabs", file: "a.TSV", text: "prompt\tcompletion\na,b\tc\n", rows: []string{`2  ["a,b" "c"]`}},
		{name: "equal names", text: "a,a, a\n1,2,3\n", o: Options{Fields: []string{"a"}}, rows: []string{`2  ["1" "2" "3"]`}},
		{name: "names with dots and quotes", text: "\"x.y\",\"say \"\"z\"\"\"\n1,2\n", o: Options{Fields: []string{"x.y", `say "z"`}}, rows: []string{`2  ["1" "2"]`}},
		{name: "blank lines before the names", text: "\n\r\na,b\n1,2\n", o: Options{Fields: []string{"a"}}, rows: []string{`4  ["1"]`}},
		{name: "short row without the field", text: "a,b\n1\n", o: Options{Fields: []string{"b"}}, bad: []string{"2: none of the fields b"}},
		{name: "broken UTF-8", text: "a,b\nx\xffy é,1\n", o: Options{Fields: []string{"a"}}, rows: []string{"2  [\"x\ufffdy é\"]"}},
		{name: "huge cell", text: "a,b\n\"" + huge + "\",1\n2,3\n", o: Options{Fields: []string{"a", "b"}}, rows: []string{fmt.Sprintf("2  [%q \"1\"]", huge), `3  ["2" "3"]`}},
		{name: "row too long", text: "a,b\nx,1\n" + huge + ",1\n" + strings.Repeat("y,2\n", 3), o: Options{Fields: []string{"b"}, MaxLine: 1 << 20}, rows: []string{`2  ["1"]`, `4  ["2"]`, `5  ["2"]`, `6  ["2"]`}, bad: []string{"3: " + csvLong}},
		{name: "names alone", text: "prompt,completion\n"},
		{name: "forced", file: "a.data", text: "prompt,completion\np,c\n", o: Options{Format: CSV}, rows: []string{`2  ["p" "c"]`}},
		{name: "forced rows", text: "prompt,x\np,c\n", o: Options{Format: Completion}, rows: []string{`2  ["p"]`}},
		{name: "other columns", text: "ask,reply\n", err: "which columns have the text? name them with --field; the columns are ask, reply"},
		{name: "names in capitals", text: "Question,ANSWER\na,b\n", rows: []string{`2  ["a" "b"]`}, why: "its rows as question and answer: the columns are question and answer"},
		{name: "no line of names", text: "1,\"the first answer, which is secret\",é" + strings.Repeat("é", 30) + ",\"a\nb\",two words,\n", err: "the columns are 1, (column 2: a text of 33 bytes), (column 3: a text of 62 bytes), (column 4: a text of 3 bytes), two words, (column 6: no name)"},
		{name: "missing field", text: "a,b\n", o: Options{Fields: []string{"c"}}, err: "there is no column c: name another --format or --field; the columns are a, b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := tt.file
			if file == "" {
				file = "a.csv"
			}
			in, err := findOne(t, file, tt.text, tt.o)
			var columns *ColumnsError
			if tt.err != "" {
				if !errors.As(err, &columns) || !strings.HasSuffix(err.Error(), tt.err) {
					t.Fatalf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			rows, bad := readInput(t, in, tt.o)
			if fmt.Sprint(rows) != fmt.Sprint(tt.rows) || fmt.Sprint(bad) != fmt.Sprint(tt.bad) {
				t.Errorf("rows %.200q, bad %q; want %.200q, %q", rows, bad, tt.rows, tt.bad)
			}
			if got := in.String(); !strings.HasSuffix(got, tt.why) {
				t.Errorf("described as %q, want %q", got, tt.why)
			}
		})
	}
}

// TestTablesDoNotDependOnReads cuts a table and an array at every byte.
func TestTablesDoNotDependOnReads(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		bad        int
	}{
		{"a.csv", "prompt,completion\n\"a\"\"b\r\n\"\"\",\"\"\r\n\n\"c\" d,\"e,\nf\"\r\n,g\n1,2,3\n\"i\nj\",\"k\nl\"m\n\"h", 0},
		{"a.json", "[\n {\"prompt\": \"a,\\\"}\\\\\", \"completion\": [\"b\\n\",\n 1]},\n {\"completion\":{\"a\":[{}]},\"prompt\":0}\n, 3]\n", 1},
	} {
		in, err := findOne(t, tt.name, tt.text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		open := func(r io.Reader) io.Reader {
			if in.Container == CSV {
				return newCSVLines(r, new(File), in)
			}
			return &arrayLines{r: r}
		}
		want, wantBad := readInput(t, in, Options{})
		if len(want) < 2 || len(wantBad) != tt.bad {
			t.Fatalf("%s: rows %q, bad %q", tt.name, want, wantBad)
		}
		for cut := range len(tt.text) {
			r := io.MultiReader(strings.NewReader(tt.text[:cut]), iotest.OneByteReader(strings.NewReader(tt.text[cut:])))
			rows, bad := readRows(t, open(r), in, Options{})
			if fmt.Sprint(rows) != fmt.Sprint(want) || fmt.Sprint(bad) != fmt.Sprint(wantBad) {
				t.Fatalf("%s cut at %d: rows %q, bad %q; want %q, %q", tt.name, cut, rows, bad, want, wantBad)
			}
		}
	}
}

func TestArray(t *testing.T) {
	t.Parallel()
	in, err := findOne(t, "alpaca.json", bom+"[\r\n    {\r\n        \"instruction\": \"Name [three], \\\"{colours}\\\"\",\r\n        \"input\": \"\",\r\n        \"output\": \"red\\n\"\r\n    },\r\n\r\n    {\"id\": 2, \"output\": \"x\"}, 17, {\"output\": secret}, {\"instruction\":\"last\"}\r\n]\r\n", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := in.String(); !strings.HasSuffix(got, "read as alpaca: a JSON array, the first row has instruction and output") {
		t.Errorf("described as %q", got)
	}
	rows, bad := readInput(t, in, Options{})
	if want := `[1  ["Name [three], \"{colours}\"" "red\n"] 2 2 ["x"] 5  ["last"]]`; fmt.Sprint(rows) != want {
		t.Errorf("rows %s, want %s", rows, want)
	}
	if fmt.Sprint(bad) != "[3: not a JSON object 4: not valid JSON at byte 12 of the line]" {
		t.Errorf("bad %q", bad)
	}
}

// FuzzCSV reads any table: no text is lost between its rows, and every record is on the
// line where its row begins.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("id,a\n1,\"x\"\"\ny\"\r\n\n,\"z\" z\n"), byte(','))
	f.Add([]byte("a;\"b\nc"), byte(';'))
	f.Add([]byte("a,b\n\"x\\\"\ny\",\"z\\\\\"\n"), byte(','))
	f.Fuzz(func(t *testing.T, text []byte, comma byte) {
		if comma == '"' || comma == '\n' || comma == '\r' {
			return
		}
		// Half of the tables escape quotes by a backslash.
		in := &Input{Path: "x", Format: JSONL, Container: CSV, comma: comma, escapes: len(text)%2 == 1, o: &Options{Fields: []string{"a"}, MaxLine: 1 << 10}}
		rows := newCSVReader(strings.NewReader(string(text)), in)
		starts := map[int]bool{}
		at := int64(0)
		for {
			row, err := rows.row()
			var bad *BadRecord
			if errors.As(err, &bad) {
				starts[bad.Line], at = true, rows.at
				continue
			}
			if err != nil {
				break
			}
			if row.offset != at || string(text[at:at+int64(len(row.data))]) != string(row.data) {
				t.Fatalf("row %q at %d behind %d", row.data, row.offset, at)
			}
			at += int64(len(row.data))
			starts[row.line] = true
			for _, c := range rows.cells {
				if c.lo > c.hi || c.hi > len(row.data) {
					t.Fatalf("cell %+v of %q", c, row.data)
				}
			}
		}
		if at != int64(len(text)) {
			t.Fatalf("%d of %d bytes were read", at, len(text))
		}
		lines := NewLines(newCSVLines(strings.NewReader(string(text)), new(File), in), "x", Options{})
		for {
			block, err := lines.Next()
			if err != nil {
				return
			}
			_ = block.EachLine(func(line []byte, number int, _ int64) error {
				if !starts[number] {
					t.Fatalf("a record on line %d, where no row begins: %q", number, line)
				}
				return nil
			})
		}
	})
}

// FuzzCSVStandard compares with package encoding/csv, as far as that accepts a text:
// encoding/csv removes carriage returns before line feeds from cells, and returns rows
// of blanks.
func FuzzCSVStandard(f *testing.F) {
	f.Add("id,a\n1,\"x\"\"\ny\"\r\n\n2,\"\r\n\"\n,\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		standard := csv.NewReader(strings.NewReader(text))
		standard.FieldsPerRecord = -1
		want, err := standard.ReadAll()
		if err != nil {
			return
		}
		blank := func(row []string) bool { return strings.TrimSpace(strings.Join(row, "")) == "" }
		r := newCSVReader(strings.NewReader(text), &Input{comma: ','})
		var got [][]string
		for {
			row, err := r.row()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			var cells []string
			for _, c := range r.cells {
				cells = append(cells, strings.ReplaceAll(string(r.value(row, c)), "\r\n", "\n"))
			}
			got = append(got, cells)
		}
		got, want = slices.DeleteFunc(got, blank), slices.DeleteFunc(want, blank)
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
	})
}

// FuzzArray rewrites any text: its length does not change, nor does any byte except
// those of the array itself.
func FuzzArray(f *testing.F) {
	f.Add([]byte(`[{"a":"\"]"},{"b":[1,{}]}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := io.ReadAll(&arrayLines{r: strings.NewReader(string(text))})
		if err != nil || len(got) != len(text) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(text), err)
		}
		for i := range got {
			if got[i] != text[i] && !strings.ContainsRune("[],\r\n", rune(text[i])) {
				t.Fatalf("byte %d was %q and is %q", i, text[i], got[i])
			}
		}
	})
}
