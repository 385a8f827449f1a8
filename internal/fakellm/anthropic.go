package fakellm

import "iter"

// anthropicStop says in Anthropic's words why an answer ended.
func anthropicStop(finish string) string {
	switch finish {
	case "tool_calls":
		return "tool_use"
	case "length":
		return "max_tokens"
	}
	return "end_turn"
}

// anthropicBlocks numbers the blocks of an answer: each kind of text and each
// call is one.
type anthropicBlocks struct {
	open bool
	kind partKind
	tool int
	at   int
}

// turn closes the open block and opens one for p, if p is not of it.
func (b *anthropicBlocks) turn(g *generation, p part, send func(string, []byte)) {
	if b.open && b.kind == p.kind && b.tool == p.tool {
		return
	}
	b.close(send)
	b.open, b.kind, b.tool = true, p.kind, p.tool
	block := `{"type":"text","text":""}`
	switch p.kind {
	case partReasoning:
		block = `{"type":"thinking","thinking":"","signature":""}`
	case partCall:
		b.kind = partArgs
		block = string(jsonf(`{"type":"tool_use","id":"toolu_%d","name":%s,"input":{}}`, p.tool, g.quote(p.text)))
	}
	send("content_block_start", jsonf(`{"type":"content_block_start","index":%d,"content_block":%s}`, b.at, block))
}

func (b *anthropicBlocks) close(send func(string, []byte)) {
	if !b.open {
		return
	}
	if b.kind == partReasoning {
		send("content_block_delta", jsonf(`{"type":"content_block_delta","index":%d,"delta":{"type":"signature_delta","signature":"c2ln"}}`, b.at))
	}
	send("content_block_stop", jsonf(`{"type":"content_block_stop","index":%d}`, b.at))
	b.open = false
	b.at++
}

// anthropicStream returns the events of a streamed message.
func anthropicStream(g *generation) iter.Seq[event] {
	var b anthropicBlocks
	return g.stream(func(p part, send func(string, []byte)) {
		delta := func(kind, member string) {
			b.turn(g, p, send)
			send("content_block_delta", jsonf(`{"type":"content_block_delta","index":%d,"delta":{"type":"%s","%s":%s}}`, b.at, kind, member, g.quote(p.text)))
		}
		switch p.kind {
		case partRole:
			send("message_start", jsonf(`{"type":"message_start","message":{"id":"msg_fake","type":"message","role":"assistant","model":%s,"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":%d,"output_tokens":1}}}`,
				g.quote(g.req.Model), g.req.words()))
			send("ping", []byte(`{"type":"ping"}`))
		case partReasoning:
			delta("thinking_delta", "thinking")
		case partContent, partRefusal:
			p.kind = partContent
			delta("text_delta", "text")
		case partCall:
			b.turn(g, p, send)
		case partArgs:
			delta("input_json_delta", "partial_json")
		case partFinish:
			b.close(send)
			send("message_delta", jsonf(`{"type":"message_delta","delta":{"stop_reason":"%s","stop_sequence":null},"usage":{"output_tokens":%d}}`, anthropicStop(p.text), g.spoken))
			send("message_stop", []byte(`{"type":"message_stop"}`))
		}
	})
}

// anthropicBody returns a message in one piece.
func anthropicBody(g *generation) []byte {
	s := g.whole()
	var blocks []literal
	if s.reasoning != "" {
		blocks = append(blocks, jsonf(`{"type":"thinking","thinking":%s,"signature":"c2ln"}`, g.quote(s.reasoning)))
	}
	if text := s.content + s.refusal; text != "" {
		blocks = append(blocks, jsonf(`{"type":"text","text":%s}`, g.quote(text)))
	}
	for i, c := range s.calls {
		blocks = append(blocks, jsonf(`{"type":"tool_use","id":"toolu_%d","name":%s,"input":%s}`, i, g.quote(c.Name), g.object(c.Arguments)))
	}
	return jsonf(`{"id":"msg_fake","type":"message","role":"assistant","model":%s,"content":%s,"stop_reason":"%s","stop_sequence":null,"usage":{"input_tokens":%d,"output_tokens":%d}}`,
		g.quote(g.req.Model), encode(append([]literal{}, blocks...)), anthropicStop(s.finish), g.req.words(), g.spoken)
}
