package corpus

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"
)

// TestMail reads mail as people have it: the texts of wanted are read once, the others not.
func TestMail(t *testing.T) {
	t.Parallel()
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(fill(text))) }
	qp := func(text string) string {
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		_, _ = io.WriteString(w, fill(text))
		w.Close()
		return b.String()
	}
	mixed := "From: ann@example.net\nSubject: x\nContent-Type: multipart/mixed; boundary=\"b b\"\n\n"
	for name, tt := range map[string]struct {
		file, text, want string
		unread           string
		broken           bool
		rows             int
		o                Options
	}{
		"plain":                       {file: "a.eml", text: "From: ann@example.net\nSubject: $a\n\n$b\n", want: "ab"},
		"quoted-printable":            {file: "a.eml", text: "Return-Path: <a@b.example>\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + qp("é = $a\n\n$b"), want: "ab"},
		"base64 with lines behind it": {file: "a.eml", text: "MIME-Version: 1.0\nTo: x\nContent-Transfer-Encoding: BASE64\n\n" + b64("$a") + "\n_____\n$b\n", want: "ab"},
		"a subject in words":          {file: "a.eml", text: "From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\nSubject: =?UTF-8?B?" + b64("$a")[:44] + "?=\n =?UTF-8?B?" + b64("$a")[44:] + "?=\n\n$b", want: "ab"},
		"another charset":             {file: "a.eml", text: "From: a@example.net\nSubject: x\nContent-Type: text/plain; charset=iso-8859-1\n\ncaf\xe9 $a\n", want: "a"},
		"no charset":                  {file: "a.eml", text: "From: a@example.net\nSubject: x\n\ncaf\xe9 $a\n", want: "a", broken: true},
		"a charset by flag":           {file: "a.eml", text: "From: a@example.net\nSubject: x\n\ncaf\xe9 $a\n", want: "a", o: Options{Encoding: "windows-1252"}},
		"Japanese":                    {file: "a.eml", text: "From: a@example.net\nSubject: x\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b<B4A;z\x1b(B $a\n", want: "a"},
		"alternatives":                {file: "a.eml", text: "From: a\nSubject: x\nContent-Type: multipart/alternative;\n boundary=bb\n\n--bb\nContent-Type: text/plain\n\nshort\n--bb\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" + qp(`<p>$a</p><p title="x">$b</p>`) + "\n--bb--\n", want: "ab"},
		"parts":                       {file: "a.eml", text: mixed + "$a\n--b b\n\n$b\n--b b\nContent-Type: message/rfc822\n\nFrom: c\nSubject: $c\nContent-Type: multipart/mixed; boundary=in\n\n--in\n\n$d\n--in--\n--b b\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"notes on $e.txt\"\nContent-Transfer-Encoding: base64\n\n" + b64("$f") + "\n--b b--\n$g", want: "abcdefg"},
		"no last boundary":            {file: "a.eml", text: mixed + "--b b\n\n$a\n--b b\nContent-Type: text/html\n\n<b>$b</b>", want: "ab"},
		"no boundary":                 {file: "a.eml", text: mixed + "$a\n", want: "a"},
		"a document":                  {file: "a.eml", text: mixed + "--b b\n\n$a\n--b b\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("%PDF-1.7\n\x00"+say("x"))) + "\n--b b--\n", want: "a", unread: "(attachments)"},
		"a document of Word":          {file: "a.eml", text: mixed + "--b b\n\n$a\n--b b\nContent-Type: application/octet-stream; name=a.docx\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(office(t, "[Content_Types].xml", "", "word/document.xml", "<w:t>$b</w:t>"))) + "\n--b b--\n", want: "ab"},
		"a picture":                   {file: "a.eml", text: mixed + "--b b\n\n$a\n--b b\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--b b--\n", want: "a"},
		"a calendar":                  {file: "a.eml", text: mixed + "--b b\r\nContent-Type: text/calendar\r\n\r\nDESCRIPTION:" + strings.Replace("$a", "$a", say("a")[:20]+"\r\n "+say("a")[20:], 1) + "\r\n--b b--\r\n", want: "a"},
		"a file of Apple":             {file: "a.emlx", text: "123  \nFrom: a\nSubject: x\n\n$a\n", want: "a"},
		"a mailbox": {file: "a.mbox", rows: 3, want: "abcdef", text: "From a@example.net Mon Nov  2 10:00:00 2026\nFrom: a\nSubject: $a\n\n$b\n>From here on it is quoted\nFrom there it is not: $c\n\n" +
			"From b@example.net Mon Nov  2 10:00:00 2026\nSubject: y\nContent-Transfer-Encoding: quoted-printable\n\n" + qp("$d é") + "\n\nFrom - Mon Nov 02 10:00:00 2026\nX-Mozilla-Status: 0001\nSubject: $e\n\n$f"},
		"a mailbox without a name": {file: "archive", text: "From a at example.net  Mon Nov  2 10:00:00 2026\r\nFrom: a\r\n\r\n$a\r\n", want: "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := findOne(t, tt.file, strings.ReplaceAll(fill(tt.text), "\x1b<", "\x1b$"), tt.o)
			if err != nil || in.Container != Mail {
				t.Fatalf("%v, %v", in, err)
			}
			texts, bad, table := accountOf(t, in)
			all := strings.Join(texts, "\n")
			for _, c := range tt.want {
				if strings.Count(all, say(string(c))) != 1 {
					t.Errorf("%c: %q, %q", c, texts, bad)
				}
			}
			if len(texts) != max(tt.rows, 1) {
				t.Errorf("%d mails: %q", len(texts), texts)
			}
			var unread []string
			for _, c := range table.Columns {
				if c.Unread > 0 {
					unread = append(unread, c.Name)
				}
			}
			if got := strings.Join(unread, " "); got != tt.unread {
				t.Errorf("unread is %q, want %q", got, tt.unread)
			}
			if scanned, err := findOne(t, tt.file, fill(tt.text), Options{Whole: WholeFiles}); err != nil || scanned.Container != Mail {
				t.Errorf("as scan reads it: %v, %v", scanned, err)
			}
			rows, err := in.Rows()
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var rec Record
			if err := rows.Next(&rec); err != nil || (rows.Broken() > 0) != tt.broken {
				t.Errorf("%v, %d bytes are broken", err, rows.Broken())
			}
			raw, err := findOne(t, tt.file, fill(tt.text), Options{Format: Text, Encoding: "windows-1252"})
			if err != nil || raw.Container != "" {
				t.Errorf("as text: %v, %v", raw, err)
			}
		})
	}
}

// TestNoMail leaves other texts alone that begin like mail.
func TestNoMail(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a.txt": "From the beginning: a story\nof two lines\n", "b.txt": "Note: this is no mail\n\ntext", "c.md": "Subject: x\nfollowed by text\n",
		"d.txt": "From: here\n\ntext", "e.txt": "title: x\nlayout: y\n\ntext",
	} {
		if in, err := findOne(t, name, text, Options{}); err != nil || in.Container == Mail {
			t.Errorf("%s: %v, %v", name, in, err)
		}
	}
}

