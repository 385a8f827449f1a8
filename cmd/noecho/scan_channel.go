package main

import (
	"bytes"
	"slices"

	"noecho/detect"
	"noecho/ngram"
)

// scanChannel is one text that is being scanned: a detector, a count of its
// words, and the lines on which findings begin. Its memory does not grow with
// the text.
type scanChannel struct {
	d       *detect.Detector
	words   *ngram.Scanner // counts
	wordBuf []ngram.Word
	segs    []detect.Segment
	found   []*detect.Finding

	read     int64
	line     int     // of the frontier
	newlines []int64 // offsets of line feeds, the last of those below the frontier too
	next     int     // the first of them that is not below the frontier
	starts   map[*detect.Finding]scanLine
	nBytes   int64
	nWords   int64
}

// scanLine is the line of a byte.
type scanLine struct {
	at     int64
	number int
}

func newScanChannel(s *scan) *scanChannel {
	return &scanChannel{
		d:     detect.New(s.set, s.spec(), s.cfg),
		words: ngram.NewScanner(s.spec().Suite),
		line:  1, starts: map[*detect.Finding]scanLine{},
	}
}

// reset begins another text.
func (c *scanChannel) reset(s *scan) {
	c.d.Reset(s.set, s.spec(), s.cfg)
	c.words.Reset()
	c.read, c.line, c.newlines, c.next = 0, 1, c.newlines[:0], 0
	clear(c.starts)
}

// append scans the next bytes.
func (c *scanChannel) append(p []byte) {
	c.forget()
	for at := 0; ; at++ {
		i := bytes.IndexByte(p[at:], '\n')
		if i < 0 {
			break
		}
		at += i
		c.newlines = append(c.newlines, c.read+int64(at))
	}
	c.read += int64(len(p))
	c.nBytes += int64(len(p))
	c.wordBuf = c.words.Append(c.wordBuf[:0], p)
	c.nWords += int64(len(c.wordBuf))
	c.segs = c.d.Append(c.segs[:0], p)
	c.decided()
}

// keptBytes is how far behind the frontier line feeds are remembered: findings that
// others cover begin there.
const keptBytes = 1 << 20

// forget drops the line feeds that no finding can begin behind any more.
func (c *scanChannel) forget() {
	old := 0
	for old < c.next && c.newlines[old] < c.d.Frontier()-keptBytes {
		old++
	}
	if old > len(c.newlines)/2 {
		c.newlines = append(c.newlines[:0], c.newlines[old:]...)
		c.next -= old
	}
}

// finish ends the text.
func (c *scanChannel) finish() {
	c.wordBuf = c.words.Finish(c.wordBuf[:0])
	c.nWords += int64(len(c.wordBuf))
	c.segs = c.d.Finish(c.segs[:0])
	c.decided()
}

// decided notes the lines of the segments that became final.
func (c *scanChannel) decided() {
	for _, s := range c.segs {
		c.advance(s.Span.Lo)
		if s.Finding != nil {
			if _, ok := c.starts[s.Finding]; !ok {
				c.starts[s.Finding] = scanLine{s.Span.Lo, c.line}
			}
		}
	}
	c.advance(c.d.Frontier())
}

// advance moves the line count to an offset.
func (c *scanChannel) advance(to int64) {
	for c.next < len(c.newlines) && c.newlines[c.next] < to {
		c.next++
		c.line++
	}
}

// closed returns the findings that are complete since the last call.
func (c *scanChannel) closed() []*detect.Finding {
	c.found = c.d.Closed(c.found[:0])
	return c.found
}

// lineOf returns the line on which a closed finding begins, and forgets it. One
// that begins before what was withheld of it, or lies within another, begins among
// the line feeds that are remembered.
func (c *scanChannel) lineOf(f *detect.Finding) int {
	line, ok := c.starts[f]
	delete(c.starts, f)
	if ok && line.at <= f.Span.Lo {
		return line.number
	}
	below, _ := slices.BinarySearch(c.newlines, f.Span.Lo)
	return c.line - (c.next - below)
}

// takeBytes returns the bytes read since the last call.
func (c *scanChannel) takeBytes() int64 {
	n := c.nBytes
	c.nBytes = 0
	return n
}

// takeWords returns the words read since the last call.
func (c *scanChannel) takeWords() int64 {
	n := c.nWords
	c.nWords = 0
	return n
}
