package fakellm

import "iter"

func geminiParts(g *generation, s speech) string {
	return g.items(s, `{"text":%s,"thought":true}`, `{"text":%s}`, func(_ int, c ToolCall) []byte {
		return jsonf(`{"functionCall":{"name":%s,"args":%s}}`, g.quote(c.Name), g.object(c.Arguments))
	})
}

// geminiAnswer is one answer, or one message of a stream: they look the same. A finish
// is empty until the last message.
func geminiAnswer(g *generation, parts, finish string) []byte {
	out := jsonf(`{"candidates":[{"content":{"parts":[%s],"role":"model"},"index":0`, parts)
	if finish != "" {
		out = append(out, jsonf(`,"finishReason":"%s"`, stop(finish, "STOP", "MAX_TOKENS", "STOP"))...)
	}
	in := g.req.words()
	return append(out, jsonf(`}],"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,"totalTokenCount":%d},"modelVersion":%s,"responseId":"fake"}`,
		in, g.spoken, in+g.spoken, g.quote(g.req.Model))...)
}

// geminiStream returns the messages of a streamed answer. A call comes whole.
func geminiStream(g *generation) iter.Seq[event] {
	var calls []ToolCall
	return g.stream(func(p part, send func(string, []byte)) {
		switch p.kind {
		case partReasoning:
			send("", geminiAnswer(g, geminiParts(g, speech{reasoning: p.text}), ""))
		case partContent, partRefusal:
			send("", geminiAnswer(g, geminiParts(g, speech{content: p.text}), ""))
		case partCall:
			calls = append(calls, ToolCall{Name: p.text})
		case partArgs:
			calls[p.tool].Arguments += p.text
		case partFinish:
			parts := `{"text":""}`
			if len(calls) > 0 {
				parts = geminiParts(g, speech{calls: calls})
			}
			send("", geminiAnswer(g, parts, p.text))
		case partRole:
		}
	})
}

// geminiBody returns an answer in one piece.
func geminiBody(g *generation) []byte {
	s := g.whole()
	return geminiAnswer(g, geminiParts(g, s), s.finish)
}
