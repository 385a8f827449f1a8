package fakellm

import (
	"iter"
	"strings"
)

// converseStop says in Bedrock's words why an answer ended.
func converseStop(finish string) string { return anthropicStop(finish) }

func converseUsage(g *generation) literal {
	in := g.req.words()
	return jsonf(`{"inputTokens":%d,"outputTokens":%d,"totalTokens":%d}`, in, g.spoken, in+g.spoken)
}

// converseBlocks numbers the blocks of an answer.
type converseBlocks struct {
	open bool
	kind partKind
	tool int
	at   int
}

func (b *converseBlocks) close(send func(string, []byte)) {
	if b.open {
		send("contentBlockStop", jsonf(`{"contentBlockIndex":%d}`, b.at))
		b.open = false
		b.at++
	}
}

// turn closes the open block if p is not of it.
func (b *converseBlocks) turn(p part, send func(string, []byte)) {
	if !b.open || b.kind != p.kind || b.tool != p.tool {
		b.close(send)
	}
	b.open, b.kind, b.tool = true, p.kind, p.tool
}

// converseStream returns the events of a streamed answer.
func converseStream(g *generation) iter.Seq[event] {
	var b converseBlocks
	return g.stream(func(p part, send func(string, []byte)) {
		delta := func(format string) {
			b.turn(p, send)
			send("contentBlockDelta", jsonf(`{"contentBlockIndex":%d,"delta":`+format+`,"p":"abcdefgh"}`, b.at, g.quote(p.text)))
		}
		switch p.kind {
		case partRole:
			send("messageStart", []byte(`{"role":"assistant","p":"abcd"}`))
		case partReasoning:
			delta(`{"reasoningContent":{"text":%s}}`)
		case partContent, partRefusal:
			p.kind = partContent
			delta(`{"text":%s}`)
		case partCall:
			p.kind = partArgs
			b.turn(p, send)
			send("contentBlockStart", jsonf(`{"contentBlockIndex":%d,"start":{"toolUse":{"toolUseId":"tooluse_%d","name":%s}}}`, b.at, p.tool, g.quote(p.text)))
		case partArgs:
			delta(`{"toolUse":{"input":%s}}`)
		case partFinish:
			b.close(send)
			send("messageStop", jsonf(`{"stopReason":"%s"}`, converseStop(p.text)))
			send("metadata", jsonf(`{"usage":%s,"metrics":{"latencyMs":5}}`, converseUsage(g)))
		}
	})
}

// converseBody returns an answer in one piece.
func converseBody(g *generation) []byte {
	s := g.whole()
	var blocks []string
	if s.reasoning != "" {
		blocks = append(blocks, string(jsonf(`{"reasoningContent":{"reasoningText":{"text":%s,"signature":"c2ln"}}}`, g.quote(s.reasoning))))
	}
	if text := s.content + s.refusal; text != "" {
		blocks = append(blocks, string(jsonf(`{"text":%s}`, g.quote(text))))
	}
	for i, c := range s.calls {
		blocks = append(blocks, string(jsonf(`{"toolUse":{"toolUseId":"tooluse_%d","name":%s,"input":%s}}`, i, g.quote(c.Name), g.object(c.Arguments))))
	}
	return jsonf(`{"metrics":{"latencyMs":5},"output":{"message":{"content":[%s],"role":"assistant"}},"stopReason":"%s","usage":%s}`,
		strings.Join(blocks, ","), converseStop(s.finish), converseUsage(g))
}
