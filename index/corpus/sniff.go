package corpus

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// headLen is how much of a file decides its format.
const headLen = 1 << 20

// maxColumns bounds the names in a ColumnsError.
const maxColumns = 32

// sniff decides the format of a file from its name and its first bytes.
func sniff(path string, head []byte, o Options) (Format, error) {
	if err := checkText(path, head); err != nil {
		return "", err
	}
	if o.Format == JSONL && len(o.Fields) == 0 {
		return "", columnsError(path, firstRow(head))
	}
	if !o.auto() {
		return o.Format, nil
	}
	head = bytes.TrimPrefix(head, []byte(bom))
	ext := strings.ToLower(filepath.Ext(path))
	named := slices.Contains([]string{".jsonl", ".ndjson", ".json"}, ext)
	columns := firstRow(head)
	switch {
	case columns == nil && named && len(bytes.TrimSpace(head)) > 0:
		return "", unreadable(path, "not JSON lines, one object a line: convert it, say with `jq -c '.[]'`, or name its --format")
	case columns == nil:
		return Text, nil
	case len(o.Fields) > 0:
		return JSONL, nil
	case slices.Contains(columns, "messages"):
		return OpenAI, nil
	case slices.Contains(columns, "prompt") && slices.Contains(columns, "completion"):
		return Completion, nil
	default:
		return "", columnsError(path, columns)
	}
}

// columnsError names the columns of a row, as far as there is room.
func columnsError(path string, columns []string) error {
	if len(columns) == 0 {
		columns = []string{"none"}
	}
	for i, c := range columns {
		if len(c) > 64 {
			columns[i] = c[:64]
		}
	}
	return &ColumnsError{Path: path, Columns: columns[:min(len(columns), maxColumns)]}
}

// checkText refuses what is not UTF-8 text by the look of its first bytes.
func checkText(path string, head []byte) error {
	for _, m := range [...]struct{ magic, why string }{
		{"\x1f\x8b", "gzip: decompress it, or pipe it: zcat FILE | noecho index build … -"},
		{"\x28\xb5\x2f\xfd", "zstd: decompress it, or pipe it: zstdcat FILE | noecho index build … -"},
		{"PK\x03\x04", "a zip archive: unpack it"},
		{"%PDF-", "PDF: convert it to text"},
		{"PAR1", "Parquet: convert it to JSON lines"},
		{"\xff\xfe", "UTF-16: convert it to UTF-8"},
		{"\xfe\xff", "UTF-16: convert it to UTF-8"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return unreadable(path, m.why)
		}
	}
	probe := head[:min(len(head), 8<<10)]
	if bytes.IndexByte(probe, 0) >= 0 {
		return unreadable(path, "binary: it holds zero bytes")
	}
	bad, runes := 0, 0
	for i := 0; i < len(probe); runes++ {
		r, n := utf8.DecodeRune(probe[i:])
		if r == utf8.RuneError && n == 1 && i+utf8.UTFMax <= len(probe) {
			bad++
		}
		i += n
	}
	if bad > runes/4 {
		return unreadable(path, "it is not UTF-8")
	}
	return nil
}

// firstRow returns the member names of the first line that is a JSON object,
// nil if the text does not look like JSON lines.
func firstRow(head []byte) []string {
	const tries = 16
	for range tries {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		line = bytes.TrimSpace(line)
		if columns, ok := memberNames(line); len(columns) > 0 && (ok || !whole && len(rest) == 0) {
			return columns
		}
		if !whole || len(line) > 0 && line[0] != '{' {
			return nil
		}
		head = rest
	}
	return nil
}

// memberNames returns the names of an object's members and whether the object
// is complete.
func memberNames(line []byte) (names []string, complete bool) {
	if len(line) == 0 || line[0] != '{' {
		return nil, false
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(line), lenient...)
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return names, false
		}
		if len(names) < 4*maxColumns {
			names = append(names, t.String())
		}
		if err := d.SkipValue(); err != nil {
			return names, false
		}
	}
	_, err := d.ReadToken()
	return names, err == nil
}

// lenient reads what training files hold: repeated names, of which every one
// counts, and broken UTF-8.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// String describes the input in notices.
func (in *Input) String() string {
	return fmt.Sprintf("%s: read as %s", in.Path, in.Format)
}
