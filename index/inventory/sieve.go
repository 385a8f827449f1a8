package inventory

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"noecho/index/corpus"
	"noecho/index/identify"
	"noecho/ngram"
)

// sieve tells rows that cannot have an item of a query from those that may. It looks for a
// part of each item that is found quickly and that every way to write the item has:
//
//   - of a name, a passage or a spelling: one of its words,
//   - of an e-mail address: the bytes before its "@",
//   - of another identifier: its digits in a row, whatever is between them.
//
// For example it looks for the word "stonefield" of "Bo Stonefield", for "nefield@" of
// bo.stonefield@example.org, and for 2079460958 of +44 20 7946 0958.
type sieve struct {
	open    bool // an item has no such part: every row may have it
	words   wordSet
	locals  [][]byte // the last bytes before the "@", in small letters
	numbers []uint64 // the last digits, 4 bits each
	mask    uint64   // of the digits in numbers that count
}

// The most bytes and digits that a sieve compares, and the fewest digits that are rare enough.
const (
	sieveLocal  = 8
	sieveDigits = 16
	leastDigits = 5
)

// newSieve returns the sieve of a query. anchors has a word of each phrase of the query.
func newSieve(q *Query) *sieve {
	s := new(sieve)
	digits := sieveDigits
	var numbers []string
	for _, it := range q.Items {
		if !slices.Contains([]string{TextKind, NameKind, AttributeKind}, it.Kind) {
			for _, form := range it.forms {
				if form.Kind == identify.Email {
					s.address(form.Text)
					continue
				}
				n := digitsOf(form.Text)
				numbers, digits = append(numbers, n), min(digits, len(n))
			}
		}
		s.anchors(it)
	}
	s.open = s.open || digits < leastDigits
	for _, n := range numbers {
		if s.open {
			break
		}
		var packed uint64
		for _, c := range []byte(n[len(n)-digits:]) {
			packed = packed<<4 | uint64(c-'0')
		}
		if !slices.Contains(s.numbers, packed) {
			s.numbers = append(s.numbers, packed)
		}
	}
	s.mask = ^uint64(0) >> (64 - 4*digits)
	s.words.build()
	return s
}

// address adds an e-mail address in small letters.
func (s *sieve) address(text string) {
	local, _, ok := bytes.Cut([]byte(text), []byte("@"))
	local = local[max(0, len(local)-sieveLocal):]
	if !ok || bytes.ContainsFunc(local, func(r rune) bool { return r >= 0x80 }) {
		s.open = true // letters outside of ASCII have several spellings
		return
	}
	s.locals = append(s.locals, local)
}

// anchors adds a word of each phrase by which an item is searched.
func (s *sieve) anchors(it Item) {
	scan := ngram.NewScanner(suite())
	switch it.Kind {
	case TextKind:
		words := scanned(scan, it.Text)
		n := min(len(words), ngram.DefaultN)
		for ; n > 0 && len(words) >= n; words = words[1:] {
			s.words.anchor(words[:n], 0)
		}
	case NameKind, AttributeKind:
		words := scanned(scan, it.Text)
		s.words.anchor(words[:min(len(words), MostWords)], 0)
	default:
		for _, spelling := range identify.Spellings(it.Kind, it.Text) {
			words := scanned(scan, spelling)
			words = words[:min(len(words), MostWords)]
			local := 0 // words before the "@", which are rarer than those of a domain
			if before, _, ok := bytes.Cut([]byte(it.Text), []byte("@")); ok {
				local = min(len(words), len(scanned(scan, string(before))))
			}
			s.words.anchor(words, local)
		}
	}
}

// digitsOf returns the ASCII digits of a text.
func digitsOf(text string) string {
	var b []byte
	for _, c := range []byte(text) {
		if c-'0' <= 9 {
			b = append(b, c)
		}
	}
	return string(b)
}

// wordSet is a set of words by their hashes. Most words that are not in it take one look-up of
// a bit.
type wordSet struct {
	all   map[uint64]bool
	bits  []uint64 // by the upper bits of a word; nil: not made yet
	shift int      // leaves those bits
}

