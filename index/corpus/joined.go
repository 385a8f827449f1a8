package corpus

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Texts that are split into the elements of a list: the parts of a message, segments, lines
// and tokens. The model sees one text.

// mayBeLines reports whether a list of texts in a member of a row may be one text in lines.
// Other lists contain turns, or texts to choose from.
func mayBeLines(name []byte) bool {
	switch string(name) {
	case "segments", "text", "prompt", "completion", "instruction", "input", "output", "response", "question", "answer",
		"context", "problem", "solution", "explanation", "article", "document", "summary", "highlights", "inputs", "targets",
		"target", "input_text", "output_text", "text_input", "query":
		return true
	default:
		return false
	}
}

// list reads the elements of a list with read. If they are parts of one text, neighbours
// are joined. Of a list of turns, a string may be the JSON of messages, which is no part.
func (p *Parser) list(turns bool, read func()) {
	one, from, objects := p.one, len(p.rec.Segments), false
	p.c.open()
	for p.c.more() {
		object := p.c.kind() == '{'
		if part := one && p.isPart(turns); !part || object != objects {
			if one {
				p.join(from, objects)
			}
			from, objects = len(p.rec.Segments), object
			if !part {
				read()
				from = len(p.rec.Segments)
				continue
			}
		}
		read()
	}
	if one {
		p.join(from, objects)
	}
}

// isPart reports whether the next element of a list is a part of a text: a string, or an
// object with a text and without a role. It does not move the cursor.
func (p *Parser) isPart(turns bool) bool {
	switch p.c.kind() {
	case '"':
		c := p.c
		lo, _ := c.str()
		return !turns || c.b[lo] != '[' && c.b[lo] != '{'
	case '{':
		text, role := false, false
		p.has(func(name []byte) bool {
			role = role || lookup(p.uses.part, name) == useRole
			text = text || string(name) == "text" && p.c.kind() == '"'
			return role
		})
		return text && !role
	default:
		return false
	}
}

// join reads the texts of the segments from an index on as one text too. A text with the
// words of a window remains a segment; shorter ones, and the windows over the places where
// two meet, are in segments of their own. objects says that each is the text of an object.
func (p *Parser) join(from int, objects bool) {
	if len(p.rec.Segments)-from < 2 {
		return
	}
	p.parts = append(p.parts[:0], p.rec.Segments[from:]...)
	p.rec.Segments = p.rec.Segments[:from]
	start := 0
	for i, s := range p.parts {
		long := wordy(p.rec.Text(s), p.window)
		if long {
			p.rec.Segments = append(p.rec.Segments, s)
		}
		if long || i == len(p.parts)-1 {
			p.seam(p.parts[start:i+1], objects)
			start = i
		}
	}
}

// seam joins some texts. The first and the last may have the words of a window: of these,
// only those next to the others are read again. Where nothing separates two texts, one
// cannot know whether they are lines or parts of a word: they are read with blanks between
// them, and without.
func (p *Parser) seam(parts []Segment, objects bool) {
	long := func(s Segment) bool { return wordy(p.rec.Text(s), p.window) }
	spaced, blanks := p.joined(parts, true)
	if len(parts) == 1 || !long(spaced) {
		p.rec.text = p.rec.text[:spaced.lo]
		p.rec.Segments = append(p.rec.Segments, slices.DeleteFunc(slices.Clone(parts), long)...)
		return
	}
	p.rec.Segments = append(p.rec.Segments, spaced)
	if blanks {
		glued, _ := p.joined(parts, false)
		p.rec.Segments = append(p.rec.Segments, glued)
	}
	size := 0
	for _, s := range parts {
		if !long(s) {
			size += s.hi - s.lo
		}
	}
	if p.Account == nil || size == 0 {
		return
	}
	old := len(p.path)
	if objects {
		p.push([]byte("text"))
	}
	p.say(size, stateRead)
	p.pop(old)
}

// joined returns a segment of several texts, and whether there are blanks between some of
// them.
func (p *Parser) joined(parts []Segment, spaced bool) (all Segment, blanks bool) {
	all, first := parts[0], len(p.rec.pieces)
	all.lo = len(p.rec.text)
	for i, s := range parts {
		lo, hi := s.lo, s.hi
		if text := p.rec.text[lo:hi]; wordy(text, p.window) {
			if i > 0 {
				hi = lo + wordStart(text, p.window-1)
			} else {
				lo += wordStart(text, countWords(text, len(text))-p.window+1)
			}
		}
		if spaced && i > 0 && touch(p.rec.text, p.rec.text[lo:hi]) {
			p.rec.text = append(p.rec.text, ' ')
			blanks = true
		}
		p.rec.pieces = append(p.rec.pieces, piece{int64(len(p.rec.text) - all.lo), int64(lo - s.lo), s.RawLo, s.RawHi})
		p.rec.text = append(p.rec.text, p.rec.text[lo:hi]...)
	}
	all.hi = len(p.rec.text)
	if !all.inner {
		all.pieces = p.rec.pieces[first:]
	}
	return all, blanks
}

// touch reports whether neither white space nor the end of a sentence or clause separates
// two texts.
func touch(a, b []byte) bool {
	last, _ := utf8.DecodeLastRune(a)
	first, _ := utf8.DecodeRune(b)
	return !unicode.IsSpace(last) && !strings.ContainsRune(".,;:!?", last) && !unicode.IsSpace(first)
}

// shortTexts returns the number of bytes of the strings in the next list, if they have the
// words of a window together and none of them has alone; otherwise 0. A word in capital
// letters is rather a label. It does not move the cursor.
func (p *Parser) shortTexts() (size int) {
	c, words := p.c, 0
	for c.open(); c.more(); {
		if c.kind() != '"' {
			return 0
		}
		lo, hi := c.str()
		raw := c.b[lo:hi]
		n := countWords(raw, p.window)
		switch {
		case n == p.window:
			return 0
		case n > 1 || bytes.ContainsFunc(raw, isNoLabel):
			words += n
		}
		size += len(raw)
	}
	if words < p.window {
		return 0
	}
	return size
}

// isNoLabel reports whether a character is a letter that labels seldom have.
func isNoLabel(r rune) bool { return unicode.IsLetter(r) && !unicode.IsUpper(r) }
