package fakellm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
)

// generation is one answer to one request.
type generation struct {
	req    *request
	script Script
	spoken int // pieces of text so far, for usage
}

// choice returns the parts of choice i.
func (g *generation) choice(i int) iter.Seq[part] {
	var c Choice
	if n := len(g.script.Choices); n > 0 {
		c = g.script.Choices[i%n]
	}
	giant := int64(0)
	if i == 0 {
		giant = g.script.Giant
	}
	return c.parts(&g.script, giant, g.req.limit())
}

// choices returns the parts of all choices.
func (g *generation) choices() []iter.Seq[part] {
	all := make([]iter.Seq[part], g.req.choices())
	for i := range all {
		all[i] = g.choice(i)
	}
	return all
}

func (g *generation) quote(text string) literal { return quote(text, g.script.Escape) }

// usage is the usage member of the whole answer.
func (g *generation) usage() literal {
	in := g.req.words()
	return encode(struct {
		Prompt     int `json:"prompt_tokens"`
		Completion int `json:"completion_tokens"`
		Total      int `json:"total_tokens"`
	}{in, g.spoken, in + g.spoken})
}

// speech is the content of one choice.
type speech struct {
	reasoning, content, refusal, finish string
	calls                               []ToolCall
	pieces                              []part // of content and refusal
}

// whole returns the content of the first choice. A refusal is part of the content: only
// the APIs of OpenAI have a member for it.
func (g *generation) whole() speech {
	s := g.speech(0)
	s.content += s.refusal
	return s
}

// speech returns the content of choice i.
func (g *generation) speech(i int) speech {
	var s speech
	var args [][]byte
	text := map[partKind][]byte{}
	for p := range g.choice(i) {
		switch p.kind {
		case partCall:
			s.calls, args = append(s.calls, ToolCall{Name: p.text}), append(args, nil)
			continue
		case partArgs:
			args[p.tool] = append(args[p.tool], p.text...)
		case partContent, partRefusal:
			s.pieces = append(s.pieces, p)
		}
		text[p.kind] = append(text[p.kind], p.text...)
		if p.kind != partRole && p.kind != partFinish {
			g.spoken++
		}
	}
	s.reasoning, s.content, s.refusal, s.finish = string(text[partReasoning]), string(text[partContent]), string(text[partRefusal]), string(text[partFinish])
	for i := range s.calls {
		s.calls[i].Arguments = string(args[i])
	}
	return s
}

// jsonf formats a JSON message. The texts among args are JSON literals already.
func jsonf(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }

// stream yields the messages that write makes of the parts of the first choice. A
// refusal counts as content, as in a speech.
func (g *generation) stream(write func(p part, send func(event string, data []byte))) iter.Seq[event] {
	return func(yield func(event) bool) {
		ok := true
		send := func(name string, data []byte) {
			ok = ok && yield(event{name, data})
		}
		for p := range g.choice(0) {
			if p.kind != partRole && p.kind != partFinish && p.kind != partCall {
				g.spoken++
			}
			if p.kind == partRefusal {
				p.kind = partContent
			}
			if write(p, send); !ok {
				return
			}
		}
	}
}

// items writes the reasoning, the content and the calls of a speech, as far as it has
// them, as the elements of a JSON array. reasoning and content are formats for a text.
func (g *generation) items(s speech, reasoning, content string, call func(i int, c ToolCall) []byte) string {
	var all []string
	if s.reasoning != "" {
		all = append(all, string(jsonf(reasoning, g.quote(s.reasoning))))
	}
	if s.content != "" {
		all = append(all, string(jsonf(content, g.quote(s.content))))
	}
	for i, c := range s.calls {
		all = append(all, string(call(i, c)))
	}
	return strings.Join(all, ",")
}

// stop translates the reason why an answer ended into an API's words for a call, for
// the limit of tokens, and for the end of the text.
func stop(finish, call, limit, end string) string {
	switch finish {
	case "tool_calls":
		return call
	case "length":
		return limit
	default:
		return end
	}
}

// blocks numbers the blocks of a streamed answer: each kind of text and each call is
// one.
type blocks struct {
	open bool
	kind partKind
	tool int
	at   int
	end  func() // sends the end of the open block
}

// turn ends the open block, if p is not part of it, and reports whether p begins a
// new one.
func (b *blocks) turn(p part) bool {
	if b.open && b.kind == p.kind && b.tool == p.tool {
		return false
	}
	b.close()
	b.open, b.kind, b.tool = true, p.kind, p.tool
	return true
}

func (b *blocks) close() {
	if b.open {
		b.end()
		b.open = false
		b.at++
	}
}

// object returns the arguments of a call as a JSON object. Arguments that are no JSON
// become a member of one.
func (g *generation) object(arguments string) literal {
	if json.Valid([]byte(arguments)) {
		return literal(arguments)
	}
	return jsonf(`{"raw":%s}`, g.quote(arguments))
}

// literal is a JSON value that is written unchanged.
type literal = json.RawMessage

var null = literal("null")

// encode writes a JSON value as servers do, without escaping for HTML.
func encode(v any) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("fakellm: internal error: " + err.Error()) // our own types always encode
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
