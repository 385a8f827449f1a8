package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// parquetOf returns the bytes of a Parquet file with those rows.
func parquetOf[T any](t testing.TB, rows []T, options ...parquet.WriterOption) string {
	t.Helper()
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[T](&buf, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// The rows of typical exports. Lists are annotated groups of three levels.
type (
	parquetMessage struct {
		Role    string  `parquet:"role"`
		Content *string `parquet:"content,optional"`
	}
	parquetChat struct {
		ID       string           `parquet:"id"`
		Messages []parquetMessage `parquet:"messages,list,optional"`
		Other    []byte           `parquet:"image"`
	}
	parquetPair struct {
		Prompt     string `parquet:"prompt"`
		Completion string `parquet:"completion"`
	}
	parquetTurn struct {
		From  string `parquet:"from"`
		Value string `parquet:"value"`
	}
	parquetShare struct {
		UUID  int64         `parquet:"uuid"`
		Turns []parquetTurn `parquet:"conversations"` // repeated, without a list around it
	}
	parquetMixed struct {
		Text  *string           `parquet:"text,optional"`
		Tags  []string          `parquet:"tags,list"`
		Deep  [][]string        `parquet:"deep,list"`
		Meta  parquetMeta       `parquet:"meta"`
		Pages []parquetMeta     `parquet:"pages,list"`
		Attrs map[string]string `parquet:"attrs"`
		Raw   []byte            `parquet:"raw"`
		N     int32             `parquet:"n"`
		F     float64           `parquet:"f"`
		B     bool              `parquet:"b"`
	}
	parquetMeta struct {
		Title string   `parquet:"title"`
		Words []string `parquet:"words,list"`
	}
)

func TestParquet(t *testing.T) {
	t.Parallel()
	say := func(s string) *string { return &s }
	mixed := []parquetMixed{
		{Text: say("a\nb \"c\""), Tags: []string{"t", "u"}, Deep: [][]string{{"1", "2"}, {}, {"3"}}, Meta: parquetMeta{"m", []string{"w"}}, Pages: []parquetMeta{{"p", []string{"x", "y"}}, {"q", nil}}, Attrs: map[string]string{"k": "v"}, Raw: []byte("raw"), N: -3, F: 0.5, B: true},
		{Raw: []byte("\x89PNG\x00")},
	}
	tests := []struct {
		name, file string
		o          Options
		rows, bad  []string
		err, why   string
		open       string // error of opening it
	}{
		{name: "chat", file: parquetOf(t, []parquetChat{
			{ID: "a", Messages: []parquetMessage{{"system", say("s")}, {"user", say("q")}, {"assistant", nil}}},
			{ID: "b"},
			{ID: "c", Messages: []parquetMessage{{"assistant", say("é")}}},
		}), rows: []string{`1 a ["q"]`, `2 b []`, `3 c ["é"]`}, why: "read as parquet, its rows as openai: the columns are messages"},
		{name: "pairs", file: parquetOf(t, []parquetPair{{"p", "c"}, {"", "d"}}), rows: []string{`1  ["p" "c"]`, `2  ["d"]`}},
		{name: "ShareGPT", file: parquetOf(t, []parquetShare{{7, []parquetTurn{{"human", "q"}, {"gpt", "a"}}}, {8, nil}}), rows: []string{`1 7 ["q" "a"]`, `2 8 []`}},
		{name: "text that may be null", file: parquetOf(t, mixed), o: Options{Fields: []string{"text"}}, rows: []string{"1  [\"a\\nb \\\"c\\\"\"]", "2  []"}, why: "read as parquet: the fields are named"},
		{name: "list", file: parquetOf(t, mixed), o: Options{Fields: []string{"tags"}}, rows: []string{`1  ["t" "u"]`, "2  []"}},
		{name: "list of lists", file: parquetOf(t, mixed), o: Options{Fields: []string{"deep"}}, rows: []string{`1  ["1" "2" "3"]`, "2  []"}},
		{name: "path through a struct", file: parquetOf(t, mixed), o: Options{Fields: []string{"meta.words", "meta.title"}}, rows: []string{`1  ["m" "w"]`, `2  []`}},
		{name: "path through a list", file: parquetOf(t, mixed), o: Options{Fields: []string{"pages.title"}}, rows: []string{`1  ["p" "q"]`, "2  []"}, bad: nil},
		{name: "whole struct", file: parquetOf(t, mixed), o: Options{Fields: []string{"pages"}}, rows: []string{`1  ["{\"title\":\"p\",\"words\":[\"x\",\"y\"]}" "{\"title\":\"q\",\"words\":[]}"]`, "2  []"}},
		{name: "map", file: parquetOf(t, mixed), o: Options{Fields: []string{"attrs"}}, rows: []string{`1  ["{\"key\":\"k\",\"value\":\"v\"}"]`, "2  []"}},
		{name: "bytes", file: parquetOf(t, mixed), o: Options{Fields: []string{"raw"}}, rows: []string{`1  ["raw"]`, "2  []"}},
		{name: "numbers", file: parquetOf(t, mixed), o: Options{Fields: []string{"n", "f", "b"}}, rows: []string{`1  ["-3" "0.5"]`, `2  ["0" "0"]`}},
		{name: "no row", file: parquetOf(t, []parquetPair{}), why: "parquet, its rows as completion: the columns are prompt and completion"},
		{name: "asked for", file: parquetOf(t, []parquetPair{{"p", "c"}}), o: Options{Format: Parquet, Fields: []string{"prompt"}}, rows: []string{`1  ["p"]`}},
		{name: "as JSON lines", file: parquetOf(t, []parquetPair{{"p", "c"}}), o: Options{Format: JSONL, Fields: []string{"prompt"}}, rows: []string{`1  ["p"]`}},
		{name: "text", file: parquetOf(t, mixed), rows: []string{"1  [\"a\\nb \\\"c\\\"\"]", "2  []"}, why: "read as parquet, its rows as text column: the columns are text"},
		{name: "other columns", file: parquetOf(t, []parquetMeta{{}}), err: "which columns have the text? name them with --field; the columns are title, words"},
		{name: "wrong format", file: parquetOf(t, []parquetPair{}), o: Options{Format: OpenAI}, err: "there is no column messages: name another --format or --field; the columns are prompt, completion"},
		{name: "missing field", file: parquetOf(t, []parquetPair{}), o: Options{Fields: []string{"x", "y"}}, err: "none of the columns x, y exists: name another --format or --field; the columns are"},
		{name: "as text", file: parquetOf(t, []parquetPair{}), o: Options{Format: Text}, err: "it is Parquet: leave --format out"},
		{name: "cut", file: "PAR1" + strings.Repeat("x", 100), open: "a.parquet: Parquet: the file ends too early, or its end is damaged"},
		{name: "LZ4", file: parquetOf(t, []parquetPair{{"p", "c"}}, parquet.Compression(&parquet.Lz4Raw)), open: "Parquet: pages compressed with LZ4_RAW cannot be read: write it with zstd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, err := findOne(t, "a.parquet", tt.file, tt.o)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.open != "" {
				var damaged *DamagedError
				if _, err := in.Open(); !errors.As(err, &damaged) || !strings.HasSuffix(err.Error(), tt.open) {
					t.Fatalf("error %v, want %s", err, tt.open)
				}
				return
			}
			rows, bad := readInput(t, in, tt.o)
			if fmt.Sprint(rows) != fmt.Sprint(tt.rows) || fmt.Sprint(bad) != fmt.Sprint(tt.bad) {
				t.Errorf("rows %q, bad %q; want %q, %q", rows, bad, tt.rows, tt.bad)
			}
			if got := in.String(); !strings.HasSuffix(got, tt.why) {
				t.Errorf("described as %q, want %q", got, tt.why)
			}
		})
	}
}