// TestMailPlaces finds the mails of a mailbox on the lines where they begin.
func TestMailPlaces(t *testing.T) {
	t.Parallel()
	one := "From a@example.net Mon Nov  2 10:00:00 2026\nSubject: x\n\n" + say("a") + "\n\n"
	in, err := findOne(t, "a.mbox", one+one+one, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := in.Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var rec Record
	for i := range 3 {
		if err := rows.Next(&rec); err != nil {
			t.Fatal(err)
		}
		if at := rows.Place(rec.Segments[0], 7); at.Line != 5*i+1 || at.Offset != 7 {
			t.Errorf("mail %d is at %+v", i, at)
		}
	}
}

// mailRows returns the rows of mail.
func mailRows(t *testing.T, text string, most int) string {
	t.Helper()
	var out [2]string
	for i, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
		f := new(File)
		rows, err := io.ReadAll(newMailLines(r, f, &Input{o: &Options{MaxLine: most}}))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = string(rows) + fmt.Sprint(f.broken, f.lost != nil)
	}
	if out[0] != out[1] {
		t.Fatalf("%q in pieces gives %q, want %q", text, out[1], out[0])
	}
	return out[0]
}

// TestLongMail keeps to the limit of a mail and counts the rest.
func TestLongMail(t *testing.T) {
	t.Parallel()
	f := new(File)
	text := "Subject: x\nTo: y\n\n" + strings.Repeat(say("a")+"\n", 10_000)
	rows, err := io.ReadAll(newMailLines(strings.NewReader(text), f, &Input{o: &Options{MaxLine: 1 << 10}}))
	if err != nil || len(rows) > 2<<10 {
		t.Fatalf("%d bytes, %v", len(rows), err)
	}
	if got := f.Lost().Table().Unread; got != uint64(len(text)-1<<10) {
		t.Errorf("%d bytes are lost of %d", got, len(text))
	}
}

// FuzzMail reads any bytes as mail: the rows do not depend on the reads, and no line comes
// before its place.
func FuzzMail(f *testing.F) {
	f.Add("From: a\nSubject: =?utf-8?q?b?=\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Transfer-Encoding: base64\n\nYQ==\n--c\nContent-Type: text/html\n\n<p>d\n--c--\n")
	f.Add("From a Mon Nov 2 10:00:00 2026\nSubject: b\n\n>From c\nFrom a Mon Nov 2 10:00:00 2026\nTo: d\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9=\n")
	f.Add("12\nFrom: a\nContent-Type: message/rfc822\n\nFrom: b\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B4A\n")
	f.Fuzz(func(t *testing.T, text string) {
		isMail("a", []byte(text))
		rows := mailRows(t, text, 1<<12)
		if lines := strings.Count(text, "\n"); strings.Count(rows, "\n") > lines+2 {
			t.Fatalf("%d lines of %d", strings.Count(rows, "\n"), lines)
		}
	})
}

// FuzzQuoted compares with package mime/quotedprintable, as far as that accepts a text.
func FuzzQuoted(f *testing.F) {
	f.Add("a=C3=a9 = \r\nb=\nc=")
	f.Fuzz(func(t *testing.T, text string) {
		want, err := io.ReadAll(quotedprintable.NewReader(bufio.NewReader(strings.NewReader(text))))
		if err != nil {
			return
		}
		spaces := strings.NewReplacer(" ", "", "\t", "", "\r", "")
		if got := decodeQuoted([]byte(text)); spaces.Replace(string(got)) != spaces.Replace(string(want)) {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
	})
}
