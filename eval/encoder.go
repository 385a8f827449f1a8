package eval

import (
	"math/rand/v2"
	"slices"
	"unicode"
	"unicode/utf8"

	"noecho/ngram"
)

// extent is a range of bytes of a disguised text. The zero value means that the
// disguised text does not contain the byte.
type extent struct{ lo, hi int }

func (e extent) present() bool { return e.hi > e.lo }

// join returns the smallest extent that contains both.
func (e extent) join(o extent) extent {
	switch {
	case !o.present():
		return e
	case !e.present():
		return o
	default:
		return extent{min(e.lo, o.lo), max(e.hi, o.hi)}
	}
}

// disguised is a passage in a disguise, and the place of each byte of the passage in
// it. If a code packs several bytes into several characters, the place of each of those
// bytes is all of those characters.
type disguised struct {
	of         *passage
	text       []byte
	at         []extent // for each byte of the passage
	begin, end int      // place of the passage in text
}

// word returns the place of a word of the passage.
func (s *disguised) word(w ngram.Word) extent {
	var e extent
	for _, at := range s.at[w.Span.Lo:w.Span.Hi] {
		e = e.join(at)
	}
	return e
}

// encoder writes a passage in a disguise.
type encoder struct {
	p    *passage
	rng  *rand.Rand
	fill *fillerText
	out  disguised
}

func newEncoder(p *passage, rng *rand.Rand, fill *fillerText) *encoder {
	return &encoder{p: p, rng: rng, fill: fill, out: disguised{of: p, at: make([]extent, len(p.text))}}
}

// put writes text that represents no byte of the passage.
func (w *encoder) put(s string) { w.out.text = append(w.out.text, s...) }

// as writes s in place of the bytes lo to hi of the passage.
func (w *encoder) as(lo, hi int, s string) {
	e := extent{len(w.out.text), len(w.out.text) + len(s)}
	w.put(s)
	for i := lo; i < hi; i++ {
		w.out.at[i] = w.out.at[i].join(e)
	}
}

// keep writes the bytes lo to hi of the passage as they are.
func (w *encoder) keep(lo, hi int) {
	for i := lo; i < hi; i++ {
		w.as(i, i+1, string(w.p.text[i:i+1]))
	}
}

// runes calls f for each character between lo and hi; a byte of invalid UTF-8 is a
// character.
func (w *encoder) runes(lo, hi int, f func(r rune, lo, hi int)) {
	for lo < hi {
		r, n := utf8.DecodeRune(w.p.text[lo:hi])
		if r == utf8.RuneError && n == 1 {
			r = rune(w.p.text[lo])
		}
		f(r, lo, lo+n)
		lo += n
	}
}

// tokens returns the parts of the passage between white space.
func (w *encoder) tokens() []extent {
	var all []extent
	open := -1
	w.runes(0, len(w.p.text), func(r rune, lo, _ int) {
		switch space := unicode.IsSpace(r); {
		case space && open >= 0:
			all = append(all, extent{open, lo})
			open = -1
		case !space && open < 0:
			open = lo
		}
	})
	if open >= 0 {
		all = append(all, extent{open, len(w.p.text)})
	}
	return all
}

// middle returns the offset at which the second half of a range begins, lo if it has
// one character.
func (w *encoder) middle(lo, hi int) int {
	var starts []int
	w.runes(lo, hi, func(_ rune, at, _ int) { starts = append(starts, at) })
	return starts[len(starts)/2]
}

// lettered reports whether there are letters on both sides of an offset.
func (w *encoder) lettered(at int) bool {
	before, after := false, false
	w.runes(0, len(w.p.text), func(r rune, lo, hi int) {
		before = before || hi == at && unicode.IsLetter(r)
		after = after || lo == at && unicode.IsLetter(r)
	})
	return before && after
}

// backwards writes a range from its last character to its first.
func (w *encoder) backwards(lo, hi int) {
	var all []extent
	w.runes(lo, hi, func(_ rune, lo, hi int) { all = append(all, extent{lo, hi}) })
	for _, e := range slices.Backward(all) {
		w.as(e.lo, e.hi, string(w.p.text[e.lo:e.hi]))
	}
}

// then disguises a disguised passage once more.
func (s *disguised) then(spell func(w *encoder), rng *rand.Rand, fill *fillerText) *disguised {
	w := newEncoder(&passage{text: s.text}, rng, fill)
	spell(w)
	for i, at := range s.at {
		var e extent
		for _, further := range w.out.at[at.lo:at.hi] {
			e = e.join(further)
		}
		s.at[i] = e
	}
	s.text = w.out.text
	return s
}
