package corpus

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"noecho/internal/coverage"
)

// say returns a text of twelve words that begins with a name.
func say(name string) string {
	return name + " says that the lamps of the outer harbour burn until dawn"
}

// fill replaces each $x in a file by the text of that name.
func fill(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' {
			b.WriteByte(text[i])
			continue
		}
		i++
		b.WriteString(say(text[i : i+1]))
	}
	return b.String()
}

// accountOf reads an input to its end and returns its texts, its account and the reasons of
// its bad records.
func accountOf(t *testing.T, in *Input) (texts, bad []string, table *coverage.Table) {
	t.Helper()
	rows, err := in.Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var rec Record
	for {
		err := rows.Next(&rec)
		if err != nil && err.Error() == "EOF" {
			return texts, bad, rows.Account().Table()
		}
		if err != nil {
			bad = append(bad, err.Error())
			continue
		}
		for _, s := range rec.Segments {
			texts = append(texts, string(rec.Text(s)))
		}
	}
}

// TestKinds reads the rows that people train on: every text of wanted is read and none of
// avoided, and no text is unread unless the test says so.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, text string
		want, avoid      string // names of texts
		unread           string // columns
		o                Options
	}{
		{name: "thoughts", text: `{"messages":[{"role":"user","content":"$a"},{"role":"assistant","content":"b","thinking":"$b"}]}` + "\n" + `{"messages":[{"role":"assistant","reasoning":"$c","reasoning_content":"$d","content":null}]}`, want: "abcd"},
		{name: "roles in capitals", text: `{"messages":[{"role":"System","content":"$s"},{"role":"User","content":"$a"},{"role":"Chatbot","content":"$b"}]}`, want: "ab", avoid: "s"},
		{name: "roles of models", text: `{"messages":[{"role":"model","content":"$a"},{"role":"gpt","content":"$b"},{"role":"critic","content":"$c"},{"role":"developer","content":"$s"}]}`, want: "abc", avoid: "s"},
		{name: "roles named", o: Options{Roles: []string{"Assistant"}}, text: `{"messages":[{"role":"USER","content":"$u"},{"role":"model","content":"$a"},{"role":"tool","content":"$v"}]}`, want: "a", avoid: "uv"},
		{name: "roles but one", o: Options{Roles: []string{"*", "-tool"}}, text: `{"messages":[{"role":"system","content":"$a"},{"role":"function","content":"$v"}]}`, want: "a", avoid: "v"},
		{name: "blocks of Anthropic", text: `{"system":"$s","messages":[{"role":"user","content":[{"type":"tool_result","content":"$a"},{"type":"tool_result","content":[{"type":"text","text":"$b"}]}]},{"role":"assistant","content":[{"type":"thinking","thinking":"$c"},{"type":"tool_use","name":"f","input":{"note":"$d"}}]}]}`, want: "abcd", avoid: "s"},
		{name: "blocks of Bedrock", text: `{"schemaVersion":"x","system":[{"text":"$s"}],"messages":[{"role":"assistant","content":[{"text":"$a"},{"toolUse":{"input":{"note":"$b"}}},{"reasoningContent":{"reasoningText":{"text":"$c"}}}]},{"role":"user","content":[{"toolResult":{"content":[{"json":{"k":"$d"}},{"text":"$e"}]}}]}]}`, want: "abcde", avoid: "s"},
		{name: "parts of Gemini", text: `{"systemInstruction":{"parts":[{"text":"$s"}]},"contents":[{"role":"user","parts":[{"text":"$a"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"q":"$b"}}}]},{"role":"user","parts":[{"functionResponse":{"response":{"r":"$c"}}}]}]}`, want: "abc", avoid: "s"},
		{name: "pictures are no text", text: `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo/+iVBO/Rw0KG/goA+AAA/NSU/hEUg/AA+AA/AA+A/"}},{"type":"text","text":"$a"}]}]}`, want: "a"},
		{name: "preferences", text: `{"prompt":"$a","chosen":"$b","rejected":"$c"}` + "\n" + `{"prompt":[{"role":"user","content":"$d"}],"chosen":[{"role":"assistant","content":"$e"}],"rejected":[{"role":"assistant","content":"$f"}]}`, want: "abcdef"},
		{name: "preferences beside messages", text: `{"messages":[{"role":"user","content":"$a"}],"chosen":[{"role":"assistant","content":"$b"}],"rejected":[{"role":"assistant","content":"$c"}],"score":1}`, want: "abc"},
		{name: "preferences of one message each", file: "a.json", text: `[{"conversations":[{"from":"human","value":"$a"}],"chosen":{"from":"gpt","value":"$b"},"rejected":{"from":"gpt","value":"$c"}}]`, want: "abc"},
		{name: "preferred outputs", text: `{"input":{"messages":[{"role":"user","content":"$a"}],"tools":[{"type":"function","function":{"description":"$s"}}]},"preferred_output":[{"role":"assistant","content":"$b"}],"non_preferred_output":[{"role":"assistant","content":"$c"}]}`, want: "abc", avoid: "s"},
		{name: "history", file: "a.json", text: "[\n {\"instruction\": \"$a\", \"input\": \"\", \"output\": \"$b\", \"system\": \"$s\", \"history\": [[\"$c\", \"$d\"], [\"$e\", \"$f\"]]}\n]", want: "abcdef", avoid: "s"},
		{name: "KTO", text: `{"prompt":"$a","completion":"$b","label":true}` + "\n" + `{"messages":[{"role":"user","content":"$c"},{"role":"assistant","content":"$d"}],"label":false}`, want: "abcd"},
		{name: "ms-swift", text: `{"system":"$s","query":"$a","response":"$b","rejected_response":"$c","history":[["$d","$e"]]}`, want: "abcde", avoid: "s"},
		{name: "rows of several kinds", text: `{"messages":[{"role":"user","content":"$a"}]}` + "\n" + `{"prompt":"x","completion":"$b"}` + "\n" + `{"text":"$c"}`, want: "abc"},
		{name: "columns that are null", text: `{"messages":null,"prompt":"$a","completion":null,"text":null}` + "\n" + `{"messages":[{"role":"user","content":"$b"}],"prompt":null,"completion":null,"text":null}` + "\n" + `{"messages":null,"prompt":null,"completion":null,"text":"$c"}`, want: "abc"},
		{name: "messages in strings", text: `{"messages":"[{\"role\":\"system\",\"content\":\"$s\"},{\"role\":\"user\",\"content\":\"$a\\nb \\\"c\\\"\"}]"}`, want: "a", avoid: "s"},
		{name: "messages in cells", file: "a.csv", text: "id,messages\n1,\"[{\"\"role\"\":\"\"system\"\",\"\"content\"\":\"\"$s\"\"},{\"\"role\"\":\"\"user\"\",\"\"content\"\":\"\"$a\"\"}]\"\n", want: "a", avoid: "s"},
		{name: "JSON that is an answer", text: `{"prompt":"x","completion":"{\"name\": \"$a\"}","output":{"verdict":"$b"}}`, want: "ab"},
		{name: "lists of messages", text: `[{"role":"user","content":"$a"},{"role":"assistant","content":"$b"}]` + "\n" + `[{"from":"human","value":"$c"}]`, want: "abc"},
		{name: "an array of lists", file: "a.json", text: `[[{"role":"user","content":"$a"}],[{"role":"assistant","content":"$b"}]]`, want: "ab"},
		{name: "messages in an unknown column", text: `{"dialog":{"turns":[{"speaker":1,"role":"user","content":"$a"},{"role":"system","content":"$s"}]}}`, want: "a", avoid: "s"},
		{name: "answers of a batch", text: `{"id":"b","custom_id":"1","response":{"status_code":200,"body":{"choices":[{"index":0,"message":{"role":"assistant","content":"$a","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{\"q\":\"$b\"}"}}]}}]}}}` + "\n" + `{"custom_id":"2","response":{"body":{"output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"$c"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"$d"}]}]}}}`, want: "abcd"},
		{name: "answers of a batch of Anthropic", text: `{"custom_id":"1","result":{"type":"succeeded","message":{"role":"assistant","content":[{"type":"text","text":"$a"}]}}}`, want: "a"},
		{name: "Axolotl", text: `{"segments":[{"label":true,"text":"$a"},{"label":false,"text":"$b"}]}` + "\n" + `{"conversations":[{"role":"user","value":"$c"},{"from":"character","value":"$d","train":false}]}`, want: "abcd"},
		{name: "instruction and response", text: `{"instruction":"$a","context":"$b","response":"$c","category":"x"}`, want: "abc"},
		{name: "names in capitals", text: `{"Instruction":"$a","Output":"$b","System":"$s"}`, want: "ab", avoid: "s"},
		{name: "Cohere", text: `{"preamble":"$s","chat_history":[{"role":"USER","message":"$a"},{"role":"CHATBOT","message":"$b"}],"message":"$c"}`, want: "abc", avoid: "s"},
		{name: "plans and results of Cohere", text: `{"messages":[{"role":"assistant","tool_plan":"$a","tool_calls":[{"function":{"arguments":"{\"q\":\"$b\"}"}}]},{"role":"tool","content":[{"type":"document","document":{"data":"{\"t\":\"$c\"}"}}]},{"role":"tool","tool_results":[{"call":{"name":"f"},"outputs":[{"note":"$d"}]}]}]}`, want: "abcd"},
		{name: "documents of Anthropic", text: `{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"$a"}},{"type":"image","source":{"type":"base64","data":"iVBORw0KGgo="}}]}]}`, want: "a"},
		{name: "answers of references", text: `{"messages":[{"role":"user","content":"$a"}],"reference_answer":{"x":"$b"}}` + "\n" + `{"prompt":"$c","completions":["$d","$e"]}`, want: "abcde"},
		{name: "summaries", text: `{"article":"$a","highlights":"$b"}` + "\n" + `{"document":"$c","summary":"$d"}`, want: "abcd"},
		{name: "senders", file: "a.json", text: `[{"name":"x","chat_messages":[{"sender":"human","text":"$a"},{"sender":"assistant","content":[{"type":"text","text":"$b"}]}]}]`, want: "ab"},
		{name: "questions", text: `{"question":"$a","answer":"$b"}`, want: "ab"},
		{name: "NaN", text: `{"prompt":"$a","score":NaN}` + "\n" + `{"prompt":"NaN, $b","x":[Infinity,-Infinity]}`, want: "ab"},
		{name: "rows on one line", text: `{"prompt":"$a"}{"prompt":"$b"}` + "\n" + `{"prompt":"$c"},` + "\n", want: "abc"},
		{name: "rows behind separators", file: "a.json", text: "\x1e{\"prompt\":\"$a\"}\n\x1e{\"prompt\":\"$b\"}\n", want: "ab"},
		{name: "indented rows behind separators", file: "a.geojsons", text: "\x1e{\n \"prompt\":\"$a\"\n}\n\x1e{\n \"prompt\":\"$b\"\n}\n", want: "ab"},
		{name: "a list of texts", file: "a.json", text: "[\n \"$a\",\n \"$b\", 7, null,\n[\"$c\", {\"role\":\"system\",\"content\":\"$s\"}]]", want: "abc", avoid: "s"},
		{name: "lines of texts", text: "\"$a\"\n\"$b\"\n[\"x\", \"$c\"]\n", want: "abc"},
		{name: "lines of lists of texts", text: "[1, \"$a\"]\n[2, \"$b\"]\n", want: "ab"},
		{name: "rows in strings", text: fmt.Sprintf("%q\n", `{"messages":[{"role":"system","content":"$s"},{"role":"user","content":"$a"}]}`), want: "a", avoid: "s"},
		{name: "control characters", text: "{\"prompt\":\"a\tb\",\"completion\":\"$a\"}\n", want: "a"},
		{name: "rows by id", file: "a.json", text: `{"1":{"prompt":"x","completion":"$a"},"2":{"system":"$s","prompt":"$b"}}`, want: "ab", avoid: "s"},
		{name: "rows of several splits", file: "a.json", text: "{\n \"version\": 1,\n \"train\": [\n  {\"prompt\": \"$a\"},\n  {\"ask\": \"$b\"}\n ],\n \"test\": [[{\"role\":\"user\",\"content\":\"$c\"}], \"$d\"]\n}", want: "abcd"},
		{name: "SQuAD", file: "a.json", text: `{"version":"2.0","data":[{"title":"x","paragraphs":[{"context":"$a","qas":[{"question":"$b","answers":[{"text":"$c","answer_start":1}]}]}]}]}`, want: "abc"},
		{name: "columns, index and data", file: "a.json", text: `{"columns":["prompt","completion"],"index":[0,1],"data":[["$a","$b"],["$c","$d"]]}`, want: "abcd"},
		{name: "texts by name", file: "a.json", text: `{"@@locale":"en","b":"$a","c":"$b","d":1,"e":"","f":"x","g":"y","h":"z","i":"$c"}`, want: "abc"},
		{name: "columns of lists", file: "a.json", text: `{"text":["$a","$b"],"label":[0,1]}`, want: "ab"},
		{name: "comments", file: "a.json", text: "// rows, \"as\" they are\n[ /* the \" first */\n{\"prompt\":\"http://x $a\"}, // one\n # two\n{\"prompt\":\"# /* $b\",},\n]", want: "ab"},
		{name: "comments between lines", text: "# c\n{\"prompt\":\"$a\"}\n// d\n{\"prompt\":\"$b\"} // e\n", want: "ab"},
		{name: "a quote that is lost among comments", text: "# c\n{\"prompt\":\"x}\n{\"prompt\":\"http://$a\"}\n", want: "a"},
		{name: "commas behind the last element", text: "{\"prompt\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"$a, }\"} , ],}\n", want: "a"},
		{name: "escapes that JSON does not have", text: `{"prompt":"it\'s \_ C:\Users \x41 \u12 \", $a"}` + "\n", want: "a"},
		{name: "a comma without quotes", file: "a.csv", text: "id,prompt,completion\n1,x,$a, and more\n2,$b, and more,y\n", want: "ab"},
		{name: "a title above a table", file: "a.csv", text: bom + "Export of 2026;\n\n# by us\nid;Prompt;completion\n1;x;$a\n", want: "a"},
		{name: "a separator in quotes", file: "a.csv", text: "\"sep=;\"\r\nprompt;completion\r\nx;$a\r\n", want: "a"},
		{name: "control characters between cells", file: "a.csv", text: "prompt\x01completion\nx\x01$a\n", want: "a"},
		{name: "zero bytes", file: "a.csv", text: "prompt,completion\nx\x00,$a\n", want: "a"},
		{name: "a table with bars", file: "a.csv", text: "prompt|completion\nx|$a\n", want: "a"},
		{name: "a column that no format names", text: `{"prompt":"$a","critique":"$u","meta":{"note":"$v","n":[1,2]}}`, want: "a", avoid: "uv", unread: "critique meta.note"},
		{name: "within a message", text: `{"messages":[{"role":"user","content":"$a","meta":{"note":"$u"}}]}`, want: "a", avoid: "u", unread: "messages.meta.note"},
		{name: "fields that are named", o: Options{Fields: []string{"messages", "critique"}}, text: `{"messages":[{"role":"system","content":"$s"},{"role":"user","content":"$a","note":"$b"}],"critique":"$c","other":"$u"}`, want: "abc", avoid: "su"},
		{name: "a row that cannot be read", text: `{"prompt":"$a"}` + "\n" + `{"prompt":"$u}` + "\n", want: "a", avoid: "u", unread: coverage.BadRows},
		{name: "a table with unknown columns", file: "a.csv", text: "prompt,completion,comment,n\nx,$a,$u,7\n", want: "a", avoid: "u", unread: "comment"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := tt.file
			if file == "" {
				file = "a.jsonl"
			}
			in, err := findOne(t, file, fill(tt.text), tt.o)
			if err != nil {
				t.Fatal(err)
			}
			texts, bad, table := accountOf(t, in)
			all := strings.Join(texts, "\n")
			for _, name := range tt.want {
				if n := strings.Count(all, say(string(name))); n != 1 {
					t.Errorf("%c is read %d times: %q, bad %q", name, n, texts, bad)
				}
			}
			for _, name := range tt.avoid {
				if strings.Contains(all, say(string(name))) {
					t.Errorf("%c is read: %q", name, texts)
				}
			}
			var unread []string
			for _, c := range table.Columns {
				if c.Unread > 0 {
					unread = append(unread, c.Name)
				}
			}
			if got := strings.Join(unread, " "); got != tt.unread {
				t.Errorf("unread is %q, want %q", got, tt.unread)
			}
			if table.Read == 0 {
				t.Errorf("nothing counts as read: %+v", table)
			}
		})
	}
}

