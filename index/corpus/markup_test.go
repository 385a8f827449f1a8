package corpus

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// visible reads a text with tags, with a reader that gives a byte at a time too.
func visible(t testing.TB, kind Format, text string) string {
	t.Helper()
	whole, err := io.ReadAll(newMarkup(strings.NewReader(text), new(File), kind, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	slow, err := io.ReadAll(iotest.OneByteReader(newMarkup(iotest.OneByteReader(strings.NewReader(text)), new(File), kind, Options{})))
	if err != nil || !bytes.Equal(whole, slow) {
		t.Fatalf("read by bytes: %q, %v; want %q", slow, err, whole)
	}
	return string(whole)
}

func TestMarkup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind       Format
		text, want string
	}{
		{HTML, `a <b>c</b> <a href="x>y">d</a>`, `a <b>c</b>               d</a>`},
		{HTML, "a<br/>b<img\nsrc=x alt='\"'/>c", "a<br/>b    \n               c"},
		{HTML, `a <!-- <b> -- > --> b`, `a                   b`},
		{HTML, `<!DOCTYPE html><p>a`, `               <p>a`},
		{HTML, `a<script>var x = "<b>";</script>b`, `a<script>              </script>b`},
		{HTML, `a<STYLE type="x">p > b {}</STYLE >b`, `a                                 b`},
		{HTML, "1 < 2 <3 <- 4 & 5 &lt;a b=&quot;c&quot;&gt; <", "1 < 2 <3 <- 4 & 5 &lt;a b=&quot;c&quot;&gt; <"},
		{HTML, `<my-tag>a</my-tag>`, `        a         `},
		{XML, `<?xml version="1.0"?><r a="b c" d='e'/>f`, `                           b c     e   f`},
		{XML, `<r B="&lt;p&gt;a &lt;a href=&quot;u&quot; x=y&gt;b&lt;/a&gt;" />`, `               a                                 b              `},
		{XML, `a List&lt;String&gt; b`, `a List&lt;String&gt; b`},
		{XML, `if a &lt;b and c = d &gt; e`, `if a &lt;b and c = d &gt; e`},
		{XML, `<t><![CDATA[a <i class="x">b</i>]]></t>`, `<t>         a              b</i>]]></t>`},
		{XML, `<script>a</script>`, `<script>a</script>`},
	} {
		if got := visible(t, c.kind, c.text); got != c.want {
			t.Errorf("%s %q:\ngot  %q\nwant %q", c.kind, c.text, got, c.want)
		}
	}
	long := "<p>" + strings.Repeat("word ", 40_000) + `<img src="` + strings.Repeat("A", 200_000) + `">end`
	if got := visible(t, HTML, long); len(got) != len(long) || strings.Contains(got, "A") || !strings.HasSuffix(got, "end") {
		t.Errorf("a long attribute: %d of %d bytes", len(got), len(long))
	}
}

// TestMarkupOf checks which files are HTML or XML, and that --format text reads all of them.
func TestMarkupOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       Format
	}{
		{"a.txt", " <!doctype HTML><p>x", HTML},
		{"a", "<HTML lang=en><p>x", HTML},
		{"a.htm", "<p>x", HTML},
		{"a.xml", "<posts><row/></posts>", XML},
		{"a.rss", "<?xml version='1.0'?><rss/>", XML},
		{"a.xhtml", "<?xml version='1.0'?><html/>", HTML},
		{"a.txt", "<p>x", ""},
		{"a.html", "x <p>", ""},
		{"a.html", "x\n<p>y</p>", HTML},
	} {
		in, err := findOne(t, c.name, c.text, Options{})
		if err != nil || in.Format != Text || in.Container != c.want {
			t.Errorf("%s %q: %v, %v, want %s", c.name, c.text, in, err, c.want)
		}
		scanned, err := findOne(t, c.name, c.text, Options{Whole: WholeFiles})
		if err != nil || scanned.Format != Text || scanned.Container != c.want {
			t.Errorf("%s as scan reads it: %v, %v", c.name, scanned, err)
		}
		raw, err := findOne(t, c.name, c.text, Options{Format: Text})
		if err != nil || raw.Container != "" {
			t.Errorf("%s as text: %v, %v", c.name, raw, err)
		}
	}
}

