package corpus

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"noecho/internal/coverage"
)

// bom is the byte order mark of UTF-8.
const bom = "\xef\xbb\xbf"

// Input is one file of text, and how to read it.
type Input struct {
	Path      string // as given, or as found below a folder that was given
	Name      string // the end of Path that tells it from the other inputs, the same on every machine; with slashes
	Arg       string // the argument it came from
	Format    Format // of its text or rows; never Auto, CSV or Parquet
	Container Format // of the rows or text: CSV, Parquet, Array, Sequence, HTML, XML, Mail, Word; empty: lines, or the text itself
	Codec     Codec
	Decided   bool   // Auto chose the format
	Why       string // why Auto chose it; empty: the caller named it
	Size      int64  // bytes of the file, compressed if it is; -1: not known
	ModTime   time.Time

	charset string // the encoding of the text; empty: UTF-8
	entry   *entry // of an archive; nil: a file
	link    string // the file that a link in a folder leads to; empty: Path is no such link
	comma   byte   // of a CSV
	escapes bool   // a backslash escapes quotes in it
	marks   bool   // a separator of records comes before each row
	skip    uint8  // lines of a CSV before its names
	bare    bool   // comments are left out of JSON
	shown   shownKind
	name    string   // of the format of its first row
	o       *Options // shared by the inputs of a folder; nil: the zero value
	stdin   *bufio.Reader
}

// String describes how the input is read and why, for notices.
func (in *Input) String() string {
	s := fmt.Sprintf("%s: read as %s", in.Path, in.Kind())
	if in.Container == CSV || in.Container == Parquet || in.Container == MDS {
		s = fmt.Sprintf("%s: read as %s", in.Path, in.Container)
		if in.Format != JSONL {
			s += fmt.Sprintf(", its rows as %s", in.Kind())
		}
	}
	why := in.Why
	for _, layer := range []string{in.charset, string(in.Codec)} {
		if layer != "" {
			why = strings.TrimSuffix(layer+", "+why, ", ")
		}
	}
	if why != "" {
		s += ": " + why
	}
	if in.link != "" {
		s += ", a link to " + in.link
	}
	return s
}

// Kind names the format for people: that of the first row, if each row is read by its
// own members.
func (in *Input) Kind() string { return cmp.Or(in.name, string(in.Format)) }

// decide decides from the first bytes how to read the input.
func (in *Input) decide(head []byte, shared *Options) error {
	o := *shared
	in.Codec, in.Decided, in.o = codecOf(head), o.auto(), shared
	if in.Codec != Plain {
		start, err := inflateHead(bytes.NewReader(head), in.Codec, in.Path)
		if err != nil && len(head) == headLen && in.stdin == nil {
			start, err = in.inflateStart()
		}
		if head = start; err != nil {
			// Open will return the error: a damaged file is not a file without text.
			in.Format, in.Decided = Text, false
			return nil
		}
	}
	if in.Codec != Plain && codecOf(head) != Plain {
		return fmt.Errorf("%s: %w: compressed twice: decompress it once; `%s -dc < FILE > FILE.gz`", in.Path, errData, in.Codec)
	}
	if o.auto() && bytes.HasPrefix(head, []byte("PK\x03\x04")) && isDocument(extension(in.Path), head) {
		in.Format, in.Container, in.Why = Text, Word, "the text of the document"
		return nil
	}
	if isMDS(in.Path, head) {
		return in.decideMDS(head, shared)
	}
	if o.auto() && isMail(in.Path, head) {
		in.Format, in.Container, in.name = ByRow, Mail, string(Mail)
		return nil
	}
	if refused(in.Path, head) == "" {
		in.charset = charsetOf(head)
	}
	if in.charset == "" && o.auto() {
		in.charset = declared(head)
	}
	if broken, _ := countRunes(head); in.charset == "" && (broken > 0 || bytes.IndexByte(head, 0) >= 0 || !isWide(o.Encoding)) {
		in.charset = o.Encoding
	}
	if in.charset != "" {
		head = decodeHead(head, in.charset)
	}
	l, err := sniff(in.Path, head, o)
	if err != nil {
		return err
	}
	in.Format, in.Container, in.Why, in.comma, in.escapes, in.marks, in.skip, in.bare, in.name = l.format, l.container, l.why, l.comma, l.escapes, l.marks, l.skip, l.bare, l.name
	if l.format == Text && l.container == "" && o.auto() && in.stdin == nil {
		in.shown = shownOf(in.Path, head)
	}
	return nil
}

