package corpus

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"noecho/internal/coverage"
)

// Word is the container of a document of Word, PowerPoint or OpenDocument, or a book (EPUB),
// that becomes one text. It is detected in the file; nobody asks for it.
const Word Format = "document"

// Limits of documents. A document is kept in memory as it is on disk.
const (
	mostDocument = 256 << 20 // bytes on disk
	mostUnpacked = 1 << 30   // bytes of all members
	mostParts    = 100_000
	mostTag      = 1 << 20 // bytes of a tag whose attributes are looked at
)

// isDocument tells by the names of the first members of a zip archive, and by the
// extension of its own, whether it is a document that is read.
func isDocument(ext string, head []byte) bool {
	names := zipNames(head)
	has := func(folder string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, folder) })
	}
	_, kind, _ := bytes.Cut(head[:min(len(head), 256)], []byte("mimetype"))
	switch office := has("[Content_Types].xml") || has("_rels/"); {
	case office && has("xl/"):
		return false
	case office && (has("word/") || has("ppt/")):
		return true
	case office && len(head) >= headLen:
		return ext == ".docx" || ext == ".pptx"
	case names[0] != "mimetype", bytes.HasPrefix(kind, []byte("application/vnd.oasis.opendocument.spreadsheet")):
		return false
	default:
		return bytes.HasPrefix(kind, []byte("application/vnd.oasis.opendocument.")) || bytes.HasPrefix(kind, []byte("application/epub"))
	}
}

// document reads the text of a document: its main part first, then notes, headers, comments
// and all other parts, in the order of their names. Text that was deleted, and text in
// attributes, such as the description of a picture, comes behind it.
type document struct {
	pieces
	f       *File
	o       Options
	path    string
	source  io.Reader
	parts   []*zip.File
	left    int64 // bytes that may be unpacked
	part    *bufio.Reader
	closer  io.Closer
	ooxml   bool // text is in elements called t
	plain   bool // the part is no XML
	element string
	gone    int // elements around the place whose text was moved away
	tag     []byte
	behind  []byte
}

func newDocument(r io.Reader, f *File, in *Input) *document {
	return &document{f: f, o: in.options(), path: in.Path, source: r, left: mostUnpacked}
}

func (d *document) Read(p []byte) (int, error) { return d.pieces.read(p, d.next) }

// open reads the directory of the document.
func (d *document) open() error {
	all, err := io.ReadAll(io.LimitReader(d.source, mostDocument+1))
	d.source = nil
	if err != nil {
		return err
	}
	if len(all) > mostDocument {
		return d.damage(fmt.Sprintf("it is larger than %d MiB: convert it to text", mostDocument>>20))
	}
	if bytes.Count(all, []byte("PK\x01\x02")) > mostParts {
		return d.damage(fmt.Sprintf("it has more than %d parts: convert it to text", mostParts))
	}
	z, err := zip.NewReader(bytes.NewReader(all), int64(len(all)))
	if err != nil {
		return d.damage("its end is damaged")
	}
	d.parts = slices.Clone(z.File)
	slices.SortStableFunc(d.parts, func(a, b *zip.File) int {
		return strings.Compare(partOrder(a.Name), partOrder(b.Name))
	})
	return nil
}

// partOrder returns the name by which parts are ordered.
func partOrder(name string) string {
	switch name {
	case "word/document.xml", "content.xml":
		return ""
	default:
		return name
	}
}

func (d *document) damage(why string) error {
	return &DamagedError{Path: d.path, Reason: "document: " + why}
}

// next writes the next piece of text.
func (d *document) next() error {
	if d.source != nil {
		if err := d.open(); err != nil {
			return err
		}
	}
	for d.part == nil {
		switch {
		case len(d.parts) > 0:
			part := d.parts[0]
			d.parts = d.parts[1:]
			if err := d.begin(part); err != nil {
				return err
			}
		case len(d.behind) > 0:
			d.out, d.behind = append(d.out, d.behind...), nil
			return nil
		default:
			return io.EOF
		}
	}
	for len(d.out) < 64<<10 {
		err := d.step()
		if err == nil {
			continue
		}
		d.closer.Close()
		d.part, d.out = nil, append(d.out, "\n\n"...)
		if err == io.EOF {
			return nil
		}
		return err
	}
	return nil
}

