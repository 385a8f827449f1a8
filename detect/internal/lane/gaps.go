package lane

import (
	"math"
	"unicode/utf8"

	"noecho/ngram"
)

// wordGapDetector watches the words of the channel for signs that the gaps between them
// were changed. A word looks odd if it ends one of these:
//
//   - singleRun words of one letter in a row
//   - longToken letters without white space between them
//   - a long word with as many capitals inside as humps says
//   - shortWords words in a row that have shortLetters letters at most, or of which every
//     four have half as many
//   - four words that have longLetters letters or more, of which the last is long and not
//     in the index, or whatever it is in strict release
//
// A sign in text whose gaps are right costs time and nothing else.
type wordGapDetector struct {
	singles  int   // one-letter words in a row
	singleLo int64 // the first of them

	tokenLo      int64 // of the newest word's token, that is words without white space between them
	tokenLetters int64
	tokenWords   int
	tried        int64 // letters of the token when they were looked at for words
	hi           int64 // end of the newest word
	calm         bool  // a token before the newest word had fewer than longToken letters

	sizes   uint64 // letters of the shortWords newest words, a byte each, the newest in the lowest
	letters int64  // their sum
	shorts  int    // short words in a row
	shortLo int64  // the fourth of them: fewer are no sign
}

const (
	singleRun    = 4
	longToken    = 20
	humps        = 2
	shortWords   = 8
	shortLetters = 20
	longWord     = 10
	longLetters  = 36 // of four words
)

// gapSign is the reason why a word looks odd.
type gapSign uint8

const (
	noSign gapSign = iota
	signSpelt
	signToken
	signShort
	signLong
)

// odd enters word i of the channel and returns why it looks odd, and from which byte on the
// channel has waited for it.
func (w *wordGapDetector) odd(s *respace, i int64, word ngram.Word) (waited int64, sign gapSign) {
	span := word.Span
	joined := i > 0 && w.joins(s, span.Lo)
	w.hi = span.Hi
	if word.Weight < ngram.WordWeight {
		*w = wordGapDetector{hi: span.Hi, tokenLo: span.Hi, calm: true} // its script has no spaces
		return 0, noSign
	}
	w.calm = !joined && w.tokenLetters < longToken
	if !joined {
		w.tokenLo, w.tokenLetters, w.tokenWords, w.tried = span.Lo, 0, 0, -chainedAgain
	}
	w.tokenLetters += span.Hi - span.Lo
	w.tokenWords++
	size := span.Hi - span.Lo
	if size > 1 && size <= utf8.UTFMax {
		if raw := s.r.past.from(span.Lo); raw != nil {
			size = int64(max(1, utf8.RuneCount(raw[:min(int64(len(raw)), size)])))
		}
	}
	return w.sized(s, word, size)
}

// sized enters a word of so many letters that belongs to the newest token, and returns why
// it looks odd, and from which byte on the channel has waited for it.
func (w *wordGapDetector) sized(s *respace, word ngram.Word, size int64) (waited int64, sign gapSign) {
	lo := word.Span.Lo
	if size > 1 {
		w.singles = 0
	} else if w.singles++; w.singles == 1 {
		w.singleLo = lo
	}
	four := w.sum(size)
	switch {
	case four > shortLetters/2 || w.sizes>>24&0xff == 0:
		w.shorts = 0
	case w.shorts == 0:
		w.shorts, w.shortLo = 4, lo
	default:
		w.shorts++
	}
	switch {
	case w.singles >= singleRun:
		return w.singleLo, signSpelt
	case w.tokenLetters >= longToken, size >= longWord && capitals(s.r.past.from(lo), size) >= humps:
		return w.tokenLo, signToken
	case w.shorts >= shortWords:
		return w.shortLo, signShort
	case w.letters <= shortLetters && w.sizes>>56 > 0:
		return lo, signShort
	case size >= longWord && four >= longLetters && (s.r.cfg.Strict || !s.r.cfg.Words.Word(ngram.Gram(0, word.Hash, 1))):
		return lo, signLong
	}
	return lo, noSign
}

// pass enters the first of several words, up to one that looks odd, and returns how many it
// has entered. The first one has number i.
func (w *wordGapDetector) pass(s *respace, i int64, words []ngram.Word) (n int) {
	for {
		if n += w.plain(&s.r.past, words[n:]); n == len(words) {
			return n
		}
		before := *w
		if _, sign := w.odd(s, i+int64(n), words[n]); sign != noSign {
			*w = before
			return n
		}
		n++
	}
}

