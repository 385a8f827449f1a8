package corpus

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Archives. Each regular member of a tar or zip archive is an input, in the same formats
// as files are. [Find] walks the archive once and looks at the beginning of every member.
// A member of a zip, or of a tar that is not compressed, is then opened at its offset, so
// that several members can be read at the same time. A compressed tar has no offsets: its
// members are read in their order, from a cursor that only moves forward.
//
// Nothing is unpacked. The name of a member is a label: no file of that name is opened,
// and links are not followed.

// archive is a tar or zip file. Safe for concurrent use, once Find has returned.
type archive struct {
	path  string
	name  string // like that of an [Input]
	kind  archiveKind
	codec Codec // of all of a tar

	mu   sync.Mutex
	idle []*tarCursor // of a compressed tar
	last int          // the number of the last member that is an input

	unused sync.Pool // of readers of deflate
}

type archiveKind string

const (
	tarArchive archiveKind = "tar"
	zipArchive archiveKind = "zip"
)

// archiveError is the error of a file that is an archive. A file that was found is read
// then; standard input and a member of another archive are not.
type archiveError struct {
	path string
	kind archiveKind
}

func (e *archiveError) Error() string {
	return fmt.Sprintf("%s: %v: a %s archive that is piped or in another archive: unpack it; `%s`", e.path, ErrUnreadable, e.kind, e.kind.unpack())
}

// unpack returns the command that unpacks an archive.
func (k archiveKind) unpack() string {
	if k == zipArchive {
		return "unzip FILE"
	}
	return "tar xf FILE"
}

func (e *archiveError) Unwrap() error { return ErrUnreadable }

// entry is the place of an input in its archive.
type entry struct {
	of     *archive
	name   string
	number int    // among all the members
	at     int64  // offset of its bytes in the archive, of a compressed tar in the tar
	size   int64  // of these bytes
	codec  Codec  // of these bytes in a zip
	length int64  // of the bytes without that codec
	sum    uint32 // CRC-32 of the same in a zip; 0: not known
}

// Limits of archives.
const (
	mostMembers   = 1_000_000 // with text, in one archive
	mostDirectory = 256 << 20 // bytes of the directory of a zip
	mostName      = 1 << 10   // bytes of a member's name that are shown
	smallMember   = 1 << 20   // a member of a compressed tar that is not longer is read at once
)

// isTar tells by the first bytes of a file whether it is a tar archive. An old one has no
// mark, so the sum of its first header counts.
func isTar(head []byte) bool {
	const sumAt, sumEnd = 148, 156
	if len(head) < 512 || head[0] == 0 {
		return false
	}
	if string(head[257:262]) == "ustar" {
		return true
	}
	want, err := strconv.ParseInt(string(bytes.Trim(head[sumAt:sumEnd], " \x00")), 8, 32)
	sum := int64(' ' * (sumEnd - sumAt))
	for i, c := range head[:512] {
		if i < sumAt || i >= sumEnd {
			sum += int64(c)
		}
	}
	return err == nil && sum == want
}

// namesArchive reports whether a path ends like that of an archive.
func namesArchive(path string) bool {
	ext := extension(path)
	return ext == ".tar" || ext == ".zip" || strings.HasSuffix(path, ".tgz") || strings.HasSuffix(path, ".tbz2") || strings.HasSuffix(path, ".txz")
}

// memberName returns the name of a member as it is shown: a path without the names . and
// .., in UTF-8 that can be printed, of bounded length.
func memberName(name string) string {
	name = strings.ToValidUTF8(strings.TrimPrefix(path.Clean("/"+name), "/"), "\uFFFD")
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, name)
	if len(name) > mostName {
		name = "…" + strings.ToValidUTF8(name[len(name)-mostName:], "")
	}
	return name
}

// addArchive adds the members of an archive. in describes its file.
func (f *finder) addArchive(in Input, kind archiveKind) error {
	a := &archive{path: in.Path, name: in.Name, kind: kind, codec: in.Codec}
	w := &archiveWalk{f: f, a: a, file: in, skips: map[skipGroup]*Skipped{}}
	inFolder, before := f.o.inFolder, len(f.inputs)
	f.o.inFolder = true
	var err error
	if kind == zipArchive {
		err = w.zip()
	} else {
		err = w.tar()
	}
	f.o.inFolder = inFolder
	switch {
	case err != nil:
		f.inputs = f.inputs[:before]
		return err
	case w.members == 0:
		return unreadable(in.Path, "an empty "+string(kind)+" archive")
	}
	f.archives = append(f.archives, a)
	w.obey(f.inputs[before:])
	w.flush()
	return nil
}

