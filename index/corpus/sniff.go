package corpus

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// headLen is the number of bytes at the beginning of a file that decide its format.
const headLen = 1 << 20

// maxColumns bounds the names in a ColumnsError.
const maxColumns = 32

// maxHeadRows bounds the rows whose columns are looked at.
const maxHeadRows = 256

// look is the way to read a file, as its beginning shows it.
type look struct {
	format    Format // of its rows: not Auto, CSV or Parquet
	name      string // of the first row's format in the table of formats; empty: format
	container Format
	comma     byte  // between the cells of a CSV
	escapes   bool  // a backslash escapes quotes in it
	marks     bool  // a separator of records comes before each row
	skip      uint8 // lines of a CSV before its names
	bare      bool  // comments are left out
	why       string
}

// recordMark comes before each row of a JSON text sequence (RFC 7464). It becomes a blank.
const recordMark = '\x1e'

// sniff decides how a file is read by its name and its first bytes,
// decompressed.
func sniff(path string, head []byte, o Options) (look, error) {
	if err := checkText(path, head); err != nil {
		return look{}, err
	}
	head = bytes.TrimPrefix(head, []byte(bom))
	ext := extension(path)
	marks := bytes.HasPrefix(bytes.TrimSpace(head), []byte{recordMark})
	named := marks || slices.Contains([]string{".jsonl", ".ndjson", ".json"}, ext)
	kind := Format("")
	if table := ext == ".csv" || ext == ".tsv"; o.auto() && !named && !table {
		kind = markupOf(ext, head)
	}
	switch {
	case kind != "":
		return look{format: Text, container: kind, why: "the text of " + strings.ToUpper(string(kind))}, nil
	case o.Format == Text || o.auto() && o.Whole == WholeFiles && len(o.Fields) == 0:
		return look{format: Text}, nil
	case o.Format == Parquet:
		return look{}, unreadable(path, "it is not Parquet")
	case o.Format == CSV || o.Format != JSONL && (ext == ".csv" || ext == ".tsv"):
		return sniffTable(path, ext, head, o)
	}
	if marks {
		head = bytes.ReplaceAll(head, []byte{recordMark}, []byte(" "))
	}
	sequences := named || ext == "" || !o.auto()
	rows := anyRows(head, sequences)
	bare := false
	if plain := withoutComments(head); named && (rows.first == nil || rows.odd > 0) && !bytes.Equal(plain, head) {
		if again := anyRows(plain, sequences); again.first != nil {
			rows, head, bare = again, plain, true
		}
	}
	blank := len(bytes.TrimSpace(head)) == 0
	switch {
	case o.auto() && len(o.Fields) == 0 && o.naming == nil && rows.inMembers(o):
		return look{format: Members, container: Members, marks: marks, bare: bare, why: "the members of one JSON object"}, nil
	case rows.first != nil:
		l, err := rowsLook(path, "the first row has", rows, o)
		switch rows.container {
		case Array:
			l.container, l.why = Array, "a JSON array, "+l.why
		case Sequence:
			l.container, l.why = Sequence, "JSON objects over several lines, "+l.why
		}
		l.marks, l.bare = marks, bare
		return l, err
	case blank && o.auto():
		return look{format: Text, why: "it is empty"}, nil
	case o.auto() && !named:
		return look{format: Text, why: "it does not begin with a JSON object"}, nil
	case o.Format == JSONL && len(o.Fields) == 0:
		return look{}, columnsError(path, "the first row has", nil, nil)
	case blank || !o.auto() && bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")):
		return look{format: o.Format}, nil
	default:
		return withoutRows(path, head, marks, o)
	}
}

// withoutRows decides how JSON without rows of objects is read.
func withoutRows(path string, head []byte, marks bool, o Options) (look, error) {
	switch {
	case bytes.ContainsAny(head[:min(len(head), 2)], "{['") && pythonRow.Match(bytes.TrimSpace(head)):
		return look{}, fmt.Errorf("%s: %w: %s", path, errData, pythonHint(head))
	case hasTexts(head, o.window()):
		if container, ok := textRows(head); ok {
			return look{format: texts, container: container, marks: marks, why: "JSON texts without columns"}, nil
		}
		return look{}, fmt.Errorf("%s: %w: convert it to JSON lines, or read it as it is with --format text", path, errNoRows)
	default:
		return look{}, unreadable(path, "not JSON lines, nor an array or a sequence of objects: convert it to these, or read it as it is with --format text")
	}
}

// pythonRow is the beginning of a row in Python's notation.
var pythonRow = regexp.MustCompile(`^[\[({\s]*'`)

