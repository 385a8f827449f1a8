package eval

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"noecho/ngram"
)

// samples are the texts on which the disguises are tried.
var samples = []string{
	"The quick harbour master of Northcove wrote 14 letters, none of which arrived; Maren's dog, a Border collie, ate them on Thursday the 3rd and slept until noon in the cellar.",
	"one",
	"Dix-huit élèves naïfs dînent à l’hôtel\ndu Nord.\n\n12. Then \"nothing\" more (really) <was> said & done.",
	"日本語の文章です。 これは長い。",
	"A1 b2 c3 d4 e5 f6 g7 h8 i9 j10 k11 l12 m13 n14 o15 p16 q17 r18 s19 t20",
}

func testSpec(t testing.TB) ngram.Spec {
	t.Helper()
	spec, err := ngram.NewSpec(5, ngram.XXH64)
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// sample returns a passage and filler to disguise it with.
func sample(t testing.TB, text string) (*passage, *filler) {
	t.Helper()
	spec := testSpec(t)
	p, err := newPassage(spec, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f := newFiller(spec.Suite)
	f.strike(p.words)
	if f.seal() < minFiller {
		t.Fatal("no filler is left")
	}
	return p, f
}

// spelled returns a passage in a disguise. The same seed gives the same result.
func spelled(d *Disguise, p *passage, f *filler, seed uint64) *disguised {
	rng := newRand(seed, d.Name)
	return d.apply(p, rng, f.stream(rng))
}

// plainWords are the words of a text by a method that shares nothing with package
// ngram: runs of letters, marks and digits in small letters, apostrophes dropped.
func plainWords(s string) []string {
	s = strings.NewReplacer("'", "", "’", "").Replace(strings.ToLower(s))
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// eachField applies f to each part between white space.
func eachField(f func(string) string) func(string) string {
	return func(s string) string {
		fields := strings.Fields(s)
		for i := range fields {
			fields[i] = f(fields[i])
		}
		return strings.Join(fields, " ")
	}
}

func backwards(s string) string {
	r := []rune(s)
	slices.Reverse(r)
	return string(r)
}

// everyOther drops every second character.
func everyOther(s string) string {
	var out []rune
	for i, r := range []rune(s) {
		if i%2 == 0 {
			out = append(out, r)
		}
	}
	return string(out)
}

func mapped(f func(r rune) rune) func(string) string {
	return func(s string) string { return strings.Map(f, s) }
}

func without(pattern string) func(string) string {
	re := regexp.MustCompile(pattern)
	return func(s string) string { return re.ReplaceAllString(s, "") }
}

func replaced(pairs ...string) func(string) string { return strings.NewReplacer(pairs...).Replace }

// must turns a decoder into an undoing; a text that cannot be decoded gives an empty
// one.
func must(f func(string) ([]byte, error)) func(string) string {
	return func(s string) string {
		b, err := f(s)
		if err != nil {
			return "undecodable: " + err.Error()
		}
		return string(b)
	}
}

func numbers(base int) func(string) string {
	return must(func(s string) (out []byte, err error) {
		for _, f := range strings.Fields(s) {
			n, err := strconv.ParseUint(f, base, 8)
			if err != nil {
				return nil, err
			}
			out = append(out, byte(n))
		}
		return out, nil
	})
}

func same(s string) string { return s }

// undo has a function for each disguise that a reader can undo without loss. Two of
// them lose the ends of words.
var undo = map[string]func(string) string{
	"upper case": same, "lower case": same, "title case": same,
	"one word a line": same, "numbered list": without(`(?m)^[0-9]+\. `), "bulleted list": same, "quoted lines": same, "table": same,
	"commas between words": same, "underscores between words": same, "pipes between words": same, "slashes between words": same,
	"bold": same, "italic": same, "code": same,
	"HTML tags": without(`</?b>`), "HTML tags with attributes": without(`</?b( class="x")?>`),
	"HTML entities": html.UnescapeString, "bold inside words": without(`\*\*`),
	"zero-width characters": without("[\u200b\u200d\u2060\ufeff]"), "soft hyphens": without("\u00ad"),
	"combining marks": without("[\u0301\u0323\u0336]"), "bidi marks": without("[\u200e\u200f\u202a\u202c\u2066\u2069]"),
	"tag characters in words": without("[\U000e0061\U000e007a\U000e007f]"),
	"fullwidth": mapped(func(r rune) rune {
		if r >= '！' && r <= '～' {
			return r - '！' + '!'
		}
		return r
	}),
	"mathematical bold": mapped(func(r rune) rune {
		switch {
		case r >= '𝐀' && r <= '𝐙':
			return r - '𝐀' + 'A'
		case r >= '𝐚' && r <= '𝐳':
			return r - '𝐚' + 'a'
		case r >= '𝟎' && r <= '𝟗':
			return r - '𝟎' + '0'
		}
		return r
	}),
	"look-alike letters, Cyrillic": replaced("А", "A", "В", "B", "С", "C", "Е", "E", "Н", "H", "І", "I", "Ј", "J", "К", "K", "М", "M", "О", "O",
		"Р", "P", "Ѕ", "S", "Т", "T", "Х", "X", "а", "a", "с", "c", "е", "e", "і", "i", "ј", "j", "о", "o", "р", "p", "ѕ", "s", "х", "x", "у", "y"),
	"look-alike letters, Greek": replaced("Α", "A", "Β", "B", "Ε", "E", "Η", "H", "Ι", "I", "Κ", "K", "Μ", "M", "Ν", "N", "Ο", "O", "Ρ", "P",
		"Τ", "T", "Χ", "X", "Υ", "Y", "Ζ", "Z", "ο", "o"),
	"no-break spaces": replaced("\u00a0", " "), "curly quotes": replaced("“", " ", "”", " "),
	"written in tag characters": mapped(func(r rune) rune {
		if r >= 0xe0000 {
			return r - 0xe0000
		}
		return r
	}),
	"spaced letters": func(s string) string {
		parts := strings.Split(s, "   ")
		for i := range parts {
			parts[i] = everyOther(parts[i])
		}
		return strings.Join(parts, " ")
	},
	"dotted letters": eachField(everyOther), "hyphen-broken lines": replaced("-\n", ""), "no spaces": same, "camel case": same,
	"base64": must(base64.StdEncoding.DecodeString),
	"base64, line-broken": must(func(s string) ([]byte, error) {
		return base64.StdEncoding.DecodeString(strings.ReplaceAll(s, "\n", ""))
	}),
	"base64, url-safe": must(base64.RawURLEncoding.DecodeString),
	"base64, twice": must(func(s string) ([]byte, error) {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, err
		}
		return base64.StdEncoding.DecodeString(string(b))
	}),
	"base32": must(base32.StdEncoding.DecodeString), "hex": must(hex.DecodeString),
	"percent":    must(func(s string) ([]byte, error) { out, err := url.PathUnescape(s); return []byte(out), err }),
	`\u escapes`: must(func(s string) ([]byte, error) { out, err := strconv.Unquote(`"` + s + `"`); return []byte(out), err }),
	"rot13": mapped(func(r rune) rune {
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMabcdefghijklmnopqrstuvwxyzabcdefghijklm"
		if i := strings.IndexRune(letters, r); i >= 0 {
			return rune(letters[i+13])
		}
		return r
	}),
	"decimal codes": numbers(10), "binary codes": numbers(2),
	"reversed text": backwards, "words reversed in place": eachField(backwards),
	"reversed words": func(s string) string {
		f := strings.Fields(s)
		slices.Reverse(f)
		return strings.Join(f, " ")
	},
}

// TestUndone undoes every disguise that loses nothing: the words come back.
func TestUndone(t *testing.T) {
	t.Parallel()
	for i := range disguises {
		d := &disguises[i]
		back, ok := undo[d.Name]
		if !ok {
			continue
		}
		for _, text := range samples {
			p, f := sample(t, text)
			got, want := plainWords(back(string(spelled(d, p, f, 1).text))), plainWords(text)
			if d.Name == "no spaces" || d.Name == "camel case" {
				join := func(words []string) []string {
					return plainWords(strings.Map(func(r rune) rune {
						if unicode.IsLetter(r) || unicode.IsDigit(r) {
							return r
						}
						return -1
					}, strings.Join(words, "")))
				}
				got, want = join(got), join(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: undone: %q, want %q", d.Name, got, want)
			}
		}
	}
}

// lossy has a check for each other disguise: given the words of the passage and of the
// disguised text, it describes the first error.
var lossy = map[string]func(before, after []string) string{
	"leet": func(before, after []string) string {
		digits := strings.NewReplacer("a", "4", "e", "3", "i", "1", "o", "0", "s", "5", "t", "7")
		for i := range before {
			if i >= len(after) || digits.Replace(before[i]) != after[i] {
				return "other digits"
			}
		}
		return ""
	},
	"pig latin": func(before, after []string) string {
		for i := range before {
			if i >= len(after) || len(after[i]) != len(before[i])+2 || !strings.HasSuffix(after[i], "ay") || !strings.Contains(before[i]+before[i], strings.TrimSuffix(after[i], "ay")) {
				return "not turned"
			}
		}
		return ""
	},
	"one word in nine swapped":  swapped(9),
	"one word in six swapped":   swapped(6),
	"one word in nine dropped":  func(before, after []string) string { return gaps(9, after, before) },
	"one word in nine inserted": func(before, after []string) string { return gaps(10, before, after) },
	"one word in six inserted":  func(before, after []string) string { return gaps(7, before, after) },
	"filler after every word": func(before, after []string) string {
		for i := range before {
			if after[2*i] != before[i] || after[2*i+1] != after[1] {
				return "not the same word behind each"
			}
		}
		return ""
	},
	"interleaved texts": func(before, after []string) string {
		for i := range before {
			if after[2*i] != before[i] || slices.Contains(before, after[2*i+1]) {
				return "not in turn"
			}
		}
		return ""
	},
}

// swapped checks that every n-th word differs, and no other.
func swapped(every int) func(before, after []string) string {
	return func(before, after []string) string {
		if len(before) != len(after) {
			return "another number of words"
		}
		last := -1
		for i := range before {
			if before[i] == after[i] {
				continue
			}
			if last >= 0 && i-last != every {
				return "not as often"
			}
			last = i
		}
		if last < len(before)-every {
			return "not often enough"
		}
		return ""
	}
}

// gaps checks that few are the words of many without every n-th.
func gaps(every int, few, many []string) string {
	i, last := 0, -1
	for j, w := range many {
		switch {
		case i < len(few) && few[i] == w:
			i++
		case last >= 0 && j-last != every:
			return "not as often"
		default:
			last = j
		}
	}
	if i < len(few) || last < len(many)-every {
		return "not all words, or not often enough"
	}
	return ""
}

// TestLossy checks the disguises that cannot be undone word for word.
func TestLossy(t *testing.T) {
	t.Parallel()
	text := "the harbour master of northcove wrote many letters none of which arrived since maren had a dog and it ate them"
	p, f := sample(t, text)
	for i := range disguises {
		d := &disguises[i]
		check, ok := lossy[d.Name]
		if _, undone := undo[d.Name]; ok == undone {
			t.Errorf("%s is checked twice or never", d.Name)
		}
		for seed := uint64(0); ok && seed < 20; seed++ {
			if wrong := check(plainWords(text), plainWords(string(spelled(d, p, f, seed).text))); wrong != "" {
				t.Errorf("%s, seed %d: %s", d.Name, seed, wrong)
			}
		}
	}
}

// TestPlaces changes one word of a passage at a time: the disguised text then changes
// at the place of this word, and nowhere else.
func TestPlaces(t *testing.T) {
	t.Parallel()
	other := strings.NewReplacer("n", "m", "m", "n", "l", "r", "r", "l", "d", "g", "g", "d", "日", "月", "の", "に", "1", "2", "2", "1")
	for i := range disguises {
		d := &disguises[i]
		for _, text := range samples {
			p, f := sample(t, text)
			s := spelled(d, p, f, 3)
			for j, w := range p.words {
				changed := text[:w.Span.Lo] + other.Replace(text[w.Span.Lo:w.Span.Hi]) + text[w.Span.Hi:]
				q, err := newPassage(testSpec(t), []byte(changed))
				if err != nil {
					t.Fatal(err)
				}
				at, got := s.word(w), spelled(d, q, f, 3)
				if len(got.text) != len(s.text) {
					t.Errorf("%s: word %d changes the length", d.Name, j)
					continue
				}
				differs := false
				for k := range s.text {
					if got.text[k] == s.text[k] {
						continue
					}
					differs = true
					if k < at.lo || k >= at.hi {
						t.Errorf("%s: word %d is at %v, but byte %d changes with it", d.Name, j, at, k)
						break
					}
				}
				if differs != (at.present() && changed != text) {
					t.Errorf("%s: word %d: present %v, changed %v, but the spelling differs %v", d.Name, j, at.present(), changed != text, differs)
				}
			}
		}
	}
}

// TestPlacesApart checks that places are as narrow as possible: words that are not
// neighbours share no byte, even in codes that pack several letters into one.
func TestPlacesApart(t *testing.T) {
	t.Parallel()
	var words []string
	for i := range 12 {
		words = append(words, strings.Repeat(string(rune('a'+i)), 14))
	}
	p, f := sample(t, strings.Join(words, " "))
	for i := range disguises {
		d := &disguises[i]
		s := spelled(d, p, f, 1)
		for a := range p.words {
			for b := a + 2; b < len(p.words); b++ {
				x, y := s.word(p.words[a]), s.word(p.words[b])
				if x.present() && y.present() && x.lo < y.hi && y.lo < x.hi {
					t.Fatalf("%s: words %d and %d are at %v and %v", d.Name, a, b, x, y)
				}
			}
		}
	}
}

// TestKept lists the disguises that leave words out: those that swap or drop.
func TestKept(t *testing.T) {
	t.Parallel()
	for i := range disguises {
		d := &disguises[i]
		p, f := sample(t, samples[0])
		s, gone := spelled(d, p, f, 1), 0
		for _, w := range p.words {
			if !s.word(w).present() {
				gone++
			}
		}
		if may := strings.HasSuffix(d.Name, "swapped") || strings.HasSuffix(d.Name, "dropped"); may != (gone > 0) {
			t.Errorf("%s leaves %d words out", d.Name, gone)
		}
	}
}

func FuzzDisguises(f *testing.F) {
	for i, s := range samples {
		f.Add(s, uint64(i))
	}
	f.Add("\xff\xfe a\x80b", uint64(9))
	f.Add("- \n1. \\u00zz &#x110000; <b", uint64(9))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		p, err := newPassage(testSpec(t), []byte(text))
		if err != nil || len(text) > 1<<10 {
			return
		}
		fill := newFiller(testSpec(t).Suite)
		fill.seal()
		for i := range disguises {
			d := &disguises[i]
			s := spelled(d, p, fill, seed)
			if again := spelled(d, p, fill, seed); string(again.text) != string(s.text) {
				t.Fatalf("%s: one seed, two spellings", d.Name)
			}
			inner := len(s.text)
			rng := newRand(seed, "around")
			s = fill.stream(rng).embed(s)
			if s.end-s.begin != inner {
				t.Fatalf("%s: the passage has %d bytes, and %d in its place", d.Name, inner, s.end-s.begin)
			}
			for _, w := range p.words {
				if at := s.word(w); at.present() && (at.lo < s.begin || at.hi > s.end) {
					t.Fatalf("%s: a word is at %v, the passage at %d to %d", d.Name, at, s.begin, s.end)
				}
			}
		}
	})
}
