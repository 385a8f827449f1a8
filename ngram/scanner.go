package ngram

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// Scanner finds the words of a text that arrives in pieces. The words do not depend on how
// the text was cut.
//
// A text passes four small machines, each of which keeps no more of it than it needs to
// decide:
//
//	bytes -> code points   decode.go    UTF-8; surrogates in three bytes pass
//	      -> escapes       decode.go    \n, \u0041, surrogate halves joined
//	      -> markup        markup.go    entities, tags, list numbers at line start
//	      -> words         scanner.go   fold, collect, cut, hash
//
// For example `Caf\u00e9 <b>No</b>1` yields the words "cafe" and "no1".
//
// Plain ASCII letters and separators take a fast path past all of them. A Scanner never
// allocates beyond growing dst. It is not safe for concurrent use.
type Scanner struct {
	suite  Suite
	offset int64  // bytes read
	dst    []Word // of the call that is running

	code    decoder
	esc     escape
	mark    markup
	word    openWord
	letters letterLog          // used by Letters alone
	normal  [maxWordBytes]byte // the open word's normalised bytes
}

// NewScanner returns a scanner at the start of a text.
func NewScanner(s Suite) *Scanner {
	sc := &Scanner{suite: s}
	sc.Reset()
	return sc
}

// Reset makes the scanner ready for a new text.
func (s *Scanner) Reset() {
	s.offset = 0
	s.code = decoder{}
	s.esc = escape{}
	s.mark.state, s.mark.n, s.mark.lineStart = markNone, 0, true
	s.word = openWord{}
}

// Append reads p, the next bytes of the text, and appends to dst the words
// that are now complete.
func (s *Scanner) Append(dst []Word, p []byte) []Word {
	s.dst = dst
	for len(p) > 0 {
		if s.idle() {
			n := s.fast(p)
			p = p[n:]
			if len(p) == 0 {
				break
			}
		}
		s.decode(p[0])
		s.offset++
		p = p[1:]
	}
	dst, s.dst = s.dst, nil
	return dst
}

// Finish appends the words that end with the text. Afterwards only Reset,
// Offset and Frontier may be called.
func (s *Scanner) Finish(dst []Word) []Word {
	s.dst = dst
	s.finishDecode()
	s.finishEscape()
	s.finishMarkup()
	s.endWord()
	dst, s.dst = s.dst, nil
	return dst
}

// Peek appends the words that Finish would append, and changes nothing. open is the
// normalised bytes of the last of them, and the bytes of a code point that is not complete, if
// the next byte may belong to that word, else nil. It is valid until the next call.
func (s *Scanner) Peek(dst []Word) (words []Word, open []byte) {
	if s.idle() && s.word.open { // nearly always
		if s.word.weight == WordWeight {
			open = s.normal[:s.word.n]
		}
		return append(dst, Word{Span: s.word.span, Hash: s.sum(), Weight: s.word.weight}), open
	}
	code, esc, mark, word, normal := s.code, s.esc, s.mark, s.word, s.normal
	dst = s.Finish(dst)
	s.code, s.esc, s.mark, s.word, s.normal = code, esc, mark, word, normal
	return dst, s.open()
}

// open is the second result of Peek. It uses the storage behind the open word.
func (s *Scanner) open() []byte {
	if s.esc.state != escNone || s.esc.high != 0 {
		return nil
	}
	n := 0
	switch m := &s.mark; {
	case s.word.open && s.word.weight == WordWeight && m.state == markNone:
		n = s.word.n
	case !s.word.open && m.state == markNumber:
		for i := range m.n {
			s.normal[i] = byte(m.open[i].r)
		}
		n = m.n
	case s.word.open || m.state != markNone || s.code.need == 0:
		return nil
	}
	return s.code.appendOpen(s.normal[:n], s.offset)
}

// Offset is the number of bytes read.
func (s *Scanner) Offset() int64 { return s.offset }

// Frontier is the offset below which every byte's word is known: the start of the word or
// markup that is not complete, or Offset if there is none.
func (s *Scanner) Frontier() int64 {
	switch {
	case s.word.open:
		return s.word.span.Lo
	case s.mark.state != markNone:
		return s.mark.open[0].span.Lo
	case s.esc.high != 0:
		return s.esc.highSpan.Lo
	case s.esc.state != escNone:
		return s.esc.lo
	case s.code.need > 0:
		return s.code.lo
	default:
		return s.offset
	}
}

// idle reports whether no machine but the last keeps any part of the text.
func (s *Scanner) idle() bool {
	return s.code.need == 0 && s.esc.state == escNone && s.esc.high == 0 && s.mark.state == markNone
}

// fast reads bytes while they are plain ASCII and returns how many it took.
func (s *Scanner) fast(p []byte) int {
	i := 0
	_, xxh64 := s.suite.(xxh64Suite)
	for i < len(p) {
		if xxh64 && !s.word.open && len(p)-i > 16 && asciiTable[p[i]] != asciiSlow {
			if i += s.fastWords(p[i:], s.offset+int64(i)); i == len(p) {
				break
			}
		}
		class := asciiTable[p[i]]
		if class == asciiLetter || class == asciiDigit && !s.mark.lineStart {
			i += s.fastWord(p[i:], s.offset+int64(i))
			continue
		}
		if class <= asciiDigit {
			break
		}
		if class != asciiQuote {
			s.endWord()
		}
		// Behind a marker at a line start is still a line start.
		if class != asciiMarker {
			s.mark.lineStart = class == asciiLine
		}
		i++
	}
	s.offset += int64(i)
	return i
}

