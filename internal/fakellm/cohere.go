package fakellm

import "iter"

func cohereStop(finish string) string { return stop(finish, "TOOL_CALL", "MAX_TOKENS", "COMPLETE") }

func cohereUsage(g *generation) literal {
	in := g.req.words()
	return jsonf(`{"billed_units":{"input_tokens":%d,"output_tokens":%d},"tokens":{"input_tokens":%d,"output_tokens":%d}}`, in, g.spoken, in, g.spoken)
}

// cohereStream returns the events of a streamed answer. Texts and calls are numbered
// apart.
func cohereStream(g *generation) iter.Seq[event] {
	var b blocks
	return g.stream(func(p part, send func(string, []byte)) {
		b.end = func() {
			if b.kind == partArgs {
				send("tool-call-end", jsonf(`{"type":"tool-call-end","index":%d}`, b.tool))
			} else {
				send("content-end", jsonf(`{"type":"content-end","index":%d}`, b.at))
			}
		}
		text := func(kind, member string) {
			if b.turn(p) {
				send("content-start", jsonf(`{"type":"content-start","index":%d,"delta":{"message":{"content":{"type":"%s","%s":""}}}}`, b.at, kind, member))
			}
			send("content-delta", jsonf(`{"type":"content-delta","index":%d,"delta":{"message":{"content":{"%s":%s}}}}`, b.at, member, g.quote(p.text)))
		}
		switch p.kind {
		case partRole:
			send("message-start", []byte(`{"id":"fake","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}`))
		case partReasoning:
			text("thinking", "thinking")
		case partContent, partRefusal:
			text("text", "text")
		case partCall:
			p.kind = partArgs
			b.turn(p)
			send("tool-call-start", jsonf(`{"type":"tool-call-start","index":%d,"delta":{"message":{"tool_calls":{"id":"call_%d","type":"function","function":{"name":%s,"arguments":""}}}}}`, p.tool, p.tool, g.quote(p.text)))
		case partArgs:
			send("tool-call-delta", jsonf(`{"type":"tool-call-delta","index":%d,"delta":{"message":{"tool_calls":{"function":{"arguments":%s}}}}}`, p.tool, g.quote(p.text)))
		case partFinish:
			b.close()
			send("message-end", jsonf(`{"type":"message-end","delta":{"finish_reason":"%s","usage":%s}}`, cohereStop(p.text), cohereUsage(g)))
			send(done.name, done.data)
		}
	})
}

// cohereBody returns an answer in one piece.
func cohereBody(g *generation) []byte {
	s := g.whole()
	message := `{"role":"assistant"`
	if content := g.items(speech{reasoning: s.reasoning, content: s.content}, `{"type":"thinking","thinking":%s}`, `{"type":"text","text":%s}`, nil); content != "" {
		message += `,"content":[` + content + `]`
	}
	if calls := g.items(speech{calls: s.calls}, "", "", func(i int, c ToolCall) []byte {
		return jsonf(`{"id":"call_%d","type":"function","function":{"name":%s,"arguments":%s}}`, i, g.quote(c.Name), g.quote(c.Arguments))
	}); calls != "" {
		message += `,"tool_calls":[` + calls + `]`
	}
	return jsonf(`{"id":"fake","finish_reason":"%s","message":%s},"usage":%s}`, cohereStop(s.finish), message, cohereUsage(g))
}
