package build

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"noecho/index/corpus"
	"noecho/index/internal/format"
	"noecho/internal/raced"
)

// sameTexts returns the texts of records, four for each. They contain line feeds, quotes,
// backslashes, separators of tables, brackets and letters of Latin-1.
func sameTexts(records int) (texts []string) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 4 * records {
		var b strings.Builder
		for k := range 14 + r.IntN(30) {
			fmt.Fprintf(&b, "w%d%s", r.IntN(9000), []string{" ", " ", " ", "é ", ", ", "; ", "\n", " \"x\" ", "\\ ", " ü{a}[b] ", "\t| "}[min(10, r.IntN(11+k%2))])
		}
		fmt.Fprintf(&b, "end of %d", i)
		texts = append(texts, b.String())
	}
	return texts
}

// sameRows returns rows of JSON lines, made from the example of a format in
// docs/formats.md: the letters A to D become texts. Where an example has fewer letters
// than a record has texts, the record takes several rows.
func sameRows(example string, texts []string) string {
	example = strings.ReplaceAll(example, `{"c":"C"}`, `"C"`) // the text alone, not JSON with a name
	letters := regexp.MustCompile(`"[A-D]"`)
	each := len(letters.FindAllString(example, -1))
	var rows strings.Builder
	for at := 0; at < len(texts); at += each {
		next := min(at, len(texts)-each)
		rows.WriteString(letters.ReplaceAllStringFunc(example, func(string) string {
			next++
			return quoted(texts[next-1])
		}))
		rows.WriteByte('\n')
	}
	return rows.String()
}

// quoted returns a text as JSON.
func quoted(text string) string {
	b, _ := json.Marshal(text) // of a string, which cannot fail
	return string(b)
}

