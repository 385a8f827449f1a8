package corpus

import (
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// shownTexts are files, and the sentences that people see in them.
func shownTexts() []struct{ file, text, want string } {
	return []struct{ file, text, want string }{
		{"a.md", "# x\n\nSee the [manual](https://x.org/a_(b) \"Title of it\") of the [outer][1] harbour.[^2]\n\n[1]: /y 'z'", "See the manual of the outer harbour"},
		{"a.md", "The [lamps](/l) [of](/o) [the](/t)\r\n[harbour](/h).\r\n\r\n> the se**cond** ![sign](a.png)", "The lamps of the harbour"},
		{"a.md", "the <a href=\"x\" title='y'>outer</a> har**bour** <!-- no --> burns", "the outer harbour burns"},
		{"README", "the [lamps](x) burn", "the lamps burn"},
		{"a.rst", "See `the manual <https://x.org>`_ of :ref:`the harbour <h>` now", "See the manual of the harbour now"},
		{"a.adoc", "See https://x.org/m[the manual] of <<h,the harbour>> and link:y.html[more] now", "See the manual of the harbour and more now"},
		{"a.wiki", "The [[Lamp (light)|lamps]] of [[harbour]]s and [https://x.org ships] burn", "The lamps of harbours and ships burn"},
		{"a.org", "The [[https://x.org][lamps]] of the harbour", "The lamps of the harbour"},
		{"a.txt", "the keeper of the har-\n   bour lamps. The 2-\n3 lamps", "the keeper of the harbour lamps"},
		{"a.txt", "the keeper of the har\u00ad\r\nbour lamps and the bea\u2010\ncon", "the keeper of the harbour lamps and the beacon"},
		{"a.log", "\x1b[1;31mthe\x1b[0m lam\x1b[32mps\x1b[0m \x1b]0;title\aburn", "the lamps burn"},
		{"a.ics", "BEGIN:VCALENDAR\r\nDESCRIPTION:the lamps of the har\r\n bour burn\\, until\r\n  dawn\r\nEND:VCALENDAR\r\n", "the lamps of the harbour burn until dawn"},
		{"a.data", "BEGIN:VCARD\nNOTE:the lam\n\tps burn\nEND:VCARD\n", "the lamps burn"},
		{"a.vcf", "BEGIN:VCARD\nNOTE;ENCODING=QUOTED-PRINTABLE:the k=65eper of the har=\r\nbour\nEND:VCARD\n", "the keeper of the harbour"},
		{"a.ldif", "dn: x\ndescription: the lam\n ps burn\n", "the lamps burn"},
		{"a.ldif", "dn: x\ndescription:: dGhlIGxh\n bXBzIGJ1cm4=\njpegPhoto:: /9j/4AA=\n", "the lamps burn"},
		{"a.vcf", "BEGIN:VCARD\nNOTE;ENCODING=b:dGhlIGxhbXBzIGJ1cm4=\nEND:VCARD\n", "the lamps burn"},
		{"a.po", "msgid \"\"\n\"the lamps of the har\"\n\"bour burn\"\nmsgstr \"\"\n\"die Lam\"\n\"pen\"\n\n#~ msgid \"the kee\"\n#~ \"per sleeps\"\n", "the lamps of the harbour burn"},
		{"a.po", "#~ msgid \"the kee\"\n#~ \"per sleeps\"\nmsgstr \"\"\n\"a\\n\"\n\"b\"", "the keeper sleeps"},
		{"a.py", "x = (\n    'the lam'\n    f'ps burn'\n)\n", "the lamps burn"},
		{"a.js", "x = \"the lam\" +\r\n  \"ps burn\";\r\n", "the lamps burn"},
		{"a.srt", "1\n00:00:01,000 --> 00:00:02,000\nthe <i>lamps</i> of\n\n2\n00:00:02,000 --> 00:00:03,000 X1:1\nthe har\u00adbour\nburn 7\n\n3\n00:00:03,000 --> 00:00:04,000\n7\nnights", "the lamps of the harbour burn 7 7 nights"},
		{"a.vtt", "WEBVTT - x\n\nSTYLE\n\nintro\n00:01.000 --> 00:02.000 align:start\n<v Ann>the <00:01.500><c>lamps</c>\n\n00:02.000 --> 00:03.000\nthe lamps\nburn", "the lamps burn"},
		{"a.sbv", "0:00:01.000,0:00:02.000\nthe lamps\n\n0:00:02.000,0:00:03.000\nburn", "the lamps burn"},
		{"a.ass", "[Events]\nFormat: Layer, Text\nDialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\i1}the lamps{\\i0},\\Nof\nDialogue: 0,0:00:02.00,0:00:03.00,D,,0,0,0,,the harbour", "the lamps of the harbour"},
		{"a.lrc", "[ar:x]\n[00:01.00][00:31.00]the lamps\n[00:02.00]burn", "the lamps burn"},
		{"a.tex", "The \\emph{lam}ps~of the har\\-bour\\footnote{They \\textbf{burn} \\footnote{all} night.} and % no\n  the {\\bf T}own\\cite[p.~7]{x} sleep", "The lamps of the harbour and the Town sleep"},
		{"a.tex", "Caf\\'e na\\\"{\\i}ve \\c{c}a stra\\ss e \\& \\O re \\LaTeX\\ is 7\\% \\item[x] so", "Cafe naive ca strasse & Øre is 7% x so"},
		{"a.tex", "a\\footnote{They \\textbf{burn} all night.}", "They burn all night"},
		{"a.yaml", "a: \"the lamps \\\n  of the har\\\n  \\ bour burn caf\\xe9\"\nb: x\\\\\nc: y", "the lamps of the har bour burn café"},
		{"a.toml", "a = \"\"\"\\\n  the lam\\\n  ps burn\"\"\"\n", "the lamps burn"},
		{"a.properties", "a = the lam\\\n    ps \\\n  burn\n", "the lamps burn"},
		{"a.1", ".TH A 1\nUse \\fBgrep\\fR to \\fIfind\\f[CW] a\n.B line\nthat\\-is in\\&side\n", "Use grep to find a line that-is inside"},
	}
}

// words returns the words of a text, without the signs around them.
func plainWords(text string) string {
	signs := strings.NewReplacer("\\,", "", "\\'", "'", ",", "", ".", "", "[", "", "]", "", "`_", "", "`", "", "*", "", "</a>", "", "\u00ad", "")
	return strings.Join(strings.Fields(signs.Replace(text)), " ")
}

// TestShown reads texts as they are, and behind them as people see them.
func TestShown(t *testing.T) {
	t.Parallel()
	for _, c := range shownTexts() {
		in, err := findOne(t, c.file, c.text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := in.Open()
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(f)
		f.Close()
		rest, ok := strings.CutPrefix(string(all), c.text)
		if err != nil || !ok {
			t.Fatalf("%s: %v, %q", c.file, err, all)
		}
		if !strings.Contains(plainWords(rest), c.want) {
			t.Errorf("%s: %q\nis shown as %q\nwant     %q", c.file, c.text, rest, c.want)
		}
		in, err = findOne(t, c.file, c.text, Options{Format: Text})
		if err != nil || in.shown != shownAsIs {
			t.Errorf("%s: with --format text: %v, %v", c.file, in, err)
		}
	}
}

// TestShownAsIs: a text is not repeated if people see it as it is written.
func TestShownAsIs(t *testing.T) {
	t.Parallel()
	for _, c := range [...]struct{ file, text string }{
		{"a.md", "# The lamps\n\nThe *lamps* of the **harbour** [x] - burn\n- until dawn: a <b>b</b> (c) https://x.org\n"},
		{"a.txt", "The lamps -\nof the harbour 7-\n8 and Well-\nKnown"},
		{"a.ics", "BEGIN:VCALENDAR\nSUMMARY:x\nEND:VCALENDAR\n"},
		{"a.po", "msgid \"a\"\nmsgstr \"b\"\n"},
		{"a.py", "\"\"\"The lamps\nburn\"\"\"\nx = ['a',\n 'b']\n"},
		{"a.tex", "The lamps of the harbour\n"},
		{"a.yaml", "a: b\nc: \"d\"\n"},
		{"a.json", `{"prompt":"[a](b)"}`},
	} {
		in, err := findOne(t, c.file, c.text, Options{})
		if err != nil {
			t.Fatal(err)
		}
		f, err := in.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all, err := io.ReadAll(f); err != nil || string(all) != c.text {
			t.Errorf("%s: %v, %q", c.file, err, all)
		}
		f.Close()
	}
}

// TestShownLong reads a text of many blocks: its parts that are shown otherwise come behind it,
// and from time to time between two blocks if they are long.
func TestShownLong(t *testing.T) {
	t.Parallel()
	one := strings.Repeat("word ", 200) + "the [lamps](x) burn\n\n"
	for _, blocks := range []int{3, 200, 2 * mostBehind / len(one)} {
		in := &Input{Size: -1, shown: shownProse}
		all, err := io.ReadAll(newShown(strings.NewReader(strings.Repeat(one, blocks)), in))
		if err != nil || strings.Count(string(all), "the [lamps](x) burn") != blocks || strings.Count(string(all), "the [lamps burn") != blocks {
			t.Errorf("%d blocks: %v, %d bytes", blocks, err, len(all))
		}
	}
	for _, text := range []string{strings.Repeat("x", 3<<20), strings.Repeat("word ", 1<<19), strings.Repeat("DESCRIPTION:a\r\n b\r\n", 1<<17)} {
		all, err := io.ReadAll(newShown(iotest.HalfReader(strings.NewReader(text)), &Input{Size: -1, shown: shownFolded}))
		if err != nil || !strings.HasPrefix(string(all), text) {
			t.Errorf("%.20q: %v, %d bytes", text, err, len(all))
		}
	}
}

// FuzzShown reads any text of every kind: the text comes first, whatever the reader returns
// at a time.
func FuzzShown(f *testing.F) {
	for _, c := range shownTexts() {
		f.Add([]byte(c.text), uint8(shownOf(c.file, nil)))
	}
	f.Add([]byte("[[[[](](](<<<\\\\footnote{\\footnote{\\x\\x"), uint8(shownTeX))
	f.Fuzz(func(t *testing.T, text []byte, kind uint8) {
		in := &Input{Size: -1, shown: shownKind(kind) % (shownRoff + 1)}
		whole, err := io.ReadAll(newShown(strings.NewReader(string(text)), in))
		if err != nil || !strings.HasPrefix(string(whole), string(text)) {
			t.Fatalf("%q: %v, %q", text, err, whole)
		}
		pieces, err := io.ReadAll(newShown(iotest.OneByteReader(strings.NewReader(string(text))), in))
		if err != nil || !slices.Equal(pieces, whole) {
			t.Fatalf("%v, %q, want %q", err, pieces, whole)
		}
	})
}
