package fakellm

import "iter"

func anthropicStop(finish string) string { return stop(finish, "tool_use", "max_tokens", "end_turn") }

// anthropicStream returns the events of a streamed message.
func anthropicStream(g *generation) iter.Seq[event] {
	var b blocks
	return g.stream(func(p part, send func(string, []byte)) {
		b.end = func() {
			if b.kind == partReasoning {
				send("content_block_delta", jsonf(`{"type":"content_block_delta","index":%d,"delta":{"type":"signature_delta","signature":"c2ln"}}`, b.at))
			}
			send("content_block_stop", jsonf(`{"type":"content_block_stop","index":%d}`, b.at))
		}
		begin := func(block string) {
			if b.turn(p) {
				send("content_block_start", jsonf(`{"type":"content_block_start","index":%d,"content_block":%s}`, b.at, block))
			}
		}
		delta := func(kind, member string) {
			send("content_block_delta", jsonf(`{"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":%s}}`, b.at, kind, member, g.quote(p.text)))
		}
		switch p.kind {
		case partRole:
			send("message_start", jsonf(`{"type":"message_start","message":{"id":"msg_fake","type":"message","role":"assistant","model":%s,"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":%d,"output_tokens":1}}}`,
				g.quote(g.req.Model), g.req.words()))
			send("ping", []byte(`{"type":"ping"}`))
		case partReasoning:
			begin(`{"type":"thinking","thinking":"","signature":""}`)
			delta("thinking_delta", "thinking")
		case partContent, partRefusal:
			begin(`{"type":"text","text":""}`)
			delta("text_delta", "text")
		case partCall:
			p.kind = partArgs
			begin(string(jsonf(`{"type":"tool_use","id":"toolu_%d","name":%s,"input":{}}`, p.tool, g.quote(p.text))))
		case partArgs:
			delta("input_json_delta", "partial_json")
		case partFinish:
			b.close()
			send("message_delta", jsonf(`{"type":"message_delta","delta":{"stop_reason":"%s","stop_sequence":null},"usage":{"output_tokens":%d}}`, anthropicStop(p.text), g.spoken))
			send("message_stop", []byte(`{"type":"message_stop"}`))
		}
	})
}

// anthropicBody returns a message in one piece.
func anthropicBody(g *generation) []byte {
	s := g.whole()
	content := g.items(s, `{"type":"thinking","thinking":%s,"signature":"c2ln"}`, `{"type":"text","text":%s}`, func(i int, c ToolCall) []byte {
		return jsonf(`{"type":"tool_use","id":"toolu_%d","name":%s,"input":%s}`, i, g.quote(c.Name), g.object(c.Arguments))
	})
	return jsonf(`{"id":"msg_fake","type":"message","role":"assistant","model":%s,"content":[%s],"stop_reason":"%s","stop_sequence":null,"usage":{"input_tokens":%d,"output_tokens":%d}}`,
		g.quote(g.req.Model), content, anthropicStop(s.finish), g.req.words(), g.spoken)
}