// begin opens a part, if it may have text. Files in the document are counted.
func (d *document) begin(part *zip.File) error {
	name := strings.ToLower(part.Name)
	folder := path.Dir(name)
	switch ext := path.Ext(name); {
	case strings.HasSuffix(name, "/"), ext == ".rels", strings.HasSuffix(folder, "media"), strings.HasPrefix(folder, "pictures"), strings.HasPrefix(folder, "thumbnails"), name == "mimetype":
		return nil
	case ext == ".opf": // of a book: its title and description
	case ext == ".xml" && name != "[content_types].xml" && !strings.Contains(name, "theme/"):
	case ext == ".htm" || ext == ".html" || ext == ".xhtml" || ext == ".txt":
	case strings.HasSuffix(folder, "embeddings"), slices.Contains([]string{".docx", ".xlsx", ".pptx", ".doc", ".xls", ".ppt", ".rtf", ".pdf", ".mht", ".zip", ".xlsb"}, ext):
		d.f.lose(coverage.Attachments, int(min(part.UncompressedSize64, mostUnpacked)))
		return nil
	default:
		return nil
	}
	r, err := part.Open()
	if err != nil {
		return d.damage("a part cannot be read")
	}
	d.closer = r
	var text io.Reader = &bounded{r: r, d: d}
	d.ooxml = strings.HasPrefix(folder, "word") || strings.HasPrefix(folder, "ppt")
	d.element, d.gone = "", 0
	if d.plain = path.Ext(name) != ".xml" && path.Ext(name) != ".opf"; d.plain && path.Ext(name) != ".txt" {
		text = newMarkup(text, d.f, HTML, d.o)
	}
	d.part = bufio.NewReaderSize(text, 64<<10)
	return nil
}

// bounded reads a part and keeps to the limit of all parts.
type bounded struct {
	r io.Reader
	d *document
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	switch b.d.left -= int64(n); {
	case b.d.left < 0:
		return n, b.d.damage(fmt.Sprintf("its parts are larger than %d GiB: convert it to text", mostUnpacked>>30))
	case err != nil && err != io.EOF:
		return n, b.d.damage("a part is damaged")
	default:
		return n, err
	}
}

// step reads a text, or the tag behind it.
func (d *document) step() error {
	if d.plain {
		at := len(d.out)
		d.out = append(d.out, make([]byte, 32<<10)...)
		n, err := d.part.Read(d.out[at:])
		d.out = d.out[:at+n]
		return err
	}
	text, err := d.part.ReadSlice('<')
	more := errors.Is(err, bufio.ErrBufferFull)
	if err == nil {
		text = text[:len(text)-1]
	}
	d.chars(text)
	if err != nil {
		if more {
			return nil
		}
		return err
	}
	return d.mark()
}

// chars adds text between tags.
func (d *document) chars(text []byte) {
	switch {
	case len(text) == 0:
	case !d.ooxml:
		d.out = append(d.out, text...)
	case d.element == "t" && d.gone == 0 || d.element == "v":
		d.out = append(d.out, text...)
	case d.element == "deltext" || wordy(text, d.o.window()):
		d.later(text)
	}
}

// later keeps text that comes behind the document.
func (d *document) later(text []byte) {
	if len(d.behind)+len(text) > mostBehind {
		d.f.lose(coverage.Attributes, len(text))
		return
	}
	d.behind = append(d.behind, text...)
}

// mark reads a tag behind its first byte.
func (d *document) mark() error {
	d.tag = d.tag[:0]
	for quotes := 0; ; {
		part, err := d.part.ReadSlice('>')
		quotes += bytes.Count(part, []byte(`"`))
		if len(d.tag) < mostTag {
			d.tag = append(d.tag, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return err
		case bytes.HasPrefix(d.tag, []byte("![CDATA[")):
			if bytes.HasSuffix(d.tag, []byte("]]>")) {
				d.chars(d.tag[8 : len(d.tag)-3])
				return nil
			}
		case quotes%2 == 0 || d.tag[0] == '!':
			d.opened(bytes.TrimSuffix(d.tag, []byte(">")))
			return nil
		}
	}
}

// opened takes a tag into account.
func (d *document) opened(tag []byte) {
	name, attributes, _ := bytes.Cut(tag, []byte(" "))
	closing := bytes.HasPrefix(name, []byte("/"))
	alone := bytes.HasSuffix(tag, []byte("/"))
	name = bytes.Trim(name, "/")
	if at := bytes.IndexByte(name, ':'); at >= 0 {
		name = name[at+1:]
	}
	d.element = ""
	switch local := strings.ToLower(string(name)); local {
	case "p", "h", "br", "cr", "line-break", "tr", "title", "subject", "description", "keywords":
		if closing || alone || local == "br" {
			d.out = append(d.out, '\n')
		}
		if closing && len(d.behind) > 0 && d.behind[len(d.behind)-1] != '\n' {
			d.behind = append(d.behind, '\n')
		}
	case "tab", "s", "tc", "table-cell", "nobreakhyphen":
		d.out = append(d.out, ' ')
	case "movefrom":
		if !alone {
			d.gone += 1 - 2*btoi(closing)
		}
	case "t", "v", "deltext":
		if !closing && !alone {
			d.element = local
		}
	}
	d.described(attributes)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// described keeps the attributes that have the words of a window.
func (d *document) described(attributes []byte) {
	for {
		_, rest, ok := bytes.Cut(attributes, []byte(`"`))
		value, rest, closed := bytes.Cut(rest, []byte(`"`))
		if !ok || !closed {
			return
		}
		if wordy(value, d.o.window()) {
			d.later([]byte("\n\n"))
			d.later(value)
			d.later([]byte("\n\n"))
		}
		attributes = rest
	}
}
