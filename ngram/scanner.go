package ngram

// Scanner finds the words of a text that arrives in pieces. The words it
// yields do not depend on how the text was cut. Not safe for concurrent use.
// A Scanner never allocates beyond growing dst.
type Scanner struct {
	suite  Suite
	offset int64
}

// NewScanner returns a scanner at the start of a text.
func NewScanner(s Suite) *Scanner { return &Scanner{suite: s} }

// Append reads p, the next bytes of the text, and appends to dst the words
// that are now complete.
func (s *Scanner) Append(dst []Word, p []byte) []Word { panic("skeleton") }

// Finish appends the words that end with the text. Afterwards only Reset may
// be called.
func (s *Scanner) Finish(dst []Word) []Word { panic("skeleton") }

// Peek appends the words that Finish would append, and changes nothing.
func (s *Scanner) Peek(dst []Word) []Word { panic("skeleton") }

// Reset makes the scanner ready for a new text.
func (s *Scanner) Reset() { *s = Scanner{suite: s.suite} }

// Offset is the number of bytes read.
func (s *Scanner) Offset() int64 { return s.offset }

// Frontier is the offset below which every byte's word is known: the start of
// the unfinished word or markup, or Offset if there is none.
func (s *Scanner) Frontier() int64 { return s.offset }