// pythonHint returns the command that turns rows in Python's notation into JSON lines.
func pythonHint(head []byte) string {
	if bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		return "Python's notation and not JSON: convert it; `python3 -c 'import ast, json, sys; [print(json.dumps(ast.literal_eval(row))) for row in sys.stdin if row.strip()]' < FILE > FILE.jsonl`"
	}
	return "Python's notation and not JSON: convert it; `python3 -c 'import ast, json, sys; [print(json.dumps(row)) for row in ast.literal_eval(sys.stdin.read())]' < FILE > FILE.jsonl`"
}

// textRows tells JSON that consists of texts, or of lists of them, in one array or in lines.
func textRows(head []byte) (container Format, ok bool) {
	head = bytes.TrimSpace(head)
	line, next, more := bytes.Cut(head, []byte("\n"))
	lines := len(head) > 0 && head[0] == '"'
	if bytes.HasPrefix(head, []byte("[")) && jsontext.Value(line).IsValid(lenient...) {
		next = bytes.TrimSpace(next)
		lines = more && len(next) > 0 && (next[0] == '[' || next[0] == '"')
	}
	if !lines {
		container, line = Array, bytes.Clone(head)
		new(arrayLines).rewrite(line)
		line, _, more = bytes.Cut(line, []byte("\n"))
	}
	line = bytes.TrimSpace(line)
	return container, len(line) > 0 && (jsontext.Value(line).IsValid(lenient...) || !more && (line[0] == '"' || line[0] == '['))
}

// hasTexts reports whether some string at the beginning of a file has n words.
func hasTexts(head []byte, n int) bool {
	for c := (cursor{b: head}); ; {
		next := bytes.IndexByte(c.b[c.at:], '"')
		if next < 0 {
			return false
		}
		c.at += next
		if lo, hi := c.str(); wordy(head[lo:hi], n) {
			return true
		}
	}
}

// extension returns a file's extension in small letters, without that of its
// compression.
func extension(path string) string {
	path = strings.ToLower(path)
	ext := filepath.Ext(path)
	for slices.Contains([]string{".gz", ".zst", ".zstd", ".bz2", ".xz", ".lz4"}, ext) {
		path = strings.TrimSuffix(path, ext)
		ext = filepath.Ext(path)
	}
	return ext
}

// sniffTable decides how a table is read by its line of column names.
func sniffTable(path, ext string, head []byte, o Options) (look, error) {
	if old := bytes.TrimRight(head, "\r\n"); bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(old, '\r') >= 0 {
		return look{}, fmt.Errorf("%s: %w: its lines end with carriage returns alone: convert it; `tr '\\r' '\\n' < FILE > FILE.csv`", path, errData)
	}
	all := head
	head, skip := belowTitle(ext, head, o)
	comma := sniffComma(ext, head)
	escapes := sniffEscapes(head, comma)
	columns := csvColumns(all, &Input{comma: comma, escapes: escapes, skip: skip})
	if len(columns) == 0 {
		if o.Format == CSV && len(bytes.TrimSpace(head)) > 0 {
			return look{}, unreadable(path, "CSV without a line of column names")
		}
		return look{format: Text, why: "it is empty"}, nil
	}
	l, err := rowsLook(path, "the columns are", firstRows{first: columns, all: columns}, o)
	l.container, l.comma, l.escapes, l.skip = CSV, comma, escapes, skip
	return l, err
}

// belowTitle returns the beginning of a table from its line of names on, and the number of lines
// before it: the first line with a known name, if those before have fewer cells.
func belowTitle(ext string, head []byte, o Options) ([]byte, uint8) {
	const most = 16
	known, filled := o.uses().row, -1
	rest := head
	for skip := range uint8(most) {
		columns := csvColumns(rest, &Input{comma: sniffComma(ext, rest)})
		named, cells := false, 0
		for _, c := range columns {
			named = named || isText(lookup(known, []byte(c))) || slices.ContainsFunc(o.Fields, func(f string) bool { return leadsInto(f, []string{c}) })
			if c != "" {
				cells++
			}
		}
		if named && (skip == 0 || cells > filled) && !slices.ContainsFunc(columns, func(c string) bool { return !isName(c) }) {
			return rest, skip
		}
		if line, _ := cutLine(rest); len(bytes.TrimSpace(line)) > 0 {
			filled = max(filled, cells)
		}
		if _, rest = cutLine(rest); len(rest) == 0 {
			break
		}
	}
	return head, 0
}

// isText reports whether texts of a use are read.
func isText(u use) bool { return u == useText || u == useTurns || u == useParts }

