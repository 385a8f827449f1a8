package detect

import (
	"math"
	"slices"
)

// Extent says how much of the text around a finding is withheld with it.
type Extent uint8

// The extents.
const (
	ExtentSpan     Extent = iota // the span alone
	ExtentSentence               // the sentences it stands in
	ExtentRest                   // everything from it on
)

// maxSentence is the number of bytes after which a sentence counts as over: a
// sentence is held to its end.
const maxSentence = 2 << 10

// sentences finds where sentences begin: behind a full stop, a question or an
// exclamation mark and white space, behind an empty line, and behind maxSentence
// bytes. A full stop behind an abbreviation begins one too.
type sentences struct {
	starts []int64 // that may still matter, in order; the first one is at or below what is emitted
	at     int64   // bytes read
	state  sentenceState
}

// sentenceState is what stands before the next byte.
type sentenceState uint8

const (
	sentenceText  sentenceState = iota
	sentenceStop                // a mark that ends one
	sentenceLine                // a line feed
	sentenceSpace               // white space behind its end
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

// begin returns where the sentence begins that holds a byte.
func (s *sentences) begin(at int64) int64 {
	i, ok := slices.BinarySearch(s.starts, at)
	if !ok {
		i--
	}
	return s.starts[max(i, 0)]
}

// end returns where the sentence ends that holds the byte before at, at the
// earliest: math.MaxInt64 while that is not known.
func (s *sentences) end(at int64) int64 {
	i, _ := slices.BinarySearch(s.starts, at)
	if i == len(s.starts) {
		return math.MaxInt64
	}
	return s.starts[i]
}

// forget drops what lies before the sentence of a byte.
func (s *sentences) forget(at int64) {
	i, ok := slices.BinarySearch(s.starts, at)
	if !ok {
		i--
	}
	if i > 0 {
		s.starts = slices.Delete(s.starts, 0, i)
	}
}
