package corpus

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"noecho/internal/coverage"
)

// Mail is the container of a mail or a mailbox: each mail becomes a row with its text. It
// is detected in the file; nobody asks for it.
const Mail Format = "mail"

// maxParts bounds the depth of mails and parts in each other, beyond which a part is read
// as it is.
const maxParts = 32

// mailLines reads mails as JSON lines, each on the line on which the mail begins. The text
// of a mail are its header lines, but for those that only describe the coding, and its
// parts of text, decoded. Package mime/multipart would end at the first mistake, and leaves
// out text before and behind the parts.
type mailLines struct {
	pieces
	r       *bufio.Reader
	f       *File
	o       Options
	mailbox bool
	from    []byte // the line that begins the next mail in a mailbox
	begun   int    // the line on which the next mail begins, counted from 1
	line    int    // the next line of the file
	written int    // the next line of the output
	mail    []byte
	text    []byte
}

func newMailLines(r io.Reader, f *File, in *Input) *mailLines {
	m := &mailLines{r: bufio.NewReaderSize(r, 64<<10), f: f, o: in.options(), begun: 1, line: 1, written: 1}
	head, _ := m.r.Peek(64)
	m.mailbox = bytes.HasPrefix(bytes.TrimLeft(head, "\r\n"), []byte("From "))
	if line, _, _ := bytes.Cut(head, []byte("\n")); emlxHead.Match(line) {
		n, _ := m.r.Discard(len(line) + 1)
		m.line += min(n, 1)
	}
	return m
}

var (
	mailFrom   = regexp.MustCompile(`^From \S.*\d\d:\d\d.* (19|20)\d\d\b`)
	mailQuoted = regexp.MustCompile(`^>+From `)
	mailField  = regexp.MustCompile(`^>?[!-9;-~]+:`)
	mailKnown  = regexp.MustCompile(`(?im)^(return-path|received|delivered-to|mime-version|message-id|from|to|subject|content-type): `)
	emlxHead   = regexp.MustCompile(`^\d+\s*$`)
)

// isMail reports whether a text is mail: a header of two lines or more, one of them usual,
// or only begins as mail if its name says that it is mail.
func isMail(name string, head []byte) bool {
	ext := extension(name)
	if slices.Contains([]string{".jsonl", ".ndjson", ".json", ".csv", ".tsv"}, ext) {
		return false
	}
	head = bytes.TrimLeft(head, "\r\n")
	if line, rest, _ := bytes.Cut(head, []byte("\n")); emlxHead.Match(line) {
		head = rest
	}
	mailbox := false
	if line, rest, _ := bytes.Cut(head, []byte("\n")); bytes.HasPrefix(line, []byte("From ")) {
		head, mailbox = rest, mailFrom.Match(line) || bytes.IndexByte(line, '@') > 0
		if !mailbox {
			return false
		}
	}
	header, _ := cutHeader(head)
	fields := 0
	for line := range bytes.Lines(header) {
		switch {
		case mailField.Match(line):
			fields++
		case line[0] != ' ' && line[0] != '\t' || fields == 0:
			return false
		}
	}
	named := mailbox || ext == ".eml" || ext == ".emlx" || ext == ".mbox"
	return fields >= 2 && mailKnown.Match(header) || fields == 1 && named
}

func (m *mailLines) Read(p []byte) (int, error) { return m.pieces.read(p, m.next) }

// next writes the row of the next mail.
func (m *mailLines) next() error {
	begun := m.begun
	if err := m.take(); err != nil {
		return err
	}
	m.text = m.text[:0]
	m.entity(m.mail, 0)
	for ; m.written < begun; m.written++ {
		m.out = append(m.out, '\n')
	}
	c := checked{f: m.f, decoded: true}
	c.check(m.text, true)
	m.out = append(m.out, `{"text":`...)
	m.out, _ = jsontext.AppendQuote(m.out, m.text) // broken UTF-8 is counted
	m.out = append(m.out, '}', '\n')
	m.written++
	return nil
}

// take reads the next mail into m.mail. Bytes beyond the limit count as not read.
func (m *mailLines) take() error {
	m.mail = append(m.mail[:0], m.from...)
	whole := true // the line before was read to its end
	for {
		line, err := m.r.ReadSlice('\n')
		if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if whole && m.mailbox && mailFrom.Match(line) {
			line = bytes.Clone(line) // a look ahead moves the buffer
		}
		if whole && m.mailbox && mailFrom.Match(line) && m.fieldFollows() {
			m.begun, m.from = m.line, line
			m.line++
			if len(bytes.TrimSpace(m.mail)) > 0 {
				return nil
			}
			m.mail = append(m.mail[:0], m.from...)
			continue
		}
		if whole && m.mailbox && mailQuoted.Match(line) {
			line = line[1:]
		}
		kept := min(len(line), max(0, m.o.maxLine()-len(m.mail)))
		m.mail = append(m.mail, line[:kept]...)
		m.f.lose(coverage.Attachments, len(line)-kept)
		if whole = err == nil; whole {
			m.line++
		}
		if err == io.EOF {
			if m.from = m.from[:0]; len(m.mail) == 0 {
				return io.EOF
			}
			return nil
		}
	}
}

