package corpus

import (
	"fmt"
	"strings"
	"testing"
)

// chatRow is a row of chat fine-tuning of about 2 KB.
func chatRow() string {
	said := strings.Repeat("The harbour office opens at eight and closes when the last ferry has left.\\n", 8)
	return fmt.Sprintf(`{"id":"r-17","messages":[{"role":"system","content":"You answer briefly."},{"role":"user","content":%q},{"role":"assistant","content":"%s"}]}`+"\n",
		"when does it open?", said+said+said)
}

// BenchmarkParse reads rows of the formats that keep them in JSON lines.
func BenchmarkParse(b *testing.B) {
	for _, bb := range []struct {
		format Format
		o      Options
		row    string
	}{
		{OpenAI, Options{}, chatRow()},
		{JSONL, Options{Fields: []string{"meta.title", "text"}}, `{"id":7,"meta":{"title":"a title","url":"u"},"text":"` + strings.Repeat("words of a page, ", 100) + "\"}\n"},
	} {
		b.Run("format="+string(bb.format), func(b *testing.B) {
			p := NewParser(bb.format, bb.o)
			var rec Record
			row := []byte(bb.row)
			b.SetBytes(int64(len(row)))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Parse(row, &rec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
