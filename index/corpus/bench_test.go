package corpus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
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

// BenchmarkRead opens files of every kind and cuts them into blocks of rows, like the
// goroutine of a build that feeds the others. It counts the bytes of the rows as JSON
// lines, so that the kinds can be compared.
func BenchmarkRead(b *testing.B) {
	const rows = 4000
	text := strings.Repeat("The harbour office opens at eight, and \"closes\" when the last ferry has left. ", 24)
	var pairs []parquetPair
	var table, lines strings.Builder
	table.WriteString("prompt,completion\n")
	for i := range rows {
		p := parquetPair{fmt.Sprint("when? ", i), fmt.Sprint(i, " ", text)}
		pairs = append(pairs, p)
		fmt.Fprintf(&table, "%s,\"%s\"\n", p.Prompt, strings.ReplaceAll(p.Completion, `"`, `""`))
		fmt.Fprintf(&lines, "{\"prompt\":%q,\"completion\":%q}\n", p.Prompt, p.Completion)
	}
	array := "[" + strings.ReplaceAll(strings.TrimSuffix(lines.String(), "\n"), "\n", ",\n") + "]"
	for name, file := range map[string]string{
		"lines.jsonl": lines.String(), "lines.jsonl.gz": gzipped(b, lines.String()), "lines.jsonl.zst": zstandard(b, zstd.WithEncoderLevel(zstd.SpeedDefault), lines.String()),
		"array.json": array, "table.csv": table.String(),
		"snappy.parquet": parquetOf(b, pairs, parquet.Compression(&parquet.Snappy)), "zstd.parquet": parquetOf(b, pairs, parquet.Compression(&parquet.Zstd)),
	} {
		b.Run("file="+name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), name)
			if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
				b.Fatal(err)
			}
			inputs, _, err := Find([]string{path}, nil, Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(lines.Len()))
			b.ReportAllocs()
			for b.Loop() {
				f, err := inputs[0].Open()
				if err != nil {
					b.Fatal(err)
				}
				blocks := NewLines(f, path, Options{})
				for err == nil {
					_, err = blocks.Next()
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				f.Close()
			}
		})
	}
}

// BenchmarkMarkup reads a page and a dump. Axes: the kind.
func BenchmarkMarkup(b *testing.B) {
	page := `<p class="x">some <b>words</b> of a <a href="https://example.net/a?b=1&amp;c=2" class="link">page</a> with tags.</p>` + "\n"
	dump := `<row Id="1" Body="&lt;p&gt;some words of an &lt;a href=&quot;https://example.net/&quot;&gt;answer&lt;/a&gt; with tags.&lt;/p&gt;" />` + "\n"
	for kind, text := range map[Format]string{HTML: strings.Repeat(page, 10_000), XML: strings.Repeat(dump, 10_000)} {
		b.Run(string(kind), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := io.Copy(io.Discard, &markup{r: strings.NewReader(text), kind: kind}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
