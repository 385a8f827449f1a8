package fakellm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
)

// generation is one answer to one request.
type generation struct {
	req    *request
	script Script
	spoken int // pieces of text so far, as usage counts them
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

// speech is all that one choice says.
type speech struct {
	reasoning, content, refusal, finish string
	calls                               []ToolCall
}

// whole returns what the first choice says.
func (g *generation) whole() speech {
	var s speech
	for p := range g.choice(0) {
		switch p.kind {
		case partReasoning:
			s.reasoning += p.text
		case partContent:
			s.content += p.text
		case partRefusal:
			s.refusal += p.text
		case partCall:
			s.calls = append(s.calls, ToolCall{Name: p.text})
			continue
		case partArgs:
			s.calls[p.tool].Arguments += p.text
		case partFinish:
			s.finish = p.text
			continue
		case partRole:
			continue
		}
		g.spoken++
	}
	return s
}

// jsonf is a JSON message: the texts among args are literals already.
func jsonf(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }

// stream yields the messages that write makes of the parts of the first choice,
// between those of a beginning and an end.
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
			if write(p, send); !ok {
				return
			}
		}
	}
}

// object is the arguments of a call as an object; what is none becomes one.
func (g *generation) object(arguments string) literal {
	if json.Valid([]byte(arguments)) {
		return literal(arguments)
	}
	return jsonf(`{"raw":%s}`, g.quote(arguments))
}

// literal is a JSON value that is written as it stands.
type literal = json.RawMessage

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
