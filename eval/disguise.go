package eval

import (
	"fmt"
	"math/rand/v2"
)

// Disguise is one way to write a passage differently that a reader still understands.
type Disguise struct {
	Name  string
	Group string

	// Floor is the share of the passages that has to be found, and of their words that
	// has to be withheld. Zero: nothing is promised, and the report gives the figures
	// only.
	Floor float64
	// Partly says that the floor applies to passages and not to words, and to long
	// passages only: the first words of a passage may have left before it is found.
	Partly bool

	spell func(w *encoder)
	again func(w *encoder) // spells the result once more; may be nil
}

// The floors: holds for disguises that the detector reads through, as text or in a lane
// (its decoded and rewritten readings of the text); mostly for those that leave near
// matches.
const (
	holds  = 0.99
	mostly = 0.9
)

// longPassage is the number of words from which the floor of a disguise with Partly
// applies.
const longPassage = 40

// floor returns the share of passages of so many words that has to be found.
func (d *Disguise) floor(words int) float64 {
	if d.Partly && words < longPassage {
		return 0
	}
	return d.Floor
}

// withheld returns the share of the words that has to be withheld.
func (d *Disguise) withheld() float64 {
	if d.Partly {
		return 0
	}
	return d.Floor
}

// apply writes a passage in the disguise.
func (d *Disguise) apply(p *passage, rng *rand.Rand, fill *fillerText) *disguised {
	w := newEncoder(p, rng, fill)
	d.spell(w)
	s := &w.out
	if d.again != nil {
		s = s.then(d.again, rng, fill)
	}
	return s
}

// asItIs leaves a passage as it is.
func asItIs(words int) *Disguise {
	return &Disguise{
		Name: fmt.Sprintf("runs of %d words", words), Group: "verbatim", Floor: 1,
		spell: func(w *encoder) { w.keep(0, len(w.p.text)) },
	}
}

