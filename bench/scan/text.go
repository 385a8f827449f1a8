package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// texts returns the text to index, as long as the largest size, and the text to read.
func texts(o *options, sizes []int) (trained, text []byte, err error) {
	if trained, err = read(o.corpus); err != nil {
		return nil, nil, err
	}
	if text, err = read(o.text); err != nil {
		return nil, nil, err
	}
	if trained == nil || text == nil {
		c, err := newChain()
		if err != nil {
			return nil, nil, err
		}
		if trained == nil {
			trained = c.text(1, slices.Max(sizes))
		}
		if text == nil {
			text = c.text(2, 7*o.words)
		}
	}
	rest := text
	for n := 0; n < o.words && len(rest) > 0; n++ {
		rest = bytes.TrimLeftFunc(rest, isSpace)
		if i := bytes.IndexFunc(rest, isSpace); i >= 0 {
			rest = rest[i:]
		} else {
			rest = nil
		}
	}
	return trained, text[:len(text)-len(rest)], nil
}

// read returns the contents of a file, nil if it has no name.
func read(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return os.ReadFile(path)
}

func isSpace(r rune) bool { return r <= ' ' }

// chain makes up text of the words of the project's documents: half of the words follow the
// word before them somewhere in the documents, the others are drawn by how frequent they
// are. So its letters, words and pairs of words are those of English, and hardly any ten
// words in a row come twice.
type chain struct {
	words []string
	at    map[string][]int32 // the places of each word
}

// newChain reads the documents.
func newChain() (*chain, error) {
	c := &chain{at: map[string][]int32{}}
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/adr/*.md", "cmd/noecho/demo/corpus/*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			for word := range strings.FieldsSeq(string(text)) {
				if isProse(word) {
					c.at[word] = append(c.at[word], int32(len(c.words)))
					c.words = append(c.words, word)
				}
			}
		}
	}
	if len(c.words) < 10_000 {
		return nil, fmt.Errorf("docs/*.md has %d words, too few to make text of: run this in the root of the repository, or name -corpus and -text", len(c.words))
	}
	return c, nil
}

// isProse reports whether a token is a word with the signs of a sentence around it.
func isProse(word string) bool {
	word = strings.Trim(word, `.,:;?!()"`)
	for _, c := range word {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '\'' && c != '-' {
			return false
		}
	}
	return word != "" && word[0] != '-'
}

// text returns so many bytes, the same ones for each seed.
func (c *chain) text(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 11))
	dst := make([]byte, 0, size+64)
	at, line := 0, 0
	for len(dst) < size {
		word := c.words[at]
		if dst = append(dst, word...); line+len(word) < 90 {
			dst = append(dst, ' ')
			line += len(word) + 1
		} else {
			dst = append(dst, '\n')
			line = 0
		}
		if r.IntN(2) == 0 {
			at = r.IntN(len(c.words))
			continue
		}
		next := c.at[word]
		at = (int(next[r.IntN(len(next))]) + 1) % len(c.words)
	}
	return dst[:size]
}
