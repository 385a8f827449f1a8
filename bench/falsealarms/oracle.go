package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math"
	"os"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"noecho/ngram"
)

// oracle knows exactly which windows of the held-out text stand in the training
// text. It keeps the held-out text as a list of words and compares that with
// the list of each training document, window by window and word by word. A map
// leads to the windows worth comparing; it decides nothing.
//
// What a word is and which words are equal is NormV1's answer, so a word is kept
// as the scanner's hash of it, 8 bytes. Beside it stands a second opinion: the
// word spelled out by other means (fold). A window that stands in the training
// text in the same spelling is a quotation to the letter; one that only NormV1
// takes for the same, say because of a look-alike letter, is told apart.
//
// For example, with n = 3, the held-out text "Now is the time" has the windows
// "now is the" and "is the time".
//
// Memory is proportional to the held-out text; training text passes by.
type oracle struct {
	spec    ngram.Spec
	scanner *ngram.Scanner
	seed    maphash.Seed

	held   list
	weight []uint8  // of each word
	docs   [][2]int // first word of each held-out document, first behind it
	like   []uint32 // the first window of the same words, by window
	varies []bool   // whether that one is spelled otherwise, by window
	place  []place  // where the words stand in the training text, by first window
	letter []bool   // whether they stand there in this spelling, by first window
	heads  map[uint64]uint32

	words []ngram.Word // scratch
	doc   list         // scratch
}

// list is a sequence of words.
type list struct {
	keys []byte   // 8 bytes a word
	text []byte   // the words spelled out, a space behind each
	ends []uint32 // where each word ends in text
}

func (l *list) reset() { l.keys, l.text, l.ends = l.keys[:0], l.text[:0], l.ends[:0] }

// key returns words i to i+n-1.
func (l *list) key(i, n int) []byte { return l.keys[8*i : 8*(i+n)] }

// spelling returns the same words spelled out.
func (l *list) spelling(i, n int) []byte {
	lo := uint32(0)
	if i > 0 {
		lo = l.ends[i-1]
	}
	return l.text[lo:l.ends[i+n-1]]
}

// add appends the words of a text.
func (l *list) add(words []ngram.Word, data []byte) {
	for _, w := range words {
		l.keys = binary.LittleEndian.AppendUint64(l.keys, w.Hash)
		l.text = append(fold(l.text, data[w.Span.Lo:w.Span.Hi]), ' ')
		l.ends = append(l.ends, uint32(len(l.text)))
	}
}

// place is a line of a training document; the zero value is nowhere.
type place struct {
	doc  int32 // counted from 1
	line int32 // counted from 1
}

// noWindow stands for a window that reaches beyond its document.
const noWindow = math.MaxUint32

func newOracle(spec ngram.Spec) *oracle {
	return &oracle{
		spec: spec, scanner: ngram.NewScanner(spec.Suite), seed: maphash.MakeSeed(),
		heads: map[uint64]uint32{},
	}
}

// learn reads the held-out documents, as many as have maxWords words, and
// returns those that it read.
func (o *oracle) learn(ctx context.Context, docs []document, maxWords int, show *progress) ([]document, error) {
	show.phase("held-out text", len(docs))
	for i, d := range docs {
		data, err := os.ReadFile(d.path)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if o.add(data); len(o.weight) > maxWords {
			return docs[:i+1], nil
		}
		show.next()
	}
	if len(o.held.text) > math.MaxUint32 {
		return nil, errors.New("held-out text is too long; lower -max-words")
	}
	return docs, nil
}

// add enters a held-out document.
func (o *oracle) add(data []byte) {
	o.scan(data)
	n, first := o.spec.N, len(o.weight)
	o.held.add(o.words, data)
	for _, w := range o.words {
		o.weight = append(o.weight, uint8(w.Weight))
	}
	last := len(o.weight)
	o.docs = append(o.docs, [2]int{first, last})
	for i := first; i < last; i++ {
		like, varies := uint32(noWindow), false
		if i+n <= last {
			like = o.find(o.held.key(i, n), uint32(i))
			varies = !bytes.Equal(o.held.spelling(int(like), n), o.held.spelling(i, n))
		}
		o.like = append(o.like, like)
		o.varies = append(o.varies, varies)
		o.place = append(o.place, place{})
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

// look reads the training documents.
func (o *oracle) look(ctx context.Context, docs []document, show *progress) error {
	show.phase("training text", len(docs))
	for i, d := range docs {
		data, err := os.ReadFile(d.path)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		o.mark(data, int32(i+1))
		show.next()
	}
	return nil
}

// mark notes which held-out windows stand in a training document.
func (o *oracle) mark(data []byte, doc int32) {
	o.scan(data)
	o.doc.reset()
	o.doc.add(o.words, data)
	n, line, counted := o.spec.N, int32(1), int64(0)
	for i := 0; i+n <= len(o.words); i++ {
		w := o.find(o.doc.key(i, n), noWindow)
		if w == noWindow || o.letter[w] {
			continue
		}
		if o.place[w].doc == 0 {
			lo := o.words[i].Span.Lo
			line += int32(bytes.Count(data[counted:lo], []byte{'\n'}))
			counted = lo
			o.place[w] = place{doc: doc, line: line}
		}
		o.letter[w] = bytes.Equal(o.doc.spelling(i, n), o.held.spelling(int(w), n))
	}
}

// scan sets words to those of a document.
func (o *oracle) scan(data []byte) {
	o.scanner.Reset()
	o.words = o.scanner.Append(o.words[:0], data)
	o.words = o.scanner.Finish(o.words)
}

// fold appends a word in lower case without marks and apostrophes.
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

// known reports whether the window that begins at a word stands in the training
// text, and where.
func (o *oracle) known(i int) (place, bool) {
	like := o.like[i]
	if like == noWindow || o.place[like].doc == 0 {
		return place{}, false
	}
	return o.place[like], true
}

// toTheLetter reports whether a known window stands there in the same spelling.
func (o *oracle) toTheLetter(i int) bool { return o.letter[o.like[i]] && !o.varies[i] }

// stretch is a sequence of held-out words, first to last, that stand in the
// training text.
type stretch struct{ first, last int }

// stretches returns what a detector should find in a document, in order: runs
// of known windows that weigh enough, those that share a word made one.
func (o *oracle) stretches(doc int) []stretch {
	var out []stretch
	least := int(ngram.Words(o.spec.N))
	for i, end := o.docs[doc][0], o.docs[doc][1]; i < end; i++ {
		if _, ok := o.known(i); !ok {
			continue
		}
		s := stretch{first: i}
		for i+1 < end {
			if _, ok := o.known(i + 1); !ok {
				break
			}
			i++
		}
		s.last = i + o.spec.N - 1
		weight := 0
		for _, w := range o.weight[s.first : s.last+1] {
			weight += int(w)
		}
		if weight < least {
			continue
		}
		if n := len(out); n > 0 && out[n-1].last >= s.first {
			out[n-1].last = s.last
		} else {
			out = append(out, s)
		}
	}
	return out
}