// options returns the options of the input.
func (in *Input) options() Options {
	if in.o == nil {
		return Options{}
	}
	return *in.o
}

// inflateStart decompresses up to headLen bytes at the beginning of the input, whose first
// block may be longer than the bytes that decide its format.
func (in *Input) inflateStart() ([]byte, error) {
	f := new(File)
	defer f.Close()
	r, err := in.openSource(f)
	if err != nil {
		return nil, err
	}
	return inflateHead(r, in.Codec, in.Path)
}

// Open opens the input. Standard input can be opened once. Rows of a table come out
// with the columns that are read, each on the line where it begins in the file, or on
// the line of its number if the file has no lines; elements of a JSON array, and objects
// over several lines, come out on the line of their number, at their offset.
func (in *Input) Open() (*File, error) {
	if in.Container == Parquet {
		return in.openParquet()
	}
	f, err := in.openBytes()
	if err != nil {
		return nil, err
	}
	switch in.Container {
	case CSV:
		f.Reader = newCSVLines(f.Reader, f, in)
	case Array:
		f.Reader = &arrayLines{r: f.Reader}
	case Sequence:
		f.Reader = newSequence(f.Reader)
	case Members:
		f.Reader = newMemberLines(f.Reader)
	case HTML, XML:
		f.Reader = newMarkup(f.Reader, f, in.Container, in.options())
	case Mail:
		f.Reader = newMailLines(f.Reader, f, in)
	case Word:
		f.Reader = newDocument(f.Reader, f, in)
	case MDS:
		f.Reader = newMDSLines(f.Reader, in)
	case "":
		if in.shown != shownAsIs {
			f.Reader = newShown(f.Reader, in)
		}
	}
	return f, nil
}

// Verbatim reports whether the text of the input is the bytes of its file, but for a byte
// order mark.
func (in *Input) Verbatim() bool {
	return in.Codec == Plain && in.Container == "" && in.charset == "" && in.entry == nil && !in.marks && !in.bare && in.shown == shownAsIs
}

// FilePath returns the path of the file that contains the input.
func (in *Input) FilePath() string {
	if in.entry != nil {
		return in.entry.of.path
	}
	return in.Path
}

// FileName returns the name of the file that contains the input: of a member of an
// archive the name of the archive, which is the beginning of its own.
func (in *Input) FileName() string {
	if in.entry != nil {
		return strings.TrimSuffix(in.Name, "/"+in.entry.name)
	}
	return in.Name
}

// bufferLen is the size of the buffers of a long file in bytes.
const bufferLen = 64 << 10

// newBuffer returns a buffer for a text of a length, -1 if it is not known. Most members
// of an archive, and most files of a folder of texts, are short.
func newBuffer(r io.Reader, length int64) *bufio.Reader {
	if length < 0 {
		length = bufferLen
	}
	return bufio.NewReaderSize(r, int(min(length+1, bufferLen)))
}

// openSource opens the file, or unpacks it from its archive. f closes it.
func (in *Input) openSource(f *File) (*bufio.Reader, error) {
	m := in.entry
	switch {
	case in.stdin != nil:
		return newBuffer(&sourceReader{r: in.stdin, f: f}, -1), nil
	case m == nil:
		file, err := os.Open(in.Path)
		if err != nil {
			return nil, fmt.Errorf("read input: %w", err)
		}
		f.close = append(f.close, file.Close)
		return newBuffer(&sourceReader{r: file, f: f}, in.Size), nil
	}
	file, err := m.open()
	if err != nil {
		return nil, err
	}
	f.close = append(f.close, file.Close)
	r := newBuffer(&sourceReader{r: file, f: f}, m.size)
	if m.codec != Plain {
		z, err := m.inflate(r, in.Path)
		if err != nil {
			f.Close()
			return nil, err
		}
		r = unpack(z, m.length, f)
	}
	if m.of.kind == zipArchive {
		r = newBuffer(m.verify(r), m.length)
	}
	return r, nil
}

// unpack returns a buffer for decompressed bytes of a length, -1 if it is not known. f
// closes their reader.
func unpack(z *inflater, length int64, f *File) *bufio.Reader {
	z.taken = &f.taken
	f.close = append(f.close, func() error { z.close(); return nil })
	return newBuffer(z, length)
}

