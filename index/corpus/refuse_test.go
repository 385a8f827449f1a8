package corpus

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// zipped returns a zip archive of members, given as name, text, name, text, …
func zipped(t testing.TB, method uint16, members ...string) string {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i < len(members); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: members[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(members[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// wide returns a text in UTF-16.
func wide(s string) string { return strings.Join(strings.Split(s, ""), "\x00") + "\x00" }

// TestRefusals checks that files of text which are not read are recognised by their
// bytes: by name they are errors with a way forward, in a folder they are skipped.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const ole = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	text := "some text that is long enough for a window of ten words or more"
	for _, c := range []struct{ name, text, hint string }{
		{"a.arrow", "ARROW1\x00\x00\xff\xff\xff\xff\x10\x00\x00\x00", "open_file(\"FILE\").read_all()"},
		{"data-00000-of-00001.arrow", "\xff\xff\xff\xff\x10\x00\x00\x00", "open_stream(\"FILE\").read_all()"},
		{"a.feather", "FEA1\x00\x00", "Feather: write Parquet"},
		{"a.xlsx", zipped(t, zip.Deflate, "[Content_Types].xml", "x", "_rels/.rels", "x", "xl/workbook.xml", text), "Excel: save it as CSV"},
		{"a.pptx", zipped(t, zip.Deflate, "a.txt", text), "PowerPoint: convert it to text"},
		{"a.ods", zipped(t, zip.Store, "mimetype", "application/vnd.oasis.opendocument.spreadsheet", "content.xml", text), "OpenDocument: convert it"},
		{"b.docx", zipped(t, zip.Store, "a.txt", text), "Word: convert it to text"},
		{"a", ole + wide("Root Entry") + wide("WordDocument"), "Word: convert it to text"},
		{"a.bin", ole + wide("Workbook"), "Excel: save it as CSV"},
		{"b", ole + wide("EncryptedPackage"), "save it without a password"},
		{"c.doc", ole + "\x00\x00", "an old Office file: convert it to text"},
		{"a.msg", ole + "\x00\x00", "save it as .eml; `msgconvert FILE`"},
		{"a.pdf", "%PDF-1.7\n", "PDF: convert it to text"},
		{"a.rtf", "{\\rtf1\\ansi " + text + "}", "RTF: convert it to text"},
		{"a.7z", "7z\xbc\xaf\x27\x1c\x00\x04", "a 7z archive: unpack it"},
		{"a.rar", "Rar!\x1a\x07\x01\x00", "a rar archive: unpack it"},
		{"a.db", "SQLite format 3\x00", "SQLite: export its tables"},
		{"a.avro", "Obj\x01\x04", "Avro: write JSON lines"},
		{"a.orc", "ORC\x0a\x00", "ORC: write Parquet"},
		{"shard.00000.mds", "\x01\x00\x00\x00\x0c\x00\x00\x00(\x00\x00\x00" + text, "MosaicML MDS: write JSON lines"},
		{"a.dat", "\x01\x00\x00\x00", "binary: it contains zero bytes"},
	} {
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Find([]string{path}, nil, Options{}); !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), c.hint) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.hint)
		}
		inputs, skipped, err := Find([]string{dir}, nil, Options{})
		if err != nil || len(inputs) != 0 || len(skipped) != 1 || !strings.Contains(skipped[0].Reason, c.hint) {
			t.Errorf("%s in a folder: %v, %v, %v", c.name, inputs, skipped, err)
		}
	}
	dir := t.TempDir()
	for _, c := range []struct {
		name, text string
		lost       int64
	}{
		{"a.arrow", "ARROW1\x00\x00", 8},
		{"a.jsonl.lzma", "\x5d\x00\x00", 3},
		{"a.pdf", "%PDF-1.7\n", 0},
		{"a.zip", zipped(t, zip.Store, "a.txt", text), 0},
	} {
		if err := os.WriteFile(filepath.Join(dir, c.name), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, skipped, err := Find([]string{dir}, nil, Options{IncludePath: []string{c.name}})
		for _, s := range skipped {
			if filepath.Base(s.Path) == c.name && s.Text != c.lost {
				t.Errorf("%s: %d bytes of text lost, %v, want %d", c.name, s.Text, err, c.lost)
			}
		}
	}
	if hint := refused("a.txt", []byte("ORCHIDS are a family of plants.\n")); hint != "" {
		t.Errorf("a text is refused: %s", hint)
	}
}

// FuzzRefused looks at any first bytes: a hint of one line, or none.
func FuzzRefused(f *testing.F) {
	f.Add([]byte(zipped(f, zip.Deflate, "[Content_Types].xml", "x", "xl/workbook.xml", "y")))
	f.Add([]byte("PK\x03\x04\x00\x00\x08\x00" + strings.Repeat("\xff", 40)))
	f.Add([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	f.Fuzz(func(t *testing.T, head []byte) {
		if hint := refused("x.mds", head); strings.Contains(hint, "\n") {
			t.Fatalf("hint %q", hint)
		}
		if n := len(zipNames(head)); n == 0 || n > 256 {
			t.Fatalf("%d names", n)
		}
	})
}

// TestLostFormats: training data that has to be converted counts as text that is lost, by its
// size, and the weights of models do not.
func TestLostFormats(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		head string
		lost bool
	}{
		"a.sz":   {"\xff\x06\x00\x00sNaPpY\x00", true},
		"a.dump": {"PGDMP\x01\x0e\x00", true},
		"a.pst":  {"!BDN\x00\x00", true},
		"a.br":   {"\xce\xd2\x07\xff\x00", true},
		"a.pkl":  {"\x80\x04\x95\x00", true},
		"a.npy":  {"\x93NUMPY\x01\x00", true},
		"a.h5":   {"\x89HDF\r\n\x1a\n\x00", true},
		"a.xlsx": {zipped(t, zip.Deflate, "xl/workbook.xml", "x"), true},
		"a.pt":   {"\x80\x02\x8a\n\x00", false},
		"a.png":  {"\x89PNG\r\n\x1a\n\x00\x00", false},
		"a.ttf":  {"\x00\x01\x00\x00\x00", false},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(c.head), 0o600); err != nil {
			t.Fatal(err)
		}
		_, skipped, err := Find([]string{dir}, nil, Options{})
		if err != nil || len(skipped) != 1 || (skipped[0].Text > 0) != c.lost {
			t.Errorf("%s: %+v, %v", name, skipped, err)
		}
	}
}
