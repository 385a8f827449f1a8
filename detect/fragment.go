package detect

import (
	"unicode/utf8"

	"noecho/internal/gram"
	"noecho/ngram"
)

// An identifier may also be cut inside a word: "ann.ra" in a message, "y@example.net" in the
// channel. Then a word of the message and the channel's first word are one word of the
// phrase, and so are the channel's last word and a word of a message. The hash of such a
// word needs its letters, so a message keeps each of its distinct words.

// dictionary is the distinct words of a message, normalised.
type dictionary struct {
	index  map[uint64]int32 // number of a word by its hash
	hashes []uint64
	ends   []int32 // where the words end in text
	text   []byte
}

// dictionaryHint is the most words that a dictionary has room for from the start.
const dictionaryHint = 1 << 12

// size is the number of words.
func (d *dictionary) size() int { return len(d.ends) }

// at returns word i.
func (d *dictionary) at(i int) []byte {
	lo := int32(0)
	if i > 0 {
		lo = d.ends[i-1]
	}
	return d.text[lo:d.ends[i]]
}

// of returns the word with a hash, nil if there is none.
func (d *dictionary) of(hash uint64) []byte {
	if i, ok := d.index[hash]; ok {
		return d.at(int(i))
	}
	return nil
}

// add enters a word, whose text is raw, unless it is there already.
func (d *dictionary) add(hash uint64, raw []byte, s *speller) {
	if _, ok := d.index[hash]; !ok {
		d.enter(hash, s.normalise(raw))
	}
}

// enter enters a word that is normalised, unless it is there already.
func (d *dictionary) enter(hash uint64, word []byte) {
	if _, ok := d.index[hash]; ok {
		return
	}
	d.index[hash] = int32(len(d.ends))
	d.hashes = append(d.hashes, hash)
	d.text = append(d.text, word...)
	d.ends = append(d.ends, int32(len(d.text)))
}

// speller normalises words.
type speller struct {
	suite ngram.Suite
	list  []ngram.Letter
	text  []byte
}

// normalise returns the normalised bytes of the first word of a text. They are valid until
// the next call.
func (s *speller) normalise(raw []byte) []byte {
	s.text = s.text[:0]
	for _, c := range raw { // most words are plain
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		} else if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return s.spell(raw)
		}
		s.text = append(s.text, c)
	}
	return s.text
}

// spell is normalise for every word.
func (s *speller) spell(raw []byte) []byte {
	letters := ngram.LettersFrom(0)
	s.list = letters.Append(s.list[:0], raw)
	s.list = letters.Finish(s.list)
	s.text = s.text[:0]
	for _, l := range s.list {
		s.text = utf8.AppendRune(s.text, l.Rune)
		if l.Last {
			break
		}
	}
	return s.text
}

// joined returns the hash of the word that two words make.
func (s *speller) joined(first, second []byte) uint64 {
	s.text = append(append(s.text[:0], first...), second...)
	return s.suite.Sum(s.text)
}

// fragmentBytes is how much of the channel's beginning is kept until its first word is
// complete. A longer word is joined to none.
const fragmentBytes = 256

// wordsEach is how many words of a dictionary cost as much as one look-up of the joins.
// Each channel that begins with a letter tries all of them, in memory that is near.
const wordsEach = 8

// keepEnds keeps the channel's first bytes and its newest ones.
func (f *phraseFinder) keepEnds(p []byte) {
	if !f.h.d.cfg.Prompt.joined() {
		return
	}
	if f.joins.open && f.words().Count == 0 && len(f.head) < fragmentBytes {
		f.head = append(f.head, p[:min(len(p), fragmentBytes-len(f.head))]...)
	}
	if len(f.tail)+len(p) > 4*fragmentBytes {
		f.tail = f.tail[:copy(f.tail, f.tail[max(0, len(f.tail)-fragmentBytes):])]
	}
	f.tail = append(f.tail, p[max(0, len(p)-fragmentBytes):]...)
}

