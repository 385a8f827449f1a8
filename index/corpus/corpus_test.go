package corpus

import (
	"bytes"
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

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		format Format
		o      Options
		row    string
		want   []string
		id     string
		skips  Skips
		err    string
	}{
		{name: "chat", format: OpenAI, row: `{"id":"r1","messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}`, want: []string{"q", "a"}, id: "r1", skips: Skips{System: 1}},
		{name: "role behind the text", format: OpenAI, row: `{"messages":[{"content":"s","role":"system"},{"content":"q","role":"user"}]}`, want: []string{"q"}, skips: Skips{System: 1}},
		{name: "role missing", format: OpenAI, row: `{"messages":[{"content":"q"}]}`, want: []string{"q"}},
		{name: "role twice", format: OpenAI, row: `{"messages":[{"role":"system","content":"q","role":"user"}]}`, want: []string{"q"}},
		{name: "roles asked for", format: OpenAI, o: Options{Roles: []string{"system"}}, row: `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"},{"role":"critic","content":"c"}]}`, want: []string{"s"}, skips: Skips{Other: 2}},
		{name: "any role", format: OpenAI, o: Options{Roles: []string{AnyRole}}, row: `{"messages":[{"role":"system","content":"s"},{"role":"critic","content":"c"}]}`, want: []string{"s", "c"}},
		{name: "developer", format: OpenAI, row: `{"messages":[{"role":"developer","content":"d"}]}`, skips: Skips{Developer: 1}},
		{name: "function is a tool", format: OpenAI, row: `{"messages":[{"role":"function","content":"f"},{"role":"tool","content":"t"}]}`, want: []string{"f", "t"}},
		{name: "null content", format: OpenAI, row: `{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":\"b\"}"}}]}]}`, want: []string{`{"a":"b"}`}},
		{name: "arguments as an object", format: OpenAI, row: `{"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":{"a": 1}}}]}]}`, want: []string{`{"a": 1}`}},
		{name: "function call", format: OpenAI, row: `{"messages":[{"role":"assistant","function_call":{"name":"f","arguments":"x y"}}]}`, want: []string{"x y"}},
		{name: "parts", format: OpenAI, row: `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}},"b"]}]}`, want: []string{"a", "b"}},
		{name: "reasoning and refusal", format: OpenAI, row: `{"messages":[{"role":"assistant","reasoning_content":"r","refusal":"n"}]}`, want: []string{"r", "n"}},
		{name: "content twice", format: OpenAI, row: `{"messages":[{"role":"user","content":"a","content":"b"}]}`, want: []string{"a", "b"}},
		{name: "messages twice", format: OpenAI, row: `{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}`, want: []string{"a", "b"}},
		{name: "escapes", format: OpenAI, row: `{"messages":[{"role":"user","content":"\u00e9\n\"\ud83d\ude00\\"}]}`, want: []string{"é\n\"😀\\"}},
		{name: "lone surrogate and broken UTF-8", format: OpenAI, row: "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\ud800b\xffc\"}]}", want: []string{"a\ufffdb\ufffdc"}},
		{name: "tools are not text", format: OpenAI, row: `{"tools":[{"description":"d"}],"messages":[{"role":"user","content":"q"}]}`, want: []string{"q"}},
		{name: "no messages", format: OpenAI, row: `{"message":[]}`, err: "no messages"},
		{name: "empty messages", format: OpenAI, row: `{"messages":[]}`},
		{name: "completion", format: Completion, row: `{"prompt":"p","completion":"c","_id":7}`, want: []string{"p", "c"}, id: "7"},
		{name: "completion of messages", format: Completion, row: `{"prompt":[{"role":"system","content":"s"},{"role":"user","content":"p"}],"completion":[{"role":"assistant","content":"c"}]}`, want: []string{"p", "c"}, skips: Skips{System: 1}},
		{name: "completion alone", format: Completion, row: `{"completion":"c"}`, want: []string{"c"}},
		{name: "neither", format: Completion, row: `{"text":"c"}`, err: "neither prompt nor completion"},
		{name: "ShareGPT", format: ShareGPT, row: `{"id":"s_0","conversations":[{"from":"system","value":"s"},{"from":"human","value":"q"},{"from":"gpt","value":"a","markdown":null},{"from":"observation","value":"t"},{"from":"bard","value":"b"}]}`, want: []string{"q", "a", "t", "b"}, id: "s_0", skips: Skips{System: 1}},
		{name: "ShareGPT of roles", format: ShareGPT, row: `{"conversations":[{"role":"system","content":"s"},{"role":"user","content":"q"}]}`, want: []string{"q"}, skips: Skips{System: 1}},
		{name: "ShareGPT, assistant alone", format: ShareGPT, o: Options{Roles: []string{"assistant"}}, row: `{"conversations":[{"from":"human","value":"q"},{"value":"a","from":"chatgpt"}]}`, want: []string{"a"}, skips: Skips{Other: 1}},
		{name: "ShareGPT with nulls and numbers", format: ShareGPT, row: `{"conversations":[{"from":"human","value":null},{"from":"gpt","value":42},{"from":null,"value":"x"},null]}`, want: []string{"42", "x"}},
		{name: "ShareGPT as lists", format: ShareGPT, row: `{"conversations":{"from":["human"],"value":["q"]}}`, want: []string{"q"}},
		{name: "ShareGPT without conversations", format: ShareGPT, row: `{"conversation":[]}`, err: "no conversations"},
		{name: "from in a chat", format: OpenAI, row: `{"messages":[{"from":"human","value":"q"},{"role":"user","content":"a"}]}`, want: []string{"q", "a"}},
		{name: "Alpaca", format: Alpaca, row: `{"instruction":"i","input":"","output":"o","text":"no"}`, want: []string{"i", "o"}},
		{name: "empty texts are none", format: OpenAI, row: `{"messages":[{"role":"user","content":""},{"role":"assistant","content":[{"text":""},"",{"text":"a"}],"tool_calls":[{"function":{"arguments":""}}]}]}`, want: []string{"a"}},
		{name: "empty text alone", format: JSONL, o: Options{Fields: []string{"a"}}, row: `{"a":""}`},
		{name: "Alpaca in the wild", format: Alpaca, row: `{"instruction":"i","input":null,"output":["o",7]}`, want: []string{"i", "o", "7"}},
		{name: "Alpaca without text", format: Alpaca, row: `{"text":"o"}`, err: "no instruction, input or output"},
		{name: "escaped names", format: OpenAI, row: `{"\u006dessages":[{"r\u006fle":"\u0075ser","c\u006fntent":"q"}]}`, want: []string{"q"}},
		{name: "row that looks like one of ours", format: OpenAI, row: "\x00secret", err: "not valid JSON"},
		{name: "fields", format: JSONL, o: Options{Fields: []string{"a", "b.c", "x.y"}}, row: `{"uuid":"u","a":"1","b":{"c":["2","3"],"d":"no"},"x":[{"y":"4"},{"y":5},{"z":"no"}],"e":"no"}`, want: []string{"1", "2", "3", "4", "5"}, id: "u"},
		{name: "field with a dot in its name", format: JSONL, o: Options{Fields: []string{"b.c"}}, row: `{"b.c":"1","b":{"c":"2"}}`, want: []string{"1", "2"}},
		{name: "field of every kind", format: JSONL, o: Options{Fields: []string{"a"}}, row: `{"a":{"k": "v"},"a":null,"a":true,"a":1.5,"a":[[["deep"]]]}`, want: []string{`{"k": "v"}`, "1.5", "deep"}},
		{name: "id as a field", format: JSONL, o: Options{Fields: []string{"id"}}, row: `{"id":"text"}`, want: []string{"text"}},
		{name: "no field", format: JSONL, o: Options{Fields: []string{"a", "b"}}, row: `{"c":1}`, err: "none of the fields a, b"},
		{name: "not an object", format: OpenAI, row: `["secret"]`, err: "not a JSON object"},
		{name: "cut", format: OpenAI, row: `{"messages":[{"role":"user","content":"secret`, err: "not valid JSON"},
		{name: "garbage", format: OpenAI, row: `{"messages":secret}`, err: "not valid JSON at byte 12 of the line"},
		{name: "two values", format: OpenAI, row: `{"messages":[{"content":"a"}]}{"messages":[{"content":"b"}]},`, want: []string{"a", "b"}},
		{name: "too deep", format: OpenAI, row: `{"x":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, err: "not valid JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := NewParser(tt.format, tt.o)
			var rec Record
			for range 2 { // a parser is used again
				err := p.Parse([]byte(tt.row+"\r\n"), &rec)
				if tt.err != "" {
					if err == nil || !strings.HasPrefix(err.Error(), tt.err) || strings.Contains(err.Error(), "secret") {
						t.Fatalf("error %v, want %s", err, tt.err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, s := range rec.Segments {
					got = append(got, string(rec.Text(s)))
				}
				if fmt.Sprint(got) != fmt.Sprint(tt.want) || rec.ID != tt.id || rec.Skipped != tt.skips {
					t.Errorf("got %q, id %q, %+v; want %q, id %q, %+v", got, rec.ID, rec.Skipped, tt.want, tt.id, tt.skips)
				}
			}
		})
	}
}

// TestRawRanges checks that a segment has the right byte range of its line.
func TestRawRanges(t *testing.T) {
	t.Parallel()
	line := `  {"messages":[{"role":"user","content": "a\u0062c" },{"role":"tool","content":[{"text":"d\"e"}],"tool_calls":[{"function":{"arguments":{"x": 1}}}]}]}`
	p := NewParser(OpenAI, Options{})
	var rec Record
	if err := p.Parse([]byte(line), &rec); err != nil {
		t.Fatal(err)
	}
	want := []string{`a\u0062c`, `d\"e`, `{"x": 1}`}
	if len(rec.Segments) != len(want) {
		t.Fatalf("%d segments", len(rec.Segments))
	}
	for i, s := range rec.Segments {
		if got := line[s.RawLo:s.RawHi]; got != want[i] {
			t.Errorf("segment %d stands at %q, want %q", i, got, want[i])
		}
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, head string
		o                Options
		want             Format
		err              string
	}{
		{"chat", "a.jsonl", `{"messages":[]}`, Options{}, OpenAI, ""},
		{"chat without a name", "-", "\n\n" + `{"id":1,"messages":[]}` + "\nrest", Options{}, OpenAI, ""},
		{"chat behind a mark", "a.jsonl", bom + `{"messages":[]}` + "\r\n", Options{}, OpenAI, ""},
		{"bad first row", "a.jsonl", "{bad\n" + `{"messages":[]}`, Options{}, OpenAI, ""},
		{"long first row", "a.jsonl", `{"messages":[{"role":"user","content":"` + strings.Repeat("x", 100), Options{}, OpenAI, ""},
		{"completion", "a.jsonl", `{"prompt":"","completion":""}`, Options{}, Completion, ""},
		{"fields", "a.jsonl", `{"messages":1,"x":1}`, Options{Fields: []string{"x"}}, JSONL, ""},
		{"ShareGPT", "a.jsonl", `{"id":1,"conversations":[]}`, Options{}, ShareGPT, ""},
		{"Alpaca", "a.json", `{"instruction":"","input":"","output":""}`, Options{}, Alpaca, ""},
		{"field in a later row", "a.jsonl", "{\"a\":1}\n{\"x\":1}\n", Options{Fields: []string{"x"}}, JSONL, ""},
		{"field within a column", "a.jsonl", `{"x":{"y":1}}`, Options{Fields: []string{"x.y"}}, JSONL, ""},
		{"field that is missing", "a.jsonl", `{"messages":1}`, Options{Fields: []string{"x"}}, "", "there is no column x: name another --format or --field; the first row has messages"},
		{"wrong format", "a.jsonl", `{"text":1}`, Options{Format: Completion}, "", "none of the columns prompt, completion exists: name another --format or --field; the first row has text"},
		{"JSON lines that are text", "a.txt", "text", Options{Format: OpenAI}, "", "not JSON lines"},
		{"no CSV", "a.csv", "\n\n", Options{}, Text, ""},
		{"other columns", "a.jsonl", `{"ask":1,"reply":2}`, Options{}, "", "the first row has ask, reply"},
		{"jsonl without fields", "a.jsonl", `{"question":1}`, Options{Format: JSONL}, "", "name them with --field"},
		{"forced", "a.jsonl", `{"question":1}`, Options{Format: Text}, Text, ""},
		{"text", "README", "hello\nworld", Options{}, Text, ""},
		{"markdown", "a.md", "# Title", Options{}, Text, ""},
		{"text that begins with a brace", "a.txt", "{hello} world\n", Options{}, Text, ""},
		{"empty", "a.txt", "", Options{}, Text, ""},
		{"document", "a.json", "[\n{}\n]", Options{}, "", "not JSON lines"},
		{"pretty", "a.json", "{\n \"messages\": []\n}", Options{}, OpenAI, ""},
		{"gzip in gzip", "a.gz", "\x1f\x8b\x08", Options{}, "", "compressed twice"},
		{"array", "a.json", "[\n {\n  \"messages\": []\n }\n]", Options{}, OpenAI, ""},
		{"long array", "-", "[{\"messages\":[{\"content\":\"" + strings.Repeat("x", 100), Options{}, OpenAI, ""},
		{"Parquet", "a", "PAR1", Options{}, "", "Parquet"},
		{"forced Parquet", "a", "text", Options{Format: Parquet}, "", "not Parquet"},
		{"binary", "a", "a\x00b", Options{}, "", "binary"},
		{"Latin", "a", strings.Repeat("\xe9\xe8", 100), Options{}, "", "not UTF-8"},
		{"some broken bytes", "a", strings.Repeat("text ", 100) + "\xe9\xe9ééé", Options{}, Text, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := sniff(tt.path, []byte(tt.head), tt.o)
			if got.format == ByRow {
				got.format = Format(got.name)
			}
			if got.format != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %q, %v; want %q, %q", got.format, err, tt.want, tt.err)
			}
		})
	}
}