// setShare is the number of bits for each word of a set.
const setShare = 32

func (s *wordSet) add(word uint64) {
	if s.all == nil {
		s.all = map[uint64]bool{}
	}
	s.all[word], s.bits = true, nil
}

// build makes the set ready for look-ups.
func (s *wordSet) build() {
	if s.bits != nil {
		return
	}
	n := bits.Len(uint(setShare * len(s.all)))
	s.shift = 64 - n
	s.bits = make([]uint64, 1<<max(0, n-6))
	for w := range s.all {
		at := w >> s.shift
		s.bits[at/64] |= 1 << (at % 64)
	}
}

func (s *wordSet) has(word uint64) bool {
	at := word >> s.shift
	return s.bits[at/64]>>(at%64)&1 != 0 && s.all[word]
}

// anchor adds the longest of some words, unless it has one of them: of equal ones the last, as
// the end of a number or a name is rarer than its beginning. If first is not 0, the word is
// one of the first ones.
func (s *wordSet) anchor(words []ngram.Word, first int) {
	if first > 0 {
		words = words[:first]
	}
	var longest ngram.Word
	for _, w := range words {
		if s.all[w.Hash] {
			return
		}
		if w.Span.Hi-w.Span.Lo >= longest.Span.Hi-longest.Span.Lo {
			longest = w
		}
	}
	if len(words) > 0 {
		s.add(longest.Hash)
	}
}

// may reports whether a row may have an item. rec has the texts of the row.
func (w *rowWorker) may(line []byte, rec *corpus.Record) bool {
	s := w.f.sieve
	if s.open || !rec.Plain() {
		return true
	}
	// The scanner reads escapes, so that the words of all texts are words of the line.
	if len(s.words.all) > 0 {
		w.scan.Reset()
		w.words = w.scan.Finish(w.scan.Append(w.words[:0], line))
		if slices.ContainsFunc(w.words, func(word ngram.Word) bool { return s.words.has(word.Hash) }) {
			return true
		}
	}
	for _, seg := range rec.Segments {
		if s.identifiers(rec.Text(seg)) {
			return true
		}
	}
	return s.identifiers(line)
}

// identifiers reports whether a text may have an address or a number.
func (s *sieve) identifiers(text []byte) bool {
	return len(s.locals) > 0 && s.addresses(text) || len(s.numbers) > 0 && s.digits(text)
}

// addresses reports whether a text has the end of a local part before an "@".
func (s *sieve) addresses(text []byte) bool {
	for rest := text; ; {
		at := bytes.IndexByte(rest, '@')
		if at < 0 {
			return false
		}
		before := text[:len(text)-len(rest)+at]
		for _, local := range s.locals {
			if n := len(before) - len(local); n >= 0 && bytes.EqualFold(before[n:], local) {
				return true
			}
		}
		rest = rest[at+1:]
	}
}

// digits reports whether the digits of a text have those of a number in a row. Eight bytes
// without a digit are passed over at once.
func (s *sieve) digits(text []byte) bool {
	var newest uint64
	next := func(c byte) bool {
		newest = newest<<4 | uint64(c-'0')
		return slices.Contains(s.numbers, newest&s.mask)
	}
	i := 0
	for ; i+8 <= len(text); i += 8 {
		found := digitBytes(binary.LittleEndian.Uint64(text[i:]))
		for ; found != 0; found &= found - 1 {
			if next(text[i+bits.TrailingZeros64(found)/8]) {
				return true
			}
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c-'0' <= 9 && next(c) {
			return true
		}
	}
	return false
}

// digitBytes sets the upper bit of each byte of b that is an ASCII digit.
func digitBytes(b uint64) uint64 {
	const each = 0x0101010101010101
	low := b & (each * 0x7f)
	return (low + each*(0x80-'0')) &^ (low + each*(0x7f-'9')) &^ b & (each * 0x80)
}
