package eval

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"noecho/ngram"
)

// oracle knows exactly which windows of the held-out text are in the training
// text, without filters or hashes of windows. It keeps the held-out text as a list
// of words and compares that list with the words of each training document, window
// by window and word by word. A map leads to the windows that may be equal; it
// decides nothing.
//
// The rules of NormV1 decide where words are and which are equal, so a word is kept
// as the scanner's hash of it, 8 bytes. Beside it the oracle keeps the letters
// of the word, folded by other code (fold). A window that is in the training text
// with the same letters is a quotation to the letter; one that only NormV1 takes
// for equal, say because of a look-alike letter, is not.
//
// For example, with n = 3, the held-out text "Now is the time" has the windows
// "now is the" and "is the time".
//
// Memory is proportional to the held-out text, some 60 bytes a word. Training text
// passes by.
type oracle struct {
	spec ngram.Spec
	seed maphash.Seed

	held    wordList
	weights []ngram.Weight  // of each word
	docs    [][2]int        // the first word of each held-out document, and the first word behind it
	first   []uint32        // by window: the first window of the same words
	differs []bool          // by window: its letters differ from those of the first window
	places  []trainingPlace // by first window: its place in the training text
	letter  []bool          // by first window: the training text has it with the same letters
	heads   map[uint64]uint32
	doc     wordList // the training document that is being compared
}

// wordList is a sequence of words.
type wordList struct {
	keys []byte   // 8 bytes a word
	text []byte   // the letters of the words, a space behind each word
	ends []uint32 // the end of each word in text
}

func (l *wordList) reset() { l.keys, l.text, l.ends = l.keys[:0], l.text[:0], l.ends[:0] }

// key returns the hashes of words i to i+n-1.
func (l *wordList) key(i, n int) []byte { return l.keys[8*i : 8*(i+n)] }

// letters returns the letters of the same words.
func (l *wordList) letters(i, n int) []byte {
	lo := uint32(0)
	if i > 0 {
		lo = l.ends[i-1]
	}
	return l.text[lo:l.ends[i+n-1]]
}

// add appends the words of a text.
func (l *wordList) add(text []byte, words []ngram.Word) {
	for _, w := range words {
		l.keys = binary.LittleEndian.AppendUint64(l.keys, w.Hash)
		l.text = append(fold(l.text, text[w.Span.Lo:w.Span.Hi]), ' ')
		l.ends = append(l.ends, uint32(len(l.text)))
	}
}

// trainingPlace is a line of a training document; the zero value means that there is
// none.
type trainingPlace struct {
	doc  int32 // counted from 1
	line int32 // counted from 1
}

// noWindow marks a word that is too near to the end of its document to begin a window.
const noWindow = math.MaxUint32

func newOracle(spec ngram.Spec) *oracle {
	return &oracle{spec: spec, seed: maphash.MakeSeed(), heads: map[uint64]uint32{}}
}

// add enters a held-out document.
func (o *oracle) add(text []byte, words []ngram.Word) {
	n, begin := o.spec.N, len(o.weights)
	o.held.add(text, words)
	for _, w := range words {
		o.weights = append(o.weights, w.Weight)
	}
	end := len(o.weights)
	o.docs = append(o.docs, [2]int{begin, end})
	for i := begin; i < end; i++ {
		first, differs := uint32(noWindow), false
		if i+n <= end {
			first = o.find(o.held.key(i, n), uint32(i))
			differs = !bytes.Equal(o.held.letters(int(first), n), o.held.letters(i, n))
		}
		o.first = append(o.first, first)
		o.differs = append(o.differs, differs)
		o.places = append(o.places, trainingPlace{})
		o.letter = append(o.letter, false)
	}
}

// find returns the first window with these words; if there is none, it enters
// the given one unless that is noWindow.
func (o *oracle) find(key []byte, enter uint32) uint32 {
	for h := maphash.Bytes(o.seed, key); ; h++ {
		i, ok := o.heads[h]
		switch {
		case ok && bytes.Equal(o.held.key(int(i), o.spec.N), key):
			return i
		case ok:
			continue
		}
		if enter != noWindow {
			o.heads[h] = enter
		}
		return enter
	}
}

// mark marks the held-out windows that are in a training document.
func (o *oracle) mark(doc int, text []byte, words []ngram.Word) {
	o.doc.reset()
	o.doc.add(text, words)
	n, line, counted := o.spec.N, int32(1), int64(0)
	for i := 0; i+n <= len(words); i++ {
		w := o.find(o.doc.key(i, n), noWindow)
		if w == noWindow || o.letter[w] {
			continue
		}
		if o.places[w].doc == 0 {
			lo := words[i].Span.Lo
			line += int32(bytes.Count(text[counted:lo], []byte{'\n'}))
			counted = lo
			o.places[w] = trainingPlace{doc: int32(doc) + 1, line: line}
		}
		o.letter[w] = bytes.Equal(o.doc.letters(i, n), o.held.letters(int(w), n))
	}
}

// fold appends the letters of a word in lower case, without marks and apostrophes.
func fold(dst, word []byte) []byte {
	start := len(dst)
	for _, c := range word {
		switch {
		case c >= 0x80:
			return foldUnicode(dst[:start], word)
		case c >= 'A' && c <= 'Z':
			dst = append(dst, c|0x20)
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			dst = append(dst, c)
		}
	}
	return dst
}

func foldUnicode(dst, word []byte) []byte {
	for _, r := range string(norm.NFKD.Bytes(word)) {
		if unicode.In(r, unicode.L, unicode.N, unicode.Mc) && r != 'ʼ' {
			dst = append(dst, string(unicode.ToLower(unicode.ToUpper(r)))...)
		}
	}
	return dst
}

// known returns the place in the training text of the window that begins at a word, and
// whether the training text has that window at all.
func (o *oracle) known(i int) (trainingPlace, bool) {
	first := o.first[i]
	if first == noWindow || o.places[first].doc == 0 {
		return trainingPlace{}, false
	}
	return o.places[first], true
}

// toTheLetter reports whether the training text has a known window with the same
// letters.
func (o *oracle) toTheLetter(i int) bool { return o.letter[o.first[i]] && !o.differs[i] }

// stretch is a sequence of held-out words, first to last, that are in the training
// text.
type stretch struct{ first, last int }

// stretches returns the stretches that a detector has to find in a document, in
// order: runs of known windows that weigh enough, joined if they share a word.
func (o *oracle) stretches(doc int) []stretch {
	var all []stretch
	begin, end := o.docs[doc][0], o.docs[doc][1]
	known := func(i int) bool { _, ok := o.known(begin + i); return ok }
	weight := func(i int) ngram.Weight { return o.weights[begin+i] }
	runsOfWindows(end-begin, o.spec.N, known, weight, func(lo, hi int) {
		s := stretch{first: begin + lo, last: begin + hi - 1}
		if n := len(all); n > 0 && all[n-1].last >= s.first {
			all[n-1].last = s.last
		} else {
			all = append(all, s)
		}
	})
	return all
}
