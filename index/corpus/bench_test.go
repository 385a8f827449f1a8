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
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
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

// BenchmarkFormats reads files of every kind from the page cache: opens, decodes, cuts and
// parses them. It reports the bytes of the files, decompressed, for each second of
// processor time.
func BenchmarkFormats(b *testing.B) {
	for name, file := range benchFiles(b) {
		b.Run("file="+name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), name)
			if err := os.WriteFile(path, []byte(file.bytes), 0o600); err != nil {
				b.Fatal(err)
			}
			inputs, _, err := Find([]string{path}, nil, file.o)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(file.length))
			b.ReportAllocs()
			before := processorTime()
			for b.Loop() {
				readBench(b, &inputs[0])
			}
			if used := processorTime() - before; used > 0 {
				b.ReportMetric(float64(b.N)*float64(file.length)/1e6/used.Seconds(), "MB/cpu-s")
			}
		})
	}
}

// readBench reads an input as a build does.
func readBench(b *testing.B, in *Input) {
	b.Helper()
	if in.Format == Text {
		f, err := in.Open()
		if err == nil {
			_, err = io.Copy(io.Discard, f)
			f.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
		return
	}
	rows, err := in.Rows()
	if err != nil {
		b.Fatal(err)
	}
	defer rows.Close()
	var rec Record
	for err == nil {
		err = rows.Next(&rec)
	}
	if !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
}

// benchFile is a file of BenchmarkFormats.
type benchFile struct {
	bytes  string
	length int // decompressed
	o      Options
}

// benchFiles returns a file of each kind with the same text.
func benchFiles(b *testing.B) map[string]benchFile {
	b.Helper()
	const rows = 4000
	text := strings.Repeat("The harbour office opens at eight, and \"closes\" when the last ferry has left. ", 24)
	var pairs []parquetPair
	var table, lines, indented, page, dump, mails strings.Builder
	table.WriteString("prompt,completion\n")
	page.WriteString("<!doctype html>\n")
	dump.WriteString("<?xml version='1.0'?>\n")
	for i := range rows {
		p := parquetPair{fmt.Sprint("when? ", i), fmt.Sprint(i, " ", text)}
		pairs = append(pairs, p)
		fmt.Fprintf(&table, "%s,\"%s\"\n", p.Prompt, strings.ReplaceAll(p.Completion, `"`, `""`))
		fmt.Fprintf(&lines, "{\"prompt\":%q,\"completion\":%q}\n", p.Prompt, p.Completion)
		fmt.Fprintf(&indented, "{\n  \"prompt\": %q,\n  \"completion\": %q\n}\n", p.Prompt, p.Completion)
		for range 16 {
			page.WriteString(`<p class="x">some <b>words</b> of a <a href="https://example.net/a?b=1&amp;c=2" class="link">page</a> with tags.</p>` + "\n")
			dump.WriteString(`<row Id="1" Body="&lt;p&gt;some words of an &lt;a href=&quot;https://example.net/&quot;&gt;answer&lt;/a&gt; with tags.&lt;/p&gt;" />` + "\n")
		}
		fmt.Fprintf(&mails, "From ann@example.net Mon Jan  5 10:00:00 2026\nSubject: %s\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n%s\n\n", p.Prompt, strings.ReplaceAll(text, "eight, and ", "eight=2C =\nand "))
	}
	accents := strings.ReplaceAll(lines.String(), "harbour", "h\u00e2rb\u00f6ur")
	latin, err := charmap.ISO8859_1.NewEncoder().String(accents)
	if err != nil {
		b.Fatal(err)
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(accents)
	if err != nil {
		b.Fatal(err)
	}
	array := "[" + strings.ReplaceAll(strings.TrimSuffix(lines.String(), "\n"), "\n", ",\n") + "]"
	files := map[string]benchFile{}
	for name, text := range map[string]string{
		"lines.jsonl": lines.String(), "array.json": array, "indented.jsonl": indented.String(), "table.csv": table.String(),
		"utf16.jsonl": wide, "page.html": page.String(), "dump.xml": dump.String(), "mails.mbox": mails.String(), "text.txt": strings.Repeat(text+"\n", rows),
	} {
		files[name] = benchFile{text, len(text), Options{}}
	}
	files["latin.jsonl"] = benchFile{latin, len(latin), Options{Encoding: "iso-8859-1"}}
	for name, packed := range map[string]string{
		"lines.jsonl.gz": gzipped(b, lines.String()), "lines.jsonl.zst": zstandard(b, zstd.WithEncoderLevel(zstd.SpeedDefault), lines.String()),
		"snappy.parquet": parquetOf(b, pairs, parquet.Compression(&parquet.Snappy)), "zstd.parquet": parquetOf(b, pairs, parquet.Compression(&parquet.Zstd)),
	} {
		files[name] = benchFile{packed, lines.Len(), Options{}}
	}
	return files
}
