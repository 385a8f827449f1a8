package ngram

import (
	"encoding/binary"
	"unicode/utf8"
)

// openWord is the word being read; its bytes are in Scanner.normal.
type openWord struct {
	open   bool
	n      int // normalised bytes
	span   Span
	weight Weight
}

// text reads one code point that is not markup.
func (s *Scanner) text(r rune, at Span) {
	if r == separator {
		s.endWord()
		return
	}
	if isHangul(r) {
		l, v, t := jamo(r)
		s.letter(l, at, WordWeight)
		s.letter(v, at, WordWeight)
		if t != 0 {
			s.letter(t, at, WordWeight)
		}
		return
	}
	c, v := lookup(r)
	if c != classSeq {
		s.folded(c, v, at)
		return
	}
	for _, e := range sequence(v) {
		s.folded(class(e>>classShift), rune(e&runeMask), at)
	}
}

// folded reads one folded rune.
func (s *Scanner) folded(c class, r rune, at Span) {
	switch c {
	case classDrop:
		if s.word.open {
			s.word.span.Hi = at.Hi
			s.letters.last.Span.Hi = at.Hi
		}
	case classApostrophe:
	case classWord:
		s.letter(r, at, WordWeight)
	case classChar:
		s.endWord()
		s.letter(r, at, CharWeight)
	default:
		s.endWord()
	}
}

// letter adds a folded letter or digit to the open word or begins one.
func (s *Scanner) letter(r rune, at Span, w Weight) {
	if s.word.open && (s.word.weight == CharWeight || s.word.n+utf8.RuneLen(r) > MaxWordBytes) {
		s.endWord()
	}
	first := !s.word.open
	if first {
		s.startWord(at.Lo, w)
	}
	if s.letters.on {
		s.letters.add(r, at, w, first)
	}
	s.word.n += utf8.EncodeRune(s.normal[s.word.n:], r)
	s.word.span.Hi = at.Hi
}

// startWord opens a word; the caller adds its first letter.
func (s *Scanner) startWord(lo int64, w Weight) {
	s.word = openWord{open: true, span: Span{lo, lo}, weight: w}
}

// endWord completes the open word, if there is one.
func (s *Scanner) endWord() {
	if !s.word.open {
		return
	}
	s.word.open = false
	if s.letters.on {
		s.letters.endWord()
		return
	}
	s.dst = append(s.dst, Word{
		Span:   s.word.span,
		Hash:   s.sum(),
		Weight: s.word.weight,
	})
}

// sum returns the hash of the open word. Nearly every word takes the first way,
// which needs no call through the interface.
func (s *Scanner) sum() uint64 {
	if _, ok := s.suite.(xxh64Suite); ok && s.word.n <= 16 {
		m := &padding[s.word.n]
		return xxh64Block16(binary.LittleEndian.Uint64(s.normal[:8])&m[0], binary.LittleEndian.Uint64(s.normal[8:16])&m[1])
	}
	return s.suite.Sum(s.normal[:s.word.n])
}
