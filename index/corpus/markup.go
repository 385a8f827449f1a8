package corpus

import (
	"bytes"
	"io"
	"regexp"
	"strings"

	"noecho/internal/coverage"
)

// The containers of texts with tags. They are detected in the file; nobody asks for them.
const (
	HTML Format = "html"
	XML  Format = "xml"
)

// markup turns HTML or XML into its text of the same length: tags with attributes,
// comments, declarations, and in HTML scripts and styles become blanks, so that every byte
// of the text keeps its offset and its line. Tags without attributes stay, since package
// ngram reads text with them. In XML the values of attributes stay too, but for short ones behind text, and tags with
// attributes in CDATA, and escaped tags, become blanks, as in <row Body="&lt;a href=&quot;x&quot;&gt;text" />.
//
// Values of attributes that became blanks and have the words of a window come behind the
// text, because a value in the middle of a sentence would separate its words. So does the text
// behind the beginning of a comment, script or style that nothing ends.
type markup struct {
	r     io.Reader
	f     *File // counts text that is left out
	kind  Format
	words int    // of a window
	cdata bool   // in a section of XML that is read as HTML
	said  bool   // text came before
	buf   []byte // rewritten up to done, returned up to lo
	lo    int
	done  int
	err   error // of r
	state markupState
	end   byte   // the quote that ends a value
	raw   string // the closing tag that ends a script or style
	data  bool   // the script is JSON
	over  int    // bytes of the current comment, script or style that are not in kept

	attribute []byte // the name of the current attribute
	kept      []byte // the value of it, or the current comment, script, style or declaration
	behind    []byte // the values that come behind the text
	left      int    // bytes of comments, scripts and styles
}

func newMarkup(r io.Reader, f *File, kind Format, o Options) *markup {
	return &markup{r: r, f: f, kind: kind, words: o.window()}
}

// mostBehind bounds the bytes of one value, and of all values behind a text.
const mostBehind = 16 << 20

// noProse are the attributes whose values are words for programs.
const noProse = " class style d points srcset sizes transform viewbox href src action values media accept allow sandbox rel "

type markupState uint8

const (
	markupText    markupState = iota
	markupTag                 // behind the name of a tag
	markupEqual               // behind the equals sign of an attribute
	markupValue               // within quotes
	markupComment             // up to -->
	markupDecl                // up to >
	markupRaw                 // up to the closing tag
)

// markupAhead is how far the reader looks ahead, in bytes: an escaped tag is no longer.
const markupAhead = 4 << 10

// htmlTags are the tags that have no other meaning when they are escaped.
const htmlTags = " a b big blockquote br center cite code dd del div dl dt em font h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre q s small span strike strong sub sup table tbody td th thead tr tt u ul "

// escapedTag returns the length of the escaped tag that b begins with: one with
// attributes, or one of HTML; 0: there is none.
func escapedTag(b []byte) int {
	at := len("&lt;")
	if at < len(b) && b[at] == '/' {
		at++
	}
	from := at
	for at < len(b) && isTagName(b[at], at > from) {
		at++
	}
	var small [16]byte
	name := append(append(append(small[:0], ' '), b[from:min(at, from+12)]...), ' ')
	for i, c := range name {
		name[i] = c | 0x20
	}
	rest := bytes.TrimLeft(b[at:], " \t\r\n")
	end := bytes.Index(rest, []byte("&gt;"))
	switch known := at > from && strings.Contains(htmlTags, string(name)); {
	case end < 0 || at == from:
		return 0
	case known && (end == 0 || string(rest[:end]) == "/"), len(rest) < len(b)-at && hasAttribute(rest[:end]):
		return len(b) - len(rest) + end + len("&gt;")
	default:
		return 0
	}
}