// rowsLook decides how the rows are read. phrase introduces the columns of the first row in
// notices and errors.
func rowsLook(path, phrase string, rows firstRows, o Options) (look, error) {
	if len(o.Fields) > 0 && (o.auto() || o.Format == JSONL || o.Format == CSV || o.Format == Parquet) {
		if !slices.ContainsFunc(o.Fields, func(f string) bool { return leadsInto(f, rows.all) }) {
			return look{}, columnsError(path, phrase, rows.first, o.Fields)
		}
		return look{format: JSONL, why: "the fields are named"}, nil
	}
	if fixed := textColumns(o.Format); fixed != nil {
		if !slices.ContainsFunc(fixed, func(c string) bool { return slices.Contains(rows.all, c) }) {
			return look{}, columnsError(path, phrase, rows.first, fixed)
		}
		return look{format: o.Format}, nil
	}
	if o.Format == JSONL {
		return look{}, columnsError(path, phrase, rows.first, nil)
	}
	if o.naming != nil {
		return look{format: ByRow, why: namesColumns}, nil
	}
	if name, tell := named(rows.first); name != "" {
		return look{format: ByRow, name: name, why: phrase + " " + strings.Join(tell, " and ")}, nil
	}
	known := o.uses().row
	read := slices.DeleteFunc(slices.Clone(rows.all), func(c string) bool {
		return !isText(lookup(known, []byte(c)))
	})
	switch {
	case len(read) > 0:
		return look{format: ByRow, why: "the first rows have " + strings.Join(read, ", ")}, nil
	case rows.read:
		return look{format: ByRow, why: "the first rows have messages"}, nil
	case o.inFolder:
		return look{format: ByRow, why: "no format names its columns"}, nil
	default:
		return look{}, columnsError(path, phrase, rows.first, nil)
	}
}

// leadsInto reports whether a field is one of the columns or is inside one.
func leadsInto(field string, columns []string) bool {
	return slices.ContainsFunc(columns, func(c string) bool {
		_, deeper := below(field, []byte(c))
		return field == c || deeper
	})
}

// columnsError returns an error with the names of a row's columns, at most maxColumns.
func columnsError(path, phrase string, columns, wanted []string) error {
	shown := make([]string, 0, maxColumns)
	for i, c := range columns[:min(len(columns), maxColumns)] {
		switch {
		case c == "":
			c = fmt.Sprintf("(column %d: no name)", i+1)
		case !isName(c):
			c = fmt.Sprintf("(column %d: a text of %d bytes)", i+1, len(c))
		}
		shown = append(shown, c)
	}
	if len(shown) == 0 {
		shown = append(shown, "none")
	}
	return &ColumnsError{Path: path, Columns: shown, Wanted: wanted, phrase: phrase}
}