// archiveWalk adds the members of one archive to a finder.
type archiveWalk struct {
	f       *finder
	a       *archive
	file    Input     // the archive itself
	members int       // of any kind
	texts   int       // members that are inputs
	skipped []Skipped // the first of them
	skips   map[skipGroup]*Skipped
	head    []byte
	infos   infos // that the archive contains; nil: none
}

// skipGroup are the skipped members that are shown as one.
type skipGroup struct{ ext, reason string }

// mostSkips bounds the skipped members of an archive that are named; from there on they
// are grouped.
const mostSkips = 20

// skip adds a member to those that are skipped.
func (w *archiveWalk) skip(name, reason string, text int64) {
	s := Skipped{Path: w.a.path + "/" + name, Arg: w.file.Arg, Reason: reason, Text: text, Files: 1}
	if len(w.skipped) <= mostSkips {
		w.skipped = append(w.skipped, s)
	}
	group := skipGroup{strings.ToLower(path.Ext(name)), reason}
	const most, other = 64, "for other reasons"
	if w.skips[group] == nil && len(w.skips) >= most {
		group = skipGroup{"", other}
	}
	if w.skips[group] == nil {
		w.skips[group] = &Skipped{Path: w.a.path + "/*" + group.ext, Arg: s.Arg, Reason: group.reason}
	}
	w.skips[group].Files++
	w.skips[group].Text += text
}

// flush tells the finder which members were skipped.
func (w *archiveWalk) flush() {
	if len(w.skipped) <= mostSkips {
		w.f.skipped = append(w.f.skipped, w.skipped...)
		return
	}
	for _, s := range w.skips {
		s.Path += fmt.Sprintf(" (%d files)", s.Files)
		w.f.skipped = append(w.f.skipped, *s)
	}
}

// add adds a regular member, or skips it. open returns its bytes, without the codec of the
// archive.
func (w *archiveWalk) add(m entry, open func() (io.Reader, error)) error {
	below := m.name
	if w.f.below != "" {
		below = w.f.below + "/" + m.name
	}
	if why := w.f.left(m.name, below); why != "" {
		w.skip(m.name, why, 0)
		return nil
	}
	if m.length == 0 {
		return nil
	}
	head, err := w.begin(m, open)
	var damaged *DamagedError
	switch {
	case errors.As(err, &damaged) && w.a.kind == zipArchive: // the others can be read
		w.skip(m.name, damaged.Reason, m.length)
		return nil
	case err != nil:
		return err
	}
	m.of = w.a
	in := Input{Path: w.a.path + "/" + m.name, Arg: w.file.Arg, Size: m.size, ModTime: w.file.ModTime, entry: &m}
	if err := w.decide(&in, head); err != nil {
		return w.left(&in, err)
	}
	if w.texts++; w.texts > mostMembers {
		return fmt.Errorf("%s: more than %d members with text: unpack it, and build from its folders one by one", w.a.path, mostMembers)
	}
	w.a.last = m.number
	w.f.inputs = append(w.f.inputs, in)
	return nil
}

// obey gives the inputs of the archive the names that the data set information in it tells.
func (w *archiveWalk) obey(inputs []Input) {
	for i := range inputs {
		in := &inputs[i]
		if n := w.infos.below(in.Path); n != nil && (in.Format == ByRow || in.Format == Members) {
			o := *in.o
			o.naming = n
			in.o, in.Format, in.Why, in.name = &o, ByRow, namesColumns, ""
			if in.Container == Members {
				in.Container = Sequence
			}
		}
	}
}

// begin returns the first bytes of a member.
func (w *archiveWalk) begin(m entry, open func() (io.Reader, error)) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	if w.head == nil {
		w.head = make([]byte, headLen+1)
	}
	// One byte more shows the end, where the length and the sum are checked.
	n, err := io.ReadFull(r, w.head[:min(m.length, headLen)+1])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, w.a.damage(err)
	}
	return w.head[:min(n, headLen)], nil
}

