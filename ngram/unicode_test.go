package ngram

import (
	"bufio"
	"compress/bzip2"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The tests in this file compare the frozen tables with published data of
// Unicode 15.0.0, from Debian's packages unicode-data and
// python3-confusable-homoglyphs. Without these packages they are skipped.

const unicodeData = "/usr/share/unicode/"

// dataLines yields the fields of a Unicode data file.
func dataLines(t *testing.T, path string, f func(fields []string)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Skipf("install Debian's unicode-data to run this test: %v", err)
	}
	defer file.Close()
	var r io.Reader = file
	if strings.HasSuffix(path, ".bz2") {
		r = bzip2.NewReader(file)
	}
	n := 0
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		line, _, _ := strings.Cut(sc.Text(), "#")
		if n == 0 && strings.Contains(sc.Text(), "#") && strings.Contains(sc.Text(), "-") &&
			!strings.Contains(sc.Text(), UnicodeVersion) {
			t.Fatalf("%s is not of Unicode %s: %s", path, UnicodeVersion, sc.Text())
		}
		n++
		if strings.TrimSpace(line) == "" || line[0] == '@' {
			continue
		}
		fields := strings.Split(line, ";")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		f(fields)
	}
	if err := sc.Err(); err != nil || n == 0 {
		t.Fatalf("read %s: %d lines, %v", path, n, err)
	}
}

// codePoints decodes "0041 0301".
func codePoints(t *testing.T, s string) string {
	t.Helper()
	var b strings.Builder
	for _, f := range strings.Fields(s) {
		r, err := strconv.ParseUint(f, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteRune(rune(r))
	}
	return b.String()
}

// embedded returns the words of s between two letters, so that joining,
// dropping and separating all show.
func embedded(s string) []string { return wordsOf("q" + s + "q") }

// TestNormalizationForms: every form of a text gives the same words.
func TestNormalizationForms(t *testing.T) {
	t.Parallel()
	n := 0
	dataLines(t, unicodeData+"NormalizationTest.txt.bz2", func(f []string) {
		source := codePoints(t, f[0])
		want := embedded(source)
		for _, form := range f[1:5] {
			if got := embedded(codePoints(t, form)); !slices.Equal(got, want) {
				t.Errorf("%s as %s: %q, want %q", f[0], form, got, want)
			}
		}
		n++
	})
	if n < 18000 {
		t.Errorf("checked %d lines only", n)
	}
}

// TestCaseFolding: a rune and its full case folding give the same words.
func TestCaseFolding(t *testing.T) {
	t.Parallel()
	n := 0
	dataLines(t, unicodeData+"CaseFolding.txt", func(f []string) {
		if f[1] != "C" && f[1] != "F" {
			return
		}
		n++
		// The iota subscript is a mark, and marks are dropped before case.
		if strings.ContainsRune(norm.NFKD.String(codePoints(t, f[0])), 0x345) {
			return
		}
		if a, b := embedded(codePoints(t, f[0])), embedded(codePoints(t, f[2])); !slices.Equal(a, b) {
			t.Errorf("%s folds to %s: %q, %q", f[0], f[2], a, b)
		}
	})
	if n < 1400 {
		t.Errorf("checked %d lines only", n)
	}
}

// TestDefaultIgnorable: characters that are invisible by default are dropped.
func TestDefaultIgnorable(t *testing.T) {
	t.Parallel()
	n := 0
	dataLines(t, unicodeData+"DerivedCoreProperties.txt", func(f []string) {
		if f[1] != "Default_Ignorable_Code_Point" {
			return
		}
		lo, hi, ok := strings.Cut(f[0], "..")
		if !ok {
			hi = lo
		}
		a, _ := strconv.ParseUint(lo, 16, 32)
		b, _ := strconv.ParseUint(hi, 16, 32)
		for r := rune(a); r <= rune(b); r++ {
			n++
			if got := embedded(string(r)); !slices.Equal(got, []string{"qq"}) {
				t.Errorf("%U: %q", r, got)
			}
		}
	})
	if n < 4000 {
		t.Errorf("checked %d code points only", n)
	}
}

// TestMarksAndDigits: every mark and format character is dropped, every
// decimal digit becomes its ASCII digit.
func TestMarksAndDigits(t *testing.T) {
	t.Parallel()
	dataLines(t, unicodeData+"UnicodeData.txt", func(f []string) {
		s := codePoints(t, f[0])
		switch f[2] {
		case "Mn", "Me", "Cf":
			if got := embedded(s); !slices.Equal(got, []string{"qq"}) {
				t.Errorf("%s %s: %q", f[0], f[1], got)
			}
		case "Nd":
			if got := embedded(s); !slices.Equal(got, []string{"q" + f[6] + "q"}) {
				t.Errorf("%s %s: %q", f[0], f[1], got)
			}
		}
	})
}

// TestConfusables: a letter that imitates one ASCII letter, and no case of
// which imitates another, becomes that letter.
func TestConfusables(t *testing.T) {
	t.Parallel()
	const path = "/usr/lib/python3/dist-packages/confusable_homoglyphs/confusables.json"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Skipf("install Debian's python3-confusable-homoglyphs to run this test: %v", err)
	}
	var list map[string][]struct {
		C string `json:"c"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	letter := func(s string) string {
		for _, h := range list[s] {
			if len(h.C) == 1 && isASCIILetter(rune(h.C[0])) {
				return strings.ToLower(h.C)
			}
		}
		return ""
	}
	n := 0
	for c := range list {
		want := letter(c)
		r, size := utf8.DecodeRuneInString(c)
		if want == "" || size != len(c) || r < utf8.RuneSelf || unicode.IsPunct(r) || unicode.Is(unicode.Nd, r) {
			continue
		}
		// A rune that decomposes becomes its parts; of any other its small letter
		// decides.
		if parts := norm.NFKD.String(c); parts != c {
			if !slices.Equal(wordsOf(c), wordsOf(parts)) {
				t.Errorf("%U %s: %q, its parts %q", r, c, wordsOf(c), wordsOf(parts))
			}
			n++
			continue
		}
		if small := letter(string(unicode.ToLower(r))); small != "" {
			want = small
		}
		got := strings.Join(wordsOf(c), " ")
		if got == want {
			n++
			continue
		}
		if !exceptions[r] {
			t.Errorf("%U %s: %q, want %q", r, c, got, want)
		}
	}
	if n < 1100 {
		t.Errorf("%d look-alikes only", n)
	}
}

// exceptions are look-alikes that NormV1 reads otherwise: two bars are separators.
var exceptions = map[rune]bool{0x2223: true, 0x23FD: true}