// isName reports whether a text looks like the name of a column. A table without a line
// of names has text in its place, which no error may contain.
func isName(s string) bool {
	const most, words = 40, 4
	return len(s) <= most && len(strings.Fields(s)) <= words && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// checkPointer refuses a file that is a pointer to its content.
func checkPointer(path string, head []byte) error {
	const most = 1 << 10 // bytes of a pointer
	for _, p := range [...]struct{ begin, remedy string }{
		{"version https://git-lfs.github.com/spec/", "git LFS has its content: run `git lfs pull`"},
		{"version https://hawser.github.com/spec/", "git LFS has its content: run `git lfs pull`"},
		{"/annex/objects/", "git-annex has its content: run `git annex get`"},
	} {
		if len(head) <= most && bytes.HasPrefix(head, []byte(p.begin)) {
			return fmt.Errorf("%s: %w: %s", path, errElsewhere, p.remedy)
		}
	}
	return nil
}

// checkText refuses a file whose first bytes are not UTF-8 text.
func checkText(path string, head []byte) error {
	if err := checkPointer(path, head); err != nil {
		return err
	}
	if hint := refused(path, head); hint != "" {
		return refuse(path, hint)
	}
	if probe := head[:min(len(head), 8<<10)]; bytes.IndexByte(probe, 0) >= 0 {
		const few = 32 // a text has at most one in so many
		if zeros := bytes.Count(probe, []byte{0}); zeros*few > len(probe) || !printable(bytes.ReplaceAll(probe, []byte{0}, nil)) {
			return unreadable(path, "binary: it contains zero bytes")
		}
	}
	if broken, wide := countRunes(head); broken > wide {
		if !printable(head[:min(len(head), 8<<10)]) {
			return unreadable(path, "binary: it contains control characters")
		}
		return fmt.Errorf("%s: %w: %s", path, errEncoding, encodingHint(head))
	}
	return nil
}

// firstRows are the columns of the rows at the beginning of a text; first is
// nil if it does not look like JSON lines or an array of objects.
type firstRows struct {
	first     []string
	all       []string
	container Format // Array, Sequence, or empty: lines
	odd       int    // rows that are no object
	open      bool   // the last row is not whole
	read      bool   // some text of these rows is read, or they are not whole
	count     int
	nested    bool // a member of the first row is an object or a list
}

// inMembers reports whether the rows are rather in the members of the first object, which is
// the only one: no format names these, and they are objects or lists, or many.
func (r firstRows) inMembers(o Options) bool {
	const many = 8
	known := o.uses().row
	return r.count == 1 && r.odd == 0 && r.container != Array && (r.nested || len(r.first) > many) &&
		!slices.ContainsFunc(r.first, func(c string) bool { return lookup(known, []byte(c)) != useUnknown })
}

// headRows looks at the rows at the beginning of a text.
func headRows(head []byte) firstRows {
	start := bytes.TrimSpace(head)
	switch {
	case len(start) == 0 || start[0] != '{' && start[0] != '[':
		return firstRows{} // most files of a folder of texts
	case !isArray(start):
		return lineRows(head, firstRows{})
	}
	lines := arrayLines{}
	head = bytes.Clone(start)
	lines.rewrite(head)
	return lineRows(head, firstRows{container: Array})
}

// anyRows looks at the rows at the beginning of a text: lines or an array, or else, if sequences is
// true, objects over several lines.
func anyRows(head []byte, sequences bool) firstRows {
	rows := headRows(head)
	if (rows.first == nil || rows.odd > 0) && sequences {
		all := sequenceRows(head)
		if whole := all.first != nil && all.odd == 0 && (!all.open || len(head) >= headLen-len(bom)); whole || rows.first == nil {
			return all
		}
	}
	return rows
}

// sequenceRows looks at the objects at the beginning of a text, each over several lines.
func sequenceRows(head []byte) firstRows {
	if !bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		return firstRows{}
	}
	head = bytes.Clone(head)
	newSequence(nil).rewrite(head)
	return lineRows(head, firstRows{container: Sequence})
}

// lineRows looks at the rows in lines.
func lineRows(head []byte, rows firstRows) firstRows {
	p, rec := NewParser(ByRow, Options{}), new(Record)
	for tries := 0; tries < maxHeadRows; tries++ {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		line = bytes.TrimSpace(line)
		columns, ok := memberNames(line)
		if mended := mend(line); !ok && mended != nil {
			columns, ok = memberNames(mended)
		}
		cut := !whole && len(head) > 0 // the rest of this row is not in the head
		switch {
		case len(columns) > 0 && (ok || cut && (rows.container != "" || len(line) > 0)):
			if rows.count++; rows.first == nil {
				rows.first, rows.nested = columns, isNested(line)
			}
			rows.all = append(rows.all, columns...)
			rows.open = !ok
			rows.read = rows.read || !ok || p.Parse(line, rec) == nil
		case len(line) > 0 && rows.first != nil && (!cut || len(columns) == 0):
			rows.odd++
		case len(line) > 0 && line[0] != '{' && rows.first == nil:
			return firstRows{}
		}
		if !whole {
			break
		}
		head = rest
	}
	// The order of the names matters in the first row only.
	slices.Sort(rows.all)
	rows.all = slices.Compact(rows.all)
	return rows
}

// isArray reports whether a text begins with an array of objects or of lists, and is not
// lines of lists.
func isArray(start []byte) bool {
	rest, ok := bytes.CutPrefix(start, []byte("["))
	if rest = bytes.TrimSpace(rest); !ok || len(rest) == 0 || rest[0] != '{' && rest[0] != '[' {
		return false
	}
	first, next, more := bytes.Cut(start, []byte("\n"))
	return !more || !bytes.HasPrefix(bytes.TrimSpace(next), []byte("[")) || !jsontext.Value(bytes.TrimSpace(first)).IsValid(lenient...)
}

// isNested reports whether a member of an object is an object or a list.
func isNested(line []byte) bool {
	line = bytes.TrimSpace(line[1:])
	return bytes.ContainsAny(line, "{[")
}

// memberNames returns the names of an object's members and whether the object
// is complete. Of a list, the first element counts.
func memberNames(line []byte) (names []string, complete bool) {
	if len(line) > 0 && line[0] == '[' {
		line = bytes.TrimSpace(line[1:])
	}
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

// lenient are the options for reading training files: a repeated name counts each time,
// and broken UTF-8 is accepted.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
