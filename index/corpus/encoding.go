package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// Encodings. All text is UTF-8 behind this file. UTF-16 and UTF-32 are recognised by
// their byte order mark, UTF-16 also by its zero bytes. No other encoding can be told from
// its bytes, so it has to be declared in the text or named: then each line that is not UTF-8 is taken to be in it.
// Without a name such a file is refused if its beginning shows that it is not UTF-8, and
// otherwise the text around each broken byte counts as not read.

// errEncoding matches the error of a text in an encoding that nobody named.
var errEncoding = fmt.Errorf("%w: it is not UTF-8", ErrUnreadable)

// lookUp returns the encoding of a name in the web's list, such as windows-1252 or
// shift_jis.
func lookUp(name string) (encoding.Encoding, error) {
	enc, err := htmlindex.Get(name)
	if err != nil || strings.Contains(strings.ToLower(name), "2022") || enc == encoding.Replacement {
		return nil, fmt.Errorf("encoding %q is not known: use a name such as windows-1252, iso-8859-2, shift_jis or gb18030, or convert the files with iconv", name)
	}
	return enc, nil
}

// charsetOf tells the encoding of a text by its first bytes: empty if these are UTF-8 or
// if nothing tells.
func charsetOf(head []byte) string {
	for _, m := range [...]struct{ mark, name string }{
		{"\xff\xfe\x00\x00", "utf-32"},
		{"\x00\x00\xfe\xff", "utf-32"},
		{"\xff\xfe", "utf-16le"},
		{"\xfe\xff", "utf-16be"},
	} {
		if bytes.HasPrefix(head, []byte(m.mark)) {
			return m.name
		}
	}
	probe := head[:min(len(head), 8<<10)&^1]
	zeros := [2]int{}
	for i, c := range probe {
		if c == 0 {
			zeros[i&1]++
		}
	}
	for high, name := range [...]string{"utf-16be", "utf-16le"} {
		if len(probe) >= 8 && zeros[high] > len(probe)/4 && zeros[1-high] <= len(probe)/128 && printable(decodeHead(probe, name)) {
			return name
		}
	}
	return ""
}

// declaration is the encoding that HTML, XML, a catalogue of gettext or a program declares.
var declaration = regexp.MustCompile(`(?i)(?:charset|coding)\s*[=:]\s*["']?\s*([a-z0-9][a-z0-9_.:-]*)`)

// declaredName returns the name of the encoding that the beginning of a text declares; empty: none.
func declaredName(head []byte) string {
	const near = 2 << 10 // bytes; HTML has it in the first 1024
	if found := declaration.FindSubmatch(head[:min(len(head), near)]); found != nil {
		name := strings.ToLower(strings.TrimRight(string(found[1]), ".:"))
		return strings.Replace(name, "latin-", "latin", 1)
	}
	return ""
}

// declared returns the encoding that a text declares, if its lines can be decoded from it and
// its beginning is not all UTF-8; empty: nothing to decode.
func declared(head []byte) string {
	broken, _ := countRunes(head)
	if broken == 0 && markupOf("", head) == "" {
		return ""
	}
	name := declaredName(head)
	enc, err := lookUp(name)
	if err != nil || isWide(name) || enc == encoding.Nop || enc == unicode.UTF8 {
		return ""
	}
	return name
}

// encodingHint says how to name the encoding of a text that is not UTF-8.
func encodingHint(head []byte) string {
	name := declaredName(head)
	if enc, err := lookUp(name); name != "" && (err != nil || enc != unicode.UTF8) {
		return fmt.Sprintf("it declares the encoding %s: convert it with `iconv -f %s -t UTF-8`", name, strings.ToUpper(name))
	}
	runs, alone := 0, 0
	for i, c := range head {
		switch {
		case c < 0x80:
		case bytes.IndexByte([]byte("\x81\x8d\x8f\x90\x9d"), c) >= 0, i > 0 && head[i-1] >= 0x80, i+1 < len(head) && head[i+1] >= 0x80:
			runs++
		default:
			alone++
		}
	}
	if runs > 2*alone && runs > 3 { // letters of the West are seldom side by side
		return "name its --encoding, say shift_jis, gb18030, euc-kr or windows-1251, or convert it, say with `iconv -f SHIFT_JIS -t UTF-8`"
	}
	return "name its --encoding, say windows-1252, or convert it, say with `iconv -f WINDOWS-1252 -t UTF-8`"
}

// printable reports whether a text has none of the control characters that no text has.
func printable(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\v\f\r\x1b", r) })
}

// decodeHead returns the beginning of a text as UTF-8.
func decodeHead(head []byte, charset string) []byte {
	r, err := newDecoder(bytes.NewReader(head), charset)
	if err != nil {
		return head
	}
	text, _ := io.ReadAll(r) // a reader of bytes has no errors
	return text
}