// fastWords reads words of at most 16 ASCII letters and digits, and the separators between
// them, up to the first byte or word that is not one of these, or that may go on behind p. It
// returns how many bytes it has read. No word may be open.
func (s *Scanner) fastWords(p []byte, offset int64) int {
	i := 0
	for len(p)-i >= len(asciiBlock{}) {
		n := s.fastBlock((*asciiBlock)(p[i:]), offset+int64(i), blockBytes)
		if i += n; n < blockBytes-16 { // the word there does not reach beyond the block
			return i
		}
	}
	var end asciiBlock // its zero bytes take the slow path
	copy(end[:], p[i:])
	return i + s.fastBlock(&end, offset+int64(i), len(p)-i)
}

// asciiBlock is the bytes that fastBlock looks at together, and those of a word that begins
// with the last of them.
type asciiBlock [blockBytes + 16]byte

const blockBytes = 64

// fastBlock is fastWords for a block, of which size bytes are of the text. It first finds the letters of the whole block. So it
// knows where a word begins before it has read the word before, and the processor hashes
// several words at the same time.
func (s *Scanner) fastBlock(block *asciiBlock, offset int64, size int) (at int) {
	dst := slices.Grow(s.dst, min(size, blockBytes)/2+1)
	letters := asciiLetters(block)
	limit, end := blockBytes, 0
	for seps := ^(letters | letters<<1); seps != 0; seps &= seps - 1 { // but for the first behind a word
		if k := bits.TrailingZeros64(seps); asciiTable[block[k&63]] < asciiQuote {
			limit = k
			break
		}
	}
	at = limit
	for begins := letters &^ (letters << 1); begins != 0; begins &= begins - 1 {
		lo := bits.TrailingZeros64(begins) & 63
		n := bits.TrailingZeros64(^(letters >> lo))
		if lo > limit {
			break
		}
		if n > 16 || asciiTable[block[lo+n]] < asciiSep || block[lo] <= '9' && s.lineBegins(block, lo) {
			at = lo
			break
		}
		m := &padding[n]
		a, b := binary.LittleEndian.Uint64(block[lo:]), binary.LittleEndian.Uint64(block[lo+8:])
		end = lo + n
		dst = append(dst, Word{
			Span:   Span{offset + int64(lo), offset + int64(end)},
			Hash:   xxh64Block16((a|each*0x20)&m[0], (b|each*0x20)&m[1]),
			Weight: WordWeight,
		})
	}
	if at == blockBytes {
		at = max(at, end+1)
	}
	s.dst, s.mark.lineStart = dst, s.lineBegins(block, at)
	return at
}

// lineBegins reports whether nothing but markers is between the start of a line and a byte of
// a block.
func (s *Scanner) lineBegins(block *asciiBlock, at int) bool {
	for at > 0 {
		at--
		if class := asciiTable[block[at]]; class != asciiMarker {
			return class == asciiLine
		}
	}
	return s.mark.lineStart
}

// fastWord reads a run of ASCII letters and digits that starts at offset lo.
func (s *Scanner) fastWord(p []byte, lo int64) int {
	s.mark.lineStart = false
	if s.word.open && s.word.weight == charWeight {
		s.endWord()
	}
	if !s.word.open {
		s.startWord(lo, WordWeight)
	}
	n, i := s.word.n, 0
	for len(p)-i >= 8 && n+8 <= maxWordBytes {
		x := binary.LittleEndian.Uint64(p[i:])
		// This folds letters and digits. The bytes that it writes behind them are not
		// part of the word.
		binary.LittleEndian.PutUint64(s.normal[n:], x|each*0x20)
		k := asciiRun(x)
		n, i = n+k, i+k
		if k < 8 {
			s.word.n, s.word.span.Hi = n, lo+int64(i)
			return i
		}
	}
	for ; i < len(p); i++ {
		c := asciiFold[p[i]]
		if c == 0 {
			break
		}
		if n >= maxWordBytes {
			s.word.n, s.word.span.Hi = n, lo+int64(i)
			s.endWord()
			s.startWord(lo+int64(i), WordWeight)
			n = 0
		}
		s.normal[n] = c
		n++
	}
	s.word.n, s.word.span.Hi = n, lo+int64(i)
	return i
}

// each times a byte is that byte eight times.
const each = 0x0101010101010101

// asciiLetters returns which bytes of a block are ASCII letters or digits: bit i is that of
// byte i.
func asciiLetters(block *asciiBlock) (letters uint64) {
	for i := 0; i < blockBytes; i += 8 {
		// The factor moves the lowest bit of byte k to bit 56+k.
		x := asciiBytes(binary.LittleEndian.Uint64(block[i:])) >> 7 * 0x0102040810204080
		letters |= x >> 56 << i
	}
	return letters
}

// asciiRun returns how many of the eight bytes of x, the lowest first, are ASCII
// letters or digits before the first that is none.
func asciiRun(x uint64) int { return bits.TrailingZeros64(^asciiBytes(x)&(each*0x80)) / 8 }

// asciiBytes returns the high bits of those bytes of x that are ASCII letters or digits.
// Adding 0x80 - c to a byte of seven bits sets its high bit if it is c or more.
func asciiBytes(x uint64) uint64 {
	low := x & (each * 0x7f)
	small := low | each*0x20
	letter := (small + each*(0x80-'a')) &^ (small + each*(0x7f-'z'))
	digit := (low + each*(0x80-'0')) &^ (low + each*(0x7f-'9'))
	return (letter | digit) &^ x & (each * 0x80)
}

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
		s.letter(r, at, charWeight)
	default:
		s.endWord()
	}
}

// letter adds a folded letter or digit to the open word or begins one.
func (s *Scanner) letter(r rune, at Span, w Weight) {
	if s.word.open && (s.word.weight == charWeight || s.word.n+utf8.RuneLen(r) > maxWordBytes) {
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
