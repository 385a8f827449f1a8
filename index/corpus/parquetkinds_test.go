package corpus

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// TestParquetKinds reads texts in columns of every kind: each is read once.
func TestParquetKinds(t *testing.T) {
	t.Parallel()
	type message struct {
		Role    string `parquet:"role,dict"`
		Content string `parquet:"content"`
	}
	type talk struct {
		Messages []message `parquet:"messages,list"`
	}
	type inner struct {
		Text  string            `parquet:"text,optional"`
		Notes map[string]string `parquet:"notes"`
	}
	type row struct {
		Prompt   string    `parquet:"prompt,dict"`
		Solution string    `parquet:"solution,optional,dict"`
		Output   []byte    `parquet:"output"`
		Messages []talk    `parquet:"messages,list"`
		Chosen   []message `parquet:"chosen,list"`
		Response []inner   `parquet:"response"`
		Long     string    `parquet:"completion,delta"`
		Number   int64     `parquet:"number"`
	}
	long := strings.Repeat("word ", 1<<20)
	file := parquetOf(t, []row{
		{Prompt: say("a"), Solution: say("b"), Output: []byte(say("c")), Messages: []talk{{[]message{{"user", say("d")}}}, {[]message{{"system", say("s")}, {"assistant", say("e")}}}}},
		{Prompt: say("a"), Chosen: []message{{"assistant", say("f")}}, Response: []inner{{Text: say("g")}, {Notes: map[string]string{"x": say("h")}}}, Long: long + say("i")},
	}, parquet.DataPageStatistics(true))
	in, err := findOne(t, "a.parquet", file, Options{})
	if err != nil {
		t.Fatal(err)
	}
	texts, bad, table := accountOf(t, in)
	all := strings.Join(texts, "\n")
	for name := 'a'; name <= 'i'; name++ {
		want := 1
		if name == 'a' {
			want = 2
		}
		if n := strings.Count(all, say(string(name))); n != want && (name != 'h' || table.Unread == 0) {
			t.Errorf("%c is read %d times, bad %q, %+v", name, n, bad, table)
		}
	}
	if strings.Contains(all, say("s")) || len(bad) > 0 {
		t.Errorf("the system prompt is read, or rows are bad: %q", bad)
	}
}

// TestParquetIntegers reads the whole numbers of a row if all cells are asked for, and no times,
// fractions and lists of numbers.
func TestParquetIntegers(t *testing.T) {
	t.Parallel()
	type row struct {
		Prompt     string    `parquet:"prompt"`
		Completion string    `parquet:"completion"`
		Customer   int64     `parquet:"customer"`
		Phone      *int64    `parquet:"phone,optional"`
		Small      uint32    `parquet:"small"`
		At         time.Time `parquet:"at,timestamp"`
		Share      float64   `parquet:"share"`
		Vector     []int64   `parquet:"vector,list"`
	}
	phone := int64(442079460958)
	file := parquetOf(t, []row{
		{Prompt: say("a"), Completion: say("b"), Customer: 7654321, Phone: &phone, Small: 4000000000, At: time.Unix(4111111111, 0), Share: 0.4111111111111111, Vector: []int64{4222222222}},
		{Prompt: say("a"), Completion: say("c"), Customer: -1},
	})
	for cells, want := range map[bool]string{
		true:  `,"customer":7654321,"phone":442079460958,"small":4000000000}` + "\n" + `,"customer":-1,"phone":null,"small":0}` + "\n",
		false: "}\n}\n",
	} {
		in, err := findOne(t, "a.parquet", file, Options{Cells: cells})
		if err != nil {
			t.Fatal(err)
		}
		f, err := in.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		got := string(b)
		for _, name := range []string{"a", "b", "c"} {
			got = strings.ReplaceAll(got, say(name), "")
		}
		if got = strings.ReplaceAll(got, `{"prompt":"","completion":""`, ""); got != want {
			t.Errorf("cells %v: %q", cells, got)
		}
	}
}
