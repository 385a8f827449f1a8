package ngram

// Letter is one folded letter or digit of a text.
type Letter struct {
	Span   Span   // raw bytes, marks behind the letter included
	Rune   rune   // normalised
	Weight Weight // of its word: less than WordWeight if the letter is a word of its own
	First  bool   // a Scanner's word begins with it
	Last   bool   // and ends with it
}

// Letters finds the letters of a text that arrives in pieces: those of the words that a
// [Scanner] finds, in order. It is for readers that do not trust the gaps between words.
// The same machines read the text, so the letters from one that is First to the one that
// is Last are the normalised bytes of a Scanner's word. Several letters may share a span:
// "ﬁ" is an f and an i.
//
// Letters never allocates beyond growing dst. It is not safe for concurrent use. A copy
// reads on independently.
type Letters struct {
	scan Scanner
}

// letterLog collects the letters of a Scanner.
type letterLog struct {
	on   bool
	open bool // the newest letter may grow and may not be the last of its word
	last Letter
	dst  []Letter
}

// LettersFrom returns a reader of a text from an offset on at which a word begins.
func LettersFrom(offset int64) Letters {
	// The word is not at a line start: a number there might be a list number, which is none.
	return Letters{scan: Scanner{offset: offset, letters: letterLog{on: true}}}
}

// Append reads p, the next bytes of the text, and appends to dst the letters that
// are now complete. The newest one is not, since it may be the last of its word.
func (l *Letters) Append(dst []Letter, p []byte) []Letter {
	s := &l.scan
	s.letters.dst = dst
	for _, c := range p {
		s.decode(c)
		s.offset++
	}
	return l.taken()
}

// Finish appends the letters that end with the text. Nothing may be called afterwards.
func (l *Letters) Finish(dst []Letter) []Letter {
	s := &l.scan
	s.letters.dst = dst
	s.finishDecode()
	s.finishEscape()
	s.finishMarkup()
	s.endWord()
	return l.taken()
}

// taken returns dst with the letters appended.
func (l *Letters) taken() []Letter {
	dst := l.scan.letters.dst
	l.scan.letters.dst = nil
	return dst
}

// add records the next letter of the open word.
func (l *letterLog) add(r rune, at Span, w Weight, first bool) {
	if l.open {
		l.dst = append(l.dst, l.last)
	}
	l.open, l.last = true, Letter{Span: at, Rune: r, Weight: w, First: first}
}

// endWord records that the newest letter ends a word.
func (l *letterLog) endWord() {
	if l.open {
		l.last.Last = true
		l.dst = append(l.dst, l.last)
		l.open = false
	}
}