// decide decides how a member is read.
func (w *archiveWalk) decide(in *Input, head []byte) error {
	if why := metadata(path.Base(in.entry.name), head); why != "" {
		if info := parseInfo(head); info != nil && path.Base(in.entry.name) == datasetInfo {
			if w.infos == nil {
				w.infos = infos{}
			}
			w.infos[filepath.Dir(in.Path)] = info
		}
		return aside(why)
	}
	packed := w.a.codec != Plain || in.entry.codec != Plain
	switch {
	case isParquet(head) && !packed:
		file, err := os.Open(w.a.path)
		if err != nil {
			return fmt.Errorf("read input: %w", err)
		}
		defer file.Close()
		return in.decideParquet(io.NewSectionReader(file, in.entry.at, in.entry.size), in.entry.size, w.f.shared(nil))
	case codecOf(head) != Plain && packed:
		return refuse(in.Path, "compressed twice: unpack the archive; `"+w.a.kind.unpack()+"`")
	default:
		return in.decide(head, w.f.shared(nil))
	}
}

// left skips a member that cannot be read, or returns an error of the archive.
func (w *archiveWalk) left(in *Input, err error) error {
	text, skipped := lost(err, in.entry.length)
	var inside *archiveError
	if errors.As(err, &inside) {
		text = in.entry.length
	}
	if !skipped {
		w.f.problem(err)
		return nil
	}
	w.skip(in.entry.name, strings.TrimPrefix(err.Error(), in.Path+": "), text)
	return nil
}

// damage returns the error of an archive that cannot be read to its end.
func (a *archive) damage(err error) error {
	var damaged *DamagedError
	var read *sourceError
	switch {
	case errors.As(err, &damaged), errors.As(err, &read):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &DamagedError{Path: a.path, Reason: string(a.kind) + ": the file ends too early"}
	default:
		return &DamagedError{Path: a.path, Reason: fmt.Sprintf("%s: the file is damaged: %v", a.kind, err)}
	}
}

// tar adds the members of a tar archive.
func (w *archiveWalk) tar() error {
	c, err := w.a.openTar()
	if err != nil {
		return err
	}
	defer c.close()
	for {
		h, err := c.step()
		if errors.Is(err, io.EOF) {
			return c.checkEnd()
		}
		if err != nil {
			return err
		}
		w.members++
		m := entry{name: memberName(h.Name), number: c.next - 1, at: c.offset(), size: h.Size, length: h.Size}
		switch reason := notRegular(h); {
		case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader:
		case hidden(m.name):
			w.skip(m.name, isHidden, 0)
		case h.Typeflag == tar.TypeGNUSparse || isSparse(h):
			w.skip(m.name, "a sparse file: unpack the archive", h.Size)
		case reason != "":
			w.skip(m.name, reason, 0)
		default:
			if err := w.add(m, func() (io.Reader, error) { return c.t, nil }); err != nil {
				return err
			}
		}
	}
}

// notRegular says which kind of member is not a regular file; empty: it is one.
func notRegular(h *tar.Header) string {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont:
		return ""
	case tar.TypeLink, tar.TypeSymlink:
		return "a link in an archive"
	default:
		return "not a regular file"
	}
}

// isSparse reports whether a member says in an extended header which of its bytes are not
// in the archive.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// hidden reports whether a name of a path begins with a dot.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.Contains(name, "/.") }

// tarCursor reads the members of a tar archive in their order.
type tarCursor struct {
	a     *archive
	file  *os.File
	taken File // counts the bytes of the file
	z     *inflater
	end   endReader
	t     *tar.Reader
	next  int // the number of the member that comes next
}

// openTar returns a cursor at the beginning of the archive.
func (a *archive) openTar() (*tarCursor, error) {
	file, err := os.Open(a.path)
	if err != nil {
		return nil, fmt.Errorf("read input: %w", err)
	}
	c := &tarCursor{a: a, file: file}
	if a.codec == Plain {
		c.end.r = file
		c.t = tar.NewReader(&seekingEnd{&c.end, file})
		return c, nil
	}
	if c.z, err = inflate(newBuffer(&sourceReader{r: file, f: &c.taken}, -1), a.codec, a.path); err != nil {
		file.Close()
		return nil, err
	}
	c.z.taken = &c.taken.taken
	c.end.r = c.z
	c.t = tar.NewReader(&c.end)
	return c, nil
}

// endReader remembers that a reader came to its end.
type endReader struct {
	r  io.Reader
	at bool
}