// hasAttribute reports whether a text begins with the name of an attribute and an equals
// sign.
func hasAttribute(b []byte) bool {
	at := 0
	for at < len(b) && isTagName(b[at], at > 0) {
		at++
	}
	return at > 0 && bytes.HasPrefix(bytes.TrimLeft(b[at:], " "), []byte("="))
}

// markupOf tells by the first bytes of a text and the extension of its file whether it is
// HTML or XML; empty: neither.
func markupOf(ext string, head []byte) Format {
	start := bytes.ToLower(bytes.TrimSpace(head[:min(len(head), markupAhead)]))
	html := bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
	page := ext == ".html" || ext == ".htm" || ext == ".xhtml"
	switch {
	case page && bytes.Contains(start, []byte("</")):
		return HTML
	case len(start) == 0 || start[0] != '<':
		return ""
	case html, page:
		return HTML
	case bytes.HasPrefix(start, []byte("<?xml")) && bytes.Contains(start, []byte("<html")):
		return HTML
	case bytes.HasPrefix(start, []byte("<?xml")), ext == ".xml":
		return XML
	default:
		return ""
	}
}

func (m *markup) Read(p []byte) (int, error) {
	for m.lo == m.done {
		if m.err != nil && m.done == len(m.buf) {
			if m.err == io.EOF {
				m.unclosed()
			}
			if m.err != io.EOF || len(m.behind) == 0 {
				m.f.leave(coverage.Comments, m.left)
				m.left = 0
				return 0, m.err
			}
			m.buf, m.behind = m.behind, nil
			m.lo, m.done = 0, len(m.buf)
			break
		}
		m.fill()
	}
	n := copy(p, m.buf[m.lo:m.done])
	m.lo += n
	return n, nil
}

// fill reads and rewrites the next bytes.
func (m *markup) fill() {
	if m.buf == nil {
		m.buf = make([]byte, 0, 64<<10)
	}
	n := copy(m.buf, m.buf[m.done:])
	m.buf, m.lo, m.done = m.buf[:n], 0, 0
	for m.err == nil && len(m.buf) < cap(m.buf) {
		var k int
		k, m.err = m.r.Read(m.buf[len(m.buf):cap(m.buf)])
		m.buf = m.buf[:len(m.buf)+k]
	}
	end := len(m.buf)
	if m.err == nil {
		end -= markupAhead
	}
	for m.done < end {
		m.step(m.buf[m.done:])
	}
}

// step rewrites the next bytes of b, at least one.
func (m *markup) step(b []byte) {
	if m.cdata && m.state != markupText && bytes.HasPrefix(b, []byte("]]>")) {
		m.unclosed()
	}
	switch m.state {
	case markupText:
		m.text(b)
	case markupTag, markupEqual:
		m.tag(b)
	case markupValue:
		m.value(b)
	case markupComment:
		m.hidden(b, "-->")
	case markupDecl:
		if m.kind == XML && b[0] == '[' { // declarations of entities follow, which are text
			m.state = markupText
			return
		}
		m.declaration(b)
	case markupRaw:
		m.hidden(b, m.raw)
	}
}

// hidden goes on in a comment, a script or a style, up to a mark. A closing tag is read as text.
func (m *markup) hidden(b []byte, mark string) {
	comment := m.state == markupComment
	if len(b) >= len(mark) && bytes.EqualFold(b[:len(mark)], []byte(mark)) {
		switch left := len(m.kept) + m.over; {
		case (m.cdata || m.data) && m.over == 0: // a section of CDATA may be a program
			m.keep(m.kept)
		case comment:
			m.left += left + 1
		default:
			m.left += left
		}
		if comment {
			m.blank(b[:len(mark)])
		}
		m.state, m.raw, m.kept, m.over = markupText, "", m.kept[:0], 0
		return
	}
	next := 1 + bytes.IndexAny(b[1:], mark[:1]+"]")
	if next == 0 {
		next = len(b)
	}
	if len(m.kept)+next <= mostBehind {
		m.kept = append(m.kept, b[:next]...)
	} else {
		m.over += next
	}
	m.blank(b[:next])
}

