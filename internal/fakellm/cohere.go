package fakellm

import (
	"iter"
	"strings"
)

// cohereStop says in Cohere's words why an answer ended.
func cohereStop(finish string) string {
	switch finish {
	case "tool_calls":
		return "TOOL_CALL"
	case "length":
		return "MAX_TOKENS"
	}
	return "COMPLETE"
}

func cohereUsage(g *generation) literal {
	in := g.req.words()
	return jsonf(`{"billed_units":{"input_tokens":%d,"output_tokens":%d},"tokens":{"input_tokens":%d,"output_tokens":%d}}`, in, g.spoken, in, g.spoken)
}

// cohereOpen is what of an answer is open: a kind of content or a call.
type cohereOpen struct {
	kind partKind
	open bool
	at   int
	tool int
}

func (o *cohereOpen) close(send func(string, []byte)) {
	if !o.open {
		return
	}
	o.open = false
	if o.kind == partArgs {
		send("tool-call-end", jsonf(`{"type":"tool-call-end","index":%d}`, o.tool))
		return
	}
	send("content-end", jsonf(`{"type":"content-end","index":%d}`, o.at))
	o.at++
}

// content opens a part of the message for p, unless it is open.
func (o *cohereOpen) content(p part, send func(string, []byte)) {
	if o.open && o.kind == p.kind {
		return
	}
	o.close(send)
	o.open, o.kind = true, p.kind
	content := `{"type":"text","text":""}`
	if p.kind == partReasoning {
		content = `{"type":"thinking","thinking":""}`
	}
	send("content-start", jsonf(`{"type":"content-start","index":%d,"delta":{"message":{"content":%s}}}`, o.at, content))
}

// cohereStream returns the events of a streamed answer.
func cohereStream(g *generation) iter.Seq[event] {
	var o cohereOpen
	return g.stream(func(p part, send func(string, []byte)) {
		switch p.kind {
		case partRole:
			send("message-start", []byte(`{"id":"fake","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`))
		case partReasoning:
			o.content(p, send)
			send("content-delta", jsonf(`{"type":"content-delta","index":%d,"delta":{"message":{"content":{"thinking":%s}}}}`, o.at, g.quote(p.text)))
		case partContent, partRefusal:
			p.kind = partContent
			o.content(p, send)
			send("content-delta", jsonf(`{"type":"content-delta","index":%d,"delta":{"message":{"content":{"text":%s}}}}`, o.at, g.quote(p.text)))
		case partCall:
			o.close(send)
			o.open, o.kind, o.tool = true, partArgs, p.tool
			send("tool-call-start", jsonf(`{"type":"tool-call-start","index":%d,"delta":{"message":{"tool_calls":{"id":"call_%d","type":"function","function":{"name":%s,"arguments":""}}}}}`, p.tool, p.tool, g.quote(p.text)))
		case partArgs:
			send("tool-call-delta", jsonf(`{"type":"tool-call-delta","index":%d,"delta":{"message":{"tool_calls":{"function":{"arguments":%s}}}}}`, p.tool, g.quote(p.text)))
		case partFinish:
			o.close(send)
			send("message-end", jsonf(`{"type":"message-end","delta":{"finish_reason":"%s","usage":%s}}`, cohereStop(p.text), cohereUsage(g)))
			send(done.name, done.data)
		}
	})
}

// cohereBody returns an answer in one piece.
func cohereBody(g *generation) []byte {
	s := g.whole()
	var content, calls []string
	if s.reasoning != "" {
		content = append(content, string(jsonf(`{"type":"thinking","thinking":%s}`, g.quote(s.reasoning))))
	}
	if text := s.content + s.refusal; text != "" {
		content = append(content, string(jsonf(`{"type":"text","text":%s}`, g.quote(text))))
	}
	for i, c := range s.calls {
		calls = append(calls, string(jsonf(`{"id":"call_%d","type":"function","function":{"name":%s,"arguments":%s}}`, i, g.quote(c.Name), g.quote(c.Arguments))))
	}
	message := `{"role":"assistant"`
	if len(content) > 0 {
		message += `,"content":[` + strings.Join(content, ",") + `]`
	}
	if len(calls) > 0 {
		message += `,"tool_calls":[` + strings.Join(calls, ",") + `]`
	}
	return jsonf(`{"id":"fake","finish_reason":"%s","message":%s},"usage":%s}`, cohereStop(s.finish), message, cohereUsage(g))
}
