package corpus

import (
	"bytes"
	"encoding/base64"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// shown reads a text as it is, and behind it once more those parts that people see
// otherwise than they are written: a sentence with the addresses of its links in
// between, or over several subtitles with their times, or a word that is cut at the end of a
// line. A model may say either, and both have the same windows wherever they do not differ.
//
// For example the file
//
//	See the [manual](https://example.org/m) of the har-
//	bour.
//
// is read as it is, and then as "See the manual of the harbour."
type shown struct {
	pieces
	r      io.Reader
	kind   shownKind
	buf    []byte // the current block, and what was read behind it
	block  int    // length of that block
	end    error  // of r
	behind []byte // the parts that people see otherwise
}

// shownKind says how a text is written. The zero value is a text that people see as it is.
type shownKind uint8

const (
	shownAsIs      shownKind = iota
	shownProse               // Markdown, reStructuredText, wikis, plain text: links, cut words, terminal colours
	shownFolded              // calendars, cards and LDIF: long lines are folded anywhere
	shownStrings             // one string in several pairs of quotes: catalogues of gettext, programs
	shownCues                // subtitles and lyrics
	shownTeX                 // commands, accents and cut words of TeX
	shownContinued           // a backslash at the end of a line: YAML, TOML, properties
	shownRoff                // fonts of manual pages
)

// shownOf tells the kind of a text by the name of its file or by its first bytes.
func shownOf(name string, head []byte) shownKind {
	start := bytes.TrimSpace(head[:min(len(head), 64)])
	switch {
	case bytes.HasPrefix(start, []byte("BEGIN:V")):
		return shownFolded
	case bytes.HasPrefix(start, []byte("WEBVTT")):
		return shownCues
	}
	ext := extension(name)
	for _, k := range [...]struct {
		kind shownKind
		exts string
	}{
		{shownProse, ". .txt .text .md .markdown .mdown .mkd .mdx .rmd .qmd .rst .rest .adoc .asciidoc .org .wiki .mediawiki .textile .log .out .ans"},
		{shownFolded, ".ics .ifb .ical .vcs .vcf .vcard .ldif .ldf"},
		{shownStrings, ".po .pot .c .h .cc .cpp .cxx .hpp .cs .java .js .mjs .ts .jsx .tsx .py .rb .rs .php .swift .kt .dart .scala"},
		{shownCues, ".srt .vtt .sbv .sub .ass .ssa .lrc"},
		{shownTeX, ".tex .ltx .latex .bib .bbl"},
		{shownContinued, ".yaml .yml .toml .properties .ini .cfg .conf .desktop"},
		{shownRoff, ".1 .2 .3 .4 .5 .6 .7 .8 .9 .man .roff"},
	} {
		if slices.Contains(strings.Fields(k.exts), ext) || ext == "" && k.kind == shownProse && filepath.Base(name) != Stdin {
			return k.kind
		}
	}
	return shownAsIs
}

// shownBlock is the length in bytes from which a text is cut into blocks, at blank lines. A block
// without one is cut at a line when it is sixteen times as long.
const shownBlock = 64 << 10

func newShown(r io.Reader, in *Input) *shown {
	size := shownBlock
	if in.Size >= 0 && in.Codec == Plain && in.Size < shownBlock {
		size = int(in.Size) + 1
	}
	return &shown{r: r, kind: in.shown, buf: make([]byte, 0, size)}
}

func (s *shown) Read(p []byte) (int, error) { return s.pieces.read(p, s.next) }

// next hands out the next block, or the parts that come behind the text.
func (s *shown) next() error {
	s.buf = s.buf[:copy(s.buf, s.buf[s.block:])]
	s.block = 0
	if len(s.behind) > mostBehind || len(s.buf) == 0 && s.end == io.EOF && len(s.behind) > 0 {
		s.out = append(append(s.out, '\n', '\n'), s.behind...)
		s.behind = s.behind[:0]
		return nil
	}
	for s.block == 0 {
		for s.end == nil && len(s.buf) < cap(s.buf) {
			var n int
			n, s.end = s.r.Read(s.buf[len(s.buf):cap(s.buf)])
			s.buf = s.buf[:len(s.buf)+n]
		}
		switch {
		case s.end != nil && s.end != io.EOF:
			return s.end
		case len(s.buf) == 0:
			return s.end
		case s.end != nil:
			s.block = len(s.buf)
		default:
			s.block = cutBlock(s.buf)
		}
		if s.block == 0 {
			s.buf = slices.Grow(s.buf, len(s.buf)+1)
		}
	}
	s.behind = s.kind.show(s.behind, s.buf[:s.block])
	s.out = append(s.out, s.buf[:s.block]...)
	return nil
}

// cutBlock returns the length of the block that the bytes begin with; 0: it may be longer.
func cutBlock(b []byte) int {
	if at := bytes.LastIndex(b, []byte("\n\n")); at >= 0 {
		return at + 2
	}
	if at := bytes.LastIndex(b, []byte("\n\r\n")); at >= 0 {
		return at + 3
	}
	if len(b) < 16*shownBlock {
		return 0
	}
	for end := len(b); end > 0; {
		end = bytes.LastIndexByte(b[:end], '\n')
		if end >= 0 && end+1 < len(b) && !isBlank(b[end+1]) && b[end+1] != '"' {
			return end + 1
		}
	}
	if at := bytes.LastIndexByte(b, ' '); at > 0 {
		return at
	}
	return len(b)
}

// show appends those parts of a block that people see otherwise, as they see them.
func (k shownKind) show(dst, block []byte) []byte {
	switch k {
	case shownProse:
		return paragraphs(dst, block, proseMarks[:], showLinks)
	case shownFolded:
		return showFolded(dst, block)
	case shownStrings:
		return showStrings(dst, block)
	case shownCues:
		return showCues(dst, block)
	case shownTeX:
		return showTeX(dst, block)
	case shownContinued:
		return showContinued(dst, block)
	case shownRoff:
		return showRoff(dst, block)
	default:
		return dst
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// isLetter reports whether a byte is a letter, or a part of a character outside of ASCII.
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// paragraphs calls f for each paragraph of a block that has one of the marks.
func paragraphs(dst, block []byte, marks []string, f func(dst, text []byte) []byte) []byte {
	has := func(text []byte) bool {
		return slices.ContainsFunc(marks, func(m string) bool { return bytes.Contains(text, []byte(m)) })
	}
	if bytes.IndexByte(block, '\r') >= 0 {
		block = bytes.ReplaceAll(block, []byte("\r\n"), []byte("\n"))
	}
	if !has(block) {
		return dst
	}
	for text := range bytes.SplitSeq(block, []byte("\n\n")) {
		if !has(text) {
			continue
		}
		at := len(dst)
		dst = f(dst, text)
		if len(dst)-at == len(text) {
			dst = dst[:at] // it has nothing that people see otherwise
			continue
		}
		dst = append(dst, "\n\n"...)
	}
	return dst
}

// proseMarks are in every paragraph that showLinks shortens.
var proseMarks = [...]string{"](", "][", "[[", "[^", "://", "-\n", "\u00ad\n", "\u2010\n", "\x1b", ":`", "=\"", "='", "<!--", "<<", "**", "link:", "xref:"}

// showLinks leaves out of a paragraph the addresses of links, the marks of footnotes, tags
// with attributes, emphasis within words, hyphens at the ends of lines and the colours of
// terminals.
func showLinks(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		skip, keep := 0, []byte(nil)
		switch rest := text[i:]; rest[0] {
		case '\x1b':
			skip = terminalCode(rest)
		case '-', 0xc2, 0xe2: // the signs of hyphens begin so
			if len(dst) > 0 && isLetter(dst[len(dst)-1]) {
				skip = hyphen(rest)
			}
		case '[':
			dst, skip, keep = openLink(dst, rest)
		case ']':
			skip = linkTarget(rest)
		case '<':
			skip, keep = angled(rest)
		case ':':
			skip = roleName(rest)
		case '*':
			if n := len(rest) - len(bytes.TrimLeft(rest, "*")); n < len(rest) && isLetter(rest[n]) && len(dst) > 0 && isLetter(dst[len(dst)-1]) {
				skip = n
			}
		}
		if skip == 0 {
			dst = append(dst, text[i])
			i++
			continue
		}
		dst = append(dst, keep...)
		i += skip
	}
	return dst
}

// linkLen bounds the bytes of an address, a mark or a tag.
const linkLen = 1 << 10

// near returns the offset of a mark in the next bytes, -1 if it is not among them.
func near(text []byte, mark string) int {
	return bytes.Index(text[:min(len(text), linkLen)], []byte(mark))
}

// terminalCode returns the length of the escape sequence that a text begins with.
func terminalCode(text []byte) int {
	switch {
	case len(text) > 1 && text[1] == '[':
		for i, c := range text[2:] {
			if c >= '@' && c <= '~' {
				return i + 3
			}
		}
	case len(text) > 1 && text[1] == ']':
		if end := near(text, "\a"); end > 0 {
			return end + 1
		}
	}
	return min(len(text), 2)
}

// hyphen returns the length of a hyphen with the end of its line and the blanks of the
// next, if a word goes on there.
func hyphen(text []byte) int {
	for _, sign := range [...]string{"-", "\u00ad", "\u2010"} {
		rest, ok := bytes.CutPrefix(text, []byte(sign))
		if !ok {
			continue
		}
		line, ok := bytes.CutPrefix(bytes.TrimLeft(rest, " \t"), []byte("\n"))
		if line = bytes.TrimLeft(line, " \t"); ok && len(line) > 0 && line[0] != '\n' && isLetter(line[0]) && (line[0] < 'A' || line[0] > 'Z') {
			return len(text) - len(line)
		}
	}
	return 0
}

// openLink reads the beginning of a link, or all of one in a wiki. It takes the address
// before a link of AsciiDoc away from dst.
func openLink(dst, text []byte) (_ []byte, skip int, keep []byte) {
	end := near(text, "]")
	switch {
	case end < 0:
		return dst, 0, nil
	case bytes.HasPrefix(text, []byte("[[")):
		if end = near(text, "]]"); end < 0 {
			return dst, 0, nil
		}
		inner := text[2:end]
		for _, mark := range []string{"|", "]["} {
			if at := bytes.LastIndex(inner, []byte(mark)); at >= 0 {
				inner = inner[at+len(mark):]
			}
		}
		return dst, end + 2, inner
	case text[1] == '^':
		return dst, end + 1, nil
	case bytes.HasPrefix(text, []byte("[http")):
		if at := bytes.IndexByte(text[:end], ' '); at > 0 {
			return dst, end + 1, text[at+1 : end]
		}
		return dst, 0, nil
	}
	before := dst[bytes.LastIndexAny(dst, " \t\n(")+1:]
	if bytes.Contains(before, []byte("://")) || bytes.HasPrefix(before, []byte("link:")) || bytes.HasPrefix(before, []byte("xref:")) {
		dst = dst[:len(dst)-len(before)]
	}
	return dst, 0, nil
}

// linkTarget returns the length of what follows the text of a link: its address and title in
// round brackets, or its label in square ones. It is 0 if nothing follows.
func linkTarget(text []byte) int {
	switch {
	case bytes.HasPrefix(text, []byte("](")):
		depth := 0
		for i, c := range text[1:min(len(text), linkLen)] {
			switch c {
			case '(':
				depth++
			case ')':
				if depth--; depth == 0 {
					return i + 2
				}
			}
		}
	case bytes.HasPrefix(text, []byte("][")):
		if end := near(text[1:], "]"); end > 0 {
			return end + 2
		}
	}
	return 0
}

// angled reads a tag with attributes, a comment, the target of a link of reStructuredText or
// a cross reference of AsciiDoc.
func angled(text []byte) (skip int, keep []byte) {
	switch {
	case bytes.HasPrefix(text, []byte("<!--")):
		if end := near(text, "-->"); end > 0 {
			return end + 3, nil
		}
	case bytes.HasPrefix(text, []byte("<<")):
		if end := near(text, ">>"); end > 0 {
			if comma := bytes.IndexByte(text[:end], ','); comma > 0 {
				return end + 2, text[comma+1 : end]
			}
		}
	default:
		end := near(text, ">")
		switch {
		case end < 2:
		case end+1 < len(text) && text[end+1] == '`':
			return end + 1, nil
		case (isLetter(text[1]) || text[1] == '/') && bytes.IndexByte(text[:end], '=') > 0:
			return end + 1, nil
		}
	}
	return 0, nil
}

// roleName returns the length of a role of reStructuredText, as in :ref:`text`.
func roleName(text []byte) int {
	end := near(text, "`")
	if end < 3 || text[end-1] != ':' || bytes.ContainsAny(text[:end], " \t\n") {
		return 0
	}
	return end
}

// showFolded joins the lines of folded properties, and decodes those in quoted-printable.
func showFolded(dst, block []byte) []byte {
	for len(block) > 0 {
		first, rest := cutLine(block)
		quoted := bytes.Contains(bytes.ToUpper(first), []byte("QUOTED-PRINTABLE"))
		end, line := len(first), first
		for len(rest) > 0 && (isBlank(rest[0]) || quoted && bytes.HasSuffix(bytes.TrimRight(line, "\r\n"), []byte("="))) {
			line, rest = cutLine(rest)
			end += len(line)
		}
		coded := isCoded(first)
		if end > len(first) || quoted || coded {
			text := folded.ReplaceAll(block[:end], nil)
			if coded {
				text = decodedValue(text)
			}
			if quoted {
				text = decodeQuoted(text)
			}
			dst = append(append(dst, text...), '\n')
		}
		block = rest
	}
	return dst
}

// isCoded reports whether the value of a property is in base64: behind two colons in LDIF, or by a
// parameter of cards.
func isCoded(line []byte) bool {
	name, value, _ := bytes.Cut(line, []byte(":"))
	name = bytes.ToUpper(name)
	return bytes.HasPrefix(value, []byte(": ")) || bytes.HasSuffix(name, []byte("ENCODING=B")) || bytes.HasSuffix(name, []byte("BASE64"))
}

// decodedValue returns the value of a property in base64, if it is text.
func decodedValue(property []byte) []byte {
	_, value, _ := bytes.Cut(property, []byte(":"))
	text, err := base64.StdEncoding.DecodeString(string(bytes.Trim(value, ": \r\n")))
	if err != nil || !utf8.Valid(text) {
		return property
	}
	return text
}

// cutLine cuts a text behind its first line feed.
func cutLine(text []byte) (line, rest []byte) {
	end := bytes.IndexByte(text, '\n') + 1
	if end == 0 {
		end = len(text)
	}
	return text[:end], text[end:]
}

// showStrings joins strings that follow each other, each on a line of its own.
func showStrings(dst, block []byte) []byte {
	var current []byte
	joined := false
	for line := range bytes.SplitSeq(block, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		left, quote := endOfString(current)
		right, ok := beginOfString(line, quote)
		switch {
		case ok:
			dst, joined = append(dst, left...), true
		case joined:
			dst, joined, right = append(append(dst, current...), '\n'), false, line
		default:
			right = line
		}
		current = right
	}
	if joined {
		dst = append(append(dst, current...), '\n')
	}
	return dst
}

// endOfString returns a line without the quote that ends it, and that quote; 0: there is none.
func endOfString(line []byte) (text []byte, quote byte) {
	line = bytes.TrimRight(bytes.TrimRight(line, " \t"), `+\&. `)
	if n := len(line); n > 0 && (line[n-1] == '"' || line[n-1] == '\'') {
		return line[:n-1], line[n-1]
	}
	return nil, 0
}

// beginOfString returns a line behind the quote that it begins with.
func beginOfString(line []byte, quote byte) (text []byte, ok bool) {
	for _, obsolete := range []string{"#~", "#|"} {
		line = bytes.TrimPrefix(line, []byte(obsolete))
	}
	line = bytes.TrimLeft(line, "+.& \t")
	for n := 0; quote != 0 && n < min(3, len(line)); n++ {
		switch c := line[n]; {
		case c == quote:
			return line[n+1:], true
		case !isLetter(c): // f"", L"" and the like are strings too
			return nil, false
		}
	}
	return nil, false
}

// showCues leaves out the times, numbers and marks of subtitles, and lines that are shown again.
func showCues(dst, block []byte) []byte {
	var before, previous []byte
	for len(block) > 0 {
		var line []byte
		line, block = cutLine(block)
		next, _ := cutLine(block)
		line = bytes.TrimSpace(line)
		title := len(before) == 0 && bytes.Contains(next, []byte("-->")) // its number or name
		before = line
		text := cueText(line)
		if title || len(text) == 0 || bytes.Equal(text, previous) {
			continue
		}
		previous = text
		dst = append(append(dst, text...), '\n')
	}
	return dst
}

// cueText returns what is shown of a line of subtitles.
func cueText(line []byte) (text []byte) {
	for _, head := range []string{"WEBVTT", "Format:", "Style:"} {
		if bytes.HasPrefix(line, []byte(head)) {
			return nil
		}
	}
	if bytes.Contains(line, []byte("-->")) || bytes.IndexByte(line, ':') > 0 && !bytes.ContainsFunc(line, func(r rune) bool { return !strings.ContainsRune("0123456789:.,", r) }) {
		return nil
	}
	if rest, ok := bytes.CutPrefix(line, []byte("Dialogue:")); ok {
		if cells := bytes.SplitN(rest, []byte(","), 10); len(cells) == 10 {
			line = cells[9]
		}
	}
	for len(line) > 1 && line[0] == '[' && line[1] >= '0' && line[1] <= '9' { // the time of a line of lyrics
		end := bytes.IndexByte(line, ']') + 1
		if end == 0 {
			break
		}
		line = line[end:]
	}
	for i := 0; i < len(line); i++ {
		end := -1
		switch line[i] {
		case '<':
			end = bytes.IndexByte(line[i:], '>')
		case '{':
			end = bytes.IndexByte(line[i:], '}')
		case '\\':
			if i+1 < len(line) && strings.IndexByte("Nnh", line[i+1]) >= 0 {
				text, end = append(text, ' '), 1
			}
		}
		if end < 0 {
			text = append(text, line[i])
		}
		i += max(end, 0)
	}
	return bytes.TrimSpace(text)
}

// showTeX leaves commands, braces and comments out of paragraphs of TeX. Accents are left
// out too: the words of an index have none.
func showTeX(dst, block []byte) []byte {
	return paragraphs(dst, block, []string{`\`, "{"}, func(dst, text []byte) []byte {
		var notes []byte
		dst = appendTeX(dst, text, &notes)
		return append(dst, notes...)
	})
}

// hiddenTeX are commands whose argument is no text, and accents that are letters.
const hiddenTeX = " cite citep citet citeauthor ref label eqref pageref cref Cref autoref nameref index includegraphics begin end vspace hspace usepackage documentclass input include bibliography bibliographystyle href hyperref textcolor color fontsize pagestyle thispagestyle setlength "

// appendTeX appends a text without commands. Footnotes go to notes.
func appendTeX(dst, text []byte, notes *[]byte) []byte {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '{' || c == '}' || c == '$':
			i++
		case c == '~':
			dst = append(dst, ' ')
			i++
		case c == '%':
			line, _ := cutLine(text[i:])
			i += len(line)
			for i < len(text) && isBlank(text[i]) {
				i++
			}
		case c != '\\' || i+1 == len(text):
			dst = append(dst, c)
			i++
		case text[i+1] == '\\':
			dst = append(dst, '\n')
			i += 2
		case strings.IndexByte("%&$#_{} ,;", text[i+1]) >= 0:
			dst = append(dst, text[i+1])
			i += 2
		case text[i+1]|0x20 < 'a' || text[i+1]|0x20 > 'z': // \- in a word, or an accent
			i += 2
		default:
			var n int
			dst, n = commandTeX(dst, text[i:], notes)
			i += n
		}
	}
	return dst
}

// commandTeX appends what is shown of a command whose name has letters, and returns its length.
func commandTeX(dst, text []byte, notes *[]byte) ([]byte, int) {
	n := 1
	for n < len(text) && text[n]|0x20 >= 'a' && text[n]|0x20 <= 'z' {
		n++
	}
	name := string(text[1:n])
	argument := func(open, close byte) (inner []byte) {
		if n == len(text) || text[n] != open {
			return nil
		}
		depth := 0
		for i, c := range text[n:min(len(text), n+(64<<10))] {
			if c == open {
				depth++
			} else if c == close {
				if depth--; depth == 0 {
					inner = text[n+1 : n+i]
					n += i + 1
					break
				}
			}
		}
		return inner
	}
	switch {
	case strings.Contains(" ss ae oe aa AE OE AA o O l L i j ", " "+name+" "):
		dst = append(dst, map[string]string{"o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å", "AA": "Å"}[name]...)
		if strings.Contains(" ss i j ", " "+name+" ") {
			dst = append(dst, name...)
		}
		if n < len(text) && isBlank(text[n]) {
			n++
		}
		return dst, n
	case len(name) == 1 && strings.Contains("cuvHtdbkr", name): // an accent
		for n < len(text) && isBlank(text[n]) {
			n++
		}
		return dst, n
	case name == "item" || name == "par" || name == "newline":
		return append(dst, '\n'), n
	}
	for n < len(text) && (text[n] == '*' || text[n] == '[') && (text[n] == '*' || argument('[', ']') != nil) {
		if n < len(text) && text[n] == '*' {
			n++
		}
	}
	switch hidden := strings.Contains(hiddenTeX, " "+name+" "); {
	case hidden:
		argument('{', '}')
	case name == "footnote" || name == "thanks":
		if note := argument('{', '}'); notes != nil {
			*notes = appendTeX(append(*notes, '\n'), note, nil)
		} else {
			dst = append(dst, note...)
		}
	case n == len(text) || text[n] != '{':
		dst = append(dst, ' ')
	}
	return dst, n
}

// showContinued joins lines that end with a backslash.
func showContinued(dst, block []byte) []byte {
	if !bytes.Contains(block, []byte(`\`)) {
		return dst
	}
	joined := false
	for line := range bytes.SplitSeq(block, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if joined {
			line = bytes.TrimLeft(line, " \t")
			if bytes.HasPrefix(line, []byte(`\ `)) {
				line = line[1:]
			}
		}
		before := joined
		joined = escapedAt(line)
		coded := bytes.Contains(line, []byte(`\x`))
		switch {
		case joined:
			dst = appendCoded(dst, line[:len(line)-1])
		case before || coded:
			dst = append(appendCoded(dst, line), '\n')
		}
	}
	return dst
}

// appendCoded appends a text with its codes of two digits, as in \xe9, decoded.
func appendCoded(dst, text []byte) []byte {
	for {
		at := bytes.Index(text, []byte(`\x`))
		if at < 0 || len(text) < at+4 {
			return append(dst, text...)
		}
		dst = append(dst, text[:at]...)
		var c [1]byte
		if hexByte(&c, text[at+2:at+4]) {
			dst = utf8.AppendRune(dst, rune(c[0]))
			text = text[at+4:]
		} else {
			dst = append(dst, `\x`...)
			text = text[at+2:]
		}
	}
}

// showRoff leaves the fonts of manual pages out.
func showRoff(dst, block []byte) []byte {
	return paragraphs(dst, block, []string{`\f`, `\-`, `\&`, `\%`, "\n.B", "\n.I", "\n.R"}, func(dst, text []byte) []byte {
		for line := range bytes.Lines(text) {
			if name, rest, ok := bytes.Cut(line, []byte(" ")); ok && strings.Contains(" .B .I .R .BR .RB .BI .IB .IR .RI .SM .SB ", " "+string(name)+" ") {
				line = rest
			}
			for i := 0; i < len(line); i++ {
				if line[i] != '\\' || i+1 == len(line) {
					dst = append(dst, line[i])
					continue
				}
				switch i++; line[i] {
				case 'f':
					i++
					if i < len(line) && line[i] == '(' {
						i += 2
					} else if i < len(line) && line[i] == '[' {
						i += max(0, bytes.IndexByte(line[i:], ']'))
					}
				case '&', '|', '^', '%', ':', '/', ',':
				case '(':
					dst = append(dst, ' ')
					i += 2
				default:
					dst = append(dst, line[i])
				}
			}
		}
		return dst
	})
}