// declaration goes on in a declaration. One that has the words of a window is a text or a
// program, unless it names the type of the document.
func (m *markup) declaration(b []byte) {
	if len(m.kept) == mostBehind {
		m.left += len(m.kept)
		m.kept = m.kept[:0]
	}
	c := b[0]
	m.kept = append(m.kept, c)
	if m.blank(b[:1]); c != '>' {
		return
	}
	switch {
	case m.kind == HTML && !bytes.EqualFold(m.kept[:min(len(m.kept), 7)], []byte("doctype")):
		m.keep(m.kept)
	case wordy(m.kept, m.words):
		m.left += len(m.kept)
	}
	m.state, m.kept = markupText, m.kept[:0]
}

// unclosed ends a tag, a comment, a script or a style that the text or its section ends in.
// Its bytes come behind the text, or count as not read.
func (m *markup) unclosed() {
	if m.state == markupComment || m.state == markupRaw || m.state == markupDecl || m.state == markupValue && m.kind == HTML {
		m.keep(m.kept)
		m.f.lose(coverage.Comments, m.over)
	}
	m.state, m.raw, m.kept, m.over = markupText, "", m.kept[:0], 0
}

// keep puts a value behind the text if it has the words of a window.
func (m *markup) keep(value []byte) {
	switch {
	case !wordy(value, m.words):
	case len(m.behind)+len(value) > mostBehind:
		m.f.lose(coverage.Attributes, len(value))
	default:
		m.behind = append(append(m.behind, "\n\n"...), value...)
	}
}

// blank replaces bytes by blanks. Line feeds stay.
func (m *markup) blank(b []byte) {
	for i, c := range b {
		if c != '\n' {
			b[i] = ' '
		}
	}
	m.done += len(b)
}

// text goes on to the next tag.
func (m *markup) text(b []byte) {
	next := bytes.IndexAny(b, m.signs())
	if next != 0 {
		if next < 0 {
			next = len(b)
		}
		m.done += next
		m.said = m.said || m.kind == XML && len(bytes.TrimSpace(b[:next])) > 0
		return
	}
	switch {
	case b[0] == '&':
		m.entity(b)
	case b[0] == ']':
		if bytes.HasPrefix(b, []byte("]]>")) {
			m.kind, m.cdata = XML, false
		}
		m.done++
	case bytes.HasPrefix(b, []byte("<![CDATA[")) && (m.kind == HTML || m.cdata): // in another section: a wiki writes ]] > behind it
		m.blank(b[:9])
	case bytes.HasPrefix(b, []byte("<![CDATA[")):
		m.blank(b[:9])
		m.kind, m.cdata = HTML, true
	case bytes.HasPrefix(b, []byte("<!--")):
		m.blank(b[:4])
		m.state, m.kept = markupComment, m.kept[:0]
	case bytes.HasPrefix(b, []byte("<!ENTITY")):
		m.done += len("<!ENTITY")
	case len(b) > 2 && (b[1] == '!' || b[1] == '?') && b[2] != ' ':
		m.blank(b[:2])
		m.state, m.kept = markupDecl, m.kept[:0]
	default:
		m.open(b)
	}
}

// signs returns the bytes at which text may end.
func (m *markup) signs() string {
	if m.cdata {
		return "<]"
	}
	return "<&"
}