// TestFormatsAgree writes the same 10,000 pairs of texts in every format. All files have
// the same set of texts, and so the same windows.
func TestFormatsAgree(t *testing.T) {
	t.Parallel()
	type message struct {
		Role    string `json:"role" parquet:"role"`
		Content string `json:"content" parquet:"content"`
	}
	type chat struct {
		Messages []message `json:"messages" parquet:"messages,list"`
	}
	rng := rand.New(rand.NewPCG(7, 7))
	signs := []string{"harbour", "lamps", "burn \"bright\"", "a, b; c", "\n", "\t", "é", "\\", "😀", "港"}
	text := func(i int) string {
		words := []string{fmt.Sprint("text ", i)}
		for range 6 + rng.IntN(8) {
			words = append(words, signs[rng.IntN(len(signs))])
		}
		return strings.TrimSpace(strings.Join(words, " ")) + " end"
	}
	var pairs [][2]string
	want := map[string]bool{}
	for i := range 10_000 {
		p := [2]string{text(2 * i), text(2*i + 1)}
		pairs = append(pairs, p)
		want[p[0]], want[p[1]] = true, true
	}
	quote := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	lines := func(row string) string { // $1 and $2 are the texts, $m the messages in a string
		var b strings.Builder
		for _, p := range pairs {
			messages := quote(`[{"role":"user","content":` + quote(p[0]) + `},{"role":"assistant","content":` + quote(p[1]) + `}]`)
			b.WriteString(strings.NewReplacer("$1", quote(p[0]), "$2", quote(p[1]), "$m", messages).Replace(row) + "\n")
		}
		return b.String()
	}
	table := func(comma rune) string {
		var b strings.Builder
		w := csv.NewWriter(&b)
		w.Comma = comma
		_ = w.Write([]string{"prompt", "completion"})
		for _, p := range pairs {
			_ = w.Write(p[:])
		}
		w.Flush()
		return b.String()
	}
	var chats []chat
	for _, p := range pairs {
		chats = append(chats, chat{[]message{{"user", p[0]}, {"assistant", p[1]}}})
	}
	rows := lines(`{"prompt":$1,"completion":$2}`)
	files := map[string]string{
		"openai.jsonl":     lines(`{"messages":[{"role":"user","content":$1},{"role":"assistant","content":[{"type":"text","text":$2}]}]}`),
		"strings.jsonl":    lines(`{"messages":$m}`),
		"sharegpt.jsonl":   lines(`{"conversations":[{"from":"human","value":$1},{"from":"gpt","value":$2}]}`),
		"alpaca.jsonl":     lines(`{"instruction":$1,"input":"","output":$2}`),
		"preference.jsonl": lines(`{"chosen":[{"role":"assistant","content":$1}],"rejected":{"role":"assistant","content":$2}}`),
		"gemini.jsonl":     lines(`{"contents":[{"role":"user","parts":[{"text":$1}]},{"role":"model","parts":[{"text":$2}]}]}`),
		"batch.jsonl":      lines(`{"response":{"body":{"choices":[{"message":{"role":"assistant","reasoning":$1,"content":$2}}]}}}`),
		"lists.jsonl":      lines(`[{"role":"user","content":$1},{"role":"assistant","content":$2}]`),
		"text.jsonl":       lines(`{"text":$1}{"text":$2}`),
		"segments.jsonl":   lines(`{"segments":[{"text":$1}]}{"segments":[{"text":$2}]}`),
		"rows.jsonl":       rows,
		"rows.json":        "[" + strings.ReplaceAll(strings.TrimSpace(rows), "}\n", "},\n") + "]",
		"rows.jsonl.gz":    gzipped(t, rows),
		"table.csv":        table(','),
		"semicolons.csv":   table(';'),
		"table.tsv":        table('\t'),
		"chats.parquet":    parquetOf(t, chats, parquet.Compression(&parquet.Zstd)),
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := findOne(t, name, file, Options{})
			if err != nil {
				t.Fatal(err)
			}
			texts, bad, table := accountOf(t, in)
			got := map[string]bool{}
			for _, text := range texts {
				got[text] = true
			}
			for text := range want {
				if !got[text] {
					t.Fatalf("%q is not read; bad %q", text, bad)
				}
			}
			if len(got) != len(want) || len(bad) > 0 || table.Unread > 0 || table.LeftOut > 0 {
				t.Errorf("%d texts, want %d; bad %.3q, %+v", len(got), len(want), bad, table.Text)
			}
		})
	}
}