// TestAttributes reads attributes with text behind the text, and counts the text that is left out.
func TestAttributes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind       Format
		text, want string
		left       uint64
	}{
		{HTML, `<p>x<img alt="$a" title='$b'>y</p><meta name="description" content="$c">`, "abc", 0},
		{HTML, `<p aria-label="$a" onclick="$u" class="$v" ALT = "$b">x</p>`, "ab", 0},
		{HTML, `<input placeholder="$a" value="short">` + "<!-- $u -->", "a", uint64(len(say("u")) + 3)},
		{HTML, `<script type="x">$u</script><p>$a</p><style>$v</style>`, "a", uint64(2 * len(say("u")))},
		{HTML, `<script type="application/ld+json">{"articleBody":"$a"}</script><script>$u</script>`, "a", uint64(len(say("u")))},
		{XML, `<!DOCTYPE x [<!ENTITY e "$a">]><r B="&lt;img alt=&quot;$b&quot;&gt;c">$c</r><!--$u-->`, "abc", uint64(len(say("u")) + 1)},
		{XML, `<t><![CDATA[<img alt="$a">$b]]></t>`, "ab", 0},
	} {
		f := new(File)
		got, err := io.ReadAll(newMarkup(strings.NewReader(fill(c.text)), f, c.kind, Options{}))
		if err != nil {
			t.Fatal(err)
		}
		for name := 'a'; name < 'z'; name++ {
			if has, want := strings.Contains(string(got), say(string(name))), strings.ContainsRune(c.want, name); has != want {
				t.Errorf("%s: %c is read: %v, want %v: %q", c.text, name, has, want, got)
			}
		}
		left := uint64(0)
		if f.Lost() != nil {
			left = f.Lost().Table().LeftOut
		}
		if left != c.left {
			t.Errorf("%s: %d bytes are left out, want %d", c.text, left, c.left)
		}
	}
}

// TestMarkupLosesNothing reads text that only looks like a tag, a comment or a script, in its
// place, and what nothing ends behind the text.
func TestMarkupLosesNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("A", 2*markupAhead)
	for _, c := range []struct{ text, want string }{
		{`List<$a> x`, "a"},
		{`if (x <y $a q> 3) <p>$b</p>`, "ab"},
		{`<ann $a> a </b $b > c`, "ab"},
		{`Ann <ann@example.org> $a`, "a"},
		{`x <y $a`, "a"},
		{`<a href="x>$a</a><b c="d">$b`, "ab"},
		{`<a href="x>` + long + ` $a</a><b c="d">$b`, "ab"},
		{`<a href="x>$a</a>`, "a"},
		{`<img src="` + long + `" $a>$b`, "ab"},
		{`<img src="` + long + `" alt="$a`, "a"},
		{`for (i=0; i <n; i++) { // $a` + "\n} return p->q;", "a"},
		{`x <! $a > y <?php $b ?>`, "ab"},
		{`<p $a`, "a"},
		{`<p class="$a`, "a"},
		{`x <!-- $a`, "a"},
		{`<script>$a`, "a"},
		{`<style>$a<!-- x -->`, "a"},
		{`<script type="text/template"><p>$a</p></script>$b`, "ab"},
		{`<SCRIPT id=x TYPE=text/x-markdown>$a</script>$b`, "ab"},
		{`<script async src="x" type="text/javascript">$x</script><script defer>$y</script><!-- $z -->$b`, "b"},
		{`<![CDATA[$a]] >$b`, "ab"},
		{`<input type=text disabled required autofocus name="x" class="$x">$a`, "a"},
	} {
		for name, text := range map[string]string{"HTML": c.text, "CDATA": "<?xml version='1.0'?><t><![CDATA[" + c.text + "]]>$c</t>"} {
			kind, want := HTML, c.want
			if name == "CDATA" {
				kind, want = XML, c.want+"c"
				if strings.Contains(c.text, "defer") {
					want = "bcxyz"
				}
			}
			got := visible(t, kind, fill(text))
			for name := 'a'; name <= 'z'; name++ {
				if has, want := strings.Contains(got, say(string(name))), strings.ContainsRune(want, name); has != want {
					t.Errorf("%.80q in %s: %c is read: %v, want %v: %.300q", c.text, kind, name, has, want, got)
				}
			}
		}
	}
	f := new(File)
	if _, err := io.ReadAll(newMarkup(strings.NewReader("<!--"+strings.Repeat("word ", mostBehind/4)), f, HTML, Options{})); err != nil || f.Lost() == nil || f.Lost().Table().Unread == 0 {
		t.Errorf("a long comment without end: %v, %v", err, f.Lost())
	}
}

// FuzzMarkup reads any bytes as HTML and XML: the text has the same length and lines, and
// every byte is the same or a blank. Behind it there are values of attributes.
func FuzzMarkup(f *testing.F) {
	f.Add([]byte(`<!doctype html><a href="x">b</a><script>c</script><!-- d --> &lt;e f=g&gt; <![CDATA[h]]>`))
	f.Add([]byte("<?xml?><row Body='&lt;a href=&quot;x&quot;&gt;' />\n<"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, kind := range []Format{HTML, XML} {
			got := visible(t, kind, string(text))
			if len(got) < len(text) {
				t.Fatalf("%d bytes of %d", len(got), len(text))
			}
			for value := range strings.SplitSeq(got[len(text):], "\n\n") {
				if !bytes.Contains(text, []byte(value)) {
					t.Fatalf("%q is not in the text", value)
				}
			}
			for i, c := range text {
				if got[i] != c && (got[i] != ' ' || c == '\n') {
					t.Fatalf("byte %d: %q instead of %q", i, got[i], c)
				}
			}
		}
	})
}
