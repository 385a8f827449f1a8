package corpus

import (
	"encoding/base64"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"noecho/internal/coverage"
)

// thirty is a text of 30 words that the place of its test replaces.
const thirty = "the lamps of the outer harbour burn until dawn and the keeper of the lamps sleeps until the ships of the north return with grain and salt for winter"

// place is a kind of place in a format that may have text. The text is THIRTY.
type place struct{ name, file, data string }

// jsonPlaces are the places of rows: every member of every format, and members that no format names.
func jsonPlaces(t *testing.T) (places []place) {
	t.Helper()
	add := func(name, row string) { places = append(places, place{"a row: " + name, "a.jsonl", row + "\n"}) }
	names := map[string]bool{"unknown": true, "id": true}
	for _, s := range shapes() {
		for _, m := range s.members {
			names[m.name] = true
		}
		add("unknown beside "+s.name, strings.Replace(s.example, "{", `{"remark":"THIRTY",`, 1))
	}
	for name := range names {
		for _, value := range []string{`"THIRTY"`, `["THIRTY"]`, `{"x":"THIRTY"}`, `{"x":{"y":["THIRTY"]}}`, `{"THIRTY":1}`, `[[{"text":"THIRTY"}]]`, `[{"role":"user","content":"THIRTY"}]`, `"[{\"role\":\"user\",\"content\":\"THIRTY\"}]"`} {
			add(name+" "+value, fmt.Sprintf(`{"prompt":"x",%q:%s}`, name, value))
			add(name+" of a message "+value, fmt.Sprintf(`{"messages":[{"role":"user","content":"x",%q:%s}]}`, name, value))
			add(name+" of a part "+value, fmt.Sprintf(`{"messages":[{"role":"user","content":[{"type":"text",%q:%s}]}]}`, name, value))
		}
	}
	add("depth", `{"prompt":"x","a":`+strings.Repeat(`{"b":[`, 30)+`"THIRTY"`+strings.Repeat(`]}`, 30)+`}`)
	add("author", `{"messages":[{"author":{"role":"user","about":"THIRTY"},"content":"x"}]}`)
	add("bad row", `{"prompt":"THIRTY`)
	add("list of texts", `["THIRTY"]`)
	return places
}

