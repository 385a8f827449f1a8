package corpus

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// office returns a zip archive of names and contents.
func office(t testing.TB, parts ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		method := zip.Deflate
		if parts[i] == "mimetype" {
			method = zip.Store
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: parts[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, fill(parts[i+1]))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// runs writes a text as a paragraph of Word, cut into runs in the middle of words.
func runs(text string) string {
	var b strings.Builder
	b.WriteString("<w:p><w:pPr><w:pStyle w:val=\"Normal\"/></w:pPr>")
	for text = fill(text); len(text) > 0; {
		n := min(7, len(text))
		b.WriteString("<w:r><w:rPr><w:b/></w:rPr><w:t xml:space=\"preserve\">" + text[:n] + "</w:t></w:r>")
		text = text[n:]
	}
	return b.String() + "</w:p>"
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	const types = "[Content_Types].xml"
	body := func(text string) string {
		return "<?xml version=\"1.0\"?><w:document xmlns:w=\"x\"><w:body>" + text + "</w:body></w:document>"
	}
	deleted := `<w:p><w:r><w:t>` + say("a")[:20] + `</w:t></w:r><w:del w:id="1"><w:r><w:delText>$d</w:delText></w:r></w:del><w:ins w:id="2"><w:r><w:t>` + say("a")[20:] + `</w:t></w:r></w:ins></w:p>`
	for name, c := range map[string]struct {
		file, data, want string
		unread           string
	}{
		"Word": {file: "a.docx", want: "abcdefgh", data: office(t, types, "<Types/>", "word/footnotes.xml", body(runs("$b")), "word/document.xml",
			body(deleted+"<w:tbl><w:tr><w:tc>"+runs("$c")+"</w:tc><w:tc>"+runs("$e")+"</w:tc></w:tr></w:tbl><w:drawing><wp:docPr id=\"1\" descr=\"$f\"/></w:drawing>"),
			"word/header1.xml", body(runs("$g")), "word/comments.xml", body(runs("$h")), "word/theme/theme1.xml", body(runs("$u")), "word/media/image1.png", "x")},
		"PowerPoint": {file: "a.pptx", want: "ab", data: office(t, types, "<Types/>", "ppt/slides/slide1.xml", "<p:sld><a:p><a:r><a:t>"+say("a")[:9]+"</a:t></a:r><a:r><a:t>"+say("a")[9:]+"</a:t></a:r></a:p></p:sld>",
			"ppt/printerSettings/printerSettings1.bin", strings.Repeat("$u", 9), "ppt/notesSlides/notesSlide1.xml", "<a:p><a:r><a:t>$b</a:t></a:r></a:p>")},
		"OpenDocument": {file: "a.odt", want: "abc", data: office(t, "mimetype", "application/vnd.oasis.opendocument.text", "content.xml",
			"<office:text><text:p>"+say("a")[:9]+"<text:span text:style-name=\"T1\">"+say("a")[9:]+"</text:span></text:p><text:h>$b</text:h></office:text>", "meta.xml", "<dc:title>$c</dc:title>")},
		"EPUB":           {file: "a.epub", want: "ab", data: office(t, "mimetype", "application/epub+zip", "OEBPS/ch1.xhtml", "<?xml version=\"1.0\"?><html><body><p>$a</p></body></html>", "OEBPS/ch2.html", "<p class=\"x\">$b</p>", "OEBPS/x.css", "$u")},
		"EPUB, metadata": {file: "a.epub", want: "ab", data: office(t, "mimetype", "application/epub+zip", "c.opf", "<?xml version=\"1.0\"?><package><metadata><dc:description>$a</dc:description></metadata><manifest/></package>", "ch2.html", "<p>$b</p>")},
		"a file in it":   {file: "a.docx", want: "a", unread: "(attachments)", data: office(t, types, "<Types/>", "word/document.xml", body(runs("$a")), "word/embeddings/sheet.xlsx", strings.Repeat("$u", 9))},
		"HTML in it":     {file: "a.docx", want: "ab", data: office(t, types, "<Types/>", "word/document.xml", body(runs("$a")), "word/afchunk1.htm", "<html>1 < 2 <p class=\"x\">$b</p>")},
		"another name":   {file: "a", want: "a", data: office(t, types, "<Types/>", "word/document.xml", body(runs("$a")))},
		"CDATA":          {file: "a.docx", want: "a", data: office(t, types, "<Types/>", "word/document.xml", body("<w:p><w:r><w:t><![CDATA[$a]]></w:t></w:r></w:p>"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := findOne(t, c.file, c.data, Options{})
			if err != nil || in.Container != Word || in.Format != Text {
				t.Fatalf("%v, %v", in, err)
			}
			f, err := in.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			text, err := io.ReadAll(iotest.OneByteReader(f))
			if err != nil {
				t.Fatal(err)
			}
			for name := 'a'; name <= 'z'; name++ {
				if has, want := strings.Contains(string(text), say(string(name))), strings.ContainsRune(c.want, name); has != want {
					t.Errorf("%c is read: %v, want %v: %q", name, has, want, text)
				}
			}
			unread := ""
			if f.Lost() != nil {
				for _, column := range f.Lost().Table().Columns {
					if column.Unread > 0 {
						unread += column.Name
					}
				}
			}
			if unread != c.unread {
				t.Errorf("unread is %q", unread)
			}
		})
	}
}

// TestHostileDocuments: documents that are cut off, unpack to too much or have too many
// parts are errors.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	whole := office(t, "[Content_Types].xml", "<Types/>", "word/document.xml", strings.Repeat("<w:t>"+say("a")+"</w:t>", 1000))
	for name, c := range map[string]struct {
		data string
		left int64
	}{
		"cut off":       {whole[:len(whole)-30], mostUnpacked},
		"too long":      {whole, 1000},
		"too many":      {whole + strings.Repeat("PK\x01\x02", mostParts+1), mostUnpacked},
		"damaged parts": {strings.Replace(whole, whole[150:160], "0123456789", 1), mostUnpacked},
	} {
		d := newDocument(strings.NewReader(c.data), new(File), &Input{Path: "x"})
		d.left = c.left
		text, err := io.ReadAll(d)
		var damaged *DamagedError
		if !errors.As(err, &damaged) || strings.Contains(err.Error(), "harbour") {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
	if _, err := findOne(t, "a.xlsx", office(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", "x"), Options{}); err == nil {
		t.Error("a workbook is read")
	}
}

// FuzzDocument reads any bytes as the main part of a document: the end comes, whatever
// the text is, and the text is no longer than the part and its marks.
func FuzzDocument(f *testing.F) {
	f.Add([]byte("<w:p><w:r><w:t>a</w:t></w:r><w:del><w:delText>b</w:delText></w:del></w:p><![CDATA[c]]><x a=\"d>\"/>"), true)
	f.Add([]byte("<a><!-- < --><t>&lt;"), false)
	f.Fuzz(func(t *testing.T, part []byte, word bool) {
		name := "content.xml"
		if word {
			name = "word/document.xml"
		}
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, _ := z.Create(name)
		_, _ = w.Write(part)
		z.Close()
		text, err := io.ReadAll(newDocument(bytes.NewReader(b.Bytes()), new(File), &Input{}))
		if err != nil || len(text) > 8*len(part)+16 {
			t.Fatalf("%d bytes of %d, %v", len(text), len(part), err)
		}
		isDocument(".docx", part)
		_, _ = io.ReadAll(newDocument(bytes.NewReader(part), new(File), &Input{}))
	})
}