// TestAccountTellsNoText: keys that are data, texts in place of column names, and names in
// place of roles are in no account.
func TestAccountTellsNoText(t *testing.T) {
	t.Parallel()
	p := NewParser(ByRow, Options{})
	p.Account = NewAccount()
	var rec Record
	for i := range 200 {
		row := fmt.Sprintf(`{"messages":[{"role":"secret%[1]d","content":%[2]q},{"role":"Secret Person","content":%[2]q},{"author":"secretary","content":%[2]q}],"by":{"secret%[1]d":{"note":%[2]q}},"the secret is that nobody reads the columns of a row":%[2]q}`, i, say("x"))
		if err := p.Parse([]byte(row), &rec); err != nil {
			t.Fatal(err)
		}
	}
	table, err := json.Marshal(p.Account.Table())
	if err != nil || strings.Contains(strings.ToLower(string(table)), "secret") {
		t.Errorf("%v, %s", err, table)
	}
	if !bytes.Contains(table, []byte(`"by.*.note"`)) {
		t.Errorf("%s", table)
	}
	if flags := p.Account.Fields(); flags != nil {
		t.Errorf("flags %q for text that has no name", flags)
	}
}

// FuzzAccount reads lines with one account, and with one for every other line: the tables
// are equal, and every byte of text is counted once.
func FuzzAccount(f *testing.F) {
	f.Add([]byte(`{"a":{"b":"one two three","c":["four five six"]},"role":"x","content":"seven eight nine"}`+"\n"+`{"d":"one two three"}`), uint8(1))
	f.Add([]byte(`{"messages":"[{\"role\":\"user\",\"content\":\"a b c\"}]","x":{"y":{"z":{"w":"a b c"}}}}`), uint8(2))
	f.Fuzz(func(t *testing.T, text []byte, times uint8) {
		parse := func(accounts ...*Account) *coverage.Table {
			p, rec := NewParser(ByRow, Options{Window: 2}), new(Record)
			for i := range int(times)%40 + 1 {
				for j, line := range bytes.Split(text, []byte("\n")) {
					p.Account = accounts[(i+j)%len(accounts)]
					_ = p.Parse(bytes.ReplaceAll(line, []byte("#"), []byte(fmt.Sprint(i))), rec)
				}
			}
			for _, a := range accounts[1:] {
				accounts[0].Merge(a)
			}
			return accounts[0].Table()
		}
		one, two := parse(NewAccount()), parse(NewAccount(), NewAccount())
		if a, b := fmt.Sprintf("%+v", one), fmt.Sprintf("%+v", two); a != b {
			t.Fatalf("one account has %s, two have %s", a, b)
		}
		var sum coverage.Text
		for _, c := range one.Columns {
			sum.Add(c.Text)
		}
		if sum != one.Text {
			t.Fatalf("the columns have %+v of %+v", sum, one.Text)
		}
	})
}