// placesByContainer are the places of each container and format. A new one has to be added
// here: TestNothingIsLostInSilence looks for it.
func placesByContainer(t *testing.T) map[Format][]place {
	t.Helper()
	b64 := base64.StdEncoding.EncodeToString([]byte(thirty))
	mail := "From: a\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n"
	word := func(body string) string {
		return office(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<w:body>"+body+"</w:body>")
	}
	page := func(body string) []place {
		return []place{{body, "a.html", "<!doctype html><html><body>" + body + "</body></html>"}}
	}
	file := func(name, data string) place { return place{name, name, data} }
	type row struct {
		Prompt string `parquet:"prompt"`
		Other  string `parquet:"other"`
	}
	table := func(r row) string { return parquetOf(t, []row{r}) }
	m := map[Format][]place{
		ByRow:    jsonPlaces(t),
		texts:    {file("a.json", `["THIRTY"]`), file("b.json", `[["x","THIRTY"]]`), file("c.jsonl", "\"THIRTY\"\n\"x\"\n"), file("d.json", `[{"x":1},"THIRTY"]`)},
		Array:    {file("a.json", `[{"prompt":"THIRTY"},{"other":"THIRTY"}]`), file("b.json", `[{"other":"THIRTY"}]`), file("c.json", `[{"prompt":"x"},"THIRTY"]`)},
		Members:  {file("a.json", `{"1":{"prompt":"THIRTY"}}`), file("b.json", `{"v":1,"data":[{"ask":"THIRTY"}]}`), file("c.json", `{"THIRTY":{"x":1}}`), file("d.json", `{"x":{"system":"THIRTY","prompt":"y"}}`), file("e.json", `{"x":{"THIRTY":1}}`)},
		Sequence: {file("a.json", "{\n\"prompt\":\"THIRTY\"}\n{\n\"x\":1}"), file("b.json", "{\n\"other\":\"THIRTY\"\n}\n")},
		Text:     {file("a.txt", "THIRTY"), file("b.md", "# x\n\nTHIRTY"), file("c.ipynb", "{\n\"cells\":[{\"source\":[\"THIRTY\"]}]}"), file("d.txt", "THIRTY caf\xe9 \xe9 \xe9")},
		CSV:      {file("a.csv", "prompt,other\nTHIRTY,x\n"), file("b.csv", "prompt,other\nx,THIRTY\n"), file("c.csv", "a,b\nx,THIRTY\n"), file("d.csv", "prompt\nx,THIRTY\n"), file("e.csv", "prompt,x\ry,THIRTY\r")},
		Parquet:  {file("a.parquet", table(row{Prompt: thirty})), file("b.parquet", table(row{Prompt: "x", Other: thirty}))},
		XML: {
			file("a.xml", "<?xml version='1.0'?><r>THIRTY</r>"), file("b.xml", "<?xml version='1.0'?><r x='THIRTY'/>"), file("c.xml", "<?xml version='1.0'?><r><!-- THIRTY -->x</r>"), file("d.xml", "<?xml version='1.0'?><r><![CDATA[THIRTY]]></r>"),
			file("e.xml", "<?xml version='1.0'?><?note THIRTY?><r/>"), file("f.xml", "<?xml version='1.0'?><!DOCTYPE r [<!ENTITY e 'THIRTY'>]><r/>"), file("g.xml", "<?xml version='1.0'?><r>&lt;img alt=&quot;THIRTY&quot;&gt;</r>"),
			file("h.xml", "<?xml version='1.0'?><r><![CDATA[<img alt='THIRTY'>]]></r>"),
		},
		Mail: {
			file("a.eml", "From: a\nSubject: THIRTY\n\nx"), file("b.eml", "From: a\nX-Note: THIRTY\n\nx"), file("c.eml", "From: a\nSubject: x\n\nTHIRTY"), file("d.eml", mail+"THIRTY\n--b\n\nx\n--b--\n"), file("e.eml", mail+"--b\n\nTHIRTY\n--b--\n"),
			file("f.eml", mail+"--b\n\nx\n--b--\nTHIRTY\n"), file("g.eml", mail+"--b\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n"+base64.StdEncoding.EncodeToString([]byte("%PDF-1.7 \x00"+thirty))+"\n--b--\n"),
			file("h.eml", mail+"--b\nContent-Type: application/json; name=x\nContent-Transfer-Encoding: base64\n\n"+b64+"\n--b--\n"), file("i.eml", mail+"--b\nContent-Description: THIRTY\n\nx\n--b--\n"),
			file("j.eml", mail+"--b\nContent-Disposition: attachment; filename=\"THIRTY\"\n\nx\n--b--\n"), file("k.eml", mail+"--b\nContent-Type: text/html\n\n<img alt=\"THIRTY\"><!-- x -->\n--b--\n"), file("l.eml", mail+"--b\nContent-Type: message/rfc822\n\nSubject: THIRTY\n\nx\n--b--\n"),
			file("m.eml", mail+"--b\nContent-Type: text/plain; charset=utf-7\n\nTHIRTY\n--b--\n"), file("n.mbox", "From a Mon Nov 2 10:00:00 2026\nFrom: a\nSubject: x\n\nTHIRTY\n"),
		},
		Word: {
			file("a.docx", word("<w:p><w:r><w:t>"+thirty+"</w:t></w:r></w:p>")), file("b.docx", word("<w:del><w:delText>"+thirty+"</w:delText></w:del>")), file("c.docx", word("<wp:docPr descr=\""+thirty+"\"/>")), file("d.docx", word("<w:instrText>"+thirty+"</w:instrText>")),
			file("e.docx", office(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<w:t>x</w:t>", "word/embeddings/a.bin", thirty)), file("f.docx", office(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<w:t>x</w:t>", "docProps/core.xml", "<dc:title>"+thirty+"</dc:title>")),
			file("g.docx", office(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "<w:t>x</w:t>", "word/settings.xml", "<w:docVar w:val=\""+thirty+"\"/>")), file("h.odt", office(t, "mimetype", "application/vnd.oasis.opendocument.text", "content.xml", "<text:p>"+thirty+"</text:p>")),
		},
	}
	m[MDS] = []place{
		file("a.mds", shard([]string{"text"}, []string{"str"}, []string{thirty})), file("b.mds", shard([]string{"text", "note"}, []string{"str", "str"}, []string{"x", thirty})),
		file("c.mds", shard([]string{"text", "note"}, []string{"str", "bytes"}, []string{"x", thirty})), file("d.mds", shard([]string{"text", "note"}, []string{"str", "json"}, []string{"x", `{"a":["` + thirty + `"]}`})),
	}
	for _, body := range []string{"THIRTY", `<p title="THIRTY">x</p>`, `<img alt='THIRTY'>`, `<meta name="description" content="THIRTY">`, `<input value="THIRTY">`, `<p aria-label="THIRTY">`, `<p data-x="THIRTY">`, "<!-- THIRTY -->", "<script>THIRTY</script>", "<style>THIRTY</style>", "<textarea>THIRTY</textarea>", "<title>THIRTY</title>", "<noscript>THIRTY</noscript>", "<?note THIRTY>"} {
		m[HTML] = append(m[HTML], page(body)...)
	}
	return m
}

// TestNothingIsLostInSilence puts a text into every kind of place of every format: it is read,
// counts as unread or left out, or its file counts as lost.
func TestNothingIsLostInSilence(t *testing.T) {
	t.Parallel()
	all, rows := placesByContainer(t), NewParser(ByRow, Options{})
	for _, name := range formatNames(t) {
		if _, ok := all[Format(name)]; !ok && Format(name) != Auto && textColumns(Format(name)) == nil && Format(name) != JSONL {
			t.Errorf("no places for text are known in the format %s", name)
		}
	}
	for format, places := range all {
		for _, p := range places {
			fate := ""
			if format == ByRow {
				fate = fateOfRow(rows, p.data)
			} else {
				fate = fateOf(t, p)
			}
			if fate == "" {
				t.Errorf("%s: %s: the text is gone: %.200q", format, p.name, p.data)
			}
		}
	}
}

// fateOfRow is fateOf for a row.
func fateOfRow(p *Parser, row string) string {
	p.Account = NewAccount()
	var rec Record
	if err := p.Parse([]byte(strings.ReplaceAll(row, "THIRTY", thirty)), &rec); err == nil {
		for _, s := range rec.Segments {
			if strings.Contains(string(rec.Text(s)), thirty) {
				return "read"
			}
		}
	}
	if table := p.Account.Table(); table.Unread+table.LeftOut > 0 {
		return "counted"
	}
	return ""
}

// fateOf says what became of the text of a file in a folder; empty: nothing is known.
func fateOf(t *testing.T, p place) string {
	t.Helper()
	dir := folder(t, map[string]string{p.file: strings.ReplaceAll(p.data, "THIRTY", thirty)})
	inputs, skipped, err := Find([]string{dir}, nil, Options{})
	switch {
	case err != nil:
		return "an error"
	case len(skipped) == 1 && skipped[0].Text > 0:
		return "skipped and counted"
	case len(inputs) != 1:
		return ""
	}
	in := &inputs[0]
	account, text := NewAccount(), ""
	if in.Format == Text {
		f, err := in.Open()
		if err != nil {
			return "an error"
		}
		defer f.Close()
		var b strings.Builder
		if _, err := io.Copy(&b, f); err != nil {
			return "an error"
		}
		text = b.String()
		if f.Lost() != nil {
			account.Merge(f.Lost())
		}
		account.Lost(coverage.NotUTF8, uint64(f.Broken()))
	} else {
		texts, _, table := accountOf(t, in)
		text = strings.Join(texts, "\n")
		if table.Unread+table.LeftOut > 0 {
			return "counted"
		}
	}
	switch table := account.Table(); {
	case strings.Contains(text, thirty):
		return "read"
	case table.Unread+table.LeftOut > 0:
		return "counted"
	default:
		return ""
	}
}

// formatNames returns the values of all constants of the type Format in this package.
func formatNames(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Format" {
					continue
				}
				for _, value := range v.Values {
					if lit, ok := value.(*ast.BasicLit); ok {
						names = append(names, strings.Trim(lit.Value, `"`))
					}
				}
			}
		}
	}
	if len(names) < 12 {
		t.Fatalf("only %q", names)
	}
	return names
}
