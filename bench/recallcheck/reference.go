package main

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// book is one file of the corpus.
type book struct {
	name  string
	text  string
	feeds []int // offsets of its line feeds
}

func newBook(name, text string) book {
	b := book{name: name, text: text}
	for i := range len(text) {
		if text[i] == '\n' {
			b.feeds = append(b.feeds, i)
		}
	}
	return b
}

// line returns the line of a byte, from 1.
func (b *book) line(at int) int {
	n, _ := slices.BinarySearch(b.feeds, at)
	return n + 1
}

// readBooks reads the files of a folder and below. Hidden files are left out, as in an
// index.
func readBooks(folder string) ([]book, error) {
	var books []book
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), ".") && path != folder && d.IsDir():
			return fs.SkipDir
		case strings.HasPrefix(d.Name(), ".") || !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		books = append(books, newBook(filepath.ToSlash(name), string(data)))
		return err
	})
	if err == nil && len(books) == 0 {
		err = fmt.Errorf("no files in %q", folder)
	}
	return books, err
}

// place is the place of a window in the corpus.
type place struct{ book, lo int }

// reference is the set of sequences of n words of a corpus, by one reading. Words are
// numbers; a window is the bytes of n of them. Its memory is about a hundred bytes a
// word of the corpus.
type reference struct {
	reading reading
	n       int
	ids     map[string]uint32
	windows map[string]place
	key     []byte
}

func newReference(rd reading, n int, books []book) *reference {
	r := &reference{reading: rd, n: n, ids: map[string]uint32{}, windows: map[string]place{}}
	for b, bk := range books {
		words := rd.words(letters(bk.text))
		for _, w := range words {
			if _, ok := r.ids[w.text]; !ok {
				r.ids[w.text] = uint32(len(r.ids) + 1)
			}
		}
		for i := 0; i+n <= len(words); i++ {
			key := r.window(words[i : i+n])
			if _, ok := r.windows[key]; !ok {
				r.windows[key] = place{b, words[i].lo}
			}
		}
	}
	return r
}

// window returns n words as a key; a word that the corpus lacks is 0.
func (r *reference) window(words []word) string {
	r.key = r.key[:0]
	for _, w := range words {
		r.key = binary.LittleEndian.AppendUint32(r.key, r.ids[w.text])
	}
	return string(r.key)
}

// quoted is a text whose words are marked if they are in a run of n words of the
// corpus.
type quoted struct {
	words []word
	in    []bool
	where map[int]place // of the first word of each window, by its offset in the file
}

// read marks the words of a text.
func (r *reference) read(text []letter) *quoted {
	q := &quoted{words: r.reading.words(text), where: map[int]place{}}
	q.in = make([]bool, len(q.words))
	for i := 0; i+r.n <= len(q.words); i++ {
		p, ok := r.windows[r.window(q.words[i:i+r.n])]
		if !ok {
			continue
		}
		q.where[q.words[i].lo] = p
		for j := i; j < i+r.n; j++ {
			q.in[j] = true
		}
	}
	return q
}

// runs returns the bytes of the runs, in order.
func (q *quoted) runs() [][2]int {
	var out [][2]int
	for i, w := range q.words {
		switch {
		case !q.in[i]:
		case i > 0 && q.in[i-1]:
			out[len(out)-1][1] = w.hi
		default:
			out = append(out, [2]int{w.lo, w.hi})
		}
	}
	return out
}

// longest returns the words of the longest run.
func (q *quoted) longest() int {
	best, run := 0, 0
	for _, in := range q.in {
		if run++; !in {
			run = 0
		}
		best = max(best, run)
	}
	return best
}

// share is the share of the words that are in runs of the corpus.
func (q *quoted) share() float64 {
	n := 0
	for _, in := range q.in {
		if in {
			n++
		}
	}
	return float64(n) / float64(max(1, len(q.in)))
}