// TestFieldsLead follows the flags that an account names: they read every text.
func TestFieldsLead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"prompt":"$a","critique":"$b","meta":{"note":"$c","deep":{"down":{"below":{"it":"$d"}}}}}`,
		`{"messages":[{"role":"user","content":"$a","note":"$b"}],"odd name":"$c","list":["$d",{"x":"$e"}]}`,
		`{"data":[{"prompt":"$a","completion":"$b"},{"question":"$c"}],"it's":"$d"}`,
		`{"response":{"body":{"choices":[{"message":{"role":"assistant","content":"$a"}}]},"log":{"line":"$b"}}}`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(fill(text)), 0o600); err != nil {
			t.Fatal(err)
		}
		inputs, _, err := Find([]string{dir}, nil, Options{}) // in a folder the columns may be unknown
		if err != nil {
			t.Fatal(err)
		}
		rows, err := inputs[0].Rows()
		if err != nil {
			t.Fatal(err)
		}
		var rec Record
		_ = rows.Next(&rec)
		flags := rows.Account().Fields()
		rows.Close()
		var fields []string
		for _, flag := range flags {
			field := strings.TrimPrefix(flag, "--field ")
			if rest, ok := strings.CutPrefix(field, "'"); ok {
				field = strings.ReplaceAll(strings.TrimSuffix(rest, "'"), `'\''`, "'")
			}
			fields = append(fields, field)
		}
		again, err := findOne(t, "a.jsonl", fill(text), Options{Fields: fields})
		if err != nil {
			t.Fatalf("%q: %v", flags, err)
		}
		texts, _, _ := accountOf(t, again)
		all := strings.Join(texts, "\n")
		for name := 'a'; name <= 'e'; name++ {
			if strings.Contains(text, "$"+string(name)) && !strings.Contains(all, say(string(name))) {
				t.Errorf("%s with %q: %c is not read: %q", text, flags, name, texts)
			}
		}
	}
}

// TestParseAllocates: an account costs no memory for each row.
func TestParseAllocates(t *testing.T) {
	p := NewParser(ByRow, Options{})
	p.Account = NewAccount()
	var rec Record
	row := []byte(fill(`{"messages":[{"role":"System","content":"$s"},{"role":"user","content":"$a"},{"role":"assistant","content":[{"type":"text","text":"$b\n"}],"note":"$c"}],"other":{"note":"$d","list":[{"x":"$e"}]},"n":[1,2,3]}`))
	if n := testing.AllocsPerRun(100, func() {
		if err := p.Parse(row, &rec); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a row", n)
	}
}

// TestParseIsLinear reads rows that are nested as deep as JSON may be, and wide.
func TestParseIsLinear(t *testing.T) {
	t.Parallel()
	for _, part := range []string{`{"content":`, `{"x":`, `[`, `{"a":1,"content":[`, `{"x":[`} {
		var open, closed strings.Builder
		for range 9000 / strings.Count(part+"[", "[") {
			open.WriteString(part)
			for _, c := range part {
				switch c {
				case '{':
					closed.WriteByte('}')
				case '[':
					closed.WriteByte(']')
				}
			}
		}
		shut := []byte(closed.String())
		for i, j := 0, len(shut)-1; i < j; i, j = i+1, j-1 {
			shut[i], shut[j] = shut[j], shut[i]
		}
		p := NewParser(ByRow, Options{})
		p.Account = NewAccount()
		var rec Record
		inner := fmt.Sprintf("%q", say("a"))
		row := open.String() + inner + string(shut)
		if err := p.Parse([]byte(`{"messages":[],"y":`+row+`}`), &rec); err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		if table := p.Account.Table(); table.Read+table.Unread == 0 {
			t.Errorf("%s: the text at the bottom does not count", part)
		}
	}
}
