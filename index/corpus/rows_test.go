package corpus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// placesOf reads an input and returns, for every text, the places of each word x.
func placesOf(t *testing.T, in *Input) []string {
	t.Helper()
	rows, err := in.Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var rec Record
	var got []string
	for {
		err := rows.Next(&rec)
		var bad *BadRecord
		if errors.As(err, &bad) {
			got = append(got, fmt.Sprintf("bad %d: %s", bad.Line, bad.Reason))
			continue
		}
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range rec.Segments {
			text := string(rec.Text(s))
			for at := range len(text) {
				if text[at] == 'x' {
					p := rows.Place(s, int64(at))
					got = append(got, fmt.Sprintf("%d@%d", p.Line, p.Offset))
				}
			}
			if end, lo := rows.Place(s, int64(len(text))), rows.Place(s, 0); end.Offset < lo.Offset || end.Line < lo.Line {
				t.Errorf("text from %+v to %+v", lo, end)
			}
		}
	}
}

// TestPlaces looks for each x of a file through its records and compares the place with
// the file. No other member of the rows has an x.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		o          Options
		bad        []string
	}{
		{"a.jsonl", `{"messages":[{"content":"x\n\u00e9x\ud83d\ude00x\"x"},{"content":[{"refusal":"é x"}],"tool_calls":[{"function":{"arguments":{"a":"x\n"}}}]}]}` + "\r\n\n" + ` {"messages":[{"content":"x"}]}`, Options{}, nil},
		{"b.jsonl", bom + "\n{\"a\":[\"x\",{\"b\":\"\\ud800x\xff\xfex éé\"}]}\n{\n{\"a\":\"x\"}\n", Options{Fields: []string{"a"}}, []string{"bad 3: not valid JSON at byte 2 of the line"}},
		{"a.json", bom + "[\n  {\n    \"instruction\": \"x\\\\x\",\r\n    \"output\":\n \"x\"\n  },\n\n 7, {\"output\": \"x\"\n}\n]", Options{}, []string{"bad 8: not a JSON object"}},
		{"b.json", bom + "{\n \"1\": {\"prompt\": \"x\"},\n \"2\": [{\"completion\":\n \"a\\nx\"},\n [\"x\"]]\n}", Options{}, nil},
		{"c.jsonl", "\n" + `{"completion":["a b c x e\n ","f \u00e9x"," g h i j x l"]}`, Options{}, nil},
		{"a.csv", bom + "id,prompt,completion\r\n\r\n1,\"x\"\"x\r\n\"\"\"\"x\",é x\r\n2,3,4, x\r\n,\"x\" y,x", Options{}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, text := range map[string]string{tt.name: tt.text, tt.name + ".gz": gzipped(t, tt.text)} {
				in, err := findOne(t, name, text, tt.o)
				if err != nil {
					t.Fatal(err)
				}
				var want []string
				for at, line := 0, 1; at < len(tt.text); at++ {
					switch {
					case tt.text[at] == '\n':
						line++
					case tt.text[at] == 'x' && tt.text[at-1] != ',' || tt.text[at] == 'x' && at == len(tt.text)-1:
						want = append(want, fmt.Sprintf("%d@%d", line, at))
					}
				}
				var got, bad []string
				for _, p := range placesOf(t, in) {
					if strings.HasPrefix(p, "bad") {
						bad = append(bad, p)
					} else {
						got = append(got, p)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(bad) != fmt.Sprint(tt.bad) {
					t.Errorf("got %s, %q; want %s, %q", got, bad, want, tt.bad)
				}
			}
		})
	}
}

func TestPlacesInParquet(t *testing.T) {
	t.Parallel()
	in, err := findOne(t, "a.parquet", parquetOf(t, []parquetPair{{"\"x", "c"}, {"p", "é\nx"}}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := placesOf(t, in); fmt.Sprint(got) != "[1@1 2@3]" {
		t.Errorf("got %v", got)
	}
}

// FuzzOffsets looks up offsets in any JSON string: each rune of the unescaped string
// has a place, ever further to the right, and the end has the end.
func FuzzOffsets(f *testing.F) {
	f.Add([]byte(`a\u00e9\ud83d\ude00\n\ud800\u0041é`))
	f.Add([]byte("\\udc00\\ud83d\xff\xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, err := jsontext.AppendUnquote(nil, "\""+string(raw)+"\"")
		if err != nil && !strings.Contains(err.Error(), "invalid UTF-8") && !strings.Contains(err.Error(), "surrogate") {
			return // no JSON string
		}
		last := int64(-1)
		for at := range string(text) {
			i := jsonOffset(raw, int64(at))
			if i <= last || i >= int64(len(raw)) {
				t.Fatalf("byte %d of %q is at %d of %q, behind %d", at, text, i, raw, last)
			}
			last = i
			if c := text[at]; c > ' ' && c < 0x7f && raw[i] != c && raw[i] != '\\' {
				t.Fatalf("byte %d of %q is at %d of %q", at, text, i, raw)
			}
		}
		if i := jsonOffset(raw, int64(len(text))); i != int64(len(raw)) {
			t.Fatalf("the end of %q is at %d of %q", text, i, raw)
		}
	})
}

// FuzzRows reads any file as rows of any kind, and places every text.
func FuzzRows(f *testing.F) {
	f.Add("a.csv", []byte("prompt,completion\n\"x\"\"\n\",y\n"))
	f.Add("a.json", []byte("[{\"prompt\":\"\\n\",\"completion\":[1]},\n{}]"))
	f.Add("a.jsonl", []byte("{\"messages\":[{\"content\":\"\\u00e9\"}]}\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, name string, file []byte) {
		path := filepath.Join(dir, "x"+extension(filepath.Base(name)))
		if strings.ContainsAny(path, "\x00") || os.WriteFile(path, file, 0o600) != nil {
			return
		}
		inputs, _, err := Find([]string{path}, nil, Options{MaxLine: 1 << 16})
		if err != nil || inputs[0].Format == Text {
			return
		}
		rows, err := inputs[0].Rows()
		if err != nil {
			return
		}
		defer rows.Close()
		var rec Record
		for {
			err := rows.Next(&rec)
			var bad *BadRecord
			if err != nil && !errors.As(err, &bad) {
				return
			}
			if err != nil {
				continue
			}
			for _, s := range rec.Segments {
				lo, hi := rows.Place(s, 0), rows.Place(s, int64(len(rec.Text(s))))
				if lo.Offset < 0 || hi.Offset < lo.Offset || inputs[0].Codec == Plain && inputs[0].Container != Parquet && hi.Offset > int64(len(file)) || lo.Line < 1 {
					t.Fatalf("text from %+v to %+v of %d bytes", lo, hi, len(file))
				}
			}
		}
	})
}