// fieldFollows reports whether a header begins in the next line.
func (m *mailLines) fieldFollows() bool {
	head, _ := m.r.Peek(80)
	return mailField.Match(head)
}

// cutHeader cuts a mail or a part behind its header.
func cutHeader(mail []byte) (header, body []byte) {
	for at := 0; at < len(mail); {
		end := bytes.IndexByte(mail[at:], '\n') + 1
		if end == 0 {
			break
		}
		if len(bytes.TrimRight(mail[at:at+end], "\r\n")) == 0 {
			return mail[:at], mail[at+end:]
		}
		at += end
	}
	return mail, nil
}

// mailHeader are the fields of a header that tell how to read the body.
type mailHeader struct{ kind, disposition, coding string }

// entity adds the text of a mail.
func (m *mailLines) entity(mail []byte, depth int) {
	head, body := cutHeader(mail)
	m.body(m.header(head), body, depth)
}

// header adds the fields of a header that are text.
func (m *mailLines) header(header []byte) (h mailHeader) {
	words := mime.WordDecoder{CharsetReader: func(charset string, r io.Reader) (io.Reader, error) {
		enc, err := mailCharset(charset)
		if err != nil {
			return nil, err
		}
		return enc.NewDecoder().Reader(r), nil
	}}
	for len(header) > 0 {
		end := bytes.IndexByte(header, '\n') + 1
		for end > 0 && end < len(header) && (header[end] == ' ' || header[end] == '\t') {
			next := bytes.IndexByte(header[end:], '\n') + 1
			if next == 0 {
				next = len(header) - end
			}
			end += next
		}
		if end == 0 {
			end = len(header)
		}
		line := string(bytes.TrimSpace(unfold(header[:end])))
		header = header[end:]
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-type":
			h.kind = value
		case "content-disposition":
			h.disposition = value
		case "content-transfer-encoding":
			h.coding = strings.ToLower(value)
		case "mime-version", "content-id", "content-length":
		default:
			if decoded, err := words.DecodeHeader(line); err == nil {
				line = decoded
			}
			if !utf8.ValidString(line) {
				line = string(m.decode([]byte(line), ""))
			}
			m.text = append(append(m.text, line...), '\n')
		}
	}
	m.text = append(m.text, '\n')
	return h
}

// unfold joins the lines of a field.
func unfold(field []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(field, []byte("\r"), nil), []byte("\n"), nil)
}

// body adds the text of a body.
func (m *mailLines) body(h mailHeader, body []byte, depth int) {
	kind, params, _ := mime.ParseMediaType(h.kind)
	if _, named, _ := mime.ParseMediaType(h.disposition); named["filename"] != "" {
		m.text = append(append(m.text, path.Base(named["filename"])...), '\n')
	} else if params["name"] != "" {
		m.text = append(append(m.text, path.Base(params["name"])...), '\n')
	}
	top, sub, _ := strings.Cut(kind, "/")
	if boundary := params["boundary"]; top == "multipart" && boundary != "" && depth < maxParts {
		m.parts(body, "--"+boundary, depth+1)
		return
	}
	body = decodeBody(h.coding, body)
	switch {
	case kind == "message/rfc822" || kind == "message/global" || kind == "message/news":
		if depth < maxParts {
			m.entity(body, depth+1)
			return
		}
	case top == "image" || top == "audio" || top == "video" || top == "font" || top == "model" || strings.HasSuffix(sub, "pkcs7-signature"):
		return
	case sub == "calendar" || sub == "vcard" || sub == "directory" || sub == "x-vcard":
		body = folded.ReplaceAll(body, nil)
	}
	m.leaf(kind, params["charset"], body)
}

// folded is the fold of a line in calendars and cards, which cuts words.
var folded = regexp.MustCompile(`\r?\n[ \t]`)

// leaf adds the text of a decoded part, or counts it if it is no text.
func (m *mailLines) leaf(kind, charset string, body []byte) {
	if !strings.HasPrefix(kind, "text/") && kind != "" || kind == "text/rtf" {
		head := decodeHead(body[:min(len(body), headLen)], charsetOf(body))
		if text, ok := m.document(body); ok {
			m.text = append(append(m.text, text...), '\n', '\n')
			return
		}
		if checkText("", head) != nil {
			m.f.lose(coverage.Attachments, len(body))
			return
		}
	}
	body = m.decode(body, charset)
	if markup := markupOf("", body); kind == "text/html" || kind == "application/xhtml+xml" {
		body = m.visible(HTML, body)
	} else if markup != "" && kind != "text/plain" {
		body = m.visible(markup, body)
	}
	m.text = append(append(m.text, body...), '\n', '\n')
}

