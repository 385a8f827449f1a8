package corpus

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

const german = `{"prompt":"Größe und Straße","completion":"Für x Äpfel"}` + "\n" + `{"prompt":"è x","completion":"–"}` + "\n"

// encoded returns a text in an encoding.
func encoded(t *testing.T, charset, text string) string {
	t.Helper()
	enc := charmap.Windows1252.NewEncoder()
	switch charset {
	case "utf-8":
		return text
	case "utf-16":
		enc = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()
	case "utf-16be":
		enc = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder()
	case "utf-16le":
		enc = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder()
	case "utf-32":
		enc = utf32.UTF32(utf32.BigEndian, utf32.UseBOM).NewEncoder()
	case "shift_jis":
		enc = japanese.ShiftJIS.NewEncoder()
	case "windows-1251", "koi8-r":
		known, err := lookUp(charset)
		if err != nil {
			t.Fatal(err)
		}
		enc = known.NewEncoder()
	}
	out, err := enc.String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// textsOf returns all texts of an input.
func textsOf(t *testing.T, in *Input) (texts []string) {
	t.Helper()
	if in.Format == Text {
		f, err := in.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return []string{string(text)}
	}
	rows, err := in.Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var rec Record
	for {
		switch err := rows.Next(&rec); {
		case err == io.EOF:
			return texts
		case err != nil:
			t.Fatal(err)
		}
		for _, s := range rec.Segments {
			texts = append(texts, string(rec.Text(s)))
		}
	}
}

// TestEncodings reads the same text in every encoding, recognised or named.
func TestEncodings(t *testing.T) {
	t.Parallel()
	table := "prompt;completion\r\n\"Größe x\";\"naïve\nüber\"\r\n"
	for charset, o := range map[string]Options{
		"utf-8": {}, "utf-16": {}, "utf-16le": {}, "utf-16be": {}, "utf-32": {},
		"windows-1252": {Encoding: "windows-1252"}, "cp1252": {Encoding: "CP1252"},
	} {
		for name, text := range map[string]string{"a.jsonl": german, "a.csv": table, "a.txt": german, "a.json": "[\n" + strings.Replace(german, "}\n{", "},\n{", 1) + "]"} {
			want, err := findOne(t, name, text, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, content := range []string{encoded(t, charset, text), gzipped(t, encoded(t, charset, text))} {
				got, err := findOne(t, name, content, o)
				if err != nil || got.Container != want.Container || got.Kind() != want.Kind() {
					t.Fatalf("%s in %s: %v, %v", name, charset, got, err)
				}
				if a, b := textsOf(t, got), textsOf(t, want); fmt.Sprintf("%q", a) != fmt.Sprintf("%q", b) {
					t.Errorf("%s in %s: %q, want %q", name, charset, a, b)
				}
			}
		}
	}
	long := strings.Repeat("これは長い行です。", 20_000)
	in, err := findOne(t, "a.txt", encoded(t, "shift_jis", long), Options{Encoding: "shift_jis"})
	if err != nil || textsOf(t, in)[0] != long {
		t.Errorf("a long line of shift_jis: %v", err)
	}
	in, err = findOne(t, "a.txt", "déjà vu\n"+encoded(t, "", "déjà vu\n")+"x", Options{Encoding: "windows-1252"})
	if err != nil || textsOf(t, in)[0] != "déjà vu\ndéjà vu\nx" {
		t.Errorf("lines of two encodings: %v", err)
	}
	chinese := "我们将在十四个工作日内\n"
	in, err = findOne(t, "a.txt", encoded(t, "utf-16le", chinese), Options{Encoding: "utf-16le"})
	if err != nil || textsOf(t, in)[0] != chinese {
		t.Errorf("UTF-16 that was named: %v", err)
	}
	in, err = findOne(t, "b.txt", chinese, Options{Encoding: "utf-16le"})
	if err != nil || textsOf(t, in)[0] != chinese {
		t.Errorf("UTF-8 beside it: %v", err)
	}
}

// TestDeclaredEncodings reads a text in the encoding that it declares, and names one that is not
// read.
func TestDeclaredEncodings(t *testing.T) {
	t.Parallel()
	russian := strings.Repeat("Лампы внешней гавани горят до рассвета. ", 8)
	for _, c := range []struct{ file, charset, text, want string }{
		{"a.html", "windows-1251", "<html><meta charset=windows-1251><p>" + russian, russian},
		{"a.html", "koi8-r", "<html><meta http-equiv=\"Content-Type\" content=\"text/html; charset=KOI8-R\"><p>" + russian, russian},
		{"a.xml", "iso-8859-1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>" + german + "</a>", german},
		{"a.xml", "shift_jis", "<?xml version='1.0' encoding='Shift_JIS'?><a>これは長い行です。</a>", "これは長い行です。"},
		{"a.html", "windows-1252", "<html><meta charset=windows-1252>" + strings.Repeat("plain text of a long file\n", 50_000) + german, german},
		{"a.py", "iso-8859-1", "# -*- coding: latin-1 -*-\nx = 'Größe und Straße'", "Größe und Straße"},
		{"a.po", "iso-8859-1", "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=ISO-8859-1\\n\"\nmsgid \"x\"\nmsgstr \"Größe\"", "Größe"},
		{"a.html", "", "<html><meta charset=windows-1251><p>" + "Größe é UTF-8", "Größe é UTF-8"},
	} {
		text := c.text
		if c.charset != "" {
			text = encoded(t, c.charset, c.text)
		}
		in, err := findOne(t, c.file, text, Options{})
		if err != nil {
			t.Errorf("%s in %s: %v", c.file, c.charset, err)
			continue
		}
		if got := allTexts(t, []Input{*in}); !strings.Contains(got, c.want) {
			t.Errorf("%s in %s: %.300q", c.file, c.charset, got)
		}
	}
	for text, want := range map[string]string{
		"<html><meta charset=klingon>\xe9\xe8\xe7":    "-f KLINGON -t",
		"x,y\n" + encoded(t, "shift_jis", "日本語のテキスト"): "--encoding, say shift_jis",
		"x,y\n" + encoded(t, "windows-1251", russian): "or windows-1251",
	} {
		if _, err := findOne(t, "a.csv", text, Options{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "1252") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestOtherEncodings refuses text in an encoding that nobody named, and skips it in a
// folder with its size.
func TestOtherEncodings(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"a.txt": "Größe und Straße", "b.csv": "prompt;completion\na;Größe\n", "c.jsonl": german} {
		if _, err := findOne(t, name, encoded(t, "", text), Options{}); err == nil || !strings.Contains(err.Error(), "it is not UTF-8: name its --encoding") || !strings.Contains(err.Error(), "`iconv -f") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := folder(t, map[string]string{"a.txt": "text", "b.txt": encoded(t, "", "Größe"), "c.bin": "\x01\xff\xf0\x02"})
	_, skipped, err := Find([]string{dir}, nil, Options{})
	if err != nil || len(skipped) != 2 || skipped[0].Text != 5 || skipped[1].Text != 0 {
		t.Errorf("skipped %+v, %v", skipped, err)
	}
	for _, name := range []string{"klingon", "iso-2022-jp", "replacement"} {
		if _, _, err := Find([]string{dir}, nil, Options{Encoding: name}); err == nil || !strings.Contains(err.Error(), "iconv") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBrokenFarAway counts the bytes around broken ones behind the beginning that decides.
func TestBrokenFarAway(t *testing.T) {
	t.Parallel()
	begin := strings.Repeat("plain text of a long file\n", 50_000)
	path := filepath.Join(t.TempDir(), "a.txt")
	for end, want := range map[string]int64{
		"": 0, "é": 0, "\xe9": 128, strings.Repeat("x", 128) + "\xe9\xe9\xe9": 128, "\xe9" + strings.Repeat("x", 128) + "\xe9": 256, "é\xc3": 128,
	} {
		if err := os.WriteFile(path, []byte(begin+end), 0o600); err != nil {
			t.Fatal(err)
		}
		inputs, _, err := Find([]string{path}, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := inputs[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, f)
		if f.Close(); err != nil || n != int64(len(begin+end)) || f.Broken() != want {
			t.Errorf("%q: %d bytes, %d around broken ones, %v; want %d", end, n, f.Broken(), err, want)
		}
	}
}

// FuzzEncodings decodes any bytes from any encoding, in any cuts: the result is UTF-8 and
// the same, valid lines stay as they are, and the broken bytes are the same.
func FuzzEncodings(f *testing.F) {
	f.Add([]byte("d\xe9j\xe0\nd\xc3\xa9j\xc3\xa0\n"), uint8(0))
	f.Add([]byte("\x83\x5c\x83\n\x83"), uint8(1))
	f.Add([]byte("\x81\x30\x81\x30\n\xc4\xe3"), uint8(2))
	f.Add([]byte("\xff\xfea\x00\x00\xd8"), uint8(3))
	f.Add([]byte("\xff\xfe\x00\x00a\x00\x00\x00"), uint8(4))
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		charset := []string{"windows-1252", "shift_jis", "gb18030", "utf-16le", "utf-32", "euc-kr", "big5", ""}[which%8]
		var first []byte
		var broken int64
		for i, r := range []io.Reader{bytes.NewReader(text), iotest.OneByteReader(bytes.NewReader(text)), iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(text)))} {
			if charset != "" {
				var err error
				if r, err = newDecoder(r, charset); err != nil {
					t.Fatal(err)
				}
			}
			file := new(File)
			out, err := io.ReadAll(&checked{r: r, f: file, decoded: charset != ""})
			switch {
			case err != nil && charset != "utf-32": // a mark is missing
				t.Fatal(err)
			case charset != "" && !utf8.Valid(out):
				t.Fatalf("%q is decoded as %q", text, out)
			case i == 0:
				first, broken = out, file.Broken()
			case !bytes.Equal(out, first) || file.Broken() != broken:
				t.Fatalf("%q is decoded as %q and %q, broken %d and %d", text, first, out, broken, file.Broken())
			}
			if charset == "" && (file.Broken() > 0) == utf8.Valid(text) {
				t.Fatalf("%q has %d broken bytes", text, file.Broken())
			}
		}
		if utf8.Valid(text) && len(text) > 0 && !isWide(charset) && charset != "utf-32" && charset != "" && !bytes.Equal(first, text) {
			t.Fatalf("UTF-8 %q is decoded as %q", text, first)
		}
	})
}
