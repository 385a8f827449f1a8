package corpus

import (
	"strings"
	"testing"

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