// openBytes opens the input decompressed, as UTF-8 and without its byte order mark.
func (in *Input) openBytes() (*File, error) {
	f := new(File)
	r, err := in.openSource(f)
	if err != nil {
		return nil, err
	}
	if in.Codec != Plain {
		z, err := inflate(r, in.Codec, in.Path)
		if err != nil {
			f.Close()
			return nil, err
		}
		r = unpack(z, -1, f)
	}
	if in.charset != "" {
		text, err := newDecoder(r, in.charset)
		if err != nil {
			f.Close()
			return nil, err
		}
		r = bufio.NewReaderSize(text, bufferLen)
	}
	if f.Reader = r; in.Container == MDS {
		return f, nil
	}
	// The next read returns an error of this one.
	if head, _ := r.Peek(len(bom)); bytes.Equal(head, []byte(bom)) {
		n, _ := r.Discard(len(bom))
		f.BOM = int64(n)
	}
	if in.Container != Mail && in.Container != Word { // each part has an encoding of its own
		f.Reader = &checked{r: r, f: f, decoded: in.charset != ""}
	}
	if in.marks {
		f.Reader = unmarked{f.Reader}
	}
	if in.bare {
		f.Reader = &bareJSON{r: f.Reader, f: f}
	}
	return f, nil
}

// unmarked replaces the separators of records by blanks.
type unmarked struct{ io.Reader }

func (u unmarked) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	for i, c := range p[:n] {
		if c == recordMark {
			p[i] = ' '
		}
	}
	return n, err
}

// NewParser returns a parser of the rows of the input.
func (in *Input) NewParser() *Parser { return NewParser(in.Format, in.options()) }

// Named reports whether the rows of the input have names of their own, so that its parser reads
// no other input.
func (in *Input) Named() bool { return in.options().naming != nil }

// Rows opens an input whose format is not Text.
func (in *Input) Rows() (*Rows, error) {
	r := &Rows{in: in, rest: Block{Line: 1}, parser: in.NewParser()}
	r.parser.Account = NewAccount()
	var err error
	if in.Container != CSV {
		if r.file, err = in.Open(); err != nil {
			return nil, err
		}
		r.lines = NewLines(r.file, in.Path, in.options())
		return r, nil
	}
	if r.file, err = in.openBytes(); err != nil {
		return nil, err
	}
	r.table = newCSVTable(r.file, r.file, in)
	return r, nil
}

// File is an open input. It reads as the bytes of a text or as lines of JSON: tables
// and JSON arrays are converted to one object a line.
type File struct {
	io.Reader       // the text, without a byte order mark
	BOM       int64 // bytes of the byte order mark that was left out

	taken  atomic.Int64
	broken int64
	lost   *Account // nil: nothing
	close  []func() error
}

// Taken returns how many bytes of the file have been read so far, as they are
// on disk: compare it with [Input.Size]. Safe for concurrent use.
func (f *File) Taken() int64 { return f.taken.Load() }

// Lost says which text of the file so far is neither in its text nor in its rows; nil: none.
func (f *File) Lost() *Account { return f.lost }

// lose counts text that is neither in the text of the file nor in its rows.
func (f *File) lose(kind string, n int) { f.count(kind, coverage.Text{Unread: uint64(n)}) }

// leave counts text that is left out by a rule of the documents.
func (f *File) leave(kind string, n int) { f.count(kind, coverage.Text{LeftOut: uint64(n)}) }

func (f *File) count(kind string, text coverage.Text) {
	switch {
	case text == coverage.Text{}:
		return
	case f.lost == nil:
		f.lost = NewAccount()
	}
	f.lost.add([]byte(kind), text)
}

// Broken returns how many bytes of the text so far are around bytes that are no UTF-8.
func (f *File) Broken() int64 { return f.broken }

// Close closes the input.
func (f *File) Close() error {
	var first error
	for i := len(f.close) - 1; i >= 0; i-- {
		if err := f.close[i](); err != nil && first == nil {
			first = err
		}
	}
	f.close = nil
	return first
}

// sourceReader counts the bytes that are read of a file. It marks the errors of the
// file system, so that they are not taken for damage of the content.
type sourceReader struct {
	r io.Reader
	f *File
}

func (s *sourceReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.f.taken.Add(int64(n))
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}

// sourceError is an error of the file system.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }

func (e *sourceError) Unwrap() error { return e.err }

// pieces is the buffer of a reader that makes its text piece by piece.
type pieces struct {
	out  []byte // the piece
	left []byte // the part of out that is not read yet
	err  error
}

// read copies from the current piece and calls next for a new one, which next writes
// into out.
func (b *pieces) read(p []byte, next func() error) (int, error) {
	for len(b.left) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.out = b.out[:0]
		b.err = next()
		b.left = b.out
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}