// TestParquetPages reads many rows in several row groups and small pages of
// every codec.
func TestParquetPages(t *testing.T) {
	t.Parallel()
	rows := make([]parquetShare, 5000)
	var want []string
	for i := range rows {
		rows[i].UUID = int64(i)
		texts := []string{}
		for n := range i % 4 {
			text := fmt.Sprintf("turn %d of %d", n, i)
			rows[i].Turns = append(rows[i].Turns, parquetTurn{"gpt", text})
			texts = append(texts, text)
		}
		want = append(want, fmt.Sprintf("%d %d %q", i+1, i, texts))
	}
	for name, codec := range map[string]compress.Codec{
		"none": &parquet.Uncompressed, "snappy": &parquet.Snappy, "zstd": &parquet.Zstd, "gzip": &parquet.Gzip, "brotli": &parquet.Brotli,
	} {
		for _, version := range []int{1, 2} {
			t.Run(fmt.Sprint(name, version), func(t *testing.T) {
				t.Parallel()
				file := parquetOf(t, rows, parquet.Compression(codec), parquet.MaxRowsPerRowGroup(777), parquet.PageBufferSize(1000), parquet.DataPageVersion(version))
				in, err := findOne(t, "a.parquet", file, Options{})
				if err != nil {
					t.Fatal(err)
				}
				got, bad := readInput(t, in, Options{})
				if fmt.Sprint(got) != fmt.Sprint(want) || len(bad) > 0 {
					t.Errorf("%d rows, bad %q", len(got), bad)
				}
			})
		}
	}
}

// readParquet reads a file of those bytes to its end.
func readParquet(path string, size int64) error {
	in := Input{Path: path, Size: size, Container: Parquet, Format: JSONL, o: &Options{Fields: []string{"text", "pages.title", "messages", "conversations"}}}
	f, err := in.Open()
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}

// TestParquetDamage flips bytes all over a file: reading gives rows or an error, and
// never panics.
func TestParquetDamage(t *testing.T) {
	t.Parallel()
	text := "text"
	file := parquetOf(t, []parquetMixed{{Text: &text, Pages: []parquetMeta{{"p", nil}, {"q", []string{"r"}}}}, {}, {Text: &text}})
	path := filepath.Join(t.TempDir(), "x")
	for i := range file {
		damaged := []byte(file)
		damaged[i] ^= byte(1 << (i % 8))
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		var known *DamagedError
		if err := readParquet(path, int64(len(file))); err != nil && !errors.As(err, &known) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

// FuzzParquet reads any bytes as Parquet.
func FuzzParquet(f *testing.F) {
	text := "text"
	f.Add([]byte(parquetOf(f, []parquetMixed{{Text: &text}, {}})))
	f.Add([]byte(parquetOf(f, []parquetShare{{7, []parquetTurn{{"human", "q"}}}}, parquet.Compression(&parquet.Snappy))))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, file []byte) {
		path := filepath.Join(dir, "x")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		var known *DamagedError
		if err := readParquet(path, int64(len(file))); err != nil && !errors.As(err, &known) {
			t.Fatal(err)
		}
	})
}
