package fakellm

import (
	"iter"
	"strings"
)

// part is one step of what a choice says. Both protocols, streamed or not, are
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

// reason is the finish reason of a choice that said all it has to say.
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

// turns takes one part of every choice in turn, as servers that compute choices
// together send them.
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
