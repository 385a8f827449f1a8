package detect

import (
	"math"
	"slices"
)

// Extent is how much of the text around a finding is withheld with it.
type Extent uint8

// The extents.
const (
	ExtentSpan     Extent = iota // only its span
	ExtentSentence               // the sentences that its span touches
	ExtentRest                   // the channel from its first byte on
)

// String returns the extent's name in a configuration.
func (e Extent) String() string { return [...]string{"span", "sentence", "rest"}[e] }

// maxSentence is how many bytes a sentence has at most. A sentence waits until its end,
// so it must have one.
const maxSentence = 2 << 10

// sentences finds where sentences begin: behind a full stop, a question mark or an
// exclamation mark that white space follows, behind an empty line, and behind
// maxSentence bytes. The full stop of an abbreviation ends a sentence too.
type sentences struct {
	starts []int64 // where the sentences begin, in order; the first one has the next byte to be released
	at     int64   // bytes read
	state  sentenceState
}

// sentenceState is the sort of the bytes before the next one.
type sentenceState uint8

const (
	sentenceText  sentenceState = iota
	sentenceStop                // a mark that ends a sentence
	sentenceLine                // a line feed
	sentenceSpace               // white space behind the end of a sentence
)

func (s *sentences) reset() {
	*s = sentences{starts: append(s.starts[:0], 0)}
}

// read reads the next bytes of the channel.
func (s *sentences) read(p []byte) {
	for i, c := range p {
		at := s.at + int64(i)
		space := c == ' ' || c == '\n' || c == '\r' || c == '\t'
		switch {
		case s.state == sentenceSpace && !space, at-s.starts[len(s.starts)-1] >= maxSentence:
			s.starts = append(s.starts, at)
			s.state = sentenceText
			fallthrough
		default:
			s.state = s.next(c, space)
		}
	}
	s.at += int64(len(p))
}

// next returns the state behind a byte.
func (s *sentences) next(c byte, space bool) sentenceState {
	switch {
	case s.state == sentenceSpace:
		return sentenceSpace
	case space && s.state == sentenceStop, c == '\n' && s.state == sentenceLine:
		return sentenceSpace
	case c == '.' || c == '!' || c == '?':
		return sentenceStop
	case c == '\n':
		return sentenceLine
	case s.state == sentenceStop && (c == '"' || c == '\'' || c == ')' || c == '*'):
		return sentenceStop
	}
	return sentenceText
}

// begin returns where the sentence of a byte begins.
func (s *sentences) begin(at int64) int64 {
	i, ok := slices.BinarySearch(s.starts, at)
	if !ok {
		i--
	}
	return s.starts[max(i, 0)]
}

// end returns the first end of a sentence at or behind an offset, math.MaxInt64 while
// that is not known.
func (s *sentences) end(at int64) int64 {
	i, _ := slices.BinarySearch(s.starts, at)
	if i == len(s.starts) {
		return math.MaxInt64
	}
	return s.starts[i]
}

// forget drops the sentences before that of a byte.
func (s *sentences) forget(at int64) {
	i, ok := slices.BinarySearch(s.starts, at)
	if !ok {
		i--
	}
	if i > 0 {
		s.starts = slices.Delete(s.starts, 0, i)
	}
}
