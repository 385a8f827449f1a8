package ngram

// Letter is one folded letter or digit of a text.
type Letter struct {
	Span   Span   // raw bytes, marks behind the letter included
	Rune   rune   // normalised
	Weight Weight // of a word that holds it: CharWeight: it is a word of its own
	First  bool   // a Scanner's word begins with it
	Last   bool   // and ends with it
}

// Letters finds the letters of a text that arrives in pieces: those of the words
// that a [Scanner] finds, in order, for readers that do not trust what stands
// between them. The same machines read the text, so the letters from one that is
// First to the one that is Last are the normalised bytes of a Scanner's word.
// Several letters may share a span: "ﬁ" is an f and an i.
//
// Letters never allocates beyond growing dst. Not safe for concurrent use; one
// may be copied, and both then read on.
type Letters struct {
	scan Scanner
}

// letterLog is where a Scanner leaves letters.
type letterLog struct {
	on   bool
	open bool // the newest letter may grow and may not be the last of its word
	last Letter
	dst  []Letter
}

// NewLetters returns a reader at the start of a text.
func NewLetters(s Suite) *Letters {
	l := &Letters{scan: Scanner{suite: s}}
	l.Reset()
	return l
}

// Reset makes the reader ready for a new text.
func (l *Letters) Reset() {
	l.scan.Reset()
	l.scan.letters = letterLog{on: true}
}

// Resume makes the reader ready to read a text from an offset on at which a word
// begins.
func (l *Letters) Resume(offset int64) {
	l.Reset()
	l.scan.offset = offset
	l.scan.mark.lineStart = false // a list number is no word
}

// Offset is the number of bytes up to the end of what was read.
func (l *Letters) Offset() int64 { return l.scan.offset }

// Append reads p, the next bytes of the text, and appends to dst the letters that
// are now complete: the newest one is kept, since it may be the last of its word.
func (l *Letters) Append(dst []Letter, p []byte) []Letter {
	s := &l.scan
	s.letters.dst = dst
	for _, c := range p {
		s.decode(c)
		s.offset++
	}
	return l.taken()
}

// Finish appends the letters that end with the text. Afterwards only Reset,
// Resume and Offset may be called.
func (l *Letters) Finish(dst []Letter) []Letter {
	s := &l.scan
	s.letters.dst = dst
	s.finishDecode()
	s.finishEscape()
	s.finishMarkup()
	s.endWord()
	return l.taken()
}

// taken gives the destination back to the caller.
func (l *Letters) taken() []Letter {
	dst := l.scan.letters.dst
	l.scan.letters.dst = nil
	return dst
}

// add notes the next letter of the open word.
func (l *letterLog) add(r rune, at Span, w Weight, first bool) {
	if l.open {
		l.dst = append(l.dst, l.last)
	}
	l.open, l.last = true, Letter{Span: at, Rune: r, Weight: w, First: first}
}

// endWord notes that the newest letter ends a word.
func (l *letterLog) endWord() {
	if l.open {
		l.last.Last = true
		l.dst = append(l.dst, l.last)
		l.open = false
	}
}
