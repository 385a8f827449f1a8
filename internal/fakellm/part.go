package fakellm

import (
	"iter"
	"math/rand/v2"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// part is one step of the content of a choice. Every protocol, streamed or not, is
// written from the same parts.
type part struct {
	kind partKind
	text string
	tool int // for partCall and partArgs
}

type partKind uint8

const (
	partRole partKind = iota
	partReasoning
	partContent
	partRefusal
	partCall // the name of a tool call
	partArgs
	partFinish // text is the reason; always the last
)

// giantPiece is the size of a streamed piece of Script.Giant.
const giantPiece = 16 << 10

// parts cuts a choice as the script says. A limit of pieces, if not 0, ends it
// early with reason length.
func (c Choice) parts(s *Script, giant int64, limit int) iter.Seq[part] {
	return func(yield func(part) bool) {
		left := limit
		ok := yield(part{kind: partRole})
		say := func(kind partKind, tool int, all iter.Seq[string]) {
			for p := range all {
				if !ok || limit > 0 && left == 0 {
					return
				}
				left--
				ok = yield(part{kind: kind, text: p, tool: tool})
			}
		}
		say(partReasoning, 0, pieces(c.Reasoning, s.Chunking))
		say(partContent, 0, pieces(c.Content, s.Chunking))
		say(partContent, 0, filler(giant))
		say(partRefusal, 0, pieces(c.Refusal, s.Chunking))
		for i, call := range c.ToolCalls {
			if ok && (limit == 0 || left > 0) {
				ok = yield(part{kind: partCall, text: call.Name, tool: i})
			}
			say(partArgs, i, pieces(call.Arguments, s.Chunking))
		}
		if ok {
			reason := c.reason()
			if limit > 0 && left == 0 {
				reason = "length"
			}
			yield(part{kind: partFinish, text: reason})
		}
	}
}

// reason is the finish reason of a choice that came to its end.
func (c Choice) reason() string {
	switch {
	case c.Finish != "":
		return c.Finish
	case len(c.ToolCalls) > 0:
		return "tool_calls"
	default:
		return "stop"
	}
}

// filler is n bytes without a space.
func filler(n int64) iter.Seq[string] {
	return func(yield func(string) bool) {
		block := strings.Repeat("a", giantPiece)
		for ; n > 0; n -= giantPiece {
			if !yield(block[:min(n, giantPiece)]) {
				return
			}
		}
	}
}

// turns takes one part of every choice in turn, like a server that computes choices
// together.
func turns(choices []iter.Seq[part]) iter.Seq2[int, part] {
	return func(yield func(int, part) bool) {
		next := make([]func() (part, bool), len(choices))
		for i, c := range choices {
			pull, stop := iter.Pull(c)
			defer stop()
			next[i] = pull
		}
		for open := len(next); open > 0; {
			for i, pull := range next {
				if pull == nil {
					continue
				}
				p, ok := pull()
				if !ok {
					next[i] = nil
					open--
					continue
				}
				if !yield(i, p) {
					return
				}
			}
		}
	}
}

// pieces cuts text. The pieces joined are the text; a surrogate half on its own
// is written in three bytes, as if it were a character.
func pieces(text string, c Chunking) iter.Seq[string] {
	return func(yield func(string) bool) {
		if c.Unit == UTF16 {
			text = wtf8(text)
		}
		draw := c.draw()
		for text != "" {
			n := c.cut(text, draw())
			if !yield(text[:n]) {
				return
			}
			text = text[n:]
		}
	}
}

// draw returns the size of the next piece, in units.
func (c Chunking) draw() func() int {
	size := c.Size
	if size == 0 {
		size = 1
		if c.Unit == Tokens {
			size = 4
		}
	}
	if c.Seed == 0 {
		return func() int { return size }
	}
	r := rand.New(rand.NewPCG(c.Seed, 0))
	return func() int { return 1 + r.IntN(size) }
}

// cut returns the length in bytes of the first piece of size units.
func (c Chunking) cut(text string, size int) int {
	n := 0
	switch c.Unit {
	case Words:
		for ; size > 0 && n < len(text); size-- {
			n += word(text[n:])
		}
	case Tokens:
		n = token(text, size)
	case Chars, UTF16:
		for ; size > 0 && n < len(text); size-- {
			n += char(text[n:])
		}
	default:
		n = len(text)
	}
	return n
}

// word is the length of a word with the white space before it.
func word(text string) int {
	n := 0
	for n < len(text) && blank(text[n]) {
		n++
	}
	for n < len(text) && !blank(text[n]) {
		n++
	}
	return n
}

// token is the length of a piece of a word of at most size bytes, or of one
// character, with the space before it.
func token(text string, size int) int {
	n := 0
	if text[0] == ' ' {
		n = 1
	}
	end := n + size
	for n < len(text) && !blank(text[n]) {
		step := char(text[n:])
		if n+step > end && n > 0 && text[n-1] != ' ' {
			break
		}
		n += step
	}
	return max(n, 1)
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// char is the length of one character, of a lone surrogate, or of one byte that
// is neither.
func char(text string) int {
	if _, ok := surrogate(text); ok {
		return 3
	}
	_, n := utf8.DecodeRuneInString(text)
	return n
}

// wtf8 writes every character beyond the basic plane as two surrogates.
func wtf8(text string) string {
	var out []byte
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if hi, lo := utf16.EncodeRune(r); n == 4 {
			for _, u := range [...]rune{hi, lo} {
				out = append(out, 0xe0|byte(u>>12), 0x80|byte(u>>6)&0xbf, 0x80|byte(u)&0xbf)
			}
		} else {
			out = append(out, text[i:i+n]...)
		}
		i += n
	}
	return string(out)
}

// surrogate reads a lone surrogate as wtf8 writes it.
func surrogate(text string) (rune, bool) {
	if len(text) < 3 || text[0] != 0xed || text[1] < 0xa0 || text[1] > 0xbf {
		return 0, false
	}
	return 0xd000 | rune(text[1]&0x3f)<<6 | rune(text[2]&0x3f), true
}

// quote writes text as a JSON string. Bytes that are not UTF-8 are written unchanged,
// which no JSON reader has to accept.
func quote(text string, e Escape) []byte {
	out := append(make([]byte, 0, len(text)+2), '"')
	for i := 0; i < len(text); {
		u, lone := surrogate(text[i:])
		if lone {
			out = escapeUnit(out, u)
			i += 3
			continue
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, text[i])
		case e == EscapeAll || r < 0x20 || e == EscapeASCII && r >= 0x7f:
			for _, u := range utf16.Encode([]rune{r}) {
				out = escapeUnit(out, rune(u))
			}
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		default:
			out = append(out, text[i:i+n]...)
		}
		i += n
	}
	return append(out, '"')
}

func escapeUnit(dst []byte, u rune) []byte {
	switch u {
	case '\n':
		return append(dst, '\\', 'n')
	case '\t':
		return append(dst, '\\', 't')
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[u>>12&15], digits[u>>8&15], digits[u>>4&15], digits[u&15])
}