// plain enters the first of several words, as odd does, up to one that may look odd, and
// returns how many it has entered. They are nearly all words: ASCII letters behind white
// space, so that each begins a token, and neither short ones in a row nor a long one among
// long ones.
func (w *wordGapDetector) plain(past *past, words []ngram.Word) (n int) {
	buf, begin, at := past.buf, past.begin(), int64(past.n)-past.end // byte b of the channel is at b+at
	sizes, letters, four := w.sizes, w.letters, fourth(w.sizes)
	singles, singleLo := w.singles, w.singleLo
	for ; n < len(words); n++ {
		word := &words[n]
		lo, size := word.Span.Lo, word.Span.Hi-word.Span.Lo
		if lo <= begin || buf[lo+at-1] > ' ' || word.Weight != ngram.WordWeight || !past.ascii(lo+at, size) {
			break
		}
		newest, all := four+size-int64(sizes>>24&0xff), letters+size-int64(sizes>>56)
		switch {
		case newest <= shortLetters/2 && sizes>>16&0xff != 0, all <= shortLetters && sizes>>48&0xff != 0:
			goto end
		case size >= longWord && (size >= longToken || newest >= longLetters || capitals(buf[lo+at:], size) >= humps):
			goto end
		case size > 1:
			singles = 0
		case singles == singleRun-1:
			goto end
		default:
			if singles++; singles == 1 {
				singleLo = lo
			}
		}
		sizes, letters, four = sizes<<8|uint64(size), all, newest
	}
end:
	if n == 0 {
		return 0
	}
	last := words[n-1].Span
	*w = wordGapDetector{
		singles: singles, singleLo: singleLo, sizes: sizes, letters: letters,
		tokenLo: last.Lo, tokenLetters: last.Hi - last.Lo, tokenWords: 1, tried: -chainedAgain, hi: last.Hi,
		calm: n > 1 || w.tokenLetters < longToken, shortLo: w.shortLo,
	}
	return n
}

// sum enters the size of the newest word and returns the letters of the newest four words.
func (w *wordGapDetector) sum(size int64) (four int64) {
	size = min(size, math.MaxUint8)
	w.letters += size - int64(w.sizes>>56)
	w.sizes = w.sizes<<8 | uint64(size)
	return fourth(w.sizes)
}

// fourth returns the sum of the newest four of several sizes.
func fourth(sizes uint64) int64 {
	return int64(sizes&0xff + sizes>>8&0xff + sizes>>16&0xff + sizes>>24&0xff)
}

// joins reports whether no white space is between the newest word and the next one, which
// begins at lo.
func (w *wordGapDetector) joins(s *respace, lo int64) bool {
	gap := s.r.past.from(w.hi)
	if gap == nil || lo < w.hi {
		return lo == w.hi
	}
	return !spaced(gap[:lo-w.hi])
}

// spaced reports whether a gap has white space, also as an escape such as \n.
func spaced(gap []byte) bool {
	for _, c := range gap {
		if c <= ' ' || c == '\\' {
			return true
		}
	}
	return false
}

// capitals counts the capital letters behind small ones in the first bytes of a text.
func capitals(raw []byte, size int64) (n int) {
	small := false
	for _, c := range raw[:min(int64(len(raw)), size)] {
		if small && c >= 'A' && c <= 'Z' {
			n++
		}
		small = c >= 'a' && c <= 'z'
	}
	return n
}

// waits returns the first byte that may turn out to be part of a sign: two single letters
// in a row may become four, short words eight, and a token of several words long. Once
// they are, the lattice decides which bytes wait.
func (w *wordGapDetector) waits(s *respace) int64 {
	lo := int64(math.MaxInt64)
	if w.singles > 1 && w.singles < singleRun {
		lo = w.singleLo
	}
	if w.shorts > 0 && w.shorts < shortWords {
		lo = min(lo, w.shortLo)
	}
	if w.tokenWords > 1 && w.tokenLetters < longToken {
		if gap := s.r.past.from(w.hi); gap != nil && !spaced(gap) {
			lo = min(lo, w.tokenLo)
		}
	}
	return lo
}

// patience bounds the work for letters that are no text: a picture in base64 is one long
// token, and every word of it looks odd. Letters that were read in vain are counted. Beyond
// mostVain of them no sign wakes the lane for a pause. Each pause is twice as long as the
// one before. Patience is whole again once indexed text, an ordinary token, or a long word
// that is no noise comes.
type patience struct {
	vain  int64 // letters read in vain; one of noise counts noiseVain times
	pause int64 // bytes of the last one
	until int64 // offset up to which no sign counts
}

const (
	mostVain    = 4 << 10
	noiseVain   = 16
	trialVain   = 512 // may be spent behind a pause
	firstPause  = 1 << 10
	mostPause   = 32 << 10
	clearWord   = 128 // letters of a word that is no noise and ends a pause
	noisePeriod = 12  // bytes: of colours in 3 or 4 bytes and of their groups in base64
)

// spend counts letters that were read in vain, up to an offset, and reports whether the
// lane has to sleep.
func (p *patience) spend(letters int64, noise bool, at int64) bool {
	if noise {
		letters *= noiseVain
	}
	if p.vain += letters; p.vain <= mostVain {
		return false
	}
	p.vain = mostVain - trialVain
	p.pause = min(max(firstPause, 2*p.pause), mostPause)
	p.until = at + p.pause
	return true
}

// noise reports whether a word is one that no letters of a text give: one byte in sixteen
// is a digit, or half of the bytes are those of a period before.
func noise(word []byte) bool {
	digits, same := 0, [2]int{}
	for i, c := range word {
		if c >= '0' && c <= '9' {
			digits++
		}
		if i >= noisePeriod && c == word[i-noisePeriod] {
			same[0]++
		}
		if i >= 16 && c == word[i-16] {
			same[1]++
		}
	}
	return len(word) > 0 && (16*digits >= len(word) || 2*max(same[0], same[1]) >= len(word))
}