// filterBytes returns the bytes of all filters of an index.
func filterBytes(t testing.TB, path string) (out []byte) {
	t.Helper()
	b := readAll(t, path)
	h, err := format.ParseHeader(b[:format.HeaderLen], uint64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Sections {
		if s.K != 0 && s.Known() {
			out = append(out, b[s.Offset:s.End()]...)
		}
	}
	return out
}

// TestFormatsGiveTheSameWindows writes the same records in every format of rows and in
// every container: the filters of their indexes are equal byte for byte.
func TestFormatsGiveTheSameWindows(t *testing.T) {
	t.Parallel()
	texts := sameTexts(raced.Fewer(sameRecords))
	dir := t.TempDir()
	filters := func(t *testing.T, name string, o corpus.Options, files ...string) []byte {
		t.Helper()
		in := filepath.Join(dir, name)
		for i, text := range files {
			path := in
			if len(files) > 1 {
				path = filepath.Join(in, fmt.Sprintf("%d%s", i, filepath.Ext(name)))
			}
			writeInput(t, path, text)
		}
		out := filepath.Join(dir, name+".nidx")
		mustBuild(t, Options{Out: out, Inputs: []string{in}, Corpus: o, NoLedger: true, NoIdentifiers: true, Strict: true})
		defer os.RemoveAll(in)
		return filterBytes(t, out)
	}
	want := filters(t, "plain.txt", corpus.Options{}, texts...)
	for name, example := range docExamples(t) {
		example = strings.Replace(example, `},{"label"`, `},null,{"label"`, 1) // neighbours are joined
		if !bytes.Equal(filters(t, name+".jsonl", corpus.Options{}, sameRows(example, texts)), want) {
			t.Errorf("%s: rows such as %s have other windows", name, example)
		}
	}
	for _, c := range sameContainers(t, texts) {
		if !bytes.Equal(filters(t, c.name, c.o, c.files...), want) {
			t.Errorf("%s has other windows", c.name)
		}
	}
}

// docExamples returns the examples of the table in docs/formats.md, which a test of package
// corpus compares with the formats of the program.
func docExamples(t *testing.T) map[string]string {
	t.Helper()
	page := readAll(t, "../../docs/formats.md")
	all := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)`.* \\| `(\\{.*\\})` \\|").FindAllSubmatch(page, -1) {
		all[string(m[1])] = string(m[2])
	}
	if len(all) < 14 {
		t.Fatalf("the page has %d examples", len(all))
	}
	return all
}

// sameContainer is a file or a folder of files that contain the texts.
type sameContainer struct {
	name  string
	o     corpus.Options
	files []string
}

// sameContainers returns the texts in every container.
func sameContainers(t *testing.T, texts []string) []sameContainer {
	t.Helper()
	rows := sameRows(`{"prompt":"A","completion":"B"}`, texts)
	list := strings.Split(strings.TrimSuffix(rows, "\n"), "\n")
	var indented, comma, tabs, chats bytes.Buffer
	comma.WriteString("prompt,completion\n")
	tabs.WriteString("prompt\tcompletion\n")
	chats.WriteString("messages\n")
	var pairs []samePair
	for i := 0; i < len(texts); i += 2 {
		p := samePair{texts[i], texts[i+1]}
		pairs = append(pairs, p)
		cell := func(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }
		fmt.Fprintf(&comma, "%s,%s\n", cell(p.Prompt), cell(p.Completion))
		fmt.Fprintf(&tabs, "%s\t%s\n", cell(p.Prompt), cell(p.Completion))
		fmt.Fprintf(&chats, "%s\n", cell(`[{"role":"user","content":`+quoted(p.Prompt)+`},{"role":"assistant","content":`+quoted(p.Completion)+`}]`))
		if err := json.Indent(&indented, []byte(list[i/2]), "", "  "); err != nil {
			t.Fatal(err)
		}
		indented.WriteByte('\n')
	}
	wide := func(order func([]byte, uint16) []byte) string {
		b := order(nil, 0xFEFF)
		for _, unit := range utf16.Encode([]rune(rows)) {
			b = order(b, unit)
		}
		return string(b)
	}
	latin := func(text string) string {
		var b []byte
		for _, c := range text {
			b = append(b, byte(c)) // every character is below 256
		}
		return string(b)
	}
	return []sameContainer{
		{"array.json", corpus.Options{}, []string{"[\n" + strings.Join(list, ",\n") + "\n]\n"}},
		{"indented.jsonl", corpus.Options{}, []string{indented.String()}},
		{"comma.csv", corpus.Options{}, []string{comma.String()}},
		{"semicolon.csv", corpus.Options{}, []string{strings.Replace(strings.ReplaceAll(comma.String(), "\",\"", "\";\""), "prompt,", "prompt;", 1)}},
		{"tabs.tsv", corpus.Options{}, []string{tabs.String()}},
		{"chats.csv", corpus.Options{}, []string{chats.String()}},
		{"fields.jsonl", corpus.Options{Fields: []string{"a.b", "c"}}, []string{sameRows(`{"a":{"b":"A"},"c":["B"]}`, texts)}},
		{"plain.parquet", corpus.Options{}, []string{sameParquet(t, pairs)}},
		{"zstd.parquet", corpus.Options{}, []string{sameParquet(t, pairs, parquet.Compression(&parquet.Zstd))}},
		{"rows.jsonl.gz", corpus.Options{}, []string{sameGzip(t, rows)}},
		{"rows.jsonl.zst", corpus.Options{}, []string{sameZstd(t, rows)}},
		{"rows.jsonl.xz", corpus.Options{}, []string{sameXZ(t, rows)}},
		{"rows.jsonl.lz4", corpus.Options{}, []string{sameLZ4(t, rows)}},
		{"rows.tar", corpus.Options{}, []string{packed(t, "x.tar", []string{"b/rows.jsonl", rows[:len(rows)/2+strings.Index(rows[len(rows)/2:], "\n")+1], "a.json", rows[len(rows)/2+strings.Index(rows[len(rows)/2:], "\n")+1:]})}},
		{"texts.tgz", corpus.Options{}, []string{packed(t, "x.tgz", sameMembers(texts))}},
		{"texts.zip", corpus.Options{}, []string{packed(t, "x.zip", sameMembers(texts))}},
		{"shard.mds", corpus.Options{}, []string{sameMDS(pairs)}},
		{"little.jsonl", corpus.Options{}, []string{wide(appendLittle)}},
		{"big.jsonl", corpus.Options{}, []string{wide(appendBig)}},
		{"latin.jsonl", corpus.Options{Encoding: "iso-8859-1"}, []string{latin(rows)}},
		{"pages.html", corpus.Options{}, sameEach(texts, func(text string) string { return "<!doctype html><p class=\"a\">" + html.EscapeString(text) + "</p>\n" })},
		{"dump.xml", corpus.Options{}, sameEach(texts, func(text string) string { return "<?xml version=\"1.0\"?><t>" + html.EscapeString(text) + "</t>\n" })},
	}
}

// sameMembers returns each text as a member of an archive.
func sameMembers(texts []string) (members []string) {
	for i, text := range texts {
		members = append(members, fmt.Sprintf("%d/%d.txt", len(texts)-i, i), text)
	}
	return members
}

// sameMDS returns the pairs as a shard of MosaicML.
func sameMDS(pairs []samePair) string {
	head := `{"column_encodings": ["str", "str"], "column_names": ["completion", "prompt"], "column_sizes": [null, null], "format": "mds", "version": 2}`
	le := binary.LittleEndian
	at := uint32(4 + 4*(len(pairs)+1) + len(head))
	offsets := le.AppendUint32(le.AppendUint32(nil, uint32(len(pairs))), at)
	var rows []byte
	for _, p := range pairs {
		rows = le.AppendUint32(le.AppendUint32(rows, uint32(len(p.Completion))), uint32(len(p.Prompt)))
		rows = append(append(rows, p.Completion...), p.Prompt...)
		offsets = le.AppendUint32(offsets, at+uint32(len(rows)))
	}
	return string(offsets) + head + string(rows)
}

func sameXZ(t *testing.T, text string) string {
	t.Helper()
	var buf bytes.Buffer
	w, err := xz.NewWriter(&buf)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func sameLZ4(t *testing.T, text string) string {
	t.Helper()
	var buf bytes.Buffer
	w := lz4.NewWriter(&buf)
	_, err := io.WriteString(w, text)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// samePair is a row of Parquet.
type samePair struct {
	Prompt     string `parquet:"prompt"`
	Completion string `parquet:"completion"`
}

func sameEach(texts []string, f func(text string) string) []string {
	texts = slices.Clone(texts)
	for i := range texts {
		texts[i] = f(texts[i])
	}
	return texts
}

func appendLittle(b []byte, unit uint16) []byte { return append(b, byte(unit), byte(unit>>8)) }

func appendBig(b []byte, unit uint16) []byte { return append(b, byte(unit>>8), byte(unit)) }

func sameParquet(t *testing.T, pairs []samePair, o ...parquet.WriterOption) string {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[samePair](&b, o...)
	if _, err := w.Write(pairs); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sameGzip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sameZstd(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return string(w.EncodeAll([]byte(text), nil))
}