// disguises is the table of disguises, in the order of the report.
var disguises = []Disguise{
	{Name: "upper case", Group: "case", Floor: holds, spell: eachRune(upper)},
	{Name: "lower case", Group: "case", Floor: holds, spell: eachRune(lower)},
	{Name: "title case", Group: "case", Floor: holds, spell: titleCase},

	{Name: "one word a line", Group: "layout", Floor: holds, spell: between("\n")},
	{Name: "numbered list", Group: "layout", Floor: holds, spell: numbered},
	{Name: "bulleted list", Group: "layout", Floor: holds, spell: lines(1, "\n- ", " ", "")},
	{Name: "quoted lines", Group: "layout", Floor: holds, spell: lines(6, "\n> ", " ", "")},
	{Name: "table", Group: "layout", Floor: holds, spell: lines(4, "\n| ", " | ", " |")},

	{Name: "commas between words", Group: "separators", Floor: holds, spell: between(",")},
	{Name: "underscores between words", Group: "separators", Floor: holds, spell: between("_")},
	{Name: "pipes between words", Group: "separators", Floor: holds, spell: between("|")},
	{Name: "slashes between words", Group: "separators", Floor: holds, spell: between("/")},

	{Name: "bold", Group: "markup", Floor: holds, spell: lines(1, " **", "", "**")},
	{Name: "italic", Group: "markup", Floor: holds, spell: lines(1, " _", "", "_")},
	{Name: "code", Group: "markup", Floor: holds, spell: lines(1, " `", "", "`")},
	{Name: "HTML tags", Group: "markup", Floor: holds, spell: lines(1, " <b>", "", "</b>")},
	{Name: "HTML tags with attributes", Group: "markup", spell: lines(1, ` <b class="x">`, "", "</b>")},
	{Name: "HTML entities", Group: "markup", Floor: holds, spell: entities},
	{Name: "bold inside words", Group: "markup", spell: boldInside},

	{Name: "zero-width characters", Group: "characters", Floor: holds, spell: sprinkle("\u200b", "\u200d", "\u2060", "\ufeff")},
	{Name: "soft hyphens", Group: "characters", Floor: holds, spell: sprinkle("\u00ad")},
	{Name: "combining marks", Group: "characters", Floor: holds, spell: sprinkle("\u0301", "\u0323", "\u0336")},
	{Name: "fullwidth", Group: "characters", Floor: holds, spell: eachRune(fullwidth)},
	{Name: "mathematical bold", Group: "characters", Floor: holds, spell: eachRune(mathBold)},
	{Name: "look-alike letters, Cyrillic", Group: "characters", Floor: holds, spell: eachRune(imitate(cyrillic))},
	{Name: "look-alike letters, Greek", Group: "characters", spell: eachRune(imitate(greek))},
	{Name: "bidi marks", Group: "characters", Floor: holds, spell: sprinkle("\u200e", "\u200f", "\u202a", "\u202c", "\u2066", "\u2069")},
	{Name: "no-break spaces", Group: "characters", Floor: holds, spell: eachRune(imitate(noBreak))},
	{Name: "curly quotes", Group: "characters", Floor: holds, spell: curly},
	{Name: "tag characters in words", Group: "characters", Floor: holds, spell: sprinkle("\U000e0061", "\U000e007a", "\U000e007f")},
	{Name: "written in tag characters", Group: "characters", spell: eachRune(tagged)},

	{Name: "spaced letters", Group: "cut", Floor: holds, Partly: true, spell: spread(" ", "   ")},
	{Name: "dotted letters", Group: "cut", Floor: holds, Partly: true, spell: spread(".", " ")},
	{Name: "hyphen-broken lines", Group: "cut", Floor: holds, Partly: true, spell: hyphenated},
	{Name: "no spaces", Group: "cut", Floor: holds, Partly: true, spell: between("")},
	{Name: "camel case", Group: "cut", Floor: holds, Partly: true, spell: camelCase},

	{Name: "base64", Group: "code", Floor: holds, Partly: true, spell: base64Text},
	{Name: "base64, line-broken", Group: "code", Floor: holds, Partly: true, spell: base64Lines},
	{Name: "base64, url-safe", Group: "code", Floor: holds, Partly: true, spell: base64URL},
	{Name: "base64, twice", Group: "code", Floor: holds, Partly: true, spell: base64Text, again: base64Text},
	{Name: "base32", Group: "code", Floor: holds, Partly: true, spell: base32Text},
	{Name: "hex", Group: "code", Floor: holds, Partly: true, spell: eachByte("%02x")},
	{Name: "percent", Group: "code", Floor: holds, Partly: true, spell: eachByte("%%%02X")},
	{Name: `\u escapes`, Group: "code", Floor: holds, spell: backslashU},
	{Name: "decimal codes", Group: "code", Floor: holds, Partly: true, spell: eachByte("%d ")},
	{Name: "binary codes", Group: "code", Floor: holds, Partly: true, spell: eachByte("%08b ")},
	{Name: "rot13", Group: "code", Floor: holds, Partly: true, spell: eachRune(rot13)},
	{Name: "leet", Group: "code", Floor: holds, Partly: true, spell: eachRune(imitate(leet))},
	{Name: "reversed text", Group: "code", Floor: holds, Partly: true, spell: reversedText},
	{Name: "reversed words", Group: "code", Floor: holds, Partly: true, spell: reversedWords},
	{Name: "words reversed in place", Group: "code", Floor: holds, Partly: true, spell: reversedInPlace},
	{Name: "pig latin", Group: "code", spell: pigLatin},

	{Name: "one word in nine swapped", Group: "edits", Floor: mostly, Partly: true, spell: edit(9, swap)},
	{Name: "one word in nine dropped", Group: "edits", Floor: mostly, Partly: true, spell: edit(9, drop)},
	{Name: "one word in nine inserted", Group: "edits", Floor: mostly, Partly: true, spell: edit(9, insert)},
	{Name: "one word in six swapped", Group: "edits", Floor: mostly, Partly: true, spell: edit(6, swap)},
	{Name: "one word in six inserted", Group: "edits", Floor: mostly, Partly: true, spell: edit(6, insert)},
	{Name: "filler after every word", Group: "edits", spell: fillerAfter},
	{Name: "interleaved texts", Group: "edits", spell: interleaved},
}