// newDecoder returns a reader of a text in an encoding as UTF-8.
func newDecoder(r io.Reader, charset string) (io.Reader, error) {
	if charset == "utf-32" {
		return transform.NewReader(r, utf32.UTF32(utf32.LittleEndian, utf32.UseBOM).NewDecoder()), nil
	}
	enc, err := lookUp(charset)
	switch {
	case err != nil:
		return nil, err
	case isWide(charset):
		return transform.NewReader(r, enc.NewDecoder()), nil
	default:
		return &lineDecoder{r: r, to: enc.NewDecoder()}, nil
	}
}

// isWide reports whether an encoding is one of whole files and not of lines.
func isWide(charset string) bool { return strings.HasPrefix(strings.ToLower(charset), "utf-16") }

// lineDecoder decodes the lines of a text that are not UTF-8.
type lineDecoder struct {
	pieces
	r   io.Reader
	to  *encoding.Decoder
	buf []byte
	end error
}

// decodeLen is the number of bytes from which a line is decoded in parts.
const decodeLen = 64 << 10

func (d *lineDecoder) Read(p []byte) (int, error) { return d.pieces.read(p, d.next) }

// next decodes some lines, or a part of a long one.
func (d *lineDecoder) next() error {
	n := bytes.LastIndexByte(d.buf, '\n') + 1
	for n == 0 && d.end == nil && len(d.buf) < decodeLen {
		at := len(d.buf)
		d.buf = append(d.buf, make([]byte, decodeLen)...)
		var m int
		m, d.end = d.r.Read(d.buf[at:])
		d.buf = d.buf[:at+m]
		n = bytes.LastIndexByte(d.buf, '\n') + 1
	}
	if n == 0 && len(d.buf) == 0 {
		return d.end
	}
	whole := n > 0 || d.end != nil
	if n == 0 {
		n = len(d.buf)
	}
	used := 0
	for line := range bytes.SplitAfterSeq(d.buf[:n], []byte("\n")) {
		used += d.decode(line, whole)
	}
	d.buf = d.buf[:copy(d.buf, d.buf[used:])]
	return nil
}

// decode appends a line as UTF-8 and returns how many of its bytes it took: all, but for
// a character that is not whole at the end of a part of a line.
func (d *lineDecoder) decode(line []byte, whole bool) int {
	n := len(line)
	if !whole {
		n -= partial(line)
	}
	if utf8.Valid(line[:n]) {
		d.out = append(d.out, line[:n]...)
		return n
	}
	d.to.Reset()
	for used := 0; ; {
		at := len(d.out)
		d.out = append(d.out, make([]byte, 64+3*(len(line)-used))...)
		dst, src, err := d.to.Transform(d.out[at:], line[used:], whole)
		d.out, used = d.out[:at+dst], used+src
		if !errors.Is(err, transform.ErrShortDst) {
			return used
		}
	}
}

// partial returns the length of the character at the end that is not whole.
func partial(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if tail := text[len(text)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// brokenLen is the number of bytes that a broken byte spoils: about those of the windows
// that contain it.
const brokenLen = 128

// checked counts the bytes around broken UTF-8.
type checked struct {
	r       io.Reader
	f       *File
	at      int64  // of the next byte
	rest    []byte // the beginning of a character, before at
	last    int64  // the number, from 1, of the last block of brokenLen bytes with a broken one
	buf     []byte
	decoded bool // U+FFFD counts as broken
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.check(p[:n], err != nil)
	return n, err
}

// check looks at the next bytes.
func (c *checked) check(text []byte, end bool) {
	if len(c.rest) > 0 {
		c.buf = append(append(c.buf[:0], c.rest...), text...)
		text = c.buf
	}
	at := c.at - int64(len(c.rest))
	c.at += int64(len(text) - len(c.rest))
	c.rest = c.rest[:0]
	if !end {
		n := partial(text)
		c.rest = append(c.rest, text[len(text)-n:]...)
		text = text[:len(text)-n]
	}
	if utf8.Valid(text) && (!c.decoded || !bytes.ContainsRune(text, utf8.RuneError)) {
		return
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if block := (at+int64(i))/brokenLen + 1; r == utf8.RuneError && (n == 1 || c.decoded) && block != c.last {
			c.last = block
			c.f.broken += brokenLen
		}
		i += n
	}
}

// countRunes counts the broken bytes and the characters of several bytes at the beginning
// of a text.
func countRunes(head []byte) (broken, wide int) {
	head = head[:len(head)-partial(head)]
	if utf8.Valid(head) {
		return 0, 0
	}
	for i := 0; i < len(head); {
		r, n := utf8.DecodeRune(head[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			broken++
		case n > 1:
			wide++
		}
		i += n
	}
	return broken, wide
}