// readLines reads all lines of a text through blocks.
func readLines(t *testing.T, r io.Reader, o Options) (lines []string, bad []int) {
	t.Helper()
	l := NewLines(r, "x", o)
	at := int64(0)
	for {
		b, err := l.Next()
		var e *BadRecord
		switch {
		case errors.Is(err, io.EOF):
			return lines, bad
		case errors.As(err, &e):
			bad = append(bad, e.Line)
			continue
		case err != nil:
			t.Fatal(err)
		}
		if b.Offset < at {
			t.Fatalf("block at %d behind %d", b.Offset, at)
		}
		at = b.Offset + int64(len(b.Data))
		if err := b.EachLine(func(line []byte, number int, offset int64) error {
			lines = append(lines, fmt.Sprintf("%d@%d:%s", number, offset, bytes.TrimSpace(line)))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLinesDoNotDependOnReads cuts the reads of a text with every reader of package
// iotest.
func TestLinesDoNotDependOnReads(t *testing.T) {
	t.Parallel()
	text := "a\n\nbb\r\n" + strings.Repeat("c", 3<<20) + "\n" + strings.Repeat("dd\n", 500_000) + "last"
	want, bad := readLines(t, strings.NewReader(text), Options{})
	if len(want) != 500_004 || want[0] != "1@0:a" || want[1] != "3@3:bb" || want[len(want)-1] != "500005@4645736:last" || len(bad) != 0 {
		t.Fatalf("%d lines, first %q %q, last %q, bad %v", len(want), want[0], want[1], want[len(want)-1], bad)
	}
	for name, r := range map[string]io.Reader{
		"half":  iotest.HalfReader(strings.NewReader(text)),
		"data":  iotest.DataErrReader(strings.NewReader(text)),
		"bytes": iotest.OneByteReader(strings.NewReader(text)),
	} {
		got, _ := readLines(t, r, Options{})
		if len(got) != len(want) || got[len(got)-1] != want[len(want)-1] || got[3] != want[3] {
			t.Errorf("%s: other lines", name)
		}
	}
}

func TestLongLinesArePassedOver(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 3<<20)
	text := "a\n" + long + "\nb\n" + long + "\n" + long
	got, bad := readLines(t, strings.NewReader(text), Options{MaxLine: 2 << 20})
	if fmt.Sprint(got) != fmt.Sprintf("[1@0:a 3@%d:b]", len(long)+3) || fmt.Sprint(bad) != "[2 4 5]" {
		t.Errorf("%d lines, bad %v", len(got), bad)
	}
	failing := NewLines(iotest.TimeoutReader(strings.NewReader(text)), "x", Options{})
	for range 3 {
		if _, err := failing.Next(); errors.Is(err, iotest.ErrTimeout) {
			return
		}
	}
	t.Error("an error of the reader was lost")
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("d/a.md", bom+"# A")
	write("d/sub/b.jsonl", `{"messages":[]}`)
	write("d/c.bin", "\x00")
	write("d/.git/x", "x")
	write("d/e.json", "[]")
	single := write("single.txt", "text")
	if err := os.Symlink(single, filepath.Join(dir, "d", "link.txt")); err != nil {
		t.Logf("no symbolic links here: %v", err)
	}
	inputs, skipped, err := Find([]string{filepath.Join(dir, "d"), single, filepath.Join(dir, "*.txt"), "-", "-"}, strings.NewReader("x"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range inputs {
		name, _ := filepath.Rel(dir, in.Path)
		if in.Path == Stdin {
			name = Stdin
		}
		got = append(got, filepath.ToSlash(name)+":"+in.Kind())
	}
	if fmt.Sprint(got) != "[-:text d/a.md:text d/sub/b.jsonl:openai single.txt:text]" {
		t.Errorf("inputs %v", got)
	}
	reasons := map[string]bool{}
	for _, s := range skipped {
		reasons[filepath.Base(s.Path)] = true
	}
	if !reasons["c.bin"] || !reasons[".git"] || !reasons["e.json"] {
		t.Errorf("skipped %v", skipped)
	}
	f, err := inputs[1].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "# A" || f.BOM != 3 {
		t.Errorf("read %q, %v, mark %d", text, err, f.BOM)
	}
	for _, arg := range []string{"missing.txt", "missing-*.txt", filepath.Join(dir, "d", "c.bin")} {
		if _, _, err := Find([]string{arg}, nil, Options{}); err == nil {
			t.Errorf("%s was found", arg)
		}
	}
}

// FuzzParse reads any row in every format: an error without text, or segments
// that lie in the line.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":"r","messages":[{"role":"user","content":[{"text":"a"}]}],"prompt":"p","a":{"b":[1]}}`))
	f.Add([]byte(`{"messages":"[{\"role\":\"user\",\"content\":\"a\"}]","x":[NaN,{"role":"y","parts":["b"]}]}{"a":{"b":[{}]}},`))
	f.Add([]byte(`{"messages":[{"tool_calls":[{"function":{"arguments":"{}"}}]}]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, format := range []Format{ByRow, OpenAI, Completion, JSONL} {
			p := NewParser(format, Options{Fields: []string{"a.b", "messages"}})
			var rec Record
			if err := p.Parse(line, &rec); err != nil {
				continue
			}
			for _, s := range rec.Segments {
				if s.RawLo < 0 || s.RawHi < s.RawLo || s.RawHi > int64(len(line)) || s.lo > s.hi {
					t.Fatalf("segment %+v of a line of %d bytes", s, len(line))
				}
			}
		}
	})
}

// FuzzLines cuts a text with a long stretch in it into blocks: together they are the text
// without the lines that are too long, and every line has its number and its offset.
func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n\n{"), []byte("}\r\n7"), uint32(1<<20))
	f.Add([]byte("a\n"), []byte("b"), uint32(0))
	f.Add([]byte(""), []byte("\nb\n"), uint32(3<<20))
	f.Fuzz(func(t *testing.T, before, behind []byte, gap uint32) {
		const most = 1 << 20
		text := slices.Concat(before, bytes.Repeat([]byte("x"), int(gap%(3*most))), behind)
		lines := NewLines(iotest.DataErrReader(bytes.NewReader(text)), "x", Options{MaxLine: most})
		at, number := 0, 1
		for {
			block, err := lines.Next()
			var bad *BadRecord
			if errors.As(err, &bad) {
				if bad.Line != number || bad.Bytes <= most || bytes.IndexByte(text[at:at+int(bad.Bytes)-1], '\n') >= 0 {
					t.Fatalf("line %d of %d bytes at %d is passed over as line %d", number, bad.Bytes, at, bad.Line)
				}
				at, number = at+int(bad.Bytes), number+1
				continue
			}
			if err != nil {
				break
			}
			if int(block.Offset) != at || block.Line != number || !bytes.HasPrefix(text[at:], block.Data) {
				t.Fatalf("block of line %d at %d behind line %d at %d", block.Line, block.Offset, number, at)
			}
			_ = block.EachLine(func(line []byte, number int, offset int64) error {
				if number != 1+bytes.Count(text[:offset], []byte("\n")) || !bytes.HasPrefix(text[offset:], line) {
					t.Fatalf("line %d at %d", number, offset)
				}
				return nil
			})
			at, number = at+len(block.Data), number+bytes.Count(block.Data, []byte("\n"))
		}
		if at != len(text) {
			t.Fatalf("%d bytes of %d", at, len(text))
		}
	})
}