// document returns the text of a document that is attached.
func (m *mailLines) document(body []byte) (text []byte, ok bool) {
	if !isDocument("", body[:min(len(body), headLen)]) {
		return nil, false
	}
	text, err := io.ReadAll(newDocument(bytes.NewReader(body), m.f, &Input{o: &m.o}))
	return text, err == nil
}

// visible returns the text of HTML or XML.
func (m *mailLines) visible(kind Format, text []byte) []byte {
	text, _ = io.ReadAll(newMarkup(bytes.NewReader(text), m.f, kind, m.o)) // a reader of bytes has no errors
	return text
}

// parts adds the parts between boundaries, and the text around them.
func (m *mailLines) parts(body []byte, boundary string, depth int) {
	part, inside := 0, false
	add := func(end int) {
		switch text := body[part:end]; {
		case inside:
			m.entity(text, depth)
		case len(bytes.TrimSpace(text)) > 0:
			m.leaf("text/plain", "", text)
		}
	}
	for at := 0; at < len(body); {
		end := bytes.IndexByte(body[at:], '\n') + 1
		if end == 0 {
			end = len(body) - at
		}
		line := body[at : at+end]
		if rest, ok := bytes.CutPrefix(line, []byte(boundary)); ok {
			if rest = bytes.TrimSpace(rest); len(rest) == 0 || string(rest) == "--" {
				add(at)
				part, inside = at+end, len(rest) == 0
			}
		}
		at += end
	}
	add(len(body))
}

// decodeBody takes away the coding of a body. What cannot be decoded stays as it is.
func decodeBody(coding string, body []byte) []byte {
	switch coding {
	case "quoted-printable":
		return decodeQuoted(body)
	case "base64":
		return decodeBase64(body)
	default:
		return body
	}
}

// decodeBase64 decodes base64, and keeps the lines behind it.
func decodeBase64(body []byte) []byte {
	end := 0
	for line := range bytes.Lines(body) {
		if at := bytes.IndexFunc(bytes.TrimSpace(line), notBase64); at >= 0 {
			break
		}
		end += len(line)
	}
	packed := bytes.Join(bytes.Fields(body[:end]), nil)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(packed)), base64.StdEncoding.DecodedLen(len(packed))+len(body)-end+1)
	n, err := base64.StdEncoding.Decode(out, packed)
	var at base64.CorruptInputError
	if out = append(out[:n], '\n'); errors.As(err, &at) {
		out = append(out, packed[min(int(at), len(packed)):]...)
	}
	return append(out, body[end:]...)
}

func notBase64(r rune) bool {
	return r != '+' && r != '/' && r != '=' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// decodeQuoted decodes quoted-printable text: =C3=A9, and = at the end of a line that
// goes on.
func decodeQuoted(body []byte) []byte {
	out := make([]byte, 0, len(body))
	for {
		at := bytes.IndexByte(body, '=')
		if at < 0 {
			return append(out, body...)
		}
		out = append(out, body[:at]...)
		body = body[at+1:]
		var c [1]byte
		rest := bytes.TrimLeft(body, " \t\r")
		switch {
		case len(rest) == 0 || rest[0] == '\n':
			body = rest[min(1, len(rest)):]
		case len(body) >= 2 && hexByte(&c, body[:2]):
			out, body = append(out, c[0]), body[2:]
		default:
			out = append(out, '=')
		}
	}
}

func hexByte(c *[1]byte, digits []byte) bool {
	_, err := hex.Decode(c[:], digits)
	return err == nil
}

// mailCharset returns the encoding that a mail names. Other than in files, stateful ones
// are read too, since a part is decoded as a whole.
func mailCharset(name string) (encoding.Encoding, error) {
	enc, err := htmlindex.Get(name)
	if err == nil && enc == encoding.Replacement {
		err = errEncoding
	}
	return enc, err
}

// decode returns a text in an encoding as UTF-8. An encoding that is wrong or not known
// does not matter if the text is UTF-8.
func (m *mailLines) decode(text []byte, charset string) []byte {
	name, _ := htmlindex.Get(charset)
	enc, err := mailCharset(charset)
	switch ascii := strings.HasSuffix(strings.ToLower(charset), "ascii"); {
	case strings.EqualFold(charset, "utf-7"), charset != "" && err != nil && name == encoding.Replacement:
		m.f.lose(coverage.NotUTF8, len(text))
		return text
	case err != nil || ascii:
		if charset = charsetOf(text); charset == "" {
			charset = m.o.Encoding
		}
		if enc, err = mailCharset(charset); err != nil {
			return text
		}
		if utf8.Valid(text) && !isWide(charset) {
			return text
		}
	case utf8.Valid(text) && !strings.Contains(strings.ToLower(charset), "2022") && !isWide(charset):
		return text
	}
	if out, err := enc.NewDecoder().Bytes(text); err == nil {
		return out
	}
	return text
}