// open reads the name of a tag.
func (m *markup) open(b []byte) {
	const most = 10 // bytes of a name that package ngram reads
	at := 1
	if at < len(b) && b[at] == '/' {
		at++
	}
	from := at
	for at < len(b) && at < markupAhead && isTagName(b[at], at > from) {
		at++
	}
	if at == from || at == len(b) {
		m.done++ // a sign
		return
	}
	name := b[from:at]
	ahead := b[:min(len(b), markupAhead)]
	if !m.isTag(ahead, at) {
		m.done++ // a sign
		return
	}
	if m.kind == HTML && from == 1 && (bytes.EqualFold(name, []byte("script")) || bytes.EqualFold(name, []byte("style"))) {
		m.script(string(name), ahead[at:])
	}
	simple := at-from <= most && !bytes.ContainsAny(name, "-_:.")
	switch {
	case simple && b[at] == '>':
		m.done += at + 1
		m.opened()
	case simple && bytes.HasPrefix(b[at:], []byte("/>")):
		m.done += at + 2
		m.raw = ""
	default:
		m.blank(b[:at])
		m.state, m.attribute = markupTag, m.attribute[:0]
	}
}

// isTag reports whether a tag goes on in a text at an offset, and not a text such as
//
//	if (x <y and so on
//
// A tag has attributes and at most a few words without a value, and it ends. Of a text that
// goes on the first markupAhead bytes are given.
func (m *markup) isTag(text []byte, at int) bool {
	whole := len(text) < markupAhead
	if end := bytes.Index(text[at:], []byte("]]>")); m.cdata && end >= 0 {
		text, whole = text[:at+end], true
	}
	b := text[at:]
	if len(b) > 0 && strings.IndexByte(" \t\r\n\f/>", b[0]) < 0 && text[0] == '<' {
		return false
	}
	words, most := 0, 1
	for len(b) > 0 && words <= 2 {
		if b[0] == '>' {
			return words <= most
		}
		if strings.IndexByte(" \t\r\n\f/", b[0]) >= 0 {
			b = b[1:]
			continue
		}
		end := 1 + bytes.IndexAny(b[1:], " \t\r\n\f/<>=")
		if end == 0 {
			end = len(b)
		}
		name := b[:end]
		rest := bytes.TrimLeft(b[end:], " \t\r\n\f")
		switch {
		case name[0] == '<':
			return false
		case len(rest) > 0 && rest[0] == '=':
			if b = afterValue(bytes.TrimLeft(rest[1:], " \t\r\n\f")); b == nil {
				return !whole
			}
			most = 2
			continue
		case !bytes.ContainsFunc(name, isWordRune):
			words += 2
		case bytes.IndexByte(name, '-') < 0 && !strings.Contains(bareAttributes, " "+strings.ToLower(string(name))+" "):
			words++
		}
		b = b[end:]
	}
	return words <= 2 && !whole
}

// bareAttributes are the attributes that have no value.
const bareAttributes = " allowfullscreen async autofocus autoplay checked compact controls default defer disabled hidden ismap itemscope loop multiple muted nohref nomodule noresize noshade novalidate nowrap open playsinline readonly required reversed selected "

func isWordRune(r rune) bool {
	return r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9' || r >= 0x80
}

// afterValue returns the bytes behind the value of an attribute; nil: the value does not end, or
// the quote that ends it is of another tag, as in <a href="x>text</a><b c="d">.
func afterValue(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	if b[0] != '"' && b[0] != '\'' {
		if end := bytes.IndexAny(b, " \t\r\n\f>"); end >= 0 {
			return b[end:]
		}
		return nil
	}
	value, rest, ok := bytes.Cut(b[1:], b[:1])
	if !ok {
		return nil
	}
	if bytes.IndexByte(value, '>') >= 0 && len(rest) > 0 && strings.IndexByte(" \t\r\n\f/>", rest[0]) < 0 {
		return []byte("<")
	}
	return rest
}

// scriptType is the type of a script.
var scriptType = regexp.MustCompile(`(?i)^[^>]*\stype\s*=\s*["']?([^"'\s>]+)`)