func (e *endReader) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if n > 0 && err == io.EOF {
		return n, nil
	}
	e.at = e.at || err == io.EOF
	return n, err
}

// seekingEnd is an endReader of a file, in which package tar seeks over the members that
// nobody reads.
type seekingEnd struct {
	*endReader
	io.Seeker
}

// step goes to the next member, io.EOF behind the last.
func (c *tarCursor) step() (*tar.Header, error) {
	h, err := c.t.Next()
	switch {
	case err == nil, errors.Is(err, tar.ErrInsecurePath):
		c.next++
		return h, nil
	case errors.Is(err, io.EOF):
		return nil, io.EOF
	default:
		return nil, c.a.damage(err)
	}
}

// offset returns the offset of the current member in a tar that is not compressed.
func (c *tarCursor) offset() int64 {
	if c.a.codec != Plain {
		return 0
	}
	at, _ := c.file.Seek(0, io.SeekCurrent) // it is a regular file
	return at
}

// checkEnd returns an error if the archive ends without the mark of its end, since it may
// be cut short, or if there is more behind the mark.
func (c *tarCursor) checkEnd() error {
	if c.end.at {
		return &DamagedError{Path: c.a.path, Reason: "tar: the file ends too early, without the mark of its end"}
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := c.end.Read(buf)
		if len(bytes.Trim(buf[:n], "\x00")) > 0 {
			return &DamagedError{Path: c.a.path, Reason: "tar: there is more behind the end of the archive: unpack it with `tar --ignore-zeros -xf FILE`"}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return c.a.damage(err)
		}
	}
}

func (c *tarCursor) close() {
	if c.z != nil {
		c.z.close()
	}
	c.file.Close()
}

// take returns a cursor at a member of a compressed tar: the idle one that is the closest
// before the member, or a new one.
func (a *archive) take(m *entry) (*tarCursor, error) {
	best := -1
	for i, c := range a.idle {
		if c.next <= m.number && (best < 0 || c.next > a.idle[best].next) {
			best = i
		}
	}
	var c *tarCursor
	if best >= 0 {
		c = a.idle[best]
		a.idle = append(a.idle[:best], a.idle[best+1:]...)
	} else {
		var err error
		if c, err = a.openTar(); err != nil {
			return nil, err
		}
	}
	for c.next <= m.number {
		h, err := c.step()
		if err == nil && c.next > m.number && h.Size != m.size || errors.Is(err, io.EOF) {
			err = &DamagedError{Path: a.path, Reason: "tar: the file changed while it was read"}
		}
		if err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

// give takes a cursor back.
func (a *archive) give(c *tarCursor) {
	if c.next > a.last {
		c.close()
		return
	}
	a.idle = append(a.idle, c)
}

// open returns the bytes of a member in its archive.
func (m *entry) open() (io.ReadCloser, error) {
	if m.of.codec == Plain {
		file, err := os.Open(m.of.path)
		if err != nil {
			return nil, fmt.Errorf("read input: %w", err)
		}
		return &section{*io.NewSectionReader(file, m.at, m.size), file}, nil
	}
	m.of.mu.Lock()
	defer m.of.mu.Unlock()
	c, err := m.of.take(m)
	if err != nil {
		return nil, err
	}
	if m.size > smallMember {
		return &tarMember{c: c, a: m.of}, nil
	}
	text := make([]byte, m.size)
	if _, err := io.ReadFull(c.t, text); err != nil {
		c.close()
		return nil, m.of.damage(err)
	}
	m.of.give(c)
	return io.NopCloser(bytes.NewReader(text)), nil
}

// section is a part of a file.
type section struct {
	io.SectionReader
	file *os.File
}

func (s *section) Close() error { return s.file.Close() }

// tarMember reads a long member of a compressed tar.
type tarMember struct {
	c *tarCursor // nil: at the end
	a *archive
}

func (t *tarMember) Read(p []byte) (int, error) {
	if t.c == nil {
		return 0, io.EOF
	}
	n, err := t.c.t.Read(p)
	switch {
	case err == io.EOF:
		_ = t.Close()
		return n, io.EOF
	case err != nil:
		return n, t.a.damage(err)
	default:
		return n, nil
	}
}

// Close gives the cursor back.
func (t *tarMember) Close() error {
	if t.c != nil {
		t.a.mu.Lock()
		defer t.a.mu.Unlock()
		t.a.give(t.c)
		t.c = nil
	}
	return nil
}
