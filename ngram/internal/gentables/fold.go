package main

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The classes of ngram's fold table; ngram/fold.go gives the same list.
const (
	classSeparator = iota
	classDrop
	classApostrophe
	classWord  // the rune itself, or the rune in the entry's low bits
	classChar  // the same, a word of its own
	classSeq   // several folded runes
	classShift = 24
)

// folder computes the table entries of NormV1.
type folder struct {
	imitates map[rune]rune // UTS #39: code point -> ASCII letter
	seqs     []uint32
	seqAt    map[string]int
}

func newFolder(list string) (*folder, error) {
	f := &folder{imitates: map[rune]rune{}, seqAt: map[string]int{}}
	for line := range strings.Lines(list) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		code, letter, ok := strings.Cut(line, " ")
		r, err := strconv.ParseUint(code, 16, 32)
		if !ok || err != nil || len(letter) != 1 {
			return nil, fmt.Errorf("bad line %q", line)
		}
		f.imitates[rune(r)] = unicode.ToLower(rune(letter[0]))
	}
	return f, nil
}

// dropped reports whether a rune of a decomposition is left out of a word's hash.
func dropped(r rune) bool {
	if unicode.IsSpace(r) || r == '\b' {
		return false // U+0008 separates, as its JSON escape \b does
	}
	if unicode.Is(unicode.Mc, r) && norm.NFD.PropertiesString(string(r)).CCC() != 0 {
		return true // it changes places with other marks between forms
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Cc,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// fold applies decomposition, dropping, case, digits and look-alikes.
func (f *folder) fold(r rune) []rune {
	prev, cur := "", string(r)
	for prev != cur {
		prev = cur
		var b strings.Builder
		for _, c := range norm.NFKD.String(cur) {
			if !dropped(c) {
				b.WriteRune(c)
			}
		}
		cur = caseFold(b.String())
	}
	out := []rune(cur)
	for i, c := range out {
		out[i] = f.lookalike(digit(c))
	}
	return out
}

// caseFold is full case folding (CaseFolding.txt, C and F). cases.Fold swaps
// the two cases of Cherokee; there the capital is the folded form.
func caseFold(s string) string {
	caser := cases.Fold()
	var b strings.Builder
	for _, c := range s {
		if unicode.Is(unicode.Cherokee, c) {
			b.WriteRune(unicode.ToUpper(c))
		} else {
			b.WriteString(caser.String(string(c)))
		}
	}
	return b.String()
}

// digit maps a decimal digit of any script to its ASCII digit. Every range of
// category Nd begins with a zero and is a multiple of ten long.
func digit(r rune) rune {
	if r < utf8.RuneSelf || !unicode.Is(unicode.Nd, r) {
		return r
	}
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + (r-rune(t.Lo))%10
		}
	}
	return r
}

// lookalike maps a folded rune to the ASCII letter that either of its cases
// imitates, small letter first. Bars and punctuation are separators: they are
// written between words, not in them.
func (f *folder) lookalike(r rune) rune {
	if r < utf8.RuneSelf || unicode.IsPunct(r) || r == 0x2223 || r == 0x23FD {
		return r
	}
	for _, c := range []rune{unicode.ToLower(r), r, unicode.ToUpper(r), unicode.ToTitle(r)} {
		if a, ok := f.imitates[c]; ok {
			return a
		}
	}
	return r
}

// entry packs the class and the value of one folded rune. self is the rune of the entry.
func entry(self, r rune) uint32 {
	class := uint32(classSeparator)
	switch {
	case r == '\'' || r == 0x2018 || r == 0x2019 || r == 0x02BC:
		class = classApostrophe
	case unicode.In(r, unicode.L, unicode.N, unicode.Mc):
		class = classWord
		if unspaced(r) {
			class = classChar
		}
	}
	if class < classWord || r == self {
		return class << classShift
	}
	return class<<classShift | uint32(r)
}

// unspaced reports whether a rune belongs to a script written without spaces.
func unspaced(r rune) bool {
	switch r {
	case 0x30FC, 0x3006, 0x303C, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035:
		return true // script Common, but used with kana and Han only
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// rune computes the table entry of one rune.
func (f *folder) rune(r rune) uint32 {
	if r >= 0xD800 && r <= 0xDFFF || r >= 0xAC00 && r <= 0xD7A3 {
		return classSeparator << classShift // surrogates; Hangul is arithmetic
	}
	out := f.fold(r)
	switch len(out) {
	case 0:
		return classDrop << classShift
	case 1:
		return entry(r, out[0])
	}
	var seq []uint32
	onlySeparators := true
	for _, c := range out {
		e := entry(-1, c)
		onlySeparators = onlySeparators && e>>classShift == classSeparator
		seq = append(seq, e)
	}
	if onlySeparators {
		return classSeparator << classShift
	}
	key := fmt.Sprint(seq)
	at, ok := f.seqAt[key]
	if !ok {
		at = len(f.seqs)
		f.seqAt[key] = at
		f.seqs = append(f.seqs, uint32(len(seq)))
		f.seqs = append(f.seqs, seq...)
	}
	return classSeq<<classShift | uint32(at)
}

// tables writes the two-level table: foldPage[r>>8] names a page of 256.
func (f *folder) tables() []byte {
	var pages [][256]uint32
	index := make([]int, (unicode.MaxRune+1)>>8)
	seen := map[[256]uint32]int{}
	for i := range index {
		var p [256]uint32
		for j := range p {
			p[j] = f.rune(rune(i<<8 | j))
		}
		at, ok := seen[p]
		if !ok {
			at = len(pages)
			seen[p] = at
			pages = append(pages, p)
		}
		index[i] = at
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "// foldPage names the page of foldPages for a rune's high bits.\nvar foldPage = [%d]uint8{", len(index))
	rows(&b, len(index), func(i int) string { return strconv.Itoa(index[i]) })
	fmt.Fprintf(&b, "}\n\n// foldSeqs holds the longer expansions, each behind its length.\nvar foldSeqs = [%d]uint32{", len(f.seqs))
	rows(&b, len(f.seqs), func(i int) string { return fmt.Sprintf("%#x", f.seqs[i]) })
	fmt.Fprintf(&b, "}\n\n// foldPages holds one entry a rune: class in the top byte, rune or place in\n// foldSeqs below.\nvar foldPages = [%d][256]uint32{\n", len(pages))
	for _, p := range pages {
		b.WriteString("{")
		writePage(&b, p)
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	if len(pages) > 256 {
		panic(fmt.Sprintf("gentables: internal error: %d pages", len(pages)))
	}
	return b.Bytes()
}

// writePage writes a page's nonzero entries by index.
func writePage(b *bytes.Buffer, p [256]uint32) {
	n := 0
	for j, e := range p {
		if e == 0 {
			continue
		}
		if n%8 == 0 {
			b.WriteByte('\n')
		}
		n++
		fmt.Fprintf(b, "%#x: %#x, ", j, e)
	}
	if n > 0 {
		b.WriteByte('\n')
	}
}

func rows(b *bytes.Buffer, n int, cell func(int) string) {
	for i := range n {
		if i%16 == 0 {
			b.WriteByte('\n')
		}
		b.WriteString(cell(i))
		b.WriteString(", ")
	}
	b.WriteByte('\n')
}

// sortedKeys returns the keys of m in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
