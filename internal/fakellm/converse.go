package fakellm

import "iter"

func converseUsage(g *generation) literal {
	in := g.req.words()
	return jsonf(`{"inputTokens":%d,"outputTokens":%d,"totalTokens":%d}`, in, g.spoken, in+g.spoken)
}

// converseStream returns the events of a streamed answer of Bedrock's Converse, which
// has Anthropic's words for the end of an answer.
func converseStream(g *generation) iter.Seq[event] {
	var b blocks
	return g.stream(func(p part, send func(string, []byte)) {
		b.end = func() { send("contentBlockStop", jsonf(`{"contentBlockIndex":%d}`, b.at)) }
		delta := func(format string) {
			b.turn(p)
			send("contentBlockDelta", jsonf(`{"contentBlockIndex":%d,"delta":`+format+`,"p":"abcdefgh"}`, b.at, g.quote(p.text)))
		}
		switch p.kind {
		case partRole:
			send("messageStart", []byte(`{"role":"assistant","p":"abcd"}`))
		case partReasoning:
			delta(`{"reasoningContent":{"text":%s}}`)
		case partContent, partRefusal:
			delta(`{"text":%s}`)
		case partCall:
			p.kind = partArgs
			b.turn(p)
			send("contentBlockStart", jsonf(`{"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":"tooluse_%d","name":%s}}}`, b.at, p.tool, g.quote(p.text)))
		case partArgs:
			delta(`{"toolUse":{"input":%s}}`)
		case partFinish:
			b.close()
			send("messageStop", jsonf(`{"stopReason":"%s"}`, anthropicStop(p.text)))
			send("metadata", jsonf(`{"usage":%s,"metrics":{"latencyMs":5}}`, converseUsage(g)))
		}
	})
}

// converseBody returns an answer in one piece.
func converseBody(g *generation) []byte {
	s := g.whole()
	content := g.items(s, `{"reasoningContent":{"reasoningText":{"text":%s,"signature":"c2ln"}}}`, `{"text":%s}`, func(i int, c ToolCall) []byte {
		return jsonf(`{"toolUse":{"toolUseId":"tooluse_%d","name":%s,"input":%s}}`, i, g.quote(c.Name), g.object(c.Arguments))
	})
	return jsonf(`{"metrics":{"latencyMs":5},"output":{"message":{"content":[%s],"role":"assistant"}},"stopReason":"%s","usage":%s}`,
		content, anthropicStop(s.finish), converseUsage(g))
}
