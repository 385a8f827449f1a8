package lane

import (
	"unicode/utf8"

	"noecho/ngram"
)

// A sign in the gaps between words is not much: long words, short words and long tokens occur
// in every text. To form words of letters costs a hundred times as much as to read a word as
// it is. So a sign wakes the lane only if the index bears it out:
//
//   - single letters in a row always do;
//   - short words, or pieces of words, do unless most of the newest pairs of words as they
//     are may be indexed;
//   - a long word or token does if its letters have two words in a row that may be indexed
//     one behind the other. "performanceenhancing" does not unless the index has
//     "performance enhancing" or, say, "man ceen".
//
// In strict release every sign counts: the bytes that wait must not tell which text is indexed.
const (
	explainedPairs = 4                // of shortWords-1 pairs
	chainedLetters = 6                // of two words, each of which has chainedLeast or more
	chainedLeast   = 2                //
	chainedWord    = 16               // letters of a word at most
	chainedBytes   = 64               // of letters that are looked at
	chainedRaw     = 4 * chainedBytes // of text that they are in
	chainedAgain   = 8                // letters by which a token grows before it is looked at again
)

// counts reports whether the sign that word i gives counts. Letters that were looked at in
// vain try the patience of the lane.
func (s *respace) counts(sign gapSign, i int64, noise bool) bool {
	switch {
	case s.r.cfg.Strict || sign == signSpelt:
		return sign != noSign
	case sign == signShort:
		return !s.explained(i)
	case sign == noSign || !s.awake && s.r.cfg.Host.Word(i).Span.Lo < s.tired.until:
		return false
	case sign == signToken:
		w := &s.gaps
		if w.tokenLetters < w.tried+chainedAgain {
			return false
		}
		from := max(w.tokenLo, w.hi-(w.tokenLetters-w.tried)-2*chainedWord)
		w.tried = w.tokenLetters
		return s.chained(ngram.Span{Lo: from, Hi: w.hi}, noise)
	}
	for k := i; k > max(-1, i-4); k-- {
		w := s.r.cfg.Host.Word(k)
		if w.Span.Hi-w.Span.Lo >= chainedLetters && !s.r.cfg.Words.Word(ngram.Gram(0, w.Hash, 1)) && s.chained(w.Span, noise) {
			return true
		}
	}
	return false
}

// explained reports whether the newest words as they are may be indexed text.
func (s *respace) explained(i int64) bool {
	known, host := 0, s.r.cfg.Host
	next := host.Word(i).Hash
	for k := i - 1; k > max(-1, i-shortWords); k-- {
		word := host.Word(k).Hash
		if s.r.cfg.Set.Gate2(ngram.Gram(0, ngram.Roll(word, next), 2)) {
			known++
		}
		next = word
	}
	return known >= explainedPairs
}

// chained reports whether the letters of a span have two words in a row that may be indexed
// one behind the other, and that are not both words of the channel. It looks at the first
// letters, and takes a span that is no longer kept for chained.
func (s *respace) chained(span ngram.Span, noise bool) bool {
	raw := s.r.past.from(span.Lo)
	if raw == nil {
		return true
	}
	if s.r.chain == nil {
		s.r.chain = &chain{}
	}
	c, queued := s.r.chain, len(s.queue)
	c.letters = ngram.LettersFrom(span.Lo)
	s.queue = c.letters.Finish(c.letters.Append(s.queue, raw[:min(int64(len(raw)), span.Hi-span.Lo, chainedRaw)]))
	c.set(s.queue[queued:])
	s.queue = s.queue[:queued]
	for at := chainedLeast; at <= c.n-chainedLeast; at++ {
		for from := at - chainedLeast; from >= max(0, at-chainedWord); from-- {
			if hash, ok := c.word(s, from, at); ok && c.goesOn(s, hash, from, at) {
				return true
			}
		}
	}
	if !s.awake {
		s.tired.spend(int64(c.n), noise, span.Hi)
	}
	return false
}

// chain is letters in a row.
type chain struct {
	n           int // letters
	text        [chainedBytes + 16]byte
	ends        [chainedBytes + 1]uint8 // of the letters before
	first, last [chainedBytes]bool      // a word of the channel begins or ends with the letter

	letters ngram.Letters // scratch
}

// set sets the letters to the first of those given.
func (c *chain) set(letters []ngram.Letter) {
	c.n, c.ends[0] = 0, 0
	for _, l := range letters {
		from := int(c.ends[c.n])
		end := from + utf8.RuneLen(l.Rune)
		if end > chainedBytes {
			break
		}
		utf8.EncodeRune(c.text[from:], l.Rune)
		c.first[c.n], c.last[c.n] = l.First, l.Last
		c.n++
		c.ends[c.n] = uint8(end)
	}
}

// word returns the hash of some letters, and whether it may be that of an indexed word.
func (c *chain) word(s *respace, from, to int) (hash uint64, ok bool) {
	hash = s.r.cfg.Spec.Suite.Sum(c.text[c.ends[from]:c.ends[to]])
	return hash, s.r.cfg.Words.Word(ngram.Gram(0, hash, 1))
}

// goesOn reports whether a word behind the word of letters from to at may follow it in
// an indexed text.
func (c *chain) goesOn(s *respace, hash uint64, from, at int) bool {
	for to := max(at+chainedLeast, from+chainedLetters); to <= min(c.n, at+chainedWord); to++ {
		if c.plain(from, at) && c.plain(at, to) {
			continue
		}
		if next, ok := c.word(s, at, to); ok && s.r.cfg.Set.Gate2(ngram.Gram(0, ngram.Roll(hash, next), 2)) {
			return true
		}
	}
	return false
}

// plain reports whether letters are a word of the channel.
func (c *chain) plain(from, to int) bool {
	for i := from + 1; i < to; i++ {
		if c.first[i] {
			return false
		}
	}
	return c.first[from] && c.last[to-1]
}