// script begins a script or a style, given its attributes. A script of a type that is no
// program, such as text/template, is HTML or text.
func (m *markup) script(name string, attributes []byte) {
	kind := ""
	if found := scriptType.FindSubmatch(attributes); found != nil {
		kind = strings.ToLower(string(found[1]))
	}
	m.data = strings.Contains(kind, "json")
	program := !strings.Contains(kind, "/") || m.data
	for _, part := range [...]string{"script", "css", "babel", "jsx", "less", "shader", "python", "wasm"} {
		program = program || strings.Contains(kind, part)
	}
	if program || strings.EqualFold(name, "style") {
		m.raw = "</" + name
	}
}

// opened ends a tag.
func (m *markup) opened() {
	m.state = markupText
	if m.raw != "" {
		m.state, m.kept = markupRaw, m.kept[:0]
	}
}

// isTagName reports whether a byte may be in the name of a tag.
func isTagName(c byte, inside bool) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || inside && (c >= '0' && c <= '9' || c == '-' || c == '_' || c == ':' || c == '.')
}

// tag goes on behind the name of a tag.
func (m *markup) tag(b []byte) {
	c := b[0]
	m.blank(b[:1])
	switch {
	case c == '>':
		m.opened()
	case c == '=':
		m.state = markupEqual
	case (c == '"' || c == '\'') && m.state == markupEqual:
		if end := bytes.IndexByte(b[1:min(len(b), markupAhead)], c); m.kind == XML && m.said && end >= 0 && m.isMinor(b[1:1+end]) {
			m.state = markupTag
			m.blank(b[1 : end+2])
			return
		}
		m.state, m.end, m.kept = markupValue, c, m.kept[:0]
	case c == ' ' || c == '\n' || c == '\t' || c == '\r':
		if m.state == markupTag {
			m.attribute = m.attribute[:0]
		}
	default:
		if m.state = markupTag; len(m.attribute) < 24 {
			m.attribute = append(m.attribute, c|0x20)
		}
	}
}

// isMinor reports whether a value is neither a text nor the spelling of an identifier. It would only
// separate the words around its tag.
func (m *markup) isMinor(value []byte) bool {
	digits := 0
	for _, c := range value {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	coded := digits >= 7 || digits > 0 && len(value) >= 16
	return !wordy(value, m.words) && bytes.IndexByte(value, '@') < 0 && (!coded || bytes.IndexByte(value, ':') > 0)
}

// isProse reports whether the value of the current attribute may be a text for people.
func (m *markup) isProse() bool {
	name := string(m.attribute)
	return !strings.HasPrefix(name, "on") && !strings.Contains(noProse, " "+name+" ")
}

// value goes on in the value of an attribute.
func (m *markup) value(b []byte) {
	switch {
	case b[0] == m.end:
		m.blank(b[:1])
		if m.state = markupTag; m.kind == HTML && (m.isProse() || bytes.IndexByte(m.kept, '>') >= 0) {
			m.keep(m.kept)
		}
		if m.kind == HTML && len(m.kept) > markupAhead/2 && !m.isTag(b[:min(len(b), markupAhead)], 0) {
			m.state, m.raw = markupText, ""
		}
		m.attribute = m.attribute[:0]
	case m.kind == XML && b[0] == '&':
		m.entity(b)
	default:
		signs := `"&]`
		if m.end == '\'' {
			signs = "'&]"
		}
		next := 1 + bytes.IndexAny(b[1:], signs)
		if next == 0 {
			next = len(b)
		}
		if m.kind == HTML {
			if len(m.kept) < mostBehind {
				m.kept = append(m.kept, b[:next]...)
			}
			m.blank(b[:next])
			return
		}
		m.done += next
	}
}

// entity reads a sign in its spelling with an ampersand, or a tag that begins with one.
func (m *markup) entity(b []byte) {
	if m.kind != XML || !bytes.HasPrefix(b, []byte("&lt;")) {
		m.done++
		return
	}
	if end := escapedTag(b[:min(len(b), markupAhead)]); end > 0 {
		m.keep(b[:end])
		m.blank(b[:end])
		return
	}
	m.done++
}