// findFragments looks for the words of messages that are one word with the channel's first.
// It returns false if the look-ups of the answer are spent.
func (f *phraseFinder) findFragments() bool {
	t, d := f.words(), f.h.d
	span := t.Span(0)
	if span.Hi > int64(len(f.head)) {
		return true
	}
	f.own = append(f.own[:0], d.speller.normalise(f.head[span.Lo:span.Hi])...)
	for _, m := range d.cfg.Prompt.all().messages {
		if !d.spend(int64(m.dict.size()/wordsEach + len(m.openings))) {
			return false
		}
		for i := range m.dict.size() {
			if !f.fragment(0, 0, m.dict.at(i)) {
				return false
			}
		}
		for _, o := range m.openings {
			most := int(o.words)
			if most == startWords {
				most = gram.MaxPhraseWords - 1
			}
			for k := 1; k <= most && int(o.pos)+k < m.size(); k++ {
				before := gram.Between(m.prefix[o.pos], m.prefix[int(o.pos)+k], k)
				if !f.fragment(before, k, m.dict.of(m.word(int(o.pos)+k))) {
					return false
				}
			}
		}
	}
	return true
}

// fragment looks up k words of a message and the word that the next one makes with the
// channel's first word.
func (f *phraseFinder) fragment(before uint64, k int, word []byte) bool {
	if word == nil {
		return true
	}
	c := phraseJoin{gram.Join(before, f.h.d.speller.joined(word, f.own), 1), int8(k), 1}
	return !f.goesOn(c, 0) || f.keep(c)
}

// precedeFragments looks for the words of messages that are one word with the channel's
// last, if nothing separates them. It returns false if the look-ups of the answer are
// spent.
func (f *phraseFinder) precedeFragments() bool {
	t, d := f.words(), f.h.d
	last := t.Count - 1
	if last < 0 || t.Span(last).Hi != d.read() {
		return true
	}
	bytes := int(t.Span(last).Hi - t.Span(last).Lo)
	if bytes > len(f.tail) {
		return true
	}
	f.own = append(f.own[:0], d.speller.normalise(f.tail[len(f.tail)-bytes:])...)
	for _, m := range d.cfg.Prompt.all().messages {
		if !d.spend(int64(m.dict.size() * (len(f.before) + 1) / wordsEach)) {
			return false
		}
		for i := range m.dict.size() {
			word := d.speller.joined(f.own, m.dict.at(i))
			if !f.precedeFragment(m, i, word, last) {
				return false
			}
			for _, c := range f.before {
				if !c.matched && int(last-c.first) < gram.MaxPhraseWords && !f.precedeFragment(m, i, word, c.first) {
					return false
				}
			}
		}
	}
	return true
}

// precedeFragment looks up the phrases of the channel's words from first on, of which the
// last makes one word with word i of a message, and the words behind that in the message.
func (f *phraseFinder) precedeFragment(m *Message, i int, word uint64, first int64) bool {
	t, ix := f.words(), f.h.d.index
	k := int(t.Count - first)
	words := gram.Join(gram.Between(t.Prefix(first), t.Prefix(t.Count-1), k-1), word, 1)
	h := ngram.Gram(0, words, k)
	if k <= startWords && !ix.Start(h) {
		return true
	}
	if p, ok := ix.Phrase(h); ok {
		f.join(first, t.Count-1, k, h, p)
	}
	all, x := f.h.d.cfg.Prompt.all(), f.h.d.cfg.Prompt.places()
	g := &x.groups[x.ids[m.dict.hashes[i]]]
	if !f.h.d.spend(int64(g.to - g.from)) {
		return false
	}
	for _, at := range x.at[g.from:g.to] {
		in, pos := x.find(all.messages, at)
		if in != m {
			continue
		}
		for n := 1; k+n <= gram.MaxPhraseWords && pos+1+n <= m.size(); n++ {
			h := ngram.Gram(0, gram.Join(words, gram.Between(m.prefix[pos+1], m.prefix[pos+1+n], n), n), k+n)
			if k+n <= startWords && !ix.Start(h) {
				break
			}
			if p, ok := ix.Phrase(h); ok {
				f.join(first, t.Count-1, k+n, h, p)
			}
		}
	}
	return true
}
